"""What the reports of a family can print and must print, as the check of a template needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.rendering.template_fields import Leaf, Record, Shape, Table
from factory.rendering.template_files import read_register
from factory.report.vocabulary import Name, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Family:
    """Reports of one kind: the rule sets that they are computed by, and what each must say."""

    rule_sets: tuple[str, ...]
    must_print: tuple[str, ...]


_VALUES = ("fmv", "realizable", "distress")
FAMILIES: Mapping[str, Family] = {
    "agri": Family(("agri", "agri-land"), _VALUES),
    "coop": Family(("coop",), ("adopted_value", "realizable", "distress")),
    "dpr": Family(("dpr",), ("project_cost", "finance_total")),
    "flat": Family(("flat-composite",), _VALUES),
    "psu": Family(("psu",), _VALUES),
    "revaluation": Family(("revaluation",), (*_VALUES, "change")),
    "sbi": Family(("psu",), _VALUES),
    "stage-progress": Family(("stage-progress",), ("progress", "present_value")),
}


def family_of(key: str) -> str | None:
    """The family that a word names: its own name, or a key of one of its templates."""
    if key in FAMILIES:
        return key
    for template in read_register():
        if key in {template.key, *template.serves} and template.family in FAMILIES:
            return template.family
    return None


def names_of_reports(catalogue: Catalogue) -> tuple[Name, ...]:
    """Every name that a template may write, whatever the rule set."""
    sections = vocabulary(_rule_sets(catalogue), _labels(catalogue))
    parameters = sorted(
        {name for source in _rule_sets(catalogue) for name in source.get("parameters", {})}
    )
    return (
        *(name for section in sections for name in section.names),
        *(Name(f"parameters.{name}", "", "number") for name in parameters),
        # A picture is printed like a text, and has none.
        Name("firm.logo", "Logo", "picture", plain=True),
    )


def fields_of_family(names: Iterable[Name], family: str | None) -> Mapping[str, Shape]:
    """The names as a tree; a figure that no rule set of the family computes is a leaf elsewhere.

    Args:
        names: as `names_of_reports` gives them.
        family: None for templates of any.
    """
    own = set(FAMILIES[family].rule_sets) if family is not None else None
    root = _Branch({})
    for name in names:
        is_here = own is None or not name.rule_sets or bool(own & set(name.rule_sets))
        elsewhere = () if is_here else name.rule_sets
        for path in name.paths:
            root.put(_steps(path), Leaf(elsewhere))
            if name.rule_sets and "." not in path:
                root.put(["figures", path], Leaf(elsewhere))
    return root.fields()


def _rule_sets(catalogue: Catalogue) -> list[Mapping[str, Any]]:
    return [each.canonical for each in catalogue.rule_sets.values() if not each.abstract]


def _labels(catalogue: Catalogue) -> dict[str, str]:
    return {item.key: item.label for item in catalogue.field_definitions}


def _steps(path: str) -> list[str]:
    """The way to a field: `floors[].net` goes over `floors`, its rows `[]`, to `net`."""
    return path.replace("[]", ".[]").split(".")


@dataclass(slots=True)
class _Branch:
    """A part of the tree while it grows."""

    inside: dict[str, _Branch | Leaf]

    def put(self, steps: list[str], leaf: Leaf) -> None:
        step, *rest = steps
        if not rest:
            self.inside.setdefault(step, leaf)
            return
        branch = self.inside.setdefault(step, _Branch({}))
        if isinstance(branch, Leaf):
            branch = self.inside[step] = _Branch({})
        branch.put(rest, leaf)

    def shape(self) -> Shape:
        row = self.inside.get("[]")
        if row is None:
            return Record(self.fields())
        return Table(row if isinstance(row, Leaf) else row.shape())

    def fields(self) -> dict[str, Shape]:
        return dict(self._fields())

    def _fields(self) -> Iterator[tuple[str, Shape]]:
        for name, branch in self.inside.items():
            yield name, branch if isinstance(branch, Leaf) else branch.shape()
