"""What the older system reads of an account's credits, in the words it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from service.older_system.shapes import LedgerRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.billing.accounts import Account

# There a row is what the wallet changed by, or how much was set aside or freed. An override is an
# adjustment, an expiry a release.
_LEDGER = text(
    "select entry_id, seq, kind, operation_key, ref_type, ref_id, hold_id, at,"
    " coalesce((postings ->> 'credits:available')::bigint, 0) as available,"
    " coalesce((postings ->> 'credits:held')::bigint, 0) as held from journal_entries"
    " where tenant_id = :tenant and account_id = :account"
    " and (postings ? 'credits:available' or postings ? 'credits:held')"
    " and (cast(:below as bigint) is null or seq < :below) order by seq desc limit :limit"
)
_REASONS = {"override": "adjustment", "expire": "release"}


def ledger_of(
    connection: Connection, account: Account, *, below: int | None, limit: int
) -> list[LedgerRow]:
    """An account's movements of credits, newest first.

    Args:
        connection: in a role that sees the account.
        account: whose they are.
        below: only those before this place in the journal.
        limit: how many at most.
    """
    rows = connection.execute(
        _LEDGER,
        {
            "tenant": account.tenant_id,
            "account": account.account_id,
            "below": below,
            "limit": limit,
        },
    )
    return [
        LedgerRow(
            id=row.entry_id,
            seq=row.seq,
            delta=abs(row.held)
            if row.kind in {"reserve", "release", "expire"}
            else row.available + row.held,
            reason=_REASONS.get(row.kind, row.kind),
            ref_type=row.ref_type,
            ref_id=row.ref_id,
            idempotency_key=row.operation_key,
            reservation_id=row.hold_id,
            created_at=row.at,
        )
        for row in rows
    ]
