"""Fills audit logs for tests, through the roles that the service has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from service.actor import Actor
from service.audit.events import record
from service.database.connections import transaction
from service.identifiers import new_id


def actor_of(tenant_id: UUID, **more: Any) -> Actor:
    """A person of a firm, with every capability that the tests of the audit need."""
    values: dict[str, Any] = {
        "user_id": new_id(),
        "audience": "web",
        "capabilities": frozenset(),
        "name": "Specimen Person",
        "request_id": str(new_id()),
    }
    return Actor(tenant_id, **(values | more))


def write_events(engine: Any, tenant_id: UUID, count: int, **more: Any) -> list[UUID]:
    """Events of one firm, all in one transaction of the role zen_web."""
    actor = more.pop("actor", None) or actor_of(tenant_id)
    values: dict[str, Any] = {"subject": ("thing", "1"), "reason": "for the test"} | more
    with transaction(engine, role="zen_web", tenant_id=tenant_id, user_id=actor.user_id) as one:
        return [record(one, actor, "test:thing:changed", **values) for _ in range(count)]
