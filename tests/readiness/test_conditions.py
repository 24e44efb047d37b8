import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.contract import Contract
from engine.condition_check import condition_faults
from engine.conditions import compile_condition, context_of, parse_condition, plain_form
from engine.feel import evaluate

BUILDING = (
    "count(property.floors) > 0 or property.built_up_area != null "
    "or valuation_inputs.building_value != null"
)


@pytest.mark.parametrize(
    ("text", "parts", "holds"),
    [
        ('property.kind = "LAND"', {"property": {"kind": "LAND"}}, True),
        ('property.kind = "LAND"', {"property": {"kind": "FLAT"}}, False),
        ('property.kind = "LAND"', {}, False),
        ('property.kind != "LAND"', {}, True),
        ('not(property.kind = "LAND")', {}, True),
        ("meta.npa_account", {"meta": {"npa_account": True}}, True),
        ("meta.npa_account", {"meta": {"npa_account": False}}, False),
        ("meta.npa_account", {}, False),
        ("not(meta.npa_account)", {}, False),
        ("not(meta.npa_account)", {"meta": {"npa_account": False}}, True),
        ("stage.plan_approved = false", {"stage": {"plan_approved": False}}, True),
        ("stage.plan_approved = false", {}, False),
        (BUILDING, {}, False),
        (BUILDING, {"property": {"floors": []}}, False),
        (BUILDING, {"property": {"floors": [{"id": "house"}]}}, True),
        (BUILDING, {"property": {"built_up_area": "90 sqm"}}, True),
        ("true", {}, True),
        ("null", {}, False),
        ("count(property.floors) >= 2", {"property": {"floors": [{}, {}]}}, True),
        ("count(property.floors) >= 2", {"property": {"floors": [{}]}}, False),
        ("count(property.floors) >= 2", {}, False),
        (
            "valuation_inputs.fmv_input.value > 50000000",
            {"valuation_inputs": {"fmv_input": "5.1 crore INR"}},
            True,
        ),
        ('property.land_area.unit = "cent"', {"property": {"land_area": "6.59 cent"}}, True),
        ("property.land_area.value > 1", {"property": {"land_area": "3 bigha 2 katha"}}, False),
        (
            'some f in property.floors satisfies f.use = "Shop"',
            {"property": {"floors": [{"use": "House"}, {"use": "Shop"}]}},
            True,
        ),
        (
            "property.floors[age != null][1] != null",
            {"property": {"floors": [{"id": "a"}, {"age": 6}]}},
            True,
        ),
        (
            'valuation_inputs.inspection_date >= @"2026-01-01"',
            {"valuation_inputs": {"inspection_date": "2026-01-01"}},
            True,
        ),
        ("property.total_floors > 3", {"property": {"total_floors": 4}}, True),
        ("property.rooms.kitchen > 1", {"property": {"rooms": {"kitchen": 2}}}, True),
        ("previous_valuation != null", {}, False),
        ("count(accepted_findings) > 0", {}, False),
        (
            "count(accepted_findings) > 0",
            {"accepted_findings": [{"code": "AGE", "name": "A", "reason": "B"}]},
            True,
        ),
        (
            "stage != null and stage.done_percent.value > 50",
            {"stage": {"done_percent": "60 %"}},
            True,
        ),
        ("stage.done_percent.value > 50 or stage = null", {}, True),
        ("property.kind = property.structure", {"property": {"kind": "LAND"}}, False),
        ('"LAND" = "LAND"', {}, True),
        ("property.total_floors = 4", {"property": {"total_floors": 4}}, True),
        (
            "count(property.owners) > 0".replace("property.owners", "party.persons_accompanying"),
            {"party": {"persons_accompanying": ["A"]}},
            True,
        ),
        ("previous_valuation != null", {"previous_valuation": {"report_number": "1"}}, True),
    ],
)
def test_a_condition_holds_when_it_is_exactly_true(text, parts, holds, make_contract):
    assert condition_faults(text) == ()
    assert compile_condition(text)(make_contract(**parts)) is holds


def test_a_condition_that_breaks_a_bound_holds(make_contract):
    contract = make_contract(property={"floors": [{}] * 200})
    nested = " and ".join(
        f"(every a in property.floors, b in property.floors, c in property.floors satisfies a != {n})"
        for n in range(2)
    )

    assert compile_condition(nested)(contract) is True


CONTRACTS = st.fixed_dictionaries(
    {
        "meta": st.fixed_dictionaries(
            {
                "report_type": st.sampled_from(["VALUATION", "DPR"]),
                "npa_account": st.sampled_from([None, True, False]),
            }
        ),
        "property": st.fixed_dictionaries(
            {
                "kind": st.sampled_from([None, "LAND", "FLAT"]),
                "floors": st.sampled_from([None, [], [{"id": "a"}], [{}, {"age": 3}]]),
                "land_area": st.sampled_from([None, "6.59 cent"]),
                "boundaries": st.sampled_from([None, {}, {"match": True}, {"match": False}]),
                "site": st.sampled_from([None, {}, {"level": "Flat"}]),
            }
        ),
        "stage": st.sampled_from([None, {}, {"plan_approved": True}]),
    }
).map(Contract.model_validate)

FACTS = (
    "meta.report_type",
    "meta.npa_account",
    "property.kind",
    "property.floors",
    "property.land_area",
    "property.boundaries",
    "property.boundaries.match",
    "property.site",
    "property.site.level",
    "stage.plan_approved",
)
ATOMS = st.one_of(
    st.builds("{} {} null".format, st.sampled_from(FACTS), st.sampled_from(["=", "!="])),
    st.builds("null {} {}".format, st.sampled_from(["=", "!="]), st.sampled_from(FACTS)),
    st.builds(
        '{} {} "{}"'.format,
        st.sampled_from(["meta.report_type", "property.kind", "property.site.level"]),
        st.sampled_from(["=", "!="]),
        st.sampled_from(["LAND", "DPR", "Flat"]),
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["meta.npa_account", "property.boundaries.match", "stage.plan_approved"]),
        st.sampled_from(["=", "!="]),
        st.sampled_from(["true", "false"]),
    ),
    st.sampled_from(
        ["meta.npa_account", "property.boundaries.match", "true", "false", "null",
         "count(property.floors) > 0"]
    ),
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not({})".format, inner),
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(CONDITIONS, CONTRACTS)
def test_plain_forms_mean_what_feel_says(text, contract):
    ask = plain_form(parse_condition(text))

    assert ask is not None
    assert ask(contract) is evaluate(text, context_of(contract))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(CONDITIONS, CONTRACTS)
def test_a_compiled_condition_holds_when_feel_says_true(text, contract):
    assert compile_condition(text)(contract) is (evaluate(text, context_of(contract)) is True)


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "code", "meant", "fix"),
        [
            ("property.build_up_area != null", "E501", "build_up_area",
             "Did you mean 'built_up_area'?"),
            ("property.floors.agee != null", "E501", "agee", "Did you mean 'age'?"),
            ("property.floors[1].agee != null", "E501", "agee", "Did you mean 'age'?"),
            ("property.land_area.valu > 3", "E501", "valu", "Did you mean 'value'?"),
            ("property.kind.name != null", "E501", "name", ""),
            ("propertyy.kind != null", "E503", "propertyy", "Did you mean 'property'?"),
            ("some f in property.floors satisfies f.agee > 1", "E501", "agee",
             "Did you mean 'age'?"),
            ("for f in property.floors return g", "E503", "g", ""),
            ("property.kind = LAND", "E503", "LAND", "A text stands in double quotes."),
            ('property.kind = "LANDD"', "E503", '"LANDD"', 'Did you mean "LAND"?'),
            ('"FLATT" = property.kind', "E503", '"FLATT"', 'Did you mean "FLAT"?'),
            ('property.kind in ("FLAT", "SHOPP")', "E503", '"SHOPP"', 'Did you mean "SHOP"?'),
            ("some p in party.persons_accompanying satisfies p.name = null", "E501", "name", ""),
            ("today != null", "E503", "today",
             "Compare with a date of the contract, such as valuation_inputs.valuation_date."),
            ("some d in valuation_inputs.inspection_dates_mentioned satisfies dd = null", "E503",
             "dd", ""),
            ("today() > valuation_inputs.report_date", "E503", "today",
             "Compare with a date of the contract, such as valuation_inputs.valuation_date."),
            ("countt(property.floors) > 1", "E503", "countt", "Did you mean 'count'?"),
            ("property.floors[agee > 1] != null", "E503", "agee", "Did you mean 'age'?"),
        ],
    )  # fmt: skip
    def test_a_misspelling_is_found_and_the_nearest_spelling_offered(self, text, code, meant, fix):
        fault = condition_faults(text)[0]

        assert fault.code == code
        assert text[fault.start : fault.end] == meant
        assert fault.fix == fix or (not fix and fault.fix)  # some suggestion, or none at all

    def test_a_text_that_is_no_feel_is_pointed_at(self):
        (fault,) = condition_faults('property.kind && "LAND"')

        assert fault.code == "E502"
        assert fault.start == len("property.kind ")

    def test_two_equals_signs_are_no_comparison(self):
        text = 'property.kind == "LAND"'

        (fault,) = condition_faults(text)

        assert fault.code == "E502"
        assert text[fault.start : fault.end] == "=="

    def test_a_text_beyond_the_bounds_is_refused(self):
        (fault,) = condition_faults("true or " * 3000 + "true")

        assert fault.code == "E502"

    @pytest.mark.parametrize(
        "text",
        [
            "property.floors[item.age != null] != null",
            "property.floors[1].age.value > 3",
            "every f in property.floors satisfies f.age.value < 100",
            "for i in 1..3 return i * 2",
            "{a: property.kind, b: a}.b = null",
            "(function(x) x != null)(property.kind)",
            "manual_fields.checklist_json.anything.at.all = 3",
            "property.rooms.bedrooms > 2",
            "valuation_inputs.inspection_date.year = 2026",
            'property.kind in ("FLAT", "SHOP")',
            "property.tenancy.occupancy instance of string",
            "if meta.npa_account then true else false",
            "count != null",
            'party.persons_accompanying[item = "A"] != null',
            "count(property.persons) > 1 and not(true)".replace(
                "property.persons", "property.flats"
            ),
        ],
    )
    def test_what_can_be_known_only_from_a_case_is_let_pass(self, text):
        assert condition_faults(text) == ()

    def test_all_faults_are_told_in_the_order_of_the_text(self):
        faults = condition_faults("propert.kind = null and property.kin = null")

        assert [fault.code for fault in faults] == ["E503", "E501"]
