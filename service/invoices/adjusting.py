"""Credit notes: a part of an invoice, or what is left of it, is taken back with its taxes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from service import clock
from service.billing.acting import as_billing
from service.billing.journal import key_reused, known_entry, lock_account, post, request_digest
from service.billing.money import paise, rupees
from service.errors import conflict
from service.identifiers import new_id
from service.invoices import records
from service.invoices.issuing import owed
from service.invoices.letters import check_letters
from service.invoices.numbering import take_number
from service.invoices.periods import indian_day, last_day_for_credit_notes
from service.invoices.records import Settlement
from service.invoices.settling import Settled
from service.invoices.telling import note_in_timeline, record_change
from service.invoices.totals import exceeds_due, payable, share

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.invoices.records import Invoice


def credit_note(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    *,
    amount: Decimal,
    reason: str,
    key: str,
) -> Settled:
    """Credit a part of an invoice, or what is left; the credit note gets a number of its own.

    Args:
        connection: in the actor's role.
        actor: of the studio.
        account: the invoice's.
        invoice_id: an issued invoice that is not settled.
        amount: in rupees, taxes included; value and taxes are credited in the invoice's proportion.
        reason: why; it is printed.
        key: names the operation for ever.

    Raises:
        ServiceError: 404; 400 AMOUNT_INVALID, AMOUNT_EXCEEDS_DUE; 409 INVOICE_NOT_ISSUED,
            INVOICE_VOID, CREDIT_NOTE_TOO_LATE, NUMBER_SERIES_FULL, IDEMPOTENCY_KEY_REUSED,
            LETTERS_NOT_PRINTABLE.
    """
    tenant, whole = account.tenant_id, payable(amount)
    check_letters(reason, "reason")
    digest = request_digest("credit_note", invoice=invoice_id, amount=whole, reason=reason)
    with as_billing(connection, tenant):
        wallet = lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        known = known_entry(connection, wallet, key, digest)
        if known is not None:
            return Settled(
                before, UUID(json.loads(known)["settlement_id"]), amount, Decimal(0), True
            )
        today = indian_day(clock.now())
        _check_takes(before, whole)
        assert before.issued_on is not None
        assert before.issuer_gstin is not None
        if today > last_day_for_credit_notes(before.issued_on):
            raise conflict(
                "CREDIT_NOTE_TOO_LATE",
                "The taxes of this invoice can no longer be taken back",
                f"That was possible until {last_day_for_credit_notes(before.issued_on)}: CGST Act, "
                "section 34(2).",
            )
        taken = share(before.totals, paise(before.credited), whole)
        numbered = take_number(connection, "credit_note", before.issuer_gstin, today=today)
        note = Settlement(
            tenant_id=tenant,
            settlement_id=new_id(),
            invoice_id=invoice_id,
            kind="credit_note",
            number=numbered.number,
            issuer_gstin=before.issuer_gstin,
            financial_year=numbered.financial_year,
            subtotal=rupees(taken.subtotal),
            cgst=rupees(taken.cgst),
            sgst=rupees(taken.sgst),
            igst=rupees(taken.igst),
            amount=rupees(whole),
            mode="credit_note",
            reference=None,
            notes=reason,
            reverses=None,
            payment_order_id=None,
            operation_key=key,
            received_on=numbered.on,
            created_by=actor.user_id,
            created_at=clock.now(),
        )
        if not records.insert_settlement(connection, note):
            # Of another account of the firm: this one's were looked at.
            raise key_reused(key)
        after = records.save(connection, before, credited=before.credited + rupees(whole))
        post(
            connection,
            wallet,
            actor=actor,
            kind="credit_note",
            operation_key=key,
            request_sha256=digest,
            postings={name: -moved for name, moved in owed(taken).items()},
            result={"settlement_id": str(note.settlement_id), "number": numbered.number},
            invoice_id=invoice_id,
            reason=reason,
        )
    told = {"credit_note": numbered.number, "amount": amount}
    record_change(connection, actor, before, after, "adjustment_added", more=told, reason=reason)
    note_in_timeline(connection, actor, account, "invoice_credited", after, key)
    return Settled(after, note.settlement_id, rupees(whole), rupees(0), False)


def _check_takes(invoice: Invoice, amount: int) -> None:
    if invoice.status == "draft":
        raise conflict(
            "INVOICE_NOT_ISSUED", "A draft cannot be credited", "Change it instead, or void it."
        )
    if invoice.status == "void":
        raise conflict("INVOICE_VOID", "The invoice is void", "Nothing of it is owed.")
    if amount > paise(invoice.due):
        raise exceeds_due(invoice.due)
