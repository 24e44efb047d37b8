"""What a rule set declares: inputs, parameters, outputs; and what cannot be declared."""

from datetime import date
from decimal import Decimal as D  # noqa: N817

import pytest

from tests.rules.made import codes, finding, problems_of, run, value


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("a: {from: property.land_area, unit: sqm, max: 5 INR}", "the bound 5 INR does not fit"),
        ("a: {from: property.land_area, unit: area, min: 5 year}", "the bound 5 year does not fit"),
        ("a: {from: meta.bank_type, one of: [SBI, COOPP]}", "Did you mean 'COOP'?"),
        ("a: {from: meta.bank_type, one of: [XYZ]}", "Take it out."),
        ("a: {from: property.land_area, unit: area of b}", "is not an input whose unit the case"),
        ("a: {from: property.land_area, unit: INR/area}", "the contract holds an area there"),
        ("a: {from: valuation_inputs.land_value, unit: area}", "the contract holds money there"),
        ("a: {from: valuation_inputs.land_value, type: unit}", ""),
        ("a: {from: property.total_floors, unit: number}", ""),
        ("a: {from: property.total_floors, type: number}", ""),
        ("a: {from: property.total_floors, unit: INR}", ""),
        ("a: {from: property.floors}", "holds a table, not a single fact"),
        ("a: {from: property.total_floors, min: 0, max: 200}", ""),
        ("a: {from: valuation_inputs.depreciation_percent, unit: percent, min: 0 %}", ""),
        ("a: {columns: {age: {unit: year}}, from: property.flors}", "'property.floors'?"),
    ],
)
def test_inputs(declared, told):
    problems = problems_of(f"inputs:\n  {declared}\n")

    assert told in problems
    assert told or problems == ""


def test_uses_of_a_name_at_fault_are_no_further_faults():
    text = """
inputs:
  a: {from: valuation_inputs.land_vlaue, unit: INR}
  floors: {from: property.flors, columns: {age: {unit: year}}}
values:
  x: {formula: a * 2, unit: INR, round: none}
  floors.old: {formula: row.age, unit: year, round: none}
"""

    assert problems_of(text).count(" error ") == 2


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("x: {formula: '1', round: none}", "'x' has no unit"),
        ("x: {formula: '1', type: number, round: none}", ""),
        ("floors.x: {formula: '1', unit: year, round: none, into: computed_values.FMV}",
         "'floors.x' is a column of 'floors'"),
        ("x: {formula: '1', unit: percent, round: none, into: computed_values.FMV}",
         "holds money, and 'x' is percent"),
        ("x: {formula: 'a', unit: INR, round: none, into: computed_values.FMV}", ""),
        ("x: {formula: 'a', unit: INR, round: none, into: computed_values}",
         "holds several facts"),
        ("x: {formula: a / b, unit: INR/sqm, round: none, into: valuation_inputs.building_rate}", ""),
        ("x: {formula: 'null', unit: area of rate, round: none, into: property.land_area}", ""),
        ("x: {formula: 'null', unit: sqm, round: none, into: valuation_inputs.adopted_rate_input}",
         "holds a rate, and 'x' is sqm"),
        ("x: {formula: a, unit: INR, round: none, given: property.land_area}",
         "the contract holds an area there"),
        ("x: {formula: 'true', type: boolean, given: property.independent_access}", ""),
        ("x: {formula: '1', type: number, round: none, given: property.total_floors}", ""),
    ],
)  # fmt: skip
def test_values(declared, told):
    problems = problems_of(f"""
inputs:
  a: {{from: valuation_inputs.land_value, unit: INR}}
  b: {{from: property.land_area, unit: sqm}}
  rate: {{from: valuation_inputs.building_rate, unit: INR/area}}
  floors: {{from: property.floors, columns: {{age: {{unit: year}}}}}}
values:
  {declared}
""")

    assert told in problems
    assert told or problems == ""


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (
            "{hit: collect, into: computed_values.FMV, unit: INR, rows: [{then: 5 INR}]}",
            "is a list",
        ),
        ("{hit: first, into: computed_values.FMV, rows: [{then: {a: 1}}]}", "is several parts"),
        ("{hit: priority, one of: [A], rows: [{then: null}]}", "every row needs an outcome"),
        ("{hit: first, rows: [{row.x: 1, then: A}]}", "has no column 'x'"),
        ("{hit: first, unit: INR, rows: [{then: many}]}", "'many' is not a number"),
        ("{hit: first, type: boolean, rows: [{then: true}]}", ""),
        ("{hit: first, type: number, rows: [{then: 5}]}", ""),
        ("{hit: first, rows: [{then: null}]}", ""),
        ("{hit: first, rows: [{as_of: null, then: x}, {then: 5}]}", "as the other outcomes are"),
        ("{hit: first, rows: [{as_of: null, then: 5}, {then: x}]}", "is not a number with a unit"),
        ("{hit: collect, aggregate: count, rows: [{then: 5}, {then: x}]}", ""),
    ],
)
def test_decisions(declared, told):
    problems = problems_of(f"decisions:\n  x: {declared}\n")

    assert told in problems
    assert told or problems == ""


def test_a_cell_may_be_true_false_or_a_number():
    text = """
inputs:
  leased: {from: property.independent_access}
  stories: {from: property.total_floors, type: number}
decisions:
  x: {hit: first, rows: [{leased: true, stories: 2, then: A}, {leased: false, then: B}]}
"""

    assert value(text, {"property": {"independent_access": True, "total_floors": 2}}) == "A"
    assert value(text, {"property": {"independent_access": True, "total_floors": 3}}) is None
    assert value(text, {"property": {"independent_access": False}}) == "B"


def test_decisions_that_need_one_another_go_round_in_a_circle():
    text = """
decisions:
  x: {hit: first, rows: [{y: A, then: A}]}
  y: {hit: first, rows: [{x: A, then: A}]}
"""

    assert "'x' needs itself: x needs y needs x" in problems_of(text)


def test_parameters_have_labels_and_values_in_any_unit_of_their_measure():
    text = """
parameters:
  gap: {label: Least distance, value: 10, unit: ft}
  fee: {value: 1 thousand INR, unit: INR}
  times: {value: 3 number}
values:
  x: {formula: 'convert(gap, "m") * times', unit: m, round: none}
  y: {formula: fee, unit: INR, round: none}
"""
    figures = run(text).figures

    assert (figures.value("x"), figures.value("y")) == (D("9.144"), 1000)
    assert figures.compiled.labels["gap"] == "Least distance"


def test_a_parameter_without_a_value_on_any_day_is_told_once():
    assert problems_of("parameters:\n  share: [{unit: percent}]\n").count("error E219") == 1


def test_the_unit_a_figure_was_entered_in_can_be_read():
    text = """
inputs:
  word: {from: property.land_area, type: unit}
values:
  x: {formula: word, type: text}
"""

    assert value(text, {"property": {"land_area": "5 sq ft"}}) == "sqft"
    assert value(text, {"property": {"land_area": "5"}}) is None
    assert value(text, {"property": {"land_area": "5 nonsense"}}) is None


def test_blank_texts_are_not_known():
    text = """
inputs:
  owner: {from: party.owner_name}
values:
  x: {formula: owner = null, type: boolean}
"""

    assert value(text, {"party": {"owner_name": "  "}}) is True
    assert value(text, {"party": {"owner_name": "A"}}) is False


def test_an_area_in_several_terms_is_taken_in_the_first_of_them():
    text = """
inputs:
  rate: {from: valuation_inputs.adopted_rate_input, unit: INR/area}
  land: {from: property.land_area, unit: area}
  at_rate: {from: property.land_area, unit: area of rate}
values:
  x: {formula: at_rate * rate, unit: INR, round: none}
findings:
  LAND: {severity: note, when: land != null, message: "{land}", remedy: r}
"""
    raw = {
        "property": {"state": "West Bengal", "land_area": "1 bigha 10 katha"},
        "valuation_inputs": {"adopted_rate_input": "100 INR/bigha"},
    }
    examination = run(text, raw)

    # A bigha of West Bengal is 20 katha.
    assert examination.figures.value("x") == 150
    assert finding(examination, "LAND").message == "1.5 bigha"


# ---- outputs ------------------------------------------------------------------------------------

OUTPUTS = """
inputs:
  a: {from: valuation_inputs.land_value, unit: INR}
  rate: {from: valuation_inputs.adopted_rate_input, unit: INR/sqm}
values:
  fmv: {label: Market value, formula: a, unit: INR, round: none, into: computed_values.FMV}
  rate_sqm:
    formula: rate
    unit: INR/sqm
    round: none
    into: computed_values.standardized_rates.adopted_rate_per_sqm
decisions:
  slab:
    one of: [LT_5CR, GT_5CR, UNKNOWN]
    hit: first
    into: meta.value_slab
    rows: [{a: null, then: UNKNOWN}, {then: LT_5CR}]
"""


def test_figures_are_written_into_the_contract_and_what_is_not_known_is_not():
    raw = {"valuation_inputs": {"land_value": "5.50", "adopted_rate_input": "7 INR/sqm"}}
    contract = run(OUTPUTS, raw).evaluation.contract

    assert str(contract.computed_values.FMV) == "5.50 INR"
    assert contract.computed_values.standardized_rates.adopted_rate_per_sqm is not None
    assert contract.meta.value_slab == "LT_5CR"
    empty = run(OUTPUTS).evaluation.contract
    assert (empty.computed_values, empty.meta.value_slab) == (None, "UNKNOWN")


def test_computed_values_of_the_case_are_never_read():
    raw = {"computed_values": {"FMV": 99}}

    assert run(OUTPUTS, raw).evaluation.contract.computed_values is None


def test_a_figure_that_a_contract_cannot_hold_is_left_out_with_a_finding():
    text = OUTPUTS.replace("formula: a, unit: INR", "formula: a * a / a * 10, unit: INR")
    examination = run(text, {"valuation_inputs": {"land_value": "9" * 24}})

    assert codes(examination) == ["OUTPUT_TOO_LONG[fmv]"]
    assert finding(examination, "OUTPUT_TOO_LONG[fmv]").message == (
        "Market value has more digits than a contract holds, so it is not written there."
    )
    assert examination.evaluation.contract.computed_values is None


def test_figures_beyond_every_number_are_a_finding_and_not_an_exception():
    steps = "".join(
        f"  v{n + 1}: {{formula: v{n} * v{n}, unit: number, round: none}}\n" for n in range(10)
    )
    text = f"""
parameters:
  unit: {{value: 1 INR}}
inputs:
  a: {{from: valuation_inputs.land_value, unit: INR}}
values:
  v0: {{formula: a / unit, unit: number, round: none}}
{steps}"""
    text = text.replace("  unit: {", "  rupee: {").replace("a / unit", "a / rupee")
    examination = run(text, {"valuation_inputs": {"land_value": "9" * 24}})

    assert codes(examination) == ["FIGURES_OVERFLOW"]
    assert examination.figures is None
    assert run(text, {"valuation_inputs": {"land_value": 1}}).figures.value("v10") == 1


# ---- choosing -----------------------------------------------------------------------------------


def test_a_case_without_a_rule_set_is_evaluated_all_the_same():
    examination = run(OUTPUTS, ruleset="nowhere")

    assert examination.figures is None
    assert codes(examination) == ["RULESET_UNKNOWN"]
    assert examination.evaluation.ruleset.id == "none"


def test_the_day_is_the_callers_else_the_cases_else_that_of_its_dates():
    both = {"valuation_date": "2026-03-14", "inspection_date": "2026-03-10"}

    def day(inputs, **more):
        return run(OUTPUTS, {"valuation_inputs": inputs}, **more).evaluation.as_of

    assert day(both, as_of=date(2020, 1, 1)) == date(2020, 1, 1)
    assert day(both) == date(2026, 3, 14)
    assert day({"inspection_date": "2026-03-10"}) == date(2026, 3, 10)
    assert day({}) is None


def test_a_bank_whose_type_is_known_from_its_name_is_noted(shipped):
    from contracts.case import Case
    from engine.evaluation import evaluate
    from tests.rules.made import contract_of

    contract = contract_of({"party": {"bank_name": "Canara Bank"}})
    evaluation = evaluate(Case(case="x", contract=contract), shipped)

    assert evaluation.contract.meta.bank_type == "PSU_GENERIC"
    assert "BANK_TYPE_INFERRED" in [found.code for found in evaluation.findings]
    assert evaluation.ruleset.id == "psu"


def test_a_rule_set_with_problems_cannot_be_used():
    from contracts.case import Case
    from engine.catalogue import CatalogueError
    from engine.evaluation import evaluate
    from tests.rules.made import catalogue_of, contract_of

    catalogue, _ = catalogue_of("values:\n  x: {formula: y, unit: INR, round: none}\n")

    with pytest.raises(CatalogueError, match="unknown name 'y'"):
        evaluate(Case(case="x", contract=contract_of(), ruleset="made"), catalogue)


def test_a_variant_keeps_the_unit_of_its_bases_parameter():
    base = "ruleset: base\nversion: 1\nabstract: true\ntitle: B\nparameters:\n  share: {unit: %}\n"
    base = base.replace("unit: %", 'unit: "%"')
    head = "ruleset: made\nversion: 1\ntitle: M\nextends: base@1\nparameters:\n  share: "

    assert problems_of(head + "{value: 80 %}\n", base, head="") == ""
    assert "without a unit, its base has it in percent" in problems_of(
        head + "{value: 80}\n", base, head=""
    )
    assert "in INR, its base has it in percent" in problems_of(
        head + "[{value: 80 INR}]\n", base, head=""
    )


def test_dates_and_lists_of_a_table_are_read_as_they_stand():
    text = """
inputs:
  seen: {from: valuation_inputs.inspection_dates_mentioned, type: list of date}
  rate: {from: valuation_inputs.adopted_rate_input, unit: INR/area}
  sales:
    from: valuation_inputs.sale_instances
    columns: {day: {from: sold_on}}
values:
  x: {formula: 'count(seen)', unit: number, round: none}
  y: {formula: 'count(sales[day > as_of])', unit: number, round: none}
findings:
  MANY: {severity: note, when: 'count(sales) > 1', message: m, remedy: r}
"""
    raw = {
        "valuation_inputs": {
            "valuation_date": "2026-03-14",
            "inspection_dates_mentioned": ["2026-03-14", "2026-03-15"],
            "sale_instances": [{"sold_on": "2026-03-13"}, {"sold_on": "2026-03-15"}, {}],
            "adopted_rate_input": "5 INR/cent/cent",
        }
    }
    examination = run(text, raw)

    assert (examination.figures.value("x"), examination.figures.value("y")) == (2, 1)
    (rows,) = finding(examination, "MANY").values
    assert (rows.name, rows.value) == ("sales", ("1", "2", "3"))


def test_the_trace_of_a_second_run_has_its_conversions_too():
    text = """
inputs:
  a: {from: property.land_area, unit: sqm}
values:
  x: {formula: a, unit: sqm, round: none}
"""
    raw = {"property": {"land_area": "100 sqft"}}
    first, second = run(text, raw).evaluation, run(text, raw).evaluation

    assert first == second
    assert first.trace[0].inputs[0].written == "100 sqft"


def test_every_fault_of_a_circle_is_told_once():
    text = """
values:
  x: {formula: y + z, unit: number, round: none}
  y: {formula: x, unit: number, round: none}
  z: {formula: y, unit: number, round: none}
decisions:
  size: {hit: first, rows: [{then: A}]}
inputs:
  floors: {from: property.floors, columns: {age: {unit: year}, rate: {unit: INR}}}
findings:
  OLD: {severity: note, each: floors, when: row.age >, message: "{given(row.id)}", remedy: r}
"""
    problems = problems_of(text)

    assert problems.count("error E204") == 1
    assert "the message names 'given(row.id)'" in problems
    assert "the contract holds a rate there, which is not in INR" in problems


def test_a_column_of_a_decision_in_a_table_gets_the_nearest_spelling():
    text = """
inputs:
  floors: {from: property.floors, columns: {age: {unit: year}}}
decisions:
  floors.size: {hit: first, rows: [{row.aeg: null, then: A}]}
"""

    assert "Did you mean 'row.age'?" in problems_of(text)


def test_a_list_of_texts_leaves_out_what_is_blank():
    text = """
inputs:
  names: {from: party.persons_accompanying, type: list of text}
values:
  x: {formula: count(names), unit: number, round: none}
findings:
  ROW: {severity: note, when: x > 0, message: "{row.age}", remedy: r}
"""
    problems = problems_of(text)

    assert "the message names 'row.age', which is nothing here" in problems
    fine = text.replace("{row.age}", "{x}")
    assert value(fine, {"party": {"persons_accompanying": ["A", " ", "B"]}}) == 2
