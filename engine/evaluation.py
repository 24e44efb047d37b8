"""One case evaluated: rule set and profile chosen, figures computed, gaps named.

Pure and total: any case of the right shape gives an evaluation. What cannot be computed is not
known, and a finding or the trace says why.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from contracts.case import Case, ParameterOverride
from contracts.contract import Contract
from contracts.evaluation import (
    Evaluation,
    Finding,
    ProfileIdentity,
    Readiness,
    RulesetIdentity,
)
from contracts.problems import nearest
from engine.catalogue import Catalogue
from engine.figures import Figures, parameters_on, run_rule_set
from engine.findings import (
    built_in,
    disputed_units,
    fact_findings,
    in_order,
    rule_findings,
    stated_findings,
    undecided,
)
from engine.outputs import with_outputs
from engine.profile_selection import select_profile
from engine.readiness import assess
from engine.rounding import ARITHMETIC
from engine.rules.compiled import CompiledRuleSet
from engine.rules.inputs import read_facts
from engine.rules.selection import Choice, bank_type_of, select_rule_set
from engine.units.places import Place
from engine.units.registry import UnitProblem


@dataclass(frozen=True, repr=False)
class Examination:
    """An evaluation with the run behind it, for explanations and renderers."""

    evaluation: Evaluation
    figures: Figures | None


def evaluate(
    case: Case,
    catalogue: Catalogue,
    *,
    as_of: date | None = None,
    ruleset: str | None = None,
    trace: bool = True,
) -> Evaluation:
    """The evaluation of a case.

    Args:
        case: contract, evidence, links and parameters.
        catalogue: the rule sets and profiles to choose from.
        as_of: the valuation date; else the case's, its valuation date, its inspection date.
        ruleset: `id` or `id@version`; else the case's, else the most specific one that answers.
        trace: whether every figure's derivation is written out.
    """
    return examine(case, catalogue, as_of=as_of, ruleset=ruleset, trace=trace).evaluation


def examine(
    case: Case,
    catalogue: Catalogue,
    *,
    as_of: date | None = None,
    ruleset: str | None = None,
    trace: bool = True,
) -> Examination:
    """The evaluation and the figures it was made from."""
    # Whatever arithmetic the caller has set, every step here has 34 digits.
    with decimal.localcontext(ARITHMETIC):
        return _examined(case, catalogue, as_of, ruleset or case.ruleset, trace=trace)


def _examined(
    case: Case, catalogue: Catalogue, as_of: date | None, wanted: str | None, *, trace: bool
) -> Examination:
    contract = case.contract
    findings: list[Finding] = []
    as_of = as_of or case.as_of or _date_of(contract)
    if as_of is None:
        findings.append(
            built_in(
                "AS_OF_UNKNOWN",
                "Neither the case nor its inspection gives a date; the latest published rules "
                "and parameters were used.",
                "Enter the date of valuation.",
                ["valuation_inputs.valuation_date", "valuation_inputs.inspection_date"],
            )
        )
    contract = _with_bank_type(contract, catalogue, findings)
    choice = select_rule_set(
        catalogue.rule_sets.values(),
        contract,
        bank_type=contract.meta.bank_type,
        as_of=as_of,
        wanted=wanted,
    )
    if choice.fault is not None:
        findings.append(
            built_in(
                choice.fault,
                choice.why,
                "Name a rule set that exists: --ruleset, or ruleset: in the case.",
                ["meta.report_type", "meta.bank_type"],
            )
        )
    figures: Figures | None = None
    raised: list[tuple[int, int | None]] = []
    contract = contract.model_copy(update={"computed_values": None})
    if choice.rule_set is not None:
        compiled = catalogue.compiled(choice.rule_set)
        try:
            figures, raised = _run(
                case, contract, catalogue, compiled, as_of, findings, traced=trace
            )
        except decimal.Overflow:
            findings.append(
                built_in(
                    "FIGURES_OVERFLOW",
                    f"A figure of {choice.rule_set.reference} grows beyond every number, "
                    "so none was computed.",
                    "Correct the facts; if they are right, the rule set multiplies too much.",
                )
            )
    if figures is not None:
        findings += rule_findings(figures, raised)
        findings += fact_findings(figures.facts.problems)
        findings += disputed_units(figures)
        findings += undecided(figures)
        findings += stated_findings(contract, figures, catalogue.registry)
        contract, left_out = with_outputs(contract, figures)
        findings += [
            built_in(
                "OUTPUT_TOO_LONG",
                f"{figures.compiled.labels[address]} has more digits than a contract holds, "
                "so it is not written there.",
                "Correct the facts it is computed from, or give its rule a rounding.",
                [address],
                suffix=address,
            )
            for address in left_out
        ]
    evaluation = _assessed(case, contract, catalogue, choice, figures, findings, as_of)
    return Examination(evaluation, figures)


def _date_of(contract: Contract) -> date | None:
    inputs = contract.valuation_inputs
    return inputs.valuation_date or inputs.inspection_date


def _with_bank_type(contract: Contract, catalogue: Catalogue, findings: list[Finding]) -> Contract:
    bank_type, why = bank_type_of(contract, catalogue.banks)
    if not why:
        return contract
    findings.append(
        built_in(
            "BANK_TYPE_INFERRED",
            why,
            "Enter the bank type if this is not so.",
            ["meta.bank_type", "party.bank_name"],
        )
    )
    meta = contract.meta.model_copy(update={"bank_type": bank_type})
    return contract.model_copy(update={"meta": meta})


def _run(
    case: Case,
    contract: Contract,
    catalogue: Catalogue,
    compiled: CompiledRuleSet,
    as_of: date | None,
    findings: list[Finding],
    *,
    traced: bool,
) -> tuple[Figures, list[tuple[int, int | None]]]:
    """The rule set's function on this case's facts."""
    place = Place(contract.property.state, contract.property.district)
    overrides = (
        _overrides(case.parameters, compiled, catalogue, findings) if case.parameters else {}
    )
    parameters = parameters_on(compiled, as_of, overrides)
    findings += [
        built_in(
            "PARAMETER_NOT_IN_FORCE",
            f"The rule set gives no value of {name} for {as_of}.",
            "Correct the date, or state the parameter in the case with its source.",
            [f"parameters.{name}"],
            suffix=name,
        )
        for name in parameters.not_in_force
    ]
    facts = read_facts(contract, compiled.plan, catalogue.registry, place)
    return run_rule_set(compiled, facts, parameters, as_of, traced=traced)


def _overrides(
    stated: Mapping[str, ParameterOverride],
    compiled: CompiledRuleSet,
    catalogue: Catalogue,
    findings: list[Finding],
) -> dict[str, tuple[Decimal, str]]:
    """The case's own parameters, in the units of the set's."""
    known = {item.name: item for item in compiled.parameters}
    result: dict[str, tuple[Decimal, str]] = {}
    for name, override in stated.items():
        parameter = known.get(name)
        if parameter is None:
            near = nearest(name, known)
            fault = f"{compiled.resolved.reference} has no parameter {name}"
            remedy = f"Did you mean {near}?" if near else "Take it out."
            findings.append(_unfit(name, fault, remedy))
            continue
        target = {"percent": "1", "number": "1"}.get(parameter.unit_text, parameter.unit_text)
        quantity = override.value
        if quantity.unit is None and target == "1" and parameter.unit_text != "percent":
            result[name] = quantity.value, override.source
            continue
        converted = catalogue.registry.convert(quantity, target, None)
        if isinstance(converted, UnitProblem):
            remedy = f"Write it in {parameter.unit_text}."
            findings.append(_unfit(name, f"{quantity}: {converted.message}", remedy))
            continue
        result[name] = converted.value, override.source
    return result


def _unfit(name: str, fault: str, remedy: str) -> Finding:
    return built_in(
        "PARAMETER_UNFIT",
        f"The case's parameter {name} is not used: {fault}.",
        remedy,
        [f"parameters.{name}"],
        suffix=name,
    )


def _assessed(
    case: Case,
    contract: Contract,
    catalogue: Catalogue,
    choice: Choice,
    figures: Figures | None,
    findings: list[Finding],
    as_of: date | None,
) -> Evaluation:
    """The evaluation once figures and findings are there: profile, readiness, and the whole."""
    slab = figures.raw("value_slab") if figures is not None else None
    profile, why = select_profile(
        catalogue.profiles,
        report_type=contract.meta.report_type,
        bank_type=contract.meta.bank_type,
        value_slab=slab if isinstance(slab, str) else None,
        property_kind=contract.property.kind,
        ruleset=choice.rule_set.id if choice.rule_set is not None else None,
        wanted=case.profile,
    )
    if profile is None:
        findings.append(
            built_in(
                "PROFILE_NONE",
                why,
                "Name a profile that exists, or write one.",
                ["meta.report_type"],
            )
        )
    ordered = in_order(findings)
    readiness = Readiness(ready=False, completeness_score=0, blocking_findings=("PROFILE_NONE",))
    identity = ProfileIdentity("none", 0, "", why)
    if profile is not None:
        compiled_profile = catalogue.compiled_profile(profile)
        readiness = assess(
            contract,
            case.evidence,
            case.links,
            compiled_profile,
            figures=figures.known() if figures is not None else {},
            findings=ordered,
        )
        identity = ProfileIdentity(
            profile.profile, profile.version, catalogue.profile_digest(profile), why
        )
    rule_set = choice.rule_set
    return Evaluation(
        as_of=as_of,
        ruleset=RulesetIdentity("none", 0, "")
        if rule_set is None
        else RulesetIdentity(rule_set.id, rule_set.version, rule_set.digest),
        profile=identity,
        contract=contract,
        findings=ordered,
        readiness=readiness,
        trace=figures.trace if figures is not None else (),
    )
