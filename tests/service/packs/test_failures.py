"""A pack whose job cannot do its work says why, can be tried again, and never comes back late."""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id
from service.jobs.job import Job, LeaseLost
from service.jobs.outgoing import mark_due
from service.jobs.running import perform, run_pending, take_lease
from service.objects.storage import exists, put_new
from service.packs import failing, making, sweeping
from service.packs.sweeping import FOLDER_PREFIXES, sweep
from tests.service.packs.specimen import enter, force_ready, make_ready, read_specimen, take_back

BARE = "P04-below-five-crore"
#: What other tests have left to do.
LEAVE = "update operations set status = 'cancelled' where status in ('pending', 'sent', 'running')"


@pytest.fixture
def order(
    service: Service,
    owner: Any,
    desk: Any,
    owner_engine: Any,
    look: Any,
    request: pytest.FixtureRequest,
) -> UUID:
    """A work order with a pack whose bundle is still to be made; nothing else waits."""
    look(LEAVE)
    work_order_id = enter(
        service,
        owner,
        read_specimen(BARE),
        reference=f"{request.node.name[:50]}-{new_id().hex[-6:]}",
    )
    force_ready(owner_engine, work_order_id)
    assert desk.post(f"/v1/repogen/work-orders/{work_order_id}/create-pack").status_code == 201
    return work_order_id


@pytest.fixture
def take(jobs_service: Service) -> Callable[[], Job]:
    """take() -> the lease of the one operation that is due, as a worker has it."""

    def run() -> Job:
        with transaction(jobs_service.engine, role="zen_system") as connection:
            (due,) = mark_due(connection, limit=10)
        taken = take_lease(jobs_service, due.tenant_id, due.operation_id, due.generation)
        assert taken is not None
        return taken[0]

    return run


def path_of(work_order_id: UUID) -> str:
    return f"/v1/repogen/work-orders/{work_order_id}"


def artifacts(look: Any, work_order_id: UUID) -> list[str]:
    return [
        kind
        for (kind,) in look(
            "select kind from pack_artifacts join packs using (tenant_id, pack_id)"
            " where work_order_id = :id order by pack_artifacts.created_at",
            id=work_order_id,
        )
    ]


def test_a_digest_that_is_not_the_promised_one_fails_loudly_at_once(
    desk: Any, order: UUID, look: Any, run_jobs: Any, packs_of: Any
) -> None:
    look("update packs set bundle_digest = :d where work_order_id = :id", d="0" * 64, id=order)
    assert run_jobs() == 1
    state = desk.get(f"{path_of(order)}/pack").get_json()

    assert packs_of(order) == [(1, "failed")]
    assert "BUNDLE_DIGEST_MISMATCH" in state["pack"]["failure"]
    assert (state["generation_job"]["status"], state["generation_job"]["attempts"]) == ("dead", 1)
    assert state["generation_job"]["reason"] == state["pack"]["failure"]
    assert artifacts(look, order) == []


def test_a_failed_pack_is_told_of_where_something_was_held_for_it(
    order: UUID, look: Any, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        failing, "ON_PACK_FAILED", (lambda _, actor, pack: told.append((actor, pack)),)
    )
    look("update packs set bundle_digest = :d where work_order_id = :id", d="0" * 64, id=order)
    run_jobs()

    ((actor, pack),) = told
    assert actor.operation_id is not None
    assert (pack.work_order_id, pack.status) == (order, "generating")


def test_a_failed_pack_is_tried_again_and_becomes_what_it_should_have_been(
    desk: Any, order: UUID, look: Any, run_jobs: Any, packs_of: Any
) -> None:
    ((digest,),) = look("select bundle_digest from packs where work_order_id = :id", id=order)
    look("update packs set bundle_digest = :d where work_order_id = :id", d="0" * 64, id=order)
    run_jobs()
    look("update packs set bundle_digest = :d where work_order_id = :id", d=digest, id=order)
    answer = desk.post(f"{path_of(order)}/packs/1/retry")

    assert answer.status_code == 200
    assert (answer.get_json()["pack"]["status"], answer.get_json()["pack"]["failure"]) == (
        "generating",
        None,
    )
    assert run_jobs() == 2
    assert packs_of(order) == [(1, "generated")]
    assert artifacts(look, order) == ["bundle", "docx"]


def test_only_what_was_given_up_is_tried_again(
    service: Service, owner: Any, desk: Any, order: UUID
) -> None:
    before = desk.post(f"{path_of(order)}/packs/1/retry")
    take_back(service, owner, order, "a correction")
    after = desk.post(f"{path_of(order)}/packs/1/retry")

    for answer, status in ((before, "generating"), (after, "superseded")):
        assert (answer.status_code, answer.get_json()["code"]) == (409, "PACK_NOT_FAILED")
        assert answer.get_json()["pack_status"] == status
    assert desk.post(f"{path_of(order)}/packs/2/retry").status_code == 404


def test_retrying_needs_the_capability_to_have_packs_made(
    order: UUID, owner: Any, make_user: Any, sign_in: Any
) -> None:
    from tests.service.conftest import Firm

    staff = sign_in(make_user(Firm(owner.tenant_id, "", ""), roles=["staff"]))

    for path in ("/packs/1/retry", "/create-pack"):
        assert staff.post(f"{path_of(order)}{path}").status_code == 403


def test_a_bundle_that_was_damaged_since_is_not_printed(
    desk: Any, order: UUID, take: Callable[[], Job], service: Service, look: Any, run_jobs: Any
) -> None:
    making.make_bundle(take())
    ((key,),) = look(
        "select object_key from pack_artifacts join packs using (tenant_id, pack_id)"
        " where work_order_id = :id",
        id=order,
    )
    (service.objects.folder / key).write_bytes(b"PK\x03\x04 damaged")  # type: ignore[operator]
    run_jobs()
    state = desk.get(f"{path_of(order)}/pack").get_json()

    assert (state["pack"]["status"], state["generation_job"]["kind"]) == ("failed", "pack.render")
    assert "BUNDLE_UNSOUND" in state["pack"]["failure"]
    assert [one["status"] for one in state["generation_job"]["operations"]] == ["done", "dead"]


def test_an_object_that_is_gone_is_tried_for_again(
    service: Service, owner: Any, desk: Any, look: Any, jobs_service: Service, packs_of: Any
) -> None:
    look(LEAVE)
    work_order_id = enter(service, owner, read_specimen(), reference=f"gone-{new_id().hex[-6:]}")
    make_ready(service, owner, work_order_id)
    ((key,),) = look(
        "select object_key from documents where work_order_id = :id and filename = 'khata.jpg'",
        id=work_order_id,
    )
    away = service.objects.folder / f"{key}-away"  # type: ignore[operator]
    (service.objects.folder / key).rename(away)  # type: ignore[operator]
    run_pending(jobs_service)
    job = desk.get(f"{path_of(work_order_id)}/pack").get_json()["generation_job"]

    assert packs_of(work_order_id) == [(1, "generating")]
    assert (job["status"], job["attempts"]) == ("pending", 1)
    assert job["reason"].startswith("OBJECT_MISSING")
    away.rename(service.objects.folder / key)  # type: ignore[operator]
    look("update operations set run_after = now() where work_order_id = :id", id=work_order_id)
    run_pending(jobs_service)
    assert packs_of(work_order_id) == [(1, "generated")]


def test_progress_is_seen_while_evidence_is_collected(
    service: Service,
    owner: Any,
    desk: Any,
    take: Callable[[], Job],
    look: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look(LEAVE)
    work_order_id = enter(service, owner, read_specimen(), reference=f"steps-{new_id().hex[-6:]}")
    make_ready(service, owner, work_order_id)
    seen: list[tuple[str, int]] = []
    plain = Job.step

    def step(job: Job, name: str, percent: int) -> None:
        plain(job, name, percent)
        shown = desk.get(f"{path_of(work_order_id)}/pack").get_json()["generation_job"]
        seen.append((shown["step"], shown["percent"]))

    monkeypatch.setattr(Job, "step", step)
    making.make_bundle(take())

    names = [name for name, _ in seen]
    percents = [percent for _, percent in seen]
    assert names[:2] == ["writing the bundle", "collecting evidence 1/19"]
    assert names[-3:] == ["collecting evidence 19/19", "checking the bundle", "storing"]
    assert percents == sorted(percents)


@pytest.mark.parametrize("when", ["before it begins", "while it works"])
def test_a_job_that_finds_its_pack_superseded_ends_without_effect(
    order: UUID, take: Callable[[], Job], look: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """As if the pack had been ended without its jobs: the job has to see it for itself."""

    def supersede() -> None:
        look("update packs set status = 'superseded' where work_order_id = :id", id=order)

    def store_and_supersede(*arguments: Any) -> Any:
        supersede()
        return put_new(*arguments)

    job = take()
    if when == "before it begins":
        supersede()
    else:
        monkeypatch.setattr(making, "put_new", store_and_supersede)
    making.make_bundle(job)
    if not job.is_finished:
        with job.effect():
            pass

    assert artifacts(look, order) == []
    assert look("select kind, status from operations where work_order_id = :id", id=order) == [
        ("pack.bundle", "done")
    ]


def test_a_job_that_is_late_cannot_bring_a_superseded_pack_back(
    service: Service,
    owner: Any,
    order: UUID,
    take: Callable[[], Job],
    look: Any,
    packs_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = take()

    def store_then_pause(*arguments: Any) -> Any:
        stored = put_new(*arguments)
        take_back(service, owner, order, "a correction")
        return stored

    monkeypatch.setattr(making, "put_new", store_then_pause)
    with pytest.raises(LeaseLost):
        making.make_bundle(job)

    assert packs_of(order) == [(1, "superseded")]
    assert artifacts(look, order) == []
    assert look("select status from operations where work_order_id = :id", id=order) == [
        ("cancelled",)
    ]


def test_taking_back_while_a_job_commits_ends_one_way_or_the_other(
    service: Service,
    owner: Any,
    order: UUID,
    jobs_service: Service,
    take: Callable[[], Job],
    look: Any,
    packs_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The job holds its operation and asks for another; the request holds the work order."""
    job, entered, failures = take(), threading.Event(), []
    plain = making._go_on

    def slowly(*arguments: Any) -> None:
        entered.set()
        threading.Event().wait(0.5)
        plain(*arguments)

    def back() -> None:
        entered.wait(10)
        try:
            take_back(service, owner, order, "a correction")
        except Exception as error:  # noqa: BLE001 - the test shows whatever it is
            failures.append(error)

    monkeypatch.setattr(making, "_go_on", slowly)
    thread = threading.Thread(target=back)
    thread.start()
    making.make_bundle(job)
    thread.join()

    assert failures == []
    assert packs_of(order) == [(1, "superseded")]
    assert artifacts(look, order) == ["bundle"]
    assert look(
        "select kind, status from operations where work_order_id = :id order by created_at",
        id=order,
    ) == [("pack.bundle", "done"), ("pack.render", "cancelled")]
    run_pending(jobs_service)
    assert packs_of(order) == [(1, "superseded")]


def test_what_a_killed_attempt_has_stored_is_found_by_the_next_one(
    order: UUID,
    take: Callable[[], Job],
    look: Any,
    jobs_service: Service,
    packs_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class KilledError(Exception):
        pass

    def store_then_die(*arguments: Any) -> Any:
        put_new(*arguments)
        raise KilledError

    job = take()
    with monkeypatch.context() as patched:
        patched.setattr(making, "put_new", store_then_die)
        with pytest.raises(KilledError):
            making.make_bundle(job)
    look("update operations set status = 'pending' where work_order_id = :id", id=order)
    run_pending(jobs_service)

    assert packs_of(order) == [(1, "generated")]
    ((key,),) = look(
        "select object_key from pack_artifacts join packs using (tenant_id, pack_id)"
        " where work_order_id = :id and kind = 'bundle'",
        id=order,
    )
    assert key.endswith(f"/{job.operation_id}.zip")


def test_other_bytes_of_an_older_software_do_not_stop_a_pack(
    order: UUID, take: Callable[[], Job], look: Any, service: Service
) -> None:
    job = take()
    folder = f"{job.tenant_id}/packs/{job.subject_id}"
    put_new(service.objects, f"{folder}/{job.operation_id}.zip", b"of another version")
    making.make_bundle(job)

    ((key,),) = look(
        "select object_key from pack_artifacts join packs using (tenant_id, pack_id)"
        " where work_order_id = :id",
        id=order,
    )
    assert key == f"{folder}/{job.operation_id}-{job.generation}.zip"


def test_the_sweep_takes_old_objects_that_no_pack_names_and_no_others(
    order: UUID, take: Callable[[], Job], jobs_service: Service, look: Any
) -> None:
    objects = jobs_service.objects
    job = take()
    making.make_bundle(job)
    folder = f"{job.tenant_id}/packs/{job.subject_id}"
    named = f"{folder}/{job.operation_id}.zip"
    orphan, young = f"{folder}/{new_id()}.docx", f"{folder}/{new_id()}.pdf"
    ((waiting,),) = look(
        "select operation_id from operations where work_order_id = :id and status = 'pending'",
        id=order,
    )
    under_way = f"{folder}/{waiting}.docx"
    for key in (orphan, young, under_way):
        put_new(objects, key, b"bytes")
    for key in (named, orphan, under_way):
        _age(objects.folder / key)  # type: ignore[operator]
    left = [Path(tempfile.mkdtemp(prefix=prefix)) for prefix in FOLDER_PREFIXES]
    for folder_left in left:
        (folder_left / "half.zip").write_bytes(b"half")
        _age(folder_left)
    in_use = Path(tempfile.mkdtemp(prefix="zenops-export-"))
    removed, folders = sweep(jobs_service)

    assert (removed, folders >= len(left)) == (1, True)
    assert {key: exists(objects, key) for key in (named, orphan, young, under_way)} == {
        named: True,
        orphan: False,
        young: True,
        under_way: True,
    }
    assert not any(one.exists() for one in left)
    sweep(jobs_service, older_than=timedelta(0))
    assert in_use.exists()
    in_use.rmdir()
    assert [exists(objects, key) for key in (named, young, under_way)] == [True, False, True]


def test_every_folder_that_a_killed_process_may_leave_is_swept() -> None:
    root = Path(sweeping.__file__).parent.parent
    made = {
        prefix
        for path in root.rglob("*.py")
        for prefix in re.findall(
            r"(?:TemporaryDirectory|mkdtemp)\(prefix=\"([a-z-]+)\"", path.read_text("utf-8")
        )
    }

    # The counts of web processes are theirs while they live, however old.
    assert made - {"zenops-metrics-", "scratch-"} == {*FOLDER_PREFIXES} - {making.FOLDER_PREFIX}


def _age(path: Path) -> None:
    long_ago = path.stat().st_mtime - 3 * 86_400
    os.utime(path, (long_ago, long_ago))


def test_a_dead_job_of_a_superseded_pack_changes_nothing(
    service: Service, owner: Any, order: UUID, jobs_service: Service, packs_of: Any, look: Any
) -> None:
    ((operation,),) = look(
        "select operation_id from operations where work_order_id = :id", id=order
    )
    take_back(service, owner, order, "a correction")
    job_operation = dataclasses.replace(
        _operation(owner.tenant_id, operation, look), reason="too late"
    )
    with transaction(
        jobs_service.engine, role="zen_worker", tenant_id=owner.tenant_id
    ) as connection:
        failing.fail_pack(connection, job_operation)
        failing.resume_pack(connection, job_operation)

    assert packs_of(order) == [(1, "superseded")]


def _operation(tenant_id: UUID, operation_id: UUID, look: Any) -> Any:
    from service.jobs.job import Operation

    ((kind, subject, work_order),) = look(
        "select kind, subject_id, work_order_id from operations where operation_id = :id",
        id=operation_id,
    )
    return Operation(tenant_id, operation_id, kind, subject, work_order, {}, 1)


def test_a_stale_copy_of_a_job_does_nothing(
    order: UUID, take: Callable[[], Job], jobs_service: Service, look: Any
) -> None:
    job = take()

    assert not perform(jobs_service, job.tenant_id, job.operation_id, job.generation - 1)
    assert artifacts(look, order) == []


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [("on", ["pack.bundle", "pack.render", "pack.pdf"]), ("auto", ["pack.bundle", "pack.render"])],
)
def test_without_libreoffice_a_pack_is_whole_and_only_a_demanded_pdf_fails(
    desk: Any,
    order: UUID,
    jobs_service: Service,
    packs_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    kinds: list[str],
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    run_pending(
        dataclasses.replace(
            jobs_service,
            settings=dataclasses.replace(jobs_service.settings, pdf=wanted),  # type: ignore[arg-type]
        )
    )
    state = desk.get(f"{path_of(order)}/pack").get_json()

    assert packs_of(order) == [(1, "generated")]
    assert [one["kind"] for one in state["artifacts"]] == ["bundle", "docx"]
    assert [one["kind"] for one in state["generation_job"]["operations"]] == kinds
    if wanted == "on":
        last = state["generation_job"]
        assert (last["kind"], last["status"], last["attempts"]) == ("pack.pdf", "dead", 1)
        assert "LibreOffice is not installed" in last["reason"]
        assert desk.post(f"{path_of(order)}/packs/1/retry").status_code == 200
        assert packs_of(order) == [(1, "generated")]
