"""An account's story: journal, usage, invoices and payments in one order, newest first."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text

from service.billing.acting import as_billing
from service.billing.money import rupees
from service.errors import cursor_invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from sqlalchemy import Connection, TextClause

    from service.billing.accounts import Account

Source = Literal["ledger", "usage", "invoices", "payments"]

#: What the journal's entries are called in a story.
ENTRY_EVENTS: Mapping[str, str] = {
    "grant": "credits_granted",
    "topup": "credits_granted",
    "adjustment": "credits_adjusted",
    "override": "credits_overridden",
    "reserve": "credit_reserved",
    "consume": "credit_consumed",
    "release": "credit_released",
    "expire": "credit_expired",
    "invoice_issue": "invoice_issued",
    "invoice_void": "invoice_voided",
    "payment": "payment_recorded",
    "credit_note": "adjustment_added",
    "refund": "payment_refunded",
    "chargeback": "payment_charged_back",
}


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One thing that happened; what does not apply is None.

    `credits` is by how much what is available changed; `amount` is money, in INR.
    """

    at: datetime
    source: Source
    event: str
    item_id: str
    credits: int | None
    amount: Decimal | None
    ref_type: str | None
    ref_id: str | None
    reason: str | None
    details: Mapping[str, Any]


# Each source gives its newest that are wanted; the whole is ordered once more. An item's id names
# its source, so that two things of one instant always stand in one order.
_BRANCHES: Mapping[str, str] = {
    "ledger": (
        "select at, 'ledger' as source, kind as event, 'ledger/' || entry_id as item_id,"
        " (postings ->> 'credits:available')::bigint as credits,"
        " (postings ->> 'inr:receivable')::bigint as amount,"
        " ref_type, ref_id, reason, jsonb_build_object('seq', seq, 'hold_id', hold_id,"
        " 'invoice_id', invoice_id, 'payment_order_id', payment_order_id) as details"
        " from journal_entries where tenant_id = :tenant and account_id = :account"
    ),
    "usage": (
        "select at, 'usage', event_type, 'usage/' || usage_event_id, null::bigint, null::bigint,"
        " null, null, null, payload || jsonb_build_object('source_system', source_system)"
        " from usage_events where tenant_id = :tenant and account_id = :account"
    ),
    "invoices": (
        "select created_at as at, 'invoices', 'invoice_created', 'invoices/' || invoice_id"
        " || '/created', null::bigint, total, 'invoice', invoice_id::text, null,"
        " jsonb_build_object('number', number, 'status', status) from service_invoices"
        " where tenant_id = :tenant and account_id = :account"
        " union all select updated_at, 'invoices', 'invoice_voided', 'invoices/' || invoice_id"
        " || '/voided', null, total, 'invoice', invoice_id::text, null, '{}'::jsonb"
        " from service_invoices where tenant_id = :tenant and account_id = :account"
        " and status = 'void' and issued_on is null"
        " union all select n.created_at, 'invoices', case n.kind when 'sent' then 'invoice_sent'"
        " when 'reminder' then 'invoice_reminded' else 'invoice_overdue' end,"
        " 'invoices/' || n.notice_id, null, i.due, 'invoice', i.invoice_id::text, null,"
        " jsonb_build_object('number', i.number) from invoice_notices n"
        " join service_invoices i on i.tenant_id = n.tenant_id and i.invoice_id = n.invoice_id"
        " where i.tenant_id = :tenant and i.account_id = :account"
    ),
    "payments": (
        "select created_at as at, 'payments', 'payment_checkout_created', 'payments/'"
        " || payment_order_id || '/created', null::bigint, amount, 'payment_order',"
        " payment_order_id::text, null, jsonb_build_object('provider', provider, 'purpose', purpose,"
        " 'status', status) from payment_orders where tenant_id = :tenant and account_id = :account"
        " union all select settled_at, 'payments', 'payment_settled', 'payments/'"
        " || payment_order_id || '/settled', null, amount, 'payment_order', payment_order_id::text,"
        " null, jsonb_build_object('provider', provider, 'purpose', purpose, 'credits', credits)"
        " from payment_orders where tenant_id = :tenant and account_id = :account"
        " and settled_at is not null"
        " union all select updated_at, 'payments', 'payment_updated', 'payments/'"
        " || payment_order_id || '/' || status, null, amount, 'payment_order',"
        " payment_order_id::text, failure, jsonb_build_object('status', status)"
        " from payment_orders where tenant_id = :tenant and account_id = :account"
        " and status not in ('pending', 'requires_action', 'paid')"
        " union all select r.created_at, 'payments', 'payment_refund_' || r.status, 'payments/'"
        " || r.refund_id, null, r.amount, 'payment_order', r.payment_order_id::text, r.reason,"
        " '{}'::jsonb from payment_refunds r join payment_orders o on o.tenant_id = r.tenant_id"
        " and o.payment_order_id = r.payment_order_id"
        " where o.tenant_id = :tenant and o.account_id = :account"
    ),
}


def _page(branch: str) -> str:
    return (
        f"(select * from ({branch}) as one (at, source, event, item_id, credits, amount, ref_type,"  # noqa: S608
        " ref_id, reason, details) where cast(:at as timestamptz) is null"
        ' or (at, item_id collate "C") < (:at, :id) order by at desc, item_id collate "C" desc'
        " limit :limit)"
    )


_STORIES: Mapping[str | None, TextClause] = {
    source: text(
        f"select * from ({' union all '.join(map(_page, branches))}) as whole"  # noqa: S608
        ' order by at desc, item_id collate "C" desc limit :limit'
    )
    for source, branches in (
        (None, tuple(_BRANCHES.values())),
        *((source, (branch,)) for source, branch in _BRANCHES.items()),
    )
}


def timeline_of(
    connection: Connection,
    account: Account,
    *,
    source: Source | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[TimelineItem], str | None]:
    """A page of an account's story, newest first.

    Args:
        connection: in a role that has seen the account; what its story holds is read as zen_billing.
        account: whose story it is.
        source: only what one of the four tells.
        cursor: what the page before gave; items are found by their place, so what happens meanwhile
            neither hides one nor shows one twice.
        limit: how many at most.

    Returns:
        The items, and the cursor of the next page if there are more.

    Raises:
        ServiceError: 400 CURSOR_INVALID.
    """
    at, item_id = (None, "") if cursor is None else _read_cursor(cursor)
    with as_billing(connection, account.tenant_id):
        rows = connection.execute(
            _STORIES[source],
            {
                "tenant": account.tenant_id,
                "account": account.account_id,
                "at": at,
                "id": item_id,
                "limit": limit + 1,
            },
        ).all()
    items = [
        TimelineItem(
            at=row.at,
            source=row.source,
            event=ENTRY_EVENTS[row.event] if row.source == "ledger" else row.event,
            item_id=row.item_id,
            credits=row.credits,
            amount=None if row.amount is None else rupees(row.amount),
            ref_type=row.ref_type,
            ref_id=row.ref_id,
            reason=row.reason,
            details={name: value for name, value in row.details.items() if value is not None},
        )
        for row in rows[:limit]
    ]
    return items, _cursor(items[-1]) if len(rows) > limit else None


def _cursor(item: TimelineItem) -> str:
    place = f"{item.at.astimezone(UTC).isoformat()} {item.item_id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_cursor(written: str) -> tuple[datetime, str]:
    try:
        place = base64.urlsafe_b64decode(written.encode("ascii")).decode("ascii")
        at, _, item_id = place.partition(" ")
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None or "\x00" in item_id:
            raise cursor_invalid()
    except (ValueError, binascii.Error):
        raise cursor_invalid() from None
    return instant, item_id
