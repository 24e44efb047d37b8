"""Passwords: what may be one, and how it is kept and checked."""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict

from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from service.errors import FieldError, ServiceError

#: argon2id as OWASP's cheat sheet asks: 19 MiB, two passes, one lane.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: The hash of a random password that nobody kept. An address that is not known is checked against
#: it, so that both take the same work; a test holds it to HASHER's cost.
NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$eTeIv8jwJMNCKIpyRBtKSQ$O48UNYJ40YMs8Q/uZz+RF6pOF3x2uOInLrjCSB1dUTw"
# What is often written for a letter; 1 and ! are for two.
_WRITTEN_FOR = (
    str.maketrans("0134578$@!", "oleastbsai"),
    str.maketrans("0134578$@!", "oieastbsal"),
)


class PasswordRules(BaseModel):
    """The whole of passwords.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shortest: int
    longest: int
    fewest_different: int
    common: tuple[str, ...]


@cache
def password_rules() -> PasswordRules:
    """What passwords.yaml says, read once.

    Raises:
        ValueError: the file has problems.
    """
    path = Path(__file__).with_name("passwords.yaml")
    found, problems = validate(
        PasswordRules, read_yaml(path.read_text(encoding="utf-8"), path.name)
    )
    if found is None:
        raise ValueError("; ".join(f"{one.line}: {one.what}" for one in problems))
    return found


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return HASHER.hash(_normal(password))


def verify_password(kept: str | None, password: str) -> bool:
    """Whether a password is the one of which a hash was kept.

    One verification is made in every case, also where nothing was kept.
    """
    typed = _normal(password[: 2 * password_rules().longest])
    try:
        is_right = HASHER.verify(kept or NOBODYS, typed)
    except (VerificationError, InvalidHashError):
        return False
    return is_right and kept is not None


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other costs than today's."""
    return HASHER.check_needs_rehash(kept)


def check_password(password: str, *, email: str = "", field: str = "password") -> None:
    """Refuse a password that would be guessed.

    Raises:
        ServiceError: 422, with what is wrong with it.
    """
    # What has more characters before they are composed than `verify_password` reads is too long.
    normal = _normal(password) if len(password) <= 2 * password_rules().longest else password
    if why := _weakness(normal, email):
        raise ServiceError(
            422,
            "PASSWORD_REFUSED",
            "This password cannot be used",
            why,
            fields=(FieldError(field, why, "PASSWORD_REFUSED"),),
        )


def _weakness(password: str, email: str) -> str:
    rules = password_rules()
    if not rules.shortest <= len(password) <= rules.longest:
        return f"A password has {rules.shortest} to {rules.longest} characters."
    if len(set(password.casefold())) < rules.fewest_different:
        return f"A password has at least {rules.fewest_different} different characters."
    name = re.sub(r"[^a-z]", "", email.partition("@")[0].casefold())
    known = [*rules.common, *([name] if len(name) > 3 else [])]
    # "Passw0rd-2026!" is the word "password" with what everybody adds to it.
    for written_for in ({}, *_WRITTEN_FOR):
        letters = re.sub(r"[\W\d_]", "", password.casefold().translate(written_for))
        left = letters
        for word in sorted(known, key=len, reverse=True):
            left = left.replace(word, "")
        if left != letters and len(left) < 4:
            return "Too many people use this password, or one like it. Take some unrelated words."
    if _is_walk(password.casefold()):
        return "Neighbouring keys or characters in a row are guessed at once."
    return ""


def _is_walk(text: str) -> bool:
    """Whether nearly every character is the neighbour of the one before, or the same."""
    rows = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
    near = 0
    for one, other in itertools.pairwise(text):
        on_row = any(
            one in row and other in row and abs(row.index(one) - row.index(other)) <= 1
            for row in rows
        )
        near += abs(ord(one) - ord(other)) <= 1 or on_row
    return near >= 0.75 * (len(text) - 1)


def _normal(password: str) -> str:
    """The same characters, however a keyboard composed them (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
