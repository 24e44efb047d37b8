"""The original's numbered weaknesses that belong to the release: each test fails on its behaviour."""

from __future__ import annotations

from typing import Any

import pytest

from service.billing import credits
from tests.service.packs.specimen import actor_of, as_web, enter, make_ready, read_specimen
from tests.service.release.conftest import Order, finish_pack, make_next_version, refused, sign_pack
from tests.service.release.test_concurrency import asking, at_once
from tests.service.release.test_downloads import artifact, let_out, links, listing, visitor

__all__ = ["visitor"]  # a fixture


def test_weakness_24_a_correction_makes_another_version_and_the_first_one_stays(
    service: Any, make_order: Any, look: Any
) -> None:
    order = make_order()
    let_out(order)
    order.desk.post(f"{order.path}/status", json={"status": "DATA_PENDING", "note": "wrong area"})
    make_next_version(service, look, order)
    let_out(order, "second")

    assert [(one["version"], one["state"]) for one in listing(order.desk, order)] == [
        (2, "released"),
        (1, "superseded"),
    ]


def test_weakness_27_what_is_blocked_is_not_noted_as_released(make_order: Any, look: Any) -> None:
    order = make_order()
    before = look("select * from work_orders where work_order_id = :id", id=order.id)
    assert order.release("k").get_json()["blocked"] is True

    assert look("select * from work_orders where work_order_id = :id", id=order.id) == before
    assert listing(order.desk, order) == []
    assert look(
        "select event_type from usage_events where payload->>'work_order_id' = :id",
        id=str(order.id),
    ) == [("repogen_release_blocked",)]


def test_weakness_28_a_key_used_on_another_work_order_never_gives_that_ones_release(
    make_order: Any,
) -> None:
    one, other = make_order(), make_order()
    let_out(one, "the-key")

    assert refused(other.release("the-key")) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert refused(other.release("the-key", override=True, override_reason="for this test")) == (
        409,
        "IDEMPOTENCY_KEY_REUSED",
    )
    assert refused(one.release("the-key")) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert listing(other.desk, other) == []


def test_weakness_28_a_key_of_another_firm_means_nothing_here(
    make_order: Any, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    """Keys are each firm's own: one that is known elsewhere tells nothing."""
    order = make_order()
    let_out(order, "their-key")
    stranger = sign_in(make_user(make_firm(), ["super_admin"]))

    assert refused(order.release("their-key", stranger)) == (404, "NOT_FOUND")


def test_weakness_29_an_override_ends_the_hold_and_cancelling_frees_it(
    make_order: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    account = open_credit(5)
    overridden, cancelled = make_order(), make_order()
    hold(account, overridden)
    hold(account, cancelled)
    overridden.release("k", override=True, override_reason="a favour")
    cancelled.desk.post(f"{cancelled.path}/status", json={"status": "CANCELLED"})

    assert credits_of(account) == (5, 0, 5)
    assert look(
        "select count(*) from credit_holds where account_id = :id and status = 'active'",
        id=account.account_id,
    ) == [(0,)]


def test_weakness_29_a_hold_that_was_ended_elsewhere_blocks_with_a_record(
    service: Any, make_order: Any, open_credit: Any, hold: Any, look: Any
) -> None:
    account, swept, used = open_credit(5), make_order(), make_order()
    for order, end in ((swept, credits.release), (used, credits.consume)):
        hold_id = hold(account, order)
        why = {"reason": "timed out"} if end is credits.release else {}
        with as_web(service, order.user) as connection:
            end(connection, actor_of(order.user), account, hold_id=hold_id, key=str(hold_id), **why)

    for order in (swept, used):
        answer = order.release(f"k-{order.id}")
        assert (answer.status_code, answer.get_json()["blocked_reason"]) == (
            200,
            "credit_reservation_missing",
        )
        assert look("select result from releases where work_order_id = :id", id=order.id) == [
            ("BLOCKED",)
        ]


def test_weakness_30_what_is_cancelled_superseded_changed_or_unsigned_is_not_released(
    make_order: Any,
) -> None:
    cancelled, reopened, unsigned, changed = (
        make_order(),
        make_order(),
        make_order(signed=False),
        make_order(),
    )
    cancelled.desk.post(f"{cancelled.path}/status", json={"status": "CANCELLED"})
    reopened.desk.post(f"{reopened.path}/status", json={"status": "DATA_PENDING", "note": "x"})
    why = {"override": True, "override_reason": "at any price"}

    assert refused(cancelled.release("a", **why)) == (409, "WORK_ORDER_CANCELLED")
    assert refused(reopened.release("b", **why)) == (409, "PACK_SUPERSEDED")
    assert refused(unsigned.release("c", **why)) == (409, "SIGN_OFF_MISSING")
    assert refused(changed.release("d", bundle_digest="f" * 64, **why)) == (
        409,
        "RELEASE_PACK_MISMATCH",
    )


def test_weakness_30_what_is_released_is_really_delivered(
    make_order: Any, visitor: Any, client: Any
) -> None:
    order = make_order()
    asked = visitor(order)
    let_out(order)
    url = links(asked, order).get_json()["links"][0]["url"]

    assert client.get(url[url.index("/v1/") :]).data.startswith(b"PK")
    assert order.desk.post(f"{order.path}/status", json={"status": "CLOSED"}).status_code == 200


def test_weakness_31_two_overrides_at_once_are_one_release(
    service: Any, make_order: Any, look: Any
) -> None:
    order = make_order()
    why = {"override": True, "override_reason": "both of us"}
    found = at_once(*(asking(service, order, f"{order.id}-{one}", **why) for one in "ab"))

    assert len({one.decision.release_id for one in found}) == 1
    assert look("select result from releases where work_order_id = :id", id=order.id) == [
        ("OVERRIDE",)
    ]


@pytest.mark.usefixtures("studio_books")
def test_weakness_47_the_invoice_of_a_report_is_issued_at_its_price_and_can_be_paid(
    service: Any, owner: Any, desk: Any, pay: Any, look: Any
) -> None:
    order = Order(enter(service, owner, read_specimen()), owner, desk)
    make_ready(service, owner, order.id)
    ((invoice_id, status, subtotal),) = look(
        "select invoice_id, status, subtotal from service_invoices where work_order_id = :id",
        id=order.id,
    )
    finish_pack(service, look, order)
    sign_pack(look, order)
    unpaid = order.release("before").get_json()
    pay(owner.tenant_id, invoice_id)
    paid = order.release("after").get_json()

    assert (status, subtotal) == ("issued", 150_000)
    assert unpaid["blocked_reason"] == "invoice_unpaid"
    assert paid["gate_result"] == "PAID"
    assert paid["release"]["service_invoice_id"] == str(invoice_id)


def test_weakness_48_a_credit_customer_gets_the_report_and_nobody_gets_it_unreleased(
    make_order: Any, visitor: Any, open_credit: Any, hold: Any, look: Any
) -> None:
    order, account = make_order(), open_credit(5)
    asked = visitor(order)
    hold(account, order)
    before = links(asked, order).status_code
    order.release("k")
    after = links(asked, order)

    assert (before, after.status_code) == (404, 201)
    assert artifact(asked, order, "docx").status_code == 403
    # A report is no document, so the routes of documents know nothing of it.
    ((key,),) = look(
        "select a.object_key from pack_artifacts a join packs p using (tenant_id, pack_id)"
        " where p.work_order_id = :id and a.kind = 'docx'",
        id=order.id,
    )
    assert look("select count(*) from documents where object_key = :key", key=key) == [(0,)]


def test_original_5_1_the_pack_is_made_once_however_often_it_is_asked_for(
    make_order: Any, look: Any
) -> None:
    order = make_order(generated=False, signed=False)
    first = order.pack()
    again = order.desk.post(f"{order.path}/create-pack").get_json()

    assert again["idempotent"] is True
    assert again["pack"]["pack_id"] == first["pack"]["pack_id"]
    assert again["generation_job"]["operation_id"] == first["generation_job"]["operation_id"]
    assert look(
        "select p.pack_id::text, length(p.bundle_digest) from work_orders w join packs p"
        " on p.pack_id = w.current_pack_id where w.work_order_id = :id",
        id=order.id,
    ) == [(first["pack"]["pack_id"], 64)]
    assert look("select count(*) from packs where work_order_id = :id", id=order.id) == [(1,)]
    assert look("select count(*) from operations where work_order_id = :id", id=order.id) == [(1,)]


def test_weakness_63_a_delivery_uses_its_own_hold_and_one_that_ended_stops_no_other(
    service: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    """There, holds were looked up by their account, and one that had timed out was a conflict."""
    account, late, other = open_credit(5), make_order(), make_order()
    ended = hold(account, late)
    mine = hold(account, other)
    with as_web(service, late.user) as connection:
        credits.release(
            connection,
            actor_of(late.user),
            account,
            hold_id=ended,
            key="timed-out",
            reason="timed out",
            kind="expire",
        )

    blocked = late.release("late")
    assert (blocked.status_code, blocked.get_json()["blocked_reason"]) == (
        200,
        "credit_reservation_missing",
    )
    assert credits_of(account) == (5, 1, 4)
    released = other.release("other").get_json()
    assert released["gate_result"] == "CREDIT_CONSUMED"
    assert released["release"]["reservation_id"] == str(mine)
    assert credits_of(account) == (4, 0, 4)
