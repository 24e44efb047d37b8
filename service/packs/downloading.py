"""Who may download which file of a pack before it is released, and that they did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.audit.events import record
from service.errors import ServiceError, forbidden, not_found
from service.packs import records
from service.workorders.records import find_snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.packs.records import Artifact, Pack


def artifact_for(connection: Connection, actor: Actor, pack: Pack, kind: str) -> Artifact:
    """A file of a pack that the actor, who may download, may have.

    Raises:
        ServiceError: 404, there is none of the kind (yet); 410, it was purged; 403, it is a bundle with identity papers
            or what else is confidential in it, and the actor may not see those.
    """
    known = records.artifacts_of(connection, pack.tenant_id, [pack.pack_id])
    found = next((one for one in known if one.kind == kind), None)
    if found is None:
        raise not_found()
    if found.purged_at is not None:
        raise ServiceError(
            410,
            "ARTIFACT_PURGED",
            "The file is no longer kept",
            "It held a paper whose time was over. The report, its digest and what was entered"
            " are still there.",
        )
    if kind == "bundle" and not actor.may("evidence.sensitive") and _is_sensitive(connection, pack):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            "The bundle holds identity papers or other confidential evidence: it needs the"
            " capability evidence.sensitive as well. The report may be downloaded without it.",
            capability="evidence.sensitive",
        )
    return found


def note(connection: Connection, actor: Actor, pack: Pack, artifact: Artifact) -> None:
    """Write down that the actor has got a file."""
    record(
        connection,
        actor,
        "pack:artifact:downloaded",
        subject=("pack", pack.pack_id),
        work_order_id=pack.work_order_id,
        after={"kind": artifact.kind, "version": pack.version, "sha256": artifact.sha256},
    )


def _is_sensitive(connection: Connection, pack: Pack) -> bool:
    """Whether any evidence in a pack's bundle is called sensitive by now."""
    snapshot = find_snapshot(connection, pack.tenant_id, pack.work_order_id, pack.snapshot_version)
    assert snapshot is not None, "a pack's snapshot is referred to by its row"
    keys = [
        kept["object_key"]
        for kept in json.loads(snapshot.evidence).values()
        if "object_key" in kept
    ]
    found = connection.scalar(
        text(
            "select bool_or(sensitivity in ('pii', 'confidential')) from documents"
            " where tenant_id = :tenant and object_key = any(:keys)"
        ),
        {"tenant": pack.tenant_id, "keys": keys},
    )
    return bool(found)
