"""Finds the first place at which a tenant's audit is no longer what was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from service.audit.chain import BEGINNING, EVENT, FIELDS, seal_hash
from service.audit.events import details_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from service.audit.anchoring import Anchor

#: The action of events whose details name the events whose details were erased.
ERASED = "audit:details:erased"
_MOST_BREAKS = 20
#: A million rows are never held at once.
_IN_PARTS = {"yield_per": 5_000}

# Sorted by the whole key, so that the chain is read along its index and nothing is sorted.
_SEALS = text(
    "select s.seq, s.event_id::text as sealed_event, s.previous_hash, s.hash,"  # noqa: S608 - a constant
    " to_char(s.sealed_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as sealed_at,"
    f" d.details, {EVENT}"
    " from audit_seals s"
    " left join audit_events e on e.tenant_id = s.tenant_id and e.event_id = s.event_id"
    " left join audit_details d on d.tenant_id = s.tenant_id and d.event_id = s.event_id"
    " where s.tenant_id = :tenant order by s.tenant_id, s.seq"
)
_UNSEALED = text(
    "select count(*) as events, min(e.at) as oldest from audit_events e"
    " where e.tenant_id = :tenant and not exists ("
    "  select from audit_seals s where s.tenant_id = e.tenant_id and s.event_id = e.event_id)"
)
_ERASED = text(
    "select d.details from audit_events e join audit_details d using (tenant_id, event_id)"
    " where e.tenant_id = :tenant and e.action = :action"
)


@dataclass(frozen=True, slots=True)
class Break:
    """A place at which the chain does not hold, and why."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a tenant's chain is like.

    Attributes:
        tenant_id: whose it is.
        sealed: how many seals there are.
        head: the last seal's hash.
        breaks: where it does not hold, by place, at most twenty; none means that it holds.
        unsealed: how many events have no seal yet.
        oldest_unsealed: the time of the oldest of them; long ago means that no sealer runs, or
            that somebody has added to the past.
        erased: how many events' details were erased, each by an event that names it.
        anchored: the last place that an anchor outside of the database vouches for.
    """

    tenant_id: UUID
    sealed: int
    head: str
    breaks: tuple[Break, ...]
    unsealed: int
    oldest_unsealed: datetime | None
    erased: int
    anchored: int | None

    @property
    def is_whole(self) -> bool:
        """Whether everything that was sealed is as it was."""
        return not self.breaks


def verify(connection: Connection, tenant_id: UUID, anchors: Iterable[Anchor] = ()) -> Report:
    """Compute a tenant's whole chain anew and hold it to its anchors.

    Args:
        connection: of a role that sees the tenant's audit; the sealer may be at work meanwhile.
        tenant_id: whose chain.
        anchors: what was put outside of the database (`anchoring.anchors_of`). Only they find a
            tail that was cut off, an older backup that was put back, or a chain that was computed
            anew from some place on.
    """
    anchors = tuple(anchors)
    vouched = {anchor.seq for anchor in anchors}
    breaks: list[Break] = []
    without_details: dict[str, int] = {}
    hashes: dict[int, str] = {}
    expected, previous = 1, BEGINNING
    for row in connection.execute(_SEALS, {"tenant": tenant_id}, execution_options=_IN_PARTS):
        seq, sealed_event, previous_hash, found, sealed_at, details, *values = row
        event = dict(zip(FIELDS, values, strict=True))
        if seq != expected:
            breaks.append(Break(expected, f"missing: the next seal has the number {seq}"))
        elif previous_hash != previous:
            breaks.append(Break(seq, "it does not follow from the seal before it"))
        elif event["event_id"] is None:
            breaks.append(Break(seq, f"its event {sealed_event} is gone"))
        elif seal_hash(previous_hash, seq, sealed_at, event) != found:
            breaks.append(Break(seq, f"the event {sealed_event} or its seal was changed"))
        elif details is not None and details_digest(details) != event["details_sha256"]:
            breaks.append(Break(seq, f"the details of the event {sealed_event} were changed"))
        elif details is None and event["details_sha256"] is not None:
            without_details[sealed_event] = seq
        if seq in vouched:
            hashes[seq] = found
        expected, previous = seq + 1, found
    erased = _erased_events(connection, tenant_id)
    breaks += [
        Break(seq, f"the details of the event {event_id} are gone, and no event says why")
        for event_id, seq in without_details.items()
        if event_id not in erased
    ]
    breaks += _anchor_breaks(anchors, hashes, expected - 1)
    unsealed = connection.execute(_UNSEALED, {"tenant": tenant_id}).one()
    return Report(
        tenant_id,
        expected - 1,
        previous,
        tuple(sorted(breaks, key=lambda one: one.seq)[:_MOST_BREAKS]),
        unsealed.events,
        unsealed.oldest,
        sum(event_id in erased for event_id in without_details),
        max((one.seq for one in anchors if hashes.get(one.seq) == one.hash), default=None),
    )


def _anchor_breaks(
    anchors: Iterable[Anchor], hashes: dict[int, str], sealed: int
) -> Iterable[Break]:
    """Where the chain is not what was vouched for; the first anchor that differs says it all."""
    for anchor in sorted(anchors, key=lambda one: one.seq):
        when = f"{anchor.anchored_at} vouches"
        if anchor.seq > sealed:
            yield Break(sealed + 1, f"missing: an anchor of {when} for {anchor.seq} seals")
            return
        if hashes.get(anchor.seq) != anchor.hash:
            yield Break(anchor.seq, f"it is not the seal that an anchor of {when} for")
            return


def _erased_events(connection: Connection, tenant_id: UUID) -> set[str]:
    """The events whose details may be gone."""
    found = connection.scalars(_ERASED, {"tenant": tenant_id, "action": ERASED})
    return {event for details in found for event in json.loads(details)["after"]["events"]}
