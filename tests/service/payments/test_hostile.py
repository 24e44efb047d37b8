"""Payments: what is contradicted later, and sums that no table holds."""

from __future__ import annotations

import pytest

from service.errors import ServiceError
from service.invoices import records as invoice_records
from service.invoices import settling
from service.payments.providers import News
from service.payments.settling import apply_news
from tests.service.payments.conftest import Till, price_credits
from tests.service.payments.test_refunds import give_back, paid


def test_a_refund_that_came_about_and_then_failed_is_told_of(till: Till) -> None:
    order = paid(till)
    order, refund = give_back(till, order, 59_000, "r1")
    assert refund.status == "succeeded"
    with till.books.acting() as connection:
        apply_news(
            connection,
            till.books.actor,
            order.payment_order_id,
            News(
                "refund",
                order_id=order.payment_order_id,
                amount=59_000,
                currency="INR",
                refund_id=refund.refund_id,
                provider_refund_id=refund.provider_refund_id,
                refund_status="failed",
            ),
        )
    after = till.order(order)
    assert after.finding is not None
    assert after.refunded == 59_000


def test_credits_for_more_money_than_the_books_hold_are_refused(till: Till) -> None:
    account = till.books.account()
    with till.books.acting() as connection:
        price_credits(
            connection, till.books.actor, "900000000000.00", external_key=account.external_key
        )
    with pytest.raises(ServiceError) as refused:
        till.started(account, credits=1_000_000)
    assert refused.value.status == 400


def test_what_came_through_a_provider_does_not_go_back_beside_it(till: Till) -> None:
    """Given back by bank, and then by the provider too, it would go back twice."""
    account = till.books.account()
    invoice = till.books.issued(account)
    order = till.opened(account, invoice_id=invoice.invoice_id)
    till.stand_ins.pull(order, "pay")
    till.hear("stripe", till.stand_ins.events(order)["checkout.session.completed"][1])
    with till.books.acting() as connection:
        (payment,) = invoice_records.settlements_of(
            connection, account.tenant_id, invoice.invoice_id
        )
    with pytest.raises(ServiceError) as refused:
        till.books.run(
            settling.reverse_settlement,
            account,
            kind="refund",
            amount=payment.amount,
            settlement_id=payment.settlement_id,
            mode="bank_transfer",
            key="by bank",
        )
    assert refused.value.code == "PAYMENT_THROUGH_PROVIDER"
    after, refund = give_back(till, till.order(order), None, "by the provider")
    assert (after.status, after.finding, refund.amount) == ("refunded", None, 118_000)
