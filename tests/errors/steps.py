"""Plays the `steps.txt` of an example: commands of zenops, and what goes wrong between them.

Each line is a command as typed at a terminal, or a deed of `DEEDS` with its words. What the last
command tells on standard error is what the example shows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from unittest import mock

import docx
from PIL import Image
from typer.testing import CliRunner

from contracts.problems import render_problems
from engine.evaluation import evaluate
from factory.bundle import MANIFEST, as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import read_catalogue
from factory.command_line import app
from factory.rendering.pdf import write_pdf
from factory.rendering.renderer import Renderer
from factory.stored_zip import Entry, Writer, chunks_of, read_entries


def play(folder: Path) -> str:
    """What the last command of a folder's steps tells; the folder itself stays as it is."""
    told = ""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(folder, scratch, dirs_exist_ok=True)
        with contextlib.chdir(scratch):
            for line in Path("steps.txt").read_text("utf-8").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "zenops":
                    told = CliRunner().invoke(app, words[1:], catch_exceptions=False).stderr
                elif words:
                    told = DEEDS[words[0]](*words[1:]) or told
    return told


def rewritten(bundle: Path, entries: dict[str, bytes]) -> None:
    """Write a bundle's archive with other files, in its own form."""
    with bundle.open("wb") as file:
        archive = Writer(file)
        for name, content in sorted(entries.items()):
            archive.add(name, [content])
        archive.close()


def entries_of(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle by name."""
    with bundle.open("rb") as file:
        entries, problems = read_entries(file, str(bundle))
        assert not problems
        return {entry.name: b"".join(chunks_of(file, entry)) for entry in entries}


def picture(name: str) -> None:
    """Draw a small photograph."""
    Path(name).parent.mkdir(exist_ok=True)
    Image.linear_gradient("L").resize((320, 240)).convert("RGB").save(name, "JPEG", quality=80)


def huge_picture(name: str) -> None:
    """Write a small file that claims to be a picture of 60,000 by 60,000 pixels."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    content = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    Path(name).write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def cut(name: str, size: str) -> None:
    """Keep the first bytes of a file."""
    os.truncate(name, int(size))


def fill(name: str, size: str) -> None:
    """Write a file of blanks."""
    Path(name).write_bytes(b" " * int(size))


def link(target: str, name: str) -> None:
    """Make a symbolic link."""
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).symlink_to(target)


def replace(name: str, old: str, new: str) -> None:
    """Change a text file."""
    text = Path(name).read_text("utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new, 1), encoding="utf-8")


def take(bundle: str, name: str) -> None:
    """Take a file out of a bundle."""
    entries = entries_of(Path(bundle))
    del entries[name]
    rewritten(Path(bundle), entries)


def put(bundle: str, name: str, text: str) -> None:
    """Put a file into a bundle."""
    rewritten(Path(bundle), entries_of(Path(bundle)) | {name: text.encode()})


def alter(bundle: str, name: str, old: str, new: str) -> None:
    """Change a file in a bundle."""
    entries = entries_of(Path(bundle))
    assert old.encode() in entries[name]
    entries[name] = entries[name].replace(old.encode(), new.encode(), 1)
    rewritten(Path(bundle), entries)


def forge(bundle: str, name: str, old: str, new: str) -> None:
    """Change a file in a bundle, and the manifest with it."""
    entries = entries_of(Path(bundle))
    before = hashlib.sha256(entries[name]).hexdigest().encode()
    assert old.encode() in entries[name]
    entries[name] = entries[name].replace(old.encode(), new.encode(), 1)
    after = hashlib.sha256(entries[name]).hexdigest().encode()
    entries[MANIFEST] = entries[MANIFEST].replace(before, after)
    rewritten(Path(bundle), entries)


def hostile_archive(name: str, inside: str) -> None:
    """Write an archive whose file would land elsewhere when it is unpacked."""
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr(inside, "hello")


def build_while_it_changes(case: str, evidence: str) -> str:
    """Read and evaluate a case, change its evidence, then build."""
    read, library = read_case_file(Path(case)), read_catalogue()
    assert read.case
    assert library.catalogue
    bundled = as_bundled(read.case)
    evaluation = evaluate(bundled, library.catalogue)
    with Path(evidence).open("ab") as file:
        file.write(b"more")
    _, problems = write_bundle(bundled, evaluation, library, read.files, Path("bundle.zip"))
    return render_problems(problems, {})


def form(name: str, *lines: str) -> None:
    """Write a Word document of these paragraphs; `|` between texts makes a table's row of one."""
    document = docx.Document()
    for line in lines:
        cells = line.split(" | ")
        if len(cells) == 1:
            document.add_paragraph(line)
            continue
        row = document.add_table(1, len(cells)).rows[0]
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(name)


def pdf_by(program: str, seconds: str = "60") -> str:
    """Make a PDF where `soffice` is this script, or is not there at all if the script is empty."""
    form("report.docx", "A report")
    folder = Path("programs").resolve()
    folder.mkdir()
    if program:
        (folder / "soffice").write_text(f"#!/bin/sh\n{program}\n")
        (folder / "soffice").chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = str(folder)
    try:
        problems = write_pdf(Path("report.docx"), Path("report.pdf"), time_limit_s=float(seconds))
    finally:
        os.environ["PATH"] = path
    return render_problems(problems, {})


def template(name: str, *paragraphs: str) -> None:
    """Write a Word document with paragraphs."""
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(name)


def template_with_macros(name: str) -> None:
    """Write a Word document with a part that holds macros."""
    template(name, "{{ fmv }}")
    with zipfile.ZipFile(name) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    parts["word/vbaProject.bin"] = b"macros"
    with zipfile.ZipFile(name, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def hollow_picture(name: str) -> None:
    """Write a picture that has a sound header and end, and nothing between."""
    picture(name)
    Image.new("L", (320, 240)).save(name, "PNG")
    content = Path(name).read_bytes()
    start = content.index(b"IDAT")
    Path(name).write_bytes(content[: start + 4] + b"\x00" * 16 + content[start + 20 :])


def render_while_it_is_ended(bundle: str) -> str:
    """Print a bundle, and end the process that fills templates in the middle of it."""
    with Renderer() as renderer:

        def ended(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
            assert renderer.process_id is not None
            os.kill(renderer.process_id, signal.SIGKILL)
            yield from chunks_of(file, entry)

        with mock.patch("factory.rendering.renderer.chunks_of", ended):
            _, problems = renderer.render(Path(bundle), Path("report.docx"))
    assert not Path("report.docx").exists()
    return render_problems(problems, {})


def alter_report(report: str, old: str, new: str) -> None:
    """Change a finished report, as an editor of XML would."""
    with zipfile.ZipFile(report) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    body = parts["word/document.xml"].decode()
    old, new = (text.replace("_", "\u00a0") for text in (old, new))
    assert old in body, body
    parts["word/document.xml"] = body.replace(old, new, 1).encode()
    with zipfile.ZipFile(report, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


DEEDS = {
    "alter-report": alter_report,
    "picture": picture,
    "huge-picture": huge_picture,
    "cut": cut,
    "fill": fill,
    "link": link,
    "replace": replace,
    "take": take,
    "put": put,
    "alter": alter,
    "forge": forge,
    "form": form,
    "pdf-by": pdf_by,
    "hostile-archive": hostile_archive,
    "build-while-it-changes": build_while_it_changes,
    "template": template,
    "template-with-macros": template_with_macros,
    "hollow-picture": hollow_picture,
    "render-while-it-is-ended": render_while_it_is_ended,
}
