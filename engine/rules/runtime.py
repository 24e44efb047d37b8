"""What a compiled rule set may call: null-aware sums and extremes, decisions, and FEEL itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from engine.feel import nodes
from engine.feel.errors import FeelLimitError
from engine.feel.evaluation import evaluate_node as feel_evaluate_node
from engine.indian_numbers import rupee_words

_ZERO = Decimal(0)
_ARITHMETIC = {
    operator: nodes.Arithmetic(operator, nodes.Name("a"), nodes.Name("b"))
    for operator in ("+", "-", "*", "/", "**")
}
_COMPARISONS = {
    operator: nodes.Comparison(operator, nodes.Name("a"), nodes.Name("b"))
    for operator in ("=", "<", "<=", ">", ">=")
}


def total(items: Sequence[Decimal | None] | None) -> Decimal | None:
    """The sum; 0 for no items, null if the list or any item is not known."""
    if not items:
        return None if items is None else _ZERO
    if len(items) == 1:
        return items[0]
    try:
        return sum(items[1:], items[0])  # type: ignore[type-var]
    except TypeError:  # an item is null
        return None


def total_of_any(items: Any) -> Decimal | None:
    """The sum of what the general evaluator gave, if it is a list of known numbers."""
    if not isinstance(items, list) or not all(isinstance(item, Decimal) for item in items):
        return None
    return total(items)


def least_known(*items: Decimal | None) -> Decimal | None:
    """The least of those that are known; null if none is."""
    least = None
    for item in items:
        if item is not None and (least is None or item < least):
            least = item
    return least


def least_of_any(*items: Any) -> Any:
    """The least of those that are known, of values whose kinds show when the set runs."""
    known = [item for item in items if item is not None]
    alike = len({type(item) for item in known}) == 1 and isinstance(known[0], Decimal | date)
    return min(known) if alike else None


def as_number(value: Any) -> Decimal | None:
    """What the general evaluator gave, if it is a number."""
    return value if isinstance(value, Decimal) else None


def as_text(value: Any) -> str | None:
    """What the general evaluator gave, if it is a text."""
    return value if isinstance(value, str) else None


def as_boolean(value: Any) -> bool | None:
    """What the general evaluator gave, if it is true or false."""
    return value if isinstance(value, bool) else None


def as_date(value: Any) -> date | None:
    """What the general evaluator gave, if it is a date without a time."""
    return value if type(value) is date else None


def count(items: Sequence[Any] | None) -> Decimal | None:
    """How many items there are, known or not."""
    return None if items is None else Decimal(len(items))


def min_of(items: Sequence[Decimal | None] | None) -> Decimal | None:
    """The least item; null for none, or if any is not known."""
    return None if not items or None in items else min(items)  # type: ignore[type-var]


def max_of(items: Sequence[Decimal | None] | None) -> Decimal | None:
    """The greatest item; null for none, or if any is not known."""
    return None if not items or None in items else max(items)  # type: ignore[type-var]


def years_between(start: date, end: date) -> Decimal:
    """Whole years from one day to another, negative when it lies before."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if months > 0 and end.day < start.day:
        months -= 1
    elif months < 0 and end.day > start.day:
        months += 1
    return Decimal(int(months / 12))


def numbers(rows: Sequence[str] | None) -> range | None:
    """The rows' numbers, from 0."""
    return None if rows is None else range(len(rows))


def contexts(
    rows: Sequence[str] | None, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[dict[str, Any]] | None:
    """A table as a list of contexts, for expressions that walk its rows."""
    if rows is None:
        return None
    return [
        {"id": row, **dict(zip(names, values, strict=True))}
        for row, values in zip(
            rows, zip(*columns, strict=True) if columns else [()] * len(rows), strict=True
        )
    ]


def evaluate_node(node: nodes.Node, context: Mapping[str, Any]) -> Any:
    """An expression left to the general evaluator; its bounds count as not known."""
    try:
        return feel_evaluate_node(node, context, functions=FUNCTIONS)
    except FeelLimitError:
        return None


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """FEEL arithmetic on values whose kinds are not known when the set is compiled."""
    return evaluate_node(_ARITHMETIC[operator], {"a": left, "b": right})


def ordered(operator: str, left: Any, right: Any) -> Any:
    """FEEL order on values whose kinds are not known when the set is compiled."""
    return evaluate_node(_COMPARISONS[operator], {"a": left, "b": right})


def equal(left: Any, right: Any) -> Any:
    """FEEL equality on values whose kinds are not known when the set is compiled."""
    return ordered("=", left, right)


def _first_known(*items: Any) -> Any:
    return next((item for item in items if item is not None), None)


def differ(left: Any, right: Any, tolerance: Any = _ZERO) -> bool | None:
    """Whether two values differ by more than a tolerance; null if one of the three is not known."""
    if left is None or right is None or not isinstance(tolerance, Decimal):
        return None
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return bool(abs(left - right) > tolerance)
    return bool(left != right)


#: The functions that rule sets have beyond FEEL, for expressions left to the general evaluator.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "total": total_of_any,
    "first known": _first_known,
    "least known": least_of_any,
    "differ": differ,
    "in words": lambda amount: rupee_words(amount) if isinstance(amount, Decimal) else None,
}


def decider(
    policy: str, aggregate: str | None, outcomes: tuple[Any, ...], order: tuple[str, ...]
) -> Callable[[list[int]], Any]:
    """How the rows that hit become one result, by DMN hit policy."""

    def unique(hits: list[int]) -> Any:
        return outcomes[hits[0]] if len(hits) == 1 else None

    def any_(hits: list[int]) -> Any:
        found = [outcomes[hit] for hit in hits]
        return found[0] if found and all(item == found[0] for item in found) else None

    def priority(hits: list[int]) -> Any:
        found = [outcomes[hit] for hit in hits]
        return min(found, key=order.index, default=None)

    def collect(hits: list[int]) -> Any:
        found = [outcomes[hit] for hit in hits]
        if aggregate is None:
            return found
        if aggregate == "count":
            return Decimal(len(found))
        if not found:
            return None
        return {"sum": total, "min": min_of, "max": max_of}[aggregate](found)

    return {"unique": unique, "any": any_, "priority": priority, "collect": collect}[policy]


#: Everything that generated code may name.
SCOPE: Mapping[str, Any] = {
    "abs": abs,
    "all": all,
    "any": any,
    "arithmetic": arithmetic,
    "as_boolean": as_boolean,
    "as_date": as_date,
    "as_number": as_number,
    "as_text": as_text,
    "contexts": contexts,
    "count": count,
    "differ": differ,
    "equal": equal,
    "evaluate_node": evaluate_node,
    "least_known": least_known,
    "least_of_any": least_of_any,
    "len": len,
    "max": max,
    "max_of": max_of,
    "min": min,
    "min_of": min_of,
    "numbers": numbers,
    "ordered": ordered,
    "rupee_words": rupee_words,
    "total": total,
    "total_of_any": total_of_any,
    "tuple": tuple,
    "years_between": years_between,
    "zip": zip,
}
