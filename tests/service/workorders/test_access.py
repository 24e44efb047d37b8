import pytest

from service.identifiers import new_id
from tests.service.workorders.conftest import ORDERS

ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"title": "A"}),
    ("PATCH", "/contract", {"patch": {}}),
    ("POST", "/status", {"status": "CANCELLED"}),
    ("GET", "/comments", None),
    ("POST", "/comments", {"body": "A"}),
    ("GET", "/export", None),
    ("GET", "/export/bundle", None),
]


def answered(client, method, work_order_id, name, body):
    more = {} if body is None else {"json": body}
    answer = client.send(method, f"{ORDERS}/{work_order_id}{name}", **more)
    found = answer.get_json()
    found.pop("instance")
    return answer.status_code, found


@pytest.mark.parametrize(("method", "name", "body"), ROUTES)
def test_another_firms_work_order_is_not_there(
    make_firm, make_user, sign_in, ready, rows, method, name, body
):
    stranger = sign_in(make_user(make_firm()))
    before = rows("select * from work_orders where work_order_id = :id", id=ready)

    answers = [
        answered(stranger, method, work_order_id, name, body)
        for work_order_id in (ready, new_id(), "none", "%00", f"{ready}x")
        if work_order_id != "%00"
    ]

    assert [status for status, _ in answers] == [404] * len(answers)
    assert all(found == answers[0][1] for _, found in answers)
    assert rows("select * from work_orders where work_order_id = :id", id=ready) == before


def test_the_portal_asks_for_work_and_sees_only_its_own(make_firm, make_user, sign_in, rows):
    outside = make_firm(kind="external")
    one, other = (sign_in(make_user(outside, ["portal_user"]), audience="portal") for _ in range(2))
    made = one.post(ORDERS, json={"report_type": "VALUATION", "bank_name": "A Bank"})
    assert made.status_code == 201, made.get_data(as_text=True)
    order = made.get_json()
    assert (order["source_type"], order["status"]) == ("CHANNEL", "DRAFT")
    address = f"{ORDERS}/{order['work_order_id']}"

    detail = one.get(address)
    assert detail.status_code == 200
    assert detail.get_json()["work_order"]["reference"] == order["reference"]
    assert detail.get_json()["readiness"] is None
    assert [item["work_order_id"] for item in one.get(ORDERS).get_json()["items"]] == [
        order["work_order_id"]
    ]
    assert other.get(address).status_code == 404
    assert other.get(ORDERS).get_json()["items"] == []
    for method, name, body in ROUTES[1:]:
        more = {} if body is None else {"json": body}
        assert one.send(method, f"{address}{name}", **more).status_code == 403
    (row,) = rows(
        "select requested_by from work_orders where work_order_id = :id",
        id=order["work_order_id"],
    )
    assert row.requested_by is not None


def test_who_may_only_look_may_not_change(make_user, firm, sign_in, ready):
    accounts = sign_in(make_user(firm, ["accounts"]))

    assert accounts.get(f"{ORDERS}/{ready}").status_code == 200
    refused = accounts.patch(f"{ORDERS}/{ready}/contract", json={"patch": {}})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")
    assert refused.get_json()["capability"] == "repogen.write"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"report_type": "LETTER"},
        {"report_type": "DPR", "colour": "red"},
        {"report_type": "DPR", "reference": "a b"},
        {"report_type": "DPR", "as_of": "31.3.2026"},
        {"report_type": "DPR", "valuer_id": "none"},
        {"report_type": "DPR", "parameters": {"x": {"value": 1}}},
        {"report_type": "DPR", "title": "x" * 201},
    ],
)
def test_a_work_order_that_does_not_fit_is_refused(desk, body):
    answer = desk.post(ORDERS, json=body)

    assert (answer.status_code, answer.get_json()["code"]) == (422, "VALIDATION_FAILED")
    assert answer.get_json()["errors"]


def test_comments_are_written_and_listed_the_latest_first(desk, ready):
    address = f"{ORDERS}/{ready}/comments"
    for kind, body in (("NOTES", "one"), ("JUSTIFICATION", "two")):
        sent = desk.post(address, json={"comment_type": kind, "body": body})
        assert sent.status_code == 201
    blank = desk.post(address, json={"body": "   "})
    assert blank.status_code == 422

    items = desk.get(address).get_json()["items"]
    assert [(item["comment_type"], item["body"]) for item in items] == [
        ("JUSTIFICATION", "two"), ("NOTES", "one"),
    ]  # fmt: skip
