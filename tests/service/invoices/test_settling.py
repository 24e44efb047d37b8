"""Payments, refunds, chargebacks and credit notes: to the paisa, once for each key."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices import adjusting, issuing, records, settling
from tests.service.invoices.conftest import Books, item


def test_an_invoice_is_paid_in_parts_and_then_nothing_is_left(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    assert (made.total, made.due, made.status) == (Decimal("1180.00"), Decimal("1180.00"), "issued")

    first = books.run(
        settling.settle, account, made.invoice_id, amount=Decimal("180.01"), mode="upi", key="a1"
    )
    assert (first.invoice.status, first.invoice.due) == ("partially_paid", Decimal("999.99"))
    second = books.run(
        settling.settle, account, made.invoice_id, amount=Decimal("999.99"), mode="upi", key="a2"
    )
    assert (second.invoice.status, second.invoice.due) == ("paid", Decimal("0.00"))
    assert second.invoice.is_paid
