"""What the routes of documents and evidence take and give."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from contracts.contract import Coordinates, RowId
from contracts.dates import parse_moment
from contracts.evidence import DocType, EvidenceType, FileFacts
from service.identifiers import read_id

Classification = Literal[
    "bank_kyc", "site_photo", "approval_plan", "tax_receipt", "legal", "invoice", "other"
]
Sensitivity = Literal["public", "internal", "pii", "confidential"]
Source = Literal[
    "portal", "tenant", "internal", "mobile_camera", "mobile_gallery", "desktop_upload",
    "email_ingest", "portal_upload",
]  # fmt: skip
DocumentStatus = Literal["pending", "uploaded", "deleted", "purged"]
Purpose = Literal["evidence", "reference", "photo", "annexure", "other"]


def _id(raw: Any) -> Any:
    found = read_id(raw) if isinstance(raw, str) else raw
    if not isinstance(found, UUID):
        raise ValueError("an id is a UUID in its usual form of 36 characters")  # noqa: TRY004
    return found


def _moment(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    found = parse_moment(raw)
    if found.tzinfo is None:
        raise ValueError("say the zone too: 2026-03-31T10:15:00+05:30")
    return found


Id = Annotated[UUID, BeforeValidator(_id)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=1_000, strip_whitespace=True)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
TagValue = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=40)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Body(BaseModel):
    """What a request brings; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class DocumentPath(BaseModel):
    """A document in an address; what is no id is as unknown as a foreign one."""

    document_id: str


class WorkOrderPath(BaseModel):
    """A work order in an address."""

    work_order_id: str


class EvidencePath(WorkOrderPath):
    """A piece of evidence of a work order in an address."""

    evidence_id: str


class Signature(BaseModel):
    """The proof in a short-lived address."""

    token: Annotated[str, StringConstraints(max_length=500)]


class Described(Body):
    """What can be said of a document besides its file."""

    work_order_id: Id | None = None
    classification: Classification | None = None
    sensitivity: Sensitivity = "internal"
    source: Source | None = None
    captured_at: Moment | None = None
    taken_on_site: bool | None = None
    remarks: Words | None = None
    purpose: Purpose | None = None


class PresignUpload(Described):
    """A file that is to be uploaded."""

    filename: Name
    content_type: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    size_bytes: Annotated[int, Field(ge=1, le=1 << 40)]
    sha256: Sha256 | None = None


class ConfirmUpload(Body):
    """An upload that is done; what is said of the file is checked."""

    document_id: Id
    size_bytes: Annotated[int, Field(ge=1, le=1 << 40)] | None = None
    sha256: Sha256 | None = None


class UploadForm(Described):
    """What is said of a file that is sent along, in the fields of the same form."""

    filename: Name | None = None
    sha256: Sha256 | None = None


class DocumentChange(Body):
    """What is to be said of a document from now on: a key left out changes nothing, null clears.

    A reason is needed where a guarded document is to be guarded no longer.
    """

    work_order_id: Id | None = None
    classification: Classification | None = None
    sensitivity: Sensitivity | None = None
    source: Source | None = None
    captured_at: Moment | None = None
    taken_on_site: bool | None = None
    remarks: Words | None = None
    reason: Reason | None = None


class NewTag(Body):
    """A tag to set; without a value it stands for itself."""

    key: TagKey
    value: TagValue | None = None


class DocumentTags(Body):
    """Tags to set, and tags to take off: one in the original's form, or several."""

    key: TagKey | None = None
    value: TagValue | None = None
    tags: Annotated[tuple[NewTag, ...], Field(max_length=40)] = ()
    remove: Annotated[tuple[TagKey, ...], Field(max_length=40)] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.key is None and not self.tags and not self.remove:
            raise ValueError("name a tag: key and value, or tags, or remove")
        return self


class Ending(Body):
    """Why something is taken out."""

    reason: Reason


class DocumentFilter(Body):
    """Which documents a list shows; without a status, those that are neither deleted nor purged."""

    status: DocumentStatus | None = None
    work_order_id: Id | None = None
    tag_key: TagKey | None = None
    tag_value: TagValue | None = None
    purpose: Purpose | None = None
    source: Source | None = None
    classification: Classification | None = None
    sensitivity: Sensitivity | None = None
    filename: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Id | None = None


class Copy(BaseModel):
    """Another document of the firm that is, or looks like, the same file."""

    document_id: UUID
    original_filename: str | None
    work_order_id: UUID | None
    work_order_reference: str | None
    uploaded_at: datetime
    how: Literal["same file", "same picture"]
    differing_bits: int


class DocumentAnswer(BaseModel):
    """A document; `duplicates` are a warning and never stop anything.

    What names of identity papers tell is left out for those who may not open them.
    """

    id: UUID
    work_order_id: UUID | None
    status: DocumentStatus
    original_filename: str | None
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    facts: FileFacts | None
    classification: Classification | None
    sensitivity: Sensitivity
    source: Source | None
    captured_at: datetime | None
    taken_on_site: bool | None
    remarks: str | None
    tags: dict[str, str]
    uploaded_by: UUID | None
    created_at: datetime
    uploaded_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    version: int
    duplicates: tuple[Copy, ...] = ()


class DocumentList(BaseModel):
    """Documents, newest first; `next_cursor` leads to what comes after."""

    items: tuple[DocumentAnswer, ...]
    next_cursor: str | None


class UploadAddress(BaseModel):
    """Where to send a file's bytes, and until when."""

    url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = {}
    expiresAt: datetime  # noqa: N815 - the original's name


class PresignedUpload(BaseModel):
    """A pending document, and where its file is to be sent."""

    document_id: UUID
    storage_key: str
    upload: UploadAddress


class PresignedDownload(BaseModel):
    """An address that gives the file to whoever has it, for a short time."""

    url: str
    expiresAt: datetime  # noqa: N815 - the original's name


class ReceivedFile(BaseModel):
    """What has arrived; it counts once it is confirmed."""

    document_id: UUID
    size_bytes: int
    sha256: str


class EvidenceItem(Body):
    """A piece of evidence to add, or, with its id, to change.

    A key left out changes nothing; null clears. What belongs to the file - classification,
    sensitivity, source, captured_at, taken_on_site, remarks - is written to its document.
    `file_ref` and `captured_by_employee_id` are kept as another system says them and prove
    nothing: a piece counts by its document alone.
    """

    id: Id | None = None
    key: RowId | None = None
    document_id: Id | None = None
    evidence_type: EvidenceType | None = None
    doc_type: DocType | None = None
    tags: Tags | None = None
    label: Label | None = None
    annexure_order: Annotated[int, Field(ge=0, le=100_000)] | None = None
    located_at: Coordinates | None = None
    classification: Classification | None = None
    sensitivity: Sensitivity | None = None
    source: Source | None = None
    captured_at: Moment | None = None
    taken_on_site: bool | None = None
    remarks: Words | None = None
    file_ref: Name | None = None
    captured_by_employee_id: Id | None = None


class EvidenceLink(Body):
    """Evidence to add and to change; a reason is needed where a position is changed."""

    items: Annotated[tuple[EvidenceItem, ...], Field(min_length=1, max_length=200)]
    reason: Reason | None = None


class EvidenceAnswer(BaseModel):
    """A piece of evidence and its document. `status` is how it counts: only 'uploaded' does."""

    id: UUID
    key: str
    status: Literal["pending", "uploaded", "deleted"]
    evidence_type: EvidenceType
    doc_type: DocType | None
    tags: dict[str, str]
    label: str | None
    annexure_order: int | None
    located_at: Coordinates | None
    classification: Classification | None
    sensitivity: Sensitivity | None
    source: Source | None
    captured_at: datetime | None
    taken_on_site: bool | None
    remarks: str | None
    file_ref: str | None
    captured_by_employee_id: UUID | None
    document_id: UUID | None
    document: EvidenceDocument | None
    created_by_user_id: UUID | None
    created_at: datetime
    duplicates: tuple[Copy, ...] = ()


class EvidenceDocument(BaseModel):
    """What a list of evidence shows of a document."""

    id: UUID
    original_filename: str | None
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    status: DocumentStatus
    facts: FileFacts | None


class EvidenceList(BaseModel):
    """The evidence of a work order, and what the work order is with it."""

    work_order_id: UUID
    version: int
    is_ready: bool
    completeness_score: int
    missing: tuple[str, ...]
    readiness: dict[str, Any]
    evidence_items: tuple[EvidenceAnswer, ...]


class ProfileChoice(Body):
    """A profile by its id, `psu` or `psu@1`, or the one that the report's traits choose."""

    profile_id: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    use_default: bool | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.profile_id is None) == (self.use_default is not True):
            raise ValueError("give a profile_id, or use_default: true, and not both")
        return self


class ChecklistItem(BaseModel):
    """A requirement of the profile, and how much of it is there.

    It may accept several types of evidence and of document; `evidence_type` and `doc_type` name
    the first of them, `field_key_hint` the first field that it shows.
    """

    id: str
    label: str
    description: str
    evidence_type: str
    evidence_types: tuple[str, ...]
    doc_type: str | None
    doc_types: tuple[str, ...]
    tags_json: dict[str, str]
    is_required: bool
    applies: bool
    min_count: int
    current_count: int
    missing_count: int
    satisfied: bool
    matching_evidence_item_ids: tuple[UUID, ...]
    order_hint: int
    field_key_hint: str | None
    field_key_hints: tuple[str, ...]


class FieldDefinitionAnswer(BaseModel):
    """A fact that evidence can show."""

    field_key: str
    label: str
    data_type: str
    unit: str | None
    required_by_default: bool
    any_of: tuple[str, ...]


class ProfileAnswer(BaseModel):
    """A profile that answers for reports of this type."""

    id: str
    version: int
    name: str
    items_count: int


class EvidenceProfiles(BaseModel):
    """Which profile holds and why, what it asks for, what is there, and what would help."""

    work_order_id: UUID
    version: int
    selected_profile_id: str
    selected_profile: ProfileAnswer
    selected_why: str
    is_chosen_by_name: bool
    profiles: tuple[ProfileAnswer, ...]
    checklist: tuple[ChecklistItem, ...]
    suggested_evidence_for_missing_fields: tuple[dict[str, Any], ...]
    field_defs: tuple[FieldDefinitionAnswer, ...]
    readiness: dict[str, Any]


class FieldLinkChange(Body):
    """A link to set, or with `remove` to take away.

    Links belong to the work order; who names a snapshot means its latest one.
    """

    id: Id | None = None
    snapshot_id: Id | None = None
    field_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    evidence_item_id: Id | None = None
    confidence: Annotated[Decimal, Field(ge=0, le=1, max_digits=20)] | None = None
    note: Words | None = None
    remove: bool = False

    @model_validator(mode="after")
    def _names_a_link(self) -> Self:
        if self.id is None and (self.field_key is None or self.evidence_item_id is None):
            raise ValueError("name the link: its id, or field_key and evidence_item_id")
        return self


class FieldLinkChanges(Body):
    """Links to set and to take away."""

    links: Annotated[tuple[FieldLinkChange, ...], Field(min_length=1, max_length=500)]


class FieldLinkAnswer(BaseModel):
    """A fact, and the evidence that shows it."""

    id: UUID
    snapshot_id: UUID | None
    field_key: str
    evidence_item_id: UUID
    evidence_key: str
    confidence: Decimal | None
    note: str | None
    created_by_user_id: UUID | None
    created_at: datetime


class FieldLinks(BaseModel):
    """All links of a work order. They belong to it and outlive its snapshots.

    They hold for the latest snapshot, which therefore is the `snapshot_id` of each.
    """

    work_order_id: UUID
    version: int
    latest_snapshot_id: UUID | None
    latest_snapshot_version: int | None
    field_defs: tuple[FieldDefinitionAnswer, ...]
    links: tuple[FieldLinkAnswer, ...]


EvidenceAnswer.model_rebuild()
