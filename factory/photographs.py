"""What a piece of evidence says of itself: digest, kind, size, position and time.

A file is read once, for its digest and checksum; pictures are opened as far as their headers. The kind is told
by the content, never by the name. What a camera wrote wrongly is left out, not reported: a broken
position is no position.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL.ExifTags import IFD
from PIL.Image import Exif
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from contracts.contract import Coordinates
from contracts.evidence import FileFacts
from contracts.problems import Problem, shown
from factory.broken_pictures import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedReader

CHUNK = 1 << 20
# What is hashed stays in the processor's cache between one sum and the other.
_HASHED_AT_ONCE = 1 << 18
#: A scan of a long deed is a few megabytes, a photograph at most thirty.
LARGEST_FILE = 100_000_000
#: Opened, such a picture takes half a gigabyte; Pillow opens none that is larger.
MOST_PIXELS = 178_000_000

# Pillow logs what it finds wrong with a file; here that is a problem, told once.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its media type, the ending it gets in a bundle, and how to look inside."""

    media_type: str
    ending: str
    look: Callable[[BinaryIO], _Seen]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the header of a file shows."""

    width: int | None = None
    height: int | None = None
    exif: Mapping[int, Any] | None = None
    position: Mapping[int, Any] | None = None
    details: Mapping[int, Any] | None = None
    upright: bool = False


class _TruncatedError(ValueError):
    """The end of the file is missing."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What the bytes of a file come to: sha256, their number, and the checksum of ZIP archives."""

    sha256: str
    size: int
    crc: int


def hash_file(file: BufferedReader) -> Sums:
    """The sums of a file, read from where it stands to its end."""
    digest, size, crc = hashlib.sha256(), 0, 0
    room = memoryview(bytearray(_HASHED_AT_ONCE))
    while count := file.readinto(room):
        digest.update(room[:count])
        crc = zlib.crc32(room[:count], crc)
        size += count
    return Sums(digest.hexdigest(), size, crc)


def read_facts(
    file: BufferedReader, name: str, *, sums: Sums | None = None
) -> tuple[FileFacts | None, tuple[Problem, ...]]:
    """What a file says of itself.

    Args:
        file: open for reading at its start; it is left open.
        name: what to call it in problems.
        sums: what `hash_file` gave for it, if that is known.

    Returns:
        The facts, or None and the reason why the file cannot be evidence.
    """
    sums = sums or hash_file(file)
    file.seek(0)
    head = file.read(32)
    if not head:
        return None, (_problem("E606", name, "is empty", fix="Copy the file again."),)
    kind = kind_of(head)
    if kind is None:
        return None, (
            _problem(
                "E605",
                name,
                "is of no kind that evidence may have",
                why="Evidence is a JPEG, PNG, WebP, TIFF or HEIC picture, or a PDF. "
                "The content decides, not the ending of the name.",
                fix="Save it as one of these.",
            ),
        )
    try:
        file.seek(0)
        with warnings.catch_warnings():
            # Decoders warn of odd metadata; what they could not read is left out.
            warnings.simplefilter("ignore")
            seen = kind.look(file)
    except _TruncatedError:
        return None, (
            _problem("E606", name, "breaks off before its end", fix="Copy the file again."),
        )
    except BROKEN:
        return None, (
            _problem(
                "E606",
                name,
                f"begins like {kind.media_type} but cannot be opened as such",
                fix="Open it in a picture viewer; if that fails too, copy it again.",
            ),
        )
    if (seen.width or 1) * (seen.height or 1) > MOST_PIXELS:
        return None, (
            _problem(
                "E607",
                name,
                f"claims {seen.width} by {seen.height} pixels",
                why=f"More than {MOST_PIXELS:,} pixels do harm when the picture is opened.",
                fix="Save it smaller.",
            ),
        )
    return FileFacts(
        sha256=sums.sha256,
        size=sums.size,
        media_type=kind.media_type,
        width=seen.width,
        height=seen.height,
        orientation=_orientation(seen),
        captured_at=_captured_at(seen.details or {}),
        located_at=_located_at(seen.position or {}),
    ), ()


def kind_of(head: bytes) -> Kind | None:
    """The kind of a file by its first 32 bytes."""
    for test, kind in _KINDS:
        if test(head):
            return kind
    return None


def ending_of(media_type: str) -> str:
    """The ending that a file of a media type has in a bundle, such as 'jpg'."""
    return _ENDINGS[media_type]


def _problem(code: str, name: str, what: str, why: str = "", fix: str = "") -> Problem:
    return Problem(code, f"'{shown(name)}' {what}", why=why, fix=fix, file=shown(name))


def _jpeg(file: BinaryIO) -> _Seen:
    with JpegImageFile(file) as picture:
        seen = _picture(picture)
    if not _jpeg_ends(file):
        raise _TruncatedError
    return seen


def _jpeg_ends(file: BinaryIO) -> bool:
    """Whether the mark that ends a JPEG comes after its picture data have begun."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 64))
    if file.read().rstrip(b"\x00").endswith(b"\xff\xd9"):
        return True
    # Telephones append films and maps: look for the mark from the start of the picture data on.
    file.seek(2)
    while (marker := file.read(2)) and marker != b"\xff\xda":
        length = file.read(2)
        if len(length) < 2 or marker[0] != 0xFF:
            return False
        file.seek(max(0, int.from_bytes(length, "big") - 2), 1)
    last = b""
    while chunk := file.read(CHUNK):
        if b"\xff\xd9" in last + chunk:
            return True
        last = chunk[-1:]
    return False


def _png(file: BinaryIO) -> _Seen:
    with PngImageFile(file) as picture:
        # Only what stands before the pixels: looking further would decode them.
        seen = _with_exif(*picture.size, _exif(picture.info.get("exif")))
    end = file.seek(0, 2)
    file.seek(max(0, end - CHUNK))
    if b"IEND\xaeB`\x82" not in file.read():
        raise _TruncatedError
    return seen


def _webp(file: BinaryIO) -> _Seen:
    file.seek(4)
    promised = int.from_bytes(file.read(4), "little") + 8
    if file.seek(0, 2) < promised:
        raise _TruncatedError
    # This decoder takes memory for the whole picture at once, so its size is read by hand first.
    file.seek(12)
    width, height = _webp_size(file.read(18))
    if width * height > MOST_PIXELS:
        return _Seen(width, height)
    file.seek(0)
    with WebPImageFile(file) as picture:
        return _picture(picture)


def _webp_size(header: bytes) -> tuple[int, int]:
    def number(start: int, end: int) -> int:
        return int.from_bytes(header[start:end], "little")

    if header[:4] == b"VP8X":
        return number(12, 15) + 1, number(15, 18) + 1
    if header[:4] == b"VP8 ":
        return number(14, 16) & 0x3FFF, number(16, 18) & 0x3FFF
    return (number(9, 13) & 0x3FFF) + 1, (number(9, 13) >> 14 & 0x3FFF) + 1


def _tiff(file: BinaryIO) -> _Seen:
    with TiffImageFile(file) as picture:
        # This decoder turns the picture upright itself, and counts its sides that way.
        seen = replace(_picture(picture), upright=True)
        # Tags 273 and 279: where the strips lie, and how long they are; 324 and 325 for tiles.
        offsets = picture.tag_v2.get(273) or picture.tag_v2.get(324) or ()
        lengths = picture.tag_v2.get(279) or picture.tag_v2.get(325) or ()
        ends = max((at + long for at, long in zip(offsets, lengths, strict=False)), default=0)
    if file.seek(0, 2) < ends:
        raise _TruncatedError
    return seen


def _heic(file: BinaryIO) -> _Seen:
    import pillow_heif  # noqa: PLC0415 - twenty megabytes that few cases need

    end, at = file.seek(0, 2), 0
    while at < end:
        file.seek(at)
        length = int.from_bytes(file.read(4), "big")
        file.read(4)
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        at += length or end - at
        if length and length < 8:
            raise ValueError("a box that has no room for its own head")
    if at > end:
        raise _TruncatedError
    file.seek(0)
    picture = pillow_heif.open_heif(file)
    # So does this one.
    width, height = picture.size
    seen = _with_exif(width, height, _exif(picture.info.get("exif")))
    return replace(seen, upright=True)


def _pdf(file: BinaryIO) -> _Seen:
    end = file.seek(0, 2)
    file.seek(max(0, end - 2_048))
    if b"%%EOF" not in file.read():
        raise _TruncatedError
    return _Seen()


def _picture(picture: Any) -> _Seen:
    width, height = picture.size
    try:
        return _with_exif(width, height, picture.getexif())
    except BROKEN:
        return _Seen(width=width, height=height)


def _exif(block: bytes | None) -> Exif:
    exif = Exif()
    try:
        exif.load(block or b"")
    except BROKEN:
        return Exif()
    return exif


def _with_exif(width: int, height: int, exif: Exif) -> _Seen:
    parts: list[Mapping[int, Any]] = []
    for part in (IFD.Exif, IFD.GPSInfo):
        try:
            parts.append(dict(exif.get_ifd(part)))
        except BROKEN:
            parts.append({})
    return _Seen(width, height, exif, details=parts[0], position=parts[1])


_ORIENTATION, _TAKEN, _ZONE = 0x0112, 0x9003, 0x9011
_MOMENT = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")


def _orientation(seen: _Seen) -> int | None:
    if seen.upright:
        return 1
    value = (seen.exif or {}).get(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def _captured_at(details: Mapping[int, Any]) -> datetime | None:
    """When the shutter was pressed: the camera's own time, with its zone where it wrote one."""
    taken = _MOMENT.fullmatch(str(details.get(_TAKEN, "")).strip("\x00 "))
    if taken is None:
        return None
    zone = str(details.get(_ZONE, "")).strip("\x00 ")
    written = f"{taken[1]}-{taken[2]}-{taken[3]}T{taken[4]}"
    try:
        return datetime.fromisoformat(
            written + (zone if re.fullmatch(r"[+-]\d\d:\d\d", zone) else "")
        )
    except ValueError:
        return None


def _located_at(position: Mapping[int, Any]) -> Coordinates | None:
    """Degrees north and east; cameras without a fix write zeros, which is in the sea off Africa."""
    latitude = _degrees(position.get(2), position.get(1), "NS", 90)
    longitude = _degrees(position.get(4), position.get(3), "EW", 180)
    if latitude is None or longitude is None or (latitude == longitude == 0):
        return None
    return Coordinates(latitude=latitude, longitude=longitude)


def _degrees(parts: Any, side: Any, sides: str, most: int) -> Decimal | None:
    mark = str(side).strip("\x00 ").upper()
    if mark not in tuple(sides) or not isinstance(parts, tuple) or not 1 <= len(parts) <= 3:
        return None
    try:
        exact = sum(
            Fraction(part.numerator, part.denominator) / 60**place
            for place, part in enumerate(parts)
        )
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    if not 0 <= exact <= most:
        return None
    # A millionth of a degree is 11 cm, finer than any telephone knows.
    millionths = round(exact * 1_000_000)
    return Decimal(-millionths if mark == sides[1] else millionths).scaleb(-6)


_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1"})
_KINDS: tuple[tuple[Callable[[bytes], bool], Kind], ...] = (
    (lambda head: head.startswith(b"\xff\xd8\xff"), Kind("image/jpeg", "jpg", _jpeg)),
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), Kind("image/png", "png", _png)),
    (
        lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
        Kind("image/webp", "webp", _webp),
    ),
    (
        lambda head: head.startswith((b"II*\x00", b"MM\x00*")),
        Kind("image/tiff", "tif", _tiff),
    ),
    (
        lambda head: head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS,
        Kind("image/heic", "heic", _heic),
    ),
    (lambda head: head.startswith(b"%PDF-"), Kind("application/pdf", "pdf", _pdf)),
)
_ENDINGS = {kind.media_type: kind.ending for _, kind in _KINDS}
