"""Routes of invoices, of what they are reckoned with, and of who issues them.

Only the studio writes invoices: nobody marks their own as paid. Whoever is billed sees them, takes
the PDF, and brings proof of payment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import EVERYBODY, access
from service.api.answers import answer, etag, page_of
from service.api.request_life import current
from service.api.requests import (
    cursor_id,
    idempotency_key,
    needed_key,
    path_id,
    wanted_version,
)
from service.api.sent_files import form_with_file, sent_file, stored_file
from service.billing.accounts import Account, find_account, find_any_account
from service.billing.money import paise
from service.errors import invalid, not_found
from service.evidence.file_names import disposition
from service.identifiers import new_id
from service.invoices import (
    adjusting,
    answers,
    attachments,
    drafting,
    issuers,
    issuing,
    notices,
    prices,
    records,
    settling,
    shapes,
)
from service.invoices.records import Invoice
from service.invoices.totals import Item
from service.subscriptions.refilling import invoice_changed

if TYPE_CHECKING:
    from service.invoices.records import NoticeKind
    from service.invoices.shapes import NewItem

api = APIBlueprint(
    "invoices",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="invoices")],
    abp_security=[{"bearer": []}],
)

_STUDIO = ("studio",)
_may_read = access("invoices.read", audiences=EVERYBODY)
_may_write = access("invoices.write", audiences=_STUDIO)
_may_set = access("billing.write", audiences=_STUDIO)
_PDF = {200: {"description": "The document", "content": {"application/pdf": {}}}}
_FILE = {200: {"description": "The file", "content": {"*/*": {}}}}
_FORM = form_with_file(shapes.ProofForm)

View = TypeVar("View", bound=Callable[..., Any])


def _route(method: str, path: str, **said: Any) -> Callable[[View], View]:
    """Declare a route of an invoice under its address, and under the older system's alias."""

    def declare(view: View) -> View:
        for prefix in ("/invoices", "/service-invoices"):
            more = {"endpoint": f"{view.__name__}_{prefix[1:].replace('-', '_')}"}
            getattr(api, method)(f"{prefix}{path}", **said, **more)(view)
        return view

    return declare


@_route("get", "", summary="Invoices, newest first", responses={200: shapes.InvoiceList})
@_may_read
def list_invoices(query: shapes.InvoiceFilter) -> Response:
    """A firm sees its own, a person of the portal those of their own account, the studio all."""
    now = current()
    found = records.search(
        now.connection,
        _tenant(),
        account_id=query.account_id,
        work_order_id=query.work_order_id,
        status=query.status and query.status.lower(),
        is_overdue=query.overdue,
        after=cursor_id(query.cursor),
        limit=query.limit + 1,
    )
    shown, last = page_of(found, query.limit)
    return answer(
        shapes.InvoiceList(
            items=tuple(answers.summary(one) for one in shown),
            next_cursor=None if last is None else str(last.invoice_id),
        )
    )


@_route("post", "", summary="Draft an invoice", responses={201: shapes.InvoiceAnswer})
@_may_write
def create_invoice(body: shapes.NewInvoice) -> Response:
    """A work order has at most one that is neither void nor credited whole. Issuing fixes the taxes."""
    now = current()
    account = find_any_account(now.connection, body.account_id)
    if _tenant() not in {None, account.tenant_id}:
        raise not_found()
    if body.items or body.work_order_id is None:
        made: Invoice | None = drafting.draft(
            now.connection,
            now.actor,
            account,
            _items(body.items),
            work_order_id=body.work_order_id,
            notes=body.notes,
            key=idempotency_key(request),
        )
    else:
        made = drafting.draft_for_work_order(
            now.connection,
            now.actor,
            account,
            body.work_order_id,
            notes=body.notes,
            # It is the work order's one invoice whatever the key; fresh, as a void one is no answer.
            key=f"work_order_draft:{body.work_order_id}:{new_id()}",
        )
    if made is None:
        raise invalid(
            "PRICE_MISSING",
            "No price is in force",
            "Enter a price for `report` in the price list, or send the items.",
        )
    return _answer(made, 201)


@_route("get", "/<invoice_id>", summary="An invoice", responses={200: shapes.InvoiceAnswer})
@_may_read
def show_invoice(path: shapes.InvoicePath) -> Response:
    """With its lines, what settled it, and its files."""
    return _answer(_seen(path.invoice_id))


@_route("patch", "/<invoice_id>", summary="Change a draft", responses={200: shapes.InvoiceAnswer})
@_may_write
def change_invoice(path: shapes.InvoicePath, body: shapes.InvoiceChange) -> Response:
    """What is issued cannot be changed any more: it is credited, or void."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    return _answer(
        drafting.change_draft(
            now.connection,
            now.actor,
            account,
            invoice.invoice_id,
            items=None if body.items is None else _items(body.items),
            notes=body.notes,
            changes_notes="notes" in body.model_fields_set,
            wanted_version=wanted_version(request),
        )
    )


@_route("post", "/<invoice_id>/issue", summary="Issue", responses={200: shapes.InvoiceAnswer})
@_may_write
def issue_invoice(path: shapes.InvoicePath, body: shapes.Issuing) -> Response:
    """It gets its number, and the account owes its total. Once more under the same key: the same."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    return _answer(
        issuing.issue(
            now.connection,
            now.actor,
            account,
            invoice.invoice_id,
            key=idempotency_key(request) or f"invoice_issue:{invoice.invoice_id}",
            on=body.issue_date,
            due_on=body.due_date,
        )
    )


@_route(
    "post", "/<invoice_id>/send", summary="Say it was sent", responses={200: shapes.InvoiceAnswer}
)
@_may_write
def send_invoice(path: shapes.InvoicePath) -> Response:
    """Nothing is mailed from here; it is written down that it was."""
    return _told(
        path.invoice_id, "sent", idempotency_key(request) or f"invoice_send:{path.invoice_id}"
    )


@_route("post", "/<invoice_id>/remind", summary="Remind", responses={200: shapes.InvoiceAnswer})
@_may_write
def remind(path: shapes.InvoicePath) -> Response:
    """Needs an Idempotency-Key: one reminder for each."""
    return _told(path.invoice_id, "reminder", needed_key(request))


@_route("post", "/<invoice_id>/void", summary="Give up", responses={200: shapes.InvoiceAnswer})
@_may_write
def void_invoice(path: shapes.InvoicePath, body: shapes.Voiding) -> Response:
    """Only if nothing was paid or credited. Its number stays used; twice changes nothing more."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    return _settled(
        issuing.void(
            now.connection,
            now.actor,
            account,
            invoice.invoice_id,
            reason=body.reason,
            key=idempotency_key(request) or f"invoice_void:{invoice.invoice_id}",
        )
    )


@_route(
    "post",
    "/<invoice_id>/payments",
    summary="Enter a payment",
    responses={201: shapes.InvoiceAnswer},
)
@_may_write
def enter_payment(path: shapes.InvoicePath, body: shapes.NewPayment) -> Response:
    """Needs an Idempotency-Key. `advance` takes it from what the account has paid before."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    done = settling.settle(
        now.connection,
        now.actor,
        account,
        invoice.invoice_id,
        amount=body.amount,
        mode=body.mode,
        reference=body.reference,
        notes=body.notes,
        key=needed_key(request),
        refuses_excess=True,
    )
    return _settled(done.invoice, 201)


@_route(
    "post", "/<invoice_id>/mark-paid", summary="Mark as paid", responses={200: shapes.InvoiceAnswer}
)
@_may_write
def mark_paid(path: shapes.InvoicePath, body: shapes.MarkPaid) -> Response:
    """Enters a payment over what is due. One that is paid already is answered as it is."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    if invoice.is_paid:
        return _answer(invoice)
    done = settling.settle(
        now.connection,
        now.actor,
        account,
        invoice.invoice_id,
        # A draft or a void one is refused by its state, whatever the amount.
        amount=body.amount or invoice.due or invoice.total,
        mode=body.mode,
        reference=body.reference,
        notes=body.notes,
        key=idempotency_key(request) or _marking_key(invoice),
        refuses_excess=True,
    )
    return _settled(done.invoice)


@_route(
    "post", "/<invoice_id>/adjustments", summary="Credit", responses={201: shapes.InvoiceAnswer}
)
@_may_write
def adjust(path: shapes.InvoicePath, body: shapes.NewAdjustment) -> Response:
    """A credit note, never above what is left. Needs an Idempotency-Key."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    if body.type == "debit":
        raise invalid(
            "DEBIT_IS_AN_INVOICE",
            "An invoice is not raised by an adjustment",
            "What is to be paid besides is invoiced: draft another invoice.",
        )
    done = adjusting.credit_note(
        now.connection,
        now.actor,
        account,
        invoice.invoice_id,
        amount=body.amount,
        reason=body.reason,
        key=needed_key(request),
    )
    return _settled(done.invoice, 201)


@_route(
    "post",
    "/<invoice_id>/refunds",
    summary="Money went back",
    responses={201: shapes.InvoiceAnswer},
)
@_may_write
def enter_refund(path: shapes.InvoicePath, body: shapes.InvoiceRefund) -> Response:
    """Of one payment, never more than it was. Needs an Idempotency-Key."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    paid = records.find_settlement(
        now.connection, invoice.tenant_id, settlement_id=body.settlement_id
    )
    if paid is None or paid.invoice_id != invoice.invoice_id:
        raise not_found()
    done = settling.reverse_settlement(
        now.connection,
        now.actor,
        account,
        kind=body.kind,
        amount=body.amount,
        settlement_id=body.settlement_id,
        mode=body.mode,
        reason=body.reason,
        key=needed_key(request),
    )
    assert done is not None, "a payment on an invoice was named"
    return _answer(done.invoice, 201)


@_route(
    "get",
    "/<invoice_id>/context",
    summary="With its account",
    responses={200: shapes.InvoiceContext},
)
@_may_read
def show_context(path: shapes.InvoicePath) -> Response:
    """Also what the account has paid in advance, and what it was told."""
    now = current()
    invoice, account = _billed(path.invoice_id)
    return answer(answers.context(now.connection, invoice, account), headers=etag(invoice.version))


@_route("get", "/<invoice_id>/pdf", summary="As a PDF", responses=_PDF)
@_may_read
def get_pdf(path: shapes.InvoicePath) -> Response:
    """The same bytes each time. A draft is marked as one, and so is what is void."""
    # What draws a PDF takes a quarter of a second to load: a process that prints none goes without.
    from service.invoices.printing import invoice_pdf  # noqa: PLC0415

    now = current()
    invoice, account = _billed(path.invoice_id)
    parties = (
        json.loads(invoice.parties)
        if invoice.parties is not None
        else issuing.parties_of(account, issuers.the_issuer(now.connection))
    )
    lines = records.lines_of(now.connection, invoice.tenant_id, invoice.invoice_id)
    name = invoice.number or f"draft-{invoice.invoice_id}"
    return _pdf(invoice_pdf(invoice, lines, parties), name)


@_route(
    "get", "/<invoice_id>/credit-notes/<settlement_id>/pdf", summary="A credit note", responses=_PDF
)
@_may_read
def get_credit_note(path: shapes.SettlementPath) -> Response:
    """The same bytes each time."""
    # Loaded late, as in `get_pdf`.
    from service.invoices.printing import credit_note_pdf  # noqa: PLC0415

    now = current()
    invoice = _seen(path.invoice_id)
    note = records.find_settlement(
        now.connection, invoice.tenant_id, settlement_id=path_id(path.settlement_id)
    )
    if note is None or note.invoice_id != invoice.invoice_id or note.kind != "credit_note":
        raise not_found()
    return _pdf(credit_note_pdf(invoice, note), str(note.number))


@_route(
    "post",
    "/<invoice_id>/payment-proof",
    summary="Bring proof of payment",
    request_body=_FORM,
    responses={201: shapes.AttachmentAnswer},
)
@access("billing.pay", audiences=EVERYBODY, takes_files=True)
def bring_proof(path: shapes.InvoicePath) -> Response:
    """A form with the part `file`: a picture or a PDF. It settles nothing; the studio looks at it."""
    now = current()
    invoice = _seen(path.invoice_id)
    file, form = sent_file(shapes.ProofForm)
    made = attachments.attach(
        now.connection,
        now.actor,
        now.service,
        invoice,
        file.stream,
        kind=form.kind,
        filename=form.filename or file.filename or "",
    )
    return answer(answers.attachment(made), status=201)


@_route("get", "/<invoice_id>/attachments/<attachment_id>", summary="A file", responses=_FILE)
@_may_read
def get_attachment(path: shapes.AttachmentPath) -> Response:
    """To be saved: no browser shows it as a page, whatever is in it."""
    now = current()
    found = attachments.find_attachment(
        now.connection, _seen(path.invoice_id), path_id(path.attachment_id)
    )
    return stored_file(now.service.objects, found)


@api.get("/price-lists", summary="Prices, newest first", responses={200: shapes.PriceList})
@access("invoices.read", audiences=_STUDIO)
def list_prices(query: shapes.PriceFilter) -> Response:
    """Of all times; which one holds is decided by day and account."""
    now = current()
    found = prices.list_prices(
        now.connection,
        item=query.item,
        external_key=query.external_key,
        after=cursor_id(query.cursor),
        limit=query.limit + 1,
    )
    shown, last = page_of(found, query.limit)
    return answer(
        shapes.PriceList(
            items=tuple(answers.price(one) for one in shown),
            next_cursor=None if last is None else str(last.price_id),
        )
    )


@api.post("/price-lists", summary="Enter a price", responses={201: shapes.PriceAnswer})
@_may_set
def add_price(body: shapes.NewPriceBody) -> Response:
    """From a day on, which ends the price before it. One account's own counts before that for all."""
    now = current()
    made = prices.add_price(
        now.connection,
        now.actor,
        item=body.item,
        description=body.description,
        sac=body.service_code,
        unit_price=body.unit_price,
        tax_rate=body.tax_rate,
        credit_cost=body.credits,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        external_key=body.external_key,
    )
    return answer(answers.price(made), status=201)


@api.patch("/price-lists/<price_id>", summary="End a price", responses={200: shapes.PriceAnswer})
@_may_set
def end_price(path: shapes.PricePath, body: shapes.PriceEnd) -> Response:
    """It holds until that day and no longer; invoices stay as they are."""
    now = current()
    ended = prices.end_price(now.connection, now.actor, path_id(path.price_id), body.valid_until)
    return answer(answers.price(ended))


@api.get("/invoice-issuer", summary="Who issues invoices", responses={200: shapes.IssuerAnswer})
@access("invoices.read", audiences=_STUDIO)
def show_issuer() -> Response:
    """404 until the studio has entered it."""
    found = issuers.current_issuer(current().connection)
    if found is None:
        raise not_found()
    return answer(answers.issuer(found))


@api.put(
    "/invoice-issuer", summary="Enter who issues invoices", responses={200: shapes.IssuerAnswer}
)
@_may_set
def set_issuer(body: shapes.IssuerBody) -> Response:
    """From now on. Another GSTIN has number series of its own; issued invoices keep their issuer."""
    now = current()
    details = body.model_dump(exclude={"legal_name", "gstin"}, exclude_none=True)
    made = issuers.set_issuer(
        now.connection, now.actor, legal_name=body.legal_name, gstin=body.gstin, details=details
    )
    return answer(answers.issuer(made))


def _tenant() -> UUID | None:
    """Whose invoices are meant; of all firms where the studio names none."""
    actor = current().actor
    if actor.audience == "studio" and "X-Zenops-Tenant" not in request.headers:
        return None
    return actor.tenant_id


def _seen(invoice_id: str) -> Invoice:
    return records.find(current().connection, _tenant(), path_id(invoice_id))


def _billed(invoice_id: str) -> tuple[Invoice, Account]:
    invoice = _seen(invoice_id)
    return invoice, find_account(current().connection, invoice.tenant_id, invoice.account_id)


def _items(sent: Sequence[NewItem]) -> list[Item]:
    """Lines in the order that they are to have."""
    places = [at if one.order_index is None else one.order_index for at, one in enumerate(sent)]
    ordered = [one for _, one in sorted(zip(places, sent, strict=True), key=lambda pair: pair[0])]
    return [
        Item(one.description, one.service_code, one.quantity, paise(one.unit_price), one.tax_rate)
        for one in ordered
    ]


def _told(invoice_id: str, kind: NoticeKind, key: str) -> Response:
    now = current()
    invoice, account = _billed(invoice_id)
    return _answer(
        notices.notify(now.connection, now.actor, account, invoice.invoice_id, kind, key=key)
    )


def _marking_key(invoice: Invoice) -> str:
    """One key for each time that an invoice may become paid: again once money went back."""
    there = records.settlements_of(current().connection, invoice.tenant_id, invoice.invoice_id)
    key = f"invoice_mark_paid:{invoice.invoice_id}"
    gone_back = sum(one.reverses is not None for one in there)
    return f"{key}:{gone_back}" if gone_back else key


def _settled(invoice: Invoice, status: int = 200) -> Response:
    """The answer, once the subscription whose period the invoice may be for has gone on."""
    now = current()
    if invoice.status in {"paid", "void"}:
        invoice_changed(now.connection, now.actor, invoice.tenant_id, invoice.invoice_id)
    return _answer(invoice, status)


def _answer(invoice: Invoice, status: int = 200) -> Response:
    shown = answers.detail(current().connection, invoice)
    return answer(shown, status=status, headers=etag(invoice.version))


def _pdf(content: bytes, name: str) -> Response:
    filename = f"{name.replace('/', '-')}.pdf"
    return Response(
        content,
        headers={
            "Content-Disposition": disposition(filename),
            "Cache-Control": "private, no-store",
        },
        content_type="application/pdf",
    )
