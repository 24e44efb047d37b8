"""The original's numbered weaknesses that belong to evidence: each test fails on its behaviour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from sqlalchemy import text

from tests.service.evidence import files


def test_weakness_11_nothing_counts_as_received_because_somebody_says_so(desk: Any) -> None:
    """There, a button invented the name of a file, and the requirement was met."""
    order = desk.work_order()
    deed = {"evidence_type": "DOCUMENT", "doc_type": "SALE_DEED"}

    assert desk.link(order, deed | {"status": "uploaded"}).status_code == 422
    said = desk.link(order, deed | {"file_ref": "received://manual/deed"})
    assert said.status_code == 200
    assert [one["status"] for one in said.get_json()["evidence_items"]] == ["pending"]
    assert desk.checklist(order)["sale_deed"]["current_count"] == 0


def test_weakness_20_a_file_is_read_when_it_comes_and_clicks_ask_for_no_more_work(
    desk: Any, rows: Any
) -> None:
    """There, each click queued another job, which found nothing."""
    document = desk.pending(files.located_jpeg(71))
    order = desk.work_order()
    asked = "select count(*) as n from operations where tenant_id = :tenant"
    before = rows(asked, tenant=desk.firm.tenant_id)
    answers = [desk.confirm(document).get_json() for _ in range(3)]
    for _ in range(2):
        desk.link(
            order,
            {"key": "front", "evidence_type": "PHOTO", "document_id": document},
        )

    assert answers[0]["facts"]["located_at"]["latitude"] == "12.500000"
    assert answers[0] == answers[1] == answers[2]
    assert rows(asked, tenant=desk.firm.tenant_id) == before


def test_weakness_21_looking_at_profiles_writes_nothing_however_many_look(
    desk: Any, rows: Any
) -> None:
    """There, whoever looked first wrote the profiles, and two who did so wrote them twice."""
    order = desk.work_order()
    tables = [
        one["name"]
        for one in rows(
            "select c.relname as name from pg_class c where c.relkind in ('r', 'p')"
            " and c.relnamespace = 'public'::regnamespace order by 1"
        )
    ]

    def counts() -> Any:
        return [rows(f"select count(*) as n from {table}")[0]["n"] for table in tables]  # noqa: S608

    before = counts()
    path = f"/v1/repogen/work-orders/{order}/evidence-profiles"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(desk.client.get, [path] * 8))

    assert {one.status_code for one in answers} == {200}
    shown = [one["id"] for one in answers[0].get_json()["profiles"]]
    assert len(shown) == len(set(shown)) > 0
    assert counts() == before


def test_weakness_61_what_was_deleted_is_open_to_nobody_at_desk_or_portal(
    make_desk: Any, owner_engine: Any
) -> None:
    at_desk = make_desk()
    guest = make_desk(roles=["portal_user"], firm=at_desk.firm, audience="portal")
    order = at_desk.work_order(source_type="CHANNEL")
    with owner_engine.begin() as connection:
        connection.execute(
            text("update work_orders set requested_by = :user where work_order_id = :id"),
            {"user": guest.user.user_id, "id": UUID(order)},
        )
    document = guest.document(files.pdf(2, b"wrong deed"), "deed.pdf", work_order_id=order)["id"]
    content = f"/v1/files/{document}/content"
    assert guest.client.get(content).status_code == 200
    gone = at_desk.client.delete(f"/v1/documents/{document}", json={"reason": "another's deed"})
    assert gone.status_code == 200

    for one in (guest, at_desk):
        assert one.client.get(content).status_code == 404
        assert one.client.get(f"/v1/files/{document}/presign-download").status_code >= 404
