"""Lists of work orders, page after page, the latest change first."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, text

from service.errors import cursor_invalid
from service.identifiers import read_id
from service.workorders.records import Listed, columns_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.workorders.shapes import ListQuery

#: Where the one field stands that is a list in the database.
_MISSING = columns_of(Listed).split(", ").index("missing")
#: Filter of the query -> its condition.
_CONDITIONS = {
    "status": "status = :status",
    "report_type": "report_type = :report_type",
    "bank_type": "bank_type = :bank_type",
    "template_selector": "template_selector = :template_selector",
    "source_type": "source_type = :source_type",
    "ready": "is_ready = :ready",
    # Every word of the search somewhere in the work order's names, numbers and addresses.
    "search": "(search like all (:words) or work_order_id = :named)",
    "cursor": "(updated_at, work_order_id) < (:after, :after_id)",
}


def list_work_orders(
    connection: Connection, tenant_id: UUID, query: ListQuery
) -> tuple[list[Listed], str | None]:
    """The work orders that fit, and the cursor of those that follow, None at the end.

    Raises:
        ServiceError: 400, the cursor is none of ours.
    """
    values = {"tenant": tenant_id, "limit": query.limit + 1}
    values |= query.model_dump(exclude_none=True, include=set(_CONDITIONS))
    if query.search is not None and not query.search.strip():
        del values["search"]
    wanted = tuple(name for name in _CONDITIONS if name in values)
    if query.search is not None:
        values["words"] = [f"%{_literal(word)}%" for word in query.search.lower().split()]
        values["named"] = read_id(query.search.strip())
    if query.cursor is not None:
        values["after"], values["after_id"] = _read_cursor(query.cursor)
    rows = connection.execute(_statement(wanted), values).all()
    found = [_listed(row) for row in rows[: query.limit]]
    return found, _cursor(found[-1]) if len(rows) > query.limit else None


def _listed(row: Row[Any]) -> Listed:
    """The record of a row whose columns are in the order of its fields."""
    values = list(row)
    values[_MISSING] = tuple(values[_MISSING])
    return Listed(*values)


@cache
def _statement(wanted: tuple[str, ...]) -> TextClause:
    """The query with these conditions, read once."""
    return text(
        f"select {columns_of(Listed)} from work_orders where tenant_id = :tenant"  # noqa: S608 - words of our own
        + "".join(f" and {_CONDITIONS[name]}" for name in wanted)
        + " order by updated_at desc, work_order_id desc limit :limit"
    )


def _literal(word: str) -> str:
    """A word in which % and _ mean themselves."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def _cursor(last: Listed) -> str:
    place = json.dumps([last.updated_at.isoformat(), str(last.work_order_id)])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        written = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        moment, name = json.loads(written)
        at, work_order_id = datetime.fromisoformat(moment), read_id(name)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        at, work_order_id = None, None
    if at is None or at.tzinfo is None or work_order_id is None:
        raise cursor_invalid()
    return at, work_order_id
