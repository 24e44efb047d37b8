"""YAML read with care: what one reader takes for one thing and another for another is a problem.

Texts come from people, so every fault of a file is reported at once, at its place. Only mappings,
lists, text, plainly written numbers, true, false and null have a meaning here; numbers are exact,
dates and whatever stands in quotes stay text.
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

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
from contracts.problems import Problem, in_order, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

# The C parser is ten times faster; both give the same events, and the same problems.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INVISIBLE = re.compile("[\u2028\u2029\ufeff]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_TRAP_WORDS = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE"), "true"),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF", "False", "FALSE"), "false"),
    **dict.fromkeys(("Null", "NULL"), "null"),
}
_TRAP_NUMBER = re.compile(
    r"""
      [-+]?0[0-9_]+(\.[0-9_]*)?                           # 012: ten to some
    | [-+]?0[xX][0-9a-fA-F_]+ | [-+]?0[oO][0-7_]+ | [-+]?0[bB][01_]+
    | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?        # 12:30: 750 to some
    | [-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?
    | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)
    """,
    re.VERBOSE,
)


def read_yaml(text: str, name: str, *, limits: Limits = LIMITS) -> Document:
    """The values of a YAML text, and everything that is wrong with it.

    Args:
        text: the whole file.
        name: how problems call the file.
        limits: how much is read.

    Returns:
        A document; nothing is ever raised for what the text holds.
    """
    text = text.removeprefix("\ufeff")
    reading = _Reading(name, text, limits, Places(text))
    if len(text) > limits.characters:
        reading.problem(
            "E110",
            0,
            1,
            f"the file has {len(text)} characters, more than the {limits.characters} that are read",
            fix="Check that it is the right file; split it if it is.",
        )
        return Document(name, text, None, tuple(reading.problems))
    value = None
    with contextlib.suppress(_StopReadingError):
        clean = reading.clean()
        try:
            value = reading.build(yaml.parse(clean, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            reading.structure(error)
        else:
            reading.tabs()
    root = reading.root
    problems = in_order(reading.problems)
    return Document(name, text, value, problems, find_marks=lambda: root)


class _StopReadingError(Exception):
    """The text goes on for longer, deeper or wronger than is worth reading."""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    value: Any
    mark: Mark
    # The key whose value comes next: its text (None if it cannot be one), and its place.
    key: str | None = None
    key_start: int = 0
    key_end: int = 0
    expects_value: bool = False
    # Where each key of a mapping was first written.
    seen: dict[str, int] = field(default_factory=dict)


class _Reading:
    """Builds values and marks from the parser's events, collecting problems on the way."""

    def __init__(self, name: str, text: str, limits: Limits, places: Places) -> None:
        self.name = name
        self.text = text
        self.limits = limits
        self.places = places
        self.problems: list[Problem] = []
        self.root: Mark | None = None
        self.scalars: list[tuple[int, int]] = []
        self._stack: list[_Open] = []
        self._values = 0

    def problem(
        self, code: str, start: int, end: int, what: str, *, why: str = "", fix: str = ""
    ) -> None:
        line, column, length = self.places.span(start, end)
        self.problems.append(Problem(code, what, why, fix, self.name, line, column, length))
        if len(self.problems) >= self.limits.problems:
            raise _StopReadingError

    def clean(self) -> str:
        """The text with a stand-in for each character that no text may hold."""
        self.problems += forbidden_characters(self.text, self.name)[: self.limits.problems]
        clean = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", self.text)
        for invisible in _INVISIBLE.finditer(clean):
            self.problem(
                "E101",
                invisible.start(),
                invisible.end(),
                f"an invisible character, {named(invisible[0])}, stands here",
                why="Editors do not show it, yet YAML may end the line at it.",
                fix="Delete it; it was usually pasted in from another program.",
            )
        return _INVISIBLE.sub(" ", clean)

    def build(self, events: Iterable[yaml.Event]) -> Any:
        result: Any = None
        for event in events:
            # Every event of the parsers has marks, though the stubs allow none.
            start: int = getattr(event.start_mark, "index", 0)
            end: int = getattr(event.end_mark, "index", start)
            if isinstance(event, yaml.ScalarEvent):
                self._check_decoration(event, start, end)
                self.scalars.append((start, end))
                if self._expects_key():
                    self._key(event, start, end)
                else:
                    result = self._put(self._scalar(event, start, end), Mark(start, end))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._check_decoration(event, start, end)
                self._open(event, start, end)
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._stack.pop()
                done.mark.end = max(end, done.mark.end)
                result = self._put(done.value, done.mark)
            elif isinstance(event, yaml.AliasEvent):
                self._decoration(f"'*{shown(event.anchor)}', an alias,", start, end)
                if self._expects_key():
                    self._key_of(None, start, end)
                else:
                    result = self._put(None, Mark(start, end))
            elif isinstance(event, yaml.DocumentStartEvent):
                self._document_start(event, start, end)
        if self.root is None:
            self._nothing()
        return result

    def _document_start(self, event: yaml.DocumentStartEvent, start: int, end: int) -> None:
        if self.root is not None:
            self.problem(
                "E109",
                start,
                end,
                "a second document begins here",
                why="One file holds one document; what follows has not been read.",
                fix="Take out the line '---', or put what follows into a file of its own.",
            )
            raise _StopReadingError
        if event.version is not None or event.tags:
            percent = max(0, self.text.find("%"))
            self._decoration("a line that begins with '%', a directive,", percent, percent + 1)

    def _nothing(self) -> None:
        self.problem(
            "E113",
            0,
            1,
            "there is nothing in the file",
            why="It is empty, or every line of it is a comment.",
            fix="Check that it is the right file and that it was saved.",
        )

    def _open(self, event: yaml.CollectionStartEvent, start: int, end: int) -> None:
        if len(self._stack) >= self.limits.depth:
            self.problem(
                "E110",
                start,
                end,
                f"lists and mappings stand more than {self.limits.depth} deep in each other here",
                why="Nothing that is read here needs that; a bracket may have been repeated.",
            )
            raise _StopReadingError
        mark = Mark(start, end)
        if self._expects_key():
            # A list or mapping cannot be a key: it is read, and then dropped.
            self._bad_key("a list or mapping", start, end, quoted=None)
            outer = self._stack[-1]
            outer.key, outer.key_start, outer.key_end, outer.expects_value = None, start, end, True
            mark.key_start = -2
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(value, mark))

    def _expects_key(self) -> bool:
        if not self._stack:
            return False
        top = self._stack[-1]
        return isinstance(top.value, dict) and not top.expects_value

    def _key(self, event: yaml.ScalarEvent, start: int, end: int) -> None:
        text: str = event.value
        plain = event.implicit[0]
        if plain and text == "<<":
            self._decoration("'<<', a merge key,", start, end)
            return self._key_of(None, start, end)
        if plain and (text in _WORDS or text in _TRAP_WORDS or _TRAP_NUMBER.fullmatch(text)):
            self._bad_key(f"'{shown(text)}'" if text else "a blank", start, end, quoted=text)
        return self._key_of(self._checked_text(text, start, end), start, end)

    def _bad_key(self, what: str, start: int, end: int, *, quoted: str | None) -> None:
        why = "A key is a name; readers take this one for a number, a truth value or nothing."
        if quoted is None:
            why = "A key is a name: a word before a colon."
        elif quoted[:1].isdigit() and self.text[start - 1 : start] == ",":
            why = (
                "Inside { } a comma begins the next key, so a number is written without commas: "
                "100000, not 1,00,000."
            )
        fix = f'Write: "{shown(quoted)}": ...' if quoted else "Write a name before the colon."
        self.problem("E107", start, end, f"{what} is not a name for a value", why=why, fix=fix)

    def _key_of(self, key: str | None, start: int, end: int) -> None:
        top = self._stack[-1]
        if key is not None and key in top.seen:
            line, _, _ = self.places.span(top.seen[key], top.seen[key])
            self.problem(
                "E105",
                start,
                end,
                f"'{shown(key)}' is written twice",
                why=f"It was written first in line {line}; of two values nobody knows which holds.",
                fix="Keep the one that is right.",
            )
            key = None
        elif key is not None:
            top.seen[key] = start
        top.key, top.key_start, top.key_end, top.expects_value = key, start, end, True

    def _put(self, value: Any, mark: Mark) -> Any:
        self._values += 1
        if self._values > self.limits.values:
            self.problem(
                "E110",
                mark.start,
                mark.end,
                f"the file holds more than {self.limits.values} values",
                fix="Check that it is the right file; split it if it is.",
            )
            raise _StopReadingError
        if mark.key_start == -2:
            return None
        if not self._stack:
            self.root = mark
            return value
        top = self._stack[-1]
        top.mark.end = mark.end
        if isinstance(top.value, list):
            top.mark.parts[len(top.value)] = mark
            top.value.append(value)
            return None
        mark.key_start, mark.key_end = top.key_start, top.key_end
        if top.key is not None:
            top.mark.parts[top.key] = mark
            top.value[top.key] = value
        top.key, top.expects_value = None, False
        return None

    def _scalar(self, event: yaml.ScalarEvent, start: int, end: int) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return self._checked_text(text, start, end)
        if text in _WORDS:
            return _WORDS[text]
        if _NUMBER.fullmatch(text):
            return self._number(text, start, end)
        if text in _TRAP_WORDS:
            self._trap_word(text, start, end)
        elif _TRAP_NUMBER.fullmatch(text):
            self._trap_number(text, start, end)
        elif "\n" in self.text[start:end] and re.search(r"\n *- ", self.text[start:end]):
            dash = start + self.text[start:end].index("- ")
            self.problem(
                "E102",
                dash,
                dash + 1,
                "this '-' does not begin an entry: the line goes on with the text above",
                why="Entries of one list begin in one column.",
                fix="Indent the '-' like the entry above it, or put quotes around the text.",
            )
        return text

    def _number(self, text: str, start: int, end: int) -> Any:
        if len(text) > self.limits.digits:
            self.problem(
                "E112",
                start,
                end,
                f"a number of {len(text)} signs is more than is read",
                why=f"A number has at most {self.limits.digits} digits.",
                fix="Put quotes around it if it is not a number.",
            )
            return text
        return Decimal(text)

    def _trap_word(self, text: str, start: int, end: int) -> None:
        meant = _TRAP_WORDS[text]
        self.problem(
            "E103",
            start,
            end,
            f"'{text}' is {meant} to some readers and a text to others",
            why="Only true, false and null are words with a meaning of their own here.",
            fix=f'Write {meant} if that is meant, or "{text}" with quotes if it is text.',
        )

    def _trap_number(self, text: str, start: int, end: int) -> None:
        number = _plainly(text)
        meant = f"Write {number} if the number is meant, or " if number else "Write "
        self.problem(
            "E104",
            start,
            end,
            f"'{shown(text)}' is not a plainly written number",
            why=_trap_reason(text),
            fix=f'{meant}"{shown(text)}" with quotes if it is text.',
        )

    def _checked_text(self, text: str, start: int, end: int) -> str:
        # Escapes in double quotes may write what the text itself may not hold.
        found = FORBIDDEN.search(text) if "\\" in self.text[start:end] else None
        if found:
            self.problem(
                "E101",
                start,
                end,
                f"the escape for {named(found[0])} cannot stand in a text",
                why="The character has no form on paper.",
                fix="Take it out.",
            )
            return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
        return text

    def _check_decoration(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, start: int, end: int
    ) -> None:
        if event.anchor is not None:
            self._decoration(f"'&{shown(event.anchor)}', an anchor,", start, end)
        if event.tag is not None:
            tag = self.text[start:end].split(maxsplit=1)[:1] or ["!"]
            self._decoration(f"'{shown(tag[0], 30)}', a tag,", start, start + len(tag[0]))

    def _decoration(self, what: str, start: int, end: int) -> None:
        self.problem(
            "E106",
            start,
            end,
            f"{what} is not used here",
            why="It makes a file mean something else than it says.",
            fix="Write the value out; a text that begins with this sign needs quotes around it.",
        )

    def tabs(self) -> None:
        """Tabs between values: the parsers disagree about them, so none is taken."""
        starts = [start for start, _ in self.scalars]
        position = self.text.find("\t")
        while position >= 0:
            line_start = self.text.rfind("\n", 0, position) + 1
            before = bisect_right(starts, position) - 1
            inside = before >= 0 and position < self.scalars[before][1]
            gap_start = max(line_start, self.scalars[before][1]) if before >= 0 else line_start
            if not inside and "#" not in self.text[gap_start:position]:
                self._tab(position)
            position = self.text.find("\t", position + 1)

    def _tab(self, position: int) -> None:
        self.problem(
            "E108",
            position,
            position + 1,
            "a tab stands here, where only blanks may",
            why="A tab is as wide as each editor likes, so the structure would depend on it.",
            fix="Use blanks; most editors can be told to insert blanks for the tab key.",
        )

    def structure(self, error: yaml.MarkedYAMLError) -> None:
        """The problem for a text whose structure the parser cannot follow."""
        mark = error.problem_mark or error.context_mark
        position: int = getattr(mark, "index", 0)
        line_start = self.text.rfind("\n", 0, position) + 1
        until = self.text.find("\n", position)
        line = self.text[line_start : until if until >= 0 else len(self.text)]
        problem = str(error.problem or "")
        context: int = getattr(error.context_mark, "index", position)
        if (
            "tab" in problem
            or self.text[position : position + 1] == "\t"
            or re.match(r" *\t", line)
        ):
            tab = self.text.find("\t", line_start)
            self._tab(tab if tab >= 0 else position)
        elif "directive" in problem or "version" in problem or "tag" in problem:
            self._decoration("a tag (!) or directive (%)", position, position + 1)
        else:
            what, why, fix, place = _broken(self.text, problem, position, context, line_start)
            self.problem("E102", place, place + 1, what, why=why, fix=fix)


def _broken(
    text: str, problem: str, position: int, context: int, line_start: int
) -> tuple[str, str, str, int]:
    """What, why, fix and place of a break in the structure, from the parser's words."""
    sign = text[position : position + 1]
    if "mapping values are not allowed" in problem:
        if re.search(r":\s", text[line_start:position]):
            return (
                "a second ': ' in one line",
                "A colon and a blank end a key, so the value before this one cannot be read.",
                "If the colon belongs to a text, put quotes around the whole text.",
                position,
            )
        return (
            "a key where none can stand",
            "The line is indented deeper than the entry above it, which has its value already.",
            "Indent it like its neighbours, or take away the value above.",
            position,
        )
    if "could not find expected ':'" in problem:
        return _no_colon(text, context)
    if "end of stream" in problem:
        return (
            f"the quote {text[context : context + 1]} that opens here is not closed",
            "The rest of the file would be one text.",
            "Close the quote at the end of the text.",
            context,
        )
    if "escape" in problem:
        return (
            "a backslash in double quotes that begins no known escape",
            "Inside double quotes a backslash has a meaning of its own.",
            "Use single quotes, or write the backslash twice.",
            position,
        )
    if "cannot start any token" in problem:
        return (
            f"a value cannot begin with '{shown(sign)}'",
            "YAML keeps this sign for itself.",
            "Put quotes around the text.",
            position,
        )
    if re.search(r"',' or '[\]}]'", problem):
        opened = text[context : context + 1]
        return (
            f"the '{opened}' that opens here is not closed, or a comma is missing after an entry",
            f"The list or mapping goes on until '{']' if opened == '[' else '}'}'.",
            "Close it, or write a comma between its entries.",
            context,
        )
    if "sequence entries are not allowed" in problem:
        return (
            "an entry '- ' cannot begin in the middle of a line",
            "A list stands in the lines below its key, or in [ ].",
            "Begin a new line before the '-', or put quotes around the text.",
            position,
        )
    if sign in {"]", "}", ","} and sign:
        return (
            f"a '{sign}' where a value or an end of the file should be",
            "Nothing was opened that it could close, or a value is missing before it.",
            "Take it out, or put quotes around the text that holds it.",
            position,
        )
    return (
        "the structure breaks at this place",
        (
            "Something here does not fit what stands before it: a quote that ends too early, "
            "a line that is not indented like its neighbours, or a list and a mapping mixed."
        ),
        "Compare the line with the one above; put quotes around a text that holds quotes or signs.",
        position,
    )


def _no_colon(text: str, start: int) -> tuple[str, str, str, int]:
    until = text.find("\n", start)
    line = text[start : until if until >= 0 else len(text)]
    glued = re.match(r"([\w.-]+):(?=\S)", line)
    if glued:
        return (
            "a blank is missing after the colon",
            f"'{shown(line)}' is read as one word.",
            f"Write: {glued[1]}: {shown(line[glued.end() :])}",
            start + glued.end() - 1,
        )
    return (
        f"'{shown(line)}' has no colon",
        "In a mapping every line is a key, a colon, a blank and a value.",
        "Write the key before it; indent it deeper if it belongs to the text above.",
        start,
    )


def _trap_reason(text: str) -> str:
    if ":" in text:
        return "Some readers count in sixties: to them 12:30 is 750."
    if "inf" in text.lower() or "nan" in text.lower():
        return "It is no number that a figure could have."
    if re.match(r"[-+]?0[0-9]", text):
        return "With a zero in front some readers count in eights: to them 012 is ten."
    if "e" in text.lower() and not text.lower().startswith(("0x", "+0x", "-0x")):
        return "Some readers take a number with an exponent for a number, others for text."
    return "Readers disagree about it; a number is an optional '-', digits, and a point if needed."


def _plainly(text: str) -> str | None:
    """The plain spelling of a number written in another way, if it has one."""
    body = text.replace("_", "").lower()
    if ":" in body or "inf" in body or "nan" in body or len(body) > 40:
        return None
    sign, body = ("-" if body.startswith("-") else ""), body.lstrip("+-")
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2)):
        if body.startswith(prefix):
            return f"{sign}{int(body[2:], base)}" if body[2:] else None
    mantissa, _, exponent = body.partition("e")
    if exponent and abs(int(exponent)) > 30:
        return None
    return sign + format(Decimal(f"{mantissa or '0'}e{exponent or '0'}"), "f")
