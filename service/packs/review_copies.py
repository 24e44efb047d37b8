"""Marked copies of a report that is not released: for whoever must read it to sign it.

What is stored stays as it was made. A copy is that file and a mark on every page, and nothing else:
the same file and the same mark give the same bytes, and no photograph is decoded on the way.
"""

from __future__ import annotations

import io
import math
import posixpath
import zipfile
from typing import TYPE_CHECKING, Any

import pikepdf
from lxml import etree
from reportlab.pdfbase.pdfmetrics import stringWidth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORDS = "NOT RELEASED"

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEADER_KIND = f"{_R}/header"
_HEADER_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml"
_NEW_HEADER = "zenops-review-mark.xml"
_NEW_ID = "zenopsReviewMark"

# What Word itself writes for a watermark, and LibreOffice reads: letters drawn as a shape, anchored
# behind the text. They are no text of the document, so what it says is what it said.
# LibreOffice shows one shape of a w:pict, so each has its own.
_SHAPES = """\
<w:r xmlns:w="{w}" xmlns:v="urn:schemas-microsoft-com:vml"
 xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:w10="urn:schemas-microsoft-com:office:word">
<w:rPr><w:noProof/></w:rPr><w:pict>
<v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800"
 path="m@7,l@8,m@5,21600l@6,21600e"><v:formulas><v:f eqn="sum #0 0 10800"/>
<v:f eqn="prod #0 2 1"/><v:f eqn="sum 21600 0 @1"/><v:f eqn="sum 0 0 @2"/>
<v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/><v:f eqn="if @0 21600 @1"/>
<v:f eqn="if @0 0 @2"/><v:f eqn="if @0 @4 21600"/><v:f eqn="mid @5 @6"/><v:f eqn="mid @8 @5"/>
<v:f eqn="mid @7 @8"/><v:f eqn="mid @6 @7"/><v:f eqn="sum @6 0 @5"/></v:formulas>
<v:path textpathok="t" o:connecttype="custom"
 o:connectlocs="@9,0;@10,10800;@11,21600;@12,10800" o:connectangles="270,180,90,0"/>
<v:textpath on="t" fitshape="t"/></v:shapetype>
<v:shape id="PowerPlusWaterMarkObject{number}" o:spid="_x0000_s{letters_id}" type="#_x0000_t136"
 style="position:absolute;margin-left:0;margin-top:0;width:480pt;height:64pt;rotation:315;\
z-index:-251658752;mso-position-horizontal:center;mso-position-horizontal-relative:page;\
mso-position-vertical:center;mso-position-vertical-relative:page"
 o:allowincell="f" fillcolor="#bfbfbf" stroked="f">
<v:textpath style="font-family:&quot;Liberation Sans&quot;;font-size:1pt;font-weight:bold" string=""/>
<w10:wrap anchorx="page" anchory="page"/></v:shape></w:pict><w:pict>
<v:shape id="ZenopsReviewLine{number}" o:spid="_x0000_s{line_id}" type="#_x0000_t136"
 style="position:absolute;margin-left:0;margin-top:9pt;width:{line_width}pt;height:8pt;\
z-index:-251657728;mso-position-horizontal:center;mso-position-horizontal-relative:page;\
mso-position-vertical-relative:page"
 o:allowincell="f" fillcolor="#595959" stroked="f">
<v:textpath style="font-family:&quot;Liberation Sans&quot;;font-size:1pt" string=""/>
<w10:wrap anchorx="page" anchory="page"/></v:shape>
</w:pict></w:r>"""

# So low that a page whose section had no header is laid out as it was.
_EMPTY_HEADER = (
    f'<w:hdr xmlns:w="{_W}"><w:p><w:pPr><w:spacing w:before="0" w:after="0" w:line="20"'
    ' w:lineRule="exact"/><w:rPr><w:sz w:val="2"/></w:rPr></w:pPr></w:p></w:hdr>'
)


def mark_line(version: int, bundle_digest: str) -> str:
    """The small line of a copy: which version of which bundle it is."""
    digest = bundle_digest.removeprefix("sha256:")[:16]
    return (
        f"Review copy for signing. Version {version}, bundle sha256:{digest}."
        " Not to be relied upon."
    )


def marked_docx(docx: bytes, line: str) -> bytes:
    """A Word document with the mark in the header of every page of every section.

    Args:
        docx: the document; its own headers keep what they say.
        line: the small line, as `mark_line` gives it.

    Returns:
        The marked document; every other part of it is as it was.

    Raises:
        ValueError: it is no Word document that could be marked wholly.
    """
    with zipfile.ZipFile(io.BytesIO(docx)) as package:
        parts = {one.filename: package.read(one) for one in package.infolist()}
        ways = {one.filename: one.compress_type for one in package.infolist()}
    changed = _marked_parts(parts, line)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as package:
        for name in (*parts, *sorted(changed.keys() - parts.keys())):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = ways.get(name, zipfile.ZIP_DEFLATED)
            package.writestr(entry, changed.get(name, parts.get(name, b"")))
    return written.getvalue()


def marked_pdf(pdf: bytes, line: str) -> bytes:
    """A PDF with the mark laid over every page, thin enough that figures are read through it.

    Args:
        pdf: the document.
        line: the small line, as `mark_line` gives it.

    Returns:
        The marked document; its pictures are the same streams.
    """
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        fonts = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type1,
                BaseFont=pikepdf.Name("/Helvetica-Bold"),
                Encoding=pikepdf.Name.WinAnsiEncoding,
            )
        )
        thin = document.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.ExtGState, ca=pikepdf.Object.parse(b"0.3"))
        )
        for page in document.pages:
            _own_resources(page)
            page.add_resource(fonts, pikepdf.Name.Font, pikepdf.Name.ZenopsMark)
            page.add_resource(thin, pikepdf.Name.ExtGState, pikepdf.Name.ZenopsThin)
            # Whatever the page leaves set is undone before the mark is drawn.
            page.contents_add(b"q\n", prepend=True)
            page.contents_add(_overlay(page, line))
        document.save(written, deterministic_id=True)
    return written.getvalue()


def _marked_parts(parts: Mapping[str, bytes], line: str) -> dict[str, bytes]:
    """The parts of a Word document that the mark changes or adds, by their names."""
    main = _target(parts, "", "/officeDocument")
    folder, name = posixpath.split(main)
    links_name = posixpath.join(folder, "_rels", f"{name}.rels")
    document = _read(parts[main])
    links = _read(
        parts.get(links_name, f'<Relationships xmlns="{_PACKAGE}/relationships"/>'.encode())
    )
    sections = [one for one in document.iter(f"{{{_W}}}sectPr") if not _is_of_the_past(one)]
    body = document.find(f"{{{_W}}}body")
    if body is None:
        raise ValueError("the document has no body")
    if body.find(f"{{{_W}}}sectPr") is None:
        # Without one of its own the last section has a page all the same.
        sections.append(etree.SubElement(body, f"{{{_W}}}sectPr"))
    changed: dict[str, bytes] = {}
    missing = _missing_headers(sections, _uses_even_pages(parts, main))
    headers = [
        posixpath.normpath(posixpath.join(folder, one.get("Target", "")))
        if not one.get("Target", "").startswith("/")
        else one.get("Target", "")[1:]
        for one in links
        if one.get("Type") == _HEADER_KIND
    ]
    for number, header in enumerate(sorted(set(headers)), 1):
        changed[header] = _with_mark(_read(parts[header]), line, number)
    if missing:
        added = posixpath.join(folder, _NEW_HEADER)
        if added in parts:
            raise ValueError("the document is marked already")
        changed[added] = _with_mark(_read(_EMPTY_HEADER.encode()), line, len(headers) + 1)
        etree.SubElement(
            links,
            f"{{{_PACKAGE}/relationships}}Relationship",
            {"Id": _NEW_ID, "Type": _HEADER_KIND, "Target": _NEW_HEADER},
        )
        types = _read(parts["[Content_Types].xml"])
        etree.SubElement(
            types,
            f"{{{_PACKAGE}/content-types}}Override",
            {"PartName": f"/{added}", "ContentType": _HEADER_TYPE},
        )
        # Sections that name no header of a kind go on with that of the section before.
        for kind in missing:
            reference = etree.Element(f"{{{_W}}}headerReference")
            reference.set(f"{{{_W}}}type", kind)
            reference.set(f"{{{_R}}}id", _NEW_ID)
            sections[0].insert(0, reference)
        changed |= {
            main: _written(document),
            links_name: _written(links),
            "[Content_Types].xml": _written(types),
        }
    return changed


def _missing_headers(sections: list[Any], uses_even_pages: bool) -> tuple[str, ...]:
    """The kinds of headers that pages use and the first section does not name."""
    used = ["default"]
    if any(one.find(f"{{{_W}}}titlePg") is not None for one in sections):
        used.append("first")
    if uses_even_pages:
        used.append("even")
    named = {
        one.get(f"{{{_W}}}type", "default")
        for one in sections[0].findall(f"{{{_W}}}headerReference")
    }
    return tuple(kind for kind in used if kind not in named)


def _uses_even_pages(parts: Mapping[str, bytes], main: str) -> bool:
    settings = _target(parts, main, "/settings", needed=False)
    if settings not in parts:
        return False
    return _read(parts[settings]).find(f"{{{_W}}}evenAndOddHeaders") is not None


def _target(parts: Mapping[str, bytes], name: str, kind: str, *, needed: bool = True) -> str:
    """The part that a part, or the package, names for a purpose; empty if there is none."""
    folder, own = posixpath.split(name)
    links = parts.get(posixpath.join(folder, "_rels", f"{own}.rels"))
    for one in _read(links) if links else ():
        if one.get("Type") == f"{_R}{kind}":
            target = one.get("Target", "")
            joined = target[1:] if target.startswith("/") else posixpath.join(folder, target)
            return posixpath.normpath(joined)
    if needed:
        raise ValueError(f"the document names no part for {kind}")
    return ""


def _is_of_the_past(section: Any) -> bool:
    """Whether it says how a section was before a tracked change."""
    return any(
        etree.QName(one).localname in {"sectPrChange", "pPrChange"}
        for one in section.iterancestors()
    )


def _with_mark(header: Any, line: str, number: int) -> bytes:
    """A header with the mark at the beginning of its first paragraph."""
    paragraph = header.find(f"{{{_W}}}p")
    if paragraph is None:
        paragraph = etree.SubElement(header, f"{{{_W}}}p")
    run = etree.fromstring(
        _SHAPES.format(
            w=_W,
            number=number,
            letters_id=20000 + 2 * number,
            line_id=20001 + 2 * number,
            line_width=round(stringWidth(line, "Helvetica", 8)),
        )
    )
    shapes = run.iter("{urn:schemas-microsoft-com:vml}shape")
    for shape, words in zip(shapes, (WORDS, line), strict=True):
        shape.find("{urn:schemas-microsoft-com:vml}textpath").set("string", words)
    at = 1 if len(paragraph) and paragraph[0].tag == f"{{{_W}}}pPr" else 0
    paragraph.insert(at, run)
    return _written(header)


def _read(xml: bytes) -> Any:
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))


def _written(root: Any) -> bytes:
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True))


def _own_resources(page: Any) -> None:
    """Give a page resources of its own, so that no other page's are hidden or named twice."""
    found = next(
        (one.Resources for one in _upwards(page.obj) if pikepdf.Name.Resources in one),
        pikepdf.Dictionary(),
    )
    own = pikepdf.Dictionary(dict(found.items()))
    for kind in (pikepdf.Name.Font, pikepdf.Name.ExtGState):
        own[kind] = pikepdf.Dictionary(dict(own[kind].items()) if kind in own else {})
    page.obj.Resources = own


def _upwards(node: Any) -> Iterator[Any]:
    """A page and the nodes of the tree above it; a page has what it does not say from those."""
    for _ in range(64):
        yield node
        if pikepdf.Name.Parent not in node:
            return
        node = node.Parent


def _overlay(page: Any, line: str) -> bytes:
    """What draws the mark over a page, upright as the page is shown."""
    left, bottom, right, top = (float(one) for one in page.cropbox)
    turn = next((int(one.Rotate) for one in _upwards(page.obj) if "/Rotate" in one), 0) % 360
    wide, high = right - left, top - bottom
    place = {
        90: f"0 1 -1 0 {right:.2f} {bottom:.2f}",
        180: f"-1 0 0 -1 {right:.2f} {top:.2f}",
        270: f"0 -1 1 0 {left:.2f} {top:.2f}",
    }.get(turn, f"1 0 0 1 {left:.2f} {bottom:.2f}")
    if turn in {90, 270}:
        wide, high = high, wide
    angle = math.atan2(high, wide)
    size = 0.72 * math.hypot(wide, high) / stringWidth(WORDS, "Helvetica-Bold", 1)
    back = stringWidth(WORDS, "Helvetica-Bold", size) / 2
    cos, sin = math.cos(angle), math.sin(angle)
    x = wide / 2 - back * cos + size * 0.36 * sin
    y = high / 2 - back * sin - size * 0.36 * cos
    small = min(7.5, 0.94 * wide / stringWidth(line, "Helvetica-Bold", 1))
    middle = (wide - stringWidth(line, "Helvetica-Bold", small)) / 2
    return (
        f"\nQ\n/Artifact BMC\nq\n{place} cm\n0.5 g\nBT\n"
        f"/ZenopsMark {small:.2f} Tf\n0.35 g\n1 0 0 1 {middle:.2f} {high - 16:.2f} Tm\n"
        f"({line}) Tj\nET\n/ZenopsThin gs\n0.5 g\nBT\n/ZenopsMark {size:.2f} Tf\n"
        f"{cos:.5f} {sin:.5f} {-sin:.5f} {cos:.5f} {x:.2f} {y:.2f} Tm\n({WORDS}) Tj\nET\nQ\nEMC\n"
    ).encode("ascii")
