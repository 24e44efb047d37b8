"""What a template says is printed, each figure in a control that names its field."""

import io
import time
import zipfile
from unittest import mock

import docx
import pytest
from docx.shared import Pt
from lxml import etree

from factory.rendering.docx_package import DOCUMENT, write_package, written
from factory.rendering.filling import as_context, fill_template, load_template
from tests.rendering.conftest import (
    DATA,
    WORD,
    altered,
    is_sound,
    leaf,
    made,
    parts_of,
    tagged,
    text_of,
    texts_of,
)

pytestmark = pytest.mark.usefixtures("printer")


def test_a_field_becomes_a_control_that_names_it(printer):
    report, problems = printer(made("Fair market value: {{ fmv }} only"))

    assert not problems
    assert texts_of(report) == ["Fair market value: ₹1,77,64,480 only"]
    assert tagged(report) == [("fmv", "₹1,77,64,480")]


def test_an_expression_that_word_has_split_into_runs_is_one(printer):
    def split(document):
        paragraph = document.add_paragraph("Value: {")
        for piece in ("{ f", "m", "v }", "} today"):
            paragraph.add_run(piece)

    report, problems = printer(made(change=split))

    assert not problems
    assert texts_of(report) == ["Value: ₹1,77,64,480 today"]


def test_the_look_of_a_run_is_that_of_its_field_and_of_the_text_around_it(printer):
    def bold(document):
        run = document.add_paragraph().add_run("a {{ fmv }} b")
        run.bold, run.font.size = True, Pt(13)

    report, _ = printer(made(change=bold))

    text = parts_of(report)["word/document.xml"].decode()
    assert text.count('<w:rPr><w:b/><w:sz w:val="26"/></w:rPr>') == 3


def test_lines_of_a_text_become_breaks(printer):
    report, _ = printer(made("{{ property.address }}"))

    assert texts_of(report) == ["12, Temple Road\nMysuru"]
    assert b"<w:br/>" in parts_of(report)["word/document.xml"]


def test_rows_of_a_table_are_repeated_and_numbered(printer):
    def table(document):
        made_table = document.add_table(rows=4, cols=2)
        texts = (
            ("Floor", "Net"),
            ("{%tr for floor in floors %}", ""),
            ("{{ loop.index }}. {{ floor.label }}", "{{ floor.net }}"),
            ("{%tr endfor %}", ""),
        )
        for row, cells in zip(made_table.rows, texts, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text

    report, problems = printer(made(change=table))

    assert not problems
    rows = [text_of(row) for row in _root(report).iter(f"{WORD}tr")]
    assert rows == ["FloorNet", "1. Ground10", "2. First20"]
    assert ("floors[first].label", "First") in tagged(report)


def _root(report):
    return etree.fromstring(parts_of(report)["word/document.xml"])


def test_a_table_whose_rows_are_all_left_out_is_left_out(printer):
    def table(document):
        made_table = document.add_table(rows=3, cols=1)
        for row, text in zip(
            made_table.rows,
            ("{%tr for a in trees %}", "{{ a.label }}", "{%tr endfor %}"),
            strict=True,
        ):
            row.cells[0].text = text

    report, problems = printer(made("before", change=table))

    assert not problems
    assert not list(_root(report).iter(f"{WORD}tbl"))


def test_a_cell_keeps_a_paragraph_when_its_texts_are_left_out(printer):
    def table(document):
        cell = document.add_table(rows=1, cols=1).rows[0].cells[0]
        cell.text = "{%p if say is known %}"
        cell.add_paragraph("{{ say }}")
        cell.add_paragraph("{%p endif %}")

    report, problems = printer(made(change=table))

    assert not problems
    assert [child.tag for child in next(_root(report).iter(f"{WORD}tc"))][-1] == f"{WORD}p"


def test_conditions_ask_whether_a_figure_is_known(printer):
    report, problems = printer(
        made(
            "{% if fmv is known %}yes{% else %}no{% endif %}",
            "{{ say if say is known else 'open' }}",
        )
    )

    assert not problems
    assert texts_of(report) == ["yes", "open"]


def test_conditions_within_a_run_leave_no_empty_runs(printer):
    report, problems = printer(
        made(
            "{% if fmv is known %}{{ fmv }}{% else %}{{ say }}{% endif %}, {% if say is known %}{{ say }}{% endif %}."
        )
    )

    assert not problems
    assert texts_of(report) == ["₹1,77,64,480, ."]
    assert all(text_of(run) for run in _root(report).iter(f"{WORD}r"))


def test_headers_and_footers_are_filled(printer):
    def footer(document):
        document.sections[0].footer.paragraphs[0].text = "Bundle {{ report.digest }}"
        document.sections[0].header.paragraphs[0].text = "{{ fmv }}"

    report, problems = printer(made("x", change=footer))

    assert not problems
    names = [name for name in parts_of(report) if "footer" in name and name.endswith(".xml")]
    assert tagged(report, names[0]) == [("bundle.digest", "abc123")]


def test_a_plain_text_of_the_data_is_printed_without_a_control(printer):
    report, problems = printer(made("{{ floors[0].id }} {{ floors|length }}"))

    assert not problems
    assert texts_of(report) == ["ground 2"]
    assert tagged(report) == []


def test_a_long_name_of_a_field_becomes_a_tag_that_word_can_hold(printer):
    long = "contract.property." + "x" * 80
    report, _ = printer(
        made("{{ a }}{{ b }}"), {"a": leaf("1", long + "1"), "b": leaf("2", long + "2")}
    )

    tags = [tag for tag, _ in tagged(report)]
    assert len(set(tags)) == 2
    assert all(len(tag) <= 64 for tag in tags)


def test_columns_repeated_by_a_loop_have_their_place_in_the_grid(printer):
    def table(document):
        cells = document.add_table(rows=1, cols=3).rows[0].cells
        for cell, text in zip(
            cells,
            ("{%tc for floor in floors + 0 %}", "{{ floor.label }}", "{%tc endfor %}"),
            strict=True,
        ):
            cell.text = text.replace(" + 0", "")

    report, problems = printer(made(change=table))

    assert not problems
    assert len(list(_root(report).iter(f"{WORD}gridCol"))) == 2


def test_all_unknown_names_are_told_at_once_with_their_places(printer):
    def table(document):
        document.add_paragraph("Of {{ propety.address }}")
        document.add_table(rows=1, cols=2).rows[0].cells[1].text = "{{ floors[0].nett }}"
        document.sections[0].footer.paragraphs[0].text = "{{ digset }}"

    report, problems = printer(made("A {{ fmw }}", change=table))

    assert report is None
    assert {problem.code for problem in problems} == {"E645"}
    told = {problem.what: (problem.why, problem.fix) for problem in problems}
    assert "paragraph 1" in told["'fmw' is not known: there is no 'fmw'"][0]
    assert told["'fmw' is not known: there is no 'fmw'"][1] == "Did you mean 'fmv'?"
    place = told["'floors[0].nett' is not known: there is no 'nett'"][0]
    assert "table 1, row 1, cell 2" in place
    assert any("In footer1" in why for why, _ in told.values())


def test_an_unknown_name_in_a_condition_is_told_with_its_paragraph(printer):
    _, problems = printer(made("first", "{% if fmw > 3 %}x{% endif %}"))

    assert [problem.code for problem in problems] == ["E645"]
    assert "paragraph 2: {% if fmw > 3 %}" in problems[0].why


def test_properties_are_the_bundles_and_dates_are_not_todays(printer):
    report, _ = printer(altered(made("x"), {"docProps/core.xml": (b"python-docx", b"{{ fmv }}")}))

    properties = docx.Document(io.BytesIO(report)).core_properties
    assert (properties.title, properties.author) == ("T", "A")
    assert properties.created.isoformat()[:10] == "2026-03-31"
    assert b"{{" not in parts_of(report)["docProps/core.xml"]


def test_a_report_is_the_same_each_time(printer):
    template = made("{{ fmv }}", "{{ property.address }}")

    first, _ = printer(template)
    second, _ = printer(template)

    assert is_sound(first)
    assert first == second


def test_a_report_is_the_same_on_another_day():
    content = made("{{ fmv }}")

    def report():
        template, _ = load_template(content, "own.docx")
        filled, _ = fill_template(template, as_context(DATA))
        filled.package.parts[DOCUMENT] = written(filled.document)
        return write_package(filled.package, {"date": "2026-03-31"})

    today = report()
    with (
        mock.patch("time.time", return_value=4e9),
        mock.patch("time.localtime", return_value=time.gmtime(0)),
    ):
        assert report() == today


def test_parts_stand_in_order_with_the_types_first_and_no_date(printer):
    report, _ = printer(made("x"))

    with zipfile.ZipFile(io.BytesIO(report)) as archive:
        names = archive.namelist()
        dates = {entry.date_time for entry in archive.infolist()}
    assert names[0] == "[Content_Types].xml"
    assert names[1:] == sorted(names[1:])
    assert dates == {(1980, 1, 1, 0, 0, 0)}


def test_what_nothing_refers_to_is_left_behind(printer):
    report, _ = printer(made("x"))

    assert not [name for name in parts_of(report) if "thumbnail" in name or "customXml" in name]


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("floors", "is a list"),
        ("property", "has parts: address"),
        ("report.is_final", "is true or false"),
        ("floors|first", "has parts"),
    ],
)
def test_what_is_no_text_is_not_printed(printer, expression, what):
    report, problems = printer(made(f"{{{{ {expression} }}}}"))

    assert report is None
    assert [problem.code for problem in problems] == ["E645"]
    assert what in problems[0].what


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("fmv_words|upper", "RUPEES ONE CRORE"),
        ("fmv_words|lower", "rupees one crore"),
        ("floors|length + 1", "3"),
        ("unheard_of|default('nothing')", "nothing"),
        ("'a' ~ '<' ~ floors[0].id", "a<ground"),
        ("['x', floors[0].id]|join(', ')", "x, ground"),
        ("(floors|last).label", "First"),
        ("floors[-1].label", "First"),
        ("'many' if floors|length > 1 else 'one'", "many"),
    ],
)
def test_expressions_that_templates_may_use(printer, expression, text):
    report, problems = printer(made(f"{{{{ {expression} }}}}"))

    assert not problems
    assert texts_of(report) == [text]


def test_the_data_are_not_changed_by_a_template(printer):
    before = str(DATA)
    printer(made("{% set fmv = 1 %}{{ fmv }}"))

    assert str(DATA) == before
