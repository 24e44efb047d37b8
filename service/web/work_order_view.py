"""All that the page of a work order shows, put together from what the capabilities know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from contracts.quantities import plain
from engine.evaluation import Examination, examine
from service.evidence import records as evidence_records
from service.evidence.duplicates import duplicates_of
from service.evidence.examination import read_stored_facts
from service.evidence.guarding import GUARDED
from service.evidence.guarding import may_open as may_open_file
from service.identifiers import new_id
from service.packs import records as pack_records
from service.packs.downloading import may_review
from service.packs.sign_off import sign_off_state
from service.release.records import decisions_of
from service.release.telling import deliverables_answer, gate_status
from service.web.facts import form_of, group_of, layout
from service.web.figures import figure_groups
from service.web.history import history_of
from service.web.moves import moves_of, next_action
from service.web.printed import word
from service.workorders.evaluating import FROZEN, case_of, contract_of, library

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from contracts.evaluation import Evaluation, Finding
    from contracts.evidence import FileFacts
    from contracts.profile import Profile, Requirement
    from service.actor import Actor
    from service.evidence.shapes import Copy
    from service.packs.records import Operation, Pack
    from service.workorders.records import WorkOrder

#: A gap's sentence ends with the paths that would fill it.
_PATHS = re.compile(r"\(([A-Za-z0-9_.]+(?: or [A-Za-z0-9_.]+)*)\)$")
#: So many copies of a file are named on its card.
_MOST_COPIES = 3
_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/tiff"})
_JOBS = {"pack.bundle": "Bundle", "pack.report": "Report", "pack.docx": "Report", "pack.pdf": "PDF"}
_HEADLINE = (
    ("FMV", "Fair market value"),
    ("coop_market_value", "Market value"),
    ("coop_adopted_value", "Adopted value"),
    ("realizable_value", "Realizable value"),
    ("distress_value", "Distress value"),
)


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing, and where on the page it is supplied."""

    text: str
    anchor: str | None


@dataclass(frozen=True, slots=True)
class Gaps:
    """All that keeps the report from being made."""

    facts: tuple[Gap, ...]
    evidence: tuple[Gap, ...]
    blocking: tuple[Gap, ...]
    paths: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.facts) + len(self.evidence) + len(self.blocking)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount that stands at the top."""

    label: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line of the checklist."""

    key: str
    label: str
    asks: str
    min: int
    found: int
    required: bool

    @property
    def is_met(self) -> bool:
        """Whether as many are there as are asked for."""
        return self.found >= self.min


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of evidence as a card."""

    id: UUID
    key: str
    label: str | None
    filename: str | None
    what: str
    status: str
    media: str
    order: int | None
    captured_at: Any
    position: str
    has_picture: bool
    may_open: bool
    why_closed: str
    copies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkedFact:
    """A fact and the evidence that shows it."""

    id: UUID
    field_key: str
    label: str
    evidence_key: str
    confidence: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A field that a finding names, and where it is entered."""

    label: str
    anchor: str | None


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding in words, and whether it blocks."""

    code: str
    name: str
    says: str
    tone: str
    message: str
    remedy: str | None
    source: str | None
    fields: tuple[FieldPlace, ...]
    is_blocking: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A job of a pack and how far it is."""

    label: str
    percent: int
    now: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Signing:
    """Whether the person may sign, as whom, and why not."""

    may: bool
    name: str = ""
    registration: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Releasing:
    """What the gate would do now with the report, and what the person may do about it.

    `key` is that of the form's release: sent twice, it is one.
    """

    says: str
    tone: str
    message: str
    is_released: bool
    may: bool
    key: str
    last_blocked: Any


def view_of(
    connection: Connection,
    actor: Actor,
    order: WorkOrder,
    *,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the template of a work order shows, as it is in this transaction.

    Args:
        connection: of the person's audience.
        actor: who looks; what they may not see or do is not offered.
        order: the work order.
        typed: facts that were entered and not taken.
        problems: what is wrong with them, by input.
    """
    catalogue = library().catalogue
    assert catalogue is not None
    live = case_of(connection, order)
    examination = examine(live.case, catalogue)
    evaluation = examination.evaluation
    contract = contract_of(order.contract)
    gaps = gaps_of(evaluation)
    profile = profile_of(catalogue.profiles, evaluation)
    may_edit = order.status not in FROZEN and actor.may("repogen.write")
    links, linkable = _links(connection, order, catalogue.field_definitions)
    pack = pack_view(connection, actor, order)
    moves = moves_of(order, actor, evaluation.readiness)
    return {
        "order": order,
        "evaluation": evaluation,
        "readiness": evaluation.readiness,
        "gaps": gaps,
        "hints": tuple(
            one.message
            for one in evaluation.readiness.suggestions
            if not evaluation.readiness.ready
        ),
        "headline": headline_of(evaluation),
        "next_action": next_action(order, actor, gaps, pack, moves),
        "moves": moves,
        "groups": form_of(contract, needed=gaps.paths, typed=typed, problems=problems),
        "unit_names": layout()["unit_names"],
        "locked": _why_locked(order, actor),
        "may_edit": may_edit,
        "may_edit_evidence": order.status not in FROZEN and actor.may("evidence.write"),
        "figure_groups": figure_groups(examination),
        "findings": findings_of(examination),
        "warnings": other_warnings(evaluation),
        "checklist": checklist_of(profile, evaluation),
        "pieces": pieces_of(connection, actor, order),
        "links": links,
        "linkable": linkable,
        "unlinked": evaluation.readiness.missing_field_evidence_links,
        "comments": comments_of(connection, order),
        "history": history_of(connection, order) if actor.may("audit.read") else None,
        **pack,
    }


def _why_locked(order: WorkOrder, actor: Actor) -> str:
    if order.status in FROZEN:
        return f"Cannot be changed: the work order is {word(order.status, 'status').lower()}."
    return "" if actor.may("repogen.write") else "You may read these, and not change them."


def gaps_of(evaluation: Evaluation) -> Gaps:
    """What is missing, each with the place on the page where it is supplied."""
    readiness = evaluation.readiness
    facts: list[Gap] = []
    paths: list[tuple[str, ...]] = []
    for sentence in readiness.missing_fields:
        found = _PATHS.search(sentence)
        named = found[1].split(" or ") if found else []
        paths.append(tuple(named))
        anchor = next(filter(None, map(anchor_of, named)), None)
        facts.append(Gap(_PATHS.sub("", sentence).strip().removesuffix(" is missing"), anchor))
    evidence = tuple(
        Gap(f"{one.label}: {one.found} of {one.min}", f"needs-{one.requirement}")
        for one in readiness.required_evidence_minimums
        if one.required and one.found < one.min
    )
    names = {one.code: one.name for one in evaluation.findings}
    blocking = tuple(
        Gap(names.get(code, code), f"finding-{code}") for code in readiness.blocking_findings
    )
    return Gaps(tuple(facts), evidence, blocking, tuple(paths))


def anchor_of(path: str) -> str | None:
    """Where on the page a path is entered; a figure stands among the figures."""
    if path.startswith("figures."):
        return f"figure-{path.removeprefix('figures.')}"
    bare = re.sub(r"\[[^\]]*\].*$", "", path)
    for group in layout()["groups"]:
        for field in group.get("fields", ()):
            if field["path"] == bare or field["path"].startswith(bare + "."):
                found: str = field["path"]
                return found
        for table in group.get("tables", ()):
            if table["path"] == bare:
                return bare
    key = group_of(bare)
    return f"facts-{key}" if key else None


def headline_of(evaluation: Evaluation) -> tuple[Amount, ...]:
    """The amounts that the report is about, as far as they are known."""
    computed = evaluation.contract.computed_values
    if computed is None:
        return ()
    found = ((label, getattr(computed, name)) for name, label in _HEADLINE)
    return tuple(Amount(label, value.value) for label, value in found if value is not None)


def profile_of(profiles: Iterable[Profile], evaluation: Evaluation) -> Profile | None:
    """The profile that the evaluation went by."""
    wanted = (evaluation.profile.id, evaluation.profile.version)
    return next((one for one in profiles if (one.profile, one.version) == wanted), None)


def checklist_of(profile: Profile | None, evaluation: Evaluation) -> tuple[Wanted, ...]:
    """What the profile asks for in this case, in the order of the annexures."""
    asked = {need.key: need for need in profile.requirements} if profile else {}
    lines = [
        (
            asked[one.requirement].order if one.requirement in asked else 1_000,
            Wanted(
                one.requirement,
                one.label,
                _asks(asked[one.requirement]) if one.requirement in asked else "",
                one.min,
                one.found,
                one.required,
            ),
        )
        for one in evaluation.readiness.required_evidence_minimums
    ]
    return tuple(line for _, line in sorted(lines, key=lambda pair: (pair[0], pair[1].key)))


def _asks(need: Requirement) -> str:
    """The evidence that a requirement asks for, in the words of the page."""
    types = " or ".join(word(one, "evidence_type") for one in _several(need.type))
    papers = " or ".join(word(one, "doc_type") for one in _several(need.doc_type or ()))
    tags = [value.replace("_", " ") for _, value in sorted(need.tags.items())]
    capture = need.capture
    if capture is None:
        told = []
    else:
        read = [
            name
            for name, asked in (("position", capture.located), ("date", capture.dated))
            if asked
        ]
        told = [f"with {' and '.join(read)}"] if read else []
        told += ["taken at the site"] if capture.on_site else []
    return ", ".join(filter(None, (types, papers, *tags, *told)))


def _several(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else one_or_more


def pieces_of(connection: Connection, actor: Actor, order: WorkOrder) -> tuple[Piece, ...]:
    """The evidence, in the order of the annexures, with a warning where a file is used twice."""
    rows = evidence_records.evidence_items(connection, order.tenant_id, order.work_order_id)
    copies = duplicates_of(
        connection, actor, {row.document_id for row in rows if row.document_status == "uploaded"}
    )
    return tuple(_piece(row, actor, order, copies.get(row.document_id, ())) for row in rows)


def _copy_words(copy: Copy, order: WorkOrder) -> str:
    how = f"The {copy.how}"
    # The name of a guarded file is not told to everybody.
    name = copy.original_filename or "a guarded file"
    if copy.work_order_id is None:
        return f"{how} as {name}"
    if copy.work_order_id == order.work_order_id:
        return f"{how} as {name}, in this work order"
    return f"{how} is used in {copy.work_order_reference}"


def _piece(row: Row[Any], actor: Actor, order: WorkOrder, copies: Sequence[Copy]) -> Piece:
    is_there = row.document_status == "uploaded"
    is_guarded = row.sensitivity in GUARDED
    may_see = may_open_file(actor, row)
    may_open = is_there and may_see and actor.may("evidence.read")
    category = (row.tags or {}).get("category", "")
    what = [
        word(row.doc_type, "doc_type")
        if row.doc_type
        else word(row.evidence_type, "evidence_type"),
        category.replace("_", " "),
    ]
    if is_guarded:
        what.append(word(row.sensitivity, "sensitivity").lower())
    facts = read_stored_facts(row.facts) if row.facts else None
    return Piece(
        id=row.evidence_item_id,
        key=row.key,
        label=row.label,
        # The name of a guarded file may be a person's.
        filename=row.filename if may_see else None,
        what=", ".join(filter(None, what)),
        status=row.document_status or "promised",
        media={"application/pdf": "PDF"}.get(row.media_type or "", row.media_type or ""),
        order=row.annexure_order,
        captured_at=row.captured_at or (facts.captured_at if facts else None),
        position=_position(facts),
        # Drawing a guarded file would be opening it, which is recorded each time.
        has_picture=may_open and not is_guarded and row.media_type in _PICTURES,
        may_open=may_open,
        why_closed="Not there yet" if not is_there else "You may not open it",
        copies=tuple(_copy_words(copy, order) for copy in copies[:_MOST_COPIES]),
    )


def _position(facts: FileFacts | None) -> str:
    at = facts.located_at if facts else None
    if at is None or at.latitude is None or at.longitude is None:
        return ""
    return f"{plain(round(at.latitude, 5))}, {plain(round(at.longitude, 5))}"


def _links(
    connection: Connection, order: WorkOrder, definitions: Iterable[Any]
) -> tuple[tuple[LinkedFact, ...], tuple[Any, ...]]:
    known = {one.key: one for one in definitions}
    rows = evidence_records.field_links(connection, order.tenant_id, order.work_order_id)
    links = tuple(
        LinkedFact(
            row.field_evidence_link_id,
            row.field_key,
            known[row.field_key].label if row.field_key in known else row.field_key,
            row.evidence_key,
            None if row.confidence is None else plain(row.confidence.normalize()),
            row.note,
        )
        for row in rows
    )
    linkable = sorted(
        (one for one in known.values() if not one.key.startswith("figures.")),
        key=lambda one: one.label,
    )
    return links, tuple(linkable)


def findings_of(examination: Examination) -> tuple[ShownFinding, ...]:
    """What the checks have to say, what blocks first; what passes says nothing."""
    evaluation = examination.evaluation
    blocking = set(evaluation.readiness.blocking_findings)
    rank = {"error": 0, "warning": 1, "note": 2}
    shown = [one for one in evaluation.findings if one.outcome not in {"pass", "not_applicable"}]
    shown.sort(key=lambda one: (one.code not in blocking, rank[one.severity], one.code))
    return tuple(_finding(one, is_blocking=one.code in blocking) for one in shown)


def _finding(one: Finding, *, is_blocking: bool) -> ShownFinding:
    says = word(one.severity, "severity")
    tone = {"error": "bad", "warning": "warn"}.get(one.severity, "")
    if one.severity == "error" and not is_blocking:
        says, tone = "Accepted", "good"
    return ShownFinding(
        code=one.code,
        name=one.name,
        says=says,
        tone=tone,
        message=one.message,
        remedy=one.remedy,
        source=one.source,
        fields=tuple(FieldPlace(field, anchor_of(field)) for field in one.fields),
        is_blocking=is_blocking,
    )


def other_warnings(evaluation: Evaluation) -> tuple[str, ...]:
    """Warnings of the readiness that are no finding's, which stand above already."""
    codes = {one.code for one in evaluation.findings}
    return tuple(
        sentence
        for sentence in evaluation.readiness.warnings
        if sentence.partition(":")[0] not in codes
    )


def pack_view(connection: Connection, actor: Actor, order: WorkOrder) -> dict[str, Any]:
    """The current pack, how far it is, its files, who signed, and the versions before it."""
    packs = pack_records.packs_of(
        connection, order.tenant_id, order.work_order_id, below=1_000_001, limit=20
    )
    pack = next((one for one in packs if one.is_current), None)
    found: dict[str, Any] = {
        "pack": pack,
        "steps": (),
        "artifacts": (),
        "sign_off": None,
        "sign_off_said": "",
        "signing": Signing(may=False),
        "earlier_packs": tuple(one for one in packs if not one.is_current),
        "released": deliverables_answer(connection, actor, order).items,
        "releasing": None,
    }
    if pack is None:
        return found
    artifacts = pack_records.artifacts_of(connection, order.tenant_id, [pack.pack_id])
    found["steps"] = steps_of(
        pack_records.operations_of(connection, order.tenant_id, [pack.pack_id])
    )
    found["releasing"] = releasing_of(connection, actor, order)
    # What is released is listed by its version, and what was withdrawn is nobody's.
    state = next((one.state for one in found["released"] if one.version == pack.version), None)
    found["artifacts"] = tuple(
        sorted(
            (
                one
                for one in artifacts
                if (state is None or (state == "withdrawn" and one.kind == "bundle"))
                and actor.may("deliverables.download")
                and may_review(actor, one.kind)
            ),
            key=lambda one: ("docx", "pdf", "bundle").index(one.kind),
        )
    )
    sign_off = found["sign_off"] = sign_off_state(connection, pack)
    found["sign_off_said"] = said_of_sign_off(sign_off.needed, len(sign_off.signed))
    found["signing"] = signing_of(connection, actor, pack, sign_off.signed)
    return found


def said_of_sign_off(needed: int, signed: int) -> str:
    """How many valuers must still sign, in a sentence."""
    left = needed - signed
    if left <= 0:
        return f"Signed: {signed} of {needed}. Nothing more is needed."
    who = f"{left}{' more' if signed else ''} registered {'valuer' if left == 1 else 'valuers'}"
    why = f"; a report of this value needs {needed}" if needed > 1 and signed else ""
    return f"{who} must sign this digest{why}."


def releasing_of(connection: Connection, actor: Actor, order: WorkOrder) -> Releasing:
    """What the gate would do now; the release itself decides again."""
    gate = gate_status(connection, actor, order)
    is_released = gate.releasable_without_override and gate.gate_result is None
    latest = decisions_of(connection, order.tenant_id, order.work_order_id, limit=1)
    says, tone = "Waits", "warn"
    if gate.releasable_without_override:
        says, tone = ("Released", "good") if is_released else ("Can be released", "live")
    return Releasing(
        says=says,
        tone=tone,
        message=gate.message,
        is_released=is_released,
        may=actor.may("deliverables.release") and gate.gate_result in {"PAID", "CREDIT_CONSUMED"},
        key=str(new_id()),
        last_blocked=latest[0] if latest and latest[0].is_blocked else None,
    )


def steps_of(operations: Sequence[Operation]) -> tuple[Step, ...]:
    """The jobs of a pack as bars."""
    return tuple(
        Step(
            _JOBS.get(one.kind, one.kind.rpartition(".")[2].replace("_", " ").capitalize()),
            100 if one.status == "done" else one.percent,
            (one.step or "waits for its turn")
            if one.status in {"pending", "sent", "running"}
            else "",
            one.status in {"done", "dead", "cancelled"},
        )
        for one in operations
    )


def signing_of(connection: Connection, actor: Actor, pack: Pack, signed: Sequence[Any]) -> Signing:
    """Whether the person could sign now; the signing itself decides again."""
    if not actor.may("repogen.sign"):
        return Signing(may=False, why_not="Your role does not sign reports.")
    if any(one.signed_by == actor.user_id for one in signed):
        return Signing(
            may=False, why_not="You have signed. The next signature has to be another valuer's."
        )
    valuer = connection.execute(
        text(
            "select name, registration, may_sign from valuers"
            " where tenant_id = :tenant and user_id = :person"
        ),
        {"tenant": pack.tenant_id, "person": actor.user_id},
    ).one_or_none()
    if valuer is None or not valuer.may_sign or not valuer.registration:
        return Signing(
            may=False,
            why_not="Only a valuer of the firm's register, with a registration on file, may sign; "
            "your login is not that of one.",
        )
    return Signing(may=True, name=valuer.name, registration=valuer.registration)


def comments_of(connection: Connection, order: WorkOrder) -> Sequence[Row[Any]]:
    """What people have remarked, the latest first."""
    return connection.execute(
        text(
            "select c.comment_type, c.body, c.created_at, coalesce(u.name, 'the service') as by"
            " from comments c left join users u on u.user_id = c.created_by"
            " where c.tenant_id = :tenant and c.work_order_id = :id"
            " order by c.created_at desc, c.comment_id desc limit 100"
        ),
        {"tenant": order.tenant_id, "id": order.work_order_id},
    ).all()
