"""The specimen's papers, written from the facts of its case file.

They show made-up documents of made-up offices: each page is marked as a specimen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from specimen_canvas import Canvas, Colour, Point, rectangle

if TYPE_CHECKING:
    from PIL import Image

INK, FAINT, PAPER = (38, 40, 52), (120, 120, 126), (250, 247, 238)
Facts = Mapping[str, Any]


def _page(seed: int, office: str, title: str) -> Canvas:
    """A sheet of paper with an office's head and the specimen mark."""
    canvas = Canvas(1000, 1400, seed=seed, ground=PAPER)
    canvas.grain(rectangle(0, 0, 1000, 1400), 0.035, (5, 5))
    canvas.outline(rectangle(48, 44, 952, 1356), (176, 164, 130), 2)
    canvas.oval((500, 112), 34, 34, PAPER, edge=(150, 120, 60))
    for number in range(12):
        angle = math.tau * number / 12
        canvas.line(
            [
                (500 + 12 * math.cos(angle), 112 + 12 * math.sin(angle)),
                (500 + 28 * math.cos(angle), 112 + 28 * math.sin(angle)),
            ],
            (150, 120, 60),
            2,
        )
    canvas.text((500, 164), office, 26, INK, anchor="ma", bold=True)
    canvas.text((500, 206), title, 34, INK, anchor="ma", bold=True)
    canvas.line([(90, 258), (910, 258)], (150, 120, 60), 3)
    canvas.text(
        (500, 1322), "SPECIMEN - not a document of any office", 19, (176, 70, 60), anchor="ma"
    )
    return canvas


def _rows(
    canvas: Canvas, top: float, rows: Sequence[tuple[str, str]], *, split: float = 360
) -> float:
    """Label and answer pairs in a ruled table; returns where it ends."""
    y = top
    for label, answer in rows:
        lines = canvas.wrapped(answer, 890 - split, 22)
        height = 20 + 30 * len(lines)
        canvas.text((110, y + 13), label, 21, FAINT)
        for number, line in enumerate(lines):
            canvas.text((split, y + 11 + 30 * number), line, 22, INK)
        canvas.line([(90, y + height), (910, y + height)], (206, 198, 176), 1)
        y += height
    canvas.outline(rectangle(90, top, 910, y), (186, 176, 148), 2)
    canvas.line([(split - 18, top), (split - 18, y)], (206, 198, 176), 1)
    return y


def _prose(canvas: Canvas, top: float, words: str) -> float:
    for line in canvas.wrapped(words, 800, 22):
        canvas.text((100, top), line, 22, INK)
        top += 36
    return top + 18


def _seal(canvas: Canvas, centre: Point, words: str, colour: Colour = (96, 72, 150)) -> None:
    x, y = centre
    for reach in (78, 70, 46):
        points = [
            (x + reach * math.cos(step * math.tau / 60), y + reach * math.sin(step * math.tau / 60))
            for step in range(61)
        ]
        canvas.line(points, colour, 2.5)
    canvas.text((x, y - 58), words, 15, colour, anchor="ma", bold=True)
    canvas.text((x, y), "SEAL", 22, colour, anchor="mm", bold=True)
    canvas.text((x, y + 50), "SPECIMEN", 14, colour, anchor="mm")


def _signature(canvas: Canvas, start: Point, role: str, seed: float) -> None:
    x, y = start
    wave = [
        (
            x + step * 3.1,
            y + 17 * math.sin(step * 0.42 + seed) * math.cos(step * 0.13 * seed) - step * 0.25,
        )
        for step in range(58)
    ]
    canvas.line(wave, (30, 44, 130), 3)
    canvas.text((x + 90, y + 38), role, 19, FAINT, anchor="ma")


def _scanned(canvas: Canvas) -> Image.Image:
    canvas.shade(rectangle(0, 0, 22, canvas.height), 0.22, 12)
    return canvas.finish(camera=False)


def sale_deed(facts: Facts) -> Image.Image:
    """The deed by which the owners hold the site."""
    party, land, deed = facts["party"], facts["property"], _document(facts, "sale_deed")
    canvas = _page(61, deed["authority"], "SALE DEED")
    y = _prose(
        canvas,
        290,
        f"This deed of absolute sale, registered as No. {deed['number']} on {deed['dated']}, is made "
        f"between the vendor, Gangadhar Basavaraj Specimen, and the purchasers, {party['owner_name']}.",
    )
    y = _prose(
        canvas,
        y,
        "The vendor, for the price received in full, conveys to the purchasers the schedule property, "
        "free of encumbrances, to be held by them and their heirs in equal shares for ever.",
    )
    canvas.text((100, y), "SCHEDULE OF THE PROPERTY", 24, INK, bold=True)
    y = _rows(
        canvas,
        y + 44,
        [
            ("Site", f"No. {land['plot_no']} of survey No. {land['survey_no']}, {land['village']}"),
            ("Address", land["address"]),
            (
                "Extent",
                f"{land['parcels'][0]['deed']} ({land['parcels'][0]['length']} by {land['parcels'][0]['width']})",
            ),
            *(
                (side.capitalize(), land["boundaries"][side]["deed"])
                for side in ("north", "south", "east", "west")
            ),
        ],
    )
    _prose(canvas, y + 30, "Signed in the presence of two witnesses and read over to the parties.")
    _signature(canvas, (130, 1190), "Vendor", 1.3)
    _signature(canvas, (420, 1190), "Purchasers", 2.1)
    _seal(canvas, (800, 1180), "REGISTRAR")
    return _scanned(canvas)


def rtc(facts: Facts) -> Image.Image:
    """The record of rights of the land before its conversion."""
    land = facts["property"]
    canvas = _page(62, "Village Accountant, " + land["village"], "RECORD OF RIGHTS (RTC)")
    y = _rows(
        canvas,
        292,
        [
            ("Survey number", land["survey_no"]),
            ("Village, taluk", f"{land['village']}, {land['taluk']}"),
            ("District, state", f"{land['district']}, {land['state']}"),
            ("Extent", "3 acre 12 guntha"),
            ("Soil and crop", "Red loam; ragi, rain-fed, before conversion"),
            ("Conversion", "To residential use, order ALN/SR/88/2012-13"),
            ("Remarks", "Formed into sites under the approved layout plan"),
        ],
    )
    canvas.text((100, y + 40), "Cultivation in past years", 24, INK, bold=True)
    top = y + 84
    for number, words in enumerate(("Year", "Season", "Crop", "Extent")):
        canvas.text((110 + number * 205, top + 12), words, 21, FAINT)
    for row, cells in enumerate(
        (
            ("2010-11", "Kharif", "Ragi", "3-12"),
            ("2011-12", "Kharif", "Ragi", "3-12"),
            ("2012-13", "-", "Not sown", "-"),
        )
    ):
        for number, words in enumerate(cells):
            canvas.text((110 + number * 205, top + 62 + row * 46), words, 22, INK)
    for row in range(5):
        canvas.line([(90, top + row * 48 - 2), (910, top + row * 48 - 2)], (186, 176, 148), 1.5)
    _signature(canvas, (620, 1190), "Village accountant", 1.7)
    _seal(canvas, (230, 1170), "TALUK OFFICE", (48, 110, 84))
    return _scanned(canvas)


def encumbrance(facts: Facts) -> Image.Image:
    """The certificate of encumbrances."""
    land, deed = facts["property"], _document(facts, "sale_deed")
    canvas = _page(63, deed["authority"], "ENCUMBRANCE CERTIFICATE")
    y = _prose(
        canvas,
        290,
        f"Search for the period from 1 April 2004 to 6 November 2026 of site No. {land['plot_no']}, "
        f"{land['address']}, survey No. {land['survey_no']}.",
    )
    y = _rows(
        canvas,
        y,
        [
            ("Entry 1", f"Sale deed No. {deed['number']} dated {deed['dated']}"),
            ("Executant", "Gangadhar Basavaraj Specimen"),
            ("Claimants", facts["party"]["owner_name"]),
            ("Entry 2", "None"),
        ],
    )
    _prose(
        canvas,
        y + 30,
        "No other act or encumbrance affecting the property was found in the books of this office.",
    )
    _signature(canvas, (140, 1180), "Sub-registrar", 2.6)
    _seal(canvas, (790, 1170), "REGISTRAR")
    return _scanned(canvas)


def khata(facts: Facts) -> Image.Image:
    """The local body's khata certificate."""
    land = facts["property"]
    canvas = _page(64, land["local_body"], "KHATA CERTIFICATE")
    _rows(
        canvas,
        300,
        [
            ("Khata number", land["khata_no"]),
            ("Ward", land["ward"]),
            ("Property", land["address"]),
            ("Holders", facts["party"]["owner_name"]),
            ("Site area", land["parcels"][0]["deed"]),
            ("Built-up area", land["built_up_area"]),
            ("Use", land["land_use"]),
            ("Assessed from", str(land["year_built"])),
        ],
    )
    _signature(canvas, (140, 1160), "Revenue officer", 0.8)
    _seal(canvas, (780, 1150), "CORPORATION", (150, 60, 60))
    return _scanned(canvas)


def tax_receipt(facts: Facts) -> Image.Image:
    """The property tax receipt of the year."""
    land = facts["property"]
    canvas = _page(65, land["local_body"], "PROPERTY TAX RECEIPT 2026-27")
    y = _rows(
        canvas,
        300,
        [
            ("Receipt number", "PT/2026-27/0064117"),
            ("Khata number", land["khata_no"]),
            ("Owner", facts["party"]["owner_name"]),
            ("Property", land["address"]),
            ("Tax", "Rs. 11,480.00"),
            ("Cess", "Rs. 2,755.00"),
            ("Rebate for early payment", "Rs. 574.00"),
            ("Paid on 22 April 2026", "Rs. 13,661.00"),
        ],
        split=420,
    )
    for number in range(64):
        width = 1.5 + (number * 7 % 5) * 1.1
        canvas.shape(rectangle(110 + number * 8, y + 50, 110 + number * 8 + width, y + 130), INK)
    _seal(canvas, (790, y + 120), "PAID", (40, 110, 60))
    return _scanned(canvas)


def bank_letter(facts: Facts) -> Image.Image:
    """The bank's letter of engagement."""
    party, dates = facts["party"], facts["valuation_inputs"]
    canvas = _page(66, f"{party['bank_name']}, {party['bank_branch_name']}", "LETTER OF ENGAGEMENT")
    y = _rows(
        canvas,
        292,
        [
            ("Date", str(dates["appointment_date"])),
            ("To", f"{party['valuer_name']}, {party['valuer_registration']}"),
            ("Loan application", party["application_no"]),
            ("Applicant", party["borrower_name"]),
            ("Property", facts["property"]["address"]),
        ],
    )
    y = _prose(
        canvas,
        y + 36,
        "You are engaged to value the property above for a housing loan. The report follows Format-A "
        "and states the fair market, realizable and distress values in figures and words, with "
        "photographs that carry place and date.",
    )
    _prose(canvas, y, "The report is to be handed to the branch directly.")
    _signature(canvas, (620, 1180), "Branch manager", 1.1)
    _seal(canvas, (230, 1160), "BRANCH", (40, 80, 150))
    return _scanned(canvas)


def building_plan(facts: Facts) -> Image.Image:
    """The sanctioned plan of both floors."""
    land, plan = facts["property"], _document(facts, "building_plan")
    canvas = Canvas(1400, 1000, seed=67, ground=(244, 247, 250))
    canvas.outline(rectangle(24, 24, 1376, 976), (60, 80, 120), 3)
    blue = (44, 66, 116)
    for left, floor, rooms in (
        (
            90,
            land["floors"][0],
            (
                (0, 0, 0.55, 0.42, "LIVING"),
                (0.55, 0, 1, 0.42, "BED 1"),
                (0, 0.42, 0.45, 0.72, "DINING"),
                (0.45, 0.42, 1, 0.72, "KITCHEN"),
                (0, 0.72, 0.35, 1, "STAIR"),
                (0.35, 0.72, 0.68, 1, "BED 2"),
                (0.68, 0.72, 1, 1, "TOILETS"),
            ),
        ),
        (
            560,
            land["floors"][1],
            (
                (0, 0, 0.5, 0.42, "BED 3"),
                (0.5, 0, 1, 0.42, "BED 4"),
                (0, 0.42, 0.62, 0.72, "FAMILY"),
                (0.62, 0.42, 1, 0.72, "TOILETS"),
                (0, 0.72, 0.35, 1, "STAIR"),
                (0.35, 0.72, 1, 1, "TERRACE"),
            ),
        ),
    ):
        top, width, height = 150.0, 400.0, 600.0
        canvas.text(
            (left + width / 2, 96), floor["label"].upper(), 26, blue, anchor="ma", bold=True
        )
        canvas.outline(rectangle(left - 5, top - 5, left + width + 5, top + height + 5), blue, 7)
        for x0, y0, x1, y1, words in rooms:
            box = rectangle(
                left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height
            )
            canvas.outline(box, blue, 4)
            canvas.text(
                ((box[0][0] + box[2][0]) / 2, (box[0][1] + box[2][1]) / 2),
                words,
                21,
                blue,
                anchor="mm",
            )
            door = (box[0][0] + 30, box[2][1])
            canvas.line([door, (door[0] + 44, door[1])], (244, 247, 250), 6)
            arc = [
                (
                    door[0] + 44 * math.cos(step * math.pi / 16),
                    door[1] - 44 * math.sin(step * math.pi / 16),
                )
                for step in range(9)
            ]
            canvas.line(arc, (120, 136, 170), 1.5)
        for step in range(9):
            tread = left + 14 + step * 14
            canvas.line(
                [(tread, top + height * 0.76), (tread, top + height * 0.94)], (120, 136, 170), 2
            )
        canvas.line([(left, top + height + 42), (left + width, top + height + 42)], FAINT, 1.5)
        for x in (left, left + width):
            canvas.line([(x, top + height + 30), (x, top + height + 54)], FAINT, 1.5)
        canvas.text(
            (left + width / 2, top + height + 52),
            f"plinth area {floor['plan']}",
            21,
            FAINT,
            anchor="ma",
        )
    canvas.outline(rectangle(1040, 60, 1346, 940), blue, 3)
    lines = (
        ("SANCTIONED PLAN", 26),
        (land["local_body"], 20),
        (f"No. {plan['number']}", 20),
        (f"Dated {plan['dated']}", 20),
        (f"Valid until {plan['valid_until']}", 20),
        ("", 20),
        ("Owners", 18),
        ("Meenakshi and Prakash", 20),
        ("Varadaraj Honnali", 20),
        ("", 20),
        (f"Site {land['plot_no']}, survey {land['survey_no']}", 20),
        (f"Site area {land['parcels'][0]['plan']}", 20),
        ("Scale 1:100", 20),
    )
    for number, (words, size) in enumerate(lines):
        canvas.text((1062, 84 + number * 38), words, size, blue, bold=size > 24)
    canvas.line([(1190, 720), (1190, 610)], blue, 4)
    canvas.shape([(1190, 590), (1172, 640), (1208, 640)], blue)
    canvas.text((1190, 556), "N", 30, blue, anchor="ma", bold=True)
    _seal(canvas, (1190, 830), "SANCTIONED", (150, 60, 60))
    canvas.text(
        (540, 930), "SPECIMEN - not a document of any office", 19, (176, 70, 60), anchor="mm"
    )
    return _scanned(canvas)


def layout_sketch(facts: Facts) -> Image.Image:
    """The valuer's sketch of the site with its measures and position."""
    land = facts["property"]
    site, place = land["parcels"][0], land["coordinates"]
    canvas = Canvas(1000, 1000, seed=68, ground=(255, 255, 252))
    canvas.text((500, 40), "SITE SKETCH, NOT TO SCALE", 28, INK, anchor="ma", bold=True)
    canvas.shape(rectangle(60, 150, 190, 860), (226, 224, 218))
    canvas.text((125, 505), "9 m", 24, FAINT, anchor="mm")
    canvas.text((125, 545), "road", 24, FAINT, anchor="mm")
    canvas.shape(rectangle(200, 250, 820, 700), (240, 246, 228))
    canvas.outline(rectangle(200, 250, 820, 700), INK, 5)
    canvas.shape(rectangle(290, 300, 720, 640), (246, 226, 196))
    canvas.outline(rectangle(290, 300, 720, 640), (150, 90, 60), 4)
    canvas.text((505, 450), "HOUSE", 30, (150, 90, 60), anchor="mm", bold=True)
    canvas.text((505, 496), f"ground floor {land['floors'][0]['plinth']}", 22, FAINT, anchor="mm")
    canvas.text((510, 722), f"{site['length']}", 24, INK, anchor="ma")
    canvas.text((836, 475), f"{site['width']}", 24, INK, anchor="lm")
    canvas.text((510, 190), land["boundaries"]["north"]["actual"], 22, FAINT, anchor="ma")
    canvas.text((510, 780), land["boundaries"]["south"]["actual"], 22, FAINT, anchor="ma")
    canvas.line([(900, 260), (900, 150)], INK, 4)
    canvas.shape([(900, 130), (884, 176), (916, 176)], INK)
    canvas.text((900, 96), "N", 28, INK, anchor="ma", bold=True)
    canvas.text(
        (500, 900),
        f"Latitude {place['latitude']} N, longitude {place['longitude']} E",
        26,
        INK,
        anchor="ma",
        bold=True,
    )
    canvas.text((500, 946), "SPECIMEN", 18, (176, 70, 60), anchor="ma")
    return _scanned(canvas)


def _document(facts: Facts, key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        row for row in facts["property"]["documents"] if row["id"] == key
    )
    return found
