"""A rule set's function, written statement by statement as Python syntax."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from contracts.problems import nearest
from contracts.ruleset import Decision, FindingRule, Value
from engine.rounding import Rounding
from engine.rules import python_syntax as py
from engine.rules import runtime
from engine.rules.compiled import CompiledFinding, Step, label_of
from engine.rules.contract_paths import Leaf, NoSuchPath, look_up
from engine.rules.declarations import AS_OF, Declarations, Formula, Node
from engine.rules.expressions import Emitted, Emitter, Fault, Symbol, raised_in
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
from engine.rules.trace_writing import SCOPE as TRACE_SCOPE
from engine.rules.trace_writing import TraceWriter, hit_text, variable
from engine.units.registry import UnitProblem


@dataclass(slots=True)
class _Loop:
    """A walk over the rows of a table, being filled with statements."""

    table: str
    before: list[ast.stmt] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)
    results: dict[str, None] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)


class Emission:
    """One run function being written."""

    def __init__(self, declared: Declarations, *, traced: bool) -> None:
        self.declared = declared
        self.constants: dict[str, Any] = {}
        self.body: list[ast.stmt] = []
        self.slots: dict[str, int] = {}
        self.slot_code: list[ast.expr] = []
        self.raised: dict[str, str] = {}
        self.asking = False
        self.trace = TraceWriter(self) if traced else None
        self._loop: _Loop | None = None
        self._noted: set[str] = set()

    def emit(
        self,
        order: Sequence[Node],
        findings: Mapping[str, tuple[FindingRule, Entry, Formula | None]],
        finding_order: Sequence[str],
        asked: frozenset[str],
    ) -> tuple[Callable[..., Any], dict[str, int], tuple[Step, ...], tuple[CompiledFinding, ...]]:
        """The function, where its results are, and what its steps and findings mean."""
        self._load_facts()
        steps = tuple(self._node(node) for node in order)
        self.add(py.assign("found", ast.List([], ast.Load())))
        self.asking = True
        compiled = {}
        for number, code in _grouped(finding_order, findings):
            compiled[number] = self._finding(number, code, *findings[code], asked=code in asked)
        results = [py.tuple_of(self.slot_code), py.load("found")]
        if self.trace is not None:
            results.append(py.call("tuple", py.load("trace")))
        self.add(ast.Return(py.tuple_of(results)))
        run: Any = types.FunctionType
        if not self.declared.problems:
            scope = {**runtime.SCOPE, **TRACE_SCOPE, **self.constants}
            run = py.function(self.declared.resolved.id, self._parameters(), self.body, scope)
        return run, self.slots, steps, tuple(compiled[number] for number in sorted(compiled))

    def _parameters(self) -> list[str]:
        parameters = ["inputs", "parameters", AS_OF, "rows"]
        if self.trace is not None:
            parameters += ["units", "conversions", "named_parameters"]
        return parameters

    def _unpack(self, names: Sequence[str], source: str) -> None:
        if names:
            self.add(py.unpack(names, py.load(source)))

    # ---- statements ---------------------------------------------------------------------------

    def add(self, *statements: ast.stmt) -> None:
        """Statements of the whole set, behind the rows that are being walked."""
        self._end_loop()
        self.body.extend(statements)

    def walk_rows(
        self,
        table: str,
        sources: Iterable[str],
        body: Sequence[ast.stmt],
        results: Sequence[str] = (),
        whole_columns: Iterable[str] = (),
        before: Sequence[ast.stmt] = (),
    ) -> None:
        """Run statements for each row of a table, in one loop with those that stand before.

        Args:
            table: whose rows.
            sources: lists walked beside the rows; their items are `r_` variables.
            body: statements of one row.
            results: lists that the body's `r_` variables are collected in, None where the table
                is not known.
            whole_columns: lists that the body needs complete.
            before: statements to stand before the loop.
        """
        if self._loop is not None and (
            self._loop.table != table or not self._loop.results.keys().isdisjoint(whole_columns)
        ):
            self._end_loop()
        if self._loop is None:
            self._loop = _Loop(table)
        loop = self._loop
        loop.before += before
        loop.sources |= {name: None for name in sources if name not in loop.results}
        loop.body += body
        loop.results |= dict.fromkeys(results)
        loop.noted |= self._noted
        self._noted = set()

    def in_same_loop(self, name: str) -> bool:
        """Whether a row variable was set by the loop that is being written."""
        return self._loop is not None and name in self._loop.noted

    def note_in_loop(self, name: str) -> None:
        """Remember a row variable that the loop about to be written sets."""
        self._noted.add(name)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self.body += loop.before
        rows = py.load(variable("n_", loop.table))
        known: list[ast.stmt] = [py.assign(name, ast.List([], ast.Load())) for name in loop.results]
        inner = [*loop.body, *[py.append(name, py.load(f"r_{name}")) for name in loop.results]]
        targets = [f"r_{name}" for name in loop.sources] or ["_"]
        lists = [py.load(name) for name in loop.sources] or [rows]
        known.append(py.for_each(targets, lists, inner))
        unknown = [py.assign(name, py.NONE) for name in loop.results]
        self.body.append(py.when(py.is_none(rows), unknown or [ast.Pass()], known))

    def constant(self, value: Any) -> ast.expr:
        """A value that Python's own syntax cannot hold."""
        return Emitter(_Names(self, None), self.constants).constant(value)

    def slot(self, address: str, code: ast.expr) -> int:
        """Give a result its place in the tuple that comes back."""
        self.slots[address] = len(self.slot_code)
        self.slot_code.append(code)
        return self.slots[address]

    def _load_facts(self) -> None:
        """Unpack facts and parameters into variables."""
        plan = self.declared.plan()
        facts = [*plan.scalars, *(fact for table in plan.tables for fact in table.columns)]
        names = []
        for fact in facts:
            given = self.declared.givens.get(fact.address) is fact
            names.append(variable("g_" if given else "v_", fact.address))
            self.slot(f"given {fact.address}" if given else fact.address, py.load(names[-1]))
        self._unpack(names, "inputs")
        self._unpack([variable("n_", table.name) for table in plan.tables], "rows")
        names = [variable("v_", parameter.name) for parameter in self.declared.parameters]
        for parameter, name in zip(self.declared.parameters, names, strict=True):
            self.slot(parameter.name, py.load(name))
        self._unpack(names, "parameters")
        with_findings = {model.each for _, model, _ in self.declared.resolved.models("findings")}
        for table in plan.tables:
            if table.name in with_findings:
                rows = py.load(variable("n_", table.name))
                self.add(py.assign(variable("i_", table.name), py.call("numbers", rows)))
        self.slot(AS_OF, py.load(AS_OF))
        if self.trace is not None:
            write = ast.Attribute(py.load("trace"), "append", ast.Load())
            self.add(
                py.assign("trace", ast.List([], ast.Load())),
                py.assign("write", write),
            )
            for address, fact in sorted(self.declared.facts.items()):
                if fact.as_given is not None:
                    known = ast.Call(
                        ast.Attribute(py.load("units"), "get", ast.Load()),
                        [ast.Constant(address)],
                        [],
                    )
                    self.add(py.assign(variable("w_", address), known))

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
            if emitted.kind.type == "any" and not node.kind.is_open:
                # What the general evaluator gives may be anything.
                taken = py.call(f"as_{node.kind.type}", emitted.value())
                emitted = emitter.bound(node.kind, taken)
        result = variable("v_", node.address)
        unrounded = variable("u_", node.address) if self.trace and node.rounding else None
        calculated = variable("k_", node.address) if node.given else None
        prefix = "r_" if node.table else ""
        body = self._value_body(node, emitted, prefix, unrounded, calculated)
        sources = set(scope.row_reads.values())
        if node.given:
            sources.add(variable("g_", node.address))
        before: list[ast.stmt] = []
        if self.trace is not None:
            formula = ast.Constant(model.formula or "null")
            traced = unrounded or calculated or result
            before, behind, lists = self._write_entry(
                node,
                scope,
                formula,
                py.load(prefix + traced),
                node.rounding.text if node.rounding else "none",
                py.load(prefix + variable("g_", node.address)) if node.given else py.NONE,
            )
            body += behind
            sources |= lists
        results = [name for name in (result, unrounded, calculated) if name]
        self._place(node, scope, before, body, sorted(sources), results)
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
        result = prefix + variable("v_", node.address)
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
            given = py.load(prefix + variable("g_", node.address))
            body.append(py.assign(inner[calculated], code))
            code = py.choose(py.is_none(given), py.load(inner[calculated]), given)
        body.append(py.assign(result, code))
        return body

    def _rounded(self, rounding: Rounding, code: ast.expr) -> ast.expr:
        name = f"round_{rounding.mode}_{str(rounding.step).replace('.', '_').replace('-', '_')}"
        self.constants.setdefault(name, rounding.function())
        return py.call(name, code)

    def _place(
        self,
        node: Node,
        scope: _Names,
        before: Sequence[ast.stmt],
        body: Sequence[ast.stmt],
        sources: Sequence[str],
        results: Sequence[str],
    ) -> None:
        """Put the statements of a value or decision where they belong."""
        if node.table is None:
            self.add(*before, *body)
            return
        if self.trace is not None:
            results = [*results, variable("m_", node.address)]
        self.walk_rows(node.table, sources, body, results, scope.whole_columns(), before)

    def _write_entry(
        self,
        node: Node,
        scope: _Names,
        formula: ast.expr,
        unrounded: ast.expr,
        rounding: str | None,
        given: ast.expr,
    ) -> tuple[list[ast.stmt], list[ast.stmt], set[str]]:
        assert self.trace is not None
        if node.table is not None:
            # Whether a row's inputs are named already depends on the loop they would stand in.
            self.walk_rows(node.table, (), (), (), scope.whole_columns())
        section = "decisions" if isinstance(node.model, Decision) else "values"
        return self.trace.entry(
            node.address,
            node.table,
            node.kind,
            scope.reads,
            rule=f"{self.declared.resolved.reference}/{section}/{node.address}",
            source=node.model.source or "",
            formula=formula,
            unrounded=unrounded,
            rounding=rounding,
            given=given,
        )

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
                    f"the formula yields {shown(got.unit)}, '{node.address}' is in {shown(want.unit)}",
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
        for row in node.tests:
            parts = []
            for _, condition, formula in row:
                parts.append(emitter.exactly_true(condition))
                self._report(emitter, formula)
            tests.append(py.both(parts))
        result, hits = variable("v_", node.address), variable("h_", node.address)
        prefix = "r_" if node.table else ""
        outcomes = [self._outcome(value) for value in node.outcomes]
        body = _decision_body(model, tests, outcomes, prefix + result, prefix + hits)
        if model.hit != "first":
            decide = f"decide_{len(self.constants)}"
            self.constants[decide] = runtime.decider(
                model.hit, model.aggregate, tuple(node.outcomes), model.one_of or ()
            )
            body.append(py.assign(prefix + result, py.call(decide, py.load(prefix + hits))))
        sources = set(scope.row_reads.values())
        before: list[ast.stmt] = []
        if self.trace is not None:
            texts = tuple(
                hit_text(model.hit, len(model.rows), number) for number in range(len(model.rows))
            )
            text = py.call(
                "hit_text",
                ast.Constant(model.hit),
                ast.Constant(len(model.rows)),
                py.load(prefix + hits),
            )
            if model.hit == "first":
                none = ast.Constant(hit_text(model.hit, len(model.rows), None))
                hit = py.load(prefix + hits)
                found = ast.Subscript(self.constant(texts), hit, ast.Load())
                text = py.choose(py.is_none(hit), none, found)
            before, behind, lists = self._write_entry(node, scope, text, py.NONE, None, py.NONE)
            body += behind
            sources |= lists
        self._place(node, scope, before, body, sorted(sources), [result, hits])
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
            outcomes=tuple(node.outcomes),
        )

    def _outcome(self, value: Any) -> ast.expr:
        if value is None or isinstance(value, bool | str):
            return ast.Constant(value)
        return self.constant(value)

    # ---- findings -----------------------------------------------------------------------------

    def _finding(
        self,
        number: int,
        code: str,
        model: FindingRule,
        entry: Entry,
        formula: Formula | None,
        *,
        asked: bool,
    ) -> CompiledFinding:
        scope = _Names(self, model.each)
        emitter = Emitter(scope, self.constants, in_condition=True)
        test: ast.expr = py.FALSE
        if formula is not None:
            if any(raised_in(formula.node)):
                self.add()
            test = emitter.exactly_true(formula.node)
            self._report(emitter, formula)
        raised = f"f_{code}"
        before = [py.assign(raised, py.FALSE)] if asked else []
        mark = [py.assign(raised, py.TRUE)] if asked else []
        count = variable("i_", model.each or "")
        row = py.load(f"r_{count}") if model.each else py.NONE
        note = py.append("found", py.tuple_of([ast.Constant(number), row]))
        body = py.when(test, [*mark, note])
        if model.each is None:
            self.add(*before, body)
        else:
            sources = sorted({*scope.row_reads.values(), count})
            self.walk_rows(model.each, sources, [body], (), scope.whole_columns(), before)
        self.raised[code] = raised
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

    def _message(self, model: FindingRule, entry: Entry) -> tuple[str | Placeholder, ...]:
        parts, faults = parse_message(model.message)
        checked: list[str | Placeholder] = []
        place = entry.at("message")
        for brace in faults:
            fix = "Write {name} or {name:words}."
            self._problem(Fault("E215", brace.what, "", fix, brace.start, brace.end), place)
        for part in parts:
            if isinstance(part, str):
                checked.append(part)
                continue
            address = self._placeholder_address(part, model.each)
            fault = self._placeholder_fault(part, address, model.each)
            if fault is not None or address is None:
                what, why, fix = fault or ("", "", "")
                self._problem(Fault("E215", what, why, fix, part.start, part.end), place)
                continue
            checked.append(Placeholder(part.text, part.words, address, part.in_row))
        return tuple(checked)

    def _placeholder_fault(
        self, part: Placeholder, address: str | None, table: str | None
    ) -> tuple[str, str, str] | None:
        """Why a message cannot show a figure: what, why and how to mend it."""
        if address is None:
            known = [name for name in self.declared.kinds if "." not in name]
            if table is not None:
                known += [f"row.{column}" for column in self.declared.columns[table]]
            near = nearest(part.text, known)
            return (
                f"the message names '{part.text}', which is nothing here",
                "A message shows inputs, parameters, values, row.<column>, given(x), calculated(x).",
                f"Did you mean '{near}'?" if near else "Correct the name.",
            )
        if address.startswith("id "):
            return None
        kind = self.declared.kinds[address.rpartition(" ")[2]]
        if part.words and (kind.type != "number" or kind.display == "percent"):
            return (
                f"'{part.text}' is not an amount to be put in words",
                "Only an amount is read aloud in a report.",
                f"Write {{{part.text}}}.",
            )
        if kind.many or kind.type == "context":
            return (
                f"'{part.text}' is not a single figure",
                "A message shows one figure at a time.",
                "Name a figure, or a part of it.",
            )
        return None

    def _placeholder_address(self, part: Placeholder, table: str | None) -> str | None:
        text, prefix = part.text, ""
        for which in ("given", "calculated"):
            if text.startswith(f"{which}(") and text.endswith(")"):
                text, prefix = text[len(which) + 1 : -1].strip(), f"{which} "
        if text.startswith("row."):
            if table is None:
                return None
            text = f"{table}.{text[4:]}"
            if text == f"{table}.id" and not prefix and text not in self.declared.kinds:
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
                found = look_up(name)
                if near is None and isinstance(found, NoSuchPath):
                    near = found.nearest
                self.declared.problem(
                    entry.at("fields").under(number),
                    "E203",
                    f"unknown field '{name}'",
                    "Fields are names of the set or paths of the contract.",
                    f"Did you mean '{near}'?" if near else "Correct the name.",
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


def _grouped(
    finding_order: Sequence[str], findings: Mapping[str, tuple[FindingRule, Entry, Formula | None]]
) -> list[tuple[int, str]]:
    """Findings with their numbers: those of one table together, those that follow from others last."""
    numbered = list(enumerate(finding_order))
    follows = {
        code
        for code, (_, _, formula) in findings.items()
        if formula is not None and any(raised_in(formula.node))
    }
    first = [item for item in numbered if item[1] not in follows]
    first.sort(key=lambda item: (findings[item[1]][0].each or "", item[0]))
    return first + [item for item in numbered if item[1] in follows]


def _split(read: str) -> tuple[str, str]:
    """The variable prefix and the bare address of something read: `given fmv` is `g_`, `fmv`."""
    which, _, bare = read.rpartition(" ")
    return {"": "v_", "given": "g_", "calculated": "k_"}[which], bare


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
        code = py.load(AS_OF) if name == AS_OF else py.load(variable("v_", name))
        return Symbol(name, kind, code)

    def column(self, table: str, column: str) -> Symbol | None:
        address = f"{table}.{column}"
        kind = self.declared.kinds.get(address)
        if kind is None:
            return None
        self.reads[address] = address
        return Symbol(address, kind.of_many(), py.load(variable("v_", address)))

    def row(self, column: str) -> Symbol | None:
        address = f"{self.table}.{column}"
        if column == "id" and self.table and address not in self.declared.kinds:
            name = variable("n_", self.table)
            self.row_reads[address] = name
            return Symbol(address, TEXT, py.load(f"r_{name}"), may_be_null=False)
        kind = self.declared.kinds.get(address) if self.table else None
        if kind is None:
            return None
        self.reads[f"row.{column}"] = address
        name = variable("v_", address)
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
        name = variable(prefix, full)
        if in_row:
            self.row_reads[f"{which} {full}"] = name
            return Symbol(full, kind, py.load(f"r_{name}"))
        if "." in full:
            return Symbol(full, kind.of_many(), py.load(name))
        return Symbol(full, kind, py.load(name))

    def rows(self, table: str, columns: frozenset[str]) -> Symbol | None:
        if table not in self.declared.tables:
            return None
        names = [column for column in sorted(self.declared.columns[table]) if column in columns]
        self.reads |= {f"{table}.{name}": f"{table}.{name}" for name in names}
        if not names:
            self.reads[table] = table
        lists = py.tuple_of([py.load(variable("v_", f"{table}.{name}")) for name in names])
        code = py.call(
            "contexts",
            py.load(variable("n_", table)),
            py.tuple_of([ast.Constant(name) for name in names]),
            lists,
        )
        return Symbol(table, Kind("context", many=True), code)

    def raised(self, code: str) -> Symbol | None:
        name = self.emission.raised.get(code)
        if name is not None:
            return Symbol(code, BOOLEAN, py.load(name), may_be_null=False)
        if not self.emission.asking or code not in self.codes():
            return None
        # It follows from itself, or is at fault: that has been said.
        return Symbol(code, BOOLEAN, py.FALSE, may_be_null=False)

    def codes(self) -> Iterable[str]:
        return self.declared.resolved.sections["findings"]

    def whole_columns(self) -> set[str]:
        """The lists that the expression reads as a whole."""
        columns: set[str] = set()
        for name, read in self.reads.items():
            prefix, bare = _split(read)
            if "." in bare and "row." not in name:
                columns.add(variable(prefix, bare))
        return columns

    def spellings(self) -> Iterable[str]:
        yield from self.declared.kinds
        yield from self.declared.tables
        if self.table:
            yield from (f"row.{column}" for column in self.declared.columns[self.table])

    def columns_of(self, table: str) -> Iterable[str]:
        if table not in self.declared.tables:
            return ()
        head = f"{table}."
        columns = [name.removeprefix(head) for name in self.declared.kinds if name.startswith(head)]
        return (*columns, "id")

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
