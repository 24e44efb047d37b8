"""Everything that a firm owns, as one archive: its rows as JSON lines, its files as they are.

The archive is a bag (RFC 8493) in a ZIP file. Which tables there are is read from the database's
catalogue, so a table that is added later is in it, or the archive is refused; none is forgotten.
A report that was never released is not in it; its bundle, which holds all of its facts, is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from contracts.quantities import plain
from service import clock
from service.audit.events import record
from service.database.connections import become
from service.objects import storage

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.jobs.job import Job

#: Tables with a tenant that are no part of it, and why.
LEFT_OUT = {
    "access_tokens": "digests of secrets",
    "idempotency_keys": "answers that were given; what they tell stands in the other tables",
}
_IN_PARTS = {"yield_per": 500}

_TABLES = text(
    "select c.relname as name, array_agg(a.attname::text order by a.attnum)"
    "  filter (where has_column_privilege('zen_worker', c.oid, a.attnum, 'select')) as columns,"
    " count(*) as all_columns, exists (select from pg_policy p where p.polrelid = c.oid"
    "  and p.polcmd in ('r', '*') and 'zen_worker'::regrole = any(p.polroles)) as has_policy"
    " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
    " and not a.attisdropped"
    " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
    " and not c.relispartition and exists (select from pg_attribute t"
    "  where t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped)"
    " group by c.oid, c.relname order by c.relname"
)
_KEY = text(
    "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid"
    " and a.attnum = any(i.indkey) where i.indisprimary"
    " and i.indrelid = to_regclass('public.' || quote_ident(:table))"
    " order by array_position(i.indkey::int[], a.attnum::int)"
)
# Users belong to no firm; their memberships do. Passwords are nobody's to take along.
_USERS = text(
    "select user_id, email, name, status, created_at from users u where exists (select"
    " from memberships m where m.user_id = u.user_id and m.tenant_id = :tenant) order by user_id"
)


class ArchiveError(Exception):
    """The archive would not hold everything; the message says what would be missing."""


def export_key(tenant_id: UUID, operation_id: UUID, generation: int) -> str:
    """Where the archive of one attempt lies; the attempt that counts is the operation's last."""
    return f"{tenant_id}/exports/{operation_id}/{generation}.zip"


def make_archive(job: Job) -> None:
    """The job `firm.export`: write the archive, then say that it is there."""
    with tempfile.TemporaryDirectory(prefix="zenops-export-") as folder:
        path = Path(folder) / "export.zip"
        rows, objects = write_archive(job.service, job.tenant_id, path, job.step)
        job.step("store", 90)
        key = export_key(job.tenant_id, job.operation_id, job.generation)
        stored = storage.put_new(job.service.objects, key, path)
    with job.effect() as connection:
        record(
            connection,
            job.actor,
            "firm:export:made",
            subject=("export", job.operation_id),
            after={"sha256": stored.sha256, "size": stored.size, "rows": rows, "objects": objects},
        )


def write_archive(
    service: Service, tenant_id: UUID, path: Path, step: Any = lambda _name, _percent: None
) -> tuple[int, int]:
    """Write a firm's archive into a file.

    Args:
        service: of a worker's login.
        tenant_id: whose.
        path: the file; it must not be there.
        step: called as `step(name, percent)` on the way.

    Returns:
        How many rows and how many files are in it.

    Raises:
        ArchiveError: it would lack a table, or a file that a row names.
    """
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        bag = _Bag(archive)
        rows = 0
        step("tables", 5)
        # One view of all tables: what is written meanwhile is in none of them.
        engine = service.engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.begin() as connection:
            become(connection, "zen_worker", tenant_id=tenant_id, audience="worker")
            for name, columns in tables_of_a_firm(connection).items():
                rows += bag.add_rows(name, _rows_of(connection, tenant_id, name, columns))
            rows += bag.add_rows(
                "users", connection.execute(_USERS, {"tenant": tenant_id}).mappings()
            )
            wanted = _keys_of(connection, tenant_id)
            released = _released_keys(connection, tenant_id)
        step("files", 30)
        kept: set[str] = set()
        for found in storage.listed(service.objects, str(tenant_id)):
            if found.key.startswith(f"{tenant_id}/exports/"):
                continue
            if _is_report(found.key, tenant_id) and found.key not in released:
                wanted.discard(found.key)
                continue
            step("files", 30)
            bag.add_object(found.key.removeprefix(f"{tenant_id}/"), service, found.key)
            kept.add(found.key)
        if missing := wanted - kept:
            raise ArchiveError(f"{len(missing)} files are not where they should be")
        bag.close(tenant_id)
    return rows, len(kept)


def tables_of_a_firm(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The tables that an archive holds, and their columns.

    Raises:
        ArchiveError: a table with tenants can be read only in part, or not at all, and is not
            among those that are left out on purpose.
    """
    found = {row.name: row for row in connection.execute(_TABLES)}
    unreadable = sorted(
        name
        for name, row in found.items()
        if name not in LEFT_OUT
        and (not row.has_policy or len(row.columns or ()) != row.all_columns)
    )
    if unreadable:
        raise ArchiveError(
            f"a firm's archive would not hold {', '.join(unreadable)}: grant zen_worker to read"
            " it, or say in LEFT_OUT why it is no part"
        )
    return {name: tuple(row.columns) for name, row in found.items() if name not in LEFT_OUT}


def _rows_of(
    connection: Connection, tenant_id: UUID, table: str, columns: Iterable[str]
) -> Iterator[Any]:
    """A table's rows in the order of its key; names come from the catalogue, not from people."""
    order = connection.scalars(_KEY, {"table": table}).all()
    statement = text(
        f"select {', '.join(columns)} from {table} where tenant_id = :tenant"  # noqa: S608 - see above
        f" order by {', '.join(order)}"
    )
    result = connection.execute(statement, {"tenant": tenant_id}, execution_options=_IN_PARTS)
    return iter(result.mappings())


def _keys_of(connection: Connection, tenant_id: UUID) -> set[str]:
    """The files that rows name."""
    return set(
        connection.scalars(
            text(
                "select object_key from documents where tenant_id = :tenant"
                " and status = 'uploaded' union select object_key from pack_artifacts"
                " where tenant_id = :tenant and purged_at is null"
                " union select object_key from invoice_attachments where tenant_id = :tenant"
            ),
            {"tenant": tenant_id},
        )
    )


def _released_keys(connection: Connection, tenant_id: UUID) -> set[str]:
    """The files of reports that the gate has let out; an archive is no way around it."""
    return set(
        connection.scalars(
            text(
                "select a.object_key from pack_artifacts a join releases r"
                " on r.tenant_id = a.tenant_id and r.pack_id = a.pack_id"
                " where a.tenant_id = :tenant and r.result <> 'BLOCKED'"
            ),
            {"tenant": tenant_id},
        )
    )


def _is_report(key: str, tenant_id: UUID) -> bool:
    return key.startswith(f"{tenant_id}/packs/") and key.endswith((".docx", ".pdf"))


class _Bag:
    """A bag that is being filled: every file with its digest in the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.payload: dict[str, str] = {}
        self.octets = 0

    def add_rows(self, table: str, rows: Iterable[Any]) -> int:
        """Add a table; how many rows it has."""
        count = 0

        def lines() -> Iterator[bytes]:
            nonlocal count
            for row in rows:
                count += 1
                yield _line(row)

        self._add(f"data/tables/{table}.jsonl", lines())
        return count

    def add_object(self, name: str, service: Service, key: str) -> None:
        """Add a file as it is stored."""
        self._add(f"data/objects/{name}", storage.stream(service.objects, key))

    def close(self, tenant_id: UUID) -> None:
        """Add what makes it a bag."""
        tags = {
            "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            "bag-info.txt": (
                f"Bagging-Date: {clock.now():%Y-%m-%d}\nExternal-Identifier: {tenant_id}\n"
                f"Payload-Oxum: {self.octets}.{len(self.payload)}\n"
            ),
            "manifest-sha256.txt": _manifest(self.payload),
        }
        digests = {
            name: hashlib.sha256(content.encode()).hexdigest() for name, content in tags.items()
        }
        for name, content in (tags | {"tagmanifest-sha256.txt": _manifest(digests)}).items():
            self.archive.writestr(name, content)

    def _add(self, name: str, chunks: Iterator[bytes]) -> None:
        digest = hashlib.sha256()
        with self.archive.open(name, "w", force_zip64=True) as file:
            for chunk in chunks:
                digest.update(chunk)
                self.octets += len(chunk)
                file.write(chunk)
        self.payload[name] = digest.hexdigest()


def _manifest(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def _line(row: Any) -> bytes:
    written = json.dumps(dict(row), ensure_ascii=False, default=_plain, separators=(",", ":"))
    return written.encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, UUID | date):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    raise TypeError(f"a {type(value).__name__} has no form in an archive")
