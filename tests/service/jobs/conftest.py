"""What tests of jobs work with: kinds of their own, tables that count, and rows behind policies."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service.actor import Actor
from service.bootstrap import Service
from service.database.connections import transaction
from service.jobs.outbox import enqueue
from service.jobs.outgoing import Outgoing, mark_due
from service.jobs.queueing import connect, open_queue
from service.jobs.registry import KINDS
from tests.chaos import work


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: Any) -> None:
    for name, kind in work.KINDS_OF_TESTS.items():
        monkeypatch.setitem(KINDS, name, kind)


@pytest.fixture(scope="module")
def counting(owner_engine: Any) -> None:
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(work.TABLES)


@pytest.fixture(scope="module")
def firm(make_firm: Any, counting: None) -> Any:  # noqa: ARG001 - the tables have to be there
    return make_firm()


@pytest.fixture(autouse=True)
def _empty(owner_engine: Any, counting: None) -> None:  # noqa: ARG001 - likewise
    """Each test begins with nothing in the outbox."""
    with owner_engine.begin() as connection:
        for table in (
            "operation_attempts",
            "operations",
            "ticks",
            "counting.effects",
            "counting.freed",
            "counting.resumed",
        ):
            connection.exec_driver_sql(f"delete from {table}")  # noqa: S608 - of the list above


@pytest.fixture
def jobs(jobs_service: Service) -> Service:
    """The service with a lease of one second."""
    settings = dataclasses.replace(jobs_service.settings, lease_seconds=1, reaper_seconds=1)
    return dataclasses.replace(jobs_service, settings=settings)


@pytest.fixture
def queue(jobs: Service) -> Any:
    valkey = connect(jobs.settings.redis_url)
    valkey.flushall()
    yield open_queue(valkey)
    valkey.close()


def operator(firm: Any) -> Actor:
    """Somebody of the firm, as a request knows them."""
    return Actor(
        tenant_id=firm.tenant_id,
        user_id=UUID(int=1),
        audience="web",
        capabilities=frozenset({"jobs.read", "jobs.retry"}),
        name="Specimen Person",
        request_id="r",
    )


@pytest.fixture
def ask(service: Service, firm: Any) -> Any:
    """ask(kind, key=..., payload=...) -> the id of an operation that a request has asked for."""

    def enter(kind: str = "test.write", *, key: str = "k", of: Any = None, **more: Any) -> UUID:
        whose = of or firm
        with transaction(service.engine, role="zen_web", tenant_id=whose.tenant_id) as connection:
            return enqueue(
                connection, operator(whose), kind, key=key, subject_id=UUID(int=7), **more
            )

    return enter


@pytest.fixture
def look(owner_engine: Any) -> Any:
    """look(query, **values) -> rows, past every policy."""

    def enter(query: str, **values: Any) -> Any:
        with owner_engine.begin() as connection:
            found = connection.execute(text(query), values)
            return found.all() if found.returns_rows else found.rowcount

    return enter


@pytest.fixture
def row(look: Any) -> Any:
    """row(operation_id) -> the operation as it stands."""
    return lambda operation: look(
        "select * from operations where operation_id = :operation", operation=operation
    )[0]


@pytest.fixture
def send(jobs: Service) -> Any:
    """send() -> what a dispatcher marks as sent; nothing is pushed."""

    def enter(limit: int = 100) -> list[Outgoing]:
        with transaction(jobs.engine, role="zen_system") as connection:
            return mark_due(connection, limit=limit)

    return enter
