"""Ten simulated years of every anchor day agree with the plain model; and each rule by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from service.subscriptions.periods import begins_at, day_at, first_anchor
from service.subscriptions.standing import Pass, Standing, Terms, looks_again_on, pass_on, resume
from tests.chaos.size import IS_FULL
from tests.service.subscriptions.plain_model import PlainSubscription

ZONES = ("Asia/Kolkata", "Europe/London", "America/Sao_Paulo", "Pacific/Auckland")
HOUR = timedelta(hours=1)
#: What the clock does to a look: nothing, a jump either way, a minute to midnight, much too late.
JUMPS = (timedelta(0), HOUR, -HOUR, timedelta(minutes=-1), timedelta(days=9), timedelta(days=75))


class Kept:
    """A subscription kept by the service's rules, as its rows would be."""

    def __init__(self, terms: Terms) -> None:
        self.terms, self.standing = terms, Standing("active")
        self.given: list[int] = []
        self.asked: list[int] = []

    def look(self, today: date, *, may_ask: bool = True) -> None:
        while (done := pass_on(self.terms, self.standing, today, may_ask=may_ask)) != Pass(
            self.standing
        ):
            # Never something given and something found wanting in one pass.
            assert not done.refilled or done.standing.status == "active"
            assert not done.refilled or done.asked is None
            self.standing = done.standing
            self.given += done.refilled
            self.asked += [] if done.asked is None else [done.asked]

    def pay(self, period: int) -> None:
        now = self.standing
        owed = None if now.owed == period else now.owed
        self.standing = replace(now, owed=owed, paid=now.paid | {period})

    def pause(self, today: date) -> None:
        if self.standing.status in {"active", "past_due", "suspended"}:
            self.look(today, may_ask=False)
            self.standing = replace(self.standing, status="paused")

    def resume(self, today: date) -> None:
        if self.standing.status == "paused":
            self.standing = resume(self.terms, self.standing, today)
            self.look(today)

    def cancel(self, today: date) -> None:
        self.look(today, may_ask=False)
        self.standing = replace(self.standing, status="cancelled")


def _simulate(anchor_day: int, zone: str, *, price: int, grace: int, random: Random) -> None:
    start = first_anchor(date(2026, random.randint(1, 12), random.randint(1, 28)), anchor_day)
    kept = Kept(Terms(start, anchor_day, price == 0, grace))
    model = PlainSubscription(start, anchor_day, price=price, grace=grace)
    clock, end = begins_at(start, zone).astimezone(UTC), start.replace(year=start.year + 10)
    while (today := day_at(clock, zone)) < end:
        what = random.random()
        today = day_at(clock + random.choice(JUMPS[:4]), zone)
        if today >= start:
            if what < 0.03:
                kept.pause(today), model.pause(today)
            elif what < 0.09:
                kept.resume(today), model.resume(today)
            elif what < 0.5 and price and model.owed is not None:
                owed = model.owed
                kept.pay(owed), model.pay(owed)
            elif what < 0.54 and price and model.owed is None and model.mode == "on":
                ahead = max(model.running(today), max(model.fate, default=-1)) + random.randint(
                    1, 2
                )
                kept.pay(ahead), model.pay(ahead)
            for _ in range(random.choice((1, 1, 2))):
                kept.look(today), model.look(today)
        assert kept.standing.status == model.status, (anchor_day, zone, today)
        assert kept.given == model.given, (anchor_day, zone, today)
        assert kept.asked == model.asked, (anchor_day, zone, today)
        clock += timedelta(days=random.choice((1, 2, 3, 7))) + random.choice(JUMPS)
    assert len(set(kept.given)) == len(kept.given)


@pytest.mark.parametrize("anchor_day", range(1, 32))
def test_ten_years_of_sweeps_jumps_pauses_and_payments_agree_with_the_plain_model(
    anchor_day: int,
) -> None:
    random = Random(anchor_day)  # noqa: S311 - a seed that repeats
    zones = ZONES if IS_FULL else (ZONES * 2)[anchor_day % 4 : anchor_day % 4 + 2]
    for zone in zones:
        for price, grace in ((0, 7), (100, 7), (100, 0), (100, 40)):
            for _ in range(5 if IS_FULL else 1):
                _simulate(anchor_day, zone, price=price, grace=grace, random=random)


@pytest.mark.parametrize("anchor_day", range(1, 32))
def test_in_ten_years_of_hourly_looks_each_paid_period_is_refilled_when_it_begins(
    anchor_day: int,
) -> None:
    """A look at every hour around each beginning, through summer times and with a clock that jumps."""
    zone, start = "Europe/London", first_anchor(date(2026, 1, 1), anchor_day)
    terms = Terms(start, anchor_day, is_free=True, grace_days=7)
    kept = Kept(terms)
    for n in range(120):
        again = looks_again_on(terms, kept.standing)
        assert again is not None
        begins = begins_at(again, zone).astimezone(UTC)
        for step in (-HOUR, -timedelta(seconds=1)):
            kept.look(day_at(begins + step, zone))
            assert kept.given == list(range(n)), "a moment before, nothing"
        for step in (timedelta(0), -HOUR, HOUR, HOUR * 24 * 20, -HOUR):
            kept.look(day_at(begins + step, zone))
            assert kept.given == list(range(n + 1)), "from the first instant, once"


MONTHLY = Terms(date(2026, 1, 31), 31, is_free=False, grace_days=7)


def test_what_is_not_paid_is_asked_for_and_never_given() -> None:
    done = pass_on(MONTHLY, Standing("active"), date(2026, 1, 31))

    assert done.asked == 0
    assert done.refilled == ()
    assert (done.standing.status, done.standing.grace_until) == ("past_due", date(2026, 2, 7))


def test_the_last_day_of_grace_is_in_time_and_the_next_one_is_not() -> None:
    owed = pass_on(MONTHLY, Standing("active"), date(2026, 1, 31)).standing

    assert pass_on(MONTHLY, owed, date(2026, 2, 7)).standing.status == "past_due"
    assert pass_on(MONTHLY, owed, date(2026, 2, 8)).standing.status == "suspended"
    assert looks_again_on(MONTHLY, owed) == date(2026, 2, 8)


def test_payment_ends_a_suspension_and_the_running_period_alone_is_asked_for() -> None:
    kept = Kept(MONTHLY)
    kept.look(date(2026, 1, 31))
    kept.look(date(2026, 5, 10))
    assert kept.standing.status == "suspended"

    kept.pay(0)
    kept.look(date(2026, 5, 10))

    assert (kept.given, kept.asked) == ([0], [0, 3]), "February and March lapsed"
    assert kept.standing.status == "past_due"


def test_a_plan_without_a_price_never_owes_anything() -> None:
    kept = Kept(replace(MONTHLY, is_free=True))

    kept.look(date(2036, 1, 30))

    assert (kept.standing.status, kept.given) == ("active", list(range(120)))


def test_a_paused_subscription_gets_nothing_and_what_ended_meanwhile_has_lapsed() -> None:
    kept = Kept(replace(MONTHLY, is_free=True))
    kept.look(date(2026, 1, 31))
    kept.pause(date(2026, 2, 1))
    kept.look(date(2026, 6, 1))
    assert kept.given == [0]

    kept.resume(date(2026, 6, 1))

    assert kept.given == [0, 4], (
        "the period that is running has its credits, those between have not"
    )


def test_a_late_look_makes_up_for_each_period_that_was_paid() -> None:
    kept = Kept(MONTHLY)
    for period in range(3):
        kept.pay(period)

    kept.look(date(2026, 6, 1))

    assert (kept.given, kept.asked) == ([0, 1, 2], [4])


def test_a_cancelled_subscription_does_nothing_any_more() -> None:
    kept = Kept(replace(MONTHLY, is_free=True))
    kept.cancel(date(2026, 2, 1))
    kept.look(date(2030, 1, 1))

    assert (kept.given, kept.standing.status) == ([0], "cancelled")


def test_a_clock_that_went_back_a_year_takes_nothing_back() -> None:
    kept = Kept(replace(MONTHLY, is_free=True))
    kept.look(date(2027, 3, 1))
    before = kept.standing, list(kept.given)

    kept.look(datetime(2026, 3, 1, tzinfo=UTC).date())

    assert (kept.standing, kept.given) == before
