"""What the specimen's scenes are built of: sky, road, walls, windows, trees and the house itself."""

from __future__ import annotations

import math

from specimen_canvas import Canvas, Colour, Point, face, mixed, on, rectangle

CREAM, TERRACOTTA, WOOD = (238, 224, 192), (176, 88, 58), (112, 68, 40)
GLASS, FRAME, CONCRETE = (62, 86, 104), (70, 50, 40), (168, 164, 156)


def sky(canvas: Canvas, horizon: float, *, clouds: int = 9) -> None:
    """A November sky over the Deccan: deep above, hazy at the horizon."""
    canvas.gradient(rectangle(0, 0, canvas.width, horizon), (92, 148, 212), (222, 232, 236))
    for _ in range(clouds):
        x = canvas.random.uniform(0, canvas.width)
        y = canvas.random.uniform(0.08, 0.62) * horizon
        for _ in range(7):
            dx, dy = canvas.random.uniform(-110, 110), canvas.random.uniform(-14, 14)
            puff = [
                (
                    x + dx + math.cos(step * math.tau / 18) * 80,
                    y + dy + math.sin(step * math.tau / 18) * 20,
                )
                for step in range(18)
            ]
            canvas.shade(puff, 0.16, blur=14, colour=(255, 255, 255))


def road(canvas: Canvas, top: float, *, kerb: bool = True) -> None:
    """Asphalt from `top` to the lower edge."""
    canvas.gradient(rectangle(0, top, canvas.width, canvas.height), (128, 124, 120), (82, 80, 82))
    canvas.grain(rectangle(0, top, canvas.width, canvas.height), 0.22, (2.5, 1.5))
    if kerb:
        canvas.gradient(
            rectangle(0, top - 26, canvas.width, top + 6), (186, 166, 136), (150, 130, 104)
        )
        canvas.grain(rectangle(0, top - 26, canvas.width, top + 6), 0.4, (4, 2))


def window(canvas: Canvas, quad: tuple[Point, ...], *, panes: int = 2, sill: bool = True) -> None:
    """A grilled window with a sunshade, lying on a wall."""
    canvas.shape(quad, FRAME)
    pane = face(quad, 0.05, 0.06, 0.95, 0.94)
    canvas.gradient(pane, mixed(GLASS, (190, 214, 232), 0.55), GLASS)
    canvas.shape(face(quad, 0.05, 0.06, 0.3, 0.94), mixed(GLASS, (230, 214, 190), 0.35))
    for number in range(1, panes):
        canvas.line([on(quad, number / panes, 0), on(quad, number / panes, 1)], FRAME, 5)
    for number in range(1, 6):
        canvas.line([on(quad, 0.04, number / 6), on(quad, 0.96, number / 6)], (40, 34, 32), 1.5)
    canvas.shade(face(quad, 0.0, 0.0, 1.0, 0.22), 0.45, blur=5)
    if sill:
        canvas.shape(face(quad, -0.08, -0.14, 1.08, -0.05), (222, 210, 184))
        canvas.shape(face(quad, -0.08, -0.05, 1.08, -0.02), (150, 136, 110))
        canvas.shape(face(quad, -0.05, 1.0, 1.05, 1.06), (206, 196, 172))


def wall(canvas: Canvas, quad: tuple[Point, ...], colour: Colour, *, dark: float = 0.12) -> None:
    """A plastered wall: a little darker towards its foot, a little stained."""
    canvas.gradient(quad, mixed(colour, (255, 255, 250), 0.12), mixed(colour, (96, 76, 54), dark))
    canvas.grain(quad, 0.10, (7, 4))
    canvas.grain(quad, 0.05, (60, 220))


def palm(canvas: Canvas, foot: Point, height: float) -> None:
    """A coconut palm."""
    x, y = foot
    lean = height * 0.08
    for step in range(40):
        share = step / 40
        bend = lean * share * share
        width = 11 - 4 * share
        top = y - height * share
        shade_of = (124, 104, 82) if step % 2 else (104, 86, 66)
        canvas.shape(
            rectangle(x + bend - width, top - height / 40, x + bend + width, top + 1), shade_of
        )
    crown = (x + lean, y - height)
    for number in range(15):
        angle = math.tau * number / 15 + canvas.random.uniform(-0.15, 0.15)
        length = height * canvas.random.uniform(0.3, 0.38)
        spine = [
            (
                crown[0] + math.cos(angle) * length * step / 8,
                crown[1]
                + math.sin(angle) * length * 0.45 * step / 8
                + length * 0.42 * (step / 8) ** 2
                - length * 0.14,
            )
            for step in range(9)
        ]
        green = mixed((44, 84, 40), (142, 168, 84), canvas.random.random())
        for index in range(1, 9):
            (x0, y0), (x1, y1) = spine[index - 1], spine[index]
            for part in range(4):
                px, py = x0 + (x1 - x0) * part / 4, y0 + (y1 - y0) * part / 4
                leaf = length * 0.2 * (1 - (index + part / 4) / 11)
                canvas.line([(px, py), (px - leaf * 0.35, py + leaf)], green, 1.6)
                canvas.line([(px, py), (px + leaf * 0.35, py + leaf * 0.9)], green, 1.6)
        canvas.line(spine, mixed(green, (210, 214, 150), 0.4), 2)
    for dx in (-9, 3, 12):
        canvas.oval((crown[0] + dx, crown[1] + 14), 8, 9, (120, 110, 50))


def compound_wall(canvas: Canvas, top: float, foot: float, left: float, right: float) -> None:
    """The wall along the road, with its coping."""
    quad = rectangle(left, top, right, foot)
    wall(canvas, quad, (226, 206, 170), dark=0.3)
    canvas.shape(rectangle(left, top - 10, right, top + 2), TERRACOTTA)
    canvas.shade(rectangle(left, top + 2, right, top + 10), 0.4, blur=3)
    for x in range(int(left) + 120, int(right), 160):
        canvas.line([(x, top + 6), (x, foot)], (186, 164, 130), 2)


def gate(canvas: Canvas, left: float, right: float, top: float, foot: float, number: str) -> None:
    """A two-leaf steel gate between pillars; the house number is on the left one."""
    canvas.shade(rectangle(left, top, right, foot), 0.15)
    for x in range(int(left) + 10, int(right), 15):
        canvas.line([(x, top + 14), (x, foot - 4)], (52, 56, 62), 3.5)
    for y in (top + 14, (top + foot) / 2, foot - 6):
        canvas.line([(left, y), (right, y)], (42, 46, 52), 6)
    middle = (left + right) / 2
    canvas.line([(middle, top + 6), (middle, foot)], (30, 32, 38), 8)
    for post in (left - 24, right + 24):
        wall(canvas, rectangle(post - 26, top - 34, post + 26, foot), TERRACOTTA)
        canvas.shape(rectangle(post - 33, top - 46, post + 33, top - 30), (222, 208, 178))
    canvas.shape(rectangle(left - 45, top + 6, left - 3, top + 44), (28, 30, 34))
    canvas.text((left - 24, top + 25), number, 24, (240, 226, 170), anchor="mm", bold=True)


def house(canvas: Canvas, origin: Point, size: float) -> None:
    """The specimen house, two storeys, seen from the street a little from its left.

    Args:
        canvas: what to draw on.
        origin: the left foot of the front wall.
        size: width of the front wall; everything else follows from it.
    """
    unit = size / 100

    def at(x: float, y: float) -> Point:
        return origin[0] + x * unit, origin[1] - y * unit

    def block(left: float, low: float, right: float, high: float) -> tuple[Point, ...]:
        return at(left, high), at(right, high), at(right, low), at(left, low)

    # The side wall recedes to the right, in shade.
    side = (at(100, 92), at(136, 84), at(136, 3), at(100, 0))
    wall(canvas, side, (196, 178, 146), dark=0.34)
    for low, high in ((0.16, 0.36), (0.60, 0.80)):
        window(canvas, face(side, 0.22, low, 0.42, high))
        window(canvas, face(side, 0.62, low, 0.80, high))
    canvas.shape((at(100, 99), at(137, 90.5), at(137, 84), at(100, 92)), (158, 80, 54))

    front = block(0, 0, 100, 92)
    wall(canvas, front, CREAM)
    wall(canvas, block(0, 0, 100, 6), (150, 138, 124), dark=0.3)
    # The stair tower stands forward, faced in terracotta.
    tower = block(66, 0, 100, 108)
    wall(canvas, tower, TERRACOTTA, dark=0.25)
    canvas.shape(block(64, 108, 102, 112), (226, 212, 182))
    for low in (60, 76, 92):
        window(canvas, block(77, low, 89, low + 11), panes=1, sill=False)
    canvas.shade(block(58, 0, 66, 92), 0.30, blur=6)

    # Parapet with its band, the slab line between floors, a water tank behind.
    tank = at(22, 108)
    canvas.rounded((tank[0], tank[1], tank[0] + 15 * unit, tank[1] + 12 * unit), 6, (38, 40, 44))
    canvas.shape(block(-2, 92, 66, 99), (246, 236, 212))
    canvas.shape(block(-2, 96.5, 66, 99), TERRACOTTA)
    canvas.shape(block(-3, 91, 67, 92.6), (196, 182, 152))
    canvas.shape(block(-2, 45, 66, 48), (216, 202, 170))
    canvas.shade(block(-2, 42, 66, 45), 0.35, blur=4)

    window(canvas, block(40, 60, 60, 80), panes=3)
    window(canvas, block(44, 14, 60, 33), panes=3)
    # Balcony of the first floor, over the sit-out.
    canvas.shape(block(6, 54, 32, 82), mixed(WOOD, (0, 0, 0), 0.35))
    canvas.gradient(block(8, 54, 19, 80), mixed(WOOD, (220, 170, 120), 0.3), WOOD)
    canvas.gradient(block(20, 54, 31, 80), GLASS, mixed(GLASS, (0, 0, 0), 0.5))
    canvas.shade(block(4, 60, 34, 84), 0.25, blur=8)
    canvas.shape(block(-3, 48, 37, 52.5), (240, 228, 200))
    canvas.shade(block(-3, 47, 37, 48.6), 0.5, blur=3)
    for x in range(-2, 37, 2):
        canvas.line([at(x, 52), at(x, 62)], (60, 62, 66), 2.2)
    canvas.line([at(-3, 62), at(37, 62)], (176, 180, 184), 5)

    # Sit-out: two columns, a shaded porch, the front door.
    canvas.gradient(block(0, 6, 36, 44), (120, 100, 80), (164, 140, 112))
    door = block(9, 6, 23, 38)
    canvas.shape(block(7.5, 6, 24.5, 39.5), mixed(WOOD, (0, 0, 0), 0.5))
    canvas.gradient(door, mixed(WOOD, (210, 150, 96), 0.35), WOOD)
    for left in (0.1, 0.55):
        for low in (0.08, 0.55):
            canvas.outline(face(door, left, low, left + 0.35, low + 0.36), (72, 42, 24), 3)
    canvas.oval(on(door, 0.9, 0.55), 0.7 * unit, 0.7 * unit, (216, 184, 96))
    canvas.shade(block(0, 24, 36, 46), 0.42, blur=10)
    for x in (-2, 33):
        wall(canvas, block(x, 6, x + 4, 48), (244, 234, 208))
        canvas.shade(block(x + 3, 6, x + 4.4, 46), 0.25, blur=2)
    for step in range(3):
        canvas.shape(
            block(-4 - step, 4 - 2 * step, 38 + step, 6 - 2 * step),
            mixed((190, 176, 156), (120, 110, 98), step / 3),
        )
    canvas.shade((at(100, 0), at(142, 3), at(150, -6), at(96, -7)), 0.45, blur=14)


def pin(canvas: Canvas, tip: Point, size: float, colour: Colour = (214, 58, 48)) -> None:
    """A map pin standing on a point."""
    x, y = tip
    canvas.oval((x, y), size * 0.5, size * 0.2, (150, 150, 146))
    canvas.shape(
        [(x, y), (x - size * 0.8, y - size * 1.5), (x + size * 0.8, y - size * 1.5)], colour
    )
    canvas.oval((x, y - size * 1.8), size, size, colour)
    canvas.oval((x, y - size * 1.8), size * 0.4, size * 0.4, (255, 255, 255))
