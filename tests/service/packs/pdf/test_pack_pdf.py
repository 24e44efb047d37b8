"""LibreOffice lays a pack's report out, one at a time, in a job of its own."""

from __future__ import annotations

import dataclasses
import fcntl
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from factory.rendering.pdf import write_pdf
from service.bootstrap import Service
from service.identifiers import new_id
from service.jobs.running import run_pending
from service.packs import making
from tests.service.packs.specimen import enter, force_ready, read_specimen


@pytest.fixture(scope="module")
def printing(jobs_service: Service) -> Service:
    """A worker that makes PDFs where LibreOffice is, as is usual."""
    return dataclasses.replace(
        jobs_service, settings=dataclasses.replace(jobs_service.settings, pdf="auto")
    )


@pytest.fixture
def order(service: Service, owner: Any, desk: Any, owner_engine: Any) -> UUID:
    work_order_id = enter(
        service, owner, read_specimen("P04-below-five-crore"), reference=f"pdf-{new_id().hex[-6:]}"
    )
    force_ready(owner_engine, work_order_id)
    desk.post(f"/v1/repogen/work-orders/{work_order_id}/create-pack")
    return work_order_id


def test_a_pack_gets_the_pdf_of_its_report(
    desk: Any, order: UUID, printing: Service, tmp_path: Path
) -> None:
    assert run_pending(printing) == 3
    path = f"/v1/repogen/work-orders/{order}/packs/1/artifacts"
    answer = desk.get(f"{path}/pdf")
    docx = tmp_path / "report.docx"
    docx.write_bytes(desk.get(f"{path}/docx").data)
    assert not write_pdf(docx, tmp_path / "report.pdf")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"].endswith('-v1.pdf"')
    assert answer.data == (tmp_path / "report.pdf").read_bytes()


def test_a_pdf_waits_for_another_one_of_the_machine(
    desk: Any, order: UUID, printing: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    held = making.pdf_lock_place().open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    monkeypatch.setattr(making.time, "sleep", lambda _seconds: (waiting.set(), held.close()))
    run_pending(printing)
    state = desk.get(f"/v1/repogen/work-orders/{order}/pack").get_json()

    assert waiting.is_set()
    assert [one["kind"] for one in state["artifacts"]] == ["bundle", "docx", "pdf"]
