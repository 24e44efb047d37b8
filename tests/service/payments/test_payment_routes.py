"""Payments over HTTP: by the firm, by a person of the portal, by the studio, and by strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from service.billing import accounts
from service.identifiers import new_id
from service.invoices import drafting, issuing
from tests.service.conftest import Firm
from tests.service.invoices.conftest import item
from tests.service.payments.conftest import Till

LINK, TOPUP, ORDERS = (
    "/v1/payments/checkout-link",
    "/v1/payments/topup",
    "/v1/payments/orders",
)


def body(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.get_data(as_text=True)
    found: dict[str, Any] = json.loads(answer.get_data())
    return found


@pytest.fixture(scope="module")
def firm(till: Till) -> Firm:
    return Firm(till.books.firm_id, "", "")


@pytest.fixture(scope="module")
def people(till: Till, firm: Firm, make_firm: Any, make_user: Any, sign_in: Any) -> Any:
    """Who calls: the firm, another firm, the studio, and two people of the portal."""
    studio = Firm(till.books.studio_id, "", "", "service")
    outside = make_firm(kind="external")
    persons = [make_user(outside, ["portal_user"]) for _ in range(2)]
    made = {
        "firm": sign_in(make_user(firm, ["super_admin"])),
        "stranger": sign_in(make_user(make_firm(), ["super_admin"])),
        "studio": sign_in(make_user(studio, ["super_admin"]), "studio"),
        "portal": sign_in(persons[0], "portal"),
        "another": sign_in(persons[1], "portal"),
    }
    made["accounts"] = [_portal_account(till, outside, one) for one in persons]
    return made


def _portal_account(till: Till, outside: Firm, person: Any) -> Any:
    with till.books.acting() as connection:
        return accounts.create_account(
            connection,
            till.books.actor,
            outside.tenant_id,
            external_key=accounts.external_key(person.user_id),
            display_name="Specimen Associate",
            account_type="external_associate",
            owner_user_id=person.user_id,
            state_code="29",
        )


def _invoice_of(till: Till, account: Any) -> str:
    with till.books.acting() as connection:
        actor = till.books.actor
        made = drafting.draft(connection, actor, account, (item(),))
        issuing.issue(connection, actor, account, made.invoice_id, key=str(made.invoice_id))
    return str(made.invoice_id)


def test_a_firm_buys_credits_and_sees_what_became_of_it(till: Till, people: Any) -> None:
    asked = {"provider": "razorpay", "credits": 2, "idempotency_key": "firm-1"}

    made = body(people["firm"].post(TOPUP, json=asked), 201)
    again = body(people["firm"].post(TOPUP, json=asked), 201)

    assert again == made
    assert (made["amount"], made["status"], made["currency"]) == ("236.00", "pending", "INR")
    assert made["checkout_url"].startswith(till.stand_ins.url)
    shown = body(people["firm"].get(f"{ORDERS}/{made['payment_order_id']}"), 200)
    assert shown == {**made, "refunds": []}
    listed = body(people["firm"].get(f"{ORDERS}?status=pending"), 200)["items"]
    assert made["payment_order_id"] in [one["payment_order_id"] for one in listed]
    # Another firm, and the portal, see nothing of it.
    for other in ("stranger", "portal"):
        assert people[other].get(f"{ORDERS}/{made['payment_order_id']}").status_code == 404
        assert body(people[other].get(ORDERS), 200)["items"] == []


def test_a_repeat_under_the_headers_key_is_answered_as_before(people: Any) -> None:
    headers = {"Idempotency-Key": str(new_id())}
    asked = {"provider": "stripe", "credits": 1}

    first = people["firm"].post(TOPUP, json=asked, headers=headers)
    second = people["firm"].post(TOPUP, json=asked, headers=headers)

    assert body(second, 201) == body(first, 201)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_repeat_after_a_crash_between_the_two_transactions_goes_on(
    people: Any, monkeypatch: Any
) -> None:
    """The order and the header's key are committed; the process dies before it is answered."""
    from service.payments import checkout

    headers = {"Idempotency-Key": str(new_id())}
    asked = {"provider": "stripe", "credits": 1}

    def die(*_: Any) -> None:
        raise RuntimeError("the process dies")

    with monkeypatch.context() as broken:
        broken.setattr(checkout, "tell_provider", die)
        assert people["firm"].post(TOPUP, json=asked, headers=headers).status_code == 500
    waiting = body(people["firm"].get(f"{ORDERS}?status=unknown"), 200)["items"]
    assert len(waiting) == 1

    made = body(people["firm"].post(TOPUP, json=asked, headers=headers), 201)

    assert made["payment_order_id"] == waiting[0]["payment_order_id"]
    assert made["status"] == "pending"


def test_an_answer_that_does_not_come_is_a_202_and_the_order_is_unknown(
    till: Till, people: Any
) -> None:
    till.stand_ins.fail_next("razorpay", "POST", "/v1/payment_links", "lost")
    asked = {"provider": "razorpay", "credits": 1, "idempotency_key": "unknown-1"}

    made = body(people["firm"].post(TOPUP, json=asked), 202)

    assert (made["status"], made["checkout_url"]) == ("unknown", None)
    assert body(people["firm"].post(TOPUP, json=asked), 201)["status"] == "pending"


def test_no_transaction_is_open_while_the_provider_is_asked(
    people: Any, owner_engine: Any, monkeypatch: Any
) -> None:
    from sqlalchemy import text

    from service.payments import checkout

    real = checkout.tell_provider
    seen = []

    def watched(settings: Any, order: Any) -> Any:
        with owner_engine.connect() as connection:
            seen.append(
                connection.scalar(
                    text(
                        "select count(*) from pg_stat_activity where usename = 'zen_api' and"
                        " datname = current_database() and state <> 'idle'"
                    )
                )
            )
            seen.append(
                connection.scalar(
                    text("select status from payment_orders where payment_order_id = :order"),
                    {"order": order.payment_order_id},
                )
            )
        return real(settings, order)

    monkeypatch.setattr(checkout, "tell_provider", watched)
    body(
        people["firm"].post(
            TOPUP, json={"provider": "stripe", "credits": 1, "idempotency_key": "watched"}
        ),
        201,
    )

    assert seen == [0, "unknown"]


def test_a_person_of_the_portal_pays_their_own_invoice_and_no_others(
    till: Till, people: Any
) -> None:
    """Weakness 52: they saw everybody's orders, and could pay nothing."""
    own, others = people["accounts"]
    invoice = _invoice_of(till, own)
    asked = {"provider": "stripe", "invoice_id": invoice, "idempotency_key": "portal-1"}

    assert people["another"].post(LINK, json=asked).status_code == 404
    made = body(people["portal"].post(LINK, json=asked), 201)

    assert (made["account_id"], made["amount"]) == (str(own.account_id), "1180.00")
    till.stand_ins.say(f"/stripe/local/{made['provider_order_id']}/pay", {})
    order = till.stand_ins.objects("stripe", id=made["provider_order_id"])[0]
    assert order["payment_status"] == "paid"
    assert body(people["portal"].get(ORDERS), 200)["items"][0]["invoice_id"] == invoice
    assert body(people["another"].get(ORDERS), 200)["items"] == []
    wrong = {**asked, "account_id": str(others.account_id), "idempotency_key": "portal-2"}
    assert people["portal"].post(LINK, json=wrong).status_code == 404
    bought = {"provider": "razorpay", "credits": 1, "idempotency_key": "portal-3"}
    assert body(people["portal"].post(TOPUP, json=bought), 201)["account_id"] == str(own.account_id)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"purpose": "topup"}, "credits"),
        ({"purpose": "topup", "credits": 1, "invoice_id": "x"}, "credits"),
        ({}, "invoice_id"),
        ({"invoice_id": "x", "credits": 1}, "invoice_id"),
        ({"purpose": "topup", "credits": 0}, "credits"),
        ({"purpose": "topup", "credits": 1, "amount": 1}, "amount"),
        ({"purpose": "topup", "credits": 1, "provider": "barter"}, "provider"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(people: Any, asked: Any, field: str) -> None:
    whole = {"provider": "stripe", "idempotency_key": "k", **asked}

    found = body(people["firm"].post(LINK, json=whole), 422)

    assert [one["field"] for one in found["errors"]] == [field]


def test_a_payment_needs_a_key(people: Any) -> None:
    found = body(people["firm"].post(TOPUP, json={"provider": "stripe", "credits": 1}), 400)

    assert found["code"] == "IDEMPOTENCY_KEY_REQUIRED"


def test_the_studio_gives_back_and_nobody_else_does(till: Till, people: Any) -> None:
    order = till.opened(till.books.account())
    till.stand_ins.pull(order, "pay")
    till.hear("stripe", till.stand_ins.events(order)["checkout.session.completed"][1])
    path = f"{ORDERS}/{order.payment_order_id}/refunds"
    asked = {"amount": "590.00", "reason": "paid twice", "idempotency_key": "r-1"}

    for other in ("firm", "stranger", "portal"):
        assert people[other].post(path, json=asked).status_code == 403
    made = body(people["studio"].post(path, json=asked), 201)

    assert (made["refund"]["status"], made["refund"]["amount"]) == ("succeeded", "590.00")
    assert (made["order"]["status"], made["order"]["refunded"]) == ("partially_refunded", "590.00")
    assert body(people["studio"].post(path, json=asked), 201) == made
    more = {**asked, "amount": "590.01", "idempotency_key": "r-2"}
    assert body(people["studio"].post(path, json=more), 409)["refundable"] == "590.00"
    shown = body(people["firm"].get(f"{ORDERS}/{order.payment_order_id}"), 200)
    assert [one["amount"] for one in shown["refunds"]] == ["590.00"]


def test_events_are_the_studios_to_see(till: Till, people: Any) -> None:
    order = till.opened(till.books.account())
    till.stand_ins.pull(order, "pay")
    event_id, event = till.stand_ins.events(order)["checkout.session.completed"]
    till.hear("stripe", event, event_id)

    found = body(
        people["studio"].get(f"/v1/payments/events?payment_order_id={order.payment_order_id}"), 200
    )

    (one,) = found["items"]
    assert (one["provider_event_id"], one["status"]) == (event_id, "processed")
    for other in ("firm", "portal"):
        assert people[other].get("/v1/payments/events").status_code == 403


@pytest.fixture
def listening(till: Till, app: Any) -> Iterator[None]:
    """The application behind a port, where the stand-ins deliver."""
    server = make_server("127.0.0.1", till.stand_ins.webhook_port, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("provider", ["stripe", "razorpay"])
def test_what_a_stand_in_delivers_twice_and_in_disorder_is_paid_once(
    till: Till, people: Any, run_jobs: Any, provider: str
) -> None:
    import time

    account = till.books.account()
    order = till.opened(account, provider=provider)
    say = till.stand_ins.say
    try:
        say(f"/{provider}/local/deliveries", {"copies": 2, "held": True})
        till.stand_ins.pull(order, "pay", outcome="failed")
        till.stand_ins.pull(order, "pay", outcome="paid")
        say(f"/{provider}/local/deliveries", {"copies": 1, "held": False, "shuffled": True})
        deadline = time.monotonic() + 40
        while say(f"/{provider}/local/deliveries")["under_way"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        say(f"/{provider}/local/deliveries", {"copies": 1, "held": True})
    run_jobs()

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10
    events = body(
        people["studio"].get(
            f"/v1/payments/events?payment_order_id={order.payment_order_id}&status=processed"
        ),
        200,
    )["items"]
    assert len(events) == len({one["provider_event_id"] for one in events}) >= 3
    assert "delivery.over" in till.stand_ins.log.read_text()
