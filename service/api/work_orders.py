"""Routes about work orders: create, list, look at, change, move, comment, export."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from factory.bundle import read_chunks
from service.api.access import EVERYBODY, OPERATORS, access
from service.api.answers import answer, etag
from service.api.request_life import current
from service.api.requests import path_id, wanted_version
from service.errors import forbidden
from service.packs.state import pack_state
from service.workorders import (
    bundles,
    changing,
    commenting,
    creating,
    evaluating,
    exporting,
    listing,
    moving,
    reading,
    records,
)
from service.workorders.shapes import (
    ChangedField,
    CommentLine,
    CommentList,
    ContractChanged,
    ContractPatch,
    Export,
    ListQuery,
    NewComment,
    NewWorkOrder,
    SnapshotQuery,
    StatusChanged,
    StatusWish,
    WorkOrderCreated,
    WorkOrderDetail,
    WorkOrderEntry,
    WorkOrderList,
    WorkOrderPath,
    WorkOrderSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

api = APIBlueprint(
    "work_orders", __name__, url_prefix="/v1/repogen", abp_tags=[Tag(name="work orders")]
)


@api.post("/work-orders", summary="Create a work order", responses={201: WorkOrderCreated})
@access("repogen.write", audiences=EVERYBODY)
def create_work_order(body: NewWorkOrder) -> Response:
    """It begins in the state DRAFT, with what the registers know about branch and property."""
    now = current()
    order = creating.create(now.connection, now.actor, body)
    made = WorkOrderCreated(**dict(reading.entry_of(order)), work_order=reading.line_of(order))
    return answer(made, 201, etag(order.version))


@api.get("/work-orders", summary="List work orders", responses={200: WorkOrderList})
@access("repogen.read", audiences=EVERYBODY)
def list_work_orders(query: ListQuery) -> Response:
    """The latest change first; the portal sees what it asked for."""
    now = current()
    found, cursor = listing.list_work_orders(now.connection, now.actor.tenant_id, query)
    return answer(
        WorkOrderList(items=[reading.line_of(order) for order in found], next_cursor=cursor)
    )


@api.get(
    "/work-orders/<work_order_id>",
    summary="Everything about a work order",
    responses={200: WorkOrderDetail},
)
@access("repogen.read", audiences=EVERYBODY)
def show_work_order(path: WorkOrderPath) -> Response:
    """Its readiness is of this moment, its figures are those of the latest snapshot."""
    now = current()
    detail = reading.detail_of(now.connection, now.actor, path_id(path.work_order_id))
    return answer(detail, headers=etag(detail.work_order.version))


@api.patch(
    "/work-orders/<work_order_id>",
    summary="Change what a work order says beside its contract",
    responses={200: WorkOrderEntry},
)
@access("repogen.write", audiences=OPERATORS)
def change_work_order(path: WorkOrderPath, body: WorkOrderSettings) -> Response:
    """Only what is sent is changed; null clears. A stated parameter is altered with a reason."""
    now = current()
    order = changing.change_settings(
        now.connection, now.actor, path_id(path.work_order_id), body, wanted=wanted_version(request)
    )
    return answer(reading.entry_of(order), headers=etag(order.version))


@api.patch(
    "/work-orders/<work_order_id>/contract",
    summary="Change a work order's contract and compute",
    responses={200: ContractChanged},
)
@access("repogen.write", audiences=OPERATORS)
def change_contract(path: WorkOrderPath, body: ContractPatch) -> Response:
    """What the patch does not name stays; null clears; rows are named by their id.

    A value, rate, area or coordinate that was entered before is altered with a reason only.
    """
    now = current()
    made = changing.change_contract(
        now.connection,
        now.actor,
        path_id(path.work_order_id),
        body.patch,
        ruleset=body.ruleset_version,
        reason=body.reason,
        wanted=wanted_version(request),
    )
    order, snapshot = made.order, reading.summary_of(made.snapshot)
    changed = ContractChanged(
        work_order_id=order.work_order_id,
        work_order=reading.entry_of(order),
        snapshot=snapshot,
        input_snapshot=reading.name_of(order.work_order_id, snapshot.input_version),
        output_snapshot=snapshot,
        rules_run=reading.run_of(
            order.work_order_id,
            rules_run_id=made.rules_run_id,
            output_version=snapshot.version,
            ruleset=snapshot.ruleset_version,
            profile=snapshot.profile,
            warnings=evaluating.warnings_in(made.evaluation),
            created_at=snapshot.created_at,
        ),
        readiness=reading.readiness_of(made.evaluation.readiness),
        changes=[
            ChangedField(field=change.path, before=change.before, after=change.after)
            for change in made.changes
        ],
        warnings=list(made.warnings),
    )
    return answer(changed, headers=etag(order.version))


@api.post(
    "/work-orders/<work_order_id>/status",
    summary="Give a work order another state",
    responses={200: StatusChanged},
)
@access("repogen.status", audiences=OPERATORS)
def change_status(path: WorkOrderPath, body: StatusWish) -> Response:
    """READY_FOR_RENDER needs a snapshot and nothing missing, and makes the pack.

    Taking a work order back from READY_FOR_RENDER or CLOSED needs repogen.reopen and a note that
    says why; its pack is then superseded.
    """
    now = current()
    moved = moving.move(
        now.connection,
        now.actor,
        path_id(path.work_order_id),
        body.status,
        note=body.note,
        wanted=wanted_version(request),
    )
    changed = StatusChanged(
        work_order=reading.line_of(moved.order),
        changed=moved.changed,
        snapshot=None if moved.snapshot is None else reading.summary_of(moved.snapshot),
        readiness=None if moved.readiness is None else reading.readiness_of(moved.readiness),
        pack_link=pack_state(now.connection, now.actor, moved.order)
        if body.status == "READY_FOR_RENDER"
        else None,
    )
    return answer(changed, headers=etag(moved.order.version))


@api.get(
    "/work-orders/<work_order_id>/comments",
    summary="A work order's comments",
    responses={200: CommentList},
)
@access("repogen.read", audiences=OPERATORS)
def list_comments(path: WorkOrderPath) -> Response:
    """The latest first; changes of state are among them."""
    now = current()
    order = records.find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    items = commenting.comments_of(now.connection, order.tenant_id, order.work_order_id)
    return answer(CommentList(items=items))


@api.post(
    "/work-orders/<work_order_id>/comments",
    summary="Write a comment",
    responses={201: CommentLine},
)
@access("repogen.write", audiences=OPERATORS)
def write_comment(path: WorkOrderPath, body: NewComment) -> Response:
    """Every state allows it; a comment is never changed."""
    now = current()
    return answer(
        commenting.comment(now.connection, now.actor, path_id(path.work_order_id), body), 201
    )


@api.get(
    "/work-orders/<work_order_id>/export",
    summary="A snapshot, for another system",
    responses={200: Export},
)
@access("repogen.read", audiences=OPERATORS)
def export_work_order(path: WorkOrderPath, query: SnapshotQuery) -> Response:
    """Evidence is what it was when the snapshot was taken, whatever became of it."""
    now = current()
    return answer(
        exporting.export(
            now.connection, now.actor, path_id(path.work_order_id), query.snapshot_version
        )
    )


@api.get(
    "/work-orders/<work_order_id>/export/bundle",
    summary="A snapshot's bundle",
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
@access("repogen.factory", audiences=OPERATORS)
def export_bundle(path: WorkOrderPath, query: SnapshotQuery) -> Response:
    """The same bytes for ever, also after evidence was changed or removed.

    A bundle with identity papers or confidential files needs evidence.sensitive as well.
    """
    now = current()
    order = records.find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    version = query.snapshot_version or order.snapshot_version
    stored = bundles.read_bundle(now.connection, order.tenant_id, order.work_order_id, version)
    if stored.is_sensitive and not now.actor.may("evidence.sensitive"):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            "The bundle holds identity papers or confidential files; it needs the capability "
            "evidence.sensitive.",
            capability="evidence.sensitive",
        )
    with tempfile.TemporaryDirectory(prefix="zenops-bundle-") as folder:
        made = bundles.write_bundle(now.service.objects, stored, Path(folder) / "bundle.zip")
        # Opened, the file outlives its folder, and is gone when the answer has been sent.
        file = made.path.open("rb")
    response = Response(_sent(file), content_type="application/zip")
    # Whoever hangs up, or asks for the head alone, reads nothing to the end.
    response.call_on_close(file.close)
    response.content_length = made.size
    response.headers["ETag"] = f'"{made.digest}"'
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{order.reference}-v{version}.zip"'
    )
    return response


def _sent(file: BufferedReader) -> Iterator[bytes]:
    with file:
        yield from map(bytes, read_chunks(file))
