"""What a work order's way means for its credits and invoices, in the transaction that moves it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from service.billing import accounts
from service.jobs.job import Operation
from service.packs import failing
from tests.service.billing.conftest import acting, studio
from tests.service.packs.specimen import enter, read_specimen
from tests.service.release.conftest import Order, refused


@pytest.fixture
def draft_order(owner: Any, desk: Any) -> Any:
    """draft_order() -> a work order in DRAFT."""

    def make() -> Order:
        made = desk.post("/v1/repogen/work-orders", json={"report_type": "VALUATION"})
        return Order(UUID(made.get_json()["work_order_id"]), owner, desk)

    return make


def move(order: Order, status: str, note: str = "as it is") -> Any:
    return order.desk.post(f"{order.path}/status", json={"status": status, "note": note})


def holds_of(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select status from credit_holds where work_order_id = :id order by created_at",
            id=order.id,
        )
    ]


def invoices_of(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select status from service_invoices where work_order_id = :id order by created_at",
            id=order.id,
        )
    ]


def usage_of(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select event_type from usage_events where payload->>'work_order_id' = :id"
            " order by at, usage_event_id",
            id=str(order.id),
        )
    ]


def test_accepting_work_holds_a_credit_once(
    draft_order: Any, open_credit: Any, credits_of: Any, look: Any
) -> None:
    order, account = draft_order(), open_credit(5)
    assert move(order, "DATA_PENDING").status_code == 200

    assert credits_of(account) == (5, 1, 4)
    assert holds_of(look, order) == ["active"]
    assert usage_of(look, order) == ["repogen_work_accepted"]
    assert look("select ref_type, ref_id from credit_holds where work_order_id = :id", id=order.id) == [
        ("work_order", str(order.id))
    ]  # fmt: skip


def test_without_credits_the_work_is_not_accepted_and_nothing_is_changed(
    draft_order: Any, open_credit: Any, look: Any
) -> None:
    order = draft_order()
    open_credit(0)
    answer = move(order, "DATA_PENDING")

    assert refused(answer) == (409, "INSUFFICIENT_CREDITS")
    assert (answer.get_json()["needed"], answer.get_json()["available"]) == (1, 0)
    assert "topup" in answer.get_json()["detail"]
    assert look("select status from work_orders where work_order_id = :id", id=order.id) == [
        ("DRAFT",)
    ]
    assert (holds_of(look, order), usage_of(look, order)) == ([], [])


def test_a_suspended_account_begins_no_work(service: Any, draft_order: Any, owner: Any) -> None:
    order, actor = draft_order(), studio(owner.tenant_id)
    with acting(service, actor) as connection:
        account = accounts.ensure_account_for(connection, actor)
        accounts.change_account(connection, actor, account, status="suspended")

    assert refused(move(order, "DATA_PENDING")) == (409, "ACCOUNT_NOT_ACTIVE")


@pytest.mark.usefixtures("studio_books")
def test_a_postpaid_firm_has_an_invoice_drafted_when_work_is_accepted(
    draft_order: Any, look: Any
) -> None:
    order = draft_order()
    assert move(order, "DATA_PENDING").status_code == 200

    assert invoices_of(look, order) == ["draft"]
    assert look(
        "select subtotal, total from service_invoices where work_order_id = :id", id=order.id
    ) == [(150_000, 177_000)]


@pytest.mark.usefixtures("studio_books")
def test_the_invoice_is_issued_when_the_report_is_to_be_made(
    service: Any, owner: Any, desk: Any, look: Any
) -> None:
    order = Order(enter(service, owner, read_specimen()), owner, desk)
    assert move(order, "READY_FOR_RENDER").status_code == 200

    assert invoices_of(look, order) == ["issued"]
    assert usage_of(look, order)[-1] == "repogen_ready_for_render_planned"
    assert holds_of(look, order) == []


@pytest.mark.parametrize("target", ["CANCELLED", "CLOSED"])
def test_work_that_is_given_up_frees_its_hold(
    draft_order: Any, open_credit: Any, credits_of: Any, look: Any, target: str
) -> None:
    order, account = draft_order(), open_credit(5)
    move(order, "DATA_PENDING")
    assert move(order, target).status_code == 200

    assert credits_of(account) == (5, 0, 5)
    assert holds_of(look, order) == ["released"]


@pytest.mark.usefixtures("studio_books")
@pytest.mark.parametrize("target", ["CANCELLED", "CLOSED"])
def test_work_that_is_given_up_voids_its_invoice(draft_order: Any, look: Any, target: str) -> None:
    order = draft_order()
    move(order, "DATA_PENDING")
    assert move(order, target).status_code == 200

    assert invoices_of(look, order) == ["void"]


def test_an_invoice_that_is_partly_paid_stays_and_is_told_of(
    make_order: Any, invoice: Any, pay: Any, look: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "issued")
    pay(order.user.tenant_id, invoice_id, Decimal("10.00"))
    assert move(order, "CANCELLED").status_code == 200

    assert invoices_of(look, order) == ["partially_paid"]
    assert usage_of(look, order)[-1] == "billing_invoice_kept"


def test_closing_after_a_release_takes_nothing_back(
    make_order: Any, invoice: Any, look: Any
) -> None:
    order = make_order()
    invoice(order, "issued")
    order.release("k", override=True, override_reason="the bank waits")
    assert move(order, "CLOSED").status_code == 200

    assert invoices_of(look, order) == ["issued"]


def test_reopening_holds_anew_unless_the_work_is_paid_for(
    draft_order: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    account = open_credit(5)
    closed, paid = draft_order(), make_order()
    move(closed, "DATA_PENDING")
    move(closed, "CLOSED")
    assert move(closed, "DATA_PENDING", "a new photograph").status_code == 200
    hold(account, paid)
    paid.release("k")
    assert move(paid, "DATA_PENDING", "wrong area").status_code == 200

    assert holds_of(look, closed) == ["released", "active"]
    assert holds_of(look, paid) == ["consumed"]
    assert credits_of(account) == (4, 1, 3)


def test_a_report_that_fails_frees_its_hold_and_trying_again_holds_anew(
    make_order: Any, open_credit: Any, hold: Any, as_worker: Any, credits_of: Any, look: Any
) -> None:
    order, account = make_order(generated=False, signed=False), open_credit(1)
    hold(account, order)
    _die(look, as_worker, order)
    freed = credits_of(account)
    tried = order.desk.post(f"{order.path}/packs/1/retry")

    assert freed == (1, 0, 1)
    assert tried.status_code == 200
    assert holds_of(look, order) == ["released", "active"]
    assert order.pack()["pack"]["status"] == "generating"


def test_a_report_is_not_tried_again_without_credits(
    make_order: Any, draft_order: Any, open_credit: Any, hold: Any, as_worker: Any, look: Any
) -> None:
    order, other = make_order(generated=False, signed=False), draft_order()
    hold(open_credit(1), order)
    _die(look, as_worker, order)
    assert move(other, "DATA_PENDING").status_code == 200

    assert refused(order.desk.post(f"{order.path}/packs/1/retry")) == (409, "INSUFFICIENT_CREDITS")
    assert order.pack()["pack"]["status"] == "failed"


def test_whoever_asked_for_the_work_pays_for_it_from_their_own_account(
    service: Any, draft_order: Any, owner: Any, open_credit: Any, credits_of: Any, look: Any
) -> None:
    order, firms = draft_order(), open_credit(5)
    actor = studio(owner.tenant_id)
    look(
        "update work_orders set requested_by = :person where work_order_id = :id",
        person=owner.user_id,
        id=order.id,
    )
    with acting(service, actor) as connection:
        accounts.create_account(
            connection,
            actor,
            owner.tenant_id,
            external_key=f"v2:external:{owner.user_id}",
            display_name="A partner",
            account_type="external_associate",
        )
    assert move(order, "DATA_PENDING").status_code == 200

    assert credits_of(firms) == (5, 0, 5)
    assert look(
        "select a.external_key from usage_events u join billing_accounts a"
        " on a.account_id = u.account_id where u.payload->>'work_order_id' = :id"
        " and u.event_type = 'repogen_work_accepted'",
        id=str(order.id),
    ) == [(f"v2:external:{owner.user_id}",)]


def _die(look: Any, as_worker: Any, order: Order) -> None:
    """Give the bundle's job up, as the worker does after its last attempt."""
    ((operation, pack),) = look(
        "select operation_id, subject_id from operations where work_order_id = :id"
        " and kind = 'pack.bundle'",
        id=order.id,
    )
    look(
        "update operations set status = 'dead', reason = 'no' where operation_id = :id",
        id=operation,
    )
    with as_worker(order.user.tenant_id) as connection:
        failing.fail_pack(
            connection,
            Operation(
                order.user.tenant_id, operation, "pack.bundle", pack, order.id, {}, 5, reason="no"
            ),
        )
