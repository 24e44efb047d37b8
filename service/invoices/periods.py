"""Days and years of Indian tax: a day is one of Asia/Kolkata, a year begins on 1 April."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

INDIA = ZoneInfo("Asia/Kolkata")
_APRIL = 4


def indian_day(at: datetime) -> date:
    """The day that an instant falls on in India.

    >>> from datetime import UTC
    >>> indian_day(datetime(2026, 3, 31, 18, 30, tzinfo=UTC))
    datetime.date(2026, 4, 1)
    """
    return at.astimezone(INDIA).date()


def financial_year(on: date) -> str:
    """The financial year of a day, by the last two digits of the years that it lies in.

    >>> financial_year(date(2026, 3, 31)), financial_year(date(2026, 4, 1))
    ('25-26', '26-27')
    """
    first = on.year if on.month >= _APRIL else on.year - 1
    return f"{first % 100:02}-{(first + 1) % 100:02}"


def last_day_for_credit_notes(issued_on: date) -> date:
    """30 November after the financial year of the invoice: CGST Act, section 34(2).

    >>> last_day_for_credit_notes(date(2026, 3, 31)), last_day_for_credit_notes(date(2026, 4, 1))
    (datetime.date(2026, 11, 30), datetime.date(2027, 11, 30))
    """
    ends_in = issued_on.year + (issued_on.month >= _APRIL)
    return date(ends_in, 11, 30)
