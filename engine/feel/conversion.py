"""Values of Python to values of FEEL and back, without loss.

| FEEL | Python |
| --- | --- |
| number | `Decimal`; `int` is taken too, and a `float` as the shortest decimal that names it |
| date, time, date and time | `datetime.date`, `.time`, `.datetime` when they can hold the value |
| days and time duration | `datetime.timedelta` when it can hold the value |
| years and months duration | `YearsMonthsDuration` |
| list, context | `list`, `dict`; a tuple and a set are taken too |
| range, function | `FeelRange`, `FeelFunction`; a Python function is taken too |
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation, Overflow
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.feel.errors import FeelError, FeelNumberLimitError
from engine.feel.temporal import (
    SECONDS_A_DAY,
    Date,
    DateTime,
    DaysTimeDuration,
    Time,
    YearsMonthsDuration,
)
from engine.feel.values import FeelFunction, FeelRange, Value, order
from engine.feel.zones import zone

if TYPE_CHECKING:
    from engine.feel.run import Run

_AS_IT_IS = frozenset(
    {type(None), bool, str, Date, Time, DateTime, DaysTimeDuration, YearsMonthsDuration}
)


def from_python(run: Run, value: Any) -> Value:
    """The FEEL value of a Python value; null, with a reason, for a type that FEEL lacks."""
    value_type = type(value)
    if value_type is Decimal:
        return _number(run, value)
    if value_type in _AS_IT_IS:
        return run.string(value) if value_type is str else value
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, (int, Decimal)):
        return _number(run, value)
    if isinstance(value, float):
        return _number(run, Decimal(float.__repr__(value)))
    if isinstance(value, str):
        return run.string(str.__str__(value))
    if isinstance(value, Mapping):
        run.tick(len(value))
        return {key: from_python(run, item) for key, item in value.items() if isinstance(key, str)}
    if isinstance(value, (list, tuple)):
        run.tick(run.items(len(value)))
        return [from_python(run, item) for item in value]
    if isinstance(value, FeelRange):
        low, high = from_python(run, value.low), from_python(run, value.high)
        return replace(value, low=low, high=high)
    if isinstance(value, FeelFunction):
        return value
    if isinstance(value, (set, frozenset)):
        return _set(run, value)
    if callable(value) and not isinstance(value, type):
        return _function(value)
    return _temporal(run, value)


def _set(run: Run, value: set[Any] | frozenset[Any]) -> list[Value] | None:
    """A set as a list in ascending order: its own order is another one in each process."""
    run.tick(run.items(len(value)))
    items = [from_python(run, item) for item in value]
    if any(order(item, items[0]) is None for item in items):
        return run.null("the items of a set have no common order")
    return sorted(items, key=cmp_to_key(lambda left, right: order(left, right) or 0))


def _function(function: Callable[..., Any]) -> FeelFunction:
    """A Python function of the caller: it gets Python values, and its result is converted."""
    name = str(getattr(function, "__name__", "") or "a function of the caller")

    def body(run: Run, arguments: list[Value]) -> Value:
        given = [to_python(run, argument) for argument in arguments]
        try:
            result = function(*given)
        except (FeelError, RecursionError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault inside an expression gives null
            return run.null(f"'{name}' failed: {error}")
        return from_python(run, result)

    return FeelFunction(name, _parameters(function), body)


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, None], ...] | None:
    """The names of what a Python function takes; None when it does not take just these."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # Some functions written in C do not say what they take.
        return None
    if any(each.kind is not each.POSITIONAL_OR_KEYWORD for each in parameters):
        return None
    if any(each.default is not each.empty for each in parameters):
        return None
    return tuple((each.name, None) for each in parameters)


def _number(run: Run, value: int | Decimal) -> Decimal | None:
    try:
        number = run.numbers.plus(Decimal(value))
    except Overflow:
        raise FeelNumberLimitError(
            f"a number of the context has an exponent beyond {run.bounds.exponent}"
        ) from None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        return run.null("a number of the context is not finite")
    return number


def _temporal(run: Run, value: Any) -> Value:
    if isinstance(value, dt.datetime):
        date = Date(value.year, value.month, value.day)
        return DateTime(date, _time(value, value.utcoffset()))
    if isinstance(value, dt.date):
        return Date(value.year, value.month, value.day)
    if isinstance(value, dt.time):
        return _time(value, value.utcoffset())
    if isinstance(value, dt.timedelta):
        seconds = value.days * SECONDS_A_DAY + value.seconds
        return DaysTimeDuration(seconds + Decimal(value.microseconds).scaleb(-6))
    return run.null(f"FEEL has no value for a Python {type(value).__name__}")


def _time(value: dt.time | dt.datetime, offset: dt.timedelta | None) -> Time:
    zone_value: int | str | None = None
    if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key and zone(value.tzinfo.key):
        zone_value = value.tzinfo.key
    elif offset is not None:
        zone_value = round(offset.total_seconds())
    second = value.second + Decimal(value.microsecond).scaleb(-6)
    return Time(value.hour, value.minute, second.normalize() + 0, zone_value)


def to_python(run: Run, value: Value) -> Any:
    """The Python value of a FEEL value; the types of `temporal` stay where Python's cannot hold it."""
    if isinstance(value, list):
        run.tick(len(value))
        return [to_python(run, item) for item in value]
    if isinstance(value, dict):
        run.tick(len(value))
        return {key: to_python(run, item) for key, item in value.items()}
    if isinstance(value, FeelRange):
        low, high = to_python(run, value.low), to_python(run, value.high)
        return replace(value, low=low, high=high)
    if isinstance(value, (Date, Time, DateTime, DaysTimeDuration)):
        return _python_temporal(value)
    return value


def _python_temporal(value: Date | Time | DateTime | DaysTimeDuration) -> Any:
    if isinstance(value, Date):
        if not dt.MINYEAR <= value.year <= dt.MAXYEAR:
            return value
        return dt.date(value.year, value.month, value.day)
    if isinstance(value, DaysTimeDuration):
        microseconds = _microseconds(value.seconds)
        limit = dt.timedelta.max // dt.timedelta(microseconds=1)
        if microseconds is None or abs(microseconds) > limit:
            return value
        return dt.timedelta(microseconds=microseconds)
    time = value if isinstance(value, Time) else value.time
    microseconds = _microseconds(time.second)
    if microseconds is None:
        return value
    second, microsecond = divmod(microseconds, 1_000_000)
    clock = dt.time(time.hour, time.minute, second, microsecond, _python_zone(time.zone))
    if isinstance(value, Time):
        return clock
    date = _python_temporal(value.date)
    return dt.datetime.combine(date, clock) if isinstance(date, dt.date) else value


def _microseconds(seconds: Decimal) -> int | None:
    """Seconds in microseconds; None when that would lose digits."""
    scaled = seconds.scaleb(6)
    return int(scaled) if scaled == int(scaled) else None


def _python_zone(zone_value: int | str | None) -> dt.tzinfo | None:
    if isinstance(zone_value, str):
        return zone(zone_value)
    if zone_value is None:
        return None
    if zone_value == 0:
        return dt.UTC
    return dt.timezone(dt.timedelta(seconds=zone_value))


class Variables:
    """The variables of one or more evaluations: each is converted once, when it is first read.

    Hand the same `Variables` to several evaluations to convert large lists once.
    """

    __slots__ = ("_converted", "_given")

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._given: dict[str, Any] = {
            name: value for name, value in (given or {}).items() if isinstance(name, str)
        }
        self._converted: dict[str, Value] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __setitem__(self, name: str, value: Any) -> None:
        self._given[name] = value
        self._converted.pop(name, None)

    @property
    def converted(self) -> dict[str, Value]:
        """The variables that were read already, as FEEL values."""
        return self._converted

    @property
    def given(self) -> Mapping[str, Any]:
        """The variables as they were handed over."""
        return self._given

    def read(self, run: Run, name: str, missing: Value) -> Value:
        """The FEEL value of a variable, or `missing`."""
        if name in self._converted:
            return self._converted[name]
        if name not in self._given:
            return missing
        value = self._converted[name] = from_python(run, self._given[name])
        return value
