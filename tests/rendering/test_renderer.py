"""A bundle is printed from itself alone, the same each time, whole or not at all."""

import hashlib
import io
import os
import subprocess
import sys
from decimal import Decimal
from unittest import mock

import docx
import pillow_heif
import pytest
from lxml import etree
from PIL import Image

from engine.evaluation import evaluate
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import read_catalogue
from factory.rendering.docx_package import part_digests
from factory.rendering.renderer import Renderer, render_report
from factory.rendering.template_files import find_template
from factory.report.bundle_parts import read_parts
from tests.errors.steps import entries_of, rewritten
from tests.rendering.conftest import ROOT, WORD, altered, is_sound, made, parts_of, tagged, text_of

CASE = """\
case: small
title: A small house & garden
as_of: 2026-03-31
contract:
  meta: {report_type: VALUATION, bank_type: SBI, report_number: "R/1"}
  party: {bank_name: State Bank of India, owner_name: "Ω <Owner> & Sons"}
  property:
    state: Karnataka
    district: Mysuru
    parcels: [{id: site, label: Site, deed: 6.59 cent, rate: 900000 INR/cent}]
    floors: [{id: house, label: House, plinth: 2515 sqft, rate: 2600 INR/sqft, age: 6, life: 70}]
firm: {name: Example Valuers, logo: evidence/logo.png}
evidence:
  - {key: front, type: PHOTO, file: evidence/front.jpg, label: The front, tags: {category: exterior}}
  - {key: back, type: PHOTO, file: evidence/back.png, label: "The <back>", tags: {category: exterior}}
  - {key: kitchen, type: PHOTO, file: evidence/kitchen.jpg, tags: {category: interior}}
  - {key: hall, type: PHOTO, file: evidence/hall.heic, tags: {category: interior}}
  - {key: map, type: SCREENSHOT, file: evidence/map.png, tags: {category: google_map}}
"""
EMU = Decimal(36_000)
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "evidence").mkdir()
    (folder / "case.yaml").write_text(CASE, encoding="utf-8")
    picture = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    for name in ("front.jpg", "back.png", "kitchen.jpg", "map.png", "logo.png"):
        number = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 99
        picture.crop((number, 0, 800, 600)).save(folder / "evidence" / name)
    pillow_heif.from_pillow(picture).save(folder / "evidence" / "hall.heic", quality=80)
    return folder


@pytest.fixture(scope="module")
def library():
    return read_catalogue()


@pytest.fixture(scope="module")
def build(folder, library):
    def built(path, *, change=None, template=None):
        read = read_case_file(folder)
        assert not read.problems
        case = as_bundled(read.case)
        case = case if change is None else change(case)
        evaluation = evaluate(case, library.catalogue)
        bundle, problems = write_bundle(
            case, evaluation, library, read.files, path, template=template
        )
        assert not problems
        return bundle.path

    return built


@pytest.fixture(scope="module")
def bundle(build, tmp_path_factory):
    return build(tmp_path_factory.mktemp("bundle") / "small.zip")


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as renderer:
        yield renderer


@pytest.fixture(scope="module")
def report(bundle, renderer, tmp_path_factory):
    target = tmp_path_factory.mktemp("report") / "small.docx"
    rendered, problems = renderer.render(bundle, target)
    assert not problems
    assert rendered.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    return target.read_bytes()


def test_a_report_opens_and_holds_the_figures(report):
    assert is_sound(report)
    tags = dict(tagged(report))
    assert tags["fmv"].startswith("₹")
    assert tags["contract.party.owner_name"] == "Ω <Owner> & Sons"


SETTINGS = (
    {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1", "LANG": "hi_IN.UTF-8"},
    {"TZ": "America/Anchorage", "PYTHONHASHSEED": "4242", "LC_ALL": "C"},
)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_report_is_the_same_in_other_processes_zones_languages_and_folders(
    bundle, report, settings, tmp_path
):
    target = tmp_path / "again.docx"
    script = f"""
import os, sys; sys.path.insert(0, {str(ROOT)!r})
os.umask(0o077)
from factory.command_line import main
sys.argv = ["zenops", "render", {str(bundle)!r}, "-o", {str(target)!r}]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert part_digests(target.read_bytes()) == part_digests(report)
    assert target.read_bytes() == report


def test_nothing_in_a_report_tells_of_the_day_it_was_printed(report):
    properties = docx.Document(io.BytesIO(report)).core_properties

    assert str(properties.created)[:10] == str(properties.modified)[:10] == "2026-03-31"
    assert properties.author == "Example Valuers"
    assert properties.title == "A small house & garden"


def test_each_picture_stands_in_its_box_to_the_hundredth_of_a_millimetre(bundle, report):
    parts, _ = read_parts(bundle)
    planned = [
        (image.label, int(image.width * EMU), int(image.height * EMU))
        for page in parts.annexures.pages
        for section in page.sections
        for image in section.images
    ]
    root = etree.fromstring(parts_of(report)["word/document.xml"])
    drawn = [
        (
            drawing.find(f"{DRAWING}docPr").get("name"),
            int(drawing.find(f"{DRAWING}extent").get("cx")),
            int(drawing.find(f"{DRAWING}extent").get("cy")),
        )
        for drawing in root.iter(f"{DRAWING}inline")
    ]
    assert drawn[-len(planned) :] == planned
    assert ("evidence[back].label", "The <back>") in tagged(report)


def test_pages_of_pictures_are_one_table_each_and_end_without_a_blank_page(bundle, report):
    parts, _ = read_parts(bundle)
    body = etree.fromstring(parts_of(report)["word/document.xml"])[0]
    headings = [
        [text_of(row) for row in table.iter(f"{WORD}tr")]
        for table in body.iterfind(f"{WORD}tbl")
        if "AnnexureCaption" in etree.tostring(table, encoding="unicode")
    ]

    assert len(headings) == len(parts.annexures.pages)
    for table, page in zip(headings, parts.annexures.pages, strict=True):
        for section in page.sections:
            assert section.heading in table
    last = body[-2]
    assert last.find(f"{WORD}pPr/{WORD}spacing").get(f"{WORD}lineRule") == "exact"
    assert body[-1].tag == f"{WORD}sectPr"


def test_rows_of_pictures_fit_into_the_page(bundle, report):
    parts, _ = read_parts(bundle)
    body = etree.fromstring(parts_of(report)["word/document.xml"])[0]
    room = (parts.annexures.paper_height - 15 - 18) / Decimal("25.4") * 1440
    for table in body.iterfind(f"{WORD}tbl"):
        heights = [
            int(height.get(f"{WORD}val"))
            for height in table.iter(f"{WORD}trHeight")
            if height.get(f"{WORD}hRule") == "exact"
        ]
        assert sum(heights) <= room


def test_a_case_without_pictures_has_no_pages_for_them(build, renderer, tmp_path):
    def without(case):
        return case.model_copy(update={"evidence": (), "links": ()})

    bundle = build(tmp_path / "bare.zip", change=without)
    rendered, problems = renderer.render(bundle, tmp_path / "bare.docx")

    assert not problems
    report = rendered.path.read_bytes()
    assert is_sound(report)
    assert b"AnnexureCaption" not in parts_of(report)["word/document.xml"]


def test_the_firms_logo_is_printed_where_the_template_wants_it(build, renderer, tmp_path):
    own = made("{% if firm.logo is known %}{{ firm.logo }}{% endif %}")
    (tmp_path / "own.docx").write_bytes(own)
    bundle = build(tmp_path / "own.zip", template=own)
    parts, _ = read_parts(bundle)
    report, problems = renderer.print_parts(parts, template=tmp_path / "own.docx")

    assert not problems
    assert is_sound(report)
    assert parts_of(report)["word/media/picture1.png"].startswith(b"\x89PNG")


def test_a_bundle_names_the_files_of_its_templates(bundle):
    parts, _ = read_parts(bundle)

    assert parts.template.sha256 == find_template(parts.template.key).sha256
    assert parts.template.annexures_sha256 == find_template("ANNEXURES_V1").sha256


def test_another_template_is_refused_and_nothing_is_written(bundle, renderer, tmp_path):
    (tmp_path / "own.docx").write_bytes(made("{{ fmv }}"))
    rendered, problems = renderer.render(
        bundle, tmp_path / "report.docx", template=tmp_path / "own.docx"
    )

    assert rendered is None
    assert [problem.code for problem in problems] == ["E641"]
    assert [path.name for path in tmp_path.iterdir()] == ["own.docx"]


def test_the_same_template_under_another_name_is_taken(bundle, report, renderer, tmp_path):
    parts, _ = read_parts(bundle)
    copy = tmp_path / "copy.docx"
    copy.write_bytes(find_template(parts.template.key).path.read_bytes())
    rendered, problems = renderer.render(bundle, tmp_path / "report.docx", template=copy)

    assert not problems
    assert rendered.path.read_bytes() == report


def test_a_changed_bundle_is_refused(bundle, renderer, tmp_path):
    changed = tmp_path / "changed.zip"
    changed.write_bytes(bundle.read_bytes())
    entries = entries_of(changed)
    name = next(name for name in entries if name.endswith(".png"))
    rewritten(changed, entries | {name: entries[name] + b"x"})
    rendered, problems = renderer.render(changed, tmp_path / "report.docx")

    assert rendered is None
    assert "E614" in {problem.code for problem in problems}
    assert not (tmp_path / "report.docx").exists()


def test_a_picture_that_changes_after_the_bundle_was_verified_is_noticed(
    bundle, renderer, tmp_path
):
    from factory.rendering import renderer as module

    real = module.chunks_of

    def other(file, entry):
        content = b"".join(real(file, entry))
        yield content[:-2] + b"xx"

    with mock.patch.object(module, "chunks_of", other):
        rendered, problems = renderer.render(bundle, tmp_path / "report.docx")

    assert rendered is None
    assert [problem.code for problem in problems] == ["E614"]
    assert not list(tmp_path.iterdir())


def test_a_report_is_not_written_when_the_process_ends_in_the_middle(bundle, tmp_path):
    from factory.rendering import renderer as module

    target = tmp_path / "report.docx"
    with Renderer() as own:
        assert own.render(bundle, target)[0]
        before = target.read_bytes()

        real = module.chunks_of

        def ended(file, entry):
            os.kill(own.process_id, 9)
            yield from real(file, entry)

        with mock.patch.object(module, "chunks_of", ended):
            rendered, problems = own.render(bundle, target)

    assert rendered is None
    assert [problem.code for problem in problems] == ["E639"]
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.docx"]


def test_a_report_that_fails_its_proof_is_not_written(bundle, renderer, tmp_path):
    from contracts.problems import Problem
    from factory.rendering import renderer as module

    with mock.patch.object(module, "prove", return_value=(Problem("E650", "other"),)):
        rendered, problems = renderer.render(bundle, tmp_path / "report.docx")

    assert rendered is None
    assert [problem.code for problem in problems] == ["E650"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["a text", "a folder", "no folder"])
def test_only_a_docx_is_ever_replaced(bundle, renderer, tmp_path, there):
    target = tmp_path / "report.docx"
    if there == "a text":
        target.write_text("notes", encoding="utf-8")
    elif there == "a folder":
        target.mkdir()
    else:
        target = tmp_path / "none" / "report.docx"
    rendered, problems = renderer.render(bundle, target)

    assert rendered is None
    assert [problem.code for problem in problems] == ["E608"]


def test_a_template_refused_by_the_process_is_told_by_its_file_name(build, renderer, tmp_path):
    own = altered(made("{{ fmv.__class__ }}"), {})
    (tmp_path / "own.docx").write_bytes(own)
    bundle = build(tmp_path / "own.zip", template=own)
    rendered, problems = renderer.render(
        bundle, tmp_path / "report.docx", template=tmp_path / "own.docx"
    )

    assert rendered is None
    assert {(problem.code, problem.file) for problem in problems} == {("E643", "own.docx")}


def test_one_report_can_be_printed_without_keeping_a_process(bundle, report, tmp_path):
    rendered, problems = render_report(bundle, tmp_path / "report.docx")

    assert not problems
    assert rendered.path.read_bytes() == report


def test_a_warm_process_prints_the_same_whatever_it_printed_before(build, report, bundle, tmp_path):
    def other(case):
        return case.model_copy(update={"title": "Another"})

    with Renderer() as own:
        own.render(build(tmp_path / "other.zip", change=other), tmp_path / "other.docx")
        rendered, _ = own.render(bundle, tmp_path / "report.docx")

    assert rendered.path.read_bytes() == report
