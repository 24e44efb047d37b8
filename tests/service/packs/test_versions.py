"""A pack is never overwritten: a correction makes the next version, and the old one stays."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service.bootstrap import Service
from service.clock import now
from tests.service.clients import Client
from tests.service.packs.specimen import (
    correct,
    enter,
    force_ready,
    make_ready,
    read_specimen,
    take_back,
)

BARE = "P04-below-five-crore"


@pytest.fixture
def order(service: Service, owner: Any, request: pytest.FixtureRequest) -> UUID:
    """A work order of a case without evidence, whose report is printed quickly."""
    return enter(service, owner, read_specimen(BARE), reference=request.node.name[:60])


@pytest.fixture(scope="module")
def corrected(service: Service, owner: Any, desk: Any, run_jobs: Any) -> UUID:
    """The specimen house: made, taken back, corrected, and made again, over the interface."""
    work_order_id = enter(service, owner, read_specimen())
    path = f"/v1/repogen/work-orders/{work_order_id}"
    for step in (
        lambda: desk.post(f"{path}/status", json={"status": "READY_FOR_RENDER"}),
        lambda: run_jobs() or None,
        lambda: desk.post(
            f"{path}/status", json={"status": "DATA_PENDING", "note": "Wrong landmark"}
        ),
        lambda: desk.send(
            "PATCH",
            f"{path}/contract",
            json={"patch": {"property": {"landmark": "Beside the post office"}}},
        ),
        lambda: desk.post(f"{path}/status", json={"status": "READY_FOR_RENDER"}),
        lambda: run_jobs() or None,
    ):
        answer = step()
        if not isinstance(answer, int):
            assert answer.status_code == 200, answer.get_data(as_text=True)
    return work_order_id


def test_a_correction_makes_a_second_version_that_says_what_it_replaces_and_why(
    desk: Any, corrected: UUID
) -> None:
    path = f"/v1/repogen/work-orders/{corrected}"
    listed = desk.get(f"{path}/packs").get_json()["items"]
    current = desk.get(f"{path}/pack").get_json()["pack"]

    assert [(one["version"], one["status"]) for one in listed] == [
        (2, "generated"),
        (1, "superseded"),
    ]
    assert (listed[0]["replaces_version"], listed[0]["replaces_reason"]) == (1, "Wrong landmark")
    assert (listed[1]["replaces_version"], listed[1]["end_reason"]) == (None, "Wrong landmark")
    assert listed[0]["bundle_digest"] != listed[1]["bundle_digest"]
    assert current == listed[0]


def test_the_replaced_version_is_still_downloaded_by_its_digest(desk: Any, corrected: UUID) -> None:
    old, new = (
        desk.get(f"/v1/repogen/work-orders/{corrected}/packs/{version}/artifacts/docx")
        for version in (1, 2)
    )

    for answer in (old, new):
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.data).hexdigest()}"'
    assert old.data != new.data
    assert old.headers["Zenops-Bundle-Digest"] != new.headers["Zenops-Bundle-Digest"]
    assert old.headers["Content-Disposition"].endswith('specimen-house-v1.docx"')
    assert new.headers["Content-Disposition"].endswith('specimen-house-v2.docx"')


def test_versions_come_in_pages(desk: Any, corrected: UUID) -> None:
    path = f"/v1/repogen/work-orders/{corrected}/packs"
    first = desk.get(f"{path}?limit=1").get_json()
    second = desk.get(f"{path}?limit=1&cursor={first['next_cursor']}").get_json()

    assert [one["version"] for one in (*first["items"], *second["items"])] == [2, 1]
    assert second["next_cursor"] is None
    assert desk.get(f"{path}?cursor=abc").get_json()["code"] == "CURSOR_INVALID"
    assert desk.get(f"{path}?limit=0").status_code == 422


def test_making_a_work_order_ready_makes_its_pack_and_asking_again_gives_the_same(
    service: Service, owner: Any, desk: Any, look: Any
) -> None:
    """The original's test 5.1: first not idempotent, then the same pack and job, counts as before."""
    work_order_id = enter(service, owner, read_specimen(), reference="original-5.1")
    make_ready(service, owner, work_order_id)
    # Ready without a pack is what the original could leave behind.
    for undo in (
        "delete from operations where work_order_id = :id",
        "update work_orders set current_pack_id = null where work_order_id = :id",
        "delete from packs where work_order_id = :id",
    ):
        look(undo, id=work_order_id)
    path = f"/v1/repogen/work-orders/{work_order_id}/create-pack"
    first = desk.post(path, json={})
    second = desk.post(path, json={"idempotency_key": "as the older clients send it"})
    third = desk.post(path)

    assert [one.status_code for one in (first, second, third)] == [201, 200, 200]
    made, same = first.get_json(), second.get_json()
    assert (made.pop("idempotent"), same.pop("idempotent")) == (False, True)
    assert (made.pop("queue_enqueued"), same.pop("queue_enqueued")) == (True, False)
    assert made == same
    assert made["pack"]["status"] == "generating"
    assert made["generation_job"]["kind"] == "pack.bundle"
    assert len(made["pack"]["bundle_digest"]) == 64
    assert look("select count(*) from packs where work_order_id = :id", id=work_order_id) == [(1,)]
    assert look("select count(*) from operations where work_order_id = :id", id=work_order_id) == [
        (1,)
    ]
    assert look(
        "select current_pack_id::text from work_orders where work_order_id = :id",
        id=work_order_id,
    ) == [(made["pack"]["pack_id"],)]


def test_no_pack_is_made_of_a_work_order_that_is_not_ready(desk: Any, order: UUID) -> None:
    answer = desk.post(f"/v1/repogen/work-orders/{order}/create-pack")

    assert answer.status_code == 400
    assert answer.get_json()["code"] == "PACK_CREATION_REQUIRES_READY_FOR_RENDER"
    assert desk.get(f"/v1/repogen/work-orders/{order}/pack").get_json()["pack"] is None


def test_no_pack_is_made_before_anything_was_computed(desk: Any, order: UUID, look: Any) -> None:
    look(
        "update work_orders set status = 'READY_FOR_RENDER', snapshot_version = 0"
        " where work_order_id = :id",
        id=order,
    )
    answer = desk.post(f"/v1/repogen/work-orders/{order}/create-pack")

    assert answer.status_code == 400
    assert answer.get_json()["code"] == "SNAPSHOT_REQUIRED_FOR_PACK_CREATION"


def test_sixteen_who_ask_at_once_get_one_pack_and_one_job(
    desk: Any, order: UUID, owner_engine: Any, packs_of: Any, look: Any
) -> None:
    force_ready(owner_engine, order)
    together = threading.Barrier(16)
    answers: list[Any] = []

    def ask() -> None:
        together.wait()
        answers.append(desk.post(f"/v1/repogen/work-orders/{order}/create-pack", json={}))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.status_code for one in answers) == [200] * 15 + [201]
    assert len({one.get_json()["pack"]["pack_id"] for one in answers}) == 1
    assert packs_of(order) == [(1, "generating")]
    assert look("select kind from operations where work_order_id = :id", id=order) == [
        ("pack.bundle",)
    ]


def test_a_newer_snapshot_replaces_a_pack_that_was_made_of_an_older_one(
    service: Service, owner: Any, desk: Any, order: UUID, owner_engine: Any, packs_of: Any
) -> None:
    force_ready(owner_engine, order)
    desk.post(f"/v1/repogen/work-orders/{order}/create-pack")
    correct(service, owner, order, landmark="Beside the post office")
    answer = desk.post(f"/v1/repogen/work-orders/{order}/create-pack")

    assert answer.status_code == 201
    assert packs_of(order) == [(1, "superseded"), (2, "generating")]
    assert "computed after it" in answer.get_json()["pack"]["replaces_reason"]


def test_taking_a_work_order_back_cancels_what_is_under_way_for_its_pack(
    service: Service,
    owner: Any,
    desk: Any,
    order: UUID,
    owner_engine: Any,
    packs_of: Any,
    look: Any,
    run_jobs: Any,
) -> None:
    look("update operations set status = 'cancelled' where status = 'pending'")
    force_ready(owner_engine, order)
    desk.post(f"/v1/repogen/work-orders/{order}/create-pack")
    take_back(service, owner, order, "a correction")

    assert packs_of(order) == [(1, "superseded")]
    assert look("select status from operations where work_order_id = :id", id=order) == [
        ("cancelled",)
    ]
    assert run_jobs() == 0
    state = desk.get(f"/v1/repogen/work-orders/{order}/pack").get_json()
    assert (state["pack"], state["sign_off"], state["artifacts"]) == (None, None, [])


def test_cancelling_a_work_order_withdraws_its_pack(
    desk: Any, order: UUID, owner_engine: Any, packs_of: Any
) -> None:
    force_ready(owner_engine, order)
    desk.post(f"/v1/repogen/work-orders/{order}/create-pack")
    answer = desk.post(f"/v1/repogen/work-orders/{order}/status", json={"status": "CANCELLED"})

    assert answer.status_code == 200
    assert packs_of(order) == [(1, "withdrawn")]


def test_a_portal_login_gets_nothing_of_a_pack(
    make_user: Any, make_firm: Any, sign_in: Any, corrected: UUID
) -> None:
    visitor = sign_in(make_user(make_firm(), roles=["portal_user"]), audience="portal")
    path = f"/v1/repogen/work-orders/{corrected}"

    for method, rest in (
        ("GET", "/pack"),
        ("GET", "/packs"),
        ("GET", "/packs/1/artifacts/docx"),
        ("POST", "/create-pack"),
        ("POST", "/packs/1/retry"),
    ):
        answer = visitor.send(method, path + rest)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "AUDIENCE_MISMATCH")


def test_another_firm_finds_none_of_it(
    make_user: Any, make_firm: Any, sign_in: Any, corrected: UUID
) -> None:
    stranger = sign_in(make_user(make_firm(), roles=["super_admin"]))
    path = f"/v1/repogen/work-orders/{corrected}"

    for method, rest in (
        ("GET", "/pack"),
        ("GET", "/packs"),
        ("GET", "/packs/1/artifacts/docx"),
        ("POST", "/create-pack"),
        ("POST", "/packs/1/retry"),
    ):
        answer = stranger.send(method, path + rest)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")
    assert stranger.get("/v1/repogen/work-orders/no-id/pack").status_code == 404


def test_a_bundle_with_identity_papers_needs_the_capability_to_see_them(
    desk: Any, app: Any, corrected: UUID, look: Any
) -> None:
    path = f"/v1/repogen/work-orders/{corrected}/packs/2/artifacts"
    expires = (now() + timedelta(hours=1)).isoformat()
    made = desk.post(
        "/v1/tokens",
        json={
            "kind": "service",
            "label": "archive",
            "scopes": ["deliverables.download", "repogen.factory", "repogen.sign"],
            "expires_at": expires,
        },
    )
    archive = Client(app, made.get_json()["token"])
    before = [archive.get(f"{path}/{kind}").status_code for kind in ("bundle", "docx")]
    look("update documents set sensitivity = 'pii' where filename = 'khata.jpg'")
    after = [archive.get(f"{path}/{kind}") for kind in ("bundle", "docx")]

    assert before == [200, 200]
    assert [one.status_code for one in after] == [403, 200]
    assert after[0].get_json()["capability"] == "evidence.sensitive"
    assert desk.get(f"{path}/bundle").status_code == 200
