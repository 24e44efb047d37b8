"""The meaning of a syntax tree: each node becomes a closure that takes a scope.

A fault inside an expression gives null and a reason; only a crossed bound is an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

from engine.feel import nodes
from engine.feel.arithmetic import OPERATIONS, negate
from engine.feel.built_ins import BUILT_INS
from engine.feel.conformance import is_instance, known_type
from engine.feel.conversion import Variables
from engine.feel.invocation import call_built_in, call_function
from engine.feel.parser import children, height
from engine.feel.properties import property_of
from engine.feel.run import Run
from engine.feel.temporal import Date, date_of
from engine.feel.values import (
    FeelFunction,
    FeelRange,
    Value,
    article,
    compare,
    conjunction,
    disjunction,
    equal,
    kind,
    order,
    singleton,
    within,
)

_MISSING = object()


class Scope:
    """Names and values, and the scope around them."""

    __slots__ = ("names", "outer", "run", "variables")

    def __init__(
        self,
        run: Run,
        names: Mapping[str, Value],
        outer: Scope | None = None,
        variables: Variables | None = None,
    ) -> None:
        self.run = run
        self.names = names
        self.outer = outer
        self.variables = variables

    def inner(self, names: Mapping[str, Value]) -> Scope:
        """A scope inside this one."""
        return Scope(self.run, names, self)

    def read(self, name: str) -> Value:
        """The value of a name, or `_MISSING`."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            if scope.variables is not None:
                value = scope.variables.read(self.run, name, _MISSING)
                if value is not _MISSING:
                    return value
            scope = scope.outer
        return _MISSING


Closure = Callable[[Scope], Value]


def compiled(node: nodes.Node) -> Closure:
    """The closure that evaluates a node."""
    return _COMPILERS[type(node)](node)


def _literal(node: nodes.Literal) -> Closure:
    value = node.value
    if value is None:

        def null(scope: Scope) -> Value:
            return scope.run.null("the text is null", node.start, node.end)

        return null
    return lambda _: value


def _name(node: nodes.Name) -> Closure:
    name = node.name
    built_in = BUILT_INS.get(name)
    function = built_in.as_value() if built_in else None

    def read(scope: Scope) -> Value:
        value = scope.read(name)
        if value is _MISSING:
            if function is not None:
                return function
            return scope.run.null(f"'{name}' is not known", node.start, node.end)
        if value is None:
            return scope.run.null(f"'{name}' is null", node.start, node.end)
        return value

    return read


def _path(node: nodes.Path) -> Closure:
    operand, name = compiled(node.operand), node.name

    def step(scope: Scope) -> Value:
        value = operand(scope)
        if isinstance(value, list):
            scope.run.tick(len(value))
            return [_entry(scope.run, item, node) for item in value]
        return _entry(scope.run, value, node)

    del name
    return step


def _entry(run: Run, value: Value, node: nodes.Path) -> Value:
    if isinstance(value, dict):
        if node.name in value:
            return value[node.name]
        return run.null(f"there is no entry '{node.name}'", node.start, node.end)
    found, result = property_of(value, node.name)
    if not found:
        return run.null(f"{article(kind(value))} has no '{node.name}'", node.start, node.end)
    return result


def _descendants(node: nodes.Descendants) -> Closure:
    operand, name = compiled(node.operand), node.name

    def collect(scope: Scope) -> Value:
        found: list[Value] = []
        # Entries in the order of the text; each waits as its key and value.
        pending: list[tuple[str, Value]] = [("", operand(scope))]
        while pending:
            key, value = pending.pop()
            scope.run.tick()
            if key == name and value is not None:
                found.append(value)
            if isinstance(value, list):
                pending.extend(("", item) for item in reversed(value))
            elif isinstance(value, dict):
                pending.extend(reversed(value.items()))
        scope.run.items(len(found))
        return found

    return collect


def _negation(node: nodes.Negation) -> Closure:
    operand = compiled(node.operand)

    def minus(scope: Scope) -> Value:
        run = scope.run
        value = operand(scope)
        run.start, run.end = node.start, node.end
        return negate(run, value)

    return minus


def _arithmetic(node: nodes.Arithmetic) -> Closure:
    left, right = compiled(node.left), compiled(node.right)
    operator = node.operator
    operation = OPERATIONS[operator]

    def work(scope: Scope) -> Value:
        first, second = left(scope), right(scope)
        run = scope.run
        if type(first) is Decimal and type(second) is Decimal and operator in run.quick:
            try:
                return run.quick[operator](first, second)
            except DecimalException:
                pass  # The operation below says what is wrong.
        run.start, run.end = node.start, node.end
        return operation(run, first, second)

    return work


def _comparison(node: nodes.Comparison) -> Closure:
    left, right, operator = compiled(node.left), compiled(node.right), node.operator

    def test(scope: Scope) -> bool | None:
        verdict = compared(scope.run, operator, left(scope), right(scope))
        if verdict is None:
            return scope.run.null(f"'{operator}' compares unlike values", node.start, node.end)
        return verdict

    return test


def compared(run: Run, operator: str, left: Value, right: Value) -> bool | None:
    """`left operator right` for all six comparisons."""
    if operator == "=":
        return equal(run, left, right)
    if operator == "!=":
        verdict = equal(run, left, right)
        return None if verdict is None else not verdict
    return compare(operator, left, right)


def _truth(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


def _conjunction(node: nodes.Conjunction) -> Closure:
    left, right = compiled(node.left), compiled(node.right)

    def both(scope: Scope) -> bool | None:
        first = _truth(left(scope))
        if first is False:
            return False
        verdict = conjunction(first, _truth(right(scope)))
        return _undecided(scope, "and", node) if verdict is None else verdict

    return both


def _disjunction(node: nodes.Disjunction) -> Closure:
    left, right = compiled(node.left), compiled(node.right)

    def either(scope: Scope) -> bool | None:
        first = _truth(left(scope))
        if first is True:
            return True
        verdict = disjunction(first, _truth(right(scope)))
        return _undecided(scope, "or", node) if verdict is None else verdict

    return either


def _undecided(scope: Scope, operator: str, node: nodes.Node) -> None:
    scope.run.null(f"'{operator}' has an operand neither true nor false", node.start, node.end)


def _between(node: nodes.Between) -> Closure:
    operand, low, high = compiled(node.operand), compiled(node.low), compiled(node.high)

    def test(scope: Scope) -> bool | None:
        value = operand(scope)
        verdict = conjunction(compare(">=", value, low(scope)), compare("<=", value, high(scope)))
        if verdict is None:
            return scope.run.null("'between' compares unlike values", node.start, node.end)
        return verdict

    return test


def _in(node: nodes.In) -> Closure:
    operand = compiled(node.operand)
    tests = [_test(test) for test in node.tests]

    def any_of(scope: Scope) -> bool | None:
        value = operand(scope)
        inner = scope.inner({"?": value})
        verdict: bool | None = False
        for test in tests:
            verdict = disjunction(verdict, test(inner, value))
            if verdict is True:
                return True
        if verdict is None:
            return scope.run.null("'in' compares unlike values", node.start, node.end)
        return verdict

    return any_of


def _test(node: nodes.Node) -> Callable[[Scope, Value], bool | None]:
    """A unary test as a function of scope and the value tested."""
    if isinstance(node, nodes.Comparator):
        operand, operator = compiled(node.operand), node.operator
        return lambda scope, value: compared(scope.run, operator, value, operand(scope))
    closure = compiled(node)
    if _mentions(node, "?"):
        return lambda scope, _: _truth(closure(scope))
    if isinstance(node, nodes.RangeOf):
        return lambda scope, value: _in_range(scope.run, value, closure(scope))
    return lambda scope, value: _satisfies(scope.run, value, closure(scope))


def _in_range(run: Run, value: Value, bounds: FeelRange | None) -> bool | None:
    # A range that is null, such as [1..null], decides nothing; it is not the value null.
    return None if bounds is None else _satisfies(run, value, bounds)


def _satisfies(run: Run, value: Value, test: Value) -> bool | None:
    """Whether a value is, or lies in, what a unary test evaluates to."""
    if isinstance(test, FeelRange):
        if isinstance(value, FeelRange):
            return equal(run, value, test)
        return within(value, test)
    if isinstance(test, list):
        if isinstance(value, list) and equal(run, value, test):
            return True
        run.tick(len(test))
        verdict: bool | None = False
        for item in test:
            matched = within(value, item) if isinstance(item, FeelRange) else False
            if not matched:
                matched = equal(run, value, item)
            if matched:
                return True
        return verdict
    return equal(run, value, test)


def _mentions(node: nodes.Node, name: str) -> bool:
    pending: list[nodes.Node] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, nodes.Name) and current.name == name:
            return True
        pending.extend(children(current))
    return False


def _if(node: nodes.If) -> Closure:
    condition = compiled(node.condition)
    consequent, alternative = compiled(node.consequent), compiled(node.alternative)

    def choose(scope: Scope) -> Value:
        verdict = condition(scope)
        if verdict is True:
            return consequent(scope)
        if verdict is False or verdict is None:
            return alternative(scope)
        return _no_condition(scope.run, verdict, "if", node.condition)

    return choose


def _no_condition(run: Run, value: Value, place: str, node: nodes.Node) -> None:
    """Null, for a condition that is something else than true, false or null."""
    run.null(f"the condition of '{place}' is {article(kind(value))}", node.start, node.end)


# Loops.


def _domain(node: nodes.Iterator) -> Callable[[Scope], Iterable[Value] | None]:
    """What a loop variable runs through; null when that is nothing to run through."""
    low = compiled(node.domain)
    if node.high is None:

        def listed(scope: Scope) -> Iterable[Value] | None:
            value = low(scope)
            if isinstance(value, FeelRange):
                return _steps_of_range(scope.run, value, node)
            return None if value is None else singleton(value)

        return listed
    high = compiled(node.high)
    return lambda scope: _steps(scope.run, low(scope), high(scope), node)


def _steps(run: Run, low: Value, high: Value, node: nodes.Iterator) -> Iterable[Value] | None:
    """The whole numbers or days from one value to another, up or down."""
    if isinstance(low, Decimal) and isinstance(high, Decimal):
        if low != low.to_integral_value() or high != high.to_integral_value():
            return run.null("a loop runs over whole numbers", node.start, node.end)
        run.items(1 + _whole(run, abs(run.numbers.subtract(high, low))))
        first, last = int(low), int(high)
        step = 1 if first <= last else -1
        return (Decimal(number) for number in range(first, last + step, step))
    if isinstance(low, Date) and isinstance(high, Date):
        first, last = low.number, high.number
        run.items(1 + abs(last - first))
        step = 1 if first <= last else -1
        return (date_of(number) for number in range(first, last + step, step))
    return run.null("a loop runs from number to number or date to date", node.start, node.end)


def _whole(run: Run, number: Decimal) -> int:
    """A count as int; numbers that are too long become just above the bound."""
    return int(number) if number <= run.bounds.items else run.bounds.items


def _steps_of_range(run: Run, span: FeelRange, node: nodes.Iterator) -> Iterable[Value] | None:
    if order(span.low, span.high) == 1:
        return run.null("the range runs backwards", node.start, node.end)
    steps = _steps(run, span.low, span.high, node)
    if steps is None:
        return None
    ends = [
        end
        for end, closed in ((span.low, span.low_closed), (span.high, span.high_closed))
        if not closed
    ]
    return (step for step in steps if all(order(step, end) != 0 for end in ends))


def _each(
    iterators: tuple[nodes.Iterator, ...],
) -> Callable[[Scope, Callable[[Scope], bool]], bool]:
    """Runs a body for each turn of nested loops until it says stop.

    The body takes the innermost scope and returns whether to go on; the result is false when a
    domain was null.
    """
    domains = [(iterator.name, _domain(iterator)) for iterator in iterators]

    def loop(scope: Scope, body: Callable[[Scope], bool], depth: int = 0) -> bool:
        name, domain = domains[depth]
        items = domain(scope)
        if items is None:
            return False
        for item in items:
            scope.run.tick()
            inner = scope.inner({name: item})
            if depth + 1 < len(domains):
                if not loop(inner, body, depth + 1):
                    return False
            elif not body(inner):
                raise _Stop
        return True

    def run_all(scope: Scope, body: Callable[[Scope], bool]) -> bool:
        try:
            return loop(scope, body)
        except _Stop:
            return True

    return run_all


class _Stop(Exception):  # noqa: N818 - it ends a loop and is no error
    pass


def _for(node: nodes.For) -> Closure:
    each, body = _each(node.iterators), compiled(node.body)
    uses_partial = _mentions(node.body, "partial")

    def collect(scope: Scope) -> Value:
        run = scope.run
        results: list[Value] = []

        def turn(inner: Scope) -> bool:
            if uses_partial:
                # Each turn sees the results so far; a later one must not change what it kept.
                run.tick(len(results))
                inner = inner.inner({"partial": list(results)})
            results.append(body(inner))
            run.items(len(results))
            return True

        if not each(scope, turn):
            return run.null("the loop has nothing to run over", node.start, node.end)
        return results

    return collect


def _quantified(node: nodes.Quantified) -> Closure:
    each, body = _each(node.iterators), compiled(node.body)
    decisive = node.quantifier == "some"
    # Only a condition that may be no condition at all has to be tried to the end.
    decides = known_type(node.body) == nodes.TypeName("boolean")

    def test(scope: Scope) -> bool | None:
        verdict: bool | None = not decisive
        strange: Value = None
        reasons = scope.run.reasons
        known = -1

        def turn(inner: Scope) -> bool:
            nonlocal verdict, strange, known
            result = body(inner)
            if result is decisive:
                if known < 0:
                    verdict, known = decisive, len(reasons)
                return not decides
            if result is None:
                verdict = verdict if known >= 0 else None
            elif not isinstance(result, bool):
                strange = result
                return False
            return True

        if not each(scope, turn):
            return scope.run.null("the loop has nothing to run over", node.start, node.end)
        if strange is not None:
            return _no_condition(scope.run, strange, node.quantifier, node.body)
        if known >= 0:
            # What came after the turn that decided is no reason for anything.
            del reasons[known:]
        if verdict is None:
            return scope.run.null(
                f"'{node.quantifier}' meets a condition neither true nor false",
                node.start,
                node.end,
            )
        return verdict

    return test


# Lists, contexts, ranges.


def _list(node: nodes.ListOf) -> Closure:
    items = [compiled(item) for item in node.items]
    return lambda scope: [item(scope) for item in items]


def _context(node: nodes.ContextOf) -> Closure:
    entries = [(key, compiled(value)) for key, value in node.entries]
    if len({key for key, _ in entries}) < len(entries):
        return lambda scope: scope.run.null("a key stands twice", node.start, node.end)

    def build(scope: Scope) -> Value:
        values: dict[str, Value] = {}
        inner = scope.inner(values)
        for key, value in entries:
            values[key] = value(inner)
        return values

    return build


def _range(node: nodes.RangeOf) -> Closure:
    low = compiled(node.low) if node.low else None
    high = compiled(node.high) if node.high else None

    def build(scope: Scope) -> Value:
        first = low(scope) if low else None
        last = high(scope) if high else None
        if (low and first is None) or (high and last is None):
            return scope.run.null("an end of the range is null", node.start, node.end)
        if low and high and order(first, last) is None:
            return scope.run.null("the ends of the range are unlike", node.start, node.end)
        relation = "=" if node.low is node.high else ""
        return FeelRange(first, last, node.low_closed, node.high_closed, relation)

    return build


def _other_than(node: nodes.OtherThan) -> Closure:
    operand = compiled(node.operand)

    def build(scope: Scope) -> Value:
        value = operand(scope)
        if value is None:
            return scope.run.null("an end of the range is null", node.start, node.end)
        return FeelRange(value, value, low_closed=False, high_closed=False, relation="!=")

    return build


def _filter(node: nodes.Filter) -> Closure:
    operand, condition = compiled(node.operand), compiled(node.condition)

    def select(scope: Scope) -> Value:
        value = operand(scope)
        if value is None:
            return scope.run.null("null has no items", node.start, node.end)
        items = singleton(value)
        run = scope.run
        kept: list[Value] = []
        for position, item in enumerate(items):
            run.tick()
            names = {"item": item, **item} if isinstance(item, dict) else {"item": item}
            verdict = condition(scope.inner(names))
            if verdict is True:
                kept.append(item)
            elif isinstance(verdict, Decimal) and position == 0:
                return _item_at(run, items, verdict, node)
            elif verdict is not False and verdict is not None:
                return _no_condition(run, verdict, "[...]", node.condition)
        if not items and isinstance(_quietly(condition, scope), Decimal):
            return run.null("the list is empty", node.start, node.end)
        return kept

    return select


def _quietly(condition: Closure, scope: Scope) -> Value:
    """A condition that has no item to look at; its nulls say nothing and are not kept."""
    known = len(scope.run.reasons)
    verdict = condition(scope.inner({"item": None}))
    del scope.run.reasons[known:]
    return verdict


def _item_at(run: Run, items: list[Value], index: Decimal, node: nodes.Filter) -> Value:
    """Item 1 is the first and item -1 the last."""
    if index == index.to_integral_value() and 1 <= abs(index) <= len(items):
        position = int(index)
        return items[position - 1 if position > 0 else position]
    return run.null(f"there is no item {index:f}", node.start, node.end)


# Functions.


def _call(node: nodes.Call) -> Closure:
    arguments = [compiled(argument) for argument in node.arguments]
    names = node.names
    function_node = node.function
    name = function_node.name if isinstance(function_node, nodes.Name) else ""
    built_in = BUILT_INS.get(name)
    function = compiled(function_node)

    def call(scope: Scope) -> Value:
        run = scope.run
        callee = scope.read(name) if built_in is not None else function(scope)
        values = [argument(scope) for argument in arguments]
        run.tick()
        run.start, run.end = node.start, node.end
        if callee is _MISSING and built_in is not None:
            return call_built_in(run, built_in, values, names)
        if not isinstance(callee, FeelFunction):
            return run.null(f"{name or article(kind(callee))} is not a function")
        return call_function(run, callee, values, names)

    return call


def _function(node: nodes.FunctionOf) -> Closure:
    if node.external:
        return lambda scope: scope.run.null("external functions are not run", node.start, node.end)
    body = compiled(node.body)
    names = [name for name, _ in node.parameters]
    levels = height(node.body) + 1
    result_type = known_type(node.body)

    def define(scope: Scope) -> FeelFunction:
        def call(run: Run, arguments: list[Value]) -> Value:
            run.enter(levels)
            result = body(scope.inner(dict(zip(names, arguments, strict=True))))
            run.calls -= levels
            return result

        return FeelFunction("", node.parameters, call, result=result_type)

    return define


def _instance_of(node: nodes.InstanceOf) -> Closure:
    operand, type_name = compiled(node.operand), node.type
    return lambda scope: is_instance(scope.run, operand(scope), type_name)


def _unary_tests(node: nodes.UnaryTests) -> Closure:
    tests = [_test(test) for test in node.tests]
    negated = node.negated

    def any_of(scope: Scope) -> bool | None:
        value = scope.read("?")
        if not tests:
            return True
        verdict: bool | None = False
        for test in tests:
            verdict = disjunction(verdict, test(scope, value))
            if verdict is True:
                break
        if negated:
            return None if verdict is None else not verdict
        return verdict

    return any_of


def _comparator(node: nodes.Comparator) -> Closure:
    test = _test(node)
    return lambda scope: test(scope, scope.read("?"))


def _type_name(node: nodes.TypeName) -> Closure:
    return lambda scope: scope.run.null("a type is no value", node.start, node.end)


_COMPILERS: dict[type[nodes.Node], Callable[[Any], Closure]] = {
    nodes.Literal: _literal,
    nodes.Name: _name,
    nodes.Path: _path,
    nodes.Descendants: _descendants,
    nodes.Negation: _negation,
    nodes.Arithmetic: _arithmetic,
    nodes.Comparison: _comparison,
    nodes.Conjunction: _conjunction,
    nodes.Disjunction: _disjunction,
    nodes.Between: _between,
    nodes.In: _in,
    nodes.If: _if,
    nodes.For: _for,
    nodes.Quantified: _quantified,
    nodes.ListOf: _list,
    nodes.ContextOf: _context,
    nodes.RangeOf: _range,
    nodes.OtherThan: _other_than,
    nodes.Filter: _filter,
    nodes.Call: _call,
    nodes.FunctionOf: _function,
    nodes.InstanceOf: _instance_of,
    nodes.UnaryTests: _unary_tests,
    nodes.Comparator: _comparator,
    nodes.TypeName: _type_name,
}
