"""Built-in functions that relate points and ranges (DMN 1.5, table 78)."""

from __future__ import annotations

from collections.abc import Callable

from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.run import Run
from engine.feel.temporal import DateTime, Time
from engine.feel.values import FeelRange, Value, article, equal, kind, order

_POINTS = frozenset(
    {
        *("number", "string", "date", "time", "date and time"),
        *("days and time duration", "years and months duration"),
    }
)


class _UnlikeError(Exception):
    """Two ends have no common order."""


def _sign(left: Value, right: Value) -> int:
    sign = order(left, right)
    if sign is None:
        raise _UnlikeError
    return sign


def _before(left: FeelRange, right: FeelRange) -> bool:
    sign = _sign(left.high, right.low)
    return sign < 0 or (sign == 0 and not (left.high_closed and right.low_closed))


def _meets(left: FeelRange, right: FeelRange) -> bool:
    return left.high_closed and right.low_closed and _sign(left.high, right.low) == 0


def _reaches(left: FeelRange, right: FeelRange) -> bool:
    """Whether the left range goes on into, or beyond, the start of the right one."""
    return not _before(left, right)


def _overlaps(left: FeelRange, right: FeelRange) -> bool:
    return _reaches(left, right) and _reaches(right, left)


def _starts_no_later(left: FeelRange, right: FeelRange) -> bool:
    sign = _sign(left.low, right.low)
    return sign < 0 or (sign == 0 and (left.low_closed or not right.low_closed))


def _ends_no_earlier(left: FeelRange, right: FeelRange) -> bool:
    sign = _sign(left.high, right.high)
    return sign > 0 or (sign == 0 and (left.high_closed or not right.high_closed))


def _overlaps_before(left: FeelRange, right: FeelRange) -> bool:
    sign = _sign(left.low, right.low)
    earlier = sign < 0 or (sign == 0 and left.low_closed and not right.low_closed)
    return earlier and _reaches(left, right) and _ends_no_earlier(right, left)


def _includes(left: FeelRange, right: FeelRange) -> bool:
    return _starts_no_later(left, right) and _ends_no_earlier(left, right)


def _finishes(left: FeelRange, right: FeelRange) -> bool:
    same_end = _sign(left.high, right.high) == 0 and left.high_closed == right.high_closed
    return same_end and _starts_no_later(right, left)


def _starts(left: FeelRange, right: FeelRange) -> bool:
    same_start = _sign(left.low, right.low) == 0 and left.low_closed == right.low_closed
    return same_start and _ends_no_earlier(right, left)


def _coincides(left: FeelRange, right: FeelRange) -> bool:
    return (
        _sign(left.low, right.low) == 0
        and _sign(left.high, right.high) == 0
        and (left.low_closed, left.high_closed) == (right.low_closed, right.high_closed)
    )


Relation = Callable[[FeelRange, FeelRange], bool]


def _swapped(relation: Relation) -> Relation:
    return lambda left, right: relation(right, left)


def _built_in(name: str, summary: str, relation: Relation, *shapes: tuple[str, str]) -> BuiltIn:
    """A relation; each shape says what its two arguments are called: point or range, numbered."""

    def function(run: Run, left: Value, right: Value) -> Value:
        first, second = _as_range(left), _as_range(right)
        found = (_shape(left), _shape(right))
        if first is None or second is None or found not in {_shapes(*shape) for shape in shapes}:
            return run.null(
                f"'{name}' does not relate {article(kind(left))} and {article(kind(right))}"
            )
        try:
            return relation(first, second)
        except _UnlikeError:
            return run.null(f"'{name}' relates unlike values")

    function.__doc__ = summary
    signatures = tuple((Parameter(left), Parameter(right)) for left, right in shapes)
    return BuiltIn(name, function, signatures)


def _shape(value: Value) -> str:
    return "range" if isinstance(value, FeelRange) else "point"


def _shapes(left: str, right: str) -> tuple[str, str]:
    return left.rstrip("12"), right.rstrip("12")


def _as_range(value: Value) -> FeelRange | None:
    """A range, or a point as the range that holds only it."""
    if isinstance(value, FeelRange):
        return value
    return FeelRange(value, value) if kind(value) in _POINTS else None


def is_same(run: Run, left: Value, right: Value = None) -> Value:
    """Whether two values are the same: of one type, times on the same clock in the same zone."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (Time, DateTime)):
        return _zone(left) == _zone(right) and _clock(left) == _clock(right)
    return equal(run, left, right) is True


def _zone(value: Time | DateTime) -> int | str | None:
    return value.time.zone if isinstance(value, DateTime) else value.zone


def _clock(value: Time | DateTime) -> tuple[Value, Value]:
    if isinstance(value, DateTime):
        return value.date, value.time.seconds
    return None, value.seconds


_VALUES = (Parameter("value1"), Parameter("value2"))
_RANGES = ("range1", "range2")
_POINT_RANGE = ("point", "range")
_RANGE_POINT = ("range", "point")

RANGE_FUNCTIONS = (
    _built_in(
        "before",
        "Whether the first ends before the second starts.",
        _before,
        ("point1", "point2"),
        _POINT_RANGE,
        _RANGE_POINT,
        _RANGES,
    ),
    _built_in(
        "after",
        "Whether the first starts after the second ends.",
        _swapped(_before),
        ("point1", "point2"),
        _POINT_RANGE,
        _RANGE_POINT,
        _RANGES,
    ),
    _built_in("meets", "Whether the first ends where the second starts.", _meets, _RANGES),
    _built_in(
        "met by", "Whether the first starts where the second ends.", _swapped(_meets), _RANGES
    ),
    _built_in("overlaps", "Whether two ranges have a value in common.", _overlaps, _RANGES),
    _built_in(
        "overlaps before",
        "Whether the first starts before the second and ends inside it.",
        _overlaps_before,
        _RANGES,
    ),
    _built_in(
        "overlaps after",
        "Whether the first starts inside the second and ends after it.",
        _swapped(_overlaps_before),
        _RANGES,
    ),
    _built_in(
        "finishes",
        "Whether the first lies in the second and ends with it.",
        _finishes,
        _POINT_RANGE,
        _RANGES,
    ),
    _built_in(
        "finished by",
        "Whether the second lies in the first and ends with it.",
        _swapped(_finishes),
        _RANGE_POINT,
        _RANGES,
    ),
    _built_in(
        "includes",
        "Whether the second lies in the first.",
        _includes,
        _RANGE_POINT,
        _RANGES,
    ),
    _built_in(
        "during",
        "Whether the first lies in the second.",
        _swapped(_includes),
        _POINT_RANGE,
        _RANGES,
    ),
    _built_in(
        "starts",
        "Whether the first lies in the second and starts with it.",
        _starts,
        _POINT_RANGE,
        _RANGES,
    ),
    _built_in(
        "started by",
        "Whether the second lies in the first and starts with it.",
        _swapped(_starts),
        _RANGE_POINT,
        _RANGES,
    ),
    _built_in(
        "coincides",
        "Whether two points or two ranges are the same.",
        _coincides,
        ("point1", "point2"),
        _RANGES,
    ),
    BuiltIn(
        "is",
        is_same,
        # A value that is not named is null.
        (_VALUES, _VALUES[:1], _VALUES[1:]),
    ),
)
