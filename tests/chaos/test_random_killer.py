"""Any process is killed at any moment, again and again, with hundreds of operations under way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import pytest

from tests.chaos.forking import children_of
from tests.chaos.oracle import faults, is_settled
from tests.chaos.size import IS_FULL, SIZE
from tests.chaos.test_crash_points import tick_faults
from tests.chaos.world import BOUND_S, World, note_recovery, wait_until

pytestmark = pytest.mark.campaign

ROLES = [
    "dispatcher",
    "dispatcher",
    "worker",
    "worker",
    "reaper",
    "reaper",
    "scheduler",
    "scheduler",
]


def test_whoever_is_killed_whenever_nothing_is_lost_and_nothing_doubled(world: World) -> None:
    chance = random.Random(int(os.environ.get("ZENOPS_CHAOS_SEED", "1")))  # noqa: S311 - a seed that can be named again
    world.start_all(ROLES)
    batches = 10 if IS_FULL else 3
    committed = []
    killed = 0
    until = time.monotonic() + SIZE.killer_seconds
    for batch in range(batches):
        committed += world.ask(
            SIZE.killer_operations // batches, prefix=str(batch), late=chance.uniform(0, 0.3)
        )
        while time.monotonic() < until - SIZE.killer_seconds * (batches - 1 - batch) / batches:
            time.sleep(chance.uniform(0.2, 2))
            victim = chance.choice(world.kept).pid
            family = [victim, *children_of(victim)]
            # One of a worker and its work-horse, or both.
            chosen = chance.choice([[chance.choice(family)], family])
            for pid in chosen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
    world.stop("scheduler")

    took = wait_until(
        lambda: is_settled(world, len(committed)), 4 * BOUND_S, "all that was asked for is done"
    )

    note_recovery(f"random-killer {killed} killed, {len(committed)} operations", took)
    assert faults(world, committed) == []
    assert tick_faults(world) == []
