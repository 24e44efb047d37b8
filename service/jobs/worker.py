"""A worker process: takes copies from the queue one by one, each in a work-horse of its own.

RQ is used for what it is good at: blocking on one queue, forking, waiting for the child, stopping
in good order. What it must not do is switched off here: it runs one function only, takes no
commands from Valkey, and decides nothing about retries.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from rq import Worker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from service.database.connections import transaction
from service.jobs import loops, registry, running
from service.jobs.crashpoints import crashpoint
from service.jobs.failures import end_attempt, place
from service.jobs.loops import AWAY
from service.jobs.queueing import NotAllowed, OperationJob, connect, open_queue, operation_of

if TYPE_CHECKING:
    from rq.executions import Execution
    from rq.job import Job
    from rq.queue import Queue

    from service.bootstrap import Service

#: RQ forgets a worker after so long, and a blocking read lasts 15 seconds less.
WORKER_TTL_S = 30
#: How often one of the workers tidies RQ's own lists.
MAINTENANCE_S = 60
KILLED = "The process that did the work was killed."

log = structlog.get_logger("zenops.jobs")


class OperationWorker(Worker):
    """RQ's worker, for operations alone."""

    # A server that restarts is back in a second.
    max_connection_wait_time = 2.0

    def __init__(self, service: Service, stop: threading.Event, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.service = service
        self.stop = stop

    def subscribe(self) -> None:
        """Take no commands: they could end jobs, and forking beside a thread of RQ's is unsafe."""

    def unsubscribe(self) -> None:
        """There is nothing that was subscribed to."""

    def request_stop(self, signum: Any, frame: Any) -> None:
        """End after the job under way, and do not begin anew."""
        self.stop.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        if self.stop.is_set():
            # Asked before RQ listened.
            self._stop_requested = True

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Have a work-horse run a job."""
        crashpoint("worker-after-dequeue")
        super().execute_job(job, queue)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """What the child does: with connections of its own, not the parent's."""
        self.service.engine.dispose(close=False)
        running.PROCESS.may_be_ended = True
        super().main_work_horse(job, queue)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Tell Valkey that the job is alive; if it is away, the child goes on all the same."""
        with contextlib.suppress(RedisError):
            super().maintain_heartbeats(job, execution)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Tell why a job did not begin; without its arguments and its traceback."""
        error = exc_info[1]
        told = log.bind(job=job.id, error=type(error).__name__, at=place(error))
        if isinstance(error, AWAY):
            told.warning("worker.server_away")
        else:
            # Not ours: somebody has written to the queue who should not be able to.
            told.error("worker.refused")

    def handle_work_horse_killed(self, job: Job, retpid: Any, ret_val: Any, rusage: Any) -> None:  # noqa: ARG002 - RQ's
        """A killed child's operation is free at once: its lease need not run out."""
        log.warning("worker.child_killed", job=job.id, status=ret_val)
        with contextlib.suppress(SQLAlchemyError, NotAllowed):
            release(self.service, job)
        # The next child makes connections of its own.
        self.service.engine.dispose()


def release(service: Service, job: Job) -> None:
    """End the attempt of a work-horse that is dead for certain.

    Raises:
        NotAllowed: the job was no operation.
    """
    tenant_id, operation_id, generation = operation_of(job)
    with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
        end_attempt(
            connection,
            tenant_id=tenant_id,
            operation_id=operation_id,
            generation=generation,
            reason=KILLED,
            outcome="lost",
        )


def run(service: Service) -> None:
    """Work until SIGTERM or SIGINT; the job under way is finished first, if there is time."""
    registry.load()
    # What is loaded by now stays as it is: a collection in a child need not copy its pages.
    gc.collect()
    gc.freeze()
    running.PROCESS.service = service
    stop = loops.stop_on_signals()
    loops.go_round("worker", lambda: _work(service, stop), stop)


def _work(service: Service, stop: threading.Event) -> float:
    """Work until RQ's loop ends: because it was asked to, or because Valkey went away."""
    loops.stop_on_signals(stop)
    # What is asked of a first connection, and made of a first statement, is done with now, and not
    # by every work-horse: this lease is nobody's.
    running.take_lease(service, UUID(int=0), UUID(int=0), 0)
    service.engine.dispose()
    with contextlib.closing(connect(service.settings.redis_url)) as valkey:
        worker = OperationWorker(
            service,
            stop,
            [open_queue(valkey)],
            connection=valkey,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=MAINTENANCE_S,
            job_class=OperationJob,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        worker.log.addFilter(_without_traceback)
        worker.work(logging_level="WARNING")
    return 0.2


def _without_traceback(record: logging.LogRecord) -> bool:
    """RQ's own messages say enough; what a traceback quotes is not for the log."""
    record.exc_info = record.exc_text = None
    return True
