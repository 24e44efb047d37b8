"""Reading FEEL text: precedence, names with spaces, positions of errors."""

import time
from decimal import Decimal

import pytest

from engine.feel import (
    Bounds,
    FeelNestingLimitError,
    FeelNumberLimitError,
    FeelSyntaxError,
    FeelTextLimitError,
    nodes,
    parse_expression,
    parse_unary_tests,
)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1 +", 3, 3),
        ("(1 + 2", 6, 6),
        ("1 + )", 4, 5),
        ("[1, 2", 5, 5),
        ('"open', 0, 5),
        ("1 /* open", 2, 9),
        ("if true then 1", 14, 14),
        ("for x in [1] retrun x", 13, 19),
        ("a $ b", 2, 3),
        ("{a: 1, 2}", 7, 8),
        ("[1..", 4, 4),
        ("[1..2 x", 6, 7),
        ("f(a: 1, 2)", 8, 9),
        ("x instance of", 13, 13),
        ("@ 5", 2, 3),
        ("", 0, 0),
        ("1 2", 2, 3),
    ],
)
def test_a_syntax_error_points_at_the_offending_text(text: str, start: int, end: int) -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression(text)

    assert (start, end) == (caught.value.start, caught.value.end)
    assert caught.value.message


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("2 * 3 ** 2", "2 * (3 ** 2)"),
        ("2 ** 3 ** 2", "(2 ** 3) ** 2"),
        ("-2 ** 2", "(-2) ** 2"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("a or b and c", "a or (b and c)"),
        ("a = 1 and b = 2", "(a = 1) and (b = 2)"),
        ("1 + 1 = 2", "(1 + 1) = 2"),
        ("a between 1 and 2 and b", "(a between 1 and 2) and b"),
        ("a.b[1].c(2)", "(((a.b)[1]).c)(2)"),
        ("1 // a note\n + 2", "1 + 2"),
        ("1 /* a\nnote */ + 2", "1 + 2"),
        ("]1..2[", "(1..2)"),
        ("x in 5", "x in (5)"),
    ],
)
def test_operators_bind_as_the_standard_says(text: str, same_as: str) -> None:
    assert parse_expression(same_as, {"a"}) == parse_expression(text, {"a"})


def test_a_name_is_the_longest_that_is_in_scope() -> None:
    subtraction = parse_expression("net-tax", {"net", "tax"})
    name = parse_expression("net-tax", {"net", "tax", "net-tax"})

    assert subtraction == nodes.Arithmetic("-", nodes.Name("net"), nodes.Name("tax"))
    assert name == nodes.Name("net-tax")


def test_spaces_inside_a_name_do_not_matter() -> None:
    assert parse_expression("plot   area\n+ 1", {"plot area"}) == nodes.Arithmetic(
        "+", nodes.Name("plot area"), nodes.Literal(Decimal(1))
    )


def test_unknown_words_in_a_row_are_one_unknown_name() -> None:
    assert parse_expression("plot aera + 1", {"plot"}) == nodes.Arithmetic(
        "+", nodes.Name("plot aera"), nodes.Literal(Decimal(1))
    )


def test_a_keyword_may_stand_inside_a_known_name() -> None:
    assert parse_expression("date and time", {"in"}) == nodes.Name("date and time")
    assert parse_expression("for x in in stock return x", {"in stock"}) == nodes.For(
        (nodes.Iterator("x", nodes.Name("in stock")),), nodes.Name("x")
    )


def test_keys_of_a_context_are_in_scope_for_what_follows() -> None:
    tree = parse_expression("{gross rent: 10, year rent: gross rent * 12}.year rent")

    assert isinstance(tree, nodes.Path)
    assert tree.name == "year rent"
    assert isinstance(tree.operand, nodes.ContextOf)
    assert tree.operand.entries[1][1] == nodes.Arithmetic(
        "*", nodes.Name("gross rent"), nodes.Literal(Decimal(12))
    )


def test_entry_names_with_spaces_are_known_after_a_dot_and_in_filters() -> None:
    entries = {"built-up area"}
    path = parse_expression("floors.built-up area", {"floors"}, entries=entries)
    condition = parse_expression("floors[built-up area > 5]", {"floors"}, entries=entries)

    assert path == nodes.Path(nodes.Name("floors"), "built-up area")
    assert isinstance(condition, nodes.Filter)
    assert condition.condition == nodes.Comparison(
        ">", nodes.Name("built-up area"), nodes.Literal(Decimal(5))
    )


def test_every_node_knows_its_place_in_the_text() -> None:
    text = "  land * rate + 10"
    tree = parse_expression(text, {"land", "rate"})

    assert isinstance(tree, nodes.Arithmetic)
    assert text[tree.start : tree.end] == "land * rate + 10"
    assert text[tree.left.start : tree.left.end] == "land * rate"
    assert text[tree.right.start : tree.right.end] == "10"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"tab\there"', "tab\there"),
        (r'"quote \" and back \\"', 'quote " and back \\'),
        (r'"\u20b9"', "₹"),
        (r'"\U01F3E0"', "🏠"),
        (r'"\ud83c\udfe0"', "🏠"),
        (r'"\d+"', r"\d+"),
    ],
)
def test_strings_know_the_escapes(text: str, value: str) -> None:
    assert nodes.Literal(value) == parse_expression(text)


def test_unary_tests_are_a_list_a_negation_or_a_dash() -> None:
    listed = parse_unary_tests('< 5, [10..20], "x"')
    negated = parse_unary_tests("not(1, 2)")
    anything = parse_unary_tests("-")
    negative = parse_unary_tests("-1")

    assert [type(test) for test in listed.tests] == [
        nodes.Comparator,
        nodes.RangeOf,
        nodes.Literal,
    ]
    assert (negated.negated, len(negated.tests)) == (True, 2)
    assert nodes.UnaryTests(()) == anything
    assert nodes.UnaryTests((nodes.Negation(nodes.Literal(Decimal(1))),)) == negative


def test_not_in_the_middle_of_a_unary_test_is_the_function() -> None:
    tests = parse_unary_tests("not(true) or ? > 5")

    assert tests.negated is False
    assert isinstance(tests.tests[0], nodes.Disjunction)


def test_text_nesting_and_numbers_are_bounded() -> None:
    with pytest.raises(FeelTextLimitError):
        parse_expression("1" * 20_001)
    with pytest.raises(FeelNestingLimitError):
        parse_expression("(" * 51 + "1" + ")" * 51)
    with pytest.raises(FeelNestingLimitError):
        parse_expression("+".join(["1"] * 201))
    with pytest.raises(FeelNestingLimitError):
        parse_unary_tests("(" * 51 + "1" + ")" * 51)
    with pytest.raises(FeelNumberLimitError):
        parse_expression("1e6145")
    assert parse_expression("+".join(["1"] * 200))
    assert parse_expression("(" * 49 + "1" + ")" * 49)
    assert parse_expression("1" * 30, bounds=Bounds(text=30))


def test_brackets_after_in_are_not_read_again_and_again() -> None:
    started = time.perf_counter()
    with pytest.raises(FeelSyntaxError):
        parse_expression("1 in (" * 40 + "$")
    parse_expression("1 in (" * 40 + "1" + ") + 1" * 40)

    assert time.perf_counter() - started < 2


def test_names_declared_in_a_part_read_twice_do_not_leak() -> None:
    # The bracket is first read as tests; the name x belongs to the loop only.
    tree = parse_expression("1 in (for x y in [1] return x y)[1] and x y")

    assert isinstance(tree, nodes.Conjunction)
    assert tree.right == nodes.Name("x y")


def test_types_may_have_parameters() -> None:
    tree = parse_expression(
        "x instance of function<list<number>, string>->context<a b: range<date>>"
    )

    assert isinstance(tree, nodes.InstanceOf)
    assert tree.type == nodes.TypeName(
        "function",
        (
            nodes.TypeName("list", (nodes.TypeName("number"),)),
            nodes.TypeName("string"),
            nodes.TypeName(
                "context", (nodes.TypeName("range", (nodes.TypeName("date"),)),), ("a b",)
            ),
        ),
    )
