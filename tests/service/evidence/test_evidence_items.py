"""Evidence is added, changed, ordered and taken out; nothing of it is lost on the way."""

import pytest

from tests.service.evidence import files

FROZEN = ("READY_FOR_RENDER", "CLOSED", "CANCELLED")
UNKNOWN = "01a20c94-cdcb-74ba-9257-ff53fcd38984"


def exterior(document, **more):
    return {
        "evidence_type": "PHOTO",
        "document_id": document,
        "tags": {"category": "exterior"},
    } | more


def one_of(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    (found,) = answer.get_json()["evidence_items"]
    return found


def test_a_piece_of_evidence_is_added_with_its_file(desk):
    order = desk.work_order()
    document = desk.document(classification="site_photo", taken_on_site="true")["id"]
    answer = desk.link(order, exterior(document, label="Front", annexure_order=3))
    found = one_of(answer)

    assert answer.headers["ETag"] == '"2"'
    assert answer.get_json()["version"] == 2
    assert (found["status"], found["label"], found["annexure_order"]) == ("uploaded", "Front", 3)
    assert found["key"] == found["id"]
    assert found["tags"] == {"category": "exterior"}
    assert (found["classification"], found["taken_on_site"]) == ("site_photo", True)
    assert found["document"]["facts"]["width"] == 640
    # The file belongs to the work order from then on.
    assert desk.client.get(f"/v1/documents/{document}").get_json()["work_order_id"] == order


def test_a_key_left_out_changes_nothing_and_null_clears(desk):
    order = desk.work_order()
    document = desk.document(
        classification="site_photo", source="mobile_camera", captured_at="2026-03-01T10:15:00+05:30"
    )["id"]
    before = one_of(
        desk.link(
            order,
            exterior(document, label="Front", doc_type="OTHER", annexure_order=7, key="front")
            | {"located_at": {"latitude": "12.5", "longitude": "77.25"}},
        )
    )
    after = one_of(desk.link(order, {"id": before["id"], "annexure_order": 1}))

    assert after == before | {"annexure_order": 1}
    cleared = one_of(
        desk.link(
            order,
            {"id": before["id"], "label": None, "doc_type": None, "tags": None, "source": None},
        )
    )
    assert cleared == after | {"label": None, "doc_type": None, "tags": {}, "source": None}
    for wrong in ({"evidence_type": None}, {"key": "back"}, {"sensitivity": None}, {"surprise": 1}):
        assert desk.link(order, {"id": before["id"]} | wrong).status_code == 422, wrong
    assert one_of(desk.client.get(f"/v1/repogen/work-orders/{order}/evidence")) == cleared


def test_moving_a_position_needs_a_reason(desk, rows):
    order = desk.work_order()
    first = {"evidence_type": "GEO", "located_at": {"latitude": "12.5", "longitude": "77.25"}}
    piece = one_of(desk.link(order, first))
    moved = {"id": piece["id"], "located_at": {"latitude": "12.6", "longitude": "77.25"}}
    refused = desk.link(order, moved)

    assert (refused.status_code, refused.get_json()["code"]) == (422, "REASON_REQUIRED")
    assert desk.link(order, {"id": piece["id"]} | first).status_code == 200
    assert one_of(desk.link(order, moved, reason="read again at the gate"))["located_at"] == {
        "latitude": "12.6",
        "longitude": "77.25",
    }
    found = rows(
        "select reason from audit_events where action = 'evidence:item:changed' and subject_id = :id",
        id=piece["id"],
    )
    assert found == [{"reason": "read again at the gate"}]


def test_all_items_are_taken_or_none(desk):
    order = desk.work_order()
    good = exterior(desk.document()["id"])
    foreign_piece = one_of(desk.link(desk.work_order(), {"evidence_type": "GEO"}))["id"]
    for bad, status, code in (
        (exterior(UNKNOWN), 400, "DOCUMENT_UNKNOWN"),
        ({"id": UNKNOWN, "label": "x"}, 404, "NOT_FOUND"),
        ({"id": foreign_piece, "label": "x"}, 404, "NOT_FOUND"),
        ({"label": "no type"}, 422, "VALIDATION_FAILED"),
        ({"evidence_type": "GEO", "source": "portal"}, 422, "VALIDATION_FAILED"),
        ({"evidence_type": "FILM"}, 422, "VALIDATION_FAILED"),
        ({"evidence_type": "GEO", "key": "a b"}, 422, "VALIDATION_FAILED"),
    ):
        answer = desk.link(order, good, bad)
        assert (answer.status_code, answer.get_json()["code"]) == (status, code), bad
    assert desk.evidence(order)["evidence_items"] == []
    assert desk.evidence(order)["version"] == 1


def test_another_firms_document_is_unknown_and_its_work_order_is_not_there(desk, make_desk):
    other = make_desk()
    theirs, order = other.document()["id"], desk.work_order()
    piece = one_of(desk.link(order, {"evidence_type": "GEO"}))["id"]
    base = f"/v1/repogen/work-orders/{order}"

    assert desk.link(order, exterior(theirs)).get_json()["code"] == "DOCUMENT_UNKNOWN"
    for answer in (
        other.link(order, exterior(theirs)),
        other.client.get(f"{base}/evidence"),
        other.client.delete(f"{base}/evidence/{piece}", json={"reason": "not mine"}),
        other.client.post(f"{base}/evidence/auto-order"),
        other.client.get(f"{base}/evidence-profiles"),
        other.client.post(f"{base}/evidence-profile", json={"use_default": True}),
        other.client.get(f"{base}/field-evidence-links"),
        other.client.post(
            f"{base}/field-evidence-links",
            json={"links": [{"field_key": "property.address", "evidence_item_id": piece}]},
        ),
        other.client.get("/v1/repogen/work-orders/x/evidence"),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")


def test_a_key_names_one_piece_for_ever(desk):
    order = desk.work_order()
    piece = one_of(desk.link(order, {"evidence_type": "GEO", "key": "gate"}))
    taken = desk.link(order, {"evidence_type": "GEO", "key": "gate"})

    assert (taken.status_code, taken.get_json()["code"]) == (409, "EVIDENCE_KEY_TAKEN")
    path = f"/v1/repogen/work-orders/{order}/evidence/{piece['id']}"
    assert desk.client.delete(path, json={"reason": "wrong gate"}).status_code == 200
    assert desk.link(order, {"evidence_type": "GEO", "key": "gate"}).status_code == 409
    twice = desk.link(
        order, {"evidence_type": "GEO", "key": "new"}, {"evidence_type": "GEO", "key": "new"}
    )
    assert twice.status_code == 409


def test_one_photograph_counts_once_and_one_scan_may_hold_several_papers(desk):
    order = desk.work_order()
    photo, scan = desk.document()["id"], desk.document(files.pdf(4), "papers.pdf")["id"]

    assert desk.link(order, exterior(photo), exterior(photo)).get_json()["code"] == (
        "DOCUMENT_USED_TWICE"
    )
    assert desk.link(order, exterior(photo)).status_code == 200
    assert (
        desk.link(order, {"evidence_type": "SCREENSHOT", "document_id": photo}).status_code == 409
    )
    deed = {"evidence_type": "DOCUMENT", "document_id": scan, "doc_type": "SALE_DEED"}
    assert desk.link(order, deed, deed | {"doc_type": "EC"}).status_code == 200
    assert desk.link(order, deed).status_code == 409
    assert desk.link(order, deed | {"doc_type": None}).status_code == 409
    # In another work order it shows something again.
    assert desk.link(desk.work_order(), deed).status_code == 200


def test_only_an_uploaded_file_counts(desk):
    order = desk.work_order()
    content = files.pdf(1, b"deed")
    pending = desk.pending(content, filename="deed.pdf", content_type="application/pdf")
    deed = {"evidence_type": "DOCUMENT", "doc_type": "SALE_DEED"}

    def found():
        return desk.checklist(order)["sale_deed"]["current_count"]

    assert one_of(desk.link(order, deed | {"document_id": pending}))["status"] == "pending"
    assert found() == 0
    before = desk.evidence(order)
    desk.confirm(pending)
    after = desk.evidence(order)
    assert after["evidence_items"][0]["status"] == "uploaded"
    assert (found(), after["version"]) == (1, before["version"] + 1)
    assert after["completeness_score"] > before["completeness_score"]

    desk.client.delete(f"/v1/documents/{pending}", json={"reason": "another house's deed"})
    gone = desk.evidence(order)
    assert gone["evidence_items"][0]["status"] == "deleted"
    assert (found(), gone["completeness_score"]) == (0, before["completeness_score"])
    # A piece without any file is promised, no more.
    desk.link(order, deed)
    assert found() == 0


def test_what_is_said_of_a_document_counts_at_once_in_its_work_orders(desk):
    first, second = desk.work_order(), desk.work_order()
    document = desk.document(files.located_jpeg(50))["id"]
    for order in (first, second):
        assert (
            desk.link(order, exterior(document, tags={"category": "valuer_at_site"})).status_code
            == 200
        )
    versions = [desk.evidence(order)["version"] for order in (first, second)]
    desk.client.patch(f"/v1/documents/{document}/metadata", json={"taken_on_site": True})

    assert [desk.evidence(order)["version"] for order in (first, second)] == [
        version + 1 for version in versions
    ]


def test_ordering_changes_the_numbers_and_not_one_other_byte(desk, rows):
    order = desk.work_order()
    places = ("interior", "map", "exterior", "surroundings", "exterior")
    items = [
        exterior(
            desk.document(
                classification="site_photo",
                source="mobile_camera",
                sensitivity="confidential",
                captured_at=f"2026-03-01T10:1{number}:00+05:30",
                remarks=f"no. {number}",
            )["id"],
            tags={"category": place, "note": "kept"},
            doc_type="OTHER" if number else None,
            label=f"Picture {number}",
            key=f"p{number}",
        )
        for number, place in enumerate(places)
    ]
    items.append({"evidence_type": "GEO", "located_at": {"latitude": "12.50", "longitude": "77.2"}})
    desk.link(order, *items)
    every = (
        "select to_jsonb(e) - 'annexure_order' as item, to_jsonb(d) as document"
        " from evidence_items e left join documents d on d.document_id = e.document_id"
        " where e.work_order_id = cast(:id as uuid) order by e.evidence_item_id"
    )
    before = rows(every, id=order)
    answer = desk.client.post(f"/v1/repogen/work-orders/{order}/evidence/auto-order")
    ordered = answer.get_json()["evidence_items"]

    assert answer.status_code == 200
    assert [one["annexure_order"] for one in ordered] == [1, 2, 3, 4, 5, 6]
    assert [one["key"] for one in ordered][:4] == ["p2", "p4", "p0", "p3"]
    assert rows(every, id=order) == before
    # Ordered already, it is left alone.
    again = desk.client.post(f"/v1/repogen/work-orders/{order}/evidence/auto-order")
    assert again.get_json() == answer.get_json()
    assert again.headers["ETag"] == answer.headers["ETag"]


def test_a_removed_piece_is_gone_from_the_list_and_kept_in_the_record(desk, rows):
    order = desk.work_order()
    document = desk.document()["id"]
    piece = one_of(desk.link(order, exterior(document)))["id"]
    path = f"/v1/repogen/work-orders/{order}/evidence/{piece}"

    assert desk.client.delete(path, json={}).status_code == 422
    assert (
        desk.client.delete(path, json={"reason": "the neighbour's house"}).get_json()[
            "evidence_items"
        ]
        == []
    )
    assert desk.client.delete(path, json={"reason": "once more"}).status_code == 404
    assert desk.link(order, {"id": piece, "label": "back"}).status_code == 404
    assert desk.client.get(f"/v1/documents/{document}").get_json()["status"] == "uploaded"
    assert rows(
        "select removal_reason from evidence_items where evidence_item_id = cast(:id as uuid)",
        id=piece,
    ) == [{"removal_reason": "the neighbour's house"}]
    assert rows(
        "select reason from audit_events where action = 'evidence:item:removed' and subject_id = :id",
        id=piece,
    ) == [{"reason": "the neighbour's house"}]
    assert desk.link(order, exterior(document)).status_code == 200


@pytest.mark.parametrize("state", FROZEN)
def test_nothing_is_changed_while_a_report_stands(desk, set_status, rows, state):
    order = desk.work_order()
    document = desk.document(remarks="first")["id"]
    pending = desk.pending(files.jpeg(60 + FROZEN.index(state)))
    desk.link(order, exterior(document, key="a"), exterior(pending, key="b"))
    piece = desk.evidence(order)["evidence_items"][0]["id"]
    base = f"/v1/repogen/work-orders/{order}"
    link = {"field_key": "property.address", "evidence_item_id": piece}
    assert (
        desk.client.post(f"{base}/field-evidence-links", json={"links": [link]}).status_code == 200
    )
    set_status(order, state)
    everything = (
        "select (select jsonb_agg(to_jsonb(e) order by e.key) from evidence_items e"
        " where e.work_order_id = w.work_order_id) as items,"
        " (select jsonb_agg(to_jsonb(l)) from field_evidence_links l"
        " where l.work_order_id = w.work_order_id) as links, to_jsonb(w) as work_order"
        " from work_orders w where w.work_order_id = cast(:id as uuid)"
    )
    before = rows(everything, id=order)

    for answer in (
        desk.link(order, {"id": piece, "label": "late"}),
        desk.link(order, {"evidence_type": "GEO"}),
        desk.client.delete(f"{base}/evidence/{piece}", json={"reason": "too late"}),
        desk.client.post(f"{base}/evidence/auto-order"),
        desk.client.post(f"{base}/evidence-profile", json={"use_default": True}),
        desk.client.post(f"{base}/field-evidence-links", json={"links": [link | {"remove": True}]}),
        desk.client.delete(f"/v1/documents/{document}", json={"reason": "too late"}),
        desk.client.patch(f"/v1/documents/{document}/metadata", json={"taken_on_site": True}),
        desk.confirm(pending),
    ):
        assert answer.status_code == 409, answer.get_data(as_text=True)
        assert answer.get_json()["code"] == "WORK_ORDER_NOT_EDITABLE"
    assert rows(everything, id=order) == before
    # Who may open a file is mended at any time; the report shows nothing of it.
    mended = desk.client.patch(f"/v1/documents/{document}/metadata", json={"sensitivity": "pii"})
    assert mended.get_json()["sensitivity"] == "pii"
    assert rows(everything, id=order) == before
    assert desk.client.get(f"{base}/evidence").status_code == 200


def test_a_change_of_evidence_is_made_on_the_version_that_was_seen(desk):
    order = desk.work_order()
    seen = {"If-Match": '"1"'}

    assert desk.link(order, {"evidence_type": "GEO"}, headers=seen).status_code == 200
    late = desk.link(order, {"evidence_type": "GEO"}, headers=seen)
    assert (late.status_code, late.get_json()["current_version"]) == (412, 2)
    path = f"/v1/repogen/work-orders/{order}/evidence/auto-order"
    assert desk.client.post(path, headers=seen).status_code == 412


def test_a_list_tells_of_pictures_that_are_used_elsewhere(desk):
    content = files.jpeg(70)
    first, second = desk.work_order(), desk.work_order()
    old = desk.document(content, work_order_id=first)
    new = desk.document(content, work_order_id=second)
    desk.link(second, exterior(new["id"]))
    (copy,) = desk.evidence(second)["evidence_items"][0]["duplicates"]

    assert (copy["document_id"], copy["how"]) == (old["id"], "same file")
    assert copy["work_order_id"] == first


def test_a_work_order_takes_so_many_pieces_only(desk, monkeypatch):
    from service.evidence.limits import limits

    few = limits().model_copy(update={"evidence_items_per_work_order": 3})
    monkeypatch.setattr("service.evidence.items.limits", lambda: few)
    order = desk.work_order()
    piece = {"evidence_type": "GEO"}

    assert desk.link(order, piece, piece).status_code == 200
    assert desk.link(order, piece, piece).get_json()["code"] == "TOO_MUCH_EVIDENCE"
    assert desk.link(order, piece).status_code == 200
    assert desk.link(order, *[piece] * 201).status_code == 422
