"""Reports as PDF: what stands in the document stands on the page, the same every time."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import docx
import pikepdf
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat
from typer.testing import CliRunner

from factory.command_line import app
from factory.rendering.pdf import convert, normalised, write_pdf
from factory.report.bundle_parts import read_parts
from factory.report.data import report_data

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "fixtures" / "cases"
#: A full case of each family, and a sparse one.
FAMILIES = (
    "specimen-house",
    "specimen-mill",
    "specimen-coop",
    "specimen-farm",
    "specimen-flat",
    "specimen-revaluation",
    "specimen-progress",
    "specimen-project",
    "P02-coop-adopted",
)
#: What headers and footers say, so that a page with nothing else is seen to be empty.
FURNITURE = re.compile(r"Report\b.*|Bundle sha256.*|Page \d+ of \d+")
DOTS = 36


def zenops(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where bundles and reports are made; the specimen's photographs are drawn anew."""
    made = tmp_path_factory.mktemp("reports")
    case = made / "specimen-house"
    shutil.copytree(CASES / case.name, case, ignore=shutil.ignore_patterns("evidence"))
    script = ROOT / "scripts/draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(case)], check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def printed(folder):
    """Prints a case once: its bundle, DOCX and PDF."""
    done = {}

    def prints(case):
        if case not in done:
            source = folder / case if case == "specimen-house" else CASES / case
            bundle, report = folder / f"{case}.zip", folder / f"{case}.docx"
            zenops("build", source, "-o", bundle, "--variants", ROOT / "fixtures/variants")
            run = zenops("render", bundle, "-o", report, "--pdf")
            assert run.exit_code == 0, run.stderr
            done[case] = bundle, report, report.with_suffix(".pdf")
        return done[case]

    return prints


def texts(pdf):
    """The text of each page."""
    done = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True, text=True
    )
    return done.stdout.split("\f")[:-1]


def flat(text):
    """A text without its line breaks and kinds of blanks."""
    return " ".join(text.split())


@pytest.mark.parametrize("case", FAMILIES)
def test_pages_count_themselves_and_none_is_empty(printed, case):
    _, _, pdf = printed(case)
    pages = texts(pdf)

    with pikepdf.open(pdf) as document:
        assert len(document.pages) == len(pages)
        pictures = [bool(page.get_images()) for page in document.pages]
    for number, (page, has_picture) in enumerate(zip(pages, pictures, strict=True), 1):
        assert f"Page {number} of {len(pages)}" in flat(page)
        lines = [line for line in page.splitlines()[1:] if line.strip()]
        own = [line for line in lines if not FURNITURE.search(line)]
        assert own or has_picture, f"page {number} of {len(pages)} is empty"


@pytest.mark.parametrize("case", FAMILIES)
def test_figures_of_the_bundle_stand_on_the_pages(printed, case):
    bundle, _, pdf = printed(case)
    parts, problems = read_parts(bundle)
    assert problems == ()
    data = report_data(parts)

    whole = flat(" ".join(texts(pdf)))
    names = [name for name in ("fmv", "realizable", "distress", "present_value") if name in data]
    assert names
    for name in names:
        if data[name]["known"]:
            assert flat(data[name]["text"]) in whole, name


def test_the_same_report_gives_the_same_bytes(printed, folder):
    _, report, pdf = printed("specimen-house")

    assert write_pdf(report, folder / "again.pdf") == ()
    assert (folder / "again.pdf").read_bytes() == pdf.read_bytes()


def test_another_report_has_another_identity(printed):
    first, second = (printed(case)[2] for case in ("specimen-house", "P02-coop-adopted"))

    with pikepdf.open(first) as one, pikepdf.open(second) as other:
        assert bytes(one.trailer.ID[0]) != bytes(other.trailer.ID[0])


def test_a_pdf_tells_no_time_and_runs_nothing(printed):
    _, _, pdf = printed("specimen-house")

    with pikepdf.open(pdf) as document:
        assert "/CreationDate" not in document.docinfo
        assert "/ModDate" not in document.docinfo
        assert "/Metadata" not in document.Root
        assert not {"/JavaScript", "/OpenAction"} & set(document.Root.keys()) or (
            "/JS" not in str(document.Root.get("/OpenAction"))
        )


def test_photographs_stand_upright_and_unstretched(printed):
    """The first page of photographs, against the photographs turned as their EXIF says."""
    bundle, _, pdf = printed("specimen-house")
    with zipfile.ZipFile(bundle) as archive:
        plan = json.loads(archive.read("data/annexures.json"))
        photographs = {
            Path(name).stem: Image.open(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if name.startswith("data/evidence/") and name.endswith((".jpg", ".jpeg", ".png"))
        }
    with pikepdf.open(pdf) as document:
        first = len(document.pages) - len(plan["pages"]) + 1
    turned = 0
    for number, planned in enumerate(plan["pages"]):
        page = drawn(pdf, first + number)
        for image in (image for section in planned["sections"] for image in section["images"]):
            original = photographs[image["sha256"]]
            turned += original.getexif().get(0x0112, 1) != 1
            box = tuple(round(float(image[side]) * DOTS / 25.4) for side in ("width", "height"))
            upright = ImageOps.exif_transpose(original).convert("L").resize(box)
            away = difference(page, upright)
            assert away < 12, image["label"]
            assert away < difference(page, upright.rotate(180)) / 2, image["label"]
    assert turned


def drawn(pdf, number):
    """A page as a small grey picture."""
    done = subprocess.run(
        [
            *("pdftoppm", "-r", str(DOTS), "-gray", "-singlefile"),
            *("-f", str(number), "-l", str(number), str(pdf)),
        ],
        check=True,
        capture_output=True,
    )
    return Image.open(io.BytesIO(done.stdout)).convert("L")


def difference(page, picture):
    """How far a picture is from the most similar place of a page, of 255."""
    width, height = picture.size
    small = picture.resize((max(1, width // 4), max(1, height // 4)))
    coarse = page.resize((page.width // 4, page.height // 4))

    def at(whole, part, left, top):
        crop = whole.crop((left, top, left + part.width, top + part.height))
        return ImageStat.Stat(ImageChops.difference(crop, part)).mean[0]

    _, left, top = min(
        (at(coarse, small, left, top), left, top)
        for left in range(coarse.width - small.width + 1)
        for top in range(coarse.height - small.height + 1)
    )
    return min(
        at(page, picture, left * 4 + right, top * 4 + down)
        for right in range(-5, 6)
        for down in range(-5, 6)
    )


def test_without_libreoffice_nothing_is_written(printed, tmp_path, monkeypatch):
    bundle, _, _ = printed("P02-coop-adopted")
    monkeypatch.setenv("PATH", "")

    done = zenops("render", bundle, "-o", tmp_path / "report.docx", "--pdf")

    assert done.exit_code == 2
    assert "E660" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_libreoffice_is_gone_when_its_time_is_up(printed, tmp_path):
    _, report, _ = printed("P02-coop-adopted")
    before = running()
    start = time.monotonic()

    problems = write_pdf(report, tmp_path / "report.pdf", time_limit_s=0.3)

    assert [problem.code for problem in problems] == ["E662"]
    assert time.monotonic() - start < 10
    assert list(tmp_path.iterdir()) == []
    assert running() <= before


def running():
    """The processes whose arguments name a profile of ours."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"zenops-pdf-" in (process / "cmdline").read_bytes():
                found.add(process.name)
        except OSError:
            continue
    return found


def test_what_is_no_document_gives_no_pdf():
    pdf, problems = convert(b"PK\x03\x04 not a document", "broken.docx")

    assert pdf is None
    assert [problem.code for problem in problems] == ["E661"]


def test_the_callers_language_and_zone_change_nothing(folder, printed, monkeypatch):
    _, report, pdf = printed("specimen-house")
    for name, value in {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "hi_IN.UTF-8",
        "TZ": "Asia/Kolkata",
    }.items():
        monkeypatch.setitem(os.environ, name, value)

    assert write_pdf(report, folder / "elsewhere.pdf") == ()
    assert (folder / "elsewhere.pdf").read_bytes() == pdf.read_bytes()


def test_bold_and_coloured_fields_stay_so(tmp_path):
    """A field's content control keeps the look of its run."""
    document = docx.Document()
    run = document.add_paragraph().add_run("Value {{ fmv }}")
    run.bold = True
    document.save(tmp_path / "own.docx")

    done = zenops("templates", "preview", tmp_path / "own.docx", "-o", tmp_path / "p.docx", "--pdf")

    assert done.exit_code == 0
    with pikepdf.open(tmp_path / "p.pdf") as pdf:
        fonts = [str(font.BaseFont) for font in pdf.pages[0].Resources.Font.values()]
    assert all("Bold" in name for name in fonts), fonts


def test_what_is_no_pdf_cannot_be_normalised():
    with pytest.raises(ValueError, match="not a PDF"):
        normalised(b"no PDF")
