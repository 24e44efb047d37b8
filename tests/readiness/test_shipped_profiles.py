"""What the shipped profiles ask for, each on both sides of its conditions."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.profile import Profile
from contracts.strict_yaml import read_yaml
from engine.readiness import FIGURES

ROOT = Path(__file__).resolve().parents[2]
FACTS = {
    "sha256": "0" * 64,
    "size": 1,
    "media_type": "image/jpeg",
    "captured_at": "2026-11-10T10:15:00",
    "located_at": {"latitude": 12, "longitude": 76},
}
VALUATIONS = ["valuation-format-a", "valuation-psu", "valuation-coop"]


@pytest.fixture
def asked(compiled, make_contract, ask):
    """What a profile requires of a contract: keys of fields and of evidence."""

    def keys(name, **parts):
        report_type = parts.pop("report_type", "VALUATION")
        readiness = ask(compiled(name), make_contract(report_type, **parts))
        fields = {re.search(r"\(([^\s)]+)", text)[1] for text in readiness.missing_fields}
        evidence = {row.requirement for row in readiness.required_evidence_minimums if row.required}
        return fields, evidence

    return keys


def test_the_specimen_is_ready_and_each_of_its_pieces_is_needed_or_optional(
    specimen, compiled, ask
):
    from contracts.evidence import FileFacts

    facts = FileFacts.model_validate(FACTS)
    evidence = [piece.model_copy(update={"facts": facts}) for piece in specimen.evidence]
    profile = compiled("valuation-format-a")

    whole = ask(profile, specimen.contract, evidence, figures={"fmv": True})
    optional = {
        piece.key
        for piece in evidence
        if ask(
            profile,
            specimen.contract,
            [other for other in evidence if other is not piece],
            figures={"fmv": True},
        ).ready
    }

    assert whole.ready
    assert whole.completeness_score == 100
    assert optional == {"bank-letter"}


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("building-plan", "Approved building plan: need at least 1, found 0"),
        ("layout-sketch", "Layout sketch with latitude and longitude: need at least 1, found 0"),
    ],
)
def test_a_sketch_is_not_taken_for_the_plan(gone, message, specimen, compiled, ask):
    evidence = [piece for piece in specimen.evidence if piece.key != gone]

    readiness = ask(compiled("valuation-format-a"), specimen.contract, evidence)

    assert message in readiness.missing_evidence


def test_pictures_of_the_specimen_without_their_files_do_not_count(specimen, compiled, ask):
    readiness = ask(
        compiled("valuation-format-a"), specimen.contract, specimen.evidence, figures={"fmv": True}
    )

    assert "Exterior photographs with position and date: need at least 2, found 0" in (
        readiness.missing_evidence
    )


@pytest.mark.parametrize("name", [*VALUATIONS, "valuation-agri", "revaluation"])
def test_a_report_without_a_value_is_never_ready(name, compiled, specimen, ask):
    missing = "Fair market value is missing (figures.fmv)"

    assert missing in ask(compiled(name), specimen.contract).missing_fields
    assert (
        missing not in ask(compiled(name), specimen.contract, figures={"fmv": True}).missing_fields
    )


def test_a_stage_report_needs_the_present_value(compiled, specimen, ask):
    (missing,) = ask(
        compiled("stage-progress"), specimen.contract, figures={"present_value": False}
    ).missing_fields[-1:]

    assert missing == "Present value is missing (figures.present_value)"


@pytest.mark.parametrize("name", VALUATIONS)
@pytest.mark.parametrize(
    "building",
    [
        {"property": {"floors": [{"id": "house"}]}},
        {"property": {"built_up_area": "90 sqm"}},
        {"property": {"flats": [{"id": "flat"}]}},
        {"valuation_inputs": {"building_value": 1}},
    ],
)
def test_a_building_asks_for_its_plan_and_interior(name, building, asked):
    _, with_building = asked(name, **building)
    _, without = asked(name, property={"floors": []})

    assert {"plan", "interior"} <= with_building
    assert not {"plan", "interior"} & without


@pytest.mark.parametrize("kind", ["LAND", "AGRICULTURAL"])
def test_bare_land_never_asks_for_a_plan(kind, asked):
    _, evidence = asked("valuation-format-a", property={"kind": kind, "built_up_area": "90 sqm"})

    assert not {"plan", "interior"} & evidence


def test_no_interior_is_asked_for_when_the_property_was_seen_from_outside_only(asked):
    building = {"property": {"floors": [{"id": "house"}]}}

    fields, evidence = asked(
        "valuation-format-a", meta={"external_inspection_only": True}, **building
    )
    inside_fields, inside = asked(
        "valuation-format-a", meta={"external_inspection_only": False}, **building
    )

    assert "interior" not in evidence
    assert "manual_fields.remarks_text" in fields
    assert "interior" in inside
    assert "manual_fields.remarks_text" not in inside_fields


@pytest.mark.parametrize("kind", ["FLAT", "SHOP"])
def test_a_flat_asks_for_the_flat_and_not_for_the_land(kind, asked):
    fields, evidence = asked("valuation-format-a", property={"kind": kind})
    house_fields, house_evidence = asked("valuation-format-a", property={"kind": "LAND_BUILDING"})

    assert "property.flats" in fields
    assert not {"property.land_area", "property.boundaries"} & fields
    assert "rtc" not in evidence
    assert {"property.land_area", "property.boundaries"} <= house_fields
    assert "property.flats" not in house_fields
    assert "rtc" in house_evidence


@pytest.mark.parametrize("name", [*VALUATIONS, "valuation-agri"])
@pytest.mark.parametrize(
    "stated",
    [
        {"guideline_screenshot_present": True},
        {"guideline": [{"id": "zone"}]},
        {"guideline_value": 1},
        {"guideline_rate_input": "1 INR/sqft"},
        {"guideline_rate_per_sqm": 1},
    ],
)
def test_a_stated_guideline_value_needs_its_screenshot(name, stated, asked):
    _, with_guideline = asked(name, valuation_inputs=stated)
    _, without = asked(name, valuation_inputs={"guideline_screenshot_present": False})

    assert "guideline_screenshot" in with_guideline
    # A missing guideline value is printed as NA; there is nothing to show.
    assert "guideline_screenshot" not in without


@pytest.mark.parametrize("name", [*VALUATIONS, "valuation-agri", "revaluation"])
def test_a_rate_is_asked_for_unless_rows_carry_their_own(name, asked):
    rate = "valuation_inputs.market_rate_input"

    fields, _ = asked(name)
    by_parcel, _ = asked(name, property={"parcels": [{"id": "plot"}]})
    by_farm, _ = asked(name, property={"agriculture": {"parcels": [{"id": "field"}]}})

    assert rate in fields
    assert rate not in by_parcel
    assert rate not in by_farm


@pytest.mark.parametrize("total", ["market_total_value_input", "adopted_total_value_input"])
def test_a_co_operative_total_may_stand_without_rates(total, asked):
    fields, _ = asked("valuation-coop", valuation_inputs={total: 1})

    assert "valuation_inputs.market_rate_input" not in fields


def test_format_a_asks_for_the_valuer_at_the_site_and_the_price_trend(asked):
    _, format_a = asked("valuation-format-a")
    _, long_form = asked("valuation-psu")
    _, coop = asked("valuation-coop")

    assert {"valuer_selfie", "price_trend"} <= format_a
    assert not {"valuer_selfie", "price_trend"} & (long_form | coop)


@pytest.mark.parametrize("missing", ["located_at", "captured_at", "taken_on_site"])
def test_the_valuers_photograph_shows_place_and_day(missing, compiled, make_evidence, ask):
    profile = compiled("valuation-format-a")

    def found(piece):
        rows = ask(profile, evidence=[piece]).required_evidence_minimums
        return next(row.found for row in rows if row.requirement == "valuer_selfie")

    assert found(make_evidence("me", category="selfie")) == 1
    assert found(make_evidence("me", category="selfie", **{missing: None})) == 0


def test_the_long_form_asks_for_two_comparable_sales(asked):
    fields, evidence = asked("valuation-psu")

    assert "valuation_inputs.sale_instances" in fields
    assert "sale_instances" in evidence


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ({"trees": [{"kind": "Coconut"}]}, "trees"),
        ({"water_source": "Open well"}, "water_source"),
    ],
)
def test_what_is_on_the_farm_is_photographed(part, key, asked):
    _, without = asked("valuation-agri", property={"agriculture": {"trees": []}})
    _, with_it = asked("valuation-agri", property={"agriculture": part})

    assert key not in without
    assert key in with_it


@pytest.mark.parametrize("occupancy", ["TENANT", "PARTLY_LET", "OWNER", None])
def test_a_let_property_shows_its_agreement_in_the_checklist(
    occupancy, compiled, make_contract, ask
):
    contract = make_contract(property={"tenancy": {"occupancy": occupancy}})

    rows = ask(compiled("valuation-psu"), contract).required_evidence_minimums

    let = occupancy in {"TENANT", "PARTLY_LET"}
    assert any(row.requirement == "lease" for row in rows) is let


def test_a_revaluation_asks_for_the_report_before_it(asked):
    fields, evidence = asked("revaluation", report_type="REVALUATION")

    assert {"previous_valuation.report_number", "previous_valuation.valued_on"} <= fields
    assert {"previous_report", "sale_deed", "rtc", "ec", "khata", "exterior"} <= evidence
    assert not {"tax", "plan", "google_map", "route_map"} & evidence


@pytest.mark.parametrize(("approved", "asks"), [(None, True), (True, True), (False, False)])
def test_a_stage_report_asks_for_the_plan_unless_there_is_none(approved, asks, asked):
    _, evidence = asked(
        "stage-progress", report_type="STAGE_PROGRESS", stage={"plan_approved": approved}
    )

    assert ("plan" in evidence) is asks


def test_an_estimate_that_is_stated_is_shown(asked):
    _, without = asked("stage-progress", report_type="STAGE_PROGRESS")
    _, stated = asked("stage-progress", report_type="STAGE_PROGRESS", stage={"estimate": 1})

    assert "estimate" not in without
    assert "estimate" in stated


def test_clearances_that_are_named_are_shown(asked):
    _, without = asked("dpr", report_type="DPR")
    _, named = asked("dpr", report_type="DPR", project={"clearances": "Fire"})

    assert "clearances" not in without
    assert {"clearances", "plan", "bank_letter", "site", "dpr_reference"} == named


def test_a_project_report_reads_the_old_fields_too(compiled, make_contract, ask):
    contract = make_contract(
        "DPR",
        manual_fields={
            "project_summary": "A cold store",
            "project_cost_total": 5000000,
            "means_of_finance": "Loan",
        },
    )

    missing = ask(compiled("dpr"), contract).missing_fields

    assert not any(word in text for text in missing for word in ("summary", "cost", "finance"))


def test_the_originals_pieces_are_still_asked_for(profile_named):
    """Twelve items and fourteen pieces, as M5.6 had them for SBI, PSU and co-operative banks."""
    items = [
        *(
            ["DOCUMENT", doc_type, 1]
            for doc_type in ("SALE_DEED", "RTC", "EC", "KHATA", "TAX", "PLAN")
        ),
        ["PHOTO", "exterior", 2],
        ["PHOTO", "interior", 2],
        ["PHOTO", "surroundings", 1],
        ["GEO", "gps", 1],
        ["SCREENSHOT", "google_map", 1],
        ["SCREENSHOT", "route_map", 1],
    ]
    for name in VALUATIONS:
        needs = [
            [kind, need.doc_type or need.tags.get("category"), need.min]
            for need in profile_named(name).requirements
            if need.required
            for kind in ([need.type] if isinstance(need.type, str) else need.type)
        ]

        assert all(item in needs for item in items)


def test_every_required_fact_can_be_read_from_evidence_of_its_profile(shipped):
    # Chosen or written by the valuer; no document shows them.
    own_words = {"valuation_inputs.valuation_date", "manual_fields.remarks_text", "m5.4"}
    for profile in shipped:
        if profile.abstract or profile.profile == "m5.4":
            continue
        shown = {key for need in profile.requirements for key in need.fields}
        facts = {field.key for field in profile.fields if not field.key.startswith(FIGURES)}

        assert facts - own_words <= shown, profile.profile


def test_profiles_with_the_same_requirement_ask_in_the_same_order(shipped):
    orders = {}
    for profile in shipped:
        for need in profile.requirements:
            if profile.profile in {"valuation", *VALUATIONS}:
                orders.setdefault(need.key, set()).add(need.order)

    assert all(len(found) == 1 for found in orders.values())


def test_each_file_is_named_after_its_profile():
    for path in (ROOT / "profiles").glob("*.yaml"):
        text = path.read_text("utf-8")
        assert text.startswith("# yaml-language-server: $schema=../contracts/schemas/")
        value = read_yaml(text, path.name).value
        assert value.get("profile", path.stem) == path.stem


def test_the_tables_of_the_page_are_up_to_date():
    script = ROOT / "scripts" / "write_profile_table.py"

    finished = subprocess.run(
        [sys.executable, script, "--check"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False
    )

    assert finished.returncode == 0


def test_the_example_of_the_page_is_a_faultless_profile(definitions):
    from contracts.validation import validate
    from engine.profile_check import check_profiles

    page = (ROOT / "docs" / "profiles.md").read_text("utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    base = read_yaml((ROOT / "profiles" / "valuation.yaml").read_text("utf-8"), "valuation.yaml")
    sources = [(Profile.model_validate(base.value), base)]
    document = read_yaml(example, "example.yaml")
    profile, problems = validate(Profile, document)
    assert problems == ()

    profiles, problems = check_profiles([*sources, (profile, document)], definitions)

    assert problems == ()
    by_name = {item.profile: {need.key for need in item.requirements} for item in profiles}
    assert by_name["valuation-harbour-bank"] == by_name["valuation"] - {"route_map"} | {"gate"}
