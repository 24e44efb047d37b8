"""The original's numbered weaknesses that belong to packs: each test fails on its behaviour."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from service.bootstrap import Service
from tests.service.clients import Client
from tests.service.conftest import Firm
from tests.service.packs.specimen import enter, force_ready, read_specimen

BARE = "P04-below-five-crore"


@pytest.fixture
def make_ready_order(service: Service, owner: Any, owner_engine: Any) -> Any:
    """make_ready_order(reference) -> the id of a work order whose report may be made."""

    def make(reference: str) -> UUID:
        work_order_id = enter(service, owner, read_specimen(BARE), reference=reference)
        force_ready(owner_engine, work_order_id)
        return work_order_id

    return make


def test_weakness_28_a_key_of_another_work_orders_pack_gives_each_its_own_job(
    desk: Any, make_ready_order: Any, look: Any
) -> None:
    """There, a job of the same key was taken over, and the second pack had none."""
    orders = [make_ready_order(f"weakness-28-{number}") for number in (1, 2)]
    answers = [
        desk.post(f"/v1/repogen/work-orders/{order}/create-pack", json={"idempotency_key": "same"})
        for order in orders
    ]

    assert [one.status_code for one in answers] == [201, 201]
    assert len({one.get_json()["generation_job"]["operation_id"] for one in answers}) == 2
    for order, answer in zip(orders, answers, strict=True):
        assert look(
            "select subject_id::text from operations where work_order_id = :id", id=order
        ) == [(answer.get_json()["pack"]["pack_id"],)]


def test_weakness_34_the_studio_has_packs_made_and_who_may_not_is_refused_by_name(
    owner: Any, make_firm: Any, make_user: Any, sign_in: Any, make_ready_order: Any, look: Any
) -> None:
    """There, a right in the code met rows that it could only read; and who had none got a 400."""
    order = make_ready_order("weakness-34")
    path = f"/v1/repogen/work-orders/{order}/create-pack"
    person = make_user(make_firm(kind="service"), ["super_admin"])
    inside = sign_in(person, "studio")
    studio = Client(inside.app, inside.token, {"X-Zenops-Tenant": str(owner.tenant_id)})
    staff = sign_in(make_user(Firm(owner.tenant_id, "", ""), ["staff"]))

    refused = staff.post(path)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")
    made = studio.post(path)
    assert made.status_code == 201, made.get_data(as_text=True)
    pack = made.get_json()["pack"]["pack_id"]
    assert look("select tenant_id, status from packs where pack_id = :id", id=UUID(pack)) == [
        (owner.tenant_id, "generating")
    ]
    assert look("select kind from operations where subject_id = :id", id=UUID(pack)) == [
        ("pack.bundle",)
    ]
    assert (person.user_id,) in look(
        "select actor_id from audit_events where work_order_id = :id", id=order
    )


def test_weakness_25_a_work_order_is_not_ready_if_its_pack_cannot_be_made(
    service: Service, owner: Any, desk: Any, look: Any
) -> None:
    """There, the state was stored first, and the pack was refused afterwards."""
    order = enter(service, owner, read_specimen(), reference="weakness-25")
    path = f"/v1/repogen/work-orders/{order}/status"
    before = look("select * from work_orders where work_order_id = :id", id=order)
    look(
        "create function refuse() returns trigger language plpgsql as"
        " 'begin raise exception ''no pack today'' using errcode = ''check_violation''; end'"
    )
    look("create trigger refused before insert on packs for each row execute function refuse()")
    try:
        refused = desk.post(path, json={"status": "READY_FOR_RENDER"})
    finally:
        look("drop trigger refused on packs")
        look("drop function refuse()")

    assert refused.status_code >= 400
    assert look("select * from work_orders where work_order_id = :id", id=order) == before
    assert look("select 1 from operations where work_order_id = :id", id=order) == []
    # Nothing else stood in its way.
    assert desk.post(path, json={"status": "READY_FOR_RENDER"}).status_code == 200
