"""Numbers as Indian reports print them: 1,23,45,678, lakh and crore in words, units in messages.

For the printed edge only; nothing here is read back into a computation, except words, which are
read to check them against the figures beside them.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from contracts.quantities import plain

_CRORE = 10_000_000
# Half away from zero, as people round; wide enough for any number that 34-digit arithmetic gives.
_PRINT = Context(prec=7000, rounding=ROUND_HALF_UP)
_PAISE = 2
# Enough to see on which side of a limit a figure lies, few enough to read.
_MOST_DECIMALS = 4
# Of a written amount; the longest sensible one has about thirty.
_MOST_WORDS = 80

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_SMALL = {word: number for number, word in enumerate(_UNITS)}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}


def _below_a_thousand() -> tuple[str, ...]:
    """Words of 0 to 999, so that an amount is four look-ups."""
    small = [word.capitalize() for word in _UNITS]
    for word in _TENS:
        small += [word.capitalize(), *(f"{word.capitalize()} {unit}" for unit in small[1:10])]
    hundreds = [
        f"{small[count]} Hundred" + (f" {small[rest]}" if rest else "")
        for count in range(1, 10)
        for rest in range(100)
    ]
    return (*small, *hundreds)


_BELOW_A_THOUSAND = _below_a_thousand()
_SCALES = {"crore": _CRORE, "lakh": 100_000, "thousand": 1_000, "hundred": 100}
_SPELLINGS = {
    **dict.fromkeys(("crores", "cr"), "crore"),
    **dict.fromkeys(("lakhs", "lac", "lacs"), "lakh"),
    "thousands": "thousand",
    "hundreds": "hundred",
    **dict.fromkeys(("rupee", "rs", "inr", "₹"), "rupees"),
    **dict.fromkeys(("paisa", "ps"), "paise"),
    "negative": "minus",
    "fourty": "forty",
    "ninty": "ninety",
}


def grouped(number: Decimal, decimals: int | None = None) -> str:
    """A number with Indian grouping, and with a fixed count of decimals if one is asked for.

    Args:
        number: any finite decimal.
        decimals: as entered if absent; otherwise rounded half away from zero to so many.

    >>> grouped(Decimal("12345678.5")), grouped(Decimal("-100000"), 2)
    ('1,23,45,678.5', '-1,00,000.00')
    """
    if decimals is not None:
        number = _rounded(number, decimals)
    text = plain(number)
    sign = "-" if text[0] == "-" else ""
    whole, point, fraction = text[len(sign) :].partition(".")
    if len(whole) > 3:
        head, groups = whole[:-3], [whole[-3:]]
        while head:
            head, group = head[:-2], head[-2:]
            groups.append(group)
        whole = ",".join(reversed(groups))
    return f"{sign}{whole}{point}{fraction}"


def rupee_words(amount: Decimal) -> str:
    """An amount in words, to the paisa (half away from zero).

    Beyond a crore of crores the word crore is repeated, as arab and kharab are not said.

    >>> rupee_words(Decimal("37300000")), rupee_words(Decimal("1.50"))
    ('Rupees Three Crore Seventy Three Lakh Only', 'Rupees One and Paise Fifty Only')
    """
    if amount == amount.to_integral_value():
        rupees, paise = abs(int(amount)), 0
    else:
        amount = _rounded(amount, _PAISE)
        rupees, paise = divmod(int(amount.copy_abs().scaleb(_PAISE, _PRINT)), 100)
    parts = []
    if rupees or not paise:
        parts.append(f"Rupees {_whole_words(rupees)}")
    if paise:
        parts.append(f"Paise {_whole_words(paise)}")
    minus = "Minus " if amount < 0 else ""
    return f"{minus}{' and '.join(parts)} Only"


def number_words(number: Decimal) -> str:
    """A plain number in words, its decimals digit by digit.

    >>> number_words(Decimal("-120.05"))
    'Minus One Hundred Twenty Point Zero Five'
    """
    minus = "Minus " if number < 0 else ""
    whole, _, fraction = plain(number.copy_abs()).partition(".")
    words = [_whole_words(int(whole))]
    if fraction:
        words += ["Point", *(_whole_words(int(digit)) for digit in fraction)]
    return minus + " ".join(words)


def parse_rupee_words(text: str) -> Decimal | None:
    """The amount that words state, as reports write them; `None` if they state none clearly.

    >>> parse_rupee_words("RUPEES THREE CRORE SEVENTY-THREE LAKHS ONLY")
    Decimal('37300000')
    >>> parse_rupee_words("Rs. five and fifty paise only")
    Decimal('5.50')
    """
    tokens = [
        _SPELLINGS.get(token, token)
        for token in re.sub(r"[\s,.()\-–/:;]+", " ", text.casefold()).split()
    ]
    if len(tokens) > _MOST_WORDS:
        return None
    if tokens and tokens[-1] == "only":
        tokens = tokens[:-1]
    minus = tokens[:1] == ["minus"]
    if minus:
        tokens = tokens[1:]
    parts = _rupees_and_paise(tokens)
    if parts is None:
        return None
    rupees, paise = (_whole(part) if part else 0 for part in parts)
    if rupees is None or paise is None or paise > 99 or not any(parts):
        return None
    amount = Decimal(rupees) if not parts[1] else Decimal(f"{rupees}.{paise:02}")
    return -amount if minus and amount else amount


def printed(value: Decimal, unit: str | None = None) -> str:
    """A number with its unit, for messages: at most four decimals, money to the paisa.

    >>> printed(Decimal("11965000"), "INR"), printed(Decimal("900000"), "INR/cent")
    ('₹1,19,65,000', '₹9,00,000 per cent')
    >>> printed(Decimal("7.71"), "percent"), printed(Decimal("6.59"), "cent")
    ('7.71 %', '6.59 cent')
    """
    if unit is None or unit == "1":
        return _short(value)
    head, *per = unit.split("/")
    if head == "INR":
        text = _money(value)
    elif head == "1":
        text = _short(value)
    elif head == "percent":
        text = f"{_short(value)} %"
    elif head in {"year", "month"}:
        number = _short(value)
        text = f"{number} {head}" if number == "1" else f"{number} {head}s"
    else:
        text = f"{_short(value)} {head}"
    return " per ".join([text, *per])


def _money(value: Decimal) -> str:
    text, _, fraction = grouped(value).partition(".")
    if fraction.strip("0"):
        text = grouped(value, _PAISE)
    return f"-₹{text[1:]}" if text[0] == "-" else f"₹{text}"


def _short(value: Decimal) -> str:
    text = grouped(value)
    if len(text.partition(".")[2]) <= _MOST_DECIMALS:
        return text
    # A number smaller than that is shown by its first digits, never as nothing.
    decimals = max(_MOST_DECIMALS, 1 - value.adjusted())
    return grouped(value, decimals).rstrip("0").rstrip(".")


def _rounded(number: Decimal, decimals: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-decimals), context=_PRINT)


def _whole_words(number: int) -> str:
    crores, rest = divmod(number, _CRORE)
    if not crores:
        return _words_below_a_crore(rest)
    # Beyond a crore of crores the word is repeated.
    words = f"{_whole_words(crores)} Crore"
    return f"{words} {_words_below_a_crore(rest)}" if rest else words


def _words_below_a_crore(number: int) -> str:
    """As on a cheque: without commas, hyphens and "and"."""
    lakhs, rest = divmod(number, 100_000)
    thousands, rest = divmod(rest, 1_000)
    words = []
    if lakhs:
        words.append(f"{_BELOW_A_THOUSAND[lakhs]} Lakh")
    if thousands:
        words.append(f"{_BELOW_A_THOUSAND[thousands]} Thousand")
    if rest or not words:
        words.append(_BELOW_A_THOUSAND[rest])
    return " ".join(words)


def _rupees_and_paise(tokens: list[str]) -> tuple[list[str], list[str]] | None:
    """The words of the two parts, or `None` where the split is not clear."""
    if tokens.count("paise") > 1 or tokens.count("rupees") > 1 or not tokens:
        return None
    rupees, paise = tokens, list[str]()
    if "paise" in tokens:
        at = tokens.index("paise")
        if at < len(tokens) - 1:  # five and paise fifty
            rupees, paise = tokens[:at], tokens[at + 1 :]
        else:  # five and fifty paise; five rupees fifty paise; fifty paise
            middle = _before_paise(tokens[:at])
            if middle is None:
                return None
            rupees, paise = tokens[:middle], tokens[middle:at]
        if not _spoken(paise):
            return None
    return _spoken(rupees), _spoken(paise)


def _before_paise(tokens: list[str]) -> int | None:
    if "rupees" in tokens[1:]:
        return tokens.index("rupees") + 1
    if "and" in tokens:
        return len(tokens) - tokens[::-1].index("and") - 1
    return None if "rupees" in tokens else 0


def _spoken(tokens: list[str]) -> list[str]:
    return [token for token in tokens if token not in {"and", "rupees"}]


def _whole(tokens: list[str]) -> int | None:
    """A whole number in words: the part before the largest scale counts it, the rest is less."""
    for word, scale in _SCALES.items():
        if word in tokens:
            at = len(tokens) - tokens[::-1].index(word) - 1
            before = _whole(tokens[:at])
            after = _whole(tokens[at + 1 :]) if tokens[at + 1 :] else 0
            if not before or after is None or after >= scale:
                return None
            if word in tokens[:at] and word != "crore":
                return None
            return before * scale + after
    if len(tokens) == 2 and tokens[0] in _TENS and 0 < _SMALL.get(tokens[1], 0) < 10:
        return _TENS[tokens[0]] + _SMALL[tokens[1]]
    return {**_SMALL, **_TENS}.get(tokens[0]) if len(tokens) == 1 else None
