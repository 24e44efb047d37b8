"""What can be done next with a work order, in the words of whoever has to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.web.printed import word, words
from service.workorders.transitions import ways_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.evaluation import Readiness
    from service.actor import Actor
    from service.workorders.records import WorkOrder
    from service.workorders.transitions import Transition

_GRAVE = frozenset({"CANCELLED"})
_BLOCKING = "The report would say what these findings doubt."
_FACTS = "The report has a place for each of them."
_EVIDENCE = "The profile asks for each of these."


@dataclass(frozen=True, slots=True)
class Move:
    """A state that the work order can be moved to."""

    status: str
    label: str
    means: str
    needs_reason: bool
    is_grave: bool
    blocked: str


@dataclass(frozen=True, slots=True)
class NextAction:
    """The one thing to do now, where it is done, and why."""

    label: str
    anchor: str
    why: str


def moves_of(order: WorkOrder, actor: Actor, readiness: Readiness) -> tuple[Move, ...]:
    """The states that may follow, as far as the person may move to them."""
    return tuple(
        _move(way, readiness) for way in ways_from(order.status) if actor.may(way.capability)
    )


def _move(way: Transition, readiness: Readiness) -> Move:
    called = word(way.target, "status").lower()
    blocked = ""
    if way.needs_readiness and not readiness.ready:
        blocked = "Something is still missing; see the top of the page."
    return Move(
        status=way.target,
        label=f"Take back to {called}" if way.needs_note else f"Move to {called}",
        means=words()["status_back"] if way.needs_note else words()["status_means"][way.target],
        # Giving work up is told why, although the service would take it without.
        needs_reason=way.needs_note or way.target in _GRAVE,
        is_grave=way.needs_note or way.target in _GRAVE,
        blocked=blocked,
    )


def next_action(
    order: WorkOrder, actor: Actor, gaps: Any, pack: Mapping[str, Any], moves: Sequence[Move]
) -> NextAction:
    """What whoever looks at the page should do first."""
    current = pack["pack"]
    targets = {move.status: move for move in moves}
    if order.status == "CANCELLED":
        return NextAction("See what happened", "history", "The work order was cancelled.")
    if current is not None and current.status == "failed":
        return NextAction("See why the report failed", "pack", "It can be tried again.")
    if current is not None and current.status == "generating":
        return NextAction("Watch the report being made", "pack", "It takes a minute or so.")
    if current is not None and current.status == "generated":
        return _after_the_report(order, actor, pack, targets)
    for found, capability, label, why in (
        (gaps.blocking, "repogen.write", "Settle the findings that block", _BLOCKING),
        (gaps.facts, "repogen.write", "Enter the facts that are missing", _FACTS),
        (gaps.evidence, "evidence.write", "Add the evidence that is missing", _EVIDENCE),
    ):
        if found:
            told = label if actor.may(capability) else "See what is missing"
            return NextAction(told, found[0].anchor or "facts", why)
    for status in ("READY_FOR_RENDER", "DATA_PENDING"):
        if status in targets:
            move = targets[status]
            return NextAction(move.label, f"move-{status}", move.means)
    return NextAction("Look it through", "figures", "Somebody else moves it on.")


def _after_the_report(
    order: WorkOrder, actor: Actor, pack: Mapping[str, Any], targets: Mapping[str, Move]
) -> NextAction:
    if not pack["sign_off"].is_complete:
        label = "Read the report and sign it" if actor.may("repogen.sign") else "Read the report"
        return NextAction(label, "sign-off", "A registered valuer signs its digest.")
    releasing = pack["releasing"]
    if releasing is not None and not releasing.is_released:
        label = "Release the report" if releasing.may else "See what the release waits for"
        return NextAction(label, "release", releasing.message)
    if "CLOSED" in targets and order.status != "CLOSED":
        return NextAction("Close the work order", "move-CLOSED", "The report is released.")
    return NextAction("Download the report", "deliverables", "It is released.")
