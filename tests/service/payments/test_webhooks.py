"""The providers' webhooks: who may speak there, and what is kept before anybody is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from sqlalchemy import text

from service.api.payments import LARGEST_EVENT
from service.identifiers import new_id
from tests.service.payments.conftest import RAZORPAY_SECRET, STRIPE_SECRET, Till

pytestmark = pytest.mark.usefixtures("till")

STRIPE, RAZORPAY = "/v1/payments/webhooks/stripe", "/v1/payments/webhooks/razorpay"


def stripe_event(**more: Any) -> dict[str, Any]:
    return {"id": f"evt_{new_id()}", "object": "event", "type": "payout.paid", **more}


def signed_by_stripe(body: bytes, secret: str = STRIPE_SECRET, age: float = 0) -> dict[str, str]:
    at = int(time.time() - age)
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={signature}"}


def signed_by_razorpay(
    body: bytes, event_id: str | None, secret: str = RAZORPAY_SECRET
) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    beside = {} if event_id is None else {"X-Razorpay-Event-Id": event_id}
    return {"X-Razorpay-Signature": signature, **beside}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, json.loads(answer.get_data())["code"]


def told(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = json.loads(answer.get_data())
    return found


def test_a_signed_event_is_stored_once_with_its_job_and_repetitions_are_answered_alike(
    till: Till, client: Any, owner_engine: Any
) -> None:
    body = json.dumps(stripe_event()).encode()

    first = told(client.post(STRIPE, body=body, headers=signed_by_stripe(body)))
    again = told(client.post(STRIPE, body=body, headers=signed_by_stripe(body)))

    assert (first["duplicate"], first["processed"]) == (False, False)
    assert again == {**first, "duplicate": True}
    with owner_engine.connect() as connection:
        jobs = connection.execute(
            text("select kind, status, tenant_id from operations where subject_id = :event"),
            {"event": first["event_id"]},
        ).all()
        kept = connection.scalar(
            text("select payload from payment_events where event_id = :event"),
            {"event": first["event_id"]},
        )
    assert [(one.kind, one.tenant_id) for one in jobs] == [("payment.event", till.books.studio_id)]
    assert bytes(kept) == body


def test_an_event_is_paid_for_by_its_job(till: Till, client: Any, run_jobs: Any) -> None:
    account = till.books.account()
    order = till.opened(account, provider="razorpay")
    till.stand_ins.pull(order, "pay")
    event_id, event = till.stand_ins.events(order)["payment_link.paid"]
    body = json.dumps(event).encode()

    for _ in range(2):
        told(client.post(RAZORPAY, body=body, headers=signed_by_razorpay(body, event_id)))
    run_jobs()

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10
    last = told(client.post(RAZORPAY, body=body, headers=signed_by_razorpay(body, event_id)))
    assert (last["duplicate"], last["processed"]) == (True, True)


@pytest.mark.parametrize("age", [0, 290])
def test_a_young_signature_of_stripe_counts(client: Any, age: float) -> None:
    body = json.dumps(stripe_event()).encode()

    told(client.post(STRIPE, body=body, headers=signed_by_stripe(body, age=age)))


def test_an_old_signature_of_stripe_is_refused(client: Any) -> None:
    body = json.dumps(stripe_event()).encode()

    answer = client.post(STRIPE, body=body, headers=signed_by_stripe(body, age=310))

    assert code(answer) == (401, "WEBHOOK_SIGNATURE_INVALID")


def test_the_signature_is_over_the_bytes_and_not_over_what_they_mean(client: Any) -> None:
    """Weakness 43: the second family verified JSON that it had written anew."""
    event = stripe_event()
    signed = json.dumps(event).encode()
    same = json.dumps(event, indent=1).encode()

    for body, headers in (
        (same, signed_by_stripe(signed)),
        (same, {"Stripe-Signature": "t=1,v1=" + "0" * 64}),
        (b"\xff\xfe", signed_by_stripe(b"\xff\xfe")),
    ):
        assert code(client.post(STRIPE, body=body, headers=headers)) == (
            401,
            "WEBHOOK_SIGNATURE_INVALID",
        )
    for given in ("nonsense", "t=now,v1=1", "ä"):
        assert (
            client.post(STRIPE, body=signed, headers={"Stripe-Signature": given}).status_code == 401
        )
    body = json.dumps({"entity": "event", "event": "x"}).encode()
    for header in (signed_by_razorpay(body + b" ", "1"), {"X-Razorpay-Signature": "ä"}):
        assert code(client.post(RAZORPAY, body=body, headers=header)) == (
            401,
            "WEBHOOK_SIGNATURE_INVALID",
        )


def test_there_is_one_family_of_webhooks(app: Any) -> None:
    """Weakness 43: /webhooks/stripe and /webhooks/razorpay were a weaker way in."""
    rules = {rule.rule for rule in app.url_map.iter_rules() if "webhook" in rule.rule}

    assert rules == {STRIPE, RAZORPAY}


def test_no_setting_lets_an_event_in_without_its_proof(client: Any) -> None:
    """Weakness 43: a bypass for development was not blocked in production. There is none."""
    from service.settings import VARIABLES

    assert [one.name for one in VARIABLES if "BYPASS" in one.name] == []
    body = json.dumps(stripe_event()).encode()
    assert code(client.post(STRIPE, body=body)) == (401, "MISSING_STRIPE_SIGNATURE")
    assert code(client.post(RAZORPAY, body=body)) == (401, "MISSING_RAZORPAY_SIGNATURE")


def test_without_secrets_nothing_is_taken(app: Any, client: Any) -> None:
    import dataclasses

    service = app.extensions["zenops"]
    bare = dataclasses.replace(
        service.settings, stripe_webhook_secrets=(), razorpay_webhook_secrets=()
    )
    app.extensions["zenops"] = dataclasses.replace(service, settings=bare)
    try:
        answers = [client.post(path, body=b"{}") for path in (STRIPE, RAZORPAY)]
    finally:
        app.extensions["zenops"] = service

    assert [code(one) for one in answers] == [
        (401, "STRIPE_WEBHOOK_SECRET_NOT_CONFIGURED"),
        (401, "RAZORPAY_WEBHOOK_SECRET_NOT_CONFIGURED"),
    ]


def test_secrets_rotate_without_losing_an_event(app: Any, client: Any) -> None:
    import dataclasses

    service = app.extensions["zenops"]
    fresh = "whsec_fresh_0123456789"
    both = dataclasses.replace(
        service.settings,
        stripe_webhook_secrets=(fresh, STRIPE_SECRET),
        razorpay_webhook_secrets=(fresh, RAZORPAY_SECRET),
    )
    app.extensions["zenops"] = dataclasses.replace(service, settings=both)
    try:
        for secret, former in ((fresh, fresh), (STRIPE_SECRET, RAZORPAY_SECRET)):
            body = json.dumps(stripe_event()).encode()
            told(client.post(STRIPE, body=body, headers=signed_by_stripe(body, secret)))
            body = json.dumps({"entity": "event", "event": "x", "n": secret}).encode()
            headers = signed_by_razorpay(body, str(new_id()), former)
            told(client.post(RAZORPAY, body=body, headers=headers))
    finally:
        app.extensions["zenops"] = service


def test_razorpays_event_id_is_that_of_its_header_for_ever(client: Any) -> None:
    """Weakness 42: it fell back to the time of day, so that no repetition was known."""
    body = json.dumps({"entity": "event", "event": "x", "n": str(new_id())}).encode()
    other = json.dumps({"entity": "event", "event": "y", "n": str(new_id())}).encode()

    first = told(client.post(RAZORPAY, body=body, headers=signed_by_razorpay(body, "ev_1")))
    second = told(client.post(RAZORPAY, body=other, headers=signed_by_razorpay(other, "ev_1")))
    # Without the header the same bytes are the same event, whenever they come.
    bare = [
        told(client.post(RAZORPAY, body=other, headers=signed_by_razorpay(other, None)))
        for _ in range(2)
    ]

    assert (second["event_id"], second["duplicate"]) == (first["event_id"], True)
    assert [one["duplicate"] for one in bare] == [False, True]
    assert bare[0]["event_id"] == bare[1]["event_id"] != first["event_id"]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"nonsense", b'{"id": 1, "object": "event"}'])
def test_what_is_signed_but_no_event_is_refused(client: Any, body: bytes) -> None:
    assert code(client.post(STRIPE, body=body, headers=signed_by_stripe(body))) == (
        400,
        "WEBHOOK_NOT_AN_EVENT",
    )
    assert code(client.post(RAZORPAY, body=body, headers=signed_by_razorpay(body, "x"))) == (
        400,
        "WEBHOOK_NOT_AN_EVENT",
    )


def test_a_body_that_is_too_large_is_refused_and_one_that_just_fits_is_not(client: Any) -> None:
    event = stripe_event()
    room = LARGEST_EVENT - len(json.dumps({**event, "pad": ""}))
    fits = json.dumps({**event, "pad": "x" * room}).encode()
    assert len(fits) == LARGEST_EVENT

    told(client.post(STRIPE, body=fits, headers=signed_by_stripe(fits)))
    larger = fits + b" "
    answer = client.post(STRIPE, body=larger, headers=signed_by_stripe(larger))
    assert code(answer) == (413, "BODY_TOO_LARGE")


def test_an_answer_says_nothing_of_secrets_or_of_what_was_sent(client: Any) -> None:
    body = json.dumps(stripe_event(type="private words")).encode()

    answer = client.post(STRIPE, body=body, headers=signed_by_stripe(body, "wrong"))

    said = answer.get_data(as_text=True)
    assert STRIPE_SECRET not in said
    assert "private words" not in said
