"""What an interrupted upload leaves is never counted, and is found and removed."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

from service.clock import now
from service.evidence.sweeping import Swept, sweep_orphans
from tests.service.evidence import files

LATER = timedelta(hours=25)
UPLOAD = """
import io, os, sys
from service.api.application import create_app
from service.bootstrap import make_service
from service.settings import read_settings
settings, problems = read_settings(os.environ, logins=("api",))
app = create_app(make_service(settings, "api"))
answer = app.test_client().post(
    "/v1/files/upload",
    data={"file": (io.BytesIO(open(sys.argv[1], "rb").read()), "f.jpg")},
    content_type="multipart/form-data",
    headers={"Authorization": f"Bearer {sys.argv[2]}"},
)
sys.exit(answer.status_code != 201)
"""


def keys_of(service, desk):
    folder = service.objects.folder / str(desk.firm.tenant_id)
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_an_upload_killed_between_object_and_row_counts_for_nothing_and_is_swept(
    make_desk, settings, service, jobs_service, tmp_path, rows
):
    desk = make_desk()
    kept = desk.document()["id"]
    (tmp_path / "picture").write_bytes(files.jpeg(90))
    environ = {
        "PATH": os.environ["PATH"],
        "ZENOPS_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "ZENOPS_OBJECTS_URL": settings.objects_url,
        "ZENOPS_SECRET_KEY": settings.secret_key,
        "ZENOPS_STATE_FOLDER": str(settings.state_folder),
        "ZENOPS_CRASH_AT": "upload-after-object",
        "ZENOPS_CRASH_MARKER": str(tmp_path / "marker"),
    }
    command = [sys.executable, "-c", UPLOAD, str(tmp_path / "picture"), desk.client.token]
    died = subprocess.run(command, env=environ, check=False, timeout=60)

    assert died.returncode == -signal.SIGKILL
    assert len(keys_of(service, desk)) == 2
    everything = "select document_id from documents where tenant_id = :id"
    assert rows(everything, id=desk.firm.tenant_id) == [{"document_id": UUID(kept)}]

    # Whoever is uploading right now is left alone.
    assert sweep_orphans(jobs_service).orphans == 0
    assert len(keys_of(service, desk)) == 2
    assert sweep_orphans(jobs_service, now() + LATER).orphans == 1
    assert keys_of(service, desk) == [f"documents/{kept}"]
    assert desk.client.get(f"/v1/files/{kept}/content").status_code == 200


def test_a_confirmation_that_was_interrupted_is_taken_up_where_it_was(
    make_desk, service, monkeypatch
):
    desk = make_desk()
    content = files.jpeg(91)
    document = desk.pending(content)

    def fail(_name):
        raise RuntimeError("the process ends here")

    monkeypatch.setattr("service.evidence.uploads.crashpoint", fail)
    assert desk.confirm(document).status_code == 500
    assert desk.client.get(f"/v1/documents/{document}").get_json()["status"] == "pending"
    assert keys_of(service, desk) == [f"documents/{document}", f"incoming/{document}"]
    monkeypatch.undo()
    (service.objects.folder / str(desk.firm.tenant_id) / "incoming" / document).unlink()

    assert desk.confirm(document).get_json()["status"] == "uploaded"
    assert desk.client.get(f"/v1/files/{document}/content").data == content


def test_what_was_sent_and_never_confirmed_is_removed_after_a_day(make_desk, service, jobs_service):
    desk = make_desk()
    document = desk.pending(files.jpeg(92))

    assert sweep_orphans(jobs_service, now() + timedelta(hours=23)).unconfirmed == 0
    assert sweep_orphans(jobs_service, now() + LATER).unconfirmed == 1
    assert keys_of(service, desk) == []
    assert desk.confirm(document).get_json()["code"] == "UPLOAD_MISSING"


def test_a_promise_is_given_up_after_a_week_unless_evidence_relies_on_it(
    make_desk, jobs_service, rows
):
    desk = make_desk()
    order = desk.work_order()
    given_up = desk.pending(files.jpeg(93), send=False)
    relied_on = desk.pending(files.jpeg(94), send=False)
    desk.link(order, {"evidence_type": "PHOTO", "document_id": relied_on})
    uploaded = desk.document()["id"]
    week = timedelta(days=7)

    def states():
        return [
            desk.client.get(f"/v1/documents/{one}").get_json()["status"]
            for one in (given_up, relied_on, uploaded)
        ]

    sweep_orphans(jobs_service, now() + week - timedelta(hours=1))
    assert states() == ["pending", "pending", "uploaded"]
    sweep_orphans(jobs_service, now() + week + timedelta(hours=1))
    assert states() == ["deleted", "pending", "uploaded"]
    assert rows(
        "select actor_kind, reason from audit_events"
        " where subject_id = :id and action = 'document:document:deleted'",
        id=given_up,
    ) == [{"actor_kind": "system", "reason": "It was announced and never came."}]


def test_a_sweep_of_a_clean_firm_removes_nothing(make_desk, service, jobs_service):
    desk = make_desk()
    gone = desk.document()["id"]
    desk.client.delete(f"/v1/documents/{gone}", json={"reason": "kept until it is purged"})
    sweep_orphans(jobs_service, now() + LATER)

    assert keys_of(service, desk) == [f"documents/{gone}"]
    assert sweep_orphans(jobs_service, now() + LATER) == Swept()
