import json

import pytest
from sqlalchemy import text

from service.clock import now
from service.identifiers import new_id
from tests.service.workorders.conftest import ORDERS


@pytest.fixture
def patch(desk):
    def sent(work_order_id, change, **more):
        headers = more.pop("headers", {})
        return desk.patch(
            f"{ORDERS}/{work_order_id}/contract", json={"patch": change, **more}, headers=headers
        )

    return sent


@pytest.fixture
def order(create):
    return create()["work_order_id"]


def contract(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["work_order"]["contract"]


def test_what_a_patch_does_not_name_stays_and_null_clears(patch, order):
    patch(order, {"property": {"address": "12 Street", "city": "Mysuru"}})
    found = contract(patch(order, {"property": {"city": None, "village": "Chaitrapura"}}))

    assert found["property"] == {"address": "12 Street", "village": "Chaitrapura"}
    assert found["party"] == {"bank_name": "SBI"}


def test_rows_are_changed_by_their_id_and_keep_their_place(patch, order):
    floors = [{"id": "ground", "use": "shop"}, {"id": "first", "use": "flat"}, {"id": "roof"}]
    patch(order, {"property": {"floors": floors}})
    change = {"first": {"label": "First"}, "roof": None, "annexe": {"use": "store"}}
    found = contract(patch(order, {"property": {"floors": change}}))

    assert found["property"]["floors"] == [
        {"id": "ground", "use": "shop"},
        {"id": "first", "use": "flat", "label": "First"},
        {"id": "annexe", "use": "store"},
    ]


def test_the_bank_and_kind_of_report_follow_the_contract(patch, desk, order):
    patch(order, {"meta": {"bank_type": "COOP"}, "party": {"bank_name": "A Co-operative Bank"}})

    found = desk.get(f"{ORDERS}/{order}").get_json()["work_order"]
    assert (found["bank_type"], found["bank_name"]) == ("COOP", "A Co-operative Bank")
    assert found["template_selector"] == "COOP_GENERIC"


def test_the_bank_type_is_inferred_when_nobody_says_it(desk):
    body = {"report_type": "VALUATION", "bank_name": "State Bank of India"}
    found = desk.post(ORDERS, json=body).get_json()

    assert found["bank_type"] == "SBI"
    assert "bank_type" not in found["contract"]["meta"]


def test_every_digit_of_a_bare_number_survives(desk, order):
    body = '{"patch": {"valuation_inputs": {"land_value": 12345678901234567890.12}}}'
    answer = desk.patch(f"{ORDERS}/{order}/contract", body=body)
    assert contract(answer)["valuation_inputs"]["land_value"] == "12345678901234567890.12 INR"

    exported = desk.get(f"{ORDERS}/{order}/export").get_json()
    inputs = exported["contract_json"]["valuation_inputs"]
    assert inputs["land_value"] == "12345678901234567890.12 INR"


def test_every_problem_of_a_patch_is_told_by_its_field(patch, order, rows):
    answer = patch(
        order,
        {
            "property": {"land_area": "many", "colour": "red"},
            "valuation_inputs": {"inspection_date": "31.3.2026"},
        },
    )

    assert (answer.status_code, answer.get_json()["code"]) == (422, "CONTRACT_INVALID")
    assert {error["field"] for error in answer.get_json()["errors"]} == {
        "property.land_area", "property.colour", "valuation_inputs.inspection_date",
    }  # fmt: skip
    assert rows("select 1 from snapshots where work_order_id = :id", id=order) == []


def test_a_row_that_was_probably_misspelt_is_warned_of(patch, order):
    patch(order, {"property": {"floors": [{"id": "ground", "use": "shop"}]}})
    answer = patch(order, {"property": {"floors": {"groundd": {"use": "flat"}}}})

    assert answer.status_code == 200
    assert "Did you mean 'ground'?" in answer.get_json()["warnings"][0]


FIRST = {
    "property": {
        "land_area": "1000 sqft",
        "coordinates": {"latitude": "12.3", "longitude": "76.6"},
        "floors": [{"id": "house", "rate": "2600 INR/sqft", "age": 6}],
    },
    "valuation_inputs": {"land_value": 1000, "market_rate_range": ["5 INR/sqft", "6 INR/sqft"]},
}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"valuation_inputs": {"land_value": 1001}}, ["valuation_inputs.land_value"]),
        ({"valuation_inputs": {"land_value": None}}, ["valuation_inputs.land_value"]),
        ({"property": {"land_area": "1001 sqft"}}, ["property.land_area"]),
        (
            {"property": {"coordinates": {"latitude": "12.4"}}},
            ["property.coordinates.latitude"],
        ),
        ({"property": {"floors": {"house": None}}}, ["property.floors[house].rate"]),
        (
            {"property": {"floors": {"house": {"rate": "2700 INR/sqft"}}}},
            ["property.floors[house].rate"],
        ),
        (
            {"valuation_inputs": {"market_rate_range": ["5 INR/sqft", "7 INR/sqft"]}},
            ["valuation_inputs.market_rate_range[2]"],
        ),
    ],
)
def test_a_value_rate_area_or_coordinate_is_altered_with_a_reason_only(
    patch, order, rows, change, fields
):
    assert patch(order, FIRST).status_code == 200
    for reason in (None, "", "  "):
        answer = patch(order, change, reason=reason)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "REASON_REQUIRED")
        assert [error["field"] for error in answer.get_json()["errors"]] == fields

    answer = patch(order, change, reason="measured again")

    assert answer.status_code == 200
    (event,) = rows(
        "select e.reason, d.details from audit_events e join audit_details d using (event_id)"
        " where e.work_order_id = :id and e.action = 'workorder:contract:changed'"
        " and e.reason is not null",
        id=order,
    )
    assert event.reason == "measured again"
    assert fields[0] in json.loads(event.details)["before"]


@pytest.mark.parametrize(
    "change",
    [
        {"property": {"address": "Another"}},
        {"property": {"floors": {"house": {"age": 7}}}},
        {"property": {"built_up_area": "900 sqft"}},
        {"valuation_inputs": {"land_value": "1000 INR"}},
    ],
    ids=["a text", "years", "an area for the first time", "the same value, written otherwise"],
)
def test_other_changes_need_no_reason(patch, order, change):
    patch(order, FIRST)

    assert patch(order, change).status_code == 200


def test_a_patch_on_an_older_version_is_refused_and_changes_nothing(patch, order):
    first = patch(order, {"party": {"owner_name": "One"}}, headers={"If-Match": '"1"'})
    assert first.headers["ETag"] == '"2"'

    late = patch(order, {"party": {"owner_name": "Two"}}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.get_json()["code"]) == (412, "VERSION_CONFLICT")
    assert late.get_json()["current_version"] == 2

    again = patch(order, {"party": {"client_name": "C"}}, headers={"If-Match": '"2"'})
    assert contract(again)["party"]["owner_name"] == "One"


def test_a_rule_set_that_there_is_none_of_is_refused_with_the_nearest(patch, desk, order):
    answer = patch(order, {}, ruleset_version="m5.4-v2")

    assert (answer.status_code, answer.get_json()["code"]) == (422, "CHOICE_UNKNOWN")
    (error,) = answer.get_json()["errors"]
    assert error["field"] == "ruleset_version"
    assert "m5.4-v1" in error["message"]
    created = desk.post(ORDERS, json={"report_type": "DPR", "profile": "none-such"})
    assert created.get_json()["errors"][0]["field"] == "profile"


def test_the_rule_set_of_a_patch_stays_until_another_is_named(patch, order):
    patch(order, {}, ruleset_version="m5.4-v1")
    answer = patch(order, {"property": {"address": "12 Street"}})

    assert answer.get_json()["snapshot"]["ruleset_version"] == "m5.4-v1@1"


def test_results_and_authors_are_not_for_a_client_to_write(patch, order):
    change = {"computed_values": {"FMV": 1}, "audit": {"created_by": "somebody"}}
    found = contract(patch(order, change))

    assert "computed_values" not in found
    assert "audit" not in found


def test_settings_are_changed_by_what_is_sent(desk, order):
    address = f"{ORDERS}/{order}"
    body = {
        "title": "A house", "as_of": "2026-03-31", "assignment_id": "A-7",
        "parameters": {"round_to": {"value": 500, "source": "the circular"}},
    }  # fmt: skip
    first = desk.patch(address, json=body)
    assert first.status_code == 200, first.get_data(as_text=True)
    changed = {"parameters": {"round_to": {"value": 1000, "source": "the new circular"}}}

    refused = desk.patch(address, json=changed)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "REASON_REQUIRED")
    found = desk.patch(address, json={**changed, "title": None, "reason": "revised"}).get_json()

    assert (found["title"], found["as_of"], found["assignment_id"]) == (None, "2026-03-31", "A-7")
    assert found["parameters"]["round_to"]["value"] == "1000"
    same = desk.patch(address, json={"assignment_id": "A-7"})
    assert same.headers["ETag"] == f'"{found["version"]}"'


REGISTERED = {
    "banks (bank_id, name, bank_type": ":bank, 'Specimen Co-op', 'COOP'",
    "bank_branches (branch_id, bank_id, name, code, address": (
        ":branch, :bank, 'Main', '007', 'Market Road'"
    ),
    "valuers (valuer_id, name, registration": ":valuer, 'A Valuer', 'CAT-I/SPECIMEN/1'",
    "properties (property_id, label, search, property": ":property, 'House', 'house', :land",
}


def test_the_registers_are_copied_into_a_new_contract(desk, firm, owner_engine, create):
    ids = {name: new_id() for name in ("bank", "branch", "valuer", "property")}
    land = '{"address": "9 Lane", "land_area": "5 cent"}'
    values = {**ids, "tenant": firm.tenant_id, "now": now(), "land": land}
    with owner_engine.begin() as connection:
        for names, given in REGISTERED.items():
            connection.execute(
                text(
                    f"insert into {names}, tenant_id, created_at, updated_at)"  # noqa: S608 - ours
                    f" values ({given}, :tenant, :now, :now)"
                ),
                values,
            )
    found = create(
        bank_type=None, bank_name=None, bank_branch_id=str(ids["branch"]),
        valuer_id=str(ids["valuer"]), property_id=str(ids["property"]),
    )["contract"]  # fmt: skip

    assert found["meta"]["bank_type"] == "COOP"
    assert found["party"] == {
        "bank_name": "Specimen Co-op", "bank_branch_name": "Main", "bank_branch_code": "007",
        "bank_branch_address": "Market Road", "valuer_name": "A Valuer",
        "valuer_registration": "CAT-I/SPECIMEN/1",
    }  # fmt: skip
    assert found["property"] == {"address": "9 Lane", "land_area": "5 cent"}
    unknown = desk.post(ORDERS, json={"report_type": "DPR", "valuer_id": str(new_id())})
    assert (unknown.status_code, unknown.get_json()["errors"][0]["field"]) == (422, "valuer_id")


def test_a_reference_is_used_once(desk):
    body = {"report_type": "DPR", "reference": "R-1"}

    assert desk.post(ORDERS, json=body).status_code == 201
    again = desk.post(ORDERS, json=body)
    assert (again.status_code, again.get_json()["code"]) == (409, "REFERENCE_TAKEN")
