"""What each unit is worth and where: the shape of `rules/units.yaml`.

Only the table's own consistency is judged here; what a written unit means at a place is for
`engine.units`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from contracts.quantities import QuantityError, parse_quantity

Name = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Remark = Annotated[str, StringConstraints(min_length=1, max_length=400)]
UnitDimension = Literal["length", "area", "money", "time", "ratio"]


def _one_positive_term(text: str) -> str:
    try:
        quantity = parse_quantity(text)
    except QuantityError as error:
        raise ValueError(str(error)) from None
    if len(quantity.terms) != 1 or quantity.value <= 0:
        raise ValueError(f"'{text}' is not one positive number with a unit, such as 435.6 sqft")
    return text


def folded(text: str) -> str:
    """A unit's or place's name with the differences of spelling that never matter taken out.

    >>> folded("Sq. Ft."), folded("  Jammu & KASHMIR"), folded("bigha (pucca)")
    ('sq ft', 'jammu and kashmir', 'bigha pucca')
    """
    text = text.casefold().replace("&", " and ")
    return " ".join(re.sub(r"[.,()\-_\s]+", " ", text).split())


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spelling(_Entry):
    """A name, and the other ways in which people write it."""

    name: Name
    aliases: tuple[Name, ...] = ()


class DistrictName(Spelling):
    """A district that some unit's worth depends on."""

    state: Name


class UnitPlace(_Entry):
    """Where a worth holds: a state, perhaps one district, perhaps only with a qualifier."""

    state: Name
    district: Name | None = None
    qualifier: Name | None = Field(
        default=None, description="the worth is meant only when this word is written: bigha pucca"
    )


class LandUnit(_Entry):
    """One worth of one unit; a name with several worths has several entries."""

    name: Name
    aliases: tuple[Name, ...] = ()
    dimension: UnitDimension
    factor: Annotated[str, AfterValidator(_one_positive_term)] | None = Field(
        default=None,
        description="worth in a unit further up, such as 435.6 sqft; absent for a base unit",
    )
    places: Annotated[tuple[UnitPlace, ...], Field(min_length=1)] | None = Field(
        default=None, description="absent: used everywhere"
    )
    disputed: bool = False
    note: Remark | None = None
    source: Remark


class LandUnits(_Entry):
    """The table of units, with the spellings of places and qualifiers."""

    units: Annotated[tuple[LandUnit, ...], Field(min_length=1)]
    qualifiers: tuple[Spelling, ...] = ()
    states: tuple[Spelling, ...] = ()
    districts: tuple[DistrictName, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        faults = [*_spelling_faults(self), *_factor_faults(self), *_place_faults(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _spelling_faults(table: LandUnits) -> list[str]:
    faults: list[str] = []
    owners: dict[tuple[str, str], str] = {}
    groups: list[tuple[str, tuple[Spelling | LandUnit, ...]]] = [
        ("unit", table.units),
        ("qualifier", table.qualifiers),
        ("state", table.states),
        ("district", table.districts),
    ]
    for kind, entries in groups:
        for entry in entries:
            for text in (entry.name, *entry.aliases):
                owner = owners.setdefault((kind, folded(text)), entry.name)
                if owner != entry.name:
                    faults.append(f"{kind} '{text}' is written both for {owner} and {entry.name}")
    return faults


def _factor_faults(table: LandUnits) -> list[str]:
    faults: list[str] = []
    dimensions: dict[str, UnitDimension] = {}
    bases: set[UnitDimension] = {"ratio"}
    everywhere: dict[str, UnitDimension] = {}
    for unit in table.units:
        if dimensions.setdefault(unit.name, unit.dimension) != unit.dimension:
            faults.append(f"{unit.name} has two dimensions")
        if unit.factor is None:
            if unit.dimension in bases:
                faults.append(f"{unit.name} needs a factor: {unit.dimension} has its base already")
            bases.add(unit.dimension)
        else:
            wanted = parse_quantity(unit.factor).unit
            found = "ratio" if wanted is None else everywhere.get(wanted)
            if found != unit.dimension:
                faults.append(
                    f"{unit.name}: {unit.factor} is not written in a unit of {unit.dimension} "
                    "that stands further up and is used everywhere"
                )
        if unit.places is None:
            if unit.name in everywhere:
                faults.append(f"{unit.name} has two worths everywhere")
            everywhere[unit.name] = unit.dimension
    return faults


def _place_faults(table: LandUnits) -> list[str]:
    states = {state.name for state in table.states}
    districts = {(district.state, district.name) for district in table.districts}
    qualifiers = {qualifier.name for qualifier in table.qualifiers}
    faults = [
        f"district {district.name}: no state '{district.state}'"
        for district in table.districts
        if district.state not in states
    ]
    for unit in table.units:
        for place in unit.places or ():
            if place.state not in states:
                faults.append(f"{unit.name}: no state '{place.state}'")
            elif place.district is not None and (place.state, place.district) not in districts:
                faults.append(f"{unit.name}: no district '{place.district}' in {place.state}")
            if place.qualifier is not None and place.qualifier not in qualifiers:
                faults.append(f"{unit.name}: no qualifier '{place.qualifier}'")
    return faults
