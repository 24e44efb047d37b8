"""Credits: granted, held for work, consumed or freed. One function for each, all alike.

Each locks the account's wallet, then looks its operation key up, then checks and writes: hold,
journal entry and counters by one statement, the audit event by another. A key that is known is
answered with what was answered first.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from service import clock
from service.billing import journal
from service.billing.acting import record_in, returning_to
from service.billing.journal import AVAILABLE, HELD, POSTING, Wallet
from service.database.connections import one_row
from service.errors import conflict, forbidden, invalid, not_found
from service.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account

HoldStatus = Literal["active", "consumed", "released"]
#: What one operation may move.
LARGEST_AMOUNT = 1_000_000_000
#: An override's own entry is named after the reservation's, so a key leaves room for that.
LARGEST_KEY = 255 - len(":override")


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits that are set aside for one piece of work; its columns."""

    tenant_id: UUID
    hold_id: UUID
    account_id: UUID
    ref_type: str
    ref_id: str
    work_order_id: UUID | None
    amount: int
    consumed: int
    status: HoldStatus
    reason: str | None
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreditStatus:
    """What an operation has left an account with; `replayed` if its key was known.

    `entry_id` is None in a dry run, which writes none.
    """

    account_id: UUID
    wallet: int
    reserved: int
    available: int
    hold: Hold | None
    entry_id: UUID | None
    replayed: bool = False


class _Opened(NamedTuple):
    """What app.open_books answers, without the hold; `wallet` is None if the account has none."""

    role_before: str
    tenant_before: str
    wallet: int | None
    reserved: int
    available: int
    journal_seq: int
    journal_hash: str
    journal_at: datetime | None
    account_status: str
    is_enabled: bool
    billing_mode: str
    request_sha256: str | None
    result: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What an operation meets under the wallet's lock."""

    wallet: Wallet
    account: _Opened
    hold: Hold | None
    known: CreditStatus | None


_HOLD_FIELDS = tuple(field.name for field in dataclasses.fields(Hold))
_HOLD = ", ".join(_HOLD_FIELDS)
# One call: the lock, and then what the account may do, what the key has done, which hold is meant.
_OPEN = text(
    f"select {', '.join(_Opened._fields)}, (b.hold).*"  # noqa: S608
    " from app.open_books(:tenant, :account, :key, :hold, :ref_type, :ref_id) b"
)
_RESERVE = text(
    f"with hold as (insert into credit_holds ({_HOLD})"  # noqa: S608
    f" values ({', '.join(f':h_{name}' for name in _HOLD_FIELDS)})), {POSTING}"
)
_END = text(
    "with hold as (update credit_holds set status = :h_status, consumed = :h_consumed,"  # noqa: S608
    " reason = :h_reason, ended_at = :h_ended_at where tenant_id = :h_tenant_id"
    f" and hold_id = :h_hold_id and status = 'active'), {POSTING}"
)
_ACTIVE = text(
    f"select {_HOLD} from credit_holds where tenant_id = :tenant and ref_type = :ref_type"  # noqa: S608
    " and ref_id = :ref_id and status = 'active' order by created_at, hold_id limit 1"
)

_FIND_HOLD = text(f"select {_HOLD} from credit_holds where hold_id = :hold")  # noqa: S608


def grant(
    connection: Connection,
    actor: Actor,
    account: Account,
    amount: int,
    *,
    key: str,
    kind: Literal["grant", "topup", "adjustment"] = "grant",
    reason: str | None = None,
    ref: tuple[str, str] | None = None,
    payment_order_id: UUID | None = None,
    dry_run: bool = False,
) -> CreditStatus:
    """Give an account credits; an adjustment may take them away again, as far as they are there.

    Args:
        connection: in the actor's role.
        actor: the studio, or the job that settles a payment or refills a subscription.
        account: whose credits they are; a suspended one may be given some too.
        amount: how many; below nothing only for an adjustment.
        key: names the operation on this account for ever.
        kind: given, bought, or put right.
        reason: why; an adjustment needs one.
        ref: what they are for, as kind and id.
        payment_order_id: what they were paid by.
        dry_run: say what would be, and write nothing.

    Raises:
        ServiceError: 400 CREDIT_AMOUNT_INVALID, REASON_REQUIRED; 409 INSUFFICIENT_CREDITS (an
            adjustment takes more than is available), IDEMPOTENCY_KEY_REUSED.
    """
    _check_amount(abs(amount) if kind == "adjustment" else amount)
    if kind == "adjustment" and not (reason or "").strip():
        raise invalid("REASON_REQUIRED", "An adjustment needs a reason", "Say why in reason.")
    asked = journal.request_digest(
        kind, amount=amount, reason=reason, ref=ref, payment_order_id=payment_order_id
    )
    with _books(connection, account, key, asked, ref=None) as found:
        if found.known is not None:
            return found.known
        _check_available(found.wallet, -amount)
        against = "credits:adjusted" if kind == "adjustment" else "credits:issued"
        entry_id = None if dry_run else new_id()
        postings = {against: -amount, AVAILABLE: amount}
        status = _status(journal.moved_by(found.wallet, postings), None, entry_id)
        if dry_run:
            return status
        written = journal.post(
            connection,
            found.wallet,
            actor=actor,
            kind=kind,
            operation_key=key,
            request_sha256=asked,
            postings=postings,
            result=_result(status),
            payment_order_id=payment_order_id,
            ref=ref,
            reason=reason,
            entry_id=entry_id,
        )
    words = {"grant": "granted", "topup": "topped_up", "adjustment": "adjusted"}
    _record(connection, actor, account, words[kind], amount, status, written, reason=reason)
    return status


def reserve(
    connection: Connection,
    actor: Actor,
    account: Account,
    amount: int,
    *,
    key: str,
    ref: tuple[str, str],
    work_order_id: UUID | None = None,
    expires_at: datetime | None = None,
    override_reason: str | None = None,
    dry_run: bool = False,
) -> CreditStatus:
    """Set credits aside for a piece of work.

    Args:
        connection: in the actor's role.
        actor: who begins the work.
        account: who pays for it.
        amount: how many credits.
        key: names the operation on this account for ever. When the hold expires is no part of what
            was asked under it: a retry that counts anew from now is the same operation.
        ref: the work, as kind and id. It has one active hold at most.
        work_order_id: the work order that it is, if it is one.
        expires_at: when the hold may be freed although nobody said so.
        override_reason: why what lacks is given, by an entry of its own named `{key}:override`.
        dry_run: say what would be, and write nothing.

    Raises:
        ServiceError: 400 CREDIT_AMOUNT_INVALID, OVERRIDE_REASON_REQUIRED, OPERATION_KEY_INVALID;
            403 OVERRIDE_NOT_ALLOWED, by anybody but the studio; 409 ACCOUNT_NOT_ACTIVE,
            BILLING_MODE_NOT_CREDIT, HOLD_EXISTS, INSUFFICIENT_CREDITS, IDEMPOTENCY_KEY_REUSED.
    """
    _check_amount(amount)
    _check_override(actor, override_reason)
    asked = journal.request_digest(
        "reserve",
        amount=amount,
        ref=ref,
        work_order_id=work_order_id,
        override_reason=override_reason,
    )
    with _books(connection, account, key, asked, ref=ref) as found:
        if found.known is not None:
            return found.known
        _check_may_reserve(found)
        wallet, overridden = found.wallet, None
        if override_reason is None:
            _check_available(wallet, amount)
        lacking = amount - wallet.available
        if lacking > 0:
            overridden = _override(
                connection, actor, wallet, lacking, key, asked, ref, override_reason, dry_run
            )
            wallet = overridden
        hold = Hold(
            tenant_id=account.tenant_id,
            hold_id=new_id(),
            account_id=account.account_id,
            ref_type=ref[0],
            ref_id=ref[1],
            work_order_id=work_order_id,
            amount=amount,
            consumed=0,
            status="active",
            reason=None,
            created_at=clock.now(),
            expires_at=expires_at,
            ended_at=None,
        )
        entry_id = None if dry_run else new_id()
        postings = {AVAILABLE: -amount, HELD: amount}
        status = _status(journal.moved_by(wallet, postings), hold, entry_id)
        if dry_run:
            return status
        written = journal.post(
            connection,
            wallet,
            actor=actor,
            kind="reserve",
            operation_key=key,
            request_sha256=asked,
            postings=postings,
            result=_result(status),
            hold_id=hold.hold_id,
            ref=ref,
            entry_id=entry_id,
            statement=_RESERVE,
            values=_prefixed(hold),
        )
    if overridden is not None:
        _record(
            connection,
            actor,
            account,
            "overridden",
            lacking,
            status,
            overridden,
            reason=override_reason,
            work_order_id=work_order_id,
        )
    _record(
        connection,
        actor,
        account,
        "reserved",
        amount,
        status,
        written,
        work_order_id=work_order_id,
    )
    return status


def consume(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    key: str,
    hold_id: UUID | None = None,
    ref: tuple[str, str] | None = None,
    amount: int | None = None,
    dry_run: bool = False,
) -> CreditStatus:
    """Use a hold, whole or in part; what is not used of it is available again. The hold is over.

    Args:
        connection: in the actor's role.
        actor: who delivers the work.
        account: who pays for it.
        key: names the operation on this account for ever.
        hold_id: the hold; or
        ref: the work it is for: its active hold, else its newest.
        amount: how many of its credits; all of them unless given.
        dry_run: say what would be, and write nothing.

    Raises:
        ServiceError: 400 CREDIT_AMOUNT_INVALID; 404, the account has no such hold; 409
            RESERVATION_ALREADY_CONSUMED, RESERVATION_ALREADY_RELEASED, RESERVATION_TOO_SMALL,
            IDEMPOTENCY_KEY_REUSED.
    """
    if amount is not None:
        _check_amount(amount)
    asked = journal.request_digest("consume", hold_id=hold_id, ref=ref, amount=amount)
    with _books(connection, account, key, asked, ref=ref, hold_id=hold_id) as found:
        if found.known is not None:
            return found.known
        hold = _open_hold(found)
        used = hold.amount if amount is None else amount
        if used > hold.amount:
            raise conflict(
                "RESERVATION_TOO_SMALL",
                "The reservation holds fewer credits",
                f"It holds {hold.amount}; {used} were asked for.",
                needed=used,
                reserved=hold.amount,
            )
        ended = dataclasses.replace(hold, status="consumed", consumed=used, ended_at=clock.now())
        postings = {HELD: -hold.amount, "credits:consumed": used, AVAILABLE: hold.amount - used}
        status, written = _end(
            connection, actor, found, ended, postings, "consume", key, asked, dry_run
        )
    if written is not None:
        _record(
            connection,
            actor,
            account,
            "consumed",
            used,
            status,
            written,
            work_order_id=hold.work_order_id,
        )
    return status


def release(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    key: str,
    reason: str,
    hold_id: UUID | None = None,
    ref: tuple[str, str] | None = None,
    kind: Literal["release", "expire"] = "release",
    dry_run: bool = False,
) -> CreditStatus:
    """Free a hold: its credits are available again. The hold is over.

    Args:
        connection: in the actor's role.
        actor: who frees it.
        account: whose credits they are.
        key: names the operation on this account for ever.
        reason: why.
        hold_id: the hold; or
        ref: the work it is for: its active hold, else its newest.
        kind: because it was decided or the work was, or because its time is over.
        dry_run: say what would be, and write nothing.

    Raises:
        ServiceError: 404, the account has no such hold; 409 RESERVATION_ALREADY_CONSUMED,
            RESERVATION_ALREADY_RELEASED, IDEMPOTENCY_KEY_REUSED.
    """
    asked = journal.request_digest(kind, hold_id=hold_id, ref=ref, reason=reason)
    with _books(connection, account, key, asked, ref=ref, hold_id=hold_id) as found:
        if found.known is not None:
            return found.known
        hold = _open_hold(found)
        ended = dataclasses.replace(hold, status="released", reason=reason, ended_at=clock.now())
        postings = {HELD: -hold.amount, AVAILABLE: hold.amount}
        status, written = _end(connection, actor, found, ended, postings, kind, key, asked, dry_run)
    if written is not None:
        _record(
            connection,
            actor,
            account,
            "released" if kind == "release" else "expired",
            hold.amount,
            status,
            written,
            reason=reason,
            work_order_id=hold.work_order_id,
        )
    return status


def find_hold(connection: Connection, hold_id: UUID) -> Hold:
    """A hold of whatever firm; the connection acts as zen_studio.

    Raises:
        ServiceError: 404.
    """
    row = connection.execute(_FIND_HOLD, {"hold": hold_id}).one_or_none()
    if row is None:
        raise not_found()
    return Hold(*row)


def active_hold(connection: Connection, tenant_id: UUID, ref: tuple[str, str]) -> Hold | None:
    """The hold that is open for a piece of work, whichever of the firm's accounts it is of."""
    row = connection.execute(
        _ACTIVE, {"tenant": tenant_id, "ref_type": ref[0], "ref_id": ref[1]}
    ).one_or_none()
    return None if row is None else Hold(*row)


def holds_of(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID | None = None,
    *,
    status: str | None = None,
    below: UUID | None = None,
    limit: int = 50,
) -> list[Hold]:
    """Holds, newest first.

    Args:
        connection: in a role that sees them.
        tenant_id: whose they are.
        account_id: only this account's.
        status: only those.
        below: only older ones than this hold.
        limit: how many at most.
    """
    rows = connection.execute(
        _HOLDS,
        {
            "tenant": tenant_id,
            "account": account_id,
            "status": status,
            "below": below,
            "limit": limit,
        },
    )
    return [Hold(*row) for row in rows]


_HOLDS = text(
    f"select {_HOLD} from credit_holds where tenant_id = :tenant"  # noqa: S608
    " and (cast(:account as uuid) is null or account_id = :account)"
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:below as uuid) is null or hold_id < :below) order by hold_id desc limit :limit"
)


@contextlib.contextmanager
def _books(
    connection: Connection,
    account: Account,
    key: str,
    asked: str,
    *,
    ref: tuple[str, str] | None,
    hold_id: UUID | None = None,
) -> Iterator[_Found]:
    """Act as zen_billing inside the block, with the account's wallet locked."""
    _check_key(key)
    row = one_row(
        connection,
        _OPEN,
        {
            "tenant": account.tenant_id,
            "account": account.account_id,
            "key": key,
            "hold": hold_id,
            "ref_type": ref[0] if ref else None,
            "ref_id": ref[1] if ref else None,
        },
    )
    opened, held = _Opened(*row[: len(_Opened._fields)]), row[len(_Opened._fields) :]
    with returning_to(connection, opened.role_before, opened.tenant_before):
        if opened.wallet is None:
            raise not_found()
        known = None
        if opened.request_sha256 is not None and opened.result is not None:
            journal.check_same_request(key, opened.request_sha256, asked)
            known = _known(opened.result)
        wallet = Wallet(
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            wallet=opened.wallet,
            reserved=opened.reserved,
            available=opened.available,
            journal_seq=opened.journal_seq,
            journal_hash=opened.journal_hash,
            journal_at=opened.journal_at,
        )
        yield _Found(wallet, opened, None if held[0] is None else Hold(*held), known)


def _override(
    connection: Connection,
    actor: Actor,
    wallet: Wallet,
    lacking: int,
    key: str,
    asked: str,
    ref: tuple[str, str],
    reason: str | None,
    dry_run: bool,
) -> Wallet:
    """The wallet once the operator has given what lacks."""
    postings = {"credits:override": -lacking, AVAILABLE: lacking}
    after = journal.moved_by(wallet, postings)
    if dry_run:
        return after
    entry_id = new_id()
    own_key = f"{key}:override"
    # Somebody may have used that very key for something else.
    journal.known_entry(connection, wallet, own_key, asked)
    return journal.post(
        connection,
        wallet,
        actor=actor,
        kind="override",
        operation_key=own_key,
        request_sha256=asked,
        postings=postings,
        result=_result(_status(after, None, entry_id)),
        ref=ref,
        reason=reason,
        entry_id=entry_id,
    )


def _end(
    connection: Connection,
    actor: Actor,
    found: _Found,
    ended: Hold,
    postings: Mapping[str, int],
    kind: Literal["consume", "release", "expire"],
    key: str,
    asked: str,
    dry_run: bool,
) -> tuple[CreditStatus, Wallet | None]:
    entry_id = None if dry_run else new_id()
    status = _status(journal.moved_by(found.wallet, postings), ended, entry_id)
    if dry_run:
        return status, None
    written = journal.post(
        connection,
        found.wallet,
        actor=actor,
        kind=kind,
        operation_key=key,
        request_sha256=asked,
        postings=postings,
        result=_result(status),
        hold_id=ended.hold_id,
        ref=(ended.ref_type, ended.ref_id),
        reason=ended.reason,
        entry_id=entry_id,
        statement=_END,
        values=_prefixed(ended),
    )
    return status, written


def _open_hold(found: _Found) -> Hold:
    hold = found.hold
    if hold is None:
        raise not_found()
    if hold.status == "consumed":
        raise conflict(
            "RESERVATION_ALREADY_CONSUMED",
            "The reservation was consumed",
            "It is over; its credits were used for the work.",
            hold_id=str(hold.hold_id),
        )
    if hold.status == "released":
        raise conflict(
            "RESERVATION_ALREADY_RELEASED",
            "The reservation was released",
            "It is over; its credits went back to the account. Reserve anew.",
            hold_id=str(hold.hold_id),
        )
    return hold


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= LARGEST_KEY:
        raise invalid(
            "OPERATION_KEY_INVALID",
            "The operation key cannot be used",
            f"Send 1 to {LARGEST_KEY} characters, fresh for each new operation.",
        )


def _check_amount(amount: int) -> None:
    if not 1 <= amount <= LARGEST_AMOUNT:
        raise invalid(
            "CREDIT_AMOUNT_INVALID",
            "This is no number of credits",
            f"Credits are whole and at least 1; one operation moves at most {LARGEST_AMOUNT}.",
        )


def _check_override(actor: Actor, reason: str | None) -> None:
    if reason is None:
        return
    if actor.audience != "studio":
        raise forbidden(
            "OVERRIDE_NOT_ALLOWED",
            "Only the studio may give what lacks",
            "Reserve without override_reason, or buy credits first.",
        )
    if not reason.strip():
        raise invalid(
            "OVERRIDE_REASON_REQUIRED", "An override needs a reason", "Say why credits are given."
        )


def _check_may_reserve(found: _Found) -> None:
    account = found.account
    if account.account_status != "active" or not account.is_enabled:
        raise conflict(
            "ACCOUNT_NOT_ACTIVE",
            "The account is suspended or disabled",
            "Nothing is reserved for it until the studio takes it back.",
        )
    if account.billing_mode != "CREDIT":
        raise conflict(
            "BILLING_MODE_NOT_CREDIT",
            "The account does not pay with credits",
            f"It is {account.billing_mode}: its work is invoiced.",
        )
    hold = found.hold
    if hold is not None and hold.status == "active":
        raise conflict(
            "HOLD_EXISTS",
            "Credits are held for this work already",
            f"The hold has {hold.amount}. Consume or release it first.",
            hold_id=str(hold.hold_id),
            amount=hold.amount,
        )


def _check_available(wallet: Wallet, needed: int) -> None:
    if needed > wallet.available:
        raise conflict(
            "INSUFFICIENT_CREDITS",
            "The account does not have as many credits",
            f"{needed} are needed, {wallet.available} are available.",
            needed=needed,
            available=wallet.available,
        )


def _prefixed(hold: Hold) -> dict[str, Any]:
    return {f"h_{name}": getattr(hold, name) for name in _HOLD_FIELDS}


def _status(wallet: Wallet, hold: Hold | None, entry_id: UUID | None) -> CreditStatus:
    return CreditStatus(
        account_id=wallet.account_id,
        wallet=wallet.wallet,
        reserved=wallet.reserved,
        available=wallet.available,
        hold=hold,
        entry_id=entry_id,
    )


#: A status as the journal keeps it, to be answered again.
_KEPT = TypeAdapter(CreditStatus)


def _result(status: CreditStatus) -> dict[str, Any]:
    kept: dict[str, Any] = _KEPT.dump_python(status, mode="json", exclude={"replayed"})
    return kept


def _known(result: str) -> CreditStatus:
    return dataclasses.replace(_KEPT.validate_json(result), replayed=True)


def _record(
    connection: Connection,
    actor: Actor,
    account: Account,
    done: str,
    amount: int,
    status: CreditStatus,
    written: Wallet,
    *,
    reason: str | None = None,
    work_order_id: UUID | None = None,
) -> None:
    """The audit event; it names the entry's hash, so the audit chain vouches for the journal too."""
    record_in(
        connection,
        actor,
        account.tenant_id,
        f"billing:credits:{done}",
        subject=("billing_account", account.account_id),
        work_order_id=work_order_id,
        reason=reason,
        after={
            "amount": amount,
            "seq": written.journal_seq,
            "entry_hash": written.journal_hash,
            "hold_id": None if status.hold is None else status.hold.hold_id,
        },
    )
