"""Writes rules/locks.yaml: the digest of every published rule set; `--check` only says if it is stale.

A published version never changes: its digest is written once. A draft or retired set that has no
lock gets none, so a draft may change from day to day; what was locked once stays locked.

Run from the repository's root: python scripts/write_locks.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from contracts.locks import Locks  # noqa: E402
from contracts.problems import render_problems  # noqa: E402
from contracts.strict_yaml import read_yaml  # noqa: E402
from contracts.validation import validate  # noqa: E402
from engine.rules.source import ResolvedRuleSet  # noqa: E402
from factory.catalogue import read_catalogue  # noqa: E402

LOCKS = ROOT / "rules" / "locks.yaml"
_HEAD = """\
# yaml-language-server: $schema=../contracts/schemas/locks.schema.json
# Written by scripts/write_locks.py: the digest of each published rule set in its resolved form.
# A published version never changes; what is to change gets a new version.
locks:
"""


def new_locks(
    rule_sets: Iterable[ResolvedRuleSet], locks: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The locks with those that are missing added, and what contradicts the ones there are."""
    sets = {rule_set.reference: rule_set for rule_set in rule_sets}
    faults = [
        f"{reference} is locked, and there is no such rule set any more"
        for reference in locks
        if reference not in sets
    ]
    wanted = dict(locks)
    for reference, rule_set in sets.items():
        locked = locks.get(reference)
        if locked is None and rule_set.status == "published":
            wanted[reference] = rule_set.digest
        elif locked not in {None, rule_set.digest}:
            faults.append(
                f"{reference} was published and has changed: give it the next version, "
                f"and keep {reference} as it was"
            )
    return dict(sorted(wanted.items())), tuple(sorted(faults))


def locks_in(text: str) -> dict[str, str]:
    """The digests by `id@version` in the text of a lock file."""
    locks, problems = validate(Locks, read_yaml(text, str(LOCKS.relative_to(ROOT))))
    if locks is None:
        sys.exit(render_problems(problems, {str(LOCKS.relative_to(ROOT)): text}))
    return dict(locks.locks)


def text_of(locks: Mapping[str, str]) -> str:
    """The text of a lock file."""
    return _HEAD + "".join(f'  "{name}": "{digest}"\n' for name, digest in locks.items())


def main(arguments: list[str]) -> int:
    """Writes, or with `--check` compares; 1 says that something is stale or has changed."""
    library = read_catalogue(ROOT)
    if library.catalogue is None:
        print("the rule sets have problems: run zenops evaluate on any case to see them")
        return 1
    old = LOCKS.read_text(encoding="utf-8") if LOCKS.exists() else ""
    locks, faults = new_locks(library.catalogue.rule_sets.values(), locks_in(old) if old else {})
    for fault in faults:
        print(fault)
    text = text_of(locks)
    if faults:
        return 1
    if text == old:
        return 0
    if "--check" in arguments:
        print("rules/locks.yaml is out of date: run scripts/write_locks.py")
        return 1
    LOCKS.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
