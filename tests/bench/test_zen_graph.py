"""The rival computes what we compute: otherwise its time says nothing about ours."""

import json
from pathlib import Path

import pytest
import zen

from bench.zen_graph import disagreements, request, zen_form
from contracts.case import Case
from contracts.contract import Contract
from contracts.document import Document
from contracts.patch import apply_patch
from contracts.rule_tests import RuleTests
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.evaluation import examine
from engine.figures import parameters_on, run_rule_set
from factory.catalogue import read_catalogue

ROOT = Path(__file__).parents[2]

SMALL = """
ruleset: small
version: 1
status: published
title: A small set
effective: {from: 2010-01-01}
applies_to: {report_type: [VALUATION]}
parameters:
  share: {value: 95 %, source: made up}
  limit: {value: 5000 INR, source: made up}
  dear: {value: 100 INR/sqm, source: made up}
inputs:
  purpose: {from: meta.purpose, type: text}
  inspected: {from: valuation_inputs.inspection_date, type: date}
  valued: {from: valuation_inputs.valuation_date, type: date}
  years: {from: property.age, unit: year}
  extras:
    from: valuation_inputs.extras
    default: []
    columns:
      label: {type: text}
      amount: {unit: INR}
  floors:
    from: property.floors
    columns:
      plinth: {unit: sqm}
      area: {unit: sqm}
      rate: {unit: INR/sqm}
values:
  floors.extent: {formula: "first known(row.plinth, row.area)", unit: sqm, round: none, source: x}
  floors.cost: {formula: row.extent * row.rate, unit: INR, round: nearest 10, source: x}
  floors.part: {formula: row.cost / building, unit: percent, round: nearest 0.01 %, source: x}
  building: {formula: total(floors.cost), unit: INR, round: none, source: x}
  items: {formula: total(extras.amount), unit: INR, round: none, source: x}
  whole:
    formula: if count(floors.cost) > 0 then building + items else items
    given: valuation_inputs.fmv_input
    unit: INR
    round: none
    source: x
  say: {formula: whole * share, unit: INR, round: floor 100, source: x}
  in_print: {formula: in words(say), type: text, source: x}
  least: {formula: "least known(say, limit)", unit: INR, round: none, source: x}
decisions:
  size:
    one of: [SMALL, LARGE, UNKNOWN]
    hit: first
    source: x
    rows:
      - {say: "< limit", then: SMALL}
      - {say: ">= limit", then: LARGE}
      - {then: UNKNOWN}
  form:
    hit: unique
    source: x
    rows:
      - {size: "SMALL, LARGE", purpose: '"loan"', then: A}
      - {size: UNKNOWN, then: B}
findings:
  DEAR:
    severity: note
    each: floors
    when: row.rate > dear and row.cost > 0
    message: Dear.
    remedy: None.
    source: x
  DIFFERS:
    severity: error
    when: differ(given(whole), calculated(whole), limit)
    message: Differs.
    remedy: None.
    source: x
  STRANGE:
    severity: note
    when: not(raised("DIFFERS")) and some item in extras.label satisfies item = "well"
    message: Strange.
    remedy: None.
    source: x
  LATE:
    severity: note
    when: inspected > valued or (years = null and raised("DEAR"))
    message: Late.
    remedy: None.
    source: x
"""

# By what the graph has to cope with: everything known, nothing known, and each part unknown.
CONTRACTS = {
    "everything": {
        "meta": {"purpose": "loan"},
        "property": {
            "age": "8 year",
            "floors": [
                {"id": "a", "plinth": "12.5 sqm", "rate": "123 INR/sqm"},
                {"id": "b", "area": "20 sqm", "rate": "90 INR/sqm"},
            ],
        },
        "valuation_inputs": {
            "fmv_input": "90000 INR",
            "extras": [{"id": "w", "label": "well", "amount": "7777 INR"}],
            "inspection_date": "2026-03-02",
            "valuation_date": "2026-03-01",
        },
    },
    "nothing": {},
    "no rate": {"property": {"floors": [{"id": "a", "plinth": "12.5 sqm"}]}},
    "no floors, a well": {
        "valuation_inputs": {"extras": [{"id": "w", "label": "well", "amount": "7777 INR"}]}
    },
    "free floors": {
        "property": {"floors": [{"id": "a", "plinth": "12.5 sqm", "rate": "0 INR/sqm"}]}
    },
    "dear, no age": {
        "property": {"floors": [{"id": "a", "plinth": "12.5 sqm", "rate": "200 INR/sqm"}]}
    },
}


EMPTY, _ = validate(Contract, Document.of_values({"meta": {"report_type": "VALUATION"}}))


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    (folder / "small").mkdir()
    (folder / "small" / "ruleset.yaml").write_text(SMALL, encoding="utf-8")
    library = read_catalogue(variants=[folder])

    assert library.problems == ()
    assert [problem.what for problem in library.catalogue.check()] == []

    return library.catalogue


def rivals(form):
    """The graph and the one expression, each as a function of a request."""
    graph = zen.ZenEngine().create_decision(json.dumps(form.graph))
    expression = zen.compile_expression(form.expression)
    return (lambda facts: graph.evaluate(facts)["result"], expression.evaluate)


def evaluated(contract, catalogue, ruleset, *, as_of=None, parameters=None):
    """The figures of a contract, the findings raised, and what zen-engine is asked."""
    case = Case(
        case="test",
        contract=contract,
        ruleset=ruleset,
        as_of=as_of,
        parameters=parameters or {},
    )
    figures = examine(case, catalogue, trace=False).figures
    used = parameters_on(
        figures.compiled,
        as_of,
        {name: (item.value, item.source) for name, item in figures.parameters.items()},
    )
    again, raised = run_rule_set(figures.compiled, figures.facts, used, as_of, traced=False)
    return again, raised, request(again)


@pytest.mark.parametrize("name", CONTRACTS)
def test_both_forms_of_a_small_set_agree_with_it(catalogue, name):
    raw = {"meta": {"report_type": "VALUATION"}} | CONTRACTS[name]
    raw["meta"] = {"report_type": "VALUATION", **raw["meta"]}
    contract, problems = validate(Contract, Document.of_values(raw))
    assert problems == ()
    figures, raised, facts = evaluated(contract, catalogue, "small@1")
    form = zen_form(figures)

    for rival in rivals(form):
        assert disagreements(form, rival(facts), figures, raised) == []


def test_what_zen_cannot_say_is_left_out_with_its_reason(catalogue):
    figures, _, _ = evaluated(EMPTY, catalogue, "small@1")
    form = zen_form(figures)

    assert form.left_out == {"in_print": "in words()"}


def test_columns_that_wait_for_a_total_are_a_second_loop(catalogue):
    figures, _, _ = evaluated(EMPTY, catalogue, "small@1")
    form = zen_form(figures)
    keys = [
        [expression["key"] for expression in node["content"]["expressions"]]
        for node in form.graph["nodes"]
        if node["type"] == "expressionNode"
    ]

    assert keys == [
        ["dear", "limit", "share"],
        ["items"],
        ["extent", "cost"],
        ["building", "calculated_whole", "whole", "say", "least"],
        ["part"],
        ["DEAR", "DIFFERS", "LATE", "STRANGE"],
    ]


def test_a_wrong_figure_and_a_wrong_finding_are_disagreements(catalogue):
    raw = {"meta": {"report_type": "VALUATION", "purpose": "loan"}}
    raw |= {key: part for key, part in CONTRACTS["everything"].items() if key != "meta"}
    contract, _ = validate(Contract, Document.of_values(raw))
    figures, raised, facts = evaluated(contract, catalogue, "small@1")
    form = zen_form(figures)
    graph, _ = rivals(form)
    result = graph(facts)
    result["say"] += 1
    result["floors"][1]["cost"] = None
    result["DEAR"] = [False, True]

    assert [line.partition(":")[0] for line in disagreements(form, result, figures, raised)] == [
        "floors.cost of b",
        "say",
        "DEAR",
    ]


def shipped_tests():
    for file in sorted(ROOT.glob("rules/psu/tests/*.yaml")):
        tests, _ = validate(RuleTests, read_yaml(file.read_text("utf-8"), file.name))
        for test in tests.tests:
            yield pytest.param(tests, test, id=f"{file.stem}: {test.name}")


@pytest.mark.parametrize(("tests", "test"), [*shipped_tests()])
def test_both_forms_of_the_psu_set_agree_with_it(catalogue, tests, test):
    raw = test.contract if test.contract is not None else tests.given
    contract, _ = validate(Contract, Document.of_values(raw))
    if test.patch is not None:
        contract, _ = apply_patch(contract, test.patch)
    figures, raised, facts = evaluated(
        contract, catalogue, "psu@1", as_of=test.as_of or tests.as_of, parameters=test.parameters
    )
    form = zen_form(figures)

    for rival in rivals(form):
        assert disagreements(form, rival(facts), figures, raised) == []
