"""What is written down, by whom, and that it stands."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.audit.events import details_digest, record
from service.audit.sealing import seal
from service.clock import now
from service.database.connections import transaction
from service.identifiers import new_id
from tests.service.audit.logs import actor_of, write_events


class Colour(StrEnum):
    RED = "red"


def read(owner_engine: Any, event_id: Any) -> tuple[Any, Any]:
    with owner_engine.connect() as connection:
        event = connection.execute(
            text("select * from audit_events where event_id = :id"), {"id": event_id}
        ).one()
        details = connection.scalar(
            text("select details from audit_details where event_id = :id"), {"id": event_id}
        )
    return event, details


def test_an_event_says_who_did_what_to_what_why_and_in_which_request(
    service: Any, make_firm: Any, owner_engine: Any
) -> None:
    firm = make_firm()
    actor = actor_of(firm.tenant_id, token_id=new_id())
    subject, work_order = new_id(), new_id()
    before = now()
    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        event_id = record(
            connection,
            actor,
            "workorder:contract:changed",
            subject=("work_order", subject),
            work_order_id=work_order,
            reason="the deed says 210 square metres",
        )
    event, details = read(owner_engine, event_id)

    assert details is None
    assert event.details_sha256 is None
    assert before <= event.at <= now()
    assert (event.action, event.actor_kind, event.actor_id, event.token_id, event.audience) == (
        "workorder:contract:changed",
        "user",
        actor.user_id,
        actor.token_id,
        "web",
    )
    assert (event.subject_type, event.subject_id, event.work_order_id) == (
        "work_order",
        str(subject),
        work_order,
    )
    assert (event.reason, event.request_id) == ("the deed says 210 square metres", actor.request_id)


def test_details_are_canonical_and_hold_exact_numbers_ids_dates_and_enumerations(
    service: Any, make_firm: Any, owner_engine: Any
) -> None:
    firm = make_firm()
    one = new_id()
    (event_id,) = write_events(
        service.engine,
        firm.tenant_id,
        1,
        before={"rate": Decimal("1E+3"), "id": one, "colour": Colour.RED, "none": None},
        after={"on": date(2026, 3, 31), "tags": {"b", "a"}, "rows": [{"id": one}]},
    )
    event, details = read(owner_engine, event_id)

    assert details == (
        f'{{"after":{{"on":"2026-03-31","rows":[{{"id":"{one}"}}],"tags":["a","b"]}},'
        f'"before":{{"colour":"red","id":"{one}","none":null,"rate":"1000"}}}}'
    )
    assert event.details_sha256 == details_digest(details)


def test_what_was_there_before_may_be_given_alone(
    service: Any, make_firm: Any, owner_engine: Any
) -> None:
    (event_id,) = write_events(service.engine, make_firm().tenant_id, 1, before={"a": "1"})

    assert json.loads(read(owner_engine, event_id)[1]) == {"before": {"a": "1"}}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "user"),
        ({"audience": "service", "user_id": None, "token_id": new_id()}, "service"),
        ({"audience": "worker", "operation_id": new_id()}, "job"),
        ({"audience": "worker", "user_id": None}, "system"),
    ],
)
def test_an_event_tells_people_tokens_jobs_and_the_system_apart(
    service: Any, make_firm: Any, owner_engine: Any, more: Any, kind: str
) -> None:
    tenant = make_firm().tenant_id
    (event_id,) = write_events(service.engine, tenant, 1, actor=actor_of(tenant, **more))

    assert read(owner_engine, event_id)[0].actor_kind == kind


def test_an_event_is_gone_if_its_change_is(service: Any, make_firm: Any, owner_engine: Any) -> None:
    tenant = make_firm().tenant_id
    made = []

    def write_and_fail() -> None:
        with transaction(service.engine, role="zen_web", tenant_id=tenant) as connection:
            made.append(record(connection, actor_of(tenant), "a:b", subject=("thing", 1)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with owner_engine.connect() as connection:
        found = connection.scalar(
            text("select count(*) from audit_events where event_id = :id"), {"id": made[0]}
        )

    assert found == 0


def test_the_portal_and_the_login_write_events_with_details(
    service: Any, make_firm: Any, owner_engine: Any
) -> None:
    tenant = make_firm().tenant_id
    actor = actor_of(tenant, audience="portal")
    with transaction(
        service.engine, role="zen_portal", tenant_id=tenant, user_id=actor.user_id
    ) as connection:
        first = record(connection, actor, "test:thing:done", subject=("thing", 1), after={"a": "1"})
    with transaction(service.engine, role="zen_login", tenant_id=tenant) as connection:
        second = record(
            connection, actor, "people:user:entered", subject=("user", 1), after={"a": "2"}
        )

    assert [read(owner_engine, one)[1] for one in (first, second)] == [
        '{"after":{"a":"1"}}',
        '{"after":{"a":"2"}}',
    ]


def test_the_login_writes_nothing_but_what_concerns_people(service: Any, make_firm: Any) -> None:
    tenant = make_firm().tenant_id
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        transaction(service.engine, role="zen_login", tenant_id=tenant) as connection,
    ):
        record(connection, actor_of(tenant), "packs:pack:released", subject=("pack", 1))


def test_nobody_writes_an_event_of_another_firm(service: Any, make_firm: Any) -> None:
    ours, theirs = make_firm().tenant_id, make_firm().tenant_id
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        transaction(service.engine, role="zen_web", tenant_id=ours) as connection,
    ):
        record(connection, actor_of(theirs), "test:thing:done", subject=("thing", 1))


TABLES = ("audit_events", "audit_details", "audit_seals")
CHANGES = ("update {} set tenant_id = tenant_id", "delete from {}", "truncate {} cascade")
#: Working papers are erased after their time: by a worker, and nothing but the details.
MAY = {("zen_worker", "delete from audit_details")}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "role", ["zen_web", "zen_studio", "zen_portal", "zen_login", "zen_worker", "zen_system"]
)
def test_no_role_rewrites_the_audit(
    service: Any, jobs_service: Any, make_firm: Any, role: Any, change: str, table: str
) -> None:
    statement = text(change.format(table))
    engine = (jobs_service if role in {"zen_worker", "zen_system"} else service).engine
    with transaction(engine, role=role, tenant_id=make_firm().tenant_id) as connection:
        if (role, str(statement)) in MAY:
            connection.execute(statement)
        else:
            with pytest.raises(DBAPIError, match="permission denied"):
                connection.execute(statement)


@pytest.mark.parametrize("table", ["audit_events", "audit_seals"])
@pytest.mark.parametrize("change", CHANGES)
def test_not_even_a_superuser_rewrites_the_audit_by_an_oversight(
    service: Any, jobs_service: Any, make_firm: Any, owner_engine: Any, change: str, table: str
) -> None:
    write_events(service.engine, make_firm().tenant_id, 1)
    seal(jobs_service.engine)
    with owner_engine.begin() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(change.format(table)))
