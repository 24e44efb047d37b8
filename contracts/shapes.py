"""What a model's annotations allow at a place, and how to say it to a person."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from contracts.document import Path
from contracts.quantities import QuantityField

#: What an annotation allows, without Annotated, Union and None: types with their metadata.
Shape = tuple[Any, tuple[Any, ...]]


def alternatives(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[Shape]:
    """The types that an annotation allows, each with what Annotated says about it."""
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        # Field(ge=0) keeps its bounds in a list of its own.
        said = [part for item in extra for part in (item, *getattr(item, "metadata", ()))]
        yield from alternatives(inner, (*metadata, *said))
    elif origin in {Union, types.UnionType}:
        for inner in get_args(annotation):
            if inner is not type(None):
                yield from alternatives(inner, metadata)
    else:
        yield annotation, metadata


def at(model: type[Any], path: Path) -> tuple[Shape, ...]:
    """What may stand at a path of a model; nothing if the model has no such place."""
    current: tuple[Shape, ...] = ((model, ()),)
    for step in path:
        current = tuple(shape for base, _ in current for shape in inside(base, step))
    return current


def inside(base: Any, step: str | int) -> Iterator[Shape]:
    """What may stand at one step below a type: a field, a key of a mapping, an entry of a list."""
    origin: Any = get_origin(base)
    if is_model(base):
        for name, field in base.model_fields.items():
            if step == (field.alias or name):
                yield from alternatives(field.annotation, tuple(field.metadata))
    elif origin is dict:
        yield from alternatives(get_args(base)[1])
    elif origin in {tuple, list} and isinstance(step, int):
        entries = get_args(base)
        if entries and (origin is not tuple or entries[-1] is Ellipsis):
            yield from alternatives(entries[0])
        elif step < len(entries):
            yield from alternatives(entries[step])


def is_model(base: Any) -> bool:
    """Whether a type is a pydantic model."""
    return isinstance(base, type) and issubclass(base, BaseModel)


def field_names(shapes: tuple[Shape, ...]) -> list[str]:
    """The fields that a mapping may have there."""
    return [
        field.alias or name
        for base, _ in shapes
        if is_model(base)
        for name, field in base.model_fields.items()
    ]


@cache
def homes(model: Any) -> dict[str, tuple[str, ...]]:
    """For each field name below a model, the parts that have such a field."""
    found: dict[str, list[str]] = {}
    seen: set[type] = set()

    def visit(part: Any, where: str) -> None:
        seen.add(part)
        for name, field in getattr(part, "model_fields", {}).items():
            found.setdefault(field.alias or name, []).append(where)
            for base, _ in alternatives(field.annotation):
                below = f"{where}.{name}" if where else name
                if is_model(base) and base not in seen:
                    visit(base, below)
                for row, _ in inside(base, 0):
                    if is_model(row) and row not in seen:
                        visit(row, f"a row of {below}")

    visit(model, "")
    return {name: tuple(places) for name, places in found.items()}


_MEASURES = {
    "money": ("an amount of money, such as 1250000 or 12.5 lakh INR", "1250000"),
    "percent": ("a percentage, such as 7.71 %", "7.71 %"),
    "area": ("an area with its unit, such as 6.59 cent", "6.59 cent"),
    "rate": ("a rate with its unit, such as 900000 INR/cent", "900000 INR/cent"),
    "years": ("a number of years, such as 6 year", "6 year"),
    "length": ("a length with its unit, such as 9.5 ft", "9.5 ft"),
}
_ANY_MEASURE = ("a number with its unit, such as 5 crore INR", "5 crore INR")
_TYPES: dict[Any, tuple[str, str]] = {
    str: ("a text", "..."),
    bool: ("true or false", "true"),
    int: ("a whole number", "1"),
    Decimal: ("a number, such as 1250.50", "1250.50"),
    date: ("a date, such as 2026-03-31", "2026-03-31"),
    datetime: ("a moment, such as 2026-03-31T10:15:00+05:30", "2026-03-31T10:15:00+05:30"),
    dict: ("a mapping: lines of names and values", "{name: value}"),
}


def described(shape: Shape) -> tuple[str, str]:
    """An annotation in words, and an example."""
    base, metadata = shape
    origin: Any = get_origin(base)
    for item in metadata:
        if isinstance(item, QuantityField):
            return _MEASURES.get(item.kind, _ANY_MEASURE)
    if origin is Literal:
        words = tuple(map(str, get_args(base)))
        return listed(words), words[0]
    if is_model(base):
        first = next((field.alias or name for name, field in base.model_fields.items()), "name")
        return "a mapping: lines of names and values", f"{{{first}: ...}}"
    if origin in {tuple, list}:
        return "a list of entries", f"[{example(tuple(alternatives(get_args(base)[0])))}]"
    return _TYPES.get(origin or base, ("a value of another kind", "..."))


def hint(shapes: tuple[Shape, ...]) -> str:
    """What may stand there, in words; nothing for a place that is not there."""
    return " or ".join(dict.fromkeys(described(shape)[0] for shape in shapes))


def example(shapes: tuple[Shape, ...]) -> str:
    """A value that could stand there."""
    return next((described(shape)[1] for shape in shapes), "...")


def options(shapes: tuple[Shape, ...]) -> tuple[str, ...]:
    """The words of a choice, those inside a list of choices included."""
    words: list[str] = []
    for base, _ in shapes:
        for inner in (base, *get_args(base)):
            origin: Any = get_origin(inner)
            if origin is Literal:
                words += map(str, get_args(inner))
    return tuple(dict.fromkeys(words))


def listed(words: tuple[str, ...]) -> str:
    """Words as a sentence lists them: `A, B or C`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
