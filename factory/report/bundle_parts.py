"""What a report is printed from: a verified bundle's parts, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.units.places import Place
from engine.units.registry import UnitRegistry
from factory.verification import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from contracts.annexure_plan import AnnexurePlan
    from contracts.bundle import BundledCase, Registers, TemplateIdentity
    from contracts.case import Firm
    from contracts.contract import Contract
    from contracts.evaluation import Evaluation
    from contracts.problems import Problem
    from contracts.profile import Profile


# No slots: the register of units is built once, when something asks for it.
@dataclass(frozen=True, repr=False)
class BundleParts:
    """A sound bundle: where it lies, its digest, and its payload as models.

    `ruleset` is the resolved rule set as the bundle writes it, empty if there is none.
    """

    path: Path
    digest: str
    case: BundledCase
    evaluation: Evaluation
    profile: Profile | None
    registers: Registers
    ruleset: Mapping[str, Any]
    annexures: AnnexurePlan
    firm: Firm | None
    template: TemplateIdentity

    @property
    def contract(self) -> Contract:
        """The contract as it was evaluated, with what the evaluation filled in."""
        return self.evaluation.contract

    @cached_property
    def units(self) -> UnitRegistry:
        """What units are worth, by the bundle's own register."""
        return UnitRegistry(self.registers.units)

    @property
    def place(self) -> Place:
        """Where the property is, which decides what its local units are worth."""
        return Place(self.contract.property.state, self.contract.property.district)


def read_parts(path: Path) -> tuple[BundleParts | None, tuple[Problem, ...]]:
    """The parts of a bundle that is as it was when it was built.

    Returns:
        The parts, or None and everything that is wrong with the bundle.
    """
    result = verify_bundle(path)
    if result.parts is None or result.digest is None:
        return None, result.problems
    parts = result.parts
    return BundleParts(
        path=path,
        digest=result.digest,
        case=parts.case,
        evaluation=parts.evaluation,
        profile=parts.profile,
        registers=parts.registers,
        ruleset=parts.ruleset.value or {},
        annexures=parts.annexures,
        firm=parts.firm,
        template=parts.template,
    ), ()
