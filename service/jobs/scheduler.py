"""Does what comes round by the clock, once for each turn, however many schedulers there are.

A turn is a row of `ticks`; its key is the task and the slot, so only one can insert it. What was
asked for in the same transaction exists if and only if the tick does. A run that is called instead
is claimed for a while: if its scheduler dies, another one begins it anew.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.database.connections import transaction
from service.jobs import loops
from service.jobs.crashpoints import crashpoint
from service.jobs.failures import place
from service.jobs.outbox import enqueue
from service.jobs.tasks import TASKS, Task

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.bootstrap import Service

#: How often the clock is looked at.
LOOK_S = 1.0
#: A run that failed is begun anew after so long, if no later slot has come.
RETRY_S = 60
_MOST_MISSED = 1000

log = structlog.get_logger("zenops.jobs")

_NEWEST = text("select max(slot) from ticks where task = :task")
# The database's clock decides about claims, ours about slots.
_INSERT = text(
    "insert into ticks (task, slot, created_at, claimed_until) values (:task, :slot, now(),"
    " now() + make_interval(secs => :claim)) on conflict do nothing"
)
_CLAIM_AGAIN = text(
    "update ticks set claimed_until = now() + make_interval(secs => :claim) where task = :task"
    " and slot = :slot and finished_at is null and claimed_until < now()"
)
_FINISH = text(
    "update ticks set finished_at = clock_timestamp(), outcome = 'done'"
    " where task = :task and slot = :slot"
)
_FAIL = text(
    "update ticks set outcome = :outcome, claimed_until = now() + make_interval(secs => :claim)"
    " where task = :task and slot = :slot"
)
_FIRMS = text("select tenant_id from tenants where status = 'active' order by tenant_id")


def run(service: Service) -> None:
    """Schedule until SIGTERM or SIGINT."""
    run_scheduler(service, loops.stop_on_signals())


def run_scheduler(service: Service, stop: threading.Event, tasks: Sequence[Task] = TASKS) -> None:
    """Schedule until the event is set."""

    def one_round() -> float:
        tick(service, tasks, clock.now())
        return LOOK_S

    loops.go_round("scheduler", one_round, stop)


def tick(service: Service, tasks: Sequence[Task], at: datetime) -> list[tuple[str, datetime]]:
    """Do what is due at an instant; the tasks and slots that fell to this scheduler."""
    return [
        (task.name, slot)
        for task in tasks
        for slot in _due(service, task, at)
        if _take(service, task, slot)
    ]


def _due(service: Service, task: Task, at: datetime) -> list[datetime]:
    """The slots that a task's rule asks for, oldest first; some may be done already."""
    latest = task.slot(at)
    if task.missed == "latest":
        return [latest]
    with transaction(service.engine, role="zen_system") as connection:
        newest = connection.scalar(_NEWEST, {"task": task.name})
    if newest is None:
        return [latest]
    missed = min((latest - newest) // task.period, _MOST_MISSED)
    return [latest - task.period * back for back in reversed(range(missed))]


def _take(service: Service, task: Task, slot: datetime) -> bool:
    """Do a task's turn, unless it is done or being done."""
    names = {"task": task.name, "slot": slot, "claim": task.claim_seconds}
    with transaction(service.engine, role="zen_system") as connection:
        is_new = connection.execute(_INSERT, names).rowcount
        if is_new and task.kind is not None:
            _ask(connection, task.kind, f"{task.name}:{slot:%Y-%m-%dT%H:%M:%SZ}")
            connection.execute(_FINISH, names)
        elif not is_new and not connection.execute(_CLAIM_AGAIN, names).rowcount:
            return False
        crashpoint("scheduler-before-commit")
    if task.run is not None:
        _call(service, task, names)
    return True


def _ask(connection: Connection, kind: str, key: str) -> None:
    """Ask for a job for each active firm."""
    for tenant_id in connection.scalars(_FIRMS).all():
        enqueue(
            connection,
            Actor(
                tenant_id=tenant_id,
                user_id=None,
                audience="worker",
                capabilities=frozenset(),
                name="scheduler",
                request_id=key,
            ),
            kind,
            key=key,
            subject_id=None,
        )


def _call(service: Service, task: Task, names: dict[str, Any]) -> None:
    assert task.run is not None
    try:
        task.run(service)
    except Exception as error:
        told = log.bind(task=task.name, error=type(error).__name__, at=place(error))
        told.error("task.failed")
        outcome = f"failed: {type(error).__name__}"
        with transaction(service.engine, role="zen_system") as connection:
            connection.execute(_FAIL, {**names, "outcome": outcome, "claim": RETRY_S})
        if isinstance(error, loops.AWAY):
            raise
    else:
        with transaction(service.engine, role="zen_system") as connection:
            connection.execute(_FINISH, names)
        log.debug("task.done", task=task.name)
