"""A snapshot as another system takes it: the original's members, from what was stored then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from service.errors import not_found
from service.workorders.reading import derived_of, summary_of
from service.workorders.records import find, find_snapshot, read_parts
from service.workorders.shapes import Export, ExportBundle, ManifestDocument, ManifestLine

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor

_GROUPING = {"min": 2, "max": 4}


def export(
    connection: Connection, actor: Actor, work_order_id: UUID, version: int | None = None
) -> Export:
    """A snapshot of a work order; evidence is what it was then, whatever became of it.

    Args:
        connection: of a transaction in the actor's role.
        actor: who asks.
        work_order_id: which work order.
        version: of the computed half; the latest if left out.

    Raises:
        ServiceError: 404, there is no such work order or snapshot.
    """
    order = find(connection, actor.tenant_id, work_order_id)
    wanted = order.snapshot_version if version is None else version
    snapshot = find_snapshot(connection, actor.tenant_id, work_order_id, wanted)
    if snapshot is None:
        raise not_found()
    name = "data/case.json"
    case = json.loads(read_parts(connection, actor.tenant_id, {name: snapshot.parts[name]})[name])
    contract = json.loads(snapshot.contract)
    annexures = contract.get("annexures", {})
    hints = {item["evidence_item_id"]: item for item in annexures.get("items", ())}
    kept = json.loads(snapshot.evidence)
    manifest = [_line(piece, kept[piece["key"]], hints) for piece in case.get("evidence", ())]
    # Sorting keeps the order of entry among pieces with the same number, or with none.
    manifest.sort(key=lambda line: (line.annexure_order is None, line.annexure_order or 0))
    bundle = ExportBundle(
        work_order_id=work_order_id,
        snapshot_version=snapshot.version,
        bundle_digest=snapshot.bundle_digest,
        contract_json=contract,
        derived_json=derived_of(connection, actor.tenant_id, snapshot),
        readiness_json=json.loads(snapshot.readiness),
        annexure_defaults=annexures.get("image_grouping_default", _GROUPING),
        evidence_manifest=manifest,
    )
    return Export(**dict(bundle), snapshot=summary_of(snapshot), export_bundle=bundle)


def _line(piece: dict[str, Any], kept: dict[str, str], hints: dict[str, Any]) -> ManifestLine:
    facts = piece.get("facts", {})
    document = kept.get("document_id")
    return ManifestLine(
        id=kept["evidence_item_id"],
        evidence_item_id=kept["evidence_item_id"],
        document_id=document,
        key=piece["key"],
        evidence_type=piece["type"],
        doc_type=piece.get("doc_type"),
        tags=piece.get("tags", {}),
        label=piece.get("label"),
        status=piece["status"],
        annexure_order=piece.get("annexure_order"),
        classification=piece.get("classification"),
        sensitivity=piece.get("sensitivity"),
        source=piece.get("source"),
        captured_at=piece.get("captured_at"),
        document=None
        if document is None
        else ManifestDocument(
            id=document,
            content_type=facts.get("media_type"),
            size_bytes=facts.get("size"),
            sha256=facts.get("sha256"),
            status=piece["status"],
        ),
        file=piece.get("file"),
        sha256=facts.get("sha256"),
        size=facts.get("size"),
        media_type=facts.get("media_type"),
        annexure_hint=hints.get(piece["key"]),
    )
