"""Which rule set a case is evaluated with, and why (docs/writing-rules.md).

A set is chosen by report type, bank, property kind and date, never by a computed value. The most
specific set wins: a bank's name outweighs the property kind, that the bank type, that the report
type. Two sets that are equally specific are a fault of the rules, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from contracts.banks import Banks
from contracts.contract import BankType, Contract
from engine.rules.source import ResolvedRuleSet

WEIGHTS = {"bank_name": 8, "property_kind": 4, "bank_type": 2, "report_type": 1}
_SPOKEN = {
    "bank_name": "bank",
    "property_kind": "property kind",
    "bank_type": "bank type",
    "report_type": "report type",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen set, or none, with the reason in a sentence; `fault` names what went wrong."""

    rule_set: ResolvedRuleSet | None
    why: str
    fault: str | None = None


def bank_type_of(contract: Contract, banks: Banks) -> tuple[BankType | None, str]:
    """The contract's bank type, else the one that the register knows for the bank's name."""
    stated = contract.meta.bank_type
    if stated is not None:
        return stated, ""
    name = contract.party.bank_name
    if name is None:
        return None, ""
    spoken = _folded(name)
    for bank in banks.banks:
        if spoken in {_folded(known) for known in (bank.name, *bank.aliases)}:
            return bank.bank_type, f"{name} is of type {bank.bank_type}."
    for word in banks.words:
        if re.search(rf"(?<!\w){re.escape(_folded(word.word))}(?!\w)", spoken):
            return word.bank_type, f"The name {name} says that it is of type {word.bank_type}."
    return None, ""


def _folded(name: str) -> str:
    words = name.casefold().replace("&", " and ").split()
    told = [word for word in words if word not in {"the", "ltd", "ltd.", "limited"}]
    return " ".join(told)


def select_rule_set(
    rule_sets: Iterable[ResolvedRuleSet],
    contract: Contract,
    *,
    bank_type: BankType | None,
    as_of: date | None,
    wanted: str | None = None,
) -> Choice:
    """The rule set for a contract on a day.

    Args:
        rule_sets: resolved ones.
        contract: what is valued, and for whom.
        bank_type: as stated, or as known from the bank's name; none counts as OTHER.
        as_of: chooses among versions; when it is not known, the latest published one is taken.
        wanted: `id` or `id@version`, which goes before everything else.
    """
    usable = [item for item in rule_sets if not item.abstract]
    if wanted is not None:
        return _by_name(usable, wanted, as_of)
    traits = {
        "report_type": contract.meta.report_type,
        "bank_type": bank_type or "OTHER",
        "bank_name": contract.party.bank_name,
        "property_kind": contract.property.kind,
    }
    scored: list[tuple[int, ResolvedRuleSet]] = []
    for item in usable:
        if item.status != "published" or not _in_force(item, as_of):
            continue
        weight = _weight(item, traits)
        if weight is not None:
            scored.append((weight, item))
    if not scored:
        shown = ", ".join(f"{_SPOKEN[key]} {value}" for key, value in traits.items() if value)
        return Choice(None, f"No published rule set answers for {shown}.", "RULESET_NONE")
    best = max(weight for weight, _ in scored)
    winners = _latest(item for weight, item in scored if weight == best)
    if len(winners) > 1:
        names = " and ".join(sorted(item.reference for item in winners))
        return Choice(
            min(winners, key=lambda item: item.id),
            f"{names} answer equally well; the first by name was taken.",
            "RULESET_TIE",
        )
    (winner,) = winners
    because = [
        f"{_SPOKEN[key]} {traits[key]}" for key in WEIGHTS if getattr(winner.applies_to, key)
    ]
    return Choice(winner, f"{winner.reference} answers for {' and '.join(because)}.")


def _by_name(usable: list[ResolvedRuleSet], wanted: str, as_of: date | None) -> Choice:
    named = [item for item in usable if wanted in {item.id, item.reference}]
    if not named:
        return Choice(None, f"There is no rule set {wanted}.", "RULESET_UNKNOWN")
    in_force = [item for item in named if _in_force(item, as_of)] or named
    chosen = max(in_force, key=lambda item: item.version)
    return Choice(chosen, f"The case or the caller names {chosen.reference}.")


def _latest(items: Iterable[ResolvedRuleSet]) -> list[ResolvedRuleSet]:
    """One version a set: the one that came into force last."""
    latest: dict[str, ResolvedRuleSet] = {}
    for item in items:
        other = latest.get(item.id)
        if other is None or _start(other) < _start(item):
            latest[item.id] = item
    return list(latest.values())


def _start(item: ResolvedRuleSet) -> tuple[date, int]:
    start = item.effective.from_ if item.effective else date.min
    return start, item.version


def _in_force(item: ResolvedRuleSet, as_of: date | None) -> bool:
    if as_of is None or item.effective is None:
        return True
    until = item.effective.until
    return item.effective.from_ <= as_of and (until is None or as_of <= until)


def _weight(item: ResolvedRuleSet, traits: Mapping[str, str | None]) -> int | None:
    """How specific a set is for these traits; None if it is not for them, or for none at all."""
    weight = 0
    for key, worth in WEIGHTS.items():
        accepted = getattr(item.applies_to, key)
        if accepted is None:
            continue
        value = traits[key]
        if key == "bank_name":
            accepted = {_folded(name) for name in accepted}
            value = _folded(value) if value else None
        if value not in accepted:
            return None
        weight += worth
    return weight or None
