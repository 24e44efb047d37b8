"""Appends the pages of pictures: each picture exactly in the box that the bundle's plan gives it."""

from __future__ import annotations

import copy
import itertools
import posixpath
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from lxml import etree

from factory.rendering.docx_package import DOCUMENT, OFFICE_RELATION, parse_part, written
from factory.rendering.drawings import inline_picture
from factory.rendering.tagging import printable, shown_run
from factory.rendering.word_xml import W, w

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from factory.rendering.filling import Filled
    from factory.rendering.pictures import Printed

HEADING_STYLE, CAPTION_STYLE = "Annexure Heading", "Annexure Caption"
_STYLES = "word/styles.xml"
_R = OFFICE_RELATION.rstrip("/")
# Millimetres; the same margins as the plan's.
_SIDE, _TOP, _BOTTOM = Decimal(15), Decimal(15), Decimal(18)
# A line of text has a little room under it, even of the smallest size; the caption gives it up.
_UNDER_PICTURE = Decimal("0.5")
_SMALLEST = '<w:rPr><w:sz w:val="2"/><w:szCs w:val="2"/></w:rPr>'
_NO_SPACE = '<w:spacing w:before="0" w:after="0" w:line="{}" w:lineRule="{}"/>'


def append_annexures(
    filled: Filled, furniture: Filled, plan: Mapping[str, Any], printed: Sequence[Printed]
) -> None:
    """Add the pages of a plan as the last section of a document.

    Args:
        filled: the document; it is changed.
        furniture: the filled template whose last section, headers, footers and styles they get.
        plan: a page plan, as the bundle writes it.
        printed: the pictures in the order of the plan.
    """
    _copy_styles(filled, furniture)
    names = _style_ids(furniture)
    body = filled.document.find(w("body"))
    section = _section(filled, furniture, plan)
    _end_section(body)
    files = iter(printed)
    number = 0
    for page in plan["pages"]:
        if number:
            body.append(_parsed(_tiny("<w:pageBreakBefore/>")))
        pictures: list[str] = []
        for image in _images(page):
            number += 1
            picture = next(files)
            target = f"word/media/annexure{number:03}.{picture.ending}"
            filled.package.parts[target] = picture.content
            filled.package.kinds[target] = f"image/{picture.ending}"
            relation = filled.package.relate(DOCUMENT, "image", target)
            pictures.append(
                inline_picture(
                    relation, float(image["width"]), float(image["height"]), image["label"]
                )
            )
        body.append(_parsed(_table(page, plan, pictures, names)))
    body.append(_parsed(_tiny()))
    body.append(section)


def _images(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for section in page["sections"]:
        yield from section["images"]


def _table(
    page: Mapping[str, Any],
    plan: Mapping[str, Any],
    pictures: Sequence[str],
    styles: Mapping[str, str],
) -> str:
    """One table for the page; its columns begin and end where pictures do."""
    images = list(_images(page))
    left, right = _SIDE, Decimal(plan["paper_width"]) - _SIDE
    edges = sorted(
        {_twips(left), _twips(right)}
        | {_twips(Decimal(image["x"])) for image in images}
        | {_twips(Decimal(image["x"]) + Decimal(image["width"])) for image in images}
    )
    rows = list(_rows(page, dict(zip(map(id, images), pictures, strict=True)), styles))
    tops = [_twips(top) for top, _ in rows]
    end = rows[-1][0] + Decimal(plan["caption_height"]) - _UNDER_PICTURE
    heights = [below - top for top, below in zip(tops, [*tops[1:], _twips(end)], strict=True)]
    grid = "".join(f'<w:gridCol w:w="{b - a}"/>' for a, b in itertools.pairwise(edges))
    out = (
        f'<w:tbl><w:tblPr><w:tblW w:w="{edges[-1] - edges[0]}" w:type="dxa"/>'
        '<w:tblInd w:w="0" w:type="dxa"/><w:tblLayout w:type="fixed"/><w:tblCellMar>'
        '<w:left w:w="0" w:type="dxa"/><w:right w:w="0" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>"
    )
    for (_, cells), height in zip(rows, heights, strict=True):
        out += (
            "<w:tr><w:trPr><w:cantSplit/>"
            f'<w:trHeight w:val="{height}" w:hRule="exact"/></w:trPr>{_cells(cells, edges)}</w:tr>'
        )
    return out + "</w:tbl>"


_Cell = tuple[int, int, str]


def _rows(
    page: Mapping[str, Any], pictures: Mapping[int, str], styles: Mapping[str, str]
) -> Iterator[tuple[Decimal, list[_Cell]]]:
    """The upper edge of each row, and its cells: left edge, right edge, content."""
    for section in page["sections"]:
        heading = f'<w:pPr><w:pStyle w:val="{styles[HEADING_STYLE]}"/><w:keepNext/></w:pPr>'
        text = escape(printable(section["heading"]))
        yield (
            Decimal(section["y"]),
            [(0, 1 << 30, f"<w:p>{heading}<w:r><w:t>{text}</w:t></w:r></w:p>")],
        )
        for y in dict.fromkeys(image["y"] for image in section["images"]):
            row = [image for image in section["images"] if image["y"] == y]
            yield Decimal(y), [(*_sides(i), _picture(pictures[id(i)])) for i in row]
            below = Decimal(y) + max(Decimal(image["height"]) for image in row)
            yield below + _UNDER_PICTURE, [(*_sides(i), _caption(i, styles)) for i in row]


def _sides(image: Mapping[str, Any]) -> tuple[int, int]:
    x = Decimal(image["x"])
    return _twips(x), _twips(x + Decimal(image["width"]))


def _picture(drawing: str) -> str:
    spacing = _NO_SPACE.format(240, "auto")
    look = f'<w:pPr><w:keepNext/>{spacing}<w:ind w:left="0" w:right="0" w:firstLine="0"/><w:jc w:val="left"/>{_SMALLEST}</w:pPr>'
    return f"<w:p>{look}<w:r>{_SMALLEST}{drawing}</w:r></w:p>"


def _caption(image: Mapping[str, Any], styles: Mapping[str, str]) -> str:
    look = f'<w:pPr><w:pStyle w:val="{styles[CAPTION_STYLE]}"/></w:pPr>'
    run = shown_run(image["label"], "", f"evidence[{image['evidence']}].label")
    return f"<w:p>{look}{run}</w:p>"


def _cells(cells: Sequence[_Cell], edges: Sequence[int]) -> str:
    """The cells of a row with empty ones between them."""
    out, at = "", edges[0]
    for left, right, content in cells:
        start, end = max(left, edges[0]), min(right, edges[-1])
        if start > at:
            out += _cell(at, start, edges, _tiny())
        out += _cell(start, end, edges, content)
        at = end
    return out + (_cell(at, edges[-1], edges, _tiny()) if at < edges[-1] else "")


def _cell(left: int, right: int, edges: Sequence[int], content: str) -> str:
    span = sum(left < edge <= right for edge in edges)
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{right - left}" w:type="dxa"/>'
        f'<w:gridSpan w:val="{span}"/></w:tcPr>{content}</w:tc>'
    )


def _tiny(more: str = "") -> str:
    """A paragraph that takes a point of height."""
    return f"<w:p><w:pPr>{more}{_NO_SPACE.format(20, 'exact')}{_SMALLEST}</w:pPr></w:p>"


def _parsed(text: str) -> Any:
    return etree.fromstring(f'<w:x xmlns:w="{W}">{text}</w:x>')[0]


def _twips(millimetres: Decimal) -> int:
    return int((millimetres * 1440 / Decimal("25.4")).to_integral_value())


def _end_section(body: Any) -> None:
    """Let the document's own last section end before what follows."""
    own = body.find(w("sectPr"))
    if own is None:
        own = etree.Element(w("sectPr"))
    else:
        body.remove(own)
    last = body[-1] if len(body) else None
    if last is None or last.tag != w("p") or last.find(f"{w('pPr')}/{w('sectPr')}") is not None:
        last = _parsed(_tiny())
        body.append(last)
    look = last.find(w("pPr"))
    if look is None:
        look = etree.Element(w("pPr"))
        last.insert(0, look)
    look.append(own)


def _section(filled: Filled, furniture: Filled, plan: Mapping[str, Any]) -> Any:
    """The section of the furniture, its headers and footers taken over, in the plan's format."""
    found = furniture.document.find(f"{w('body')}/{w('sectPr')}")
    section = etree.Element(w("sectPr")) if found is None else copy.deepcopy(found)
    targets = {line.id: line.target for line in furniture.package.relations.get(DOCUMENT, ())}
    for line in section:
        if line.tag in {w("headerReference"), w("footerReference")}:
            kind = "header" if line.tag == w("headerReference") else "footer"
            part = _take_over(filled, furniture, targets[line.get(f"{{{_R}}}id")])
            line.set(f"{{{_R}}}id", filled.package.relate(DOCUMENT, kind, part))
    for name in ("type", "pgSz", "pgMar", "titlePg"):
        for line in section.findall(w(name)):
            section.remove(line)
    after = len(section.findall(w("headerReference")) + section.findall(w("footerReference")))
    margins = {"top": _TOP, "right": _SIDE, "bottom": _BOTTOM, "left": _SIDE}
    margins |= {"header": Decimal(5), "footer": Decimal(6), "gutter": Decimal(0)}
    size, frame = etree.Element(w("pgSz")), etree.Element(w("pgMar"))
    size.set(w("w"), str(_twips(Decimal(plan["paper_width"]))))
    size.set(w("h"), str(_twips(Decimal(plan["paper_height"]))))
    for side, margin in margins.items():
        frame.set(w(side), str(_twips(margin)))
    section.insert(after, size)
    section.insert(after + 1, frame)
    return section


def _take_over(filled: Filled, furniture: Filled, part: str) -> str:
    """Copy a part of the furniture, and what it refers to, under names of its own."""
    folder, file = posixpath.split(part)
    name = posixpath.join(folder, f"annexure-{file}")
    if name in filled.package.parts:
        return name
    filled.package.parts[name] = furniture.package.parts[part]
    filled.package.kinds[name] = furniture.package.kinds[part]
    lines = []
    for line in furniture.package.relations.get(part, ()):
        target = line.target if line.outside else _take_over(filled, furniture, line.target)
        lines.append(type(line)(line.id, line.kind, target, line.outside))
    filled.package.relations[name] = lines
    return name


def _style_ids(furniture: Filled) -> dict[str, str]:
    """The ids of the two styles by their names; a name is its own id if there is no such style."""
    ids = {HEADING_STYLE: "AnnexureHeading", CAPTION_STYLE: "AnnexureCaption"}
    if _STYLES in furniture.package.parts:
        for style in parse_part(furniture.package.parts[_STYLES]).iterfind(w("style")):
            name = style.find(w("name"))
            if name is not None and name.get(w("val")) in ids:
                ids[name.get(w("val"))] = style.get(w("styleId"))
    return ids


def _copy_styles(filled: Filled, furniture: Filled) -> None:
    """Add the styles that the document does not have."""
    if not {_STYLES} <= filled.package.parts.keys() & furniture.package.parts.keys():
        return
    own = parse_part(filled.package.parts[_STYLES])
    known = {style.get(w("styleId")) for style in own.iterfind(w("style"))}
    for style in parse_part(furniture.package.parts[_STYLES]).iterfind(w("style")):
        if style.get(w("styleId")) not in known:
            added = copy.deepcopy(style)
            added.attrib.pop(w("default"), None)
            own.append(added)
    filled.package.parts[_STYLES] = written(own)
