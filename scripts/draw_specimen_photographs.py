"""Draw the pictures of the specimen case into its evidence folder.

Usage: python scripts/draw_specimen_photographs.py [CASE FOLDER]

The pictures are written from the facts of the case file, so that they never say anything else.
They are drawn anew on each machine and give the same bytes with the same Pillow; photographs carry
EXIF as a telephone writes it: time, position, and for one of them a turned sensor.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import specimen_papers as papers
import specimen_rooms as rooms
import specimen_scenes as scenes
import specimen_screens as screens
import yaml
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

CASE = Path(__file__).parent.parent / "fixtures" / "cases" / "specimen-house"
TURNED = 6  # EXIF: the picture is upright when turned a quarter clockwise


def main(arguments: list[str]) -> None:
    """Draw every picture that the case lists."""
    folder = Path(arguments[0]) if arguments else CASE
    facts = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))["contract"]
    target = folder / "evidence"
    target.mkdir(exist_ok=True)
    size = sum(_draw(target, facts))
    print(f"Drew the specimen's pictures in {target}: {size / 1e6:.1f} MB.")


def _draw(target: Path, facts: dict[str, Any]) -> list[int]:
    land, dates = facts["property"], facts["valuation_inputs"]
    number, place = land["door_no"], land["coordinates"]
    arrival = datetime.combine(dates["inspection_date"], datetime.min.time()) + timedelta(
        hours=11, minutes=2, seconds=9
    )
    gps_time = arrival + timedelta(minutes=12)
    overlay = (
        f"{land['city']}, {land['state']}, India",
        land["address"],
        f"Lat {place['latitude']}  Long {place['longitude']}",
        f"{gps_time:%d/%m/%Y %I:%M %p} GMT +05:30",
    )
    photographs = [
        ("exterior-front", scenes.exterior_front(number), arrival, 1),
        ("exterior-side", scenes.exterior_side(), arrival + timedelta(minutes=4), TURNED),
        ("gps-camera", scenes.gps_camera(number, overlay), gps_time, 1),
        ("valuer-selfie", scenes.valuer_selfie(number), arrival + timedelta(minutes=14), 1),
        (
            "surroundings-street",
            scenes.surroundings("4th CROSS, CHAITRA LAYOUT"),
            arrival + timedelta(minutes=17),
            1,
        ),
        ("interior-living", rooms.interior_living(), arrival + timedelta(minutes=24), 1),
        ("interior-kitchen", rooms.interior_kitchen(), arrival + timedelta(minutes=29), 1),
    ]
    sizes = []
    for step, (key, picture, taken, turn) in enumerate(photographs):
        # Each was taken a few steps from the last: a ten-thousandth of a degree is 11 m.
        position = (
            float(place["latitude"]) + step * 0.00002,
            float(place["longitude"]) - step * 0.000015,
        )
        stored = picture.transpose(Image.Transpose.ROTATE_90) if turn == TURNED else picture
        sizes.append(_save(target, key, stored, _exif(taken, position, turn)))
    for key, draw in FLAT.items():
        sizes.append(_save(target, key, draw(facts), None))
    return sizes


#: Papers and screenshots, which no camera took.
FLAT = {
    "sale-deed": papers.sale_deed,
    "rtc": papers.rtc,
    "encumbrance": papers.encumbrance,
    "khata": papers.khata,
    "tax-receipt": papers.tax_receipt,
    "bank-letter": papers.bank_letter,
    "building-plan": papers.building_plan,
    "layout-sketch": papers.layout_sketch,
    "guideline-rate": screens.guideline_rate,
    "price-trend": screens.price_trend,
    "google-map": screens.google_map,
    "route-map": screens.route_map,
}


def _exif(taken: datetime, position: tuple[float, float], turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Specimen", "Drawn camera"
    exif[Base.Orientation] = turn
    exif[Base.DateTime] = f"{taken:%Y:%m:%d %H:%M:%S}"
    details = exif.get_ifd(IFD.Exif)
    details[Base.DateTimeOriginal] = f"{taken:%Y:%m:%d %H:%M:%S}"
    details[Base.OffsetTimeOriginal] = "+05:30"
    gps = exif.get_ifd(IFD.GPSInfo)
    gps[GPS.GPSLatitudeRef], gps[GPS.GPSLongitudeRef] = "N", "E"
    gps[GPS.GPSLatitude], gps[GPS.GPSLongitude] = map(_sexagesimal, position)
    return exif


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    minutes, seconds = divmod(round(degrees * 3_600, 3), 60)
    return minutes // 60, minutes % 60, round(seconds, 3)


def _save(target: Path, key: str, picture: Image.Image, exif: Image.Exif | None) -> int:
    path = target / f"{key}.jpg"
    # JPEG throughout: its encoder gives the same bytes everywhere, PNG's depends on the zlib.
    if exif is None:
        picture.save(path, quality=84, subsampling=0)
    else:
        picture.save(path, quality=80, exif=exif)
    return path.stat().st_size


if __name__ == "__main__":
    main(sys.argv[1:])
