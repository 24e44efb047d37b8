"""Chains what was written down: each event gets a seal, in the order in which it is sealed.

A chain's head inside every transaction would make a firm work one request at a time, so events are
sealed soon after they were committed. What is not sealed yet is counted by the verifier.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import text

from service import clock
from service.audit.chain import BEGINNING, EVENT, seal_hash
from service.database.connections import transaction
from service.identifiers import least_id
from service.jobs.crashpoints import crashpoint

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Engine

#: No transaction of ours is open for so long, so what is older has been seen by an earlier sealing.
LATE = timedelta(hours=1)

log = structlog.get_logger("zenops.audit")

_TENANTS = text("select tenant_id from tenants order by tenant_id")
# One sealer at a time for one tenant; others work on other tenants meanwhile.
_LOCK = text("select pg_advisory_xact_lock(:key)")
_HEAD = text(
    "select seq, hash from audit_seals where tenant_id = :tenant order by seq desc limit 1"
)
_NEWEST = text(
    "select event_id from audit_seals where tenant_id = :tenant order by event_id desc limit 1"
)
_WAITING = text(
    f"select {EVENT} from audit_events e"  # noqa: S608 - a constant
    " where e.tenant_id = :tenant and e.event_id > :since and not exists ("
    "  select from audit_seals s where s.tenant_id = e.tenant_id and s.event_id = e.event_id)"
    " order by e.event_id limit :limit"
)
_SEAL = text(
    "insert into audit_seals (tenant_id, seq, event_id, previous_hash, hash, sealed_at)"
    " values (:tenant, :seq, :event, :previous, :hash, :sealed_at)"
)


def seal(engine: Engine, *, limit: int = 1000, everything: bool = False) -> int:
    """Seal the events of all tenants that have none yet; each tenant in a transaction of its own.

    Args:
        engine: logs in as zen_jobs.
        limit: how many events of one tenant are sealed at once.
        everything: also look for events that were written, by their id, more than an hour before
            the newest sealed one. It reads the whole log: once a day is enough.

    Returns:
        How many events were sealed; call again while it gives `limit` or more.
    """
    with transaction(engine, role="zen_system") as connection:
        tenants = connection.scalars(_TENANTS).all()
    return sum(seal_tenant(engine, one, limit=limit, everything=everything) for one in tenants)


def seal_tenant(
    engine: Engine, tenant_id: UUID, *, limit: int = 1000, everything: bool = False
) -> int:
    """Seal one tenant's events; how many that were. Two sealers never make two chains of one."""
    # Most of the time there is nothing to do, and then nobody has to wait for anybody.
    with transaction(engine, role="zen_system") as connection:
        if not _waiting(connection, tenant_id, limit=1, everything=everything):
            return 0
    with transaction(engine, role="zen_system") as connection:
        connection.execute(_LOCK, {"key": _lock_key(tenant_id)})
        head = connection.execute(_HEAD, {"tenant": tenant_id}).one_or_none()
        seq, previous = (head.seq, head.hash) if head else (0, BEGINNING)
        sealed_at = clock.now()
        rows = []
        for event in _waiting(connection, tenant_id, limit=limit, everything=everything):
            seq += 1
            found = seal_hash(previous, seq, f"{sealed_at:%Y-%m-%dT%H:%M:%S.%fZ}", event)
            rows.append(
                {
                    "tenant": tenant_id,
                    "seq": seq,
                    "event": event["event_id"],
                    "previous": previous,
                    "hash": found,
                    "sealed_at": sealed_at,
                }
            )
            previous = found
        if rows:
            connection.execute(_SEAL, rows)
            crashpoint("sealer-in-batch")
    if rows:
        # Beyond the database: whoever keeps the logs can hold the chain to them.
        log.info("sealed", tenant=str(tenant_id), seq=seq, hash=previous)
    return len(rows)


def _waiting(
    connection: Connection, tenant_id: UUID, *, limit: int, everything: bool
) -> list[dict[str, Any]]:
    newest = None if everything else connection.scalar(_NEWEST, {"tenant": tenant_id})
    values = {"tenant": tenant_id, "since": _before(newest), "limit": limit}
    return [dict(row) for row in connection.execute(_WAITING, values).mappings()]


def _before(newest: UUID | None) -> UUID:
    """The least id that an event could have which was written `LATE` before another."""
    if newest is None:
        return least_id(0)
    # Ids begin with the milliseconds of the time they were made at.
    return least_id((newest.int >> 80) - int(LATE.total_seconds() * 1000))


def _lock_key(tenant_id: UUID) -> int:
    return int.from_bytes(tenant_id.bytes[8:], signed=True)
