"""Drafts: what is going to be invoiced. A draft has no number, owes nothing and may be changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service import clock
from service.billing.acting import as_billing
from service.billing.journal import check_same_request, lock_account, request_digest
from service.billing.money import paise, rupees
from service.billing.usage import record_usage
from service.errors import conflict, invalid, not_found, version_conflict
from service.identifiers import new_id
from service.invoices import records
from service.invoices.customers import customer_of
from service.invoices.gst import check_rate
from service.invoices.issuers import current_issuer
from service.invoices.periods import indian_day
from service.invoices.prices import price_of_report
from service.invoices.records import Invoice, invoice_of_work_order
from service.invoices.telling import note_in_timeline, record_change
from service.invoices.totals import Item, price_lines, sum_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.invoices.issuers import Issuer

_MOST_LINES = 200
_WORK_ORDER = text(
    "select reference, report_type from work_orders"
    " where tenant_id = :tenant and work_order_id = :work_order"
)


def draft(
    connection: Connection,
    actor: Actor,
    account: Account,
    items: Sequence[Item],
    *,
    work_order_id: UUID | None = None,
    notes: str | None = None,
    key: str | None = None,
) -> Invoice:
    """Draft an invoice to an account; its taxes are provisional until it is issued.

    Args:
        connection: in the actor's role.
        actor: who drafts it: the studio, or the service when work is accepted.
        account: who is to pay.
        items: at least one line.
        work_order_id: of the account's firm, if the invoice is for its report.
        notes: printed below the lines.
        key: the same key with the same content gives the draft that was made under it.

    Raises:
        ServiceError: 400 ITEMS_MISSING, INVOICE_TOO_LARGE, TAX_RATE_UNKNOWN; 404, the work order
            is not there; 409 WORK_ORDER_INVOICED, it has another invoice that stands;
            409 IDEMPOTENCY_KEY_REUSED.
    """
    tenant = account.tenant_id
    digest = request_digest(
        "invoice_draft",
        account=account.account_id,
        work_order=work_order_id,
        notes=notes,
        items=[_content(item) for item in items],
    )
    _check_items(items)
    issuer = current_issuer(connection)
    with as_billing(connection, tenant):
        # Two drafts of one work order, or under one key, come one after the other.
        lock_account(connection, tenant, account.account_id)
        if key is not None and (known := records.drafted_under(connection, tenant, key)):
            check_same_request(key, known.draft_sha256 or "", digest)
            return known
    if work_order_id is not None:
        _check_work_order(connection, tenant, work_order_id)
    lines = price_lines(items, is_within_state=_is_within_state(account, issuer))
    totals, now = sum_of(lines), clock.now()
    made = Invoice(
        tenant_id=tenant,
        invoice_id=new_id(),
        account_id=account.account_id,
        work_order_id=work_order_id,
        number=None,
        issuer_gstin=None,
        financial_year=None,
        status="draft",
        currency=account.currency,
        place_of_supply=None,
        parties=None,
        issued_on=None,
        due_on=None,
        sent_at=None,
        notes=notes,
        **totals.in_rupees(),
        credited=rupees(0),
        paid=rupees(0),
        due=rupees(totals.total),
        draft_key=key,
        draft_sha256=digest,
        issue_key=None,
        void_reason=None,
        voided_at=None,
        version=1,
        created_by=actor.user_id,
        created_at=now,
        updated_at=now,
    )
    with as_billing(connection, tenant):
        if not records.insert(connection, made):
            raise _invoiced("Another one was drafted at this moment.")
        records.write_lines(connection, tenant, made.invoice_id, lines)
    told = {"items": [_content(item) for item in items]}
    record_change(connection, actor, None, made, "created", more=told)
    note_in_timeline(connection, actor, account, "invoice_created", made, "")
    return made


def draft_for_work_order(
    connection: Connection,
    actor: Actor,
    account: Account,
    work_order_id: UUID,
    *,
    key: str,
    notes: str | None = None,
) -> Invoice | None:
    """The invoice of a work order's report, drafted at the price in force unless it is there.

    Args:
        connection: in the actor's role, the work order locked.
        actor: of the firm whose work order it is.
        account: who is to pay.
        work_order_id: the work order.
        key: names the draft, and the note that there is no price.
        notes: printed below the line of a draft that is made now.

    Returns:
        The draft, or the invoice that the work order has already; None if no price is in force,
        which is noted as a usage event `billing_price_missing`.

    Raises:
        ServiceError: 404.
    """
    there = invoice_of_work_order(connection, account.tenant_id, work_order_id)
    if there is not None:
        return there
    order = connection.execute(
        _WORK_ORDER, {"tenant": account.tenant_id, "work_order": work_order_id}
    ).one_or_none()
    if order is None:
        raise not_found()
    price = price_of_report(connection, order.report_type, external_key=account.external_key)
    if price is None:
        record_usage(
            connection,
            actor,
            account,
            "billing_price_missing",
            key=f"{key}:price_missing",
            payload={"work_order_id": str(work_order_id), "report_type": order.report_type},
        )
        return None
    item = Item(
        description=f"{price.description} - {order.reference}",
        sac=price.sac,
        quantity=Decimal(1),
        unit_price=paise(price.unit_price),
        tax_rate=price.tax_rate,
    )
    return draft(
        connection, actor, account, (item,), work_order_id=work_order_id, notes=notes, key=key
    )


def change_draft(
    connection: Connection,
    actor: Actor,
    account: Account,
    invoice_id: UUID,
    *,
    items: Sequence[Item] | None = None,
    notes: str | None = None,
    changes_notes: bool = False,
    wanted_version: int | None = None,
) -> Invoice:
    """Put other lines or notes into a draft.

    Args:
        connection: in the actor's role.
        actor: of the studio.
        account: the draft's.
        invoice_id: the draft.
        items: all lines anew, or None for those that are there.
        notes: what is printed below them.
        changes_notes: whether `notes` is meant.
        wanted_version: what If-Match named.

    Raises:
        ServiceError: 404; 412 VERSION_CONFLICT; 409 INVOICE_NOT_DRAFT; as for `draft`.
    """
    tenant = account.tenant_id
    if items is not None:
        _check_items(items)
    issuer = current_issuer(connection)
    with as_billing(connection, tenant):
        lock_account(connection, tenant, account.account_id)
        before = records.lock(connection, account, invoice_id)
        if wanted_version is not None and wanted_version != before.version:
            raise version_conflict(wanted_version, before.version)
        if before.status != "draft":
            raise conflict(
                "INVOICE_NOT_DRAFT",
                "Only a draft can be changed",
                f"The invoice is {before.status.upper()}. Credit it, or void it and draft another.",
            )
        changes: dict[str, Any] = {"notes": notes} if changes_notes else {}
        if items is not None:
            lines = price_lines(items, is_within_state=_is_within_state(account, issuer))
            records.write_lines(connection, tenant, invoice_id, lines)
            changes |= sum_of(lines).in_rupees()
        after = records.save(connection, before, **changes)
    content = {} if items is None else {"items": [_content(item) for item in items]}
    record_change(connection, actor, before, after, "edited", more=content)
    return after


def _is_within_state(account: Account, issuer: Issuer | None) -> bool:
    """Whether a draft is reckoned with central and State tax; with nobody to issue it, it is not."""
    return issuer is not None and customer_of(account).is_within_state(issuer.state_code)


def _check_items(items: Sequence[Item]) -> None:
    if not items:
        raise invalid("ITEMS_MISSING", "An invoice has at least one line")
    if len(items) > _MOST_LINES:
        raise invalid("ITEMS_TOO_MANY", f"An invoice has at most {_MOST_LINES} lines")
    today = indian_day(clock.now())
    for number, item in enumerate(items, 1):
        check_rate(item.tax_rate, today, where=f"Line {number}: ")


def _check_work_order(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> None:
    values = {"tenant": tenant_id, "work_order": work_order_id}
    if connection.execute(_WORK_ORDER, values).one_or_none() is None:
        raise not_found()
    there = invoice_of_work_order(connection, tenant_id, work_order_id)
    if there is not None:
        raise _invoiced(
            f"It is {there.status.upper()}. Change it while it is a draft, or void it first.",
            invoice_id=str(there.invoice_id),
        )


def _invoiced(detail: str, **extra: Any) -> Exception:
    return conflict("WORK_ORDER_INVOICED", "The work order has an invoice", detail, **extra)


def _content(item: Item) -> dict[str, Any]:
    return dataclasses.asdict(item) | {"unit_price": rupees(item.unit_price)}
