"""Messages of findings: text with the names of figures in braces."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A figure inside a message: `{fmv}`, `{row.age}`, `{given(fmv)}`, `{say:words}`.

    `start` and `end` say where it stands, without its braces.
    """

    text: str
    words: bool = False
    address: str = ""
    in_row: bool = False
    start: int = field(default=0, compare=False, repr=False)
    end: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BraceFault:
    """Something wrong with a message's braces, and where."""

    what: str
    start: int
    end: int


def parse_message(text: str) -> tuple[tuple[str | Placeholder, ...], tuple[BraceFault, ...]]:
    """The parts of a message, and what is wrong with its braces.

    >>> parse_message("Age {row.age}.")[0]
    ('Age ', Placeholder(text='row.age', words=False, address='', in_row=True), '.')
    """
    parts: list[str | Placeholder] = []
    faults: list[BraceFault] = []
    position = 0
    for match in _BRACES.finditer(text):
        if match.start() > position:
            parts.append(text[position : match.start()])
        name, colon, form = match[1].partition(":")
        if colon and form.strip() != "words":
            what = f"'{form.strip()}' is not a form of a figure; the only one is words"
            faults.append(BraceFault(what, match.start(1) + len(name) + 1, match.end(1)))
        parts.append(
            Placeholder(
                name.strip(),
                bool(colon),
                in_row="row." in name,
                start=match.start(1),
                end=match.start(1) + len(name),
            )
        )
        position = match.end()
    if position < len(text):
        parts.append(text[position:])
    rest = _BRACES.sub(lambda match: " " * len(match[0]), text)
    faults += [
        BraceFault("a brace has no partner", match.start(), match.end())
        for match in re.finditer("[{}]", rest)
    ]
    return tuple(parts), tuple(faults)
