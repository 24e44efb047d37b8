"""LibreOffice lays a pack's report out, one at a time, in a job of its own."""

from __future__ import annotations

import dataclasses
import fcntl
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pikepdf
import pytest

from factory.rendering.pdf import write_pdf
from service.bootstrap import Service
from service.identifiers import new_id
from service.jobs.running import run_pending
from service.objects.storage import get_bytes
from service.packs import making
from service.packs.review_copies import mark_line, marked_docx, marked_pdf
from tests.service.packs.specimen import enter, force_ready, read_specimen
from tests.service.packs.test_review_copies import LINE, hostile_docx


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
    desk: Any, order: UUID, printing: Service, tmp_path: Path, look: Any
) -> None:
    assert run_pending(printing) == 3
    stored = {
        kind: get_bytes(printing.objects, key)
        for kind, key in look(
            "select kind, object_key from pack_artifacts join packs using (pack_id)"
            " where work_order_id = :id",
            id=order,
        )
    }
    path = f"/v1/repogen/work-orders/{order}/packs/1/artifacts"
    answer = desk.get(f"{path}/pdf")
    docx = tmp_path / "report.docx"
    docx.write_bytes(stored["docx"])
    assert not write_pdf(docx, tmp_path / "report.pdf")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"].endswith('-v1.pdf"')
    assert stored["pdf"] == (tmp_path / "report.pdf").read_bytes()
    # It is not released: who signs it reads a marked copy.
    line = mark_line(1, answer.headers["Zenops-Bundle-Digest"])
    assert answer.data == marked_pdf(stored["pdf"], line) != stored["pdf"]
    assert answer.headers["Zenops-Review-Copy"] == "1"


def test_libreoffice_shows_the_mark_on_every_page_of_a_marked_document(tmp_path: Path) -> None:
    (tmp_path / "copy.docx").write_bytes(marked_docx(hostile_docx(), LINE))
    (tmp_path / "plain.docx").write_bytes(hostile_docx())
    drawn = []
    for name in ("copy", "plain"):
        assert not write_pdf(tmp_path / f"{name}.docx", tmp_path / f"{name}.pdf")
        with pikepdf.open(tmp_path / f"{name}.pdf") as document:
            drawn.append([len(pikepdf.parse_content_stream(page)) for page in document.pages])
    copy, plain = drawn

    assert len(copy) == len(plain) >= 5
    # Letters of a shape are drawn as curves: hundreds of strokes that a plain page has not. Blank
    # pages, which an odd-page section leaves, have nothing at all.
    for marked, bare in zip(copy, plain, strict=True):
        assert marked > bare + 50 or bare == marked < 10


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
