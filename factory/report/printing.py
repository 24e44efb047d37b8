"""How a report writes a value: final texts, the same everywhere in the document.

Numbers and their units are held together by no-break spaces. What is not known, and what the
contract does not say, has a text of its own: never zero, never a blank.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from contracts.quantities import plain
from engine.indian_numbers import grouped, printed, rupee_words

if TYPE_CHECKING:
    from contracts.quantities import Quantity

NO_BREAK = "\u00a0"
NOT_KNOWN = "not known"
NOT_STATED = "not stated"

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
# What XML cannot hold, and marks that turn the order of signs around.
_NO_TEXT = re.compile(
    "[^\\n\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
    "|[\\ufdd0-\\ufdef\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)
_LINE_BREAK = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CRORE, _LAKH = 7, 5
_METRIC_DECIMALS = 2
_MOST_DECIMALS = 4

#: Units as a bank writes them; every other unit is written as its people write it.
UNIT_WORDS = {
    "sqft": "sq ft",
    "sqm": "sq m",
    "sqyd": "sq yd",
    "sqkm": "sq km",
    "percent": "%",
}

#: What the contract's words for choices say to a bank.
WORDS = {
    "VALUATION": "Valuation",
    "DPR": "Detailed project report",
    "REVALUATION": "Revaluation",
    "STAGE_PROGRESS": "Stage progress",
    "SBI": "State Bank of India",
    "PSU_GENERIC": "Public-sector bank",
    "COOP": "Co-operative bank",
    "AGRI": "Agricultural bank",
    "OTHER": "Other",
    "LT_5CR": "Below ₹5 crore",
    "GT_5CR": "₹5 crore and above",
    "SBI_FORMAT_A": "Format A",
    "BOI_PSU_GENERIC": "Long format",
    "COOP_GENERIC": "Co-operative format",
    "AGRI_GENERIC": "Agricultural format",
    "LAND_BUILDING": "Land and building",
    "LAND": "Land",
    "FLAT": "Flat",
    "SHOP": "Shop",
    "AGRICULTURAL": "Agricultural land",
    "INDUSTRIAL": "Industrial property",
    "CARPET": "Carpet area",
    "BUILT_UP": "Built-up area",
    "SUPER_BUILT_UP": "Super built-up area",
    "SALEABLE": "Saleable area",
    "WET": "Wet land",
    "DRY": "Dry land",
    "GARDEN": "Garden land",
    "PLANTATION": "Plantation",
    "PASTURE": "Pasture",
    "OWNER": "Occupied by the owner",
    "TENANT": "Let to a tenant",
    "VACANT": "Vacant",
    "PARTLY_LET": "Partly let",
    "FREEHOLD": "Freehold",
    "LEASEHOLD": "Leasehold",
    "PLINTH": "Plinth",
    "RCC": "RCC frame and slabs",
    "BRICKWORK": "Brickwork",
    "PLASTER_IN": "Internal plaster",
    "PLASTER_OUT": "External plaster",
    "FLOORING": "Flooring",
    "SERVICES": "Plumbing and electrical work",
    "JOINERY": "Doors, windows and painting",
    "FINISHING": "Finishing",
    "DOCUMENT": "Document",
    "PHOTO": "Photograph",
    "SCREENSHOT": "Screenshot",
    "GEO": "Photograph with position",
    "SALE_DEED": "Sale deed",
    "RTC": "Record of rights",
    "EC": "Encumbrance certificate",
    "KHATA": "Khata",
    "TAX": "Tax receipt",
    "NA_ORDER": "Conversion order",
    "PLAN": "Plan",
    "ID_PROOF": "Proof of identity",
    "BANK_LETTER": "Letter of the bank",
}


def text(written: str) -> str:
    r"""A text as a document can hold it: no control characters, no blanks around it.

    >>> text("  12 Temple Road\r\nMysuru\x07 ")
    '12 Temple Road\nMysuru'
    """
    return _NO_TEXT.sub("", _LINE_BREAK.sub("\n", written).replace("\t", " ")).strip()


def day(value: date) -> str:
    """A date in words.

    >>> day(date(2026, 11, 12)).replace(NO_BREAK, " ")
    '12 November 2026'
    """
    return f"{value.day}{NO_BREAK}{_MONTHS[value.month - 1]}{NO_BREAK}{value.year}"


def moment(value: datetime) -> str:
    """A date with the time of day, as the clock at the place showed it.

    >>> moment(datetime(2026, 11, 10, 9, 5)).replace(NO_BREAK, " ")
    '10 November 2026, 09:05'
    """
    return f"{day(value)}, {value.hour:02}:{value.minute:02}"


def yes_no(value: bool) -> str:
    """A truth value in words."""
    return "yes" if value else "no"


def choice(code: str) -> str:
    """One of the contract's words for choices, as a bank reads it.

    >>> choice("LAND_BUILDING"), choice("NEW_WORD"), choice("UNKNOWN")
    ('Land and building', 'New word', 'not known')
    """
    if code == "UNKNOWN":
        return NOT_KNOWN
    return WORDS.get(code) or readable(code.lower())


def readable(key: str) -> str:
    """A key as a label.

    >>> readable("living_dining"), readable("first-floor")
    ('Living dining', 'First floor')
    """
    words = text(key.replace("_", " ").replace("-", " ")) or key
    return words[:1].upper() + words[1:]


def amount(value: Decimal) -> str:
    """Rupees in figures, paise only where there are some.

    >>> amount(Decimal("17764480")), amount(Decimal("-1500.5"))
    ('₹1,77,64,480', '-₹1,500.50')
    """
    return printed(value, "INR")


def amount_plain(value: Decimal) -> str:
    """Rupees in figures without their sign, for columns headed by it."""
    return amount(value).replace("₹", "")


def amount_words(value: Decimal) -> str:
    """Rupees in words.

    >>> amount_words(Decimal("37300000"))
    'Rupees Three Crore Seventy Three Lakh Only'
    """
    return rupee_words(value)


def amount_short(value: Decimal) -> str:
    """Rupees in crore or lakh, to the last digit.

    >>> amount_short(Decimal("17764480")).replace(NO_BREAK, " ")
    '₹1.776448 crore'
    >>> amount_short(Decimal("-3200000")).replace(NO_BREAK, " "), amount_short(Decimal("9500"))
    ('-₹32 lakh', '₹9,500')
    """
    magnitude = value.copy_abs().adjusted() if value else 0
    for places, word in ((_CRORE, "crore"), (_LAKH, "lakh")):
        if magnitude >= places:
            number = grouped(Decimal(_without_zeros(plain(abs(value).scaleb(-places)))))
            return f"{'-' if value < 0 else ''}₹{number}{NO_BREAK}{word}"
    return amount(value)


def figure(value: Decimal, unit: str | None) -> str:
    """A computed number with its unit: money to the paisa, metric areas to two decimals.

    >>> figure(Decimal("55972.33416689"), "INR/sqm").replace(NO_BREAK, " ")
    '₹55,972.33 per sq m'
    >>> figure(Decimal("134.709408"), "sqm").replace(NO_BREAK, " ")
    '134.71 sq m'
    >>> figure(Decimal("12.00"), "percent").replace(NO_BREAK, " ")
    '12.00 %'
    """
    head, *per = (unit or "number").split("/")
    if head == "INR":
        number = amount(value)
    elif head in {"number", "1"}:
        number = _at_most(value, _MOST_DECIMALS)
    else:
        number = _at_most(value, _METRIC_DECIMALS if head in {"sqm", "m"} else _MOST_DECIMALS)
    return _with_unit(number, head, per)


def entered(quantity: Quantity) -> str:
    """A quantity as it was entered, with every digit; several terms stand side by side.

    >>> from contracts.quantities import parse_quantity
    >>> entered(parse_quantity("900000 INR/cent")).replace(NO_BREAK, " ")
    '₹9,00,000 per cent'
    >>> entered(parse_quantity("3 bigha 2 katha")).replace(NO_BREAK, " ")
    '3 bigha 2 katha'
    """
    terms = []
    for number, unit in quantity.terms:
        if unit is None:
            terms.append(grouped(number))
            continue
        head, *per = unit.split("/")
        exact = _exact_amount(number) if head == "INR" else grouped(number)
        terms.append(_with_unit(exact, head, per))
    # Terms may part at the end of a line, so that narrow columns break no word.
    written = " ".join(terms)
    return f"{written} (as in {text(quantity.place)})" if quantity.place else written


def unit_words(unit: str) -> str:
    """A unit as a bank writes it.

    >>> unit_words("INR/sqft"), unit_words("cent")
    ('₹ per sq ft', 'cent')
    """
    return " per ".join(
        "₹" if part == "INR" else UNIT_WORDS.get(part, part) for part in unit.split("/")
    )


def definition(written: str) -> str:
    """What units are worth, as the register of units writes it.

    >>> definition("1 acre = 43560 sqft").replace(NO_BREAK, " ")
    '1 acre = 43,560 sq ft'
    """
    numbers = re.sub(r"\d+(?:\.\d+)?", lambda found: grouped(Decimal(found[0])), written)
    words = (UNIT_WORDS.get(word, word) for word in re.split(r"\b(\w+)\b", text(numbers)))
    return "".join(words)


def coordinate(degrees: Decimal, positive: str, negative: str) -> str:
    """Degrees with the side of the equator or meridian.

    >>> coordinate(Decimal("12.3375"), "N", "S").replace(NO_BREAK, " ")
    '12.3375° N'
    """
    return f"{plain(abs(degrees))}°{NO_BREAK}{positive if degrees >= 0 else negative}"


def _with_unit(number: str, head: str, per: list[str]) -> str:
    if head in {"year", "month"}:
        words = [number, head if number in {"1", "-1"} else f"{head}s"]
    elif head in {"INR", "number", "1"}:
        words = [number]
    else:
        words = [number, *UNIT_WORDS.get(head, head).split()]
    for unit in per:
        words += ["per", *UNIT_WORDS.get(unit, unit).split()]
    return NO_BREAK.join(words)


def _exact_amount(value: Decimal) -> str:
    """Rupees as entered: two decimals where there are paise, more where more were entered."""
    digits = grouped(value)
    if len(digits.partition(".")[2]) <= _METRIC_DECIMALS:
        return amount(value)
    return f"-₹{digits[1:]}" if digits[0] == "-" else f"₹{digits}"


def _at_most(value: Decimal, decimals: int) -> str:
    """The number to so many decimals; a smaller one by its first digits, never as nothing."""
    digits = grouped(value)
    if len(digits.partition(".")[2]) <= decimals:
        return digits
    shortened = grouped(value, max(decimals, 1 - value.adjusted()))
    return _without_zeros(shortened) if decimals != _METRIC_DECIMALS else shortened


def _without_zeros(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
