"""A real worker process: what it runs, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pickle  # noqa: TID251 - what somebody else might plant
import signal
import time
from pathlib import Path

import pytest
from rq import Callback, Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from service.identifiers import new_id
from service.jobs.dispatcher import dispatch
from service.jobs.queueing import QUEUE, connect, open_queue
from tests.chaos.forking import Starter, children_of, is_alive
from tests.chaos.world import wait_until
from tests.service.conftest import SECRET

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def environ(settings):
    return {
        "PATH": os.environ["PATH"],
        "ZENOPS_MODE": "test",
        "JOBS_DATABASE_URL": settings.jobs_database_url,
        "REDIS_URL": settings.redis_url,
        "ZENOPS_OBJECTS_URL": settings.objects_url,
        "ZENOPS_SECRET_KEY": SECRET,
        "ZENOPS_STATE_FOLDER": str(settings.state_folder),
        "ZENOPS_LEASE_SECONDS": "1",
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The file that the worker's log goes to."""
    return tmp_path_factory.mktemp("worker") / "log"


@pytest.fixture(scope="module")
def starter(told):
    made = Starter(told)
    yield made
    made.close()


@pytest.fixture
def worker(starter, environ, counting, queue):  # noqa: ARG001 - the tables have to be there
    """The process id of a worker that is listening."""
    pid = starter.start("worker", environ)
    wait_until(lambda: queue.connection.keys("rq:worker:*"), 15, "the worker is listening")
    yield pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def plain_queue(settings):
    """The queue as somebody else would fill it, with RQ's own means."""
    valkey = connect(settings.redis_url)
    yield Queue(QUEUE, connection=valkey, serializer=JSONSerializer)
    valkey.close()


@pytest.fixture
def runs(ask, jobs, queue, row):
    """runs() -> whether the worker still does an operation of ours."""

    def enter(kind="test.write", seconds=10, **more):
        operation = ask(kind, key=str(new_id()), **more)
        dispatch(jobs, queue)
        wait_until(lambda: row(operation).status in {"done", "dead"}, seconds, "the job has ended")
        return row(operation)

    return enter


def test_a_worker_does_what_is_in_the_outbox(worker, runs, look, queue):
    assert runs().status == "done"
    wait_until(lambda: not queue.connection.keys("rq:job:*"), 5, "the queue forgets what is done")
    (attempt,) = look("select worker from operation_attempts")
    assert attempt.worker.rpartition(":")[2] != str(worker), "a work-horse did it"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("os.system", "touch {mark}"),
        ("builtins.eval", "open('{mark}', 'w')"),
        ("builtins.exec", "open('{mark}', 'w')"),
        ("subprocess.call", ["touch", "{mark}"]),
        ("subprocess.run", ["touch", "{mark}"]),
        ("os.mkdir", "{mark}"),
        ("service.jobs.running.perform", "{mark}"),
        ("service.jobs.running.run_operation", "{mark}"),
    ],
)
@pytest.mark.usefixtures("worker")
def test_a_planted_callable_is_refused(function, arguments, plain_queue, runs, tmp_path, told):
    mark = tmp_path / "mark"
    filled = json.loads(json.dumps(arguments).replace("{mark}", str(mark)))

    planted = plain_queue.enqueue(function, args=[filled], result_ttl=60)

    wait_until(lambda: planted.get_status() == "failed", 10, "it is refused")
    assert not mark.exists()
    assert "worker.refused" in told.read_text()
    assert str(mark) not in told.read_text()
    assert runs().status == "done"


@pytest.mark.parametrize("hook", ["on_success", "on_failure", "on_stopped"])
@pytest.mark.usefixtures("worker")
def test_a_planted_callback_is_not_called(hook, plain_queue, tmp_path, runs):
    mark = tmp_path / "mark"
    callback = Callback("tests.service.jobs.test_worker.touch")
    function = "os.getpid" if hook == "on_failure" else "service.jobs.running.run_operation"
    planted = plain_queue.enqueue(
        function,
        args=[str(new_id()), str(new_id()), 1],
        description=str(mark),
        result_ttl=60,
        **{hook: callback},
    )

    wait_until(lambda: planted.get_status() in {"failed", "finished"}, 10, "it has ended")

    assert not mark.exists()
    assert runs().status == "done"


def touch(job, *_):
    """What the planted callbacks would do."""
    Path(job.description).touch()


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.mark.usefixtures("worker")
def test_a_planted_pickle_is_not_opened(plain_queue, runs, tmp_path):
    mark = tmp_path / "mark"
    planted = Job.create("os.getpid", connection=plain_queue.connection, serializer=JSONSerializer)
    plain_queue.enqueue_job(planted)
    # It may be taken at once; a second one is planted whole before its id is in the queue.
    other = Job.create("os.getpid", connection=plain_queue.connection, serializer=JSONSerializer)
    other.origin = QUEUE
    other.save()
    for field in ("data", "meta", "result"):
        plain_queue.connection.hset(other.key, field, pickle.dumps(Trap(mark)))
    plain_queue.push_job_id(other.id)

    assert runs().status == "done"
    wait_until(lambda: not plain_queue.count, 5, "the queue is empty")
    assert not mark.exists()


@pytest.mark.usefixtures("worker")
def test_a_copy_of_another_firms_operation_does_nothing(plain_queue, ask, send, make_firm, row):
    operation = ask()
    send()
    stolen = plain_queue.enqueue(
        "service.jobs.running.run_operation",
        args=[str(make_firm().tenant_id), str(operation), 1],
        result_ttl=60,
    )

    wait_until(lambda: stolen.get_status() == "finished", 10, "the copy has run")
    assert row(operation).status == "sent"


@pytest.mark.usefixtures("worker")
def test_a_job_that_takes_too_long_fails_and_says_so(runs, row, look):
    found = runs("test.slow", payload={"seconds": 1.0})
    assert found.status == "done"

    operation = begun(runs, look, {"seconds": 20})
    wait_until(lambda: row(operation).reason, 10, "it is stopped")
    assert row(operation).reason == "It took longer than it may."


def test_a_job_that_hears_no_exception_is_ended_with_its_process(worker, runs, row, look):
    operation = begun(runs, look, {"seconds": 40, "deaf": True})
    (horse,) = children_of(worker)

    wait_until(lambda: row(operation).reason, 15, "it is ended")

    assert row(operation).reason == "It took longer than it may."
    assert row(operation).status == "pending"
    wait_until(lambda: not is_alive(horse), 5, "its process is gone")
    assert look("select * from counting.effects") == []


def begun(runs, look, payload):
    """An operation that has begun and will not end soon."""
    with pytest.raises(AssertionError, match="not within"):
        runs("test.slow", seconds=1, payload=payload)
    wait_until(lambda: look("select 1 from operations where status = 'running'"), 5, "it has begun")
    return look("select operation_id from operations where status = 'running'")[0][0]


def test_a_killed_work_horse_is_noticed_without_waiting_for_its_lease(worker, runs, row, look):
    operation = begun(runs, look, {"seconds": 1.9})
    (horse,) = children_of(worker)
    os.kill(horse, signal.SIGKILL)

    wait_until(
        lambda: row(operation).status == "pending", 5, "it is given back; there is no reaper"
    )

    assert row(operation).reason == "The process that did the work was killed."
    assert look("select outcome from operation_attempts") == [("lost",)]


def test_asked_to_end_a_worker_finishes_its_job_first(starter, environ, queue, runs, row, look):
    pid = starter.start("worker", environ)
    operation = begun_write(runs, look)
    os.kill(pid, signal.SIGTERM)

    wait_until(lambda: not is_alive(pid), 10, "the worker has ended")

    assert row(operation).status == "done"
    assert queue.connection.smembers("rq:workers") == set()


def begun_write(runs, look):
    with pytest.raises(AssertionError, match="not within"):
        runs(seconds=0.5, payload={"seconds": 1.5})
    wait_until(
        lambda: look("select 1 from operations where status = 'running'"), 15, "it has begun"
    )
    return look("select operation_id from operations where status = 'running'")[0][0]


def test_an_idle_worker_ends_at_once(worker):
    time.sleep(0.2)
    os.kill(worker, signal.SIGTERM)

    assert wait_until(lambda: not is_alive(worker), 5, "the worker has ended") < 3


@pytest.mark.usefixtures("worker")
def test_a_worker_takes_no_commands_from_the_queues_server(queue):
    assert queue.connection.pubsub_channels() == []


def test_the_queue_reads_its_jobs_as_operations_only(settings):
    valkey = connect(settings.redis_url)
    assert open_queue(valkey).job_class.__name__ == "OperationJob"
    assert open_queue(valkey).serializer is JSONSerializer
    valkey.close()
