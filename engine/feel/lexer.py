"""FEEL text to tokens. Names with spaces are put together later, by the parser, which knows scope."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.feel.errors import FeelSyntaxError

# DMN 1.5, 10.3.1.2, grammar rules 27 to 31: the characters of names, and white space.
_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
# U+180E is white space in FEEL although it lies inside a range of name characters.
_NAME_START = _NAME_START.replace("\u037f-\u1fff", "\u037f-\u167f\u1681-\u180d\u180f-\u1fff")
_NAME_PART = _NAME_START + "0-9\u00b7\u0300-\u036f\u203f-\u2040"
_SPACE = "\\s\u0085\u00a0\u1680\u180e\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"

_TOKEN = re.compile(
    rf"""
      (?P<space>[{_SPACE}]+ | //[^\n\r]* | /\*(?:[^*]|\*(?!/))*\*/)
    | (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<name>[{_NAME_START}][{_NAME_PART}]*)
    | (?P<symbol>\.\.\.|\.\.|\*\*|<=|>=|!=|->|[-+*/=<>.,:?@(){{}}\[\]'])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{6}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text; `kind` is number, string, name, symbol, other or end."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """All tokens of a text, comments and white space left out, an `end` token last.

    Characters that FEEL does not know become tokens of kind `other`: the parser refuses them
    where it meets them.

    Raises:
        FeelSyntaxError: a string or comment that is never closed.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] == '"':
                raise FeelSyntaxError("this string is never closed", position, len(text))
            tokens.append(Token("other", text[position], position, position + 1))
            position += 1
            continue
        kind = match.lastgroup or "other"
        end = match.end()
        if kind == "symbol" and match.group() == "/" and text.startswith("/*", position):
            raise FeelSyntaxError("this comment is never closed", position, len(text))
        if kind == "symbol" and match.group() == "..." and text[end : end + 1].isdigit():
            # `[1...5]` is the range from 1 to .5: no name starts with a digit.
            end -= 1
        if kind != "space":
            tokens.append(Token(kind, text[position:end], position, end))
        position = end
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def unescaped(quoted: str) -> str:
    """The characters that a quoted string means.

    A backslash before anything but the standard's escapes stays, so that a pattern for digits
    can be written with one backslash.
    """
    if "\\" not in quoted:
        return quoted[1:-1]
    text = _ESCAPE.sub(_escape, quoted[1:-1])
    # Two escapes may spell one character outside the basic plane as a surrogate pair.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _escape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape[0] in "uU" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code <= 0x10FFFF else "\ufffd"
    return _ESCAPED.get(escape, match.group())
