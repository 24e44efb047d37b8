"""Moves a work order from one state to another: one transaction, with its record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.audit.events import record
from service.errors import FieldError, ServiceError, forbidden, invalid
from service.identifiers import new_id
from service.workorders.commenting import add_comment
from service.workorders.evaluating import (
    check_version,
    evaluate_now,
    find,
    frozen,
    lock,
    save,
    take_snapshot,
)
from service.workorders.records import find_snapshot
from service.workorders.transitions import Move, Transition, ways_from

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.evaluation import Readiness
    from service.actor import Actor
    from service.workorders.records import Snapshot, WorkOrder

_ADD_CHANGE = text(
    "insert into status_changes (tenant_id, status_change_id, work_order_id, from_status,"
    " to_status, note, changed_by, changed_at)"
    " values (:tenant, :change, :id, :source, :target, :note, :person, :now)"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it; `snapshot` and `readiness` are there when a report is made."""

    order: WorkOrder
    changed: bool
    snapshot: Snapshot | None = None
    readiness: Readiness | None = None


def move(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    target: str,
    *,
    note: str | None = None,
    wanted: int | None = None,
) -> Moved:
    """Give a work order another state.

    Args:
        connection: of a transaction in the actor's role.
        actor: who does it.
        work_order_id: which one.
        target: the state; the one that it has is no change and no fault.
        note: what to say of it; going back demands one.
        wanted: the version that the caller has seen, if they mind.

    Raises:
        ServiceError: 404; 412, another version; 400, there is no such way, or nothing was computed
            yet, or something is missing (with the readiness); 403; 422, the note is missing.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    check_version(order, wanted)
    if target == order.status:
        return Moved(order, changed=False)
    way = _way(actor, order, target, note)
    snapshot, readiness = None, None
    if way.needs_readiness:
        order, snapshot, readiness = _made_ready(connection, actor, order)
    saved = save(connection, replace(order, status=target))
    connection.execute(
        _ADD_CHANGE,
        {
            "tenant": actor.tenant_id,
            "change": new_id(),
            "id": work_order_id,
            "source": order.status,
            "target": target,
            "note": note,
            "person": actor.user_id,
            "now": saved.updated_at,
        },
    )
    said = f"Status {order.status} -> {target}" + (f": {note}" if note else "")
    add_comment(connection, actor, work_order_id, "NOTES", said)
    record(
        connection,
        actor,
        "workorder:status:changed",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        reason=note,
        before={"status": order.status},
        after={"status": target},
    )
    for effect in way.effects:
        effect(connection, actor, Move(saved, order.status, note, snapshot))
    # Effects write columns of their own, such as the current pack.
    return Moved(find(connection, actor.tenant_id, work_order_id), True, snapshot, readiness)


def _way(actor: Actor, order: WorkOrder, target: str, note: str | None) -> Transition:
    ways = ways_from(order.status)
    way = next((one for one in ways if one.target == target), None)
    if way is None:
        allowed = [one.target for one in ways]
        raise invalid(
            "ILLEGAL_STATUS_TRANSITION",
            "There is no way from this state to that",
            f"From {order.status} it goes to {', '.join(allowed) or 'no other state'}, "
            f"not to {target}.",
            allowed=allowed,
        )
    if not actor.may(way.capability):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            f"It needs the capability {way.capability}; an administrator of the firm grants it.",
            capability=way.capability,
        )
    if way.needs_note and not note:
        raise ServiceError(
            422,
            "REASON_REQUIRED",
            "A reason is needed",
            "Say in the note why the work order is taken back.",
            fields=(FieldError("note", "Say why.", "REASON_REQUIRED"),),
        )
    return way


def _made_ready(
    connection: Connection, actor: Actor, order: WorkOrder
) -> tuple[WorkOrder, Snapshot, Readiness]:
    """The snapshot that a report is made of: the latest, unless anything has changed since."""
    if order.snapshot_version == 0:
        raise invalid(
            "SNAPSHOT_REQUIRED",
            "Nothing was computed yet",
            "Enter what the contract needs first.",
        )
    evaluated = evaluate_now(connection, order, trace=True)
    readiness = evaluated.evaluation.readiness
    if not readiness.ready:
        raise invalid(
            "REPOGEN_READINESS_BLOCK",
            "Something is missing for the report",
            "See readiness: what it names must be entered, uploaded or settled first.",
            readiness=readiness,
        )
    latest = find_snapshot(connection, order.tenant_id, order.work_order_id, order.snapshot_version)
    if latest is None or latest.bundle_digest != frozen(evaluated).digest:
        order, latest = take_snapshot(connection, actor, order, evaluated)
    return order, latest, readiness
