"""Has a dead operation start again, because an operator says so."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from service.audit import events
from service.errors import conflict, not_found
from service.jobs.job import Operation
from service.jobs.registry import KINDS, resolve

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor

_LOCK = text(
    "select kind, status, subject_id, work_order_id, payload, attempts, requested_by, reason"
    " from operations where tenant_id = :tenant and operation_id = :operation for update"
)
_AGAIN = text(
    "update operations set status = 'pending', attempts = 0, step = null, percent = 0,"
    " reason = null, finished_at = null, run_after = now()"
    " where tenant_id = :tenant and operation_id = :operation"
)
# An update wakes nobody by itself; the notice goes out with the commit.
_NOTIFY = text("select pg_notify('zenops_operations', '')")


def retry(
    connection: Connection, actor: Actor, operation_id: UUID, *, reason: str | None = None
) -> None:
    """Have a dead operation start again, with all of its attempts, under a fresh generation.

    Args:
        connection: the operator's transaction.
        actor: the operator.
        operation_id: what to start again.
        reason: why, for the audit.

    Raises:
        ServiceError: 404 if the firm has none such; 409 JOB_NOT_DEAD, or JOB_KIND_UNKNOWN if this
            version knows no job of the kind.
    """
    names = {"tenant": actor.tenant_id, "operation": operation_id}
    row = connection.execute(_LOCK, names).one_or_none()
    if row is None:
        raise not_found()
    if row.status != "dead":
        raise conflict(
            "JOB_NOT_DEAD",
            "Only a job that was given up can start again",
            f"This one is {row.status}.",
            job_status=row.status,
        )
    if row.kind not in KINDS:
        raise conflict(
            "JOB_KIND_UNKNOWN", "Nothing runs such a job any more", f"Its kind is {row.kind}."
        )
    hook = KINDS[row.kind].on_retry
    if hook is not None:
        resolve(hook)(
            connection,
            Operation(
                tenant_id=actor.tenant_id,
                operation_id=operation_id,
                kind=row.kind,
                subject_id=row.subject_id,
                work_order_id=row.work_order_id,
                payload=row.payload,
                attempts=row.attempts,
                requested_by=row.requested_by,
                reason=row.reason,
            ),
        )
    connection.execute(_AGAIN, names)
    connection.execute(_NOTIFY)
    events.record(
        connection,
        actor,
        "job:operation:retried",
        subject=("operation", operation_id),
        work_order_id=row.work_order_id,
        reason=reason,
        before={"status": "dead", "attempts": row.attempts, "reason": row.reason},
        after={"status": "pending"},
    )
