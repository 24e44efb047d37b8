"""The jobs of a pack: its bundle, its report and the report's PDF, each from what came before it.

A job works in a folder of its own and puts what it has made where nothing is ever replaced, under
its operation's id; only then does one transaction say that it is there, if the pack still stands.
Being ended on the way costs at most a file that nobody names, which the sweep removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from factory.bundle import Stored, assemble
from factory.rendering.pdf import TIME_LIMIT_S, program, write_pdf
from factory.rendering.renderer import Renderer
from factory.report.bundle_parts import read_parts
from factory.report.proof import prove
from service import clock
from service.audit.events import record
from service.errors import ServiceError
from service.identifiers import new_id
from service.jobs.crashpoints import crashpoint
from service.jobs.job import CannotSucceed, JobFailed
from service.jobs.outbox import enqueue
from service.objects.storage import get_to, put_new, stream
from service.packs import records
from service.packs.artifact_forms import FORMS
from service.workorders.bundles import read_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from contracts.problems import Problem
    from service.jobs.job import Job
    from service.objects.storage import Stored as Kept
    from service.packs.records import ArtifactKind, Pack
    from service.workorders.bundles import StoredBundle

FOLDER_PREFIX = "zenops-pack-"
#: What has begun stays begun: a pack that failed and is tried again goes on from where it stopped.
_UNFINISHED = frozenset({"generating", "failed"})
_GENERATED = frozenset({"generated"})
#: What the factory refuses today and may not tomorrow: the machine was busy, full, or interfered.
_PASSING = frozenset({"E608", "E639", "E646", "E661", "E662"})
_MOST_PROBLEMS = 3
#: What an attempt keeps for storing what a program has made.
_SPARE_S = 20


def make_bundle(job: Job) -> None:
    """Write the bundle of a pack's snapshot; it has the digest that was promised, or there is none.

    Raises:
        JobFailed: why there is none, for the operator.
    """
    with job.reading() as connection:
        pack = _pack_of(job, connection)
        if pack.status not in _UNFINISHED:
            _end_without_effect(job, pack)
            return
        stored = _stored_bundle(connection, pack)
    collected = [0]

    def chunks(name: str) -> Iterator[bytes]:
        # Between 5 and 60 per cent: evidence is nearly all there is to move.
        step = f"collecting evidence {collected[0] + 1}/{len(stored.files)}"
        job.step(step, 5 + 55 * collected[0] // len(stored.files))
        collected[0] += 1
        yield from stream(job.service.objects, stored.files[name])

    with _folder() as folder:
        path = folder / "bundle.zip"
        job.step("writing the bundle", 5)
        files = {name: Stored(partial(chunks, name)) for name in stored.files}
        # Whether each file is what its name says is checked of the whole, below.
        assemble(stored.payload, files, path, settled=False, info=stored.info)
        job.step("checking the bundle", 70)
        parts, problems = read_parts(path)
        if parts is None:
            raise _refused("BUNDLE_UNSOUND", problems)
        if parts.digest != pack.bundle_digest:
            raise CannotSucceed(
                f"BUNDLE_DIGEST_MISMATCH: The bundle's digest is {parts.digest}, and should be"
                f" {pack.bundle_digest}. What was stored of the snapshot has changed; restore it"
                " from a backup."
            )
        _keep(job, pack, "bundle", path)


def print_report(job: Job) -> None:
    """Print a pack's report from its bundle alone, prove it, and call the pack generated.

    Raises:
        JobFailed: why there is no report, for the operator.
    """
    pack, source = _pack_and_source(job, "bundle", _UNFINISHED)
    if source is None:
        _end_without_effect(job, pack)
        return
    with _folder() as folder, Renderer() as renderer:
        bundle, path = folder / "bundle.zip", folder / "report.docx"
        job.step("reading the bundle", 5)
        get_to(job.service.objects, source, bundle)
        parts, problems = read_parts(bundle)
        if parts is None:
            raise _refused("BUNDLE_UNSOUND", problems)
        job.step("printing", 20)
        crashpoint("job-before-program")
        report, problems = renderer.print_parts(parts)
        crashpoint("job-after-program")
        if report is None:
            raise _refused("REPORT_NOT_PRINTED", problems)
        job.step("proving", 60)
        problems = prove(parts, report)
        if problems:
            raise _refused("REPORT_NOT_PROVED", problems)
        path.write_bytes(report)
        _keep(job, pack, "docx", path)


def print_pdf(job: Job) -> None:
    """Have LibreOffice lay a pack's report out as a PDF; a machine does one at a time.

    Raises:
        JobFailed: why there is no PDF, for the operator. The pack stays generated.
    """
    pack, source = _pack_and_source(job, "docx", _GENERATED)
    if source is None:
        _end_without_effect(job, pack)
        return
    with _folder() as folder, _one_at_a_time(job):
        report, path = folder / "report.docx", folder / "report.pdf"
        job.step("reading the report", 10)
        get_to(job.service.objects, source, report)
        job.step("laying out the pages", 20)
        crashpoint("job-before-program")
        limit = min(TIME_LIMIT_S, max(1, job.seconds_left() - _SPARE_S))
        problems = write_pdf(report, path, time_limit_s=limit)
        crashpoint("job-after-program")
        if problems:
            raise _refused("PDF_NOT_MADE", problems)
        _keep(job, pack, "pdf", path)


def _stored_bundle(connection: Connection, pack: Pack) -> StoredBundle:
    try:
        return read_bundle(connection, pack.tenant_id, pack.work_order_id, pack.snapshot_version)
    except ServiceError as error:
        # Evidence that was purged does not come back.
        raise CannotSucceed(str(error)) from error


def _pack_of(job: Job, connection: Connection, *, locked: bool = False) -> Pack:
    assert job.subject_id is not None, "the jobs of a pack name it"
    pack = records.pack_by_id(connection, job.tenant_id, job.subject_id, locked=locked)
    assert pack is not None, "packs are never removed"
    return pack


def _pack_and_source(
    job: Job, kind: ArtifactKind, statuses: frozenset[str]
) -> tuple[Pack, str | None]:
    """The pack, and where that is stored which the job works on; None if there is nothing to do."""
    with job.reading() as connection:
        pack = _pack_of(job, connection)
        if pack.status not in statuses:
            return pack, None
        source = records.artifact_of(connection, job.tenant_id, pack.pack_id, kind)
        assert source is not None, "this job is asked for by the one that makes what it works on"
        return pack, source.object_key


def _end_without_effect(job: Job, pack: Pack) -> None:
    """Say that there is nothing to do any more, which is no failure; the operation is done."""
    job.step(f"nothing to do: the pack is {pack.status}", 100)


def _keep(job: Job, pack: Pack, kind: ArtifactKind, path: Path) -> None:
    """Store what was made, then say so and ask for what follows, in one transaction."""
    form = FORMS[kind]
    job.step("storing", 90)
    key, stored = _put(job, f"{job.tenant_id}/packs/{pack.pack_id}", form.ending, path)
    with job.effect() as connection:
        pack = _pack_of(job, connection, locked=True)
        if pack.status not in (_GENERATED if kind == "pdf" else _UNFINISHED):
            return
        connection.execute(
            text(
                "insert into pack_artifacts (tenant_id, artifact_id, pack_id, kind, filename,"
                " object_key, media_type, size, sha256, operation_id, created_at)"
                " values (:tenant, :artifact, :pack, :kind, :filename, :key, :media_type, :size,"
                " :sha256, :operation, :now)"
            ),
            {
                "tenant": job.tenant_id,
                "artifact": new_id(),
                "pack": pack.pack_id,
                "kind": kind,
                "filename": _filename(connection, pack, form.ending),
                "key": key,
                "media_type": form.media_type,
                "size": stored.size,
                "sha256": stored.sha256,
                "operation": job.operation_id,
                "now": clock.now(),
            },
        )
        record(
            connection,
            job.actor,
            "pack:artifact:made",
            subject=("pack", pack.pack_id),
            work_order_id=pack.work_order_id,
            after={"kind": kind, "sha256": stored.sha256, "size": stored.size},
        )
        _go_on(job, connection, pack, kind)


def _put(job: Job, folder: str, ending: str, path: Path) -> tuple[str, Kept]:
    """Store a file under its operation's id; what an earlier attempt has stored is the same."""
    key = f"{folder}/{job.operation_id}.{ending}"
    try:
        return key, put_new(job.service.objects, key, path)
    except ServiceError as error:
        if error.code != "OBJECT_DIFFERS":
            raise
        # An attempt of another version of the software, or of LibreOffice, was there before.
        key = f"{folder}/{job.operation_id}-{job.generation}.{ending}"
        return key, put_new(job.service.objects, key, path)


def _go_on(job: Job, connection: Connection, pack: Pack, made: ArtifactKind) -> None:
    """What follows an artifact, in the transaction that says it is there."""
    if made == "bundle":
        _ask_for(job, connection, pack, "pack.render", f"pack-render:{pack.pack_id}")
    elif made == "docx":
        connection.execute(
            text(
                "update packs set status = 'generated', generated_at = :now, failure = null"
                " where tenant_id = :tenant and pack_id = :pack"
            ),
            {"now": clock.now(), "tenant": job.tenant_id, "pack": pack.pack_id},
        )
        record(
            connection,
            job.actor,
            "pack:version:generated",
            subject=("pack", pack.pack_id),
            work_order_id=pack.work_order_id,
            before={"status": pack.status},
            after={"status": "generated", "version": pack.version},
        )
        wanted = job.service.settings.pdf
        if wanted == "on" or (wanted == "auto" and program() is not None):
            _ask_for(job, connection, pack, "pack.pdf", f"pack-pdf:{pack.pack_id}")


def _ask_for(job: Job, connection: Connection, pack: Pack, kind: str, key: str) -> None:
    enqueue(
        connection,
        job.actor,
        kind,
        key=key,
        subject_id=pack.pack_id,
        work_order_id=pack.work_order_id,
    )


def _filename(connection: Connection, pack: Pack, ending: str) -> str:
    """What a downloaded file is called: the work order's reference and the version."""
    reference: str = connection.execute(
        text(
            "select reference from work_orders"
            " where tenant_id = :tenant and work_order_id = :work_order"
        ),
        {"tenant": pack.tenant_id, "work_order": pack.work_order_id},
    ).scalar_one()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", reference).strip("-.") or "report"
    return f"{plain}-v{pack.version}.{ending}"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _one_at_a_time(job: Job) -> Iterator[None]:
    """Wait until no other job of this machine lays out a PDF; a killed one lets go by itself."""
    descriptor = os.open(pdf_lock_place(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        while not _locked(descriptor):
            job.step("waiting for another PDF", 0)
            time.sleep(1)
        yield
    finally:
        os.close(descriptor)


def pdf_lock_place() -> Path:
    """The file that whoever lays out a PDF on this machine, as this user, has locked."""
    return Path(tempfile.gettempdir()) / f"zenops-pdf-{os.geteuid()}.lock"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refused(code: str, problems: tuple[Problem, ...]) -> JobFailed:
    """What the factory says, in its own words, the first few of it."""
    told = [f"{one.what} ({one.code}). {one.fix}".strip() for one in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"There are {len(problems) - _MOST_PROBLEMS} more.")
    passes = all(one.code in _PASSING for one in problems)
    return (JobFailed if passes else CannotSucceed)(f"{code}: {' '.join(told)}")
