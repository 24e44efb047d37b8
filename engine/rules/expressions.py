"""From a FEEL expression of a rule set to checked Python syntax.

One walk over the syntax tree finds the kind and unit of every part, reports what does not fit, and
builds the Python expression that computes it. Null (not known) is carried as guards: tests under
which the result is null, asked before the arithmetic, so that a chain of operations asks once.

What the rule language seldom needs (`for`, `some`, filters, most built-in functions) is left to
the general FEEL evaluator, called with the names that the expression reads.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from engine.feel import nodes
from engine.feel.built_ins import BUILT_INS
from engine.feel.parser import children
from engine.rules import python_syntax as py
from engine.rules.kinds import (
    ANY,
    BOOLEAN,
    DATE,
    NULL,
    NUMBER,
    TEXT,
    Kind,
    Unit,
    same_unit,
    shown,
    times,
    unit_named,
    varies_by_row,
)
from engine.rules.runtime import FUNCTIONS as AT_RUN_TIME

_COMPARE: Mapping[str, type[ast.cmpop]] = {
    "=": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
_ARITHMETIC: Mapping[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with an expression; `start` and `end` are offsets into its text."""

    code: str
    what: str
    why: str
    fix: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for: the address it reads, its kind, and the Python that loads it."""

    address: str
    kind: Kind
    code: ast.expr
    may_be_null: bool = True


class Scope(Protocol):
    """Names that an expression may use. Each look-up notes that the address is read."""

    def scalar(self, name: str) -> Symbol | None:
        """A parameter, input, value or decision."""

    def column(self, table: str, column: str) -> Symbol | None:
        """A whole column."""

    def row(self, column: str) -> Symbol | None:
        """A column's value in the row at hand."""

    def given(self, address: str) -> Symbol | None:
        """The figure that the case states for a value."""

    def calculated(self, address: str) -> Symbol | None:
        """The figure that a value's formula gives."""

    def rows(self, table: str, columns: frozenset[str]) -> Symbol | None:
        """A table as a list of contexts."""

    def raised(self, code: str) -> Symbol | None:
        """Whether a finding was raised; None where that cannot be asked yet."""

    def codes(self) -> Iterable[str]:
        """The codes of all findings."""

    def spellings(self) -> Iterable[str]:
        """All names there are, for the nearest spelling."""

    def columns_of(self, table: str) -> Iterable[str]:
        """The columns of a table; none for what is no table."""

    def factor(self, unit: str, target: str) -> Fraction | None:
        """What one of a fixed unit is in another."""


class _WithLocal:
    """A scope with one name more, the element that a quantifier looks at."""

    def __init__(self, outer: Scope, name: str, symbol: Symbol) -> None:
        self._outer, self._name, self._symbol = outer, name, symbol

    def scalar(self, name: str) -> Symbol | None:
        """The element, or a name of the scope around it."""
        return self._symbol if name == self._name else self._outer.scalar(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outer, name)


@dataclass(frozen=True, slots=True)
class Emitted:
    """Python for an expression: null if a guard is true, else `code`."""

    kind: Kind
    code: ast.expr
    guards: tuple[ast.expr, ...] = ()

    def value(self) -> ast.expr:
        """One Python expression, None where a guard is true."""
        if not self.guards:
            return self.code
        return self._guarded_alone() or py.choose(py.either(self.guards), py.NONE, self.code)

    def _guarded_alone(self) -> ast.expr | None:
        """A variable, or what was bound to one, if its own being null is the only guard."""
        (first, *more) = self.guards
        if more or not isinstance(self.code, ast.Name):
            return None
        if ast.dump(first) == ast.dump(py.is_none(self.code)):
            return self.code
        if isinstance(first, ast.Compare) and isinstance(first.left, ast.NamedExpr):
            bound = first.left
            if bound.target.id == self.code.id and isinstance(first.ops[0], ast.Is):
                return bound.value
        return None


NOTHING = Emitted(ANY, py.NONE)


@dataclass(slots=True)
class Emitter:
    """Checks and translates expressions within one scope; collects faults and constants."""

    scope: Scope
    constants: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)
    in_condition: bool = False
    _temporaries: int = 0

    # ---- entry points -------------------------------------------------------------------------

    def emit(self, node: nodes.Node) -> Emitted:
        """The expression's kind and Python."""
        handler = _HANDLERS.get(type(node))
        return handler(self, node) if handler else self.general(node)

    def exactly_true(self, node: nodes.Node) -> ast.expr:
        """A Python test that holds only when the expression is true, not when it is null."""
        return py.both(self._all_true(node))

    def _all_true(self, node: nodes.Node) -> list[ast.expr]:
        """Tests that hold together only when the expression is true."""
        if isinstance(node, nodes.Conjunction):
            return [*self._all_true(node.left), *self._all_true(node.right)]
        if isinstance(node, nodes.Disjunction):
            return _asked_once([self._all_true(part) for part in _alternatives(node)])
        if isinstance(node, nodes.Quantified):
            quick = self._quantified(node)
            if quick is not None:
                return [quick]
        emitted = self.emit(node)
        if not emitted.kind.is_open and emitted.kind != BOOLEAN:
            self.fault(
                "E211",
                "this is not a condition",
                node,
                f"It yields {_named(emitted.kind)}, and a condition is true or false.",
                "Compare it with something.",
            )
        positive = [py.negated(guard) for guard in emitted.guards]
        if emitted.kind.is_open:
            return [*positive, py.is_true(emitted.code)]
        return [*positive, emitted.code]

    def _quantified(self, node: nodes.Quantified) -> ast.expr | None:
        """`some` or `every` over one column, as a test; None for what is left to FEEL."""
        (iterator, *more) = node.iterators
        if more or iterator.high is not None:
            return None
        domain = self.emit(iterator.domain) if _is_column(iterator.domain) else NOTHING
        if not domain.kind.many or domain.kind.type == "context":
            return None
        self._temporaries += 1
        name = f"each{self._temporaries}"
        element = Symbol(iterator.name, domain.kind.of_one(), py.load(name))
        outer, self.scope = self.scope, _WithLocal(self.scope, iterator.name, element)
        try:
            test = self.exactly_true(node.body)
        finally:
            self.scope = outer
        walk_items = py.generator(test, name, domain.code)
        if node.quantifier == "some":
            # Of no items, none satisfies: an empty list is passed over like an unknown one.
            return py.both([domain.code, py.call("any", walk_items)])
        return py.both([py.is_not_none(domain.code), py.call("all", walk_items)])

    def check_count(self, node: nodes.Call, name: str) -> bool:
        """Whether a function is given as many arguments as it takes; a fault is noted if not."""
        fewest, most, _ = FUNCTIONS[name]
        if fewest <= len(node.arguments) <= most:
            return True
        count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        if most == MANY:
            count = f"{fewest} or more"
        word = "argument" if count == "1" else "arguments"
        self.fault(
            "E222",
            f"'{name}' takes {count} {word}, not {len(node.arguments)}",
            node,
            "",
            "Give it what it needs: docs/writing-rules.md lists the functions.",
        )
        return False

    def fault(self, code: str, what: str, node: nodes.Node, why: str, fix: str) -> Emitted:
        """Note what is wrong at a node; yields nothing known, so that the walk goes on."""
        self.faults.append(Fault(code, what, why, fix, node.start, node.end))
        return NOTHING

    # ---- names --------------------------------------------------------------------------------

    def unknown(self, name: str, node: nodes.Node) -> Emitted:
        """A fault for a name that nothing has."""
        near = difflib.get_close_matches(name, self.scope.spellings(), n=1)
        return self.fault(
            "E203",
            f"unknown name '{name}'",
            node,
            "A formula may use the set's inputs, parameters, values and decisions.",
            f"Did you mean '{near[0]}'?" if near else "Declare it, or correct its spelling.",
        )

    def loaded(self, symbol: Symbol) -> Emitted:
        """The Python of a symbol, guarded if it may be null."""
        if symbol.kind.many or not symbol.may_be_null:
            return Emitted(symbol.kind, symbol.code)
        return Emitted(symbol.kind, symbol.code, (py.is_none(symbol.code),))

    def bound(self, kind: Kind, code: ast.expr) -> Emitted:
        """A computed expression that may be null, kept in a temporary."""
        self._temporaries += 1
        name = f"x{self._temporaries}"
        return Emitted(kind, py.load(name), (py.is_none(py.bind(name, code)),))

    def constant(self, value: Any) -> ast.expr:
        """A value that Python's own syntax cannot hold, such as a Decimal."""
        for name, known in self.constants.items():
            if type(known) is type(value) and known == value and str(known) == str(value):
                return py.load(name)
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return py.load(name)

    # ---- the general evaluator ----------------------------------------------------------------

    def general(self, node: nodes.Node) -> Emitted:
        """Leave the expression to the FEEL evaluator, with what it reads.

        Columns, facts of the row and the functions that only rule sets have are computed here,
        checked like everything else, and handed over under names of their own.
        """
        handed = _Handed(self, node)
        rewritten = handed.rewritten(node, frozenset())
        key = f"feel{len(self.constants)}"
        self.constants[key] = rewritten
        call = py.call("evaluate_node", py.load(key), py.dict_of(handed.reads))
        return self.bound(_general_kind(node), call)


class _Handed:
    """What an expression left to the FEEL evaluator takes from outside, by the names it is given.

    `local` are the names that the expression itself binds: of an iteration, a function, a context.
    Inside a filter the columns of the rows are names too, and go before those of the set.
    """

    def __init__(self, emitter: Emitter, whole: nodes.Node) -> None:
        self.emitter = emitter
        self.reads: dict[str, ast.expr] = {}
        self._mentioned = frozenset(
            part.name for part in walk(whole) if isinstance(part, nodes.Path | nodes.Name)
        )

    def rewritten(self, node: nodes.Node, local: frozenset[str]) -> nodes.Node:
        """The expression with everything it reads from outside put under a name."""
        match node:
            case nodes.Name(name=name):
                self._name(node, name, local)
                return node
            case nodes.Path(operand=nodes.Name(name=owner)) if owner not in local:
                return self._path(node, owner, local)
            case nodes.Call(function=nodes.Name(name=name)):
                return self._call(node, name, local)
            case nodes.For() | nodes.Quantified():
                return self._iteration(node, local)
            case nodes.FunctionOf():
                inner = local | {name for name, _ in node.parameters}
                return replace(node, body=self.rewritten(node.body, inner))
            case nodes.ContextOf():
                entries = []
                for key, value in node.entries:
                    entries.append((key, self.rewritten(value, local)))
                    local |= {key}
                return replace(node, entries=tuple(entries))
            case nodes.Filter():
                inner = local | {"item"} | self._columns_of(node.operand)
                return replace(
                    node,
                    operand=self.rewritten(node.operand, local),
                    condition=self.rewritten(node.condition, inner),
                )
        parts = {
            name: self._part(getattr(node, name), local)
            for name in node.__dataclass_fields__
            if name not in {"start", "end"}
        }
        return replace(node, **parts)

    def _part(self, part: Any, local: frozenset[str]) -> Any:
        if isinstance(part, nodes.Node):
            return self.rewritten(part, local)
        if isinstance(part, tuple):
            return tuple(self._part(inner, local) for inner in part)
        return part

    def _iteration(
        self, node: nodes.For | nodes.Quantified, local: frozenset[str]
    ) -> nodes.For | nodes.Quantified:
        iterators = []
        for iterator in node.iterators:
            high = iterator.high
            iterators.append(
                replace(
                    iterator,
                    domain=self.rewritten(iterator.domain, local),
                    high=None if high is None else self.rewritten(high, local),
                )
            )
            local |= {iterator.name}
        body = self.rewritten(node.body, local | {"partial"})
        return replace(node, iterators=tuple(iterators), body=body)

    def _name(self, node: nodes.Name, name: str, local: frozenset[str]) -> None:
        if name in local or name == "?" or name in self.reads:
            return
        scope = self.emitter.scope
        symbol = scope.scalar(name) or scope.rows(name, self._mentioned)
        if symbol is not None:
            self.reads[name] = symbol.code
        elif name not in BUILT_INS:
            self.emitter.unknown(name, node)

    def _path(self, node: nodes.Path, owner: str, local: frozenset[str]) -> nodes.Node:
        scalar = self.emitter.scope.scalar(owner)
        if scalar is not None and (scalar.kind.many or scalar.kind.type in {"date", "any"}):
            return replace(node, operand=self.rewritten(node.operand, local))
        return self._handed_over(node, self.emitter.emit(node))

    def _call(self, node: nodes.Call, name: str, local: frozenset[str]) -> nodes.Node:
        emitter = self.emitter
        if name not in local and name not in FUNCTIONS and name not in BUILT_INS:
            near = difflib.get_close_matches(name, [*BUILT_INS, *FUNCTIONS], n=1)
            emitter.fault(
                "E203",
                f"there is no function '{name}'",
                node.function,
                "Formulas have FEEL's functions and those listed in docs/writing-rules.md.",
                f"Did you mean '{near[0]}'?" if near else "Correct its name.",
            )
        if name in CLOCK or name in _OWN:
            bound = {part.name for part in walk(node) if isinstance(part, nodes.Name)} & local
            if not bound or name in CLOCK:
                return self._handed_over(node, emitter.emit(node))
            if name not in AT_RUN_TIME:
                emitter.fault(
                    "E222",
                    f"'{name}' cannot be asked about '{min(bound)}'",
                    node,
                    "It is worked out before the list is walked.",
                    "Make a value of it, and name that value here.",
                )
                return node
            # Arguments are checked for their number only: what they are shows when they are there.
            emitter.check_count(node, name)
        arguments = tuple(self.rewritten(argument, local) for argument in node.arguments)
        return replace(node, arguments=arguments)

    def _handed_over(self, node: nodes.Node, emitted: Emitted) -> nodes.Name:
        name = f"{len(self.reads)} handed over"
        self.reads[name] = emitted.value()
        return nodes.Name(name, start=node.start, end=node.end)

    def _columns_of(self, operand: nodes.Node) -> frozenset[str]:
        """Names that an element of a filtered list may have: columns, or keys of a context."""
        names: set[str] = set()
        for part in walk(operand):
            if isinstance(part, nodes.Name):
                names.update(self.emitter.scope.columns_of(part.name))
            elif isinstance(part, nodes.ContextOf):
                names.update(key for key, _ in part.entries)
        return frozenset(names)


def _alternatives(node: nodes.Node) -> list[nodes.Node]:
    """`a or b or c` as its parts."""
    if isinstance(node, nodes.Disjunction):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _asked_once(alternatives: Sequence[list[ast.expr]]) -> list[ast.expr]:
    """Alternatives, with what all of them ask of variables asked before them, once."""
    first, *others = alternatives
    written = [{ast.dump(test) for test in other} for other in others]
    shared = {
        text
        for test in first
        if _asks_of_a_variable(test)
        if all((text := ast.dump(test)) in other for other in written)
    }
    before = {ast.dump(test): test for test in first if ast.dump(test) in shared}
    rest = [
        py.both([test for test in alternative if ast.dump(test) not in shared])
        for alternative in alternatives
    ]
    return [*before.values(), py.either(rest)]


def _asks_of_a_variable(test: ast.expr) -> bool:
    """Whether a test is cheap and binds nothing: `x is not None`, `x`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.left, ast.Name) and isinstance(test.ops[0], ast.IsNot)
    return isinstance(test, ast.Name)


def _named(kind: Kind) -> str:
    if kind.many:
        return "a list"
    if kind.type == "number":
        return "a number" if not kind.unit else f"a number in {shown(kind.unit)}"
    return {"text": "a text", "boolean": "true or false", "date": "a date"}.get(
        kind.type, "something else"
    )


def _general_kind(node: nodes.Node) -> Kind:
    if isinstance(node, nodes.Quantified | nodes.InstanceOf):
        return BOOLEAN
    if isinstance(node, nodes.Call) and isinstance(node.function, nodes.Name):
        return _YIELDS.get(node.function.name, ANY)
    return ANY


# ---- walking ------------------------------------------------------------------------------------


def walk(node: nodes.Node) -> Iterable[nodes.Node]:
    """The node and all its parts."""
    yield node
    for child in children(node):
        yield from walk(child)


def raised_in(node: nodes.Node) -> Iterable[str]:
    """The codes of the findings that an expression asks about."""
    if (
        isinstance(node, nodes.Call)
        and isinstance(node.function, nodes.Name)
        and node.function.name == "raised"
        and len(node.arguments) == 1
        and isinstance(node.arguments[0], nodes.Literal)
    ):
        yield str(node.arguments[0].value)
        return
    for child in children(node):
        yield from raised_in(child)


# ---- literals, names, paths ---------------------------------------------------------------------


def _literal(emitter: Emitter, node: nodes.Literal) -> Emitted:
    value = node.value
    if value is None:
        return Emitted(NULL, py.NONE, (py.TRUE,))
    if isinstance(value, bool):
        return Emitted(BOOLEAN, ast.Constant(value))
    if isinstance(value, Decimal):
        kind = replace(NUMBER, literal=True, zero=value.is_zero())
        return Emitted(kind, emitter.constant(value))
    if isinstance(value, str):
        return Emitted(TEXT, ast.Constant(value))
    return Emitted(DATE if type(value).__name__ == "date" else ANY, emitter.constant(value))


def _name(emitter: Emitter, node: nodes.Name) -> Emitted:
    symbol = emitter.scope.scalar(node.name)
    if symbol is None:
        rows = emitter.scope.rows(node.name, frozenset())
        if rows is not None:
            # Of the rows as such, only their number is of use.
            return Emitted(rows.kind, rows.code)
        return emitter.unknown(node.name, node)
    return emitter.loaded(symbol)


def _path(emitter: Emitter, node: nodes.Path) -> Emitted:
    if not isinstance(node.operand, nodes.Name):
        return _years_between(emitter, node) or emitter.general(node)
    owner = node.operand.name
    if owner == "row":
        symbol = emitter.scope.row(node.name)
    else:
        decision = emitter.scope.scalar(owner)
        if decision is not None:
            kinds = dict(decision.kind.fields)
            if node.name in kinds:
                get = ast.Call(
                    ast.Attribute(decision.code, "get", ast.Load()), [ast.Constant(node.name)], []
                )
                return emitter.bound(
                    kinds[node.name], py.choose(py.is_none(decision.code), py.NONE, get)
                )
            if decision.kind == DATE and node.name in _DATE_PARTS:
                return replace(emitter.general(node), kind=NUMBER)
        symbol = emitter.scope.column(owner, node.name)
    if symbol is None:
        return emitter.unknown(f"{owner}.{node.name}", node)
    return emitter.loaded(symbol)


def _is_column(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) or (
        isinstance(node, nodes.Path) and isinstance(node.operand, nodes.Name)
    )


def _years_between(emitter: Emitter, node: nodes.Path) -> Emitted | None:
    """`years and months duration(a, b).years` of two dates."""
    call = node.operand
    if (
        node.name != "years"
        or not isinstance(call, nodes.Call)
        or call.function != nodes.Name("years and months duration")
        or len(call.arguments) != 2
        or call.names is not None
    ):
        return None
    start, end = (emitter.emit(argument) for argument in call.arguments)
    if start.kind != DATE or end.kind != DATE:
        return None
    guards = _joined(start.guards, end.guards)
    return Emitted(NUMBER, py.call("years_between", start.code, end.code), guards)


# ---- arithmetic ---------------------------------------------------------------------------------


def _negation(emitter: Emitter, node: nodes.Negation) -> Emitted:
    operand = emitter.emit(node.operand)
    if operand.kind.type not in {"number", "any", "null"} or operand.kind.many:
        return emitter.fault(
            "E211",
            f"{_named(operand.kind)} cannot be negated",
            node,
            "A minus stands before a number.",
            "Take the minus away.",
        )
    if operand.kind.is_open:
        return emitter.general(node)
    return Emitted(operand.kind, ast.UnaryOp(ast.USub(), operand.code), operand.guards)


def _arithmetic(emitter: Emitter, node: nodes.Arithmetic) -> Emitted:
    left, right = emitter.emit(node.left), emitter.emit(node.right)
    for side, operand in ((left, node.left), (right, node.right)):
        if side.kind.many or side.kind.type not in {"number", "any", "null"}:
            if node.operator == "+" and TEXT.type == left.kind.type == right.kind.type:
                return replace(emitter.general(node), kind=TEXT)
            if side.kind.type == "date" or node.operator == "**":
                return emitter.general(node)
            return emitter.fault(
                "E211",
                f"{_named(side.kind)} cannot be calculated with",
                operand,
                f"'{node.operator}' takes numbers.",
                "Use a number here.",
            )
    if node.operator == "**" or left.kind.is_open or right.kind.is_open:
        return _loose_arithmetic(emitter, node, left, right)
    unit = _unit_of_arithmetic(emitter, node, left.kind, right.kind)
    if unit is None:
        return NOTHING
    guards = _joined(left.guards, right.guards)
    if node.operator == "/":
        # A variable's own null test is saved: `not divisor` holds for null and for zero alike.
        kept = () if isinstance(right.code, ast.Name) and len(right.guards) < 2 else right.guards
        if right.guards and isinstance(right.guards[0], ast.Compare):
            bound = right.guards[0].left
            kept = right.guards if isinstance(bound, ast.NamedExpr) else kept
        guards = _joined(left.guards, kept, (ast.UnaryOp(ast.Not(), right.code),))
    code = ast.BinOp(left.code, _ARITHMETIC[node.operator](), right.code)
    kind = Kind("number", unit, left.kind.display if left.kind.unit == unit else "")
    if right.kind.literal and left.kind.literal:
        kind = replace(kind, literal=True)
    return Emitted(kind, code, guards)


def _loose_arithmetic(
    emitter: Emitter, node: nodes.Arithmetic, left: Emitted, right: Emitted
) -> Emitted:
    """Powers, and operands of which nothing is known: FEEL's own rules at run time."""
    kind = ANY
    if node.operator == "**" and not left.kind.is_open and not right.kind.is_open:
        if left.kind.unit or right.kind.unit:
            exponent = node.right.value if isinstance(node.right, nodes.Literal) else None
            if right.kind.unit or exponent is None or exponent != int(exponent):
                return emitter.fault(
                    "E205",
                    "only a number without unit is raised to a computed power",
                    node,
                    f"The base is in {shown(left.kind.unit)}.",
                    "Divide the unit away first.",
                )
            kind = Kind("number", tuple((name, p * int(exponent)) for name, p in left.kind.unit))
        else:
            kind = NUMBER
    operator = ast.Constant(node.operator)
    return emitter.bound(kind, py.call("arithmetic", operator, left.value(), right.value()))


def _unit_of_arithmetic(
    emitter: Emitter, node: nodes.Arithmetic, left: Kind, right: Kind
) -> Unit | None:
    if node.operator in {"*", "/"}:
        return times(left.unit, right.unit, 1 if node.operator == "*" else -1)
    if same_unit(left, right):
        return right.unit if left.zero else left.unit
    verb = "added to" if node.operator == "+" else "subtracted from"
    first, second = (left, right) if node.operator == "+" else (right, left)
    emitter.fault(
        "E205",
        f"{_measured(first)} cannot be {verb} {_measured(second)}",
        node,
        *_unlike(emitter, left, right),
    )
    return None


def _measured(kind: Kind) -> str:
    return f"a value in {shown(kind.unit)}" if kind.unit else "a plain number"


def _unlike(emitter: Emitter, left: Kind, right: Kind) -> tuple[str, str]:
    """Why two units do not fit, and what would make them fit."""
    if left.literal or right.literal:
        return (
            "A number in a formula has no unit.",
            "Make the number a parameter with its unit.",
        )
    if emitter.scope.factor(shown(right.unit), shown(left.unit)) is not None:
        return (
            "They measure the same in different units.",
            f'Convert one of them: convert(x, "{shown(left.unit)}").',
        )
    return "They measure different things.", "Correct the names, or the operation."


def _joined(*groups: Sequence[ast.expr]) -> tuple[ast.expr, ...]:
    seen: dict[str, ast.expr] = {}
    for guard in (guard for group in groups for guard in group):
        seen.setdefault(ast.dump(guard), guard)
    return tuple(seen.values())


# ---- conditions ---------------------------------------------------------------------------------


def _comparison(emitter: Emitter, node: nodes.Comparison) -> Emitted:
    if isinstance(node.right, nodes.RangeOf):
        return _two_signs(emitter, node, node.right)
    left, right = emitter.emit(node.left), emitter.emit(node.right)
    if node.operator in {"=", "!="}:
        return _equality(emitter, node, left, right)
    if left.kind.many or right.kind.many:
        return emitter.general(node)
    counted = _counted(emitter, node)
    if counted is not None:
        return counted
    if left.kind.is_open or right.kind.is_open:
        return emitter.bound(
            BOOLEAN,
            py.call("ordered", ast.Constant(node.operator), left.value(), right.value()),
        )
    if not _comparable(emitter, node, left.kind, right.kind):
        return NOTHING
    if left.kind.type not in {"number", "text", "date"}:
        return emitter.fault(
            "E211",
            f"{_named(left.kind)} has no order",
            node,
            f"'{node.operator}' compares numbers, texts or dates.",
            "Use = or !=.",
        )
    code = py.compare(left.code, _COMPARE[node.operator](), right.code)
    return Emitted(BOOLEAN, code, _joined(left.guards, right.guards))


def _two_signs(emitter: Emitter, node: nodes.Comparison, right: nodes.RangeOf) -> Emitted:
    """`a == 3` is read as a comparison of a with the range `= 3`, which never holds."""
    written = right.low is None or right.high is None or right.low is right.high
    return emitter.fault(
        "E301",
        "two signs of comparison" if written else "a value is compared with a range",
        replace(node, start=node.left.end),
        "The second one begins a range, and no value is equal to a range."
        if written
        else "No value is equal to a range.",
        f"Write a single {node.operator}" if written else "Write x in [1..9].",
    )


def _counted(emitter: Emitter, node: nodes.Comparison) -> Emitted | None:
    """`count(column) > 0`: the column's length is compared, without making a number of it."""
    call, limit = node.left, node.right
    if (
        not isinstance(call, nodes.Call)
        or call.function != nodes.Name("count")
        or len(call.arguments) != 1
        or not isinstance(limit, nodes.Literal)
        or not isinstance(limit.value, Decimal)
        or limit.value != int(limit.value)
    ):
        return None
    column = emitter.emit(call.arguments[0])
    if not column.kind.many:
        return None
    length = py.call("len", column.code)
    code = py.compare(length, _COMPARE[node.operator](), ast.Constant(int(limit.value)))
    return Emitted(BOOLEAN, code, (py.is_none(column.code),))


def _equality(emitter: Emitter, node: nodes.Comparison, left: Emitted, right: Emitted) -> Emitted:
    for side, other in ((left, right), (right, left)):
        if side.kind == NULL:
            code = py.is_none(other.value()) if other.kind.many else py.either(other.guards)
            if not other.kind.many and not other.guards:
                code = py.is_none(other.code)
            return Emitted(BOOLEAN, code if node.operator == "=" else py.negated(code))
    if left.kind.many or right.kind.many:
        return emitter.general(node)
    if not _comparable(emitter, node, left.kind, right.kind):
        return NOTHING
    if emitter.in_condition and left.guards and right.guards:
        fix = "Write differ(a, b) or differ(a, b, tolerance), which is null if either is not known."
        if left.kind.type != "number":
            fix = "Ask first that both are known: a != null and b != null and ..."
        return emitter.fault(
            "E213",
            f"'{node.operator}' compares two figures that may both be unknown",
            node,
            "In FEEL null = null is true and null != 80 is true, which is seldom meant.",
            fix,
        )
    if left.kind.is_open or right.kind.is_open:
        code = py.call("equal", left.value(), right.value())
        emitted = emitter.bound(BOOLEAN, code)
        if node.operator == "!=":
            return Emitted(BOOLEAN, py.negated(emitted.code), emitted.guards)
        return emitted
    code = py.compare(left.value(), _COMPARE[node.operator](), right.value())
    return Emitted(BOOLEAN, code)


def _comparable(emitter: Emitter, node: nodes.Comparison, left: Kind, right: Kind) -> bool:
    if left.is_open or right.is_open:
        return True
    if left.type != right.type:
        emitter.fault(
            "E211",
            f"{_named(left)} is compared with {_named(right)}",
            node,
            "They can never agree.",
            "Compare like with like.",
        )
        return False
    if left.type == "number" and not same_unit(left, right):
        emitter.fault(
            "E205",
            f"{_measured(left)} is compared with {_measured(right)}",
            node,
            *_unlike(emitter, left, right),
        )
        return False
    return _option_exists(emitter, node, left, right)


def _option_exists(emitter: Emitter, node: nodes.Comparison, left: Kind, right: Kind) -> bool:
    for options, literal in ((left.options, node.right), (right.options, node.left)):
        if not options or not isinstance(literal, nodes.Literal):
            continue
        if literal.value not in options and isinstance(literal.value, str):
            near = difflib.get_close_matches(literal.value, options, n=1)
            emitter.fault(
                "E203",
                f"'{literal.value}' is none of the choices",
                literal,
                f"It is one of {', '.join(options)}.",
                f"Did you mean '{near[0]}'?" if near else "Choose one of them.",
            )
            return False
    return True


def _conjunction(emitter: Emitter, node: nodes.Conjunction) -> Emitted:
    return _logical(emitter, node.left, node.right, decisive=py.is_false, when_decided=py.FALSE)


def _disjunction(emitter: Emitter, node: nodes.Disjunction) -> Emitted:
    return _logical(emitter, node.left, node.right, decisive=py.is_true, when_decided=py.TRUE)


def _logical(
    emitter: Emitter,
    left_node: nodes.Node,
    right_node: nodes.Node,
    *,
    decisive: Callable[[ast.expr], ast.expr],
    when_decided: ast.Constant,
) -> Emitted:
    """Three-valued `and` and `or`: one side may decide although the other is null."""
    left, right = emitter.emit(left_node), emitter.emit(right_node)
    for side, part in ((left, left_node), (right, right_node)):
        if not side.kind.is_open and side.kind != BOOLEAN:
            return emitter.fault(
                "E211",
                "this is not a condition",
                part,
                f"It yields {_named(side.kind)}, and 'and' and 'or' join conditions.",
                "Compare it with something.",
            )
    if not left.guards and not right.guards and BOOLEAN == left.kind == right.kind:
        operator = ast.And() if when_decided.value is False else ast.Or()
        return Emitted(BOOLEAN, ast.BoolOp(operator, [left.code, right.code]))
    first = emitter.bound(BOOLEAN, left.value())
    second = emitter.bound(BOOLEAN, right.value())
    (bind_first,), (bind_second,) = first.guards, second.guards
    decided = py.either(
        [
            decisive(_bound_value(bind_first)),
            decisive(_bound_value(bind_second)),
        ]
    )
    open_ = py.either([py.negated(py.is_bool(first.code)), py.negated(py.is_bool(second.code))])
    other = ast.Constant(value=not when_decided.value)
    return emitter.bound(
        BOOLEAN, py.choose(decided, when_decided, py.choose(open_, py.NONE, other))
    )


def _bound_value(guard: ast.expr) -> ast.expr:
    assert isinstance(guard, ast.Compare)
    return guard.left


def _between(emitter: Emitter, node: nodes.Between) -> Emitted:
    low = nodes.Comparison(">=", node.operand, node.low, start=node.start, end=node.end)
    high = nodes.Comparison("<=", node.operand, node.high, start=node.start, end=node.end)
    return _conjunction(emitter, nodes.Conjunction(low, high, start=node.start, end=node.end))


def _in(emitter: Emitter, node: nodes.In) -> Emitted:
    tests = [as_condition(test, node.operand) for test in node.tests]
    if any(test is None for test in tests):
        return emitter.general(node)
    condition = tests[0]
    for test in tests[1:]:
        assert condition is not None
        assert test is not None
        condition = nodes.Disjunction(condition, test, start=node.start, end=node.end)
    assert condition is not None
    return emitter.emit(condition)


def as_condition(test: nodes.Node, tested: nodes.Node) -> nodes.Node | None:
    """A unary test as a condition on what it tests; None for what the general evaluator must do."""
    span = {"start": test.start, "end": test.end}
    if isinstance(test, nodes.Comparator):
        return nodes.Comparison(test.operator, tested, test.operand, **span)
    if isinstance(test, nodes.RangeOf):
        parts = []
        if test.low is not None:
            parts.append(
                nodes.Comparison(">=" if test.low_closed else ">", tested, test.low, **span)
            )
        if test.high is not None:
            parts.append(
                nodes.Comparison("<=" if test.high_closed else "<", tested, test.high, **span)
            )
        return parts[0] if len(parts) == 1 else nodes.Conjunction(parts[0], parts[1], **span)
    if isinstance(test, nodes.Literal):
        return nodes.Comparison("=", tested, test, **span)
    return None


def _if(emitter: Emitter, node: nodes.If) -> Emitted:
    test = emitter.exactly_true(node.condition)
    consequent, alternative = emitter.emit(node.consequent), emitter.emit(node.alternative)
    kind = _common_kind(emitter, node, [consequent.kind, alternative.kind])
    if not consequent.guards and not alternative.guards:
        return Emitted(kind, py.choose(test, consequent.code, alternative.code))
    return emitter.bound(kind, py.choose(test, consequent.value(), alternative.value()))


def _common_kind(emitter: Emitter, node: nodes.Node, kinds: Sequence[Kind]) -> Kind:
    """The one kind of several branches or arguments."""
    known = [kind for kind in kinds if not kind.is_open]
    if not known:
        return ANY
    chosen = next((kind for kind in known if not kind.zero), known[0])
    for kind in known:
        if kind.type != chosen.type or kind.many != chosen.many:
            emitter.fault(
                "E211",
                f"{_named(chosen)} and {_named(kind)} stand in one place",
                node,
                "Whichever is chosen, the result must be of one kind.",
                "Make them alike.",
            )
            return ANY
        if not same_unit(kind, chosen):
            emitter.fault(
                "E205",
                f"{_measured(chosen)} and {_measured(kind)} stand in one place",
                node,
                "Whichever is chosen, the result must have one unit.",
                _unlike(emitter, chosen, kind)[1],
            )
            return ANY
    choices = dict.fromkeys(option for kind in known for option in kind.options)
    return replace(
        chosen,
        options=tuple(choices) if all(kind.options for kind in known) else (),
        literal=all(kind.literal for kind in known),
        zero=all(kind.zero for kind in known),
    )


# ---- functions ----------------------------------------------------------------------------------


def _call(emitter: Emitter, node: nodes.Call) -> Emitted:
    if not isinstance(node.function, nodes.Name):
        return emitter.general(node)
    name = node.function.name
    if name in {"today", "now"}:
        return emitter.fault(
            "E214",
            f"'{name}()' is not allowed in a rule set",
            node,
            "A result must be the same on any day.",
            "Use a date of the case, or as_of.",
        )
    if name in _OWN and node.names is not None:
        return emitter.fault(
            "E222",
            f"'{name}' takes its arguments by position",
            node,
            "It is a function of rule sets, not of FEEL.",
            "Leave the names out.",
        )
    if name not in FUNCTIONS or node.names is not None:
        return _of_feel(emitter, node, name)
    if not emitter.check_count(node, name):
        return NOTHING
    _, _, handler = FUNCTIONS[name]
    return handler(emitter, node)


def _of_feel(emitter: Emitter, node: nodes.Call, name: str) -> Emitted:
    """A call of one of FEEL's own functions; some yield a number in the unit they were given."""
    result = emitter.general(node)
    if name not in _KEEPING_UNITS or not node.arguments:
        return result
    kind = emitter.emit(node.arguments[0]).kind
    if kind.type != "number" or kind.many:
        return result
    return replace(result, kind=replace(kind, literal=False, zero=False))


def _total(emitter: Emitter, node: nodes.Call) -> Emitted:
    emitted = emitter.emit(node.arguments[0])
    kind = emitted.kind
    if kind.is_open:
        return emitter.bound(ANY, py.call("total_of_any", emitted.value()))
    if not kind.many or kind.type != "number":
        return emitter.fault(
            "E211",
            "'total' adds up a column of numbers",
            node.arguments[0],
            f"This is {_named(kind)}.",
            "Name a column: total(floors.net).",
        )
    if varies_by_row(kind.unit):
        return emitter.fault(
            "E212",
            "the rows of this column may have different units",
            node.arguments[0],
            "Each row is in the unit that the case gives there, so their sum means nothing.",
            "Give the column one unit, such as sqm.",
        )
    return emitter.bound(
        replace(kind, many=False, literal=False), py.call("total", emitted.value())
    )


def _first_known(emitter: Emitter, node: nodes.Call) -> Emitted:
    parts = [emitter.emit(argument) for argument in node.arguments]
    kind = _common_kind(emitter, node, [part.kind for part in parts])
    result = parts[-1]
    for part in reversed(parts[:-1]):
        if not part.guards:
            result = part
        elif not result.guards:
            result = Emitted(kind, py.choose(py.either(part.guards), result.code, part.code))
        else:
            code = py.choose(py.either(part.guards), result.value(), part.code)
            result = emitter.bound(kind, code)
    return Emitted(kind, result.code, result.guards)


def _least_known(emitter: Emitter, node: nodes.Call) -> Emitted:
    parts = [emitter.emit(argument) for argument in node.arguments]
    kind = _common_kind(emitter, node, [part.kind for part in parts])
    if kind.many or kind.type not in {"number", "date", "any"}:
        return emitter.fault(
            "E211",
            "'least known' takes single numbers or dates",
            node,
            f"This is {_named(kind)}.",
            "Write min(column) for the least of a column.",
        )
    if any(part.kind.is_open for part in parts):
        return emitter.bound(kind, py.call("least_of_any", *[part.value() for part in parts]))
    return emitter.bound(kind, py.call("least_known", *[part.value() for part in parts]))


def _extreme(function: str) -> Callable[[Emitter, nodes.Call], Emitted]:
    def handler(emitter: Emitter, node: nodes.Call) -> Emitted:
        parts = [emitter.emit(argument) for argument in node.arguments]
        if len(parts) == 1 or any(part.kind.type != "number" for part in parts):
            if len(parts) == 1 and parts[0].kind.many and parts[0].kind.type == "number":
                if varies_by_row(parts[0].kind.unit):
                    return _total(emitter, node)
                return emitter.bound(
                    parts[0].kind.of_one(), py.call(f"{function}_of", parts[0].value())
                )
            return emitter.general(node)
        kind = _common_kind(emitter, node, [part.kind for part in parts])
        guards = _joined(*[part.guards for part in parts])
        return Emitted(kind, py.call(function, *[part.code for part in parts]), guards)

    return handler


def _abs(emitter: Emitter, node: nodes.Call) -> Emitted:
    part = emitter.emit(node.arguments[0])
    if part.kind.many or part.kind.type != "number":
        return emitter.general(node)
    return Emitted(part.kind, py.call("abs", part.code), part.guards)


def _count(emitter: Emitter, node: nodes.Call) -> Emitted:
    part = emitter.emit(node.arguments[0])
    if not part.kind.many:
        return emitter.general(node)
    return emitter.bound(NUMBER, py.call("count", part.value()))


def _differ(emitter: Emitter, node: nodes.Call) -> Emitted:
    parts = [emitter.emit(argument) for argument in node.arguments]
    kind = _common_kind(emitter, node, [part.kind for part in parts])
    guards = _joined(*[part.guards for part in parts])
    if kind.many or (len(parts) == 3 and kind.type not in {"number", "any"}):
        return emitter.fault(
            "E211",
            "'differ' takes single values, with a tolerance only for numbers",
            node,
            f"This is {_named(kind)}.",
            "Name a figure, or row.<column> in a finding that has each.",
        )
    if any(part.kind.is_open for part in parts):
        return emitter.bound(BOOLEAN, py.call("differ", *[part.value() for part in parts]))
    if len(parts) == 2:
        return Emitted(BOOLEAN, py.compare(parts[0].code, ast.NotEq(), parts[1].code), guards)
    gap = py.call("abs", ast.BinOp(parts[0].code, ast.Sub(), parts[1].code))
    return Emitted(BOOLEAN, py.compare(gap, ast.Gt(), parts[2].code), guards)


def _address(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Path) and isinstance(node.operand, nodes.Name):
        return f"{node.operand.name}.{node.name}"
    return None


def _given_or_calculated(which: str) -> Callable[[Emitter, nodes.Call], Emitted]:
    def handler(emitter: Emitter, node: nodes.Call) -> Emitted:
        (argument,) = node.arguments
        address = _address(argument)
        read = emitter.scope.given if which == "given" else emitter.scope.calculated
        symbol = read(address) if address is not None else None
        if symbol is None:
            emitter.fault(
                "E203",
                f"'{which}' takes the name of a value that the case may state",
                argument,
                "Only a value with a `given` path has two figures.",
                "Name such a value, or give it a `given` path.",
            )
            return NOTHING
        return emitter.loaded(symbol)

    return handler


def _convert(emitter: Emitter, node: nodes.Call) -> Emitted:
    part = emitter.emit(node.arguments[0])
    target = node.arguments[1]
    if not isinstance(target, nodes.Literal) or not isinstance(target.value, str):
        return emitter.fault(
            "E222",
            "the second argument of 'convert' is a unit in quotes",
            target,
            "The unit must be known when the set is compiled.",
            'Write convert(x, "sqm").',
        )
    source = "what has no known unit" if part.kind.is_open else shown(part.kind.unit)
    factor = emitter.scope.factor(source, target.value) if not part.kind.is_open else None
    if factor is None:
        return emitter.fault(
            "E206",
            f"{source} cannot be converted into {target.value}",
            node,
            "Both must be fixed units of the same measure; a unit that the case decides is not.",
            "Declare the input in the unit wanted: it is then converted when the case is read.",
        )
    code: ast.expr = part.code
    if factor.numerator != 1:
        code = ast.BinOp(code, ast.Mult(), emitter.constant(Decimal(factor.numerator)))
    if factor.denominator != 1:
        code = ast.BinOp(code, ast.Div(), emitter.constant(Decimal(factor.denominator)))
    unit = _unit_of_text(target.value)
    return Emitted(Kind("number", unit), code, part.guards)


def _unit_of_text(text: str) -> Unit:
    head, _, below = text.partition("/")
    unit = unit_named(head)
    return times(unit, unit_named(below), -1) if below else unit


def _raised(emitter: Emitter, node: nodes.Call) -> Emitted:
    (argument,) = node.arguments
    code = argument.value if isinstance(argument, nodes.Literal) else None
    symbol = emitter.scope.raised(code) if isinstance(code, str) else None
    codes = [*emitter.scope.codes()]
    if symbol is None and code in codes:
        return emitter.fault(
            "E222",
            "only a finding may ask what was raised",
            node,
            "Findings are raised when all figures have been computed.",
            "Ask in the condition of a finding.",
        )
    if symbol is None:
        near = difflib.get_close_matches(str(code), codes, n=1)
        return emitter.fault(
            "E203",
            f"no finding is called '{code}'" if isinstance(code, str) else "this names no finding",
            argument,
            "'raised' takes the code of a finding of this set, in quotes.",
            f'Did you mean "{near[0]}"?' if near else "Correct the code.",
        )
    return Emitted(BOOLEAN, symbol.code)


def _in_words(emitter: Emitter, node: nodes.Call) -> Emitted:
    part = emitter.emit(node.arguments[0])
    if part.kind.type != "number" or part.kind.many:
        return emitter.fault(
            "E211",
            "'in words' takes an amount",
            node.arguments[0],
            f"This is {_named(part.kind)}.",
            "Give it an amount in INR.",
        )
    return Emitted(TEXT, py.call("rupee_words", part.code), part.guards)


def _list_contains(emitter: Emitter, node: nodes.Call) -> Emitted:
    items, element = (emitter.emit(argument) for argument in node.arguments)
    if not items.kind.many or items.kind.type not in {"text", "number", "date"}:
        return emitter.general(node)
    code = py.compare(element.value(), ast.In(), items.code)
    return Emitted(BOOLEAN, code, (py.is_none(items.code),))


def _not(emitter: Emitter, node: nodes.Call) -> Emitted:
    part = emitter.emit(node.arguments[0])
    if part.kind != BOOLEAN:
        return emitter.general(node)
    return Emitted(BOOLEAN, py.negated(part.code), part.guards)


_DATE_PARTS = frozenset({"year", "month", "day", "weekday"})
#: Their answer would depend on the day they are asked.
CLOCK = frozenset({"today", "now"})
#: What FEEL's functions yield, where it is always the same.
_YIELDS: Mapping[str, Kind] = {
    **dict.fromkeys(("string", "substring", "upper case", "lower case", "substring before",
                     "substring after", "replace", "string join"), TEXT),
    **dict.fromkeys(("contains", "starts with", "ends with", "matches", "list contains", "not",
                     "all", "any", "is defined"), BOOLEAN),
    **dict.fromkeys(("string length", "count", "number", "day of year"), NUMBER),
}  # fmt: skip
#: FEEL's functions that yield a number in the unit of their first argument.
_KEEPING_UNITS = frozenset({
    "floor", "ceiling", "abs", "decimal", "modulo", "round up", "round down", "round half up",
    "round half down",
})  # fmt: skip
MANY = 99
Handler = Callable[[Emitter, nodes.Call], Emitted]
#: Functions translated here: fewest and most arguments, and how.
FUNCTIONS: Mapping[str, tuple[int, int, Handler]] = {
    "total": (1, 1, _total),
    "first known": (1, MANY, _first_known),
    "least known": (1, MANY, _least_known),
    "differ": (2, 3, _differ),
    "given": (1, 1, _given_or_calculated("given")),
    "calculated": (1, 1, _given_or_calculated("calculated")),
    "convert": (2, 2, _convert),
    "raised": (1, 1, _raised),
    "in words": (1, 1, _in_words),
    "min": (1, MANY, _extreme("min")),
    "max": (1, MANY, _extreme("max")),
    "abs": (1, 1, _abs),
    "count": (1, 1, _count),
    "not": (1, 1, _not),
    "list contains": (2, 2, _list_contains),
}
#: Those that FEEL does not have.
_OWN = frozenset(FUNCTIONS) - {
    "min",
    "max",
    "abs",
    "count",
    "not",
    "list contains",
}
OWN_FUNCTIONS = _OWN

_HANDLERS: Mapping[type[nodes.Node], Callable[[Emitter, Any], Emitted]] = {
    nodes.Literal: _literal,
    nodes.Name: _name,
    nodes.Path: _path,
    nodes.Negation: _negation,
    nodes.Arithmetic: _arithmetic,
    nodes.Comparison: _comparison,
    nodes.Conjunction: _conjunction,
    nodes.Disjunction: _disjunction,
    nodes.Between: _between,
    nodes.In: _in,
    nodes.If: _if,
    nodes.Call: _call,
}
