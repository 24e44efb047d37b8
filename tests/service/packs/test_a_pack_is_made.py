"""From a ready work order to a proved report, by the real jobs on real services."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from factory.rendering.renderer import render_report
from factory.report.bundle_parts import read_parts
from factory.report.proof import proof_of
from factory.verification import verify_bundle
from service.bootstrap import Service
from service.objects.storage import get_bytes
from tests.service.packs.specimen import case_folder, enter, make_ready, read_specimen


@pytest.fixture(scope="module")
def made(service: Service, owner: Any, run_jobs: Any) -> UUID:
    """The specimen house, entered, made ready, and worked off."""
    work_order_id = enter(service, owner, read_specimen())
    make_ready(service, owner, work_order_id)
    assert run_jobs() == 2
    return work_order_id


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line makes of the same case."""
    from typer.testing import CliRunner

    from factory.command_line import app

    path = tmp_path_factory.mktemp("built") / "bundle.zip"
    done = CliRunner().invoke(app, ["build", str(case_folder()), "-o", str(path)])
    assert done.exit_code == 0, done.output
    return path


def _download(desk: Any, work_order_id: UUID, kind: str, version: int = 1) -> Any:
    return desk.get(f"/v1/repogen/work-orders/{work_order_id}/packs/{version}/artifacts/{kind}")


def test_the_bundle_is_the_one_that_zenops_build_gives(
    desk: Any, made: UUID, built: Path, tmp_path: Path
) -> None:
    answer = _download(desk, made, "bundle")
    path = tmp_path / "downloaded.zip"
    path.write_bytes(answer.data)
    digest = verify_bundle(built).digest

    assert answer.status_code == 200
    assert verify_bundle(path).sound
    assert verify_bundle(path).digest == digest
    assert answer.headers["Zenops-Bundle-Digest"] == digest
    assert answer.data == built.read_bytes()


def test_the_report_is_the_one_that_zenops_render_gives_and_its_proof_holds(
    service: Service, look: Any, made: UUID, built: Path, tmp_path: Path
) -> None:
    ((key,),) = look(
        "select object_key from pack_artifacts join packs using (pack_id)"
        " where work_order_id = :id and kind = 'docx'",
        id=made,
    )
    stored = get_bytes(service.objects, key)
    parts, problems = read_parts(built)
    assert parts is not None, problems
    printed, problems = render_report(built, tmp_path / "report.docx")
    assert printed is not None, problems

    assert zipfile.ZipFile(io.BytesIO(stored)).testzip() is None
    proof = proof_of(parts, stored)
    assert (proof.problems, proof.figures > 20) == ((), True)
    assert stored == printed.path.read_bytes()


def test_a_download_says_what_it_is(desk: Any, made: UUID) -> None:
    answer = _download(desk, made, "docx")
    sha256 = hashlib.sha256(answer.data).hexdigest()

    assert answer.headers["ETag"] == f'"{sha256}"'
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="specimen-house-v1.docx"'
    )
    assert answer.headers["Content-Type"] == (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    )
    assert answer.headers["Digest"].startswith("sha-256=")


def test_who_has_the_file_already_gets_no_bytes_and_leaves_no_record(
    desk: Any, made: UUID, owner_engine: Any
) -> None:
    def recorded() -> int:
        with owner_engine.connect() as connection:
            found: int = connection.scalar(
                text("select count(*) from audit_events where action = 'pack:artifact:reviewed'")
            )
        return found

    tag = _download(desk, made, "docx").headers["ETag"]
    before = recorded()
    path = f"/v1/repogen/work-orders/{made}/packs/1/artifacts/docx"
    again = desk.get(path, headers={"If-None-Match": tag})
    head = desk.send("HEAD", path)

    assert (again.status_code, again.data) == (304, b"")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag)
    assert recorded() == before
    assert _download(desk, made, "docx").status_code == 200
    assert recorded() == before + 1


def test_the_state_tells_the_pack_its_jobs_its_files_and_who_must_sign(
    desk: Any, made: UUID
) -> None:
    state = desk.get(f"/v1/repogen/work-orders/{made}/pack").get_json()

    assert state["work_order_status"] == "READY_FOR_RENDER"
    assert (state["readiness_score"], state["value_slab"]) == (100, "LT_5CR")
    assert state["template_selector"] == "SBI_FORMAT_A"
    pack = state["pack"]
    assert (pack["version"], pack["status"], pack["is_current"]) == (1, "generated", True)
    assert (pack["template_key"], pack["report_family"]) == ("SBI_UNDER_5CR_V1", "valuation")
    assert pack["fair_market_value"] == "17764480"
    assert [one["kind"] for one in state["artifacts"]] == ["bundle", "docx"]
    job = state["generation_job"]
    assert (job["kind"], job["status"], job["percent"]) == ("pack.render", "done", 100)
    assert [one["kind"] for one in job["operations"]] == ["pack.bundle", "pack.render"]
    assert state["sign_off"] == {"needed": 1, "signed": [], "is_complete": False}
    assert state["deliverable_releases"] == []
    assert state["billing_gate_status"]["waits_for"] == "SIGN_OFF_MISSING"
    assert state["billing_gate_status"]["releasable_without_override"] is False


def test_an_artifact_that_is_not_there_is_not_found(desk: Any, made: UUID) -> None:
    for path in ("packs/1/artifacts/pdf", "packs/1/artifacts/odt", "packs/2/artifacts/docx"):
        assert desk.get(f"/v1/repogen/work-orders/{made}/{path}").status_code == 404
    assert desk.get(f"/v1/repogen/work-orders/{made}/packs/x/artifacts/docx").status_code == 404


def test_what_was_made_is_written_down_with_the_job_that_made_it(
    made: UUID, owner_engine: Any
) -> None:
    with owner_engine.connect() as connection:
        rows = connection.execute(
            text(
                "select action, actor_kind from audit_events where work_order_id = :id"
                " and action like 'pack:%' and action <> 'pack:artifact:reviewed' order by at"
            ),
            {"id": made},
        ).all()

    assert [tuple(row) for row in rows] == [
        ("pack:version:started", "user"),
        ("pack:artifact:made", "job"),
        ("pack:artifact:made", "job"),
        ("pack:version:generated", "job"),
    ]


def test_the_same_work_order_of_another_firm_gives_the_same_bytes(
    service: Service,
    made: UUID,
    make_firm: Any,
    make_user: Any,
    sign_in: Any,
    run_jobs: Any,
    desk: Any,
) -> None:
    other = make_user(make_firm(), roles=["super_admin"])
    work_order_id = enter(service, other, read_specimen())
    make_ready(service, other, work_order_id)
    run_jobs()
    there = sign_in(other)

    for kind in ("bundle", "docx"):
        assert _download(there, work_order_id, kind).data == _download(desk, made, kind).data
