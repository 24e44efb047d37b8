"""The Word parts of a template, made from the blocks of an outline.

An outline says what stands on the page; how it looks is settled here once, for all templates: one
serif face, one size for answers, ruled tables whose rows stay whole and whose heads are repeated.
What a report fills in stands in the outline as docxtpl expressions and passes through unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
E = ElementMaker(namespace=W, nsmap={"w": W, "r": R})
FACE = "Times New Roman"
PAGE = (210, 297)
_BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_ALIGN = {"left": "left", "right": "right", "centre": "center", "justified": "both"}
#: Letters a to z, as clauses are counted on the forms.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Element = Any


class OutlineError(Exception):
    """An outline holds something that no page can be made of."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Of a page, in millimetres."""

    left: int = 20
    right: int = 15
    top: int = 16
    bottom: int = 18

    @property
    def width(self) -> int:
        """What is left for text."""
        return PAGE[0] - self.left - self.right


@dataclass(frozen=True, slots=True)
class Style:
    """A paragraph style: size in half points, spacing in twentieths of a point."""

    name: str
    size: int = 22
    bold: bool = False
    italic: bool = False
    align: str = "left"
    before: int = 0
    after: int = 0
    keep_next: bool = False
    indent: tuple[int, int] | None = None  # left, and how far the first line hangs out
    exact: int | None = None
    colour: str | None = None
    outline_level: int | None = None


STYLES = (
    Style("Normal", after=80),
    Style("Body", align="justified", after=120),
    Style("Letter", after=120),
    Style(
        "Report Title",
        28,
        bold=True,
        align="centre",
        before=60,
        after=60,
        keep_next=True,
        outline_level=0,
    ),
    Style("Report Subtitle", 24, bold=True, align="centre", after=120, keep_next=True),
    Style("Subject", bold=True, align="justified", before=80, after=120),
    Style(
        "Part Heading",
        24,
        bold=True,
        align="centre",
        before=160,
        after=100,
        keep_next=True,
        outline_level=0,
    ),
    Style("Block Heading", bold=True, before=120, after=60, keep_next=True, outline_level=1),
    Style("Group Heading", bold=True, before=100, after=40, keep_next=True, outline_level=1),
    Style("Clause", 21, align="justified", after=40, indent=(500, 500)),
    Style("Note", 19, italic=True, align="justified", after=60),
    Style("Gap", 8, exact=120),
    Style("Cell", before=20, after=20),
    Style("Cell Band", bold=True, before=30, after=30, keep_next=True),
    Style("Cell Head", 19, bold=True, align="centre", before=20, after=20, keep_next=True),
    Style("Cell Value", 20, before=20, after=20),
    Style("Letterhead Firm", 30, bold=True, align="centre", colour="1F3864"),
    Style("Letterhead Line", 19, align="centre", colour="1F3864"),
    Style("Page Head", 17, colour="404040"),
    Style("Page Foot", 17, colour="404040"),
    Style("Page Digest", 14, colour="404040"),
    Style(
        "Annexure Heading",
        26,
        bold=True,
        align="centre",
        after=120,
        keep_next=True,
        outline_level=0,
    ),
    Style("Annexure Caption", 19, align="centre", before=40, after=40),
)


def twips(millimetres: float) -> int:
    """Twentieths of a point, the unit of Word's measures."""
    return round(millimetres * 1440 / 25.4)


def style_id(name: str) -> str:
    """The id that a style's name has in the file."""
    return name.replace(" ", "")


def _with(tag: str, **attributes: object) -> Element:
    element = E(tag)
    for name, value in attributes.items():
        element.set(f"{{{W}}}{name.rstrip('_')}", str(value))
    return element


def _run_marks(*, bold: bool, italic: bool = False) -> Element | None:
    if not (bold or italic):
        return None
    return E.rPr(*([E.b()] if bold else []), *([E.i()] if italic else []))


def runs(text: str, *, bold: bool = False) -> list[Element]:
    """The runs of a text; `**...**` is bold, a line break is one."""
    made = []
    for index, piece in enumerate(_BOLD.split(text)):
        if not piece:
            continue
        marks = _run_marks(bold=bold or index % 2 == 1)
        for number, line in enumerate(piece.split("\n")):
            parts = [] if marks is None else [_copy(marks)]
            if number:
                parts.append(E.br())
            words = E.t(line)
            words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
            made.append(E.r(*parts, words))
    return made


def _copy(element: Element) -> Element:
    return etree.fromstring(etree.tostring(element))


def paragraph(
    text: str,
    style: str,
    *,
    align: str | None = None,
    keep: bool = False,
    new_page: bool = False,
    bold: bool = False,
    tabs: tuple[tuple[str, int], ...] = (),
) -> Element:
    """A paragraph of a style; `keep` holds it to the next one."""
    marks = E.pPr(_with("pStyle", val=style_id(style)))
    if keep:
        marks.append(E.keepNext())
    if new_page:
        marks.append(E.pageBreakBefore())
    if tabs:
        marks.append(E.tabs(*(_with("tab", val=kind, pos=place) for kind, place in tabs)))
    if align is not None:
        marks.append(_with("jc", val=_ALIGN[align]))
    return E.p(marks, *(_tabbed(text, bold=bold) if tabs else runs(text, bold=bold)))


def _tabbed(text: str, *, bold: bool) -> list[Element]:
    made: list[Element] = []
    for index, piece in enumerate(text.split("\t")):
        if index:
            made.append(E.r(E.tab()))
        made += runs(piece, bold=bold)
    return made


def control(kind: str, statement: str) -> Element:
    """A paragraph of a statement, which docxtpl takes out (`p`), or its row with it (`tr`)."""
    return paragraph(f"{{%{kind} {statement} %}}", "Gap")


# Tables


@dataclass(frozen=True, slots=True)
class Column:
    """Of a table: width in millimetres, what heads it, how it is aligned."""

    width: float
    head: str | None = None
    align: str = "left"
    bold: bool = False


class TableMaker:
    """One table of an outline."""

    def __init__(
        self, columns: list[Column], *, style: str, ruled: bool, keep: bool, band: str | None
    ) -> None:
        self.columns = columns
        self.widths = [twips(column.width) for column in columns]
        self.style = style
        self.keep = keep
        borders = E.tblBorders(
            *(
                _with(side, val="single" if ruled else "nil", sz=4, space=0, color="595959")
                for side in ("top", "left", "bottom", "right", "insideH", "insideV")
            )
        )
        self.table = E.tbl(
            E.tblPr(
                _with("tblW", w=sum(self.widths), type="dxa"),
                _with("jc", val="center"),
                borders,
                _with("tblLayout", type="fixed"),
                E.tblCellMar(
                    _with("left", w=85, type="dxa"),
                    _with("right", w=85, type="dxa"),
                ),
            ),
            E.tblGrid(*(_with("gridCol", w=width) for width in self.widths)),
        )
        headed = any(column.head is not None for column in columns)
        if band is not None:
            self._band(band, head=headed)
        if headed:
            self._head()

    def _row(self, cells: list[Element], *, head: bool = False) -> None:
        marks = E.trPr(E.cantSplit(), *([E.tblHeader()] if head else []))
        self.table.append(E.tr(marks, *cells))

    def _cell(
        self,
        text: str,
        span: range,
        *,
        style: str | None = None,
        align: str = "left",
        bold: bool = False,
        shade: str | None = None,
        keep: bool = False,
    ) -> Element:
        marks = E.tcPr(_with("tcW", w=sum(self.widths[i] for i in span), type="dxa"))
        if len(span) > 1:
            marks.append(_with("gridSpan", val=len(span)))
        if shade is not None:
            marks.append(_with("shd", val="clear", color="auto", fill=shade))
        texts = text.split("\n\n") if text else [""]
        return E.tc(
            marks,
            *(
                paragraph(
                    piece,
                    style or self.style,
                    align=None if align == "left" else align,
                    keep=keep or self.keep,
                    bold=bold,
                )
                for piece in texts
            ),
        )

    def _whole(self) -> range:
        return range(len(self.columns))

    def _head(self) -> None:
        self._row(
            [
                self._cell(
                    column.head or "",
                    range(i, i + 1),
                    style="Cell Head",
                    align="centre",
                    shade="EDEDED",
                )
                for i, column in enumerate(self.columns)
            ],
            head=True,
        )

    def _band(self, text: str, *, head: bool) -> None:
        """The title of a block of the form, across the table."""
        band = self._cell(text, self._whole(), style="Cell Band", shade="E2E8F0")
        self._row([band], head=head)

    def statement(self, text: str) -> None:
        """A row that docxtpl takes for a statement."""
        cell = E.tc(
            E.tcPr(
                _with("tcW", w=sum(self.widths), type="dxa"),
                _with("gridSpan", val=len(self.columns)),
            ),
            control("tr", text),
        )
        self.table.append(E.tr(cell))

    def rows(self, rows: list[Any], place: str) -> None:
        """Every row of the outline; a fault is an OutlineError that names its place."""
        for number, row in enumerate(rows, 1):
            where = f"{place}, row {number}"
            if isinstance(row, list):
                self._cells(row, where)
            elif not isinstance(row, dict):
                raise OutlineError(f"{where}: a row is a list of cells or a mapping")
            elif "band" in row:
                if number == len(rows):
                    raise OutlineError(f"{where}: a band heads rows; give it to the next table")
                self._band(row["band"], head=False)
            elif "full" in row:
                self._row([self._cell(row["full"], self._whole(), keep=bool(row.get("keep")))])
            elif "total" in row:
                self._total(row["total"], where)
            elif "rows" in row:
                self._some(row, where)
            else:
                raise OutlineError(f"{where}: a row has cells, band, full, total or rows")

    def _some(self, row: dict[str, Any], where: str) -> None:
        if "each" in row:
            self.statement(f"for {row['each']}")
        if "when" in row:
            self.statement(f"if {row['when']}")
        self.rows(row["rows"], where)
        if "when" in row:
            if "otherwise" in row:
                self.statement("else")
                self.rows(row["otherwise"], where)
            self.statement("endif")
        if "each" in row:
            self.statement("endfor")

    def _cells(self, texts: list[str], where: str) -> None:
        if len(texts) != len(self.columns):
            raise OutlineError(f"{where}: {len(texts)} cells for {len(self.columns)} columns")
        self._row(
            [
                self._cell(
                    _text(text, where), range(i, i + 1), align=column.align, bold=column.bold
                )
                for i, (text, column) in enumerate(zip(texts, self.columns, strict=True))
            ]
        )

    def _total(self, texts: list[str], where: str) -> None:
        """The first text spans what the others leave; all are bold."""
        first = len(self.columns) - len(texts) + 1
        cells = [self._cell(_text(texts[0], where), range(first), align="right", bold=True)]
        cells += [
            self._cell(
                _text(text, where),
                range(first + i, first + i + 1),
                align=self.columns[first + i].align,
                bold=True,
            )
            for i, text in enumerate(texts[1:])
        ]
        self._row(cells)


def _text(raw: Any, where: str) -> str:
    if not isinstance(raw, str):
        what = "a text is missing" if raw is None else f"'{raw}' is to be written in quotes"
        raise OutlineError(f"{where}: {what}")
    return raw


def _form_widths(margins: Margins) -> tuple[float, ...]:
    """Number, label and answer."""
    return (12.0, 66.0, margins.width - 78.0)


# Blocks


class Page:
    """The body of a template, block by block."""

    def __init__(self, margins: Margins, parts: dict[str, list[Any]]) -> None:
        self.margins = margins
        self.parts = parts
        self.body: list[Element] = []

    def blocks(self, blocks: list[Any], place: str) -> None:
        """Append every block of an outline."""
        for number, block in enumerate(blocks, 1):
            self._block(block, f"{place}, block {number}")

    def _block(self, block: dict[str, Any], where: str) -> None:
        kinds = [kind for kind in _KINDS if kind in block]
        if "blocks" in block:
            kinds = [kind for kind in ("each", "when") if kind in block]
        if len(kinds) != 1:
            raise OutlineError(f"{where}: a block is one of {', '.join(_KINDS)}")
        append, options = (_WRAPPERS if "blocks" in block else _KINDS)[kinds[0]]
        unknown = block.keys() - {*options, kinds[0]}
        if unknown:
            raise OutlineError(f"{where}: unknown {', '.join(sorted(unknown))}")
        append(self, block, where)

    def add_paragraph(self, block: dict[str, Any], where: str) -> None:
        """A paragraph in the style of its kind."""
        kind = next(kind for kind in _PARAGRAPHS if kind in block)
        text = _text(block[kind], where)
        self.body.append(
            paragraph(
                text,
                _PARAGRAPHS[kind],
                align=block.get("align"),
                keep=bool(block.get("keep")),
                new_page=bool(block.get("new page")),
                tabs=(("right", twips(self.margins.width)),) if "\t" in text else (),
            )
        )

    def add_clauses(self, block: dict[str, Any], where: str) -> None:
        """Clauses, counted in figures or letters."""
        first = int(block.get("first", 1))
        for number, text in enumerate(block["clauses"], first):
            mark = f"({_LETTERS[number - 1]})" if block.get("marks") == "letters" else f"{number}."
            self.body.append(
                paragraph(
                    f"{mark}\t{_text(text, where)}",
                    "Clause",
                    keep=bool(block.get("keep")),
                    tabs=(("left", 500),),
                )
            )

    def add_form(self, block: dict[str, Any], where: str) -> None:
        """A table of number, label and answer."""
        widths = [float(width) for width in block.get("widths", _form_widths(self.margins))]
        columns = [{"width": width} for width in widths]
        self.add_table({**block, "table": block["form"], "columns": columns}, where)

    def add_table(self, block: dict[str, Any], where: str) -> None:
        """A table, under its caption and condition."""
        columns = [
            Column(float(c["width"]), c.get("head"), c.get("align", "left"), bool(c.get("bold")))
            for c in block["columns"]
        ]
        short = self.margins.width - sum(column.width for column in columns)
        if abs(short) > 1:
            raise OutlineError(f"{where}: the columns are {short:g} mm short of the page")
        headed = any(column.head is not None for column in columns)
        when = block.get("when")
        if when is not None:
            self.body.append(control("p", f"if {when}"))
        if "caption" in block:
            self.body.append(paragraph(block["caption"], "Block Heading"))
        maker = TableMaker(
            columns,
            style="Cell Value" if headed else "Cell",
            ruled=bool(block.get("ruled", True)),
            keep=bool(block.get("keep")),
            band=block.get("band"),
        )
        maker.rows(block["table"], where)
        self.body += [maker.table, paragraph("", "Gap")]
        if when is not None:
            self.body.append(control("p", "endif"))

    def add_when(self, block: dict[str, Any], where: str) -> None:
        """Blocks under a condition, and those otherwise."""
        self.body.append(control("p", f"if {block['when']}"))
        self.blocks(block["blocks"], where)
        if "otherwise" in block:
            self.body.append(control("p", "else"))
            self.blocks(block["otherwise"], where)
        self.body.append(control("p", "endif"))

    def add_each(self, block: dict[str, Any], where: str) -> None:
        """Blocks for each row of a list."""
        self.body.append(control("p", f"for {block['each']}"))
        self.blocks(block["blocks"], where)
        self.body.append(control("p", "endfor"))

    def add_part(self, block: dict[str, Any], where: str) -> None:
        """The blocks of a shared part."""
        if block["part"] not in self.parts:
            raise OutlineError(f"{where}: there is no part '{block['part']}'")
        blocks = self.parts[block["part"]]
        if "band" in block:
            first, *others = blocks
            if "table" not in first or "when" in first:
                raise OutlineError(
                    f"{where}: '{block['part']}' does not begin with a table to band"
                )
            blocks = [{**first, "band": block["band"]}, *others]
        self.blocks(blocks, f"part {block['part']}")


_PARAGRAPHS = {
    "title": "Report Title",
    "subtitle": "Report Subtitle",
    "subject": "Subject",
    "heading": "Part Heading",
    "subheading": "Block Heading",
    "group": "Group Heading",
    "paragraph": "Body",
    "line": "Letter",
    "note": "Note",
    "annexure heading": "Annexure Heading",
    "annexure caption": "Annexure Caption",
}
_KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    **dict.fromkeys(_PARAGRAPHS, (Page.add_paragraph, ("align", "keep", "new page"))),
    "clauses": (Page.add_clauses, ("marks", "first", "keep")),
    "form": (Page.add_form, ("widths", "band", "caption", "when", "keep")),
    "table": (Page.add_table, ("columns", "band", "caption", "when", "keep", "ruled")),
    "part": (Page.add_part, ("band",)),
}
_WRAPPERS = {"each": (Page.add_each, ("blocks",)), "when": (Page.add_when, ("blocks", "otherwise"))}


# The file


def _style_element(style: Style) -> Element:
    marks = E.pPr()
    if style.keep_next:
        marks.append(E.keepNext())
    spacing = _with("spacing", before=style.before, after=style.after)
    if style.exact is not None:
        spacing.set(f"{{{W}}}line", str(style.exact))
        spacing.set(f"{{{W}}}lineRule", "exact")
    marks.append(spacing)
    if style.indent is not None:
        left, hanging = style.indent
        marks.append(_with("ind", left=left, hanging=hanging))
    if style.align != "left":
        marks.append(_with("jc", val=_ALIGN[style.align]))
    if style.outline_level is not None:
        marks.append(_with("outlineLvl", val=style.outline_level))
    letters = E.rPr()
    if style.bold:
        letters.append(E.b())
    if style.italic:
        letters.append(E.i())
    if style.colour is not None:
        letters.append(_with("color", val=style.colour))
    letters.extend([_with("sz", val=style.size), _with("szCs", val=style.size)])
    element = _with("style", type="paragraph", styleId=style_id(style.name))
    if style.name == "Normal":
        element.set(f"{{{W}}}default", "1")
    element.append(_with("name", val=style.name))
    if style.name != "Normal":
        element.append(_with("basedOn", val="Normal"))
    element.extend([E.qFormat(), marks, letters])
    return element


def styles_part() -> Element:
    """Every style; what a report needs and nothing that Word would add."""
    face = _with("rFonts", ascii=FACE, hAnsi=FACE, eastAsia=FACE, cs=FACE)
    defaults = E.docDefaults(
        E.rPrDefault(E.rPr(face, _with("sz", val=22), _with("lang", val="en-IN"))),
        E.pPrDefault(E.pPr(_with("spacing", before=0, after=0, line=240, lineRule="auto"))),
    )
    table = _with("style", type="table", default=1, styleId="TableNormal")
    table.extend([_with("name", val="Normal Table"), E.tblPr(_with("tblInd", w=0, type="dxa"))])
    return E.styles(defaults, *map(_style_element, STYLES), table)


def field(instruction: str) -> list[Element]:
    """The runs of a field that Word fills in, such as PAGE."""
    return [
        E.r(_with("fldChar", fldCharType="begin")),
        E.r(_instruction(instruction)),
        E.r(_with("fldChar", fldCharType="separate")),
        E.r(E.t("1")),
        E.r(_with("fldChar", fldCharType="end")),
    ]


def _instruction(text: str) -> Element:
    element = E.instrText(f" {text} ")
    element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return element


def _ruled(element: Element, side: str, *, space: int = 4) -> Element:
    border = E.pBdr(_with(side, val="single", sz=6, space=space, color="1F3864"))
    element[0].insert(1, border)
    return element


def letterhead_part(lines: list[str | dict[str, str]]) -> Element:
    """The head of the first page: the firm, its address, its registrations, and a rule.

    Args:
        lines: statements of docxtpl, and what stands on a line; the firm's name as `{name: ...}`.
    """
    made = []
    for line in lines:
        if isinstance(line, dict):
            made.append(paragraph(line["name"], "Letterhead Firm"))
        else:
            statement = line.startswith("{%p")
            made.append(paragraph(line, "Gap" if statement else "Letterhead Line"))
    made += [_ruled(paragraph("", "Gap"), "bottom"), paragraph("", "Gap")]
    return E.hdr(*made)


def head_part(text: str, margins: Margins) -> Element:
    """The head of every further page."""
    tabs = (("right", twips(margins.width)),)
    return E.hdr(
        _ruled(paragraph(text, "Page Head", tabs=tabs), "bottom", space=2), paragraph("", "Gap")
    )


def foot_part(text: str, digest: str, margins: Margins) -> Element:
    """The foot of every page: what the report is, which page, and what it was printed from."""
    tabs = (("right", twips(margins.width)),)
    line = paragraph(f"{text}\tPage ", "Page Foot", tabs=tabs)
    for piece in (*field("PAGE"), *runs(" of "), *field("NUMPAGES")):
        line.append(piece)
    return E.ftr(_ruled(line, "top", space=3), paragraph(digest, "Page Digest"))


def document_part(page: Page, *, letterhead: bool) -> Element:
    """The body, with its page and its heads and feet."""
    margins = page.margins
    references = []
    for tag, kinds in (
        ("headerReference", ("default", "first")),
        ("footerReference", ("default", "first")),
    ):
        for kind in kinds:
            if kind == "first" and not letterhead:
                continue
            reference = _with(tag, type=kind)
            name = {"headerReference": "head", "footerReference": "foot"}[tag]
            reference.set(f"{{{R}}}id", f"{name}-{kind}" if name == "head" else "foot-default")
            references.append(reference)
    section = E.sectPr(
        *references,
        _with("pgSz", w=twips(PAGE[0]), h=twips(PAGE[1])),
        _with(
            "pgMar",
            top=twips(margins.top),
            right=twips(margins.right),
            bottom=twips(margins.bottom),
            left=twips(margins.left),
            header=twips(8),
            footer=twips(8),
            gutter=0,
        ),
    )
    if letterhead:
        section.append(E.titlePg())
    return E.document(E.body(*page.body, section))


def settings_part() -> Element:
    """Word of today, no compatibility mode."""
    mode = _with(
        "compatSetting",
        name="compatibilityMode",
        uri="http://schemas.microsoft.com/office/word",
        val=15,
    )
    return E.settings(_with("zoom", percent=100), E.compat(mode))


def as_xml(element: Element) -> bytes:
    """The bytes of a part."""
    etree.cleanup_namespaces(element, keep_ns_prefixes=["w", "r"])
    return etree.tostring(element, xml_declaration=True, encoding="UTF-8", standalone=True)
