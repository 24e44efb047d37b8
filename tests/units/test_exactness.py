from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.land_units import LandUnits
from contracts.quantities import Quantity
from engine.units import Place, UnitRegistry

LENGTHS = ("m", "cm", "km", "ft", "inch", "yard")
AREAS = ("sqm", "are", "hectare", "sqft", "sqyd", "acre", "katha", "bigha", "dhur", "decimal")
RATES = tuple(f"INR/{unit}" for unit in AREAS)
TIMES = ("month", "year")
PATNA = Place("Bihar", "Patna")

same_dimension = st.sampled_from((LENGTHS, AREAS, RATES, TIMES, ("percent", "1"))).flatmap(
    lambda units: st.tuples(st.sampled_from(units), st.sampled_from(units))
)
numbers = st.decimals(
    min_value=-(10**18), max_value=10**18, allow_nan=False, allow_infinity=False, places=12
)


def one(number, unit):
    return Quantity(((number, unit),))


@given(units=same_dimension, number=numbers)
def test_there_and_back_is_the_same_number_to_the_last_digits(registry, units, number):
    there = registry.convert(one(number, units[0]), units[1], PATNA).value
    back = registry.convert(one(there, units[1]), units[0], PATNA).value

    # Each way is rounded once, by at most half a unit of the 34th digit.
    assert abs(Fraction(back) - Fraction(number)) <= abs(Fraction(number)) / 10**33


@given(units=same_dimension, number=numbers)
def test_a_conversion_is_the_exact_quotient_rounded_once(registry, units, number):
    unit, target = (registry.resolve(name, PATNA) for name in units)
    exact = Fraction(number) * unit.worth / target.worth

    rounded = Context(prec=34).divide(Decimal(exact.numerator), Decimal(exact.denominator))

    assert registry.convert(one(number, units[0]), units[1], PATNA).value == rounded


@given(numbers, numbers)
def test_several_terms_are_their_exact_sum(registry, first, second):
    terms = ((first, "bigha"), (second, "katha"))

    found = registry.convert(Quantity(terms), "sqft", PATNA).value

    exact = Fraction(first) * 27225 + Fraction(second) * Fraction("1361.25")
    assert found == Context(prec=34).divide(Decimal(exact.numerator), Decimal(exact.denominator))


def test_the_table_of_pint_agrees_with_the_data_worked_in_fractions(registry, table):
    everywhere = {"": Fraction(1)}
    for entry in table.units:
        number, _, of = (entry.factor or "1").partition(" ")
        worth = Fraction(number) * everywhere[of]
        if entry.places is None:
            everywhere[entry.name] = worth
        for place in entry.places or (None,):
            name = entry.name
            where = None
            if place is not None:
                name += f" {place.qualifier}" if place.qualifier else ""
                where = Place(place.state, place.district)
            assert registry.resolve(name, where).worth == worth


def test_a_square_foot_is_the_square_of_a_foot(registry):
    sides = registry.fixed_unit("ft").worth, registry.fixed_unit("yard").worth

    assert registry.fixed_unit("sqft").worth == sides[0] ** 2
    assert registry.fixed_unit("sqyd").worth == sides[1] ** 2


def _table(**changes):
    raw = {
        "units": [
            {"name": "sqm", "dimension": "area", "source": "SI"},
            {"name": "are", "dimension": "area", "factor": "100 sqm", "source": "SI"},
        ],
        "states": [{"name": "Kerala"}],
    }
    return {**raw, **changes}


BASE = {"name": "sqm", "dimension": "area", "source": "SI"}


@pytest.mark.parametrize(
    ("units", "fault"),
    [
        ([BASE, {**BASE, "name": "sqft"}], "area has its base already"),
        ([{**BASE, "name": "are", "factor": "100 sqm"}, BASE], "further up"),
        ([BASE, {**BASE, "name": "ft", "dimension": "length", "factor": "1 sqm"}], "further up"),
        ([BASE, {**BASE, "name": "are", "factor": "0 sqm"}], "positive"),
        ([BASE, {**BASE, "name": "are", "factor": "hundred sqm"}], "not a number with a unit"),
        ([BASE, {**BASE, "factor": "2 sqm"}], "two worths everywhere"),
        ([BASE, {**BASE, "dimension": "length"}], "sqm has two dimensions"),
        ([BASE, {**BASE, "name": "are", "factor": "1 sqm", "aliases": ["Sqm"]}], "both for"),
        (
            [BASE, {**BASE, "name": "cent", "factor": "1 sqm", "places": [{"state": "Kerela"}]}],
            "no state 'Kerela'",
        ),
        (
            [
                BASE,
                {
                    **BASE,
                    "name": "cent",
                    "factor": "1 sqm",
                    "places": [{"state": "Kerala", "district": "Kollam", "qualifier": "old"}],
                },
            ],
            "no district 'Kollam' in Kerala; cent: no qualifier 'old'",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(units, fault):
    with pytest.raises(ValueError, match=fault):
        LandUnits.model_validate(_table(units=units))


def test_a_district_of_no_listed_state_is_refused():
    districts = [{"name": "Kollam", "state": "Kerela"}]

    with pytest.raises(ValueError, match="district Kollam: no state 'Kerela'"):
        LandUnits.model_validate(_table(districts=districts))


def test_two_values_at_one_place_are_ambiguous_whatever_the_table_says_of_qualifiers():
    local = {"name": "cent", "dimension": "area", "source": "made up"}
    units = [
        BASE,
        {**local, "factor": "40 sqm", "places": [{"state": "Kerala"}]},
        {**local, "factor": "41 sqm", "places": [{"state": "Kerala"}]},
    ]
    registry = UnitRegistry(LandUnits.model_validate(_table(units=units)))

    found = registry.resolve("cent", Place("Kerala"))

    assert found.code == "UNIT_AMBIGUOUS"


def test_a_district_s_value_goes_before_its_state_s():
    local = {"name": "cent", "dimension": "area", "source": "made up"}
    units = [
        BASE,
        {**local, "factor": "40 sqm", "places": [{"state": "Kerala"}]},
        {**local, "factor": "41 sqm", "places": [{"state": "Kerala", "district": "Kollam"}]},
    ]
    districts = [{"name": "Kollam", "state": "Kerala", "aliases": ["Quilon"]}]
    registry = UnitRegistry(LandUnits.model_validate(_table(units=units, districts=districts)))

    assert registry.resolve("cent", Place("Kerala", "Quilon")).worth == 41
    assert registry.resolve("cent", Place("Kerala", "Idukki")).worth == 40
    assert registry.resolve("cent", Place("Kerala")).worth == 40
