"""What clients send about payments, and what they are answered; money in rupees."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.payments.providers import Name
from service.payments.records import Dispute, EventStatus, OrderStatus, Purpose, RefundState

Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Id = Annotated[str, StringConstraints(max_length=100)]
Cursor = Annotated[str, StringConstraints(max_length=100)]
Money = Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=2)]


class Body(BaseModel):
    """What a client sends: no field that is not known here."""

    model_config = ConfigDict(extra="forbid")


class NewTopup(Body):
    """Credits to be bought at the price of the list."""

    provider: Name
    credits: int = Field(ge=1, le=1_000_000)
    account_id: Id | None = Field(None, description="the caller's own account unless given")
    idempotency_key: Key | None = Field(None, description="or the header Idempotency-Key")


class NewCheckout(Body):
    """A link to be made: for an invoice, or for credits."""

    provider: Name
    purpose: Literal["invoice", "topup"] = "invoice"
    invoice_id: Id | None = None
    credits: int | None = Field(None, ge=1, le=1_000_000)
    account_id: Id | None = Field(None, description="the caller's own account unless given")
    idempotency_key: Key | None = Field(None, description="or the header Idempotency-Key")


class NewRefund(Body):
    """Money to be given back."""

    amount: Money | None = Field(None, description="in rupees; all that is left unless given")
    reason: Reason
    idempotency_key: Key | None = Field(None, description="or the header Idempotency-Key")


class OrderPath(Body):
    """Which order."""

    payment_order_id: str


class OrdersQuery(Body):
    """Which orders, and which part of the list."""

    account_id: Id | None = None
    invoice_id: Id | None = None
    status: OrderStatus | None = None
    cursor: Cursor | None = Field(None, description="next_cursor of the answer before")
    limit: int = Field(50, ge=1, le=100)


class EventsQuery(Body):
    """Which events, and which part of the list."""

    payment_order_id: Id | None = None
    provider: Name | None = None
    status: EventStatus | None = None
    cursor: Cursor | None = Field(None, description="next_cursor of the answer before")
    limit: int = Field(50, ge=1, le=100)


class OrderSummary(BaseModel):
    """An order, and what has become of it."""

    payment_order_id: UUID
    tenant_id: UUID
    account_id: UUID
    provider: Name
    purpose: Purpose
    invoice_id: UUID | None
    credits: int
    amount: Decimal
    currency: str
    description: str
    status: OrderStatus = Field(
        description="unknown: the provider has not said what it did; it is asked again by itself"
    )
    checkout_url: str | None = Field(description="where to pay, while that is possible")
    provider_order_id: str | None
    provider_payment_id: str | None
    refunded: Decimal
    charged_back: Decimal
    dispute: Dispute | None = Field(
        description="of several, one that is lost or open before those that were won"
    )
    advance: Decimal = Field(description="what could not be used, and is the account's")
    credits_owed: int = Field(description="bought, spent, and their money gone back")
    failure: str | None = Field(description="why the last attempt failed, as the provider calls it")
    finding: str | None = Field(description="what a person has to look at")
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None


class OrdersAnswer(BaseModel):
    """Orders, newest first."""

    items: list[OrderSummary]
    next_cursor: UUID | None


class RefundSummary(BaseModel):
    """A refund, and what has become of it."""

    refund_id: UUID
    payment_order_id: UUID
    amount: Decimal
    status: RefundState
    reason: str
    provider_refund_id: str | None
    created_at: datetime
    updated_at: datetime


class OrderAnswer(OrderSummary):
    """An order with its refunds."""

    refunds: list[RefundSummary]


class RefundAnswer(BaseModel):
    """A refund, and the order as it is with it."""

    refund: RefundSummary
    order: OrderSummary


class EventSummary(BaseModel):
    """What a provider has sent, and what came of it."""

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


class EventsAnswer(BaseModel):
    """Events, newest first."""

    items: list[EventSummary]
    next_cursor: UUID | None


class ReceiptAnswer(BaseModel):
    """That an event is stored."""

    event_id: UUID
    duplicate: bool = Field(description="it was stored before")
    processed: bool = Field(description="it has been worked off")
