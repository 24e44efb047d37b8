"""Takes what the older system tells of: once for each of its keys, whoever's it turns out to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service.billing.accounts import Account
from service.billing.journal import check_same_request
from service.billing.usage import record_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from service.actor import Actor

# Two of one key come one after the other, also if they are to be filed in different places.
_ONE_BY_ONE = text("select pg_advisory_xact_lock(hashtextextended('usage of v1:' || :key, 0))")
_KNOWN = text(
    "select usage_event_id, event_type, account_id from usage_events"
    " where source_system = 'v1' and operation_key = :key"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """Where an event was filed; without an account it is unmatched, and in the studio's tenant."""

    usage_event_id: UUID
    account_id: UUID | None
    is_duplicate: bool


def take_event(
    connection: Connection,
    actor: Actor,
    account: Account | None,
    event_type: str,
    *,
    key: str,
    external_key: str | None,
    payload: Mapping[str, Any],
) -> Taken:
    """File an event of the older system.

    Args:
        connection: as zen_studio, in the studio's tenant.
        actor: the older system, as the studio.
        account: whose it is. Of an unknown account it is filed under the studio, never under some
            firm, with the key as it was written.
        event_type: what happened.
        key: names the event for ever in the older system.
        external_key: the account as it was written.
        payload: what else was told.

    Raises:
        ServiceError: 409 IDEMPOTENCY_KEY_REUSED, the key names an event of another type.
    """
    connection.execute(_ONE_BY_ONE, {"key": key})
    known = connection.execute(_KNOWN, {"key": key}).one_or_none()
    if known is not None:
        check_same_request(key, known.event_type, event_type)
        return Taken(known.usage_event_id, known.account_id, is_duplicate=True)
    made = record_usage(
        connection,
        actor,
        account,
        event_type,
        key=key,
        source="v1",
        external_key=external_key,
        payload=payload,
    )
    return Taken(made, None if account is None else account.account_id, is_duplicate=False)
