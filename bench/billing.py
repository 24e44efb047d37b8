"""Credits reserved and consumed, against bare SQL that writes the same rows under the same lock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from bench.measurements import Comparison
from bench.timing import Line
from service import clock
from service.actor import Actor
from service.billing import credits
from service.billing.accounts import Account, find_account
from service.database.connections import transaction
from service.identifiers import new_id

if TYPE_CHECKING:
    from bench.service import Bench

#: As many callers as the smallest machine that the service is meant for has cores.
CALLERS = 2
WALLETS = 1_000
#: Pairs in one turn; a turn is long enough for every wallet's row to be somewhere else.
PAIRS = 200

_ACCOUNT = text(
    "insert into billing_accounts (tenant_id, account_id, account_type, external_key, display_name,"
    " billing_mode, created_at, updated_at) values (:tenant, :account, 'tenant', :key, 'Bench',"
    " 'CREDIT', now(), now())"
)
_WALLET = text(
    "insert into credit_wallets (tenant_id, account_id, wallet, available)"
    " values (:tenant, :account, 1000000, 1000000)"
)

_TAKE = (
    "update credit_wallets set reserved = reserved + 1, available = available - 1,"
    " journal_seq = journal_seq + 1 where tenant_id = %s and account_id = %s and available >= 1"
    " returning journal_seq"
)
_USE = (
    "update credit_wallets set wallet = wallet - 1, reserved = reserved - 1,"
    " journal_seq = journal_seq + 1 where tenant_id = %s and account_id = %s and reserved >= 1"
    " returning journal_seq"
)
_HOLD = (
    "insert into credit_holds (tenant_id, hold_id, account_id, ref_type, ref_id, amount, created_at)"
    " values (%s, %s, %s, 'bench', %s, 1, %s)"
)
_END = (
    "update credit_holds set status = 'consumed', consumed = 1, ended_at = %s"
    " where tenant_id = %s and hold_id = %s and status = 'active'"
)
_ENTRY = (
    "insert into journal_entries (tenant_id, entry_id, account_id, seq, kind, operation_key,"
    " request_sha256, hold_id, actor_kind, at, postings, result, previous_hash, hash)"
    " values (%s, %s, %s, %s, %s, %s, %s, %s, 'user', %s, %s, '{}', '', %s)"
)
_HASH = "0" * 64


def pairs_of_credits(bench: Bench, *, rounds: int) -> Comparison:
    """Reserve and consume, each a transaction of its own, on one wallet and on a thousand."""
    lines = []
    for wallets, what in ((1, "one hot wallet"), (WALLETS, f"{WALLETS:,} wallets")):
        ours, theirs = _seconds_for_a_pair(bench, wallets, rounds=rounds)
        lines.append(
            Line(
                f"reserve and consume, {what}",
                ours,
                "bare SQL: the same updates, holds and entries",
                theirs,
                # Half as many pairs in a second take twice the time.
                limit=2.0,
            )
        )
    best = [(1 / min(line.times), 1 / min(line.rival_times)) for line in lines]
    return Comparison(
        "credits",
        tuple(lines),
        (
            (
                f"{CALLERS} callers, each with a connection; {PAIRS} pairs a turn. Pairs in a second, "
                f"at best: {best[0][0]:.0f} to {best[0][1]:.0f} on one wallet, {best[1][0]:.0f} to "
                f"{best[1][1]:.0f} on {WALLETS:,}."
            ),
            (
                "The bare SQL updates the wallet if it has enough, inserts the hold and the entry, and "
                "ends the hold if it is open. It has no roles and no row-level security, looks no key "
                "up, hashes nothing, keeps no answer and writes no audit event; ours does."
            ),
        ),
    )


def _seconds_for_a_pair(
    bench: Bench, wallets: int, *, rounds: int
) -> tuple[list[float], list[float]]:
    tenant = _firm(bench)
    own, others = (_open(bench, tenant, wallets) for _ in range(2))
    actor = Actor(tenant, new_id(), "web", frozenset(), "bench", "bench")
    with transaction(bench.service.engine, role="zen_web", tenant_id=tenant) as connection:
        accounts = [find_account(connection, tenant, one) for one in own]
    url = make_url(bench.owner_url).set(drivername="postgresql")
    with ExitStack() as open_connections, ThreadPoolExecutor(CALLERS) as callers:
        connections = [
            open_connections.enter_context(
                psycopg.connect(url.render_as_string(hide_password=False))
            )
            for _ in range(CALLERS)
        ]
        turns: dict[str, Callable[[int, int], None]] = {
            "ours": lambda _, place: _our_pair(bench, actor, accounts[place % wallets]),
            "theirs": lambda caller, place: _bare_pair(
                connections[caller], tenant, others[place % wallets]
            ),
        }
        times: dict[str, list[float]] = {name: [] for name in turns}
        places = itertools.count()
        for turn in range(rounds + 1):
            for name, pair in turns.items():
                began = time.perf_counter()
                list(callers.map(partial(_work, pair, places), range(CALLERS)))
                if turn:  # the first fills caches
                    times[name].append((time.perf_counter() - began) / PAIRS)
    return times["ours"], times["theirs"]


def _work(pair: Callable[[int, int], None], places: Iterator[int], caller: int) -> None:
    for _ in range(PAIRS // CALLERS):
        pair(caller, next(places))


def _our_pair(bench: Bench, actor: Actor, account: Account) -> None:
    key = str(new_id())
    with _as_web(bench, actor) as connection:
        held = credits.reserve(connection, actor, account, 1, key=key, ref=("bench", key)).hold
    assert held is not None
    with _as_web(bench, actor) as connection:
        credits.consume(connection, actor, account, key=f"{key}:use", hold_id=held.hold_id)


def _as_web(bench: Bench, actor: Actor) -> Any:
    return transaction(
        bench.service.engine,
        role="zen_web",
        tenant_id=actor.tenant_id,
        user_id=actor.user_id,
    )


def _bare_pair(connection: psycopg.Connection[Any], tenant: UUID, account: UUID) -> None:
    hold, key, at = new_id(), str(new_id()), clock.now()
    with connection.transaction():
        row = connection.execute(_TAKE, (tenant, account)).fetchone()
        assert row is not None
        connection.execute(_HOLD, (tenant, hold, account, key, at))
        connection.execute(
            _ENTRY,
            _entry(
                tenant,
                account,
                row[0],
                "reserve",
                key,
                hold,
                at,
                '{"credits:available": -1, "credits:held": 1}',
            ),
        )
    with connection.transaction():
        row = connection.execute(_USE, (tenant, account)).fetchone()
        assert row is not None
        ended = connection.execute(_END, (at, tenant, hold))
        assert ended.rowcount == 1
        connection.execute(
            _ENTRY,
            _entry(
                tenant,
                account,
                row[0],
                "consume",
                f"{key}:use",
                hold,
                at,
                '{"credits:held": -1, "credits:consumed": 1}',
            ),
        )


def _entry(
    tenant: UUID,
    account: UUID,
    seq: int,
    kind: str,
    key: str,
    hold: UUID,
    at: datetime,
    postings: str,
) -> tuple[Any, ...]:
    return (tenant, new_id(), account, seq, kind, key, _HASH, hold, at, postings, _HASH)


def _firm(bench: Bench) -> UUID:
    with _as_owner(bench) as connection:
        found: UUID = connection.scalar(
            text("select tenant_id from tenants where kind = 'firm' order by created_at limit 1")
        )
    return found


def _open(bench: Bench, tenant: UUID, wallets: int) -> Sequence[UUID]:
    made = [new_id() for _ in range(wallets)]
    with _as_owner(bench) as connection:
        for statement in (_ACCOUNT, _WALLET):
            connection.execute(
                statement,
                [
                    {"tenant": tenant, "account": one, "key": f"v1:client:{one}"}
                    if statement is _ACCOUNT
                    else {"tenant": tenant, "account": one}
                    for one in made
                ],
            )
    return made


def _as_owner(bench: Bench) -> Any:
    engine = create_engine(bench.owner_url, poolclass=NullPool)
    connection: Any = engine.begin()
    return connection
