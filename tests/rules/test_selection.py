"""Which rule set a case gets, by whom it is for and when; never by what it is worth."""

from datetime import date

import pytest

from contracts.banks import Banks
from engine.rules.selection import bank_type_of, select_rule_set
from tests.rules.made import catalogue_of, contract_of

BANKS = Banks.model_validate(
    {
        "banks": [
            {"name": "State Bank of India", "aliases": ["SBI"], "bank_type": "SBI"},
            {"name": "The Janatha Co-operative Bank Ltd.", "bank_type": "COOP"},
        ],
        "words": [{"word": "co-operative", "bank_type": "COOP"}],
    }
)


def rule_set(name, applies_to, *, version=1, status="published", dates="{from: 2010-01-01}"):
    return (
        f"ruleset: {name}\nversion: {version}\nstatus: {status}\ntitle: T\n"
        f"effective: {dates}\napplies_to: {applies_to}\n"
    )


def chosen(*texts, wanted=None, as_of=date(2026, 3, 14), bank_type="SBI", bank=None, kind=None):
    catalogue, problems = catalogue_of(*texts, head="")
    assert problems == "", problems
    contract = contract_of(
        {
            "meta": {"report_type": "VALUATION"},
            "party": {"bank_name": bank} if bank else {},
            "property": {"kind": kind} if kind else {},
        }
    )
    return select_rule_set(
        catalogue.rule_sets.values(), contract, bank_type=bank_type, as_of=as_of, wanted=wanted
    )


REPORT = rule_set("by-report", "{report_type: [VALUATION]}")
TYPE = rule_set("by-type", "{report_type: [VALUATION], bank_type: [SBI, OTHER]}")
KIND = rule_set("by-kind", "{report_type: [VALUATION], property_kind: [FLAT]}")
NAME = rule_set("by-name", "{bank_name: [The Canara & Sons Bank Ltd.]}")
BY_NAME_ONLY = rule_set("on-request", "{}")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "by-type@1"),
        ({"bank_type": "COOP"}, "by-report@1"),
        ({"bank_type": None}, "by-type@1"),  # a bank whose type is not known is another bank
        ({"kind": "FLAT"}, "by-kind@1"),
        ({"kind": "LAND"}, "by-type@1"),
        ({"kind": "FLAT", "bank": "canara and sons bank"}, "by-name@1"),
    ],
)
def test_the_most_specific_set_wins(more, expected):
    choice = chosen(REPORT, TYPE, KIND, NAME, BY_NAME_ONLY, **more)

    assert choice.rule_set.reference == expected
    assert choice.fault is None


def test_why_a_set_was_chosen_is_said():
    assert chosen(REPORT, TYPE).why == (
        "by-type@1 answers for bank type SBI and report type VALUATION."
    )


def test_two_sets_that_are_equally_specific_are_a_fault_and_the_first_by_name_is_taken():
    choice = chosen(TYPE, TYPE.replace("by-type", "as-well"))

    assert choice.fault == "RULESET_TIE"
    assert choice.rule_set.reference == "as-well@1"
    assert choice.why == (
        "as-well@1 and by-type@1 answer equally well; the first by name was taken."
    )


def test_no_set_that_answers_is_a_fault_with_what_was_looked_for():
    choice = chosen(rule_set("dpr", "{report_type: [DPR]}"), BY_NAME_ONLY, bank="A Bank")

    assert (choice.rule_set, choice.fault) == (None, "RULESET_NONE")
    assert "bank A Bank" in choice.why
    assert "report type VALUATION" in choice.why


@pytest.mark.parametrize("status", ["draft", "retired"])
def test_drafts_and_retired_sets_are_taken_by_name_only(status):
    text = rule_set("quiet", "{report_type: [VALUATION]}", status=status)

    assert chosen(text).fault == "RULESET_NONE"
    assert chosen(text, wanted="quiet").rule_set.reference == "quiet@1"


def test_an_abstract_set_is_never_taken():
    text = rule_set("base", "{report_type: [VALUATION]}") + "abstract: true\n"

    assert chosen(text).fault == "RULESET_NONE"
    assert chosen(text, wanted="base").fault == "RULESET_UNKNOWN"


DATED = (
    rule_set("dated", "{report_type: [VALUATION]}", dates="{from: 2010-01-01, until: 2019-12-31}"),
    rule_set("dated", "{report_type: [VALUATION]}", version=2, dates="{from: 2020-01-01}"),
)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2009, 12, 31), None),
        (date(2010, 1, 1), "dated@1"),
        (date(2019, 12, 31), "dated@1"),
        (date(2020, 1, 1), "dated@2"),
        (None, "dated@2"),
    ],
)
def test_the_day_chooses_the_version(day, expected):
    choice = chosen(*DATED, as_of=day)

    assert (choice.rule_set and choice.rule_set.reference) == expected


def test_a_name_without_version_is_the_version_in_force_and_else_the_latest():
    assert chosen(*DATED, as_of=date(2015, 1, 1), wanted="dated").rule_set.version == 1
    assert chosen(*DATED, as_of=date(2021, 1, 1), wanted="dated").rule_set.version == 2
    assert chosen(*DATED, as_of=date(2001, 1, 1), wanted="dated").rule_set.version == 2
    assert chosen(*DATED, as_of=date(2001, 1, 1), wanted="dated@1").rule_set.version == 1
    assert chosen(*DATED, wanted="dated@3").fault == "RULESET_UNKNOWN"


def test_of_two_versions_in_force_the_later_one_is_taken():
    open_ended = rule_set("dated", "{report_type: [VALUATION]}")

    assert chosen(open_ended, DATED[1]).rule_set.reference == "dated@2"


def test_a_set_without_dates_is_always_in_force():
    text = rule_set("always", "{report_type: [VALUATION]}").replace(
        "effective: {from: 2010-01-01}\n", ""
    )

    assert chosen(text, as_of=date(1900, 1, 1)).rule_set.reference == "always@1"


@pytest.mark.parametrize(
    ("meta", "name", "expected"),
    [
        ({"bank_type": "AGRI"}, "State Bank of India", ("AGRI", "")),
        ({}, None, (None, "")),
        ({}, "state bank  of INDIA", ("SBI", "state bank  of INDIA is of type SBI.")),
        ({}, "Janatha Co-operative Bank", ("COOP", "Janatha Co-operative Bank is of type COOP.")),
        ({}, "Town Co-operative Bank", (
            "COOP", "The name Town Co-operative Bank says that it is of type COOP.")),
        ({}, "Town Cooperatives Bank", (None, "")),
        ({}, "A Bank", (None, "")),
    ],
)  # fmt: skip
def test_the_type_of_a_bank_comes_from_its_name_if_it_is_not_stated(meta, name, expected):
    contract = contract_of(
        {"meta": {"report_type": "VALUATION", **meta}, "party": {"bank_name": name}}
    )

    assert bank_type_of(contract, BANKS) == expected
