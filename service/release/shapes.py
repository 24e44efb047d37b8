"""What the interface takes and answers about releases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from service.packs.shapes import Digest, Strict, WorkOrderPath
from service.release.answers import ReleaseLine

#: A key's journal entry is named after it, with a few words before it.
Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{0,200}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class VersionPath(WorkOrderPath):
    """A version of a work order's report."""

    version: str


class LinkedFilePath(Strict):
    """A file of a release."""

    release_id: str
    kind: Annotated[str, Field(description="docx, pdf or bundle")]


class LinkSignature(Strict):
    """What the address of a link ends with."""

    token: Annotated[str, Field(min_length=1, max_length=1000)]


class NewRelease(Strict):
    """What is asked of the gate; the header Idempotency-Key may stand in for the key."""

    idempotency_key: Annotated[
        Key | None, Field(description="names this attempt for ever; a further one takes a new key")
    ] = None
    override: Annotated[
        bool, Field(description="let it out although it is not paid for; the studio's alone")
    ] = False
    override_reason: Annotated[str | None, Field(max_length=1000)] = None
    hold_outcome: Annotated[
        Literal["release", "consume"],
        Field(description="what becomes of credits that are held, when somebody overrides"),
    ] = "release"
    pack_version: Annotated[Decimal | None, Field(ge=1, le=1_000_000, decimal_places=0)] = None
    bundle_digest: Digest | None = None


class Withdrawing(Strict):
    """Why a version must not be used any more."""

    reason: Reason


class ReleaseAnswer(BaseModel):
    """What the gate decided; `message` says it in words, and how to mend a block."""

    idempotent: bool
    blocked: bool
    gate_result: str
    blocked_reason: str | None
    billing_mode: str | None
    message: str
    release: ReleaseLine


class DeliverableFile(BaseModel):
    """A file that was let out; one that was purged is no longer there."""

    kind: str
    filename: str
    media_type: str
    size: int
    sha256: str
    purged_at: datetime | None


class DeliverableAnswer(BaseModel):
    """A version that was let out.

    `replaces_version` and `correction_reason` say what it corrects and why, `replaced_by` the
    newest version that was let out after it. `paid_by` is not told to the portal's people.
    """

    version: int
    state: str
    release_id: UUID
    bundle_digest: str
    released_at: datetime
    paid_by: str | None
    override_reason: str | None
    replaces_version: int | None
    correction_reason: str | None
    replaced_by: int | None
    withdrawn_reason: str | None
    withdrawn_at: datetime | None
    files: list[DeliverableFile]


class DeliverablesAnswer(BaseModel):
    """The versions of a work order's report that were let out, the newest first."""

    work_order_id: UUID
    items: list[DeliverableAnswer]


class LinkAnswer(BaseModel):
    """An address that gives one file without a login until it ends."""

    kind: str
    filename: str
    size: int
    sha256: str
    url: str


class LinksAnswer(BaseModel):
    """Addresses of a version's files; if it is not the newest, `replaced_by` says which is."""

    version: int
    state: str
    replaced_by: int | None
    expires_at: datetime
    links: list[LinkAnswer]
