"""Checks a bundle from itself alone: what is missing, unexpected or changed, by name.

With nothing but the bundle, every figure and finding can be computed again (`recompute`).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from contracts.annexure_plan import AnnexurePlan
from contracts.bundle import BundledCase, Registers, Signature, TemplateIdentity
from contracts.canonical_json import canonical_json, to_plain
from contracts.case import Case, Firm
from contracts.contract import Contract
from contracts.document import Document, text_of
from contracts.evaluation import Evaluation, ProfileIdentity, RulesetIdentity
from contracts.exact_json import read_json
from contracts.problems import Problem, in_order, shown
from contracts.profile import Profile
from contracts.validation import validate
from engine.catalogue import CatalogueError, make_catalogue
from engine.evaluation import evaluate
from engine.rules.source import RuleSetSource, read_rule_set
from factory.bundle import DECLARATION, DECLARED, INFO, MANIFEST, NONE, SIGNATURE
from factory.folders import open_file
from factory.photographs import kind_of
from factory.stored_zip import LARGEST_ARCHIVE, Entry, chunks_of, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

M = TypeVar("M")

#: Files of the payload that every bundle has.
PARTS = (
    "annexures", "case", "contract", "evaluation", "firm", "profile", "registers", "ruleset",
    "template",
)  # fmt: skip
_TAGS = frozenset({DECLARATION, INFO, MANIFEST, SIGNATURE})
_LINE = re.compile(r"([0-9a-f]{64})  (data/(?:[a-z]+\.json|evidence/[0-9a-f]{64}\.[a-z0-9]{1,8}))")
#: Texts of a bundle are far smaller; the readers take no more.
_LARGEST_TEXT = 16_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """The payload as models."""

    case: BundledCase
    contract: Contract
    evaluation: Evaluation
    profile: Profile | None
    registers: Registers
    ruleset: Document
    annexures: AnnexurePlan
    firm: Firm | None
    template: TemplateIdentity


@dataclass(frozen=True)
class Verification:
    """What a check found.

    `digest` is None when the manifest cannot be read; the names are those of files in the bundle.
    `parts` is what a sound bundle holds.
    """

    digest: str | None
    problems: tuple[Problem, ...]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    files: int = 0
    signature: Signature | None = None
    parts: Parts | None = field(default=None, repr=False, compare=False)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass
class Contents:
    """An opened bundle while it is checked."""

    file: BinaryIO
    name: str
    entries: Mapping[str, Entry]
    problems: list[Problem] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """The bytes of a text of the bundle, at most as many as a text may have."""
        return b"".join(
            chunks_of(
                self.file,
                replace(self.entries[name], size=min(self.entries[name].size, _LARGEST_TEXT)),
            )
        )

    def note(self, code: str, what: str, why: str = "", fix: str = "") -> None:
        """Add a problem of this bundle."""
        self.problems.append(Problem(code, what, why, fix, file=shown(self.name)))


def verify_bundle(path: Path, *, recompute: bool = False) -> Verification:
    """Everything that is wrong with a bundle.

    Args:
        path: the bundle.
        recompute: also evaluate its case again, with its own rule set, profile and registers.
    """
    name = str(path)
    file, problems = open_file(path, name, limit=LARGEST_ARCHIVE)
    if file is None:
        return Verification(None, problems)
    with file:
        entries, problems = read_entries(file, name)
        bundle = Contents(file, name, {entry.name: entry for entry in entries}, list(problems))
        if problems:
            return Verification(None, problems)
        return _verify(bundle, recompute=recompute)


def _verify(bundle: Contents, *, recompute: bool) -> Verification:
    _check_tags(bundle)
    if MANIFEST not in bundle.entries:
        bundle.note("E612", f"'{MANIFEST}' is missing", fix="Ask for the bundle again.")
        return Verification(None, in_order(bundle.problems), missing=(MANIFEST,))
    text = bundle.read(MANIFEST)
    digest = hashlib.sha256(text).hexdigest()
    listed = _manifest(bundle, text)
    missing = tuple(sorted(listed.keys() - bundle.entries.keys()))
    unexpected = tuple(sorted(bundle.entries.keys() - listed.keys() - _TAGS))
    changed = tuple(
        entry.name
        for entry in bundle.entries.values()
        if not _is_as_listed(bundle, entry, listed.get(entry.name))
    )
    for names, code, what in (
        (missing, "E612", "is in the manifest, but not in the bundle"),
        (unexpected, "E613", "is in the bundle, but not in the manifest"),
        (changed, "E614", "is not what it was when the bundle was built"),
    ):
        for name in names:
            bundle.note(code, f"'{shown(name, 200)}' {what}", fix="Ask for the bundle again.")
    signature = _signature(bundle, digest)
    contents = None
    if not bundle.problems:
        contents = _read_parts(bundle, listed)
        if contents is not None and recompute and not bundle.problems:
            _recompute(bundle, contents)
    return Verification(
        digest,
        in_order(bundle.problems),
        missing,
        unexpected,
        changed,
        len(listed),
        signature,
        contents if not bundle.problems else None,
    )


def _check_tags(bundle: Contents) -> None:
    for name in (DECLARATION, INFO):
        if name not in bundle.entries:
            bundle.note("E612", f"'{name}' is missing", fix="Ask for the bundle again.")
    if DECLARATION in bundle.entries and bundle.read(DECLARATION) != DECLARED:
        bundle.note("E614", f"'{DECLARATION}' is not what it was when the bundle was built")


def _manifest(bundle: Contents, text: bytes) -> dict[str, str]:
    lines = text.decode("utf-8", errors="replace").split("\n")
    matches = [_LINE.fullmatch(line) for line in lines[:-1]]
    names = [match[2] for match in matches if match]
    if lines[-1] or None in matches or names != sorted(set(names)):
        bundle.note(
            "E615",
            f"'{MANIFEST}' is not of the form that zenops build writes",
            why="It holds a line for each file of the payload, sorted: sha256, two blanks, name.",
            fix="Ask for the bundle again.",
        )
    return {match[2]: match[1] for match in matches if match}


def _is_as_listed(bundle: Contents, entry: Entry, listed: str | None) -> bool:
    """Whether an entry's bytes have the checksum of its header and the digest of the manifest."""
    crc, digest = 0, hashlib.sha256()
    for chunk in chunks_of(bundle.file, entry):
        crc = zlib.crc32(chunk, crc)
        digest.update(chunk)
    return crc == entry.crc and listed in {None, digest.hexdigest()}


def _signature(bundle: Contents, digest: str) -> Signature | None:
    """The bundle's signature, if it has one that fits its digest and its own key."""
    if SIGNATURE not in bundle.entries:
        return None
    from factory.signing import fits  # noqa: PLC0415 - cryptography is only loaded if needed

    signature = _model(bundle, SIGNATURE, Signature)
    if signature is not None and not fits(signature, digest):
        bundle.note(
            "E621",
            f"'{SIGNATURE}' does not fit this bundle",
            why="It was made for another digest, or was changed.",
            fix="Ask the signer to sign this bundle.",
        )
        return None
    return signature


def _read_parts(bundle: Contents, listed: Mapping[str, str]) -> Parts | None:
    """The payload as models, when all of it is there and fits together."""
    for name in PARTS:
        if f"data/{name}.json" not in bundle.entries:
            bundle.note("E612", f"'data/{name}.json' is missing", fix="Ask for the bundle again.")
    if bundle.problems:
        return None
    documents = {name: _document(bundle, f"data/{name}.json") for name in PARTS}
    case = _model(bundle, "data/case.json", BundledCase)
    contract = _model(bundle, "data/contract.json", Contract)
    evaluation = _model(bundle, "data/evaluation.json", Evaluation)
    registers = _model(bundle, "data/registers.json", Registers)
    plan = _model(bundle, "data/annexures.json", AnnexurePlan)
    template = _model(bundle, "data/template.json", TemplateIdentity)
    firm = _model(bundle, "data/firm.json", Firm) if documents["firm"].value else None
    profile = _model(bundle, "data/profile.json", Profile) if documents["profile"].value else None
    if bundle.problems:
        return None
    assert case
    assert contract
    assert evaluation
    assert registers
    assert plan
    assert template
    for identity, name, empty in (
        (evaluation.ruleset, "ruleset", not documents["ruleset"].value),
        (evaluation.profile, "profile", profile is None),
    ):
        digest = "" if empty else hashlib.sha256(bundle.read(f"data/{name}.json")).hexdigest()
        if identity.digest != digest:
            bundle.note("E616", f"'data/{name}.json' is not what the figures were computed with")
    _check_evidence(bundle, case, plan, firm, listed)
    return Parts(
        case=case,
        contract=contract,
        evaluation=evaluation,
        profile=profile,
        registers=registers,
        ruleset=documents["ruleset"],
        annexures=plan,
        firm=firm,
        template=template,
    )


def _check_evidence(
    bundle: Contents,
    case: BundledCase,
    plan: AnnexurePlan,
    firm: Firm | None,
    listed: Mapping[str, str],
) -> None:
    """Stored evidence is what its name says, is named by the case, and nothing else is there."""
    stored = {name for name in bundle.entries if name.startswith("data/evidence/")}
    named = {f"data/{piece.file}" for piece in case.evidence if piece.file is not None}
    if firm is not None and firm.logo is not None:
        named.add(f"data/{firm.logo}")
    for name in sorted(stored ^ named):
        bundle.note(
            "E616",
            f"'{shown(name, 200)}' is stored, but no part of the case"
            if name in stored
            else f"'{shown(name, 200)}' is named by the case, but not stored",
        )
    for name in sorted(stored):
        digest, ending = name.removeprefix("data/evidence/").split(".")
        entry = bundle.entries[name]
        head = next(chunks_of(bundle.file, replace(entry, size=min(32, entry.size))), b"")
        kind = kind_of(head)
        if listed[name] != digest or kind is None or kind.ending != ending:
            bundle.note("E616", f"'{shown(name, 200)}' is not what its name says")
    digests = {piece.key: piece.facts.sha256 for piece in case.evidence if piece.facts}
    for piece in case.evidence:
        own = piece.facts and f"evidence/{piece.facts.sha256}."
        if bool(own) != bool(piece.file) or (own and not str(piece.file).startswith(own)):
            bundle.note(
                "E616", f"the evidence '{shown(piece.key)}' names another file than its own"
            )
    for image in (i for page in plan.pages for section in page.sections for i in section.images):
        if digests.get(image.evidence) != image.sha256:
            bundle.note(
                "E616", f"the page plan shows '{shown(image.evidence)}', which is no such evidence"
            )


def _document(bundle: Contents, name: str) -> Document:
    """The values of a text of the bundle; what is wrong with it is noted the first time."""
    if name not in bundle.documents:
        bundle.documents[name] = _read_document(bundle, name)
    return bundle.documents[name]


def _read_document(bundle: Contents, name: str) -> Document:
    content = bundle.read(name)
    text, problems = text_of(content, name)
    document = Document(name, text, None, problems) if problems else read_json(text, name)
    if document.problems:
        first = document.problems[0]
        bundle.note("E616", f"'{name}' cannot be read: {first.what}")
        return Document.of_values({})
    if canonical_json(_with_whole_numbers(document.value)) != content:
        bundle.note("E616", f"'{name}' is not canonical JSON")
    return document


def _with_whole_numbers(value: Any) -> Any:
    """The values as they were written: numbers of JSON are whole, decimals are texts."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(inner) for inner in value]
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return value


def _model(bundle: Contents, name: str, model: type[M]) -> M | None:
    document = _document(bundle, name)
    found, problems = validate(model, document)
    for problem in problems[:1]:
        bundle.note("E616", f"'{name}' is not of its shape: {problem.what}")
    return found


def _recompute(bundle: Contents, parts: Parts) -> None:
    """Evaluate the case again, and name every figure and finding that comes out otherwise."""
    before = parts.evaluation
    sources: list[RuleSetSource] = []
    problems: tuple[Problem, ...] = ()
    if before.ruleset.id != NONE:
        written = {key: part for key, part in parts.ruleset.value.items() if key != "schema"}
        source, problems = read_rule_set([Document.of_values(written, parts.ruleset.name)])
        sources = [source] if source is not None else []
    catalogue, unresolved = make_catalogue(
        sources,
        units=parts.registers.units,
        banks=parts.registers.banks,
        profiles=[parts.profile] if parts.profile is not None else [],
        field_definitions=parts.registers.field_definitions,
    )
    case = Case(
        case=parts.case.case,
        contract=parts.contract,
        evidence=parts.case.evidence,
        links=parts.case.links,
        parameters=parts.case.parameters,
        profile=_reference(before.profile),
    )
    wanted = _reference(before.ruleset)
    faults = (*problems, *unresolved)
    after = None
    if not faults:
        try:
            after = evaluate(case, catalogue, as_of=before.as_of, ruleset=wanted)
        except CatalogueError:
            faults = catalogue.check()
    if after is None:
        bundle.note("E617", f"the bundle's rule set cannot be used: {faults[0].what}")
        return
    for what, old, new in _differences(_results(before), _results(after)):
        bundle.note(
            "E617",
            f"{what} was {old} when the bundle was built, and is {new}",
            why="An evaluation of the same facts by the same rules gives the same figures.",
            fix="Tell whoever maintains the software, with both versions; the bundle is unchanged.",
        )


def _reference(identity: RulesetIdentity | ProfileIdentity) -> str | None:
    return None if identity.id == NONE else f"{identity.id}@{identity.version}"


def _results(evaluation: Evaluation) -> dict[str, str]:
    """What an evaluation found, by name; how rule set and profile were chosen is left out."""
    results = {
        f"the figure {entry.field}": _text(entry.value, entry.unit) for entry in evaluation.trace
    }
    results |= {
        f"the finding {finding.code}": f"{finding.outcome} ({finding.message})"
        for finding in evaluation.findings
        if not finding.code.startswith(("RULESET_", "PROFILE_"))
    }
    readiness = evaluation.readiness
    gaps = (*readiness.missing_fields, *readiness.missing_evidence)
    results["the readiness"] = "ready" if readiness.ready else "not ready"
    results["the score"] = str(readiness.completeness_score)
    results["what is missing"] = "; ".join(gaps) or "nothing"
    return results


def _text(value: Any, unit: str | None) -> str:
    return "not known" if value is None else f"{to_plain(value)} {unit or ''}".strip()


def _differences(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for name in {**before, **after}:
        old, new = before.get(name, "not there"), after.get(name, "not there")
        if old != new:
            yield name, shown(old), shown(new)
