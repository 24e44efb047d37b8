"""Keeps secrets and personal data out of the logs: by the name of a field, and by how a value looks.

The last step of every log line. It is a net, not a licence: whoever logs names ids and numbers, and
never evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

MASKED = "[masked]"

#: A field is masked if one of the words of its name is among these.
_SECRET_WORDS = frozenset(
    re.findall(
        r"\w+",
        "password passwords passwd pwd secret secrets token tokens authorization cookie cookies"
        " csrf session credential credentials otp pin"
        # What a person entered or a file holds.
        " body form payload args query content contract evidence details before after"
        " aadhaar pan passport phone mobile address landmark latitude longitude coordinates"
        " located lat lon lng exif filename borrower owner purchaser",
    )
)
#: Names with such a word that say nothing of the kind.
_HARMLESS = frozenset({"token_id", "session_hours", "contract_version", "evidence_id"})
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")

_NAMED = (
    r"password|passwd|pwd|secret|token|(?:api|access|private|idempotency)[_-]?key|csrf[_-]?token"
    r"|session|authorization|cookie"
)


def _domain(found: re.Match[str]) -> str:
    return f"{MASKED}@{found[1]}"


def _name_kept(found: re.Match[str]) -> str:
    return f"{found[1]}{MASKED}"


def _if_mixed(found: re.Match[str]) -> str:
    """Digests and ids are of one case; what has both and digits too was drawn by chance."""
    text = found[0]
    mixed = (
        any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text))
    )
    return MASKED if mixed else text


_Replacement = str | Callable[[re.Match[str]], str]
#: In this order: the wide ones first, so that nothing of what they cover is left by a narrow one.
_PATTERNS: tuple[tuple[re.Pattern[str], _Replacement], ...] = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL, MASKED),
        # What PostgreSQL, SQLAlchemy and pydantic quote of the values that they refuse.
        (r"(\[parameters: ).*?(?=\n\(Background|\Z)", re.DOTALL, _name_kept),
        (r"(DETAIL: ).*", 0, _name_kept),
        (r"(Key \([^\n]*?\)=)\([^\n]*?\)", 0, _name_kept),
        (r"(input_value=).*?(?=, input_type=)", re.DOTALL, _name_kept),
        (r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+(?=@)", re.IGNORECASE, _name_kept),
        (r"(\b(?:bearer|basic)\s+)[^\s,;\"']+", re.IGNORECASE, _name_kept),
        (
            rf"((?:{_NAMED})[\"']?\s*[=:]\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&,;}}]+)",
            re.IGNORECASE,
            _name_kept,
        ),
        (r"\bz[a-z]{0,2}_[A-Za-z0-9_-]{16,}", 0, MASKED),
        # What payment providers give: keys and signing secrets.
        (r"\b(?:sk|rk|whsec)_[A-Za-z0-9_-]{8,}", 0, MASKED),
        (r"\$argon2\S+", 0, MASKED),
        (r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})", 0, _domain),
        (r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{32,}", 0, _if_mixed),
        # Aadhaar, PAN, passport and telephone numbers as they are written in India.
        (r"(?<![\w-])\d{4}([ -]?)\d{4}\1\d{4}(?![\w-])", 0, MASKED),
        (r"(?<!\w)[A-Z]{5}\d{4}[A-Z](?!\w)", 0, MASKED),
        (r"(?<!\w)[A-PR-WY][0-9]{7}(?!\w)", 0, MASKED),
        (r"(?<![\w.-])(?:\+91[ -]?|0)?[6-9]\d{4}[ -]?\d{5}(?![\w-])", 0, MASKED),
        # Degrees with decimals or minutes: a place on the map.
        (r"(?<![\w.:-])[-+]?\d{1,3}\.\d{4,}(?![\w.])", 0, MASKED),
        (r"(?<!\w)\d{1,3}\s?°\s?[\d.]+\s?['′][^,;\s]*", 0, MASKED),
    )
)


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A step of structlog: the same event without what must not be read.

    It comes after what turns exceptions into text, and before what writes the line.
    """
    return {str(name): _masked(str(name), value, 0) for name, value in event.items()}


def masked_text(text: str) -> str:
    """A text without what looks like a secret or like personal data."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a field's name says that its value must not be read."""
    if name in _HARMLESS or name.endswith(("_id", "_ids")):
        return False
    return not _SECRET_WORDS.isdisjoint(word.lower() for word in _WORD.findall(name))


def _masked(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_secret_name(name) or depth > 8:
        return MASKED
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {
            masked_text(str(key)): _masked(str(key), inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", inner, depth + 1) for inner in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return MASKED
    return masked_text(str(value))
