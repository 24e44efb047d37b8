"""The way in: FEEL text or a syntax tree, and the caller's variables, to a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import DecimalException, localcontext
from typing import Any

from engine.feel import nodes
from engine.feel.bounds import DEFAULT_BOUNDS, Bounds
from engine.feel.conversion import Variables, from_python, to_python
from engine.feel.errors import FeelNestingLimitError, FeelNumberLimitError
from engine.feel.interpreter import Closure, Scope, compiled
from engine.feel.parser import parse_expression, parse_unary_tests
from engine.feel.properties import PROPERTY_NAMES
from engine.feel.run import Reason, Run, arithmetic
from engine.feel.values import FeelFunction, Value

# Compiled trees, by identity: hashing a tree would cost more than evaluating it.
_COMPILED: dict[int, tuple[nodes.Node, Closure]] = {}
_COMPILED_KEPT = 8192
# How deep names of entries are looked for in the caller's variables.
_ENTRY_LEVELS = 6
_ENTRY_SAMPLE = 20

ExtraFunctions = Mapping[str, Callable[..., Any]]


def evaluate(
    text: str,
    context: Mapping[str, Any] | None = None,
    *,
    today: Any = None,
    now: Any = None,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> Any:
    """The value of a FEEL expression.

    Args:
        text: the expression.
        context: its variables; keys may hold spaces.
        today: what `today()` gives, a `datetime.date`; null when not said.
        now: what `now()` gives, a `datetime.datetime`; null when not said.
        bounds: what the evaluation may use.

    Returns:
        Decimal, str, bool, None, list, dict, `datetime.date`, `.time`, `.datetime` or
        `.timedelta`, or a type of this package where Python has none that holds the value:
        `YearsMonthsDuration`, `FeelRange`, `FeelFunction`, and `Date`, `Time`, `DateTime`,
        `DaysTimeDuration` beyond Python's years and microseconds. A fault inside the expression
        gives None.

    Raises:
        FeelSyntaxError: the text is no FEEL expression.
        FeelLimitError: a bound is crossed.

    >>> evaluate("price * (1 - discount)", {"price": 200, "discount": Decimal("0.05")})
    Decimal('190.00')
    """
    value, _ = evaluate_with_reasons(text, context, today=today, now=now, bounds=bounds)
    return value


def evaluate_with_reasons(
    text: str,
    context: Mapping[str, Any] | None = None,
    *,
    today: Any = None,
    now: Any = None,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> tuple[Any, tuple[Reason, ...]]:
    """The value of an expression, and why each null inside it came; else as `evaluate`."""
    with _guarded(bounds):
        session = Session(context, today=today, now=now, bounds=bounds)
        variables = session.variables
        node = parse_expression(
            text, variables, entries=entry_names(variables), bounds=bounds, several=True
        )
        value = session.value(node)
        return to_python(session.run, value), tuple(session.run.reasons)


def evaluate_unary_tests(
    text: str,
    value: Any,
    context: Mapping[str, Any] | None = None,
    *,
    today: Any = None,
    now: Any = None,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> bool | None:
    """Whether a value passes the unary tests of a decision table's cell; null when undecided.

    Raises:
        FeelSyntaxError: the text is no list of unary tests.
        FeelLimitError: a bound is crossed.
    """
    with _guarded(bounds):
        given = {**(context or {}), "?": value}
        session = Session(given, today=today, now=now, bounds=bounds)
        entries = entry_names(session.variables)
        node = parse_unary_tests(text, session.variables, entries=entries, bounds=bounds)
        verdict = session.value(node)
    return verdict if isinstance(verdict, bool) else None


def evaluate_node(
    node: nodes.Node,
    context: Mapping[str, Any] | Variables | None = None,
    *,
    functions: ExtraFunctions | None = None,
    today: Any = None,
    now: Any = None,
    bounds: Bounds = DEFAULT_BOUNDS,
    reasons: list[Reason] | None = None,
) -> Any:
    """The value of a syntax tree.

    Args:
        node: from `parse_expression` or `parse_unary_tests`; the latter tests the variable `?`.
        context: the variables; a `Variables` is converted once for many evaluations.
        functions: more functions by FEEL name. Each takes its arguments as FEEL values by
            position and returns a FEEL or Python value.
        today: what `today()` gives.
        now: what `now()` gives.
        bounds: what the evaluation may use.
        reasons: filled with why nulls came.

    Returns:
        As `evaluate`.

    Raises:
        FeelLimitError: a bound is crossed.
    """
    with _guarded(bounds):
        session = Session(context, functions=functions, today=today, now=now, bounds=bounds)
        value = to_python(session.run, session.value(node))
    if reasons is not None:
        reasons.extend(session.run.reasons)
    return value


class Session:
    """Many evaluations over the same variables: the quick way in for a rule set.

    Attributes:
        variables: may be added to between evaluations.
        run: its `reasons` say why the nulls of the last evaluation came.
    """

    __slots__ = ("run", "scope", "variables")

    def __init__(
        self,
        context: Mapping[str, Any] | Variables | None = None,
        *,
        functions: ExtraFunctions | None = None,
        today: Any = None,
        now: Any = None,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self.run = Run(bounds)
        self.variables = context if isinstance(context, Variables) else Variables(context)
        extra = Scope(self.run, _extra_functions(functions)) if functions else None
        self.scope = Scope(self.run, self.variables.converted, extra, self.variables)
        self.run.today = None if today is None else from_python(self.run, today)
        self.run.now = None if now is None else from_python(self.run, now)

    def value(self, node: nodes.Node) -> Value:
        """The FEEL value of a syntax tree, not yet turned into Python's dates and times.

        Each call may use the bounds anew.

        Raises:
            FeelLimitError: a bound is crossed.
        """
        run = self.run
        run.steps, run.calls = run.bounds.steps, 0
        if run.reasons:
            run.reasons = []
        closure = _closure(node)
        try:
            # Operators on decimals follow the thread's context, so it must be FEEL's here.
            with localcontext(run.numbers):
                return closure(self.scope)
        except RecursionError:
            raise FeelNestingLimitError(_TOO_DEEP) from None
        except (DecimalException, MemoryError):
            raise FeelNumberLimitError(_TOO_LARGE) from None


_TOO_DEEP = "the expression or a value is nested too deep"
_TOO_LARGE = "a number is too large"


@contextmanager
def _guarded(bounds: Bounds) -> Iterator[None]:
    """FEEL's arithmetic, and named limits for what Python runs out of."""
    try:
        with localcontext(arithmetic(bounds.exponent)):
            yield
    except RecursionError:
        raise FeelNestingLimitError(_TOO_DEEP) from None
    except (DecimalException, MemoryError):
        raise FeelNumberLimitError(_TOO_LARGE) from None


def _closure(node: nodes.Node) -> Closure:
    known = _COMPILED.get(id(node))
    if known is not None and known[0] is node:
        return known[1]
    closure = compiled(node)
    if len(_COMPILED) >= _COMPILED_KEPT:
        _COMPILED.clear()
    _COMPILED[id(node)] = (node, closure)
    return closure


def _extra_functions(functions: ExtraFunctions) -> dict[str, Value]:
    return {name: _extra_function(name, function) for name, function in functions.items()}


def _extra_function(name: str, function: Callable[..., Any]) -> FeelFunction:
    def body(run: Run, arguments: list[Value]) -> Value:
        return from_python(run, function(*arguments))

    return FeelFunction(name, None, body)


def entry_names(variables: Variables) -> frozenset[str]:
    """Names that may stand after a dot: those of entries in the variables, and of properties."""
    return frozenset(_entry_names(variables.given, 0)) | PROPERTY_NAMES


def _entry_names(value: Any, level: int) -> Iterator[str]:
    if level >= _ENTRY_LEVELS:
        return
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if level and isinstance(key, str):
                yield key
            yield from _entry_names(entry, level + 1)
    elif isinstance(value, (list, tuple)):
        for item in value[:_ENTRY_SAMPLE]:
            yield from _entry_names(item, level)
