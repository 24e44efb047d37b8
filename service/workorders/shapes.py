"""What clients send about work orders, and what they are answered."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.case import Chosen, ParameterOverride
from contracts.contract import BankType, ReportType, RowId, TemplateSelector, ValueSlab
from contracts.dates import Day
from service.evidence.shapes import EvidenceAnswer, FieldLinkAnswer
from service.packs.shapes import PackStateAnswer

Status = Literal[
    "DRAFT", "EVIDENCE_PENDING", "DATA_PENDING", "READY_FOR_RENDER", "CLOSED", "CANCELLED"
]
SourceType = Literal["TENANT", "EXTERNAL", "CHANNEL"]
CommentType = Literal["JUSTIFICATION", "ENCLOSURES", "CHECKLIST", "NOTES"]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]


def _blank_is_none(raw: Any) -> Any:
    return None if isinstance(raw, str) and not raw.strip() else raw


#: A note that may be left out; a blank one says nothing.
MaybeNote = Annotated[Note | None, BeforeValidator(_blank_is_none)]
Parameters = dict[Annotated[str, StringConstraints(max_length=200)], ParameterOverride]


class Body(BaseModel):
    """What a client sends: no field that is not known here."""

    model_config = ConfigDict(extra="forbid")


class WorkOrderPath(Body):
    """The work order that a route is about."""

    work_order_id: str


class NewWorkOrder(Body):
    """A work order to be created; the branch, property and valuer are copied from the registers."""

    report_type: ReportType
    bank_type: BankType | None = None
    bank_name: Line | None = None
    borrower_name: Line | None = None
    source_type: SourceType = "TENANT"
    source_ref_id: Line | None = None
    assignment_id: Line | None = None
    reference: RowId | None = None
    title: Line | None = None
    source: Note | None = None
    as_of: Day | None = None
    ruleset: Chosen | None = None
    profile: Chosen | None = None
    parameters: Parameters = {}
    bank_branch_id: UUID | None = None
    property_id: UUID | None = None
    valuer_id: UUID | None = None


class WorkOrderSettings(Body):
    """What a work order says beside its contract; what is left out stays, null clears."""

    title: Line | None = None
    source: Note | None = None
    as_of: Day | None = None
    source_ref_id: Line | None = None
    assignment_id: Line | None = None
    ruleset: Chosen | None = None
    parameters: Parameters = {}
    valuer_id: UUID | None = None
    reason: MaybeNote = None


class ContractPatch(Body):
    """A change of the contract, by what is different (contracts.patch)."""

    patch: dict[str, Any]
    ruleset_version: Chosen | None = None
    reason: MaybeNote = None


class StatusWish(Body):
    """The state that a work order is to have; going back needs a note that says why."""

    status: Status
    note: MaybeNote = None


class NewComment(Body):
    """A comment to be written."""

    comment_type: CommentType = "NOTES"
    body: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class ListQuery(Body):
    """Which work orders are wanted, latest change first."""

    status: Status | None = None
    report_type: ReportType | None = None
    bank_type: BankType | None = None
    template_selector: TemplateSelector | None = None
    source_type: SourceType | None = None
    ready: bool | None = None
    search: Annotated[str, StringConstraints(max_length=200)] | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class SnapshotQuery(Body):
    """The snapshot that is wanted, the latest unless it is named."""

    snapshot_version: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None


class WorkOrderLine(BaseModel):
    """A work order as lists show it; `missing` is what keeps it from being ready.

    The original's names stand beside ours: `id`, `org_id`, `report_pack_id`, `readiness_score`,
    `latest_snapshot_version`, `created_by_user_id`.
    """

    id: UUID
    work_order_id: UUID
    org_id: UUID
    reference: str
    title: str | None
    report_type: ReportType
    bank_type: BankType
    bank_name: str | None
    value_slab: ValueSlab
    template_selector: TemplateSelector
    source_type: SourceType
    source_ref_id: str | None
    assignment_id: str | None
    status: Status
    version: int
    snapshot_version: int
    latest_snapshot_version: int | None
    pack_version: int
    current_pack_id: UUID | None
    report_pack_id: UUID | None
    is_ready: bool
    completeness_score: int
    readiness_score: int
    missing: list[str]
    fair_market_value: Decimal | None
    requested_by: UUID | None
    created_by: UUID | None
    created_by_user_id: UUID | None
    created_at: datetime
    updated_at: datetime


class WorkOrderEntry(WorkOrderLine):
    """A work order with its own settings and the contract as it was last entered."""

    source: str | None
    as_of: date | None
    ruleset: str | None
    profile: str | None
    parameters: dict[str, Any]
    bank_branch_id: UUID | None
    property_id: UUID | None
    valuer_id: UUID | None
    contract: dict[str, Any]


class WorkOrderCreated(WorkOrderEntry):
    """A new work order; clients of the original look for it in `work_order`."""

    work_order: WorkOrderLine


class WorkOrderList(BaseModel):
    """Work orders, and where the next ones begin; None at the end."""

    items: list[WorkOrderLine]
    next_cursor: str | None


class SnapshotName(BaseModel):
    """Which snapshot it is."""

    id: UUID
    version: int


class SnapshotSummary(SnapshotName):
    """A snapshot's identity."""

    input_version: int
    bundle_digest: str
    ruleset_version: str
    profile: str
    template_key: str
    created_by_user_id: UUID | None
    created_at: datetime


class SnapshotFull(SnapshotSummary):
    """A snapshot with what was computed, findings, and each figure's derivation."""

    contract_json: dict[str, Any]
    derived_json: dict[str, Any]
    readiness_json: dict[str, Any]


class CommentLine(BaseModel):
    """A comment."""

    id: UUID
    comment_type: CommentType
    body: str
    created_by_user_id: UUID | None
    created_at: datetime


class CommentList(BaseModel):
    """A work order's comments, the latest first."""

    items: list[CommentLine]


class RulesRunLine(BaseModel):
    """One run of the rules: from what was entered to what was computed of it."""

    id: UUID
    ruleset_version: str
    profile: str
    warnings_count: int
    input_snapshot: SnapshotName
    output_snapshot: SnapshotName
    created_at: datetime


class StatusChangeLine(BaseModel):
    """One change of state."""

    from_status: Status
    to_status: Status
    note: str | None
    changed_by: UUID | None
    changed_at: datetime


class PackLine(BaseModel):
    """A pack, briefly."""

    id: UUID
    version: int
    snapshot_version: int
    bundle_digest: str
    template_key: str
    status: str
    created_at: datetime


class WorkOrderDetail(BaseModel):
    """Everything about a work order.

    `readiness` is of this moment; it and all that follows it is left empty for the portal.
    """

    work_order: WorkOrderEntry | WorkOrderLine
    readiness: dict[str, Any] | None = None
    latest_snapshot: SnapshotFull | None = None
    evidence_items: tuple[EvidenceAnswer, ...] = ()
    field_evidence_links: tuple[FieldLinkAnswer, ...] = ()
    comments: list[CommentLine] = []
    rules_runs: list[RulesRunLine] = []
    status_changes: list[StatusChangeLine] = []
    packs: list[PackLine] = []


class ChangedField(BaseModel):
    """A field of the contract that a patch changed; null where there is nothing."""

    field: str
    before: Any
    after: Any


class ContractChanged(BaseModel):
    """What came of a patch; `output_snapshot` is `snapshot` under the original's name."""

    work_order_id: UUID
    work_order: WorkOrderEntry
    snapshot: SnapshotSummary
    input_snapshot: SnapshotName
    output_snapshot: SnapshotSummary
    rules_run: RulesRunLine
    readiness: dict[str, Any]
    changes: list[ChangedField]
    warnings: list[str]


class StatusChanged(BaseModel):
    """What came of a change of state; `changed` is False if it had the state already.

    `pack_link` is the pack, where the work order is ready for one.
    """

    work_order: WorkOrderLine
    changed: bool
    snapshot: SnapshotSummary | None
    readiness: dict[str, Any] | None
    pack_link: PackStateAnswer | None


class ManifestDocument(BaseModel):
    """The file of a piece of evidence as the snapshot saw it."""

    id: str
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    status: str


class ManifestLine(BaseModel):
    """A piece of evidence as the snapshot saw it; `file` is its path in the bundle."""

    id: str
    evidence_item_id: str
    document_id: str | None
    key: str
    evidence_type: str
    doc_type: str | None
    tags: dict[str, str]
    label: str | None
    status: str
    annexure_order: int | None
    classification: str | None
    sensitivity: str | None
    source: str | None
    captured_at: str | None
    document: ManifestDocument | None
    file: str | None
    sha256: str | None
    size: int | None
    media_type: str | None
    annexure_hint: dict[str, Any] | None


class ExportBundle(BaseModel):
    """What a snapshot holds."""

    work_order_id: UUID
    snapshot_version: int
    bundle_digest: str
    contract_json: dict[str, Any]
    derived_json: dict[str, Any]
    readiness_json: dict[str, Any]
    annexure_defaults: dict[str, Any]
    evidence_manifest: list[ManifestLine]


class Export(ExportBundle):
    """A snapshot, for another system; clients of the original look for it in `export_bundle`."""

    snapshot: SnapshotSummary
    export_bundle: ExportBundle
