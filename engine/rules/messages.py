"""Messages of findings: text with the names of figures in braces."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A figure inside a message: `{fmv}`, `{row.age}`, `{given(fmv)}`, `{say:words}`."""

    text: str
    words: bool = False
    address: str = ""
    in_row: bool = False


def parse_message(text: str) -> tuple[tuple[str | Placeholder, ...], tuple[str, ...]]:
    """The parts of a message, and what is wrong with its braces.

    >>> parse_message("Age {row.age}.")[0]
    ('Age ', Placeholder(text='row.age', words=False, address='', in_row=True), '.')
    """
    parts: list[str | Placeholder] = []
    faults: list[str] = []
    position = 0
    for match in _BRACES.finditer(text):
        if match.start() > position:
            parts.append(text[position : match.start()])
        name, colon, form = match[1].partition(":")
        if colon and form.strip() != "words":
            faults.append(f"'{form.strip()}' is not a form of a figure; the only one is words")
        name = name.strip()
        parts.append(Placeholder(name, bool(colon), in_row="row." in name))
        position = match.end()
    if position < len(text):
        parts.append(text[position:])
    rest = _BRACES.sub("", text)
    if "{" in rest or "}" in rest:
        faults.append("a brace has no partner")
    return tuple(parts), tuple(faults)
