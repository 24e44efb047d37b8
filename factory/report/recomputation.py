"""Works a trace out again: each formula, on its own inputs, by the general FEEL evaluator.

The engine computes a rule set with code written for it. Here nothing of that code is used: every
figure is evaluated from the text of its formula, rounded as its entry says, and handed to the
figures that read it. What comes out otherwise than the bundle says is told.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.feel import nodes
from engine.feel.errors import FeelLimitError, FeelSyntaxError
from engine.feel.evaluation import evaluate_node
from engine.feel.parser import parse_expression
from engine.rounding import ARITHMETIC, parse_rounding
from engine.rules.runtime import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.evaluation import Evaluation, NamedValue, TraceEntry

_ROW = re.compile(r"([a-z0-9_]+)\[(.+)\]\.([a-z0-9_]+)")
_OF_A_VALUE = re.compile(r"(given|calculated)\((.+)\)")
# Two ways to the same figure may part at the last of 34 digits, never before.
_SAME = Decimal("1e-28")
_NAMES = frozenset({*FUNCTIONS, "given", "calculated", "convert"})


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A figure that its own formula does not give."""

    field: str
    stored: Any
    recomputed: Any
    unit: str | None


class _CannotError(Exception):
    """The trace does not hold what the formula reads."""


def recompute(evaluation: Evaluation) -> tuple[Evaluation, tuple[Otherwise, ...]]:
    """The evaluation with every figure of its trace worked out again.

    Returns:
        The evaluation with the figures that came out, and those that are not what was stored.
        Decisions, and figures whose formula walks whole rows, stay as they are.
    """
    run = _Run()
    with decimal.localcontext(ARITHMETIC):
        trace = tuple(run.again(entry) for entry in evaluation.trace)
    return replace(evaluation, trace=trace), tuple(run.otherwise)


class _Run:
    """One walk through a trace, in the order of computing."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.columns: dict[str, list[Any]] = {}
        self.calculated: dict[str, Any] = {}
        self.otherwise: list[Otherwise] = []

    def again(self, entry: TraceEntry) -> TraceEntry:
        """The entry with the value that its formula gives."""
        stored = _as_computed(entry.value, entry.unit)
        try:
            value = self._worked_out(entry)
        except (_CannotError, FeelSyntaxError, FeelLimitError, decimal.DecimalException):
            value = stored
        if _same(value, stored):
            value = stored
        else:
            written = _as_written(value, entry.unit)
            self.otherwise.append(Otherwise(entry.field, entry.value, written, entry.unit))
            entry = replace(entry, value=written)
        self.values[entry.field] = value
        match = _ROW.fullmatch(entry.field)
        if match is not None:
            self.columns.setdefault(f"{match[1]}.{match[3]}", []).append(value)
        return entry

    def _worked_out(self, entry: TraceEntry) -> Any:
        if "/decisions/" in entry.rule or entry.formula is None:
            raise _CannotError
        context: dict[str, Any] = {}
        for item in entry.inputs:
            self._note(item, entry, context)
        node = _parsed(entry.formula)
        found = _of_its_kind(evaluate_node(node, context, functions=FUNCTIONS), entry.unit)
        if isinstance(found, Decimal) and entry.rounding not in {None, "none"}:
            rounding, fault = parse_rounding(str(entry.rounding))
            if fault is not None or rounding is None:
                raise _CannotError
            found = rounding.apply(found)
        self.calculated[entry.field] = found
        return found if entry.given is None else _as_computed(entry.given, entry.unit)

    def _note(self, item: NamedValue, entry: TraceEntry, context: dict[str, Any]) -> None:
        """Put a value that the formula reads where the formula looks for it."""
        value = self._value_of(item, entry)
        match = _OF_A_VALUE.fullmatch(item.name)
        if match is not None:
            context[_variable(match[1], match[2])] = value
            return
        home, dot, name = item.name.partition(".")
        if not dot:
            if item.unit is None and item.value is None and item.name not in self.values:
                raise _CannotError  # a whole table
            context[home] = value
            return
        inside = context.setdefault(home, {})
        if not isinstance(inside, dict):
            raise _CannotError
        inside[name] = value

    def _value_of(self, item: NamedValue, entry: TraceEntry) -> Any:
        name = item.name
        row = _ROW.fullmatch(entry.field)
        match = _OF_A_VALUE.fullmatch(name)
        known: Mapping[str, Any] = self.values
        if match is not None:
            if match[1] == "given":
                return _as_computed(item.value, item.unit)
            known, name = self.calculated, match[2]
        if name.startswith("row.") and row is not None:
            name = f"{row[1]}[{row[2]}].{name.removeprefix('row.')}"
        if name in known:
            return known[name]
        if name in self.columns and item.value is not None:
            return self.columns[name]
        return _as_computed(item.value, item.unit)


@lru_cache(maxsize=4096)
def _parsed(formula: str) -> nodes.Node:
    node: nodes.Node = _with_names(parse_expression(formula, _NAMES))
    return node


def _with_names(node: Any) -> Any:
    """The tree with given(x) and calculated(x) as names of their own."""
    if isinstance(node, tuple):
        return tuple(_with_names(item) for item in node)
    if not isinstance(node, nodes.Node):
        return node
    if isinstance(node, nodes.Call) and isinstance(node.function, nodes.Name):
        function = node.function.name
        if function in {"given", "calculated"} and len(node.arguments) == 1:
            return nodes.Name(_variable(function, _written(node.arguments[0])))
        if function == "convert":
            raise _CannotError
    changed = {item.name: _with_names(getattr(node, item.name)) for item in fields(node)}
    return replace(node, **changed)


def _variable(function: str, name: str) -> str:
    return f"{function} {name}"


def _written(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Path):
        return f"{_written(node.operand)}.{node.name}"
    raise _CannotError


def _as_computed(value: Any, unit: str | None) -> Any:
    """A value as formulas see it: 7.71 in percent is 0.0771, a column a list."""
    if isinstance(value, tuple):
        return [_as_computed(item, unit) for item in value]
    if unit == "percent" and isinstance(value, Decimal):
        return ARITHMETIC.scaleb(value, -2)
    return value


def _as_written(value: Any, unit: str | None) -> Any:
    if unit == "percent" and isinstance(value, Decimal):
        return ARITHMETIC.scaleb(value, 2)
    return tuple(value) if isinstance(value, list) else value


def _of_its_kind(value: Any, unit: str | None) -> Any:
    """What a formula gave, if it is of the kind that its figure has; else it is not known."""
    if unit in {None, "text", "boolean", "date"}:
        return value
    return value if isinstance(value, Decimal) else None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one == other or abs(one - other) <= _SAME * max(abs(one), abs(other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return _all_same(one, other)
    return bool(one == other)


def _all_same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))
