"""The journal: double entries, chained for each account, written under the lock of its wallet.

An entry's postings add up to nothing for each unit. The wallet's counters are what the postings to
`credits:available` and `credits:held` add up to; the wallet row also keeps the head of the chain.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.audit.events import kind_of
from service.database.connections import send
from service.errors import ServiceError, conflict, not_found
from service.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, TextClause

    from service.actor import Actor

Kind = Literal[
    "grant",
    "topup",
    "adjustment",
    "override",
    "reserve",
    "consume",
    "release",
    "expire",
    "invoice_issue",
    "invoice_void",
    "payment",
    "credit_note",
    "refund",
    "chargeback",
]

AVAILABLE, HELD, RECEIVABLE = "credits:available", "credits:held", "inr:receivable"
#: What entries may move: whole credits, and paise.
LEDGERS = frozenset(
    {
        "credits:issued",
        AVAILABLE,
        HELD,
        "credits:consumed",
        "credits:adjusted",
        "credits:override",
        RECEIVABLE,
        "inr:revenue",
        "inr:output_cgst",
        "inr:output_sgst",
        "inr:output_igst",
        "inr:rounding",
        "inr:stripe",
        "inr:razorpay",
        "inr:bank",
        "inr:customer_advances",
        "inr:prepaid_credits",
        "inr:refunds_payable",
        "inr:chargebacks",
    }
)


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account's counters and the head of its journal, as they are under its lock."""

    tenant_id: UUID
    account_id: UUID
    wallet: int
    reserved: int
    available: int
    journal_seq: int
    journal_hash: str
    journal_at: datetime | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account had at a time: whole credits, and what it owed, in paise."""

    wallet: int
    reserved: int
    available: int
    receivable: int


@dataclass(frozen=True, slots=True)
class JournalProblem:
    """One thing in a journal that cannot be as it was written; `seq` 0 is the wallet itself."""

    seq: int
    what: str


_WALLET = (
    f"select {', '.join(field.name for field in dataclasses.fields(Wallet))}"  # noqa: S608
    " from credit_wallets where tenant_id = :tenant and account_id = :account"
)
_FIND, _LOCK = text(_WALLET), text(f"{_WALLET} for update")
_KNOWN = text(
    "select request_sha256, result from journal_entries where tenant_id = :tenant"
    " and account_id = :account and operation_key = :key"
)

#: The columns of an entry that its hash covers, besides its own hash.
_COVERED = (
    "tenant_id",
    "entry_id",
    "account_id",
    "seq",
    "kind",
    "operation_key",
    "request_sha256",
    "hold_id",
    "invoice_id",
    "payment_order_id",
    "ref_type",
    "ref_id",
    "reason",
    "actor_kind",
    "actor_id",
    "at",
    "postings",
    "result",
    "previous_hash",
)
#: Moves the wallet and writes an entry, what else a statement begins with, coming before. It fails
#: (division by zero) if the wallet is not as it was locked, so nobody has to wait for what it says.
POSTING = (
    "moved as (update credit_wallets set wallet = :wallet, reserved = :reserved,"  # noqa: S608
    " available = :available, journal_seq = :seq, journal_hash = :hash, journal_at = :at"
    " where tenant_id = :tenant_id and account_id = :account_id and journal_seq = :seq - 1"
    " and journal_hash = :previous_hash returning 1),"
    f" entry as (insert into journal_entries ({', '.join(_COVERED)}, hash)"
    f" values ({', '.join(f':{name}' for name in _COVERED)}, :hash))"
    " select 1 / count(*) from moved"
)
_POST = text(f"with {POSTING}")


def find_wallet(connection: Connection, tenant_id: UUID, account_id: UUID) -> Wallet:
    """An account's counters, without a lock.

    Raises:
        ServiceError: 404, there is none that the caller may see.
    """
    return _wallet(connection, _FIND, tenant_id, account_id)


def lock_account(connection: Connection, tenant_id: UUID, account_id: UUID) -> Wallet:
    """An account's wallet, which nobody else moves until the transaction ends; as zen_billing.

    Raises:
        ServiceError: 404.
    """
    return _wallet(connection, _LOCK, tenant_id, account_id)


def _wallet(
    connection: Connection, statement: TextClause, tenant_id: UUID, account_id: UUID
) -> Wallet:
    row = connection.execute(statement, {"tenant": tenant_id, "account": account_id}).one_or_none()
    if row is None:
        raise not_found()
    return Wallet(*row)


def request_digest(operation: str, **content: Any) -> str:
    """What makes a repeated operation the same: its kind and what was asked, as a sha256."""
    plain = {
        name: str(value) if isinstance(value, UUID) else value for name, value in content.items()
    }
    return hashlib.sha256(canonical_json({"operation": operation, **plain})).hexdigest()


def known_entry(
    connection: Connection, wallet: Wallet, operation_key: str, request_sha256: str
) -> str | None:
    """What was answered under an operation key, or None if nothing was; under the wallet's lock.

    The lock comes first: only then has whoever was before us with the same key been seen.

    Raises:
        ServiceError: 409 IDEMPOTENCY_KEY_REUSED, the key names an operation with other content.
    """
    row = connection.execute(
        _KNOWN,
        {"tenant": wallet.tenant_id, "account": wallet.account_id, "key": operation_key},
    ).one_or_none()
    if row is None:
        return None
    check_same_request(operation_key, row.request_sha256, request_sha256)
    result: str = row.result
    return result


def check_same_request(operation_key: str, known: str, asked: str) -> None:
    """See that a key that is known is used for what it was used for.

    Raises:
        ServiceError: 409 IDEMPOTENCY_KEY_REUSED.
    """
    if known != asked:
        raise key_reused(operation_key)


def key_reused(operation_key: str) -> ServiceError:
    """The refusal of a key that names something else."""
    return conflict(
        "IDEMPOTENCY_KEY_REUSED",
        "The key belongs to another operation",
        f"{operation_key} was used for something else. A key names one operation for ever; take a "
        "fresh one.",
    )


def post(
    connection: Connection,
    wallet: Wallet,
    *,
    actor: Actor,
    kind: Kind,
    operation_key: str,
    request_sha256: str,
    postings: Mapping[str, int],
    result: Mapping[str, Any],
    hold_id: UUID | None = None,
    invoice_id: UUID | None = None,
    payment_order_id: UUID | None = None,
    ref: tuple[str, str] | None = None,
    reason: str | None = None,
    at: datetime | None = None,
    entry_id: UUID | None = None,
    statement: TextClause = _POST,
    values: Mapping[str, Any] | None = None,
) -> Wallet:
    """Write an entry at the end of an account's journal and move its counters, in one statement.

    It is not waited for: what the database should refuse is raised by the next statement, or by the
    commit.

    Args:
        connection: as zen_billing, with the account locked.
        wallet: what `lock_account` or the last `post` gave.
        actor: who does it.
        kind: what kind of operation it is.
        operation_key: names the operation on this account for ever; looked up with `known_entry`.
        request_sha256: what was asked, from `request_digest`.
        postings: ledger -> whole credits or paise; zeros are left out.
        result: what is answered, now and whenever the key comes again.
        hold_id: the hold that it concerns.
        invoice_id: the invoice that it concerns.
        payment_order_id: the payment order that it concerns.
        ref: what it is about, as kind and id.
        reason: why, in the words of whoever did it.
        at: the time it is said to be; now, but never before the entry in front of it.
        entry_id: its id, if something else already names it.
        statement: `with ... POSTING`, if one statement writes something besides.
        values: what that statement needs besides.

    Returns:
        The wallet after it, for the next entry of the same transaction.

    Raises:
        ServiceError: 409 CREDIT_BALANCE_INVARIANT_FAILED, a counter would go below nothing.
    """
    moved = moved_by(wallet, postings)
    seq, at = wallet.journal_seq + 1, at or clock.now()
    if wallet.journal_at is not None:
        at = max(at, wallet.journal_at)
    entry = {
        "tenant_id": wallet.tenant_id,
        "entry_id": entry_id or new_id(),
        "account_id": wallet.account_id,
        "seq": seq,
        "kind": kind,
        "operation_key": operation_key,
        "request_sha256": request_sha256,
        "hold_id": hold_id,
        "invoice_id": invoice_id,
        "payment_order_id": payment_order_id,
        "ref_type": ref[0] if ref else None,
        "ref_id": ref[1] if ref else None,
        "reason": reason,
        "actor_kind": kind_of(actor),
        "actor_id": actor.user_id or actor.token_id or actor.operation_id,
        "at": at,
        "postings": {ledger: amount for ledger, amount in postings.items() if amount},
        "result": canonical_json(result).decode(),
        "previous_hash": wallet.journal_hash,
    }
    head = entry_hash(entry)
    send(
        connection,
        statement,
        {
            **entry,
            "postings": json.dumps(entry["postings"]),
            "hash": head,
            "wallet": moved.wallet,
            "reserved": moved.reserved,
            "available": moved.available,
            **(values or {}),
        },
    )
    return dataclasses.replace(moved, journal_seq=seq, journal_hash=head, journal_at=at)


def moved_by(wallet: Wallet, postings: Mapping[str, int]) -> Wallet:
    """The counters as postings would leave them.

    Raises:
        ValueError: the postings are none that a journal holds.
        ServiceError: 409 CREDIT_BALANCE_INVARIANT_FAILED.
    """
    if unknown := set(postings) - LEDGERS:
        raise ValueError(f"there is no ledger {', '.join(sorted(unknown))}")
    if problem := unbalanced(postings):
        raise ValueError(problem)
    available = wallet.available + postings.get(AVAILABLE, 0)
    reserved = wallet.reserved + postings.get(HELD, 0)
    if available < 0 or reserved < 0:
        raise conflict(
            "CREDIT_BALANCE_INVARIANT_FAILED",
            "The account does not have as many credits",
            f"It would be left with {available} available and {reserved} reserved.",
        )
    return dataclasses.replace(
        wallet, wallet=available + reserved, reserved=reserved, available=available
    )


def unbalanced(postings: Mapping[str, int]) -> str | None:
    """What keeps postings from being a double entry, or None."""
    sums: dict[str, int] = {}
    for ledger, amount in postings.items():
        unit = ledger.split(":", 1)[0]
        sums[unit] = sums.get(unit, 0) + amount
    for unit, total in sums.items():
        if total:
            return f"the postings in {unit} add up to {total}, not to nothing"
    if not any(postings.values()):
        return "the postings move nothing"
    return None


def entry_hash(entry: Mapping[str, Any]) -> str:
    """The hash of an entry: every column of it, and so the entry before. What is null is left out."""
    covered: dict[str, Any] = {}
    for name in _COVERED:
        value = entry[name]
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat(timespec="microseconds")
        covered[name] = str(value) if isinstance(value, UUID) else value
    return hashlib.sha256(canonical_json(covered)).hexdigest()


_ENTRIES = text(
    f"select {', '.join(_COVERED)}, hash from journal_entries"  # noqa: S608
    " where tenant_id = :tenant and account_id = :account order by seq"
)


def verify_journal(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> list[JournalProblem]:
    """What is wrong with an account's journal, by place: chain, balance of each entry, counters.

    Args:
        connection: in a role that sees the account.
        tenant_id: whose account it is.
        account_id: the account.
    """
    problems: list[JournalProblem] = []
    available = held = 0
    previous, seq = "", 0
    at: datetime | None = None
    rows = connection.execute(_ENTRIES, {"tenant": tenant_id, "account": account_id})
    for row in rows.mappings():
        if row["seq"] != seq + 1:
            problems.append(JournalProblem(seq + 1, f"entries {seq + 1} to {row['seq'] - 1} lack"))
        if row["previous_hash"] != previous:
            problems.append(JournalProblem(row["seq"], "it does not follow the entry before it"))
        if entry_hash(dict(row)) != row["hash"]:
            problems.append(JournalProblem(row["seq"], "it is not as it was written"))
        if problem := unbalanced(row["postings"]):
            problems.append(JournalProblem(row["seq"], problem))
        if at is not None and row["at"] < at:
            problems.append(JournalProblem(row["seq"], "it is older than the entry before it"))
        available += row["postings"].get(AVAILABLE, 0)
        held += row["postings"].get(HELD, 0)
        if available < 0 or held < 0:
            problems.append(JournalProblem(row["seq"], "a counter is below nothing after it"))
        previous, seq, at = row["hash"], row["seq"], row["at"]
    wallet = find_wallet(connection, tenant_id, account_id)
    if (wallet.journal_seq, wallet.journal_hash) != (seq, previous):
        problems.append(
            JournalProblem(0, f"the wallet's head is entry {wallet.journal_seq}, not {seq}")
        )
    if (wallet.available, wallet.reserved) != (available, held):
        problems.append(
            JournalProblem(
                0,
                f"the wallet says {wallet.available} available and {wallet.reserved} reserved, "
                f"the journal {available} and {held}",
            )
        )
    return problems


_FOLD = text(
    "select coalesce(sum((postings ->> 'credits:available')::bigint), 0)::bigint as available,"
    " coalesce(sum((postings ->> 'credits:held')::bigint), 0)::bigint as held,"
    " coalesce(sum((postings ->> 'inr:receivable')::bigint), 0)::bigint as receivable"
    " from journal_entries where tenant_id = :tenant and account_id = :account and at <= :at"
)


def balance_at(connection: Connection, tenant_id: UUID, account_id: UUID, at: datetime) -> Balance:
    """What the account had at a time, entries of that very instant included."""
    row = connection.execute(_FOLD, {"tenant": tenant_id, "account": account_id, "at": at}).one()
    return Balance(row.available + row.held, row.held, row.available, row.receivable)
