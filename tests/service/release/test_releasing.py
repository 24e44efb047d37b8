"""The gate through its route: what it does to credits, charges and records, once for each key."""

from __future__ import annotations

from typing import Any

import pytest

from service.billing import credits
from service.release.records import unexplained_releases
from tests.service.packs.specimen import actor_of, as_web
from tests.service.release.conftest import Order, make_next_version, refused


def rows_of(look: Any, order: Order) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = look(
        "select result, reason from releases where work_order_id = :id order by created_at",
        id=order.id,
    )
    return found


def charges_of(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select settled_by from work_order_charges where work_order_id = :id", id=order.id
        )
    ]


def test_original_5_2_a_held_credit_is_consumed_once_however_often_it_is_asked(
    make_order: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    order, account = make_order(), open_credit(5)
    hold_id = hold(account, order)
    first = order.release("release-credit-1").get_json()
    again = order.release("release-credit-1").get_json()

    assert (first["gate_result"], first["blocked"], first["idempotent"]) == (
        "CREDIT_CONSUMED",
        False,
        False,
    )
    assert first["billing_mode"] == "CREDIT"
    assert first["release"]["reservation_id"] == str(hold_id)
    assert again == {**first, "idempotent": True}
    assert credits_of(account) == (4, 0, 4)
    assert rows_of(look, order) == [("CREDIT_CONSUMED", None)]
    assert charges_of(look, order) == ["CREDIT_CONSUMED"]


def test_original_5_3_an_unpaid_invoice_blocks_and_an_override_with_a_reason_lets_it_out(
    make_order: Any, invoice: Any, look: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "issued")
    blocked = order.release("A").get_json()
    let_out = order.release("B", override=True, override_reason="the bank waits").get_json()

    assert (blocked["gate_result"], blocked["blocked"]) == ("BLOCKED", True)
    assert blocked["blocked_reason"] == "invoice_unpaid"
    assert "new key" in blocked["message"]
    assert (let_out["gate_result"], let_out["blocked"]) == ("OVERRIDE", False)
    assert let_out["release"]["override_reason"] == "the bank waits"
    assert let_out["release"]["service_invoice_id"] == str(invoice_id)
    assert rows_of(look, order) == [
        ("BLOCKED", "invoice_unpaid"),
        ("OVERRIDE", "invoice_unpaid_override"),
    ]
    assert charges_of(look, order) == []


def test_a_paid_invoice_lets_the_report_out_whatever_is_said(
    make_order: Any, invoice: Any, look: Any
) -> None:
    order = make_order()
    invoice(order, "paid")
    answer = order.release("k", override=True, override_reason="to be sure").get_json()

    assert (answer["gate_result"], answer["release"]["override_reason"]) == ("PAID", None)
    assert charges_of(look, order) == ["PAID"]


@pytest.mark.parametrize(("outcome", "left"), [("release", (5, 0, 5)), ("consume", (4, 0, 4))])
def test_an_override_says_what_becomes_of_the_hold(
    make_order: Any,
    open_credit: Any,
    hold: Any,
    credits_of: Any,
    look: Any,
    outcome: str,
    left: tuple[int, int, int],
) -> None:
    order, account = make_order(), open_credit(5)
    hold(account, order)
    answer = order.release(
        "k", override=True, override_reason="a favour", hold_outcome=outcome
    ).get_json()

    assert answer["gate_result"] == "OVERRIDE"
    assert answer["release"]["hold_outcome"] == outcome
    assert credits_of(account) == left
    assert charges_of(look, order) == (["CREDIT_CONSUMED"] if outcome == "consume" else [])


def test_the_hold_is_released_by_an_override_unless_it_says_otherwise(
    make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    order, account = make_order(), open_credit(5)
    hold(account, order)

    assert order.release("k", override=True, override_reason="a favour").status_code == 200
    assert credits_of(account) == (5, 0, 5)


def test_without_hold_or_invoice_the_accounts_mode_says_what_is_missing(
    make_order: Any, open_credit: Any
) -> None:
    order = make_order()
    nobody = order.release("a").get_json()
    open_credit(0)
    with_credit = order.release("b").get_json()
    let_out = order.release("c", override=True, override_reason="asked for").get_json()

    assert nobody["blocked_reason"] == "service_invoice_missing"
    assert nobody["billing_mode"] == "POSTPAID"
    assert with_credit["blocked_reason"] == "credit_reservation_missing"
    assert let_out["release"]["reason"] == "credit_reservation_missing_override"


def test_what_is_blocked_changes_nothing_but_its_record_and_stays_blocked_under_its_key(
    make_order: Any, invoice: Any, pay: Any, look: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "issued")
    before = look("select version, status from work_orders where work_order_id = :id", id=order.id)
    blocked = order.release("first").get_json()
    after = look("select version, status from work_orders where work_order_id = :id", id=order.id)
    pay(order.user.tenant_id, invoice_id)
    replayed = order.release("first").get_json()
    fresh = order.release("second").get_json()

    assert before == after
    assert replayed == {**blocked, "idempotent": True}
    assert fresh["gate_result"] == "PAID"
    assert look(
        "select event_type from usage_events where payload->>'work_order_id' = :id order by at",
        id=str(order.id),
    ) == [("repogen_release_blocked",), ("repogen_deliverables_released",)]


def test_a_released_version_is_answered_with_its_release_under_any_key(
    make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    order, account = make_order(), open_credit(5)
    hold(account, order)
    first = order.release("a").get_json()
    other = order.release("b", override=True, override_reason="again").get_json()

    assert other == {**first, "idempotent": True}
    assert credits_of(account) == (4, 0, 4)


def test_the_header_may_stand_in_for_the_key_of_the_body(make_order: Any) -> None:
    order = make_order()
    answer = order.desk.post(
        f"{order.path}/release-deliverables", json={}, headers={"Idempotency-Key": "by-header"}
    )

    assert answer.status_code == 200
    assert answer.get_json()["release"]["idempotency_key"] == "by-header"
    assert order.release("by-header").get_json()["idempotent"] is True


@pytest.mark.parametrize(("length", "status"), [(200, 200), (201, 422)])
def test_a_key_is_as_long_as_its_journal_entry_has_room_for(
    make_order: Any, length: int, status: int
) -> None:
    assert make_order().release("k" * length).status_code == status


def test_what_is_refused_leaves_no_record(make_order: Any, colleague: Any, look: Any) -> None:
    order, unsigned = make_order(), make_order(signed=False)
    unmade, unproven = make_order(generated=False, signed=False), make_order(proven=False)
    manager = colleague("manager")
    digest = order.pack()["pack"]["bundle_digest"]

    assert refused(order.release(None)) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert refused(order.release("k", override=True)) == (400, "OVERRIDE_REASON_REQUIRED")
    assert refused(order.release("k", override=True, override_reason="  ")) == (
        400,
        "OVERRIDE_REASON_REQUIRED",
    )
    assert refused(order.release("k", manager, override=True, override_reason="x")) == (
        403,
        "OVERRIDE_NOT_ALLOWED",
    )
    assert refused(order.release("k", colleague("valuer"))) == (403, "CAPABILITY_MISSING")
    assert refused(order.release("k", bundle_digest="0" * 64)) == (409, "RELEASE_PACK_MISMATCH")
    assert refused(order.release("k", pack_version=7)) == (409, "RELEASE_PACK_MISMATCH")
    assert refused(unsigned.release("k")) == (409, "SIGN_OFF_MISSING")
    assert refused(unmade.release("k")) == (400, "PACK_GENERATION_NOT_COMPLETED")
    assert refused(unproven.release("k")) == (409, "PACK_NOT_PROVEN")
    assert look("select 1 from releases where tenant_id = :id", id=order.user.tenant_id) == []
    assert order.release("k", pack_version=1, bundle_digest=digest).status_code == 200


def test_a_work_order_without_a_report_has_none_to_release(owner: Any, desk: Any) -> None:
    made = desk.post("/v1/repogen/work-orders", json={"report_type": "VALUATION"}).get_json()

    assert refused(Order(made["work_order_id"], owner, desk).release("k")) == (
        400,
        "REPORT_PACK_NOT_LINKED",
    )


def test_a_cancelled_work_order_is_not_released_and_a_superseded_version_neither(
    make_order: Any,
) -> None:
    cancelled, reopened = make_order(), make_order()
    cancelled.desk.post(f"{cancelled.path}/status", json={"status": "CANCELLED"})
    reopened.desk.post(
        f"{reopened.path}/status", json={"status": "DATA_PENDING", "note": "wrong area"}
    )

    assert refused(cancelled.release("k")) == (409, "WORK_ORDER_CANCELLED")
    assert refused(reopened.release("k")) == (409, "PACK_SUPERSEDED")
    assert refused(reopened.release("k", pack_version=1)) == (409, "PACK_SUPERSEDED")


def test_the_packs_state_tells_what_the_gate_waits_for(
    make_order: Any, open_credit: Any, hold: Any
) -> None:
    order, account = make_order(), open_credit(5)
    before = order.pack()["billing_gate_status"]
    hold_id = hold(account, order)
    held = order.pack()["billing_gate_status"]
    order.release("k")
    after = order.pack()

    assert (before["mode"], before["releasable_without_override"]) == ("CREDIT", False)
    assert before["waits_for"] == "credit_reservation_missing"
    assert (held["reservation_id_present"], held["releasable_without_override"]) == (True, True)
    assert held["gate_result"] == "CREDIT_CONSUMED"
    assert after["billing_gate_status"]["waits_for"] is None
    assert [one["gate_result"] for one in after["deliverable_releases"]] == ["CREDIT_CONSUMED"]
    assert after["deliverable_releases"][0]["reservation_id"] == str(hold_id)


def test_the_decisions_are_in_the_audit_and_counted(
    make_order: Any, look: Any, service: Any
) -> None:
    from service.telemetry.metrics import exposition

    order = make_order()
    order.release("a")
    order.release("b", override=True, override_reason="for the demo")
    told = exposition(service.redis).decode()

    assert look(
        "select action, reason from audit_events where work_order_id = :id"
        " and action like 'release:%' order by at",
        id=order.id,
    ) == [("release:deliverable:blocked", None), ("release:deliverable:released", "for the demo")]
    assert 'zenops_release_gate_total{reason="service_invoice_missing",result="BLOCKED"}' in told


def test_one_settled_charge_covers_the_corrected_version(
    service: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    order, account = make_order(), open_credit(5)
    hold(account, order)
    order.release("first")
    order.desk.post(f"{order.path}/status", json={"status": "DATA_PENDING", "note": "wrong area"})
    make_next_version(service, look, order)
    covered = order.release("second").get_json()

    assert (covered["gate_result"], covered["release"]["reason"]) == (
        "CREDIT_CONSUMED",
        "covered_by_settled_charge",
    )
    assert credits_of(account) == (4, 0, 4)
    assert rows_of(look, order)[1:] == [("CREDIT_CONSUMED", "covered_by_settled_charge")]
    assert charges_of(look, order) == ["CREDIT_CONSUMED"]


def test_every_release_is_explained(
    service: Any, make_order: Any, open_credit: Any, hold: Any, invoice: Any, owner: Any
) -> None:
    """Invariant 8: a settled charge, a consumed hold, or an override with its reason."""
    credited, billed, forced = make_order(), make_order(), make_order()
    hold(open_credit(5), credited)
    invoice(billed, "paid")
    for number, order in enumerate((credited, billed)):
        assert order.release(f"k{number}").get_json()["blocked"] is False
    forced.release("forced", override=True, override_reason="a favour")

    with as_web(service, owner) as connection:
        assert unexplained_releases(connection, owner.tenant_id) == []


def test_the_database_itself_keeps_a_release_without_a_charge_out(
    make_order: Any, owner_engine: Any, invoice: Any
) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    order = make_order()
    invoice_id = invoice(order, "issued")
    statement = (
        "insert into releases (tenant_id, release_id, work_order_id, pack_id, pack_version,"
        " bundle_digest, result, invoice_id, operation_key, request_sha256, created_at)"
        " select tenant_id, gen_random_uuid(), work_order_id, pack_id, version, bundle_digest,"
        " 'PAID', :invoice, 'by hand', bundle_digest, now() from packs where work_order_id = :id"
    )
    with pytest.raises(IntegrityError, match="releases_charged"), owner_engine.begin() as one:
        one.execute(text(statement), {"id": order.id, "invoice": invoice_id})
    with pytest.raises(IntegrityError, match="releases_check"), owner_engine.begin() as one:
        one.execute(text(statement), {"id": order.id, "invoice": None})


def test_a_hold_that_is_freed_by_the_studio_blocks_the_release(
    service: Any, make_order: Any, open_credit: Any, hold: Any
) -> None:
    order, account = make_order(), open_credit(5)
    hold_id = hold(account, order)
    with as_web(service, order.user) as connection:
        credits.release(
            connection,
            actor_of(order.user),
            account,
            hold_id=hold_id,
            key="sweep",
            reason="timed out",
        )
    answer = order.release("k")

    assert answer.status_code == 200
    assert answer.get_json()["blocked_reason"] == "credit_reservation_missing"
