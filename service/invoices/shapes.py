"""What the routes of invoices take and give; money in rupees, with two places."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.invoices.gst import gstin_problem
from service.invoices.records import Mode, NoticeKind, SettlementKind

Amount = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=2)]
Price = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
Quantity = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
TaxRate = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
#: Services accounting codes begin with 99.
Sac = Annotated[str, StringConstraints(pattern=r"^99[0-9]{2}([0-9]{2})?$")]
ItemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,60}$")]
ExternalKey = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Cursor = Annotated[str, StringConstraints(max_length=100)]
StatusName = Literal["DRAFT", "ISSUED", "SENT", "PARTIALLY_PAID", "PAID", "VOID"]
PaymentMode = Literal["cash", "cheque", "bank_transfer", "upi", "card", "advance", "other"]


class Body(BaseModel):
    """What is sent: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewItem(Body):
    """A line: so many of something, at a price before tax."""

    description: Line
    quantity: Quantity = Decimal(1)
    unit_price: Price
    tax_rate: TaxRate
    tax_code: Literal["GST"] = "GST"
    service_code: Sac = Field(description="the services accounting code (SAC)")
    order_index: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        None, description="where it stands; as sent unless given"
    )


class NewInvoice(Body):
    """A draft. Without items it is one line at the price in force for the work order's report."""

    account_id: UUID
    work_order_id: UUID | None = None
    items: tuple[NewItem, ...] = Field((), max_length=200)
    notes: Long | None = None


class InvoiceChange(Body):
    """What of a draft is to be otherwise; items are sent whole, notes may be null."""

    items: Annotated[tuple[NewItem, ...], Field(min_length=1, max_length=200)] | None = None
    notes: Long | None = None


class Issuing(Body):
    """When it is issued and due; today in India, and by the account's terms, unless given."""

    issue_date: date | None = None
    due_date: date | None = None


class Voiding(Body):
    """Why it is given up."""

    reason: Reason


class NewPayment(Body):
    """Money that came in."""

    amount: Amount
    mode: PaymentMode
    reference: Short | None = None
    notes: Long | None = None


class MarkPaid(Body):
    """Money that came in: all that is due unless an amount is given."""

    amount: Amount | None = None
    mode: PaymentMode = "bank_transfer"
    reference: Short | None = None
    notes: Long | None = None


class NewAdjustment(Body):
    """A credit note over a part of what is left, taxes included."""

    amount: Amount
    type: Literal["credit", "debit"] = "credit"
    reason: Reason


class InvoiceRefund(Body):
    """Money that went back: given by us, or taken by the payer's bank (a returned cheque)."""

    settlement_id: UUID
    amount: Amount
    kind: Literal["refund", "chargeback"] = "refund"
    mode: Mode | None = None
    reason: Reason


class InvoiceFilter(Body):
    """Which invoices, and how many at once."""

    account_id: UUID | None = None
    work_order_id: UUID | None = None
    status: StatusName | None = None
    overdue: bool | None = Field(None, description="issued, not settled, and past its day in India")
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Cursor | None = None


class InvoicePath(BaseModel):
    """Which invoice."""

    invoice_id: str


class AttachmentPath(BaseModel):
    """Which file of which invoice."""

    invoice_id: str
    attachment_id: str


class SettlementPath(BaseModel):
    """Which credit note of which invoice."""

    invoice_id: str
    settlement_id: str


class PricePath(BaseModel):
    """Which price."""

    price_id: str


class ProofForm(Body):
    """What is said of a file besides."""

    filename: Short | None = None
    kind: Literal["payment_proof", "other"] = "payment_proof"


class ItemAnswer(BaseModel):
    """A line with what it comes to."""

    order_index: int
    description: str
    service_code: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    line_total: Decimal
    cgst: Decimal
    sgst: Decimal
    igst: Decimal


class SettlementAnswer(BaseModel):
    """Money that came in or went back, or a credit note."""

    id: UUID
    kind: SettlementKind
    number: str | None
    amount: Decimal
    mode: str
    reference: str | None
    notes: str | None
    reverses: UUID | None
    received_on: date
    created_at: datetime


class AttachmentAnswer(BaseModel):
    """A file at an invoice."""

    id: UUID
    kind: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


class NoticeAnswer(BaseModel):
    """What was said to the account."""

    kind: NoticeKind
    created_at: datetime


class InvoiceSummary(BaseModel):
    """An invoice as lists have it."""

    id: UUID
    tenant_id: UUID
    account_id: UUID
    work_order_id: UUID | None
    invoice_number: str | None
    status: StatusName
    is_overdue: bool
    currency: str
    issue_date: date | None
    due_date: date | None
    sent_at: datetime | None
    subtotal: Decimal
    tax_total: Decimal
    total_amount: Decimal
    amount_credited: Decimal
    amount_paid: Decimal
    amount_due: Decimal
    version: int
    created_at: datetime
    updated_at: datetime


class InvoiceAnswer(InvoiceSummary):
    """An invoice with its lines and what settled it."""

    financial_year: str | None
    place_of_supply: str | None
    cgst: Decimal
    sgst: Decimal
    igst: Decimal
    issuer: dict[str, Any] | None
    bill_to: dict[str, Any] | None
    notes: str | None
    void_reason: str | None
    items: tuple[ItemAnswer, ...]
    settlements: tuple[SettlementAnswer, ...]
    attachments: tuple[AttachmentAnswer, ...]


class InvoiceList(BaseModel):
    """A page of invoices."""

    items: tuple[InvoiceSummary, ...]
    next_cursor: str | None


class BilledAccount(BaseModel):
    """Whom an invoice is to, as its account stands now."""

    account_id: UUID
    external_key: str
    display_name: str
    billing_mode: str
    payment_terms_days: int
    advance: Decimal = Field(description="paid beyond its invoices")


class InvoiceContext(BaseModel):
    """An invoice, its account, and what was said about it."""

    invoice: InvoiceAnswer
    account: BilledAccount
    notices: tuple[NoticeAnswer, ...]


class BankDetails(Body):
    """Where to pay."""

    account_name: Short | None = None
    account_number: Short | None = None
    ifsc: Annotated[str, StringConstraints(pattern=r"^[A-Z]{4}0[A-Z0-9]{6}$")] | None = None
    bank_name: Short | None = None
    upi: Short | None = None


class IssuerBody(Body):
    """Who issues invoices, as registered for GST."""

    legal_name: Short
    gstin: Annotated[str, StringConstraints(max_length=15)]
    address: Annotated[tuple[Short, ...], Field(min_length=1, max_length=6)]
    email: Short | None = None
    phone: Short | None = None
    website: Short | None = None
    bank: BankDetails | None = None

    @model_validator(mode="after")
    def _is_registered(self) -> Self:
        if problem := gstin_problem(self.gstin):
            raise ValueError(problem)
        return self


class IssuerAnswer(BaseModel):
    """Who issues invoices."""

    legal_name: str
    gstin: str
    state_code: str
    state: str
    details: dict[str, Any]


class NewPriceBody(Body):
    """A price from a day on, for all accounts or for one."""

    item: ItemName = Field(description="`report` for any report, `report_valuation` for one kind")
    description: Line
    service_code: Sac
    unit_price: Price
    tax_rate: TaxRate
    credits: Annotated[int, Field(ge=0, le=10_000)] = 1
    valid_from: date | None = None
    valid_until: date | None = None
    external_key: ExternalKey | None = Field(None, description="the account that it is for alone")


class PriceEnd(Body):
    """The last day on which a price holds."""

    valid_until: date


class PriceFilter(Body):
    """Which prices."""

    item: ItemName | None = None
    external_key: ExternalKey | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Cursor | None = None


class PriceAnswer(BaseModel):
    """A price."""

    id: UUID
    item: str
    description: str
    service_code: str
    unit_price: Decimal
    tax_rate: Decimal
    credits: int
    valid_from: date
    valid_until: date | None
    external_key: str | None


class PriceList(BaseModel):
    """A page of prices."""

    items: tuple[PriceAnswer, ...]
    next_cursor: str | None
