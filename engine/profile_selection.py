"""Which profile answers for a report, and why, in a sentence.

A profile that names another report type, bank, slab or kind of property never answers, however few
others there are. Of those that may, the one that names more of this report's traits is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from contracts.profile import AppliesTo, Profile, RequiredField, Requirement

#: What naming a trait is worth. A rule set with a profile of its own is never without it; one format
#: serves farm land at every bank, so the kind of property outweighs the bank, and the bank the slab.
WEIGHTS = {"ruleset": 40, "property_kind": 20, "bank_type": 10, "value_slab": 5}
_NAMES = {
    "ruleset": "rule set",
    "report_type": "report type",
    "property_kind": "property kind",
    "bank_type": "bank type",
    "value_slab": "value slab",
}


def select_profile(
    profiles: Iterable[Profile],
    *,
    report_type: str,
    bank_type: str | None = None,
    value_slab: str | None = None,
    property_kind: str | None = None,
    ruleset: str | None = None,
    wanted: str | None = None,
) -> tuple[Profile | None, str]:
    """The profile of a report, and a sentence that says why.

    Args:
        profiles: resolved ones; abstract ones are passed over.
        report_type: the contract's.
        bank_type: the contract's; not known counts as OTHER.
        value_slab: as computed, so that the profile follows the value; not known counts as
            UNKNOWN.
        property_kind: the contract's.
        ruleset: the id of the rule set that computed the figures.
        wanted: what the case asks for by name, as `m5.4` or `m5.4@1`; it wins if it is there.

    Returns:
        None with the reason when no profile answers.
    """
    candidates = [profile for profile in profiles if not profile.abstract]
    traits = {
        "ruleset": ruleset,
        "report_type": report_type,
        "bank_type": bank_type or "OTHER",
        "value_slab": value_slab or "UNKNOWN",
        "property_kind": property_kind,
    }
    if wanted is not None:
        named = [p for p in candidates if wanted in {p.profile, f"{p.profile}@{p.version}"}]
        if named:
            chosen = max(named, key=lambda profile: profile.version)
            return chosen, f"The case names {chosen.profile}."
    best: tuple[int, Profile, AppliesTo] | None = None
    # Of equals, which `check_profiles` reports, the first by name and the newest of its versions.
    for profile in sorted(candidates, key=lambda profile: (profile.profile, -profile.version)):
        for selector in profile.applies_to:
            worth = _worth(selector, traits)
            if worth is not None and (best is None or worth > best[0]):
                best = (worth, profile, selector)
    lead = f"There is no profile {wanted}; " if wanted else ""
    if best is None:
        shown = _listed(f"{_NAMES[trait]} {value}" for trait, value in traits.items() if value)
        reason = f"{lead}no profile answers for {shown}."
        return None, reason[0].upper() + reason[1:]
    _, profile, selector = best
    used = [trait for trait in _NAMES if getattr(selector, trait) is not None]
    free = [trait for trait in _NAMES if getattr(selector, trait) is None and trait != "ruleset"]
    because = _listed(f"{_NAMES[trait]} {traits[trait]}" for trait in used)
    why = f"{lead}{profile.profile} answers for {because or 'every report'}"
    if free:
        why += f", whatever the {_listed((_NAMES[trait] for trait in free), 'or')}"
    return profile, why + "."


def selectors_worth(profile: Profile, traits: Mapping[str, str | None]) -> int | None:
    """What a profile's nearest selector is worth for a report; None if it never answers for it."""
    worths = [_worth(selector, traits) for selector in profile.applies_to]
    return max((worth for worth in worths if worth is not None), default=None)


def _worth(selector: AppliesTo, traits: Mapping[str, str | None]) -> int | None:
    """What a selector's agreement with a report is worth; None if it speaks of another report."""
    worth = 0
    for trait, value in traits.items():
        accepted = getattr(selector, trait)
        if accepted is None:
            continue
        if value not in accepted:
            return None
        worth += WEIGHTS.get(trait, 0)
    return worth


def _listed(parts: Iterable[str], word: str = "and") -> str:
    *init, last = [*parts] or [""]
    return f"{', '.join(init)} {word} {last}" if init else last


def resolved(profile: Profile, base: Profile) -> Profile:
    """A profile with what it takes over from the one it extends.

    Fields and requirements of the same key replace the base's where it stands, others are added
    behind; what is named in `drop` is left out. `applies_to` is never taken over.
    """
    fields: dict[str, RequiredField] = {field.key: field for field in base.fields}
    fields.update({field.key: field for field in profile.fields})
    needs: dict[str, Requirement] = {need.key: need for need in base.requirements}
    needs.update({need.key: need for need in profile.requirements})
    return profile.model_copy(
        update={
            "extends": None,
            "drop": (),
            "fields": tuple(f for key, f in fields.items() if key not in profile.drop),
            "requirements": tuple(n for key, n in needs.items() if key not in profile.drop),
            "headings": base.headings if profile.headings is None else profile.headings,
        }
    )
