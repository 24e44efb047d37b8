"""Work orders and their snapshots as the database keeps them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid5

from sqlalchemy import text

from service.errors import not_found

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal

    from sqlalchemy import Connection

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Listed:
    """A work order as lists show it."""

    tenant_id: UUID
    work_order_id: UUID
    reference: str
    title: str | None
    report_type: str
    bank_type: str
    bank_name: str | None
    value_slab: str
    template_selector: str
    source_type: str
    source_ref_id: str | None
    assignment_id: str | None
    status: str
    version: int
    snapshot_version: int
    pack_version: int
    current_pack_id: UUID | None
    is_ready: bool
    completeness_score: int
    missing: tuple[str, ...]
    fair_market_value: Decimal | None
    requested_by: UUID | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkOrder(Listed):
    """A work order with all that its case needs; texts of JSON as they are kept."""

    source: str | None
    as_of: date | None
    bank_branch_id: UUID | None
    property_id: UUID | None
    valuer_id: UUID | None
    ruleset: str | None
    profile: str | None
    parameters: str
    contract: str


WORK_ORDER_FIELDS = tuple(field.name for field in dataclasses.fields(WorkOrder))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one evaluation saw and found; `version` is that of the computed half.

    `parts` names the texts of the bundle with the sha256 of their bytes, `evidence` the stored
    object of each piece of evidence by its key, as JSON.
    """

    work_order_id: UUID
    version: int
    contract: str
    evidence: str
    readiness: str
    parts: Mapping[str, str]
    bundle_digest: str
    ruleset: str
    profile: str
    template_key: str
    created_by: UUID | None
    created_at: datetime


def snapshot_id(work_order_id: UUID, version: int) -> UUID:
    """The one id of a version of a work order's snapshots, for those who name things by ids."""
    return uuid5(work_order_id, f"snapshot {version}")


def columns_of(kind: type[Any]) -> str:
    """The columns that a record is read from; they have the names of its fields."""
    return ", ".join(field.name for field in dataclasses.fields(kind))


def made(kind: type[R], row: Mapping[str, Any]) -> R:
    """A record of a row that was read with `columns_of`."""
    values = dict(row)
    if "missing" in values:
        values["missing"] = tuple(values["missing"])
    return kind(**values)


_FIND = (
    f"select {columns_of(WorkOrder)}"  # noqa: S608 - names of our own
    " from work_orders where tenant_id = :tenant and work_order_id = :id"
)
# The key never changes: a job that adds an operation or a row naming this work order need not wait,
# and so cannot be waited for in turn.
_FIND_ONE, _LOCK_ONE = text(_FIND), text(f"{_FIND} for no key update")


def find(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> WorkOrder:
    """A work order.

    Raises:
        ServiceError: 404, there is none that the caller may see.
    """
    return _one(connection, _FIND_ONE, tenant_id, work_order_id)


def lock(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> WorkOrder:
    """A work order that nobody else changes until this transaction ends.

    Raises:
        ServiceError: 404, there is none that the caller may see.
    """
    return _one(connection, _LOCK_ONE, tenant_id, work_order_id)


def _one(connection: Connection, statement: Any, tenant_id: UUID, work_order_id: UUID) -> WorkOrder:
    values = {"tenant": tenant_id, "id": work_order_id}
    row = connection.execute(statement, values).mappings().one_or_none()
    if row is None:
        raise not_found()
    return made(WorkOrder, dict(row))


_SNAPSHOT = text(
    f"select {columns_of(Snapshot)}"  # noqa: S608 - names of our own
    " from snapshots where tenant_id = :tenant and work_order_id = :id"
    " and version = :version and kind = 'output'"
)


def find_snapshot(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, version: int
) -> Snapshot | None:
    """The computed half of a snapshot; None if the version has none, or is none."""
    values = {"tenant": tenant_id, "id": work_order_id, "version": version}
    row = connection.execute(_SNAPSHOT, values).mappings().one_or_none()
    return None if row is None else made(Snapshot, dict(row))


_PARTS = text(
    "select sha256, content from bundle_parts where tenant_id = :tenant and sha256 = any(:digests)"
)


def read_parts(
    connection: Connection, tenant_id: UUID, parts: Mapping[str, str]
) -> dict[str, bytes]:
    """The bytes of a snapshot's texts, or of some of them, by their names."""
    values = {"tenant": tenant_id, "digests": sorted(set(parts.values()))}
    found = {row.sha256: bytes(row.content) for row in connection.execute(_PARTS, values)}
    return {name: found[digest] for name, digest in parts.items()}
