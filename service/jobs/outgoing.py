"""Marks what is due as sent, each time under a fresh generation; the dispatcher pushes it then.

The mark is committed before anything reaches the queue. A process that dies between the two leaves
a row that says `sent` with no copy behind it, and the reaper finds it. The other order would let a
worker be faster than the commit: its copy would look stale and the row would wait for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

# Two dispatchers never wait for each other, and never take the same row.
_MARK = text(
    "with due as (select tenant_id, operation_id from operations where status = 'pending'"
    "  and run_after <= now() order by run_after limit :limit for update skip locked)"
    " update operations o set status = 'sent', generation = o.generation + 1,"
    " sent_at = clock_timestamp(), lease_until = null from due"
    " where o.tenant_id = due.tenant_id and o.operation_id = due.operation_id"
    " returning o.tenant_id, o.operation_id, o.generation, o.kind, o.run_after"
)
_UNMARK = text(
    "update operations o set status = 'pending', sent_at = null"
    " from unnest(cast(:tenants as uuid[]), cast(:operations as uuid[]),"
    " cast(:generations as integer[])) as back (tenant_id, operation_id, generation)"
    " where o.tenant_id = back.tenant_id and o.operation_id = back.operation_id"
    " and o.generation = back.generation and o.status = 'sent'"
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt to be: an operation and the generation that its copy in the queue carries."""

    tenant_id: UUID
    operation_id: UUID
    generation: int
    kind: str

    @property
    def job_id(self) -> str:
        """The copy's name in the queue, fresh for each attempt."""
        return f"{self.operation_id}-{self.generation}"


def mark_due(connection: Connection, *, limit: int) -> list[Outgoing]:
    """Mark what is due as sent, in a transaction of zen_system; oldest first."""
    rows = connection.execute(_MARK, {"limit": limit}).all()
    return [
        Outgoing(row.tenant_id, row.operation_id, row.generation, row.kind)
        for row in sorted(rows, key=lambda row: (row.run_after, row.operation_id))
    ]


def unmark(connection: Connection, marked: Sequence[Outgoing]) -> int:
    """Take marks back whose copies did not reach the queue; how many still stood."""
    return connection.execute(
        _UNMARK,
        {
            "tenants": [one.tenant_id for one in marked],
            "operations": [one.operation_id for one in marked],
            "generations": [one.generation for one in marked],
        },
    ).rowcount
