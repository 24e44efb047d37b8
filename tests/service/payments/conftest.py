"""Stand-ins of both providers in a process of their own, and books that are paid through them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from service.actor import Actor
from service.billing import journal
from service.billing.accounts import Account
from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id
from service.invoices import prices
from service.kept_process import start_kept
from service.payments import checkout, inbox, records
from service.payments.providers import Heard
from service.payments.records import Event, Order
from service.settings import Settings
from tests.service.invoices.conftest import Books, books

__all__ = ["books"]

STRIPE_KEY, STRIPE_SECRET = "sk_test_specimen", "whsec_specimen_0123456789"
RAZORPAY_ID, RAZORPAY_KEY = "rzp_test_specimen", "specimen-key-0123456789"
RAZORPAY_SECRET = "specimen-webhook-0123456789"
KNOWN = {
    "ZENOPS_STRIPE_SECRET_KEY": STRIPE_KEY,
    "ZENOPS_STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
    "ZENOPS_RAZORPAY_KEY_ID": RAZORPAY_ID,
    "ZENOPS_RAZORPAY_KEY_SECRET": RAZORPAY_KEY,
    "ZENOPS_RAZORPAY_WEBHOOK_SECRETS": RAZORPAY_SECRET,
}
PROVIDERS = ("stripe", "razorpay")
BOTH = pytest.mark.parametrize("provider", PROVIDERS)
#: The event that says that a link was paid.
DONE = {"stripe": "checkout.session.completed", "razorpay": "payment_link.paid"}
#: Where a link is made.
LINKS = {"stripe": "/v1/checkout/sessions", "razorpay": "/v1/payment_links"}
#: What ten credits cost, in paise.
WHOLE = 118_000


def price_credits(
    connection: Connection, actor: Actor, unit_price: str = "100.00", **more: Any
) -> None:
    """Let a credit cost INR 100 and 18 % unless told otherwise."""
    prices.add_price(
        connection,
        actor,
        item=checkout.CREDIT,
        description="Credit",
        sac="998399",
        unit_price=Decimal(unit_price),
        tax_rate=Decimal(18),
        valid_from=date(2026, 4, 1),
        **more,
    )


@dataclass(frozen=True)
class StandIns:
    """The stand-ins, spoken with over HTTP."""

    port: int
    webhook_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def say(self, path: str, body: Any = None) -> Any:
        """What a path answers; a body is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return json.loads(answer.read())
        finally:
            connection.close()

    def pull(self, order: Order, lever: str, **said: Any) -> None:
        """Do something to an order's link, as a payer, a bank or the provider would."""
        self.say(f"/{order.provider}/local/{order.provider_order_id}/{lever}", said)

    def fail_next(self, provider: str, method: str, path: str, kind: str) -> None:
        """Let the next request to a path meet a fault."""
        self.say(f"/{provider}/local/faults", {"method": method, "path": path, "kind": kind})

    def objects(self, provider: str, **values: Any) -> list[Any]:
        """What a stand-in has, by these values."""
        found = self.say(f"/{provider}/local/objects")
        return [one for one in found if all(one.get(name) == it for name, it in values.items())]

    def links(self, order: Order) -> list[Any]:
        """The links that a stand-in has for an order."""
        name = "client_reference_id" if order.provider == "stripe" else "reference_id"
        return self.objects(order.provider, **{name: str(order.payment_order_id)})

    def events(self, order: Order) -> dict[str, tuple[str, Any]]:
        """The events of an order by their types: the id and the event; the last of each type."""
        mine = {str(order.payment_order_id), order.provider_order_id}
        intents = [
            one["id"]
            for one in self.objects("stripe", object="payment_intent")
            if one["metadata"].get("zenops_order") in mine
        ]
        plain = (order.provider_order_id or "").removeprefix("plink_")
        names = [*mine, *intents, f"#{plain}"]
        found = {}
        for one in self.say(f"/{order.provider}/local/events"):
            event = one["event"]
            if any(f'"{name}"' in json.dumps(event) for name in names):
                found[event.get("type") or event["event"]] = (one["id"], event)
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: Any) -> Iterator[StandIns]:
    """Both stand-ins; what they tell goes nowhere until somebody listens at `webhook_port`."""
    folder = tmp_path_factory.mktemp("stand-ins")
    port, webhook_port = free_port(), free_port()
    said = (folder / "said").open("w+b")
    process = start_kept(
        [
            *[sys.executable, "-m", "service.command_line", "payment-provider"],
            *["--listen", f"127.0.0.1:{port}", "--log", str(folder / "log")],
        ],
        environ={
            "PATH": os.environ["PATH"],
            "ZENOPS_MODE": "test",
            "ZENOPS_PUBLIC_URL": f"http://127.0.0.1:{webhook_port}",
            **KNOWN,
        },
        output=said.fileno(),
    )
    made = StandIns(port, webhook_port, folder / "log")
    try:
        deadline = time.monotonic() + 20
        while "payment providers at" not in (folder / "said").read_text():
            assert process.exit_code() is None, (folder / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for provider in PROVIDERS:
            made.say(f"/{provider}/local/deliveries", {"held": True})
        yield made
    finally:
        process.stop()
        said.close()


@pytest.fixture(scope="module")
def settings(settings: Settings, stand_ins: StandIns) -> Settings:
    """The service's settings, with both providers where the stand-ins are."""
    return dataclasses.replace(
        settings,
        public_url=f"http://127.0.0.1:{stand_ins.webhook_port}",
        stripe_url=f"{stand_ins.url}/stripe",
        stripe_secret_key=STRIPE_KEY,
        stripe_webhook_secrets=(STRIPE_SECRET,),
        razorpay_url=f"{stand_ins.url}/razorpay",
        razorpay_key_id=RAZORPAY_ID,
        razorpay_key_secret=RAZORPAY_KEY,
        razorpay_webhook_secrets=(RAZORPAY_SECRET,),
        provider_seconds=2,
    )


@dataclass(frozen=True)
class Till:
    """The books with payments: what the routes and the jobs do, step by step."""

    books: Books
    service: Service
    jobs: Service
    stand_ins: StandIns

    def started(self, account: Account, *, provider: str = "stripe", **what: Any) -> Order:
        """An order that is committed, and of which the provider has not heard."""
        what = {"credits": 10, **what} if "invoice_id" not in what else what
        start = checkout.start_invoice_payment if "invoice_id" in what else checkout.start_topup
        key = what.pop("key", None) or str(new_id())
        with self.books.acting() as connection:
            return start(
                connection,
                self.books.actor,
                account,
                self.service.settings,
                provider=provider,
                key=key,
                **what,
            )

    def opened(self, account: Account, **what: Any) -> Order:
        """An order with a link at the stand-in."""
        return self.told(self.started(account, **what))

    def told(self, order: Order) -> Order:
        """The order once the provider was told, and has answered or not."""
        said = checkout.tell_provider(self.service.settings, order)
        with self.books.acting() as connection:
            return checkout.note_answer(connection, self.books.actor, order, said)

    @contextmanager
    def working(self) -> Iterator[tuple[Connection, Actor]]:
        """A transaction of a worker for the studio, as an event's job has it."""
        actor = Actor(
            self.books.studio_id, None, "worker", frozenset(), "test", "r", operation_id=new_id()
        )
        with transaction(
            self.jobs.engine, role="zen_worker", tenant_id=self.books.studio_id
        ) as connection:
            yield connection, actor

    def keep(self, provider: str, event_id: str, event: Any) -> UUID:
        """The row of an event, stored as the webhook stores it but for its proof."""
        return self.keep_all(provider, {"one": (event_id, event)})["one"]

    def keep_all(self, provider: str, events: dict[str, tuple[str, Any]]) -> dict[str, UUID]:
        """The rows of events, by the same names."""
        found = {}
        with self.working() as (connection, _):
            for name, (event_id, event) in events.items():
                body = json.dumps(event).encode()
                heard = Heard(event_id, event.get("type") or event["event"], None)
                kept, _ = inbox.store(connection, self.books.studio_id, provider, heard, body)  # type: ignore[arg-type]
                found[name] = kept.event_id
        return found

    def hear(self, provider: str, event: Any, event_id: str | None = None) -> Event:
        """An event stored and worked off."""
        return self.process(self.keep(provider, event_id or str(new_id()), event))

    def process(self, event_id: UUID) -> Event:
        """What became of a stored event."""
        with self.working() as (connection, actor):
            found = inbox.process_event(connection, actor, event_id)
        assert found is not None
        return found

    def order(self, order: Order) -> Order:
        """The order as it is now."""
        with self.books.acting() as connection:
            found = records.find_order(connection, order.tenant_id, order.payment_order_id)
        assert found is not None
        return found

    def refunds(self, order: Order) -> list[records.Refund]:
        """The order's refunds as they are now."""
        with self.books.acting() as connection:
            return records.refunds_of(connection, order.tenant_id, order.payment_order_id)

    def wallet(self, account: Account) -> journal.Wallet:
        """The account's counters; its journal holds."""
        with self.books.acting() as connection:
            assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []
            return journal.find_wallet(connection, account.tenant_id, account.account_id)

    def ledgers(self, account: Account) -> dict[str, int]:
        """What the account's entries add up to, by ledger."""
        with self.books.acting() as connection:
            rows = connection.execute(
                text(
                    "select ledger, sum(amount::bigint)::bigint as total from journal_entries,"
                    " jsonb_each_text(postings) as line (ledger, amount)"
                    " where account_id = :account group by ledger"
                ),
                {"account": account.account_id},
            ).all()
        return {row.ledger: row.total for row in rows if row.total}

    def audit(self, order: Order) -> list[str]:
        """What the audit says was done to the order."""
        with self.books.acting() as connection:
            return list(
                connection.scalars(
                    text(
                        "select action from audit_events where subject_id = :order order by event_id"
                    ),
                    {"order": str(order.payment_order_id)},
                )
            )


@pytest.fixture(scope="module")
def till(books: Books, service: Service, jobs_service: Service, stand_ins: StandIns) -> Till:
    """The books with payments; a credit costs INR 100 and 18 %."""
    with books.acting() as connection:
        price_credits(connection, books.actor)
    return Till(books, service, jobs_service, stand_ins)
