"""Scaled columns against the reference's own arithmetic and rounding."""

import decimal
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rounding import ARITHMETIC, parse_rounding
from engine.rules import scaled_columns as scaled
from engine.rules.scaled_columns import NotProved, Number

ROUNDINGS = [
    f"{mode} {step}"
    for mode in ("floor", "nearest", "ceil")
    for step in ("1", "0.01", "500", "1000", "0.25", "0.01 %", "5000")
]


def column(numbers, scale, bound):
    """A column of these whole numbers, as wide as the bound asks for."""
    kind = pl.Int64 if bound <= scaled.LARGEST_64 else pl.Int128
    assert all(number is None or abs(number) <= bound for number in numbers)
    return Number(pl.lit(pl.Series(numbers, dtype=kind)), scale, bound)


def found(number):
    """The numbers of a column."""
    values = pl.select(number.over).to_series()
    assert values.dtype == (pl.Int64 if number.bound <= scaled.LARGEST_64 else pl.Int128)
    assert all(value is None or abs(value) <= number.bound for value in values.to_list())
    return [None if value is None else exact(value, number.scale) for value in values.to_list()]


def exact(number, scale):
    with decimal.localcontext(ARITHMETIC):
        return Decimal(number).scaleb(-scale)


def by_reference(text, numbers):
    rounding, _ = parse_rounding(text)
    return [None if number is None else rounding.apply(number) for number in numbers]


def test_a_column_carries_nulls_and_negatives():
    numbers = column([5, None, -5], 1, 5)

    assert found(scaled.multiply(numbers, numbers)) == [Decimal("0.25"), None, Decimal("0.25")]


@given(
    st.integers(-(10**16), 10**16),
    st.integers(-(10**16), 10**16),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_sums_differences_and_products_are_those_of_decimals(left, right, one, other):
    first, second = column([left], one, 10**16), column([right], other, 10**16)
    a, b = exact(left, one), exact(right, other)
    with decimal.localcontext(ARITHMETIC):
        expected = [a + b, a - b, a * b, abs(a)]

    assert found(scaled.add(first, second)) == [expected[0]]
    assert found(scaled.add(first, second, -1)) == [expected[1]]
    assert found(scaled.multiply(first, second)) == [expected[2]]
    assert found(scaled.absolute(first)) == [expected[3]]


# ---- rounding -----------------------------------------------------------------------------------


@given(
    st.sampled_from(ROUNDINGS),
    st.integers(0, 10),
    st.lists(st.integers(-(10**24), 10**24) | st.none(), min_size=1, max_size=5),
)
def test_any_number_is_rounded_as_the_reference_does(text, scale, numbers):
    rounding, _ = parse_rounding(text)

    rounded = scaled.rounded(column(numbers, scale, 10**24), rounding)

    decimals = [None if number is None else exact(number, scale) for number in numbers]
    assert found(rounded) == by_reference(text, decimals)


@given(st.sampled_from(ROUNDINGS), st.integers(-(10**9), 10**9), st.integers(-2, 2))
def test_ties_and_their_neighbours_are_rounded_as_the_reference_does(text, half_steps, beside):
    rounding, _ = parse_rounding(text)
    tie = rounding.step * half_steps / 2 + Decimal(beside).scaleb(-8)

    rounded = scaled.rounded(column([int(tie.scaleb(8))], 8, 10**24), rounding)

    assert found(rounded) == by_reference(text, [tie])


def test_half_goes_away_from_zero_on_both_sides():
    nearest, _ = parse_rounding("nearest 1")

    rounded = scaled.rounded(column([5, -5, 15, -15, 14, -14], 1, 15), nearest)

    assert found(rounded) == [1, -1, 2, -2, 1, -1]


def quotients(text, pairs, scale_above, scale_below, bound):
    """Quotients rounded in columns, and by the reference."""
    rounding, _ = parse_rounding(text)
    above = column([above for above, _ in pairs], scale_above, bound)
    below = column([below for _, below in pairs], scale_below, bound)
    with decimal.localcontext(ARITHMETIC):
        divided = [
            exact(above, scale_above) / exact(below, scale_below) if below else None
            for above, below in pairs
        ]
    return found(scaled.rounded(scaled.divide(above, below), rounding)), by_reference(text, divided)


@given(
    st.sampled_from(ROUNDINGS),
    st.lists(st.tuples(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18)), min_size=1),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_quotients_are_rounded_as_the_reference_does(text, pairs, above, below):
    rounded, expected = quotients(text, pairs, above, below, 10**18)

    assert rounded == expected


@given(
    st.sampled_from(ROUNDINGS),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(-1, 1),
    st.booleans(),
)
def test_quotients_on_a_border_and_next_to_it_are_rounded_as_the_reference_does(
    text, half_steps, below, beside, negative
):
    """The numerators nearest to a border between two results, for a divisor that never ends."""
    rounding, _ = parse_rounding(text)
    above = int(rounding.step * half_steps * below / 2) + beside
    above = -above if negative else above

    rounded, expected = quotients(text, [(above, below)], 0, 0, 10**22)

    assert rounded == expected


def test_a_quotient_beyond_the_proof_would_be_rounded_otherwise():
    """28 digits first: the reference takes 0.4999...9 for a half, exact division does not."""
    above, below = 5 * 10**29 - 1, 10**30
    nearest, _ = parse_rounding("nearest 1")
    with decimal.localcontext(ARITHMETIC):
        assert nearest.apply(Decimal(above) / Decimal(below)) == 1

    assert (2 * above) // below == 0
    with pytest.raises(NotProved, match="too many digits"):
        scaled.rounded(scaled.divide(column([above], 0, above), column([below], 0, below)), nearest)


def test_division_by_zero_gives_nothing():
    rounded, expected = quotients("nearest 1", [(5, 0), (0, 0), (0, 5)], 0, 0, 5)

    assert rounded == expected == [None, None, 0]


# ---- what is refused ----------------------------------------------------------------------------


def test_what_polars_would_wrap_around_silently_is_refused():
    large = column([2**126], 0, 2**126)

    assert pl.select(large.over * pl.lit(4, dtype=pl.Int128)).item() == 0
    with pytest.raises(NotProved, match="digits"):
        scaled.multiply(large, column([4], 0, 4))
    with pytest.raises(NotProved, match="digits"):
        scaled.add(large, large)


def test_64_bits_become_128_in_time():
    large = column([2**62], 0, 2**62)

    assert found(scaled.multiply(large, column([4], 0, 4))) == [2**64]
    assert found(scaled.add(large, scaled.add(large, large))) == [3 * 2**62]
    assert found(scaled.at_scale(large, 3)) == [2**62]


def test_sums_of_many_rows_are_wide_enough():
    numbers = column([2**62, 2**62, 2**62], 0, 2**62)

    assert found(scaled.total(numbers, 1000)) == [3 * 2**62]


@pytest.mark.parametrize("step", ["3", "0.07", "128"])
def test_a_step_that_does_not_divide_soon_is_refused(step):
    rounding, _ = parse_rounding(f"floor {step}")

    with pytest.raises(NotProved, match="step"):
        scaled.rounded(column([1], 0, 1), rounding)


def test_a_number_of_29_digits_is_not_rounded():
    rounding, _ = parse_rounding("floor 1")

    with pytest.raises(NotProved, match="28 digits"):
        scaled.rounded(column([1], 0, 10**28), rounding)


def test_a_quotient_that_is_not_rounded_is_not_calculated_on_with():
    quotient = scaled.divide(column([1], 0, 1), column([3], 0, 3))

    for operation in (scaled.absolute, lambda number: scaled.add(number, number), scaled.ended):
        with pytest.raises(NotProved, match="quotient"):
            operation(quotient)
    assert pl.select(quotient.known).item()


def test_unfit_decimals_are_not_scaled():
    assert scaled.scaled_exactly(Decimal("1E+5000"), 2) is None
    assert scaled.scaled_exactly(Decimal("1E-5000"), 2) is None
    assert scaled.scaled_exactly(Decimal("NaN"), 2) is None
    assert scaled.scaled_exactly(Decimal("0E+5000"), 2) == 0
    assert scaled.scaled_exactly(Decimal("-12.50"), 1) == -125
    with pytest.raises(NotProved, match="digits"):
        scaled.literal(Decimal(10) ** 34)


def test_more_decimals_than_128_bits_hold_are_not_rounded():
    nearest, _ = parse_rounding("nearest 1")
    tiny = scaled.literal(Decimal("1E-30"))

    with pytest.raises(NotProved, match="128 bits"):
        scaled.rounded(scaled.multiply(tiny, tiny), nearest)
