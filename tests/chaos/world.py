"""The service with real processes on real servers, for tests that kill any of them.

A keeper starts anew what has died, as a supervisor would. Time is short here: a lease lasts a
second, and the reaper looks every second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.actor import Actor
from service.database.connections import transaction
from service.identifiers import new_id
from service.jobs.outbox import enqueue
from service.local_services import PostgresHandle, ValkeyHandle, start_postgres, start_valkey
from tests.chaos import work
from tests.chaos.forking import Starter, is_alive
from tests.service.conftest import SECRET, Database

LEASE_S = 1
#: From a process's death to the end of what it held: the lease, the reaper's round, the
#: dispatcher's round, the start of a new process, and the job itself. Two busy cores need room.
BOUND_S = 15.0
#: A server that went away has to recover first, and the loops wait up to five seconds.
STORE_BOUND_S = 30.0


@dataclass
class Kept:
    """A process that is started again when it dies."""

    role: str
    without: str | None
    pid: int
    differs: Mapping[str, str] = field(default_factory=dict)
    starts: int = 1


@dataclass
class World:
    """Servers, a database with one firm, and the processes that run."""

    postgres: PostgresHandle
    valkey: ValkeyHandle
    database: Database
    folder: Path
    starter: Starter
    tenant_id: UUID = field(default_factory=new_id)
    kept: list[Kept] = field(default_factory=list)
    _keeping: threading.Event = field(default_factory=threading.Event)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    def environ(self) -> dict[str, str]:
        """The environment of a process that no test has armed."""
        return {
            "PATH": os.environ["PATH"],
            "ZENOPS_MODE": "test",
            "DATABASE_URL": self.database.api_url,
            "JOBS_DATABASE_URL": self.database.jobs_url,
            "REDIS_URL": self.valkey.url,
            "ZENOPS_OBJECTS_URL": f"file://{self.folder / 'objects'}",
            "ZENOPS_SECRET_KEY": SECRET,
            "ZENOPS_STATE_FOLDER": str(self.folder),
            "ZENOPS_PDF": "off",
            "ZENOPS_LEASE_SECONDS": str(LEASE_S),
            "ZENOPS_REAPER_SECONDS": "1",
            "ZENOPS_DISPATCH_SECONDS": "1",
            "ZENOPS_DATABASE_CONNECTIONS": "4",
            "ZENOPS_TEST_SOCKET": str(self.folder / "web.sock"),
        }

    def start(
        self,
        role: str,
        *,
        crash_at: str | None = None,
        target: str = "self",
        without: str | None = None,
        differs: Mapping[str, str] | None = None,
    ) -> Kept:
        """Start a process; armed, it dies at the point once, and starts anew unarmed.

        `differs` is what its environment has that others' have not.
        """
        differs = differs or {}
        environ = self.environ() | differs
        if crash_at is not None:
            environ |= {
                "ZENOPS_CRASH_AT": crash_at,
                "ZENOPS_CRASH_TARGET": target,
                "ZENOPS_CRASH_MARKER": str(self.new_marker()),
            }
        kept = Kept(role, without, self.starter.start(role, environ, without), differs)
        with self._changing:
            self.kept.append(kept)
        return kept

    def start_all(self, roles: Sequence[str]) -> None:
        """Start several processes, none of them armed."""
        for role in roles:
            self.start(role)

    def new_marker(self) -> Path:
        """The file that an armed process makes when it dies; `has_crashed` looks for it."""
        self._number += 1
        return self.marker

    @property
    def marker(self) -> Path:
        """The marker of the process that was armed last."""
        return self.folder / f"crashed-{self._number}"

    def has_crashed(self) -> bool:
        """Whether the process that was armed last has come to its point."""
        return self.marker.exists()

    def keep(self) -> None:
        """Start what is dead anew, again and again until the world rests; runs in a thread."""
        while not self._keeping.wait(0.1):
            with self._changing:
                for one in self.kept:
                    if not is_alive(one.pid):
                        environ = self.environ() | one.differs
                        one.pid = self.starter.start(one.role, environ, one.without)
                        one.starts += 1

    def rest(self) -> None:
        """Kill every process, and forget what was under way."""
        with self._changing:
            for one in self.kept:
                kill_tree(one.pid)
            self.kept.clear()

    def clear(self) -> None:
        """Empty the queue and every table that jobs write to."""
        with contextlib.closing(redis.Redis.from_url(self.valkey.url)) as valkey:
            valkey.flushall()
        with self.owner() as connection:
            for table in (
                "operation_attempts",
                "operations",
                "ticks",
                "counting.effects",
                "counting.freed",
            ):
                connection.execute(text(f"delete from {table}"))  # noqa: S608 - of the list above

    @contextlib.contextmanager
    def owner(self) -> Iterator[Any]:
        """A transaction that sees past every policy; the world's engine outlives restarts."""
        engine = create_engine(self.database.owner_url, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def ask(self, count: int, *, prefix: str = "k", **payload: float) -> list[UUID]:
        """Ask for work as a request does, each in a transaction; the ids of what was committed."""
        engine = create_engine(self.database.api_url)
        actor = self.actor()
        try:
            return [
                self._ask(engine, actor, f"{prefix}-{number}", payload) for number in range(count)
            ]
        finally:
            engine.dispose()

    def _ask(self, engine: Engine, actor: Actor, key: str, payload: dict[str, float]) -> UUID:
        with transaction(engine, role="zen_web", tenant_id=self.tenant_id) as connection:
            return enqueue(
                connection,
                actor,
                "test.write",
                key=key,
                subject_id=None,
                payload=payload,
            )

    def actor(self) -> Actor:
        """A person of the firm."""
        return Actor(self.tenant_id, UUID(int=1), "web", frozenset(), "Specimen Person", "r")

    def query(self, statement: str, **values: Any) -> Sequence[Any]:
        """Rows past every policy."""
        with self.owner() as connection:
            return connection.execute(text(statement), values).all()  # type: ignore[no-any-return]

    def execute(self, statement: str, **values: Any) -> None:
        """A change past every policy."""
        with self.owner() as connection:
            connection.execute(text(statement), values)

    def stop(self, *which: str | Kept) -> None:
        """Kill some processes, or those of some roles, for good."""
        with self._changing:
            for one in [one for one in self.kept if one in which or one.role in which]:
                kill_tree(one.pid)
                self.kept.remove(one)

    def objects(self) -> list[str]:
        """The operations that have an object in the storage."""
        place = self.folder / "objects" / str(self.tenant_id) / "packs"
        return sorted(path.stem for path in place.rglob("*.bin"))


def kill_tree(pid: int) -> None:
    """Kill a process and its children at once."""
    from tests.chaos.forking import children_of

    for one in (*children_of(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def wait_until(holds: Any, seconds: float, what: str) -> float:
    """Wait for something to hold; how many seconds that took.

    Raises:
        AssertionError: it did not come about in time.
    """
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if holds():
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def note_recovery(after: str, seconds: float) -> None:
    """Say how long a recovery took; `pytest -rP` shows it, and the docs report it."""
    sys.stdout.write(f"recovered {after} {seconds:.2f}\n")


@contextlib.contextmanager
def made_world(scratch: Path, log: Path) -> Iterator[World]:
    """A world of its own: servers, database, starter. Everything is gone at the end."""
    from service.database.migrating import set_up
    from tests.service.conftest import _as, _run

    postgres = start_postgres(scratch / "pg", durable=False)
    valkey = start_valkey(scratch / "kv", durable=False)
    starter = Starter(log)
    try:
        _run(postgres.url, "create database chaos")
        owner = _as(postgres.url, database="chaos")
        set_up(owner)
        database = Database(
            owner,
            _as(owner, user="zen_api"),
            _as(owner, user="zen_jobs"),
            _as(owner, user="zen_backup"),
        )
        world = World(postgres, valkey, database, scratch, starter)
        with world.owner() as connection:
            connection.execute(text(work.TABLES))
            connection.execute(
                text(
                    "insert into tenants (tenant_id, slug, name, kind, created_at)"
                    " values (:id, 'specimen', 'Specimen Valuers', 'firm', now())"
                ),
                {"id": world.tenant_id},
            )
        (scratch / "objects").mkdir()
        keeper = threading.Thread(target=world.keep, name="keeper")
        keeper.start()
        try:
            yield world
        finally:
            world._keeping.set()
            keeper.join()
            world.rest()
    finally:
        starter.close()
        for server in (valkey, postgres):
            server.stop(immediate=True)
            server.remove()


def plain(url: str) -> str:
    """An address as psycopg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def server_answers(world: World) -> bool:
    """Whether PostgreSQL takes connections."""
    with contextlib.suppress(psycopg.Error):
        psycopg.connect(plain(world.database.owner_url), connect_timeout=2).close()
        return True
    return False
