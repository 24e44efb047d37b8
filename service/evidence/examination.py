"""Has an uploaded file opened elsewhere, within limits, and says what it is or why it is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contracts.evidence import FileFacts
from contracts.exact_json import read_json
from factory.photographs import kind_of
from service.errors import ServiceError
from service.evidence.limits import limits, limits_of

if TYPE_CHECKING:
    from service.objects.storage import Stored
    from service.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_LARGEST_ANSWER = 100_000
_HASH = re.compile(r"[0-9a-f]{16}")
#: Code of a refusal -> status and title; what the process says besides is not passed on.
REFUSALS = {
    "FILE_KIND_REFUSED": (415, "Files of this kind are not taken"),
    "FILE_DAMAGED": (422, "The file cannot be opened"),
    "FILE_TOO_DEMANDING": (422, "The file takes too much to open"),
    "PICTURE_TOO_LARGE": (422, "The picture is too large"),
    "PDF_TOO_LARGE": (422, "The PDF is too large"),
    "PDF_ACTIVE": (422, "The PDF is not a plain document"),
    "PDF_LOCKED": (422, "The PDF is locked"),
}


@dataclass(frozen=True, slots=True)
class Examined:
    """What a sound file is."""

    facts: FileFacts
    perceptual_hash: str | None


def examine(path: Path, stored: Stored, settings: Settings) -> Examined:
    """What a file is, as a process says that did nothing else but open it.

    Args:
        path: the file, which nobody else writes to.
        stored: the sums of its bytes as we read them.
        settings: its limits on bytes and pixels hold beside those of `limits.yaml`.

    Raises:
        ServiceError: one of `REFUSALS`; FILE_TOO_LARGE; TRY_AGAIN when too many files are being
            looked at already.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(32))
    # The first bytes tell that a file is nothing of ours; no process is needed for that.
    check_size(kind.media_type if kind else "", stored.size, settings)
    task = {
        "memory_bytes": limits().looking.memory_bytes,
        "cpu_seconds": limits().looking.cpu_seconds,
        "pixels": {
            kind: allowed.pixels
            for kind in limits().kinds
            if (allowed := limits_of(kind, settings))
        },
        "pdf_pages": limits().pdf.pages,
        "pdf_objects": limits().pdf.objects,
    }
    if not _places().acquire(timeout=limits().looking.wall_seconds):
        raise ServiceError(
            503,
            "TRY_AGAIN",
            "The service is busy",
            "Too many files are being looked at. Send this one again in a few seconds.",
            headers={"Retry-After": "5"},
        )
    try:
        said, late = _asked(path, task)
    finally:
        _places().release()
    if said is None:
        seconds = f" within {limits().looking.wall_seconds:g} seconds" if late else ""
        raise refusal(
            "FILE_TOO_DEMANDING",
            f"The file could not be opened{seconds}. Save it anew, smaller or in another format.",
        )
    if "refused" in said:
        raise _refused(said["refused"])
    return _believed(said, stored)


def check_size(media_type: str, size: int, settings: Settings) -> None:
    """Refuse a kind that is not taken, and a file that is larger than its kind may be.

    Raises:
        ServiceError: FILE_KIND_REFUSED or FILE_TOO_LARGE.
    """
    allowed = limits_of(media_type, settings)
    if allowed is None:
        raise refusal(
            "FILE_KIND_REFUSED",
            "Evidence is a JPEG, PNG, WebP, TIFF or HEIC picture, or a PDF. The content decides, not "
            "the ending of the name. Save it as one of these.",
        )
    if size > allowed.bytes:
        raise too_large(allowed.bytes)


def too_large(most: int) -> ServiceError:
    """The refusal of a file that has more bytes than it may have."""
    return ServiceError(
        413,
        "FILE_TOO_LARGE",
        "The file is too large",
        f"It has more than {most:,} bytes. Save it smaller, or in several files.",
        extra={"limit": most},
    )


def refusal(code: str, detail: str) -> ServiceError:
    """A refusal with one of the codes of `REFUSALS`."""
    status, title = REFUSALS[code]
    return ServiceError(status, code, title, detail)


@cache
def _places() -> threading.BoundedSemaphore:
    """So many files at once; each may take the memory of a whole picture."""
    return threading.BoundedSemaphore(limits().looking.at_once)


def _asked(path: Path, task: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """What the process answers, if it does, and whether its time was up."""
    begin = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    begin += "from service.evidence.examiner import main; main()"
    late = threading.Event()
    with path.open("rb") as file:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", begin, json.dumps(task)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One heap: each further one would take address space that counts as memory.
            env={"MALLOC_ARENA_MAX": "1"},
            cwd=_ROOT.anchor,
            start_new_session=True,
        )

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limits().looking.wall_seconds, end)
    timer.start()
    try:
        with process:
            assert process.stdout is not None
            text = process.stdout.readline(_LARGEST_ANSWER)
            # Whoever has answered has nothing more to say.
            process.kill()
    finally:
        timer.cancel()
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None, late.is_set()
    return (said if isinstance(said, dict) else None), late.is_set()


def _refused(told: Any) -> ServiceError:
    code = told.get("code") if isinstance(told, dict) else None
    if code not in REFUSALS:
        return refusal("FILE_TOO_DEMANDING", "The file could not be opened.")
    words = [str(told.get(name, ""))[:300] for name in ("what", "why", "fix")]
    detail = " ".join(filter(None, (f"The file {words[0]}.", words[1], words[2])))
    return refusal(code, "".join(letter if letter.isprintable() else " " for letter in detail))


def _believed(said: dict[str, Any], stored: Stored) -> Examined:
    """The answer, if it is one that this file can have."""
    picture = said.get("perceptual_hash")
    try:
        facts = read_stored_facts(json.dumps(said.get("facts")))
    except (ValidationError, ValueError):
        raise refusal("FILE_TOO_DEMANDING", "The file could not be opened.") from None
    is_hash = picture is None or (isinstance(picture, str) and _HASH.fullmatch(picture))
    if (facts.sha256, facts.size) != (stored.sha256, stored.size) or not is_hash:
        raise refusal("FILE_TOO_DEMANDING", "The file could not be opened.")
    return Examined(facts, picture)


def read_stored_facts(text: str) -> FileFacts:
    """The facts that a document's row holds as JSON."""
    document = read_json(text, "facts")
    if document.problems:
        raise ValueError(document.problems[0].what)
    return FileFacts.model_validate(document.value)
