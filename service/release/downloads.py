"""Gives what was let out to those entitled, by links that end, each use of which is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from service.actor import Actor
from service.audit.events import record
from service.database.connections import transaction
from service.errors import ServiceError, not_found
from service.evidence.limits import limits
from service.evidence.signed_addresses import read_signature, sign
from service.packs import records as pack_records
from service.packs.downloading import artifact_for, not_released, purged, withdrawn
from service.release import records
from service.release.shapes import LinkAnswer, LinksAnswer
from service.release.telling import kinds_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.packs.records import Artifact, Pack
    from service.release.records import Deliverable
    from service.settings import Settings
    from service.workorders.records import WorkOrder


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """A file that a link gives, and the version it is of."""

    deliverable: Deliverable
    artifact: Artifact

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer says of the version: whether it stands, and which one is the newest."""
        told = {
            "Zenops-Deliverable-Version": str(self.deliverable.decision.pack_version),
            "Zenops-Deliverable-State": self.deliverable.state,
            "Zenops-Bundle-Digest": self.deliverable.decision.bundle_digest,
        }
        if self.deliverable.replaced_by is not None:
            told["Zenops-Replaced-By"] = str(self.deliverable.replaced_by)
        return told


def make_links(
    connection: Connection, actor: Actor, settings: Settings, order: WorkOrder, version: int
) -> LinksAnswer:
    """Links to the files of a version that was let out, for whoever has them, for a short time.

    Args:
        connection: in the actor's role.
        actor: holds deliverables.download; of the portal, whoever asked for the work.
        settings: hold the key that signs, and our address.
        order: whose report.
        version: of the report.

    Raises:
        ServiceError: 404; 403 DELIVERABLE_NOT_RELEASED; 410 DELIVERABLE_WITHDRAWN.
    """
    tenant = order.tenant_id
    pack = pack_records.pack_of_version(connection, tenant, order.work_order_id, version)
    if pack is None:
        raise not_found()
    found = records.deliverable_of_pack(connection, tenant, pack.pack_id)
    if found is None:
        raise not_released(connection, actor, pack)
    if found.state == "withdrawn":
        raise withdrawn(found)
    links, until = _links(connection, actor, settings, pack, found.decision.release_id)
    if until is None:
        raise not_found()
    record(
        connection,
        actor,
        "release:link:made",
        subject=("release", found.decision.release_id),
        work_order_id=order.work_order_id,
        after={"version": version, "kinds": [one.kind for one in links]},
    )
    return LinksAnswer(
        version=version,
        state=found.state,
        replaced_by=found.replaced_by,
        expires_at=until,
        links=links,
    )


def open_link(
    service: Service, release_id: UUID, kind: str, token: str, *, request_id: str
) -> LinkedFile:
    """The file that a link names, as long as the version is not withdrawn; its use is recorded.

    Whoever has the link needs no login; the record says who made it.

    Raises:
        ServiceError: 403 ADDRESS_EXPIRED; 404; 410 DELIVERABLE_WITHDRAWN or ARTIFACT_PURGED.
    """
    signed = read_signature(service.settings, "deliverable", release_id, token)
    linked, maker_kind, maker = signed.further
    if linked != kind:
        raise not_found()
    with transaction(service.engine, role="zen_web", tenant_id=signed.tenant_id) as connection:
        found = records.deliverable_by_id(connection, signed.tenant_id, release_id)
        if found is None:
            raise not_found()
        if found.state == "withdrawn":
            raise withdrawn(found)
        decision = found.decision
        artifacts = pack_records.artifacts_of(connection, signed.tenant_id, [decision.pack_id])
        artifact = next((one for one in artifacts if one.kind == kind), None)
        if artifact is None:
            raise not_found()
        if artifact.purged_at is not None:
            raise purged()
        _note(connection, found, artifact, (maker_kind, UUID(maker)), request_id)
    return LinkedFile(found, artifact)


def _links(
    connection: Connection, actor: Actor, settings: Settings, pack: Pack, release_id: UUID
) -> tuple[list[LinkAnswer], datetime | None]:
    """A link to each file that the actor may have, and when they end; None if there is none."""
    maker = ("token", actor.token_id) if actor.user_id is None else ("user", actor.user_id)
    links, until = [], None
    for kind in sorted(kinds_for(actor)):
        try:
            file = artifact_for(connection, actor, pack, kind).artifact
        except ServiceError:
            # Not made, purged, or with papers that are closed to the actor.
            continue
        token, until = sign(
            settings,
            "deliverable",
            pack.tenant_id,
            release_id,
            seconds=limits().address_seconds,
            further=(kind, maker[0], str(maker[1])),
        )
        url = f"{settings.public_url}/v1/deliverables/{release_id}/{kind}?token={token}"
        links.append(
            LinkAnswer(
                kind=kind, filename=file.filename, size=file.size, sha256=file.sha256, url=url
            )
        )
    return links, until


def _note(
    connection: Connection,
    deliverable: Deliverable,
    artifact: Artifact,
    made_by: tuple[str, UUID],
    request_id: str,
) -> None:
    """Write down that a file was got, by the link that somebody made."""
    decision, (kind, maker) = deliverable.decision, made_by
    is_person = kind == "user"
    actor = Actor(
        tenant_id=decision.tenant_id,
        user_id=maker if is_person else None,
        audience="web" if is_person else "service",
        capabilities=frozenset(),
        name="a link",
        request_id=request_id,
        token_id=None if is_person else maker,
    )
    record(
        connection,
        actor,
        "release:file:downloaded",
        subject=("release", decision.release_id),
        work_order_id=decision.work_order_id,
        after={
            "kind": artifact.kind,
            "version": decision.pack_version,
            "sha256": artifact.sha256,
            "state": deliverable.state,
            "link_made_by": maker,
        },
    )
