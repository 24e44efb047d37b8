"""Prints a bundle: verifies it, has its template filled elsewhere, proves the report, writes it.

The work on templates and pictures is done by `child`, a process of its own that this one feeds,
times and, if need be, ends. A `Renderer` keeps it warm from report to report.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from contracts.canonical_json import to_plain
from contracts.problems import Problem, shown
from factory.bundle import ANNEXURES
from factory.folders import open_file, read_file
from factory.photographs import read_facts
from factory.rendering.docx_package import LARGEST_TEMPLATE
from factory.rendering.template_files import find_template
from factory.report.bundle_parts import read_parts
from factory.report.data import report_data
from factory.report.proof import prove
from factory.stored_zip import LARGEST_ARCHIVE, Entry, chunks_of, read_entries
from factory.whole_files import cannot_replace, cannot_write, replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from contracts.bundle import TemplateIdentity
    from factory.report.bundle_parts import BundleParts

_ROOT = Path(__file__).resolve().parents[2]
_LARGEST_ANSWER = 4_000_000
_LARGEST_REPORT = 512_000_000
#: The letterhead's logo keeps its shape in this box, in millimetres.
_LOGO = (50.0, 20.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one report may take.

    Attributes:
        seconds: of computing.
        wall_seconds: from the first to the last, waiting included.
        memory: bytes beyond what the process takes when it begins.
    """

    seconds: int = 60
    wall_seconds: float = 120
    memory: int = 448 << 20


@dataclass(frozen=True, slots=True)
class Rendered:
    """A report that was written."""

    path: Path
    sha256: str
    size: int
    template: str
    bundle_digest: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that follow a job's line, and how many there are."""

    size: int
    chunks: Iterable[bytes] = field(repr=False)


def render_report(
    bundle: Path, target: Path, *, template: Path | None = None
) -> tuple[Rendered | None, tuple[Problem, ...]]:
    """Print a bundle as a Word document.

    Args:
        bundle: the bundle.
        target: where the document is to be; a DOCX that is there is replaced by a proved one only.
        template: the file that the bundle names by its digest; else the one that ZenOps brings.

    Returns:
        The document, or None and why there is none; then nothing on disk has changed.
    """
    with Renderer() as renderer:
        return renderer.render(bundle, target, template=template)


class Renderer:
    """Prints bundles one after the other, with one warm process; a context manager."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """The renderer; its process begins with the first report."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    @property
    def process_id(self) -> int | None:
        """The number of the process that is kept warm."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; a further report begins a new one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()

    def render(
        self, bundle: Path, target: Path, *, template: Path | None = None
    ) -> tuple[Rendered | None, tuple[Problem, ...]]:
        """Print a bundle, as `render_report` does."""
        refusal = cannot_replace(target, "DOCX")
        if refusal is not None:
            return None, (refusal,)
        parts, problems = read_parts(bundle)
        if parts is None:
            return None, problems
        report, problems = self.print_parts(parts, template=template)
        if report is None:
            return None, problems
        problems = _proved(parts, report, template)
        if problems:
            return None, problems
        try:
            with replacing(target, settled=target.exists()) as file:
                file.write(report)
        except OSError as error:
            return None, (cannot_write(target, error.strerror or "the disk refused"),)
        digest = hashlib.sha256(report).hexdigest()
        return Rendered(target, digest, len(report), parts.template.key, parts.digest), ()

    def print_parts(
        self, parts: BundleParts, *, template: Path | None = None
    ) -> tuple[bytes | None, tuple[Problem, ...]]:
        """The report of a bundle as bytes, not proved yet.

        Args:
            parts: of a sound bundle.
            template: as for `render_report`.
        """
        content, name, problems = template_of(parts, template)
        if content is None:
            return None, problems
        has_pages = bool(parts.annexures.pages)
        furniture, problems = _furniture(parts.template) if has_pages else (b"", ())
        if furniture is None:
            return None, problems
        file, problems = open_file(parts.path, str(parts.path), limit=LARGEST_ARCHIVE)
        if file is None:
            return None, problems
        with file:
            entries, problems = read_entries(file, str(parts.path))
            if problems:
                return None, problems
            stored = {entry.name: entry for entry in entries}
            data = report_data_with_logo(parts)
            has_logo = "picture" in data["firm"]["logo"]
            pictures = [
                *([stored[f"data/{parts.firm.logo}"]] if has_logo and parts.firm else []),
                *(_entry(stored, digest) for digest in _planned(parts)),
            ]
            changed: list[str] = []
            pieces = [
                Piece(len(content), [content]),
                *([Piece(len(furniture), [furniture])] if has_pages else []),
                *(Piece(entry.size, _read(file, entry, changed)) for entry in pictures),
            ]
            job = {
                "name": name,
                "furniture": f"{ANNEXURES}.docx" if has_pages else None,
                "data": data,
                "pictures": [_logo_box(data)] if has_logo else [],
                "plan": to_plain(parts.annexures),
                "properties": _properties(parts),
            }
            report, problems = self.fill(job, pieces)
        if changed:
            what = f"'{shown(changed[0], 200)}' changed while the report was printed"
            return None, (Problem("E614", what, fix="Try again.", file=shown(parts.path)),)
        return report, problems

    def fill(
        self, job: Mapping[str, Any], pieces: Iterable[Piece]
    ) -> tuple[bytes | None, tuple[Problem, ...]]:
        """Have a job done in the process, within the limits.

        Args:
            job: `name`, `furniture`, `data`, `pictures`, `plan` and `properties`, as `child` reads
                them.
            pieces: the bytes of the template, of the furniture, and of the pictures in their order.

        Returns:
            The report, or None and why there is none.
        """
        pieces = list(pieces)
        line = {
            **job,
            "sizes": [piece.size for piece in pieces],
            "seconds": self._limits.seconds,
        }
        process = self._running()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._limits.wall_seconds, end)
        timer.start()
        try:
            answer = _talk(process, line, pieces)
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
        if answer is not None:
            return answer
        code = process.wait() if late.is_set() else _ended(process)
        self.close()
        return None, (_why_it_ended(job["name"], code, self._limits, late=late.is_set()),)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._process = _start(self._limits)
        return self._process


def _start(limits: Limits) -> subprocess.Popen[bytes]:
    begin = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    begin += "from factory.rendering.child import main; main()"
    environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    # One heap: each further one would take address space that counts as memory.
    environment["MALLOC_ARENA_MAX"] = "1"
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", begin, str(limits.memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=_ROOT.anchor,
        start_new_session=True,
    )


def _talk(
    process: subprocess.Popen[bytes], line: Mapping[str, Any], pieces: Iterable[Piece]
) -> tuple[bytes | None, tuple[Problem, ...]] | None:
    """The process's answer; None if it ended, or said what it never says."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(line).encode() + b"\n")
        for piece in pieces:
            for chunk in piece.chunks:
                process.stdin.write(chunk)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline(_LARGEST_ANSWER))
        problems = tuple(map(_problem, answer["problems"]))
        size = answer["size"]
        if size is None:
            return (None, problems) if problems else None
        if type(size) is not int or not 0 < size <= _LARGEST_REPORT:
            return None
        report = process.stdout.read(size)
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return (report, problems) if len(report) == size else None


def _problem(told: Mapping[str, Any]) -> Problem:
    """A problem that the process told; what it tells is not trusted to be one."""
    problem = Problem(**told)
    for name, value in told.items():
        if type(value) is not (int if name in {"line", "column", "length"} else str):
            raise TypeError(name)
    return problem


def _ended(process: subprocess.Popen[bytes]) -> int:
    """How a process ended that does not answer any more; it is ended if it has not."""
    try:
        return process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return 0


def _why_it_ended(name: str, code: int, limits: Limits, *, late: bool) -> Problem:
    if late or code == -getattr(signal, "SIGXCPU", 0):
        seconds = f"{limits.wall_seconds:g}" if late else f"{limits.seconds}"
        return Problem(
            "E646",
            f"the report was not ready after {seconds} seconds" + ("" if late else " of computing"),
            why="A template is filled with limits on memory and time, so that none can do harm.",
            fix="Look for loops and texts in the template that grow without end.",
            file=shown(name),
        )
    return Problem(
        "E639",
        "the process that fills templates ended before its work was done",
        why="It ran out of memory, was ended from outside, or met a fault of the software.",
        fix="Try again; if it ends each time, check the template: zenops templates check",
        file=shown(name),
    )


def template_of(
    parts: BundleParts, wanted: Path | None
) -> tuple[bytes | None, str, tuple[Problem, ...]]:
    """The bytes of the one template that a bundle names, and what to call it.

    Args:
        parts: of a sound bundle.
        wanted: the file that the bundle names by its digest; else the one that ZenOps brings.
    """
    identity = parts.template
    if identity.sha256 is None:
        what = f"the bundle names no template file for the key '{shown(identity.key)}'"
        why = "When it was built, there was no template of this key."
        fix = "Build it again, with a template of your own: zenops build CASE --template FILE"
        return None, "", (Problem("E640", what, why, fix, file=shown(parts.path)),)
    path = wanted
    if path is None:
        found = find_template(identity.key)
        if found is None:
            what = f"there is no template '{shown(identity.key)}'"
            fix = "Name the file that the bundle was built with: --template FILE"
            return None, "", (Problem("E640", what, fix=fix, file=shown(parts.path)),)
        path = found.path
    content, problems = read_file(path, str(path), limit=LARGEST_TEMPLATE)
    if content is None:
        return None, "", problems
    if hashlib.sha256(content).hexdigest() != identity.sha256:
        return None, "", (_another(path, identity.key, parts.path, named=wanted is not None),)
    return content, path.name, ()


def _furniture(identity: TemplateIdentity) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The template whose headers, footers and styles the pages of pictures get."""
    found = find_template(ANNEXURES)
    if found is None:
        return None, (Problem("E640", f"there is no template '{ANNEXURES}'"),)
    content, problems = read_file(found.path, str(found.path), limit=LARGEST_TEMPLATE)
    if content is None:
        return None, problems
    if hashlib.sha256(content).hexdigest() != identity.annexures_sha256:
        return None, (_another(found.path, ANNEXURES, found.path, named=False),)
    return content, ()


def _another(path: Path, key: str, bundle: Path, *, named: bool) -> Problem:
    return Problem(
        "E641",
        f"'{shown(path.name)}' is not the template that the bundle was built with",
        why=f"A bundle names its template '{shown(key)}' by the digest of the file, so that a "
        "report comes out the same each time.",
        fix="Name the right file, or build the bundle again with this one."
        if named
        else "Build the bundle again, or name the template of that time: --template FILE",
        file=shown(bundle),
    )


def _planned(parts: BundleParts) -> Iterator[str]:
    for page in parts.annexures.pages:
        for section in page.sections:
            for image in section.images:
                yield image.sha256


def _read(file: BinaryIO, entry: Entry, changed: list[str]) -> Iterator[bytes]:
    """The bytes of a stored picture; its name is noted if they are not those of its digest."""
    digest = hashlib.sha256()
    for chunk in chunks_of(file, entry):
        digest.update(chunk)
        yield chunk
    if f"/{digest.hexdigest()}." not in entry.name:
        changed.append(entry.name)


def _entry(stored: Mapping[str, Entry], digest: str) -> Entry:
    return next(entry for name, entry in stored.items() if f"/{digest}." in name)


def report_data_with_logo(parts: BundleParts) -> dict[str, Any]:
    """The data of a report with `firm.logo`, a picture; a leaf that is not known without one."""
    data = report_data(parts)
    firm = dict(data.get("firm") or {})
    logo = None if parts.firm is None else parts.firm.logo
    size = None if logo is None else _size_of(parts.path, f"data/{logo}")
    firm["logo"] = {"text": "", "field": "firm.logo", "known": False}
    if size is not None:
        width, height = size
        scale = min(_LOGO[0] / width, _LOGO[1] / height)
        firm["logo"] = {
            "picture": 0,
            # Hundredths of a millimetre, the same on every machine.
            "width": round(width * scale, 2),
            "height": round(height * scale, 2),
            "label": firm["name"]["text"] if isinstance(firm.get("name"), dict) else "",
        }
    return {**data, "firm": firm}


def _size_of(bundle: Path, name: str) -> tuple[int, int] | None:
    """Width and height of a picture that is stored in a bundle, in pixels."""
    import io  # noqa: PLC0415 - only letterheads with a logo come here

    with bundle.open("rb") as file:
        entries, _ = read_entries(file, str(bundle))
        content = b"".join(
            chunk for entry in entries if entry.name == name for chunk in chunks_of(file, entry)
        )
    facts, _ = read_facts(io.BufferedReader(io.BytesIO(content)), name)
    if facts is None or not facts.width or not facts.height:
        return None
    return facts.width, facts.height


def _logo_box(data: Mapping[str, Any]) -> dict[str, float]:
    logo = data["firm"]["logo"]
    return {"width": logo["width"], "height": logo["height"]}


def _properties(parts: BundleParts) -> dict[str, str]:
    """What the document says of itself; nothing of it comes from a clock."""
    day = parts.evaluation.as_of
    return {
        "title": parts.case.title or "Valuation report",
        "subject": f"Bundle {parts.digest}",
        "author": parts.firm.name if parts.firm else "",
        "date": day.isoformat() if day else "",
    }


def _proved(parts: BundleParts, report: bytes, template: Path | None) -> tuple[Problem, ...]:
    """Why a report is not what its bundle says, and must not be written."""
    content, _, problems = template_of(parts, template)
    return problems if content is None else prove(parts, report, template=content)
