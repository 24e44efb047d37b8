"""What formulas yield, worked by hand: units, nulls, the functions that rule sets have."""

from datetime import date
from decimal import Decimal as D  # noqa: N817

import pytest

from tests.rules.made import problems_of, run, value

MONEY = """
inputs:
  a: {from: valuation_inputs.land_value, unit: INR}
  b: {from: valuation_inputs.building_value, unit: INR}
  inspected: {from: valuation_inputs.inspection_date}
  valued: {from: valuation_inputs.valuation_date}
  kind: {from: property.kind}
  leased: {from: property.independent_access}
  extras: {from: valuation_inputs.extras, columns: {amount: {unit: INR}}}
  others: {from: valuation_inputs.amenities, default: [], columns: {amount: {unit: INR}}}
"""


def money(formula, *, unit="INR", more="", **raw):
    declared = f"unit: {unit}, round: none" if unit[0].isupper() or unit == "percent" else unit
    declared = "unit: number, round: none" if unit == "number" else declared
    text = f"{MONEY}{more}\nvalues:\n  x: {{formula: '{formula}', {declared}}}\n"
    return value(text, {"valuation_inputs": raw.pop("inputs", {}), **raw})


def amounts(*numbers):
    return [{} if number is None else {"amount": number} for number in numbers]


# ---- null logic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a + b", None),
        ("first known(b, a)", D(5)),
        ("first known(b, b, a)", D(5)),
        ("first known(a, 0)", D(5)),
        ("first known(b, 0)", D(0)),
        ("first known(b, null)", None),
        ("least known(a, b)", D(5)),
        ("least known(b)", None),
        ("min(a, b)", None),
        ("max(a, 0)", D(5)),
        ("abs(0 - a)", D(5)),
        ("abs(b)", None),
        ("-a", D(-5)),
        ("if b > a then a else 0", D(0)),
        ("if b = null then a else b", D(5)),
        ("if a != null and b = null then a else null", D(5)),
        ("a / 0", None),
        ("a / b", None),
        ("0 * b", None),
    ],
)
def test_what_is_not_known_travels_and_is_asked_for(formula, expected):
    # a is 5 rupees, b is not known.
    unit = "number" if "/ b" in formula else "INR"
    assert money(formula, unit=unit, inputs={"land_value": 5}) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a > b", None),
        ("a > b and a > 0", None),
        ("a > b and a < 0", False),
        ("a > b or a > 0", True),
        ("a > b or a < 0", None),
        ("not(a > b)", None),
        ("not(a > 0)", False),
        ("b = null", True),
        ("b != null", False),
        ("null = b", True),
        ("differ(a, b)", None),
        ("differ(a, 0)", True),
        ("differ(a, a)", False),
        ("a between 0 and a", True),
        ("a in [0..b]", None),
        ('kind = "LAND"', False),
        ('kind != "LAND"', True),
        # FEEL: a value that is not known is none of some words, but in no range or outside it.
        ('kind in ("LAND", "FLAT")', False),
        ("b in [0..a]", None),
        ("list contains(extras.amount, a)", None),
        ("list contains(others.amount, a)", False),
        ('contains(kind, "A")', None),
        ("leased", None),
        ("leased = true", False),
    ],
)  # fmt: skip
def test_conditions_have_three_answers(formula, expected):
    # a is 5 rupees; b, the kind, the extras and the access are not known; there are no others.
    got = money(formula.replace("'", '"'), unit="type: boolean", inputs={"land_value": 5})

    assert got is expected


def test_a_finding_is_raised_only_when_its_condition_is_exactly_true():
    text = f"""{MONEY}
findings:
  GREATER: {{severity: note, when: a > b, message: m, remedy: r}}
  NOT_GREATER: {{severity: note, when: not(a > b), message: m, remedy: r}}
  EITHER: {{severity: note, when: a > b or a <= b, message: m, remedy: r}}
"""

    def raised(**inputs):
        examination = run(text, {"valuation_inputs": inputs})
        return [
            finding.code for finding in examination.evaluation.findings if finding.rule != "engine"
        ]

    assert raised(land_value=2, building_value=1) == ["EITHER", "GREATER"]
    assert raised(land_value=1, building_value=1) == ["EITHER", "NOT_GREATER"]
    assert raised(land_value=1) == []


# ---- columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (None, None),  # the table is not known
        ([], D(0)),
        (amounts(5), D(5)),
        (amounts(5, 7), D(12)),
        (amounts(5, None), None),
        (amounts(None), None),
        (amounts(None, None), None),
    ],
)
def test_a_total_is_known_when_all_its_parts_are(rows, expected):
    assert money("total(extras.amount)", inputs={"extras": rows}) == expected


def test_a_table_that_says_so_is_empty_when_it_is_left_out():
    assert money("total(others.amount)") == 0
    assert money("total(others.amount)", inputs={"amenities": amounts(3)}) == 3


@pytest.mark.parametrize(
    ("formula", "rows", "expected"),
    [
        ("min(extras.amount)", amounts(5, 3), D(3)),
        ("max(extras.amount)", amounts(5, 3), D(5)),
        ("min(extras.amount)", amounts(5, None), None),
        ("max(extras.amount)", [], None),
        ("max(extras.amount)", None, None),
        ("count(extras)", amounts(5, None), D(2)),
        ("count(extras)", None, None),
        ("count(extras.amount)", [], D(0)),
        ("count(extras[amount > a])", amounts(5, 12, 20), D(2)),
        ("count(extras[item.amount > a])", amounts(5, 12, 20), D(2)),
        ("count(for e in extras return e.amount)", amounts(5, 12), D(2)),
        ("sum(for e in extras return e.amount * 2)", amounts(5, 12), D(34)),
        ("total(for e in extras return e.amount)", amounts(5, 12), D(17)),
        ("floor(a / 3)", [], D(3)),
    ],
)
def test_columns_and_rows(formula, rows, expected):
    unit = "number" if formula.startswith("count") else "INR"
    got = money(formula, unit=unit, inputs={"land_value": 10, "extras": rows})

    assert got == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("some x in extras.amount satisfies x > a", True),
        ("every x in extras.amount satisfies x > a", False),
        ("some e in extras satisfies e.amount > a", True),
        ("every e in extras satisfies e.amount > 0", True),
        ("some x in extras.amount satisfies x > b", None),
        ("some x in extras.amount satisfies some y in others.amount satisfies x > y", False),
    ],
)
def test_quantifiers(formula, expected):
    got = money(formula, unit="type: boolean", inputs={"land_value": 10, "extras": amounts(5, 12)})

    assert got is expected


def test_a_quantifier_in_a_condition_holds_when_it_is_exactly_true():
    text = f"""{MONEY}
values:
  x: {{formula: 'if some v in extras.amount satisfies v > a then 1 else 2', unit: number, round: none}}
  y: {{formula: 'if every v in extras.amount satisfies v > a then 1 else 2', unit: number, round: none}}
"""

    def both(rows, **inputs):
        raw = {"valuation_inputs": {"extras": rows, **inputs}}
        return int(value(text, raw, "x")), int(value(text, raw, "y"))

    assert both(amounts(5, 12), land_value=10) == (1, 2)
    assert both(amounts(11, 12), land_value=10) == (1, 1)
    assert both([], land_value=10) == (2, 1)
    assert both(None, land_value=10) == (2, 2)
    assert both(amounts(5, 12)) == (2, 2)


# ---- dates and words ----------------------------------------------------------------------------


def test_dates_are_compared_and_counted():
    days = {"inspection_date": "2020-03-15", "valuation_date": "2026-03-14"}
    years = "years and months duration(inspected, valued).years"

    assert money(years, unit="number", inputs=days) == 5
    assert money(years, unit="number", inputs={**days, "valuation_date": "2026-03-15"}) == 6
    assert money("inspected < valued", unit="type: boolean", inputs=days) is True
    assert money("valued.year - inspected.year", unit="number", inputs=days) == 6
    assert money("valued", unit="type: date", inputs=days) == date(2026, 3, 14)
    assert money("max(inspected, valued)", unit="type: date", inputs=days) == date(2026, 3, 14)
    assert money("as_of = valued", unit="type: boolean", inputs=days) is True


def test_an_amount_is_said_in_words():
    inputs = {"land_value": 6700000}

    assert money("in words(a)", unit="type: text", inputs=inputs) == (
        "Rupees Sixty Seven Lakh Only"
    )
    assert money("in words(b)", unit="type: text", inputs=inputs) is None


def test_texts_are_put_together():
    raw = {"property": {"kind": "LAND"}}

    assert money('upper case(kind) + ", free"', unit="type: text", **raw) == "LAND, free"
    assert money('kind + ", free"', unit="type: text") is None


def test_what_the_evaluator_gives_for_a_figure_is_taken_only_if_it_is_one():
    # The kind of an element of a mixed list shows only when it is there.
    assert money('[a, "none"][1]', inputs={"land_value": 5}) == 5
    assert money('[a, "none"][2]', inputs={"land_value": 5}) is None
    assert money('["yes", true][1]', unit="type: boolean") is None
    assert money('["yes", true][2]', unit="type: boolean") is True
    assert money('[1, "a"][2]', unit="type: text") == "a"
    assert money('[1, @"2026-03-14"][2]', unit="type: date") == date(2026, 3, 14)
    assert money("least known([1, 2][1], [3][1])", unit="number") == 1
    assert money('differ([1][1], ["1"][1])', unit="type: boolean") is True
    assert money("differ([1][1], [3][1], [2][1])", unit="type: boolean") is False
    assert money("differ([1][1], null, [2][1])", unit="type: boolean") is None
    assert money("-[a][1]", inputs={"land_value": 5}) == -5
    assert money("[a][1] + 0 * [a][1]", inputs={"land_value": 5}) == 5
    assert money("[a][1] > [0][1]", unit="type: boolean", inputs={"land_value": 5}) is True
    assert money("[a][1] != [0][1]", unit="type: boolean", inputs={"land_value": 5}) is True


def test_an_expression_beyond_the_bounds_of_the_evaluator_is_not_known():
    assert money("count(for i in 1..100000000 return i)", unit="number") is None


# ---- units --------------------------------------------------------------------------------------

AREAS = """
parameters:
  unit_area: {value: 1 sqm}
inputs:
  feet: {from: property.land_area, unit: sqft}
  metres: {from: property.land_area, unit: sqm}
  rate: {from: valuation_inputs.adopted_rate_input, unit: INR/area}
  at_rate: {from: property.land_area, unit: area of rate}
  rate_sqm: {from: valuation_inputs.adopted_rate_input, unit: INR/sqm}
  parcels:
    from: property.parcels
    columns:
      rate: {unit: INR/area}
      deed: {unit: area of row.rate}
      deed_sqm: {from: deed, unit: sqm}
      length: {unit: m}
      width: {unit: m}
"""
KERALA = {"state": "Kerala"}


def test_an_area_in_the_unit_of_its_rate_keeps_the_rupee():
    # 6.59 cent x 9,00,000 a cent = 59,31,000 exactly; by way of square metres a floor to the
    # rupee would give 59,30,999.
    text = f"{AREAS}\nvalues:\n  x: {{formula: at_rate * rate, unit: INR, round: floor 1}}\n"
    raw = {
        "property": {**KERALA, "land_area": "6.59 cent"},
        "valuation_inputs": {"adopted_rate_input": "900000 INR/cent"},
    }

    assert value(text, raw) == D(5931000)


def test_a_row_has_the_unit_of_its_own_rate():
    text = f"""{AREAS}
values:
  parcels.worth: {{formula: row.deed * row.rate, unit: INR, round: floor 1}}
  parcels.sides: {{formula: row.length * row.width, unit: sqm, round: none}}
  x: {{formula: total(parcels.worth), unit: INR, round: none}}
"""
    raw = {
        "property": {
            **KERALA,
            "parcels": [
                {"id": "a", "deed": "6.59 cent", "rate": "900000 INR/cent"},
                {"deed": "1 cent", "rate": "1000 INR/sqft", "length": "10 m", "width": "20 m"},
            ],
        }
    }
    examination = run(text, raw)

    # One cent is 435.6 square feet.
    assert examination.figures.value("parcels.worth") == [D(5931000), D(435600)]
    assert examination.figures.value("parcels.sides", 1) == 200
    assert value(text, raw, "parcels[a].worth") == D(5931000)
    assert value(text, raw) == D(6366600)
    assert examination.figures.unit("parcels.deed", 0) == "cent"
    assert examination.figures.unit("parcels.rate", 1) == "INR/sqft"
    assert examination.figures.unit("parcels.deed") == "as given"


def test_a_fixed_unit_is_converted_when_the_case_is_read_and_in_a_formula():
    raw = {"property": {"land_area": "1000 sqft"}}
    text = f"""{AREAS}
values:
  x: {{formula: 'convert(feet, "sqm")', unit: sqm, round: none}}
  y: {{formula: 'convert(metres, "sqft")', unit: sqft, round: nearest 0.0001}}
  z: {{formula: 'convert(feet, "sqft") / feet', unit: number, round: none}}
  per: {{formula: 'convert(rate_sqm, "INR/sqft")', unit: INR/sqft, round: nearest 0.01}}
  share: {{formula: metres / unit_area, unit: number, round: none}}
"""

    # 1 ft is 0.3048 m, so 1,000 sq ft are 92.90304 sq m.
    assert value(text, raw) == D("92.90304")
    assert value(text, raw, "y") == 1000
    assert value(text, raw, "z") == 1
    assert value(text, raw, "share") == D("92.90304")
    rated = {"valuation_inputs": {"adopted_rate_input": "10763.91041671 INR/sqm"}}
    assert value(text, rated, "per") == 1000


@pytest.mark.parametrize(
    ("formula", "unit", "told"),
    [
        ("feet + metres", "sqm", "a value in sqft cannot be added to a value in sqm"),
        ("metres - feet", "sqm", "a value in sqft cannot be subtracted from a value in sqm"),
        ("rate + at_rate", "INR", "a value in INR/area of rate cannot be added to"),
        ("metres * rate", "INR", "the formula yields INR sqm/area of rate, 'x' is in INR"),
        ("total(parcels.deed)", "sqm", "the rows of this column may have different units"),
        ("min(parcels.rate)", "INR/sqm", "the rows of this column may have different units"),
        ("metres ** 0.5", "m", "only a number without unit is raised to a computed power"),
        ("floor(metres)", "sqft", "the formula yields sqm, 'x' is in sqft"),
        ('convert(rate, "INR/sqm")', "INR/sqm", "cannot be converted into INR/sqm"),
        ('convert(metres, "m")', "m", "sqm cannot be converted into m"),
        ('convert(metres, "sqmeter")', "sqm", "sqm cannot be converted into sqmeter"),
    ],
)
def test_units_that_do_not_fit_are_refused(formula, unit, told):
    text = f"{AREAS}\nvalues:\n  x: {{formula: '{formula}', unit: {unit}, round: none}}\n"

    assert told in problems_of(text)


@pytest.mark.parametrize(
    ("formula", "unit"),
    [
        ("metres * rate_sqm", "INR"),
        ("metres ** 2 / metres", "sqm"),
        ("metres + 0", "sqm"),
        ("0", "INR"),
        ("metres * 1.5", "sqm"),
        ("1 - 0.05", "percent"),
        ("at_rate * rate / rate_sqm", "sqm"),
        ("floor(metres)", "sqm"),
    ],
)
def test_units_that_fit(formula, unit):
    text = f"{AREAS}\nvalues:\n  x: {{formula: '{formula}', unit: {unit}, round: none}}\n"

    assert problems_of(text) == ""


def test_a_power_keeps_its_unit_and_34_digits():
    text = f"{AREAS}\nvalues:\n  x: {{formula: metres ** 2 / metres, unit: sqm, round: none}}\n"

    assert value(text, {"property": {"land_area": "1.5 sqm"}}) == D("1.5")


# ---- given and calculated -----------------------------------------------------------------------

BOTH_WAYS = """
parameters:
  share: {value: 80 %}
inputs:
  cost: {from: valuation_inputs.building_value, unit: INR}
values:
  market:
    formula: first known(given(adopted) / share, cost)
    given: valuation_inputs.market_total_value_input
    unit: INR
    round: nearest 1
  adopted:
    formula: market * share
    given: valuation_inputs.adopted_total_value_input
    unit: INR
    round: ceil 500
  gap: {formula: given(adopted) - calculated(adopted), unit: INR, round: none}
"""


@pytest.mark.parametrize(
    ("inputs", "market", "adopted", "gap"),
    [
        ({"market_total_value_input": 100}, D(100), D(500), None),
        ({"adopted_total_value_input": "8001"}, D(10001), D(8001), D(-499)),
        # A stated figure is not rounded; what its formula gives is.
        ({"market_total_value_input": "10000.4", "adopted_total_value_input": 8001},
         D("10000.4"), D(8001), D(-499)),
        ({"building_value": 10}, D(10), D(500), None),
        ({}, None, None, None),
    ],
)  # fmt: skip
def test_a_relation_is_used_both_ways_without_a_cycle(inputs, market, adopted, gap):
    # 8001 / 0.8 = 10001.25, nearest 10001; 80 % of that is 8000.8, up to the next 500 is 8500.
    figures = run(BOTH_WAYS, {"valuation_inputs": inputs}).figures

    assert (figures.value("market"), figures.value("adopted")) == (market, adopted)
    assert figures.value("gap") == gap


def test_given_and_calculated_work_in_rows_and_as_columns():
    text = """
inputs:
  floors: {from: property.floors, columns: {age: {unit: year}, life: {unit: year}}}
values:
  floors.depreciation:
    formula: row.age / row.life
    given: depreciation_percent
    unit: percent
    round: nearest 0.01 %
  floors.off: {formula: 'differ(given(row.depreciation), calculated(row.depreciation))', type: boolean}
  x: {formula: max(given(floors.depreciation)), unit: percent, round: none}
  y: {formula: max(calculated(floors.depreciation)), unit: percent, round: none}
"""
    raw = {
        "property": {
            "floors": [
                {"id": "one", "age": 20, "life": 60, "depreciation_percent": 30},
                {"id": "two", "age": 30, "life": 60, "depreciation_percent": 50},
            ]
        }
    }
    figures = run(text, raw).figures

    # 20/60 is 33.33 %, and 30/60 is 50 %.
    assert figures.value("floors.depreciation") == [D(30), D(50)]
    assert figures.value("floors.off") == [True, False]
    assert (figures.value("x"), figures.value("y")) == (D(50), D(50))


# ---- what is left to the FEEL evaluator ---------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "unit", "expected"),
    [
        # Names of the set, of the expression and of FEEL stand side by side.
        ("(function(n) n * 2)(a)", "INR", D(20)),
        ("{half: a / 2, twice: half * 4}.twice", "INR", D(20)),
        ("count([{n: 1}, {n: 20}][n > 5])", "number", D(1)),
        ("sum(sort(extras.amount, function(p, q) p > q)[1])", "INR", D(12)),
        ("count(for e in extras return first known(e.amount, 0))", "number", D(2)),
        ("count(for e in extras return total([e.amount, 1]))", "number", D(2)),
        ("count(for i in 1..3 return i * count(extras))", "number", D(3)),
        ("count(for e in extras, o in others return e)", "number", D(0)),
        ("sum(for e in extras return if differ(e.amount, 5) then e.amount else 0)", "INR", D(12)),
        ("count(extras[amount > total(others.amount)])", "number", D(2)),
        ('count(extras[contains("ab", "a")])', "number", D(2)),
        ("floor([1.5][1])", "number", D(1)),
        ("floor(a * 1.55)", "INR", D(15)),
        ("round half up(a / 3, 2)", "INR", D("3.33")),
        ("abs([0 - 5][1])", "number", D(5)),
        ("abs(n: 0 - 5)", "number", D(5)),
        ("first known(first known(b, a), 0)", "INR", D(10)),
        ("first known(a + 0, b, a)", "INR", D(10)),
        ("first known(5, a / a)", "number", D(5)),
        ("min([a, 3 * a])", "INR", D(10)),
        ("if extras = null then 0 else a", "INR", D(10)),
        ("if extras.amount = null then 0 else a", "INR", D(10)),
        ("if 1 = null then 0 else a", "INR", D(10)),
        ("if extras.amount = others.amount then 0 else a", "INR", D(10)),
        ("if extras.amount < others.amount then 0 else a", "INR", D(10)),
        ("if count(extras.amount) >= 2 then a else 0", "INR", D(10)),
        ("if count(5) > 0 then a else 0", "INR", D(10)),
        ("if [a][1] = a then a else 0", "INR", D(10)),
        ("if list contains([5, a], a) then a else 0", "INR", D(10)),
        ("if not([true][1]) then 0 else a", "INR", D(10)),
        ("if some e in extras satisfies e.amount > a then a else 0", "INR", D(10)),
        ("if some x in extras.amount, y in extras.amount satisfies x > y then a else 0", "INR",
         D(10)),
        ("if some i in 1..3 satisfies i > 2 then a else 0", "INR", D(10)),
        ("if some e in [1, 2] satisfies e > 1 then a else 0", "INR", D(10)),
        ("if every x in extras.amount satisfies x in [1..a] or x > a then a else 0", "INR", None),
        ("if a in (> 5 * a, < 2 * a) then a else 0", "INR", D(10)),
        ('years and months duration(@"2020-01-01", inspected).years', "number", None),
        ("years and months duration([inspected][1], valued).years", "number", None),
        ('count([inspected + @"P1D"])', "number", D(1)),
        ("count(sort([2, 1], function(p, q) p < q))", "number", D(2)),
        ("count([count, 1])", "number", D(2)),
        ('if inspected - @"P1D" = null then 1 else 0', "number", D(1)),
    ],
)  # fmt: skip
def test_the_rest_of_feel_works_in_formulas(formula, unit, expected):
    if "x in [1..a]" in formula:
        assert "E205" in problems_of(f"{MONEY}\nvalues:\n  x: {{formula: '{formula}', unit: INR, "
                                     "round: none}\n")  # fmt: skip
        return
    inputs = {"land_value": 10, "extras": amounts(5, 12)}

    assert money(formula, unit=unit, inputs=inputs) == expected


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("string(land.x)", "unknown name 'land.x'"),
        ("string(a.x)", "unknown name 'a.x'"),
        ("string(inspected.century)", None),
        ("inspected.century", "unknown name 'inspected.century'"),
        ("string(extras.amuont)", "Did you mean 'extras.amount'?"),
        ("string(row)", "unknown name 'row'"),
        ("string(for e in extra return e)", "unknown name 'extra'"),
        ("for e in extras return differ(e.amount)", "'differ' takes 2 to 3 arguments, not 1"),
        ('for e in extras return convert(e.amount, "INR")', "cannot be asked about 'e'"),
        ("string(uper case(kind))", "there is no function 'uper case'"),
        ("given(extras)", "'given' takes the name of a value"),
        ("given(a + b)", "'given' takes the name of a value"),
    ],
)  # fmt: skip
def test_what_an_expression_left_to_feel_reads_is_checked(formula, told):
    text = f"{MONEY}\nvalues:\n  x: {{formula: '{formula}', type: text}}\n"

    if told is None:
        assert problems_of(text) == ""
    else:
        assert told in problems_of(text)


def test_a_row_is_asked_for_its_id():
    text = f"{MONEY}\nvalues:\n  extras.name: {{formula: row.id, type: text}}\n"
    raw = {"valuation_inputs": {"extras": [{"id": "lift"}, {}]}}

    assert run(text, raw).figures.value("extras.name") == ["lift", "2"]


@pytest.mark.parametrize(
    ("start", "end", "years"),
    [
        ("2020-03-15", "2020-03-15", 0),
        ("2020-02-29", "2021-02-28", 0),
        ("2020-02-29", "2021-03-01", 1),
        ("2026-03-14", "2020-03-15", -5),
        ("2026-03-14", "2020-03-14", -6),
        ("2026-03-15", "2025-03-16", 0),
    ],
)
def test_whole_years_between_two_days(start, end, years):
    formula = "years and months duration(inspected, valued).years"

    got = money(formula, unit="number", inputs={"inspection_date": start, "valuation_date": end})
    assert got == years
