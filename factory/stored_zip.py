"""ZIP archives of one form only: entries stored, sorted, without date, owner or remark.

Such an archive is decided by its entries alone, down to the last byte, and any other ZIP reader
opens it. The reader here accepts nothing but that form, so nothing can hide between, behind or
inside the entries' headers, and nothing unpacks to more than the archive's own size.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from contracts.problems import Problem, in_order, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 1 << 20
MOST_ENTRIES = 4_000
LONGEST_NAME = 200
# The format counts in 32 bits; what needs more has another form of header.
LARGEST_ARCHIVE = 0xFFFF_FFFE

_LOCAL, _CENTRAL, _END = 0x04034B50, 0x02014B50, 0x06054B50
_MADE_BY = 3 << 8 | 20  # Unix, version 2.0
_NEEDS = 20
_MIDNIGHT, _NEW_YEAR = 0, 0 << 9 | 1 << 5 | 1  # 1980-01-01, the first day there is
_MODE = 0o100644 << 16
_LOCAL_FORM = struct.Struct("<IHHHHHIIIHH")
_CENTRAL_FORM = struct.Struct("<IHHHHHHIIIHHHHHII")
_END_FORM = struct.Struct("<IHHHHIIH")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive; `start` is where its bytes begin."""

    name: str
    size: int
    crc: int
    start: int


class Writer:
    """Writes entries in the order given, which must be that of their names."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: list[Entry] = []
        self._at = 0

    def add(self, name: str, chunks: Iterable[bytes | memoryview], crc: int | None = None) -> None:
        """Store a file; its checksum is worked out unless it is known.

        Raises:
            ValueError: the name comes before the last one.
        """
        if self._entries and name <= self._entries[-1].name:
            raise ValueError(f"{name} does not come after {self._entries[-1].name}")
        header = _LOCAL_FORM.size + len(name)
        self._file.write(b"\x00" * header)
        found, size = 0, 0
        for chunk in chunks:
            if crc is None:
                found = zlib.crc32(chunk, found)
            size += self._file.write(chunk)
        entry = Entry(name, size, found if crc is None else crc, self._at + header)
        self._file.seek(self._at)
        self._file.write(_local_header(entry))
        self._at = entry.start + size
        self._file.seek(self._at)
        self._entries.append(entry)

    def close(self) -> None:
        """Write the directory that ends the archive; the file stays open."""
        directory = b"".join(map(_central_header, self._entries))
        count = len(self._entries)
        self._file.write(directory)
        self._file.write(_END_FORM.pack(_END, 0, 0, count, count, len(directory), self._at, 0))


def read_entries(file: BinaryIO, name: str) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """The entries of an archive, and everything in it that is not of the one form.

    Args:
        file: open for reading.
        name: what to call the archive in problems.

    Returns:
        The entries whose bytes can be found, none when the directory cannot be read; problems.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _END_FORM.size))
    end = file.read(_END_FORM.size)
    if len(end) < _END_FORM.size or end[:4] != _END.to_bytes(4, "little"):
        return (), (_no_end(file, name, length),)
    _, disk, first_disk, here, count, size, at, remark = _END_FORM.unpack(end)
    if (disk, first_disk, remark) != (0, 0, 0) or here != count:
        return (), (_hostile(name, "the archive has a remark, or goes on in other files"),)
    if count > MOST_ENTRIES:
        return (), (_hostile(name, f"the archive lists {count} files, more than {MOST_ENTRIES}"),)
    if at + size + _END_FORM.size != length or size > count * (_CENTRAL_FORM.size + LONGEST_NAME):
        return (), (
            _hostile(name, "there are bytes before, behind or between the parts of the archive"),
        )
    file.seek(at)
    entries, problems = _directory(file.read(size), count, name)
    expected = 0
    for entry in entries:
        if entry.start - _LOCAL_FORM.size - len(entry.name) != expected:
            problems.append(
                _hostile(
                    name, f"'{shown(entry.name)}' does not begin where the file before it ends"
                )
            )
            return (), in_order(problems)
        expected = entry.start + entry.size
        file.seek(entry.start - _LOCAL_FORM.size - len(entry.name))
        header = file.read(_LOCAL_FORM.size + len(entry.name))
        if not problems and header != _local_header(entry):
            problems.append(
                _hostile(
                    name,
                    f"'{shown(entry.name)}' is called otherwise, or described otherwise, "
                    "where its bytes stand than in the directory",
                )
            )
    if expected != at:
        problems.append(_hostile(name, "there are bytes between the last file and the directory"))
    return tuple(entries), in_order(problems)


def chunks_of(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The bytes of an entry, piece by piece."""
    file.seek(entry.start)
    left = entry.size
    while left and (chunk := file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _directory(text: bytes, count: int, name: str) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    at = 0
    for _ in range(count):
        if at + _CENTRAL_FORM.size > len(text):
            return [], [_hostile(name, "the directory breaks off")]
        head = _CENTRAL_FORM.unpack_from(text, at)
        (signature, made_by, needs, flags, method, time, day, crc, packed, size) = head[:10]
        (name_length, extra, remark, disk, internal, mode, start) = head[10:]
        at += _CENTRAL_FORM.size
        raw = text[at : at + name_length]
        at += name_length + extra + remark
        entry_name = raw.decode("utf-8", errors="replace")
        label = f"'{shown(entry_name)}'"
        if signature != _CENTRAL or at > len(text):
            return [], [_hostile(name, "the directory cannot be read")]
        faults = (
            (not _is_safe(raw), "has a name that could leave the folder it is unpacked to"),
            (flags & 1, "is encrypted"),
            (method != 0 or packed != size, "is compressed, and could unpack to any size"),
            (extra, "has extra fields"),
            (remark, "has a remark"),
            (mode >> 28 == 0o12, "is a link"),
            (mode != _MODE, "has other rights than those of a plain file"),
            ((time, day) != (_MIDNIGHT, _NEW_YEAR), "has a date"),
            (
                (made_by, needs, flags & ~1, disk, internal) != (_MADE_BY, _NEEDS, 0, 0, 0),
                "has marks in its header that a bundle's files do not have",
            ),
        )
        problems += [_hostile(name, f"{label} {what}") for wrong, what in faults if wrong]
        entries.append(Entry(entry_name, size, crc, start + _LOCAL_FORM.size + len(entry_name)))
    if at != len(text):
        problems.append(_hostile(name, "the directory holds more than its files"))
    counted = Counter(entry.name for entry in entries)
    problems += [
        _hostile(name, f"'{shown(entry_name)}' is there {times} times")
        for entry_name, times in counted.items()
        if times > 1
    ]
    if [entry.name for entry in entries] != sorted(counted.elements()):
        problems.append(_hostile(name, "the files are not in the order of their names"))
    return entries, problems


def _is_safe(raw: bytes) -> bool:
    """Whether a name is one of letters, digits, '-', '_' and '.', in folders below the archive."""
    steps = raw.split(b"/")
    return len(raw) <= LONGEST_NAME and all(
        step
        and not step.startswith(b".")
        and all(chr(c).isalnum() or c in b"-_." for c in step)
        and step.isascii()
        for step in steps
    )


def _local_header(entry: Entry) -> bytes:
    return (
        _LOCAL_FORM.pack(
            _LOCAL, _NEEDS, 0, 0, _MIDNIGHT, _NEW_YEAR, entry.crc, entry.size, entry.size,
            len(entry.name), 0,
        )
        + entry.name.encode()
    )  # fmt: skip


def _central_header(entry: Entry) -> bytes:
    return (
        _CENTRAL_FORM.pack(
            _CENTRAL, _MADE_BY, _NEEDS, 0, 0, _MIDNIGHT, _NEW_YEAR, entry.crc, entry.size,
            entry.size, len(entry.name), 0, 0, 0, 0, _MODE,
            entry.start - _LOCAL_FORM.size - len(entry.name),
        )
        + entry.name.encode()
    )  # fmt: skip


def _no_end(file: BinaryIO, name: str, length: int) -> Problem:
    """What an archive without an end is: another file, one that breaks off, or one with a tail."""
    file.seek(0)
    head = file.read(4)
    if head != _LOCAL.to_bytes(4, "little"):
        what = "is empty" if not length else "is not a bundle"
        return Problem(
            "E610",
            f"'{shown(name)}' {what}",
            why="A bundle is a ZIP archive written by: zenops build",
            file=shown(name),
        )
    file.seek(max(0, length - 0x1_0000 - _END_FORM.size))
    # An end that itself breaks off has fewer bytes behind it than it must have.
    if _END.to_bytes(4, "little") in file.read()[: -_END_FORM.size]:
        return _hostile(name, "the archive has a remark, or bytes behind its end")
    return Problem(
        "E610",
        f"'{shown(name)}' breaks off before its end",
        why="The directory at the end of the archive is missing.",
        fix="Copy it again.",
        file=shown(name),
    )


def _hostile(name: str, what: str) -> Problem:
    return Problem(
        "E611",
        what,
        why="A bundle's archive has one form only; this one was not written by zenops build.",
        fix="Ask for the bundle again, from whoever built it.",
        file=shown(name),
    )
