"""What decoders raise on hostile or damaged pictures; nothing heavy is loaded for it."""

from __future__ import annotations

import struct

#: Pillow names no common base for them.
BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
