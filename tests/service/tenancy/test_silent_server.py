"""A server that neither answers nor hangs up is given up, and what it held is held no longer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.database.connections import PATIENCE, connect_plainly, make_engine, transaction
from tests.chaos.relay import Relay

STATEMENT_S = 1


@pytest.fixture
def relay(postgres: Any) -> Iterator[Relay]:
    made = Relay(Path(postgres.sockets) / ".s.PGSQL.5432")
    yield made
    made.close()


@pytest.fixture
def engine(relay: Relay, database: Any) -> Iterator[Any]:
    made = make_engine(
        relay.url(database.api_url), pool_size=1, overflow=0, statement_seconds=STATEMENT_S
    )
    yield made
    made.dispose()


def test_a_silent_server_is_given_up_and_the_next_connection_is_a_new_one(
    relay: Relay, engine: Any
) -> None:
    with (
        pytest.raises(OperationalError, match="has not answered"),
        transaction(engine, role="zen_web") as connection,
    ):
        first = connection.scalar(text("select pg_backend_pid()"))
        relay.swallow(also_new=False)
        began = time.monotonic()
        connection.execute(text("select 1"))
    took = time.monotonic() - began

    assert STATEMENT_S * PATIENCE <= took < STATEMENT_S * PATIENCE + 1
    with transaction(engine, role="zen_web") as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != first


def test_a_pooled_connection_that_became_silent_costs_its_patience_once(
    relay: Relay, engine: Any
) -> None:
    with transaction(engine, role="zen_web"):
        pass
    relay.swallow(also_new=False)

    began = time.monotonic()
    with transaction(engine, role="zen_web") as connection:
        assert connection.scalar(text("select 1")) == 1
    assert time.monotonic() - began < STATEMENT_S * PATIENCE + 1


def test_the_server_ends_what_a_silent_client_holds(
    relay: Relay, engine: Any, owner_engine: Any
) -> None:
    with (
        pytest.raises(OperationalError, match="has not answered"),
        transaction(engine, role="zen_web") as connection,
    ):
        pid = connection.scalar(text("select pg_backend_pid()"))
        connection.execute(text("select pg_advisory_xact_lock(4711)"))
        relay.swallow(also_new=False)
        began = time.monotonic()
        with owner_engine.begin() as other:
            other.execute(text("select pg_advisory_xact_lock(4711)"))
        took = time.monotonic() - began
        with owner_engine.connect() as other:
            assert not other.scalar(
                text("select 1 from pg_stat_activity where pid = :pid"), {"pid": pid}
            )

    assert STATEMENT_S <= took < 2 * STATEMENT_S + 1


def test_a_server_that_answers_in_time_is_not_given_up(engine: Any) -> None:
    with transaction(engine, role="zen_web") as connection:
        connection.execute(text("select pg_sleep(0.8)"))
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("select pg_sleep(1.1)"))


def test_both_ends_try_a_silent_connection(relay: Relay, database: Any) -> None:
    with (
        connect_plainly(relay.url(database.api_url), statement_seconds=STATEMENT_S) as connection,
        socket.fromfd(connection.pgconn.socket, socket.AF_INET, socket.SOCK_STREAM) as ours,
    ):
        options = [
            (socket.TCP_KEEPIDLE, 30),
            (socket.TCP_KEEPINTVL, 10),
            (socket.TCP_KEEPCNT, 3),
            (socket.TCP_USER_TIMEOUT, 30_000),
        ]
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert [ours.getsockopt(socket.IPPROTO_TCP, name) for name, _ in options] == [
            value for _, value in options
        ]
        # The server has a Unix socket here, for which it shows zeros; what it was told is kept.
        told = connection.execute(
            "select name, reset_val from pg_settings where name like 'tcp\\_%' order by name"
        ).fetchall()
        assert told == [
            ("tcp_keepalives_count", "3"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_user_timeout", "30000"),
        ]


def test_a_listener_notices_that_nothing_can_come(relay: Relay, database: Any) -> None:
    connection = connect_plainly(relay.url(database.jobs_url), statement_seconds=STATEMENT_S)
    relay.swallow(also_new=True)
    assert list(connection.notifies(timeout=0.1)) == []
    with pytest.raises(psycopg.OperationalError, match="has not answered"):
        connection.execute("select 1")
    assert connection.closed
