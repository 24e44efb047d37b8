"""Stripe: Checkout sessions, payment intents, refunds, disputes, signed events.

The objects are described at docs.stripe.com/api; what is read here are Checkout Session, PaymentIntent,
Charge, Refund, Dispute and Event. An idempotency key is kept there for a day at least, and a session
lives no longer than that, so the same key never makes a second link that can be paid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from service.payments.providers import (
    ORDER_NOTE,
    REFUND_NOTE,
    Heard,
    News,
    NoAnswerError,
    NotAnEventError,
    RefundStatus,
    RefusedError,
    Says,
    SubscriptionNews,
    check_signature,
    currency_at,
    noted_id,
    paise_at,
    part,
    text_at,
)

if TYPE_CHECKING:
    import stripe

    from service.payments.records import Order, Refund
    from service.settings import Settings

# The package takes a third of a second to load, and most processes never pay.
# ruff: noqa: PLC0415

Answer = TypeVar("Answer")

#: How old a signature may be, in seconds.
TOLERANCE_S = 300
_REFUND_STATUS: Mapping[str, RefundStatus] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_SESSION_SAYS: Mapping[str, Says] = {
    "open": "open",
    "expired": "expired",
    "complete": "authorized",
}
_INTENT_SAYS: Mapping[str, Says] = {
    "payment_intent.succeeded": "paid",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "cancelled",
    "payment_intent.created": "open",
    "payment_intent.processing": "authorized",
    "payment_intent.requires_action": "authorized",
    "payment_intent.amount_capturable_updated": "authorized",
}
_DISPUTE_SAYS: Mapping[str, Says] = {
    "lost": "dispute_lost",
    "won": "dispute_won",
    # An inquiry that became no dispute.
    "warning_closed": "dispute_won",
    "prevented": "dispute_won",
}
_SUBSCRIPTION_SAYS: Mapping[str, SubscriptionNews] = {
    "active": "resumed",
    "past_due": "past_due",
    "unpaid": "suspended",
    "paused": "suspended",
    "canceled": "cancelled",
}

log = structlog.get_logger("zenops.payments")


def is_configured(settings: Settings) -> bool:
    """Whether we have an account at Stripe."""
    return bool(settings.stripe_secret_key)


def open_checkout(settings: Settings, order: Order) -> News:
    """Make the order's Checkout session, or get the one that its key has made; see `Provider`."""
    notes = {ORDER_NOTE: str(order.payment_order_id)}
    assert order.expires_at is not None
    back = f"{settings.public_url}/v1/payments/return"
    params: Any = {
        "mode": "payment",
        "client_reference_id": str(order.payment_order_id),
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": order.currency.lower(),
                    "unit_amount": order.amount,
                    "product_data": {"name": order.description},
                },
            }
        ],
        "metadata": notes,
        "payment_intent_data": {"metadata": notes},
        # Of the row, so that asking again asks the same.
        "expires_at": int(order.expires_at.timestamp()),
        "success_url": back,
        "cancel_url": back,
    }
    session = _asked(
        lambda: _client(settings).v1.checkout.sessions.create(
            params, {"idempotency_key": f"zenops-order-{order.payment_order_id}"}
        )
    )
    return _of_session(_plain(session), order)


def ask(settings: Settings, order: Order) -> tuple[News, ...]:
    """The session's state, its payment's, and what has gone back; see `Provider`."""
    if order.provider_order_id is None:
        # Within the key's life this finds the session, or makes it for the first time.
        return (open_checkout(settings, order),)
    client = _client(settings)
    known = order.provider_order_id
    session = _plain(_asked(lambda: client.v1.checkout.sessions.retrieve(known)))
    news = [_of_session(session, order)]
    intent = _id_of(session.get("payment_intent"))
    if news[0].says != "paid" or intent is None:
        return tuple(news)
    refunds = _asked(lambda: client.v1.refunds.list({"payment_intent": intent, "limit": 100}))
    news += [_of_refund(one) for one in _plain(refunds)["data"]]
    disputes = _asked(lambda: client.v1.disputes.list({"payment_intent": intent, "limit": 100}))
    news += [_of_dispute(one) for one in _plain(disputes)["data"]]
    return tuple(news)


def refund(settings: Settings, order: Order, refund: Refund) -> News:
    """Refund the order's payment, or get the refund that the key has made; see `Provider`."""
    assert order.provider_payment_id is not None
    params: Any = {
        "payment_intent": order.provider_payment_id,
        "amount": refund.amount,
        "metadata": {
            ORDER_NOTE: str(order.payment_order_id),
            REFUND_NOTE: str(refund.refund_id),
        },
    }
    made = _asked(
        lambda: _client(settings).v1.refunds.create(
            params, {"idempotency_key": f"zenops-refund-{refund.refund_id}"}
        )
    )
    return _of_refund(_plain(made))


def verify(settings: Settings, raw: bytes, headers: Mapping[str, str]) -> Heard:
    """See that Stripe has signed these bytes of late; see `Provider`."""

    def is_signed(signature: str, secret: str) -> bool:
        import stripe

        try:
            stripe.WebhookSignature.verify_header(raw, signature, secret, TOLERANCE_S)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            return False
        return True

    secrets = settings.stripe_webhook_secrets
    check_signature("stripe", "Stripe-Signature", headers, secrets, is_signed)
    event = _event(raw)
    event_id, event_type = text_at(event, "id"), text_at(event, "type")
    if event_id is None or event_type is None or event.get("object") != "event":
        raise NotAnEventError
    created = paise_at(event, "created")
    return Heard(
        event_id, event_type, None if created is None else datetime.fromtimestamp(created, UTC)
    )


def read_news(event: Mapping[str, object]) -> News:
    """What an event says; see `Provider`."""
    kind = text_at(event, "type") or ""
    about = part(event, "data", "object")
    if not isinstance(about, Mapping):
        return News("nothing")
    if kind.startswith("checkout.session."):
        if about.get("mode") != "payment":
            return News("nothing")
        return _of_session(about, None, failed=kind == "checkout.session.async_payment_failed")
    if kind.startswith("payment_intent."):
        return _of_intent(kind, about)
    if kind.startswith("charge.dispute."):
        # Funds that move because of it are the provider's bookkeeping; the verdict counts.
        return _of_dispute(about)
    if kind.startswith(("refund.", "charge.refund.")):
        return _of_refund(about)
    if kind.startswith("customer.subscription.") or kind in {
        "invoice.paid",
        "invoice.payment_failed",
    }:
        return _of_subscription(kind, about)
    if kind == "charge.refunded":
        return _of_charge("refunded_in_all", about, "amount_refunded")
    if kind == "charge.failed":
        return _of_charge("failed", about, "amount")
    return News("nothing")


def _client(settings: Settings) -> stripe.StripeClient:
    import stripe

    return stripe.StripeClient(
        settings.stripe_secret_key,
        base_addresses={"api": settings.stripe_url},
        http_client=stripe.RequestsClient(timeout=settings.provider_seconds),
        # What is tried again, and when, is our own business.
        max_network_retries=0,
    )


def _asked(call: Callable[[], Answer]) -> Answer:
    """What Stripe answers; whatever does not say for certain that nothing was done is unknown."""
    import stripe

    try:
        return call()
    except stripe.IdempotencyError as error:
        raise NoAnswerError(str(error.code)) from error
    except stripe.InvalidRequestError as error:
        raise RefusedError(error.code or "invalid_request") from error
    except stripe.StripeError as error:
        # A wrong key of ours says nothing about what an earlier call did.
        log.warning("payment.no_answer", provider="stripe", error=type(error).__name__)
        raise NoAnswerError(type(error).__name__) from error


def _of_session(session: Mapping[str, Any], order: Order | None, *, failed: bool = False) -> News:
    says = _SESSION_SAYS.get(str(session.get("status")), "open")
    if failed:
        says = "failed"
    elif says == "authorized" and session.get("payment_status") == "paid":
        # A complete session may wait for a bank; `no_payment_required` is no payment either.
        says = "paid"
    return News(
        says,
        order_id=noted_id(session.get("metadata"), ORDER_NOTE)
        or (None if order is None else order.payment_order_id),
        provider_order_id=text_at(session, "id"),
        provider_payment_id=_id_of(session.get("payment_intent")),
        amount=paise_at(session, "amount_total"),
        currency=currency_at(session, "currency"),
        url=text_at(session, "url"),
    )


def _of_intent(kind: str, intent: Mapping[str, Any]) -> News:
    says = _INTENT_SAYS.get(kind, "nothing")
    return News(
        says,
        order_id=noted_id(intent.get("metadata"), ORDER_NOTE),
        provider_payment_id=text_at(intent, "id"),
        amount=paise_at(intent, "amount_received" if says == "paid" else "amount"),
        currency=currency_at(intent, "currency"),
        why=text_at(intent, "last_payment_error", "code"),
    )


def _of_charge(says: Says, charge: Mapping[str, Any], amount: str) -> News:
    return News(
        says,
        order_id=noted_id(charge.get("metadata"), ORDER_NOTE),
        provider_payment_id=_id_of(charge.get("payment_intent")),
        amount=paise_at(charge, amount),
        currency=currency_at(charge, "currency"),
        why=text_at(charge, "failure_code"),
    )


def _of_refund(refund: Mapping[str, Any]) -> News:
    return News(
        "refund",
        order_id=noted_id(refund.get("metadata"), ORDER_NOTE),
        provider_payment_id=_id_of(refund.get("payment_intent")),
        amount=paise_at(refund, "amount"),
        currency=currency_at(refund, "currency"),
        why=text_at(refund, "failure_reason"),
        refund_id=noted_id(refund.get("metadata"), REFUND_NOTE),
        provider_refund_id=text_at(refund, "id"),
        refund_status=_REFUND_STATUS.get(str(refund.get("status")), "pending"),
    )


def _of_dispute(dispute: Mapping[str, Any]) -> News:
    return News(
        _DISPUTE_SAYS.get(str(dispute.get("status")), "disputed"),
        provider_payment_id=_id_of(dispute.get("payment_intent")),
        amount=paise_at(dispute, "amount"),
        currency=currency_at(dispute, "currency"),
        why=text_at(dispute, "reason"),
        provider_dispute_id=text_at(dispute, "id"),
    )


def _of_subscription(kind: str, about: Mapping[str, Any]) -> News:
    """A subscription itself, or the invoice by which Stripe collects its price."""
    if kind.startswith("invoice."):
        # Newer editions of the interface name it below `parent`.
        subscription = _id_of(about.get("subscription")) or _id_of(
            part(about, "parent", "subscription_details", "subscription")
        )
        said: SubscriptionNews | None = "paid" if kind == "invoice.paid" else "past_due"
    else:
        subscription = text_at(about, "id")
        said = _SUBSCRIPTION_SAYS.get(str(about.get("status")))
    if subscription is None or said is None:
        return News("nothing")
    return News(
        "subscription",
        provider_payment_id=text_at(about, "id"),
        amount=paise_at(about, "amount_paid"),
        currency=currency_at(about, "currency"),
        provider_subscription_id=subscription,
        of_subscription=said,
    )


def _event(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        raise NotAnEventError from None
    if not isinstance(found, dict):
        raise NotAnEventError
    return found


def _id_of(found: object) -> str | None:
    """An object's id, whether it is written out there or only named."""
    return found if isinstance(found, str) and found else text_at(found, "id")


def _plain(answer: Any) -> dict[str, Any]:
    """The package's objects as the JSON that they came as."""
    found: dict[str, Any] = answer.to_dict()
    return found
