"""Regular files inside one folder, and nothing else: no links, no devices, no way out."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from contracts.problems import Problem, shown

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

# Windows has neither flag; there, opening a link or a pipe is caught by the look before it.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_file(
    path: Path, name: str, *, limit: int, inside: Path | None = None
) -> tuple[BufferedReader | None, tuple[Problem, ...]]:
    """A file, open for reading, if it is a regular one that is not too large.

    Args:
        path: the file.
        name: what to call it in problems.
        limit: the most bytes it may have.
        inside: a folder; no step of the way from there to the file may be a link.

    Returns:
        The open file, which the caller closes, or None and a problem.
    """
    for step in (path, *path.parents):
        if step == inside:
            break
        if (inside is not None or step == path) and step.is_symlink():
            return None, (_link(name, step.name),)
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        return None, (unreadable(name, error),)
    found = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(found.st_mode):
        problem = Problem(
            "E602",
            f"'{shown(name)}' is not a file",
            why="A folder, pipe or device stands under this name.",
            fix="Give the name of a file.",
            file=shown(name),
        )
    elif found.st_size > limit:
        problem = Problem(
            "E604",
            f"'{shown(name)}' has {found.st_size:,} bytes, more than the {limit:,} that are read",
            why="Nothing a person makes for a case is that large; it may be damaged or the wrong file.",
            fix="Give a smaller file.",
            file=shown(name),
        )
    if problem:
        os.close(descriptor)
        return None, (problem,)
    return os.fdopen(descriptor, "rb"), ()


def read_file(
    path: Path, name: str, *, limit: int, inside: Path | None = None
) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The bytes of a file, under the same conditions."""
    file, problems = open_file(path, name, limit=limit, inside=inside)
    if file is None:
        return None, problems
    with file:
        try:
            # One byte more than allowed: a file that grows meanwhile is noticed, not followed.
            content = file.read(limit + 1)
        except OSError as error:
            return None, (unreadable(name, error),)
    if len(content) > limit:
        return None, (
            Problem(
                "E604",
                f"'{shown(name)}' grew beyond {limit:,} bytes while it was read",
                fix="Try again when nothing writes to it.",
                file=shown(name),
            ),
        )
    return content, ()


def state_of(file: BufferedReader) -> tuple[int, ...]:
    """Which file this is, and when it last changed: while that stays, its bytes do.

    Two changes within one tick of the system's clock look like one.
    """
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def unreadable(name: str, error: OSError) -> Problem:
    """The problem that the system's refusal to open or read a file is."""
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return Problem(
        "E601" if missing else "E602",
        f"there is no file '{shown(name)}'"
        if missing
        else f"'{shown(name)}' cannot be read: {os.strerror(error.errno or 0).lower()}",
        fix="Check the name, and where the command is run from."
        if missing
        else "Check whether it may be read.",
        file=shown(name),
    )


def _link(name: str, step: str) -> Problem:
    return Problem(
        "E603",
        f"'{shown(name)}' goes through '{shown(step)}', which is a link",
        why="A link may lead anywhere, and to another place on another machine.",
        fix="Put the file itself there.",
        file=shown(name),
    )
