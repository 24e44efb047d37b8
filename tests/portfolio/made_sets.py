"""Small rule sets written in a test, and cases for them."""

from collections.abc import Mapping
from typing import Any

from contracts.land_units import LandUnits
from contracts.problems import render_problems
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import make_catalogue
from engine.rules.compiled import CompiledRuleSet
from engine.rules.inputs import Facts
from engine.rules.source import read_rule_set
from tests.rules.conftest import ROOT

HEAD = """
ruleset: made
version: 1
title: Made for a test
"""


def compiled(text: str) -> CompiledRuleSet:
    """The rule set of this text, which has no head of its own."""
    document = read_yaml(HEAD + text, "made.yaml")
    source, problems = read_rule_set([document])
    shown = render_problems([*document.problems, *problems], {"made.yaml": document.text})
    assert shown == "", shown
    units, _ = validate(LandUnits, read_yaml((ROOT / "rules/units.yaml").read_text(), "units"))
    catalogue, problems = make_catalogue([source], units=units)
    shown = render_problems([*problems, *catalogue.check()], {"made.yaml": document.text})
    assert shown == "", shown
    (rule_set,) = catalogue.rule_sets.values()
    return catalogue.compiled(rule_set)


def case_of(
    rule_set: CompiledRuleSet,
    values: Mapping[str, Any] | None = None,
    rows: Mapping[str, list[Mapping[str, Any]]] | None = None,
) -> Facts:
    """Facts by name (`given x` for a stated figure); whatever is not named is not known."""
    values, rows = dict(values or {}), rows or {}
    facts = Facts([], {}, {})
    given = {step.address for step in rule_set.steps if step.given_slot is not None}

    def name(address: str) -> str:
        return f"given {address}" if address in given else address

    for fact in rule_set.plan.scalars:
        facts.values.append(values.pop(name(fact.address), None))
    for table in rule_set.plan.tables:
        found = rows.get(table.name)
        facts.rows[table.name] = (
            None if found is None else [f"row-{number}" for number in range(len(found))]
        )
        for column in table.columns:
            bare = name(column.address).replace(f"{table.name}.", "")
            facts.values.append(None if found is None else [row.get(bare) for row in found])
    assert values == {}
    return facts
