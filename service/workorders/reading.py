"""Everything about one work order, for whoever works on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from contracts.canonical_json import to_plain
from service.evidence import field_links, items
from service.workorders.commenting import comments_of
from service.workorders.evaluating import evaluate_now, find
from service.workorders.records import find_snapshot, read_parts, snapshot_id
from service.workorders.shapes import (
    PackLine,
    RulesRunLine,
    SnapshotFull,
    SnapshotName,
    SnapshotSummary,
    StatusChangeLine,
    WorkOrderDetail,
    WorkOrderEntry,
    WorkOrderLine,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.evaluation import Readiness
    from service.actor import Actor
    from service.workorders.records import Listed, Snapshot, WorkOrder

_RUNS = text(
    "select rules_run_id, output_version, ruleset, profile, warnings, created_at"
    " from rules_runs where tenant_id = :tenant and work_order_id = :id"
    " order by output_version desc limit 10"
)
_CHANGES = text(
    "select from_status, to_status, note, changed_by, changed_at from status_changes"
    " where tenant_id = :tenant and work_order_id = :id"
    " order by changed_at desc, status_change_id desc limit 100"
)
_PACKS = text(
    "select pack_id as id, version, snapshot_version, bundle_digest, template_key, status, created_at"
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
    return WorkOrderDetail(
        work_order=entry_of(order),
        readiness=readiness_of(evaluated.evaluation.readiness),
        latest_snapshot=None if snapshot is None else full_of(connection, order, snapshot),
        evidence_items=items.pieces_of(connection, actor, order),
        field_evidence_links=field_links.links_of(connection, order),
        comments=comments_of(connection, order.tenant_id, work_order_id),
        rules_runs=[run_of(work_order_id, **row) for row in rows(_RUNS)],
        status_changes=[StatusChangeLine.model_validate(row) for row in rows(_CHANGES)],
        packs=[PackLine.model_validate(row) for row in rows(_PACKS)],
    )


def line_of(order: Listed) -> WorkOrderLine:
    """A work order as lists show it."""
    return WorkOrderLine.model_validate(_fields(order, WorkOrderLine))


def entry_of(order: WorkOrder) -> WorkOrderEntry:
    """A work order with its settings and its contract."""
    return WorkOrderEntry.model_validate(
        {
            **_fields(order, WorkOrderEntry),
            "parameters": json.loads(order.parameters),
            "contract": json.loads(order.contract),
        }
    )


def _fields(order: Listed, kind: type[WorkOrderLine]) -> dict[str, Any]:
    found = {name: getattr(order, _CALLED.get(name, name)) for name in kind.model_fields}
    found["missing"] = list(order.missing)
    found["latest_snapshot_version"] = order.snapshot_version or None
    return found


#: What the original's names for a work order's fields are here.
_CALLED = {
    "id": "work_order_id", "org_id": "tenant_id", "report_pack_id": "current_pack_id",
    "readiness_score": "completeness_score", "latest_snapshot_version": "snapshot_version",
    "created_by_user_id": "created_by",
}  # fmt: skip


def run_of(
    work_order_id: UUID,
    *,
    rules_run_id: UUID,
    output_version: int,
    ruleset: str,
    profile: str,
    warnings: int,
    created_at: datetime,
) -> RulesRunLine:
    """A run of the rules, with the snapshots before and after it."""
    return RulesRunLine(
        id=rules_run_id,
        ruleset_version=ruleset,
        profile=profile,
        warnings_count=warnings,
        input_snapshot=name_of(work_order_id, output_version - 1),
        output_snapshot=name_of(work_order_id, output_version),
        created_at=created_at,
    )


def name_of(work_order_id: UUID, version: int) -> SnapshotName:
    """Which snapshot a version is."""
    return SnapshotName(id=snapshot_id(work_order_id, version), version=version)


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
        "id": snapshot_id(snapshot.work_order_id, snapshot.version),
        "version": snapshot.version,
        "input_version": snapshot.version - 1,
        "bundle_digest": snapshot.bundle_digest,
        "ruleset_version": snapshot.ruleset,
        "profile": snapshot.profile,
        "template_key": snapshot.template_key,
        "created_by_user_id": snapshot.created_by,
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
