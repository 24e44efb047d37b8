"""What a reader of a finished DOCX sees: texts in order, each with the tags of its controls.

The document comes first, then headers, footers and notes. Text boxes are read where they stand. A
tagged text is written `{field: text}` when the model is printed, a table row `| cell | cell |`.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lxml import etree

from contracts.problems import Problem, shown
from factory.rendering.docx_package import (
    DOCUMENT,
    LARGEST_PART,
    LARGEST_UNPACKED,
    MOST_PARTS,
    TEXT_TYPES,
    TYPES,
    parse_part,
)
from factory.rendering.word_xml import WP, w, without_doubles

if TYPE_CHECKING:
    from collections.abc import Iterator

# A report with a hundred photographs stays below it.
LARGEST_REPORT = 500_000_000
_EMU = 36_000
_VML = "urn:schemas-microsoft-com:vml"
_BREAKS = {w("br"), w("cr")}
_AROUND = {w("ins"), w("moveTo"), w("customXml"), w("smartTag")}
_NUMBERING = "application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml"
#: What shows a text, or a figure, that cannot be read here.
_UNREADABLE = {
    w("altChunk"): "another document",
    w("subDoc"): "another document",
    w("object"): "an embedded object",
    w("dataBinding"): "a text that Word takes from elsewhere",
    w("sym"): "a sign drawn from a font of symbols",
    "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart": "a chart",
    "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds": "a diagram",
    "{http://schemas.openxmlformats.org/officeDocument/2006/math}t": "a formula",
}


@dataclass(eq=False, slots=True)
class Control:
    """A content control: its tag, all that stands in it, and where it begins."""

    tag: str
    part: str
    place: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text with the controls that hold it, the outermost first; or the size of a picture."""

    text: str
    controls: tuple[Control, ...] = ()
    picture: str = ""

    @property
    def tag(self) -> str:
        """The tag of the innermost control that has one."""
        return next((item.tag for item in reversed(self.controls) if item.tag), "")


@dataclass(slots=True)
class Paragraph:
    """A paragraph: its part and place as a reader counts, its style, and its pieces in order."""

    part: str
    place: str
    style: str = ""
    pieces: list[Piece] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see in it."""
        return not self.text.strip() and not any(piece.picture for piece in self.pieces)


@dataclass(slots=True)
class Block:
    """What stands between two blocks: a paragraph, or a row of a table as lists of paragraphs."""

    paragraph: Paragraph | None = None
    cells: list[list[Paragraph]] = field(default_factory=list)
    table: int = 0


@dataclass(slots=True)
class TextModel:
    """A finished document as its reader sees it."""

    blocks: dict[str, list[Block]] = field(default_factory=dict)
    controls: list[Control] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)


def read_text(content: bytes, name: str) -> tuple[TextModel | None, tuple[Problem, ...]]:
    """The text model of a DOCX.

    Args:
        content: the file's bytes.
        name: what to call it in problems.

    Returns:
        The model, or None and why the file cannot be read.
    """
    try:
        return _read(content), ()
    except _RefusedError as refusal:
        what = str(refusal)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        what = "it is no whole DOCX file"
    except (ValueError, LookupError, RuntimeError, etree.XMLSyntaxError):
        what = "a part of it cannot be read"
    return None, (
        Problem(
            "E657",
            f"'{shown(name)}' cannot be read: {what}",
            why="Only what can be read can be held against its bundle.",
            fix="Render the report again from its bundle.",
            file=shown(name),
        ),
    )


def text_of_report(model: TextModel) -> str:
    """The model as lines that a person can review, and a difference can be read in."""
    lines: list[str] = []
    for part, blocks in model.blocks.items():
        lines += [f"== {part}", *_lines(blocks), ""]
    return "\n".join(lines)


class _RefusedError(Exception):
    """The file is none that can be proved."""


def _read(content: bytes) -> TextModel:
    if len(content) > LARGEST_REPORT:
        raise _RefusedError(f"it has more than {LARGEST_REPORT:,} bytes")
    model = TextModel()
    for name, kind, part in _text_parts(content):
        if b"<!DOCTYPE" in part:
            raise _RefusedError("it declares a document type")
        root = without_doubles(parse_part(part))
        label = "document" if name == DOCUMENT else PurePosixPath(name).stem
        if kind == _NUMBERING:
            _read_numbering(model, root)
        else:
            _Reader(model, label).read(root)
    if not model.blocks:
        raise _RefusedError("it is an archive, but no Word document")
    return model


def _text_parts(content: bytes) -> Iterator[tuple[str, str, bytes]]:
    """The parts that hold text, the document first."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(entries) > MOST_PARTS * 4 or len(set(names)) < len(names):
            raise _RefusedError("it has too many parts, or one of them twice")
        if TYPES not in names:
            raise _RefusedError("it is an archive, but no Word document")
        kinds = _kinds(_part(archive, TYPES), names)
        room = LARGEST_UNPACKED
        for name in sorted(kinds, key=lambda name: (name != DOCUMENT, name)):
            if kinds[name] in TEXT_TYPES or kinds[name] == _NUMBERING:
                part = _part(archive, name)
                room -= len(part)
                if room < 0:
                    raise _RefusedError("its texts are too large")
                yield name, kinds[name], part


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(LARGEST_PART + 1)
    if len(content) > LARGEST_PART:
        raise _RefusedError("a part of it is too large")
    return content


def _kinds(types: bytes, names: list[str]) -> dict[str, str]:
    """The content type of each part."""
    root = parse_part(types)
    defaults: dict[str, str] = {}
    own: dict[str, str] = {}
    for element in root:
        tag = etree.QName(element).localname
        kind = element.get("ContentType", "")
        if tag == "Default":
            defaults[element.get("Extension", "").lower()] = kind
        elif tag == "Override":
            own[element.get("PartName", "").removeprefix("/").lower()] = kind
    return {
        name: own.get(name.lower()) or defaults.get(name.rpartition(".")[2].lower(), "")
        for name in names
    }


def _read_numbering(model: TextModel, root: Any) -> None:
    """What lists write before their items."""
    for element in root.iter(w("lvlText")):
        text = element.get(w("val"), "")
        if re.search(r"\d", re.sub(r"%\d", "", text)):
            model.paragraphs.append(Paragraph("numbering", "list", pieces=[Piece(text)]))


class _Reader:
    """Walks one part."""

    def __init__(self, model: TextModel, part: str) -> None:
        self.model = model
        self.part = part
        self.paragraphs = 0
        self.tables = 0
        self.controls: list[Control] = []
        self.instruction = ""

    def read(self, root: Any) -> None:
        """Read the whole part."""
        for element in root.iter(etree.Element):
            what = _UNREADABLE.get(element.tag)
            if what is not None:
                self.model.unreadable.append((self.part, what))
        blocks = self.model.blocks.setdefault(self.part, [])
        containers = [w("body"), w("footnote"), w("endnote")]
        bodies = [element for element in root if element.tag in containers] or [root]
        for body in bodies:
            self._blocks(body, blocks)

    def _blocks(self, element: Any, blocks: list[Block]) -> None:
        for child in element:
            if child.tag == w("p"):
                self.paragraphs += 1
                paragraph = self._paragraph(child, f"paragraph {self.paragraphs}", blocks)
                blocks.append(Block(paragraph))
            elif child.tag == w("tbl"):
                self.tables += 1
                self._table(child, blocks, self.tables)
            elif child.tag == w("sdt"):
                with_control = self._enter(child, f"paragraph {self.paragraphs + 1}")
                content = child.find(w("sdtContent"))
                if content is not None:
                    self._blocks(content, blocks)
                self._leave(with_control)
            elif isinstance(child.tag, str) and child.tag not in {w("sectPr"), w("sdtPr")}:
                self._blocks(child, blocks)

    def _table(self, table: Any, blocks: list[Block], number: int) -> None:
        for index, row in enumerate(self._inside(table, w("tr"), f"table {number}"), 1):
            place = f"table {number}, row {index}"
            cells: list[list[Paragraph]] = []
            inner: list[Block] = []
            for cell in self._inside(row, w("tc"), place):
                own: list[Block] = []
                before = self.paragraphs
                self._cell(cell, own, place)
                self.paragraphs = before
                cells.append([block.paragraph for block in own if block.paragraph is not None])
                inner += [block for block in own if block.paragraph is None]
            blocks.append(Block(cells=cells, table=number))
            blocks += inner

    def _cell(self, cell: Any, blocks: list[Block], place: str) -> None:
        for child in cell:
            if child.tag == w("p"):
                blocks.append(Block(self._paragraph(child, place, blocks)))
            elif child.tag == w("tbl"):
                self.tables += 1
                self._table(child, blocks, self.tables)
            elif child.tag == w("sdt"):
                control = self._enter(child, place)
                content = child.find(w("sdtContent"))
                if content is not None:
                    self._cell(content, blocks, place)
                self._leave(control)
            elif isinstance(child.tag, str) and child.tag != w("tcPr"):
                self._cell(child, blocks, place)

    def _inside(self, element: Any, wanted: str, place: str) -> Iterator[Any]:
        """The rows of a table or cells of a row, those inside content controls too."""
        for child in element:
            if child.tag == wanted:
                yield child
            elif child.tag == w("sdt"):
                control = self._enter(child, place)
                content = child.find(w("sdtContent"))
                if content is not None:
                    yield from self._inside(content, wanted, place)
                self._leave(control)
            elif child.tag in _AROUND:
                yield from self._inside(child, wanted, place)

    def _paragraph(self, element: Any, place: str, blocks: list[Block]) -> Paragraph:
        style = element.find(f"{w('pPr')}/{w('pStyle')}")
        paragraph = Paragraph(self.part, place, "" if style is None else style.get(w("val"), ""))
        self.model.paragraphs.append(paragraph)
        self._runs(element, paragraph, blocks)
        for control in self.controls:
            control.text += "\n"
        return paragraph

    def _runs(self, element: Any, paragraph: Paragraph, blocks: list[Block]) -> None:
        for child in element:
            tag = child.tag
            if not isinstance(tag, str) or tag in {w("pPr"), w("rPr"), w("sdtPr"), w("delText")}:
                continue
            if tag == w("t"):
                self._say(child.text or "", paragraph)
            elif tag in _BREAKS:
                if child.get(w("type")) in {None, "textWrapping"}:
                    self._say("\n", paragraph)
            elif tag == w("tab"):
                self._say("\t", paragraph)
            elif tag == w("noBreakHyphen"):
                self._say("-", paragraph)
            elif tag == w("txbxContent"):
                self._blocks(child, blocks)
            elif tag == f"{{{_VML}}}textpath":
                self._say(child.get("string", ""), paragraph)
            elif tag == f"{{{WP}}}extent":
                width, height = (int(child.get(name, "0")) // _EMU for name in ("cx", "cy"))
                paragraph.pieces.append(Piece("", picture=f"{width} x {height} mm"))
            elif tag == w("sdt"):
                control = self._enter(child, paragraph.place)
                content = child.find(w("sdtContent"))
                if content is not None:
                    self._runs(content, paragraph, blocks)
                self._leave(control)
            else:
                self._runs(child, paragraph, blocks)

    def _say(self, text: str, paragraph: Paragraph) -> None:
        for control in self.controls:
            control.text += text
        paragraph.pieces.append(Piece(text, tuple(self.controls)))

    def _enter(self, element: Any, place: str) -> Control:
        tag = element.find(f"{w('sdtPr')}/{w('tag')}")
        control = Control("" if tag is None else tag.get(w("val"), ""), self.part, place)
        self.controls.append(control)
        self.model.controls.append(control)
        return control

    def _leave(self, control: Control) -> None:
        assert self.controls.pop() is control
        control.text = control.text.strip("\n")


def _lines(blocks: list[Block]) -> Iterator[str]:
    table = 0
    for block in blocks:
        if block.paragraph is not None:
            if not block.paragraph.is_empty:
                style = f"[{block.paragraph.style}] " if block.paragraph.style else ""
                yield f"{style}{_written(block.paragraph)}"
            table = 0
        else:
            if table and block.table != table:
                yield ""
            cells = (
                " / ".join(_written(item) for item in cell if not item.is_empty)
                for cell in block.cells
            )
            yield f"| {' | '.join(cells)} |"
            table = block.table


def _written(paragraph: Paragraph) -> str:
    """A paragraph on one line, tagged texts with their tags."""
    out: list[str] = []
    last: Control | None = None
    for piece in paragraph.pieces:
        tagged = [item for item in piece.controls if item.tag]
        control = tagged[-1] if tagged else None
        if control is not last:
            out.append("}" if last is not None else "")
            out.append(f"{{{control.tag}: " if control is not None else "")
            last = control
        out.append(f"(picture {piece.picture})" if piece.picture else piece.text)
    out.append("}" if last is not None else "")
    text = "".join(out).replace("\u00a0", " ").replace("\n", " / ")
    return " ".join(text.split())
