"""The three measurements: one evaluation, text to readiness, a bundle of photographs."""

from __future__ import annotations

import hashlib
import json
import os
import random
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import zen

from bench.timing import Line, take_turns
from bench.zen_graph import ZenForm, disagreements, request, zen_form
from contracts.canonical_json import canonical_json
from contracts.case import Case, read_case
from contracts.exact_json import read_json
from engine.catalogue import Catalogue
from engine.evaluation import evaluate, examine
from engine.figures import Figures, parameters_on, run_rule_set
from engine.rules.compiled import CompiledRuleSet
from engine.rules.compiler import compile_rule_set
from engine.rules.source import ResolvedRuleSet
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import Library

MEGABYTE = 1_000_000
_BUILDING = (
    "Each photograph is hashed, and its header read, when the case is read; the state of the file "
    "then and after it is stored tells whether it changed in between. A bundle that replaces "
    "another is on the disk (fsync) before it takes the other's place."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows of the table, and what a reader must know of them."""

    title: str
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]


# ---- one evaluation -----------------------------------------------------------------------------


def one_evaluation(case: Case, catalogue: Catalogue, *, rounds: int) -> Comparison:
    """The rule set's own work, with and without trace, against zen-engine's.

    Raises:
        ValueError: zen-engine computes something else from the same facts.
    """
    examination = examine(case, catalogue, trace=False)
    figures, as_of = examination.figures, examination.evaluation.as_of
    assert figures is not None, "the case has a rule set"
    parameters = parameters_on(figures.compiled, as_of, {})
    form = zen_form(figures)
    ours = _without(figures.compiled.resolved, form.left_out, catalogue)
    run = partial(run_rule_set, ours, figures.facts, parameters, as_of)
    facts = request(figures)
    graph = zen.ZenEngine().create_decision(json.dumps(form.graph))
    expression = zen.compile_expression(form.expression)
    figures, raised = run(traced=False)
    for result in (graph.evaluate(facts)["result"], expression.evaluate(facts)):
        if wrong := disagreements(form, result, figures, raised):
            raise ValueError("zen-engine disagrees: " + "; ".join(wrong))
    times = take_turns(
        {
            "trace": partial(run, traced=True),
            "plain": partial(run, traced=False),
            "graph": partial(graph.evaluate, facts),
            "graph from text": partial(graph.evaluate, json.dumps(facts)),
            "traced graph": partial(graph.evaluate, facts, {"trace": True}),
            "expression": partial(expression.evaluate, facts),
        },
        rounds=rounds,
        span=0.02,
    )
    reference = ours.resolved.reference
    with_trace = f"{reference} with full trace written out"
    untraced = f"{reference} without trace"
    return Comparison(
        f"One evaluation of {reference}",
        (
            Line(with_trace, times["trace"], "zen-engine, decision graph", times["graph"], 1 / 5),
            Line(untraced, times["plain"], "zen-engine, decision graph", times["graph"], 1 / 20),
            Line(
                with_trace,
                times["trace"],
                "zen-engine, graph from JSON text",
                times["graph from text"],
            ),
            Line(
                with_trace,
                times["trace"],
                "zen-engine, graph with its trace",
                times["traced graph"],
            ),
            Line(with_trace, times["trace"], "zen-engine, one expression", times["expression"]),
            Line(untraced, times["plain"], "zen-engine, one expression", times["expression"]),
        ),
        tuple(_remarks(run(traced=True)[0], form, facts)),
    )


def _without(
    rule_set: ResolvedRuleSet, names: Iterable[str], catalogue: Catalogue
) -> CompiledRuleSet:
    """The rule set without some of its figures and findings, so that both sides do the same."""
    sections = {
        section: {name: entry for name, entry in entries.items() if name not in set(names)}
        for section, entries in rule_set.sections.items()
    }
    compiled, problems = compile_rule_set(replace(rule_set, sections=sections), catalogue.registry)
    assert compiled is not None, problems
    return compiled


def _remarks(traced: Figures, form: ZenForm, facts: dict[str, object]) -> Iterator[str]:
    kinds = [node["type"] for node in form.graph["nodes"]]
    yield (
        f"Both sides start from facts already read and converted: ours from the list that the "
        f"compiled set takes, zen-engine from a dictionary of {len(facts)} entries without nulls."
    )
    yield (
        f"The graph: {kinds.count('expressionNode')} expression nodes, those of tables looping "
        f"over rows, {kinds.count('decisionTableNode')} decision tables, compiled once. The one "
        "expression does the same by assignments, a form that no editor of graphs shows."
    )
    yield (
        f"Compared on the case before timing, within the noise of binary floats: "
        f"{len(form.steps)} figures and decisions and {len(form.findings)} conditions of findings."
    )
    left_out = ", ".join(f"{name} ({why})" for name, why in form.left_out.items())
    yield f"zen-engine cannot say: {left_out or 'nothing'}; so both sides go without it."
    yield (
        f"Our trace has {len(traced.trace)} entries with value, unit, source, formula, inputs, rounding and "
        "what is missing. zen-engine's own trace holds the input and output of each node."
    )


# ---- text to readiness --------------------------------------------------------------------------


def text_to_readiness(case: Case, catalogue: Catalogue, *, rounds: int) -> Comparison:
    """From the text of a case to what is missing, against reading the same text alone."""
    text = canonical_json(case).decode()
    times = take_turns(
        {
            "ours": partial(_readiness, text, catalogue),
            "rival": partial(_parsed, text),
            "reading": partial(_read, text),
        },
        rounds=rounds,
        span=0.02,
    )
    rival = "json.loads to Decimal, and Case.model_validate"
    return Comparison(
        "From JSON text to readiness",
        (
            Line("text to readiness", times["ours"], rival, times["rival"], 2.5),
            Line("of it, read_json and read_case", times["reading"], rival, times["rival"]),
        ),
        (
            f"The case is {len(text):,} characters of JSON.",
            "Ours is read_json, read_case and evaluate without trace, with readiness.",
            "The catalogue is read and compiled before.",
        ),
    )


def _read(text: str) -> Case:
    case, problems = read_case(read_json(text, "case.json"))
    assert case is not None, problems
    return case


def _readiness(text: str, catalogue: Catalogue) -> object:
    return evaluate(_read(text), catalogue, trace=False).readiness


def _parsed(text: str) -> Case:
    return Case.model_validate(json.loads(text, parse_float=Decimal, parse_int=Decimal))


# ---- a bundle -----------------------------------------------------------------------------------


def bundle_of_photographs(
    case: Case, library: Library, folder: Path, *, rounds: int, count: int = 40
) -> Comparison:
    """A case with photographs read, evaluated and bundled, against a loop that only stores them."""
    size = 4 * MEGABYTE
    photographs = draw_photographs(folder / "evidence", count, size)
    raw = json.loads(canonical_json(case))
    raw["evidence"] = [
        {
            "key": path.stem,
            "file": f"evidence/{path.name}",
            "type": "PHOTO",
            "tags": {"category": "exterior"},
        }
        for path in photographs
    ]
    raw["links"] = []
    path = folder / "case.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    new, old, loop = (folder / name for name in ("new.zip", "old.zip", "loop.zip"))
    _built(path, library, old)
    turns = partial(take_turns, rounds=rounds, span=0, before=partial(_removed, new, loop))
    times = turns(
        {
            "ours": partial(_built, path, library, new),
            "loop": partial(_stored, photographs, loop, sync=False),
            "reading": partial(read_case_file, path),
        }
    )
    # The disk is still busy with the last turn when these are in one row with the others.
    on_disk = turns(
        {
            "ours": partial(_built, path, library, old),
            "loop": partial(_stored, photographs, loop, sync=True),
        }
    )
    rival = "loop: read, sha256, zipfile (stored)"
    return Comparison(
        f"A bundle of {count} photographs of {size // MEGABYTE} MB",
        (
            Line(
                "read_case_file, evaluate, write_bundle", times["ours"], rival, times["loop"], 1.3
            ),
            Line(
                "the same, replacing a bundle",
                on_disk["ours"],
                rival + ", fsync",
                on_disk["loop"],
            ),
            Line("of it, read_case_file", times["reading"], rival, times["loop"]),
        ),
        (
            "Ours is what `zenops build` does once the catalogue is read.",
            _BUILDING,
            "The files are in the system's cache for both.",
        ),
    )


def draw_photographs(folder: Path, count: int, size: int) -> list[Path]:
    """Files that are JPEG by their headers and noise by their pictures, the same at each call."""
    folder.mkdir(parents=True)
    noise = random.Random(1)  # noqa: S311 - pictures, no secrets
    paths = []
    for number in range(count):
        path = folder / f"photograph-{number:02}.jpg"
        picture = noise.randbytes(size - len(_HEAD) - 2).replace(b"\xff", b"\x7f")
        path.write_bytes(_HEAD + picture + b"\xff\xd9")
        paths.append(path)
    return paths


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


# Start of image, JFIF, a frame of 3000 by 4000 pixels in three colours, start of the picture data.
_HEAD = (
    b"\xff\xd8"
    + _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
    + _segment(0xC0, b"\x08\x0b\xb8\x0f\xa0\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01")
    + _segment(0xDA, b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00")
)


def _built(path: Path, library: Library, bundle: Path) -> None:
    read = read_case_file(path)
    assert read.case is not None, read.problems
    assert library.catalogue is not None
    case = as_bundled(read.case)
    written, problems = write_bundle(
        case, evaluate(case, library.catalogue), library, read.files, bundle
    )
    assert written is not None, problems


def _removed(*paths: Path) -> None:
    """Take away what the last turn left, and what of it has not reached the disk yet."""
    for path in paths:
        path.unlink(missing_ok=True)


def _stored(photographs: list[Path], target: Path, *, sync: bool) -> None:
    with target.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            manifest = ""
            for path in photographs:
                content = path.read_bytes()
                manifest += f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
                archive.writestr(path.name, content)
            archive.writestr("manifest", manifest)
        if sync:
            file.flush()
            os.fsync(file.fileno())
