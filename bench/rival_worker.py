"""RQ as it comes: a worker of its own for a job that notes when it started."""

from __future__ import annotations

import os
import sys
import time

import redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer


def note_start(key: str) -> None:
    """Note the instant at which the job began."""
    started = time.time()
    redis.Redis.from_url(os.environ["BENCH_REDIS"]).set(key, repr(started), ex=600)


if __name__ == "__main__":
    os.environ["BENCH_REDIS"] = sys.argv[1]
    connection = redis.Redis.from_url(sys.argv[1])
    queue = Queue("rival", connection=connection, serializer=JSONSerializer)
    Worker([queue], connection=connection, serializer=JSONSerializer).work()
