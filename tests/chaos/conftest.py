"""One world for all tests of a run that kill processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.jobs.registry import KINDS
from service.local_services import scratch_folder
from tests.chaos import work
from tests.chaos.world import World, made_world


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
