"""Providers tell twice, late and in any order; what is known in the end is the same."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from service.payments.records import Order
from tests.service.payments.conftest import Till

#: An attempt that fails, one that succeeds, and a refund of a part; told in 120 orders.
FIVE = {
    "stripe": (
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.refunded",
    ),
    "razorpay": (
        "payment.failed",
        "payment.authorized",
        "payment.captured",
        "payment_link.paid",
        "refund.processed",
    ),
}
PART = 59_000


@pytest.mark.parametrize("provider", ["stripe", "razorpay"])
def test_all_120_orders_of_five_events_with_duplicates_end_the_same(
    till: Till, provider: str
) -> None:
    pattern, told = _told_once(till, provider)
    ends = set()
    for number, permutation in enumerate(itertools.permutations(FIVE[provider])):
        account = till.books.account()
        order = till.started(account, provider=provider)
        ids = {str(pattern.payment_order_id): str(order.payment_order_id)}
        ids |= {one: f"{one}{number:03}" for one in _ids_of(pattern, told)}
        events = {kind: (f"{one}{number}", _renamed(it, ids)) for kind, (one, it) in told.items()}
        stored = till.keep_all(provider, events)
        for place, kind in enumerate(permutation):
            till.process(stored[kind])
            # Told again: at once, and after what came later.
            till.process(stored[permutation[max(0, place - 2)]])
        if number % 12 == 0:
            for kind in permutation:
                assert till.keep(provider, *events[kind]) == stored[kind]
                # A signed body is sent again under another id, which no signature covers.
                till.hear(provider, events[kind][1])
        # What came before its order's link was known is found by the sweep.
        for event_id in stored.values():
            till.process(event_id)
        ends.add(_end(till, account, order))

    assert len(ends) == 1
    (end,) = ends
    assert dict(end) == {
        "status": "partially_refunded",
        "refunded": PART,
        "reversed": PART,
        "credits_reversed": 5,
        "credits_owed": 0,
        "advance": 0,
        "failure": end_failure(provider),
        "finding": None,
        "settled": True,
        "wallet": 5,
        f"inr:{provider}": 118_000 - PART,
        "inr:prepaid_credits": PART - 118_000,
        "credits:issued": -10,
        "credits:adjusted": 5,
        "credits:available": 5,
        "entries": 4,
    }


def _told_once(till: Till, provider: str) -> tuple[Order, dict[str, tuple[str, Any]]]:
    """An order at the stand-in, and the five events that it tells of it."""
    order = till.opened(till.books.account(), provider=provider)
    till.stand_ins.pull(order, "pay", outcome="failed")
    till.stand_ins.pull(order, "pay", outcome="paid")
    till.stand_ins.pull(order, "refund", amount=PART)
    events = till.stand_ins.events(order)
    return order, {kind: events[kind] for kind in FIVE[provider]}


def _ids_of(order: Order, told: dict[str, tuple[str, Any]]) -> set[str]:
    """The provider's ids in the events, and how descriptions write the link's."""
    found = set(re.findall(r'"((?:cs|pi|ch|pay|order|rfnd)_[^"]+)"', json.dumps(told)))
    return found | {(order.provider_order_id or "").removeprefix("plink_")}


def _renamed(event: Any, ids: dict[str, str]) -> Any:
    text = json.dumps(event)
    for before, after in ids.items():
        text = text.replace(before, after)
    return json.loads(text)


def end_failure(provider: str) -> str:
    return {"stripe": "card_declined", "razorpay": "BAD_REQUEST_ERROR"}[provider]


def _end(till: Till, account: Any, order: Any) -> tuple[tuple[str, Any], ...]:
    found, wallet = till.order(order), till.wallet(account)
    known = {
        name: getattr(found, name)
        for name in (
            *("status", "refunded", "reversed", "credits_reversed", "credits_owed", "advance"),
            *("failure", "finding"),
        )
    }
    return tuple(
        {
            **known,
            "settled": found.is_settled,
            "wallet": wallet.wallet,
            "entries": wallet.journal_seq,
            **till.ledgers(account),
        }.items()
    )
