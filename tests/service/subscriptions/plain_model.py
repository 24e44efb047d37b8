"""What a subscription should have done, said a second time and in another way.

The model walks the calendar day by day with a pencil: it counts the anchor days it passes, and keeps
a ledger of periods. It shares no code with the service; it knows no month arithmetic.
"""

from __future__ import annotations

from datetime import date, timedelta

DAY = timedelta(days=1)


def is_anchor(day: date, anchor_day: int) -> bool:
    """Whether a day is the one that the anchor falls on in its month."""
    is_last = (day + DAY).month != day.month
    return day.day == anchor_day or (is_last and day.day < anchor_day)


class PlainSubscription:
    """A subscription in pencil."""

    def __init__(self, start: date, anchor_day: int, *, price: int, grace: int) -> None:
        assert is_anchor(start, anchor_day)
        self.price, self.grace, self.anchor_day = price, grace, anchor_day
        #: First days of the periods that have begun so far.
        self.starts = [start]
        self.until = start
        #: What has become of each period: asked, paid, lapsed; and what was given, in its order.
        self.fate: dict[int, str] = {}
        self.given: list[int] = []
        self.asked: list[int] = []
        self.mode = "on"
        self.deadline: date | None = None
        self.is_late = False

    def running(self, today: date) -> int:
        while self.until < today:
            self.until += DAY
            if is_anchor(self.until, self.anchor_day):
                self.starts.append(self.until)
        return sum(1 for start in self.starts if start <= today) - 1

    @property
    def owed(self) -> int | None:
        return next((n for n, fate in self.fate.items() if fate == "asked"), None)

    @property
    def status(self) -> str:
        if self.mode != "on":
            return {"paused": "paused", "cancelled": "cancelled"}[self.mode]
        if self.owed is None:
            return "active"
        return "suspended" if self.is_late else "past_due"

    def look(self, today: date, *, may_ask: bool = True) -> None:
        """The sweep comes by, until it finds nothing more to do."""
        if self.mode != "on":
            return
        if self.owed is not None:
            if may_ask and self.deadline is not None and today > self.deadline:
                self.is_late = True
            return
        running = self.running(today)
        for n in range(running + 1):
            if n not in self.fate:
                if self.price == 0:
                    self.fate[n] = "paid"
                elif n < running:
                    self.fate[n] = "lapsed"
            if self.fate.get(n) == "paid" and n not in self.given:
                self.given.append(n)
        if running >= 0 and running not in self.fate and may_ask:
            self.fate[running] = "asked"
            self.asked.append(running)
            self.deadline, self.is_late = today + self.grace * DAY, False

    def pay(self, n: int) -> None:
        """Somebody pays for a period: the one that is owed, or a later one beforehand."""
        self.fate[n] = "paid"

    def pause(self, today: date) -> None:
        if self.mode == "on":
            self.look(today, may_ask=False)
            self.mode = "paused"

    def resume(self, today: date) -> None:
        if self.mode != "paused":
            return
        self.mode = "on"
        for n in range(self.running(today)):
            self.fate.setdefault(n, "lapsed")
        self.deadline, self.is_late = today + self.grace * DAY, False
        self.look(today)

    def cancel(self, today: date) -> None:
        self.look(today, may_ask=False)
        self.mode = "cancelled"
