"""What comes round is done once for each turn, by however many schedulers, whatever the clock does."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import RedisError

from service.jobs import tasks
from service.jobs.running import run_pending
from service.jobs.scheduler import tick
from service.jobs.tasks import TASKS, Task, forget_ticks

NOON = datetime(2028, 2, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURLY = Task("test.hourly", timedelta(hours=1), kind="test.write")


def asked(look):
    return [row[0] for row in look("select operation_key from operations order by operation_key")]


@pytest.fixture(autouse=True)
def _one_firm(firm, look):
    look("update tenants set status = 'suspended' where tenant_id <> :firm", firm=firm.tenant_id)


def test_two_schedulers_and_a_hundred_turns_make_a_hundred_runs(jobs, look):
    task = Task("test.often", MINUTE, kind="test.write")
    done = []

    def schedule():
        for number in range(100):
            done.extend(tick(jobs, [task], NOON + MINUTE * number))

    threads = [threading.Thread(target=schedule) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == [("test.often", NOON + MINUTE * number) for number in range(100)]
    assert asked(look) == [
        f"test.often:{NOON + MINUTE * number:%Y-%m-%dT%H:%M:%SZ}" for number in range(100)
    ]
    assert run_pending(jobs) == 100
    assert len(look("select * from counting.effects")) == 100


@pytest.mark.parametrize(
    ("moments", "slots"),
    [
        # Back an hour and again: nothing is done a second time.
        ([0, 61, 0, 61, 30], ["12:00", "13:00"]),
        # Just before, at and just after a slot.
        ([59.99, 60, 60.01], ["12:00", "13:00"]),
        # An hour on by mistake, then right again: each slot once, when its time comes.
        ([0, 125, 60, 120], ["12:00", "13:00", "14:00"]),
    ],
)
def test_a_clock_that_jumps_repeats_nothing(moments, slots, jobs, look):
    for minutes in moments:
        tick(jobs, [HOURLY], NOON + timedelta(minutes=minutes))

    assert asked(look) == [f"test.hourly:2028-02-28T{slot}:00Z" for slot in slots]


def test_days_come_round_over_a_leap_day_and_the_end_of_a_month(jobs, look):
    daily = Task("test.daily", timedelta(days=1), timedelta(hours=21), kind="test.write")
    for hours in range(0, 96, 3):
        tick(jobs, [daily], NOON + timedelta(hours=hours))

    assert asked(look) == [
        f"test.daily:2028-{day}T21:00:00Z" for day in ("02-27", "02-28", "02-29", "03-01", "03-02")
    ]


@pytest.mark.parametrize(
    ("missed", "slots"), [("latest", ["12", "17"]), ("each", ["12", "13", "14", "15", "16", "17"])]
)
def test_after_a_pause_a_task_makes_up_for_what_its_rule_says(missed, slots, jobs, look):
    task = Task("test.hourly", timedelta(hours=1), kind="test.write", missed=missed)
    tick(jobs, [task], NOON)
    tick(jobs, [task], NOON + timedelta(hours=5, minutes=10))

    assert asked(look) == [f"test.hourly:2028-02-28T{slot}:00:00Z" for slot in slots]


def test_the_first_look_ever_does_not_make_up_for_the_past(jobs, look):
    tick(jobs, [Task("test.each", MINUTE, kind="test.write", missed="each")], NOON)

    assert len(asked(look)) == 1


def test_each_active_firm_gets_its_own_job(jobs, look, make_firm, firm):
    other, closed = make_firm(), make_firm()
    look("update tenants set status = 'suspended' where tenant_id = :it", it=closed.tenant_id)

    tick(jobs, [HOURLY], NOON)

    assert {row[0] for row in look("select tenant_id from operations")} == {
        firm.tenant_id,
        other.tenant_id,
    }
    assert look("select requested_by from operations") == [(None,), (None,)]


def test_if_the_work_cannot_be_asked_for_there_is_no_tick(jobs, look):
    with pytest.raises(ValueError, match="no kind"):
        tick(jobs, [Task("test.bad", MINUTE, kind="test.unknown")], NOON)

    assert look("select * from ticks") == []


def test_a_run_is_called_once_for_its_turn(jobs, look):
    calls = []
    task = Task("test.run", MINUTE, run=calls.append)

    for seconds in (0, 1, 59, 60):
        tick(jobs, [task], NOON + timedelta(seconds=seconds))

    assert len(calls) == 2
    assert look("select outcome, finished_at is not null from ticks") == [("done", True)] * 2


def test_a_run_whose_scheduler_died_is_begun_anew_when_its_claim_is_over(jobs, look):
    calls = []
    died = Task("test.run", MINUTE, run=lambda _: (_ for _ in ()).throw(SystemExit))
    lives = Task("test.run", MINUTE, run=calls.append)
    with pytest.raises(SystemExit):
        tick(jobs, [died], NOON)

    assert tick(jobs, [lives], NOON) == []
    look("update ticks set claimed_until = now() - interval '1 ms'")
    assert tick(jobs, [lives], NOON) == [("test.run", NOON)]
    assert tick(jobs, [lives], NOON) == []
    assert len(calls) == 1


def test_a_run_that_fails_is_tried_again_a_minute_later_and_keeps_nothing_else_waiting(jobs, look):
    def fail(_):
        raise KeyError("canary")

    calls = []
    other = Task("test.other", MINUTE, run=calls.append)
    tick(jobs, [Task("test.run", MINUTE, run=fail), other], NOON)

    assert len(calls) == 1
    (row,) = look(
        "select outcome, finished_at, extract(epoch from claimed_until - now()) as wait from ticks"
        " where task = 'test.run'"
    )
    assert (row.outcome, row.finished_at) == ("failed: KeyError", None)
    assert 55 < row.wait <= 60


def test_a_server_that_is_away_is_the_loops_matter(jobs):
    def away(_):
        raise RedisError

    with pytest.raises(RedisError):
        tick(jobs, [Task("test.run", MINUTE, run=away)], NOON)


def test_a_run_that_takes_long_is_not_begun_beside_itself(jobs):
    calls = []

    def slow(_):
        calls.append(1)
        time.sleep(0.3)

    task = Task("test.run", MINUTE, run=slow)
    threads = [threading.Thread(target=tick, args=[jobs, [task], NOON]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 1


def test_old_ticks_go_and_the_last_of_each_task_stays(jobs, look):
    task = Task("test.daily", timedelta(days=1), kind="test.write")
    for days in range(5):
        tick(jobs, [task], NOON + timedelta(days=days))
    look("update ticks set created_at = now() - interval '4 days'")
    look("update ticks set created_at = now() where slot = '2028-02-29T00:00Z'")

    forget_ticks(jobs)

    assert [f"{row[0]:%m-%d}" for row in look("select slot from ticks order by slot")] == [
        "02-29",
        "03-03",
    ]


def test_the_shipped_tasks_run(jobs, look):
    names = [task.name for task in TASKS]
    assert len(set(names)) == len(names)
    assert all((task.kind is None) != (task.run is None) for task in TASKS)

    assert [name for name, _ in tick(jobs, TASKS, NOON)] == names
    assert look("select task, outcome from ticks where outcome <> 'done'") == []


def test_nightly_work_is_done_at_night_in_india():
    hours = {
        (task.slot(NOON) + timedelta(hours=5, minutes=30)).hour
        for task in TASKS
        if task.period == tasks.DAY
    }
    assert hours <= {2, 3}
