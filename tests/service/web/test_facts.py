"""The form of the facts, without a browser: a contract as inputs, and inputs as a patch."""

import re

import pytest

from contracts.case import read_case
from contracts.contract import Contract, Meta
from contracts.patch import apply_patch
from contracts.shapes import at, options
from contracts.strict_yaml import read_yaml
from factory.catalogue import SHIPPED
from service.web.facts import form_of, layout, read_typed

SPECIMENS = (
    "coop", "farm", "flat", "house", "mill", "progress", "project", "revaluation",
)  # fmt: skip


def specimen(name):
    text = (SHIPPED / "fixtures" / "cases" / f"specimen-{name}" / "case.yaml").read_text("utf-8")
    case, problems = read_case(read_yaml(text, "case"))
    assert problems == ()
    return case.contract


def as_posted(group):
    """What a browser sends of a group that nobody has touched."""
    typed = {}
    entries = [*group.entries]
    for table in group.tables:
        typed[f"{table.path}.rows"] = str(len(table.rows))
        entries += [entry for row in (*table.rows, table.blank) for entry in row]
    for entry in entries:
        typed[entry.name] = entry.text
        if entry.units:
            typed[f"{entry.name}.unit"] = entry.unit
    return typed


def typed_into(contract, group, **values):
    names = {name.replace("__", "."): text for name, text in values.items()}
    form = next(one for one in form_of(contract) if one.key == group)
    return read_typed(contract, group, {**as_posted(form), **names})


def bare(**meta):
    return Contract(meta=Meta(report_type="VALUATION", **meta))


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_form_that_is_saved_as_it_was_changes_nothing(name):
    contract = specimen(name)

    patches = {g.key: read_typed(contract, g.key, as_posted(g)).patch for g in form_of(contract)}

    assert not any(patches.values())


@pytest.mark.parametrize("name", SPECIMENS)
def test_what_the_form_shows_makes_the_same_contract_of_an_empty_one(name):
    contract = specimen(name)
    built = Contract(
        meta=Meta(report_type=contract.meta.report_type, bank_type=contract.meta.bank_type)
    )

    for group in form_of(contract):
        built, problems = apply_patch(built, read_typed(built, group.key, as_posted(group)).patch)
        assert problems == ()

    again = form_of(built)
    shown = {entry.name: entry.text for group in form_of(contract) for entry in group.entries}
    assert {entry.name: entry.text for group in again for entry in group.entries} == shown
    rows = {t.path: [[e.text for e in row] for row in t.rows] for g in again for t in g.tables}
    assert rows == {
        t.path: [[e.text for e in row] for row in t.rows]
        for g in form_of(contract)
        for t in g.tables
    }


def test_every_path_of_the_form_is_a_place_of_the_contract():
    for group in layout()["groups"]:
        for field in group.get("fields", ()):
            assert at(Contract, tuple(field["path"].split("."))), field["path"]
        for table in group.get("tables", ()):
            assert at(Contract, tuple(table["path"].split("."))), table["path"]
            for column in table.get("columns", ()):
                path = (*table["path"].split("."), 0, column["name"])
                assert at(Contract, path), path


def test_no_path_stands_in_the_form_twice():
    paths = [
        one["path"]
        for group in layout()["groups"]
        for one in (*group.get("fields", ()), *group.get("tables", ()))
    ]

    assert len(paths) == len(set(paths))


def test_every_choice_of_the_form_has_a_word():
    from service.web.printed import words

    chosen = {
        term
        for group in form_of(specimen("house"))
        for entry in (*group.entries, *(e for t in group.tables for e in t.blank))
        if entry.kind == "choice"
        for term in entry.options
    }

    assert chosen
    assert chosen <= words()["choice"].keys()


def test_amounts_are_typed_with_commas_words_or_a_unit():
    contract = bare()

    for text, unit, meant in (
        ("12,50,000", "INR", "1250000 INR"),
        ("12.5", "lakh INR", "12.5 lakh INR"),
        ("1.2 crore INR", "INR", "1.2 crore INR"),
    ):
        typed = {"valuation_inputs.land_value": text, "valuation_inputs.land_value.unit": unit}
        found = typed_into(contract, "rates", **typed).patch
        assert found == {"valuation_inputs": {"land_value": meant}}, text


def test_a_unit_beside_the_number_goes_before_the_one_that_is_chosen():
    typed = {"property.land_area": "3 bigha 2 katha", "property.land_area.unit": "sqft"}

    found = typed_into(bare(), "land", **typed).patch

    assert found == {"property": {"land_area": "3 bigha 2 katha"}}


def test_the_same_quantity_written_otherwise_is_no_change():
    contract, _ = apply_patch(bare(), {"property": {"land_area": "1500 sqft"}})

    for text in ("1500", "1,500", "1500 sqft"):
        assert typed_into(contract, "land", **{"property.land_area": text}).patch == {}
    assert typed_into(contract, "land", **{"property.land_area": "1501"}).patch != {}
    assert typed_into(contract, "land", **{"property.land_area.unit": "sqm"}).patch != {}


def test_an_emptied_input_clears_the_field():
    contract, _ = apply_patch(bare(), {"party": {"owner_name": "Somebody"}})

    assert typed_into(contract, "parties", **{"party.owner_name": " "}).patch == {
        "party": {"owner_name": None}
    }


def test_a_new_row_gets_a_name_and_the_columns_that_are_not_shown_stay():
    contract, _ = apply_patch(
        bare(), {"property": {"parcels": [{"id": "site", "deed": "1 acre", "land_class": "Dry"}]}}
    )
    contract = contract.model_copy(
        update={
            "property": contract.property.model_copy(
                update={
                    "parcels": (
                        contract.property.parcels[0].model_copy(update={"label": "The site"}),
                    )
                }
            )
        }
    )

    patch = typed_into(
        contract,
        "land",
        **{"property.parcels[1].label": "The site", "property.parcels[1].deed": "2"},
    ).patch

    rows = patch["property"]["parcels"]
    assert [row["id"] for row in rows] == ["site", "the_site"]
    assert rows[0]["land_class"] == "Dry"
    assert rows[1]["deed"] == "2 sqft"


def test_a_row_is_taken_out_and_the_inputs_of_the_others_keep_their_numbers():
    rows = [{"id": name, "label": name, "deed": "1 acre"} for name in ("a", "b", "c")]
    contract, _ = apply_patch(bare(), {"property": {"parcels": rows}})

    found = typed_into(contract, "land", **{"property.parcels[1].remove": "yes"})

    assert [row["id"] for row in found.patch["property"]["parcels"]] == ["a", "c"]
    assert found.input_of("property.parcels[c].deed") == "property.parcels[2].deed"
    assert found.input_of("property.parcels[nobody].deed") == "property.parcels[nobody].deed"


def test_names_with_texts_are_changed_one_by_one():
    contract, _ = apply_patch(bare(), {"property": {"site": {"road": "Narrow", "water": "Well"}}})

    found = typed_into(
        contract,
        "property",
        **{
            "property.site[0].text": "Wide",
            "property.site[1].remove": "yes",
            "property.site[2].name": "shape",
            "property.site[2].text": "Square",
        },
    )

    assert found.patch == {"property": {"site": {"road": "Wide", "water": None, "shape": "Square"}}}


def test_a_group_shows_for_the_kinds_it_is_for_and_where_facts_would_be_hidden():
    def shown(contract):
        return {group.key for group in form_of(contract)}

    assert {"land", "building"} <= shown(bare())
    assert "agriculture" not in shown(bare())
    flat, _ = apply_patch(bare(), {"property": {"kind": "FLAT"}})
    assert "flat" in shown(flat)
    assert "building" not in shown(flat)
    kept, _ = apply_patch(flat, {"property": {"floors": [{"id": "g", "plinth": "10 sqm"}]}})
    assert "building" in shown(kept)
    assert "stage" not in shown(bare())
    assert "stage" in shown(Contract(meta=Meta(report_type="STAGE_PROGRESS")))


def test_a_gap_is_asked_for_at_the_first_place_that_would_fill_it():
    gaps = (("party.owner_name", "party.owners"), ("property.boundaries",))

    groups = {group.key: group for group in form_of(bare(), needed=gaps)}

    asked = [entry.name for group in groups.values() for entry in group.entries if entry.needed]
    assert asked == ["party.owner_name"]
    assert (groups["parties"].needed, groups["boundaries"].needed) == (1, 1)


def test_what_was_typed_and_refused_stands_in_the_form_with_what_is_wrong():
    typed = {"property.floors[0].plinth": "twelve", "property.floors[0].plinth.unit": "sqft"}
    problems = {"property.floors[0].plinth": "is not a number"}

    form = form_of(bare(), typed=typed, problems=problems)

    group = next(one for one in form if one.key == "building")
    row = next(table for table in group.tables if table.path == "property.floors").rows[0]
    assert [(e.text, e.problem) for e in row if e.name.endswith("plinth")] == [
        ("twelve", "is not a number")
    ]
    assert group.problems == 1


def test_more_rows_than_a_form_has_are_not_read():
    typed = {"property.parcels[59].label": "last", "property.parcels[60].label": "beyond"}

    rows = typed_into(bare(), "land", **typed).patch["property"]["parcels"]

    assert [row["label"] for row in rows] == ["last"]


def test_the_kinds_of_the_layout_are_kinds_of_the_contract():
    kinds = options(at(Contract, ("property", "kind")))
    types = options(at(Contract, ("meta", "report_type")))

    for group in layout()["groups"]:
        assert set(group.get("kinds", ())) <= set(kinds)
        assert set(group.get("report_types", ())) <= set(types)
        assert re.fullmatch(r"[a-z]+", group["key"])
