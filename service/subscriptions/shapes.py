"""What the interface takes and answers about plans and subscriptions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.billing.money import rupees
from service.invoices.shapes import Cursor, Reason, Sac, TaxRate
from service.subscriptions.records import Period, Plan, Provider, Subscription
from service.subscriptions.standing import Status
from service.subscriptions.sweeping import Swept

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Rupees = Annotated[Decimal, Field(ge=0, le=Decimal(10000000), decimal_places=2)]
Credits = Annotated[int, Field(ge=0, le=1_000_000_000)]
GraceDays = Annotated[int, Field(ge=0, le=90)]
AnchorDay = Annotated[int, Field(ge=1, le=31)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Strict(BaseModel):
    """A body, query or path: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanPath(Strict):
    """A plan."""

    plan_id: str


class SubscriptionPath(Strict):
    """A subscription."""

    subscription_id: str


class SubscriptionsQuery(Strict):
    """Which subscriptions, and which part of the list."""

    account_id: str | None = None
    status: Status | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[Cursor | None, Field(description="next_cursor of the answer before")] = None


class NewPlan(Strict):
    """A plan that is offered; the price is that of a period, before tax."""

    name: Name
    price_monthly: Rupees
    monthly_credit_allowance: Credits
    sac: Annotated[Sac, Field(description="the service's code in the law's list")]
    tax_rate: Annotated[TaxRate, Field(description="per cent of GST")]
    grace_days: GraceDays = 7


class PlanChange(Strict):
    """What is offered from now on; who has the plan keeps what was agreed."""

    name: Name | None = None
    price_monthly: Rupees | None = None
    monthly_credit_allowance: Credits | None = None
    sac: Sac | None = None
    tax_rate: TaxRate | None = None
    grace_days: GraceDays | None = None
    is_active: Annotated[bool | None, Field(description="whether it is offered")] = None


class Assignment(Strict):
    """The plan that an account is to have."""

    account_id: UUID
    plan_id: UUID
    anchor_day: AnchorDay | None = None
    timezone: Zone | None = None


class NewSubscription(Assignment):
    """A subscription; a provider that collects by itself is named with its own id for it."""

    starts_on: date | None = None
    provider: Provider | None = None
    provider_subscription_id: Annotated[
        str | None, StringConstraints(min_length=1, max_length=200)
    ] = None


class SubscriptionChange(Strict):
    """What a subscription is to be: `active` resumes a paused one."""

    status: Literal["active", "paused", "cancelled"]
    reason: Reason | None = None


class RefillOrder(Strict):
    """A refill by hand. It gives nothing that the hourly one would not."""

    idempotency_key: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=255),
        Field(description="taken for the original's sake; a period is refilled once under any key"),
    ] = None


class SweepOrder(Strict):
    """How many subscriptions are looked at, and after which."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[Cursor | None, Field(description="next_cursor of the answer before")] = None


class PlanAnswer(BaseModel):
    """A plan as it is offered."""

    plan_id: UUID
    name: str
    currency: str
    price_monthly: Decimal
    monthly_credit_allowance: int
    sac: str
    tax_rate: Decimal
    grace_days: int
    is_active: bool
    created_at: datetime


class PlansAnswer(BaseModel):
    """The plans, by name."""

    items: list[PlanAnswer]


class PeriodAnswer(BaseModel):
    """A period that began or was paid beforehand; `credits` is null until it is refilled."""

    period: int
    starts_on: date
    ends_on: Annotated[date, Field(description="the first day after it")]
    price: Decimal
    status: Literal["unpaid", "paid", "lapsed"]
    invoice_id: UUID | None
    paid_at: datetime | None
    paid_by: str | None
    credits: int | None
    refilled_at: datetime | None


class SubscriptionAnswer(BaseModel):
    """A subscription as it was agreed, and how it stands."""

    subscription_id: UUID
    tenant_id: UUID
    account_id: UUID
    plan_id: UUID
    plan_name: str
    price_monthly: Decimal
    monthly_credit_allowance: int
    grace_days: int
    status: Status
    anchor_day: int
    timezone: str
    started_on: date
    grace_until: date | None
    next_refill_at: Annotated[
        datetime | None, Field(description="when the next period begins; null unless active")
    ]
    provider: Provider | None
    provider_subscription_id: str | None
    cancelled_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime


class SubscriptionDetail(SubscriptionAnswer):
    """A subscription with its latest periods."""

    periods: list[PeriodAnswer]


class SubscriptionsAnswer(BaseModel):
    """A page of subscriptions, newest first."""

    items: list[SubscriptionAnswer]
    next_cursor: UUID | None


class OwnSubscription(BaseModel):
    """The firm's own subscription; null if it has none."""

    subscription: SubscriptionDetail | None


RefillStatus = Literal[
    "refilled", "already_processed", "skipped_inactive", "skipped_unpaid", "not_begun"
]


class RefillAnswer(BaseModel):
    """What came of a refill: of the period that is running."""

    status: RefillStatus
    duplicate: Annotated[bool, Field(description="whether the period had its credits before")]
    credits: Annotated[int, Field(description="how many were given now")]
    period_start: date | None
    period_end: date | None
    next_refill_at: datetime | None
    subscription: SubscriptionAnswer


class SweepError(BaseModel):
    """A subscription that could not be brought up to date; the next sweep tries again."""

    subscription_id: UUID
    code: str
    detail: str


class SweepAnswer(BaseModel):
    """What a sweep has done; with `next_cursor` there may be more to look at."""

    scanned: int
    refilled: int
    skipped: int
    past_due: int
    suspended: int
    reactivated: int
    errors: list[SweepError]
    next_cursor: str | None


def plan_answer(plan: Plan) -> PlanAnswer:
    """A plan as it is answered."""
    return PlanAnswer(
        plan_id=plan.plan_id,
        name=plan.name,
        currency=plan.currency,
        price_monthly=rupees(plan.price_monthly),
        monthly_credit_allowance=plan.monthly_credit_allowance,
        sac=plan.sac,
        tax_rate=plan.tax_rate,
        grace_days=plan.grace_days,
        is_active=plan.is_active,
        created_at=plan.created_at,
    )


def subscription_answer(one: Subscription) -> SubscriptionAnswer:
    """A subscription as it is answered."""
    return SubscriptionAnswer(
        subscription_id=one.subscription_id,
        tenant_id=one.tenant_id,
        account_id=one.account_id,
        plan_id=one.plan_id,
        plan_name=one.plan_name,
        price_monthly=rupees(one.price_monthly),
        monthly_credit_allowance=one.allowance,
        grace_days=one.grace_days,
        status=one.status,
        anchor_day=one.anchor_day,
        timezone=one.timezone,
        started_on=one.started_on,
        grace_until=one.grace_until,
        next_refill_at=one.next_refill_at,
        provider=one.provider,
        provider_subscription_id=one.provider_subscription_id,
        cancelled_on=one.cancelled_on,
        version=one.version,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def subscription_detail(one: Subscription, periods: list[Period]) -> SubscriptionDetail:
    """A subscription with its periods as it is answered."""
    return SubscriptionDetail(
        **subscription_answer(one).model_dump(),
        periods=[
            PeriodAnswer(
                period=it.period,
                starts_on=it.starts_on,
                ends_on=it.ends_on,
                price=rupees(it.price),
                status=it.status,
                invoice_id=it.invoice_id,
                paid_at=it.paid_at,
                paid_by=it.paid_by,
                credits=it.credits,
                refilled_at=it.refilled_at,
            )
            for it in periods
        ],
    )


def sweep_answer(swept: Swept, next_cursor: str | None) -> SweepAnswer:
    """What a sweep has done as it is answered."""
    return SweepAnswer(
        scanned=swept.scanned,
        refilled=swept.refilled,
        skipped=swept.skipped,
        past_due=swept.past_due,
        suspended=swept.suspended,
        reactivated=swept.reactivated,
        errors=[
            SweepError(subscription_id=it.subscription_id, code=it.code, detail=it.detail)
            for it in swept.errors
        ],
        next_cursor=next_cursor,
    )
