from decimal import Decimal

import pytest
from babel.numbers import format_currency, format_decimal
from hypothesis import given
from hypothesis import strategies as st

from engine.indian_numbers import (
    grouped,
    number_words,
    parse_rupee_words,
    printed,
    rupee_words,
)

amounts = st.decimals(
    min_value=-(10**17), max_value=10**17, allow_nan=False, allow_infinity=False, places=2
)


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        ("0", None, "0"),
        ("999", None, "999"),
        ("1000", None, "1,000"),
        ("99999", None, "99,999"),
        ("100000", None, "1,00,000"),
        ("12345678", None, "1,23,45,678"),
        ("12345678.50", None, "1,23,45,678.50"),
        ("-100000", None, "-1,00,000"),
        ("-0.00", None, "0.00"),
        ("1E+5", None, "1,00,000"),
        ("12345678.5", 2, "1,23,45,678.50"),
        ("0.5", 0, "1"),
        ("0.49", 0, "0"),
        ("-0.5", 0, "-1"),
        ("99999.995", 2, "1,00,000.00"),
    ],
)
def test_grouping_is_three_then_two_and_two(number, decimals, text):
    assert grouped(Decimal(number), decimals) == text


@given(amounts)
def test_grouping_is_what_babel_prints_for_india(number):
    babel = format_decimal(number, locale="en_IN", decimal_quantization=False)

    # Babel drops zeros at the end, which were entered and are kept here.
    ours = grouped(number)
    assert ours.rstrip("0").rstrip(".") == babel if "." in ours else ours == babel


@given(amounts)
def test_money_is_what_babel_prints_for_india(number):
    whole = number == number.to_integral_value()
    babel = format_currency(
        number,
        "INR",
        locale="en_IN",
        format="¤#,##,##0" if whole else None,
        currency_digits=not whole,
    )

    assert printed(number, "INR") == (babel if number else "₹0")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "Rupees Zero Only"),
        ("1", "Rupees One Only"),
        ("99", "Rupees Ninety Nine Only"),
        ("100", "Rupees One Hundred Only"),
        ("105", "Rupees One Hundred Five Only"),
        ("99999", "Rupees Ninety Nine Thousand Nine Hundred Ninety Nine Only"),
        ("100000", "Rupees One Lakh Only"),
        ("9999999", "Rupees Ninety Nine Lakh Ninety Nine Thousand Nine Hundred Ninety Nine Only"),
        ("10000000", "Rupees One Crore Only"),
        ("37300000", "Rupees Three Crore Seventy Three Lakh Only"),  # report R20
        ("1000000000", "Rupees One Hundred Crore Only"),  # never one arab
        ("10000000000", "Rupees One Thousand Crore Only"),
        ("10000000000000", "Rupees Ten Lakh Crore Only"),
        ("100000000000000", "Rupees One Crore Crore Only"),
        ("1000000000000000", "Rupees Ten Crore Crore Only"),
        ("0.05", "Paise Five Only"),
        ("1.50", "Rupees One and Paise Fifty Only"),
        (
            "1204567.89",
            "Rupees Twelve Lakh Four Thousand Five Hundred Sixty Seven and Paise Eighty Nine Only",
        ),
        ("-500.25", "Minus Rupees Five Hundred and Paise Twenty Five Only"),
        ("0.004", "Rupees Zero Only"),
        ("0.005", "Paise One Only"),
        ("-0.004", "Rupees Zero Only"),
        ("99.995", "Rupees One Hundred Only"),
    ],
)
def test_amounts_are_said_in_lakh_and_crore(amount, words):
    assert rupee_words(Decimal(amount)) == words


@given(amounts)
def test_words_read_back_are_the_amount(amount):
    assert parse_rupee_words(rupee_words(amount)) == amount


@given(st.integers(min_value=0, max_value=10**40))
def test_words_of_any_size_read_back(amount):
    assert parse_rupee_words(rupee_words(Decimal(amount))) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("RUPEES THREE CRORE SEVENTY THREE LAKHS ONLY", "37300000"),  # as report R20 prints it
        ("(Rupees Ninety-Six Lacs Only)", "9600000"),
        ("Rs. One Crore, Nineteen Lakhs and Sixty Five Thousand only.", "11965000"),
        ("₹ five hundred", "500"),
        ("two cr fourty lac", "24000000"),
        ("one hundred and five", "105"),
        ("Five rupees and fifty paise", "5.50"),
        ("five rupees fifty paise only", "5.50"),
        ("Rupees one hundred and fifty and fifty paise only", "150.50"),
        ("Rupees Five and Paise Fifty Only", "5.50"),
        ("fifty paise", "0.50"),
        ("one hundred fifty lakh", "15000000"),
        ("minus rupees five only", "-5"),
        ("Rupees Zero Only", "0"),
    ],
)
def test_words_are_read_as_reports_write_them(text, amount):
    assert parse_rupee_words(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rupees only",
        "Rs. 3,73,00,000/-",
        "three crore seventy something lakh",
        "lakh",
        "hundred",
        "seventy three crore lakh",
        "two lakh three lakh",
        "five thousand two lakh thousand",
        "twenty ten",
        "twenty zero",
        "three seventy",
        "zero lakh",
        "Rupees five fifty paise",  # 5.50, or 550 of something?
        "Rupees five and paise one hundred",
        "rupees paise",
        "rupees five rupees six",
        "five paise six paise",
        "crore " * 100_000,
    ],
)
def test_words_that_state_no_clear_amount_are_not_guessed(text):
    assert parse_rupee_words(text) is None


HEAP = [
    "one",
    "seven",
    "twenty",
    "hundred",
    "lakh",
    "crore",
    "and",
    "rupees",
    "paise",
    "minus",
    "x",
]


@given(st.lists(st.sampled_from(HEAP), max_size=12))
def test_any_heap_of_words_is_read_or_refused(words):
    amount = parse_rupee_words(" ".join(words))

    assert amount is None or parse_rupee_words(rupee_words(amount)) == amount


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("11965000", "INR", "₹1,19,65,000"),
        ("11965000.00", "INR", "₹1,19,65,000"),
        ("0.5", "INR", "₹0.50"),
        ("-5000", "INR", "-₹5,000"),
        ("59306.995", "INR", "₹59,307.00"),
        ("900000", "INR/cent", "₹9,00,000 per cent"),
        ("22239.48433204488080234195362789256", "INR/sqm", "₹22,239.48 per sqm"),
        ("12", "INR/sqft/month", "₹12 per sqft per month"),
        ("7.71", "percent", "7.71 %"),
        ("20.00004", "percent", "20 %"),
        ("20.0001", "percent", "20.0001 %"),
        ("6.59", "cent", "6.59 cent"),
        ("2.0", "bigha pucca", "2.0 bigha pucca"),
        ("1", "year", "1 year"),
        ("6", "year", "6 years"),
        ("18", "month", "18 months"),
        ("0.02", "1/year", "0.02 per year"),
        ("1234567.89", None, "12,34,567.89"),
        ("1234567", "1", "12,34,567"),
        ("0.333333333", None, "0.3333"),
        ("0.000012345", "sqm", "0.000012 sqm"),
        ("0.000000", "sqm", "0 sqm"),
    ],
)
def test_messages_print_numbers_with_their_unit(value, unit, text):
    assert printed(Decimal(value), unit) == text


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0", "Zero"),
        ("250000", "Two Lakh Fifty Thousand"),
        ("-120.05", "Minus One Hundred Twenty Point Zero Five"),
        ("10000000000", "One Thousand Crore"),
    ],
)
def test_plain_numbers_have_words_without_rupees(number, words):
    assert number_words(Decimal(number)) == words
