"""Ids made by the service: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A fresh id."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def least_id(milliseconds: int) -> UUID:
    """The least id that can have been made at a time, given in milliseconds since 1970."""
    return UUID(int=max(milliseconds, 0) << 80)


def read_id(text: str) -> UUID | None:
    """The id that a text is in its usual form of 36 characters, or None."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
