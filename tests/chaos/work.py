"""Jobs for tests: their effect is a row that anybody can count, and an object beside it."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.jobs.crashpoints import crashpoint
from service.jobs.job import CannotSucceed, JobFailed
from service.jobs.registry import KINDS, Kind
from service.objects.storage import put_new

if TYPE_CHECKING:
    from service.jobs.job import Job, Operation

#: Nothing here is unique: what happens twice is there twice. The schema is not the service's.
TABLES = """
create schema if not exists counting;
grant usage on schema counting to zen_worker, zen_web, zen_system;
create table if not exists counting.effects (operation_id uuid, generation integer, at timestamptz default clock_timestamp());
create table if not exists counting.freed (operation_id uuid, reason text);
create table if not exists counting.resumed (operation_id uuid);
grant select, insert on counting.effects, counting.freed, counting.resumed to zen_worker, zen_web;
"""
KINDS_OF_TESTS = {
    "test.write": Kind("tests.chaos.work:write", max_attempts=100, backoff_seconds=(0.2,)),
    "test.fail": Kind(
        "tests.chaos.work:fail",
        max_attempts=3,
        backoff_seconds=(0, 0, 30),
        on_dead="tests.chaos.work:free",
        on_retry="tests.chaos.work:resume",
    ),
    "test.slow": Kind("tests.chaos.work:sleep", timeout_seconds=2, lease_seconds=1),
    "test.hooked": Kind(
        "tests.chaos.work:fail", max_attempts=1, on_dead="tests.chaos.work:free_and_fail"
    ),
}


def allow() -> None:
    """Put the tests' kinds on this process's list."""
    KINDS.update(KINDS_OF_TESTS)


def write(job: Job) -> None:
    """What a job of a pack does, in small: a program, an object, one row."""
    payload = job.payload
    job.step("preparing", 10)
    crashpoint("job-before-program")
    subprocess.run(["/bin/true"], check=True)
    time.sleep(payload.get("seconds", 0))
    crashpoint("job-after-program")
    job.step("storing", 60)
    put_new(
        job.service.objects,
        f"{job.tenant_id}/packs/{job.operation_id}/{job.operation_id}.bin",
        str(job.operation_id).encode(),
    )
    time.sleep(payload.get("late", 0))
    with job.effect() as connection:
        note(connection, job)
        time.sleep(payload.get("inside", 0))


def note(connection: Any, job: Job) -> None:
    connection.execute(
        text(
            "insert into counting.effects (operation_id, generation) values (:operation, :generation)"
        ),
        {"operation": job.operation_id, "generation": job.generation},
    )


def fail(job: Job) -> None:
    """Fail in the way that the payload names; after as many attempts as it says, succeed."""
    if job.operation.attempts > job.payload.get("times", 1000):
        with job.effect() as connection:
            note(connection, job)
        return
    match job.payload.get("how"):
        case "finally":
            raise CannotSucceed("The plot is under water.")
        case "inside":
            raise RuntimeError("row of Mr Canary, token canary-token")
        case "after":
            with job.effect() as connection:
                note(connection, job)
            raise RuntimeError("too late to matter")
        case "half":
            with job.effect() as connection:
                note(connection, job)
                raise JobFailed("The disk is full.")
        case _:
            raise JobFailed("The printer is on fire.")


def sleep(job: Job) -> None:
    """Take some time; if the payload says so, without listening to any exception."""
    until = time.monotonic() + job.payload["seconds"]
    while time.monotonic() < until:
        try:
            time.sleep(max(0, until - time.monotonic()))
        except Exception:
            if not job.payload.get("deaf"):
                raise
    with job.effect() as connection:
        note(connection, job)


def free(connection: Any, operation: Operation) -> None:
    connection.execute(
        text("insert into counting.freed values (:operation, :reason)"),
        {"operation": operation.operation_id, "reason": operation.reason},
    )


def free_and_fail(connection: Any, operation: Operation) -> None:
    free(connection, operation)
    raise RuntimeError("what was held cannot be freed")


def resume(connection: Any, operation: Operation) -> None:
    connection.execute(
        text("insert into counting.resumed values (:operation)"),
        {"operation": operation.operation_id},
    )
