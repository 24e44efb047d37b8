"""What a written unit is worth at a place, and exact conversion between units.

The table of units is data (`rules/units.yaml`). A pint registry, built from that table alone, owns
the definitions: it says what each unit is worth in the base of its dimension and what dimension a
unit text has. Conversions between two units at a place are worked out once and remembered, so that
converting a number is one or two decimal operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.land_units import folded
from contracts.problems import nearest, shown
from contracts.quantities import parse_quantity, plain, spelled
from engine.units.places import Gazetteer, Place

if TYPE_CHECKING:
    from contracts.land_units import LandUnit, LandUnits, UnitPlace
    from contracts.quantities import Quantity

#: A unit as a product of named units: `{"INR": 1, "sqm": -1}`.
Powers = Mapping[str, int]

# The precision of decimal128, which FEEL arithmetic has too.
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN)
# Wide enough for the product of any two numbers here to be exact before the one division.
_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN)

_MAX_TEXT = 120
_MAX_PLACE = 200
_ONE = "1"
# How pint is told of the base unit of each dimension; a ratio's base is the plain number.
_PINT_BASES = ("length_base = [length]", "money_base = [money]", "time_base = [time]")
_PINT_BASE_OF = {
    "length": "length_base",
    "area": "length_base ** 2",
    "money": "money_base",
    "time": "time_base",
}


@dataclass(frozen=True, slots=True)
class UnitProblem:
    """Why a unit cannot be used: a code, a sentence, and what could be written instead.

    Codes: UNIT_UNKNOWN, UNIT_MISSING, UNIT_NOT_USED_HERE, UNIT_AMBIGUOUS, UNIT_NEEDS_PLACE,
    UNIT_WRONG_KIND.
    """

    code: str
    message: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit at a place.

    `worth` is exact, in the base units (square metre, metre, month, rupee, one); `definition`
    and `source` are the table's own words: `1 cent = 435.6 sqft`. `disputed` says that sources
    differ on the worth, and `note` how.
    """

    name: str
    dimension: str
    powers: tuple[tuple[str, int], ...]
    worth: Fraction
    definition: str
    source: str
    disputed: bool = False
    note: str = ""

    @property
    def factor(self) -> Decimal:
        """The worth as a decimal of at most 34 digits."""
        return _decimal(self.worth)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How numbers in one unit become numbers in another.

    `factor` is what a number is multiplied by, to at most 34 digits; `apply` does not use it
    where it would lose a digit. `definition`, `source` and `disputed` tell of both units.
    """

    unit: Unit
    target: Unit
    factor: Decimal
    _times: Decimal | None
    _over: Decimal | None
    basis: str

    @property
    def definition(self) -> str:
        """What the conversion rests on: `1 cent = 435.6 sqft; 1 sqft = 0.09290304 sqm`."""
        return _joined(self.unit.definition, self.target.definition)

    @property
    def source(self) -> str:
        """Where the two units' worths come from."""
        return _joined(self.unit.source, self.target.source)

    @property
    def disputed(self) -> bool:
        """Whether sources differ on either unit's worth."""
        return self.unit.disputed or self.target.disputed

    def apply(self, number: Decimal) -> Decimal:
        """The number in the target unit, rounded once to 34 digits; untouched if worth the same."""
        if self._times is None:
            return number
        if self._over is None:
            return _CONTEXT.multiply(number, self._times)
        return _CONTEXT.divide(_EXACT.multiply(number, self._times), self._over)


class Converted(NamedTuple):
    """A number in the wanted unit, and the conversion of each term that went into it."""

    value: Decimal
    unit: str
    steps: tuple[Conversion, ...]

    @property
    def factor(self) -> Decimal | None:
        """What the number was multiplied by; `None` when several terms were added up."""
        return self.steps[0].factor if len(self.steps) == 1 else None

    @property
    def definition(self) -> str:
        """What the conversion rests on, for the report to print."""
        return _joined(*(step.definition for step in self.steps))

    @property
    def source(self) -> str:
        """Where the worths come from, for the report to print."""
        return _joined(*(step.source for step in self.steps))

    @property
    def basis(self) -> str:
        """What the conversion rests on, with where that comes from."""
        if len(self.steps) == 1:
            return self.steps[0].basis
        return _joined(self.definition, self.source)

    @property
    def disputed(self) -> bool:
        """Whether sources differ on the worth of any unit used."""
        return any(step.disputed for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Worth:
    """One entry of the table at one of its places; `place` is `None` for everywhere."""

    place: UnitPlace | None
    worth: Fraction
    entry: LandUnit

    @property
    def written(self) -> str:
        qualifier = None if self.place is None else self.place.qualifier
        return self.entry.name if qualifier is None else f"{self.entry.name} {qualifier}"


class UnitRegistry:
    """Every unit of a table, by its spellings and places."""

    def __init__(self, table: LandUnits) -> None:
        self.definitions, pint_names = _pint_definitions(table)
        self._pint, self._product = _pint_registry(self.definitions)
        self._pint_names: dict[str, str] = {}
        self._gazetteer = Gazetteer(table)
        self._worths: dict[str, list[_Worth]] = {}
        self._spellings: dict[str, str] = {}
        qualifiers = {entry.name: entry.aliases for entry in table.qualifiers}
        for entry, pint_name in zip(table.units, pint_names, strict=True):
            worth = self._worth_by_pint(pint_name)
            for place in entry.places or (None,):
                value = _Worth(place, worth, entry)
                self._worths.setdefault(value.written, []).append(value)
                self._pint_names[value.written] = pint_name
                self._pint_names.setdefault(entry.name, pint_name)
                self._spell(value, qualifiers)
        self._add_plurals()
        self._powers_of = lru_cache(maxsize=4096)(self._read_powers)
        self._units = lru_cache(maxsize=4096)(self._resolve)
        self._conversions = lru_cache(maxsize=4096)(self._conversion)

    def canonical(self, text: str) -> str | UnitProblem:
        """The one spelling of a unit text: `sq ft` is `sqft`, `Rs per Sq.m` is `INR/sqm`."""
        powers = self._powers_of(text[: _MAX_TEXT + 1])
        return powers if isinstance(powers, UnitProblem) else written(dict(powers))

    def powers(self, text: str) -> Powers | UnitProblem:
        """A unit text as named units and their exponents: `INR/sqm` is `{INR: 1, sqm: -1}`."""
        powers = self._powers_of(text[: _MAX_TEXT + 1])
        return powers if isinstance(powers, UnitProblem) else dict(powers)

    def dimension_of(self, unit: str | Powers) -> str | UnitProblem:
        """The dimension of a unit text or product: `area`, `money/area`, `1/time`, `ratio`.

        Local units have one too: whatever a bigha is worth, it is an area.
        """
        powers = (
            self._powers_of(unit[: _MAX_TEXT + 1]) if isinstance(unit, str) else tuple(unit.items())
        )
        return powers if isinstance(powers, UnitProblem) else self._dimension(powers)

    def fixed_unit(self, text: str) -> Unit | UnitProblem:
        """A unit that is worth the same everywhere, which a rule may name without a place."""
        return self._units(_bounded(text), None)

    def place(self, text: str) -> Place:
        """The place in a quantity's own words: `Bihar`, or `Patna, Bihar`."""
        return self._gazetteer.read(text[:_MAX_PLACE])

    def resolve(self, text: str | None, place: Place | None) -> Unit | UnitProblem:
        """The unit that a text means at a place, or why it means none or several."""
        return self._units(_bounded(text), place)

    def _resolve(self, text: str | None, place: Place | None) -> Unit | UnitProblem:
        if text is None or not text.strip():
            return UnitProblem("UNIT_MISSING", "a unit is missing, such as sqft or INR/sqft")
        powers = self._powers_of(text)
        if isinstance(powers, UnitProblem):
            return powers
        worth, definitions, sources, notes = Fraction(1), list[str](), list[str](), list[str]()
        disputed = False
        for name, exponent in powers:
            part = self._at(name, place)
            if isinstance(part, UnitProblem):
                return part
            worth *= part.worth**exponent
            if part.entry.factor is not None:
                definitions.append(f"1 {part.written} = {part.entry.factor}")
                sources.append(part.entry.source)
            notes.append(part.entry.note or "")
            disputed = disputed or part.entry.disputed
        return Unit(
            name=written(dict(powers)),
            dimension=self._dimension(powers),
            powers=powers,
            worth=worth,
            definition=_joined(*definitions),
            source=_joined(*sources),
            disputed=disputed,
            note=_joined(*notes),
        )

    def _conversion(
        self,
        unit: str | None,
        place: Place | None,
        target: str,
        target_place: Place | None,
    ) -> Conversion | UnitProblem:
        source, wanted = self._units(unit, place), self._units(target, target_place)
        if isinstance(source, UnitProblem):
            return source
        if isinstance(wanted, UnitProblem):
            return wanted
        if source.dimension != wanted.dimension:
            return UnitProblem(
                "UNIT_WRONG_KIND",
                f"{source.name} measures {source.dimension}, {wanted.name} {wanted.dimension}",
            )
        ratio = source.worth / wanted.worth
        factor = _decimal(ratio)
        if ratio == 1:
            times, over = None, None
        elif Fraction(factor) == ratio:
            times, over = factor, None
        else:
            times, over = Decimal(ratio.numerator), Decimal(ratio.denominator)
        definition = _joined(source.definition, wanted.definition)
        basis = _joined(definition, _joined(source.source, wanted.source))
        return Conversion(source, wanted, factor, times, over, basis)

    def convert(
        self,
        quantity: Quantity,
        target: str,
        place: Place | None,
        *,
        target_place: Place | None = None,
    ) -> Converted | UnitProblem:
        """A quantity in another unit, exact to 34 digits.

        Args:
            quantity: one number, or several that add up (`3 bigha 2 katha`); its own place, if it
                has one, goes before `place`.
            target: the wanted unit, such as `sqm`, `INR/sqft` or `1`.
            place: where the property is.
            target_place: where the target's local units are meant, if not at `place`.

        Returns:
            The value with the conversions used, or why there is none.
        """
        own_place = place if quantity.place is None else self.place(quantity.place)
        if target_place is None:
            target_place = place
        terms = quantity.terms
        if len(terms) == 1:
            number, unit = terms[0]
            step = self._conversions(_bounded(unit), own_place, target, target_place)
            if isinstance(step, UnitProblem):
                return step
            return Converted(step.apply(number), step.target.name, (step,))
        steps: list[Conversion] = []
        total = Fraction(0)
        for number, unit in terms:
            step = self._conversions(_bounded(unit), own_place, target, target_place)
            if isinstance(step, UnitProblem):
                return step
            steps.append(step)
            total += Fraction(number) * (step.unit.worth / step.target.worth)
        return Converted(_decimal(total), steps[0].target.name, tuple(steps))

    def _read_powers(self, text: str) -> tuple[tuple[str, int], ...] | UnitProblem:
        if len(text) > _MAX_TEXT:
            return UnitProblem("UNIT_UNKNOWN", f"'{shown(text)}' is too long for a unit")
        text = spelled(re.sub(r"(?i)\bper\b", "per", text))
        # "per cent" is read as "/cent", which has a slash and is one unit all the same.
        whole = self._spellings.get(folded(text))
        if whole is not None:
            return ((whole, 1),)
        powers: dict[str, int] = {}
        numerator, *denominators = text.split("/")
        for exponent, part in [(1, numerator), *((-1, part) for part in denominators)]:
            for factor in part.split("*"):
                if factor.strip() == _ONE:
                    continue
                name = self._spellings.get(folded(factor))
                if name is None:
                    return self._unknown(factor, text)
                powers[name] = powers.get(name, 0) + exponent
        return tuple((name, exponent) for name, exponent in powers.items() if exponent)

    def _unknown(self, factor: str, text: str) -> UnitProblem:
        found = nearest(folded(factor), self._spellings)
        suggestions = () if found is None else (self._spellings[found],)
        where = "" if factor == text else f" in '{shown(text)}'"
        hint = "".join(f"; did you mean {suggestion}?" for suggestion in suggestions)
        return UnitProblem(
            "UNIT_UNKNOWN", f"'{shown(factor)}'{where} is not a unit known here{hint}", suggestions
        )

    def _spell(self, value: _Worth, qualifiers: Mapping[str, tuple[str, ...]]) -> None:
        entry = value.entry
        for text in (entry.name, *entry.aliases):
            self._spellings[folded(text)] = entry.name
        if value.place is None or value.place.qualifier is None:
            return
        names = [entry.name] + [
            alias
            for other in self._worths.get(entry.name, [])
            for alias in other.entry.aliases
            if other.entry.name == entry.name
        ]
        names += entry.aliases
        qualifier = value.place.qualifier
        for name in names:
            for word in (qualifier, *qualifiers[qualifier]):
                self._spellings[folded(f"{name} {word}")] = value.written
                self._spellings[folded(f"{word} {name}")] = value.written

    def _add_plurals(self) -> None:
        for text, name in list(self._spellings.items()):
            if len(text) > 1 and text[-1].isalpha() and not text.endswith("s"):
                self._spellings.setdefault(f"{text}s", name)

    def _at(self, name: str, place: Place | None) -> _Worth | UnitProblem:
        worths = self._worths.get(name, [])
        if worths and worths[0].place is None:
            return worths[0]
        known = Place() if place is None else self._gazetteer.known(place)
        if known.state is None:
            return self._needs_place(name, place)
        here = [worth for worth in worths if _holds(worth.place, known)]
        in_district = [worth for worth in here if worth.place and worth.place.district]
        here = in_district or here
        if len({worth.worth for worth in here}) == 1:
            return here[0]
        if not here:
            here = self._qualified(name, known)
        if here:
            return _ambiguous(name, known, here)
        return self._not_here(name, known)

    def _qualified(self, name: str, place: Place) -> list[_Worth]:
        """The values of an unqualified name that are meant here only with a qualifier."""
        return [
            worth
            for key, worths in self._worths.items()
            if key != name
            for worth in worths
            if worth.entry.name == name and _holds(worth.place, place)
        ]

    def _needs_place(self, name: str, place: Place | None) -> UnitProblem:
        if place is None or place.state is None or not place.state.strip():
            return UnitProblem(
                "UNIT_NEEDS_PLACE",
                f"{name} is a local unit: the state (and perhaps the district) must be known; "
                f"it is used in {self._where(name)}",
            )
        meant = self._gazetteer.nearest_state(place.state)
        hint = "" if meant is None else f"; did you mean {meant}?"
        return UnitProblem(
            "UNIT_NEEDS_PLACE",
            f"{name} is a local unit, and '{shown(place.state)}' is not a state known here{hint}",
            () if meant is None else (meant,),
        )

    def _not_here(self, name: str, place: Place) -> UnitProblem:
        worths = self._worths.get(name, [])
        districts = [
            worth.place.district
            for worth in worths
            if worth.place and worth.place.state == place.state and worth.place.district
        ]
        if districts and place.district is None:
            return UnitProblem(
                "UNIT_NEEDS_PLACE",
                f"{name} differs from district to district in {place.state}: the district must be "
                f"known ({', '.join(districts)})",
                tuple(f"{district}, {place.state}" for district in districts),
            )
        return UnitProblem(
            "UNIT_NOT_USED_HERE",
            f"no worth of {name} is known for {place}; it is known for {self._where(name)}; "
            "the title document's own square metres or square feet can be written instead",
        )

    def _where(self, name: str) -> str:
        """The places of a unit, each once; of an unqualified name, those of its kinds too."""
        places = [
            worth.place
            for key, worths in self._worths.items()
            for worth in worths
            if worth.place is not None and name in {key, worth.entry.name}
        ]
        return ", ".join(
            dict.fromkeys(
                place.state if place.district is None else f"{place.district} in {place.state}"
                for place in places
            )
        )

    def _worth_by_pint(self, pint_name: str) -> Fraction:
        with localcontext(_EXACT):
            factor, _ = self._pint.get_base_units(pint_name)
        return Fraction(factor)

    def _dimension(self, powers: tuple[tuple[str, int], ...]) -> str:
        product = self._product({self._pint_names[name]: exponent for name, exponent in powers})
        found = {
            str(base).strip("[]"): int(exponent)
            for base, exponent in self._pint.get_dimensionality(product).items()
        }
        length = found.pop("length", 0)
        kind, exponent = ("length", length) if length % 2 else ("area", length // 2)
        return written({**dict(sorted(found.items(), reverse=True)), kind: exponent}, "ratio")


def written(powers: Powers, none: str = _ONE) -> str:
    """A product of names as text: `INR/sqm`, `1/year`; `none` if nothing is left.

    >>> written({"sqm": -1, "INR": 1}), written({"year": -1}), written({})
    ('INR/sqm', '1/year', '1')
    """
    above = [name for name, exponent in powers.items() for _ in range(exponent)]
    below = [name for name, exponent in powers.items() for _ in range(-exponent)]
    if not below:
        return "*".join(above) or none
    return "/".join(["*".join(above) or _ONE, *below])


def _bounded(text: str | None) -> str | None:
    """A text short enough to be remembered; one cut here is refused as too long when read."""
    return text if text is None or len(text) <= _MAX_TEXT else text[: _MAX_TEXT + 1]


def _decimal(number: Fraction) -> Decimal:
    return _CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _joined(*texts: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts)))


def _holds(where: UnitPlace | None, place: Place) -> bool:
    return where is None or (
        where.state == place.state and where.district in {None, place.district}
    )


def _ambiguous(name: str, place: Place, values: list[_Worth]) -> UnitProblem:
    meanings = {value.written: value.entry.factor for value in values}
    listed = ", ".join(f"'{text}' ({factor})" for text, factor in meanings.items())
    return UnitProblem(
        "UNIT_AMBIGUOUS",
        f"{name} alone says too little in {place}; it can be {listed}",
        tuple(meanings),
    )


def _pint_definitions(table: LandUnits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The table as pint's text, and pint's name of each entry."""
    lines, names = list(_PINT_BASES), []
    everywhere: dict[str, str] = {}
    for number, entry in enumerate(table.units, start=1):
        # pint wants one word of letters; the number keeps apart what a name has several of.
        name = f"{re.sub('[^a-z]+', '_', entry.name.lower())}_{number}"
        names.append(name)
        if entry.places is None:
            everywhere[entry.name] = name
        if entry.factor is None:
            lines.append(f"{name} = {_PINT_BASE_OF[entry.dimension]}")
            continue
        factor = parse_quantity(entry.factor)
        of = "" if factor.unit is None else f" * {everywhere[factor.unit]}"
        lines.append(f"{name} = {plain(factor.value)}{of}")
    return tuple(lines), tuple(names)


def _pint_registry(definitions: tuple[str, ...]) -> tuple[Any, Any]:
    # Here, because it takes longer to import than a case takes to evaluate.
    import pint  # noqa: PLC0415

    registry: Any = pint.UnitRegistry(None, non_int_type=Decimal)
    registry.load_definitions(definitions)
    return registry, pint.util.UnitsContainer
