"""Providers' news: verified and stored while the provider waits, worked off by a job.

The event and the job that works it off are one commit. Only then is the provider answered, and then
always with success: what it would send again we have.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.billing import journal
from service.billing.acting import as_billing
from service.billing.studio_tenant import studio_tenant
from service.database.connections import become, transaction
from service.errors import ServiceError, invalid
from service.identifiers import new_id
from service.jobs.crashpoints import crashpoint
from service.jobs.outbox import enqueue
from service.payments import records
from service.payments.providers import (
    Name,
    NotAnEventError,
    NotSignedError,
    proof_missing,
    provider_of,
)
from service.payments.records import Event
from service.payments.settling import apply_news
from service.people.acting import in_tenant, put, setting
from service.subscriptions import records as subscriptions
from service.subscriptions.refilling import paid
from service.subscriptions.subscribing import hear

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.jobs.job import Job
    from service.payments.providers import Heard, News
    from service.payments.records import EventStatus

#: An event that is not worked off after so long gets a job anew; its first one may be dead.
STUCK = timedelta(hours=2)
#: For so long the order of an event is looked for: providers repeat their news for three days.
UNMATCHED_FOR = timedelta(days=7)
_SWEPT_AT_ONCE = 500

log = structlog.get_logger("zenops.payments")

# The longer an event waits for its order, the longer the pauses: some twenty tries in a week. Those
# that were tried longest ago come first, so that many hopeless ones keep nobody else waiting.
_WAITING = text(
    "select tenant_id, event_id from payment_events where"
    " status = 'unmatched' and received_at > :unmatched_since"
    " and processed_at < :now - greatest(interval '10 minutes', (:now - received_at) / 4)"
    " or status = 'received' and received_at < :stuck_since"
    " order by coalesce(processed_at, received_at) limit :limit"
)
# The same payment is told of by several events, and pays one period.
_PAID_BY = text(
    "select 1 from subscription_periods where tenant_id = :tenant"
    " and subscription_id = :subscription and paid_by = :by"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider is answered."""

    event_id: UUID
    is_duplicate: bool
    status: EventStatus


def receive(service: Service, provider: Name, raw: bytes, headers: Mapping[str, str]) -> Receipt:
    """Store an event and ask for its job, in one commit of our own.

    Args:
        service: of a web process.
        provider: whose event it says it is.
        raw: the body, byte for byte as it came.
        headers: of the request.

    Raises:
        ServiceError: 401, the event does not prove itself; 400 WEBHOOK_NOT_AN_EVENT; 409
            STUDIO_NOT_SET_UP.
    """
    try:
        heard = provider_of(provider).verify(service.settings, raw, headers)
    except NotSignedError:
        raise proof_missing(
            "WEBHOOK_SIGNATURE_INVALID",
            "The signature is none of ours, or too old",
            "Compare the signing secrets at the provider with the settings; nothing was stored.",
        ) from None
    except NotAnEventError:
        raise invalid(
            "WEBHOOK_NOT_AN_EVENT",
            "The body is signed, but no event",
            "It has an id, a type, and says that it is an event.",
        ) from None
    with transaction(service.engine, role="zen_studio") as connection:
        studio = studio_tenant(connection)
        become(connection, "zen_studio", tenant_id=studio, audience="studio")
        event, is_new = store(connection, studio, provider, heard, raw)
        if is_new:
            _enqueue(connection, studio, event.event_id, f"payment.event:{event.event_id}")
    crashpoint("webhook-after-store")
    return Receipt(event.event_id, is_duplicate=not is_new, status=event.status)


def store(
    connection: Connection, studio: UUID, provider: Name, heard: Heard, raw: bytes
) -> tuple[Event, bool]:
    """Keep a verified event, unless it was kept before.

    Args:
        connection: in a role that sees the studio's rows.
        studio: its tenant.
        provider: whose event it is.
        heard: what is known of it.
        raw: its bytes.

    Returns:
        The event as it is kept, and whether it is new.
    """
    event = Event(
        tenant_id=studio,
        event_id=new_id(),
        provider=provider,
        provider_event_id=heard.provider_event_id,
        event_type=heard.event_type[:100],
        provider_created_at=heard.created_at,
        payload_sha256=hashlib.sha256(raw).hexdigest(),
        status="received",
        outcome=None,
        order_tenant_id=None,
        payment_order_id=None,
        received_at=clock.now(),
        processed_at=None,
    )
    with as_billing(connection, studio):
        if records.keep_event(connection, event, raw):
            return event, True
        known = records.event_by_provider(connection, studio, provider, heard.provider_event_id)
    assert known is not None
    if known.payload_sha256 != event.payload_sha256:
        log.warning("payment.event_differs", provider=provider, event_id=str(known.event_id))
    return known, False


def work_off(job: Job) -> None:
    """The job of an event: its effect, the order's state and the event's own in one commit."""
    assert job.subject_id is not None
    with job.effect() as connection:
        process_event(connection, job.actor, job.subject_id)
        crashpoint("payment-before-commit")


def process_event(connection: Connection, actor: Actor, event_id: UUID) -> Event | None:
    """Work an event off, unless that is done; in one transaction with all that it changes.

    Args:
        connection: as zen_worker, for the studio's tenant, with the login of the jobs.
        actor: the job.
        event_id: the event.

    Returns:
        The event as it is now; None if there is none.
    """
    studio = actor.tenant_id
    with as_billing(connection, studio):
        event = records.lock_event(connection, studio, event_id)
        if event is None or event.status not in {"received", "unmatched"}:
            return event
        payload = records.payload_of(connection, studio, event_id)
    news = provider_of(event.provider).read_news(payload)
    status, outcome, order = _effect(connection, actor, event, news)
    at = clock.now()
    with as_billing(connection, studio):
        records.end_event(connection, event, status, outcome, at, order)
    return replace(
        event,
        status=status,
        outcome=outcome,
        processed_at=at,
        order_tenant_id=order[0] if order else None,
        payment_order_id=order[1] if order else None,
    )


def _effect(
    connection: Connection, actor: Actor, event: Event, news: News
) -> tuple[EventStatus, str, tuple[UUID, UUID] | None]:
    if news.says == "nothing":
        return "ignored", "nothing_about_orders", None
    if news.says == "subscription":
        return *_of_subscription(connection, actor, event, news), None
    with _seeing_all(connection):
        matches = records.match_order(
            connection,
            event.provider,
            order_id=news.order_id,
            provider_order_id=news.provider_order_id,
            provider_payment_id=news.provider_payment_id,
        )
    if not matches:
        return "unmatched", "no_order", None
    if len(matches) > 1:
        log.error("payment.event_ambiguous", event_id=str(event.event_id), orders=len(matches))
        return "refused", "several_orders", None
    tenant, order_id = matches[0]
    with in_tenant(connection, tenant):
        outcome = apply_news(connection, replace(actor, tenant_id=tenant), order_id, news)
    return "refused" if outcome.refused else "processed", outcome.said, (tenant, order_id)


def _of_subscription(
    connection: Connection, actor: Actor, event: Event, news: News
) -> tuple[EventStatus, str]:
    """Tell the subscription what its provider says of it, or that its price was collected."""
    if news.provider_subscription_id is None or news.of_subscription is None:
        return "ignored", "nothing_about_orders"
    with _seeing_all(connection):
        found = subscriptions.find_by_provider(
            connection, event.provider, news.provider_subscription_id
        )
    if found is None:
        return "unmatched", "no_subscription"
    tenant, subscription_id = found.tenant_id, found.subscription_id
    actor = replace(actor, tenant_id=tenant)
    with in_tenant(connection, tenant):
        if news.of_subscription != "paid":
            by = f"{event.provider}:{event.provider_event_id}"
            hear(connection, actor, tenant, subscription_id, news.of_subscription, by=by)
            return "processed", news.of_subscription
        if news.currency != "INR" or (news.amount or 0) < found.price_monthly:
            log.error("payment.finding", finding="amount_differs", event_id=str(event.event_id))
            return "refused", "amount_differs"
        by = f"{event.provider}:{news.provider_payment_id}"
        names = {"tenant": tenant, "subscription": subscription_id, "by": by}
        with as_billing(connection, tenant):
            journal.lock_account(connection, tenant, found.account_id)
            known = connection.scalar(_PAID_BY, names)
        if known is not None:
            return "processed", "paid"
        try:
            with connection.begin_nested():
                paid(connection, actor, tenant, subscription_id, by=by)
        except ServiceError as error:
            # The money is at the provider, and no period takes it: a person has to say what it is.
            log.error("payment.finding", finding=error.code, event_id=str(event.event_id))  # noqa: TRY400 - a refusal
            return "refused", error.code.lower()
    return "processed", "paid"


@contextlib.contextmanager
def _seeing_all(connection: Connection) -> Iterator[None]:
    """Act inside the block as zen_system, which sees the orders of all firms."""
    before = setting(connection, "role")
    put(connection, "role", "zen_system")
    yield
    put(connection, "role", before)


def sweep(service: Service) -> None:
    """Ask for a job anew for events that are stuck, or whose order was not there yet.

    Whatever runs twice then has one effect: the event is locked, and its state looked at.
    """
    now = clock.now()
    with transaction(service.engine, role="zen_system") as connection:
        waiting = connection.execute(
            _WAITING,
            {
                "now": now,
                "unmatched_since": now - UNMATCHED_FOR,
                "stuck_since": now - STUCK,
                "limit": _SWEPT_AT_ONCE,
            },
        ).all()
        for row in waiting:
            key = f"payment.event:{row.event_id}:{now:%Y-%m-%dT%H:%M}"
            _enqueue(connection, row.tenant_id, row.event_id, key)


def _enqueue(connection: Connection, studio: UUID, event_id: UUID, key: str) -> None:
    actor = Actor(studio, None, "worker", frozenset(), "payments", key)
    enqueue(connection, actor, "payment.event", key=key, subject_id=event_id)
