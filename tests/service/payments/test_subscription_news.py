"""What a provider says of a subscription that it collects for reaches the subscription, once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from service.identifiers import new_id
from service.subscriptions import records as subscriptions
from service.subscriptions import subscribing
from service.subscriptions.plans import create_plan
from service.subscriptions.records import Subscription
from tests.service.payments.conftest import Till


def subscribed(till: Till, provider: str, called: str) -> tuple[Any, Subscription]:
    account = till.books.account()
    with till.books.acting() as connection:
        plan = create_plan(
            connection,
            till.books.actor,
            name=f"Plan {new_id()}",
            price_monthly=Decimal(500),
            monthly_credit_allowance=5,
            sac="998399",
            tax_rate=Decimal(18),
        )
        made = subscribing.subscribe(
            connection,
            till.books.actor,
            account,
            plan.plan_id,
            provider=provider,  # type: ignore[arg-type]
            provider_subscription_id=called,
        )
    return account, made


def now(till: Till, one: Subscription) -> Subscription:
    with till.books.acting() as connection:
        return subscriptions.find(connection, one.tenant_id, one.subscription_id)


def stripe_event(kind: str, **about: Any) -> dict[str, Any]:
    return {"id": "evt", "object": "event", "type": kind, "data": {"object": about}}


def charged(called: str, payment: str, amount: int = 59_000) -> dict[str, Any]:
    return {
        "entity": "event",
        "event": "subscription.charged",
        "payload": {
            "subscription": {"entity": {"id": called, "status": "active"}},
            "payment": {
                "entity": {
                    "id": payment,
                    "amount": amount,
                    "currency": "INR",
                    "status": "captured",
                    "notes": [],
                    "description": "",
                }
            },
        },
    }


def test_a_collected_price_refills_once_however_often_it_is_told(till: Till) -> None:
    called = f"sub_{new_id()}"
    account, made = subscribed(till, "razorpay", called)

    for event_id in ("ev_a", "ev_a", "ev_told_under_another_id"):
        event = till.hear("razorpay", charged(called, "pay_one"), f"{event_id}_{called}")
        assert (event.status, event.outcome) == ("processed", "paid")

    assert till.wallet(account).available == 5
    assert now(till, made).status == "active"


def test_stripes_invoice_names_the_subscription_in_both_editions(till: Till) -> None:
    called = f"sub_{new_id()}"
    account, _ = subscribed(till, "stripe", called)
    parent = {"subscription_details": {"subscription": called}}

    for about in ({"parent": parent}, {"subscription": called}):
        event = stripe_event("invoice.paid", id="in_1", amount_paid=59_000, currency="inr", **about)
        assert till.hear("stripe", event).outcome == "paid"

    assert till.wallet(account).available == 5


def test_less_than_the_price_pays_nothing(till: Till) -> None:
    called = f"sub_{new_id()}"
    account, _ = subscribed(till, "razorpay", called)

    event = till.hear("razorpay", charged(called, "pay_little", 49_999))

    assert (event.status, event.outcome) == ("refused", "amount_differs")
    assert till.wallet(account).available == 0


@pytest.mark.parametrize(
    ("status", "becomes"), [("canceled", "cancelled"), ("paused", "paused"), ("active", "active")]
)
def test_what_stripe_calls_a_subscription_is_heard(till: Till, status: str, becomes: str) -> None:
    called = f"sub_{new_id()}"
    _, made = subscribed(till, "stripe", called)
    till.hear(
        "stripe",
        stripe_event(
            "invoice.paid",
            id=f"in_{called}",
            amount_paid=59_000,
            currency="inr",
            subscription=called,
        ),
    )

    event = till.hear(
        "stripe", stripe_event("customer.subscription.updated", id=called, status=status)
    )

    assert event.status == "processed"
    assert now(till, made).status == becomes


def test_a_subscription_that_nobody_knows_is_unmatched(till: Till) -> None:
    event = till.hear("razorpay", charged("sub_nobodys", "pay_x"))

    assert (event.status, event.outcome) == ("unmatched", "no_subscription")
