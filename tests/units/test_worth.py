"""Worths worked by hand from the sources that rules/units.yaml names."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.quantities import parse_quantity
from engine.units import Converted, Place, Unit

ROOT = Path(__file__).resolve().parents[2]

# 1 ft = 0.3048 m exactly, so 1 sqft = 0.3048 x 0.3048 = 0.09290304 sqm.
SQUARE_METRES = [
    ("sqft", None, "0.09290304"),
    ("sqyd", None, "0.83612736"),  # 9 sqft
    ("acre", None, "4046.8564224"),  # 43,560 sqft
    ("are", None, "100"),
    ("hectare", None, "10000"),
    ("cent", Place("Kerala"), "40.468564224"),  # 435.6 sqft
    ("decimal", Place("West Bengal"), "40.468564224"),
    ("guntha", Place("Maharashtra"), "101.17141056"),  # 1,089 sqft, 40 per acre
    ("ground", Place("Tamil Nadu"), "222.967296"),  # 2,400 sqft
    ("ankanam", Place("Andhra Pradesh"), "6.68901888"),  # 72 sqft
    ("kanal", Place("Punjab"), "505.8570528"),  # 5,445 sqft
    ("marla statute", Place("Haryana"), "25.29285264"),  # 272.25 sqft
    ("sarsahi", Place("Punjab"), "2.81031696"),  # 30.25 sqft
    ("murabba", Place("Punjab"), "101171.41056"),  # 25 acres
    ("bigha", Place("West Bengal"), "1337.803776"),  # 14,400 sqft
    ("bigha", Place("Assam"), "1337.803776"),
    ("katha", Place("West Bengal"), "66.8901888"),  # 720 sqft
    ("katha", Place("Assam"), "267.5607552"),  # 2,880 sqft
    ("chittack", Place("West Bengal"), "4.1806368"),  # 45 sqft, report R29
    ("lessa", Place("Assam"), "13.37803776"),  # 144 sqft
    ("bigha", Place("Bihar", "Patna"), "2529.285264"),  # 165 ft squared
    ("katha", Place("Bihar", "Patna"), "126.4642632"),  # 1,361.25 sqft
    ("dhur", Place("Bihar", "Patna"), "6.32321316"),  # 68.0625 sqft
    ("bigha pucca", Place("Uttar Pradesh"), "2529.285264"),
    ("bigha pucca", Place("Punjab"), "2529.285264"),
    ("bigha I", Place("Rajasthan"), "2529.285264"),
    ("bigha II", Place("Rajasthan"), "1618.74256896"),  # 132 ft squared
    ("bigha", Place("Gujarat"), "1618.74256896"),
    ("bigha", Place("Himachal Pradesh"), "809.37128448"),  # 968 sqyd
    ("bigha I", Place("Uttarakhand"), "809.37128448"),
    ("bigha II", Place("Uttarakhand"), "752.514624"),  # 900 sqyd
    ("bigha kachha", Place("Haryana"), "843.095088"),  # one third of 27,225 sqft
    ("bigha", Place("Madhya Pradesh"), "1114.83648"),  # 12,000 sqft
    ("biswa pucca", Place("Uttar Pradesh"), "126.4642632"),
    ("biswansi pucca", Place("Uttar Pradesh"), "6.32321316"),
]


@pytest.mark.parametrize(("unit", "place", "sqm"), SQUARE_METRES)
def test_each_area_unit_is_worth_its_square_metres(registry, unit, place, sqm):
    found = registry.resolve(unit, place)

    assert isinstance(found, Unit)
    assert (found.dimension, found.factor) == ("area", Decimal(sqm))


def convert(registry, text, target, place=None):
    found = registry.convert(parse_quantity(text), target, place)
    assert isinstance(found, Converted), found
    return found.value


def test_a_number_already_in_the_wanted_unit_is_not_touched(registry):
    place = Place("Kerala", "Thiruvananthapuram")

    assert str(convert(registry, "6.59 cent", "cent", place)) == "6.59"
    assert str(convert(registry, "900000 INR/cent", "INR/cent", place)) == "900000"
    assert str(convert(registry, "7.710 %", "percent")) == "7.710"


def test_a_decimal_of_bengal_and_a_cent_of_kerala_are_the_same_number(registry):
    in_bengal = registry.convert(
        parse_quantity("6.59 decimal"), "cent", Place("West Bengal"), target_place=Place("Kerala")
    )

    assert str(in_bengal.value) == "6.59"


@pytest.mark.parametrize(
    ("text", "target", "place", "value"),
    [
        ("2.67 are", "sqm", None, "267"),
        ("1076.39 sqft", "sqm", None, "99.9999032256"),  # 1076.39 x 0.09290304
        ("3 ft 6 inch", "ft", None, "3.5"),
        ("1 km", "m", None, "1000"),
        ("18 month", "year", None, "1.5"),
        ("1 year 3 months", "year", None, "1.25"),
        ("7.71 %", "1", None, "0.0771"),
        ("7.71 per cent", "1", None, "0.0771"),
        ("2 percent/year", "1/year", None, "0.02"),
        # West Bengal: 3 x 14,400 + 2 x 720
        ("3 bigha 2 katha", "sqft", Place("West Bengal"), "44640"),
        # Assam: 3 x 14,400 + 2 x 2,880
        ("3 bigha 2 katha", "sqft", Place("Assam"), "48960"),
        # Patna: 3 x 27,225 + 2 x 1,361.25
        ("3 bigha 2 katha", "sqft", Place("Bihar", "Patna"), "84397.5"),
        # Report R29's units: 5 x 720 + 3 x 45 + 10
        ("5 cottah 3 chittack 10 sqft", "sqft", Place("West Bengal"), "3745"),
        ("1 kanal", "marla statute", Place("Punjab"), "20"),
        ("1 kanal sixty inch karam", "marla sixty inch karam", Place("Punjab"), "20"),
        # old karam: 9 x (57.5 / 12) ft squared, about 22.96 square yards
        ("1 marla old karam", "sqft", Place("Punjab"), "206.640625"),
        ("3 bigha kachha", "bigha pucca", Place("Punjab"), "1"),
        ("1 murabba", "killa", Place("Haryana"), "25"),
        ("1 acre", "guntha", Place("Karnataka"), "40"),
        ("2500 INR/sqft", "INR/sqyd", None, "22500"),
        ("43560000 INR/acre", "INR/cent", Place("Kerala"), "435600"),
    ],
)
def test_conversions_that_come_out_even_are_exact(registry, text, target, place, value):
    assert convert(registry, text, target, place) == Decimal(value)


def test_a_conversion_that_never_ends_is_rounded_once_to_34_digits(registry):
    # 9,00,000 / 40.468564224, worked to 40 digits: 22239.48433204488080234195362789255923...
    assert convert(registry, "900000 INR/cent", "INR/sqm", Place("Kerala")) == Decimal(
        "22239.48433204488080234195362789256"
    )
    # 1 / 0.09290304 = 10.76391041670972230833350555590000111...
    assert convert(registry, "1 sqm", "sqft") == Decimal("10.76391041670972230833350555590000")


def test_the_factor_and_source_come_back_for_the_report_to_print(registry):
    found = registry.convert(parse_quantity("6.59 cent"), "sqm", Place("Kerala"))

    assert found.factor == Decimal("40.468564224")
    assert found.definition == "1 cent = 435.6 sqft"
    assert found.source == "assetyogi.com/guides land-measurement-units"
    assert not found.disputed


def test_several_terms_bring_each_definition_and_no_single_factor(registry):
    found = registry.convert(parse_quantity("3 bigha 2 katha"), "sqm", Place("Bihar", "Patna"))

    assert found.factor is None
    assert found.definition == "1 bigha = 27225 sqft; 1 katha = 1361.25 sqft"
    assert found.disputed


def test_a_disputed_worth_says_so_with_its_note(registry):
    patna = registry.resolve("katha", Place("Bihar", "Patna"))
    bengal = registry.resolve("katha", Place("West Bengal"))

    assert (patna.disputed, bengal.disputed) == (True, False)
    assert "720 to 3267" in patna.note


def test_the_page_on_units_carries_the_table_of_the_data():
    script = ROOT / "scripts" / "write_unit_table.py"
    done = subprocess.run(
        [sys.executable, script, "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")
