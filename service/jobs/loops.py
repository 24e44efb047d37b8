"""The life of a process that goes round for ever: it ends when asked, and outlives its servers.

PostgreSQL and Valkey may go away and come back. A round that fails is told once, and the next one
comes after a wait that grows to a few seconds; nothing of a round stays behind in memory.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

import psycopg
import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.jobs.failures import place

LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S = 0.2
# From here on every wait is the longest one; the power of a day's failures is no number any more.
_DOUBLINGS = 10
#: What a server that is away, restarting or slow raises; anything else, a statement that the
#: database refuses too, is a fault of ours.
AWAY = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    RedisError,
    OSError,
)

log = structlog.get_logger("zenops.jobs")


def stop_on_signals(stop: threading.Event | None = None) -> threading.Event:
    """An event that SIGTERM or SIGINT sets; for a process's main thread."""
    stop = stop or threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def go_round(name: str, one_round: Callable[[], float], stop: threading.Event) -> None:
    """Repeat a round until told to stop.

    Args:
        name: of the process, for the log.
        one_round: does what is to be done, and returns how many seconds to wait then.
        stop: ends the loop, also while it waits.
    """
    failures = 0
    told = log.bind(process=name)
    told.info("process.started")
    while not stop.is_set():
        try:
            wait = one_round()
        except AWAY as error:
            wait = min(_FIRST_WAIT_S * 2 ** min(failures, _DOUBLINGS), LONGEST_WAIT_S)
            failures += 1
            told.warning("round.server_away", error=type(error).__name__, again_in=round(wait, 1))
        except Exception as error:  # noqa: BLE001 - one bad row must not end the process
            wait = LONGEST_WAIT_S
            failures += 1
            told.error("round.fault", error=type(error).__name__, at=place(error))
        else:
            failures = 0
        stop.wait(wait)
    told.info("process.stopped")
