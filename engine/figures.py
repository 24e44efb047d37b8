"""The figures of one run of a rule set: what each address is worth, in which unit, and why not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contracts.evaluation import NamedValue, TraceEntry
from contracts.problems import nearest
from engine.indian_numbers import printed, rupee_words
from engine.rules.compiled import CompiledParameter, CompiledRuleSet, ParameterEntry, Step
from engine.rules.inputs import ConvertedFact, Facts, row_address
from engine.rules.kinds import CASE_DECIDES, Kind, shown
from engine.units.registry import Converted

_WRITTEN_FIELD = re.compile(r"([a-z0-9_]+)(?:\[([^\]]+)\])?(?:\.([a-z0-9_]+))?")


@dataclass(frozen=True, slots=True)
class ParameterInForce:
    """A parameter as this case uses it."""

    parameter: CompiledParameter
    value: Decimal | None
    source: str
    overridden: bool


@dataclass(slots=True, repr=False)
class Figures:
    """One run: the slots of the compiled set, read by address and row."""

    compiled: CompiledRuleSet
    facts: Facts
    slots: Sequence[Any]
    parameters: Mapping[str, ParameterInForce]
    traced: bool
    _conversions: dict[str, ConvertedFact] | None = None
    _missing: dict[tuple[str, int | None], tuple[str, ...]] = field(default_factory=dict)

    def raw(self, address: str, row: int | None = None) -> Any:
        """The value at an address as computed: a share is 0.95, a column a list without a row."""
        if address.startswith("id "):
            rows = self.facts.rows[address.removeprefix("id ")]
            return rows[row] if rows is not None and row is not None else None
        slot = self.compiled.slots.get(address)
        if slot is None:
            return None
        value = self.slots[slot]
        if row is not None and isinstance(value, list) and "." in address:
            return value[row]
        return value

    def unit(self, address: str, row: int | None = None) -> str | None:
        """The unit as the trace writes it; None for texts, dates and truth values."""
        bare = address.rpartition(" ")[2]
        kind = self.compiled.kinds.get(bare)
        if kind is None:
            return None
        return self.unit_of(kind, row)

    def unit_of(self, kind: Kind, row: int | None = None) -> str | None:
        """The unit text of a kind, with the units that the case decided."""
        if kind.type != "number":
            return kind.type if kind.type in {"text", "boolean", "date"} else None
        if kind.display not in {"as given", "area of"}:
            return kind.display or shown(kind.unit)
        names = {}
        for symbol, _ in kind.unit:
            if symbol.startswith(CASE_DECIDES):
                decided = self.facts.units.get(symbol.removeprefix(CASE_DECIDES))
                if isinstance(decided, list):
                    decided = decided[row] if row is not None else None
                names[symbol] = decided or "sqm"
        return shown(kind.unit, names)

    def value(self, address: str, row: int | None = None) -> Any:
        """The value as written: a percentage in percent."""
        return written(self.raw(address, row), self.unit(address, row))

    def printed(self, address: str, row: int | None = None, *, words: bool = False) -> str:
        """The value as a message shows it."""
        value = self.value(address, row)
        if value is None and address.endswith(".label") and row is not None:
            value = self.raw(f"id {address.partition('.')[0]}", row)
        if value is None:
            return "not known"
        if isinstance(value, Decimal):
            unit = self.unit(address, row)
            unit = None if unit == "number" else unit
            return rupee_words(value) if words else printed(value, unit)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return str(value)

    def locate(self, text: str) -> tuple[str, int | None, str | None]:
        """The address and row of a written field such as `floors[house].net`, or why none."""
        match = _WRITTEN_FIELD.fullmatch(text)
        if match is None:
            return text, None, f"'{text}' is not the name of a figure"
        name, row_id, column = match.groups()
        address = f"{name}.{column}" if column else name
        if address not in self.compiled.kinds:
            near = nearest(address, self.compiled.kinds)
            hint = f", did you mean {near}?" if near else ""
            return address, None, f"the rule set has no figure '{address}'{hint}"
        if column is None or row_id is None:
            return address, None, None
        rows = self.rows_of(name)
        if row_id not in rows:
            return address, None, f"{name} has no row '{row_id}'"
        return address, rows.index(row_id), None

    def rows_of(self, table: str) -> list[str]:
        """The addresses of a table's rows."""
        return self.facts.rows.get(table) or []

    def known(self) -> Mapping[str, bool]:
        """For each scalar value and decision, whether it is known."""
        return {
            step.address: self.slots[step.slot] is not None
            for step in self.compiled.steps
            if step.table is None
        }

    # ---- trace --------------------------------------------------------------------------------

    def trace(self) -> tuple[TraceEntry, ...]:
        """One entry for each figure and decision, in the order of computing."""
        return tuple(self._entries())

    def _entries(self) -> Iterator[TraceEntry]:
        for step in self.compiled.steps:
            if step.table is None:
                yield self.entry(step, None)
            else:
                for number in range(len(self.rows_of(step.table))):
                    yield self.entry(step, number)

    def entry(self, step: Step, row: int | None) -> TraceEntry:
        """The trace of one figure."""
        address = step.address
        unit = self.unit_of(step.kind, row)
        value = self.raw(address, row)
        unrounded = self._unrounded(step, row)
        given = None
        if step.given_slot is not None:
            given = self.raw(f"given {address}", row)
        row_id = None
        if step.table is not None and row is not None:
            row_id = self.rows_of(step.table)[row]
        section = "decisions" if step.is_decision else "values"
        formula = step.formula
        if step.is_decision:
            formula = self._hit(step, row)
        return TraceEntry(
            row_address(address, row_id),
            written(value, unit),
            unit,
            f"{self.compiled.resolved.reference}/{section}/{address}",
            step.source or None,
            formula,
            tuple([self._named(name, read, row) for name, read in step.reads]),
            written(unrounded, unit),
            None if step.is_decision else step.rounding,
            written(given, unit),
            () if value is not None else self.missing(address, row),
        )

    def _unrounded(self, step: Step, row: int | None) -> Any:
        """What the formula gave, before rounding, whether or not the case states another figure."""
        slot = step.unrounded_slot
        if slot is None:
            slot = step.calculated_slot if step.calculated_slot is not None else step.slot
        value = self.slots[slot]
        if step.is_decision:
            return None
        return value[row] if row is not None and isinstance(value, list) else value

    def _hit(self, step: Step, row: int | None) -> str:
        assert step.hits_slot is not None
        hits = self.slots[step.hits_slot]
        if row is not None and isinstance(hits, list):
            hits = hits[row]
        if hits is None or hits == []:
            return f"{step.hit_policy} of {step.rows} rows: none"
        numbers = [hits] if isinstance(hits, int) else hits
        rows = ", ".join(str(number + 1) for number in numbers)
        return f"{step.hit_policy} of {step.rows} rows: row {rows}"

    def _named(self, name: str, address: str, row: int | None) -> NamedValue:
        own_row = row if name.startswith(("row.", "given(row.", "calculated(row.")) else None
        unit = self.unit(address, own_row)
        value = self.raw(address, own_row)
        if address in self.compiled.plan_tables:
            value, unit = None, None
        if isinstance(value, list):
            value = tuple([written(item, unit) for item in value])
        else:
            value = written(value, unit)
        parameter = self.parameters.get(address)
        if parameter is not None:
            return NamedValue(name, value, unit, None, parameter.source or None)
        if self.facts.conversions:
            conversion = self._conversion(address, own_row)
            if conversion is not None:
                return NamedValue(
                    name,
                    value,
                    unit,
                    str(conversion.entered),
                    _basis(conversion.converted),
                )
        return NamedValue(name, value, unit)

    def _conversion(self, address: str, row: int | None) -> ConvertedFact | None:
        if self._conversions is None:
            self._conversions = {item.field: item for item in self.facts.conversions}
        row_id = None
        if row is not None and "." in address:
            row_id = self.rows_of(address.partition(".")[0])[row]
        return self._conversions.get(row_address(address, row_id))

    # ---- what is missing ----------------------------------------------------------------------

    def missing(self, address: str, row: int | None = None) -> tuple[str, ...]:
        """The contract's fields that would make an unknown figure known, sorted."""
        key = (address, row)
        if key not in self._missing:
            self._missing[key] = ()
            self._missing[key] = tuple(sorted(set(self._find_missing(address, row))))
        return self._missing[key]

    def _find_missing(self, address: str, row: int | None) -> Iterator[str]:
        bare = address.rpartition(" ")[2]
        table = bare.partition(".")[0] if "." in bare else None
        if table is not None and self.facts.rows.get(table) is None:
            yield self.compiled.table_paths[table]
            return
        path = self.compiled.fact_paths.get(address)
        if path is not None:
            yield from self._fact_path(path, table, address, row)
            return
        if address in self.parameters:
            yield f"parameters.{address}"
            return
        step = self.compiled.steps_by_address.get(bare)
        if step is None:
            return
        rows: Sequence[int | None] = [row]
        if table is not None and row is None:
            rows = range(len(self.rows_of(table)))
        for number in rows:
            for name, read in step.reads:
                yield from self._missing_in(name, read, number)

    def _missing_in(self, name: str, read: str, row: int | None) -> Iterator[str]:
        own_row = row if name.startswith(("row.", "given(row.", "calculated(row.")) else None
        if read in self.compiled.plan_tables:
            if self.facts.rows.get(read) is None:
                yield self.compiled.table_paths[read]
            return
        value = self.raw(read, own_row)
        if value is None:
            yield from self.missing(read, own_row)
        elif isinstance(value, list) and None in value:
            for number, item in enumerate(value):
                if item is None:
                    yield from self.missing(read, number)

    def _fact_path(
        self, path: str, table: str | None, address: str, row: int | None
    ) -> Iterator[str]:
        if table is None:
            yield path
            return
        base = self.compiled.table_paths[table]
        for number, row_id in enumerate(self.rows_of(table)):
            if row is None and self.raw(address, number) is not None:
                continue
            if row is None or row == number:
                yield f"{base}[{row_id}].{path}"


def _basis(converted: Converted) -> str:
    """What a conversion rests on, with where that comes from."""
    return "; ".join(part for part in (converted.definition, converted.source) if part)


def written(value: Any, unit: str | None) -> Any:
    """A value as the trace writes it: a share of 0.95 is 95 in percent."""
    if unit == "percent" and isinstance(value, Decimal):
        return value.scaleb(2)
    return value


def in_force(
    compiled: CompiledRuleSet,
    entries: Mapping[str, ParameterEntry | None],
    overrides: Mapping[str, tuple[Decimal, str]],
) -> dict[str, ParameterInForce]:
    """Each parameter's value and source, overrides of the case before the set's own."""
    result = {}
    for parameter in compiled.parameters:
        entry = entries[parameter.name]
        own = overrides.get(parameter.name)
        if own is not None:
            result[parameter.name] = ParameterInForce(parameter, own[0], own[1], overridden=True)
        else:
            value, source = (entry.value, entry.source) if entry else (None, "")
            result[parameter.name] = ParameterInForce(parameter, value, source, overridden=False)
    return result
