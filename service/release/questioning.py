"""Puts together what the gate decides by, as it is in this transaction; nothing is written here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from service.billing import accounts
from service.billing.credits import active_hold
from service.invoices.records import invoice_of_work_order
from service.packs import records as pack_records
from service.packs.sign_off import SignOffState, sign_off_state
from service.release import records
from service.release.gate import Outcome, Question, Refusal, Repeated, decide, mode_of, payment_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.billing.credits import Hold
    from service.invoices.records import Invoice
    from service.packs.records import Pack
    from service.release.gate import Mode, Payment
    from service.release.records import Charge, Deliverable
    from service.workorders.records import WorkOrder

#: The files that a pack has once its report was proved: nothing else makes the second of them.
_PROVED = frozenset({"bundle", "docx"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks of the gate; `version` and `bundle_digest` only if they named them."""

    key: str | None = None
    override: bool = False
    override_reason: str | None = None
    hold_outcome: Literal["release", "consume"] = "release"
    version: int | None = None
    bundle_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to pay for a work order; `account` is whom it is billed to.

    `charge` covers it; one whose payment went back does not, and is `reversed` instead.
    """

    charge: Charge | None
    reversed: Charge | None
    hold: Hold | None
    invoice: Invoice | None
    account: Account | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what it was made of."""

    question: Question
    pack: Pack | None
    earlier: Deliverable | None
    sign_off: SignOffState | None

    @property
    def decision(self) -> Refusal | Repeated | Outcome:
        """What the gate says."""
        return decide(self.question)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the gate would decide now about the work order's report, without an override."""

    mode: Mode
    payment: Payment
    hold: Hold | None
    invoice: Invoice | None
    decision: Refusal | Repeated | Outcome
    sign_off: SignOffState | None

    @property
    def is_open(self) -> bool:
        """Whether the report could leave, or has left."""
        if isinstance(self.decision, Refusal):
            return False
        return isinstance(self.decision, Repeated) or self.decision.result != "BLOCKED"


def work_ref(work_order_id: UUID) -> tuple[str, str]:
    """What the hold of a work order is for."""
    return ("work_order", str(work_order_id))


def means_of(connection: Connection, order: WorkOrder) -> Means:
    """What there is to pay for a work order."""
    tenant, work_order_id = order.tenant_id, order.work_order_id
    hold = active_hold(connection, tenant, work_ref(work_order_id))
    invoice = invoice_of_work_order(connection, tenant, work_order_id)
    found = records.charge_of(connection, tenant, work_order_id)
    charge = found if found is not None and found.stands else None
    gone = found if charge is None else None
    owing = next((one.account_id for one in (charge, hold, invoice) if one is not None), None)
    if owing is None:
        account = accounts.account_for(connection, tenant, order.requested_by)
    else:
        account = accounts.find_account(connection, tenant, owing)
    return Means(charge, gone, hold, invoice, account)


def ask(
    connection: Connection,
    actor: Actor,
    order: WorkOrder,
    wish: Wish,
    key_was_used: Literal["same", "other"] | None = None,
    *,
    locked: bool = False,
) -> Asked:
    """The question that a wish is, apart from what pays for the work order.

    Args:
        connection: in the actor's role.
        actor: who wishes.
        order: the work order.
        wish: what they wish.
        key_was_used: whether the wish's key is known.
        locked: the pack stays what it is until the transaction ends.
    """
    tenant = order.tenant_id
    pack, is_there = _meant(connection, order, wish.version)
    if pack is not None and locked:
        pack = pack_records.pack_by_id(connection, tenant, pack.pack_id, locked=True)
    earlier = signing = None
    made: set[str] = set()
    if pack is not None:
        earlier = records.deliverable_of_pack(connection, tenant, pack.pack_id)
        signing = sign_off_state(connection, pack)
        made = {one.kind for one in pack_records.artifacts_of(connection, tenant, [pack.pack_id])}
    question = Question(
        has_key=bool(wish.key),
        override=wish.override,
        has_reason=bool((wish.override_reason or "").strip()),
        is_studio=actor.audience == "studio",
        may_override=actor.may("deliverables.override"),
        key_was_used=key_was_used,
        order_status=order.status,
        pack=None if pack is None else pack.status,
        names_another=pack is not None
        and (not is_there or wish.bundle_digest not in {None, pack.bundle_digest}),
        earlier_release=None
        if earlier is None
        else "withdrawn"
        if earlier.withdrawal is not None
        else "released",
        is_proven=made >= _PROVED,
        is_signed=signing is not None and signing.is_complete,
        charge=None,
        has_hold=False,
        invoice=None,
        account_mode=None,
    )
    return Asked(question, pack, earlier, signing)


def with_means(asked: Asked, means: Means) -> Asked:
    """The question with what there is to pay."""
    question = dataclasses.replace(
        asked.question,
        charge=None if means.charge is None else means.charge.settled_by,
        has_hold=means.hold is not None,
        invoice=_state_of(means),
        account_mode=None if means.account is None else means.account.billing_mode,
    )
    return dataclasses.replace(asked, question=question)


def forecast(connection: Connection, actor: Actor, order: WorkOrder) -> Forecast:
    """What the gate would decide now about a work order's current report."""
    means = means_of(connection, order)
    asked = with_means(ask(connection, actor, order, Wish(key="forecast")), means)
    return Forecast(
        mode=mode_of(asked.question),
        payment=payment_of(asked.question),
        hold=means.hold,
        invoice=means.invoice,
        decision=asked.decision,
        sign_off=asked.sign_off,
    )


def _state_of(means: Means) -> Literal["unpaid", "paid", "reversed"] | None:
    if means.invoice is None:
        return None
    if means.invoice.is_paid:
        return "paid"
    gone = means.reversed
    is_gone = gone is not None and gone.invoice_id == means.invoice.invoice_id
    return "reversed" if is_gone else "unpaid"


def _meant(
    connection: Connection, order: WorkOrder, version: int | None
) -> tuple[Pack | None, bool]:
    """The pack that is meant, and whether the version is there if one was named."""
    tenant, work_order_id = order.tenant_id, order.work_order_id
    if version is not None:
        named = pack_records.pack_of_version(connection, tenant, work_order_id, version)
        if named is not None:
            return named, True
    found = pack_records.current_pack(connection, tenant, work_order_id)
    if found is None:
        found = pack_records.latest_pack(connection, tenant, work_order_id)
    return found, version is None
