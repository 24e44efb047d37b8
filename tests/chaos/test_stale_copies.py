"""A worker that was paused past its lease wakes up and writes nothing; two schedulers are like one.

And the other way round: without the fence, the keys or the reaper, the oracle says so. A suite that
never turns red proves nothing.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.chaos.forking import children_of, is_alive
from tests.chaos.oracle import faults, is_settled
from tests.chaos.size import IS_FULL, repeated
from tests.chaos.test_crash_points import tick_faults
from tests.chaos.world import BOUND_S, World, wait_until

pytestmark = pytest.mark.campaign


def pause_past_its_lease(world: World, *, whole: bool, without: str | None = None) -> None:
    """Pause a work-horse before its effect until another has done the work, then let it go on.

    Args:
        world: with nothing running.
        whole: pause the worker as well, as when a machine is suspended.
        without: what the processes are to do without.
    """
    world.start_all(["dispatcher", "reaper"])
    first = world.start("worker", without=without)
    world.ask(1, late=0.6)
    wait_until(
        lambda: world.query("select 1 from operations where step = 'storing'"),
        BOUND_S,
        "the work has begun",
    )
    (horse,) = children_of(first.pid)
    paused = [first.pid, horse] if whole else [horse]
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    world.start("worker", without=without)
    wait_until(lambda: is_settled(world, 1), BOUND_S, "another worker has done it")
    # On busy cores the second copy may lose a lease of a second as well.
    ((generation,),) = world.query("select generation from counting.effects")
    assert generation > 1
    for pid in paused:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not is_alive(horse), BOUND_S, "the paused work-horse has ended")


@repeated
@pytest.mark.parametrize("whole", [False, True] if IS_FULL else [True])
def test_a_paused_copy_wakes_up_and_writes_nothing(whole: bool, world: World) -> None:
    pause_past_its_lease(world, whole=whole)

    (row,) = world.query("select operation_id, status, generation from operations")
    assert row.status == "done"
    assert faults(world, [row.operation_id]) == []
    (first, *_, last) = world.query(
        "select generation, outcome from operation_attempts order by generation"
    )
    assert (first, last) == ((1, "fenced"), (row.generation, "done"))


def test_two_schedulers_do_each_turn_once(world: World) -> None:
    world.start_all(["dispatcher", "worker", "reaper", "scheduler", "scheduler"])
    wait_until(
        lambda: len(world.query("select 1 from ticks where task = 'test.round'")) >= 4,
        BOUND_S,
        "four turns",
    )
    world.stop("scheduler")
    wait_until(lambda: is_settled(world, 4), BOUND_S, "all is done")

    assert tick_faults(world) == []
    assert faults(world, []) == []


def test_without_the_fence_the_oracle_is_red(world: World) -> None:
    pause_past_its_lease(world, whole=False, without="fence")

    assert any("2 effects" in fault for fault in faults(world, []))


def test_without_the_key_of_a_tick_the_oracle_is_red(world: World) -> None:
    world.execute("alter table ticks drop constraint ticks_pkey")
    world.execute("alter table operations drop constraint operations_tenant_id_operation_key_key")
    try:
        world.start_all(["dispatcher", "worker", "reaper", *["scheduler"] * 3])
        wait_until(lambda: tick_faults(world) and doubled(world), BOUND_S, "turns are doubled")
        world.stop("scheduler")

        assert any("doubled" in fault for fault in tick_faults(world))
        assert any("several rows" in fault for fault in faults(world, []))
    finally:
        world.rest()
        world.clear()
        world.execute(
            "alter table operations add constraint operations_tenant_id_operation_key_key"
            " unique (tenant_id, operation_key)"
        )
        world.execute("alter table ticks add constraint ticks_pkey primary key (task, slot)")


def doubled(world: World) -> bool:
    return bool(world.query("select 1 from operations group by operation_key having count(*) > 1"))


def test_without_the_reaper_the_oracle_is_red(world: World) -> None:
    world.start("dispatcher")
    world.start("worker", crash_at="job-after-lease", target="group")
    committed = world.ask(2)
    wait_until(world.has_crashed, BOUND_S, "a crash of worker and work-horse")

    with pytest.raises(AssertionError, match="not within"):
        wait_until(lambda: is_settled(world, 2), 6, "all is done")
    assert any("is running after 1 attempts" in fault for fault in faults(world, committed))

    # And with it, all is well again.
    world.start("reaper")
    wait_until(lambda: is_settled(world, 2), BOUND_S, "all is done")
    assert faults(world, committed) == []


def test_the_wait_between_two_looks_is_short() -> None:
    """Times in this file are measured with it."""
    began = time.monotonic()
    wait_until(lambda: True, 1, "nothing")
    assert time.monotonic() - began < 0.05
