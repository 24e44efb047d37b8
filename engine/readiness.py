"""Whether a report can be rendered: which facts, evidence and acceptances are missing.

A requirement that does not apply is not counted; evidence that is not of an accepted status is not
there. More evidence never lowers the score, because places once filled stay filled
(`engine.evidence_matching`) and nothing else about the score looks at evidence.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from contracts.evaluation import EvidenceMinimum, Finding, Readiness, Suggestion
from contracts.evidence import DocType, Evidence, EvidenceType, FieldLink
from engine.conditions import Holds, compile_condition
from engine.evidence_matching import match_evidence
from engine.rules.contract_paths import reader

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from contracts.contract import Contract, Coordinates
    from contracts.field_definitions import FieldDefinition
    from contracts.profile import Profile, RequiredField, Requirement

#: Begins the key of a figure that the rule set computes.
FIGURES = "figures."
#: Outcomes of an error finding that leave something to be settled.
_UNSETTLED = frozenset({"fail", "open", "review"})
_PICTURES = frozenset({"PHOTO", "SCREENSHOT", "GEO"})

_by_key = attrgetter("key")


@dataclass(frozen=True, slots=True)
class _Field:
    """A fact that must be known."""

    key: str
    label: str
    message: str
    reads: tuple[Callable[[Any], Any], ...]
    figures: tuple[str, ...]
    keys: frozenset[str]
    when: int | None
    #: The requirements whose evidence shows it.
    shown_by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Need:
    """A requirement, made ready for comparing."""

    index: int
    key: str
    label: str
    min: int
    required: bool
    shared: bool
    when: int | None
    #: Tags besides the category, by which requirements are looked up.
    tags: tuple[tuple[str, str], ...]
    statuses: frozenset[str]
    located: bool
    dated: bool
    on_site: bool
    captured: bool
    description: str
    #: What is reported for no piece, one piece, and so on: the same few for every case.
    minimums: tuple[EvidenceMinimum, ...]

    def is_tagged(self, piece: Evidence) -> bool:
        """Whether a piece has every tag asked for."""
        return all(piece.tags.get(name) == value for name, value in self.tags)

    def is_captured(self, piece: Evidence) -> bool:
        """Whether what must be known about the making of a piece is known."""
        facts = piece.facts
        return (
            (
                not self.located
                or _is_position(piece.located_at)
                or (facts is not None and _is_position(facts.located_at))
            )
            and (
                not self.dated
                or piece.captured_at is not None
                or (facts is not None and facts.captured_at is not None)
            )
            and (not self.on_site or piece.taken_on_site is True)
        )

    def lacks(self, piece: Evidence) -> tuple[str, ...]:
        """What keeps a piece of the right type and tags from counting."""
        lacking: list[str] = []
        if piece.status not in self.statuses:
            lacking.append("was uploaded" if "uploaded" in self.statuses else "was accepted")
        facts = piece.facts
        if self.located and not (
            _is_position(piece.located_at) or (facts and _is_position(facts.located_at))
        ):
            lacking.append("had a position")
        if self.dated and not (piece.captured_at or (facts and facts.captured_at)):
            lacking.append("had the time it was taken")
        if self.on_site and not piece.taken_on_site:
            lacking.append("was taken on the site")
        return tuple(lacking)


#: The requirements that a piece may be about, by its category; under None those that ask for no
#: category.
_ByCategory = dict[str | None, tuple[_Need, ...]]


@dataclass(frozen=True, slots=True)
class CompiledProfile:
    """A resolved profile, ready to be asked; `needs` are in the order in which they are served."""

    profile: Profile
    conditions: tuple[Holds, ...]
    fields: tuple[_Field, ...]
    needs: tuple[_Need, ...]
    candidates: Mapping[str, Mapping[str | None, _ByCategory]]

    def about(self, piece: Evidence) -> tuple[_Need, ...]:
        """The requirements whose type, document type and category are those of a piece."""
        by_category = self.candidates[piece.type][piece.doc_type]
        category = piece.tags.get("category")
        return by_category[category if category in by_category else None]


def compile_profile(
    profile: Profile, field_definitions: Iterable[FieldDefinition]
) -> CompiledProfile:
    """A resolved profile whose conditions are functions and whose paths are read directly.

    Raises:
        FeelError: a condition is no FEEL (callers have seen `check_profiles`).
    """
    definitions = {definition.key: definition for definition in field_definitions}
    texts: dict[str, int] = {}

    def condition(text: str | None) -> int | None:
        return None if text is None else texts.setdefault(text, len(texts))

    # Required ones are served first, so that an optional one never takes their evidence.
    requirements = sorted(
        profile.requirements, key=lambda need: (not need.required, need.order, need.key)
    )
    needs = tuple(
        _need(index, need, condition(need.when)) for index, need in enumerate(requirements)
    )
    fields = tuple(
        _field(field, definitions.get(field.key), condition(field.when), requirements)
        for field in profile.fields
    )
    candidates = {
        kind: {
            doc_type: _by_category(
                [
                    (requirement, need)
                    for requirement, need in zip(requirements, needs, strict=True)
                    if kind in _several(requirement.type)
                    and (requirement.doc_type is None or doc_type in _several(requirement.doc_type))
                ]
            )
            for doc_type in (None, *typing.get_args(DocType))
        }
        for kind in typing.get_args(EvidenceType)
    }
    return CompiledProfile(profile, tuple(map(compile_condition, texts)), fields, needs, candidates)


def _by_category(needs: Sequence[tuple[Requirement, _Need]]) -> _ByCategory:
    categories = {requirement.tags.get("category") for requirement, _ in needs} | {None}
    return {
        category: tuple(
            [
                need
                for requirement, need in needs
                if requirement.tags.get("category", category) == category
            ]
        )
        for category in categories
    }


def field_paths(field: RequiredField, definition: FieldDefinition | None) -> tuple[str, ...]:
    """The contract paths and figures of which one must be known."""
    return field.any_of or (definition and definition.any_of) or (field.key,)


def _field(
    field: RequiredField,
    definition: FieldDefinition | None,
    when: int | None,
    requirements: Sequence[Requirement],
) -> _Field:
    paths = field_paths(field, definition)
    label = field.label or (definition.label if definition else field.key)
    keys = frozenset({field.key, *paths})
    return _Field(
        key=field.key,
        label=label,
        message=f"{label} is missing ({' or '.join(paths)})",
        reads=tuple(reader(path) for path in paths if not path.startswith(FIGURES)),
        figures=tuple(path[len(FIGURES) :] for path in paths if path.startswith(FIGURES)),
        keys=keys,
        when=when,
        shown_by=tuple(
            index for index, need in enumerate(requirements) if not keys.isdisjoint(need.fields)
        ),
    )


def _need(index: int, need: Requirement, when: int | None) -> _Need:
    capture = need.capture
    located, dated, on_site = (
        (capture.located, capture.dated, capture.on_site) if capture else (False, False, False)
    )
    return _Need(
        index=index,
        key=need.key,
        label=need.label,
        min=need.min,
        required=need.required,
        shared=need.shared,
        when=when,
        tags=tuple(sorted(item for item in need.tags.items() if item[0] != "category")),
        statuses=frozenset(need.accept_status),
        located=located,
        dated=dated,
        on_site=on_site,
        captured=located or dated or on_site,
        description=described(need),
        minimums=tuple(_minimum(need, found) for found in range(need.min + 3)),
    )


def _minimum(need: Requirement | _Need, found: int) -> EvidenceMinimum:
    return EvidenceMinimum(need.key, need.label, need.min, found, need.required)


def described(need: Requirement) -> str:
    """The evidence that a requirement asks for, in words: `PHOTO, category exterior`."""
    words = [" or ".join(_several(need.type))]
    if need.doc_type is not None:
        words.append(" or ".join(_several(need.doc_type)))
    words += [f"{name} {value}" for name, value in sorted(need.tags.items())]
    if need.capture:
        circumstances = [
            text
            for asked, text in (
                (need.capture.located, "with position"),
                (need.capture.dated, "with date"),
                (need.capture.on_site, "taken on the site"),
            )
            if asked
        ]
        words.append(" and ".join(circumstances))
    return ", ".join(filter(None, words))


def _several(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else one_or_more


def _is_position(position: Coordinates | None) -> bool:
    return position is not None and position.latitude is not None and position.longitude is not None


def is_filled(value: object) -> bool:
    """Whether a fact is known. Nothing, an empty text, list or part is not what was asked for."""
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, (tuple, dict)):
        return bool(value)
    if isinstance(value, BaseModel):
        return any(map(is_filled, vars(value).values()))
    return True


def assess(
    contract: Contract,
    evidence: Iterable[Evidence],
    links: Iterable[FieldLink],
    profile: CompiledProfile,
    *,
    figures: Mapping[str, bool],
    findings: Iterable[Finding],
) -> Readiness:
    """What is missing before the report can be rendered, and what would fill each gap.

    Args:
        contract: as evaluated.
        evidence: all of it, in any order.
        links: which evidence shows which field; they give warnings, never a missing thing.
        profile: the one selected for this report.
        figures: for each value of the rule set by its name, whether it is known.
        findings: those of the evaluation. An error that is not settled blocks unless the
            contract accepts it; an acceptance without a row covers the finding's every row.
    """
    answers = [holds(contract) for holds in profile.conditions]
    pieces = sorted(evidence, key=_by_key)
    needs = profile.needs
    active = [need.when is None or answers[need.when] for need in needs]
    counted = _counted(profile, pieces, active)
    minimums: list[EvidenceMinimum] = []
    short: list[int] = []
    checks = passed = 0
    for index, need in enumerate(needs):
        if not active[index]:
            continue
        found = len(counted[index])
        minimums.append(
            need.minimums[found] if found < len(need.minimums) else _minimum(need, found)
        )
        if need.required:
            checks += 1
            if found < need.min:
                short.append(index)
            else:
                passed += 1
    missing: list[_Field] = []
    unlinked: list[_Field] = []
    linked = _linked_fields(links, pieces)
    for field in profile.fields:
        if field.when is not None and not answers[field.when]:
            continue
        checks += 1
        if not _is_known(field, contract, figures):
            missing.append(field)
            continue
        passed += 1
        if field.reads and linked.isdisjoint(field.keys):
            unlinked.append(field)
    blocking, warnings = _blocking(contract, findings)
    if not any(piece.type in _PICTURES and piece.status == "uploaded" for piece in pieces):
        warnings.append("The annexures are empty: there is no photograph or screenshot yet.")
    if unlinked:
        warnings.append(_links_notice(unlinked))
    return Readiness(
        ready=not (missing or short or blocking),
        # Half a point rounds up, as the original's score does.
        completeness_score=(200 * passed + checks) // (2 * checks) if checks else 100,
        missing_fields=tuple([field.message for field in missing]),
        missing_evidence=tuple(
            [
                f"{needs[index].label}: need at least {needs[index].min}, "
                f"found {len(counted[index])}"
                for index in short
            ]
        ),
        missing_field_evidence_links=tuple([field.key for field in unlinked]),
        warnings=tuple(warnings),
        required_evidence_minimums=tuple(minimums),
        blocking_findings=blocking,
        suggestions=(
            *(_evidence_suggestion(profile, index, counted, pieces) for index in short),
            *_field_suggestions(missing, needs, active, counted, pieces, "Read"),
            *_field_suggestions(unlinked, needs, active, counted, pieces, "Link"),
        ),
    )


def pieces_counted(
    contract: Contract, evidence: Iterable[Evidence], profile: CompiledProfile
) -> dict[str, tuple[str, ...]]:
    """For each requirement that applies, by its key, the keys of the pieces that count for it."""
    answers = [holds(contract) for holds in profile.conditions]
    pieces = sorted(evidence, key=_by_key)
    active = [need.when is None or answers[need.when] for need in profile.needs]
    counted = _counted(profile, pieces, active)
    return {
        need.key: tuple(pieces[number].key for number in counted[need.index])
        for need in profile.needs
        if active[need.index]
    }


def _counted(
    profile: CompiledProfile, pieces: Sequence[Evidence], active: Sequence[bool]
) -> list[Sequence[int]]:
    """For each requirement the pieces that count for it, by their number."""
    needs = profile.needs
    pools: list[list[int]] = [[] for _ in needs]
    #: Requirements that some piece fits beside another.
    contested: set[int] = set()
    for number, piece in enumerate(pieces):
        before: int | None = None
        for need in profile.about(piece):
            index = need.index
            if (
                not active[index]
                or piece.status not in need.statuses
                or (need.tags and not need.is_tagged(piece))
                or (need.captured and not need.is_captured(piece))
            ):
                continue
            pools[index].append(number)
            if need.shared:
                continue
            if before is not None:
                contested.update((before, index))
            before = index
    counted: list[Sequence[int]] = [*pools]
    if contested:
        served = sorted(contested)
        matched = match_evidence(
            [pools[index] for index in served], [needs[index].min for index in served]
        )
        for index, numbers in zip(served, matched, strict=True):
            counted[index] = numbers
    return counted


def _linked_fields(links: Iterable[FieldLink], pieces: Sequence[Evidence]) -> set[str]:
    there = {piece.key for piece in pieces if piece.status == "uploaded"}
    return {link.field for link in links if link.evidence in there}


def _is_known(field: _Field, contract: Contract, figures: Mapping[str, bool]) -> bool:
    for read in field.reads:
        if is_filled(read(contract)):
            return True
    return any(figures.get(name, False) for name in field.figures)


def _blocking(contract: Contract, findings: Iterable[Finding]) -> tuple[tuple[str, ...], list[str]]:
    """The codes of the findings that block, and a sentence for each that does not."""
    accepted = {
        (item.code if item.row is None else f"{item.code}[{item.row}]"): item
        for item in contract.accepted_findings or ()
    }
    blocking: list[str] = []
    sentences: list[str] = []
    for finding in findings:
        if finding.severity != "error":
            if finding.outcome not in {"pass", "not_applicable"}:
                sentences.append(f"{finding.code}: {finding.message}")
        elif finding.outcome in _UNSETTLED:
            code = finding.code
            item = accepted.get(code) or accepted.get(code.partition("[")[0])
            if item is None:
                blocking.append(code)
            else:
                sentences.append(
                    f"{code}: {finding.message} (accepted by {item.name}: {item.reason})"
                )
    return tuple(blocking), sentences


def _links_notice(unlinked: Sequence[_Field]) -> str:
    if len(unlinked) == 1:
        return f"1 field has no link to its evidence: {unlinked[0].label}."
    return f"{len(unlinked)} fields have no link to their evidence."


def _evidence_suggestion(
    profile: CompiledProfile,
    index: int,
    counted: Sequence[Sequence[int]],
    pieces: Sequence[Evidence],
) -> Suggestion:
    need = profile.needs[index]
    count = need.min - len(counted[index])
    message = f"Add {count} of {need.label} ({need.description})."
    nearly = [
        (piece.key, lacking)
        for piece in pieces
        if any(need is other for other in profile.about(piece))
        and need.is_tagged(piece)
        and piece.status != "deleted"
        and (lacking := need.lacks(piece))
    ]
    for key, lacking in nearly:
        message += f" {key} would count if it {' and '.join(lacking)}."
    return Suggestion(message, requirement=need.key, evidence=tuple(key for key, _ in nearly))


def _field_suggestions(
    fields: Iterable[_Field],
    needs: Sequence[_Need],
    active: Sequence[bool],
    counted: Sequence[Sequence[int]],
    pieces: Sequence[Evidence],
    verb: str,
) -> Iterable[Suggestion]:
    """For each field the evidence that shows it: what is there already, else what to get first."""
    for field in fields:
        first: int | None = None
        numbers: Sequence[int] = ()
        for index in field.shown_by:
            if active[index]:
                if first is None:
                    first = index
                if counted[index]:
                    first, numbers = index, counted[index]
                    break
        if first is None:
            continue
        need = needs[first]
        keys = tuple([pieces[number].key for number in numbers])
        if keys:
            message = f"{verb} {field.label} {_TO[verb]} {need.label}: {', '.join(keys)}."
        else:
            message = f"{field.label} is shown by {need.label}, which is not there yet."
        yield Suggestion(message, field.key, need.key, keys)


_TO = {"Read": "from", "Link": "to"}
