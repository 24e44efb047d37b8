"""A firm takes out all that it owns, and nothing that is another's."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service.database.connections import transaction
from service.identifiers import new_id
from service.objects import storage
from service.privacy.firm_archive import (
    LEFT_OUT,
    ArchiveError,
    tables_of_a_firm,
    write_archive,
)
from service.privacy.retention import EXPORT_KEPT, forget_exports
from tests.service.tenancy.specimen_rows import insert_specimen


@pytest.fixture(scope="module")
def tenants(owner_engine: Any, jobs_service: Any) -> list[UUID]:
    """Two firms with a row in every table, and the files that these name."""
    made = [new_id(), new_id()]
    for at, tenant in enumerate(made):
        with owner_engine.begin() as connection:
            insert_specimen(connection, tenant, f"specimen-{at}")
            keys = connection.scalars(
                text(
                    "select object_key from documents where tenant_id = :t union"
                    " select object_key from pack_artifacts where tenant_id = :t union"
                    " select object_key from invoice_attachments where tenant_id = :t"
                ),
                {"t": tenant},
            ).all()
        for key in keys:
            storage.put_new(jobs_service.objects, key, f"file of {key}".encode())
    return made


@pytest.fixture
def archive(tenants: list[UUID], jobs_service: Any, tmp_path: Any) -> zipfile.ZipFile:
    write_archive(jobs_service, tenants[0], tmp_path / "a.zip")
    return zipfile.ZipFile(tmp_path / "a.zip")


def rows(archive: zipfile.ZipFile, table: str) -> list[Any]:
    return [json.loads(line) for line in archive.read(f"data/tables/{table}.jsonl").splitlines()]


def test_every_table_with_a_tenant_is_in_the_archive_with_its_rows(
    archive: zipfile.ZipFile, tenants: list[UUID], owner_engine: Any
) -> None:
    with owner_engine.connect() as connection:
        names = set(
            connection.scalars(
                text(
                    "select table_name from information_schema.columns"
                    " where table_schema = 'public' and column_name = 'tenant_id'"
                )
            )
        )
        for name in names - set(LEFT_OUT):
            count = connection.scalar(
                text(f"select count(*) from {name} where tenant_id = :t"),  # noqa: S608
                {"t": tenants[0]},
            )
            found = rows(archive, name)
            assert len(found) == count > 0, name
            assert {row["tenant_id"] for row in found} == {str(tenants[0])}, name

    assert not [one for one in LEFT_OUT if f"data/tables/{one}.jsonl" in archive.namelist()]
    (person,) = rows(archive, "users")
    assert person["email"] == "specimen-0@specimen.test"
    assert "password_hash" not in person


def test_nothing_of_another_firm_is_in_the_archive(
    archive: zipfile.ZipFile, tenants: list[UUID]
) -> None:
    everything = b"".join(archive.read(name) for name in archive.namelist())

    assert str(tenants[0]).encode() in everything
    assert str(tenants[1]).encode() not in everything
    assert b"specimen-1" not in everything


def test_files_are_in_the_archive_as_they_are(
    archive: zipfile.ZipFile, tenants: list[UUID]
) -> None:
    names = [name for name in archive.namelist() if name.startswith("data/objects/")]

    assert len(names) == 3
    for name in names:
        key = f"{tenants[0]}/{name.removeprefix('data/objects/')}"
        assert archive.read(name) == f"file of {key}".encode()


def test_the_archive_is_a_bag_whose_manifests_name_every_file(archive: zipfile.ZipFile) -> None:
    assert archive.read("bagit.txt").startswith(b"BagIt-Version: 1.0\n")
    for manifest, prefix in (("manifest-sha256.txt", True), ("tagmanifest-sha256.txt", False)):
        named = {}
        for line in archive.read(manifest).decode().splitlines():
            digest, _, name = line.partition("  ")
            named[name] = digest
        assert set(named) == {
            name
            for name in archive.namelist()
            if name.startswith("data/") is prefix and name != "tagmanifest-sha256.txt"
        }
        for name, digest in named.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    payload = [one for one in archive.infolist() if one.filename.startswith("data/")]
    oxum = f"Payload-Oxum: {sum(one.file_size for one in payload)}.{len(payload)}\n"
    assert oxum in archive.read("bag-info.txt").decode()


@pytest.mark.parametrize(
    "granted",
    [
        "none",
        "select",
        "columns",
    ],
)
def test_a_new_table_that_would_be_missing_refuses_the_archive(
    jobs_service: Any, tenants: list[UUID], owner_engine: Any, tmp_path: Any, granted: str
) -> None:
    """Not granted at all; granted without a policy; granted in part."""
    with owner_engine.begin() as connection:
        connection.execute(text("create table forgotten (tenant_id uuid, x text, y text)"))
        if granted != "none":
            what = "select" if granted == "select" else "select (tenant_id, x)"
            connection.execute(text(f"grant {what} on forgotten to zen_worker"))
        if granted == "columns":
            connection.execute(
                text("create policy p on forgotten for select to zen_worker using (true)")
            )
    try:
        with pytest.raises(ArchiveError, match="forgotten"):
            write_archive(jobs_service, tenants[0], tmp_path / "b.zip")
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("drop table forgotten"))


def test_a_new_table_that_follows_the_rules_is_in_the_archive_by_itself(
    jobs_service: Any, tenants: list[UUID], owner_engine: Any
) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("create table added (tenant_id uuid primary key, x text)"))
        connection.execute(text("select app.protect_table('added')"))
    try:
        with transaction(
            jobs_service.engine, role="zen_worker", tenant_id=tenants[0]
        ) as connection:
            assert tables_of_a_firm(connection)["added"] == ("tenant_id", "x")
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("drop table added"))


def test_a_file_that_is_not_where_it_should_be_refuses_the_archive(
    jobs_service: Any, tenants: list[UUID], owner_engine: Any, tmp_path: Any
) -> None:
    with owner_engine.connect() as connection:
        key = connection.scalar(
            text("select object_key from pack_artifacts where tenant_id = :t"), {"t": tenants[1]}
        )
    content = storage.get_bytes(jobs_service.objects, key)
    storage.delete(jobs_service.objects, key)
    with pytest.raises(ArchiveError, match="1 files"):
        write_archive(jobs_service, tenants[1], tmp_path / "c.zip")
    storage.put_new(jobs_service.objects, key, content)


@pytest.fixture(scope="module")
def firm(make_firm: Any) -> Any:
    return make_firm()


@pytest.fixture(scope="module")
def owner(firm: Any, make_user: Any, sign_in: Any) -> Any:
    return sign_in(make_user(firm, ["owner"]))


def test_an_export_is_asked_for_made_and_downloaded(
    owner: Any, firm: Any, run_jobs: Any, jobs_service: Any, owner_engine: Any
) -> None:
    asked = owner.post("/v1/firm/export")
    assert asked.status_code == 202
    again = owner.post("/v1/firm/export")
    assert (again.status_code, again.get_json()["export_id"]) == (
        200,
        asked.get_json()["export_id"],
    )
    address = f"/v1/firm/export/{asked.get_json()['export_id']}"
    early = owner.get(f"{address}/file")
    assert (early.status_code, early.get_json()["code"]) == (409, "EXPORT_NOT_READY")

    run_jobs()

    shown = owner.get(address).get_json()
    assert (shown["status"], shown["percent"], shown["file"]) == ("done", 100, f"{address}/file")
    assert owner.get("/v1/firm/export").get_json()["items"] == [shown]
    got = owner.get(shown["file"])
    assert got.headers["Content-Type"] == "application/zip"
    assert got.headers["Content-Disposition"].startswith("attachment;")
    content = got.get_data()
    assert len(content) == shown["size"]
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert [row["tenant_id"] for row in rows(archive, "tenants")] == [str(firm.tenant_id)]
    with owner_engine.connect() as connection:
        actions = connection.scalars(
            text(
                "select action from audit_events where tenant_id = :t and subject_type = 'export'"
                " order by event_id"
            ),
            {"t": firm.tenant_id},
        ).all()
    assert actions == ["firm:export:requested", "firm:export:made", "firm:export:downloaded"]

    # After a week it is gone, and not a moment before.
    key = next(storage.listed(jobs_service.objects, f"{firm.tenant_id}/exports"))
    before = key.modified_at + EXPORT_KEPT - timedelta(seconds=1)
    assert forget_exports(jobs_service, before) == 0
    assert forget_exports(jobs_service, before + timedelta(seconds=1)) == 1
    assert owner.get(f"{address}/file").get_json()["code"] == "EXPORT_EXPIRED"
    assert owner.get(address).get_json()["file"] is None
    # A new one can be made, and does not hold older ones.
    assert owner.post("/v1/firm/export").status_code == 202


def test_who_may_not_export_does_not(firm: Any, make_user: Any, sign_in: Any) -> None:
    manager = sign_in(make_user(firm, ["ops_manager"]))
    for refused in (manager.post("/v1/firm/export"), manager.get("/v1/firm/export")):
        assert (refused.status_code, refused.get_json()["capability"]) == (403, "firm.export")


def test_another_firms_export_is_not_there(
    owner: Any, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    export_id = owner.post("/v1/firm/export").get_json()["export_id"]
    stranger = sign_in(make_user(make_firm(), ["owner"]))
    for wanted in (export_id, new_id(), "nonsense"):
        for address in (f"/v1/firm/export/{wanted}", f"/v1/firm/export/{wanted}/file"):
            assert stranger.get(address).status_code == 404
