"""Reads accounts, holds and the journal as answers show them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlalchemy import text

from contracts.exact_json import read_json
from service.billing.accounts import Account
from service.billing.credits import CreditStatus, Hold
from service.billing.shapes import (
    AccountAnswer,
    BillTo,
    Credit,
    CreditAnswer,
    CreditSummary,
    EntryAnswer,
    HoldAnswer,
)
from service.identifiers import read_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

_ACCOUNTS = text(
    f"select {', '.join(f'a.{field.name}' for field in dataclasses.fields(Account))},"  # noqa: S608
    " w.wallet, w.reserved, w.available from billing_accounts a"
    " join credit_wallets w on w.tenant_id = a.tenant_id and w.account_id = a.account_id"
    " where (cast(:tenant as uuid) is null or a.tenant_id = :tenant)"
    " and (cast(:account as uuid) is null or a.account_id = :account)"
    " and (cast(:part as text) is null or position(lower(:part) in lower(a.display_name)) > 0"
    " or position(lower(:part) in lower(a.external_key)) > 0)"
    " and (cast(:below as uuid) is null or a.account_id < :below)"
    " order by a.account_id desc limit :limit"
)
_WORK_ORDER = text(
    "select work_order_id from work_orders where tenant_id = :tenant and work_order_id = :id"
)
_SUMMARY = text(
    "select coalesce(sum(wallet), 0)::bigint, coalesce(sum(reserved), 0)::bigint,"
    " coalesce(sum(available), 0)::bigint, count(*) from credit_wallets where tenant_id = :tenant"
)
_ENTRIES = text(
    "select entry_id, seq, kind, operation_key as idempotency_key, at, postings,"
    " hold_id as reservation_id, invoice_id, payment_order_id, ref_type, ref_id, reason, hash"
    " from journal_entries where tenant_id = :tenant and account_id = :account"
    " and (cast(:below as bigint) is null or seq < :below) order by seq desc limit :limit"
)


def work_order_named(connection: Connection, tenant_id: UUID, ref: tuple[str, str]) -> UUID | None:
    """The firm's work order that work is named by, if it is one: its hold lasts as long as it does."""
    found = read_id(ref[1]) if ref[0] == "work_order" else None
    if found is None:
        return None
    there: UUID | None = connection.scalar(_WORK_ORDER, {"tenant": tenant_id, "id": found})
    return there


def find_accounts(
    connection: Connection,
    *,
    tenant_id: UUID | None,
    account_id: UUID | None = None,
    part: str | None = None,
    below: UUID | None = None,
    limit: int = 1,
) -> list[AccountAnswer]:
    """Accounts with their credits, newest first.

    Args:
        connection: in a role that sees them.
        tenant_id: only this firm's; the studio may leave it out.
        account_id: only this one.
        part: only those with this in their name or key.
        below: only older ones than this account.
        limit: how many at most.
    """
    rows = connection.execute(
        _ACCOUNTS,
        {
            "tenant": tenant_id,
            "account": account_id,
            "part": part,
            "below": below,
            "limit": limit,
        },
    )
    return [_account(Account(*row[:-3]), Credit(**_credit(row[-3:]))) for row in rows]


def summary_of(connection: Connection, tenant_id: UUID, primary: UUID | None) -> CreditSummary:
    """The credits of all the accounts of a firm that the role sees."""
    row = connection.execute(_SUMMARY, {"tenant": tenant_id}).one()
    return CreditSummary(**_credit(row[:3]), account_count=row[3], primary_account_id=primary)


def journal_page(
    connection: Connection, tenant_id: UUID, account_id: UUID, *, below: int | None, limit: int
) -> list[EntryAnswer]:
    """Entries of an account, newest first, older than `below`."""
    rows = connection.execute(
        _ENTRIES,
        {"tenant": tenant_id, "account": account_id, "below": below, "limit": limit},
    )
    return [EntryAnswer.model_validate(dict(row)) for row in rows.mappings()]


def told_status(status: CreditStatus) -> CreditAnswer:
    """What an operation answers."""
    return CreditAnswer(
        account_id=status.account_id,
        credit=Credit.model_validate(status, from_attributes=True),
        reservation=None if status.hold is None else told_hold(status.hold),
        entry_id=status.entry_id,
        dry_run=status.entry_id is None,
    )


def told_hold(hold: Hold) -> HoldAnswer:
    """A hold as it is shown; its id is the original's reservation id."""
    values = dataclasses.asdict(hold)
    del values["tenant_id"]
    return HoldAnswer(reservation_id=values.pop("hold_id"), **values)


def _account(account: Account, credit: Credit) -> AccountAnswer:
    values = dataclasses.asdict(account)
    bill_to = read_json(values.pop("bill_to"), "billing_accounts.bill_to").value
    del values["created_at"], values["updated_at"]
    return AccountAnswer(
        account_status=values.pop("status"),
        bill_to=BillTo.model_validate(bill_to) if bill_to else None,
        credit=credit,
        **values,
    )


def _credit(row: Sequence[int]) -> dict[str, int]:
    return {"wallet": row[0], "reserved": row[1], "available": row[2]}
