import pytest
from sqlalchemy import text

from service.errors import ServiceError
from service.workorders import transitions
from service.workorders.moving import move as moved
from service.workorders.transitions import TRANSITIONS, Transition
from tests.service.workorders.cases import acting, actor_of, remove_piece
from tests.service.workorders.conftest import ORDERS

STATES = ("DRAFT", "EVIDENCE_PENDING", "DATA_PENDING", "READY_FOR_RENDER", "CLOSED", "CANCELLED")
#: Written out once more, so that a slip in the table is seen.
ALLOWED = {
    "DRAFT": {"EVIDENCE_PENDING", "DATA_PENDING", "CANCELLED"},
    "EVIDENCE_PENDING": {"DATA_PENDING", "CANCELLED"},
    "DATA_PENDING": {"READY_FOR_RENDER", "CLOSED", "CANCELLED"},
    "READY_FOR_RENDER": {"CLOSED", "CANCELLED", "DATA_PENDING"},
    "CLOSED": {"DATA_PENDING"},
    "CANCELLED": set(),
}


def move(client, work_order_id, status, note="as the test says", **more):
    return client.post(
        f"{ORDERS}/{work_order_id}/status", json={"status": status, "note": note}, **more
    )


@pytest.mark.parametrize("source", STATES)
def test_each_state_leads_where_the_table_says_and_nowhere_else(
    desk, ready, set_status, rows, source
):
    for target in STATES:
        set_status(ready, source)
        before = rows("select version from work_orders where work_order_id = :id", id=ready)[0][0]
        answer = move(desk, ready, target)
        status, version = rows(
            "select status, version from work_orders where work_order_id = :id", id=ready
        )[0]
        if target == source:
            assert answer.status_code == 200
            assert answer.get_json()["changed"] is False
            assert (status, version) == (source, before)
        elif target in ALLOWED[source]:
            assert answer.status_code == 200, answer.get_data(as_text=True)
            assert answer.get_json()["work_order"]["status"] == status == target
            assert version > before
        else:
            assert answer.status_code == 400
            assert answer.get_json()["code"] == "ILLEGAL_STATUS_TRANSITION"
            assert set(answer.get_json()["allowed"]) == ALLOWED[source]
            assert (status, version) == (source, before)


def test_the_table_lists_each_way_once():
    ways = [(way.source, way.target) for way in TRANSITIONS]

    assert len(ways) == len(set(ways)) == sum(map(len, ALLOWED.values()))


def test_each_change_is_a_row_a_comment_and_an_audit_event(desk, ready, rows):
    assert move(desk, ready, "DATA_PENDING", "the papers have come").status_code == 200

    (change,) = rows(
        "select from_status, to_status, note from status_changes where work_order_id = :id",
        id=ready,
    )
    assert tuple(change) == ("DRAFT", "DATA_PENDING", "the papers have come")
    (comment,) = rows("select comment_type, body from comments where work_order_id = :id", id=ready)
    assert tuple(comment) == ("NOTES", "Status DRAFT -> DATA_PENDING: the papers have come")
    (event,) = rows(
        "select reason from audit_events where work_order_id = :id"
        " and action = 'workorder:status:changed'",
        id=ready,
    )
    assert event.reason == "the papers have come"


def test_a_report_needs_a_snapshot(desk, create):
    order = create()
    move(desk, order["work_order_id"], "DATA_PENDING")

    answer = move(desk, order["work_order_id"], "READY_FOR_RENDER")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "SNAPSHOT_REQUIRED")


def test_being_ready_makes_the_pack_and_its_job_of_the_latest_snapshot(desk, ready, rows):
    move(desk, ready, "DATA_PENDING")
    answer = move(desk, ready, "READY_FOR_RENDER")

    # Nothing has changed since the patch, so its snapshot is the report's.
    assert answer.get_json()["snapshot"]["version"] == 2
    (pack,) = rows("select * from packs where work_order_id = :id", id=ready)
    assert (pack.version, pack.snapshot_version, pack.status) == (1, 2, "generating")
    assert pack.bundle_digest == answer.get_json()["snapshot"]["bundle_digest"]
    assert answer.get_json()["work_order"]["current_pack_id"] == str(pack.pack_id)
    (operation,) = rows("select * from operations where work_order_id = :id", id=ready)
    assert (operation.kind, operation.status) == ("pack.bundle", "pending")


def test_removed_evidence_is_noticed_when_the_report_is_asked_for(
    service, actor, desk, ready, rows
):
    move(desk, ready, "DATA_PENDING")
    remove_piece(service, actor, ready, "photo-3")

    answer = move(desk, ready, "READY_FOR_RENDER")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "REPOGEN_READINESS_BLOCK")
    assert rows("select 1 from packs where work_order_id = :id", id=ready) == []


@pytest.mark.parametrize("source", ["READY_FOR_RENDER", "CLOSED"])
def test_going_back_needs_a_note_and_ends_the_pack(desk, ready, rows, source):
    move(desk, ready, "DATA_PENDING")
    move(desk, ready, "READY_FOR_RENDER")
    if source == "CLOSED":
        move(desk, ready, "CLOSED")

    blank = move(desk, ready, "DATA_PENDING", note="  ")
    assert (blank.status_code, blank.get_json()["code"]) == (422, "REASON_REQUIRED")

    answer = move(desk, ready, "DATA_PENDING", note="the deed was the wrong one")
    assert answer.status_code == 200
    assert answer.get_json()["work_order"]["current_pack_id"] is None
    (pack,) = rows("select status from packs where work_order_id = :id", id=ready)
    assert pack.status == "superseded"

    assert move(desk, ready, "READY_FOR_RENDER").status_code == 200
    packs = rows(
        "select version, status, replaces_reason from packs where work_order_id = :id"
        " order by version",
        id=ready,
    )
    assert [tuple(pack)[:2] for pack in packs] == [(1, "superseded"), (2, "generating")]
    assert packs[1].replaces_reason == "the deed was the wrong one"


def test_going_back_without_the_capability_is_refused(service, person, desk, ready):
    move(desk, ready, "DATA_PENDING")
    move(desk, ready, "READY_FOR_RENDER")
    few = actor_of(person, frozenset({"repogen.status"}))

    with (
        pytest.raises(ServiceError, match=r"repogen\.reopen") as refused,
        acting(service, few) as connection,
    ):
        moved(connection, few, ready, "DATA_PENDING", note="a note")
    assert (refused.value.status, refused.value.code) == (403, "CAPABILITY_MISSING")


def test_cancelling_withdraws_the_pack(desk, ready, rows):
    move(desk, ready, "DATA_PENDING")
    move(desk, ready, "READY_FOR_RENDER")

    assert move(desk, ready, "CANCELLED", note="").status_code == 200

    (pack,) = rows("select status from packs where work_order_id = :id", id=ready)
    assert pack.status == "withdrawn"


def test_an_effect_that_fails_undoes_the_whole_change(desk, ready, rows, monkeypatch):
    def fails(connection, *_):
        connection.execute(text("select 1 / 0"))

    monkeypatch.setattr(
        transitions, "TRANSITIONS", (Transition("DRAFT", "DATA_PENDING", effects=(fails,)),)
    )
    answer = move(desk, ready, "DATA_PENDING")

    assert answer.status_code >= 400
    (order,) = rows("select status, version from work_orders where work_order_id = :id", id=ready)
    assert order.status == "DRAFT"
    assert rows("select 1 from comments where work_order_id = :id", id=ready) == []


@pytest.mark.parametrize("status", ["READY_FOR_RENDER", "CLOSED", "CANCELLED"])
def test_nothing_can_be_edited_in_a_frozen_state(desk, ready, set_status, rows, status):
    set_status(ready, status)
    before = rows("select * from work_orders where work_order_id = :id", id=ready)
    writes = [
        ("contract", {"patch": {"party": {"borrower_name": "Another"}}}),
        ("", {"title": "Another"}),
    ]
    for name, body in writes:
        answer = desk.patch(f"{ORDERS}/{ready}/{name}".rstrip("/"), json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "WORK_ORDER_NOT_EDITABLE")

    assert rows("select * from work_orders where work_order_id = :id", id=ready) == before
    comment = desk.post(f"{ORDERS}/{ready}/comments", json={"body": "noted"})
    assert comment.status_code == 201


@pytest.mark.parametrize("status", ["DRAFT", "EVIDENCE_PENDING", "DATA_PENDING"])
def test_the_other_states_can_be_edited(desk, ready, set_status, status):
    set_status(ready, status)

    answer = desk.patch(
        f"{ORDERS}/{ready}/contract", json={"patch": {"party": {"borrower_name": "Another"}}}
    )

    assert answer.status_code == 200


def test_a_move_on_an_older_version_is_refused(desk, ready):
    answer = move(desk, ready, "DATA_PENDING", headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.get_json()["code"]) == (412, "VERSION_CONFLICT")
    current = answer.get_json()["current_version"]
    assert (
        move(desk, ready, "DATA_PENDING", headers={"If-Match": f'"{current}"'}).status_code == 200
    )
