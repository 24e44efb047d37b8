import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.evidence import Evidence
from engine.readiness import is_filled


def test_nothing_to_check_scores_100(make_profile, ask):
    readiness = ask(make_profile())

    assert readiness.ready
    assert readiness.completeness_score == 100


def test_half_a_point_rounds_up(make_profile, make_contract, ask):
    # 5 of 8 checks are 62.5 %
    keys = ["party.bank_name", "party.valuer_name", "party.owner_name", "property.address"]
    missing = ["property.survey_no", "property.land_use", "property.land_area"]
    profile = make_profile(
        [{"key": "deed", "type": "DOCUMENT", "required": True}],
        [{"key": key} for key in keys + missing],
    )
    contract = make_contract(
        party={"bank_name": "SBI", "valuer_name": "Made Up", "owner_name": "Made Up"},
        property={"address": "12 Specimen Road"},
    )
    evidence = [Evidence(key="deed", type="DOCUMENT")]

    assert ask(profile, contract, evidence).completeness_score == 63


DEED = {"key": "deed", "type": "DOCUMENT", "doc_type": "SALE_DEED"}


class TestFields:
    @pytest.mark.parametrize(
        ("value", "filled"),
        [(None, False), ("", False), (" \n", False), ("x", True), ((), False), ((1,), True),
         ({}, False), ({"a": 1}, True), (False, True), (0, True)],
    )  # fmt: skip
    def test_empty_texts_and_lists_are_not_what_was_asked_for(self, value, filled):
        assert is_filled(value) is filled

    def test_a_part_is_filled_by_any_of_its_facts(self, make_profile, make_contract, ask):
        profile = make_profile(fields=[{"key": "property.boundaries"}])

        empty = make_contract(property={"boundaries": {"north": {}}})
        one_side = make_contract(property={"boundaries": {"north": {"deed": "A road"}}})

        assert not ask(profile, empty).ready
        assert ask(profile, one_side).ready

    def test_any_of_the_paths_will_do(self, make_profile, make_contract, ask):
        profile = make_profile(
            fields=[{"key": "party.owner_name", "any_of": ["party.owner_name", "party.owners"]}]
        )

        owners = make_contract(party={"owners": [{"name": "Made Up"}]})

        assert ask(profile, owners).ready

    def test_a_definition_may_name_the_paths(self, make_profile, make_contract, ask):
        profile = make_profile(fields=[{"key": "project.cost"}])

        contract = make_contract("DPR", manual_fields={"project_cost_total": 1})

        assert ask(profile, contract).ready

    def test_a_figure_must_be_known(self, make_profile, ask):
        profile = make_profile(fields=[{"key": "figures.fmv"}])

        unknown = ask(profile, figures={"fmv": False})

        assert unknown.missing_fields == ("Fair market value is missing (figures.fmv)",)
        assert not ask(profile, figures={"other": True}).ready
        assert ask(profile, figures={"fmv": True}).ready

    def test_a_figure_needs_no_link(self, make_profile, ask):
        profile = make_profile(fields=[{"key": "figures.fmv"}])

        assert ask(profile, figures={"fmv": True}).missing_field_evidence_links == ()

    def test_a_field_whose_condition_is_off_is_not_asked_for(
        self, make_profile, make_contract, ask
    ):
        profile = make_profile(
            fields=[{"key": "property.land_area", "when": 'property.kind = "LAND"'}]
        )

        assert ask(profile, make_contract(property={"kind": "FLAT"})).completeness_score == 100
        assert ask(profile, make_contract(property={"kind": "LAND"})).completeness_score == 0
        # null is not exactly true
        assert ask(profile, make_contract()).completeness_score == 100


class TestEvidence:
    @pytest.mark.parametrize(
        ("kind", "doc_type", "found"),
        [("DOCUMENT", "SALE_DEED", 1), ("DOCUMENT", "EC", 0), ("DOCUMENT", None, 0),
         ("PHOTO", "SALE_DEED", 0)],
    )  # fmt: skip
    def test_type_and_document_type_must_be_as_asked(
        self, kind, doc_type, found, make_profile, make_evidence, ask
    ):
        evidence = [make_evidence("e", kind, doc_type=doc_type)]

        (row,) = ask(make_profile([DEED]), evidence=evidence).required_evidence_minimums

        assert row.found == found

    def test_one_of_several_types_will_do(self, make_profile, make_evidence, ask):
        profile = make_profile(
            [{"key": "paper", "type": ["DOCUMENT", "OTHER"], "doc_type": ["KHATA", "TAX"]}]
        )

        assert ask(profile, evidence=[make_evidence("e", "OTHER", doc_type="TAX")]).ready
        assert not ask(profile, evidence=[make_evidence("e", "OTHER", doc_type="EC")]).ready

    @pytest.mark.parametrize(
        ("tags", "ready"),
        [
            ({"category": "exterior", "side": "north"}, True),
            ({"category": "exterior", "side": "north", "more": "x"}, True),
            ({"category": "exterior"}, False),
            ({"category": "exterior", "side": "south"}, False),
            ({"side": "north"}, False),
            ({}, False),
        ],
    )
    def test_every_tag_must_be_equal(self, tags, ready, make_profile, make_evidence, ask):
        profile = make_profile(
            [{"key": "p", "type": "PHOTO", "tags": {"category": "exterior", "side": "north"}}]
        )

        assert ask(profile, evidence=[make_evidence("e", tags=tags)]).ready is ready

    @pytest.mark.parametrize(("found", "ready"), [(1, False), (2, True), (3, True)])
    def test_the_least_number_is_enough(self, found, ready, make_profile, make_evidence, ask):
        profile = make_profile([{"key": "p", "type": "PHOTO", "min": 2}])
        evidence = [make_evidence(f"e{number}") for number in range(found)]

        readiness = ask(profile, evidence=evidence)

        assert readiness.ready is ready
        assert readiness.required_evidence_minimums[0].found == found

    @pytest.mark.parametrize(
        ("status", "accepted", "ready"),
        [
            ("uploaded", None, True),
            ("pending", None, False),
            ("deleted", None, False),
            ("pending", ["pending", "uploaded"], True),
            ("uploaded", ["pending"], False),
        ],
    )
    def test_only_evidence_of_an_accepted_status_counts(
        self, status, accepted, ready, make_profile, make_evidence, ask
    ):
        need = {"key": "p", "type": "PHOTO", **({"accept_status": accepted} if accepted else {})}

        readiness = ask(make_profile([need]), evidence=[make_evidence("e", status=status)])

        assert readiness.ready is ready

    def test_one_piece_does_not_satisfy_two_requirements(self, make_profile, make_evidence, ask):
        needs = [{"key": "a", "type": "PHOTO"}, {"key": "b", "type": "PHOTO"}]

        assert not ask(make_profile(needs), evidence=[make_evidence("e1")]).ready
        assert ask(make_profile(needs), evidence=[make_evidence("e1"), make_evidence("e2")]).ready

    def test_a_shared_requirement_uses_nothing_up(self, make_profile, make_evidence, ask):
        needs = [{"key": "a", "type": "PHOTO"}, {"key": "b", "type": "PHOTO", "shared": True}]

        assert ask(make_profile(needs), evidence=[make_evidence("e1")]).ready

    def test_an_optional_requirement_never_takes_what_a_required_one_needs(
        self, make_profile, make_evidence, ask
    ):
        needs = [
            {"key": "a", "type": "PHOTO", "required": False, "order": 1},
            {"key": "b", "type": "PHOTO", "order": 2},
        ]

        readiness = ask(make_profile(needs), evidence=[make_evidence("e1")])

        assert readiness.ready
        assert readiness.completeness_score == 100

    def test_an_optional_requirement_neither_scores_nor_blocks(self, make_profile, ask):
        readiness = ask(make_profile([{"key": "a", "type": "PHOTO", "required": False}]))

        assert readiness.ready
        assert [row.required for row in readiness.required_evidence_minimums] == [False]

    def test_a_requirement_whose_condition_is_off_is_not_asked_for(
        self, make_profile, make_contract, make_evidence, ask
    ):
        profile = make_profile(
            [
                {"key": "plan", "type": "DOCUMENT", "when": "property.built_up_area != null"},
                {"key": "any", "type": "DOCUMENT"},
            ]
        )
        evidence = [make_evidence("e", "DOCUMENT")]

        land = ask(profile, make_contract(), evidence)
        house = ask(profile, make_contract(property={"built_up_area": "90 sqm"}), evidence)

        # What is not asked for takes no evidence either.
        assert [row.requirement for row in land.required_evidence_minimums] == ["any"]
        assert land.ready
        assert house.missing_evidence == ("plan: need at least 1, found 0",)

    @pytest.mark.parametrize(
        ("capture", "missing"),
        [
            ("located", {"located_at": None}),
            ("located", {"located_at": {"latitude": 12}}),
            ("dated", {"captured_at": None}),
            ("on_site", {"taken_on_site": None}),
            ("on_site", {"taken_on_site": False}),
        ],
    )
    def test_the_circumstances_of_a_photograph_may_be_asked_for(
        self, capture, missing, make_profile, make_evidence, ask
    ):
        profile = make_profile([{"key": "p", "type": "PHOTO", "capture": {capture: True}}])

        assert ask(profile, evidence=[make_evidence("e")]).ready
        assert not ask(profile, evidence=[make_evidence("e", **missing)]).ready

    def test_what_the_file_says_about_place_and_time_counts(self, make_profile, make_evidence, ask):
        profile = make_profile(
            [{"key": "p", "type": "PHOTO", "capture": {"located": True, "dated": True}}]
        )
        facts = {"sha256": "0" * 64, "size": 1, "media_type": "image/jpeg"}
        known = {"captured_at": "2026-11-10T10:15", "located_at": {"latitude": 1, "longitude": 2}}

        without = make_evidence("e", captured=False, facts=facts)
        with_them = make_evidence("e", captured=False, facts={**facts, **known})

        assert not ask(profile, evidence=[without]).ready
        assert ask(profile, evidence=[with_them]).ready

    def test_the_order_of_the_evidence_does_not_matter(
        self, compiled, specimen, make_evidence, ask
    ):
        evidence = [*specimen.evidence, make_evidence("x", category="exterior")]

        there = ask(compiled("valuation-format-a"), specimen.contract, evidence)
        back = ask(compiled("valuation-format-a"), specimen.contract, evidence[::-1])

        assert there == back


class TestFindings:
    def test_an_error_blocks(self, make_profile, make_finding, ask):
        readiness = ask(make_profile(), findings=[make_finding("AREA_DIFFERS")])

        assert readiness.blocking_findings == ("AREA_DIFFERS",)
        assert not readiness.ready
        # The score is about what is there, not about what is wrong with it.
        assert readiness.completeness_score == 100

    @pytest.mark.parametrize("severity", ["note", "warning"])
    def test_notes_and_warnings_never_block(self, severity, make_profile, make_finding, ask):
        readiness = ask(make_profile(), findings=[make_finding("X", severity)])

        assert readiness.ready
        assert "X: X was found." in readiness.warnings

    @pytest.mark.parametrize("outcome", ["pass", "not_applicable"])
    def test_a_check_that_found_nothing_is_not_told(self, outcome, make_profile, make_finding, ask):
        readiness = ask(make_profile(), findings=[make_finding("X", "warning", outcome)])

        assert not any(text.startswith("X") for text in readiness.warnings)

    @pytest.mark.parametrize(
        ("outcome", "blocks"),
        [("fail", True), ("open", True), ("review", True), ("pass", False),
         ("not_applicable", False), ("informational", False)],
    )  # fmt: skip
    def test_only_an_unsettled_error_blocks(self, outcome, blocks, make_profile, make_finding, ask):
        readiness = ask(make_profile(), findings=[make_finding("X", outcome=outcome)])

        assert bool(readiness.blocking_findings) is blocks

    @pytest.mark.parametrize(
        ("accepted", "blocking"),
        [
            ({"code": "AGE"}, ()),
            ({"code": "AGE", "row": "house"}, ("AGE[shed]",)),
            ({"code": "AGE[house]"}, ("AGE[shed]",)),
            ({"code": "AGE", "row": "barn"}, ("AGE[house]", "AGE[shed]")),
            ({"code": "AREA"}, ("AGE[house]", "AGE[shed]")),
        ],
    )
    def test_an_acceptance_covers_its_row_or_every_row(
        self, accepted, blocking, make_profile, make_contract, make_finding, ask
    ):
        contract = make_contract(
            accepted_findings=[{**accepted, "name": "A. Valuer", "reason": "Seen at the site"}]
        )
        findings = [make_finding("AGE[house]"), make_finding("AGE[shed]")]

        readiness = ask(make_profile(), contract, findings=findings)

        assert readiness.blocking_findings == blocking

    def test_an_accepted_error_is_still_told_with_name_and_reason(
        self, make_profile, make_contract, make_finding, ask
    ):
        contract = make_contract(
            accepted_findings=[{"code": "AGE", "name": "A. Valuer", "reason": "Seen at the site"}]
        )

        readiness = ask(make_profile(), contract, findings=[make_finding("AGE")])

        assert readiness.ready
        assert "AGE: AGE was found. (accepted by A. Valuer: Seen at the site)" in readiness.warnings


class TestLinksAndNotices:
    def test_a_link_by_any_of_the_paths_counts(
        self, make_profile, make_contract, make_evidence, ask
    ):
        profile = make_profile(fields=[{"key": "party.bank_name"}])
        contract = make_contract(party={"bank_branch_name": "Double Road"})
        evidence = [make_evidence("letter", "DOCUMENT")]

        linked = ask(profile, contract, evidence, [("party.bank_branch_name", "letter")])

        assert linked.missing_field_evidence_links == ()

    @pytest.mark.parametrize("status", ["pending", "deleted"])
    def test_a_link_to_evidence_that_is_not_there_does_not_count(
        self, status, make_profile, make_contract, make_evidence, ask
    ):
        profile = make_profile(fields=[{"key": "party.bank_name"}])
        contract = make_contract(party={"bank_name": "SBI"})
        evidence = [make_evidence("letter", "DOCUMENT", status=status)]

        readiness = ask(profile, contract, evidence, [("party.bank_name", "letter")])

        assert readiness.missing_field_evidence_links == ("party.bank_name",)
        assert readiness.ready
        assert "1 field has no link to its evidence: Bank name." in readiness.warnings

    def test_a_field_that_is_missing_needs_no_link(self, make_profile, ask):
        readiness = ask(make_profile(fields=[{"key": "party.bank_name"}]))

        assert readiness.missing_field_evidence_links == ()

    def test_empty_annexures_are_told_by_the_evidence_there_is(
        self, make_profile, make_evidence, ask
    ):
        notice = "The annexures are empty: there is no photograph or screenshot yet."

        assert notice in ask(make_profile()).warnings
        assert notice in ask(make_profile(), evidence=[make_evidence("d", "DOCUMENT")]).warnings
        assert notice not in ask(make_profile(), evidence=[make_evidence("p")]).warnings


class TestSuggestions:
    def test_a_gap_says_what_to_add(self, make_profile, make_evidence, ask):
        profile = make_profile(
            [
                {
                    "key": "exterior",
                    "label": "Exterior",
                    "type": ["PHOTO", "GEO"],
                    "tags": {"category": "exterior"},
                    "min": 3,
                    "capture": {"located": True, "dated": True},
                }
            ]
        )

        readiness = ask(profile, evidence=[make_evidence("front", category="exterior")])

        assert readiness.missing_evidence == ("Exterior: need at least 3, found 1",)
        (suggestion,) = readiness.suggestions
        assert suggestion.requirement == "exterior"
        assert suggestion.message == (
            "Add 2 of Exterior (PHOTO or GEO, category exterior, with position and with date)."
        )

    def test_evidence_that_nearly_counts_is_named_with_what_it_lacks(
        self, make_profile, make_evidence, ask
    ):
        profile = make_profile(
            [{"key": "p", "label": "Front", "type": "PHOTO", "capture": {"located": True}}]
        )
        evidence = [
            make_evidence("gone", status="deleted"),
            make_evidence("side", located_at=None),
            make_evidence("yard", located_at=None, status="pending"),
        ]

        (suggestion,) = ask(profile, evidence=evidence).suggestions

        assert suggestion.evidence == ("side", "yard")
        assert suggestion.message == (
            "Add 1 of Front (PHOTO, with position). side would count if it had a position. "
            "yard would count if it was uploaded and had a position."
        )

    def test_a_missing_field_is_given_the_evidence_that_is_there(
        self, make_profile, make_evidence, ask
    ):
        profile = make_profile(
            [
                {"key": "plan", "label": "Plan", "type": "DOCUMENT", "doc_type": "PLAN",
                 "required": False, "order": 1, "fields": ["property.land_area"]},
                {"key": "deed", "label": "Sale deed", "type": "DOCUMENT", "doc_type": "SALE_DEED",
                 "order": 2, "fields": ["property.land_area"]},
            ],
            [{"key": "property.land_area"}],
        )  # fmt: skip
        evidence = [make_evidence("deed-1", "DOCUMENT", doc_type="SALE_DEED")]

        (suggestion,) = ask(profile, evidence=evidence).suggestions

        assert suggestion.field == "property.land_area"
        assert suggestion.requirement == "deed"
        assert suggestion.evidence == ("deed-1",)
        assert suggestion.message == "Read Land area from Sale deed: deed-1."

    def test_a_missing_field_is_told_what_would_show_it(self, make_profile, ask):
        profile = make_profile(
            [{"key": "deed", "label": "Sale deed", "type": "DOCUMENT", "required": False,
              "fields": ["property.land_area"]}],
            [{"key": "property.land_area"}],
        )  # fmt: skip

        (suggestion,) = ask(profile).suggestions

        assert suggestion.message == "Land area is shown by Sale deed, which is not there yet."
        assert suggestion.evidence == ()

    def test_evidence_that_does_not_apply_is_not_suggested(self, make_profile, ask):
        profile = make_profile(
            [{"key": "deed", "type": "DOCUMENT", "when": 'property.kind = "LAND"',
              "fields": ["property.land_area"]}],
            [{"key": "property.land_area"}],
        )  # fmt: skip

        assert ask(profile).suggestions == ()

    def test_nothing_is_suggested_when_nothing_is_missing(
        self, make_profile, make_contract, make_evidence, ask
    ):
        profile = make_profile(
            [{"key": "deed", "type": "DOCUMENT", "fields": ["property.address"]}],
            [{"key": "property.address"}],
        )
        contract = make_contract(property={"address": "12 Specimen Road"})
        evidence = [make_evidence("d", "DOCUMENT")]

        readiness = ask(profile, contract, evidence, [("property.address", "d")])

        assert readiness.suggestions == ()


NEEDS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["PHOTO", "GEO", ["PHOTO", "GEO"], "DOCUMENT"]),
            "min": st.integers(1, 3),
            "tags": st.sampled_from([{}, {"category": "a"}, {"category": "a", "side": "n"}]),
            "required": st.booleans(),
            "shared": st.booleans(),
            "order": st.integers(0, 3),
            "capture": st.sampled_from([None, {"located": True}, {"dated": True}]),
            "accept_status": st.sampled_from([["uploaded"], ["uploaded", "pending"]]),
        }
    ),
    max_size=5,
)
PIECES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["PHOTO", "GEO", "DOCUMENT"]),
        "tags": st.sampled_from([{}, {"category": "a"}, {"category": "a", "side": "n"}]),
        "status": st.sampled_from(["uploaded", "pending", "deleted"]),
        "captured_at": st.sampled_from([None, "2026-11-10T10:15:00"]),
        "located_at": st.sampled_from([None, {"latitude": 12, "longitude": 76}]),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    needs=NEEDS,
    some=st.lists(PIECES, max_size=7),
    more=st.lists(PIECES, min_size=1, max_size=3),
    data=st.data(),
)
def test_more_evidence_never_lowers_the_score(needs, some, more, data, make_profile, ask):
    keyed = [{"key": f"n{number}", **need} for number, need in enumerate(needs)]
    profile = make_profile(keyed, [{"key": "party.bank_name"}])
    keys = data.draw(st.permutations(range(len(some) + len(more))))
    pieces = [
        Evidence.model_validate({"key": f"e{key}", **piece})
        for key, piece in zip(keys, some + more, strict=True)
    ]

    before = ask(profile, evidence=pieces[: len(some)])
    after = ask(profile, evidence=pieces)

    assert after.completeness_score >= before.completeness_score
    assert short_of(after) <= short_of(before)


def short_of(readiness):
    """The labels of the requirements that are not met."""
    return {text.partition(":")[0] for text in readiness.missing_evidence}
