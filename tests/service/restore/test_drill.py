"""The drill finds what a copy lacks, and every door that it leaves open."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import make_url, text

from service.audit.anchoring import anchor
from service.audit.sealing import seal
from service.backups.checking import (
    INVARIANTS,
    broken_chains,
    broken_invariants,
    contents_of,
    differences,
    lost_objects,
    open_doors,
)
from service.backups.drill import DrillError, drill, faults_of, outside_of, prove, take_dump
from service.backups.dumping import DumpError, drop_database, make_database, plain_engine
from service.identifiers import new_id
from service.local_services import public_folder
from service.objects import storage
from tests.docs.pages import ROOT
from tests.service.local.test_deployment import SERVICES, environment_of, filled
from tests.service.tenancy.specimen_rows import insert_specimen

CONTENT = b"{}"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def original(owner_engine: Any, jobs_service: Any) -> list[UUID]:
    """Two firms with a row in each table that fit together, and their files."""
    tenants = [new_id(), new_id()]
    for at, tenant in enumerate(tenants):
        with owner_engine.begin() as connection:
            insert_specimen(connection, tenant, f"specimen-{at}")
            connection.execute(text("set local session_replication_role = replica"))
            statements = (
                "delete from audit_seals where tenant_id = :t",
                (
                    "update audit_events set details_sha256 = encode(sha256('{}'), 'hex')"
                    " where tenant_id = :t"
                ),
                "update bundle_parts set sha256 = :sha, content = :content where tenant_id = :t",
                (
                    "update snapshots set parts = jsonb_build_object('a.json', cast(:sha as text))"
                    " where tenant_id = :t"
                ),
                (
                    "update work_orders set snapshot_version = 1, pack_version = 1,"
                    " status = 'DATA_PENDING', current_pack_id ="
                    " (select pack_id from packs where tenant_id = :t) where tenant_id = :t"
                ),
                "update packs set status = 'generated' where tenant_id = :t",
                "update pack_artifacts set kind = 'bundle', sha256 = :sha where tenant_id = :t",
                (
                    "update documents set status = 'uploaded', sha256 = :sha, size = 2, facts = '{}'"
                    " where tenant_id = :t"
                ),
            )
            for statement in statements:
                connection.execute(text(statement), {"t": tenant, "sha": SHA, "content": CONTENT})
            keys = connection.scalars(
                text(
                    "select object_key from documents where tenant_id = :t union"
                    " select object_key from pack_artifacts where tenant_id = :t"
                ),
                {"t": tenant},
            ).all()
        for key in keys:
            storage.put_new(jobs_service.objects, key, CONTENT)
    seal(jobs_service.engine)
    anchor(jobs_service)
    return tenants


@pytest.fixture(scope="module")
def copy(
    original: Any, database: Any, postgres: Any, jobs_service: Any, tmp_path_factory: Any
) -> Any:
    """A database that was restored from a dump of the original, and proved."""
    assert original
    file = tmp_path_factory.mktemp("dump") / "a.dump"
    lines: list[str] = []
    contents = take_dump(
        database.backup_url, file, lines.append, program=postgres.programs / "pg_dump"
    )
    name = "copy_of_" + str(make_url(database.owner_url).database)
    url = make_database(postgres.url, name)
    prove(
        file,
        url,
        contents,
        lines.append,
        outside_of(jobs_service),
        program=postgres.programs / "pg_restore",
    )
    assert [line.split()[0] for line in lines] == ["dump", "restore", "counts", "proof"]
    assert file.stat().st_mode & 0o077 == 0
    engine = plain_engine(url)
    yield engine, contents, jobs_service
    engine.dispose()
    drop_database(postgres.url, name)


def faults(copy: Any, *damages: str) -> list[str]:
    """What is found in the copy after damages, all of which are taken back."""
    engine, contents, service = copy
    outside = outside_of(service)
    with engine.connect() as connection, connection.begin() as damaged:
        connection.execute(text("set local timezone to 'UTC'"))
        connection.execute(text("set local session_replication_role = replica"))
        for damage in damages:
            connection.execute(text(damage))
        found = [
            *differences(contents, contents_of(connection)),
            *broken_invariants(connection),
            *broken_chains(connection, outside.anchors),
            *open_doors(connection),
        ]
        damaged.rollback()
    return found


def test_an_undamaged_copy_has_no_fault(copy: Any) -> None:
    engine, contents, service = copy

    assert faults(copy) == []
    url = engine.url.render_as_string(hide_password=False)
    assert faults_of(url, contents, lambda _: None, outside_of(service)) == []
    # All of it was really looked at: every table of both firms has rows; no scheduler has run.
    assert [name for name, (count, _) in contents.tables.items() if not count] == ["ticks"]
    assert len(contents.tables) > 25


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("delete from comments", "table comments: 0 rows, not 2"),
        ("update banks set name = name || '!'", "table banks: the rows are not the same"),
        ("drop table ticks", "table ticks: missing"),
        ("create table more (x int)", "table more: not in the original"),
        ("alter table banks no force row level security", "table banks: row-level security"),
        ("alter table banks disable row level security", "table banks: row-level security"),
        ("drop policy web_select on banks", "schema: missing: policy web_select on banks"),
        ("alter policy web_select on banks using (true)", "table banks: nobody sees 2 rows, not 0"),
        ("alter policy web_select on banks using (false)", "sees 0 rows, not 1"),
        ("grant delete on banks to zen_web", "not in the original: right on banks: DELETE"),
        ("revoke insert on banks from zen_web", "missing: right on banks: INSERT to zen_web"),
        ("grant select (password_hash) on users to zen_web", "right on users.password_hash"),
        ("drop trigger append_only on audit_events", "missing: CREATE TRIGGER append_only"),
        ("drop index packs_current", "missing: CREATE UNIQUE INDEX packs_current"),
        ("alter table users drop constraint users_email_key", "constraint users_email_key"),
        ("alter table banks alter code set default 'x'", "column banks.code text f 'x'"),
        ("alter table banks owner to postgres", "table banks owner postgres"),
        ("grant create on schema public to zen_web", "schema public"),
        (
            ("create or replace function app.tenant_id() returns uuid language sql stable parallel"
            " safe set search_path = '' as 'select null::uuid'"),
            "function CREATE OR REPLACE FUNCTION app.tenant_id()",
        ),
        ("update audit_events set reason = 'another'", "seal 1: the event"),
        ("truncate audit_events, audit_details, audit_seals", "seal 1: missing: an anchor"),
        ("delete from audit_details", "no event says why"),
    ],
)  # fmt: skip
def test_damage_is_found(copy: Any, damage: str, found: str) -> None:
    assert any(found in fault for fault in faults(copy, damage)), faults(copy, damage)


#: Invariant -> how to break it.
BREAKS = {
    "a generated pack has its bundle": "update pack_artifacts set kind = 'docx'",
    "a work order's packs are numbered from 1 without a gap": "update packs set version = 2",
    "a work order's snapshots are numbered from 1 without a gap": (
        "update work_orders set snapshot_version = 2"
    ),
    "a work order has at most one current pack, and it is the one it names": (
        "update packs set work_order_id = gen_random_uuid()"
    ),
    "a pack has the digest of its snapshot": "update packs set bundle_digest = repeat('0', 64)",
    "a snapshot's parts are all there": "delete from bundle_parts",
    "a part is what its digest says": "update bundle_parts set content = 'x'",
    "a signature is for its pack's digest": "update sign_offs set bundle_digest = repeat('0', 64)",
    "a work order's state is the last that it was moved to": (
        "update work_orders set status = 'CLOSED'"
    ),
    "work that has ended holds no lease": "update operations set lease_until = now()",
}


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_a_broken_invariant_is_found(copy: Any, invariant: str) -> None:
    found = [fault for fault in faults(copy, BREAKS[invariant]) if fault.startswith(invariant)]

    assert [": not so for 2" in fault for fault in found] == [True]


def test_files_that_are_lost_or_changed_are_found(copy: Any) -> None:
    engine, _, service = copy
    with engine.connect() as connection:
        assert list(lost_objects(connection, service.objects)) == []
        keys = connection.scalars(text("select object_key from documents order by 1")).all()
        for key, content in zip(keys, (None, b"another"), strict=True):
            path = service.objects.folder / key
            path.unlink()
            if content:
                path.write_bytes(content)
        found = list(lost_objects(connection, service.objects))
        for key in keys:
            storage.delete(service.objects, key)
            storage.put_new(service.objects, key, CONTENT)

    assert found == [f"file {keys[0]}: missing", f"file {keys[1]}: another than was stored"]


def test_the_drill_uses_a_server_of_its_own_and_leaves_nothing(
    copy: Any, database: Any, jobs_service: Any
) -> None:
    assert copy

    def folders() -> set[Path]:
        return set(public_folder().glob("scratch-*/server"))

    before = folders()
    lines: list[str] = []
    drill(database.backup_url, lines.append, outside_of(jobs_service))

    assert lines[-1].endswith("nothing of the copy is left")
    assert folders() == before


def test_a_proof_that_fails_names_every_fault(
    copy: Any, database: Any, postgres: Any, tmp_path: Any
) -> None:
    assert copy
    file = tmp_path / "b.dump"
    contents = take_dump(
        database.backup_url, file, lambda _: None, program=postgres.programs / "pg_dump"
    )
    more = replace(contents, tables={**contents.tables, "banks": (3, "1"), "other": (0, "0")})
    url = make_database(postgres.url, "copy_that_differs")
    try:
        with pytest.raises(DrillError) as found:
            prove(file, url, more, lambda _: None, program=postgres.programs / "pg_restore")
    finally:
        drop_database(postgres.url, "copy_that_differs")

    assert str(found.value) == "table banks: 2 rows, not 3\ntable other: missing"


def test_a_login_that_does_not_see_all_rows_cannot_dump(
    database: Any, postgres: Any, tmp_path: Any
) -> None:
    program = postgres.programs / "pg_dump"
    with pytest.raises(DumpError, match="pg_dump failed"):
        take_dump(database.api_url, tmp_path / "c.dump", lambda _: None, program=program)


def test_a_dump_is_of_one_instant_though_work_goes_on(
    copy: Any, database: Any, postgres: Any, owner_engine: Any, tmp_path: Any
) -> None:
    """What is written while pg_dump runs is neither in the dump nor in what it is held to."""
    assert copy
    script = tmp_path / "pg_dump"
    program = postgres.programs / "pg_dump"
    url = make_url(database.owner_url).set(drivername="postgresql")
    psql = postgres.programs / "psql"
    # A bank is entered between the snapshot and the dump.
    script.write_text(
        "#!/bin/sh\n"  # noqa: S608
        f"'{psql}' -q '{url.render_as_string(hide_password=False)}' -c \"insert into banks"
        " (tenant_id, bank_id, name, created_at, updated_at) select tenant_id,"
        " gen_random_uuid(), 'Late Bank', now(), now() from tenants limit 1\" || exit 9\n"
        f"exec '{program}' \"$@\"\n"
    )
    script.chmod(0o700)
    file = tmp_path / "d.dump"
    contents = take_dump(database.backup_url, file, lambda _: None, program=script)
    with owner_engine.connect() as connection:
        now = connection.scalar(text("select count(*) from banks"))
    copied = make_database(postgres.url, "copy_of_an_instant")
    try:
        prove(file, copied, contents, lambda _: None, program=postgres.programs / "pg_restore")
    finally:
        drop_database(postgres.url, "copy_of_an_instant")

    assert contents.tables["banks"][0] == now - 1


def test_the_command_of_the_drills_container_works_with_what_the_container_has(
    database: Any, settings: Any, original: list[UUID]
) -> None:
    """Where its servers are is all that differs."""
    assert original
    here = {
        # As PostgreSQL's own programs write it.
        "BACKUP_DATABASE_URL": database.backup_url.replace("+psycopg", ""),
        "JOBS_DATABASE_URL": database.jobs_url,
        "REDIS_URL": settings.redis_url,
        "ZENOPS_OBJECTS_URL": settings.objects_url,
        "ZENOPS_SECRET_KEY": settings.secret_key,
        "TMPDIR": str(settings.state_folder),
    }
    there = environment_of("drill", filled())
    assert here.keys() <= there.keys()

    def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "service.command_line", *SERVICES["drill"]["command"]],
            env={"PATH": os.environ["PATH"], "HOME": "/tmp", **environ},  # noqa: S108
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
            cwd=ROOT,
        )

    done = run(there | here)
    assert done.returncode == 0, done.stderr
    assert "nothing differs" in done.stdout
    assert "nothing of the copy is left" in done.stdout
    alone = run({"BACKUP_DATABASE_URL": here["BACKUP_DATABASE_URL"]})
    assert alone.returncode == 2
    assert "JOBS_DATABASE_URL is missing" in alone.stderr
