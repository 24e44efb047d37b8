"""Names of a rule set and what they stand for: inputs, parameters, values and decisions.

Kinds and units are settled here, paths into the contract are looked up, and every fault of a
declaration is noted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from contracts.contract import Contract
from contracts.problems import Problem, nearest
from contracts.quantities import Quantity
from contracts.ruleset import Column, Decision, Input, Parameter, Value
from engine.feel import nodes
from engine.feel.built_ins import BUILT_INS
from engine.feel.parser import KEYWORDS
from engine.rounding import Rounding, parse_rounding
from engine.rules.compiled import CompiledParameter, ParameterEntry, label_of
from engine.rules.contract_paths import Leaf, NoSuchPath, look_up, reader
from engine.rules.expressions import OWN_FUNCTIONS
from engine.rules.inputs import Fact, InputPlan, Table
from engine.rules.kinds import (
    ANY,
    BOOLEAN,
    CASE_DECIDES,
    DATE,
    NO_UNIT,
    TEXT,
    Kind,
    Unit,
    times,
    unit_named,
)
from engine.rules.source import Entry, Place, ResolvedRuleSet
from engine.units.registry import UnitProblem, UnitRegistry

AS_OF = "as_of"
_NAMING_SECTIONS = ("parameters", "inputs", "values", "decisions")
_RESERVED = frozenset({"row", "item", "partial", AS_OF}) | OWN_FUNCTIONS
_LEAF_TYPES = {
    "text": "text",
    "boolean": "boolean",
    "date": "date",
    "number": "number",
    "list of text": "list of text",
    "list of date": "list of date",
    "money": "number",
    "percent": "number",
    "area": "number",
    "rate": "number",
    "years": "number",
    "length": "number",
}
#: What a path holds, in words, where its kind is no word of the trade.
_HELD = {"area": "an area", "rate": "a rate", "length": "a length", "part": "several facts",
         "table": "a table", "other": "something that no rule reads", "mapping": "several facts",
         "text": "a text", "date": "a date", "number": "a number", "percent": "a percentage",
         "boolean": "true or false"}  # fmt: skip
#: The place of a key of an entry.
At = Callable[[str], Place]
#: Units that the case decides.
_AS_GIVEN = frozenset({"INR/area", "area"})
_DIMENSIONS = {
    "money": "money",
    "percent": "ratio",
    "area": "area",
    "rate": None,
    "years": "time",
    "length": "length",
    "number": "ratio",
}


@dataclass(slots=True)
class Formula:
    """A parsed expression, with the place and text it was written at."""

    node: nodes.Node
    place: Place
    text: str


@dataclass(slots=True)
class Node:
    """A value or decision while the set is being compiled."""

    address: str
    table: str | None
    column: str
    kind: Kind
    entry: Entry
    model: Value | Decision
    formula: Formula | None = None
    rounding: Rounding | None = None
    given: str | None = None
    tests: list[list[tuple[str, nodes.Node, Formula]]] = field(default_factory=list)
    outcomes: list[Any] = field(default_factory=list)
    depends: set[str] = field(default_factory=set)
    reads: tuple[tuple[str, str], ...] = ()


class Declarations:
    """Every name of a rule set, with its kind; `problems` grows as faults are found."""

    def __init__(self, resolved: ResolvedRuleSet, registry: UnitRegistry) -> None:
        self.resolved = resolved
        self.registry = registry
        self.problems: list[Problem] = []
        self.kinds: dict[str, Kind] = {AS_OF: DATE}
        self.labels: dict[str, str] = {}
        self.facts: dict[str, Fact] = {}
        self.tables: dict[str, tuple[Entry, str, Leaf, bool]] = {}
        self.columns: dict[str, list[str]] = {}
        self.parameters: list[CompiledParameter] = []
        self.nodes: dict[str, Node] = {}
        self.givens: dict[str, Fact] = {}

    def declare(self) -> None:
        """Declare everything, in the order in which later names need earlier ones."""
        self._check_effective()
        self._declare_inputs()
        self._declare_parameters()
        self._declare_nodes()
        self._check_names()

    def problem(
        self,
        place: Place,
        code: str,
        what: str,
        why: str = "",
        fix: str = "",
        *,
        key: bool = False,
        span: tuple[int, int] | None = None,
    ) -> None:
        """Note a fault."""
        self.problems.append(place.problem(code, what, why, fix, key=key, span=span))

    # ---- units --------------------------------------------------------------------------------

    def fixed(self, text: str, place: Place) -> Kind:
        """A number in a unit that is the same everywhere."""
        if text in {"number", "1"}:
            return Kind("number", display="number")
        unit = self.registry.fixed_unit(text)
        if not isinstance(unit, UnitProblem):
            return Kind("number", self.monomial(unit.name), unit.name)
        why = unit.message.partition("; did you mean")[0]
        self.problem(
            place,
            "E206",
            f"'{text}' is not a unit a rule set can name",
            f"{why[:1].upper()}{why[1:]}.",
            f"Did you mean {unit.suggestions[0]}?"
            if unit.suggestions
            else "Use a unit that is worth the same everywhere, such as sqm, sqft or INR/sqm.",
        )
        return ANY

    def monomial(self, canonical: str) -> Unit:
        """The monomial of a canonical unit text."""
        head, *below = canonical.split("/")
        unit = NO_UNIT
        for name in head.split("*"):
            unit = times(unit, unit_named(name.strip()))
        for name in below:
            unit = times(unit, unit_named(name.strip()), -1)
        return unit

    def unit_kind(
        self, text: str, place: Place, owner: str, table: str | None, *, is_input: bool = False
    ) -> Kind:
        """The kind of a number declared in a unit, fixed or decided by the case."""
        if text in {"percent", "%"}:
            return Kind("number", NO_UNIT, "percent")
        if text in _AS_GIVEN and not is_input:
            self.problem(
                place,
                "E206",
                f"'{text}' is a unit for inputs only",
                "The case decides it, and only an input takes its unit from the case.",
                "Write a fixed unit such as INR/sqm, or 'area of' and the name of an input.",
            )
            return ANY
        if text == "INR/area":
            symbol = CASE_DECIDES + owner
            return Kind("number", times((("INR", 1),), ((symbol, 1),), -1), "as given")
        if text == "area":
            return Kind("number", ((CASE_DECIDES + owner, 1),), "as given")
        if text.startswith("area of "):
            other = text.removeprefix("area of ").strip()
            address = f"{table}.{other[4:]}" if other.startswith("row.") else other
            if self.kinds.get(address) is None or self.kinds[address].display != "as given":
                near = nearest(
                    address, [a for a, k in self.kinds.items() if k.display == "as given"]
                )
                self.problem(
                    place,
                    "E206",
                    f"'{other}' is not an input whose unit the case decides",
                    "An area can be taken in the unit that a rate or area of the case is given in.",
                    f"Did you mean '{near}'?" if near else "Name an input with the unit INR/area.",
                )
                return ANY
            return Kind("number", ((CASE_DECIDES + address, 1),), "area of")
        return self.fixed(text, place)

    # ---- declarations -------------------------------------------------------------------------

    def _check_effective(self) -> None:
        effective = self.resolved.effective
        if effective and effective.until and effective.until < effective.from_:
            self.problem(
                self.resolved.place.under("effective", "until"),
                "E223",
                f"the set ends on {effective.until}, before it begins on {effective.from_}",
                "Both days count.",
                "Correct one of the two days.",
            )

    def _declare_inputs(self) -> None:
        # Areas may take the unit of an input, wherever in the file that one stands.
        for name, model, entry in sorted(
            self.resolved.models("inputs"),
            key=lambda item: (item[1].columns is not None, (item[1].unit or "")[:8] == "area of "),
        ):
            assert isinstance(model, Input)
            path = model.from_ or ""
            leaf = look_up(path) if path else NoSuchPath("", None)
            if isinstance(leaf, NoSuchPath):
                self._no_such_path(entry.at("from"), path, leaf)
                if model.columns is None:
                    self.kinds[name] = ANY
                continue
            if model.columns is None:
                self._declare_fact(name, model, entry.at, path, leaf, None)
                continue
            if leaf.kind != "table" or leaf.row is None:
                self.problem(
                    entry.at("from"),
                    "E210",
                    f"'{path}' is not a table of the contract",
                    "Columns are read from the rows of a table.",
                    "Take the columns out, or name a table such as property.floors.",
                )
                continue
            self.tables[name] = (entry, path, leaf, model.default is not None)
            self.columns[name] = []
            waiting = []
            for column, inner in model.columns.items():
                place = entry.at(f"columns.{column}")
                own_path = inner.from_ or column
                inner_leaf = look_up(own_path, leaf.row)
                if isinstance(inner_leaf, NoSuchPath):
                    self._no_such_path(place, own_path, inner_leaf, f"a row of {path}")
                    self.kinds[f"{name}.{column}"] = ANY
                    continue
                waiting.append((column, inner, place, own_path, inner_leaf))
            # Rates come first: areas may take their unit.
            for column, inner, place, own_path, inner_leaf in sorted(
                waiting, key=lambda item: (item[1].unit or "").startswith("area of ")
            ):
                address = f"{name}.{column}"
                self._declare_fact(address, inner, place.at, own_path, inner_leaf, name)
                if address in self.facts:
                    self.columns[name].append(column)
            self._declare_label(name, leaf)

    def _declare_label(self, table: str, leaf: Leaf) -> None:
        """Every row may be named in a message by its label."""
        address = f"{table}.label"
        if leaf.row is None or "label" not in leaf.row.model_fields or address in self.facts:
            return
        self.kinds[address] = TEXT
        self.facts[address] = self._fact(address, "label", Leaf("text"), TEXT, "text", None, None)
        self.columns[table].append("label")

    def _no_such_path(
        self, place: Place, path: str, missing: NoSuchPath, inside: str = "the contract"
    ) -> None:
        fix = f"Did you mean '{missing.nearest}'?" if missing.nearest else "Correct the path."
        self.problem(
            place, "E210", f"{inside} has no '{path}'", f"There is no '{missing.step}'.", fix
        )

    def _declare_fact(
        self,
        address: str,
        model: Column,
        at: At,
        path: str,
        leaf: Leaf,
        table: str | None,
    ) -> None:
        # A name that is at fault is a name all the same; its uses are no further faults.
        self.kinds[address] = ANY
        wanted = (
            model.type or ("number" if model.unit else None) or ("text" if model.one_of else None)
        )
        held = _LEAF_TYPES.get(leaf.kind)
        kind_type = wanted or ("number" if held == "number" else held)
        if kind_type == "unit" and held == "number" and leaf.kind != "number":
            self.kinds[address] = TEXT
            self.facts[address] = self._fact(address, path, leaf, TEXT, "unit", None, None)
            return
        if held is None or kind_type != held:
            self.problem(
                at("type" if model.type else "from"),
                "E211",
                f"'{path}' holds {_HELD.get(leaf.kind, leaf.kind)}, "
                f"not {kind_type or 'a single fact'}",
                "An input takes what the contract holds there.",
                f"Write type: {held}." if held and held != "number" else "Name another path.",
            )
            return
        if kind_type == "number" and model.unit is None and leaf.kind != "number":
            self.problem(
                at("from"),
                "E206",
                f"'{address}' has no unit",
                "Every number declares its unit.",
                "Write its unit, such as INR, sqm or INR/area.",
            )
            return
        kind = self._fact_kind(address, model, at, leaf, kind_type, table)
        self.kinds[address] = kind
        if model.label:
            self.labels[address] = model.label
        least, most = self._bounds(model, kind, at)
        self.facts[address] = self._fact(address, path, leaf, kind, kind_type, least, most)
        self._check_options(model, leaf, at)

    def _fact_kind(
        self,
        address: str,
        model: Column,
        at: At,
        leaf: Leaf,
        kind_type: str,
        table: str | None,
    ) -> Kind:
        if kind_type == "number":
            if model.unit is None:
                return Kind("number", display="number")
            kind = self.unit_kind(model.unit, at("unit"), address, table, is_input=True)
            self._check_measure(kind, leaf, at("unit"), model.unit)
            return kind
        if kind_type == "text":
            return Kind("text", options=model.one_of or leaf.options)
        if kind_type.startswith("list of "):
            return Kind(kind_type.removeprefix("list of "), many=True)
        return Kind(kind_type)

    def _check_measure(self, kind: Kind, leaf: Leaf, place: Place, unit: str) -> None:
        if kind.is_open:
            return
        if kind.display in {"as given", "area of"}:
            wanted = {"rate"} if unit == "INR/area" else {"area"}
            fits = leaf.kind in wanted
        else:
            dimension = self.registry.dimension_of(unit) if unit != "number" else "ratio"
            expected = _DIMENSIONS.get(leaf.kind)
            fits = expected is None or dimension == expected
            if leaf.kind == "rate":
                fits = isinstance(dimension, str) and dimension.startswith("money/")
            if leaf.kind == "number":
                fits = True
        if not fits:
            self.problem(
                place,
                "E206",
                f"the contract holds {_HELD.get(leaf.kind, leaf.kind)} there, which is not in {unit}",
                "A figure is converted into a unit of its own measure only.",
                "Name a unit of the same measure.",
            )

    def _check_options(self, model: Column, leaf: Leaf, at: At) -> None:
        if not leaf.options or not model.one_of:
            return
        for number, option in enumerate(model.one_of):
            if option not in leaf.options:
                near = nearest(option, leaf.options)
                self.problem(
                    at("one of").under(number),
                    "E203",
                    f"'{option}' is none of the contract's choices",
                    f"The contract has {', '.join(leaf.options)}.",
                    f"Did you mean '{near}'?" if near else "Take it out.",
                )

    def _bounds(
        self, model: Column, kind: Kind, at: At
    ) -> tuple[tuple[Decimal, str] | None, tuple[Decimal, str] | None]:
        found: list[tuple[Decimal, str] | None] = []
        for key, quantity in (("min", model.min), ("max", model.max)):
            if quantity is None or kind.is_open:
                found.append(None)
                continue
            target = kind.display or "number"
            if target in {"as given", "area of"}:
                target = "sqm" if kind.unit and kind.unit[0][0] != "INR" else "INR/sqm"
            if quantity.unit is None and target == "number":
                found.append((quantity.value, str(quantity)))
                continue
            bound = quantity
            if quantity.unit is None:
                bound = Quantity(((quantity.value, target),))
            target = "1" if target == "percent" else target
            converted = self.registry.convert(bound, target, None)
            if isinstance(converted, UnitProblem):
                self.problem(
                    at(key),
                    "E206",
                    f"the bound {quantity} does not fit",
                    f"{converted.message[:1].upper()}{converted.message[1:]}.",
                    f"Write it in {target}.",
                )
                found.append(None)
                continue
            found.append((converted.value, str(quantity)))
        return found[0], found[1]

    def _holder(self, address: str) -> type[BaseModel]:
        """The model whose fields the path of a fact begins with."""
        table, dot, _ = address.partition(".")
        row = self.tables[table][2].row if dot else None
        return row or Contract

    def _fact(
        self,
        address: str,
        path: str,
        leaf: Leaf,
        kind: Kind,
        kind_type: str,
        least: tuple[Decimal, str] | None,
        most: tuple[Decimal, str] | None,
    ) -> Fact:
        as_given = area_of = measure = None
        if kind.type == "number" and not kind.many:
            if kind.display == "as given":
                as_given = "money/area" if leaf.kind == "rate" else "area"
            elif kind.display == "area of":
                area_of = kind.unit[0][0].removeprefix(CASE_DECIDES)
            else:
                measure = {"percent": "1", "number": "1"}.get(kind.display, kind.display)
        return Fact(
            address=address,
            path=path,
            read=reader(path, self._holder(address)),
            type=kind_type,
            measure=measure,
            as_given=as_given,
            area_of=area_of,
            label=self.labels.get(address) or label_of(address),
            table_path=self.tables[address.partition(".")[0]][1] if "." in address else "",
            least=least[0] if least else None,
            most=most[0] if most else None,
            least_text=least[1] if least else "",
            most_text=most[1] if most else "",
        )

    def _declare_parameters(self) -> None:
        for name, model, entry in self.resolved.models("parameters"):
            history: tuple[Parameter, ...] = model if isinstance(model, tuple) else (model,)
            units = [item.unit or (item.value and item.value.unit) for item in history]
            unit_text = next((unit for unit in units if unit), "number")
            kind = self.unit_kind(unit_text, entry.place, name, None)
            self.kinds[name] = kind
            label = next((item.label for item in history if item.label), None)
            if label:
                self.labels[name] = label
            entries = [
                ParameterEntry(
                    self._parameter_value(item, kind, place),
                    item.from_,
                    item.until,
                    item.source or "",
                )
                for item, place in zip(history, _places(entry), strict=True)
            ]
            if all(item.value is None for item in history) and not self.resolved.abstract:
                self.problem(
                    entry.place,
                    "E219",
                    f"parameter '{name}' has no value",
                    "The base leaves it to its variants.",
                    f"Write {name}: {{value: ..., from: ..., source: ...}}.",
                )
            self._check_history(entries, _places(entry))
            entries.sort(key=lambda item: item.start or date.min)
            self.parameters.append(
                CompiledParameter(
                    name,
                    kind,
                    unit_text if kind.display == "" else kind.display,
                    label or label_of(name),
                    tuple(entries),
                )
            )
        self.parameters.sort(key=lambda item: item.name)

    def _parameter_value(self, item: Parameter, kind: Kind, place: Place) -> Decimal | None:
        if item.value is None:
            return None
        wanted = kind.display or "number"
        target = {"percent": "1", "number": "1"}.get(wanted, wanted)
        value = item.value
        if value.unit is None and (item.unit or wanted == "number"):
            value = Quantity(((value.value, item.unit or "1"),), value.place)
        if value.unit == "number":
            value = Quantity(((value.value, "1"),), value.place)
        converted = self.registry.convert(value, target, None)
        if isinstance(converted, UnitProblem):
            self.problem(
                place.under("value"),
                "E206",
                f"the value {item.value} is not in {wanted}",
                f"{converted.message[:1].upper()}{converted.message[1:]}.",
                f"Write the unit behind the number, as in '{item.value.value} "
                f"{'%' if wanted == 'percent' else wanted}'."
                if value.unit is None
                else "Give every value of a parameter the same unit.",
            )
            return None
        return converted.value

    def _check_history(self, entries: Sequence[ParameterEntry], places: Sequence[Place]) -> None:
        """No day may have two values."""
        placed = sorted(
            zip(entries, places, strict=True), key=lambda item: item[0].start or date.min
        )
        for entry, place in placed:
            if entry.start and entry.until and entry.until < entry.start:
                self.problem(
                    place.under("until"),
                    "E223",
                    f"it ends on {entry.until}, before it begins on {entry.start}",
                    "Both days count: a value of one day has the same day twice.",
                    "Correct one of the two days.",
                )
        for (entry, _), (later, place) in itertools.pairwise(placed):
            # Without `until`, a value holds up to the next one.
            same = (entry.start or date.min) == (later.start or date.min)
            if same or (entry.until and later.start and entry.until >= later.start):
                self.problem(
                    place,
                    "E223",
                    f"two values are in force on {later.start or 'every day'}",
                    "A history has one value for a day.",
                    "Give each value the day it begins on (from), the day after the other ends.",
                )

    def _declare_nodes(self) -> None:
        for name, model, entry in self.resolved.models("values"):
            assert isinstance(model, Value)
            self._declare_node(name, model, entry)
        for name, model, entry in self.resolved.models("decisions"):
            assert isinstance(model, Decision)
            self._declare_node(name, model, entry)
        for node in self.nodes.values():
            if isinstance(node.model, Value):
                self._declare_given(node, node.model)

    def _declare_node(self, address: str, model: Value | Decision, entry: Entry) -> None:
        table, dot, column = address.partition(".")
        if not dot:
            table, column = "", address
        elif table in self.resolved.sections["inputs"] and table not in self.tables:
            return  # the table is at fault
        elif table not in self.tables:
            near = nearest(table, self.tables)
            self.problem(
                entry.place,
                "E203",
                f"there is no table '{table}'",
                "A value with a dot is a column of an input table.",
                f"Did you mean '{near}'?" if near else "Declare the table under inputs.",
            )
            return
        if address in self.kinds or address in self.tables:
            # The same name in two sections of the set is told of in `_check_names`.
            named = [name for name in _NAMING_SECTIONS if address in self.resolved.sections[name]]
            if len(named) < 2:
                self.problem(
                    entry.place,
                    "E209",
                    f"'{address}' is a column of the input '{table}' too",
                    "One name means one thing.",
                    "Give one of them another name.",
                )
            return
        kind = self._node_kind(address, model, entry, table or None)
        node = Node(address, table or None, column, kind, entry, model)
        if isinstance(model, Value):
            self._read_rounding(node, model)
        if model.into is not None:
            self._check_output(node, model.into, entry.at("into"))
        if model.label:
            self.labels[address] = model.label
        self.kinds[address] = kind
        self.nodes[address] = node
        if table:
            self.columns[table].append(column)

    def _check_output(self, node: Node, path: str, place: Place) -> None:
        """Whether the contract can hold a figure at the path that it is written into."""
        leaf = look_up(path)
        if isinstance(leaf, NoSuchPath):
            self._no_such_path(place, path, leaf)
            return
        for other in self.nodes.values():
            if other.model.into == path:
                self.problem(
                    place,
                    "E210",
                    f"'{path}' is filled by '{other.address}' already",
                    "One place holds one figure.",
                    "Take one of the two out.",
                )
        kind = node.kind
        held = _LEAF_TYPES.get(leaf.kind)
        fits = node.table is None and not kind.many and held == kind.type
        if fits and kind.type == "number" and leaf.kind != "number":
            unit = kind.display or "number"
            dimension = "area" if unit == "area of" else self.registry.dimension_of(unit)
            fits = (unit == "percent") == (leaf.kind == "percent") and (
                str(dimension).startswith("money/")
                if leaf.kind == "rate"
                else _DIMENSIONS.get(leaf.kind) == dimension
            )
        strange = [option for option in kind.options if leaf.options and option not in leaf.options]
        if fits and not strange:
            return
        held_there = _HELD.get(leaf.kind, leaf.kind)
        what = f"'{path}' holds {held_there}, and '{node.address}' is {_described(node)}"
        if strange:
            what = f"'{path}' cannot hold {', '.join(strange)}"
        self.problem(
            place,
            "E211",
            what,
            f"It is one of {', '.join(leaf.options)}." if strange else "",
            "Name a path of the contract that holds the figure.",
        )

    def _decision_kind(self, model: Decision, entry: Entry) -> Kind:
        kind = self._outcome_kind(model, entry)
        if model.hit != "collect":
            return kind
        if model.aggregate is None:
            return kind.of_many()
        return Kind("number", display="number") if model.aggregate == "count" else kind

    def _outcome_kind(self, model: Decision, entry: Entry) -> Kind:
        """The kind of one row's outcome."""
        if model.one_of:
            return Kind("text", options=model.one_of)
        outcomes = [row["then"] for row in model.rows if row.get("then") is not None]
        if outcomes and isinstance(outcomes[0], dict):
            parts = {
                name: [row[name] for row in outcomes if isinstance(row, dict) and name in row]
                for name in sorted(outcomes[0])
            }
            fields = tuple((name, _kind_of_outcomes(values)) for name, values in parts.items())
            return Kind("context", fields=fields)
        if model.unit is not None:
            return self.unit_kind(model.unit, entry.at("unit"), "", None)
        if model.type is not None:
            return Kind(model.type, display="number" if model.type == "number" else "")
        return _kind_of_outcomes(outcomes)

    def _node_kind(
        self, address: str, model: Value | Decision, entry: Entry, table: str | None
    ) -> Kind:
        if isinstance(model, Decision):
            return self._decision_kind(model, entry)
        if model.type is not None and model.type != "number":
            if model.unit is not None:
                self.problem(
                    entry.at("unit"),
                    "E206",
                    f"'{address}' is {model.type} and has no unit",
                    "Only numbers have units.",
                    "Take the unit or the type out.",
                )
            return Kind(model.type)
        unit = model.unit
        if unit is None and model.type != "number":
            self.problem(
                entry.place,
                "E208",
                f"'{address}' has no unit",
                "Every value declares its unit and rounding.",
                "Write unit: INR, percent, sqm, number ..., or type: text, boolean or date.",
            )
            return ANY
        return self.unit_kind(unit or "number", entry.at("unit"), address, table)

    def _read_rounding(self, node: Node, model: Value) -> None:
        if node.kind.type != "number":
            if model.round is not None and not node.kind.is_open:
                self.problem(
                    node.entry.at("round"),
                    "E207",
                    f"'{node.address}' is not a number to round",
                    "",
                    "Take the rounding out.",
                )
            return
        if model.round is None:
            self.problem(
                node.entry.place,
                "E207",
                f"'{node.address}' does not say how it is rounded",
                "Rounding is never left to a default.",
                "Write round: none, or floor, nearest or ceil with a step.",
            )
            return
        rounding, reason = parse_rounding(model.round)
        if reason is not None:
            self.problem(
                node.entry.at("round"),
                "E207",
                f"'{model.round}' is not a rounding",
                "",
                f"{reason[:1].upper()}{reason[1:]}.",
            )
        elif rounding is not None and (("%" in rounding.text) != (node.kind.display == "percent")):
            self.problem(
                node.entry.at("round"),
                "E207",
                f"the step '{model.round}' is not in the value's unit, {node.kind.display}",
                "A step of 1 % and a step of 1 differ a hundredfold.",
                "Write the step in the value's unit: nearest 0.01 % for a percentage.",
            )
        node.rounding = rounding

    def _declare_given(self, node: Node, model: Value) -> None:
        if model.given is None:
            return
        place = node.entry.at("given")
        root: Any = Contract
        if node.table:
            root = self.tables[node.table][2].row
        leaf = look_up(model.given, root)
        if isinstance(leaf, NoSuchPath):
            inside = f"a row of {self.tables[node.table][1]}" if node.table else "the contract"
            self._no_such_path(place, model.given, leaf, inside)
            return
        kind_type = _LEAF_TYPES.get(leaf.kind)
        if kind_type != node.kind.type and not node.kind.is_open:
            self.problem(
                place,
                "E211",
                f"'{model.given}' holds {_HELD.get(leaf.kind, leaf.kind)}, not {node.kind.type}",
                "What the case states goes before what the formula yields.",
                "Name a path that holds what the value is.",
            )
            return
        if node.kind.type == "number" and model.unit is not None:
            self._check_measure(node.kind, leaf, place, model.unit)
        node.given = node.address
        self.givens[node.address] = self._fact(
            node.address, model.given, leaf, node.kind, kind_type or "text", None, None
        )

    def scalar_names(self) -> Iterable[str]:
        """Names that stand for one value."""
        return (name for name in self.kinds if "." not in name)

    def _check_names(self) -> None:
        for section in _NAMING_SECTIONS:
            for name, entry in self.resolved.sections[section].items():
                if name in KEYWORDS or name in BUILT_INS or name in _RESERVED:
                    self.problem(
                        entry.place,
                        "E209",
                        f"'{name}' is a word of the language",
                        "FEEL would read it as something else.",
                        "Choose another name.",
                        key=True,
                    )
                earlier = [
                    other
                    for other in _NAMING_SECTIONS[: _NAMING_SECTIONS.index(section)]
                    if name in self.resolved.sections[other]
                ]
                if earlier:
                    self.problem(
                        entry.place,
                        "E209",
                        f"'{name}' is in {earlier[0]} and in {section}",
                        "One name means one thing.",
                        "Give one of them another name.",
                        key=True,
                    )

    # ---- plan ---------------------------------------------------------------------------------

    def plan(self) -> InputPlan:
        """How the facts are read from a contract."""
        scalars = [fact for address, fact in self.facts.items() if "." not in address]
        scalars += [fact for address, fact in self.givens.items() if "." not in address]
        scalars.sort(key=lambda fact: (fact.area_of is not None, fact.address))
        tables = []
        for name in sorted(self.tables):
            _, path, _, absent_is_empty = self.tables[name]
            columns = [
                fact
                for facts in (self.facts, self.givens)
                for address, fact in facts.items()
                if address.startswith(f"{name}.")
            ]
            columns.sort(key=lambda fact: (fact.area_of is not None, fact.address))
            tables.append(Table(name, path, reader(path), tuple(columns), absent_is_empty))
        return InputPlan(tuple(scalars), tuple(tables))


def _places(entry: Entry) -> list[Place]:
    """The place of each value of a parameter's history."""
    if isinstance(entry.raw, list):
        return [entry.place.under(number) for number in range(len(entry.raw))]
    return [entry.place]


def _described(node: Node) -> str:
    """What a value or decision yields, in words."""
    if node.table is not None:
        return f"a column of '{node.table}'"
    if node.kind.many:
        return "a list"
    return node.kind.display or {"context": "several parts"}.get(node.kind.type, node.kind.type)


def _kind_of_outcomes(values: Sequence[Any]) -> Kind:
    """The kind of the first outcome that is known; texts are the choices there are."""
    known = [value for value in values if value is not None]
    kind = literal_kind(known[0]) if known else ANY
    if kind != TEXT:
        return kind
    texts = (value for value in known if isinstance(value, str))
    return Kind("text", options=tuple(sorted(set(texts))))


def literal_kind(value: Any) -> Kind:
    """The kind of an outcome as it is written."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, Decimal | int):
        return Kind("number", display="number")
    return TEXT if isinstance(value, str) else ANY
