"""Begins, pauses, resumes and ends subscriptions, and changes the plan that an account has."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import available_timezones

from sqlalchemy import text

from service import clock
from service.billing.accounts import find_account
from service.billing.acting import as_billing, record_in
from service.billing.journal import lock_account
from service.errors import FieldError, conflict, invalid_fields, version_conflict
from service.identifiers import new_id
from service.invoices.periods import INDIA
from service.subscriptions import records
from service.subscriptions.invoicing import take_back
from service.subscriptions.periods import begins_at, day_at, first_anchor
from service.subscriptions.plans import find_plan
from service.subscriptions.records import Provider, Subscription
from service.subscriptions.refilling import Moved, bring_up_to_date, carry_on, take
from service.subscriptions.standing import resume as standing_when_resumed

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.subscriptions.standing import Standing

#: What a provider may say of a subscription that it collects for.
Said = Literal["cancelled", "past_due", "suspended", "resumed"]

# Until when the account has had its credits, under whatever plan, and by which day of the month.
_GIVEN_UNTIL = text(
    "select p.ends_on, s.anchor_day from subscription_refills r"
    " join subscription_periods p on p.tenant_id = r.tenant_id"
    " and p.subscription_id = r.subscription_id and p.period = r.period"
    " join subscriptions s on s.tenant_id = r.tenant_id and s.subscription_id = r.subscription_id"
    " where s.tenant_id = :tenant and s.account_id = :account order by p.ends_on desc limit 1"
)


def subscribe(
    connection: Connection,
    actor: Actor,
    account: Account,
    plan_id: UUID,
    *,
    anchor_day: int | None = None,
    starts_on: date | None = None,
    timezone: str | None = None,
    provider: Provider | None = None,
    provider_subscription_id: str | None = None,
    at: datetime | None = None,
) -> Subscription:
    """Subscribe an account to a plan, as the plan is now.

    Nothing is given or asked for by this: the first period begins with the first anchor day that is
    not before `starts_on`, and the next sweep, within the hour, sees to it.

    Args:
        connection: as zen_studio.
        actor: the studio.
        account: who subscribes.
        plan_id: to what.
        anchor_day: the day of the month on which periods begin; by default that of the first day.
        starts_on: no period begins before it; by default today, or the end of the last period that
            the account had credits for.
        timezone: where the account's days begin; in India unless given.
        provider: who collects the price by itself, if somebody does; no invoices are issued then.
        provider_subscription_id: what the provider calls it.
        at: the instant; now, unless a test says otherwise.

    Raises:
        ServiceError: 404, no such plan; 409 PLAN_CLOSED, SUBSCRIPTION_EXISTS, PERIOD_ALREADY_GIVEN
            (credits were given for days that it would begin in); 422.
    """
    at, timezone = at or clock.now(), timezone or INDIA.key
    plan = find_plan(connection, plan_id)
    if not plan.is_active:
        raise conflict("PLAN_CLOSED", "The plan is not offered any more", "Choose another one.")
    today = _today(at, timezone, starts_on, provider, provider_subscription_id)
    with as_billing(connection, account.tenant_id):
        lock_account(connection, account.tenant_id, account.account_id)
        given = connection.execute(
            _GIVEN_UNTIL, {"tenant": account.tenant_id, "account": account.account_id}
        ).one_or_none()
        first, day = _first_day(starts_on, anchor_day, today, given)
        made = Subscription(
            tenant_id=account.tenant_id,
            subscription_id=new_id(),
            account_id=account.account_id,
            plan_id=plan.plan_id,
            plan_name=plan.name,
            price_monthly=plan.price_monthly,
            allowance=plan.monthly_credit_allowance,
            grace_days=plan.grace_days,
            status="active",
            anchor_day=day,
            timezone=timezone,
            started_on=first,
            next_period=0,
            grace_until=None,
            due_at=begins_at(first, timezone),
            provider=provider,
            provider_subscription_id=provider_subscription_id,
            cancelled_on=None,
            version=1,
            created_at=at,
            updated_at=at,
        )
        if not records.insert(connection, made):
            raise _exists(connection, account, made)
    record_in(
        connection,
        actor,
        made.tenant_id,
        "billing:subscription:created",
        subject=("subscription", made.subscription_id),
        after=_told(made),
    )
    return made


def assign(
    connection: Connection,
    actor: Actor,
    account: Account,
    plan_id: UUID,
    *,
    anchor_day: int | None = None,
    timezone: str | None = None,
    at: datetime | None = None,
) -> Subscription:
    """See that an account is subscribed to a plan: another current subscription is cancelled.

    What the account has had credits for stays; the new plan's first period begins after that. One
    who has the plan, on the terms that it has now, keeps the subscription.

    Raises:
        ServiceError: as `subscribe`.
    """
    at = at or clock.now()
    with as_billing(connection, account.tenant_id):
        lock_account(connection, account.tenant_id, account.account_id)
        there = records.current(connection, account.tenant_id, account.account_id)
    if there is not None:
        timezone = timezone or there.timezone
        plan = find_plan(connection, plan_id)
        agreed = (there.plan_id, there.price_monthly, there.allowance, there.grace_days)
        offered = (plan_id, plan.price_monthly, plan.monthly_credit_allowance, plan.grace_days)
        if (
            agreed == offered
            and anchor_day in {None, there.anchor_day}
            and timezone == there.timezone
        ):
            return there
        reason = f"the account is assigned to {plan.name}"
        cancel(connection, actor, there.tenant_id, there.subscription_id, reason=reason, at=at)
    return subscribe(
        connection, actor, account, plan_id, anchor_day=anchor_day, timezone=timezone, at=at
    )


def pause(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    *,
    reason: str | None = None,
    wanted_version: int | None = None,
    at: datetime | None = None,
) -> Moved:
    """Stop a subscription for a while: nothing is given and nothing more is asked for.

    Raises:
        ServiceError: 404; 409 SUBSCRIPTION_CANCELLED; 412 VERSION_CONFLICT.
    """
    at = at or clock.now()
    subscription, standing = _taken(connection, tenant_id, subscription_id, wanted_version, at)
    if subscription.status == "paused":
        return Moved(subscription, "paused")
    moved = carry_on(connection, actor, subscription, standing, at, may_ask=False)
    return _stop(connection, actor, moved, "paused", reason, at)


def resume(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    *,
    reason: str | None = None,
    wanted_version: int | None = None,
    at: datetime | None = None,
) -> Moved:
    """Let a paused subscription go on; periods that ended meanwhile have lapsed.

    Raises:
        ServiceError: 404; 409 SUBSCRIPTION_CANCELLED; 412 VERSION_CONFLICT.
    """
    at = at or clock.now()
    subscription, standing = _taken(connection, tenant_id, subscription_id, wanted_version, at)
    if subscription.status != "paused":
        return Moved(subscription, subscription.status)
    goes_on = standing_when_resumed(subscription.terms, standing, day_at(at, subscription.timezone))
    return carry_on(connection, actor, subscription, goes_on, at, reason=reason)


def cancel(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    *,
    reason: str | None = None,
    wanted_version: int | None = None,
    at: datetime | None = None,
) -> Moved:
    """End a subscription today. What it owes and nobody has begun to pay is not asked for any more.

    Raises:
        ServiceError: 404; 412 VERSION_CONFLICT. Cancelled again, it stays as it is.
    """
    at = at or clock.now()
    subscription = records.find(connection, tenant_id, subscription_id)
    if subscription.status == "cancelled":
        return Moved(subscription, "cancelled")
    subscription, standing = _taken(connection, tenant_id, subscription_id, wanted_version, at)
    moved = carry_on(connection, actor, subscription, standing, at, may_ask=False)
    _take_back(connection, actor, moved.subscription, reason or "the subscription was cancelled")
    return _stop(connection, actor, moved, "cancelled", reason, at)


def hear(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    said: Said,
    *,
    by: str,
    at: datetime | None = None,
) -> Moved:
    """What a provider says of a subscription that it collects for; paying has `refilling.paid`.

    Its word changes what the subscription is called no further than what is paid: `past_due` brings
    it up to date, which finds what is owed; `resumed` ends a pause, not a debt.

    Args:
        connection: in the actor's role.
        actor: who tells it.
        tenant_id: the firm.
        subscription_id: its subscription.
        said: what was said.
        by: the event, such as `stripe:evt_123`.
        at: the instant; now, unless a test says otherwise.
    """
    at = at or clock.now()
    subscription = records.find(connection, tenant_id, subscription_id)
    if subscription.status == "cancelled":
        return Moved(subscription, "cancelled")
    if said == "cancelled":
        return cancel(connection, actor, tenant_id, subscription_id, reason=by, at=at)
    if said == "resumed" and subscription.status == "paused":
        return resume(connection, actor, tenant_id, subscription_id, reason=by, at=at)
    moved = bring_up_to_date(connection, actor, tenant_id, subscription_id, at=at)
    if said == "suspended" and moved.subscription.status == "active":
        return pause(connection, actor, tenant_id, subscription_id, reason=by, at=at)
    return moved


def _stop(
    connection: Connection,
    actor: Actor,
    moved: Moved,
    status: Literal["paused", "cancelled"],
    reason: str | None,
    at: datetime,
) -> Moved:
    """A subscription that is up to date as paused or cancelled, with all that has happened."""
    now = moved.subscription
    _, standing = take(connection, now.tenant_id, now.subscription_id, at)
    last = carry_on(connection, actor, now, replace(standing, status=status), at, reason=reason)
    return replace(
        last,
        before=moved.before,
        refilled=moved.refilled + last.refilled,
        credits=moved.credits + last.credits,
    )


@cache
def _zones() -> frozenset[str]:
    # Two of them say where the server is.
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _today(
    at: datetime,
    timezone: str,
    starts_on: date | None,
    provider: str | None,
    provider_subscription_id: str | None,
) -> date:
    """The day it is in the time zone, once what was asked for can be."""
    wrong = []
    if timezone not in _zones():
        said = f"There is no time zone {timezone}; write one such as Asia/Kolkata."
        wrong.append(FieldError("timezone", said, "TIMEZONE_UNKNOWN"))
    elif starts_on is not None and starts_on < day_at(at, timezone):
        wrong.append(FieldError("starts_on", "It begins today at the earliest.", "OUT_OF_RANGE"))
    if (provider is None) != (provider_subscription_id is None):
        said = "A provider and its subscription's id come together."
        wrong.append(FieldError("provider_subscription_id", said))
    if wrong:
        raise invalid_fields(*wrong)
    return day_at(at, timezone)


def _first_day(
    starts_on: date | None, anchor_day: int | None, today: date, given: Any
) -> tuple[date, int]:
    """The first period's first day and the anchor day."""
    until = None if given is None or given.ends_on <= today else given.ends_on
    if starts_on is None and until is not None:
        day = anchor_day or given.anchor_day
        return first_anchor(until, day), day
    earliest = starts_on or today
    day = anchor_day or earliest.day
    first = first_anchor(earliest, day)
    if until is not None and first < until:
        raise conflict(
            "PERIOD_ALREADY_GIVEN",
            "The account has had credits for some of these days",
            f"It has had them until before {until}. Begin then, or leave starts_on out.",
            given_until=until,
        )
    return first, day


def _taken(
    connection: Connection, tenant_id: UUID, subscription_id: UUID, wanted: int | None, at: datetime
) -> tuple[Subscription, Standing]:
    """A subscription that is not over and how it stands, locked, in the version that was wanted."""
    subscription, standing = take(connection, tenant_id, subscription_id, at)
    if wanted is not None and wanted != subscription.version:
        raise version_conflict(wanted, subscription.version)
    if subscription.status == "cancelled":
        raise conflict(
            "SUBSCRIPTION_CANCELLED",
            "The subscription is over",
            "Subscribe the account anew.",
        )
    return subscription, standing


def _take_back(
    connection: Connection, actor: Actor, subscription: Subscription, reason: str
) -> None:
    """Void the invoice of what is owed; `take` finds it void then. Without one it just lapses."""
    tenant, ours = subscription.tenant_id, subscription.subscription_id
    owed = [one for one in records.periods(connection, tenant, ours) if one.status == "unpaid"]
    for one in owed:
        if one.invoice_id is not None:
            account = find_account(connection, tenant, subscription.account_id)
            take_back(connection, actor, account, one.invoice_id, reason=reason)
            continue
        with as_billing(connection, tenant):
            connection.execute(
                text(
                    "update subscription_periods set status = 'lapsed' where tenant_id = :tenant"
                    " and subscription_id = :subscription and period = :period"
                ),
                {"tenant": tenant, "subscription": ours, "period": one.period},
            )


def _exists(connection: Connection, account: Account, made: Subscription) -> Exception:
    there = records.current(connection, account.tenant_id, account.account_id)
    if there is None:
        return conflict(
            "PROVIDER_SUBSCRIPTION_TAKEN",
            "Another account has this subscription of the provider's",
            f"{made.provider_subscription_id} is one account's for ever.",
        )
    return conflict(
        "SUBSCRIPTION_EXISTS",
        "The account has a subscription",
        "Cancel it first, or assign the account to the other plan.",
        subscription_id=str(there.subscription_id),
    )


def _told(subscription: Subscription) -> dict[str, Any]:
    names = ("plan_name", "price_monthly", "allowance", "grace_days", "anchor_day", "timezone")
    return {name: getattr(subscription, name) for name in (*names, "started_on", "provider")}
