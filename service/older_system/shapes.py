"""What the older system sends and is told. What it sends besides is not looked at.

Its programs are not changed together with ours, so a field that only it knows is no error here, and
a field that only we know is none there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.billing.accounts import AccountType, Mode, Status
from service.billing.credits import LARGEST_KEY, HoldStatus
from service.billing.reconciling_holds import TIMEOUT_MINUTES
from service.billing.shapes import Amount, Credit, HoldAnswer, HoldNamed, Minutes, RefId, RefType

Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ExternalKey = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=LARGEST_KEY)]
EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,99}$")]


class Sent(BaseModel):
    """What the older system sends."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class OlderAccountPath(Sent):
    """An account."""

    account_id: str


class AccountNamed(Sent):
    """An account, by its id or by the key that both systems know it by."""

    account_id: Id | None = None
    external_key: ExternalKey | None = None


class CreditsQuery(AccountNamed):
    """An account's credits, and which part of the list."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[
        str | None,
        StringConstraints(max_length=400),
        Field(description="next_cursor of the answer before"),
    ] = None


class OlderReservationsQuery(CreditsQuery):
    """Which reservations."""

    status: HoldStatus | None = None


class Reserving(AccountNamed):
    """Credits to set aside. `operator_override` gives what lacks, as an entry of its own."""

    amount: Amount = 1
    ref_type: RefType
    ref_id: RefId
    idempotency_key: Key | None = None
    timeout_minutes: Annotated[
        Minutes | None,
        Field(description="after so long the reservation may be released; else by reconciliation"),
    ] = None
    operator_override: bool = False
    override_reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None


class EndingReservation(AccountNamed, HoldNamed):
    """The end of a reservation, named by its id or by its work."""

    idempotency_key: Key | None = None


class Consuming(EndingReservation):
    """A reservation whose work is delivered; all of it unless an amount is given."""

    amount: Amount | None = None


class Releasing(EndingReservation):
    """A reservation whose work is not going to be."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None


class OlderEvent(AccountNamed):
    """Something that happened in the older system."""

    source_system: Literal["v1"] = "v1"
    event_type: EventType
    external_account_key: ExternalKey | None = None
    idempotency_key: Key | None = None
    payload: dict[str, Any] = {}


class RoundOrder(Sent):
    """The hourly round: how many subscriptions, and after which."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class ReconcileOrder(Sent):
    """Which reservations are compared with their work."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    timeout_minutes: Annotated[
        Minutes, Field(description="for reservations that were given no time of their own")
    ] = TIMEOUT_MINUTES
    ref_type: RefType | None = None
    account_id: Id | None = None
    external_key: ExternalKey | None = None
    tenant_id: Id | None = None
    dry_run: bool = False
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


class AccountStatus(BaseModel):
    """How an account stands; reading it writes nothing."""

    account_id: UUID
    tenant_id: UUID
    account_type: AccountType
    external_key: str
    display_name: str
    account_status: Status
    billing_mode: Mode
    payment_terms_days: int
    credit_cost_model: str
    currency: str
    is_enabled: bool
    credit: Credit


class Reservation(HoldAnswer):
    """Credits that are or were set aside, by both of the names that the older system has for an id."""

    id: UUID


class OlderCreditAnswer(BaseModel):
    """What an operation has left; `idempotent` if its key was known."""

    account_id: UUID
    external_key: str
    idempotent: bool
    credit: Credit
    reservation: Reservation | None


class OlderEventAnswer(BaseModel):
    """Where an event was filed; unmatched ones belong to no firm."""

    id: UUID
    duplicate: bool
    matched: bool
    account_id: UUID | None


class ReservationsAnswer(BaseModel):
    """Reservations, newest first."""

    items: list[Reservation]
    next_cursor: str | None


class LedgerRow(BaseModel):
    """A movement of credits as the older system knows them: what was given or used, or set aside."""

    id: UUID
    seq: int
    delta: int
    reason: str
    ref_type: str | None
    ref_id: str | None
    idempotency_key: str
    reservation_id: UUID | None
    created_at: datetime


class LedgerAnswer(BaseModel):
    """Movements, newest first."""

    items: list[LedgerRow]
    next_cursor: str | None


class ReconcileError(BaseModel):
    """A reservation that could not be settled; the next round tries again."""

    reservation_id: UUID
    code: str
    detail: str


class ReconcileAnswer(BaseModel):
    """What was found of the reservations, and done unless it was a dry run."""

    dry_run: bool
    scanned: int
    consumed: int
    released: int
    skipped: int
    errors: list[ReconcileError]
    next_cursor: str | None
