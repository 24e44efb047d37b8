"""How an attempt ends that did not succeed: again later, or never again."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog
from rq.timeouts import BaseTimeoutException
from sqlalchemy import text

from service.audit import events
from service.errors import ServiceError
from service.jobs.job import CannotSucceed, JobFailed, Operation, TookTooLong
from service.jobs.registry import KINDS, Kind, resolve

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

Ended = Literal["pending", "dead"]

_LONGEST_REASON = 500
log = structlog.get_logger("zenops.jobs")

_LOCK = text(
    "select kind, subject_id, work_order_id, payload, attempts, requested_by from operations"
    " where tenant_id = :tenant and operation_id = :operation and generation = :generation"
    " and status = 'running' for update"
)
_AGAIN = text(
    "update operations set status = 'pending', reason = :reason, lease_until = null,"
    " run_after = clock_timestamp() + make_interval(secs => :wait)"
    " where tenant_id = :tenant and operation_id = :operation"
)
_DEAD = text(
    "update operations set status = 'dead', reason = :reason, lease_until = null,"
    " finished_at = clock_timestamp() where tenant_id = :tenant and operation_id = :operation"
)
_ATTEMPT = text(
    "update operation_attempts set outcome = :outcome, reason = :reason,"
    " ended_at = clock_timestamp() where tenant_id = :tenant and operation_id = :operation"
    " and generation = :generation and outcome is null"
)


def reason_of(error: BaseException) -> str:
    """Why an attempt failed, in words that may be shown and stored.

    Only messages that were written to be read are taken; of anything else, its kind alone:
    a library's message may quote evidence, an address or a secret.
    """
    if isinstance(error, TookTooLong | BaseTimeoutException):
        return "It took longer than it may."
    if isinstance(error, ServiceError | JobFailed):
        return str(error)[:_LONGEST_REASON]
    return f"The job failed inside ({type(error).__name__}); the log says where."


def place(error: BaseException) -> str:
    """Where an error came up, for the log, without what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def is_final(error: BaseException) -> bool:
    """Whether another attempt would end in the same way."""
    return isinstance(error, CannotSucceed)


def end_attempt(
    connection: Connection,
    *,
    tenant_id: UUID,
    operation_id: UUID,
    generation: int,
    reason: str,
    outcome: Literal["failed", "lost"] = "failed",
    is_last: bool = False,
    wait: bool = True,
) -> Ended | None:
    """End an attempt without success, in a transaction of zen_worker for the tenant.

    Args:
        connection: inside that transaction.
        tenant_id: whose operation it is.
        operation_id: the operation.
        generation: the attempt's; if another one has begun, nothing happens.
        reason: in words that may be shown.
        outcome: whether the attempt failed, or nobody heard of it any more.
        is_last: give it up whatever number of attempts is left.
        wait: whether the next attempt waits for the kind's backoff.

    Returns:
        What the operation is now; None if the attempt held it no longer.
    """
    names = {"tenant": tenant_id, "operation": operation_id, "generation": generation}
    row = connection.execute(_LOCK, names).first()
    if row is None:
        return None
    kind = KINDS.get(row.kind, _UNKNOWN)
    connection.execute(_ATTEMPT, {**names, "outcome": outcome, "reason": reason})
    if not is_last and row.attempts < kind.max_attempts:
        seconds = kind.backoff(row.attempts) if wait else 0
        connection.execute(_AGAIN, {**names, "reason": reason, "wait": seconds})
        return "pending"
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
    _give_up(connection, kind, replace(operation, reason=reason), names)
    return "dead"


def _give_up(
    connection: Connection, kind: Kind, operation: Operation, names: dict[str, Any]
) -> None:
    """Free what the operation held and mark it dead, or neither."""
    if kind.on_dead is not None:
        resolve(kind.on_dead)(connection, operation)
    connection.execute(_DEAD, {**names, "reason": operation.reason})
    events.record(
        connection,
        operation.actor,
        "job:operation:died",
        subject=("operation", operation.operation_id),
        work_order_id=operation.work_order_id,
        reason=operation.reason,
    )


# A kind that this version does not know any more: there is no point in trying again.
_UNKNOWN = Kind(run="", max_attempts=0)
