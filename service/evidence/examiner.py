"""The process that opens a file somebody has uploaded: alone, shut in, for this one file.

The file is its standard input. It answers with one line of JSON: the facts, or what is wrong. Its
answer is not trusted: a file may have taken it over.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any

from contracts.canonical_json import to_plain
from factory.photographs import hash_file, kind_of, read_facts
from factory.rendering.limits import allow_seconds, shut_in

if TYPE_CHECKING:
    from io import BufferedReader

#: What opens a kind of file is loaded before the locks are put on.
_OPENED_BY = {
    "image/heic": ("pillow_heif", "factory.rendering.pictures"),
    "application/pdf": ("pikepdf",),
}
#: Pictures are opened as they are for printing, in a box of so many millimetres.
_BOX_MM = 60.0
#: What a PDF may do by itself when it is opened. A deed has no need of it.
_ACTIVE = ("/JavaScript", "/JS", "/Launch", "/EmbeddedFile", "/RichMedia", "/XFA")


def main() -> None:
    """Answer for the file on standard input."""
    task = json.loads(sys.argv[1])
    out = os.dup(1)
    os.dup2(2, 1)
    head = os.pread(0, 32, 0)
    kind = kind_of(head)
    media_type = kind.media_type if kind else ""
    for name in _OPENED_BY.get(media_type, ("factory.rendering.pictures",)):
        importlib.import_module(name)
    file: BufferedReader = os.fdopen(0, "rb")
    shut_in(task["memory_bytes"])
    allow_seconds(task["cpu_seconds"])
    try:
        answer = _look(file, task, media_type)
    except MemoryError:
        answer = _refused("FILE_TOO_DEMANDING", "takes more memory to open than a file may")
    os.write(out, json.dumps(answer).encode() + b"\n")


def _look(file: BufferedReader, task: dict[str, Any], media_type: str) -> dict[str, Any]:
    sums = hash_file(file)
    facts, problems = read_facts(file, "The file", sums=sums)
    if facts is None:
        code = "FILE_KIND_REFUSED" if problems[0].code == "E605" else "FILE_DAMAGED"
        if problems[0].code == "E607":
            code = "PICTURE_TOO_LARGE"
        what = problems[0].what.removeprefix("'The file' ")
        return _refused(code, what, problems[0].why, problems[0].fix)
    answer: dict[str, Any] = {"facts": to_plain(facts)}
    file.seek(0)
    if media_type == "application/pdf":
        return _look_at_pdf(file, task) or answer
    most = task["pixels"][media_type]
    if (facts.width or 0) * (facts.height or 0) > most:
        return _refused(
            "PICTURE_TOO_LARGE",
            f"has {facts.width} by {facts.height} pixels, more than the {most:,} allowed",
            fix="Save it smaller.",
        )
    return _look_at_picture(file, answer, facts.orientation or 1)


def _look_at_picture(
    file: BufferedReader, answer: dict[str, Any], orientation: int
) -> dict[str, Any]:
    from factory.rendering.pictures import PictureError, print_picture  # noqa: PLC0415

    try:
        printed = print_picture(file.read(), width=_BOX_MM, height=_BOX_MM, orientation=orientation)
    except PictureError as error:
        if isinstance(error.__context__, MemoryError):
            return _refused(
                "FILE_TOO_DEMANDING", f"could not be printed: {error}", fix="Save it smaller."
            )
        return _refused(
            "FILE_DAMAGED",
            f"could not be printed: {error}",
            fix="Open it in a picture viewer; if that fails too, copy it again.",
        )
    return {**answer, "perceptual_hash": perceptual_hash(printed.content)}


def perceptual_hash(content: bytes) -> str | None:
    """64 bits that hardly change when a picture is saved anew, smaller or in other quality.

    They say of the picture's 64 lowest frequencies (a cosine transform of 32 by 32 greys) which
    are above their median. A picture that is all of one grey has none.
    """
    import io  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415

    side, kept = 32, 8
    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
        grey = picture.convert("L").resize((side, side), Image.Resampling.BOX)
    pixels = list(grey.tobytes())
    if max(pixels) - min(pixels) < 8:
        return None
    waves = [
        [math.cos((2 * x + 1) * frequency * math.pi / (2 * side)) for x in range(side)]
        for frequency in range(kept)
    ]
    rows = [
        [
            sum(map(float.__mul__, map(float, pixels[y * side : (y + 1) * side]), wave))
            for wave in waves
        ]
        for y in range(side)
    ]
    strengths = [
        round(sum(rows[y][across] * wave[y] for y in range(side)), 3)
        for wave in waves
        for across in range(kept)
    ]
    median = sorted(strengths[1:])[31]
    return f"{sum(1 << bit for bit, strength in enumerate(strengths) if strength > median):016x}"


def _look_at_pdf(file: BufferedReader, task: dict[str, Any]) -> dict[str, Any] | None:
    """What is wrong with a PDF; None if nothing is."""
    import pikepdf  # noqa: PLC0415 - loaded before the locks, and only for a PDF

    fix = "Open it in a PDF viewer and print it to a new PDF."
    try:
        with pikepdf.open(file, access_mode=pikepdf.AccessMode.stream) as pdf:
            if len(pdf.objects) > task["pdf_objects"]:
                return _refused("PDF_TOO_LARGE", "has too many parts", fix=fix)
            pages = len(pdf.pages)
            if not 1 <= pages <= task["pdf_pages"]:
                return _refused(
                    "PDF_TOO_LARGE" if pages else "FILE_DAMAGED",
                    f"has {pages:,} pages; between 1 and {task['pdf_pages']:,} are taken",
                    fix="Split it.",
                )
            if found := _active_part(pdf):
                return _refused(
                    "PDF_ACTIVE", f"can do things by itself ({found.removeprefix('/')})", fix=fix
                )
    except pikepdf.PasswordError:
        return _refused(
            "PDF_LOCKED",
            "opens with a password only",
            fix="Save it without one; nobody could open it from the report.",
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a decoder raises, the file is what is wrong
        return _refused("FILE_DAMAGED", "begins like a PDF but cannot be opened as such", fix=fix)
    return None


def _active_part(pdf: Any) -> str | None:
    """The name of the first thing in a PDF that acts by itself, however deep it lies."""
    import pikepdf  # noqa: PLC0415

    for top in pdf.objects:
        waiting = [top]
        while waiting:
            one = waiting.pop()
            if isinstance(one, pikepdf.Dictionary | pikepdf.Stream):
                names = set(one.keys())
                kinds = {str(one.get("/S", "")), str(one.get("/Type", ""))}
                found = next((name for name in _ACTIVE if name in names | kinds), None)
                if found:
                    return found
                inner = [one.get(name) for name in names]
            elif isinstance(one, pikepdf.Array):
                inner = list(one)
            else:
                continue
            # What is an object of its own has its own turn.
            waiting += [
                part for part in inner if isinstance(part, pikepdf.Object) and not part.is_indirect
            ]
    return None


def _refused(code: str, what: str, why: str = "", fix: str = "") -> dict[str, Any]:
    return {"refused": {"code": code, "what": what, "why": why, "fix": fix}}


if __name__ == "__main__":
    main()
