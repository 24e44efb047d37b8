"""Periods are calendar months counted from the first day, in the subscriber's own time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from service.subscriptions.periods import anchor, begins_at, day_at, first_anchor, period_on
from tests.service.subscriptions.plain_model import DAY, is_anchor

ZONES = (
    "Asia/Kolkata", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
    "America/Sao_Paulo", "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "UTC",
)  # fmt: skip


@pytest.mark.parametrize("anchor_day", range(1, 32))
def test_ten_years_of_anchors_are_the_days_that_one_finds_in_a_calendar(anchor_day: int) -> None:
    for first in (date(2026, 1, 1), date(2024, 2, 1), date(2023, 2, 1), date(2027, 11, 30)):
        start = first_anchor(first, anchor_day)
        days = [start + DAY * k for k in range(3660)]
        expected = [day for day in days if is_anchor(day, anchor_day)]

        assert [anchor(start, anchor_day, n) for n in range(len(expected))] == expected
        found = [period_on(start, anchor_day, day) for day in days]
        assert found == [
            n for n, (a, b) in enumerate(zip(expected, [*expected[1:], days[-1] + DAY], strict=True))
            for _ in range((b - a).days)
        ]  # fmt: skip


def test_the_thirty_first_does_not_become_the_twenty_eighth() -> None:
    starts = [anchor(date(2027, 12, 31), 31, n) for n in range(5)]

    assert starts == [
        date(2027, 12, 31), date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30),
    ]  # fmt: skip


def test_a_subscription_that_begins_in_a_short_month_keeps_its_day() -> None:
    assert anchor(date(2027, 2, 28), 31, 1) == date(2027, 3, 31)
    assert anchor(date(2027, 2, 28), 28, 1) == date(2027, 3, 28)


def test_days_before_the_first_are_in_no_period() -> None:
    assert period_on(date(2026, 3, 15), 15, date(2026, 3, 14)) == -1
    assert period_on(date(2026, 3, 15), 15, date(2026, 3, 15)) == 0


@pytest.mark.parametrize("zone", ZONES)
def test_a_period_begins_with_the_first_instant_of_its_day_in_any_zone(zone: str) -> None:
    """Also where clocks are put on at midnight, so that there is none."""
    for day in (date(2015, 1, 1) + DAY * k for k in range(4400)):
        instant = begins_at(day, zone).astimezone(UTC)

        assert day_at(instant, zone) >= day
        assert day_at(instant - timedelta(hours=2), zone) < day, day


def test_the_night_in_which_london_puts_its_clocks_back_has_one_beginning() -> None:
    assert begins_at(date(2026, 10, 25), "Europe/London") == datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert begins_at(date(2026, 10, 26), "Europe/London") == datetime(2026, 10, 26, 0, tzinfo=UTC)
    assert day_at(datetime(2026, 10, 24, 22, 59, tzinfo=UTC), "Europe/London") == date(2026, 10, 24)
