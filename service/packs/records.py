"""Packs, what was made of them, and who signed: rows in and out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

PackStatus = Literal["generating", "generated", "failed", "superseded", "withdrawn"]
ArtifactKind = Literal["bundle", "docx", "pdf"]
#: A work order has at most one pack in one of these.
CURRENT: frozenset[str] = frozenset({"generating", "generated", "failed"})
_PACKS = (
    "select p.*, r.version as replaces_version from packs p left join packs r"
    " on r.tenant_id = p.tenant_id and r.pack_id = p.replaces_pack_id"
    " where p.tenant_id = :tenant and "
)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a work order's report, as its row has it."""

    tenant_id: UUID
    pack_id: UUID
    work_order_id: UUID
    version: int
    snapshot_version: int
    bundle_digest: str
    template_key: str
    family: str
    status: PackStatus
    fair_market_value: Decimal | None
    replaces_pack_id: UUID | None
    replaces_version: int | None
    replaces_reason: str | None
    failure: str | None
    requested_by: UUID | None
    created_at: datetime
    generated_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None

    @property
    def is_current(self) -> bool:
        """Whether it is the work order's report, or is to become it."""
        return self.status in CURRENT


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that was made of a pack."""

    artifact_id: UUID
    pack_id: UUID
    kind: ArtifactKind
    filename: str
    object_key: str
    media_type: str
    size: int
    sha256: str
    operation_id: UUID
    created_at: datetime
    purged_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignOff:
    """A registered valuer's word on a pack's digest."""

    sign_off_id: UUID
    pack_id: UUID
    bundle_digest: str
    valuer_id: UUID
    valuer_name: str
    registration: str
    registration_valid_until: date | None
    signed_by: UUID
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Operation:
    """A job of a pack, as far as it is."""

    operation_id: UUID
    kind: str
    subject_id: UUID
    status: str
    step: str | None
    percent: int
    reason: str | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None


def current_pack(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, *, locked: bool = False
) -> Pack | None:
    """The work order's current pack, if it has one; locked, it stays what it is."""
    command = (
        f"{_PACKS} p.work_order_id = :work_order"
        " and p.status in ('generating', 'generated', 'failed')"
    )
    return _one(
        Pack, connection, command, locked=locked, tenant=tenant_id, work_order=work_order_id
    )


def pack_by_id(
    connection: Connection, tenant_id: UUID, pack_id: UUID, *, locked: bool = False
) -> Pack | None:
    """A pack by its id; locked, it stays what it is."""
    command = f"{_PACKS} p.pack_id = :pack"
    return _one(Pack, connection, command, locked=locked, tenant=tenant_id, pack=pack_id)


def pack_of_version(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, version: int
) -> Pack | None:
    """A version of a work order's packs."""
    command = f"{_PACKS} p.work_order_id = :work_order and p.version = :version"
    return _one(
        Pack, connection, command, tenant=tenant_id, work_order=work_order_id, version=version
    )


def latest_pack(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> Pack | None:
    """The highest version of a work order's packs, current or not."""
    found = packs_of(connection, tenant_id, work_order_id, limit=1)
    return found[0] if found else None


def packs_of(
    connection: Connection,
    tenant_id: UUID,
    work_order_id: UUID,
    *,
    below: int | None = None,
    limit: int,
) -> list[Pack]:
    """A work order's packs, the newest first, from below a version if one is named."""
    command = (
        f"{_PACKS} p.work_order_id = :work_order"
        " and (cast(:below as integer) is null or p.version < :below)"
        " order by p.version desc limit :limit"
    )
    return _all(
        Pack,
        connection,
        command,
        tenant=tenant_id,
        work_order=work_order_id,
        below=below,
        limit=limit,
    )


def artifacts_of(connection: Connection, tenant_id: UUID, pack_ids: list[UUID]) -> list[Artifact]:
    """What was made of packs, in the order it was made."""
    command = (
        "select * from pack_artifacts where tenant_id = :tenant and pack_id = any(:packs)"
        " order by created_at, artifact_id"
    )
    return _all(Artifact, connection, command, tenant=tenant_id, packs=pack_ids)


def artifact_of(
    connection: Connection, tenant_id: UUID, pack_id: UUID, kind: ArtifactKind
) -> Artifact | None:
    """One of a pack's artifacts."""
    command = (
        "select * from pack_artifacts where tenant_id = :tenant and pack_id = :pack"
        " and kind = :kind"
    )
    return _one(Artifact, connection, command, tenant=tenant_id, pack=pack_id, kind=kind)


def sign_offs_of(connection: Connection, tenant_id: UUID, pack_id: UUID) -> list[SignOff]:
    """Who has signed a pack, in the order they did."""
    command = (
        "select * from sign_offs where tenant_id = :tenant and pack_id = :pack"
        " order by signed_at, sign_off_id"
    )
    return _all(SignOff, connection, command, tenant=tenant_id, pack=pack_id)


def operations_of(connection: Connection, tenant_id: UUID, pack_ids: list[UUID]) -> list[Operation]:
    """The jobs of packs, in the order they were asked for."""
    command = (
        "select * from operations where tenant_id = :tenant and subject_id = any(:packs)"
        " order by created_at, operation_id"
    )
    return _all(Operation, connection, command, tenant=tenant_id, packs=pack_ids)


def open_operations_of(connection: Connection, tenant_id: UUID, pack_id: UUID) -> list[UUID]:
    """The jobs of a pack that are not over."""
    found = connection.scalars(
        text(
            "select operation_id from operations where tenant_id = :tenant and subject_id = :pack"
            " and status in ('pending', 'sent', 'running') order by operation_id"
        ),
        {"tenant": tenant_id, "pack": pack_id},
    )
    return list(found)


def part(connection: Connection, tenant_id: UUID, sha256: str) -> bytes:
    """The bytes of a part of a bundle; a snapshot that names it is never without it."""
    found = connection.execute(
        text("select content from bundle_parts where tenant_id = :tenant and sha256 = :sha256"),
        {"tenant": tenant_id, "sha256": sha256},
    ).scalar_one()
    return bytes(found)


def _all(kind: type[Row], connection: Connection, command: str, /, **values: Any) -> list[Row]:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return [
        kind(**{name: row[name] for name in names})
        for row in connection.execute(text(command), values).mappings()
    ]


def _one(
    kind: type[Row], connection: Connection, command: str, /, *, locked: bool = False, **values: Any
) -> Row | None:
    # Keys of packs never change, so whoever inserts a row that names one need not wait.
    found = _all(kind, connection, command + " for no key update of p" * locked, **values)
    return found[0] if found else None
