"""One process of the service, as `zenops-service` runs it, with the tests' kinds of jobs on its list.

    python -m tests.chaos.process worker

A second argument takes something away, to see that the suite would notice: `fence`.
"""

from __future__ import annotations

import importlib
import os
import sys

from sqlalchemy import text

from service.bootstrap import make_service
from service.jobs import job
from service.settings import read_settings
from service.telemetry.logs import configure_logs
from tests.chaos import work


def main(role: str, without: str | None = None) -> None:
    settings, problems = read_settings(os.environ, logins=("jobs",))
    assert settings is not None, problems
    configure_logs(settings, role)
    work.allow()
    if without == "fence":
        # An effect that asks nothing: whoever comes last commits as well.
        job.FENCE = text("select 1")
    importlib.import_module(f"service.jobs.{role}").run(make_service(settings, "jobs"))


if __name__ == "__main__":
    main(*sys.argv[1:])
