"""Numbers: consecutive for each GSTIN and financial year, taken at issue only, without gaps."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from service import clock
from service.errors import ServiceError
from service.invoices import adjusting, issuing
from service.invoices.gst import check_digit
from service.invoices.numbering import number_text, take_number
from service.invoices.periods import financial_year
from service.invoices.records import Invoice
from tests.service.invoices.conftest import ISSUER_GSTIN, Books


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let it be another time."""
    monkeypatch.setattr(clock, "now", lambda: moment)


def numbers(owner_engine: Any, year: str, gstin: str = ISSUER_GSTIN) -> list[int]:
    """The numbers that were given in a year, as integers."""
    with owner_engine.connect() as connection:
        found = connection.scalars(
            text(
                "select number from service_invoices"
                " where issuer_gstin = :gstin and financial_year = :year order by number"
            ),
            {"gstin": gstin, "year": year},
        ).all()
    return sorted(int(one.rsplit("/", 1)[1]) for one in found)


def test_the_last_moment_of_march_and_the_first_of_april(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In India a year ends at 18:30 UTC on 31 March."""
    account = books.account()
    at(monkeypatch, datetime(2031, 3, 31, 18, 29, 59, tzinfo=UTC))
    last = books.issued(account)
    at(monkeypatch, datetime(2031, 3, 31, 18, 30, tzinfo=UTC))
    first = books.issued(account)

    assert (last.issued_on, last.financial_year) == (date(2031, 3, 31), "30-31")
    assert (first.issued_on, first.financial_year) == (date(2031, 4, 1), "31-32")
    assert first.number == "INV/31-32/00001"


@pytest.mark.parametrize(
    ("on", "year"),
    [
        (date(2026, 3, 31), "25-26"),
        (date(2026, 4, 1), "26-27"),
        (date(2026, 12, 31), "26-27"),
        (date(2027, 1, 1), "26-27"),
        (date(1999, 4, 1), "99-00"),
        (date(2000, 3, 31), "99-00"),
    ],
)
def test_the_financial_year_of_a_day(on: date, year: str) -> None:
    assert financial_year(on) == year


def test_a_number_has_at_most_sixteen_characters_of_those_allowed() -> None:
    for number in (1, 99_999, 100_000, 999_999):
        for written in (
            number_text("invoice", "26-27", number),
            number_text("credit_note", "26-27", number),
        ):
            assert re.fullmatch(r"[A-Z0-9/-]{1,16}", written)


def test_two_accounts_share_one_series(books: Books, owner_engine: Any) -> None:
    one, other = books.issued(books.account()), books.issued(books.account())
    assert one.number != other.number
    given = numbers(owner_engine, str(one.financial_year))
    assert given == list(range(1, len(given) + 1))


def test_many_at_once_leave_neither_gap_nor_duplicate(books: Books, owner_engine: Any) -> None:
    accounts = [books.account() for _ in range(4)]
    drafts = [(account, books.draft(account)) for account in accounts for _ in range(6)]
    before = len(numbers(owner_engine, financial_year(date.fromisoformat("2026-11-24"))))

    def issue(place: int) -> str | None:
        account, made = drafts[place]
        try:
            with books.acting() as connection:
                done = issuing.issue(
                    connection, books.actor, account, made.invoice_id, key=f"m{place}"
                )
                if place % 4 == 3:
                    # The transaction fails after the number was taken.
                    connection.exec_driver_sql("select 1 / 0")
                return done.number
        except DataError:
            return None

    with ThreadPoolExecutor(12) as pool:
        given = [one for one in pool.map(issue, range(len(drafts))) if one is not None]

    assert len(set(given)) == len(given) == 18
    year = given[0].split("/")[1]
    after = numbers(owner_engine, year)
    assert after == list(range(1, len(after) + 1))
    assert len(after) >= before + 18


def test_the_same_draft_issued_from_many_sides_gets_one_number(books: Books) -> None:
    account = books.account()
    made = books.draft(account)

    def issue(_: int) -> str | None:
        issued: Invoice = books.run(issuing.issue, account, made.invoice_id, key="same")
        return issued.number

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(issue, range(8)))) == 1


def test_a_refused_issue_takes_no_number(books: Books, owner_engine: Any) -> None:
    account = books.account()
    made = books.draft(account)
    year = financial_year(date(2026, 11, 24))
    with pytest.raises(ServiceError, match="DUE_DATE_INVALID"):
        books.run(issuing.issue, account, made.invoice_id, key="refused", due_on=date(2020, 1, 1))
    before = numbers(owner_engine, year)
    issued = books.issued(account)
    assert numbers(owner_engine, year) == [*before, len(before) + 1]
    assert issued.number == number_text("invoice", str(issued.financial_year), len(before) + 1)


def test_credit_notes_have_a_series_of_their_own(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    done = books.run(
        adjusting.credit_note,
        account,
        made.invoice_id,
        amount=Decimal("118.00"),
        reason="too dear",
        key="cn1",
    )
    with books.acting() as connection:
        found = connection.scalar(
            text("select number from invoice_settlements where settlement_id = :id"),
            {"id": done.settlement_id},
        )
    assert str(found).startswith("CRN/")


def test_no_document_is_dated_before_the_one_with_the_number_before(books: Books) -> None:
    account = books.account()
    today = books.issued(account).issued_on
    assert today is not None
    made = books.draft(account)
    for on, says in ((date(2026, 4, 1), "dated"), (date(2999, 1, 1), "yet to come")):
        with pytest.raises(ServiceError, match="ISSUE_DATE_INVALID") as refused:
            books.run(
                issuing.issue, account, made.invoice_id, key=f"on {on}".replace(" ", ":"), on=on
            )
        assert says in refused.value.detail
    assert (
        books.run(issuing.issue, account, made.invoice_id, key="today", on=today).issued_on == today
    )


def test_a_full_year_is_refused_by_name(books: Books, owner_engine: Any) -> None:
    gstin = "29AAACZ9998K1Z"
    gstin += check_digit(gstin)
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into invoice_number_series (tenant_id, gstin, financial_year, kind,"
                " last_number, last_on) values (:tenant, :gstin, '26-27', 'invoice', 999998,"
                " date '2026-04-01')"
            ),
            {"tenant": books.studio_id, "gstin": gstin},
        )
    with books.acting() as connection:
        today = date(2026, 11, 24)
        taken = take_number(connection, "invoice", gstin, today=today)
        assert taken.number == "INV/26-27/999999"
        with pytest.raises(ServiceError, match="NUMBER_SERIES_FULL"):
            take_number(connection, "invoice", gstin, today=today)


def test_whoever_goes_on_after_a_refusal_leaves_no_gap(books: Books, owner_engine: Any) -> None:
    """A refusal leaves the transaction usable, so it must not have taken a number in it."""
    account = books.account()
    last = books.issued(account)
    refused, then = books.draft(account), books.draft(account)
    with books.acting() as connection:
        for more in ({"on": date(2026, 4, 1)}, {"due_on": date(2020, 1, 1)}):
            with pytest.raises(ServiceError):
                issuing.issue(
                    connection, books.actor, account, refused.invoice_id, key="refused", **more
                )
        issuing.issue(connection, books.actor, account, then.invoice_id, key="then")
    given = numbers(owner_engine, str(last.financial_year))
    assert given == list(range(1, len(given) + 1))


def test_an_invoice_of_another_account_is_not_there(books: Books) -> None:
    made = books.draft(books.account())
    with pytest.raises(ServiceError, match="NOT_FOUND"):
        books.run(issuing.issue, books.account(), made.invoice_id, key="other")
