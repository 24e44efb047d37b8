"""Tokens: made from 256 random bits, shown once, kept as a digest only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

#: What every token of ours begins with, so that one that was leaked is recognised.
PREFIX = "zt_"
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is shown, once, and the digest of it that is kept."""

    clear: str = field(repr=False)
    sha256: str


def make_token() -> NewToken:
    """A fresh token."""
    clear = PREFIX + secrets.token_urlsafe(32)
    return NewToken(clear, token_digest(clear))


def token_digest(clear: str) -> str:
    """The sha256 of a token; a fast hash is right for what cannot be guessed."""
    return hashlib.sha256(clear.encode()).hexdigest()


def is_token_shaped(text: str) -> bool:
    """Whether a text can be a token of ours at all."""
    return _FORM.fullmatch(text) is not None


def keyed_digest(secret_key: str, purpose: str, text: str) -> str:
    """A text that only we can make from another, and for one purpose alone."""
    return hmac.new(secret_key.encode(), f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()
