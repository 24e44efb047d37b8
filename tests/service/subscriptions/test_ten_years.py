"""Years of sweeps over a real database agree with the plain model, whatever the clock does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service.billing.journal import verify_journal
from service.subscriptions import refilling, subscribing
from service.subscriptions.periods import anchor, begins_at, day_at, period_on
from service.subscriptions.records import Subscription
from tests.chaos.size import IS_FULL
from tests.service.subscriptions.conftest import Books
from tests.service.subscriptions.plain_model import PlainSubscription

YEARS = 10
ANCHORS = range(1, 32) if IS_FULL else (1, 29, 31)
ZONES = ("Asia/Kolkata", "Europe/London", "America/Sao_Paulo")
PRICES = ((0, 7), (500, 7), (500, 0))
HOUR = timedelta(hours=1)


@dataclass
class Pair:
    """A subscription and the model of it."""

    kept: Subscription
    model: PlainSubscription
    zone: str
    provider: bool

    def today(self, at: datetime) -> Any:
        return day_at(at, self.zone)


def _moments(start: datetime, random: Random, pairs: list[Pair]) -> list[datetime]:
    """When somebody looks: as a period or a grace begins or ends, about then, and much too late."""
    made, at = [], start
    while at < start + timedelta(days=366 * YEARS):
        one = random.choice(pairs)
        at += timedelta(days=random.choice((1, 3, 9, 9, 20)))
        if random.random() < 0.04:
            at += timedelta(days=70)
        if random.random() < 0.7:
            first, day = one.kept.started_on, one.kept.anchor_day
            coming = anchor(first, day, max(0, period_on(first, day, one.today(at)) + 1))
            grace = random.choice((0, 0, one.kept.grace_days + 1))
            at = begins_at(coming + timedelta(days=grace), one.zone).astimezone(UTC)
        made.append(at + random.choice((timedelta(0), timedelta(seconds=-1), HOUR, -HOUR)))
    return made


@pytest.mark.campaign
def test_years_of_sweeps_give_and_ask_for_what_the_plain_model_says(
    books: Books, set_clock: Any
) -> None:
    random = Random(5)  # noqa: S311 - a seed that repeats
    start = datetime(2026, 1, 2, 12, tzinfo=UTC)
    set_clock(start)
    pairs = []
    for number, anchor_day in enumerate(ANCHORS):
        zone = ZONES[number % len(ZONES)]
        price, grace = PRICES[(number // 2) % len(PRICES)]
        by_provider = price > 0 and number % 2 == 1
        more: dict[str, Any] = (
            {"provider": "stripe", "provider_subscription_id": f"sub_{number}"}
            if by_provider
            else {}
        )
        kept = books.subscribed(price, 5, grace, anchor_day=anchor_day, timezone=zone, **more)
        model = PlainSubscription(kept.started_on, anchor_day, price=price, grace=grace)
        pairs.append(Pair(kept, model, zone, by_provider))
    concurrent = 0
    for at in _moments(start, random, pairs):
        set_clock(at)
        due_now = [one for one in pairs if one.today(at) >= one.kept.started_on]
        for one in due_now:
            _act(books, one, at, random)
        if random.random() < 0.1:
            concurrent += 1
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: books.sweep(), range(2)))
        else:
            assert books.sweep().errors == ()
        for one in due_now:
            one.model.look(one.today(at))
        assert _told(books) == {
            one.kept.subscription_id: (one.model.status, len(one.model.given)) for one in pairs
        }, at
    assert concurrent > 2
    for one in pairs:
        _compare(books, one)


def _told(books: Books) -> dict[UUID, tuple[str, int]]:
    """What each subscription is called, and how many periods it was given."""
    with books.acting() as connection:
        rows = connection.execute(
            text(
                "select s.subscription_id, s.status, count(r.period) from subscriptions s"
                " left join subscription_refills r on r.tenant_id = s.tenant_id"
                " and r.subscription_id = s.subscription_id where s.tenant_id = :tenant group by 1, 2"
            ),
            {"tenant": books.firm_id},
        )
        return {row[0]: (row[1], row[2]) for row in rows}


def _act(books: Books, one: Pair, at: datetime, random: Random) -> None:
    """What a person or a provider does now and then."""
    today, model, what = one.today(at), one.model, random.random()
    if what < 0.02 and model.mode == "on":
        books.run(subscribing.pause, one.kept, at=at)
        model.look(today, may_ask=False)
        model.mode = "paused"
    elif what < 0.15 and model.mode == "paused":
        books.run(subscribing.resume, one.kept, at=at)
        model.resume(today)
    elif what < 0.55 and model.owed is not None:
        if one.provider:
            books.run(refilling.paid, one.kept, model.owed, by="stripe:in_1", at=at)
            model.pay(model.owed)
            model.look(today)
        else:
            books.pay_invoice(one.kept, model.owed)
            model.pay(model.owed)


def _compare(books: Books, one: Pair) -> None:
    model, now, periods = one.model, books.now(one.kept), books.periods(one.kept)
    assert now.status == model.status, one
    given = [it for it in periods if it.credits is not None]
    assert [it.period for it in given] == sorted(model.given), one
    assert [it.starts_on for it in periods] == [model.starts[it.period] for it in periods]
    assert [it.period for it in periods if it.status == "unpaid"] == (
        [] if model.owed is None else [model.owed]
    )
    assert books.wallet(one.kept) == 5 * len(model.given)
    assert len(books.grants(one.kept)) == len(set(books.grants(one.kept))) == len(model.given)
    with books.acting() as connection:
        assert verify_journal(connection, books.firm_id, one.kept.account_id) == []
    if model.price and not one.provider:
        assert all(it.invoice_id for it in periods)
