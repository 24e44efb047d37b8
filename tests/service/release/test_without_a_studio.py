"""A firm whose work nobody has put a price on: everything goes on, and the gate says what lacks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.service.packs.specimen import enter, read_specimen
from tests.service.release.conftest import Order, finish_pack, sign_pack


def test_without_a_price_there_is_no_invoice_and_the_gate_says_so(
    service: Any, owner: Any, desk: Any, look: Any
) -> None:
    made = desk.post("/v1/repogen/work-orders", json={"report_type": "VALUATION"}).get_json()
    accepted = Order(UUID(made["work_order_id"]), owner, desk)
    answer = desk.post(f"{accepted.path}/status", json={"status": "DATA_PENDING"})
    order = Order(enter(service, owner, read_specimen()), owner, desk)
    ready = desk.post(f"{order.path}/status", json={"status": "READY_FOR_RENDER"})
    finish_pack(service, look, order)
    sign_pack(look, order)
    blocked = order.release("k").get_json()

    assert (answer.status_code, ready.status_code) == (200, 200)
    assert blocked["blocked_reason"] == "service_invoice_missing"
    assert look("select 1 from service_invoices where tenant_id = :id", id=owner.tenant_id) == []
    assert ("billing_price_missing",) in look(
        "select event_type from usage_events where tenant_id = :id", id=owner.tenant_id
    )
