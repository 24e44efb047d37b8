"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from contracts.problems import Problem, shown
from factory.folders import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, *, settled: bool = True) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` only when all of it is written.

    An exception, or the process's end, leaves what was there before.

    Args:
        path: the file.
        settled: whether all of it must be on the disk itself before it takes that place, so that
            a power cut leaves what was there before, too; the disk needs its time for that.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.partial")
    # Opened by number, so that the process's umask decides on the rights, as for any new file.
    descriptor = os.open(
        partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            if settled:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if settled:
        _settle(path.parent)


def _settle(folder: Path) -> None:
    """Ask the disk to keep the folder's new entry; not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_replace(path: Path, kind: str, begins: bytes = b"PK\x03\x04") -> Problem | None:
    """Why a file may not take the place of what is there: only what we wrote is ever replaced.

    Args:
        path: where the file is to be.
        kind: what it is, such as bundle or DOCX; both are ZIP archives.
        begins: how files of the kind begin.
    """
    if path.is_dir():
        return cannot_write(path, "it is a folder")
    if not path.parent.is_dir():
        return cannot_write(path, f"there is no folder '{shown(path.parent)}'")
    if not path.exists():
        return None
    file, problems = open_file(path, str(path), limit=1 << 40)
    if file is None:
        return problems[0]
    with file:
        if file.read(len(begins)) in {b"", begins}:
            return None
    return cannot_write(path, f"a file that is no {kind} is there already")


def cannot_write(path: Path, why: str) -> Problem:
    """The problem that a place is which cannot be written to."""
    return Problem(
        "E608",
        f"'{shown(path)}' cannot be written: {why[:1].lower()}{why[1:]}",
        fix="Name another place for it.",
        file=shown(path),
    )
