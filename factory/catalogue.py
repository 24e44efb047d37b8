"""Rule sets, profiles, units and banks, read from their folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from contracts.banks import Banks
from contracts.document import Document
from contracts.field_definitions import FieldDefinitions
from contracts.land_units import LandUnits
from contracts.problems import Problem, in_order, nearest, shown
from contracts.profile import Profile
from contracts.validation import validate
from engine.catalogue import Catalogue, make_catalogue
from engine.profile_check import check_field_definitions, check_profiles
from engine.profile_check import check_wanted as check_wanted_profile
from engine.rules.source import RuleSetSource, read_rule_set
from factory.case_files import read_document
from factory.folders import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from factory.case_files import CaseFile

M = TypeVar("M")

#: Where a checkout keeps its data: beside the packages.
SHIPPED = Path(__file__).parent.parent
_LARGEST_FILE = 4_000_000
_FIELD_DEFINITIONS = "field-definitions.yaml"


@dataclass(frozen=True)
class Library:
    """A catalogue, the unit table it was made with, and the texts it was read from.

    Catalogue and table are None when there is any problem. `texts` keeps what bundles hold of the
    library itself, once it has been written out.
    """

    catalogue: Catalogue | None
    units: LandUnits | None
    problems: tuple[Problem, ...]
    sources: Mapping[str, str]
    texts: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)


def read_catalogue(data: Path = SHIPPED, *, variants: Sequence[Path] = ()) -> Library:
    """Everything that cases are evaluated with.

    Args:
        data: a folder with `rules` and `profiles`.
        variants: further folders of rule sets.
    """
    reading = _Reading(data)
    for needed in ("rules", "profiles"):
        if not (data / needed).is_dir():
            reading.problems.append(_no_data(data, needed))
    if reading.problems:
        return Library(None, None, tuple(reading.problems), {})
    units = reading.one(LandUnits, data / "rules" / "units.yaml")
    banks = reading.one(Banks, data / "rules" / "banks.yaml") or Banks()
    sources = [*reading.rule_sets(data / "rules")]
    for folder in variants:
        sources += reading.rule_sets(folder)
    definitions, profiles = reading.profiles(data / "profiles")
    if units is None:
        return Library(None, None, in_order(reading.problems), reading.sources)
    catalogue, problems = make_catalogue(
        sources,
        units=units,
        profiles=profiles,
        field_definitions=definitions.field_definitions,
        banks=banks,
    )
    found = in_order((*reading.problems, *problems))
    if found:
        return Library(None, None, found, reading.sources)
    return Library(catalogue, units, (), reading.sources)


class _Reading:
    """Reads files of one data folder; gathers problems and texts."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.problems: list[Problem] = []
        self.sources: dict[str, str] = {}

    def document(self, path: Path) -> Document | None:
        """The values of a file, or None if it cannot be read at all."""
        name = str(path.relative_to(self._data) if path.is_relative_to(self._data) else path)
        content, problems = read_file(path, name, limit=_LARGEST_FILE)
        self.problems += problems
        if content is None:
            return None
        document = read_document(content, name)
        self.sources[name] = document.text
        return document

    def one(self, model: type[M], path: Path) -> M | None:
        """A file of one model."""
        document = self.document(path)
        if document is None:
            return None
        found, problems = validate(model, document)
        self.problems += problems
        return found

    def rule_sets(self, folder: Path) -> Iterable[RuleSetSource]:
        """The rule sets of a folder: each has a folder of its own, or is one file."""
        if not folder.is_dir():
            self.problems.append(_no_data(folder.parent, folder.name))
            return
        for path in sorted(folder.iterdir()):
            if not path.is_dir():
                continue
            files = [self.document(file) for file in sorted(path.glob("*.yaml"))]
            documents = [document for document in files if document is not None]
            if not documents:
                continue
            source, problems = read_rule_set(documents)
            self.problems += problems
            if source is not None:
                yield source

    def profiles(self, folder: Path) -> tuple[FieldDefinitions, tuple[Profile, ...]]:
        """The profiles of a folder, resolved, and the definitions of their fields."""
        definitions = FieldDefinitions(field_definitions=())
        document = self.document(folder / _FIELD_DEFINITIONS)
        if document is not None:
            found, problems = validate(FieldDefinitions, document)
            self.problems += problems
            if found is not None:
                definitions = found
                self.problems += check_field_definitions(found, document)
        sources: list[tuple[Profile, Document]] = []
        for path in sorted(folder.glob("*.yaml")):
            if path.name == _FIELD_DEFINITIONS:
                continue
            document = self.document(path)
            if document is None:
                continue
            profile, problems = validate(Profile, document)
            self.problems += problems
            if profile is not None:
                sources.append((profile, document))
        profiles, problems = check_profiles(sources, definitions.field_definitions)
        self.problems += problems
        return definitions, profiles


def _no_data(folder: Path, needed: str) -> Problem:
    return Problem(
        "E601",
        f"there is no folder '{shown(needed)}' in '{shown(folder)}'",
        why="Rule sets and profiles are read from the folders rules and profiles.",
        fix="Name the folder that holds both: --data FOLDER",
        file=shown(folder),
    )


def check_wanted(
    catalogue: Catalogue, read: CaseFile, ruleset: str | None = None
) -> tuple[Problem, ...]:
    """Problems if a rule set or profile is asked for by a name that none has.

    Args:
        catalogue: what there is.
        read: the case.
        ruleset: the caller's wish, which goes before the case's.
    """
    case = read.case
    assert case is not None
    problems: list[Problem] = []
    wanted = ruleset or case.ruleset
    names = {
        name
        for rule_set in catalogue.rule_sets.values()
        if not rule_set.abstract
        for name in (rule_set.id, rule_set.reference)
    }
    if wanted is not None and wanted not in names:
        near = nearest(wanted, sorted(names))
        # A wish on the command line stands in no file.
        document = read.document if ruleset is None else Document.of_values(None)
        problems.append(
            document.problem(
                "E229",
                ("ruleset",),
                f"there is no rule set '{shown(wanted)}'",
                why="A rule set is named by its id, or by id and version: psu, psu@1.",
                fix=f"Did you mean '{near}'?"
                if near
                else "Leave it out, or name the folder that holds it: --variants FOLDER",
            )
        )
    if case.profile is not None:
        problems += check_wanted_profile(catalogue.profiles, case.profile, read.document)
    return tuple(problems)
