"""Stripe as its package meets it: Checkout sessions, refunds, disputes, and their events.

Names and states are those of docs.stripe.com/api; bodies come as forms whose names nest in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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

_STEP = re.compile(r"[^\[\]]+")
#: A link has to last half an hour, and no longer than a day.
_SHORTEST_S, _LONGEST_S = 1800, 86_400


def blueprint(store: Store, deliveries: Deliveries, key: str) -> Blueprint:
    """The routes of Stripe, for whoever has the key."""
    api = Blueprint("stripe", __name__)

    @api.before_request
    def check_key() -> Response | None:
        if request.headers.get("Authorization") == f"Bearer {key}":
            return None
        return _error(401, "invalid_request_error", "Invalid API Key provided")

    @api.post("/v1/checkout/sessions")
    def create_session() -> Response:
        return _once(store, lambda given: _new_session(store, given))

    @api.get("/v1/checkout/sessions/<session_id>")
    def show_session(session_id: str) -> Response:
        found = store.find(session_id, "checkout.session")
        if found is None:
            words = f"No such object: {session_id}"
            return _error(404, "invalid_request_error", words, "resource_missing")
        return jsonify(public(found))

    @api.post("/v1/refunds")
    def create_refund() -> Response:
        return _once(store, lambda given: _new_refund(store, deliveries, given))

    @api.get("/v1/refunds")
    def list_refunds() -> Response:
        return _listed(store, "refund", "/v1/refunds")

    @api.get("/v1/disputes")
    def list_disputes() -> Response:
        return _listed(store, "dispute", "/v1/disputes")

    return api


def pay(store: Store, deliveries: Deliveries, session: dict[str, Any], outcome: str) -> None:
    """What a payer does on the page: `paid`, `failed`, or `later` by a slow means of paying."""
    if session["status"] == "expired" or session["payment_status"] == "paid":
        return
    intent = store.find(session["payment_intent"] or "", "payment_intent")
    was_slow = session["status"] == "complete"
    if intent is None:
        intent = store.add(_new_intent(session))
        session["payment_intent"] = intent["id"]
        _tell(store, deliveries, "payment_intent.created", intent)
    if outcome == "later":
        intent["status"] = "processing"
        session["status"] = "complete"
        _tell(store, deliveries, "payment_intent.processing", intent)
        _tell(store, deliveries, "checkout.session.completed", session)
        return
    charge = store.add(_new_charge(intent, outcome == "paid"))
    intent["latest_charge"] = charge["id"]
    if outcome == "failed":
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {"type": "card_error", "code": "card_declined"}
        _tell(store, deliveries, "charge.failed", charge)
        _tell(store, deliveries, "payment_intent.payment_failed", intent)
        if was_slow:
            _tell(store, deliveries, "checkout.session.async_payment_failed", session)
        return
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "last_payment_error": None,
    }
    session |= {"status": "complete", "payment_status": "paid", "url": None}
    _tell(store, deliveries, "charge.succeeded", charge)
    _tell(store, deliveries, "payment_intent.succeeded", intent)
    done = "async_payment_succeeded" if was_slow else "completed"
    _tell(store, deliveries, f"checkout.session.{done}", session)


def expire(store: Store, deliveries: Deliveries, session: dict[str, Any]) -> None:
    """The link's time is over."""
    session |= {"status": "expired", "url": None}
    _tell(store, deliveries, "checkout.session.expired", session)


def dispute(store: Store, deliveries: Deliveries, session: dict[str, Any], outcome: str) -> None:
    """The payer's bank takes the payment back (`created`), for good (`lost`) or not (`won`)."""
    charge = _charge_of(store, session["payment_intent"])
    known = store.all_of("dispute", charge=charge["id"])
    found = known[0] if known else None
    if found is None:
        found = store.add(
            {
                "id": random_id("du_", 24),
                "object": "dispute",
                "amount": charge["amount"] - charge["amount_refunded"],
                "charge": charge["id"],
                "created": unix_now(),
                "currency": charge["currency"],
                "is_charge_refundable": False,
                "livemode": False,
                "metadata": {},
                "payment_intent": charge["payment_intent"],
                "reason": "fraudulent",
                "status": "needs_response",
            }
        )
        charge["disputed"] = True
        _tell(store, deliveries, "charge.dispute.created", found)
        _tell(store, deliveries, "charge.dispute.funds_withdrawn", found)
    if outcome in {"won", "lost"}:
        found["status"] = outcome
        _tell(store, deliveries, "charge.dispute.closed", found)


def refund_at_desk(
    store: Store, deliveries: Deliveries, session: dict[str, Any], amount: int
) -> None:
    """Somebody refunds at the provider's own desk, so that nothing in it names our rows."""
    _new_refund(
        store, deliveries, {"payment_intent": session["payment_intent"], "amount": str(amount)}
    )


def _new_session(store: Store, given: dict[str, Any]) -> Any:
    price = given["line_items"]["0"]["price_data"]
    total = int(price["unit_amount"]) * int(given["line_items"]["0"]["quantity"])
    lasts = int(given["expires_at"]) - unix_now()
    if given.get("mode") != "payment" or not _SHORTEST_S <= lasts <= _LONGEST_S:
        return 400, _problem("parameter_invalid_integer", "expires_at")
    session_id = random_id("cs_test_", 58)
    return 200, store.add(
        {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": total,
            "amount_total": total,
            "cancel_url": given["cancel_url"],
            "client_reference_id": given.get("client_reference_id"),
            "created": unix_now(),
            "currency": price["currency"],
            "customer": None,
            "customer_details": None,
            "expires_at": int(given["expires_at"]),
            "livemode": False,
            "metadata": given.get("metadata", {}),
            "mode": "payment",
            # Made when the payer pays; what it will carry is kept beside the object.
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": given["success_url"],
            "ui_mode": "hosted",
            "url": f"{request.host_url}stripe/pay/{session_id}",
            "_intent_metadata": given.get("payment_intent_data", {}).get("metadata", {}),
            "_description": price["product_data"]["name"],
        }
    )


def _new_intent(session: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": random_id("pi_", 24),
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_received": 0,
        "capture_method": "automatic_async",
        "created": unix_now(),
        "currency": session["currency"],
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": session["_intent_metadata"],
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }


def _new_charge(intent: dict[str, Any], is_paid: bool) -> dict[str, Any]:
    return {
        "id": random_id("ch_", 24),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if is_paid else 0,
        "amount_refunded": 0,
        "captured": is_paid,
        "created": unix_now(),
        "currency": intent["currency"],
        "disputed": False,
        "failure_code": None if is_paid else "card_declined",
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": is_paid,
        "payment_intent": intent["id"],
        "refunded": False,
        "status": "succeeded" if is_paid else "failed",
    }


def _new_refund(store: Store, deliveries: Deliveries, given: dict[str, Any]) -> Any:
    intent = store.find(given.get("payment_intent", ""), "payment_intent")
    if intent is None or intent["status"] != "succeeded":
        return 400, _problem("payment_intent_unexpected_state", "payment_intent")
    charge = _charge_of(store, intent["id"])
    amount = int(given.get("amount") or charge["amount"] - charge["amount_refunded"])
    if charge["disputed"] or not 0 < amount <= charge["amount"] - charge["amount_refunded"]:
        code = "charge_disputed" if charge["disputed"] else "charge_already_refunded"
        return 400, _problem(code, "amount")
    made = store.add(
        {
            "id": random_id("re_", 24),
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "created": unix_now(),
            "currency": charge["currency"],
            "metadata": given.get("metadata", {}),
            "payment_intent": intent["id"],
            "reason": None,
            "status": "succeeded",
        }
    )
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    _tell(store, deliveries, "refund.created", made)
    _tell(store, deliveries, "charge.refunded", charge)
    _tell(store, deliveries, "refund.updated", made)
    return 200, made


def _charge_of(store: Store, intent_id: str) -> dict[str, Any]:
    return store.all_of("charge", payment_intent=intent_id, paid=True)[0]


def _tell(store: Store, deliveries: Deliveries, kind: str, about: dict[str, Any]) -> None:
    event_id = random_id("evt_", 24)
    event = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28",
        "created": unix_now(),
        "data": {"object": public(as_it_is(about))},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    store.events.append((event_id, event))
    deliveries.send(event_id, event)


def _once(store: Store, make: Callable[[dict[str, Any]], Any]) -> Response:
    """The first answer under an idempotency key, whatever it was, for every further request."""
    digest = digest_of(request)
    given = _nested()
    key = request.headers.get("Idempotency-Key")
    with store.lock:
        if key is None:
            status, made = make(given)
        elif known := store.answers.get(key):
            if known[0] != digest:
                return _error(400, "idempotency_error", "Keys are for the same parameters")
            status, made = known[1], known[2]
        else:
            status, made = make(given)
            store.answers[key] = (digest, status, as_it_is(made))
        shown = jsonify(public(made))
    shown.status_code = status
    return shown


def _nested() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.form.items():
        steps = _STEP.findall(name)
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = value
    return found


def _listed(store: Store, kind: str, url: str) -> Response:
    wanted = {name: request.args[name] for name in ("payment_intent",) if name in request.args}
    found = store.all_of(kind, **wanted)
    return jsonify({"object": "list", "data": found, "has_more": False, "url": url})


def _problem(code: str, parameter: str) -> dict[str, Any]:
    words = {"type": "invalid_request_error", "code": code, "param": parameter, "message": code}
    return {"error": words}


def _error(status: int, kind: str, message: str, code: str | None = None) -> Response:
    answer = jsonify({"error": {"type": kind, "message": message, "code": code}})
    answer.status_code = status
    return answer
