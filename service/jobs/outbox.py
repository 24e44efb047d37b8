"""Asks for work, in the transaction that makes it necessary.

A row here is the only record of work: it stands if that transaction commits, and the dispatcher is
woken by the commit itself. The queue may be lost at any moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service.identifiers import new_id
from service.jobs.registry import KINDS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from service.actor import Actor

# The database's clock, so that machines whose clocks differ agree on what is due. Any conflict
# means the same: this work has been asked for already.
_INSERT = text(
    "insert into operations (tenant_id, operation_id, kind, operation_key, work_order_id,"
    " subject_id, payload, requested_by, created_at, run_after)"
    " values (:tenant, :operation, :kind, :key, :work_order, :subject, cast(:payload as jsonb),"
    " :requested_by, now(), coalesce(cast(:run_after as timestamptz), now()))"
    " on conflict do nothing"
)
_FIND = text(
    "select operation_id, kind from operations where tenant_id = :tenant and operation_key = :key"
)
_CANCEL = text(
    "update operations set status = 'cancelled', finished_at = now(), lease_until = null,"
    " reason = :reason where tenant_id = :tenant and operation_id = :operation"
    " and status in ('pending', 'sent', 'running')"
)


def enqueue(
    connection: Connection,
    actor: Actor,
    kind: str,
    *,
    key: str,
    subject_id: UUID | None,
    work_order_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
    run_after: datetime | None = None,
) -> UUID:
    """Ask for work; it is done once if and only if the transaction commits.

    Args:
        connection: inside the transaction that makes the work necessary.
        actor: who causes it; it is done for the actor's tenant.
        kind: one of `registry.KINDS`.
        key: what makes it the same work; asked for twice, it is one row.
        subject_id: what it is done to.
        work_order_id: the work order it belongs to, so that its progress is found there.
        payload: further small values as JSON has them; no evidence, no secrets.
        run_after: not before this instant; None means now.

    Returns:
        The operation's id, the same for the same key.

    Raises:
        ValueError: the kind is not in the list, or the key stands for work of another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind} is no kind of job; they are listed in service/jobs/registry.py")
    operation_id = new_id()
    inserted = connection.execute(
        _INSERT,
        {
            "tenant": actor.tenant_id,
            "operation": operation_id,
            "kind": kind,
            "key": key,
            "work_order": work_order_id,
            "subject": subject_id,
            "payload": json.dumps(dict(payload or {}), ensure_ascii=False),
            "requested_by": actor.user_id or actor.token_id,
            "run_after": run_after,
        },
    ).rowcount
    if inserted:
        return operation_id
    found = connection.execute(_FIND, {"tenant": actor.tenant_id, "key": key}).one()
    if found.kind != kind:
        raise ValueError(f"the key {key} stands for {found.kind}, not for {kind}")
    existing: UUID = found.operation_id
    return existing


def cancel(connection: Connection, actor: Actor, operation_id: UUID, *, reason: str) -> bool:
    """Take back work that is not finished; an attempt under way cannot commit its effect any more.

    Returns:
        Whether there was anything to take back.
    """
    return bool(
        connection.execute(
            _CANCEL,
            {"tenant": actor.tenant_id, "operation": operation_id, "reason": reason},
        ).rowcount
    )
