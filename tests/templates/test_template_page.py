"""The page about templates says what the software does."""

import re

from typer.testing import CliRunner

from factory.command_line import app
from factory.rendering.sandbox import PRIVATE, TemplateEnvironment
from factory.rendering.template_families import FAMILIES
from factory.rendering.template_files import list_templates
from tests.docs.pages import ROOT, blocks
from tests.templates.forms import form

PAGE = ROOT / "docs" / "templates.md"
TEXT = PAGE.read_text(encoding="utf-8")


def names_after(words):
    """The names in code that stand in a sentence, behind its first words."""
    sentence = re.search(rf"{re.escape(words)}(.+?)(?:, as in|;|\.\n)", TEXT, re.DOTALL)
    return re.findall(r"`([^`]+)`", sentence[1])


def test_the_page_lists_the_filters_there_are():
    assert names_after("**Filters** are") == sorted(
        name for name in TemplateEnvironment().filters if not name.startswith(PRIVATE)
    )


def test_the_page_lists_the_families_there_are():
    assert sorted(names_after("Families are")) == sorted(FAMILIES)


def test_the_page_counts_the_shipped_templates():
    assert len(list_templates()) == 9
    assert "Nine such documents" in TEXT


def test_the_check_that_the_page_shows_is_what_it_tells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        ["Floor", "Plinth area", "Net value"],
        ["{%tr for floor in floors %}", "", ""],
        ["{{ floor.label }}", "{{ floor.plinth_sqm }}", "{{ floor.nett }}"],
        ["{%tr endfor %}", "", ""],
    ]
    own = tmp_path / "certificate.docx"
    own.write_bytes(form("{{ fmv }} ({{ fmv_words }}) {{ realizable }}", tables=[rows]))

    done = CliRunner().invoke(app, ["templates", "check", own.name, "--family", "sbi"])

    assert done.stderr.strip() in [block.strip() for block in blocks(PAGE)]


def test_the_form_that_the_page_shows_passes_its_check(tmp_path):
    shown = [line for block in blocks(PAGE)[:2] for line in block.splitlines() if line]
    own = tmp_path / "own.docx"
    own.write_bytes(form(*shown, "{{ realizable }} {{ distress }}"))

    done = CliRunner().invoke(app, ["templates", "check", str(own), "--family", "sbi"])

    assert (done.exit_code, done.stderr) == (0, "")
