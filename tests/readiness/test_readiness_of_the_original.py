"""What milestone M5.4 answered, asked of its profile and of those that followed it."""

import pytest

from engine.profile_selection import select_profile


@pytest.fixture
def m54(compiled):
    return compiled("m5.4")


def photos(make_evidence, count, kind="PHOTO"):
    return [make_evidence(f"p{number}", kind) for number in range(count)]


COMPLETE = {
    "party": {"bank_name": "SBI"},
    "property": {"address": "12 Specimen Road", "land_area": "100 sqm"},
    "valuation_inputs": {"guideline_rate_per_sqm": 10000},
}


def test_a_valuation_with_a_bank_name_only_lacks_address_area_and_photographs(
    m54, make_contract, ask
):
    contract = make_contract(party={"bank_name": "SBI"})

    readiness = ask(m54, contract)

    assert not readiness.ready
    # one of four fields and none of one requirement: 1 of 5
    assert readiness.completeness_score == 20
    assert readiness.missing_fields == (
        "Property address is missing (property.address)",
        "Land area is missing (property.land_area)",
        (
            "Guideline or market rate is missing (valuation_inputs.guideline_rate_per_sqm or "
            "valuation_inputs.guideline_rate_input or valuation_inputs.market_rate_input)"
        ),
    )
    assert readiness.missing_evidence == ("valuation_photos: need at least 6, found 0",)


def test_a_valuation_with_all_facts_and_six_photographs_scores_100_and_keeps_warnings(
    m54, make_contract, make_evidence, make_finding, ask
):
    findings = [make_finding("RATE_INPUT_MISSING", "warning")]

    readiness = ask(m54, make_contract(**COMPLETE), photos(make_evidence, 6), findings=findings)

    assert readiness.ready
    assert readiness.completeness_score == 100
    assert readiness.missing_fields == readiness.missing_evidence == ()
    assert "RATE_INPUT_MISSING: RATE_INPUT_MISSING was found." in readiness.warnings


def test_five_photographs_are_one_too_few_for_a_valuation(m54, make_contract, make_evidence, ask):
    readiness = ask(m54, make_contract(**COMPLETE), photos(make_evidence, 5))

    assert readiness.missing_evidence == ("valuation_photos: need at least 6, found 5",)
    # four fields of five checks
    assert readiness.completeness_score == 80


def test_a_project_report_without_means_of_finance_and_with_two_pictures_is_not_ready(
    m54, make_contract, make_evidence, ask
):
    contract = make_contract(
        "DPR",
        party={"bank_name": "BOI"},
        manual_fields={"project_summary": "A cold store", "project_cost_total": 5000000},
    )
    evidence = [make_evidence("p"), make_evidence("s", "SCREENSHOT")]

    readiness = ask(m54, contract, evidence)

    assert readiness.missing_fields == (
        "Means of finance is missing (manual_fields.means_of_finance)",
    )
    assert readiness.missing_evidence == ("dpr_photos_or_screenshots: need at least 4, found 2",)


def test_requirements_of_a_profile_are_met_and_links_are_missed(
    profile_named, make_profile, make_contract, make_evidence, ask
):
    fields = [
        field.model_dump(exclude_none=True)
        for field in profile_named("m5.4").fields
        if field.when != 'meta.report_type = "DPR"'
    ]
    profile = make_profile(
        [
            {"key": "sale_deed", "type": "DOCUMENT", "doc_type": "SALE_DEED"},
            {"key": "exterior", "type": "PHOTO", "tags": {"category": "exterior"}, "min": 2},
        ],
        fields,
    )
    evidence = [
        make_evidence("deed", "DOCUMENT", doc_type="SALE_DEED"),
        make_evidence("front", category="exterior"),
        make_evidence("back", category="exterior"),
    ]

    readiness = ask(
        profile, make_contract(**COMPLETE), evidence, links=[("property.address", "deed")]
    )

    assert readiness.missing_fields == readiness.missing_evidence == ()
    assert readiness.missing_field_evidence_links == (
        "party.bank_name",
        "property.land_area",
        "valuation_inputs.rate",
    )
    assert "3 fields have no link to their evidence." in readiness.warnings


@pytest.mark.parametrize(
    ("report_type", "kind", "least"),
    [
        ("VALUATION", "PHOTO", 6),
        ("VALUATION", "GEO", 6),
        ("VALUATION", "SCREENSHOT", 6),
        ("DPR", "PHOTO", 4),
        ("DPR", "SCREENSHOT", 4),
        ("REVALUATION", "PHOTO", 4),
        ("REVALUATION", "GEO", 4),
        ("REVALUATION", "SCREENSHOT", 4),
        ("STAGE_PROGRESS", "PHOTO", 4),
        ("STAGE_PROGRESS", "GEO", 4),
    ],
)
def test_each_report_type_has_its_least_number_of_pictures(
    report_type, kind, least, m54, make_contract, make_evidence, ask
):
    contract = make_contract(report_type)

    one_too_few = ask(m54, contract, photos(make_evidence, least - 1, kind))
    enough = ask(m54, contract, photos(make_evidence, least, kind))

    assert len(one_too_few.missing_evidence) == 1
    assert enough.missing_evidence == ()


@pytest.mark.parametrize(
    ("report_type", "kind"), [("DPR", "GEO"), ("STAGE_PROGRESS", "SCREENSHOT")]
)
def test_pictures_of_another_type_do_not_count(
    report_type, kind, m54, make_contract, make_evidence, ask
):
    readiness = ask(m54, make_contract(report_type), photos(make_evidence, 9, kind))

    assert len(readiness.missing_evidence) == 1


def test_a_branch_name_stands_for_the_bank_name(m54, make_contract, ask):
    contract = make_contract(party={"bank_branch_name": "Double Road"})

    assert not any("ank" in text for text in ask(m54, contract).missing_fields)


@pytest.mark.parametrize("given", ["fmv_input", "land_value", "building_value"])
def test_a_revaluation_needs_one_stated_value(given, m54, make_contract, ask):
    common = {"party": {"bank_name": "SBI"}, "property": {"address": "12 Specimen Road"}}

    without = ask(m54, make_contract("REVALUATION", **common))
    stated = make_contract("REVALUATION", valuation_inputs={given: 1}, **common)

    assert len(without.missing_fields) == 1
    assert ask(m54, stated).missing_fields == ()


def test_a_stage_report_can_become_ready(m54, make_contract, make_evidence, ask):
    contract = make_contract(
        "STAGE_PROGRESS",
        party={"bank_name": "SBI"},
        property={"address": "12 Specimen Road"},
        manual_fields={"stage_notes": "Roof slab cast"},
    )

    assert ask(m54, contract, photos(make_evidence, 4)).ready


def test_a_project_report_can_become_ready(m54, make_contract, make_evidence, ask):
    contract = make_contract(
        "DPR",
        party={"bank_name": "SBI"},
        manual_fields={
            "project_summary": "A cold store",
            "project_cost_total": 5000000,
            "means_of_finance": "Loan and own funds",
        },
    )

    assert ask(m54, contract, photos(make_evidence, 4)).ready


def test_the_checklist_counts_each_requirement_in_order(make_profile, make_evidence, ask):
    profile = make_profile(
        [
            {"key": "deed", "type": "DOCUMENT", "doc_type": "SALE_DEED", "order": 20},
            {
                "key": "exterior",
                "type": "PHOTO",
                "tags": {"category": "exterior"},
                "min": 2,
                "order": 10,
            },
        ]
    )
    evidence = [
        make_evidence("front", category="exterior"),
        make_evidence("hall", category="interior"),
    ]

    rows = ask(profile, evidence=evidence).required_evidence_minimums

    assert [(row.requirement, row.min, row.found) for row in rows] == [
        ("exterior", 2, 1),
        ("deed", 1, 0),
    ]


def test_each_unlinked_field_is_given_the_requirement_that_shows_it(
    make_profile, make_contract, ask
):
    profile = make_profile(
        [
            {"key": "deed", "type": "DOCUMENT", "order": 10, "fields": ["property.address"]},
            {
                "key": "guideline",
                "type": "SCREENSHOT",
                "order": 20,
                "fields": ["valuation_inputs.guideline_rate_per_sqm"],
            },
        ],
        [{"key": "property.address"}, {"key": "valuation_inputs.guideline_rate_per_sqm"}],
    )

    readiness = ask(profile, make_contract(**COMPLETE))

    links = [item for item in readiness.suggestions if item.field]
    assert [(item.field, item.requirement) for item in links] == [
        ("property.address", "deed"),
        ("valuation_inputs.guideline_rate_per_sqm", "guideline"),
    ]


def test_three_of_four_checks_score_75(make_profile, make_contract, ask):
    keys = ["party.bank_name", "property.address", "property.land_area", "property.survey_no"]
    profile = make_profile(fields=[{"key": key} for key in keys])

    assert ask(profile, make_contract(**COMPLETE)).completeness_score == 75


def test_the_shipped_profile_also_misses_what_the_original_missed(
    shipped, compiled, make_contract, ask
):
    profile, _ = select_profile(shipped, report_type="VALUATION", bank_type="SBI")

    readiness = ask(compiled(profile.profile), make_contract(party={"bank_name": "SBI"}))

    assert readiness.completeness_score < 100
    assert "Property address is missing (property.address)" in readiness.missing_fields
    assert any(text.startswith("Land area is missing") for text in readiness.missing_fields)
    assert any(text.startswith("Exterior photographs") for text in readiness.missing_evidence)
