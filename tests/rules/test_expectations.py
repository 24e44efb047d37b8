"""What a test beside a rule set expects, against what came out: each difference is a sentence."""

import pytest

from contracts.case import Expect
from contracts.document import Document
from contracts.rule_tests import RuleExpectation
from contracts.validation import validate
from engine.expectations import differences
from engine.units.registry import UnitRegistry
from tests.rules.made import run, units

SET = """
inputs:
  a: {from: valuation_inputs.land_value, unit: INR}
  area: {from: property.land_area, unit: sqm}
values:
  x: {formula: a * 2, unit: INR, round: none}
  share: {formula: a / x, unit: percent, round: none}
  metres: {formula: area, unit: sqm, round: none}
  book: {formula: 'null', unit: INR, round: none, unknown: NA}
  sound: {formula: a > x, type: boolean}
decisions:
  size: {hit: first, rows: [{then: small}]}
findings:
  WARN: {severity: warning, when: a < x, message: m, remedy: r}
"""


def told(expect, model=RuleExpectation, raw=None, **more):
    wanted, problems = validate(model, Document.of_values(expect))
    assert wanted is not None, problems
    raw = raw or {"valuation_inputs": {"land_value": 5}, "property": {"land_area": "100 sqft"}}
    return differences(run(SET, raw, **more), wanted, UnitRegistry(units()))


@pytest.mark.parametrize(
    "values",
    [
        {"x": 10, "share": "50 %", "size": "small", "sound": False},
        {"x": "10 INR", "share": 50, "metres": "9.290304 sqm"},
        {"metres": "100 sqft", "book": None},
        {"book": "NA"},
    ],
)
def test_what_came_out_as_expected_is_nothing_to_tell(values):
    assert told({"values": values}) == ()


@pytest.mark.parametrize(
    ("values", "difference"),
    [
        ({"x": 11}, "x: expected 11, got 10 INR"),
        ({"x": None}, "x: expected not known, got 10 INR"),
        ({"book": 5}, "book: expected 5, got not known INR"),
        ({"book": "NIL"}, "book: expected NIL, got NA INR"),
        ({"size": "large"}, "size: expected large, got small text"),
        ({"sound": True}, "sound: expected True, got False boolean"),
        ({"x": "5 sqm"}, "x: expected 5 sqm, got 10 INR"),
        ({"y": 5}, "y: the rule set has no figure 'y'"),
        ({"x y": 5}, "x y: 'x y' is not the name of a figure"),
    ],
)
def test_a_figure_that_differs_is_told(values, difference):
    assert told({"values": values}) == (difference,)


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ({"findings": ["WARN"]}, ()),
        ({"findings": []}, ("finding WARN was raised",)),
        ({"findings": ["WARN", "OTHER"]}, ("finding OTHER was not raised",)),
        ({"some_findings": ["WARN"]}, ()),
        ({"some_findings": ["OTHER"]}, ("finding OTHER was not raised",)),
        ({"not_findings": ["WARN"]}, ("finding WARN was raised",)),
        ({"not_findings": ["OTHER"]}, ()),
        ({"ruleset": "made"}, ()),
        ({"ruleset": "made@1"}, ()),
        ({"ruleset": "made@2"}, ("ruleset: expected made@2, got made@1",)),
    ],
)
def test_findings_and_the_rule_set_are_compared(expect, difference):
    assert told(expect) == difference


def test_whether_a_case_is_ready_is_compared():
    assert told({"ready": False}, Expect) == ()
    assert told({"ready": True}, Expect) == ("ready: expected True, got False",)


def test_without_figures_the_findings_are_told():
    assert told({"values": {"x": 10}}, ruleset="nowhere")[0].startswith("Neither the case")
