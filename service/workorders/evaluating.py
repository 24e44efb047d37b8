"""From a work order to the engine: the case that it is now, what comes of it, and its snapshots.

The case is the one that `zenops build` would read from a folder, so both give one bundle and one
digest. What the engine needs is all in it; nothing here asks for the day it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json, joined
from contracts.case import Case, Firm, ParameterOverride, Valuer
from contracts.contract import Contract, Coordinates
from contracts.evidence import Evidence, FieldLink, FileFacts
from contracts.exact_json import read_json
from engine.evaluation import evaluate
from factory.bundle import (
    INFO,
    as_bundled,
    bundle_info,
    contract_as_bundled,
    manifest_of,
    payload_of,
    rest_of,
    stored_files,
)
from factory.catalogue import Library, read_catalogue
from service.clock import now
from service.database.connections import send
from service.errors import ServiceError, conflict
from service.identifiers import new_id
from service.workorders.records import WORK_ORDER_FIELDS, Snapshot, WorkOrder, find, lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from contracts.evaluation import Evaluation
    from service.actor import Actor

__all__ = [
    "Evaluated",
    "LiveCase",
    "case_of",
    "check_editable",
    "check_version",
    "evaluate_now",
    "find",
    "library",
    "lock",
    "recheck",
    "save",
    "take_snapshot",
]

#: States in which nothing may be changed that a report shows.
FROZEN = frozenset({"READY_FOR_RENDER", "CLOSED", "CANCELLED"})
#: What a document is unless somebody says otherwise; a case says nothing of it.
_USUAL_SENSITIVITY = "internal"
# An instant is written as the clocks at the property show it.
_INDIA = timezone(timedelta(hours=5, minutes=30))


@cache
def library() -> Library:
    """The rule sets, profiles and registers that this process evaluates with."""
    return read_catalogue()


@dataclass(frozen=True, slots=True)
class KeptFile:
    """Where the service keeps the file of a piece of evidence; `item` is None for the firm's logo."""

    item: UUID | None
    document: UUID | None
    object_key: str | None
    filename: str | None


@dataclass(frozen=True, slots=True)
class LiveCase:
    """A work order's case as it is now, in the form that a bundle holds.

    `files` has an entry for each piece of evidence by its key, and for the logo under an empty key;
    `kept` is the same as a snapshot holds it. `contract` is the contract's text in a bundle,
    `said` the texts that the rest was read from. `stored` are the sha256 of the texts that the last
    snapshot has, which the store therefore has too.
    """

    case: Case
    logo: FileFacts | None
    files: Mapping[str, KeptFile]
    kept: str
    contract: bytes
    said: tuple[str | None, ...]
    stored: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A case and what the engine makes of it."""

    live: LiveCase
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class _Written:
    """A contract's text, with what it says if that is known."""

    text: str
    contract: Contract | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Entered:
    """A contract, and its text in a bundle."""

    contract: Contract
    bundled: bytes


# Contracts are frozen, and the same text is read again with every change of anything else.
@lru_cache(maxsize=256)
def _read_contract(written: _Written) -> _Entered:
    contract = written.contract
    if contract is not None and contract.audit is None and contract.computed_values is None:
        return _Entered(contract, written.text.encode())
    contract = contract or Contract.model_validate(read_json(written.text, "contract").value)
    return _Entered(contract, canonical_json(contract_as_bundled(contract)))


def contract_of(written: str) -> Contract:
    """The contract that a text of canonical JSON holds."""
    return _read_contract(_Written(written)).contract


def text_of(contract: Contract) -> str:
    """The text of canonical JSON that a contract is kept as."""
    written = canonical_json(contract).decode()
    _read_contract(_Written(written, contract))
    return written


@lru_cache(maxsize=4_096)
def facts_of(written: str) -> FileFacts:
    """The facts of a file that a document's row holds."""
    return FileFacts.model_validate(read_json(written, "facts").value)


# All that a case holds beside its contract, as one text: it is read and parsed once for as long as
# nothing of it changes, and most changes of a case under way are of its contract.
_BESIDE = text(
    "select json_build_object("
    "'evidence', (select json_agg(to_json(p) order by p.created_at, p.evidence_item_id) from ("
    "  select e.key, e.evidence_item_id, e.document_id, e.evidence_type, e.doc_type, e.tags,"
    "  e.label, e.annexure_order, e.located_at, e.created_at, d.status, d.filename, d.object_key,"
    "  d.facts, d.classification, d.sensitivity, d.sensitivity_by, d.source, d.captured_at,"
    "  d.taken_on_site"
    "  from evidence_items e left join documents d"
    "  on d.tenant_id = e.tenant_id and d.document_id = e.document_id"
    "  where e.tenant_id = :tenant and e.work_order_id = :id and e.removed_at is null) p),"
    "'links', (select json_agg(json_build_array(l.field_key, e.key, l.confidence::text, l.note)"
    "  order by l.created_at, l.field_evidence_link_id)"
    "  from field_evidence_links l join evidence_items e"
    "  on e.tenant_id = l.tenant_id and e.evidence_item_id = l.evidence_item_id"
    "  where l.tenant_id = :tenant and l.work_order_id = :id and e.removed_at is null),"
    "'firm', (select to_json(l) from ("
    "  select f.firm, d.document_id, d.object_key, d.filename, d.facts, v.name, v.qualifications,"
    "  v.designation, v.registration, v.unique_id_number"
    "  from firm_settings f left join documents d"
    "  on d.tenant_id = f.tenant_id and d.document_id = f.logo_document_id"
    "  and d.status = 'uploaded'"
    "  left join valuers v on v.tenant_id = f.tenant_id and v.valuer_id = :valuer"
    "  where f.tenant_id = :tenant) l)"
    ")::text as beside,"
    " (select parts from snapshots where tenant_id = :tenant and work_order_id = :id"
    "  and version = :version) as parts"
)


def case_of(connection: Connection, order: WorkOrder) -> LiveCase:
    """The case that a work order is now.

    Args:
        connection: of whoever may see the firm's evidence and settings.
        order: as it stands in this transaction.
    """
    where = {
        "tenant": order.tenant_id,
        "id": order.work_order_id,
        "valuer": order.valuer_id,
        "version": order.snapshot_version,
    }
    row = connection.execute(_BESIDE, where).one()
    beside = _read_beside(row.beside)
    case = case_from(order, evidence=beside.evidence, links=beside.links, firm=beside.firm)
    stored = frozenset(() if row.parts is None else row.parts.values())
    return LiveCase(
        case,
        beside.logo,
        beside.files,
        beside.kept,
        contract=_read_contract(_Written(order.contract)).bundled,
        said=(order.reference, order.title, order.source, order.parameters, row.beside),
        stored=stored,
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a case holds beside its contract; `kept` is `files` as a snapshot holds them."""

    evidence: tuple[Evidence, ...]
    links: tuple[FieldLink, ...]
    firm: Firm | None
    logo: FileFacts | None
    files: Mapping[str, KeptFile]
    kept: str


@lru_cache(maxsize=256)
def _read_beside(written: str) -> _Beside:
    found = json.loads(written)
    rows = found["evidence"] or ()
    firm, logo, logo_file = _firm(found["firm"])
    files = {row["key"]: _kept_file(row["evidence_item_id"], row) for row in rows}
    if logo_file is not None:
        files[""] = logo_file
    return _Beside(
        evidence=tuple(map(_evidence, rows)),
        links=tuple(
            FieldLink(
                field=field,
                evidence=key,
                confidence=None if confidence is None else Decimal(confidence),
                note=note,
            )
            for field, key, confidence, note in found["links"] or ()
        ),
        firm=firm,
        logo=logo,
        files=files,
        kept=canonical_json({key: _kept(file) for key, file in files.items()}).decode(),
    )


def _kept_file(item: str | None, row: Mapping[str, Any]) -> KeptFile:
    document = row["document_id"]
    return KeptFile(
        None if item is None else UUID(item),
        None if document is None else UUID(document),
        row["object_key"],
        row["filename"],
    )


def case_from(
    order: WorkOrder,
    *,
    evidence: tuple[Evidence, ...] = (),
    links: tuple[FieldLink, ...] = (),
    firm: Firm | None = None,
) -> Case:
    """The case of a work order and what belongs to it, as a bundle holds it."""
    parameters = read_json(order.parameters, "parameters").value
    return as_bundled(
        Case(
            case=order.reference,
            title=order.title,
            source=order.source,
            as_of=order.as_of,
            contract=contract_of(order.contract),
            evidence=evidence,
            links=links,
            parameters={
                name: ParameterOverride.model_validate(value) for name, value in parameters.items()
            },
            ruleset=order.ruleset,
            profile=order.profile,
            firm=firm,
        )
    )


def _evidence(row: Mapping[str, Any]) -> Evidence:
    status, captured_at = row["status"], row["captured_at"]
    return Evidence(
        key=row["key"],
        type=row["evidence_type"],
        doc_type=row["doc_type"],
        tags=row["tags"],
        # A piece without a document is promised; one whose document was purged is gone.
        status="pending"
        if status is None
        else status
        if status in {"pending", "uploaded"}
        else "deleted",
        label=row["label"],
        captured_at=captured_at and datetime.fromisoformat(captured_at).astimezone(_INDIA),
        taken_on_site=row["taken_on_site"],
        located_at=None
        if row["located_at"] is None
        else Coordinates.model_validate(read_json(row["located_at"], "located_at").value),
        classification=row["classification"],
        # What follows from its kind, the kind says.
        sensitivity=None
        if row["sensitivity"] == _USUAL_SENSITIVITY or row["sensitivity_by"] == "kind"
        else row["sensitivity"],
        source=row["source"],
        annexure_order=row["annexure_order"],
        facts=facts_of(row["facts"]) if status == "uploaded" else None,
    )


def _firm(
    row: Mapping[str, Any] | None,
) -> tuple[Firm | None, FileFacts | None, KeptFile | None]:
    """The letterhead, the facts of its logo, and where that is kept.

    A valuer of the register who is named by the work order signs in place of the firm's usual one.
    """
    written = None if row is None else read_json(row["firm"], "firm").value
    if row is None or not written:
        return None, None, None
    firm = Firm.model_validate(written).model_copy(update={"logo": None})
    if row["name"] is not None:
        valuer = Valuer(
            name=row["name"],
            qualifications=row["qualifications"],
            registration=row["registration"],
            unique_id_number=row["unique_id_number"],
            designation=row["designation"],
        )
        firm = firm.model_copy(update={"valuer": valuer})
    if row["facts"] is None:
        return firm, None, None
    return firm, facts_of(row["facts"]), _kept_file(None, row)


def evaluate_now(connection: Connection, order: WorkOrder, *, trace: bool = False) -> Evaluated:
    """What the engine says of a work order as it is now.

    The date of valuation is the work order's, else the contract's, as on the command line.

    Args:
        connection: of whoever may see the firm's evidence and settings.
        order: as it stands in this transaction.
        trace: whether every figure's derivation is written out; a snapshot needs it.
    """
    live = case_of(connection, order)
    return Evaluated(live, evaluate_case(live.case, trace=trace))


def evaluate_case(case: Case, *, trace: bool = False) -> Evaluation:
    """What the engine says of a case, with the shipped rules and profiles."""
    catalogue = library().catalogue
    assert catalogue is not None
    return evaluate(case, catalogue, trace=trace)


def recheck(connection: Connection, actor: Actor, work_order_id: UUID) -> WorkOrder:
    """Evaluate a work order again after a change of its evidence or links.

    Returns:
        The work order with its next version and with what lists and filters show of it.

    Raises:
        ServiceError: 404, there is no such work order.
    """
    order = lock(connection, actor.tenant_id, work_order_id)
    evaluated = evaluate_now(connection, order)
    return save(connection, dataclasses.replace(order, **findings_of(evaluated.evaluation)))


def check_editable(order: WorkOrder) -> None:
    """Refuse a change while a report is made of the work order, and after its end.

    Raises:
        ServiceError: 409, with the state.
    """
    if order.status in FROZEN:
        remedy = (
            "A cancelled work order stays as it is; create another."
            if order.status == "CANCELLED"
            else "Take it back to DATA_PENDING first, with a reason."
        )
        raise conflict(
            "WORK_ORDER_NOT_EDITABLE",
            "The work order cannot be changed in its state",
            f"It is {order.status}. {remedy}",
            status_of_work_order=order.status,
        )


def check_version(order: WorkOrder, wanted: int | None) -> None:
    """Refuse a change that was made on an older version.

    Args:
        order: as it is, locked.
        wanted: the version that If-Match names; None if the caller does not mind.

    Raises:
        ServiceError: 412, with the version that it has now.
    """
    if wanted is not None and wanted != order.version:
        raise ServiceError(
            412,
            "VERSION_CONFLICT",
            "Somebody has changed this meanwhile",
            f"You have version {wanted}, it is at {order.version}. Load it again, look at what has "
            "changed, and repeat your change.",
            extra={"current_version": order.version},
            headers={"ETag": f'"{order.version}"'},
        )


def findings_of(evaluation: Evaluation) -> dict[str, Any]:
    """What a work order's own columns show of an evaluation."""
    contract, readiness = evaluation.contract, evaluation.readiness
    missing = (
        *readiness.missing_fields,
        *readiness.missing_evidence,
        *(f"Finding to be settled: {code}" for code in readiness.blocking_findings),
    )
    return {
        "report_type": contract.meta.report_type,
        "bank_type": contract.meta.bank_type or "OTHER",
        "bank_name": contract.party.bank_name,
        "value_slab": contract.meta.value_slab or "UNKNOWN",
        "template_selector": contract.meta.template_selector or "UNKNOWN",
        "is_ready": readiness.ready,
        "completeness_score": readiness.completeness_score,
        "missing": missing,
        "fair_market_value": value_of(evaluation),
    }


def value_of(evaluation: Evaluation) -> Decimal | None:
    """The value that slabs go by: the fair market value, else a co-operative bank's."""
    computed = evaluation.contract.computed_values
    if computed is None:
        return None
    stated = (computed.FMV, computed.coop_adopted_value, computed.coop_market_value)
    found = next((value for value in stated if value is not None), None)
    return None if found is None else found.value


def search_text(order: WorkOrder) -> str:
    """What a search looks in: names, numbers and addresses, one a line, in small letters."""
    contract = contract_of(order.contract)
    party, land = contract.party, contract.property
    words = (
        order.reference, order.title, order.assignment_id, order.source_ref_id,
        contract.meta.report_number, party.bank_name, party.bank_branch_name,
        party.borrower_name, party.owner_name, party.application_no,
        land.address, land.village, land.city, land.survey_no,
    )  # fmt: skip
    return "\n".join(word.lower() for word in words if word)


_SAVE = (
    "update work_orders set title = :title, source = :source, as_of = :as_of,"
    " report_type = :report_type, bank_type = :bank_type, bank_name = :bank_name,"
    " value_slab = :value_slab, template_selector = :template_selector,"
    " source_ref_id = :source_ref_id, assignment_id = :assignment_id, valuer_id = :valuer_id,"
    " ruleset = :ruleset, profile = :profile, parameters = :parameters, contract = :contract,"
    " status = :status, version = :version, snapshot_version = :snapshot_version,"
    " is_ready = :is_ready,"
    " completeness_score = :completeness_score, missing = :missing,"
    " fair_market_value = :fair_market_value, search = :search, updated_at = :updated_at"
    " where tenant_id = :tenant_id and work_order_id = :work_order_id"
)
_SAVE_ALONE = text(_SAVE)


def save(connection: Connection, order: WorkOrder) -> WorkOrder:
    """Write a changed work order, which the transaction has locked, under its next version.

    Returns:
        The work order as it is now.
    """
    saved, values = _next(order)
    connection.execute(_SAVE_ALONE, values)
    return saved


def _next(order: WorkOrder) -> tuple[WorkOrder, dict[str, Any]]:
    """A work order under its next version, and what of it is written."""
    saved = dataclasses.replace(order, version=order.version + 1, updated_at=now())
    values = {name: getattr(saved, name) for name in WORK_ORDER_FIELDS}
    return saved, {**values, "missing": list(saved.missing), "search": search_text(saved)}


# One statement writes all of a snapshot. The parts go in one order, so that two transactions with
# the same new texts wait for each other in turn.
_TAKE = text(
    "with parts as ("  # noqa: S608 - _SAVE is a constant
    " insert into bundle_parts (tenant_id, sha256, content)"
    " select :tenant_id, sha256, substr(:contents, first, size)"
    " from unnest(cast(:digests as text[]), cast(:firsts as int[]), cast(:sizes as int[]))"
    " as new (sha256, first, size) order by sha256 on conflict do nothing"
    "), halves as ("
    " insert into snapshots (tenant_id, work_order_id, version, kind, contract, evidence, readiness,"
    " parts, bundle_digest, ruleset, profile, template_key, created_by, created_at) values"
    " (:tenant_id, :work_order_id, :input_version, 'input', :contract, '{}', null, '{}', null, null,"
    " null, null, :person, :updated_at),"
    " (:tenant_id, :work_order_id, :output_version, 'output', :computed, :evidence, :readiness,"
    " cast(:parts as jsonb), :bundle_digest, :used_ruleset, :used_profile, :template_key, :person,"
    " :updated_at)"
    "), run as ("
    " insert into rules_runs (tenant_id, rules_run_id, work_order_id, input_version,"
    " output_version, ruleset, profile, warnings, created_at) values"
    " (:tenant_id, :run, :work_order_id, :input_version, :output_version, :used_ruleset,"
    f" :used_profile, :warnings, :updated_at)) {_SAVE}"
)


def take_snapshot(
    connection: Connection,
    actor: Actor,
    order: WorkOrder,
    evaluated: Evaluated,
    run: UUID | None = None,
) -> tuple[WorkOrder, Snapshot]:
    """Write down what a locked work order is now and what the engine makes of it, for ever.

    Two versions are written: what was entered, and what was computed of it. The texts of the
    bundle are stored with them, each once for the firm; no file of evidence is opened.

    Args:
        connection: of a transaction that has locked the work order.
        actor: who causes it.
        order: with the changes that it has now.
        evaluated: `order`, evaluated with its trace.
        run: the id that the run of the rules is to have.

    Returns:
        The work order under its next version, and the computed half of the snapshot.
    """
    evaluation, live = evaluated.evaluation, evaluated.live
    bundle = frozen(evaluated)
    saved, values = _next(
        dataclasses.replace(
            order, **findings_of(evaluation), snapshot_version=order.snapshot_version + 2
        )
    )
    snapshot = Snapshot(
        work_order_id=order.work_order_id,
        version=saved.snapshot_version,
        contract=bundle.computed.decode(),
        evidence=live.kept,
        readiness=bundle.readiness.decode(),
        parts=bundle.parts,
        bundle_digest=bundle.digest,
        ruleset=f"{evaluation.ruleset.id}@{evaluation.ruleset.version}",
        profile=f"{evaluation.profile.id}@{evaluation.profile.version}",
        template_key=json.loads(bundle.texts["data/template.json"])["key"],
        created_by=actor.user_id,
        created_at=saved.updated_at,
    )
    # Texts that the last snapshot has are not sent again; any other that is known is not kept twice.
    new = {
        digest: bundle.texts[name]
        for name, digest in bundle.parts.items()
        if digest not in live.stored
    }
    sizes = [len(content) for content in new.values()]
    # A snapshot is the largest thing that a request writes; meanwhile its answer is made.
    send(
        connection,
        _TAKE,
        {
            **values,
            "digests": list(new),
            "contents": b"".join(new.values()),
            "firsts": list(accumulate(sizes, initial=1))[:-1],
            "sizes": sizes,
            "input_version": snapshot.version - 1,
            "output_version": snapshot.version,
            "computed": snapshot.contract,
            "evidence": snapshot.evidence,
            "readiness": snapshot.readiness,
            "parts": json.dumps(snapshot.parts),
            "bundle_digest": snapshot.bundle_digest,
            "used_ruleset": snapshot.ruleset,
            "used_profile": snapshot.profile,
            "template_key": snapshot.template_key,
            "person": snapshot.created_by,
            "run": run or new_id(),
            "warnings": warnings_in(evaluation),
        },
    )
    return saved, snapshot


def warnings_in(evaluation: Evaluation) -> int:
    """How many of its findings are more than a note."""
    return sum(finding.severity != "note" for finding in evaluation.findings)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The texts of a bundle with its tag file, the sha256 of each, and the bundle's digest.

    `computed` and `readiness` are the contract and the readiness that its evaluation holds.
    """

    texts: Mapping[str, bytes]
    parts: Mapping[str, str]
    digest: str
    computed: bytes
    readiness: bytes


def frozen(evaluated: Evaluated) -> Frozen:
    """The bundle that a case gives now."""
    live, evaluation = evaluated.live, evaluated.evaluation
    found = {
        field.name: canonical_json(getattr(evaluation, field.name))
        for field in dataclasses.fields(evaluation)
    }
    payload = payload_of(
        live.case,
        evaluation,
        library(),
        logo=live.logo,
        written={
            "case": _rest_of(_Rest(live.said, live.case)),
            "contract": live.contract,
            "evaluation": joined(found),
        },
    )
    parts = {name: _sha256(content) for name, content in payload.items()}
    digest = _sha256(manifest_of(parts, stored_files(live.case, live.logo)))
    # What wrote the bundle is no part of its digest, but of its bytes.
    info = bundle_info()
    return Frozen(
        {**payload, INFO: info},
        {**parts, INFO: _sha256(info)},
        digest,
        computed=found["contract"],
        readiness=found["readiness"],
    )


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a case holds beside its contract, told apart by the texts that it was read from."""

    said: tuple[str | None, ...]
    case: Case = dataclasses.field(compare=False)


@lru_cache(maxsize=256)
def _rest_of(rest: _Rest) -> bytes:
    return rest_of(rest.case)


def _kept(file: KeptFile) -> dict[str, str]:
    named = {
        "evidence_item_id": file.item,
        "document_id": file.document,
        "object_key": file.object_key,
        "filename": file.filename,
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
