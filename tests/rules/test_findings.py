"""Findings: those of a rule set with their messages, and those that the engine adds."""

from datetime import date
from decimal import Decimal as D  # noqa: N817

import pytest

from contracts.case import ParameterOverride
from tests.rules.made import codes, finding, problems_of, run, value

INPUTS = """
parameters:
  share: {value: 80 %, source: "the bank's circular"}
  limit: {value: 5 crore INR, source: "the form"}
inputs:
  a: {from: valuation_inputs.land_value, unit: INR, label: Land value}
  b: {from: valuation_inputs.building_value, unit: INR, min: 100, max: 1 lakh INR}
  area: {from: property.land_area, unit: area, min: 10 sqm, max: 1 hectare}
  rate: {from: valuation_inputs.adopted_rate_input, unit: INR/area, max: 1000000 INR/sqft}
  land_at_rate: {from: property.land_area, unit: area of rate}
  kind: {from: property.kind}
  inspected: {from: valuation_inputs.inspection_date}
  leased: {from: property.independent_access}
  band_date: {from: valuation_inputs.valuation_date}
  floors:
    from: property.floors
    columns:
      age: {unit: year, max: 100 year}
      done: {from: done_percent, unit: percent, min: 0 %, max: 100 %}
values:
  fmv: {label: Market value, formula: 'first known(a, 0) + first known(b, 0)', unit: INR, round: none,
        given: valuation_inputs.fmv_input}
  floors.left: {formula: 1 - row.done, unit: percent, round: none, given: depreciation_percent}
  ratio: {formula: a / b, unit: number, round: none}
  on_lease: {formula: leased, type: boolean}
"""


def findings(text, raw=None, **more):
    return run(f"{INPUTS}\nfindings:\n{text}", raw, **more)


def message(template, raw=None, *, when="true", each=""):
    text = f"  X: {{severity: note, when: '{when}', {each}message: '{template}', remedy: r}}\n"
    return findings(text, raw)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("At {a}.", "At ₹1,23,45,678.50."),
        ("{a} and {b}", "₹1,23,45,678.50 and not known"),
        (
            "{share} of {a:words}",
            "80 % of Rupees One Crore Twenty Three Lakh Forty Five Thousand Six Hundred Seventy Eight and Paise Fifty Only",
        ),
        ("{given(fmv)} is not {calculated(fmv)}", "₹5 is not ₹1,23,45,678.50"),
        ("{ fmv } {kind} {inspected} {leased}", "₹5 LAND 2026-03-14 yes"),
        ("{rate} x {land_at_rate}", "₹9,00,000 per cent x 6.59 cent"),
        ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_messages_show_figures_as_reports_print_them(template, expected):
    raw = {
        "property": {"kind": "LAND", "state": "Kerala", "land_area": "6.59 cent",
                     "independent_access": True},
        "valuation_inputs": {"land_value": "12345678.50", "fmv_input": 5,
                             "inspection_date": "2026-03-14",
                             "adopted_rate_input": "900000 INR/cent"},
    }  # fmt: skip

    assert finding(message(template, raw), "X").message == expected


def test_a_finding_for_each_row_names_the_row():
    raw = {
        "property": {
            "floors": [
                {"id": "house", "label": "Old house", "age": 5, "done_percent": 25},
                {"age": 7, "done_percent": 100, "depreciation_percent": 9},
                {"id": "hut", "done_percent": 0},
            ]
        }
    }
    examination = findings(
        """
  OLD:
    severity: warning
    each: floors
    when: row.age != null and row.done <= 1
    message: "{row.label} ({row.id}): {row.age}, {row.left}, {given(row.left)}, {calculated(row.left)}."
    remedy: Look.
    fields: [floors.age, fmv]
    source: "a case"
""",
        raw,
    )

    assert codes(examination) == ["OLD[2]", "OLD[house]"]
    house, second = finding(examination, "OLD[house]"), finding(examination, "OLD[2]")
    assert house.message == "Old house (house): 5 years, 75 %, not known, 75 %."
    # A row without a label is called by its id, or by its number.
    assert second.message == "2 (2): 7 years, 9 %, 9 %, 0 %."
    assert house.fields == ("floors[house].age", "fmv")
    assert (house.name, house.severity, house.outcome) == ("Old", "warning", "review")
    assert house.rule == "made@1/findings/OLD"
    assert [(item.name, item.value, item.unit) for item in second.values] == [
        ("floors[2].age", D(7), "year"),
        ("floors[2].done", D(100), "percent"),
    ]


def test_findings_follow_from_others_whatever_their_order():
    text = """
  A_LAST: {severity: error, when: raised("M_MIDDLE") and raised("Z_FIRST"), message: m, remedy: r}
  M_MIDDLE: {severity: note, when: raised("Z_FIRST"), message: m, remedy: r}
  Z_FIRST: {severity: note, each: floors, when: row.age > 0 * max(floors.age), message: m, remedy: r}
  OTHER: {severity: note, when: not(raised("Z_FIRST")), message: m, remedy: r}
"""
    raw = {"property": {"floors": [{"age": 1}, {"age": 2}]}}

    assert codes(findings(text, raw)) == ["A_LAST", "M_MIDDLE", "Z_FIRST[1]", "Z_FIRST[2]"]
    assert codes(findings(text)) == ["OTHER"]


def test_a_whole_column_among_a_findings_values_is_written_like_its_figures():
    text = '  X: {severity: note, when: "count(floors.done) > 0", message: m, remedy: r}\n'
    raw = {"property": {"floors": [{"done_percent": 25}, {}]}}

    (item,) = finding(findings(text, raw), "X").values

    assert (item.name, item.value, item.unit) == ("floors.done", (D(25), None), "percent")


# ---- what the engine finds ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (99, "B is less than the least that the rule set takes for possible, 100."),
        (100, None),
        (100000, None),
        ("100000.01", "B is more than the most that the rule set takes for possible, 100000 INR."),
    ],
)
def test_a_figure_out_of_bounds_is_an_error_and_is_used_all_the_same(amount, told):
    examination = run(INPUTS, {"valuation_inputs": {"building_value": amount}})
    code = "OUT_OF_BOUNDS[valuation_inputs.building_value]"

    assert codes(examination) == ([code] if told else [])
    assert examination.figures.value("fmv") == D(str(amount))
    if told:
        assert finding(examination, code).message == told


@pytest.mark.parametrize(
    ("area", "out"),
    [("10 sqm", False), ("9.99 sqm", True), ("107 sqft", True), ("108 sqft", False),
     ("10000 sqm", False), ("1.0001 hectare", True)],
)  # fmt: skip
def test_bounds_of_an_area_hold_in_whatever_unit_it_is_given(area, out):
    # 10 sq m are 107.639 sq ft; a hectare is 10,000 sq m.
    examination = run(INPUTS, {"property": {"land_area": area}})

    assert ("OUT_OF_BOUNDS[property.land_area]" in codes(examination)) is out


def test_bounds_hold_in_rows_and_for_rates():
    raw = {
        "property": {"floors": [{"id": "old", "age": 101}, {"age": 100, "done_percent": 101}]},
        "valuation_inputs": {"adopted_rate_input": "1000000.1 INR/sqft"},
    }

    assert codes(run(INPUTS, raw)) == [
        "OUT_OF_BOUNDS[property.floors[2].done_percent]",
        "OUT_OF_BOUNDS[property.floors[old].age]",
        "OUT_OF_BOUNDS[valuation_inputs.adopted_rate_input]",
    ]


def test_the_bounds_of_a_local_unit_without_a_place_are_not_asked():
    raw = {"valuation_inputs": {"adopted_rate_input": "99999999999 INR/bigha"}}

    assert codes(run(INPUTS, raw)) == []


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({"property": {"land_area": "5"}}, "UNIT_MISSING[property.land_area]"),
        ({"property": {"land_area": "5 sqyrds"}}, "UNIT_UNKNOWN[property.land_area]"),
        ({"property": {"land_area": "5 year"}}, "UNIT_WRONG_KIND[property.land_area]"),
        (
            {"property": {"land_area": "3 bigha 2 year", "state": "West Bengal"}},
            "UNIT_WRONG_KIND[property.land_area]",
        ),
        (
            {"property": {"land_area": "5 ground", "state": "Kerala"}},
            "UNIT_NOT_USED_HERE[property.land_area]",
        ),
        ({"property": {"land_area": "5 bigha 2 katha"}}, "UNIT_NEEDS_PLACE[property.land_area]"),
        (
            {"valuation_inputs": {"adopted_rate_input": "900000 INR/year"}},
            "UNIT_WRONG_KIND[valuation_inputs.adopted_rate_input]",
        ),
        ({"property": {"floors": [{"age": "5 sqft"}]}}, "UNIT_WRONG_KIND[property.floors[1].age]"),
    ],
)
def test_a_unit_that_cannot_be_used_is_an_open_finding(raw, code):
    examination = run(INPUTS, raw)

    assert code in codes(examination)
    assert finding(examination, code).outcome == "open"
    assert finding(examination, code).remedy


def test_a_sound_unit_of_another_place_is_used_with_its_source():
    text = f"{INPUTS}\n  metres: {{formula: 'area', unit: area of rate, round: none}}\n"
    raw = {
        "property": {"land_area": {"value": "2", "unit": "bigha", "place": "West Bengal"}},
        "valuation_inputs": {"adopted_rate_input": "1000 INR/sqm"},
    }
    assert "E205" in problems_of(text)
    text = f"{INPUTS}\n  x: {{formula: land_at_rate, unit: area of rate, round: none}}\n"

    examination = run(text, raw)

    (entry,) = [e for e in examination.evaluation.trace if e.field == "x"]
    assert entry.unit == "sqm"
    assert entry.inputs[0].written == "2 bigha"
    assert "bigha" in entry.inputs[0].source


def test_a_unit_whose_worth_is_disputed_is_noted_once():
    raw = {"property": {"land_area": "5 ankanam", "state": "Karnataka"}}
    examination = run(
        """
inputs:
  a: {from: property.land_area, unit: sqm}
  b: {from: property.land_area, unit: sqft}
""",
        raw,
    )
    disputed = [code for code in codes(examination) if code.startswith("UNIT_DISPUTED")]

    assert disputed == ["UNIT_DISPUTED[a]"]


def test_two_rows_of_one_id_are_told_of_and_told_apart():
    # Cases with such rows are refused when they are read; a caller may hand one over all the same.
    from contracts.case import Case
    from contracts.contract import Contract, Floor, Property
    from engine.evaluation import examine
    from tests.rules.made import catalogue_of, contract_of

    catalogue, _ = catalogue_of(INPUTS)
    rows = (Floor(id="a"), Floor(id="a"), Floor())
    contract = contract_of().model_copy(
        update={"property": Property.model_construct(floors=rows, land_area=None)}
    )
    assert isinstance(contract, Contract)
    examination = examine(Case.model_construct(
        case="x", contract=contract, parameters={}, evidence=(), links=(), ruleset="made",
        profile=None, as_of=None,
    ), catalogue)  # fmt: skip

    assert "ROW_ID_REPEATED[floors]" in codes(examination)
    assert examination.figures.rows_of("floors") == ["a", "a~2", "3"]


# ---- stated figures -----------------------------------------------------------------------------


def stated(*entries, **inputs):
    raw = {
        "stated": list(entries),
        "valuation_inputs": inputs,
        "property": {"kind": "LAND", "floors": [{"id": "h", "done_percent": 25}]},
    }
    examination = run(INPUTS, raw)
    return examination, [code for code in codes(examination) if code.startswith("STATED")]


@pytest.mark.parametrize(
    ("field", "amount", "agrees"),
    [
        ("fmv", 6700000, True),
        ("fmv", "67 lakh INR", True),
        ("fmv", "6700000.00", True),
        ("fmv", 6700001, False),
        # A stated figure agrees at the precision it is stated with: 6700000 / 30000 = 223.33...
        ("ratio", "223.33", True),
        ("ratio", 223, True),
        ("ratio", "223.34", False),
        ("floors[h].left", "75 %", True),
        ("floors[h].left", 75, True),
        ("floors[h].left", "74.9 %", False),
        ("kind", 5, None),
        ("on_lease", 1, None),
        ("fmv", "5 sqft", None),
        ("fmw", 5, None),
        ("floors[x].left", 5, None),
        ("floors.left", 5, None),
        ("Fair value", 5, None),
    ],
)
def test_a_stated_figure_is_held_against_the_computed_one(field, amount, agrees):
    # The market value is 6670000 + 30000.
    _, found = stated(
        {"field": field, "amount": amount}, land_value=6700000, building_value=30000,
        fmv_input=6700000,
    )  # fmt: skip

    expected = {True: [], False: [f"STATED_DIFFERS[{field}]"], None: [f"STATED_UNCHECKED[{field}]"]}
    assert found == expected[agrees]


def test_a_stated_figure_that_differs_names_both():
    examination, _ = stated({"field": "fmv", "amount": 6699000}, land_value=6700000)

    assert finding(examination, "STATED_DIFFERS[fmv]").message == (
        "Market value is stated as ₹66,99,000, computed it is ₹67,00,000."
    )


def test_an_unknown_name_of_a_stated_figure_gets_the_nearest_one():
    examination, _ = stated({"field": "fmw", "amount": 1})

    assert finding(examination, "STATED_UNCHECKED[fmw]").message == (
        "The stated fmw is not checked: the rule set has no figure 'fmw', did you mean fmv?."
    )


def test_the_words_of_a_stated_amount_are_read():
    def words(text, amount=6700000):
        return stated({"field": "fmv", "amount": amount, "words": text}, land_value=6700000)[1]

    assert words("Rupees Sixty Seven Lakh Only") == []
    assert words("Rs. sixty-seven lakhs only") == []
    assert words("Rupees Sixty Six Lakh Only") == ["STATED_WORDS_DIFFER[fmv]"]
    assert words("sixty something") == ["STATED_WORDS_DIFFER[fmv]"]


def test_a_very_large_computed_figure_beside_a_stated_one_does_no_harm():
    text = f"{INPUTS}\n  x: {{formula: a * (b / limit) ** 2, unit: INR, round: none}}\n"
    raw = {
        "stated": [{"field": "x", "amount": "0.0000000000000000000000000000000001"}],
        "valuation_inputs": {"land_value": "9" * 24, "building_value": "9" * 24},
    }

    assert "STATED_DIFFERS[x]" in codes(run(text, raw))


# ---- parameters ---------------------------------------------------------------------------------

HISTORY = """
parameters:
  share:
    - {value: 10 %, from: 2010-01-01, until: 2019-12-31, source: first}
    - {value: 5 %, from: 2020-01-01, source: second}
    - {value: null, from: 2025-01-01, source: abolished}
inputs:
  a: {from: valuation_inputs.land_value, unit: INR}
values:
  x: {formula: a * share, unit: INR, round: none}
"""


@pytest.mark.parametrize(
    ("day", "expected", "found"),
    [
        ((2009, 12, 31), None, ["PARAMETER_NOT_IN_FORCE[share]"]),
        ((2010, 1, 1), D(10), []),
        ((2019, 12, 31), D(10), []),
        ((2020, 1, 1), D(5), []),
        ((2024, 12, 31), D(5), []),
        ((2025, 1, 1), None, []),
        (None, None, []),  # an unknown day takes the latest entry, which abolished it
    ],
)
def test_a_parameter_is_read_from_its_history_at_the_day(day, expected, found):
    raw = {"valuation_inputs": {"land_value": 100}}
    examination = run(HISTORY, raw, as_of=day and date(*day))

    assert examination.figures.value("x") == expected
    assert codes(examination) == found


def test_an_unknown_day_is_a_finding_and_takes_the_latest_value():
    text = HISTORY.replace("    - {value: null, from: 2025-01-01, source: abolished}\n", "")
    examination = run(text, {"valuation_inputs": {"land_value": 100}})

    assert examination.figures.value("x") == 5
    assert "AS_OF_UNKNOWN" in [f.code for f in examination.evaluation.findings]


def override(value_, source="letter of the branch"):
    return ParameterOverride.model_validate({"value": value_, "source": source})


def test_a_case_sets_a_parameter_and_the_trace_says_where_from():
    raw = {"valuation_inputs": {"land_value": 100}}
    examination = run(HISTORY, raw, parameters={"share": override("85 %")})
    (entry,) = examination.evaluation.trace

    assert entry.value == 85
    assert [(item.name, item.value, item.source) for item in entry.inputs] == [
        ("a", D(100), None),
        ("share", D(85), "letter of the branch"),
    ]
    # Another case of the same day is not touched by it.
    assert value(HISTORY, raw, as_of=date(2021, 1, 1)) == 5


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("shares", "85 %", "made@1 has no parameter shares"),
        ("share", "85 INR", "85 INR: INR measures money, 1 ratio"),
        ("share", 85, "85"),
    ],
)
def test_a_parameter_that_does_not_fit_is_not_used(name, written, told):
    raw = {"valuation_inputs": {"land_value": 100}}
    examination = run(HISTORY, raw, as_of=date(2021, 1, 1), parameters={name: override(written)})

    assert told in finding(examination, f"PARAMETER_UNFIT[{name}]").message
    assert examination.figures.value("x") == 5


def test_plain_numbers_and_amounts_are_overridden_in_their_own_units():
    text = """
parameters:
  times: {value: 2}
  fee: {value: 1000 INR}
  years: {value: 10, unit: year}
inputs:
  age: {from: property.age, unit: year}
values:
  x: {formula: fee * times * (years / age), unit: INR, round: none}
"""
    raw = {"property": {"age": 5}}

    assert value(text, raw) == 4000
    parameters = {"times": override(3), "fee": override("2 thousand INR")}
    assert value(text, raw, parameters=parameters) == 12000
