"""What a change of evidence means for the work orders that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import conflict, not_found
from service.evidence import records
from service.workorders import evaluating

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.workorders.records import WorkOrder


def lock_linked(
    connection: Connection, actor: Actor, document_id: UUID, *, even_frozen: bool = False
) -> tuple[WorkOrder, ...]:
    """Lock the work orders in which a document is evidence, before it is changed.

    Args:
        connection: in a transaction.
        actor: who changes the document. The portal's people see no evidence and lock nothing; the
            firm's next change looks at it.
        document_id: the document.
        even_frozen: whether the change is one that is made although a report stands; what such a
            work order shows stays as it is.

    Returns:
        Those that are to be looked at again once the document is changed.

    Raises:
        ServiceError: 409, one of the work orders cannot be changed in its state.
    """
    if actor.audience == "portal":
        return ()
    # In one order, so that two changes of shared documents wait for each other in turn.
    orders = [
        evaluating.lock(connection, actor.tenant_id, work_order_id)
        for work_order_id in records.work_orders_of(connection, actor.tenant_id, document_id)
    ]
    if not even_frozen:
        for order in orders:
            evaluating.check_editable(order)
    return tuple(order for order in orders if order.status not in evaluating.FROZEN)


def recheck_linked(connection: Connection, actor: Actor, orders: Iterable[WorkOrder]) -> None:
    """Evaluate work orders again whose evidence has changed."""
    for order in orders:
        evaluating.recheck(connection, actor, order.work_order_id)


def locked_for_change(
    connection: Connection, actor: Actor, work_order_id: UUID, wanted_version: int | None
) -> WorkOrder:
    """A work order, locked, that may be changed and has the version that the caller knows.

    Raises:
        ServiceError: 404, 409 or 412.
    """
    order = evaluating.lock(connection, actor.tenant_id, work_order_id)
    evaluating.check_editable(order)
    evaluating.check_version(order, wanted_version)
    return order


def check_may_change(connection: Connection, actor: Actor, work_order_id: UUID) -> None:
    """Refuse a new file for a work order that is not there or takes no more.

    Raises:
        ServiceError: 404 or 409.
    """
    row = records.find_work_order(connection, actor.tenant_id, work_order_id)
    if row is None:
        raise not_found()
    if row.status in evaluating.FROZEN:
        raise conflict(
            "WORK_ORDER_NOT_EDITABLE",
            "The work order cannot be changed in its state",
            f"It is {row.status} and takes no more files.",
            status_of_work_order=row.status,
        )
