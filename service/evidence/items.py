"""The evidence of a work order: added, changed, put in order, taken out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from contracts.canonical_json import canonical_json, to_plain
from contracts.contract import Coordinates
from contracts.exact_json import read_json
from engine.annexures import order_annexures
from service.audit.events import record
from service.clock import now
from service.errors import (
    FieldError,
    ServiceError,
    conflict,
    invalid,
    invalid_fields,
    not_found,
)
from service.evidence import documents, records
from service.evidence.duplicates import duplicates_of
from service.evidence.examination import read_stored_facts
from service.evidence.guarding import may_open
from service.evidence.limits import limits
from service.evidence.linked_work import locked_for_change
from service.evidence.shapes import EvidenceAnswer, EvidenceDocument, EvidenceList
from service.identifiers import new_id
from service.workorders import evaluating

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.actor import Actor
    from service.evidence.shapes import EvidenceItem, EvidenceLink
    from service.workorders.records import WorkOrder

#: What an item says of its document.
_OF_THE_DOCUMENT = (
    "classification", "sensitivity", "source", "captured_at", "taken_on_site", "remarks",
)  # fmt: skip


def listed(connection: Connection, actor: Actor, order: WorkOrder) -> EvidenceList:
    """The evidence of a work order in the order of its annexures, and how ready it is with it."""
    readiness = evaluating.evaluate_now(connection, order).evaluation.readiness
    return EvidenceList(
        work_order_id=order.work_order_id,
        version=order.version,
        is_ready=order.is_ready,
        completeness_score=order.completeness_score,
        missing=order.missing,
        readiness=to_plain(readiness),
        evidence_items=pieces_of(connection, actor, order),
    )


def pieces_of(connection: Connection, actor: Actor, order: WorkOrder) -> tuple[EvidenceAnswer, ...]:
    """The pieces of evidence of a work order in the order of its annexures."""
    rows = records.evidence_items(connection, order.tenant_id, order.work_order_id)
    copies = duplicates_of(
        connection,
        actor,
        {row.document_id for row in rows if row.document_status == "uploaded"},
    )
    return tuple(_answer(actor, row, copies) for row in rows)


def link(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    body: EvidenceLink,
    wanted_version: int | None,
) -> WorkOrder:
    """Add evidence, and change what is there: a key that an item leaves out stays as it is.

    Returns:
        The work order as it is then.

    Raises:
        ServiceError: 400 for an unknown document, 404 for an unknown item, 409, 412 or 422.
    """
    order = locked_for_change(connection, actor, work_order_id, wanted_version)
    there = {
        row.evidence_item_id: row
        for row in records.evidence_items(connection, actor.tenant_id, work_order_id)
    }
    keys = records.keys_ever_used(connection, actor.tenant_id, work_order_id)
    named = [item.id for item in body.items if item.id is not None]
    for number, item in enumerate(body.items):
        old = None if item.id is None else there.get(item.id)
        if item.id is not None and old is None:
            raise not_found()
        if item.id is not None and named.count(item.id) > 1:
            raise _wrong(number, "id", "The same piece of evidence is named twice.")
        _put(connection, actor, order, number, item, old, keys, body.reason)
    after = records.evidence_items(connection, actor.tenant_id, work_order_id)
    if len(after) > limits().evidence_items_per_work_order:
        raise conflict(
            "TOO_MUCH_EVIDENCE",
            "There is no room for another piece of evidence",
            f"A work order may have {limits().evidence_items_per_work_order} pieces.",
        )
    _check_used_once(after)
    return evaluating.recheck(connection, actor, work_order_id)


def take_out(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    evidence_item_id: UUID,
    reason: str,
    wanted_version: int | None,
) -> WorkOrder:
    """Take a piece of evidence out of a work order; its document stays.

    Raises:
        ServiceError: 404, 409 or 412.
    """
    locked_for_change(connection, actor, work_order_id, wanted_version)
    values = {
        "work_order_id": work_order_id,
        "evidence_item_id": evidence_item_id,
        "reason": reason,
        "now": now(),
    }
    if not records.remove_item(connection, actor.tenant_id, values):
        raise not_found()
    record(
        connection,
        actor,
        "evidence:item:removed",
        subject=("evidence", evidence_item_id),
        work_order_id=work_order_id,
        reason=reason,
    )
    return evaluating.recheck(connection, actor, work_order_id)


def put_in_order(
    connection: Connection, actor: Actor, work_order_id: UUID, wanted_version: int | None
) -> WorkOrder:
    """Number the evidence as the annexures are printed; nothing else of it changes.

    Raises:
        ServiceError: 404, 409 or 412.
    """
    order = locked_for_change(connection, actor, work_order_id, wanted_version)
    live = evaluating.case_of(connection, order)
    before = {piece.key: piece.annexure_order for piece in live.case.evidence}
    changed: dict[str, int | None] = {}
    for piece in order_annexures(live.case.evidence, live.case.contract):
        if before[piece.key] != piece.annexure_order:
            changed[piece.key] = piece.annexure_order
            item = live.files[piece.key].item
            assert item is not None
            records.order_item(connection, actor.tenant_id, item, piece.annexure_order)
    if not changed:
        return order
    record(
        connection,
        actor,
        "evidence:annexures:ordered",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        before={"annexure_order": {key: before[key] for key in changed}},
        after={"annexure_order": changed},
    )
    return evaluating.recheck(connection, actor, work_order_id)


def _put(
    connection: Connection,
    actor: Actor,
    order: WorkOrder,
    number: int,
    item: EvidenceItem,
    old: Row[Any] | None,
    keys: set[str],
    reason: str | None,
) -> None:
    """Write one item, and what it says of its document."""
    said = {name: getattr(item, name) for name in item.model_fields_set}
    if "located_at" in said and said["located_at"] is not None:
        said["located_at"] = canonical_json(said["located_at"]).decode()
    if said.get("tags", ...) is None:
        said["tags"] = {}
    if "evidence_type" in said and said["evidence_type"] is None:
        raise _wrong(number, "evidence_type", "A piece of evidence always has a type.")
    values: dict[str, Any]
    if old is None:
        if "evidence_type" not in said:
            raise _wrong(number, "evidence_type", "A new piece of evidence needs its type.")
        evidence_item_id = new_id()
        key = item.key or str(evidence_item_id)
        if key in keys:
            raise conflict(
                "EVIDENCE_KEY_TAKEN",
                "The key was used before",
                f"'{key}' names, or named, another piece of evidence of this work order.",
            )
        keys.add(key)
        values = dict.fromkeys(records.ITEM) | {"tags": {}}
    else:
        evidence_item_id, key = old.evidence_item_id, old.key
        if item.key not in {None, key}:
            raise _wrong(number, "key", f"It is '{key}' for ever; annexures and links name it.")
        values = {name: getattr(old, name) for name in records.ITEM}
    before = {name: values[name] for name in records.ITEM if name in said}
    after = {name: said[name] for name in records.ITEM if name in said}
    if (
        old is not None
        and before.get("located_at") is not None
        and before["located_at"] != after["located_at"]
        and reason is None
    ):
        raise ServiceError(
            422,
            "REASON_REQUIRED",
            "A reason is needed",
            "Say why the position is changed, in `reason`.",
            fields=(FieldError("reason", "needed where a position is changed", "MISSING"),),
        )
    values |= after
    _check_document(connection, actor, order, number, said, values, old, reason)
    if old is None or before != after:
        records.write_item(
            connection,
            actor.tenant_id,
            {
                **values,
                "evidence_item_id": evidence_item_id,
                "work_order_id": order.work_order_id,
                "key": key,
                "created_by": actor.user_id,
                "now": now(),
            },
            is_new=old is None,
        )
        record(
            connection,
            actor,
            "evidence:item:added" if old is None else "evidence:item:changed",
            subject=("evidence", evidence_item_id),
            work_order_id=order.work_order_id,
            reason=reason,
            before=None if old is None else before,
            after={"key": key, **after},
        )
    if values["document_id"] is not None:
        documents.guard_by_kind(connection, actor, values["document_id"])


def _check_document(
    connection: Connection,
    actor: Actor,
    order: WorkOrder,
    number: int,
    said: Mapping[str, Any],
    values: Mapping[str, Any],
    old: Row[Any] | None,
    reason: str | None,
) -> None:
    """See that an item's document is there, and write to it what the item says of it."""
    document_id = values["document_id"]
    of_document = {name: said[name] for name in _OF_THE_DOCUMENT if name in said}
    if document_id is None:
        told = next((name for name, value in of_document.items() if value is not None), None)
        if told is not None:
            raise _wrong(number, told, "This is said of a file, and the item has none.")
        return
    row = records.find_document(connection, actor.tenant_id, document_id)
    is_new = old is None or old.document_id != document_id
    if row is None or (is_new and row.status not in {"pending", "uploaded"}):
        raise invalid(
            "DOCUMENT_UNKNOWN",
            "There is no such document",
            f"items.{number}.document_id names none that is there. Upload the file first.",
        )
    if is_new and row.work_order_id is None:
        of_document["work_order_id"] = order.work_order_id
    if of_document:
        documents.describe(
            connection,
            actor,
            document_id,
            of_document,
            reason=reason,
            apart_from=order.work_order_id,
        )


def _check_used_once(rows: Iterable[Row[Any]]) -> None:
    """Refuse a file that counts twice: each piece of evidence shows something of its own.

    One scan may hold several papers, so it may serve documents of different types.
    """
    uses: dict[UUID, list[tuple[str, str | None]]] = {}
    for row in rows:
        if row.document_id is not None:
            uses.setdefault(row.document_id, []).append((row.evidence_type, row.doc_type))
    for document_id, served in uses.items():
        papers = all(kind == "DOCUMENT" and doc_type for kind, doc_type in served)
        if len(served) > 1 and (not papers or max(Counter(served).values()) > 1):
            raise conflict(
                "DOCUMENT_USED_TWICE",
                "The file is evidence already",
                "One file counts once; only a scan of several papers may serve several document "
                "types. Change the piece of evidence that has it.",
                document_id=str(document_id),
            )


def _answer(actor: Actor, row: Row[Any], copies: Mapping[UUID, Sequence[Any]]) -> EvidenceAnswer:
    status = row.document_status
    return EvidenceAnswer(
        id=row.evidence_item_id,
        key=row.key,
        status="pending"
        if status is None
        else status
        if status in {"pending", "uploaded"}
        else "deleted",
        evidence_type=row.evidence_type,
        doc_type=row.doc_type,
        tags=row.tags,
        label=row.label,
        annexure_order=row.annexure_order,
        located_at=None
        if row.located_at is None
        else Coordinates.model_validate(read_json(row.located_at, "located_at").value),
        classification=row.classification,
        sensitivity=row.sensitivity,
        source=row.source,
        captured_at=row.captured_at,
        taken_on_site=row.taken_on_site,
        remarks=row.remarks if may_open(actor, row) else None,
        file_ref=row.file_ref if may_open(actor, row) else None,
        captured_by_employee_id=row.captured_by_employee_id,
        document_id=row.document_id,
        document=None
        if row.document_id is None
        else EvidenceDocument(
            id=row.document_id,
            original_filename=row.filename if may_open(actor, row) else None,
            content_type=row.media_type,
            size_bytes=row.size,
            sha256=row.sha256,
            status=row.document_status,
            facts=read_stored_facts(row.facts) if row.facts else None,
        ),
        created_by_user_id=row.created_by,
        created_at=row.created_at,
        duplicates=tuple(copies.get(row.document_id, ())) if row.document_id else (),
    )


def _wrong(number: int, field: str, message: str) -> ServiceError:
    return invalid_fields(FieldError(f"items.{number}.{field}", message), detail=message)
