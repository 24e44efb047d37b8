"""Asks for the price of a period: an invoice, drafted and issued at once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from service.invoices.drafting import draft
from service.invoices.issuing import issue, void
from service.invoices.records import find
from service.invoices.studio_books import studio_books
from service.invoices.totals import Item
from service.subscriptions.plans import find_plan

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.subscriptions.records import Subscription


def ask_for_price(
    connection: Connection,
    actor: Actor,
    account: Account,
    subscription: Subscription,
    period: int,
    *,
    starts_on: date,
    ends_on: date,
) -> UUID:
    """Issue the invoice of a period; its id.

    The price is the one that was agreed; how it is taxed is read from the plan as it is now.

    Args:
        connection: in the actor's role, the subscription locked.
        actor: who brings the subscription up to date.
        account: who pays.
        subscription: to which plan.
        period: which one.
        starts_on: its first day.
        ends_on: the first day after it.

    Raises:
        ServiceError: what issuing refuses, as long as the studio or the account is not set up.
    """
    with studio_books(connection):
        plan = find_plan(connection, subscription.plan_id)
    item = Item(
        description=f"{subscription.plan_name}, {starts_on:%d %b %Y} until before {ends_on:%d %b %Y}",
        sac=plan.sac,
        quantity=Decimal(1),
        unit_price=subscription.price_monthly,
        tax_rate=plan.tax_rate,
    )
    key = f"subscription:{subscription.subscription_id}:{period}"
    made = draft(connection, actor, account, [item], key=key)
    issue(connection, actor, account, made.invoice_id, key=f"subscription_issue:{made.invoice_id}")
    return made.invoice_id


def take_back(
    connection: Connection, actor: Actor, account: Account, invoice_id: UUID, *, reason: str
) -> bool:
    """Void the invoice of a period; False if something was paid or credited on it, so it stays."""
    found = find(connection, account.tenant_id, invoice_id)
    if found.paid or found.credited:
        return False
    key = f"subscription_void:{invoice_id}"
    void(connection, actor, account, invoice_id, reason=reason, key=key)
    return True
