"""What is told of a work order's packs: their state, how far their jobs are, who has signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.packs import records
from service.packs.shapes import (
    ArtifactAnswer,
    GenerationAnswer,
    OperationAnswer,
    PackAnswer,
    PacksAnswer,
    PackStateAnswer,
    SignatureAnswer,
    SignOffAnswer,
)
from service.packs.sign_off import sign_off_state
from service.release.records import decisions_of
from service.release.telling import gate_status, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.packs.records import Artifact, Operation, Pack
    from service.workorders.records import WorkOrder

_MOST_RELEASES = 20


def pack_state(connection: Connection, actor: Actor, order: WorkOrder) -> PackStateAnswer:
    """A work order's current pack with its jobs, artifacts, signatures and what the gate says."""
    decided = decisions_of(connection, order.tenant_id, order.work_order_id, limit=_MOST_RELEASES)
    pack = records.current_pack(connection, order.tenant_id, order.work_order_id)
    described = None if pack is None else describe(connection, [pack])[0]
    return PackStateAnswer(
        work_order_id=order.work_order_id,
        work_order_status=order.status,
        readiness_score=order.completeness_score,
        value_slab=order.value_slab,
        template_selector=order.template_selector,
        pack=described,
        generation_job=None if pack is None else _generation(connection, pack),
        artifacts=[] if described is None else described.artifacts,
        sign_off=None if pack is None else _sign_off(connection, pack),
        deliverable_releases=[line_of(one) for one in decided],
        billing_gate_status=gate_status(connection, actor, order),
    )


def list_packs(
    connection: Connection, order: WorkOrder, *, below: int | None, limit: int
) -> PacksAnswer:
    """A work order's packs, the newest first, from below a version if one is named."""
    found = records.packs_of(
        connection, order.tenant_id, order.work_order_id, below=below, limit=limit + 1
    )
    shown, more = found[:limit], found[limit:]
    return PacksAnswer(
        items=describe(connection, shown),
        next_cursor=str(shown[-1].version) if more else None,
    )


def describe(connection: Connection, packs: list[Pack]) -> list[PackAnswer]:
    """Packs of one firm with their artifacts."""
    made: dict[Any, list[Artifact]] = {pack.pack_id: [] for pack in packs}
    if packs:
        for one in records.artifacts_of(connection, packs[0].tenant_id, list(made)):
            made[one.pack_id].append(one)
    return [
        PackAnswer(
            **_values(pack, PackAnswer, leave={"report_family", "artifacts"}),
            report_family=pack.family,
            artifacts=[_artifact(pack, one) for one in made[pack.pack_id]],
        )
        for pack in packs
    ]


def _artifact(pack: Pack, artifact: Artifact) -> ArtifactAnswer:
    return ArtifactAnswer(
        **_values(artifact, ArtifactAnswer, leave={"href"}),
        href=f"/v1/repogen/work-orders/{pack.work_order_id}/packs/{pack.version}"
        f"/artifacts/{artifact.kind}",
    )


def _generation(connection: Connection, pack: Pack) -> GenerationAnswer | None:
    """The job that holds a pack up, else the last one."""
    operations = records.operations_of(connection, pack.tenant_id, [pack.pack_id])
    if not operations:
        return None
    deciding = next((one for one in operations if one.status != "done"), operations[-1])
    return GenerationAnswer(
        **_values(deciding, OperationAnswer),
        operations=[OperationAnswer(**_values(one, OperationAnswer)) for one in operations],
    )


def _sign_off(connection: Connection, pack: Pack) -> SignOffAnswer:
    state = sign_off_state(connection, pack)
    return SignOffAnswer(
        needed=state.needed,
        signed=[SignatureAnswer(**_values(one, SignatureAnswer)) for one in state.signed],
        is_complete=state.is_complete,
    )


def _values(
    record: Pack | Artifact | Operation | Any, answer: type[Any], leave: Iterable[str] = ()
) -> dict[str, Any]:
    """What a record has of an answer's fields, which are called the same."""
    called = _CALLED.get(answer, {})
    return {
        name: getattr(record, called.get(name, name))
        for name in answer.model_fields
        if name not in set(leave)
    }


#: What the original's names for fields of answers are here.
_CALLED: dict[type[Any], dict[str, str]] = {
    PackAnswer: {"id": "pack_id"},
    ArtifactAnswer: {
        "id": "artifact_id", "mime_type": "media_type", "size_bytes": "size",
        "checksum_sha256": "sha256",
    },
    OperationAnswer: {"id": "operation_id", "error_message": "reason"},
}  # fmt: skip
