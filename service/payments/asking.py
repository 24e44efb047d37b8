"""Asks the providers what became of orders and refunds of which nobody has told us.

Each order says when it is asked about next; the pauses grow, and end. What the provider answers is
news like any other. The question is asked outside of any transaction, and the answer is written in
the one effect of the job.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.billing import journal
from service.billing.acting import as_billing, record_in
from service.database.connections import transaction
from service.jobs.outbox import enqueue
from service.payments import records, refunding
from service.payments.checkout import PAUSES
from service.payments.providers import News, NoAnswerError, RefusedError, provider_of
from service.payments.records import Order, Refund
from service.payments.settling import apply_news

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.jobs.job import Job
    from service.settings import Settings

#: How long after the question about a paid order it is asked about once more.
_ONCE_MORE = timedelta(days=6)
_ASKED_AT_ONCE = 200

log = structlog.get_logger("zenops.payments")

_DUE = text(
    "select tenant_id, payment_order_id, ask_at from payment_orders where ask_at <= :now"
    " order by ask_at limit :limit"
)


def ask_due(service: Service) -> None:
    """Ask for a job for each order whose time to be asked about has come."""
    with transaction(service.engine, role="zen_system") as connection:
        due = connection.execute(_DUE, {"now": clock.now(), "limit": _ASKED_AT_ONCE}).all()
        for row in due:
            # The job moves the order on; one that is given up is asked for again the next hour.
            turn = f"{row.ask_at:%Y-%m-%dT%H:%M:%S}:{clock.now():%Y-%m-%dT%H}"
            key = f"payment.ask:{row.payment_order_id}:{turn}"
            actor = Actor(row.tenant_id, None, "worker", frozenset(), "payments", key)
            enqueue(connection, actor, "payment.ask", key=key, subject_id=row.payment_order_id)


def ask(job: Job) -> None:
    """The job: ask about one order, and write down what was said."""
    order_id = job.subject_id
    assert order_id is not None
    with job.reading() as connection:
        order = records.find_order(connection, job.tenant_id, order_id)
        refunds = records.refunds_of(connection, job.tenant_id, order_id)
    if order is None or order.ask_at is None:
        return
    settings = job.service.settings
    said: Sequence[News] = ()
    if provider_of(order.provider).is_configured(settings):
        said = ask_provider(settings, order, refunds)
    else:
        # A question without an answer, like any other: it keeps no other order waiting.
        log.error("payment.provider_not_set_up", order=str(order_id), provider=order.provider)
    with job.effect() as connection:
        note(connection, job.actor, order_id, said)


def ask_provider(settings: Settings, order: Order, refunds: Sequence[Refund]) -> tuple[News, ...]:
    """Everything the provider says of an order and its refunds; nothing if it does not answer.

    A link or a refund of which nothing was heard is asked for again under its own key: that finds
    it, or makes it for the first time.
    """
    provider = provider_of(order.provider)
    try:
        said = list(provider.ask(settings, order))
    except NoAnswerError:
        return ()
    except RefusedError as error:
        if order.provider_order_id is not None:
            log.warning(
                "payment.provider_knows_nothing",
                order=str(order.payment_order_id),
                provider=order.provider,
                why=str(error),
            )
            return ()
        return (News("failed", order_id=order.payment_order_id, why=str(error)),)
    heard = {one.refund_id for one in said}
    for refund in refunds:
        if refund.status == "unknown" and refund.refund_id not in heard:
            answer = refunding.tell_provider(settings, order, refund)
            said += [answer] if answer else []
    return tuple(said)


def note(connection: Connection, actor: Actor, order_id: UUID, said: Sequence[News]) -> Order:
    """Add what was said to the order, and set when it is asked about next.

    Args:
        connection: in the actor's role.
        actor: of the order's firm.
        order_id: the order.
        said: what the provider said, in this order.
    """
    with as_billing(connection, actor.tenant_id):
        found = records.find_order(connection, actor.tenant_id, order_id)
        assert found is not None
        journal.lock_account(connection, actor.tenant_id, found.account_id)
        before = records.lock_order(connection, actor.tenant_id, order_id)
    for news in said:
        apply_news(connection, actor, order_id, news)
    with as_billing(connection, actor.tenant_id):
        order = records.lock_order(connection, actor.tenant_id, order_id)
        refunds = records.refunds_of(connection, actor.tenant_id, order_id)
        # Settling begins the count anew, and says itself when to ask.
        begun_anew = order.is_settled and not before.is_settled
        if not begun_anew:
            order = _moved_on(order, refunds, clock.now())
        if order.ask_at is None and _is_open(order, refunds):
            order = replace(order, finding=order.finding or "unresolved")
        records.update_order(connection, order)
    if begun_anew:
        # Money came, and no event said so.
        log.warning("payment.found_by_asking", order=str(order_id), provider=order.provider)
        record_in(
            connection,
            actor,
            order.tenant_id,
            "payment:order:found_paid",
            subject=("payment_order", order_id),
        )
    if order.finding == "unresolved" != before.finding:
        log.error("payment.finding", finding="unresolved", order=str(order_id))
        record_in(
            connection,
            actor,
            order.tenant_id,
            "payment:order:questioned",
            subject=("payment_order", order_id),
            reason="unresolved",
        )
    return order


def _moved_on(order: Order, refunds: Sequence[Refund], now: datetime) -> Order:
    asked = order.asked + 1
    is_over = order.status in {"expired", "cancelled"} or (
        # A link that was never made needs no watching; one that failed may be paid yet.
        order.status == "failed" and order.provider_order_id is None
    )
    if is_over or asked >= len(PAUSES):
        return replace(order, ask_at=None, asked=asked)
    if order.is_settled and not _is_open(order, refunds):
        # Once more, for refunds that nobody has told us of.
        later = now + _ONCE_MORE if asked == 1 else None
        return replace(order, ask_at=later, asked=asked)
    return replace(order, ask_at=now + PAUSES[asked], asked=asked)


def _is_open(order: Order, refunds: Sequence[Refund]) -> bool:
    """Whether something is not cleared up yet."""
    return order.status == "unknown" or any(one.status in {"unknown", "pending"} for one in refunds)
