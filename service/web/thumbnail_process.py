"""The process that draws one small picture: alone, shut in, and loading as little as it can.

The file is its standard input, the small picture its standard output. It answers with nothing when
there is nothing to draw.
"""

from __future__ import annotations

import importlib
import os
import sys

from factory.rendering.limits import allow_seconds, shut_in
from factory.rendering.pictures import PictureError, print_picture

#: A card of the page is 4 to 3; twice its size for fine screens.
_WIDTH_MM, _HEIGHT_MM = 34.0, 25.5
_HEAD_OF_HEIC = b"ftyp"


def main() -> None:
    """Draw the picture on standard input; the arguments are its orientation and the limits."""
    orientation, memory_bytes, cpu_seconds = map(int, sys.argv[1:])
    out = os.dup(1)
    os.dup2(2, 1)
    if os.pread(0, 12, 0)[4:8] == _HEAD_OF_HEIC:
        # What opens it is loaded before the locks are put on.
        importlib.import_module("pillow_heif")
    file = os.fdopen(0, "rb")
    shut_in(memory_bytes)
    allow_seconds(cpu_seconds)
    try:
        small = print_picture(
            file.read(), width=_WIDTH_MM, height=_HEIGHT_MM, orientation=orientation
        )
    except (PictureError, MemoryError):
        return
    content = memoryview(small.content)
    while content:
        content = content[os.write(out, content) :]
