"""What becomes of a pack whose job was given up, and of one whose job an operator starts again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.audit.events import record
from service.billing.hooks import on_pack_failed, on_pack_resumed
from service.errors import conflict
from service.jobs.retrying import retry
from service.packs import records

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.jobs.job import Operation
    from service.packs.records import Pack

Told = Callable[["Connection", "Actor", "Pack"], None]

#: What is told of a pack that will not come, in the transaction that says so: whatever was held for
#: it is freed here. Called with a worker's connection and the pack as it was.
ON_PACK_FAILED: tuple[Told, ...] = (on_pack_failed,)
#: Likewise of one that is tried again, in the operator's transaction; who refuses stops it.
ON_PACK_RESUMED: tuple[Told, ...] = (on_pack_resumed,)


def fail_pack(connection: Connection, operation: Operation) -> None:
    """Call a pack failed whose bundle or report will not come, and free what was held for it.

    Called in the transaction that gives the operation up; a pack that no longer stands stays so.
    """
    pack = _pack_of(connection, operation)
    if pack.status != "generating":
        return
    connection.execute(
        text(
            "update packs set status = 'failed', failure = :reason"
            " where tenant_id = :tenant and pack_id = :pack"
        ),
        {"reason": operation.reason, "tenant": pack.tenant_id, "pack": pack.pack_id},
    )
    record(
        connection,
        operation.actor,
        "pack:version:failed",
        subject=("pack", pack.pack_id),
        work_order_id=pack.work_order_id,
        reason=operation.reason,
        before={"status": pack.status},
        after={"status": "failed", "version": pack.version},
    )
    for told in ON_PACK_FAILED:
        told(connection, operation.actor, pack)


def start_again(connection: Connection, actor: Actor, pack: Pack) -> None:
    """Have every job of a current pack that was given up start again.

    Args:
        connection: the operator's transaction, in which the work order is locked.
        actor: the operator.
        pack: whose jobs.

    Raises:
        ServiceError: 409 PACK_NOT_FAILED, there is nothing to start again.
    """
    jobs = records.operations_of(connection, pack.tenant_id, [pack.pack_id])
    dead = [one for one in jobs if one.status == "dead"]
    if not pack.is_current or not dead:
        raise conflict(
            "PACK_NOT_FAILED",
            "There is nothing to start again",
            f"Version {pack.version} is {pack.status}, and no job of it was given up."
            if pack.is_current
            else f"Version {pack.version} is {pack.status}; only the current pack is made.",
            pack_status=pack.status,
        )
    for one in dead:
        retry(connection, actor, one.operation_id)


def resume_pack(connection: Connection, operation: Operation) -> None:
    """Call a failed pack generating again, because its job begins anew.

    Called in the transaction in which an operator has the dead operation start again.
    """
    resumed = connection.execute(
        text(
            "update packs set status = 'generating', failure = null"
            " where tenant_id = :tenant and pack_id = :pack and status = 'failed'"
        ),
        {"tenant": operation.tenant_id, "pack": operation.subject_id},
    ).rowcount
    if resumed:
        pack = _pack_of(connection, operation)
        for told in ON_PACK_RESUMED:
            told(connection, operation.actor, pack)


def _pack_of(connection: Connection, operation: Operation) -> Pack:
    assert operation.subject_id is not None, "the jobs of a pack name it"
    pack = records.pack_by_id(connection, operation.tenant_id, operation.subject_id, locked=True)
    assert pack is not None, "packs are never removed"
    return pack
