"""What is wrong with a condition, found without a case: unknown paths, words and functions.

The kind of every path is followed through filters, iterations and contexts as far as it is known;
where it is not, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from contracts.contract import Contract
from contracts.problems import nearest
from engine.conditions import CLOCK, parse_condition
from engine.feel import FeelError, FeelSyntaxError, nodes
from engine.feel.built_ins import BUILT_INS
from engine.feel.parser import children
from engine.rules.contract_paths import Leaf, NoSuchPath, look_up

_ANY = Leaf("other")
_QUANTITIES = frozenset({"money", "percent", "area", "rate", "years", "length", "measure"})
_PARTS_OF_A_QUANTITY = {"value": Leaf("number"), "unit": Leaf("text")}
#: Kinds whose values have no parts at all.
_WHOLE = frozenset({"text", "number", "boolean", "list of text"})

Scope = Mapping[str, Leaf]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a condition, between two offsets into its text."""

    code: str
    what: str
    why: str
    fix: str
    start: int
    end: int


def condition_faults(text: str) -> tuple[Fault, ...]:
    """Everything wrong with a condition, in the order of its text."""
    try:
        node = parse_condition(text)
    except FeelSyntaxError as error:
        why = "A condition is a FEEL expression, such as property.built_up_area != null"
        return (Fault("E502", error.message, why, "", error.start, error.end),)
    except FeelError as error:
        return (Fault("E502", str(error), "It is more than a person writes.", "", 0, len(text)),)
    walk = _Walk(text)
    walk.kind(node, _columns(Leaf("part", row=Contract)))
    return tuple(sorted(walk.faults, key=lambda fault: (fault.start, fault.end)))


class _Walk:
    """Follows a condition and collects what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.faults: list[Fault] = []

    def kind(self, node: nodes.Node, scope: Scope) -> Leaf:
        """What a node yields, as far as the contract tells."""
        match node:
            case nodes.Name(name=name):
                return self._name(node, name, scope)
            case nodes.Path(operand=operand, name=name):
                return self._member(node, self.kind(operand, scope), name)
            case nodes.Filter(operand=operand, condition=condition):
                rows = self.kind(operand, scope)
                self.kind(condition, {**scope, **_columns(rows), "item": _one(rows)})
                return rows
            case nodes.Comparison(operator=operator, left=left, right=right):
                kinds = self.kind(left, scope), self.kind(right, scope)
                self._two_equals(right)
                if operator in {"=", "!="}:
                    self._word(kinds[0], right)
                    self._word(kinds[1], left)
                return Leaf("boolean")
            case nodes.In(operand=operand, tests=tests):
                asked = self.kind(operand, scope)
                for test in tests:
                    self._word(asked, test)
                    self.kind(test, {**scope, "?": asked})
                return Leaf("boolean")
            case nodes.For(iterators=iterators, body=body):
                self.kind(body, self._iterated(iterators, scope))
                return _ANY
            case nodes.Quantified(iterators=iterators, body=body):
                self.kind(body, self._iterated(iterators, scope))
                return Leaf("boolean")
            case nodes.FunctionOf(parameters=parameters, body=body):
                self.kind(body, {**scope, **{name: _ANY for name, _ in parameters}})
                return _ANY
            case nodes.ContextOf(entries=entries):
                inner = dict(scope)
                for name, value in entries:
                    inner[name] = self.kind(value, inner)
                return _ANY
            case nodes.Call(function=nodes.Name(name=name) as function, arguments=arguments):
                if name in CLOCK:
                    self._clock(function)
                elif name not in BUILT_INS and name not in scope:
                    self._unknown(function, f"there is no function '{name}'", name, BUILT_INS)
                for argument in arguments:
                    self.kind(argument, scope)
                return _ANY
        for child in children(node):
            self.kind(child, scope)
        return _ANY

    def _iterated(self, iterators: tuple[nodes.Iterator, ...], scope: Scope) -> Scope:
        inner = {**scope, "partial": _ANY}
        for iterator in iterators:
            rows = self.kind(iterator.domain, inner)
            if iterator.high is not None:
                self.kind(iterator.high, inner)
                rows = _ANY
            inner[iterator.name] = _one(rows)
        return inner

    def _name(self, node: nodes.Node, name: str, scope: Scope) -> Leaf:
        if name in scope:
            return scope[name]
        if name in CLOCK:
            self._clock(node)
        elif name not in BUILT_INS:
            self._unknown(node, f"unknown name '{name}'", name, scope)
        return _ANY

    def _member(self, node: nodes.Node, owner: Leaf, name: str) -> Leaf:
        if owner.kind in _QUANTITIES:
            if name in _PARTS_OF_A_QUANTITY:
                return _PARTS_OF_A_QUANTITY[name]
            self._no_part(node, name, owner, _PARTS_OF_A_QUANTITY)
        elif owner.row is not None:
            found = look_up(name, owner.row)
            if isinstance(found, NoSuchPath):
                self._no_part(node, name, owner, owner.row.model_fields)
            else:
                # A path through a table yields the column, whose elements are of this kind.
                return found
        elif owner.kind in _WHOLE:
            self._no_part(node, name, owner, ())
        return _ANY

    def _word(self, asked: Leaf, node: nodes.Node) -> None:
        """A text that a choice is compared with should be one of its words."""
        if not isinstance(node, nodes.Literal) or not isinstance(node.value, str):
            return
        if asked.options and node.value not in asked.options:
            near = nearest(node.value, asked.options)
            self.faults.append(
                Fault(
                    "E503",
                    f"'{node.value}' is not one of the words this fact may have",
                    f"It is one of {', '.join(asked.options)}, so the comparison never changes.",
                    f'Did you mean "{near}"?' if near else "",
                    node.start,
                    node.end,
                )
            )

    def _two_equals(self, right: nodes.Node) -> None:
        """FEEL reads `== 3` as a comparison with the range `= 3`, which never holds."""
        if isinstance(right, nodes.RangeOf) and self.text[right.start] == "=":
            self.faults.append(
                Fault(
                    "E502",
                    "two equals signs",
                    "The second one begins a range, and no fact is equal to a range.",
                    "Write a single =",
                    right.start - (self.text[right.start - 1] == "="),
                    right.start + 1,
                )
            )

    def _no_part(
        self, node: nodes.Node, name: str, owner: Leaf, known: Mapping[str, object] | tuple[()]
    ) -> None:
        written = self.text[node.start : node.end]
        near = nearest(name, known)
        kind = {"table": "a row of this table", "part": "this part of the contract"}.get(
            owner.kind, f"a fact of kind '{owner.kind}'"
        )
        self.faults.append(
            Fault(
                "E501",
                f"{kind} has no '{name}'",
                f"'{written}' would always be null, and the condition with it.",
                f"Did you mean '{near}'?" if near else "",
                max(node.start, node.end - len(name)),
                node.end,
            )
        )

    def _unknown(self, node: nodes.Node, what: str, name: str, known: Mapping[str, object]) -> None:
        near = nearest(name, known)
        self.faults.append(
            Fault(
                "E503",
                what,
                "A condition reads the contract only: meta, party, property, valuation_inputs, "
                "stage, project and its other parts.",
                f"Did you mean '{near}'?" if near else "A text stands in double quotes.",
                node.start,
                node.end,
            )
        )

    def _clock(self, node: nodes.Node) -> None:
        self.faults.append(
            Fault(
                "E503",
                f"'{self.text[node.start : node.end]}' asks for the day it is",
                "The same case must need the same evidence tomorrow.",
                "Compare with a date of the contract, such as valuation_inputs.valuation_date.",
                node.start,
                node.end,
            )
        )


def _one(rows: Leaf) -> Leaf:
    """The kind of one element of a list; of anything else, the same."""
    if rows.kind == "table":
        return replace(rows, kind="part")
    if rows.kind.startswith("list of "):
        return Leaf(rows.kind.removeprefix("list of "))
    return rows


def _columns(rows: Leaf) -> dict[str, Leaf]:
    """The fields of a part, or the columns of a table, which a filter may call by name alone."""
    if rows.row is None:
        return {}
    found = {name: look_up(name, rows.row) for name in rows.row.model_fields}
    return {name: leaf for name, leaf in found.items() if isinstance(leaf, Leaf)}
