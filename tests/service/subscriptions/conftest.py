"""A studio that offers plans, firms that subscribe, and a clock that the tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from service import clock
from service.actor import Actor
from service.billing import accounts
from service.billing.accounts import Account
from service.billing.journal import find_wallet
from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id
from service.invoices import issuers
from service.invoices.records import find as find_invoice
from service.invoices.settling import settle
from service.subscriptions import records, subscribing, sweeping
from service.subscriptions.plans import create_plan
from service.subscriptions.records import Period, Plan, Subscription
from service.subscriptions.sweeping import Swept

#: Of Karnataka, with check digits that are right.
ISSUER_GSTIN = "29AAACZ9999K1Z2"


@dataclass
class Books:
    """The studio and a firm, with everything that a test does with subscriptions."""

    service: Service
    studio_id: UUID
    firm_id: UUID
    actor: Actor
    plans: dict[tuple[int, int, int], Plan] = field(default_factory=dict)

    @contextmanager
    def acting(self, tenant_id: UUID | None = None) -> Iterator[Connection]:
        """A transaction of the studio in the firm."""
        with transaction(
            self.service.engine,
            role="zen_studio",
            tenant_id=tenant_id or self.firm_id,
            user_id=self.actor.user_id,
        ) as connection:
            yield connection

    def account(self) -> Account:
        with self.acting() as connection:
            return accounts.create_account(
                connection,
                self.actor,
                self.firm_id,
                external_key=f"v1:partner:{new_id()}",
                display_name="Specimen Partner",
                state_code="29",
            )

    def plan(self, price: int = 0, credits: int = 5, grace: int = 7) -> Plan:
        wanted = (price, credits, grace)
        if wanted not in self.plans:
            with self.acting(self.studio_id) as connection:
                self.plans[wanted] = create_plan(
                    connection,
                    self.actor,
                    name=f"Plan {new_id()}",
                    price_monthly=Decimal(price),
                    monthly_credit_allowance=credits,
                    sac="998399",
                    tax_rate=Decimal(18),
                    grace_days=grace,
                )
        return self.plans[wanted]

    def subscribed(
        self, price: int = 0, credits: int = 5, grace: int = 7, **more: Any
    ) -> Subscription:
        """A fresh account's subscription."""
        plan, account = self.plan(price, credits, grace), self.account()
        with self.acting() as connection:
            return subscribing.subscribe(connection, self.actor, account, plan.plan_id, **more)

    def run(
        self, operation: Callable[..., Any], one: Subscription, *given: Any, **more: Any
    ) -> Any:
        """What an operation on a subscription gives, in a transaction of its own."""
        with self.acting() as connection:
            return operation(
                connection, self.actor, self.firm_id, one.subscription_id, *given, **more
            )

    def sweep(self) -> Swept:
        """One sweep through what is due in the firm."""
        at = clock.now()
        with self.acting() as connection:
            found = sweeping.due(connection, at, tenant_id=self.firm_id)
        return sweeping.sweep(found, self.acting, lambda _: self.actor, at=at)

    def now(self, one: Subscription) -> Subscription:
        with self.acting() as connection:
            return records.find(connection, self.firm_id, one.subscription_id)

    def periods(self, one: Subscription) -> list[Period]:
        with self.acting() as connection:
            found = records.periods(connection, self.firm_id, one.subscription_id, limit=1000)
        return found[::-1]

    def wallet(self, one: Subscription) -> int:
        with self.acting() as connection:
            return find_wallet(connection, self.firm_id, one.account_id).wallet

    def pay_invoice(self, one: Subscription, period: int) -> None:
        """Pay the invoice of a period, and tell nobody."""
        invoice_id = next(it.invoice_id for it in self.periods(one) if it.period == period)
        with self.acting() as connection:
            account = accounts.find_account(connection, self.firm_id, one.account_id)
            due = find_invoice(connection, self.firm_id, invoice_id).due
            settle(
                connection, self.actor, account, invoice_id,
                amount=due, mode="upi", key=f"pay:{invoice_id}",
            )  # fmt: skip

    def grants(self, one: Subscription) -> list[str]:
        """The operation keys of what the account was granted, in the journal's order."""
        with self.acting() as connection:
            return list(
                connection.scalars(
                    text(
                        "select operation_key from journal_entries where tenant_id = :tenant"
                        " and account_id = :account and kind = 'grant' order by seq"
                    ),
                    {"tenant": self.firm_id, "account": one.account_id},
                )
            )


@pytest.fixture(scope="module")
def studio(service: Service, make_firm: Any) -> Any:
    """A studio that may issue invoices."""
    made = make_firm(kind="service")
    actor = Actor(made.tenant_id, new_id(), "studio", frozenset({"billing.write"}), "Studio", "r")
    with transaction(service.engine, role="zen_studio", tenant_id=made.tenant_id) as connection:
        issuers.set_issuer(
            connection,
            actor,
            legal_name="Specimen Studio Private Limited",
            gstin=ISSUER_GSTIN,
            details={"address": ["1 Specimen Road", "Mysuru 570001"], "email": "a@specimen.test"},
        )
    return made


@pytest.fixture
def books(service: Service, studio: Any, make_firm: Any) -> Books:
    """The studio, and a firm of the test's own."""
    firm_id = make_firm().tenant_id
    actor = Actor(firm_id, new_id(), "studio", frozenset({"billing.write"}), "Studio", "r")
    return Books(service, studio.tenant_id, firm_id, actor)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., datetime]:
    """set_clock(2026, 1, 31, 18, 30) or set_clock(instant): it is then, for the whole service."""

    def put(*when: Any) -> datetime:
        instant = when[0] if isinstance(when[0], datetime) else datetime(*when, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: instant)
        return instant

    return put
