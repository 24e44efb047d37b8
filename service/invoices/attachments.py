"""Files at an invoice: proof of payment above all, looked at like every file that comes from outside.

A proof is somebody's word: it settles nothing. The studio sees it and enters the payment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from service import clock
from service.billing.acting import as_billing, record_in
from service.errors import conflict, not_found
from service.evidence.examination import examine
from service.evidence.file_names import clean_name
from service.evidence.uploads import received
from service.identifiers import new_id
from service.invoices import records
from service.invoices.records import Attachment
from service.objects import storage

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.evidence.uploads import Readable, Within
    from service.invoices.records import Invoice

_MOST_FILES = 50
_KEYS_THERE = text(
    "select object_key from invoice_attachments"
    " where tenant_id = :tenant and object_key = any(:keys)"
)


def object_key(tenant_id: UUID, attachment_id: UUID) -> str:
    """Where a file at an invoice lies."""
    return f"{tenant_id}/invoices/{attachment_id}"


def attach(
    connection: Connection,
    actor: Actor,
    service: Within,
    invoice: Invoice,
    source: Readable,
    *,
    kind: Literal["invoice_document", "payment_proof", "other"] = "payment_proof",
    filename: str,
) -> Attachment:
    """Take a file that was sent along, look at it, store it at an invoice that the actor sees.

    Args:
        connection: in the actor's role.
        actor: who brings it.
        service: its settings and its object storage.
        invoice: as the actor's role found it.
        source: read to its end.
        kind: what it is.
        filename: as the sender calls it.

    Raises:
        ServiceError: as for evidence: FILE_KIND_REFUSED, FILE_DAMAGED, FILE_TOO_LARGE and so on;
            409 INVOICE_NOT_ISSUED for proof of paying a draft; 409 TOO_MANY_FILES.
    """
    if kind == "payment_proof" and invoice.number is None:
        raise conflict("INVOICE_NOT_ISSUED", "Nothing is to be paid on a draft")
    if (
        len(records.attachments_of(connection, invoice.tenant_id, invoice.invoice_id))
        >= _MOST_FILES
    ):
        raise conflict("TOO_MANY_FILES", "There is no room for another file at this invoice")
    with received(source, service.settings.evidence_max_bytes) as file:
        examined = examine(file.path, file.stored, service.settings)
        attachment_id = new_id()
        made = Attachment(
            tenant_id=invoice.tenant_id,
            attachment_id=attachment_id,
            invoice_id=invoice.invoice_id,
            kind=kind,
            filename=clean_name(filename, examined.facts.media_type),
            object_key=object_key(invoice.tenant_id, attachment_id),
            media_type=examined.facts.media_type,
            size=file.stored.size,
            sha256=file.stored.sha256,
            created_by=actor.user_id,
            created_at=clock.now(),
        )
        storage.put_new(service.objects, made.object_key, file.path)
    with as_billing(connection, invoice.tenant_id):
        records.insert_attachment(connection, made)
    record_in(
        connection,
        actor,
        invoice.tenant_id,
        "invoice:invoice:attachment_added",
        subject=("invoice", invoice.invoice_id),
        work_order_id=invoice.work_order_id,
        after={
            "kind": kind,
            "sha256": made.sha256,
            "size": made.size,
            "media_type": made.media_type,
        },
    )
    return made


def find_attachment(connection: Connection, invoice: Invoice, attachment_id: UUID) -> Attachment:
    """A file at an invoice.

    Raises:
        ServiceError: 404.
    """
    there = records.attachments_of(connection, invoice.tenant_id, invoice.invoice_id)
    found = next((one for one in there if one.attachment_id == attachment_id), None)
    if found is None:
        raise not_found()
    return found


def keys_there(connection: Connection, tenant_id: UUID, keys: list[str]) -> set[str]:
    """Which of some objects are files at an invoice of the firm."""
    values = {"tenant": tenant_id, "keys": keys}
    return set(connection.scalars(_KEYS_THERE, values))
