"""Files for tests, made from nothing: photographs that differ, scans, and what is said beside them."""

from __future__ import annotations

import io
import random
from typing import Any

import pikepdf
from PIL import Image, ImageDraw


def photograph(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture of soft shapes, another one for each seed."""
    chance = random.Random(seed)  # noqa: S311 - a picture is no secret
    picture = Image.new("RGB", size, tuple(chance.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(25):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        box = (left, top, left + chance.randrange(40, 300), top + chance.randrange(40, 300))
        draw.ellipse(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    return picture


def saved(picture: Image.Image, kind: str = "JPEG", **more: Any) -> bytes:
    """The bytes of a picture's file."""
    out = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(picture).save(out, **more)
    else:
        picture.save(out, kind, **more)
    return out.getvalue()


def jpeg(seed: int = 1, size: tuple[int, int] = (640, 480), **more: Any) -> bytes:
    """A JPEG, another one for each seed."""
    return saved(photograph(seed, size), "JPEG", **more)


def located_jpeg(seed: int = 1) -> bytes:
    """A JPEG of a camera that knew place and time: 12.5 N, 77.25 E, 1 March 2026, 10:15 +05:30."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {0x9003: "2026:03:01 10:15:00", 0x9011: "+05:30"}
    exif[0x8825] = {1: "N", 2: (12.0, 30.0, 0.0), 3: "E", 4: (77.0, 15.0, 0.0)}
    return jpeg(seed, exif=exif)


def pdf(pages: int = 1, text: bytes = b"") -> bytes:
    """A PDF of empty pages; `text` makes it another file."""
    document = pikepdf.new()
    for _ in range(pages):
        document.add_blank_page()
    document.docinfo["/Title"] = text.decode() or "scan"
    out = io.BytesIO()
    document.save(out, deterministic_id=True)
    return out.getvalue()
