"""Findings of an evaluation: those that the rule set raises, and those that the engine adds.

The engine adds what no rule set could say for itself: units that cannot be used, figures out of
bounds, stated figures that differ, parameters that do not fit, and an unknown date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from contracts.contract import Contract
from contracts.evaluation import Finding, NamedValue, Outcome, Severity
from contracts.quantities import Quantity, plain
from engine.figures import Figures
from engine.indian_numbers import parse_rupee_words, printed
from engine.rounding import ARITHMETIC
from engine.rules.compiled import CompiledFinding
from engine.rules.inputs import FactProblem, row_address
from engine.units.registry import UnitProblem, UnitRegistry

_OUTCOMES: Mapping[str, Outcome] = {"error": "fail", "warning": "review", "note": "informational"}
_NO_NUMBERS = frozenset({"text", "boolean", "date"})
# Wide enough to round any number of 34 digits at any place.
_WIDE = Context(prec=7000, rounding=ROUND_HALF_UP)
#: What the engine itself may find, and how serious it is. docs/findings.md explains each.
BUILT_IN: Mapping[str, tuple[Severity, str]] = {
    "AS_OF_UNKNOWN": ("warning", "Date of valuation unknown"),
    "BANK_TYPE_INFERRED": ("note", "Bank type inferred"),
    "FIGURES_OVERFLOW": ("error", "Figures too large"),
    "DECISION_UNDECIDED": ("error", "Rows of a decision contradict each other"),
    "OUTPUT_TOO_LONG": ("error", "Figure too long for a contract"),
    "OUT_OF_BOUNDS": ("error", "Figure out of bounds"),
    "PARAMETER_NOT_IN_FORCE": ("error", "Parameter not in force"),
    "PARAMETER_UNFIT": ("error", "Parameter does not fit"),
    "PROFILE_NONE": ("error", "No profile answers"),
    "ROW_ID_REPEATED": ("error", "Row id repeated"),
    "RULESET_NONE": ("error", "No rule set answers"),
    "RULESET_TIE": ("error", "Two rule sets answer equally well"),
    "RULESET_UNKNOWN": ("error", "Rule set unknown"),
    "STATED_DIFFERS": ("error", "Stated figure differs"),
    "STATED_UNCHECKED": ("warning", "Stated figure not checked"),
    "STATED_WORDS_DIFFER": ("error", "Amount in words differs"),
    "UNIT_AMBIGUOUS": ("error", "Unit ambiguous at the place"),
    "UNIT_DISPUTED": ("note", "Worth of a unit disputed"),
    "UNIT_MISSING": ("error", "Unit missing"),
    "UNIT_NEEDS_PLACE": ("error", "Unit needs a place"),
    "UNIT_NOT_USED_HERE": ("error", "Unit not used at the place"),
    "UNIT_UNKNOWN": ("error", "Unit unknown"),
    "UNIT_WRONG_KIND": ("error", "Unit of another measure"),
}


def built_in(
    code: str,
    message: str,
    remedy: str,
    fields: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    suffix: str = "",
) -> Finding:
    """A finding of the engine's own."""
    severity, name = BUILT_IN[code]
    return Finding(
        code + (f"[{suffix}]" if suffix else ""),
        name,
        severity,
        outcome or _OUTCOMES[severity],
        message,
        remedy,
        tuple(fields),
        tuple(NamedValue(key, value, "text") for key, value in (values or {}).items()),
        "engine",
        None,
    )


def rule_findings(figures: Figures, raised: Sequence[tuple[int, int | None]]) -> Iterator[Finding]:
    """The findings of the rule set that were raised, with their messages filled in."""
    for number, row in raised:
        rule = figures.compiled.findings[number]
        row_id = None
        if rule.table is not None and row is not None:
            row_id = figures.rows_of(rule.table)[row]
        yield Finding(
            f"{rule.code}[{row_id}]" if row_id is not None else rule.code,
            rule.label,
            rule.severity,  # type: ignore[arg-type]
            _OUTCOMES[rule.severity],
            _message(rule, figures, row),
            rule.remedy,
            tuple([_field(name, rule.table, row_id) for name in rule.fields]),
            tuple([_named(address, figures, rule.table, row) for address in rule.reads]),
            f"{figures.compiled.resolved.reference}/findings/{rule.code}",
            rule.source or None,
        )


def _message(rule: CompiledFinding, figures: Figures, row: int | None) -> str:
    return "".join([
        part if isinstance(part, str)
        else figures.printed(part.address, row if part.in_row else None, words=part.words)
        for part in rule.message
    ])  # fmt: skip


def _field(name: str, table: str | None, row_id: str | None) -> str:
    if table is not None and row_id is not None and name.startswith(f"{table}."):
        return row_address(name, row_id)
    return name


def _named(address: str, figures: Figures, table: str | None, row: int | None) -> NamedValue:
    bare = address.rpartition(" ")[2]
    own_row = row if table is not None and bare.startswith(f"{table}.") else None
    if bare in figures.facts.rows:
        return NamedValue(address, tuple(figures.rows_of(bare)), "text")
    value = figures.value(address, own_row)
    unit = figures.unit(address, own_row)
    if isinstance(value, list):
        value = tuple(value)
    name = address
    if own_row is not None and table is not None:
        which, space, _ = address.rpartition(" ")
        name = which + space + row_address(bare, figures.rows_of(table)[own_row])
    return NamedValue(name, value, unit)


def fact_findings(problems: Iterable[FactProblem]) -> Iterator[Finding]:
    """Facts that cannot be used as they stand."""
    seen: set[tuple[str, str]] = set()
    for problem in problems:
        # A rule set may read one fact twice, in two units; it is told of once.
        if (problem.code, problem.address) in seen:
            continue
        seen.add((problem.code, problem.address))
        unusable = problem.code.startswith("UNIT_")
        yield built_in(
            problem.code,
            problem.message,
            problem.remedy,
            [problem.address],
            problem.values,
            "open" if unusable else None,
            suffix=problem.address,
        )


def disputed_units(figures: Figures) -> Iterator[Finding]:
    """Units whose worth sources do not agree on, one note a unit."""
    seen: set[str] = set()
    for item in figures.facts.conversions:
        for step in item.converted.steps:
            unit = step.unit if step.unit.disputed else step.target
            # A fact that is read in two units, or an area and its rate, are told of once.
            if not unit.disputed or unit.definition in seen:
                continue
            seen.add(unit.definition)
            yield built_in(
                "UNIT_DISPUTED",
                f"{item.entered} was converted with {unit.definition}; "
                f"sources differ on what this unit is worth ({unit.source}).",
                "Compare with the title document; its own square metres or square feet win.",
                [item.field],
                {"entered": str(item.entered), "definition": unit.definition},
                suffix=item.field,
            )


def undecided(figures: Figures) -> Iterator[Finding]:
    """Decisions whose rows hit twice where only one may, or with different outcomes."""
    for step in figures.compiled.steps:
        if step.hit_policy not in {"unique", "any"} or step.hits_slot is None:
            continue
        hits = figures.slots[step.hits_slot]
        rows = hits if step.table is not None and hits is not None else [hits]
        for number, hit in enumerate(rows):
            if not hit or len(hit) < 2 or step.agree(hit):
                continue
            row_id = figures.rows_of(step.table)[number] if step.table else None
            field = row_address(step.address, row_id)
            numbers = " and ".join(str(index + 1) for index in hit)
            yield built_in(
                "DECISION_UNDECIDED",
                f"Rows {numbers} of decision {field} fit at once, so it decides nothing.",
                "Make the rows exclude each other, or give the table another hit policy.",
                [field],
                {"rows": numbers},
                suffix=field,
            )


def stated_findings(
    contract: Contract, figures: Figures, registry: UnitRegistry
) -> Iterator[Finding]:
    """Figures that the draft states, against the computed ones (docs/findings.md)."""
    for stated in contract.stated or ():
        label = stated.field
        address, row, fault = figures.locate(stated.field)
        if fault is None and row is None and "." in address:
            fault = f"it is a whole column; name a row, such as {row_address(address, 'x')}"
        if fault is not None:
            yield built_in(
                "STATED_UNCHECKED",
                f"The stated {label} is not checked: {fault}.",
                "Name a figure of the rule set, such as fmv or floors[house].net.",
                [f"stated.{label}"],
                suffix=label,
            )
            continue
        unit = figures.unit(address, row)
        computed = figures.value(address, row)
        amount, fault = _stated_amount(stated.amount, unit, registry)
        if amount is None or computed is None:
            yield built_in(
                "STATED_UNCHECKED",
                f"The stated {label}, {stated.amount}, is not checked: "
                f"{fault or 'the computed figure is not known'}.",
                "Write the figure as it is printed, in the unit of the computed one.",
                [f"stated.{label}"],
                suffix=label,
            )
            continue
        if not _agrees(amount, computed):
            shown, said = printed(computed, unit), printed(amount, unit)
            yield built_in(
                "STATED_DIFFERS",
                f"{figures.compiled.labels[address]} is stated as {said}, computed it is {shown}.",
                "Correct the stated figure, or the facts it is computed from.",
                [label],
                {"stated": str(stated.amount), "computed": shown},
                suffix=label,
            )
        if stated.words is not None:
            yield from _words_finding(label, stated.words, amount)


def _stated_amount(
    stated: Quantity, unit: str | None, registry: UnitRegistry
) -> tuple[Decimal | None, str | None]:
    """A stated amount in the unit of the computed figure, or why it is none."""
    if unit is None or unit in _NO_NUMBERS:
        return None, "the computed one is no number"
    if len(stated.terms) == 1 and stated.unit in {None, unit}:
        return stated.value, None
    target = "1" if unit in {"percent", "number"} else unit
    converted = registry.convert(stated, target, None)
    if isinstance(converted, UnitProblem):
        return None, converted.message
    return (ARITHMETIC.scaleb(converted.value, 2) if unit == "percent" else converted.value), None


def _agrees(stated: Decimal, computed: Decimal) -> bool:
    """Whether a computed figure, rounded as finely as the stated one, is the stated one."""
    exponent = stated.as_tuple().exponent
    assert isinstance(exponent, int)
    step = Decimal(1).scaleb(min(exponent, 0))
    return computed == stated or _WIDE.quantize(computed, step) == stated


def _words_finding(label: str, words: str, amount: Decimal) -> Iterator[Finding]:
    spoken = parse_rupee_words(words)
    if spoken == amount:
        return
    found = "cannot be read as an amount" if spoken is None else f"say {printed(spoken, 'INR')}"
    yield built_in(
        "STATED_WORDS_DIFFER",
        f"The words for {label} {found}, the figure says {printed(amount, 'INR')}.",
        "Correct the words or the figure.",
        [label],
        {"words": words, "figure": plain(amount)},
        suffix=label,
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by code, then fields."""
    return tuple(sorted(findings, key=lambda finding: (finding.code, finding.fields)))
