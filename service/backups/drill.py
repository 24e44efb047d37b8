"""The restore drill: dump, restore elsewhere, and prove that nothing is missing and nothing is open.

A backup that was never restored is a hope.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import make_url, text

from service.audit.anchoring import AnchorError, anchor, anchors_of, public_keys
from service.audit.sealing import seal
from service.backups.checking import (
    Contents,
    broken_chains,
    broken_invariants,
    contents_of,
    differences,
    lost_objects,
    open_doors,
)
from service.backups.dumping import drop_database, dump, make_database, plain_engine, restore
from service.bootstrap import Service, make_service
from service.database.connections import transaction
from service.demonstration import drive
from service.local_services import scratch_folder, start_postgres
from service.settings import read_settings

if TYPE_CHECKING:
    from service.audit.anchoring import Anchor
    from service.objects.storage import Objects

Say = Callable[[str], None]


class DrillError(Exception):
    """What was restored is not what was dumped, or not as it has to be; all of it is named."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What is kept outside of the database and vouches for it.

    `objects` are the stored files, each of which is read; `anchors` are those of each firm's audit.
    """

    objects: Objects | None = None
    anchors: Mapping[UUID, tuple[Anchor, ...]] = field(default_factory=dict)


def drill(backup_url: str, say: Say, outside: Outside | None = None) -> None:
    """Dump a database, restore it on a server that is made for this alone, and prove it.

    The original may be at work meanwhile. Of the copy nothing is left.

    Args:
        backup_url: of the login zen_backup.
        say: gets a line for each step, with its time.
        outside: what the copy is held to beside the original.

    Raises:
        DrillError: there are differences; the message names them.
        DumpError: PostgreSQL's programs failed.
    """
    began = time.monotonic()
    folder = scratch_folder()
    try:
        server = start_postgres(folder / "server", durable=False)
        try:
            # The dump holds every firm's data: nobody else may look at it.
            private = Path(tempfile.mkdtemp(dir=folder))
            file = private / "zenops.dump"
            contents = take_dump(backup_url, file, say, program=server.programs / "pg_dump")
            copy_url = make_database(server.url, f"zenops_drill_{secrets.token_hex(4)}")
            prove(file, copy_url, contents, say, outside, program=server.programs / "pg_restore")
            drop_database(server.url, make_url(copy_url).database or "")
        finally:
            server.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"done      after {time.monotonic() - began:.1f} s; nothing of the copy is left")


def drill_on_demo(case_folder: Path, output: Path, say: Say) -> None:
    """The drill on a service that is made for it and has taken a case to released, paid reports.

    Args:
        case_folder: of the demo firm's case.
        output: the folder that gets what the demonstration downloads, and the service's log.
        say: gets a line for each step.

    Raises:
        DrillError: there are differences; the message names them.
    """
    folder = scratch_folder()
    try:
        began = time.monotonic()
        drive(case_folder, output, folder, lambda _: None)
        say(f"original  two firms with released reports, made in {time.monotonic() - began:.1f} s")
        server = start_postgres(folder / "state" / "postgres", durable=False)
        try:
            service = _service_of(folder / "state" / "service.env")
            try:
                while seal(service.engine):
                    pass
                anchor(service)
                backup = make_url(service.settings.owner_database_url).set(
                    username="zen_backup", password=None
                )
                url = backup.render_as_string(hide_password=False)
                drill(url, say, outside_of(service))
            finally:
                service.engine.dispose()
                service.redis.close()
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def outside_of(service: Service, *, with_files: bool = True) -> Outside:
    """What a service keeps outside of its database; the service has a worker's login.

    Raises:
        DrillError: an anchor of the audit is not what the service wrote.
    """
    keys = public_keys(service.settings)
    with transaction(service.engine, role="zen_system") as connection:
        tenants = connection.scalars(text("select tenant_id from tenants")).all()
    try:
        anchors = {one: anchors_of(service.objects, one, keys) for one in tenants}
    except AnchorError as error:
        raise DrillError(str(error)) from None
    return Outside(service.objects if with_files else None, anchors)


def take_dump(
    backup_url: str, file: Path, say: Say, *, program: Path | str = "pg_dump"
) -> Contents:
    """Dump a database, and say what exactly is in the dump.

    Returns:
        What the original held at the very instant of the dump.
    """
    engine = plain_engine(backup_url).execution_options(isolation_level="REPEATABLE READ")
    with engine.begin() as connection:
        connection.execute(text("set local timezone to 'UTC'"))
        snapshot = connection.scalar(text("select pg_export_snapshot()"))
        began = time.monotonic()
        dump(backup_url, snapshot, file, program=program)
        seconds = time.monotonic() - began
        contents = contents_of(connection)
    engine.dispose()
    file.chmod(0o600)
    say(f"dump      {file.stat().st_size:,} bytes in {seconds:.1f} s, as zen_backup")
    return contents


def prove(
    file: Path,
    copy_url: str,
    contents: Contents,
    say: Say,
    outside: Outside | None = None,
    *,
    program: Path | str = "pg_restore",
) -> None:
    """Restore a dump into an empty database and hold it to what was dumped.

    Args:
        file: the dump.
        copy_url: of a superuser's login in the empty database.
        contents: what the dump has to hold.
        say: gets a line for each step.
        outside: what it is held to beside.
        program: pg_restore.

    Raises:
        DrillError: there are differences; the message names them.
    """
    began = time.monotonic()
    restore(file, copy_url, program=program)
    say(f"restore   in {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    faults = faults_of(copy_url, contents, say, outside or Outside())
    if faults:
        raise DrillError("\n".join(faults))
    say(f"proof     in {time.monotonic() - began:.1f} s: nothing differs")


def faults_of(copy_url: str, contents: Contents, say: Say, outside: Outside) -> list[str]:
    """What is wrong with a copy, as sentences."""
    engine = plain_engine(copy_url)
    with engine.connect() as connection, connection.begin() as reading:
        connection.execute(text("set local timezone to 'UTC'"))
        found = contents_of(connection)
        say(
            f"counts    {sum(count for count, _ in found.tables.values()):,} rows in"
            f" {len(found.tables)} tables, {len(found.catalogue)} lines of schema"
        )
        faults = [
            *differences(contents, found),
            *broken_invariants(connection),
            *broken_chains(connection, outside.anchors),
            *open_doors(connection),
        ]
        if outside.objects is not None:
            faults += lost_objects(connection, outside.objects)
        # Looking as a firm has changed the role; nothing else, and nothing is kept.
        reading.rollback()
    engine.dispose()
    return faults


def _service_of(file: Path) -> Service:
    """A worker's service with the settings that a service has left in its state folder."""
    environ = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        environ[name] = "".join(shlex.split(value))
    settings, problems = read_settings(
        {**{name: os.environ[name] for name in ("HOME",) if name in os.environ}, **environ},
        logins=("jobs", "owner"),
    )
    if settings is None:
        raise DrillError("\n".join(problems))
    return make_service(settings, "jobs")
