"""A process is killed at each named point; nothing is lost, nothing is doubled, and it is soon over."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image
from sqlalchemy import text

from service.audit.events import record
from service.audit.verifying import verify
from service.database.connections import make_engine, transaction
from service.identifiers import new_id
from service.jobs.crashpoints import NAMES
from tests.chaos.browser import Persistent
from tests.chaos.oracle import faults, is_settled
from tests.chaos.process import ROUND
from tests.chaos.size import IS_FULL, repeated
from tests.chaos.world import BOUND_S, World, note_recovery, wait_until

pytestmark = pytest.mark.campaign

# Who passes a point, if it is not tested by name below.
PASSED_BY = {
    "dispatcher-before-push": "dispatcher",
    "dispatcher-after-push": "dispatcher",
    "worker-after-dequeue": "worker",
    "job-after-lease": "work-horse",
    "job-before-program": "work-horse",
    "job-after-program": "work-horse",
    "object-after-write": "work-horse",
    "object-after-rename": "work-horse",
    "job-before-commit": "work-horse",
    "job-after-commit": "work-horse",
}
TESTED_BY_NAME = {
    # Of money: test_money.
    "refill-before-commit",
    "refill-after-commit",
    "reconcile-before-commit",
    "webhook-after-store",
    "payment-before-commit",
    "release-before-effect",
    "release-after-effect",
    "upload-after-object",
    "web-before-commit",
    "web-after-commit",
    "reaper-before-commit",
    "scheduler-before-commit",
    "sealer-in-batch",
}
TARGETS = ("self", "parent", "group")


def cases() -> list[tuple[str, str, str]]:
    """Point, owner and target: a work-horse's points take turns, in a full run each gets all."""
    made = []
    for number, (point, owner) in enumerate(PASSED_BY.items()):
        if owner != "work-horse":
            targets: tuple[str, ...] = ("self",)
        elif IS_FULL:
            targets = TARGETS
        else:
            targets = (TARGETS[number % len(TARGETS)],)
        made += [(point, owner, target) for target in targets]
    return made


def test_each_point_is_tried() -> None:
    assert set(NAMES) == set(PASSED_BY) | TESTED_BY_NAME
    assert len(NAMES) == 23


@repeated
@pytest.mark.parametrize(("point", "owner", "target"), cases())
def test_killed_on_the_way_of_a_job(point: str, owner: str, target: str, world: World) -> None:
    armed = "worker" if owner == "work-horse" else owner
    for role in ("dispatcher", "worker", "reaper"):
        if role == armed:
            world.start(role, crash_at=point, target=target)
        else:
            world.start(role)
    committed = world.ask(5)
    wait_until(world.has_crashed, BOUND_S, f"a crash at {point}")

    took = wait_until(lambda: is_settled(world, 5), BOUND_S, f"all is done after {point} {target}")

    note_recovery(f"{point} {target}", took)
    assert faults(world, committed) == []
    assert not world.query("select 1 from operations where status <> 'done'")


@repeated
@pytest.mark.parametrize("point", ["web-before-commit", "web-after-commit"])
def test_killed_while_a_request_asks_for_work(point: str, world: World) -> None:
    """The client repeats its request; the operation starts again once, not twice and not never."""
    dead = [new_id() for _ in range(3)]
    for one in dead:
        world.execute(
            "insert into operations (tenant_id, operation_id, kind, operation_key, status, attempts,"
            " generation, created_at, run_after, finished_at) values (:tenant, :operation,"
            " 'test.write', :key, 'dead', 5, 5, now(), now(), now())",
            tenant=world.tenant_id,
            operation=one,
            key=str(one),
        )
    world.start("web", crash_at=point)
    world.start_all(["dispatcher", "worker", "reaper"])
    operator = Persistent(world)
    operator.repeats = 0
    for one in dead:
        operator.post(f"/v1/jobs/{one}/retry", {})
    assert world.has_crashed()
    assert operator.repeats > 0

    took = wait_until(
        lambda: not world.query("select 1 from operations where status <> 'done'"),
        BOUND_S,
        "all is done",
    )

    note_recovery(f"{point} self", took)
    assert faults(world, dead) == []
    events = world.query(
        "select subject_id, count(*) from audit_events where action = 'job:operation:retried'"
        " and subject_id = any(:dead) group by 1",
        dead=[str(one) for one in dead],
    )
    assert sorted(events) == sorted((str(one), 1) for one in dead)


@repeated
def test_killed_between_an_uploads_object_and_its_row(world: World) -> None:
    world.start("web", crash_at="upload-after-object")
    operator = Persistent(world)
    operator.repeats = 0
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 90, 200)).save(picture, "PNG")
    name = f"{new_id()}.png"
    form = (
        b'--part\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"'
        b"\r\nContent-Type: image/png\r\n\r\n" + picture.getvalue() + b"\r\n--part--\r\n"
    )

    document = operator.post("/v1/files/upload", form)

    assert world.has_crashed()
    assert operator.repeats > 0
    rows = world.query(
        "select document_id, object_key, status from documents where filename = :name", name=name
    )
    assert [(str(row.document_id), row.status) for row in rows] == [(document["id"], "uploaded")]
    assert (world.folder / "objects" / rows[0].object_key).read_bytes() == picture.getvalue()


@repeated
def test_killed_between_what_an_end_frees_and_the_end(world: World) -> None:
    lost = new_id()
    world.execute(
        "insert into operations (tenant_id, operation_id, kind, operation_key, status, attempts,"
        " generation, created_at, run_after, lease_until) values (:tenant, :operation,"
        " 'test.fail', 'lost', 'running', 3, 3, now(), now(), now() - interval '1 second')",
        tenant=world.tenant_id,
        operation=lost,
    )
    world.start("reaper", crash_at="reaper-before-commit")
    wait_until(world.has_crashed, BOUND_S, "a crash of the reaper")

    took = wait_until(lambda: is_settled(world, 1), BOUND_S, "the operation is dead")

    note_recovery("reaper-before-commit self", took)
    assert world.query("select status from operations") == [("dead",)]
    assert world.query("select operation_id from counting.freed") == [(lost,)]


@repeated
def test_killed_between_a_tick_and_what_it_asks_for(world: World) -> None:
    world.start_all(["dispatcher", "worker", "reaper", "scheduler"])
    world.start("scheduler", crash_at="scheduler-before-commit")
    wait_until(world.has_crashed, BOUND_S, "a crash of a scheduler")
    time.sleep(2.5)
    world.stop("scheduler")

    wait_until(lambda: is_settled(world, 1), BOUND_S, "all is done")

    assert tick_faults(world) == []
    assert faults(world, []) == []


def tick_faults(world: World) -> list[str]:
    """Turns that were left out, done twice, or done without their work; other work is passed over."""
    slots = [
        row.slot
        for row in world.query("select slot from ticks where task = 'test.round' order by slot")
    ]
    keys = sorted(
        row.operation_key
        for row in world.query(
            "select operation_key from operations where operation_key like 'test.round:%'"
        )
    )
    found = []
    if len(slots) < 3:
        found.append(f"only {len(slots)} turns")
    if slots != [slots[0] + ROUND.period * number for number in range(len(slots))]:
        found.append(f"turns are left out or doubled: {slots}")
    if keys != sorted(f"test.round:{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in slots):
        found.append(f"{len(slots)} turns asked for {len(keys)} operations")
    return found


@repeated
def test_killed_in_the_middle_of_sealing(world: World) -> None:
    engine = make_engine(world.database.api_url)
    with transaction(engine, role="zen_web", tenant_id=world.tenant_id) as connection:
        for number in range(30):
            record(connection, world.actor(), "specimen:thing:done", subject=("thing", number))
    engine.dispose()
    world.start("scheduler", crash_at="sealer-in-batch")
    wait_until(world.has_crashed, BOUND_S, "a crash of the sealer")
    # Where there are several schedulers, the rest of the work goes on meanwhile.
    world.start("scheduler")

    took = wait_until(
        lambda: (
            not world.query(
                "select 1 from audit_events e where not exists (select from audit_seals s"
                " where s.tenant_id = e.tenant_id and s.event_id = e.event_id)"
            )
        ),
        BOUND_S,
        "every event is sealed",
    )

    note_recovery("sealer-in-batch self", took)
    jobs = make_engine(world.database.jobs_url)
    with transaction(jobs, role="zen_system") as connection:
        assert verify(connection, world.tenant_id).breaks == ()
        assert connection.scalar(text("select count(*) from audit_seals")) == connection.scalar(
            text("select count(*) from audit_events")
        )
    jobs.dispose()
