"""How a file becomes a document: announced, received, looked at, stored, and only then counted.

Two ways lead there. Sent directly, a file goes through all of it in one request. Announced first, it
is sent to an address of its own (the bucket's, or ours) and confirmed after that. What can be
written to from outside lies under `incoming`; a copy of what was looked at is what counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from contracts.canonical_json import canonical_json
from service.audit.events import record
from service.clock import now
from service.errors import FieldError, ServiceError, conflict, not_found
from service.evidence import records
from service.evidence.examination import check_size, examine, refusal, too_large
from service.evidence.file_names import clean_name
from service.evidence.guarding import guarded_by_kind
from service.evidence.limits import limits
from service.evidence.linked_work import check_may_change, lock_linked, recheck_linked
from service.evidence.signed_addresses import sign
from service.identifiers import new_id
from service.jobs.crashpoints import crashpoint
from service.objects import storage
from service.objects.storage import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.actor import Actor
    from service.evidence.examination import Examined
    from service.evidence.shapes import Described
    from service.objects.storage import Objects
    from service.settings import Settings

_UNKNOWN_KIND = "application/octet-stream"


class Readable(Protocol):
    """What can be read piece by piece; nothing comes at the end."""

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102


class Within(Protocol):
    """What an upload needs of the service."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102
    @property
    def objects(self) -> Objects: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Announced:
    """A pending document, and where its file is to be sent."""

    document_id: UUID
    object_key: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """A file of ours that holds what somebody has sent."""

    path: Path
    stored: Stored


def object_key(tenant_id: UUID, document_id: UUID) -> str:
    """Where a document's file lies once it counts."""
    return f"{tenant_id}/documents/{document_id}"


def incoming_key(tenant_id: UUID, document_id: UUID) -> str:
    """Where a file arrives that nobody has looked at."""
    return f"{tenant_id}/incoming/{document_id}"


def announce(
    connection: Connection,
    actor: Actor,
    service: Within,
    said: Described,
    *,
    filename: str,
    content_type: str,
    size: int,
    sha256: str | None,
) -> Announced:
    """Write a pending document and say where its file is to be sent.

    Raises:
        ServiceError: the kind, the size or the number of files is refused; the work order is not
            there or cannot be changed.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != _UNKNOWN_KIND:
        check_size(media_type, size, service.settings)
    elif size > service.settings.evidence_max_bytes:
        raise too_large(service.settings.evidence_max_bytes)
    document_id = new_id()
    _write_pending(connection, actor, said, document_id, filename, size, sha256)
    seconds = limits().address_seconds
    token, expires_at = sign(
        service.settings, "upload", actor.tenant_id, document_id, seconds=seconds
    )
    key = incoming_key(actor.tenant_id, document_id)
    own = f"{service.settings.public_url}/v1/files/{document_id}/content?token={token}"
    url = storage.presigned_put(service.objects, key, seconds=seconds) or own
    return Announced(document_id, key, url, expires_at)


@contextlib.contextmanager
def received(source: Readable, most: int) -> Iterator[Received]:
    """Take in what somebody sends, a piece at a time, into a file that is gone afterwards.

    Args:
        source: read to its end.
        most: bytes; with the next one it is refused.

    Raises:
        ServiceError: FILE_TOO_LARGE; FILE_DAMAGED when nothing has come.
    """
    with tempfile.TemporaryDirectory(prefix="zenops-upload-") as folder:
        path = Path(folder) / "file"
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            while chunk := source.read(1 << 18):
                size += len(chunk)
                if size > most:
                    raise too_large(most)
                digest.update(chunk)
                file.write(chunk)
        if not size:
            raise refusal("FILE_DAMAGED", "The file is empty. Copy it again.")
        yield Received(path, Stored(digest.hexdigest(), size))


def receive(service: Within, tenant_id: UUID, document_id: UUID, source: Readable) -> Stored:
    """Keep what is sent to the address of an announced file, until it is confirmed.

    Raises:
        ServiceError: FILE_TOO_LARGE; OBJECT_DIFFERS if another file has come there before.
    """
    with received(source, service.settings.evidence_max_bytes) as file:
        key = incoming_key(tenant_id, document_id)
        return storage.put_new(service.objects, key, file.path)


def take(
    connection: Connection,
    actor: Actor,
    service: Within,
    said: Described,
    source: Readable,
    *,
    filename: str,
    sha256: str | None = None,
) -> UUID:
    """Take a file that was sent along: look at it, store it, make it a document.

    Returns:
        The document's id.

    Raises:
        ServiceError: as for `announce` and `examine`; FILE_DIFFERS if it is not what was said.
    """
    with received(source, service.settings.evidence_max_bytes) as file:
        # So that nothing is looked at in vain; what decides is the same question while nobody else
        # may add a file, which would be too long a time to look at one.
        _check_room(connection, actor, said, file.stored.size)
        _check_said(file.stored, sha256=sha256)
        document_id = new_id()
        examined = _store(actor, service, document_id, file)
        size, digest = file.stored.size, file.stored.sha256
        _write_pending(connection, actor, said, document_id, filename, size, digest)
        _count(connection, actor, document_id, filename, file.stored, examined)
    return document_id


def confirm(
    connection: Connection,
    actor: Actor,
    service: Within,
    document_id: UUID,
    *,
    size: int | None = None,
    sha256: str | None = None,
) -> UUID:
    """Look at a file that has arrived, and let its document count. Once more changes nothing.

    Raises:
        ServiceError: UPLOAD_MISSING if nothing has arrived; as for `take`. A file that is refused is
            removed, so that a better one can be sent to the same address.
    """
    row = records.find_document(connection, actor.tenant_id, document_id)
    if row is None or row.status in {"deleted", "purged"}:
        raise not_found()
    if row.status == "uploaded":
        _check_said(Stored(row.sha256, row.size), size=size, sha256=sha256)
        return document_id
    objects, arrived = service.objects, incoming_key(actor.tenant_id, document_id)
    # Somebody may have been stopped between storing and counting; what was stored then holds.
    key = row.object_key if storage.exists(objects, row.object_key) else arrived
    if not storage.exists(objects, key):
        raise conflict(
            "UPLOAD_MISSING",
            "The file has not arrived",
            "Send its bytes to the address that announcing it gave, then confirm again.",
        )
    try:
        if storage.size(objects, key) > service.settings.evidence_max_bytes:
            raise too_large(service.settings.evidence_max_bytes)
        with received(
            _Chunks(storage.stream(objects, key)), service.settings.evidence_max_bytes
        ) as file:
            _check_said(file.stored, size=size, sha256=sha256)
            _check_said(file.stored, size=row.size, sha256=row.sha256)
            examined = _store(actor, service, document_id, file)
            _count(connection, actor, document_id, row.filename, file.stored, examined)
    except ServiceError as error:
        if error.status in {413, 415, 422}:
            storage.delete(objects, arrived)
        raise
    storage.delete(objects, arrived)
    return document_id


class _Chunks:
    """An object's pieces as a file that can be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1, /) -> bytes:
        """The next piece, whatever its size; nothing at the end."""
        return next(self._pieces, b"")


def _store(actor: Actor, service: Within, document_id: UUID, file: Received) -> Examined:
    """Look at a file and store it for good: first the object, then the row.

    What is stored and does not come to count is found and removed.
    """
    examined = examine(file.path, file.stored, service.settings)
    storage.put_new(service.objects, object_key(actor.tenant_id, document_id), file.path)
    crashpoint("upload-after-object")
    return examined


def _count(
    connection: Connection,
    actor: Actor,
    document_id: UUID,
    filename: str,
    stored: Stored,
    examined: Examined,
) -> None:
    """Make the document of a stored file count."""
    orders = lock_linked(connection, actor, document_id)
    counted = records.mark_uploaded(
        connection,
        actor.tenant_id,
        {
            "document_id": document_id,
            "filename": clean_name(filename, examined.facts.media_type),
            "media_type": examined.facts.media_type,
            "size": stored.size,
            "sha256": stored.sha256,
            "facts": canonical_json(examined.facts).decode(),
            "perceptual_hash": examined.perceptual_hash,
            "now": now(),
        },
    )
    row = records.find_document(connection, actor.tenant_id, document_id)
    if row is None or row.status != "uploaded":
        raise not_found()
    if not counted:
        # Another request has confirmed the same bytes meanwhile.
        return
    recheck_linked(connection, actor, orders)
    record(
        connection,
        actor,
        "document:file:uploaded",
        subject=("document", document_id),
        work_order_id=row.work_order_id,
        after={"sha256": row.sha256, "size": row.size, "media_type": row.media_type},
    )


def _write_pending(
    connection: Connection,
    actor: Actor,
    said: Described,
    document_id: UUID,
    filename: str,
    size: int,
    sha256: str | None,
) -> None:
    """Write a document that does not count yet, if there is room; no other is added meanwhile."""
    records.hold_use_of_storage(connection, actor.tenant_id)
    _check_room(connection, actor, said, size)
    # Tags are given later, all but the purpose.
    values: dict[str, Any] = said.model_dump(include=set(records.DESCRIPTION) - {"tags"})
    values["sensitivity"], values["sensitivity_by"] = guarded_by_kind(
        said.sensitivity, said.classification
    )
    records.insert_document(
        connection,
        actor.tenant_id,
        {
            **values,
            "document_id": document_id,
            "filename": clean_name(filename),
            "object_key": object_key(actor.tenant_id, document_id),
            "media_type": None,
            "size": size,
            "sha256": sha256,
            "tags": {"purpose": said.purpose} if said.purpose else {},
            "uploaded_by": actor.user_id,
            "now": now(),
        },
    )
    record(
        connection,
        actor,
        "document:document:announced",
        subject=("document", document_id),
        work_order_id=said.work_order_id,
        after={**values, "size": size},
    )


def _check_room(connection: Connection, actor: Actor, said: Described, size: int) -> None:
    """Refuse what the firm or the work order has no room for, or what cannot be changed now."""
    if said.work_order_id is not None:
        check_may_change(connection, actor, said.work_order_id)
    elif actor.audience == "portal":
        raise ServiceError(
            422,
            "WORK_ORDER_REQUIRED",
            "The file belongs to no work order",
            "Name the work order that you asked for: work_order_id.",
            fields=(FieldError("work_order_id", "Needed from the portal.", "MISSING"),),
        )
    use: Row[Any] = records.use_of_storage(connection, actor.tenant_id, said.work_order_id)
    allowed = limits()
    if use.bytes + size > allowed.bytes_per_firm:
        raise _full(
            "STORAGE_FULL", f"The firm's documents may have {allowed.bytes_per_firm:,} bytes."
        )
    if use.pending >= allowed.pending_files_per_firm:
        raise _full(
            "TOO_MANY_PENDING",
            f"{use.pending} announced files have not been confirmed. Confirm or delete them first.",
        )
    if said.work_order_id is not None:
        _check_files(use)


def check_room_in(connection: Connection, actor: Actor, work_order_id: UUID) -> None:
    """Refuse a document that comes from elsewhere to a work order that has no room for it.

    Raises:
        ServiceError: 409 TOO_MANY_FILES.
    """
    records.hold_use_of_storage(connection, actor.tenant_id)
    _check_files(records.use_of_storage(connection, actor.tenant_id, work_order_id))


def _check_files(use: Row[Any]) -> None:
    most = limits().files_per_work_order
    if use.files >= most:
        raise _full("TOO_MANY_FILES", f"A work order may have {most} files.")


def _full(code: str, detail: str) -> ServiceError:
    return conflict(code, "There is no room for another file", detail)


def _check_said(stored: Stored, *, size: int | None = None, sha256: str | None = None) -> None:
    """Refuse a file that is not the one that was announced."""
    if size is not None and size != stored.size:
        what = f"It was said to have {size:,} bytes; {stored.size:,} came."
    elif sha256 is not None and sha256 != stored.sha256:
        what = "Its sha256 is not the one that was said."
    else:
        return
    raise ServiceError(
        422, "FILE_DIFFERS", "This is not the file that was announced", f"{what} Send it again."
    )
