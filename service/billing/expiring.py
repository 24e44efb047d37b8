"""Frees holds whose work is dead; a hold of work that is under way never expires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.billing import credits
from service.billing.accounts import find_account
from service.database.connections import transaction
from service.errors import ServiceError
from service.workorders.records import lock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.bootstrap import Service

_FIRMS = text(
    "select distinct tenant_id from credit_holds where status = 'active' order by tenant_id"
)
# Work is dead that was cancelled, or closed although nothing was let out; of work that is not ours
# (a hold of the older system) only the time is known that the hold was asked for.
_DEAD = (
    "select h.hold_id, h.account_id, h.work_order_id, case"
    " when h.work_order_id is null then 'its time is over'"
    " when w.status = 'CANCELLED' then 'the work order was cancelled'"
    " else 'the work order was closed without a release' end as why"
    " from credit_holds h left join work_orders w on w.tenant_id = h.tenant_id"
    " and w.work_order_id = h.work_order_id where h.tenant_id = :tenant and h.status = 'active'"
    " and (h.work_order_id is null and h.expires_at <= :now or w.status = 'CANCELLED'"
    " or w.status = 'CLOSED' and not exists (select from releases r where r.tenant_id = w.tenant_id"
    " and r.work_order_id = w.work_order_id and r.result <> 'BLOCKED'))"
)
_ALL_DEAD = text(f"{_DEAD} order by h.created_at, h.hold_id")
_STILL_DEAD = text(f"{_DEAD} and h.hold_id = :hold")


def expire_due(service: Service) -> int:
    """Free the holds of dead work, of every firm; the scheduler's task.

    Returns:
        How many were freed.
    """
    with transaction(service.engine, role="zen_system") as connection:
        firms = connection.scalars(_FIRMS).all()
    freed = 0
    for tenant_id in firms:
        with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
            values = {"tenant": tenant_id, "now": clock.now()}
            found = connection.execute(_ALL_DEAD, values).all()
        for row in found:
            with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
                freed += _expire(connection, tenant_id, row)
    return freed


def _expire(connection: Connection, tenant_id: UUID, found: Row[tuple[UUID, UUID]]) -> bool:
    """Whether the hold was freed: its work may live again, or somebody may have been quicker."""
    if found.work_order_id is not None:
        lock(connection, tenant_id, found.work_order_id)
    values = {"tenant": tenant_id, "now": clock.now(), "hold": found.hold_id}
    dead = connection.execute(_STILL_DEAD, values).one_or_none()
    if dead is None:
        return False
    actor = Actor(tenant_id, None, "worker", frozenset(), "expiry of holds", str(found.hold_id))
    account = find_account(connection, tenant_id, dead.account_id)
    try:
        credits.release(
            connection,
            actor,
            account,
            key=f"expire:{dead.hold_id}",
            reason=dead.why,
            hold_id=dead.hold_id,
            kind="expire",
        )
    except ServiceError as refusal:
        if not refusal.code.startswith("RESERVATION_ALREADY_"):
            raise
        return False
    return True
