"""The figures of one run of a rule set: what each address is worth, in which unit, and why not."""

from __future__ import annotations

import decimal
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.evaluation import NamedValue, TraceEntry
from contracts.problems import nearest
from engine.indian_numbers import printed, rupee_words
from engine.rounding import ARITHMETIC
from engine.rules.compiled import CompiledParameter, CompiledRuleSet, Step
from engine.rules.inputs import Facts, row_address
from engine.rules.kinds import CASE_DECIDES, Kind, shown
from engine.rules.trace_writing import BY_ROW, parts_of

_WRITTEN_FIELD = re.compile(r"([a-z0-9_]+)(?:\[([^\]]+)\])?(?:\.([a-z0-9_]+))?")


@dataclass(frozen=True, slots=True)
class ParameterInForce:
    """A parameter as this case uses it."""

    parameter: CompiledParameter
    value: Decimal | None
    source: str
    overridden: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters as a case uses them, and those that have no value on its day."""

    in_force: Mapping[str, ParameterInForce]
    values: Sequence[Decimal | None]
    named: Sequence[NamedValue]
    not_in_force: tuple[str, ...]


@dataclass(slots=True, repr=False)
class Figures:
    """One run: the slots of the compiled set, read by address and row."""

    compiled: CompiledRuleSet
    facts: Facts
    slots: Sequence[Any]
    parameters: Mapping[str, ParameterInForce]
    trace: tuple[TraceEntry, ...] = ()

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
            type_ = {"context": "text"}.get(kind.type, kind.type)
            return type_ if type_ in {"text", "boolean", "date"} else None
        if kind.display not in {"as given", "area of"}:
            return kind.display or shown(kind.unit)
        names = {}
        for symbol, _ in kind.unit:
            if symbol.startswith(CASE_DECIDES):
                decided = self.facts.units.get(symbol.removeprefix(CASE_DECIDES))
                if isinstance(decided, list):
                    if row is None:
                        return BY_ROW
                    decided = decided[row]
                names[symbol] = decided or "sqm"
        return shown(kind.unit, names)

    def value(self, address: str, row: int | None = None) -> Any:
        """The value as written: a percentage in percent."""
        raw = self.raw(address, row)
        return parts_of(raw) if isinstance(raw, dict) else written(raw, self.unit(address, row))

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

    def entry(self, step: Step, row: int | None) -> TraceEntry:
        """The trace of one figure; only a traced run has one."""
        row_id = None if row is None or step.table is None else self.rows_of(step.table)[row]
        field = row_address(step.address, row_id)
        return next(entry for entry in self.trace if entry.field == field)


def run_rule_set(
    compiled: CompiledRuleSet,
    facts: Facts,
    parameters: Parameters,
    as_of: date | None,
    *,
    traced: bool,
) -> tuple[Figures, list[tuple[int, int | None]]]:
    """The figures of a case, and the findings raised as (number of the rule, number of the row)."""
    rows = facts.rows.values()  # in the order of the plan's tables
    trace: tuple[TraceEntry, ...] = ()
    with decimal.localcontext(ARITHMETIC):
        if traced:
            slots, raised, trace = compiled.run_traced(
                facts.values,
                parameters.values,
                as_of,
                rows,
                facts.units,
                facts.conversion_texts(),
                parameters.named,
            )
        else:
            slots, raised = compiled.run(facts.values, parameters.values, as_of, rows)
    return Figures(compiled, facts, slots, parameters.in_force, trace), raised


def written(value: Any, unit: str | None) -> Any:
    """A value as the trace writes it: a share of 0.95 is 95 in percent."""
    if unit == "percent":
        if isinstance(value, Decimal):
            return ARITHMETIC.scaleb(value, 2)
        if isinstance(value, list):
            return [written(item, unit) for item in value]
    return value


def parameters_on(
    compiled: CompiledRuleSet,
    as_of: date | None,
    overrides: Mapping[str, tuple[Decimal, str]],
) -> Parameters:
    """Each parameter's value and source on a day, overrides of the case before the set's own."""
    if not overrides and as_of in compiled.parameters_by_day:
        known: Parameters = compiled.parameters_by_day[as_of]
        return known
    used: dict[str, ParameterInForce] = {}
    not_in_force: list[str] = []
    for parameter in compiled.parameters:
        entry = parameter.on(as_of)
        own = overrides.get(parameter.name)
        if own is None and entry is None:
            not_in_force.append(parameter.name)
        value, source = own or ((entry.value, entry.source) if entry else (None, ""))
        used[parameter.name] = ParameterInForce(parameter, value, source, own is not None)
    named = []
    for name, item in used.items():
        unit = item.parameter.unit_text
        named.append(NamedValue(name, written(item.value, unit), unit, None, item.source or None))
    parameters = Parameters(
        used, [item.value for item in used.values()], named, tuple(not_in_force)
    )
    if not overrides:
        compiled.parameters_by_day[as_of] = parameters
    return parameters
