"""Asking somebody to pay: the order first, then the provider, then what it said.

Three steps, of which the middle one is in no transaction. The order is committed as `unknown` before
the provider hears of it, and the provider's own key is derived from the order's id: whoever comes
after a crash, with the same key or from the clock, asks for the same link and not for another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from service import clock
from service.billing import journal
from service.billing.acting import as_billing, record_in
from service.billing.money import LARGEST_PAISE, paise
from service.errors import conflict, invalid, not_found
from service.identifiers import new_id
from service.invoices import records as invoices
from service.invoices.prices import price_in_force
from service.invoices.totals import OPEN
from service.payments import records
from service.payments.providers import (
    Name,
    News,
    NoAnswerError,
    RefusedError,
    not_configured,
    provider_of,
)
from service.payments.records import Order, Purpose
from service.payments.settling import apply_news

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.settings import Settings

#: What a credit is called in the price list.
CREDIT = "credit"
#: How long a link can be paid by: less than providers keep a key for, so that one key has one link.
LINK_LASTS = timedelta(hours=23)
#: The pauses before each question about an order or its refunds; after the last nobody is asked.
PAUSES = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    *[timedelta(days=1)] * 6,
)
_PAISA = Decimal("0.01")


def start_topup(
    connection: Connection,
    actor: Actor,
    account: Account,
    settings: Settings,
    *,
    provider: Name,
    credits: int,
    key: str,
) -> Order:
    """Write an order for credits at the price of the list, or find the one that the key has made.

    Args:
        connection: in the actor's role; the caller commits before `tell_provider`.
        actor: who buys.
        account: who gets them.
        settings: which providers there are.
        provider: who takes the money.
        credits: how many.
        key: names the order on this account for ever.

    Raises:
        ServiceError: 400 AMOUNT_INVALID; 409 PAYMENT_PROVIDER_NOT_CONFIGURED,
            CREDIT_PRICE_MISSING, IDEMPOTENCY_KEY_REUSED.
    """
    asked = journal.request_digest("topup", provider=provider, credits=credits)
    if (found := _known(connection, account, key, asked)) is not None:
        return found
    _check_configured(settings, provider)
    price = price_in_force(connection, CREDIT, external_key=account.external_key)
    if price is None or not price.unit_price:
        raise conflict(
            "CREDIT_PRICE_MISSING",
            "Credits have no price yet",
            f"The studio enters a price for {CREDIT} in the price list.",
        )
    total = (credits * price.unit_price * (1 + price.tax_rate / 100)).quantize(
        _PAISA, ROUND_HALF_UP
    )
    if total * 100 > LARGEST_PAISE:
        raise invalid("AMOUNT_INVALID", "That is more money than the books hold", f"INR {total}.")
    return _insert(
        connection,
        actor,
        account,
        provider=provider,
        purpose="topup",
        invoice_id=None,
        credits=credits,
        amount=paise(total),
        description=f"{credits} credits" if credits > 1 else "1 credit",
        key=key,
        asked=asked,
    )


def start_invoice_payment(
    connection: Connection,
    actor: Actor,
    account: Account,
    settings: Settings,
    *,
    provider: Name,
    invoice_id: UUID,
    key: str,
) -> Order:
    """Write an order for what is due of an invoice, or find the one that the key has made.

    Args:
        connection: in the actor's role; the caller commits before `tell_provider`.
        actor: who pays.
        account: whose invoice it is.
        settings: which providers there are.
        provider: who takes the money.
        invoice_id: the invoice.
        key: names the order on this account for ever.

    Raises:
        ServiceError: 404, the account has no such invoice; 409 PAYMENT_PROVIDER_NOT_CONFIGURED,
            INVOICE_NOT_PAYABLE, PAYMENT_UNKNOWN (what became of an earlier order for it is not
            known yet), IDEMPOTENCY_KEY_REUSED.
    """
    asked = journal.request_digest("invoice", provider=provider, invoice_id=invoice_id)
    if (found := _known(connection, account, key, asked)) is not None:
        return found
    _check_configured(settings, provider)
    # In the caller's own role first: what they may not see is not there.
    if invoices.find(connection, account.tenant_id, invoice_id).account_id != account.account_id:
        raise not_found()
    with as_billing(connection, account.tenant_id):
        journal.lock_account(connection, account.tenant_id, account.account_id)
        invoice = invoices.lock(connection, account, invoice_id)
        if invoice.status not in OPEN or not invoice.due:
            raise conflict(
                "INVOICE_NOT_PAYABLE",
                "There is nothing to pay of this invoice",
                f"It is {invoice.status}; what is issued and not paid can be paid.",
            )
        other = records.unknown_order_of(connection, account.tenant_id, invoice_id)
        if other is not None:
            raise conflict(
                "PAYMENT_UNKNOWN",
                "An earlier payment of this invoice is not cleared up yet",
                "The provider has not said what became of it. It is asked again by itself; "
                "nothing has to be paid twice.",
                payment_order_id=str(other.payment_order_id),
            )
    return _insert(
        connection,
        actor,
        account,
        provider=provider,
        purpose="invoice",
        invoice_id=invoice_id,
        credits=0,
        amount=paise(invoice.due),
        description=f"Invoice {invoice.number}",
        key=key,
        asked=asked,
    )


def tell_provider(settings: Settings, order: Order) -> News | None:
    """Have the provider make the order's link; outside of any transaction.

    Returns:
        What it said, or None if it is unknown what it did.
    """
    try:
        return provider_of(order.provider).open_checkout(settings, order)
    except NoAnswerError:
        return None
    except RefusedError as error:
        return News("failed", order_id=order.payment_order_id, why=str(error))


def note_answer(connection: Connection, actor: Actor, order: Order, said: News | None) -> Order:
    """Write down what the provider said; an order without an answer stays unknown."""
    if said is None:
        return order
    return apply_news(
        connection, actor, order.payment_order_id, said, tenant_id=order.tenant_id
    ).order


def _check_configured(settings: Settings, provider: Name) -> None:
    if not provider_of(provider).is_configured(settings):
        raise not_configured(provider)


def _known(connection: Connection, account: Account, key: str, asked: str) -> Order | None:
    """What the key has made; under the account's lock, so that two at once make one."""
    with as_billing(connection, account.tenant_id):
        journal.lock_account(connection, account.tenant_id, account.account_id)
        found = records.order_by_key(connection, account.tenant_id, account.account_id, key)
    if found is not None:
        journal.check_same_request(key, found.request_sha256, asked)
    return found


def _insert(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    provider: Name,
    purpose: Purpose,
    invoice_id: UUID | None,
    credits: int,
    amount: int,
    description: str,
    key: str,
    asked: str,
) -> Order:
    now = clock.now()
    order = Order(
        tenant_id=account.tenant_id,
        payment_order_id=new_id(),
        account_id=account.account_id,
        provider=provider,
        purpose=purpose,
        invoice_id=invoice_id,
        credits=credits,
        amount=amount,
        currency=account.currency,
        description=description,
        status="unknown",
        refunded=0,
        charged_back=0,
        disputes={},
        advance=0,
        reversed=0,
        credits_reversed=0,
        credits_owed=0,
        operation_key=key,
        request_sha256=asked,
        provider_order_id=None,
        provider_payment_id=None,
        checkout_url=None,
        failure=None,
        finding=None,
        ask_at=now + PAUSES[0],
        asked=0,
        created_by=actor.user_id or actor.token_id,
        created_at=now,
        updated_at=now,
        expires_at=_whole_second(now + LINK_LASTS),
        settled_at=None,
    )
    with as_billing(connection, account.tenant_id):
        records.insert_order(connection, order)
    record_in(
        connection,
        actor,
        account.tenant_id,
        "payment:order:created",
        subject=("payment_order", order.payment_order_id),
        after={
            "provider": provider,
            "purpose": purpose,
            "account_id": account.account_id,
            "invoice_id": invoice_id,
            "credits": credits,
            "amount": amount,
        },
    )
    return order


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
