"""What is due reaches the queue once for each generation, in order, and only while there is room."""

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import RedisError

from service.clock import now
from service.database.connections import transaction
from service.jobs import dispatcher
from service.jobs.dispatcher import WINDOW, dispatch, run_dispatcher
from service.jobs.outgoing import mark_due
from service.jobs.queueing import ALLOWED, connect, open_queue
from tests.chaos.world import wait_until


def test_a_copy_in_the_queue_holds_three_ids_and_nothing_else(ask, jobs, queue, row, firm):
    operation = ask(payload={"secret": "canary"})

    dispatch(jobs, queue)

    (job,) = queue.jobs
    assert job.id == f"{operation}-1"
    assert (job.func_name, job.args, job.kwargs) == (
        ALLOWED,
        [str(firm.tenant_id), str(operation), 1],
        {},
    )
    assert b"canary" not in b"".join(queue.connection.hvals(job.key))
    assert (row(operation).status, row(operation).generation) == ("sent", 1)


def test_the_oldest_goes_first_and_what_is_not_due_waits(ask, jobs, queue, look):
    first, second, third = ask(key="1"), ask(key="2"), ask(key="3")
    look(
        "update operations set run_after = now() - interval '1 hour' where operation_id = :one",
        one=second,
    )
    look(
        "update operations set run_after = now() + interval '1 hour' where operation_id = :one",
        one=third,
    )

    dispatch(jobs, queue)

    assert queue.job_ids == [f"{second}-1", f"{first}-1"]


def test_four_dispatchers_at_once_send_each_operation_once(ask, jobs, queue):
    operations = {ask(key=str(number)) for number in range(60)}
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(dispatch, jobs, queue) for _ in range(4)]:
            done.result()

    assert sorted(queue.job_ids) == sorted(f"{one}-1" for one in operations)


def test_what_one_dispatcher_is_marking_another_passes_over_without_waiting(ask, jobs):
    for number in range(3):
        ask(key=str(number))
    began = time.monotonic()
    with transaction(jobs.engine, role="zen_system") as one:
        first = mark_due(one, limit=1)
        with transaction(jobs.engine, role="zen_system") as other:
            rest = mark_due(other, limit=10)

    assert (len(first), len(rest)) == (1, 2)
    assert not set(first) & set(rest)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("waiting", "sent"), [(WINDOW - 1, 1), (WINDOW, 0)])
def test_the_queue_is_filled_to_its_window_and_no_further(waiting, sent, ask, jobs, queue):
    queue.connection.rpush(queue.key, *[f"other-{number}" for number in range(waiting)])
    ask(key="a")
    ask(key="b")

    assert dispatch(jobs, queue) == WINDOW
    assert queue.count == waiting + sent


def test_without_a_queue_nothing_is_marked(ask, jobs, row):
    operation = ask()
    gone = connect("unix:///nowhere/valkey.sock")

    with pytest.raises(RedisError):
        dispatch(jobs, open_queue(gone))

    assert row(operation).status == "pending"


def test_what_may_not_have_arrived_is_unmarked_and_its_copy_is_stale(
    ask, jobs, queue, row, monkeypatch
):
    operation = ask()
    push = dispatcher.push

    def push_and_lose(*arguments):
        push(*arguments)
        raise RedisError("the answer is lost")

    monkeypatch.setattr(dispatcher, "push", push_and_lose)
    with pytest.raises(RedisError):
        dispatch(jobs, queue)
    assert (row(operation).status, row(operation).generation) == ("pending", 1)
    monkeypatch.setattr(dispatcher, "push", push)
    dispatch(jobs, queue)

    assert queue.job_ids == [f"{operation}-1", f"{operation}-2"]


@pytest.fixture
def dispatching(jobs):
    """A dispatcher that looks by itself only every 30 seconds."""
    slow = dataclasses.replace(
        jobs, settings=dataclasses.replace(jobs.settings, dispatch_seconds=30)
    )
    stop = threading.Event()
    thread = threading.Thread(target=run_dispatcher, args=[slow, stop])
    thread.start()
    yield thread
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.usefixtures("dispatching")
def test_a_commit_wakes_the_dispatcher(ask, queue):
    wait_for_listener(queue, ask)
    began = time.monotonic()
    operation = ask(key="now")

    wait_until(lambda: f"{operation}-1" in queue.job_ids, 5, "it is sent")

    assert time.monotonic() - began < 3


def wait_for_listener(queue, ask):
    ask(key="before")
    wait_until(lambda: queue.count, 5, "the dispatcher is at work")
    time.sleep(0.2)


@pytest.mark.usefixtures("dispatching")
def test_a_dispatcher_whose_connections_are_cut_goes_on(ask, queue, look):
    wait_for_listener(queue, ask)
    look(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'zen_jobs'"
    )
    operation = ask(key="after")

    wait_until(lambda: f"{operation}-1" in queue.job_ids, 15, "it is sent all the same")


def test_run_after_is_the_databases_clock_unless_it_is_given(ask, row):
    later = now().replace(year=2099, microsecond=0)

    assert row(ask(key="a", run_after=later)).run_after == later
