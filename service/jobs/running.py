"""Runs one operation: takes its lease, keeps it, and ends it one way or the other.

`run_operation` is the only function that a work-horse ever calls.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.database.connections import transaction
from service.jobs.crashpoints import crashpoint
from service.jobs.failures import end_attempt, is_final, place, reason_of
from service.jobs.job import CannotSucceed, Job, LeaseLost, Operation, TookTooLong
from service.jobs.outgoing import mark_due
from service.jobs.registry import KINDS, Kind, resolve

if TYPE_CHECKING:
    from service.bootstrap import Service

#: How long after its time an attempt may go on before its process is ended.
GRACE_S = 5.0

log = structlog.get_logger("zenops.jobs")

# One statement, because every job waits for it: the lease, for as long as the kind says, and the
# attempt's own row.
_TAKE = text(
    "with taken as (update operations set status = 'running', attempts = attempts + 1, step = null,"
    " percent = 0, reason = null, lease_until = clock_timestamp() + make_interval(secs =>"
    " coalesce(cast(cast(:leases as jsonb) ->> kind as integer), :lease))"
    " where tenant_id = :tenant and operation_id = :operation and generation = :generation"
    " and status = 'sent'"
    " returning kind, subject_id, work_order_id, payload, attempts, requested_by),"
    " noted as (insert into operation_attempts (tenant_id, operation_id, generation, worker,"
    " started_at) select :tenant, :operation, :generation, :worker, clock_timestamp() from taken)"
    " select * from taken"
)
_FENCED = text(
    "update operation_attempts set outcome = 'fenced', ended_at = clock_timestamp()"
    " where tenant_id = :tenant and operation_id = :operation and generation = :generation"
    " and (outcome is null or outcome = 'lost')"
)


@dataclass(slots=True)
class Process:
    """What this process runs operations with; a worker sets it before it forks."""

    service: Service | None = None
    # Whether an attempt that does not end may take the process with it.
    may_be_ended: bool = False


PROCESS = Process()


def run_operation(tenant_id: str, operation_id: str, generation: int) -> None:
    """What the queue calls: run an operation if this copy is the one that may.

    Whatever happens is written in the database; nothing is raised, and the queue learns nothing.
    """
    if PROCESS.service is None:
        raise RuntimeError("no worker has set up this process")
    perform(PROCESS.service, UUID(tenant_id), UUID(operation_id), generation)


def perform(service: Service, tenant_id: UUID, operation_id: UUID, generation: int) -> bool:
    """Run one attempt; whether it was this copy's to run."""
    taken = take_lease(service, tenant_id, operation_id, generation)
    if taken is None:
        log.info("job.stale", operation=str(operation_id), generation=generation)
        return False
    job, kind = taken
    told = log.bind(
        tenant=str(tenant_id),
        operation=str(operation_id),
        generation=generation,
        kind=job.operation.kind,
    )
    began = time.monotonic()
    try:
        with _kept(job):
            crashpoint("job-after-lease")
            _run(job, kind)
            if not job.is_finished:
                with job.effect():
                    pass
    except LeaseLost:
        _note_fenced(job)
        told.warning("job.fenced")
    except Exception as error:  # noqa: BLE001 - whatever a job raises, its end is written down
        if job.is_finished:
            # The effect stands; what came after it is a fault, but not a failure of the work.
            told.error("job.failed_after_effect", error=type(error).__name__, at=place(error))
        else:
            told = told.bind(error=type(error).__name__, at=place(error))
            try:
                ended = _fail(job, reason_of(error), is_last=is_final(error))
            except Exception as second:  # noqa: BLE001 - the database, or the kind's own hook
                # Its lease will run out, and the reaper finds it.
                told.error(
                    "job.end_not_written", because=type(second).__name__, where=place(second)
                )
            else:
                told.warning("job.failed", now=ended)
    else:
        told.info("job.done", seconds=round(time.monotonic() - began, 3))
    return True


def run_pending(service: Service) -> int:
    """Work off everything that is due, in this process; how many attempts ran.

    For tests and for one-off commands: the same leases and effects, without the queue.
    """
    ran = 0
    while True:
        with transaction(service.engine, role="zen_system") as connection:
            due = mark_due(connection, limit=100)
        if not due:
            return ran
        for one in due:
            ran += perform(service, one.tenant_id, one.operation_id, one.generation)


def take_lease(
    service: Service, tenant_id: UUID, operation_id: UUID, generation: int
) -> tuple[Job, Kind | None] | None:
    """Become the one who runs an operation; None if this copy is stale."""
    own = {name: kind.lease_seconds for name, kind in KINDS.items() if kind.lease_seconds}
    with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
        row = connection.execute(
            _TAKE,
            {
                "tenant": tenant_id,
                "operation": operation_id,
                "generation": generation,
                "worker": f"{socket.gethostname()}:{os.getpid()}",
                "leases": json.dumps(own),
                "lease": service.settings.lease_seconds,
            },
        ).first()
    if row is None:
        return None
    kind = KINDS.get(row.kind)
    operation = Operation(
        tenant_id=tenant_id,
        operation_id=operation_id,
        kind=row.kind,
        subject_id=row.subject_id,
        work_order_id=row.work_order_id,
        payload=row.payload,
        attempts=row.attempts,
        requested_by=row.requested_by,
    )
    timeout = kind.timeout_seconds if kind else 1
    lease = own.get(row.kind, service.settings.lease_seconds)
    return Job(service, operation, generation, lease, time.monotonic() + timeout), kind


def _run(job: Job, kind: Kind | None) -> None:
    if kind is None:
        raise CannotSucceed(f"This version knows no job of the kind {job.operation.kind}.")
    resolve(kind.run)(job)


@contextlib.contextmanager
def _kept(job: Job) -> Iterator[None]:
    """Extend the lease from a thread for as long as the attempt may run."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(job, over), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(job: Job, over: threading.Event) -> None:
    """Extend the lease thrice in its time; end a process whose attempt does not end by itself.

    A job may swallow the exception that its timeout raises, or hang where none reaches it.
    """
    held = True
    while held and (left := job.seconds_left()) > 0:
        if over.wait(min(job.lease_seconds / 3, left)):
            return
        try:
            held = job.extend()
        except SQLAlchemyError as error:
            # The database is away; the lease lasts a while, and the next try may reach it.
            log.warning("job.lease_not_extended", error=type(error).__name__)
    if over.wait(GRACE_S) or not PROCESS.may_be_ended:
        return
    if held:
        with contextlib.suppress(SQLAlchemyError):
            _fail(job, reason_of(TookTooLong()))
    log.error("job.ended_by_force", operation=str(job.operation_id), held=held)
    os._exit(1)


def _fail(job: Job, reason: str, *, is_last: bool = False) -> str:
    """Write an attempt's failure down; what has become of the operation."""
    with job.reading() as connection:
        return (
            end_attempt(
                connection,
                tenant_id=job.tenant_id,
                operation_id=job.operation_id,
                generation=job.generation,
                reason=reason,
                is_last=is_last,
            )
            or "taken over"
        )


def _note_fenced(job: Job) -> None:
    """Write down that this attempt came too late; that is all it may write."""
    with job.reading() as connection:
        connection.execute(
            _FENCED,
            {
                "tenant": job.tenant_id,
                "operation": job.operation_id,
                "generation": job.generation,
            },
        )
