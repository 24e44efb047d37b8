"""The states of a work order, and every way from one to another, as data.

A piece that has to do something when a work order moves adds a function to the effects of that
transition. Effects run in the transaction of the change, after it is written; one that raises
undoes all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.billing import hooks
from service.packs.starting import start_pack, supersede_current, withdraw_current

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.workorders.records import Snapshot, WorkOrder


@dataclass(frozen=True, slots=True)
class Move:
    """A change of state that has just been written.

    `order` is as it is now; `snapshot` is what the report will be made of, when one will be.
    """

    order: WorkOrder
    source: str
    note: str | None
    snapshot: Snapshot | None


Effect = Callable[["Connection", "Actor", Move], object]


@dataclass(frozen=True, slots=True)
class Transition:
    """A way from one state to another.

    `needs_note` ones tell why in the note; `needs_readiness` ones want a snapshot and nothing
    missing.
    """

    source: str
    target: str
    capability: str = "repogen.status"
    needs_note: bool = False
    needs_readiness: bool = False
    effects: tuple[Effect, ...] = ()


def _make_pack(connection: Connection, actor: Actor, move: Move) -> object:
    assert move.snapshot is not None
    return start_pack(connection, actor, move.order, move.snapshot.version)


def _supersede_pack(connection: Connection, actor: Actor, move: Move) -> object:
    assert move.note is not None
    return supersede_current(connection, actor, move.order, move.note)


def _withdraw_pack(connection: Connection, actor: Actor, move: Move) -> object:
    reason = move.note or "the work order was cancelled"
    return withdraw_current(connection, actor, move.order, reason)


#: Every way there is; what is not here is refused.
TRANSITIONS: tuple[Transition, ...] = (
    Transition("DRAFT", "EVIDENCE_PENDING"),
    Transition("DRAFT", "DATA_PENDING", effects=(hooks.on_data_pending,)),
    Transition("DRAFT", "CANCELLED"),
    Transition("EVIDENCE_PENDING", "DATA_PENDING", effects=(hooks.on_data_pending,)),
    Transition("EVIDENCE_PENDING", "CANCELLED"),
    Transition(
        "DATA_PENDING",
        "READY_FOR_RENDER",
        needs_readiness=True,
        effects=(_make_pack, hooks.on_ready),
    ),
    Transition("DATA_PENDING", "CLOSED", effects=(hooks.on_closed,)),
    Transition("DATA_PENDING", "CANCELLED", effects=(hooks.on_cancelled,)),
    Transition("READY_FOR_RENDER", "CLOSED", effects=(hooks.on_closed,)),
    Transition("READY_FOR_RENDER", "CANCELLED", effects=(_withdraw_pack, hooks.on_cancelled)),
    Transition(
        "READY_FOR_RENDER",
        "DATA_PENDING",
        capability="repogen.reopen",
        needs_note=True,
        effects=(_supersede_pack, hooks.on_data_pending),
    ),
    Transition(
        "CLOSED",
        "DATA_PENDING",
        capability="repogen.reopen",
        needs_note=True,
        effects=(_supersede_pack, hooks.on_data_pending),
    ),
)


def ways_from(status: str) -> tuple[Transition, ...]:
    """The ways out of a state."""
    return tuple(way for way in TRANSITIONS if way.source == status)
