"""Money: exact, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.billing.money import LARGEST_PAISE, paise, rupees


@given(st.integers(-LARGEST_PAISE, LARGEST_PAISE))
def test_paise_and_rupees_are_the_same_money(amount: int) -> None:
    assert paise(rupees(amount)) == amount


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("0", 0),
        ("1", 100),
        ("0.01", 1),
        ("118.5", 11_850),
        ("-0.01", -1),
        ("1E+2", 10_000),
        ("1.000", 100),
    ],
)
def test_an_amount_is_whole_paise(written: str, whole: int) -> None:
    assert paise(Decimal(written)) == whole


@pytest.mark.parametrize(
    "written", ["0.001", "0.005", "118.505", "-0.001", "NaN", "Infinity", "-Infinity"]
)
def test_fractions_of_a_paisa_are_never_rounded_in_passing(written: str) -> None:
    with pytest.raises(ValueError, match=r"paisa|no amount"):
        paise(Decimal(written))


@pytest.mark.parametrize("whole", [LARGEST_PAISE, -LARGEST_PAISE])
def test_the_largest_amount_is_kept_and_the_next_is_refused(whole: int) -> None:
    assert paise(Decimal(whole).scaleb(-2)) == whole
    more = whole + (1 if whole > 0 else -1)
    with pytest.raises(ValueError, match="more money"):
        paise(Decimal(more).scaleb(-2))


@pytest.mark.parametrize("written", ["1E+20", "1E+21", "1E+999999", "123456789012345678901.5"])
def test_an_absurd_amount_is_refused_at_once(written: str) -> None:
    with pytest.raises(ValueError, match="more money"):
        paise(Decimal(written))


def test_rupees_are_written_with_two_places() -> None:
    assert [str(rupees(one)) for one in (0, 1, 100, 11_850, -5)] == [
        "0.00",
        "0.01",
        "1.00",
        "118.50",
        "-0.05",
    ]
