"""Cases on disk: a folder with `case.yaml` and its evidence, or one YAML or JSON file.

Everything that is wrong with the file, and with the evidence it names, is told at once, at the
line that names it. Nothing is written.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from contracts.case import Case, read_case
from contracts.document import Document, text_of
from contracts.exact_json import read_json
from contracts.problems import Problem, in_order, nearest, shown
from contracts.strict_yaml import read_yaml
from factory.folders import open_file, read_file, state_of
from factory.photographs import LARGEST_FILE, Sums, hash_file, read_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from contracts.evidence import FileFacts

#: The names that a folder's case file may have.
CASE_NAMES = ("case.yaml", "case.yml", "case.json")
#: Far more than a case has, and four bytes for each character that the readers take.
_LARGEST_TEXT = 16_000_000
_MOST_PIECES = 1_000
_LARGEST_CASE = 2_000_000_000
#: Digests are worked out side by side: the hash runs outside the interpreter's lock.
_READERS = 4


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that was read: where it lies, what it says of itself, its checksum and its state."""

    path: Path
    facts: FileFacts
    crc: int
    state: tuple[int, ...]


@dataclass(frozen=True)
class CaseFile:
    """A case as read from disk.

    `case` is None when there is any problem. `files` holds the file of each piece of evidence by
    its key, and that of the firm's logo under an empty key.
    """

    case: Case | None
    problems: tuple[Problem, ...]
    files: Mapping[str, EvidenceFile]
    document: Document

    @property
    def sources(self) -> dict[str, str]:
        """The text that the problems point into, by the name they call it."""
        return {self.document.name: self.document.text}


def read_case_file(path: Path) -> CaseFile:
    """The case at a path, its evidence checked and `facts` filled in from the files."""
    if path.is_dir() and not path.is_symlink():
        found = [path / name for name in CASE_NAMES if os.path.lexists(path / name)]
        if len(found) != 1:
            return _refused(_no_one_case_file(path, found))
        path = found[0]
    content, problems = read_file(path, str(path), limit=_LARGEST_TEXT)
    if content is None:
        return _refused(*problems)
    if content.startswith(b"PK\x03\x04"):
        return _refused(_an_archive(path))
    document = read_document(content, str(path))
    case, problems = read_case(document)
    if case is None:
        return CaseFile(None, problems, {}, document)
    case, files, problems = _with_evidence(case, document, path.parent)
    return CaseFile(None if problems else case, problems, files, document)


def read_document(content: bytes, name: str) -> Document:
    """The values of a file, JSON if its name says so, else YAML."""
    text, problems = text_of(content, name)
    if problems:
        return Document(name, text, None, problems)
    reader = read_json if name.lower().endswith(".json") else read_yaml
    return reader(text, name)


def _with_evidence(
    case: Case, document: Document, folder: Path
) -> tuple[Case, dict[str, EvidenceFile], tuple[Problem, ...]]:
    problems: list[Problem] = []
    if len(case.evidence) > _MOST_PIECES:
        problems.append(
            document.problem(
                "E604",
                ("evidence",),
                f"the case has {len(case.evidence)} pieces of evidence, more than {_MOST_PIECES}",
                fix="Keep to what the report needs.",
            )
        )
        return case, {}, tuple(problems)
    wanted: list[int] = []
    for index, piece in enumerate(case.evidence):
        if piece.status == "deleted":
            continue
        if piece.file is not None:
            if piece.status == "uploaded" or os.path.lexists(folder / piece.file):
                wanted.append(index)
        elif piece.status == "uploaded":
            problems.append(
                document.problem(
                    "E601",
                    ("evidence", index),
                    f"the evidence '{piece.key}' names no file",
                    why="Only a file shows that a piece was received.",
                    fix="Write file: with its path below this folder, or status: pending.",
                )
            )
    with ThreadPoolExecutor(_READERS) as pool:
        hashed = dict(
            zip(
                wanted,
                pool.map(lambda index: _hash(folder, str(case.evidence[index].file)), wanted),
                strict=True,
            )
        )
    evidence, files = list(case.evidence), dict[str, EvidenceFile]()
    for index in wanted:
        piece = case.evidence[index]
        file, found = _look(folder, str(piece.file), hashed[index])
        at = ("evidence", index, "file")
        problems += [_at(document, at, problem, folder) for problem in found]
        if file is not None:
            evidence[index] = piece.model_copy(update={"facts": file.facts})
            files[piece.key] = file
    total = sum(piece.facts.size for piece in evidence if piece.facts)
    if total > _LARGEST_CASE:
        problems.append(
            document.problem(
                "E604",
                ("evidence",),
                f"the evidence has {total:,} bytes, more than {_LARGEST_CASE:,}",
                fix="Save the pictures smaller, or keep to what the report needs.",
            )
        )
    problems += _logo(case, document, folder, files)
    # What the files say replaces what may have been written by hand; a piece without file has none.
    evidence = [
        piece if piece.key in files else piece.model_copy(update={"facts": None})
        for piece in evidence
    ]
    return case.model_copy(update={"evidence": tuple(evidence)}), files, in_order(problems)


def _logo(
    case: Case, document: Document, folder: Path, files: dict[str, EvidenceFile]
) -> list[Problem]:
    if case.firm is None or case.firm.logo is None:
        return []
    file, problems = _look(folder, case.firm.logo, _hash(folder, case.firm.logo))
    if file is not None:
        files[""] = file
    return [_at(document, ("firm", "logo"), problem, folder) for problem in problems]


def _hash(folder: Path, name: str) -> tuple[Sums, tuple[int, ...]] | None:
    """The sums of a file, and its state before they were taken."""
    file, _ = open_file(folder / name, name, limit=LARGEST_FILE, inside=folder)
    if file is None:
        return None
    with file:
        state = state_of(file)
        try:
            return hash_file(file), state
        except OSError:
            return None


def _look(
    folder: Path, name: str, hashed: tuple[Sums, tuple[int, ...]] | None
) -> tuple[EvidenceFile | None, tuple[Problem, ...]]:
    """A file, hashed by now if it could be, or why it cannot be evidence."""
    path = folder / name
    file, problems = open_file(path, name, limit=LARGEST_FILE, inside=folder)
    if file is None:
        return None, problems
    with file:
        sums, state = hashed or (hash_file(file), state_of(file))
        facts, problems = read_facts(file, name, sums=sums)
    return EvidenceFile(path, facts, sums.crc, state) if facts else None, problems


def _at(document: Document, path: tuple[str | int, ...], problem: Problem, folder: Path) -> Problem:
    """The problem of a file, shown where the case names the file."""
    fix = problem.fix
    if problem.code == "E601":
        named = folder.joinpath(*_value(document, path).split("/"))
        try:
            near = nearest(named.name, (entry.name for entry in named.parent.iterdir()))
        except OSError:
            near = None
        fix = "Correct the name, or write status: pending until it has come."
        if near:
            fix = f"Did you mean '{shown(near)}'? " + fix
    return replace(
        document.problem(problem.code, path, problem.what, why=problem.why, fix=fix),
        severity=problem.severity,
    )


def _value(document: Document, path: tuple[str | int, ...]) -> str:
    value = document.value
    for step in path:
        value = value[step]
    return str(value)


def _refused(*problems: Problem) -> CaseFile:
    return CaseFile(None, problems, {}, Document.of_values(None))


def _no_one_case_file(folder: Path, found: list[Path]) -> Problem:
    name = shown(folder)
    if found:
        both = " and ".join(path.name for path in found)
        return Problem("E602", f"'{name}' holds {both}", fix="Keep one of them.", file=name)
    return Problem(
        "E601",
        f"there is no case.yaml in '{name}'",
        why="The folder of a case holds case.yaml (or case.json), with its evidence beside it.",
        fix="Name the case's own folder, or its file.",
        file=name,
    )


def _an_archive(path: Path) -> Problem:
    return Problem(
        "E602",
        f"'{shown(path)}' is an archive, not a case",
        why="A case is a folder with case.yaml, or one YAML or JSON file.",
        fix="If it is a bundle, check it with: zenops verify",
        file=shown(path),
    )
