"""Verifies the audit of firms, with their anchors, and tells it in lines for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.audit.anchoring import AnchorError, anchors_of, public_keys
from service.audit.verifying import Report, verify
from service.database.connections import transaction

if TYPE_CHECKING:
    from service.bootstrap import Service


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about one firm's audit."""

    holds: bool
    line: str


def inspect(
    service: Service, slug: str | None = None, *, former_keys: Collection[str] = ()
) -> Iterator[Finding]:
    """One finding or more for each firm, in the order of their short names.

    Args:
        service: of a worker's login.
        slug: of the one firm that is meant; None means all.
        former_keys: public keys, in hexadecimal, of secrets that are no longer in use.
    """
    with transaction(service.engine, role="zen_system") as connection:
        tenants = connection.execute(
            text(
                "select tenant_id, slug from tenants"
                " where cast(:slug as text) is null or slug = :slug order by slug"
            ),
            {"slug": slug},
        ).all()
    if not tenants:
        yield Finding(holds=False, line=f"{slug or 'nobody'}: there is no such firm")
    keys = (*public_keys(service.settings), *former_keys)
    for tenant in tenants:
        yield from _findings(service, tenant, keys)


def _findings(service: Service, tenant: Any, keys: Collection[str]) -> Iterator[Finding]:
    try:
        anchors = anchors_of(service.objects, tenant.tenant_id, keys)
    except AnchorError as error:
        anchors = ()
        yield Finding(holds=False, line=f"{tenant.slug}: {error}")
    with transaction(service.engine, role="zen_system") as connection:
        report = verify(connection, tenant.tenant_id, anchors)
    for one in report.breaks:
        yield Finding(holds=False, line=f"{tenant.slug}: seal {one.seq}: {one.why}")
    yield Finding(holds=True, line=f"{tenant.slug}: {_summary(report)}")


def _summary(report: Report) -> str:
    parts = [f"{report.sealed:,} sealed", f"head {report.head[:16]}"]
    parts.append(
        "no anchor yet" if report.anchored is None else f"anchored up to {report.anchored:,}"
    )
    if report.unsealed:
        parts.append(
            f"{report.unsealed:,} not sealed yet, the oldest of {report.oldest_unsealed:%Y-%m-%d %H:%M} UTC"
        )
    if report.erased:
        parts.append(f"details of {report.erased:,} erased")
    return ", ".join(parts)
