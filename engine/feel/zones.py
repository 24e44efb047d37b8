"""Time zones by name, from the pinned tzdata package and never from the operating system."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The zone names of the pinned tzdata package."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=600)
def zone(name: str) -> ZoneInfo | None:
    """The zone of a name such as `Asia/Kolkata`; None when tzdata does not know it."""
    if name not in zone_names():
        return None
    entry = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with entry.open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def zone_offset(name: str, year: int, month: int, day: int, second_of_day: int) -> int:
    """Seconds east of UTC in a zone at a local time; 0 for an unknown zone.

    Years outside Python's calendar use the same day of a year inside it: the Gregorian calendar
    repeats after 400 years.
    """
    if not 1 < year < 9999:
        year = 2000 + year % 400
    local = dt.datetime(year, month, day, tzinfo=zone(name))
    local += dt.timedelta(seconds=second_of_day)
    offset = local.utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def offset_at(name: str, instant: Decimal) -> int:
    """Seconds east of UTC in a zone at an instant, in seconds since 1970-01-01 UTC."""
    # 400 Gregorian years have 12,622,780,800 seconds; the calendar then repeats.
    second = int(instant)
    if not -62_000_000_000 < second < 253_000_000_000:
        second %= 12_622_780_800
    utc = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
    offset = utc.astimezone(zone(name)).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0
