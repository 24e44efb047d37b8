"""Runs a file of SQL as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def run_script(connection: Connection, script: Path) -> None:
    """Run all statements of a file in the connection's transaction; a % in them is a %."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(script.read_text(encoding="utf-8"))
    finally:
        cursor.close()
