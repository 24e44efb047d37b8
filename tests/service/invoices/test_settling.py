"""Payments, refunds, chargebacks and credit notes: to the paisa, once for each key."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service import clock
from service.billing.accounts import Account
from service.billing.journal import verify_journal
from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices import adjusting, issuing, records, settling
from service.invoices.records import Invoice
from tests.service.invoices.conftest import CUSTOMER_IN_TAMIL_NADU, Books, item


def balances(books: Books, account: Account) -> dict[str, int]:
    """Each ledger of the account, in paise; what is nothing is left out."""
    with books.acting() as connection:
        assert verify_journal(connection, books.firm_id, account.account_id) == []
        rows = connection.execute(
            text(
                "select p.key, sum(p.value::bigint)::bigint as amount from journal_entries j,"
                " jsonb_each_text(j.postings) p where j.account_id = :account group by p.key"
            ),
            {"account": account.account_id},
        )
        return {row.key: row.amount for row in rows if row.amount}


def pay(books: Books, account: Account, made: Invoice, amount: str, key: str, **more: Any) -> Any:
    """What a payment gives; its key is the account's own unless it holds a colon."""
    given = {"mode": "upi", "key": key if ":" in key else f"{account.account_id}:{key}", **more}
    return books.run(settling.settle, account, made.invoice_id, amount=Decimal(amount), **given)


def test_an_invoice_is_paid_in_parts_and_then_nothing_is_left(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    assert (made.total, made.due, made.status) == (Decimal("1180.00"), Decimal("1180.00"), "issued")
    first = pay(books, account, made, "180.01", "a1")
    assert (first.invoice.status, first.invoice.due) == ("partially_paid", Decimal("999.99"))
    second = pay(books, account, made, "999.99", "a2")
    assert second.invoice.is_paid
    assert balances(books, account) == {
        "inr:bank": 118_000,
        "inr:revenue": -100_000,
        "inr:output_cgst": -9_000,
        "inr:output_sgst": -9_000,
    }


def test_another_state_pays_integrated_tax(books: Books) -> None:
    account = books.account(gstin=CUSTOMER_IN_TAMIL_NADU, state_code=None)
    made = books.issued(account)
    assert (made.place_of_supply, made.igst, made.cgst) == (
        "33",
        Decimal("180.00"),
        Decimal("0.00"),
    )
    assert balances(books, account) == {
        "inr:receivable": 118_000,
        "inr:revenue": -100_000,
        "inr:output_igst": -18_000,
    }


@pytest.mark.parametrize("above", ["1180.01", "1181.00", "99999999999.99"])
def test_a_person_cannot_enter_more_than_is_due(books: Books, above: str) -> None:
    account = books.account()
    made = books.issued(account)
    with pytest.raises(ServiceError) as refused:
        pay(books, account, made, above, "over", refuses_excess=True)
    assert (refused.value.status, refused.value.title) == (400, "amount exceeds due")
    assert refused.value.extra["amount_due"] == "1180.00"
    assert pay(books, account, made, "1180.00", "exact", refuses_excess=True).invoice.is_paid


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1.005", "NaN", "Infinity", "1e300"])
def test_what_is_no_amount_is_refused(books: Books, amount: str) -> None:
    account = books.account()
    made = books.issued(account)
    with pytest.raises(ServiceError, match="AMOUNT_INVALID"):
        pay(books, account, made, amount, f"x{amount}")


def test_a_key_with_other_content_is_refused(books: Books) -> None:
    account = books.account()
    made, other = books.issued(account), books.issued(account)
    pay(books, account, made, "10.00", "k:1")
    for invoice, amount, more in (
        (made, "10.01", {}),
        (other, "10.00", {}),
        (made, "10.00", {"mode": "cash"}),
        (made, "10.00", {"reference": "UTR1"}),
    ):
        with pytest.raises(ServiceError, match="IDEMPOTENCY_KEY_REUSED"):
            pay(books, account, invoice, amount, "k:1", **more)
    # Nor does the key of a payment serve another operation of the account.
    with pytest.raises(ServiceError, match="IDEMPOTENCY_KEY_REUSED"):
        books.run(issuing.void, account, other.invoice_id, reason="x", key="k:1")
    # Nor a settlement of another account of the firm.
    stranger = books.account()
    theirs = books.issued(stranger)
    with pytest.raises(ServiceError, match="IDEMPOTENCY_KEY_REUSED"):
        pay(books, stranger, theirs, "10.00", "k:1")


def test_a_payment_from_many_sides_under_one_key_comes_in_once(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: pay(books, account, made, "400.00", "once"), range(8)))
    assert len({one.settlement_id for one in done}) == 1
    assert sum(not one.replayed for one in done) == 1
    assert done[0].invoice.paid == Decimal("400.00")


def test_payments_from_many_sides_never_pay_more_than_is_due(books: Books) -> None:
    account = books.account()
    made = books.issued(account)

    def enter(place: int) -> str:
        try:
            pay(books, account, made, "200.00", f"race{place}", refuses_excess=True)
        except ServiceError as error:
            return error.code
        return "entered"

    with ThreadPoolExecutor(8) as pool:
        done = Counter(pool.map(enter, range(12)))
    assert done == {"entered": 5, "AMOUNT_EXCEEDS_DUE": 7}
    with books.acting() as connection:
        left = records.find(connection, books.firm_id, made.invoice_id)
    assert (left.paid, left.due) == (Decimal("1000.00"), Decimal("180.00"))


@pytest.mark.parametrize("state", ["draft", "void"])
def test_money_for_what_owes_nothing_stays_with_the_account(books: Books, state: str) -> None:
    account = books.account()
    made = books.draft(account)
    if state == "void":
        books.run(issuing.void, account, made.invoice_id, reason="x", key=f"{account.account_id}:v")
    done = pay(books, account, made, "50.00", "late", mode="razorpay", payment_order_id=new_id())
    assert (done.settlement_id, done.advance) == (None, Decimal("50.00"))
    assert balances(books, account) == {"inr:razorpay": 5_000, "inr:customer_advances": -5_000}
    with pytest.raises(
        ServiceError, match="INVOICE_NOT_ISSUED" if state == "draft" else "INVOICE_VOID"
    ):
        pay(books, account, made, "50.00", "typed", refuses_excess=True)


def test_an_advance_pays_the_next_invoice_and_no_more_than_it_is(books: Books) -> None:
    account = books.account()
    first = books.issued(account)
    pay(books, account, first, "1500.00", "big", mode="stripe", payment_order_id=new_id())
    second = books.issued(account)
    with pytest.raises(ServiceError, match="ADVANCE_TOO_SMALL"):
        pay(books, account, second, "320.01", "adv1", mode="advance")
    done = pay(books, account, second, "320.00", "adv2", mode="advance")
    assert done.invoice.due == Decimal("860.00")
    assert "inr:customer_advances" not in balances(books, account)


def test_money_goes_back_and_is_owed_again(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    paid = pay(books, account, made, "1180.00", "p", mode="cheque")
    given = {"kind": "refund", "settlement_id": paid.settlement_id, "reason": "twice"}
    back = books.run(
        settling.reverse_settlement,
        account,
        amount=Decimal("180.00"),
        key=f"{account.account_id}:r1",
        **given,
    )
    assert (back.invoice.status, back.invoice.due) == ("partially_paid", Decimal("180.00"))
    again = books.run(
        settling.reverse_settlement,
        account,
        amount=Decimal("180.00"),
        key=f"{account.account_id}:r1",
        **given,
    )
    assert again.replayed
    with pytest.raises(ServiceError, match="AMOUNT_EXCEEDS_PAYMENT"):
        books.run(
            settling.reverse_settlement,
            account,
            amount=Decimal("1000.01"),
            key=f"{account.account_id}:r2",
            **given,
        )
    # The cheque comes back: all of it is owed again, as if nothing had come.
    bounced = books.run(
        settling.reverse_settlement,
        account,
        kind="chargeback",
        settlement_id=paid.settlement_id,
        amount=Decimal("1000.00"),
        key=f"{account.account_id}:b",
    )
    assert (bounced.invoice.status, bounced.invoice.paid) == ("issued", Decimal("0.00"))
    assert balances(books, account)["inr:receivable"] == 118_000
    # Nothing is left of the payment, so the invoice can be given up.
    assert (
        books.run(
            issuing.void, account, made.invoice_id, reason="x", key=f"{account.account_id}:v"
        ).status
        == "void"
    )
    assert balances(books, account) == {}


def test_refunds_from_many_sides_never_exceed_the_payment(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    paid = pay(books, account, made, "1000.00", "p")

    def refund(place: int) -> str:
        try:
            books.run(
                settling.reverse_settlement,
                account,
                kind="refund",
                settlement_id=paid.settlement_id,
                amount=Decimal("300.00"),
                key=f"{account.account_id}:r{place}",
            )
        except ServiceError as error:
            return error.code
        return "refunded"

    with ThreadPoolExecutor(8) as pool:
        done = Counter(pool.map(refund, range(10)))
    assert done == {"refunded": 3, "AMOUNT_EXCEEDS_PAYMENT": 7}


def test_of_an_order_its_advance_goes_back_first(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    order = new_id()
    pay(books, account, made, "1500.00", "p", mode="stripe", payment_order_id=order)
    given = {"kind": "refund", "payment_order_id": order}
    back = books.run(
        settling.reverse_settlement,
        account,
        amount=Decimal("420.00"),
        key=f"{account.account_id}:r",
        **given,
    )
    assert (back.advance, back.applied) == (Decimal("320.00"), Decimal("100.00"))
    assert balances(books, account)["inr:stripe"] == 108_000
    with pytest.raises(ServiceError, match="AMOUNT_EXCEEDS_PAYMENT"):
        books.run(
            settling.reverse_settlement,
            account,
            amount=Decimal("1080.01"),
            key=f"{account.account_id}:r2",
            **given,
        )


def test_an_advance_that_has_paid_another_invoice_does_not_go_back(books: Books) -> None:
    account = books.account()
    first, second = books.issued(account), books.issued(account)
    order = new_id()
    pay(books, account, first, "1500.00", "p", mode="stripe", payment_order_id=order)
    pay(books, account, second, "320.00", "used", mode="advance")
    given = {"kind": "refund", "payment_order_id": order}
    with pytest.raises(ServiceError, match="AMOUNT_EXCEEDS_PAYMENT"):
        books.run(
            settling.reverse_settlement, account, amount=Decimal("1180.01"), key="spent1", **given
        )
    done = books.run(
        settling.reverse_settlement, account, amount=Decimal("1180.00"), key="spent2", **given
    )
    assert (done.applied, done.advance) == (Decimal("1180.00"), Decimal("0.00"))


def test_an_order_that_paid_no_invoice_goes_back_whole(books: Books) -> None:
    account = books.account()
    made = books.draft(account)
    order = new_id()
    pay(books, account, made, "50.00", "p", mode="razorpay", payment_order_id=order)
    given = {"kind": "refund", "payment_order_id": order, "amount": Decimal("50.00")}
    for _ in range(2):
        assert (
            books.run(settling.reverse_settlement, account, key="r", mode="razorpay", **given)
            is None
        )
    assert balances(books, account) == {}
    with pytest.raises(ServiceError, match="AMOUNT_EXCEEDS_PAYMENT"):
        books.run(settling.reverse_settlement, account, key="r2", mode="razorpay", **given)


def test_a_chargeback_is_always_booked(books: Books) -> None:
    """The bank has taken the money; an advance that was used up meanwhile is owed."""
    account = books.account()
    first, second = books.issued(account), books.issued(account)
    order = new_id()
    pay(books, account, first, "1500.00", "p", mode="stripe", payment_order_id=order)
    pay(books, account, second, "320.00", "used", mode="advance")
    done = books.run(
        settling.reverse_settlement,
        account,
        kind="chargeback",
        payment_order_id=order,
        amount=Decimal("1500.00"),
        key=f"{account.account_id}:c",
    )
    assert (done.applied, done.advance) == (Decimal("1180.00"), Decimal("320.00"))
    books_now = balances(books, account)
    assert books_now["inr:customer_advances"] == 32_000
    assert "inr:stripe" not in books_now


def test_a_credit_note_takes_back_value_and_taxes_in_proportion(books: Books) -> None:
    account = books.account()
    made = books.issued(account, item("100.00"), item("200.00", "5"))
    # 100 + 9 + 9, and 200 + 5 + 5.
    assert (made.total, made.cgst) == (Decimal("328.00"), Decimal("14.00"))
    done = books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        amount=Decimal("100.00"),
        reason="one page was missing",
        key=f"{account.account_id}:c1",
    )
    with books.acting() as connection:
        (note,) = records.settlements_of(connection, books.firm_id, made.invoice_id)
    # 14 * 100 / 328 is 4.268.
    assert (note.cgst, note.sgst, note.subtotal) == (
        Decimal("4.27"),
        Decimal("4.27"),
        Decimal("91.46"),
    )
    assert done.invoice.status == "partially_paid"
    books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        amount=Decimal("228.00"),
        reason="and the rest",
        key=f"{account.account_id}:c2",
    )
    assert balances(books, account) == {}


def test_a_credit_note_comes_at_the_latest_on_30_november_after_the_year(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2033, 3, 31, 6, tzinfo=UTC))
    account = books.account()
    made = books.issued(account)
    given = {"amount": Decimal("1.00"), "reason": "x"}
    monkeypatch.setattr(clock, "now", lambda: datetime(2033, 11, 30, 18, 29, tzinfo=UTC))
    books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        key=f"{account.account_id}:in-time",
        **given,
    )
    monkeypatch.setattr(clock, "now", lambda: datetime(2033, 11, 30, 18, 30, tzinfo=UTC))
    with pytest.raises(ServiceError, match="CREDIT_NOTE_TOO_LATE"):
        books.run(
            adjusting.credit_note,
            account,
            made.invoice_id,
            key=f"{account.account_id}:too-late",
            **given,
        )


def test_an_invoice_over_nothing_is_paid_when_it_is_issued(books: Books) -> None:
    account = books.account()
    made = books.issued(account, item("0.00"))
    assert (made.status, made.total) == ("paid", Decimal("0.00"))
    again = books.run(issuing.issue, account, made.invoice_id, key=f"i:{made.invoice_id}")
    assert again == made
    assert balances(books, account) == {}


def test_from_50000_on_a_customer_without_gstin_needs_an_address(books: Books) -> None:
    """Rule 46(e): the taxable value decides."""
    account = books.account()
    books.issued(account, item("49999.99"))
    with pytest.raises(ServiceError, match="ACCOUNT_ADDRESS_MISSING"):
        books.issued(account, item("50000.00"))
    books.issued(books.account(bill_to={"address": ["1 Road"]}), item("50000.00"))
    books.issued(books.account(gstin=CUSTOMER_IN_TAMIL_NADU), item("50000.00"))


def test_a_wrong_gstin_stops_the_issue(books: Books) -> None:
    account = books.account(gstin=f"{CUSTOMER_IN_TAMIL_NADU[:-1]}E")
    with pytest.raises(ServiceError, match="ACCOUNT_GSTIN_INVALID"):
        books.issued(account)


def test_every_change_is_in_the_audit_and_the_timeline(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    pay(books, account, made, "1.00", "t1")
    books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        amount=Decimal(1),
        reason="x",
        key=f"{account.account_id}:t2",
    )
    pay(books, account, made, "1178.00", "t3")
    with books.acting() as connection:
        actions = connection.scalars(
            text("select action from audit_events where subject_id = :id order by event_id"),
            {"id": str(made.invoice_id)},
        ).all()
        events = connection.scalars(
            text(
                "select event_type from usage_events where account_id = :id order by usage_event_id"
            ),
            {"id": account.account_id},
        ).all()
    assert actions == [
        "invoice:invoice:created",
        "invoice:invoice:issued",
        "invoice:invoice:payment_recorded",
        "invoice:invoice:adjustment_added",
        "invoice:invoice:payment_recorded",
    ]
    assert events == [
        "invoice_created",
        "invoice_issued",
        "payment_recorded",
        "invoice_credited",
        "invoice_paid",
    ]


def _raw(owner_engine: Any, statement: str, invoice_id: UUID) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text(statement), {"id": invoice_id})


@pytest.mark.parametrize(
    "tampering",
    [
        "update service_invoices set paid = 1, due = due - 1, status = 'partially_paid' where invoice_id = :id",
        "update service_invoices set subtotal = subtotal + 1, total = total + 1, due = due + 1 where invoice_id = :id",
        "update service_invoice_items set line_total = line_total + 1 where invoice_id = :id",
        "delete from service_invoice_items where invoice_id = :id",
        "update service_invoices set status = 'paid' where invoice_id = :id",
        "update service_invoices set number = null where invoice_id = :id",
        "update service_invoices set due = 0 where invoice_id = :id",
    ],
)
def test_the_database_itself_refuses_what_does_not_add_up(
    books: Books, owner_engine: Any, tampering: str
) -> None:
    """Even to a superuser."""
    from sqlalchemy.exc import IntegrityError

    made = books.issued(books.account())
    with pytest.raises(IntegrityError):
        _raw(owner_engine, tampering, made.invoice_id)
