"""What `explain` says of each kind of figure, on a rule set that has one of each."""

from pathlib import Path

import pytest

from contracts.case import read_case
from contracts.land_units import LandUnits
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import make_catalogue
from engine.evaluation import examine
from engine.explanation import explain
from engine.rules.source import read_rule_set

RULES = """
ruleset: words
version: 1
status: published
title: One formula of each kind
effective: {from: 2020-01-01}
applies_to: {report_type: [VALUATION]}
parameters:
  share: {value: 95 %, source: an owner's rule}
  limit: {value: 5 crore INR, source: a bank's form}
inputs:
  parcels:
    from: property.parcels
    columns:
      deed: {unit: sqm, max: 100000 sqm}
      measured: {unit: sqm, max: 100000 sqm}
      rate: {unit: INR/sqm, max: 10 crore INR/sqm}
  extras: {from: valuation_inputs.extras, default: [], columns: {amount: {unit: INR, max: 100 crore INR}}}
  building: {from: valuation_inputs.building_value, unit: INR, max: 100 crore INR}
  price: {from: valuation_inputs.purchase_price, unit: INR, max: 100 crore INR}
  duty: {from: valuation_inputs.stamp_duty, unit: INR, max: 100 crore INR}
values:
  parcels.extent: {formula: "least known(row.deed, row.measured)", unit: sqm, round: none, label: Extent}
  parcels.value: {formula: row.extent * row.rate, unit: INR, round: nearest 1, label: Value}
  land: {formula: total(parcels.value), unit: INR, round: none, label: Value of the land}
  items: {formula: total(extras.amount), unit: INR, round: none, label: Extra items}
  whole: {formula: land + building, unit: INR, round: floor 1000, label: Whole}
  shared: {formula: share * (whole - items), unit: INR, round: ceil 500, label: Shared}
  ratio: {formula: (land - building) / building, unit: percent, round: nearest 0.01 %, label: Ratio}
  nested: {formula: land - (building - items), unit: INR, round: none, label: Nested}
  chosen: {formula: "first known(price, land + building)", unit: INR, round: none, label: Chosen}
  least: {formula: "least known(price, land)", unit: INR, round: none, label: Least}
  most: {formula: "max(land, building)", unit: INR, round: none, label: Most}
  gap: {formula: "abs(land - building)", unit: INR, round: none, label: Gap}
  branch: {formula: "if land > building then land else building", unit: INR, round: none, label: Branch}
  doubled: {formula: 2 * land, unit: INR, round: none, label: Doubled}
  paid: {formula: price + duty, unit: INR, round: none, label: Paid}
  stated: {formula: land + building, given: valuation_inputs.fmv_input, unit: INR, round: none, label: Stated value}
  only_stated: {formula: price + duty, given: valuation_inputs.forced_sale_value, unit: INR, round: none, label: Only stated}
  difference: {formula: given(stated) - calculated(stated), unit: INR, round: none, label: Difference}
  words: {formula: in words(land), type: text, label: In words}
  powered: {formula: "land * count(extras.amount)", unit: INR, round: none, label: Counted}
  extras.twice: {formula: 2 * row.amount, unit: INR, round: none, label: Twice}
  nothing: {formula: "null", unit: INR, round: none, label: Nothing}
  bigger: {formula: land > building, type: boolean, label: Bigger}
  both: {formula: bigger and land > 0, type: boolean, label: Both}
  echo: {formula: slab, type: text, label: Echo}
decisions:
  later:
    one of: [SMALL, LARGE]
    hit: first
    rows:
      - {paid: "> 0", then: SMALL}
      - {then: LARGE}
  slab:
    one of: [SMALL, LARGE]
    hit: first
    rows:
      - {land: "< limit", then: SMALL}
      - {then: LARGE}
"""

CASE = """
case: words
as_of: 2026-03-31
contract:
  meta: {report_type: VALUATION}
  property:
    state: Karnataka
    parcels:
      - {id: a, label: First site, deed: 100 sqm, measured: 90.5 sqm, rate: 10001 INR/sqm}
      - {id: b, label: Second site, deed: 1 guntha, rate: 20000 INR/sqm}
  valuation_inputs: {building_value: 600000, fmv_input: 3000000, forced_sale_value: 700000}
parameters:
  limit: {value: 1 crore INR, source: this bank's letter}
"""


@pytest.fixture(scope="module")
def examination():
    source, problems = read_rule_set([read_yaml(RULES, "ruleset.yaml")])
    assert not problems
    table = Path(__file__).parents[2] / "rules/units.yaml"
    units, _ = validate(LandUnits, read_yaml(table.read_text(encoding="utf-8"), "units.yaml"))
    catalogue, problems = make_catalogue([source], units=units)
    assert not (*problems, *catalogue.check())
    case, problems = read_case(read_yaml(CASE, "case.yaml"))
    assert not problems
    return examine(case, catalogue)


# 90.5 x 10,001 = 9,05,090.5; one guntha is 101.17141056 sqm, by 20,000 = 20,23,428.2112.
# Together 9,05,091 + 20,23,428 = 29,28,519; with the building 35,28,519.
SENTENCES = {
    "land": "Value of the land is ₹29,28,519: the sum of value (₹9,05,091 and ₹20,23,428).",
    "parcels[a].extent": "Extent of First site is 90.5 sqm: "
    "the least of deed (100 sqm) and measured (90.5 sqm).",
    "parcels[b].extent": "Extent of Second site is 101.1714 sqm: deed (101.1714 sqm).",
    "parcels[a].value": "Value of First site is ₹9,05,091: extent (90.5 sqm) times "
    "rate (₹10,001 per sqm), which is ₹9,05,090.50, rounded to the nearest rupee.",
    "whole": "Whole is ₹35,28,000: value of the land (₹29,28,519) plus building (₹6,00,000), "
    "which is ₹35,28,519, rounded down to a full ₹1,000.",
    "items": "Extra items is ₹0: the sum of amount (none).",
    # 95 % of 35,28,000 is 33,51,600.
    "shared": "Shared is ₹33,52,000: share (95 %) times (whole (₹35,28,000) less "
    "extra items (₹0)), which is ₹33,51,600, rounded up to the next ₹500.",
    # 23,28,519 / 6,00,000 = 388.0865 %.
    "ratio": "Ratio is 388.09 %: (value of the land (₹29,28,519) less building (₹6,00,000)) "
    "divided by building (₹6,00,000), which is 388.0865 %, rounded to the nearest 0.01 %.",
    "nested": "Nested is ₹23,28,519: value of the land (₹29,28,519) less "
    "(building (₹6,00,000) less extra items (₹0)).",
    "chosen": "Chosen is ₹35,28,519: value of the land (₹29,28,519) plus building (₹6,00,000).",
    "least": "Least is ₹29,28,519: value of the land (₹29,28,519).",
    "most": "Most is ₹29,28,519: "
    "the greatest of value of the land (₹29,28,519) and building (₹6,00,000).",
    "gap": "Gap is ₹23,28,519: value of the land (₹29,28,519) less building (₹6,00,000).",
    "branch": "Branch is ₹29,28,519: value of the land (₹29,28,519).",
    "doubled": "Doubled is ₹58,57,038: 2 times value of the land (₹29,28,519).",
    "paid": "Paid is not known, because valuation_inputs.purchase_price and "
    "valuation_inputs.stamp_duty are missing.",
    "stated": "Stated value is ₹30,00,000, as stated in the case; its formula gives ₹35,28,519.",
    "only_stated": "Only stated is ₹7,00,000, as stated in the case.",
    "difference": "Difference is -₹5,28,519: stated stated value (₹30,00,000) less "
    "computed stated value (₹35,28,519).",
    "words": "In words is Rupees Twenty Nine Lakh Twenty Eight Thousand Five Hundred Nineteen "
    "Only: value of the land (₹29,28,519) in words.",
    "powered": "Counted is ₹0: by the formula land * count(extras.amount), with "
    "value of the land ₹29,28,519 and amount none.",
    "slab": "Slab is SMALL: first of 2 rows: row 1, with value of the land ₹29,28,519 and "
    "limit ₹1,00,00,000.",
    "extras.twice": "Twice: the case has no extras.",
    "nothing": "Nothing is not known, and nothing that the case could state would make it known.",
    "both": "Both is yes: by the formula bigger and land > 0, with bigger yes and "
    "value of the land ₹29,28,519.",
    "echo": "Echo is SMALL: slab (SMALL).",
    "later": "Later is LARGE: first of 2 rows: row 2, with paid not known.",
    "share": "Share is 95 %, by the rule set: an owner's rule.",
    "limit": "Limit is ₹1,00,00,000, by the case itself: this bank's letter.",
    "building": "Building is entered in the case: ₹6,00,000.",
    "parcels.rate": "Rate is entered in the case: ₹10,001 per sqm and ₹20,000 per sqm.",
    "extras.amount": "Amount is entered in the case: none.",
}


@pytest.mark.parametrize("field", SENTENCES)
def test_a_figure_is_explained_in_a_sentence(examination, field):
    explanation, fault = explain(examination, field)

    assert fault == ""
    assert explanation.splitlines()[0] == SENTENCES[field]


def test_below_the_sentence_stand_conversions_sources_and_the_rule(examination):
    lines = explain(examination, "parcels[b].extent")[0].splitlines()

    assert lines[1].startswith("  Deed was written as 1 guntha: ")
    assert lines[-1] == "  Rule: words@1/values/parcels.extent."
    lines = explain(examination, "shared")[0].splitlines()
    assert lines[1] == "  Share is 95 % (an owner's rule)."


def test_a_column_is_explained_row_by_row(examination):
    parts = explain(examination, "parcels.value")[0].split("\n\n")

    assert [part.partition(" is ")[0] for part in parts] == [
        "Value of First site",
        "Value of Second site",
    ]


def test_a_misspelt_figure_is_offered_its_nearest_name(examination):
    explanation, fault = explain(examination, "lant")

    assert explanation is None
    assert fault == "the rule set has no figure 'lant', did you mean land?"


def test_a_row_that_is_not_there_is_named(examination):
    assert explain(examination, "parcels[c].value") == (None, "parcels has no row 'c'")


def test_without_a_rule_set_there_is_nothing_to_explain():
    case, _ = read_case(read_yaml(CASE, "case.yaml"))
    table = Path(__file__).parents[2] / "rules/units.yaml"
    units, _ = validate(LandUnits, read_yaml(table.read_text(encoding="utf-8"), "units.yaml"))
    catalogue, _ = make_catalogue([], units=units)

    explanation, fault = explain(examine(case, catalogue), "land")

    assert explanation is None
    assert "no rule set" in fault
