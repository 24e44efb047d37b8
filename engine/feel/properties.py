"""The properties of dates, times, durations and ranges (DMN 1.5, tables 65 and 66)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.feel.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration
from engine.feel.values import FeelRange, Value


def _whole_part(seconds: Decimal, unit: int, next_unit: int | None) -> Decimal:
    """How many whole units a length has beyond the next larger one, with the length's sign."""
    count = int(abs(seconds)) // unit
    if next_unit:
        count %= next_unit // unit
    return Decimal(-count if seconds < 0 else count)


def _seconds_part(duration: DaysTimeDuration) -> Decimal:
    rest = abs(duration.seconds) % 60
    return -rest if duration.seconds < 0 else rest


def _signed(months: int, *, years: bool) -> Decimal:
    part = divmod(abs(months), 12)[0 if years else 1]
    return Decimal(-part if months < 0 else part)


def _offset(value: Time | DateTime) -> DaysTimeDuration | None:
    offset = value.offset
    return None if offset is None else DaysTimeDuration(Decimal(offset))


def _zone_name(time: Time) -> str | None:
    return time.zone if isinstance(time.zone, str) else None


_DATE: dict[str, Callable[[Any], Value]] = {
    "year": lambda date: Decimal(date.year),
    "month": lambda date: Decimal(date.month),
    "day": lambda date: Decimal(date.day),
    "weekday": lambda date: Decimal(date.weekday),
}
_TIME: dict[str, Callable[[Any], Value]] = {
    "hour": lambda time: Decimal(time.hour),
    "minute": lambda time: Decimal(time.minute),
    "second": lambda time: time.second,
    "time offset": _offset,
    "timezone": _zone_name,
}


def _of_date(read: Callable[[Any], Value]) -> Callable[[Any], Value]:
    return lambda value: read(value.date)


def _of_time(read: Callable[[Any], Value]) -> Callable[[Any], Value]:
    return lambda value: read(value.time)


PROPERTIES: dict[type, dict[str, Callable[[Any], Value]]] = {
    Date: _DATE,
    Time: _TIME,
    DateTime: {name: _of_date(read) for name, read in _DATE.items()}
    | {name: _of_time(read) for name, read in _TIME.items()}
    | {"time offset": _offset},
    DaysTimeDuration: {
        "days": lambda value: _whole_part(value.seconds, 86_400, None),
        "hours": lambda value: _whole_part(value.seconds, 3600, 86_400),
        "minutes": lambda value: _whole_part(value.seconds, 60, 3600),
        "seconds": _seconds_part,
    },
    YearsMonthsDuration: {
        "years": lambda value: _signed(value.months, years=True),
        "months": lambda value: _signed(value.months, years=False),
    },
    FeelRange: {
        "start": lambda value: value.low,
        "end": lambda value: value.high,
        "start included": lambda value: value.low_closed,
        "end included": lambda value: value.high_closed,
    },
}
PROPERTY_NAMES = frozenset(name for table in PROPERTIES.values() for name in table)


def property_of(value: Value, name: str) -> tuple[bool, Value]:
    """Whether a value has a property of this name, and the property."""
    read = PROPERTIES.get(type(value), {}).get(name)
    return (False, None) if read is None else (True, read(value))
