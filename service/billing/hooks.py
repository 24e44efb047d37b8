"""What a work order's way means for its payment, in the transaction that moves it.

Accepted work has credits held for it or an invoice drafted; a report to be made has its invoice
issued, so that it can be paid; work that is given up frees what was held. What pays for a work
order is asked of `service.release.questioning`; releasing settles it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.billing.accounts import ensure_account_for, find_account
from service.billing.acting import as_billing
from service.billing.credits import active_hold, reserve
from service.billing.credits import release as free
from service.billing.usage import record_usage
from service.errors import ServiceError, conflict
from service.invoices.drafting import draft_for_work_order
from service.invoices.issuing import issue, void
from service.invoices.prices import price_of_report
from service.invoices.records import invoice_of_work_order
from service.release.questioning import means_of, work_ref
from service.release.records import deliverables_of
from service.workorders.records import find

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.invoices.prices import Price
    from service.invoices.records import Invoice
    from service.packs.records import Pack
    from service.release.questioning import Means
    from service.workorders.records import WorkOrder
    from service.workorders.transitions import Move

_HELD_BEFORE = text(
    "select count(*) from credit_holds where tenant_id = :tenant and work_order_id = :work_order"
)
_BILLED_BEFORE = text(
    "select count(*) from service_invoices where tenant_id = :tenant"
    " and work_order_id = :work_order"
)
_ENDED = frozenset({"RESERVATION_ALREADY_CONSUMED", "RESERVATION_ALREADY_RELEASED"})


def on_data_pending(connection: Connection, actor: Actor, move: Move) -> None:
    """The work is accepted: hold credits for it, or draft its invoice, unless that is there.

    Raises:
        ServiceError: 409 INSUFFICIENT_CREDITS or ACCOUNT_NOT_ACTIVE; the work order stays.
    """
    account = _provide(connection, actor, move.order)
    record_usage(
        connection,
        actor,
        account,
        "repogen_work_accepted",
        key=f"repogen_accept:{move.order.work_order_id}",
        payload={"work_order_id": str(move.order.work_order_id)},
    )


def on_ready(connection: Connection, actor: Actor, move: Move) -> None:
    """The report is to be made: issue its invoice, and write down that its use is planned."""
    order = move.order
    means = means_of(connection, order)
    account = means.account or ensure_account_for(connection, actor, order.requested_by)
    invoice = means.invoice
    if account.billing_mode == "POSTPAID" and not _is_provided(means):
        # There may be a price by now that there was not when the work was accepted.
        invoice = _draft(connection, actor, account, order)
    if invoice is not None and invoice.status == "draft":
        _issue(connection, actor, account, invoice)
    record_usage(
        connection,
        actor,
        account,
        "repogen_ready_for_render_planned",
        key=f"repogen_ready_for_render_planned:{order.work_order_id}",
        payload={"work_order_id": str(order.work_order_id)},
    )


def on_cancelled(connection: Connection, actor: Actor, move: Move) -> None:
    """The work is given up: free what is held, void what is not paid."""
    _give_up(connection, actor, move.order, "the work order was cancelled")


def on_closed(connection: Connection, actor: Actor, move: Move) -> None:
    """The work is over; if nothing of it was let out, it is as if it were given up."""
    order = move.order
    if not deliverables_of(connection, order.tenant_id, order.work_order_id):
        _give_up(connection, actor, order, "the work order was closed without a release")


def on_pack_failed(connection: Connection, actor: Actor, pack: Pack) -> None:
    """The report will not come by itself: its credits are free meanwhile; an invoice stays."""
    _free_hold(
        connection, actor, pack.tenant_id, pack.work_order_id, f"version {pack.version} failed"
    )


def on_pack_resumed(connection: Connection, actor: Actor, pack: Pack) -> None:
    """The report is tried again: hold credits for it anew, or see that its invoice can be paid.

    Raises:
        ServiceError: 409 INSUFFICIENT_CREDITS or ACCOUNT_NOT_ACTIVE; nothing is started.
    """
    order = find(connection, pack.tenant_id, pack.work_order_id)
    account = _provide(connection, actor, order)
    # The account may have paid with credits when the report was asked for.
    invoice = invoice_of_work_order(connection, order.tenant_id, order.work_order_id)
    if invoice is not None and invoice.status == "draft":
        _issue(connection, actor, account, invoice)


def check_report_type(connection: Connection, order: WorkOrder, report_type: str) -> None:
    """See that another kind of report costs what is held, billed or paid for the work order.

    Raises:
        ServiceError: 409 REPORT_TYPE_BILLED, it costs something else.
    """
    with as_billing(connection, order.tenant_id):
        means = means_of(connection, order)
    if means.account is None or not _is_provided(means):
        return
    account = means.account
    before, after = (_price(connection, account, one) for one in (order.report_type, report_type))
    if _cost(before) != _cost(after):
        raise conflict(
            "REPORT_TYPE_BILLED",
            "Another kind of report has another price",
            f"This work order is held or billed as {order.report_type}. Create another one for"
            f" {report_type}, and cancel this one if it is not wanted.",
        )


def _price(connection: Connection, account: Account, report_type: str) -> Price | None:
    """What a kind of report costs an account, or None if no price is in force."""
    try:
        return price_of_report(connection, report_type, external_key=account.external_key)
    except ServiceError as error:
        if error.code != "STUDIO_NOT_SET_UP":
            raise
        return None


def _cost(price: Price | None) -> tuple[object, ...]:
    return () if price is None else (price.unit_price, price.tax_rate, price.credits)


def _is_provided(means: Means) -> bool:
    """Whether something is there that pays for the work order, or has to be paid for it.

    A charge whose payment went back is nothing: its invoice is due again, and if that was given up,
    there has to be another one.
    """
    return not (means.charge is None and means.hold is None and means.invoice is None)


def _provide(connection: Connection, actor: Actor, order: WorkOrder) -> Account:
    """See that something is there which can pay for the work order; whom it is billed to."""
    means = means_of(connection, order)
    account = means.account or ensure_account_for(connection, actor, order.requested_by)
    if _is_provided(means):
        return account
    if account.status != "active" or not account.is_enabled:
        raise conflict(
            "ACCOUNT_NOT_ACTIVE",
            "The account is suspended or disabled",
            "No work is begun for it until the studio takes it back.",
        )
    if account.billing_mode == "CREDIT":
        _reserve(connection, actor, account, order)
    else:
        _draft(connection, actor, account, order)
    return account


def _reserve(connection: Connection, actor: Actor, account: Account, order: WorkOrder) -> None:
    price = _price(connection, account, order.report_type)
    try:
        reserve(
            connection,
            actor,
            account,
            # Without a price a report costs one credit, as ever.
            1 if price is None else max(1, price.credits),
            key=f"work_order_reserve:{order.work_order_id}:{_next(connection, _HELD_BEFORE, order)}",
            ref=work_ref(order.work_order_id),
            work_order_id=order.work_order_id,
        )
    except ServiceError as error:
        if error.code != "INSUFFICIENT_CREDITS":
            raise
        raise conflict(
            error.code,
            "The account does not have enough credits for this work",
            f"{error.extra['needed']} needed, {error.extra['available']} available. Buy credits"
            " (POST /v1/payments/topup, or ask the studio to grant some), then move the work order"
            " again.",
            **error.extra,
        ) from error


def _draft(
    connection: Connection, actor: Actor, account: Account, order: WorkOrder
) -> Invoice | None:
    key = f"work_order_invoice:{order.work_order_id}:{_next(connection, _BILLED_BEFORE, order)}"
    try:
        return draft_for_work_order(connection, actor, account, order.work_order_id, key=key)
    except ServiceError as error:
        if error.code != "STUDIO_NOT_SET_UP":
            raise
    # Without a studio there is no price list; work goes on, and the gate says what is missing.
    _note(connection, actor, account, "billing_price_missing", f"{key}:price_missing", order)
    return None


def _issue(connection: Connection, actor: Actor, account: Account, invoice: Invoice) -> None:
    """Issue a draft; what keeps it from being issued does not keep the report from being made."""
    try:
        with connection.begin_nested():
            issue(
                connection,
                actor,
                account,
                invoice.invoice_id,
                key=f"work_order_issue:{invoice.invoice_id}",
            )
    except ServiceError as error:
        record_usage(
            connection,
            actor,
            account,
            "billing_invoice_not_issued",
            key=f"work_order_issue:{invoice.invoice_id}:{invoice.version}:{error.code}",
            payload={"invoice_id": str(invoice.invoice_id), "code": error.code},
        )


def _give_up(connection: Connection, actor: Actor, order: WorkOrder, why: str) -> None:
    tenant, work_order_id = order.tenant_id, order.work_order_id
    _free_hold(connection, actor, tenant, work_order_id, why)
    means = means_of(connection, order)
    invoice, account = means.invoice, means.account
    if invoice is None or account is None:
        return
    kept = "it was paid for, in part or whole"
    if deliverables_of(connection, tenant, work_order_id):
        kept = "a version of the report was let out"
    elif invoice.status in {"draft", "issued", "sent"}:
        try:
            with connection.begin_nested():
                void(
                    connection,
                    actor,
                    account,
                    invoice.invoice_id,
                    reason=why,
                    key=f"work_order_void:{invoice.invoice_id}",
                )
        except ServiceError as error:
            # It was paid at this very moment.
            if error.code not in {"INVOICE_HAS_PAYMENTS", "INVOICE_HAS_CREDIT_NOTES"}:
                raise
        else:
            return
    _note(
        connection,
        actor,
        account,
        "billing_invoice_kept",
        f"work_order_invoice_kept:{invoice.invoice_id}:{order.version}",
        order,
        invoice_id=str(invoice.invoice_id),
        because=kept,
        given_up=why,
    )


def _free_hold(
    connection: Connection, actor: Actor, tenant: UUID, work_order_id: UUID, why: str
) -> None:
    hold = active_hold(connection, tenant, work_ref(work_order_id))
    if hold is None:
        return
    account = find_account(connection, tenant, hold.account_id)
    try:
        free(
            connection,
            actor,
            account,
            hold_id=hold.hold_id,
            key=f"work_order_release:{hold.hold_id}",
            reason=why,
        )
    except ServiceError as error:
        # A sweep or the studio has ended it at this very moment.
        if error.code not in _ENDED:
            raise


def _next(connection: Connection, statement: Any, order: WorkOrder) -> int:
    """Which hold or invoice of the work order the next one is; its row is locked, so it is fixed."""
    values = {"tenant": order.tenant_id, "work_order": order.work_order_id}
    counted: int = connection.execute(statement, values).scalar_one()
    return counted + 1


def _note(
    connection: Connection,
    actor: Actor,
    account: Account,
    event_type: str,
    key: str,
    order: WorkOrder,
    **payload: str,
) -> None:
    record_usage(
        connection,
        actor,
        account,
        event_type,
        key=key,
        payload={"work_order_id": str(order.work_order_id), **payload},
    )
