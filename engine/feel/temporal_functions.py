"""Built-in functions that make or read dates, times and durations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.feel.arithmetic import midnight
from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.run import Run
from engine.feel.temporal import (
    Date,
    DateTime,
    DaysTimeDuration,
    Time,
    YearsMonthsDuration,
    make_date,
    make_time,
    parse_date,
    parse_date_time,
    parse_duration,
    parse_time,
)
from engine.feel.values import Value

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LONGEST_OFFSET = 18 * 3600


def date(run: Run, *values: Value) -> Value:
    """A date from a string, from a date and time, or from year, month and day."""
    if len(values) == 3:
        parts = _integers(*values)
        made = make_date(*parts) if parts else None
        return made or run.null("there is no such date")
    source = values[0]
    if isinstance(source, DateTime):
        return source.date
    if isinstance(source, Date):
        return source
    return parse_date(source) or run.null(f"'{source[:40]}' is not a date")


def _integers(*numbers: Decimal) -> tuple[int, ...] | None:
    """Whole numbers of a size that dates have, or null."""
    if all(number == number.to_integral_value() and abs(number) < 10**10 for number in numbers):
        return tuple(map(int, numbers))
    return None


def time(run: Run, *values: Value) -> Value:
    """A time from a string, from a date and time, or from hour, minute, second and offset."""
    if len(values) == 4:
        return _time_of_parts(run, *values)
    source = values[0]
    if isinstance(source, Time):
        return source
    if isinstance(source, DateTime):
        return source.time
    if isinstance(source, Date):
        return midnight(source).time
    return parse_time(source) or run.null(f"'{source[:40]}' is not a time")


def _time_of_parts(
    run: Run, hour: Decimal, minute: Decimal, second: Decimal, offset: DaysTimeDuration | None
) -> Value:
    parts = _integers(hour, minute)
    zone = None
    if offset is not None:
        if abs(offset.seconds) > _LONGEST_OFFSET or offset.seconds != int(offset.seconds):
            return run.null("there is no such offset from UTC")
        zone = int(offset.seconds)
    made = make_time(parts[0], parts[1], second, zone) if parts else None
    return made or run.null("there is no such time")


def date_and_time(run: Run, *values: Value) -> Value:
    """A date and time from a string, or from a date and a time."""
    if len(values) == 2:
        day, clock = values
        return DateTime(day.date if isinstance(day, DateTime) else day, clock)
    source = values[0]
    if isinstance(source, DateTime):
        return source
    if isinstance(source, Date):
        return midnight(source)
    made = parse_date_time(source)
    if made is None and (day := parse_date(source)):
        made = midnight(day, None)
    return made or run.null(f"'{source[:40]}' is not a date and time")


def duration(run: Run, source: Value) -> Value:
    """A duration from a string such as `P1Y6M` or `P1DT12H`."""
    if not isinstance(source, str):
        return source
    return parse_duration(source) or run.null(f"'{source[:40]}' is not a duration")


def years_and_months_duration(_: Run, start: Value, end: Value) -> Value:
    """The whole months between two dates."""
    first, last = _day(start), _day(end)
    forward = (first.year, first.month, first.day) <= (last.year, last.month, last.day)
    months = (last.year - first.year) * 12 + last.month - first.month
    if forward and last.day < first.day:
        months -= 1
    if not forward and last.day > first.day:
        months += 1
    return YearsMonthsDuration(months)


def _day(value: Date | DateTime) -> Date:
    return value.date if isinstance(value, DateTime) else value


def day_of_year(_: Run, value: Value) -> Value:
    """The number of a day in its year, 1 for the first of January."""
    return Decimal(_day(value).day_of_year)


def day_of_week(_: Run, value: Value) -> Value:
    """The English name of a date's weekday."""
    return _DAYS[_day(value).weekday - 1]


def month_of_year(_: Run, value: Value) -> Value:
    """The English name of a date's month."""
    return _MONTHS[_day(value).month - 1]


def week_of_year(_: Run, value: Value) -> Value:
    """The ISO 8601 week of a date."""
    return Decimal(_day(value).week_of_year)


def today(run: Run) -> Value:
    """The date that the caller calls today, else null."""
    return run.null("the caller did not say which day is today") if run.today is None else run.today


def now(run: Run) -> Value:
    """The date and time that the caller calls now, else null."""
    return run.null("the caller did not say what time it is") if run.now is None else run.now


def _numbers(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, ("number",)) for name in names)


def _from(*kinds: str) -> tuple[Parameter, ...]:
    return (Parameter("from", kinds),)


def _of(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,))


_DATES = ("date", "date and time")
_DATE = Parameter("date", _DATES)
_DURATIONS = ("days and time duration", "years and months duration")

TEMPORAL_FUNCTIONS = (
    BuiltIn("date", date, (_from("string", *_DATES), _numbers("year", "month", "day"))),
    BuiltIn(
        "time",
        time,
        (
            _from("string", "time", *_DATES),
            (
                *_numbers("hour", "minute", "second"),
                Parameter("offset", ("days and time duration",), optional=True),
            ),
        ),
    ),
    BuiltIn(
        "date and time",
        date_and_time,
        (_from("string", *_DATES), (_DATE, Parameter("time", ("time",)))),
    ),
    _of("duration", duration, *_from("string", *_DURATIONS)),
    _of(
        "years and months duration",
        years_and_months_duration,
        Parameter("from", _DATES),
        Parameter("to", _DATES),
    ),
    _of("day of year", day_of_year, _DATE),
    _of("day of week", day_of_week, _DATE),
    _of("month of year", month_of_year, _DATE),
    _of("week of year", week_of_year, _DATE),
    _of("today", today),
    _of("now", now),
)
