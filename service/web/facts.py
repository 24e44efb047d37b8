"""The form of the facts: a contract as inputs, and what was typed as a patch of the contract.

Which fields there are is data (facts.yaml); what each holds, the contract's own types say. Only
what differs from the contract becomes part of a patch, so a form saved as it was changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_origin

from contracts.canonical_json import to_plain
from contracts.contract import Contract
from contracts.quantities import Quantity, QuantityError, QuantityField, quantity_from
from contracts.shapes import at, options
from contracts.strict_yaml import read_yaml
from engine.indian_numbers import grouped

Kind = Literal["text", "long", "lines", "flag", "whole", "number", "day", "choice", "quantity"]

#: More rows than any report has, few enough for one form.
MOST_ROWS = 60
_GROUPING = re.compile(r"(?<=\d),(?=\d)")
_ROW_FIELD = re.compile(r"([a-z_.]+)\[([^\]]+)\](\.[a-z_]+)?")
_ROW_ID = re.compile(r"[^a-z0-9]+")
_FILE = Path(__file__).with_name("facts.yaml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One input: what it is called, what stands in it, and what is wrong with that."""

    name: str
    label: str
    kind: Kind
    text: str = ""
    unit: str = ""
    units: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    wide: bool = False
    needed: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of inputs; the last is empty, for what is to be added."""

    path: str
    title: str
    row: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    blank: tuple[Entry, ...]
    next_index: int
    needed: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the form that is saved by itself."""

    key: str
    title: str
    entries: tuple[Entry, ...]
    tables: tuple[Table, ...]
    #: How many of the report's gaps are filled here.
    needed: int = 0

    @property
    def known(self) -> int:
        """How many of its fields hold something."""
        return sum(bool(entry.text) for entry in self.entries) + sum(
            bool(table.rows) for table in self.tables
        )

    @property
    def total(self) -> int:
        """How many fields it has, a table counting once."""
        return len(self.entries) + len(self.tables)

    @property
    def problems(self) -> int:
        """How many of its fields hold what cannot be taken."""
        entries = [
            *self.entries,
            *(one for table in self.tables for row in table.rows for one in row),
        ]
        told = [one.problem for one in entries] + [table.problem for table in self.tables]
        return sum(map(bool, told))


@cache
def layout() -> Mapping[str, Any]:
    """The form's data, as facts.yaml has it."""
    document = read_yaml(_FILE.read_text("utf-8"), _FILE.name)
    if document.problems:
        raise ValueError(str(document.problems[0]))
    found: Mapping[str, Any] = document.value
    return found


def form_of(
    contract: Contract,
    *,
    needed: Sequence[Sequence[str]] = (),
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> tuple[Group, ...]:
    """The form as a contract fills it.

    Args:
        contract: as it stands.
        needed: for each gap of the report the paths of which one would fill it.
        typed: what was entered and not taken; it stands in the inputs instead of the contract's.
        problems: what is wrong, by the name of the input.
    """
    facts = to_plain(contract)
    filling = _Filling(facts, needed, typed or {}, problems or {})
    return tuple(filling.group(group) for group in layout()["groups"] if _shows(group, contract))


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into a group: the patch that it means, and where each of its rows stands.

    `rows` leads from a table and the name that a problem calls a row by to the row's input.
    """

    patch: dict[str, Any]
    rows: Mapping[tuple[str, str], int]

    def input_of(self, field: str) -> str:
        """The input that a field of a problem was typed into.

        >>> Typed({}, {("property.floors", "house"): 2}).input_of("property.floors[house].rate")
        'property.floors[2].rate'
        """
        found = _ROW_FIELD.fullmatch(field)
        if found is None:
            return field
        row = self.rows.get((found[1], found[2]))
        return field if row is None else f"{found[1]}[{row}]{found[3]}"


def read_typed(contract: Contract, group_key: str, typed: Mapping[str, str]) -> Typed:
    """What was typed into one group, as a patch that names only what differs.

    Args:
        contract: as the form showed it.
        group_key: the group that was saved.
        typed: input names with their texts; a field without an input stays as it is.

    Raises:
        KeyError: there is no such group.
    """
    groups = {group["key"]: group for group in layout()["groups"]}
    group = groups[group_key]
    facts = to_plain(contract)
    patch: dict[str, Any] = {}
    places: dict[tuple[str, str], int] = {}
    for field in group.get("fields", ()):
        path = field["path"]
        if path in typed:
            old = _at(facts, path)
            new = _value(path, field.get("kind"), typed, path, old)
            if new != old:
                _put(patch, path, new)
    for table in group.get("tables", ()):
        path = table["path"]
        if f"{path}.rows" not in typed:
            continue
        if table.get("kind") == "pairs":
            old = _at(facts, path) or {}
            new = _pairs(path, typed)
            changes = {
                **{name: None for name in old if name not in new},
                **{name: text for name, text in new.items() if old.get(name) != text},
            }
            if changes:
                _put(patch, path, changes)
        else:
            indexed = _rows(table, typed, _at(facts, path) or [])
            rows = [row for _, row in indexed]
            if rows != (_at(facts, path) or []):
                _put(patch, path, rows)
            for number, (index, row) in enumerate(indexed, 1):
                places[path, str(row.get("id", number))] = index
    return Typed(patch, places)


def group_of(path: str) -> str | None:
    """The key of the group where a path, or what is above it, is entered."""
    for group in layout()["groups"]:
        for one in (*group.get("fields", ()), *group.get("tables", ())):
            if one["path"] == path or one["path"].startswith(path + "."):
                found: str = group["key"]
                return found
    return None


def _shows(group: Mapping[str, Any], contract: Contract) -> bool:
    kind = contract.property.kind
    for_kinds, for_types = group.get("kinds"), group.get("report_types")
    # Before the kind is known, everything but farm land and flats might be asked for.
    fits_kind = for_kinds is None or (kind or "LAND_BUILDING") in for_kinds
    fits_type = for_types is None or contract.meta.report_type in for_types
    return fits_type and (fits_kind or _has_rows(group, contract))


def _has_rows(group: Mapping[str, Any], contract: Contract) -> bool:
    """Whether facts have been entered that a changed kind would otherwise hide."""
    facts = to_plain(contract)
    return any(_at(facts, table["path"]) for table in group.get("tables", ()))


class _Filling:
    def __init__(
        self,
        facts: Mapping[str, Any],
        needed: Sequence[Sequence[str]],
        typed: Mapping[str, str],
        problems: Mapping[str, str],
    ) -> None:
        self.facts = facts
        # Of several ways to fill a gap the first is asked for.
        places = [_place_of(paths) for paths in needed]
        self.needed = {path for path, _ in filter(None, places)}
        self.groups = [group for _, group in filter(None, places)]
        self.typed = typed
        self.problems = problems
        self.report_type = facts["meta"]["report_type"]

    def group(self, group: Mapping[str, Any]) -> Group:
        return Group(
            group["key"],
            group["title"],
            tuple(self.field(field) for field in group.get("fields", ())),
            tuple(self.table(table) for table in group.get("tables", ())),
            self.groups.count(group["key"]),
        )

    def field(self, field: Mapping[str, Any]) -> Entry:
        path = field["path"]
        return self.entry(
            path,
            path,
            field["label"],
            _at(self.facts, path),
            field.get("kind"),
            wide=field.get("wide", False),
            needed=path in self.needed,
        )

    def entry(
        self,
        name: str,
        path: str,
        label: str,
        value: Any,
        kind: str | None = None,
        *,
        wide: bool = False,
        needed: bool = False,
    ) -> Entry:
        kind = _kind(path, kind)
        units = _units(path)
        text, unit = _shown(value, kind, units)
        if name in self.typed:
            text, unit = self.typed[name], self.typed.get(f"{name}.unit", "")
        return Entry(
            name=name,
            label=label,
            kind=kind,
            text=text,
            unit=unit,
            units=units,
            options=options(_shapes(path)) if kind == "choice" else (),
            wide=wide,
            needed=needed,
            problem=self.problems.get(name, ""),
        )

    def table(self, table: Mapping[str, Any]) -> Table:
        path = table["path"]
        value = _at(self.facts, path)
        pairs = table.get("kind") == "pairs"
        if pairs:
            value = [{"name": name, "text": text} for name, text in (value or {}).items()]
            columns: list[Mapping[str, Any]] = [
                {"name": "name", "label": "Name"},
                {"name": "text", "label": "What is said of it"},
            ]
        else:
            columns = _columns(table, self.report_type)
        rows = list(value or [])
        # What was typed and refused may have rows that the contract does not have.
        typed = _indexes(path, self.typed)
        count = max([len(rows), *(index + 1 for index in typed)])
        rows += [{}] * (count - len(rows))

        def row(index: int, facts: Mapping[str, Any]) -> tuple[Entry, ...]:
            return tuple(
                self.entry(
                    f"{path}[{index}].{column['name']}",
                    "" if pairs else f"{path}.0.{column['name']}",
                    column["label"],
                    facts.get(column["name"]),
                    "text" if pairs else None,
                )
                for column in columns
            )

        return Table(
            path=path,
            title=table["title"],
            row=table["row"],
            columns=tuple(column["label"] for column in columns),
            rows=tuple(row(index, facts) for index, facts in enumerate(rows)),
            blank=row(count, {}),
            next_index=count,
            needed=path in self.needed,
            problem=self.problems.get(path, ""),
        )


def _place_of(paths: Sequence[str]) -> tuple[str, str] | None:
    """The first of some paths that the form has a place for, and the group where that is."""
    return next(((path, key) for path in paths if (key := group_of(path))), None)


def _columns(table: Mapping[str, Any], report_type: str) -> list[Mapping[str, Any]]:
    return [
        column
        for column in table["columns"]
        if report_type in column.get("report_types", (report_type,))
    ]


@cache
def _shapes(path: str) -> tuple[Any, ...]:
    return at(Contract, tuple(int(step) if step.isdigit() else step for step in path.split(".")))


@cache
def _measure(path: str) -> QuantityField | None:
    for _, metadata in _shapes(path) if path else ():
        for item in metadata:
            if isinstance(item, QuantityField):
                return item
    return None


def _units(path: str) -> tuple[str, ...]:
    measure = _measure(path)
    if measure is None:
        return ()
    units: tuple[str, ...] = tuple(layout()["units"].get(measure.kind, ()))
    return units


def _kind(path: str, kind: str | None) -> Kind:
    if kind is not None:
        return kind  # type: ignore[return-value]  # facts.yaml's own word, which a test checks
    if _measure(path) is not None:
        return "quantity"
    for base, _ in _shapes(path):
        if get_origin(base) is Literal:
            return "choice"
        if base in _KINDS:
            return _KINDS[base]
    return "text"


_KINDS: Mapping[Any, Kind] = {bool: "flag", int: "whole", Decimal: "number", date: "day"}


def _shown(value: Any, kind: Kind, units: tuple[str, ...]) -> tuple[str, str]:
    """What stands in the input, and the unit beside it."""
    if value is None:
        return "", units[0] if units else ""
    if kind == "flag":
        return ("yes" if value else "no"), ""
    if kind == "lines":
        return "\n".join(value), ""
    if kind == "quantity":
        return _shown_quantity(value, units)
    return str(value), ""


def _shown_quantity(value: Any, units: tuple[str, ...]) -> tuple[str, str]:
    quantity = _quantity(value, None)
    if quantity is None:
        return str(value), ""
    unit = quantity.unit if len(quantity.terms) == 1 else None
    unit = "%" if unit == "percent" else unit
    if unit in units:
        return grouped(quantity.value), str(unit)
    # Several terms, or a unit that is not offered: as it is written.
    return str(quantity), ""


def _value(path: str, kind: str | None, typed: Mapping[str, str], name: str, old: Any) -> Any:
    """What an input means, in the contract's own writing; what it was, if it means the same."""
    kind = _kind(path, kind)
    text = typed[name].replace("\r\n", "\n").strip()
    if not text:
        return None
    if kind == "flag":
        return {"yes": True, "no": False}.get(text, text)
    if kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()]
    if kind == "whole":
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text
    if kind == "quantity":
        return _quantity_value(path, text, typed.get(f"{name}.unit", ""), old)
    return text


def _quantity_value(path: str, text: str, unit: str, old: Any) -> Any:
    number = _GROUPING.sub("", text)
    # A unit that is written beside the number counts, whatever is chosen.
    written = number if re.search(r"[^\d.\s-]", number) else f"{number} {unit}".strip()
    measure = _measure(path)
    default = measure.default_unit if measure else None
    new, before = _quantity(written, default), _quantity(old, default)
    if new is not None and before is not None:
        if _normal(new) == _normal(before):
            return old
        if before.place:
            return {"value": written, "place": before.place}
    return written


def _quantity(raw: Any, default: str | None) -> Quantity | None:
    try:
        return None if raw is None else quantity_from(raw, default)
    except QuantityError:
        return None


def _normal(quantity: Quantity) -> tuple[tuple[Decimal, str | None], ...]:
    return tuple((number, "percent" if unit == "%" else unit) for number, unit in quantity.terms)


def _indexes(path: str, typed: Mapping[str, str]) -> list[int]:
    """The rows of a table that something was typed into."""
    pattern = re.compile(re.escape(path) + r"\[([0-9]{1,3})\]\.[a-z_]+")
    found = {
        int(match[1])
        for name, text in typed.items()
        if text.strip() and (match := pattern.fullmatch(name))
    }
    return sorted(index for index in found if index < MOST_ROWS)


def _rows(
    table: Mapping[str, Any], typed: Mapping[str, str], old: list[Any]
) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a table as the form leaves them, each with the number that its inputs have.

    Columns that the form does not show stay.
    """
    path = table["path"]
    count = max([len(old), *(index + 1 for index in _indexes(path, typed))])
    kept: list[tuple[int, dict[str, Any]]] = []
    for index in range(count):
        if typed.get(f"{path}[{index}].remove"):
            continue
        before = dict(old[index]) if index < len(old) else {}
        row = dict(before)
        for column in table["columns"]:
            name = f"{path}[{index}].{column['name']}"
            if name not in typed:
                continue
            new = _value(
                f"{path}.0.{column['name']}", None, typed, name, before.get(column["name"])
            )
            if new is None:
                row.pop(column["name"], None)
            else:
                row[column["name"]] = new
        if index >= len(old):
            if not row:
                continue
            row["id"] = _free_id(
                row, table, {one.get("id") for one in (*old, *(kept_row for _, kept_row in kept))}
            )
        kept.append((index, row))
    return kept


def _free_id(row: Mapping[str, Any], table: Mapping[str, Any], taken: Collection[Any]) -> str:
    """An id that people recognise, for a new row."""
    first = row.get(table["columns"][0]["name"]) or table["row"]
    stem = _ROW_ID.sub("_", str(first).lower()).strip("_")[:40] or "row"
    number = 1
    while (wanted := stem if number == 1 else f"{stem}_{number}") in taken:
        number += 1
    return wanted


def _pairs(path: str, typed: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for index in _indexes(path, typed):
        name = typed.get(f"{path}[{index}].name", "").strip()
        text = typed.get(f"{path}[{index}].text", "").replace("\r\n", "\n").strip()
        if name and text and not typed.get(f"{path}[{index}].remove"):
            found[name] = text
    return found


def _at(facts: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(facts, Mapping):
            return None
        facts = facts.get(step)
    return facts


def _put(patch: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        patch = patch.setdefault(step, {})
    patch[last] = value
