"""What pages print: words for the service's own terms, rupees in lakh and crore, Indian time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from contracts.strict_yaml import read_yaml
from engine.indian_numbers import grouped, printed

INDIA = ZoneInfo("Asia/Kolkata")
_FILE = Path(__file__).with_name("words.yaml")
_CRORE, _LAKH = Decimal(10_000_000), Decimal(100_000)
#: How a state is coloured; the word beside it says the same.
_TONES = {
    "DRAFT": "",
    "EVIDENCE_PENDING": "warn",
    "DATA_PENDING": "warn",
    "READY_FOR_RENDER": "live",
    "CLOSED": "good",
    "CANCELLED": "bad",
    "generating": "live",
    "generated": "good",
    "failed": "bad",
    "released": "good",
    "withdrawn": "bad",
}


@cache
def words() -> Mapping[str, Any]:
    """words.yaml: for each kind of term, what the pages call it."""
    document = read_yaml(_FILE.read_text("utf-8"), _FILE.name)
    if document.problems:
        raise ValueError(str(document.problems[0]))
    found: Mapping[str, Any] = document.value
    return found


def word(term: Any, kind: str) -> str:
    """What a term of a kind is called; the term itself where it has no other name.

    >>> word("COOP", "bank_type")
    'Co-operative bank'
    """
    if term is None:
        return ""
    return str(words()[kind].get(str(term), str(term).replace("_", " ").capitalize()))


def tone(term: Any) -> str:
    """The colour of a state: good, warn, bad, live, or none."""
    return _TONES.get(str(term), "")


def in_lakh_or_crore(amount: Decimal | None) -> str:
    """An amount as people say it: two decimals of a crore or a lakh, below that in rupees.

    >>> in_lakh_or_crore(Decimal("17764480")), in_lakh_or_crore(Decimal("2550000"))
    ('₹1.78 crore', '₹25.5 lakh')
    >>> in_lakh_or_crore(Decimal("99500")), in_lakh_or_crore(Decimal("9999999"))
    ('₹99,500', '₹1 crore')
    """
    if amount is None:
        return ""
    if abs(amount) < _LAKH:
        return printed(amount, "INR")
    unit, name = _LAKH, "lakh"
    # What would round to a hundred lakh is a crore.
    if _rounded(abs(amount) / _LAKH) * _LAKH >= _CRORE:
        unit, name = _CRORE, "crore"
    text = grouped(_rounded(abs(amount) / unit))
    return f"{'-' if amount < 0 else ''}₹{text.rstrip('0').rstrip('.')} {name}"


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)


def rupees(amount: Decimal | None) -> str:
    """An amount in full, grouped as in India.

    >>> rupees(Decimal("17764480"))
    '₹1,77,64,480'
    """
    return "" if amount is None else printed(amount, "INR")


def moment(at: datetime | None) -> str:
    """An instant as a clock in India shows it.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 24, 20, 5, tzinfo=UTC))
    '25 Nov 2026, 01:35'
    """
    if at is None:
        return ""
    local = at.astimezone(INDIA)
    return f"{local.day} {local:%b %Y, %H:%M}"


def machine_time(at: datetime) -> str:
    """An instant for the attribute `datetime` of a time."""
    return at.astimezone(INDIA).isoformat(timespec="seconds")


def day(on: date | None) -> str:
    """A date.

    >>> day(date(2026, 11, 4))
    '4 Nov 2026'
    """
    return "" if on is None else f"{on.day} {on:%b %Y}"


def size(count: int | None) -> str:
    """A file's size.

    >>> size(812), size(1_600_000), size(52_428_800)
    ('812 bytes', '1.5 MB', '50 MB')
    """
    if count is None:
        return ""
    if count < 1024:
        return f"{count} bytes"
    if count < 1 << 20:
        return f"{count >> 10} kB"
    return f"{Decimal(count) / (1 << 20):.1f} MB".replace(".0 MB", " MB")


FILTERS: Mapping[str, Any] = {
    "word": word,
    "tone": tone,
    "in_lakh_or_crore": in_lakh_or_crore,
    "rupees": rupees,
    "moment": moment,
    "machine_time": machine_time,
    "day": day,
    "size": size,
}
