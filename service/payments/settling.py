"""What a provider's news make of an order: its facts, its status, and what the books say of it.

News come twice, late and in any order. So an order is what is known of it, and news only add to that:
it is paid, so much of it has gone back, so much was charged back. The status follows from the facts,
and the books are led after them, by entries that are named after the order and the amount they lead
to. Whatever the order in which the same news come, they end the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import structlog

from service import clock
from service.billing import accounts, credits, journal
from service.billing.acting import as_billing, record_in
from service.billing.money import paise, rupees
from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices import settling as invoice_settling
from service.payments import records
from service.payments.records import Dispute, Order, OrderStatus, Refund
from service.subscriptions.refilling import invoice_changed

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.payments.providers import News

#: Of an order that is not paid the farthest state stands; an attempt that failed may be followed by
#: another one, a link that is over by none.
_REACHED: Mapping[OrderStatus, int] = {
    "unknown": 0,
    "pending": 1,
    "requires_action": 2,
    "failed": 3,
    "cancelled": 4,
    "expired": 5,
}
_MEANS: Mapping[str, OrderStatus] = {
    "open": "pending",
    "authorized": "requires_action",
    "failed": "failed",
    "cancelled": "cancelled",
    "expired": "expired",
}
_DISPUTE: Mapping[str, Dispute] = {
    "disputed": "open",
    "dispute_won": "won",
    "dispute_lost": "lost",
}
Back = Literal["refund", "chargeback"]
#: Once settled, an order is asked about again, for what nobody has told us.
ASK_AFTER_SETTLING = timedelta(days=1)
_LONGEST_WHY = 100

log = structlog.get_logger("zenops.payments")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of news: the order as it is now, and why they were refused, if they were."""

    order: Order
    refused: str | None = None

    @property
    def said(self) -> str:
        """It in a word, for the event that brought the news."""
        return self.refused or self.order.status


class _Contradiction(Exception):  # noqa: N818 - what it is, not what went wrong
    """The news do not fit the order; the message is a word for how."""


def apply_news(
    connection: Connection,
    actor: Actor,
    order_id: UUID,
    news: News,
    *,
    tenant_id: UUID | None = None,
) -> Outcome:
    """Add what a provider says to an order, and lead the books after it, in this transaction.

    Args:
        connection: in the actor's role.
        actor: whoever asked, or the job that works off an event.
        order_id: the order that the news are about.
        news: what is said. What does not fit the order changes nothing of it.
        tenant_id: the order's firm; the actor's unless given.
    """
    tenant_id = tenant_id or actor.tenant_id
    with as_billing(connection, tenant_id):
        found = records.find_order(connection, tenant_id, order_id)
        assert found is not None
        journal.lock_account(connection, tenant_id, found.account_id)
        before = records.lock_order(connection, tenant_id, order_id)
        account = accounts.find_account(connection, tenant_id, before.account_id)
        refused, after = None, before
        try:
            after = _with_facts(connection, before, news)
        except _Contradiction as contradiction:
            refused = str(contradiction)
    if refused is not None:
        return _refuse(connection, actor, before, news, refused)
    if after.settled_at is not None and before.settled_at is None:
        after = _settle(connection, actor, account, after)
    after = _take_back(connection, actor, account, after, news)
    after = replace(after, status=_status_of(after, news))
    if after == before:
        return Outcome(before)
    return Outcome(_write(connection, actor, before, after))


# --- What is known


def _with_facts(connection: Connection, order: Order, news: News) -> Order:
    """The order with what the news say, refunds written."""
    _check_same(order, news)
    if news.says == "paid":
        return _paid(order, news)
    if news.says in {"refund", "refunded_in_all"}:
        return _refunded(connection, order, news)
    if news.says in _DISPUTE:
        return _disputed(order, news)
    return replace(
        order,
        provider_order_id=order.provider_order_id or news.provider_order_id,
        checkout_url=order.checkout_url or news.url,
        failure=(news.why or order.failure or "")[:_LONGEST_WHY] or None
        if news.says == "failed"
        else order.failure,
    )


def _check_same(order: Order, news: News) -> None:
    """The provider's ids in the news are the order's own."""
    if news.provider_order_id and order.provider_order_id not in {None, news.provider_order_id}:
        raise _Contradiction("another_link")
    # By one link several payments may be tried; one is made.
    tried = news.says in {"open", "authorized", "failed", "expired", "cancelled"}
    if (
        not tried
        and news.provider_payment_id
        and order.provider_payment_id not in {None, news.provider_payment_id}
    ):
        raise _Contradiction("another_payment")


def _check_amount(order: Order, amount: int | None, news: News) -> None:
    if news.currency is not None and news.currency != order.currency:
        raise _Contradiction("currency_differs")
    if amount is None or not 0 <= amount <= order.amount:
        raise _Contradiction("amount_differs")


def _paid(order: Order, news: News) -> Order:
    if news.currency != order.currency:
        raise _Contradiction("currency_differs")
    if news.amount != order.amount:
        raise _Contradiction("amount_differs")
    return replace(
        order,
        provider_order_id=order.provider_order_id or news.provider_order_id,
        provider_payment_id=order.provider_payment_id or news.provider_payment_id,
        settled_at=order.settled_at or clock.now(),
    )


def _refunded(connection: Connection, order: Order, news: News) -> Order:
    """One refund's state, or the sum of all of them; neither ever grows less."""
    _check_amount(order, news.amount, news)
    assert news.amount is not None
    if news.says == "refunded_in_all":
        return replace(order, refunded=max(order.refunded, news.amount))
    known = records.refunds_of(connection, order.tenant_id, order.payment_order_id)
    before = _the_refund(known, news)
    after = _refund_as_said(order, before, news)
    others = [one for one in known if one.refund_id != after.refund_id]
    succeeded = sum(one.amount for one in (*others, after) if one.status == "succeeded")
    if succeeded > order.amount:
        raise _Contradiction("refunds_exceed_payment")
    if before is None:
        records.insert_refund(connection, after)
    elif after != before:
        records.update_refund(connection, after)
    return replace(order, refunded=max(order.refunded, succeeded))


def _the_refund(known: Sequence[Refund], news: News) -> Refund | None:
    for one in known:
        if one.refund_id == news.refund_id:
            if one.provider_refund_id not in {None, news.provider_refund_id}:
                raise _Contradiction("another_refund")
            return one
    for one in known:
        if news.provider_refund_id and one.provider_refund_id == news.provider_refund_id:
            return one
    return None


def _refund_as_said(order: Order, before: Refund | None, news: News) -> Refund:
    said = news.refund_status or "pending"
    if before is None:
        assert news.amount is not None
        if news.provider_refund_id is None:
            raise _Contradiction("refund_without_id")
        # Somebody gave it back at the provider's own desk.
        return Refund(
            tenant_id=order.tenant_id,
            refund_id=new_id(),
            payment_order_id=order.payment_order_id,
            amount=news.amount,
            status=said,
            reason="made at the provider",
            operation_key=f"provider:{news.provider_refund_id}",
            request_sha256=journal.request_digest("refund", amount=news.amount),
            provider_refund_id=news.provider_refund_id,
            created_by=None,
            created_at=clock.now(),
            updated_at=clock.now(),
        )
    if news.amount != before.amount:
        raise _Contradiction("refund_differs")
    if before.status == "succeeded" and said == "failed":
        # The provider has the money again, and the payer does not.
        raise _Contradiction("refund_failed_later")
    # A refund that has come about is taken back into the books by nobody but a person.
    farther = {"unknown": 0, "pending": 1, "failed": 2, "succeeded": 3}
    after = replace(
        before,
        status=max(before.status, said, key=lambda state: farther[state]),
        provider_refund_id=before.provider_refund_id or news.provider_refund_id,
    )
    return before if after == before else replace(after, updated_at=clock.now())


def _disputed(order: Order, news: News) -> Order:
    """One dispute's state; what all those that are lost have taken adds up."""
    said, dispute = _DISPUTE[news.says], news.provider_dispute_id
    if dispute is None:
        raise _Contradiction("dispute_without_id")
    known = order.disputes.get(dispute)
    if said in {known, "open"} and known is not None:
        return order
    if known == "lost":
        # The bank gives back what it has taken, and the books know it as gone.
        raise _Contradiction("dispute_ended_twice")
    order = replace(order, disputes={**order.disputes, dispute: said})
    if said != "lost":
        return order
    _check_amount(order, news.amount, news)
    assert news.amount is not None
    charged_back = order.charged_back + news.amount
    if charged_back > order.amount:
        raise _Contradiction("disputes_exceed_payment")
    finding = "dispute_ended_twice" if known == "won" else order.finding
    return replace(order, charged_back=charged_back, finding=finding)


def _status_of(order: Order, news: News) -> OrderStatus:
    if order.settled_at is None:
        said = _MEANS.get(news.says, order.status)
        return max(order.status, said, key=lambda status: _REACHED[status])
    if order.charged_back:
        return "charged_back"
    if order.refunded == order.amount:
        return "refunded"
    return "partially_refunded" if order.refunded else "paid"


# --- What the books say


def _settle(connection: Connection, actor: Actor, account: Account, order: Order) -> Order:
    """Use money that has come for what it was paid for."""
    order = replace(order, ask_at=clock.now() + ASK_AFTER_SETTLING, asked=0)
    if order.purpose == "topup":
        # Bought credits are no advance that an invoice could be paid from.
        _post(connection, actor, order, "payment", "received", _moved(order, order.amount))
        credits.grant(
            connection,
            actor,
            account,
            order.credits,
            key=f"payment_topup:{order.payment_order_id}",
            kind="topup",
            payment_order_id=order.payment_order_id,
        )
        return order
    assert order.invoice_id is not None
    done = invoice_settling.settle(
        connection,
        actor,
        account,
        order.invoice_id,
        amount=rupees(order.amount),
        mode=order.provider,
        reference=order.provider_payment_id,
        key=f"payment_invoice:{order.payment_order_id}",
        payment_order_id=order.payment_order_id,
    )
    # It may be the price of a subscription's period, which begins by that.
    invoice_changed(connection, actor, order.tenant_id, order.invoice_id)
    if not done.advance:
        return order
    # The invoice was paid by other means meanwhile, or is void: the money is theirs all the same.
    finding = "overpaid" if done.applied else "nothing_to_pay"
    return replace(order, advance=paise(done.advance), finding=finding)


def _take_back(
    connection: Connection, actor: Actor, account: Account, order: Order, news: News
) -> Order:
    """Lead the books after what has gone back of a settled order's money."""
    gone = min(order.amount, order.refunded + order.charged_back)
    if order.settled_at is None or gone <= order.reversed:
        return order
    says_refund = news.says in {"refund", "refunded_in_all"} or not order.charged_back
    kind: Back = "refund" if says_refund else "chargeback"
    more = gone - order.reversed
    if order.purpose == "topup":
        _post(connection, actor, order, kind, f"{kind}:{gone}", _moved(order, -more))
        order = _take_credits(connection, actor, account, order, gone)
    else:
        order = _reverse_invoice(connection, actor, account, order, kind, gone)
    return replace(order, reversed=gone)


def _reverse_invoice(
    connection: Connection, actor: Actor, account: Account, order: Order, kind: Back, gone: int
) -> Order:
    def reverse(kind: Back) -> None:
        invoice_settling.reverse_settlement(
            connection,
            actor,
            account,
            kind=kind,
            amount=rupees(gone - order.reversed),
            key=f"payment_{kind}:{order.payment_order_id}:{gone}",
            payment_order_id=order.payment_order_id,
            mode=order.provider,
        )

    try:
        reverse(kind)
    except ServiceError as error:
        if error.code != "AMOUNT_EXCEEDS_PAYMENT":
            raise
        # What was overpaid has paid another invoice since. The money is gone; it is booked as what
        # the account owes, and somebody is told.
        reverse("chargeback")
        order = replace(order, finding="advance_spent")
    assert order.invoice_id is not None
    invoice_changed(connection, actor, order.tenant_id, order.invoice_id)
    return order


def _take_credits(
    connection: Connection, actor: Actor, account: Account, order: Order, gone: int
) -> Order:
    """Take back the credits that were bought with money that has gone back.

    Those that are held or spent cannot be taken: the account owes what they cost instead, and
    somebody is told. A wallet is never below nothing.
    """
    wanted = order.credits * gone // order.amount
    missing = wanted - order.credits_reversed
    with as_billing(connection, order.tenant_id):
        wallet = journal.lock_account(connection, order.tenant_id, order.account_id)
    taken = min(missing, wallet.available)
    if taken:
        credits.grant(
            connection,
            actor,
            account,
            -taken,
            key=f"payment_taken_back:{order.payment_order_id}:{gone}",
            kind="adjustment",
            reason=f"The payment {order.payment_order_id} went back.",
            payment_order_id=order.payment_order_id,
        )
    owed = order.credits_owed + missing - taken
    order = replace(order, credits_reversed=wanted)
    if owed == order.credits_owed:
        return order
    worth = _worth(order, owed) - _worth(order, order.credits_owed)
    if worth:
        _post(
            connection,
            actor,
            order,
            "adjustment",
            f"owed:{gone}",
            {"inr:receivable": worth, "inr:prepaid_credits": -worth},
        )
    return replace(order, credits_owed=owed, finding="credits_spent")


def _worth(order: Order, bought: int) -> int:
    return order.amount * bought // order.credits


def _moved(order: Order, amount: int) -> dict[str, int]:
    """Money for credits that comes to the provider's account, or leaves it (below nothing)."""
    return {f"inr:{order.provider}": amount, "inr:prepaid_credits": -amount}


def _post(
    connection: Connection,
    actor: Actor,
    order: Order,
    kind: journal.Kind,
    name: str,
    postings: Mapping[str, int],
) -> None:
    key = f"payment:{name}:{order.payment_order_id}"
    asked = journal.request_digest(kind, postings=dict(postings))
    with as_billing(connection, order.tenant_id):
        wallet = journal.lock_account(connection, order.tenant_id, order.account_id)
        if journal.known_entry(connection, wallet, key, asked) is not None:
            return
        journal.post(
            connection,
            wallet,
            actor=actor,
            kind=kind,
            operation_key=key,
            request_sha256=asked,
            postings=postings,
            result={},
            payment_order_id=order.payment_order_id,
            invoice_id=order.invoice_id,
            ref=("payment_order", str(order.payment_order_id)),
        )


# --- What is written down


def _refuse(connection: Connection, actor: Actor, order: Order, news: News, why: str) -> Outcome:
    """Leave an order as it is, and say so loudly: somebody has to look."""
    after = replace(order, finding=why, updated_at=clock.now())
    with as_billing(connection, order.tenant_id):
        records.update_order(connection, after)
    _tell(connection, actor, order, after, amount=news.amount, currency=news.currency)
    return Outcome(after, refused=why)


def _write(connection: Connection, actor: Actor, before: Order, after: Order) -> Order:
    is_over = after.status in {"expired", "cancelled"} and after.settled_at is None
    after = replace(after, updated_at=clock.now(), ask_at=None if is_over else after.ask_at)
    with as_billing(connection, after.tenant_id):
        records.update_order(connection, after)
    differing = [
        field.name
        for field in dataclasses.fields(Order)
        if getattr(before, field.name) != getattr(after, field.name)
        and field.name not in {"updated_at", "ask_at", "asked", "checkout_url"}
    ]
    if differing:
        record_in(
            connection,
            actor,
            after.tenant_id,
            f"payment:order:{after.status}",
            subject=("payment_order", after.payment_order_id),
            before={name: _told(before, name) for name in differing},
            after={name: _told(after, name) for name in differing},
        )
    if after.finding != before.finding:
        _tell(connection, actor, before, after)
    return after


def _tell(connection: Connection, actor: Actor, before: Order, after: Order, **more: Any) -> None:
    """A finding: in the log, and in the firm's record."""
    log.error(
        "payment.finding",
        finding=after.finding,
        order=str(after.payment_order_id),
        tenant=str(after.tenant_id),
        provider=after.provider,
    )
    record_in(
        connection,
        actor,
        after.tenant_id,
        "payment:order:questioned",
        subject=("payment_order", after.payment_order_id),
        reason=after.finding,
        before={"status": before.status, "amount": before.amount},
        after={"status": after.status, **{name: it for name, it in more.items() if it is not None}},
    )


def _told(order: Order, name: str) -> Any:
    value = getattr(order, name)
    return value.isoformat() if hasattr(value, "isoformat") else value
