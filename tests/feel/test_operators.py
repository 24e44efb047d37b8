"""Which types each arithmetic operator takes: these pairs, and no others."""

from decimal import Decimal

import pytest

from engine.feel import evaluate, evaluate_with_reasons

SAMPLES = {
    "number": "4",
    "string": '"plot"',
    "boolean": "false",
    "date": '@"2026-11-24"',
    "date and time": '@"2026-11-24T09:30:00"',
    "time": '@"09:30:00"',
    "list": "[4]",
    "context": "{a: 4}",
    "days": '@"P2D"',
    "months": '@"P3M"',
    "range": "[2..4]",
    "function": "(function(x) x)",
    "null": "null",
}
MOVABLE = {("date", "days"), ("date", "months"), ("date and time", "days"), ("time", "days")} | {
    ("date and time", "months")
}
LIKE = {("number", "number"), ("days", "days"), ("months", "months")}
FITTING = {
    "+": LIKE | MOVABLE | {(right, left) for left, right in MOVABLE} | {("string", "string")},
    "-": LIKE | MOVABLE | {("date", "date"), ("time", "time"), ("date and time", "date and time")},
    "*": {("number", "number")}
    | {("number", unit) for unit in ("days", "months")}
    | {(unit, "number") for unit in ("days", "months")},
    "/": LIKE | {("days", "number"), ("months", "number")},
    "**": {("number", "number")},
}


@pytest.mark.parametrize("operator", FITTING)
def test_an_operator_takes_these_pairs_of_types_and_no_others(operator: str) -> None:
    taken = {
        (left, right)
        for left, first in SAMPLES.items()
        for right, second in SAMPLES.items()
        if evaluate(f"{first} {operator} {second}") is not None
    }

    assert taken == FITTING[operator]


@pytest.mark.parametrize("kind", SAMPLES)
def test_only_numbers_and_durations_have_a_negative(kind: str) -> None:
    value, reasons = evaluate_with_reasons(f"-{SAMPLES[kind]}")

    assert (value is not None) == (kind in {"number", "days", "months"})
    assert value is not None or reasons


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(= 4) = (= 4)", True),
        ("(= 4) = [4..4]", False),
        ("(!= 4) = (!= 4)", True),
        ("(!= 4) = (!= 5)", False),
        ("(!= 4) = (4..4)", False),
        ("{r: (!= 4), s: [3 in r, 4 in r, null in r]}.s", [True, False, None]),
        ('"a" in [(!= 4)]', False),
        ("(= 4).start included and (= 4).end = 4", True),
        ("string([(!= 4), (= 4), (< 4)])", "[(!= 4), (= 4), (..4)]"),
        ("(!= null)", None),
        ("for n in [5..3] return n", None),
        ("for n in 5..3 return n", [Decimal(5), Decimal(4), Decimal(3)]),
        ('for d in [@"2026-02-02"..@"2026-02-01"] return d', None),
        ("4 in [5..3]", False),
    ],
)
def test_comparisons_as_values_and_ranges_that_run_backwards(text: str, value: object) -> None:
    assert evaluate(text) == value


def test_a_comparison_as_a_value_comes_back_as_it_went_in() -> None:
    other = evaluate("(!= 4)")

    assert str(other) == "(!= 4)"
    assert evaluate("r", {"r": other}) == other
    assert evaluate("4 in r", {"r": other}) is False
