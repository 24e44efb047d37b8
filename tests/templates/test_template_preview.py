"""A preview shows every field of a family in its place, shaded; the commands say what they did."""

import json
import zipfile
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from factory.catalogue import SHIPPED, read_catalogue
from factory.command_line import app
from factory.rendering.template_check import check_template
from factory.rendering.template_families import (
    FAMILIES,
    family_of,
    fields_of_family,
    names_of_reports,
)
from factory.rendering.template_files import list_templates
from factory.rendering.template_preview import example_data
from factory.rendering.word_xml import w
from tests.templates.forms import form

ROWS = [["{%tr for f in floors %}", ""], ["{{ f.label }}", "{{ f.net }}"], ["{%tr endfor %}", ""]]


def zenops(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def names():
    return names_of_reports(read_catalogue().catalogue)


@pytest.fixture
def own(tmp_path):
    """A firm's own form."""
    path = tmp_path / "own.docx"
    path.write_bytes(form("Value {{ fmv }}, {{ fmv_words }}", tables=[ROWS]))
    return path


def controls(path):
    """Tag, text and shade of each field of a document."""
    with zipfile.ZipFile(path) as archive:
        root = etree.fromstring(archive.read("word/document.xml"))
    return [
        (
            control.find(f"{w('sdtPr')}/{w('tag')}").get(w("val")),
            "".join(text.text for text in control.iter(w("t"))),
            {shade.get(w("fill")) for shade in control.iter(w("shd"))},
        )
        for control in root.iter(w("sdt"))
    ]


def test_a_preview_shades_an_example_of_every_field(own, tmp_path):
    done = zenops("templates", "preview", own, "-o", tmp_path / "out.docx", "--family", "sbi")

    assert done.exit_code == 0
    found = controls(tmp_path / "out.docx")
    assert [tag for tag, _, _ in found] == [
        "fmv", "fmv_words", *("floors[].label", "floors[].net") * 2
    ]  # fmt: skip
    assert found[0][1] == "₹1,23,45,678"
    assert all(shade == {"FFF2CC"} for _, _, shade in found)


def test_a_preview_is_the_same_every_time(own, tmp_path):
    for name in ("a.docx", "b.docx"):
        zenops("templates", "preview", own, "-o", tmp_path / name)

    assert (tmp_path / "a.docx").read_bytes() == (tmp_path / "b.docx").read_bytes()


def test_a_form_with_mistakes_has_no_preview(tmp_path):
    (tmp_path / "own.docx").write_bytes(form("{{ fmw }}"))

    done = zenops("templates", "preview", tmp_path / "own.docx", "-o", tmp_path / "out.docx")

    assert done.exit_code == 2
    assert "E645" in done.stderr
    assert not (tmp_path / "out.docx").exists()


def test_a_preview_never_replaces_what_is_no_document(own, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    done = zenops("templates", "preview", own, "-o", tmp_path / "notes.txt")

    assert done.exit_code == 2
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_every_field_of_a_family_has_an_example(names, family):
    def gone(shape, data, path):
        kind = type(shape).__name__
        if kind == "Record":
            for name, inner in shape.fields.items():
                if getattr(inner, "elsewhere", ()):
                    continue
                if name not in data:
                    yield f"{path}.{name}"
                else:
                    yield from gone(inner, data[name], f"{path}.{name}")
        elif kind == "Table" and len(data) != 2:
            yield path
        elif kind == "Table":
            for row in data:
                yield from gone(shape.row, row, f"{path}[]")

    fields, data = fields_of_family(names, family), example_data(names, family)

    lost = [
        path
        for name, shape in fields.items()
        if not getattr(shape, "elsewhere", ())
        for path in ([name] if name not in data else gone(shape, data[name], name))
    ]
    assert lost == []


@pytest.fixture(scope="module")
def names_with_variants():
    """A shipped template may ask for a figure that only a firm's variant computes."""
    variants = Path(__file__).parents[2] / "fixtures" / "variants"
    return names_of_reports(read_catalogue(SHIPPED, variants=[variants]).catalogue)


@pytest.mark.parametrize("template", list_templates(), ids=lambda template: template.key)
def test_every_shipped_template_passes_its_own_check(names_with_variants, template):
    family = family_of(template.key)
    must_print = FAMILIES[family].must_print if family else ()

    result = check_template(
        template.path.read_bytes(),
        template.path.name,
        fields_of_family(names_with_variants, family),
        must_print,
    )

    assert [(problem.what, problem.why) for problem in result.problems] == []


def test_shipped_templates_are_listed_with_their_digests():
    listed = json.loads(zenops("templates", "list", "--json").stdout)

    assert [template["key"] for template in listed] == [each.key for each in list_templates()]
    assert all(len(template["sha256"]) == 64 for template in listed)
    assert "SBI_UNDER_5CR_V1.docx" in zenops("templates", "list").stdout


def test_a_check_ends_with_0_1_or_2(own, tmp_path):
    (tmp_path / "wrong.docx").write_bytes(form("{{ fmw }}"))
    (tmp_path / "text.docx").write_text("no document")

    assert zenops("templates", "check", own).exit_code == 0
    assert zenops("templates", "check", tmp_path / "wrong.docx").exit_code == 1
    assert zenops("templates", "check", tmp_path / "text.docx").exit_code == 2
    assert zenops("templates", "check", tmp_path / "lost.docx").exit_code == 2
    assert zenops("templates", "check", own, "--family", "sib").exit_code == 2


def test_a_check_says_what_a_template_leaves_out(own):
    done = zenops("templates", "check", own, "--family", "SBI_UNDER_5CR_V1", "--json")

    found = json.loads(done.stdout)
    assert found["family"] == "sbi"
    assert found["printed"] == ["floors.label", "floors.net", "fmv", "fmv_words"]
    assert "realizable" in found["never_printed"]
    assert [(problem["code"], problem["severity"]) for problem in found["problems"]] == [
        ("E670", "warning"), ("E670", "warning"),
    ]  # fmt: skip


def test_a_misspelt_family_is_told_with_the_nearest():
    done = zenops("templates", "check", "x.docx", "--family", "revaluations")

    assert "did you mean revaluation?" in done.stderr
