"""Routes of payments: links, what became of them, refunds, and the providers' webhooks."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import EVERYBODY, access, public
from service.api.answers import answer, page_of
from service.api.request_life import between_transactions, current, the_service
from service.api.requests import cursor_id, needed_key, path_id
from service.billing import accounts
from service.billing.accounts import Account
from service.billing.money import paise, rupees
from service.errors import FieldError, conflict, invalid_fields, not_found
from service.identifiers import read_id
from service.invoices.records import find as find_invoice
from service.payments import checkout, inbox, records, refunding
from service.payments.providers import Name
from service.payments.records import Event, Order, Refund
from service.payments.shapes import (
    EventsAnswer,
    EventsQuery,
    EventSummary,
    NewCheckout,
    NewRefund,
    NewTopup,
    OrderAnswer,
    OrderPath,
    OrdersAnswer,
    OrdersQuery,
    OrderSummary,
    ReceiptAnswer,
    RefundAnswer,
    RefundSummary,
)

api = APIBlueprint(
    "payments",
    __name__,
    url_prefix="/v1/payments",
    abp_tags=[Tag(name="payments")],
    abp_security=[{"bearer": []}],
)

#: Providers' events are some kilobytes.
LARGEST_EVENT = 1_048_576
_PAGE: dict[str, Any] = {
    "description": "Plain words.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_MONEY = ("amount", "refunded", "charged_back", "advance")


@api.post(
    "/checkout-link",
    summary="Make a link to pay an invoice or credits by",
    responses={201: OrderSummary, 202: OrderSummary},
)
@access("billing.pay", audiences=EVERYBODY)
def make_checkout_link(body: NewCheckout) -> Response:
    """The same key gives the same order. 202: the provider has not said what it did; ask again.

    An order that the provider refused is `failed`, and says why.
    """
    if body.purpose == "topup":
        return _topup(body, body.credits, body.invoice_id)
    if body.invoice_id is None or body.credits is not None:
        raise _wrong("invoice_id", "An invoice is paid: name it in invoice_id, without credits.")
    now, key = current(), needed_key(request, body.idempotency_key)
    account = _account(body.account_id, _invoice_account(body.invoice_id))
    order = checkout.start_invoice_payment(
        now.connection,
        now.actor,
        account,
        now.service.settings,
        provider=body.provider,
        invoice_id=path_id(body.invoice_id),
        key=key,
    )
    return _told(order)


@api.post("/topup", summary="Buy credits", responses={201: OrderSummary, 202: OrderSummary})
@access("billing.pay", audiences=EVERYBODY)
def buy_credits(body: NewTopup) -> Response:
    """Credits at the price of the list; they are there when the provider says that they are paid."""
    return _topup(body, body.credits, None)


@api.get("/orders", summary="Payment orders, newest first", responses={200: OrdersAnswer})
@access("billing.read", audiences=EVERYBODY)
def list_orders(query: OrdersQuery) -> Response:
    """A firm sees its own, a person of the portal those of their own account."""
    now = current()
    below = cursor_id(query.cursor)
    account, invoice = _maybe_id(query.account_id), _maybe_id(query.invoice_id)
    if account is False or invoice is False:
        return answer(OrdersAnswer(items=[], next_cursor=None))
    rows = records.find_orders(
        now.connection,
        None if _reads_all() else now.actor.tenant_id,
        account_id=account,
        invoice_id=invoice,
        status=query.status,
        below=below,
        limit=query.limit + 1,
    )
    shown, last = page_of(rows, query.limit)
    return answer(
        OrdersAnswer(
            items=[_summary(row) for row in shown],
            next_cursor=None if last is None else last.payment_order_id,
        )
    )


@api.get("/orders/<payment_order_id>", summary="A payment order", responses={200: OrderAnswer})
@access("billing.read", audiences=EVERYBODY)
def show_order(path: OrderPath) -> Response:
    """What has become of an order, and its refunds."""
    now = current()
    order = _order(path)
    # The portal's people see orders alone.
    refunds = (
        []
        if now.actor.audience == "portal"
        else records.refunds_of(now.connection, order.tenant_id, order.payment_order_id)
    )
    return answer(
        OrderAnswer(
            **_summary(order).model_dump(), refunds=[_refund_summary(one) for one in refunds]
        )
    )


@api.post(
    "/orders/<payment_order_id>/refunds",
    summary="Give money back",
    responses={201: RefundAnswer, 202: RefundAnswer},
)
@access("billing.write", audiences=("studio",))
def give_back(path: OrderPath, body: NewRefund) -> Response:
    """All of a payment or a part. 202: the provider has not said what it did; it is asked again."""
    now = current()
    key = needed_key(request, body.idempotency_key)
    order, refund = refunding.start_refund(
        now.connection,
        now.actor,
        _order(path),
        amount=None if body.amount is None else paise(body.amount),
        reason=body.reason,
        key=key,
    )
    if refund.status == "unknown":
        with between_transactions():
            said = refunding.tell_provider(now.service.settings, order, refund)
        order, refund = refunding.note_answer(now.connection, now.actor, order, refund, said)
    return answer(
        RefundAnswer(refund=_refund_summary(refund), order=_summary(order)),
        202 if refund.status == "unknown" else 201,
    )


@api.get("/events", summary="What providers have sent, newest first", responses={200: EventsAnswer})
@access("billing.write", audiences=("studio",))
def list_events(query: EventsQuery) -> Response:
    """Every event ever stored, and what came of it; `refused` and `unmatched` want a look."""
    now = current()
    below = cursor_id(query.cursor)
    order = _maybe_id(query.payment_order_id)
    if order is False:
        return answer(EventsAnswer(items=[], next_cursor=None))
    rows = records.find_events(
        now.connection,
        order_id=order,
        status=query.status,
        provider=query.provider,
        below=below,
        limit=query.limit + 1,
    )
    shown, last = page_of(rows, query.limit)
    return answer(
        EventsAnswer(
            items=[_event_summary(row) for row in shown],
            next_cursor=None if last is None else last.event_id,
        )
    )


@api.post(
    "/webhooks/stripe",
    summary="Events of Stripe",
    responses={200: ReceiptAnswer},
    security=[],
)
@public
def receive_from_stripe() -> Response:
    """Signed by Stripe over the very bytes, five minutes ago at most; stored, then answered."""
    return _receive("stripe")


@api.post(
    "/webhooks/razorpay",
    summary="Events of Razorpay",
    responses={200: ReceiptAnswer},
    security=[],
)
@public
def receive_from_razorpay() -> Response:
    """Signed by Razorpay over the very bytes; stored, then answered."""
    return _receive("razorpay")


@api.get(
    "/return",
    summary="Where payers come back to",
    responses={200: _PAGE},
    security=[],
)
@public
def come_back() -> Response:
    """Says that it is over. Nothing is believed because somebody comes here."""
    return Response(
        "Thank you. The payment provider tells us what became of it; you can close this page.\n",
        content_type="text/plain; charset=utf-8",
    )


def _receive(provider: Name) -> Response:
    request.max_content_length = LARGEST_EVENT
    raw = request.get_data(cache=False)
    receipt = inbox.receive(the_service(), provider, raw, dict(request.headers))
    return answer(
        ReceiptAnswer(
            event_id=receipt.event_id,
            duplicate=receipt.is_duplicate,
            processed=receipt.status != "received",
        )
    )


def _topup(body: NewTopup | NewCheckout, credits: int | None, invoice_id: str | None) -> Response:
    if credits is None or invoice_id is not None:
        raise _wrong("credits", "Credits are bought: say how many in credits, without invoice_id.")
    now, key = current(), needed_key(request, body.idempotency_key)
    account = _account(body.account_id, None)
    order = checkout.start_topup(
        now.connection,
        now.actor,
        account,
        now.service.settings,
        provider=body.provider,
        credits=credits,
        key=key,
    )
    return _told(order)


def _told(order: Order) -> Response:
    """Have the provider told of an order that it may not have heard of, and answer."""
    now = current()
    if order.status == "unknown":
        with between_transactions():
            said = checkout.tell_provider(now.service.settings, order)
        order = checkout.note_answer(now.connection, now.actor, order, said)
    return answer(_summary(order), 202 if order.status == "unknown" else 201)


def _account(written: str | None, of_invoice: UUID | None) -> Account:
    """The account that pays: the one that is named, the invoice's, else the caller's own."""
    now = current()
    wanted = of_invoice if written is None else path_id(written)
    if wanted is not None:
        return accounts.find_account(now.connection, now.actor.tenant_id, wanted)
    if now.actor.audience != "portal":
        return accounts.ensure_account_for(now.connection, now.actor)
    assert now.actor.user_id is not None
    own = accounts.account_by_key(now.connection, accounts.external_key(now.actor.user_id))
    if own is None:
        raise conflict(
            "BILLING_ACCOUNT_MISSING",
            "You have no billing account yet",
            "The studio creates one.",
        )
    return own


def _invoice_account(written: str) -> UUID:
    now = current()
    return find_invoice(now.connection, now.actor.tenant_id, path_id(written)).account_id


def _order(path: OrderPath) -> Order:
    now = current()
    order_id = path_id(path.payment_order_id)
    tenant = None if _reads_all() else now.actor.tenant_id
    found = records.find_order(now.connection, tenant, order_id)
    if found is None:
        raise not_found()
    return found


def _reads_all() -> bool:
    """Whether the caller sees all firms' rows, and has named none."""
    return current().actor.audience == "studio" and "X-Zenops-Tenant" not in request.headers


def _maybe_id(written: str | None) -> UUID | Literal[False] | None:
    """The id that is meant; None if none is, False if what is written is none."""
    if written is None:
        return None
    return read_id(written) or False


def _wrong(field: str, message: str) -> Exception:
    return invalid_fields(FieldError(field, message), detail=message)


def _summary(order: Order) -> OrderSummary:
    money = {name: rupees(getattr(order, name)) for name in _MONEY}
    shown = {name: getattr(order, name) for name in OrderSummary.model_fields if name not in _MONEY}
    if order.status not in {"pending", "requires_action", "failed"}:
        shown["checkout_url"] = None
    return OrderSummary(**{**shown, **money})


def _refund_summary(refund: Refund) -> RefundSummary:
    shown = {name: getattr(refund, name) for name in RefundSummary.model_fields}
    return RefundSummary(**{**shown, "amount": rupees(refund.amount)})


def _event_summary(event: Event) -> EventSummary:
    return EventSummary.model_validate(event, from_attributes=True)
