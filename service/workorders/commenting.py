"""What people, and the service itself, note down about a work order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from service.audit.events import record
from service.clock import now
from service.identifiers import new_id
from service.workorders.records import find
from service.workorders.shapes import CommentLine

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.workorders.shapes import CommentType, NewComment

_ADD = text(
    "insert into comments (tenant_id, comment_id, work_order_id, comment_type, body, created_by,"
    " created_at) values (:tenant, :comment, :id, :type, :body, :person, :now)"
)
_LIST = text(
    "select comment_id as id, comment_type, body, created_by as created_by_user_id, created_at"
    " from comments"
    " where tenant_id = :tenant and work_order_id = :id"
    " order by created_at desc, comment_id desc limit 500"
)


def add_comment(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    comment_type: CommentType,
    body: str,
) -> CommentLine:
    """Write a comment; nobody changes or removes one later."""
    line = CommentLine(
        id=new_id(),
        comment_type=comment_type,
        body=body,
        created_by_user_id=actor.user_id,
        created_at=now(),
    )
    connection.execute(
        _ADD,
        {
            "tenant": actor.tenant_id,
            "comment": line.id,
            "id": work_order_id,
            "type": comment_type,
            "body": body,
            "person": actor.user_id,
            "now": line.created_at,
        },
    )
    return line


def comment(
    connection: Connection, actor: Actor, work_order_id: UUID, body: NewComment
) -> CommentLine:
    """Write a person's comment, which every state allows.

    Raises:
        ServiceError: 404, there is no such work order.
    """
    find(connection, actor.tenant_id, work_order_id)
    line = add_comment(connection, actor, work_order_id, body.comment_type, body.body)
    record(
        connection,
        actor,
        "workorder:comment:written",
        subject=("comment", line.id),
        work_order_id=work_order_id,
    )
    return line


def comments_of(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> list[CommentLine]:
    """The comments of a work order, the latest first, at most 500."""
    rows = connection.execute(_LIST, {"tenant": tenant_id, "id": work_order_id}).mappings()
    return [CommentLine.model_validate(dict(row)) for row in rows]
