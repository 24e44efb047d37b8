"""The specimen's screenshots: guideline page, price trend, map and route, all made up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from specimen_canvas import Canvas, Colour, Point, rectangle
from specimen_house import pin

if TYPE_CHECKING:
    from PIL import Image

INK, FAINT = (38, 40, 52), (120, 120, 126)
Facts = Mapping[str, Any]


def _browser(seed: int, title: str, address: str) -> Canvas:
    canvas = Canvas(1280, 900, seed=seed, ground=(255, 255, 255))
    canvas.shape(rectangle(0, 0, 1280, 86), (226, 229, 234))
    canvas.rounded((16, 10, 360, 60), 10, (255, 255, 255))
    canvas.text((36, 18), title, 18, INK)
    canvas.shape(rectangle(0, 42, 1280, 86), (255, 255, 255))
    for number, colour in enumerate(((238, 106, 96), (245, 190, 80), (98, 197, 84))):
        canvas.oval((1180 + number * 34, 22), 9, 9, colour)
    canvas.rounded((90, 48, 1200, 80), 16, (238, 240, 244))
    canvas.text((112, 54), address, 18, FAINT)
    for x in (28, 58):
        canvas.line([(x + 8, 56), (x, 64), (x + 8, 72)], FAINT, 3)
    canvas.line([(0, 87), (1280, 87)], (206, 210, 216), 2)
    return canvas


def guideline_rate(facts: Facts) -> Image.Image:
    """The registrar's page of guideline rates."""
    slab, land = facts["valuation_inputs"]["guideline"][0], facts["property"]
    canvas = _browser(
        71, "Guideline values", "https://guideline.specimen.example/mysuru-west/ward-64"
    )
    canvas.shape(rectangle(0, 88, 1280, 176), (128, 30, 44))
    canvas.text((40, 110), slab["authority"], 28, (255, 255, 255), bold=True)
    canvas.text(
        (40, 200), f"District {land['district']}   Taluk {land['taluk']}   {slab['zone']}", 24, INK
    )
    columns = (40, 540, 800, 1020)
    canvas.shape(rectangle(40, 260, 1240, 312), (240, 228, 222))
    for x, words in zip(columns, ("Locality", "Kind of land", "Unit", "Rate, INR"), strict=True):
        canvas.text((x + 12, 274), words, 22, (128, 30, 44), bold=True)
    number, unit = str(slab["rate"]).split(" ", 1)
    rows = (
        ("Chaitra Layout, 6 m road", "Residential site", "sqft", "3,700"),
        (
            slab["label"].split(", residential")[0] + ", 9 m road",
            "Residential site",
            unit.split("/")[1],
            f"{int(number):,}",
        ),
        ("Chaitra Layout, 12 m road", "Residential site", "sqft", "4,650"),
        ("Chaitra Layout, main road", "Commercial site", "sqft", "7,200"),
        ("Chaitrapura, converted", "Residential", "sqft", "2,450"),
    )
    for row, cells in enumerate(rows):
        y = 322 + row * 64
        if row == 1:
            canvas.shape(rectangle(40, y - 8, 1240, y + 54), (255, 246, 196))
        for x, words in zip(columns, cells, strict=True):
            canvas.text((x + 12, y + 10), words, 23, INK, bold=row == 1)
        canvas.line([(40, y + 55), (1240, y + 55)], (216, 206, 202), 1.5)
    canvas.text(
        (40, 680), "Effective 1 October 2023. Specimen page of a made-up office.", 20, FAINT
    )
    canvas.text((40, 720), "Read on 9 November 2026", 20, FAINT)
    return canvas.finish(camera=False)


def price_trend(facts: Facts) -> Image.Image:
    """A property portal's price trend."""
    low, high = (
        int(str(rate).split(" ", 1)[0]) for rate in facts["valuation_inputs"]["market_rate_range"]
    )
    canvas = _browser(
        72, "Price trend", "https://homes.specimen.example/mysuru/chaitra-layout/trend"
    )
    canvas.text((60, 120), "Chaitra Layout, Mysuru: residential sites", 32, INK, bold=True)
    canvas.text((60, 168), "Asking rates, INR per square foot", 22, FAINT)
    left, right, foot, top = 130.0, 1200.0, 760.0, 260.0

    def height(rate: float) -> float:
        return foot - (rate - 3500) / 2500 * (foot - top)

    for level in range(3500, 6001, 500):
        canvas.line([(left, height(level)), (right, height(level))], (228, 230, 234), 1.5)
        canvas.text((left - 16, height(level)), f"{level:,}", 20, FAINT, anchor="rm")
    quarters = ("2024 Q4", "2025 Q1", "Q2", "Q3", "Q4", "2026 Q1", "Q2", "Q3")
    middle = (4300, 4380, 4460, 4600, 4750, 4900, 5080, (low + high) / 2)
    at = [left + 70 + number * 133 for number in range(8)]
    band = [(x, height(rate * 1.05)) for x, rate in zip(at, middle, strict=True)]
    band += [(x, height(rate * 0.95)) for x, rate in reversed(list(zip(at, middle, strict=True)))]
    canvas.shape(band, (220, 232, 248))
    canvas.line([(x, height(rate)) for x, rate in zip(at, middle, strict=True)], (40, 98, 190), 5)
    for across, rate, words in zip(at, middle, quarters, strict=True):
        canvas.oval((across, height(rate)), 8, 8, (40, 98, 190))
        canvas.text((across, foot + 18), words, 19, FAINT, anchor="ma")
    canvas.rounded((900, 196, 1200, 244), 10, (40, 98, 190))
    canvas.text(
        (1050, 220), f"Now {low:,} to {high:,}", 22, (255, 255, 255), anchor="mm", bold=True
    )
    canvas.text((60, 850), "Made-up figures on a specimen page.", 19, FAINT)
    return canvas.finish(camera=False)


def _streets(canvas: Canvas, *, close: bool) -> None:
    canvas.shape(rectangle(0, 0, canvas.width, canvas.height), (234, 232, 224))
    step = 150 if close else 96
    for x in range(-40, canvas.width, step):
        for y in range(-30, canvas.height, step - 20):
            wide, high = (
                canvas.random.uniform(0.55, 0.8) * step,
                canvas.random.uniform(0.4, 0.6) * step,
            )
            canvas.rounded((x + 16, y + 16, x + 16 + wide, y + 16 + high), 3, (222, 219, 210))
    left, top = (900, 250) if close else (960, 520)
    canvas.rounded((left, top, left + 300, top + 190), 24, (200, 226, 188))
    canvas.text((left + 150, top + 95), "Chaitra Park", 20, (70, 120, 70), anchor="mm")
    lake = [
        (
            canvas.width * 0.16 + 120 * math.cos(a * math.tau / 40),
            canvas.height * 0.82 + 56 * math.sin(a * math.tau / 40),
        )
        for a in range(40)
    ]
    canvas.shape(lake, (170, 208, 232))


def _street(
    canvas: Canvas,
    points: Sequence[Point],
    width: float,
    name: str = "",
    colour: Colour = (255, 255, 255),
) -> None:
    canvas.line(points, (208, 204, 194), width + 4)
    canvas.line(points, colour, width)
    if name:
        (ax, ay), (bx, by) = points[0], points[-1]
        canvas.text(
            (ax + (bx - ax) * 0.3, ay + (by - ay) * 0.3), name, 18, (110, 108, 104), anchor="mm"
        )


def google_map(facts: Facts) -> Image.Image:
    """The property on a map."""
    place, land = facts["property"]["coordinates"], facts["property"]
    canvas = Canvas(1280, 900, seed=73)
    _streets(canvas, close=True)
    for y, name in ((170, "2nd Cross"), (330, "3rd Cross"), (490, "4th Cross"), (650, "5th Cross")):
        _street(canvas, [(0, y + 26), (1280, y - 26)], 20, name)
    for x, width, name in ((300, 16, ""), (700, 16, ""), (1010, 36, "Double Road")):
        _street(
            canvas,
            [(x - 30, 900), (x + 30, 0)],
            width,
            name,
            (253, 226, 147) if width > 20 else (255, 255, 255),
        )
    canvas.oval((404, 470), 30, 30, (120, 150, 190))
    canvas.text((404, 512), "Water tower", 18, (80, 100, 140), anchor="ma")
    pin(canvas, (640, 466), 30)
    canvas.text((640, 352), f"No. {land['door_no']}", 26, (160, 36, 30), anchor="mm", bold=True)
    canvas.rounded((24, 24, 560, 96), 14, (255, 255, 255), edge=(200, 200, 200))
    canvas.text((48, 44), f"{place['latitude']}, {place['longitude']}", 27, INK)
    canvas.rounded((24, 800, 720, 872), 14, (255, 255, 255), edge=(200, 200, 200))
    canvas.text((48, 822), land["address"], 22, INK)
    canvas.text((1256, 872), "Specimen map", 18, FAINT, anchor="rs")
    return canvas.finish(camera=False)


def route_map(facts: Facts) -> Image.Image:
    """The way from the bank's branch to the property."""
    canvas = Canvas(1280, 900, seed=74)
    _streets(canvas, close=False)
    for y in (120, 300, 480, 680, 820):
        _street(canvas, [(0, y + 20), (1280, y - 20)], 16)
    for x in (180, 420, 660, 900, 1140):
        _street(canvas, [(x - 24, 900), (x + 24, 0)], 14)
    way = [(214, 690), (434, 684), (446, 488), (672, 478), (684, 304), (908, 296), (914, 236)]
    canvas.line(way, (30, 88, 200), 15)
    canvas.line(way, (84, 148, 255), 9)
    canvas.oval((214, 690), 14, 14, (255, 255, 255), edge=(30, 88, 200))
    pin(canvas, (914, 236), 26)
    canvas.rounded((60, 712, 460, 760), 8, (255, 255, 255), edge=(200, 200, 200))
    canvas.text((78, 724), facts["party"]["bank_branch_name"], 19, INK)
    canvas.rounded((830, 96, 1180, 144), 8, (255, 255, 255), edge=(200, 200, 200))
    canvas.text((848, 108), f"No. {facts['property']['door_no']}, 4th Cross", 21, INK, bold=True)
    canvas.rounded((24, 24, 470, 128), 14, (255, 255, 255), edge=(200, 200, 200))
    canvas.text((48, 40), "2.1 km, 7 minutes", 30, (24, 110, 60), bold=True)
    canvas.text((48, 84), "Branch to property by car", 21, FAINT)
    canvas.text((1256, 872), "Specimen map", 18, FAINT, anchor="rs")
    return canvas.finish(camera=False)
