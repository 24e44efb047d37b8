"""Routes of the record of who did what."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel
from sqlalchemy import text

from service.api.access import access
from service.api.answers import answer
from service.api.request_life import current
from service.audit.history import Events, EventSearch, WorkOrderEventSearch, events
from service.errors import ServiceError, not_found
from service.identifiers import read_id

api = APIBlueprint(
    "audit", __name__, url_prefix="/v1", abp_tags=[Tag(name="audit")], abp_security=[{"bearer": []}]
)
_AUDIENCES = ("web", "service", "studio")


class WorkOrderPath(BaseModel):
    """Which work order."""

    work_order_id: str


@api.get("/audit", summary="Who did what, newest first", responses={200: Events})
@access("audit.read", audiences=_AUDIENCES)
def list_events(query: EventSearch) -> Response:
    """Events of the firm, by work order, subject, action, actor and time."""
    now = current()
    filters = {name: value for name, value in query if name != "limit"}
    filters["cursor"] = _cursor(query.cursor)
    return answer(events(now.connection, now.actor.tenant_id, filters, limit=query.limit))


@api.get(
    "/repogen/work-orders/<work_order_id>/audit",
    summary="A work order's history, newest first",
    responses={200: Events},
)
@access("audit.read", audiences=_AUDIENCES)
def list_work_order_events(path: WorkOrderPath, query: WorkOrderEventSearch) -> Response:
    """Everything that was done to a work order, its evidence, links, packs and jobs."""
    now = current()
    work_order_id = read_id(path.work_order_id)
    if work_order_id is None or not now.connection.scalar(
        text(
            "select exists (select from work_orders where tenant_id = :tenant"
            " and work_order_id = :id)"
        ),
        {"tenant": now.actor.tenant_id, "id": work_order_id},
    ):
        raise not_found()
    filters = {"work_order": work_order_id, "cursor": _cursor(query.cursor)}
    return answer(events(now.connection, now.actor.tenant_id, filters, limit=query.limit))


def _cursor(text_: str | None) -> UUID | None:
    if text_ is None:
        return None
    if (found := read_id(text_)) is None:
        raise ServiceError(
            400, "CURSOR_INVALID", "The cursor is none of ours", "Send next_cursor as it came."
        )
    return found
