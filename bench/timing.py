"""Times of rivals taken in turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: what was measured against what, and how often its time it may take.

    Times are seconds for one call, turn by turn. `limit` is None for a row that is only told.
    """

    ours: str
    times: Sequence[float]
    rival: str
    rival_times: Sequence[float]
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """Our best time in times of the rival's: what both need when nothing else disturbs them."""
        return min(self.times) / min(self.rival_times)

    @property
    def usual_ratio(self) -> float:
        """The median of the ratios of neighbouring turns, whatever else the machine did then."""
        return median(
            ours / theirs for ours, theirs in zip(self.times, self.rival_times, strict=True)
        )

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; true without one."""
        return self.limit is None or self.ratio <= self.limit


def take_turns(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    span: float,
    before: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """The times of each, in seconds for one call, one for each round.

    Args:
        contestants: what to call, by name.
        rounds: how often everyone has a turn.
        span: seconds that a turn should last; at least one call is made.
        before: called before each turn, outside of its time.
    """
    calls = {name: _calls_within(span, run) for name, run in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contestants.items():
                if before is not None:
                    before()
                times[name].append(_timed(run, calls[name]) / calls[name])
            gc.collect()
    finally:
        if collects:
            gc.enable()
    return times


def _calls_within(span: float, run: Callable[[], object]) -> int:
    run()  # the first call fills caches
    return max(1, int(span / max(_timed(run, 1), 1e-7)))


def _timed(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start
