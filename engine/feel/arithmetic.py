"""+ - * / ** on numbers, strings, dates, times and durations (DMN 1.5, 10.3.2.13)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal, DecimalException, Overflow
from typing import TYPE_CHECKING

from engine.feel.errors import FeelNumberLimitError
from engine.feel.temporal import (
    LARGEST_YEAR,
    SECONDS_A_DAY,
    Date,
    DateTime,
    DaysTimeDuration,
    Time,
    YearsMonthsDuration,
    date_of,
    days_in_month,
    time_of,
)
from engine.feel.values import Value, article, kind, time_value
from engine.feel.zones import offset_at

if TYPE_CHECKING:
    from engine.feel.run import Run


# A power, root or logarithm takes as long as so many steps.
SLOW = 20


def calculate(run: Run, operation: Callable[..., Decimal], *operands: Decimal) -> Decimal | None:
    """A decimal operation; null where it has no result.

    Raises:
        FeelNumberLimitError: the result is too large.
    """
    try:
        result = operation(*operands)
    except Overflow:
        raise FeelNumberLimitError(
            f"a number has an exponent beyond {run.bounds.exponent}"
        ) from None
    except DecimalException:
        return run.null("the calculation has no result")
    return result if result.is_finite() else run.null("the calculation has no result")


def _impossible(run: Run, operator: str, left: Value, right: Value) -> None:
    if left is None or right is None:
        return run.null(f"an operand of '{operator}' is null")
    return run.null(f"'{operator}' does not fit {article(kind(left))} and {article(kind(right))}")


def add(run: Run, left: Value, right: Value) -> Value:
    """`left + right`."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return calculate(run, run.numbers.add, left, right)
    if isinstance(left, str) and isinstance(right, str):
        return run.string(left + right)
    if isinstance(left, (DaysTimeDuration, YearsMonthsDuration)) and type(left) is not type(right):
        left, right = right, left
    if isinstance(right, DaysTimeDuration):
        return _add_seconds(run, left, right.seconds) or _impossible(run, "+", left, right)
    if isinstance(right, YearsMonthsDuration):
        return _add_months(run, left, right.months) or _impossible(run, "+", left, right)
    return _impossible(run, "+", left, right)


def subtract(run: Run, left: Value, right: Value) -> Value:
    """`left - right`."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return calculate(run, run.numbers.subtract, left, right)
    if isinstance(right, DaysTimeDuration):
        return _add_seconds(run, left, -right.seconds) or _impossible(run, "-", left, right)
    if isinstance(right, YearsMonthsDuration):
        return _add_months(run, left, -right.months) or _impossible(run, "-", left, right)
    if isinstance(left, Time) and isinstance(right, Time):
        if (left.offset is None) != (right.offset is None):
            return run.null("a time with a zone and one without have no difference")
        return DaysTimeDuration(time_value(left) - time_value(right))
    if isinstance(left, (Date, DateTime)) and isinstance(right, (Date, DateTime)):
        return _difference(run, left, right)
    return _impossible(run, "-", left, right)


def midnight(date: Date, zone: int | str | None = 0) -> DateTime:
    """The start of a day; DMN puts dates at midnight UTC."""
    return DateTime(date, Time(0, 0, Decimal(0), zone))


def _difference(run: Run, left: Date | DateTime, right: Date | DateTime) -> Value:
    if isinstance(left, Date) and isinstance(right, Date):
        return DaysTimeDuration(Decimal((left.number - right.number) * SECONDS_A_DAY))
    start = midnight(right) if isinstance(right, Date) else right
    end = midnight(left) if isinstance(left, Date) else left
    if (start.time.zone is None) != (end.time.zone is None):
        return run.null("a date and time with a zone and one without have no difference")
    return DaysTimeDuration(end.instant - start.instant)


def _add_seconds(run: Run, value: Value, seconds: Decimal) -> Value:
    """A value moved by some seconds; null, without a reason, when it cannot be moved."""
    if isinstance(value, DaysTimeDuration):
        total = calculate(run, run.numbers.add, value.seconds, seconds)
        return None if total is None else DaysTimeDuration(total)
    if isinstance(value, Time):
        return time_of(value.seconds + seconds % SECONDS_A_DAY, value.zone)
    if isinstance(value, Date):
        value_at_midnight = midnight(value)
        moved = _moved(value_at_midnight, seconds)
        return moved and moved.date
    return _moved(value, seconds) if isinstance(value, DateTime) else None


def _moved(value: DateTime, seconds: Decimal) -> DateTime | None:
    zone = value.time.zone
    local = value.date.number * SECONDS_A_DAY + value.time.seconds + seconds
    if isinstance(zone, str):
        # A named zone may change its offset in between, so the way leads over UTC.
        instant = value.instant + seconds
        local = instant + offset_at(zone, instant)
    day = int((local / SECONDS_A_DAY).to_integral_value("ROUND_FLOOR"))
    if abs(day) > LARGEST_YEAR * 366:
        return None
    date = date_of(day)
    if abs(date.year) > LARGEST_YEAR:
        return None
    return DateTime(date, time_of(local - day * SECONDS_A_DAY, zone))


def _add_months(run: Run, value: Value, months: int) -> Value:
    """A value moved by some months, to the last day where a month is shorter."""
    if isinstance(value, YearsMonthsDuration):
        return YearsMonthsDuration(value.months + months)
    date = value.date if isinstance(value, DateTime) else value
    if not isinstance(date, Date):
        return None
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    if abs(year) > LARGEST_YEAR:
        return run.null("the date lies beyond the calendar")
    moved = Date(year, month + 1, min(date.day, days_in_month(year, month + 1)))
    return DateTime(moved, value.time) if isinstance(value, DateTime) else moved


def multiply(run: Run, left: Value, right: Value) -> Value:
    """`left * right`."""
    if isinstance(left, Decimal) and not isinstance(right, Decimal):
        left, right = right, left
    if isinstance(right, Decimal):
        if isinstance(left, Decimal):
            return calculate(run, run.numbers.multiply, left, right)
        return _scaled(run, run.numbers.multiply, left, right) or _impossible(run, "*", left, right)
    return _impossible(run, "*", left, right)


def divide(run: Run, left: Value, right: Value) -> Value:
    """`left / right`."""
    if isinstance(right, Decimal):
        if right == 0:
            return run.null("a number is divided by zero")
        if isinstance(left, Decimal):
            return calculate(run, run.numbers.divide, left, right)
        return _scaled(run, run.numbers.divide, left, right) or _impossible(run, "/", left, right)
    if isinstance(left, (DaysTimeDuration, YearsMonthsDuration)) and type(left) is type(right):
        divisor = _length(right)
        if divisor == 0:
            return run.null("a duration is divided by a duration of zero")
        return calculate(run, run.numbers.divide, _length(left), divisor)
    return _impossible(run, "/", left, right)


def _length(duration: DaysTimeDuration | YearsMonthsDuration) -> Decimal:
    if isinstance(duration, DaysTimeDuration):
        return duration.seconds
    return Decimal(duration.months)


def _scaled(run: Run, operation: Callable[..., Decimal], duration: Value, factor: Decimal) -> Value:
    """A duration times or divided by a number; months are cut to whole ones."""
    if not isinstance(duration, (DaysTimeDuration, YearsMonthsDuration)):
        return None
    length = calculate(run, operation, _length(duration), factor)
    if length is None:
        return None
    if isinstance(duration, DaysTimeDuration):
        return DaysTimeDuration(length)
    if length.adjusted() > 30:
        return run.null("the duration is too long")
    return YearsMonthsDuration(int(length.to_integral_value(ROUND_DOWN)))


def power(run: Run, left: Value, right: Value) -> Value:
    """`left ** right`."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        run.tick(SLOW)
        return calculate(run, run.numbers.power, left, right)
    return _impossible(run, "**", left, right)


def negate(run: Run, value: Value) -> Value:
    """`- value`."""
    if isinstance(value, Decimal):
        return run.numbers.minus(value)
    if isinstance(value, DaysTimeDuration):
        return DaysTimeDuration(-value.seconds)
    if isinstance(value, YearsMonthsDuration):
        return YearsMonthsDuration(-value.months)
    return run.null(f"{article(kind(value))} has no negative")


OPERATIONS: dict[str, Callable[[Run, Value, Value], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "**": power,
}
