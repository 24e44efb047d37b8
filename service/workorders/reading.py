"""Everything about one work order, for whoever works on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from contracts.canonical_json import to_plain
from service.workorders.commenting import comments_of
from service.workorders.evaluating import evaluate_now, find
from service.workorders.records import find_snapshot, read_parts
from service.workorders.shapes import (
    EvidenceLine,
    LinkLine,
    PackLine,
    RulesRunLine,
    SnapshotFull,
    SnapshotSummary,
    StatusChangeLine,
    WorkOrderDetail,
    WorkOrderEntry,
    WorkOrderLine,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.evaluation import Readiness
    from service.actor import Actor
    from service.workorders.records import Listed, Snapshot, WorkOrder

SENSITIVE = frozenset({"pii", "confidential"})

_EVIDENCE = text(
    "select e.evidence_item_id, e.key, e.evidence_type, e.doc_type, e.tags, e.label,"
    " e.annexure_order, e.document_id, e.created_at, d.status as document_status, d.filename,"
    " d.media_type, d.size, d.sha256, d.classification, d.sensitivity"
    " from evidence_items e left join documents d"
    " on d.tenant_id = e.tenant_id and d.document_id = e.document_id"
    " where e.tenant_id = :tenant and e.work_order_id = :id and e.removed_at is null"
    " order by e.annexure_order nulls last, e.created_at, e.evidence_item_id"
)
_LINKS = text(
    "select l.field_evidence_link_id, l.field_key, l.evidence_item_id, e.key, l.confidence, l.note"
    " from field_evidence_links l join evidence_items e"
    " on e.tenant_id = l.tenant_id and e.evidence_item_id = l.evidence_item_id"
    " where l.tenant_id = :tenant and l.work_order_id = :id and e.removed_at is null"
    " order by l.field_key, l.created_at, l.field_evidence_link_id"
)
_RUNS = text(
    "select rules_run_id, input_version, output_version, ruleset, profile, warnings, created_at"
    " from rules_runs where tenant_id = :tenant and work_order_id = :id"
    " order by output_version desc limit 10"
)
_CHANGES = text(
    "select from_status, to_status, note, changed_by, changed_at from status_changes"
    " where tenant_id = :tenant and work_order_id = :id"
    " order by changed_at desc, status_change_id desc limit 100"
)
_PACKS = text(
    "select pack_id, version, snapshot_version, bundle_digest, template_key, status, created_at"
    " from packs where tenant_id = :tenant and work_order_id = :id order by version desc limit 20"
)


def detail_of(connection: Connection, actor: Actor, work_order_id: UUID) -> WorkOrderDetail:
    """A work order with all that belongs to it; for the portal, the work order alone.

    Raises:
        ServiceError: 404, there is none that the actor may see.
    """
    order = find(connection, actor.tenant_id, work_order_id)
    if actor.audience == "portal":
        return WorkOrderDetail(work_order=line_of(order))
    where = {"tenant": order.tenant_id, "id": work_order_id}

    def rows(statement: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(statement, where).mappings()]

    evaluated = evaluate_now(connection, order)
    snapshot = find_snapshot(connection, order.tenant_id, work_order_id, order.snapshot_version)
    evidence = [EvidenceLine.model_validate(row) for row in rows(_EVIDENCE)]
    if not actor.may("evidence.sensitive"):
        evidence = [
            line.model_copy(update={"filename": None}) if line.sensitivity in SENSITIVE else line
            for line in evidence
        ]
    return WorkOrderDetail(
        work_order=entry_of(order),
        readiness=readiness_of(evaluated.evaluation.readiness),
        latest_snapshot=None if snapshot is None else full_of(connection, order, snapshot),
        evidence=evidence,
        field_evidence_links=[LinkLine.model_validate(row) for row in rows(_LINKS)],
        comments=comments_of(connection, order.tenant_id, work_order_id),
        rules_runs=[RulesRunLine.model_validate(row) for row in rows(_RUNS)],
        status_changes=[StatusChangeLine.model_validate(row) for row in rows(_CHANGES)],
        packs=[PackLine.model_validate(row) for row in rows(_PACKS)],
    )


def line_of(order: Listed) -> WorkOrderLine:
    """A work order as lists show it."""
    return WorkOrderLine.model_validate(
        {**_fields(order, WorkOrderLine), "missing": list(order.missing)}
    )


def entry_of(order: WorkOrder) -> WorkOrderEntry:
    """A work order with its settings and its contract."""
    return WorkOrderEntry.model_validate(
        {
            **_fields(order, WorkOrderEntry),
            "missing": list(order.missing),
            "parameters": json.loads(order.parameters),
            "contract": json.loads(order.contract),
        }
    )


def _fields(order: Listed, kind: type[WorkOrderLine]) -> dict[str, Any]:
    return {name: getattr(order, name) for name in kind.model_fields}


def summary_of(snapshot: Snapshot) -> SnapshotSummary:
    """A snapshot's identity."""
    return SnapshotSummary(**_identity(snapshot))


def full_of(connection: Connection, order: WorkOrder, snapshot: Snapshot) -> SnapshotFull:
    """A snapshot with its figures, findings and derivations."""
    return SnapshotFull(
        **_identity(snapshot),
        contract_json=json.loads(snapshot.contract),
        derived_json=derived_of(connection, order.tenant_id, snapshot),
        readiness_json=json.loads(snapshot.readiness),
    )


def _identity(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "version": snapshot.version,
        "input_version": snapshot.version - 1,
        "bundle_digest": snapshot.bundle_digest,
        "ruleset_version": snapshot.ruleset,
        "profile": snapshot.profile,
        "template_key": snapshot.template_key,
        "created_by": snapshot.created_by,
        "created_at": snapshot.created_at,
    }


def derived_of(connection: Connection, tenant_id: UUID, snapshot: Snapshot) -> dict[str, Any]:
    """What was computed: the original's members, and each figure and finding with its reasons."""
    name = "data/evaluation.json"
    stored = read_parts(connection, tenant_id, {name: snapshot.parts[name]})
    evaluation = json.loads(stored[name])
    contract = evaluation["contract"]
    meta, computed = contract["meta"], contract.get("computed_values", {})
    return {
        "ruleset_version": snapshot.ruleset,
        "profile": snapshot.profile,
        "as_of": evaluation["as_of"],
        "report_type": meta["report_type"],
        "bank_type": meta.get("bank_type", "OTHER"),
        "value_slab": meta.get("value_slab", "UNKNOWN"),
        "template_selector": meta.get("template_selector", "UNKNOWN"),
        "standardized_areas": computed.get("standardized_areas", {}),
        "standardized_rates": computed.get("standardized_rates", {}),
        "computed_values": computed,
        "warnings": [
            f"{finding['code']}: {finding['message']}"
            for finding in evaluation["findings"]
            if finding["severity"] != "note"
        ],
        "findings": evaluation["findings"],
        "trace": evaluation["trace"],
    }


def readiness_of(readiness: Readiness) -> dict[str, Any]:
    """What is missing, as answers hold it."""
    found: dict[str, Any] = to_plain(readiness)
    return found
