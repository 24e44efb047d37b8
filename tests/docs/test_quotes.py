"""What pages quote of the command's output is what it prints."""

import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from factory.command_line import app
from service.release.gate import MESSAGES
from tests.docs.pages import ROOT, blocks

FIRST = ROOT / "README.md"
START = ROOT / "docs/start-here.md"
SPECIMEN = "fixtures/cases/specimen-house"


def zenops(*words):
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return done.stdout + done.stderr


def is_quoted_from(block, printed):
    """Whether the lines of a block stand in what was printed, in order; `...` leaves lines out."""
    rest = f"\n{printed}\n"
    for part in f"\n{block}".replace("\n...\n", "\n\0\n").split("\0"):
        found = rest.find(f"\n{part.strip(chr(10))}\n")
        if found < 0:
            return False
        rest = rest[found + len(part.strip("\n")) + 1 :]
    return True


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the data, with the specimen's pictures drawn."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("rules", "profiles"):
        shutil.copytree(ROOT / name, folder / name)
    case = folder / SPECIMEN
    shutil.copytree(ROOT / SPECIMEN, case, ignore=shutil.ignore_patterns("evidence"))
    script = ROOT / "scripts/draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(case)], check=True, capture_output=True)
    return folder


@pytest.fixture
def at_the_root(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    return checkout


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def changed(at_the_root):
    """Changes a file of the copy, and puts it back."""
    kept = {}

    def edit(name, old, new):
        path = at_the_root / name
        kept[path] = path.read_bytes()
        change(path, old, new)

    yield edit
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.usefixtures("at_the_root")
def test_the_first_page_quotes_the_demo():
    built = zenops("build", SPECIMEN, "-o", "specimen-house.zip", "--data", ".")
    verified = zenops("verify", "specimen-house.zip", "--recompute")

    assert is_quoted_from(blocks(FIRST)[0], built + verified)


def test_the_first_page_quotes_the_gate():
    said = [
        f"{result}{', ' + reason if reason else ''}: {message}"
        for (result, reason), message in MESSAGES.items()
    ]

    assert set(blocks(FIRST)[1].splitlines()) <= set(said)
    assert len(blocks(FIRST)) == 2


@pytest.mark.usefixtures("at_the_root")
def test_the_start_page_quotes_an_explanation():
    printed = zenops("explain", SPECIMEN, "distress", "--data", ".")

    assert is_quoted_from(blocks(START)[0], printed)


def test_the_start_page_quotes_what_one_changed_number_does(changed):
    changed("rules/psu/ruleset.yaml", "    value: 80 %", "    value: 75 %")

    assert is_quoted_from(blocks(START)[1], zenops("explain", SPECIMEN, "distress", "--data", "."))
    assert is_quoted_from(blocks(START)[2], zenops("golden", "check", "--data", "."))


def test_the_start_page_quotes_the_message_for_a_misspelt_name(changed):
    changed(
        "rules/valuation/values.yaml",
        "formula: distress_base * distress_share",
        "formula: distress_base * distres_share",
    )

    assert is_quoted_from(blocks(START)[3], zenops("explain", SPECIMEN, "distress", "--data", "."))


def test_a_line_that_was_not_printed_is_no_quotation():
    assert is_quoted_from("b\n...\nd\n", "a\nb\nc\nd\n")
    assert not is_quoted_from("b\nd\n", "a\nb\nc\nd\n")
    assert not is_quoted_from("d\n...\nb\n", "a\nb\nc\nd\n")
