"""Routes of the record of who did what."""

from __future__ import annotations

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from service.api.access import OPERATORS, access
from service.api.answers import answer
from service.api.request_life import current
from service.api.requests import cursor_id, path_id
from service.audit.history import Events, EventSearch, WorkOrderEventSearch, events
from service.workorders.records import find

api = APIBlueprint(
    "audit", __name__, url_prefix="/v1", abp_tags=[Tag(name="audit")], abp_security=[{"bearer": []}]
)


class WorkOrderPath(BaseModel):
    """Which work order."""

    work_order_id: str


@api.get("/audit", summary="Who did what, newest first", responses={200: Events})
@access("audit.read", audiences=OPERATORS)
def list_events(query: EventSearch) -> Response:
    """Events of the firm, by work order, subject, action, actor and time."""
    now = current()
    filters = {name: value for name, value in query if name != "limit"}
    filters["cursor"] = cursor_id(query.cursor)
    return answer(events(now.connection, now.actor.tenant_id, filters, limit=query.limit))


@api.get(
    "/repogen/work-orders/<work_order_id>/audit",
    summary="A work order's history, newest first",
    responses={200: Events},
)
@access("audit.read", audiences=OPERATORS)
def list_work_order_events(path: WorkOrderPath, query: WorkOrderEventSearch) -> Response:
    """Everything that was done to a work order, its evidence, links, packs and jobs."""
    now = current()
    order = find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    filters = {"work_order": order.work_order_id, "cursor": cursor_id(query.cursor)}
    return answer(events(now.connection, now.actor.tenant_id, filters, limit=query.limit))
