"""A case folder put into the service's database, as its own entry would put it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from contracts.canonical_json import canonical_json, to_plain
from contracts.contract import Contract
from factory.case_files import CaseFile
from service.actor import Actor
from service.clock import now
from service.database.connections import transaction
from service.identifiers import new_id
from service.objects.storage import put_new
from service.workorders.changing import change_contract
from service.workorders.creating import create
from service.workorders.evaluating import recheck
from service.workorders.shapes import NewWorkOrder

EVERYTHING = frozenset(
    {
        "repogen.read", "repogen.write", "repogen.status", "repogen.reopen", "repogen.factory",
        "deliverables.download", "evidence.read", "evidence.write", "evidence.sensitive",
    }
)  # fmt: skip


def actor_of(user: Any, capabilities: frozenset[str] = EVERYTHING) -> Actor:
    """A person at the desk, as the request life would make them."""
    return Actor(user.tenant_id, user.user_id, "web", capabilities, "Specimen", str(new_id()))


def acting(service: Any, actor: Actor) -> Any:
    """A transaction in the actor's role."""
    return transaction(
        service.engine, role="zen_web", tenant_id=actor.tenant_id, user_id=actor.user_id
    )


def enter_case(service: Any, actor: Actor, read: CaseFile, reference: str | None = None) -> UUID:
    """A work order with the contract, evidence, links and firm of a case."""
    case = read.case
    assert case is not None
    entered = to_plain(case.contract)
    with acting(service, actor) as connection:
        if case.firm is not None:
            enter_firm(service, connection, actor, read)
        order = create(
            connection,
            actor,
            NewWorkOrder(
                reference=reference or case.case,
                report_type=case.contract.meta.report_type,
                title=case.title,
                source=case.source,
                as_of=case.as_of,
                ruleset=case.ruleset,
                profile=case.profile,
                parameters=case.parameters,
            ),
        )
        for piece in case.evidence:
            enter_piece(service, connection, actor, order.work_order_id, read, piece)
        for link in case.links:
            link_field(connection, actor, order.work_order_id, link)
        change_contract(connection, actor, order.work_order_id, entered)
    return order.work_order_id


def enter_firm(service: Any, connection: Connection, actor: Actor, read: CaseFile) -> None:
    """The letterhead of a case as the firm's own, its logo as a document."""
    case = read.case
    assert case is not None
    logo = None
    if "" in read.files:
        logo = enter_document(service, connection, actor, None, read.files[""])
    firm = case.firm.model_copy(update={"logo": None})
    connection.execute(
        text(
            "update firm_settings set firm = :firm, logo_document_id = :logo"
            " where tenant_id = :tenant"
        ),
        {"firm": canonical_json(firm).decode(), "logo": logo, "tenant": actor.tenant_id},
    )


def enter_document(
    service: Any,
    connection: Connection,
    actor: Actor,
    work_order_id: UUID | None,
    file: Any,
    **said: Any,
) -> UUID:
    """An uploaded document with its bytes."""
    document = new_id()
    key = f"{actor.tenant_id}/documents/{document}"
    put_new(service.objects, key, Path(file.path))
    connection.execute(
        text(
            "insert into documents (tenant_id, document_id, work_order_id, status, filename,"
            " object_key, media_type, size, sha256, facts, classification, sensitivity, source,"
            " captured_at, taken_on_site, created_at, uploaded_at) values (:tenant, :document, :id,"
            " 'uploaded', :filename, :key, :media_type, :size, :sha256, :facts, :classification,"
            " :sensitivity, :source, :captured_at, :taken_on_site, :now, :now)"
        ),
        {
            "tenant": actor.tenant_id,
            "document": document,
            "id": work_order_id,
            "filename": Path(file.path).name,
            "key": key,
            "media_type": file.facts.media_type,
            "size": file.facts.size,
            "sha256": file.facts.sha256,
            "facts": canonical_json(file.facts).decode(),
            "classification": said.get("classification"),
            "sensitivity": said.get("sensitivity") or "internal",
            "source": said.get("source"),
            "captured_at": said.get("captured_at"),
            "taken_on_site": said.get("taken_on_site"),
            "now": now(),
        },
    )
    return document


def enter_piece(
    service: Any, connection: Connection, actor: Actor, work_order_id: UUID, read: Any, piece: Any
) -> UUID:
    """A piece of evidence, with its document if the case has its file."""
    document = None
    if piece.key in read.files:
        document = enter_document(
            service, connection, actor, work_order_id, read.files[piece.key],
            **{
                name: getattr(piece, name)
                for name in (
                    "classification", "sensitivity", "source", "captured_at", "taken_on_site",
                )
            },
        )  # fmt: skip
    item = new_id()
    connection.execute(
        text(
            "insert into evidence_items (tenant_id, evidence_item_id, work_order_id, key,"
            " document_id, evidence_type, doc_type, tags, label, annexure_order, located_at,"
            " created_at, removed_at, removal_reason) values (:tenant, :item, :id, :key, :document,"
            " :type, :doc_type, cast(:tags as jsonb), :label, :annexure_order, :located_at, :now,"
            " :removed, :reason)"
        ),
        {
            "tenant": actor.tenant_id,
            "item": item,
            "id": work_order_id,
            "key": piece.key,
            "document": document,
            "type": piece.type,
            "doc_type": piece.doc_type,
            "tags": json.dumps(piece.tags),
            "label": piece.label,
            "annexure_order": piece.annexure_order,
            "located_at": piece.located_at and canonical_json(piece.located_at).decode(),
            "now": now(),
            "removed": now() if piece.status == "deleted" else None,
            "reason": "deleted" if piece.status == "deleted" else None,
        },
    )
    return item


def link_field(connection: Connection, actor: Actor, work_order_id: UUID, link: Any) -> None:
    """A field of the contract shown by a piece of evidence."""
    connection.execute(
        text(
            "insert into field_evidence_links (tenant_id, field_evidence_link_id, work_order_id,"
            " field_key, evidence_item_id, confidence, note, created_at)"
            " select tenant_id, :link, work_order_id, :field, evidence_item_id, :confidence, :note,"
            " :now from evidence_items"
            " where tenant_id = :tenant and work_order_id = :id and key = :key"
        ),
        {
            "tenant": actor.tenant_id,
            "link": new_id(),
            "id": work_order_id,
            "field": link.field,
            "key": link.evidence,
            "confidence": link.confidence,
            "note": link.note,
            "now": now(),
        },
    )


def remove_piece(service: Any, actor: Actor, work_order_id: UUID, key: str) -> None:
    """What the removal of a piece of evidence leaves in the database."""
    with acting(service, actor) as connection:
        connection.execute(
            text(
                "update evidence_items set removed_at = :now, removal_reason = 'a test'"
                " where tenant_id = :tenant and work_order_id = :id and key = :key"
            ),
            {"now": now(), "tenant": actor.tenant_id, "id": work_order_id, "key": key},
        )
        recheck(connection, actor, work_order_id)


def bare_contract() -> Contract:
    """A contract that says nothing but what it is for."""
    return Contract.model_validate({"meta": {"report_type": "VALUATION"}})
