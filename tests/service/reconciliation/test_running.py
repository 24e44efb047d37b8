"""Sweeps: by whom, what they keep, what they see, and that they mend nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from service.billing import credits
from service.billing.accounts import Account
from service.bootstrap import Service
from service.identifiers import new_id
from service.jobs.registry import KINDS
from service.jobs.tasks import TASKS
from service.reconciliation.running import compare
from service.reconciliation.telling import reconcile_firms, table
from service.telemetry import metrics
from tests.service.billing.conftest import acting, open_account, studio
from tests.service.conftest import Firm


@dataclass(frozen=True)
class Drifted:
    """A firm with a hold that nobody wants, and one that somebody works for."""

    firm: Firm
    account: Account
    orphan: str
    wanted: str


def _hold(service: Service, account: Account, ref: str, work_order_id: Any = None) -> str:
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        made = credits.reserve(
            connection, actor, account, 1,
            key=str(new_id()), ref=("work_order", ref), work_order_id=work_order_id,
        )  # fmt: skip
    assert made.hold is not None
    return str(made.hold.hold_id)


@pytest.fixture
def drifted(service: Service, make_firm: Any, owner_engine: Any) -> Drifted:
    firm = make_firm()
    account = open_account(service, firm.tenant_id, 10)
    work = new_id()
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into work_orders (tenant_id, work_order_id, reference, report_type, bank_type, source_type, status,"
                " contract, created_at, updated_at) values (:tenant, :work, :ref, 'VALUATION', 'OTHER', 'TENANT',"
                " 'DATA_PENDING', '{}', now(), now())"
            ),
            {"tenant": firm.tenant_id, "work": work, "ref": f"w-{work.hex[-8:]}"},
        )
    return Drifted(
        firm,
        account,
        _hold(service, account, str(new_id())),
        _hold(service, account, str(work), work),
    )


@pytest.fixture
def studio_desk(make_firm: Any, make_user: Any, sign_in: Any) -> Any:
    """Somebody of the studio, who is logged in."""
    return sign_in(make_user(make_firm(kind="service"), ["super_admin"]), audience="studio")


@pytest.fixture
def look(owner_engine: Any) -> Callable[..., Any]:
    def run(query: str, **values: Any) -> Any:
        with owner_engine.begin() as connection:
            return connection.execute(text(query), values).all()

    return run


def _books(look: Callable[..., Any]) -> Any:
    """All that a sweep might have changed."""
    return [
        look(f"select * from {table} order by 1, 2")  # noqa: S608 - of the names below
        for table in ("credit_wallets", "credit_holds", "journal_entries", "operations")
    ]


def test_a_dry_run_finds_and_keeps_nothing(
    studio_desk: Any, drifted: Drifted, look: Callable[..., Any]
) -> None:
    before = _books(look)

    answer = studio_desk.post(
        "/v1/control/reconciliation", json={"tenant_id": str(drifted.firm.tenant_id)}
    )

    assert answer.status_code == 200
    said = answer.get_json()
    assert (said["dry_run"], said["run_id"]) == (True, None)
    assert said["counts"] == {"hold_orphaned": 1}
    assert said["scanned"]["holds"] == 2
    (finding,) = said["findings"]
    assert (finding["subject_type"], finding["subject_id"]) == ("credit_hold", drifted.orphan)
    assert finding["account_id"] == str(drifted.account.account_id)
    assert "held for nothing" in finding["means"]
    assert finding["proposes"].startswith("Free it")
    assert look("select 1 from reconciliation_runs") == []
    assert _books(look) == before


def test_a_run_is_kept_with_its_findings_and_mends_nothing(
    studio_desk: Any, drifted: Drifted, look: Callable[..., Any]
) -> None:
    before = _books(look)

    said = studio_desk.post(
        "/v1/control/reconciliation",
        json={"tenant_id": str(drifted.firm.tenant_id), "dry_run": False},
    ).get_json()

    found = studio_desk.get(f"/v1/control/reconciliation/{said['run_id']}").get_json()
    assert found == said
    assert [one["subject_id"] for one in found["findings"]] == [drifted.orphan]
    listed = studio_desk.get(
        f"/v1/control/reconciliation?tenant_id={drifted.firm.tenant_id}"
    ).get_json()["items"]
    assert [(one["run_id"], one["counts"]) for one in listed] == [
        (said["run_id"], {"hold_orphaned": 1})
    ]
    audited = look(
        "select count(*) from audit_events where action = 'billing:books:reconciled'"
        " and subject_id = :run",
        run=said["run_id"],
    )
    assert audited == [(1,)]
    assert _books(look) == before


def test_a_run_of_a_firm_that_is_not_there_is_not_found(studio_desk: Any) -> None:
    for answer in (
        studio_desk.post("/v1/control/reconciliation", json={"tenant_id": str(new_id())}),
        studio_desk.post("/v1/control/reconciliation", json={"tenant_id": "x"}),
        studio_desk.get(f"/v1/control/reconciliation/{new_id()}"),
    ):
        assert answer.status_code == 404


def test_a_firm_does_not_sweep_nor_see_sweeps(
    drifted: Drifted, make_user: Any, sign_in: Any
) -> None:
    desk = sign_in(make_user(drifted.firm, ["super_admin"]))

    assert desk.post("/v1/control/reconciliation", json={}).status_code == 403
    assert desk.get("/v1/control/reconciliation").status_code == 403


def test_the_nightly_job_sees_the_work_that_holds_are_for(
    drifted: Drifted, jobs_service: Service, run_jobs: Any, look: Callable[..., Any]
) -> None:
    """Weakness 40: the worker could not see work orders, so every hold looked like an orphan."""
    task = next(one for one in TASKS if one.kind == "books.reconcile")
    look_at = "select findings from reconciliation_runs where tenant_id = :tenant"
    _ask_for(jobs_service, task.kind, drifted.firm)

    run_jobs()

    ((findings,),) = look(look_at, tenant=drifted.firm.tenant_id)
    assert [(one["code"], one["subject_id"]) for one in findings] == [
        ("hold_orphaned", drifted.orphan)
    ]
    assert drifted.wanted not in str(findings)
    metrics.gather(jobs_service.engine, jobs_service.redis)
    shown = metrics.exposition(jobs_service.redis).decode()
    assert 'zenops_reconciliation_findings{kind="hold_orphaned"} ' in shown
    assert "zenops_reconciliation_age_seconds" in shown


def _ask_for(service: Service, kind: str | None, firm: Firm) -> None:
    from service.actor import Actor
    from service.database.connections import transaction
    from service.jobs.outbox import enqueue

    assert kind in KINDS
    with transaction(service.engine, role="zen_system") as connection:
        actor = Actor(firm.tenant_id, None, "worker", frozenset(), "scheduler", "r")
        enqueue(connection, actor, kind, key=str(new_id()), subject_id=None)


def test_a_shell_prints_a_table_and_keeps_the_run(
    drifted: Drifted, jobs_service: Service, look: Callable[..., Any]
) -> None:
    runs = dict(reconcile_firms(jobs_service, drifted.firm.slug, dry_run=False))

    printed = table(drifted.firm.slug, runs[drifted.firm.slug])

    assert printed.startswith(f"{drifted.firm.slug}: 1 findings (1 accounts, 2 holds")
    assert "  hold_orphaned: 1. " in printed
    assert drifted.orphan in printed
    assert len(look("select 1 from reconciliation_runs where tenant_id = :id",
                    id=drifted.firm.tenant_id)) == 1  # fmt: skip
    assert dict(reconcile_firms(jobs_service, "nobody", dry_run=True)) == {}


def test_what_is_written_meanwhile_is_no_drift(service: Service, make_firm: Any) -> None:
    """All queries see one instant: otherwise a wallet is read before an entry, its fold after it."""
    account = open_account(service, make_firm().tenant_id, 100_000)
    actor = studio(account.tenant_id)
    stop = False

    def spend() -> int:
        count = 0
        while not stop:
            with acting(service, actor) as connection:
                made = credits.reserve(
                    connection, actor, account, 1,
                    key=str(new_id()), ref=("channel_request", str(new_id())),
                )  # fmt: skip
                assert made.hold is not None
                if count % 2:
                    credits.consume(
                        connection, actor, account, hold_id=made.hold.hold_id, key=str(new_id())
                    )
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        spending = [pool.submit(spend) for _ in range(2)]
        try:
            found = [compare(service, actor, login="api").findings for _ in range(10)]
        finally:
            stop = True
        spent = sum(one.result() for one in spending)

    assert spent > 10
    assert found == [()] * 10
