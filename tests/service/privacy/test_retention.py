"""Papers go when their time is over, not a day before, and leave an unbroken record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from service.audit.events import record
from service.audit.sealing import seal_tenant
from service.audit.verifying import verify
from service.database.connections import transaction
from service.identifiers import new_id
from service.objects import storage
from service.privacy.retention import purge, purge_due
from tests.service.audit.logs import actor_of
from tests.service.tenancy.specimen_rows import bound, insert_statement

AT = datetime(2100, 3, 1, 12, tzinfo=UTC)
THREE_YEARS_AGO = datetime(2097, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Papers:
    """Writes a firm's work orders and documents, and looks at what has become of them."""

    tenant: UUID
    owner_engine: Any
    objects: Any

    def insert(self, table: str, **values: Any) -> None:
        values = {"tenant_id": self.tenant} | values
        with self.owner_engine.begin() as connection:
            connection.execute(text(insert_statement(table, values)), bound(values))

    def work_order(self, status: str = "CLOSED", since: datetime = THREE_YEARS_AGO) -> UUID:
        found = new_id()
        self.insert(
            "work_orders",
            work_order_id=found,
            reference=str(found),
            report_type="VALUATION",
            bank_type="SBI",
            source_type="TENANT",
            contract="{}",
            status=status,
            created_at=since,
            # Nothing that happens later counts but the change of the state.
            updated_at=AT,
        )
        self.insert(
            "status_changes",
            status_change_id=new_id(),
            work_order_id=found,
            from_status="DATA_PENDING",
            to_status=status,
            changed_at=since,
        )
        return found

    def document(self, work_order: UUID | None, **more: Any) -> UUID:
        found = new_id()
        key = f"{self.tenant}/documents/{found}"
        stored = storage.put_new(self.objects, key, str(found).encode())
        values: dict[str, Any] = {
            "document_id": found,
            "work_order_id": work_order,
            "status": "uploaded",
            "filename": "aadhaar of Asha Rao.pdf",
            "object_key": key,
            "media_type": "application/pdf",
            "size": stored.size,
            "sha256": stored.sha256,
            "facts": '{"pages":1}',
            "sensitivity": "pii",
            "remarks": "of the borrower",
            "tags": {"name": "Asha Rao"},
            "created_at": THREE_YEARS_AGO,
        }
        self.insert("documents", **(values | more))
        return found

    def evidence(self, work_order: UUID, document: UUID, **more: Any) -> UUID:
        found = new_id()
        self.insert(
            "evidence_items",
            evidence_item_id=found,
            work_order_id=work_order,
            key=f"k{found}",
            document_id=document,
            evidence_type="DOCUMENT",
            created_at=THREE_YEARS_AGO,
            **more,
        )
        return found

    def pack(self, work_order: UUID, version: int, document: UUID) -> UUID:
        """A pack with bundle and report, whose snapshot holds a document."""
        found = new_id()
        sha256 = "0" * 64
        self.insert(
            "snapshots",
            work_order_id=work_order,
            version=version,
            kind="output",
            contract="{}",
            evidence=f'{{"a":{{"object_key":"{self.tenant}/documents/{document}"}}}}',
            bundle_digest=sha256,
            created_at=THREE_YEARS_AGO,
        )
        self.insert(
            "packs",
            pack_id=found,
            work_order_id=work_order,
            version=version,
            snapshot_version=version,
            bundle_digest=sha256,
            template_key="T",
            family="valuation",
            status="generated" if version == 2 else "superseded",
            created_at=THREE_YEARS_AGO,
        )
        for kind in ("bundle", "docx"):
            operation = new_id()
            key = f"{self.tenant}/packs/{found}/{operation}.{kind}"
            self.insert(
                "operations",
                operation_id=operation,
                kind="pack.bundle",
                operation_key=str(operation),
                status="done",
                created_at=THREE_YEARS_AGO,
                run_after=THREE_YEARS_AGO,
            )
            self.insert(
                "pack_artifacts",
                artifact_id=new_id(),
                pack_id=found,
                kind=kind,
                filename=f"r.{kind}",
                object_key=key,
                media_type="x/y",
                size=1,
                sha256=storage.put_new(self.objects, key, b"x").sha256,
                operation_id=operation,
                created_at=THREE_YEARS_AGO,
            )
        return found

    def change(self, statement: str, **values: Any) -> None:
        with self.owner_engine.begin() as connection:
            connection.execute(text(statement), {"t": self.tenant} | values)

    def row(self, document: UUID) -> Any:
        with self.owner_engine.connect() as connection:
            return connection.execute(
                text("select * from documents where document_id = :d"), {"d": document}
            ).one()

    def is_stored(self, document: UUID) -> bool:
        return storage.exists(self.objects, f"{self.tenant}/documents/{document}")


@pytest.fixture
def papers(make_firm: Any, owner_engine: Any, jobs_service: Any) -> Papers:
    return Papers(make_firm().tenant_id, owner_engine, jobs_service.objects)


def purged(
    jobs_service: Any, papers: Papers, at: datetime = AT, *, dry_run: bool = False
) -> set[UUID]:
    return {
        one.document_id
        for one in purge_due(jobs_service, at, dry_run=dry_run)
        if one.tenant_id == papers.tenant
    }


def test_a_paper_goes_with_its_description_and_leaves_its_digest(
    jobs_service: Any, papers: Papers
) -> None:
    document = papers.document(papers.work_order())
    sha256 = papers.row(document).sha256

    assert purged(jobs_service, papers) == {document}
    row = papers.row(document)
    assert (row.status, row.filename, row.facts, row.tags, row.remarks) == (
        "purged",
        "purged",
        None,
        {},
        None,
    )
    assert (row.sha256, row.ended_at, row.end_reason) == (sha256, AT, "retention")
    assert not papers.is_stored(document)
    # Once is enough.
    assert purged(jobs_service, papers) == set()


@pytest.mark.parametrize("status", ["CLOSED", "CANCELLED"])
def test_a_paper_stays_until_its_years_are_over_to_the_moment(
    jobs_service: Any, papers: Papers, status: str
) -> None:
    document = papers.document(papers.work_order(status))

    assert purged(jobs_service, papers, AT - MOMENT) == set()
    assert papers.is_stored(document)
    assert purged(jobs_service, papers, AT) == {document}


def test_a_firm_may_keep_its_papers_longer(jobs_service: Any, papers: Papers) -> None:
    document = papers.document(papers.work_order())
    papers.change("update firm_settings set retention_years = 8 where tenant_id = :t")

    assert purged(jobs_service, papers, AT.replace(year=2105) - MOMENT) == set()
    assert purged(jobs_service, papers, AT.replace(year=2105)) == {document}


@pytest.mark.parametrize(
    "status", ["DRAFT", "EVIDENCE_PENDING", "DATA_PENDING", "READY_FOR_RENDER"]
)
def test_nothing_of_an_open_work_order_goes(jobs_service: Any, papers: Papers, status: str) -> None:
    papers.document(papers.work_order(status))

    assert purged(jobs_service, papers, AT.replace(year=2190)) == set()


def test_a_work_order_that_was_closed_again_counts_from_then(
    jobs_service: Any, papers: Papers
) -> None:
    order = papers.work_order()
    document = papers.document(order)
    later = THREE_YEARS_AGO + timedelta(days=30)
    papers.insert(
        "status_changes",
        status_change_id=new_id(),
        work_order_id=order,
        from_status="DATA_PENDING",
        to_status="CLOSED",
        changed_at=later,
    )

    assert purged(jobs_service, papers, AT + timedelta(days=29)) == set()
    assert purged(jobs_service, papers, AT + timedelta(days=31)) == {document}


@pytest.mark.parametrize(
    ("more", "goes"),
    [
        ({"sensitivity": "pii"}, True),
        ({"sensitivity": "confidential"}, True),
        ({"sensitivity": "internal"}, False),
        ({"sensitivity": "public", "classification": "site_photo"}, False),
        # Deeds and identity papers name people, whatever anybody says of them.
        ({"sensitivity": "internal", "classification": "legal"}, True),
        ({"sensitivity": "public", "classification": "bank_kyc"}, True),
        ({"status": "deleted"}, True),
        ({"status": "pending"}, False),
    ],
)
def test_what_holds_personal_data_goes_and_the_rest_stays(
    jobs_service: Any, papers: Papers, more: Any, goes: bool
) -> None:
    document = papers.document(papers.work_order(), **more)

    assert (purged(jobs_service, papers) == {document}) is goes
    assert papers.is_stored(document) is not goes


@pytest.mark.parametrize(
    ("doc_type", "goes"),
    [("SALE_DEED", True), ("ID_PROOF", True), ("PLAN", False), (None, False)],
)
def test_a_paper_that_nobody_described_goes_by_the_evidence_that_it_was(
    jobs_service: Any, papers: Papers, doc_type: str | None, goes: bool
) -> None:
    """Even where it was decided that everybody may open it."""
    order = papers.work_order()
    document = papers.document(order, sensitivity="internal", sensitivity_by="decided")
    papers.evidence(order, document, doc_type=doc_type)

    assert (purged(jobs_service, papers) == {document}) is goes


@pytest.mark.parametrize("more", [{}, {"removed_at": AT, "removal_reason": "not its paper"}])
def test_a_paper_that_an_open_work_order_uses_or_used_too_stays(
    jobs_service: Any, papers: Papers, more: Any
) -> None:
    document = papers.document(papers.work_order())
    other = papers.work_order("DATA_PENDING")
    papers.evidence(other, document, **more)
    assert purged(jobs_service, papers) == set()

    papers.change("update work_orders set status = 'CANCELLED' where work_order_id = :w", w=other)
    papers.change("update work_orders set updated_at = created_at where tenant_id = :t")
    assert purged(jobs_service, papers) == {document}


def test_a_bundle_that_holds_the_paper_goes_with_it_and_the_report_stays(
    jobs_service: Any, papers: Papers
) -> None:
    order = papers.work_order()
    document = papers.document(order)
    held, other = papers.pack(order, 1, document), papers.pack(order, 2, new_id())

    assert purged(jobs_service, papers) == {document}
    with papers.owner_engine.connect() as connection:
        rows = connection.execute(
            text(
                "select pack_id, kind, purged_at is not null, object_key from pack_artifacts"
                " where tenant_id = :t"
            ),
            {"t": papers.tenant},
        ).all()
    assert {(pack, kind) for pack, kind, gone, _ in rows if gone} == {(held, "bundle")}
    assert {pack for pack, _, _, _ in rows} == {held, other}
    for _, _, gone, key in rows:
        assert storage.exists(papers.objects, key) is not gone


def test_a_paper_that_belongs_to_no_work_order_goes_with_the_one_that_uses_it(
    jobs_service: Any, papers: Papers
) -> None:
    unused, used = papers.document(None), papers.document(None)
    papers.evidence(papers.work_order(), used)

    assert purged(jobs_service, papers) == {used}
    assert papers.is_stored(unused)


def test_letterhead_and_signatures_stay(jobs_service: Any, papers: Papers) -> None:
    order = papers.work_order()
    logo, signature = papers.document(order), papers.document(order)
    papers.change("update firm_settings set logo_document_id = :d where tenant_id = :t", d=logo)
    papers.insert(
        "valuers",
        valuer_id=new_id(),
        name="Asha Rao",
        signature_document_id=signature,
        created_at=AT,
        updated_at=AT,
    )

    assert purged(jobs_service, papers) == set()


def test_a_dry_run_tells_and_does_nothing(jobs_service: Any, papers: Papers) -> None:
    document = papers.document(papers.work_order())
    before = papers.row(document)

    assert purged(jobs_service, papers, dry_run=True) == {document}
    assert papers.row(document) == before
    assert papers.is_stored(document)


def test_the_daily_tick_uses_the_clock(jobs_service: Any, papers: Papers) -> None:
    """Nothing in these tests is older than three years before today."""
    papers.document(papers.work_order())

    assert purge(jobs_service) == 0


def test_what_the_record_tells_of_the_paper_is_erased_and_the_chain_holds(
    service: Any, jobs_service: Any, papers: Papers
) -> None:
    order = papers.work_order()
    document = papers.document(order)
    item = papers.evidence(order, document)
    other = papers.document(order, sensitivity="internal")
    actor = actor_of(papers.tenant)
    with transaction(service.engine, role="zen_web", tenant_id=papers.tenant) as connection:
        for subject in (("document", document), ("evidence", item), ("document", other)):
            record(
                connection,
                actor,
                "document:document:described",
                subject=subject,
                after={"filename": "aadhaar of Asha Rao.pdf"},
            )
    seal_tenant(jobs_service.engine, papers.tenant)
    purged(jobs_service, papers)
    seal_tenant(jobs_service.engine, papers.tenant)

    with transaction(jobs_service.engine, role="zen_system") as connection:
        report = verify(connection, papers.tenant)
    assert (report.breaks, report.sealed, report.erased) == ((), 5, 2)
    with papers.owner_engine.connect() as connection:
        rows = connection.execute(
            text(
                "select e.action, e.actor_kind, e.subject_id, e.work_order_id, d.details"
                " from audit_events e join audit_details d using (tenant_id, event_id)"
                " where e.tenant_id = :t order by e.event_id"
            ),
            {"t": papers.tenant},
        ).all()
    assert [row.action for row in rows] == [
        "document:document:described",
        "audit:details:erased",
        "privacy:document:purged",
    ]
    assert rows[0].subject_id == str(other)
    assert {(row.actor_kind, row.subject_id, row.work_order_id) for row in rows[1:]} == {
        ("system", str(document), order)
    }
    assert papers.row(document).sha256 in rows[2].details
    assert "Asha" not in rows[1].details + rows[2].details


def test_a_purge_whose_commit_was_lost_is_done_the_next_time(
    jobs_service: Any, papers: Papers
) -> None:
    document = papers.document(papers.work_order())
    storage.delete(papers.objects, f"{papers.tenant}/documents/{document}")

    assert purged(jobs_service, papers) == {document}
    assert papers.row(document).status == "purged"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "update work_orders set status = 'DATA_PENDING' where tenant_id = :t",
        (
            "update firm_settings set logo_document_id = (select document_id from documents"
            " where tenant_id = :t) where tenant_id = :t"
        ),
    ],
)
def test_a_paper_that_is_needed_again_while_the_purge_waits_stays(
    jobs_service: Any, papers: Papers, meanwhile: str
) -> None:
    order = papers.work_order()
    document = papers.document(order)
    found: list[set[UUID]] = []
    purging: Callable[[], None] = lambda: found.append(purged(jobs_service, papers))  # noqa: E731
    with papers.owner_engine.begin() as connection:
        connection.execute(
            text("select 1 from work_orders where work_order_id = :w for update"), {"w": order}
        )
        thread = threading.Thread(target=purging)
        thread.start()
        _wait_for_a_waiter(papers.owner_engine)
        connection.execute(text(meanwhile), {"t": papers.tenant})
    thread.join()

    assert found == [set()]
    assert papers.is_stored(document)


def _wait_for_a_waiter(owner_engine: Any) -> None:
    """Until the purge really waits for the lock."""
    with owner_engine.connect() as connection:
        for _ in range(500):
            waiting = connection.scalar(
                text("select count(*) from pg_locks where not granted and locktype <> 'object'")
            )
            if waiting:
                return
            connection.execute(text("select pg_sleep(0.01)"))
    pytest.fail("the purge did not wait")
