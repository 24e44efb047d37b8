"""What a reader of a Word document sees, and what names its fields."""

import io
import zipfile

import pytest

from factory.report.text_model import read_text, text_of_report
from tests.report.conftest import Tampered, document, packed, paragraph, parts_of, run, tagged


def seen(*blocks):
    """The text of a document of these blocks, without the name of its part."""
    model, problems = read_text(document(*blocks), "made.docx")
    assert model is not None, problems
    return text_of_report(model).split("\n")[1:-1]


def row(*cells):
    """A row of cells that hold XML."""
    return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"


def test_paragraphs_come_in_order_with_their_tags():
    lines = seen(
        paragraph(run("Value: "), tagged("fmv", run("₹1,") + run("000")), run(" only")),
        paragraph(),
        paragraph(run("End")),
    )
    assert lines == ["Value: {fmv: ₹1,000} only", "End"]


def test_a_table_is_a_line_for_each_row():
    table = f"<w:tbl>{row(paragraph(run('a')), paragraph(run('b')) + paragraph(run('c')))}</w:tbl>"
    assert seen(table) == ["| a | b / c |"]


def test_controls_around_rows_cells_and_paragraphs_are_read():
    inner = row(tagged("say", paragraph(run("5"))))
    table = f"<w:tbl>{tagged('whole', inner)}</w:tbl>"
    assert seen(table, tagged("fmv", paragraph(run("6")))) == ["| {say: 5} |", "{fmv: 6}"]


def test_a_control_across_paragraphs_says_all_of_them():
    model, _ = read_text(document(tagged("a", paragraph(run("1")) + paragraph(run("2")))), "x")
    assert [(item.tag, item.text) for item in model.controls] == [("a", "1\n2")]


def test_a_control_inside_a_control_is_part_of_both():
    model, _ = read_text(document(paragraph(tagged("a", run("1") + tagged("b", run("2"))))), "x")
    assert {item.tag: item.text for item in model.controls} == {"a": "12", "b": "2"}


def test_line_breaks_and_tabs_are_part_of_a_text_and_page_breaks_are_not():
    broken = '<w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:tab/><w:t>c</w:t><w:br w:type="page"/></w:r>'
    model, _ = read_text(document(paragraph(tagged("x", broken))), "x")
    assert model.controls[0].text == "a\nb\tc"


def test_text_boxes_are_read_once():
    box = (
        "<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>"
        + paragraph(run("boxed"))
        + "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>"
        + paragraph(run("boxed"))
        + "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert seen(paragraph(box, run("around"))) == ["boxed", "around"]


def test_a_watermark_of_letters_is_read():
    assert seen(paragraph('<w:r><w:pict><v:textpath string="₹5 lakh"/></w:pict></w:r>')) == [
        "₹5 lakh"
    ]


def test_a_picture_shows_its_size():
    drawing = '<w:r><w:drawing><wp:inline><wp:extent cx="6480000" cy="4860000"/></wp:inline></w:drawing></w:r>'
    assert seen(paragraph(drawing)) == ["(picture 180 x 135 mm)"]


def test_text_that_was_deleted_under_tracking_is_not_seen():
    deleted = "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
    assert seen(paragraph(deleted, "<w:ins>", run("new"), "</w:ins>")) == ["new"]


def test_headers_and_footers_come_after_the_document(printed):
    model, _ = read_text(printed("specimen-house"), "x")
    assert next(iter(model.blocks)) == "document"
    assert any("head" in part for part in model.blocks)
    assert any("foot" in part for part in model.blocks)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        packed({"hello.txt": b"hello"}),
        packed({"[Content_Types].xml": b"<Types/>"}),
        packed(parts_of(document(paragraph(run("x")))) | {"word/document.xml": b"<w:document"}),
        packed(
            parts_of(document(paragraph(run("x"))))
            | {"word/document.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}
        ),
    ],
)
def test_what_is_no_word_document_is_refused(content):
    model, problems = read_text(content, "report.docx")
    assert model is None
    assert [problem.code for problem in problems] == ["E657"]


def test_a_part_that_unpacks_without_end_is_refused():
    parts = parts_of(document(paragraph(run("x"))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", parts["[Content_Types].xml"])
        archive.writestr("word/document.xml", b" " * 30_000_000)
    model, problems = read_text(out.getvalue(), "report.docx")
    assert model is None
    assert "too large" in problems[0].what


def test_a_report_reads_the_same_after_its_parts_are_packed_anew(printed):
    before, _ = read_text(printed("specimen-flat"), "x")
    after, _ = read_text(Tampered(printed("specimen-flat")).bytes(), "x")
    assert text_of_report(before) == text_of_report(after)
