"""What the sweep gives, asks for and ends; and that it does so once, whoever else is at it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.billing.accounts import find_account
from service.errors import ServiceError
from service.invoices.issuing import void
from service.invoices.records import find as find_invoice
from service.invoices.settling import settle
from service.jobs.scheduler import tick
from service.jobs.tasks import TASKS
from service.subscriptions import refilling, subscribing, sweeping
from service.subscriptions.sweeping import Swept
from tests.service.subscriptions.conftest import Books

#: Noon of 31 January in India; the account's day.
NOON = (2026, 1, 31, 6, 30)


def test_subscribing_gives_nothing_and_the_next_sweep_gives_the_first_credits(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(credits=5)
    assert books.wallet(one) == 0
    assert (one.started_on, one.anchor_day) == (date(2026, 1, 31), 31)

    swept = books.sweep()

    assert (swept.refilled, swept.errors) == (1, ())
    assert books.wallet(one) == 5
    assert books.grants(one) == [f"refill:{one.subscription_id}:2026-01-31"]
    assert books.sweep() == Swept()


def test_the_next_period_begins_at_local_midnight_and_not_a_second_before(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed()
    books.sweep()

    set_clock(datetime(2026, 2, 27, 18, 29, 59, tzinfo=UTC))
    assert books.sweep() == Swept()
    set_clock(datetime(2026, 2, 27, 18, 30, tzinfo=UTC))
    books.sweep()

    assert [it.starts_on for it in books.periods(one)] == [date(2026, 1, 31), date(2026, 2, 28)]
    assert books.periods(one)[1].ends_on == date(2026, 3, 31)
    assert books.wallet(one) == 10


def test_a_price_is_asked_for_by_an_issued_invoice_and_nothing_is_given_until_it_is_paid(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500, credits=5, grace=7)

    swept = books.sweep()

    assert (swept.past_due, swept.refilled) == (1, 0)
    now, (period,) = books.now(one), books.periods(one)
    assert (now.status, now.grace_until) == ("past_due", date(2026, 2, 7))
    assert (period.status, books.wallet(one)) == ("unpaid", 0)
    with books.acting() as connection:
        invoice = find_invoice(connection, books.firm_id, period.invoice_id)
    assert (invoice.status, invoice.total, invoice.subtotal) == ("issued", 590, 500)

    books.pay_invoice(one, 0)
    swept = books.sweep()

    assert (swept.refilled, swept.reactivated, swept.past_due) == (1, 1, 0)
    assert (books.now(one).status, books.wallet(one)) == ("active", 5)
    assert books.sweep() == Swept()


def test_grace_ends_in_suspension_and_a_later_payment_in_reactivation(
    books: Books, set_clock: Any
) -> None:
    """An internal subscription is not suspended for ever, as the original's were."""
    set_clock(*NOON)
    one = books.subscribed(price=500, grace=7)
    books.sweep()

    set_clock(2026, 2, 7, 18, 29)
    assert books.sweep() == Swept()
    set_clock(2026, 2, 7, 18, 30)
    assert books.sweep().suspended == 1
    assert books.now(one).status == "suspended"
    set_clock(2026, 4, 2)
    assert books.sweep() == Swept()
    assert [it.period for it in books.periods(one)] == [0], "nothing more is asked for meanwhile"

    books.pay_invoice(one, 0)
    swept = books.sweep()

    assert (swept.reactivated, swept.refilled, swept.past_due) == (1, 1, 1)
    assert [(it.period, it.status) for it in books.periods(one)] == [(0, "paid"), (2, "unpaid")]
    assert books.wallet(one) == 5, "the running period is asked for, and not given yet"


def test_the_credits_of_an_unpaid_period_are_never_given_whatever_the_sweep_does(
    books: Books, set_clock: Any
) -> None:
    """Weakness 39: the original refilled an unpaid subscription and found it past due in one pass."""
    set_clock(*NOON)
    one = books.subscribed(price=500)
    for days in range(0, 100, 3):
        set_clock(datetime(*NOON, tzinfo=UTC) + timedelta(days=days))
        books.sweep()

    assert books.wallet(one) == 0
    assert books.grants(one) == []


def test_the_database_refuses_a_second_refill_and_one_of_an_unpaid_period(
    books: Books, set_clock: Any, owner_engine: Any
) -> None:
    set_clock(*NOON)
    free, owing = books.subscribed(credits=0), books.subscribed(price=500, credits=0)
    books.sweep()
    refill = text(
        "insert into subscription_refills (tenant_id, subscription_id, period, credits, created_at)"
        " values (:tenant, :one, 0, 0, now())"
    )
    for one in (free, owing):
        with pytest.raises(IntegrityError), owner_engine.begin() as connection:
            connection.execute(refill, {"tenant": books.firm_id, "one": one.subscription_id})
    with pytest.raises(IntegrityError), owner_engine.begin() as connection:
        connection.execute(
            text(
                "update subscription_periods set status = 'unpaid', paid_at = null, paid_by = null"
                " where subscription_id = :one"
            ),
            {"one": free.subscription_id},
        )


def test_two_sweeps_at_once_refill_once(books: Books, set_clock: Any) -> None:
    set_clock(*NOON)
    some = [books.subscribed() for _ in range(5)]
    some += [books.subscribed(price=500) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        swept = list(pool.map(lambda _: books.sweep(), range(4)))

    assert sum(one.refilled for one in swept) == 5
    assert sum(one.past_due for one in swept) == 3
    assert [len(books.periods(one)) for one in some] == [1] * 8
    assert [books.wallet(one) for one in some] == [5] * 5 + [0] * 3


def test_a_sweep_that_was_away_for_three_months_gives_each_free_period_once(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed()
    books.sweep()

    set_clock(2026, 5, 1)
    swept = books.sweep()

    assert (swept.scanned, swept.refilled) == (1, 1)
    assert [it.starts_on for it in books.periods(one)] == [
        date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30),
    ]  # fmt: skip
    assert books.wallet(one) == 20


def test_what_a_provider_was_paid_for_beforehand_is_given_when_its_day_comes(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500, provider="stripe", provider_subscription_id="sub_ahead")
    books.run(refilling.paid, one, by="stripe:in_1")
    books.run(refilling.paid, one, by="stripe:in_2")
    books.run(refilling.paid, one, 1, by="stripe:in_2")
    assert books.wallet(one) == 5

    set_clock(2026, 3, 1)
    assert books.sweep().refilled == 1

    assert books.wallet(one) == 10
    assert [it.invoice_id for it in books.periods(one)] == [None, None]
    set_clock(2026, 4, 1)
    assert books.sweep().past_due == 1, "the provider has not been paid for this one"
    assert [it.invoice_id for it in books.periods(one)] == [None, None, None]
    books.run(refilling.paid, one, 3, by="stripe:in_4")
    set_clock(2026, 5, 1)
    books.sweep()
    assert [(it.period, it.status) for it in books.periods(one)] == [
        (0, "paid"), (1, "paid"), (2, "lapsed"), (3, "paid"),
    ]  # fmt: skip
    assert books.wallet(one) == 15


def test_a_period_that_has_an_invoice_is_paid_by_its_invoice_alone(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)
    books.sweep()

    with pytest.raises(ServiceError) as refused:
        books.run(refilling.paid, one, 0, by="stripe:in_9")

    assert refused.value.code == "SUBSCRIPTION_PERIOD_INVOICED"
    assert books.wallet(one) == 0


@pytest.mark.parametrize("period", [-1, 13])
def test_a_period_that_is_none_or_too_far_ahead_is_not_paid(
    books: Books, set_clock: Any, period: int
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)

    with pytest.raises(ServiceError) as refused:
        books.run(refilling.paid, one, period, by="stripe:in_9")

    assert refused.value.status == 422
    books.run(refilling.paid, one, 12, by="stripe:in_9")


def test_an_invoice_that_the_studio_takes_back_ends_what_is_owed_and_gives_nothing(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)
    books.sweep()
    (period,) = books.periods(one)
    with books.acting() as connection:
        account = find_account(connection, books.firm_id, one.account_id)
        void(connection, books.actor, account, period.invoice_id, reason="a gift", key="v")

    assert books.sweep().reactivated == 1

    assert (books.now(one).status, books.wallet(one)) == ("active", 0)
    assert books.periods(one)[0].status == "lapsed"


def test_whoever_settles_an_invoice_may_say_so_at_once(books: Books, set_clock: Any) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)
    books.sweep()
    books.pay_invoice(one, 0)
    invoice_id = books.periods(one)[0].invoice_id

    with books.acting() as connection:
        moved = refilling.invoice_changed(connection, books.actor, books.firm_id, invoice_id)
        of_nothing = refilling.invoice_changed(
            connection, books.actor, books.firm_id, books.firm_id
        )

    assert moved is not None
    assert (moved.refilled, moved.subscription.status) == ((0,), "active")
    assert of_nothing is None


def test_one_that_cannot_be_swept_is_told_of_and_holds_up_no_other(
    books: Books, set_clock: Any, owner_engine: Any
) -> None:
    """Weakness 39: candidates were cut off by when they were last touched, so some never came."""
    set_clock(*NOON)
    broken = [books.subscribed(price=500) for _ in range(3)]
    fine = [books.subscribed() for _ in range(3)]
    with owner_engine.begin() as connection:
        connection.execute(text("update invoice_issuers set is_current = false"))
    try:
        at, last, seen = set_clock(*NOON), None, []
        while True:
            with books.acting() as connection:
                found = sweeping.due(connection, at, tenant_id=books.firm_id, after=last, limit=2)
            if not found:
                break
            seen.append(sweeping.sweep(found, books.acting, lambda _: books.actor, at=at))
            last = seen[-1].last
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("update invoice_issuers set is_current = true"))

    failures = [failure for one in seen for failure in one.errors]
    assert {failure.subscription_id for failure in failures} == {
        one.subscription_id for one in broken
    }
    assert {failure.code for failure in failures} == {"ISSUER_MISSING"}
    assert [books.wallet(one) for one in fine] == [5, 5, 5]
    assert books.sweep().past_due == 3, "as soon as it can be, it is made up for"


def test_a_suspension_survives_a_clock_that_goes_back_and_so_does_what_was_given(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    owing, free = books.subscribed(price=500), books.subscribed()
    books.sweep()
    set_clock(2026, 3, 5)
    books.sweep()
    for back in (timedelta(hours=1), timedelta(days=20), timedelta(days=300)):
        set_clock(datetime(2026, 3, 5, tzinfo=UTC) - back)
        books.sweep()

    assert books.now(owing).status == "suspended"
    assert books.wallet(free) == 10
    assert Decimal(books.now(free).next_period) == 2


def test_the_hourly_job_sweeps_each_firm_and_the_tick_asks_for_it_once(
    books: Books, set_clock: Any, run_jobs: Any, jobs_service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = [one for one in TASKS if one.name == "subscriptions.sweep"]
    # A page for each of them.
    monkeypatch.setattr(sweeping, "_STEP", 1)
    set_clock(*NOON)
    free, owing = books.subscribed(), books.subscribed(price=500)

    slots = [tick(jobs_service, task, datetime(*NOON, tzinfo=UTC)) for _ in range(2)]
    run_jobs()

    assert [len(one) for one in slots] == [1, 0]
    assert (books.wallet(free), books.now(owing).status) == (5, "past_due")
    assert books.periods(owing)[0].invoice_id is not None


def test_cancelling_takes_back_what_nobody_has_begun_to_pay(books: Books, set_clock: Any) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)
    books.sweep()

    moved = books.run(subscribing.cancel, one, reason="they left")

    assert moved.subscription.status == "cancelled"
    assert moved.subscription.cancelled_on == date(2026, 1, 31)
    (period,) = books.periods(one)
    assert period.status == "lapsed"
    with books.acting() as connection:
        assert find_invoice(connection, books.firm_id, period.invoice_id).status == "void"
    set_clock(2026, 6, 1)
    assert books.sweep() == Swept()


def test_what_was_paid_in_part_before_a_cancellation_is_given_once_it_is_paid_whole(
    books: Books, set_clock: Any
) -> None:
    set_clock(*NOON)
    one = books.subscribed(price=500)
    books.sweep()
    (period,) = books.periods(one)
    with books.acting() as connection:
        account = find_account(connection, books.firm_id, one.account_id)
        settle(
            connection, books.actor, account, period.invoice_id,
            amount=Decimal(90), mode="upi", key="part",
        )  # fmt: skip
    books.run(subscribing.cancel, one)
    assert books.periods(one)[0].status == "unpaid"
    assert books.sweep() == Swept()

    books.pay_invoice(one, 0)

    assert books.sweep().refilled == 1
    assert (books.wallet(one), books.now(one).status) == (5, "cancelled")
