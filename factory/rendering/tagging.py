"""Makes every figure on the page name its field.

A template says `{{ fmv }}` and no more. Here each such expression that stands in a run of text
becomes a run of its own, in a content control whose tag is the name of the field; the text around
it stays in runs of the same look. So a finished report can be read back, figure by figure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable

from factory.rendering.sandbox import RUN

#: Word opens no document with a longer tag.
LONGEST_TAG = 64

_MARK = re.compile(r"<(/?)w:(t|r)(?=[ >/])[^>]*?(/?)>")
_LOOK = re.compile(r"<w:rPr>.*?</w:rPr>|<w:rPr/>", re.DOTALL)
# XML has no place for control characters and half pairs; marks that turn the order of signs around
# make a number read as another one.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u061c\u202a-\u202e\u2066-\u2069]"
)
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an expression is printed: as the template wrote it, and the look of its run."""

    expression: str
    look: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """A template's text with its expressions in runs of their own."""

    source: str
    spots: tuple[Spot, ...]
    outside: tuple[str, ...]
    """Expressions that stand neither in a text nor in an attribute."""


def tag_of(field: str) -> str:
    """What the content control of a field is called; long names are cut, and stay distinct.

    >>> tag_of("floors[ground].net")
    'floors[ground].net'
    """
    if len(field) <= LONGEST_TAG:
        return field
    return f"{field[:47]}~{hashlib.sha256(field.encode()).hexdigest()[:16]}"


def printable(text: str) -> str:
    """The text with a sign of replacement for each character that no page can show."""
    return _UNPRINTABLE.sub("\ufffd", text)


def shown_run(text: str, look: str, field: str = "") -> str:
    """The run of a text, in a content control if it shows a field; line breaks become Word's.

    Args:
        text: as it is to be read.
        look: the `w:rPr` of the run, or nothing.
        field: the name of what is shown.
    """
    lines = "<w:br/>".join(
        f'<w:t xml:space="preserve">{escape(line)}</w:t>'.replace(
            "\t", '</w:t><w:tab/><w:t xml:space="preserve">'
        )
        for line in _BREAK.split(printable(text))
    )
    run = f"<w:r>{look}{lines}</w:r>"
    if not field:
        return run
    tag = quoteattr(printable(tag_of(field)))
    return (
        f"<w:sdt><w:sdtPr><w:tag w:val={tag}/></w:sdtPr><w:sdtContent>{run}</w:sdtContent></w:sdt>"
    )


def tag_expressions(tokens: Iterable[tuple[int, str, str]]) -> Tagged:
    """A template's text in which each expression has its own run.

    Args:
        tokens: the text as Jinja's own reader divides it, so that both agree where an expression
            ends.
    """
    out: list[str] = []
    spots: list[Spot] = []
    outside: list[str] = []
    reading = _Reading()
    expression: list[str] | None = None
    for _, kind, text in tokens:
        if kind == "data":
            reading.read(text)
            out.append(text)
        elif kind == "variable_begin":
            expression = [text]
        elif kind == "variable_end":
            assert expression is not None
            inner = "".join(expression[1:])
            if reading.in_text:
                wrapped = f"{expression[0]} ({inner})|{RUN}({len(spots)}) {text}"
                out.append(f"</w:t></w:r>{wrapped}<w:r>{reading.look}{_TEXT}")
                spots.append(Spot(" ".join(inner.split()), reading.look))
            else:
                out.append(f"{expression[0]}{inner}{text}")
                if not reading.in_attribute:
                    outside.append(" ".join(inner.split()))
            expression = None
        elif expression is not None:
            expression.append(text)
        else:
            out.append(text)
    return Tagged("".join(out), tuple(spots), tuple(outside))


_TEXT = '<w:t xml:space="preserve">'


class _Reading:
    """Where in the XML the reader stands: in a text or not, and in a run of which look."""

    def __init__(self) -> None:
        self.in_text = False
        self.in_attribute = False
        self.look = ""
        self._in_run = ""

    def read(self, text: str) -> None:
        """Go on to the end of a piece of the template."""
        if "<" in text or ">" in text:
            self.in_attribute = text.rfind("<") > text.rfind(">")
        at = 0
        for mark in _MARK.finditer(text):
            closing, name, empty = mark.groups()
            if name == "r" and not closing:
                self._in_run, at = "", mark.end()
            elif name == "t":
                self.in_text = not closing and not empty
                look = _LOOK.search(self._in_run + text[at : mark.start()])
                self.look = look[0] if look and "{" not in look[0] else ""
        self._in_run += text[at:]
