"""A pooled connection carries nothing from one request to the next, whatever happened on it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.bootstrap import make_service
from service.database.connections import make_engine, transaction
from service.identifiers import new_id
from tests.service.tenancy.specimen_rows import insert_specimen

SEE = text("select tenant_id from work_orders")


@pytest.fixture(scope="module")
def tenants(owner_engine: Any) -> list[Any]:
    made = []
    for number in range(3):
        tenant = new_id()
        with owner_engine.begin() as connection:
            insert_specimen(connection, tenant, f"pool-{number}")
        made.append(tenant)
    return made


class _MeantError(Exception):
    """Raised by the test in the middle of a transaction."""


def _one_operation(engine: Any, tenant: Any, kind: str, owner_engine: Any) -> Any:
    """Do one thing as a tenant; returns what it saw."""
    with transaction(engine, role="zen_web", tenant_id=tenant) as connection:
        seen = set(connection.scalars(SEE))
        if kind == "savepoint":
            with pytest.raises(DBAPIError), connection.begin_nested():
                connection.execute(
                    text("select set_config('app.tenant_id', :t, true)"), {"t": str(new_id())}
                )
                connection.execute(text("select 1 / 0"))
            seen |= set(connection.scalars(SEE))
        elif kind == "raise":
            raise _MeantError
        elif kind == "timeout":
            connection.execute(text("set local statement_timeout = 1"))
            connection.execute(text("select pg_sleep(1)"))
        elif kind == "write":
            connection.execute(
                text("update work_orders set title = 'x' where tenant_id = :t"), {"t": tenant}
            )
        elif kind == "killed":
            pid = connection.scalar(text("select pg_backend_pid()"))
            with owner_engine.begin() as other:
                other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
            connection.execute(text("select 1"))
        return seen


def test_a_thousand_shuffled_operations_each_see_their_own_tenant(
    database: Any, owner_engine: Any, tenants: list[Any]
) -> None:
    engine = make_engine(database.api_url, pool_size=1, overflow=0)
    choose = random.Random(20261124)  # noqa: S311 - a fixed sequence is wanted
    kinds = ["read", "read", "read", "savepoint", "raise", "write", "timeout", "killed"]
    weights = [20, 20, 20, 10, 10, 10, 2, 1]
    done = 0
    for kind in choose.choices(kinds, weights, k=1000):
        tenant = choose.choice(tenants)
        try:
            assert _one_operation(engine, tenant, kind, owner_engine) == {tenant}
        except _MeantError:
            assert kind == "raise"
        except (DBAPIError, psycopg.Error):
            assert kind in {"timeout", "killed"}
        done += 1
    engine.dispose()
    assert done == 1000


def test_a_connection_returned_to_the_pool_is_nobody(database: Any, tenants: list[Any]) -> None:
    engine = make_engine(database.api_url, pool_size=1, overflow=0)
    with transaction(engine, role="zen_web", tenant_id=tenants[0]) as connection:
        first = connection.scalar(text("select pg_backend_pid()"))
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) == first
        assert connection.scalar(text("select current_user")) == "zen_api"
        assert not connection.scalar(text("select current_setting('app.tenant_id', true)"))
    engine.dispose()


def test_a_process_holds_no_more_connections_than_its_setting(settings: Any) -> None:
    engine = make_service(replace(settings, database_connections=2), "api").engine
    engine.pool._timeout = 0  # type: ignore[attr-defined]  # nobody waits ten seconds here
    with engine.connect(), engine.connect(), pytest.raises(PoolTimeout):
        engine.connect()
    engine.dispose()


def test_the_shuffle_would_notice_a_setting_that_outlives_its_transaction(
    database: Any, tenants: list[Any]
) -> None:
    """The mistake itself: set for the session, the tenant stays on the connection."""
    engine = create_engine(database.api_url, pool_size=1, max_overflow=0)
    with engine.begin() as connection:
        connection.execute(
            text(
                "select set_config('role', 'zen_web', false), set_config('app.tenant_id', :t, false), set_config('app.audience', 'web', false)"
            ),
            {"t": str(tenants[0])},
        )
    with engine.begin() as connection:
        assert set(connection.scalars(SEE)) == {tenants[0]}
    engine.dispose()
