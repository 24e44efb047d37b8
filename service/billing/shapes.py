"""What clients send about accounts and credits, and what they are told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.billing.accounts import AccountType, Mode, Status, Supply
from service.billing.credits import LARGEST_AMOUNT, HoldStatus
from service.billing.timeline import Source
from service.people.shapes import Email, InvitationAnswer, Name, Slug, Tenant

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
OperationKey = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RefType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,60}$")]
RefId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Amount = Annotated[int, Field(ge=1, le=LARGEST_AMOUNT)]
Minutes = Annotated[int, Field(ge=5, le=525_600)]
StateCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
Gstin = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$")
]
IdText = Annotated[str, StringConstraints(max_length=100)]
Cursor = Annotated[str, StringConstraints(max_length=400)]


class _Sent(BaseModel):
    """What a client sends: no field that is not known here."""

    model_config = ConfigDict(extra="forbid")


# --- What is sent


class AccountPath(_Sent):
    """Which account."""

    account_id: str


class FirmPath(_Sent):
    """Which firm."""

    tenant_id: str


class OwnQuery(_Sent):
    """Which of the firm's accounts; its own, or the person's, unless one is named."""

    account_id: IdText | None = None


class PageOf(OwnQuery):
    """Which part of a list of an account."""

    limit: int = Field(50, ge=1, le=100)
    cursor: Cursor | None = Field(None, description="next_cursor of the page before")


class HoldsQuery(PageOf):
    """Which holds."""

    status: HoldStatus | None = None


class TimelineQuery(PageOf):
    """Which part of an account's story; by its key for the older system alone."""

    source: Source | None = None
    external_key: Annotated[str, StringConstraints(max_length=500)] | None = None


class AccountsQuery(_Sent):
    """Which accounts."""

    search: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="a part of the name or the key"
    )
    tenant_id: IdText | None = None
    limit: int = Field(50, ge=1, le=100)
    cursor: Cursor | None = None


class OneAccountQuery(_Sent):
    """Which account, and which part of its list."""

    account_id: IdText
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class ReservationsQuery(_Sent):
    """Whose holds: an account's, or a firm's."""

    account_id: IdText | None = None
    tenant_id: IdText | None = None
    status: HoldStatus | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class StoryQuery(OneAccountQuery):
    """Whose story, which source, which part."""

    source: Source | None = None


class BalanceQuery(_Sent):
    """At which time; now unless one is given."""

    at: datetime | None = None


class BillTo(_Sent):
    """How invoices address an account."""

    name: Text
    address: tuple[Text, ...] = ()
    gstin: Gstin | None = None
    state_code: StateCode | None = None
    email: Email | None = None
    supply: Supply = Field(
        "regular",
        description="`sez` for a unit or developer of a special economic zone: integrated tax in any"
        " State; `overseas` for a customer abroad, who is not invoiced here",
    )


class NewAccount(_Sent):
    """An account of the firm that X-Zenops-Tenant or tenant_id names."""

    tenant_id: IdText | None = None
    external_key: Annotated[str, StringConstraints(max_length=400)]
    display_name: Text
    account_type: AccountType = "tenant"
    owner_user_id: UUID | None = None
    payment_terms_days: int | None = Field(None, ge=0, le=365)
    bill_to: BillTo | None = None
    state_code: StateCode | None = None
    gstin: Gstin | None = None


class AccountStatusChange(_Sent):
    """An account is suspended, taken back, or called and addressed otherwise."""

    status: Status | None = None
    display_name: Text | None = None
    bill_to: BillTo | None = None
    state_code: StateCode | None = None
    gstin: Gstin | None = None
    reason: Reason | None = None


class PolicyChange(_Sent):
    """How an account pays; what is not given stays."""

    billing_mode: Mode | None = None
    payment_terms_days: int | None = Field(None, ge=0, le=365)
    is_enabled: bool | None = None
    force_enable_credit: bool = Field(
        False, description="switch to CREDIT although there are no credits"
    )
    reason: Reason | None = None


class CreditGrant(_Sent):
    """Credits are given; an adjustment may take them away."""

    amount: int = Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)
    kind: Literal["grant", "topup", "adjustment"] = "grant"
    idempotency_key: OperationKey
    reason: Reason | None = None
    dry_run: bool = False


class CreditReserve(_Sent):
    """Credits are set aside for a piece of work."""

    account_id: IdText
    amount: Amount = 1
    ref_type: RefType
    ref_id: RefId
    idempotency_key: OperationKey
    timeout_minutes: Minutes | None = Field(
        None, description="free them after so long if nobody says more"
    )
    operator_override: bool = Field(False, description="give what lacks; needs override_reason")
    override_reason: Reason | None = None
    dry_run: bool = False


class HoldNamed(BaseModel):
    """A hold, by its id or by the work it is for."""

    reservation_id: IdText | None = None
    ref_type: RefType | None = None
    ref_id: RefId | None = None


class _Ending(_Sent, HoldNamed):
    """Which hold of an account ends."""

    account_id: IdText
    idempotency_key: OperationKey
    dry_run: bool = False


class CreditConsume(_Ending):
    """A hold is used, whole or in part."""

    amount: Amount | None = Field(None, description="the whole hold unless given")


class CreditRelease(_Ending):
    """A hold is freed."""

    reason: Reason = "released by an operator"


class Onboarding(_Sent):
    """A firm is founded with its account, and whoever is to run it is invited."""

    name: Name
    slug: Slug | None = Field(None, description="made from the name unless given")
    owner_email: Email
    bill_to: BillTo | None = None
    state_code: StateCode | None = None
    gstin: Gstin | None = None


# --- What is answered


class Credit(BaseModel):
    """An account's credits."""

    wallet: int = Field(description="all of them")
    reserved: int = Field(description="set aside for work under way")
    available: int = Field(description="wallet less reserved")


class AccountAnswer(BaseModel):
    """An account with its policy and its credits."""

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
    owner_user_id: UUID | None
    bill_to: BillTo | None
    state_code: str | None
    gstin: str | None
    version: int
    credit: Credit


class OwnAccountAnswer(BaseModel):
    """The account that the caller's work is billed to.

    A firm that was never billed has none yet (null): it will be POSTPAID.
    """

    account: AccountAnswer | None
    billing_mode: Mode


class AccountsAnswer(BaseModel):
    """A page of accounts."""

    items: list[AccountAnswer]
    next_cursor: str | None


class CreditSummary(BaseModel):
    """The credits of all of the accounts that the caller sees."""

    wallet: int
    reserved: int
    available: int
    account_count: int
    primary_account_id: UUID | None


class HoldAnswer(BaseModel):
    """Credits that are set aside for a piece of work, or were."""

    reservation_id: UUID
    account_id: UUID
    ref_type: str
    ref_id: str
    work_order_id: UUID | None
    amount: int
    consumed: int
    status: HoldStatus
    reason: str | None
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


class HoldsAnswer(BaseModel):
    """A page of holds, newest first."""

    items: list[HoldAnswer]
    next_cursor: str | None


class CreditAnswer(BaseModel):
    """What an operation has left the account with: the same under the same key, for ever.

    A dry run has no entry.
    """

    account_id: UUID
    credit: Credit
    reservation: HoldAnswer | None
    entry_id: UUID | None
    dry_run: bool = False


class EntryAnswer(BaseModel):
    """One entry of the journal."""

    entry_id: UUID
    seq: int
    kind: str
    idempotency_key: str
    at: datetime
    postings: dict[str, int] = Field(description="ledger -> whole credits, or paise")
    reservation_id: UUID | None
    invoice_id: UUID | None
    payment_order_id: UUID | None
    ref_type: str | None
    ref_id: str | None
    reason: str | None
    hash: str


class JournalAnswer(BaseModel):
    """A page of the journal, newest first."""

    items: list[EntryAnswer]
    next_cursor: str | None


class TimelineItemAnswer(BaseModel):
    """One thing that happened to an account."""

    at: datetime
    source: Source
    event: str
    item_id: str
    credits: int | None = Field(description="by how much what is available changed")
    amount: Decimal | None = Field(description="in INR")
    ref_type: str | None
    ref_id: str | None
    reason: str | None
    details: dict[str, Any]


class TimelineAnswer(BaseModel):
    """A page of an account's story, newest first."""

    items: list[TimelineItemAnswer]
    next_cursor: str | None


class BalanceAnswer(BaseModel):
    """What an account had at a time."""

    at: datetime
    credit: Credit
    receivable: Decimal = Field(description="what it owed, in INR")


class JournalProblemAnswer(BaseModel):
    """One thing in a journal that cannot be as it was written."""

    seq: int
    what: str


class JournalCheckAnswer(BaseModel):
    """Whether an account's journal is as it was written."""

    is_intact: bool
    entries: int
    head: str
    problems: list[JournalProblemAnswer]


class OnboardingAnswer(BaseModel):
    """The firm, its account, and the invitation of whoever is to run it."""

    tenant: Tenant
    account: AccountAnswer
    invitation: InvitationAnswer
