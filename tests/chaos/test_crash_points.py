"""A process is killed at each named point; nothing is lost, nothing is doubled, and it is soon over."""

from __future__ import annotations

import pytest

from service.jobs.crashpoints import NAMES
from tests.chaos.oracle import faults, is_settled
from tests.chaos.world import BOUND_S, World, wait_until

pytestmark = pytest.mark.campaign

OWNERS = {
    "dispatcher-before-push": "dispatcher",
    "dispatcher-after-push": "dispatcher",
    "worker-after-dequeue": "worker",
    "job-after-lease": "worker",
    "job-before-program": "worker",
    "job-after-program": "worker",
    "object-after-write": "worker",
    "object-after-rename": "worker",
    "job-before-commit": "worker",
    "job-after-commit": "worker",
}


@pytest.mark.parametrize(("point", "owner"), OWNERS.items())
def test_killed_at_a_point(point: str, owner: str, world: World) -> None:
    target = ("self", "parent", "group")[NAMES.index(point) % 3] if point[0] in "jo" else "self"
    for role in ("dispatcher", "worker", "reaper"):
        if role == owner:
            world.start(role, crash_at=point, target=target)
        else:
            world.start(role)
    committed = world.ask(5)
    wait_until(world.has_crashed, BOUND_S, f"a crash at {point}")

    took = wait_until(lambda: is_settled(world, 5), BOUND_S, "all is done")

    print(f"{point} {target}: settled after {took:.1f} s")
    assert faults(world, committed) == []
