"""What the profile asks for, how much of it is there, and which profile it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from contracts.problems import nearest
from engine.profile_selection import selectors_worth
from engine.readiness import described, pieces_counted
from service.audit.events import record
from service.errors import invalid
from service.evidence import records
from service.evidence.field_links import field_definitions
from service.evidence.linked_work import locked_for_change
from service.evidence.shapes import ChecklistItem, EvidenceProfiles, ProfileAnswer
from service.workorders import evaluating

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.evaluation import Suggestion
    from contracts.profile import Profile, Requirement
    from engine.catalogue import Catalogue
    from service.actor import Actor
    from service.workorders.records import WorkOrder


def profiles_of(connection: Connection, order: WorkOrder) -> EvidenceProfiles:
    """The profile that holds for a work order, its checklist, and the profiles it might have."""
    evaluated = evaluating.evaluate_now(connection, order)
    evaluation, live = evaluated.evaluation, evaluated.live
    held = evaluation.profile
    answering = _answering(order)
    profile = next(
        one
        for one in _catalogue().profiles
        if (one.profile, one.version) == (held.id, held.version)
    )
    readiness = evaluation.readiness
    counted = pieces_counted(
        evaluation.contract, live.case.evidence, _catalogue().compiled_profile(profile)
    )
    pieces = {
        need: tuple(kept.item for key in keys if (kept := live.files[key]).item is not None)
        for need, keys in counted.items()
    }
    checklist = tuple(
        _checked(need, pieces.get(need.key))
        for need in sorted(profile.requirements, key=lambda need: (need.order, need.key))
    )
    return EvidenceProfiles(
        work_order_id=order.work_order_id,
        version=order.version,
        selected_profile_id=held.id,
        selected_why=held.why,
        is_chosen_by_name=order.profile is not None,
        selected_profile=_described(profile),
        profiles=tuple(_described(one) for one in answering),
        checklist=checklist,
        suggested_evidence_for_missing_fields=tuple(
            _suggested(one, checklist) for one in readiness.suggestions
        ),
        field_defs=field_definitions(),
        readiness=dataclasses.asdict(readiness),
    )


def choose(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    profile_id: str | None,
    wanted_version: int | None,
) -> WorkOrder:
    """Have a work order keep to a profile, or, with None, to the one that its own traits choose.

    Raises:
        ServiceError: 400 if no profile of this name answers for reports of its type; 404, 409, 412.
    """
    order = locked_for_change(connection, actor, work_order_id, wanted_version)
    if profile_id is not None:
        names = {
            name
            for one in _answering(order)
            for name in (one.profile, f"{one.profile}@{one.version}")
        }
        if profile_id not in names:
            near = nearest(profile_id, sorted(names))
            raise invalid(
                "INVALID_EVIDENCE_PROFILE_FOR_WORK_ORDER",
                "The profile does not answer for this report",
                f"There is no profile '{profile_id[:80]}' for {order.report_type}."
                + (f" Did you mean '{near}'?" if near else ""),
            )
    if profile_id == order.profile:
        return order
    records.set_profile(connection, actor.tenant_id, work_order_id, profile_id)
    record(
        connection,
        actor,
        "workorder:profile:chosen",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        before={"profile": order.profile},
        after={"profile": profile_id},
    )
    return evaluating.recheck(connection, actor, work_order_id)


def _catalogue() -> Catalogue:
    catalogue = evaluating.library().catalogue
    assert catalogue is not None, "the service does not start with a faulty catalogue"
    return catalogue


def _answering(order: WorkOrder) -> tuple[Profile, ...]:
    """The profiles that answer for reports of a type, whatever the bank and the value."""
    traits = {"report_type": order.report_type}
    found = [
        one
        for one in _catalogue().profiles
        if not one.abstract and selectors_worth(one, traits) is not None
    ]
    return tuple(sorted(found, key=lambda one: (one.profile, -one.version)))


def _described(profile: Profile) -> ProfileAnswer:
    return ProfileAnswer(
        id=profile.profile,
        version=profile.version,
        name=profile.title,
        items_count=len(profile.requirements),
    )


def _checked(need: Requirement, pieces: tuple[UUID, ...] | None) -> ChecklistItem:
    """A requirement and the pieces that count for it; None if it does not apply."""
    types = (need.type,) if isinstance(need.type, str) else need.type
    doc_types = (need.doc_type,) if isinstance(need.doc_type, str) else need.doc_type or ()
    there = pieces or ()
    missing = 0 if pieces is None else max(0, need.min - len(there))
    return ChecklistItem(
        id=need.key,
        label=need.label,
        description=described(need),
        evidence_type=types[0],
        evidence_types=types,
        doc_type=doc_types[0] if doc_types else None,
        doc_types=doc_types,
        tags_json=need.tags,
        is_required=need.required,
        applies=pieces is not None,
        min_count=need.min,
        current_count=len(there),
        missing_count=missing,
        satisfied=missing == 0,
        matching_evidence_item_ids=there,
        order_hint=need.order,
        field_key_hint=need.fields[0] if need.fields else None,
        field_key_hints=need.fields,
    )


def _suggested(one: Suggestion, checklist: Sequence[ChecklistItem]) -> dict[str, Any]:
    """What would fill a gap, with the requirement that it is about as the original names it."""
    return {
        **dataclasses.asdict(one),
        "field_key": one.field,
        "suggested_items": [
            {
                "profile_item_id": item.id,
                "label": item.label,
                "current_count": item.current_count,
                "min_count": item.min_count,
                "satisfied": item.satisfied,
                "is_required": item.is_required,
            }
            for item in checklist
            if item.id == one.requirement
        ],
    }
