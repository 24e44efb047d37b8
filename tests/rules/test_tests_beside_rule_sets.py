"""Runs every test that stands beside a rule set: `rules/<id>/tests/*.yaml`."""

from pathlib import Path

import pytest

from contracts.case import Case
from contracts.contract import Contract
from contracts.document import Document
from contracts.patch import apply_patch
from contracts.problems import render_problems
from contracts.rule_tests import RuleTests
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.evaluation import examine
from engine.expectations import differences

ROOT = Path(__file__).parents[2]


def _tests():
    for file in sorted(
        [*ROOT.glob("rules/*/tests/*.yaml"), *ROOT.glob("fixtures/variants/*/tests/*.yaml")]
    ):
        name = str(file.relative_to(ROOT))
        document = read_yaml(file.read_text(encoding="utf-8"), name)
        tests, problems = validate(RuleTests, document)
        if tests is None or document.problems:
            text = render_problems([*document.problems, *problems], {name: document.text})
            yield pytest.param(None, None, None, text, id=f"{name} reads")
            continue
        for test in tests.tests:
            yield pytest.param(file, tests, test, "", id=f"{file.parts[-3]}: {test.name}")


@pytest.mark.parametrize(("file", "tests", "test", "unreadable"), list(_tests()))
def test_rule_set(shipped, file, tests, test, unreadable):
    assert unreadable == ""

    raw = test.contract if test.contract is not None else tests.given
    contract, problems = validate(Contract, Document.of_values(raw))
    if contract is not None and test.patch is not None:
        contract, problems = apply_patch(contract, test.patch)

    assert render_problems(problems, {}) == ""

    folder = file.parts[-3]
    chosen = test.ruleset or tests.ruleset or (None if test.expect.ruleset else folder)
    case = Case(
        case="test",
        contract=contract,
        as_of=test.as_of or tests.as_of,
        parameters=test.parameters,
        ruleset=chosen,
    )
    examination = examine(case, shipped)

    assert differences(examination, test.expect, shipped.registry) == ()
