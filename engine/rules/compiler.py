"""From a resolved rule set to a function: formulas parsed, put in order, checked, and emitted.

Compiling finds every fault that can be found without a case: unknown names, cycles, units that do
not fit, paths that the contract has not, messages that name nothing. What comes out is one Python
function that computes all figures, decisions and findings of the set in dependency order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from contracts.problems import Problem, in_order, nearest
from contracts.quantities import QuantityError, plain, quantity_from
from contracts.ruleset import Decision, FindingRule
from engine.feel import nodes
from engine.feel.errors import FeelError, FeelSyntaxError
from engine.feel.parser import children, parse_expression, parse_unary_tests
from engine.rules.compiled import CompiledRuleSet, label_of
from engine.rules.declarations import Declarations, Formula, Node, literal_kind
from engine.rules.emission import Emission
from engine.rules.expressions import OWN_FUNCTIONS, as_condition, raised_in, walk
from engine.rules.kinds import (
    Kind,
)
from engine.rules.source import Entry, Place, ResolvedRuleSet
from engine.units.registry import UnitProblem, UnitRegistry


def compile_rule_set(
    resolved: ResolvedRuleSet, registry: UnitRegistry
) -> tuple[CompiledRuleSet | None, tuple[Problem, ...]]:
    """The set as a function, or the problems that keep it from being one.

    An abstract set is checked as far as it goes; parameters without a value are allowed there.
    """
    declared = Declarations(resolved, registry)
    declared.declare()
    compiled = _Formulas(declared).compile()
    problems = in_order(declared.problems)
    return (None if problems else compiled), problems


class _Formulas:
    """The expressions of a rule set, while they are parsed and put in order."""

    def __init__(self, declared: Declarations) -> None:
        self.declared = declared
        self.names = (
            frozenset(declared.scalar_names()) | set(declared.tables) | OWN_FUNCTIONS | {"row"}
        )

    def compile(self) -> CompiledRuleSet | None:
        """The compiled set; None once there are problems, all of which are then noted."""
        declared = self.declared
        self._parse_formulas()
        findings = self._parse_findings()
        finding_order = self._order_findings(findings)
        order = self._order()
        asked = frozenset(
            code
            for _, _, formula in findings.values()
            if formula is not None
            for code in raised_in(formula.node)
        )
        run, slots, steps, compiled = Emission(declared, traced=False).emit(
            order, findings, finding_order, asked
        )
        if declared.problems:
            return None
        run_traced, *_ = Emission(declared, traced=True).emit(order, findings, finding_order, asked)
        return CompiledRuleSet(
            declared.resolved,
            declared.plan(),
            tuple(declared.parameters),
            steps,
            compiled,
            slots,
            declared.kinds,
            {name: declared.labels.get(name) or label_of(name) for name in declared.kinds},
            run,
            run_traced,
        )

    # ---- formulas -----------------------------------------------------------------------------

    def _parse(self, text: str, place: Place) -> Formula | None:
        try:
            node = parse_expression(text, self.names)
        except FeelSyntaxError as error:
            self.declared.problems.append(
                place.problem(
                    "E301",
                    error.message,
                    "The text is not a FEEL expression.",
                    "docs/writing-rules.md shows what formulas look like.",
                    span=(error.start, error.end),
                )
            )
            return None
        except FeelError as error:
            self.declared.problem(
                place, "E302", str(error), "Formulas have bounds.", "Split the formula."
            )
            return None
        return Formula(node, place, text)

    def _parse_formulas(self) -> None:
        for node in self.declared.nodes.values():
            if isinstance(node.model, Decision):
                self._parse_decision(node, node.model)
                continue
            # `formula: null` in a variant says that nothing is computed.
            text = node.model.formula or "null"
            node.formula = self._parse(text, node.entry.at("formula"))
            if node.formula is not None:
                node.depends = self._all_dependencies(node.formula.node, node.table)

    def _parse_decision(self, node: Node, model: Decision) -> None:
        self._check_policy(node, model)
        for number, row in enumerate(model.rows):
            tests = []
            place = node.entry.at("rows").under(number)
            if "then" not in row:
                self.declared.problem(
                    place,
                    "E216",
                    "the row has no 'then'",
                    "A row says what follows.",
                    "Write then: with its outcome.",
                )
            # In the order of their names: the order in which a row is written says nothing.
            for column, cell in sorted(row.items()):
                if column == "then":
                    continue
                test = self._parse_cell(node, column, cell, place.under(column))
                if test is not None:
                    tests.append(test)
            node.tests.append(tests)
            outcome, fault = self._outcome(node, row.get("then"))
            if fault:
                self.declared.problem(
                    place.under("then"),
                    "E216",
                    fault,
                    f"'{node.address}' is one of {', '.join(model.one_of)}."
                    if model.one_of
                    else "All outcomes of a decision are of one kind.",
                    "Correct the outcome.",
                )
            node.outcomes.append(outcome)

    def _check_policy(self, node: Node, model: Decision) -> None:
        """Whether the hit policy can make one result of the rows' outcomes."""
        if model.aggregate is not None and model.hit != "collect":
            self.declared.problem(
                node.entry.at("aggregate"),
                "E216",
                f"'aggregate' goes with hit: collect, not with {model.hit}",
                "Only what several rows yield can be added up or counted.",
                "Write hit: collect, or take the aggregate out.",
            )
        elif model.aggregate not in {None, "count"} and node.kind.type not in {"number", "any"}:
            self.declared.problem(
                node.entry.at("aggregate"),
                "E216",
                f"'{model.aggregate}' needs outcomes that are numbers",
                "Texts and mappings have no sum, least or greatest.",
                "Write numbers behind then:, or aggregate: count.",
            )
        if model.hit == "priority" and not model.one_of:
            self.declared.problem(
                node.entry.at("hit"),
                "E216",
                "hit: priority needs the order of the outcomes",
                "Of the rows that fit, the outcome that stands first in 'one of' is taken.",
                "Write one of: [...], the outcome that goes before the others first.",
            )

    def _parse_cell(
        self, node: Node, column: str, cell: Any, place: Place
    ) -> tuple[str, nodes.Node, Formula] | None:
        tested, fault = self._tested(node, column)
        if tested is None:
            known = [*self.declared.scalar_names()]
            if node.table:
                known += [f"row.{name}" for name in self.declared.columns[node.table]]
            near = nearest(column, known)
            self.declared.problem(
                place,
                "E203",
                fault,
                "A row tests inputs, parameters, values and decisions.",
                f"Did you mean '{near}'?" if near else "Correct the name.",
                key=True,
            )
            return None
        text = _cell_text(cell)
        try:
            tests = parse_unary_tests(text, self.names)
        except FeelSyntaxError as error:
            self.declared.problems.append(
                place.problem(
                    "E301",
                    error.message,
                    "A cell holds tests such as < 5, [1..9], A, B or not(A).",
                    "docs/writing-rules.md shows decision rows.",
                    span=(error.start, error.end),
                )
            )
            return None
        except FeelError as error:
            self.declared.problem(place, "E302", str(error), "Tests have bounds.", "Split the row.")
            return None
        if not tests.tests:
            return None
        kind = self.declared.kinds[self._address(tested, node.table) or ""]
        if isinstance(tested, nodes.Path) and kind.fields:
            kind = dict(kind.fields)[tested.name]
        misspelt = self._misspelt_option(tests, kind, place)
        if misspelt:
            return None
        condition = self._condition(tests, tested, kind)
        node.depends |= self._all_dependencies(condition, node.table)
        return column, condition, Formula(condition, place, text)

    def _misspelt_option(self, tests: nodes.UnaryTests, kind: Kind, place: Place) -> bool:
        """Whether a cell names a word that the tested text can never be."""
        found = False
        for test in tests.tests:
            word = test.operand if isinstance(test, nodes.Comparator) else test
            if not kind.options or not isinstance(word, nodes.Name):
                continue
            if word.name in kind.options or word.name in self.names:
                continue
            found = True
            near = nearest(word.name, kind.options)
            self.declared.problem(
                place,
                "E203",
                f"'{word.name}' is none of the choices",
                f"It is one of {', '.join(kind.options)}.",
                f"Did you mean '{near}'?" if near else "Choose one of them.",
                span=(word.start, word.end),
            )
        return found

    def _tested(self, node: Node, column: str) -> tuple[nodes.Node | None, str]:
        if column.startswith("row."):
            address = f"{node.table}.{column[4:]}"
            if node.table and address in self.declared.kinds:
                return nodes.Path(nodes.Name("row"), column[4:]), ""
            return None, f"table '{node.table}' has no column '{column[4:]}'"
        owner, dot, inner = column.partition(".")
        if (
            dot
            and owner in self.declared.kinds
            and dict(self.declared.kinds[owner].fields).get(inner)
        ):
            return nodes.Path(nodes.Name(owner), inner), ""
        if column in self.declared.kinds and "." not in column:
            return nodes.Name(column), ""
        return None, f"unknown column '{column}'"

    def _condition(self, tests: nodes.UnaryTests, tested: nodes.Node, kind: Kind) -> nodes.Node:
        parts: list[nodes.Node] = []
        for test in tests.tests:
            bare = test
            if isinstance(bare, nodes.Name) and bare.name in kind.options:
                bare = nodes.Literal(bare.name, start=bare.start, end=bare.end)
            if (
                isinstance(bare, nodes.Comparator)
                and isinstance(bare.operand, nodes.Name)
                and (bare.operand.name in kind.options)
            ):
                bare = nodes.Comparator(
                    bare.operator, nodes.Literal(bare.operand.name), start=bare.start, end=bare.end
                )
            if (
                isinstance(bare, nodes.Name)
                and bare.name in self.declared.kinds
                and (not self.declared.kinds[bare.name].many)
            ):
                bare = nodes.Comparator("=", bare, start=bare.start, end=bare.end)
            condition = as_condition(bare, tested)
            parts.append(
                condition
                if condition is not None
                else nodes.In(tested, (bare,), start=test.start, end=test.end)
            )
        whole = parts[0]
        for part in parts[1:]:
            whole = nodes.Disjunction(whole, part, start=tests.start, end=tests.end)
        if tests.negated:
            whole = nodes.Call(nodes.Name("not"), (whole,), start=tests.start, end=tests.end)
        return whole

    def _outcome(self, node: Node, then: Any) -> tuple[Any, str | None]:
        if then is None:
            if isinstance(node.model, Decision) and node.model.hit == "priority":
                return None, "under hit: priority every row needs an outcome"
            return None, None
        if isinstance(then, dict) or node.kind.type == "context":
            return self._parts_outcome(node, then)
        if isinstance(node.model, Decision) and node.model.one_of and node.kind.options:
            if then in node.kind.options:
                return then, None
            near = nearest(str(then), node.kind.options)
            hint = f", did you mean '{near}'?" if near else ""
            return None, f"'{then}' is none of the outcomes{hint}"
        counted = isinstance(node.model, Decision) and node.model.aggregate == "count"
        if node.kind.type == "number" and not counted:
            return self._number_outcome(node, then)
        if not counted and node.kind.type not in {"any", literal_kind(then).type}:
            return None, f"{_cell_text(then)} is not {node.kind.type}, as the other outcomes are"
        return then, None

    def _parts_outcome(self, node: Node, then: Any) -> tuple[Any, str | None]:
        parts = dict(node.kind.fields)
        if not isinstance(then, dict) or then.keys() != parts.keys():
            return None, "the outcomes of all rows must have the same parts"
        for name, value in then.items():
            if value is not None and parts[name].type not in {"any", literal_kind(value).type}:
                return None, f"'{name}' is not {parts[name].type} here, as it is in the first row"
        return dict(then), None

    def _number_outcome(self, node: Node, then: Any) -> tuple[Decimal | None, str | None]:
        target = {"percent": "1", "number": "1", "": "1"}.get(node.kind.display, node.kind.display)
        try:
            quantity = quantity_from(then, None)
        except QuantityError as error:
            return None, str(error)
        if quantity.unit is None:
            if node.kind.display == "percent" and quantity.value:
                return None, f"{then} is not a percentage; write {then} %"
            return quantity.value, None
        converted = self.declared.registry.convert(quantity, target, None)
        if isinstance(converted, UnitProblem):
            return None, f"{then} is not in {node.kind.display or 'number'}"
        return converted.value, None

    def _address(self, node: nodes.Node, table: str | None) -> str | None:
        """The address that a name or path reads."""
        if isinstance(node, nodes.Name):
            return node.name if node.name in self.declared.kinds else None
        if isinstance(node, nodes.Path) and isinstance(node.operand, nodes.Name):
            owner = node.operand.name
            if owner == "row":
                return (
                    f"{table}.{node.name}"
                    if f"{table}.{node.name}" in self.declared.kinds
                    else None
                )
            if f"{owner}.{node.name}" in self.declared.kinds:
                return f"{owner}.{node.name}"
            if owner in self.declared.kinds:
                return owner
        return None

    def _all_dependencies(self, node: nodes.Node, table: str | None) -> set[str]:
        """Addresses that an expression needs computed before it."""
        mentioned = {part.name for part in walk(node) if isinstance(part, nodes.Path | nodes.Name)}
        return set(self._dependencies(node, table, mentioned, frozenset()))

    def _dependencies(
        self, node: nodes.Node, table: str | None, mentioned: set[str], local: frozenset[str]
    ) -> Iterable[str]:
        if isinstance(node, nodes.Call) and isinstance(node.function, nodes.Name):
            if node.function.name == "given":
                return
            for argument in node.arguments:
                yield from self._dependencies(argument, table, mentioned, local)
            return
        if isinstance(node, nodes.For | nodes.Quantified):
            for iterator in node.iterators:
                for part in children(iterator):
                    yield from self._dependencies(part, table, mentioned, local)
                local |= {iterator.name}
            yield from self._dependencies(node.body, table, mentioned, local)
            return
        if isinstance(node, nodes.FunctionOf):
            local |= {name for name, _ in node.parameters}
        owner = node.operand if isinstance(node, nodes.Path) else node
        if isinstance(owner, nodes.Name) and owner.name in local:
            return
        address = self._address(node, table)
        if address is not None:
            yield address
            return
        if isinstance(node, nodes.Name) and node.name in self.declared.tables:
            # Of the rows, only those columns are read that the expression names somewhere.
            for column in self.declared.columns[node.name]:
                if column in mentioned:
                    yield f"{node.name}.{column}"
            return
        for child in children(node):
            yield from self._dependencies(child, table, mentioned, local)

    # ---- findings -----------------------------------------------------------------------------

    def _parse_findings(self) -> dict[str, tuple[FindingRule, Entry, Formula | None]]:
        found: dict[str, tuple[FindingRule, Entry, Formula | None]] = {}
        for code, model, entry in self.declared.resolved.models("findings"):
            assert isinstance(model, FindingRule)
            if model.each is not None and model.each not in self.declared.tables:
                near = nearest(model.each, self.declared.tables)
                self.declared.problem(
                    entry.at("each"),
                    "E203",
                    f"there is no table '{model.each}'",
                    "",
                    f"Did you mean '{near}'?" if near else "Declare the table under inputs.",
                )
                continue
            found[code] = (model, entry, self._parse(model.when, entry.at("when")))
        return found

    def _order_findings(
        self, found: Mapping[str, tuple[FindingRule, Entry, Formula | None]]
    ) -> list[str]:
        """Findings after those whose raising they ask for."""
        order: list[str] = []
        open_: list[str] = []

        def visit(code: str) -> None:
            if code in order:
                return
            if code in open_:
                self.declared.problem(
                    found[code][1].at("when"),
                    "E204",
                    f"'{code}' follows from itself",
                    " follows from ".join([*open_[open_.index(code) :], code]) + ".",
                    "Let one of them stand alone.",
                )
                return
            open_.append(code)
            formula = found[code][2]
            for other in sorted(raised_in(formula.node) if formula else ()):
                if other in found:
                    visit(other)
            open_.pop()
            order.append(code)

        for code in sorted(found):
            visit(code)
        return order

    # ---- order --------------------------------------------------------------------------------

    def _order(self) -> list[Node]:
        """Values and decisions, each after what it needs; the same whatever order files have."""
        order: dict[str, Node] = {}
        open_: list[str] = []

        def visit(address: str) -> None:
            node = self.declared.nodes.get(address)
            if node is None or address in order:
                return
            if address in open_:
                chain = " needs ".join([*open_[open_.index(address) :], address])
                self.declared.problem(
                    node.entry.at("rows" if isinstance(node.model, Decision) else "formula"),
                    "E204",
                    f"'{address}' needs itself: {chain}",
                    "Figures are computed one after another.",
                    "Use given(x) for the figure that the case states: it needs no formula.",
                )
                return
            open_.append(address)
            for other in sorted(node.depends):
                visit(other)
            open_.pop()
            order[address] = node

        for address in sorted(self.declared.nodes):
            visit(address)
        return list(order.values())


def _cell_text(cell: Any) -> str:
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal | int):
        return plain(Decimal(cell))
    if isinstance(cell, list):
        return ", ".join(_cell_text(item) for item in cell)
    return str(cell)
