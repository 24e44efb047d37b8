"""How attempts end that did not succeed: again later, or never again, with a reason one may read."""

import dataclasses

import pytest

from service.database.connections import become, transaction
from service.errors import ServiceError
from service.jobs import registry
from service.jobs.failures import reason_of
from service.jobs.job import JobFailed
from service.jobs.retrying import retry
from service.jobs.running import run_pending
from tests.service.jobs.conftest import operator


def test_a_failed_attempt_comes_again_after_its_wait(ask, jobs, row, look, monkeypatch):
    kind = dataclasses.replace(registry.KINDS["test.fail"], backoff_seconds=(30, 60))
    monkeypatch.setitem(registry.KINDS, "test.fail", kind)
    operation = ask("test.fail")

    assert run_pending(jobs) == 1

    found = row(operation)
    assert (found.status, found.attempts, found.reason) == (
        "pending",
        1,
        "The printer is on fire.",
    )
    seconds = look("select extract(epoch from run_after - now()) from operations")[0][0]
    assert 28 < seconds <= 30
    assert run_pending(jobs) == 0, "its wait is not over"


def test_waits_grow_and_the_last_one_repeats():
    kind = registry.Kind("a:b", backoff_seconds=(1, 10, 60))

    assert [kind.backoff(attempts) for attempts in (0, 1, 2, 3, 4, 100)] == [1, 1, 10, 60, 60, 60]


def test_a_later_attempt_may_succeed_under_a_fresh_generation(ask, jobs, row, look):
    operation = ask("test.fail", payload={"times": 2})

    assert run_pending(jobs) == 3

    assert row(operation).status == "done"
    assert row(operation).reason is None
    assert look("select generation, outcome from operation_attempts order by 1") == [
        (1, "failed"),
        (2, "failed"),
        (3, "done"),
    ]
    assert look("select generation from counting.effects") == [(3,)]


def test_after_the_last_attempt_it_is_dead_and_what_it_held_is_free(ask, jobs, row, look):
    operation = ask("test.fail")

    assert run_pending(jobs) == 3

    assert (row(operation).status, row(operation).attempts) == ("dead", 3)
    assert row(operation).finished_at is not None
    assert look("select * from counting.freed") == [(operation, "The printer is on fire.")]
    assert look(
        "select actor_kind, subject_id, reason from audit_events where action = 'job:operation:died'"
        " and operation_id = :operation",
        operation=operation,
    ) == [("job", str(operation), "The printer is on fire.")]


def test_what_cannot_succeed_is_dead_at_once(ask, jobs, row):
    operation = ask("test.fail", payload={"how": "finally"})

    assert run_pending(jobs) == 1

    assert (row(operation).status, row(operation).reason) == ("dead", "The plot is under water.")


def test_if_nothing_can_be_freed_it_is_not_dead(ask, jobs, row, look):
    operation = ask("test.hooked")

    run_pending(jobs)

    assert row(operation).status == "running", "the reaper comes back to it"
    assert look("select * from counting.freed") == []


def test_a_kind_that_is_gone_is_dead_at_once(ask, jobs, row, monkeypatch):
    operation = ask()
    monkeypatch.delitem(registry.KINDS, "test.write")

    assert run_pending(jobs) == 1

    assert row(operation).status == "dead"
    assert "test.write" in row(operation).reason


def test_a_fault_inside_is_told_by_its_kind_alone(ask, jobs, row, capsys):
    operation = ask("test.fail", payload={"how": "inside"})

    run_pending(jobs)

    assert row(operation).reason == "The job failed inside (RuntimeError); the log says where."
    told = capsys.readouterr().out
    assert "work.py:" in told
    assert "canary" not in told.lower()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JobFailed("Out of paper."), "Out of paper."),
        (ServiceError(503, "AWAY", "Away", "Come again."), "AWAY: Come again."),
        (KeyError("secret"), "The job failed inside (KeyError); the log says where."),
        (JobFailed("x" * 600), "x" * 500),
    ],
)
def test_reasons_that_may_be_shown(error, reason):
    assert reason_of(error) == reason


def test_half_an_effect_is_none(ask, jobs, row, look):
    operation = ask("test.fail", payload={"how": "half"})

    run_pending(jobs)

    assert row(operation).status == "dead"
    assert look("select * from counting.effects") == []


def test_what_goes_wrong_after_the_effect_does_not_undo_it(ask, jobs, row, look):
    operation = ask("test.fail", payload={"how": "after"})

    assert run_pending(jobs) == 1

    assert (row(operation).status, row(operation).reason) == ("done", None)
    assert len(look("select * from counting.effects")) == 1


def test_an_operator_has_a_dead_job_start_again(ask, jobs, row, look, service, firm):
    operation = ask("test.fail", payload={"times": 3})
    run_pending(jobs)
    assert row(operation).status == "dead"

    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        retry(connection, operator(firm), operation, reason="the fire is out")
    assert (row(operation).status, row(operation).attempts) == ("pending", 0)
    assert look("select * from counting.resumed") == [(operation,)]
    look("update operations set payload = '{\"times\": 0}'")
    run_pending(jobs)

    assert (row(operation).status, row(operation).generation) == ("done", 4)
    assert look(
        "select reason from audit_events where action = 'job:operation:retried'"
        " and subject_id = :operation",
        operation=str(operation),
    ) == [("the fire is out",)]


@pytest.mark.parametrize("status", ["pending", "sent", "running", "done", "cancelled"])
def test_only_a_dead_job_starts_again(status, ask, look, service, firm):
    operation = ask()
    look("update operations set status = :status", status=status)

    with (
        transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection,
        pytest.raises(ServiceError) as refused,
    ):
        retry(connection, operator(firm), operation)

    assert (refused.value.status, refused.value.code) == (409, "JOB_NOT_DEAD")


def test_another_firms_dead_job_is_not_there(ask, look, service, make_firm):
    operation = ask()
    look("update operations set status = 'dead'")
    other = make_firm()

    with (
        transaction(service.engine, role="zen_web", tenant_id=other.tenant_id) as connection,
        pytest.raises(ServiceError) as refused,
    ):
        retry(connection, operator(other), operation)

    assert refused.value.status == 404


def test_rollback_of_a_retry_leaves_it_dead(ask, look, row, service, firm):
    operation = ask()
    look("update operations set status = 'dead'")
    with service.engine.connect() as connection:
        become(connection, "zen_web", tenant_id=firm.tenant_id, audience="web")
        retry(connection, operator(firm), operation)
        connection.rollback()

    assert row(operation).status == "dead"
