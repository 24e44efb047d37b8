"""Plans and subscriptions over the interface: what the studio may do, and what a firm may see."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from service import clock
from service.billing import accounts
from service.errors import ServiceError
from service.identifiers import new_id
from service.subscriptions import subscribing
from service.subscriptions.plans import change_plan
from tests.service.clients import Client
from tests.service.subscriptions.conftest import Books

NOON = (2026, 1, 31, 6, 30)
PLAN = {
    "name": "Small firm", "price_monthly": "499.00", "monthly_credit_allowance": 10,
    "sac": "998399", "tax_rate": "18",
}  # fmt: skip


@pytest.fixture(scope="module")
def control(studio: Any, make_user: Any, sign_in: Any) -> Client:
    found: Client = sign_in(make_user(studio, ["super_admin"]), "studio")
    return found


def _plan(control: Client, **more: Any) -> dict[str, Any]:
    made = control.post("/v1/control/plans", json={**PLAN, "name": f"Plan {new_id()}", **more})
    assert made.status_code == 201, made.get_data(as_text=True)
    found: dict[str, Any] = made.get_json()
    return found


def test_the_studio_subscribes_a_firm_and_the_firm_sees_it(
    control: Client, books: Books, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    firm = make_firm()
    people = sign_in(make_user(firm, ["super_admin"]))
    assert people.get("/v1/billing/subscription").get_json() == {"subscription": None}
    account = _own_account(books, firm.tenant_id)
    plan = _plan(control, price_monthly="0.00")

    made = control.post(
        "/v1/control/subscriptions",
        json={"account_id": str(account.account_id), "plan_id": plan["plan_id"]},
    )
    again = control.post(
        "/v1/control/subscriptions",
        json={"account_id": str(account.account_id), "plan_id": plan["plan_id"]},
    )
    refilled = control.post(
        f"/v1/control/subscriptions/{made.get_json()['subscription_id']}/refill", json={}
    )
    seen = people.get("/v1/billing/subscription").get_json()["subscription"]

    assert made.status_code == 201
    assert made.get_json()["periods"] == []
    assert (again.status_code, again.get_json()["code"]) == (409, "SUBSCRIPTION_EXISTS")
    assert (refilled.get_json()["status"], refilled.get_json()["credits"]) == ("refilled", 10)
    assert seen["subscription_id"] == made.get_json()["subscription_id"]
    assert [(it["period"], it["credits"]) for it in seen["periods"]] == [(0, 10)]


def _own_account(books: Books, tenant_id: Any) -> accounts.Account:
    with books.acting(tenant_id) as connection:
        return accounts.create_account(
            connection, books.actor, tenant_id,
            external_key=f"v2:tenant:{tenant_id}", display_name="The firm", state_code="29",
        )  # fmt: skip


def test_the_studio_marks_an_invoice_paid_and_the_credits_are_there_at_once(
    control: Client, books: Books
) -> None:
    paid, given_up = books.subscribed(price=500), books.subscribed(price=500)
    books.sweep()
    for one, path, body in (
        (paid, "mark-paid", {"mode": "upi"}),
        (given_up, "void", {"reason": "a gift"}),
    ):
        invoice_id = books.periods(one)[0].invoice_id
        told = control.post(f"/v1/invoices/{invoice_id}/{path}", json=body)
        assert told.status_code == 200, told.get_data(as_text=True)

    assert [books.now(one).status for one in (paid, given_up)] == ["active", "active"]
    assert [books.wallet(one) for one in (paid, given_up)] == [5, 0]


def test_a_period_whose_invoice_was_credited_as_a_whole_is_not_paid(
    control: Client, books: Books
) -> None:
    one = books.subscribed(price=500)
    books.sweep()
    invoice_id = books.periods(one)[0].invoice_id
    due = control.get(f"/v1/invoices/{invoice_id}").get_json()["amount_due"]

    told = control.post(
        f"/v1/invoices/{invoice_id}/adjustments",
        json={"amount": due, "reason": "they did not want it"},
        headers={"Idempotency-Key": "whole"},
    )

    assert (told.status_code, told.get_json()["status"]) == (201, "PAID")
    assert (books.periods(one)[0].status, books.wallet(one)) == ("lapsed", 0)


def test_a_refill_by_hand_says_why_it_gave_nothing(control: Client, books: Books) -> None:
    free, owing = books.subscribed(), books.subscribed(price=500)
    later = books.subscribed(starts_on=clock.now().date() + timedelta(days=40))

    def refill(one: Any, **body: Any) -> tuple[str, bool, int]:
        told = control.post(
            f"/v1/control/subscriptions/{one.subscription_id}/refill", json=body
        ).get_json()
        return told["status"], told["duplicate"], told["credits"]

    assert refill(free, idempotency_key="a") == ("refilled", False, 5)
    assert refill(free, idempotency_key="a") == ("already_processed", True, 0)
    assert refill(free, idempotency_key="b") == ("already_processed", True, 0)
    assert refill(owing) == ("skipped_unpaid", False, 0)
    assert refill(later) == ("not_begun", False, 0)
    books.run(subscribing.cancel, later)
    assert refill(later) == ("skipped_inactive", False, 0)


def test_a_subscription_is_paused_resumed_and_cancelled_by_its_status(
    control: Client, books: Books
) -> None:
    one = books.subscribed()
    address = f"/v1/control/subscriptions/{one.subscription_id}"

    def change(status: str, **more: Any) -> Any:
        return control.patch(address, json={"status": status}, **more)

    paused = change("paused", headers={"If-Match": f'"{one.version}"'})
    stale = change("active", headers={"If-Match": f'"{one.version}"'})

    assert paused.get_json()["status"] == "paused"
    assert paused.get_json()["next_refill_at"] is None
    assert (stale.status_code, stale.get_json()["code"]) == (412, "VERSION_CONFLICT")
    assert change("active").get_json()["status"] == "active"
    assert change("cancelled").get_json()["status"] == "cancelled"
    assert change("cancelled").status_code == 200
    assert change("active").get_json()["code"] == "SUBSCRIPTION_CANCELLED"


def test_a_change_of_the_plan_changes_nothing_of_who_has_it(books: Books, set_clock: Any) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500, credits=5)
    with books.acting(books.studio_id) as connection:
        change_plan(
            connection, books.actor, one.plan_id, monthly_credit_allowance=50, is_active=False
        )
    books.sweep()
    books.pay_invoice(one, 0)
    books.sweep()

    assert books.wallet(one) == 5
    with pytest.raises(ServiceError) as refused, books.acting() as connection:
        subscribing.subscribe(connection, books.actor, books.account(), one.plan_id)
    assert refused.value.code == "PLAN_CLOSED"
    books.plans.clear()


def test_the_plan_of_an_account_is_changed_without_giving_a_period_twice(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(credits=5)
    books.sweep()
    account = _account_of(books, one)
    better = books.plan(0, 50, 7)
    with books.acting() as connection:
        new = subscribing.assign(connection, books.actor, account, better.plan_id)
        same = subscribing.assign(connection, books.actor, account, better.plan_id)

    assert same == new
    assert books.now(one).status == "cancelled"
    assert (new.started_on, new.anchor_day) == (date(2026, 2, 28), 31)
    books.sweep()
    assert books.wallet(one) == 5
    set_clock(2026, 3, 31, 12)
    books.sweep()
    assert books.wallet(one) == 105


def test_cancelling_and_subscribing_anew_gives_no_month_twice(books: Books, set_clock: Any) -> None:
    set_clock(*NOON)
    one = books.subscribed(credits=5)
    books.sweep()
    books.run(subscribing.cancel, one)
    account = _account_of(books, one)

    with pytest.raises(ServiceError) as refused, books.acting() as connection:
        subscribing.subscribe(
            connection, books.actor, account, one.plan_id, starts_on=date(2026, 2, 27)
        )
    assert refused.value.code == "PERIOD_ALREADY_GIVEN"
    with books.acting() as connection:
        new = subscribing.subscribe(
            connection, books.actor, account, one.plan_id, starts_on=date(2026, 2, 28)
        )
    assert new.started_on == date(2026, 2, 28)


def test_of_many_who_subscribe_an_account_at_once_one_does(books: Books) -> None:
    account, plan = books.account(), books.plan()

    def once(_: int) -> str:
        try:
            with books.acting() as connection:
                subscribing.subscribe(connection, books.actor, account, plan.plan_id)
        except ServiceError as refused:
            return refused.code
        return "made"

    with ThreadPoolExecutor(6) as pool:
        told = sorted(pool.map(once, range(6)))

    assert told == ["SUBSCRIPTION_EXISTS"] * 5 + ["made"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"starts_on": date(2026, 1, 30)}, "starts_on"),
        ({"provider": "stripe"}, "provider_subscription_id"),
    ],
)
def test_what_a_subscription_cannot_have_is_refused_by_field(
    books: Books, set_clock: Any, wrong: dict[str, Any], field: str
) -> None:
    set_clock(*NOON)

    with pytest.raises(ServiceError) as refused:
        books.subscribed(**wrong)

    assert [one.field for one in refused.value.fields] == [field]


def test_an_anchor_day_of_ones_own_begins_with_its_next_day_and_no_short_period(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(anchor_day=15)
    assert books.sweep().scanned == 0

    set_clock(datetime.fromisoformat("2026-02-15T00:00+05:30"))
    books.sweep()

    assert [it.starts_on for it in books.periods(one)] == [date(2026, 2, 15)]
    assert books.periods(one)[0].ends_on == date(2026, 3, 15)


@pytest.mark.parametrize(
    ("said", "status"), [("cancelled", "cancelled"), ("past_due", "past_due"),
                         ("suspended", "past_due"), ("resumed", "past_due")]
)  # fmt: skip
def test_a_providers_word_goes_no_further_than_what_is_paid(
    books: Books, set_clock: Any, said: subscribing.Said, status: str
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500, provider="razorpay", provider_subscription_id=f"sub_{said}")
    for _ in range(2):
        moved = books.run(subscribing.hear, one, said, by="razorpay:evt_1")

    assert moved.subscription.status == status
    assert books.wallet(one) == 0


def test_a_provider_that_suspends_what_is_paid_pauses_it_and_resuming_goes_on(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(provider="stripe", provider_subscription_id="sub_paused")
    books.sweep()

    paused = books.run(subscribing.hear, one, "suspended", by="stripe:evt_1")
    resumed = books.run(subscribing.hear, one, "resumed", by="stripe:evt_2")

    assert (paused.subscription.status, resumed.subscription.status) == ("paused", "active")
    assert books.wallet(one) == 5


def _account_of(books: Books, one: Any) -> accounts.Account:
    with books.acting() as connection:
        return accounts.find_account(connection, books.firm_id, one.account_id)


def test_plans_have_names_of_their_own_and_rates_that_there_are(control: Client) -> None:
    made = _plan(control)

    taken = control.post("/v1/control/plans", json={**PLAN, "name": made["name"].upper()})
    rate = control.post("/v1/control/plans", json={**PLAN, "name": "x", "tax_rate": "17"})
    fraction = control.post("/v1/control/plans", json={**PLAN, "price_monthly": "1.005"})
    # A code of goods, as in the price list: invoices are over services.
    goods = control.post("/v1/control/plans", json={**PLAN, "sac": "490110"})
    kannada = control.post("/v1/control/plans", json={**PLAN, "name": "ಸಣ್ಣ"})
    changed = control.patch(
        f"/v1/control/plans/{made['plan_id']}", json={"price_monthly": "599.50"}
    )
    listed = control.get("/v1/control/plans").get_json()["items"]

    assert (taken.status_code, taken.get_json()["code"]) == (409, "PLAN_EXISTS")
    assert (rate.status_code, rate.get_json()["code"]) == (400, "TAX_RATE_UNKNOWN")
    assert (fraction.status_code, goods.status_code) == (422, 422)
    assert (kannada.status_code, kannada.get_json()["code"]) == (409, "LETTERS_NOT_PRINTABLE")
    assert changed.get_json()["price_monthly"] == "599.50"
    assert changed.get_json() in listed


def test_the_studios_sweep_reaches_all_firms_and_pages(
    control: Client, books: Books, make_firm: Any
) -> None:
    other = Books(books.service, books.studio_id, make_firm().tenant_id, books.actor)
    some = [books.subscribed(), books.subscribed(), other.subscribed()]
    refilled, cursor = 0, None
    for _ in range(20):
        told = control.post(
            "/v1/control/subscriptions/refill-due", json={"limit": 2, "cursor": cursor}
        ).get_json()
        assert told["errors"] == []
        refilled += told["refilled"]
        if (cursor := told["next_cursor"]) is None:
            break

    assert refilled >= 3
    assert [books.wallet(some[0]), books.wallet(some[1]), other.wallet(some[2])] == [5, 5, 5]
    wrong = control.post("/v1/control/subscriptions/refill-due", json={"cursor": "x~y~z"})
    assert wrong.get_json()["code"] == "CURSOR_INVALID"


def test_subscriptions_are_listed_by_account_and_status(control: Client, books: Books) -> None:
    one, two = books.subscribed(), books.subscribed()
    books.run(subscribing.pause, two)

    def listed(**query: Any) -> set[str]:
        told = control.get("/v1/control/subscriptions", query_string=query).get_json()
        return {it["subscription_id"] for it in told["items"]}

    assert listed(account_id=str(one.account_id)) == {str(one.subscription_id)}
    assert str(two.subscription_id) in listed(status="paused")
    assert str(one.subscription_id) not in listed(status="paused")
    assert listed(account_id="nonsense") == set()


def test_a_firm_can_neither_subscribe_nor_refill_itself(
    make_firm: Callable[..., Any], make_user: Any, sign_in: Any, books: Books
) -> None:
    people = sign_in(make_user(make_firm(), ["super_admin"]))
    one = books.subscribed()
    for method, path in (
        ("POST", "/v1/control/plans"),
        ("POST", "/v1/control/subscriptions"),
        ("POST", "/v1/control/subscriptions/assign"),
        ("POST", "/v1/control/subscriptions/refill-due"),
        ("POST", f"/v1/control/subscriptions/{one.subscription_id}/refill"),
        ("PATCH", f"/v1/control/subscriptions/{one.subscription_id}"),
        ("GET", "/v1/control/subscriptions"),
    ):
        assert people.send(method, path, json={}).status_code == 403, path
