"""A compiled rule set as the decision graph that an author would draw for zen-engine.

Parameters are constants of the first expression node, scalar values stand in further ones in the
order of computing, each table's columns in one that loops over its rows, decisions in decision
tables, and the conditions of all findings in the last expression node. The same set is also
written as one single expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bench.zen_expressions import NoZenForm, Translation, Zen, quoted, rounded
from contracts.quantities import plain
from contracts.ruleset import Decision, FindingRule
from engine.feel import nodes
from engine.feel.parser import parse_expression, parse_unary_tests
from engine.figures import Figures
from engine.rounding import parse_rounding
from engine.rules.compiled import CompiledFinding, CompiledRuleSet, Step
from engine.rules.expressions import OWN_FUNCTIONS, as_condition

REQUEST = "Request"


@dataclass(frozen=True, slots=True)
class ZenForm:
    """A rule set for zen-engine: as a decision graph (JDM), and as one expression.

    `left_out` says of each figure and finding that ZEN cannot compute why it cannot.
    """

    graph: Mapping[str, Any]
    expression: str
    steps: tuple[Step, ...]
    findings: tuple[CompiledFinding, ...]
    left_out: Mapping[str, str]


def zen_form(figures: Figures) -> ZenForm:
    """The rule set of a run for zen-engine, what ZEN cannot say left out.

    The run's parameters are constants of the set, as they are in its files.
    """
    parameters = {name: used.value for name, used in figures.parameters.items()}
    return _Author(figures.compiled, parameters).write()


@dataclass(slots=True)
class _Author:
    """Parses the set's texts once more and writes both forms."""

    compiled: CompiledRuleSet
    parameters: Mapping[str, Decimal | None]
    formulas: dict[str, nodes.Node] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    conditions: dict[str, nodes.Node] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def write(self) -> ZenForm:
        self._parse()
        self._leave_out()
        steps = tuple(step for step in self.compiled.steps if step.address not in self.left_out)
        findings = tuple(
            finding for finding in self.compiled.findings if finding.code not in self.left_out
        )
        phases = tuple(_phases(steps))
        return ZenForm(
            _Graph(self, phases, findings).written(),
            _Single(self, phases, findings).written(),
            steps,
            findings,
            self.left_out,
        )

    @property
    def tables(self) -> frozenset[str]:
        return self.compiled.plan_tables

    @property
    def names(self) -> frozenset[str]:
        scalars = frozenset(name for name in self.compiled.kinds if "." not in name)
        return scalars | self.tables | OWN_FUNCTIONS | {"row"}

    def constants(self) -> dict[str, str]:
        """The parameters that have a value, as ZEN literals."""
        return {name: plain(value) for name, value in self.parameters.items() if value is not None}

    def always_known(self, table: str) -> bool:
        """Whether a table that the case does not give is empty."""
        return any(item.absent_is_empty for item in self.compiled.plan.tables if item.name == table)

    def is_certain(self, address: str) -> bool:
        """Whether a name stands for a number other than zero in every case: nobody guards those."""
        return bool(self.parameters.get(address))

    def asks_for_calculated(self, address: str) -> bool:
        """Whether anything compares the formula's figure with the one that the case states."""
        wanted = f"calculated {address}"
        return any(wanted in finding.reads for finding in self.compiled.findings) or any(
            read == wanted for step in self.compiled.steps for _, read in step.reads
        )

    def _parse(self) -> None:
        for step in self.compiled.steps:
            if not step.is_decision:
                self.formulas[step.address] = parse_expression(step.formula, self.names)
        for name, model, _ in self.compiled.resolved.models("decisions"):
            self.decisions[name] = model
        for code, model, _ in self.compiled.resolved.models("findings"):
            assert isinstance(model, FindingRule)
            self.conditions[code] = parse_expression(model.when, self.names)

    def _leave_out(self) -> None:
        """Try everything once; what ZEN cannot say goes, and whatever needs it."""
        for step in self.compiled.steps:
            self._try(step.address, _needs(step), partial(self._say_step, step))
        for finding in self.compiled.findings:
            reads = (read.rpartition(" ")[2] for read in finding.reads)
            self._try(finding.code, reads, partial(self._say_finding, finding))

    def _try(self, name: str, needs: Iterable[str], say: Callable[[], object]) -> None:
        missing = next((need for need in needs if need in self.left_out), None)
        if missing is not None:
            self.left_out[name] = f"needs {missing}"
            return
        try:
            say()
        except NoZenForm as reason:
            self.left_out[name] = str(reason)

    def _say_step(self, step: Step) -> None:
        if step.is_decision:
            self._check_decision(step)
        else:
            self.value(step, self._trial)

    def _say_finding(self, finding: CompiledFinding) -> None:
        self._trial.condition(self.conditions[finding.code])

    @property
    def _trial(self) -> Translation:
        return Translation(_Single(self, (), ()), self.tables)

    def _check_decision(self, step: Step) -> None:
        if step.table is not None:
            raise NoZenForm("a decision in each row")
        # Of a unique table at most one row hits, so the first one is it.
        if step.hit_policy not in {"first", "unique"}:
            raise NoZenForm(f"hit policy {step.hit_policy}")
        for row in self.decisions[step.address].rows:
            if isinstance(row["then"], dict):
                raise NoZenForm("an outcome of several parts")

    def value(self, step: Step, translation: Translation) -> Zen:
        """A step's formula, rounded."""
        zen = translation.emit(self.formulas[step.address])
        rounding, _ = parse_rounding(step.rounding)
        return zen if rounding is None else rounded(zen, rounding.mode, rounding.step)

    def tests(self, step: Step, column: str, cell: Any) -> tuple[nodes.Node, ...]:
        """The unary tests of a cell, options as texts."""
        options = self.compiled.kinds[column].options
        parsed = parse_unary_tests(_cell_text(cell), self.names)
        if parsed.negated:
            raise NoZenForm(f"a negated cell in {step.address}")
        return tuple(
            nodes.Literal(test.name)
            if isinstance(test, nodes.Name) and test.name in options
            else test
            for test in parsed.tests
        )


def _cell_text(cell: Any) -> str:
    if cell is None or isinstance(cell, bool):
        return {None: "null", True: "true", False: "false"}[cell]
    return plain(Decimal(cell)) if isinstance(cell, Decimal | int) else str(cell)


def _needs(step: Step) -> Iterator[str]:
    """Addresses that must be computed before a step."""
    for _, read in step.reads:
        which, _, address = read.rpartition(" ")
        if which != "given":
            yield address


@dataclass(frozen=True, slots=True)
class _Phase:
    """Steps of one node: scalars (`table` is None), columns of one table, or one decision."""

    table: str | None
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """What an author would call the node."""
        return self.steps[0].address.replace(".", "_")


def _phases(steps: Sequence[Step]) -> Iterator[_Phase]:
    """Steps in few nodes, each after what it needs.

    A table waits until all of its columns can be computed in one loop, unless nothing else can go
    on; then scalars and decisions.
    """
    left = {step.address: step for step in steps}
    while left:
        groups: dict[str | None, tuple[Step, ...]] = {}
        for table in dict.fromkeys(step.table for step in left.values()):
            groups[table] = tuple(_computable(left, table))
        whole = [
            (table, found)
            for table, found in groups.items()
            if table is not None
            and len(found) == sum(step.table == table for step in left.values())
        ]
        decision = next(
            (
                step
                for step in left.values()
                if step.is_decision and not any(name in left for name in _needs(step))
            ),
            None,
        )
        if whole:
            phase = _Phase(*whole[0])
        elif groups.get(None):
            phase = _Phase(None, groups[None])
        elif decision is not None:
            phase = _Phase(None, (decision,))
        else:
            phase = _Phase(*max(groups.items(), key=lambda group: len(group[1])))
        assert phase.steps, "a rule set has no cycles"
        for step in phase.steps:
            del left[step.address]
        yield phase


def _computable(left: Mapping[str, Step], table: str | None) -> Iterator[Step]:
    """The steps of one group that need nothing but what is done, in the order of computing."""
    done: set[str] = set()
    for step in left.values():
        if step.table != table or step.is_decision:
            continue
        if all(name in done or name not in left for name in _needs(step)):
            done.add(step.address)
            yield step


def _known_rows(author: _Author, table: str, text: str) -> tuple[str, ...]:
    return () if author.always_known(table) else (f"{text} != null",)


# ---- the decision graph -------------------------------------------------------------------------


@dataclass(slots=True)
class _Graph:
    """Writes the decision graph node by node; also the names within the node at hand."""

    author: _Author
    phases: Sequence[_Phase]
    findings: Sequence[CompiledFinding]
    drawn: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    loop: str | None = None
    in_row: bool = False

    def scalar(self, address: str) -> str:
        if address in self.keys and self.loop is None:
            return f"$.{address}"
        # Inside a loop a name means a column; what stands outside is reached by the node before.
        return f"{self._before}.{address}" if self.loop else address

    def is_certain(self, address: str) -> bool:
        return self.author.is_certain(address)

    def own(self, column: str) -> str:
        if self.in_row:
            return f"row.{column}"
        return f"$.{column}" if column in self.keys else column

    def rows(self, table: str) -> str:
        return f"{self._before}.{table}" if self.loop else table

    def has_rows(self, table: str) -> tuple[str, ...]:
        # A loop turns a table that is not known into an empty one, so the request is asked.
        return _known_rows(self.author, table, f"$nodes.{REQUEST}.{table}")

    def raised(self, code: str) -> str:
        each = any(finding.code == code and finding.table for finding in self.findings)
        return f"some($.{code}, #)" if each else f"$.{code}"

    @property
    def _before(self) -> str:
        return f"$nodes.{self.drawn[-1]['name']}"

    def written(self) -> dict[str, Any]:
        self.drawn = [{"id": "request", "name": REQUEST, "type": "inputNode", "content": {}}]
        self._expressions("parameters", self.author.constants(), None)
        for phase in self.phases:
            if phase.steps[0].is_decision:
                self._decision_table(phase)
            else:
                self._values(phase)
        self._conditions()
        self.drawn.append(
            {"id": "response", "name": "Response", "type": "outputNode", "content": {}}
        )
        edges = [
            {
                "id": f"edge{number}",
                "type": "edge",
                "sourceId": left["id"],
                "targetId": right["id"],
            }
            for number, (left, right) in enumerate(zip(self.drawn, self.drawn[1:], strict=False))
        ]
        return {"nodes": self.drawn, "edges": edges}

    def _values(self, phase: _Phase) -> None:
        self.loop, self.keys = phase.table, set()
        translation = Translation(self, self.author.tables)
        written: dict[str, str] = {}
        for step in phase.steps:
            key = step.address.rpartition(".")[2]
            text = self.author.value(step, translation).value()
            if step.given_slot is not None:
                if self.author.asks_for_calculated(step.address):
                    written[f"calculated_{key}"] = text
                    self.keys.add(f"calculated_{key}")
                    text = f"$.calculated_{key}"
                text = f"given_{key} ?? {text}"
            written[key] = text
            self.keys.add(key)
        self._expressions(phase.name, written, phase.table)
        self.loop, self.keys = None, set()

    def _expressions(self, name: str, written: Mapping[str, str], table: str | None) -> None:
        mode = {"executionMode": "single", "inputField": None, "outputPath": None}
        if table is not None:
            field_ = table if self.author.always_known(table) else f"{table} ?? []"
            mode = {"executionMode": "loop", "inputField": field_, "outputPath": table}
        self.drawn.append(
            {
                "id": name,
                "name": name,
                "type": "expressionNode",
                "content": {
                    "expressions": [
                        {"id": f"{name}.{key}", "key": key, "value": text}
                        for key, text in written.items()
                    ],
                    "passThrough": True,
                    **mode,
                },
            }
        )

    def _decision_table(self, phase: _Phase) -> None:
        (step,) = phase.steps
        model = self.author.decisions[step.address]
        columns = list(dict.fromkeys(key for row in model.rows for key in row if key != "then"))
        rules = []
        for number, row in enumerate(model.rows):
            rule = {"_id": f"row{number}", "then": _outcome(row["then"])}
            for column in columns:
                tests = self.author.tests(step, column, row[column]) if column in row else ()
                rule[column] = ", ".join(map(self._cell, tests))
            rules.append(rule)
        self.drawn.append(
            {
                "id": step.address,
                "name": step.address,
                "type": "decisionTableNode",
                "content": {
                    "hitPolicy": "first",
                    "inputs": [{"id": name, "name": name, "field": name} for name in columns],
                    "outputs": [{"id": "then", "name": step.label, "field": step.address}],
                    "rules": rules,
                    "passThrough": True,
                    "executionMode": "single",
                    "inputField": None,
                    "outputPath": None,
                },
            }
        )

    def _cell(self, test: nodes.Node) -> str:
        translation = Translation(self, self.author.tables)
        if isinstance(test, nodes.Comparator):
            operator = {"=": "=="}.get(test.operator, test.operator)
            return f"{operator} {translation.emit(test.operand).text}"
        if isinstance(test, nodes.RangeOf) and test.low is not None and test.high is not None:
            low, high = translation.emit(test.low).text, translation.emit(test.high).text
            return (
                f"{'[' if test.low_closed else '('}{low}..{high}{']' if test.high_closed else ')'}"
            )
        return translation.emit(test).text

    def _conditions(self) -> None:
        translation = Translation(self, self.author.tables)
        written: dict[str, str] = {}
        for finding in self.findings:
            self.in_row = finding.table is not None
            text = translation.condition(self.author.conditions[finding.code])
            written[finding.code] = _for_each_row(self, finding, text)
        self.in_row = False
        self._expressions("findings", written, None)


def _for_each_row(names: _Graph | _Single, finding: CompiledFinding, text: str) -> str:
    """A finding's condition; for one of each row a list of them."""
    if finding.table is None:
        return text
    listed = Zen(f"map({names.rows(finding.table)} as row, {text})", names.has_rows(finding.table))
    return f"({listed.test()} ? {listed.text} : [])" if listed.guards else listed.text


def _outcome(then: Any) -> str:
    if then is None or isinstance(then, bool | Decimal | int):
        return _cell_text(then)
    return quoted(str(then))


# ---- one expression -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Single:
    """Writes the set as one expression of assignments; also the names within it."""

    author: _Author
    phases: Sequence[_Phase]
    findings: Sequence[CompiledFinding]
    columns: set[str] = field(default_factory=set)

    def scalar(self, address: str) -> str:
        return address

    def is_certain(self, address: str) -> bool:
        return self.author.is_certain(address)

    def own(self, column: str) -> str:
        return f"own_{column}" if column in self.columns else f"row.{column}"

    def rows(self, table: str) -> str:
        return table

    def has_rows(self, table: str) -> tuple[str, ...]:
        return _known_rows(self.author, table, table)

    def raised(self, code: str) -> str:
        each = any(finding.code == code and finding.table for finding in self.findings)
        return f"some({code}, #)" if each else code

    def written(self) -> str:
        translation = Translation(self, self.author.tables)
        lines = [f"{name} = {value}" for name, value in self.author.constants().items()]
        results: dict[str, str] = {}
        for phase in self.phases:
            if phase.table is not None:
                lines.append(f"{phase.table} = {self._rows(phase, phase.table)}")
                results[phase.table] = phase.table
                continue
            for step in phase.steps:
                lines += self._scalar(step, translation)
                results[step.address] = step.address
                if step.given_slot is not None and self.author.asks_for_calculated(step.address):
                    results[f"calculated_{step.address}"] = f"calculated_{step.address}"
        for finding in self.findings:
            text = translation.condition(self.author.conditions[finding.code])
            lines.append(f"{finding.code} = {_for_each_row(self, finding, text)}")
            results[finding.code] = finding.code
        returned = ", ".join(f"{key}: {text}" for key, text in results.items())
        return ";\n".join([*lines, f"{{{returned}}}"])

    def _scalar(self, step: Step, translation: Translation) -> Iterator[str]:
        if step.is_decision:
            yield f"{step.address} = {self._decision(step, translation)}"
            return
        text = self.author.value(step, translation).value()
        if step.given_slot is not None:
            if self.author.asks_for_calculated(step.address):
                yield f"calculated_{step.address} = {text}"
                text = f"calculated_{step.address}"
            text = f"given_{step.address} ?? {text}"
        yield f"{step.address} = {text}"

    def _rows(self, phase: _Phase, table: str) -> str:
        self.columns = set()
        translation = Translation(self, self.author.tables)
        lines: list[str] = []
        for step in phase.steps:
            column = step.address.rpartition(".")[2]
            text = self.author.value(step, translation).value()
            if step.given_slot is not None:
                if self.author.asks_for_calculated(step.address):
                    lines.append(f"own_calculated_{column} = {text}")
                    self.columns.add(f"calculated_{column}")
                    text = f"own_calculated_{column}"
                text = f"row.given_{column} ?? {text}"
            lines.append(f"own_{column} = {text}")
            self.columns.add(column)
        added = ", ".join(f"{column}: own_{column}" for column in sorted(self.columns))
        self.columns = set()
        body = "; ".join([*lines, f"merge([row, {{{added}}}])"])
        guards = self.has_rows(table)
        return Zen(f"map({table} as row, ({body}))", guards).value()

    def _decision(self, step: Step, translation: Translation) -> str:
        text = "null"
        for row in reversed(self.author.decisions[step.address].rows):
            parts = []
            for column, cell in row.items():
                tests = () if column == "then" else self.author.tests(step, column, cell)
                conditions = [as_condition(test, nodes.Name(column)) for test in tests]
                alternatives = [
                    translation.condition(condition)
                    for condition in conditions
                    if condition is not None
                ]
                if alternatives:
                    parts.append(f"({' or '.join(alternatives)})")
            outcome = _outcome(row["then"])
            text = f"({' and '.join(parts)} ? {outcome} : {text})" if parts else outcome
        return text


# ---- a case in, figures out ---------------------------------------------------------------------


def request(figures: Figures) -> dict[str, Any]:
    """The facts of a run as zen-engine takes them; what is not known is left out.

    Days are milliseconds since 1970, which ZEN compares as numbers.
    """
    plan = figures.compiled.plan
    found: dict[str, Any] = {}
    for key, address in _named(figures, (fact.address for fact in plan.scalars)):
        value = figures.raw(address)
        if value is not None:
            found[key] = _plain(value)
    for table in plan.tables:
        ids = figures.facts.rows[table.name]
        if ids is None:
            continue
        columns = _named(figures, (fact.address for fact in table.columns))
        found[table.name] = [
            {
                "id": row_id,
                **{
                    key.rpartition(".")[2]: _plain(value)
                    for key, address in columns
                    if (value := figures.raw(address, number)) is not None
                },
            }
            for number, row_id in enumerate(ids)
        ]
    return found


def _named(figures: Figures, addresses: Iterable[str]) -> list[tuple[str, str]]:
    """Keys of a request, and the address of each; figures that the case states are `given_...`."""
    result = []
    for address in addresses:
        step = figures.compiled.steps_by_address.get(address)
        if step is None:
            result.append((address, address))
        else:
            table, _, column = address.rpartition(".")
            result.append((f"{table}.given_{column}".lstrip("."), f"given {address}"))
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()) * 1_000
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def disagreements(
    form: ZenForm,
    result: Mapping[str, Any],
    figures: Figures,
    raised: Sequence[tuple[int, int | None]],
) -> list[str]:
    """Where zen-engine's result is not ours; numbers may differ by the noise of binary floats."""
    wrong = []
    for step in form.steps:
        if step.table is None:
            pairs = [(step.address, figures.raw(step.address), result.get(step.address))]
        else:
            column = step.address.rpartition(".")[2]
            pairs = [
                (
                    f"{step.address} of {row_id}",
                    figures.raw(step.address, number),
                    result[step.table][number].get(column),
                )
                for number, row_id in enumerate(figures.rows_of(step.table))
            ]
        wrong += [
            f"{name}: {ours}, zen {theirs}" for name, ours, theirs in pairs if _differ(ours, theirs)
        ]
    numbers = {finding.code: number for number, finding in enumerate(figures.compiled.findings)}
    for finding in form.findings:
        rows = [row for number, row in raised if number == numbers[finding.code]]
        theirs = result[finding.code]
        hits = [row for row, hit in enumerate(theirs) if hit] if finding.table else [None] * theirs
        if rows != hits:
            wrong.append(f"{finding.code}: {rows}, zen {theirs}")
    return wrong


def _differ(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Decimal) and isinstance(theirs, int | float):
        return abs(float(ours) - theirs) > 1e-9 * max(1.0, abs(theirs))
    return bool(ours != theirs)
