"""Dates, times and durations of FEEL: exact, in years of up to nine digits, written as ISO 8601.

Inside the evaluator these types stand alone; `conversion` turns them into Python's own where a
Python type can hold the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal

from engine.feel.zones import zone, zone_offset

SECONDS_A_DAY = 86_400
LARGEST_YEAR = 999_999_999
# Wide enough that no digit of a length is lost, whatever arithmetic the caller has set.
_EXACT = Context(prec=13_000, Emax=999_999, Emin=-999_999)

_YEAR = r"(?P<year>-?(?:[1-9][0-9]{4,8}|[0-9]{4}))"
_DATE = rf"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})"
_ZONE = (
    r"(?P<utc>[zZ])|(?P<sign>[+-])(?P<zh>[0-9]{2}):(?P<zm>[0-9]{2})(?::(?P<zs>[0-9]{2}))?"
    r"|@(?P<zone>[A-Za-z0-9_+\-/]+)"
)
_TIME = (
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}(?:\.[0-9]+)?)"
    rf"(?:{_ZONE})?"
)
_DATE_PATTERN = re.compile(_DATE)
_TIME_PATTERN = re.compile(_TIME)
_DATE_TIME_PATTERN = re.compile(f"{_DATE}T{_TIME}")
_YEARS_MONTHS_PATTERN = re.compile(
    r"(?P<sign>-?)P(?=[0-9])(?:(?P<years>[0-9]+)Y)?(?:(?P<months>[0-9]+)M)?"
)
_DAYS_TIME_PATTERN = re.compile(
    r"(?P<sign>-?)P(?=.)(?:(?P<days>[0-9]+)D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?"
    r"(?:(?P<seconds>[0-9]+(?:\.[0-9]*)?)S)?)?"
)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Longer digit runs mean nothing as a date or duration and only cost time.
_LONGEST_TEXT = 200


def plain(number: Decimal) -> str:
    """A number without exponent and without zeros at its end."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the proleptic Gregorian calendar."""

    year: int
    month: int
    day: int

    @property
    def number(self) -> int:
        """Days since 1970-01-01."""
        # The year is counted from March, so that a leap day is the last of its year.
        year = self.year - (self.month <= 2)
        era, year_of_era = divmod(year, 400)
        day_of_year = (153 * ((self.month + 9) % 12) + 2) // 5 + self.day - 1
        day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
        return era * 146_097 + day_of_era - 719_468

    @property
    def weekday(self) -> int:
        """1 for Monday to 7 for Sunday."""
        return (self.number + 3) % 7 + 1

    @property
    def day_of_year(self) -> int:
        """1 for the first of January."""
        return self.number - Date(self.year, 1, 1).number + 1

    @property
    def week_of_year(self) -> int:
        """The ISO 8601 week number."""
        thursday = date_of(self.number - self.weekday + 4)
        return (thursday.day_of_year - 1) // 7 + 1

    def __str__(self) -> str:
        return f"{_year_text(self.year)}-{self.month:02}-{self.day:02}"


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day; `zone` is seconds east of UTC, the name of a zone, or None."""

    hour: int
    minute: int
    second: Decimal
    zone: int | str | None = None

    @property
    def seconds(self) -> Decimal:
        """Seconds since midnight, where the clock stands."""
        return self.hour * 3600 + self.minute * 60 + self.second

    @property
    def offset(self) -> int | None:
        """Seconds east of UTC; None when unknown, as for a zone without a date."""
        if isinstance(self.zone, str):
            return zone_offset(self.zone, 1970, 1, 1, int(self.seconds))
        return self.zone

    def __str__(self) -> str:
        second = plain(self.second)
        if self.second < 10:
            second = "0" + second
        return f"{self.hour:02}:{self.minute:02}:{second}{_zone_text(self.zone)}"


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date with a time of day."""

    date: Date
    time: Time

    @property
    def offset(self) -> int | None:
        """Seconds east of UTC; None when the time has no zone."""
        if isinstance(self.time.zone, str):
            date = self.date
            second = int(self.time.seconds)
            return zone_offset(self.time.zone, date.year, date.month, date.day, second)
        return self.time.zone

    @property
    def instant(self) -> Decimal:
        """Seconds since 1970-01-01T00:00:00 UTC; a time without zone counts as UTC."""
        return self.date.number * SECONDS_A_DAY + self.time.seconds - (self.offset or 0)

    def __str__(self) -> str:
        return f"{self.date}T{self.time}"


@dataclass(frozen=True, slots=True, order=True)
class DaysTimeDuration:
    """A length of time in seconds."""

    seconds: Decimal

    def __str__(self) -> str:
        length = self.seconds.copy_abs()
        minutes = int(length) // 60
        seconds = _EXACT.subtract(length, Decimal(minutes * 60))
        hours, minute = divmod(minutes, 60)
        days, hour = divmod(hours, 24)
        time = "".join(f"{n}{unit}" for n, unit in ((hour, "H"), (minute, "M")) if n)
        if seconds:
            time += f"{plain(seconds)}S"
        text = (f"{days}D" if days else "") + (f"T{time}" if time else "")
        return ("-" if self.seconds < 0 else "") + "P" + (text or "T0S")


@dataclass(frozen=True, slots=True, order=True)
class YearsMonthsDuration:
    """A number of calendar months."""

    months: int

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        text = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return ("-" if self.months < 0 else "") + "P" + (text or "0M")


def _year_text(year: int) -> str:
    return f"{'-' if year < 0 else ''}{abs(year):04}"


def _zone_text(zone_value: int | str | None) -> str:
    if zone_value is None:
        return ""
    if isinstance(zone_value, str):
        return f"@{zone_value}"
    if zone_value == 0:
        return "Z"
    hours, rest = divmod(abs(zone_value), 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{'-' if zone_value < 0 else '+'}{hours:02}:{minutes:02}"
    return f"{text}:{seconds:02}" if seconds else text


def days_in_month(year: int, month: int) -> int:
    """How many days a month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def make_date(year: int, month: int, day: int) -> Date | None:
    """A date, or None when there is no such day."""
    if abs(year) > LARGEST_YEAR or not 1 <= month <= 12:
        return None
    return Date(year, month, day) if 1 <= day <= days_in_month(year, month) else None


def date_of(number: int) -> Date:
    """The date so many days after 1970-01-01."""
    era, day_of_era = divmod(number + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return Date(year_of_era + era * 400 + (month <= 2), month, day)


def make_time(
    hour: int, minute: int, second: Decimal, zone_value: int | str | None = None
) -> Time | None:
    """A time, or None when a clock cannot show it."""
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second < 60):
        return None
    return Time(hour, minute, second, zone_value)


def time_of(seconds: Decimal, zone_value: int | str | None = None) -> Time:
    """The time of day so many seconds after midnight, whole days left out."""
    minutes, second = divmod(seconds % SECONDS_A_DAY, 60)
    if seconds % SECONDS_A_DAY < 0:
        minutes, second = divmod(seconds % SECONDS_A_DAY + SECONDS_A_DAY, 60)
    hour, minute = divmod(int(minutes), 60)
    return Time(hour, minute, second, zone_value)


def _zone_of(match: re.Match[str]) -> int | str | bool | None:
    """The zone a pattern found; False when it does not exist."""
    if match["utc"]:
        return 0
    if match["zone"]:
        return match["zone"] if zone(match["zone"]) is not None else False
    if not match["sign"]:
        return None
    hours, minutes, seconds = int(match["zh"]), int(match["zm"]), int(match["zs"] or 0)
    if hours > 18 or minutes > 59 or seconds > 59:
        return False
    total = hours * 3600 + minutes * 60 + seconds
    return -total if match["sign"] == "-" else total


def parse_date(text: str) -> Date | None:
    """A date from `2026-11-24`; None when the text is no date."""
    match = _DATE_PATTERN.fullmatch(text) if len(text) < _LONGEST_TEXT else None
    if match is None:
        return None
    return make_date(int(match["year"]), int(match["month"]), int(match["day"]))


def parse_time(text: str) -> Time | None:
    """A time from `09:30:00`, `09:30:00.5+05:30` or `09:30:00@Asia/Kolkata`, else None."""
    match = _TIME_PATTERN.fullmatch(text) if len(text) < _LONGEST_TEXT else None
    return _time_of_match(match) if match else None


def _time_of_match(match: re.Match[str]) -> Time | None:
    zone_value = _zone_of(match)
    if zone_value is False:
        return None
    return make_time(int(match["hour"]), int(match["minute"]), Decimal(match["second"]), zone_value)


def parse_date_time(text: str) -> DateTime | None:
    """A date and time from `2026-11-24T09:30:00`, else None."""
    match = _DATE_TIME_PATTERN.fullmatch(text) if len(text) < _LONGEST_TEXT else None
    if match is None:
        return None
    date = make_date(int(match["year"]), int(match["month"]), int(match["day"]))
    time = _time_of_match(match)
    return DateTime(date, time) if date and time else None


def parse_duration(text: str) -> DaysTimeDuration | YearsMonthsDuration | None:
    """A duration from `P1Y6M` or `P1DT12H`, else None."""
    if len(text) >= _LONGEST_TEXT:
        return None
    if match := _YEARS_MONTHS_PATTERN.fullmatch(text):
        months = int(match["years"] or 0) * 12 + int(match["months"] or 0)
        return YearsMonthsDuration(-months if match["sign"] else months)
    if match := _DAYS_TIME_PATTERN.fullmatch(text):
        whole = (
            int(match["days"] or 0) * SECONDS_A_DAY
            + int(match["hours"] or 0) * 3600
            + int(match["minutes"] or 0) * 60
        )
        seconds = _EXACT.add(Decimal(whole), Decimal(match["seconds"] or 0))
        return DaysTimeDuration(seconds.copy_negate() if match["sign"] else seconds)
    return None


Temporal = Date | Time | DateTime | DaysTimeDuration | YearsMonthsDuration


def parse_temporal(text: str) -> Temporal | None:
    """What `@"..."` means: a date, a time, both, or a duration; None when it is none of these."""
    for parse in (parse_date, parse_date_time, parse_time, parse_duration):
        value: Temporal | None = parse(text)
        if value is not None:
            return value
    return None
