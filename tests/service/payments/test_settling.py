"""What becomes of an order when money comes, goes back, or was never what it should have been.

Weakness 42 of the original, case by case, has its tests here and in test_bug_classes.py.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from service.billing import credits
from service.errors import ServiceError
from service.invoices import records as invoices
from service.invoices import settling as invoice_settling
from service.payments import refunding
from service.payments.records import Event
from tests.service.payments.conftest import BOTH, DONE, WHOLE, Till


def _events(till: Till, order: Any, *pulled: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    for lever, said in pulled:
        till.stand_ins.pull(order, lever, **said)
    return {kind: event for kind, (_, event) in till.stand_ins.events(order).items()}


PAID = ("pay", {"outcome": "paid"})
LATER = ("pay", {"outcome": "later"})
FAILED = ("pay", {"outcome": "failed"})
BEGUN = {"stripe": "checkout.session.completed", "razorpay": "payment.authorized"}
REFUSED = {"stripe": "payment_intent.payment_failed", "razorpay": "payment.failed"}
EXPIRED = {"stripe": "checkout.session.expired", "razorpay": "payment_link.expired"}


@BOTH
def test_a_topup_that_is_paid_gives_its_credits_once(till: Till, provider: str) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    assert (order.status, order.amount, order.checkout_url is None) == ("pending", WHOLE, False)
    told = _events(till, order, PAID)[DONE[provider]]

    assert till.hear(provider, told).status == "processed"

    assert till.order(order).status == "paid"
    assert till.wallet(account).available == 10
    assert till.ledgers(account)[f"inr:{provider}"] == WHOLE
    assert "payment:order:paid" in till.audit(order)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "word"), [("amount", "amount_differs"), ("currency", "currency_differs")]
)
def test_another_amount_or_currency_than_the_orders_settles_nothing(
    till: Till, provider: str, wrong: str, word: str
) -> None:
    """Weakness 42: the original never compared them."""
    account = till.books.account()
    order = till.opened(account, provider=provider)
    told = _events(till, order, PAID)[DONE[provider]]
    about = (
        told["data"]["object"]
        if provider == "stripe"
        else told["payload"]["payment_link"]["entity"]
    )
    amount = "amount_total" if provider == "stripe" else "amount_paid"
    about[amount if wrong == "amount" else "currency"] = WHOLE - 1 if wrong == "amount" else "usd"

    event = till.hear(provider, told)

    assert (event.status, event.outcome) == ("refused", word)
    found = till.order(order)
    assert (found.status, found.finding) == ("pending", word)
    assert till.wallet(account).wallet == 0
    assert "payment:order:questioned" in till.audit(order)


@BOTH
def test_what_is_only_begun_is_not_paid(till: Till, provider: str) -> None:
    """Weakness 42: `completed` without payment_status, and `authorized`, counted as paid."""
    account = till.books.account()
    order = till.opened(account, provider=provider)
    told = _events(till, order, LATER)[BEGUN[provider]]

    till.hear(provider, told)

    assert till.order(order).status == "requires_action"
    assert till.wallet(account).wallet == 0


@BOTH
def test_a_late_failure_takes_nothing_from_a_paid_order(till: Till, provider: str) -> None:
    """Weakness 42: it was downgraded to failed."""
    account = till.books.account()
    order = till.opened(account, provider=provider)
    told = _events(till, order, FAILED, PAID)

    till.hear(provider, told[DONE[provider]])
    till.hear(provider, told[REFUSED[provider]])

    assert till.order(order).status == "paid"
    assert till.wallet(account).wallet == 10


@BOTH
def test_a_link_whose_time_is_over_is_stored_as_expired(till: Till, provider: str) -> None:
    """Weakness 42: it was computed and never stored."""
    order = till.opened(till.books.account(), provider=provider)
    told = _events(till, order, ("expire", {}))[EXPIRED[provider]]

    till.hear(provider, told)

    found = till.order(order)
    assert (found.status, found.ask_at) == ("expired", None)


@BOTH
def test_an_invoice_that_is_paid_twice_keeps_the_rest_as_an_advance(
    till: Till, provider: str
) -> None:
    """Weakness 42: what was more than due threw, so that the webhook came again for ever; and two
    paid events for one invoice were a conflict."""
    account = till.books.account()
    invoice = till.books.issued(account)
    orders = [
        till.opened(account, provider=provider, invoice_id=invoice.invoice_id) for _ in range(2)
    ]
    for order in orders:
        event = till.hear(provider, _events(till, order, PAID)[DONE[provider]])
        assert event.status == "processed"

    first, second = (till.order(order) for order in orders)
    assert (first.status, first.advance, first.finding) == ("paid", 0, None)
    assert (second.status, second.advance, second.finding) == ("paid", WHOLE, "nothing_to_pay")
    with till.books.acting() as connection:
        assert invoices.find(connection, invoice.tenant_id, invoice.invoice_id).is_paid
        advance = invoice_settling.advances_of(connection, account.tenant_id, account.account_id)
    assert advance == Decimal("1180.00")


@BOTH
def test_a_refund_takes_credits_back_and_what_is_spent_is_owed(till: Till, provider: str) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    told = _events(till, order, PAID)
    till.hear(provider, told[DONE[provider]])
    till.books.run(credits.grant, account, -7, key="used", kind="adjustment", reason="spent")

    kind = {"stripe": "refund.created", "razorpay": "refund.created"}[provider]
    till.hear(provider, _events(till, order, ("refund", {"amount": WHOLE}))[kind])

    found = till.order(order)
    assert (found.status, found.credits_reversed, found.credits_owed) == ("refunded", 10, 7)
    assert found.finding == "credits_spent"
    assert till.wallet(account).wallet == 0
    ledgers = till.ledgers(account)
    # Seven of ten credits were used: their price is owed, and no money of it is here.
    assert ledgers["inr:receivable"] == WHOLE * 7 // 10
    assert f"inr:{provider}" not in ledgers


@BOTH
def test_a_refund_of_an_invoices_payment_makes_it_due_again(till: Till, provider: str) -> None:
    account = till.books.account()
    invoice = till.books.issued(account)
    order = till.opened(account, provider=provider, invoice_id=invoice.invoice_id)
    told = _events(till, order, PAID)
    till.hear(provider, told[DONE[provider]])

    told = _events(till, order, ("refund", {"amount": 18_000}))
    till.hear(provider, told["refund.created"])

    with till.books.acting() as connection:
        found = invoices.find(connection, invoice.tenant_id, invoice.invoice_id)
    assert (found.due, found.status) == (Decimal("180.00"), "partially_paid")
    assert till.order(order).status == "partially_refunded"


DISPUTED = {"stripe": "charge.dispute.created", "razorpay": "payment.dispute.created"}
LOST = {"stripe": "charge.dispute.closed", "razorpay": "payment.dispute.lost"}
WON = {"stripe": "charge.dispute.closed", "razorpay": "payment.dispute.won"}


@BOTH
def test_a_dispute_is_noted_and_one_that_is_lost_takes_the_payment_back(
    till: Till, provider: str
) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])

    till.hear(provider, _events(till, order, ("dispute", {}))[DISPUTED[provider]])

    noted = till.order(order)
    assert (noted.status, noted.dispute, till.wallet(account).wallet) == ("paid", "open", 10)

    told = _events(till, order, ("dispute", {"outcome": "lost"}))
    till.hear(provider, told[LOST[provider]])
    # The news that it began come again, late.
    till.hear(provider, told[DISPUTED[provider]])

    found = till.order(order)
    assert (found.status, found.dispute, found.reversed) == ("charged_back", "lost", WHOLE)
    assert till.wallet(account).wallet == 0


@BOTH
def test_a_lost_dispute_of_an_invoices_payment_makes_it_due_again(
    till: Till, provider: str
) -> None:
    account = till.books.account()
    invoice = till.books.issued(account)
    order = till.opened(account, provider=provider, invoice_id=invoice.invoice_id)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])
    told = _events(till, order, ("dispute", {"outcome": "lost"}))

    till.hear(provider, told[LOST[provider]])

    with till.books.acting() as connection:
        found = invoices.find(connection, invoice.tenant_id, invoice.invoice_id)
    assert (found.due, found.status) == (Decimal("1180.00"), "issued")
    assert till.order(order).status == "charged_back"
    assert till.ledgers(account)["inr:receivable"] == WHOLE


def test_a_refund_of_an_advance_that_has_paid_another_invoice_is_owed_and_told(
    till: Till,
) -> None:
    account = till.books.account()
    first, second = till.books.issued(account), till.books.issued(account)
    orders = [till.opened(account, invoice_id=first.invoice_id) for _ in range(2)]
    for order in orders:
        till.hear("stripe", _events(till, order, PAID)[DONE["stripe"]])
    till.books.run(
        invoice_settling.settle,
        account,
        second.invoice_id,
        amount=Decimal(1180),
        mode="advance",
        key=f"a:{second.invoice_id}",
    )

    told = _events(till, orders[1], ("refund", {"amount": WHOLE}))
    event = till.hear("stripe", told["refund.created"])

    assert event.status == "processed"
    found = till.order(orders[1])
    assert (found.status, found.finding, found.reversed) == ("refunded", "advance_spent", WHOLE)
    till.wallet(account)


@BOTH
def test_a_dispute_that_is_won_leaves_everything_as_it_was(till: Till, provider: str) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])

    told = _events(till, order, ("dispute", {"outcome": "won"}))
    till.hear(provider, told[WON[provider]])
    till.hear(provider, told[DISPUTED[provider]])

    assert (till.order(order).status, till.order(order).dispute) == ("paid", "won")
    assert till.wallet(account).wallet == 10


def test_an_event_of_another_order_in_an_orders_name_is_refused(till: Till) -> None:
    """Our id in the metadata is not enough: the link has to be the order's own."""
    account = till.books.account()
    mine, other = till.opened(account), till.opened(account)
    told = _events(till, other, PAID)["checkout.session.completed"]
    told["data"]["object"]["metadata"]["zenops_order"] = str(mine.payment_order_id)

    event = till.hear("stripe", told)

    assert (event.status, event.outcome) == ("refused", "several_orders")
    assert till.order(mine).status == till.order(other).status == "pending"
    assert till.wallet(account).wallet == 0


def test_what_is_not_about_orders_is_ignored(till: Till) -> None:
    event = till.hear("stripe", {"id": "evt_x", "object": "event", "type": "payout.paid"})

    assert (event.status, event.outcome) == ("ignored", "nothing_about_orders")


def _told_of_dispute(till: Till, order: Any, name: str, outcome: str, amount: int = WHOLE) -> Event:
    """What became of the news of a dispute with this id, as the stand-in tells of its own."""
    told = _events(till, order, ("dispute", {"outcome": "lost"}))[LOST[order.provider]]
    about = (
        told["data"]["object"]
        if order.provider == "stripe"
        else told["payload"]["dispute"]["entity"]
    )
    about |= {"id": name, "status": outcome, "amount": amount}
    return till.hear(order.provider, told)


@BOTH
def test_what_two_lost_disputes_of_a_payment_took_adds_up(till: Till, provider: str) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])

    for _ in range(2):
        for name, amount in (("dp_one", WHOLE // 2), ("dp_other", WHOLE // 2)):
            assert _told_of_dispute(till, order, name, "lost", amount).status == "processed"

    found = till.order(order)
    assert (found.charged_back, found.reversed) == (WHOLE, WHOLE)
    assert till.wallet(account).wallet == 0
    # A third one takes what was not paid.
    third = _told_of_dispute(till, order, "dp_third", "lost", 1)
    assert (third.status, third.outcome) == ("refused", "disputes_exceed_payment")
    assert till.order(order).charged_back == WHOLE


@BOTH
def test_a_dispute_that_is_won_hides_no_other_that_is_open(till: Till, provider: str) -> None:
    order = till.opened(till.books.account(), provider=provider)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])

    for name, outcome in (("dp_one", "won"), ("dp_other", "open"), ("dp_one", "won")):
        _told_of_dispute(till, order, name, outcome)

    assert till.order(order).dispute == "open"
    with pytest.raises(ServiceError) as refused, till.books.acting() as connection:
        refunding.start_refund(
            connection, till.books.actor, order, amount=100, reason="asked for", key="r1"
        )
    assert refused.value.code == "PAYMENT_DISPUTED"
    _told_of_dispute(till, order, "dp_other", "won")
    assert till.order(order).dispute == "won"


@BOTH
@pytest.mark.parametrize("first", ["lost", "won"])
def test_a_dispute_told_as_lost_and_as_won_counts_as_lost_and_is_a_finding(
    till: Till, provider: str, first: str
) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider)
    till.hear(provider, _events(till, order, PAID)[DONE[provider]])

    for outcome in (first, "won" if first == "lost" else "lost"):
        _told_of_dispute(till, order, "dp_one", outcome)

    found = till.order(order)
    assert (found.dispute, found.finding) == ("lost", "dispute_ended_twice")
    assert (found.status, found.reversed, till.wallet(account).wallet) == ("charged_back", WHOLE, 0)
    assert "payment:order:questioned" in till.audit(order)
