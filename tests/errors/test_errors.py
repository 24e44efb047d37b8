"""Codes, their examples and their page are the same set, and the examples say what they said."""

import re
import subprocess
import sys

import pytest

from contracts.problems import CODES
from tests.errors.provoke import FOLDERS, provoke

ROOT = FOLDERS.parents[1]
EXAMPLES = sorted(folder.name for folder in FOLDERS.iterdir() if folder.is_dir())


def test_every_code_has_an_example_and_a_heading():
    headings = re.findall(
        r"^## (E\d{3})$", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE
    )

    assert sorted(CODES) == EXAMPLES
    assert headings == sorted(CODES)


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_provokes_its_code_and_is_told_as_before(code):
    told = provoke(FOLDERS / code)

    assert f" {code}: " in told
    assert (FOLDERS / code / "expected.txt").read_text("utf-8") == told


def test_the_page_of_errors_is_up_to_date():
    check = [sys.executable, "scripts/write_error_docs.py", "--check"]

    assert subprocess.run(check, cwd=ROOT, check=False).returncode == 0


def test_nothing_that_is_told_shows_how_the_software_is_built():
    for code in EXAMPLES:
        assert not re.search(
            r"pydantic|Traceback|Decimal\(|NoneType|\bdict\b|\btuple\b|\bstr\b",
            provoke(FOLDERS / code),
        )
