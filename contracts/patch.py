"""Changing a contract by saying what is different.

- What a patch does not name stays as it is; nothing else ever changes.
- `null` clears a field: it is then not known.
- A mapping changes a part: `{property: {address: ...}}` leaves the rest of the property alone.
- A list replaces the whole list.
- A mapping in place of a table's list changes the rows it names by their `id`:
  `{house: {age: 7 year}, shed: null, annexe: {area: 300 sqft}}` changes the row `house`, takes out
  `shed`, and adds `annexe` at the end if there is no such row. Other rows stay, in their order.
- Quantities are single values, also when written as `{value: ..., unit: ...}`.

Applying a patch twice gives what applying it once gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from contracts.canonical_json import to_plain
from contracts.contract import Contract, Row
from contracts.document import Document, Mark, Path
from contracts.problems import Problem, in_order, nearest, shown
from contracts.row_names import repeated_rows
from contracts.shapes import Shape, inside, is_model
from contracts.validation import validate


def apply_patch(
    contract: Contract, patch: Mapping[str, Any] | Document
) -> tuple[Contract | None, tuple[Problem, ...]]:
    """The contract with the changes that a patch names.

    Args:
        contract: stays as it is.
        patch: values as `read_yaml` or `read_json` give them, or the document itself, whose
            places the problems then have.

    Returns:
        The changed contract, or None when a problem is an error; warnings (a row id that was
        probably misspelt) come with the contract.
    """
    document = patch if isinstance(patch, Document) else Document.of_values(dict(patch), "patch")
    if document.problems:
        return None, document.problems
    merging = _Merging(document)
    merged, mark = merging.merge(((Contract, ()),), to_plain(contract), document.value, ())
    new = Document(document.name, document.text, merged, find_marks=lambda: mark)
    result, problems = validate(Contract, new)
    every = in_order((*merging.problems, *problems, *repeated_rows(new)))
    return (None if any(p.severity == "error" for p in every) else result), every


class _Merging:
    """Lays a patch over plain values, and the patch's places over theirs."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def merge(
        self, shapes: tuple[Shape, ...], old: Any, change: Any, path: Path
    ) -> tuple[Any, Mark | None]:
        """The new value, and the places of what the patch says about it."""
        mark = self.document.mark(path)
        if isinstance(change, dict):
            rows = _rows(shapes)
            if rows is not None:
                return self._rows_by_id(rows, old, change, path, mark)
            origins = _origins(shapes)
            if dict in origins or any(is_model(base) for base, _ in shapes):
                return self._part(shapes, old if isinstance(old, dict) else {}, change, path, mark)
            if tuple in origins:
                self._refuse_mapping(path)
                return old, mark
        return change, mark

    def _part(
        self,
        shapes: tuple[Shape, ...],
        old: dict[str, Any],
        change: dict[str, Any],
        path: Path,
        mark: Mark | None,
    ) -> tuple[Any, Mark | None]:
        merged = dict(old)
        marks = _bare(mark)
        for name, new in change.items():
            below = tuple(shape for base, _ in shapes for shape in inside(base, name))
            here = (*path, name)
            if new is None and below:
                if any(_is_required(base, name) for base, _ in shapes):
                    self._refuse_clearing(here)
                else:
                    merged.pop(name, None)
                continue
            merged[name], inner = self.merge(below, old.get(name), new, here)
            if marks is not None and inner is not None:
                marks.parts[name] = inner
        return merged, marks

    def _rows_by_id(
        self,
        row: type[Row],
        old: Any,
        change: dict[str, Any],
        path: Path,
        mark: Mark | None,
    ) -> tuple[Any, Mark | None]:
        rows: list[Any] = list(old or [])
        ids = [entry.get("id") for entry in rows]
        marks: dict[str, Mark] = {}
        for row_id, new in change.items():
            here = (*path, row_id)
            index = ids.index(row_id) if row_id in ids else None
            if index is None:
                self._warn_of_unknown(here, row_id, [known for known in ids if known], new)
            if new is None:
                if index is not None:
                    del rows[index], ids[index]
                continue
            if not isinstance(new, dict) or new.get("id", row_id) != row_id:
                self._refuse_row(here, row_id)
                continue
            before = {"id": row_id} if index is None else rows[index]
            merged, inner = self.merge(((row, ()),), before, new, here)
            if index is None:
                rows.append(merged)
                ids.append(row_id)
            else:
                rows[index] = merged
            if inner is not None:
                marks[row_id] = inner
        whole = _bare(mark)
        if whole is not None:
            whole.parts = {ids.index(row_id): inner for row_id, inner in marks.items()}
        return rows, whole

    def _warn_of_unknown(self, path: Path, row_id: str, ids: list[str], new: Any) -> None:
        near = nearest(row_id, ids)
        if new is not None and near is None:
            return
        self.problems.append(
            self.document.problem(
                "E408",
                path,
                f"there is no row '{shown(row_id)}'"
                + (" to take out" if new is None else ", so it was added"),
                why=f"The rows are {', '.join(map(shown, ids))}." if ids else "There are no rows.",
                fix=f"Did you mean '{shown(near)}'?" if near else "",
                key=True,
                severity="warning",
            )
        )

    def _refuse_row(self, path: Path, row_id: str) -> None:
        self.problems.append(
            self.document.problem(
                "E408",
                path,
                f"the row '{shown(row_id)}' cannot be changed to this",
                why="A row is changed by a mapping of its fields, and keeps its id.",
                fix=f"Write: {shown(row_id)}: {{field: value}}, or {shown(row_id)}: null to take "
                "the row out.",
            )
        )

    def _refuse_mapping(self, path: Path) -> None:
        self.problems.append(
            self.document.problem(
                "E408",
                path,
                f"'{shown(path[-1])}' has no rows that could be named",
                why="Only tables whose rows have an id can be changed row by row.",
                fix="Write the whole list: [...]",
            )
        )

    def _refuse_clearing(self, path: Path) -> None:
        self.problems.append(
            self.document.problem(
                "E409",
                path,
                f"'{shown(path[-1])}' cannot be cleared",
                why="A contract cannot be read without it.",
                fix="Write the value that it shall have, or leave the line out.",
            )
        )


def _bare(mark: Mark | None) -> Mark | None:
    return mark and Mark(mark.start, mark.end, mark.key_start, mark.key_end)


def _origins(shapes: tuple[Shape, ...]) -> set[Any]:
    return {get_origin(base) for base, _ in shapes}


def _rows(shapes: tuple[Shape, ...]) -> type[Row] | None:
    """The rows of a table whose rows have an id."""
    if tuple in _origins(shapes):
        for base, _ in shapes:
            for row, _ in inside(base, 0):
                if isinstance(row, type) and issubclass(row, Row):
                    return row
    return None


def _is_required(base: Any, name: str) -> bool:
    field = base.model_fields.get(name) if is_model(base) else None
    return field is not None and field.is_required()
