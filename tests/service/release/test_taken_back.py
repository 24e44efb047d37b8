"""A payment that is taken back after a release covers no later version of the report."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from flask import Flask

from service.billing import accounts
from service.bootstrap import Service
from service.clock import now
from service.identifiers import new_id
from service.invoices import records as invoices
from service.invoices.adjusting import credit_note
from service.invoices.issuing import issue, void
from service.invoices.settling import reverse_settlement
from service.reconciliation.comparing import DRIFTS, find
from tests.service.billing.conftest import acting, studio
from tests.service.release.conftest import Order, make_next_version
from tests.service.release.test_concurrency import asking, at_once

#: Findings about what was let out, and who paid for it.
ABOUT_DELIVERIES = ("delivery_uncharged", "delivery_taken_back", "work_charged_twice")


@pytest.fixture(autouse=True)
def _app(app: Flask) -> Flask:
    """The application registers what releasing counts."""
    return app


class Desk:
    """The studio's side of a firm's invoices: what is done to one, each in its own transaction."""

    def __init__(self, service: Service, tenant_id: UUID, look: Any) -> None:
        self.service, self.actor, self.look = service, studio(tenant_id), look

    def _account(self, connection: Any, invoice_id: UUID) -> Any:
        found = invoices.find(connection, self.actor.tenant_id, invoice_id)
        return accounts.find_account(connection, self.actor.tenant_id, found.account_id)

    def take_back(
        self,
        invoice_id: UUID,
        amount: Decimal | None = None,
        kind: Literal["refund", "chargeback"] = "chargeback",
        within: Callable[[], Any] = lambda: None,
    ) -> None:
        """Let the last payment of an invoice go back; `within` is done before that is committed."""
        ((settlement_id, paid),) = self.look(
            "select settlement_id, amount from invoice_settlements where invoice_id = :id"
            " and kind = 'payment' order by created_at desc, settlement_id desc limit 1",
            id=invoice_id,
        )
        with acting(self.service, self.actor) as connection:
            reverse_settlement(
                connection,
                self.actor,
                self._account(connection, invoice_id),
                kind=kind,
                amount=Decimal(paid) / 100 if amount is None else amount,
                key=f"back-{new_id()}",
                settlement_id=settlement_id,
                reason="the payer's bank took it",
            )
            within()

    def credit(self, invoice_id: UUID) -> None:
        """Credit all that is due."""
        with acting(self.service, self.actor) as connection:
            credit_note(
                connection,
                self.actor,
                self._account(connection, invoice_id),
                invoice_id,
                amount=invoices.find(connection, self.actor.tenant_id, invoice_id).due,
                reason="given up",
                key=f"credit-{new_id()}",
            )

    def void(self, invoice_id: UUID) -> None:
        """Give an invoice up."""
        account_of = self._account
        with acting(self.service, self.actor) as connection:
            account = account_of(connection, invoice_id)
            void(
                connection, self.actor, account, invoice_id, reason="given up", key=f"v-{new_id()}"
            )

    def issue(self, invoice_id: UUID) -> None:
        """Issue a draft."""
        with acting(self.service, self.actor) as connection:
            account = self._account(connection, invoice_id)
            issue(connection, self.actor, account, invoice_id, key=f"i-{new_id()}")

    def findings(self) -> list[tuple[str, str]]:
        """What a sweep finds about the firm's deliveries: kinds and subjects."""
        with acting(self.service, self.actor) as connection:
            return [
                (one.code, one.subject_id)
                for drift in DRIFTS
                if drift.code in ABOUT_DELIVERIES
                for one in find(connection, drift, self.actor.tenant_id, now())
            ]


@pytest.fixture
def books_desk(service: Service, owner: Any, look: Any) -> Desk:
    return Desk(service, owner.tenant_id, look)


@pytest.fixture
def correct(service: Service, look: Any) -> Callable[[Order], None]:
    """correct(order) reopens it, and has the next version made, proved and signed."""

    def again(order: Order) -> None:
        moved = order.desk.post(
            f"{order.path}/status", json={"status": "DATA_PENDING", "note": "wrong area"}
        )
        assert moved.status_code == 200, moved.get_json()
        make_next_version(service, look, order)

    return again


def told(answer: Any) -> tuple[str, str | None]:
    assert answer.status_code == 200, answer.get_json()
    release = answer.get_json()["release"]
    return release["gate_result"], release["reason"]


def invoices_of(look: Any, order: Order) -> list[tuple[UUID, str]]:
    found: list[tuple[UUID, str]] = look(
        "select invoice_id, status from service_invoices where work_order_id = :id"
        " order by created_at",
        id=order.id,
    )
    return found


def test_a_payment_that_was_charged_back_does_not_cover_the_corrected_version(
    make_order: Any, invoice: Any, pay: Any, books_desk: Desk, correct: Any, look: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "paid")
    first = order.release("first").get_json()["release"]["release_id"]
    books_desk.take_back(invoice_id)
    correct(order)

    gate = order.pack()["billing_gate_status"]
    assert (gate["gate_result"], gate["waits_for"]) == ("BLOCKED", "charge_reversed")
    assert "taken back" in gate["message"]
    blocked = order.release("second").get_json()
    assert (blocked["gate_result"], blocked["blocked_reason"]) == ("BLOCKED", "charge_reversed")
    assert "taken back" in blocked["message"]
    assert blocked["release"]["service_invoice_id"] == str(invoice_id)
    # The invoice of before serves; what was let out stays so, and the sweep says what it is.
    assert invoices_of(look, order) == [(invoice_id, "issued")]
    let_out = order.desk.get(f"{order.path}/deliverables").get_json()["items"]
    assert [(one["version"], one["state"]) for one in let_out] == [(1, "superseded")]
    assert books_desk.findings() == [("delivery_taken_back", first)]

    pay(order.user.tenant_id, invoice_id)
    assert order.release("second").get_json()["gate_result"] == "BLOCKED"
    assert told(order.release("third")) == ("PAID", "covered_by_settled_charge")
    assert books_desk.findings() == []
    # It is taken back once more: the newest version is a release of the same invoice.
    books_desk.take_back(invoice_id)
    assert books_desk.findings() == [("delivery_taken_back", first)]


def test_an_override_lets_it_out_and_says_of_what(
    make_order: Any, invoice: Any, books_desk: Desk, correct: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "paid")
    order.release("first")
    books_desk.take_back(invoice_id)
    correct(order)
    answer = order.release("second", override=True, override_reason="the bank waits")

    assert told(answer) == ("OVERRIDE", "charge_reversed_override")
    assert answer.get_json()["release"]["override_reason"] == "the bank waits"
    correct(order)
    assert told(order.release("third")) == ("BLOCKED", "charge_reversed")


def test_a_refund_of_a_part_blocks_until_the_rest_is_paid_or_credited(
    make_order: Any, invoice: Any, books_desk: Desk, correct: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "paid")
    order.release("first")
    books_desk.take_back(invoice_id, Decimal("100.00"), "refund")
    correct(order)

    assert told(order.release("second")) == ("BLOCKED", "charge_reversed")
    books_desk.credit(invoice_id)
    assert told(order.release("third")) == ("PAID", "covered_by_settled_charge")
    assert books_desk.findings() == []


@pytest.mark.parametrize("given_up", ["void", "credit"])
def test_when_the_invoice_is_given_up_another_is_drafted_and_covers_what_follows(
    make_order: Any,
    invoice: Any,
    pay: Any,
    books_desk: Desk,
    correct: Any,
    look: Any,
    given_up: str,
) -> None:
    order = make_order()
    first_id = invoice(order, "paid")
    order.release("first")
    books_desk.take_back(first_id)
    getattr(books_desk, given_up)(first_id)
    correct(order)
    (_, (second_id, status)) = invoices_of(look, order)

    assert status == "draft"
    assert told(order.release("second")) == ("BLOCKED", "invoice_unpaid")
    books_desk.issue(second_id)
    pay(order.user.tenant_id, second_id)
    paid = order.release("third")
    assert told(paid) == ("PAID", None)
    assert paid.get_json()["release"]["service_invoice_id"] == str(second_id)
    correct(order)
    again = order.release("fourth")
    assert told(again) == ("PAID", "covered_by_settled_charge")
    assert again.get_json()["release"]["service_invoice_id"] == str(second_id)
    assert len(invoices_of(look, order)) == 2
    assert books_desk.findings() == []
    # The charge says by what it was settled first, and is never rewritten.
    assert look(
        "select settled_by, invoice_id from work_order_charges where work_order_id = :id",
        id=order.id,
    ) == [("PAID", first_id)]
    books_desk.take_back(second_id)
    correct(order)
    assert told(order.release("fifth")) == ("BLOCKED", "charge_reversed")


def test_credits_may_pay_instead_of_an_invoice_that_was_given_up_and_are_used_once(
    make_order: Any,
    invoice: Any,
    books_desk: Desk,
    correct: Any,
    open_credit: Any,
    credits_of: Any,
) -> None:
    order = make_order()
    invoice_id = invoice(order, "paid")
    order.release("first")
    books_desk.take_back(invoice_id)
    books_desk.void(invoice_id)
    assert [code for code, _ in books_desk.findings()] == ["delivery_uncharged"]
    account = open_credit(5)
    correct(order)

    assert credits_of(account) == (5, 1, 4)
    assert told(order.release("second")) == ("CREDIT_CONSUMED", None)
    correct(order)
    assert told(order.release("third")) == ("CREDIT_CONSUMED", "covered_by_settled_charge")
    assert credits_of(account) == (4, 0, 4)
    assert books_desk.findings() == []


def test_a_payment_that_is_taken_back_while_the_release_waits_does_not_count(
    service: Service, make_order: Any, invoice: Any, books_desk: Desk, correct: Any
) -> None:
    """The order of the two is made certain: whoever takes it back has the wallet until then."""
    order = make_order()
    invoice_id = invoice(order, "paid")
    order.release("first")
    correct(order)
    waiting: list[Any] = []
    with ThreadPoolExecutor(1) as pool:

        def begin() -> None:
            waiting.append(pool.submit(asking(service, order, "late")))
            with pytest.raises(TimeoutError):
                waiting[0].result(timeout=1)

        books_desk.take_back(invoice_id, within=begin)
        answer = waiting[0].result(timeout=30)

    assert (answer.decision.result, answer.decision.reason) == ("BLOCKED", "charge_reversed")


def test_a_release_against_a_chargeback_is_paid_before_it_or_blocked_after_it(
    service: Service, make_order: Any, invoice: Any, pay: Any, books_desk: Desk, correct: Any
) -> None:
    order = make_order()
    invoice_id = invoice(order, "paid")
    order.release("first")
    correct(order)
    for number in range(10):
        released, gone = at_once(
            asking(service, order, f"race-{number}"), lambda: books_desk.take_back(invoice_id)
        )
        assert gone is None
        decision = released.decision
        if decision.result == "PAID":
            break
        assert (decision.result, decision.reason) == ("BLOCKED", "charge_reversed")
        pay(order.user.tenant_id, invoice_id)
