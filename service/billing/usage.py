"""Usage events: what is planned and what happened, once for each key, for statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.billing.acting import as_billing
from service.billing.journal import check_same_request, key_reused
from service.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account

_INSERT = text(
    "insert into usage_events (tenant_id, usage_event_id, source_system, event_type, account_id,"
    " external_key, operation_key, payload, at) values (:tenant, :id, :source, :event_type,"
    " :account, :external_key, :key, cast(:payload as jsonb), :at)"
    " on conflict do nothing"
)
_KNOWN = text(
    "select usage_event_id, event_type from usage_events where tenant_id = :tenant"
    " and source_system = :source and operation_key = :key"
)


def record_usage(
    connection: Connection,
    actor: Actor,
    account: Account | None,
    event_type: str,
    *,
    key: str,
    source: Literal["v1", "v2"] = "v2",
    external_key: str | None = None,
    payload: Mapping[str, Any] | None = None,
) -> UUID:
    """Write down that something happened; the same key again is the same event.

    Args:
        connection: in the actor's role.
        actor: who tells of it.
        account: whose usage it is; without one it is filed under the actor's own tenant.
        event_type: what happened, such as `work_accepted`.
        key: names the event for ever in its firm and source system.
        source: which of the two systems tells of it.
        external_key: the account's key as the source wrote it, if there is no such account.
        payload: what else there is to know.

    Returns:
        The event's id.

    Raises:
        ServiceError: 409 IDEMPOTENCY_KEY_REUSED, the key names an event of another type.
    """
    tenant = actor.tenant_id if account is None else account.tenant_id
    names = {"tenant": tenant, "source": source, "key": key}
    event_id = new_id()
    with as_billing(connection, tenant):
        written = connection.execute(
            _INSERT,
            {
                **names,
                "id": event_id,
                "event_type": event_type,
                "account": None if account is None else account.account_id,
                "external_key": external_key if account is None else account.external_key,
                "payload": canonical_json(payload or {}).decode(),
                "at": clock.now(),
            },
        ).rowcount
        if written:
            return event_id
        known = connection.execute(_KNOWN, names).one_or_none()
        # The older system's keys are one series for all firms: it may be another firm's.
        if known is None:
            raise key_reused(key)
        check_same_request(key, known.event_type, event_type)
        found: UUID = known.usage_event_id
        return found
