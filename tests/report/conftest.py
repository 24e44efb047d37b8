import functools
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from engine.evaluation import evaluate
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import SHIPPED, read_catalogue
from factory.rendering.renderer import Renderer
from factory.report.bundle_parts import read_parts

CASES = SHIPPED / "fixtures" / "cases"
NAMES = sorted(path.name for path in CASES.iterdir() if (path / "case.yaml").is_file())
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@functools.cache
def library():
    """The shipped rule sets and profiles, and the variants that fixture cases use."""
    return read_catalogue(SHIPPED, variants=[SHIPPED / "fixtures" / "variants"])


def case_named(name):
    """A fixture case as a bundle holds it, with its files."""
    read = read_case_file(CASES / name)
    if read.case is None and {problem.code for problem in read.problems} == {"E601"}:
        read = read_case_file(_drawn(name))
    assert read.case is not None, read.problems
    return as_bundled(read.case), read.files


@functools.cache
def _drawn(name):
    """A fixture case whose photographs a script draws, which a fresh clone does not have."""
    folder = Path(_scratch().name) / name
    folder.mkdir()
    (folder / "case.yaml").write_bytes((CASES / name / "case.yaml").read_bytes())
    script = SHIPPED / "scripts" / "draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@functools.cache
def parts_named(name):
    """The parts of a fixture case's bundle."""
    case, files = case_named(name)
    path = Path(_scratch().name) / f"{name}.zip"
    evaluation = evaluate(case, library().catalogue)
    bundle, problems = write_bundle(case, evaluation, library(), files, path)
    assert bundle is not None, problems
    parts, problems = read_parts(path)
    assert parts is not None, problems
    return parts


@functools.cache
def _scratch():
    return tempfile.TemporaryDirectory()


@pytest.fixture(scope="session")
def renderer():
    """A process that fills templates, kept warm."""
    with Renderer() as found:
        yield found


@pytest.fixture(scope="session")
def printed(renderer):
    """The report of a fixture case, as bytes."""

    @functools.cache
    def report(name):
        document, problems = renderer.print_parts(parts_named(name))
        assert document is not None, problems
        return document

    return report


def parts_of(docx):
    """The files of a DOCX by name."""
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    """A DOCX of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def document(*blocks):
    """A DOCX whose body is this XML."""
    body = "".join(blocks)
    namespaces = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:v="urn:schemas-microsoft-com:vml"'
    )
    return packed(
        {
            "[Content_Types].xml": (
                b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                b'<Override PartName="/word/document.xml" ContentType="application/vnd.'
                b'openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
            ),
            "word/document.xml": (
                f"<w:document {namespaces}><w:body>{body}</w:body></w:document>".encode()
            ),
        }
    )


def run(text):
    """A run of text."""
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def tagged(tag, content):
    """A content control around XML."""
    return (
        f'<w:sdt><w:sdtPr><w:tag w:val="{tag}"/></w:sdtPr>'
        f"<w:sdtContent>{content}</w:sdtContent></w:sdt>"
    )


def paragraph(*content):
    """A paragraph of runs and controls."""
    return f"<w:p>{''.join(content)}</w:p>"


class Tampered:
    """A finished report in the hands of somebody who changes it."""

    def __init__(self, docx):
        self.parts = parts_of(docx)
        self.name = "word/document.xml"
        self.roots = {}

    def root(self, name=None):
        """The XML of a part; of the document, if none is named."""
        name = name or self.name
        if name not in self.roots:
            self.roots[name] = etree.fromstring(self.parts[name])
        return self.roots[name]

    def bytes(self):
        """The report as it is now."""
        changed = {name: etree.tostring(root) for name, root in self.roots.items()}
        return packed(self.parts | changed)

    def controls(self, tag, part=None):
        """The content controls of a field."""
        found = [
            control
            for control in self.root(part).iter(f"{WORD}sdt")
            if control.find(f"{WORD}sdtPr/{WORD}tag").get(f"{WORD}val") == tag
        ]
        assert found, f"nothing is tagged {tag}"
        return found

    def text(self, tag):
        """What the first control of a field says."""
        return "".join(t.text for t in self.controls(tag)[0].iter(f"{WORD}t"))

    def write(self, tag, text, part=None, every=False):
        """Put another text into the first control of a field, or into all."""
        controls = self.controls(tag, part)
        for control in controls if every else controls[:1]:
            first, *rest = control.iter(f"{WORD}t")
            first.text = text
            for other in rest:
                other.text = ""

    def rename(self, tag, other):
        """Give the first control of a field another tag."""
        self.controls(tag)[0].find(f"{WORD}sdtPr/{WORD}tag").set(f"{WORD}val", other)

    def unwrap(self, tag):
        """Take the first control of a field away, and leave its text."""
        control = self.controls(tag)[0]
        parent = control.getparent()
        for child in list(control.find(f"{WORD}sdtContent")):
            control.addprevious(child)
        parent.remove(control)

    def remove(self, tag):
        """Take every control of a field away, with its text."""
        for control in self.controls(tag):
            control.getparent().remove(control)

    def drop_row(self, tag):
        """Take the rows away in which a field is printed."""
        for control in self.controls(tag):
            row = next(control.iterancestors(f"{WORD}tr"))
            row.getparent().remove(row)

    def append(self, xml):
        """Put XML at the end of the document, before its section."""
        body = self.root().find(f"{WORD}body")
        namespaces = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        new = etree.fromstring(f"<w:body {namespaces}>{xml}</w:body>")
        for child in list(new):
            body.insert(len(body) - 1, child)

    def after(self, tag, text):
        """Put a text behind the first control of a field."""
        new = etree.fromstring(
            f'<w:r xmlns:w="{WORD[1:-1]}"><w:t xml:space="preserve">{text}</w:t></w:r>'
        )
        self.controls(tag)[0].addnext(new)

    def static(self, old, new):
        """Change a text of the document that stands in no control."""
        for text in self.root().iter(f"{WORD}t"):
            inside = any(up.tag == f"{WORD}sdtContent" for up in text.iterancestors())
            if not inside and old in (text.text or ""):
                text.text = text.text.replace(old, new, 1)
                return
        raise AssertionError(f"'{old}' stands nowhere")
