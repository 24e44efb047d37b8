"""Razorpay as its package meets it: payment links, payments, refunds, disputes, and their events.

Names and states are those of razorpay.com/docs/api; a payment by a link names the link in its
description alone, and carries none of its notes.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from service.payments.local_providers.delivering import Deliveries
from service.payments.local_providers.store import (
    Store,
    as_it_is,
    digest_of,
    public,
    random_id,
    unix_now,
)

_SHORTEST_S = 900


def blueprint(store: Store, deliveries: Deliveries, key_id: str, key_secret: str) -> Blueprint:
    """The routes of Razorpay, for whoever has the key."""
    api = Blueprint("razorpay", __name__)

    @api.before_request
    def check_key() -> Response | None:
        given = request.authorization
        if given and (given.username, given.password) == (key_id, key_secret):
            return None
        return _error(401, "Authentication failed")

    @api.post("/v1/payment_links")
    def create_link() -> Response:
        with store.lock:
            return _new_link(store, request.get_json())

    @api.get("/v1/payment_links")
    def list_links() -> Response:
        reference = request.args.get("reference_id")
        wanted = {} if reference is None else {"reference_id": reference}
        return jsonify({"payment_links": [public(one) for one in _links(store, **wanted)]})

    @api.get("/v1/payment_links/<link_id>")
    def show_link(link_id: str) -> Response:
        found = store.objects.get(link_id)
        if found is None or not link_id.startswith("plink_"):
            return _error(400, "The id provided does not exist")
        return jsonify(public(found))

    @api.post("/v1/payments/<payment_id>/refund")
    def create_refund(payment_id: str) -> Response:
        with store.lock:
            return _new_refund(store, deliveries, payment_id)

    @api.get("/v1/payments/<payment_id>/refunds")
    def list_refunds(payment_id: str) -> Response:
        found = store.all_of("refund", payment_id=payment_id)
        return jsonify({"entity": "collection", "count": len(found), "items": found})

    return api


def pay(store: Store, deliveries: Deliveries, link: dict[str, Any], outcome: str) -> None:
    """What a payer does on the page: `paid`, `failed`, or `later`: authorised, not captured yet."""
    if link["status"] != "created":
        return
    order = store.find(link["_order"] or "", "order")
    if order is None:
        order = store.add(_new_order(link))
        link["_order"] = order["id"]
    waiting = store.all_of("payment", order_id=order["id"], status="authorized")
    if waiting:
        payment = waiting[0]
    else:
        payment = store.add(_new_payment(link, order))
        order["attempts"] += 1
    if outcome == "failed":
        payment |= {
            "status": "failed",
            "error_code": "BAD_REQUEST_ERROR",
            "error_description": "The payment was declined.",
        }
        _tell(store, deliveries, "payment.failed", payment=payment)
        return
    if not waiting:
        payment["status"] = "authorized"
        _tell(store, deliveries, "payment.authorized", payment=payment)
    if outcome == "later":
        return
    payment |= {"status": "captured", "captured": True}
    order |= {"status": "paid", "amount_paid": order["amount"], "amount_due": 0}
    link |= {
        "status": "paid",
        "amount_paid": link["amount"],
        "order_id": order["id"],
        "payments": [
            {
                "amount": payment["amount"],
                "created_at": payment["created_at"],
                "method": payment["method"],
                "payment_id": payment["id"],
                "plink_id": link["id"],
                "status": "captured",
            }
        ],
        "updated_at": unix_now(),
    }
    _tell(store, deliveries, "payment.captured", payment=payment)
    _tell(store, deliveries, "order.paid", payment=payment, order=order)
    _tell(store, deliveries, "payment_link.paid", payment_link=link, payment=payment, order=order)


def expire(store: Store, deliveries: Deliveries, link: dict[str, Any]) -> None:
    """The link's time is over."""
    link |= {"status": "expired", "expired_at": unix_now(), "updated_at": unix_now()}
    _tell(store, deliveries, "payment_link.expired", payment_link=link)


def dispute(store: Store, deliveries: Deliveries, link: dict[str, Any], outcome: str) -> None:
    """The payer's bank takes the payment back (`created`), for good (`lost`) or not (`won`)."""
    payment = _payment_of(store, link)
    known = store.all_of("dispute", payment_id=payment["id"])
    found = known[0] if known else None
    if found is None:
        found = store.add(
            {
                "id": random_id("disp_", 14),
                "entity": "dispute",
                "payment_id": payment["id"],
                "amount": payment["amount"] - payment["amount_refunded"],
                "amount_deducted": 0,
                "created_at": unix_now(),
                "currency": payment["currency"],
                "phase": "chargeback",
                "reason_code": "processing_error",
                "respond_by": unix_now() + 86_400,
                "status": "open",
            }
        )
        _tell(store, deliveries, "payment.dispute.created", payment=payment, dispute=found)
    if outcome in {"won", "lost"}:
        found["status"] = outcome
        found["amount_deducted"] = found["amount"] if outcome == "lost" else 0
        _tell(store, deliveries, f"payment.dispute.{outcome}", payment=payment, dispute=found)


def refund_at_desk(store: Store, deliveries: Deliveries, link: dict[str, Any], amount: int) -> None:
    """Somebody refunds at the provider's own desk, so that nothing in it names our rows."""
    _refunded(store, deliveries, _payment_of(store, link), amount, {})


def _new_link(store: Store, given: dict[str, Any]) -> Response:
    if _links(store, reference_id=given["reference_id"]):
        return _error(400, "A link with this reference_id exists")
    if given["expire_by"] - unix_now() < _SHORTEST_S or given["amount"] < 100:
        return _error(400, "The link lasts too short, or for too little")
    link_id = random_id("plink_", 14)
    made = store.add(
        {
            "accept_partial": given["accept_partial"],
            "amount": given["amount"],
            "amount_paid": 0,
            "callback_method": given.get("callback_method", ""),
            "callback_url": given.get("callback_url", ""),
            "cancelled_at": 0,
            "created_at": unix_now(),
            "currency": given["currency"],
            "customer": {},
            "description": given["description"],
            "expire_by": given["expire_by"],
            "expired_at": 0,
            "first_min_partial_amount": 0,
            "id": link_id,
            "notes": given["notes"],
            "notify": given["notify"],
            "payments": None,
            "reference_id": given["reference_id"],
            "reminder_enable": given["reminder_enable"],
            "reminders": [],
            "short_url": f"{request.host_url}razorpay/pay/{link_id}",
            "status": "created",
            "updated_at": 0,
            "upi_link": False,
            "user_id": "",
            "_order": None,
        }
    )
    return jsonify(public(made))


def _new_order(link: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": random_id("order_", 14),
        "entity": "order",
        "amount": link["amount"],
        "amount_due": link["amount"],
        "amount_paid": 0,
        "attempts": 0,
        "created_at": unix_now(),
        "currency": link["currency"],
        "notes": link["notes"],
        "offer_id": None,
        "receipt": link["reference_id"],
        "status": "attempted",
    }


def _new_payment(link: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": random_id("pay_", 14),
        "entity": "payment",
        "amount": link["amount"],
        "amount_refunded": 0,
        "amount_transferred": 0,
        "captured": False,
        "contact": "",
        "created_at": unix_now(),
        "currency": link["currency"],
        "description": "#" + link["id"].removeprefix("plink_"),
        "email": "",
        "error_code": None,
        "error_description": None,
        "fee": 0,
        "international": False,
        "invoice_id": None,
        "method": "netbanking",
        "notes": [],
        "order_id": order["id"],
        "refund_status": None,
        "status": "created",
        "tax": 0,
    }


def _new_refund(store: Store, deliveries: Deliveries, payment_id: str) -> Response:
    given = request.get_json()
    digest = digest_of(request)
    key = request.headers.get("X-Refund-Idempotency")
    if key is not None and (known := store.answers.get(key)):
        if known[0] != digest:
            return _error(400, "Different request body sent for the same idempotency key")
        return jsonify(known[2])
    payment = store.find(payment_id, "payment")
    amount = int(given["amount"])
    if payment is None or not payment["captured"]:
        return _error(400, "The payment status should be captured for action to be taken")
    if not 0 < amount <= payment["amount"] - payment["amount_refunded"]:
        return _error(400, "The total refund amount is greater than the refund payment amount")
    made = _refunded(store, deliveries, payment, amount, given.get("notes", {}))
    if key is not None:
        store.answers[key] = (digest, 200, as_it_is(made))
    return jsonify(made)


def _refunded(
    store: Store,
    deliveries: Deliveries,
    payment: dict[str, Any],
    amount: int,
    notes: dict[str, Any],
) -> dict[str, Any]:
    made = store.add(
        {
            "id": random_id("rfnd_", 14),
            "entity": "refund",
            "acquirer_data": {"arn": None},
            "amount": amount,
            "batch_id": None,
            "created_at": unix_now(),
            "currency": payment["currency"],
            "notes": notes or [],
            "payment_id": payment["id"],
            "receipt": None,
            "speed_processed": "normal",
            "speed_requested": "normal",
            "status": "processed",
        }
    )
    payment["amount_refunded"] += amount
    whole = payment["amount_refunded"] == payment["amount"]
    payment |= {
        "refund_status": "full" if whole else "partial",
        "status": "refunded" if whole else "captured",
    }
    _tell(store, deliveries, "refund.created", refund=made, payment=payment)
    _tell(store, deliveries, "refund.processed", refund=made, payment=payment)
    return made


def _payment_of(store: Store, link: dict[str, Any]) -> dict[str, Any]:
    return store.all_of("payment", order_id=link["_order"], captured=True)[0]


def _tell(store: Store, deliveries: Deliveries, kind: str, **about: dict[str, Any]) -> None:
    event = {
        "account_id": "acc_LocalStandIn00",
        "contains": list(about),
        "created_at": unix_now(),
        "entity": "event",
        "event": kind,
        "payload": {name: {"entity": public(as_it_is(one))} for name, one in about.items()},
    }
    event_id = random_id("", 14)
    store.events.append((event_id, event))
    deliveries.send(event_id, event)


def _links(store: Store, **values: Any) -> list[dict[str, Any]]:
    """Links have no kind written in them; their ids tell."""
    return [
        one
        for one in reversed(list(store.objects.values()))
        if one["id"].startswith("plink_") and all(one[name] == it for name, it in values.items())
    ]


def _error(status: int, words: str) -> Response:
    answer = jsonify(
        {
            "error": {
                "code": "BAD_REQUEST_ERROR",
                "description": words,
                "source": "business",
                "step": "NA",
                "reason": "NA",
                "metadata": {},
            }
        }
    )
    answer.status_code = status
    return answer
