"""Identity papers and deeds are guarded by what they are: nobody has to say so."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from contracts.evidence import DocType
from service.database.connections import transaction
from service.database.migrating import HERE
from service.database.scripts import run_script
from service.evidence.guarding import PERSONAL_CLASSIFICATIONS, PERSONAL_DOC_TYPES
from service.evidence.shapes import Classification
from service.workorders.evaluating import case_of
from service.workorders.records import find


@pytest.fixture(scope="module")
def clerk(make_desk, desk):
    """May describe documents and not open guarded ones."""
    return make_desk(roles=["staff"], firm=desk.firm)


def shown(desk, document):
    return desk.client.get(f"/v1/documents/{document}").get_json()


def describe(desk, document, **changes):
    return desk.client.patch(f"/v1/documents/{document}/metadata", json=changes)


def piece_of(rows, document):
    """The id of the piece of evidence that a document is."""
    sql = "select evidence_item_id from evidence_items where document_id = :document"
    return str(rows(sql, document=document)[0]["evidence_item_id"])


def a_deed(desk, **more):
    """A deed that was linked and that nobody said anything about."""
    document = desk.document()["id"]
    paper = {"evidence_type": "DOCUMENT", "doc_type": "SALE_DEED", "document_id": document}
    assert desk.link(desk.work_order(), paper | more).status_code == 200
    return document


def test_the_kinds_are_those_that_there_are():
    assert set(get_args(DocType)) > PERSONAL_DOC_TYPES >= {"SALE_DEED", "ID_PROOF"}
    assert set(get_args(Classification)) > PERSONAL_CLASSIFICATIONS >= {"bank_kyc", "legal"}


@pytest.mark.parametrize("doc_type", get_args(DocType))
def test_a_paper_is_guarded_from_when_it_is_linked_as_what_it_is(desk, clerk, rows, doc_type):
    document = desk.document()["id"]
    paper = {"evidence_type": "DOCUMENT", "doc_type": doc_type, "document_id": document}
    assert clerk.client.get(f"/v1/files/{document}/content").status_code == 200
    assert desk.link(desk.work_order(), paper).status_code == 200

    guarded = doc_type in PERSONAL_DOC_TYPES
    assert shown(desk, document)["sensitivity"] == ("pii" if guarded else "internal")
    opened = clerk.client.get(f"/v1/files/{document}/content").status_code
    assert opened == (403 if guarded else 200)
    raised = rows(
        "select action from audit_events where subject_id = :document"
        " and action = 'document:sensitivity:raised'",
        document=document,
    )
    assert len(raised) == guarded


@pytest.mark.parametrize("classification", get_args(Classification))
def test_a_document_that_is_classified_as_such_a_paper_is_guarded_at_once(desk, classification):
    guarded = "pii" if classification in PERSONAL_CLASSIFICATIONS else "internal"
    uploaded = desk.document(classification=classification)
    assert uploaded["sensitivity"] == guarded

    later = desk.document()["id"]
    assert describe(desk, later, classification=classification).status_code == 200
    assert shown(desk, later)["sensitivity"] == guarded


def test_a_piece_that_becomes_such_a_paper_is_guarded_and_stays_so(desk, rows):
    order, document = desk.work_order(), desk.document()["id"]
    desk.link(order, {"evidence_type": "DOCUMENT", "doc_type": "PLAN", "document_id": document})
    piece = piece_of(rows, document)
    assert shown(desk, document)["sensitivity"] == "internal"

    assert desk.link(order, {"id": piece, "doc_type": "ID_PROOF"}).status_code == 200
    assert shown(desk, document)["sensitivity"] == "pii"
    # Whoever takes the word away has not looked at the paper.
    assert desk.link(order, {"id": piece, "doc_type": "OTHER"}).status_code == 200
    assert shown(desk, document)["sensitivity"] == "pii"


def test_what_was_said_to_be_confidential_is_not_made_less(desk):
    document = a_deed(desk, sensitivity="confidential")
    assert shown(desk, document)["sensitivity"] == "confidential"


@pytest.mark.parametrize("said", ["public", "internal"])
def test_whoever_links_a_deed_cannot_say_that_it_is_open(desk, said):
    assert shown(desk, a_deed(desk, sensitivity=said))["sensitivity"] == "pii"


def test_a_guard_is_lifted_by_those_who_may_with_a_reason_and_for_good(desk, clerk, rows):
    document = a_deed(desk)

    refused = describe(clerk, document, sensitivity="internal", reason="everybody has seen it")
    assert (refused.status_code, refused.get_json()["capability"]) == (403, "evidence.sensitive")
    unsaid = describe(desk, document, sensitivity="internal")
    assert (unsaid.status_code, unsaid.get_json()["code"]) == (422, "REASON_REQUIRED")
    assert shown(desk, document)["sensitivity"] == "pii"

    lifted = describe(desk, document, sensitivity="internal", reason="a specimen without names")
    assert lifted.get_json()["sensitivity"] == "internal"
    assert clerk.client.get(f"/v1/files/{document}/content").status_code == 200
    noted = rows(
        "select reason from audit_events where subject_id = :document"
        " and action = 'document:metadata:changed' and reason is not null",
        document=document,
    )
    assert noted == [{"reason": "a specimen without names"}]
    # Neither what else is said of it nor another link undoes what was decided.
    assert describe(desk, document, remarks="page 2").get_json()["sensitivity"] == "internal"
    deed = {"evidence_type": "DOCUMENT", "doc_type": "SALE_DEED", "document_id": document}
    assert desk.link(desk.work_order(), deed).status_code == 200
    assert shown(desk, document)["sensitivity"] == "internal"
    # Until somebody guards it anew.
    assert describe(clerk, document, sensitivity="pii").status_code == 200
    assert describe(clerk, document, sensitivity="public", reason="why not").status_code == 403


def test_the_guard_of_a_piece_is_lifted_with_the_reason_of_its_change(desk, rows):
    order, document = desk.work_order(), desk.document()["id"]
    desk.link(order, {"evidence_type": "DOCUMENT", "doc_type": "ID_PROOF", "document_id": document})
    piece = {"id": piece_of(rows, document), "sensitivity": "internal"}

    assert desk.link(order, piece).get_json()["code"] == "REASON_REQUIRED"
    assert desk.link(order, piece, reason="the number is blotted out").status_code == 200
    assert shown(desk, document)["sensitivity"] == "internal"


def test_a_bundle_says_what_was_said_and_not_what_its_kind_says(desk, service):
    """So a case gives one digest, whether a work order or a folder holds it."""
    order = desk.work_order()
    papers = [
        {"key": "raised", "evidence_type": "DOCUMENT", "doc_type": "SALE_DEED"},
        {"key": "said", "evidence_type": "DOCUMENT", "doc_type": "ID_PROOF"},
    ]
    papers[0]["document_id"] = desk.document()["id"]
    papers[1]["document_id"] = desk.document(sensitivity="pii")["id"]
    assert desk.link(order, *papers).status_code == 200
    tenant = desk.firm.tenant_id
    with transaction(service.engine, role="zen_web", tenant_id=tenant) as connection:
        case = case_of(connection, find(connection, tenant, UUID(order))).case

    assert {one.key: one.sensitivity for one in case.evidence} == {"raised": None, "said": "pii"}
    assert {shown(desk, one["document_id"])["sensitivity"] for one in papers} == {"pii"}


def test_papers_of_before_are_guarded_by_the_migration(desk, database):
    """The last migration, undone and done again with the rights that migrations have."""
    deed, plan = a_deed(desk), desk.document()["id"]
    kyc = desk.document(classification="bank_kyc")["id"]
    told = desk.document(classification="legal", sensitivity="confidential")["id"]
    engine = create_engine(database.owner_url)
    with engine.begin() as connection:
        connection.execute(text("alter table documents drop column sensitivity_by"))
        connection.execute(
            text("update documents set sensitivity = 'internal' where sensitivity = 'pii'")
        )
        connection.execute(text("set local role zen_owner"))
        run_script(connection, HERE / "migrations" / "sql" / "0013_personal_papers.sql")
    engine.dispose()

    assert [shown(desk, one)["sensitivity"] for one in (deed, kyc, plan, told)] == [
        "pii", "pii", "internal", "confidential",
    ]  # fmt: skip
