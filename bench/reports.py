"""Reports printed from bundles, against docxtpl alone doing the same without any care."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import docx
from docx.shared import Mm
from docxtpl import DocxTemplate, InlineImage
from jinja2 import Environment, StrictUndefined
from PIL import Image

from bench.measurements import Comparison
from bench.timing import Line, take_turns
from contracts.canonical_json import canonical_json
from contracts.case import Case
from engine.evaluation import evaluate
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import Library
from factory.rendering.filling import as_context
from factory.rendering.renderer import Renderer, report_data_with_logo
from factory.rendering.sandbox import TESTS
from factory.rendering.template_files import find_template
from factory.report.bundle_parts import BundleParts, read_parts
from factory.report.proof import prove

MEBIBYTE = 1 << 20
#: The most that the process which fills templates may have taken, ever.
MOST_MEMORY = 600 * MEBIBYTE


def printed_reports(case: Case, library: Library, folder: Path, *, rounds: int) -> list[Comparison]:
    """A report of text, and a pack of forty photographs of 4 MB."""
    text = _bundle(_long_case(case), library, folder / "text")
    photographs = draw_photographs(folder / "photographs" / "evidence", 40)
    pack = _bundle(_case_of(case, photographs), library, folder / "photographs")
    return [
        _compared("A report of twelve pages of text", text, (), rounds=max(3, rounds // 5)),
        _compared(
            "A pack with 40 photographs of 4 MB", pack, photographs, rounds=max(2, rounds // 50)
        ),
    ]


def _compared(title: str, bundle: Path, photographs: Sequence[Path], *, rounds: int) -> Comparison:
    parts = _parts(bundle)
    template = _rivals_template(parts, photographs)
    data = as_context(report_data_with_logo(parts))
    with Renderer() as renderer:
        report = _printed(renderer, bundle)
        times = take_turns(
            {
                "ours": partial(_printed, renderer, bundle),
                "rival": partial(_plain, template, data, parts, photographs),
                "proof": partial(prove, parts, report),
            },
            rounds=rounds,
            span=0,
        )
        memory = _most_memory(renderer)
    if memory is not None and memory > MOST_MEMORY:
        raise ValueError(f"the process took {memory // MEBIBYTE} MiB, more than it may")
    rival = "docxtpl: open, render, save"
    return Comparison(
        title,
        (
            Line("verify, print in a warm process", times["ours"], rival, times["rival"], 1.5),
            Line("apart from it, the proof", times["proof"], rival, times["rival"]),
        ),
        tuple(_remarks(report, parts, memory, photographs)),
    )


def _remarks(
    report: bytes, parts: BundleParts, memory: int | None, photographs: Sequence[Path]
) -> Iterator[str]:
    document = docx.Document(io.BytesIO(report))
    yield (
        f"{len(document.tables)} tables, {len(parts.annexures.pages)} pages of pictures, "
        f"{len(report) / 1e6:.1f} MB."
    )
    yield (
        "Both fill the same template with the same data. docxtpl does so in this warm process, "
        "without a sandbox, tags, pages planned for pictures, or fixed bytes."
    )
    if photographs:
        yield (
            "docxtpl stores the photographs as they are and packs them once more; ours are turned "
            "upright, brought to 300 dots an inch and stored."
        )
    if memory is not None:
        yield (
            f"At most {memory / MEBIBYTE:.0f} MiB in the process that fills templates and opens "
            f"pictures; {MOST_MEMORY // MEBIBYTE} MiB are the limit."
        )


def _most_memory(renderer: Renderer) -> int | None:
    """The most that the renderer's process ever had in memory; None where Linux does not tell."""
    try:
        status = Path(f"/proc/{renderer.process_id}/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None


def _printed(renderer: Renderer, bundle: Path) -> bytes:
    report, problems = renderer.print_parts(_parts(bundle))
    assert report is not None, problems
    return report


def _plain(
    template: bytes, data: dict[str, Any], parts: BundleParts, photographs: Sequence[Path]
) -> bytes:
    document = DocxTemplate(io.BytesIO(template))
    widths = [
        float(image.width)
        for page in parts.annexures.pages
        for section in page.sections
        for image in section.images
    ]
    pictures = [
        InlineImage(document, str(path), width=Mm(width))
        for path, width in zip(photographs, widths, strict=True)
    ]
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    environment.tests.update(TESTS)
    document.render({**data, "pictures": pictures}, environment)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _rivals_template(parts: BundleParts, photographs: Sequence[Path]) -> bytes:
    """The bundle's template; photographs stand one after the other at its end."""
    found = find_template(parts.template.key)
    assert found is not None
    document = docx.Document(str(found.path))
    if photographs:
        for text in ("{%p for picture in pictures %}", "{{ picture }}", "{%p endfor %}"):
            document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _parts(bundle: Path) -> BundleParts:
    parts, problems = read_parts(bundle)
    assert parts is not None, problems
    return parts


def _long_case(case: Case) -> dict[str, Any]:
    """The case without pictures, and with as many extra items as fill twelve pages."""
    raw: dict[str, Any] = json.loads(canonical_json(case))
    raw |= {"evidence": [], "links": []}
    extras = raw["contract"]["valuation_inputs"]["extras"]
    extras += [
        {**extras[0], "id": f"more-{number}", "label": f"Further item {number} of the inventory"}
        for number in range(1, 101)
    ]
    return raw


def _case_of(case: Case, photographs: Sequence[Path]) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(canonical_json(case))
    raw["contract"].pop("annexures", None)
    raw["evidence"] = [
        {
            "key": path.stem,
            "file": f"evidence/{path.name}",
            "type": "PHOTO",
            "tags": {"category": "exterior"},
        }
        for path in photographs
    ]
    return raw | {"links": []}


def _bundle(raw: dict[str, Any], library: Library, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(raw.get("firm"), dict):
        raw["firm"].pop("logo", None)
    (folder / "case.json").write_text(json.dumps(raw), encoding="utf-8")
    read = read_case_file(folder / "case.json")
    assert read.case is not None, read.problems
    assert library.catalogue is not None
    case = as_bundled(read.case)
    bundle, problems = write_bundle(
        case, evaluate(case, library.catalogue), library, read.files, folder / "bundle.zip"
    )
    assert bundle is not None, problems
    return bundle.path


def draw_photographs(folder: Path, count: int) -> list[Path]:
    """Photographs of 12 million pixels and 4 MB, alike but for a remark, the same at each call."""
    folder.mkdir(parents=True)
    shade = Image.linear_gradient("L").resize((3000, 4000))
    grain = Image.effect_noise((750, 1000), 90).resize((3000, 4000))
    content = b""
    for quality in range(70, 100, 3):
        out = io.BytesIO()
        Image.merge("RGB", (Image.blend(grain, shade, 0.4), shade, grain)).save(
            out, "JPEG", quality=quality
        )
        content = out.getvalue()
        if len(content) >= 4_000_000:
            break
    # Behind the first segment, by which programs know a JPEG.
    at = 4 + int.from_bytes(content[4:6], "big")
    paths = []
    for number in range(count):
        path = folder / f"photograph-{number:02}.jpg"
        remark = f"photograph {number}".encode()
        segment = b"\xff\xfe" + (len(remark) + 2).to_bytes(2, "big") + remark
        path.write_bytes(content[:at] + segment + content[at:])
        paths.append(path)
    return paths
