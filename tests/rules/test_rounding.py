"""Rounding to a step: 28 digits first, then the step, ties away from zero."""

from decimal import Decimal as D  # noqa: N817

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rounding import parse_rounding
from tests.rules.recomputed import rounded


def at(rounding: str, number: str) -> str:
    parsed, fault = parse_rounding(rounding)
    assert fault is None
    return str(parsed.apply(D(number)))


@pytest.mark.parametrize(
    ("rounding", "number", "expected"),
    [
        ("floor 1000", "11965843", "11965000"),
        ("floor 1000", "11965000", "11965000"),
        ("ceil 500", "11965001", "11965500"),
        ("ceil 500", "11965000", "11965000"),
        ("nearest 100", "11949", "11900"),
        ("nearest 100", "11950", "12000"),
        ("nearest 1", "0.5", "1"),
        ("nearest 1", "0.4999999999999999999999999999", "0"),
        # Half goes away from zero, below zero too.
        ("nearest 1", "-0.5", "-1"),
        ("nearest 100", "-11950", "-12000"),
        # Floor is downwards and ceil upwards, below zero too.
        ("floor 1000", "-1", "-1000"),
        ("ceil 1000", "-1", "0"),
        ("ceil 500", "-999", "-500"),
        # The scale of the step is the scale of the figure.
        ("nearest 0.01", "2.675", "2.68"),
        ("nearest 0.05", "2.67", "2.65"),
        ("nearest 0.05", "2.675", "2.70"),
        ("nearest 1000", "5", "0"),
        ("floor 1 lakh", "1399999", "1300000"),
        ("nearest 1 crore", "15000000", "20000000"),
        # A percentage is a share: 7.7142857 % is 0.077142857.
        ("nearest 0.01 %", "0.077142857", "0.0771"),
        ("nearest 1 %", "0.125", "0.13"),
        ("floor 5 %", "0.899", "0.85"),
        # What a division left of 935000 is 935000: 28 digits are taken first.
        ("floor 1000", "934999.9999999999999999999999999998", "935000"),
        ("ceil 1000", "935000.0000000000000000000000000002", "935000"),
        # With the 28th digit in sight it is what it is.
        ("floor 1000", "934999.9999999999999999999999", "934000"),
        ("nearest 1", "-0.0", "0"),
    ],
)
def test_a_number_at_a_step(rounding, number, expected):
    assert at(rounding, number) == expected


def test_no_rounding_is_a_rounding_too():
    assert parse_rounding("none") == (None, None)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("floor", "write none, or floor"),
        ("round 10", "write none, or floor"),
        ("floor x", "'x' is not a number"),
        ("floor 0", "more than zero"),
        ("floor -5", "more than zero"),
        ("floor 10 sqft", "in the value's own unit"),
        ("floor 3 bigha 2 katha", "in the value's own unit"),
    ],
)
def test_what_is_no_rounding_is_refused_with_the_reason(written, reason):
    rounding, fault = parse_rounding(written)

    assert rounding is None
    assert reason in fault


def test_a_figure_that_34_digits_do_not_hold_at_its_step_is_not_known():
    nearest_paisa, _ = parse_rounding("nearest 0.01")
    half_steps, _ = parse_rounding("nearest 0.05")

    assert nearest_paisa.apply(D("1e31")) == D("1e31")
    assert nearest_paisa.apply(D("1e32")) is None
    assert half_steps.apply(D("1e33")) is None


numbers = st.integers(-(10**20), 10**20).flatmap(
    lambda n: st.integers(0, 18).map(lambda places: D(n).scaleb(-places))
)


@given(
    numbers,
    st.sampled_from(["floor", "nearest", "ceil"]),
    st.sampled_from(["1", "1000", "500", "0.01", "0.05", "25", "0.5", "3"]),
)
def test_rounding_is_what_whole_numbers_say(number, mode, step):
    parsed, _ = parse_rounding(f"{mode} {step}")

    assert parsed.apply(number) == rounded(number, f"{mode} {step}")
