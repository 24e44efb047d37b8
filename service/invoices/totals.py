"""What lines come to, what is left to pay, and what state that makes; all in paise, nothing stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from service.billing.money import LARGEST_PAISE, paise, rupees
from service.errors import ServiceError, invalid
from service.invoices.gst import half_up, line_total, tax_on

Status = Literal["draft", "issued", "sent", "partially_paid", "paid", "void"]
#: Issued and not settled: what can be overdue, reminded of, and paid.
OPEN: tuple[Status, ...] = ("issued", "sent", "partially_paid")


@dataclass(frozen=True, slots=True)
class Item:
    """A line as it is asked for; the price is in paise."""

    description: str
    sac: str
    quantity: Decimal
    unit_price: int
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """A line with what it comes to, in paise."""

    line: int
    description: str
    sac: str
    quantity: Decimal
    unit_price: int
    tax_rate: Decimal
    line_total: int
    cgst: int
    sgst: int
    igst: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What an invoice's lines add up to, or what a credit note takes back of them."""

    subtotal: int
    cgst: int
    sgst: int
    igst: int

    @property
    def total(self) -> int:
        """The value with its taxes."""
        return self.subtotal + self.cgst + self.sgst + self.igst

    def in_rupees(self) -> dict[str, Decimal]:
        """All five in rupees, by the names that an invoice has for them."""
        names = ("subtotal", "cgst", "sgst", "igst", "total")
        return {name: rupees(getattr(self, name)) for name in names}


def price_lines(items: Sequence[Item], *, is_within_state: bool) -> tuple[Line, ...]:
    """Lines with their totals and taxes, each rounded to the paisa, half up; nothing is after that.

    Raises:
        ServiceError: 400 INVOICE_TOO_LARGE, more than the books can hold.
    """
    lines = []
    for number, item in enumerate(items, 1):
        value = line_total(item.quantity, item.unit_price)
        tax = tax_on(value, item.tax_rate, is_within_state=is_within_state)
        lines.append(
            Line(
                line=number,
                description=item.description,
                sac=item.sac,
                quantity=item.quantity,
                unit_price=item.unit_price,
                tax_rate=item.tax_rate,
                line_total=value,
                cgst=tax.cgst,
                sgst=tax.sgst,
                igst=tax.igst,
            )
        )
    if sum_of(lines).total > LARGEST_PAISE:
        raise invalid("INVOICE_TOO_LARGE", "The invoice is over more money than the books can hold")
    return tuple(lines)


def sum_of(lines: Sequence[Line]) -> Totals:
    """What lines add up to."""
    return Totals(
        subtotal=sum(line.line_total for line in lines),
        cgst=sum(line.cgst for line in lines),
        sgst=sum(line.sgst for line in lines),
        igst=sum(line.igst for line in lines),
    )


def status_of(
    *, is_void: bool, is_issued: bool, is_sent: bool, settled: Decimal, due: Decimal
) -> Status:
    """The state of an invoice: what is left to pay counts before that it was sent."""
    if is_void:
        return "void"
    if not is_issued:
        return "draft"
    if due <= 0:
        return "paid"
    if settled:
        return "partially_paid"
    return "sent" if is_sent else "issued"


def share(of: Totals, credited: int, amount: int) -> Totals:
    """Value and taxes that a credit note takes back.

    What all credit notes together take back of each tax is its share of what was credited, to the
    paisa; so the last one, which credits the rest, takes back exactly the rest of each.

    Args:
        of: the invoice's totals.
        credited: what earlier credit notes took back, in all.
        amount: what this one credits, taxes included.
    """

    def part(tax: int) -> int:
        def until(amount: int) -> int:
            return half_up(Decimal(tax * amount) / Decimal(of.total)) if of.total else 0

        return until(credited + amount) - until(credited)

    cgst, igst = part(of.cgst), part(of.igst)
    return Totals(amount - 2 * cgst - igst, cgst, cgst, igst)


def payable(amount: Decimal) -> int:
    """An amount that can be paid or credited, in paise.

    Raises:
        ServiceError: 400 AMOUNT_INVALID.
    """
    try:
        whole = paise(amount)
    except ValueError as problem:
        raise _amount_invalid(str(problem)) from None
    if whole <= 0:
        raise _amount_invalid("It has to be more than nothing.")
    return whole


def _amount_invalid(detail: str) -> ServiceError:
    return invalid("AMOUNT_INVALID", "The amount cannot be taken", detail)


def exceeds_due(due: Decimal) -> ServiceError:
    """The refusal of more than what is left to pay; the title is the older system's."""
    return invalid(
        "AMOUNT_EXCEEDS_DUE",
        "amount exceeds due",
        f"INR {due} is left to pay on this invoice.",
        amount_due=str(due),
    )
