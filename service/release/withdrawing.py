"""Takes back what was let out: it is kept, and nobody gets it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.audit.events import record
from service.billing.acting import as_billing
from service.errors import conflict, not_found
from service.packs import records as pack_records
from service.release import records
from service.release.records import Withdrawal
from service.workorders.records import lock

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor


def withdraw(
    connection: Connection, actor: Actor, work_order_id: UUID, version: int, reason: str
) -> None:
    """Say that a version which was let out must not be used; every link to it is dead at once.

    What was paid stays paid, and covers the next version.

    Args:
        connection: in the actor's role.
        actor: holds deliverables.release.
        work_order_id: whose report.
        version: of the report.
        reason: why, for whoever has it.

    Raises:
        ServiceError: 404, there is no such version, or it was never let out; 409
            DELIVERABLE_WITHDRAWN, it is withdrawn already.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    pack = pack_records.pack_of_version(connection, order.tenant_id, work_order_id, version)
    found = pack and records.deliverable_of_pack(connection, order.tenant_id, pack.pack_id)
    if not found:
        raise not_found()
    release_id = found.decision.release_id
    withdrawal = Withdrawal(reason, actor.user_id, clock.now())
    with as_billing(connection, order.tenant_id):
        written = records.insert_withdrawal(connection, order.tenant_id, release_id, withdrawal)
    if not written:
        raise conflict(
            "DELIVERABLE_WITHDRAWN",
            "This version was withdrawn already",
            f"The reason was: {found.why_withdrawn}",
        )
    record(
        connection,
        actor,
        "release:deliverable:withdrawn",
        subject=("release", release_id),
        work_order_id=work_order_id,
        reason=reason,
        before={"state": found.state},
        after={"state": "withdrawn", "version": version},
    )
