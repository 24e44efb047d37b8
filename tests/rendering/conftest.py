import io
import zipfile
from pathlib import Path

import docx
import pytest
from lxml import etree

from factory.rendering.renderer import Limits, Piece, Renderer

ROOT = Path(__file__).resolve().parents[2]
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def leaf(text, field="x", *, known=True):
    """A printable text among the data."""
    return {"text": text, "field": field, "known": known}


DATA = {
    "fmv": leaf("₹1,77,64,480", "fmv"),
    "fmv_words": leaf("Rupees One Crore", "fmv:words"),
    "say": leaf("NA", "say", known=False),
    "property": {"address": leaf("12, Temple Road\nMysuru", "contract.property.address")},
    "floors": [
        {"id": "ground", "label": leaf("Ground", "floors[ground].label"), "net": leaf("10", "n1")},
        {"id": "first", "label": leaf("First", "floors[first].label"), "net": leaf("20", "n2")},
    ],
    "trees": [],
    "report": {"digest": leaf("abc123", "bundle.digest"), "is_final": True},
}


def made(*paragraphs, change=None):
    """The bytes of a Word document with paragraphs; `change` gets the document before it is saved."""
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    if change is not None:
        change(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def parts_of(content):
    """The parts of a DOCX by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    """A DOCX of parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def altered(content, changes):
    """A DOCX with other parts, or with texts of its parts replaced."""
    parts = parts_of(content)
    for name, change in changes.items():
        if isinstance(change, tuple):
            assert change[0] in parts[name]
            parts[name] = parts[name].replace(*change, 1)
        else:
            parts[name] = change
    return packed(parts)


def texts_of(report):
    """The paragraphs of a report's body that stand in no table, whatever they are made of."""
    body = etree.fromstring(parts_of(report)["word/document.xml"])[0]
    return [text_of(child) for child in body if child.tag == f"{WORD}p"]


def text_of(element):
    """The text of an element as a reader sees it."""
    signs = {f"{WORD}br": "\n", f"{WORD}tab": "\t"}
    return "".join(
        signs.get(part.tag) or (part.text or "" if part.tag == f"{WORD}t" else "")
        for part in element.iter()
    )


def tagged(report, part="word/document.xml"):
    """Each content control of a part: its tag and its text."""
    root = etree.fromstring(parts_of(report)[part])
    return [
        (control.find(f"{WORD}sdtPr/{WORD}tag").get(f"{WORD}val"), text_of(control))
        for control in root.iter(f"{WORD}sdt")
    ]


def is_sound(report):
    """Whether a report opens, and all its parts are well-formed."""
    docx.Document(io.BytesIO(report))
    for name, content in parts_of(report).items():
        if name.endswith((".xml", ".rels")):
            etree.fromstring(content)
    return True


class Printer:
    """Fills templates in the process that is shut in."""

    def __init__(self, renderer):
        self.renderer = renderer

    def __call__(self, content, data=None, **more):
        """The report, or None, and the problems."""
        job = {
            "name": "own.docx",
            "furniture": None,
            "data": DATA if data is None else data,
            "pictures": [],
            "plan": {"pages": []},
            "properties": {"title": "T", "author": "A", "date": "2026-03-31"},
        }
        return self.renderer.fill(job | more, [Piece(len(content), [content])])


@pytest.fixture(scope="session")
def printer():
    with Renderer(Limits(seconds=20, wall_seconds=60)) as renderer:
        yield Printer(renderer)
