"""Writes factory/templates/*.docx from their outlines; with --check, says whether they are there.

The register (factory/templates/templates.yaml) names the files; the outline of each has its name
in small letters. Same outlines, same bytes: parts are sorted and stored with one fixed time, so a
checkout can compare what it has with what it would build.
"""

from __future__ import annotations

import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import word_template as word

from contracts.problems import render_problems
from contracts.strict_yaml import read_yaml
from factory.rendering.template_files import FOLDER, Registered, read_register

OUTLINES = FOLDER / "outlines"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def read_outline(path: Path) -> Any:
    """The value of an outline; a fault ends the run with the reader's own message."""
    text = path.read_text(encoding="utf-8")
    document = read_yaml(text, path.name)
    if document.problems:
        sys.exit(render_problems(document.problems, {path.name: text}))
    return document.value


def parts_of(template: Registered, shared: dict[str, list[Any]]) -> dict[str, bytes]:
    """The parts of a template by their names in the file."""
    outline = read_outline(OUTLINES / f"{Path(template.file).stem.lower()}.yaml")
    furniture = read_outline(OUTLINES / "furniture.yaml")
    margins = word.Margins(**{side: int(mm) for side, mm in outline.get("margins", {}).items()})
    page = word.Page(margins, shared)
    page.blocks(outline["blocks"], template.key)
    letterhead = bool(outline.get("letterhead", True))
    heads = {"head-default": ("header", word.head_part(furniture["head"], margins))}
    if letterhead:
        heads["head-first"] = ("header", word.letterhead_part(furniture["letterhead"]))
    heads["foot-default"] = (
        "footer",
        word.foot_part(furniture["foot"], furniture["digest"], margins),
    )
    written = {
        "word/document.xml": word.as_xml(word.document_part(page, letterhead=letterhead)),
        "word/styles.xml": word.as_xml(word.styles_part()),
        "word/settings.xml": word.as_xml(word.settings_part()),
        **{f"word/{name}.xml": word.as_xml(part) for name, (_, part) in heads.items()},
        "docProps/core.xml": _core(template),
    }
    kinds = {"styles": "styles", "settings": "settings"} | {n: k for n, (k, _) in heads.items()}
    written["word/_rels/document.xml.rels"] = _relationships(
        {name: (f"{_OFFICE}/{kind}", f"{name}.xml") for name, kind in kinds.items()}
    )
    written["_rels/.rels"] = _relationships(
        {
            "document": (f"{_OFFICE}/officeDocument", "word/document.xml"),
            "core": (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        }
    )
    written["[Content_Types].xml"] = _content_types({"document": "document.main", **kinds})
    return written


def _core(template: Registered) -> bytes:
    return (
        f'{_DECLARATION}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{escape(template.title)}</dc:title></cp:coreProperties>"
    ).encode()


def _relationships(targets: dict[str, tuple[str, str]]) -> bytes:
    lines = "".join(
        f'<Relationship Id="{name}" Type="{kind}" Target="{target}"/>'
        for name, (kind, target) in sorted(targets.items())
    )
    return (
        f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'
    ).encode()


def _content_types(kinds: dict[str, str]) -> bytes:
    overrides = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{_WORD_TYPE}.{kind}+xml"/>'
        for name, kind in sorted(kinds.items())
    )
    return (
        f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'{overrides}<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
    ).encode()


def package(parts: dict[str, bytes]) -> bytes:
    """The file: content types first, the rest in order, stored."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(parts, key=lambda name: (name != "[Content_Types].xml", name)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, parts[name])
    return file.getvalue()


def read_parts(path: Path) -> dict[str, bytes]:
    """The parts that a file on disk has; none if there is no file."""
    if not path.is_file():
        return {}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def main() -> int:
    """Writes or checks every template; the exit code."""
    shared = {path.stem: read_outline(path) for path in sorted(OUTLINES.glob("parts/*.yaml"))}
    stale = []
    for template in read_register():
        path = FOLDER / template.file
        try:
            parts = parts_of(template, shared)
        except word.OutlineError as error:
            sys.exit(f"outline of {template.key}: {error}")
        if read_parts(path) == parts:
            continue
        if "--check" in sys.argv[1:]:
            stale.append(template.file)
        else:
            path.write_bytes(package(parts))
    if stale:
        print(f"{', '.join(stale)}: not what the outlines say; run scripts/build_templates.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
