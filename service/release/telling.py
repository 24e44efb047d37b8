"""What is told of the gate and of what was let out, to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.packs import records as pack_records
from service.release import records
from service.release.answers import GateStatus, ReleaseLine
from service.release.gate import FORECASTS, MESSAGES, Outcome, Refusal
from service.release.questioning import forecast
from service.release.shapes import (
    DeliverableAnswer,
    DeliverableFile,
    DeliverablesAnswer,
    ReleaseAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.packs.records import Artifact
    from service.release.records import Decision, Deliverable
    from service.release.releasing import Released
    from service.workorders.records import WorkOrder

#: What people look for first stands first.
_ORDER = ("docx", "pdf", "bundle")


def release_answer(released: Released) -> ReleaseAnswer:
    """What the gate decided, as the original answers it, and in words."""
    decision = released.decision
    return ReleaseAnswer(
        idempotent=released.idempotent,
        blocked=decision.is_blocked,
        gate_result=decision.result,
        blocked_reason=decision.reason if decision.is_blocked else None,
        billing_mode=decision.billing_mode,
        message=MESSAGES[decision.result, decision.reason],
        release=line_of(decision),
    )


def line_of(decision: Decision) -> ReleaseLine:
    """A decision of the gate."""
    same = {
        name: getattr(decision, name)
        for name in ReleaseLine.model_fields
        if name in decision.__slots__
    }
    return ReleaseLine(
        **same,
        gate_result=decision.result,
        blocked=decision.is_blocked,
        blocked_reason=decision.reason if decision.is_blocked else None,
        reservation_id=decision.hold_id,
        service_invoice_id=decision.invoice_id,
        idempotency_key=decision.operation_key,
    )


def gate_status(connection: Connection, actor: Actor, order: WorkOrder) -> GateStatus:
    """What the gate would decide now about a work order, and what it waits for."""
    found = forecast(connection, actor, order)
    decision, invoice = found.decision, found.invoice
    result: str | None = None
    waits_for: str | None = None
    if isinstance(decision, Refusal):
        waits_for, message = decision.code, f"{decision.title}. {decision.detail}"
    elif isinstance(decision, Outcome):
        result = decision.result
        waits_for = decision.reason if result == "BLOCKED" else None
        message = FORECASTS[found.payment]
    else:
        message = "This version of the report is released."
    return GateStatus(
        mode=found.mode,
        reservation_id_present=found.hold is not None,
        service_invoice_id=None if invoice is None else invoice.invoice_id,
        service_invoice_status=None if invoice is None else invoice.status.upper(),
        service_invoice_is_paid=invoice is not None and invoice.is_paid,
        releasable_without_override=found.is_open,
        gate_result=result,
        waits_for=waits_for,
        message=message,
    )


def deliverables_answer(
    connection: Connection, actor: Actor, order: WorkOrder
) -> DeliverablesAnswer:
    """The versions that were let out, each with its files as far as the actor may have them."""
    found = records.deliverables_of(connection, order.tenant_id, order.work_order_id)
    made = pack_records.artifacts_of(
        connection, order.tenant_id, [one.decision.pack_id for one in found]
    )
    return DeliverablesAnswer(
        work_order_id=order.work_order_id,
        items=[_deliverable(actor, one, made) for one in found],
    )


def kinds_for(actor: Actor) -> frozenset[str]:
    """The kinds of files that are anything to the actor: the bundle is data for those who check."""
    return frozenset({"docx", "pdf"} | ({"bundle"} if actor.may("repogen.factory") else set()))


def _deliverable(
    actor: Actor, one: Deliverable, artifacts: Iterable[Artifact]
) -> DeliverableAnswer:
    decision, is_ours = one.decision, actor.audience != "portal"
    return DeliverableAnswer(
        version=decision.pack_version,
        state=one.state,
        release_id=decision.release_id,
        bundle_digest=decision.bundle_digest,
        released_at=decision.created_at,
        paid_by=decision.result if is_ours else None,
        override_reason=decision.override_reason if is_ours else None,
        replaces_version=one.replaces_version,
        correction_reason=one.replaces_reason,
        replaced_by=one.replaced_by,
        withdrawn_reason=one.why_withdrawn,
        withdrawn_at=None if one.withdrawal is None else one.withdrawal.withdrawn_at,
        files=[
            DeliverableFile(**{name: getattr(file, name) for name in DeliverableFile.model_fields})
            for file in sorted(artifacts, key=lambda file: _ORDER.index(file.kind))
            if file.pack_id == decision.pack_id and file.kind in kinds_for(actor)
        ],
    )
