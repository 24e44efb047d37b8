"""The syntax tree of a FEEL expression (DMN 1.5, chapter 10).

Every node knows where its text begins and ends, so that a message can point at it. Nodes are
plain data; parsing is in `parser`, meaning in `interpreter`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of an expression; `start` and `end` are offsets into its text."""

    start: int = field(compare=False, kw_only=True, default=0)
    end: int = field(compare=False, kw_only=True, default=0)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number (Decimal), string, boolean, null (None), or temporal literal `@"..."`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, parameter or function by its name; spaces in it are single."""

    name: str


@dataclass(frozen=True, slots=True)
class Path(Node):
    """`operand.name`."""

    operand: Node
    name: str


@dataclass(frozen=True, slots=True)
class Descendants(Node):
    """`operand...name`: every value of that name at any depth."""

    operand: Node
    name: str


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """`- operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`left operator right`, operator one of + - * / **."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`left operator right`, operator one of = != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conjunction(Node):
    """`left and right`."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Disjunction(Node):
    """`left or right`."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`operand between low and high`."""

    operand: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class In(Node):
    """`operand in test` or `operand in (test, test)`: tests as in `UnaryTests`."""

    operand: Node
    tests: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if condition then consequent else alternative`."""

    condition: Node
    consequent: Node
    alternative: Node


@dataclass(frozen=True, slots=True)
class Iterator(Node):
    """`name in domain`, or `name in low..high` when `high` is given."""

    name: str
    domain: Node
    high: Node | None = None


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for iterators return body`."""

    iterators: tuple[Iterator, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`some iterators satisfies body`, or `every ...`."""

    quantifier: str
    iterators: tuple[Iterator, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """`[item, item]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ContextOf(Node):
    """`{key: value, ...}`, entries in order; later ones see earlier ones."""

    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class RangeOf(Node):
    """`[low..high]`, `(low..high)`, `]low..high[`.

    An end is missing in a range such as `(< 5)`; `(= 5)` has one node as both ends.
    """

    low: Node | None
    high: Node | None
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True)
class OtherThan(Node):
    """`(!= operand)` as a value: every value but one."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`operand[condition]`."""

    operand: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function(arguments)`; `names` is None for positional arguments."""

    function: Node
    arguments: tuple[Node, ...]
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type in `instance of` or a function's parameters.

    `name` is `number`, `string`, ... or `list`, `range`, `context`, `function`, with `arguments`
    for what stands in angle brackets; `fields` names a context's entries.
    """

    name: str
    arguments: tuple[TypeName, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    """`operand instance of type`."""

    operand: Node
    type: TypeName


@dataclass(frozen=True, slots=True)
class FunctionOf(Node):
    """`function(parameters) body`; `external` when the body is foreign code, which is null."""

    parameters: tuple[tuple[str, TypeName | None], ...]
    body: Node
    external: bool = False


@dataclass(frozen=True, slots=True)
class Comparator(Node):
    """A unary test that begins with an operator: `< 5`, `>= x`, `!= "a"`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class UnaryTests(Node):
    """`test, test`, or `not(test, test)` when `negated`, or `-` (anything) when `tests` is empty.

    A test is a `Comparator`, a `RangeOf`, or an expression that may use `?`, the value tested.
    """

    tests: tuple[Node, ...]
    negated: bool = False
