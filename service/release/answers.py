"""What answers about a pack say of its gate."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class ReleaseLine(BaseModel):
    """A decision of the gate."""

    release_id: UUID
    work_order_id: UUID
    pack_id: UUID
    pack_version: int
    bundle_digest: str
    billing_mode: str | None
    gate_result: str
    blocked: bool
    reason: str | None
    blocked_reason: str | None
    override_reason: str | None
    hold_outcome: str | None
    account_id: UUID | None
    reservation_id: UUID | None
    service_invoice_id: UUID | None
    idempotency_key: str
    released_by: UUID | None
    created_at: datetime


class GateStatus(BaseModel):
    """What the gate would decide now, without an override; `waits_for` names what is lacking."""

    mode: str
    reservation_id_present: bool
    service_invoice_id: UUID | None
    service_invoice_status: str | None
    service_invoice_is_paid: bool
    releasable_without_override: bool
    gate_result: str | None
    waits_for: str | None
    message: str
