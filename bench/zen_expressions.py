"""FEEL of a rule set as ZEN expressions, with the tests for null that ZEN's strict operators need.

In ZEN arithmetic, order and truth of null are errors that end the evaluation, so each expression
is guarded as an author must guard it: `a != null and b != null ? a * b : null`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from contracts.quantities import plain
from engine.feel import nodes


class NoZenForm(Exception):  # noqa: N818 - not an error: the graph goes without this figure
    """An expression that ZEN cannot say."""


@dataclass(frozen=True, slots=True)
class Zen:
    """ZEN text that may be computed where all guards hold; `nullable` if even then it may be null."""

    text: str
    guards: tuple[str, ...] = ()
    nullable: bool = False

    def value(self) -> str:
        """The text as one expression, null where a guard does not hold."""
        return f"({self.test()} ? {self.text} : null)" if self.guards else self.text

    def known(self) -> tuple[str, ...]:
        """What must hold for the text to be computed and not null."""
        return (*self.guards, f"{self.text} != null") if self.nullable else self.guards

    def test(self) -> str:
        """All guards as one condition."""
        return " and ".join(self.guards)


class Names(Protocol):
    """What names of the rule set are called where a ZEN expression stands."""

    def scalar(self, address: str) -> str:
        """A parameter, input, value or decision."""

    def is_certain(self, address: str) -> bool:
        """Whether a name stands for a number other than zero in every case."""

    def own(self, column: str) -> str:
        """A column of the row at hand."""

    def rows(self, table: str) -> str:
        """A table as a list of objects, of use only where `has_rows` holds."""

    def has_rows(self, table: str) -> tuple[str, ...]:
        """The test that a table is known; none if it always is."""

    def raised(self, code: str) -> str:
        """Whether a finding was raised."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Translates the expressions of one place; `tables` are the names of tables."""

    names: Names
    tables: frozenset[str]
    local: frozenset[str] = frozenset()

    def emit(self, node: nodes.Node) -> Zen:
        """A FEEL expression in ZEN.

        Raises:
            NoZenForm: ZEN has nothing like it.
        """
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise NoZenForm(type(node).__name__)
        return handler(self, node)

    def condition(self, node: nodes.Node) -> str:
        """A ZEN condition that holds where the FEEL expression is true, not where it is null."""
        if isinstance(node, nodes.Conjunction | nodes.Disjunction):
            word = "and" if isinstance(node, nodes.Conjunction) else "or"
            return f"({self.condition(node.left)} {word} {self.condition(node.right)})"
        zen = self.emit(node)
        text = f"{zen.text} == true" if zen.nullable else zen.text
        return f"({' and '.join((*zen.guards, text))})"


def _literal(_translation: Translation, node: nodes.Literal) -> Zen:
    if node.value is None:
        return Zen("null", nullable=True)
    if isinstance(node.value, bool):
        return Zen("true" if node.value else "false")
    if isinstance(node.value, Decimal):
        return Zen(plain(node.value))
    if isinstance(node.value, str):
        return Zen(quoted(node.value))
    raise NoZenForm(type(node.value).__name__)


def quoted(text: str) -> str:
    """A text as a ZEN literal, which has no escapes."""
    if "'" in text:
        raise NoZenForm("a quote inside a text")
    return f"'{text}'"


def _name(translation: Translation, node: nodes.Name) -> Zen:
    if node.name in translation.local:
        return Zen(node.name, nullable=True)
    if node.name in translation.tables:
        return Zen(translation.names.rows(node.name), translation.names.has_rows(node.name))
    certain = translation.names.is_certain(node.name)
    return Zen(translation.names.scalar(node.name), nullable=not certain)


def _path(translation: Translation, node: nodes.Path) -> Zen:
    if isinstance(node.operand, nodes.Call):
        return _years(translation, node.operand, node.name)
    if not isinstance(node.operand, nodes.Name):
        raise NoZenForm("a path of an expression")
    owner = node.operand.name
    if owner == "row":
        return Zen(translation.names.own(node.name), nullable=True)
    if owner not in translation.tables:
        raise NoZenForm("a part of a decision")
    rows, known = translation.names.rows(owner), translation.names.has_rows(owner)
    return Zen(f"map({rows}, #.{node.name})", known)


def _years(translation: Translation, call: nodes.Call, part: str) -> Zen:
    function = call.function
    if (
        not isinstance(function, nodes.Name)
        or function.name != "years and months duration"
        or part != "years"
    ):
        raise NoZenForm("a path of a function's result")
    start, end = (translation.emit(argument) for argument in call.arguments)
    return Zen(f"d({end.text}).diff(d({start.text}), 'year')", _both(start, end))


def _both(*parts: Zen) -> tuple[str, ...]:
    """Everything that must hold for all parts to be known, each test once."""
    return tuple(dict.fromkeys(test for part in parts for test in part.known()))


def _negation(translation: Translation, node: nodes.Negation) -> Zen:
    part = translation.emit(node.operand)
    return Zen(f"(-{part.text})", part.known())


def _arithmetic(translation: Translation, node: nodes.Arithmetic) -> Zen:
    left, right = translation.emit(node.left), translation.emit(node.right)
    guards = _both(left, right)
    certain = isinstance(node.right, nodes.Literal) or (
        isinstance(node.right, nodes.Name) and translation.names.is_certain(node.right.name)
    )
    if node.operator == "/" and not certain:
        guards = (*guards, f"{right.text} != 0")
    operator = "^" if node.operator == "**" else node.operator
    return Zen(f"({left.text} {operator} {right.text})", guards)


def _comparison(translation: Translation, node: nodes.Comparison) -> Zen:
    left, right = translation.emit(node.left), translation.emit(node.right)
    if node.operator in {"=", "!="}:
        operator = "==" if node.operator == "=" else "!="
        return Zen(f"({left.value()} {operator} {right.value()})")
    return Zen(f"({left.text} {node.operator} {right.text})", _both(left, right))


def _logical(translation: Translation, node: nodes.Conjunction | nodes.Disjunction) -> Zen:
    # Only where false serves as well as null, which holds for all conditions of rule sets.
    return Zen(translation.condition(node))


def _if(translation: Translation, node: nodes.If) -> Zen:
    consequent, alternative = (
        translation.emit(node.consequent),
        translation.emit(node.alternative),
    )
    test = translation.condition(node.condition)
    text = f"({test} ? {consequent.value()} : {alternative.value()})"
    nullable = bool(consequent.known() or alternative.known())
    return Zen(text, nullable=nullable)


def _quantified(translation: Translation, node: nodes.Quantified) -> Zen:
    if len(node.iterators) != 1 or node.quantifier != "some" or node.iterators[0].high is not None:
        raise NoZenForm(node.quantifier)
    (iterator,) = node.iterators
    domain = translation.emit(iterator.domain)
    inner = Translation(translation.names, translation.tables, translation.local | {iterator.name})
    body = inner.condition(node.body)
    return Zen(f"some({domain.text} as {iterator.name}, {body})", domain.known())


# ---- functions ----------------------------------------------------------------------------------


def _call(translation: Translation, node: nodes.Call) -> Zen:
    name = node.function.name if isinstance(node.function, nodes.Name) else ""
    handler = _FUNCTIONS.get(name)
    if handler is None or node.names is not None:
        raise NoZenForm(f"{name}()")
    return handler(translation, node.arguments)


Arguments = tuple[nodes.Node, ...]


def _total(translation: Translation, arguments: Arguments) -> Zen:
    (column,) = arguments
    part = translation.emit(column)
    if not isinstance(column, nodes.Path):
        raise NoZenForm("total() of an expression")
    assert isinstance(column.operand, nodes.Name)
    rows = translation.names.rows(column.operand.name)
    return Zen(f"sum({part.text})", (*part.guards, f"all({rows}, #.{column.name} != null)"))


def _count(translation: Translation, arguments: Arguments) -> Zen:
    (column,) = arguments
    if isinstance(column, nodes.Path) and isinstance(column.operand, nodes.Name):
        column = column.operand
    part = translation.emit(column)
    return Zen(f"len({part.text})", part.known())


def _first_known(translation: Translation, arguments: Arguments) -> Zen:
    parts = [translation.emit(argument) for argument in arguments]
    certain = any(not part.known() for part in parts)
    return Zen(f"({' ?? '.join(part.value() for part in parts)})", nullable=not certain)


def _least_known(translation: Translation, arguments: Arguments) -> Zen:
    parts = [translation.emit(argument).value() for argument in arguments]
    some = " or ".join(f"{part} != null" for part in parts)
    return Zen(f"min(filter([{', '.join(parts)}], # != null))", (f"({some})",))


def _extreme(function: str) -> Callable[[Translation, Arguments], Zen]:
    def translate(translation: Translation, arguments: Arguments) -> Zen:
        parts = [translation.emit(argument) for argument in arguments]
        if len(parts) == 1:
            raise NoZenForm(f"{function}() of a list")
        listed = ", ".join(part.text for part in parts)
        return Zen(f"{function}([{listed}])", _both(*parts))

    return translate


def _differ(translation: Translation, arguments: Arguments) -> Zen:
    left, right, *tolerance = [translation.emit(argument) for argument in arguments]
    guards = _both(left, right, *tolerance)
    if not tolerance:
        return Zen(f"({left.text} != {right.text})", guards)
    return Zen(f"(abs({left.text} - {right.text}) > {tolerance[0].text})", guards)


def _abs(translation: Translation, arguments: Arguments) -> Zen:
    part = translation.emit(arguments[0])
    return Zen(f"abs({part.text})", part.known())


def _not(translation: Translation, arguments: Arguments) -> Zen:
    part = translation.emit(arguments[0])
    return Zen(f"(not {part.text})", part.known())


def _contains(translation: Translation, arguments: Arguments) -> Zen:
    items, item = (translation.emit(argument) for argument in arguments)
    return Zen(f"({item.value()} in {items.text})", items.guards)


def _raised(translation: Translation, arguments: Arguments) -> Zen:
    (code,) = arguments
    assert isinstance(code, nodes.Literal)
    return Zen(translation.names.raised(code.value))


def _given_or_calculated(which: str) -> Callable[[Translation, Arguments], Zen]:
    def translate(translation: Translation, arguments: Arguments) -> Zen:
        (argument,) = arguments
        if isinstance(argument, nodes.Path) and argument.operand == nodes.Name("row"):
            return Zen(translation.names.own(f"{which}_{argument.name}"), nullable=True)
        if isinstance(argument, nodes.Name):
            return Zen(translation.names.scalar(f"{which}_{argument.name}"), nullable=True)
        raise NoZenForm(f"{which}() of a column")

    return translate


_FUNCTIONS: Mapping[str, Callable[[Translation, Arguments], Zen]] = {
    "total": _total,
    "count": _count,
    "first known": _first_known,
    "least known": _least_known,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "abs": _abs,
    "differ": _differ,
    "not": _not,
    "list contains": _contains,
    "raised": _raised,
    "given": _given_or_calculated("given"),
    "calculated": _given_or_calculated("calculated"),
}

_HANDLERS: Mapping[type[nodes.Node], Callable[[Translation, Any], Zen]] = {
    nodes.Literal: _literal,
    nodes.Name: _name,
    nodes.Path: _path,
    nodes.Negation: _negation,
    nodes.Arithmetic: _arithmetic,
    nodes.Comparison: _comparison,
    nodes.Conjunction: _logical,
    nodes.Disjunction: _logical,
    nodes.If: _if,
    nodes.Quantified: _quantified,
    nodes.Call: _call,
}


def rounded(zen: Zen, mode: str, step: Decimal) -> Zen:
    """The value at a step; ZEN's `round` goes half away from zero, as `nearest` does."""
    if zen.nullable and zen.text.replace("_", "").replace(".", "").replace("$", "").isalnum():
        zen = Zen(zen.text, zen.known())
    elif zen.nullable:
        # A local name, so that what may be null is computed once.
        inner = rounded(Zen("exact"), mode, step)
        return Zen(
            f"(exact = {zen.text}; exact != null ? {inner.text} : null)", zen.guards, nullable=True
        )
    exponent = step.as_tuple().exponent
    assert isinstance(exponent, int)
    if mode == "nearest" and step == Decimal(1).scaleb(exponent) and exponent <= 0:
        text = f"round({zen.text}, {-exponent})" if exponent else f"round({zen.text})"
        return Zen(text, zen.guards)
    function = {"nearest": "round", "floor": "floor", "ceil": "ceil"}[mode]
    return Zen(f"({function}({zen.text} / {plain(step)}) * {plain(step)})", zen.guards)
