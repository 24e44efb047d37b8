"""What FEEL values are: their kinds, equality and order (DMN 1.5, 10.3.2.2 and 10.3.2.13).

Inside the evaluator a value is a Decimal, str, bool, None, list, dict (a context), one of the
types in `temporal`, a `FeelRange` or a `FeelFunction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import TYPE_CHECKING, Any

from engine.feel.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration

if TYPE_CHECKING:
    from engine.feel.nodes import TypeName
    from engine.feel.run import Run

Value = Any


@dataclass(frozen=True, slots=True)
class FeelRange:
    """A range of numbers, strings, dates, times or durations; a missing end is None.

    Attributes:
        low: the lower end.
        high: the upper end.
        low_closed: whether the lower end belongs to the range.
        high_closed: whether the upper end belongs to the range.
        relation: "=" for `(= low)` and "!=" for `(!= low)`, else empty.
    """

    low: Value
    high: Value
    low_closed: bool = True
    high_closed: bool = True
    relation: str = ""

    def __str__(self) -> str:
        if self.relation:
            return f"({self.relation} {self.low})"
        low = "" if self.low is None else self.low
        high = "" if self.high is None else self.high
        return f"{'[' if self.low_closed else '('}{low}..{high}{']' if self.high_closed else ')'}"


@dataclass(frozen=True, slots=True, eq=False)
class FeelFunction:
    """A function as a value: built in, written in FEEL, or handed over by the caller.

    Attributes:
        name: for messages; empty for a function without name.
        parameters: the name of each parameter, and its type if it declares one; None for a
            function that takes any arguments.
        body: takes the run and the arguments.
        built_in: the built-in it stands for, which has its own rules for arguments.
        result: the type its body is known to give, else None.
    """

    name: str
    parameters: tuple[tuple[str, TypeName | None], ...] | None
    body: Callable[[Run, list[Value]], Value]
    built_in: Any = None
    result: TypeName | None = None

    def __str__(self) -> str:
        return f"function({', '.join(name for name, _ in self.parameters or ())})"


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    Decimal: "number",
    str: "string",
    list: "list",
    dict: "context",
    Date: "date",
    Time: "time",
    DateTime: "date and time",
    DaysTimeDuration: "days and time duration",
    YearsMonthsDuration: "years and months duration",
    FeelRange: "range",
    FeelFunction: "function",
}
_ORDERED = frozenset(
    {
        *("number", "string", "date", "time", "date and time"),
        *("days and time duration", "years and months duration"),
    }
)


def kind(value: Value) -> str:
    """The name of a value's FEEL type."""
    return _KINDS[type(value)]


def article(noun: str) -> str:
    """A kind with its article, for messages."""
    if noun == "null":
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def equal(run: Run, left: Value, right: Value) -> bool | None:
    """Whether two values are equal; null when their types differ and neither is null."""
    if left is None or right is None:
        return left is right
    left_type = type(left)
    if left_type is not type(right):
        if isinstance(left, (Date, DateTime)) and isinstance(right, (Date, DateTime)):
            return _equal_moments(_at_midnight(left), _at_midnight(right))
        return None
    if left_type is list:
        return _equal_lists(run, left, right)
    if left_type is dict:
        return _equal_contexts(run, left, right)
    if left_type is FeelRange:
        return _equal_ranges(run, left, right)
    if left_type is Time or left_type is DateTime:
        return _equal_moments(left, right)
    return bool(left == right)


def _at_midnight(value: Date | DateTime) -> DateTime:
    """A date as the date and time that it is equal to: DMN puts dates at midnight UTC."""
    return value if isinstance(value, DateTime) else DateTime(value, Time(0, 0, Decimal(0), 0))


def _equal_moments(left: Time | DateTime, right: Time | DateTime) -> bool:
    """Whether two times are the same to the second, where both or none know their offset."""
    if (left.offset is None) != (right.offset is None):
        return False
    return floor(_moment(left)) == floor(_moment(right))


def _moment(value: Time | DateTime) -> Decimal:
    return value.instant if isinstance(value, DateTime) else time_value(value)


def time_value(time: Time) -> Decimal:
    """Seconds since midnight UTC, for comparison; a time without offset counts as UTC."""
    return time.seconds - (time.offset or 0)


def _equal_lists(run: Run, left: list[Value], right: list[Value]) -> bool | None:
    if len(left) != len(right):
        return False
    run.tick(len(left))
    return _all_equal(equal(run, a, b) for a, b in zip(left, right, strict=True))


def _equal_contexts(run: Run, left: dict[str, Value], right: dict[str, Value]) -> bool | None:
    if left.keys() != right.keys():
        return False
    run.tick(len(left))
    return _all_equal(equal(run, value, right[key]) for key, value in left.items())


def _all_equal(results: Iterator[bool | None]) -> bool | None:
    verdict: bool | None = True
    for result in results:
        if result is False:
            return False
        if result is None:
            verdict = None
    return verdict


def _equal_ranges(run: Run, left: FeelRange, right: FeelRange) -> bool | None:
    # A comparison is no range with two ends, though it may include the same values.
    if left.relation != right.relation:
        return False
    if (left.low_closed, left.high_closed) != (right.low_closed, right.high_closed):
        return False
    return _all_equal(equal(run, a, b) for a, b in ((left.low, right.low), (left.high, right.high)))


def order(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 as the left value comes before, with or after the right one.

    Null when the values have no common order.
    """
    if type(left) is not type(right) or kind(left) not in _ORDERED:
        return None
    if isinstance(left, Date):
        left, right = left.number, right.number
    elif isinstance(left, Time):
        left, right = time_value(left), time_value(right)
    elif isinstance(left, DateTime):
        left, right = left.instant, right.instant
    return int(left > right) - int(left < right)


def compare(operator: str, left: Value, right: Value) -> bool | None:
    """`left operator right` for <, <=, > and >=; null when they have no common order."""
    sign = order(left, right)
    if sign is None:
        return None
    if operator == "<":
        return sign < 0
    if operator == "<=":
        return sign <= 0
    return sign > 0 if operator == ">" else sign >= 0


def within(value: Value, bounds: FeelRange) -> bool | None:
    """Whether a range includes a value; null when they have no common order."""
    if bounds.relation == "!=":
        sign = order(value, bounds.low)
        return None if sign is None else sign != 0
    above: bool | None = True
    below: bool | None = True
    if bounds.low is not None:
        above = compare(">=" if bounds.low_closed else ">", value, bounds.low)
    if bounds.high is not None:
        below = compare("<=" if bounds.high_closed else "<", value, bounds.high)
    return conjunction(above, below)


def conjunction(left: bool | None, right: bool | None) -> bool | None:
    """Three-valued `and`."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def disjunction(left: bool | None, right: bool | None) -> bool | None:
    """Three-valued `or`."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def singleton(value: Value) -> list[Value]:
    """The value as a list: itself if it is one, else the list of just this value."""
    return value if isinstance(value, list) else [value]
