"""Evaluating FEEL: hand-worked values, null logic, reasons, what goes in and what comes out."""

import datetime as dt
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest

from engine.feel import (
    Bounds,
    DateTime,
    DaysTimeDuration,
    FeelFunction,
    FeelListLimitError,
    FeelNestingLimitError,
    FeelNumberLimitError,
    FeelRange,
    FeelStepLimitError,
    FeelStringLimitError,
    FeelSyntaxError,
    Reason,
    Session,
    Variables,
    YearsMonthsDuration,
    evaluate,
    evaluate_node,
    evaluate_unary_tests,
    evaluate_with_reasons,
    parse_expression,
    parse_unary_tests,
)

D = Decimal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # 1200 sq ft at 4,500 less 10 % of 5,40,000 = 54,00,000 - 5,40,000.
        ("1200 * 4500 * (1 - 0.10)", D("4860000")),
        ("1 / 3", D("0.3333333333333333333333333333333333")),
        ("0.1 + 0.2", D("0.3")),
        ("10 / 0", None),
        ("2 ** 10", D(1024)),
        ("2 ** -1", D("0.5")),
        ('"land" + "mark"', "landmark"),
        ('"a" + 1', None),
        ("1 < 2", True),
        ('"a" < "b"', True),
        ('1 < "b"', None),
        ("1 = 1.0", True),
        ('1 = "1"', None),
        ("null = null", True),
        ("1 = null", False),
        ("[1, 2] = [1, 2]", True),
        ("[1, 2] = [2, 1]", False),
        ("{a: 1, b: 2} = {b: 2, a: 1}", True),
        ("5 between 1 and 5", True),
        ("5 in [1..5)", False),
        ("5 in (< 3, >= 5)", True),
        ("3 in [1, 2, 3]", True),
        ("4 in [[1..2], [4..5]]", True),
        ("5 in (? > 3)", True),
        ("if 1 > 2 then 1 else 2", D(2)),
        ("if null then 1 else 2", D(2)),
        ('if "true" then 1 else 2', None),
        ("for x in [1, 2, 3] return x * x", [D(1), D(4), D(9)]),
        ("for x in 3..1 return x", [D(3), D(2), D(1)]),
        ("for x in [1..3) return x", [D(1), D(2)]),
        ("for x in [1, 2], y in [x, 10] return x * y", [D(1), D(10), D(4), D(20)]),
        ("for i in 1..5 return if i < 3 then 1 else partial[-1] + partial[-2]",
         [D(1), D(1), D(2), D(3), D(5)]),
        ("for x in 1..1.5 return x", None),
        ("some x in [1, 2] satisfies x > 1", True),
        ("every x in [] satisfies x > 1", True),
        ("some x in [1, null] satisfies x > 1", None),
        ("some x in [2, null] satisfies x > 1", True),
        ("every x in [0, null] satisfies x > 1", False),
        ("[10, 20, 30][2]", D(20)),
        ("[10, 20, 30][-1]", D(30)),
        ("[10, 20, 30][4]", None),
        ("[10, 20, 30][item > 15]", [D(20), D(30)]),
        ("[{a: 1}, {a: 2}][a = 2].a", [D(2)]),
        ("5[1]", D(5)),
        ("5[false]", []),
        ("{a: {b: 7}}.a.b", D(7)),
        ("{a: 1}.b", None),
        ("[{a: 1}, {b: 2}].a", [D(1), None]),
        ("{x: {y: 1}, z: [{y: 2}]}...y", [D(1), D(2)]),
        ("{a: 1, a: 2}", None),
        ("(function(x, y) x - y)(5, 3)", D(2)),
        ("(function(x, y) x - y)(y: 5, x: 3)", D(-2)),
        ("(function(x: number) x)([4])", D(4)),
        ('(function(x: number) x)("4")', None),
        ("(function(x: list<number>) x)(4)", [D(4)]),
        ("(function(x) x)()", None),
        ("{f: function(n) if n < 2 then 1 else n * f(n - 1), r: f(6)}.r", D(720)),
        ('function(x) external {java: {class: "A", method signature: "b"}}', None),
        ("missing(1)", None),
        ("5(1)", None),
        ("1 instance of number", True),
        ("null instance of number", False),
        ("[1, 2] instance of list<number>", True),
        ('[1, "a"] instance of list<number>', False),
        ("{a: 1} instance of context<a: number>", True),
        ("[1..5] instance of range<number>", True),
        ("(function(a: number) a = 1) instance of function<number>->boolean", True),
        ("1 instance of house", None),
        ("[1..5].start", D(1)),
        ("[1..5).end included", False),
        ("(> 5).start", D(5)),
        ('@"no date" = null', True),
        ("1, 2", [D(1), D(2)]),
    ],
)  # fmt: skip
def test_expressions_have_the_values_worked_out_by_hand(text: str, value: object) -> None:
    assert value == evaluate(text)


AND = {
    (True, True): True, (True, False): False, (True, None): None,
    (False, True): False, (False, False): False, (False, None): False,
    (None, True): None, (None, False): False, (None, None): None,
}  # fmt: skip


@pytest.mark.parametrize("left", [True, False, None])
@pytest.mark.parametrize("right", [True, False, None])
def test_and_or_not_know_three_values(left: bool | None, right: bool | None) -> None:
    context = {"p": left, "q": right}

    assert AND[left, right] == evaluate("p and q", context)
    # De Morgan: p or q is not (not p and not q).
    flipped = AND[None if left is None else not left, None if right is None else not right]
    assert (None if flipped is None else not flipped) == evaluate("p or q", context)
    assert (None if left is None else not left) == evaluate("not(p)", context)


@pytest.mark.parametrize(
    "text",
    [
        "-(-{})",
        "abs(-{})",
        "decimal({} + 0.04, 1)",
        "{} * 1",
        "sum([{}, 0])",
        'number("{}")',
        "number(string({}))",
        "max([{}])",
    ],
)
def test_all_34_digits_survive_whatever_arithmetic_the_caller_has_set(text: str) -> None:
    number = "123456789012345678901234567890123.4"
    with localcontext() as caller:
        caller.prec = 5
        value, _ = evaluate_with_reasons(text.format(number))

    assert value == Decimal(number)


def test_a_long_duration_keeps_its_digits() -> None:
    text = "P1234567890123456789012DT3H4M5.123456S"
    with localcontext() as caller:
        caller.prec = 5
        value = evaluate(f'duration("{text}")')

        assert str(value) == text


def test_a_condition_that_is_no_truth_counts_as_unknown() -> None:
    assert evaluate("1 and true") is None
    assert evaluate("1 and false") is False
    assert evaluate("1 or true") is True


def test_variables_are_read_from_the_context() -> None:
    context = {"plot area": 1200, "rate": {"per sqft": Decimal("4500.50")}, "tags": ("a", "b")}

    assert evaluate("plot area * rate.per sqft", context) == Decimal("5400600.00")
    assert evaluate("tags[2]", context) == "b"
    assert evaluate("unknown thing", context) is None


def test_a_loop_variable_hides_a_variable_of_the_same_name() -> None:
    assert evaluate("(for x in [5] return x) = [5] and x = 1", {"x": 1}) is True


def test_an_entry_named_item_hides_the_item() -> None:
    assert evaluate("[{item: 1}, {item: 2}][item = 2]") == [{"item": Decimal(2)}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('@"2026-11-24"', dt.date(2026, 11, 24)),
        ('@"09:30:00"', dt.time(9, 30)),
        ('@"09:30:00.25+05:30"',
         dt.time(9, 30, 0, 250_000, dt.timezone(dt.timedelta(hours=5, minutes=30)))),
        ('@"2026-11-24T09:30:00Z"', dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)),
        ('@"P1DT2H"', dt.timedelta(days=1, hours=2)),
        ('@"P1Y6M"', YearsMonthsDuration(18)),
        ("[1..5)", FeelRange(Decimal(1), Decimal(5), low_closed=True, high_closed=False)),
    ],
)  # fmt: skip
def test_values_come_back_as_python_types_and_go_in_again(text: str, value: object) -> None:
    result = evaluate(text)

    assert value == result
    assert type(value) is type(result)
    assert evaluate(f"v = {text}", {"v": value}) is True


def test_a_named_zone_comes_back_as_that_zone() -> None:
    result = evaluate('@"2026-11-24T09:30:00@Asia/Kolkata"')

    assert isinstance(result, dt.datetime)
    assert str(result.tzinfo) == "Asia/Kolkata"
    assert result.utcoffset() == dt.timedelta(hours=5, minutes=30)
    given = dt.datetime(2026, 11, 24, 9, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert evaluate("string(v)", {"v": given}) == "2026-11-24T09:30:00@Asia/Kolkata"


def test_what_python_cannot_hold_keeps_its_digits_in_an_own_type() -> None:
    far = evaluate('@"123456789-11-24"')
    fine = evaluate('@"2026-11-24T09:30:00.1234567"')
    small = evaluate('@"PT0.0000001S"')

    assert str(far) == "123456789-11-24"
    assert isinstance(fine, DateTime)
    assert str(fine) == "2026-11-24T09:30:00.1234567"
    assert small == DaysTimeDuration(Decimal("1E-7"))
    assert str(small) == "PT0.0000001S"


def test_a_float_is_taken_as_the_decimal_that_it_is_written_as() -> None:
    class Marked(float):
        def __repr__(self) -> str:
            return "not a number"

    assert evaluate("x + 0.2", {"x": 0.1}) == D("0.3")
    assert evaluate("x", {"x": Marked(7.25)}) == D("7.25")
    assert evaluate("x", {"x": 1e23}) == D("1E+23")


def test_a_number_that_is_not_finite_is_null_with_a_reason() -> None:
    for number in (float("nan"), float("-inf"), D("Infinity")):
        value, reasons = evaluate_with_reasons("x", {"x": number})

        assert value is None
        assert "not finite" in reasons[0].message


def test_a_set_goes_in_as_a_list_in_ascending_order() -> None:
    assert evaluate("x", {"x": {30, 4, 12}}) == [D(4), D(12), D(30)]
    assert evaluate("x", {"x": frozenset({"b", "a"})}) == ["a", "b"]
    assert evaluate("x", {"x": set()}) == []


def test_a_set_without_an_order_is_null_with_a_reason() -> None:
    value, reasons = evaluate_with_reasons("x", {"x": {1, "a"}})

    assert value is None
    assert "common order" in reasons[0].message


def test_a_python_function_in_the_context_is_called_with_python_values() -> None:
    def next_month(day: dt.date, months: Decimal) -> dt.date:
        return day.replace(month=day.month + int(months))

    context = {"later": next_month, "largest": lambda *numbers: max(numbers)}

    assert evaluate('later(@"2026-03-05", 2)', context) == dt.date(2026, 5, 5)
    assert evaluate('later(months: 1, day: @"2026-03-05")', context) == dt.date(2026, 4, 5)
    assert evaluate("largest(3, 9, 4)", context) == D(9)
    assert evaluate("later instance of function", context) is True


def test_a_python_function_may_order_a_list() -> None:
    shorter = {"shorter": lambda left, right: len(left) < len(right)}

    assert evaluate('sort(["ccc", "a", "bb"], shorter)', shorter) == ["a", "bb", "ccc"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("half(1, 2)", "takes 1 arguments, not 2"),
        ("half(whole: 1)", "the names of the arguments"),
        ('half("a")', "'half' failed"),
        ("largest(numbers: 1)", "takes its arguments by position"),
    ],
)
def test_a_python_function_that_is_called_wrongly_gives_null_and_a_reason(
    text: str, message: str
) -> None:
    def half(number: Decimal) -> Decimal:
        return number / 2

    context = {"half": half, "largest": lambda *numbers: max(numbers)}
    value, reasons = evaluate_with_reasons(text, context)

    assert value is None
    assert any(message in reason.message for reason in reasons), reasons


def test_a_limit_crossed_inside_a_python_function_is_still_that_limit() -> None:
    def deep() -> Decimal:
        return evaluate("(" * 100)

    def endless() -> Decimal:
        return endless()

    for function in (deep, endless):
        with pytest.raises(FeelNestingLimitError):
            evaluate("f()", {"f": function})


def test_a_python_type_is_no_function() -> None:
    assert evaluate("x", {"x": Decimal}) is None


def test_a_function_from_one_evaluation_can_be_called_in_another() -> None:
    scaled = evaluate("function(a: number) a * factor", {"factor": 20})

    assert evaluate("scaled(3) + scaled(a: 4)", {"scaled": scaled}) == D(140)


def test_an_argument_of_the_wrong_type_goes_in_as_null() -> None:
    known = "{f: function(p: context<name: string>) p != null, r: f(%s)}.r"

    assert evaluate(known % '{name: "a", age: 4}') is True
    assert evaluate(known % "{age: 4}") is False
    assert evaluate("{f: function(n: number) n, r: f(true)}.r") is None


def test_a_range_with_a_null_end_decides_nothing() -> None:
    assert evaluate("7 in [1..null]") is None
    assert evaluate("7 in ([null..9], 7)") is True
    assert evaluate("7 in ([null..9], 8)") is None
    assert evaluate("7 in (null, 8)") is False


def test_an_empty_list_has_no_item_by_position_and_none_by_condition() -> None:
    value, reasons = evaluate_with_reasons("[][1]")

    assert value is None
    assert "empty" in reasons[0].message
    assert evaluate("[][-1]") is None
    assert evaluate_with_reasons("[][item > 1]") == ([], ())


def test_today_and_now_are_what_the_caller_says() -> None:
    day, moment = dt.date(2026, 11, 24), dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)

    assert evaluate("today()") is None
    assert evaluate("now()") is None
    assert evaluate("today()", today=day) == day
    assert evaluate("now()", now=moment) == moment


@pytest.mark.parametrize(
    ("text", "message", "part"),
    [
        ("1 + unknown", "'unknown' is not known", "unknown"),
        ("1 / 0", "a number is divided by zero", "1 / 0"),
        ('2 * ("a" - 1)', "'-' does not fit a string and a number", '"a" - 1'),
        ("[1][2]", "there is no item 2", "[1][2]"),
        ("{a: 1}.b", "there is no entry 'b'", "{a: 1}.b"),
        ('abs("x")', "'n' of 'abs' must be a number or", 'abs("x")'),
        ("1 = true", "'=' compares unlike values", "1 = true"),
        ("null and true", "'and' has an operand neither true nor false", "null and true"),
    ],
)
def test_a_null_says_why_and_where_it_came(text: str, message: str, part: str) -> None:
    value, reasons = evaluate_with_reasons(text)

    assert value is None
    assert any(
        reason.message.startswith(message) and text[reason.start : reason.end] == part
        for reason in reasons
    ), reasons


@pytest.mark.parametrize(
    ("tests", "value", "verdict"),
    [
        ("-", 5, True),
        ("5", 5, True),
        ("< 5", 5, False),
        ("<= 5, > 10", 11, True),
        ("[1..5]", 5, True),
        ('"SBI", "PNB"', "PNB", True),
        ('not("SBI", "PNB")', "PNB", False),
        ("not(null)", None, False),
        ("null", None, True),
        ("? > 3 and ? < 6", 4, True),
        ("true", True, True),
        ("limit", 7, True),
        ("> limit", 7, False),
        ('starts with(?, "NA")', "NAGAR", True),
        ('"a"', 5, None),
    ],
)
def test_unary_tests_decide_for_a_value(tests: str, value: object, verdict: bool | None) -> None:
    assert verdict is evaluate_unary_tests(tests, value, {"limit": 7})
    tree = parse_unary_tests(tests, {"limit", "?"})
    assert verdict is evaluate_node(tree, {"limit": 7, "?": value})


def test_extra_functions_take_feel_values_by_position() -> None:
    functions = {"first known": lambda *values: next((v for v in values if v is not None), None)}
    tree = parse_expression("first known(a, b) + 1", {"a", "b", "first known"})

    assert evaluate_node(tree, {"a": None, "b": 4}, functions=functions) == Decimal(5)


def test_a_session_keeps_its_variables_and_the_reasons_of_the_last_evaluation() -> None:
    session = Session(Variables({"a": 2}))
    session.variables["b"] = 3
    total = session.value(parse_expression("a * b", {"a", "b"}))
    nothing = session.value(parse_expression("a / 0", {"a"}))

    assert (total, nothing) == (Decimal(6), None)
    assert session.run.reasons == [Reason("a number is divided by zero", 0, 5)]
    session.value(parse_expression("1"))
    assert session.run.reasons == []


def test_a_function_is_a_value() -> None:
    doubled = evaluate("function(x) x * 2")

    assert isinstance(doubled, FeelFunction)
    assert str(doubled) == "function(x)"
    assert evaluate("f(21)", {"f": doubled}) == Decimal(42)
    assert evaluate("apply(abs)", {"apply": evaluate("function(g) g(-3)")}) == Decimal(3)


def test_a_syntax_error_is_raised() -> None:
    with pytest.raises(FeelSyntaxError):
        evaluate("1 +")


LISTS = "{a: [1, 1], b: [a, a], c: [b, b], d: [c, c], e: [d, d], f: [e, e], g: [f, f], h: [g, g]"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("10 ** 99999999", FeelNumberLimitError),
        ("for i in 1..1000 return if i = 1 then 10 else partial[-1] * partial[-1]",
         FeelNumberLimitError),
        ("exp(1e10)", FeelNumberLimitError),
        ("for i in 1..1000000000 return i", FeelListLimitError),
        ("for i in 1..1e6000 return i", FeelListLimitError),
        ("for i in 1..50000, j in 1..50000 return 1", FeelListLimitError),
        ("some i in 1..50000, j in 1..50000 satisfies false", FeelStepLimitError),
        ('for i in 1..100 return if i = 1 then "aa" else partial[-1] + partial[-1]',
         FeelStringLimitError),
        ("{f: function(n) f(n + 1), r: f(1)}.r", FeelNestingLimitError),
        # Each letter holds the one before twice: 2 ** 18 items, though the text is short.
        (LISTS + ", i: [h, h], j: [i, i], k: [j, j], l: [k, k], m: [l, l], n: [m, m], o: [n, n]"
         ", p: [o, o], q: [p, p], r: [q, q], s: [r, r], t: s = s and r = r and s = s}.t",
         FeelStepLimitError),
        (LISTS + ", i: [h, h], j: [i, i], k: [j, j], l: [k, k], m: [l, l], n: [m, m], o: [n, n]"
         ", p: [o, o], q: flatten(p)}.q", FeelListLimitError),
    ],
)  # fmt: skip
def test_a_crossed_bound_has_a_name(text: str, limit: type[Exception]) -> None:
    with pytest.raises(limit):
        evaluate(text, bounds=Bounds(steps=300_000))


def test_contexts_without_end_or_bottom_are_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]

    with pytest.raises(FeelNestingLimitError):
        evaluate("x", {"x": circle})
    with pytest.raises(FeelNestingLimitError):
        evaluate("x", {"x": deep})
    with pytest.raises(FeelNumberLimitError):
        evaluate("x", {"x": 10**7000})
    assert evaluate("x", {"x": Decimal("NaN"), 5: "no name"}) is None


STRANGE_CONDITIONS = (
    ('if 1 then "a" else "b"', "number"),
    ('if [true] then "a" else "b"', "list"),
    ('[1, 2]["a"]', "string"),
    ('[3, 1][if item > 2 then true else "small"]', "string"),
    ("[3, 1][if item > 2 then true else 2]", "number"),
    ('some x in [3, 1] satisfies if x > 2 then true else "small"', "string"),
    ('some x in [1, 3] satisfies if x > 2 then true else "small"', "string"),
    ('every x in [1, 3] satisfies if x > 2 then "big" else false', "string"),
    ('every x in [3, 1] satisfies if x > 2 then "big" else false', "string"),
)


@pytest.mark.parametrize(("text", "kind"), STRANGE_CONDITIONS)
def test_a_condition_that_is_no_condition_gives_null_wherever_it_stands(
    text: str, kind: str
) -> None:
    value, reasons = evaluate_with_reasons(text)

    assert value is None
    assert reasons[-1].message.startswith("the condition of '")
    assert reasons[-1].message.endswith(f"is a {kind}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("if null then 1 else 2", D(2)),
        ("[1, null, 3][item > 1]", [D(3)]),
        ("[4, 5][2]", D(5)),
        ("some x in [3, null] satisfies if x = null then null else x > 2", True),
        ("every x in [1, null] satisfies if x = null then null else x > 2", False),
        ("every x in [3, null] satisfies if x = null then null else x > 2", None),
    ],
)
def test_a_condition_that_is_null_is_only_not_true(text: str, value: object) -> None:
    assert evaluate(text) == value


def test_what_comes_after_the_turn_that_decides_is_no_reason() -> None:
    known = 'some x in [9, "a"] satisfies if x = 9 then true else x > 1'

    assert evaluate_with_reasons(known) == (True, ())
