"""Times of rivals taken in turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: what was measured against what, and how often its time it may take.

    `limit` is None for a row that is only told.
    """

    ours: str
    seconds: float
    rival: str
    rival_seconds: float
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """Our time in times of the rival's."""
        return self.seconds / self.rival_seconds

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; true without one."""
        return self.limit is None or self.ratio <= self.limit


def best_times(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    span: float,
    before: Callable[[], object] | None = None,
) -> dict[str, float]:
    """The best time of each, in seconds for one call.

    Args:
        contestants: what to call, by name.
        rounds: how often everyone has a turn.
        span: seconds that a turn should last; at least one call is made.
        before: called before each turn, outside of its time.
    """
    calls = {name: _calls_within(span, run) for name, run in contestants.items()}
    best = dict.fromkeys(contestants, float("inf"))
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contestants.items():
                if before is not None:
                    before()
                best[name] = min(best[name], _timed(run, calls[name]) / calls[name])
            gc.collect()
    finally:
        if collects:
            gc.enable()
    return best


def _calls_within(span: float, run: Callable[[], object]) -> int:
    run()  # the first call fills caches
    return max(1, int(span / max(_timed(run, 1), 1e-7)))


def _timed(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start
