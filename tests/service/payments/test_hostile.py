"""Payments: what is contradicted later, and sums that no table holds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from service.errors import ServiceError
from service.invoices import prices
from service.payments.providers import News
from service.payments.settling import apply_news
from tests.service.payments.conftest import Till
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
        prices.add_price(
            connection,
            till.books.actor,
            item="credit",
            description="Credit",
            sac="998399",
            unit_price=Decimal("900000000000.00"),
            tax_rate=Decimal(18),
            valid_from=date(2026, 4, 1),
            external_key=account.external_key,
        )
    with pytest.raises(ServiceError) as refused:
        till.started(account, credits=1_000_000)
    assert refused.value.status == 400
