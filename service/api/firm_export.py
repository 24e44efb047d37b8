"""Routes for taking out everything that a firm owns."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel
from sqlalchemy import text

from service.api.access import access
from service.api.answers import answer
from service.api.request_life import RequestContext, current
from service.api.requests import path_id
from service.audit.events import record
from service.errors import ServiceError, conflict, not_found
from service.identifiers import new_id
from service.jobs.outbox import enqueue
from service.objects import storage
from service.privacy.firm_archive import export_key

api = APIBlueprint(
    "firm_export",
    __name__,
    url_prefix="/v1/firm/export",
    abp_tags=[Tag(name="firm")],
    abp_security=[{"bearer": []}],
)
_may_export = access("firm.export", audiences=("web", "service"))
_SHOWN = 10

_EXPORTS = text(
    "select operation_id, generation, status, step, percent, reason, created_at, finished_at"
    " from operations where tenant_id = :tenant and kind = 'firm.export'"
    " and (cast(:id as uuid) is null or operation_id = :id)"
    " order by created_at desc, operation_id desc limit :limit"
)
# Two requests at once ask for one archive: the firm's row is the lock.
_ONE_AT_A_TIME = text("select 1 from firm_settings where tenant_id = :tenant for update")


class ExportPath(BaseModel):
    """Which export."""

    export_id: str


class FirmExport(BaseModel):
    """An archive, or how far it is; `file` is where it can be had, for a week."""

    export_id: UUID
    status: Literal["pending", "sent", "running", "done", "dead", "cancelled"]
    step: str | None
    percent: int
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
    file: str | None
    size: int | None


class FirmExports(BaseModel):
    """The latest exports."""

    items: list[FirmExport]


@api.post("", summary="Have everything packed up", responses={200: FirmExport, 202: FirmExport})
@_may_export
def start_export() -> Response:
    """A job makes the archive. While one is being made, that one is the answer."""
    now = current()
    now.connection.execute(_ONE_AT_A_TIME, {"tenant": now.actor.tenant_id})
    under_way = [one for one in _rows(now) if one.status in {"pending", "sent", "running"}]
    if under_way:
        return answer(_shown(now, under_way[0]))
    export_id = enqueue(
        now.connection, now.actor, "firm.export", key=f"firm.export:{new_id()}", subject_id=None
    )
    record(now.connection, now.actor, "firm:export:requested", subject=("export", export_id))
    return answer(_shown(now, _rows(now, export_id)[0]), 202)


@api.get("", summary="The latest exports", responses={200: FirmExports})
@_may_export
def list_exports() -> Response:
    """Newest first."""
    now = current()
    return answer({"items": [_shown(now, row) for row in _rows(now)]})


@api.get("/<export_id>", summary="How far an export is", responses={200: FirmExport})
@_may_export
def show_export(path: ExportPath) -> Response:
    """One export."""
    now = current()
    return answer(_shown(now, _one(now, path)))


@api.get(
    "/<export_id>/file",
    summary="The archive itself",
    responses={200: {"content": {"application/zip": {"schema": {"type": "string"}}}}},
)
@_may_export
def download_export(path: ExportPath) -> Response:
    """A BagIt bag as ZIP: tables as JSON lines, files as they are, with their digests."""
    now = current()
    row = _one(now, path)
    if row.status != "done":
        raise conflict(
            "EXPORT_NOT_READY", "The archive is not there yet", f"The export is {row.status}."
        )
    key = _key(now, row)
    if not storage.exists(now.service.objects, key):
        raise ServiceError(
            410, "EXPORT_EXPIRED", "The archive is gone", "It was kept for a week. Make a new one."
        )
    record(
        now.connection, now.actor, "firm:export:downloaded", subject=("export", row.operation_id)
    )
    return Response(
        storage.stream(now.service.objects, key),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="export-{row.created_at:%Y-%m-%d}.zip"',
            "Content-Length": str(storage.size(now.service.objects, key)),
        },
    )


def _one(now: RequestContext, path: ExportPath) -> Any:
    rows = _rows(now, path_id(path.export_id))
    if not rows:
        raise not_found()
    return rows[0]


def _rows(now: RequestContext, export_id: UUID | None = None) -> list[Any]:
    values = {"tenant": now.actor.tenant_id, "id": export_id, "limit": _SHOWN}
    return list(now.connection.execute(_EXPORTS, values))


def _key(now: RequestContext, row: Any) -> str:
    return export_key(now.actor.tenant_id, row.operation_id, row.generation)


def _shown(now: RequestContext, row: Any) -> FirmExport:
    key = _key(now, row)
    is_there = row.status == "done" and storage.exists(now.service.objects, key)
    return FirmExport(
        export_id=row.operation_id,
        status=row.status,
        step=row.step,
        percent=row.percent,
        reason=row.reason,
        created_at=row.created_at,
        finished_at=row.finished_at,
        file=f"/v1/firm/export/{row.operation_id}/file" if is_there else None,
        size=storage.size(now.service.objects, key) if is_there else None,
    )
