"""Sets a database up, and refuses one whose logins could see past row-level security."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from service.database.connections import transaction
from service.database.scripts import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from service.database.connections import Role

HERE = Path(__file__).parent
#: What a login may become; anything else is more than the service needs.
_MAY_BECOME = frozenset(
    {
        "zen_login",
        "zen_web",
        "zen_studio",
        "zen_portal",
        "zen_worker",
        "zen_system",
        "zen_billing",
    }
)


def set_up(owner_url: str) -> str:
    """Create the roles that are missing and bring the schema up to date.

    Args:
        owner_url: of a login that may create roles and owns the database.

    Returns:
        The schema's revision.
    """
    with _connected(owner_url) as connection:
        # Roles belong to the whole server: two databases must not make them at the same moment.
        connection.execute(text("select pg_advisory_xact_lock(7353637)"))
        run_script(connection, HERE / "roles.sql")
    with _connected(owner_url) as connection:
        connection.exec_driver_sql("set local role zen_owner")
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return MigrationContext.configure(connection).get_current_revision() or ""


def configuration() -> Config:
    """Alembic's configuration; there is no file for it."""
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    return config


def latest_revision() -> str:
    """The revision that this version of the software works with."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def revision_of(engine: Engine, role: Role) -> str | None:
    """The revision that a database is at; None where there is none yet."""
    with transaction(engine, role=role) as connection:
        if connection.scalar(text("select to_regclass('public.alembic_version')")) is None:
            return None
        found: str | None = connection.scalar(text("select version_num from alembic_version"))
        return found


def isolation_gaps(engine: Engine) -> list[str]:
    """Why row-level security would not hold for this login; empty if it does."""
    with engine.connect() as connection:
        login = connection.execute(
            text(
                "select rolname, rolsuper, rolbypassrls from pg_roles where rolname = session_user"
            )
        ).one()
        # What the login is a member of, directly or through others.
        members = connection.execute(
            text(
                "with recursive held as ("
                "  select oid from pg_roles where rolname = session_user"
                "  union select m.roleid from pg_auth_members m join held on m.member = held.oid)"
                " select rolname, rolsuper, rolbypassrls from pg_roles join held using (oid)"
                " where rolname <> session_user order by rolname"
            )
        ).all()
        owned = connection.scalars(
            text(
                "select c.relname from pg_class c join pg_roles r on r.oid = c.relowner"
                " where r.rolname = session_user and c.relkind in ('r', 'p')"
                " and c.relnamespace = 'public'::regnamespace order by 1"
            )
        ).all()
        open_tables = connection.scalars(
            text(
                "select c.relname from pg_class c where c.relkind in ('r', 'p')"
                " and c.relnamespace = 'public'::regnamespace and c.relname <> 'alembic_version'"
                " and not (c.relrowsecurity and c.relforcerowsecurity) order by 1"
            )
        ).all()
    gaps = []
    if login.rolsuper:
        gaps.append(f"{login.rolname} is a superuser")
    if login.rolbypassrls:
        gaps.append(f"{login.rolname} may bypass row-level security")
    gaps += [
        f"{login.rolname} may become {member.rolname}"
        for member in members
        if member.rolname not in _MAY_BECOME or member.rolsuper or member.rolbypassrls
    ]
    gaps += [f"{login.rolname} owns the table {name}" for name in owned]
    gaps += [f"the table {name} has no forced row-level security" for name in open_tables]
    return gaps


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
