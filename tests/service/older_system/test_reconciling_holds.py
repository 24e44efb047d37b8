"""Holds are compared with their work: what is delivered is paid for, what is dead is given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service import clock
from service.billing import credits
from service.billing.accounts import Account
from service.billing.credits import Hold
from service.billing.journal import find_wallet, verify_journal
from service.billing.usage import record_usage
from service.bootstrap import Service
from service.clock import now
from service.database.connections import transaction
from service.identifiers import new_id
from tests.service.billing.conftest import studio as studio_actor
from tests.service.older_system.older_client import OlderClient
from tests.service.tenancy.specimen_rows import bound, insert_statement, specimen_rows

NewAccount = Callable[..., Account]


@pytest.fixture
def client(server: str, studio_token: str) -> OlderClient:
    return OlderClient(server, studio_token)


def _held(
    service: Service, account: Account, ref: tuple[str, str], work_order_id: UUID | None = None,
    minutes: int | None = None,
) -> Hold:  # fmt: skip
    tenant = account.tenant_id
    with transaction(service.engine, role="zen_studio", tenant_id=tenant) as connection:
        status = credits.reserve(
            connection,
            studio_actor(tenant),
            account,
            1,
            key=f"hold:{ref[1]}",
            ref=ref,
            work_order_id=work_order_id,
            expires_at=None if minutes is None else now() + timedelta(minutes=minutes),
        )
    assert status.hold is not None
    return status.hold


def _told(service: Service, account: Account, event: str, ref: tuple[str, str]) -> None:
    tenant = account.tenant_id
    with transaction(service.engine, role="zen_studio", tenant_id=tenant) as connection:
        record_usage(
            connection, studio_actor(tenant), account, event, source="v1",
            key=f"v1:{event}:{new_id()}", payload={"ref_type": ref[0], "ref_id": ref[1]},
        )  # fmt: skip


def _state(service: Service, account: Account, hold: Hold) -> str:
    tenant = account.tenant_id
    with transaction(service.engine, role="zen_studio", tenant_id=tenant) as connection:
        assert verify_journal(connection, tenant, account.account_id) == []
        found = credits.holds_of(connection, tenant, account.account_id)
    return next(one.status for one in found if one.hold_id == hold.hold_id)


def _counters(service: Service, account: Account) -> tuple[int, int, int]:
    tenant = account.tenant_id
    with transaction(service.engine, role="zen_studio", tenant_id=tenant) as connection:
        wallet = find_wallet(connection, tenant, account.account_id)
    return wallet.wallet, wallet.reserved, wallet.available


def _reconcile(client: OlderClient, account: Account, **more: Any) -> dict[str, Any]:
    code, told = client.call(
        "POST", "credits/reconcile", {"account_id": str(account.account_id), **more}
    )
    assert code == 200
    del told["next_cursor"]
    found: dict[str, Any] = told
    return found


@pytest.fixture
def work_order(owner_engine: Any, make_firm: Any) -> Callable[..., Any]:
    """work_order(status) -> the rows of a firm whose work order is in that state."""

    def make(status: str) -> dict[str, dict[str, Any]]:
        firm = make_firm()
        rows = specimen_rows(firm.tenant_id, firm.slug)
        rows["work_orders"] |= {"status": status}
        with owner_engine.begin() as connection:
            for table in ("users", "work_orders", "snapshots", "packs"):
                connection.execute(text(insert_statement(table, rows[table])), bound(rows[table]))
        return rows

    return make


def _let_out(
    owner_engine: Any, rows: dict[str, dict[str, Any]], result: str, outcome: str | None, hold: Hold
) -> None:
    """What the gate would have written, with the hold left as it was."""
    is_paid = result == "PAID"
    release = {
        **rows["releases"],
        "result": result,
        "invoice_id": rows["releases"]["invoice_id"] if is_paid else None,
        "hold_id": None if is_paid or result == "BLOCKED" else hold.hold_id,
        "hold_outcome": outcome,
        "override_reason": "agreed" if result == "OVERRIDE" else None,
        "created_at": now(),
    }
    charge = {
        **rows["work_order_charges"],
        "settled_by": result,
        "hold_id": release["hold_id"],
        "invoice_id": release["invoice_id"],
    }
    invoice = (
        "billing_accounts",
        "service_invoices",
        "service_invoice_items",
        "invoice_settlements",
    )
    with owner_engine.begin() as connection:
        for table in invoice if is_paid else ():
            connection.execute(text(insert_statement(table, rows[table])), bound(rows[table]))
        connection.execute(text(insert_statement("releases", release)), bound(release))
        if result in {"PAID", "CREDIT_CONSUMED"}:
            connection.execute(text(insert_statement("work_order_charges", charge)), bound(charge))


def test_delivered_and_cancelled_work_of_the_older_system(
    client: OlderClient, service: Service, new_account: NewAccount
) -> None:
    """The original's case 6: wallet 5, two reservations, one delivered and one cancelled."""
    account = new_account(5)
    works = [("channel_request", "1"), ("channel_request", "2"), ("channel_request", "3")]
    for work in works:
        _held(service, account, work)
    _told(service, account, "work_delivered", works[0])
    _told(service, account, "work_cancelled", works[1])

    done = _reconcile(client, account)

    assert done == {
        "dry_run": False, "scanned": 2, "consumed": 1, "released": 1, "skipped": 0, "errors": [],
    }  # fmt: skip
    assert _counters(service, account) == (4, 1, 3)
    assert _reconcile(client, account)["scanned"] == 0


def test_a_dry_run_says_what_would_be_and_does_nothing(
    client: OlderClient, service: Service, new_account: NewAccount
) -> None:
    """The original's case 7."""
    account, work = new_account(3), ("channel_request", "1")
    hold = _held(service, account, work)
    _told(service, account, "work_delivered", work)

    done = _reconcile(client, account, dry_run=True)

    assert (done["dry_run"], done["consumed"], done["released"]) == (True, 1, 0)
    assert _state(service, account, hold) == "active"


@pytest.mark.parametrize(
    ("status", "release", "outcome", "expected"),
    [
        ("READY_FOR_RENDER", "CREDIT_CONSUMED", None, "consumed"),
        ("CLOSED", "CREDIT_CONSUMED", None, "consumed"),
        ("READY_FOR_RENDER", "OVERRIDE", "consume", "consumed"),
        ("READY_FOR_RENDER", "OVERRIDE", "release", "released"),
        ("READY_FOR_RENDER", "PAID", None, "released"),
        ("READY_FOR_RENDER", "BLOCKED", None, "active"),
        ("READY_FOR_RENDER", None, None, "active"),
        ("DATA_PENDING", None, None, "active"),
        ("CANCELLED", None, None, "released"),
        ("CLOSED", None, None, "released"),
        ("CLOSED", "BLOCKED", None, "released"),
    ],
)
def test_a_work_order_says_what_becomes_of_its_hold_and_time_alone_does_not(
    status: str, release: str | None, outcome: str | None, expected: str,
    client: OlderClient, service: Service, new_account: NewAccount, work_order: Any,
    owner_engine: Any,
) -> None:  # fmt: skip
    """Weaknesses 29 and 40: holds of work under way were given back when their time was over."""
    rows = work_order(status)
    work_order_id = rows["work_orders"]["work_order_id"]
    account = new_account(3, tenant_id=rows["work_orders"]["tenant_id"])
    hold = _held(service, account, ("work_order", str(work_order_id)), work_order_id, minutes=-999)
    if release is not None:
        _let_out(owner_engine, rows, release, outcome, hold)

    _reconcile(client, account, timeout_minutes=5)

    assert _state(service, account, hold) == expected


def test_a_hold_for_a_correction_outlives_the_override_before_it(
    client: OlderClient, service: Service, new_account: NewAccount, work_order: Any,
    owner_engine: Any,
) -> None:  # fmt: skip
    """It is for the version that comes: the override let out the one before, for nothing."""
    rows = work_order("DATA_PENDING")
    work_order_id = rows["work_orders"]["work_order_id"]
    account = new_account(3, tenant_id=rows["work_orders"]["tenant_id"])
    ref = ("work_order", str(work_order_id))
    first = _held(service, account, ref, work_order_id)
    _let_out(owner_engine, rows, "OVERRIDE", "release", first)
    _reconcile(client, account)
    assert _state(service, account, first) == "released"
    with transaction(service.engine, role="zen_studio", tenant_id=account.tenant_id) as connection:
        again = credits.reserve(
            connection, studio_actor(account.tenant_id), account, 1,
            key="correction", ref=ref, work_order_id=work_order_id,
        ).hold  # fmt: skip
    assert again is not None

    _reconcile(client, account)

    assert _state(service, account, again) == "active"


def test_the_hourly_job_sees_the_work_of_its_firm_and_consumes_what_was_delivered(
    service: Service, new_account: NewAccount, work_order: Any, jobs_service: Service,
    run_jobs: Any, owner_engine: Any,
) -> None:  # fmt: skip
    """Weakness 40: run without a tenant, the original's saw no work and gave delivered holds back."""
    from service.jobs.scheduler import tick
    from service.jobs.tasks import TASKS

    rows = work_order("CLOSED")
    work_order_id = rows["work_orders"]["work_order_id"]
    account = new_account(3, tenant_id=rows["work_orders"]["tenant_id"])
    hold = _held(service, account, ("work_order", str(work_order_id)), work_order_id, minutes=-5)
    _let_out(owner_engine, rows, "CREDIT_CONSUMED", None, hold)
    foreign = _held(service, account, ("channel_request", "late"), minutes=-5)

    tick(jobs_service, [one for one in TASKS if one.name == "holds.reconcile"], now())
    run_jobs()

    assert _state(service, account, hold) == "consumed"
    assert _state(service, account, foreign) == "released"
    assert _counters(service, account) == (2, 0, 2)


@pytest.mark.parametrize(
    ("own_minutes", "swept_after", "expected"),
    [(None, 0, "active"), (None, -90, "released"), (60, -90, "active"), (-1, 0, "released")],
)
def test_the_time_of_a_hold_is_its_own_and_without_one_the_sweeps(
    own_minutes: int | None, swept_after: int, expected: str,
    client: OlderClient, service: Service, new_account: NewAccount, owner_engine: Any,
) -> None:  # fmt: skip
    """Weakness 40: there, timeout_minutes counted for nothing."""
    account = new_account(3)
    hold = _held(service, account, ("channel_request", "t"), minutes=own_minutes)
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "update credit_holds set created_at = created_at + make_interval(mins => :by)"
                " where hold_id = :hold"
            ),
            {"by": swept_after, "hold": hold.hold_id},
        )

    _reconcile(client, account, timeout_minutes=90)

    assert _state(service, account, hold) == expected


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (None, "expire"),
        ("work_accepted", None),
        # It says nothing about the work itself.
        ("invoice_issued", "expire"),
        ("work_cancelled", "release"),
        ("work_delivered", "consume"),
    ],
)
def test_a_hold_expires_only_if_nobody_has_told_anything_of_its_work(
    told: str | None, kind: str | None, client: OlderClient, service: Service,
    new_account: NewAccount, owner_engine: Any,
) -> None:  # fmt: skip
    account, work = new_account(3), ("channel_request", "t")
    hold = _held(service, account, work, minutes=-1)
    if told is not None:
        _told(service, account, told, work)

    _reconcile(client, account)

    with owner_engine.connect() as connection:
        ended = connection.scalars(
            text("select kind from journal_entries where hold_id = :hold and kind <> 'reserve'"),
            {"hold": hold.hold_id},
        ).all()
    assert ended == ([] if kind is None else [kind])


def test_work_that_was_accepted_is_paid_for_however_long_it_takes(
    client: OlderClient, service: Service, new_account: NewAccount, owner_engine: Any
) -> None:
    """Weaknesses 29, 40 and 63: the round had freed the hold, and delivery was 409 and unpaid."""
    account = new_account(3)
    named = {"external_key": account.external_key, "ref_type": "channel_request", "ref_id": "901"}
    reserve = {"amount": 1, "timeout_minutes": 5, "idempotency_key": "channel_accept:901"}
    code, told = client.call("POST", "credits/reserve", {**named, **reserve})
    assert code == 200, told
    event = {
        "event_type": "work_accepted",
        "external_account_key": account.external_key,
        "idempotency_key": f"v1:work_accepted:901:0:{new_id()}",
        "payload": {"ref_type": "channel_request", "ref_id": 901},
    }
    assert client.call("POST", "events", event)[1]["matched"] is True
    _move(owner_engine, told["reservation"]["id"], "-40 days")

    done = _reconcile(client, account, timeout_minutes=5)
    consumed = client.call(
        "POST", "credits/consume", {**named, "idempotency_key": "channel_delivered_consume:901"}
    )

    assert (done["scanned"], done["released"]) == (0, 0)
    assert consumed[0] == 200, consumed
    assert _counters(service, account) == (2, 0, 2)


def _move(owner_engine: Any, hold_id: Any, by: str) -> None:
    """As if the hold had been made, and were to end, at another time."""
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "update credit_holds set created_at = created_at + cast(:by as interval),"
                " expires_at = expires_at + cast(:by as interval) where hold_id = :hold"
            ),
            {"by": by, "hold": hold_id},
        )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # Accepting comes first, or reserving does: no difference.
        (["work_accepted"], [], "active"),
        ([], ["work_accepted"], "active"),
        (["work_accepted"], ["work_delivered"], "consumed"),
        ([], ["work_accepted", "work_cancelled"], "released"),
        # An acceptance that comes late does not undo what has ended.
        ([], ["work_delivered", "work_accepted"], "consumed"),
        # What ended before this hold was made was another round of the work.
        (["work_accepted", "work_cancelled"], [], "released"),
        (["work_accepted", "work_cancelled"], ["work_accepted"], "active"),
        (["work_cancelled", "work_accepted"], [], "active"),
    ],
)
def test_what_was_told_before_and_after_a_hold_was_made_says_whether_its_work_lives(
    before: list[str], after: list[str], expected: str, client: OlderClient, service: Service,
    new_account: NewAccount,
) -> None:  # fmt: skip
    account, work = new_account(3), ("channel_request", "t")
    for event in before:
        _told(service, account, event, work)
    hold = _held(service, account, work, minutes=-1)
    for event in after:
        _told(service, account, event, work)

    _reconcile(client, account)

    assert _state(service, account, hold) == expected


@pytest.mark.parametrize(
    ("account_is_its", "work"),
    [(False, ("channel_request", "t")), (True, ("channel_request", "u")), (True, ("visit", "t"))],
)
def test_other_work_and_other_accounts_keep_no_hold(
    account_is_its: bool, work: tuple[str, str], client: OlderClient, service: Service,
    new_account: NewAccount,
) -> None:  # fmt: skip
    account = new_account(3)
    hold = _held(service, account, ("channel_request", "t"), minutes=-1)
    _told(service, account if account_is_its else new_account(1), "work_accepted", work)

    _reconcile(client, account)

    assert _state(service, account, hold) == "released"


def test_ninety_minutes_are_over_at_ninety_minutes_and_not_before(
    service: Service, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch, client: OlderClient
) -> None:
    account = new_account(3)
    hold = _held(service, account, ("channel_request", "t"))
    for moment, expected in (
        (timedelta(minutes=90) - timedelta(microseconds=1), "active"),
        (timedelta(minutes=90), "released"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda moment=moment: hold.created_at + moment)
            _reconcile(client, account, timeout_minutes=90)
        assert _state(service, account, hold) == expected


def test_pages_of_reconciliation_reach_every_hold(
    client: OlderClient, service: Service, new_account: NewAccount
) -> None:
    account = new_account(5)
    for number in range(5):
        _held(service, account, ("channel_request", str(number)), minutes=-1)
    body = {"account_id": str(account.account_id), "limit": 2, "dry_run": True}
    scanned, cursor = [], None
    for _ in range(4):
        told = client.call("POST", "credits/reconcile", {**body, "cursor": cursor})[1]
        scanned.append(told["scanned"])
        cursor = told["next_cursor"]
        if cursor is None:
            break

    assert scanned == [2, 2, 1]
    assert client.call("POST", "credits/reconcile", {**body, "cursor": "x"})[1]["code"] == (
        "CURSOR_INVALID"
    )


def test_a_hold_that_is_asked_for_a_work_order_lasts_as_long_as_its_work(
    client: OlderClient, service: Service, new_account: NewAccount, work_order: Any,
    owner_engine: Any,
) -> None:  # fmt: skip
    """As a blocked release advises; without an end of its own it was freed as an orphan in a day."""
    rows = work_order("DATA_PENDING")
    work_order_id = rows["work_orders"]["work_order_id"]
    account = new_account(3, tenant_id=rows["work_orders"]["tenant_id"])
    code, told = client.call(
        "POST",
        "credits/reserve",
        {
            "account_id": str(account.account_id),
            "amount": 1,
            "ref_type": "work_order",
            "ref_id": str(work_order_id),
            "idempotency_key": "advised",
        },
    )
    assert code == 200, told
    with owner_engine.begin() as connection:
        connection.execute(
            text("update credit_holds set created_at = created_at - interval '3 days'"
                 " where hold_id = :hold"),
            {"hold": told["reservation"]["id"]},
        )  # fmt: skip

    found = _reconcile(client, account)

    assert (found["scanned"], found["released"]) == (0, 0)
    assert _counters(service, account) == (3, 1, 2)
