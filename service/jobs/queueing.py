"""The one queue, and the only thing that may come out of it.

RQ runs whatever callable a job names; whoever can write to Valkey could run `os.system`. Here a job
is a reference to one function with a tenant, an operation and a generation, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from service.identifiers import read_id
from service.jobs.registry import KINDS

if TYPE_CHECKING:
    from service.jobs.outgoing import Outgoing

QUEUE = "zenops"
ALLOWED = "service.jobs.running.run_operation"
#: How long RQ remembers what failed; the database remembers for ever.
FAILURE_TTL_S = 3600
#: RQ's own limit stands behind ours by so much.
_MORE_S = 2


class NotAllowed(Exception):  # noqa: N818 - what it is
    """The queue holds something that is not ours to run."""


class OperationJob(Job):
    """A job of RQ that can only be an operation.

    What else RQ lets a job carry is dropped when it is read: callbacks are callables too, webhooks
    send requests, and repeats and retries belong to the database.
    """

    def restore(self, raw_data: Any) -> None:
        """Read a job from Valkey, without what no job of ours has."""
        super().restore(raw_data)
        self._success_callback_name = None
        self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self.repeats_left = None
        self.retries_left = None
        self.rate_limit_key = None
        self._dependency_ids = []

    @property
    def func(self) -> Callable[..., Any]:
        """The one function.

        Raises:
            NotAllowed: the job names another, or has other arguments than an operation's.
        """
        operation_of(self)
        # Imported when needed: dispatchers push jobs and never run one.
        from service.jobs.running import run_operation  # noqa: PLC0415

        return run_operation


class OperationQueue(Queue):
    """A queue whose jobs are operations, wherever RQ makes one of its own."""

    job_class = OperationJob


def connect(url: str) -> redis.Redis:
    """A client that says at once when Valkey is away; the loops know how to wait."""
    return redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0)
    )


def open_queue(connection: redis.Redis) -> Queue:
    """The queue, over a connection."""
    return OperationQueue(
        QUEUE, connection=connection, serializer=JSONSerializer, job_class=OperationJob
    )


def push(queue: Queue, outgoing: Sequence[Outgoing]) -> None:
    """Put copies of operations into the queue, all of them or none."""
    queue.enqueue_many(
        [
            Queue.prepare_data(
                ALLOWED,
                args=[str(one.tenant_id), str(one.operation_id), one.generation],
                job_id=one.job_id,
                timeout=(KINDS[one.kind].timeout_seconds if one.kind in KINDS else 60) + _MORE_S,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_S,
                description=f"{one.kind} {one.job_id}",
            )
            for one in outgoing
        ]
    )


def operation_of(job: Job) -> tuple[UUID, UUID, int]:
    """The tenant, the operation and the generation that a job stands for.

    Raises:
        NotAllowed: it is something else.
    """
    if job.func_name != ALLOWED or job.instance is not None or job.kwargs:
        raise NotAllowed("the queue may only run operations")
    match job.args:
        case [str() as tenant, str() as operation, int() as generation]:
            tenant_id, operation_id = read_id(tenant), read_id(operation)
            if tenant_id is not None and operation_id is not None:
                return tenant_id, operation_id, generation
    raise NotAllowed("an operation is a tenant, an id and a generation")
