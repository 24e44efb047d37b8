"""Subscriptions, their periods and plans as the tables hold them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from service.errors import not_found
from service.subscriptions.standing import Standing, Status, Terms

if TYPE_CHECKING:
    from sqlalchemy import Connection

Provider = Literal["stripe", "razorpay"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be subscribed to; its columns. The price is in paise."""

    tenant_id: UUID
    plan_id: UUID
    name: str
    currency: str
    price_monthly: int
    monthly_credit_allowance: int
    grace_days: int
    sac: str
    tax_rate: Decimal
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account's subscription to a plan, as it was agreed; its columns."""

    tenant_id: UUID
    subscription_id: UUID
    account_id: UUID
    plan_id: UUID
    plan_name: str
    price_monthly: int
    allowance: int
    grace_days: int
    status: Status
    anchor_day: int
    timezone: str
    started_on: date
    next_period: int
    grace_until: date | None
    due_at: datetime | None
    provider: Provider | None
    provider_subscription_id: str | None
    cancelled_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def terms(self) -> Terms:
        """What was agreed, as far as time has to do with it."""
        return Terms(self.started_on, self.anchor_day, self.price_monthly == 0, self.grace_days)

    @property
    def next_refill_at(self) -> datetime | None:
        """When the next period begins, if it begins by itself."""
        return self.due_at if self.status == "active" else None


@dataclass(frozen=True, slots=True)
class Period:
    """A period that began or was paid beforehand; `credits` is None until it is refilled."""

    period: int
    starts_on: date
    ends_on: date
    price: int
    status: Literal["unpaid", "paid", "lapsed"]
    invoice_id: UUID | None
    paid_at: datetime | None
    paid_by: str | None
    credits: int | None
    refilled_at: datetime | None


def _names(shape: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(shape))


_PLAN = ", ".join(_names(Plan))
_FIELDS = _names(Subscription)
_SELECT = f"select {', '.join(_FIELDS)} from subscriptions"  # noqa: S608 - names of our own
_OWN = "where tenant_id = :tenant and subscription_id = :subscription"
_FIND, _LOCK = text(f"{_SELECT} {_OWN}"), text(f"{_SELECT} {_OWN} for update")
_FIND_ANYWHERE = text(f"{_SELECT} where subscription_id = :subscription")
_BY_PROVIDER = text(f"{_SELECT} where provider = :provider and provider_subscription_id = :id")
_CURRENT = text(
    f"{_SELECT} where tenant_id = :tenant and account_id = :account and status <> 'cancelled'"
)
_LIST = text(
    f"{_SELECT} where (cast(:account as uuid) is null or account_id = :account)"
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:below as uuid) is null or subscription_id < :below)"
    " order by subscription_id desc limit :limit"
)
_INSERT = text(
    f"insert into subscriptions ({', '.join(_FIELDS)})"  # noqa: S608
    f" values ({', '.join(f':{name}' for name in _FIELDS)}) on conflict do nothing"
)
_UPDATE = text(
    "update subscriptions set status = :status, next_period = :next_period,"
    " grace_until = :grace_until, due_at = :due_at, cancelled_on = :cancelled_on,"
    " version = :version, updated_at = :updated_at"
    " where tenant_id = :tenant_id and subscription_id = :subscription_id"
)
# A period lives from its row; what is paid and not refilled is few, however old a subscription is.
_OPEN = text(
    "select p.period, p.status from subscription_periods p left join subscription_refills r"
    " on r.tenant_id = p.tenant_id and r.subscription_id = p.subscription_id"
    " and r.period = p.period where p.tenant_id = :tenant and p.subscription_id = :subscription"
    " and (p.status = 'unpaid' or p.status = 'paid' and r.period is null)"
)
_PERIODS = text(
    "select p.period, p.starts_on, p.ends_on, p.price, p.status, p.invoice_id, p.paid_at,"
    " p.paid_by, r.credits, r.created_at as refilled_at from subscription_periods p"
    " left join subscription_refills r on r.tenant_id = p.tenant_id"
    " and r.subscription_id = p.subscription_id and r.period = p.period"
    " where p.tenant_id = :tenant and p.subscription_id = :subscription"
    " and (cast(:only as integer) is null or p.period = :only)"
    " order by p.period desc limit :limit"
)


def find(connection: Connection, tenant_id: UUID, subscription_id: UUID) -> Subscription:
    """A firm's subscription.

    Raises:
        ServiceError: 404, there is none that the caller may see.
    """
    return _one(connection, _FIND, tenant=tenant_id, subscription=subscription_id)


def find_any(connection: Connection, subscription_id: UUID) -> Subscription:
    """A subscription of whatever firm; the connection acts as zen_studio or zen_system.

    Raises:
        ServiceError: 404.
    """
    return _one(connection, _FIND_ANYWHERE, subscription=subscription_id)


def find_by_provider(
    connection: Connection, provider: Provider, provider_subscription_id: str
) -> Subscription | None:
    """The subscription that a provider knows by an id of its own; as zen_studio or zen_system."""
    values = {"provider": provider, "id": provider_subscription_id}
    row = connection.execute(_BY_PROVIDER, values).one_or_none()
    return None if row is None else Subscription(*row)


def lock(connection: Connection, tenant_id: UUID, subscription_id: UUID) -> Subscription:
    """A subscription that nobody else changes until the transaction ends; as zen_billing.

    The account's wallet is locked first.

    Raises:
        ServiceError: 404.
    """
    return _one(connection, _LOCK, tenant=tenant_id, subscription=subscription_id)


def current(connection: Connection, tenant_id: UUID, account_id: UUID) -> Subscription | None:
    """The account's subscription that is not cancelled; there is one at most."""
    values = {"tenant": tenant_id, "account": account_id}
    row = connection.execute(_CURRENT, values).one_or_none()
    return None if row is None else Subscription(*row)


def subscriptions(
    connection: Connection,
    *,
    account_id: UUID | None = None,
    status: str | None = None,
    below: UUID | None = None,
    limit: int = 50,
) -> list[Subscription]:
    """Subscriptions that the connection's role sees, newest first.

    Args:
        connection: as zen_studio for those of all firms.
        account_id: only this account's.
        status: only those.
        below: only older ones than this one.
        limit: how many at most.
    """
    rows = connection.execute(
        _LIST,
        {
            "account": account_id,
            "status": status,
            "below": below,
            "limit": limit,
        },
    )
    return [Subscription(*row) for row in rows]


def insert(connection: Connection, made: Subscription) -> bool:
    """Write a new subscription; False if the account has a current one."""
    return bool(connection.execute(_INSERT, dataclasses.asdict(made)).rowcount)


def save(connection: Connection, changed: Subscription) -> None:
    """Write what may change of a subscription that is locked."""
    connection.execute(_UPDATE, dataclasses.asdict(changed))


def standing_of(connection: Connection, subscription: Subscription) -> Standing:
    """How a subscription stands: its own columns, and which periods are owed and paid."""
    values = {"tenant": subscription.tenant_id, "subscription": subscription.subscription_id}
    rows = connection.execute(_OPEN, values).all()
    return Standing(
        status=subscription.status,
        next_period=subscription.next_period,
        grace_until=subscription.grace_until,
        owed=next((row.period for row in rows if row.status == "unpaid"), None),
        paid=frozenset(row.period for row in rows if row.status == "paid"),
    )


def periods(
    connection: Connection,
    tenant_id: UUID,
    subscription_id: UUID,
    *,
    only: int | None = None,
    limit: int = 24,
) -> list[Period]:
    """A subscription's periods, the latest first."""
    values = {"tenant": tenant_id, "subscription": subscription_id, "only": only, "limit": limit}
    return [Period(*row) for row in connection.execute(_PERIODS, values)]


def _one(connection: Connection, statement: Any, **values: Any) -> Subscription:
    row = connection.execute(statement, values).one_or_none()
    if row is None:
        raise not_found()
    return Subscription(*row)


# --- Plans

_PLANS = text(
    f"select {_PLAN} from subscription_plans"  # noqa: S608
    " where cast(:one as uuid) is null or plan_id = :one order by lower(name)"
)
_INSERT_PLAN = text(
    f"insert into subscription_plans ({_PLAN})"  # noqa: S608
    f" values ({', '.join(f':{name}' for name in _names(Plan))}) on conflict do nothing"
)
_UPDATE_PLAN = text(
    "update subscription_plans set name = :name, price_monthly = :price_monthly,"
    " monthly_credit_allowance = :monthly_credit_allowance, grace_days = :grace_days,"
    " sac = :sac, tax_rate = :tax_rate, is_active = :is_active where tenant_id = :tenant_id and plan_id = :plan_id"
)


def plans(connection: Connection, *, one: UUID | None = None) -> list[Plan]:
    """The plans that the connection's role sees, or one of them, by name."""
    return [Plan(*row) for row in connection.execute(_PLANS, {"one": one})]


def insert_plan(connection: Connection, plan: Plan) -> bool:
    """Write a new plan; False if its name is taken."""
    return bool(connection.execute(_INSERT_PLAN, dataclasses.asdict(plan)).rowcount)


def save_plan(connection: Connection, plan: Plan) -> None:
    """Write what may change of a plan."""
    connection.execute(_UPDATE_PLAN, dataclasses.asdict(plan))
