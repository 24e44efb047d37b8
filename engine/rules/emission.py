"""A rule set's function, written statement by statement as Python syntax."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from contracts.problems import nearest
from contracts.ruleset import Decision, FindingRule, Value
from engine.rounding import Rounding
from engine.rules import python_syntax as py
from engine.rules import runtime
from engine.rules.compiled import CompiledFinding, Step, label_of
from engine.rules.contract_paths import Leaf, look_up
from engine.rules.declarations import AS_OF, Declarations, Formula, Node
from engine.rules.expressions import Emitted, Emitter, Fault, Symbol
from engine.rules.kinds import (
    ANY,
    BOOLEAN,
    NO_UNIT,
    TEXT,
    Kind,
    same_unit,
    shown,
)
from engine.rules.messages import Placeholder, parse_message
from engine.rules.source import Entry, Place
from engine.units.registry import UnitProblem


def _variable(prefix: str, address: str) -> str:
    return prefix + address.replace(".", "__")


class Emission:
    """One run function being written."""

    def __init__(self, declared: Declarations, *, traced: bool) -> None:
        self.declared = declared
        self.traced = traced
        self.constants: dict[str, Any] = {}
        self.body: list[ast.stmt] = []
        self.slots: dict[str, int] = {}
        self.slot_code: list[ast.expr] = []
        self.emitted: set[str] = set()
        self.finding_names: dict[str, tuple[str, str | None]] = {}

    def emit(
        self,
        order: Sequence[Node],
        findings: Mapping[str, tuple[FindingRule, Entry, Formula | None]],
        finding_order: Sequence[str],
    ) -> tuple[Callable[..., Any], dict[str, int], tuple[Step, ...], tuple[CompiledFinding, ...]]:
        """The function, where its results are, and what its steps and findings mean."""
        self._load_facts()
        steps = tuple(self._node(node) for node in order)
        self.body.append(py.assign("found", ast.List([], ast.Load())))
        compiled = []
        for number, code in enumerate(finding_order):
            model, entry, formula = findings[code]
            compiled.append(self._finding(number, code, model, entry, formula))
        self.body.append(ast.Return(py.tuple_of([py.tuple_of(self.slot_code), py.load("found")])))
        scope = {**runtime.SCOPE, **self.constants}
        parameters = ["inputs", "parameters", AS_OF, "rows"]
        run: Any = types.FunctionType
        if not self.declared.problems:
            run = py.function(self.declared.resolved.id, parameters, self.body, scope)
        return run, self.slots, steps, tuple(compiled)

    def slot(self, address: str, code: ast.expr) -> int:
        """Give a result its place in the tuple that comes back."""
        self.slots[address] = len(self.slot_code)
        self.slot_code.append(code)
        return self.slots[address]

    def _load_facts(self) -> None:
        plan = self.declared.plan()
        index = 0
        for fact in plan.scalars:
            given = self.declared.givens.get(fact.address) is fact
            name = _variable("g_" if given else "v_", fact.address)
            self.body.append(py.assign(name, py.item(py.load("inputs"), index)))
            self.slot(f"given {fact.address}" if given else fact.address, py.load(name))
            index += 1
        for number, table in enumerate(plan.tables):
            self.body.append(
                py.assign(_variable("n_", table.name), py.item(py.load("rows"), number))
            )
            for fact in table.columns:
                given = self.declared.givens.get(fact.address) is fact
                name = _variable("g_" if given else "v_", fact.address)
                self.body.append(py.assign(name, py.item(py.load("inputs"), index)))
                self.slot(f"given {fact.address}" if given else fact.address, py.load(name))
                index += 1
        for number, parameter in enumerate(self.declared.parameters):
            name = _variable("v_", parameter.name)
            self.body.append(py.assign(name, py.item(py.load("parameters"), number)))
            self.slot(parameter.name, py.load(name))
        self.slot(AS_OF, py.load(AS_OF))

    # ---- values -------------------------------------------------------------------------------

    def _node(self, node: Node) -> Step:
        scope = _Names(self, node.table)
        emitter = Emitter(scope, self.constants)
        if isinstance(node.model, Decision):
            step = self._decision(node, node.model, emitter, scope)
        else:
            step = self._value(node, node.model, emitter, scope)
        return step

    def _report(self, emitter: Emitter, formula: Formula) -> None:
        for fault in emitter.faults:
            self._problem(fault, formula.place)
        emitter.faults.clear()

    def _problem(self, fault: Fault, place: Place) -> None:
        problem = place.problem(
            fault.code, fault.what, fault.why, fault.fix, span=(fault.start, fault.end)
        )
        if problem not in self.declared.problems:
            self.declared.problems.append(problem)

    def _value(self, node: Node, model: Value, emitter: Emitter, scope: _Names) -> Step:
        emitted = Emitted(ANY, py.NONE)
        if node.formula is not None:
            emitted = emitter.emit(node.formula.node)
            self._report(emitter, node.formula)
            self._check_result(node, emitted, node.formula)
        result = _variable("v_", node.address)
        unrounded = _variable("u_", node.address) if self.traced and node.rounding else None
        calculated = _variable("k_", node.address) if node.given else None
        given = _variable("g_", node.address) if node.given else None
        body = self._value_body(node, emitted, "r_" if node.table else "", unrounded, calculated)
        if node.table is None:
            self.body += body
        else:
            self._loop(
                node.table,
                scope.row_reads,
                body,
                [name for name in (result, unrounded, calculated) if name],
                extra=[given] if given else [],
            )
        self.emitted.add(node.address)
        unrounded_slot = None
        if node.rounding is not None:
            # Both functions have the same slots; without trace this one stays empty.
            kept = py.load(unrounded) if unrounded else py.NONE
            unrounded_slot = self.slot(f"unrounded {node.address}", kept)
        calculated_slot = (
            self.slot(f"calculated {node.address}", py.load(calculated)) if calculated else None
        )
        return Step(
            node.address,
            node.table,
            self.declared.labels.get(node.address) or label_of(node.address),
            node.kind,
            _unit_text(node.kind),
            model.formula or "null",
            model.source or "",
            node.rounding.text if node.rounding else "none",
            tuple(scope.reads.items()),
            self.slot(node.address, py.load(result)),
            unrounded_slot,
            calculated_slot,
            self.slots.get(f"given {node.address}"),
            model.unknown,
            model.into,
        )

    def _value_body(
        self,
        node: Node,
        emitted: Emitted,
        prefix: str,
        unrounded: str | None,
        calculated: str | None,
    ) -> list[ast.stmt]:
        """Statements that compute one figure into the variables of its row or of the set."""
        inner = {name: prefix + name for name in (unrounded, calculated) if name}
        result = prefix + _variable("v_", node.address)
        body: list[ast.stmt] = []
        code: ast.expr
        if node.rounding is None:
            code = emitted.value()
        elif unrounded:
            body.append(py.assign(inner[unrounded], emitted.value()))
            kept = py.load(inner[unrounded])
            code = py.choose(py.is_none(kept), py.NONE, self._rounded(node.rounding, kept))
        else:
            rounded = self._rounded(node.rounding, emitted.code)
            code = Emitted(emitted.kind, rounded, emitted.guards).value()
        if calculated:
            given = py.load(prefix + _variable("g_", node.address))
            body.append(py.assign(inner[calculated], code))
            code = py.choose(py.is_none(given), py.load(inner[calculated]), given)
        body.append(py.assign(result, code))
        return body

    def _rounded(self, rounding: Rounding, code: ast.expr) -> ast.expr:
        name = f"round_{rounding.mode}_{str(rounding.step).replace('.', '_').replace('-', '_')}"
        self.constants.setdefault(name, rounding.function())
        return py.call(name, code)

    def _loop(
        self,
        table: str,
        row_reads: Mapping[str, str],
        body: Sequence[ast.stmt],
        results: Sequence[str],
        extra: Sequence[str] = (),
    ) -> None:
        """Run the body for each row; lists of the results, None where the table is not known."""
        rows = _variable("n_", table)
        unknown = [py.assign(name, py.NONE) for name in results]
        known: list[ast.stmt] = [py.assign(name, ast.List([], ast.Load())) for name in results]
        inner = [*body, *[py.append(name, py.load(f"r_{name}")) for name in results]]
        sources = [*dict.fromkeys([*row_reads.values(), *extra])]
        if sources:
            targets = [f"r_{name}" for name in sources]
            known.append(py.for_each(targets, [py.load(name) for name in sources], inner))
        else:
            known.append(py.for_each(["_"], [py.load(rows)], inner))
        self.body.append(py.when(py.is_none(py.load(rows)), unknown, known))

    def _check_result(self, node: Node, emitted: Emitted, formula: Formula) -> None:
        got, want = emitted.kind, node.kind
        if got.is_open or want.is_open:
            return
        whole = Fault("", "", "", "", formula.node.start, formula.node.end)
        if got.type != want.type or got.many != want.many:
            what = f"the formula yields {'a list' if got.many else got.type}, not {want.type}"
            self._problem(
                Fault(
                    "E211",
                    what,
                    "",
                    "Correct the formula or the declared type.",
                    whole.start,
                    whole.end,
                ),
                formula.place,
            )
        elif (
            want.type == "number"
            and not same_unit(got, want)
            and not (got.literal and want.unit == NO_UNIT)
        ):
            self._problem(
                Fault(
                    "E205",
                    f"the formula yields {shown(got.unit)}, the value is declared in {shown(want.unit)}",
                    "A figure must be in the unit it declares.",
                    "Correct the formula or the unit.",
                    whole.start,
                    whole.end,
                ),
                formula.place,
            )

    # ---- decisions ----------------------------------------------------------------------------

    def _decision(self, node: Node, model: Decision, emitter: Emitter, scope: _Names) -> Step:
        tests = []
        emitter.in_cell = True
        for row in node.tests:
            parts = []
            for _, condition, formula in row:
                parts.append(emitter.exactly_true(condition))
                self._report(emitter, formula)
            tests.append(py.both(parts))
        result, hits = _variable("v_", node.address), _variable("h_", node.address)
        prefix = "r_" if node.table else ""
        outcomes = [self._outcome(value) for value in node.outcomes]
        body = _decision_body(model, tests, outcomes, prefix + result, prefix + hits)
        if model.hit != "first":
            decide = f"decide_{len(self.constants)}"
            self.constants[decide] = runtime.decider(
                model.hit, model.aggregate, tuple(node.outcomes), model.one_of or ()
            )
            body.append(py.assign(prefix + result, py.call(decide, py.load(prefix + hits))))
        if node.table is None:
            self.body += body
        else:
            self._loop(node.table, scope.row_reads, body, [result, hits])
        self.emitted.add(node.address)
        hits_slot = self.slot(f"hits {node.address}", py.load(hits))
        return Step(
            node.address,
            node.table,
            self.declared.labels.get(node.address) or label_of(node.address),
            node.kind,
            _unit_text(node.kind),
            f"decision {node.address}",
            model.source or "",
            "none",
            tuple(scope.reads.items()),
            self.slot(node.address, py.load(result)),
            None,
            None,
            None,
            None,
            model.into,
            is_decision=True,
            hits_slot=hits_slot,
            hit_policy=model.hit,
            rows=len(model.rows),
        )

    def _outcome(self, value: Any) -> ast.expr:
        if value is None or isinstance(value, bool | str):
            return ast.Constant(value)
        return Emitter(_Names(self, None), self.constants).constant(value)

    # ---- findings -----------------------------------------------------------------------------

    def _finding(
        self, number: int, code: str, model: FindingRule, entry: Entry, formula: Formula | None
    ) -> CompiledFinding:
        scope = _Names(self, model.each)
        emitter = Emitter(scope, self.constants, in_condition=True)
        test: ast.expr = py.FALSE
        if formula is not None:
            test = emitter.exactly_true(formula.node)
            self._report(emitter, formula)
        raised = f"f_{code}"
        mark = py.assign(raised, py.TRUE)
        note = ast.Expr(
            ast.Call(
                ast.Attribute(py.load("found"), "append", ast.Load()),
                [
                    py.tuple_of(
                        [ast.Constant(number), py.load("row_number") if model.each else py.NONE]
                    )
                ],
                [],
            )
        )
        self.body.append(py.assign(raised, py.FALSE))
        if model.each is None:
            self.body.append(py.when(test, [mark, note]))
        else:
            self._finding_loop(model.each, scope, test, [mark, note])
        self.finding_names[code] = (raised, model.each)
        reads = dict(scope.reads)
        message = self._message(model, entry)
        return CompiledFinding(
            code,
            model.severity,
            model.each,
            model.label or _title(code),
            message,
            model.remedy,
            self._finding_fields(model, entry),
            model.source or "",
            tuple(reads.values()),
        )

    def _finding_loop(
        self, table: str, scope: _Names, test: ast.expr, then: list[ast.stmt]
    ) -> None:
        rows = py.load(_variable("n_", table))
        sources = list(dict.fromkeys(scope.row_reads.values()))
        lists = [rows, *[py.load(name) for name in sources]]
        count: ast.stmt = ast.AugAssign(
            ast.Name("row_number", ast.Store()), ast.Add(), ast.Constant(1)
        )
        loop = py.for_each(
            ["_", *[f"r_{name}" for name in sources]], lists, [count, py.when(test, then)]
        )
        self.body.append(
            py.when(py.is_not_none(rows), [py.assign("row_number", ast.Constant(-1)), loop])
        )

    def _message(self, model: FindingRule, entry: Entry) -> tuple[str | Placeholder, ...]:
        parts, faults = parse_message(model.message)
        checked: list[str | Placeholder] = []
        place = entry.at("message")
        for fault in faults:
            self._problem(Fault("E215", fault, "", "Write {name} or {name:words}.", 0, 0), place)
        for part in parts:
            if isinstance(part, str):
                checked.append(part)
                continue
            address = self._placeholder_address(part, model.each)
            if address is None:
                near = nearest(part.text, [*self.declared.kinds])
                self._problem(
                    Fault(
                        "E215",
                        f"the message names '{part.text}', which is nothing here",
                        "A message may show inputs, parameters, values, row.<column>, "
                        "given(x) and calculated(x).",
                        f"Did you mean '{near}'?" if near else "Correct the name.",
                        0,
                        0,
                    ),
                    place,
                )
                continue
            checked.append(Placeholder(part.text, part.words, address, part.in_row))
        return tuple(checked)

    def _placeholder_address(self, part: Placeholder, table: str | None) -> str | None:
        text, prefix = part.text, ""
        for which in ("given", "calculated"):
            if text.startswith(f"{which}(") and text.endswith(")"):
                text, prefix = text[len(which) + 1 : -1].strip(), f"{which} "
        if text.startswith("row."):
            text = f"{table}.{text[4:]}"
            if text == f"{table}.id":
                return f"id {table}"
        elif "." in text:
            return None
        if text not in self.declared.kinds:
            return None
        address = prefix + text
        return address if not prefix or address in self.slots else None

    def _finding_fields(self, model: FindingRule, entry: Entry) -> tuple[str, ...]:
        for number, name in enumerate(model.fields):
            if not self._is_field(name):
                near = nearest(name, [*self.declared.kinds, *self.declared.tables])
                self._problem(
                    Fault(
                        "E203",
                        f"unknown field '{name}'",
                        "Fields are names of the set or paths of the contract.",
                        f"Did you mean '{near}'?" if near else "Correct the name.",
                        0,
                        0,
                    ),
                    entry.at("fields").under(number),
                )
        return model.fields

    def _is_field(self, name: str) -> bool:
        """Whether a finding may point at a name: a name of the set, a contract path, a column."""
        if name in self.declared.kinds or name in self.declared.tables:
            return True
        table, _, column = name.partition(".")
        if table in self.declared.tables and column:
            row = self.declared.tables[table][2].row
            return row is not None and isinstance(look_up(column, row), Leaf)
        return isinstance(look_up(name), Leaf)


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _unit_text(kind: Kind) -> str:
    """The unit as the trace writes it; empty for what is no number, `{...}` where the case decides."""
    if kind.type != "number":
        return ""
    if kind.display in {"as given", "area of"}:
        return ""
    return kind.display or shown(kind.unit)


def _decision_body(
    model: Decision, tests: Sequence[ast.expr], outcomes: Sequence[ast.expr], result: str, hits: str
) -> list[ast.stmt]:
    if model.hit == "first":
        otherwise: list[ast.stmt] = [py.assign(result, py.NONE), py.assign(hits, py.NONE)]
        for number in range(len(tests) - 1, -1, -1):
            then: list[ast.stmt] = [
                py.assign(result, outcomes[number]),
                py.assign(hits, ast.Constant(number)),
            ]
            test = tests[number]
            if isinstance(test, ast.Constant) and test.value is True:
                otherwise = then
            else:
                otherwise = [py.when(test, then, otherwise)]
        return otherwise
    body: list[ast.stmt] = [py.assign(hits, ast.List([], ast.Load()))]
    body += [
        py.when(test, [py.append(hits, ast.Constant(number))]) for number, test in enumerate(tests)
    ]
    return body


class _Names:
    """The scope of one expression; notes which addresses it reads, and which columns of the row."""

    def __init__(self, emission: Emission, table: str | None) -> None:
        self.emission = emission
        self.declared = emission.declared
        self.table = table
        self.reads: dict[str, str] = {}
        self.row_reads: dict[str, str] = {}

    def scalar(self, name: str) -> Symbol | None:
        kind = self.declared.kinds.get(name)
        if kind is None or "." in name:
            return None
        self.reads[name] = name
        code = py.load(AS_OF) if name == AS_OF else py.load(_variable("v_", name))
        return Symbol(name, kind, code)

    def column(self, table: str, column: str) -> Symbol | None:
        address = f"{table}.{column}"
        kind = self.declared.kinds.get(address)
        if kind is None:
            return None
        self.reads[address] = address
        return Symbol(address, kind.of_many(), py.load(_variable("v_", address)))

    def row(self, column: str) -> Symbol | None:
        address = f"{self.table}.{column}"
        if column == "id" and self.table and address not in self.declared.kinds:
            name = _variable("n_", self.table)
            self.row_reads[address] = name
            return Symbol(address, TEXT, py.load(f"r_{name}"), may_be_null=False)
        kind = self.declared.kinds.get(address) if self.table else None
        if kind is None:
            return None
        self.reads[f"row.{column}"] = address
        name = _variable("v_", address)
        self.row_reads[address] = name
        return Symbol(address, kind, py.load(f"r_{name}"))

    def given(self, address: str) -> Symbol | None:
        return self._figure("given", "g_", address)

    def calculated(self, address: str) -> Symbol | None:
        return self._figure("calculated", "k_", address)

    def _figure(self, which: str, prefix: str, address: str) -> Symbol | None:
        in_row = address.startswith("row.")
        full = f"{self.table}.{address[4:]}" if in_row else address
        if full not in self.declared.givens:
            return None
        kind = self.declared.kinds[full]
        self.reads[f"{which}({address})"] = f"{which} {full}"
        name = _variable(prefix, full)
        if in_row:
            self.row_reads[f"{which} {full}"] = name
            return Symbol(full, kind, py.load(f"r_{name}"))
        if "." in full:
            return Symbol(full, kind.of_many(), py.load(name))
        return Symbol(full, kind, py.load(name))

    def rows(self, table: str, columns: frozenset[str]) -> Symbol | None:
        if table not in self.declared.tables:
            return None
        names = [
            column
            for column in sorted(self.declared.columns[table])
            if column in columns or not columns
        ]
        self.reads[table] = table
        lists = py.tuple_of([py.load(_variable("v_", f"{table}.{name}")) for name in names])
        code = py.call(
            "contexts",
            py.load(_variable("n_", table)),
            py.tuple_of([ast.Constant(name) for name in names]),
            lists,
        )
        return Symbol(table, Kind("context", many=True), code)

    def raised(self, code: str) -> Symbol | None:
        if code not in self.emission.finding_names:
            return None
        name, _ = self.emission.finding_names[code]
        return Symbol(code, BOOLEAN, py.load(name), may_be_null=False)

    def spellings(self) -> Iterable[str]:
        yield from self.declared.kinds
        yield from self.declared.tables
        if self.table:
            yield from (f"row.{column}" for column in self.declared.columns[self.table])

    def factor(self, unit: str, target: str) -> Fraction | None:
        left, right = (
            self.declared.registry.fixed_unit(unit),
            self.declared.registry.fixed_unit(target),
        )
        if isinstance(left, UnitProblem) or isinstance(right, UnitProblem):
            return None
        if left.dimension != right.dimension:
            return None
        return left.worth / right.worth
