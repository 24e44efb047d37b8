"""One world for all tests of a run that kill processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.jobs.registry import KINDS
from service.local_services import scratch_folder
from tests.chaos import work
from tests.chaos.size import IS_FULL
from tests.chaos.world import World, made_world


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """After a full run: how long recoveries took, worst first, for docs/jobs.md."""
    if not IS_FULL:
        return
    took: dict[str, list[float]] = {}
    for report in terminalreporter.getreports("passed"):
        for line in report.capstdout.splitlines():
            if line.startswith("recovered "):
                after, _, seconds = line.removeprefix("recovered ").rpartition(" ")
                took.setdefault(after, []).append(float(seconds))
    terminalreporter.section("recoveries, seconds at most")
    for after, times in sorted(took.items(), key=lambda one: -max(one[1])):
        terminalreporter.write_line(f"{max(times):6.2f}  {after} ({len(times)})")


@pytest.fixture(scope="session")
def one_world(tmp_path_factory: Any) -> Iterator[World]:
    import shutil

    folder = scratch_folder()
    try:
        with made_world(folder, tmp_path_factory.mktemp("chaos") / "log") as world:
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def world(one_world: World, monkeypatch: Any) -> Iterator[World]:
    """The world, with nothing under way and nothing running."""
    for name, kind in work.KINDS_OF_TESTS.items():
        monkeypatch.setitem(KINDS, name, kind)
    one_world.rest()
    one_world.clear()
    yield one_world
    one_world.rest()


@pytest.fixture(autouse=True)
def repeat(request: Any) -> int:
    """Which repeat of a repeated test this is."""
    return int(getattr(request, "param", 0))
