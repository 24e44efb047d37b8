"""Where a subscription's periods begin: dates, counted from its first day.

The n-th anchor is always n months after the first day, never a month after the one before: a
subscription of the 31st has the 28th of February and the 31st of March. A period begins with its
first day where the subscriber lives, whatever the clocks there do in the night.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


def anchor(started_on: date, anchor_day: int, n: int) -> date:
    """The first day of period n: the anchor day of the n-th month after that of the first day.

    A month that is too short has its last day instead.
    """
    months = started_on.year * 12 + started_on.month - 1 + n
    return _in_month(months, anchor_day)


def period_on(started_on: date, anchor_day: int, day: date) -> int:
    """The period that a day is in; a negative number for days before the first."""
    n = (day.year - started_on.year) * 12 + day.month - started_on.month
    return n if anchor(started_on, anchor_day, n) <= day else n - 1


def first_anchor(day: date, anchor_day: int) -> date:
    """The first anchor day that is this day or a later one."""
    months = day.year * 12 + day.month - 1
    this = _in_month(months, anchor_day)
    return this if this >= day else _in_month(months + 1, anchor_day)


def day_at(instant: datetime, timezone: str) -> date:
    """Which day it is in a time zone."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def begins_at(day: date, timezone: str) -> datetime:
    """The instant of a day's midnight; where clocks skip it, that of the skip."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(timezone))


def _in_month(months: int, anchor_day: int) -> date:
    year, month = divmod(months, 12)
    return date(year, month + 1, min(anchor_day, monthrange(year, month + 1)[1]))
