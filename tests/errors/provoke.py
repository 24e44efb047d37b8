"""Runs the inputs of fixtures/errors and says what a person would be told.

A folder's inputs are told apart by their file names: `KINDS` maps the name of the file that is
looked at first to what reads it. Another piece adds its kind here; a folder with `steps.txt` is
played by `tests.errors.steps`.

Run `python -m tests.errors.provoke` to write the `expected.txt` of every folder anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from contracts.case import read_case
from contracts.contract import Contract
from contracts.document import Document, text_of
from contracts.exact_json import read_json
from contracts.field_definitions import FieldDefinitions
from contracts.land_units import LandUnits
from contracts.patch import apply_patch
from contracts.problems import Problem, render_problems
from contracts.profile import Profile
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import make_catalogue
from engine.profile_check import check_field_definitions, check_profiles, check_wanted
from engine.rules.source import read_rule_set
from tests.errors.steps import play

FOLDERS = Path(__file__).resolve().parents[2] / "fixtures" / "errors"

#: What a kind gives: the problems, and the texts they point into by file name.
Told = tuple[Iterable[Problem], Mapping[str, str]]


def read(path: Path) -> Document:
    """The document of a YAML or JSON file, with what is wrong with its bytes."""
    text, problems = text_of(path.read_bytes(), path.name)
    document = (read_json if path.suffix == ".json" else read_yaml)(text, path.name)
    if problems:
        return Document(path.name, text, None, (*problems, *document.problems))
    return document


def _case(path: Path) -> Told:
    document = read(path)
    return read_case(document)[1], {path.name: document.text}


def _patch(path: Path) -> Told:
    contract, problems = validate(Contract, read(path.with_name("contract.yaml")))
    assert contract is not None, problems
    patch = read(path)
    return apply_patch(contract, patch)[1], {path.name: patch.text}


def _field_definitions(path: Path) -> Told:
    document = read(path)
    found, problems = validate(FieldDefinitions, document)
    more = check_field_definitions(found, document) if found else ()
    return (*problems, *more), {path.name: document.text}


SHIPPED_PROFILES = FOLDERS.parents[1] / "profiles"


def _profiles_in(folder: Path) -> tuple[tuple[Profile, ...], Told]:
    """The profiles of a folder, against the shipped field definitions, and what is wrong."""
    shipped = SHIPPED_PROFILES / "field-definitions.yaml"
    definitions, _ = validate(FieldDefinitions, read(shipped))
    assert definitions is not None
    problems: list[Problem] = []
    sources: list[tuple[Profile, Document]] = []
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == shipped.name:
            continue
        document = read(path)
        texts[path.name] = document.text
        profile, found = validate(Profile, document)
        problems += found
        if profile is not None:
            sources.append((profile, document))
    profiles, found = check_profiles(sources, definitions.field_definitions)
    return profiles, ((*problems, *found), texts)


def _profile(path: Path) -> Told:
    return _profiles_in(path.parent)[1]


def _case_with_profile(path: Path) -> Told:
    document = read(path)
    case, problems = read_case(document)
    assert case is not None, problems
    profiles, _ = _profiles_in(SHIPPED_PROFILES)
    assert case.profile is not None
    return check_wanted(profiles, case.profile, document), {path.name: document.text}


def _rule_set(path: Path) -> Told:
    """One rule set, its sections perhaps in several files; `base.yaml` is a set of its own."""
    units, _ = validate(LandUnits, read(SHIPPED_PROFILES.parent / "rules" / "units.yaml"))
    assert units is not None
    base = path.with_name("base.yaml")
    own = [file for file in sorted(path.parent.glob("*.yaml")) if file != base]
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    sources = []
    for files in ([base] if base.exists() else [], own):
        documents = [read(file) for file in files]
        texts |= {document.name: document.text for document in documents}
        if documents:
            source, found = read_rule_set(documents)
            problems += found
            sources += [source] if source is not None else []
    catalogue, found = make_catalogue(sources, units=units)
    return (*problems, *found, *catalogue.check()), texts


#: First match wins: a folder of a patch also holds a contract.
KINDS: dict[str, Callable[[Path], Told]] = {
    "patch.yaml": _patch,
    "case.yaml": _case,
    "case.json": _case,
    "case-with-profile.yaml": _case_with_profile,
    "field-definitions.yaml": _field_definitions,
    "profile.yaml": _profile,
    "ruleset.yaml": _rule_set,
}


@cache
def provoke(folder: Path) -> str:
    """What is printed for a folder's input."""
    if (folder / "steps.txt").exists():
        return play(folder)
    for name, tell in KINDS.items():
        if (folder / name).exists():
            problems, sources = tell(folder / name)
            return render_problems(problems, sources)
    raise LookupError(f"{folder.name} holds none of {', '.join(KINDS)}")


def main() -> None:
    """Writes what each folder gives now into its expected.txt."""
    for folder in sorted(FOLDERS.iterdir()):
        try:
            text = provoke(folder)
        except LookupError as error:
            sys.stderr.write(f"{error}\n")
        else:
            (folder / "expected.txt").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
