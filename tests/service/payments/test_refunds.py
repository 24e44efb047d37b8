"""Money goes back once, and never more of it than came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.errors import ServiceError
from service.payments import refunding
from service.payments.records import Order, Refund
from tests.service.payments.conftest import BOTH, DONE, WHOLE, Till


def paid(till: Till, provider: str = "stripe") -> Order:
    order = till.opened(till.books.account(), provider=provider)
    till.stand_ins.pull(order, "pay")
    till.hear(provider, till.stand_ins.events(order)[DONE[provider]][1])
    return till.order(order)


def start(till: Till, order: Order, amount: int | None, key: str) -> tuple[Order, Refund]:
    with till.books.acting() as connection:
        return refunding.start_refund(
            connection, till.books.actor, order, amount=amount, reason="asked for", key=key
        )


def give_back(till: Till, order: Order, amount: int | None, key: str) -> tuple[Order, Refund]:
    order, refund = start(till, order, amount, key)
    said = refunding.tell_provider(till.service.settings, order, refund)
    with till.books.acting() as connection:
        return refunding.note_answer(connection, till.books.actor, order, refund, said)


@BOTH
def test_a_refund_goes_back_and_its_events_add_nothing(till: Till, provider: str) -> None:
    order = paid(till, provider)

    after, refund = give_back(till, order, 59_000, "r1")
    again, same = give_back(till, order, 59_000, "r1")

    assert (refund.status, after.status, after.refunded) == (
        "succeeded",
        "partially_refunded",
        59_000,
    )
    assert same.refund_id == refund.refund_id
    assert again.refunded == 59_000
    for kind, (_, event) in till.stand_ins.events(order).items():
        if "refund" in kind:
            assert till.hear(provider, event).status == "processed"
    assert till.order(order).refunded == 59_000
    assert len(till.refunds(order)) == 1


def test_more_than_was_paid_never_goes_back(till: Till) -> None:
    order = paid(till)
    give_back(till, order, 100_000, "r1")

    with pytest.raises(ServiceError) as refused:
        start(till, order, 18_001, "r2")
    assert refused.value.code == "REFUND_EXCEEDS_PAYMENT"
    assert refused.value.extra["refundable"] == "180.00"
    after, _ = give_back(till, order, None, "r3")
    assert (after.status, after.refunded) == ("refunded", WHOLE)


def test_100_trials_of_refunds_at_once_never_exceed_what_was_paid(till: Till) -> None:
    """Two refunds of 60 on 100 both succeeded elsewhere; here they are under the account's lock."""
    order = paid(till)
    # A stored order as it was, so that each trial begins anew; the provider has no part in this.
    beaten = 0
    with ThreadPoolExecutor(4) as pool:
        for trial in range(100):
            fresh = _another(till, order, trial)
            asked = [
                pool.submit(start, till, fresh, amount, f"{trial}:{number}")
                for number, amount in enumerate((70_000, 70_000, 48_000, 30_000))
            ]
            for one in asked:
                if (error := one.exception()) is not None:
                    assert isinstance(error, ServiceError)
                    assert error.code == "REFUND_EXCEEDS_PAYMENT"
                    beaten += 1
            refunds = till.refunds(fresh)
            assert sum(one.amount for one in refunds) <= WHOLE
            assert refunds
    assert beaten >= 100


def _another(till: Till, order: Order, trial: int) -> Order:
    """A settled order like another one."""
    from dataclasses import replace

    from service.billing.acting import as_billing
    from service.identifiers import new_id
    from service.payments import records

    made = replace(
        order,
        payment_order_id=new_id(),
        operation_key=f"trial:{trial}",
        provider_order_id=f"cs_trial_{trial}",
        provider_payment_id=f"pi_trial_{trial}",
    )
    with till.books.acting() as connection, as_billing(connection):
        records.insert_order(connection, made)
    return made


@BOTH
@pytest.mark.parametrize("fault", ["lost", "broken"])
def test_a_refund_without_an_answer_is_unknown_counts_and_is_found_again(
    till: Till, provider: str, fault: str
) -> None:
    order = paid(till, provider)
    path = "/v1/refunds" if provider == "stripe" else f"/v1/payments/{order.provider_payment_id}"
    till.stand_ins.fail_next(provider, "POST", path, fault)

    after, refund = give_back(till, order, 100_000, "r1")

    assert (refund.status, after.status) == ("unknown", "paid")
    with pytest.raises(ServiceError) as refused:
        start(till, order, 18_001, "r2")
    assert refused.value.code == "REFUND_EXCEEDS_PAYMENT"
    # The same again is the same refund there: nothing goes back twice.
    found, same = give_back(till, order, 100_000, "r1")
    assert (same.refund_id, same.status, found.refunded) == (
        refund.refund_id,
        "succeeded",
        100_000,
    )
    made = till.stand_ins.objects(provider, amount=100_000)
    payment = "payment_intent" if provider == "stripe" else "payment_id"
    assert len([one for one in made if one.get(payment) == order.provider_payment_id]) == 1


def test_a_refund_that_the_provider_refuses_is_failed_and_leaves_room(till: Till) -> None:
    order = paid(till)
    # Somebody was faster at the provider's own desk, and we have not heard.
    till.stand_ins.pull(order, "refund", amount=100_000)

    after, refund = give_back(till, order, None, "r1")

    assert (refund.status, after.status) == ("failed", "paid")
    told: Any = till.stand_ins.events(order)["refund.created"][1]
    assert till.hear("stripe", told).status == "processed"
    assert till.order(order).refunded == 100_000
    after, refund = give_back(till, order, 18_000, "r2")
    assert (refund.status, after.status) == ("succeeded", "refunded")


def test_a_disputed_payment_and_one_that_never_came_are_not_refunded(till: Till) -> None:
    open_order = till.opened(till.books.account())
    with pytest.raises(ServiceError) as refused:
        start(till, open_order, 100, "r")
    assert refused.value.code == "PAYMENT_NOT_SETTLED"

    order = paid(till)
    till.stand_ins.pull(order, "dispute")
    till.hear("stripe", till.stand_ins.events(order)["charge.dispute.created"][1])
    with pytest.raises(ServiceError) as refused:
        start(till, order, 100, "r")
    assert refused.value.code == "PAYMENT_DISPUTED"
