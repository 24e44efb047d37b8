"""Photographs as they are printed: upright, no finer than a printer shows, and of one encoding.

What a camera wrote beside the picture - place, time, owner, thumbnails - does not go into a report.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageFile
from PIL.Image import Transpose

from factory.broken_pictures import BROKEN

DOTS_PER_INCH = 300
#: A JPEG is opened at a fraction of its size, the others as a whole.
MOST_PIXELS_OF_JPEG = 120_000_000
MOST_PIXELS = 50_000_000

# The EXIF numbers of orientation, and what turns a picture upright.
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
_JPEG_QUALITY = 88
_SRGB = ImageCms.createProfile("sRGB")


class PictureError(Exception):
    """A picture that cannot be printed; its text says why."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A picture as a document holds it: the ending of its name, its bytes and its size in pixels."""

    ending: str
    content: bytes
    width: int
    height: int


def print_picture(content: bytes, *, width: float, height: float, orientation: int = 1) -> Printed:
    """A picture for its box.

    Args:
        content: the bytes of a JPEG, PNG, WebP, TIFF or HEIC file.
        width: of the box that the upright picture is to fill, in millimetres.
        height: likewise.
        orientation: the EXIF number by which the stored pixels are to be turned.

    Raises:
        PictureError: it is damaged, or too large to be opened.
    """
    box = (_dots(width), _dots(height))
    stored_box = box if orientation < 5 else (box[1], box[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture, kind = _opened(content, stored_box)
            picture = _plain(picture)
            if picture.width > stored_box[0] or picture.height > stored_box[1]:
                size = (min(picture.width, stored_box[0]), min(picture.height, stored_box[1]))
                picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
            if orientation in _UPRIGHT:
                picture = picture.transpose(_UPRIGHT[orientation])
            return _encoded(picture, "png" if kind == "PNG" else "jpeg")
    except MemoryError:
        raise PictureError("it takes more memory than a report may have") from None
    except BROKEN:
        raise PictureError("it is damaged") from None


def _dots(millimetres: float) -> int:
    return max(1, math.ceil(millimetres / 25.4 * DOTS_PER_INCH))


def _opened(content: bytes, box: tuple[int, int]) -> tuple[Image.Image, str]:
    """The pixels of a picture, at a fraction of its size where that is enough, and its kind."""
    if content[4:8] == b"ftyp":
        return _opened_heic(content), "HEIF"
    # Limits of our own hold; Pillow's would only warn.
    Image.MAX_IMAGE_PIXELS = None
    picture: ImageFile.ImageFile = Image.open(io.BytesIO(content), formats=_FORMATS)
    kind = picture.format or ""
    most = MOST_PIXELS_OF_JPEG if kind == "JPEG" else MOST_PIXELS
    if picture.width * picture.height > most:
        raise PictureError(f"it has more than {most:,} pixels")
    if kind == "JPEG" and picture.mode in {"RGB", "L"}:
        picture.draft(picture.mode, box)
    picture.load()
    return picture, kind


def _opened_heic(content: bytes) -> Image.Image:
    import pillow_heif  # noqa: PLC0415 - twenty megabytes that few reports need

    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.options.THUMBNAILS = False
    file = pillow_heif.open_heif(io.BytesIO(content), convert_hdr_to_8bit=True)
    if file.size[0] * file.size[1] > MOST_PIXELS:
        raise PictureError(f"it has more than {MOST_PIXELS:,} pixels")
    opened: Image.Image = file.to_pillow()
    return opened


def _plain(picture: Image.Image) -> Image.Image:
    """The picture in grey or in the colours of a screen, without anything behind or beside it."""
    if picture.mode.startswith("I") or picture.mode == "F":
        # Sixteen bits of grey; Pillow would cut off all but the darkest of them.
        return picture.convert("F").point(lambda value: value / 256).convert("L")
    if picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = Image.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.getchannel("A"))
        return paper
    if picture.mode in {"1", "L"}:
        return picture.convert("L")
    return _in_screen_colours(picture)


def _in_screen_colours(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    plain = picture if picture.mode in {"RGB", "CMYK"} else picture.convert("RGB")
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                turned = ImageCms.profileToProfile(plain, own, _SRGB, outputMode="RGB")
                assert turned is not None
                return turned
        except (ImageCms.PyCMSError, *BROKEN):
            pass
    return plain.convert("RGB")


def _encoded(picture: Image.Image, ending: str) -> Printed:
    out = io.BytesIO()
    options: dict[str, Any] = {"dpi": (DOTS_PER_INCH, DOTS_PER_INCH)}
    # A new picture has no memory of what stood beside the old one.
    bare = Image.frombuffer(
        picture.mode, picture.size, picture.tobytes(), "raw", picture.mode, 0, 1
    )
    if ending == "png":
        bare.save(out, "PNG", compress_level=6, **options)
    else:
        bare.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling="4:2:0", **options)
    return Printed(ending, out.getvalue(), picture.width, picture.height)
