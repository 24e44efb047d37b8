"""The same life of files as in a folder, with the objects in a bucket: over the wire, by S3."""

from __future__ import annotations

import dataclasses
import io
import urllib.error
import urllib.request
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from service import clock
from service.errors import ServiceError
from service.evidence.limits import limits
from service.evidence.sweeping import sweep_orphans
from service.objects import storage
from service.privacy.retention import EXPORT_KEPT, forget_exports, purge_due
from tests.service.evidence import bucket as s3
from tests.service.evidence import files
from tests.service.evidence.conftest import sha256


@pytest.fixture(scope="module")
def bucket() -> Any:
    with s3.bucket_server() as made:
        yield made


@pytest.fixture(scope="module")
def settings(settings: Any, bucket: s3.Bucket) -> Any:
    """The settings of a service that keeps its objects in the bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", s3.KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-that-shows-nowhere"),
            ("AWS_REGION", "ap-south-1"),
            ("AWS_ENDPOINT_URL", bucket.url),
            ("AWS_ALLOW_HTTP", "true"),
        ):
            patch.setenv(name, value)
        yield dataclasses.replace(settings, objects_url=f"s3://{s3.NAME}/zenops")


def put(address: str, content: bytes) -> int:
    """Send bytes to a signed address, as a browser does, with nothing else; the status."""
    asked = urllib.request.Request(address, data=content, method="PUT")  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_file_is_announced_sent_to_the_bucket_confirmed_downloaded_and_purged(
    make_desk: Any, jobs_service: Any, bucket: s3.Bucket
) -> None:
    desk = make_desk()
    content = files.jpeg(700)
    order = desk.work_order()
    said = {"sha256": sha256(content), "sensitivity": "pii", "work_order_id": order}
    announced = desk.announce(content, **said).get_json()
    document, address = announced["document_id"], announced["upload"]["url"]
    arrives = f"zenops/{desk.firm.tenant_id}/incoming/{document}"
    counts = f"zenops/{desk.firm.tenant_id}/documents/{document}"

    assert address.startswith(f"{bucket.url}/{s3.NAME}/{arrives}?")
    assert desk.confirm(document).get_json()["code"] == "UPLOAD_MISSING"
    assert f"X-Amz-Expires={limits().address_seconds}&" in address
    assert put(address, content) == 200
    assert bucket.content(arrives) == content

    assert desk.confirm(document, sha256=sha256(content)).get_json()["status"] == "uploaded"
    assert arrives not in bucket.objects
    assert bucket.content(counts) == content
    assert desk.client.get(f"/v1/files/{document}/content").data == content

    gone = desk.client.delete(f"/v1/documents/{document}", json={"reason": "of another property"})
    assert gone.status_code == 200
    assert desk.client.get(f"/v1/files/{document}/content").status_code == 404
    desk.client.post(
        f"/v1/repogen/work-orders/{order}/status", json={"status": "CANCELLED", "note": "withdrawn"}
    )
    assert purge_due(jobs_service, clock.now()) == ()
    assert counts in bucket.objects
    assert len(purge_due(jobs_service, clock.now() + timedelta(days=366 * 20))) == 1
    assert counts not in bucket.objects


def test_what_was_sent_to_the_bucket_and_never_confirmed_is_swept(
    make_desk: Any, jobs_service: Any, bucket: s3.Bucket
) -> None:
    desk = make_desk()
    kept = desk.document()["id"]
    announced = desk.announce(files.jpeg(701)).get_json()
    assert put(announced["upload"]["url"], files.jpeg(701)) == 200

    swept = sweep_orphans(jobs_service, clock.now() + timedelta(hours=25))
    assert (swept.unconfirmed, swept.orphans) == (1, 0)
    mine = f"zenops/{desk.firm.tenant_id}/"
    assert [key for key in bucket.objects if key.startswith(mine)] == [f"{mine}documents/{kept}"]


def test_what_is_in_the_bucket_is_never_replaced(service: Any, bucket: s3.Bucket) -> None:
    stored = storage.put_new(service.objects, "0198/documents/0199", b"deed")

    assert storage.put_new(service.objects, "0198/documents/0199", b"deed") == stored
    with pytest.raises(ServiceError) as caught:
        storage.put_new(service.objects, "0198/documents/0199", b"another deed")
    assert caught.value.code == "OBJECT_DIFFERS"
    assert bucket.content("zenops/0198/documents/0199") == b"deed"


def test_a_firms_archive_goes_through_the_bucket(
    make_desk: Any, jobs_service: Any, run_jobs: Any, bucket: s3.Bucket
) -> None:
    desk = make_desk()
    content = files.jpeg(702)
    desk.document(content)
    started = desk.client.post("/v1/firm/export").get_json()
    run_jobs()

    answer = desk.client.get(f"/v1/firm/export/{started['export_id']}/file")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert content in {archive.read(name) for name in archive.namelist()}
    archives = f"zenops/{desk.firm.tenant_id}/exports/"
    assert [answer.data] == [
        bucket.content(key) for key in bucket.objects if key.startswith(archives)
    ]
    assert forget_exports(jobs_service, clock.now() + EXPORT_KEPT) == 1
    assert not any(key.startswith(archives) for key in bucket.objects)
