"""Lets a work order's report out, or writes down why it stays in.

One transaction: the decision, what it does to the credits, the settled charge, the usage event and
the audit are there together or not at all. Locks are taken in the order of work order, pack,
wallet; whoever frees or consumes a hold, or changes what is paid of an invoice, takes the wallet's,
and is then seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service import clock
from service.audit.events import record
from service.billing.acting import as_billing
from service.billing.credits import consume
from service.billing.credits import release as free
from service.billing.journal import lock_account, request_digest
from service.billing.usage import record_usage
from service.errors import ServiceError, conflict
from service.identifiers import new_id
from service.jobs.crashpoints import crashpoint
from service.release import records
from service.release.gate import Outcome, Refusal, Repeated, mode_of
from service.release.property_changes import note_another_property
from service.release.questioning import Asked, Means, Wish, ask, means_of, with_means
from service.release.records import Decision
from service.telemetry.metrics import GATE_RESULTS
from service.workorders.records import lock

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.workorders.records import WorkOrder


@dataclass(frozen=True, slots=True)
class Released:
    """What the gate decided; `idempotent` if it had decided so before."""

    decision: Decision
    idempotent: bool


def release(connection: Connection, actor: Actor, work_order_id: UUID, wish: Wish) -> Released:
    """Ask the gate to let a work order's report out.

    Args:
        connection: in the actor's role.
        actor: holds deliverables.release.
        work_order_id: whose report.
        wish: under which key, and whether although it is not paid for.

    Returns:
        The decision. BLOCKED is one too: it is written down, and changes nothing else.

    Raises:
        ServiceError: 404; what `service.release.gate` refuses.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    digest = request_digest(
        "release",
        work_order_id=work_order_id,
        override=wish.override,
        override_reason=wish.override_reason,
        hold_outcome=wish.hold_outcome,
        version=wish.version,
        bundle_digest=wish.bundle_digest,
    )
    known = records.decision_by_key(connection, actor.tenant_id, wish.key) if wish.key else None
    used = None if known is None else _use_of(known, order, digest)
    asked = ask(connection, actor, order, wish, used, locked=True)
    means: Means | None = None
    if isinstance(asked.decision, Outcome):
        means = _locked_means(connection, order)
        asked = with_means(asked, means)
    decided = asked.decision
    if isinstance(decided, Refusal):
        raise _refused(decided, asked)
    if isinstance(decided, Repeated):
        return Released(_earlier(decided, known, asked), idempotent=True)
    assert means is not None
    crashpoint("release-before-effect")
    decision = _decision(actor, order, wish, asked, means, decided, digest)
    _write(connection, actor, wish, decision, decided, means)
    _tell(connection, actor, decision, means)
    if means.charge is not None:
        note_another_property(connection, actor, means.account, decision, means.charge.release_id)
    crashpoint("release-after-effect")
    return Released(decision, idempotent=False)


def _earlier(repeated: Repeated, known: Decision | None, asked: Asked) -> Decision:
    if repeated.by == "key":
        assert known is not None
        return known
    assert asked.earlier is not None
    return asked.earlier.decision


def _use_of(known: Decision, order: WorkOrder, digest: str) -> Any:
    is_same = known.work_order_id == order.work_order_id and known.request_sha256 == digest
    return "same" if is_same else "other"


def _locked_means(connection: Connection, order: WorkOrder) -> Means:
    """What there is to pay, once nobody else can take it away.

    A sweep or the studio may end a hold, and a provider take a payment back, without the work
    order's lock: what was read before the wallet's lock, which both take, is read again after it. A
    hold that has gone is no hold, and an invoice whose payment has gone is not paid.
    """
    means = means_of(connection, order)
    while means.account is not None:
        with as_billing(connection, order.tenant_id):
            lock_account(connection, order.tenant_id, means.account.account_id)
        again = means_of(connection, order)
        if again.account is None or again.account.account_id == means.account.account_id:
            return again
        means = again
    return means


def _decision(
    actor: Actor,
    order: WorkOrder,
    wish: Wish,
    asked: Asked,
    means: Means,
    outcome: Outcome,
    digest: str,
) -> Decision:
    pack, charge, hold, invoice = asked.pack, means.charge, means.hold, means.invoice
    assert pack is not None
    assert wish.key is not None
    is_override = outcome.result == "OVERRIDE"
    return Decision(
        tenant_id=order.tenant_id,
        release_id=new_id(),
        work_order_id=order.work_order_id,
        pack_id=pack.pack_id,
        pack_version=pack.version,
        bundle_digest=pack.bundle_digest,
        result=outcome.result,
        reason=outcome.reason,
        billing_mode=mode_of(asked.question),
        account_id=None if means.account is None else means.account.account_id,
        hold_id=charge.hold_id if charge else hold.hold_id if hold else None,
        invoice_id=charge.invoice_id if charge else invoice.invoice_id if invoice else None,
        hold_outcome=wish.hold_outcome if outcome.hold == "as_said" else None,
        override_reason=(wish.override_reason or "").strip() if is_override else None,
        operation_key=wish.key,
        request_sha256=digest,
        released_by=actor.user_id,
        created_at=clock.now(),
    )


def _write(
    connection: Connection,
    actor: Actor,
    wish: Wish,
    decision: Decision,
    outcome: Outcome,
    means: Means,
) -> None:
    """The decision, then what it does: all of it is undone if the key was used elsewhere."""
    with as_billing(connection, decision.tenant_id):
        is_written = records.insert_decision(connection, decision)
    if not is_written:
        raise _key_reused()
    uses_hold = outcome.hold == "consume" or decision.hold_outcome == "consume"
    if outcome.hold is not None:
        assert means.hold is not None
        assert means.account is not None
        if uses_hold:
            consume(
                connection,
                actor,
                means.account,
                hold_id=means.hold.hold_id,
                key=f"repogen_release_consume:{wish.key}",
            )
        else:
            free(
                connection,
                actor,
                means.account,
                hold_id=means.hold.hold_id,
                key=f"repogen_release_override:{wish.key}",
                reason=f"released by override: {decision.override_reason}",
            )
    if means.charge is not None:
        return
    settled = "PAID" if decision.result == "PAID" else "CREDIT_CONSUMED" if uses_hold else None
    if settled is not None:
        with as_billing(connection, decision.tenant_id):
            records.insert_charge(connection, decision, settled)  # type: ignore[arg-type]


def _tell(connection: Connection, actor: Actor, decision: Decision, means: Means) -> None:
    record_usage(
        connection,
        actor,
        means.account,
        "repogen_release_blocked" if decision.is_blocked else "repogen_deliverables_released",
        key=f"repogen_deliverables_release:{decision.operation_key}",
        payload={
            "work_order_id": str(decision.work_order_id),
            "release_id": str(decision.release_id),
            "gate_result": decision.result,
            **({} if decision.reason is None else {"reason": decision.reason}),
        },
    )
    record(
        connection,
        actor,
        f"release:deliverable:{'blocked' if decision.is_blocked else 'released'}",
        subject=("release", decision.release_id),
        work_order_id=decision.work_order_id,
        reason=decision.override_reason,
        after={
            "gate_result": decision.result,
            "reason": decision.reason,
            "version": decision.pack_version,
            "bundle_digest": decision.bundle_digest,
            "billing_mode": decision.billing_mode,
            "hold_id": decision.hold_id,
            "hold_outcome": decision.hold_outcome,
            "invoice_id": decision.invoice_id,
        },
    )
    GATE_RESULTS.labels(decision.result, decision.reason or "").inc()


def _refused(refusal: Refusal, asked: Asked) -> ServiceError:
    extra: dict[str, Any] = {}
    if refusal.code == "CAPABILITY_MISSING":
        extra["capability"] = "deliverables.override"
    pack, signing = asked.pack, asked.sign_off
    if refusal.status == 409 and pack is not None and refusal.code != "IDEMPOTENCY_KEY_REUSED":
        extra |= {
            "pack_version": pack.version,
            "pack_status": pack.status,
            "bundle_digest": pack.bundle_digest,
        }
    if refusal.code == "PACK_GENERATION_NOT_COMPLETED" and pack is not None:
        extra["pack_status"] = pack.status
    if refusal.code == "SIGN_OFF_MISSING" and signing is not None:
        extra |= {"signatures_needed": signing.needed, "signatures": len(signing.signed)}
    return ServiceError(refusal.status, refusal.code, refusal.title, refusal.detail, extra=extra)


def _key_reused() -> ServiceError:
    return conflict(
        "IDEMPOTENCY_KEY_REUSED",
        "This key was used for something else",
        "Another release has just taken it. Take a new key.",
    )
