"""Everything an evaluation may choose from: rule sets, profiles, units, banks.

Plain values, read from disk by `factory.catalogue` or put together by a test; rule sets and
profiles are compiled when they are first used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.banks import Banks
from contracts.canonical_json import canonical_json
from contracts.field_definitions import FieldDefinition
from contracts.land_units import LandUnits
from contracts.problems import Problem
from contracts.profile import Profile
from engine.readiness import CompiledProfile, compile_profile
from engine.rules.compiled import CompiledRuleSet
from engine.rules.compiler import compile_rule_set
from engine.rules.source import ResolvedRuleSet, RuleSetSource, resolve
from engine.units.registry import UnitRegistry


class CatalogueError(Exception):
    """A rule set or profile was used although it has problems."""


@dataclass(frozen=True, repr=False)
class Catalogue:
    """Resolved rule sets by `id@version`, resolved profiles, and the registers they use."""

    rule_sets: Mapping[str, ResolvedRuleSet]
    profiles: Sequence[Profile]
    field_definitions: Sequence[FieldDefinition]
    registry: UnitRegistry
    banks: Banks = field(default_factory=Banks)
    _compiled: dict[str, CompiledRuleSet] = field(default_factory=dict, repr=False)
    _profiles: dict[tuple[str, int], CompiledProfile] = field(default_factory=dict, repr=False)
    _profile_digests: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)

    def compiled(self, rule_set: ResolvedRuleSet) -> CompiledRuleSet:
        """The rule set as a function.

        Raises:
            CatalogueError: it has problems (`check` tells which).
        """
        found = self._compiled.get(rule_set.reference)
        if found is None:
            compiled, problems = compile_rule_set(rule_set, self.registry)
            if compiled is None:
                raise CatalogueError(f"{rule_set.reference}: {problems[0].what}")
            found = self._compiled[rule_set.reference] = compiled
        return found

    def compiled_profile(self, profile: Profile) -> CompiledProfile:
        """The profile with its conditions as functions."""
        key = (profile.profile, profile.version)
        found = self._profiles.get(key)
        if found is None:
            found = self._profiles[key] = compile_profile(profile, self.field_definitions)
        return found

    def profile_digest(self, profile: Profile) -> str:
        """The sha256 of the resolved profile's canonical JSON."""
        key = (profile.profile, profile.version)
        if key not in self._profile_digests:
            text = canonical_json(profile)
            self._profile_digests[key] = hashlib.sha256(text).hexdigest()
        return self._profile_digests[key]

    def check(self) -> tuple[Problem, ...]:
        """The problems of all rule sets, abstract ones included."""
        problems: list[Problem] = []
        for rule_set in self.rule_sets.values():
            problems += compile_rule_set(rule_set, self.registry)[1]
        return tuple(problems)


def make_catalogue(
    sources: Iterable[RuleSetSource],
    *,
    units: LandUnits,
    profiles: Sequence[Profile] = (),
    field_definitions: Sequence[FieldDefinition] = (),
    banks: Banks | None = None,
) -> tuple[Catalogue, tuple[Problem, ...]]:
    """A catalogue of rule sets as written; those that do not resolve are left out, with problems."""
    by_reference: dict[str, RuleSetSource] = {}
    problems: list[Problem] = []
    for source in sources:
        other = by_reference.get(source.reference)
        if other is not None:
            problems.append(
                source.place.problem(
                    "E218",
                    f"{source.reference} is also in {other.place.document.name}",
                    "A rule set and version are one thing, in one place.",
                    "Give one of them another version or name.",
                )
            )
            continue
        by_reference[source.reference] = source
    resolved: dict[str, ResolvedRuleSet] = {}
    for reference, source in by_reference.items():
        rule_set, found = resolve(source, by_reference)
        problems += found
        if rule_set is not None:
            resolved[reference] = rule_set
    catalogue = Catalogue(
        resolved, profiles, field_definitions, UnitRegistry(units), banks or Banks()
    )
    return catalogue, tuple(problems)
