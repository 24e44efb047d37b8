"""Profiles and field definitions: checked as their authors wrote them, then put together."""

from __future__ import annotations

import itertools
import typing

from contracts.contract import BankType, PropertyKind, ReportType, ValueSlab
from contracts.problems import Problem, in_order, nearest, shown
from engine.condition_check import Fault, condition_faults
from engine.profile_selection import resolved, selectors_worth
from engine.readiness import FIGURES
from engine.rules.contract_paths import Leaf, NoSuchPath, every_path, look_up

if typing.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from contracts.document import Document, Path
    from contracts.field_definitions import FieldDefinition, FieldDefinitions
    from contracts.profile import Profile


def check_field_definitions(
    definitions: FieldDefinitions, document: Document
) -> tuple[Problem, ...]:
    """Everything wrong with the file of field definitions."""
    found: list[Problem] = []
    rows = definitions.field_definitions
    found += _repeated(document, "field_definitions", [row.key for row in rows])
    for index, row in enumerate(rows):
        at: Path = ("field_definitions", index)
        if row.any_of is not None:
            for number, path in enumerate(row.any_of):
                found += _path_problems(document, (*at, "any_of", number), path)
            continue
        problems = _path_problems(document, (*at, "key"), row.key)
        found += problems
        leaf = look_up(row.key)
        if not problems and isinstance(leaf, Leaf) and leaf.kind != row.data_type:
            found.append(
                document.problem(
                    "E508",
                    (*at, "data_type"),
                    f"'{row.key}' is of kind '{leaf.kind}', not '{row.data_type}'",
                    why="The definition describes what the contract holds.",
                    fix=f"Write: data_type: {leaf.kind}",
                )
            )
    return in_order(found)


def check_profile(
    profile: Profile, document: Document, field_definitions: Iterable[FieldDefinition]
) -> tuple[Problem, ...]:
    """Everything wrong with one profile as it stands, what it extends left aside."""
    definitions = {definition.key: definition for definition in field_definitions}
    found: list[Problem] = []
    found += _repeated(document, "fields", [field.key for field in profile.fields])
    found += _repeated(document, "requirements", [need.key for need in profile.requirements])
    for index, field in enumerate(profile.fields):
        at: Path = ("fields", index)
        found += _condition_problems(document, (*at, "when"), field.when)
        if field.any_of is not None:
            for number, path in enumerate(field.any_of):
                found += _path_problems(document, (*at, "any_of", number), path)
        elif field.key not in definitions:
            found += _path_problems(document, (*at, "key"), field.key, definitions)
        if field.label is None and field.key not in definitions:
            found.append(_no_definition(document, (*at, "key"), field.key, definitions))
    for index, need in enumerate(profile.requirements):
        at = ("requirements", index)
        found += _condition_problems(document, (*at, "when"), need.when)
        for number, key in enumerate(need.fields):
            if key not in definitions and not any(key == field.key for field in profile.fields):
                found.append(_no_definition(document, (*at, "fields", number), key, definitions))
    return in_order(found)


def check_profiles(
    sources: Sequence[tuple[Profile, Document]], field_definitions: Iterable[FieldDefinition]
) -> tuple[tuple[Profile, ...], tuple[Problem, ...]]:
    """All profiles of a folder, each with what it extends, and everything wrong with them.

    Returns:
        The resolved profiles by id and version, abstract ones too; those whose base is missing
        are left out. Problems of single files and of the profiles together, in order.
    """
    definitions = tuple(field_definitions)
    found: list[Problem] = []
    by_name: dict[str, tuple[Profile, Document]] = {}
    for profile, document in sources:
        found += check_profile(profile, document, definitions)
        name = _name(profile)
        if name in by_name:
            found.append(
                document.problem(
                    "E504",
                    ("profile",),
                    f"'{name}' is a profile in {by_name[name][1].name} already",
                    why="A case that names it would get one or the other.",
                    fix="Give this one another id or version.",
                )
            )
        by_name.setdefault(name, (profile, document))
    finished: dict[str, Profile] = {}
    for name in by_name:
        found += _resolve(name, by_name, finished)
    profiles = tuple(finished[name] for name in sorted(finished))
    found += _ties(profiles, by_name)
    return profiles, in_order(found)


def check_wanted(
    profiles: Iterable[Profile], wanted: str, document: Document
) -> tuple[Problem, ...]:
    """A problem if the case of a document wants a profile that is not there."""
    names = {
        name
        for profile in profiles
        if not profile.abstract
        for name in (profile.profile, _name(profile))
    }
    if wanted in names:
        return ()
    near = nearest(wanted, sorted(names))
    return (
        document.problem(
            "E510",
            ("profile",),
            f"there is no profile '{shown(wanted)}'",
            why="A case that names a profile is held to that one and no other.",
            fix=f"Did you mean '{near}'?"
            if near
            else "Leave it out, and the report's own is chosen.",
        ),
    )


def _name(profile: Profile) -> str:
    return f"{profile.profile}@{profile.version}"


def _repeated(document: Document, table: str, keys: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key in first:
            line, _ = document.position((table, first[key], "key"))
            yield document.problem(
                "E504",
                (table, index, "key"),
                f"'{key}' stands here a second time",
                why=f"Line {line} has it already; a profile that extends this one "
                "could not tell the two apart.",
                fix="Give this one another key, or take it out.",
            )
        first.setdefault(key, index)


def _path_problems(
    document: Document, at: Path, path: str, also: Iterable[str] = ()
) -> list[Problem]:
    """A problem if a path leads nowhere; figures are the rule sets' and are not known here."""
    if path.startswith(FIGURES):
        return []
    leaf = look_up(path)
    if isinstance(leaf, Leaf):
        return []
    assert isinstance(leaf, NoSuchPath)
    near = nearest(path, [*every_path(), *also]) or leaf.nearest
    return [
        document.problem(
            "E501",
            at,
            f"the contract has no '{path}'",
            why="A fact that has no place can never be known, so the report would never be ready.",
            fix=f"Did you mean '{near}'?"
            if near
            else "Write a path such as property.address, or figures.fmv.",
        )
    ]


def _no_definition(
    document: Document, at: Path, key: str, definitions: Mapping[str, FieldDefinition]
) -> Problem:
    # A path that is there is no misspelling of another.
    near = nearest(key, definitions) if isinstance(look_up(key), NoSuchPath) else None
    return document.problem(
        "E507",
        at,
        f"'{key}' has no field definition",
        why="Its label is what a person reads when it is missing.",
        fix=f"Did you mean '{near}'?"
        if near
        else "Define it in profiles/field-definitions.yaml, or give it a label among the fields.",
    )


def _condition_problems(document: Document, at: Path, text: str | None) -> Iterator[Problem]:
    if text is None:
        return
    for fault in condition_faults(text):
        yield _placed(document, at, text, fault)


def _placed(document: Document, at: Path, text: str, fault: Fault) -> Problem:
    """A fault at its place in the file, however the condition is quoted or folded there."""
    problem = document.problem(fault.code, at, fault.what, why=fault.why, fix=fault.fix)
    return document.narrowed(problem, at, text, fault.start, fault.end)


def _resolve(
    name: str, by_name: Mapping[str, tuple[Profile, Document]], finished: dict[str, Profile]
) -> Iterator[Problem]:
    """Put a profile together with its bases, nearest the root first."""
    chain: list[str] = []
    current: str | None = name
    while current is not None and current not in finished:
        profile, document = by_name[current]
        base = profile.extends
        if current in chain or (base is not None and base not in by_name):
            # Whoever stands where the chain breaks says so; the others only miss their base.
            if current == name:
                yield _no_base(document, base or "", by_name, circular=current in chain)
            return
        chain.append(current)
        current = base
    for step in reversed(chain):
        profile, document = by_name[step]
        extended = finished[profile.extends] if profile.extends else None
        yield from _useless_drops(profile, extended, document)
        finished[step] = resolved(profile, extended) if extended else profile


def _no_base(document: Document, base: str, known: Iterable[str], *, circular: bool) -> Problem:
    if circular:
        return document.problem(
            "E506",
            ("extends",),
            f"'{base}' comes back to this profile",
            why="Profiles that extend each other have no beginning.",
            fix="Take 'extends' out of one of them.",
        )
    near = nearest(base, known)
    return document.problem(
        "E506",
        ("extends",),
        f"there is no profile '{base}'",
        why="A profile extends one version of another, which is in the same folder.",
        fix=f"Did you mean '{near}'?" if near else "",
    )


def _useless_drops(profile: Profile, base: Profile | None, document: Document) -> Iterator[Problem]:
    there = [
        *(field.key for field in (base.fields if base else ())),
        *(need.key for need in (base.requirements if base else ())),
    ]
    for index, key in enumerate(profile.drop):
        if key not in there:
            near = nearest(key, there)
            yield document.problem(
                "E506",
                ("drop", index),
                f"there is no '{key}' to drop",
                why="Only what the extended profile asks for can be left out.",
                fix=f"Did you mean '{near}'?" if near else "Take it out.",
            )


def _ties(
    profiles: Sequence[Profile], by_name: Mapping[str, tuple[Profile, Document]]
) -> Iterator[Problem]:
    """A problem for each pair of profiles that answer equally well for the same report."""
    newest = {
        profile.profile: profile
        for profile in sorted(profiles, key=lambda profile: profile.version)
        if not profile.abstract
    }
    rulesets = {
        ruleset
        for profile in newest.values()
        for selector in profile.applies_to
        for ruleset in selector.ruleset or ()
    }
    seen: set[tuple[str, str]] = set()
    for ruleset, report_type, bank_type, value_slab, property_kind in itertools.product(
        (None, *sorted(rulesets)),
        typing.get_args(ReportType),
        typing.get_args(BankType),
        typing.get_args(ValueSlab),
        (None, *typing.get_args(PropertyKind)),
    ):
        traits = {
            "ruleset": ruleset,
            "report_type": report_type,
            "bank_type": bank_type,
            "value_slab": value_slab,
            "property_kind": property_kind,
        }
        worths = {
            name: worth
            for name, profile in sorted(newest.items())
            if (worth := selectors_worth(profile, traits)) is not None
        }
        best = [name for name, worth in worths.items() if worth == max(worths.values())]
        if len(best) > 1 and (pair := (best[0], best[1])) not in seen:
            seen.add(pair)
            document = by_name[_name(newest[best[1]])][1]
            words = ", ".join(str(value) for value in traits.values() if value)
            yield document.problem(
                "E509",
                ("applies_to",),
                f"'{best[1]}' and '{best[0]}' answer equally well for {words}",
                why="Which of the two a report gets would hang on their names.",
                fix="Name in one of them what sets it apart: a bank type, a value slab "
                "or a property kind.",
            )
