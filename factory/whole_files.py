"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

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
