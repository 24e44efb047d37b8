"""Writes docs/template-fields.md: what a template may print; with --check, says whether it does."""

from __future__ import annotations

import sys
from pathlib import Path

from factory.catalogue import read_catalogue
from factory.report.vocabulary import Name, vocabulary

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "template-fields.md"
HEAD = """\
# What a template may print

<!-- Written by scripts/write_template_fields.py from contracts/contract.py, rules/ and
     factory/report/vocabulary.py. Change those, then run `make docs`. -->

A template writes a name in double braces: `{{ fmv }}`, `{{ property.address }}`. A list is walked:
`{%tr for floor in floors %}` and then `{{ floor.net }}`; below, `floors[].net` is such a column.
`{% if property.landmark is known %}` asks whether there is something to print.

- Every name prints a final text: rupees grouped, dates in words, units with a no-break space.
- What the contract leaves out prints "not stated", a figure that cannot be computed "not known",
  or the rule set's own word ("NA"). A list that is left out is empty.
- *Variants* are names of their own: `fmv` has `fmv_words`, `fmv_plain` (no rupee sign) and
  `fmv_short` (in crore or lakh, to the last digit). An area or a rate prints as the case gives it;
  `_sqm` is in square metres, `_both` is `222.97 sq m (2,400 sq ft)`.
- *Plain* names, among them every `_code`, carry no field and are for conditions:
  `{% if meta.report_type_code == "REVALUATION" %}`.
- A figure is there if the rule set of the bundle computes it; the last column says which do.
  `{% if present_value is defined %}` asks.
"""


def row(name: Name, shipped: int) -> str:
    """A name as a row of its section's table."""
    sets = "all" if len(name.rule_sets) == shipped else ", ".join(name.rule_sets)
    variants = " ".join(f"`_{suffix}`" for suffix in name.variants)
    holds = f"plain: {name.holds}" if name.plain else name.holds
    return f"| `{name.path}` | {name.label} | {holds} | {variants} | {sets} |"


def page() -> str:
    """The whole page."""
    library = read_catalogue(ROOT)
    assert library.catalogue is not None, library.problems
    catalogue = library.catalogue
    rule_sets = [
        rule_set.canonical for rule_set in catalogue.rule_sets.values() if not rule_set.abstract
    ]
    labels = {item.key: item.label for item in catalogue.field_definitions}
    lines = [HEAD]
    for section in vocabulary(rule_sets, labels):
        lines += [f"## {section.title}", "", section.about, ""]
        lines += ["| Name | Label | Prints | Variants | Computed by |", "|---|---|---|---|---|"]
        lines += [row(name, len(rule_sets)) for name in section.names]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Writes or checks the page; the exit code."""
    wanted = page()
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/template-fields.md is out of date: run scripts/write_template_fields.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
