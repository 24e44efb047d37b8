"""The page of a work order, and everything that is done on it.

Each form is answered by the page itself: after a success by way of a redirect, after a refusal
with what was typed and what is wrong with it. Nothing of a refused action stays: it runs in a
savepoint, and an answer of 400 and above rolls the whole transaction back.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, json, make_response, redirect, request, url_for
from pydantic import BaseModel, ValidationError

from contracts.contract import AcceptedFinding
from service.api.access import access
from service.api.failures import validation_failed
from service.api.request_life import RequestContext, current
from service.api.requests import path_id
from service.errors import FieldError, ServiceError, conflict, invalid, not_found
from service.evidence import field_links, items, uploads
from service.evidence import records as evidence_records
from service.evidence.documents import open_document
from service.evidence.file_names import disposition
from service.evidence.guarding import GUARDED
from service.evidence.limits import limits
from service.evidence.shapes import (
    Described,
    Ending,
    EvidenceItem,
    EvidenceLink,
    FieldLinkChange,
    FieldLinkChanges,
)
from service.objects import storage
from service.packs import downloading, failing, sign_off
from service.packs import records as pack_records
from service.release.gate import MESSAGES
from service.release.questioning import Wish
from service.release.releasing import release as let_out
from service.release.shapes import Withdrawing
from service.release.withdrawing import withdraw
from service.web.blueprint import desk
from service.web.facts import read_typed
from service.web.printed import words
from service.web.rendering import page
from service.web.thumbnails import thumbnail as small_picture
from service.web.work_order_view import pack_view, profile_of, view_of
from service.workorders.changing import change_contract
from service.workorders.commenting import comment as write_comment
from service.workorders.evaluating import contract_of, evaluate_now, library, lock
from service.workorders.moving import move as move_work_order
from service.workorders.records import find
from service.workorders.shapes import NewComment, StatusWish

_KEY = re.compile(r"[^A-Za-z0-9]+")
Shape = TypeVar("Shape", bound=BaseModel)
_KINDS = frozenset({"bundle", "docx", "pdf"})


@desk.get("/desk/work-orders/<work_order_id>")
@access("repogen.read", audiences=("web",))
def work_order(work_order_id: str) -> Response:
    """The whole page."""
    done = words()["done"].get(request.args.get("done", ""), "")
    return _page(
        current(), path_id(work_order_id), done=done, saved_group=request.args.get("group")
    )


@desk.get("/desk/work-orders/<work_order_id>/pack")
@access("repogen.read", audiences=("web",))
def pack_progress(work_order_id: str) -> Response:
    """How far the report is; when it is no longer being made, everything that says so."""
    now = current()
    found = path_id(work_order_id)
    order = find(now.connection, now.actor.tenant_id, found)
    view = pack_view(now.connection, now.actor, order)
    pack = view["pack"]
    if pack is not None and pack.status == "generating":
        return page("work_order/pack_progress.html", order=order, **view)
    response = _page(now, found)
    response.headers["HX-Retarget"] = "#pack"
    response.headers["HX-Reselect"] = "#pack"
    response.headers["HX-Reswap"] = "outerHTML show:none"
    return response


@desk.post("/desk/work-orders/<work_order_id>/facts")
@access("repogen.write", audiences=("web",))
def save_facts(work_order_id: str) -> Response:
    """Take what was typed into one group of the facts."""
    now = current()
    found = path_id(work_order_id)
    typed = request.form.to_dict()
    group, reason = typed.get("group", ""), typed.get("reason", "").strip()
    order = find(now.connection, now.actor.tenant_id, found)
    try:
        read = read_typed(contract_of(order.contract), group, typed)
    except KeyError:
        raise invalid("GROUP_UNKNOWN", "There is no such part of the form") from None
    try:
        with now.connection.begin_nested():
            if read.patch:
                change_contract(
                    now.connection,
                    now.actor,
                    found,
                    read.patch,
                    reason=reason or None,
                    wanted=_version(typed),
                )
    except ServiceError as error:
        problems = {read.input_of(one.field): one.message for one in error.fields}
        placed = {name for name in problems if name in typed}
        return _page(
            now,
            found,
            error=error,
            typed=typed,
            problems=problems,
            unplaced=[one for one in error.fields if read.input_of(one.field) not in placed],
            saved_group=group,
            typed_reason=reason,
            reason_asked=group if error.code == "REASON_REQUIRED" else None,
        )
    done = "facts" if read.patch else "nothing"
    return _back(found, done, f"facts-{group}", group=group)


@desk.post("/desk/work-orders/<work_order_id>/findings")
@access("repogen.write", audiences=("web",))
def accept_finding(work_order_id: str) -> Response:
    """Take responsibility for a finding that blocks, by name and with a reason."""

    def accept(now: RequestContext, found: UUID) -> None:
        order = lock(now.connection, now.actor.tenant_id, found)
        contract = contract_of(order.contract)
        code, _, row = request.form.get("code", "").partition("[")
        accepted = AcceptedFinding(
            code=code,
            row=row.rstrip("]") or None,
            name=now.actor.name,
            reason=request.form.get("reason", "").strip(),
        )
        others = [
            one
            for one in contract.accepted_findings or ()
            if (one.code, one.row) != (accepted.code, accepted.row)
        ]
        change_contract(
            now.connection,
            now.actor,
            found,
            {
                "accepted_findings": [
                    one.model_dump(exclude_none=True) for one in (*others, accepted)
                ]
            },
            reason=accepted.reason,
            wanted=_version(request.form),
        )

    return _acting(work_order_id, accept, "accepted", "findings")


@desk.post("/desk/work-orders/<work_order_id>/comments")
@access("repogen.write", audiences=("web",))
def comment(work_order_id: str) -> Response:
    """Write a comment."""

    def write(now: RequestContext, found: UUID) -> None:
        body = _shaped(NewComment, _given("comment_type", "body"))
        write_comment(now.connection, now.actor, found, body)

    return _acting(work_order_id, write, "comment", "comments")


@desk.post("/desk/work-orders/<work_order_id>/status")
@access(None, audiences=("web",))
def move(work_order_id: str) -> Response:
    """Move the work order to another state; which capability that needs, the way there says."""

    def go(now: RequestContext, found: UUID) -> None:
        wish = _shaped(StatusWish, _given("status", "note"))
        move_work_order(now.connection, now.actor, found, wish.status, note=wish.note)

    return _acting(work_order_id, go, "moved", "pack")


@desk.post("/desk/work-orders/<work_order_id>/pack/sign-off")
@access("repogen.sign", audiences=("web",))
def sign(work_order_id: str) -> Response:
    """Sign the digest that the page showed."""

    def signed(now: RequestContext, found: UUID) -> None:
        if request.form.get("have_read") != "yes":
            raise invalid(
                "NOT_READ", "You have not said that you have read it", "Read the report, then sign."
            )
        version = request.form.get("pack_version", "")
        order = lock(now.connection, now.actor.tenant_id, found)
        sign_off.sign(
            now.connection,
            now.actor,
            order,
            version=int(version) if version.isdigit() else 0,
            bundle_digest=request.form.get("bundle_digest", ""),
        )

    return _acting(work_order_id, signed, "signed", "sign-off")


@desk.post("/desk/work-orders/<work_order_id>/release")
@access("deliverables.release", audiences=("web",))
def release(work_order_id: str) -> Response:
    """Ask the gate to let the report out that the page showed; what blocks it is told."""
    now = current()
    found = path_id(work_order_id)
    version = request.form.get("pack_version", "")
    wish = Wish(
        key=request.form.get("key", "")[:200] or None,
        # The page offers no override: whoever sends one is told by the gate that it is the studio's.
        override=request.form.get("override") == "yes",
        override_reason=request.form.get("override_reason", "")[:1000] or None,
        version=int(version) if version.isdigit() and len(version) < 10 else None,
        bundle_digest=request.form.get("bundle_digest") or None,
    )
    try:
        with now.connection.begin_nested():
            decision = let_out(now.connection, now.actor, found, wish).decision
    except ServiceError as error:
        if error.status == 404:
            raise
        return _page(now, found, error=error, unplaced=error.fields)
    if decision.is_blocked:
        # That is a record, and stays; so the answer is no refusal.
        told = MESSAGES[decision.result, decision.reason]
        return _page(now, found, error=ServiceError(200, "BLOCKED", "Not released", told))
    return _back(found, "released", "deliverables")


@desk.post("/desk/work-orders/<work_order_id>/deliverables/<int:version>/withdraw")
@access("deliverables.release", audiences=("web",))
def withdraw_version(work_order_id: str, version: int) -> Response:
    """Take a version back that was let out, with a reason."""

    def take_back(now: RequestContext, found: UUID) -> None:
        reason = _shaped(Withdrawing, {"reason": request.form.get("reason", "")}).reason
        withdraw(now.connection, now.actor, found, version, reason)

    return _acting(work_order_id, take_back, "withdrawn", "deliverables")


@desk.post("/desk/work-orders/<work_order_id>/pack/retry")
@access("repogen.factory", audiences=("web",))
def retry_pack(work_order_id: str) -> Response:
    """Start what was given up of the current report again."""

    def again(now: RequestContext, found: UUID) -> None:
        order = lock(now.connection, now.actor.tenant_id, found)
        pack = pack_records.current_pack(now.connection, order.tenant_id, found)
        if pack is None:
            raise conflict(
                "PACK_NOT_FAILED", "There is nothing to start again", "No report stands at present."
            )
        failing.start_again(now.connection, now.actor, pack)

    return _acting(work_order_id, again, "retried", "pack")


@desk.get("/desk/work-orders/<work_order_id>/packs/<int:version>/<kind>")
@access("deliverables.download", audiences=("web",))
def download(work_order_id: str, version: int, kind: str) -> Response:
    """A file of a report."""
    now = current()
    found = path_id(work_order_id)
    order = find(now.connection, now.actor.tenant_id, found)
    pack = pack_records.pack_of_version(now.connection, order.tenant_id, found, version)
    if pack is None or kind not in _KINDS:
        raise not_found()
    opened = downloading.artifact_for(now.connection, now.actor, pack, kind)
    artifact = opened.artifact
    sent = downloading.sent(now.service.objects, pack, opened)
    chunks = sent.chunks(now.service.objects)
    downloading.note(now.connection, now.actor, pack, opened)
    headers = {
        "Content-Disposition": disposition(artifact.filename),
        "Content-Length": str(sent.size),
        "Zenops-Bundle-Digest": pack.bundle_digest,
        "Cache-Control": "no-store",
    }
    if opened.is_marked:
        headers["Zenops-Review-Copy"] = "1"
    return Response(chunks, headers=headers, content_type=artifact.media_type)


@desk.post("/desk/work-orders/<work_order_id>/evidence")
@access("evidence.write", audiences=("web",), takes_files=True)
def upload(work_order_id: str) -> Response:
    """Take files and make each a piece of evidence; one that is refused does not hold up the rest.

    The script sends one file at a time and is answered in JSON; a form without it sends several.
    """
    now = current()
    found = path_id(work_order_id)
    find(now.connection, now.actor.tenant_id, found)
    refused: list[FieldError] = []
    taken = 0
    worst: ServiceError | None = None
    for file in request.files.getlist("files"):
        if not file.filename:
            continue
        try:
            with now.connection.begin_nested():
                _take(now, found, file)
            taken += 1
        except ServiceError as error:
            if error.status in {404, 503}:
                raise
            worst = worst or error
            refused.append(FieldError(file.filename, f"{error.title}. {error.detail}".strip()))
    if not taken and not refused:
        worst = invalid("FILE_MISSING", "No file was sent", "Choose at least one file.")
    if request.accept_mimetypes.best == "application/json":
        if worst is not None and not taken:
            raise worst
        answer = {"taken": taken, "refused": [f"{one.field}: {one.message}" for one in refused]}
        return make_response(json.dumps(answer), 201, {"Content-Type": "application/json"})
    if worst is None:
        return _back(found, "uploaded", "evidence")
    if taken:
        # What was taken stays, so the answer is no refusal; it still says what was not.
        partly = ServiceError(
            200,
            "PARTLY_TAKEN",
            f"{len(refused)} of the files were not taken",
            "The others are there.",
        )
        return _page(now, found, error=partly, unplaced=refused)
    return _page(now, found, error=worst, unplaced=refused if len(refused) > 1 else ())


@desk.get("/desk/work-orders/<work_order_id>/evidence/<item_id>/file")
@access("evidence.read", audiences=("web",))
def evidence_file(work_order_id: str, item_id: str) -> Response:
    """The file of a piece of evidence, to be looked at; opening a guarded one is recorded."""
    now = current()
    item = _item(now, work_order_id, item_id)
    row = open_document(now.connection, now.actor, item.document_id)
    # A picture may be shown in the browser; everything else is saved, and none of it may act.
    shown = row.media_type in {"image/jpeg", "image/png", "image/webp"}
    how = disposition(row.filename)
    headers = {
        "Content-Disposition": how.replace("attachment", "inline", 1) if shown else how,
        "Content-Length": str(row.size),
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox",
        "Cache-Control": "no-store",
    }
    chunks = storage.stream(now.service.objects, row.object_key)
    return Response(chunks, headers=headers, content_type=row.media_type)


@desk.get("/desk/work-orders/<work_order_id>/evidence/<item_id>/thumbnail")
@access("evidence.read", audiences=("web",))
def thumbnail(work_order_id: str, item_id: str) -> Response:
    """A small picture of a picture; guarded files have none."""
    now = current()
    item = _item(now, work_order_id, item_id)
    if item.document_status != "uploaded" or item.sensitivity in GUARDED:
        raise not_found()
    facts = json.loads(item.facts)
    row = open_document(now.connection, now.actor, item.document_id)
    with tempfile.TemporaryDirectory(prefix="zenops-thumbnail-") as folder:
        path = Path(folder) / "file"
        storage.get_to(now.service.objects, row.object_key, path)
        content, media_type = small_picture(path, facts.get("orientation") or 1)
    # The file never changes; an hour spares drawing it again, and logging out clears it.
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(content, headers=headers, content_type=media_type)


@desk.post("/desk/work-orders/<work_order_id>/evidence/order")
@access("evidence.write", audiences=("web",))
def auto_order(work_order_id: str) -> Response:
    """Number the evidence in the usual order of the annexures."""

    def order(now: RequestContext, found: UUID) -> None:
        items.put_in_order(now.connection, now.actor, found, None)

    return _acting(work_order_id, order, "ordered", "evidence")


@desk.post("/desk/work-orders/<work_order_id>/evidence/<item_id>")
@access("evidence.write", audiences=("web",))
def change_evidence(work_order_id: str, item_id: str) -> Response:
    """Change a piece's label and place among the annexures."""

    def change(now: RequestContext, found: UUID) -> None:
        order = request.form.get("annexure_order", "").strip()
        one = {
            "id": item_id,
            "label": request.form.get("label", "").strip() or None,
            "annexure_order": int(order) if order.isdigit() else order or None,
        }
        items.link(now.connection, now.actor, found, _shaped(EvidenceLink, {"items": [one]}), None)

    return _acting(work_order_id, change, "evidence", "evidence")


@desk.post("/desk/work-orders/<work_order_id>/evidence/<item_id>/remove")
@access("evidence.write", audiences=("web",))
def remove_evidence(work_order_id: str, item_id: str) -> Response:
    """Take a piece out, with a reason; its file stays."""

    def remove(now: RequestContext, found: UUID) -> None:
        reason = _shaped(Ending, {"reason": request.form.get("reason", "")}).reason
        items.take_out(now.connection, now.actor, found, path_id(item_id), reason, None)

    return _acting(work_order_id, remove, "removed", "evidence")


@desk.post("/desk/work-orders/<work_order_id>/links")
@access("evidence.write", audiences=("web",))
def link(work_order_id: str) -> Response:
    """Say which evidence shows a fact."""

    def put(now: RequestContext, found: UUID) -> None:
        one = _shaped(
            FieldLinkChange, _given("field_key", "evidence_item_id", "confidence", "note")
        )
        field_links.change(now.connection, now.actor, found, FieldLinkChanges(links=(one,)), None)

    return _acting(work_order_id, put, "linked", "links")


@desk.post("/desk/work-orders/<work_order_id>/links/<link_id>/remove")
@access("evidence.write", audiences=("web",))
def unlink(work_order_id: str, link_id: str) -> Response:
    """Take a link away."""

    def take_away(now: RequestContext, found: UUID) -> None:
        one = FieldLinkChange(id=path_id(link_id), remove=True)
        field_links.change(now.connection, now.actor, found, FieldLinkChanges(links=(one,)), None)

    return _acting(work_order_id, take_away, "unlinked", "links")


def _acting(
    work_order_id: str, action: Callable[[RequestContext, UUID], None], done: str, anchor: str
) -> Response:
    """Do something with a work order and show what has become of it, or why it was refused."""
    now = current()
    found = path_id(work_order_id)
    try:
        with now.connection.begin_nested():
            action(now, found)
    except ServiceError as error:
        if error.status == 404:
            raise
        return _page(now, found, error=error, unplaced=error.fields)
    return _back(found, done, anchor)


def _page(now: RequestContext, work_order_id: UUID, **shown: Any) -> Response:
    order = find(now.connection, now.actor.tenant_id, work_order_id)
    error: ServiceError | None = shown.get("error")
    view = view_of(
        now.connection,
        now.actor,
        order,
        typed=shown.pop("typed", None),
        problems=shown.pop("problems", None),
    )
    kinds = [*limits().kinds, ".heic", ".heif"]
    response = page(
        "work_order.html",
        error.status if error else 200,
        **view,
        **{
            "accepted": ",".join(kinds),
            "largest": now.service.settings.evidence_max_bytes,
            **shown,
        },
    )
    if error is not None:
        response.headers.extend(dict(error.headers))
    return response


def _back(work_order_id: UUID, done: str, anchor: str, **more: Any) -> Response:
    target = url_for(
        "desk.work_order", work_order_id=work_order_id, done=done, _anchor=anchor, **more
    )
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    return response


def _version(form: Mapping[str, str]) -> int | None:
    text = form.get("version", "")
    return int(text) if text.isdigit() and len(text) < 18 else None


def _given(*names: str) -> dict[str, str]:
    return {name: text for name in names if (text := request.form.get(name, "").strip())}


def _shaped(shape: type[Shape], values: Mapping[str, Any]) -> Shape:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise validation_failed(error) from None


def _item(now: RequestContext, work_order_id: str, item_id: str) -> Any:
    """A piece of evidence of the work order with its document's columns."""
    wanted, found = path_id(item_id), path_id(work_order_id)
    rows = evidence_records.evidence_items(now.connection, now.actor.tenant_id, found)
    item = next((row for row in rows if row.evidence_item_id == wanted), None)
    if item is None or item.document_id is None:
        raise not_found()
    return item


def _take(now: RequestContext, work_order_id: UUID, file: Any) -> None:
    """Make one file a document and a piece of evidence of what the form says that it shows."""
    shows = request.form.get("shows", "")
    item = _meant(now, work_order_id, shows)
    on_site = {"yes": True, "no": False}.get(request.form.get("taken_on_site", ""))
    said = _shaped(
        Described,
        {
            "work_order_id": work_order_id,
            "sensitivity": request.form.get("sensitivity") or "internal",
            "source": "desktop_upload",
            "taken_on_site": on_site,
            "purpose": "evidence",
        },
    )
    document_id = uploads.take(
        now.connection, now.actor, now.service, said, file.stream, filename=file.filename
    )
    item["document_id"] = document_id
    item["key"] = _free_key(now, work_order_id, shows.rpartition(":")[2] or "piece")
    label = request.form.get("label", "").strip()
    if label:
        item["label"] = label
    body = EvidenceLink(items=(_shaped(EvidenceItem, item),))
    items.link(now.connection, now.actor, work_order_id, body, None)


def _meant(now: RequestContext, work_order_id: UUID, shows: str) -> dict[str, Any]:
    """The kind of evidence that a requirement of the profile asks for, or a bare type."""
    if shows.startswith("type:"):
        return {"evidence_type": shows.removeprefix("type:")}
    order = find(now.connection, now.actor.tenant_id, work_order_id)
    catalogue = library().catalogue
    assert catalogue is not None
    profile = profile_of(catalogue.profiles, evaluate_now(now.connection, order).evaluation)
    need = (
        next((one for one in profile.requirements if one.key == shows), None) if profile else None
    )
    if need is None:
        raise invalid(
            "REQUIREMENT_UNKNOWN",
            "Say what the files show",
            "Choose a line of the checklist, or a kind of evidence.",
        )
    meant: dict[str, Any] = {
        "evidence_type": need.type if isinstance(need.type, str) else need.type[0],
        "tags": dict(need.tags),
    }
    if need.doc_type is not None:
        meant["doc_type"] = need.doc_type if isinstance(need.doc_type, str) else need.doc_type[0]
    return meant


def _free_key(now: RequestContext, work_order_id: UUID, stem: str) -> str:
    """A key that people can read: what is shown, and a number that no other piece has had."""
    taken = evidence_records.keys_ever_used(now.connection, now.actor.tenant_id, work_order_id)
    stem = _KEY.sub("-", stem.lower()).strip("-") or "piece"
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
