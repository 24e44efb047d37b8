"""Documents are described, tagged, listed, read by those who may, and taken out with a reason."""

import pytest

from tests.service.evidence import files
from tests.service.evidence.conftest import sha256


def metadata(desk, document, **changes):
    headers = changes.pop("headers", {})
    return desk.client.patch(f"/v1/documents/{document}/metadata", json=changes, headers=headers)


def test_what_is_left_out_stays_and_null_clears(desk):
    document = desk.document(
        classification="site_photo", source="mobile_camera", remarks="first", taken_on_site="true"
    )["id"]
    changed = metadata(desk, document, remarks=None, source="mobile_gallery").get_json()

    assert changed["remarks"] is None
    assert changed["source"] == "mobile_gallery"
    assert changed["classification"] == "site_photo"
    assert changed["taken_on_site"] is True
    assert metadata(desk, document, sensitivity=None).status_code == 422
    assert metadata(desk, document, original_filename="x").status_code == 422


def test_a_change_is_made_on_the_version_that_was_seen(desk):
    document = desk.document()
    seen = f'"{document["version"]}"'
    first = metadata(desk, document["id"], remarks="one", headers={"If-Match": seen})
    late = metadata(desk, document["id"], remarks="two", headers={"If-Match": seen})

    assert first.status_code == 200
    assert first.headers["ETag"] == f'"{document["version"] + 1}"'
    assert late.status_code == 412
    assert late.get_json()["current_version"] == document["version"] + 1
    assert (
        metadata(desk, document["id"], remarks="one").get_json()["version"]
        == document["version"] + 1
    )


def test_every_change_is_written_down_with_what_was_there_before(desk, rows):
    document = desk.document(remarks="first")["id"]
    metadata(desk, document, remarks="second")
    found = rows(
        "select e.action, d.details from audit_events e left join audit_details d"
        " on d.tenant_id = e.tenant_id and d.event_id = e.event_id"
        " where e.subject_id = :id order by e.event_id desc limit 1",
        id=document,
    )

    assert found[0]["action"] == "document:metadata:changed"
    assert found[0]["details"] == '{"after":{"remarks":"second"},"before":{"remarks":"first"}}'


def test_tags_are_put_on_and_taken_off(desk):
    document = desk.document()["id"]
    address = f"/v1/documents/{document}/tags"

    assert desk.client.post(address, json={"key": "floor", "value": "2"}).get_json()["tags"] == {
        "floor": "2"
    }
    assert desk.client.post(
        address, json={"tags": [{"key": "kitchen"}], "remove": ["floor", "absent"]}
    ).get_json()["tags"] == {"kitchen": "true"}
    assert desk.client.post(address, json={}).status_code == 422
    many = [{"key": f"t{number}"} for number in range(40)]
    assert desk.client.post(address, json={"tags": many[:39]}).status_code == 200
    assert desk.client.post(address, json={"tags": many}).status_code == 422


def test_a_list_is_filtered_and_continued(make_desk):
    desk = make_desk()
    order = desk.work_order()
    first = desk.document(name="Sale Deed.jpg", classification="legal", purpose="evidence")["id"]
    second = desk.document(source="mobile_camera", sensitivity="pii", work_order_id=order)["id"]
    third = desk.pending(files.jpeg(40), send=False, filename="later.jpg")
    desk.client.post(f"/v1/documents/{second}/tags", json={"key": "room", "value": "hall"})
    gone = desk.document()["id"]
    desk.client.delete(f"/v1/documents/{gone}", json={"reason": "blurred"})

    def listed(query=""):
        answer = desk.client.get(f"/v1/documents?{query}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return [one["id"] for one in answer.get_json()["items"]]

    assert listed() == [third, second, first]
    for query, found in (
        ("filename=sale deed", [first]),
        ("filename=%25", []),
        ("classification=legal", [first]),
        ("purpose=evidence", [first]),
        ("source=mobile_camera", [second]),
        # A legal paper is one by its kind.
        ("sensitivity=pii", [second, first]),
        ("sensitivity=internal", [third]),
        (f"work_order_id={order}", [second]),
        ("tag_key=room", [second]),
        ("tag_key=room&tag_value=hall", [second]),
        ("tag_key=room&tag_value=attic", []),
        ("tag_value=hall", [second]),
        ("status=pending", [third]),
        ("status=deleted", [gone]),
        ("status=uploaded", [second, first]),
    ):
        assert listed(query) == found, query
    page = desk.client.get("/v1/documents?limit=2").get_json()
    assert [one["id"] for one in page["items"]] == [third, second]
    rest = desk.client.get(f"/v1/documents?limit=2&cursor={page['next_cursor']}").get_json()
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([first], None)
    for wrong in ("limit=0", "limit=101", "cursor=x", "status=lost", "surprise=1"):
        assert desk.client.get(f"/v1/documents?{wrong}").status_code == 422, wrong


def test_a_download_is_a_file_to_be_saved_whatever_is_in_it(desk):
    content = files.jpeg(41) + b"<script>alert(1)</script>"
    document = desk.document(content, "front.html")["id"]
    own = desk.client.get(f"/v1/files/{document}/content")
    url = desk.client.get(f"/v1/files/{document}/presign-download").get_json()["url"]
    signed = desk.client.app.test_client().get("/" + url.partition("://")[2].partition("/")[2])

    for answer in (own, signed):
        assert answer.status_code == 200
        assert answer.data == content
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Content-Disposition"].startswith(
            'attachment; filename="front.html.jpg"'
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("sensitivity", ["pii", "confidential"])
def test_identity_papers_are_opened_by_few_and_never_without_a_note(make_desk, rows, sensitivity):
    desk = make_desk()
    clerk = make_desk(roles=["staff"], firm=desk.firm)
    paper = desk.document(name="Passport of A.jpg", sensitivity=sensitivity, remarks="no. 7")["id"]
    plain = desk.document(name="gate.jpg", sensitivity="internal")["id"]

    def notes():
        return rows(
            "select count(*) as n from audit_events"
            " where action = 'document:file:read' and subject_id in (:a, :b)",
            a=paper,
            b=plain,
        )[0]["n"]

    assert clerk.client.get(f"/v1/files/{plain}/content").status_code == 200
    for way in ("content", "presign-download"):
        refused = clerk.client.get(f"/v1/files/{paper}/{way}")
        assert (refused.status_code, refused.get_json()["code"]) == (403, "DOCUMENT_GUARDED")
    shown = clerk.client.get(f"/v1/documents/{paper}").get_json()
    assert (shown["original_filename"], shown["remarks"]) == (None, None)
    assert "Passport" not in clerk.client.get("/v1/documents").get_data(as_text=True)
    assert notes() == 0

    assert desk.client.get(f"/v1/files/{plain}/content").status_code == 200
    assert notes() == 0
    assert desk.client.get(f"/v1/files/{paper}/content").status_code == 200
    assert desk.client.get(f"/v1/files/{paper}/presign-download").status_code == 200
    assert notes() == 2
    assert desk.client.get(f"/v1/documents/{paper}").get_json()["remarks"] == "no. 7"


def test_a_deleted_document_keeps_its_bytes_but_gives_them_to_nobody(desk, service):
    content = files.jpeg(42)
    document = desk.document(content)["id"]
    url = desk.client.get(f"/v1/files/{document}/presign-download").get_json()["url"]
    path = f"/v1/documents/{document}"

    for wrong in ({}, {"reason": " "}, {"reason": "x"}):
        assert desk.client.delete(path, json=wrong).status_code == 422
    gone = desk.client.delete(path, json={"reason": "photographed the wrong house"})
    assert gone.get_json()["status"] == "deleted"
    assert gone.get_json()["end_reason"] == "photographed the wrong house"
    assert desk.client.get(path).get_json()["status"] == "deleted"
    assert desk.client.get(f"/v1/files/{document}/content").status_code == 404
    assert desk.client.get("/" + url.partition("://")[2].partition("/")[2]).status_code == 404
    again = desk.client.delete(path, json={"reason": "once more"})
    assert (again.status_code, again.get_json()["code"]) == (409, "DOCUMENT_ENDED")
    assert metadata(desk, document, remarks="late").status_code == 409
    stored = service.objects.folder / str(desk.firm.tenant_id) / "documents" / document
    assert sha256(stored.read_bytes()) == sha256(content)


def test_each_route_needs_its_capability(make_desk, desk):
    accountant = make_desk(roles=["hr"], firm=desk.firm)
    document = desk.document()["id"]
    for answer in (
        accountant.client.get("/v1/documents"),
        accountant.client.get(f"/v1/files/{document}/content"),
        accountant.upload(files.jpeg(43)),
        accountant.announce(b"1"),
        metadata(accountant, document, remarks="x"),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "CAPABILITY_MISSING")
