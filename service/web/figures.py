"""The computed figures as the page shows them: each with where it comes from.

The words are the engine's own (engine.explanation); this only sorts and labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.evaluation import TraceEntry
from engine.explanation import explain
from factory.presentation import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.evaluation import Examination
    from engine.rules.compiled import Step

#: What a reader looks for first: amounts and shares. Areas and rates come after them.
_FIRST = frozenset({"INR", "percent"})


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A value that a formula used, with where a factor or a parameter comes from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure or decision with its derivation."""

    field: str
    anchor: str
    label: str
    value: str
    is_known: bool
    sentence: str
    notes: tuple[str, ...]
    rule: str
    source: str
    formula: str
    ingredients: tuple[Ingredient, ...]
    rounding: str
    given: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureGroup:
    """Figures that are read together."""

    title: str
    figures: tuple[Figure, ...]


def figure_groups(examination: Examination) -> tuple[FigureGroup, ...]:
    """All figures and decisions of an evaluation: values first, then rows, then the rest.

    A figure that is not known comes last, and names what would make it known.
    """
    figures = examination.figures
    if figures is None:
        return ()
    values: list[Figure] = []
    others: list[Figure] = []
    unknown: list[Figure] = []
    decisions: list[Figure] = []
    rows: dict[str, list[Figure]] = {}
    for entry in examination.evaluation.trace:
        address, row = _address(entry.field)
        step = figures.compiled.steps_by_address.get(address)
        if step is None:
            continue
        figure = _figure(examination, entry, step, row)
        if step.is_decision:
            decisions.append(figure)
        elif entry.value is None:
            # What has no row would be asked for in every report; rows are the case's own.
            unknown.append(figure)
        elif step.table is not None:
            rows.setdefault(step.table, []).append(figure)
        elif entry.unit in _FIRST:
            values.append(figure)
        else:
            others.append(figure)
    tables = [
        FigureGroup(table.replace("_", " ").capitalize(), tuple(found))
        for table, found in rows.items()
    ]
    return tuple(
        group
        for group in (
            FigureGroup("Values", tuple(values)),
            *tables,
            FigureGroup("Areas, rates, words", tuple(others)),
            FigureGroup("Decisions", tuple(decisions)),
            FigureGroup("Not known", tuple(unknown)),
        )
        if group.figures
    )


def _address(field: str) -> tuple[str, str | None]:
    """`floors[ground].net` is `floors.net` of the row `ground`."""
    if "[" not in field:
        return field, None
    table, _, rest = field.partition("[")
    row, _, column = rest.partition("]")
    return f"{table}{column}", row


def _figure(examination: Examination, entry: TraceEntry, step: Step, row: str | None) -> Figure:
    told, why_not = explain(examination, entry.field)
    sentence, *notes = [line.strip() for line in (told or why_not).splitlines()] or [""]
    return Figure(
        field=entry.field,
        anchor=f"figure-{entry.field}",
        label=step.label if row is None else f"{step.label}, {_row_name(examination, step, row)}",
        value=value_text(entry.value, entry.unit),
        is_known=entry.value is not None,
        sentence=sentence,
        # The rule and its source stand in rows of their own.
        notes=tuple(
            note for note in notes if entry.value is not None and not note.startswith("Rule: ")
        ),
        rule=entry.rule,
        source=entry.source or "",
        formula=entry.formula or "",
        ingredients=tuple(_ingredients(entry)),
        rounding=_rounding(entry),
        given="" if entry.given is None else value_text(entry.given, entry.unit),
        missing=entry.missing,
    )


def _ingredients(entry: TraceEntry) -> Iterable[Ingredient]:
    for item in entry.inputs:
        written = f" (written {item.written})" if item.written else ""
        yield Ingredient(item.name, value_text(item.value, item.unit) + written, item.source or "")


def _rounding(entry: TraceEntry) -> str:
    if entry.rounding in {None, "none"}:
        return "not rounded"
    if entry.value is None or entry.unrounded is None:
        return str(entry.rounding)
    if entry.unrounded == entry.value:
        return f"{entry.rounding}; it made no difference"
    return f"{entry.rounding}, from {value_text(entry.unrounded, entry.unit)}"


def _row_name(examination: Examination, step: Step, row: str) -> str:
    figures = examination.figures
    assert figures is not None and step.table is not None  # noqa: PT018 - both hold for a row
    _, index, _ = figures.locate(f"{step.table}[{row}].label")
    name = figures.printed(f"{step.table}.label", index) if index is not None else ""
    return name or row
