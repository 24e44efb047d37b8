"""Every name that a template may write, by section, with what it prints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.case import Firm, Valuer
from contracts.contract import Contract, Stated
from engine.rules.compiled import label_of
from engine.rules.contract_paths import Leaf, look_up
from factory.report.data import (
    FIGURE_VARIANTS,
    SECTIONS,
    TABLES,
    USUAL_KEYS,
    VARIANTS,
    kinds_of,
)
from factory.report.printing import readable

if TYPE_CHECKING:
    from pydantic import BaseModel

_HOLDS = {
    "money": "amount in rupees",
    "percent": "percentage",
    "area": "area as entered",
    "rate": "rate as entered",
    "years": "years",
    "length": "length as entered",
    "measure": "quantity as entered",
    "number": "number",
    "text": "text",
    "boolean": "yes or no",
    "date": "date",
}
_ROW_OF_A_LIST = (("serial", "serial number, a plain text"), ("id", "the row's id, a plain text"))


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a template may write: `fmv`, `property.address`, `floors[].net`.

    `[]` stands for a row of a loop. `variants` are suffixes: `words` makes `fmv_words`.
    `rule_sets` are those that compute a figure; the contract's facts are there in every bundle.
    `plain` values carry no field: they are for conditions.
    """

    path: str
    label: str
    holds: str
    variants: tuple[str, ...] = ()
    rule_sets: tuple[str, ...] = ()
    plain: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The name and its variants, as a template writes them."""
        return (self.path, *(f"{self.path}_{suffix}" for suffix in self.variants))


@dataclass(frozen=True, slots=True)
class Section:
    """Names that belong together."""

    title: str
    about: str
    names: tuple[Name, ...]


def vocabulary(
    rule_sets: Iterable[Mapping[str, Any]], labels: Mapping[str, str]
) -> tuple[Section, ...]:
    """All names, by section.

    Args:
        rule_sets: resolved rule sets, in the form that a bundle holds.
        labels: of contract paths, from the field definitions.
    """
    sets = list(rule_sets)
    figures, columns = _computed(sets)
    return (
        Section(
            "Figures and decisions",
            "At the top, by the name that the rule set gives them; `figures.<name>` is the same.",
            tuple(figures),
        ),
        *(
            Section(
                readable(name),
                f"`{name}`: the contract's own section, with every field there whether or not the "
                "case states it.",
                tuple(_of_section(name, labels)),
            )
            for name in SECTIONS
        ),
        Section(
            "Tables",
            "Lists of rows, at the top: each row has the contract's own facts and what the rule "
            "set computed for it. `totals.<table>.<column>` adds a column of amounts or areas up.",
            tuple(_of_tables(columns)),
        ),
        *_of_the_report(),
    )


def _of_section(name: str, labels: Mapping[str, str]) -> Iterator[Name]:
    kind = look_up(name)
    assert isinstance(kind, Leaf)
    assert kind.row is not None
    yield from _of_part(kind.row, name, labels)
    if name == "property":
        yield Name("property.coordinates.position", "Latitude and longitude", "text")
    if name == "manual_fields":
        yield from _rows(
            "manual_fields.checklist",
            ("label", "What the bank's checklist asks"),
            ("value", "The tick or remark"),
        )
        yield Name("manual_fields.checklist[].value_code", "", "true or false", plain=True)


def _of_part(model: type[BaseModel], path: str, labels: Mapping[str, str]) -> Iterator[Name]:
    for name, kind in kinds_of(model):
        own = f"{path}.{name}"
        label = labels.get(own) or label_of(own)
        if kind.kind == "part":
            assert kind.row is not None
            yield from _of_part(kind.row, own, labels)
        elif kind.kind == "table":
            assert kind.row is not None
            yield from _plain_row(own)
            yield from _of_part(kind.row, f"{own}[]", labels)
        elif kind.kind == "mapping":
            for key in USUAL_KEYS.get(name, ()):
                yield Name(f"{own}.{key}", readable(key), "text")
            yield from _rows(f"{own}_rows", ("label", "What is told"), ("value", label))
        elif kind.kind.startswith("list of"):
            yield Name(f"{own}[]", label, kind.kind.removeprefix("list of "))
            yield Name(f"{own}_text", f"{label}, all in one line", "text")
        elif name != "checklist_json":
            yield _fact(own, label, kind)


def _fact(path: str, label: str, kind: Leaf) -> Name:
    if kind.options:
        return Name(path, label, "one of some choices, in words", ("code",))
    variants = ("code",) if kind.kind == "boolean" else VARIANTS.get(kind.kind, ())
    return Name(path, label, _HOLDS.get(kind.kind, "text"), variants)


def _plain_row(path: str) -> Iterator[Name]:
    for name, holds in _ROW_OF_A_LIST:
        yield Name(f"{path}[].{name}", "", holds, plain=True)


def _rows(path: str, *leaves: tuple[str, str]) -> Iterator[Name]:
    yield from _plain_row(path)
    for name, label in leaves:
        yield Name(f"{path}[].{name}", label, "text")


def _of_tables(columns: Mapping[str, list[Name]]) -> Iterator[Name]:
    for table, (_, model) in TABLES.items():
        yield from _plain_row(table)
        computed = columns.get(table, [])
        taken = {name.path for name in computed}
        for name in _of_part(model, f"{table}[]", {}):
            if name.path not in taken:
                yield name
        yield from computed
        facts = [
            (fact, "amount in rupees" if kind.kind == "money" else "area", kind.kind)
            for fact, kind in kinds_of(model)
            if kind.kind in {"money", "area"}
        ]
        for fact, holds, kind in facts:
            variants = VARIANTS["money"] if kind == "money" else ("sqm",)
            yield Name(f"totals.{table}.{fact}", f"Sum: {label_of(fact)}", holds, variants)
        for name in computed:
            if name.holds in {"amount in rupees", "area"}:
                column = name.path.rpartition(".")[2]
                variants = VARIANTS["money"] if name.holds == "amount in rupees" else ()
                label = f"Sum: {name.label}"
                yield Name(f"totals.{table}.{column}", label, name.holds, variants, name.rule_sets)


def _computed(
    sets: Iterable[Mapping[str, Any]],
) -> tuple[list[Name], dict[str, list[Name]]]:
    """The figures and decisions of some rule sets, and the columns they compute by table."""
    found: dict[str, Name] = {}
    labels: dict[str, Counter[str]] = {}
    for rule_set in sets:
        for section in ("values", "decisions"):
            for address, entry in rule_set.get(section, {}).items():
                before = found.get(address)
                own = labels.setdefault(address, Counter())
                own[str(entry.get("label") or label_of(address))] += 1
                holds, variants = _figure_kind(section, entry)
                path = re.sub(r"^([a-z0-9_]+)\.", r"\1[].", address)
                sets_so_far = (*(before.rule_sets if before else ()), str(rule_set["ruleset"]))
                found[address] = Name(
                    path,
                    own.most_common(1)[0][0],
                    before.holds if before else holds,
                    before.variants if before else variants,
                    tuple(dict.fromkeys(sets_so_far)),
                )
    columns: dict[str, list[Name]] = {}
    for address in sorted(found):
        table, dot, _ = address.partition(".")
        if dot:
            columns.setdefault(table, []).append(found[address])
    return [found[address] for address in sorted(found) if "." not in address], columns


def _figure_kind(section: str, entry: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    unit, kind = entry.get("unit"), entry.get("type")
    if unit == "INR":
        return "amount in rupees", VARIANTS["money"]
    if unit is not None:
        holds = "area" if "area" in unit or unit in {"sqm", "sqft"} else unit
        holds = "rate" if unit.startswith("INR/") else holds
        words = {"percent": "percentage", "year": "years"}
        measured = holds in {"area", "rate"}
        return words.get(holds, holds), FIGURE_VARIANTS if measured else ()
    if section == "decisions" or kind in {"text", "boolean"}:
        return "text", ("code",)
    return str(kind or "text"), ()


def _of_the_report() -> Iterator[Section]:
    yield Section(
        "Documents, drafts and evidence",
        "`documents` is `property.documents`; `stated` what the draft says; `evidence` each piece.",
        (
            *_plain_row("documents"),
            *_of_part(look_up_row("property.documents"), "documents[]", {}),
            *_plain_row("stated"),
            *_of_part(Stated, "stated[]", {}),
            *_rows(
                "evidence",
                ("label", "Caption"),
                ("type", "Kind of evidence"),
                ("doc_type", "Kind of document"),
                ("category", "Category"),
                ("status", "Uploaded or pending"),
                ("captured_at", "When it was taken"),
                ("position", "Where it was taken"),
            ),
            Name("evidence[].type_code", "", "plain text", plain=True),
            Name("evidence[].doc_type_code", "", "plain text", plain=True),
        ),
    )
    yield Section("Firm", "Letterhead and signature block.", tuple(_of_firm()))
    yield Section(
        "Report",
        "The report itself: its number, version, validity, and the bundle it is printed from.",
        (
            *(Name(f"report.{name}", label, "text") for name, label in _REPORT),
            Name("report.ready_code", "", "true or false", plain=True),
        ),
    )
    yield Section(
        "Parameters, units and findings",
        "`parameters.<name>` is the value in force. The lists hold what a reader must be told: "
        "parameters that this case sets otherwise, what local units are worth, findings accepted "
        "by a person (`findings`) and findings that remain (`warnings`).",
        (
            *_rows(
                "overrides",
                ("label", "Parameter"),
                ("value", "Value in this case"),
                ("value_in_rules", "Value in the rule set"),
                ("source", "Where the case's value comes from"),
            ),
            *_rows(
                "land_units",
                ("unit", "Unit"),
                ("entered", "A quantity of the case in this unit"),
                ("definition", "What one of it is"),
                ("metric", "What one of it is, in square metres or metres"),
                ("source", "Where that comes from"),
                ("note", "What is said about it"),
            ),
            *_rows(
                "findings",
                *_FINDING,
                ("name", "Who accepted it"),
                ("reason", "Why"),
            ),
            *_rows("warnings", *_FINDING),
            Name("findings[].severity_code", "", "plain text", plain=True),
            Name("warnings[].severity_code", "", "plain text", plain=True),
        ),
    )


_FINDING = (
    ("code", "Code"),
    ("label", "What it is about"),
    ("message", "What was found"),
    ("remedy", "What to do"),
    ("severity", "note, warning or error"),
)
_REPORT = (
    ("number", "Report number"),
    ("version", "Version"),
    ("date", "Date of the report"),
    ("digest", "Digest of the bundle"),
    ("digest_short", "The first twelve signs of it"),
    ("validity", "How many days the report is valid"),
    ("validity_until", "The day until which it is valid"),
    ("as_of", "Day whose rules and parameters were used"),
    ("ruleset", "Rule set and version"),
    ("ruleset_title", "Title of the rule set"),
    ("profile", "Profile and version"),
    ("profile_title", "Title of the profile"),
    ("template_key", "Key of the template"),
    ("case", "Id of the case"),
    ("title", "Title of the case"),
    ("source", "Where the case comes from"),
    ("ready", "Whether all that is asked is there"),
    ("score", "Completeness, of 100"),
)


def look_up_row(path: str) -> Any:
    """The model of a table's rows."""
    kind = look_up(path, Contract)
    assert isinstance(kind, Leaf)
    return kind.row


def _of_firm() -> Iterator[Name]:
    for name in Firm.model_fields:
        path = f"firm.{name}"
        if name in {"address", "registration"}:
            yield Name(f"{path}[]", f"{readable(name)}, line by line", "text")
            yield Name(f"{path}_text", readable(name), "text")
        elif name == "valuer":
            for key in Valuer.model_fields:
                yield Name(f"{path}.{key}", f"Valuer: {readable(key).lower()}", "text")
        elif name == "logo":
            yield Name("firm.logo_file", "The logo's file in the bundle", "plain text", plain=True)
        else:
            yield Name(path, readable(name), "text")
