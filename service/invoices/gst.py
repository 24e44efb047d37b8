"""Goods and services tax: numbers, States and rates as `gst.yaml` has them, and who is taxed where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints

from service.errors import invalid

_GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]")
_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Wide enough for every product of what an invoice may hold: nothing is rounded but on purpose.
_EXACT = Context(prec=60)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(_Part):
    """A rate of tax in per cent, and the days on which it is one."""

    rate: Decimal
    since: date
    until: date | None = None
    source: str


class State(_Part):
    """A State or union territory."""

    name: str
    is_union_territory: bool = False


class Law(_Part):
    """What `gst.yaml` says."""

    rates: tuple[Rate, ...]
    states: dict[Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")], State]


@dataclass(frozen=True, slots=True)
class Tax:
    """The taxes of one value, in paise: central and State tax, or integrated tax."""

    cgst: int = 0
    sgst: int = 0
    igst: int = 0


@cache
def law() -> Law:
    """The law's data as shipped."""
    text = resources.files("service.invoices").joinpath("gst.yaml").read_text("utf-8")
    return Law.model_validate(yaml.safe_load(text))


def check_digit(first_fourteen: str) -> str:
    """The fifteenth sign of a GSTIN.

    Signs count 0 to 35, every second one twice; of each product quotient and remainder by 36 are
    added up, and the digit is what the sum lacks to a multiple of 36.

    >>> check_digit("27AAPFU0939F1Z")
    'V'
    """
    total = 0
    for place, sign in enumerate(first_fourteen):
        total += sum(divmod(_SIGNS.index(sign) * (1 + place % 2), 36))
    return _SIGNS[-total % 36]


def gstin_problem(gstin: str) -> str | None:
    """What is wrong with a GSTIN, or None.

    >>> gstin_problem("27AAPFU0939F1ZV") is None
    True
    """
    if not _GSTIN.fullmatch(gstin):
        return "A GSTIN has 15 signs: State code, PAN, entity, Z and a check digit, in capitals."
    if gstin[:2] not in law().states:
        return f"There is no State with the code {gstin[:2]}."
    if gstin[-1] != check_digit(gstin[:-1]):
        return "The check digit does not agree with the rest. Compare it with the certificate."
    return None


def is_rate(rate: Decimal, on: date) -> bool:
    """Whether a rate of tax is one of the law's on a day."""
    return any(
        one.rate == rate and one.since <= on and (one.until is None or on <= one.until)
        for one in law().rates
    )


def check_rate(rate: Decimal, on: date, *, where: str = "") -> None:
    """See that a rate of tax is one of the law's on a day.

    Args:
        rate: in per cent.
        on: the day.
        where: what bears it, such as `Line 2: `, for the refusal.

    Raises:
        ServiceError: 400 TAX_RATE_UNKNOWN.
    """
    if not is_rate(rate, on):
        raise invalid(
            "TAX_RATE_UNKNOWN",
            "There is no such rate of tax",
            f"{where}{rate} % is no rate of GST for services on {on}.",
        )


def place_of_supply(*, gstin: str | None, state_code: str | None, issuer_state: str) -> str:
    """The State that a service is supplied in: IGST Act, section 12(2).

    A registered customer's is that of its registration. Another's is the State of the address on
    record; where there is no address, the supplier's own: (b)(ii).
    """
    return gstin[:2] if gstin else state_code or issuer_state


def half_up(amount: Decimal) -> int:
    """An amount in paise to the whole paisa, half away from zero.

    >>> half_up(Decimal("0.5")), half_up(Decimal("0.49")), half_up(Decimal("2.5"))
    (1, 0, 3)
    """
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP, _EXACT))


def line_total(quantity: Decimal, unit_price: int) -> int:
    """What so many cost, in paise, to the paisa."""
    return half_up(_EXACT.multiply(quantity, Decimal(unit_price)))


def tax_on(value: int, rate: Decimal, *, is_within_state: bool) -> Tax:
    """The taxes on a value in paise, each to the paisa by itself, as each is due by an Act of its own.

    >>> tax_on(10_005, Decimal(18), is_within_state=False).igst
    1801
    >>> tax_on(10_005, Decimal(18), is_within_state=True).cgst
    900
    """
    if is_within_state:
        half = half_up(_EXACT.divide(_EXACT.multiply(Decimal(value), rate), Decimal(200)))
        return Tax(cgst=half, sgst=half)
    return Tax(igst=half_up(_EXACT.divide(_EXACT.multiply(Decimal(value), rate), Decimal(100))))
