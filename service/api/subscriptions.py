"""Routes of plans and subscriptions: the studio's, and the firm's look at its own."""

from __future__ import annotations

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import OPERATORS, access
from service.api.answers import answer, etag, page_of
from service.api.request_life import current, the_service
from service.api.requests import cursor_id, path_id, wanted_version
from service.billing.accounts import account_for, find_any_account
from service.identifiers import read_id
from service.subscriptions import plans, records, refilling, subscribing
from service.subscriptions.records import Subscription
from service.subscriptions.refilling import Refill
from service.subscriptions.shapes import (
    Assignment,
    NewPlan,
    NewSubscription,
    OwnSubscription,
    PlanAnswer,
    PlanChange,
    PlanPath,
    PlansAnswer,
    RefillAnswer,
    RefillOrder,
    RefillStatus,
    SubscriptionChange,
    SubscriptionDetail,
    SubscriptionPath,
    SubscriptionsAnswer,
    SubscriptionsQuery,
    SweepAnswer,
    SweepOrder,
    plan_answer,
    subscription_answer,
    subscription_detail,
    sweep_answer,
)
from service.subscriptions.sweeping import sweep_all

api = APIBlueprint(
    "subscriptions",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="subscriptions")],
    abp_security=[{"bearer": []}],
)
STUDIO = ("studio",)
_ONE = "/control/subscriptions/<subscription_id>"


@api.get("/control/plans", summary="The plans, by name", responses={200: PlansAnswer})
@access("billing.read", audiences=STUDIO)
def list_plans() -> Response:
    """Those that are offered and those that are closed."""
    found = records.plans(current().connection)
    return answer(PlansAnswer(items=[plan_answer(one) for one in found]))


@api.post("/control/plans", summary="Offer a plan", responses={201: PlanAnswer})
@access("billing.write", audiences=STUDIO)
def create_plan(body: NewPlan) -> Response:
    """The price is that of a period, in rupees before tax; nothing makes a plan that is free."""
    now = current()
    made = plans.create_plan(now.connection, now.actor, **dict(body))
    return answer(plan_answer(made), 201)


@api.patch(
    "/control/plans/<plan_id>", summary="Change what is offered", responses={200: PlanAnswer}
)
@access("billing.write", audiences=STUDIO)
def change_plan(path: PlanPath, body: PlanChange) -> Response:
    """Whoever has the plan keeps the price and the credits that were agreed."""
    now = current()
    made = plans.change_plan(now.connection, now.actor, path_id(path.plan_id), **dict(body))
    return answer(plan_answer(made))


@api.get(
    "/control/subscriptions",
    summary="All firms' subscriptions, newest first",
    responses={200: SubscriptionsAnswer},
)
@access("billing.read", audiences=STUDIO)
def list_subscriptions(query: SubscriptionsQuery) -> Response:
    """By account and status."""
    now = current()
    account_id = None
    if query.account_id is not None and (account_id := read_id(query.account_id)) is None:
        # No account has such an id, so none has subscriptions.
        return answer(SubscriptionsAnswer(items=[], next_cursor=None))
    rows = records.subscriptions(
        now.connection,
        account_id=account_id,
        status=query.status,
        below=cursor_id(query.cursor),
        limit=query.limit + 1,
    )
    shown, last = page_of(rows, query.limit)
    return answer(
        SubscriptionsAnswer(
            items=[subscription_answer(one) for one in shown],
            next_cursor=None if last is None else last.subscription_id,
        )
    )


@api.post(
    "/control/subscriptions",
    summary="Subscribe an account to a plan",
    responses={201: SubscriptionDetail},
)
@access("billing.write", audiences=STUDIO)
def create_subscription(body: NewSubscription) -> Response:
    """Nothing is given or asked for at once; the sweep of the next hour begins the first period."""
    now = current()
    made = subscribing.subscribe(
        now.connection,
        now.actor,
        find_any_account(now.connection, body.account_id),
        body.plan_id,
        anchor_day=body.anchor_day,
        starts_on=body.starts_on,
        timezone=body.timezone,
        provider=body.provider,
        provider_subscription_id=body.provider_subscription_id,
    )
    return _detail(made, 201)


@api.post(
    "/control/subscriptions/assign",
    summary="See that an account has a plan",
    responses={200: SubscriptionDetail},
)
@access("billing.write", audiences=STUDIO)
def assign_plan(body: Assignment) -> Response:
    """Another current subscription is cancelled; the new one begins where its credits end."""
    now = current()
    made = subscribing.assign(
        now.connection,
        now.actor,
        find_any_account(now.connection, body.account_id),
        body.plan_id,
        anchor_day=body.anchor_day,
        timezone=body.timezone,
    )
    return _detail(made)


@api.post(
    "/control/subscriptions/refill-due",
    summary="Do now what the hourly sweep would do",
    responses={200: SweepAnswer},
)
@access("billing.write", audiences=STUDIO)
def sweep_now(body: SweepOrder) -> Response:
    """In all firms, the longest due first, for four seconds at most; each one by itself."""
    now = current()
    swept, cursor = sweep_all(the_service(), now.actor, limit=body.limit, cursor=body.cursor)
    return answer(sweep_answer(swept, cursor))


@api.get(_ONE, summary="A subscription and its periods", responses={200: SubscriptionDetail})
@access("billing.read", audiences=STUDIO)
def show_subscription(path: SubscriptionPath) -> Response:
    """Its latest two years."""
    return _detail(_found(path))


@api.patch(
    _ONE, summary="Pause, resume or cancel a subscription", responses={200: SubscriptionDetail}
)
@access("billing.write", audiences=STUDIO)
def change_subscription(path: SubscriptionPath, body: SubscriptionChange) -> Response:
    """What it owes when it is cancelled is not asked for any more, unless somebody has paid part."""
    now, found = current(), _found(path)
    operation = {
        "active": subscribing.resume,
        "paused": subscribing.pause,
        "cancelled": subscribing.cancel,
    }[body.status]
    moved = operation(
        now.connection,
        now.actor,
        found.tenant_id,
        found.subscription_id,
        reason=body.reason,
        wanted_version=wanted_version(request),
    )
    return _detail(moved.subscription)


@api.post(
    f"{_ONE}/refill", summary="Refill a subscription if it is due", responses={200: RefillAnswer}
)
@access("billing.write", audiences=STUDIO)
def refill_subscription(path: SubscriptionPath, body: RefillOrder) -> Response:
    """Gives nothing that the sweep would not: each paid period once, under whatever key."""
    del body
    now, found = current(), _found(path)
    done = refilling.refill(now.connection, now.actor, found.tenant_id, found.subscription_id)
    after = done.moved.subscription
    return answer(
        RefillAnswer(
            status=_outcome(done),
            duplicate=done.was_given,
            credits=done.moved.credits,
            period_start=None if done.period is None else done.period.starts_on,
            period_end=None if done.period is None else done.period.ends_on,
            next_refill_at=after.next_refill_at,
            subscription=subscription_answer(after),
        )
    )


@api.get(
    "/billing/subscription",
    summary="The firm's own subscription",
    responses={200: OwnSubscription},
)
@access("billing.read", audiences=OPERATORS)
def own_subscription() -> Response:
    """Null if the firm has none; looking makes none."""
    now = current()
    tenant_id = now.actor.tenant_id
    account = account_for(now.connection, tenant_id, None)
    found = account and records.current(now.connection, tenant_id, account.account_id)
    if not found:
        return answer(OwnSubscription(subscription=None))
    periods = records.periods(now.connection, tenant_id, found.subscription_id)
    return answer(OwnSubscription(subscription=subscription_detail(found, periods)))


def _outcome(done: Refill) -> RefillStatus:
    moved = done.moved
    if moved.credits or moved.refilled:
        return "refilled"
    if done.was_given:
        return "already_processed"
    if moved.subscription.status in {"paused", "cancelled"}:
        return "skipped_inactive"
    if moved.subscription.status in {"past_due", "suspended"}:
        return "skipped_unpaid"
    return "not_begun"


def _found(path: SubscriptionPath) -> Subscription:
    return records.find_any(current().connection, path_id(path.subscription_id))


def _detail(one: Subscription, status: int = 200) -> Response:
    now = current()
    periods = records.periods(now.connection, one.tenant_id, one.subscription_id)
    return answer(subscription_detail(one, periods), status, headers=etag(one.version))
