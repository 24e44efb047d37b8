"""What somebody tries who wants a report without paying what it costs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from service.billing import accounts
from service.clock import now
from service.identifiers import new_id
from service.invoices import prices
from service.invoices import records as invoices
from service.invoices.adjusting import credit_note
from service.invoices.settling import reverse_settlement
from tests.service.billing.conftest import acting, studio
from tests.service.clients import Client
from tests.service.conftest import Firm
from tests.service.release.conftest import Order, refused
from tests.service.release.test_hooks import _die, draft_order, invoices_of, move

__all__ = ["draft_order"]


def test_a_firm_never_lets_its_own_unpaid_report_out(
    make_order: Any, colleague: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    """Whatever their role, and by no program of theirs: the firm is the customer."""
    account, order = open_credit(1), make_order()
    hold(account, order)
    program = order.desk.post(
        "/v1/tokens",
        json={
            "kind": "service",
            "label": "a program",
            "scopes": ["deliverables.release", "deliverables.override"],
            "expires_at": (now() + timedelta(days=1)).isoformat(),
        },
    ).get_json()["token"]
    asked = [
        order.desk,
        colleague("manager"),
        colleague("ops_manager"),
        Client(order.desk.app, program),
    ]
    why = {"override": True, "override_reason": "the bank waits"}

    assert [refused(order.release("k", one, **why)) for one in asked] == [
        (403, "OVERRIDE_NOT_ALLOWED")
    ] * len(asked)
    assert look("select count(*) from releases where work_order_id = :id", id=order.id) == [(0,)]
    assert credits_of(account) == (1, 1, 0)
    let_out = order.release("k", **why).get_json()
    assert (let_out["gate_result"], credits_of(account)) == ("OVERRIDE", (1, 0, 1))


def test_somebody_of_the_studio_needs_the_capability_too(
    make_order: Any, studio_books: UUID, owner: Any, make_user: Any, sign_in: Any
) -> None:
    order = make_order()
    inside = sign_in(make_user(Firm(studio_books, "", ""), ["ops_manager"]), "studio")
    client = Client(inside.app, inside.token, {"X-Zenops-Tenant": str(owner.tenant_id)})

    assert refused(order.release("k", client, override=True, override_reason="x")) == (
        403,
        "CAPABILITY_MISSING",
    )


def test_what_was_credited_in_full_was_not_paid_for(
    service: Any, owner: Any, make_order: Any, invoice: Any
) -> None:
    """Paid, given back, and credited so that nothing is due: nobody has paid anything."""
    order = make_order()
    invoice_id = invoice(order, "paid")
    actor = studio(owner.tenant_id)
    with acting(service, actor) as connection:
        found = invoices.find(connection, owner.tenant_id, invoice_id)
        account = accounts.find_account(connection, owner.tenant_id, found.account_id)
        (payment,) = invoices.settlements_of(connection, owner.tenant_id, invoice_id)
        reverse_settlement(
            connection, actor, account, kind="refund", amount=found.total,
            settlement_id=payment.settlement_id, key=f"back-{new_id()}",
        )  # fmt: skip
        credit_note(
            connection, actor, account, invoice_id,
            amount=found.total, reason="they did not want it", key=f"credit-{new_id()}",
        )  # fmt: skip

    answer = order.release("try").get_json()

    assert (answer["gate_result"], answer["blocked_reason"]) == (
        "BLOCKED",
        "service_invoice_missing",
    )


def test_a_dearer_kind_of_report_is_not_had_at_the_price_of_a_cheaper_one(
    service: Any, owner: Any, desk: Any, studio_books: UUID, look: Any
) -> None:
    actor = studio(studio_books)
    with acting(service, actor) as connection:
        prices.add_price(
            connection, actor, item="report_revaluation", description="Revaluation report",
            sac="998399", unit_price=Decimal("100.00"), tax_rate=Decimal(18), valid_from=date(2026, 4, 1),
        )  # fmt: skip
    made = desk.post("/v1/repogen/work-orders", json={"report_type": "REVALUATION"})
    order = Order(UUID(made.get_json()["work_order_id"]), owner, desk)
    assert move(order, "DATA_PENDING").status_code == 200
    answer = desk.patch(
        f"{order.path}/contract", json={"patch": {"meta": {"report_type": "VALUATION"}}}
    )
    assert refused(answer) == (409, "REPORT_TYPE_BILLED")
    assert look("select report_type from work_orders where work_order_id = :id", id=order.id) == [
        ("REVALUATION",)
    ]


@pytest.mark.usefixtures("studio_books")
def test_a_report_that_is_tried_again_postpaid_can_be_paid(
    service: Any,
    owner: Any,
    make_order: Any,
    open_credit: Any,
    hold: Any,
    as_worker: Any,
    look: Any,
) -> None:
    """The account paid with credits when the report failed, and by invoice when it is tried again."""
    order, account = make_order(generated=False, signed=False), open_credit(1)
    hold(account, order)
    _die(look, as_worker, order)
    actor = studio(owner.tenant_id)
    with acting(service, actor) as connection:
        accounts.change_policy(connection, actor, account, billing_mode="POSTPAID")

    assert order.desk.post(f"{order.path}/packs/1/retry").status_code == 200

    assert invoices_of(look, order) == ["issued"]
