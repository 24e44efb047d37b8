"""Reads the record of who did what, newest first."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

Short = Annotated[str, StringConstraints(max_length=200)]


class EventSearch(BaseModel):
    """What is looked for; everything that is given has to hold."""

    model_config = ConfigDict(extra="forbid")

    work_order: UUID | None = None
    subject_type: Short | None = None
    subject: Short | None = Field(None, description="the id of what something was done to")
    action: Short | None = Field(
        None, description="an action, or its beginning up to a colon: `workorder`"
    )
    actor: UUID | None = Field(None, description="a person, or a token, or a job")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description="this instant itself is not meant")
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class WorkOrderEventSearch(BaseModel):
    """How much of a work order's history at once."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class ActingParty(BaseModel):
    """Who did it; people have a name as long as they belong to the firm."""

    kind: Literal["user", "service", "job", "system"]
    id: UUID | None
    name: str | None
    audience: str | None


class Subject(BaseModel):
    """What it was done to."""

    type: str
    id: str


class Seal(BaseModel):
    """The event's place in the chain."""

    seq: int
    hash: str


class Event(BaseModel):
    """Something that was done; `before` and `after` may be erased, the rest never is."""

    event_id: UUID
    at: datetime
    action: str
    actor: ActingParty
    subject: Subject
    work_order_id: UUID | None
    reason: str | None
    before: Any
    after: Any
    details_erased: bool
    request_id: str | None
    operation_id: UUID | None
    seal: Seal | None


class Events(BaseModel):
    """A page of events, newest first."""

    items: list[Event]
    next_cursor: UUID | None


#: Filter -> its condition. Ids begin with the time, so pages go by them.
_CONDITIONS = {
    "work_order": "e.work_order_id = :work_order",
    "subject_type": "e.subject_type = :subject_type",
    "subject": "e.subject_id = :subject",
    "action": "(e.action = :action or starts_with(e.action, :action || ':'))",
    "actor": "e.actor_id = :actor",
    "since": "e.at >= :since",
    "until": "e.at < :until",
    "cursor": "e.event_id < :cursor",
}


def events(
    connection: Connection, tenant_id: UUID, filters: Mapping[str, Any], *, limit: int
) -> Events:
    """A page of a firm's events.

    Args:
        connection: of a role that sees the firm's audit.
        tenant_id: whose.
        filters: by the names of `EventSearch`; None does not filter.
        limit: how many at most.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    conditions = "".join(f" and {_CONDITIONS[name]}" for name in given)
    rows = connection.execute(
        text(
            "select e.*, d.details, u.name as actor_name, s.seq, s.hash from audit_events e"  # noqa: S608 - constants
            " left join audit_details d on d.tenant_id = e.tenant_id and d.event_id = e.event_id"
            " left join audit_seals s on s.tenant_id = e.tenant_id and s.event_id = e.event_id"
            " left join users u on u.user_id = e.actor_id"
            f" where e.tenant_id = :tenant{conditions} order by e.event_id desc limit :limit"
        ),
        {"tenant": tenant_id, "limit": limit + 1, **given},
    ).all()
    page = [_event(row) for row in rows[:limit]]
    return Events(items=page, next_cursor=page[-1].event_id if len(rows) > limit else None)


def _event(row: Any) -> Event:
    details = json.loads(row.details) if row.details is not None else {}
    return Event(
        event_id=row.event_id,
        at=row.at,
        action=row.action,
        actor=ActingParty(
            kind=row.actor_kind, id=row.actor_id, name=row.actor_name, audience=row.audience
        ),
        subject=Subject(type=row.subject_type, id=row.subject_id),
        work_order_id=row.work_order_id,
        reason=row.reason,
        before=details.get("before"),
        after=details.get("after"),
        details_erased=row.details is None and row.details_sha256 is not None,
        request_id=row.request_id,
        operation_id=row.operation_id,
        seal=None if row.seq is None else Seal(seq=row.seq, hash=row.hash),
    )
