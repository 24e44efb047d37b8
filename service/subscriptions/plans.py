"""Plans: what the studio offers. A change counts for those who subscribe afterwards."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service import clock
from service.billing.acting import as_billing, record_in
from service.billing.money import CURRENCY, paise, rupees
from service.billing.studio_tenant import studio_tenant
from service.errors import conflict, not_found
from service.identifiers import new_id
from service.invoices.gst import check_rate
from service.invoices.letters import check_letters
from service.invoices.periods import indian_day
from service.subscriptions import records
from service.subscriptions.records import Plan

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor


def create_plan(
    connection: Connection,
    actor: Actor,
    *,
    name: str,
    price_monthly: Decimal,
    monthly_credit_allowance: int,
    sac: str,
    tax_rate: Decimal,
    grace_days: int = 7,
) -> Plan:
    """Offer a plan.

    Args:
        connection: as zen_studio.
        actor: the studio.
        name: unique, whatever its case.
        price_monthly: what a period costs before tax, in rupees; nothing means it is paid by itself.
        monthly_credit_allowance: the credits that each period brings.
        sac: what the service is called in the law's list.
        tax_rate: the per cent of GST that the price bears.
        grace_days: how long the price may be owed before the subscription is suspended.

    Raises:
        ServiceError: 409 PLAN_EXISTS, LETTERS_NOT_PRINTABLE (invoices name the plan); 400
            TAX_RATE_UNKNOWN.
    """
    check_rate(tax_rate, indian_day(clock.now()))
    check_letters(name, "name")
    studio = studio_tenant(connection)
    plan = Plan(
        tenant_id=studio,
        plan_id=new_id(),
        name=name,
        currency=CURRENCY,
        price_monthly=paise(price_monthly),
        monthly_credit_allowance=monthly_credit_allowance,
        grace_days=grace_days,
        sac=sac,
        tax_rate=tax_rate,
        is_active=True,
        created_at=clock.now(),
    )
    with as_billing(connection, studio):
        if not records.insert_plan(connection, plan):
            raise _exists(name)
    _record(connection, actor, "billing:plan:created", None, plan)
    return plan


def change_plan(
    connection: Connection,
    actor: Actor,
    plan_id: UUID,
    *,
    price_monthly: Decimal | None = None,
    **changes: Any,
) -> Plan:
    """Change what is offered, or close it; subscriptions keep what was agreed.

    Args:
        connection: as zen_studio.
        actor: the studio.
        plan_id: the plan.
        price_monthly: in rupees.
        changes: any of name, monthly_credit_allowance, grace_days, sac, tax_rate, is_active; None
            leaves it as it is.

    Raises:
        ServiceError: 404; 409 PLAN_EXISTS, LETTERS_NOT_PRINTABLE; 400 TAX_RATE_UNKNOWN.
    """
    before = find_plan(connection, plan_id)
    given = {name: value for name, value in changes.items() if value is not None}
    if price_monthly is not None:
        given["price_monthly"] = paise(price_monthly)
    after = replace(before, **given)
    if after == before:
        return before
    check_rate(after.tax_rate, indian_day(clock.now()))
    check_letters(after.name, "name")
    with as_billing(connection, before.tenant_id):
        taken = connection.scalar(
            text(
                "select 1 from subscription_plans where tenant_id = :tenant"
                " and lower(name) = lower(:name) and plan_id <> :plan"
            ),
            {"tenant": before.tenant_id, "name": after.name, "plan": plan_id},
        )
        if taken:
            raise _exists(after.name)
        records.save_plan(connection, after)
    _record(connection, actor, "billing:plan:changed", before, after)
    return after


def find_plan(connection: Connection, plan_id: UUID) -> Plan:
    """A plan; the connection acts as zen_studio.

    Raises:
        ServiceError: 404.
    """
    found = records.plans(connection, one=plan_id)
    if not found:
        raise not_found()
    return found[0]


def _exists(name: str) -> Exception:
    return conflict(
        "PLAN_EXISTS", "There is a plan of this name", f"{name} is taken; choose another name."
    )


def _record(
    connection: Connection, actor: Actor, action: str, before: Plan | None, after: Plan
) -> None:
    record_in(
        connection,
        actor,
        after.tenant_id,
        action,
        subject=("subscription_plan", after.plan_id),
        before=None if before is None else _told(before),
        after=_told(after),
    )


def _told(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "price_monthly": rupees(plan.price_monthly),
        "monthly_credit_allowance": plan.monthly_credit_allowance,
        "grace_days": plan.grace_days,
        "sac": plan.sac,
        "tax_rate": plan.tax_rate,
        "is_active": plan.is_active,
    }
