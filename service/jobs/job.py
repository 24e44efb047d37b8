"""What a job works with: its lease, its progress, and the one transaction of its effect.

A lease is a generation number. Whoever holds an older one than the row may still be running, after
a pause or on a machine that was believed dead, but it can commit nothing for the operation.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.actor import Actor
from service.database.connections import transaction
from service.jobs.crashpoints import crashpoint

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service

# The fence. `for update` makes the reaper, an operator's cancelling and another copy wait.
FENCE = text(
    "select 1 from operations where tenant_id = :tenant and operation_id = :operation"
    " and generation = :generation and status = 'running' for update"
)
_DONE = text(
    "update operations set status = 'done', percent = 100, lease_until = null,"
    " finished_at = clock_timestamp() where tenant_id = :tenant and operation_id = :operation"
)
_ATTEMPT_DONE = text(
    "update operation_attempts set outcome = 'done', ended_at = clock_timestamp()"
    " where tenant_id = :tenant and operation_id = :operation and generation = :generation"
)
_EXTEND = text(
    "update operations set lease_until = clock_timestamp() + make_interval(secs => :lease),"
    " step = coalesce(:step, step), percent = coalesce(:percent, percent)"
    " where tenant_id = :tenant and operation_id = :operation"
    " and generation = :generation and status = 'running'"
)


class LeaseLost(Exception):  # noqa: N818 - what has happened, not what is wrong
    """Somebody else has the operation, or it was taken back: this attempt writes nothing more."""


class TookTooLong(Exception):  # noqa: N818 - likewise
    """The attempt's time is over."""


class JobFailed(Exception):  # noqa: N818 - likewise
    """The attempt fails for a reason that a person may read; it is tried again while it may be."""


class CannotSucceed(JobFailed):
    """No further attempt would do better: the operation is dead at once."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the outbox, as far as its hooks need it."""

    tenant_id: UUID
    operation_id: UUID
    kind: str
    subject_id: UUID | None
    work_order_id: UUID | None
    payload: Mapping[str, Any]
    attempts: int
    requested_by: UUID | None = None
    reason: str | None = None

    @property
    def actor(self) -> Actor:
        """Who acts when the operation does something: the job itself."""
        return Actor(
            tenant_id=self.tenant_id,
            user_id=None,
            audience="worker",
            capabilities=frozenset(),
            name=self.kind,
            request_id=str(self.operation_id),
            operation_id=self.operation_id,
        )


@dataclass(slots=True)
class Job:
    """One attempt at an operation, by whoever holds its lease."""

    service: Service
    operation: Operation
    generation: int
    lease_seconds: float
    deadline: float
    #: Whether the effect is committed.
    is_finished: bool = field(default=False, init=False)
    _is_lost: bool = field(default=False, init=False)

    @property
    def tenant_id(self) -> UUID:
        """The firm whose work it is."""
        return self.operation.tenant_id

    @property
    def operation_id(self) -> UUID:
        """The operation; names derived from it are the same in every attempt."""
        return self.operation.operation_id

    @property
    def subject_id(self) -> UUID | None:
        """What the work is done to."""
        return self.operation.subject_id

    @property
    def work_order_id(self) -> UUID | None:
        """The work order that it belongs to, if any."""
        return self.operation.work_order_id

    @property
    def payload(self) -> Mapping[str, Any]:
        """What else was written down when the work was asked for."""
        return self.operation.payload

    @property
    def actor(self) -> Actor:
        """The job as the one who acts, for audit events."""
        return self.operation.actor

    def seconds_left(self) -> float:
        """How much of the attempt's time is left, for the limits of programs it starts."""
        return max(0.0, self.deadline - time.monotonic())

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """A transaction as zen_worker for what comes before the effect: reading, as a rule."""
        return transaction(self.service.engine, role="zen_worker", tenant_id=self.tenant_id)

    def step(self, name: str, percent: int) -> None:
        """Say how far the work is, and extend the lease.

        Raises:
            LeaseLost: somebody else has the operation.
            TookTooLong: the attempt's time is over.
        """
        if self.seconds_left() == 0:
            raise TookTooLong
        if not self.extend(name, percent):
            raise LeaseLost

    def extend(self, name: str | None = None, percent: int | None = None) -> bool:
        """Extend the lease; False if it is lost, and from then on."""
        if not self._is_lost:
            with self.reading() as connection:
                extended = connection.execute(
                    _EXTEND,
                    {
                        **self._names(),
                        "lease": self.lease_seconds,
                        "step": name,
                        "percent": percent,
                    },
                ).rowcount
            self._is_lost = not extended
        return not self._is_lost

    @contextlib.contextmanager
    def effect(self) -> Iterator[Connection]:
        """The one transaction of the job's effect, as zen_worker; it marks the operation done.

        Further work may be asked for inside it.

        Raises:
            LeaseLost: somebody else has the operation; the block is not entered.
            TookTooLong: the attempt's time is over.
        """
        if self.is_finished:
            raise RuntimeError("a job has one effect")
        if self.seconds_left() == 0:
            raise TookTooLong
        with self.reading() as connection:
            if connection.execute(FENCE, self._names()).first() is None:
                self._is_lost = True
                raise LeaseLost
            yield connection
            connection.execute(_DONE, self._names())
            connection.execute(_ATTEMPT_DONE, self._names())
            crashpoint("job-before-commit")
        self.is_finished = True
        crashpoint("job-after-commit")

    def _names(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant_id,
            "operation": self.operation_id,
            "generation": self.generation,
        }
