"""Sweeps firms from a shell, and tells what was found in a table for a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.actor import Actor
from service.database.connections import transaction
from service.identifiers import new_id
from service.reconciliation.comparing import DRIFTS
from service.reconciliation.running import Run, compare, keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.bootstrap import Service

_FIRMS = text(
    "select tenant_id, slug from tenants where status = 'active'"
    " and (cast(:slug as text) is null or slug = :slug) order by slug"
)


def reconcile_firms(
    service: Service, slug: str | None, *, dry_run: bool, ask_providers: bool = False
) -> Iterator[tuple[str, Run]]:
    """Sweep active firms one after the other; each with its short name, none if there is none such.

    Args:
        service: with the login of jobs.
        slug: of the one firm that is meant; None means all.
        dry_run: keep nothing.
        ask_providers: also ask the payment providers.
    """
    with transaction(service.engine, role="zen_system") as connection:
        firms = connection.execute(_FIRMS, {"slug": slug}).all()
    for tenant_id, name in firms:
        actor = Actor(tenant_id, None, "worker", frozenset(), "reconcile", str(new_id()))
        run = compare(service, actor, login="jobs", ask_providers=ask_providers)
        if not dry_run:
            with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
                run = keep(connection, actor, run)
        yield name, run


def table(slug: str, run: Run) -> str:
    """A run in lines: how much was compared, then each kind with what it means and its subjects."""
    scanned = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in run.scanned.items()
    )
    found = f"{len(run.findings)} findings" if run.findings else "the books agree"
    lines = [f"{slug}: {found} ({scanned})"]
    for drift in DRIFTS:
        mine = [one for one in run.findings if one.code == drift.code]
        if mine:
            lines += [f"  {drift.code}: {len(mine)}. {drift.means}", f"    {drift.proposes}"]
        for one in mine:
            facts = json.dumps(one.found, ensure_ascii=False)
            lines.append(f"    {one.subject_type:<22} {one.subject_id:<36} {facts}")
    return "\n".join(lines)
