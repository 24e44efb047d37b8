"""The process in which templates are filled: alone, shut in, with nothing but its two pipes.

It reads jobs from its standard input, each a line of JSON and the bytes that the line announces:
template, furniture of the annexures, pictures among the data, pictures of the annexures. It answers
each with a line of JSON and, if all went well, the bytes of the report.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import OrderedDict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

from contracts.problems import Problem, shown
from factory.rendering.annexure_pages import append_annexures
from factory.rendering.docx_package import DOCUMENT, write_package, written
from factory.rendering.filling import LoadedTemplate, as_context, fill_template, load_template
from factory.rendering.limits import allow_seconds, shut_in
from factory.rendering.pictures import PictureError, Printed, print_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT_TEMPLATES = 8
_loaded: OrderedDict[tuple[str, str], tuple[LoadedTemplate | None, tuple[Problem, ...]]] = (
    OrderedDict()
)


def main() -> None:
    """Answer jobs until there are no more."""
    memory = int(sys.argv[1])
    jobs, answers = sys.stdin.buffer, _take_answers()
    shut_in(memory)
    while line := jobs.readline():
        job = json.loads(line)
        allow_seconds(job["seconds"])
        bytes_to_come = _Bytes(jobs, job["sizes"])
        try:
            report, problems = _render(job, bytes_to_come)
        except MemoryError:
            report, problems = None, (_too_much(job["name"]),)
        bytes_to_come.skip()
        answer = {
            "size": None if report is None else len(report),
            "problems": [asdict(problem) for problem in problems],
        }
        answers.write(json.dumps(answer).encode() + b"\n" + (report or b""))
        answers.flush()


def _take_answers() -> BinaryIO:
    """The pipe for answers; whatever else is printed to it by mistake goes nowhere."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


class _Bytes:
    """What follows the line of a job, piece by piece."""

    def __init__(self, file: BinaryIO, sizes: list[int]) -> None:
        self._file = file
        self._sizes = list(sizes)

    def take(self) -> bytes:
        """The next piece."""
        size = self._sizes.pop(0)
        content = self._file.read(size)
        if len(content) != size:
            sys.exit(1)
        return content

    def skip(self) -> None:
        """Let the rest pass by."""
        for size in self._sizes:
            left = size
            while left and (piece := self._file.read(min(left, 1 << 20))):
                left -= len(piece)
        self._sizes.clear()


def _render(job: Mapping[str, Any], pieces: _Bytes) -> tuple[bytes | None, tuple[Problem, ...]]:
    name = job["name"]
    template, problems = _template(pieces.take(), name)
    furniture, more = (
        (None, ()) if not job["furniture"] else _template(pieces.take(), job["furniture"])
    )
    if template is None or problems or more:
        return None, (*problems, *more)
    pictures: dict[int, tuple[str, bytes]] = {}
    for number, box in enumerate(job["pictures"]):
        try:
            found = print_picture(pieces.take(), **box)
        except PictureError as error:
            return None, (_unprintable(name, f"picture {number + 1} of the firm", error),)
        pictures[number] = (f"picture{number + 1}.{found.ending}", found.content)
    data = as_context(job["data"])
    filled, problems = fill_template(template, data, pictures)
    if filled is None:
        return None, problems
    if furniture is not None:
        around, problems = fill_template(furniture, data, pictures)
        if around is None:
            return None, problems
        printed, problems = _print_all(job, pieces)
        if problems:
            return None, problems
        append_annexures(filled, around, job["plan"], printed)
    filled.package.parts[DOCUMENT] = written(filled.document)
    return write_package(filled.package, job["properties"]), ()


def _template(content: bytes, name: str) -> tuple[LoadedTemplate | None, tuple[Problem, ...]]:
    """A template, compiled once for all jobs that use it."""
    key = (hashlib.sha256(content).hexdigest(), name)
    if key not in _loaded:
        _loaded[key] = load_template(content, name)
        if len(_loaded) > _KEPT_TEMPLATES:
            _loaded.popitem(last=False)
    _loaded.move_to_end(key)
    return _loaded[key]


def _print_all(job: Mapping[str, Any], pieces: _Bytes) -> tuple[list[Printed], tuple[Problem, ...]]:
    printed: list[Printed] = []
    problems: list[Problem] = []
    for page in job["plan"]["pages"]:
        for section in page["sections"]:
            for image in section["images"]:
                try:
                    found = print_picture(
                        pieces.take(),
                        width=float(image["width"]),
                        height=float(image["height"]),
                        orientation=image["orientation"],
                    )
                except PictureError as error:
                    label = f"the picture '{shown(image['label'])}'"
                    problems.append(_unprintable(job["name"], label, error))
                else:
                    printed.append(found)
    return printed, tuple(problems)


def _unprintable(name: str, what: str, error: PictureError) -> Problem:
    return Problem(
        "E638",
        f"{what} cannot be printed: {error}",
        fix="Put a sound and smaller copy of it into the case, and build the bundle again.",
        file=shown(name),
    )


def _too_much(name: str) -> Problem:
    return Problem(
        "E646",
        "the report needs more memory than it may have",
        why="A template is filled with limits on memory and time, so that none can do harm.",
        fix="Look for loops and texts in the template that grow without end.",
        file=shown(name),
    )
