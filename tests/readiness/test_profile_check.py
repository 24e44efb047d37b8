import pytest

from contracts.document import Document
from contracts.field_definitions import FieldDefinitions
from contracts.profile import Profile
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.profile_check import (
    check_field_definitions,
    check_profile,
    check_profiles,
    check_wanted,
)
from engine.profile_selection import select_profile

NOWHERE = Document.of_values({"profile": "m5.5"})
HEAD = "profile: {}\nversion: 1\ntitle: Trial\n"


def read(text, name="trial.yaml"):
    document = read_yaml(text, name)
    profile, problems = validate(Profile, document)
    assert problems == ()
    return profile, document


def told(problems):
    return [(problem.code, problem.file, problem.line, problem.column) for problem in problems]


@pytest.fixture
def faults(definitions):
    def check(body):
        profile, document = read(HEAD.format("trial") + body)
        return check_profile(profile, document, definitions)

    return check


def test_a_faultless_profile_has_no_problems(faults):
    assert faults("fields:\n  - {key: property.address, when: 'property.kind = \"LAND\"'}\n") == ()


def test_an_unknown_path_is_found_at_its_place(faults):
    (problem,) = faults(
        "fields:\n  - {key: party.bank_name, any_of: [party.bank_name, party.bank_nmae]}\n"
    )

    assert told([problem]) == [("E501", "trial.yaml", 5, 54)]
    assert problem.what == "the contract has no 'party.bank_nmae'"
    assert problem.fix == "Did you mean 'party.bank_name'?"


def test_a_field_without_definition_needs_a_path_and_a_label(faults):
    problems = faults("fields:\n  - {key: property.addres}\n")

    assert [problem.code for problem in problems] == ["E501", "E507"]
    assert {problem.fix for problem in problems} == {"Did you mean 'property.address'?"}
    assert faults("fields:\n  - {key: property.ward, label: Ward}\n") == ()


def test_a_figure_is_no_path_of_the_contract(faults):
    assert faults("fields:\n  - {key: figures.anything, label: Anything}\n") == ()


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("when: property.kin = null", (9, 20)),
        ('when: "property.kin = null"', (9, 21)),
        ("when: 'property.kin = null'", (9, 21)),
        ("when: >-\n      property.address = null\n      or property.kin = null", (11, 19)),
        ("when: |\n      property.kind = null or\n      property.kin = null", (11, 16)),
    ],
)
def test_a_fault_in_a_condition_is_pointed_at_however_it_is_written(written, place, faults):
    body = (
        "requirements:\n"
        "  - key: plan\n"
        "    label: Plan\n"
        "    type: DOCUMENT\n"
        "    doc_type: PLAN\n"
        f"    {written}\n"
    )

    (problem,) = faults(body)

    assert (problem.line, problem.column) == place
    assert problem.code == "E501"
    assert problem.length == len("kin")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_fault_is_pointed_at_whatever_ends_a_line(line_end, definitions):
    body = "fields:\n  - key: property.address\n    when: >-\n      a = null\n      or true\n"
    profile, document = read((HEAD.format("trial") + body).replace("\n", line_end))

    (problem,) = check_profile(profile, document, definitions)

    assert (problem.line, problem.column) == (7, 7)


def test_a_fault_in_a_text_with_escapes_is_pointed_at_the_whole(faults):
    (problem,) = faults('fields:\n  - {key: property.address, when: "\\u0061b = null"}\n')

    assert (problem.code, problem.line, problem.column) == ("E503", 5, 35)


def test_a_condition_of_values_that_were_no_text_has_no_place(definitions):
    value = {
        "profile": "trial",
        "version": 1,
        "title": "Trial",
        "fields": [{"key": "property.address", "when": "a = null"}],
    }

    (problem,) = check_profile(
        Profile.model_validate(value), Document.of_values(value), definitions
    )

    assert (problem.code, problem.line, problem.column) == ("E503", 0, 0)


def test_the_second_of_two_equal_faults_is_pointed_at_too(faults):
    problems = faults("fields:\n  - {key: property.address, when: a = null or a = 1}\n")

    assert [(problem.code, problem.column) for problem in problems] == [("E503", 35), ("E503", 47)]


def test_keys_are_told_apart(faults):
    problems = faults(
        "fields:\n  - {key: property.address}\n  - {key: property.address}\n"
        "requirements:\n  - {key: deed, label: Deed, type: DOCUMENT}\n"
        "  - {key: deed, label: Deed, type: DOCUMENT}\n"
    )

    assert [(problem.code, problem.line) for problem in problems] == [("E504", 6), ("E504", 9)]
    assert "Line 5 has it already" in problems[0].why


def test_what_evidence_shows_must_be_defined(faults):
    (problem,) = faults(
        "requirements:\n  - {key: deed, label: Deed, type: DOCUMENT, fields: [property.addresss]}\n"
    )

    assert problem.code == "E507"
    assert problem.fix == "Did you mean 'property.address'?"


@pytest.mark.parametrize("least", [0, -1])
def test_a_minimum_below_one_asks_for_nothing(least):
    document = read_yaml(
        HEAD.format("trial")
        + f"requirements:\n  - {{key: deed, label: Deed, type: DOCUMENT, min: {least}}}\n",
        "trial.yaml",
    )

    _, (problem,) = validate(Profile, document)

    assert told([problem]) == [("E505", "trial.yaml", 5, 51)]
    assert problem.what == f"a requirement of {least} pieces asks for nothing"


def test_an_unknown_document_type_is_offered_its_nearest_spelling():
    document = read_yaml(
        HEAD.format("trial")
        + "requirements:\n  - {key: deed, label: Deed, type: DOCUMENT, doc_type: SALEDEED}\n",
        "trial.yaml",
    )

    _, (problem,) = validate(Profile, document)

    assert problem.code == "E403"
    assert problem.fix == "Did you mean 'SALE_DEED'?"


class TestTogether:
    BASE = (
        HEAD.format("base")
        + "abstract: true\n"
        + "fields:\n  - {key: property.address}\n  - {key: property.land_area}\n"
        + "requirements:\n"
        + "  - {key: deed, label: Deed, type: DOCUMENT}\n"
        + "  - {key: plan, label: Plan, type: DOCUMENT}\n"
        + "headings:\n  - {heading: PICTURES, types: [PHOTO]}\n"
    )

    def together(self, definitions, *texts):
        sources = [read(text, f"{number}.yaml") for number, text in enumerate(texts)]
        return check_profiles(sources, definitions)

    def test_a_profile_takes_over_replaces_adds_and_drops(self, definitions):
        child = (
            HEAD.format("child")
            + "extends: base@1\napplies_to: [{report_type: [DPR]}]\n"
            + "fields:\n  - {key: property.address, when: stage != null}\n"
            + "  - {key: party.bank_name}\n"
            + "requirements:\n  - {key: deed, label: Title deed, type: DOCUMENT, min: 2}\n"
            + "  - {key: map, label: Map, type: SCREENSHOT}\n"
            + "drop: [plan, property.land_area]\n"
        )

        # The order of the files does not matter.
        for texts in ([self.BASE, child], [child, self.BASE]):
            profiles, problems = self.together(definitions, *texts)

            assert problems == ()
            resolved = next(profile for profile in profiles if profile.profile == "child")
            assert [(field.key, field.when) for field in resolved.fields] == [
                ("property.address", "stage != null"),
                ("party.bank_name", None),
            ]
            assert [(need.key, need.label, need.min) for need in resolved.requirements] == [
                ("deed", "Title deed", 2),
                ("map", "Map", 1),
            ]
            assert [heading.heading for heading in resolved.headings] == ["PICTURES"]
            assert resolved.extends is None
            assert resolved.drop == ()
            assert not resolved.abstract

    def test_the_base_never_answers_for_a_report(self, definitions):
        profiles, _ = self.together(definitions, self.BASE)

        assert select_profile(profiles, report_type="DPR", wanted="base")[0] is None

    def test_a_base_that_is_not_there_is_named(self, definitions):
        profiles, (problem,) = self.together(
            definitions, self.BASE, HEAD.format("child") + "extends: bsae@1\n"
        )

        assert told([problem]) == [("E506", "1.yaml", 4, 10)]
        assert problem.fix == "Did you mean 'base@1'?"
        assert [profile.profile for profile in profiles] == ["base"]

    def test_a_circle_is_named_at_each_of_its_members(self, definitions):
        profiles, problems = self.together(
            definitions,
            HEAD.format("one") + "extends: two@1\n",
            HEAD.format("two") + "extends: one@1\n",
        )

        assert [problem.code for problem in problems] == ["E506", "E506"]
        assert profiles == ()

    def test_whoever_extends_a_broken_profile_is_left_out_in_silence(self, definitions):
        profiles, (problem,) = self.together(
            definitions,
            HEAD.format("one") + "extends: nowhere@1\n",
            HEAD.format("two") + "extends: one@1\n",
        )

        assert problem.file == "0.yaml"
        assert profiles == ()

    def test_a_chain_of_bases_is_followed(self, definitions):
        middle = HEAD.format("middle") + "extends: base@1\nabstract: true\n"
        last = HEAD.format("last") + "extends: middle@1\n"

        for texts in ([self.BASE, middle, last], [last, middle, self.BASE]):
            profiles, problems = self.together(definitions, *texts)

            assert problems == ()
            found = next(profile for profile in profiles if profile.profile == "last")
            assert [need.key for need in found.requirements] == ["deed", "plan"]

    def test_what_is_dropped_must_be_there(self, definitions):
        _, problems = self.together(
            definitions, self.BASE, HEAD.format("child") + "extends: base@1\ndrop: [paln]\n"
        )
        _, alone = self.together(definitions, HEAD.format("alone") + "drop: [plan]\n")

        assert told(problems) == [("E506", "1.yaml", 5, 8)]
        assert problems[0].fix == "Did you mean 'plan'?"
        assert alone[0].fix == "Take it out."

    def test_two_files_cannot_hold_one_profile(self, definitions):
        _, (problem,) = self.together(definitions, self.BASE, self.BASE)

        assert told([problem]) == [("E504", "1.yaml", 1, 10)]

    def test_a_tie_is_told_once_for_each_pair(self, definitions):
        one = HEAD.format("one") + "applies_to: [{report_type: [DPR], bank_type: [SBI]}]\n"
        two = HEAD.format("two") + "applies_to: [{bank_type: [SBI, COOP]}]\n"

        _, problems = self.together(definitions, one, two)

        assert told(problems) == [("E509", "1.yaml", 4, 1)]
        assert problems[0].what == "'two' and 'one' answer equally well for DPR, SBI, LT_5CR"

    def test_versions_of_one_profile_are_no_tie(self, definitions):
        one = HEAD.format("one") + "applies_to: [{}]\n"

        _, problems = self.together(definitions, one, one.replace("version: 1", "version: 2"))

        assert problems == ()


class TestWanted:
    def test_a_profile_that_is_there_is_no_problem(self, shipped):
        assert check_wanted(shipped, "m5.4", NOWHERE) == ()
        assert check_wanted(shipped, "m5.4@1", NOWHERE) == ()

    @pytest.mark.parametrize("wanted", ["m5.5", "m5.4@2", "valuation"])
    def test_any_other_is(self, wanted, shipped):
        (problem,) = check_wanted(shipped, wanted, NOWHERE)

        assert problem.code == "E510"
        assert problem.field == "profile"
        assert problem.fix.startswith("Did you mean 'm5.4") or wanted == "valuation"

    def test_nothing_near_is_offered_for_what_is_far(self, shipped):
        (problem,) = check_wanted(shipped, "zzz", NOWHERE)

        assert problem.fix == "Leave it out, and the report's own is chosen."


class TestFieldDefinitions:
    def check(self, rows):
        document = read_yaml(f"field_definitions:\n{rows}", "fields.yaml")
        found, problems = validate(FieldDefinitions, document)
        assert problems == ()
        return check_field_definitions(found, document)

    def test_a_key_is_a_path_or_has_paths(self):
        assert self.check("  - {key: property.address, label: A, data_type: text}\n") == ()
        assert (
            self.check("  - {key: a.b, label: A, data_type: text, any_of: [property.address]}\n")
            == ()
        )
        (problem,) = self.check("  - {key: property.adress, label: A, data_type: text}\n")
        assert told([problem]) == [("E501", "fields.yaml", 2, 11)]
        (problem,) = self.check(
            "  - {key: a.b, label: A, data_type: text, any_of: [property.adress]}\n"
        )
        assert told([problem]) == [("E501", "fields.yaml", 2, 52)]

    def test_the_kind_is_the_contracts(self):
        (problem,) = self.check("  - {key: property.land_area, label: A, data_type: money}\n")

        assert problem.code == "E508"
        assert problem.what == "'property.land_area' is of kind 'area', not 'money'"
        assert problem.fix == "Write: data_type: area"

    def test_a_figure_is_the_rule_sets(self):
        assert self.check("  - {key: figures.fmv, label: A, data_type: money}\n") == ()

    def test_keys_are_told_apart(self):
        row = "  - {key: property.address, label: A, data_type: text}\n"

        (problem,) = self.check(row + row)

        assert told([problem]) == [("E504", "fields.yaml", 3, 11)]
