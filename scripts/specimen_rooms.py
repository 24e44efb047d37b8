"""The specimen's rooms: a living room and a kitchen, drawn in one-point perspective."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from specimen_canvas import Canvas, Colour, Point, face, mixed, on, rectangle
from specimen_house import wall

if TYPE_CHECKING:
    from PIL import Image


def _room(canvas: Canvas, back: tuple[float, float, float, float], paint: Colour) -> None:
    left, top, right, bottom = back
    width, height = canvas.width, canvas.height
    ceiling = ((0, 0), (width, 0), (right, top), (left, top))
    floor = ((left, bottom), (right, bottom), (width, height), (0, height))
    canvas.gradient(ceiling, (232, 230, 224), (214, 210, 202))
    wall(
        canvas, ((0, 0), (left, top), (left, bottom), (0, height)), mixed(paint, (90, 80, 70), 0.16)
    )
    wall(
        canvas,
        ((right, top), (width, 0), (width, height), (right, bottom)),
        mixed(paint, (90, 80, 70), 0.26),
    )
    wall(canvas, rectangle(left, top, right, bottom), paint, dark=0.05)
    canvas.gradient(floor, (206, 196, 182), (232, 224, 212))
    # Vitrified tiles: the joints run to the vanishing point in the middle of the back wall.
    centre = ((left + right) / 2, (top + bottom) / 2)
    for number in range(-14, 15):
        x = width / 2 + number * width * 0.16
        share = (bottom - centre[1]) / (height - centre[1])
        near = (centre[0] + (x - centre[0]) * share, bottom)
        canvas.line([near, (x, height)], (176, 166, 152), 1.6)
    depth = bottom
    step = 10.0
    while depth < height:
        canvas.line(
            [
                (left * (height - depth) / (height - bottom), depth),
                (width - (width - right) * (height - depth) / (height - bottom), depth),
            ],
            (176, 166, 152),
            1.6,
        )
        depth += step
        step *= 1.45
    for edge in (((0, 0), (left, top)), ((width, 0), (right, top))):
        canvas.line(list(edge), (180, 176, 168), 4)
    canvas.shape(rectangle(left, bottom - 16, right, bottom), (150, 120, 92))
    canvas.shade(
        ((left, bottom), (right, bottom), (right + 40, bottom + 50), (left - 40, bottom + 50)),
        0.22,
        12,
    )


def _fan(canvas: Canvas, hub: Point, reach: float) -> None:
    x, y = hub
    canvas.line([(x, y - 90), (x, y)], (90, 88, 84), 6)
    for angle in (0.15, 2.25, 4.35):
        tip = (x + math.cos(angle) * reach, y + math.sin(angle) * reach * 0.28)
        across = (math.sin(angle) * 14, math.cos(angle) * 14)
        canvas.shape(
            [
                (x + across[0] * 0.6, y + across[1] * 0.6),
                (tip[0] + across[0], tip[1] + across[1]),
                (tip[0] - across[0], tip[1] - across[1]),
                (x - across[0] * 0.6, y - across[1] * 0.6),
            ],
            (122, 92, 66),
        )
    canvas.oval(hub, 34, 17, (96, 70, 50))


def interior_living() -> Image.Image:
    """The living room: sofa, window, ceiling fan, lamp."""
    canvas = Canvas(1600, 1200, seed=21)
    _room(canvas, (360, 250, 1260, 790), (240, 226, 196))
    # The window with the afternoon outside it, and the light it lays on the floor.
    opening = rectangle(470, 350, 780, 640)
    canvas.shape(opening, (250, 250, 248))
    canvas.gradient(face(opening, 0.04, 0.05, 0.96, 0.95), (168, 206, 236), (206, 220, 190))
    canvas.leaves((560, 590), 90, 60)
    canvas.leaves((720, 600), 70, 56)
    canvas.shape(face(opening, 0, 0.95, 1, 1.02), (250, 250, 248))
    for share in (0.0, 0.33, 0.66, 1.0):
        canvas.line([on(opening, share, 0), on(opening, share, 1)], (246, 244, 240), 9)
    for left in (440, 760):
        curtain = rectangle(left, 320, left + 64, 740)
        canvas.gradient(curtain, (184, 72, 58), (140, 50, 44))
        for fold in range(4):
            canvas.shade(rectangle(left + 4 + fold * 16, 320, left + 10 + fold * 16, 740), 0.28, 2)
    canvas.line([(420, 318), (842, 318)], (120, 92, 60), 9)
    canvas.shade([(480, 800), (800, 800), (1010, 1120), (520, 1120)], 0.3, 20, (255, 246, 214))

    # Television wall on the right, door on the left.
    right = ((1260, 250), (1600, 0), (1600, 1200), (1260, 790))
    canvas.shape(face(right, 0.22, 0.34, 0.78, 0.58), (22, 24, 28))
    canvas.gradient(face(right, 0.24, 0.355, 0.76, 0.565), (54, 62, 76), (24, 28, 36))
    canvas.gradient(face(right, 0.12, 0.72, 0.88, 0.84), (126, 84, 52), (92, 58, 34))
    left_wall = ((0, 0), (360, 250), (360, 790), (0, 1200))
    canvas.shape(face(left_wall, 0.30, 0.26, 0.66, 1.0), (84, 52, 32))
    canvas.gradient(face(left_wall, 0.33, 0.29, 0.63, 1.0), (150, 98, 58), (112, 68, 40))
    canvas.oval(on(left_wall, 0.6, 0.64), 9, 9, (214, 184, 100))

    # Sofa and table.
    canvas.shade(rectangle(690, 800, 1230, 850), 0.45, 16)
    canvas.rounded((700, 610, 1210, 800), 30, (70, 92, 104))
    canvas.rounded((720, 690, 956, 790), 20, (96, 120, 132))
    canvas.rounded((958, 690, 1194, 790), 20, (92, 116, 128))
    for x in (684, 1180):
        canvas.rounded((x, 670, x + 52, 822), 22, (58, 78, 90))
    for x, colour in ((770, (206, 150, 72)), (1100, (186, 84, 64))):
        canvas.rounded((x, 640, x + 92, 724), 18, colour)
    canvas.shade(rectangle(560, 1000, 1010, 1060), 0.4, 18)
    canvas.shape([(600, 880), (950, 880), (1020, 970), (550, 970)], (134, 90, 56))
    canvas.shape([(550, 970), (1020, 970), (1020, 996), (550, 996)], (98, 62, 38))
    for x in (572, 986):
        canvas.shape(rectangle(x, 996, x + 20, 1060), (84, 52, 32))
    canvas.oval((770, 916), 54, 17, (232, 232, 228))
    canvas.shape(rectangle(980, 380, 1180, 520), (96, 62, 40))
    canvas.gradient(rectangle(994, 394, 1166, 506), (226, 190, 120), (120, 150, 120))
    canvas.oval((1130, 430), 18, 18, (246, 222, 150))
    canvas.shape([(994, 506), (1050, 440), (1100, 480), (1130, 456), (1166, 506)], (74, 98, 84))
    _fan(canvas, (820, 150), 220)
    return canvas.finish()


def interior_kitchen() -> Image.Image:
    """The kitchen: granite platform, glazed tiles, wardrobes above."""
    canvas = Canvas(1600, 1200, seed=22)
    _room(canvas, (300, 210, 1330, 830), (244, 240, 228))
    # Glazed tiles over the platform.
    for row in range(5):
        for column in range(17):
            x, y = 300 + column * 60.6, 440 + row * 40
            tint = mixed((226, 236, 238), (188, 210, 214), canvas.random.random())
            canvas.shape(rectangle(x + 1, y + 1, x + 59, y + 39), tint)
    opening = rectangle(930, 270, 1180, 470)
    canvas.shape(opening, (84, 62, 48))
    canvas.gradient(face(opening, 0.05, 0.06, 0.95, 0.94), (186, 216, 238), (210, 224, 196))
    canvas.leaves((1010, 430), 60, 34)
    canvas.shape(face(opening, 0.0, 0.94, 1.0, 1.0), (84, 62, 48))
    canvas.line([on(opening, 0.5, 0), on(opening, 0.5, 1)], (84, 62, 48), 8)
    # Cupboards above and below, platform between.
    for number in range(4):
        x = 320 + number * 146
        canvas.gradient(rectangle(x, 262, x + 140, 420), (164, 78, 60), (140, 62, 48))
        canvas.shape(rectangle(x + 116, 372, x + 124, 406), (226, 222, 214))
    canvas.shade(rectangle(310, 420, 904, 446), 0.35, 6)
    canvas.gradient(rectangle(300, 640, 1330, 676), (60, 60, 66), (34, 34, 40))
    canvas.grain(rectangle(300, 640, 1330, 660), 0.8, (2, 2))
    canvas.shade(rectangle(300, 676, 1330, 700), 0.5, 6)
    for number in range(7):
        x = 300 + number * 147
        canvas.gradient(rectangle(x + 3, 684, x + 144, 826), (172, 84, 64), (146, 66, 50))
        canvas.shape(rectangle(x + 54, 700, x + 94, 707), (226, 222, 214))
    # Hob, sink and tap, vessels.
    canvas.rounded((470, 618, 700, 642), 6, (30, 32, 36))
    for x in (528, 640):
        canvas.oval((x, 618), 44, 8, (70, 72, 78))
    canvas.rounded((490, 552, 570, 614), 10, (196, 200, 204))
    canvas.shape(rectangle(480, 552, 580, 562), (150, 154, 160))
    canvas.rounded((950, 634, 1150, 652), 6, (196, 202, 206))
    canvas.line([(1050, 640), (1050, 560), (1100, 560), (1100, 592)], (206, 212, 216), 10)
    for x, colour in ((780, (196, 148, 66)), (832, (96, 132, 92)), (884, (150, 84, 60))):
        canvas.rounded((x, 584, x + 40, 640), 8, colour)
        canvas.shape(rectangle(x - 2, 576, x + 42, 588), (90, 70, 50))
    right = ((1330, 210), (1600, 40), (1600, 1160), (1330, 830))
    canvas.gradient(face(right, 0.12, 0.16, 0.9, 0.98), (216, 220, 224), (176, 182, 188))
    canvas.line([on(right, 0.12, 0.42), on(right, 0.9, 0.42)], (120, 124, 130), 4)
    for low, high in ((0.28, 0.39), (0.46, 0.62)):
        canvas.line([on(right, 0.2, low), on(right, 0.2, high)], (90, 94, 100), 8)
    canvas.shade([(930, 840), (1180, 840), (1240, 1120), (760, 1120)], 0.25, 26, (255, 246, 214))
    canvas.shade(rectangle(300, 0, 1330, 20), 0.2, 10, (255, 250, 230))
    canvas.rounded((760, 70, 900, 96), 10, (255, 252, 240))
    canvas.shade([(700, 40), (960, 40), (1060, 190), (600, 190)], 0.35, 40, (255, 252, 236))
    return canvas.finish()
