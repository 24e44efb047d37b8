"""Built-in functions that turn a value into another type: `string`, `number`, `range`, `not`."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, DecimalException

from engine.feel.errors import FeelSyntaxError
from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.lexer import Token, tokens_of, unescaped
from engine.feel.run import Run
from engine.feel.temporal import (
    DateTime,
    parse_date,
    parse_date_time,
    parse_duration,
    parse_temporal,
    parse_time,
    plain,
)
from engine.feel.values import FeelRange, Value, article, kind, order

_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPINGS = frozenset({" ", ",", "."})
_DECIMAL_POINTS = frozenset({".", ","})


def string(run: Run, value: Value) -> Value:
    """The value as text; null of null."""
    if value is None:
        return run.null("null has no text")
    return run.string(_text(run, value, inside=False))


def _text(run: Run, value: Value, *, inside: bool) -> str:
    run.tick()
    if isinstance(value, str):
        return _quoted(value) if inside else value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, list):
        return run.string("[" + ", ".join(_text(run, item, inside=True) for item in value) + "]")
    if isinstance(value, dict):
        entries = (f"{_key(key)}: {_text(run, item, inside=True)}" for key, item in value.items())
        return run.string("{" + ", ".join(entries) + "}")
    if isinstance(value, FeelRange):
        if value.relation:
            return f"({value.relation} {_text(run, value.low, inside=True)})"
        low = "" if value.low is None else _text(run, value.low, inside=True)
        high = "" if value.high is None else _text(run, value.high, inside=True)
        opening, closing = "[" if value.low_closed else "(", "]" if value.high_closed else ")"
        return f"{opening}{low}..{high}{closing}"
    return str(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w ]+", key) else _quoted(key)


def number(run: Run, *values: Value) -> Value:
    """A number from a string, with the separators it uses."""
    text, grouping, point = (*values, None, None)[:3]
    if isinstance(text, Decimal):
        return text
    if grouping is not None and (grouping not in _GROUPINGS or grouping == point):
        return run.null("the grouping separator is a space, a comma or a full stop")
    if point is not None and point not in _DECIMAL_POINTS:
        return run.null("the decimal separator is a full stop or a comma")
    plain_text = text.replace(grouping, "") if grouping else text
    if point and point != ".":
        # A full stop that remains would be read as the separator it is not.
        plain_text = plain_text.replace(".", "?").replace(point, ".")
    if not _NUMBER.fullmatch(plain_text):
        return run.null(f"'{text[:40]}' is not a number")
    try:
        return run.numbers.create_decimal(plain_text)
    except DecimalException:
        return run.null(f"'{text[:40]}' is not a number")


def negation(run: Run, value: Value) -> Value:
    """The opposite of true or false; null of anything else."""
    if isinstance(value, bool):
        return not value
    return run.null(f"{article(kind(value))} is neither true nor false")


def range_of(run: Run, text: str) -> Value:
    """A range from its text, such as `[18..21)`, with literal ends."""
    try:
        found = _range_of(tokens_of(text)[:-1])
    except FeelSyntaxError:
        found = None
    return found or run.null(f"'{text[:40]}' is not a range")


def _range_of(tokens: list[Token]) -> FeelRange | None:
    words = [token.text for token in tokens]
    if len(words) < 4 or words[0] not in "[(]" or words[-1] not in "])[" or ".." not in words:
        return None
    middle = words.index("..")
    low, high = _end(tokens[1:middle]), _end(tokens[middle + 1 : -1])
    low_closed, high_closed = words[0] == "[", words[-1] == "]"
    if low is _INVALID or high is _INVALID or (low is None and high is None):
        return None
    if (low is None and low_closed) or (high is None and high_closed):
        return None
    if low is not None and high is not None and order(low, high) not in {-1, 0}:
        return None
    return FeelRange(low, high, low_closed, high_closed)


_INVALID = object()
# The words around the two strings of `date and time(date("..."), time("..."))`.
_DATE_PART = ("date", "and", "time", "(", "date", "(")
_TIME_PART = (")", ",", "time", "(")
_LITERALS: dict[tuple[str, ...], Callable[[str], Value]] = {
    ("@",): parse_temporal,
    ("date", "("): parse_date,
    ("time", "("): parse_time,
    ("date", "and", "time", "("): parse_date_time,
    ("duration", "("): parse_duration,
}


def _end(tokens: list[Token]) -> Value:
    """The literal that some tokens spell; null for none, `_INVALID` for anything else."""
    if not tokens:
        return None
    words = tuple(token.text for token in tokens)
    if len(tokens) == 1 and tokens[0].kind == "number":
        return Decimal(words[0])
    if len(tokens) == 2 and words[0] == "-" and tokens[1].kind == "number":
        return -Decimal(words[1])
    if len(tokens) == 1 and tokens[0].kind == "string":
        return unescaped(words[0])
    if words[:6] == _DATE_PART and words[7:11] == _TIME_PART and words[12:] == (")", ")"):
        day, clock = parse_date(unescaped(words[6])), parse_time(unescaped(words[11]))
        return DateTime(day, clock) if day and clock else _INVALID
    body = words[:-1] if words[-1] == ")" else words
    quoted = tokens[len(body) - 1]
    read = _LITERALS.get(body[:-1])
    if read is None or quoted.kind != "string" or (words[0] == "@") == (words[-1] == ")"):
        return _INVALID
    value = read(unescaped(quoted.text))
    return _INVALID if value is None else value


_FROM = Parameter("from")

CONVERSION_FUNCTIONS = (
    BuiltIn("string", string, ((_FROM,),)),
    BuiltIn(
        "number",
        number,
        (
            (Parameter("from", ("string", "number")),),
            (
                Parameter("from", ("string",)),
                Parameter("grouping separator", ("string",), nullable=True),
                Parameter("decimal separator", ("string",), nullable=True),
            ),
        ),
    ),
    BuiltIn("not", negation, ((Parameter("negand"),),)),
    BuiltIn("range", range_of, ((Parameter("from", ("string",)),),)),
)
