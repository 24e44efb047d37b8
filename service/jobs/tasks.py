"""What comes round by the clock: each task, its period, and what is done when a turn was missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from service.audit.anchoring import anchor
from service.audit.sealing import seal
from service.database.connections import transaction
from service.evidence.sweeping import sweep_orphans
from service.invoices.overdue import notice_overdue
from service.packs.sweeping import sweep
from service.payments.asking import ask_due
from service.payments.inbox import sweep as sweep_events
from service.people.access_tokens import forget_ended
from service.privacy.retention import purge
from service.telemetry.metrics import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.bootstrap import Service

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Task:
    """Something that comes round.

    Slots are instants of UTC: `offset` after 2000-01-01, then every `period`. A clock that jumps,
    summer time or the end of a month do not change them.

    Attributes:
        name: unique; with the slot it is the key of the tick.
        period: from one slot to the next.
        offset: from midnight UTC, for daily tasks.
        kind: a job of this kind is asked for, for each active firm, in the tick's transaction:
            it happens exactly once.
        run: or this is called, in the scheduler; it must bear being called twice for one slot.
        missed: `latest`: after a pause only the last slot is made up for, because one run does
            for all; `each`: every slot is, up to `_MOST_MISSED`.
        claim_seconds: after so long without an end another scheduler may begin the slot's run anew.
    """

    name: str
    period: timedelta
    offset: timedelta = timedelta(0)
    kind: str | None = None
    run: Callable[[Service], object] | None = None
    missed: Literal["latest", "each"] = "latest"
    claim_seconds: int = 600

    def slot(self, at: datetime) -> datetime:
        """The last slot that has come by an instant."""
        beginning = _EPOCH + self.offset
        return beginning + (at - beginning) // self.period * self.period


def seal_audit(service: Service) -> None:
    """Seal what was written since the last turn."""
    while seal(service.engine, limit=_SEALED_AT_ONCE) >= _SEALED_AT_ONCE:
        pass


def seal_late_audit(service: Service) -> None:
    """Seal what a very long transaction wrote, which the frequent sealing passes over."""
    seal(service.engine, everything=True)


def gather_metrics(service: Service) -> None:
    """Leave for the web processes what only this role may count."""
    gather(service.engine, service.redis)


def forget_ticks(service: Service) -> None:
    """Delete ticks that are older than any question about them; the last of each task stays."""
    with transaction(service.engine, role="zen_system") as connection:
        connection.execute(
            text(
                "delete from ticks t where created_at < now() - interval '3 days' and slot <"
                " (select max(newest.slot) from ticks newest where newest.task = t.task)"
            )
        )


_SEALED_AT_ONCE = 1000
#: Nightly work is done from half past two in India, one task after the other.
_NIGHT = timedelta(hours=21)

TASKS: tuple[Task, ...] = (
    Task("audit.seal", timedelta(seconds=5), run=seal_audit),
    Task("metrics.gather", timedelta(seconds=15), run=gather_metrics),
    Task("payments.ask", timedelta(minutes=1), run=ask_due),
    Task("payments.sweep", timedelta(minutes=15), run=sweep_events),
    Task("subscriptions.sweep", HOUR, timedelta(minutes=2), kind="subscriptions.sweep"),
    Task("holds.reconcile", HOUR, timedelta(minutes=12), kind="holds.reconcile"),
    Task("audit.seal_late", DAY, _NIGHT, run=seal_late_audit),
    Task("audit.anchor", DAY, _NIGHT + timedelta(minutes=15), run=anchor),
    Task("packs.sweep", DAY, _NIGHT + timedelta(minutes=30), run=sweep, claim_seconds=3600),
    Task(
        "evidence.sweep", DAY, _NIGHT + timedelta(minutes=45), run=sweep_orphans, claim_seconds=3600
    ),
    Task("evidence.purge", DAY, _NIGHT + timedelta(minutes=60), run=purge, claim_seconds=3600),
    Task("ticks.forget", DAY, _NIGHT + timedelta(minutes=75), run=forget_ticks),
    Task("tokens.forget", DAY, _NIGHT + timedelta(minutes=80), run=forget_ended),
    Task("invoices.overdue", DAY, _NIGHT + timedelta(minutes=85), run=notice_overdue),
    Task("books.reconcile", DAY, _NIGHT + timedelta(minutes=89), kind="books.reconcile"),
)
