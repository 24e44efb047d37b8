"""A random history of a firm's books through the service's own functions, with a clock of its own.

Whatever the functions allow happens, and what they refuse is tried too. Afterwards nothing must be
found that does not agree.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.billing import accounts, credits, hooks
from service.billing.accounts import Account
from service.billing.reconciling_holds import Wanted, ended_holds, reconcile
from service.bootstrap import Service
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices import adjusting, issuing, notices, settling
from service.invoices import records as invoice_records
from service.payments import checkout, inbox, records, refunding
from service.payments.providers import ORDER_NOTE, Heard, News
from service.payments.settling import apply_news
from service.people.roles import capabilities_of
from service.reconciliation.running import Run, compare
from service.release.questioning import Wish
from service.release.releasing import release
from service.subscriptions import subscribing, sweeping
from service.subscriptions.plans import create_plan
from service.workorders.creating import create
from service.workorders.moving import move
from service.workorders.records import find as find_work
from service.workorders.shapes import NewWorkOrder
from service.workorders.transitions import Move
from tests.service.invoices.conftest import Books, item

FAR = timedelta(days=3650)


@dataclass
class History:
    """What happens in a firm."""

    books: Books
    service: Service
    jobs: Service
    owner: Any
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - that it can be repeated
        self.real_clock = clock.now
        self.at = clock.now()
        clock.now = lambda: self.at
        self.holds: list[tuple[Account, UUID]] = []
        self.invoices: list[tuple[Account, UUID]] = []
        self.orders: list[tuple[Account, UUID]] = []
        self.work: list[UUID] = []
        self.subscriptions: list[UUID] = []
        self.last: Callable[[], Any] = lambda: None
        self.accounts = [self._account(mode) for mode in ("CREDIT", "CREDIT", "POSTPAID")]
        self.plans = [self._plan(price) for price in (0, 500)]
        self.person = Actor(
            self.books.firm_id,
            self._person(),
            "web",
            capabilities_of(("super_admin",)),
            "Specimen",
            "r",
        )

    def end(self) -> None:
        """Give the service its clock back."""
        clock.now = self.real_clock

    def run(self, operations: int) -> None:
        """Let so much happen that nothing refuses, then let everything run out that somebody would wait for."""
        kinds, weights = zip(*_WEIGHTS.items(), strict=True)
        while self.done.total() < operations:
            self.at += timedelta(seconds=self.chance.randrange(1, 1200))
            kind = self.chance.choices(kinds, weights)[0]
            try:
                kind(self)
                self.done[kind.__name__] += 1
            except ServiceError as error:
                self.refused[error.code] += 1
        self.at += timedelta(hours=1)
        self.close_orders()
        self.sweep()
        self.end_holds()

    def compare(self, *, tenant_id: UUID | None = None) -> Run:
        """What a sweep of the books finds; of the firm's, or of the studio's."""
        actor = replace(self.books.actor, tenant_id=tenant_id or self.books.firm_id)
        return compare(self.service, actor, login="api")

    # --- Credits

    def grant(self) -> None:
        account, amount, key = self._one(), self.chance.randrange(1, 50), str(new_id())
        self.last = lambda: self._do(credits.grant, account, amount, key=key)
        self.last()

    def adjust(self) -> None:
        amount = self.chance.randrange(-9, 5) or 1
        self._do(
            credits.grant, self._one(), amount,
            key=str(new_id()), kind="adjustment", reason="counted again",
        )  # fmt: skip

    def reserve(self) -> None:
        account, amount, key = self._one(), self.chance.randrange(1, 9), str(new_id())
        ref = ("channel_request", str(new_id()))
        over = self.chance.random() < 0.1
        expires = self.at + (FAR if self.chance.random() < 0.9 else timedelta(minutes=30))

        def again() -> Any:
            return self._do(
                credits.reserve, account, amount, key=key, ref=ref, expires_at=expires,
                override_reason="they will pay" if over else None,
            )  # fmt: skip

        self.last = again
        hold = again().hold
        self.holds.append((account, hold.hold_id))

    def consume(self) -> None:
        account, hold = self._any(self.holds)
        amount = self.chance.choice([None, 1, 2])
        key = str(new_id())
        self.last = lambda: self._do(credits.consume, account, hold_id=hold, amount=amount, key=key)
        self.last()

    def free(self) -> None:
        account, hold = self._any(self.holds)
        self._do(credits.release, account, hold_id=hold, key=str(new_id()), reason="not needed")

    def try_only(self) -> None:
        self._do(
            credits.reserve, self._one(), 1,
            key=str(new_id()), ref=("channel_request", str(new_id())), dry_run=True,
        )  # fmt: skip

    def repeat(self) -> None:
        """A client that has heard no answer."""
        self.last()

    def end_holds(self) -> None:
        """The hourly round."""
        wanted = Wanted(tenant_id=self.books.firm_id)
        with self.books.acting() as connection:
            found = ended_holds(connection, wanted, self.at)
        ended = reconcile(
            lambda _: self.books.acting(), lambda _: self.books.actor, found, wanted, at=self.at
        )
        assert ended.errors == ()

    # --- Invoices

    def draft(self) -> None:
        account = self._one()
        lines = [
            item(
                f"{self.chance.randrange(1, 9000)}.{self.chance.randrange(100):02}",
                self.chance.choice(["18", "5", "0"]),
                self.chance.choice(["1", "2.5", "3"]),
            )
            for _ in range(self.chance.randrange(1, 4))
        ]
        self.invoices.append((account, self.books.draft(account, *lines).invoice_id))

    def issue(self) -> None:
        account, invoice = self._any(self.invoices)
        self._do(issuing.issue, account, invoice, key=str(new_id()))

    def send(self) -> None:
        account, invoice = self._any(self.invoices)
        self._do(notices.notify, account, invoice, kind="sent", key=str(new_id()))

    def settle(self) -> None:
        account, invoice = self._any(self.invoices)
        amount = Decimal(self.chance.randrange(1, 400_000)) / 100
        mode = self.chance.choice(["upi", "bank_transfer", "cash", "advance"])
        self._do(settling.settle, account, invoice, amount=amount, mode=mode, key=str(new_id()))

    def pay_up(self) -> None:
        account, invoice = self._any(self.invoices)
        due = self._invoice(invoice).due
        self._do(settling.settle, account, invoice, amount=due, mode="upi", key=str(new_id()))

    def give_back(self) -> None:
        account, invoice = self._any(self.invoices)
        with self.books.acting() as connection:
            paid = connection.execute(
                text(
                    "select settlement_id, amount from invoice_settlements where invoice_id = :id"
                    " and kind = 'payment' and payment_order_id is null order by 1 limit 1"
                ),
                {"id": invoice},
            ).one_or_none()
        if paid is None:
            return
        amount = Decimal(self.chance.randrange(1, paid.amount + 1)) / 100
        self._do(
            settling.reverse_settlement, account, kind="refund", amount=amount,
            settlement_id=paid.settlement_id, key=str(new_id()), mode="bank_transfer",
        )  # fmt: skip

    def credit(self) -> None:
        account, invoice = self._any(self.invoices)
        amount = Decimal(self.chance.randrange(1, 100_000)) / 100
        self._do(
            adjusting.credit_note, account, invoice,
            amount=amount, reason="too dear", key=str(new_id()),
        )  # fmt: skip

    def void(self) -> None:
        account, invoice = self._any(self.invoices)
        self._do(issuing.void, account, invoice, reason="entered twice", key=str(new_id()))

    # --- Payments

    def start_topup(self) -> None:
        account = self._one()
        order = self._do(
            checkout.start_topup, account, self.service.settings,
            provider=self.chance.choice(["stripe", "razorpay"]),
            credits=self.chance.randrange(1, 30), key=str(new_id()),
        )  # fmt: skip
        self.orders.append((account, order.payment_order_id))

    def start_payment(self) -> None:
        account, invoice = self._any(self.invoices)
        order = self._do(
            checkout.start_invoice_payment, account, self.service.settings,
            provider=self.chance.choice(["stripe", "razorpay"]), invoice_id=invoice,
            key=str(new_id()),
        )  # fmt: skip
        self.orders.append((account, order.payment_order_id))

    def hear(self) -> None:
        """News of an order, of which some come twice and some contradict it."""
        _, order_id = self._any(self.orders)
        says = self.chance.choice(["open", "authorized", "failed", "paid", "paid", "paid"])
        if says == "paid":
            self.pay(order_id, wrong=self.chance.random() < 0.05)
        else:
            self.news(order_id, says, provider_payment_id=f"pay_{order_id}")

    def pay(self, order_id: UUID, *, wrong: bool = False) -> None:
        """News that an order is paid; not of its amount, if they are wrong."""
        amount = self.order(order_id).amount + wrong
        name = f"pay_{order_id}"
        self.news(order_id, "paid", amount=amount, currency="INR", provider_payment_id=name)

    def webhook(self) -> None:
        """An event comes twice, as events do, and is worked off twice."""
        _, order_id = self._any(self.orders)
        order = self.order(order_id)
        kind = "payment_intent.succeeded" if order.provider == "stripe" else "customer.created"
        about = {
            "id": f"pay_{order_id}",
            "amount_received": order.amount,
            "currency": "inr",
            "metadata": {ORDER_NOTE: str(order_id)},
        }
        said = json.dumps({"type": kind, "data": {"object": about}}).encode()
        name = str(new_id())
        for _ in range(2):
            self.keep_event(name, kind, said)

    def keep_event(self, name: str, kind: str, said: bytes) -> None:
        """Store an event as the webhook does but for its proof, and work it off."""
        studio = self.books.studio_id
        worker = Actor(studio, None, "worker", frozenset(), "test", "r", operation_id=new_id())
        with transaction(self.jobs.engine, role="zen_worker", tenant_id=studio) as connection:
            kept, _ = inbox.store(connection, studio, "stripe", Heard(name, kind, None), said)
            inbox.process_event(connection, worker, kept.event_id)

    def hear_back(self) -> None:
        """Money that went back at the provider's desk, or was taken by a bank."""
        _, order_id = self._any(self.orders)
        order = self.order(order_id)
        some = self.chance.randrange(1, order.amount + 1)
        says = self.chance.choice(["refund", "refunded_in_all", "dispute_lost", "disputed"])
        more: dict[str, Any] = {"amount": some, "currency": "INR"}
        if says == "refund":
            status = self.chance.choice(["pending", "succeeded", "failed"])
            more |= {"provider_refund_id": f"re_{new_id()}", "refund_status": status}
        if says in {"disputed", "dispute_lost"}:
            more["provider_dispute_id"] = f"dp_{order_id}_{self.chance.randrange(3)}"
        self.news(order_id, says, **more)

    def refund(self) -> None:
        _, order_id = self._any(self.orders)
        with self.books.acting() as connection:
            _, made = refunding.start_refund(
                connection, self.books.actor, self.order(order_id),
                amount=self.chance.choice([None, 100]), reason="too much", key=str(new_id()),
            )  # fmt: skip
        status = self.chance.choice(["succeeded", "failed", "pending"])
        self.news(
            order_id, "refund", amount=made.amount, currency="INR", refund_id=made.refund_id,
            provider_refund_id=f"re_{made.refund_id}", refund_status=status,
        )  # fmt: skip

    def close_orders(self) -> None:
        """Links that nobody paid by run out, and the provider says so."""
        with self.books.acting() as connection:
            over = connection.scalars(
                text(
                    "select payment_order_id from payment_orders where tenant_id = :firm"
                    " and settled_at is null and status not in ('expired', 'cancelled')"
                ),
                {"firm": self.books.firm_id},
            ).all()
            refunds = connection.execute(
                text(
                    "select payment_order_id, refund_id, amount, provider_refund_id"
                    " from payment_refunds where tenant_id = :firm"
                    " and status in ('pending', 'unknown')"
                ),
                {"firm": self.books.firm_id},
            ).all()
        for one in over:
            self.news(one, "expired")
        for row in refunds:
            self.news(
                row.payment_order_id, "refund", amount=row.amount, currency="INR",
                refund_id=row.refund_id, provider_refund_id=row.provider_refund_id,
                refund_status="failed",
            )  # fmt: skip

    # --- Subscriptions

    def subscribe(self) -> None:
        account = self._account("CREDIT")
        made = self._do(subscribing.subscribe, account, self.chance.choice(self.plans))
        self.subscriptions.append(made.subscription_id)

    def pause(self) -> None:
        one = self._any(self.subscriptions)
        act = self.chance.choice([subscribing.pause, subscribing.resume])
        with self.books.acting() as connection:
            act(connection, self.books.actor, self.books.firm_id, one)

    def pay_period(self) -> None:
        """The price of a period is paid, as any invoice is."""
        with self.books.acting() as connection:
            owed = connection.execute(
                text(
                    "select invoice_id, account_id from subscription_periods join subscriptions"
                    " using (tenant_id, subscription_id) where tenant_id = :firm"
                    " and invoice_id is not null order by invoice_id desc limit 1"
                ),
                {"firm": self.books.firm_id},
            ).one_or_none()
            if owed is None:
                return
            account = accounts.find_account(connection, self.books.firm_id, owed.account_id)
        due = self._invoice(owed.invoice_id).due
        self._do(
            settling.settle, account, owed.invoice_id, amount=due, mode="upi", key=str(new_id())
        )

    def sweep(self) -> None:
        with self.books.acting() as connection:
            found = sweeping.due(connection, self.at, tenant_id=self.books.firm_id)
        done = sweeping.sweep(
            found, lambda _: self.books.acting(), lambda _: self.books.actor, at=self.at
        )
        assert done.errors == ()

    # --- Work and releases

    def accept(self) -> None:
        """A work order is accepted: a hold is made, or an invoice drafted."""
        if self.chance.random() < 0.3:
            self.pay_by(self.chance.choice(["CREDIT", "POSTPAID"]))
        with self._desk() as connection:
            order = create(connection, self.person, NewWorkOrder(report_type="VALUATION"))
            move(connection, self.person, order.work_order_id, "DATA_PENDING")
        self.work.append(order.work_order_id)

    def cancel(self) -> None:
        one = self._any(self.work)
        with self._desk() as connection:
            target = self.chance.choice(["CANCELLED", "CLOSED"])
            move(connection, self.person, one, target)

    def let_out(self) -> None:
        """A report is made, signed and asked for; paid for, overridden or not."""
        one = self._any(self.work)
        with self._desk() as connection:
            order = find_work(connection, self.books.firm_id, one)
        if order.status != "DATA_PENDING":
            raise ServiceError(409, "NOT_UNDER_WAY", "It is over")
        self.report(
            one,
            pays=self.chance.random() < 0.6,
            override=self.chance.random() < 0.3,
            outcome=self.chance.choice(["release", "consume"]),
        )

    def report(
        self, one: UUID, *, pays: bool = False, override: bool = False, outcome: str = "release"
    ) -> None:
        """The report of a work order is made, signed and asked for."""
        self._make_report(one)
        with self._desk() as connection:
            order = find_work(connection, self.books.firm_id, one)
            hooks.on_ready(connection, self.person, Move(order, "DATA_PENDING", None, None))
        if pays:
            self._pay_for(one)
        wish = Wish(
            key=str(new_id()),
            override=override,
            override_reason="the bank waits" if override else None,
            hold_outcome=outcome,  # type: ignore[arg-type]
        )
        # Only the studio lets out what is not paid for.
        studio = replace(self.books.actor, capabilities=frozenset({"deliverables.override"}))
        with self.books.acting() if override else self._desk() as connection:
            release(connection, studio if override else self.person, one, wish)

    def correct(self) -> None:
        """A report is taken back to be corrected; its next version is covered, or paid anew."""
        one = self._any(self.work)
        with self._desk() as connection:
            move(connection, self.person, one, "DATA_PENDING", note="wrong house")

    def _pay_for(self, work_order_id: UUID) -> None:
        with self.books.acting() as connection:
            found = invoice_records.invoice_of_work_order(
                connection, self.books.firm_id, work_order_id
            )
            if found is None or not found.due:
                return
            account = accounts.find_account(connection, self.books.firm_id, found.account_id)
        self._do(
            settling.settle, account, found.invoice_id,
            amount=found.due, mode="upi", key=str(new_id()),
        )  # fmt: skip

    def _make_report(self, work_order_id: UUID) -> None:
        """What the factory and a valuer would have done, written by the superuser."""
        values = {
            "tenant": self.books.firm_id,
            "order": work_order_id,
            "pack": new_id(),
            "valuer": new_id(),
            "person": self.person.user_id,
            "at": self.at,
            "digest": work_order_id.hex * 2,
        }
        with self.owner.begin() as connection:
            version = connection.scalar(
                text(
                    "select 1 + coalesce(max(version), 0) from packs where work_order_id = :order"
                ),
                values,
            )
            values["version"] = version
            values["snapshot"] = 1 + connection.scalar(
                text(
                    "select coalesce(max(version), 0) from snapshots where work_order_id = :order"
                ),
                values,
            )
            for statement in _REPORT:
                connection.execute(text(statement), values)
            for kind in ("bundle", "docx", "pdf"):
                operation = {**values, "operation": new_id(), "artifact": new_id(), "kind": kind}
                for statement in _ARTIFACT:
                    connection.execute(text(statement), operation)

    # --- What it is done with

    def _do(self, operation: Callable[..., Any], account: Account, *given: Any, **more: Any) -> Any:
        return self.books.run(operation, account, *given, **more)

    def _one(self) -> Account:
        return self.chance.choice(self.accounts)

    def _any(self, of: list[Any]) -> Any:
        """Rather a late one than an early one; nothing yet is refused like everything else."""
        if not of:
            raise ServiceError(404, "NOTHING_YET", "There is none yet")
        return of[-1 - min(len(of) - 1, int(self.chance.expovariate(0.2)))]

    @contextmanager
    def _desk(self) -> Any:
        with transaction(
            self.service.engine,
            role="zen_web",
            tenant_id=self.books.firm_id,
            user_id=self.person.user_id,
        ) as connection:
            yield connection

    def pay_by(self, mode: str) -> None:
        """The firm pays in this way from here on."""
        with self.books.acting() as connection:
            firm = accounts.ensure_account_for(connection, self.books.actor)
            credits.grant(connection, self.books.actor, firm, 3, key=str(new_id()))
            accounts.change_policy(
                connection,
                self.books.actor,
                firm,
                billing_mode=mode,  # type: ignore[arg-type]
                force_enable_credit=True,
            )

    def news(self, order_id: UUID, says: str, **more: Any) -> None:
        for _ in range(1 + (self.chance.random() < 0.2)):
            with self.books.acting() as connection:
                apply_news(
                    connection,
                    self.books.actor,
                    order_id,
                    News(says, order_id=order_id, **more),  # type: ignore[arg-type]
                )

    def order(self, order_id: UUID) -> records.Order:
        with self.books.acting() as connection:
            found = records.find_order(connection, self.books.firm_id, order_id)
        assert found is not None
        return found

    def _invoice(self, invoice_id: UUID) -> invoice_records.Invoice:
        with self.books.acting() as connection:
            return invoice_records.find(connection, self.books.firm_id, invoice_id)

    def _account(self, mode: str) -> Account:
        account = self.books.account()
        with self.books.acting() as connection:
            return accounts.change_policy(
                connection,
                self.books.actor,
                account,
                billing_mode=mode,  # type: ignore[arg-type]
                force_enable_credit=True,
            )

    def _plan(self, price: int) -> UUID:
        studio = replace(self.books.actor, tenant_id=self.books.studio_id)
        with transaction(
            self.service.engine, role="zen_studio", tenant_id=studio.tenant_id
        ) as connection:
            return create_plan(
                connection,
                studio,
                name=f"Plan {new_id()}",
                price_monthly=Decimal(price),
                monthly_credit_allowance=5,
                sac="998399",
                tax_rate=Decimal(18),
                grace_days=7,
            ).plan_id

    def _person(self) -> UUID:
        made = new_id()
        with self.owner.begin() as connection:
            connection.execute(
                text(
                    "insert into users (user_id, email, name, created_at)"
                    " values (:id, :email, 'Specimen Person', now())"
                ),
                {"id": made, "email": f"{made}@specimen.test"},
            )
        return made


_REPORT = (
    (
        "insert into snapshots (tenant_id, work_order_id, version, kind, contract, bundle_digest,"
        " created_at) values (:tenant, :order, :snapshot, 'output', '{}', :digest, :at)"
    ),
    (
        "update packs set status = 'superseded' where work_order_id = :order"
        " and status in ('generating', 'generated', 'failed')"
    ),
    (
        "insert into packs (tenant_id, pack_id, work_order_id, version, snapshot_version,"
        " bundle_digest, template_key, family, status, created_at, generated_at) values (:tenant, :pack,"
        " :order, :version, :snapshot, :digest, 'x', 'x', 'generated', :at, :at)"
    ),
    (
        "update work_orders set status = 'READY_FOR_RENDER', current_pack_id = :pack,"
        " pack_version = :version where work_order_id = :order"
    ),
    (
        "insert into valuers (tenant_id, valuer_id, name, registration, may_sign, created_at,"
        " updated_at) values (:tenant, :valuer, 'A. Specimen', :valuer, true, :at, :at)"
    ),
    (
        "insert into sign_offs (tenant_id, sign_off_id, pack_id, bundle_digest, valuer_id, valuer_name,"
        " registration, signed_by, signed_at) values (:tenant, :pack, :pack, :digest, :valuer,"
        " 'A. Specimen', 'CAT-I/SPECIMEN/1', :person, :at)"
    ),
)
_ARTIFACT = (
    (
        "insert into operations (tenant_id, operation_id, kind, operation_key, work_order_id,"
        " subject_id, status, created_at, run_after) values (:tenant, :operation, 'system.probe',"
        " cast(:operation as text), :order, :pack, 'done', :at, :at)"
    ),
    (
        "insert into pack_artifacts (tenant_id, artifact_id, pack_id, kind, filename, object_key,"
        " media_type, size, sha256, operation_id, created_at) values (:tenant, :artifact, :pack, :kind,"
        " 'report', cast(:artifact as text), 'application/octet-stream', 1, :digest, :operation, :at)"
    ),
)
#: What happens, and how often.
_WEIGHTS: dict[Callable[[History], None], int] = {
    History.grant: 8,
    History.adjust: 3,
    History.reserve: 16,
    History.consume: 10,
    History.free: 5,
    History.try_only: 2,
    History.repeat: 4,
    History.end_holds: 2,
    History.draft: 6,
    History.issue: 6,
    History.send: 2,
    History.settle: 5,
    History.pay_up: 3,
    History.give_back: 3,
    History.credit: 3,
    History.void: 2,
    History.start_topup: 4,
    History.start_payment: 3,
    History.hear: 7,
    History.webhook: 4,
    History.hear_back: 3,
    History.refund: 3,
    History.close_orders: 1,
    History.subscribe: 1,
    History.pause: 1,
    History.pay_period: 2,
    History.sweep: 3,
    History.accept: 3,
    History.cancel: 1,
    History.let_out: 3,
    History.correct: 1,
}
