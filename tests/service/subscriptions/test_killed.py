"""A sweep that is killed in the middle loses no refill and doubles none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from tests.service.subscriptions.conftest import Books

PROGRAM = """
import os, sys
from uuid import UUID
from service import clock
from service.actor import Actor
from service.bootstrap import make_service
from service.database.connections import transaction
from service.settings import read_settings
from service.subscriptions import sweeping

settings, problems = read_settings(os.environ, logins=("jobs",))
assert settings is not None, problems
service, firm = make_service(settings, "jobs"), UUID(sys.argv[1])
begin = lambda tenant: transaction(service.engine, role="zen_worker", tenant_id=tenant)
actor = Actor(firm, None, "worker", frozenset(), "sweep", "r")
at = clock.now()
with begin(firm) as connection:
    found = sweeping.due(connection, at, tenant_id=firm)
sweeping.sweep(found, begin, lambda _: actor, at=at)
"""


def _sweep(settings: Settings, books: Books, tmp_path: Path, point: str) -> int:
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "ZENOPS_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "JOBS_DATABASE_URL": settings.jobs_database_url,
        "REDIS_URL": settings.redis_url,
        "ZENOPS_OBJECTS_URL": settings.objects_url,
        "ZENOPS_SECRET_KEY": settings.secret_key,
        "ZENOPS_STATE_FOLDER": str(settings.state_folder),
        "ZENOPS_CRASH_AT": point,
        "ZENOPS_CRASH_MARKER": str(tmp_path / "marker"),
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(books.firm_id)],
        env=environ, check=False, timeout=60, cwd=Path(__file__).parents[3],
    ).returncode  # fmt: skip


@pytest.mark.parametrize(
    ("point", "done_before"), [("refill-before-commit", 0), ("refill-after-commit", 1)]
)
def test_a_sweep_killed_in_the_middle_is_made_up_for_by_the_next(
    point: str, done_before: int, books: Books, settings: Settings, tmp_path: Path
) -> None:
    some: list[Any] = [books.subscribed() for _ in range(3)]
    owing = books.subscribed(price=500)

    assert _sweep(settings, books, tmp_path, point) == -signal.SIGKILL
    begun = sum(len(books.periods(one)) for one in (*some, owing))
    assert begun == done_before

    assert _sweep(settings, books, tmp_path, point) == 0
    books.sweep()

    assert [len(books.periods(one)) for one in (*some, owing)] == [1, 1, 1, 1]
    assert [books.wallet(one) for one in some] == [5, 5, 5]
    assert [len(books.grants(one)) for one in some] == [1, 1, 1]
    assert books.wallet(owing) == 0
