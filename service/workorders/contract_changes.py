"""What differs between two contracts, field by field, and for which of it a reason is demanded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from contracts.canonical_json import to_plain
from contracts.contract import Contract, Coordinates, Row
from contracts.quantities import Quantity, QuantityField
from contracts.shapes import alternatives
from service.errors import FieldError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Kinds of measure that a report's value rests on: changing one that was there needs a reason.
#: A field added to the contract with one of these kinds is among them by itself.
GUARDED_KINDS = frozenset({"money", "rate", "area", "measure"})
#: Parts of the contract whose plain numbers do as well.
GUARDED_PARTS: tuple[type[Any], ...] = (Coordinates,)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs: its path as people write it, `property.floors[house].rate`.

    `before` and `after` are as JSON holds them, None where there is nothing. `guarded` says that
    the field is a value, rate, area or coordinate.
    """

    path: str
    before: Any
    after: Any
    guarded: bool

    @property
    def needs_reason(self) -> bool:
        """Whether it alters or removes something that a report's value rests on."""
        return self.guarded and self.before is not None


def changes_between(old: Contract, new: Contract) -> tuple[Change, ...]:
    """The fields that differ, in the order of their paths."""
    before: dict[str, tuple[Any, bool]] = {}
    after: dict[str, tuple[Any, bool]] = {}
    for name in Contract.model_fields:
        # Results are no entries, and who wrote a contract is no fact of it.
        if name not in _NOT_ENTERED:
            pairs = _differing(getattr(old, name), getattr(new, name), name)
            for one, other, path, guarded in pairs:
                before.update(_leaves(one, path, guarded=guarded))
                after.update(_leaves(other, path, guarded=guarded))
    differing = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    return tuple(
        Change(
            path,
            to_plain(before[path][0]) if path in before else None,
            to_plain(after[path][0]) if path in after else None,
            guarded=(before.get(path) or after[path])[1],
        )
        for path in differing
    )


def demand_reason(paths: Iterable[str]) -> None:
    """Refuse a change of these fields, if there are any, for want of a reason.

    Raises:
        ServiceError: 422 REASON_REQUIRED, with every field.
    """
    fields = tuple(
        FieldError(path, "This was entered before; say why it changes.", "REASON_REQUIRED")
        for path in paths
    )
    if fields:
        raise ServiceError(
            422,
            "REASON_REQUIRED",
            "A reason is needed",
            "A value, rate, area or coordinate that was entered is changed with a reason only: "
            "send it as reason.",
            fields=fields,
        )


def _differing(
    old: Any, new: Any, path: str, *, guarded: bool = False
) -> Iterator[tuple[Any, Any, str, bool]]:
    """The innermost parts that differ, with their path and whether they are guarded."""
    if old == new:
        return
    if isinstance(old, BaseModel) and type(old) is type(new):
        inside = guarded or isinstance(old, GUARDED_PARTS)
        for name, value in old.__dict__.items():
            below = inside or _is_guarded(type(old), name)
            yield from _differing(value, getattr(new, name), f"{path}.{name}", guarded=below)
    else:
        yield old, new, path, guarded


def _leaves(
    part: Any, path: str, *, guarded: bool = False
) -> Iterator[tuple[str, tuple[Any, bool]]]:
    """Each field that says something, with its value and whether it is guarded."""
    if part is None:
        return
    if isinstance(part, BaseModel):
        inside = guarded or isinstance(part, GUARDED_PARTS)
        for name, value in part.__dict__.items():
            if value is not None:
                below = f"{path}.{name}"
                yield from _leaves(value, below, guarded=inside or _is_guarded(type(part), name))
    elif isinstance(part, tuple) and part and all(isinstance(row, BaseModel) for row in part):
        for number, row in enumerate(part, 1):
            called = row.id if isinstance(row, Row) and row.id else number
            yield from _leaves(row, f"{path}[{called}]", guarded=guarded)
    elif isinstance(part, tuple) and part and all(isinstance(one, Quantity) for one in part):
        for number, one in enumerate(part, 1):
            yield f"{path}[{number}]", (one, guarded)
    elif isinstance(part, dict) and part:
        for key, value in part.items():
            yield from _leaves(value, f"{path}.{key}", guarded=guarded)
    else:
        yield path, (part, guarded)


_NOT_ENTERED = frozenset({"computed_values", "audit"})


@cache
def _is_guarded(model: Any, name: str) -> bool:
    field = model.model_fields[name]
    shapes = list(alternatives(field.annotation, tuple(field.metadata)))
    # A tuple of rates guards its entries.
    for base, _ in tuple(shapes):
        for inner in getattr(base, "__args__", ()):
            shapes += alternatives(inner)
    return any(
        isinstance(said, QuantityField) and said.kind in GUARDED_KINDS
        for _, metadata in shapes
        for said in metadata
    )
