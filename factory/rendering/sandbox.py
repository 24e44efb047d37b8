"""What a template may say: a small part of Jinja, on plain data, with every loop counted.

Nothing is trusted to the sandbox alone. A template is parsed and each construct compared with a
list before any of it runs; attributes are looked up in data only, so that nothing that can be
called is ever within reach; and what a loop runs through is counted before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: All that the loops of one report may run through, and the most that a text may be multiplied to.
MOST_TURNS = 200_000
LONGEST_RANGE = 1_000
LONGEST_TEXT = 100_000
DEEPEST = 40

#: Names that only the renderer writes into a template; no name of a template begins like this.
PRIVATE = "_"
STATE, RUN, ROWS = "_state", "_run", "_rows"

_LOOP = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
)


class Shown(str):
    """A text to be printed, which knows the field it shows, and whether that is known."""

    __slots__ = ("field", "known")
    field: str
    known: bool

    def __new__(cls, text: str, field: str = "", *, known: bool = True) -> Self:
        """A text of a field."""
        made = super().__new__(cls, text)
        made.field, made.known = field, known
        return made


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture among the data, such as the letterhead's logo; sides are millimetres."""

    number: int
    width: float
    height: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a template says and may not, or cannot be done; `about` is found in its text."""

    code: str
    what: str
    about: str = ""
    why: str = ""
    fix: str = ""


class FaultError(Exception):
    """Ends the rendering because of a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


@dataclass
class State:
    """One rendering: how far its loops have run, and the faults it came across."""

    print_run: Callable[[Any, int], str] | None = None
    turns: int = 0
    faults: list[Fault] = field(default_factory=list)


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Jinja with what templates need and nothing else."""

    # Only numbers are added or multiplied: '%' formats texts, and '*' makes them as long as wanted.
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self) -> None:
        super().__init__(autoescape=True, undefined=StrictUndefined, cache_size=0)
        self.globals = {"range": _bounded_range}
        self.filters = {**_FILTERS, RUN: _printed_run, ROWS: _counted}
        self.tests = {name: self.tests[name] for name in _JINJA_TESTS} | TESTS

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An entry of the data by its name; objects have no attributes here but these few."""
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        if (isinstance(obj, Shown) and attribute in {"field", "known"}) or (
            isinstance(obj, LoopContext) and attribute in _LOOP
        ):
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An entry of a mapping by its name, or of a list by its number."""
        is_index = type(argument) is int and isinstance(obj, list | tuple | range)
        if is_index or (isinstance(argument, str) and isinstance(obj, dict)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Nothing is looked up this way."""
        del obj, attr, value
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        """Only `range` is called."""
        return obj is _bounded_range

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """A number made from two others."""
        del context
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is not known
            if type(value) is not int or abs(value) > 10**12:
                raise SecurityError(f"'{operator}' is for counting, with whole numbers only")
        if operator == "**":
            raise SecurityError("'**' is not for templates")
        return self.binop_table[operator](left, right)


def check_tree(tree: nodes.Template) -> Iterator[tuple[Fault, int]]:
    """Everything in a template that templates may not say, and in which of its lines."""
    waiting: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, depth, line = waiting.pop()
        line = node.lineno or line
        what = _refusal(node)
        if depth > DEEPEST:
            what = "it is nested too deeply"
        if what:
            fault = Fault(
                "E643",
                f"a template cannot use this: {what}",
                why="Templates print fields and repeat or leave out parts, and nothing else.",
                fix="docs/templates.md lists what can be written.",
            )
            yield fault, line
            continue
        waiting += [(child, depth + 1, line) for child in node.iter_child_nodes()]


def count_loops(tree: nodes.Template) -> None:
    """Let everything that loops run through be counted first."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, ROWS, [], [], None, None, lineno=loop.lineno)


def _refusal(node: nodes.Node) -> str | None:
    match node:
        case nodes.Name(name=name) if name.startswith(PRIVATE):
            return f"the name '{name}'"
        case nodes.Getattr(attr=name) if name.startswith(PRIVATE):
            return f"the name '{name}'"
        case nodes.Getitem(arg=nodes.Const(value=str() as name)) if name.startswith(PRIVATE):
            return f"the name '{name}'"
        case nodes.Call(node=nodes.Name(name="range"), kwargs=[], dyn_args=None, dyn_kwargs=None):
            return None
        case nodes.Call():
            return "calls, with '(' behind a name"
        case nodes.Filter(name=name) if name not in _FILTERS:
            return f"the filter '{name}'"
        case nodes.Test(name=name) if name not in {*_JINJA_TESTS, *TESTS}:
            return f"the test '{name}'"
        case nodes.For(recursive=True):
            return "loops that call themselves"
        case nodes.Pow():
            return "'**'"
        case nodes.Const(value=str() as text) if len(text) > LONGEST_TEXT:
            return "a text of this length"
        case nodes.Expr() | nodes.Helper() | nodes.Template() | nodes.Output():
            allowed: tuple[type[nodes.Node], ...] = _EXPRESSIONS
        case _:
            allowed = _STATEMENTS
    word = type(node).__name__
    return None if isinstance(node, allowed) else f"'{_WORDS.get(word, word.lower())}'"


#: What people write, where Jinja calls it otherwise.
_WORDS = {
    "AssignBlock": "{% set %} with an end",
    "CallBlock": "call",
    "Dict": "{...}",
    "FilterBlock": "filter",
    "FromImport": "from",
    "NSRef": "a part of a name in {% set %}",
    "Scope": "autoescape",
}


_STATEMENTS = (nodes.If, nodes.For, nodes.Assign)
_EXPRESSIONS = (
    nodes.Add, nodes.And, nodes.Compare, nodes.Concat, nodes.CondExpr, nodes.Const, nodes.Div,
    nodes.Filter, nodes.FloorDiv, nodes.Getattr, nodes.Getitem, nodes.List, nodes.Mod, nodes.Mul,
    nodes.Name, nodes.Neg, nodes.Not, nodes.Operand, nodes.Or, nodes.Output, nodes.Slice, nodes.Sub,
    nodes.Template, nodes.TemplateData, nodes.Test, nodes.Tuple,
)  # fmt: skip


def _bounded_range(*bounds: int) -> range:
    if not all(type(bound) is int for bound in bounds):
        raise SecurityError("range() takes whole numbers")
    found = range(*bounds)
    if len(found) > LONGEST_RANGE:
        raise SecurityError(f"range() counts to {LONGEST_RANGE} at most")
    return found


@pass_context
def _counted(context: Context, rows: Any) -> Any:
    """What a loop runs through, once its turns are added to those of the report."""
    if isinstance(rows, Undefined):
        str(rows)  # raises, and says what is not known
    if isinstance(rows, dict):
        rows = list(rows.values())
    if not isinstance(rows, list | tuple | range):
        raise FaultError(
            Fault("E645", "a loop runs through something that is no list", fix="Name a table.")
        )
    state: State = context.parent[STATE]
    state.turns += len(rows)
    if state.turns > MOST_TURNS:
        raise FaultError(
            Fault("E646", f"the loops of the template have more than {MOST_TURNS:,} turns")
        )
    return rows


@pass_context
def _printed_run(context: Context, value: Any, number: int) -> Markup:
    state: State = context.parent[STATE]
    assert state.print_run is not None
    return Markup(state.print_run(value, number))  # noqa: S704 - made of escaped texts only


def _text(value: Any) -> str:
    """A value as text; what is not known makes its own complaint."""
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise SecurityError("a text is too long")
    return text


def _joined(rows: Any, between: str = ", ") -> str:
    if not isinstance(rows, list | tuple):
        raise SecurityError("only a list can be joined")
    if len(rows) * len(between) > LONGEST_TEXT:
        raise SecurityError("a text is too long")
    return _text(str(between).join(_text(row) for row in rows))


def _length(value: Any) -> int:
    return len(value)


def _first(rows: Any) -> Any:
    return rows[0] if rows else ""


def _last(rows: Any) -> Any:
    return rows[-1] if rows else ""


def _default(value: Any, instead: Any = "", also_if_empty: Any = False) -> Any:
    missing = isinstance(value, Undefined) or (also_if_empty and not value)
    return instead if missing else value


_FILTERS: dict[str, Any] = {
    "capitalize": lambda value: _text(value).capitalize(),
    "count": _length,
    "default": _default,
    "first": _first,
    "join": _joined,
    "last": _last,
    "length": _length,
    "lower": lambda value: _text(value).lower(),
    "title": lambda value: _text(value).title(),
    "trim": lambda value: _text(value).strip(),
    "upper": lambda value: _text(value).upper(),
}
_JINJA_TESTS = (
    "!=", "<", "<=", "==", ">", ">=", "defined", "divisibleby", "eq", "equalto", "even", "false",
    "ge", "gt", "in", "le", "lt", "ne", "none", "odd", "string", "true", "undefined",
)  # fmt: skip


def _is_known(value: Any) -> bool:
    """Whether there is something to print: a figure that is known, a text that is stated."""
    if isinstance(value, Undefined) or value is None:
        return False
    return value.known if isinstance(value, Shown) else True


#: Tests beside Jinja's own.
TESTS: dict[str, Callable[..., bool]] = {
    "known": _is_known,
    "shown": lambda value: isinstance(value, Shown),
}
