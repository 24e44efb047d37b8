"""The life of a process that goes round for ever: it ends when asked, and outlives its servers.

PostgreSQL and Valkey may go away and come back. A round that fails is told once, and the next one
comes after a wait that grows to a few seconds; nothing of a round stays behind in memory.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S = 0.2
#: What a server that is away, restarting or slow raises; anything else is a fault of ours.
AWAY = (SQLAlchemyError, RedisError, OSError)

log = structlog.get_logger("zenops.jobs")


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; for a process's main thread."""
    stop = threading.Event()

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
    log.info(f"{name}.started")
    while not stop.is_set():
        try:
            wait = one_round()
        except AWAY as error:
            wait = min(_FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S)
            failures += 1
            log.warning(f"{name}.round_failed", error=type(error).__name__, again_in=round(wait, 1))
        except Exception as error:  # noqa: BLE001 - one bad row must not end the process
            wait = LONGEST_WAIT_S
            failures += 1
            log.exception(f"{name}.fault", error=type(error).__name__)
        else:
            failures = 0
        stop.wait(wait)
    log.info(f"{name}.stopped")
