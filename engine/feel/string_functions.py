"""Built-in functions on strings."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.patterns import Pattern, PatternError, compile_pattern, expand_replacement
from engine.feel.run import Run
from engine.feel.values import Value

_FAR = Decimal(10**12)


def substring(run: Run, text: str, start: Decimal, length: Decimal | None) -> Value:
    """The part of a string from a position, 1 the first and -1 the last character."""
    position = _whole(start)
    if position == 0 or abs(position) > len(text):
        return run.null(f"the string has no character {start}")
    first = position - 1 if position > 0 else len(text) + position
    if length is None:
        return text[first:]
    count = _whole(length)
    if count < 1:
        return run.null("the length of a substring is at least 1")
    return text[first : first + count]


def _whole(number: Decimal) -> int:
    """A position as int; beyond every string it stays beyond."""
    whole = number.to_integral_value(ROUND_DOWN)
    return int(whole) if abs(whole) < _FAR else int(_FAR.copy_sign(whole))


def string_length(_: Run, text: str) -> Value:
    """The number of characters."""
    return Decimal(len(text))


def upper_case(run: Run, text: str) -> Value:
    """The string in capital letters."""
    return run.string(text.upper())


def lower_case(run: Run, text: str) -> Value:
    """The string in small letters."""
    return run.string(text.lower())


def substring_before(_: Run, text: str, match: str) -> Value:
    """What stands before the first occurrence of a string; empty when there is none."""
    return text.partition(match)[0] if match and match in text else ""


def substring_after(_: Run, text: str, match: str) -> Value:
    """What stands after the first occurrence of a string; empty when there is none."""
    return text.partition(match)[2] if match else text


def contains(_: Run, text: str, match: str) -> Value:
    """Whether a string holds another."""
    return match in text


def starts_with(_: Run, text: str, match: str) -> Value:
    """Whether a string begins with another."""
    return text.startswith(match)


def ends_with(_: Run, text: str, match: str) -> Value:
    """Whether a string ends with another."""
    return text.endswith(match)


def string_join(run: Run, parts: list[Value], delimiter: str | None) -> Value:
    """The strings of a list as one, with a delimiter between them; nulls are left out."""
    kept: list[str] = []
    for part in parts:
        if part is not None and not isinstance(part, str):
            return run.null("'string join' joins strings only")
        if part is not None:
            kept.append(part)
    between = delimiter or ""
    length = sum(map(len, kept)) + len(between) * max(0, len(kept) - 1)
    run.tick(length // 100)
    if length > run.bounds.characters:
        return run.string(" " * (run.bounds.characters + 1))
    return between.join(kept)


def _compiled(run: Run, pattern: str, flags: str | None) -> Pattern | None:
    try:
        return compile_pattern(pattern, flags or "")
    except PatternError as error:
        return run.null(str(error))


def matches(run: Run, text: str, pattern: str, flags: str | None) -> Value:
    """Whether a pattern occurs in a string."""
    compiled = _compiled(run, pattern, flags)
    return None if compiled is None else compiled.first_match(run, text) is not None


def replace(run: Run, text: str, pattern: str, replacement: str, flags: str | None) -> Value:
    """The string with every occurrence of a pattern replaced."""
    compiled = _compiled(run, pattern, flags)
    if compiled is None:
        return None
    if compiled.first_match(run, "") is not None:
        return run.null("the pattern matches the empty string, which occurs everywhere")
    try:
        literal = flags is not None and "q" in flags
        expand = None if literal else expand_replacement(replacement, compiled.groups)
    except PatternError as error:
        return run.null(str(error))
    parts: list[str] = []
    end = length = 0
    for captures in compiled.matches(run, text):
        new = replacement if expand is None else expand(text, captures)
        parts += text[end : captures[0]], new
        end = captures[1]
        length += len(new)
        if length > run.bounds.characters:
            return run.string(" " * length)
    return run.string("".join([*parts, text[end:]]))


def split(run: Run, text: str, delimiter: str) -> Value:
    """The parts of a string between the occurrences of a pattern."""
    compiled = _compiled(run, delimiter, None)
    if compiled is None:
        return None
    if compiled.first_match(run, "") is not None:
        return run.null("the delimiter matches the empty string, which occurs everywhere")
    parts: list[Value] = []
    end = 0
    for captures in compiled.matches(run, text):
        parts.append(text[end : captures[0]])
        run.items(len(parts))
        end = captures[1]
    return [*parts, text[end:]]


_STRING = ("string",)
_TEXT = Parameter("string", _STRING)
_MATCH = Parameter("match", _STRING)
_INPUT = Parameter("input", _STRING)
_PATTERN = Parameter("pattern", _STRING)
_FLAGS = Parameter("flags", _STRING, optional=True)


def _of(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,))


STRING_FUNCTIONS = (
    _of(
        "substring",
        substring,
        _TEXT,
        Parameter("start position", ("number",)),
        Parameter("length", ("number",), optional=True),
    ),
    _of("string length", string_length, _TEXT),
    _of("upper case", upper_case, _TEXT),
    _of("lower case", lower_case, _TEXT),
    _of("substring before", substring_before, _TEXT, _MATCH),
    _of("substring after", substring_after, _TEXT, _MATCH),
    _of("contains", contains, _TEXT, _MATCH),
    _of("starts with", starts_with, _TEXT, _MATCH),
    _of("ends with", ends_with, _TEXT, _MATCH),
    _of("matches", matches, _INPUT, _PATTERN, _FLAGS),
    _of("replace", replace, _INPUT, _PATTERN, Parameter("replacement", _STRING), _FLAGS),
    _of("split", split, _TEXT, Parameter("delimiter", _STRING)),
    _of(
        "string join",
        string_join,
        Parameter("list", ("list",)),
        Parameter("delimiter", _STRING, optional=True),
    ),
)
