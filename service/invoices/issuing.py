"""An invoice is issued, and given up: both in one transaction with the journal.

Locks, in this order: the account's wallet, the invoice, the number series.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from contracts.canonical_json import canonical_json
from service import clock
from service.billing.acting import as_billing
from service.billing.journal import known_entry, lock_account, post, request_digest
from service.errors import conflict, invalid
from service.invoices import records
from service.invoices.customers import check_taxable, customer_of
from service.invoices.gst import is_rate
from service.invoices.issuers import the_issuer
from service.invoices.letters import check_letters
from service.invoices.numbering import take_number
from service.invoices.periods import indian_day
from service.invoices.telling import note_in_timeline, record_change
from service.invoices.totals import Item, Line, Totals, price_lines, sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.invoices.issuers import Issuer
    from service.invoices.records import Invoice

#: Rule 46(e): from this taxable value on, in paise, an unregistered customer's address is named.
_ADDRESS_FROM = 50_000_00


def issue(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    *,
    key: str,
    on: date | None = None,
    due_on: date | None = None,
) -> Invoice:
    """Issue a draft: number, day, parties and taxes are fixed, and the account owes its total.

    Args:
        connection: in the actor's role.
        actor: who issues it.
        account: the draft's.
        invoice_id: the draft.
        key: the same key and dates again give the invoice as it is by then.
        on: the Indian day of issue; today unless given.
        due_on: by when it is to be paid; by the account's terms unless given.

    Raises:
        ServiceError: 404; 409 INVOICE_ALREADY_ISSUED, INVOICE_VOID, ISSUER_MISSING,
            CUSTOMER_ABROAD, ACCOUNT_GSTIN_INVALID, ACCOUNT_STATE_MISSING, ACCOUNT_ADDRESS_MISSING,
            TAX_RATE_NOT_IN_FORCE, LETTERS_NOT_PRINTABLE, NUMBER_SERIES_FULL, IDEMPOTENCY_KEY_REUSED; 400 ISSUE_DATE_INVALID, DUE_DATE_INVALID.
    """
    tenant = account.tenant_id
    digest = request_digest("invoice_issue", invoice=invoice_id, on=on, due_on=due_on)
    issuer = the_issuer(connection)
    with as_billing(connection, tenant):
        wallet = lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        # An invoice over nothing has no entry in the journal, so it keeps its key itself.
        if known_entry(connection, wallet, key, digest) is not None or before.issue_key == key:
            return before
        if before.status != "draft":
            raise _not_a_draft(before)
        lines = _taxed(records.lines_of(connection, tenant, invoice_id), account, issuer)
        totals = sum_of(lines)
        _check_account(account, totals)
        today = indian_day(clock.now())
        # All that can be refused is refused before a number is taken.
        _check_rates(lines, on or today)
        parties = parties_of(account, issuer)
        check_letters(parties, "")
        check_letters([line.description for line in lines], "a line's description")
        check_letters(before.notes, "notes")
        if due_on is not None and due_on < (on or today):
            raise invalid(
                "DUE_DATE_INVALID",
                "It cannot be due before it is issued",
                f"It is issued on {on or today}.",
            )
        numbered = take_number(connection, "invoice", issuer.gstin, today=today, on=on)
        due = due_on or numbered.on + timedelta(days=account.payment_terms_days)
        records.write_lines(connection, tenant, invoice_id, lines)
        after = records.save(
            connection,
            before,
            number=numbered.number,
            issuer_gstin=issuer.gstin,
            financial_year=numbered.financial_year,
            place_of_supply=customer_of(account).place(issuer.state_code),
            parties=canonical_json(parties).decode(),
            issued_on=numbered.on,
            due_on=max(due, numbered.on),
            issue_key=key,
            **totals.in_rupees(),
        )
        if totals.total:
            post(
                connection,
                wallet,
                actor=actor,
                kind="invoice_issue",
                operation_key=key,
                request_sha256=digest,
                postings=owed(totals),
                result={"invoice_id": str(invoice_id), "number": numbered.number},
                invoice_id=invoice_id,
                ref=_ref(after),
            )
    record_change(connection, actor, before, after, "issued")
    note_in_timeline(connection, actor, account, "invoice_issued", after, "")
    return after


def void(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    *,
    reason: str,
    key: str,
) -> Invoice:
    """Give an invoice up for which nothing was paid or credited; its number stays used.

    Args:
        connection: in the actor's role.
        actor: who does it.
        account: the invoice's.
        invoice_id: a draft, or issued; one that is void already stays as it is.
        reason: why, which the audit keeps.
        key: names the journal's entry.

    Raises:
        ServiceError: 404; 409 INVOICE_HAS_PAYMENTS, INVOICE_HAS_CREDIT_NOTES.
    """
    tenant = account.tenant_id
    digest = request_digest("invoice_void", invoice=invoice_id)
    with as_billing(connection, tenant):
        wallet = lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        if before.status == "void":
            return before
        known_entry(connection, wallet, key, digest)
        if before.paid:
            raise conflict(
                "INVOICE_HAS_PAYMENTS",
                "What has been paid for cannot be given up",
                f"INR {before.paid} has been paid. Refund it first, or issue a credit note.",
            )
        if before.credited:
            raise conflict(
                "INVOICE_HAS_CREDIT_NOTES",
                "What has been credited in part cannot be given up",
                f"Issue a credit note over the rest: INR {before.due}.",
            )
        after = records.save(connection, before, void_reason=reason, voided_at=clock.now())
        if before.number is not None and before.total:
            post(
                connection,
                wallet,
                actor=actor,
                kind="invoice_void",
                operation_key=key,
                request_sha256=digest,
                postings={name: -amount for name, amount in owed(before.totals).items()},
                result={"invoice_id": str(invoice_id)},
                invoice_id=invoice_id,
                ref=_ref(after),
                reason=reason,
            )
    record_change(connection, actor, before, after, "voided", reason=reason)
    note_in_timeline(connection, actor, account, "invoice_voided", after, "")
    return after


def owed(totals: Totals) -> dict[str, int]:
    """What issuing moves: the account owes the total, which is revenue and taxes to be handed on."""
    return {
        "inr:receivable": totals.total,
        "inr:revenue": -totals.subtotal,
        "inr:output_cgst": -totals.cgst,
        "inr:output_sgst": -totals.sgst,
        "inr:output_igst": -totals.igst,
    }


def parties_of(account: Account, issuer: Issuer) -> dict[str, Any]:
    """Who issues to whom, as the invoice keeps it: an account's GSTIN decides its State."""
    customer = customer_of(account)
    return {
        "issuer": {
            **issuer.details,
            "legal_name": issuer.legal_name,
            "gstin": issuer.gstin,
            "state_code": issuer.state_code,
        },
        "bill_to": {
            "name": account.display_name,
            **json.loads(account.bill_to),
            "gstin": customer.gstin,
            "state_code": customer.state_code,
        },
    }


def _taxed(lines: Sequence[Line], account: Account, issuer: Issuer) -> tuple[Line, ...]:
    """The draft's lines with the taxes of who issues to whom today."""
    items = [
        Item(line.description, line.sac, line.quantity, line.unit_price, line.tax_rate)
        for line in lines
    ]
    return price_lines(
        items, is_within_state=customer_of(account).is_within_state(issuer.state_code)
    )


def _check_account(account: Account, totals: Totals) -> None:
    """Refuse what the law does not let stand on an invoice, while it can still be mended."""
    customer = customer_of(account)
    check_taxable(customer)
    if (
        customer.gstin is None
        and totals.subtotal >= _ADDRESS_FROM
        and not (customer.state_code and customer.has_address)
    ):
        raise conflict(
            "ACCOUNT_ADDRESS_MISSING",
            "The account's address and State are needed",
            "An invoice over INR 50,000 or more to a customer without GSTIN names both: rule 46(e). "
            "Enter bill_to.address and state_code of the account.",
        )


def _check_rates(lines: Sequence[Line], on: date) -> None:
    for line in lines:
        if not is_rate(line.tax_rate, on):
            raise conflict(
                "TAX_RATE_NOT_IN_FORCE",
                "The rate of tax does not hold on the day of issue",
                f"Line {line.line}: {line.tax_rate} % is no rate of GST on {on}. Change the draft.",
            )


def _not_a_draft(invoice: Invoice) -> Exception:
    if invoice.status == "void":
        return conflict("INVOICE_VOID", "The invoice is void", "Draft another one.")
    return conflict(
        "INVOICE_ALREADY_ISSUED",
        "The invoice is issued already",
        f"It is {invoice.number} of {invoice.issued_on}, issued under another key.",
    )


def _ref(invoice: Invoice) -> tuple[str, str]:
    if invoice.work_order_id is not None:
        return ("work_order", str(invoice.work_order_id))
    return ("invoice", str(invoice.invoice_id))
