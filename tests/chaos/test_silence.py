"""Servers that neither answer nor hang up: one that is paused, and one whose bytes never arrive."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.bootstrap import Service
from service.database.connections import PATIENCE
from tests.chaos.browser import Persistent
from tests.chaos.forking import children_of, is_alive
from tests.chaos.oracle import faults, is_settled
from tests.chaos.relay import Relay
from tests.chaos.size import SIZE, repeated
from tests.chaos.test_packs import PACK_BOUND_S, assert_whole
from tests.chaos.world import BOUND_S, STORE_BOUND_S, World, note_recovery, wait_until
from tests.service.conftest import User
from tests.service.packs.specimen import enter, read_specimen

pytestmark = pytest.mark.campaign

#: What a statement may take here, and how long the server's answer is waited for.
STATEMENT_S = 2
ANSWER_S = STATEMENT_S * PATIENCE
#: What is waited for at most: the answer under way, and one attempt to connect, each by the job
#: itself and by the thread that keeps its lease.
END_S = 2 * (ANSWER_S + STATEMENT_S)
#: What needs nothing of Valkey has its answer in so many seconds, and what needs it its refusal.
ANSWERED_S = 3.0
REFUSED_S = 5.0 + ANSWERED_S


@pytest.fixture
def relay(world: World) -> Iterator[Relay]:
    made = Relay(world.postgres.sockets / ".s.PGSQL.5432")
    yield made
    made.close()


def by_way_of(relay: Relay, world: World, seconds: int = STATEMENT_S) -> dict[str, str]:
    """The environment of a process that reaches PostgreSQL by the relay alone."""
    return {
        "JOBS_DATABASE_URL": relay.url(world.database.jobs_url),
        "ZENOPS_STATEMENT_SECONDS": str(seconds),
    }


@repeated
def test_a_worker_whose_database_falls_silent_is_replaced_and_ends_its_work(
    world: World, relay: Relay
) -> None:
    """One job is between two transactions, the other holds its row inside its effect."""
    world.start_all(["dispatcher", "reaper"])
    cut_off = [world.start("worker", differs=by_way_of(relay, world)) for _ in range(2)]
    committed = world.ask(1, prefix="between", late=1) + world.ask(1, prefix="inside", inside=0.6)
    wait_until(
        lambda: (
            len(world.query("select 1 from operations where step = 'storing'")) == 2
            and world.query(
                "select 1 from pg_stat_activity where usename = 'zen_jobs'"
                " and state = 'idle in transaction' and query like '%counting.effects%'"
            )
        ),
        BOUND_S,
        "one job is between two transactions, the other in its effect",
    )
    horses = [horse for one in cut_off for horse in children_of(one.pid)]
    assert len(horses) == 2
    relay.swallow(also_new=True)
    began = time.monotonic()
    replacement = world.start("worker")

    took = wait_until(lambda: is_settled(world, 2), BOUND_S, "another worker has done both")
    note_recovery("database-silent worker", took)
    left = BOUND_S + END_S - (time.monotonic() - began)
    wait_until(lambda: not any(map(is_alive, horses)), left, "both work-horses have ended")
    note_recovery("database-silent work-horse-ends", time.monotonic() - began)
    relay.go_on()

    # On busy cores the replacement may lose a lease of a second as well.
    (one,), (other,) = world.query("select generation from counting.effects")
    assert min(one, other) > 1
    # The workers themselves have not ended, and work again now that the way is free.
    world.stop(replacement)
    committed += world.ask(2, prefix="again")
    wait_until(lambda: is_settled(world, 4), BOUND_S, "the same workers work again")
    assert [one.starts for one in cut_off] == [1, 1]
    assert faults(world, committed) == []


@repeated
def test_what_arrives_after_the_lease_writes_nothing(world: World, relay: Relay) -> None:
    world.start_all(["dispatcher", "reaper"])
    # This one is patient: it still waits when its bytes go on.
    cut_off = world.start("worker", differs=by_way_of(relay, world, seconds=60))
    committed = world.ask(1, late=0.6)
    wait_until(
        lambda: world.query("select 1 from operations where step = 'storing'"),
        BOUND_S,
        "the work has begun",
    )
    (horse,) = children_of(cut_off.pid)
    relay.swallow(also_new=True)
    world.start("worker")
    wait_until(lambda: is_settled(world, 1), BOUND_S, "another worker has done it")
    assert is_alive(horse)

    relay.go_on()
    took = wait_until(lambda: not is_alive(horse), BOUND_S, "the work-horse that came late ended")

    note_recovery("database-silent late-bytes", took)
    ((generation,),) = world.query("select generation from counting.effects")
    assert generation > 1
    (first, *_, last) = world.query(
        "select generation, outcome from operation_attempts order by generation"
    )
    assert (first, last) == ((1, "fenced"), (generation, "done"))
    assert faults(world, committed) == []


@repeated
def test_a_dispatcher_whose_connections_fall_silent_makes_new_ones(
    world: World, relay: Relay
) -> None:
    """As behind a firewall that has forgotten them: new connections are let through."""
    dispatcher = world.start("dispatcher", differs=by_way_of(relay, world))
    world.start_all(["worker", "reaper"])
    committed = world.ask(1, prefix="before")
    wait_until(lambda: is_settled(world, 1), BOUND_S, "the first is done")
    relay.swallow(also_new=False)
    carried = relay.carried()

    committed += world.ask(3, prefix="after")
    took = wait_until(lambda: is_settled(world, 4), ANSWER_S + BOUND_S, "the others are done")

    note_recovery("database-silent dispatcher", took)
    # One to work with, and one on which it hears of new work.
    wait_until(lambda: relay.carried() >= carried + 2, ANSWER_S + BOUND_S, "it listens again")
    assert dispatcher.starts == 1
    assert faults(world, committed) == []


@repeated
@pytest.mark.usefixtures("kinds_of_tests")
def test_the_queue_is_paused_while_packs_are_asked_for_and_made(
    firm_world: World, web: Service, valuer: User
) -> None:
    world = firm_world
    world.rest()
    orders = [
        enter(web, valuer, read_specimen(), reference=f"S-{os.urandom(4).hex()}") for _ in range(2)
    ]
    world.start_all(["web", "dispatcher", "worker", "worker", "reaper"])
    person = Persistent(world)
    ready = {"status": "READY_FOR_RENDER"}
    paths = [f"/v1/repogen/work-orders/{order}" for order in orders]
    assert person.once("POST", f"{paths[0]}/status", ready)[0] == 200
    committed = world.ask(5, prefix=os.urandom(4).hex(), late=0.3)
    wait_until(
        lambda: world.query(
            "select 1 from operations where work_order_id = :order and status = 'running'",
            order=orders[0],
        ),
        PACK_BOUND_S,
        "the first pack is being made",
    )

    os.kill(world.valkey.pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + SIZE.pause_seconds
        with ThreadPoolExecutor(4) as people:
            login = people.submit(person.once, "POST", "/v1/auth/login", person.login)
            state = people.submit(person.once, "GET", "/v1/ready")
            write = people.submit(person.once, "POST", f"{paths[1]}/status", ready)
            read = people.submit(person.once, "GET", paths[0])
        committed += world.ask(5, prefix=os.urandom(4).hex(), late=0.3)
        time.sleep(max(0, until - time.monotonic()))
    finally:
        os.kill(world.valkey.pid, signal.SIGCONT)

    took = wait_until(
        lambda: (
            is_settled(world, len(committed))
            and len(
                world.query(
                    "select 1 from packs where work_order_id = any(:orders)"
                    " and status = 'generated'",
                    orders=orders,
                )
            )
            == 2
        ),
        STORE_BOUND_S,
        "both packs are there, and all else is done",
    )
    note_recovery("queue-paused packs", took)
    for what, answer in (("write", write), ("read", read)):
        status, seconds = answer.result()
        assert status == 200
        assert seconds < ANSWERED_S
        note_recovery(f"queue-paused {what}", seconds)
    for what, answer in (("login", login), ("ready", state)):
        status, seconds = answer.result()
        assert status == 503
        assert seconds < REFUSED_S
        note_recovery(f"queue-paused {what}", seconds)
    for order in orders:
        assert_whole(world, order)
    assert faults(world, committed) == []
