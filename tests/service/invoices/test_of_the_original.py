"""What the original did wrong with invoices, and its own tests; each fails on its behaviour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from service import clock
from service.billing.accounts import Account
from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices import adjusting, drafting, issuing, notices, records, settling
from tests.service.invoices.conftest import Books, item


def test_38_two_accounts_never_get_the_same_number(books: Books) -> None:
    made = [books.issued(books.account()).number for _ in range(3)]
    assert len(set(made)) == 3


def test_38_an_account_does_not_begin_again_in_april_of_the_same_calendar_year(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = books.account()
    monkeypatch.setattr(clock, "now", lambda: datetime(2029, 2, 1, 6, tzinfo=UTC))
    february = books.issued(account).number
    monkeypatch.setattr(clock, "now", lambda: datetime(2029, 5, 1, 6, tzinfo=UTC))
    may = books.issued(account).number
    assert (february, may) == ("INV/28-29/00001", "INV/29-30/00001")


def test_44_what_floats_cannot_add_is_exact(books: Books) -> None:
    """0.1 + 0.2, and 1.005 that a float holds as less."""
    account = books.account()
    made = books.draft(account, item("0.10", "0"), item("0.20", "0"))
    assert made.total == Decimal("0.30")
    # 100.50 times 0.01 is 1.005, which goes up; the float product is 1.00.
    assert books.draft(account, item("100.50", "0", "0.01")).total == Decimal("1.01")
    largest = books.draft(account, item("90071992547409.91", "0"))
    assert largest.total == Decimal("90071992547409.91")


def test_44_tax_is_rounded_on_each_line(books: Books) -> None:
    account = books.account(state_code="33")
    made = books.draft(account, *(item("0.03") for _ in range(3)))
    assert (made.subtotal, made.igst) == (Decimal("0.09"), Decimal("0.03"))


def test_46_the_day_it_is_due_comes_from_the_terms_on_the_day_of_issue(books: Books) -> None:
    for days in (0, 15, 45):
        account = books.account(payment_terms_days=days)
        made = books.issued(account)
        assert made.issued_on is not None
        assert made.due_on == made.issued_on + timedelta(days=days)


def test_46_overdue_begins_on_the_day_after(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    account = books.account(payment_terms_days=0)
    made = books.issued(account)
    assert made.due_on is not None
    # 23:59:59 and 24:00 of that day in India.
    midnight = datetime(made.due_on.year, made.due_on.month, made.due_on.day, 18, 30, tzinfo=UTC)

    def overdue() -> list[bool]:
        with books.acting() as connection:
            listed = records.search(
                connection, books.firm_id, account_id=account.account_id, is_overdue=True, limit=5
            )
            found = records.find(connection, books.firm_id, made.invoice_id)
        return [found.is_overdue, made.invoice_id in {one.invoice_id for one in listed}]

    monkeypatch.setattr(clock, "now", lambda: midnight - timedelta(seconds=1))
    assert overdue() == [False, False]
    monkeypatch.setattr(clock, "now", lambda: midnight)
    assert overdue() == [True, True]
    books.run(settling.settle, account, made.invoice_id, amount=made.due, mode="upi", key="late")
    assert overdue() == [False, False]


def test_46_a_credit_note_above_what_is_left_is_refused_and_not_cut(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    with pytest.raises(ServiceError, match="AMOUNT_EXCEEDS_DUE"):
        books.run(
            adjusting.credit_note,
            account,
            made.invoice_id,
            amount=Decimal("1180.01"),
            reason="all of it",
            key="over",
        )
    done = books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        amount=Decimal("1180.00"),
        reason="all of it",
        key="whole",
    )
    assert (done.invoice.status, done.invoice.due) == ("paid", Decimal("0.00"))


def _work_order(books: Books) -> tuple[UUID, Account]:
    order = new_id()
    with books.acting() as connection:
        connection.execute(
            text(
                "insert into work_orders (tenant_id, work_order_id, reference, report_type,"
                " bank_type, source_type, contract, created_at, updated_at) values (:tenant, :order,"
                " :ref, 'VALUATION', 'SBI', 'TENANT', :contract, :now, :now)"
            ),
            {
                "tenant": books.firm_id,
                "order": order,
                "ref": f"WO-{order}",
                "contract": '{"meta":{"report_type":"VALUATION"}}',
                "now": clock.now(),
            },
        )
    return order, books.account()


def test_47_a_report_costs_what_the_price_list_says_and_is_found_by_its_work_order(
    books: Books,
) -> None:
    order, account = _work_order(books)
    made = books.run(drafting.draft_for_work_order, account, order, key="wo")
    assert (made.status, made.subtotal, made.total) == (
        "draft",
        Decimal("1500.00"),
        Decimal("1770.00"),
    )
    # Once more is the same one, whatever the key.
    assert books.run(drafting.draft_for_work_order, account, order, key="x") == made
    with books.acting() as connection:
        assert records.invoice_of_work_order(connection, books.firm_id, order) == made
    # It can be issued, and so paid.
    issued = books.run(issuing.issue, account, made.invoice_id, key="wo-issue")
    paid = books.run(
        settling.settle, account, made.invoice_id, amount=issued.due, mode="upi", key="wo-paid"
    )
    assert paid.invoice.is_paid


def test_47_a_note_with_a_marker_is_no_invoice_of_a_work_order(books: Books) -> None:
    order, account = _work_order(books)
    books.draft(account, notes=f"[REPOGEN_WO:{order}]")
    with books.acting() as connection:
        assert records.invoice_of_work_order(connection, books.firm_id, order) is None


def test_47_a_work_order_has_one_invoice_until_it_is_void(books: Books) -> None:
    order, account = _work_order(books)
    made = books.run(drafting.draft_for_work_order, account, order, key="one")
    with pytest.raises(ServiceError, match="WORK_ORDER_INVOICED"):
        books.draft(account, work_order_id=order)
    books.run(issuing.void, account, made.invoice_id, reason="given up", key="v")
    again = books.run(drafting.draft_for_work_order, account, order, key="two")
    assert again.invoice_id != made.invoice_id


def test_42_more_than_is_due_is_taken_and_never_throws_for_ever(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    order = new_id()
    given = {"amount": Decimal("2000.00"), "mode": "stripe", "payment_order_id": order}
    done = books.run(settling.settle, account, made.invoice_id, key="evt_1", **given)
    assert (done.applied, done.advance) == (Decimal("1180.00"), Decimal("820.00"))
    assert done.invoice.is_paid
    again = books.run(settling.settle, account, made.invoice_id, key="evt_1", **given)
    assert (again.settlement_id, again.replayed) == (done.settlement_id, True)
    # Another event for the settled invoice: all of it stays with the account.
    more = books.run(settling.settle, account, made.invoice_id, key="evt_2", **given)
    assert (more.applied, more.advance) == (Decimal("0.00"), Decimal("2000.00"))
    with books.acting() as connection:
        left = settling.advances_of(connection, books.firm_id, account.account_id)
    assert left == Decimal("2820.00")


def test_m5_1_5_paid_twice_under_one_key_is_paid_once(books: Books) -> None:
    account = books.account()
    made = books.issued(account, item("100.00", "0"))
    for _ in range(2):
        done = books.run(
            settling.settle,
            account,
            made.invoice_id,
            amount=Decimal("100.00"),
            mode="upi",
            key="idem-mark-paid",
            refuses_excess=True,
        )
        assert done.invoice.status == "paid"
    with books.acting() as connection:
        assert len(records.settlements_of(connection, books.firm_id, made.invoice_id)) == 1


def test_issuing_again_is_refused_but_for_its_own_key_and_dates(books: Books) -> None:
    account = books.account()
    made = books.draft(account)
    first = books.run(issuing.issue, account, made.invoice_id, key="k")
    assert books.run(issuing.issue, account, made.invoice_id, key="k") == first
    with pytest.raises(ServiceError, match="INVOICE_ALREADY_ISSUED"):
        books.run(issuing.issue, account, made.invoice_id, key="another")
    with pytest.raises(ServiceError, match="IDEMPOTENCY_KEY_REUSED"):
        books.run(issuing.issue, account, made.invoice_id, key="k", due_on=date(2030, 1, 1))


def test_the_states_in_their_order(books: Books) -> None:
    account = books.account()
    made = books.draft(account)
    with pytest.raises(ServiceError, match="INVOICE_NOT_OPEN"):
        books.run(notices.notify, account, made.invoice_id, "sent", key="s0")
    issued = books.run(issuing.issue, account, made.invoice_id, key="i")
    sent = books.run(notices.notify, account, made.invoice_id, "sent", key="s1")
    part = books.run(
        settling.settle, account, made.invoice_id, amount=Decimal(1), mode="cash", key="p1"
    ).invoice
    paid = books.run(
        settling.settle, account, made.invoice_id, amount=part.due, mode="cash", key="p2"
    ).invoice
    states = [one.status for one in (made, issued, sent, part, paid)]
    assert states == ["draft", "issued", "sent", "partially_paid", "paid"]
    with pytest.raises(ServiceError, match="INVOICE_NOT_OPEN"):
        books.run(notices.notify, account, made.invoice_id, "sent", key="s2")


def test_void_twice_is_once_and_with_payments_never(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    gone = books.run(issuing.void, account, made.invoice_id, reason="wrong", key="v1")
    assert (gone.status, gone.number, gone.due) == ("void", made.number, Decimal("0.00"))
    assert books.run(issuing.void, account, made.invoice_id, reason="again", key="v2") == gone
    paid = books.issued(account)
    books.run(settling.settle, account, paid.invoice_id, amount=Decimal(1), mode="upi", key="vp")
    with pytest.raises(ServiceError, match="INVOICE_HAS_PAYMENTS"):
        books.run(issuing.void, account, paid.invoice_id, reason="wrong", key="v3")
    credited = books.issued(account)
    given = {"amount": Decimal(1), "reason": "x", "key": "vc"}
    books.run(adjusting.credit_note, account, credited.invoice_id, **given)
    with pytest.raises(ServiceError, match="INVOICE_HAS_CREDIT_NOTES"):
        books.run(issuing.void, account, credited.invoice_id, reason="wrong", key="v4")
    with pytest.raises(ServiceError, match="INVOICE_VOID"):
        books.run(issuing.issue, account, made.invoice_id, key="after")


def test_only_a_draft_is_edited(books: Books) -> None:
    account = books.account()
    made = books.draft(account)
    changed = books.run(
        drafting.change_draft, account, made.invoice_id, items=[item("10.00", "18")]
    )
    assert (changed.total, changed.version) == (Decimal("11.80"), 2)
    books.run(issuing.issue, account, made.invoice_id, key="e")
    with pytest.raises(ServiceError, match="INVOICE_NOT_DRAFT"):
        books.run(drafting.change_draft, account, made.invoice_id, items=[item()])


def test_one_reminder_for_each_key(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    for key in ("r1", "r1", "r2"):
        books.run(notices.notify, account, made.invoice_id, "reminder", key=key)
    with books.acting() as connection:
        said = records.notices_of(connection, books.firm_id, made.invoice_id)
    assert [one.operation_key for one in said] == ["r1", "r2"]
