"""JSON read with exact decimals: no digit is lost, and what JSON's readers let pass is a problem.

A faultless text goes through Python's own parser, which is fast and keeps no places. When
something is wrong, or a place is asked for, the text is read again by a reader that keeps them.
Both give the same values.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from contracts.document import (
    FORBIDDEN,
    LIMITS,
    Document,
    Limits,
    Mark,
    Places,
    forbidden_characters,
    named,
)
from contracts.problems import Problem, in_order, nearest, shown

# Escapes that may write a character which no text of ours may hold; the slow reader judges.
_SUSPECT = re.compile(r"\\(?:[bf]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]|[fF]{3}[eEfF]))")


def read_json(text: str, name: str, *, limits: Limits = LIMITS) -> Document:
    """The values of a JSON text, and everything that is wrong with it.

    Args:
        text: the whole file.
        name: how problems call the file.
        limits: how much is read.

    Returns:
        A document; nothing is ever raised for what the text holds.
    """
    text = text.removeprefix("\ufeff")
    if len(text) <= limits.characters:
        try:
            value = _fast(text, limits)
        except (_DoubtError, ValueError, InvalidOperation, RecursionError):
            pass
        else:
            return Document(
                name, text, value, find_marks=lambda: _Reader(name, text, limits).read()[1]
            )
    value, root, problems = _Reader(name, text, limits).read()
    return Document(name, text, value, problems, find_marks=lambda: root)


class _DoubtError(Exception):
    """Something that the fast reader leaves to the slow one."""


def _fast(text: str, limits: Limits) -> Any:
    if _SUSPECT.search(text) or "\x7f" in text or (not text.isascii() and FORBIDDEN.search(text)):
        raise _DoubtError
    digits = limits.digits

    def number(written: str) -> Decimal:
        if len(written) > digits:
            raise _DoubtError
        return Decimal(written)

    def exact(written: str) -> Decimal:
        result = number(written)
        if ("e" in written or "E" in written) and not _is_small(result, digits):
            raise _DoubtError
        return result

    value = json.loads(
        text,
        parse_int=number,
        parse_float=exact,
        parse_constant=_doubt,
        object_pairs_hook=_mapping,
    )
    _check_shape(value, limits)
    return value


def _doubt(_constant: str) -> NoReturn:
    raise _DoubtError


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _DoubtError
    return mapping


def _is_small(number: Decimal, digits: int) -> bool:
    """Whether a number with an exponent could be written plainly with so many digits."""
    _, figures, exponent = number.as_tuple()
    return isinstance(exponent, int) and max(len(figures) + abs(exponent), 1) <= digits


def _check_shape(value: Any, limits: Limits) -> None:
    """Leave to the slow reader what holds too many values, or holds them too deep in each other."""
    count = 1
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limits.depth):
        count += sum(map(len, level))
        if count > limits.values:
            break
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise _DoubtError


class _StopReadingError(Exception):
    """Nothing after this place can be read."""


_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[^\s,:{}\[\]\"]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_CONSTANT_WORDS = {"none": "null", "undefined": "null", "nil": "null", "yes": "true", "no": "false"}
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(slots=True)
class _Open:
    """An object or array whose end has not come yet."""

    value: Any
    mark: Mark
    key: str | None = None
    key_start: int = 0
    key_end: int = 0
    seen: dict[str, int] = field(default_factory=dict)


class _Reader:
    """Reads JSON slowly, keeping the place of everything."""

    def __init__(self, name: str, text: str, limits: Limits) -> None:
        self.name = name
        self.text = text
        self.limits = limits
        self.places = Places(text)
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.at = 0

    def read(self) -> tuple[Any, Mark | None, tuple[Problem, ...]]:
        """The value, where it stands, and the problems; the value is None if reading stopped."""
        value: Any = None
        root: Mark | None = None
        try:
            self._check_text()
            value, root = self._document()
        except _StopReadingError:
            value = None
            root = self.stack[0].mark if self.stack else None
        return value, root, in_order(self.problems)

    def _check_text(self) -> None:
        if len(self.text) > self.limits.characters:
            self._stop(
                "E110",
                0,
                1,
                f"the file has {len(self.text)} characters, more than the "
                f"{self.limits.characters} that are read",
                fix="Check that it is the right file.",
            )
        self.problems += forbidden_characters(self.text, self.name)[: self.limits.problems]
        # One character for one, so that places stay; it is not JSON outside of strings.
        self.text = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", self.text)

    def _document(self) -> tuple[Any, Mark]:
        self._blank()
        if self.at == len(self.text):
            self._stop(
                "E113",
                0,
                1,
                "there is nothing in the file",
                why="It is empty.",
                fix="Check that it is the right file and that it was saved.",
            )
        value, mark = self._value()
        count = 1
        while self.stack:
            top = self.stack[-1]
            if isinstance(top.value, dict):
                closed = self._before_member(top)
            else:
                closed = self._before_entry(top)
            if closed:
                self.stack.pop()
                value, mark = top.value, top.mark
                continue
            inner, inner_mark = self._value()
            self._place(top, inner, inner_mark)
            count += 1
            if count > self.limits.values:
                self._stop(
                    "E110",
                    self.at,
                    self.at + 1,
                    f"the file holds more than {self.limits.values} values",
                    fix="Check that it is the right file.",
                )
        self._blank()
        if self.at < len(self.text):
            self._stop(
                "E111",
                self.at,
                self.at + 1,
                "something stands after the end",
                why="A JSON file is one value; this one ended before.",
                fix="Take out what follows, or the bracket that closes too early.",
            )
        return value, mark

    def _place(self, top: _Open, inner: Any, mark: Mark) -> None:
        if isinstance(top.value, list):
            top.mark.parts[len(top.value)] = mark
            top.value.append(inner)
            return
        mark.key_start, mark.key_end = top.key_start, top.key_end
        if top.key is not None:
            top.mark.parts[top.key] = mark
            top.value[top.key] = inner

    def _before_member(self, top: _Open) -> bool:
        """Reads up to a member's value; true when the object ends instead."""
        if self._closed(top, "}", first=not top.seen):
            return True
        if self._sign() != '"':
            self._no_key()
        start = self.at
        key = self._string()
        top.key, top.key_start, top.key_end = key, start, self.at
        if key in top.seen:
            line, _, _ = self.places.span(top.seen[key], top.seen[key])
            self._problem(
                "E105",
                start,
                self.at,
                f"'{shown(key)}' is written twice",
                why=f"It was written first in line {line}; of two values nobody knows which holds.",
                fix="Keep the one that is right.",
            )
            top.key = None
        else:
            top.seen[key] = start
        self._blank()
        if self._sign() != ":":
            self._stop(
                "E111",
                self.at,
                self.at + 1,
                f"a colon is missing after {_in_quotes(key)}",
                why="A member is a name in quotes, a colon and a value.",
                fix=f"Write: {_in_quotes(key)}: ...",
            )
        self.at += 1
        self._blank()
        return False

    def _before_entry(self, top: _Open) -> bool:
        return self._closed(top, "]", first=not top.value)

    def _closed(self, top: _Open, bracket: str, *, first: bool) -> bool:
        """Reads the comma or bracket after an entry; true when the object or array ends."""
        self._blank()
        sign = self._sign()
        if sign == bracket:
            self.at += 1
            top.mark.end = self.at
            return True
        if not first:
            if sign != ",":
                self._no_comma(top, bracket, sign)
            comma = self.at
            self.at += 1
            self._blank()
            if self._sign() == bracket:
                self._problem(
                    "E111",
                    comma,
                    comma + 1,
                    "a comma stands before the closing bracket",
                    why="In JSON a comma says that another entry follows.",
                    fix="Take the comma out.",
                )
                return self._closed(top, bracket, first=True)
        return False

    def _value(self) -> tuple[Any, Mark]:
        start = self.at
        sign = self._sign()
        if sign == '"':
            text = self._string()
            return text, Mark(start, self.at)
        if sign in {"{", "["}:
            return self._open(start, sign)
        number = _NUMBER.match(self.text, start)
        word = _WORD.match(self.text, start)
        if number and word and word.end() == number.end():
            self.at = number.end()
            return self._number(number[0], start), Mark(start, self.at)
        if word is None:
            self._no_value(sign)
        self.at = word.end()
        if word[0] in _CONSTANTS:
            return _CONSTANTS[word[0]], Mark(start, self.at)
        self._bad_word(word[0], start)
        return None, Mark(start, self.at)

    def _open(self, start: int, sign: str) -> tuple[Any, Mark]:
        if len(self.stack) >= self.limits.depth:
            self._stop(
                "E110",
                start,
                start + 1,
                f"objects and arrays stand more than {self.limits.depth} deep in each other here",
                why="Nothing that is read here needs that; a bracket may have been repeated.",
            )
        self.at += 1
        value: Any = {} if sign == "{" else []
        mark = Mark(start, start + 1)
        self.stack.append(_Open(value, mark))
        return value, mark

    def _number(self, text: str, start: int) -> Any:
        # The exponent alone could ask for more memory than there is.
        _, _, exponent = text.lower().partition("e")
        if len(text) <= self.limits.digits and len(exponent.lstrip("+-0")) <= 6:
            number = Decimal(text)
            if not exponent or _is_small(number, self.limits.digits):
                return number
        self._problem(
            "E112",
            start,
            self.at,
            f"{shown(text, 30)} is beyond the numbers that are read",
            why=f"Written plainly, a number has at most {self.limits.digits} digits.",
            fix="Put quotes around it if it is not a number.",
        )
        return None

    def _string(self) -> str:
        start = self.at
        self.at += 1
        parts: list[str] = []
        while True:
            plain_end = _end(_PLAIN, self.text, self.at)
            parts.append(self.text[self.at : plain_end])
            self.at = plain_end
            sign = self._sign()
            if sign == '"':
                self.at += 1
                return self._whole_characters("".join(parts), start)
            if sign == "\\":
                parts.append(self._escape())
            elif sign == "":
                self._stop(
                    "E111",
                    start,
                    start + 1,
                    "the quote that opens here is not closed",
                    why="The rest of the file would be one text.",
                    fix='Close it with " at the end of the text.',
                )
            else:
                self._broken_line(start, sign)
                parts.append(sign)
                self.at += 1

    def _broken_line(self, start: int, sign: str) -> None:
        write = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[sign]
        why = "In JSON a text stands in one line; breaks and tabs are written as escapes."
        if sign == "\t":
            self._problem(
                "E111",
                self.at,
                self.at + 1,
                "a tab stands inside a text",
                why=why,
                fix=f"Write {write} for it, or a blank.",
            )
        else:
            self._stop(
                "E111",
                start,
                start + 1,
                "the text that begins here does not end in its line",
                why=why,
                fix=f'Close it with ", or write {write} where the line breaks.',
            )

    def _escape(self) -> str:
        start = self.at
        sign = self.text[start + 1 : start + 2]
        if sign in _ESCAPES and sign:
            self.at += 2
            return _ESCAPES[sign]
        code = self.text[start + 2 : start + 6]
        if sign == "u" and re.fullmatch("[0-9a-fA-F]{4}", code):
            self.at += 6
            return chr(int(code, 16))
        self.at += 2
        if not sign:
            # The file ends here, and so the text is not closed: that is the problem to say.
            return ""
        self._problem(
            "E111",
            start,
            start + 2,
            f"'{shown(self.text[start : start + 2])}' is not an escape of JSON",
            why='A backslash begins one of \\" \\\\ \\/ \\n \\r \\t or \\u with four digits.',
            fix="Write the backslash twice if it belongs to the text.",
        )
        return "\N{REPLACEMENT CHARACTER}"

    def _whole_characters(self, text: str, start: int) -> str:
        """The text with pairs of halves joined; other halves and control signs are problems."""
        joined = _PAIR.sub(lambda pair: _join(pair[0]), text)
        found = FORBIDDEN.search(joined)
        if found:
            half = "\ud800" <= found[0] <= "\udfff"
            self._problem(
                "E101",
                start,
                self.at,
                f"the escape for {named(found[0])} cannot stand in a text",
                why="It is half of a character." if half else "It has no form on paper.",
                fix="Write the whole character instead." if half else "Take it out.",
            )
            joined = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", joined)
        return joined

    def _no_key(self) -> NoReturn:
        sign = self._sign()
        word = _WORD.match(self.text, self.at)
        what, fix = "a name in quotes should stand here", 'Write: "name": value'
        end = self.at + 1
        if sign == "":
            self._not_closed()
        if sign == "'":
            what, fix = "a name in single quotes", 'JSON has double quotes only. Write: "name": ...'
        elif self.text.startswith(("//", "/*", "#"), self.at):
            what, fix = "a comment", "JSON has no comments; take it out, or write the case in YAML."
        elif word:
            what = f"the name {shown(word[0])} has no quotes"
            fix, end = f"Write: {_in_quotes(word[0])}: ...", word.end()
        self._stop("E111", self.at, end, what, why="Members of an object have names.", fix=fix)

    def _no_comma(self, top: _Open, bracket: str, sign: str) -> NoReturn:
        if sign == "":
            self._not_closed()
        if sign in {"}", "]"}:
            self._stop(
                "E111",
                self.at,
                self.at + 1,
                f"'{sign}' closes what '{self.text[top.mark.start]}' opened",
                why=f"What opens with '{self.text[top.mark.start]}' closes with '{bracket}'.",
                fix="Look for the bracket that is missing or too many.",
            )
        self._stop(
            "E111",
            self.at,
            self.at + 1,
            "a comma is missing before this",
            why=f"Entries are separated by commas until '{bracket}'.",
            fix="Write a comma after the entry before.",
        )

    def _not_closed(self) -> NoReturn:
        start = self.stack[-1].mark.start
        bracket = self.text[start]
        self._stop(
            "E111",
            start,
            start + 1,
            f"the '{bracket}' that opens here is not closed",
            why="The file ends before; it may have been cut off.",
            fix=f"Close it with '{']' if bracket == '[' else '}'}', or fetch the whole file.",
        )

    def _no_value(self, sign: str) -> NoReturn:
        if sign == "" and self.stack:
            self._not_closed()
        self._stop(
            "E111",
            self.at,
            self.at + 1,
            f"a value should stand here, not '{shown(sign)}'",
            why="A value is a text in quotes, a number, true, false, null, an object or a list.",
            fix="Write null for what is not known.",
        )

    def _bad_word(self, word: str, start: int) -> None:
        """A word that is no value: the next entry may still be read."""
        if word in {"NaN", "Infinity", "-Infinity"}:
            self._problem(
                "E112",
                start,
                self.at,
                f"{word} is not a number of JSON",
                why="No figure can have it; another program wrote it for a sum that failed.",
                fix="Write null for what is not known.",
            )
            return
        meant = _CONSTANT_WORDS.get(word.lower()) or nearest(word, _CONSTANTS)
        fix = f"Write {meant}." if meant else f"Write {_in_quotes(word)} if it is a text."
        why = "A value is a text in quotes, a number, true, false, null, an object or a list."
        if word[0] in "'`":
            why, fix = "JSON has double quotes only.", f"Write: {_in_quotes(word.strip(word[0]))}"
        elif word.startswith(("//", "/*", "#")):
            why, fix = "JSON has no comments.", "Take it out, or write the case in YAML."
        elif re.match(r"[-+.]?[0-9]", word):
            why = "A number is an optional '-', digits without zeros in front, a point and digits."
            fix = f"Write the number plainly, or {_in_quotes(word)} if it is a text."
        self._problem("E111", start, self.at, f"{shown(word)} is not a value", why=why, fix=fix)

    def _sign(self) -> str:
        return self.text[self.at : self.at + 1]

    def _blank(self) -> None:
        self.at = _end(_BLANK, self.text, self.at)

    def _problem(
        self, code: str, start: int, end: int, what: str, *, why: str = "", fix: str = ""
    ) -> None:
        line, column, length = self.places.span(start, end)
        self.problems.append(Problem(code, what, why, fix, self.name, line, column, length))
        if len(self.problems) >= self.limits.problems:
            raise _StopReadingError

    def _stop(
        self, code: str, start: int, end: int, what: str, *, why: str = "", fix: str = ""
    ) -> NoReturn:
        self._problem(code, start, end, what, why=why, fix=fix)
        raise _StopReadingError


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where what a pattern describes ends, if it begins at a place; else that place."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _join(pair: str) -> str:
    high, low = map(ord, pair)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _in_quotes(text: str) -> str:
    return f'"{shown(text, 40)}"'
