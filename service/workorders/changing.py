"""Changes of what a work order says: its contract, and its own settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from contracts.canonical_json import canonical_json
from contracts.patch import apply_patch
from service.audit.events import record
from service.billing.hooks import check_report_type
from service.errors import FieldError, ServiceError
from service.identifiers import new_id
from service.registers.reusing import check_valuer
from service.workorders.contract_changes import Change, changes_between, demand_reason
from service.workorders.creating import check_chosen
from service.workorders.evaluating import (
    case_from,
    check_editable,
    check_version,
    contract_of,
    evaluate_now,
    findings_of,
    lock,
    save,
    take_snapshot,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from contracts.evaluation import Evaluation
    from contracts.problems import Problem
    from service.actor import Actor
    from service.workorders.records import Snapshot, WorkOrder
    from service.workorders.shapes import WorkOrderSettings


@dataclass(frozen=True, slots=True)
class ChangedContract:
    """What came of a patch; `warnings` are what the patch may not have meant."""

    order: WorkOrder
    snapshot: Snapshot
    rules_run_id: UUID
    evaluation: Evaluation
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def change_contract(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    patch: Mapping[str, Any],
    *,
    ruleset: str | None = None,
    reason: str | None = None,
    wanted: int | None = None,
) -> ChangedContract:
    """Change a work order's contract, evaluate it, and write both down.

    Args:
        connection: of a transaction in the actor's role.
        actor: who changes it.
        work_order_id: whose contract.
        patch: what is different, as contracts.patch reads it.
        ruleset: `id` or `id@version` to evaluate with from now on; as before if it is left out.
        reason: why; demanded where a value, rate, area or coordinate is altered or taken out.
        wanted: the version that the change was made on, if the caller minds.

    Raises:
        ServiceError: 404; 412, another version; 409, its state allows no change; 422, the patch
            does not fit, with every problem by its field, or a reason is missing.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    check_version(order, wanted)
    check_editable(order)
    old = contract_of(order.contract)
    new, problems = apply_patch(old, patch)
    if new is None:
        raise _does_not_fit(problems)
    # Results are computed, and who wrote what is the service's to say.
    new = new.model_copy(update={"computed_values": None, "audit": None})
    changes = changes_between(old, new)
    if not reason:
        demand_reason(change.path for change in changes if change.needs_reason)
    changed = replace(order, contract=text_of(new), ruleset=ruleset or order.ruleset)
    if changed.ruleset != order.ruleset:
        check_chosen(case_from(changed), "ruleset_version")
    if new.meta.report_type != order.report_type:
        check_report_type(connection, order, new.meta.report_type)
    evaluated = evaluate_now(connection, changed, trace=True)
    run = new_id()
    saved, snapshot = take_snapshot(connection, actor, changed, evaluated, run)
    record(
        connection,
        actor,
        "workorder:contract:changed",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        reason=reason,
        before={change.path: change.before for change in changes if change.before is not None},
        after={
            **{change.path: change.after for change in changes if change.after is not None},
            "snapshot_version": str(snapshot.version),
        },
    )
    warnings = tuple(f"{problem.what}. {problem.fix}".strip() for problem in problems)
    return ChangedContract(saved, snapshot, run, evaluated.evaluation, changes, warnings)


def change_settings(
    connection: Connection,
    actor: Actor,
    work_order_id: UUID,
    body: WorkOrderSettings,
    *,
    wanted: int | None = None,
) -> WorkOrder:
    """Change what a work order says beside its contract.

    Args:
        connection: of a transaction in the actor's role.
        actor: who changes it.
        work_order_id: which one.
        body: only the fields that were sent are changed.
        wanted: the version that the change was made on, if the caller minds.

    Raises:
        ServiceError: as for `change_contract`; a parameter that was stated is altered with a
            reason only.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    check_version(order, wanted)
    check_editable(order)
    sent = {name: getattr(body, name) for name in body.model_fields_set - {"reason"}}
    if "parameters" in sent:
        sent["parameters"] = canonical_json(sent["parameters"]).decode()
    differing = {name: value for name, value in sent.items() if getattr(order, name) != value}
    if not differing:
        return order
    if "parameters" in differing and order.parameters != "{}" and not body.reason:
        demand_reason(["parameters"])
    if differing.get("valuer_id") is not None:
        check_valuer(connection, actor, differing["valuer_id"])
    changed = replace(order, **differing)
    if "ruleset" in differing:
        check_chosen(case_from(changed))
    evaluated = evaluate_now(connection, changed)
    saved = save(connection, replace(changed, **findings_of(evaluated.evaluation)))
    record(
        connection,
        actor,
        "workorder:settings:changed",
        subject=("work_order", work_order_id),
        work_order_id=work_order_id,
        reason=body.reason,
        before={name: getattr(order, name) for name in differing},
        after=differing,
    )
    return saved


def _does_not_fit(problems: Iterable[Problem]) -> ServiceError:
    """Every problem of a patch, by its field."""
    fields = tuple(
        FieldError(
            problem.field or "patch",
            " ".join(part for part in (f"{problem.what}.", problem.why, problem.fix) if part),
            problem.code,
        )
        for problem in problems
        if problem.severity == "error"
    )
    return ServiceError(
        422,
        "CONTRACT_INVALID",
        "The contract cannot hold this",
        f"{len(fields)} of the fields must be mended; see errors.",
        fields=fields,
    )
