"""Which fields each tag of a template names, by the rules of loops and of nested facts.

The vocabulary is a tree: fields that are printed, records that hold others, tables that a loop
runs through. A walk over jinja2's syntax tree knows what each name stands for where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from contracts.problems import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that is printed."""


@dataclass(frozen=True, slots=True)
class Record:
    """Fields that belong together: `property.address`."""

    fields: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that a loop runs through; None if nothing is known of a row."""

    row: Shape


@dataclass(frozen=True, slots=True)
class Unsure:
    """Something of which nothing can be said, such as what a filter gives."""


Shape = Leaf | Record | Table | Unsure

LEAF, UNSURE = Leaf(), Unsure()
#: What a loop knows of itself.
_LOOP = Record(
    dict.fromkeys(("index", "index0", "revindex", "revindex0", "first", "last", "length"), LEAF)
    | {"previtem": UNSURE, "nextitem": UNSURE}
)
#: What is known of a field beside its text.
_OF_A_LEAF = frozenset({"field", "known"})


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that leads to no field: the line of its tag, what it is, and the nearest there is."""

    line: int
    what: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """What an expression stands for, and the path to it as the vocabulary calls it."""

    shape: Shape
    path: str = ""


@dataclass(slots=True)
class Walk:
    """One reading of a template: what its tags name."""

    vocabulary: Mapping[str, Shape]
    unknown: list[Unknown] = field(default_factory=list)
    #: Paths of the fields that are printed; columns as `floors.net`.
    printed: set[str] = field(default_factory=set)

    def read(self, tree: nodes.Template) -> None:
        """Follow every tag of a part."""
        scope = {name: _Found(shape, name) for name, shape in self.vocabulary.items()}
        self._body(tree.body, scope)

    def _body(self, body: Iterable[nodes.Node], scope: dict[str, _Found]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        if not isinstance(part, nodes.TemplateData):
                            self._print(part, scope)
                case nodes.If():
                    self._value(node.test, scope)
                    self._body([*node.body, *node.elif_, *node.else_], scope)
                case nodes.For():
                    self._loop(node, scope)
                case nodes.Assign():
                    value = self._value(node.node, scope)
                    self._bind(node.target, value, scope)
                case _:
                    # Forbidden, and told as such; what it names does not matter.
                    pass

    def _loop(self, node: nodes.For, scope: dict[str, _Found]) -> None:
        found = self._value(node.iter, scope)
        row = _Found(UNSURE)
        if isinstance(found.shape, Table):
            row = _Found(found.shape.row, found.path)
        elif isinstance(found.shape, Leaf) and found.path:
            self.unknown.append(
                Unknown(
                    node.lineno,
                    f"'{found.path}' is a field, and no table to loop over",
                    fix=self._tables(),
                )
            )
        inner = {**scope, "loop": _Found(_LOOP)}
        self._bind(node.target, row, inner)
        if node.test is not None:
            self._value(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, {**scope})

    def _bind(self, target: nodes.Node, value: _Found, scope: dict[str, _Found]) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = value
        else:
            for name in target.find_all(nodes.Name):
                scope[name.name] = _Found(UNSURE)

    def _print(self, node: nodes.Node, scope: dict[str, _Found]) -> None:
        found = self._value(node, scope, printing=True)
        if isinstance(found.shape, Table | Record):
            kind = "a table" if isinstance(found.shape, Table) else "a group of fields"
            self.unknown.append(
                Unknown(
                    node.lineno,
                    f"'{written(node)}' is {kind}, and cannot be printed as one text",
                    fix=_inside(found, written(node)),
                )
            )

    def _value(
        self, node: nodes.Node, scope: dict[str, _Found], *, printing: bool = False
    ) -> _Found:
        match node:
            case nodes.Name():
                found = scope.get(node.name)
                if found is None:
                    if node.name != "range":
                        self.unknown.append(self._no_name(node, scope))
                    return _Found(UNSURE)
            case nodes.Getattr():
                found = self._member(node, node.attr, scope)
            case nodes.Getitem(arg=nodes.Const(value=str() as name)):
                found = self._member(node, name, scope)
            case nodes.Getitem():
                whole = self._value(node.node, scope)
                self._value(node.arg, scope)
                found = _Found(UNSURE)
                if isinstance(whole.shape, Table):
                    is_part = isinstance(node.arg, nodes.Slice)
                    found = whole if is_part else _Found(whole.shape.row, whole.path)
            case nodes.Filter() if node.node is not None:
                whole = self._value(node.node, scope, printing=printing)
                for argument in node.args:
                    self._value(argument, scope, printing=printing)
                found = _Found(UNSURE)
                if node.name in {"first", "last"} and isinstance(whole.shape, Table):
                    found = _Found(whole.shape.row, whole.path)
                elif node.name == "default":
                    found = whole
            case nodes.CondExpr():
                self._value(node.test, scope)
                for way in (node.expr1, node.expr2):
                    if way is not None:
                        self._value(way, scope, printing=printing)
                return _Found(UNSURE)
            case _:
                for child in node.iter_child_nodes():
                    self._value(child, scope, printing=printing)
                return _Found(UNSURE)
        if printing and found.path and isinstance(found.shape, Leaf):
            self.printed.add(found.path)
        return found

    def _member(
        self, node: nodes.Getattr | nodes.Getitem, name: str, scope: dict[str, _Found]
    ) -> _Found:
        whole = self._value(node.node, scope)
        text = written(node.node)
        match whole.shape:
            case Record(fields=fields) if name in fields:
                return _Found(fields[name], f"{whole.path}.{name}" if whole.path else "")
            case Record(fields=fields):
                self.unknown.append(
                    _unknown(node.lineno, f"{text}.{name}", nearest(name, fields), f"{text}.")
                )
            case Table(row=row):
                known = isinstance(row, Record) and name in row.fields
                self.unknown.append(
                    Unknown(
                        node.lineno,
                        f"'{text}' is a table, so '{text}.{name}' names no single field",
                        fix=f"Write {{%tr for row in {text} %}}, and {{{{ row.{name} }}}} in the "
                        "rows that it repeats."
                        if known
                        else _inside(whole, text),
                    )
                )
            case Leaf() if name not in _OF_A_LEAF:
                beside = f"{text}_{name}"
                close = beside if self._is_beside(whole, name) else None
                self.unknown.append(_unknown(node.lineno, f"{text}.{name}", close, ""))
            case _:
                pass
        return _Found(UNSURE)

    def _is_beside(self, leaf: _Found, name: str) -> bool:
        group: Any = Record(self.vocabulary)
        *way, last = leaf.path.split(".")
        for step in way:
            if isinstance(group, Table):
                group = group.row
            group = group.fields.get(step) if isinstance(group, Record) else None
        if isinstance(group, Table):
            group = group.row
        return isinstance(group, Record) and f"{last}_{name}" in group.fields

    def _no_name(self, node: nodes.Name, scope: Mapping[str, _Found]) -> Unknown:
        inside = [
            f"{path}.{node.name}"
            for path, shape in sorted(self.vocabulary.items())
            if isinstance(shape, Table) and isinstance(shape.row, Record)
            if node.name in shape.row.fields
        ] + [
            f"{path}.{node.name}"
            for path, shape in sorted(self.vocabulary.items())
            if isinstance(shape, Record) and node.name in shape.fields
        ]
        problem = _unknown(node.lineno, node.name, nearest(node.name, scope), "")
        if not inside:
            return problem
        first = inside[0].split(".")[0]
        if isinstance(self.vocabulary[first], Table):
            return Unknown(
                node.lineno,
                f"unknown field '{node.name}'",
                why=f"'{node.name}' is a column of the table {first}.",
                fix=f"Write {{%tr for row in {first} %}}, and {{{{ row.{node.name} }}}} in the "
                "rows that it repeats.",
            )
        return _unknown(node.lineno, node.name, inside[0], "")

    def _tables(self) -> str:
        names = [name for name, shape in self.vocabulary.items() if isinstance(shape, Table)]
        return f"Tables are: {', '.join(sorted(names))}." if names else ""


def paths(vocabulary: Mapping[str, Shape], before: str = "") -> Iterator[str]:
    """Every field of a vocabulary as messages call it: `fmv`, `property.address`, `floors.net`."""
    for name, shape in sorted(vocabulary.items()):
        match shape:
            case Leaf():
                yield before + name
            case Record(fields=fields) | Table(row=Record(fields=fields)):
                yield from paths(fields, f"{before}{name}.")
            case _:
                pass


def expressions(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Each tag's own part of a tree: a block without its body, a printed expression alone."""
    for node in body:
        match node:
            case nodes.Output():
                yield from (part for part in node.nodes if not isinstance(part, nodes.TemplateData))
            case nodes.If():
                yield nodes.If(node.test, [], [], [], lineno=node.lineno)
                yield from expressions([*node.body, *node.elif_, *node.else_])
            case nodes.For():
                yield nodes.For(
                    node.target, node.iter, [], [], node.test, node.recursive, lineno=node.lineno
                )
                yield from expressions([*node.body, *node.else_])
            case _:
                yield node


def written(node: nodes.Node) -> str:
    """A path as a template writes it; anything else as three dots."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{written(node.node)}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=value)):
            return f"{written(node.node)}[{value!r}]"
        case _:
            return "…"


def _unknown(line: int, path: str, close: str | None, before: str) -> Unknown:
    path = shown(path)
    if close is None:
        return Unknown(
            line, f"unknown field '{path}'", fix="docs/template-fields.md lists what there is."
        )
    return Unknown(line, f"unknown field '{path}', did you mean '{before}{close}'?")


def _inside(found: _Found, text: str) -> str:
    match found.shape:
        case Table(row=Record(fields=fields)):
            names = ", ".join(f"row.{name}" for name in list(fields)[:8])
            return f"Write {{%tr for row in {text} %}}, and print its columns: {names}."
        case Record(fields=fields):
            names = ", ".join(f"{text}.{name}" for name in list(fields)[:8])
            return f"Print what is in it: {names}."
        case _:
            return ""
