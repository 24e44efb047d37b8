"""From the contract to the numbers a rule set works with, each in the unit it declares.

A plan is made once, when the set is compiled; reading a case with it is a few attribute look-ups
and conversions. What cannot be used (an unknown unit, a unit of another place, a figure out of
bounds) is noted, and counts as not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contracts.contract import Contract
from contracts.quantities import Quantity, plain
from engine.rules.contract_paths import Read, row_ids
from engine.units.places import Place
from engine.units.registry import Converted, UnitProblem, UnitRegistry


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: how it is read from the contract, or from a row, and what it becomes.

    `address` is `parcels.rate` or `bank_type`, `path` the contract's own path to it.
    `measure` is the fixed unit it is converted into; `as_given` keeps the unit of the case (an
    area's own, or the area unit below a rate); `area_of` names the fact whose area unit it takes.
    Bounds are in the fixed unit, or in square metres where the case decides the unit.
    """

    address: str
    path: str
    read: Read
    type: str
    measure: str | None = None
    as_given: str | None = None
    area_of: str | None = None
    label: str = ""
    table_path: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    least_text: str = ""
    most_text: str = ""

    @property
    def as_it_stands(self) -> bool:
        """Whether the contract's own value is used: a date, true or false."""
        return self.type in {"date", "boolean"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of the contract, and the facts of each."""

    name: str
    path: str
    read: Read
    columns: tuple[Fact, ...]
    absent_is_empty: bool


@dataclass(frozen=True, slots=True)
class InputPlan:
    """All facts of a rule set, those that give a unit before those that take it."""

    scalars: tuple[Fact, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class FactProblem:
    """A fact that cannot be used as it stands."""

    code: str
    address: str
    message: str
    remedy: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConvertedFact:
    """A fact that the case gives in another unit: what was entered, and what became of it."""

    address: str
    row_id: str | None
    entered: Quantity
    converted: Converted

    @property
    def field(self) -> str:
        """The fact's address with its row."""
        return row_address(self.address, self.row_id)


@dataclass(slots=True)
class Facts:
    """What a case gives a rule set.

    `values` holds the scalars and the columns in the plan's order; `rows` the addresses of each
    table's rows, None where the table is not known; `units` the area unit that the case gives,
    by the address that decides it (a list for a column).
    """

    values: list[Any]
    rows: dict[str, list[str] | None]
    units: dict[str, Any]
    problems: list[FactProblem] = field(default_factory=list)
    conversions: list[ConvertedFact] = field(default_factory=list)
    _texts: dict[tuple[str, str | None], tuple[str, str]] | None = None

    def conversion_texts(self) -> Mapping[tuple[str, str | None], tuple[str, str]]:
        """What was entered and what its conversion rests on, by address and row, for the trace."""
        if self._texts is None:
            self._texts = {
                (item.address, item.row_id): (str(item.entered), item.converted.basis)
                for item in self.conversions
            }
        return self._texts


def read_facts(contract: Contract, plan: InputPlan, registry: UnitRegistry, place: Place) -> Facts:
    """The facts of a contract as the plan wants them."""
    facts = Facts([], {}, {})
    reader = _Reader(registry, place, facts)
    values = facts.values
    for fact in plan.scalars:
        raw = fact.read(contract)
        if raw is not None and not fact.as_it_stands:
            raw = reader.one(fact, raw, None, facts.units)
        values.append(raw)
    for table in plan.tables:
        rows = table.read(contract)
        if rows is None and table.absent_is_empty:
            rows = ()
        if rows is None:
            facts.rows[table.name] = None
            facts.values.extend([None] * len(table.columns))
            continue
        ids = facts.rows[table.name] = _ids(table, rows, facts)
        units: list[dict[str, Any]] = [{} for _ in rows]
        for column in table.columns:
            read = column.read
            raws = [read(row) for row in rows]
            if not column.as_it_stands:
                raws = [
                    None if raw is None else reader.one(column, raw, row_id, row_units)
                    for raw, row_id, row_units in zip(raws, ids, units, strict=True)
                ]
            values.append(raws)
            if column.as_given is not None:
                facts.units[column.address] = [found.get(column.address) for found in units]
    return facts


def _ids(table: Table, rows: Sequence[Any], facts: Facts) -> list[str]:
    ids, repeated = row_ids(tuple(rows))
    for name in repeated:
        facts.problems.append(
            FactProblem(
                "ROW_ID_REPEATED",
                table.name,
                f"Two rows of {table.path} have the id {name}.",
                "Give each row an id of its own.",
            )
        )
    return ids


def row_address(address: str, row_id: str | None) -> str:
    """The address of a column in one row.

    >>> row_address("floors.net", "house")
    'floors[house].net'
    """
    if row_id is None:
        return address
    table, _, column = address.partition(".")
    return f"{table}[{row_id}].{column}"


class _Reader:
    """Turns raw facts into what the plan wants, noting what does not work."""

    def __init__(self, registry: UnitRegistry, place: Place, facts: Facts) -> None:
        self.registry = registry
        self.place = place
        self.facts = facts
        self._worths: dict[str, tuple[int, int] | None] = {}

    def one(self, fact: Fact, raw: Any, row_id: str | None, units: dict[str, Any]) -> Any:
        """A fact's value; None if it cannot be used. `units` holds what the row has decided."""
        if fact.type == "unit":
            return self._unit_name(raw)
        if fact.type == "text":
            return raw if raw.strip() else None
        if fact.type == "list of text":
            return [text for text in raw if text.strip()]
        if fact.type != "number":
            return list(raw)
        if not isinstance(raw, Quantity):
            return self._within(fact, Decimal(raw), row_id)
        if fact.as_given is not None:
            return self._as_given(fact, raw, row_id, units)
        target = fact.measure
        if fact.area_of is not None:
            decided = units if "." in fact.area_of else self.facts.units
            target = decided.get(fact.area_of) or "sqm"
        assert target is not None
        terms = raw.terms
        if len(terms) == 1:
            number, unit = terms[0]
            if unit == target and raw.place is None:
                return self._within(fact, number, row_id, target)
            if unit == "percent" and target == "1":
                return self._within(fact, number.scaleb(-2), row_id, target)
        converted = self.registry.convert(raw, target, self.place)
        if isinstance(converted, UnitProblem):
            self._refuse(fact, converted, row_id, raw)
            return None
        self.facts.conversions.append(ConvertedFact(fact.address, row_id, raw, converted))
        return self._within(fact, converted.value, row_id, target)

    def _unit_name(self, raw: Any) -> str | None:
        """The canonical name of the unit that a figure was entered in."""
        if not isinstance(raw, Quantity) or raw.unit is None:
            return None
        name = self.registry.canonical(raw.unit)
        return name if isinstance(name, str) else None

    def _as_given(
        self, fact: Fact, raw: Quantity, row_id: str | None, units: dict[str, Any]
    ) -> Decimal | None:
        """A rate or an area in the unit of the case: `900000 INR/cent` is 900000, by the cent."""
        place = self.place if raw.place is None else self.registry.place(raw.place)
        unit = self.registry.resolve(raw.unit, place)
        if isinstance(unit, UnitProblem):
            if unit.code == "UNIT_NEEDS_PLACE" and len(raw.terms) == 1:
                # 15 decimal at 350000 INR/decimal needs no place: nothing is converted.
                return self._unplaced(fact, raw, row_id, units)
            self._refuse(fact, unit, row_id, raw)
            return None
        if unit.dimension != fact.as_given:
            wanted = "a rate in INR by the area" if "/" in str(fact.as_given) else "an area"
            problem = UnitProblem("UNIT_WRONG_KIND", f"{unit.name} is not the unit of {wanted}")
            self._refuse(fact, problem, row_id, raw)
            return None
        value = raw.value
        if len(raw.terms) > 1:
            converted = self.registry.convert(raw, unit.name, place)
            if isinstance(converted, UnitProblem):
                self._refuse(fact, converted, row_id, raw)
                return None
            value = converted.value
        units[fact.address] = unit.name.rpartition("/")[2]
        return self._within(fact, value, row_id, unit.name)

    def _unplaced(
        self, fact: Fact, raw: Quantity, row_id: str | None, units: dict[str, Any]
    ) -> Decimal | None:
        """A figure in a local unit whose worth is not known, for want of a place."""
        assert raw.unit is not None
        name, dimension = self.registry.canonical(raw.unit), self.registry.dimension_of(raw.unit)
        if isinstance(name, UnitProblem) or dimension != fact.as_given:
            problem = UnitProblem("UNIT_WRONG_KIND", f"{raw.unit} is not the unit wanted here")
            self._refuse(fact, problem, row_id, raw)
            return None
        units[fact.address] = name.rpartition("/")[2]
        return raw.value

    def _within(
        self, fact: Fact, number: Decimal, row_id: str | None, unit: str | None = None
    ) -> Decimal:
        """The number; beyond its bounds it is still used, and a finding says so."""
        if fact.least is None and fact.most is None:
            return number
        compared = number
        if unit is not None and (fact.as_given is not None or fact.area_of is not None):
            worth = self._worth(unit)
            if worth is None:
                return number
            compared = number * worth[0] / worth[1]
        if fact.least is not None and compared < fact.least:
            self._out_of_bounds(fact, number, row_id, "less than the least")
        elif fact.most is not None and compared > fact.most:
            self._out_of_bounds(fact, number, row_id, "more than the most")
        return number

    def _worth(self, unit: str) -> tuple[int, int] | None:
        """What a unit is worth in square metres, as a fraction; None where that is not known."""
        if unit not in self._worths:
            resolved = self.registry.resolve(unit, self.place)
            self._worths[unit] = (
                None
                if isinstance(resolved, UnitProblem)
                else (resolved.worth.numerator, resolved.worth.denominator)
            )
        return self._worths[unit]

    def _out_of_bounds(self, fact: Fact, number: Decimal, row_id: str | None, how: str) -> None:
        bound = fact.least_text if "least" in how else fact.most_text
        self.facts.problems.append(
            FactProblem(
                "OUT_OF_BOUNDS",
                self._where(fact, row_id),
                f"{fact.label} is {how} that the rule set takes for possible, {bound}.",
                "Correct the figure or its unit, or accept this finding with a reason.",
                {"value": plain(number)},
            )
        )

    def _where(self, fact: Fact, row_id: str | None) -> str:
        """The contract's own path of a fact, by which people find it."""
        return fact.path if row_id is None else f"{fact.table_path}[{row_id}].{fact.path}"

    def _refuse(self, fact: Fact, problem: UnitProblem, row_id: str | None, raw: Quantity) -> None:
        remedy = "Write the figure with a unit that is used at the place of the property."
        if problem.suggestions:
            remedy = f"Write for example {', '.join(problem.suggestions[:4])}."
        self.facts.problems.append(
            FactProblem(
                problem.code,
                self._where(fact, row_id),
                f"{fact.label} ({raw}) is not used: {problem.message}.",
                remedy,
                {"entered": str(raw)},
            )
        )
