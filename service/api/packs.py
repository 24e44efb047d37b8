"""Routes about packs: having one made, how far it is, its files, and a valuer's signature."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import OPERATORS, access
from service.api.answers import answer
from service.api.request_life import current
from service.api.requests import path_id
from service.errors import cursor_invalid, invalid, not_found
from service.packs import downloading, failing, records, sign_off, starting, state
from service.packs.artifact_forms import FORMS
from service.packs.shapes import (
    ArtifactPath,
    NewPackAnswer,
    NewSignOff,
    PackPath,
    PacksAnswer,
    PacksQuery,
    PackStateAnswer,
    WorkOrderPath,
)
from service.workorders.records import WorkOrder, find, lock

if TYPE_CHECKING:
    from service.packs.records import Pack

api = APIBlueprint("packs", __name__, url_prefix="/v1/repogen", abp_tags=[Tag(name="packs")])

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_FILE = {
    "description": "The file",
    "content": {
        form.media_type: {"schema": {"type": "string", "format": "binary"}}
        for form in FORMS.values()
    },
}


@api.post(
    "/work-orders/<work_order_id>/create-pack",
    summary="Have a work order's pack made",
    responses={200: NewPackAnswer, 201: NewPackAnswer},
)
@access("repogen.factory", audiences=OPERATORS)
def create_pack(path: WorkOrderPath) -> Response:
    """The pack of the latest snapshot; asked for again, it is the same one.

    Moving a work order to READY_FOR_RENDER has done this already. No body is needed, and none is
    read: a snapshot has one pack, under whatever key clients of the older system ask for it.
    """
    now = current()
    order = _order(path, locked=True)
    if order.status != "READY_FOR_RENDER":
        raise invalid(
            "PACK_CREATION_REQUIRES_READY_FOR_RENDER",
            "The work order is not ready for a pack",
            f"It is {order.status}. Move it to READY_FOR_RENDER first; that makes the pack, too.",
        )
    earlier = records.current_pack(now.connection, order.tenant_id, order.work_order_id)
    pack = starting.start_pack(now.connection, now.actor, order, None)
    is_same = earlier is not None and earlier.pack_id == pack.pack_id
    shown = state.pack_state(now.connection, now.actor, order)
    made = NewPackAnswer(
        **dict(shown), idempotent=is_same, queue_enqueued=not is_same, pack_link=shown
    )
    return answer(made, status=200 if is_same else 201)


@api.get(
    "/work-orders/<work_order_id>/pack",
    summary="A work order's current pack: state, jobs, files, signatures",
    responses={200: PackStateAnswer},
)
@access("repogen.read", audiences=OPERATORS)
def show_pack(path: WorkOrderPath) -> Response:
    """`pack` is null while no pack stands, for example while a correction is made."""
    now = current()
    return answer(state.pack_state(now.connection, now.actor, _order(path)))


@api.get(
    "/work-orders/<work_order_id>/packs",
    summary="All versions of a work order's pack",
    responses={200: PacksAnswer},
)
@access("repogen.read", audiences=OPERATORS)
def list_packs(path: WorkOrderPath, query: PacksQuery) -> Response:
    """Each version with what it replaces and why; none is ever overwritten."""
    below = None
    if query.cursor is not None:
        if not _VERSION.fullmatch(query.cursor):
            raise cursor_invalid()
        below = int(query.cursor)
    return answer(
        state.list_packs(current().connection, _order(path), below=below, limit=query.limit)
    )


@api.get(
    "/work-orders/<work_order_id>/packs/<version>/artifacts/<kind>",
    summary="Download a file of a pack: bundle, docx or pdf",
    responses={200: _FILE, 304: None},
)
@access("deliverables.download", audiences=("web", "service"))
def download(path: ArtifactPath) -> Response:
    """The bytes as they were made, also of a version that was replaced since.

    Before its release a report is read by those alone who sign it, as a copy with a mark on every
    page (header `Zenops-Review-Copy: 1`), and the bundle by those who make reports; that is written
    down as a review. The ETag is the sha256 of what is sent, the header `Zenops-Bundle-Digest` the
    digest that valuers sign.
    """
    now = current()
    pack = _pack(_order(path), path)
    opened = downloading.artifact_for(now.connection, now.actor, pack, path.kind)
    artifact = opened.artifact
    sent = downloading.sent(now.service.objects, pack, opened)
    sha256 = base64.b64encode(bytes.fromhex(sent.sha256)).decode()
    headers = {
        "ETag": f'"{sent.sha256}"',
        "Digest": f"sha-256={sha256}",
        "Repr-Digest": f"sha-256=:{sha256}:",
        "Zenops-Bundle-Digest": pack.bundle_digest,
        "Content-Disposition": f'attachment; filename="{artifact.filename}"',
        "Content-Length": str(sent.size),
        "Accept-Ranges": "none",
    }
    if opened.is_marked:
        headers["Zenops-Review-Copy"] = "1"
    if request.if_none_match.contains(sent.sha256):
        return Response(status=304, headers={"ETag": headers["ETag"]})
    if request.method == "HEAD":
        return Response(headers=headers, content_type=artifact.media_type)
    chunks = sent.chunks(now.service.objects)
    downloading.note(now.connection, now.actor, pack, opened)
    return Response(chunks, headers=headers, content_type=artifact.media_type)


@api.post(
    "/work-orders/<work_order_id>/packs/<version>/retry",
    summary="Start what has failed of a pack again",
    responses={200: PackStateAnswer},
)
@access("repogen.factory", audiences=OPERATORS)
def retry_pack(path: PackPath) -> Response:
    """For the current pack whose bundle, report or PDF could not be made; the reason is in its jobs."""
    now = current()
    order = _order(path, locked=True)
    failing.start_again(now.connection, now.actor, _pack(order, path))
    return answer(state.pack_state(now.connection, now.actor, order))


@api.post(
    "/work-orders/<work_order_id>/pack/sign-off",
    summary="Sign the current pack's digest as a registered valuer",
    responses={201: PackStateAnswer},
)
@access("repogen.sign", audiences=("web",))
def sign_pack(path: WorkOrderPath, body: NewSignOff) -> Response:
    """A new version of the pack has no signatures; from 50 crore on a second valuer has to sign."""
    now = current()
    order = _order(path, locked=True)
    sign_off.sign(
        now.connection,
        now.actor,
        order,
        version=int(body.pack_version),
        bundle_digest=body.bundle_digest,
    )
    return answer(state.pack_state(now.connection, now.actor, order), status=201)


def _order(path: WorkOrderPath, *, locked: bool = False) -> WorkOrder:
    now = current()
    seen = lock if locked else find
    return seen(now.connection, now.actor.tenant_id, path_id(path.work_order_id))


def _pack(order: WorkOrder, path: PackPath) -> Pack:
    """A version of a work order's pack; what is no version is as little there as an unknown one."""
    found = None
    if _VERSION.fullmatch(path.version):
        found = records.pack_of_version(
            current().connection, order.tenant_id, order.work_order_id, int(path.version)
        )
    if found is None:
        raise not_found()
    return found
