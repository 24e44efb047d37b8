"""One world for all tests of a run that kill processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from service.bootstrap import Service, make_service
from service.identifiers import new_id
from service.jobs.registry import KINDS
from service.local_services import scratch_folder
from service.settings import read_settings
from tests.chaos import work
from tests.chaos.size import IS_FULL
from tests.chaos.world import World, made_world
from tests.service.conftest import User


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
    folder = scratch_folder()
    try:
        with made_world(folder, tmp_path_factory.mktemp("chaos") / "log") as world:
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kinds_of_tests(monkeypatch: Any) -> None:
    for name, kind in work.KINDS_OF_TESTS.items():
        monkeypatch.setitem(KINDS, name, kind)


@pytest.fixture
def world(one_world: World, kinds_of_tests: None) -> Iterator[World]:  # noqa: ARG001 - for what it does
    """The world, with nothing under way and nothing running."""
    one_world.rest()
    one_world.clear()
    yield one_world
    one_world.rest()


@pytest.fixture(autouse=True)
def repeat(request: Any) -> int:
    """Which repeat of a repeated test this is."""
    return int(getattr(request, "param", 0))


@pytest.fixture(scope="session")
def firm_world(tmp_path_factory: Any) -> Iterator[World]:
    """A world of its own: packs stay for ever, and the other tests begin with nothing."""
    folder = scratch_folder()
    try:
        with made_world(folder, tmp_path_factory.mktemp("packs") / "log") as world:
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valuer(firm_world: World) -> User:
    user = User(new_id(), firm_world.tenant_id, "u@specimen.test", "", ("super_admin",))
    firm_world.execute(
        "insert into firm_settings (tenant_id, updated_at) values (:tenant, now())",
        tenant=user.tenant_id,
    )
    firm_world.execute(
        "insert into users (user_id, email, name, created_at)"
        " values (:user, :email, 'Specimen Person', now())",
        user=user.user_id,
        email=user.email,
    )
    return user


@pytest.fixture(scope="session")
def web(firm_world: World) -> Iterator[Service]:
    settings, problems = read_settings(firm_world.environ(), logins=("api",))
    assert settings is not None, problems
    made = make_service(settings, "api")
    yield made
    made.engine.dispose()
    made.redis.close()
