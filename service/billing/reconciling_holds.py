"""Compares holds with the work they are for, and ends those whose work has ended.

What is delivered is consumed, what is not going to be is freed, and what is under way is left alone
however long it takes: a work order's state says so, and of the older system's work what it has told.
Time alone ends only a hold of whose work nothing is known. It is read in a role that sees the work:
where that could not be seen, a delivered hold would look like an orphan and be given back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import structlog
from sqlalchemy import text

from service import clock
from service.billing import credits
from service.billing.accounts import find_account
from service.errors import ServiceError, cursor_invalid
from service.jobs.crashpoints import crashpoint
from service.workorders.records import lock

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from service.actor import Actor
    from service.jobs.job import Job

Verdict = Literal[
    "delivered", "cancelled", "closed", "paid_otherwise", "overridden", "orphan", "timeout"
]
#: A hold that was given no time of its own is nobody's after so long, if nothing was told of its work.
TIMEOUT_MINUTES = 1440
#: What ends by time alone: its work is nowhere, or nobody has said what became of it.
_BY_TIME = frozenset({"orphan", "timeout"})
_PAGE = 200

log = structlog.get_logger("zenops.billing")

_ENDINGS = "('work_delivered', 'work_rejected', 'work_cancelled', 'commission_cancelled')"
# Events of the older system about the work that a hold is for.
_OF_ITS_WORK = (
    "{0}.tenant_id = h.tenant_id and {0}.account_id = h.account_id and {0}.source_system = 'v1'"
    " and {0}.payload ->> 'ref_type' = h.ref_type and {0}.payload ->> 'ref_id' = h.ref_id"
)
# What the older system has last told of a piece of its work, since the hold was made.
_TOLD = (
    f"select u.event_type from usage_events u where {_OF_ITS_WORK.format('u')}"  # noqa: S608 - words of our own
    f" and u.at >= h.created_at and u.event_type in {_ENDINGS}"
    " order by u.at desc, u.usage_event_id desc limit 1"
)
#: Whether the older system has told that it took up the work that a hold `h` is for, before the hold
#: or after it, and not since then, nor since the hold, that the work ended.
IS_ALIVE = (
    f"exists (select from usage_events u where {_OF_ITS_WORK.format('u')}"  # noqa: S608 - words of our own
    " and u.event_type = 'work_accepted' and not exists (select from usage_events e"
    f" where {_OF_ITS_WORK.format('e')} and e.event_type in {_ENDINGS}"
    " and e.at >= least(u.at, h.created_at)))"
)
_IS_OVER = (
    "coalesce(h.expires_at, h.created_at + make_interval(mins => :minutes))"
    " <= cast(:at as timestamptz)"
)
_JUDGED = (
    "select h.tenant_id, h.account_id, h.hold_id, h.work_order_id, h.created_at, case"  # noqa: S608
    " when h.work_order_id is not null and w.work_order_id is not null then case"
    "  when r.result = 'OVERRIDE' and r.hold_outcome is distinct from 'consume' then 'overridden'"
    # What was settled by an invoice, or by another hold, is not charged again.
    "  when r.result is not null then"
    "   case when r.hold_id = h.hold_id then 'delivered' else 'paid_otherwise' end"
    "  when w.status = 'CANCELLED' then 'cancelled' when w.status = 'CLOSED' then 'closed' end"
    " when h.work_order_id is null and h.ref_type <> 'work_order' and told.event_type is not null"
    "  then case told.event_type when 'work_delivered' then 'delivered' else 'cancelled' end"
    f" when {_IS_OVER} then case when h.ref_type = 'work_order' then 'orphan'"
    f" when not {IS_ALIVE} then 'timeout' end"
    " end as verdict from credit_holds h"
    " left join work_orders w on w.tenant_id = h.tenant_id and w.work_order_id = h.work_order_id"
    " left join lateral (select result, hold_outcome, hold_id from releases where tenant_id = h.tenant_id"
    "  and work_order_id = h.work_order_id and result <> 'BLOCKED'"
    # A hold that is made after a release is for the version that corrects it.
    "  and created_at >= h.created_at order by created_at desc, release_id desc limit 1) r on true"
    f" left join lateral ({_TOLD}) told on true where h.status = 'active'"
)
_PAGES = text(
    f"select * from ({_JUDGED}"  # noqa: S608 - words of our own
    " and (cast(:tenant as uuid) is null or h.tenant_id = :tenant)"
    " and (cast(:account as uuid) is null or h.account_id = :account)"
    " and (cast(:ref_type as text) is null or h.ref_type = :ref_type)"
    " and (cast(:since as timestamptz) is null or (h.created_at, h.hold_id) > (:since, :after))"
    ") judged where verdict is not null order by created_at, hold_id limit :limit"
)
_AGAIN = text(f"{_JUDGED} and h.tenant_id = :tenant and h.hold_id = :hold")


@dataclass(frozen=True, slots=True)
class Judged:
    """A hold whose work has ended, and how."""

    tenant_id: UUID
    account_id: UUID
    hold_id: UUID
    work_order_id: UUID | None
    created_at: datetime
    verdict: Verdict

    def cursor(self) -> str:
        """This place in the order, as clients carry it."""
        return f"{self.created_at.isoformat()}~{self.hold_id}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A hold that could not be ended, and why."""

    hold_id: UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found, and done unless it was a dry run.

    `scanned` counts the holds whose work has ended; `skipped` those that somebody else ended, or
    whose work lives again; `last` is the last one, if there may be more.
    """

    dry_run: bool
    scanned: int = 0
    consumed: int = 0
    released: int = 0
    skipped: int = 0
    errors: tuple[Failure, ...] = ()
    last: Judged | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which holds are compared.

    Attributes:
        tenant_id: only this firm's.
        account_id: only this account's.
        ref_type: only those of work of this kind.
        timeout_minutes: what a hold without a time of its own is given, if nothing is known of its
            work.
        cursor: the place after which it goes on.
        limit: how many at most.
    """

    tenant_id: UUID | None = None
    account_id: UUID | None = None
    ref_type: str | None = None
    timeout_minutes: int = TIMEOUT_MINUTES
    cursor: str | None = None
    limit: int = 100


def ended_holds(connection: Connection, wanted: Wanted, at: datetime) -> list[Judged]:
    """Holds whose work has ended, oldest first.

    Args:
        connection: as zen_studio, or as zen_worker of the firm: in a role that sees the work.
        wanted: which.
        at: the instant.

    Raises:
        ServiceError: 400 CURSOR_INVALID.
    """
    since, after = _read_cursor(wanted.cursor)
    rows = connection.execute(
        _PAGES,
        {
            "tenant": wanted.tenant_id,
            "account": wanted.account_id,
            "ref_type": wanted.ref_type,
            "minutes": wanted.timeout_minutes,
            "at": at,
            "since": since,
            "after": after,
            "limit": wanted.limit,
        },
    )
    return [Judged(*row) for row in rows]


def reconcile(
    begin: Callable[[UUID], AbstractContextManager[Connection]],
    actor_in: Callable[[UUID], Actor],
    found: list[Judged],
    wanted: Wanted,
    *,
    at: datetime,
    dry_run: bool = False,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Reconciled:
    """End holds whose work has ended, each in a transaction of its own.

    Args:
        begin: begins a transaction that writes for a firm.
        actor_in: who acts, in a firm.
        found: which holds; from `ended_holds`.
        wanted: how they were found.
        at: the instant.
        dry_run: say what would be done, and do nothing.
        may_go_on: asked before each; when it says no, the rest is left.
    """
    done = Reconciled(dry_run)
    for one in found:
        if not may_go_on():
            break
        ended: bool | Failure = True
        if not dry_run:
            ended = _end(begin, actor_in(one.tenant_id), one, wanted, at)
        is_consumed = one.verdict == "delivered"
        done = replace(
            done,
            scanned=done.scanned + 1,
            consumed=done.consumed + (ended is True and is_consumed),
            released=done.released + (ended is True and not is_consumed),
            skipped=done.skipped + (ended is False),
            errors=(*done.errors, ended) if isinstance(ended, Failure) else done.errors,
            last=one,
        )
    return done


def reconcile_firm(job: Job) -> None:
    """The job of each hour: all holds of a firm."""
    at, wanted = clock.now(), Wanted(tenant_id=job.tenant_id, limit=_PAGE)
    while True:
        with job.reading() as connection:
            found = ended_holds(connection, wanted, at)
        done = reconcile(lambda _: job.reading(), lambda _: job.actor, found, wanted, at=at)
        if found:
            log.info(
                "holds.reconciled",
                tenant=str(job.tenant_id),
                consumed=done.consumed,
                released=done.released,
                errors=len(done.errors),
            )
        if done.last is None or len(found) < _PAGE:
            break
        wanted = replace(wanted, cursor=done.last.cursor())
        job.step("reconciling holds", 50)
    with job.effect():
        pass


def _end(
    begin: Callable[[UUID], AbstractContextManager[Connection]],
    actor: Actor,
    one: Judged,
    wanted: Wanted,
    at: datetime,
) -> bool | Failure:
    """Whether the hold was ended: its work may live again, or somebody may have been quicker."""
    try:
        with begin(one.tenant_id) as connection:
            if one.work_order_id is not None:
                lock(connection, one.tenant_id, one.work_order_id)
            now = _judge_again(connection, one, wanted, at)
            if now is None or now.verdict != one.verdict:
                return False
            account = find_account(connection, one.tenant_id, one.account_id)
            if one.verdict == "delivered":
                credits.consume(
                    connection,
                    actor,
                    account,
                    key=f"reconcile_consume:{one.hold_id}",
                    hold_id=one.hold_id,
                )
            else:
                credits.release(
                    connection,
                    actor,
                    account,
                    key=f"reconcile_release:{one.hold_id}:{one.verdict}",
                    reason=one.verdict,
                    hold_id=one.hold_id,
                    kind="expire" if one.verdict in _BY_TIME else "release",
                )
            crashpoint("reconcile-before-commit")
    except ServiceError as refused:
        if refused.code.startswith("RESERVATION_ALREADY_"):
            return False
        log.warning("hold.not_reconciled", hold=str(one.hold_id), code=refused.code)
        return Failure(one.hold_id, refused.code, refused.detail or refused.title)
    return True


def _judge_again(
    connection: Connection, one: Judged, wanted: Wanted, at: datetime
) -> Row[tuple[UUID, str]] | None:
    return connection.execute(
        _AGAIN,
        {
            "tenant": one.tenant_id,
            "hold": one.hold_id,
            "minutes": wanted.timeout_minutes,
            "at": at,
        },
    ).one_or_none()


def _read_cursor(written: str | None) -> tuple[datetime | None, UUID | None]:
    if written is None:
        return None, None
    try:
        since, hold_id = written.split("~")
        instant = datetime.fromisoformat(since)
        if instant.tzinfo is None:
            raise cursor_invalid()
        return instant, UUID(hold_id)
    except ValueError:
        raise cursor_invalid() from None
