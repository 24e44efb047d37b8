"""Writes down what was done, in the transaction that does it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.database.connections import send
from service.identifiers import new_id

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor

ActorKind = Literal["user", "service", "job", "system"]

_EVENT = (
    "insert into audit_events (tenant_id, event_id, at, action, actor_kind, actor_id, token_id,"
    " audience, subject_type, subject_id, work_order_id, reason, details_sha256, request_id,"
    " operation_id) values (:tenant_id, :event_id, :at, :action, :actor_kind, :actor_id, :token_id,"
    " :audience, :subject_type, :subject_id, :work_order_id, :reason, :details_sha256, :request_id,"
    " :operation_id)"
)
_EVENT_ALONE = text(_EVENT)
_WITH_DETAILS = text(
    f"with event as ({_EVENT}) insert into audit_details (tenant_id, event_id, details)"  # noqa: S608
    " values (:tenant_id, :event_id, :details)"
)


#: JSON's readers keep whole numbers up to here.
_LARGEST = 2**53 - 1


def record(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    subject: tuple[str, object],
    work_order_id: UUID | None = None,
    reason: str | None = None,
    before: Any = None,
    after: Any = None,
) -> UUID:
    """Write an event of the actor's firm; it stands if and only if the transaction commits.

    Args:
        connection: inside the transaction that makes the change.
        actor: who does it.
        action: what is done, as `capability:thing:done`: 'workorder:status:changed'.
        subject: what it is done to, as kind and id: ('document', document_id).
        work_order_id: the work order that it concerns, so that its history is found.
        reason: why, in the person's words. It is part of the chain and can never be erased.
        before: what was there, as canonical JSON takes it (ids and enumerations too). May hold
            personal data: it is kept apart, and can be erased without breaking the chain.
        after: what is there now, likewise.

    Returns:
        The event's id.
    """
    event_id = new_id()
    given = {name: it for name, it in (("before", before), ("after", after)) if it is not None}
    details = canonical_json(_plain(given)).decode() if given else None
    send(
        connection,
        _EVENT_ALONE if details is None else _WITH_DETAILS,
        {
            "tenant_id": actor.tenant_id,
            "event_id": event_id,
            "at": clock.now(),
            "action": action,
            "actor_kind": kind_of(actor),
            "actor_id": actor.user_id or actor.token_id or actor.operation_id,
            "token_id": actor.token_id,
            "audience": actor.audience,
            "subject_type": subject[0],
            "subject_id": str(subject[1]),
            "work_order_id": work_order_id,
            "reason": reason,
            "details_sha256": None if details is None else details_digest(details),
            "request_id": actor.request_id,
            "operation_id": actor.operation_id,
            "details": details,
        },
    )
    return event_id


def kind_of(actor: Actor) -> ActorKind:
    """Whether a person, a service's token, a job or the system itself acts."""
    if actor.audience == "worker":
        return "system" if actor.operation_id is None else "job"
    if actor.audience == "service" or actor.user_id is None:
        return "service" if actor.token_id is not None else "system"
    return "user"


def details_digest(details: str) -> str:
    """What an event says of its details: the sha256 of their text."""
    return hashlib.sha256(details.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Rows hold ids as UUIDs, which canonical JSON does not know."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(inner) for inner in value)
    # An enumeration's members are texts with a type of their own; tags may hold any JSON number.
    if isinstance(value, str) or (type(value) is int and abs(value) > _LARGEST):
        return str(value)
    return Decimal(str(value)) if isinstance(value, float) else value
