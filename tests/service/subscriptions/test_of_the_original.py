"""The original's own cases of M5.1, and where ours differ: periods are calendar months."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from service.billing.accounts import find_account
from service.invoices.records import find as find_invoice
from service.invoices.settling import settle
from service.subscriptions import refilling, subscribing
from service.subscriptions.sweeping import Swept
from tests.service.subscriptions.conftest import Books


def test_m5_1_case_1_a_refill_asked_for_twice_is_one_grant(books: Books, set_clock: Any) -> None:
    """There the key made it one; here the period does, whatever the key."""
    set_clock(2026, 1, 1, 12)
    one = books.subscribed(credits=5)

    first, second = books.run(refilling.refill, one), books.run(refilling.refill, one)

    assert (first.was_given, second.was_given) == (False, True)
    assert (first.moved.credits, second.moved.credits) == (5, 0)
    assert len(books.grants(one)) == 1


def test_m5_1_case_2_a_paused_subscription_is_not_refilled(books: Books, set_clock: Any) -> None:
    set_clock(2026, 1, 1, 12)
    one = books.subscribed(credits=5)
    books.sweep()
    books.run(subscribing.pause, one)

    set_clock(2026, 2, 1, 12)
    done = books.run(refilling.refill, one)

    assert (done.moved.subscription.status, done.moved.credits) == ("paused", 0)
    assert len(books.grants(one)) == 1


def test_m5_1_case_3_a_refill_on_the_first_of_february_begins_february(
    books: Books, set_clock: Any
) -> None:
    """There the new period was 30 days, until 3 March; here it is the month, until 1 March."""
    set_clock(2026, 1, 1, 12)
    one = books.subscribed(credits=5)
    books.sweep()

    set_clock(2026, 2, 1, 12)
    done = books.run(refilling.refill, one)

    assert (done.period.starts_on, done.period.ends_on) == (date(2026, 2, 1), date(2026, 3, 1))
    assert books.now(one).due_at == datetime(2026, 2, 28, 18, 30, tzinfo=UTC)


def test_m5_1_case_4_the_sweep_refills_the_one_that_is_due(books: Books, set_clock: Any) -> None:
    set_clock(2026, 1, 1, 12)
    one = books.subscribed(credits=5)
    books.sweep()

    set_clock(2026, 2, 1, 12)
    swept = books.sweep()

    assert (swept.scanned, swept.refilled, swept.errors) == (1, 1, ())
    assert books.wallet(one) == 10
    assert books.sweep() == Swept()


def test_m5_1_case_5_paying_an_invoice_twice_under_one_key_is_one_payment(
    books: Books, set_clock: Any
) -> None:
    """Due 100, paid 100 twice with idem-mark-paid; here the invoice is a subscription's."""
    set_clock(2026, 1, 1, 12)
    one = books.subscribed(price=100)
    books.sweep()
    invoice_id = books.periods(one)[0].invoice_id
    statuses = []
    for _ in range(2):
        with books.acting() as connection:
            account = find_account(connection, books.firm_id, one.account_id)
            settle(
                connection, books.actor, account, invoice_id,
                amount=Decimal(118), mode="upi", key="idem-mark-paid",
            )  # fmt: skip
            statuses.append(find_invoice(connection, books.firm_id, invoice_id).status)
        books.sweep()

    with books.acting() as connection:
        payments = connection.scalar(
            text("select count(*) from invoice_settlements where invoice_id = :invoice"),
            {"invoice": invoice_id},
        )
    assert (statuses, payments) == (["paid", "paid"], 1)
    assert len(books.grants(one)) == 1
