import pytest

from contracts.quantities import Quantity, parse_quantity
from engine.units import Place, Unit, UnitProblem, written


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("sq ft", "sqft"),
        ("Sq. Ft.", "sqft"),
        ("sft", "sqft"),
        ("square feet", "sqft"),
        ("sq m", "sqm"),
        ("sq. metres", "sqm"),
        ("m²", "sqm"),
        ("gaj", "sqyd"),
        ("Cents", "cent"),
        ("ha", "hectare"),
        ("feet", "ft"),
        ("yrs", "year"),
        ("%", "percent"),
        ("Per Cent", "percent"),
        ("₹", "INR"),
        ("Rs. per Sq.Ft.", "INR/sqft"),
        ("INR PER cent", "INR/cent"),
        ("pucca bighas", "bigha pucca"),
        ("Beegha (pakka)", "bigha pucca"),
        ("marla sixty-inch karam", "marla sixty inch karam"),
        ("1/year", "1/year"),
        ("1", "1"),
        ("INR/sqft/month", "INR/sqft/month"),
        ("sqft*INR/sqft", "INR"),
    ],
)
def test_spellings_lead_to_one_name(registry, text, canonical):
    assert registry.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("sqft", "area"),
        ("bigha", "area"),
        ("ft", "length"),
        ("ft*ft", "area"),
        ("ft*sqft", "length*length*length"),
        ("INR", "money"),
        ("INR/sqm", "money/area"),
        ("INR/bigha", "money/area"),
        ("INR/ft", "money/length"),
        ("INR/sqft/month", "money/time/area"),
        ("year", "time"),
        ("1/year", "1/time"),
        ("percent", "ratio"),
        ("percent/year", "1/time"),
        ("sqft/sqm", "ratio"),
        ("1", "ratio"),
    ],
)
def test_a_unit_text_has_a_dimension_without_a_place(registry, text, dimension):
    assert registry.dimension_of(text) == dimension
    assert registry.dimension_of(registry.powers(text)) == dimension


def test_a_unit_text_is_a_product_of_named_units(registry):
    assert registry.powers("Rs per sq ft") == {"INR": 1, "sqft": -1}
    assert registry.powers("1") == {}
    assert written({"INR": 1, "sqft": -1}) == "INR/sqft"


def test_a_unit_worth_the_same_everywhere_is_fixed_and_a_local_one_is_not(registry):
    assert isinstance(registry.fixed_unit("INR/sqm"), Unit)
    assert registry.fixed_unit("INR/cent").code == "UNIT_NEEDS_PLACE"
    assert registry.fixed_unit("sqmm").code == "UNIT_UNKNOWN"


def problem(registry, text, place, target="sqft"):
    found = registry.convert(parse_quantity(text), target, place)
    assert isinstance(found, UnitProblem), found
    return found


def test_a_misspelt_unit_is_named_with_the_nearest_spelling(registry):
    found = problem(registry, "5 ktha", Place("Bihar"))

    assert (found.code, found.suggestions) == ("UNIT_UNKNOWN", ("katha",))
    assert "did you mean katha?" in found.message


def test_a_misspelt_part_of_a_rate_is_pointed_at(registry):
    found = problem(registry, "500 INR/sqtf", None, "INR/sqft")

    assert found.code == "UNIT_UNKNOWN"
    assert found.message.startswith("'sqtf' in 'INR/sqtf'")


def test_a_number_without_a_unit_is_missing_one(registry):
    assert problem(registry, "5", None).code == "UNIT_MISSING"
    assert registry.resolve("  ", None).code == "UNIT_MISSING"


def test_a_local_unit_needs_a_state(registry):
    for place in (None, Place(), Place(" "), Place(None, "Thiruvananthapuram")):
        found = problem(registry, "6.59 cent", place)

        assert found.code == "UNIT_NEEDS_PLACE"
        assert "Kerala" in found.message


def test_a_misspelt_state_is_named_with_the_nearest_one(registry):
    found = problem(registry, "6.59 cent", Place("Kerela"))

    assert (found.code, found.suggestions) == ("UNIT_NEEDS_PLACE", ("Kerala",))


def test_a_unit_that_differs_by_district_needs_the_district(registry):
    found = problem(registry, "5 katha", Place("Bihar"))

    assert found.code == "UNIT_NEEDS_PLACE"
    assert "Patna, Bihar" in found.suggestions


def test_a_unit_outside_its_places_is_not_used_there(registry):
    assert problem(registry, "6.59 cent", Place("Punjab")).code == "UNIT_NOT_USED_HERE"
    assert problem(registry, "5 katha", Place("Bihar", "Gaya")).code == "UNIT_NOT_USED_HERE"
    assert problem(registry, "1 bigha kachha", Place("Rajasthan")).code == "UNIT_NOT_USED_HERE"
    assert "Patna in Bihar" in problem(registry, "5 katha", Place("Bihar", "Gaya")).message


def test_a_unit_with_several_values_at_a_place_lists_them(registry):
    found = problem(registry, "3 bigha", Place("Uttar Pradesh"))

    assert found.code == "UNIT_AMBIGUOUS"
    assert found.suggestions == ("bigha pucca", "bigha kachha")
    assert "'bigha pucca' (27225 sqft), 'bigha kachha' (9075 sqft)" in found.message


def test_each_listed_value_can_be_written_there(registry):
    place = Place("Punjab")
    for unit in ("bigha", "marla"):
        for suggestion in registry.resolve(unit, place).suggestions:
            assert isinstance(registry.resolve(suggestion, place), Unit)


def test_a_value_that_has_a_qualifier_is_not_taken_without_it(registry):
    found = registry.resolve("biswa", Place("Uttar Pradesh"))

    assert (found.code, found.suggestions) == ("UNIT_AMBIGUOUS", ("biswa pucca",))


def test_the_default_of_a_place_is_taken_when_no_qualifier_is_written(registry):
    assert registry.resolve("kanal", Place("Punjab")).definition == "1 kanal = 5445 sqft"


def test_a_length_is_no_area(registry):
    found = problem(registry, "5 m", None)

    assert found.code == "UNIT_WRONG_KIND"
    assert found.message == "m measures length, sqft area"


def test_an_unknown_target_is_a_problem_too(registry):
    found = problem(registry, "5 sqft", None, "sqmm")

    assert (found.code, found.suggestions) == ("UNIT_UNKNOWN", ("sqm",))


def test_terms_of_several_kinds_do_not_add_up(registry):
    assert problem(registry, "3 sqft 2 ft", None).code == "UNIT_WRONG_KIND"


@pytest.mark.parametrize(
    ("unit", "place", "also"),
    [
        ("decimal", Place("Odisha"), Place("  ORISSA ")),
        ("kanal", Place("Jammu and Kashmir"), Place("jammu & kashmir")),
        ("katha", Place("Bihar", "Patna"), Place("bihar", "Patna District")),
        ("katha", Place("Bihar", "Saran"), Place("BIHAR", "Chhapra")),
        ("katha", Place("West Bengal"), Place("WB", "Howrah")),
    ],
)
def test_places_are_known_by_their_other_spellings(registry, unit, place, also):
    assert isinstance(registry.resolve(unit, place), Unit)
    assert registry.resolve(unit, also) == registry.resolve(unit, place)


def test_a_quantity_names_its_own_place_before_the_property_s(registry):
    quantity = Quantity(parse_quantity("2 katha").terms, "Patna, Bihar")

    assert registry.convert(quantity, "sqft", Place("Assam")).value * 2 == 5445
    assert registry.place("Patna, Bihar") == registry.place("patna") == Place("Bihar", "Patna")
    assert registry.place("Patna, Bihar, ") == Place("Bihar", "Patna")
    assert registry.place("Kerala") == Place("Kerala")
    assert registry.place("") == Place()


def test_a_district_of_the_same_name_in_another_state_is_not_meant(registry):
    assert registry.resolve("katha", Place("Assam", "Patna")).definition == "1 katha = 2880 sqft"


def test_an_endless_unit_text_is_refused_and_not_remembered_whole(registry):
    for text in ("x" * 1_000_000, "sqft" + "*sqft" * 100):
        assert registry.resolve(text, None).code == "UNIT_UNKNOWN"
        assert registry.canonical(text).code == "UNIT_UNKNOWN"
        assert registry.dimension_of(text).code == "UNIT_UNKNOWN"


@pytest.mark.parametrize("text", ["/", "/sqft", "INR/", "INR//sqft", "*", "INR/per", "()", "per"])
def test_a_unit_text_with_a_hole_is_unknown(registry, text):
    assert registry.canonical(text).code == "UNIT_UNKNOWN"
