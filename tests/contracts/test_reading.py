"""Reading YAML and JSON: what is a problem, where it is shown, and what is never lost."""

import json
from decimal import Decimal

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import exact_json, strict_yaml
from contracts.document import Document, Limits, field_text, text_of
from contracts.exact_json import read_json
from contracts.problems import (
    LINE_BREAK,
    Problem,
    in_order,
    nearest,
    problems_to_json,
    render_problems,
    shown,
)
from contracts.strict_yaml import read_yaml
from tests.contracts.strategies import json_text, json_values

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


def codes(document):
    return [problem.code for problem in document.problems]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request, monkeypatch):
    monkeypatch.setattr(strict_yaml, "_LOADER", request.param)


def check_places(document):
    lines = LINE_BREAK.split(document.text)
    for problem in document.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.length >= 1
        assert problem.what


# YAML


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "code", "place", "in_fix"),
    [
        ("a: NO", "E103", (1, 4), 'Write false if that is meant, or "NO"'),
        ("a: yes", "E103", (1, 4), "Write true"),
        ("a: on", "E103", (1, 4), "Write true"),
        ("a: NULL", "E103", (1, 4), "Write null"),
        ("a: 012", "E104", (1, 4), "Write 12 "),
        ("a: -007.50", "E104", (1, 4), "Write -7.50 "),
        ("a: 1e3", "E104", (1, 4), "Write 1000 "),
        ("a: 1e99", "E104", (1, 4), 'Write "1e99"'),
        ("a: 12:30", "E104", (1, 4), 'Write "12:30"'),
        ("a: 0x1F", "E104", (1, 4), "Write 31 "),
        ("a: -0x_", "E104", (1, 4), 'Write "-0x_"'),
        ("a: 0o17", "E104", (1, 4), "Write 15 "),
        ("a: 0b101", "E104", (1, 4), "Write 5 "),
        ("a: 1_000", "E104", (1, 4), "Write 1000 "),
        ("a: +5", "E104", (1, 4), "Write 5 "),
        ("a: .5", "E104", (1, 4), "Write 0.5 "),
        ("a: .inf", "E104", (1, 4), 'Write ".inf"'),
        ("a: .NaN", "E104", (1, 4), 'Write ".NaN"'),
        ("a: !!str 5", "E106", (1, 4), ""),
        ("a: !x!y 5", "E106", (1, 4), ""),
        ("a: ! x", "E106", (1, 4), ""),
        ("a: &x {b: 1}", "E106", (1, 4), ""),
        ("a: &x [1]", "E106", (1, 4), ""),
        ("a: *x", "E106", (1, 4), ""),
        ("*x : 1", "E106", (1, 1), ""),
        ("<<: {a: 1}", "E106", (1, 1), ""),
        ("%YAML 1.1\n---\na: 1", "E106", (1, 1), ""),
        ("a: 1\nb: 2\na: 3", "E105", (3, 1), "Keep the one"),
        ("1: a", "E107", (1, 1), '"1": ...'),
        ("no: a", "E107", (1, 1), '"no": ...'),
        ("? \n: a", "E107", (1, 2), "Write a name"),
        ("[a]: b", "E107", (1, 1), "Write a name"),
        ("{a: 1,00,000}", "E107", (1, 7), '"00"'),
        ("a: 1\n---\nb: 2", "E109", (2, 1), "---"),
        ("[" * 65, "E110", (1, 65), ""),
        ("a: " + "1" * 101, "E112", (1, 4), "quotes"),
        ("", "E113", (1, 1), ""),
        ("# nothing\n", "E113", (1, 1), ""),
        ("a:\tb", "E108", (1, 3), "blanks"),
        ("a:\n\tb: 1", "E108", (2, 1), "blanks"),
        ("a: |\n x\n\ty", "E108", (3, 1), "blanks"),
        ("a: \x01", "E101", (1, 4), "Delete"),
        ("a: x\u2028y", "E101", (1, 5), "Delete"),
        ('a: "\\0"', "E101", (1, 4), "Take it out"),
        ("a: b: c", "E102", (1, 5), "quotes"),
        ("a: 1\n  b: 2", "E102", (2, 4), "Indent"),
        ("a: 1\nb:2\nc: 3", "E102", (2, 2), "Write: b: 2"),
        ("a: 1\nfoo\nb: 2", "E102", (2, 1), "Write the key"),
        ("a: 1\nfoo", "E102", (2, 1), "Write the key"),
        ('a: "b', "E102", (1, 4), "Close the quote"),
        ('a: "\\q"', "E102", (1, 5), "single quotes"),
        ("a: @b", "E102", (1, 4), "quotes"),
        ("a: [1, 2\nb: 3", "E102", (1, 4), "Close it"),
        ("a: {b: 1\nc: 2", "E102", (1, 4), "Close it"),
        ("a: - 1", "E102", (1, 4), "new line"),
        ("[a,,b]", "E102", (1, 4), "Take it out"),
        ("a: 'it's'", "E102", (1, 8), "quotes"),
        ("a:\n - 1\n  - 2", "E102", (3, 3), "Indent"),
    ],
)
def test_a_yaml_trap_is_a_problem_at_its_place(text, code, place, in_fix):
    document = read_yaml(text, "x.yaml")
    problem = document.problems[0]

    assert problem.code == code
    assert in_fix in problem.fix
    assert problem.line == place[0]
    # The two parsers point at the backslash or at the letter after it.
    assert problem.column in ({5, 6} if "\\q" in text else {place[1]})
    check_places(document)


@pytest.mark.usefixtures("loader")
def test_plain_values_are_what_they_look_like():
    text = "a: ~\nb:\nc: true\nd: 1.50\ne: -3\nf: 2026-03-31\ng: '012'\nh: |\n  x\ty\ni: n\n"
    document = read_yaml(text, "x.yaml")

    assert document.problems == ()
    assert document.value == {
        "a": None,
        "b": None,
        "c": True,
        "d": Decimal("1.50"),
        "e": Decimal(-3),
        "f": "2026-03-31",
        "g": "012",
        "h": "x\ty\n",
        "i": "n",
    }
    assert str(document.value["d"]) == "1.50"


def test_every_problem_of_a_file_is_reported_at_once():
    document = read_yaml("a: NO\nb: 012\nb: 1\n1: x\nc: *d\n", "x.yaml")

    assert codes(document) == ["E103", "E104", "E105", "E107", "E106"]


def test_tabs_in_texts_and_comments_are_nobodys_business():
    assert read_yaml('a: "x\ty" # c\td\n#\te\n', "x.yaml").problems == ()


def test_a_complex_key_is_left_out_and_reading_goes_on():
    document = read_yaml("? {a: 1}\n: x\nb: 2\nc: {[d]: e}\n", "x.yaml")

    assert document.value == {"b": Decimal(2), "c": {}}
    assert codes(document) == ["E107", "E107"]


def test_a_file_of_problems_is_not_read_for_ever():
    many = "\n".join("a: NO" for _ in range(1000))
    tabs = "\n".join(f"a{number}:\tx" for number in range(200))

    assert len(read_yaml(many, "x").problems) == 100
    assert len(read_yaml(tabs, "x").problems) == 100
    assert len(read_yaml("a: 1\n" * 100 + "b: [", "x").problems) == 100


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a" :1,"a":2}',
        '{"a"\n:1,"a":2,"b":":x"}',
        '{"a":1,"a":2,"b":":x"}',
        '{"a" :1,"a" :2,"b":"\\":","c":"\\":"}',
        '[{"b":{"a":1,"a":2}},{"a":":"}]',
        '{"a\\u0062":1,"ab":2}',
    ],
)
def test_a_name_written_twice_is_found_however_the_text_is_written(text):
    assert codes(read_json(text, "x")) == ["E105"]


@pytest.mark.parametrize(
    "text", ['{"a":":","b":" :"}', '{"a":"\\":","b" :[{"a":1},{"a":2}]}', '{"":{"":{"":[]}}}']
)
def test_a_name_written_once_in_each_object_is_no_problem(text):
    assert codes(read_json(text, "x")) == []


def test_limits_are_problems_and_not_failures():
    tight = Limits(characters=30, depth=3, values=4)

    assert codes(read_yaml("a" * 31, "x", limits=tight)) == ["E110"]
    assert codes(read_yaml("[1,2,3,4,5]", "x", limits=tight)) == ["E110"]
    assert codes(read_json('"' + "a" * 31 + '"', "x", limits=tight)) == ["E110"]
    assert codes(read_json("[1,2,3,4,5]", "x", limits=tight)) == ["E110"]
    assert codes(read_json("[[[[1]]]]", "x", limits=tight)) == ["E110"]
    assert codes(read_json("[[[[]]]]", "x", limits=tight)) == ["E110"]
    assert codes(read_json("[[[]]]", "x", limits=tight)) == []
    assert codes(read_json("[" * 100_000, "x")) == ["E110"]


def test_an_alias_bomb_costs_no_more_than_its_text():
    lines = ["a0: &a0 [x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
    ]

    assert set(codes(read_yaml("\n".join(lines), "bomb.yaml"))) == {"E106"}


# JSON


@pytest.mark.parametrize(
    ("text", "code", "place", "in_fix"),
    [
        ('{"a": NaN}', "E112", (1, 7), "null"),
        ('{"a": -Infinity}', "E112", (1, 7), "null"),
        ('{"a": 1e999999999999999999999}', "E112", (1, 7), "quotes"),
        ('{"a": 1e101}', "E112", (1, 7), "quotes"),
        ('{"a": 1' + "0" * 100 + "}", "E112", (1, 7), "quotes"),
        ('{"a": 1, "a": 2}', "E105", (1, 10), "Keep"),
        ('{"a": "\\ud800"}', "E101", (1, 7), "whole character"),
        ('{"a": "\\u0000"}', "E101", (1, 7), "Take it out"),
        ('{"a": "\\b"}', "E101", (1, 7), "Take it out"),
        ('{"a": "\x7f"}', "E101", (1, 8), "Delete"),
        ('{"a": "\u0085"}', "E101", (1, 8), "Delete"),
        ('{"a": 012}', "E111", (1, 7), '"012"'),
        ('{"a": True}', "E111", (1, 7), "Write true"),
        ('{"a": None}', "E111", (1, 7), "Write null"),
        ('{"a": abc}', "E111", (1, 7), '"abc"'),
        ('{"a": -}', "E111", (1, 7), '"-"'),
        ("{\"a\": 'b'}", "E111", (1, 7), 'Write: "b"'),
        ('{"a": 1, /* x */ "b": 2}', "E111", (1, 10), "no comments"),
        ("// x\n{}", "E111", (1, 1), "YAML"),
        ("{a: 1}", "E111", (1, 2), '"a": ...'),
        ("{'a': 1}", "E111", (1, 2), "double quotes"),
        ("{,}", "E111", (1, 2), '"name": value'),
        ('{"a" 1}', "E111", (1, 6), '"a": ...'),
        ('{"a": 1 "b": 2}', "E111", (1, 9), "comma"),
        ('{"a": 1,}', "E111", (1, 8), "comma out"),
        ("[1, 2,]", "E111", (1, 6), "comma out"),
        ('{"a": [1}', "E111", (1, 9), "bracket"),
        ("[1, 2", "E111", (1, 1), "whole file"),
        ("[1, ", "E111", (1, 1), "whole file"),
        ('{"a": 1', "E111", (1, 1), "whole file"),
        ('{"a": 1, ', "E111", (1, 1), "whole file"),
        ('{"a":', "E111", (1, 1), "whole file"),
        ('{"a": "b', "E111", (1, 7), "Close it"),
        ('{"a": "b\nc"}', "E111", (1, 7), "\\n"),
        ('{"a": "b\rc"}', "E111", (1, 7), "\\r"),
        ('{"a": "b\tc"}', "E111", (1, 9), "\\t"),
        ('{"a": "\\x"}', "E111", (1, 8), "twice"),
        ('{"a": "\\u12"}', "E111", (1, 8), "twice"),
        ('{"a": "\\', "E111", (1, 7), "Close it"),
        ("[,]", "E111", (1, 2), "null"),
        ("{} x", "E111", (1, 4), "Take out"),
        ("", "E113", (1, 1), ""),
        (" \n", "E113", (1, 1), ""),
    ],
)
def test_a_json_fault_is_a_problem_at_its_place(text, code, place, in_fix):
    document = read_json(text, "x.json")
    problem = document.problems[0]

    assert (problem.code, problem.line, problem.column) == (code, *place)
    assert in_fix in problem.fix
    check_places(document)


def test_several_faults_of_a_json_text_are_reported_at_once():
    document = read_json('{"a": NaN,\n "b": 012,\n "a": 1,\n "c": [1,]}', "x.json")

    assert codes(document) == ["E112", "E111", "E105", "E111"]
    assert document.value == {"a": None, "b": None, "c": [Decimal(1)]}


def test_a_file_of_json_faults_is_not_read_for_ever():
    assert len(read_json("[" + "NaN," * 1000 + "1]", "x").problems) == 100
    assert len(read_json("[" + '"\x7f",' * 1000 + "1]", "x").problems) == 100


def test_json_keeps_every_digit_and_the_scale():
    document = read_json('[1.50, 12345678901234567890123, 1e3, -0, "\\ud83c\\udfe0"]', "x")

    assert [str(value) for value in document.value] == [
        "1.50",
        "12345678901234567890123",
        "1E+3",
        "-0",
        "🏠",
    ]


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_is_read_as_it_was_written_by_the_fast_and_the_slow_reader(value):
    text = json_text(value)
    slow, _, problems = exact_json._Reader("x", text, Limits()).read()

    assert read_json(text, "x").value == value
    assert (slow, problems) == (value, ())


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_with_decimals_is_yaml_too(value):
    document = read_yaml(json_text(value), "x.yaml")

    if not document.problems:
        assert document.value == value


_signs = st.text(
    st.sampled_from("abé₹ {}[]\":,'#-?&*!|>%@`\t\n\r\\0123.eE_<~\x00\x7f\u2028\ufeff\ud800")
)


@settings(max_examples=400, deadline=None)
@given(st.text() | _signs)
@example("\ufeff")
@example("a: !")
@example("- !<x> 1")
@example("? - a")
@example("a:\r\tb")
def test_any_text_gives_a_document_with_places_inside_it(text):
    for read in (read_yaml, read_json):
        document = read(text, "x")
        check_places(document)
        assert render_problems(document.problems, {"x": document.text}).count("more: docs/") == len(
            document.problems
        )


@settings(max_examples=200, deadline=None)
@given(_signs)
def test_both_yaml_parsers_give_the_same_values(text):
    documents = []
    for loader in LOADERS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(strict_yaml, "_LOADER", loader)
            documents.append(read_yaml(text, "x"))

    if not any(document.problems for document in documents):
        assert documents[0].value == documents[-1].value


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab{}[]":,\\un0129.eE-+tfrs \n')))
def test_both_json_readers_agree_on_what_is_faultless(text):
    value, _, problems = exact_json._Reader("x", text, Limits()).read()
    try:
        json.loads(text, parse_constant=exact_json._doubt)
    except (ValueError, exact_json._DoubtError):
        assert problems
    if not problems:
        assert read_json(text, "x").value == value


# Places


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_yaml, "a:\n  - {b: x}\n  - c: 1\n"),
        (read_json, '{"a":\n  [ {"b":"x"},\n{"c": 1}]}'),
    ],
)
def test_values_and_keys_have_places(read, text):
    document = read(text, "x")
    lines = text.split("\n")

    line, column = document.position(("a", 0, "b"))
    assert lines[line - 1][column - 1 :].strip('"')[0] == "x"
    line, column = document.position(("a", 1, "c"), key=True)
    assert lines[line - 1][column - 1 :].strip('"')[0] == "c"
    assert document.position(("a", 7, "z")) == document.position(("a",), key=True)
    assert document.mark(("a", 7, "z")) is None


def test_values_that_were_never_a_text_have_no_place():
    document = Document.of_values({"a": 1}, "request")

    assert document.position(("a",)) == (0, 0)
    assert render_problems([document.problem("E405", ("a",), "no", fix="yes")], {}) == (
        "request: error E405: no\n  Field: a\n  yes\n  more: docs/errors.md#E405\n"
    )


def test_paths_are_written_as_people_write_them():
    value = {"floors": [{"id": "house"}, {"id": 3}]}

    assert field_text(value, ("floors", 0, "age")) == "floors[house].age"
    assert field_text(value, ("floors", 1)) == "floors[2]"
    assert field_text(value, ("floors", 9, "x")) == "floors[10].x"


@pytest.mark.parametrize(
    ("content", "text", "code"),
    [
        ("é".encode(), "é", None),
        ("\ufeffé".encode(), "é", None),
        ("é".encode("utf-16"), "é", "E101"),
        (b"a\nb\xe9c", "a\nb\ufffdc", "E101"),
    ],
)
def test_files_are_utf_8(content, text, code):
    read, problems = text_of(content, "x")

    assert read.removeprefix("\ufeff") == text
    assert [problem.code for problem in problems] == ([code] if code else [])


def test_a_byte_that_is_not_utf_8_is_pointed_at():
    _, problems = text_of(b"\xef\xbb\xbfa\nb\xe9c", "x")

    assert (problems[0].line, problems[0].column) == (2, 2)


# Problems


def test_problems_are_sorted_by_place_and_each_is_said_once():
    one, two = Problem("E2", "x", file="a", line=2), Problem("E1", "x", file="a", line=1)

    assert in_order([one, two, one]) == (two, one)
    assert [entry["line"] for entry in problems_to_json([one, two, one])] == [1, 2]


def test_a_problem_is_shown_with_its_line_reason_and_cure():
    problem = Problem("E105", "'a' is twice", "Why.", "Fix.", "x.yaml", 2, 3, 4)

    assert render_problems([problem], {"x.yaml": "one\nab\tdefgh\nthree"}) == (
        "x.yaml:2:3: error E105: 'a' is twice\n"
        "    2 | ab→defgh\n"
        "      |   ^^^^\n"
        "  Why.\n"
        "  Fix.\n"
        "  more: docs/errors.md#E105\n"
    )


def test_the_carets_stand_under_wide_and_combining_letters():
    problem = Problem("E105", "x", file="f", line=1, column=6, length=2)
    excerpt = render_problems([problem], {"f": "漢कु: xy"}).split("\n")

    assert excerpt[2] == "      | " + 5 * " " + "^^"


def test_of_a_very_long_line_only_the_surroundings_are_shown():
    problem = Problem("E105", "x", file="f", line=1, column=500, length=3)
    excerpt = render_problems([problem], {"f": "a" * 499 + "bcd" + "e" * 500}).split("\n")

    assert len(excerpt[1]) < 120
    at = excerpt[2].index("^")
    assert excerpt[1][at : at + 3] == "bcd"
    assert excerpt[1][8] == "…" == excerpt[1][-1]


def test_what_people_wrote_is_shown_short_and_without_control_characters():
    assert shown("a\x1b[31m\tb") == "a\ufffd[31m→b"
    assert shown("x" * 100) == "x" * 59 + "…"


def test_the_nearest_word_is_found_whatever_its_case():
    assert nearest("sbi", ["SBI", "COOP"]) == "SBI"
    assert nearest("zzz", ["SBI", "COOP"]) is None
