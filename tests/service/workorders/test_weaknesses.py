"""The original's numbered weaknesses that belong to work orders: each test fails on its behaviour."""

import json

from tests.service.workorders.conftest import ORDERS


def test_weakness_14_a_list_shows_what_is_ready_now(desk, ready):
    """There, it showed the score of the last patch, whatever had become of the evidence."""
    detail = desk.get(f"{ORDERS}/{ready}").get_json()["work_order"]

    def listed():
        (item,) = desk.get(f"{ORDERS}?search={detail['reference']}").get_json()["items"]
        return item["is_ready"], item["missing"]

    assert listed() == (True, [])
    piece = desk.get(f"{ORDERS}/{ready}/evidence").get_json()["evidence_items"][5]["id"]
    gone = desk.delete(f"{ORDERS}/{ready}/evidence/{piece}", json={"reason": "a neighbour's"})
    assert gone.status_code == 200
    assert listed() == (False, ["valuation_photos: need at least 6, found 5"])


def test_weakness_35_a_change_of_state_and_of_profile_is_recorded_with_what_was_and_what_is(
    desk, ready, rows
):
    """There, both were comments, and without an assignment nothing was in the record at all."""
    chosen = desk.post(f"{ORDERS}/{ready}/evidence-profile", json={"profile_id": "m5.4"})
    assert chosen.status_code == 200
    assert desk.post(f"{ORDERS}/{ready}/status", json={"status": "DATA_PENDING"}).status_code == 200

    def recorded(action):
        (found,) = rows(
            "select d.details from audit_events e join audit_details d using (event_id)"
            " where e.work_order_id = :id and e.action = :action",
            id=ready,
            action=action,
        )
        details = json.loads(found.details)
        return details.get("before"), details["after"]

    assert recorded("workorder:status:changed") == (
        {"status": "DRAFT"},
        {"status": "DATA_PENDING"},
    )
    before, after = recorded("workorder:profile:chosen")
    assert after == {"profile": "m5.4"}
    assert before != after


def test_weakness_53_what_the_portal_asks_for_is_seen_and_accepted_at_the_desk(
    make_firm, make_user, sign_in
):
    """There, requests lay in a tenant that no reviewer saw, and the studio could not write to."""
    firm = make_firm()
    portal = sign_in(make_user(firm, ["portal_user"]), "portal")
    reviewer = sign_in(make_user(firm, ["ops_manager"]))
    asked = portal.post(ORDERS, json={"report_type": "VALUATION", "bank_name": "A Bank"})
    assert asked.status_code == 201
    address = f"{ORDERS}/{asked.get_json()['work_order_id']}"

    assert [one["work_order_id"] for one in reviewer.get(ORDERS).get_json()["items"]] == [
        asked.get_json()["work_order_id"]
    ]
    accepted = reviewer.post(f"{address}/status", json={"status": "DATA_PENDING"})
    assert accepted.status_code == 200, accepted.get_data(as_text=True)
    assert portal.get(address).get_json()["work_order"]["status"] == "DATA_PENDING"


def test_weakness_54_a_work_order_has_one_state(rows):
    """There, a status and a stage went their own ways, and only one of them charged for delivery."""
    tables = {
        table
        for (table,) in rows(
            "select table_name from information_schema.tables where table_schema = 'public'"
        )
    }
    columns = {
        column
        for (column,) in rows(
            "select column_name from information_schema.columns where table_schema = 'public'"
            " and table_name = 'work_orders'"
        )
    }

    assert {one for one in tables if "assignment" in one} == set()
    assert {one for one in columns if "status" in one or "stage" in one} == {"status"}
