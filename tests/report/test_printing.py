"""Texts of the report, worked out by hand."""

import typing
from datetime import date, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel

from contracts.contract import Contract
from contracts.evidence import Evidence
from contracts.quantities import parse_quantity
from contracts.shapes import alternatives, is_model, options
from factory.report import printing

NB = printing.NO_BREAK


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("17764480", "INR", "₹1,77,64,480"),
        ("0", "INR", "₹0"),
        ("-2500", "INR", "-₹2,500"),
        ("1500.5", "INR", "₹1,500.50"),
        ("55972.33416689055600333422889068", "INR/sqm", "₹55,972.33 per sq m"),
        ("5200", "INR/sqft", "₹5,200 per sq ft"),
        ("900000", "INR/cent", "₹9,00,000 per cent"),
        ("12.00", "percent", "12.00 %"),
        ("26.82926829", "percent", "26.8293 %"),
        ("134.70940800", "sqm", "134.71 sq m"),
        ("222.967296", "sqm", "222.97 sq m"),
        ("0.004", "sqm", "0.0040 sq m"),
        ("2400", "sqft", "2,400 sq ft"),
        ("6.59", "cent", "6.59 cent"),
        ("18.2880", "m", "18.29 m"),
        ("1", "year", "1 year"),
        ("8", "year", "8 years"),
        ("1.27", "number", "1.27"),
        ("43560", None, "43,560"),
    ],
)
def test_a_figure_is_written_with_its_unit(value, unit, text):
    assert printing.figure(Decimal(value), unit) == text.replace(" ", NB)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("6.59 cent", "6.59 cent"),
        ("900000 INR/cent", "₹9,00,000 per cent"),
        ("₹ 2000 per sqft", "₹2,000 per sq ft"),
        ("5 crore INR", "₹5,00,00,000"),
        ("1250.5 INR", "₹1,250.50"),
        ("1250.125 INR", "₹1,250.125"),
        ("7.7142857142 %", "7.7142857142 %"),
        ("12345678.123456 sqft", "1,23,45,678.123456 sq ft"),
        ("1 year", "1 year"),
        ("2400", "2,400"),
    ],
)
def test_a_quantity_is_written_as_it_was_entered_with_every_digit(written, text):
    assert printing.entered(parse_quantity(written)) == text.replace(" ", NB)


def test_terms_of_a_quantity_may_part_at_the_end_of_a_line():
    assert printing.entered(parse_quantity("3 bigha 2 katha")) == f"3{NB}bigha 2{NB}katha"


def test_a_quantity_of_another_place_names_the_place():
    quantity = parse_quantity("3 bigha")
    elsewhere = type(quantity)(quantity.terms, "Patna, Bihar")
    assert printing.entered(elsewhere) == f"3{NB}bigha (as in Patna, Bihar)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("17764480", "₹1.776448 crore"),
        ("10000000", "₹1 crore"),
        ("9999999", "₹99.99999 lakh"),
        ("100000", "₹1 lakh"),
        ("99999", "₹99,999"),
        ("0", "₹0"),
        ("-37300000", "-₹3.73 crore"),
        ("1234567890123", "₹1,23,456.7890123 crore"),
    ],
)
def test_an_amount_in_crore_or_lakh_loses_no_digit(value, text):
    assert printing.amount_short(Decimal(value)) == text.replace(" ", NB)


def test_an_amount_without_its_sign_keeps_its_minus():
    assert printing.amount_plain(Decimal(-2500)) == "-2,500"


def test_a_date_is_written_in_words_whatever_the_locale():
    assert printing.day(date(2026, 11, 12)) == f"12{NB}November{NB}2026"
    assert printing.moment(datetime(2026, 1, 2, 9, 5)) == f"2{NB}January{NB}2026, 09:05"  # noqa: DTZ001


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a\tb", "a b"),
        ("first\r\nsecond\rthird\x0bfourth", "first\nsecond\nthird\nfourth"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("\u202e123\u202c turned", "123 turned"),
        ("\ud800 half", "half"),
        ("  blanks  ", "blanks"),
        ("ಮೈಸೂರು ₹ 😀", "ಮೈಸೂರು ₹ 😀"),
    ],
)
def test_a_text_holds_nothing_that_a_document_cannot(written, text):
    assert printing.text(written) == text


def test_a_position_says_on_which_side_it_lies():
    assert printing.coordinate(Decimal("12.337512"), "N", "S") == f"12.337512°{NB}N"
    assert printing.coordinate(Decimal("-0.5"), "E", "W") == f"0.5°{NB}W"


def choices(model, seen=frozenset()):
    """Every word of a choice, in a model and the models inside it."""
    for field in model.model_fields.values():
        for base, metadata in alternatives(field.annotation, tuple(field.metadata)):
            yield from options(((base, metadata),))
            for inner in (base, *typing.get_args(base)):
                if is_model(inner) and issubclass(inner, BaseModel) and inner not in seen:
                    yield from choices(inner, seen | {model, inner})


def test_every_choice_of_the_contract_has_words_that_a_bank_reads():
    words = set(choices(Contract)) - {"UNKNOWN"}
    assert {"LAND_BUILDING", "FREEHOLD", "SUPER_BUILT_UP"} <= words
    assert sorted(words - printing.WORDS.keys()) == []
    kinds = {*options(tuple(alternatives(Evidence.model_fields["doc_type"].annotation)))}
    assert sorted(kinds - printing.WORDS.keys()) == []


def test_an_unknown_choice_is_not_shown_in_capitals():
    assert printing.choice("UNKNOWN") == printing.NOT_KNOWN
    assert printing.choice("SOMETHING_NEW") == "Something new"
