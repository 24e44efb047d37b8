"""What the profile asks for, how much is there, and which evidence shows which fact."""

import pytest

from service.workorders.evaluating import library
from tests.service.evidence import files

UNKNOWN = "01a20c94-cdcb-74ba-9257-ff53fcd38984"


def profiles(desk, order):
    answer = desk.client.get(f"/v1/repogen/work-orders/{order}/evidence-profiles")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def choose(desk, order, **body):
    return desk.client.post(f"/v1/repogen/work-orders/{order}/evidence-profile", json=body)


def links(desk, order, *changes, **more):
    path = f"/v1/repogen/work-orders/{order}/field-evidence-links"
    if not changes:
        return desk.client.get(path).get_json()["links"]
    return desk.client.post(path, json={"links": list(changes)}, **more)


def piece_of(desk, order, **more):
    answer = desk.link(order, {"evidence_type": "GEO"} | more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["evidence_items"][-1]["id"]


def test_the_checklist_counts_what_is_there(desk):
    order = desk.work_order()
    before = profiles(desk, order)

    assert before["selected_profile_id"] == "valuation-format-a"
    assert before["selected_why"]
    assert before["is_chosen_by_name"] is False
    exterior = {item["id"]: item for item in before["checklist"]}["exterior"]
    assert exterior["evidence_types"] == ["PHOTO"]
    assert exterior["tags_json"] == {"category": "exterior"}
    assert (exterior["current_count"], exterior["min_count"], exterior["satisfied"]) == (
        0,
        2,
        False,
    )
    assert [item["order_hint"] for item in before["checklist"]] == sorted(
        item["order_hint"] for item in before["checklist"]
    )

    for number in range(2):
        document = desk.document(files.located_jpeg(80 + number))["id"]
        item = {"evidence_type": "PHOTO", "document_id": document, "tags": {"category": "exterior"}}
        desk.link(order, item)
        found = desk.checklist(order)["exterior"]
        assert (found["current_count"], found["satisfied"]) == (number + 1, number == 1)
    after = profiles(desk, order)
    assert after["readiness"]["completeness_score"] > before["readiness"]["completeness_score"]


def test_suggestions_say_what_would_help_with_what_is_missing(desk):
    order = desk.work_order()
    # Without position and time this photograph nearly counts.
    desk.link(
        order,
        {
            "evidence_type": "PHOTO",
            "document_id": desk.document()["id"],
            "tags": {"category": "exterior"},
            "key": "front",
        },
    )
    found = profiles(desk, order)["suggested_evidence_for_missing_fields"]
    about = [one for one in found if one["requirement"] == "exterior"]

    assert (
        "front would count if it had a position and had the time it was taken"
        in about[0]["message"]
    )
    assert any("address" in one["message"].lower() for one in found)


def test_a_profile_is_chosen_by_name_and_given_up_again(desk, rows):
    order = desk.work_order()
    answer = choose(desk, order, profile_id="m5.4")
    chosen = answer.get_json()

    assert answer.status_code == 200
    assert (chosen["selected_profile_id"], chosen["is_chosen_by_name"]) == ("m5.4", True)
    assert chosen["version"] == 2
    assert "m5.4" in {one["id"] for one in chosen["profiles"]}
    assert choose(desk, order, profile_id="m5.4").get_json()["version"] == 2
    usual = choose(desk, order, use_default=True).get_json()
    assert (usual["selected_profile_id"], usual["is_chosen_by_name"]) == (
        "valuation-format-a",
        False,
    )
    assert rows(
        "select count(*) as n from audit_events"
        " where action = 'workorder:profile:chosen' and subject_id = :id",
        id=order,
    ) == [{"n": 2}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"profile_id": "valuation-formt-a"}, 400),
        # It answers for project reports only.
        ({"profile_id": "dpr"}, 400),
        ({"profile_id": "valuation-format-a@99"}, 400),
        ({}, 422),
        ({"use_default": False}, 422),
        ({"profile_id": "m5.4", "use_default": True}, 422),
    ],
)
def test_a_profile_that_does_not_answer_for_the_report_is_refused(desk, body, status):
    order = desk.work_order()
    answer = choose(desk, order, **body)

    assert answer.status_code == status
    if status == 400:
        assert answer.get_json()["code"] == "INVALID_EVIDENCE_PROFILE_FOR_WORK_ORDER"
    if body.get("profile_id") == "valuation-formt-a":
        assert "Did you mean 'valuation-format-a'?" in answer.get_json()["detail"]
    assert profiles(desk, order)["is_chosen_by_name"] is False


def test_the_profile_follows_the_bank_until_it_is_chosen_by_name(desk):
    found = {
        bank: profiles(desk, desk.work_order(bank_type=bank))["selected_profile_id"]
        for bank in ("SBI", "COOP")
    }

    assert found == {"SBI": "valuation-format-a", "COOP": "valuation-coop"}


def test_a_link_says_which_evidence_shows_which_fact_and_how_surely(desk):
    order = desk.work_order()
    piece = piece_of(desk, order)
    answer = links(
        desk,
        order,
        {
            "field_key": "property.address",
            "evidence_item_id": piece,
            "confidence": "0.85",
            "note": "page 2",
        },
        {"field_key": "property.land_area", "evidence_item_id": piece},
    )
    first, second = answer.get_json()["links"]

    assert answer.status_code == 200
    assert (first["field_key"], first["confidence"], first["note"]) == (
        "property.address",
        "0.85",
        "page 2",
    )
    assert (second["field_key"], second["confidence"], second["note"]) == (
        "property.land_area",
        None,
        None,
    )
    assert answer.get_json()["version"] == 3
    assert links(desk, order) == [first, second]


def test_a_link_is_changed_by_its_field_or_by_its_id_and_taken_away(desk):
    order = desk.work_order()
    piece = piece_of(desk, order)
    named = {"field_key": "property.address", "evidence_item_id": piece}
    (made,) = links(desk, order, named | {"confidence": "0.5", "note": "a"}).get_json()["links"]
    (same,) = links(desk, order, named | {"confidence": "1"}).get_json()["links"]

    assert same == made | {"confidence": "1"}
    (by_id,) = links(desk, order, {"id": made["id"], "note": None}).get_json()["links"]
    assert by_id == same | {"note": None}
    assert links(desk, order, {"id": UNKNOWN, "note": "x"}).status_code == 404
    assert links(desk, order, {"id": made["id"], "field_key": None}).status_code == 422
    assert links(desk, order, named | {"remove": True}).get_json()["links"] == []
    # What is not there is away already.
    assert links(desk, order, named | {"remove": True}).status_code == 200
    assert links(desk, order, {"id": UNKNOWN, "remove": True}).status_code == 200


def test_a_link_never_becomes_one_that_is_there_already(desk):
    order = desk.work_order()
    piece = piece_of(desk, order)
    first, second = links(
        desk,
        order,
        {"field_key": "property.address", "evidence_item_id": piece},
        {"field_key": "property.land_area", "evidence_item_id": piece},
    ).get_json()["links"]
    answer = links(desk, order, {"id": first["id"], "field_key": "property.land_area"})

    assert (answer.status_code, answer.get_json()["code"]) == (409, "LINK_EXISTS")
    assert links(desk, order) == [first, second]
    # In the room that another change makes it may.
    (left,) = links(
        desk,
        order,
        {"id": second["id"], "remove": True},
        {"id": first["id"], "field_key": "property.land_area"},
    ).get_json()["links"]
    assert left == first | {"field_key": "property.land_area"}


@pytest.mark.parametrize(
    ("confidence", "status"),
    [
        ("0", 200),
        ("1", 200),
        ("0.00000000000000000001", 200),
        ("0.000000000000000000001", 422),
        ("-0.01", 422),
        ("1.01", 422),
        ("NaN", 422),
    ],
)
def test_confidence_lies_between_nothing_and_one(desk, confidence, status):
    order = desk.work_order()
    change = {"field_key": "property.address", "evidence_item_id": piece_of(desk, order)}

    assert links(desk, order, change | {"confidence": confidence}).status_code == status


def test_a_field_that_nothing_defines_is_refused_with_the_nearest_that_is(desk):
    order = desk.work_order()
    piece = piece_of(desk, order)
    answer = links(
        desk,
        order,
        {"field_key": "property.address", "evidence_item_id": piece},
        {"field_key": "property.adress", "evidence_item_id": piece},
        {"field_key": "qqqq", "evidence_item_id": piece},
    )
    errors = answer.get_json()["errors"]

    assert answer.status_code == 422
    assert [one["field"] for one in errors] == ["links.1.field_key", "links.2.field_key"]
    assert "did you mean 'property.address'?" in errors[0]["message"]
    assert {one["code"] for one in errors} == {"FIELD_UNKNOWN"}
    assert links(desk, order) == []


def test_every_field_of_every_definition_and_profile_can_be_linked(desk):
    catalogue = library().catalogue
    keys = {one.key for one in catalogue.field_definitions}
    keys |= {field.key for profile in catalogue.profiles for field in profile.fields}
    order = desk.work_order()
    piece = piece_of(desk, order)
    answer = links(desk, order, *({"field_key": key, "evidence_item_id": piece} for key in keys))

    assert answer.status_code == 200
    assert {one["field_key"] for one in answer.get_json()["links"]} == keys
    assert {one["field_key"] for one in answer.get_json()["field_defs"]} == {
        one.key for one in catalogue.field_definitions
    }


def test_links_outlive_the_next_change_of_the_contract(desk):
    order = desk.work_order()
    document = desk.document()["id"]
    piece = piece_of(desk, order, evidence_type="PHOTO", document_id=document)
    change = {"field_key": "property.address", "evidence_item_id": piece}
    (made,) = links(desk, order, change).get_json()["links"]
    patch = {"patch": {"property": {"address": "12, Temple Road"}}, "reason": "from the deed"}
    path = f"/v1/repogen/work-orders/{order}/contract"
    assert desk.client.patch(path, json=patch).status_code == 200

    (kept,) = links(desk, order)
    # Only the snapshot that it holds for is another.
    assert kept == made | {"snapshot_id": kept["snapshot_id"]}
    unlinked = profiles(desk, order)["readiness"]["missing_field_evidence_links"]
    assert "property.address" not in unlinked
    assert "party.bank_name" in unlinked


def test_links_to_removed_evidence_are_gone_with_it(desk):
    order = desk.work_order()
    piece = piece_of(desk, order)
    links(desk, order, {"field_key": "property.address", "evidence_item_id": piece})
    desk.client.delete(
        f"/v1/repogen/work-orders/{order}/evidence/{piece}", json={"reason": "wrong place"}
    )

    assert links(desk, order) == []
    again = links(desk, order, {"field_key": "property.address", "evidence_item_id": piece})
    assert again.status_code == 404


def test_evidence_of_another_work_order_shows_nothing_here(desk):
    foreign = piece_of(desk, desk.work_order())
    order = desk.work_order()

    assert (
        links(
            desk, order, {"field_key": "property.address", "evidence_item_id": foreign}
        ).status_code
        == 404
    )


def test_who_may_only_see_changes_nothing(make_desk, desk):
    reader = make_desk(roles=["accounts"], firm=desk.firm)
    order = desk.work_order()
    for answer in (
        choose(reader, order, use_default=True),
        links(reader, order, {"field_key": "property.address", "evidence_item_id": UNKNOWN}),
        reader.link(order, {"evidence_type": "GEO"}),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "CAPABILITY_MISSING")
