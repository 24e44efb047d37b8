"""Every table, eight commands, five contexts: no command reaches another firm's row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.database.connections import become, make_engine
from service.identifiers import new_id
from tests.service.tenancy.specimen_rows import (
    bound,
    insert_specimen,
    insert_statement,
    specimen_rows,
)

TABLES = tuple(specimen_rows(new_id(), "some-firm"))
#: Role -> the login that may become it, and the audience its policies ask for.
ROLES = {
    "zen_web": ("api_url", "web"),
    "zen_portal": ("api_url", "portal"),
    "zen_studio": ("api_url", "studio"),
    "zen_worker": ("jobs_url", "worker"),
}
OWN, NONE, EMPTY, MALFORMED = "own", "none", "empty", "malformed"


@pytest.fixture(scope="module")
def firms(owner_engine: Any) -> dict[str, Any]:
    """Two firms with one row of every table each."""
    found = {}
    for slug in ("firm-a", "firm-b"):
        tenant = new_id()
        with owner_engine.begin() as connection:
            found[slug] = insert_specimen(connection, tenant, slug)
    return found


@pytest.fixture(scope="module")
def engines(database: Any) -> Any:
    made = {
        name: make_engine(getattr(database, name), pool_size=1) for name in ("api_url", "jobs_url")
    }
    yield made
    for engine in made.values():
        engine.dispose()


def test_every_table_has_its_specimen_row(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        tables = connection.scalars(
            text(
                "select relname from pg_class where relkind in ('r', 'p')"
                " and relnamespace = 'public'::regnamespace"
            )
        ).all()
    assert sorted(TABLES) == sorted(set(tables) - {"alembic_version", "ticks"})


def _fingerprint(owner_engine: Any, table: str, tenant: UUID) -> Any:
    """All of a firm's rows as they stand, seen by the superuser."""
    column = "user_id::text" if table == "users" else "tenant_id::text"
    with owner_engine.connect() as connection:
        return connection.scalar(
            text(
                f"select md5(string_agg(t::text, '|' order by t::text)) from {table} t where {column} = :id"
            ),
            {"id": str(tenant)},
        )


def _enter(connection: Any, role: str, context: str, own: Any, person: UUID) -> None:
    audience = ROLES[role][1]
    if context == OWN:
        become(connection, role, tenant_id=own, user_id=person, audience=audience)  # type: ignore[arg-type]
        return
    become(connection, role, audience=audience)  # type: ignore[arg-type]
    if context in {EMPTY, MALFORMED}:
        connection.execute(
            text("select set_config('app.tenant_id', :value, true)"),
            {"value": "" if context == EMPTY else "not-a-uuid"},
        )


def _commands(
    table: str, mine: dict[str, Any], theirs: dict[str, Any]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The eight commands, each aimed at the other firm's row."""
    key = "user_id" if table == "users" else "tenant_id"
    column = next(name for name in theirs if name != key)
    aimed = {"their_key": theirs[key], "my_key": mine[key]}
    fresh = bound(
        {
            **theirs,
            **{
                name: new_id()
                for name in theirs
                if name.endswith("_id") and name != "tenant_id" and isinstance(theirs[name], UUID)
            },
        }
    )
    return {
        "select": (f"select {key} from {table} where {key} = :their_key", aimed),
        "insert": (insert_statement(table, fresh), fresh),
        "update own to other": (
            f"update {table} set {key} = :their_key where {key} = :my_key",
            aimed,
        ),
        "update other": (f"update {table} set {column} = {column} where {key} = :their_key", aimed),
        "delete other": (f"delete from {table} where {key} = :their_key", aimed),
        "insert on conflict update": (
            f"{insert_statement(table, bound(theirs))} on conflict on constraint {table}_pkey do update set {column} = excluded.{column}",
            bound(theirs),
        ),
        "select for update": (
            f"select {key} from {table} where {key} = :their_key for update",
            aimed,
        ),
        "copy": (f"copy (select {key} from {table}) to stdout", {}),
    }


def _seen_or_done(
    connection: Any, name: str, statement: str, values: dict[str, Any], theirs: str
) -> int:
    """How many of the other firm's rows a command reached; a refusal reaches none."""
    try:
        if name == "copy":
            with connection.connection.cursor() as cursor, cursor.copy(statement) as copied:
                return sum(theirs in row[0] for row in copied.rows())
        result = connection.execute(text(statement), values)
        if result.returns_rows:
            return len(result.all())
        return int(result.rowcount)
    except DBAPIError:
        return 0
    except Exception as error:  # psycopg's own, from copy
        if "psycopg" not in type(error).__module__:
            raise
        return 0


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", TABLES)
def test_no_command_reaches_another_firm(
    table: str, role: str, firms: Any, engines: Any, owner_engine: Any
) -> None:
    mine, theirs = firms["firm-a"], firms["firm-b"]
    tenant, person = mine["tenants"]["tenant_id"], mine["users"]["user_id"]
    key = "user_id" if table == "users" else "tenant_id"
    before = _fingerprint(owner_engine, table, theirs[table][key])
    reached = {}
    for context in (OWN, NONE, EMPTY, MALFORMED):
        for name, (statement, values) in _commands(table, mine[table], theirs[table]).items():
            with engines[ROLES[role][0]].connect() as connection:
                _enter(connection, role, context, tenant, person)
                count = _seen_or_done(connection, name, statement, values, str(theirs[table][key]))
                connection.rollback()
            # The studio reads all firms' rows; that it is the studio is what its login proves.
            if count and not (role == "zen_studio" and name in {"select", "copy"}):
                reached[context, name] = count

    assert reached == {}
    assert _fingerprint(owner_engine, table, theirs[table][key]) == before


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"users"}))
def test_a_firm_sees_its_own_rows_and_only_those(table: str, firms: Any, engines: Any) -> None:
    mine = firms["firm-a"]
    with engines["api_url"].connect() as connection:
        become(
            connection,
            "zen_web",
            tenant_id=mine["tenants"]["tenant_id"],
            user_id=mine["users"]["user_id"],
            audience="web",
        )
        found = connection.scalars(text(f"select tenant_id from {table}")).all()

    assert set(found) == {mine["tenants"]["tenant_id"]}


@pytest.mark.parametrize("table", TABLES)
def test_a_login_that_has_become_nobody_sees_nothing(table: str, engines: Any) -> None:
    for engine in engines.values():
        with engine.connect() as connection, pytest.raises(DBAPIError):
            connection.execute(text(f"select 1 from {table}"))


@pytest.mark.parametrize("table", TABLES)
def test_one_audience_does_not_pass_as_another(table: str, firms: Any, engines: Any) -> None:
    """The role of the desk with the setting of another audience: no row."""
    mine = firms["firm-a"]
    with engines["api_url"].connect() as connection:
        become(
            connection,
            "zen_web",
            tenant_id=mine["tenants"]["tenant_id"],
            user_id=mine["users"]["user_id"],
            audience="portal",
        )
        key = "user_id" if table == "users" else "tenant_id"
        assert connection.scalars(text(f"select {key} from {table}")).all() == []


def test_the_portal_sees_its_persons_work_and_no_more(firms: Any, engines: Any) -> None:
    mine = firms["firm-a"]
    tenant = mine["tenants"]["tenant_id"]
    stranger = new_id()
    with engines["api_url"].connect() as connection:
        become(
            connection,
            "zen_portal",
            tenant_id=tenant,
            user_id=mine["users"]["user_id"],
            audience="portal",
        )
        assert len(connection.execute(text("select work_order_id from work_orders")).all()) == 1
        connection.rollback()
        become(connection, "zen_portal", tenant_id=tenant, user_id=stranger, audience="portal")
        assert connection.execute(text("select work_order_id from work_orders")).all() == []
        assert connection.execute(text("select document_id from documents")).all() == []
