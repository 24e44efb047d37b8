"""The record of what was done to a work order, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.audit.history import events
from service.web.printed import word, words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from service.workorders.records import WorkOrder

#: A page shows the latest; all of it is in the audit.
_MOST = 100
_MOST_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history."""

    at: datetime
    by: str
    what: str
    reason: str | None


def history_of(connection: Connection, order: WorkOrder) -> tuple[Happening, ...]:
    """What was done to a work order, the latest first."""
    latest = events(connection, order.tenant_id, {"work_order": order.work_order_id}, limit=_MOST)
    return tuple(
        Happening(
            at=one.at,
            by=one.actor.name or word(one.actor.kind, "actor_kind"),
            what=told(one.action, one.before or {}, one.after or {}),
            reason=one.reason,
        )
        for one in latest.items
    )


def told(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """An action in words, with what changed where that can be said shortly."""
    said = str(words()["action"].get(action, action.replace(":", " ").replace("_", " ")))
    if action == "workorder:status:changed":
        old, new = before.get("status"), after.get("status")
        return f"moved it from {word(old, 'status').lower()} to {word(new, 'status').lower()}"
    if action == "workorder:contract:changed":
        fields = sorted({*before, *after} - {"snapshot_version"})
        return f"{said}: {_listed(fields)}" if fields else said
    if "version" in after and action.startswith(("pack:", "release:")):
        return f"{said}, version {after['version']}"
    if "key" in after:
        return f"{said} {after['key']}"
    return said


def _listed(fields: list[str]) -> str:
    shown = ", ".join(field.rpartition(".")[2].replace("_", " ") for field in fields[:_MOST_FIELDS])
    more = len(fields) - _MOST_FIELDS
    return shown + (f" and {more} more" if more > 0 else "")
