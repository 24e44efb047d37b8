"""What a template may print of a bundle: final texts, each with its field, nothing empty."""

import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.canonical_json import to_plain
from contracts.case import Case, ParameterOverride
from contracts.contract import Contract
from contracts.document import Document
from contracts.quantities import parse_quantity
from contracts.validation import validate
from engine.evaluation import evaluate
from factory.report.bundle_parts import BundleParts
from factory.report.data import fields_of, is_leaf, leaves_of, report_data
from factory.report.printing import NO_BREAK, NOT_KNOWN, NOT_STATED
from factory.report.vocabulary import vocabulary
from tests.report.conftest import NAMES, case_named, library, parts_named


def at(data, path):
    """The text at a dotted path; a row by its id in brackets."""
    for step in re.findall(r"[^.\[\]]+|\[[^\]]+\]", path):
        if step.startswith("["):
            data = next(row for row in data if row["id"] == step[1:-1])
        else:
            data = data[step]
    return data["text"].replace(NO_BREAK, " ") if is_leaf(data) else data


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fmv", "₹1,77,64,480"),
        ("fmv_plain", "1,77,64,480"),
        ("fmv_short", "₹1.776448 crore"),
        (
            "realizable_words",
            "Rupees One Crore Sixty Eight Lakh Seventy Six Thousand Two Hundred Fifty Six Only",
        ),
        ("distress", "₹1,42,11,584"),
        ("guideline_variance", "26.83 %"),
        ("market_rate_sqm", "₹55,972.33 per sq m"),
        ("market_rate_sqm_entered", "₹5,200 per sq ft"),
        ("guideline_rate_sqm_both", "₹44,132.03 per sq m (₹4,100 per sq ft)"),
        ("land_area_sqm_both", "222.97 sq m (2,400 sq ft)"),
        ("figures.say", "₹1,77,64,480"),
        ("value_slab", "Below ₹5 crore"),
        ("meta.report_type", "Valuation"),
        ("meta.report_type_code", "VALUATION"),
        ("meta.npa_account", "no"),
        ("meta.npa_account_code", False),
        ("party.owners[prakash].share_percent", "50 %"),
        ("property.kind", "Land and building"),
        ("property.year_built", "2018"),
        ("property.age", "8 years"),
        ("property.land_area", "2,400 sq ft"),
        ("property.land_area_sqm", "222.97 sq m"),
        ("property.boundaries.north.actual", "House on site No. 116"),
        ("property.boundaries.match", "yes"),
        ("property.tenancy.occupancy", "Occupied by the owner"),
        ("property.tenancy.expected_rent", "₹32,000"),
        ("property.coordinates.position", "12.337512° N, 76.612034° E"),
        ("property.site.level", "Level with the road"),
        ("property.site.power", NOT_STATED),
        ("property.site_rows[road].value", "Asphalted, 9 m wide"),
        ("property.rooms.bedrooms", "4"),
        ("property.cts_no", NOT_STATED),
        ("floors[ground].label", "Ground floor"),
        ("floors[ground].plinth", "1,450 sq ft"),
        ("floors[ground].plinth_sqm", "134.71 sq m"),
        ("floors[ground].rate_both", "₹22,604.21 per sq m (₹2,100 per sq ft)"),
        ("floors[ground].cost", "₹30,45,000"),
        ("floors[ground].depreciation", "12.00 %"),
        ("floors[first].net", "₹20,24,880"),
        ("floors[first].roof_height_m", "3.05 m"),
        ("totals.floors.cost", "₹53,46,000"),
        ("totals.floors.depreciated", "₹6,41,520"),
        ("totals.floors.plinth", "2,630 sq ft"),
        ("totals.floors.plinth_sqm", "244.33 sq m"),
        ("totals.owners.share_percent", "100 %"),
        ("totals.guideline.value", "₹98,40,000"),
        ("parcels[site].value", "₹1,24,80,000"),
        ("guideline[site].value", "₹98,40,000"),
        ("extras[tank].amount", "₹30,000"),
        ("documents[building_plan].dated", "23 August 2017"),
        ("valuation_inputs.market_rate_range", "₹5,000 per sq ft to ₹5,500 per sq ft"),
        ("valuation_inputs.inspection_dates_mentioned_text", "10 November 2026"),
        ("stage.done_percent", NOT_STATED),
        ("project.cost_total_words", NOT_STATED),
        ("built_up_value", NOT_KNOWN),
        ("built_up_value_words", NOT_KNOWN),
        ("parameters.realizable_share", "95 %"),
        ("firm.address_text", "12, Specimen Chambers, Double Road, Mysuru 570099, Karnataka"),
        ("firm.valuer.designation", "Registered valuer"),
        ("report.validity", "90 days"),
        ("report.validity_until", "11 February 2027"),  # 13 November 2026 and 90 days
        ("report.number", "SPV/2026-27/0117"),
        ("report.ruleset", "psu@1"),
        ("evidence[khata].doc_type", "Khata"),
        ("evidence[exterior-front].label", "Front of the house"),
        ("evidence[exterior-front].captured_at", "10 November 2026, 11:02"),
    ],
)
def test_the_specimen_house_prints(path, text):
    assert at(report_data(parts_named("specimen-house")), path) == text


@pytest.mark.parametrize("name", NAMES)
def test_no_leaf_is_empty_and_a_field_prints_one_text(name):
    check(report_data(parts_named(name)))


def check(data):
    """What holds for the data of any bundle."""
    texts = {}
    count = 0
    for leaf in leaves_of(data):
        count += 1
        assert leaf.keys() == {"text", "field", "known"}
        assert leaf["text"].strip(), leaf
        assert leaf["text"] == leaf["text"].strip()
        assert leaf["field"]
        assert texts.setdefault(leaf["field"], leaf["text"]) == leaf["text"], leaf
    assert count > 500
    assert json.loads(json.dumps(data)) == data
    return texts


def test_what_is_not_known_is_neither_zero_nor_blank():
    data = report_data(parts_named("P03-square-feet"))
    unknown = [leaf for leaf in leaves_of(data) if not leaf["known"]]
    assert {leaf["text"] for leaf in unknown} <= {NOT_KNOWN, NOT_STATED, "NA"}
    assert at(data, "fmv") == NOT_KNOWN
    assert at(data, "fmv_words") == NOT_KNOWN


def test_the_rule_sets_own_word_for_the_unknown_is_printed():
    data = report_data(parts_named("P01-sbi-three-values"))
    assert at(data, "guideline_value") == "NA"
    assert at(data, "book_value_words") == "NA"
    assert data["guideline_value"]["known"] is False


def test_a_local_unit_comes_with_its_worth_and_source():
    row, _ = report_data(parts_named("R01-sbi-thiruvananthapuram"))["land_units"]
    assert at(row, "entered") == "6.59 cent"
    assert at(row, "definition") == "1 cent = 435.6 sq ft"
    assert at(row, "metric") == "40.468564224 sq m"
    assert row["source"]["known"]


def test_units_that_every_bank_knows_are_not_explained():
    assert report_data(parts_named("specimen-house"))["land_units"] == []


def overridden():
    """The specimen house, with two parameters of its own."""
    parts = parts_named("specimen-house")
    own = {
        "realizable_share": ParameterOverride(value=parse_quantity("90 %"), source="Bank's letter"),
        "no_such": ParameterOverride(value=parse_quantity("1"), source="nowhere"),
    }
    case = parts.case.model_copy(update={"parameters": own})
    return replace(parts, case=case)


def test_a_parameter_that_the_case_sets_is_printed_with_its_source():
    data = report_data(overridden())
    (row,) = data["overrides"]
    assert at(row, "label") == "Realizable share"
    assert at(row, "value") == "90 %"
    assert at(row, "value_in_rules") == "95 %"
    assert at(row, "source") == "Bank's letter"
    assert at(data, "parameters.realizable_share") == "90 %"


def evaluated(contract):
    """The parts of a bundle of this contract, as if it had been written."""
    case = Case(case="made", contract=contract)
    evaluation = evaluate(case, library().catalogue)
    sample = parts_named("specimen-house")
    rules = evaluation.ruleset
    rule_set = library().catalogue.rule_sets.get(f"{rules.id}@{rules.version}")
    bundled = sample.case.model_copy(update={"evidence": (), "links": (), "parameters": {}})
    return BundleParts(
        path=Path("made.zip"),
        digest="0" * 64,
        case=bundled,
        evaluation=evaluation,
        profile=None,
        registers=sample.registers,
        ruleset={} if rule_set is None else rule_set.canonical,
        annexures=sample.annexures.model_copy(update={"pages": ()}),
        firm=None,
        template=sample.template,
    )


def contract(**sections):
    """A contract of these sections."""
    raw = {"meta": {"report_type": "VALUATION", "bank_type": "SBI"}} | sections
    found, problems = validate(Contract, Document.of_values(raw))
    assert found is not None, problems
    return found


def test_a_finding_that_somebody_accepted_is_apart_from_those_that_remain():
    given = contract(
        property={"state": "Kerala"},
        valuation_inputs={"inspection_date": "2026-03-02", "valuation_date": "2026-03-01"},
        accepted_findings=[
            {"code": "VALUATION_BEFORE_INSPECTION", "name": "A. Nair", "reason": "drive-by first"}
        ],
    )
    data = report_data(evaluated(given))
    (accepted,) = data["findings"]
    assert accepted["id"] == "VALUATION_BEFORE_INSPECTION"
    assert at(accepted, "name") == "A. Nair"
    assert at(accepted, "reason") == "drive-by first"
    assert "before the inspection" in at(accepted, "message")
    remaining = {row["id"] for row in data["warnings"]}
    assert "BANK_NAME_MISSING" in remaining
    assert "VALUATION_BEFORE_INSPECTION" not in remaining


def test_the_bare_contract_has_every_section():
    data = report_data(evaluated(contract()))
    assert at(data, "property.boundaries.east.deed") == NOT_STATED
    assert at(data, "property.tenancy.monthly_rent_words") == NOT_STATED
    assert at(data, "previous_valuation.rate_both") == NOT_STATED
    assert at(data, "firm.valuer.name") == NOT_STATED
    assert at(data, "report.validity_until") == NOT_STATED
    assert data["floors"] == []
    assert data["property"]["parcels"] == []


def test_a_checklist_prints_its_ticks_as_a_person_set_them():
    given = contract(
        manual_fields={"checklist_json": {"plan": {"seen": True, "copy": False}, "notes": "ok"}}
    )
    rows = report_data(evaluated(given))["manual_fields"]["checklist"]
    assert {at(row, "label"): at(row, "value") for row in rows} == {
        "Plan: Seen": "yes",
        "Plan: Copy": "no",
        "Notes": "ok",
    }
    assert [row["value_code"] for row in rows if row["id"] == "plan.copy"] == [False]


def test_a_row_without_label_is_called_by_what_it_has():
    given = contract(
        property={"floors": [{"id": "first-floor"}, {}]},
        valuation_inputs={"sale_instances": [{"location": "2nd Cross"}]},
    )
    data = report_data(evaluated(given))
    assert [at(row, "label") for row in data["floors"]] == ["First floor", "No. 2"]
    assert at(data["sale_instances"][0], "label") == "2nd Cross"


def test_amounts_in_different_units_of_area_are_not_added():
    floors = [{"id": "a", "plinth": "100 sqft"}, {"id": "b", "plinth": "10 sqm"}]
    data = report_data(evaluated(contract(property={"floors": floors})))
    assert at(data, "totals.floors.plinth") == NOT_KNOWN
    assert at(data, "totals.floors.plinth_sqm") == "19.29 sq m"


def test_a_total_with_an_unknown_part_is_not_known():
    extras = [{"id": "a", "label": "A", "amount": "5 lakh INR"}, {"id": "b", "label": "B"}]
    data = report_data(evaluated(contract(valuation_inputs={"extras": extras})))
    assert at(data, "totals.extras.amount") == NOT_KNOWN
    assert at(data, "extras_value") == NOT_KNOWN


def test_a_quantity_in_a_unit_that_means_nothing_here_is_printed_as_entered():
    data = report_data(evaluated(contract(property={"land_area": "3 bigha"})))
    assert at(data, "property.land_area") == "3 bigha"
    assert at(data, "property.land_area_sqm") == NOT_KNOWN
    assert at(data, "property.land_area_both") == "3 bigha"


def test_every_name_of_the_vocabulary_is_in_the_data():
    parts = [parts_named(name) for name in NAMES]
    rule_sets = {
        part.ruleset["ruleset"]: part.ruleset
        for part in parts
        if part.ruleset and "extends" not in part.ruleset
    }
    shipped = {
        name: rule_set
        for name, rule_set in rule_sets.items()
        if f"{name}@{rule_set['version']}" in library().catalogue.rule_sets
    }
    names = [
        (path, name)
        for section in vocabulary(shipped.values(), {})
        for name in section.names
        for path in name.paths
    ]
    found = set().union(*(paths(report_data(part)) for part in parts))
    lists_never_used = {path.partition("[]")[0] for path, _ in names if "[]" in path} - {
        path.partition("[]")[0] for path in found
    }
    missing = [
        path
        for path, name in names
        if path not in found
        and path.partition("[]")[0] not in lists_never_used
        and not path.startswith("totals.")
        and not name.plain
    ]
    assert missing == []


def paths(data, path=""):
    """The names of all leaves, rows as `[]`."""
    if is_leaf(data):
        return {path}
    if isinstance(data, list):
        return set().union(*(paths(item, f"{path}[]") for item in data)) if data else set()
    if isinstance(data, dict):
        return set().union(
            *(paths(item, f"{path}.{name}" if path else name) for name, item in data.items()),
            {f"{path}.{name}" if path else name for name in data if name.endswith("_code")},
        )
    return set()


def places(value, path=()):
    """Every place of a contract's values that can be emptied or changed."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


SAMPLES = {
    name: to_plain(case_named(name)[0].contract)
    for name in ("R02-uco-banka", "R29-kolkata-mixed-units", "specimen-farm", "specimen-flat")
    if name in NAMES
}


@st.composite
def changed_contracts(draw):
    """A contract of a fixture case with parts taken away or overwritten."""
    raw = json.loads(json.dumps(draw(st.sampled_from(list(SAMPLES.values())))))
    for _ in range(draw(st.integers(1, 12))):
        left = [path for path in places(raw) if path[0] != "meta"]
        if not left:
            break
        *way, last = draw(st.sampled_from(left))
        home = raw
        for step in way:
            home = home[step]
        if draw(st.booleans()):
            home[last] = draw(
                st.one_of(
                    st.text(max_size=12),
                    st.sampled_from(
                        ["0", "0 INR", "3 bigha", "1 sqm", "2 INR/guntha", "5 %", [], None]
                    ),
                    st.decimals(0, 10**9, places=3).map(str),
                )
            )
        else:
            del home[last]
    found, _ = validate(Contract, Document.of_values(raw))
    return found


@settings(max_examples=60, deadline=None)
@given(changed_contracts())
def test_data_of_any_contract_hold_no_empty_leaf(changed):
    if changed is None:  # not readable as a contract
        return
    check(report_data(evaluated(changed)))


def test_the_validity_of_a_report_at_the_end_of_time_is_not_stated():
    parts = parts_named("specimen-house")
    inputs = parts.contract.valuation_inputs.model_copy(update={"report_date": date(9999, 12, 31)})
    changed = parts.contract.model_copy(update={"valuation_inputs": inputs})
    late = replace(parts, evaluation=replace(parts.evaluation, contract=changed))
    assert at(report_data(late), "report.validity_until") == NOT_STATED


def test_fields_of_the_data_are_those_of_its_leaves():
    fields = fields_of(report_data(parts_named("specimen-house")))
    assert fields["fmv"] == "₹1,77,64,480"
    assert fields["contract.property.address"].startswith("No. 117")
    assert fields["floors[ground].net"] == "₹26,79,600"
    assert Decimal(fields["fmv:plain"].replace(",", "")) == 17764480
