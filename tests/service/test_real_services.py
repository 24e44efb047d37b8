"""What the tests of the service themselves are: on real services, and none of them is left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
#: What stands in for a database, a queue or a library.
DOUBLES = {"mock", "unittest", "fakeredis", "pytest_mock", "sqlite3", "responses", "moto"}
LEFT_OUT = {"skip", "skipif", "xfail", "importorskip"}


def _nodes() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(HERE.rglob("*.py")):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(HERE).as_posix(), node


def test_weakness_60_no_test_of_the_service_has_a_double_of_what_it_runs_on() -> None:
    """There, tests ran on hand-written doubles of the database."""
    found = set()
    for name, node in _nodes():
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        else:
            continue
        found |= {(name, one) for one in modules if one.partition(".")[0] in DOUBLES}

    # It makes three functions fail, to see what a failure writes into the log.
    assert found == {("privacy/canary_requests.py", "unittest.mock")}


def test_weakness_60_no_test_of_the_service_is_left_out() -> None:
    """There, those of row-level security were, unless a variable was set."""
    found = {
        name for name, node in _nodes() if isinstance(node, ast.Attribute) and node.attr in LEFT_OUT
    }

    assert found == set()
