"""Routes about letting reports out: the gate, what was let out, its links, and taking it back."""

from __future__ import annotations

import re

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import EVERYBODY, OPERATORS, access, public
from service.api.answers import answer
from service.api.request_life import current, current_request_id, the_service
from service.api.requests import idempotency_key, path_id
from service.errors import FieldError, invalid_fields, not_found
from service.evidence.file_names import disposition
from service.objects.storage import stream
from service.packs.artifact_forms import FORMS
from service.packs.shapes import WorkOrderPath
from service.release import downloads, telling
from service.release.questioning import Wish
from service.release.releasing import release
from service.release.shapes import (
    DeliverablesAnswer,
    LinkedFilePath,
    LinksAnswer,
    LinkSignature,
    NewRelease,
    ReleaseAnswer,
    VersionPath,
    Withdrawing,
)
from service.release.withdrawing import withdraw
from service.workorders.records import WorkOrder, find

api = APIBlueprint("releases", __name__, url_prefix="/v1", abp_tags=[Tag(name="releases")])

_ORDER = "/repogen/work-orders/<work_order_id>"
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_LONGEST_KEY = 200
_FILE = {
    "description": "The file",
    "content": {
        form.media_type: {"schema": {"type": "string", "format": "binary"}}
        for form in FORMS.values()
    },
}


@api.post(
    f"{_ORDER}/release-deliverables",
    summary="Let the report out, if it is paid for",
    responses={200: ReleaseAnswer},
)
@access("deliverables.release", audiences=OPERATORS)
def release_deliverables(path: WorkOrderPath, body: NewRelease) -> Response:
    """PAID, CREDIT_CONSUMED, OVERRIDE or BLOCKED; the last is an answer like the others.

    A key is decided once: sent again it gives the same answer, and what was blocked stays blocked
    under it. After paying, release with a new key. A version that is released already is answered
    with its release, under whatever key. An override is the studio's alone: it needs
    deliverables.override and a reason.
    """
    now = current()
    released = release(now.connection, now.actor, path_id(path.work_order_id), _wish(body))
    return answer(telling.release_answer(released))


@api.get(
    f"{_ORDER}/deliverables",
    summary="The versions of the report that were let out, the newest first",
    responses={200: DeliverablesAnswer},
)
@access("repogen.read", audiences=EVERYBODY)
def list_deliverables(path: WorkOrderPath) -> Response:
    """Each says whether it stands, what replaces it and why, or why it was withdrawn."""
    now = current()
    return answer(telling.deliverables_answer(now.connection, now.actor, _order(path)))


@api.post(
    f"{_ORDER}/deliverables/<version>/links",
    summary="Links to the files of a version, good for a short time without a login",
    responses={201: LinksAnswer},
)
@access("deliverables.download", audiences=("web", "service", "portal"))
def make_links(path: VersionPath) -> Response:
    """For the firm's people, and for the person of the portal who asked for the work.

    No body is needed. Whoever has a link gets the file; its use is recorded with who made it. Links
    to an older version work, and say which one is the newest; those to a withdrawn one do not.
    """
    now = current()
    made = downloads.make_links(
        now.connection, now.actor, now.service.settings, _order(path), _version(path)
    )
    return answer(made, status=201)


@api.post(
    f"{_ORDER}/deliverables/<version>/withdraw",
    summary="Take back what was let out, with a reason",
    responses={200: DeliverablesAnswer},
)
@access("deliverables.release", audiences=OPERATORS)
def withdraw_deliverable(path: VersionPath, body: Withdrawing) -> Response:
    """Nobody gets the version any more, not by links that were made before either.

    What was paid stays paid: a corrected version is released without another charge.
    """
    now = current()
    order = _order(path)
    withdraw(now.connection, now.actor, order.work_order_id, _version(path), body.reason)
    return answer(telling.deliverables_answer(now.connection, now.actor, order))


@api.get(
    "/deliverables/<release_id>/<kind>",
    summary="Download a released file with a link",
    responses={200: _FILE},
)
@public
def linked_file(path: LinkedFilePath, query: LinkSignature) -> Response:
    """The header Zenops-Deliverable-State says whether the version was replaced since."""
    service = the_service()
    release_id = path_id(path.release_id)
    found = downloads.open_link(
        service, release_id, path.kind, query.token, request_id=current_request_id()
    )
    headers = {
        **found.headers,
        "ETag": f'"{found.artifact.sha256}"',
        "Content-Disposition": disposition(found.artifact.filename),
        "Content-Length": str(found.artifact.size),
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "none",
    }
    if request.method == "HEAD":
        return Response(headers=headers, content_type=found.artifact.media_type)
    chunks = stream(service.objects, found.artifact.object_key)
    return Response(chunks, headers=headers, content_type=found.artifact.media_type)


def _wish(body: NewRelease) -> Wish:
    key = body.idempotency_key or idempotency_key(request)
    if key is not None and len(key) > _LONGEST_KEY:
        raise invalid_fields(
            FieldError("idempotency_key", f"a release's key has at most {_LONGEST_KEY} characters")
        )
    return Wish(
        key=key,
        override=body.override,
        override_reason=body.override_reason,
        hold_outcome=body.hold_outcome,
        version=None if body.pack_version is None else int(body.pack_version),
        bundle_digest=body.bundle_digest,
    )


def _order(path: WorkOrderPath) -> WorkOrder:
    now = current()
    return find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))


def _version(path: VersionPath) -> int:
    """What is no version is as little there as an unknown one."""
    if not _VERSION.fullmatch(path.version):
        raise not_found()
    return int(path.version)
