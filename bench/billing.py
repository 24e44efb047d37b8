"""Credits reserved and consumed, against bare SQL that writes the same rows under the same lock."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from bench.measurements import Comparison
from bench.timing import Line
from service import clock
from service.actor import Actor
from service.billing import credits
from service.billing.accounts import Account, find_account
from service.billing.journal import entry_hash, verify_journal
from service.database.connections import become, make_engine, transaction
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

_LOCK = (
    "select wallet, reserved, available, journal_seq, journal_hash from credit_wallets"
    " where tenant_id = %s and account_id = %s for update"
)
_TAKE = (
    "update credit_wallets set reserved = reserved + 1, available = available - 1,"
    " journal_seq = journal_seq + 1, journal_hash = %s, journal_at = %s"
    " where tenant_id = %s and account_id = %s and available >= 1"
)
_USE = (
    "update credit_wallets set wallet = wallet - 1, reserved = reserved - 1,"
    " journal_seq = journal_seq + 1, journal_hash = %s, journal_at = %s"
    " where tenant_id = %s and account_id = %s and reserved >= 1"
)
_HOLD = (
    "insert into credit_holds (tenant_id, hold_id, account_id, ref_type, ref_id, amount, created_at)"
    " values (%s, %s, %s, 'bench', %s, 1, %s)"
)
_END = (
    "update credit_holds set status = 'consumed', consumed = 1, ended_at = %s"
    " where tenant_id = %s and hold_id = %s and status = 'active'"
)
_FIELDS = (
    "tenant_id", "entry_id", "account_id", "seq", "kind", "operation_key", "request_sha256",
    "hold_id", "invoice_id", "payment_order_id", "ref_type", "ref_id", "reason", "actor_kind",
    "actor_id", "at", "postings", "result", "previous_hash", "hash",
)  # fmt: skip
_ENTRY = (
    f"insert into journal_entries ({', '.join(_FIELDS)})"  # noqa: S608 - names of our own
    f" values ({', '.join(f'%({name})s' for name in _FIELDS)})"
)
_HASH = "0" * 64
_RESERVED = {"credits:available": -1, "credits:held": 1}
_CONSUMED = {"credits:held": -1, "credits:consumed": 1}


def pairs_of_credits(bench: Bench, *, rounds: int) -> Comparison:
    """Reserve and consume, each a transaction of its own, on one wallet and on a thousand."""
    lines = []
    for wallets, what in ((1, "one hot wallet"), (WALLETS, f"{WALLETS:,} wallets")):
        times = _seconds_for_a_pair(bench, wallets, rounds=rounds)
        lines += [
            Line(
                f"reserve and consume, {what}",
                times["ours"],
                "bare SQL that leaves the same rows",
                times["same rows"],
                # Half as many pairs in a second take twice the time.
                limit=2.0,
            ),
            Line(
                f"reserve and consume, {what}",
                times["ours"],
                "bare SQL that chains nothing",
                times["no chain"],
            ),
        ]
    best = "; ".join(
        f"{line.ours.partition(', ')[2]}: {1 / min(line.times):.0f} to {1 / min(line.rival_times):.0f}"
        for line in lines
    )
    return Comparison(
        "credits",
        tuple(lines),
        (
            f"{CALLERS} callers, each a process with a connection; {PAIRS} pairs a turn. Pairs a second: {best}.",
            _REMARK,
        ),
    )


_REMARK = (
    "The bare SQL updates the wallet if it has enough, inserts the hold and the entry, and ends the "
    "hold if it is open. The first leaves a journal that our verification finds intact; the second "
    "writes a constant for a hash. Neither has roles or row-level security, looks a key up, keeps an "
    "answer or writes an audit event; ours does."
)


def _seconds_for_a_pair(bench: Bench, wallets: int, *, rounds: int) -> dict[str, list[float]]:
    tenant = _firm(bench)
    own, same, plain = (_open(bench, tenant, wallets) for _ in range(3))
    engine = bench.service.engine
    ours = engine.url.render_as_string(hide_password=False)
    bare = make_url(bench.owner_url).set(drivername="postgresql")
    opened = (ours, bare.render_as_string(hide_password=False), tenant, own, same, plain)
    times: dict[str, list[float]] = {name: [] for name in ("ours", "same rows", "no chain")}
    with ExitStack() as kept:
        callers = [
            kept.enter_context(
                # A process for each caller, as the service's web processes are.
                ProcessPoolExecutor(1, get_context("spawn"), _Caller.begin, (*opened, number))
            )
            for number in range(CALLERS)
        ]
        for turn in range(rounds + 1):
            for name, seconds in times.items():
                began = time.perf_counter()
                for done in [one.submit(_Caller.work, name, turn) for one in callers]:
                    done.result()
                if turn:  # the first fills caches
                    seconds.append((time.perf_counter() - began) / PAIRS)
    with transaction(engine, role="zen_web", tenant_id=tenant) as connection:
        for one in (own[0], same[0]):
            # The wallets began with credits that no entry gave; nothing else may be wrong.
            found = verify_journal(connection, tenant, one)
            if wrong := [it for it in found if it.seq and "below nothing" not in it.what]:
                raise ValueError(f"the journal is not as it has to be: {wrong[0]}")
    return times


class _Caller:
    """What one process calls: its connections, and the wallets of each rival."""

    this: _Caller

    def __init__(
        self,
        ours: str,
        bare: str,
        tenant: UUID,
        own: Sequence[UUID],
        same: Sequence[UUID],
        plain: Sequence[UUID],
        number: int,
    ) -> None:
        self.number = number
        self.tenant, self.same, self.plain = tenant, same, plain
        self.actor = Actor(tenant, new_id(), "web", frozenset(), "bench", "bench")
        engine = make_engine(ours, pool_size=1)
        with transaction(engine, role="zen_web", tenant_id=tenant) as connection:
            self.accounts = [find_account(connection, tenant, one) for one in own]
        self.ours, self.bare = engine.connect(), psycopg.connect(bare)

    @classmethod
    def begin(cls, *opened: Any) -> None:
        """Open what this process calls with."""
        cls.this = cls(*opened)

    @classmethod
    def work(cls, rival: str, turn: int) -> None:
        """A caller's share of a turn; callers meet in the same wallet only if there is one."""
        it, share = cls.this, PAIRS // CALLERS
        for place in range(turn * share, (turn + 1) * share):
            at = (place * CALLERS + it.number) % len(it.accounts)
            if rival == "ours":
                _our_pair(it.ours, it.actor, it.accounts[at])
            else:
                is_chained = rival == "same rows"
                wallet = (it.same if is_chained else it.plain)[at]
                _bare_pair(it.bare, it.tenant, wallet, is_chained=is_chained)


def _our_pair(connection: Connection, actor: Actor, account: Account) -> None:
    key = str(new_id())
    with _as_web(connection, actor):
        held = credits.reserve(connection, actor, account, 1, key=key, ref=("bench", key)).hold
    assert held is not None
    with _as_web(connection, actor):
        credits.consume(connection, actor, account, key=f"{key}:use", hold_id=held.hold_id)


@contextmanager
def _as_web(connection: Connection, actor: Actor) -> Iterator[None]:
    with connection.begin():
        become(
            connection,
            "zen_web",
            tenant_id=actor.tenant_id,
            user_id=actor.user_id,
            audience="web",
        )
        yield


def _bare_pair(
    connection: psycopg.Connection[Any], tenant: UUID, account: UUID, *, is_chained: bool
) -> None:
    hold, key = new_id(), str(new_id())
    for kind, postings, update in (
        ("reserve", _RESERVED, _TAKE),
        ("consume", _CONSUMED, _USE),
    ):
        with connection.transaction():
            seq, previous = 0, ""
            if is_chained:
                row = connection.execute(_LOCK, (tenant, account)).fetchone()
                assert row is not None
                seq, previous = row[3] + 1, row[4]
            at = clock.now()
            entry = dict.fromkeys(_FIELDS) | {
                "tenant_id": tenant,
                "entry_id": new_id(),
                "account_id": account,
                "seq": seq,
                "kind": kind,
                "operation_key": f"{key}:{kind}",
                "request_sha256": _HASH,
                "hold_id": hold,
                "actor_kind": "user",
                "at": at,
                "postings": postings,
                "result": "{}",
                "previous_hash": previous,
            }
            entry["hash"] = entry_hash(entry) if is_chained else _HASH
            moved = connection.execute(
                f"{update} returning journal_seq", (entry["hash"], at, tenant, account)
            ).fetchone()
            assert moved is not None
            entry["seq"] = moved[0]
            if kind == "reserve":
                connection.execute(_HOLD, (tenant, hold, account, key, at))
            else:
                assert connection.execute(_END, (at, tenant, hold)).rowcount == 1
            connection.execute(_ENTRY, entry | {"postings": json.dumps(postings)})


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
