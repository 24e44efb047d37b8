"""How results read on a terminal: aligned, grouped as rupees are, nothing cut off."""

from __future__ import annotations

import re
import textwrap
from decimal import Decimal
from typing import TYPE_CHECKING

from contracts.dates import Day
from contracts.evaluation import Value
from engine.indian_numbers import printed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from contracts.case import Case
    from contracts.evaluation import Evaluation, Finding, Readiness, TraceEntry
    from engine.evaluation import Examination
    from engine.figures import Figures
    from engine.rules.compiled import Step
    from factory.bundle import Bundle
    from factory.rendering.template_check import TemplateCheck
    from factory.rendering.template_files import TemplateFile
    from factory.verification import Verification

_VARIANT = re.compile(r"_(?:words|plain|short|entered|both|code|sqm)$")
_SHOWN_UNITS = frozenset({"INR", "percent"})
_FINDING = re.compile(r"[A-Z][A-Z0-9_]+(?:\[[^\]]*\])?: ")
_HEADINGS = {"error": "Errors", "warning": "Warnings", "note": "Notes"}


def evaluation_text(case: Case, examination: Examination, *, trace: bool) -> str:
    """An evaluation: figures, decisions, findings, readiness; with every derivation if asked."""
    evaluation = examination.evaluation
    parts = [_head(case, evaluation)]
    if examination.figures is not None:
        figures = examination.figures
        parts += [*_tables(figures), _figures(figures, evaluation), _decisions(figures, evaluation)]
        if trace:
            parts.append(_derivations(evaluation))
    parts += [_findings(evaluation.findings), readiness_text(evaluation.readiness)]
    return "\n\n".join(part for part in parts if part)


def bundle_text(bundle: Bundle) -> str:
    """Where a bundle is, and its digest."""
    rows = [
        ("Bundle", str(bundle.path)),
        ("Digest", bundle.digest),
        ("Holds", f"{bundle.files} files, {bundle.size:,} bytes"),
    ]
    return "\n".join(_aligned(rows))


def templates_text(templates: Iterable[TemplateFile]) -> str:
    """The shipped templates, one below the other."""
    return "\n\n".join(
        f"{template.key}\n  {template.title}\n  family {template.family}, file "
        f"{template.path.name}\n  sha256 {template.sha256}"
        for template in templates
    )


def template_check_text(name: str, family: str | None, check: TemplateCheck) -> str:
    """What a template prints and leaves out; its problems are told elsewhere."""
    rows = [("Template", name), ("Family", family or "any"), ("Tags", f"{check.tags:,}")]
    rows.append(("Fields", f"{len(check.printed):,} printed, {len(check.left_out):,} never"))
    figures = [path for path in check.left_out if "." not in path and not _VARIANT.search(path)]
    lines = [*_aligned(rows)]
    if family is not None and figures:
        lines += ["", "Figures of the family that it never prints:"]
        lines += textwrap.wrap(", ".join(figures), 96, initial_indent="  ", subsequent_indent="  ")
    if check.is_sound:
        lines += ["", "Reports can be printed from it."]
    return "\n".join(lines)


def verification_text(name: str, result: Verification, *, recomputed: bool) -> str:
    """What a check of a bundle came to; its problems are told elsewhere."""
    rows = [("Bundle", name)]
    if result.digest is not None:
        rows.append(("Digest", result.digest))
    if result.sound:
        rows.append(("Payload", f"{result.files} files, all as they were when it was built"))
        if recomputed:
            rows.append(("Figures", "computed again, all figures and findings equal"))
    else:
        counts = (
            (result.missing, "missing"),
            (result.unexpected, "unexpected"),
            (result.changed, "changed"),
        )
        told = ", ".join(f"{len(names)} {what}" for names, what in counts if names)
        rows.append(("Payload", told or "not as it was when it was built"))
    if result.signature is not None:
        signer = f" by {result.signature.signer}" if result.signature.signer else ""
        rows.append(("Signed", f"with the key {result.signature.public_key}{signer}"))
    return "\n".join(_aligned(rows))


def readiness_text(readiness: Readiness) -> str:
    """The score, what is missing, and what would fill each gap."""
    state = "ready" if readiness.ready else "not ready"
    lines = [f"Readiness: {readiness.completeness_score} of 100, {state}"]
    # A gap and what would fill it are one line; what a finding says already is not said again.
    wanted = [item.message for item in readiness.suggestions if item.field is None]
    links = [item.message for item in readiness.suggestions if item.field and item.evidence]
    for heading, items in (
        ("Missing facts", readiness.missing_fields),
        ("Missing evidence", wanted or readiness.missing_evidence),
        ("Blocking findings", readiness.blocking_findings),
        ("Suggestions", links),
        ("Remarks", [item for item in readiness.warnings if not _FINDING.match(item)]),
    ):
        lines += _listed(heading, items)
    return "\n".join(lines)


def value_text(value: Value, unit: str | None) -> str:
    """A figure with its unit, as a report prints it."""
    if value is None:
        return "not known"
    if isinstance(value, tuple):
        return ", ".join(value_text(item, unit) for item in value)
    if isinstance(value, Decimal):
        return printed(value, None if unit == "number" else unit)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _head(case: Case, evaluation: Evaluation) -> str:
    rules, profile = evaluation.ruleset, evaluation.profile
    rows = [
        ("Case", case.case),
        ("As of", "not known" if evaluation.as_of is None else _day(evaluation.as_of)),
        ("Rule set", f"{rules.id}@{rules.version}" if rules.digest else "none"),
        ("Profile", f"{profile.id}@{profile.version}" if profile.digest else "none"),
        ("", profile.why),
    ]
    return "\n".join([*([case.title, ""] if case.title else []), *_aligned(rows)])


def _day(day: Day) -> str:
    return f"{day.day} {day:%B %Y}"


def _tables(figures: Figures) -> Iterator[str]:
    """A grid for each table that has money in it."""
    labels = figures.compiled.labels
    columns: dict[str, list[str]] = {}
    for step in figures.compiled.steps:
        if step.table is not None and not step.is_decision:
            columns.setdefault(step.table, []).append(step.address)
    for table, addresses in columns.items():
        rows = figures.rows_of(table)
        shown = [
            address
            for address in addresses
            if rows and figures.unit(address, 0) in _SHOWN_UNITS
            and any(figures.raw(address, row) is not None for row in range(len(rows)))
        ]  # fmt: skip
        if not shown:
            continue
        grid = [[table.replace("_", " ").capitalize(), *(labels[address] for address in shown)]]
        for row in range(len(rows)):
            name = figures.printed(f"{table}.label", row)
            cells = (
                value_text(figures.value(address, row), figures.unit(address, row))
                for address in shown
            )
            grid.append([name, *cells])
        yield "\n".join(_grid(grid))


def _figures(figures: Figures, evaluation: Evaluation) -> str:
    rows = [
        (step.label, value_text(entry.value, entry.unit))
        for entry in evaluation.trace
        if entry.unit in _SHOWN_UNITS
        and entry.value is not None
        and (step := figures.compiled.steps_by_address.get(entry.field)) is not None
        and not _is_other_name(step)
    ]
    if not rows:
        return "Figures: none is known"
    return "\n".join(["Figures", *_grid(rows, indent="  ")])


def _is_other_name(step: Step) -> bool:
    """Whether a figure only hands another one on, and no report prints it."""
    handed_on = step.formula in {address for _, address in step.reads}
    return handed_on and step.rounding == "none" and not step.into and not step.unknown


def _decisions(figures: Figures, evaluation: Evaluation) -> str:
    steps = figures.compiled.steps_by_address
    rows = [
        (steps[entry.field].label, value_text(entry.value, entry.unit))
        for entry in evaluation.trace
        if entry.field in steps and steps[entry.field].is_decision
    ]
    return "\n".join(["Decisions", *_aligned(rows, indent="  ")]) if rows else ""


def _derivations(evaluation: Evaluation) -> str:
    lines = ["Derivations"]
    for entry in evaluation.trace:
        lines += _derivation(entry)
    return "\n".join(lines)


def _derivation(entry: TraceEntry) -> Iterator[str]:
    yield f"  {entry.field} = {value_text(entry.value, entry.unit)}"
    if entry.formula:
        yield f"    {entry.formula}"
    for item in entry.inputs:
        written = f", written as {item.written}" if item.written else ""
        source = f" ({item.source})" if item.source else ""
        yield f"      {item.name} = {value_text(item.value, item.unit)}{written}{source}"
    if entry.given is not None:
        yield f"    stated in the case: {value_text(entry.given, entry.unit)}"
    if entry.rounding not in {None, "none"} and entry.unrounded != entry.value:
        yield f"    before rounding: {value_text(entry.unrounded, entry.unit)}; {entry.rounding}"
    if entry.missing:
        yield f"    would be known with: {', '.join(entry.missing)}"
    yield f"    {entry.rule}" + (f"; {entry.source}" if entry.source else "")


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "Findings: none"
    lines: list[str] = []
    for severity, heading in _HEADINGS.items():
        for finding in findings:
            if finding.severity != severity:
                continue
            if heading:
                lines.append(heading)
                heading = ""  # noqa: PLW2901 - once for the first of its kind
            lines.append(f"  {finding.code}: {finding.message}")
            if finding.remedy:
                lines.append(f"    {finding.remedy}")
    return "\n".join(lines)


def _listed(heading: str, items: Iterable[str]) -> list[str]:
    lines = [f"    {item}" for item in items]
    return [f"  {heading}", *lines] if lines else []


def _aligned(rows: Sequence[tuple[str, str]], indent: str = "") -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{indent}{name:<{width}}  {text}".rstrip() for name, text in rows]


def _grid(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Columns as wide as they must be: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines
