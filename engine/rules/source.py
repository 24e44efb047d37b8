"""Rule set files put together: sections of one set, and what a variant changes of its base.

Every entry keeps the place it was written at, so that a fault found later, even in a variant of a
variant, points at the line that its author wrote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from contracts.canonical_json import canonical_json
from contracts.document import Document, Path
from contracts.problems import Problem, nearest
from contracts.quantities import spelled
from contracts.ruleset import (
    AppliesTo,
    Decision,
    Effective,
    FindingRule,
    Input,
    Parameter,
    RuleSetFile,
    Value,
)
from contracts.validation import validate

SECTIONS = ("parameters", "inputs", "values", "decisions", "findings")
_HEAD = ("ruleset", "version", "status", "abstract", "extends", "title", "effective", "applies_to")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written."""

    document: Document
    path: Path

    def problem(
        self,
        code: str,
        what: str,
        why: str = "",
        fix: str = "",
        *,
        key: bool = False,
        span: tuple[int, int] | None = None,
    ) -> Problem:
        """A problem here, or at characters `span` of the expression that is written here."""
        problem = self.document.problem(code, self.path, what, why=why, fix=fix, key=key)
        text = self.written()
        if span is None or not isinstance(text, str):
            return problem
        return self.document.narrowed(problem, self.path, text, *span)

    def written(self) -> Any:
        """What is written here."""
        value = self.document.value
        for step in self.path:
            value = value[step]
        return value

    def at(self, key: str) -> Place:
        """The place of a key, or of the whole where it is not written."""
        value = self.written()
        return self.under(key) if isinstance(value, dict) and key in value else self

    def under(self, *steps: str | int) -> Place:
        """The place of a part."""
        return Place(self.document, (*self.path, *steps))


@dataclass(frozen=True, slots=True)
class Entry:
    """One named thing of a section, as written, with the place of each of its keys."""

    raw: Any
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)

    def at(self, key: str) -> Place:
        """The place of a key, or of the whole entry."""
        return self.keys.get(key, self.place)


Section = dict[str, Entry]


@dataclass(frozen=True, repr=False)
class RuleSetSource:
    """One rule set as written: its head and its own entries."""

    id: str
    version: int
    head: RuleSetFile
    place: Place
    sections: Mapping[str, Section]
    drop: tuple[tuple[str, Place], ...] = ()

    @property
    def reference(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"


@dataclass(frozen=True, repr=False)
class ResolvedRuleSet:
    """A rule set with all that it extends put in; this is what is locked, bundled and compiled."""

    id: str
    version: int
    title: str
    status: str
    abstract: bool
    effective: Effective | None
    applies_to: AppliesTo
    place: Place
    sections: Mapping[str, Section]
    lineage: tuple[str, ...]
    digest: str
    canonical: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"

    def models(self, section: str) -> Iterator[tuple[str, Any, Entry]]:
        """Entries of a section as models, in the order of their names in the files."""
        model = _MODELS[section]
        for name, entry in self.sections[section].items():
            if isinstance(entry.raw, list):
                yield name, tuple(model.model_validate(item) for item in entry.raw), entry
            else:
                yield name, model.model_validate(entry.raw), entry


_MODELS: Mapping[str, type[BaseModel]] = {
    "parameters": Parameter,
    "inputs": Input,
    "values": Value,
    "decisions": Decision,
    "findings": FindingRule,
}


def read_rule_set(
    documents: Sequence[Document],
) -> tuple[RuleSetSource | None, tuple[Problem, ...]]:
    """A rule set from its files, the one with the head anywhere among them.

    Returns:
        The set, or None when its files are not of the right shape; and all problems.
    """
    problems: list[Problem] = []
    head: tuple[RuleSetFile, Document] | None = None
    sections: dict[str, Section] = {name: {} for name in SECTIONS}
    drop: list[tuple[str, Place]] = []
    sound = True
    for document in documents:
        file, found = validate(RuleSetFile, document)
        problems += found
        if file is None:
            sound = False
            continue
        problems += _take_sections(document, sections)
        drop += [(name, Place(document, ("drop", i))) for i, name in enumerate(file.drop or ())]
        if not any(key in document.value for key in _HEAD):
            continue
        if head is not None:
            what = f"the head is written twice, here and in {head[1].name}"
            problems.append(
                document.problem("E218", (), what, fix="Keep it in ruleset.yaml alone.")
            )
            continue
        head = (file, document)
    if not sound:
        return None, tuple(problems)
    if head is None or head[0].ruleset is None or head[0].version is None:
        document = head[1] if head else documents[0]
        problems.append(
            document.problem(
                "E221",
                (),
                "the rule set has no name or no version",
                why="A report names the rule set and version that it was computed with.",
                fix="Write ruleset: and version: at the top of ruleset.yaml.",
            )
        )
        return None, tuple(problems)
    file, document = head
    assert file.ruleset is not None
    assert file.version is not None
    source = RuleSetSource(
        file.ruleset, file.version, file, Place(document, ()), sections, tuple(drop)
    )
    return source, tuple(problems)


def _take_sections(document: Document, sections: dict[str, Section]) -> Iterator[Problem]:
    for section in SECTIONS:
        for name, raw in (document.value.get(section) or {}).items():
            place = Place(document, (section, name))
            earlier = sections[section].get(name)
            if earlier is not None:
                yield place.problem(
                    "E218",
                    f"'{name}' is written twice, here and in {earlier.place.document.name}",
                    fix="Keep one of them.",
                    key=True,
                )
                continue
            sections[section][name] = Entry(raw, place, _keys(raw, place))


def _keys(raw: Any, place: Place) -> dict[str, Place]:
    """The place of each key of an entry, columns of a table among them: `columns.rate`."""
    if not isinstance(raw, dict):
        return {}
    keys = {key: place.under(key) for key in raw}
    columns = raw.get("columns")
    if isinstance(columns, dict):
        keys |= {f"columns.{name}": place.under("columns", name) for name in columns}
    return keys


def resolve(
    source: RuleSetSource, sources: Mapping[str, RuleSetSource]
) -> tuple[ResolvedRuleSet | None, tuple[Problem, ...]]:
    """The set with everything it extends.

    Args:
        source: the set.
        sources: all sets by `id@version`, among them those it extends.
    """
    problems: list[Problem] = []
    chain = _chain(source, sources, problems)
    if problems:
        return None, tuple(problems)
    sections: dict[str, Section] = {name: {} for name in SECTIONS}
    applies_to, effective, title = AppliesTo(), None, ""
    for link in chain:
        problems += _merge(link, sections, is_root=link is chain[0])
        applies_to = link.head.applies_to or applies_to
        effective = link.head.effective or effective
        title = link.head.title or title
    if problems:
        return None, tuple(problems)
    canonical = _canonical(source, title, applies_to, effective, sections)
    resolved = ResolvedRuleSet(
        id=source.id,
        version=source.version,
        title=title or source.id,
        status=source.head.status or "draft",
        abstract=bool(source.head.abstract),
        effective=effective,
        applies_to=applies_to,
        place=source.place,
        sections=sections,
        lineage=tuple(link.reference for link in chain),
        digest=hashlib.sha256(canonical_json(canonical)).hexdigest(),
        canonical=canonical,
    )
    return resolved, ()


def _chain(
    source: RuleSetSource, sources: Mapping[str, RuleSetSource], problems: list[Problem]
) -> list[RuleSetSource]:
    chain = [source]
    while (base := chain[0].head.extends) is not None:
        place = chain[0].place.under("extends")
        if base not in sources:
            near = nearest(base, sources)
            problems.append(
                place.problem(
                    "E217",
                    f"there is no rule set '{base}' to extend",
                    "A variant names its base with the version: valuation@1.",
                    f"Did you mean '{near}'?" if near else "Correct the name or the version.",
                )
            )
            break
        if any(link.reference == base for link in chain):
            names = " extends ".join([*(link.reference for link in reversed(chain)), base])
            problems.append(
                place.problem(
                    "E217", f"a set extends itself: {names}", fix="Let one of them stand alone."
                )
            )
            break
        chain.insert(0, sources[base])
    return chain


def _merge(link: RuleSetSource, sections: dict[str, Section], *, is_root: bool) -> list[Problem]:
    problems: list[Problem] = []
    for name, place in link.drop:
        holders = [section for section in sections.values() if name in section]
        if not holders:
            known = [key for section in sections.values() for key in section]
            near = nearest(name, known)
            problems.append(
                place.problem(
                    "E220",
                    f"'{name}' cannot be dropped, the base has no such name",
                    fix=f"Did you mean '{near}'?" if near else "Take the line out.",
                )
            )
        for section in holders:
            del section[name]
    for section_name, entries in link.sections.items():
        merged = sections[section_name]
        for name, entry in entries.items():
            base = merged.get(name)
            if base is None:
                problems += _incomplete(section_name, name, entry, merged, is_root=is_root)
                merged[name] = entry
            else:
                if section_name == "parameters":
                    problems += _another_unit(name, base, entry)
                merged[name] = _changed(section_name, base, entry)
    return problems


def _another_unit(name: str, base: Entry, own: Entry) -> Iterator[Problem]:
    """A variant's parameter that is not in the unit of its base: 80 for 80 %."""
    wanted, got = _unit_of(base.raw), _unit_of(own.raw)
    if wanted in {None, got}:
        return
    written = f"in {got}" if got else "without a unit"
    yield own.place.problem(
        "E206",
        f"'{name}' is {written}, its base has it in {wanted}",
        "Formulas of the base count on the unit; 80 and 80 % differ a hundredfold.",
        f"Write the value in {wanted}.",
        key=True,
    )


def _unit_of(raw: Any) -> str | None:
    """The unit that a parameter is written in, by its value or by itself."""
    for item in raw if isinstance(raw, list) else [raw]:
        parameter = Parameter.model_validate(item)
        unit = parameter.unit or (parameter.value and parameter.value.unit)
        if unit and unit != "number":
            return spelled(unit)
    return None


def _changed(section: str, base: Entry, own: Entry) -> Entry:
    """What a variant makes of an entry: values by key, input columns by name, the rest whole."""
    if section == "values":
        return Entry({**base.raw, **own.raw}, own.place, {**base.keys, **own.keys})
    if section == "inputs":
        raw = {**base.raw, **own.raw}
        if "columns" in base.raw and "columns" in own.raw:
            raw["columns"] = {**base.raw["columns"], **own.raw["columns"]}
        return Entry(raw, own.place, {**base.keys, **own.keys})
    return own


_NEEDED = {"values": ("formula",), "inputs": ("from",)}


def _incomplete(
    section: str, name: str, entry: Entry, merged: Section, *, is_root: bool
) -> Iterator[Problem]:
    needed = _NEEDED.get(section, ())
    missing = [key for key in needed if key not in entry.raw]
    if not missing:
        return
    near = None if is_root else nearest(name, merged)
    what = f"'{name}' is new and has no {missing[0]}"
    if near:
        what = f"'{name}' is not a name of the base"
    yield entry.place.problem(
        "E208",
        what,
        "A variant states only what differs, but a new name must be complete.",
        f"Did you mean '{near}'?" if near else f"Write its {missing[0]}.",
        key=True,
    )


def _canonical(
    source: RuleSetSource,
    title: str,
    applies_to: AppliesTo,
    effective: Effective | None,
    sections: Mapping[str, Section],
) -> dict[str, Any]:
    """What decides a result, and nothing else: no status, no place, no comment."""
    return {
        "schema": "urn:zenops:ruleset:1",
        "ruleset": source.id,
        "version": source.version,
        "title": title,
        "applies_to": applies_to.model_dump(mode="json", exclude_none=True),
        "effective": None
        if effective is None
        else effective.model_dump(mode="json", exclude_none=True, by_alias=True),
        **{
            name: {key: entry.raw for key, entry in section.items()}
            for name, section in sections.items()
        },
    }
