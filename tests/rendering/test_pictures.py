"""Pictures come out upright, no finer than print, in one encoding, and with nothing beside them."""

import io
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageDraw
from PIL.ExifTags import Base

from factory.rendering.pictures import PictureError, print_picture

# What was done to the upright picture so that turning it by the number gives it back.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright(size=(400, 300)):
    """A white picture whose upper left quarter is red, its upper right one blue."""
    picture = Image.new("RGB", size, "white")
    drawing = ImageDraw.Draw(picture)
    drawing.rectangle((0, 0, size[0] // 2 - 1, size[1] // 2 - 1), fill="red")
    drawing.rectangle((size[0] // 2, 0, size[0], size[1] // 2 - 1), fill="blue")
    return picture


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def colours(printed):
    picture = Image.open(io.BytesIO(printed.content)).convert("RGB")
    width, height = picture.size
    spots = [
        (width // 4, height // 4),
        (3 * width // 4, height // 4),
        (width // 4, 3 * height // 4),
    ]
    names = []
    for spot in spots:
        red, green, blue = picture.getpixel(spot)
        names.append(
            "white" if green > 200 else "red" if red > 180 > blue else "blue" if blue > 180 else "?"
        )
    return names


@pytest.mark.parametrize("number", STORED)
def test_a_photograph_is_turned_upright(number):
    stored = upright()
    if STORED[number] is not None:
        stored = stored.transpose(STORED[number])
    exif = Image.Exif()
    exif[Base.Orientation] = number
    content = saved(stored, "JPEG", exif=exif, quality=95)

    printed = print_picture(content, width=80, height=60, orientation=number)

    assert (printed.width, printed.height) == (400, 300)
    assert colours(printed) == ["red", "blue", "white"]


@pytest.mark.parametrize("number", [1, 6])
def test_a_large_photograph_is_printed_at_300_dots_an_inch(number):
    stored = upright((4000, 3000))
    if STORED[number] is not None:
        stored = stored.transpose(STORED[number])

    printed = print_picture(saved(stored, "JPEG"), width=80, height=60, orientation=number)

    assert (printed.width, printed.height) == (945, 709)
    assert colours(printed) == ["red", "blue", "white"]


def test_a_small_picture_is_not_made_larger():
    printed = print_picture(saved(upright(), "PNG"), width=180, height=135)

    assert (printed.width, printed.height) == (400, 300)


@pytest.mark.parametrize(
    ("kind", "ending"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "jpeg"), ("TIFF", "jpeg")]
)
def test_each_kind_of_picture_is_printed(kind, ending):
    printed = print_picture(saved(upright(), kind), width=80, height=60)

    assert printed.ending == ending
    assert colours(printed) == ["red", "blue", "white"]


def test_a_heic_photograph_is_printed_as_jpeg():
    file = pillow_heif.from_pillow(upright())
    out = io.BytesIO()
    file.save(out, quality=90)

    printed = print_picture(out.getvalue(), width=80, height=60)

    assert printed.ending == "jpeg"
    assert colours(printed) == ["red", "blue", "white"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_every_way_of_storing_colours_is_printed(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    if mode == "I;16":
        picture = Image.new("I;16", (40, 30), 40_000)
    else:
        picture = upright((40, 30)).convert(mode)

    printed = print_picture(saved(picture, kind), width=80, height=60)

    shown = Image.open(io.BytesIO(printed.content))
    assert shown.mode in {"L", "RGB"}
    if mode == "I;16":
        assert shown.getpixel((5, 5)) == 156  # 40,000 of 65,535 in steps of 256


def test_what_can_be_seen_through_is_printed_on_white():
    picture = Image.new("RGBA", (40, 30), (255, 0, 0, 0))

    printed = print_picture(saved(picture, "PNG"), width=80, height=60)

    assert Image.open(io.BytesIO(printed.content)).getpixel((5, 5)) == (255, 255, 255)


def test_nothing_that_a_camera_wrote_is_printed():
    exif = Image.Exif()
    exif[Base.Artist] = "somebody"
    exif[Base.Orientation] = 6
    content = saved(upright(), "JPEG", exif=exif, comment=b"a remark")

    printed = print_picture(content, width=80, height=60, orientation=1)

    again = Image.open(io.BytesIO(printed.content))
    assert b"somebody" not in printed.content
    assert not dict(again.getexif())
    assert "comment" not in again.info


def test_other_colours_than_a_screens_are_turned_into_them():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    content = saved(upright(), "JPEG", icc_profile=b"no profile at all")

    assert lab
    assert colours(print_picture(content, width=80, height=60)) == ["red", "blue", "white"]


def test_the_same_picture_is_printed_the_same():
    content = saved(upright((1600, 1200)), "JPEG")

    first = print_picture(content, width=40, height=30)
    assert first == print_picture(content, width=40, height=30)


def _png(width, height, pixels=b""):
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


HOSTILE = {
    "nothing": b"",
    "a text": b"Fair market value",
    "half a photograph": saved(upright((800, 600)), "JPEG")[:3000],
    "a header alone": saved(upright(), "PNG")[:60],
    "no pixels": _png(400, 300),
    "60,000 by 60,000 pixels": _png(60_000, 60_000),
    "a postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "a film": b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40,
    "a gif": saved(upright(), "GIF"),
    "a bitmap": saved(upright(), "BMP"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused(name):
    with pytest.raises(PictureError):
        print_picture(HOSTILE[name], width=80, height=60)
