"""Takes back what was lost: copies that the queue forgot, and attempts whose worker is silent."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError
from sqlalchemy import text

from service.database.connections import transaction
from service.jobs import loops
from service.jobs.crashpoints import crashpoint
from service.jobs.failures import end_attempt, place
from service.jobs.outgoing import Outgoing, unmark
from service.jobs.queueing import connect, open_queue

if TYPE_CHECKING:
    from rq import Queue
    from sqlalchemy import Connection

    from service.bootstrap import Service

_BATCH = 500
#: An operation whose end cannot be written is looked at again after so long.
FAILED_END_S = 60
SILENT = "The worker fell silent; another one takes the work."

log = structlog.get_logger("zenops.jobs")

_SENT_LONG_AGO = text(
    "select tenant_id, operation_id, generation, kind from operations where status = 'sent'"
    " and sent_at < clock_timestamp() - make_interval(secs => :seconds)"
    " order by sent_at limit :limit"
)
_LEASE_OVER = text(
    "select tenant_id, operation_id, generation, kind from operations where status = 'running'"
    " and lease_until < clock_timestamp() order by lease_until limit :limit"
)
# Looked at once more with the row's lock held: its worker may just have been heard of.
_STILL_OVER = text(
    "select 1 from operations where tenant_id = :tenant and operation_id = :operation"
    " and generation = :generation and status = 'running' and lease_until < clock_timestamp()"
    " for update skip locked"
)
_LATER = text(
    "update operations set lease_until = clock_timestamp() + make_interval(secs => :seconds)"
    " where tenant_id = :tenant and operation_id = :operation"
    " and generation = :generation and status = 'running'"
)


def run(service: Service) -> None:
    """Reap until SIGTERM or SIGINT."""
    run_reaper(service, loops.stop_on_signals())


def run_reaper(service: Service, stop: threading.Event) -> None:
    """Reap until the event is set. As many reapers may run as one likes."""
    with contextlib.closing(connect(service.settings.redis_url)) as valkey:
        queue = open_queue(valkey)

        def one_round() -> float:
            reap_silent(service)
            with contextlib.suppress(RedisError):
                # Without Valkey nobody knows what waits there, and nothing could be sent again.
                reap_forgotten(service, queue)
            return service.settings.reaper_seconds

        loops.go_round("reaper", one_round, stop)


def reap_silent(service: Service) -> int:
    """Take back attempts whose lease is over; how many.

    Each is a transaction of its own: what one operation's end frees, or fails to free, is no
    matter of another's.
    """
    with transaction(service.engine, role="zen_system") as connection:
        silent = _outgoing(connection, _LEASE_OVER, {"limit": _BATCH})
    reaped = 0
    for one in silent:
        told = log.bind(operation=one.job_id, kind=one.kind)
        try:
            ended = _take_back(service, one)
        except loops.AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - the kind's own hook, which must not stop others
            told.error("reaper.end_failed", error=type(error).__name__, at=place(error))
            with transaction(service.engine, role="zen_system") as connection:
                connection.execute(_LATER, {**_names(one), "seconds": FAILED_END_S})
        else:
            reaped += ended is not None
            told.warning("reaper.silent", now=ended)
    return reaped


def _take_back(service: Service, one: Outgoing) -> str | None:
    """End a silent attempt; what its operation is now, or None if it is not silent any more."""
    with transaction(service.engine, role="zen_worker", tenant_id=one.tenant_id) as connection:
        if connection.execute(_STILL_OVER, _names(one)).first() is None:
            return None
        ended = end_attempt(
            connection,
            tenant_id=one.tenant_id,
            operation_id=one.operation_id,
            generation=one.generation,
            reason=SILENT,
            outcome="lost",
            # The lease was wait enough.
            wait=False,
        )
        crashpoint("reaper-before-commit")
    return ended


def _names(one: Outgoing) -> dict[str, object]:
    return {
        "tenant": one.tenant_id,
        "operation": one.operation_id,
        "generation": one.generation,
    }


def reap_forgotten(service: Service, queue: Queue) -> int:
    """Take back what was sent a lease ago, has not begun and is in the queue no more; how many.

    It does not count as an attempt: nothing of the work has been tried.
    """
    with transaction(service.engine, role="zen_system") as connection:
        seconds = service.settings.lease_seconds
        late = _outgoing(connection, _SENT_LONG_AGO, {"seconds": seconds, "limit": _BATCH})
    if not late:
        return 0
    # Read after the rows: what was late then and is not here now has left the queue.
    waiting = set(queue.get_job_ids())
    forgotten = [one for one in late if one.job_id not in waiting]
    with transaction(service.engine, role="zen_system") as connection:
        count = unmark(connection, forgotten)
    if count:
        log.warning("reaper.forgotten", operations=[one.job_id for one in forgotten])
    return count


def _outgoing(connection: Connection, query: object, values: dict[str, object]) -> list[Outgoing]:
    return [
        Outgoing(row.tenant_id, row.operation_id, row.generation, row.kind)
        for row in connection.execute(query, values)  # type: ignore[call-overload]
    ]
