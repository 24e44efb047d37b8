"""A rule set ready to run: its function, and what each slot of its result means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from engine.rules.inputs import InputPlan
from engine.rules.kinds import Kind
from engine.rules.messages import Placeholder
from engine.rules.source import ResolvedRuleSet


@dataclass(frozen=True, slots=True)
class Step:
    """A value or decision of the compiled set, in the order of computing.

    `reads` are the names its formula uses as the trace shows them, with the address each stands
    for. `slot` is where the result is found; `unrounded_slot` and `calculated_slot` likewise,
    where there is such a thing.
    """

    address: str
    table: str | None
    label: str
    kind: Kind
    unit_text: str
    formula: str
    source: str
    rounding: str
    reads: tuple[tuple[str, str], ...]
    slot: int
    unrounded_slot: int | None
    calculated_slot: int | None
    given_slot: int | None
    unknown: str | None
    into: str | None
    is_decision: bool = False
    hits_slot: int | None = None
    hit_policy: str = ""
    outcomes: tuple[Any, ...] = ()

    def agree(self, hits: Sequence[int]) -> bool:
        """Whether several rows of a decision that fit at once all yield the same."""
        found = [self.outcomes[hit] for hit in hits]
        return self.hit_policy == "any" and all(outcome == found[0] for outcome in found)


@dataclass(frozen=True, slots=True)
class CompiledFinding:
    """A finding rule: what it says, and the addresses it reads."""

    code: str
    severity: str
    table: str | None
    label: str
    message: tuple[str | Placeholder, ...]
    remedy: str
    fields: tuple[str, ...]
    source: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """A parameter's value from a day on."""

    value: Decimal | None
    start: date | None
    until: date | None
    source: str


@dataclass(frozen=True, slots=True)
class CompiledParameter:
    """A parameter with its history, oldest first."""

    name: str
    kind: Kind
    unit_text: str
    label: str
    entries: tuple[ParameterEntry, ...]

    def on(self, as_of: date | None) -> ParameterEntry | None:
        """The entry in force on a day; the latest one when the day is not known."""
        if as_of is None:
            return self.entries[-1]
        in_force = [
            entry
            for entry in self.entries
            if (entry.start is None or entry.start <= as_of)
            and (entry.until is None or as_of <= entry.until)
        ]
        return in_force[-1] if in_force else None


@dataclass(frozen=True, repr=False)
class CompiledRuleSet:
    """A rule set ready to run.

    `run(inputs, parameters, as_of, rows)` gives the tuple of all slots and the findings raised as
    `(number of the finding, number of the row or None)`. `run_traced` takes also the units that
    the case decided, the conversions of its facts and the parameters as named values, and gives
    the trace as well.
    """

    resolved: ResolvedRuleSet
    plan: InputPlan
    parameters: tuple[CompiledParameter, ...]
    steps: tuple[Step, ...]
    findings: tuple[CompiledFinding, ...]
    slots: Mapping[str, int]
    kinds: Mapping[str, Kind]
    labels: Mapping[str, str]
    run: Callable[..., Any]
    run_traced: Callable[..., Any]
    # Parameters by day, once worked out: most cases of a day share them.
    parameters_by_day: dict[date | None, Any] = field(default_factory=dict)

    @cached_property
    def steps_by_address(self) -> Mapping[str, Step]:
        """The steps by what they compute."""
        return {step.address: step for step in self.steps}

    @cached_property
    def outputs(self) -> tuple[Step, ...]:
        """The steps whose results go into the contract."""
        return tuple(step for step in self.steps if step.into is not None)

    @cached_property
    def plan_tables(self) -> frozenset[str]:
        """The names of the tables."""
        return frozenset(table.name for table in self.plan.tables)


def label_of(address: str) -> str:
    """A readable label for a name without one.

    >>> label_of("floors.net_value")
    'Net value'
    """
    return address.rpartition(".")[2].replace("_", " ").capitalize()
