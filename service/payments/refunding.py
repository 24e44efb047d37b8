"""Money that goes back: the refund's row first, then the provider, then what it said.

The row is written under the same lock as everything else of the account, and counts from then on,
whether the provider has answered or not: refunds never add up to more than was paid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service import clock
from service.billing import journal
from service.billing.acting import as_billing, record_in
from service.billing.money import rupees
from service.errors import ServiceError, conflict, invalid, not_found
from service.identifiers import new_id
from service.payments import records
from service.payments.checkout import PAUSES
from service.payments.providers import News, NoAnswerError, RefusedError, provider_of
from service.payments.records import Order, Refund
from service.payments.settling import apply_news

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.settings import Settings


def start_refund(
    connection: Connection,
    actor: Actor,
    order: Order,
    *,
    amount: int | None,
    reason: str,
    key: str,
) -> tuple[Order, Refund]:
    """Write a refund of an order, or find the one that the key has made.

    Args:
        connection: in the actor's role; the caller commits before `tell_provider`.
        actor: the studio.
        order: the order as the caller knows it.
        amount: in paise; all that is left unless given.
        reason: why.
        key: names the refund of this order for ever.

    Returns:
        The order and the refund as they are.

    Raises:
        ServiceError: 409 PAYMENT_NOT_SETTLED, PAYMENT_DISPUTED, REFUND_EXCEEDS_PAYMENT,
            IDEMPOTENCY_KEY_REUSED; 400 AMOUNT_INVALID.
    """
    asked = journal.request_digest("refund", amount=amount, reason=reason)
    tenant, order_id = order.tenant_id, order.payment_order_id
    if amount is not None and amount <= 0:
        raise invalid("AMOUNT_INVALID", "There is nothing to give back", "Name more than nothing.")
    with as_billing(connection, tenant):
        journal.lock_account(connection, tenant, order.account_id)
        order = records.lock_order(connection, tenant, order_id)
        found = records.refund_by_key(connection, tenant, order_id, key)
        if found is not None:
            journal.check_same_request(key, found.request_sha256, asked)
            return order, found
        left = refundable(order, records.refunds_of(connection, tenant, order_id))
        wanted = left if amount is None else amount
        _check(order, wanted, left)
        made = Refund(
            tenant_id=tenant,
            refund_id=new_id(),
            payment_order_id=order_id,
            amount=wanted,
            status="unknown",
            reason=reason,
            operation_key=key,
            request_sha256=asked,
            provider_refund_id=None,
            created_by=actor.user_id or actor.token_id,
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        records.insert_refund(connection, made)
        order = replace(order, ask_at=clock.now() + PAUSES[0], asked=0)
        records.update_order(connection, order)
    record_in(
        connection,
        actor,
        tenant,
        "payment:refund:created",
        subject=("payment_order", order_id),
        reason=reason,
        after={"refund_id": made.refund_id, "amount": wanted},
    )
    return order, made


def refundable(order: Order, refunds: Sequence[Refund]) -> int:
    """What may still go back: all that is not known to stay away counts as gone."""
    ours = sum(one.amount for one in refunds if one.status != "failed")
    return max(0, order.amount - order.charged_back - max(order.refunded, ours))


def tell_provider(settings: Settings, order: Order, refund: Refund) -> News | None:
    """Have the provider give the money back; outside of any transaction.

    Returns:
        What it said, or None if it is unknown what it did.
    """
    try:
        return provider_of(order.provider).refund(settings, order, refund)
    except NoAnswerError:
        return None
    except RefusedError as error:
        return News(
            "refund",
            order_id=order.payment_order_id,
            amount=refund.amount,
            why=str(error),
            refund_id=refund.refund_id,
            refund_status="failed",
        )


def note_answer(
    connection: Connection, actor: Actor, order: Order, refund: Refund, said: News | None
) -> tuple[Order, Refund]:
    """Write down what the provider said; a refund without an answer stays unknown."""
    if said is not None:
        order = apply_news(
            connection, actor, order.payment_order_id, said, tenant_id=order.tenant_id
        ).order
    with as_billing(connection, order.tenant_id):
        found = records.find_refund(
            connection, order.tenant_id, order.payment_order_id, refund.refund_id
        )
    if found is None:
        raise not_found()
    return order, found


def _check(order: Order, wanted: int, left: int) -> None:
    if not order.is_settled or order.provider_payment_id is None:
        raise conflict(
            "PAYMENT_NOT_SETTLED",
            "Nothing was paid that could go back",
            f"The order is {order.status}.",
        )
    if order.dispute in {"open", "lost"}:
        raise conflict(
            "PAYMENT_DISPUTED",
            "The payer's bank has the payment already",
            "A disputed payment is not refunded besides: it would go back twice.",
        )
    if not left or wanted > left:
        raise _too_much(left)


def _too_much(left: int) -> ServiceError:
    return conflict(
        "REFUND_EXCEEDS_PAYMENT",
        "More than was paid cannot go back",
        f"INR {rupees(left)} of it is left.",
        refundable=str(rupees(left)),
    )
