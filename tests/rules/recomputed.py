"""Every figure again from its own trace entry, with nothing but the FEEL evaluator.

This says a second time, in other words, what the compiled rule set does: percentages are
hundredths, `total` of nothing is zero, rounding takes 28 digits and then the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from contracts.evaluation import TraceEntry
from engine.feel import evaluate_node, nodes, parse_expression
from engine.feel.errors import FeelNumberLimitError
from engine.indian_numbers import rupee_words

#: Numbers of FEEL go up to 9.99...E+6144; a percentage is a hundred times its number.
LARGEST_EXPONENT = 6144
FUNCTIONS = ("total", "first known", "least known", "differ", "in words", "given", "calculated")


def recomputed(entry: TraceEntry) -> tuple[Any, Any]:
    """What an entry's formula gives for its inputs, and what its rounding makes of that."""
    context = _context(entry)
    node = parse_expression(entry.formula, {*context, *FUNCTIONS, "row"})
    try:
        result = evaluate_node(_with_names(node), context, functions=_functions())
    except FeelNumberLimitError:
        return None, None
    if isinstance(result, Decimal) and entry.unit == "percent":
        percent = Context(prec=34).scaleb(result, 2)
        if percent.adjusted() > LARGEST_EXPONENT:
            return None, None
        return percent, rounded(percent, entry.rounding)
    return result, rounded(result, entry.rounding)


def rounded(number: Any, rounding: str | None) -> Any:
    """A number at its step, in whole numbers throughout; the step is in the number's own terms."""
    if number is None or rounding in {None, "none"}:
        return number
    mode, _, step_text = rounding.partition(" ")
    step = Decimal(step_text.removesuffix(" %"))
    shortened = Context(prec=28, rounding=ROUND_HALF_UP).plus(number)
    steps = Fraction(shortened) / Fraction(step)
    whole = steps.numerator // steps.denominator
    rest = steps - whole
    if mode == "ceil" and rest:
        whole += 1
    if mode == "nearest" and (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and steps > 0)):
        whole += 1
    return Context(prec=400).multiply(Decimal(whole), step)


def is_held(number: Any, rounding: str | None) -> bool:
    """Whether 34 digits hold a number at its step; if not, the figure is not known."""
    if number is None or rounding in {None, "none"}:
        return True
    step = Decimal(rounding.partition(" ")[2].removesuffix(" %"))
    return number.adjusted() + 1 - step.as_tuple().exponent <= 34


def _context(entry: TraceEntry) -> dict[str, Any]:
    context: dict[str, Any] = {}
    columns: dict[str, dict[str, Any]] = {}
    for item in entry.inputs:
        value = _as_computed(item.value, item.unit)
        head, dot, column = item.name.partition(".")
        if item.name.endswith(")") or not dot:
            context[item.name] = value
        elif head == "row":
            context.setdefault("row", {})[column] = value
        else:
            columns.setdefault(head, {})[column] = value
    for table, values in columns.items():
        if isinstance(context.get(table), list):
            # The rows as such, by what they are called.
            values["id"] = context[table]
        rows = [column for column in values.values() if column is not None]
        # A column is read as `floors.net`, which FEEL takes from the rows.
        context[table] = (
            [dict(zip(values, row, strict=True)) for row in zip(*rows, strict=True)]
            if len(rows) == len(values)
            else None
        )
    return context


def _as_computed(value: Any, unit: str | None) -> Any:
    if isinstance(value, tuple):
        return [_as_computed(item, unit) for item in value]
    if unit == "percent" and isinstance(value, Decimal):
        return Context(prec=34).scaleb(value, -2)
    return value


def _with_names(node: nodes.Node) -> nodes.Node:
    """The formula with `given(x)` and `calculated(x)` as names of inputs."""
    match node:
        case nodes.Call(function=nodes.Name(name="given" | "calculated" as which)):
            return nodes.Name(f"{which}({_spelled(node.arguments[0])})")
    changes = {}
    for name in node.__dataclass_fields__:
        part = getattr(node, name)
        if isinstance(part, nodes.Node):
            changes[name] = _with_names(part)
        elif isinstance(part, tuple) and part and isinstance(part[0], nodes.Node):
            changes[name] = tuple(_with_names(inner) for inner in part)
    return replace(node, **changes) if changes else node


def _spelled(node: nodes.Node) -> str:
    return node.name if isinstance(node, nodes.Name) else f"{node.operand.name}.{node.name}"


def _functions() -> Mapping[str, Any]:
    def total(items: Any) -> Any:
        if not isinstance(items, list) or None in items:
            return None
        result = Decimal(0)
        for item in items:
            result = Context(prec=34).add(result, item)
        return result

    def first_known(*items: Any) -> Any:
        return next((item for item in items if item is not None), None)

    def least_known(*items: Any) -> Any:
        return min((item for item in items if item is not None), default=None)

    def differ(left: Any, right: Any, tolerance: Any = Decimal(0)) -> Any:
        if None in {left, right, tolerance}:
            return None
        return abs(left - right) > tolerance if isinstance(left, Decimal) else left != right

    return {
        "total": total,
        "first known": first_known,
        "least known": least_known,
        "differ": differ,
        "in words": lambda amount: None if amount is None else rupee_words(amount),
    }
