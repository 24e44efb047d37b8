"""Ends the keeping of working papers: what holds personal data goes when its time is over.

A firm keeps its papers for as many years as its settings say, at least three, counted from the day
on which the last work order that uses a paper was closed or cancelled. Then the file is deleted, and
every bundle that holds it; of its description the digest stays, and so does an audit event. Printed
reports and what was entered stay.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.audit.events import record
from service.audit.verifying import ERASED
from service.database.connections import transaction
from service.evidence.guarding import GUARDED, PERSONAL_CLASSIFICATIONS, PERSONAL_DOC_TYPES
from service.identifiers import new_id
from service.objects import storage
from service.packs.purging import purge_bundles

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service

log = structlog.get_logger("zenops.privacy")

#: An archive of everything is not left lying about.
EXPORT_KEPT = timedelta(days=7)

_TENANTS = text("select tenant_id from tenants order by tenant_id")
# What a document is used for: its own work order, and those whose evidence it is or was, because an
# older version of a report may still hold it.
_USES = (
    "(select d.work_order_id union all select i.work_order_id from evidence_items i"
    " where i.tenant_id = d.tenant_id and i.document_id = d.document_id)"
)
_DUE = text(
    "select d.document_id, d.work_order_id, d.object_key, d.sha256, d.facts, d.classification,"  # noqa: S608 - constants
    " d.sensitivity from documents d"
    " join firm_settings f on f.tenant_id = d.tenant_id"
    " where d.tenant_id = :tenant and d.status in ('uploaded', 'deleted')"
    " and (cast(:document as uuid) is null or d.document_id = :document)"
    # Papers that name people go, whatever their sensitivity was said to be.
    " and (d.sensitivity = any(:guarded) or d.classification = any(:classifications)"
    "      or exists (select from evidence_items i where i.tenant_id = d.tenant_id"
    "                 and i.document_id = d.document_id and i.doc_type = any(:doc_types)))"
    " and d.document_id is distinct from f.logo_document_id"
    " and not exists (select from valuers v where v.tenant_id = d.tenant_id"
    "                 and v.signature_document_id = d.document_id)"
    f" and exists (select from {_USES} u where u.work_order_id is not null)"
    f" and not exists (select from {_USES} u join work_orders w"
    "   on w.tenant_id = d.tenant_id and w.work_order_id = u.work_order_id"
    "   where w.status not in ('CLOSED', 'CANCELLED') or coalesce("
    "    (select max(c.changed_at) from status_changes c where c.tenant_id = w.tenant_id"
    "     and c.work_order_id = w.work_order_id and c.to_status = w.status), w.updated_at)"
    "    > cast(:now as timestamptz) - make_interval(years => f.retention_years))"
    " order by d.document_id"
)
# Nobody reopens the work order, and nobody uses the paper elsewhere, while it is decided.
_LOCK_DOCUMENT = text(
    "select 1 from documents where tenant_id = :tenant and document_id = :document for update"
)
_LOCK_USES = text(
    "select 1 from work_orders w join documents d on d.tenant_id = w.tenant_id"  # noqa: S608 - constants
    " where w.tenant_id = :tenant and d.document_id = :document"
    f" and w.work_order_id in {_USES} for update of w"
)
_PURGED = text(
    "with said as (update evidence_items set file_ref = null"
    "  where tenant_id = :tenant and document_id = :document)"
    " update documents set status = 'purged', filename = 'purged', facts = null,"
    " perceptual_hash = null, remarks = null, tags = '{}', captured_at = null,"
    " taken_on_site = null, ended_at = :now, end_reason = 'retention', version = version + 1"
    " where tenant_id = :tenant and document_id = :document"
)
_ERASE = text(
    "delete from audit_details d using audit_events e"
    " where d.tenant_id = :tenant and e.tenant_id = d.tenant_id and e.event_id = d.event_id"
    " and (e.subject_type = 'document' and e.subject_id = cast(:document as text)"
    "  or e.subject_type = 'evidence' and e.subject_id in (select i.evidence_item_id::text"
    "   from evidence_items i where i.tenant_id = :tenant and i.document_id = :document))"
    " returning d.event_id"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A paper whose time is over."""

    tenant_id: UUID
    document_id: UUID
    work_order_id: UUID | None
    classification: str | None
    sensitivity: str


def purge(service: Service) -> int:
    """Purge what is due, and old exports; how many papers that were. For a daily tick, as zen_jobs."""
    at = clock.now()
    forget_exports(service, at)
    return len(purge_due(service, at))


def forget_exports(service: Service, at: datetime) -> int:
    """Delete archives of firms that are older than `EXPORT_KEPT`; how many those were."""
    removed = 0
    for tenant_id in _tenants(service):
        for found in list(storage.listed(service.objects, f"{tenant_id}/exports")):
            if found.modified_at <= at - EXPORT_KEPT:
                storage.delete(service.objects, found.key)
                removed += 1
    return removed


def purge_due(service: Service, at: datetime, *, dry_run: bool = False) -> tuple[Due, ...]:
    """Purge the papers of all firms whose time is over.

    Args:
        service: of a worker's login.
        at: the instant that counts as now.
        dry_run: change nothing.

    Returns:
        What was purged, or would be. Each paper has its own transaction; after an interruption the
        rest is purged the next time.
    """
    purged: list[Due] = []
    for tenant_id in _tenants(service):
        with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
            due = [_due(tenant_id, row) for row in _find(connection, tenant_id, at)]
        purged += [one for one in due if dry_run or _purge(service, one, at)]
    return tuple(purged)


def _tenants(service: Service) -> list[UUID]:
    with transaction(service.engine, role="zen_system") as connection:
        return list(connection.scalars(_TENANTS))


def _find(
    connection: Connection, tenant_id: UUID, at: datetime, document_id: UUID | None = None
) -> list[Any]:
    values = {
        "tenant": tenant_id,
        "document": document_id,
        "now": at,
        "guarded": sorted(GUARDED),
        "classifications": sorted(PERSONAL_CLASSIFICATIONS),
        "doc_types": sorted(PERSONAL_DOC_TYPES),
    }
    return list(connection.execute(_DUE, values))


def _due(tenant_id: UUID, row: Any) -> Due:
    return Due(tenant_id, row.document_id, row.work_order_id, row.classification, row.sensitivity)


def _purge(service: Service, due: Due, at: datetime) -> bool:
    """Purge one paper, if it is still due once nobody else can change that."""
    actor = Actor(due.tenant_id, None, "worker", frozenset(), "retention", str(new_id()))
    values = {"tenant": due.tenant_id, "document": due.document_id, "now": at}
    with transaction(service.engine, role="zen_worker", tenant_id=due.tenant_id) as connection:
        connection.execute(_LOCK_USES, values)
        connection.execute(_LOCK_DOCUMENT, values)
        found = _find(connection, due.tenant_id, at, due.document_id)
        if not found:
            return False
        row = found[0]
        # First the files: if the commit is lost, the row still says that it has to go.
        storage.delete(service.objects, row.object_key)
        purge_bundles(connection, service.objects, actor, row.object_key)
        connection.execute(_PURGED, values)
        erased = connection.scalars(_ERASE, values).all()
        if erased:
            record(
                connection,
                actor,
                ERASED,
                subject=("document", due.document_id),
                work_order_id=due.work_order_id,
                after={"events": sorted(erased)},
            )
        record(
            connection,
            actor,
            "privacy:document:purged",
            subject=("document", due.document_id),
            work_order_id=due.work_order_id,
            reason="The time for which working papers are kept is over.",
            after={
                "sha256": row.sha256,
                "facts_sha256": row.facts and hashlib.sha256(row.facts.encode()).hexdigest(),
                "classification": row.classification,
                "sensitivity": row.sensitivity,
            },
        )
    log.info("purged", tenant=str(due.tenant_id), document_id=str(due.document_id))
    return True
