"""Which evidence shows which fact of the contract; links belong to the work order, not a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.problems import nearest
from service.audit.events import record
from service.clock import now
from service.errors import FieldError, ServiceError, conflict, invalid_fields, not_found
from service.evidence import records
from service.evidence.limits import limits
from service.evidence.linked_work import locked_for_change
from service.evidence.shapes import FieldDefinitionAnswer, FieldLinkAnswer, FieldLinks
from service.identifiers import new_id
from service.workorders import evaluating
from service.workorders.records import snapshot_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from contracts.field_definitions import FieldDefinition
    from contracts.profile import RequiredField
    from engine.catalogue import Catalogue
    from service.actor import Actor
    from service.evidence.shapes import FieldLinkChange, FieldLinkChanges
    from service.workorders.records import WorkOrder


def listed(connection: Connection, order: WorkOrder) -> FieldLinks:
    """The links of a work order, and the facts that may be linked."""
    return FieldLinks(
        work_order_id=order.work_order_id,
        version=order.version,
        latest_snapshot_id=_latest(order),
        latest_snapshot_version=order.snapshot_version or None,
        field_defs=field_definitions(),
        links=links_of(connection, order),
    )


def links_of(connection: Connection, order: WorkOrder) -> tuple[FieldLinkAnswer, ...]:
    """The links of a work order; each holds for its latest snapshot, as for every later one."""
    return tuple(
        FieldLinkAnswer(
            id=row.field_evidence_link_id,
            snapshot_id=_latest(order),
            field_key=row.field_key,
            evidence_item_id=row.evidence_item_id,
            evidence_key=row.evidence_key,
            confidence=row.confidence,
            note=row.note,
            created_by_user_id=row.created_by,
            created_at=row.created_at,
        )
        for row in records.field_links(connection, order.tenant_id, order.work_order_id)
    )


def _latest(order: WorkOrder) -> UUID | None:
    return (
        snapshot_id(order.work_order_id, order.snapshot_version) if order.snapshot_version else None
    )


def field_definitions() -> tuple[FieldDefinitionAnswer, ...]:
    """The facts that evidence can show, those that are usually required first."""
    return tuple(
        FieldDefinitionAnswer(
            field_key=one.key,
            label=one.label,
            data_type=one.data_type,
            unit=one.unit,
            required_by_default=one.required_by_default,
            any_of=one.any_of or (one.key,),
        )
        for one in sorted(
            _catalogue().field_definitions, key=lambda one: (not one.required_by_default, one.key)
        )
    )


def known_fields() -> frozenset[str]:
    """The keys that a link may name: those of definitions and profiles, and the paths behind them."""
    catalogue = _catalogue()
    sources: list[FieldDefinition | RequiredField] = [*catalogue.field_definitions]
    for profile in catalogue.profiles:
        sources += profile.fields
    return frozenset(key for one in sources for key in (one.key, *(one.any_of or ())))


def change(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    body: FieldLinkChanges,
    wanted_version: int | None,
) -> WorkOrder:
    """Set links and take links away.

    A link that is named by its field and its evidence is added, or changed if it is there; one
    that is named by its id must be there. Taking away what is not there is no fault.

    Returns:
        The work order as it is then.

    Raises:
        ServiceError: 404 for an unknown link or piece of evidence, 409, 412, or 422 for a field
            that no definition names; 409 SNAPSHOT_NOT_LATEST if a link names an older one.
    """
    order = locked_for_change(connection, actor, work_order_id, wanted_version)
    latest = _latest(order)
    for number, one in enumerate(body.links):
        if one.snapshot_id is not None and one.snapshot_id != latest:
            raise conflict(
                "SNAPSHOT_NOT_LATEST",
                "The snapshot is not the latest one",
                f"links.{number} names another. Links hold for the work order as it is: read what "
                "is there now, and name latest_snapshot_id or no snapshot.",
                latest_snapshot_id=None if latest is None else str(latest),
            )
    items = {
        row.evidence_item_id
        for row in records.evidence_items(connection, actor.tenant_id, work_order_id)
    }
    rows = records.field_links(connection, actor.tenant_id, work_order_id)
    there = {row.field_evidence_link_id: row for row in rows}
    _check_fields(body)
    for number, one in enumerate(body.links):
        old = _found(there, one)
        if one.remove:
            if old is not None:
                del there[old.field_evidence_link_id]
                _remove(connection, actor, work_order_id, old)
            continue
        if one.id is not None and old is None:
            raise not_found()
        evidence = one.evidence_item_id or (old and old.evidence_item_id)
        if evidence not in items:
            raise not_found()
        twin = _linked(there, one.field_key or (old and old.field_key), evidence)
        if twin is not None and twin is not old:
            raise conflict(
                "LINK_EXISTS",
                "The fact is linked to this evidence already",
                f"links.{number} would be there twice. Take one of the two away.",
            )
        written = _write(connection, actor, work_order_id, number, one, old)
        there[written.field_evidence_link_id] = written
    if len(there) > limits().field_links_per_work_order:
        raise conflict(
            "TOO_MANY_LINKS",
            "There is no room for another link",
            f"A work order may have {limits().field_links_per_work_order} links.",
        )
    return evaluating.recheck(connection, actor, work_order_id)


def _found(there: Mapping[UUID, Row[Any]], one: FieldLinkChange) -> Row[Any] | None:
    if one.id is not None:
        return there.get(one.id)
    return _linked(there, one.field_key, one.evidence_item_id)


def _linked(
    there: Mapping[UUID, Row[Any]], field_key: str | None, evidence_item_id: UUID | None
) -> Row[Any] | None:
    for row in there.values():
        if (row.field_key, row.evidence_item_id) == (field_key, evidence_item_id):
            return row
    return None


def _write(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    number: int,
    one: FieldLinkChange,
    old: Row[Any] | None,
) -> Row[Any]:
    names = ("field_key", "evidence_item_id", "confidence", "note")
    before = None if old is None else {name: getattr(old, name) for name in names}
    said = {name: getattr(one, name) for name in names if name in one.model_fields_set}
    for name in names[:2]:
        if said.get(name, ...) is None:
            raise _wrong(number, name, "A link always has a field and a piece of evidence.")
    values = {**dict.fromkeys(names), **(before or {}), **said}
    if old is not None and before == values:
        return old
    link_id = new_id() if old is None else old.field_evidence_link_id
    written = records.write_link(
        connection,
        actor.tenant_id,
        {
            **values,
            "link_id": link_id,
            "work_order_id": work_order_id,
            "created_by": actor.user_id,
            "now": now(),
        },
        is_new=old is None,
    )
    record(
        connection,
        actor,
        "evidence:fieldlink:added" if old is None else "evidence:fieldlink:changed",
        subject=("field_link", link_id),
        work_order_id=work_order_id,
        before=before,
        after=values,
    )
    return written


def _remove(connection: Connection, actor: Actor, work_order_id: UUID, old: Row[Any]) -> None:
    records.drop_link(connection, actor.tenant_id, old.field_evidence_link_id)
    record(
        connection,
        actor,
        "evidence:fieldlink:removed",
        subject=("field_link", old.field_evidence_link_id),
        work_order_id=work_order_id,
        before={"field_key": old.field_key, "evidence_item_id": old.evidence_item_id},
    )


def _check_fields(body: FieldLinkChanges) -> None:
    """Refuse fields that nothing defines, all at once, each with the nearest that is."""
    known = known_fields()
    wrong = []
    for number, one in enumerate(body.links):
        if one.field_key is not None and one.field_key not in known and not one.remove:
            near = nearest(one.field_key, sorted(known))
            meant = f"; did you mean '{near}'?" if near else "; see field_defs"
            wrong.append(
                FieldError(
                    f"links.{number}.field_key",
                    f"no field is called '{one.field_key[:80]}'{meant}",
                    "FIELD_UNKNOWN",
                )
            )
    if wrong:
        raise invalid_fields(*wrong, detail=wrong[0].message)


def _wrong(number: int, field: str, message: str) -> ServiceError:
    return invalid_fields(FieldError(f"links.{number}.{field}", message), detail=message)


def _catalogue() -> Catalogue:
    catalogue = evaluating.library().catalogue
    assert catalogue is not None, "the service does not start with a faulty catalogue"
    return catalogue
