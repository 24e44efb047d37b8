"""Who may have which file of a pack, before it is released and after, and that they got it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from service.audit.events import record
from service.errors import ServiceError, forbidden, not_found
from service.objects.storage import get_bytes, stream
from service.packs import records
from service.release.records import deliverable_of_pack
from service.release.telling import gate_status
from service.workorders.records import find, find_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.objects.storage import Objects
    from service.packs.records import Artifact, Pack
    from service.release.records import Deliverable


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that somebody may have, and whether only to read it before it is released."""

    artifact: Artifact
    is_review: bool

    @property
    def is_marked(self) -> bool:
        """Whether it is given as a marked copy; a bundle is data, and stays as it is."""
        return self.is_review and self.artifact.kind != "bundle"


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes out for a file: the stored bytes (copy is None), or a marked copy of them."""

    object_key: str
    sha256: str
    size: int
    copy: bytes | None

    def chunks(self, objects: Objects) -> Iterator[bytes]:
        """The bytes themselves."""
        return stream(objects, self.object_key) if self.copy is None else iter((self.copy,))


# A report is held in memory while it is marked.
_MOST_TO_MARK = 128 << 20


def artifact_for(connection: Connection, actor: Actor, pack: Pack, kind: str) -> Opened:
    """A file of a pack that the actor, who holds deliverables.download, may have.

    What is released is theirs. Before that a marked copy of the report is opened by whoever must
    read it to sign, and the bundle, which is data to be checked, by whoever has packs made. A report
    that was withdrawn is nobody's any more; its bundle stays with those.

    Raises:
        ServiceError: 404, there is none of the kind (yet); 403 DELIVERABLE_NOT_RELEASED, with what
            the gate waits for; 410, it was withdrawn or purged; 403, it is a bundle with identity
            papers or what else is confidential in it, and the actor may not see those.
    """
    known = records.artifacts_of(connection, pack.tenant_id, [pack.pack_id])
    found = next((one for one in known if one.kind == kind), None)
    if found is None:
        raise not_found()
    released = deliverable_of_pack(connection, pack.tenant_id, pack.pack_id)
    is_withdrawn = released is not None and released.state == "withdrawn"
    may_read = may_review(actor, found.kind)
    if released is None and not may_read:
        raise not_released(connection, actor, pack)
    if released is not None and is_withdrawn and not (kind == "bundle" and may_read):
        raise withdrawn(released)
    if kind == "bundle" and not may_read:
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            "The bundle is what the report was made of, for those who make and check reports: it"
            " needs the capability repogen.factory as well.",
            capability="repogen.factory",
        )
    if found.purged_at is not None:
        raise purged()
    if kind == "bundle" and not actor.may("evidence.sensitive") and _is_sensitive(connection, pack):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            "The bundle holds identity papers or other confidential evidence: it needs the"
            " capability evidence.sensitive as well. The report may be downloaded without it.",
            capability="evidence.sensitive",
        )
    return Opened(found, is_review=released is None or is_withdrawn)


def sent(objects: Objects, pack: Pack, opened: Opened) -> Sent:
    """What is sent of a file that somebody may have: its sha256 and size are those of these bytes.

    Raises:
        ServiceError: OBJECT_MISSING or OBJECT_STORAGE_UNAVAILABLE; OBJECT_TOO_LARGE to be marked.
    """
    artifact = opened.artifact
    if not opened.is_marked:
        return Sent(artifact.object_key, artifact.sha256, artifact.size, None)
    # What marks takes longer to load than the rest, and few processes ever mark.
    from service.packs.review_copies import mark_line, marked_docx, marked_pdf  # noqa: PLC0415

    mark = marked_docx if artifact.kind == "docx" else marked_pdf
    stored = get_bytes(objects, artifact.object_key, most=_MOST_TO_MARK)
    copy = mark(stored, mark_line(pack.version, pack.bundle_digest))
    return Sent(artifact.object_key, hashlib.sha256(copy).hexdigest(), len(copy), copy)


def may_review(actor: Actor, kind: str) -> bool:
    """Whether somebody may have a file of a report that is not released."""
    return actor.may("repogen.factory" if kind == "bundle" else "repogen.sign")


def withdrawn(deliverable: Deliverable) -> ServiceError:
    """The refusal of what was let out and taken back."""
    return ServiceError(
        410,
        "DELIVERABLE_WITHDRAWN",
        "This version was withdrawn and must not be used",
        f"The reason: {deliverable.why_withdrawn}",
        extra={"reason": deliverable.why_withdrawn, "replaced_by": deliverable.replaced_by},
    )


def note(connection: Connection, actor: Actor, pack: Pack, opened: Opened) -> None:
    """Write down that the actor has got a file; the sha256 is that of the stored one."""
    artifact = opened.artifact
    after = {"kind": artifact.kind, "version": pack.version, "sha256": artifact.sha256}
    record(
        connection,
        actor,
        f"pack:artifact:{'reviewed' if opened.is_review else 'downloaded'}",
        subject=("pack", pack.pack_id),
        work_order_id=pack.work_order_id,
        after=after | ({"marked": True} if opened.is_marked else {}),
    )


def purged() -> ServiceError:
    """The refusal of a file whose time was over."""
    return ServiceError(
        410,
        "ARTIFACT_PURGED",
        "The file is no longer kept",
        "It held a paper whose time was over. The report, its digest and what was entered"
        " are still there.",
    )


def not_released(connection: Connection, actor: Actor, pack: Pack) -> ServiceError:
    """The refusal of what the gate has not let out, with what it waits for."""
    if pack.is_current:
        order = find(connection, pack.tenant_id, pack.work_order_id)
        status = gate_status(connection, actor, order)
        waits_for, told = status.waits_for, status.message
        if waits_for is None:
            waits_for, told = "RELEASE", "It can be released now."
    else:
        waits_for, told = "PACK_SUPERSEDED", f"Version {pack.version} was {pack.status} before."
    return forbidden(
        "DELIVERABLE_NOT_RELEASED",
        "The report is not released",
        f"Until it is, only a valuer reads it, to sign it. {told}",
        waits_for=waits_for,
    )


def _is_sensitive(connection: Connection, pack: Pack) -> bool:
    """Whether any evidence in a pack's bundle is called sensitive by now."""
    snapshot = find_snapshot(connection, pack.tenant_id, pack.work_order_id, pack.snapshot_version)
    assert snapshot is not None, "a pack's snapshot is referred to by its row"
    keys = [
        kept["object_key"]
        for kept in json.loads(snapshot.evidence).values()
        if "object_key" in kept
    ]
    found = connection.scalar(
        text(
            "select bool_or(sensitivity in ('pii', 'confidential')) from documents"
            " where tenant_id = :tenant and object_key = any(:keys)"
        ),
        {"tenant": pack.tenant_id, "keys": keys},
    )
    return bool(found)
