"""Removes what interrupted uploads have left: objects that no row names, and promises not kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.actor import Actor
from service.audit.events import record
from service.clock import now
from service.database.connections import transaction
from service.evidence import records
from service.evidence.limits import limits
from service.identifiers import new_id
from service.invoices import attachments
from service.objects import storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.objects.storage import Found

_AT_ONCE = 500
_TENANTS = text("select tenant_id from tenants order by tenant_id")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has removed."""

    orphans: int = 0
    unconfirmed: int = 0
    abandoned: int = 0
    partials: int = 0


def sweep_orphans(service: Service, at: datetime | None = None) -> Swept:
    """Remove what no row of a document or of a file at an invoice names, and what nobody has confirmed, once it is a day old.

    Whoever is still uploading is younger than that. May run twice, or beside itself.

    Args:
        service: of a worker.
        at: the instant that counts as now.
    """
    at = at or now()
    before = at - timedelta(hours=limits().abandoned_hours)
    with transaction(service.engine, role="zen_system", audience="system") as connection:
        tenants = list(connection.execute(_TENANTS).scalars())
    orphans = unconfirmed = abandoned = 0
    for tenant_id in tenants:
        for found in _old(service, f"{tenant_id}/incoming", before):
            storage.delete(service.objects, found.key)
            unconfirmed += 1
        orphans += _sweep_stored(service, tenant_id, "documents", records.keys_there, before)
        orphans += _sweep_stored(service, tenant_id, "invoices", attachments.keys_there, before)
        abandoned += _end_abandoned(service, tenant_id, at)
    partials = storage.remove_partials(service.objects, before=before)
    return Swept(orphans, unconfirmed, abandoned, partials)


def _old(service: Service, prefix: str, before: datetime) -> Iterator[Found]:
    return (one for one in storage.listed(service.objects, prefix) if one.modified_at < before)


def _sweep_stored(
    service: Service,
    tenant_id: UUID,
    folder: str,
    keys_there: Callable[[Connection, UUID, list[str]], set[str]],
    before: datetime,
) -> int:
    """Remove what lies in a folder of a firm and what no row names."""
    removed = 0
    old = _old(service, f"{tenant_id}/{folder}", before)
    while some := [one.key for one in islice(old, _AT_ONCE)]:
        with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
            known = keys_there(connection, tenant_id, some)
        for key in some:
            if key not in known:
                storage.delete(service.objects, key)
                removed += 1
    return removed


def _end_abandoned(service: Service, tenant_id: UUID, at: datetime) -> int:
    actor = Actor(
        tenant_id=tenant_id,
        user_id=None,
        audience="worker",
        capabilities=frozenset(),
        name="sweep of uploads",
        request_id=str(new_id()),
    )
    with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
        ended = records.end_abandoned(
            connection, tenant_id, before=at - timedelta(days=limits().pending_days), now=at
        )
        for row in ended:
            record(
                connection,
                actor,
                "document:document:deleted",
                subject=("document", row.document_id),
                work_order_id=row.work_order_id,
                reason="It was announced and never came.",
            )
    return len(ended)
