import decimal
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rounding import ARITHMETIC
from engine.rules import portfolio_plan
from engine.rules.portfolio import (
    PortfolioCase,
    evaluate_portfolio,
    load_portfolio,
    plan_portfolio,
)
from tests.portfolio.generated_facts import facts_of, parameters_of, seeds
from tests.portfolio.made_sets import case_of, compiled

AS_OF = date(2024, 5, 5)
SHIPPED = ("agri", "coop", "dpr", "flat-composite", "m5.4-v1", "revaluation", "stage-progress")


def by_reference(rule_set, case):
    """The figures of one case as the compiled set's function gives them."""
    rows = [case.facts.rows[table.name] for table in rule_set.plan.tables]
    with decimal.localcontext(ARITHMETIC):
        slots, _ = rule_set.run(case.facts.values, case.parameters, case.as_of, rows)
    return {step.address: slots[step.slot] for step in rule_set.steps}


def differences(plan, cases):
    """Figures of a portfolio that are not the reference's."""
    figures = evaluate_portfolio(load_portfolio(plan, cases))
    expected = [by_reference(plan.compiled, case) for case in cases]
    return {
        (name, number, value, expected[number][name])
        for name, values in figures.values.items()
        for number, value in enumerate(values)
        if value != expected[number][name]
    }


def portfolio_of(rule_set, chance, count, decimals):
    parameters = parameters_of(rule_set)
    return [
        PortfolioCase(facts_of(rule_set, chance, decimals=decimals), parameters, AS_OF)
        for _ in range(count)
    ]


# ---- shipped sets -------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(chance=seeds(), decimals=st.integers(0, 4))
def test_every_figure_of_the_psu_set_is_the_references(shipped, chance, decimals):
    rule_set = shipped.compiled(shipped.rule_sets["psu@1"])
    cases = portfolio_of(rule_set, chance, 40, decimals)

    assert differences(plan_portfolio(rule_set), cases) == set()


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=3, deadline=None)
@given(chance=seeds())
def test_every_figure_of_the_other_sets_is_the_references(shipped, name, chance):
    rule_set = shipped.compiled(shipped.rule_sets[f"{name}@1"])
    cases = portfolio_of(rule_set, chance, 40, 2)

    assert differences(plan_portfolio(rule_set), cases) == set()


def test_what_the_psu_set_leaves_to_the_reference_is_named_with_the_reason(shipped):
    plan = plan_portfolio(shipped.compiled(shipped.rule_sets["psu@1"]))

    assert plan.left_out == {
        "lease_left": "it reads a part of something",
        "say_in_words": "it is not a number",
        "template": "it is a decision table",
        "template_key": "it is a decision table",
        "value_slab": "it is a decision table",
    }
    assert {"fmv", "say", "realizable", "distress", "guideline_variance"} <= set(plan.figures)


@settings(max_examples=5, deadline=None)
@given(chance=seeds())
def test_most_cases_in_usual_figures_run_in_polars(shipped, chance):
    """Otherwise the tests above would compare the reference with itself."""
    rule_set = shipped.compiled(shipped.rule_sets["psu@1"])
    cases = portfolio_of(rule_set, chance, 200, 2)

    figures = evaluate_portfolio(load_portfolio(plan_portfolio(rule_set), cases))

    shares = {name: len(numbers) / 200 for name, numbers in figures.by_reference.items()}
    assert max(shares["fmv"], shares["say"], shares["distress"]) < 0.5
    assert max(shares.values()) < 0.75
    assert sum(shares.values()) / len(shares) < 0.25


# ---- small sets ---------------------------------------------------------------------------------


MADE = compiled(
    """
parameters:
  share: {value: 95 %, source: Test}
  one_year: {value: 1 year, source: Test}
inputs:
  age: {from: property.age, unit: year, min: 0 year, max: 300 year}
  life: {from: property.life, unit: year, min: 0 year, max: 300 year}
  latitude: {from: property.coordinates.latitude, type: number, min: -1000, max: 1000}
  longitude: {from: property.coordinates.longitude, type: number}
  bank: {from: party.bank_name, type: text}
  outside: {from: meta.external_inspection_only, type: boolean}
  seen: {from: valuation_inputs.inspection_date, type: date}
  asked: {from: valuation_inputs.appointment_date, type: date}
  extras:
    from: valuation_inputs.extras
    columns:
      amount: {unit: INR, max: 1000 crore INR}
  free: {from: property.land_area, unit: sqm}
values:
  tens: {formula: latitude * longitude, unit: number, round: nearest 10}
  down: {formula: latitude, unit: number, round: floor 0.5}
  up: {formula: latitude, unit: number, round: ceil 0.5}
  whole: {formula: latitude, unit: number, round: nearest 1}
  ratio: {formula: latitude / longitude, unit: number, round: nearest 0.01}
  larger: {formula: "max(latitude / longitude, longitude / latitude)", unit: number, round: ceil 0.01}
  least: {formula: "least known(latitude, longitude)", unit: number, round: none}
  both: {formula: "min(latitude, longitude)", unit: number, round: none}
  part: {formula: "first known(latitude / longitude, longitude)", unit: number, round: floor 0.1}
  kept: {formula: -age * share, unit: year, round: none}
  left: {formula: "if age >= life then 0 * one_year else life - age", unit: year, round: none}
  chosen:
    formula: >-
      if outside or bank = "A" then 1 else if seen < asked and bank != null then 2
      else if latitude in ([0..10], > 100) then abs(latitude) else null
    unit: number
    round: none
  amounts: {formula: total(extras.amount), unit: INR, round: none}
  extras.half: {formula: row.amount * share, unit: INR, round: nearest 1}
  halves: {formula: total(extras.half), unit: INR, round: none}
  count_of: {formula: count(extras.amount), unit: number, round: none}
  stated:
    formula: total(extras.amount) * share
    given: valuation_inputs.fmv_input
    unit: INR
    round: floor 500
  again: {formula: "first known(given(stated) * 2, calculated(stated))", unit: INR, round: none}
  endless: {formula: latitude / longitude, unit: number, round: none}
  afterwards: {formula: endless + 1, unit: number, round: nearest 1}
  listed: {formula: "sum(extras.amount)", type: number, round: none}
  thirds: {formula: latitude, unit: number, round: nearest 3}
  huge: {formula: free * free * free, unit: sqm*sqm*sqm, round: none}
"""
)
PLAN = plan_portfolio(MADE)


def case(values=None, rows=None, parameters=None):
    facts = case_of(MADE, values, rows)
    return PortfolioCase(facts, parameters or parameters_of(MADE), AS_OF)


def figure(name, *cases):
    """A figure of these cases, none of which the reference had to compute."""
    figures = evaluate_portfolio(load_portfolio(PLAN, cases), [name])

    assert figures.by_reference == {name: frozenset()}
    assert figures.values[name] == [by_reference(MADE, case)[name] for case in cases]

    return figures.values[name]


@settings(max_examples=40, deadline=None)
@given(chance=seeds(), decimals=st.integers(0, 4))
def test_every_figure_of_the_small_set_is_the_references(chance, decimals):
    assert differences(PLAN, portfolio_of(MADE, chance, 60, decimals)) == set()


def test_what_cannot_be_proved_is_named_with_the_reason():
    assert PLAN.left_out == {
        "afterwards": "it reads 'endless', which is not carried",
        "endless": "it calculates on with a quotient that is not rounded yet",
        "huge": "it may need 46 digits, more than can be carried exactly",
        "listed": "it calls 'sum'",
        "thirds": "dividing by the step of its rounding does not end soon enough",
    }


def test_ties_go_away_from_zero_on_both_sides():
    numbers = ["0.5", "-0.5", "1.5", "-1.5", "2.5", "-2.5", "0.499999", "-0.499999"]
    cases = [case({"latitude": Decimal(number)}) for number in numbers]

    assert figure("whole", *cases) == [1, -1, 2, -2, 3, -3, 0, 0]
    assert figure("down", *cases) == [
        Decimal(n) for n in ("0.5", "-0.5", "1.5", "-1.5", "2.5", "-2.5", "0", "-0.5")
    ]
    assert figure("up", *cases) == [
        Decimal(n) for n in ("0.5", "-0.5", "1.5", "-1.5", "2.5", "-2.5", "0.5", "0")
    ]


def test_negative_quotients_and_division_by_zero():
    pairs = [("1", "-8"), ("-1", "8"), ("-1", "-8"), ("1", "0"), ("0", "3"), ("5", None)]
    cases = [
        case({"latitude": Decimal(above), "longitude": None if below is None else Decimal(below)})
        for above, below in pairs
    ]

    assert figure("ratio", *cases) == [
        Decimal("-0.13"), Decimal("-0.13"), Decimal("0.13"), None, 0, None,
    ]  # fmt: skip
    assert figure("larger", *cases)[:4] == [Decimal("-0.12"), Decimal("-0.12"), 8, None]
    assert figure("part", *cases)[3:] == [0, 0, None]


def test_what_is_not_known_stays_so():
    cases = [case(), case({"latitude": Decimal(2)}), case({"longitude": Decimal(-3)})]

    assert figure("least", *cases) == [None, 2, -3]
    assert figure("both", *cases) == [None, None, None]
    assert figure("left", case({"age": Decimal(5)})) == [None]


def test_conditions_choose_as_in_feel():
    cases = [
        case({"outside": True}),
        case({"bank": "A"}),
        case({"outside": False, "latitude": Decimal(10)}),
        case({"latitude": Decimal("10.01"), "bank": "B"}),
        case({"bank": "B", "seen": date(2020, 1, 1), "asked": date(2020, 1, 2)}),
        case({"bank": "B", "seen": date(2020, 1, 2), "asked": date(2020, 1, 2)}),
        case({"seen": date(2020, 1, 1), "asked": date(2020, 1, 2)}),
        case({"latitude": Decimal(101)}),
    ]

    assert figure("chosen", *cases) == [1, 1, 10, None, 2, None, None, 101]
    assert figure("left", case({"age": Decimal(7), "life": Decimal(7)})) == [0]


def test_totals_are_taken_by_case():
    """No table is not known, no rows are nothing, an unknown row makes the sum unknown."""
    cases = [
        case(),
        case(rows={"extras": []}),
        case(rows={"extras": [{"amount": Decimal("0.75")}, {"amount": Decimal("-10.25")}]}),
        case(rows={"extras": [{"amount": Decimal(5)}, {}]}),
        case(rows={"extras": [{"amount": Decimal(10)}]}),
    ]

    assert figure("amounts", *cases) == [None, 0, Decimal("-9.50"), None, 10]
    assert figure("count_of", *cases) == [None, 0, 2, 2, 1]
    assert figure("extras.half", *cases) == [None, [], [1, -10], [5, None], [10]]
    assert figure("halves", *cases) == [None, 0, -9, None, 10]


def test_a_stated_figure_wins_unrounded():
    rows = {"extras": [{"amount": Decimal(1000)}]}
    cases = [case(rows=rows), case({"given stated": Decimal("1234.56")}, rows)]

    assert figure("stated", *cases) == [500, Decimal("1234.56")]
    assert figure("again", *cases) == [500, Decimal("2469.12")]


def test_only_what_reads_an_unfit_fact_goes_to_the_reference():
    cases = [
        case({"latitude": Decimal("0.12345678"), "age": Decimal(1)}),
        case({"latitude": Decimal(1001), "age": Decimal(2)}),
        case({"latitude": Decimal("1E+30"), "age": Decimal(3)}),
        case({"latitude": Decimal(1000), "age": Decimal(4)}),
    ]

    figures = evaluate_portfolio(load_portfolio(PLAN, cases), ["up", "kept"])

    assert figures.by_reference == {"up": frozenset({0, 1, 2}), "kept": frozenset()}
    assert figures.values["up"] == [Decimal("0.5"), 1001, Decimal("1E+30"), 1000]


def test_an_unfit_row_sends_its_case_to_the_reference():
    rows = [{"amount": Decimal("0.001")}, {"amount": Decimal(2)}]
    cases = [case(rows={"extras": rows}), case(rows={"extras": rows[1:]})]

    figures = evaluate_portfolio(load_portfolio(PLAN, cases), ["amounts", "extras.half"])

    assert figures.by_reference == {"amounts": frozenset({0}), "extras.half": frozenset({0})}
    assert figures.values == {"amounts": [Decimal("2.001"), 2], "extras.half": [[0, 2], [2]]}


def test_a_case_of_more_rows_than_the_proof_counts_with_goes_to_the_reference():
    row = {"amount": Decimal(1)}
    cases = [case(rows={"extras": [row] * number}) for number in (1000, 1001)]

    figures = evaluate_portfolio(load_portfolio(PLAN, cases), ["amounts", "count_of"])

    assert figures.by_reference == {"amounts": frozenset({1}), "count_of": frozenset({1})}
    assert figures.values == {"amounts": [1000, 1001], "count_of": [1000, 1001]}


def test_a_figure_larger_than_what_is_kept_goes_to_the_reference_with_all_that_read_it():
    rows = {"extras": [{"amount": Decimal(10) ** 10}] * 1000}
    small = plan_portfolio_keeping(10**12)
    cases = [case(rows=rows), case(rows={"extras": [{"amount": Decimal(1)}]})]

    figures = evaluate_portfolio(load_portfolio(small, cases), ["amounts", "stated", "halves"])

    assert figures.by_reference["amounts"] == {0}
    assert figures.by_reference["stated"] == {0}
    assert figures.values["stated"][0] == Decimal(95) * 10**11
    assert figures.values["halves"] == [Decimal(95) * 10**11, 1]


def plan_portfolio_keeping(most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio_plan, "_KEPT", most)
        return plan_portfolio(MADE)


def test_a_figure_that_is_left_out_is_computed_by_the_reference():
    cases = [case({"latitude": Decimal(1), "longitude": Decimal(3)}), case()]

    figures = evaluate_portfolio(load_portfolio(PLAN, cases), ["afterwards"])

    assert figures.values == {"afterwards": [1, None]}
    assert figures.by_reference == {"afterwards": frozenset({0, 1})}


def test_other_parameters_show_what_a_change_would_do():
    rows = {"extras": [{"amount": Decimal(1000)}, {"amount": Decimal("0.001")}]}
    loaded = load_portfolio(PLAN, [case({"age": Decimal(10)}, rows), case()])

    changed = loaded.with_parameters({"share": Decimal("0.8")})

    assert evaluate_portfolio(loaded, ["kept"]).values["kept"] == [Decimal("-9.5"), None]
    assert evaluate_portfolio(changed, ["kept", "extras.half"]).values == {
        "kept": [-8, None],
        "extras.half": [[800, 0], None],
    }


def test_a_parameter_finer_than_planned_goes_to_the_reference():
    loaded = load_portfolio(PLAN, [case({"age": Decimal(10)})])

    figures = evaluate_portfolio(loaded.with_parameters({"share": Decimal("0.333333")}), ["kept"])

    assert figures.values == {"kept": [Decimal("-3.33333")]}
    assert figures.by_reference == {"kept": frozenset({0})}


def test_unknown_names_are_refused():
    loaded = load_portfolio(PLAN, [case()])

    with pytest.raises(KeyError):
        evaluate_portfolio(loaded, ["nothing"])
    with pytest.raises(KeyError):
        loaded.with_parameters({"nothing": Decimal(1)})


def test_a_portfolio_without_cases_is_empty():
    figures = evaluate_portfolio(load_portfolio(PLAN, []))

    assert set(figures.values) == set(PLAN.figures)
    assert all(values == [] for values in figures.values.values())


def test_the_engine_loads_neither_polars_nor_durable_rules():
    check = (
        "import sys, engine, engine.catalogue, engine.evaluation; "
        "sys.exit(bool({'polars', 'durable_rules_engine'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("latitude ** 2", "it calculates with '**'"),
        ("if latitude in (3, null, [1..2]) then 1 else 2", None),
        ("if latitude between 1 and 2 then 1 else 2", None),
        ("if outside = false then 1 else -1", None),
        ("if null < latitude then 1 else 2", "it asks for the order of null"),
        ('if bank < "B" then 1 else 2', "it asks for the order of two texts"),
        ("if latitude in (longitude / 2 ..3) then 1 else 2", "QUOTIENT"),
        ("if not(outside) then 1 else 2", "it calls 'not'"),
        ("if some x in extras.amount satisfies x = null then 1 else 2", "Quantified"),
        ("if latitude > count(days) then 1 else 2", "it calls 'count'"),
        ('if seen < @"2020-01-01" then 1 else 2', "it has a literal that is not carried"),
        ("days[1].year", "it reads a part of something"),
        ("if false then 1 else 2", None),
        ("if latitude in (longitude, 2) then 1 else 2", "it tests by more than comparisons"),
        ("count([1, 2])", "it calls 'count'"),
        ("max(latitude)", "it calls 'max'"),
        ("count(days)", "it calls 'count'"),
        ("1000000000000000000000000000000000 * 1000000 * latitude", "digits"),
        ("(latitude / longitude) + 1", "it calculates on with a quotient"),
    ],
)
def test_formulas_are_carried_or_refused_with_the_reason(formula, reason):
    rule_set = compiled(
        f"""
inputs:
  latitude: {{from: property.coordinates.latitude, type: number}}
  longitude: {{from: property.coordinates.longitude, type: number}}
  bank: {{from: party.bank_name, type: text}}
  outside: {{from: meta.external_inspection_only, type: boolean}}
  seen: {{from: valuation_inputs.inspection_date, type: date}}
  days: {{from: valuation_inputs.inspection_dates_mentioned, type: list of date}}
  extras: {{from: valuation_inputs.extras, columns: {{amount: {{unit: INR}}}}}}
values:
  found:
    formula: >-
      {formula}
    type: number
    round: none
"""
    )
    plan = plan_portfolio(rule_set)

    if reason is None:
        assert plan.left_out == {}
    else:
        assert reason.replace("QUOTIENT", "quotient") in plan.left_out["found"]


def test_stated_figures_of_rows_are_read_and_shares_of_a_total_refused():
    rule_set = compiled(
        """
inputs:
  guideline: {from: valuation_inputs.guideline, columns: {rate: {unit: INR/sqm, max: 1000000 INR/sqm}}}
  area: {from: property.land_area, unit: sqm, max: 1000 hectare}
values:
  guideline.value: {formula: row.rate * area, given: value, unit: INR, round: nearest 1}
  guideline.off:
    formula: calculated(row.value) - given(row.value)
    unit: INR
    round: none
  guideline.part: {formula: row.value / total(guideline.value), unit: percent, round: nearest 1 %}
"""
    )
    plan = plan_portfolio(rule_set)
    rows = {
        "guideline": [{"rate": Decimal(100), "given value": Decimal(990)}, {"rate": Decimal(7)}]
    }
    cases = [PortfolioCase(case_of(rule_set, {"area": Decimal(10)}, rows), [], AS_OF)]

    figures = evaluate_portfolio(load_portfolio(plan, cases))

    assert plan.left_out == {"guideline.part": "it adds up a table for each row of one"}
    assert figures.values["guideline.off"] == [[10, None]]
    assert figures.values["guideline.value"] == [[990, 70]]
    assert figures.by_reference["guideline.off"] == frozenset()
