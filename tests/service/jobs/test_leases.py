"""Only the holder of an operation's newest generation may commit an effect for it."""

import dataclasses
import threading
import time

import pytest
from sqlalchemy import text

from service.database.connections import transaction
from service.jobs import registry
from service.jobs.job import LeaseLost, TookTooLong
from service.jobs.outbox import cancel
from service.jobs.reaper import reap_silent
from service.jobs.running import perform, run_pending, take_lease
from tests.service.jobs.conftest import operator


@pytest.fixture
def take(jobs, send):
    """take() -> the job of the operation that was asked for, its lease taken."""

    def enter():
        (one,) = send()
        job, _ = take_lease(jobs, one.tenant_id, one.operation_id, one.generation)
        return job

    return enter


def let_lapse(look):
    look("update operations set lease_until = now() - interval '1 second'")


def test_an_operation_runs_and_is_done_with_its_effect(ask, jobs, row, look):
    operation = ask()

    assert run_pending(jobs) == 1

    found = row(operation)
    assert (found.status, found.percent, found.attempts, found.generation) == ("done", 100, 1, 1)
    assert found.finished_at is not None
    assert found.lease_until is None
    assert look("select generation from counting.effects") == [(1,)]
    assert look("select outcome from operation_attempts") == [("done",)]


def test_a_copy_with_an_older_generation_exits_without_a_word(ask, send, jobs, look):
    ask()
    (old,) = send()
    look("update operations set status = 'pending'")
    (new,) = send()

    assert not perform(jobs, old.tenant_id, old.operation_id, old.generation)
    assert look("select * from operation_attempts") == []
    assert perform(jobs, new.tenant_id, new.operation_id, new.generation)
    assert look("select generation from counting.effects") == [(2,)]


def test_of_two_copies_of_one_generation_one_runs(ask, send, jobs, look):
    ask(payload={"seconds": 0.2})
    (one,) = send()
    ran = []
    threads = [
        threading.Thread(
            target=lambda: ran.append(
                perform(jobs, one.tenant_id, one.operation_id, one.generation)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ran) == [False, False, False, True]
    assert len(look("select * from counting.effects")) == 1


def test_another_firms_id_takes_no_lease(ask, send, jobs, make_firm):
    ask()
    (one,) = send()

    assert not perform(jobs, make_firm().tenant_id, one.operation_id, one.generation)
    assert perform(jobs, one.tenant_id, one.operation_id, one.generation)


@pytest.mark.parametrize("taken_by", ["the reaper", "the next attempt", "an operator"])
def test_what_was_taken_back_cannot_commit_its_effect(
    taken_by, ask, take, jobs, look, service, firm
):
    operation = ask()
    stale = take()
    if taken_by == "an operator":
        with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
            cancel(connection, operator(firm), operation, reason="enough")
    else:
        let_lapse(look)
        assert reap_silent(jobs) == 1
        if taken_by == "the next attempt":
            take()

    with pytest.raises(LeaseLost), stale.effect():
        pytest.fail("the block must not be entered")
    with pytest.raises(LeaseLost):
        stale.step("too late", 99)
    assert look("select * from counting.effects") == []
    assert row_is_untouched(look)


def row_is_untouched(look):
    return look("select 1 from operations where percent = 99 or status = 'done'") == []


def test_a_lease_that_is_over_may_still_be_used_while_nobody_has_taken_it(ask, take, look):
    ask()
    job = take()
    let_lapse(look)

    with job.effect():
        pass

    assert look("select status from operations") == [("done",)]


def test_a_lease_lasts_to_its_end_and_no_longer(ask, take, jobs, look):
    ask()
    take()

    assert reap_silent(jobs) == 0
    look("update operations set lease_until = clock_timestamp() + interval '0.3 seconds'")
    assert reap_silent(jobs) == 0
    time.sleep(0.35)
    assert reap_silent(jobs) == 1


def test_a_step_is_visible_and_extends_the_lease(ask, take, look):
    ask()
    job = take()
    let_lapse(look)

    job.step("printing", 40)

    assert look("select step, percent, lease_until > now() from operations") == [
        ("printing", 40, True)
    ]


def test_a_long_job_keeps_its_lease_by_itself(ask, jobs, look):
    ask(payload={"seconds": 1.6})
    reaped = []
    over = threading.Event()

    def reap():
        while not over.wait(0.1):
            reaped.append(reap_silent(jobs))

    thread = threading.Thread(target=reap)
    thread.start()
    run_pending(jobs)
    over.set()
    thread.join()

    assert sum(reaped) == 0
    assert look("select generation from counting.effects") == [(1,)]


def test_a_job_has_one_effect(ask, take):
    ask()
    job = take()
    with job.effect():
        pass

    with pytest.raises(RuntimeError, match="one effect"), job.effect():
        pass


def test_an_effect_that_fails_leaves_nothing(ask, take, look):
    ask()
    job = take()
    with pytest.raises(ZeroDivisionError), job.effect() as connection:  # noqa: PT012 - the block is the effect
        connection.execute(
            text("insert into counting.effects (operation_id) values (:id)"),
            {"id": job.operation_id},
        )
        raise ZeroDivisionError

    assert look("select * from counting.effects") == []
    assert look("select status from operations") == [("running",)]


def test_a_job_without_an_effect_of_its_own_is_done_all_the_same(ask, jobs, look, monkeypatch):
    ask()
    monkeypatch.setitem(registry.KINDS, "test.write", registry.Kind("builtins:repr"))

    run_pending(jobs)

    assert look("select status, percent from operations") == [("done", 100)]


def test_when_the_time_is_over_no_step_and_no_effect_begins(ask, take):
    ask()
    job = dataclasses.replace(take(), deadline=time.monotonic() - 1)

    with pytest.raises(TookTooLong):
        job.step("printing", 40)
    with pytest.raises(TookTooLong), job.effect():
        pass


def test_a_stale_copy_that_wakes_up_is_noted_as_fenced(ask, send, jobs, look, monkeypatch):
    ask()
    (one,) = send()

    def lose(job):
        let_lapse(look)
        reap_silent(jobs)
        with job.effect():
            pass

    monkeypatch.setattr("tests.chaos.work.write", lose)
    registry.resolve.cache_clear()
    perform(jobs, one.tenant_id, one.operation_id, one.generation)
    registry.resolve.cache_clear()

    assert look("select outcome from operation_attempts") == [("fenced",)]
    assert look("select status from operations") == [("pending",)]
