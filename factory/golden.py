"""Whole cases against their expected results, which only `zenops golden update` writes.

Beside each case lies `expected/`: the evaluation as lines that a person can review, the manifest
of its bundle, and for a case with a letterhead the text of its report. The first line of each says
what wrote it and holds a hash of the rest, so that an edit by hand is noticed.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.canonical_json import to_plain
from contracts.problems import Problem, in_order, shown
from engine.catalogue import CatalogueError
from engine.evaluation import evaluate
from factory.bundle import MANIFEST, as_bundled, write_bundle
from factory.case_files import CASE_NAMES, read_case_file
from factory.catalogue import check_wanted
from factory.folders import read_file
from factory.rendering.renderer import Renderer
from factory.report.bundle_parts import read_parts
from factory.report.text_model import read_text, text_of_report
from factory.stored_zip import chunks_of, read_entries
from factory.whole_files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contracts.evaluation import Evaluation
    from factory.catalogue import Library

FOLDER = "expected"
EVALUATION = "evaluation.txt"
REPORT = "report.txt"
_UNWRITTEN = frozenset({None, "text", "boolean", "date"})
_LARGEST = 4_000_000
_MOST_DIFFERENCES = 12
_MANIFEST_LINE = re.compile(r"[-+][0-9a-f]{64}  data/")
_HEAD = "# Written by `zenops golden update`, never by hand. sha256 of the lines below: "


def check_golden(folder: Path, library: Library) -> tuple[int, tuple[Problem, ...]]:
    """Compare every case of a folder with its expected result.

    Returns:
        How many cases there are, and a problem for every difference.
    """
    problems: list[Problem] = []
    cases = _cases(folder)
    with Renderer() as renderer:
        for case in cases:
            actual, found = _results(case, library, renderer)
            problems += found
            problems += _compared(case, actual) if not found else ()
    return len(cases), in_order((*problems, *_nothing(folder, cases), *_orphans(folder, cases)))


def update_golden(folder: Path, library: Library) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Write the expected result of every case, and remove what no case expects.

    Returns:
        The files that changed; with problems, none is written.
    """
    cases = _cases(folder)
    problems = [*_nothing(folder, cases)]
    results: dict[Path, bytes] = {}
    with Renderer() as renderer:
        for case in cases:
            actual, found = _results(case, library, renderer)
            problems += found
            results |= {case / FOLDER / name: _with_head(text) for name, text in actual.items()}
    if problems:
        return (), in_order(problems)
    changed = []
    for path, content in results.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as file:
                file.write(content)
            changed.append(str(path))
    for case in cases:
        for path in (case / FOLDER).iterdir():
            if path not in results:
                path.unlink()
                changed.append(str(path))
    return tuple(changed), ()


def _cases(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and any((path / name).exists() for name in CASE_NAMES)
    ]


def _results(
    case: Path, library: Library, renderer: Renderer
) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    """What a case gives now: the texts of its expected files."""
    read = read_case_file(case)
    if read.case is None:
        return {}, read.problems
    catalogue = library.catalogue
    assert catalogue is not None  # a library with problems is refused before
    problems = check_wanted(catalogue, read)
    if problems:
        return {}, tuple(problems)
    bundled = as_bundled(read.case)
    try:
        evaluation = evaluate(bundled, catalogue)
    except CatalogueError:
        return {}, catalogue.check()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "bundle.zip"
        bundle, problems = write_bundle(bundled, evaluation, library, read.files, path)
        if bundle is None:
            return {}, problems
        with path.open("rb") as file:
            entries, _ = read_entries(file, str(path))
            (manifest,) = (entry for entry in entries if entry.name == MANIFEST)
            text = b"".join(chunks_of(file, manifest)).decode()
        results = {
            EVALUATION: "\n".join(_lines(evaluation)) + "\n",
            MANIFEST.replace("-sha256", ""): f"digest {bundle.digest}\n{text}",
        }
        if bundled.firm is None:
            return results, ()
        report, problems = _report(path, renderer)
        return {} if report is None else results | {REPORT: report}, problems


def _report(bundle: Path, renderer: Renderer) -> tuple[str | None, tuple[Problem, ...]]:
    """The text of a bundle's report as a reader sees it, with the fields it shows."""
    parts, problems = read_parts(bundle)
    if parts is None:
        return None, problems
    document, problems = renderer.print_parts(parts)
    if document is None:
        return None, problems
    model, problems = read_text(document, str(bundle))
    return None if model is None else text_of_report(model), problems


def _lines(evaluation: Evaluation) -> Iterator[str]:
    """The evaluation as lines, each of which means something by itself in a difference."""
    rules, profile, readiness = evaluation.ruleset, evaluation.profile, evaluation.readiness
    yield f"as of {evaluation.as_of}"
    yield f"rule set {rules.id}@{rules.version}"
    yield f"profile {profile.id}@{profile.version}: {profile.why}"
    yield ""
    for entry in evaluation.trace:
        value = "not known" if entry.value is None else to_plain(entry.value)
        unit = "" if entry.value is None or entry.unit in _UNWRITTEN else entry.unit
        yield f"{entry.field} = {value} {unit}".rstrip()
    yield ""
    for finding in evaluation.findings:
        yield f"{finding.code} ({finding.severity}, {finding.outcome}): {finding.message}"
    yield ""
    yield f"score {readiness.completeness_score}, {'ready' if readiness.ready else 'not ready'}"
    for name in (
        "missing_fields",
        "missing_evidence",
        "missing_field_evidence_links",
        "warnings",
        "blocking_findings",
    ):
        for item in getattr(readiness, name):
            yield f"{name}: {item}"
    for suggestion in readiness.suggestions:
        yield f"suggestion: {suggestion.message}"


def _with_head(text: str) -> bytes:
    return f"{_HEAD}{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode()


def _compared(case: Path, actual: Mapping[str, str]) -> Iterator[Problem]:
    folder = case / FOLDER
    for name, text in actual.items():
        path = folder / name
        if not path.exists():
            yield _problem(
                "E632", path, "is not there", "Every case has an expected result beside it."
            )
            continue
        content, problems = read_file(path, str(path), limit=_LARGEST)
        if content is None:
            yield from problems
            continue
        head, _, rest = content.decode("utf-8", errors="replace").partition("\n")
        if _with_head(rest) != f"{head}\n{rest}".encode():
            yield _problem(
                "E631",
                path,
                "was edited by hand",
                "Its first line does not fit what follows; an expected result is what was "
                "computed, not what was wished for.",
            )
        elif rest != text:
            yield _problem("E630", path, "is not what the case gives now", _difference(rest, text))
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name not in actual:
                yield _problem("E632", path, "is expected of no case", "It is a leftover.")


def _orphans(folder: Path, cases: list[Path]) -> Iterator[Problem]:
    for path in sorted(folder.glob(f"*/{FOLDER}")):
        if path.parent not in cases:
            yield _problem("E632", path, "lies beside no case", "It is a leftover.")


def _nothing(folder: Path, cases: list[Path]) -> Iterator[Problem]:
    if not cases:
        name = shown(folder)
        yield Problem(
            "E601",
            f"there is no case in '{name}'",
            why="Each case has a folder of its own there, with case.yaml.",
            fix="Name the folder of the cases.",
            file=name,
        )


def _difference(expected: str, actual: str) -> str:
    """What differs, as far as it says something: of a manifest, the names of the files."""
    lines = [
        # Digests say only that something differs, which is said already.
        line[0] + line[1:].partition("  ")[2] if _MANIFEST_LINE.match(line) else line
        for line in difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), lineterm="", n=0
        )
        if not line.startswith(("---", "+++", "@@", "-digest", "+digest"))
    ]
    more = len(lines) - _MOST_DIFFERENCES
    rest = [f"and {more} lines more"] if more > 0 else []
    return "\n  ".join(["Expected (-) and actual (+):", *lines[:_MOST_DIFFERENCES], *rest])


def _problem(code: str, path: Path, what: str, why: str) -> Problem:
    return Problem(
        code,
        f"'{shown(path.parent.parent.name)}/{FOLDER}/{path.name}' {what}"
        if path.name != FOLDER
        else f"'{shown(path.parent.name)}/{FOLDER}' {what}",
        why=why,
        fix="If the new result is right, write it with: zenops golden update",
        file=shown(path),
    )
