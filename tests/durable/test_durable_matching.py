import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import durable_rules_engine
import pytest
from hypothesis import given, settings

from engine.rules import durable_matching
from engine.rules.durable_matching import DurableError, compare, prepare
from tests.portfolio.generated_facts import facts_of, parameters_of, seeds
from tests.portfolio.made_sets import case_of, compiled

AS_OF = date(2024, 5, 5)
SHIPPED = (
    "agri", "agri-land", "coop", "dpr", "flat-composite", "m5.4-v1", "psu", "revaluation",
    "stage-progress",
)  # fmt: skip
INPUTS = """
inputs:
  age: {from: property.age, unit: year}
  life: {from: property.life, unit: year}
  latitude: {from: property.coordinates.latitude, type: number}
  longitude: {from: property.coordinates.longitude, type: number}
  bank: {from: party.bank_name, type: text}
  branch: {from: party.bank_branch_name, type: text}
  outside: {from: meta.external_inspection_only, type: boolean}
  seen: {from: valuation_inputs.inspection_date, type: date}
  asked: {from: valuation_inputs.appointment_date, type: date}
  days: {from: valuation_inputs.inspection_dates_mentioned, type: list of date}
  floors:
    from: property.floors
    columns:
      age: {unit: year}
      life: {unit: year}
"""


def made(*conditions, each=None):
    """A rule set whose findings F0, F1, ... have these conditions."""
    table = f"    each: {each}\n" if each else ""
    text = "".join(
        f"  F{number}:\n{table}    severity: note\n    when: >-\n      {condition}\n"
        "    message: Raised.\n    remedy: None.\n    source: Test\n"
        for number, condition in enumerate(conditions)
    )
    return compiled(INPUTS + "findings:\n" + text)


def raised(rule_set, values=None, rows=None):
    """The codes that durable-rules raises; the reference raises the same."""
    comparison = compare(prepare(rule_set), case_of(rule_set, values, rows), [], AS_OF)

    assert comparison.differences == ()
    assert comparison.match.left_out == {}

    return [
        rule_set.findings[number].code + ("" if row is None else f"[{row}]")
        for number, row in comparison.match.raised
    ]


# ---- agreement ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=30, deadline=None)
@given(chance=seeds())
def test_durable_rules_raises_what_the_reference_raises_on_each_shipped_set(shipped, name, chance):
    rule_set = shipped.compiled(shipped.rule_sets[f"{name}@1"])
    matcher = prepare(rule_set)

    comparison = compare(matcher, facts_of(rule_set, chance), parameters_of(rule_set), AS_OF)

    assert comparison.differences == ()


def _condition(chance, depth=2):
    """A random condition over the inputs above."""
    if depth and chance.random() < 0.6:
        word = chance.choice([" and ", " or "])
        parts = [_condition(chance, depth - 1) for _ in range(2)]
        return "(" + word.join(parts) + ")"
    number = chance.choice(["0", "-3.5", "7", "30", "0.000001"])
    order = chance.choice(["<", "<=", ">", ">=", "=", "!="])
    equal = chance.choice(["=", "!="])
    text = chance.choice(['""', '"A B"', '"true"'])
    return chance.choice(
        [
            f"latitude {order} {number}",
            f"{number} {order} longitude",
            f"longitude between {number} and 30",
            f"latitude in ([{number}..30))",
            f"latitude {chance.choice(['<', '<=', '>', '>='])} longitude",
            "differ(latitude, longitude)",
            "differ(bank, branch)",
            f"bank {equal} {text}",
            f"{chance.choice(['bank', 'outside', 'latitude'])} {equal} null",
            f"outside {equal} {chance.choice(['true', 'false'])}",
            "outside",
            f"seen {chance.choice(['<', '<=', '>', '>='])} asked",
            'seen < @"2020-01-01"',
        ]
    )


@pytest.fixture(scope="module")
def random_conditions():
    chance = random.Random(20240229)  # noqa: S311 - reproducible on purpose
    rule_set = made(*[_condition(chance) for _ in range(70)])
    matcher = prepare(rule_set)

    assert matcher.left_out == {}
    assert len(matcher.shards) > 1

    return matcher


@settings(max_examples=300, deadline=None)
@given(chance=seeds())
def test_random_conditions_hold_alike(random_conditions, chance):
    facts = facts_of(random_conditions.compiled, chance)

    comparison = compare(random_conditions, facts, [], AS_OF)

    assert comparison.differences == ()


def test_threads_do_not_lose_findings_of_each_other():
    rule_set = made("latitude > 0", "latitude < 0")
    matcher = prepare(rule_set)
    cases = [case_of(rule_set, {"latitude": Decimal(number)}) for number in (1, -1)] * 500
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda facts: compare(matcher, facts, [], AS_OF), cases))

    assert all(comparison.differences == () for comparison in found)
    assert found[0].match.raised == ((0, None),)
    assert found[1].match.raised == ((1, None),)


# ---- what is not known --------------------------------------------------------------------------


def test_two_figures_do_not_agree_when_one_of_them_is_not_known():
    rule_set = made("differ(bank, branch)", "latitude <= longitude")

    assert raised(rule_set, {"bank": "A", "latitude": Decimal(1)}) == []


def test_the_library_takes_a_figure_for_equal_to_a_missing_one():
    """The reason why both figures are asked for first; a fixed library may drop that."""
    handle = durable_rules_engine.create_ruleset(
        "trap", '{"equal": {"all": [{"m": {"$and": [{"kind": "case"}, {"a": {"$m": "b"}}]}}]}}'
    )
    fact = '{"sid": "0", "id": "1", "kind": "case", "a": 5}'

    assert durable_rules_engine.assert_fact(handle, fact)[0] == 0

    durable_rules_engine.retract_fact(handle, fact)


def test_what_is_not_known_is_unequal_to_a_literal_as_in_feel():
    assert raised(made('bank != "A"')) == ["F0"]


def test_a_condition_that_only_asks_for_null_ends():
    assert raised(made("bank = null")) == ["F0"]


def test_rows_are_matched_one_by_one():
    rule_set = made("row.age > row.life", each="floors")
    rows = {
        "floors": [
            {"age": Decimal(5), "life": Decimal(5)},
            {"age": Decimal("5.000001"), "life": Decimal(5)},
            {"age": Decimal(9)},
            {"age": Decimal(60), "life": Decimal(50)},
        ]
    }

    assert raised(rule_set, rows=rows) == ["F0[1]", "F0[3]"]
    assert raised(rule_set, rows={"floors": []}) == []
    assert raised(rule_set) == []


# ---- limits of the library ----------------------------------------------------------------------


def test_a_finding_whose_branches_all_hold_is_raised_once():
    assert raised(
        made("latitude > 0 or latitude > 1 or latitude > 2"), {"latitude": Decimal(5)}
    ) == ["F0"]


def test_more_findings_than_one_set_can_raise_at_once_are_split():
    rule_set = made(*[f"latitude > {number}" for number in range(130)])

    assert len(prepare(rule_set).shards) == 3
    assert len(raised(rule_set, {"latitude": Decimal(1000)})) == 130


def test_more_comparisons_than_one_set_can_hold_are_split():
    conditions = [
        " and ".join(f"latitude != {10 * finding + number}.5" for number in range(5))
        for finding in range(130)
    ]
    rule_set = made(*[condition.replace("!=", "<") for condition in conditions])
    matcher = prepare(rule_set)

    assert len(matcher.shards) == 3
    assert len(raised(rule_set, {"latitude": Decimal(-1)})) == 130


def test_a_condition_of_more_branches_than_the_library_takes_is_left_out():
    pairs = " and ".join(f"(latitude > {n} or longitude > {n})" for n in range(6))
    matcher = prepare(made(pairs, "latitude > 1"))

    assert matcher.left_out == {"F0": "it has more comparisons than one rule may have"}
    assert set(matcher.reads) == {"F1"}


def test_two_names_that_the_library_cannot_tell_apart_are_not_both_used():
    rule_set = compiled(
        """
inputs:
  costarring: {from: property.age, unit: year}
  liquid: {from: property.life, unit: year}
findings:
  FIRST: {severity: note, when: costarring > 0, message: A., remedy: A., source: Test}
  SECOND: {severity: note, when: liquid > 0, message: A., remedy: A., source: Test}
"""
    )
    matcher = prepare(rule_set)

    assert matcher.left_out == {"SECOND": "'liquid' and 'costarring' are one name to durable-rules"}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("latitude * 2 > 3", "it calculates ('*')"),
        ("abs(latitude) > 3", "it calls 'abs'"),
        ("differ(latitude, longitude, 1)", "it calculates (a difference against a tolerance)"),
        ("not(outside)", "it calls 'not'"),
        ("some found in floors.age satisfies found != null", "it walks through a list"),
        ('bank < "B"', "it asks for the order of two texts"),
        ("latitude > 0.0000001", "a number has more than 6 decimals"),
        ("latitude > 9223372036854.775808", "a number is too large"),
        ("1 < 2", "it compares two literals"),
        ("null < latitude", "it asks for the order of null"),
        ("latitude in (longitude + 1, 2)", "it tests by more than comparisons"),
        ("differ(latitude, 5)", "'differ' stands between something else than two figures"),
        ("days = null", "'days' is not one number, text, date or truth value"),
    ],
)
def test_what_the_library_cannot_be_trusted_with_is_left_out_by_name(condition, reason):
    assert prepare(made(condition)).left_out == {"F0": reason}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"latitude": Decimal("1.0000001")}, "latitude: a number has more than 6 decimals"),
        ({"latitude": Decimal("9223372036854.775808")}, "latitude: a number is too large"),
        ({"latitude": Decimal("1E+6000")}, "latitude: a number is too large"),
        ({"bank": "x" * 60_000}, "bank: a text is too long"),
        ({"bank": "क" * 20_000}, "bank: a text is too long"),
        ({"bank": "\ud83d"}, "bank: a text has half of a character"),
    ],
)
def test_a_figure_that_the_library_cannot_hold_leaves_its_finding_to_the_reference(values, reason):
    rule_set = made('latitude > 0 or bank = "A"', "outside")

    comparison = compare(
        prepare(rule_set), case_of(rule_set, {**values, "outside": True}), [], AS_OF
    )

    assert comparison.match.left_out == {"F0": reason}
    assert comparison.match.raised == ((1, None),)
    assert comparison.differences == ()


def test_a_finding_that_follows_from_another_is_left_out():
    matcher = prepare(made("outside", 'raised("F0")'))

    assert matcher.left_out == {"F1": "it follows from another finding"}


def test_the_largest_numbers_and_long_texts_are_matched():
    rule_set = made(
        "latitude > 9223372036854.775806", f'bank = "{"x" * 3_000}"', "longitude < -9223372036854"
    )

    assert raised(
        rule_set,
        {
            "latitude": Decimal("9223372036854.775807"),
            "bank": "x" * 3_000,
            "longitude": Decimal("-9223372036854.775807"),
        },
    ) == ["F0", "F1", "F2"]


# ---- when the library goes wrong ----------------------------------------------------------------


class WrongLibrary:
    """The library with one function put in place of its own."""

    def __init__(self, **functions):
        self.__dict__.update(functions)

    def __getattr__(self, name):
        return getattr(durable_rules_engine, name)


def test_a_wrong_answer_of_the_library_is_a_difference(monkeypatch):
    rule_set = made("latitude > 40")
    facts = case_of(rule_set, {"latitude": Decimal(41)})
    silent = WrongLibrary(start_action_for_state=lambda _handle, _state: None)
    monkeypatch.setattr(durable_matching, "durable_rules_engine", silent)

    comparison = compare(prepare(rule_set), facts, [], AS_OF)

    assert comparison.reference == ((0, None),)
    assert comparison.differences == ((0, None),)


def test_rules_on_which_the_library_failed_are_not_used_again(monkeypatch):
    rule_set = made("latitude > 41")
    facts = case_of(rule_set, {"latitude": Decimal(42)})
    matcher = prepare(rule_set)

    def fail(_handle, _fact):
        raise RuntimeError("303")

    with monkeypatch.context() as patch:
        patch.setattr(durable_matching, "durable_rules_engine", WrongLibrary(retract_fact=fail))
        with pytest.raises(DurableError, match="303"):
            compare(matcher, facts, [], AS_OF)
    with pytest.raises(DurableError, match="failed on these rules before"):
        compare(matcher, facts, [], AS_OF)


def test_an_answer_that_is_no_answer_is_a_fault(monkeypatch):
    rule_set = made("latitude > 44")
    odd = WrongLibrary(assert_fact=lambda _handle, _fact: (2, 0))
    monkeypatch.setattr(durable_matching, "durable_rules_engine", odd)

    with pytest.raises(DurableError, match="answered 2"):
        compare(prepare(rule_set), case_of(rule_set, {"latitude": Decimal(45)}), [], AS_OF)


def test_a_library_that_never_stops_raising_is_stopped(monkeypatch):
    rule_set = made("latitude > 42")
    endless = WrongLibrary(complete_and_start_action=lambda _handle, _state: '{"F0": {}}')
    monkeypatch.setattr(durable_matching, "durable_rules_engine", endless)

    with pytest.raises(DurableError, match="more than the rules have"):
        compare(prepare(rule_set), case_of(rule_set, {"latitude": Decimal(43)}), [], AS_OF)


def test_a_process_makes_only_so_many_sets(monkeypatch):
    monkeypatch.setattr(durable_matching, "_MOST_HANDLES", 0)
    rule_set = made("latitude > 43")

    with pytest.raises(DurableError, match="sets of rules already"):
        compare(prepare(rule_set), case_of(rule_set), [], AS_OF)
