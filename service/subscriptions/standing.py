"""What the passing of time does to a subscription: one function, of dates alone.

A pass either gives the credits of periods that are paid, or asks for the price of the one that is
running, or lets a period of grace end. It never does two of these at once, so nothing is given and
found wanting in the same pass; whoever calls it calls it again until it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from service.subscriptions.periods import anchor, period_on

Status = Literal["active", "paused", "past_due", "suspended", "cancelled"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed, and does not change."""

    started_on: date
    anchor_day: int
    is_free: bool
    grace_days: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands.

    Attributes:
        status: what it is called.
        next_period: the first period that has neither begun nor lapsed.
        grace_until: the last day on which what is owed may still be paid in time.
        owed: the period whose price has been asked for and not been paid.
        paid: periods that are paid and have not had their credits, also future ones.
    """

    status: Status
    next_period: int = 0
    grace_until: date | None = None
    owed: int | None = None
    paid: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass does.

    Attributes:
        standing: how things stand afterwards.
        free: periods that begin and cost nothing.
        refilled: periods whose credits are given.
        asked: the period whose price is asked for.
    """

    standing: Standing
    free: tuple[int, ...] = ()
    refilled: tuple[int, ...] = ()
    asked: int | None = None


def pass_on(terms: Terms, standing: Standing, today: date, *, may_ask: bool = True) -> Pass:
    """What is due on a day.

    A free plan's periods all begin, however late that is noticed. Of a plan with a price only the
    running period is asked for: one that ended before anybody was asked for its price has lapsed,
    and so have those that ended while an earlier one was owed. What is paid is given in any case,
    as soon as nothing is owed; a subscription that is over has only what was paid for a period that
    had begun.

    Args:
        terms: what was agreed.
        standing: how things stand.
        today: the day, where the subscriber lives.
        may_ask: whether a price may be asked for, or what is owed be found late.
    """
    if standing.status == "paused":
        return Pass(standing)
    if standing.status == "cancelled":
        late = tuple(sorted(one for one in standing.paid if one < standing.next_period))
        return Pass(replace(standing, paid=standing.paid - set(late)), refilled=late)
    if standing.owed is not None:
        return Pass(_while_owed(terms, standing, today) if may_ask else standing)
    running = period_on(terms.started_on, terms.anchor_day, today)
    n, free = standing.next_period, []
    while n <= running:
        if terms.is_free and n not in standing.paid:
            free.append(n)
        elif n == running and n not in standing.paid:
            break
        n += 1
    paid = standing.paid | frozenset(free)
    refilled = tuple(sorted(one for one in paid if one < n))
    settled = replace(
        standing,
        status="active",
        grace_until=None,
        next_period=n,
        paid=paid - frozenset(refilled),
    )
    if refilled or n > running or not may_ask:
        return Pass(settled, free=tuple(free), refilled=refilled)
    until = today + timedelta(days=terms.grace_days)
    return Pass(
        replace(settled, status="past_due", grace_until=until, owed=n, next_period=n + 1), asked=n
    )


def _while_owed(terms: Terms, standing: Standing, today: date) -> Standing:
    if standing.status == "active":
        # It was paused meanwhile: what is owed is owed anew from the day it goes on.
        until = today + timedelta(days=terms.grace_days)
        return replace(standing, status="past_due", grace_until=until)
    if standing.status == "past_due" and standing.grace_until and today > standing.grace_until:
        return replace(standing, status="suspended")
    return standing


def resume(terms: Terms, standing: Standing, today: date) -> Standing:
    """How a paused subscription stands when it goes on: what ended meanwhile has lapsed."""
    running = period_on(terms.started_on, terms.anchor_day, today)
    return replace(standing, status="active", next_period=max(standing.next_period, running))


def looks_again_on(terms: Terms, standing: Standing) -> date | None:
    """The day on which time alone changes something again; None if only somebody's act does."""
    if standing.status == "active" and standing.owed is None:
        return anchor(terms.started_on, terms.anchor_day, standing.next_period)
    if standing.status == "past_due" and standing.grace_until is not None:
        return standing.grace_until + timedelta(days=1)
    return None
