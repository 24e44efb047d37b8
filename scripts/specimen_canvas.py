"""A drawing surface for the specimen pictures: colours, light and texture, the same on every run.

Everything is drawn twice as large as the picture and reduced at the end, so that edges are smooth.
Randomness comes from one seeded generator, fonts from Pillow itself: no two machines differ.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Colour = tuple[int, int, int]
Point = tuple[float, float]

#: Each side is drawn this many times larger than it will be.
SCALE = 2


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """The colour between two: the first at 0, the second at 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def rectangle(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """The four corners of an upright rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def on(quad: Sequence[Point], across: float, down: float) -> Point:
    """A point of a four-sided face, from (0, 0) at its first corner to (1, 1) at its third.

    Walls seen at an angle are such faces; doors and windows are placed on them with this.
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad
    top = (ax + (bx - ax) * across, ay + (by - ay) * across)
    bottom = (dx + (cx - dx) * across, dy + (cy - dy) * across)
    return top[0] + (bottom[0] - top[0]) * down, top[1] + (bottom[1] - top[1]) * down


def face(
    quad: Sequence[Point], left: float, top: float, right: float, bottom: float
) -> tuple[Point, ...]:
    """A rectangle lying on a four-sided face, in shares of its width and height."""
    return (
        on(quad, left, top),
        on(quad, right, top),
        on(quad, right, bottom),
        on(quad, left, bottom),
    )


class Canvas:
    """A picture in the making; coordinates are those of the finished picture."""

    def __init__(
        self, width: int, height: int, *, seed: int, ground: Colour = (255, 255, 255)
    ) -> None:
        self.width, self.height = width, height
        self.random = Random(seed)  # noqa: S311 - drawing, not secrets
        self.image = Image.new("RGB", (width * SCALE, height * SCALE), ground)
        self._draw = ImageDraw.Draw(self.image)

    def shape(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon(_scaled(points), fill=colour)

    def outline(self, points: Sequence[Point], colour: Colour, width: float = 1) -> None:
        """Draw the edge of a polygon."""
        self.line([*points, points[0]], colour, width)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 1) -> None:
        """Draw a line through points."""
        self._draw.line(
            _scaled(points), fill=colour, width=max(1, round(width * SCALE)), joint="curve"
        )

    def oval(
        self,
        centre: Point,
        across: float,
        down: float,
        colour: Colour,
        *,
        edge: Colour | None = None,
    ) -> None:
        """Fill an ellipse of given half-widths."""
        (x, y) = centre
        box = _scaled([(x - across, y - down), (x + across, y + down)])
        self._draw.ellipse(box, fill=colour, outline=edge, width=2 * SCALE)

    def rounded(
        self,
        box: tuple[float, float, float, float],
        radius: float,
        colour: Colour,
        *,
        edge: Colour | None = None,
        edge_width: float = 1,
    ) -> None:
        """Fill a rectangle with rounded corners."""
        left, top, right, bottom = box
        self._draw.rounded_rectangle(
            _scaled([(left, top), (right, bottom)]),
            radius=radius * SCALE,
            fill=colour,
            outline=edge,
            width=max(1, round(edge_width * SCALE)),
        )

    def text(
        self,
        position: Point,
        words: str,
        size: float,
        colour: Colour = (25, 25, 30),
        *,
        anchor: str = "la",
        bold: bool = False,
    ) -> None:
        """Write a line of text; `anchor` is Pillow's two letters."""
        x, y = position
        self._draw.text(
            (x * SCALE, y * SCALE),
            words,
            font=_font(size),
            fill=colour,
            anchor=anchor,
            stroke_width=size * SCALE / 45 if bold else 0,
            stroke_fill=colour,
        )

    def wrapped(self, words: str, width: float, size: float) -> list[str]:
        """The lines that a text takes at a width."""
        font, lines, line = _font(size), [], ""
        for word in words.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width * SCALE:
                lines.append(line)
                longer = word
            line = longer
        return [*lines, line]

    def gradient(self, points: Sequence[Point], top: Colour, bottom: Colour) -> None:
        """Fill a polygon with a colour that changes from its top to its bottom."""
        box = self._around(points)
        if box is None:
            return
        left, upper, right, lower = box
        size = (right - left, lower - upper)
        ramp = Image.linear_gradient("L").resize((1, size[1]))
        strip = Image.composite(
            Image.new("RGB", (1, size[1]), bottom), Image.new("RGB", (1, size[1]), top), ramp
        )
        self.image.paste(strip.resize(size), (left, upper), _mask(points, box))

    def shade(
        self,
        points: Sequence[Point],
        strength: float,
        blur: float = 0,
        colour: Colour = (10, 12, 25),
    ) -> None:
        """Lay a soft shadow, or with a light colour a glow, over a polygon."""
        box = self._around(points, margin=3 * blur)
        if box is None:
            return
        # A blurred edge has no detail: a quarter of the pixels will do.
        left, top, right, bottom = (side // (2 * SCALE) for side in box)
        mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
        ImageDraw.Draw(mask).polygon(
            [(x / 2 - left, y / 2 - top) for x, y in points], fill=round(255 * strength)
        )
        if blur:
            mask = mask.filter(ImageFilter.BoxBlur(blur / 2)).filter(ImageFilter.BoxBlur(blur / 2))
        mask = mask.resize((mask.width * 2 * SCALE, mask.height * 2 * SCALE))
        self.image.paste(
            Image.new("RGB", mask.size, colour), (left * 2 * SCALE, top * 2 * SCALE), mask
        )

    def grain(self, points: Sequence[Point], strength: float, cell: Point = (3, 3)) -> None:
        """Roughen a polygon, as plaster, soil or bark is: light and dark specks of a cell's size."""
        box = self._around(points)
        if box is None:
            return
        size = (box[2] - box[0], box[3] - box[1])
        cells = (
            max(1, round(size[0] / cell[0] / SCALE)),
            max(1, round(size[1] / cell[1] / SCALE)),
        )
        specks = Image.frombytes("L", cells, self.random.randbytes(cells[0] * cells[1]))
        specks = specks.resize(size, Image.Resampling.BILINEAR)
        specks = specks.point([128 + round((level - 128) * strength) for level in range(256)])
        rough = ImageChops.overlay(self.image.crop(box), Image.merge("RGB", (specks,) * 3))
        self.image.paste(rough, box[:2], _mask(points, box))

    def leaves(
        self,
        centre: Point,
        across: float,
        down: float,
        *,
        green: Colour = (70, 110, 50),
        count: int = 420,
    ) -> None:
        """A crown of leaves: dark below, light where the sun falls, upper left."""
        x, y = centre
        for layer, (share, spread) in enumerate(((0.45, 1.0), (0.0, 0.92), (-0.3, 0.78))):
            for _ in range(count // 3):
                angle, reach = (
                    self.random.random() * math.tau,
                    math.sqrt(self.random.random()) * spread,
                )
                dx, dy = math.cos(angle) * reach, math.sin(angle) * reach
                light = 0.25 * (-dx - dy) - share + self.random.uniform(-0.18, 0.18)
                colour = (
                    mixed(green, (205, 215, 120), min(0.75, light))
                    if light > 0
                    else mixed(green, (18, 34, 20), min(0.85, -light))
                )
                size = self.random.uniform(0.05, 0.11) * (across + down) / (2 + layer * 0.7)
                shift = -0.1 * layer
                self.oval(
                    (x + (dx + shift) * across * 0.9, y + (dy + shift) * down * 0.9),
                    size * 1.25,
                    size,
                    colour,
                )

    def _around(
        self, points: Sequence[Point], margin: float = 0
    ) -> tuple[int, int, int, int] | None:
        """The drawn pixels that a polygon can touch, or None if it lies outside the picture."""
        across, down = [x for x, _ in points], [y for _, y in points]
        box = (
            max(0, math.floor((min(across) - margin) * SCALE)),
            max(0, math.floor((min(down) - margin) * SCALE)),
            min(self.image.width, math.ceil((max(across) + margin) * SCALE)),
            min(self.image.height, math.ceil((max(down) + margin) * SCALE)),
        )
        return box if box[2] - box[0] > 1 and box[3] - box[1] > 1 else None

    def mirror(self) -> None:
        """Turn what is drawn so far left to right."""
        self.image = ImageOps.mirror(self.image)
        self._draw = ImageDraw.Draw(self.image)

    def finish(self, *, camera: bool = True) -> Image.Image:
        """The picture at its own size; with a camera's darker corners and sensor noise."""
        size = (self.width, self.height)
        picture = self.image.resize(size, Image.Resampling.BOX)
        if not camera:
            return picture
        corners = (
            Image.radial_gradient("L")
            .resize(size)
            .point([255 - round(0.30 * max(0, level - 90)) for level in range(256)])
        )
        picture = ImageChops.multiply(picture, Image.merge("RGB", (corners,) * 3))
        half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        noise = Image.frombytes("L", half, self.random.randbytes(half[0] * half[1]))
        noise = noise.resize(size, Image.Resampling.BILINEAR).point(
            [128 + round((level - 128) * 0.06) for level in range(256)]
        )
        return ImageChops.overlay(picture, Image.merge("RGB", (noise,) * 3))


def _mask(points: Iterable[Point], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    corners = [(x - box[0], y - box[1]) for x, y in _scaled(points)]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask


def _scaled(points: Iterable[Point]) -> list[Point]:
    return [(x * SCALE, y * SCALE) for x, y in points]


_FONTS: dict[float, ImageFont.FreeTypeFont] = {}


def _font(size: float) -> ImageFont.FreeTypeFont:
    if size not in _FONTS:
        font = ImageFont.load_default(size * SCALE)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise SystemExit("This Pillow was built without FreeType; the specimen needs its font.")
        _FONTS[size] = font
    return _FONTS[size]
