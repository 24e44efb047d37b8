"""What the interface takes and answers about packs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.release.answers import GateStatus, ReleaseLine

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A body, query or path: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkOrderPath(Strict):
    """A work order."""

    work_order_id: str


class PackPath(WorkOrderPath):
    """A version of a work order's pack."""

    version: str


class ArtifactPath(PackPath):
    """A file of a pack."""

    kind: Annotated[str, Field(description="bundle, docx or pdf")]


class PacksQuery(Strict):
    """Which part of a work order's packs."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[
        str | None, Field(description="next_cursor of the answer before", max_length=10)
    ] = None


class NewSignOff(Strict):
    """Which pack is signed: the version and the digest that the valuer has read."""

    pack_version: Annotated[Decimal, Field(ge=1, le=1_000_000, decimal_places=0)]
    bundle_digest: Digest


class ArtifactAnswer(BaseModel):
    """A file of a pack, and where it is downloaded; one that was purged is no longer there."""

    id: UUID
    kind: str
    filename: str
    media_type: str
    mime_type: str
    size: int
    size_bytes: int
    sha256: str
    checksum_sha256: str
    created_at: datetime
    purged_at: datetime | None
    href: str


class PackAnswer(BaseModel):
    """A version of a work order's pack.

    `replaces_version` and `replaces_reason` say which version it took the place of and why,
    `end_reason` why it no longer stands itself, `failure` why there is no report.
    """

    id: UUID
    pack_id: UUID
    work_order_id: UUID
    version: int
    status: str
    is_current: bool
    snapshot_version: int
    bundle_digest: str
    template_key: str
    report_family: str
    fair_market_value: Decimal | None
    replaces_version: int | None
    replaces_reason: str | None
    failure: str | None
    requested_by: UUID | None
    created_at: datetime
    generated_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    artifacts: list[ArtifactAnswer]


class OperationAnswer(BaseModel):
    """A job of a pack: how far it is, or why it is no further."""

    id: UUID
    operation_id: UUID
    kind: str
    status: str
    step: str | None
    percent: int
    reason: str | None
    error_message: str | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None


class GenerationAnswer(OperationAnswer):
    """The job that decides how far a pack is now, and all of its jobs in their order."""

    operations: list[OperationAnswer]


class SignatureAnswer(BaseModel):
    """A registered valuer's signature, with the registration as it was on that day."""

    valuer_id: UUID
    valuer_name: str
    registration: str
    registration_valid_until: date | None
    bundle_digest: str
    signed_by: UUID
    signed_at: datetime


class SignOffAnswer(BaseModel):
    """How many valuers must sign a pack, and who has."""

    needed: int
    signed: list[SignatureAnswer]
    is_complete: bool


class PackStateAnswer(BaseModel):
    """A work order's current pack with all that belongs to it.

    `deliverable_releases` are the gate's latest decisions about the work order, blocked ones too;
    `billing_gate_status` says what it would decide now, without an override.
    """

    work_order_id: UUID
    work_order_status: str
    readiness_score: int
    value_slab: str
    template_selector: str
    pack: PackAnswer | None
    generation_job: GenerationAnswer | None
    artifacts: list[ArtifactAnswer]
    sign_off: SignOffAnswer | None
    deliverable_releases: list[ReleaseLine]
    billing_gate_status: GateStatus


class NewPackAnswer(PackStateAnswer):
    """As the pack's state; `idempotent` says that there was a pack of this snapshot already.

    `queue_enqueued` says that its job was begun by this call; clients of the original look for the
    state in `pack_link`.
    """

    idempotent: bool
    queue_enqueued: bool
    pack_link: PackStateAnswer


class PacksAnswer(BaseModel):
    """Packs of a work order, the newest first."""

    items: list[PackAnswer]
    next_cursor: str | None
