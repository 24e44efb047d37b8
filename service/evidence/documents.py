"""What is done with a document that is there: described, tagged, read, taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from service.audit.events import record
from service.clock import now
from service.errors import (
    FieldError,
    ServiceError,
    conflict,
    forbidden,
    invalid_fields,
    not_found,
    version_conflict,
)
from service.evidence import records
from service.evidence.duplicates import duplicates_of
from service.evidence.examination import read_stored_facts
from service.evidence.guarding import GUARDED, may_open
from service.evidence.linked_work import check_may_change, lock_linked, recheck_linked
from service.evidence.shapes import DocumentAnswer
from service.evidence.uploads import check_room_in

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.actor import Actor

#: Who may open it, what somebody noted of it, where it is kept: no report shows them, so they may be
#: mended at any time.
ALWAYS_OPEN = frozenset({"sensitivity", "remarks", "work_order_id"})
_MOST_TAGS = 40


def answers(
    connection: Connection, actor: Actor, rows: Iterable[Row[Any]]
) -> tuple[DocumentAnswer, ...]:
    """Documents as the API shows them, with where else the firm has the same file or picture."""
    rows = list(rows)
    copies = duplicates_of(
        connection, actor, (row.document_id for row in rows if row.status == "uploaded")
    )
    return tuple(
        DocumentAnswer(
            id=row.document_id,
            work_order_id=row.work_order_id,
            status=row.status,
            original_filename=row.filename if may_open(actor, row) else None,
            content_type=row.media_type,
            size_bytes=row.size,
            sha256=row.sha256,
            facts=read_stored_facts(row.facts) if row.facts else None,
            classification=row.classification,
            sensitivity=row.sensitivity,
            source=row.source,
            captured_at=row.captured_at,
            taken_on_site=row.taken_on_site,
            remarks=row.remarks if may_open(actor, row) else None,
            tags=row.tags,
            uploaded_by=row.uploaded_by,
            created_at=row.created_at,
            uploaded_at=row.uploaded_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            version=row.version,
            duplicates=copies.get(row.document_id, ()),
        )
        for row in rows
    )


def show(connection: Connection, actor: Actor, document_id: UUID) -> DocumentAnswer:
    """One document.

    Raises:
        ServiceError: 404.
    """
    return answers(connection, actor, [_known(connection, actor, document_id)])[0]


def describe(
    connection: Connection,
    actor: Actor,
    document_id: UUID,
    changes: Mapping[str, Any],
    wanted_version: int | None = None,
    *,
    reason: str | None = None,
    apart_from: UUID | None = None,
) -> None:
    """Change what is said of a document; a name that is not among the changes stays as it is.

    Args:
        connection: in a transaction.
        actor: who says it.
        document_id: the document.
        changes: what is said from now on, by the names of `records.DESCRIPTION`.
        wanted_version: the version that the caller knows; None if it does not mind.
        reason: why; needed where a document is guarded no longer.
        apart_from: a work order that the caller looks at again itself.

    Raises:
        ServiceError: 404; 403 if it would be guarded no longer and the actor may not decide that;
            409 if it is evidence of a work order that cannot be changed; 412 if somebody else was
            faster; 422 if a document would be without sensitivity, or without the reason.
    """
    seen = _known(connection, actor, document_id)
    if "sensitivity" in changes and changes["sensitivity"] is None:
        raise _invalid("sensitivity", "A document always has one; 'internal' is the usual.")
    if wanted_version is None and all(getattr(seen, name) == changes[name] for name in changes):
        return
    moved_to = changes.get("work_order_id")
    if moved_to not in {None, seen.work_order_id, apart_from}:
        # Before anything is locked that whoever adds a file may wait for. The caller's own work
        # order has as many pieces of evidence at most as it may have files.
        check_room_in(connection, actor, moved_to)
    orders = lock_linked(
        connection, actor, document_id, even_frozen=ALWAYS_OPEN.issuperset(changes)
    )
    row = _locked(connection, actor, document_id, wanted_version)
    if moved_to is not None and moved_to != row.work_order_id:
        check_may_change(connection, actor, moved_to)
    before = {name: getattr(row, name) for name in changes}
    if before == dict(changes):
        return
    values = {name: getattr(row, name) for name in records.DESCRIPTION} | dict(changes)
    if values["sensitivity"] in GUARDED:
        if values["sensitivity"] != row.sensitivity:
            values["sensitivity_by"] = "said"
    elif row.sensitivity in GUARDED:
        _check_may_open_up(actor, reason)
        values["sensitivity_by"] = "decided"
    records.describe_document(connection, actor.tenant_id, document_id, values)
    guard_by_kind(connection, actor, document_id)
    recheck_linked(
        connection, actor, [order for order in orders if order.work_order_id != apart_from]
    )
    record(
        connection,
        actor,
        "document:metadata:changed",
        subject=("document", document_id),
        work_order_id=values["work_order_id"],
        reason=reason,
        before=_told(before),
        after=_told(changes),
    )


def guard_by_kind(connection: Connection, actor: Actor, document_id: UUID) -> None:
    """Guard a document that is personal data by its kind, unless it was decided that it need not be."""
    raised = records.guard_by_kind(connection, actor.tenant_id, document_id)
    if raised is not None:
        record(
            connection,
            actor,
            "document:sensitivity:raised",
            subject=("document", document_id),
            work_order_id=raised.work_order_id,
            reason="Papers of this kind are personal data.",
            before={"sensitivity": raised.before},
            after={"sensitivity": "pii"},
        )


def _check_may_open_up(actor: Actor, reason: str | None) -> None:
    if not actor.may("evidence.sensitive"):
        raise forbidden(
            "DOCUMENT_GUARDED",
            "You may not open this document to others",
            "That a guarded document is guarded no longer is decided by those who have the"
            " capability evidence.sensitive.",
            capability="evidence.sensitive",
        )
    if reason is None:
        raise ServiceError(
            422,
            "REASON_REQUIRED",
            "A reason is needed",
            "Say in `reason` why the document need not be guarded.",
            fields=(FieldError("reason", "needed where a guard is lifted", "MISSING"),),
        )


def tag(
    connection: Connection,
    actor: Actor,
    document_id: UUID,
    *,
    put: Mapping[str, str],
    remove: Iterable[str],
    wanted_version: int | None,
) -> None:
    """Put tags on a document and take others off. They are for finding it, and in no report.

    Raises:
        ServiceError: 404; 412; 422 if it would have too many.
    """
    row = _locked(connection, actor, document_id, wanted_version)
    gone = set(remove)
    tags = {key: value for key, value in {**row.tags, **put}.items() if key not in gone}
    if len(tags) > _MOST_TAGS:
        raise _invalid("tags", f"A document has at most {_MOST_TAGS} tags.")
    if tags == row.tags:
        return
    values = {name: getattr(row, name) for name in records.DESCRIPTION} | {"tags": tags}
    records.describe_document(connection, actor.tenant_id, document_id, values)
    record(
        connection,
        actor,
        "document:tags:changed",
        subject=("document", document_id),
        work_order_id=row.work_order_id,
        before={"tags": row.tags},
        after={"tags": tags},
    )


def take_out(
    connection: Connection,
    actor: Actor,
    document_id: UUID,
    reason: str,
    wanted_version: int | None,
) -> None:
    """Mark a document as deleted: it counts no more, and nobody can open it from here.

    Its object stays until it is purged, so that snapshots that name it can still be exported.

    Raises:
        ServiceError: 404; 409 if it is evidence of a work order that cannot be changed, or has been
            deleted before; 412.
    """
    _known(connection, actor, document_id)
    orders = lock_linked(connection, actor, document_id)
    row = _locked(connection, actor, document_id, wanted_version)
    records.end_document(connection, actor.tenant_id, document_id, reason, now())
    recheck_linked(connection, actor, orders)
    record(
        connection,
        actor,
        "document:document:deleted",
        subject=("document", document_id),
        work_order_id=row.work_order_id,
        reason=reason,
        before={"status": row.status},
        after={"status": "deleted"},
    )


def open_document(connection: Connection, actor: Actor, document_id: UUID) -> Row[Any]:
    """The row of a document whose file whoever asks may read; for guarded ones that is recorded.

    Raises:
        ServiceError: 404 if there is no such file; 403 if it takes more to read it.
    """
    row = _known(connection, actor, document_id)
    if row.status != "uploaded":
        raise not_found()
    if not may_open(actor, row):
        raise forbidden(
            "DOCUMENT_GUARDED",
            "You may not open this document",
            f"It is marked {row.sensitivity}; it needs the capability evidence.sensitive.",
            capability="evidence.sensitive",
        )
    if row.sensitivity in GUARDED:
        record(
            connection,
            actor,
            "document:file:read",
            subject=("document", document_id),
            work_order_id=row.work_order_id,
            after={"sensitivity": row.sensitivity},
        )
    return row


def _known(
    connection: Connection, actor: Actor, document_id: UUID, *, lock: bool = False
) -> Row[Any]:
    row = records.find_document(connection, actor.tenant_id, document_id, lock=lock)
    if row is None:
        raise not_found()
    return row


def _locked(
    connection: Connection, actor: Actor, document_id: UUID, wanted_version: int | None
) -> Row[Any]:
    row = _known(connection, actor, document_id, lock=True)
    if row.status not in {"pending", "uploaded"}:
        raise conflict(
            "DOCUMENT_ENDED", "The document has been deleted", "Upload the file once more."
        )
    if wanted_version is not None and wanted_version != row.version:
        raise version_conflict(wanted_version, row.version)
    return row


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of changes says; instants as texts."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in values.items()
    }


def _invalid(field: str, message: str) -> ServiceError:
    return invalid_fields(FieldError(field, message), detail=message)
