"""The record of what was done to a work order, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.web.printed import word, words

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from service.workorders.records import WorkOrder

#: More is in the register of audit events; a page shows the latest.
_MOST = 100
_MOST_FIELDS = 4

_EVENTS = text(
    "select e.at, e.action, e.actor_kind, e.reason, u.name, d.details from audit_events e"
    " left join users u on u.user_id = e.actor_id"
    " left join audit_details d on d.tenant_id = e.tenant_id and d.event_id = e.event_id"
    " where e.tenant_id = :tenant and e.work_order_id = :id"
    " order by e.at desc, e.event_id desc limit :most"
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history."""

    at: datetime
    by: str
    what: str
    reason: str | None


def history_of(connection: Connection, order: WorkOrder) -> tuple[Happening, ...]:
    """What was done to a work order, the latest first."""
    values = {"tenant": order.tenant_id, "id": order.work_order_id, "most": _MOST}
    return tuple(
        Happening(
            at=row.at,
            by=row.name or word(row.actor_kind, "actor_kind"),
            what=told(row.action, json.loads(row.details) if row.details else {}),
            reason=row.reason,
        )
        for row in connection.execute(_EVENTS, values)
    )


def told(action: str, details: dict[str, Any]) -> str:
    """An action in words, with what changed where that can be said shortly."""
    before, after = details.get("before") or {}, details.get("after") or {}
    said = str(words()["action"].get(action, action.replace(":", " ").replace("_", " ")))
    if action == "workorder:status:changed":
        old, new = before.get("status"), after.get("status")
        return f"moved it from {word(old, 'status').lower()} to {word(new, 'status').lower()}"
    if action == "workorder:contract:changed":
        fields = sorted({*before, *after} - {"snapshot_version"})
        return f"{said}: {_listed(fields)}" if fields else said
    if isinstance(after, dict) and "version" in after and action.startswith("pack:"):
        return f"{said}, version {after['version']}"
    if isinstance(after, dict) and "key" in after:
        return f"{said} {after['key']}"
    return said


def _listed(fields: list[str]) -> str:
    shown = ", ".join(field.rpartition(".")[2].replace("_", " ") for field in fields[:_MOST_FIELDS])
    more = len(fields) - _MOST_FIELDS
    return shown + (f" and {more} more" if more > 0 else "")
