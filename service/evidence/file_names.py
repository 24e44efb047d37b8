"""Names that people's machines give to files, made fit to be shown, stored in a bundle and sent out.

A name is never a path here: objects lie under ids.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PureWindowsPath
from urllib.parse import quote

from factory.photographs import ending_of

LONGEST = 120
# What some system cannot have in a name; contracts.evidence.FilePath refuses the same.
_NOT_EVERYWHERE = re.compile(r"[\\/:*?\"<>|]")
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE
)
#: Other endings that a kind's files rightly have.
_ALSO = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "heif": "heic", "hif": "heic"}


def clean_name(given: str, media_type: str | None = None) -> str:
    """A name without folders, control characters and what turns writing round.

    Args:
        given: the name as it came; it may be a path of any system, or nothing.
        media_type: what the file is; its ending is put right by that, so that no picture is sent
            out as a program.

    Returns:
        At most `LONGEST` characters, never empty.
    """
    text = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode("utf-8"))
    text = re.split(r"[/\\]", text)[-1]
    # Cc, Cf, Cs, Co, Cn: controls (NUL, RTL override), halves of characters, what is no character.
    text = "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or not unicodedata.category(letter).startswith("C")
    )
    text = _NOT_EVERYWHERE.sub("_", re.sub(r" +", " ", text)).strip(" .")
    stem, dot, ending = text.rpartition(".")
    if not dot or len(ending) > 8:
        stem, ending = text, ""
    if media_type is not None:
        right = ending_of(media_type)
        if _ALSO.get(ending.lower(), ending.lower()) != right:
            stem, ending = (f"{stem}.{ending}" if ending else stem), right
    stem = stem.strip(" .") or "document"
    if _DEVICES.fullmatch(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    room = LONGEST - len(ending) - 1
    return f"{stem[:room].rstrip(' .')}.{ending}" if ending else stem[:LONGEST].rstrip(" .")


def disposition(name: str) -> str:
    """The header that has a browser save a file under a name (RFC 6266), whatever is in it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", plain).strip() or "document"
    stem = PureWindowsPath(plain).name
    return f"attachment; filename=\"{stem}\"; filename*=UTF-8''{quote(name, safe='')}"
