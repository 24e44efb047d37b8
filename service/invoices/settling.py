"""Money for invoices: it comes in, and goes back as a refund or a chargeback.

Nothing that has come in is ever refused: what is more than is due stays with the account as an
advance, and pays a later invoice or goes back. A person who enters a payment is told instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.billing.acting import as_billing, record_in
from service.billing.journal import key_reused, known_entry, lock_account, post, request_digest
from service.billing.money import paise, rupees
from service.errors import conflict, not_found
from service.identifiers import new_id
from service.invoices import records
from service.invoices.periods import indian_day
from service.invoices.records import Invoice, Mode, Settlement
from service.invoices.telling import note_in_timeline, record_change
from service.invoices.totals import OPEN, exceeds_due, payable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account

#: Where money of a mode lies; all that is not named comes to the bank.
_LEDGERS: Mapping[str, str] = {
    "stripe": "inr:stripe",
    "razorpay": "inr:razorpay",
    "advance": "inr:customer_advances",
}
_ADVANCES = text(
    "select -coalesce(sum((postings ->> 'inr:customer_advances')::bigint), 0)::bigint"
    " from journal_entries where tenant_id = :tenant and account_id = :account"
    " and (cast(:order as uuid) is null or payment_order_id = :order)"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of money that came in or went back.

    Attributes:
        invoice: as it is now.
        settlement_id: the row of it; None if nothing of it was for the invoice.
        applied: how much of it was, in rupees.
        advance: how much stays with the account, or came from there; in rupees.
        replayed: whether this was known from before under its key.
    """

    invoice: Invoice
    settlement_id: UUID | None
    applied: Decimal
    advance: Decimal
    replayed: bool


def advances_of(
    connection: Connection, tenant_id: UUID, account_id: UUID, payment_order_id: UUID | None = None
) -> Decimal:
    """What an account has paid beyond its invoices, or what is left of one order's; in rupees."""
    return rupees(_advances(connection, tenant_id, account_id, payment_order_id))


def settle(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    *,
    amount: Decimal,
    mode: Mode,
    key: str,
    reference: str | None = None,
    notes: str | None = None,
    payment_order_id: UUID | None = None,
    refuses_excess: bool = False,
) -> Settled:
    """Take a payment for an invoice.

    Args:
        connection: in the actor's role.
        actor: who says that it came in.
        account: the invoice's.
        invoice_id: the invoice. Money for a draft, or for one that is void or paid, stays with the
            account.
        amount: in rupees, more than nothing.
        mode: how it came; `advance` takes it from what the account has paid before.
        key: names the operation for ever; the same again gives what it gave.
        reference: what the bank or the provider calls it.
        notes: anything else.
        payment_order_id: the order that it pays.
        refuses_excess: refuse what the invoice has no room for, instead of keeping it as an advance.

    Raises:
        ServiceError: 404; 400 AMOUNT_INVALID; 409 IDEMPOTENCY_KEY_REUSED, ADVANCE_TOO_SMALL. And
            with `refuses_excess`: 400 AMOUNT_EXCEEDS_DUE, 409 INVOICE_NOT_ISSUED, INVOICE_VOID,
            INVOICE_PAID.
    """
    tenant, whole = account.tenant_id, payable(amount)
    digest = request_digest(
        "payment",
        invoice=invoice_id,
        amount=whole,
        mode=mode,
        reference=reference,
        notes=notes,
        payment_order=payment_order_id,
    )
    with as_billing(connection, tenant):
        wallet = lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        known = known_entry(connection, wallet, key, digest)
        if known is not None:
            return _again(before, known)
        if refuses_excess or mode == "advance":
            _check_takes(before, whole)
        if mode == "advance" and whole > _advances(connection, tenant, account.account_id):
            raise conflict(
                "ADVANCE_TOO_SMALL",
                "The account has not paid so much in advance",
                f"It has INR {advances_of(connection, tenant, account.account_id)}.",
            )
        applied = min(whole, paise(before.due)) if before.status in OPEN else 0
        after, settlement_id = before, None
        if applied:
            settlement_id = _write(
                connection,
                actor,
                before,
                kind="payment",
                amount=applied,
                mode=mode,
                key=key,
                reference=reference,
                notes=notes,
                payment_order_id=payment_order_id,
            )
            after = _repaid(connection, before, applied)
        done = Settled(after, settlement_id, rupees(applied), rupees(whole - applied), False)
        post(
            connection,
            wallet,
            actor=actor,
            kind="payment",
            operation_key=key,
            request_sha256=digest,
            postings={
                _LEDGERS.get(mode, "inr:bank"): whole,
                "inr:receivable": -applied,
                **({"inr:customer_advances": applied - whole} if mode != "advance" else {}),
            },
            result=_result(done),
            invoice_id=invoice_id if applied else None,
            payment_order_id=payment_order_id,
            ref=("invoice", str(invoice_id)),
        )
    told = _moved(done, mode)
    record_change(connection, actor, before, after, "payment_recorded", more=told)
    event = "invoice_paid" if after.is_paid and applied else "payment_recorded"
    note_in_timeline(connection, actor, account, event, after, key)
    return done


def reverse_settlement(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    kind: Literal["refund", "chargeback"],
    amount: Decimal,
    key: str,
    settlement_id: UUID | None = None,
    payment_order_id: UUID | None = None,
    reason: str | None = None,
    mode: Mode | None = None,
) -> Settled | None:
    """Let money go back, of a payment on an invoice or of an order's advance.

    What an order paid beyond its invoice goes back first. A refund never goes beyond what was paid;
    a chargeback, which the bank has taken already, is always booked, and what nothing is left for is
    owed by the account.

    Args:
        connection: in the actor's role.
        actor: who says so.
        account: the payment's.
        kind: given back, or taken back by the payer's bank.
        amount: in rupees, more than nothing.
        key: names the operation for ever.
        settlement_id: the payment, of one that somebody entered.
        payment_order_id: or the order that made it; one of the two is given.
        reason: why.
        mode: how it goes; as it came, unless given.

    Returns:
        What became of it; None if the order paid for no invoice, and only an advance went back.

    Raises:
        ServiceError: 404; 400 AMOUNT_INVALID; 409 AMOUNT_EXCEEDS_PAYMENT, IDEMPOTENCY_KEY_REUSED,
            PAYMENT_THROUGH_PROVIDER (a payment by an order is given back by that order).
    """
    tenant, whole = account.tenant_id, payable(amount)
    digest = request_digest(
        kind, settlement=settlement_id, payment_order=payment_order_id, amount=whole
    )
    with as_billing(connection, tenant):
        wallet = lock_account(connection, tenant, account.account_id)
        paid = records.find_settlement(
            connection, tenant, settlement_id=settlement_id, payment_order_id=payment_order_id
        )
        if paid is None and (settlement_id is not None or payment_order_id is None):
            raise not_found()
        if paid is not None and paid.kind != "payment":
            raise not_found()
        if settlement_id is not None and paid is not None and paid.payment_order_id is not None:
            raise conflict(
                "PAYMENT_THROUGH_PROVIDER",
                "It came through a payment provider, and goes back there",
                "Refund the payment order; the books follow. Given back here it could go back twice.",
                payment_order_id=str(paid.payment_order_id),
            )
        before = None if paid is None else records.lock(connection, account, paid.invoice_id)
        known = known_entry(connection, wallet, key, digest)
        if known is not None:
            return None if before is None else _again(before, known)
        order = payment_order_id or (paid.payment_order_id if paid else None)
        left = _left(connection, paid)
        advance = 0
        if order is not None:
            # Of the order's advance, what has not paid another invoice since.
            kept = _advances(connection, tenant, account.account_id, order)
            in_all = _advances(connection, tenant, account.account_id)
            advance = max(0, min(whole, kept, in_all))
        applied = min(whole - advance, left)
        if applied + advance < whole:
            if kind == "refund":
                raise conflict(
                    "AMOUNT_EXCEEDS_PAYMENT",
                    "More than was paid cannot go back",
                    f"INR {rupees(left + advance)} of it is left.",
                )
            advance = whole - applied
        settlement, after = None, before
        used = mode or (paid.mode if paid else "other")
        if applied:
            assert paid is not None
            assert before is not None
            settlement = _write(
                connection,
                actor,
                before,
                kind=kind,
                amount=applied,
                mode=used,
                key=key,
                reference=paid.reference,
                notes=reason,
                payment_order_id=order,
                reverses=paid.settlement_id,
            )
            after = _repaid(connection, before, -applied)
        given = {"applied": str(rupees(applied)), "advance": str(rupees(advance))}
        result = {"settlement_id": None if settlement is None else str(settlement), **given}
        ledger = _LEDGERS.get(used, "inr:bank")
        postings = {"inr:receivable": applied, "inr:customer_advances": advance}
        postings[ledger] = postings.get(ledger, 0) - whole
        if not any(postings.values()):
            raise conflict(
                "ADVANCE_GOES_NOWHERE",
                "An advance cannot go back into itself",
                "Name the mode in which the money goes back to the payer.",
            )
        post(
            connection,
            wallet,
            actor=actor,
            kind=kind,
            operation_key=key,
            request_sha256=digest,
            postings=postings,
            result=result,
            invoice_id=after.invoice_id if after is not None and applied else None,
            payment_order_id=order,
            reason=reason,
        )
    if before is None or after is None:
        record_in(
            connection,
            actor,
            tenant,
            f"invoice:advance:{kind}ed" if kind == "refund" else "invoice:advance:charged_back",
            subject=("billing_account", account.account_id),
            reason=reason,
            after=given,
        )
        return None
    done = Settled(after, settlement, rupees(applied), rupees(advance), False)
    word = "refunded" if kind == "refund" else "charged_back"
    told = _moved(done, used)
    record_change(connection, actor, before, after, f"payment_{word}", more=told, reason=reason)
    note_in_timeline(connection, actor, account, f"payment_{word}", after, key)
    return done


def _left(connection: Connection, paid: Settlement | None) -> int:
    if paid is None:
        return 0
    return paise(paid.amount) - records.reversed_of(connection, paid)


def _check_takes(invoice: Invoice, amount: int) -> None:
    """Refuse what a person enters by mistake."""
    if invoice.status == "draft":
        raise conflict(
            "INVOICE_NOT_ISSUED",
            "A draft cannot be settled",
            "Issue the invoice first; it has neither number nor day yet.",
        )
    if invoice.status == "void":
        raise conflict("INVOICE_VOID", "The invoice is void", "Nothing is to be paid on it.")
    if invoice.status == "paid":
        raise conflict("INVOICE_PAID", "Nothing is left to pay", "The invoice is settled.")
    if amount > paise(invoice.due):
        raise exceeds_due(invoice.due)


def _repaid(connection: Connection, before: Invoice, amount: int) -> Invoice:
    """The invoice with so many paise paid more, or less."""
    return records.save(connection, before, paid=before.paid + rupees(amount))


def _write(
    connection: Connection,
    actor: Actor,
    invoice: Invoice,
    *,
    kind: Literal["payment", "refund", "chargeback"],
    amount: int,
    mode: str,
    key: str,
    reference: str | None,
    notes: str | None,
    payment_order_id: UUID | None,
    reverses: UUID | None = None,
) -> UUID:
    now = clock.now()
    made = Settlement(
        tenant_id=invoice.tenant_id,
        settlement_id=new_id(),
        invoice_id=invoice.invoice_id,
        kind=kind,
        number=None,
        issuer_gstin=None,
        financial_year=None,
        **dict.fromkeys(("subtotal", "cgst", "sgst", "igst"), rupees(0)),
        amount=rupees(amount),
        mode=mode,
        reference=reference,
        notes=notes,
        reverses=reverses,
        payment_order_id=payment_order_id,
        operation_key=key,
        received_on=indian_day(now),
        created_by=actor.user_id,
        created_at=now,
    )
    if not records.insert_settlement(connection, made):
        # Known by none of this account's entries, so it settled an invoice of another account.
        raise key_reused(key)
    return made.settlement_id


def _advances(
    connection: Connection, tenant_id: UUID, account_id: UUID, order: UUID | None = None
) -> int:
    values = {"tenant": tenant_id, "account": account_id, "order": order}
    found = connection.scalar(_ADVANCES, values)
    assert isinstance(found, int)
    return found


def _result(done: Settled) -> dict[str, Any]:
    return {
        "settlement_id": None if done.settlement_id is None else str(done.settlement_id),
        "applied": str(done.applied),
        "advance": str(done.advance),
    }


def _again(invoice: Invoice, known: str) -> Settled:
    result = json.loads(known)
    settlement = result["settlement_id"]
    return Settled(
        invoice,
        None if settlement is None else UUID(settlement),
        Decimal(result["applied"]),
        Decimal(result["advance"]),
        True,
    )


def _moved(done: Settled, mode: str) -> dict[str, Any]:
    return {"applied": done.applied, "advance": done.advance, "mode": mode}
