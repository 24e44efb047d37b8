"""Hands due work to the queue: woken by the commits that ask for it, and looking by itself too."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from redis.exceptions import RedisError

from service.database.connections import connect_plainly, transaction
from service.jobs import loops
from service.jobs.crashpoints import crashpoint
from service.jobs.outgoing import mark_due, unmark
from service.jobs.queueing import connect, open_queue, push

if TYPE_CHECKING:
    from rq import Queue

    from service.bootstrap import Service

CHANNEL = "zenops_operations"
#: More than this never waits in the queue: what is there cannot be taken back, or be put in order.
WINDOW = 200
_BATCH = 50
# The window is full: workers need a moment, not a whole period.
_FULL_WAIT_S = 0.1
# How long a wait may go on before the event that ends the process is looked at.
_NOTICE_S = 0.5

log = structlog.get_logger("zenops.jobs")


def run(service: Service) -> None:
    """Dispatch until SIGTERM or SIGINT."""
    run_dispatcher(service, loops.stop_on_signals())


def run_dispatcher(service: Service, stop: threading.Event) -> None:
    """Dispatch until the event is set. As many dispatchers may run as one likes."""
    with contextlib.closing(connect(service.settings.redis_url)) as valkey:
        queue = open_queue(valkey)
        with _listening(service) as wait_for_notice:

            def one_round() -> float:
                if dispatch(service, queue) == WINDOW:
                    return _FULL_WAIT_S
                wait_for_notice(service.settings.dispatch_seconds, stop)
                return 0

            loops.go_round("dispatcher", one_round, stop)


def dispatch(service: Service, queue: Queue) -> int:
    """Mark what is due, commit, push; until nothing is due or the queue is full.

    Returns:
        How many copies wait in the queue, `WINDOW` at most counted.
    """
    while True:
        # Asked first: while Valkey is away nothing is marked.
        waiting = queue.count
        if waiting >= WINDOW:
            return WINDOW
        with transaction(service.engine, role="zen_system") as connection:
            marked = mark_due(connection, limit=min(_BATCH, WINDOW - waiting))
        if not marked:
            return waiting
        crashpoint("dispatcher-before-push")
        try:
            push(queue, marked)
        except RedisError:
            # Whether it arrived is not known; if it did, its generation is one that never runs.
            with transaction(service.engine, role="zen_system") as connection:
                unmark(connection, marked)
            raise
        crashpoint("dispatcher-after-push")
        log.info("dispatcher.sent", operations=[one.job_id for one in marked])


@contextlib.contextmanager
def _listening(service: Service) -> Iterator[Callable[[float, threading.Event], None]]:
    """A function that waits until a commit asks for work, a time is over, or the process ends.

    It keeps a connection of its own, and makes another when that one is gone; it is listening
    before it returns for the first time, so that no notice is missed between looking and waiting.
    """
    held: list[psycopg.Connection[Any]] = []

    def wait(seconds: float, stop: threading.Event) -> None:
        if not held:
            connection = connect_plainly(
                service.settings.jobs_database_url,
                statement_seconds=service.settings.statement_seconds,
            )
            held.append(connection)
            connection.execute(f"listen {CHANNEL}")
            return
        try:
            left = seconds
            while left > 0 and not stop.is_set():
                part = min(left, _NOTICE_S)
                if list(held[0].notifies(timeout=part, stop_after=1)):
                    return
                left -= part
            # Nobody else would find out that no notice can come any more.
            held[0].execute("select 1")
        except psycopg.Error:
            held.pop().close()
            # The others went the same way; each would be waited for by itself.
            service.engine.dispose()

    try:
        yield wait
    finally:
        for connection in held:
            connection.close()
