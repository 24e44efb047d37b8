"""The real jobs of packs, killed on their way: one pack, one file of each kind, the promised digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from uuid import UUID

import pytest

from factory.verification import verify_bundle
from service.bootstrap import Service
from tests.chaos.size import IS_FULL, repeated
from tests.chaos.world import World, note_recovery, wait_until
from tests.service.conftest import User
from tests.service.packs.specimen import enter, make_ready, read_specimen

pytestmark = pytest.mark.campaign

#: Printing takes seconds of two busy cores, after what was lost has been taken back.
PACK_BOUND_S = 90.0
CASES = [
    ("object-after-rename", "group"),
    ("job-before-commit", "self"),
    ("job-after-commit", "parent"),
    ("worker-after-dequeue", "self"),
    ("job-after-lease", "self"),
    ("job-before-program", "parent"),
    ("job-after-program", "group"),
    ("object-after-write", "self"),
    ("dispatcher-before-push", "self"),
    ("dispatcher-after-push", "self"),
]


@repeated
@pytest.mark.parametrize(("point", "target"), CASES if IS_FULL else CASES[:1])
def test_a_pack_comes_out_whole(
    point: str, target: str, firm_world: World, web: Service, valuer: User
) -> None:
    world = firm_world
    world.rest()
    armed = "dispatcher" if point.startswith("dispatcher") else "worker"
    order = enter(web, valuer, read_specimen(), reference=f"S-{os.urandom(4).hex()}")
    for role in ("dispatcher", "worker", "reaper"):
        if role == armed:
            world.start(role, crash_at=point, target=target)
        else:
            world.start(role)

    make_ready(web, valuer, order)
    wait_until(world.has_crashed, PACK_BOUND_S, f"a crash at {point}")
    took = wait_until(
        lambda: world.query(
            "select 1 from packs where work_order_id = :order and status = 'generated'", order=order
        ),
        PACK_BOUND_S,
        "the pack is there",
    )
    note_recovery(f"pack {point} {target}", took)
    assert_whole(world, order)


def assert_whole(world: World, order: UUID) -> None:
    """One pack, one file of each kind, the promised digest, each operation done once."""
    (pack,) = world.query(
        "select pack_id, bundle_digest from packs where work_order_id = :order", order=order
    )
    files = world.query(
        "select kind, object_key, sha256 from pack_artifacts where pack_id = :pack order by kind",
        pack=pack.pack_id,
    )
    assert [file.kind for file in files] == ["bundle", "docx"]
    for file in files:
        stored = (world.folder / "objects" / file.object_key).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == file.sha256
    bundle = world.folder / "bundle.zip"
    shutil.copy(world.folder / "objects" / files[0].object_key, bundle)
    assert verify_bundle(bundle).sound
    assert verify_bundle(bundle).digest == pack.bundle_digest
    assert world.query(
        "select kind, status from operations where work_order_id = :order order by kind",
        order=order,
    ) == [("pack.bundle", "done"), ("pack.render", "done")]
    assert world.query(
        "select count(*) from audit_events where work_order_id = :order"
        " and action = 'pack:version:generated'",
        order=order,
    ) == [(1,)]
