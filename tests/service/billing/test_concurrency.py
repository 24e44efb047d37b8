"""Many connections at once on one wallet: the sums stay exact, and a key has one effect."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from service.api.answers import json_ready
from service.billing import credits, journal, records
from service.billing.accounts import Account
from service.billing.reconciling_holds import Wanted, ended_holds, reconcile
from service.clock import now
from service.database.connections import make_engine, transaction
from service.errors import ServiceError
from tests.chaos.size import NAME
from tests.service.billing.conftest import person, studio
from tests.service.conftest import Database

#: Callers at once, reserves, keys with callers for each, races, and races of the sweep.
CALLERS, RESERVES, KEYS, RACES, SWEEPS = {"small": (50, 200, 20, 500, 40)}.get(
    NAME, (90, 10_000, 200, 20_000, 500)
)
#: How far apart the three of a race are let go, so that each is sometimes the first.
APART_SECONDS = 0.01


@pytest.fixture(scope="module")
def engine(database: Database) -> Iterator[Engine]:
    """As many connections as there are callers."""
    made = make_engine(database.api_url, pool_size=CALLERS, overflow=0)
    yield made
    made.dispose()


def outcome(
    engine: Engine, account: Account, act: Callable[..., credits.CreditStatus], **what: Any
) -> Any:
    """What one caller, in a transaction of their own, is answered; a refusal's code if refused."""
    actor = person(account.tenant_id)
    try:
        with transaction(
            engine, role="zen_web", tenant_id=account.tenant_id, user_id=actor.user_id
        ) as connection:
            return act(connection, actor, account, **what)
    except ServiceError as refusal:
        return refusal.code


def test_as_many_reserves_succeed_as_there_are_credits(
    engine: Engine, new_account: Callable[[int], Account]
) -> None:
    granted = RESERVES * 3 // 5
    account = new_account(granted)

    def one(number: int) -> Any:
        return outcome(
            engine,
            account,
            credits.reserve,
            amount=1,
            key=f"k{number}",
            ref=("channel_request", str(number)),
        )

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(one, range(RESERVES)))

    refused = [answer for answer in answers if isinstance(answer, str)]
    assert refused == ["INSUFFICIENT_CREDITS"] * (RESERVES - granted)
    with transaction(engine, role="zen_web", tenant_id=account.tenant_id) as connection:
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)
        assert (wallet.wallet, wallet.reserved, wallet.available) == (granted, granted, 0)
        assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []


def test_a_key_has_one_effect_and_one_answer_however_many_send_it_at_once(
    engine: Engine, new_account: Callable[[int], Account]
) -> None:
    account = new_account(10 * KEYS)

    def one(number: int) -> tuple[int, Any]:
        # Every tenth caller asks for something else under the key.
        which, is_other = number % KEYS, number // KEYS % 10 == 9
        return which * 2 + is_other, outcome(
            engine,
            account,
            credits.reserve,
            amount=2 if is_other else 1,
            key=f"k{which}",
            ref=("channel_request", str(which)),
        )

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(one, range(50 * KEYS)))

    told: dict[int, set[str]] = {}
    for which, answer in answers:
        body = answer if isinstance(answer, str) else str(json_ready(records.told_status(answer)))
        told.setdefault(which, set()).add(body)
    # Whichever content came first is the key's; all who asked for that heard the same.
    for which in range(KEYS):
        pair = [told[which * 2], told[which * 2 + 1]]
        assert all(len(bodies) == 1 for bodies in pair)
        assert sorted(bodies == {"IDEMPOTENCY_KEY_REUSED"} for bodies in pair) == [False, True]
    fresh = [one for _, one in answers if not isinstance(one, str) and not one.replayed]
    assert len(fresh) == KEYS
    with transaction(engine, role="zen_web", tenant_id=account.tenant_id) as connection:
        held = credits.holds_of(connection, account.tenant_id, account.account_id, limit=1_000)
        assert len(held) == KEYS
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)
        assert wallet.reserved == sum(hold.amount for hold in held)
        # The grant, and one entry for each key.
        assert wallet.journal_seq == KEYS + 1


def test_of_consumption_release_and_expiry_one_wins_and_the_others_are_told_which(
    engine: Engine, new_account: Callable[[int], Account]
) -> None:
    account = new_account(RACES)
    actor = person(account.tenant_id)
    with transaction(engine, role="zen_web", tenant_id=account.tenant_id) as connection:
        held = [
            credits.reserve(
                connection, actor, account, 1, key=f"k{one}", ref=("channel_request", str(one))
            ).hold
            for one in range(RACES)
        ]
    start = threading.Barrier(3)

    def racer(act: Callable[..., credits.CreditStatus], **what: Any) -> list[Any]:
        answers = []
        for hold in held:
            assert hold is not None
            start.wait(30)
            answers.append(
                outcome(
                    engine,
                    account,
                    act,
                    hold_id=hold.hold_id,
                    key=f"{what.get('kind', 'consume')}:{hold.hold_id}",
                    **what,
                )
            )
        return answers

    with ThreadPoolExecutor(3) as racers:
        runs = [
            racers.submit(racer, credits.consume),
            racers.submit(racer, credits.release, reason="cancelled", kind="release"),
            racers.submit(racer, credits.release, reason="dead", kind="expire"),
        ]
        consumed, released, expired = (run.result() for run in runs)

    winners: Counter[str] = Counter()
    for one in zip(consumed, released, expired, strict=True):
        won = [name for name, answer in zip("cre", one, strict=True) if not isinstance(answer, str)]
        assert len(won) == 1
        winners[won[0]] += 1
        ended = "CONSUMED" if won == ["c"] else "RELEASED"
        assert [answer for answer in one if isinstance(answer, str)] == [
            f"RESERVATION_ALREADY_{ended}"
        ] * 2
    assert sum(winners.values()) == RACES
    with transaction(engine, role="zen_web", tenant_id=account.tenant_id) as connection:
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)
        assert (wallet.wallet, wallet.reserved) == (RACES - winners["c"], 0)
        assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []


def test_of_consumption_release_and_the_sweep_itself_one_wins(
    engine: Engine, new_account: Callable[[int], Account]
) -> None:
    """The round that frees what is past its time judges a hold, and then ends it or leaves it."""
    account = new_account(SWEEPS)
    tenant, actor = account.tenant_id, person(account.tenant_id)
    with transaction(engine, role="zen_web", tenant_id=tenant) as connection:
        held = [
            credits.reserve(
                connection,
                actor,
                account,
                1,
                key=f"k{one}",
                ref=("channel_request", str(one)),
                expires_at=now() - timedelta(minutes=1),
            ).hold
            for one in range(SWEEPS)
        ]
    at, wanted = now(), Wanted(tenant_id=tenant, account_id=account.account_id, limit=SWEEPS)

    def begin(_: UUID) -> AbstractContextManager[Connection]:
        return transaction(engine, role="zen_studio", tenant_id=tenant)

    with begin(tenant) as connection:
        found = {one.hold_id: one for one in ended_holds(connection, wanted, at)}
    assert {one.verdict for one in found.values()} == {"timeout"}
    start = threading.Barrier(3)

    def sweep(hold_id: UUID) -> bool:
        done = reconcile(begin, studio, [found[hold_id]], wanted, at=at)
        assert (done.errors, done.consumed) == ((), 0)
        assert done.released + done.skipped == 1
        return done.released == 1

    def consume(hold_id: UUID) -> bool:
        key = f"consume:{hold_id}"
        return not isinstance(
            outcome(engine, account, credits.consume, hold_id=hold_id, key=key), str
        )

    def release(hold_id: UUID) -> bool:
        what = {"hold_id": hold_id, "key": f"release:{hold_id}", "reason": "cancelled"}
        return not isinstance(outcome(engine, account, credits.release, **what), str)

    def racer(place: int, act: Callable[[UUID], bool]) -> list[bool]:
        won = []
        for number, hold in enumerate(held):
            assert hold is not None
            start.wait(30)
            # At every fourth race all start at once.
            time.sleep((place + number) % 3 * APART_SECONDS if number % 4 else 0)
            won.append(act(hold.hold_id))
        return won

    with ThreadPoolExecutor(3) as racers:
        runs = [racers.submit(racer, *one) for one in enumerate((consume, release, sweep))]
        races = list(zip(*(run.result() for run in runs), strict=True))

    assert [sum(one) for one in races] == [1] * SWEEPS
    consumed, released, swept = (sum(one[place] for one in races) for place in range(3))
    assert min(consumed, released, swept) > 0, "each was the first at some time"
    with begin(tenant) as connection:
        wallet = journal.find_wallet(connection, tenant, account.account_id)
        assert (wallet.wallet, wallet.reserved) == (SWEEPS - consumed, 0)
        assert journal.verify_journal(connection, tenant, account.account_id) == []
        assert ended_holds(connection, wanted, at) == []
