"""Which fields each tag of a template names, by the rules of loops and of nested facts.

The vocabulary is a tree: fields that are printed, records that hold others, tables that a loop
runs through. A walk over jinja2's syntax tree knows what each name stands for where it is used.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from contracts.problems import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that is printed; `elsewhere` are the rule sets that have it, if the family's do not."""

    elsewhere: tuple[str, ...] = ()


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
    """A name that leads to no field, or not to one that can be used so; and the line of its tag."""

    line: int
    what: str
    why: str = ""
    fix: str = ""
    code: str = "E645"


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
    #: Paths that the template has asked for before it names them: `{% if lift is defined %}`.
    asked: set[str] = field(default_factory=set)
    #: Where a figure is known, the others of its rule set are.
    asked_sets: set[str] = field(default_factory=set)

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
                    with self._asking(node.test):
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

    @contextlib.contextmanager
    def _asking(self, test: nodes.Node) -> Iterator[None]:
        """While a condition holds that asks whether something is there."""
        before = set(self.asked), set(self.asked_sets)
        for asked in (test, *test.find_all(nodes.Test)):
            if isinstance(asked, nodes.Test) and asked.name in {"defined", "known", "undefined"}:
                name = written(asked.node)
                self.asked.add(name)
                shape = self.vocabulary.get(name)
                if isinstance(shape, Leaf):
                    self.asked_sets |= set(shape.elsewhere)
        yield
        self.asked, self.asked_sets = before

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
                return self._filtered(node, node.node, scope, printing=printing)
            case nodes.Compare() if any(operand.op in _ORDERING for operand in node.ops):
                for child in (node.expr, *(operand.expr for operand in node.ops)):
                    if _is_text(self._value(child, scope)):
                        self.unknown.append(_computed(child))
                return _Found(UNSURE)
            case nodes.CondExpr():
                with self._asking(node.test):
                    self._value(node.test, scope)
                    for way in (node.expr1, node.expr2):
                        if way is not None:
                            self._value(way, scope, printing=printing)
                return _Found(UNSURE)
            case _:
                operands = [
                    (child, self._value(child, scope, printing=printing))
                    for child in node.iter_child_nodes()
                ]
                if isinstance(node, _COMPUTING):
                    self.unknown += [
                        _computed(child) for child, found in operands if _is_text(found)
                    ]
                return _Found(UNSURE)
        if isinstance(found.shape, Leaf):
            sets = set(found.shape.elsewhere)
            if sets and not sets & self.asked_sets and written(node) not in self.asked:
                self.unknown.append(_elsewhere(node, found.shape))
            if printing and found.path:
                self.printed.add(found.path)
        return found

    def _filtered(
        self, node: nodes.Filter, inner: nodes.Expr, scope: dict[str, _Found], *, printing: bool
    ) -> _Found:
        before = set(self.asked)
        if node.name == "default":
            self.asked.add(written(inner))
        whole = self._value(inner, scope, printing=printing)
        self.asked = before
        for argument in node.args:
            self._value(argument, scope, printing=printing)
        if node.name in {"first", "last"} and isinstance(whole.shape, Table):
            return _Found(whole.shape.row, whole.path)
        return whole if node.name == "default" else _Found(UNSURE)

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
                    _unknown(node.lineno, f"{text}.{name}", _near(text, name, fields))
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
                meant = [beside] if self._is_beside(whole, name) else []
                self.unknown.append(_unknown(node.lineno, f"{text}.{name}", meant))
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
        name = node.name
        columns = [
            table
            for table, shape in sorted(self.vocabulary.items())
            if isinstance(shape, Table) and isinstance(shape.row, Record)
            if name in shape.row.fields
        ]
        by_last: dict[str, list[str]] = {}
        for path in paths(self.records()):
            by_last.setdefault(path.rpartition(".")[2], []).append(path)
        meant = by_last.get(name, [])
        if not meant and columns:
            return Unknown(
                node.lineno,
                f"unknown field '{name}'",
                why=f"'{name}' is a column of {_listed(columns)}.",
                fix=f"Write {{%tr for row in {columns[0]} %}}, and {{{{ row.{name} }}}} in the "
                "rows that it repeats.",
            )
        if not meant:
            close = nearest(name, scope) or nearest(name, by_last)
            meant = [close] if close and close in scope else by_last.get(close or "", [])
        return _unknown(node.lineno, name, meant)

    def records(self) -> dict[str, Shape]:
        """The vocabulary without its tables."""
        return {
            name: shape
            for name, shape in self.vocabulary.items()
            if not isinstance(shape, Table) and name != "figures"
        }

    def _tables(self) -> str:
        names = [name for name, shape in self.vocabulary.items() if isinstance(shape, Table)]
        return f"Tables are: {', '.join(sorted(names))}." if names else ""


_COMPUTING = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg)
_ORDERING = frozenset({"gt", "gteq", "lt", "lteq"})


def _is_text(found: _Found) -> bool:
    """Whether something is a field's final text; what a loop counts is a number."""
    return isinstance(found.shape, Leaf) and bool(found.path)


def _computed(node: nodes.Node) -> Unknown:
    return Unknown(
        node.lineno,
        f"'{written(node)}' is a text, and cannot be computed with or held against a number",
        fix="Let the rule set compute what the report is to say: docs/writing-rules.md.",
        code="E643",
    )


def _elsewhere(node: nodes.Node, leaf: Leaf) -> Unknown:
    return Unknown(
        node.lineno,
        f"'{written(node)}' is not computed for reports of this family",
        why=f"It is a figure of {', '.join(leaf.elsewhere)}.",
        fix=f"Take it out, or ask first: {{% if {written(node)} is known %}} ... {{% endif %}}.",
    )


def paths(vocabulary: Mapping[str, Shape], before: str = "") -> Iterator[str]:
    """Every field of a vocabulary as messages call it: `fmv`, `property.address`, `floors.net`."""
    for name, shape in sorted(vocabulary.items()):
        match shape:
            case Leaf(elsewhere=()):
                yield before + name
            case Record(fields=fields) | Table(row=Record(fields=fields)):
                yield from paths(fields, f"{before}{name}.")
            case _:
                pass


def written(node: nodes.Node) -> str:
    """A path as a template writes it; anything else as three dots."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{written(node.node)}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=value)):
            return f"{written(node.node)}[{value!r}]"
        case nodes.Filter(node=nodes.Expr() as inner):
            return f"({written(inner)}|{node.name})"
        case _:
            return "…"


def _unknown(line: int, path: str, meant: Iterable[str]) -> Unknown:
    what, meant = f"unknown field '{shown(path)}'", list(meant)
    if not meant:
        return Unknown(line, what, fix="docs/template-fields.md lists what there is.")
    return Unknown(line, f"{what}, did you mean {_listed(repr(name) for name in meant)}?")


def _near(text: str, name: str, fields: Iterable[str]) -> list[str]:
    close = nearest(name, fields)
    return [f"{text}.{close}"] if close else []


def _listed(names: Iterable[str]) -> str:
    """The first few names as a person lists them."""
    *rest, last = list(names)[:3]
    return f"{', '.join(rest)} or {last}" if rest else last


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
