"""The older system's client against the running service, over HTTP."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from service.billing.accounts import Account
from service.identifiers import new_id
from tests.service.older_system.older_client import DEFAULT, REMEMBERED_S, OlderClient

NewAccount = Callable[..., Account]


@pytest.fixture
def client(server: str, studio_token: str) -> OlderClient:
    return OlderClient(server, studio_token)


def test_an_account_stands_as_the_older_system_reads_it(
    client: OlderClient, new_account: NewAccount, studio: Any
) -> None:
    account = new_account(3)

    by_key = client.call("GET", "accounts/status", external_key=account.external_key)
    by_id = client.call("GET", f"accounts/{account.account_id}/status")

    assert by_key == by_id
    assert by_key == (
        200,
        {
            "account_id": str(account.account_id),
            "tenant_id": str(studio.tenant_id),
            "account_type": "external_associate",
            "external_key": account.external_key,
            "display_name": "Specimen Partner",
            "account_status": "active",
            "billing_mode": "CREDIT",
            "payment_terms_days": 7,
            "credit_cost_model": "flat",
            "currency": "INR",
            "is_enabled": True,
            "credit": {"wallet": 3, "reserved": 0, "available": 3},
        },
    )


def test_an_account_of_any_firm_is_found_and_asking_for_one_creates_none(
    client: OlderClient, new_account: NewAccount, make_firm: Any, owner_engine: Any
) -> None:
    """Weakness 37: reading an account in the original wrote it."""
    of_a_firm = new_account(tenant_id=make_firm().tenant_id)
    counted = text("select count(*), max(version) from billing_accounts")
    with owner_engine.connect() as connection:
        before = tuple(connection.execute(counted).one())

    assert client.call("GET", f"accounts/{of_a_firm.account_id}/status")[0] == 200
    unknown = client.call("GET", "accounts/status", external_key="v1:partner:nobody")

    assert (unknown[0], unknown[1]["code"]) == (404, "NOT_FOUND")
    with owner_engine.connect() as connection:
        assert tuple(connection.execute(counted).one()) == before


def test_a_channels_key_is_an_account_like_any_other(
    client: OlderClient, new_account: NewAccount
) -> None:
    """Weakness 50: the older system sends v1:channel: keys, which the original's grammar refused."""
    account = new_account(1, kind="channel")

    assert client.status(account.external_key)["billing_mode"] == "CREDIT"
    assert client.reserve(account.external_key, "ch-1")[0] == 200


@pytest.mark.parametrize("key", ["v1:room:1", "v3:partner:1", "v1:partner:", "x", "v1:partner:a b"])
def test_a_key_outside_the_grammar_is_refused_and_the_client_goes_on(
    client: OlderClient, key: str
) -> None:
    code, told = client.call("GET", "accounts/status", external_key=key)

    assert (code, told["code"]) == (400, "EXTERNAL_KEY_INVALID")
    assert client.status(key) == DEFAULT
    assert client.emit("work_accepted", key, 1)[1]["matched"] is False


def test_a_status_is_remembered_for_45_seconds_and_asked_for_again_then(
    server: str, studio_token: str, new_account: NewAccount
) -> None:
    at = [0.0]
    client = OlderClient(server, studio_token, clock=lambda: at[0])
    account = new_account(2)

    client.status(account.external_key)
    client.reserve(account.external_key, "w-1")
    at[0] = REMEMBERED_S - 0.1
    assert client.status(account.external_key)["available"] == 2
    at[0] = REMEMBERED_S
    assert client.status(account.external_key)["available"] == 1


def test_without_the_service_the_older_system_goes_on_with_what_it_knew(
    server: str, studio_token: str, new_account: NewAccount
) -> None:
    at = [0.0]
    client = OlderClient(server, studio_token, clock=lambda: at[0], timeout=0.5)
    account = new_account(2)
    client.status(account.external_key)
    client.base = "http://127.0.0.1:9"
    at[0] = 100.0

    assert client.status(account.external_key)["billing_mode"] == "CREDIT"
    assert client.status(account.external_key)["stale"] is True
    assert client.status("v1:partner:never-seen") == DEFAULT
    assert client.reserve(account.external_key, "w-2") == (0, None)


def test_an_answer_that_comes_too_late_is_found_under_the_same_key(
    server: str, studio_token: str, new_account: NewAccount, owner_engine: Any
) -> None:
    """The client gave up while the account was locked; its retry finds the one reservation."""
    client = OlderClient(server, studio_token, timeout=0.7)
    account = new_account(5)
    with owner_engine.begin() as connection:
        connection.execute(
            text("select 1 from credit_wallets where account_id = :account for update"),
            {"account": account.account_id},
        )
        assert client.reserve(account.external_key, "w-3", attempts=1) == (0, None)
    client.timeout = 5.0

    code, told = client.reserve(account.external_key, "w-3")

    assert code == 200
    assert told["credit"] == {"wallet": 5, "reserved": 1, "available": 4}
    again = client.reserve(account.external_key, "w-3")[1]
    assert again["idempotent"] is True
    assert again["reservation"]["id"] == told["reservation"]["id"]


def test_a_retry_under_one_key_from_many_workers_reserves_once(
    server: str, studio_token: str, new_account: NewAccount
) -> None:
    account = new_account(5)

    def once(_: int) -> Any:
        return OlderClient(server, studio_token).reserve(account.external_key, "w-4")

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(once, range(16)))

    assert {code for code, _ in told} == {200}
    assert len({one["reservation"]["id"] for _, one in told}) == 1
    assert told[0][1]["credit"]["reserved"] == 1


def test_reserve_consume_and_release_speak_the_originals_codes(
    client: OlderClient, new_account: NewAccount
) -> None:
    account, later = new_account(2), new_account(0)
    key = account.external_key
    one = client.reserve(key, "a")[1]["reservation"]
    two = client.reserve(key, "b")[1]["reservation"]

    poor = client.reserve(key, "c")
    postpaid = client.reserve(later.external_key, "a")
    consumed = client.call(
        "POST", "credits/consume", {"reservation_id": one["id"], "idempotency_key": "c-1"}
    )
    released = client.call(
        "POST",
        "credits/release",
        {"external_key": key, "ref_type": "channel_request", "ref_id": "b",
         "idempotency_key": "r-1"},
    )  # fmt: skip
    late = client.call(
        "POST", "credits/release", {"reservation_id": one["id"], "idempotency_key": "r-2"}
    )
    later_still = client.call(
        "POST", "credits/consume", {"reservation_id": two["id"], "idempotency_key": "c-2"}
    )
    nothing = client.call(
        "POST", "credits/consume", {"reservation_id": str(new_id()), "idempotency_key": "c-3"}
    )
    reused = client.call(
        "POST", "credits/consume",
        {"reservation_id": two["id"], "idempotency_key": "v1:reserve:b"},
    )  # fmt: skip
    keyless = client.call("POST", "credits/consume", {"reservation_id": two["id"]})

    assert (poor[0], poor[1]["code"]) == (409, "INSUFFICIENT_CREDITS")
    assert (postpaid[0], postpaid[1]["code"]) == (409, "BILLING_MODE_NOT_CREDIT")
    assert (consumed[0], consumed[1]["credit"]) == (
        200, {"wallet": 1, "reserved": 1, "available": 0},
    )  # fmt: skip
    assert consumed[1]["reservation"]["status"] == "consumed"
    assert released[1]["credit"] == {"wallet": 1, "reserved": 0, "available": 1}
    assert (late[0], late[1]["code"]) == (409, "RESERVATION_ALREADY_CONSUMED")
    assert (later_still[0], later_still[1]["code"]) == (409, "RESERVATION_ALREADY_RELEASED")
    assert nothing[0] == 404
    # Weakness 41: there, a reservation's key used to consume was answered as if it had.
    assert (reused[0], reused[1]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert (keyless[0], keyless[1]["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_an_operator_may_override_through_the_older_system_and_it_says_so(
    client: OlderClient, new_account: NewAccount
) -> None:
    account = new_account(1)
    body = {"external_key": account.external_key, "ref_type": "channel_request", "ref_id": "o",
            "amount": 3, "idempotency_key": "o-1", "operator_override": True}  # fmt: skip

    code, told = client.call("POST", "credits/reserve", body)
    rows = client.call("GET", "credits/ledger", external_key=account.external_key)[1]["items"]

    assert (code, told["credit"]) == (200, {"wallet": 3, "reserved": 3, "available": 0})
    assert [(row["reason"], row["delta"], row["idempotency_key"]) for row in rows] == [
        ("reserve", 3, "o-1"), ("adjustment", 2, "o-1:override"), ("grant", 1, "first"),
    ]  # fmt: skip


def test_the_three_lists_that_the_original_never_had(
    client: OlderClient, new_account: NewAccount
) -> None:
    account = new_account(3)
    for work in ("x", "y"):
        client.reserve(account.external_key, work)
    client.emit("invoice_created", account.external_key, 7)
    named = {"external_key": account.external_key}

    first = client.call("GET", "credits/reservations", **named, limit=1)[1]
    second = client.call(
        "GET", "credits/reservations", **named, limit=1, cursor=first["next_cursor"]
    )[1]
    ledger = client.call("GET", "credits/ledger", account_id=account.account_id)[1]
    story = client.call("GET", "timeline", **named)

    assert [one["ref_id"] for one in first["items"] + second["items"]] == ["y", "x"]
    assert second["next_cursor"] is None
    assert [row["reason"] for row in ledger["items"]] == ["reserve", "reserve", "grant"]
    assert story[0] == 200
    events = [one["event"] for one in story[1]["items"]]
    assert events[:3] == ["invoice_created", "credit_reserved", "credit_reserved"]
    assert events[-1] == "credits_granted"
    assert client.call("GET", "credits/reservations")[1]["code"] == "ACCOUNT_NOT_NAMED"


def test_an_event_is_filed_once_and_of_nobody_known_under_no_firm(
    client: OlderClient, new_account: NewAccount, make_firm: Any, studio: Any, owner_engine: Any
) -> None:
    """Weakness 49: unknown events were filed under one certain firm, keys unique across all."""
    make_firm()
    account, key = new_account(1), f"v1:work_accepted:9:0:{new_id()}"
    unknown = {"event_type": "work_accepted", "external_account_key": "v1:client:who",
               "idempotency_key": key, "payload": {"amount": 12.5, "nested": {"a": [1]}}}  # fmt: skip

    first = client.call("POST", "events", unknown)
    again = client.call("POST", "events", unknown)
    found_out = client.call(
        "POST", "events", {**unknown, "external_account_key": account.external_key}
    )
    other = client.call("POST", "events", {**unknown, "event_type": "invoice_paid"})

    assert (first[0], first[1]["matched"], first[1]["duplicate"]) == (200, False, False)
    assert again[1] == {**first[1], "duplicate": True}
    assert found_out[1]["id"] == first[1]["id"], "one key is one event, wherever it was filed"
    assert (other[0], other[1]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    with owner_engine.connect() as connection:
        row = connection.execute(
            text(
                "select tenant_id, account_id, external_key from usage_events"
                " where operation_key = :key"
            ),
            {"key": key},
        ).one()
    assert tuple(row) == (studio.tenant_id, None, "v1:client:who")


def test_an_event_of_one_key_from_many_workers_is_one(
    server: str, studio_token: str, new_account: NewAccount
) -> None:
    account, key = new_account(), f"v1:invoice_paid:1:2:{new_id()}"

    def tell(number: int) -> Any:
        client = OlderClient(server, studio_token)
        named = account.external_key if number % 2 else "v1:client:unknown"
        body = {"event_type": "invoice_paid", "external_account_key": named, "idempotency_key": key}
        return client.call("POST", "events", body)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(tell, range(8)))

    assert {code for code, _ in told} == {200}
    assert len({one["id"] for _, one in told}) == 1
    assert [one["duplicate"] for _, one in told].count(False) == 1


def test_no_event_is_taken_in_the_name_of_this_system(client: OlderClient) -> None:
    body = {"event_type": "x_y", "idempotency_key": "k", "source_system": "v2"}

    assert client.call("POST", "events", body)[0] == 422


@pytest.mark.parametrize("how", ["missing", "wrong", "firm", "person", "no capability"])
def test_only_a_service_token_of_the_studio_is_let_in(
    how: str, server: str, new_account: NewAccount, make_firm: Any, make_token: Any, studio: Any,
    make_user: Any, sign_in: Any, studio_token: str,
) -> None:  # fmt: skip
    account = new_account(1)
    if how == "firm":
        token, expected = make_token(make_firm()), (401, "INVALID_STUDIO_SERVICE_TOKEN")
    elif how == "person":
        token = sign_in(make_user(studio, ["super_admin"]), "studio").token
        expected = (403, "AUDIENCE_MISMATCH")
    elif how == "no capability":
        token = make_token(studio, "studio", ("billing.read",))
        expected = (403, "CAPABILITY_MISSING")
    else:
        token = {"missing": "", "wrong": studio_token[:-3] + "abc"}[how]
        expected = (401, "INVALID_STUDIO_SERVICE_TOKEN")
    client = OlderClient(server, token)
    named = {"external_key": account.external_key}
    writing = {**named, "ref_type": "channel_request", "ref_id": "t", "idempotency_key": "t"}

    for told in (
        client.call("GET", "accounts/status", **named),
        client.call("POST", "credits/reserve", writing),
        client.call("POST", "events", {"event_type": "x_y", "idempotency_key": "t"}),
        client.call("POST", "subscriptions/refill-due", {}),
        client.call("POST", "credits/reconcile", {}),
        client.call("GET", "credits/ledger", **named),
    ):
        assert (told[0], told[1]["code"]) == expected


def test_the_token_may_come_as_a_bearer_too(
    server: str, studio_token: str, new_account: NewAccount
) -> None:
    request = urllib.request.Request(  # noqa: S310 - the test's own server
        f"{server}/v1/billing/accounts/{new_account().account_id}/status",
        headers={"Authorization": f"Bearer {studio_token}"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        assert answer.status == 200


def test_a_firms_token_sees_its_own_story_and_no_others(
    server: str, make_token: Any, make_firm: Any, new_account: NewAccount
) -> None:
    firm = make_firm()
    client = OlderClient(server, make_token(firm, "web", ("billing.read",)))
    foreign = new_account(1)

    named = client.call("GET", "timeline", external_key=foreign.external_key)
    by_id = client.call("GET", "timeline", account_id=foreign.account_id)

    assert named == (200, {"items": [], "next_cursor": None})
    assert by_id[0] == 404


def test_the_hourly_round_answers_within_the_clients_patience(client: OlderClient) -> None:
    began = time.monotonic()
    refilled = client.call("POST", "subscriptions/refill-due", {"limit": 150, "shard": 1})
    reconciled = client.call("POST", "credits/reconcile", {"limit": 250, "timeout_minutes": 90})

    assert time.monotonic() - began < 5
    assert refilled[0] == reconciled[0] == 200
    assert set(refilled[1]) == {
        "scanned", "refilled", "skipped", "past_due", "suspended", "reactivated", "errors",
        "next_cursor",
    }  # fmt: skip
    assert set(reconciled[1]) == {
        "dry_run", "scanned", "consumed", "released", "skipped", "errors", "next_cursor",
    }  # fmt: skip
