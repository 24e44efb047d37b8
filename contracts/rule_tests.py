"""Tests that stand beside a rule set: `rules/<id>/tests/*.yaml`.

Each test is a sentence, a contract (or what differs from the file's `given`), and what must come
out. `findings` is exact when it is there; `not_findings` names what must not be raised.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.case import Chosen, ExpectedValue, ParameterOverride
from contracts.contract import Text
from contracts.dates import Day


class Section(BaseModel):
    """A part of a test file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleExpectation(Section):
    """What a rule set must give; what is left out is not checked."""

    values: dict[Text, ExpectedValue] = {}
    decisions: dict[Text, ExpectedValue] = {}
    findings: tuple[Text, ...] | None = None
    some_findings: tuple[Text, ...] = ()
    not_findings: tuple[Text, ...] = ()
    ruleset: Chosen | None = None


class RuleTest(Section):
    """One test; `patch` is put over the file's `given`, `contract` stands alone."""

    name: Annotated[str, StringConstraints(min_length=8, max_length=300)]
    contract: dict[str, Any] | None = None
    patch: dict[str, Any] | None = None
    as_of: Day | None = None
    parameters: dict[Text, ParameterOverride] = {}
    ruleset: Chosen | None = None
    expect: RuleExpectation


class RuleTests(Section):
    """A file of tests of one rule set; without `ruleset` the set of its folder is meant."""

    ruleset: Chosen | None = None
    title: Text | None = None
    given: dict[str, Any] | None = None
    as_of: Day | None = None
    tests: Annotated[tuple[RuleTest, ...], Field(min_length=1)]
