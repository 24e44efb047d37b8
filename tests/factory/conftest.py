import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from engine.evaluation import evaluate
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import read_catalogue

ROOT = Path(__file__).resolve().parents[2]

CASE = """\
case: small
title: A small house
as_of: 2026-03-31
contract:
  meta: {report_type: VALUATION, bank_type: SBI}
  party: {bank_name: State Bank of India}
  property:
    state: Karnataka
    district: Mysuru
    parcels: [{id: site, label: Site, deed: 6.59 cent, rate: 900000 INR/cent}]
    floors: [{id: house, label: House, plinth: 2515 sqft, rate: 2600 INR/sqft, age: 6, life: 70}]
  audit: {created_by: somebody, snapshot_version: 3}
evidence:
  - {key: front, type: PHOTO, file: evidence/front.jpg, tags: {category: exterior}}
  - {key: back, type: PHOTO, file: evidence/back.png, tags: {category: exterior}}
  - {key: deed, type: DOCUMENT, doc_type: SALE_DEED, file: evidence/deed.pdf}
  - {key: old, type: PHOTO, status: deleted, file: evidence/gone.jpg}
  - {key: later, type: DOCUMENT, doc_type: EC, status: pending}
links:
  - {field: party.owner_name, evidence: deed, confidence: 1}
  - {field: property.address, evidence: old}
"""


def photograph(path, kind="JPEG", *, exif=None, size=(64, 48)):
    """A small picture of its kind, with EXIF if given."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {} if exif is None else {"exif": exif}
    picture.save(path, kind, **more)
    return path


def camera_exif(*, taken="2026:03:30 10:15:00", zone="+05:30", turn=1, position=None):
    """EXIF as a telephone writes it."""
    exif = Image.Exif()
    exif[Base.Orientation] = turn
    details = exif.get_ifd(IFD.Exif)
    details[Base.DateTimeOriginal] = taken
    if zone is not None:
        details[Base.OffsetTimeOriginal] = zone
    gps = exif.get_ifd(IFD.GPSInfo)
    latitude, north, longitude, east = position or ((12.0, 20.0, 15.0), "N", (76.0, 36.0, 0.0), "E")
    gps[GPS.GPSLatitude], gps[GPS.GPSLatitudeRef] = latitude, north
    gps[GPS.GPSLongitude], gps[GPS.GPSLongitudeRef] = longitude, east
    return exif


def make_case(folder, text=CASE):
    """A folder with a small case and its evidence."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.yaml").write_text(text, encoding="utf-8")
    photograph(folder / "evidence/front.jpg", exif=camera_exif())
    photograph(folder / "evidence/back.png", "PNG")
    photograph(folder / "evidence/deed.pdf", "PDF")
    return folder


@pytest.fixture(scope="session")
def library():
    found = read_catalogue()
    assert not found.problems
    return found


@pytest.fixture
def case_folder(tmp_path):
    return make_case(tmp_path / "small")


@pytest.fixture
def build(library):
    """Builds the bundle of a folder, as the command line does."""

    def built(folder, path):
        read = read_case_file(folder)
        assert not read.problems
        case = as_bundled(read.case)
        evaluation = evaluate(case, library.catalogue)
        return write_bundle(case, evaluation, library, read.files, path)

    return built


@pytest.fixture
def bundle(case_folder, build, tmp_path):
    made, problems = build(case_folder, tmp_path / "small.zip")
    assert not problems
    return made


@pytest.fixture(scope="session")
def specimen(tmp_path_factory):
    """The specimen case with its pictures drawn."""
    folder = tmp_path_factory.mktemp("specimen")
    shipped = ROOT / "fixtures/cases/specimen-house/case.yaml"
    (folder / "case.yaml").write_bytes(shipped.read_bytes())
    script = ROOT / "scripts/draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder
