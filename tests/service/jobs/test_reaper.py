"""What the queue forgot and what a silent worker held is taken back, by however many reapers."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from service.jobs.queueing import push
from service.jobs.reaper import SILENT, reap_forgotten, reap_silent
from service.jobs.registry import KINDS
from service.jobs.running import run_pending, take_lease


@pytest.fixture
def silent(ask, send, jobs, look):
    """silent(kind) -> an operation whose worker took it and was never heard of again."""

    def make(kind="test.write", **more):
        operation = ask(kind, **more)
        for one in send():
            take_lease(jobs, one.tenant_id, one.operation_id, one.generation)
        look("update operations set lease_until = now() - interval '1 ms' where status = 'running'")
        return operation

    return make


def test_a_silent_workers_job_is_pending_again_at_once(silent, jobs, row, look):
    operation = silent()

    assert reap_silent(jobs) == 1

    assert (row(operation).status, row(operation).attempts, row(operation).reason) == (
        "pending",
        1,
        SILENT,
    )
    assert look("select outcome, reason from operation_attempts") == [("lost", SILENT)]
    assert run_pending(jobs) == 1
    assert row(operation).status == "done"


def test_a_job_that_silences_every_worker_ends_as_dead(silent, jobs, send, row, look):
    operation = silent("test.fail")
    for _ in range(2):
        reap_silent(jobs)
        (one,) = send()
        take_lease(jobs, one.tenant_id, one.operation_id, one.generation)
        look("update operations set lease_until = now() - interval '1 ms'")

    assert reap_silent(jobs) == 1

    assert (row(operation).status, row(operation).attempts) == ("dead", 3)
    assert look("select * from counting.freed") == [(operation, SILENT)]


def test_five_reapers_at_once_free_it_once(silent, jobs, look):
    silent("test.fail")
    look("update operations set attempts = 3")
    threads = [threading.Thread(target=reap_silent, args=[jobs]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(look("select * from counting.freed")) == 1
    assert look("select count(*) from audit_events where action = 'job:operation:died'")[0][0] >= 1


def refused(connection, _operation):
    """A hook whose statement the database refuses."""
    connection.execute(text("select 1 / 0"))


@pytest.mark.parametrize("hook", ["tests.chaos.work:free_and_fail", f"{__name__}:refused"])
def test_one_end_that_fails_does_not_keep_the_others(hook, silent, jobs, row, monkeypatch):
    monkeypatch.setitem(KINDS, "test.hooked", replace(KINDS["test.hooked"], on_dead=hook))
    bad = silent("test.hooked", key="bad")
    good = silent("test.write", key="good")

    reap_silent(jobs)

    assert row(bad).status == "running"
    assert row(good).status == "pending"


def test_what_was_sent_and_is_nowhere_is_sent_again(ask, send, jobs, queue, row, look):
    operation = ask()
    send()
    look("update operations set sent_at = now() - interval '1.1 seconds'")

    assert reap_forgotten(jobs, queue) == 1

    assert (row(operation).status, row(operation).attempts) == ("pending", 0)
    assert [one.generation for one in send()] == [2]


def test_what_was_sent_just_now_is_given_its_time(ask, send, jobs, queue, look):
    ask()
    send()
    look("update operations set sent_at = now() - interval '0.5 seconds'")

    assert reap_forgotten(jobs, queue) == 0


def test_what_still_waits_in_the_queue_is_left_there(ask, send, jobs, queue, look):
    ask()
    push(queue, send())
    look("update operations set sent_at = now() - interval '1 hour'")

    assert reap_forgotten(jobs, queue) == 0
    queue.connection.flushall()
    assert reap_forgotten(jobs, queue) == 1
