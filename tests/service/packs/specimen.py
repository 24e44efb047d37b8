"""Enters a case of fixtures/cases as a work order, the way the pages and the interface do it."""

from __future__ import annotations

import atexit
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from contracts.case import Case
from factory.case_files import CaseFile, read_case_file
from service.actor import Actor
from service.bootstrap import Service
from service.clock import now
from service.database.connections import transaction
from service.identifiers import new_id
from service.objects.storage import put_new
from service.people.roles import capabilities_of
from service.workorders.creating import create
from service.workorders.evaluating import evaluate_now, take_snapshot
from service.workorders.moving import move
from service.workorders.records import find
from service.workorders.shapes import NewWorkOrder

CASES = Path(__file__).parents[3] / "fixtures" / "cases"
DRAW = Path(__file__).parents[3] / "scripts" / "draw_specimen_photographs.py"


def actor_of(user: Any) -> Actor:
    """The person, as a request makes them out of a login."""
    return Actor(
        user.tenant_id, user.user_id, "web", capabilities_of(user.roles), "Specimen", str(new_id())
    )


def as_web(service: Service, user: Any) -> Any:
    """A transaction of a web request of the person."""
    return transaction(
        service.engine, role="zen_web", tenant_id=user.tenant_id, user_id=user.user_id
    )


@cache
def case_folder(name: str = "specimen-house") -> Path:
    """A case's folder; a specimen's pictures are drawn into one that lasts as long as the process."""
    folder = CASES / name
    if name.startswith("specimen-"):
        folder = Path(tempfile.mkdtemp(prefix="zenops-specimen-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "case.yaml").write_bytes((CASES / name / "case.yaml").read_bytes())
        subprocess.run([sys.executable, str(DRAW), str(folder)], check=True, capture_output=True)
    return folder


def read_specimen(name: str = "specimen-house") -> CaseFile:
    read = read_case_file(case_folder(name))
    assert not read.problems
    return read


def enter(
    service: Service,
    user: Any,
    read: CaseFile,
    *,
    reference: str | None = None,
    sensitivity: str = "internal",
    change: Callable[[Case], Case] = lambda case: case,
) -> UUID:
    """A work order in DATA_PENDING with all that a case file holds, computed once."""
    case = change(read.case)
    actor = actor_of(user)
    with as_web(service, user) as connection:
        if case.firm is not None:
            firm = case.firm.model_copy(update={"logo": None})
            connection.execute(
                text("update firm_settings set firm = :firm where tenant_id = :tenant"),
                {"firm": canonical_json(firm).decode(), "tenant": user.tenant_id},
            )
        order = create(
            connection,
            actor,
            NewWorkOrder(
                report_type=case.contract.meta.report_type,
                reference=reference or case.case,
                title=case.title,
                source=case.source,
                as_of=case.as_of,
                parameters=case.parameters,
                ruleset=case.ruleset,
                profile=case.profile,
            ),
        )
        items = {
            piece.key: _enter_evidence(
                service,
                connection,
                user,
                order.work_order_id,
                piece,
                read.files.get(piece.key),
                sensitivity,
            )
            for piece in case.evidence
        }
        for link in case.links:
            connection.execute(
                text(
                    "insert into field_evidence_links (tenant_id, field_evidence_link_id,"
                    " work_order_id, field_key, evidence_item_id, confidence, note, created_at)"
                    " values (:tenant, :link, :order, :field, :item, :confidence, :note, :now)"
                ),
                {
                    "tenant": user.tenant_id,
                    "link": new_id(),
                    "order": order.work_order_id,
                    "field": link.field,
                    "item": items[link.evidence],
                    "confidence": link.confidence,
                    "note": link.note,
                    "now": now(),
                },
            )
        contract = canonical_json(case.contract).decode()
        changed = dataclasses.replace(order, contract=contract, status="DATA_PENDING")
        take_snapshot(connection, actor, changed, evaluate_now(connection, changed, trace=True))
    return order.work_order_id


def make_ready(service: Service, user: Any, work_order_id: UUID) -> None:
    """Move a work order to READY_FOR_RENDER, which makes its pack."""
    with as_web(service, user) as connection:
        move(connection, actor_of(user), work_order_id, "READY_FOR_RENDER")


def take_back(service: Service, user: Any, work_order_id: UUID, why: str) -> None:
    """Move a work order back to DATA_PENDING, which ends its pack."""
    with as_web(service, user) as connection:
        move(connection, actor_of(user), work_order_id, "DATA_PENDING", note=why)


def correct(service: Service, user: Any, work_order_id: UUID, **facts: Any) -> None:
    """Change facts of the property, and compute again."""
    with as_web(service, user) as connection:
        order = find(connection, user.tenant_id, work_order_id)
        contract = json.loads(order.contract)
        contract["property"] |= facts
        changed = dataclasses.replace(order, contract=json.dumps(contract))
        take_snapshot(
            connection, actor_of(user), changed, evaluate_now(connection, changed, trace=True)
        )


def force_ready(owner_engine: Any, work_order_id: UUID) -> None:
    """Call a work order ready although it is not complete, as only a superuser can."""
    with owner_engine.begin() as connection:
        connection.execute(
            text("update work_orders set status = 'READY_FOR_RENDER' where work_order_id = :id"),
            {"id": work_order_id},
        )


def _enter_evidence(
    service: Service,
    connection: Any,
    user: Any,
    work_order_id: UUID,
    piece: Any,
    file: Any,
    sensitivity: str,
) -> UUID:
    document, item = new_id(), new_id()
    key = f"{user.tenant_id}/documents/{document}"
    if file is not None:
        put_new(service.objects, key, file.path)
    connection.execute(
        text(
            "insert into documents (tenant_id, document_id, work_order_id, status, filename,"
            " object_key, media_type, size, sha256, facts, classification, sensitivity, source,"
            " captured_at, taken_on_site, created_at, uploaded_at) values (:tenant, :document,"
            " :order, :status, :filename, :key, :media_type, :size, :sha256, :facts,"
            " :classification, :sensitivity, :source, :captured_at, :taken_on_site, :now, :now)"
        ),
        {
            "tenant": user.tenant_id,
            "document": document,
            "order": work_order_id,
            "status": piece.status,
            "filename": Path(piece.file or piece.key).name,
            "key": key,
            "media_type": piece.facts and piece.facts.media_type,
            "size": piece.facts and piece.facts.size,
            "sha256": piece.facts and piece.facts.sha256,
            "facts": piece.facts and canonical_json(piece.facts).decode(),
            "classification": piece.classification,
            "sensitivity": piece.sensitivity or sensitivity,
            "source": piece.source,
            "captured_at": piece.captured_at,
            "taken_on_site": piece.taken_on_site,
            "now": now(),
        },
    )
    connection.execute(
        text(
            "insert into evidence_items (tenant_id, evidence_item_id, work_order_id, key,"
            " document_id, evidence_type, doc_type, tags, label, annexure_order, located_at,"
            " created_at) values (:tenant, :item, :order, :key, :document, :type, :doc_type,"
            " cast(:tags as jsonb), :label, :annexure, :located_at, :now)"
        ),
        {
            "tenant": user.tenant_id,
            "item": item,
            "order": work_order_id,
            "key": piece.key,
            "document": document,
            "type": piece.type,
            "doc_type": piece.doc_type,
            "tags": json.dumps(piece.tags),
            "label": piece.label,
            "annexure": piece.annexure_order,
            "located_at": piece.located_at and canonical_json(piece.located_at).decode(),
            "now": now(),
        },
    )
    return item
