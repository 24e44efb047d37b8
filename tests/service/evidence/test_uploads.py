"""A file becomes a document once it is there, whole, what it was said to be, and opened."""

import io
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from service import clock
from service.evidence import signed_addresses
from service.evidence.limits import limits
from service.objects import storage
from tests.service.evidence import files
from tests.service.evidence.conftest import sha256


def objects_of(service, desk):
    """The keys of all objects of a firm."""
    folder = service.objects.folder / str(desk.firm.tenant_id)
    if not folder.is_dir():
        return []
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_photograph_uploaded_in_one_request_tells_what_it_says_of_itself(desk):
    content = files.located_jpeg()
    answer = desk.upload(
        content,
        "IMG 2041.JPG",
        classification="site_photo",
        source="mobile_camera",
        taken_on_site="true",
        captured_at="2026-03-01T10:15:00+05:30",
        remarks="2041",
        purpose="photo",
    )
    found = answer.get_json()

    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"2"'
    assert found["status"] == "uploaded"
    assert found["original_filename"] == "IMG 2041.JPG"
    assert found["content_type"] == "image/jpeg"
    assert (found["sha256"], found["size_bytes"]) == (sha256(content), len(content))
    assert found["facts"]["orientation"] == 6
    assert (found["facts"]["width"], found["facts"]["height"]) == (640, 480)
    assert found["facts"]["captured_at"] == "2026-03-01T04:45:00Z"
    assert found["facts"]["located_at"] == {"latitude": "12.500000", "longitude": "77.250000"}
    assert found["taken_on_site"] is True
    assert found["captured_at"] == "2026-03-01T04:45:00Z"
    assert found["remarks"] == "2041"
    assert found["tags"] == {"purpose": "photo"}
    assert found["duplicates"] == []


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff"), ("HEIF", "image/heic")],
)
def test_every_kind_of_picture_is_opened_and_keeps_its_own_ending(desk, kind, media_type):
    found = desk.document(files.saved(files.photograph(10, (320, 240)), kind), "front.jpg")

    assert found["content_type"] == media_type
    assert (found["facts"]["width"], found["facts"]["height"]) == (320, 240)
    assert found["original_filename"].startswith("front.jpg.")


def test_a_scan_is_taken_as_a_document(desk):
    found = desk.document(files.pdf(3), "deed.pdf")

    assert found["content_type"] == "application/pdf"
    assert found["facts"]["width"] is None


def test_an_announced_file_is_pending_until_it_is_sent_and_confirmed(desk, service):
    content = files.located_jpeg(11)
    announced = desk.announce(content, sha256=sha256(content), classification="site_photo")
    body = announced.get_json()
    document = body["document_id"]
    address = f"/v1/documents/{document}"

    assert announced.status_code == 201
    assert body["upload"]["method"] == "PUT"
    assert desk.client.get(address).get_json()["status"] == "pending"
    assert desk.client.get(f"/v1/files/{document}/content").status_code == 404
    assert desk.confirm(document).get_json()["code"] == "UPLOAD_MISSING"
    assert desk.confirm(document).status_code == 409

    sent = desk.send(body["upload"]["url"], content)
    assert sent.get_json() == {
        "document_id": document,
        "size_bytes": len(content),
        "sha256": sha256(content),
    }
    assert desk.client.get(address).get_json()["status"] == "pending"

    confirmed = desk.confirm(document, sha256=sha256(content), size_bytes=len(content))
    assert confirmed.status_code == 200
    assert confirmed.get_json()["status"] == "uploaded"
    assert confirmed.get_json()["facts"]["located_at"]["latitude"] == "12.500000"
    assert desk.client.get(f"/v1/files/{document}/content").data == content
    # What can be written to from outside is gone; what counts is a copy.
    assert f"incoming/{document}" not in objects_of(service, desk)
    assert f"documents/{document}" in objects_of(service, desk)


def test_confirming_once_more_changes_nothing(desk, rows):
    document = desk.pending(files.jpeg(12))
    first = desk.confirm(document).get_json()
    again = desk.confirm(document)

    assert again.status_code == 200
    assert again.get_json() == first
    events = rows(
        "select action from audit_events where subject_id = :id order by at, event_id", id=document
    )
    assert [one["action"] for one in events] == [
        "document:document:announced",
        "document:file:uploaded",
    ]


def test_two_who_confirm_at_once_get_the_same_document(desk, make_desk, rows):
    other = make_desk(firm=desk.firm)
    order = desk.work_order()
    document = desk.pending(files.jpeg(13))
    version = desk.link(order, {"evidence_type": "PHOTO", "document_id": document}).get_json()[
        "version"
    ]
    start, found = threading.Barrier(2), []

    def confirm(who):
        start.wait()
        found.append(who.confirm(document))

    both = [threading.Thread(target=confirm, args=(who,)) for who in (desk, other)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert [answer.status_code for answer in found] == [200, 200]
    assert found[0].get_json() == found[1].get_json()
    uploaded = "select count(*) as n from audit_events where subject_id = :id and action = :action"
    assert rows(uploaded, id=document, action="document:file:uploaded") == [{"n": 1}]
    assert desk.evidence(order)["version"] == version + 1


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"size_bytes": 1}, "FILE_DIFFERS"),
        ({"sha256": "0" * 64}, "FILE_DIFFERS"),
    ],
)
def test_a_file_that_is_not_the_announced_one_is_refused_and_can_be_sent_again(desk, said, code):
    content = files.jpeg(14)
    announced = desk.announce(content, **said).get_json()
    desk.send(announced["upload"]["url"], content)
    refused = desk.confirm(announced["document_id"])

    assert (refused.status_code, refused.get_json()["code"]) == (422, code)
    address = f"/v1/documents/{announced['document_id']}"
    assert desk.client.get(address).get_json()["status"] == "pending"
    assert desk.send(announced["upload"]["url"], files.jpeg(15)).status_code == 200


def test_what_was_said_when_confirming_counts_too(desk):
    content = files.jpeg(16)
    document = desk.pending(content)

    assert desk.confirm(document, sha256="0" * 64).get_json()["code"] == "FILE_DIFFERS"
    document = desk.pending(content)
    assert desk.confirm(document, size_bytes=len(content) + 1).get_json()["code"] == "FILE_DIFFERS"
    document = desk.pending(content)
    assert desk.confirm(document).status_code == 200
    # Of a document that counts already, a false sum is still a false sum.
    assert desk.confirm(document, sha256="0" * 64).get_json()["code"] == "FILE_DIFFERS"


def test_a_refused_file_makes_room_for_a_better_one(desk, service):
    content = files.jpeg(17)
    broken = content[: len(content) // 2].ljust(len(content), b"\x01")
    announced = desk.announce(content).get_json()
    desk.send(announced["upload"]["url"], broken)
    refused = desk.confirm(announced["document_id"])

    assert (refused.status_code, refused.get_json()["code"]) == (422, "FILE_DAMAGED")
    assert not [key for key in objects_of(service, desk) if announced["document_id"] in key]
    assert desk.send(announced["upload"]["url"], content).status_code == 200
    assert desk.confirm(announced["document_id"]).status_code == 200


def test_a_second_file_cannot_be_slipped_in_behind_the_first(desk):
    content = files.jpeg(18)
    announced = desk.announce(content).get_json()
    desk.send(announced["upload"]["url"], content)
    second = desk.send(announced["upload"]["url"], files.jpeg(19))

    assert (second.status_code, second.get_json()["code"]) == (409, "OBJECT_DIFFERS")
    assert desk.send(announced["upload"]["url"], content).status_code == 200
    desk.confirm(announced["document_id"])
    # The address still works, and leads to nothing that counts.
    assert desk.send(announced["upload"]["url"], files.jpeg(19)).status_code == 200
    assert desk.client.get(f"/v1/files/{announced['document_id']}/content").data == content


def test_an_address_serves_its_own_file_for_its_own_time_only(desk, monkeypatch):
    content = files.jpeg(20)
    first, second = (desk.announce(content).get_json() for _ in range(2))
    url = first["upload"]["url"]
    foreign = url.replace(first["document_id"], second["document_id"])

    for wrong in (
        foreign,
        # The last letter holds two bits that say nothing.
        url[:-2] + ("A" if url[-2] != "A" else "B") + url[-1],
        url.partition("?")[0] + "?token=x",
    ):
        refused = desk.send(wrong, content)
        assert (refused.status_code, refused.get_json()["code"]) == (403, "ADDRESS_EXPIRED")
    assert desk.send(url.partition("?")[0], content).status_code == 422
    download = url.replace("/content", "/download")
    assert desk.client.get(f"/{download.partition('://')[2].partition('/')[2]}").status_code == 403

    seconds = limits().address_seconds
    at = clock.now()
    monkeypatch.setattr(signed_addresses, "now", lambda: at + timedelta(seconds=seconds - 5))
    assert desk.send(url, content).status_code == 200
    monkeypatch.setattr(signed_addresses, "now", lambda: at + timedelta(seconds=seconds + 1))
    assert desk.send(url, content).get_json()["code"] == "ADDRESS_EXPIRED"


def test_what_is_not_taken_is_refused_when_it_is_announced(desk, service):
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    most = service.settings.evidence_max_bytes
    for said, answer in (
        ({"content_type": word}, (415, "FILE_KIND_REFUSED")),
        ({"content_type": "image/svg+xml"}, (415, "FILE_KIND_REFUSED")),
        ({"content_type": "image/jpeg; charset=x"}, (201, None)),
        ({"content_type": "application/octet-stream"}, (201, None)),
        ({"size_bytes": most}, (201, None)),
        ({"size_bytes": most + 1}, (413, "FILE_TOO_LARGE")),
        (
            {"content_type": "application/octet-stream", "size_bytes": most + 1},
            (413, "FILE_TOO_LARGE"),
        ),
        ({"size_bytes": 0}, (422, "VALIDATION_FAILED")),
        ({"surprise": 1}, (422, "VALIDATION_FAILED")),
        ({"captured_at": "2026-03-01T10:15:00"}, (422, "VALIDATION_FAILED")),
    ):
        got = desk.announce(b"12345", **said)
        assert (got.status_code, got.get_json().get("code")) == answer, said


def test_a_firm_and_a_work_order_have_room_for_so_much_only(make_desk, monkeypatch):
    desk = make_desk()
    order = desk.work_order()
    small = limits().model_copy(
        update={"files_per_work_order": 2, "pending_files_per_firm": 3, "bytes_per_firm": 100_000}
    )
    monkeypatch.setattr("service.evidence.uploads.limits", lambda: small)
    desk.document(files.jpeg(21), work_order_id=order)
    desk.document(files.jpeg(22), work_order_id=order)

    full = desk.upload(files.jpeg(23), work_order_id=order)
    assert (full.status_code, full.get_json()["code"]) == (409, "TOO_MANY_FILES")
    elsewhere = desk.document(files.jpeg(23))["id"]
    moved = desk.client.patch(f"/v1/documents/{elsewhere}/metadata", json={"work_order_id": order})
    assert (moved.status_code, moved.get_json()["code"]) == (409, "TOO_MANY_FILES")
    used = sum(one["size_bytes"] for one in desk.client.get("/v1/documents").get_json()["items"])
    assert desk.announce(b"1" * (100_000 - used + 1)).get_json()["code"] == "STORAGE_FULL"
    assert desk.announce(b"1" * (100_000 - used - 2)).status_code == 201
    for _ in range(2):
        assert desk.announce(b"1").status_code == 201
    assert desk.announce(b"").status_code == 422
    monkeypatch.setattr(
        "service.evidence.uploads.limits",
        lambda: small.model_copy(update={"bytes_per_firm": 1_000_000}),
    )
    assert desk.announce(b"1").get_json()["code"] == "TOO_MANY_PENDING"


@pytest.mark.parametrize("how", ["upload", "announce"])
@pytest.mark.parametrize(
    ("limit", "code"),
    [("files_per_work_order", "TOO_MANY_FILES"), ("bytes_per_firm", "STORAGE_FULL")],
)
def test_of_sixteen_files_at_the_same_instant_none_passes_the_limit(
    how, limit, code, make_desk, monkeypatch, rows
):
    """Each on a connection of its own; all have asked whether there is room before any is there."""
    desk = make_desk()
    order = desk.work_order()
    content = files.jpeg(60)
    most = {"files_per_work_order": 5, "bytes_per_firm": 5 * len(content) + 1}[limit]
    small = limits().model_copy(update={limit: most})
    monkeypatch.setattr("service.evidence.uploads.limits", lambda: small)
    send = {"upload": desk.upload, "announce": desk.announce}[how]

    with ThreadPoolExecutor(16) as people:
        answers = list(
            people.map(lambda _: send(content, work_order_id=order), range(16), timeout=60)
        )

    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 11}
    assert {one.get_json()["code"] for one in answers if one.status_code == 409} == {code}
    (there,) = rows(
        "select count(*) as files from documents where work_order_id = :order", order=order
    )
    assert there["files"] == 5


def test_a_file_is_for_a_work_order_that_is_there_and_open(desk, make_desk, set_status):
    foreign = make_desk().work_order()
    own = desk.work_order()
    for wrong in (foreign, "01a20c94-cdcb-74ba-9257-ff53fcd38984"):
        assert desk.announce(b"1", work_order_id=wrong).status_code == 404
        assert desk.upload(files.jpeg(24), work_order_id=wrong).status_code == 404
    for state, status in (
        ("DATA_PENDING", 201),
        ("READY_FOR_RENDER", 409),
        ("CLOSED", 409),
        ("CANCELLED", 409),
    ):
        set_status(own, state)
        assert desk.announce(b"1", work_order_id=own).status_code == status, state


def test_a_form_is_answered_field_by_field(desk):
    send = {
        "file": (io.BytesIO(files.jpeg(25)), "f.jpg"),
        "sensitivity": "secret",
        "captured_at": "now",
    }
    answer = desk.client.post("/v1/files/upload", data=send, content_type="multipart/form-data")

    assert answer.status_code == 422
    assert {one["field"] for one in answer.get_json()["errors"]} == {"sensitivity", "captured_at"}


def test_repeated_under_one_key_an_upload_makes_one_document(desk):
    content = files.jpeg(26)

    def send():
        return desk.client.post(
            "/v1/files/upload",
            data={"file": (io.BytesIO(content), "f.jpg")},
            content_type="multipart/form-data",
            headers={"Idempotency-Key": "upload-26"},
        )

    first, again = send(), send()
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json()["id"] == again.get_json()["id"]


def test_the_same_file_and_the_same_picture_are_told_across_work_orders_of_the_firm_only(
    desk, make_desk
):
    picture = files.photograph(27, (1200, 900))
    content = files.saved(picture, "JPEG", quality=92)
    smaller = files.saved(picture.resize((800, 600)), "JPEG", quality=60)
    turned = files.saved(picture.rotate(90, expand=True), "JPEG", quality=92)
    order = desk.work_order()
    first = desk.document(content, work_order_id=order)
    make_desk().document(content)

    again = desk.document(content)["duplicates"]
    assert [(one["document_id"], one["how"]) for one in again] == [(first["id"], "same file")]
    assert again[0]["work_order_id"] == order
    assert again[0]["work_order_reference"]
    near = desk.document(smaller)["duplicates"]
    assert {one["how"] for one in near} == {"same picture"}
    assert max(one["differing_bits"] for one in near) <= limits().similar_bits
    assert desk.document(turned)["duplicates"] == []
    assert desk.document(files.jpeg(28))["duplicates"] == []


def test_a_deleted_document_is_nobodys_duplicate(desk):
    content = files.jpeg(29)
    first = desk.document(content)
    gone = desk.client.delete(f"/v1/documents/{first['id']}", json={"reason": "taken twice"})

    assert gone.status_code == 200
    assert desk.document(content)["duplicates"] == []


def test_pictures_of_one_grey_are_not_taken_for_each_other(desk):
    from PIL import Image

    for grey in (100, 101):
        found = desk.document(files.saved(Image.new("L", (300, 300), grey), "PNG"))
        assert found["duplicates"] == []


def test_another_firms_documents_are_not_there(desk, make_desk):
    other = make_desk()
    pending, uploaded = desk.pending(files.jpeg(30)), desk.document(files.jpeg(31))["id"]
    unknown = "01a20c94-cdcb-74ba-9257-ff53fcd38984"
    bodies = set()
    for one in (pending, uploaded, unknown, "x"):
        for answer in (
            other.client.get(f"/v1/documents/{one}"),
            other.client.get(f"/v1/files/{one}/content"),
            other.client.get(f"/v1/files/{one}/presign-download"),
            other.client.patch(f"/v1/documents/{one}/metadata", json={"remarks": "mine"}),
            other.client.post(f"/v1/documents/{one}/tags", json={"key": "a"}),
            other.client.delete(f"/v1/documents/{one}", json={"reason": "mine now"}),
            *([other.confirm(one)] if one != "x" else []),
        ):
            assert answer.status_code == 404
            bodies.add((answer.get_json()["code"], answer.get_json()["detail"]))
    assert len(bodies) == 1
    assert other.client.get("/v1/documents").get_json()["items"] == []


def test_the_portal_brings_papers_for_its_own_work_and_sees_no_others(make_desk, owner_engine):
    firm_desk = make_desk()
    guest = make_desk(roles=["portal_user"], firm=firm_desk.firm, audience="portal")
    other = make_desk(roles=["portal_user"], firm=firm_desk.firm, audience="portal")
    theirs = firm_desk.document(files.jpeg(32))
    order = firm_desk.work_order(source_type="CHANNEL")
    with owner_engine.begin() as connection:
        connection.execute(
            text("update work_orders set requested_by = :user where work_order_id = :id"),
            {"user": guest.user.user_id, "id": UUID(order)},
        )
    own = guest.document(files.pdf(2, b"guest"), "deed.pdf", work_order_id=order)
    announced = guest.pending(files.jpeg(33), work_order_id=order)

    assert guest.confirm(announced).status_code == 200
    assert {one["id"] for one in guest.client.get("/v1/documents").get_json()["items"]} == {
        own["id"],
        announced,
    }
    assert guest.client.get(f"/v1/files/{own['id']}/content").status_code == 200
    for answer in (
        guest.client.get(f"/v1/documents/{theirs['id']}"),
        other.client.get(f"/v1/documents/{own['id']}"),
        other.upload(files.jpeg(34), work_order_id=order),
    ):
        assert answer.status_code == 404
    assert guest.client.patch(f"/v1/documents/{own['id']}/metadata", json={}).status_code == 403
    assert firm_desk.client.get(f"/v1/documents/{own['id']}").status_code == 200


def test_what_lies_in_the_bucket_is_what_was_uploaded(desk, service):
    content = files.jpeg(35)
    found = desk.document(content)
    key = f"{desk.firm.tenant_id}/documents/{found['id']}"

    assert storage.get_bytes(service.objects, key) == content
