"""Which letters an invoice can be printed in: those of the fonts that every reader of PDFs has.

A name in other letters would stand on a tax invoice as question marks. It is refused while it can
still be mended: Indian scripts need fonts and shaping that the PDF does not bring along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.errors import conflict

#: What the standard fonts of PDF (WinAnsiEncoding) have.
ENCODING = "cp1252"


def check_letters(said: Any, where: str) -> None:
    """See that a text, or all texts in a record or a list of some, can be printed.

    Args:
        said: a text; or names or places with such; what is no text is passed over.
        where: what it is called in the refusal.

    Raises:
        ServiceError: 409 LETTERS_NOT_PRINTABLE.
    """
    if isinstance(said, str):
        if (letter := _first_unprintable(said)) is not None:
            raise conflict(
                "LETTERS_NOT_PRINTABLE",
                "An invoice cannot be printed in these letters",
                f"{where} has {letter!r}. Write it in Latin letters, a name as the GST registration "
                "has it, and INR for the sign of the rupee.",
            )
    elif isinstance(said, Mapping):
        for name, inner in said.items():
            check_letters(inner, f"{where}.{name}" if where else name)
    elif isinstance(said, list | tuple):
        for inner in said:
            check_letters(inner, where)


def _first_unprintable(text: str) -> str | None:
    try:
        text.encode(ENCODING)
    except UnicodeEncodeError as problem:
        return text[problem.start]
    return None
