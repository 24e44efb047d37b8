"""Statements that nobody waits for: none is lost, none is refused without a word."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.audit.events import record
from service.database.connections import send, transaction
from tests.service.audit.logs import actor_of

FAULT = text("select 1 / cast(:divisor as int)")


def _as_web(service, firm):
    return transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id)


def _count(connection, event):
    query = text("select count(*) from audit_events where event_id = :event")
    return connection.scalar(query, {"event": event})


def test_what_was_sent_is_there_for_the_next_statement_and_after_the_commit(service, make_firm):
    firm = make_firm()
    with _as_web(service, firm) as connection:
        event = record(
            connection, actor_of(firm.tenant_id), "test:thing:done", subject=("thing", "1")
        )
        assert _count(connection, event) == 1
        later = record(
            connection, actor_of(firm.tenant_id), "test:thing:done", subject=("thing", "2")
        )
    with _as_web(service, firm) as connection:
        assert _count(connection, later) == 1


def test_what_was_sent_is_gone_after_a_rollback(service, make_firm):
    firm = make_firm()
    with pytest.raises(KeyError), _as_web(service, firm) as connection:
        event = record(
            connection, actor_of(firm.tenant_id), "test:thing:done", subject=("thing", "1")
        )
        raise KeyError
    with _as_web(service, firm) as connection:
        assert _count(connection, event) == 0


def test_the_next_statement_raises_the_refusal_of_what_was_sent(service, make_firm):
    division = pytest.raises(DBAPIError, match="division by zero")
    with division, _as_web(service, make_firm()) as connection:
        send(connection, FAULT, {"divisor": 0})
        connection.execute(text("select 1"))


def test_a_refusal_of_what_was_sent_stops_the_commit(service, make_firm):
    firm = make_firm()
    actor = actor_of(firm.tenant_id)
    division = pytest.raises(DBAPIError, match="division by zero")
    with division, _as_web(service, firm) as connection:
        event = record(connection, actor, "test:thing:done", subject=("thing", "1"))
        send(connection, FAULT, {"divisor": 0})
    with _as_web(service, firm) as connection:
        assert _count(connection, event) == 0


def test_a_failure_of_the_caller_is_told_and_not_that_of_what_was_sent(service, make_firm):
    with pytest.raises(KeyError), _as_web(service, make_firm()) as connection:
        send(connection, FAULT, {"divisor": 0})
        raise KeyError
