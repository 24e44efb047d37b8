"""What a template asks for: its tags, joined as docxtpl joins them, each with its place.

Word splits what a person typed into runs, so tags are read from whole paragraphs. Every tag gets a
number in blanks that mean nothing to jinja2; so it is known again when docxtpl has rearranged the
text, and a tag that docxtpl would lose is noticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from docxtpl import DocxTemplate
from lxml import etree

from contracts.problems import shown
from factory.rendering.docx_package import DOCUMENT, TEXT_TYPES, parse_part
from factory.rendering.word_xml import w, without_doubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from factory.rendering.docx_package import Package

_P, _T, _TC, _TR, _TBL, _TEXT_BOX = map(w, ("p", "t", "tc", "tr", "tbl", "txbxContent"))

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FILLED_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OPENING = re.compile(r"\{[{%#]")
_BRACE = re.compile(r"\{(?=[{%#])")
#: What docxtpl writes itself in place of its own words for merged cells.
_DOCXTPL_WORDS = re.compile(r"\{%\s*(?:vm|hm)\s*%\}")
_LEVEL = re.compile(r"\{([{%])(tr|tc|p|r) ")

#: Blanks that nobody types. Ten are the digits of a number, one stands before and behind it.
_DIGITS = "".join(map(chr, range(0x2000, 0x200A)))
_EDGE = chr(0x200A)
_UNUSUAL = re.compile(f"[{_DIGITS}{_EDGE}]")
_NUMBER = re.compile(f"{_EDGE}([{_DIGITS}]+){_EDGE}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, as a person finds it in Word."""

    part: str
    where: str
    text: str

    def __str__(self) -> str:
        """As a message says it."""
        where = f"{self.part}, {self.where}" if self.where else self.part
        return f"{where}: {shown(self.text, 80)}" if self.text else where


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A tag that stands where it cannot, and why."""

    place: Place
    what: str
    why: str
    is_unreadable: bool = False
    is_lost: bool = False


@dataclass(slots=True)
class TemplateText:
    """One part of a template as jinja2 reads it: every tag begins a line of its own."""

    part: str
    source: str = ""
    #: The place of the tag that begins each line; the first line has none.
    places: list[Place] = field(default_factory=list)
    tags: list[tuple[str, Place]] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)

    def at(self, line: int) -> Place:
        """The place of a line of the source, counted from 1."""
        if not self.places:
            return Place(self.part, "", "")
        return self.places[min(max(line - 2, 0), len(self.places) - 1)]


def read_template(package: Package) -> list[TemplateText]:
    """The parts of a template that are filled, the document first."""
    names = sorted(
        (name for name, kind in package.kinds.items() if kind in TEXT_TYPES),
        key=lambda name: (name != DOCUMENT, name),
    )
    return [
        _read(
            "the document" if name == DOCUMENT else PurePosixPath(name).stem,
            without_doubles(parse_part(package.parts[name])),
        )
        for name in names
        if name in package.parts
    ]


def _read(part: str, root: Any) -> TemplateText:
    text = TemplateText(part)
    where = _places(root)
    for element in root.iter(etree.Element):
        if element.tag != _T:
            text.misplaced += _outside_text(part, element, where)
    for paragraph in root.iter(_P):
        _number_tags(text, paragraph, where[paragraph])
    template = DocxTemplate("")
    patched = template.patch_xml(template.xml_to_string(root)).replace("\n", " ")
    _settle(text, patched)
    return text


def _settle(text: TemplateText, patched: str) -> None:
    """Give every tag of the patched text a line of its own, and look for tags that are lost."""
    found: set[int] = set()
    last = Place(text.part, "", "")

    def on_a_line(match: re.Match[str]) -> str:
        nonlocal last
        number = _NUMBER.search(match[0])
        if number is not None:
            index = int("".join(str(_DIGITS.index(digit)) for digit in number[1]))
            found.add(index)
            last = text.tags[index][1]
        text.places.append(last)
        return "\n" + _NUMBER.sub("", match[0])

    text.source = _FILLED_TAG.sub(on_a_line, patched)
    for index, (tag, place) in enumerate(text.tags):
        if index not in found and not _DOCXTPL_WORDS.fullmatch(tag):
            text.misplaced.append(
                Misplaced(
                    place,
                    f"the tag {shown(tag)} would be lost",
                    "A tag with p, tr or tc takes the whole paragraph, row or cell away that it "
                    "stands in. Give it one of its own.",
                    is_lost=True,
                )
            )


def _number_tags(text: TemplateText, paragraph: Any, where: str) -> None:
    """Put its number into each tag of a paragraph, and note what is wrong with how it stands."""
    pieces = [piece for piece in paragraph.iter(_T) if _nearest(piece, _P) is paragraph]
    for piece in pieces:
        piece.text = _UNUSUAL.sub(" ", piece.text or "")
    whole = "".join(piece.text for piece in pieces)
    if not _OPENING.search(whole):
        return
    in_table = _is_in_table(paragraph)
    rest = _TAG.sub(lambda match: "\0" * len(match[0]), whole)
    edits: list[tuple[int, int, str]] = []
    for match in _TAG.finditer(whole):
        tag = match[0]
        if tag.startswith("{#"):
            continue
        place = Place(text.part, where, tag)
        number = "".join(_DIGITS[int(digit)] for digit in str(len(text.tags)))
        edits.append((match.end() - 2 - (tag[-3] == "-"), 0, f"{_EDGE}{number}{_EDGE}"))
        text.tags.append((tag, place))
        level = _LEVEL.match(tag)
        if level is not None:
            misplaced = _at_wrong_level(level, place, rest, in_table=in_table)
            if misplaced is not None:
                text.misplaced.append(misplaced)
                # Told once; what follows from it is not.
                edits.append((match.start() + 2, len(level[2]), ""))
    opening = _OPENING.search(rest)
    if opening is not None:
        edits += [(brace.end(), 0, " ") for brace in _BRACE.finditer(rest)]
        text.misplaced.append(
            Misplaced(
                Place(text.part, where, whole[opening.start() :]),
                "a tag is not closed in its paragraph",
                "Write {{ field }}, or {% if ... %} with %} at its end, within one paragraph.",
                is_unreadable=True,
            )
        )
    for edit in sorted(edits, reverse=True):
        _edit(pieces, *edit)


def _edit(pieces: list[Any], start: int, length: int, new: str) -> None:
    """Change the text that pieces make together."""
    for piece in pieces:
        size = len(piece.text)
        if start <= size:
            gone = min(length, size - start)
            piece.text = piece.text[:start] + new + piece.text[start + gone :]
            new, length = "", length - gone
            if not length:
                return
        start = max(start - size, 0)


def _at_wrong_level(
    level: re.Match[str], place: Place, rest: str, *, in_table: bool
) -> Misplaced | None:
    kind, name = level[1], level[2]
    if kind == "{":
        return Misplaced(
            place,
            f"a field is written {{{{ field }}}}, not {{{{{name} field }}}}",
            "The letters p, r, tc and tr belong to if and for.",
        )
    if name in {"tr", "tc"} and not in_table:
        return Misplaced(
            place,
            f"{{%{name} ... %}} stands outside a table",
            "It repeats rows or cells. Outside tables, write {%p ... %} in a paragraph of its own.",
        )
    if name == "p" and rest.strip("\0 \t\n"):
        return Misplaced(
            place,
            "the text beside a {%p ... %} tag would be lost",
            "The tag takes its whole paragraph away. Give it a paragraph of its own, or write "
            "{% ... %} to leave out words within a paragraph.",
        )
    return None


def _outside_text(part: str, element: Any, where: Mapping[Any, str]) -> Iterator[Misplaced]:
    values = [*element.attrib.values(), element.text or "", element.tail or ""]
    for value in values:
        if _OPENING.search(value):
            paragraph = element if element.tag == _P else _nearest(element, _P)
            yield Misplaced(
                Place(part, where.get(paragraph, ""), value),
                "a tag stands outside the text",
                "Only what can be read on the page is filled: not links, fields of Word, names "
                "of pictures or their descriptions.",
            )


def _nearest(element: Any, tag: str) -> Any:
    return next(element.iterancestors(tag), None)


def _is_in_table(paragraph: Any) -> bool:
    """Whether a paragraph stands in a table; a text box begins anew."""
    for ancestor in paragraph.iterancestors(_TR, _TEXT_BOX):
        return bool(ancestor.tag == _TR)
    return False


def _places(root: Any) -> dict[Any, str]:
    """Where each paragraph stands: counted as a reader counts, from 1."""
    where: dict[Any, str] = {}
    tables = {table: number for number, table in enumerate(root.iter(_TBL), start=1)}
    plain = 0
    for paragraph in root.iter(_P):
        cell = _nearest(paragraph, _TC)
        if cell is None:
            plain += 1
            where[paragraph] = f"paragraph {plain}"
            continue
        row = _nearest(cell, _TR)
        table = _nearest(row, _TBL)
        where[paragraph] = (
            f"table {tables[table]}, row {_number(row, table, _TR)}, cell {_number(cell, row, _TC)}"
        )
    return where


def _number(element: Any, inside: Any, tag: str) -> int:
    return 1 + sum(
        1 for other in element.itersiblings(tag, preceding=True) if other.getparent() is inside
    )
