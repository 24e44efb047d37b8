"""GST worked by hand: check digits, places of supply, rates by day, and rounding to the paisa.

Sources: the GST network's published check digit (examples of real format, in public guides); IGST
Act 2017, section 12(2); CGST Act 2017, section 170 (fifty paise and more go up); notification
15/2025-Central Tax (Rate).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.invoices.gst import (
    Tax,
    check_digit,
    gstin_problem,
    half_up,
    is_rate,
    law,
    line_total,
    place_of_supply,
    tax_on,
)
from service.invoices.totals import Item, Totals, price_lines, share, sum_of
from tests.service.invoices.conftest import CUSTOMER_IN_TAMIL_NADU, ISSUER_GSTIN


@pytest.mark.parametrize("gstin", ["27AAPFU0939F1ZV", "29AAGCB7383J1Z4", ISSUER_GSTIN])
def test_a_right_gstin_is_taken(gstin: str) -> None:
    assert gstin_problem(gstin) is None


@pytest.mark.parametrize(
    ("gstin", "says"),
    [
        ("27AAPFU0939F1ZU", "check digit"),
        # Two neighbours changed places.
        ("27AAPUF0939F1ZV", "check digit"),
        ("99AAPFU0939F1ZV", "no State"),
        ("25AAPFU0939F1ZV", "no State"),
        ("27aapfu0939f1zv", "15 signs"),
        ("27AAPFU0939F0ZV", "15 signs"),
        ("27AAPFU0939F1ZV ", "15 signs"),
        ("", "15 signs"),
    ],
)
def test_a_wrong_gstin_is_named(gstin: str, says: str) -> None:
    assert says in str(gstin_problem(gstin))


def test_the_check_digit_by_hand() -> None:
    values = [2, 7, 10, 10, 25, 15, 30, 0, 9, 3, 9, 15, 1, 35]
    twice = [2, 14, 10, 20, 25, 30, 30, 0, 9, 6, 9, 30, 1, 70]
    assert [value * (1 + at % 2) for at, value in enumerate(values)] == twice
    # 70 is 1 times 36 and 34, which counts 35; the others are below 36. Together 221, which is 5
    # more than a multiple of 36 and lacks 31 to the next: the sign of 31 is V.
    assert sum(twice) - 70 + 35 == 221
    assert check_digit("27AAPFU0939F1Z") == "V"


@given(st.from_regex(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z", fullmatch=True), st.data())
def test_one_wrong_sign_never_passes(fourteen: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 13))
    sign = data.draw(st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    other = fourteen[:place] + sign + fourteen[place + 1 :]
    assert (check_digit(other) == check_digit(fourteen)) == (other == fourteen)


@pytest.mark.parametrize(
    ("gstin", "state", "place"),
    [
        # Registered: where the registration is, whatever the address says.
        (CUSTOMER_IN_TAMIL_NADU, None, "33"),
        (CUSTOMER_IN_TAMIL_NADU, "29", "33"),
        # Not registered: where the address on record is, else where the supplier is.
        (None, "27", "27"),
        (None, None, "29"),
    ],
)
def test_where_a_service_is_supplied(gstin: str | None, state: str | None, place: str) -> None:
    assert place_of_supply(gstin=gstin, state_code=state, issuer_state="29") == place


@pytest.mark.parametrize(
    ("rate", "on", "holds"),
    [
        ("18", date(2026, 11, 24), True),
        ("12", date(2025, 9, 21), True),
        ("12", date(2025, 9, 22), False),
        ("28", date(2025, 9, 21), True),
        ("28", date(2025, 9, 22), False),
        ("40", date(2025, 9, 21), False),
        ("40", date(2025, 9, 22), True),
        ("18", date(2017, 6, 30), False),
        ("18", date(2017, 7, 1), True),
        ("17", date(2026, 11, 24), False),
        ("18.00", date(2026, 11, 24), True),
    ],
)
def test_which_rates_hold_on_which_day(rate: str, on: date, holds: bool) -> None:
    assert is_rate(Decimal(rate), on) is holds


def test_every_rate_has_a_source_and_half_of_it_is_exact() -> None:
    for rate in law().rates:
        assert rate.source
        assert (rate.rate / 2) * 2 == rate.rate


@pytest.mark.parametrize(
    ("paise", "rate", "within", "tax"),
    [
        # 100.05 at 18 %: 18.009 together, 9.0045 each.
        (10_005, "18", False, Tax(igst=1801)),
        (10_005, "18", True, Tax(cgst=900, sgst=900)),
        # 0.03 at 18 %: half a paisa and more goes up, less is dropped.
        (3, "18", False, Tax(igst=1)),
        (3, "18", True, Tax()),
        (6, "18", True, Tax(cgst=1, sgst=1)),
        # 0.10 at 5 %: exactly half a paisa goes up, as fifty paise do by section 170.
        (10, "5", False, Tax(igst=1)),
        (10, "5", True, Tax()),
        (20, "5", True, Tax(cgst=1, sgst=1)),
        (150_000, "18", True, Tax(cgst=13_500, sgst=13_500)),
        (150_000, "0", True, Tax()),
    ],
)
def test_taxes_by_hand(paise: int, rate: str, within: bool, tax: Tax) -> None:
    assert tax_on(paise, Decimal(rate), is_within_state=within) == tax


@pytest.mark.parametrize(
    ("quantity", "price", "total"),
    [
        ("1", 150_000, 150_000),
        ("0.01", 50, 1),
        ("0.01", 49, 0),
        ("12.50", 1899, 23_738),
        ("3", 0, 0),
    ],
)
def test_what_a_line_comes_to(quantity: str, price: int, total: int) -> None:
    # 12.50 at 18.99 is 237.375.
    assert line_total(Decimal(quantity), price) == total


def test_exactly_half_a_paisa_goes_up_and_the_next_below_it_down() -> None:
    assert (half_up(Decimal("0.5")), half_up(Decimal("0.499999999999999999999999999999"))) == (1, 0)


def test_an_invoice_is_the_plain_sum_of_its_rounded_lines() -> None:
    items = [Item("a", "9983", Decimal(1), 3, Decimal(18)) for _ in range(3)]
    # Three lines of 0.03: 0.0054 of tax each, which is 0.01 on each line, not 0.02 in all.
    assert sum_of(price_lines(items, is_within_state=False)) == Totals(9, 0, 0, 3)
    assert sum_of(price_lines(items, is_within_state=True)) == Totals(9, 0, 0, 0)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.booleans(), st.lists(st.integers(1, 10**9)))
def test_credit_notes_together_take_back_each_tax_and_no_more(
    subtotal: int, tax: int, within: bool, parts: list[int]
) -> None:
    of = Totals(subtotal, tax, tax, 0) if within else Totals(subtotal, 0, 0, tax)
    credited, taken = 0, [0, 0, 0, 0]
    for part in [*parts, 2 * 10**10]:
        amount = min(part, of.total - credited)
        if amount <= 0:
            break
        note = share(of, credited, amount)
        assert note.total == amount
        assert min(note.cgst, note.sgst, note.igst) >= 0
        fields = (note.subtotal, note.cgst, note.sgst, note.igst)
        taken = [a + b for a, b in zip(taken, fields, strict=True)]
        credited += amount
    if of.total:
        assert taken == [of.subtotal, of.cgst, of.sgst, of.igst]
