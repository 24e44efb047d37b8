"""Decision tables by DMN hit policy, their cells, and what their rows must be."""

from decimal import Decimal as D  # noqa: N817

import pytest

from contracts.canonical_json import canonical_json
from contracts.evaluation import Evaluation
from contracts.exact_json import read_json
from contracts.validation import validate
from tests.rules.made import codes, finding, problems_of, run, value

INPUTS = """
parameters:
  limit: {value: 100 INR}
inputs:
  a: {from: valuation_inputs.land_value, unit: INR}
  b: {from: valuation_inputs.building_value, unit: INR}
  bank: {from: meta.bank_type}
  purpose: {from: meta.purpose}
  inspected: {from: valuation_inputs.inspection_date}
  extras: {from: valuation_inputs.extras, columns: {amount: {unit: INR}}}
"""


def decided(head, *rows, **inputs):
    lines = "\n".join(f"      - {row}" for row in rows)
    text = f"{INPUTS}\ndecisions:\n  x:\n{head}    rows:\n{lines}\n"
    raw = {"valuation_inputs": {k: v for k, v in inputs.items() if k != "bank_type"}}
    if "bank_type" in inputs:
        raw["meta"] = {"report_type": "VALUATION", "bank_type": inputs["bank_type"]}
    return run(text, raw)


def outcome(*arguments, **inputs):
    return decided(*arguments, **inputs).figures.value("x")


UNIQUE = "    hit: unique\n"
BANDS = (
    '{a: "< 2.5 * limit", then: low}',
    '{a: "[2.5 * limit..3.5 * limit)", then: middle}',
    '{a: ">= 3.5 * limit", then: high}',
)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("249.99", "low"), (250, "middle"), ("349.99", "middle"), (350, "high"), (None, None)],
)
def test_bands_have_no_gap_and_no_overlap(amount, expected):
    inputs = {} if amount is None else {"land_value": amount}

    assert outcome(UNIQUE, *BANDS, **inputs) == expected


def test_two_rows_that_fit_at_once_under_unique_decide_nothing_and_are_an_error():
    examination = decided(UNIQUE, '{a: "> 0", then: A}', '{a: "< limit", then: B}', land_value=5)

    assert examination.figures.value("x") is None
    assert codes(examination) == ["DECISION_UNDECIDED[x]"]
    assert finding(examination, "DECISION_UNDECIDED[x]").message == (
        "Rows 1 and 2 of decision x fit at once, so it decides nothing."
    )
    (entry,) = examination.evaluation.trace
    assert entry.formula == "unique of 2 rows: row 1, 2"


def test_the_first_row_that_fits_is_taken_and_no_row_gives_null():
    rows = ('{a: "> limit", then: A}', '{a: "> 0", then: B}', "{a: null, then: C}")
    head = "    hit: first\n"

    assert outcome(head, *rows, land_value=101) == "A"
    assert outcome(head, *rows, land_value=100) == "B"
    assert outcome(head, *rows, land_value=0) is None
    assert outcome(head, *rows) == "C"


def test_a_missing_column_matches_what_is_not_known_too():
    assert outcome("    hit: first\n", '{a: "> 0", then: A}', "{then: B}") == "B"


def test_the_outcome_that_stands_first_wins_under_priority():
    head = "    hit: priority\n    one of: [WORST, BAD, GOOD]\n"
    rows = ('{a: "> 0", then: GOOD}', '{a: "> limit", then: WORST}', '{b: "> 0", then: BAD}')

    assert outcome(head, *rows, land_value=1) == "GOOD"
    assert outcome(head, *rows, land_value=1, building_value=1) == "BAD"
    assert outcome(head, *rows, land_value=101, building_value=1) == "WORST"
    assert outcome(head, *rows) is None


def test_rows_that_agree_decide_under_any_and_rows_that_do_not_are_an_error():
    head = "    hit: any\n"
    rows = ('{a: "> 0", then: A}', '{a: "> limit", then: A}', '{b: "> 0", then: B}')

    assert outcome(head, *rows, land_value=101) == "A"
    assert outcome(head, *rows) is None
    examination = decided(head, *rows, land_value=1, building_value=1)
    assert examination.figures.value("x") is None
    assert codes(examination) == ["DECISION_UNDECIDED[x]"]


def test_rows_that_agree_on_nothing_under_any_do_not_contradict_each_other():
    rows = ('{a: "> 0", then: null}', '{a: "> limit", then: null}', '{b: "> 0", then: B}')

    assert codes(decided("    hit: any\n", *rows, land_value=101)) == []


@pytest.mark.parametrize(
    ("aggregate", "both", "one", "none"),
    [
        ("sum", D(30), D(20), None),
        ("min", D(10), D(20), None),
        ("max", D(20), D(20), None),
        ("count", D(2), D(1), D(0)),
    ],
)
def test_what_is_collected_is_added_up_compared_or_counted(aggregate, both, one, none):
    head = f"    hit: collect\n    aggregate: {aggregate}\n    unit: percent\n"
    head = head.replace("    unit: percent\n", "") if aggregate == "count" else head
    rows = ('{a: "> 0", then: 10 %}', '{b: "> 0", then: 20 %}')

    assert outcome(head, *rows, land_value=1, building_value=1) == both
    assert outcome(head, *rows, building_value=1) == one
    assert outcome(head, *rows) == none


def test_what_is_collected_without_aggregate_is_a_list_that_is_read_back():
    head = "    hit: collect\n    unit: percent\n"
    examination = decided(
        head, '{a: "> 0", then: 10 %}', '{b: "> 0", then: 20 %}', land_value=1, building_value=1
    )

    assert examination.figures.value("x") == [D(10), D(20)]
    (entry,) = examination.evaluation.trace
    assert (entry.value, entry.unit) == ((D(10), D(20)), "percent")
    assert read_back(examination.evaluation) == examination.evaluation


def read_back(evaluation):
    document = read_json(canonical_json(evaluation).decode(), "e")
    found, problems = validate(Evaluation, document)
    assert found is not None, problems
    return found


def test_an_outcome_of_several_parts_is_read_by_its_parts():
    text = f"""{INPUTS}
decisions:
  band:
    hit: first
    rows:
      - {{a: "> limit", then: {{share: 0.5, form: A, old: true}}}}
      - {{a: "> 0", then: {{share: 0.25, form: B, old: null}}}}
values:
  x: {{formula: a * band.share, unit: INR, round: none}}
  form: {{formula: band.form, type: text}}
  old: {{formula: band.old, type: boolean}}
"""
    figures = run(text, {"valuation_inputs": {"land_value": 200}}).figures

    assert (figures.value("x"), figures.value("form"), figures.value("old")) == (100, "A", True)
    assert value(text, {"valuation_inputs": {"land_value": 4}}) == 1
    assert value(text, {"valuation_inputs": {"land_value": 4}}, "old") is None
    assert value(text, {"valuation_inputs": {"land_value": 0}}) is None
    evaluation = run(text, {"valuation_inputs": {"land_value": 200}}).evaluation
    assert read_back(evaluation) == evaluation
    (band,) = [entry for entry in evaluation.trace if entry.field == "band"]
    assert band.value == "form: A; old: true; share: 0.5"


def test_a_cell_may_test_a_part_of_another_decision():
    text = f"""{INPUTS}
decisions:
  band:
    hit: first
    rows:
      - {{a: "> limit", then: {{form: A}}}}
      - {{a: "> 0", then: {{form: B}}}}
  x:
    hit: unique
    rows:
      - {{band.form: A, then: long}}
      - {{band.form: B, then: short}}
"""

    assert value(text, {"valuation_inputs": {"land_value": 200}}) == "long"
    assert value(text, {"valuation_inputs": {"land_value": 1}}) == "short"
    assert value(text) is None


@pytest.mark.parametrize(
    ("cell", "banks"),
    [
        ("SBI", {"SBI"}),
        ('"SBI, COOP"', {"SBI", "COOP"}),
        ("[SBI, COOP]", {"SBI", "COOP"}),
        ("not(SBI)", {"COOP", "AGRI"}),
        ('"not(SBI, COOP)"', {"AGRI"}),
        ("'\"SBI\"'", {"SBI"}),
        ('"= SBI"', {"SBI"}),
        ('"!= SBI"', {"COOP", "AGRI"}),
        ("'contains(?, \"O\")'", {"COOP"}),
        ("'?= \"AGRI\"'", {"AGRI"}),
        ('"-"', {"SBI", "COOP", "AGRI"}),
    ],
)
def test_cells_of_words(cell, banks):
    row = f"{{bank: {cell}, then: hit}}"

    assert {
        bank
        for bank in ("SBI", "COOP", "AGRI")
        if outcome("    hit: first\n", row, bank_type=bank) == "hit"
    } == banks


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ('{a: "b", then: hit}', True),
        ('{a: "> b", then: hit}', False),
        ('{a: "[0..b]", then: hit}', True),
        ('{a: "(0..b)", then: hit}', False),
        ('{a: "in_list(?)", then: hit}', None),
        ("{a: 0, then: hit}", False),
        ("{a: null, then: hit}", False),
        ("{purpose: null, then: hit}", True),
        ("{a: '? = b and ? > 0', then: hit}", True),
        ("{limit: '> a', then: hit}", True),
        ("{inspected: '>= @\"2026-03-14\"', then: hit}", True),
        ("{as_of: '< @\"2026-03-14\"', then: hit}", False),
    ],
)
def test_cells_of_figures_and_dates(row, fits):
    if fits is None:
        assert "there is no function 'in_list'" in problems_of(
            f"{INPUTS}\ndecisions:\n  x:\n    hit: first\n    rows:\n      - {row}\n"
        )
        return
    got = outcome(
        "    hit: first\n", row, land_value=7, building_value=7, inspection_date="2026-03-14"
    )

    assert got == ("hit" if fits else None)


def test_a_decision_in_a_table_decides_for_each_row():
    text = f"""{INPUTS}
decisions:
  extras.size:
    hit: unique
    rows:
      - {{row.amount: "< limit", then: small}}
      - {{row.amount: ">= limit", then: large}}
  extras.marks:
    hit: collect
    aggregate: count
    rows:
      - {{row.amount: "> 0", then: 1}}
      - {{row.size: large, then: 1}}
  extras.doubtful:
    hit: unique
    rows:
      - {{row.amount: "> 0", then: A}}
      - {{row.size: large, then: B}}
"""
    rows = [{"id": "p", "amount": 99}, {"amount": 100}, {}]
    examination = run(text, {"valuation_inputs": {"extras": rows}})
    figures = examination.figures

    assert figures.value("extras.size") == ["small", "large", None]
    assert figures.value("extras.marks") == [D(1), D(2), D(0)]
    assert figures.value("extras.doubtful") == ["A", None, None]
    assert codes(examination) == ["DECISION_UNDECIDED[extras[2].doubtful]"]
    assert codes(run(text)) == []


def test_a_decision_with_a_unit_is_a_figure():
    text = f"""{INPUTS}
decisions:
  share:
    unit: percent
    hit: first
    rows:
      - {{a: "> limit", then: 12.5 %}}
      - {{then: 0}}
  fee:
    unit: INR
    hit: first
    rows:
      - {{a: "> limit", then: 5 thousand INR}}
      - {{then: 10}}
values:
  x: {{formula: a * share + fee, unit: INR, round: none}}
"""

    assert value(text, {"valuation_inputs": {"land_value": 200}}) == 5025
    assert value(text, {"valuation_inputs": {"land_value": 100}}) == 10
    assert value(text, {"valuation_inputs": {"land_value": 200}}, "share") == D("12.5")
