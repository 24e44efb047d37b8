"""Who reads a report before its release gets a copy that says so on every page."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from typing import Any
from uuid import UUID

import pikepdf
import pytest
from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from lxml import etree
from reportlab.pdfgen.canvas import Canvas

from service.bootstrap import Service
from service.objects.storage import get_bytes
from service.packs.review_copies import WORDS, mark_line, marked_docx, marked_pdf
from tests.service.packs.specimen import enter, make_ready, read_specimen

LINE = mark_line(3, "sha256:" + "0123456789abcdef" * 4)
TEXTPATH = "{urn:schemas-microsoft-com:vml}textpath"


def hostile_docx() -> bytes:
    """Title pages, even pages, linked headers, a landscape section, and one that has its own."""
    document = Document()
    document.settings.odd_and_even_pages_header_footer = True
    document.add_paragraph("Fair market value 1,77,64,480")
    document.add_page_break()
    document.add_paragraph("page two")
    wide = document.add_section(WD_SECTION.NEW_PAGE)
    wide.orientation = WD_ORIENT.LANDSCAPE
    wide.page_width, wide.page_height = wide.page_height, wide.page_width
    wide.different_first_page_header_footer = True
    document.add_paragraph("landscape 42.50")
    own = document.add_section(WD_SECTION.NEW_PAGE)
    own.header.is_linked_to_previous = False
    own.header.paragraphs[0].text = "Own header"
    document.add_paragraph("its own header")
    document.add_section(WD_SECTION.ODD_PAGE)
    document.add_paragraph("linked again")
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def hostile_pdf() -> bytes:
    """An upright page, a wide one, and one that is turned; the first leaves its scale behind."""
    written = io.BytesIO()
    canvas = Canvas(written, invariant=True)
    canvas.drawString(72, 700, "Fair market value 1,77,64,480")
    canvas.scale(0.1, 0.1)
    canvas.showPage()
    canvas.setPageSize((842, 595))
    canvas.drawString(72, 400, "landscape")
    canvas.showPage()
    canvas.setPageRotation(90)
    canvas.drawString(72, 400, "turned")
    canvas.showPage()
    canvas.save()
    return written.getvalue()


def headers_of(docx: bytes) -> dict[tuple[int, str], list[str]]:
    """What the marks of each section's headers of each kind say, those it goes on with included."""
    found = {}
    document = Document(io.BytesIO(docx))
    for number, section in enumerate(document.sections):
        for kind in ("header", "first_page_header", "even_page_header"):
            element = getattr(section, kind)._element
            found[number, kind] = [one.get("string") for one in element.iter(TEXTPATH)]
    return {key: [one for one in words if one is not None] for key, words in found.items()}


def is_marked_docx(docx: bytes, line: str, kinds: tuple[str, ...]) -> bool:
    said = headers_of(docx)
    return all(words == [WORDS, line] for (_, kind), words in said.items() if kind in kinds)


def texts(docx: bytes) -> list[tuple[str, str]]:
    """The text of every part that a page shows, in order."""
    with zipfile.ZipFile(io.BytesIO(docx)) as package:
        return [
            (name, "".join(etree.fromstring(package.read(name)).itertext()).strip())
            for name in package.namelist()
            if name.startswith("word/") and name.endswith(".xml") and "review-mark" not in name
        ]


def test_every_kind_of_header_of_every_section_is_marked() -> None:
    marked = marked_docx(hostile_docx(), LINE)
    said = headers_of(marked)

    assert len(said) == 4 * 3
    assert set(map(tuple, said.values())) == {(WORDS, LINE)}


def test_headers_that_no_page_uses_are_not_made() -> None:
    document = Document()
    written = io.BytesIO()
    document.save(written)
    with zipfile.ZipFile(io.BytesIO(marked_docx(written.getvalue(), LINE))) as package:
        body = package.read("word/document.xml").decode()

    assert body.count("<w:headerReference ") == 1
    assert 'w:type="default"' in body


def test_a_marked_document_says_all_that_it_said_and_keeps_its_other_parts() -> None:
    before = hostile_docx()
    after = marked_docx(before, LINE)

    assert dict(texts(after)) == dict(texts(before))
    with zipfile.ZipFile(io.BytesIO(after)) as package:
        assert package.testzip() is None


def test_the_same_file_gives_the_same_copy() -> None:
    docx, pdf = hostile_docx(), hostile_pdf()

    assert marked_docx(docx, LINE) == marked_docx(docx, LINE)
    assert marked_pdf(pdf, LINE) == marked_pdf(pdf, LINE)
    assert marked_pdf(pdf, LINE) != marked_pdf(pdf, LINE.replace("3", "4", 1))


def test_what_is_no_report_is_not_given_unmarked() -> None:
    with pytest.raises(zipfile.BadZipFile):
        marked_docx(b"no document", LINE)
    with pytest.raises(pikepdf.PdfError):
        marked_pdf(b"no document", LINE)


def test_every_page_of_a_pdf_is_marked_and_what_it_drew_is_still_drawn() -> None:
    before, after = (
        pikepdf.open(io.BytesIO(one)) for one in (hostile_pdf(), marked_pdf(hostile_pdf(), LINE))
    )

    assert len(after.pages) == len(before.pages) == 3
    for old, new in zip(before.pages, after.pages, strict=True):
        shown = [
            str(operands[0])
            for operands, operator in pikepdf.parse_content_stream(new)
            if str(operator) == "Tj"
        ]
        was = [
            str(operands[0])
            for operands, operator in pikepdf.parse_content_stream(old)
            if str(operator) == "Tj"
        ]
        assert shown == [*was, LINE, WORDS]


@pytest.fixture(scope="module")
def made(service: Service, owner: Any, run_jobs: Any) -> UUID:
    work_order_id = enter(service, owner, read_specimen())
    make_ready(service, owner, work_order_id)
    run_jobs()
    return work_order_id


def test_a_signer_gets_a_marked_copy_and_its_headers_describe_it(
    service: Service, desk: Any, made: UUID, look: Any
) -> None:
    answer = desk.get(f"/v1/repogen/work-orders/{made}/packs/1/artifacts/docx")
    page = desk.get(f"/desk/work-orders/{made}/packs/1/docx")
    ((key, stored_sha256),) = look(
        "select object_key, sha256 from pack_artifacts a join packs p using (pack_id)"
        " where p.work_order_id = :id and a.kind = 'docx'",
        id=made,
    )
    stored = get_bytes(service.objects, key)
    line = mark_line(1, answer.headers["Zenops-Bundle-Digest"])
    digest = hashlib.sha256(answer.data)
    noted = look(
        "select details from audit_events join audit_details using (event_id) where work_order_id = :id"
        " and action = 'pack:artifact:reviewed'",
        id=made,
    )

    assert hashlib.sha256(stored).hexdigest() == stored_sha256
    assert answer.data == marked_docx(stored, line) != stored
    assert is_marked_docx(answer.data, line, ("header", "first_page_header"))
    assert answer.headers["Zenops-Review-Copy"] == "1"
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["Digest"] == f"sha-256={base64.b64encode(digest.digest()).decode()}"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert page.data == answer.data
    assert page.headers["Zenops-Review-Copy"] == "1"
    assert page.headers["Content-Length"] == str(len(page.data))
    assert len(noted) == 2
    for (after,) in noted:
        assert stored_sha256 in str(after)
        assert "marked" in str(after)


def test_a_bundle_is_data_and_is_given_as_it_is(desk: Any, made: UUID) -> None:
    answer = desk.get(f"/v1/repogen/work-orders/{made}/packs/1/artifacts/bundle")

    assert answer.status_code == 200
    assert "Zenops-Review-Copy" not in answer.headers


def test_a_process_that_marks_nothing_does_not_load_what_marks() -> None:
    code = (
        "import sys, service.api.packs, service.web.work_order_pages;"
        "print(*sorted({'lxml', 'pikepdf', 'reportlab'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
