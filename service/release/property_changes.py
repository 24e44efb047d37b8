"""Whether a corrected version is of another property than the one that was paid for.

Nothing is refused by it: a number that was written wrong is corrected in the same way. What differs
is told to whoever is billed for the work, by the names of the fields alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from service.billing.usage import record_usage
from service.packs import records as pack_records
from service.release import records
from service.workorders.records import find_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.billing.accounts import Account
    from service.release.records import Decision

#: What of a contract's property tells it from others. The register's entry is no help: a work order
#: names it once, when it is created.
IDENTIFYING = (
    "door_no",
    "plot_no",
    "survey_no",
    "cts_no",
    "khata_no",
    "village",
    "city",
    "district",
    "state",
    "pin_code",
)
#: An address is often only worded anew, so it counts where nothing else is known of both.
_ELSE = ("address",)


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The fields by which two properties, as contracts have them, are not the same one.

    What only one of them has tells nothing, nor do capitals, spaces and punctuation.
    """
    for names in (IDENTIFYING, _ELSE):
        known = [name for name in names if _bare(before.get(name)) and _bare(after.get(name))]
        if known:
            return [name for name in known if _bare(before[name]) != _bare(after[name])]
    return []


def note_another_property(
    connection: Connection,
    actor: Actor,
    account: Account | None,
    decision: Decision,
    paid_release_id: UUID,
) -> None:
    """Write the usage event `billing_property_changed`, if a release is of another property.

    Args:
        connection: in the actor's role.
        actor: who lets it out.
        account: whom the work is billed to.
        decision: a release that was not charged, as an earlier one covers it.
        paid_release_id: that earlier one.
    """
    tenant, work_order_id = decision.tenant_id, decision.work_order_id
    paid = records.deliverable_by_id(connection, tenant, paid_release_id)
    assert paid is not None
    before, after = (
        _property_of(connection, tenant, work_order_id, pack_id)
        for pack_id in (paid.decision.pack_id, decision.pack_id)
    )
    fields = differing(before, after)
    if not fields:
        return
    record_usage(
        connection,
        actor,
        account,
        "billing_property_changed",
        key=f"billing_property_changed:{decision.release_id}",
        payload={
            "work_order_id": str(work_order_id),
            "release_id": str(decision.release_id),
            "paid_version": str(paid.decision.pack_version),
            "version": str(decision.pack_version),
            "fields": fields,
        },
    )


def _property_of(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, pack_id: UUID
) -> Mapping[str, Any]:
    """The property as a version's own snapshot has it."""
    pack = pack_records.pack_by_id(connection, tenant_id, pack_id)
    assert pack is not None
    snapshot = find_snapshot(connection, tenant_id, work_order_id, pack.snapshot_version)
    if snapshot is None:
        return {}
    found: Mapping[str, Any] = json.loads(snapshot.contract).get("property") or {}
    return found


def _bare(value: object) -> str:
    return "".join(one for one in str(value or "").casefold() if one.isalnum())
