"""Word's own language: what a template may say in it, and what must hold when it is filled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from contracts.problems import shown
from factory.rendering.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
WP = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_W14 = "http://schemas.microsoft.com/office/word/2010/wordml"
_VML = "urn:schemas-microsoft-com:vml"


def w(name: str) -> str:
    """The full name of an element or attribute of Word's."""
    return f"{{{W}}}{name}"


_P, _R, _T, _TC, _TR, _TBL = (w(name) for name in ("p", "r", "t", "tc", "tr", "tbl"))
#: Elements that bring in code, other documents, other texts than those seen, or unsettled changes.
_REFUSED = {
    w("object"): "an embedded object",
    w("control"): "a control that runs code",
    w("altChunk"): "another document",
    w("subDoc"): "another document",
    w("dataBinding"): "a text that Word takes from elsewhere",
    w("pict"): "a picture or shape of an old kind (VML)",
    w("ins"): "a tracked change; accept or reject it first",
    w("del"): "a tracked change; accept or reject it first",
    w("moveFrom"): "a tracked change; accept or reject it first",
    w("moveTo"): "a tracked change; accept or reject it first",
    w("commentReference"): "a comment",
    w("contentPart"): "a drawing by hand",
}
#: What Word works out by itself when the report is opened; all others fetch, ask or tell the day.
_FIELDS = frozenset(
    {
        "PAGE", "NUMPAGES", "SECTION", "SECTIONPAGES", "TOC", "REF", "PAGEREF", "NOTEREF",
        "STYLEREF", "SEQ", "HYPERLINK",
    }
)  # fmt: skip


def check_text_part(root: Any) -> Iterator[Fault]:
    """What a part of a template says in Word's language and may not."""
    for element in root.iter(etree.Element):
        what = _REFUSED.get(element.tag)
        if what is None and element.tag.startswith(f"{{{_VML}}}"):
            what = _REFUSED[w("pict")]
        if what is not None:
            yield Fault("E642", f"a template cannot hold {what}", about=_text_around(element))
    for instruction in _instructions(root):
        word = (re.match(r"\s*([A-Za-z=]+)", instruction) or ["", ""])[1].upper()
        if word not in _FIELDS or "{{" in instruction or "{%" in instruction:
            yield Fault(
                "E642",
                f"a template cannot hold the field '{shown(instruction.strip())}'",
                why=f"Fields of Word that a report may have: {', '.join(sorted(_FIELDS))}.",
            )


def check_settings(root: Any) -> Iterator[Fault]:
    """What a template's settings ask of Word and may not."""
    if next(root.iter(w("mailMerge")), None) is not None:
        yield Fault("E642", "a template cannot hold a mail merge, which asks a database")


def _instructions(root: Any) -> Iterator[str]:
    """The codes of Word's fields, put together where Word splits them."""
    for simple in root.iter(w("fldSimple")):
        yield simple.get(w("instr"), "")
    open_codes: list[list[str]] = []
    for element in root.iter(w("fldChar"), w("instrText")):
        if element.tag == w("instrText"):
            if open_codes:
                open_codes[-1].append(element.text or "")
            else:
                yield element.text or ""
        elif element.get(w("fldCharType")) == "begin":
            open_codes.append([])
        elif open_codes and element.get(w("fldCharType")) == "end":
            yield "".join(open_codes.pop())
    for code in open_codes:
        yield "".join(code)


def without_doubles(root: Any) -> Any:
    """The part without what Word keeps twice: shapes for older programs, and numbers of paragraphs."""
    for fallback in list(root.iter(f"{{{_MC}}}Fallback")):
        fallback.getparent().remove(fallback)
    for element in root.iter(_P, _TR):
        for name in (f"{{{_W14}}}paraId", f"{{{_W14}}}textId"):
            element.attrib.pop(name, None)
    return root


def mend(root: Any) -> Any:
    """The filled part with what a document needs: whole tables, full cells, distinct numbers."""
    for run in list(root.iter(_R)):
        if all(child.tag == w("rPr") or _is_empty_text(child) for child in run):
            run.getparent().remove(run)
    for row in list(root.iter(_TR)):
        if row.find(_TC) is None and row.find(w("sdt")) is None:
            row.getparent().remove(row)
    for table in list(root.iter(_TBL)):
        if table.find(_TR) is None and table.find(w("sdt")) is None:
            table.getparent().remove(table)
        else:
            _fit_grid(table)
    for control in list(root.iter(w("sdtContent"))):
        if not len(control):
            control.getparent().getparent().remove(control.getparent())
    for cell in root.iter(_TC):
        if not len(cell) or cell[-1].tag != _P:
            etree.SubElement(cell, _P)
    for number, drawing in enumerate(root.iter(f"{{{WP}}}docPr"), 1):
        drawing.set("id", str(number))
    return root


def _is_empty_text(element: Any) -> bool:
    return element.tag == _T and not element.text


def _fit_grid(table: Any) -> None:
    """Give a table as many columns as its widest row has, where a loop went through its cells."""
    grid = table.find(w("tblGrid"))
    if grid is None:
        return
    widest = max((_width(row) for row in table.iterfind(_TR)), default=0)
    columns = grid.findall(w("gridCol"))
    if not columns or widest in {0, len(columns)}:
        return
    whole = sum(int(column.get(w("w"), "0")) for column in columns)
    for column in columns[widest:]:
        grid.remove(column)
    for _ in range(widest - len(columns)):
        etree.SubElement(grid, w("gridCol"))
    for column in grid.iterfind(w("gridCol")):
        column.set(w("w"), str(whole // widest))


def _width(row: Any) -> int:
    spans = (cell.find(f"{w('tcPr')}/{w('gridSpan')}") for cell in row.iterfind(_TC))
    return sum(1 if span is None else int(span.get(w("val"), "1")) for span in spans)


def place_of(root: Any, text: str) -> str:
    """Where a text stands first, as a reader counts; nothing if it is not found.

    >>> from lxml import etree
    >>> part = etree.fromstring(f'<w:body xmlns:w="{W}"><w:p/><w:p><w:r><w:t>x</w:t></w:r></w:p></w:body>')
    >>> place_of(part, "x")
    'paragraph 2'
    """
    wanted = re.sub(r"\s", "", text)
    if not wanted:
        return ""
    tables = {table: number for number, table in enumerate(root.iter(_TBL), 1)}
    number = 0
    for paragraph in root.iter(_P):
        cell = next(paragraph.iterancestors(_TC), None)
        number += cell is None
        if wanted not in re.sub(r"\s", "", "".join(t.text or "" for t in paragraph.iter(_T))):
            continue
        if cell is None:
            return f"paragraph {number}"
        row = next(cell.iterancestors(_TR))
        table = next(row.iterancestors(_TBL))
        rows = list(table.iterfind(_TR))
        cells = list(row.iterfind(_TC))
        if row in rows and cell in cells:
            return f"table {tables[table]}, row {rows.index(row) + 1}, cell {cells.index(cell) + 1}"
        return f"table {tables[table]}"
    return ""


def _text_around(element: Any) -> str:
    paragraph = next(element.iterancestors(_P), element)
    return "".join(t.text or "" for t in paragraph.iter(_T))[:200]
