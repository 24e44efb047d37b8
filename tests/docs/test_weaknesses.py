"""The page of the original's weaknesses has a row for each, and names tests that there are."""

import ast
import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/weaknesses-of-the-original.md").read_text(encoding="utf-8")
ROWS = {
    title: [line.strip("| ").split(" | ") for line in re.findall(r"^\| \d.*$", part, re.MULTILINE)]
    for title, part in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE)
}
#: Those that the issues of the service and of billing name.
NUMBERS = [2, 11, 14, *range(17, 62), 63]
NAMED = sorted(set(re.findall(r"`(tests/[\w./]+)::(\w+)`", PAGE)))


def test_every_number_and_class_has_its_row():
    assert [int(row[0]) for row in ROWS["By number"]] == NUMBERS
    assert [int(row[0]) for row in ROWS["Classes of bugs"]] == list(range(1, 10))


def test_every_row_says_what_holds_and_names_a_test():
    for title, length in (("By number", 4), ("Classes of bugs", 3)):
        for row in ROWS[title]:
            assert len(row) == length, row
            assert re.fullmatch(r"(`tests/[\w./]+::\w+`(<br>)?)+", row[-1]), row


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_is_named_is_there(path):
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}

    assert {name for found, name in NAMED if found == path} <= functions
