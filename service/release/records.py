"""The gate's decisions, settled charges and withdrawals: rows in and out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from service.packs.records import PackStatus
from service.release.gate import Mode, Result, Settled

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

State = Literal["released", "superseded", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate decided under a key, for ever; its columns."""

    tenant_id: UUID
    release_id: UUID
    work_order_id: UUID
    pack_id: UUID
    pack_version: int
    bundle_digest: str
    result: Result
    reason: str | None
    billing_mode: Mode | None
    account_id: UUID | None
    hold_id: UUID | None
    invoice_id: UUID | None
    hold_outcome: Literal["release", "consume"] | None
    override_reason: str | None
    operation_key: str
    request_sha256: str
    released_by: UUID | None
    created_at: datetime

    @property
    def is_blocked(self) -> bool:
        """Whether the report stayed in."""
        return self.result == "BLOCKED"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a report which was let out must not be used any more, and why."""

    reason: str
    withdrawn_by: UUID | None
    withdrawn_at: datetime


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A version that was let out, with what has become of it since.

    `replaces_version` and `replaces_reason` say what it corrects and why, `replaced_by` the newest
    version that was let out after it; a version that is superseded and has none is being corrected.
    """

    decision: Decision
    pack_status: PackStatus
    replaces_version: int | None
    replaces_reason: str | None
    end_reason: str | None
    withdrawal: Withdrawal | None
    replaced_by: int | None

    @property
    def state(self) -> State:
        """Whether it stands, was replaced or is being, or must not be used."""
        if self.withdrawal is not None or self.pack_status == "withdrawn":
            return "withdrawn"
        return "superseded" if self.pack_status == "superseded" else "released"

    @property
    def why_withdrawn(self) -> str | None:
        """Why it must not be used, if it must not."""
        if self.withdrawal is not None:
            return self.withdrawal.reason
        return self.end_reason if self.pack_status == "withdrawn" else None


@dataclass(frozen=True, slots=True)
class Charge:
    """What settled a work order's charge, for the release that says so.

    It covers later versions only while it `stands`: an invoice that is paid, and not credited as a
    whole, or credits that were used.
    """

    settled_by: Settled
    account_id: UUID
    hold_id: UUID | None
    invoice_id: UUID | None
    release_id: UUID
    settled_at: datetime
    stands: bool


_FIELDS = tuple(field.name for field in dataclasses.fields(Decision))
_COLUMNS = ", ".join(f"r.{name}" for name in _FIELDS)
_BY_KEY = text(
    f"select {_COLUMNS} from releases r where r.tenant_id = :tenant and r.operation_key = :key"  # noqa: S608
)
_OF_WORK_ORDER = text(
    f"select {_COLUMNS} from releases r where r.tenant_id = :tenant"  # noqa: S608
    " and r.work_order_id = :work_order order by r.created_at desc, r.release_id desc limit :limit"
)
_DELIVERABLES = (
    f"select {_COLUMNS}, p.status as pack_status, o.version as replaces_version,"  # noqa: S608
    " p.replaces_reason, p.end_reason, w.reason as withdrawn_because, w.withdrawn_by, w.withdrawn_at,"
    " (select max(n.pack_version) from releases n where n.tenant_id = r.tenant_id"
    "  and n.work_order_id = r.work_order_id and n.result <> 'BLOCKED'"
    "  and n.pack_version > r.pack_version and not exists (select from release_withdrawals v"
    "   where v.tenant_id = n.tenant_id and v.release_id = n.release_id)) as replaced_by"
    " from releases r join packs p on p.tenant_id = r.tenant_id and p.pack_id = r.pack_id"
    " left join packs o on o.tenant_id = p.tenant_id and o.pack_id = p.replaces_pack_id"
    " left join release_withdrawals w on w.tenant_id = r.tenant_id and w.release_id = r.release_id"
    " where r.tenant_id = :tenant and r.result <> 'BLOCKED' and "
)
_OF_PACK = text(f"{_DELIVERABLES} r.pack_id = :pack")
_BY_ID = text(f"{_DELIVERABLES} r.release_id = :release")
_RELEASED = text(f"{_DELIVERABLES} r.work_order_id = :work_order order by r.pack_version desc")
_INSERT = text(
    f"insert into releases ({', '.join(_FIELDS)})"  # noqa: S608
    f" values ({', '.join(f':{name}' for name in _FIELDS)})"
    " on conflict (tenant_id, operation_key) do nothing"
)
_SETTLED = (
    "select s.settled_by, coalesce(i.account_id, h.account_id) as account_id, s.hold_id,"
    " s.invoice_id, s.release_id, s.settled_at, case s.settled_by when 'PAID' then"
    "  i.status = 'paid' and (i.credited < i.total or i.total = 0) else true end as stands from ({})"
    " s left join service_invoices i on i.tenant_id = s.tenant_id and i.invoice_id = s.invoice_id"
    " left join credit_holds h on h.tenant_id = s.tenant_id and h.hold_id = s.hold_id"
    # What stands comes first, else the latest, whose invoice may be due again.
    " order by stands desc, s.settled_at desc limit 1"
)
_CHARGE = text(
    _SETTLED.format(
        "select * from work_order_charges where tenant_id = :tenant and work_order_id = :work_order"
    )
)
# The charge says by what the work order was settled first. If that was taken back, a later release
# may have been settled anew, by an invoice or credits that it names itself.
_CHARGED_ANEW = text(
    _SETTLED.format(
        "select tenant_id, case result when 'PAID' then 'PAID' else 'CREDIT_CONSUMED' end"
        " as settled_by, case when result <> 'PAID' then hold_id end as hold_id,"
        " case result when 'PAID' then invoice_id end as invoice_id, release_id,"
        " created_at as settled_at from releases where tenant_id = :tenant"
        " and work_order_id = :work_order"
        " and (result in ('PAID', 'CREDIT_CONSUMED') or hold_outcome = 'consume')"
    )
)
#: Invariant: what was let out was paid for, or somebody has said why not. The constraints of the
#: tables hold most of it; this asks for all of it, of the rows as they are.
_UNEXPLAINED = text(
    "select r.release_id from releases r left join work_order_charges c"
    " on c.tenant_id = r.tenant_id and c.work_order_id = r.work_order_id"
    " left join credit_holds h on h.tenant_id = r.tenant_id and h.hold_id = r.hold_id"
    " where (cast(:tenant as uuid) is null or r.tenant_id = :tenant) and r.result <> 'BLOCKED'"
    " and not case r.result when 'OVERRIDE' then coalesce(r.override_reason, '') <> ''"
    "  and (r.hold_outcome is distinct from 'consume' or h.status = 'consumed')"
    " when 'CREDIT_CONSUMED' then c.settled_by is not null and h.status = 'consumed'"
    " else c.settled_by is not null end order by r.release_id"
)


def decision_by_key(connection: Connection, tenant_id: UUID, key: str) -> Decision | None:
    """What was decided under a key in a firm, whatever it was about."""
    values = {"tenant": tenant_id, "key": key}
    row = connection.execute(_BY_KEY, values).mappings().one_or_none()
    return None if row is None else _decision(row)


def decisions_of(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, *, limit: int = 100
) -> list[Decision]:
    """The gate's decisions about a work order, the latest first, BLOCKED ones too."""
    values = {"tenant": tenant_id, "work_order": work_order_id, "limit": limit}
    return [_decision(row) for row in connection.execute(_OF_WORK_ORDER, values).mappings()]


def deliverables_of(
    connection: Connection, tenant_id: UUID, work_order_id: UUID
) -> list[Deliverable]:
    """The versions of a work order's report that were let out, the newest first."""
    values = {"tenant": tenant_id, "work_order": work_order_id}
    return [_deliverable(row) for row in connection.execute(_RELEASED, values).mappings()]


def deliverable_of_pack(
    connection: Connection, tenant_id: UUID, pack_id: UUID
) -> Deliverable | None:
    """A version as it was let out; None if it was not."""
    values = {"tenant": tenant_id, "pack": pack_id}
    row = connection.execute(_OF_PACK, values).mappings().one_or_none()
    return None if row is None else _deliverable(row)


def deliverable_by_id(
    connection: Connection, tenant_id: UUID, release_id: UUID
) -> Deliverable | None:
    """What was let out by a release; None if there is none such, or it was blocked."""
    values = {"tenant": tenant_id, "release": release_id}
    row = connection.execute(_BY_ID, values).mappings().one_or_none()
    return None if row is None else _deliverable(row)


def charge_of(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> Charge | None:
    """What settled a work order's charge; one that stands, if there is one, covers every version."""
    values = {"tenant": tenant_id, "work_order": work_order_id}
    row = connection.execute(_CHARGE, values).one_or_none()
    if row is not None and not row.stands:
        row = connection.execute(_CHARGED_ANEW, values).one()
    return None if row is None else Charge(*row)


def insert_decision(connection: Connection, decision: Decision) -> bool:
    """Write a decision, as zen_billing; False if its key was used for another one meanwhile."""
    return bool(connection.execute(_INSERT, dataclasses.asdict(decision)).rowcount)


def insert_charge(connection: Connection, decision: Decision, settled_by: Settled) -> None:
    """Write that a work order is paid for, as zen_billing, if it is not written yet."""
    connection.execute(
        text(
            "insert into work_order_charges (tenant_id, work_order_id, settled_by, hold_id,"
            " invoice_id, release_id, settled_at) values (:tenant, :work_order, :settled_by, :hold,"
            " :invoice, :release, :at) on conflict (tenant_id, work_order_id) do nothing"
        ),
        {
            "tenant": decision.tenant_id,
            "work_order": decision.work_order_id,
            "settled_by": settled_by,
            "hold": decision.hold_id if settled_by == "CREDIT_CONSUMED" else None,
            "invoice": decision.invoice_id if settled_by == "PAID" else None,
            "release": decision.release_id,
            "at": decision.created_at,
        },
    )


def insert_withdrawal(
    connection: Connection, tenant_id: UUID, release_id: UUID, withdrawal: Withdrawal
) -> bool:
    """Write that a release is withdrawn, as zen_billing; False if it was already."""
    written = connection.execute(
        text(
            "insert into release_withdrawals (tenant_id, release_id, reason, withdrawn_by,"
            " withdrawn_at) values (:tenant, :release, :reason, :withdrawn_by, :withdrawn_at)"
            " on conflict (tenant_id, release_id) do nothing"
        ),
        {"tenant": tenant_id, "release": release_id, **dataclasses.asdict(withdrawal)},
    ).rowcount
    return bool(written)


def unexplained_releases(connection: Connection, tenant_id: UUID | None = None) -> list[UUID]:
    """Releases that nothing explains: no settled charge, no consumed hold, no override with a reason.

    There must be none, ever.

    Args:
        connection: in a role that sees them.
        tenant_id: of which firm; None for all that the role sees.
    """
    return list(connection.scalars(_UNEXPLAINED, {"tenant": tenant_id}))


def _decision(row: RowMapping) -> Decision:
    return Decision(**{name: row[name] for name in _FIELDS})


def _deliverable(row: RowMapping) -> Deliverable:
    values: dict[str, Any] = {
        name: row[name]
        for name in (
            "pack_status",
            "replaces_version",
            "replaces_reason",
            "end_reason",
            "replaced_by",
        )
    }
    withdrawal = None
    if row["withdrawn_at"] is not None:
        withdrawal = Withdrawal(row["withdrawn_because"], row["withdrawn_by"], row["withdrawn_at"])
    return Deliverable(decision=_decision(row), withdrawal=withdrawal, **values)
