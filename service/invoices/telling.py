"""What is told of an invoice: to the audit trail, and to its account's timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.billing.acting import record_in
from service.billing.usage import record_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.invoices.records import Invoice

_TOLD = (
    "status", "number", "notes", "subtotal", "cgst", "sgst", "igst", "total", "credited", "paid",
    "due", "issued_on", "due_on",
)  # fmt: skip


def record_change(
    connection: Connection,
    actor: Actor,
    before: Invoice | None,
    after: Invoice,
    done: str,
    *,
    more: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Write what became of an invoice into the audit trail of its firm.

    Args:
        connection: in the actor's own role.
        actor: who did it.
        before: as it was; None if it is new.
        after: as it is.
        done: what was done, such as `issued`.
        more: what is told of it besides.
        reason: why.
    """
    record_in(
        connection,
        actor,
        after.tenant_id,
        f"invoice:invoice:{done}",
        subject=("invoice", after.invoice_id),
        work_order_id=after.work_order_id,
        reason=reason,
        before=None if before is None else _told(before),
        after=_told(after) | dict(more or {}),
    )


def note_in_timeline(
    connection: Connection,
    actor: Actor,
    account: Account,
    event_type: str,
    invoice: Invoice,
    occasion: str,
) -> None:
    """Note in the account's timeline what became of an invoice, once for each occasion."""
    record_usage(
        connection,
        actor,
        account,
        event_type,
        key=":".join(filter(None, ("v2", event_type, str(invoice.invoice_id), occasion))),
        payload={
            "invoice_id": str(invoice.invoice_id),
            "invoice_number": invoice.number,
            "status": invoice.status.upper(),
            "total": str(invoice.total),
            "amount_due": str(invoice.due),
        },
    )


def _told(invoice: Invoice) -> dict[str, Any]:
    return {name: getattr(invoice, name) for name in _TOLD}
