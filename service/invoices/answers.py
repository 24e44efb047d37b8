"""Invoices as the API shows them: upper-case states, and the older system's names for amounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from service.billing.money import rupees
from service.invoices import records, shapes
from service.invoices.gst import law
from service.invoices.settling import advances_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.billing.accounts import Account
    from service.invoices.issuers import Issuer
    from service.invoices.prices import Price
    from service.invoices.records import Attachment, Invoice


def summary(invoice: Invoice) -> shapes.InvoiceSummary:
    """An invoice as lists have it."""
    return shapes.InvoiceSummary(**_summary(invoice))


def detail(connection: Connection, invoice: Invoice) -> shapes.InvoiceAnswer:
    """An invoice with its lines, what settled it and its files; in a role that sees it."""
    which = (connection, invoice.tenant_id, invoice.invoice_id)
    parties = json.loads(invoice.parties) if invoice.parties else {}
    return shapes.InvoiceAnswer(
        **_summary(invoice),
        financial_year=invoice.financial_year,
        place_of_supply=invoice.place_of_supply,
        cgst=invoice.cgst,
        sgst=invoice.sgst,
        igst=invoice.igst,
        issuer=parties.get("issuer"),
        bill_to=parties.get("bill_to"),
        notes=invoice.notes,
        void_reason=invoice.void_reason,
        items=tuple(
            shapes.ItemAnswer(
                order_index=line.line - 1,
                description=line.description,
                service_code=line.sac,
                quantity=line.quantity,
                unit_price=rupees(line.unit_price),
                tax_rate=line.tax_rate,
                line_total=rupees(line.line_total),
                cgst=rupees(line.cgst),
                sgst=rupees(line.sgst),
                igst=rupees(line.igst),
            )
            for line in records.lines_of(*which)
        ),
        settlements=tuple(
            shapes.SettlementAnswer(
                id=one.settlement_id,
                kind=one.kind,
                number=one.number,
                amount=one.amount,
                mode=one.mode,
                reference=one.reference,
                notes=one.notes,
                reverses=one.reverses,
                received_on=one.received_on,
                created_at=one.created_at,
            )
            for one in records.settlements_of(*which)
        ),
        attachments=tuple(attachment(one) for one in records.attachments_of(*which)),
    )


def context(connection: Connection, invoice: Invoice, account: Account) -> shapes.InvoiceContext:
    """An invoice with its account and what was said about it."""
    notices = records.notices_of(connection, invoice.tenant_id, invoice.invoice_id)
    return shapes.InvoiceContext(
        invoice=detail(connection, invoice),
        account=shapes.BilledAccount(
            account_id=account.account_id,
            external_key=account.external_key,
            display_name=account.display_name,
            billing_mode=account.billing_mode,
            payment_terms_days=account.payment_terms_days,
            advance=advances_of(connection, account.tenant_id, account.account_id),
        ),
        notices=tuple(
            shapes.NoticeAnswer(kind=one.kind, created_at=one.created_at) for one in notices
        ),
    )


def attachment(one: Attachment) -> shapes.AttachmentAnswer:
    """A file at an invoice."""
    return shapes.AttachmentAnswer(
        id=one.attachment_id,
        kind=one.kind,
        filename=one.filename,
        media_type=one.media_type,
        size_bytes=one.size,
        sha256=one.sha256,
        created_at=one.created_at,
    )


def price(one: Price) -> shapes.PriceAnswer:
    """A price of the list."""
    return shapes.PriceAnswer(
        id=one.price_id,
        item=one.item,
        description=one.description,
        service_code=one.sac,
        unit_price=one.unit_price,
        tax_rate=one.tax_rate,
        credits=one.credits,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        external_key=one.external_key,
    )


def issuer(one: Issuer) -> shapes.IssuerAnswer:
    """Who issues invoices."""
    return shapes.IssuerAnswer(
        legal_name=one.legal_name,
        gstin=one.gstin,
        state_code=one.state_code,
        state=law().states[one.state_code].name,
        details=dict(one.details),
    )


def _summary(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.invoice_id,
        "tenant_id": invoice.tenant_id,
        "account_id": invoice.account_id,
        "work_order_id": invoice.work_order_id,
        "invoice_number": invoice.number,
        "status": invoice.status.upper(),
        "is_overdue": invoice.is_overdue,
        "currency": invoice.currency,
        "issue_date": invoice.issued_on,
        "due_date": invoice.due_on,
        "sent_at": invoice.sent_at,
        "subtotal": invoice.subtotal,
        "tax_total": invoice.cgst + invoice.sgst + invoice.igst,
        "total_amount": invoice.total,
        "amount_credited": invoice.credited,
        "amount_paid": invoice.paid,
        "amount_due": invoice.due,
        "version": invoice.version,
        "created_at": invoice.created_at,
        "updated_at": invoice.updated_at,
    }
