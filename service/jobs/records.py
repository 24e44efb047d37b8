"""Operations and their attempts, as the outbox holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COLUMNS = (
    "operation_id, kind, status, step, percent, reason, attempts, generation, subject_id,"
    " work_order_id, requested_by, created_at, run_after, sent_at, finished_at"
)
# Ids sort by the time they were made, so the newest come first.
_LIST = text(
    f"select {_COLUMNS} from operations where tenant_id = :tenant"  # noqa: S608 - a constant
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:kind as text) is null or kind = :kind)"
    " and (cast(:work_order as uuid) is null or work_order_id = :work_order)"
    " and (cast(:below as uuid) is null or operation_id < :below)"
    " order by operation_id desc limit :limit"
)
_ONE = text(
    f"select {_COLUMNS} from operations"  # noqa: S608 - a constant
    " where tenant_id = :tenant and operation_id = :operation"
)
_ATTEMPTS = text(
    "select generation, worker, started_at, ended_at, outcome, reason from operation_attempts"
    " where tenant_id = :tenant and operation_id = :operation order by generation"
)


def find_operations(
    connection: Connection,
    tenant_id: UUID,
    *,
    status: str | None = None,
    kind: str | None = None,
    work_order_id: UUID | None = None,
    below: UUID | None = None,
    limit: int = 50,
) -> Sequence[Any]:
    """A firm's operations, newest first, as rows.

    Args:
        connection: of a role that may read them.
        tenant_id: the firm.
        status: only those in this state.
        kind: only those of this kind.
        work_order_id: only those of this work order.
        below: only those that were asked for before this one.
        limit: how many at most.
    """
    return connection.execute(
        _LIST,
        {
            "tenant": tenant_id,
            "status": status,
            "kind": kind,
            "work_order": work_order_id,
            "below": below,
            "limit": limit,
        },
    ).all()


def operation(connection: Connection, tenant_id: UUID, operation_id: UUID) -> Any | None:
    """One operation's row, or None if the firm has none such."""
    return connection.execute(_ONE, {"tenant": tenant_id, "operation": operation_id}).one_or_none()


def attempts_of(connection: Connection, tenant_id: UUID, operation_id: UUID) -> Sequence[Any]:
    """The rows of an operation's attempts, the first one first."""
    return connection.execute(_ATTEMPTS, {"tenant": tenant_id, "operation": operation_id}).all()
