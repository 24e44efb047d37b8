"""Razorpay: payment links, payments, refunds, disputes, signed events.

The objects are described at razorpay.com/docs/api; what is read here are the entities payment_link,
payment, order, refund and dispute. A link's `reference_id` is our order's id: one reference has one
link, and finds it again. A payment by a link says so in its description, `#` and the link's id, and
carries none of the link's notes; its order's receipt is the link's reference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog

from service.identifiers import read_id
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
    from uuid import UUID

    from service.payments.records import Order, Refund
    from service.settings import Settings

# As for the other provider: loaded when it is needed.
# ruff: noqa: PLC0415

_REFUND_STATUS: Mapping[str, RefundStatus] = {"processed": "succeeded", "failed": "failed"}
_LINK_SAYS: Mapping[str, Says] = {
    "created": "open",
    "partially_paid": "paid",
    "paid": "paid",
    "expired": "expired",
    "cancelled": "cancelled",
}
_PAYMENT_SAYS: Mapping[str, Says] = {
    "created": "open",
    "authorized": "authorized",
    "captured": "paid",
    "refunded": "paid",
    "failed": "failed",
}
_DISPUTE_SAYS: Mapping[str, Says] = {
    "lost": "dispute_lost",
    "won": "dispute_won",
    # An inquiry that became no dispute.
    "closed": "dispute_won",
}
_SUBSCRIPTION_SAYS: Mapping[str, SubscriptionNews] = {
    "subscription.charged": "paid",
    "subscription.pending": "past_due",
    "subscription.halted": "suspended",
    "subscription.paused": "suspended",
    "subscription.resumed": "resumed",
    "subscription.cancelled": "cancelled",
    "subscription.completed": "cancelled",
}

log = structlog.get_logger("zenops.payments")


def is_configured(settings: Settings) -> bool:
    """Whether we have an account at Razorpay."""
    return bool(settings.razorpay_key_id)


def open_checkout(settings: Settings, order: Order) -> News:
    """Make the order's payment link, or find the one with its reference; see `Provider`."""
    return _of_link(_link_of(settings, order), order)


def _new_link(settings: Settings, order: Order) -> dict[str, Any]:
    assert order.expires_at is not None
    return {
        "amount": order.amount,
        "currency": order.currency,
        "accept_partial": False,
        "reference_id": str(order.payment_order_id),
        "description": order.description,
        "expire_by": int(order.expires_at.timestamp()),
        "notes": {ORDER_NOTE: str(order.payment_order_id)},
        # People are told by us.
        "notify": {"sms": False, "email": False},
        "reminder_enable": False,
        "callback_url": f"{settings.public_url}/v1/payments/return",
        "callback_method": "get",
    }


def ask(settings: Settings, order: Order) -> tuple[News, ...]:
    """The link's state, its payment's, and what has gone back; see `Provider`."""
    if (known := order.provider_order_id) is None:
        link = _link_of(settings, order)
    else:
        link = _asked(settings, lambda client: client.payment_link.fetch(known))
    news = [_of_link(link, order)]
    payment_id = news[0].provider_payment_id
    if news[0].says != "paid" or payment_id is None:
        return tuple(news)
    refunds = _asked(settings, lambda client: client.payment.fetch_multiple_refund(payment_id))
    news += [_of_refund(one) for one in refunds["items"]]
    return tuple(news)


def refund(settings: Settings, order: Order, refund: Refund) -> News:
    """Refund the order's payment, or get the refund that the key has made; see `Provider`."""
    assert order.provider_payment_id is not None
    payment_id = order.provider_payment_id
    data = {
        "amount": refund.amount,
        "notes": {
            ORDER_NOTE: str(order.payment_order_id),
            REFUND_NOTE: str(refund.refund_id),
        },
    }
    headers = {"X-Refund-Idempotency": str(refund.refund_id)}
    made = _asked(settings, lambda client: client.payment.refund(payment_id, data, headers=headers))
    return _of_refund(made)


def verify(settings: Settings, raw: bytes, headers: Mapping[str, str]) -> Heard:
    """See that Razorpay has signed these bytes; see `Provider`.

    The signature has no time, so an old event can be sent again: its id is kept for ever.
    """

    def is_signed(signature: str, secret: str) -> bool:
        import razorpay

        try:
            razorpay.Utility().verify_webhook_signature(raw.decode(), signature, secret)
        except (razorpay.errors.SignatureVerificationError, UnicodeDecodeError, TypeError):
            # A signature that is not ASCII cannot be compared at all.
            return False
        return True

    secrets = settings.razorpay_webhook_secrets
    check_signature("razorpay", "X-Razorpay-Signature", headers, secrets, is_signed)
    try:
        event = json.loads(raw)
    except ValueError:
        raise NotAnEventError from None
    event_type = text_at(event, "event")
    if event_type is None or part(event, "entity") != "event":
        raise NotAnEventError
    created = paise_at(event, "created_at")
    return Heard(
        # The id comes beside the event and is not signed. Where it is missing, the same bytes are
        # the same event; the time of day would make each repetition a new one.
        headers.get("X-Razorpay-Event-Id", "").strip()[:200]
        or f"sha256:{hashlib.sha256(raw).hexdigest()}",
        event_type,
        None if created is None else datetime.fromtimestamp(created, UTC),
    )


def read_news(event: Mapping[str, object]) -> News:
    """What an event says; see `Provider`."""
    kind = text_at(event, "event") or ""

    def entity(name: str) -> Mapping[str, Any]:
        found = part(event, "payload", name, "entity")
        return found if isinstance(found, Mapping) else {}

    payment = entity("payment")
    if kind.startswith("payment_link."):
        return _of_link(entity("payment_link"), None, payment=payment)
    if kind.startswith("payment.dispute."):
        return _of_dispute(entity("dispute"), payment)
    if kind.startswith("payment."):
        return _of_payment(payment)
    if kind == "order.paid":
        of_order = entity("order")
        return News(
            "paid",
            order_id=_named(of_order, "receipt"),
            provider_order_id=_link_paid_by(payment),
            provider_payment_id=text_at(payment, "id"),
            amount=paise_at(of_order, "amount_paid"),
            currency=currency_at(of_order, "currency"),
        )
    if kind.startswith("refund."):
        return _of_refund(entity("refund"), payment)
    if kind in _SUBSCRIPTION_SAYS:
        return News(
            "subscription",
            provider_payment_id=text_at(payment, "id"),
            amount=paise_at(payment, "amount"),
            currency=currency_at(payment, "currency"),
            provider_subscription_id=text_at(entity("subscription"), "id"),
            of_subscription=_SUBSCRIPTION_SAYS[kind],
        )
    return News("nothing")


def _link_of(settings: Settings, order: Order) -> Mapping[str, Any]:
    """The link that has the order's reference, made if there is none."""
    wanted = str(order.payment_order_id)
    found = _asked(settings, lambda client: client.payment_link.all({"reference_id": wanted}))
    links: list[dict[str, Any]] = [
        one for one in found["payment_links"] if one.get("reference_id") == wanted
    ]
    if links:
        return links[0]
    return _asked(settings, lambda client: client.payment_link.create(_new_link(settings, order)))


def _of_link(
    link: Mapping[str, Any], order: Order | None, *, payment: Mapping[str, Any] | None = None
) -> News:
    paid_by = text_at(payment, "id")
    payments = link.get("payments")
    if paid_by is None and isinstance(payments, list):
        captured = (text_at(one, "payment_id") for one in payments if _is_captured(one))
        paid_by = next((one for one in captured if one), None)
    return News(
        _LINK_SAYS.get(str(link.get("status")), "nothing"),
        order_id=_named(link, "reference_id")
        or (None if order is None else order.payment_order_id),
        provider_order_id=text_at(link, "id"),
        provider_payment_id=paid_by,
        amount=paise_at(link, "amount_paid"),
        currency=currency_at(link, "currency"),
        url=text_at(link, "short_url"),
    )


def _is_captured(payment: object) -> bool:
    return text_at(payment, "status") in {"captured", "refunded"}


def _of_payment(payment: Mapping[str, Any]) -> News:
    return News(
        _PAYMENT_SAYS.get(str(payment.get("status")), "nothing"),
        order_id=noted_id(payment.get("notes"), ORDER_NOTE),
        provider_order_id=_link_paid_by(payment),
        provider_payment_id=text_at(payment, "id"),
        amount=paise_at(payment, "amount"),
        currency=currency_at(payment, "currency"),
        why=text_at(payment, "error_code"),
    )


def _of_refund(refund: Mapping[str, Any], payment: Mapping[str, Any] | None = None) -> News:
    return News(
        "refund",
        order_id=noted_id(refund.get("notes"), ORDER_NOTE),
        provider_order_id=_link_paid_by(payment),
        provider_payment_id=text_at(refund, "payment_id"),
        amount=paise_at(refund, "amount"),
        currency=currency_at(refund, "currency"),
        refund_id=noted_id(refund.get("notes"), REFUND_NOTE),
        provider_refund_id=text_at(refund, "id"),
        refund_status=_REFUND_STATUS.get(str(refund.get("status")), "pending"),
    )


def _of_dispute(dispute: Mapping[str, Any], payment: Mapping[str, Any]) -> News:
    return News(
        _DISPUTE_SAYS.get(str(dispute.get("status")), "disputed"),
        provider_order_id=_link_paid_by(payment),
        provider_payment_id=text_at(dispute, "payment_id"),
        amount=paise_at(dispute, "amount"),
        currency=currency_at(dispute, "currency"),
        why=text_at(dispute, "reason_code"),
        provider_dispute_id=text_at(dispute, "id"),
    )


def _link_paid_by(payment: object) -> str | None:
    """The link that a payment was made by."""
    said = text_at(payment, "description") or ""
    return f"plink_{said[1:]}" if said.startswith("#") and len(said) > 1 else None


def _named(entity: Mapping[str, Any], reference: str) -> UUID | None:
    """Our order, by its note or by the reference that we gave."""
    return noted_id(entity.get("notes"), ORDER_NOTE) or read_id(text_at(entity, reference) or "")


def _asked(settings: Settings, call: Callable[[Any], Any]) -> dict[str, Any]:
    """What Razorpay answers; whatever does not say for certain that nothing was done is unknown."""
    import razorpay

    client = razorpay.Client(
        session=_session_class()(settings.provider_seconds),
        auth=(settings.razorpay_key_id, settings.razorpay_key_secret),
        base_url=settings.razorpay_url,
    )
    try:
        found: dict[str, Any] = call(client)
    except razorpay.errors.BadRequestError as error:
        raise RefusedError("BAD_REQUEST_ERROR") from error
    except (razorpay.errors.GatewayError, razorpay.errors.ServerError) as error:
        log.warning("payment.no_answer", provider="razorpay", error=type(error).__name__)
        raise NoAnswerError(type(error).__name__) from error
    finally:
        client.session.close()
    return found


@cache
def _session_class() -> Any:
    """The package waits for ever, prints what goes wrong, and takes every answer for JSON."""
    import requests

    class Session(requests.Session):
        """Requests with an end, whose failures are ours."""

        def __init__(self, seconds: int) -> None:
            super().__init__()
            self._seconds = seconds

        def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
            options.setdefault("timeout", self._seconds)
            try:
                answer = super().request(method, url, **options)
                answer.json()
            except requests.RequestException as error:
                log.warning("payment.no_answer", provider="razorpay", error=type(error).__name__)
                raise NoAnswerError(type(error).__name__) from error
            # A wrong key of ours, somebody in between, a call under way with the same key: what
            # became of an earlier call is not said.
            if answer.status_code in {401, 403, 408, 409, 429} or answer.status_code >= 500:
                log.warning("payment.no_answer", provider="razorpay", status=answer.status_code)
                raise NoAnswerError(str(answer.status_code))
            return answer

    return Session
