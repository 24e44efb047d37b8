"""One process of the service, as `zenops-service` runs it, with the tests' kinds of jobs on its list.

`without` takes something away, to see that the suite would notice.
"""

from __future__ import annotations

import importlib
import os
from datetime import timedelta

from sqlalchemy import text

from service.bootstrap import make_service
from service.jobs import job, loops, scheduler
from service.jobs.tasks import Task, seal_audit
from service.settings import read_settings
from service.telemetry.logs import configure_logs
from tests.chaos import work

#: What comes round in these tests: a job for each firm each second, none of them left out.
ROUND = Task("test.round", timedelta(seconds=1), kind="test.write", missed="each")
TASKS = (ROUND, Task("audit.seal", timedelta(seconds=1), run=seal_audit, claim_seconds=2))


def main(role: str, without: str | None = None) -> None:
    """Run a process until it is asked to end, or killed."""
    work.allow()
    if role == "web":
        _serve_web()
        return
    settings, problems = read_settings(os.environ, logins=("jobs",))
    assert settings is not None, problems
    configure_logs(settings, role)
    if without == "fence":
        # An effect that asks nothing: whoever comes last commits as well.
        job.FENCE = text("select 1")
    service = make_service(settings, "jobs")
    if role == "scheduler":
        scheduler.run_scheduler(service, loops.stop_on_signals(), TASKS)
    else:
        importlib.import_module(f"service.jobs.{role}").run(service)


def _serve_web() -> None:
    """The API as gunicorn serves it: when its worker is killed, it starts another."""
    from gunicorn.app.base import BaseApplication

    from service.wsgi import application

    class Web(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            self.cfg.set("bind", f"unix:{os.environ['ZENOPS_TEST_SOCKET']}")
            self.cfg.set("workers", 1)
            self.cfg.set("threads", 8)
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("control_socket_disable", True)
            self.cfg.set("loglevel", "warning")

        def load(self) -> object:
            return application()

    Web().run()
