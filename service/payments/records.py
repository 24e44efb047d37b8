"""Rows of payments: orders, refunds, and what providers have sent."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.types.json import Jsonb
from sqlalchemy import text

from service.payments.providers import Name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

Purpose = Literal["topup", "invoice"]
OrderStatus = Literal[
    "unknown",
    "pending",
    "requires_action",
    "paid",
    "failed",
    "cancelled",
    "expired",
    "refunded",
    "partially_refunded",
    "charged_back",
]
RefundState = Literal["unknown", "pending", "succeeded", "failed"]
Dispute = Literal["open", "won", "lost"]
EventStatus = Literal["received", "processed", "ignored", "unmatched", "refused"]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody is asked to pay through a provider; its columns, amounts in paise."""

    tenant_id: UUID
    payment_order_id: UUID
    account_id: UUID
    provider: Name
    purpose: Purpose
    invoice_id: UUID | None
    credits: int
    amount: int
    currency: str
    description: str
    status: OrderStatus
    refunded: int
    charged_back: int
    #: By the provider's id of each.
    disputes: Mapping[str, Dispute]
    advance: int
    reversed: int
    credits_reversed: int
    credits_owed: int
    operation_key: str
    request_sha256: str
    provider_order_id: str | None
    provider_payment_id: str | None
    checkout_url: str | None
    failure: str | None
    finding: str | None
    ask_at: datetime | None
    asked: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None

    @property
    def is_settled(self) -> bool:
        """Whether the money has come and been used."""
        return self.settled_at is not None

    @property
    def dispute(self) -> Dispute | None:
        """All disputes as one: what is lost or still open hides what was won."""
        states: tuple[Dispute, ...] = ("lost", "open", "won")
        return next((one for one in states if one in self.disputes.values()), None)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back; its columns."""

    tenant_id: UUID
    refund_id: UUID
    payment_order_id: UUID
    amount: int
    status: RefundState
    reason: str
    operation_key: str
    request_sha256: str
    provider_refund_id: str | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider has sent; its columns, without the bytes."""

    tenant_id: UUID
    event_id: UUID
    provider: Name
    provider_event_id: str
    event_type: str
    provider_created_at: datetime | None
    payload_sha256: str
    status: EventStatus
    outcome: str | None
    order_tenant_id: UUID | None
    payment_order_id: UUID | None
    received_at: datetime
    processed_at: datetime | None


def _names(row: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(row))


def _insert(table: str, row: type) -> Any:
    names = _names(row)
    return text(
        f"insert into {table} ({', '.join(names)}) values ({', '.join(f':{one}' for one in names)})"  # noqa: S608
    )


def _update(table: str, row: type, *keys: str) -> Any:
    changed = ", ".join(f"{name} = :{name}" for name in _names(row) if name not in keys)
    where = " and ".join(f"{key} = :{key}" for key in keys)
    return text(f"update {table} set {changed} where {where}")  # noqa: S608


_ORDER = f"select {', '.join(_names(Order))} from payment_orders"  # noqa: S608
_REFUND = f"select {', '.join(_names(Refund))} from payment_refunds"  # noqa: S608
_EVENT = f"select {', '.join(_names(Event))} from payment_events"  # noqa: S608

_FIND_ORDER = text(
    f"{_ORDER} where tenant_id = coalesce(cast(:tenant as uuid), tenant_id)"
    " and payment_order_id = :order"
)
_LOCK_ORDER = text(f"{_ORDER} where tenant_id = :tenant and payment_order_id = :order for update")
_ORDER_BY_KEY = text(
    f"{_ORDER} where tenant_id = :tenant and account_id = :account and operation_key = :key"
)
_UNKNOWN_OF_INVOICE = text(
    f"{_ORDER} where tenant_id = :tenant and invoice_id = :invoice and status = 'unknown' limit 1"
)
_ORDERS = text(
    f"{_ORDER} where (cast(:tenant as uuid) is null or tenant_id = :tenant)"
    " and (cast(:account as uuid) is null or account_id = :account)"
    " and (cast(:invoice as uuid) is null or invoice_id = :invoice)"
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:below as uuid) is null or payment_order_id < :below)"
    " order by payment_order_id desc limit :limit"
)
_LINKED_ORDERS = text(
    f"{_ORDER} where tenant_id = :tenant and provider_order_id is not null"
    " and created_at > :since order by payment_order_id desc limit :limit"
)
# Ours by the id that we wrote there; else by the provider's own ids.
_MATCH = text(
    "select tenant_id, payment_order_id from payment_orders where payment_order_id = :order"
    " and provider = :provider"
    " union all select tenant_id, payment_order_id from payment_orders"
    " where provider = :provider and provider_order_id = :provider_order"
    " union all select tenant_id, payment_order_id from payment_orders"
    " where provider = :provider and provider_payment_id = :provider_payment limit 3"
)
_FIND_REFUND = text(
    f"{_REFUND} where tenant_id = :tenant and payment_order_id = :order and refund_id = :refund"
)
_REFUND_BY_KEY = text(
    f"{_REFUND} where tenant_id = :tenant and payment_order_id = :order and operation_key = :key"
)
_REFUNDS = text(
    f"{_REFUND} where tenant_id = :tenant and payment_order_id = :order order by refund_id"
)
_LOCK_EVENT = text(f"{_EVENT} where tenant_id = :tenant and event_id = :event for update")
_EVENT_BY_PROVIDER = text(
    f"{_EVENT} where tenant_id = :tenant and provider = :provider and provider_event_id = :id"
)
_PAYLOAD = text(
    "select payload from payment_events where tenant_id = :tenant and event_id = :event"
)
_EVENTS = text(
    f"{_EVENT} where (cast(:order as uuid) is null or payment_order_id = :order)"
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:provider as text) is null or provider = :provider)"
    " and (cast(:below as uuid) is null or event_id < :below)"
    " order by event_id desc limit :limit"
)
_KEEP_EVENT = text(
    f"insert into payment_events ({', '.join(_names(Event))}, payload)"  # noqa: S608
    f" values ({', '.join(f':{name}' for name in _names(Event))}, :payload)"
    " on conflict (provider, provider_event_id) do nothing"
)
_END_EVENT = text(
    "update payment_events set status = :status, outcome = :outcome, processed_at = :at,"
    " order_tenant_id = :order_tenant, payment_order_id = :order"
    " where tenant_id = :tenant and event_id = :event"
)
_INSERT_ORDER, _INSERT_REFUND = _insert("payment_orders", Order), _insert("payment_refunds", Refund)
_UPDATE_ORDER = _update("payment_orders", Order, "tenant_id", "payment_order_id")
_UPDATE_REFUND = _update("payment_refunds", Refund, "tenant_id", "refund_id")


def find_order(connection: Connection, tenant_id: UUID | None, order_id: UUID) -> Order | None:
    """An order that the role of the connection sees; of whatever firm if none is named."""
    return _order(connection, _FIND_ORDER, tenant=tenant_id, order=order_id)


def lock_order(connection: Connection, tenant_id: UUID, order_id: UUID) -> Order:
    """An order that nobody else changes until the transaction ends; after its account's lock."""
    found = _order(connection, _LOCK_ORDER, tenant=tenant_id, order=order_id)
    assert found is not None
    return found


def order_by_key(
    connection: Connection, tenant_id: UUID, account_id: UUID, key: str
) -> Order | None:
    """The order that a key has made."""
    return _order(connection, _ORDER_BY_KEY, tenant=tenant_id, account=account_id, key=key)


def unknown_order_of(connection: Connection, tenant_id: UUID, invoice_id: UUID) -> Order | None:
    """The invoice's order of which it is not known what has become."""
    return _order(connection, _UNKNOWN_OF_INVOICE, tenant=tenant_id, invoice=invoice_id)


def find_orders(
    connection: Connection,
    tenant_id: UUID | None,
    *,
    account_id: UUID | None = None,
    invoice_id: UUID | None = None,
    status: str | None = None,
    below: UUID | None = None,
    limit: int = 50,
) -> list[Order]:
    """Orders, newest first; of all firms if none is named and the role sees them."""
    rows = connection.execute(
        _ORDERS,
        {
            "tenant": tenant_id,
            "account": account_id,
            "invoice": invoice_id,
            "status": status,
            "below": below,
            "limit": limit,
        },
    )
    return [Order(*row) for row in rows]


def linked_orders(
    connection: Connection, tenant_id: UUID, *, since: datetime, limit: int
) -> list[Order]:
    """A firm's orders that have a link at their provider, newest first."""
    rows = connection.execute(_LINKED_ORDERS, {"tenant": tenant_id, "since": since, "limit": limit})
    return [Order(*row) for row in rows]


def match_order(
    connection: Connection,
    provider: str,
    *,
    order_id: UUID | None,
    provider_order_id: str | None,
    provider_payment_id: str | None,
) -> Sequence[tuple[UUID, UUID]]:
    """Tenant and id of the orders that a provider's ids mean; as zen_system, which sees all."""
    rows = connection.execute(
        _MATCH,
        {
            "provider": provider,
            "order": order_id,
            "provider_order": provider_order_id,
            "provider_payment": provider_payment_id,
        },
    )
    return sorted({(row.tenant_id, row.payment_order_id) for row in rows})


def insert_order(connection: Connection, order: Order) -> None:
    """Write a new order; as zen_billing."""
    connection.execute(_INSERT_ORDER, _columns(order))


def update_order(connection: Connection, order: Order) -> None:
    """Write an order as it is now; as zen_billing, under its lock."""
    connection.execute(_UPDATE_ORDER, _columns(order))


def _columns(order: Order) -> dict[str, Any]:
    return {**dataclasses.asdict(order), "disputes": Jsonb(order.disputes)}


def find_refund(
    connection: Connection, tenant_id: UUID, order_id: UUID, refund_id: UUID
) -> Refund | None:
    """A refund of an order."""
    return _refund(connection, _FIND_REFUND, tenant=tenant_id, order=order_id, refund=refund_id)


def refund_by_key(
    connection: Connection, tenant_id: UUID, order_id: UUID, key: str
) -> Refund | None:
    """The refund that a key has made."""
    return _refund(connection, _REFUND_BY_KEY, tenant=tenant_id, order=order_id, key=key)


def refunds_of(connection: Connection, tenant_id: UUID, order_id: UUID) -> list[Refund]:
    """All refunds of an order, oldest first."""
    rows = connection.execute(_REFUNDS, {"tenant": tenant_id, "order": order_id})
    return [Refund(*row) for row in rows]


def insert_refund(connection: Connection, refund: Refund) -> None:
    """Write a new refund; as zen_billing, with the order locked."""
    connection.execute(_INSERT_REFUND, dataclasses.asdict(refund))


def update_refund(connection: Connection, refund: Refund) -> None:
    """Write a refund as it is now; as zen_billing, with the order locked."""
    connection.execute(_UPDATE_REFUND, dataclasses.asdict(refund))


def keep_event(connection: Connection, event: Event, payload: bytes) -> bool:
    """Store an event, if its provider's id is new; as zen_billing."""
    values = {**dataclasses.asdict(event), "payload": payload}
    return bool(connection.execute(_KEEP_EVENT, values).rowcount)


def event_by_provider(
    connection: Connection, tenant_id: UUID, provider: str, provider_event_id: str
) -> Event | None:
    """The event that has a provider's id."""
    return _event(
        connection, _EVENT_BY_PROVIDER, tenant=tenant_id, provider=provider, id=provider_event_id
    )


def lock_event(connection: Connection, tenant_id: UUID, event_id: UUID) -> Event | None:
    """An event that nobody else works on until the transaction ends; before any other lock."""
    return _event(connection, _LOCK_EVENT, tenant=tenant_id, event=event_id)


def payload_of(connection: Connection, tenant_id: UUID, event_id: UUID) -> Mapping[str, Any]:
    """What an event says, as its provider wrote it."""
    raw = connection.execute(_PAYLOAD, {"tenant": tenant_id, "event": event_id}).scalar_one()
    found: Mapping[str, Any] = json.loads(bytes(raw))
    return found


def find_events(
    connection: Connection,
    *,
    order_id: UUID | None = None,
    status: str | None = None,
    provider: str | None = None,
    below: UUID | None = None,
    limit: int = 50,
) -> list[Event]:
    """Events, newest first; in a role of the studio."""
    rows = connection.execute(
        _EVENTS,
        {
            "order": order_id,
            "status": status,
            "provider": provider,
            "below": below,
            "limit": limit,
        },
    )
    return [Event(*row) for row in rows]


def end_event(
    connection: Connection,
    event: Event,
    status: EventStatus,
    outcome: str,
    at: datetime,
    order: tuple[UUID, UUID] | None = None,
) -> None:
    """Write down what became of an event; as zen_billing, for the studio's tenant."""
    connection.execute(
        _END_EVENT,
        {
            "tenant": event.tenant_id,
            "event": event.event_id,
            "status": status,
            "outcome": outcome,
            "at": at,
            "order_tenant": order[0] if order else None,
            "order": order[1] if order else None,
        },
    )


def _order(connection: Connection, statement: Any, **values: Any) -> Order | None:
    row = connection.execute(statement, values).one_or_none()
    return None if row is None else Order(*row)


def _refund(connection: Connection, statement: Any, **values: Any) -> Refund | None:
    row = connection.execute(statement, values).one_or_none()
    return None if row is None else Refund(*row)


def _event(connection: Connection, statement: Any, **values: Any) -> Event | None:
    row = connection.execute(statement, values).one_or_none()
    return None if row is None else Event(*row)
