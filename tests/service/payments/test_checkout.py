"""Orders and their links: one for each key, whatever happens between us and the provider."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.billing import credits
from service.errors import ServiceError
from service.invoices import issuing, settling
from service.payments import checkout
from tests.service.payments.conftest import BOTH, DONE, LINKS, Till, price_credits


def _refusal(call: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(ServiceError) as refused:
        call(*given, **more)
    return refused.value.code


@BOTH
def test_the_same_key_gives_the_same_order_and_the_same_link(till: Till, provider: str) -> None:
    account = till.books.account()

    first = till.opened(account, provider=provider, key="once")
    again = till.opened(account, provider=provider, key="once")

    assert again.payment_order_id == first.payment_order_id
    assert again.checkout_url == first.checkout_url
    assert len(till.stand_ins.links(first)) == 1


def test_the_same_key_for_something_else_is_refused(till: Till) -> None:
    account = till.books.account()
    till.started(account, key="once")

    assert _refusal(till.started, account, key="once", credits=11) == "IDEMPOTENCY_KEY_REUSED"


def test_ten_at_once_with_one_key_make_one_order(till: Till) -> None:
    account = till.books.account()
    with ThreadPoolExecutor(10) as pool:
        made = [pool.submit(till.started, account, key="once") for _ in range(10)]

    assert len({one.result().payment_order_id for one in made}) == 1


@BOTH
@pytest.mark.parametrize("fault", ["lost", "broken", "silent"])
def test_a_provider_without_an_answer_leaves_the_order_unknown_and_the_next_try_finds_its_link(
    till: Till, provider: str, fault: str
) -> None:
    """`silent` and `lost` made the link, `broken` did not; nobody can tell from here."""
    account = till.books.account()
    invoice = till.books.issued(account)
    till.stand_ins.fail_next(provider, "POST", LINKS[provider], fault)

    order = till.opened(account, provider=provider, invoice_id=invoice.invoice_id, key="a")

    assert (order.status, order.checkout_url) == ("unknown", None)
    # Nobody is asked to pay the invoice anew, through whomever.
    for other in ("stripe", "razorpay"):
        what = {"provider": other, "invoice_id": invoice.invoice_id, "key": "b"}
        assert _refusal(till.started, account, **what) == "PAYMENT_UNKNOWN"
    found = till.opened(account, provider=provider, invoice_id=invoice.invoice_id, key="a")
    assert (found.payment_order_id, found.status) == (order.payment_order_id, "pending")
    assert len(till.stand_ins.links(order)) == 1
    # Now it is known, and another way to pay may be chosen.
    assert till.started(account, provider="razorpay", invoice_id=invoice.invoice_id, key="b")


def test_a_crash_after_the_order_is_committed_is_found_again_by_its_key(till: Till) -> None:
    account = till.books.account()
    before = till.started(account, key="crashed")
    # Here the process dies. Another one is asked the same.
    assert till.order(before).status == "unknown"

    after = till.opened(account, key="crashed")

    assert (after.payment_order_id, after.status) == (before.payment_order_id, "pending")


def test_a_provider_that_says_no_makes_the_order_failed_with_its_reason(till: Till) -> None:
    order = till.started(till.books.account())
    long_ago = dataclasses.replace(order, expires_at=order.created_at)

    said = checkout.tell_provider(till.service.settings, long_ago)
    with till.books.acting() as connection:
        after = checkout.note_answer(connection, till.books.actor, order, said)

    assert (after.status, after.failure) == ("failed", "parameter_invalid_integer")


def test_a_wrong_key_of_ours_says_nothing_about_what_was_done_before(till: Till) -> None:
    order = till.started(till.books.account(), provider="razorpay")
    other = dataclasses.replace(till.service.settings, razorpay_key_secret="another")

    assert checkout.tell_provider(other, order) is None


def test_only_an_issued_invoice_of_the_account_that_is_due_can_be_paid(till: Till) -> None:
    account, another = till.books.account(), till.books.account()
    draft = till.books.draft(account)
    issued = till.books.issued(account)
    void = till.books.issued(account)
    till.books.run(issuing.void, account, void.invoice_id, reason="wrong", key=str(void.invoice_id))

    for one in (draft, void):
        what = {"invoice_id": one.invoice_id}
        assert _refusal(till.started, account, **what) == "INVOICE_NOT_PAYABLE"
    assert _refusal(till.started, another, invoice_id=issued.invoice_id) == "NOT_FOUND"
    order = till.started(account, invoice_id=issued.invoice_id)
    assert order.amount == 118_000
    assert order.description == f"Invoice {issued.number}"


def test_a_partly_paid_invoice_asks_for_what_is_due(till: Till) -> None:
    from decimal import Decimal

    account = till.books.account()
    invoice = till.books.issued(account)
    till.books.run(
        settling.settle, account, invoice.invoice_id, amount=Decimal(180), mode="cash", key="part"
    )

    assert till.started(account, invoice_id=invoice.invoice_id).amount == 100_000


def test_credits_cost_what_the_list_says_for_the_account(till: Till) -> None:
    account = till.books.account()
    with till.books.acting() as connection:
        price_credits(connection, till.books.actor, "33.33", external_key=account.external_key)

    # 3 x 33.33 = 99.99, and 17.9982 of tax: to the paisa, half up.
    assert till.started(account, credits=3).amount == 11_799
    assert till.started(till.books.account(), credits=3).amount == 35_400


def test_a_provider_that_is_not_set_up_is_refused(till: Till) -> None:
    without = dataclasses.replace(till.service.settings, stripe_secret_key="")
    other = dataclasses.replace(till, service=dataclasses.replace(till.service, settings=without))

    assert _refusal(other.started, till.books.account()) == "PAYMENT_PROVIDER_NOT_CONFIGURED"


def test_what_is_bought_is_no_advance_that_an_invoice_is_paid_from(till: Till) -> None:
    account = till.books.account()
    order = till.opened(account)
    till.stand_ins.pull(order, "pay")
    till.hear("stripe", till.stand_ins.events(order)[DONE["stripe"]][1])

    with till.books.acting() as connection:
        assert settling.advances_of(connection, account.tenant_id, account.account_id) == 0
    assert till.books.run(credits.grant, account, 1, key="more").available == 11
