"""Sweeps a firm's books: compares everything at one instant, and keeps what it found.

A dry run keeps nothing. Neither mends anything: findings say what a person may do. It reads in
roles that see the firm's work: where that could not be seen, what was delivered would look like
something that nobody had asked for.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import structlog
from sqlalchemy import text

from service import clock
from service.billing.acting import as_billing, record_in
from service.billing.studio_tenant import studio_tenant
from service.database.connections import become, transaction
from service.errors import ServiceError, not_found
from service.identifiers import new_id
from service.payments import asking, records
from service.payments.providers import NoAnswerError, RefusedError, provider_of
from service.payments.records import Order
from service.reconciliation.comparing import DRIFTS, Finding, counted, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row

    from service.actor import Actor
    from service.bootstrap import Service
    from service.database.connections import Role
    from service.jobs.job import Job

log = structlog.get_logger("zenops.reconciliation")

Login = Literal["api", "jobs"]
#: Who sees a firm's work and books, and who the books of all firms, by the login of the process.
_SEEING: Mapping[Login, tuple[Role, Role]] = {
    "api": ("zen_studio", "zen_studio"),
    "jobs": ("zen_worker", "zen_system"),
}
#: So many of a firm's orders are asked about at once, and none that is older.
ASKED_AT_ONCE, ASKED_UNTIL = 50, timedelta(weeks=5)
#: What a provider says of an order, as our row has it.
_SAID = ("status", "refunded", "charged_back", "dispute", "settled_at", "finding")

_KEEP = text(
    "insert into reconciliation_runs (tenant_id, run_id, scanned, findings, requested_by,"
    " started_at, finished_at) values (:tenant_id, :run_id, cast(:scanned as jsonb),"
    " cast(:findings as jsonb), :requested_by, :started_at, :finished_at)"
)
_RUN = "select tenant_id, run_id, scanned, findings, requested_by, started_at, finished_at"
_FIND = text(f"{_RUN} from reconciliation_runs where run_id = :run")
_LIST = text(
    f"{_RUN} from reconciliation_runs"
    " where (cast(:tenant as uuid) is null or tenant_id = :tenant)"
    " and (cast(:below as uuid) is null or run_id < :below) order by run_id desc limit :limit"
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a sweep of one firm found.

    Attributes:
        tenant_id: the firm, or the studio.
        run_id: its name if it was kept; None of a dry run.
        scanned: how much there was to compare.
        findings: what does not agree, by kind and subject.
        requested_by: the person, if it was one.
        started_at: when.
        finished_at: when it was over.
    """

    tenant_id: UUID
    run_id: UUID | None
    scanned: Mapping[str, int]
    findings: tuple[Finding, ...]
    requested_by: UUID | None
    started_at: datetime
    finished_at: datetime

    @property
    def counts(self) -> dict[str, int]:
        """How much was found, by kind."""
        return dict(sorted(Counter(one.code for one in self.findings).items()))


def compare(service: Service, actor: Actor, *, login: Login, ask_providers: bool = False) -> Run:
    """Compare a firm's books, and write nothing.

    Args:
        service: of a web process, or of one that runs jobs.
        actor: who has it done, in the firm.
        login: which of the two.
        ask_providers: also ask the payment providers; that takes time.
    """
    started, tenant_id = clock.now(), actor.tenant_id
    of_firm, of_all = _SEEING[login]
    # One instant for all queries: what is written meanwhile is in all of them or in none.
    engine = service.engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(engine, role=of_firm, tenant_id=tenant_id) as connection:
        scanned = counted(connection, tenant_id)
        findings = [
            one
            for drift in DRIFTS
            if not drift.of_studio
            for one in find(connection, drift, tenant_id, started)
        ]
        become(connection, of_all, tenant_id=tenant_id, audience=of_all.removeprefix("zen_"))
        if _is_studio(connection, tenant_id):
            scanned |= counted(connection, tenant_id)
            for drift in DRIFTS:
                if drift.of_studio:
                    findings += find(connection, drift, tenant_id, started)
    if ask_providers:
        findings += _ask(service, actor, of_firm, started)
    return Run(tenant_id, None, scanned, tuple(findings), actor.user_id, started, clock.now())


def keep(connection: Connection, actor: Actor, run: Run) -> Run:
    """Keep a run, in the actor's transaction; the same with its name.

    Args:
        connection: in the actor's role.
        actor: who had it done.
        run: from `compare`.
    """
    kept = dataclasses.replace(run, run_id=new_id())
    with as_billing(connection, run.tenant_id):
        connection.execute(
            _KEEP,
            {
                **{
                    name: getattr(kept, name)
                    for name in ("tenant_id", "run_id", "requested_by", "started_at", "finished_at")
                },
                "scanned": json.dumps(kept.scanned),
                "findings": json.dumps([dataclasses.asdict(one) for one in kept.findings]),
            },
        )
    record_in(
        connection,
        actor,
        run.tenant_id,
        "billing:books:reconciled",
        subject=("reconciliation_run", kept.run_id),
        after={"findings": kept.counts},
    )
    if kept.findings:
        log.error("books.differ", tenant=str(run.tenant_id), run=str(kept.run_id), **kept.counts)
    return kept


def reconcile_firm(job: Job) -> None:
    """The job of each night: a firm's books are compared, and what was found is kept."""
    run = compare(job.service, job.actor, login="jobs")
    with job.effect() as connection:
        keep(connection, job.actor, run)


def find_run(connection: Connection, run_id: UUID) -> Run:
    """A kept run of whatever firm; the connection acts as zen_studio.

    Raises:
        ServiceError: 404.
    """
    row = connection.execute(_FIND, {"run": run_id}).one_or_none()
    if row is None:
        raise not_found()
    return _run(row)


def list_runs(
    connection: Connection, *, tenant_id: UUID | None, below: UUID | None, limit: int
) -> list[Run]:
    """Kept runs, newest first; of all firms unless one is named."""
    rows = connection.execute(_LIST, {"tenant": tenant_id, "below": below, "limit": limit})
    return [_run(row) for row in rows]


def _run(row: Row[tuple[object, ...]]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    values["findings"] = tuple(Finding(**one) for one in values["findings"])
    return Run(**values)


def _is_studio(connection: Connection, tenant_id: UUID) -> bool:
    try:
        return studio_tenant(connection) == tenant_id
    except ServiceError:
        return False


# --- The providers


def _ask(service: Service, actor: Actor, role: Role, now: datetime) -> Iterator[Finding]:
    """What the providers say of orders that would change them: compared, not taken over."""
    tenant_id = actor.tenant_id
    with transaction(service.engine, role=role, tenant_id=tenant_id) as connection:
        orders = records.linked_orders(
            connection, tenant_id, since=now - ASKED_UNTIL, limit=ASKED_AT_ONCE
        )
    for order in orders:
        provider = provider_of(order.provider)
        if not provider.is_configured(service.settings):
            continue
        try:
            said = provider.ask(service.settings, order)
        except NoAnswerError:
            continue
        except RefusedError:
            yield _differs(order, {"there": "not known"})
            continue
        with transaction(service.engine, role=role, tenant_id=tenant_id) as connection:
            trial = connection.begin_nested()
            after = asking.note(connection, actor, order.payment_order_id, said)
            trial.rollback()
            before = records.find_order(connection, tenant_id, order.payment_order_id)
        assert before is not None
        changed = {
            name: [_told(getattr(before, name)), _told(getattr(after, name))]
            for name in _SAID
            if getattr(before, name) != getattr(after, name)
        }
        if changed:
            yield _differs(order, changed)


def _differs(order: Order, found: Mapping[str, object]) -> Finding:
    return Finding(
        "provider_differs",
        "payment_order",
        str(order.payment_order_id),
        str(order.account_id),
        {"provider": order.provider, **found},
    )


def _told(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
