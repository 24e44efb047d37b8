"""Paths into the contract: which exist, what they hold, and how to read them quickly."""

from __future__ import annotations

import difflib
import functools
import operator
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from contracts.contract import Contract, Row
from contracts.quantities import QuantityField

Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a path ends at.

    `kind` is a measure's kind (`money`, `area`, ...), `number`, `text`, `boolean`, `date`,
    `list of text`, `list of date`, `table` (rows of `row`), `part` or `other`.
    """

    kind: str
    options: tuple[str, ...] = ()
    row: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class NoSuchPath:
    """The first step of a path that is not there, and its nearest spelling."""

    step: str
    nearest: str | None


@functools.lru_cache(maxsize=1024)
def look_up(path: str, model: type[BaseModel] = Contract) -> Leaf | NoSuchPath:
    """What the contract holds at a dotted path."""
    steps = path.split(".")
    for index, step in enumerate(steps):
        field = model.model_fields.get(step)
        if field is None:
            near = difflib.get_close_matches(step, model.model_fields, n=1)
            nearest = ".".join([*steps[:index], near[0]]) if near else None
            return NoSuchPath(step, nearest)
        metadata = field.metadata
        leaf = _leaf(field.annotation, metadata)
        if index == len(steps) - 1:
            return leaf
        if leaf.kind == "mapping":
            return Leaf("text") if index == len(steps) - 2 else NoSuchPath(steps[index + 2], None)
        if leaf.kind != "part" or leaf.row is None:
            return NoSuchPath(steps[index + 1], None)
        model = leaf.row
    raise AssertionError("a path has at least one step")


def _leaf(annotation: Any, metadata: list[Any]) -> Leaf:
    for item in metadata:
        if isinstance(item, QuantityField):
            return Leaf(item.kind)
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return _leaf(arguments[0], [*arguments[1:]])
    if origin in {typing.Union, types.UnionType}:
        some = [item for item in arguments if item is not type(None)]
        return _leaf(some[0], []) if len(some) == 1 else Leaf("other")
    if origin is typing.Literal:
        return Leaf("text", options=arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        inner = _leaf(arguments[0], [])
        if inner.kind == "part":
            return Leaf("table", row=inner.row)
        return Leaf(f"list of {inner.kind}") if inner.kind in {"text", "date"} else Leaf("other")
    if origin is dict:
        return Leaf("mapping") if arguments[1] is not Any else Leaf("other")
    if isinstance(annotation, type):
        return _leaf_of_type(annotation)
    return Leaf("other")


def _leaf_of_type(annotation: type) -> Leaf:
    if issubclass(annotation, BaseModel):
        return Leaf("part", row=annotation)
    if issubclass(annotation, bool):
        return Leaf("boolean")
    if issubclass(annotation, str):
        return Leaf("text")
    if issubclass(annotation, int | Decimal):
        return Leaf("number")
    if issubclass(annotation, date) and not issubclass(annotation, datetime):
        return Leaf("date")
    return Leaf("other")


def reader(path: str, model: type[BaseModel] = Contract) -> Read:
    """A function that reads a path from a part of the contract; None where a step is missing."""
    if _never_missing(path, model):
        return operator.attrgetter(path)
    first, *rest = path.split(".")
    deeper = [_step(name) for name in rest]

    def read(part: Any) -> Any:
        value = getattr(part, first)
        for step in deeper:
            if value is None:
                return None
            value = step(value)
        return value

    return read


def _never_missing(path: str, model: type[BaseModel]) -> bool:
    """Whether every part on the way to a path is always there."""
    for name in path.split(".")[:-1]:
        annotation = model.model_fields[name].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return False
        model = annotation
    return True


def _step(name: str) -> Read:
    return lambda part: part.get(name) if isinstance(part, dict) else getattr(part, name)


def row_ids(rows: tuple[Row, ...]) -> tuple[list[str], list[str]]:
    """How the rows of a table are addressed, and the ids that were given twice.

    A row without an id is addressed by its number; a repeated id gets its number behind it.
    """
    ids: list[str] = []
    repeated: list[str] = []
    taken: set[str] = set()
    for number, row in enumerate(rows, 1):
        name = row.id or str(number)
        if name in taken:
            repeated.append(name)
            name = f"{name}~{number}"
        taken.add(name)
        ids.append(name)
    return ids, repeated


def every_path(model: type[BaseModel] = Contract, prefix: str = "") -> Iterator[str]:
    """All dotted paths of the contract outside its tables, parts before their fields."""
    for name, field in model.model_fields.items():
        yield prefix + name
        leaf = _leaf(field.annotation, field.metadata)
        if leaf.kind == "part" and leaf.row is not None:
            yield from every_path(leaf.row, f"{prefix}{name}.")
