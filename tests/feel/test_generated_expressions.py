"""Whatever the text, FEEL gives a value or a FeelError."""

import os
import random

import pytest

from engine.feel import (
    Bounds,
    FeelError,
    FeelNestingLimitError,
    evaluate,
    evaluate_with_reasons,
    parse_expression,
    parse_unary_tests,
)
from engine.feel.built_ins import BUILT_INS
from engine.feel.values import FeelFunction

# The longer run, `make feel-fuzz`, sets 1,000,000.
EXPRESSIONS = int(os.environ.get("ZENOPS_FEEL_EXPRESSIONS", "20000"))
SEED = int(os.environ.get("ZENOPS_FEEL_SEED", "20261124"))
# Small bounds keep hostile expressions quick; crossing them is one of the outcomes wanted.
BOUNDS = Bounds(steps=3_000, items=300, characters=2_000)
CONTEXT = {
    "a": 1,
    "b": [1, 2, 3],
    "c d": {"e f": "x", "g": [{"h": 1}, {"h": None}]},
    "s": "text",
    "n": None,
    "when": "2026-11-24",
    "ratio": 0.1,
    "chosen": {3, 1, 2},
    "half": lambda number: number / 2,
    "any of": lambda *values: values[0],
}
LITERALS = (
    *("0", "1", "-1", "2.5", "1e3", "1e6000", "-1e-6000", "99999999999999999999999999999999999"),
    *('"a"', '""', '"(a|b)*c"', '"[a-"', '"\\u0041"', '"2026-02-30"', "true", "false", "null"),
    *('@"2026-11-24"', '@"10:00:00Z"', '@"2026-11-24T10:00:00@Asia/Kolkata"', '@"P1M"', '@"PT1S"'),
    *('@"nonsense"', "[]", "{}", "[1..5]", "(1..5)", "]1..5[", "(< 5)", "a", "b", "c d", "s", "n"),
    *("unknown", "?", "item", "partial", "999999999", '@"999999999-12-31"', '@"-P99999999Y"'),
    *("ratio", "chosen", "half", "half(2)", "any of(a, b)", "any of()", '@"PT0.S"', "[1..null]"),
)
OPERATORS = ("+", "-", "*", "/", "**", "=", "!=", "<", "<=", ">", ">=", "and", "or", "in")
TYPES = ("number", "string", "list<number>", "context<a: number>", "date and time", "Any", "odd")
NAMES = sorted(BUILT_INS)


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a test needs the same numbers each run

    def expression(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.15:
            return self.random.choice(LITERALS)
        return self.random.choice(self.SHAPES)(self, depth - 1)

    def several(self, depth: int) -> str:
        return ", ".join(self.expression(depth) for _ in range(self.random.randint(0, 3)))

    def binary(self, depth: int) -> str:
        operator = self.random.choice(OPERATORS)
        return f"{self.expression(depth)} {operator} {self.expression(depth)}"

    def called(self, depth: int) -> str:
        return f"{self.random.choice(NAMES)}({self.several(depth)})"

    def named_call(self, depth: int) -> str:
        built_in = BUILT_INS[self.random.choice(NAMES)]
        parameters = self.random.choice(built_in.signatures)
        pairs = (f"{parameter.name}: {self.expression(depth)}" for parameter in parameters)
        return f"{built_in.name}({', '.join(pairs)})"

    def typed_call(self, depth: int) -> str:
        """A call whose arguments mostly have the right type, to get past the checks."""
        built_in = BUILT_INS[self.random.choice(NAMES)]
        samples = {
            "number": ("0", "1", "-2", "2.5", "1e40", "6176"),
            "string": ('"abcabc"', '""', '"(a)|b"', '"."', '"1,000.5"', '"P1Y"', '"$1"', '"i"'),
            "list": ("b", "[1, 1, null]", '["a", "b"]', "[[1], [2]]", "[true, false]", "[]"),
            "context": ("c d", "{}", '{key: "k", value: 1}'),
            "function": ("function(x, y) x < y", "function(x) x", "abs"),
            "date": ('@"2026-11-24"', '@"-999999999-01-01"', '@"2024-02-29"'),
            "time": ('@"23:59:59.999999999Z"', '@"00:00:00@Europe/Paris"'),
            "date and time": ('@"2026-03-29T02:30:00@Europe/Paris"', '@"999999999-12-31T23:59:59"'),
            "days and time duration": ('@"P99999D"', '@"-PT0.000000001S"'),
            "years and months duration": ('@"P1M"', '@"-P999999999Y"'),
            "range": ("[1..5]", "(5..1)", '["a".."b"]'),
        }
        arguments = []
        for parameter in self.random.choice(built_in.signatures):
            kinds = parameter.kinds or tuple(samples)
            arguments.append(self.random.choice(samples[self.random.choice(kinds)]))
        del depth
        return f"{built_in.name}({', '.join(arguments)})"

    def conditional(self, depth: int) -> str:
        parts = (self.expression(depth) for _ in range(3))
        return "if {} then {} else {}".format(*parts)

    def loop(self, depth: int) -> str:
        word, end = self.random.choice(
            [("for", "return"), ("some", "satisfies"), ("every", "satisfies")]
        )
        domain = self.random.choice(
            [self.expression(depth), f"1..{self.random.choice(['3', '400', '1e9', 'a'])}"]
        )
        return f"{word} x in {domain}, y in {self.expression(depth)} {end} {self.expression(depth)}"

    def filtered(self, depth: int) -> str:
        return f"({self.expression(depth)})[{self.expression(depth)}]"

    def path(self, depth: int) -> str:
        name = self.random.choice(["e f", "g", "h", "year", "time offset", "start included", "q"])
        return f"({self.expression(depth)}){self.random.choice(['.', '...'])}{name}"

    def listed(self, depth: int) -> str:
        return f"[{self.several(depth)}]"

    def context(self, depth: int) -> str:
        first, second = self.expression(depth), self.expression(depth)
        return f"{{k: {first}, k l: {second}, r: k}}"

    def function(self, depth: int) -> str:
        body = self.random.choice([self.expression(depth), "f(x)", "f(x) + f(x)", "x(x)"])
        return f"{{f: function(x) {body}, r: f({self.expression(depth)})}}.r"

    def between(self, depth: int) -> str:
        parts = (self.expression(depth) for _ in range(3))
        return "{} between {} and {}".format(*parts)

    def instance(self, depth: int) -> str:
        return f"({self.expression(depth)}) instance of {self.random.choice(TYPES)}"

    def tests(self, depth: int) -> str:
        return f"{self.expression(depth)} in (< {self.expression(0)}, {self.several(depth)} 1)"

    def mangled(self, depth: int) -> str:
        text = list(self.expression(depth))
        for _ in range(self.random.randint(1, 4)):
            position = self.random.randrange(len(text) + 1)
            if text and self.random.random() < 0.5:
                del text[min(position, len(text) - 1)]
            else:
                text.insert(position, self.random.choice('()[]{}".,:@?-+*/\\ \n\u0000é🐎1a'))
        return "".join(text)

    def deep(self, depth: int) -> str:
        opening = self.random.choice(["(", "[", "{a: ", "a[", "abs(", "-", "if ", "1 in (", "not("])
        return opening * self.random.choice([5, 40, 200]) + self.expression(depth)

    SHAPES = (
        *(binary, binary, binary, called, named_call, typed_call, typed_call, typed_call),
        *(conditional, loop, filtered, path, listed, context, function, between, instance),
        *(tests, mangled, deep),
    )


@pytest.mark.campaign
def test_generated_expressions_raise_nothing_but_feel_errors() -> None:
    generator = Generator(SEED)
    outcomes: dict[str, int] = {}
    for _ in range(EXPRESSIONS):
        text = generator.expression(generator.random.randint(1, 5))
        try:
            value, reasons = evaluate_with_reasons(text, CONTEXT, bounds=BOUNDS)
        except FeelError as error:
            name = type(error).__name__
            outcomes[name] = outcomes.get(name, 0) + 1
            continue
        except BaseException as error:
            raise AssertionError(f"{text!r} raised {type(error).__name__}") from error
        assert value is not None or reasons, f"{text!r} is null without a reason"
        name = "null" if value is None else "value"
        outcomes[name] = outcomes.get(name, 0) + 1
    # A generator that only makes nonsense would prove nothing.
    assert outcomes["value"] > EXPRESSIONS // 5, outcomes
    assert outcomes["null"] > EXPRESSIONS // 5, outcomes


@pytest.mark.parametrize("opening", ["(", "[", "{a: ", "abs(", "if ", "1 in (", "not("])
def test_a_text_deeper_than_the_stack_is_a_named_limit(opening: str) -> None:
    bounds = Bounds(nesting=100_000, height=100_000)
    text = opening * 2_000 + "1"

    for read in (parse_expression, parse_unary_tests, evaluate):
        with pytest.raises(FeelNestingLimitError):
            read(text, bounds=bounds)


def test_a_null_from_a_built_in_always_has_a_reason() -> None:
    for built_in in BUILT_INS.values():
        value, reasons = evaluate_with_reasons(f"{built_in.name}(null, null, null, null, null)")

        assert value is None or isinstance(value, (str, list, FeelFunction)), built_in.name
        assert reasons, built_in.name


def test_the_value_of_an_expression_is_the_same_each_time() -> None:
    generator = Generator(SEED + 1)
    for _ in range(300):
        text = generator.expression(3)
        try:
            first = repr(evaluate(text, CONTEXT, bounds=BOUNDS))
        except FeelError as error:
            first = repr(error)
        try:
            second = repr(evaluate(text, CONTEXT, bounds=BOUNDS))
        except FeelError as error:
            second = repr(error)
        if "FeelFunction" not in first:
            assert first == second, text
