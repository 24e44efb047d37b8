"""The points where tests kill processes: each passed somewhere, and harmless elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.jobs.crashpoints import NAMES, crashpoint
from service.settings import read_settings

SERVICE = Path(__file__).parents[3] / "service"


def test_the_service_passes_each_of_them():
    passed = {
        name
        for path in SERVICE.rglob("*.py")
        for name in re.findall(r'crashpoint\("([a-z-]+)"\)', path.read_text())
    }
    # A job passes these where it starts a program; which job does is its own matter.
    assert passed == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_a_point_that_is_not_named_is_refused():
    with pytest.raises(ValueError, match="no crash point"):
        crashpoint("somewhere")


def crash(tmp_path, **environ):
    """How often a process comes past the point that it passes twice, and how it ends."""
    code = (
        "from service.jobs.crashpoints import crashpoint\n"
        "for _ in range(2):\n    crashpoint('job-after-lease')\n    print('past', flush=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "ZENOPS_CRASH_MARKER": str(tmp_path / "m"), **environ},
        cwd=SERVICE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.count("past"), ended.returncode


def test_an_armed_point_kills_once(tmp_path):
    armed = {"ZENOPS_MODE": "test", "ZENOPS_CRASH_AT": "job-after-lease"}

    assert crash(tmp_path, **armed) == (0, -9)
    assert crash(tmp_path, **armed) == (2, 0)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"ZENOPS_MODE": "test"},
        {"ZENOPS_MODE": "test", "ZENOPS_CRASH_AT": "job-after-commit"},
        {"ZENOPS_MODE": "development", "ZENOPS_CRASH_AT": "job-after-lease"},
        {"ZENOPS_MODE": "production", "ZENOPS_CRASH_AT": "job-after-lease"},
        {"ZENOPS_CRASH_AT": "job-after-lease"},
    ],
)
def test_a_point_that_is_not_armed_in_a_test_does_nothing(environ, tmp_path):
    assert crash(tmp_path, **environ) == (2, 0)


def test_production_does_not_start_with_an_armed_point():
    _, problems = read_settings({"ZENOPS_MODE": "production", "ZENOPS_CRASH_AT": "job-after-lease"})

    assert any(problem.startswith("ZENOPS_CRASH_AT") for problem in problems)
