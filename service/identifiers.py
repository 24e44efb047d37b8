"""Ids made by the service: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A fresh id."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def read_id(text: str) -> UUID | None:
    """The id that a text is in its usual form of 36 characters, or None."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
