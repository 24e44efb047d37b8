"""The queue and the database themselves are emptied, killed and started again under full work."""

from __future__ import annotations

import contextlib
import time

import pytest
import redis

from service.local_services import start_postgres, start_valkey
from tests.chaos.oracle import faults, is_settled
from tests.chaos.size import SIZE
from tests.chaos.world import (
    BOUND_S,
    STORE_BOUND_S,
    World,
    note_recovery,
    server_answers,
    wait_until,
)

pytestmark = pytest.mark.campaign

EVERYBODY = ["dispatcher", "dispatcher", "worker", "worker", "reaper", "reaper"]


def test_the_queue_is_emptied_again_and_again(world: World) -> None:
    world.start_all(EVERYBODY)
    committed = world.ask(40, late=0.1)
    with contextlib.closing(redis.Redis.from_url(world.valkey.url)) as valkey:
        for _ in range(3 * SIZE.repeats):
            time.sleep(0.4)
            valkey.flushall()

    took = wait_until(lambda: is_settled(world, 40), STORE_BOUND_S, "all is done")

    note_recovery("queue-emptied all", took)
    assert faults(world, committed) == []


def test_the_queue_is_killed_and_comes_back_empty(world: World) -> None:
    world.start_all(EVERYBODY)
    committed = world.ask(30, late=0.1)
    for _ in range(SIZE.repeats):
        time.sleep(0.5)
        world.valkey.stop(immediate=True)
        time.sleep(0.5)
        for path in world.valkey.folder.rglob("appendonly*"):
            if path.is_file():
                path.unlink()
        world.valkey = start_valkey(world.valkey.folder, durable=False)

    took = wait_until(lambda: is_settled(world, 30), STORE_BOUND_S, "all is done")

    note_recovery("queue-killed all", took)
    assert faults(world, committed) == []


def test_the_database_stops_as_after_a_power_cut(world: World) -> None:
    world.start_all(EVERYBODY)
    # What was committed has to last: these operations, this time, on a server that keeps its word.
    world.postgres.stop()
    world.postgres = start_postgres(world.postgres.folder, durable=True)
    wait_until(lambda: server_answers(world), BOUND_S, "the database answers")
    committed = world.ask(30, late=0.1)
    for _ in range(SIZE.repeats):
        time.sleep(0.8)
        world.postgres.stop(immediate=True)
        time.sleep(0.5)
        world.postgres = start_postgres(world.postgres.folder, durable=True)

    took = wait_until(lambda: is_settled(world, 30), STORE_BOUND_S, "all is done")

    note_recovery("database-stopped all", took)
    assert faults(world, committed) == []
