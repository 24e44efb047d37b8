"""Small pictures of the evidence, drawn by a process of their own that is shut in.

A file was sound when it was taken in, and is still somebody else's: it is opened the way a report
opens it, with as little memory and time, and what comes back is believed only if it is a picture.
Nothing is kept on the server, so that what is purged is gone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

from service.errors import ServiceError
from service.evidence.limits import limits

_ROOT = Path(__file__).resolve().parents[2]
_LARGEST = 400_000
_HEADS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


def thumbnail(path: Path, orientation: int) -> tuple[bytes, str]:
    """A small picture of a picture, and its media type.

    Args:
        path: a JPEG, PNG, WebP, TIFF or HEIC file that was taken in.
        orientation: the EXIF number by which its pixels are turned.

    Raises:
        ServiceError: 503 when too many are being drawn; 422 when it cannot be drawn.
    """
    looking = limits().looking
    if not _places().acquire(timeout=looking.wall_seconds):
        raise ServiceError(503, "TRY_AGAIN", "The service is busy", "Load the page again.")
    try:
        content = _drawn(path, orientation, looking.memory_bytes, looking.cpu_seconds)
    finally:
        _places().release()
    for head, media_type in _HEADS.items():
        if content.startswith(head) and len(content) < _LARGEST:
            return content, media_type
    raise ServiceError(422, "PICTURE_NOT_DRAWN", "There is no small picture of this file")


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(limits().looking.at_once)


def _drawn(path: Path, orientation: int, memory_bytes: int, cpu_seconds: int) -> bytes:
    begin = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    begin += "from service.web.thumbnail_process import main; main()"
    numbers = [str(orientation), str(memory_bytes), str(cpu_seconds)]
    with path.open("rb") as file:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-B", "-c", begin, *numbers],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"MALLOC_ARENA_MAX": "1"},
                cwd=_ROOT.anchor,
                timeout=limits().looking.wall_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return b""
    return done.stdout
