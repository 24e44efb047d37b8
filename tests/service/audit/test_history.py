"""The record over HTTP: found by what was done, to what, when and by whom; page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from service.audit.events import record
from service.audit.sealing import seal
from service.clock import now
from service.database.connections import transaction
from service.identifiers import new_id
from tests.service.audit.logs import actor_of
from tests.service.tenancy.specimen_rows import bound, insert_statement


@pytest.fixture(scope="module")
def firm(make_firm: Any) -> Any:
    return make_firm()


@pytest.fixture(scope="module")
def person(firm: Any, make_user: Any) -> Any:
    return make_user(firm, ["owner"])


@pytest.fixture(scope="module")
def owner(person: Any, sign_in: Any) -> Any:
    return sign_in(person)


@pytest.fixture(scope="module")
def work_order(firm: Any, owner_engine: Any) -> Any:
    found = new_id()
    values = {
        "tenant_id": firm.tenant_id,
        "work_order_id": found,
        "reference": "R-1",
        "report_type": "VALUATION",
        "bank_type": "SBI",
        "source_type": "TENANT",
        "contract": "{}",
        "created_at": now(),
        "updated_at": now(),
    }
    with owner_engine.begin() as connection:
        connection.execute(text(insert_statement("work_orders", values)), bound(values))
    return found


@pytest.fixture(scope="module")
def written(service: Any, firm: Any, person: Any, work_order: Any) -> list[Any]:
    """Five events of one person, the first three about the work order."""
    actor = actor_of(firm.tenant_id, user_id=person.user_id)
    ids = []
    for action, subject, order in (
        ("work:order:created", ("work_order", work_order), work_order),
        ("work:order:changed", ("work_order", work_order), work_order),
        ("evidence:item:added", ("evidence", "7"), work_order),
        ("workshop:opened", ("workshop", "7"), None),
        ("test:erased", ("evidence", "8"), None),
    ):
        with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
            ids.append(
                record(
                    connection,
                    actor,
                    action,
                    subject=subject,
                    work_order_id=order,
                    reason=f"because of {action}",
                    before={"a": "1"},
                    after={"a": "2"},
                )
            )
    return ids


def found(client: Any, **filters: Any) -> list[str]:
    query = "&".join(f"{name}={quote(str(value))}" for name, value in filters.items())
    answer = client.get(f"/v1/audit?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [one["event_id"] for one in answer.get_json()["items"]]


def texts(ids: list[Any]) -> list[str]:
    return [str(one) for one in reversed(ids)]


def test_an_event_shows_all_that_is_known(
    owner: Any, person: Any, written: Any, work_order: Any, jobs_service: Any
) -> None:
    shown = owner.get("/v1/audit?action=work:order:changed").get_json()["items"][0]
    assert shown["seal"] is None
    seal(jobs_service.engine)
    sealed = owner.get("/v1/audit?action=work:order:changed").get_json()["items"][0]

    assert sealed.pop("seal")["seq"] > 0
    assert sealed.pop("at").endswith("Z")
    assert sealed.pop("request_id")
    assert sealed == {
        "event_id": str(written[1]),
        "action": "work:order:changed",
        "actor": {
            "kind": "user",
            "id": str(person.user_id),
            "name": "Specimen Person",
            "audience": "web",
        },
        "subject": {"type": "work_order", "id": str(work_order)},
        "work_order_id": str(work_order),
        "reason": "because of work:order:changed",
        "before": {"a": "1"},
        "after": {"a": "2"},
        "details_erased": False,
        "operation_id": None,
    }


def test_events_are_found_by_what_is_known_of_them(
    owner: Any, person: Any, written: Any, work_order: Any, owner_engine: Any
) -> None:
    # Logins of the same person are in the record too.
    ours = {"since": _time(owner_engine, written[0])}

    assert found(owner, **ours, actor=person.user_id) == texts(written)
    assert found(owner, work_order=work_order) == texts(written[:3])
    # The beginning of an action ends at a colon.
    assert found(owner, action="work") == texts(written[:2])
    assert found(owner, action="work:order") == texts(written[:2])
    assert found(owner, action="work:order:cr") == []
    assert found(owner, subject="7") == texts(written[2:4])
    assert found(owner, subject="7", subject_type="evidence") == texts(written[2:3])
    assert found(owner, work_order=new_id()) == []
    assert found(owner, actor=new_id()) == []


def _time(owner_engine: Any, event_id: Any) -> Any:
    with owner_engine.connect() as connection:
        return connection.scalar(
            text("select at from audit_events where event_id = :id"), {"id": event_id}
        ).isoformat()


def test_a_time_begins_with_its_instant_and_ends_before_it(
    owner: Any, written: Any, owner_engine: Any
) -> None:
    second, fourth = (_time(owner_engine, written[at]) for at in (1, 3))

    assert found(owner, since=second, until=fourth) == texts(written[1:3])
    assert owner.get("/v1/audit?since=2026-01-01T00:00:00").status_code == 422


def test_pages_hold_everything_once(owner: Any, written: Any) -> None:
    ids: list[str] = []
    cursor = ""
    for _ in range(3):
        answer = owner.get(f"/v1/audit?subject_type=work_order&limit=1{cursor}").get_json()
        ids += [one["event_id"] for one in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"

    assert ids == texts(written[:2])


def test_a_work_orders_history_is_its_own(owner: Any, written: Any, work_order: Any) -> None:
    address = f"/v1/repogen/work-orders/{work_order}/audit"
    items = owner.get(f"{address}?limit=2").get_json()

    assert [one["event_id"] for one in items["items"]] == texts(written[1:3])
    rest = owner.get(f"{address}?cursor={items['next_cursor']}").get_json()
    assert [one["event_id"] for one in rest["items"]] == texts(written[:1])
    assert rest["next_cursor"] is None


def test_another_firms_record_is_not_there(
    make_firm: Any, make_user: Any, sign_in: Any, written: Any, work_order: Any
) -> None:
    stranger = sign_in(make_user(make_firm(), ["owner"]))
    answers = [
        stranger.get(f"/v1/repogen/work-orders/{one}/audit")
        for one in (work_order, new_id(), "nonsense")
    ]

    assert written
    assert [one.status_code for one in answers] == [404] * 3
    assert len({str(one.get_json() | {"instance": ""}) for one in answers}) == 1
    assert found(stranger, action="work") == []


def test_who_may_not_read_the_record_does_not(
    firm: Any, make_user: Any, sign_in: Any, work_order: Any
) -> None:
    valuer = sign_in(make_user(firm, ["valuer"]))
    for address in ("/v1/audit", f"/v1/repogen/work-orders/{work_order}/audit"):
        refused = valuer.get(address)
        assert (refused.status_code, refused.get_json()["capability"]) == (403, "audit.read")


def test_erased_details_are_called_erased(
    owner: Any, firm: Any, written: Any, as_worker: Any
) -> None:
    with as_worker(firm.tenant_id) as connection:
        connection.execute(
            text("delete from audit_details where tenant_id = :t and event_id = :e"),
            {"t": firm.tenant_id, "e": written[4]},
        )
    (shown,) = owner.get("/v1/audit?action=test:erased").get_json()["items"]

    assert (shown["before"], shown["after"], shown["details_erased"]) == (None, None, True)
    assert shown["reason"] == "because of test:erased"
