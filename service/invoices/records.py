"""Invoices in the database: rows in and out, money as rupees on this side and paise on the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, text

from service import clock
from service.billing.money import paise, rupees
from service.errors import not_found
from service.invoices.periods import indian_day
from service.invoices.totals import OPEN, Line, Status, Totals, status_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, TextClause

    from service.billing.accounts import Account

SettlementKind = Literal["payment", "credit_note", "refund", "chargeback"]
#: How money came or went; those of the providers are entered by themselves.
Mode = Literal[
    "cash", "cheque", "bank_transfer", "upi", "card", "stripe", "razorpay", "advance", "other"
]
NoticeKind = Literal["sent", "reminder", "overdue"]


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice; its columns, money in rupees."""

    tenant_id: UUID
    invoice_id: UUID
    account_id: UUID
    work_order_id: UUID | None
    number: str | None
    issuer_gstin: str | None
    financial_year: str | None
    status: Status
    currency: str
    place_of_supply: str | None
    parties: str | None
    issued_on: date | None
    due_on: date | None
    sent_at: datetime | None
    notes: str | None
    subtotal: Decimal
    cgst: Decimal
    sgst: Decimal
    igst: Decimal
    total: Decimal
    credited: Decimal
    paid: Decimal
    due: Decimal
    draft_key: str | None
    draft_sha256: str | None
    issue_key: str | None
    void_reason: str | None
    voided_at: datetime | None
    version: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_paid(self) -> bool:
        """Whether nothing is left to pay."""
        return self.status == "paid"

    @property
    def is_overdue(self) -> bool:
        """Whether it is issued, not settled, and its day has passed in India."""
        return (
            self.status in OPEN
            and self.due_on is not None
            and self.due_on < indian_day(clock.now())
        )

    @property
    def totals(self) -> Totals:
        """Its totals in paise."""
        return Totals(paise(self.subtotal), paise(self.cgst), paise(self.sgst), paise(self.igst))


@dataclass(frozen=True, slots=True)
class Settlement:
    """Money that came in or went back, or a credit note; its columns, money in rupees."""

    tenant_id: UUID
    settlement_id: UUID
    invoice_id: UUID
    kind: SettlementKind
    number: str | None
    issuer_gstin: str | None
    financial_year: str | None
    subtotal: Decimal
    cgst: Decimal
    sgst: Decimal
    igst: Decimal
    amount: Decimal
    mode: str
    reference: str | None
    notes: str | None
    reverses: UUID | None
    payment_order_id: UUID | None
    operation_key: str
    received_on: date
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at an invoice; its columns."""

    tenant_id: UUID
    attachment_id: UUID
    invoice_id: UUID
    kind: Literal["invoice_document", "payment_proof", "other"]
    filename: str
    object_key: str
    media_type: str
    size: int
    sha256: str
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was said to the account; its columns."""

    tenant_id: UUID
    notice_id: UUID
    invoice_id: UUID
    kind: NoticeKind
    operation_key: str
    created_by: UUID | None
    created_at: datetime


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _insert(table: str, kind: type) -> TextClause:
    names = _names(kind)
    return text(
        f"insert into {table} ({', '.join(names)})"  # noqa: S608 - names of our own
        f" values ({', '.join(f':{name}' for name in names)})"
    )


_MONEY = frozenset(
    {"subtotal", "cgst", "sgst", "igst", "total", "credited", "paid", "due", "amount"}
)
_INVOICE = f"select {', '.join(_names(Invoice))} from service_invoices"  # noqa: S608
_FIND = text(
    f"{_INVOICE} where invoice_id = :invoice"
    " and (cast(:tenant as uuid) is null or tenant_id = :tenant)"
)
_LOCK = text(
    f"{_INVOICE} where tenant_id = :tenant and invoice_id = :invoice and account_id = :account"
    " for update"
)
_OF_WORK_ORDER = text(
    f"{_INVOICE} where tenant_id = :tenant and work_order_id = :work_order and status <> 'void'"
    " and (credited < total or total = 0)"
)
_BY_DRAFT_KEY = text(f"{_INVOICE} where tenant_id = :tenant and draft_key = :key")
_SEARCH = text(
    f"{_INVOICE} where (cast(:tenant as uuid) is null or tenant_id = :tenant)"
    " and (cast(:account as uuid) is null or account_id = :account)"
    " and (cast(:work_order as uuid) is null or work_order_id = :work_order)"
    " and (cast(:status as text) is null or status = :status)"
    " and (cast(:overdue as boolean) is null"
    " or :overdue = (status in :open and due_on < :today))"
    " and (cast(:after as uuid) is null or invoice_id < :after)"
    " order by invoice_id desc limit :limit"
).bindparams(bindparam("open", expanding=True))
_INSERT_INVOICE = text(_insert("service_invoices", Invoice).text + " on conflict do nothing")
_FIXED = {"tenant_id", "invoice_id", "account_id", "work_order_id", "created_by", "created_at"}
_SAVE = text(
    "update service_invoices set "  # noqa: S608 - names of our own
    + ", ".join(f"{name} = :{name}" for name in _names(Invoice) if name not in _FIXED)
    + " where tenant_id = :tenant_id and invoice_id = :invoice_id"
)
_LINES = text(
    f"select {', '.join(_names(Line))} from service_invoice_items"  # noqa: S608
    " where tenant_id = :tenant and invoice_id = :invoice order by line"
)
_DELETE_LINES = text(
    "delete from service_invoice_items where tenant_id = :tenant and invoice_id = :invoice"
)
_INSERT_LINE = text(
    f"insert into service_invoice_items (tenant_id, invoice_id, {', '.join(_names(Line))})"  # noqa: S608
    f" values (:tenant, :invoice, {', '.join(f':{name}' for name in _names(Line))})"
)
_SETTLEMENT = f"select {', '.join(_names(Settlement))} from invoice_settlements"  # noqa: S608
_SETTLEMENTS = text(
    f"{_SETTLEMENT} where tenant_id = :tenant and invoice_id = :invoice order by settlement_id"
)
_SETTLEMENT_BY_ID = text(f"{_SETTLEMENT} where tenant_id = :tenant and settlement_id = :settlement")
_SETTLEMENT_OF_ORDER = text(
    f"{_SETTLEMENT} where tenant_id = :tenant and payment_order_id = :payment_order"
    " and kind = 'payment' order by settlement_id limit 1"
)
_REVERSED = text(
    "select coalesce(sum(amount), 0)::bigint from invoice_settlements"
    " where tenant_id = :tenant and invoice_id = :invoice and reverses = :settlement"
)
_INSERT_SETTLEMENT = text(
    _insert("invoice_settlements", Settlement).text
    + " on conflict (tenant_id, operation_key) do nothing"
)
_ATTACHMENTS = text(
    f"select {', '.join(_names(Attachment))} from invoice_attachments"  # noqa: S608
    " where tenant_id = :tenant and invoice_id = :invoice order by attachment_id"
)
_INSERT_ATTACHMENT = _insert("invoice_attachments", Attachment)
_NOTICES = text(
    f"select {', '.join(_names(Notice))} from invoice_notices"  # noqa: S608
    " where tenant_id = :tenant and invoice_id = :invoice order by notice_id"
)
_NOTICE_BY_KEY = text(
    f"select {', '.join(_names(Notice))} from invoice_notices"  # noqa: S608
    " where tenant_id = :tenant and operation_key = :key"
)
_INSERT_NOTICE = text(
    _insert("invoice_notices", Notice).text + " on conflict (tenant_id, operation_key) do nothing"
)


def find(connection: Connection, tenant_id: UUID | None, invoice_id: UUID) -> Invoice:
    """An invoice that the role of the connection sees; of whatever firm if none is named.

    Raises:
        ServiceError: 404.
    """
    return _one(connection, _FIND, tenant=tenant_id, invoice=invoice_id)


def lock(connection: Connection, account: Account, invoice_id: UUID) -> Invoice:
    """An account's invoice, which nobody else changes until the transaction ends.

    The account's own lock comes before it.

    Raises:
        ServiceError: 404, the account has no such invoice.
    """
    return _one(
        connection,
        _LOCK,
        tenant=account.tenant_id,
        invoice=invoice_id,
        account=account.account_id,
    )


def _one(connection: Connection, statement: TextClause, **values: Any) -> Invoice:
    row = connection.execute(statement, values).one_or_none()
    if row is None:
        raise not_found()
    return _invoice(row)


def invoice_of_work_order(
    connection: Connection, tenant_id: UUID, work_order_id: UUID
) -> Invoice | None:
    """The invoice of a work order that stands, if there is one; at most one can.

    One that is void, or was credited as a whole, does not: it is settled, and nobody has paid it.
    """
    row = connection.execute(
        _OF_WORK_ORDER, {"tenant": tenant_id, "work_order": work_order_id}
    ).one_or_none()
    return None if row is None else _invoice(row)


def drafted_under(connection: Connection, tenant_id: UUID, key: str) -> Invoice | None:
    """The invoice that was drafted under a key."""
    row = connection.execute(_BY_DRAFT_KEY, {"tenant": tenant_id, "key": key}).one_or_none()
    return None if row is None else _invoice(row)


def search(
    connection: Connection,
    tenant_id: UUID | None,
    *,
    account_id: UUID | None = None,
    work_order_id: UUID | None = None,
    status: str | None = None,
    is_overdue: bool | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Invoice]:
    """Invoices, newest first, of one firm or of all that the role sees."""
    rows = connection.execute(
        _SEARCH,
        {
            "tenant": tenant_id,
            "account": account_id,
            "work_order": work_order_id,
            "status": status,
            "overdue": is_overdue,
            "open": OPEN,
            "today": indian_day(clock.now()),
            "after": after,
            "limit": limit,
        },
    )
    return [_invoice(row) for row in rows]


def insert(connection: Connection, invoice: Invoice) -> bool:
    """Write a new invoice; False if its work order has one meanwhile, or its key."""
    values = _in_paise(dataclasses.asdict(invoice))
    return bool(connection.execute(_INSERT_INVOICE, values).rowcount)


def save(connection: Connection, before: Invoice, **changes: Any) -> Invoice:
    """Write a locked invoice as changed, one version further; due and status follow by themselves."""
    after = dataclasses.replace(
        before, **changes, version=before.version + 1, updated_at=clock.now()
    )
    due = after.total - after.credited - after.paid
    status = status_of(
        is_void=after.voided_at is not None,
        is_issued=after.number is not None,
        is_sent=after.sent_at is not None,
        settled=after.credited + after.paid,
        due=due,
    )
    after = dataclasses.replace(after, status=status, due=rupees(0) if status == "void" else due)
    connection.execute(_SAVE, _in_paise(dataclasses.asdict(after)))
    return after


def lines_of(connection: Connection, tenant_id: UUID, invoice_id: UUID) -> tuple[Line, ...]:
    """An invoice's lines in their order, money in paise."""
    rows = connection.execute(_LINES, {"tenant": tenant_id, "invoice": invoice_id})
    return tuple(Line(*row) for row in rows)


def write_lines(
    connection: Connection, tenant_id: UUID, invoice_id: UUID, lines: Sequence[Line]
) -> None:
    """Write an invoice's lines in place of those that are there."""
    connection.execute(_DELETE_LINES, {"tenant": tenant_id, "invoice": invoice_id})
    if lines:
        connection.execute(
            _INSERT_LINE,
            [
                {"tenant": tenant_id, "invoice": invoice_id, **dataclasses.asdict(line)}
                for line in lines
            ],
        )


def settlements_of(
    connection: Connection, tenant_id: UUID, invoice_id: UUID
) -> tuple[Settlement, ...]:
    """What came in for an invoice, went back, or was credited, in that order."""
    rows = connection.execute(_SETTLEMENTS, {"tenant": tenant_id, "invoice": invoice_id})
    return tuple(_settlement(row) for row in rows)


def find_settlement(
    connection: Connection,
    tenant_id: UUID,
    *,
    settlement_id: UUID | None = None,
    payment_order_id: UUID | None = None,
) -> Settlement | None:
    """A settlement by its id, or the payment that a payment order made on an invoice."""
    if settlement_id is not None:
        values: dict[str, Any] = {"tenant": tenant_id, "settlement": settlement_id}
        row = connection.execute(_SETTLEMENT_BY_ID, values).one_or_none()
    else:
        values = {"tenant": tenant_id, "payment_order": payment_order_id}
        row = connection.execute(_SETTLEMENT_OF_ORDER, values).one_or_none()
    return None if row is None else _settlement(row)


def reversed_of(connection: Connection, paid: Settlement) -> int:
    """How many paise of a payment have gone back."""
    found = connection.scalar(
        _REVERSED,
        {"tenant": paid.tenant_id, "invoice": paid.invoice_id, "settlement": paid.settlement_id},
    )
    assert isinstance(found, int)
    return found


def insert_settlement(connection: Connection, settlement: Settlement) -> bool:
    """Write a settlement; False if the firm has one under its key."""
    values = _in_paise(dataclasses.asdict(settlement))
    return bool(connection.execute(_INSERT_SETTLEMENT, values).rowcount)


def attachments_of(
    connection: Connection, tenant_id: UUID, invoice_id: UUID
) -> tuple[Attachment, ...]:
    """The files at an invoice, oldest first."""
    rows = connection.execute(_ATTACHMENTS, {"tenant": tenant_id, "invoice": invoice_id})
    return tuple(Attachment(*row) for row in rows)


def insert_attachment(connection: Connection, attachment: Attachment) -> None:
    """Write a file's row."""
    connection.execute(_INSERT_ATTACHMENT, dataclasses.asdict(attachment))


def notices_of(connection: Connection, tenant_id: UUID, invoice_id: UUID) -> tuple[Notice, ...]:
    """What was said of an invoice, oldest first."""
    rows = connection.execute(_NOTICES, {"tenant": tenant_id, "invoice": invoice_id})
    return tuple(Notice(*row) for row in rows)


def notice_under(connection: Connection, tenant_id: UUID, key: str) -> Notice | None:
    """The notice that was given under a key."""
    row = connection.execute(_NOTICE_BY_KEY, {"tenant": tenant_id, "key": key}).one_or_none()
    return None if row is None else Notice(*row)


def insert_notice(connection: Connection, notice: Notice) -> bool:
    """Write a notice; False if the firm has one under its key."""
    return bool(connection.execute(_INSERT_NOTICE, dataclasses.asdict(notice)).rowcount)


def _invoice(row: Row[Any]) -> Invoice:
    return Invoice(**_in_rupees(row._mapping))  # noqa: SLF001 - SQLAlchemy's public way


def _settlement(row: Row[Any]) -> Settlement:
    return Settlement(**_in_rupees(row._mapping))  # noqa: SLF001


def _in_rupees(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: rupees(value) if name in _MONEY else value for name, value in values.items()}


def _in_paise(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: paise(value) if name in _MONEY else value for name, value in values.items()}
