"""Tests of the optional matcher; without durable-rules they are not collected."""

from importlib.util import find_spec

import pytest

from tests.rules.conftest import ROOT, read_catalogue

_INSTALLED = find_spec("durable_rules_engine") is not None

collect_ignore_glob = [] if _INSTALLED else ["test_*.py"]


def pytest_terminal_summary(terminalreporter):
    if not _INSTALLED:
        terminalreporter.write_line(
            "tests/durable was left out: durable-rules is not installed (make test-durable does it)"
        )


@pytest.fixture(scope="session")
def shipped():
    catalogue, problems = read_catalogue(ROOT / "rules")

    assert problems == ""

    return catalogue
