"""The routes of billing: what the studio does, what a firm sees, what a person of the portal sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.billing import accounts, credits
from service.bootstrap import Service
from service.identifiers import new_id
from tests.service.billing.conftest import acting, studio
from tests.service.clients import Client


@pytest.fixture(scope="module")
def studio_client(make_firm: Any, make_user: Any, sign_in: Any) -> Client:
    found: Client = sign_in(make_user(make_firm(kind="service"), ["super_admin"]), "studio")
    return found


@pytest.fixture(scope="module")
def firm(make_firm: Any) -> Any:
    return make_firm()


@pytest.fixture(scope="module")
def firm_client(firm: Any, make_user: Any, sign_in: Any) -> Client:
    found: Client = sign_in(make_user(firm, ["owner"]))
    return found


def body_of(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def code_of(answer: Any, status: int) -> str:
    found: str = body_of(answer, status)["code"]
    return found


@pytest.fixture
def account(studio_client: Client, firm: Any) -> Any:
    """A fresh account of the firm, paying with its five credits."""
    made = body_of(
        studio_client.post(
            "/v1/control/accounts",
            json={
                "tenant_id": str(firm.tenant_id),
                "external_key": f"v1:partner:{new_id()}",
                "display_name": "Specimen Partner",
                "bill_to": {"name": "Specimen Partner", "state_code": "29"},
            },
        ),
        201,
    )
    path = f"/v1/control/accounts/{made['account_id']}"
    body_of(
        studio_client.post(f"{path}/credits/grant", json={"amount": 5, "idempotency_key": "first"})
    )
    return body_of(studio_client.patch(f"{path}/policy", json={"billing_mode": "CREDIT"}))


def reservation(account: Any, **more: Any) -> Any:
    return {
        "account_id": account["account_id"],
        "amount": 2,
        "ref_type": "channel_request",
        "ref_id": "one",
        "idempotency_key": "r",
        **more,
    }


def test_a_new_account_is_postpaid_with_the_terms_of_its_kind(
    studio_client: Client, firm: Any
) -> None:
    terms = {}
    for kind in ("tenant", "external_associate"):
        made = body_of(
            studio_client.post(
                "/v1/control/accounts",
                json={
                    "external_key": f"v1:client:{new_id()}",
                    "display_name": "Specimen Client",
                    "account_type": kind,
                },
                headers={"X-Zenops-Tenant": str(firm.tenant_id)},
            ),
            201,
        )
        assert made["tenant_id"] == str(firm.tenant_id)
        assert (made["billing_mode"], made["is_enabled"], made["currency"]) == (
            "POSTPAID",
            True,
            "INR",
        )
        assert made["credit"] == {"wallet": 0, "reserved": 0, "available": 0}
        terms[kind] = made["payment_terms_days"]

    assert terms == {"tenant": 15, "external_associate": 7}


def test_credit_mode_needs_credits_or_force(studio_client: Client, account: Any) -> None:
    path = f"/v1/control/accounts/{account['account_id']}"
    body_of(studio_client.patch(f"{path}/policy", json={"billing_mode": "POSTPAID"}))
    body_of(
        studio_client.post(
            f"{path}/credits/grant",
            json={
                "amount": -5,
                "kind": "adjustment",
                "reason": "granted by mistake",
                "idempotency_key": "away",
            },
        )
    )
    refused = studio_client.patch(f"{path}/policy", json={"billing_mode": "CREDIT"})
    assert code_of(refused, 409) == "CREDIT_MODE_NEEDS_CREDITS"
    forced = studio_client.patch(
        f"{path}/policy", json={"billing_mode": "CREDIT", "force_enable_credit": True}
    )
    assert body_of(forced)["billing_mode"] == "CREDIT"
    story = body_of(
        studio_client.get(
            f"/v1/control/credits/timeline?account_id={account['account_id']}&source=usage"
        )
    )
    assert [one["event"] for one in story["items"]] == [
        "credit_mode_enabled",
        "credit_mode_disabled",
        "credit_mode_enabled",
    ]


def test_a_change_on_an_outdated_version_is_refused(studio_client: Client, account: Any) -> None:
    path = f"/v1/control/accounts/{account['account_id']}"
    seen = studio_client.get(f"{path}/status").headers["ETag"]
    body_of(
        studio_client.patch(
            f"{path}/policy", json={"payment_terms_days": 30}, headers={"If-Match": seen}
        )
    )
    for place, body in (("policy", {"is_enabled": False}), ("status", {"status": "suspended"})):
        late = studio_client.patch(f"{path}/{place}", json=body, headers={"If-Match": seen})
        assert code_of(late, 412) == "VERSION_CONFLICT"
    now = body_of(studio_client.get(f"{path}/status"))
    assert (now["payment_terms_days"], now["is_enabled"], now["account_status"]) == (
        30,
        True,
        "active",
    )


def test_a_reservation_is_made_used_in_part_and_told_again_under_its_key(
    studio_client: Client, account: Any
) -> None:
    made = studio_client.post("/v1/control/credits/reserve", json=reservation(account))
    again = studio_client.post("/v1/control/credits/reserve", json=reservation(account))
    assert body_of(made)["credit"] == {"wallet": 5, "reserved": 2, "available": 3}
    assert made.get_data() == again.get_data()
    assert [one.headers.get("Idempotency-Replayed") for one in (made, again)] == [None, "true"]
    used = body_of(
        studio_client.post(
            "/v1/control/credits/consume",
            json={
                "account_id": account["account_id"],
                "reservation_id": body_of(made)["reservation"]["reservation_id"],
                "amount": 1,
                "idempotency_key": "c",
            },
        )
    )
    assert used["credit"] == {"wallet": 4, "reserved": 0, "available": 4}
    assert (used["reservation"]["status"], used["reservation"]["consumed"]) == ("consumed", 1)
    late = studio_client.post(
        "/v1/control/credits/release",
        json={
            "account_id": account["account_id"],
            "ref_type": "channel_request",
            "ref_id": "one",
            "idempotency_key": "l",
        },
    )
    assert code_of(late, 409) == "RESERVATION_ALREADY_CONSUMED"


def test_a_dry_run_says_what_would_be_and_writes_nothing(
    studio_client: Client, account: Any
) -> None:
    path = f"/v1/control/accounts/{account['account_id']}"
    before = body_of(studio_client.get(f"{path}/verification"))
    tried = body_of(
        studio_client.post("/v1/control/credits/reserve", json=reservation(account, dry_run=True))
    )
    granted = body_of(
        studio_client.post(
            f"{path}/credits/grant",
            json={"amount": 7, "idempotency_key": "g", "dry_run": True},
        )
    )

    assert tried["credit"] == {"wallet": 5, "reserved": 2, "available": 3}
    assert granted["credit"]["wallet"] == 12
    assert (tried["dry_run"], tried["entry_id"]) == (True, None)
    assert body_of(studio_client.get(f"{path}/verification")) == before
    assert before["is_intact"]
    # Nor has it used the key up.
    made = body_of(studio_client.post("/v1/control/credits/reserve", json=reservation(account)))
    assert not made["dry_run"]


def test_an_override_gives_what_lacks_by_an_entry_of_its_own(
    studio_client: Client, account: Any
) -> None:
    wanted = reservation(account, amount=8, operator_override=True)
    refused = studio_client.post("/v1/control/credits/reserve", json=wanted)
    assert code_of(refused, 400) == "OVERRIDE_REASON_REQUIRED"
    made = body_of(
        studio_client.post(
            "/v1/control/credits/reserve", json={**wanted, "override_reason": "the bank waits"}
        )
    )
    assert made["credit"] == {"wallet": 8, "reserved": 8, "available": 0}
    entries = body_of(studio_client.get(f"/v1/control/credits?account_id={account['account_id']}"))[
        "items"
    ]
    assert [(one["kind"], one["idempotency_key"], one["reason"]) for one in entries[:2]] == [
        ("reserve", "r", None),
        ("override", "r:override", "the bank waits"),
    ]
    assert entries[1]["postings"] == {"credits:available": 3, "credits:override": -3}


def test_nobody_but_the_studio_overrides(service: Service, firm_id: Any) -> None:
    from service.actor import Actor
    from service.errors import ServiceError
    from tests.service.billing.conftest import open_account

    account = open_account(service, firm_id, 1)
    for audience in ("web", "portal", "service", "worker"):
        actor = Actor(
            firm_id,
            new_id(),
            audience,
            frozenset({"billing.write"}),
            "x",
            "r",  # type: ignore[arg-type]
        )
        with acting(service, actor) as connection, pytest.raises(ServiceError) as refused:
            credits.reserve(
                connection,
                actor,
                account,
                9,
                key="k",
                ref=("channel_request", "one"),
                override_reason="please",
            )
        assert (refused.value.status, refused.value.code) == (403, "OVERRIDE_NOT_ALLOWED")


@pytest.mark.parametrize("reason", ["", " ", "\t\n"])
def test_a_blank_reason_is_none(service: Service, firm_id: Any, reason: str) -> None:
    from service.errors import ServiceError
    from tests.service.billing.conftest import open_account

    account = open_account(service, firm_id, 1)
    actor = studio(firm_id)
    with acting(service, actor) as connection:
        with pytest.raises(ServiceError) as refused:
            credits.reserve(
                connection,
                actor,
                account,
                9,
                key="k",
                ref=("channel_request", "one"),
                override_reason=reason,
            )
        assert refused.value.code == "OVERRIDE_REASON_REQUIRED"
        with pytest.raises(ServiceError) as refused:
            credits.grant(connection, actor, account, -1, key="k", kind="adjustment", reason=reason)
        assert refused.value.code == "REASON_REQUIRED"


@pytest.mark.parametrize(("length", "is_taken"), [(1, True), (246, True), (0, False), (247, False)])
def test_a_key_leaves_room_for_that_of_its_override(
    service: Service, firm_id: Any, length: int, is_taken: bool
) -> None:
    from service.errors import ServiceError
    from tests.service.billing.conftest import open_account

    account = open_account(service, firm_id, 1)
    actor = studio(firm_id)
    with acting(service, actor) as connection:
        try:
            credits.reserve(
                connection,
                actor,
                account,
                9,
                key="k" * length,
                ref=("channel_request", "one"),
                override_reason="urgent",
            )
        except ServiceError as refusal:
            assert not is_taken
            assert refusal.code == "OPERATION_KEY_INVALID"  # noqa: PT017
        else:
            assert is_taken


@pytest.mark.parametrize(
    ("amount", "is_taken"), [(1, True), (1_000_000_000, True), (0, False), (1_000_000_001, False)]
)
def test_an_operation_moves_at_least_one_credit_and_no_absurd_number(
    service: Service, firm_id: Any, amount: int, is_taken: bool
) -> None:
    from service.errors import ServiceError
    from tests.service.billing.conftest import open_account

    account = open_account(service, firm_id)
    actor = studio(firm_id)
    with acting(service, actor) as connection:
        if is_taken:
            assert credits.grant(connection, actor, account, amount, key="k").wallet == amount
            return
        for act in (
            lambda: credits.grant(connection, actor, account, amount, key="k"),
            lambda: credits.grant(
                connection, actor, account, -amount, key="k", kind="adjustment", reason="so"
            ),
            lambda: credits.reserve(
                connection, actor, account, amount, key="k", ref=("channel_request", "one")
            ),
            lambda: credits.consume(
                connection, actor, account, amount=amount, key="k", ref=("channel_request", "one")
            ),
        ):
            with pytest.raises(ServiceError) as refused:
                act()
            assert (refused.value.status, refused.value.code) == (400, "CREDIT_AMOUNT_INVALID")


def test_a_hold_must_be_named(studio_client: Client, account: Any) -> None:
    answer = studio_client.post(
        "/v1/control/credits/consume",
        json={"account_id": account["account_id"], "idempotency_key": "c"},
    )
    assert code_of(answer, 422) == "VALIDATION_FAILED"


def test_accounts_are_found_by_firm_and_by_a_part_of_name_or_key(
    studio_client: Client, account: Any
) -> None:
    part = account["external_key"][-12:].upper()
    found = body_of(studio_client.get(f"/v1/control/accounts?search={part}"))["items"]
    assert [one["account_id"] for one in found] == [account["account_id"]]
    of_firm = body_of(
        studio_client.get(f"/v1/control/accounts?tenant_id={account['tenant_id']}&limit=100")
    )["items"]
    assert {one["tenant_id"] for one in of_firm} == {account["tenant_id"]}
    assert body_of(studio_client.get("/v1/control/accounts?search=100%25_"))["items"] == []


def test_accounts_come_page_by_page(studio_client: Client, firm: Any, account: Any) -> None:
    query = f"/v1/control/accounts?tenant_id={firm.tenant_id}"
    whole = body_of(studio_client.get(f"{query}&limit=100"))["items"]
    pages: list[Any] = []
    cursor = ""
    while True:
        page = body_of(studio_client.get(f"{query}&limit=1{cursor}"))
        pages += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == whole
    assert whole[0]["account_id"] == account["account_id"]


def test_a_firm_is_founded_with_its_account(studio_client: Client) -> None:
    made = body_of(
        studio_client.post(
            "/v1/control/onboard",
            json={"name": "1 Specimen & Valuers", "owner_email": "owner@onboard.test"},
        ),
        201,
    )
    assert made["account"]["external_key"] == f"v2:tenant:{made['tenant']['tenant_id']}"
    assert (made["account"]["billing_mode"], made["account"]["payment_terms_days"]) == (
        "POSTPAID",
        15,
    )
    assert made["account"]["credit"] == {"wallet": 0, "reserved": 0, "available": 0}
    assert made["tenant"]["slug"].startswith("specimen-valuers-")
    assert made["invitation"]["roles"] == ["super_admin"]
    story = body_of(
        studio_client.get(
            f"/v1/control/credits/timeline?account_id={made['account']['account_id']}"
        )
    )
    assert [one["event"] for one in story["items"]] == ["billing_onboarded"]


def test_a_firm_sees_its_account_and_changes_nothing(
    firm: Any, firm_client: Client, studio_client: Client
) -> None:
    empty = body_of(firm_client.get("/v1/billing/account"))
    assert empty == {"account": None, "billing_mode": "POSTPAID"}
    for place in ("ledger", "holds", "timeline"):
        assert body_of(firm_client.get(f"/v1/billing/{place}")) == {
            "items": [],
            "next_cursor": None,
        }
    made = body_of(
        studio_client.post(
            "/v1/control/accounts",
            json={
                "tenant_id": str(firm.tenant_id),
                "external_key": f"v2:tenant:{firm.tenant_id}",
                "display_name": firm.name,
            },
        ),
        201,
    )
    shown = body_of(firm_client.get("/v1/billing/account"))
    assert shown["account"]["account_id"] == made["account_id"]
    summary = body_of(firm_client.get("/v1/billing/credits/summary"))
    assert summary["primary_account_id"] == made["account_id"]
    granted = firm_client.post(
        f"/v1/control/accounts/{made['account_id']}/credits/grant",
        json={"amount": 5, "idempotency_key": "mine"},
    )
    assert code_of(granted, 403) == "AUDIENCE_MISMATCH"


def test_another_firms_account_is_as_unknown_as_none(
    make_firm: Any, make_user: Any, sign_in: Any, account: Any
) -> None:
    stranger: Client = sign_in(make_user(make_firm(), ["owner"]))
    for place in ("account", "ledger", "holds", "timeline", "credits/summary"):
        answers = [
            body_of(stranger.get(f"/v1/billing/{place}?account_id={which}"), 404)["detail"]
            for which in (account["account_id"], new_id(), "nonsense")
        ]
        assert len(set(answers)) == 1


def test_weakness_52_a_person_of_the_portal_sees_their_own_account_alone(
    service: Service, firm: Any, account: Any, make_user: Any, sign_in: Any
) -> None:
    mine, other = make_user(firm, ["portal_user"]), make_user(firm, ["portal_user"])
    actor = studio(firm.tenant_id)
    made = {}
    with acting(service, actor) as connection:
        for user in (mine, other):
            made[user] = accounts.create_account(
                connection,
                actor,
                firm.tenant_id,
                external_key=accounts.external_key(user.user_id),
                display_name="Specimen Associate",
                account_type="external_associate",
            )
            credits.grant(connection, actor, made[user], 3, key="first")
    portal: Client = sign_in(mine, "portal")

    shown = body_of(portal.get("/v1/billing/account"))["account"]
    assert shown["account_id"] == str(made[mine].account_id)
    assert shown["payment_terms_days"] == 7
    assert body_of(portal.get("/v1/billing/credits/summary")) == {
        "wallet": 3,
        "reserved": 0,
        "available": 3,
        "account_count": 1,
        "primary_account_id": str(made[mine].account_id),
    }
    assert len(body_of(portal.get("/v1/billing/ledger"))["items"]) == 1
    assert len(body_of(portal.get("/v1/billing/timeline"))["items"]) == 1
    for hidden in (str(made[other].account_id), account["account_id"]):
        for place in ("account", "ledger", "holds", "timeline"):
            body_of(portal.get(f"/v1/billing/{place}?account_id={hidden}"), 404)


def pages_of(client: Client, path: str, limit: int) -> Iterator[list[Any]]:
    cursor = ""
    while True:
        page = body_of(client.get(f"{path}&limit={limit}{cursor}"))
        yield page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("place", ["credits", "credits/reservations", "credits/timeline"])
def test_what_happens_while_pages_are_read_hides_nothing_and_shows_nothing_twice(
    studio_client: Client, account: Any, place: str
) -> None:
    for number in range(4):
        body_of(
            studio_client.post(
                "/v1/control/credits/reserve",
                json=reservation(
                    account, amount=1, ref_id=str(number), idempotency_key=f"r{number}"
                ),
            )
        )
    path = f"/v1/control/{place}?account_id={account['account_id']}"
    before = body_of(studio_client.get(f"{path}&limit=100"))["items"]
    read: list[Any] = []
    for number, page in enumerate(pages_of(studio_client, path, 2)):
        read += page
        body_of(
            studio_client.post(
                f"/v1/control/accounts/{account['account_id']}/credits/grant",
                json={"amount": 1, "idempotency_key": f"meanwhile{number}"},
            )
        )
    assert read == before
    assert len(read) >= 4


@pytest.mark.parametrize("cursor", ["x", "bm9uc2Vuc2U=", "MjAyNi0wMS0wMVQwMDowMDowMCBh", "-1", "ä"])
@pytest.mark.parametrize("place", ["credits", "credits/reservations", "credits/timeline"])
def test_a_cursor_that_no_answer_gave_is_refused(
    studio_client: Client, account: Any, place: str, cursor: str
) -> None:
    answer = studio_client.get(
        f"/v1/control/{place}", query_string={"account_id": account["account_id"], "cursor": cursor}
    )
    assert code_of(answer, 400) == "CURSOR_INVALID"


def test_the_story_tells_reserve_use_and_grant_newest_first(
    studio_client: Client, account: Any
) -> None:
    body_of(studio_client.post("/v1/control/credits/reserve", json=reservation(account)))
    body_of(
        studio_client.post(
            "/v1/control/credits/consume",
            json={
                "account_id": account["account_id"],
                "ref_type": "channel_request",
                "ref_id": "one",
                "amount": 1,
                "idempotency_key": "c",
            },
        )
    )
    story = body_of(
        studio_client.get(f"/v1/control/credits/timeline?account_id={account['account_id']}")
    )["items"]

    assert [(one["event"], one["credits"]) for one in story] == [
        ("credit_consumed", 1),
        ("credit_reserved", -2),
        ("credit_mode_enabled", None),
        ("credits_granted", 5),
    ]
    assert [one["at"] for one in story] == sorted((one["at"] for one in story), reverse=True)


def test_a_balance_is_told_for_a_past_instant(studio_client: Client, account: Any) -> None:
    path = f"/v1/control/accounts/{account['account_id']}/balance"
    now = body_of(studio_client.get(path))
    assert now["credit"] == {"wallet": 5, "reserved": 0, "available": 5}
    assert now["receivable"] == "0.00"
    past = body_of(studio_client.get(path, query_string={"at": "2020-01-01T00:00:00+05:30"}))
    assert past["credit"]["wallet"] == 0
    naive = studio_client.get(path, query_string={"at": "2020-01-01T00:00:00"})
    assert code_of(naive, 422) == "VALIDATION_FAILED"


def test_a_firms_credits_are_told_in_one(studio_client: Client, make_firm: Any) -> None:
    found = body_of(studio_client.get(f"/v1/control/credits/tenant/{make_firm().tenant_id}"))
    assert found == {
        "wallet": 0,
        "reserved": 0,
        "available": 0,
        "account_count": 0,
        "primary_account_id": None,
    }
    body_of(studio_client.get(f"/v1/control/credits/tenant/{new_id()}"), 404)


def test_a_story_is_told_by_four_sources_in_one_order(service: Service, owner_engine: Any) -> None:
    from service.billing.timeline import timeline_of
    from service.billing.usage import record_usage
    from tests.service.tenancy.specimen_rows import insert_specimen

    with owner_engine.begin() as connection:
        rows = insert_specimen(connection, new_id(), f"firm-{new_id()}")
    tenant_id = rows["billing_accounts"]["tenant_id"]
    actor = studio(tenant_id)
    with acting(service, actor) as connection:
        account = accounts.find_account(
            connection, tenant_id, rows["billing_accounts"]["account_id"]
        )
        record_usage(connection, actor, account, "work_accepted", key="told")
        whole, cursor = timeline_of(connection, account, limit=100)
        assert cursor is None
        assert {one.source for one in whole} == {"ledger", "usage", "invoices", "payments"}
        places = [(one.at, one.item_id) for one in whole]
        assert places == sorted(places, reverse=True)
        assert len(set(places)) == len(places)
        # One by one it is the same story, although the specimen's rows are of one instant.
        told = []
        page, cursor = timeline_of(connection, account, limit=1)
        while True:
            told += page
            if cursor is None:
                break
            page, cursor = timeline_of(connection, account, limit=1, cursor=cursor)
        assert told == whole
        for source in ("ledger", "usage", "invoices", "payments"):
            part, _ = timeline_of(connection, account, source=source, limit=100)  # type: ignore[arg-type]
            assert part == [one for one in whole if one.source == source]
