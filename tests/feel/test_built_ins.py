"""The built-in functions: hand-worked values, positions at both edges, wrong arguments."""

import re
from pathlib import Path

import pytest

from engine.feel import evaluate
from engine.feel.built_ins import BUILT_INS

GUIDE = Path(__file__).parents[2] / "docs" / "feel.md"

# Each line is a FEEL comparison that must be true.
TRUE = """
# numbers
decimal(1 / 3, 2) = 0.33
decimal(2.5, 0) = 2 and decimal(3.5, 0) = 4
decimal(1234.5, -2) = 1200
decimal(1, 6177) = null and decimal(1, -6112) = null
floor(1.5) = 1 and floor(-1.5) = -2 and floor(-1.56, 1) = -1.6
ceiling(1.5) = 2 and ceiling(-1.5) = -1 and ceiling(-1.56, 1) = -1.5
round up(5.5, 0) = 6 and round up(-5.5, 0) = -6 and round up(1.121, 2) = 1.13
round down(5.5, 0) = 5 and round down(-5.5, 0) = -5 and round down(1.126, 2) = 1.12
round half up(5.5, 0) = 6 and round half up(-5.5, 0) = -6 and round half up(1.126, 2) = 1.13
round half down(5.5, 0) = 5 and round half down(-5.5, 0) = -5 and round half down(1.126, 2) = 1.13
abs(-10) = 10 and abs(@"-PT5H") = @"PT5H" and abs(@"-P2M") = @"P2M"
modulo(12, 5) = 2 and modulo(-12, 5) = 3 and modulo(12, -5) = -3 and modulo(-12, -5) = -2
modulo(10.1, 4.5) = 1.1 and modulo(1, 0) = null and modulo(10, 5) = 0
sqrt(16) = 4 and sqrt(-1) = null
decimal(log(10), 6) = 2.302585 and log(0) = null
decimal(exp(1), 6) = 2.718282 and exp(0) = 1
odd(5) and not(odd(2)) and odd(1.5) = null and even(0) and even(-2) and not(even(5))
# strings
substring("foobar", 3) = "obar" and substring("foobar", 3, 3) = "oba" and substring("foobar", -2, 1) = "a"
substring("foobar", 1) = "foobar" and substring("foobar", 6) = "r" and substring("foobar", -6, 1) = "f"
substring("foobar", 0) = null and substring("foobar", 7) = null and substring("foobar", 1, 0) = null
substring("foobar", 3, 300) = "obar"
string length("foo") = 3 and string length("") = 0 and string length("₹🏠") = 2
upper case("aBc4") = "ABC4" and lower case("aBc4") = "abc4"
substring before("foobar", "bar") = "foo" and substring before("foobar", "x") = "" and substring before("foobar", "") = ""
substring after("foobar", "ob") = "ar" and substring after("", "a") = "" and substring after("foobar", "") = "foobar"
contains("foobar", "ob") and not(contains("foobar", "of")) and contains("a", "")
starts with("foobar", "fo") and ends with("foobar", "r") and not(ends with("foobar", "f"))
split("John Doe", "\\s") = ["John", "Doe"] and split("a;b;;", ";") = ["a", "b", "", ""]
string join(["a", "b", "c"], "_and_") = "a_and_b_and_c" and string join(["a", null, "c"]) = "ac"
string join([], "x") = "" and string join(["a", 1]) = null and string join("a", "x") = "a"
string(1.10) = "1.1" and string(1e3) = "1000" and string(true) = "true" and string(null) = null
string([1, "a", {b: null, "c d": @"P1D"}]) = "[1, \\"a\\", {b: null, c d: P1D}]"
string(@"2026-11-24") = "2026-11-24" and string(@"PT90M") = "PT1H30M" and string([1..5)) = "[1..5)"
number("1 000,0", " ", ",") = 1000 and number("1,000.5", ",", ".") = 1000.5 and number("-1e2") = -100
number("1,000", null, null) = null and number("1", ".", ".") = null and number("x") = null and number("1", ":", ".") = null
# lists
list contains([1, 2, null], null) and not(list contains([1, 2], 3)) and list contains([[1]], [1])
list replace([2, 4, 7, 8], 3, 6) = [2, 4, 6, 8] and list replace([1, 2], -1, 9) = [1, 9]
list replace([2, 4, 7, 8], function(item, new) item < new, 5) = [5, 5, 7, 8] and list replace([1], 2, 3) = null
count([1, 2, null]) = 3 and count([]) = 0 and count(5) = 1 and count(null) = null
min([1, 2, 3]) = 1 and min(3, 1, 2) = 1 and min(["b", "a"]) = "a" and min([]) = null and min([1, "a"]) = null
max(1, 2, 3) = 3 and max([@"2026-01-01", @"2026-02-01"]) = @"2026-02-01" and max(@"PT1H", @"PT2H") = @"PT2H"
sum([1, 2, 3]) = 6 and sum(1) = 1 and sum([]) = null and sum([@"PT1H", @"PT2H"]) = @"PT3H" and sum(["a"]) = null
mean([1, 2, 3]) = 2 and mean(1, 2) = 1.5 and mean([]) = null and mean([@"PT1H", @"PT3H"]) = @"PT2H"
all([true, false]) = false and all([]) and all([true, null]) = null and all(true, true)
any([false, true]) and any([]) = false and any([false, null]) = null and any(false) = false
sublist([4, 5, 6], 1, 2) = [4, 5] and sublist([4, 5, 6], -2) = [5, 6] and sublist([4, 5, 6], 3, 2) = null and sublist([1], 0) = null
append([1], 2, 3) = [1, 2, 3] and append([1], [2]) = [1, [2]] and append(1, 2) = [1, 2] and append([], null) = [null]
concatenate([1, 2], [3], 4) = [1, 2, 3, 4] and concatenate([1], null) = null
insert before([1, 3], 1, 2) = [2, 1, 3] and insert before([1, 3], -1, 2) = [1, 2, 3] and insert before([1], 2, 5) = null
remove([1, 2, 3], 2) = [1, 3] and remove([1, 2, 3], -1) = [1, 2] and remove([1], 2) = null
reverse([1, 2, 3]) = [3, 2, 1] and index of([1, 2, 3, 2], 2) = [2, 4] and index of([1], 5) = []
union([1, 2], [2, 3]) = [1, 2, 3] and distinct values([1, 2, 1.0, null, null]) = [1, 2, null]
flatten([[1, 2], [[3]], 4]) = [1, 2, 3, 4] and flatten([]) = []
product([2, 3, 4]) = 24 and product(2, 3) = 6 and product([]) = null and product([2, "a"]) = null
median(8, 2, 5, 3, 4) = 4 and median([6, 1, 2, 3]) = 2.5 and median([]) = null
decimal(stddev(2, 4, 7, 5), 6) = 2.081666 and stddev([47]) = null and stddev([1, 1, 1]) = 0
mode(6, 3, 9, 6, 6) = [6] and mode([6, 1, 9, 6, 1]) = [1, 6] and mode([]) = []
sort([3, 1, 2], function(x, y) x < y) = [1, 2, 3] and sort(["b", "a"]) = ["a", "b"] and sort([1, "a"]) = null
sort([{k: 2, n: 1}, {k: 1, n: 2}, {k: 2, n: 3}], function(x, y) x.k < y.k).n = [2, 1, 3]
sort([1, 2], function(x, y) "no") = null and sort([1, 2], function(x) x) = null
# contexts
get value({a: 5}, "a") = 5 and get value({a: 5}, "b") = null and get value({a: {b: 5}}, ["a", "b"]) = 5
get entries({a: 1, b: 2}) = [{key: "a", value: 1}, {key: "b", value: 2}] and get entries({}) = []
context([{key: "a", value: 1}, {key: "b", value: null}]) = {a: 1, b: null} and context([]) = {}
context([{key: "a", value: 1}, {key: "a", value: 2}]) = null and context([{key: "a"}]) = null
context put({a: 1}, "b", 2) = {a: 1, b: 2} and context put({a: {b: 1}}, ["a", "c"], 2) = {a: {b: 1, c: 2}}
context put({a: 1}, ["a", "b"], 2) = null and context put({}, [], 1) = null
context merge([{a: 1}, {a: 2, b: 3}]) = {a: 2, b: 3} and context merge([]) = {} and context merge({a: 1}) = {a: 1}
# ranges
before(1, 10) and not(before(10, 1)) and before([1..5], 10) and before([1..5), 5) and not(before([1..5], 5))
before(1, (1..5]) and before([1..5), [5..10]) and not(before([1..5], [5..10])) and before([1..5], (5..10])
after(10, 1) and after(10, [1..5]) and after((5..10], 5) and after([6..9], [1..5]) and not(after([5..9], [1..5]))
meets([1..5], [5..10]) and not(meets([1..5), [5..10])) and met by([5..10], [1..5]) and not(met by((5..10], [1..5]))
overlaps([1..5], [3..8]) and overlaps([1..8], [3..5]) and overlaps([1..5], [5..8]) and not(overlaps([1..5), [5..8]))
overlaps before([1..5], [3..8]) and overlaps before([1..5), (1..5]) and not(overlaps before([1..5], [6..8]))
overlaps after([3..8], [1..5]) and not(overlaps after([1..5], [3..8])) and not(overlaps after([6..8], [1..5]))
finishes(10, [1..10]) and not(finishes(10, [1..10))) and finishes([5..10], [1..10]) and not(finishes([5..10), [1..10]))
finished by([1..10], 10) and finished by([1..10], [5..10]) and includes([1..10], 5) and includes([1..10], [1..10))
not(includes([1..10), 10)) and during(5, [1..10]) and during((1..5), [1..10]) and not(during([1..5], (1..10]))
starts(1, [1..10]) and not(starts(1, (1..10])) and starts([1..5], [1..10]) and started by([1..10], [1..5]) and started by([1..10], 1)
coincides(5, 5) and not(coincides(3, 4)) and coincides([1..5], [1..5]) and not(coincides((1..5], [1..5]))
before(1, "a") = null and meets(1, [1..2]) = null and before([1..2], null) = null and coincides(1, [1..2]) = null
is(1, 1.0) and not(is(1, "1")) and not(is(@"10:00:00Z", @"10:00:00")) and is(@"10:00:00Z", @"10:00:00+00:00")
is(@"10:00:00@Asia/Kolkata", @"10:00:00@Asia/Kolkata") and not(is(@"10:00:00@Asia/Kolkata", @"10:00:00+05:30"))
not(is(@"2026-05-01T10:00:00@Asia/Kolkata", @"2026-05-01T10:00:00+05:30")) and is(@"P14M", @"P1Y2M")
is(value1: 7) = false and is(value2: null) and is(value2: 7, value1: 7) and is(value1: 7, value2: 7, other: 7) = null
range("[18..21)") = [18..21) and range("(..2]") = (<= 2) and range("[..2]") = null and range("[2..1]") = null
range("< 5") = null and range("=5") = null and range("[null..5]") = null
range("[\\"a\\"..\\"c\\"]") = ["a".."c"] and range("[@\\"2026-01-01\\"..date(\\"2026-02-01\\")]").end = @"2026-02-01"
# a fraction of a position is cut off
list replace([7, 8, 9], 1.9, 0) = [0, 8, 9] and list replace([7, 8, 9], -3.9, 0) = [0, 8, 9]
list replace([7], 0.9, 0) = null and list replace([7], 2.0, 0) = null and list replace([7], -2, 0) = null
remove([7, 8], 2.5) = [7] and insert before([7, 8], 1.5, 6) = [6, 7, 8] and sublist([7, 8, 9], 2.5, 1.5) = [8]
# named arguments
substring(start position: 2, string: "abc") = "bc" and round up(scale: 1, n: 1.11) = 1.2
substring(start: 2, string: "abc") = null and max(list: [1, 2]) = 2 and append(list: [1], item: 2) = [1, 2]
# one value for a list of one, and the other way round
abs([-1]) = 1 and upper case(["a"]) = "A" and list contains(1, 1) and abs([1, 2]) = null
"""


@pytest.mark.parametrize(
    "comparison", [line for line in TRUE.splitlines() if line and not line.startswith("#")]
)
def test_built_in_functions_give_what_was_worked_out_by_hand(comparison: str) -> None:
    assert evaluate(comparison) is True


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_a_built_in_says_in_one_line_what_it_gives(name: str) -> None:
    assert re.fullmatch(r"[A-Z].*[.]", BUILT_INS[name].summary)


def test_the_guide_lists_every_built_in_with_its_line() -> None:
    tables = GUIDE.read_text("utf-8").partition("## Built-in functions")[2]
    listed = dict(re.findall(r"^\| `([a-z ]+)\(.*` \| (.*) \|$", tables, re.MULTILINE))

    assert listed == {built_in.name: built_in.summary for built_in in BUILT_INS.values()}


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_a_built_in_with_too_many_arguments_is_null(name: str) -> None:
    built_in = BUILT_INS[name]
    if not built_in.variadic:
        count = max(len(signature) for signature in built_in.signatures) + 1
        assert evaluate(f"{name}({', '.join(['1'] * count)})") is None


@pytest.mark.parametrize("name", sorted(set(BUILT_INS) - {"today", "now"}))
def test_a_built_in_without_arguments_is_null(name: str) -> None:
    assert evaluate(f"{name}()") is None


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_a_built_in_is_a_value_that_can_be_handed_on(name: str) -> None:
    assert evaluate(f"{name} instance of function") is True
