"""Brings a subscription up to date: begins periods, gives their credits once, asks for their price.

Everything about one subscription happens in one transaction, under its account's wallet and then its
own row. What may happen is decided by `standing.pass_on`; here it is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.billing.accounts import find_account
from service.billing.acting import as_billing, record_in
from service.billing.credits import grant
from service.billing.journal import lock_account
from service.billing.usage import record_usage
from service.errors import FieldError, conflict, invalid_fields
from service.subscriptions import records
from service.subscriptions.invoicing import ask_for_price
from service.subscriptions.periods import anchor, begins_at, day_at, period_on
from service.subscriptions.records import Subscription
from service.subscriptions.standing import Pass, Standing, Status, looks_again_on, pass_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account

#: Periods may be paid so far ahead.
PAID_AHEAD = 12

_BEGIN = text(
    "insert into subscription_periods (tenant_id, subscription_id, period, starts_on, ends_on,"
    " price, status, invoice_id, paid_at, paid_by, created_at) values (:tenant, :subscription,"
    " :period, :starts_on, :ends_on, :price, :status, :invoice, :paid_at, :paid_by, :at)"
)
_PAY = text(
    "update subscription_periods set status = 'paid', paid_at = :at, paid_by = :paid_by"
    " where tenant_id = :tenant and subscription_id = :subscription and period = :period"
)
_LET_GO = text(
    "update subscription_periods set status = 'lapsed' where tenant_id = :tenant"
    " and subscription_id = :subscription and status = 'unpaid' and invoice_id is null"
    " and period < :before"
)
# An invoice that became paid pays its period; one that was taken back asks for nothing any more,
# and so does one that was credited as a whole, which nobody has paid.
_SEE_INVOICE = text(
    "update subscription_periods p set status = case when i.is_paid then 'paid' else 'lapsed' end,"
    " paid_at = case when i.is_paid then cast(:at as timestamptz) end,"
    " paid_by = case when i.is_paid then 'invoice' end from ("
    " select tenant_id, invoice_id, status = 'paid' and credited < total as is_paid"
    " from service_invoices where status in ('paid', 'void')) i"
    " where p.tenant_id = :tenant and p.subscription_id = :subscription and p.status = 'unpaid'"
    " and i.tenant_id = p.tenant_id and i.invoice_id = p.invoice_id"
)
_REFILLED = text(
    "insert into subscription_refills (tenant_id, subscription_id, period, credits, entry_id,"
    " created_at) values (:tenant, :subscription, :period, :credits, :entry, :at)"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What has become of a subscription.

    Attributes:
        subscription: as it is now.
        before: what its status was.
        refilled: the periods whose credits were given.
        credits: how many those were together.
        asked: the periods whose price was asked for.
        passed: every status that it passed through, in their order.
    """

    subscription: Subscription
    before: Status
    refilled: tuple[int, ...] = ()
    credits: int = 0
    asked: tuple[int, ...] = ()
    passed: tuple[Status, ...] = field(default=())


def bring_up_to_date(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    *,
    at: datetime | None = None,
    may_ask: bool = True,
) -> Moved:
    """Do everything that is due for a subscription, and nothing that was done.

    Args:
        connection: in the actor's role; the studio's, or a worker's of the firm.
        actor: who has it done.
        tenant_id: the firm.
        subscription_id: its subscription.
        at: the instant; now, unless a test says otherwise.
        may_ask: whether prices may be asked for, or found owed for too long.

    Raises:
        ServiceError: 404; and what issuing an invoice refuses.
    """
    at = at or clock.now()
    subscription, standing = take(connection, tenant_id, subscription_id, at)
    return carry_on(connection, actor, subscription, standing, at, may_ask=may_ask)


def take(
    connection: Connection, tenant_id: UUID, subscription_id: UUID, at: datetime
) -> tuple[Subscription, Standing]:
    """A subscription and how it stands, locked, once its invoice was looked at.

    Raises:
        ServiceError: 404.
    """
    account_id = records.find(connection, tenant_id, subscription_id).account_id
    with as_billing(connection, tenant_id):
        lock_account(connection, tenant_id, account_id)
        subscription = records.lock(connection, tenant_id, subscription_id)
        connection.execute(_SEE_INVOICE, {**_ids(subscription), "at": at})
        return subscription, records.standing_of(connection, subscription)


def carry_on(
    connection: Connection,
    actor: Actor,
    subscription: Subscription,
    standing: Standing,
    at: datetime,
    *,
    may_ask: bool = True,
    reason: str | None = None,
) -> Moved:
    """Do what is due for a subscription that is locked; see `bring_up_to_date`.

    `standing` may differ from the subscription's own columns: that is what it becomes, for `reason`.
    """
    terms, today = subscription.terms, day_at(at, subscription.timezone)
    account = find_account(connection, subscription.tenant_id, subscription.account_id)
    before, credits = subscription.status, 0
    refilled: list[int] = []
    asked: list[int] = []
    passed: list[Status] = []
    while (done := pass_on(terms, standing, today, may_ask=may_ask)) != Pass(standing):
        if done.free:
            _begin_free(connection, subscription, done.free, at)
        for period in done.refilled:
            credits += _refill(connection, actor, account, subscription, period, at)
        if done.asked is not None:
            _ask(connection, actor, account, subscription, done.asked, at)
            asked.append(done.asked)
        if done.standing.status != standing.status:
            passed.append(done.standing.status)
        refilled += done.refilled
        standing = done.standing
    after = _write(connection, subscription, standing, at)
    if after.status != before:
        _tell(connection, actor, account, before, after, reason)
    return Moved(after, before, tuple(refilled), credits, tuple(asked), tuple(passed))


def _write(
    connection: Connection, subscription: Subscription, standing: Standing, at: datetime
) -> Subscription:
    """Write how a locked subscription stands, and when it is looked at again; what it is now."""
    again = looks_again_on(subscription.terms, standing)
    after = replace(
        subscription,
        status=standing.status,
        next_period=standing.next_period,
        grace_until=standing.grace_until,
        due_at=None if again is None else begins_at(again, subscription.timezone),
        cancelled_on=day_at(at, subscription.timezone)
        if standing.status == "cancelled" and subscription.cancelled_on is None
        else subscription.cancelled_on,
    )
    if after == subscription:
        return subscription
    after = replace(after, version=subscription.version + 1, updated_at=at)
    with as_billing(connection, subscription.tenant_id):
        records.save(connection, after)
    return after


def paid(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    subscription_id: UUID,
    period: int | None = None,
    *,
    by: str,
    at: datetime | None = None,
) -> Moved:
    """A period was paid for, other than by its invoice: it is refilled as soon as it has begun.

    Told again of a period that is paid, it does nothing.

    Args:
        connection: in the actor's role.
        actor: who tells of the payment.
        tenant_id: the firm.
        subscription_id: its subscription.
        period: which one; unless given, the one that is owed, else the first that is not paid.
        by: the payment, such as `stripe:in_123`.
        at: the instant; now, unless a test says otherwise.

    Raises:
        ServiceError: 404; 409 SUBSCRIPTION_PERIOD_INVOICED, its invoice has to be settled instead;
            422 for a period too far ahead.
    """
    at = at or clock.now()
    subscription, standing = take(connection, tenant_id, subscription_id, at)
    chosen = _first_unpaid(connection, subscription, standing) if period is None else period
    if _pay(connection, subscription, chosen, by, at):
        record_in(
            connection,
            actor,
            tenant_id,
            "billing:subscription:paid",
            subject=("subscription", subscription_id),
            after={"period": chosen, "by": by},
        )
    with as_billing(connection, tenant_id):
        connection.execute(_LET_GO, {**_ids(subscription), "before": chosen})
        standing = records.standing_of(connection, subscription)
    return carry_on(connection, actor, subscription, standing, at)


@dataclass(frozen=True, slots=True)
class Refill:
    """What came of a refill that somebody asked for.

    `period` is the one that is running, None if none is known; `was_given` whether its credits had
    been given before.
    """

    moved: Moved
    period: records.Period | None
    was_given: bool


def refill(connection: Connection, actor: Actor, tenant_id: UUID, subscription_id: UUID) -> Refill:
    """Bring one subscription up to date because somebody asks; nothing is given twice by it.

    Raises:
        ServiceError: 404; and what issuing an invoice refuses.
    """
    at = clock.now()
    subscription, standing = take(connection, tenant_id, subscription_id, at)
    before = _running_period(connection, subscription, at)
    moved = carry_on(connection, actor, subscription, standing, at)
    return Refill(
        moved,
        _running_period(connection, moved.subscription, at),
        before is not None and before.credits is not None,
    )


def _running_period(
    connection: Connection, subscription: Subscription, at: datetime
) -> records.Period | None:
    """The period that is running, if it has begun or was paid."""
    today = day_at(at, subscription.timezone)
    running = period_on(subscription.started_on, subscription.anchor_day, today)
    found = records.periods(
        connection, subscription.tenant_id, subscription.subscription_id, only=running
    )
    return found[0] if found else None


def invoice_changed(
    connection: Connection, actor: Actor, tenant_id: UUID, invoice_id: UUID
) -> Moved | None:
    """An invoice was paid or taken back: the subscription whose period it is for goes on.

    The sweep finds it within the hour if nobody calls this. None if it is no subscription's.
    """
    found = connection.scalar(
        text(
            "select subscription_id from subscription_periods"
            " where tenant_id = :tenant and invoice_id = :invoice"
        ),
        {"tenant": tenant_id, "invoice": invoice_id},
    )
    return None if found is None else bring_up_to_date(connection, actor, tenant_id, found)


def _begin_free(
    connection: Connection, subscription: Subscription, periods: Sequence[int], at: datetime
) -> None:
    rows = [_row(subscription, period, at, status="paid", price=0) for period in periods]
    with as_billing(connection, subscription.tenant_id):
        connection.execute(_BEGIN, [{**row, "paid_at": at, "paid_by": "free"} for row in rows])


def _ask(
    connection: Connection,
    actor: Actor,
    account: Account,
    subscription: Subscription,
    period: int,
    at: datetime,
) -> None:
    values = _row(subscription, period, at, status="unpaid", price=subscription.price_monthly)
    # A provider that collects the price itself sends no firm two bills.
    if subscription.provider is None:
        values["invoice"] = ask_for_price(
            connection,
            actor,
            account,
            subscription,
            period,
            starts_on=values["starts_on"],
            ends_on=values["ends_on"],
        )
    with as_billing(connection, subscription.tenant_id):
        connection.execute(_BEGIN, values)


def _refill(
    connection: Connection,
    actor: Actor,
    account: Account,
    subscription: Subscription,
    period: int,
    at: datetime,
) -> int:
    """Give a period's credits; how many."""
    starts_on = anchor(subscription.started_on, subscription.anchor_day, period)
    key = f"refill:{subscription.subscription_id}:{starts_on}"
    entry_id = None
    if subscription.allowance:
        entry_id = grant(
            connection,
            actor,
            account,
            subscription.allowance,
            key=key,
            ref=("subscription_refill", str(subscription.subscription_id)),
            reason="subscription_refill",
        ).entry_id
    with as_billing(connection, subscription.tenant_id):
        connection.execute(
            _REFILLED,
            {
                **_ids(subscription),
                "period": period,
                "credits": subscription.allowance,
                "entry": entry_id,
                "at": at,
            },
        )
    record_usage(
        connection,
        actor,
        account,
        "credits_refilled",
        key=f"v2:{key}",
        payload={
            "subscription_id": str(subscription.subscription_id),
            "period": period,
            "period_start": str(starts_on),
            "credits": subscription.allowance,
        },
    )
    return subscription.allowance


def _first_unpaid(connection: Connection, subscription: Subscription, standing: Standing) -> int:
    if standing.owed is not None:
        return standing.owed
    latest = connection.scalar(
        text(
            "select max(period) from subscription_periods where tenant_id = :tenant"
            " and subscription_id = :subscription and status = 'paid'"
        ),
        _ids(subscription),
    )
    return max(standing.next_period, -1 if latest is None else latest + 1)


def _pay(
    connection: Connection, subscription: Subscription, period: int, by: str, at: datetime
) -> bool:
    """Write that a period is paid; False if it was."""
    running = period_on(
        subscription.started_on, subscription.anchor_day, day_at(at, subscription.timezone)
    )
    if not 0 <= period <= max(running, 0) + PAID_AHEAD:
        said = f"Periods may be paid from 0 to {PAID_AHEAD} after the running one, {running}."
        raise invalid_fields(FieldError("period", said, "OUT_OF_RANGE"))
    ids = _ids(subscription)
    known = records.periods(
        connection, subscription.tenant_id, subscription.subscription_id, only=period
    )
    with as_billing(connection, subscription.tenant_id):
        if not known:
            values = _row(subscription, period, at, "paid", subscription.price_monthly)
            connection.execute(_BEGIN, {**values, "paid_at": at, "paid_by": by})
            return True
        if known[0].status == "paid":
            return False
        if known[0].status == "unpaid" and known[0].invoice_id is not None:
            raise conflict(
                "SUBSCRIPTION_PERIOD_INVOICED",
                "The period has an invoice",
                "Settle the invoice: that pays the period, and leaves nothing owed.",
                invoice_id=str(known[0].invoice_id),
            )
        connection.execute(_PAY, {**ids, "period": period, "at": at, "paid_by": by})
    return True


def _tell(
    connection: Connection,
    actor: Actor,
    account: Account,
    before: Status,
    after: Subscription,
    reason: str | None,
) -> None:
    """Who looks for what became of the subscription finds it, in the audit and in the timeline."""
    word: str = after.status
    if before == "paused" and word != "cancelled":
        word = "resumed"
    elif word == "active":
        word = "reactivated"
    record_in(
        connection,
        actor,
        after.tenant_id,
        f"billing:subscription:{word}",
        subject=("subscription", after.subscription_id),
        reason=reason,
        before={"status": before},
        after={"status": after.status, "grace_until": after.grace_until},
    )
    record_usage(
        connection,
        actor,
        account,
        f"subscription_{word}",
        key=f"v2:subscription:{after.subscription_id}:{after.version}",
        payload={"subscription_id": str(after.subscription_id), "status": after.status},
    )


def _ids(subscription: Subscription) -> dict[str, Any]:
    return {
        "tenant": subscription.tenant_id,
        "subscription": subscription.subscription_id,
    }


def _row(
    subscription: Subscription, period: int, at: datetime, status: str, price: int
) -> dict[str, Any]:
    start, day = subscription.started_on, subscription.anchor_day
    return {
        **_ids(subscription),
        "period": period,
        "starts_on": anchor(start, day, period),
        "ends_on": anchor(start, day, period + 1),
        "price": price,
        "status": status,
        "invoice": None,
        "paid_at": None,
        "paid_by": None,
        "at": at,
    }
