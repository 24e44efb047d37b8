"""What is said to the account about an invoice: it was sent, it is reminded of, it is overdue.

Nothing is mailed: the notices are the record that somebody, or something, has said so, once for
each key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service import clock
from service.billing.acting import as_billing
from service.billing.journal import key_reused, lock_account
from service.errors import conflict
from service.identifiers import new_id
from service.invoices import records
from service.invoices.records import Invoice, Notice, NoticeKind
from service.invoices.telling import note_in_timeline, record_change
from service.invoices.totals import OPEN

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account

_DONE = {"sent": "sent", "reminder": "reminder_sent", "overdue": "overdue"}
_EVENTS = {"sent": "invoice_sent", "reminder": "invoice_reminded", "overdue": "invoice_overdue"}


def notify(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    kind: NoticeKind,
    *,
    key: str,
) -> Invoice:
    """Write down that the account was told of an invoice; the same key again changes nothing.

    Args:
        connection: in the actor's role.
        actor: who told.
        account: the invoice's.
        invoice_id: one that is issued and not settled.
        kind: what was told; by the first `sent` an issued invoice becomes a sent one.
        key: names the notice for ever in its firm.

    Raises:
        ServiceError: 404; 409 INVOICE_NOT_OPEN, IDEMPOTENCY_KEY_REUSED.
    """
    tenant = account.tenant_id
    now = clock.now()
    notice = Notice(tenant, new_id(), invoice_id, kind, key, actor.user_id, now)
    with as_billing(connection, tenant):
        lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        known = records.notice_under(connection, tenant, key)
        if known is not None and (known.invoice_id, known.kind) == (invoice_id, kind):
            return before
        if before.status not in OPEN:
            raise conflict(
                "INVOICE_NOT_OPEN",
                "There is nothing to be told of this invoice",
                f"It is {before.status.upper()}; only one that is issued and not settled is sent "
                "and reminded of.",
            )
        if known is not None or not records.insert_notice(connection, notice):
            raise key_reused(key)
        after = before
        if kind == "sent" and before.sent_at is None:
            after = records.save(connection, before, sent_at=now)
    record_change(connection, actor, before, after, _DONE[kind])
    note_in_timeline(connection, actor, account, _EVENTS[kind], after, str(notice.notice_id))
    return after
