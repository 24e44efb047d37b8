"""What a seal's hash covers: the seal before it, its own place, and every field of its event."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What the first seal of a tenant names as the hash before it.
BEGINNING = "0" * 64

#: The columns of an event that a seal covers, and how each becomes a text: made by the database, so
#: that sealing and verifying see the same.
_AS_TEXT = {
    "tenant_id": "e.tenant_id::text",
    "event_id": "e.event_id::text",
    "at": "to_char(e.at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as at",
    "action": "e.action",
    "actor_kind": "e.actor_kind",
    "actor_id": "e.actor_id::text",
    "token_id": "e.token_id::text",
    "audience": "e.audience",
    "subject_type": "e.subject_type",
    "subject_id": "e.subject_id",
    "work_order_id": "e.work_order_id::text",
    "reason": "e.reason",
    "details_sha256": "e.details_sha256",
    "request_id": "e.request_id",
    "operation_id": "e.operation_id::text",
}
FIELDS = tuple(_AS_TEXT)
EVENT = ", ".join(_AS_TEXT.values())


def seal_hash(previous: str, seq: int, sealed_at: str, event: Mapping[str, Any]) -> str:
    """The hash of one seal.

    What is null is left out, so that a column which is added later changes no older hash. The text
    is RFC 8785's: for texts and small whole numbers under plain names, Python's own writer gives
    the same bytes, and a million seals are checked in seconds.

    Args:
        previous: the hash of the seal before, or BEGINNING.
        seq: the place in the tenant's chain, from 1.
        sealed_at: when, in the form of an event's `at`.
        event: the columns `FIELDS`, as texts.
    """
    covered = {
        "event": {name: value for name, value in event.items() if value is not None},
        "previous": previous,
        "sealed_at": sealed_at,
        "seq": seq,
    }
    written = json.dumps(covered, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
