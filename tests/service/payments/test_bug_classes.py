"""Faults that payment systems have had again and again, each of them by the name it has there.

The numbers are those of the project's list of bug classes; the ledger's own are tested beside it.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service import clock
from service.payments import inbox
from service.payments.records import Order
from tests.service.payments.conftest import DONE, Till
from tests.service.payments.test_webhooks import RAZORPAY, signed_by_razorpay

PAYMENTS = Path(inbox.__file__).parent


def _paid_event(till: Till, account: Any, provider: str = "stripe") -> tuple[Order, str, Any]:
    order = till.opened(account, provider=provider)
    till.stand_ins.pull(order, "pay")
    return order, *till.stand_ins.events(order)[DONE[provider]]


def test_1_settled_twice_within_milliseconds(till: Till) -> None:
    """Checks outside the lock: one event in many workers, and two events of one payment, at once."""
    account = till.books.account()
    order, event_id, event = _paid_event(till, account)
    other = till.stand_ins.events(order)["payment_intent.succeeded"]
    stored = [till.keep("stripe", event_id, event), till.keep("stripe", *other)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(till.process, stored * 4))

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10


def test_2_the_record_of_an_event_stands_and_falls_with_its_effect(
    till: Till, monkeypatch: Any
) -> None:
    """A record written apart from the effect: here the process fails after the one, before the other."""
    account = till.books.account()
    order, event_id, event = _paid_event(till, account)
    stored = till.keep("stripe", event_id, event)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process dies")

    with monkeypatch.context() as broken:
        broken.setattr(inbox.records, "end_event", fail)
        with pytest.raises(RuntimeError):
            till.process(stored)
    assert till.order(order).status == "pending"
    assert till.wallet(account).wallet == 0

    till.process(stored)

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10


@pytest.mark.usefixtures("till")
def test_2_an_event_and_its_job_are_one_commit(
    client: Any, owner_engine: Any, monkeypatch: Any
) -> None:
    body = json.dumps({"entity": "event", "event": "x", "n": "one commit"}).encode()
    headers = signed_by_razorpay(body, "ev_one_commit")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process dies")

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "enqueue", fail)
        assert client.post(RAZORPAY, body=body, headers=headers).status_code == 500
    with owner_engine.connect() as connection:
        kept = text("select count(*) from payment_events where provider_event_id = 'ev_one_commit'")
        assert connection.scalar(kept) == 0

    # The provider tries again, and is told that this is no repetition.
    answer = client.post(RAZORPAY, body=body, headers=headers)
    assert (answer.status_code, json.loads(answer.get_data())["duplicate"]) == (200, False)


def test_3_what_is_repeated_names_the_same_things(till: Till) -> None:
    """Ids drawn anew in a repeated request: here provider's keys come from the row that is there."""
    account = till.books.account()
    order = till.started(account, provider="stripe", key="k")
    till.told(order)
    till.told(order)
    till.told(till.started(account, provider="stripe", key="k"))

    links = till.stand_ins.objects("stripe", client_reference_id=str(order.payment_order_id))
    assert len(links) == 1
    for provider in ("stripe", "razorpay"):
        source = (PAYMENTS / "providers" / f"{provider}.py").read_text()
        assert not re.search(r"\b(new_id|uuid4|token_hex|random)\b", source)


@pytest.mark.parametrize("provider", ["stripe", "razorpay"])
def test_7_news_whose_order_is_not_known_yet_are_kept_and_found(
    till: Till, run_jobs: Any, monkeypatch: Any, provider: str
) -> None:
    """Late and contradictory news: a dispute names the payment alone, and comes before it."""
    account = till.books.account()
    order, event_id, event = _paid_event(till, account, provider)
    till.stand_ins.pull(order, "dispute", outcome="lost")
    lost = "charge.dispute.closed" if provider == "stripe" else "payment.dispute.lost"
    early_id, early = till.stand_ins.events(order)[lost]
    if provider == "razorpay":
        early["payload"].pop("payment")
    early_event = till.hear(provider, early, early_id)
    assert (early_event.status, early_event.outcome) == ("unmatched", "no_order")

    till.hear(provider, event, event_id)
    assert till.order(order).status == "paid"
    with monkeypatch.context() as changed:
        soon = clock.now() + timedelta(minutes=11)
        changed.setattr(clock, "now", lambda: soon)
        inbox.sweep(till.jobs)
    run_jobs()

    assert till.order(order).status == "charged_back"
    assert till.wallet(account).wallet == 0


def test_7_the_pauses_of_a_hopeless_event_grow_and_end_after_a_week(
    till: Till, owner_engine: Any, monkeypatch: Any
) -> None:
    """Somebody else's payment at the same provider: it is kept, and costs next to nothing."""
    body = {"entity": "event", "event": "payment.captured", "payload": {"payment": {"entity": {}}}}
    body["payload"]["payment"]["entity"] = {"id": "pay_foreign", "status": "captured"}  # type: ignore[index]
    stored = till.hear("razorpay", body)
    assert stored.status == "unmatched"
    began, tries = clock.now(), 0
    jobs = text("select count(*) from operations where subject_id = :event")
    # Each quarter of an hour at first, as the scheduler does; then hourly, to save time.
    for minutes in (*range(0, 720, 15), *range(720, 8 * 1440, 60)):
        at = began + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        with owner_engine.connect() as connection:
            before = connection.scalar(jobs, {"event": stored.event_id})
        inbox.sweep(till.jobs)
        with owner_engine.connect() as connection:
            if connection.scalar(jobs, {"event": stored.event_id}) == before:
                continue
        tries += 1
        last = at
        till.process(stored.event_id)

    assert 15 <= tries <= 30
    assert last - began <= inbox.UNMATCHED_FOR


def test_7_an_event_whose_job_is_dead_gets_another_after_two_hours(
    till: Till, owner_engine: Any, run_jobs: Any, monkeypatch: Any
) -> None:
    account = till.books.account()
    order, event_id, event = _paid_event(till, account)
    stored = till.keep("stripe", event_id, event)  # stored, and no job of it left

    inbox.sweep(till.jobs)
    run_jobs()
    assert till.order(order).status == "pending"
    later = clock.now() + inbox.STUCK + timedelta(minutes=1)
    with monkeypatch.context() as changed:
        changed.setattr(clock, "now", lambda: later)
        inbox.sweep(till.jobs)
    run_jobs()

    assert till.order(order).status == "paid"
    with owner_engine.connect() as connection:
        state = text("select status from payment_events where event_id = :event")
        assert connection.scalar(state, {"event": stored}) == "processed"


def test_8_an_events_id_and_a_payments_key_are_kept_for_ever(till: Till, monkeypatch: Any) -> None:
    """Keys kept for a day, news repeated for three: here nothing ever forgets them."""
    account = till.books.account()
    order, event_id, event = _paid_event(till, account)
    till.hear("stripe", event, event_id)
    later = clock.now() + timedelta(days=400)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert till.hear("stripe", event, event_id).status == "processed"
    assert till.hear("stripe", event, "evt_the_same_told_anew").status == "processed"
    again = till.started(account, key=order.operation_key)

    assert again.payment_order_id == order.payment_order_id
    assert till.wallet(account).available == 10
    source = "".join(path.read_text() for path in PAYMENTS.rglob("*.py"))
    assert not re.search(r"delete from payment_(events|orders|refunds)", source)


def test_every_function_that_moves_an_order_takes_the_accounts_lock_first() -> None:
    """A route without the lock of the others was how two refunds of 60 on 100 both went through."""
    for path in PAYMENTS.glob("*.py"):
        source = path.read_text()
        for function in re.split(r"\n(?=def )", source):
            if re.search(r"records\.(lock_order|insert_refund)\(", function):
                before = function.split("records.lock_order(")[0]
                assert "lock_account(" in before or "def _refunded" in function, path.name
