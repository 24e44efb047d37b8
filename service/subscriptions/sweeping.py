"""The hourly sweep: finds the subscriptions that something is due for, each in its own transaction.

What is due is found by the instant that each row was given when it was last written, and by invoices
that have been paid since. The whole of it is gone through, page by page: one that cannot be brought
up to date now is told of and passed over, and holds up no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service import clock
from service.database.connections import transaction
from service.errors import ServiceError, cursor_invalid
from service.jobs import loops
from service.jobs.crashpoints import crashpoint
from service.subscriptions.refilling import bring_up_to_date

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.bootstrap import Service
    from service.jobs.job import Job
    from service.subscriptions.refilling import Moved

#: The job finds so many at once, and extends its lease after them.
_STEP = 25

log = structlog.get_logger("zenops.subscriptions")

# A period's invoice that was settled or taken back is news, whenever the row was to be looked at.
_DUE = text(
    "with due as (select s.tenant_id, s.subscription_id, coalesce(s.due_at, s.updated_at) as since"
    " from subscriptions s where (cast(:tenant as uuid) is null or s.tenant_id = :tenant)"
    " and (s.status in ('active', 'past_due') and s.due_at <= :at"
    "  or s.status <> 'paused' and exists (select from subscription_periods p"
    "   join service_invoices i on i.tenant_id = p.tenant_id and i.invoice_id = p.invoice_id"
    "   where p.tenant_id = s.tenant_id and p.subscription_id = s.subscription_id"
    "   and p.status = 'unpaid' and i.status in ('paid', 'void'))))"
    " select tenant_id, subscription_id, since from due"
    " where cast(:since as timestamptz) is null or (since, subscription_id) > (:since, :after)"
    " order by since, subscription_id limit :limit"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription that something is due for, and since when."""

    tenant_id: UUID
    subscription_id: UUID
    since: datetime

    def cursor(self) -> str:
        """This place in the order, as clients carry it."""
        return f"{self.since.isoformat()}~{self.tenant_id}~{self.subscription_id}"


def read_cursor(written: str | None) -> Due | None:
    """The place that a cursor names.

    Raises:
        ServiceError: 400 CURSOR_INVALID.
    """
    if written is None:
        return None
    try:
        since, tenant_id, subscription_id = written.split("~")
        instant = datetime.fromisoformat(since)
        if instant.tzinfo is None:
            raise cursor_invalid()
        return Due(UUID(tenant_id), UUID(subscription_id), instant)
    except ValueError:
        raise cursor_invalid() from None


@dataclass(frozen=True, slots=True)
class Failure:
    """A subscription that could not be brought up to date, and why."""

    subscription_id: UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has done, in the original's words.

    Attributes:
        scanned: how many subscriptions were looked at.
        refilled: how many of them were given credits.
        skipped: how many nothing was done for, because somebody else had done it.
        past_due: how many were asked for the price of a period.
        suspended: how many had owed it for too long.
        reactivated: how many had paid.
        errors: those that could not be brought up to date.
        last: the last one looked at, if there may be more.
    """

    scanned: int = 0
    refilled: int = 0
    skipped: int = 0
    past_due: int = 0
    suspended: int = 0
    reactivated: int = 0
    errors: tuple[Failure, ...] = ()
    last: Due | None = None

    def plus(self, moved: Moved) -> Swept:
        """This, and what has become of one more subscription."""
        done = bool(moved.refilled or moved.passed or moved.asked)
        was_owing = moved.before in {"past_due", "suspended"}
        return replace(
            self,
            scanned=self.scanned + 1,
            refilled=self.refilled + bool(moved.refilled),
            skipped=self.skipped + (not done),
            past_due=self.past_due + ("past_due" in moved.passed),
            suspended=self.suspended + ("suspended" in moved.passed),
            reactivated=self.reactivated + (was_owing and "active" in moved.passed),
        )


def due(
    connection: Connection,
    at: datetime,
    *,
    tenant_id: UUID | None = None,
    after: Due | None = None,
    limit: int = 500,
) -> list[Due]:
    """A page of the subscriptions that something is due for, the longest first.

    Args:
        connection: as zen_worker of the firm, or as zen_studio for those of all firms.
        at: the instant.
        tenant_id: only this firm's.
        after: the last one of the page before.
        limit: how many at most.
    """
    rows = connection.execute(
        _DUE,
        {
            "tenant": tenant_id,
            "at": at,
            "since": after and after.since,
            "after": after and after.subscription_id,
            "limit": limit,
        },
    )
    return [Due(*row) for row in rows]


def sweep(
    found: Sequence[Due],
    begin: Callable[[UUID], AbstractContextManager[Connection]],
    actor_in: Callable[[UUID], Actor],
    *,
    at: datetime,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Swept:
    """Bring subscriptions up to date, each in a transaction of its own.

    Args:
        found: which; from `due`.
        begin: begins a transaction that writes for a firm.
        actor_in: who acts, in a firm.
        at: the instant.
        may_go_on: asked before each; when it says no, the rest is left for the next sweep.
    """
    swept = Swept()
    for one in found:
        if not may_go_on():
            break
        swept = replace(_one(swept, one, begin, actor_in(one.tenant_id), at), last=one)
    return swept


def sweep_all(
    service: Service,
    actor: Actor,
    *,
    limit: int = 100,
    cursor: str | None = None,
    seconds: float = 4.0,
) -> tuple[Swept, str | None]:
    """Bring what is due in all firms up to date, for the studio that waits for it.

    Args:
        service: of a web process.
        actor: the studio.
        limit: how many subscriptions at most.
        cursor: what the answer before gave.
        seconds: after so long it answers what it has done; the hourly job does the rest.

    Returns:
        What was done, and the cursor if there may be more.

    Raises:
        ServiceError: 400 CURSOR_INVALID.
    """
    at, until = clock.now(), time.monotonic() + seconds
    after = read_cursor(cursor)

    def begin(tenant_id: UUID) -> AbstractContextManager[Connection]:
        return transaction(
            service.engine, role="zen_studio", tenant_id=tenant_id, user_id=actor.user_id
        )

    with begin(actor.tenant_id) as connection:
        found = due(connection, at, after=after, limit=limit)
    swept = sweep(
        found,
        begin,
        lambda tenant_id: replace(actor, tenant_id=tenant_id),
        at=at,
        may_go_on=lambda: time.monotonic() < until,
    )
    may_be_more = swept.last is not None and (len(found) == limit or swept.scanned < len(found))
    return swept, swept.last.cursor() if swept.last is not None and may_be_more else None


def sweep_firm(job: Job) -> None:
    """The job of each hour: everything that is due in a firm."""
    at, last = clock.now(), None
    while True:
        with job.reading() as connection:
            page = due(connection, at, tenant_id=job.tenant_id, after=last, limit=_STEP)
        if not page:
            break
        swept = sweep(page, lambda _: job.reading(), lambda _: job.actor, at=at)
        log.info(
            "subscriptions.swept",
            tenant=str(job.tenant_id),
            scanned=swept.scanned,
            refilled=swept.refilled,
            errors=len(swept.errors),
        )
        job.step("refilling", 50)
        last = page[-1]
    with job.effect():
        pass


def _one(
    swept: Swept,
    one: Due,
    begin: Callable[[UUID], AbstractContextManager[Connection]],
    actor: Actor,
    at: datetime,
) -> Swept:
    try:
        with begin(one.tenant_id) as connection:
            moved = bring_up_to_date(connection, actor, one.tenant_id, one.subscription_id, at=at)
            crashpoint("refill-before-commit")
    except loops.AWAY:
        # Of the others nothing better is to be expected; the job is tried again.
        raise
    except ServiceError as refused:
        failure = Failure(one.subscription_id, refused.code, refused.detail or refused.title)
    except SQLAlchemyError as error:
        failure = Failure(one.subscription_id, "DATABASE_REFUSED", type(error).__name__)
    else:
        crashpoint("refill-after-commit")
        return swept.plus(moved)
    log.warning("subscription.not_swept", subscription=str(one.subscription_id), code=failure.code)
    return replace(swept, scanned=swept.scanned + 1, errors=(*swept.errors, failure))
