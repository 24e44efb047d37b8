"""Regular expressions: the patterns of XML Schema with XPath's additions, in linear time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feel import evaluate
from engine.feel.patterns import PatternError, compile_pattern
from engine.feel.run import Run


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^fo*b", "foobar", True),
        ("^o", "foobar", False),
        ("r$", "foobar", True),
        ("a|b|", "", True),
        ("(ab)+c", "xababc", True),
        ("a{2}", "aab", True),
        ("^a{2,3}$", "aaaa", False),
        ("^a{2,}$", "aaaa", True),
        ("^a{0}b$", "b", True),
        ("[a-c]+$", "abc", True),
        ("[^a-c]", "abc", False),
        ("[a-z-[aeiou]]", "aei", False),
        ("[a-z-[aeiou]]", "aeib", True),
        ("[a-z-[m-n-[n]]]", "n", True),
        ("[-a]", "-", True),
        ("[a-]", "-", True),
        (r"[\-\]\[]", "]", True),
        (r"\d+\s\w+", "12 sqft", True),
        (r"^\D+$", "abc", True),
        (r"\p{Lu}", "abC", True),
        (r"\P{L}", "abc", False),
        (r"\p{IsDevanagari}+", "भूमि", True),
        (r"\p{Sc}", "₹100", True),
        (r"^\i\c*$", "plot-1.a", True),
        (r"^\i\c*$", "1plot", False),
        (r"\.", "abc", False),
        ("a.c", "a\nc", False),
        (r"(?:ab)+", "abab", True),
        (r"(a)(b)\2\1", "abba", True),
        (r"(a)(b)\2\1", "abab", False),
        (r"(a|b)\1", "ab", False),
        (r"^(a*)\1$", "aaaa", True),
    ],
)
def test_patterns_match_as_the_standard_says(pattern: str, text: str, matches: bool) -> None:
    found = evaluate("matches(t, p)", {"t": text, "p": pattern})

    assert found is matches


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "matches"),
    [
        ("FOO", "i", "foobar", True),
        ("[^f]", "i", "F", False),
        ("[A-Z-[OI]]", "i", "x", True),
        ("[A-Z-[OI]]", "i", "o", False),
        ("k", "i", "\u212a", True),
        (r"(a)\1", "i", "aA", True),
        ("a.c", "s", "a\nc", True),
        ("^b$", "m", "a\nb\nc", True),
        ("^b$", "", "a\nb\nc", False),
        ("a b [ ] c", "x", "ab c", True),
        ("a.c", "q", "abc", False),
        ("A.C", "qi", "xa.cx", True),
        ("[a", "q", "[a", True),
    ],
)
def test_flags_change_what_matches(pattern: str, flags: str, text: str, matches: bool) -> None:
    context = {"t": text, "p": pattern, "f": flags}

    assert evaluate("matches(t, p, f)", context) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "[", "[]", "[b-a]", "*", "a**", "a{2,1}", "a{x}", "a{1", r"\q", r"\0", r"\1",
     r"(a\1)", r"[\1]", r"\p{Xx}", r"\p{IsNowhere}", "(?=a)", "(?<n>a)", "}", "]", "\\", "[a[b]]",
     "(((a{1000}){1000}){1000})", "(" * 50 + ")" * 50, "a" * 2001],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_and_gives_null(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)
    assert evaluate("matches(t, p)", {"t": "a", "p": pattern}) is None


def test_unknown_flags_give_null() -> None:
    assert evaluate('matches("a", "a", "g")') is None
    assert evaluate('matches("a", "a", "")') is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")', "[1=ab][2=]cd"),
        ('replace("abracadabra", "a.*?a", "*")', "*c*bra"),
        ('replace("abracadabra", "bra", "*")', "a*cada*"),
        (r'replace("0123456789", "(\d{3})(\d{3})(\d{4})", "($1) $2-$3")', "(012) 345-6789"),
        ('replace("a-b", "-", "$0$0")', "a--b"),
        (r'replace("a.b", "\.", "\\$1")', "a$1b"),
        # There is no group 12 and no group 1: the 2 is text, and group 1 is empty.
        ('replace("abc", "b", "$12")', "a2c"),
        ('replace("abc", "x", "y")', "abc"),
        ('replace("abc", "B", "y", "i")', "ayc"),
        ('replace("a.c", ".", "$1", "q")', "a$1c"),
        ('replace("abc", "b", "$")', None),
        (r'replace("abc", "b", "\\x")', None),
        ('replace("abc", "x*", "-")', None),
        ('split("a1b22c", "[0-9]+")', ["a", "b", "c"]),
        ('split("abc", "")', None),
        ('split("abc", "x")', ["abc"]),
    ],
)  # fmt: skip
def test_replace_and_split_work_on_every_match_from_left_to_right(text: str, value: object) -> None:
    assert value == evaluate(text)


def test_patterns_that_make_backtrackers_slow_stay_quick() -> None:
    started = time.perf_counter()

    assert evaluate("matches(t, p)", {"t": "a" * 3000 + "!", "p": "^(a+)+$"}) is False
    assert evaluate("matches(t, p)", {"t": "a" * 60, "p": "a?" * 60 + "a" * 60}) is True
    assert evaluate("matches(t, p)", {"t": "a" * 3000, "p": "(a|a|a)*b"}) is False
    assert time.perf_counter() - started < 5


PARTS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:b)", "a*", "b+?", "(a?)", "b{1,2}"]
)


@given(st.lists(PARTS, max_size=6).map("".join), st.text("abc", max_size=8))
def test_the_first_match_is_the_one_that_pythons_matcher_finds(pattern: str, text: str) -> None:
    ours = compile_pattern(pattern).first_match(Run(), text)
    theirs = re.search(pattern, text)

    assert (None if ours is None else ours[:2]) == (None if theirs is None else theirs.span())
    if ours is not None and theirs is not None:
        groups = [theirs.span(number) for number in range(theirs.re.groups + 1)]
        assert list(zip(ours[::2], ours[1::2], strict=True)) == groups
