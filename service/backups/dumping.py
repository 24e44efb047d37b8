"""Dumps a database as zen_backup, and restores it into an empty one, with PostgreSQL's own programs.

Under forced row-level security an owner's dump would hold no rows; zen_backup sees them all.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.database.migrating import HERE
from service.database.scripts import run_script

if TYPE_CHECKING:
    from sqlalchemy import Engine


class DumpError(Exception):
    """A dump or a restoration failed; the message has what PostgreSQL's program said."""


def dump(url: str, snapshot: str, path: Path, *, program: Path | str = "pg_dump") -> None:
    """Dump a database into a file.

    Args:
        url: of the login zen_backup.
        snapshot: an exported snapshot whose transaction is open: the dump is what it sees.
        path: the file.
        program: pg_dump, of the server's version or a later one.

    Raises:
        DumpError: it did not work.
    """
    _run(
        [str(program), "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={path}"],
        url,
    )


def restore(path: Path, url: str, *, program: Path | str = "pg_restore") -> None:
    """Restore a dump into an empty database; its roles are made if they are missing.

    Args:
        path: the file that `dump` wrote.
        url: of a superuser's login, in that database.
        program: pg_restore, of pg_dump's version or a later one.

    Raises:
        DumpError: it did not work.
    """
    engine = plain_engine(url)
    with engine.begin() as connection:
        run_script(connection, HERE / "roles.sql")
    engine.dispose()
    _run(
        [
            str(program),
            "--role=zen_owner",
            "--no-owner",
            "--exit-on-error",
            f"--dbname={make_url(url).database}",
            str(path),
        ],
        url,
    )


def plain_engine(url: str) -> Engine:
    """An engine that keeps no connection, for a database that comes and goes.

    The address may be one that PostgreSQL's own programs take.
    """
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


def make_database(url: str, name: str) -> str:
    """Create an empty database beside the one of an address; the address of the new one."""
    _alone(url, f"create database {_quoted(name)} template template0")
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    _alone(url, f"drop database if exists {_quoted(name)} with (force)")


def _alone(url: str, statement: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _run(command: list[str], url: str) -> None:
    """Run one of PostgreSQL's programs; where and as whom stands in its environment alone."""
    parts = make_url(url)
    host = parts.host or parts.query.get("host", "")
    given = {
        "PGHOST": host if isinstance(host, str) else host[0],
        "PGPORT": str(parts.port or ""),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.database or "",
        "PGSSLMODE": str(parts.query.get("sslmode", "")),
    }
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "PGTZ": "UTC",
            **{name: value for name, value in given.items() if value},
        },
    )
    if done.returncode:
        raise DumpError(f"{Path(command[0]).name} failed: {done.stderr.strip()[:2000]}")
