"""The specimen's photographs out of doors: the house, its street, the valuer before it."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageFilter
from specimen_canvas import Canvas, Point, face, mixed, rectangle
from specimen_house import (
    CONCRETE,
    TERRACOTTA,
    compound_wall,
    gate,
    house,
    palm,
    pin,
    road,
    sky,
    wall,
    window,
)


@lru_cache(maxsize=1)
def exterior_front(number: str) -> Image.Image:
    """The house from across the road."""
    canvas = Canvas(1600, 1200, seed=11)
    sky(canvas, 860)
    canvas.gradient(rectangle(0, 800, 1600, 980), (150, 152, 108), (166, 146, 112))
    for x, y, width in ((90, 640, 190), (1420, 600, 230), (1240, 700, 120), (250, 720, 120)):
        canvas.leaves((x, y), width, width * 0.8)
    palm(canvas, (1368, 900), 560)
    house(canvas, (360, 905), 660)
    canvas.gradient(rectangle(0, 900, 1600, 960), (172, 160, 134), (150, 136, 112))
    for x in (250, 320, 1130, 1190, 1250):
        canvas.leaves((x, 892), 56, 40, green=(58, 104, 44), count=200)
    compound_wall(canvas, 862, 1000, 0, 350)
    compound_wall(canvas, 862, 1000, 700, 1600)
    gate(canvas, 398, 650, 862, 1000, number)
    canvas.shade(rectangle(0, 1000, 1600, 1022), 0.5, blur=8)
    road(canvas, 1034)
    return canvas.finish()


def exterior_side() -> Image.Image:
    """The house from its side yard, tall in the picture: a portrait."""
    canvas = Canvas(1200, 1600, seed=12)
    sky(canvas, 1150, clouds=6)
    canvas.gradient(rectangle(0, 1150, 1200, 1600), (160, 148, 116), (120, 104, 80))
    canvas.leaves((1080, 930), 210, 260)
    house(canvas, (170, 1240), 690)
    # The same house from its other hand.
    canvas.mirror()
    canvas.leaves((60, 1090), 130, 170, green=(64, 112, 50))
    palm(canvas, (1090, 1260), 820)
    paving = ((0, 1290), (1200, 1270), (1200, 1600), (0, 1600))
    canvas.gradient(paving, (188, 176, 158), (140, 126, 110))
    canvas.grain(paving, 0.3, (3, 2))
    for row in range(6):
        y = 1300 + row * row * 9 + row * 12
        canvas.line([(0, y), (1200, y - 6)], (120, 108, 94), 2)
    for x in range(-1400, 2600, 210):
        canvas.line([(600 + (x - 600) * 0.55, 1284), (x, 1600)], (120, 108, 94), 2)
    for x in range(20, 500, 84):
        canvas.rounded((x, 1230, x + 60, 1292), 8, (166, 82, 52))
        canvas.leaves((x + 30, 1200), 44, 46, green=(54, 110, 46), count=160)
    return canvas.finish()


def surroundings(street: str) -> Image.Image:
    """The street in front of the property, looking along it."""
    canvas = Canvas(1600, 1200, seed=31)
    sky(canvas, 640)
    vanish = (820.0, 600.0)
    canvas.gradient(rectangle(0, 600, 1600, 1200), (150, 146, 120), (176, 160, 130))
    canvas.grain(rectangle(0, 600, 1600, 1200), 0.3, (4, 2))

    def along(foot_x: float, foot_y: float, share: float) -> Point:
        """A point nearer the vanishing point by a share."""
        return (
            foot_x + (vanish[0] - foot_x) * share,
            foot_y + (vanish[1] - foot_y) * share,
        )

    for x, y, width in ((760, 560, 120), (900, 556, 130), (640, 570, 90), (1010, 566, 100)):
        canvas.leaves((x, y), width, width * 0.55, count=240)
    paints = ((232, 208, 160), (206, 222, 214), (236, 198, 172), (222, 220, 200))
    # Houses left and right, drawn from far to near.
    for side, foot_x in ((-1, -260.0), (1, 1900.0)):
        for number in (3, 2, 1, 0):
            near, far = 0.14 + number * 0.2, 0.30 + number * 0.2
            height = (760.0, 620.0, 700.0, 560.0)[number]
            paint = paints[(number + (side > 0) * 2) % 4]
            low_near, low_far = along(foot_x, 1090, near), along(foot_x, 1090, far)
            high_near = along(foot_x, 1090 - height, near)
            high_far = along(foot_x, 1090 - height, far)
            face_on = (
                (high_near, high_far, low_far, low_near)
                if side < 0
                else (high_far, high_near, low_near, low_far)
            )
            wall(canvas, face_on, paint if side < 0 else mixed(paint, (80, 70, 70), 0.3), dark=0.2)
            for level in (0.14, 0.58):
                for across in (0.14, 0.56):
                    window(canvas, face(face_on, across, level, across + 0.28, level + 0.24))
            canvas.shape(face(face_on, 0, 0.0, 1, 0.05), TERRACOTTA)
            canvas.shape(face(face_on, 0, 0.47, 1, 0.5), (200, 188, 164))
            wall_top = (
                along(foot_x * 0.82 + 145, 960, near - 0.02),
                along(foot_x * 0.82 + 145, 960, far + 0.02),
            )
            wall_foot = (
                along(foot_x * 0.82 + 145, 1090, near - 0.02),
                along(foot_x * 0.82 + 145, 1090, far + 0.02),
            )
            canvas.gradient(
                (wall_top[0], wall_top[1], wall_foot[1], wall_foot[0]),
                (226, 214, 190),
                (160, 146, 122),
            )
    lane = ((60, 1200), (1580, 1200), (840, 604), (800, 604))
    canvas.gradient(lane, (150, 148, 148), (84, 82, 84))
    canvas.grain(lane, 0.24, (3, 1.5))
    for share in (0.0, 0.35, 0.58, 0.74, 0.84, 0.91):
        start, end = along(810, 1200, share), along(810, 1200, share + (1 - share) * 0.16)
        half = 9 * (1 - share)
        canvas.shape(
            [
                (start[0] - half, start[1]),
                (start[0] + half, start[1]),
                (end[0] + half * 0.8, end[1]),
                (end[0] - half * 0.8, end[1]),
            ],
            (220, 216, 200),
        )
    for number in (3, 2, 1, 0):
        foot = along(150, 1130, 0.16 + number * 0.2)
        tall = 640 * (0.84 - number * 0.2)
        canvas.shape(
            rectangle(foot[0] - tall * 0.012, foot[1] - tall, foot[0] + tall * 0.012, foot[1]),
            CONCRETE,
        )
        canvas.line(
            [
                (foot[0] - tall * 0.1, foot[1] - tall * 0.94),
                (foot[0] + tall * 0.1, foot[1] - tall * 0.94),
            ],
            (84, 80, 76),
            4,
        )
    for dx, dy in ((-0.1, 0.94), (0.1, 0.94)):
        wires = [
            (
                along(150, 1130, 0.16 + step * 0.05)[0] + 640 * (0.84 - step * 0.05) * dx,
                along(150, 1130, 0.16 + step * 0.05)[1] - 640 * (0.84 - step * 0.05) * dy,
            )
            for step in range(14)
        ]
        canvas.line(wires, (50, 50, 54), 2)
    palm(canvas, (1330, 900), 470)
    canvas.leaves((1220, 640), 120, 110)
    canvas.leaves((360, 690), 120, 130)
    # The street's name board.
    canvas.shade([(1090, 1010), (1380, 1010), (1420, 1036), (1110, 1036)], 0.4, 8)
    for x in (1112, 1356):
        canvas.shape(rectangle(x, 850, x + 14, 1016), (70, 74, 80))
    canvas.rounded((1080, 780, 1402, 872), 8, (24, 92, 62), edge=(240, 244, 240), edge_width=4)
    canvas.text((1241, 826), street, 21, (246, 248, 244), anchor="mm", bold=True)
    return canvas.finish()


def gps_camera(number: str, lines: tuple[str, ...]) -> Image.Image:
    """The front of the house as a GPS-camera application prints it: a map and where and when."""
    picture = exterior_front(number).filter(ImageFilter.BoxBlur(0.6))
    strip = Canvas(1600, 300, seed=41, ground=(32, 34, 38))
    strip.rounded((24, 24, 276, 276), 10, (226, 232, 220))
    for points, width in (
        (((24, 190), (276, 110)), 16.0),
        (((120, 24), (170, 276)), 12.0),
        (((24, 80), (276, 60)), 8.0),
    ):
        strip.line(list(points), (255, 255, 255), width)
    blocks = ((40.0, 96.0, 110.0, 160.0), (176.0, 150.0, 262.0, 250.0), (40.0, 214.0, 120.0, 266.0))
    for box in (*blocks, (160.0, 72.0, 250.0, 104.0)):
        strip.rounded(box, 4, (206, 214, 206))
    pin(strip, (150, 148), 22)
    strip.text((306, 30), lines[0], 38, (255, 255, 255), bold=True)
    for number_of_line, words in enumerate(lines[1:]):
        strip.text((306, 90 + number_of_line * 46), words, 30, (232, 234, 238))
    overlay = strip.finish(camera=False)
    lower = picture.crop((0, 900, 1600, 1200))
    picture.paste(Image.blend(lower, overlay, 0.88), (0, 900))
    return picture


def valuer_selfie(number: str) -> Image.Image:
    """The valuer before the house, arm to the camera: the bank's proof of presence."""
    scene = exterior_front(number).filter(ImageFilter.GaussianBlur(2.2))
    canvas = Canvas(1600, 1200, seed=51)
    canvas.image.paste(scene.resize(canvas.image.size, Image.Resampling.BILINEAR))
    skin, shirt, hair = (172, 118, 84), (74, 104, 148), (36, 28, 26)
    canvas.shade([(760, 1200), (860, 820), (1300, 820), (1420, 1200)], 0.3, 24)
    # Shoulders, neck and the arm that holds the camera.
    canvas.shape(
        [
            (720, 1200),
            (770, 1010),
            (880, 930),
            (1000, 900),
            (1160, 900),
            (1290, 945),
            (1390, 1040),
            (1440, 1200),
        ],
        shirt,
    )
    canvas.gradient(
        [(1290, 945), (1390, 1040), (1440, 1200), (1300, 1200)],
        shirt,
        mixed(shirt, (10, 14, 30), 0.5),
    )
    canvas.gradient(
        [(540, 1200), (600, 1090), (820, 985), (900, 1050), (760, 1200)],
        mixed(shirt, (255, 255, 255), 0.12),
        shirt,
    )
    canvas.shape(
        [(1004, 905), (1080, 985), (1156, 905), (1150, 840), (1010, 840)],
        mixed(skin, (70, 36, 24), 0.25),
    )
    canvas.shape(
        [(985, 905), (1080, 1000), (1040, 1040), (950, 930)], mixed(shirt, (255, 255, 255), 0.25)
    )
    canvas.shape(
        [(1175, 905), (1080, 1000), (1120, 1040), (1210, 930)], mixed(shirt, (0, 0, 0), 0.15)
    )
    # Head: hair behind, face, ears, spectacles, smile.
    canvas.oval((1080, 690), 158, 182, hair)
    canvas.oval((1080, 722), 132, 166, skin)
    canvas.oval((1052, 712), 96, 134, mixed(skin, (255, 226, 190), 0.18))
    for x in (946, 1214):
        canvas.oval((x, 736), 18, 34, mixed(skin, (90, 46, 30), 0.2))
    canvas.shape(
        [
            (950, 690),
            (970, 580),
            (1040, 536),
            (1130, 536),
            (1196, 590),
            (1212, 690),
            (1180, 640),
            (1110, 606),
            (1020, 616),
            (974, 650),
        ],
        hair,
    )
    for x in (1028, 1134):
        canvas.oval((x, 726), 22, 12, (246, 244, 240))
        canvas.oval((x, 726), 10, 11, (48, 30, 22))
        canvas.oval((x - 3, 722), 3, 3, (250, 250, 250))
        canvas.line([(x - 30, 686), (x, 678), (x + 28, 688)], hair, 8)
        canvas.outline(rectangle(x - 40, 700, x + 40, 756), (30, 30, 34), 5)
    canvas.line([(1068, 722), (1094, 722)], (30, 30, 34), 5)
    canvas.line([(1082, 740), (1070, 788), (1092, 794)], mixed(skin, (90, 46, 30), 0.5), 5)
    canvas.shape(
        [(1034, 824), (1082, 838), (1130, 822), (1112, 852), (1082, 860), (1050, 852)],
        (248, 244, 238),
    )
    canvas.line([(1028, 820), (1082, 838), (1136, 818)], (126, 60, 52), 6)
    canvas.line([(1046, 854), (1082, 864), (1116, 852)], (140, 72, 62), 5)
    # Identity card on a lanyard.
    canvas.line([(1000, 930), (1078, 1110)], (190, 60, 50), 6)
    canvas.line([(1160, 930), (1082, 1110)], (190, 60, 50), 6)
    canvas.rounded((1026, 1104, 1140, 1196), 8, (246, 246, 242))
    canvas.shape(rectangle(1026, 1112, 1140, 1134), (40, 84, 140))
    canvas.text((1083, 1164), "VALUER", 20, (40, 50, 60), anchor="mm", bold=True)
    return canvas.finish()
