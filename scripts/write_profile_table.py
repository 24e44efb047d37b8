"""Writes the tables of docs/profiles.md from profiles/; with --check, says whether they are there."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.field_definitions import FieldDefinition, FieldDefinitions
from contracts.profile import Profile, RequiredField, Requirement
from contracts.strict_yaml import read_yaml
from engine.profile_check import check_profiles
from engine.readiness import described

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "profiles"
DEFINITIONS = "field-definitions.yaml"
PAGE = ROOT / "docs" / "profiles.md"
BEGIN = "<!-- tables: written by scripts/write_profile_table.py from profiles/ -->"
END = "<!-- end of tables -->"


def shipped() -> tuple[list[Profile], dict[str, FieldDefinition]]:
    """The shipped profiles that can be chosen, and the field definitions by key."""
    text = (DATA / DEFINITIONS).read_text(encoding="utf-8")
    rows = FieldDefinitions.model_validate(read_yaml(text, DEFINITIONS).value).field_definitions
    sources = []
    for path in sorted(DATA.glob("*.yaml")):
        if path.name != DEFINITIONS:
            document = read_yaml(path.read_text(encoding="utf-8"), path.name)
            sources.append((Profile.model_validate(document.value), document))
    profiles, _ = check_profiles(sources, rows)
    return [profile for profile in profiles if not profile.abstract], {row.key: row for row in rows}


def chosen_for(profile: Profile) -> str:
    """Which reports a profile answers for."""
    return "; or ".join(
        ", ".join(
            f"{trait.replace('_', ' ')} {' or '.join(words)}"
            for trait, words in selector.model_dump(exclude_none=True).items()
        )
        for selector in profile.applies_to
    )


def cell(asked: RequiredField | Requirement | None) -> str:
    """How a profile asks for a field or for evidence: `2`, `2*` under a condition, `(2)` optional."""
    if asked is None:
        return ""
    count = str(asked.min) if isinstance(asked, Requirement) else "yes"
    optional = isinstance(asked, Requirement) and not asked.required
    return (f"({count})" if optional else count) + ("*" if asked.when else "")


def named(need: Requirement) -> str:
    """A requirement as its row begins: what it is called, and what counts."""
    return f"{need.label}: {described(need)}"


def matrix(head: str, rows: Mapping[str, str], columns: Sequence[Mapping[str, str]]) -> str:
    """A table with a row for each key and a column for each profile."""
    lines = [head, "|---|" + ":-:|" * len(columns)]
    for key, label in rows.items():
        cells = (column.get(key, "") for column in columns)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables() -> str:
    """The three tables in Markdown."""
    profiles, definitions = shipped()
    chosen = "\n".join(
        [
            "| Profile | Title | Chosen for |",
            "|---|---|---|",
            *(f"| `{p.profile}` | {p.title} | {chosen_for(p)} |" for p in profiles),
        ]
    )
    names = " | ".join(f"`{profile.profile}`" for profile in profiles)
    fields = {
        field.key: f"{definitions[field.key].label} `{field.key}`"
        for profile in profiles
        for field in profile.fields
    }
    needs = {
        named(need): named(need)
        for profile in profiles
        for need in sorted(profile.requirements, key=lambda need: need.order)
    }
    by_field = [{field.key: cell(field) for field in p.fields} for p in profiles]
    by_need = [{named(need): cell(need) for need in p.requirements} for p in profiles]
    return "\n\n".join(
        [
            chosen,
            matrix(f"| Field | {names} |", fields, by_field),
            matrix(f"| Evidence | {names} |", needs, by_need),
        ]
    )


def main() -> int:
    """Writes or checks the page; the exit code."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"
    if wanted == page:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/profiles.md differs from profiles/: run scripts/write_profile_table.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
