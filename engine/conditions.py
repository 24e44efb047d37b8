"""Conditions of a profile: FEEL over the contract, checked when read, quick when asked.

A condition sees the contract's facts by their paths. A quantity is a context `{value, unit}`, so
that `property.land_area != null` and `valuation_inputs.fmv_input.value > 50000000` can be said.
Most conditions are of a few plain forms; those run as Python closures, which tests hold against
the FEEL evaluator, and everything else runs in the evaluator itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from contracts.contract import Contract
from contracts.quantities import Quantity
from engine.feel import FeelError, evaluate_node, nodes, parse_expression
from engine.feel.parser import children
from engine.rules.contract_paths import Leaf, look_up, reader

Holds = Callable[[Contract], bool]
#: A FEEL value: true, false, null and the like.
Ask = Callable[[Contract], Any]

SECTIONS = frozenset(Contract.model_fields)
#: An answer from these would depend on the day it is asked.
CLOCK = frozenset({"today", "now"})


def parse_condition(text: str) -> nodes.Node:
    """The syntax tree of a condition.

    Raises:
        FeelError: the text is no FEEL expression, or is too long or too deep.
    """
    return parse_expression(text, SECTIONS)


def compile_condition(text: str) -> Holds:
    """A function that says whether the condition is exactly true for a contract.

    A condition that is false or null does not hold. One that breaks a bound of the evaluator
    holds: what it guards is then asked for once too often rather than left out in silence.

    Raises:
        FeelError: the text is no FEEL expression (callers have seen `check_condition`).
    """
    node = parse_condition(text)
    ask = plain_form(node) or _evaluated(node)
    return lambda contract: ask(contract) is True


def _evaluated(node: nodes.Node) -> Ask:
    parts = tuple(sorted(set(_parts_read(node)), key=str))

    def ask(contract: Contract) -> Any:
        try:
            return evaluate_node(node, context_of(contract, parts))
        except FeelError:
            return True

    return ask


def _parts_read(node: nodes.Node) -> Iterator[tuple[str, str | None]]:
    """The facts that a condition may read: a section and a field of it, or the whole section."""
    match node:
        case nodes.Path(operand=nodes.Name(name=section), name=field) if section in SECTIONS:
            yield section, field
        case nodes.Name(name=section) if section in SECTIONS:
            yield section, None
        case _:
            for child in children(node):
                yield from _parts_read(child)


def context_of(
    contract: Contract, parts: tuple[tuple[str, str | None], ...] | None = None
) -> dict[str, Any]:
    """The contract as a FEEL context; with `parts`, only those sections and fields of it."""
    if parts is None:
        parts = tuple((section, None) for section in sorted(SECTIONS))
    context: dict[str, Any] = {}
    for section, field in parts:
        part = getattr(contract, section)
        if field is None or not hasattr(part, field):
            context[section] = as_feel(part)
        else:
            context.setdefault(section, {})[field] = as_feel(getattr(part, field))
    return context


def as_feel(value: Any) -> Any:
    """A value of the contract as FEEL takes it."""
    if isinstance(value, Quantity):
        one = len(value.terms) == 1
        return {"value": value.value if one else None, "unit": value.unit if one else None}
    if isinstance(value, BaseModel):
        return {name: as_feel(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list | tuple):
        return [as_feel(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): as_feel(item) for name, item in value.items()}
    return value


def plain_form(node: nodes.Node) -> Ask | None:
    """A function for a plain form; None for a form that is left to the evaluator."""
    match node:
        case nodes.Literal(value=value) if isinstance(value, bool) or value is None:
            return lambda _contract: value
        case nodes.Path() if (kind := _kind(node)) and kind[1].kind == "boolean":
            return kind[0]
        case nodes.Comparison(operator="=" | "!=" as operator, left=left, right=right):
            return _comparison(left, right, negated=operator == "!=")
        case nodes.Comparison(
            operator=">",
            left=nodes.Call(function=nodes.Name(name="count"), arguments=(rows,), names=None),
            right=nodes.Literal(value=Decimal() as number),
        ) if number == 0:
            return _has_rows(rows)
        case nodes.Call(function=nodes.Name(name="not"), arguments=(inner,), names=None):
            asked = plain_form(inner)
            return None if asked is None else _not(asked)
        case nodes.Conjunction(left=left, right=right):
            return _both(plain_form(left), plain_form(right), stop=False)
        case nodes.Disjunction(left=left, right=right):
            return _both(plain_form(left), plain_form(right), stop=True)
    return None


def _comparison(left: nodes.Node, right: nodes.Node, *, negated: bool) -> Ask | None:
    """A fact against null, a text or a truth value of its own kind."""
    if not isinstance(right, nodes.Literal):
        left, right = right, left
    if not isinstance(right, nodes.Literal):
        return None
    value = right.value
    found = _kind(left)
    if found is None:
        return None
    read = found[0]
    if value is None:
        if negated:
            return lambda contract: read(contract) is not None
        return lambda contract: read(contract) is None
    if found[1].kind != {str: "text", bool: "boolean"}.get(type(value)):
        return None
    if negated:
        return lambda contract: read(contract) != value
    return lambda contract: read(contract) == value


def _has_rows(node: nodes.Node) -> Ask | None:
    """Whether a table has a row; null when the table is not known."""
    found = _kind(node)
    if found is None or found[1].kind != "table":
        return None
    read = found[0]

    def ask(contract: Contract) -> Any:
        rows = read(contract)
        return None if rows is None else bool(rows)

    return ask


def _kind(node: nodes.Node) -> tuple[Ask, Leaf] | None:
    """How to read a path outside tables, and what it holds."""
    steps: list[str] = []
    while isinstance(node, nodes.Path):
        steps.append(node.name)
        node = node.operand
    if not steps or not isinstance(node, nodes.Name) or node.name not in SECTIONS:
        return None
    path = ".".join([node.name, *reversed(steps)])
    leaf = look_up(path)
    return (reader(path), leaf) if isinstance(leaf, Leaf) else None


def _not(ask: Ask) -> Ask:
    def negate(contract: Contract) -> Any:
        answer = ask(contract)
        return None if answer is None else not answer

    return negate


def _both(left: Ask | None, right: Ask | None, *, stop: bool) -> Ask | None:
    """FEEL's `and` (`stop` is false) or `or` (`stop` is true), with null for not known."""
    if left is None or right is None:
        return None

    def ask(contract: Contract) -> Any:
        first = left(contract)
        if first is stop:
            return stop
        second = right(contract)
        if second is stop:
            return stop
        return None if first is None or second is None else not stop

    return ask
