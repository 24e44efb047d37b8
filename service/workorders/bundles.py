"""A snapshot's bundle, put together again from what was stored: the same bytes for ever."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import text

from factory.bundle import INFO, Bundle, ChangedError, Stored, assemble
from service.errors import ServiceError, not_found
from service.objects.storage import stream
from service.workorders.records import Snapshot, find_snapshot, read_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Connection

    from service.objects.storage import Objects


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """What a snapshot's bundle is made of.

    `files` has the key of the stored object for each path in the bundle; `is_sensitive` says that
    one of them is an identity paper or confidential.
    """

    digest: str
    payload: Mapping[str, bytes]
    info: bytes
    files: Mapping[str, str]
    is_sensitive: bool


_DOCUMENTS = text(
    "select bool_or(sensitivity in ('pii', 'confidential')) as is_sensitive,"
    " bool_or(status = 'purged') as is_purged from documents"
    " where tenant_id = :tenant and object_key = any(:keys)"
)


def read_bundle(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, version: int
) -> StoredBundle:
    """What the bundle of a snapshot is made of.

    Raises:
        ServiceError: 404, there is no such snapshot; 410, a file of it was purged since.
    """
    snapshot = find_snapshot(connection, tenant_id, work_order_id, version)
    if snapshot is None:
        raise not_found()
    payload = read_parts(connection, tenant_id, snapshot.parts)
    info = payload.pop(INFO)
    files = _files(snapshot, payload)
    row = connection.execute(
        _DOCUMENTS, {"tenant": tenant_id, "keys": sorted(set(files.values()))}
    ).one()
    if row.is_purged:
        raise ServiceError(
            410,
            "EVIDENCE_PURGED",
            "The bundle can no longer be put together",
            "A file of it was deleted after the time that working papers are kept. Its texts and "
            "figures are still in the export.",
        )
    return StoredBundle(snapshot.bundle_digest, payload, info, files, bool(row.is_sensitive))


def write_bundle(
    objects: Objects, stored: StoredBundle, path: Path, *, settled: bool = False
) -> Bundle:
    """Write the bundle of a snapshot.

    Args:
        objects: where its files are.
        stored: what `read_bundle` gave.
        path: where the bundle is to be.
        settled: whether it must be on the disk itself by then.

    Raises:
        ServiceError: 500, a stored file is missing or is not what it was.
    """
    files = {
        name: Stored(partial(_checked, objects, key, PurePosixPath(name).stem))
        for name, key in stored.files.items()
    }
    try:
        made = assemble(stored.payload, files, path, settled=settled, info=stored.info)
    except ChangedError:
        raise _damaged() from None
    if made.digest != stored.digest:
        path.unlink()
        raise _damaged()
    return made


def _files(snapshot: Snapshot, payload: Mapping[str, bytes]) -> dict[str, str]:
    """Path in the bundle -> key of the stored object."""
    kept = json.loads(snapshot.evidence)
    logo = json.loads(payload["data/firm.json"]).get("logo")
    paths = {
        piece["file"]: piece["key"]
        for piece in json.loads(payload["data/case.json"]).get("evidence", ())
        if "file" in piece
    }
    if logo is not None:
        paths[logo] = ""
    return {f"data/{path}": kept[key]["object_key"] for path, key in paths.items()}


def _checked(objects: Objects, key: str, sha256: str) -> Iterator[bytes]:
    total = hashlib.sha256()
    for chunk in stream(objects, key):
        total.update(chunk)
        yield chunk
    if total.hexdigest() != sha256:
        raise ChangedError(key)


def _damaged() -> ServiceError:
    return ServiceError(
        500,
        "STORED_FILE_DAMAGED",
        "A stored file is not what it was",
        "The bundle was not made. Restore the object storage and the database from one backup.",
    )
