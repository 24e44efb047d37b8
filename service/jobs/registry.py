"""The kinds of work there are: what may run as a job, how long, how often, and what its end frees.

What a kind runs is named, not imported: the outbox is used by the very modules that the jobs are
in. Workers import all of it when they start, and a test resolves every name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.jobs.job import Job, Operation

Run = Callable[["Job"], None]
Hook = Callable[["Connection", "Operation"], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """How work of one kind is done.

    Attributes:
        run: `module:function`, called with the Job.
        max_attempts: how often it may begin before it is dead.
        timeout_seconds: how long one attempt may take.
        lease_seconds: how long a worker may be silent; None means the setting.
        backoff_seconds: how long to wait after the first, second, ... failure; the last repeats.
        on_dead: `module:function(connection, operation)`, called as zen_worker in the transaction
            that gives the work up: it frees what the work held.
        on_retry: likewise, when an operator has a dead operation start again; called in the
            operator's transaction and role.
    """

    run: str
    max_attempts: int = 5
    timeout_seconds: int = 120
    lease_seconds: int | None = None
    backoff_seconds: tuple[float, ...] = (2, 10, 60, 300)
    on_dead: str | None = None
    on_retry: str | None = None

    def backoff(self, attempts: int) -> float:
        """How many seconds to wait after so many attempts, of which the last has failed."""
        return self.backoff_seconds[min(max(attempts, 1), len(self.backoff_seconds)) - 1]


#: The allow-list: nothing else is put into the outbox, and nothing else runs.
KINDS: dict[str, Kind] = {
    "pack.bundle": Kind(
        "service.packs.making:make_bundle",
        timeout_seconds=600,
        on_dead="service.packs.failing:fail_pack",
        on_retry="service.packs.failing:resume_pack",
    ),
    "pack.render": Kind(
        "service.packs.making:print_report",
        timeout_seconds=300,
        on_dead="service.packs.failing:fail_pack",
        on_retry="service.packs.failing:resume_pack",
    ),
    # A pack is whole without its PDF: what goes wrong here is the operation's own matter.
    "pack.pdf": Kind("service.packs.making:print_pdf", max_attempts=3, timeout_seconds=900),
    "firm.export": Kind(
        "service.privacy.firm_archive:make_archive", max_attempts=3, timeout_seconds=3600
    ),
    "subscriptions.sweep": Kind("service.subscriptions.sweeping:sweep_firm", timeout_seconds=900),
    "payment.event": Kind("service.payments.inbox:work_off", max_attempts=8),
    "payment.ask": Kind("service.payments.asking:ask", max_attempts=3),
    "holds.reconcile": Kind(
        "service.billing.reconciling_holds:reconcile_firm", timeout_seconds=900
    ),
    "books.reconcile": Kind(
        "service.reconciliation.running:reconcile_firm", max_attempts=3, timeout_seconds=1800
    ),
    "system.probe": Kind("service.jobs.probing:probe"),
}


@cache
def resolve(name: str) -> Any:
    """The function that `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def load() -> None:
    """Import everything that jobs may run, so that a work-horse has it when it begins."""
    for kind in KINDS.values():
        for name in (kind.run, kind.on_dead, kind.on_retry):
            if name is not None:
                resolve(name)
