"""What nobody has told us is found by asking, with pauses that grow and end."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from service import clock
from service.payments import asking, checkout
from service.payments.providers import stripe
from service.payments.records import Order
from tests.service.payments.conftest import BOTH, LINKS, Till
from tests.service.payments.test_refunds import give_back, paid


def ask(till: Till, order: Order) -> Order:
    """The order once its provider was asked and the answer was written down."""
    order = till.order(order)
    said = asking.ask_provider(till.service.settings, order, till.refunds(order))
    with till.books.acting() as connection:
        return asking.note(connection, till.books.actor, order.payment_order_id, said)


@BOTH
@pytest.mark.parametrize("fault", ["lost", "broken"])
def test_a_link_of_which_nothing_was_heard_is_found_or_made(
    till: Till, provider: str, fault: str
) -> None:
    till.stand_ins.fail_next(provider, "POST", LINKS[provider], fault)
    order = till.opened(till.books.account(), provider=provider)
    assert order.status == "unknown"

    found = ask(till, order)

    assert found.status == "pending"
    assert found.checkout_url
    links = till.stand_ins.links(order)
    assert [one["id"] for one in links] == [found.provider_order_id]


@BOTH
def test_money_of_which_no_event_came_is_found(till: Till, provider: str) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    till.stand_ins.pull(order, "pay")
    till.stand_ins.pull(order, "refund", amount=59_000)

    found = ask(till, order)

    assert (found.status, found.refunded) == ("partially_refunded", 59_000)
    assert till.wallet(account).available == 5
    assert "payment:order:found_paid" in till.audit(order)
    # The events come at last, and add nothing.
    for _, event in till.stand_ins.events(order).values():
        till.hear(provider, event)
    assert till.wallet(account).available == 5


@BOTH
def test_a_refund_of_which_nothing_was_heard_is_cleared_up(till: Till, provider: str) -> None:
    order = paid(till, provider)
    path = "/v1/refunds" if provider == "stripe" else f"/v1/payments/{order.provider_payment_id}"
    till.stand_ins.fail_next(provider, "POST", path, "broken")
    _, refund = give_back(till, order, 50_000, "r1")
    assert refund.status == "unknown"

    found = ask(till, order)

    assert found.refunded == 50_000
    assert [one.status for one in till.refunds(order)] == ["succeeded"]


@BOTH
def test_an_expired_link_needs_no_more_questions(till: Till, provider: str) -> None:
    order = till.opened(till.books.account(), provider=provider)
    till.stand_ins.pull(order, "expire")

    found = ask(till, order)

    assert (found.status, found.ask_at) == ("expired", None)


def test_the_pauses_grow_and_end_with_a_finding(till: Till, monkeypatch: Any) -> None:
    found = till.started(till.books.account())
    at = found.created_at
    monkeypatch.setattr(clock, "now", lambda: at)
    pauses = []
    with till.books.acting() as connection:
        for _ in range(50):
            if found.ask_at is None:
                break
            pauses.append(found.ask_at - at)
            at = found.ask_at
            found = asking.note(connection, till.books.actor, found.payment_order_id, ())

    assert pauses == list(checkout.PAUSES)
    assert sum(pauses, timedelta(0)) > timedelta(days=6)
    assert (found.status, found.finding) == ("unknown", "unresolved")
    assert "payment:order:questioned" in till.audit(found)


def test_the_clock_asks_for_one_job_for_each_order_that_is_due(
    till: Till, run_jobs: Any, monkeypatch: Any
) -> None:
    account = till.books.account()
    order = till.opened(account)
    till.stand_ins.pull(order, "pay")
    later = clock.now() + timedelta(minutes=6)
    with monkeypatch.context() as changed:
        changed.setattr(clock, "now", lambda: later)
        for _ in range(2):
            asking.ask_due(till.jobs)
    run_jobs()

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10


def test_an_order_whose_provider_is_not_set_up_any_more_is_moved_on(
    till: Till, run_jobs: Any, monkeypatch: Any
) -> None:
    order = till.opened(till.books.account())
    later = clock.now() + timedelta(minutes=6)
    with monkeypatch.context() as changed:
        changed.setattr(clock, "now", lambda: later)
        changed.setattr(stripe, "is_configured", lambda _: False)
        asking.ask_due(till.jobs)
        run_jobs()

    found = till.order(order)
    assert (found.status, found.asked) == ("pending", 1)
    assert found.ask_at == later + checkout.PAUSES[1]


def test_a_provider_that_does_not_answer_is_asked_again_later(till: Till) -> None:
    order = till.opened(till.books.account())
    other = dataclasses.replace(till.service.settings, stripe_secret_key="sk_test_another")

    assert asking.ask_provider(other, till.order(order), []) == ()
