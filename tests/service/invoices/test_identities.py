"""Whatever is invoiced and settled in whatever order, the identities hold after every step."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.billing.journal import verify_journal
from service.billing.money import paise
from service.errors import ServiceError
from service.invoices import adjusting, issuing, notices, records, settling
from service.invoices.totals import Item
from tests.service.invoices.conftest import Books
from tests.service.invoices.test_settling import balances

EXAMPLES, STEPS = (1000, 60) if os.environ.get("ZENOPS_CAMPAIGN") == "full" else (12, 12)
money = st.integers(1, 10_000_00).map(lambda paise: Decimal(paise).scaleb(-2))
items = st.builds(
    Item,
    description=st.just("x"),
    sac=st.just("998399"),
    quantity=st.integers(1, 9_999).map(lambda hundredths: Decimal(hundredths).scaleb(-2)),
    # Five lines stay below the INR 50,000 from which an address is asked for.
    unit_price=st.integers(0, 100_00),
    tax_rate=st.sampled_from([Decimal(0), Decimal(5), Decimal(18), Decimal(40)]),
)
steps = st.tuples(
    st.sampled_from(["pay", "pay strictly", "credit", "refund", "chargeback", "void", "send"]),
    money,
)


@pytest.mark.campaign
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    lines=st.lists(items, min_size=1, max_size=5),
    state=st.sampled_from(["29", "33", None]),
    story=st.lists(steps, max_size=STEPS),
)
def test_amounts_are_those_of_lines_and_settlements(
    books: Books, lines: list[Item], state: str | None, story: list[tuple[str, Decimal]]
) -> None:
    account = books.account(state_code=state)
    made = books.issued(account, *lines)
    payments: list[Any] = []
    for number, (what, amount) in enumerate(story):
        before = _seen(books, account, made.invoice_id)
        try:
            if what.startswith("pay"):
                done = books.run(
                    settling.settle,
                    account,
                    made.invoice_id,
                    amount=amount,
                    mode="upi",
                    key=f"{account.account_id}:{number}",
                    refuses_excess=what == "pay strictly",
                )
                payments += [done.settlement_id] if done.settlement_id else []
            elif what == "credit":
                books.run(
                    adjusting.credit_note,
                    account,
                    made.invoice_id,
                    amount=amount,
                    reason="x",
                    key=f"{account.account_id}:{number}",
                )
            elif what == "void":
                books.run(
                    issuing.void,
                    account,
                    made.invoice_id,
                    reason="x",
                    key=f"{account.account_id}:{number}",
                )
            elif what == "send":
                books.run(
                    notices.notify, account, made.invoice_id, "sent", key=f"{made.invoice_id}"
                )
            elif payments:
                books.run(
                    settling.reverse_settlement,
                    account,
                    kind=what,
                    settlement_id=payments[number % len(payments)],
                    amount=amount,
                    key=f"{account.account_id}:{number}",
                )
        except ServiceError:
            # What is refused has changed nothing.
            assert _seen(books, account, made.invoice_id) == before
        _check(books, account, made.invoice_id)


def _seen(books: Books, account: Any, invoice_id: Any) -> Any:
    with books.acting() as connection:
        return (
            records.find(connection, books.firm_id, invoice_id),
            records.settlements_of(connection, books.firm_id, invoice_id),
            balances(books, account),
        )


def _check(books: Books, account: Any, invoice_id: Any) -> None:
    with books.acting() as connection:
        invoice = records.find(connection, books.firm_id, invoice_id)
        lines = records.lines_of(connection, books.firm_id, invoice_id)
        settlements = records.settlements_of(connection, books.firm_id, invoice_id)
        assert verify_journal(connection, books.firm_id, account.account_id) == []
    sums = {kind: Decimal(0) for kind in ("payment", "credit_note", "refund", "chargeback")}
    for one in settlements:
        sums[one.kind] += one.amount
    total = sum(line.line_total + line.cgst + line.sgst + line.igst for line in lines)
    assert paise(invoice.total) == total
    assert invoice.paid == sums["payment"] - sums["refund"] - sums["chargeback"]
    assert invoice.credited == sums["credit_note"]
    assert invoice.credited + invoice.paid <= invoice.total
    is_void = invoice.status == "void"
    assert invoice.due == (0 if is_void else invoice.total - invoice.credited - invoice.paid)
    assert (invoice.status == "paid") == (not is_void and invoice.due == 0)
    books_now = balances(books, account)
    assert books_now.get("inr:receivable", 0) == paise(invoice.due)
    assert sum(books_now.values()) == 0
    taxes = sum(books_now.get(f"inr:output_{name}", 0) for name in ("cgst", "sgst", "igst"))
    if invoice.due == 0 and invoice.credited == invoice.total:
        assert (taxes, books_now.get("inr:revenue", 0)) == (0, 0)
