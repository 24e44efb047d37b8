"""Killed where money and credits move: nothing is lost, nothing is doubled, and the books agree."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from service import clock
from service.actor import Actor
from service.billing import accounts, credits
from service.billing.accounts import Account
from service.billing.journal import verify_journal
from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id
from service.jobs.outbox import enqueue
from service.payments import checkout
from service.payments.local_providers.delivering import stripe_headers
from service.payments.providers import ORDER_NOTE
from service.reconciliation.running import compare
from service.subscriptions import subscribing
from service.subscriptions.plans import create_plan
from tests.chaos.browser import Persistent, _Connection
from tests.chaos.size import IS_FULL, repeated
from tests.chaos.world import World, note_recovery, wait_until
from tests.service.payments.conftest import STRIPE_KEY, price_credits
from tests.service.payments.conftest import STRIPE_SECRET as SECRET

pytestmark = pytest.mark.campaign

STRIPE = {"ZENOPS_STRIPE_SECRET_KEY": STRIPE_KEY, "ZENOPS_STRIPE_WEBHOOK_SECRETS": SECRET}
#: A job that is lost comes again after its lease, the reaper's round and its pause.
BOUND_S = 40.0
TARGETS = ("self", "parent", "group") if IS_FULL else ("self",)


@dataclass(frozen=True)
class Bank:
    """The studio and a firm's account in a world, and what tests do with them."""

    world: World
    web: Service
    studio_id: UUID

    @property
    def studio(self) -> Actor:
        """The studio, acting in the firm."""
        return Actor(self.world.tenant_id, new_id(), "studio", frozenset(), "Studio", "r")

    @contextmanager
    def acting(self, tenant_id: UUID | None = None) -> Iterator[Connection]:
        with transaction(
            self.web.engine, role="zen_studio", tenant_id=tenant_id or self.world.tenant_id
        ) as connection:
            yield connection

    def account(self, granted: int = 0) -> Account:
        """A fresh account that pays with credits."""
        with self.acting() as connection:
            made = accounts.create_account(
                connection,
                self.studio,
                self.world.tenant_id,
                external_key=f"v1:partner:{new_id()}",
                display_name="Specimen Partner",
            )
            if granted:
                credits.grant(connection, self.studio, made, granted, key="given")
            return accounts.change_policy(
                connection, self.studio, made, billing_mode="CREDIT", force_enable_credit=True
            )

    def hold(self, account: Account, amount: int = 3, **more: Any) -> UUID:
        with self.acting() as connection:
            status = credits.reserve(
                connection,
                self.studio,
                account,
                amount,
                key=str(new_id()),
                ref=("channel_request", str(new_id())),
                **more,
            )
        assert status.hold is not None
        return status.hold.hold_id

    def ask(self, kind: str) -> UUID:
        """Ask for a job of the firm."""
        with self.acting() as connection:
            return enqueue(connection, self.studio, kind, key=str(new_id()), subject_id=None)

    def is_done(self, operation: UUID) -> bool:
        """Whether it is done, once."""
        return self.world.query(
            "select status from operations where operation_id = :id", id=operation
        ) == [("done",)]

    def wallet(self, account: Account) -> tuple[int, int, int]:
        ((wallet, reserved, available),) = self.world.query(
            "select wallet, reserved, available from credit_wallets where account_id = :id",
            id=account.account_id,
        )
        return wallet, reserved, available

    def kinds(self, account: Account) -> list[str]:
        """What was done with its credits and money, in the journal's order."""
        return [
            row.kind
            for row in self.world.query(
                "select kind from journal_entries where account_id = :id order by seq",
                id=account.account_id,
            )
        ]

    def check(self, account: Account) -> None:
        """The journal is whole, and everything agrees with everything."""
        with self.acting() as connection:
            assert verify_journal(connection, account.tenant_id, account.account_id) == []
        assert compare(self.web, self.studio, login="api").findings == ()
        of_studio = dataclasses.replace(self.studio, tenant_id=self.studio_id)
        assert compare(self.web, of_studio, login="api").findings == ()


@pytest.fixture(scope="session")
def studio_id(firm_world: World, web: Service) -> UUID:
    """The studio's tenant, with a price for credits."""
    tenant_id = new_id()
    firm_world.execute(
        "insert into tenants (tenant_id, slug, name, kind, created_at)"
        " values (:id, 'studio', 'Specimen Studio', 'service', now())",
        id=tenant_id,
    )
    actor = Actor(tenant_id, new_id(), "studio", frozenset(), "Studio", "r")
    with transaction(web.engine, role="zen_studio", tenant_id=tenant_id) as connection:
        price_credits(connection, actor)
    return tenant_id


@pytest.fixture
def bank(firm_world: World, web: Service, studio_id: UUID) -> Iterator[Bank]:
    firm_world.rest()
    yield Bank(firm_world, web, studio_id)
    firm_world.rest()


def _run(world: World, point: str, target: str) -> None:
    """Start what works off jobs, the worker armed."""
    world.start("worker", crash_at=point, target=target)
    world.start_all(["dispatcher", "reaper"])


@repeated
@pytest.mark.parametrize("point", ["web-before-commit", "web-after-commit"])
@pytest.mark.parametrize("end", ["consume", "release"] if IS_FULL else ["consume"])
def test_killed_while_a_hold_ends(end: str, point: str, bank: Bank) -> None:
    """The client repeats its request, and the hold ends once."""
    account = bank.account(10)
    hold = bank.hold(account)
    at_login = bank.world.start("web")
    desk = Persistent(bank.world, bank.studio_id, audience="studio")
    bank.world.stop(at_login)
    bank.world.start("web", crash_at=point)
    desk.repeats = 0
    body: dict[str, Any] = {"account_id": str(account.account_id), "reservation_id": str(hold)}
    more: dict[str, Any] = {"consume": {"amount": 2}, "release": {"reason": "not needed"}}[end]

    desk.post(f"/v1/control/credits/{end}", body | more | {"idempotency_key": str(hold)})

    assert bank.world.has_crashed()
    assert desk.repeats > 0
    assert bank.kinds(account) == ["grant", "reserve", end]
    assert bank.wallet(account) == {"consume": (8, 0, 8), "release": (10, 0, 10)}[end]
    bank.check(account)


@repeated
@pytest.mark.parametrize("point", ["refill-before-commit", "refill-after-commit"])
@pytest.mark.parametrize("target", TARGETS)
def test_killed_while_subscriptions_are_refilled(point: str, target: str, bank: Bank) -> None:
    some = [bank.account() for _ in range(3)]
    with bank.acting(bank.studio_id) as connection:
        plan = create_plan(
            connection,
            dataclasses.replace(bank.studio, tenant_id=bank.studio_id),
            name=f"Plan {new_id()}",
            price_monthly=Decimal(0),
            monthly_credit_allowance=5,
            sac="998399",
            tax_rate=Decimal(18),
            grace_days=7,
        )
    with bank.acting() as connection:
        for one in some:
            subscribing.subscribe(connection, bank.studio, one, plan.plan_id)
    _run(bank.world, point, target)
    asked = bank.ask("subscriptions.sweep")
    wait_until(bank.world.has_crashed, BOUND_S, f"a crash at {point}")

    took = wait_until(lambda: bank.is_done(asked), BOUND_S, "the sweep is done")

    note_recovery(f"{point} {target}", took)
    assert [bank.kinds(one) for one in some] == [["grant"]] * 3
    assert [bank.wallet(one) for one in some] == [(5, 0, 5)] * 3
    assert (
        bank.world.query(
            "select count(*) from subscription_refills join subscriptions"
            " using (tenant_id, subscription_id) where plan_id = :plan group by subscription_id",
            plan=plan.plan_id,
        )
        == [(1,)] * 3
    )
    bank.check(some[0])


@repeated
@pytest.mark.parametrize("point", ["reconcile-before-commit", "job-after-commit"])
@pytest.mark.parametrize("target", TARGETS)
def test_killed_while_dead_holds_are_freed(point: str, target: str, bank: Bank) -> None:
    account = bank.account(10)
    for _ in range(2):
        bank.hold(account, expires_at=clock.now())
    _run(bank.world, point, target)
    asked = bank.ask("holds.reconcile")
    wait_until(bank.world.has_crashed, BOUND_S, f"a crash at {point}")

    took = wait_until(lambda: bank.is_done(asked), BOUND_S, "the holds are reconciled")

    note_recovery(f"holds {point} {target}", took)
    assert bank.kinds(account) == ["grant", "reserve", "reserve", "expire", "expire"]
    assert bank.wallet(account) == (10, 0, 10)
    bank.check(account)


@repeated
@pytest.mark.parametrize("point", ["job-before-commit", "job-after-commit"])
def test_killed_while_books_are_compared(point: str, bank: Bank) -> None:
    """The sweep is kept once."""
    before = bank.world.query("select run_id from reconciliation_runs")
    _run(bank.world, point, "self")
    asked = bank.ask("books.reconcile")
    wait_until(bank.world.has_crashed, BOUND_S, f"a crash at {point}")

    took = wait_until(lambda: bank.is_done(asked), BOUND_S, "the books are compared")

    note_recovery(f"books {point} self", took)
    assert len(bank.world.query("select run_id from reconciliation_runs")) == len(before) + 1


PAYMENTS = [
    ("web", "webhook-after-store", "self"),
    *[
        ("worker", point, target)
        for point in ("payment-before-commit", "job-before-commit", "job-after-commit")
        for target in TARGETS
    ],
]


@repeated
@pytest.mark.parametrize(("role", "point", "target"), PAYMENTS)
def test_killed_while_a_payment_is_told_of(role: str, point: str, target: str, bank: Bank) -> None:
    """The provider repeats its event until it is answered; it is stored and worked off once."""
    account = bank.account()
    settings = dataclasses.replace(bank.web.settings, stripe_secret_key=STRIPE_KEY)
    with bank.acting() as connection:
        order = checkout.start_topup(
            connection, bank.studio, account, settings, provider="stripe", credits=7, key="buy"
        )
    armed = {"crash_at": point, "target": target}
    for one in ("web", "worker"):
        bank.world.start(one, differs=STRIPE, **(armed if one == role else {}))
    bank.world.start_all(["dispatcher", "reaper"])

    told = _send_event(bank.world, str(order.payment_order_id), order.amount)

    wait_until(bank.world.has_crashed, BOUND_S, f"a crash at {point}")
    took = wait_until(
        lambda: (
            bank.world.query(
                "select status from payment_events where payment_order_id = :id",
                id=order.payment_order_id,
            )
            == [("processed",)]
            and not bank.world.query(
                "select 1 from operations where kind = 'payment.event' and status <> 'done'"
            )
        ),
        BOUND_S,
        "the event is worked off",
    )
    note_recovery(f"payment {point} {target}", took)
    # A web process that had stored it and died is told again.
    assert told["duplicate"] is (role == "web")
    assert bank.kinds(account) == ["payment", "topup"]
    assert bank.wallet(account) == (7, 0, 7)
    assert bank.world.query(
        "select status from payment_orders where payment_order_id = :id",
        id=order.payment_order_id,
    ) == [("paid",)]
    bank.check(account)


def _send_event(world: World, order_id: str, amount: int) -> dict[str, Any]:
    """Tell of a payment as the provider does, until it is answered; the answer."""
    about = {
        "id": f"pi_{order_id}",
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount,
        "currency": "inr",
        "status": "succeeded",
        "metadata": {ORDER_NOTE: order_id},
    }
    event = {
        "id": f"evt_{order_id}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "data": {"object": about},
    }
    body = json.dumps(event).encode()
    until = time.monotonic() + 30
    while True:
        headers = {"Content-Type": "application/json", **stripe_headers(SECRET, body, event["id"])}
        with (
            contextlib.closing(_Connection(world.folder / "web.sock")) as connection,
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("POST", "/v1/payments/webhooks/stripe", body, headers)
            found = connection.getresponse()
            said = found.read()
            if found.status < 500:
                assert found.status == 200, said
                answer: dict[str, Any] = json.loads(said)
                return answer
        assert time.monotonic() < until, "the webhook does not answer"
        time.sleep(0.1)
