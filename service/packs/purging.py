"""Deletes bundles that hold a paper whose time is over; the report printed from them stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from service import clock
from service.audit.events import record
from service.objects.storage import delete

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.objects.storage import Objects

_HOLD = text(
    "select a.artifact_id, a.object_key, a.sha256, p.pack_id, p.work_order_id"
    " from pack_artifacts a"
    " join packs p on p.tenant_id = a.tenant_id and p.pack_id = a.pack_id"
    " join snapshots s on s.tenant_id = p.tenant_id and s.work_order_id = p.work_order_id"
    "  and s.version = p.snapshot_version"
    " where a.tenant_id = :tenant and a.kind = 'bundle' and a.purged_at is null"
    " and strpos(s.evidence, :key) > 0 order by a.artifact_id"
)
_PURGED = text(
    "update pack_artifacts set purged_at = :now"
    " where tenant_id = :tenant and artifact_id = :artifact"
)


def purge_bundles(connection: Connection, objects: Objects, actor: Actor, document_key: str) -> int:
    """Delete every bundle of a firm that holds a document, which is about to be purged.

    Args:
        connection: a worker's, in the transaction that purges the document.
        objects: where the files are.
        actor: who purges.
        document_key: of the document's object, as snapshots name it.

    Returns:
        How many bundles that were.
    """
    found = connection.execute(_HOLD, {"tenant": actor.tenant_id, "key": document_key}).all()
    for row in found:
        # First the file: if the commit is lost, the row still says that it has to go.
        delete(objects, row.object_key)
        connection.execute(
            _PURGED,
            {"tenant": actor.tenant_id, "artifact": row.artifact_id, "now": clock.now()},
        )
        record(
            connection,
            actor,
            "pack:artifact:purged",
            subject=("pack", row.pack_id),
            work_order_id=row.work_order_id,
            reason="The time for which a paper in the bundle is kept is over.",
            after={"kind": "bundle", "sha256": row.sha256},
        )
    return len(found)
