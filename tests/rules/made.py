"""Rule sets written in a test, and cases for them: values in, values out."""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path

from contracts.case import Case
from contracts.contract import Contract
from contracts.document import Document
from contracts.land_units import LandUnits
from contracts.problems import render_problems
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import make_catalogue
from engine.evaluation import examine
from engine.rules.source import read_rule_set

ROOT = Path(__file__).parents[2]
HEAD = """\
ruleset: made
version: 1
status: published
title: Made for a test
effective: {from: 2000-01-01}
applies_to: {report_type: [VALUATION]}
"""


@cache
def units() -> LandUnits:
    found, problems = validate(LandUnits, read_yaml((ROOT / "rules/units.yaml").read_text(), "u"))
    assert found, problems
    return found


def source_of(text: str, name: str = "made.yaml", *, head: str = HEAD):
    """A rule set as written; `head=""` when the text has its own."""
    document = read_yaml(head + textwrap.dedent(text), name)
    source, problems = read_rule_set([document])
    assert not document.problems, render_problems(document.problems, {name: document.text})
    return source, problems, document


def catalogue_of(*texts: str, head: str = HEAD):
    """The catalogue of some rule sets, and its problems as a person reads them."""
    problems, sources, written = [], [], {}
    for number, text in enumerate(texts):
        own_head = head if number == 0 else ""
        source, found, document = source_of(text, f"made{number or ''}.yaml", head=own_head)
        written[document.name] = document.text
        problems += found
        sources += [source] if source is not None else []
    catalogue, found = make_catalogue(sources, units=units())
    problems += [*found, *catalogue.check()]
    return catalogue, render_problems(problems, written)


def contract_of(raw: dict | None = None) -> Contract:
    contract, problems = validate(
        Contract, Document.of_values({"meta": {"report_type": "VALUATION"}, **(raw or {})})
    )
    assert contract, problems
    return contract


def run(text: str, raw: dict | None = None, *, as_of=None, parameters=None, ruleset="made"):
    """What a rule set makes of a contract: an examination with its figures and findings."""
    catalogue, problems = catalogue_of(text)
    assert problems == "", problems
    case = Case(
        case="made", contract=contract_of(raw), ruleset=ruleset, parameters=parameters or {}
    )
    return examine(case, catalogue, as_of=as_of)


def value(text: str, raw: dict | None = None, name: str = "x", **more):
    """One figure of a rule set as it is written."""
    figures = run(text, raw, **more).figures
    address, row, fault = figures.locate(name)
    assert fault is None, fault
    return figures.value(address, row)


def problems_of(*texts: str, head: str = HEAD) -> str:
    """What is told about rule sets that are at fault."""
    return catalogue_of(*texts, head=head)[1]


def codes(examination) -> list[str]:
    """The findings, but for those that only say that no profile or date was given."""
    aside = {"PROFILE_NONE", "AS_OF_UNKNOWN"}
    return [f.code for f in examination.evaluation.findings if f.code not in aside]


def finding(examination, code: str):
    (found,) = [f for f in examination.evaluation.findings if f.code == code]
    return found
