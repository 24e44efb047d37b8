"""Rows and pieces of evidence are addressed by name, so that no two of one list share one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.problems import Problem, shown

if TYPE_CHECKING:
    from contracts.document import Document, Path


def repeated_rows(document: Document, at: Path = ()) -> list[Problem]:
    """A problem for each row, in any list below a path, whose `id` an earlier row has."""
    inside: Any = document.value
    for step in at:
        inside = inside.get(step) if isinstance(inside, dict) else None
    found: list[Problem] = []
    open_: list[tuple[Any, Path]] = [(inside, at)] if isinstance(inside, dict) else []
    # A list of what is still to be seen: a function inside this one that calls itself would keep
    # the whole document until the garbage collector comes.
    while open_:
        value, path = open_.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                # A checklist has the bank's shape; an `id` in it names nothing of ours.
                if isinstance(inner, dict | list) and key != "checklist_json":
                    open_.append((inner, (*path, key)))
        else:
            found += repeated(document, value, path, "id")
            open_ += [
                (inner, (*path, index))
                for index, inner in enumerate(value)
                if isinstance(inner, dict | list)
            ]
    return found


def repeated(document: Document, rows: list[Any], path: Path, name: str) -> list[Problem]:
    """A problem for each of some rows whose name an earlier one has."""
    found: list[Problem] = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        text = row.get(name) if isinstance(row, dict) else None
        if not isinstance(text, str):
            continue
        if text in seen:
            found.append(
                document.problem(
                    "E411",
                    (*path, index, name),
                    f"'{shown(text)}' is the {name} of two rows of one table",
                    why=f"Rows are addressed by '{name}', so that each needs its own.",
                    fix=f"Give this row another {name}.",
                )
            )
        seen.add(text)
    return found
