"""Patches: what is not named stays, null clears, lists are replaced or addressed by row id."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.canonical_json import to_plain
from contracts.contract import Contract
from contracts.patch import apply_patch
from contracts.strict_yaml import read_yaml
from tests.contracts.strategies import contracts

CONTRACT = Contract.model_validate(
    {
        "meta": {"report_type": "VALUATION", "purpose": "Loan"},
        "property": {
            "address": "1 First Road",
            "floors": [
                {"id": "house", "area": "900 sqft", "age": "6 year"},
                {"area": "10 sqft"},
                {"id": "shed", "area": "100 sqft"},
            ],
            "rooms": {"bed": 2, "bath": 1},
            "land_area": "5 cent",
        },
        "manual_fields": {"checklist_json": {"a": {"b": True, "c": "x"}}},
        "annexures": {"items": [{"evidence_item_id": "p1"}]},
    }
)


def patched(text):
    result, problems = apply_patch(CONTRACT, read_yaml(text, "patch.yaml"))
    assert problems == ()
    return result


def codes(text):
    result, problems = apply_patch(CONTRACT, read_yaml(text, "patch.yaml"))
    assert result is None
    return [(problem.code, problem.line, problem.column) for problem in problems]


def test_a_patch_of_one_field_leaves_the_lists_beside_it_alone():
    """Weakness 2 of the original: a patch of the address emptied the floors."""
    result = patched("property: {address: 2 Second Road}")

    assert result.property.address == "2 Second Road"
    assert result.property.floors == CONTRACT.property.floors
    assert result.annexures == CONTRACT.annexures


def test_a_patch_of_the_annexures_leaves_the_items_alone():
    result = patched("annexures: {image_grouping_default: {min: 1, max: 4}}")

    assert result.annexures.items == CONTRACT.annexures.items


def test_the_facts_of_other_kinds_of_report_can_be_set():
    """Weakness 1 of the original: its schema dropped them, so such reports were never ready."""
    result = patched("manual_fields: {project_summary: A mill, stage_notes: Roof on}")

    assert result.manual_fields.project_summary == "A mill"
    assert result.manual_fields.stage_notes == "Roof on"
    assert result.manual_fields.checklist_json == CONTRACT.manual_fields.checklist_json


def test_null_clears_a_field_a_list_or_a_part():
    """Weakness 3 of the original: nothing could be cleared."""
    result = patched("property: {address: null, floors: null, rooms: {bed: null}}\nstage: null")

    assert result.property.address is None
    assert result.property.floors is None
    assert result.property.rooms == {"bath": 1}
    assert patched("property: null").property == Contract.model_fields["property"].default


def test_a_list_replaces_the_whole_list():
    assert patched("property: {floors: [{id: new}]}").property.floors[0].id == "new"
    assert patched("property: {floors: []}").property.floors == ()


def test_rows_are_changed_taken_out_and_added_by_id():
    result = patched("property: {floors: {house: {age: 7 year}, shed: null, tower: {use: Water}}}")

    assert to_plain(result.property)["floors"] == [
        {"id": "house", "area": "900 sqft", "age": "7 year"},
        {"area": "10 sqft"},
        {"id": "tower", "use": "Water"},
    ]


def test_rows_can_be_added_where_there_was_no_list():
    assert patched("property: {parcels: {plot: {deed: 5 cent}}}").property.parcels[0].id == "plot"


def test_a_quantity_is_replaced_whole():
    result = patched("property: {land_area: {value: '6', unit: cent}}")

    assert str(result.property.land_area) == "6 cent"


def test_a_checklist_is_changed_key_by_key():
    result = patched("manual_fields: {checklist_json: {a: {b: false}, d: [1]}}")

    assert result.manual_fields.checklist_json == {"a": {"b": False}, "d": ["1"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("propery: {}", [("E401", 1, 1)]),
        ("property:\n  adress: x", [("E401", 2, 3)]),
        ("property: {floors: {house: {agee: 1}}}", [("E401", 1, 29)]),
        ("property: {floors: {tower: {agee: 1}}}", [("E401", 1, 29)]),
        ("property: {floors: [{id: a}, {id: a}]}", [("E411", 1, 35)]),
        ("property: {floors: {house: {id: x}}}", [("E408", 1, 21)]),
        ("property: {floors: {house: 5}}", [("E408", 1, 28)]),
        ("annexures: {items: {p1: {label: x}}}", [("E408", 1, 13)]),
        ("meta: null", [("E409", 1, 7)]),
        ("meta: {report_type: null}", [("E409", 1, 21)]),
        ("property: {tenure: {a: 1}}", [("E403", 1, 12)]),
        ("property: 5", [("E405", 1, 11)]),
        ("[1]", [("E405", 1, 1)]),
        ("a: NO", [("E103", 1, 4)]),
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing_and_says_where(text, expected):
    assert codes(text) == expected


def test_a_row_that_was_probably_misspelt_is_a_warning():
    for text in ("property: {floors: {huose: {age: 1}}}", "property: {floors: {barn: null}}"):
        result, problems = apply_patch(CONTRACT, read_yaml(text, "patch.yaml"))
        assert result is not None
        assert [(problem.code, problem.severity) for problem in problems] == [("E408", "warning")]


def test_a_row_taken_out_of_no_list_is_a_warning():
    result, problems = apply_patch(CONTRACT, {"property": {"parcels": {"barn": None}}})

    assert result.property.parcels == ()
    assert problems[0].why == "There are no rows."


def test_a_patch_may_be_plain_values():
    result, problems = apply_patch(CONTRACT, {"party": {"owner_name": "A. Specimen"}})

    assert problems == ()
    assert result.party.owner_name == "A. Specimen"
    floors = {"house": {"age": "9 year"}, "barn": {"age": "1 year"}}
    result, _ = apply_patch(CONTRACT, {"property": {"floors": floors}})
    assert [str(floor.age) for floor in result.property.floors] == [
        "9 year",
        "None",
        "None",
        "1 year",
    ]
    assert apply_patch(CONTRACT, {"x": 1})[1][0].file == "patch"


@settings(max_examples=60, deadline=None)
@given(contracts, contracts)
def test_a_patch_applied_twice_is_a_patch_applied_once(contract, other):
    patch = to_plain(other)
    once, problems = apply_patch(contract, patch)

    if once is not None:
        assert apply_patch(once, patch)[0] == once
    else:
        assert {problem.code for problem in problems} == {"E411"}


@settings(max_examples=60, deadline=None)
@given(contracts, st.sampled_from(["party", "property", "valuation_inputs", "annexures"]))
def test_a_patch_of_an_absent_section_leaves_every_list_alone(contract, section):
    changed, _ = apply_patch(contract, {section: {}})

    assert changed == contract or changed is None
