"""What a test or a case expects, against what came out; each difference is a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from contracts.case import Expect
from contracts.quantities import Quantity, plain
from contracts.rule_tests import RuleExpectation
from engine.evaluation import Examination
from engine.figures import Figures
from engine.findings import BUILT_IN
from engine.units.registry import UnitProblem, UnitRegistry

# Findings of the engine that say nothing of the rules under test; they count when they are named.
_ASIDE = frozenset(code for code, (severity, _) in BUILT_IN.items() if severity != "error") | {
    "PROFILE_NONE"
}


def differences(
    examination: Examination, expect: Expect | RuleExpectation, registry: UnitRegistry
) -> tuple[str, ...]:
    """How the outcome differs from what is expected; nothing when it does not."""
    figures = examination.figures
    if figures is None:
        return tuple(finding.message for finding in examination.evaluation.findings)
    found: list[str] = []
    for values in (expect.values, expect.decisions):
        found += _value_differences(values, figures, registry)
    codes = [finding.code for finding in examination.evaluation.findings]
    found += _finding_differences(codes, expect)
    readiness = examination.evaluation.readiness
    if isinstance(expect, Expect) and expect.ready is not None and readiness.ready != expect.ready:
        found.append(f"ready: expected {expect.ready}, got {readiness.ready}")
    if isinstance(expect, RuleExpectation) and expect.ruleset is not None:
        chosen = examination.evaluation.ruleset
        if expect.ruleset not in {chosen.id, f"{chosen.id}@{chosen.version}"}:
            found.append(f"ruleset: expected {expect.ruleset}, got {chosen.id}@{chosen.version}")
    return tuple(found)


def _value_differences(
    values: Mapping[str, Any], figures: Figures, registry: UnitRegistry
) -> Iterator[str]:
    for text, expected in values.items():
        address, row, fault = figures.locate(text)
        if fault is not None:
            yield f"{text}: {fault}"
            continue
        actual, unit = figures.value(address, row), figures.unit(address, row)
        wanted = _wanted(expected, unit, registry)
        step = figures.compiled.steps_by_address.get(address)
        if actual is None and step is not None and step.unknown is not None:
            actual = step.unknown if isinstance(wanted, str) else None
        if wanted != actual or isinstance(wanted, bool) != isinstance(actual, bool):
            yield f"{text}: expected {_shown(wanted)}, got {_shown(actual)} {unit or ''}".rstrip()


def _wanted(expected: Any, unit: str | None, registry: UnitRegistry) -> Any:
    if not isinstance(expected, Quantity):
        return expected
    if len(expected.terms) == 1 and expected.unit in {None, unit}:
        return expected.value
    target = "1" if unit in {"percent", "number"} else unit or "1"
    converted = registry.convert(expected, target, None)
    if isinstance(converted, UnitProblem):
        return str(expected)
    return converted.value.scaleb(2) if unit == "percent" else converted.value


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    return plain(value) if isinstance(value, Decimal) else str(value)


def _finding_differences(codes: Iterable[str], expect: Expect | RuleExpectation) -> Iterator[str]:
    raised = set(codes)
    if expect.findings is not None:
        named = set(expect.findings)
        for code in sorted(named - raised):
            yield f"finding {code} was not raised"
        for code in sorted(raised - named):
            if code.partition("[")[0] not in _ASIDE:
                yield f"finding {code} was raised"
    if isinstance(expect, RuleExpectation):
        for code in expect.some_findings:
            if code not in raised:
                yield f"finding {code} was not raised"
        for code in expect.not_findings:
            if any(code in {found, found.partition("[")[0]} for found in raised):
                yield f"finding {code} was raised"
