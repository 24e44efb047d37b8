"""A new work order: its contract begins with what the registers know."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from contracts.contract import Contract
from contracts.document import Document
from contracts.patch import apply_patch
from factory.case_files import CaseFile
from factory.catalogue import check_wanted
from service.audit.events import record
from service.clock import now
from service.errors import FieldError, ServiceError, conflict
from service.identifiers import new_id
from service.registers.reusing import contract_parts_of
from service.workorders.evaluating import (
    case_from,
    evaluate_case,
    findings_of,
    library,
    search_text,
    text_of,
)
from service.workorders.records import WorkOrder

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.case import Case
    from service.actor import Actor
    from service.workorders.shapes import NewWorkOrder

_INSERT = text(
    "insert into work_orders (tenant_id, work_order_id, reference, title, source, as_of,"
    " report_type, bank_type, bank_name, value_slab, template_selector, source_type, source_ref_id,"
    " assignment_id, bank_branch_id, property_id, valuer_id, ruleset, profile, parameters, contract,"
    " is_ready, completeness_score, missing, fair_market_value, search, requested_by, created_by,"
    " created_at, updated_at) values (:tenant_id, :work_order_id, :reference, :title, :source,"
    " :as_of, :report_type, :bank_type, :bank_name, :value_slab, :template_selector, :source_type,"
    " :source_ref_id, :assignment_id, :bank_branch_id, :property_id, :valuer_id, :ruleset, :profile,"
    " :parameters, :contract, :is_ready, :completeness_score, :missing, :fair_market_value, :search,"
    " :requested_by, :created_by, :created_at, :updated_at) on conflict do nothing"
)


def create(connection: Connection, actor: Actor, body: NewWorkOrder) -> WorkOrder:
    """Create a work order in the state DRAFT.

    Args:
        connection: of a transaction in the actor's role.
        actor: a person of the portal asks for work; everybody else enters it.
        body: what is known of it so far.

    Raises:
        ServiceError: 409, the reference is taken; 422, a register, rule set or profile has no such
            entry, or what a register holds does not fit into a contract.
    """
    at, work_order_id = now(), new_id()
    from_portal = actor.audience == "portal"
    contract = _first_contract(connection, actor, body)
    order = WorkOrder(
        tenant_id=actor.tenant_id,
        work_order_id=work_order_id,
        reference=body.reference or _reference(work_order_id, f"{at:%Y%m%d}"),
        title=body.title,
        report_type=body.report_type,
        bank_type=body.bank_type or "OTHER",
        bank_name=body.bank_name,
        value_slab="UNKNOWN",
        template_selector="UNKNOWN",
        source_type="CHANNEL" if from_portal else body.source_type,
        source_ref_id=body.source_ref_id,
        assignment_id=body.assignment_id,
        status="DRAFT",
        version=1,
        snapshot_version=0,
        pack_version=0,
        current_pack_id=None,
        is_ready=False,
        completeness_score=0,
        missing=(),
        fair_market_value=None,
        requested_by=actor.user_id if from_portal else None,
        created_by=actor.user_id,
        created_at=at,
        updated_at=at,
        source=body.source,
        as_of=body.as_of,
        bank_branch_id=body.bank_branch_id,
        property_id=body.property_id,
        valuer_id=body.valuer_id,
        ruleset=body.ruleset,
        profile=body.profile,
        parameters=canonical_json(body.parameters).decode(),
        contract=text_of(contract),
    )
    case = case_from(order)
    check_chosen(case)
    order = replace(order, **findings_of(evaluate_case(case)))
    values = {name: getattr(order, name) for name in WorkOrder.__dataclass_fields__}
    values |= {"missing": list(order.missing), "search": search_text(order)}
    if not connection.execute(_INSERT, values).rowcount:
        raise conflict(
            "REFERENCE_TAKEN",
            "There is a work order with this reference",
            f"Choose another than '{order.reference}', or leave it out.",
        )
    record(
        connection,
        actor,
        "workorder:entry:created",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        after={"reference": order.reference, "report_type": order.report_type},
    )
    return order


def check_chosen(case: Case, field: str = "ruleset") -> None:
    """Refuse a rule set or profile that there is none of.

    Args:
        case: with the wishes.
        field: what the caller calls the wish for a rule set.

    Raises:
        ServiceError: 422, naming the field and what was probably meant.
    """
    catalogue = library().catalogue
    assert catalogue is not None
    wishes = {"ruleset": case.ruleset, "profile": case.profile}
    read = CaseFile(case, (), {}, Document.of_values(wishes))
    problems = check_wanted(catalogue, read)
    if problems:
        raise ServiceError(
            422,
            "CHOICE_UNKNOWN",
            "There is no such rule set or profile",
            problems[0].what,
            fields=tuple(
                FieldError(
                    field if problem.code == "E229" else "profile",
                    f"{problem.what}. {problem.fix}",
                    problem.code,
                )
                for problem in problems
            ),
        )


def _reference(work_order_id: UUID, day: str) -> str:
    """A name that people can read out: the day, and five bytes of chance."""
    return f"WO-{day}-{base64.b32encode(work_order_id.bytes[-5:]).decode()}"


def _first_contract(connection: Connection, actor: Actor, body: NewWorkOrder) -> Contract:
    """The facts that are known already; what the body says goes before what a register says."""
    patch = contract_parts_of(
        connection,
        actor,
        branch_id=body.bank_branch_id,
        property_id=body.property_id,
        valuer_id=body.valuer_id,
    )
    given: dict[str, dict[str, str | None]] = {
        "meta": {"report_type": body.report_type, "bank_type": body.bank_type},
        "party": {"bank_name": body.bank_name, "borrower_name": body.borrower_name},
    }
    for part, facts in given.items():
        known = {name: fact for name, fact in facts.items() if fact is not None}
        patch[part] = patch.get(part, {}) | known
    bare = Contract.model_validate({"meta": {"report_type": body.report_type}})
    contract, problems = apply_patch(bare, patch)
    if contract is None:
        raise ServiceError(
            422,
            "CONTRACT_INVALID",
            "What a register holds does not fit into a contract",
            problems[0].what,
            fields=tuple(FieldError(one.field, one.what, one.code) for one in problems),
        )
    return contract
