"""A text that has been read: its values, what was wrong with them, and where each one stands."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from contracts.problems import LINE_BREAK, Problem, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The way to a value: keys of mappings, and numbers of list entries counted from 0.
Path = tuple[str | int, ...]

#: What no report can print and no database can store.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read; far above what people write, far below what does harm."""

    characters: int = 4_000_000
    depth: int = 64
    values: int = 400_000
    digits: int = 100
    problems: int = 100


LIMITS = Limits()


@dataclass(slots=True)
class Mark:
    """Where a value and its key stand in the text, as character numbers, and its parts."""

    start: int
    end: int
    key_start: int = -1
    key_end: int = -1
    parts: dict[str | int, Mark] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """Values read from a text, and the faults found while reading.

    `value` is made of dict, list, str, bool, None and Decimal; it is as good as could be read
    when there are problems, and None when nothing could.
    """

    name: str
    text: str
    value: Any
    problems: tuple[Problem, ...] = ()
    # Places are worked out when first asked for: a faultless JSON text never needs them.
    find_marks: Callable[[], Mark | None] = field(
        default=lambda: None, repr=False, compare=False, kw_only=True
    )

    @classmethod
    def of_values(cls, value: Any, name: str = "") -> Document:
        """A document of values that were never a text of ours, so that problems have no place."""
        return cls(name, "", value)

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value, or of its key, counted from 1.

        A value that is absent has the place of its nearest parent; (0, 0) says that there is no
        text to point into.
        """
        line, column, _ = self._span(path, key=key)
        return line, column

    def mark(self, path: Path) -> Mark | None:
        """Where a value stands, with its parts; None if it has no place."""
        mark = self._marks
        for step in path:
            mark = mark.parts.get(step) if mark else None
        return mark

    def problem(
        self,
        code: str,
        path: Path,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        key: bool = False,
        severity: str = "error",
    ) -> Problem:
        """A problem with the value at a path, or with its key."""
        line, column, length = self._span(path, key=key)
        where = field_text(self.value, path)
        return Problem(code, what, why, fix, self.name, line, column, length, where, severity)

    def narrowed(self, problem: Problem, path: Path, text: str, start: int, end: int) -> Problem:
        """A problem with a text moved to a part of it, however the text is quoted or folded.

        Args:
            problem: with the whole text, which stands at `path`.
            path: where the text stands.
            text: as it was read.
            start: where the part begins, as a character number of `text`.
            end: where it ends; an empty part lies behind the word before it.
        """
        mark = self.mark(path)
        behind = not text[start:end].strip()
        if behind:
            end = len(text[:start].rstrip())
            start = max(0, end - 1)
        meant = text[start:end].split()
        if mark is None or not meant:
            return problem
        begin, quote = mark.start, self.text[mark.start]
        if quote in "|>":
            begin = self.text.index("\n", begin)
        doubled = {"'": "''", '"': '\\"'}.get(quote, quote)
        # YAML may fold blanks into line ends, never words into anything else.
        pattern = re.compile(r"\s+".join(map(re.escape, meant)))
        written = re.compile(r"\s+".join(re.escape(word.replace(quote, doubled)) for word in meant))
        before = len(pattern.findall(text, 0, start))
        places = [*itertools.islice(written.finditer(self.text, begin, mark.end), before + 1)]
        if len(places) <= before:
            # A quoted text may write its signs in another way than they are read.
            return problem
        line, column, length = self._places.span(*places[before].span())
        if behind:
            column, length = column + 1, 1
        return replace(problem, line=line, column=column, length=length)

    def _span(self, path: Path, *, key: bool) -> tuple[int, int, int]:
        mark = self._marks
        if mark is None:
            return 0, 0, 1
        for step in path:
            if step not in mark.parts:
                # The nearest parent is best shown by its name, not by its first line.
                key = True
                break
            mark = mark.parts[step]
        start, end = mark.start, mark.end
        if (key or mark.parts) and mark.key_start >= 0:
            start, end = mark.key_start, mark.key_end
        return self._places.span(start, end)

    @cached_property
    def _marks(self) -> Mark | None:
        return self.find_marks()

    @cached_property
    def _places(self) -> Places:
        return Places(self.text)


class Places:
    """Turns character numbers of a text into lines and columns."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in LINE_BREAK.finditer(text))]

    def span(self, start: int, end: int) -> tuple[int, int, int]:
        """Line and column of a place, counted from 1, and how many characters of its line."""
        start = max(0, min(start, len(self._text)))
        line = bisect_right(self._starts, start)
        begin = self._starts[line - 1]
        line_end = self._starts[line] if line < len(self._starts) else len(self._text)
        length = min(end, max(start, begin + len(self._text[begin:line_end].rstrip()))) - start
        return line, start - begin + 1, max(1, length)


def field_text(value: Any, path: Sequence[str | int]) -> str:
    """A path as people write it, rows by their id, else by their number counted from 1.

    >>> field_text({"floors": [{"id": "house"}, {}]}, ("floors", 0, "age"))
    'floors[house].age'
    >>> field_text({}, ("floors", 1))
    'floors[2]'
    """
    out = ""
    for step in path:
        inner = _part(value, step)
        if isinstance(step, int):
            row_id = _part(inner, "id")
            out += f"[{shown(row_id) if isinstance(row_id, str) else step + 1}]"
        else:
            out += ("." if out else "") + shown(step)
        value = inner
    return out


def _part(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def text_of(content: bytes, name: str) -> tuple[str, tuple[Problem, ...]]:
    """The text of a file's bytes, which must be UTF-8; a byte order mark is taken off.

    Returns:
        The text, and problems; with problems, every byte that is not UTF-8 stands as U+FFFD.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
        what = "the file is UTF-16, not UTF-8"
    else:
        try:
            return content.decode("utf-8").removeprefix("\ufeff"), ()
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8").removeprefix("\ufeff")
            text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
            what = f"the byte {content[error.start]:#04x} here is not UTF-8"
            line, column, _ = Places(text).span(len(before), len(before) + 1)
            return text, (_not_utf8(what, name, line, column),)
    return text, (_not_utf8(what, name, 1, 1),)


def _not_utf8(what: str, name: str, line: int, column: int) -> Problem:
    return Problem(
        "E101",
        what,
        why="Files are read as UTF-8, so that every letter and sign means one thing.",
        fix="In the editor, save the file with the encoding UTF-8.",
        file=name,
        line=line,
        column=column,
    )


def forbidden_characters(text: str, name: str) -> list[Problem]:
    """A problem for each stretch of characters that no text of ours may hold."""
    if not FORBIDDEN.search(text):
        return []
    places = Places(text)
    found = []
    for match in re.finditer(f"{FORBIDDEN.pattern}+", text):
        line, column, length = places.span(*match.span())
        found.append(
            Problem(
                "E101",
                f"character {named(match[0][0])} cannot stand in a text",
                why="It has no form on paper; it is usually pasted in by accident.",
                fix="Delete it; in most editors, retyping the word is enough.",
                file=name,
                line=line,
                column=column,
                length=length,
            )
        )
    return found


def named(character: str) -> str:
    r"""A character's number as Unicode writes it.

    >>> named("\t")
    'U+0009'
    """
    return f"U+{ord(character):04X}"
