"""Begins a new version of a work order's pack, and ends one that no longer stands.

Both are called inside the transaction that changes the work order, with its row locked: the pack,
its job and the change are there together or not at all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from service import clock
from service.audit.events import record
from service.errors import invalid
from service.identifiers import new_id
from service.jobs.outbox import cancel, enqueue
from service.packs import records
from service.packs.policy import the_policy
from service.workorders.records import find_snapshot

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.packs.records import Pack
    from service.workorders.records import Snapshot, WorkOrder

#: The original's families; every report that is not one of these values something.
_FAMILIES = {"DPR": "dpr", "STAGE_PROGRESS": "stage_progress"}


def start_pack(
    connection: Connection,
    actor: Actor,
    work_order: WorkOrder,
    snapshot_version: int | None,
    replaces_reason: str | None = None,
) -> Pack:
    """The pack of a snapshot: the one that is there, or the next version, with its job.

    Args:
        connection: inside the transaction that makes the work order ready.
        actor: who asks for it.
        work_order: its row, locked by this transaction.
        snapshot_version: the computed snapshot that it is to hold; None for the latest.
        replaces_reason: why there is to be another; what the last one was ended for, if left out.

    Raises:
        ServiceError: 400, there is no such snapshot.
    """
    tenant, work_order_id = actor.tenant_id, work_order.work_order_id
    version = work_order.snapshot_version if snapshot_version is None else snapshot_version
    snapshot = find_snapshot(connection, tenant, work_order_id, version)
    if snapshot is None:
        raise invalid(
            "SNAPSHOT_REQUIRED_FOR_PACK_CREATION",
            "There is nothing computed that a pack could hold",
            "Enter what the contract needs, then move the work order to READY_FOR_RENDER.",
        )
    current = records.current_pack(connection, tenant, work_order_id, locked=True)
    if current is not None and current.snapshot_version == snapshot.version:
        return current
    if current is not None:
        reason = replaces_reason or f"snapshot {snapshot.version} was computed after it"
        current = end_current(connection, actor, work_order, reason)
    previous = current or records.latest_pack(connection, tenant, work_order_id)
    if previous is not None:
        replaces_reason = replaces_reason or previous.end_reason
    pack_id = new_id()
    connection.execute(
        text(
            "insert into packs (tenant_id, pack_id, work_order_id, version, snapshot_version,"
            " bundle_digest, template_key, family, status, fair_market_value, replaces_pack_id,"
            " replaces_reason, requested_by, created_at)"
            " values (:tenant, :pack, :work_order, :version, :snapshot, :digest, :template,"
            " :family, 'generating', :value, :replaces, :reason, :person, :now)"
        ),
        {
            "tenant": tenant,
            "pack": pack_id,
            "work_order": work_order_id,
            "version": _next_version(connection, tenant, work_order_id),
            "snapshot": snapshot.version,
            "digest": snapshot.bundle_digest,
            "template": snapshot.template_key,
            "family": _FAMILIES.get(work_order.report_type, "valuation"),
            "value": _value_of(connection, tenant, snapshot),
            "replaces": None if previous is None else previous.pack_id,
            "reason": None if previous is None else replaces_reason,
            "person": actor.user_id,
            "now": clock.now(),
        },
    )
    _make_current(connection, tenant, work_order_id, pack_id)
    enqueue(
        connection,
        actor,
        "pack.bundle",
        key=f"pack-bundle:{pack_id}",
        subject_id=pack_id,
        work_order_id=work_order_id,
    )
    pack = records.pack_by_id(connection, tenant, pack_id)
    assert pack is not None
    record(
        connection,
        actor,
        "pack:version:started",
        subject=("pack", pack_id),
        work_order_id=work_order_id,
        reason=pack.replaces_reason,
        after={
            "version": pack.version,
            "snapshot_version": pack.snapshot_version,
            "bundle_digest": pack.bundle_digest,
            "replaces_pack_id": pack.replaces_pack_id,
        },
    )
    return pack


def supersede_current(
    connection: Connection, actor: Actor, work_order: WorkOrder, reason: str
) -> Pack | None:
    """End a work order's current pack because what it holds is to be corrected, and its jobs.

    Args:
        connection: inside the transaction that takes the work order back.
        actor: who does it.
        work_order: its row, locked by this transaction.
        reason: why, in the person's words; the next version says that it replaces this one for it.

    Returns:
        The pack that was current, as it is now; None if there was none.
    """
    return end_current(connection, actor, work_order, reason)


def withdraw_current(
    connection: Connection, actor: Actor, work_order: WorkOrder, reason: str
) -> Pack | None:
    """End a work order's current pack because there will be no report, as `supersede_current`."""
    return end_current(connection, actor, work_order, reason, status="withdrawn")


def end_current(
    connection: Connection,
    actor: Actor,
    work_order: WorkOrder,
    reason: str,
    *,
    status: Literal["superseded", "withdrawn"] = "superseded",
) -> Pack | None:
    """End a work order's current pack, and cancel what is under way for it."""
    tenant = actor.tenant_id
    current = records.current_pack(connection, tenant, work_order.work_order_id)
    if current is None:
        return None
    # Jobs first, then their pack: a job that commits takes the two in the same order. One that was
    # waited for may just have asked for the next.
    why = f"the pack was {status}: {reason}"
    while open_ones := records.open_operations_of(connection, tenant, current.pack_id):
        for operation_id in open_ones:
            cancel(connection, actor, operation_id, reason=why)
    connection.execute(
        text(
            "update packs set status = :status, ended_at = :now, end_reason = :reason"
            " where tenant_id = :tenant and pack_id = :pack"
        ),
        {
            "status": status,
            "now": clock.now(),
            "reason": reason,
            "tenant": tenant,
            "pack": current.pack_id,
        },
    )
    _make_current(connection, tenant, current.work_order_id, None)
    record(
        connection,
        actor,
        f"pack:version:{status}",
        subject=("pack", current.pack_id),
        work_order_id=current.work_order_id,
        reason=reason,
        before={"status": current.status},
        after={"status": status},
    )
    return records.pack_by_id(connection, tenant, current.pack_id)


def _next_version(connection: Connection, tenant: UUID, work_order_id: UUID) -> int:
    found: int = connection.execute(
        text(
            "update work_orders set pack_version = pack_version + 1"
            " where tenant_id = :tenant and work_order_id = :work_order returning pack_version"
        ),
        {"tenant": tenant, "work_order": work_order_id},
    ).scalar_one()
    return found


def _make_current(
    connection: Connection, tenant: UUID, work_order_id: UUID, pack_id: UUID | None
) -> None:
    connection.execute(
        text(
            "update work_orders set current_pack_id = :pack"
            " where tenant_id = :tenant and work_order_id = :work_order"
        ),
        {"tenant": tenant, "work_order": work_order_id, "pack": pack_id},
    )


def _value_of(connection: Connection, tenant: UUID, snapshot: Snapshot) -> Decimal | None:
    """What the snapshot itself says the property is worth."""
    evaluation = records.part(connection, tenant, snapshot.parts["data/evaluation.json"])
    return the_policy().value_in(json.loads(evaluation)["trace"])
