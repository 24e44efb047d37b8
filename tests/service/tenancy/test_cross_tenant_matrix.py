"""Every table, eight commands, five contexts: no command reaches another firm's row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from service.database.connections import become, make_engine
from service.identifiers import new_id
from tests.service.conftest import drop_database, new_database
from tests.service.tenancy.specimen_rows import bound, insert_specimen, specimen_rows

TABLES = tuple(specimen_rows(new_id(), "some-firm"))
#: Every role that a login may become -> the audience for which it acts.
AUDIENCES = {
    "zen_login": "",
    "zen_web": "web",
    "zen_studio": "studio",
    "zen_portal": "portal",
    "zen_worker": "worker",
    "zen_system": "",
    "zen_billing": "web",
}
#: The firm that a transaction names: one's own while the other's row is aimed at, none at all, nothing,
#: nonsense, and the aimed-at row's, for control.
OWN, NONE, EMPTY, MALFORMED, RIGHT = "own", "none", "empty", "malformed", "right"
#: insufficient_privilege: a right or a policy that is missing. Nothing else is a refusal.
REFUSED = "42501"
#: invalid_text_representation: a tenant that is no id ends the statement before it reads a row.
NO_ID = "22P02"
_LOOK = {"select", "copy"}
_WRITE = {"insert", "update own to other", "update other", "insert on conflict update"}
_BOOKS = (
    "billing_accounts", "credit_wallets", "credit_holds", "journal_entries", "invoice_issuers",
    "invoice_number_series", "service_invoices", "service_invoice_items", "invoice_settlements",
    "invoice_attachments", "invoice_notices", "price_lists", "subscription_plans", "subscriptions",
    "subscription_periods", "subscription_refills", "payment_orders", "payment_refunds",
    "payment_events", "releases", "work_order_charges", "release_withdrawals", "usage_events",
    "reconciliation_runs",
)  # fmt: skip
#: What a role is meant to see, or do, of all firms: role -> table ('*' for each) -> commands.
OF_ALL_FIRMS: dict[str, dict[str, set[str]]] = {
    # That it is the studio is what its login proves.
    "zen_studio": {"*": _LOOK},
    "zen_system": {
        "tenants": _LOOK,
        # The queue is one for all firms; sealing the record and comparing the books go over all.
        "operations": _LOOK | _WRITE | {"select for update"},
        "operation_attempts": _LOOK | _WRITE | {"select for update"},
        "audit_events": _LOOK | {"insert"},
        "audit_details": _LOOK,
        "audit_seals": _LOOK | {"insert"},
        **dict.fromkeys(_BOOKS, _LOOK),
    },
}
#: What a trigger stops before any policy is asked: (role, table, command) -> its SQLSTATE.
STOPPED_BEFORE = {
    # Of a file that was made only its end is written; restrict_violation.
    ("zen_worker", "pack_artifacts", "update own to other"): "23001",
}
#: What a role has a right to, but not for this row: role -> table -> commands.
NOT_OF_THIS_ROW: dict[str, dict[str, set[str]]] = {
    # Whoever logs in joins a firm with an invitation alone.
    "zen_login": {"memberships": {"insert"}},
    "zen_portal": {
        # People of the portal ask for work as CHANNEL, and see accounts that are their own.
        "work_orders": {"insert"},
        **dict.fromkeys(
            (
                "billing_accounts", "credit_wallets", "credit_holds", "journal_entries",
                "service_invoices", "service_invoice_items", "invoice_settlements",
                "invoice_attachments", "invoice_notices", "payment_orders",
            ),
            _LOOK,
        ),
    },
    # It reaches both firms' rows at once, which then collide.
    "zen_system": {
        "operations": {"update own to other"},
        "operation_attempts": {"update own to other"},
    },
}  # fmt: skip


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


# --- The matrix -----------------------------------------------------------------------------------
#
# A refusal is SQLSTATE 42501 and nothing else: a foreign key or a unique index that stops a command
# would hide that the policy did not. So each command is one that only a policy, or a right that is
# missing, can stop, and the control - the same command in the right tenant - shows that it is.


@dataclass(frozen=True)
class Matrix:
    """A database with two firms; says what came of each command."""

    #: Of the superuser, who becomes each role; on the second no tenant was ever named.
    connection: Any
    unnamed: Any
    firms: dict[str, Any]

    def outcomes(
        self, table: str, role: str, contexts: tuple[str, ...]
    ) -> dict[tuple[str, str], int | str]:
        """(context, command) -> how many of the aimed-at rows it reached, or the SQLSTATE."""
        found: dict[tuple[str, str], int | str] = {}
        for context in contexts:
            connection = self.unnamed if context == NONE else self.connection
            for name in COMMANDS:
                with connection.transaction(force_rollback=True):
                    found[context, name] = self._outcome(connection, table, role, context, name)
        return found

    def _outcome(
        self, connection: Any, table: str, role: str, context: str, name: str
    ) -> int | str:
        mine, theirs = self.firms["firm-a"], self.firms["firm-b"]
        key = _key(table)
        if name == "insert":
            # The very row, taken away a moment before: nothing is in its way, its parents are there.
            connection.execute("set local session_replication_role = replica")
            connection.execute(f"delete from {table} where {key} = %s", [theirs[table][key]])
            connection.execute("set local session_replication_role = origin")
        acting = theirs if context == RIGHT else mine
        statement, values = _command(name, table, theirs[table])
        _enter(connection, role, context, acting)
        try:
            with connection.cursor() as cursor:
                if name == "copy":
                    with cursor.copy(statement) as copied:
                        return sum(str(theirs[table][key]) in row[0] for row in copied.rows())
                cursor.execute(statement, values)
                return len(cursor.fetchall()) if cursor.description else int(cursor.rowcount)
        except psycopg.Error as error:
            return error.sqlstate or type(error).__name__


def _enter(connection: Any, role: str, context: str, acting: dict[str, Any]) -> None:
    """Become a role, as somebody of a firm, or for no firm that there is."""
    person = acting["users"] if context in {OWN, RIGHT} else {}
    settings = {
        "role": role,
        "app.audience": AUDIENCES[role],
        "app.user_id": str(person.get("user_id", "")),
        "app.login_email": person.get("email", ""),
        "app.token_sha256": acting["access_tokens"]["token_sha256"] if person else "",
    }
    if context != NONE:
        named = {EMPTY: "", MALFORMED: "not-a-uuid"}
        settings["app.tenant_id"] = named.get(context, str(acting["tenants"]["tenant_id"]))
    connection.execute(
        f"select {', '.join('set_config(%s, %s, true)' for _ in settings)}",
        [word for setting in settings.items() for word in setting],
    )


def _key(table: str) -> str:
    return "user_id" if table == "users" else "tenant_id"


def _command(name: str, table: str, row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """One of the eight commands, aimed at a row."""
    key = _key(table)
    column = next(one for one in row if one != key)
    values = bound(row)
    insert = (
        f"insert into {table} ({', '.join(row)}) values ({', '.join(f'%({one})s' for one in row)})"
    )
    where = f"where {key} = %({key})s"
    statement = {
        "select": f"select {key} from {table} {where}",
        "insert": insert,
        # Without a condition: reading the row would have the policy for reading decide as well.
        "update own to other": f"update {table} set {key} = %({key})s",
        "update other": f"update {table} set {column} = {column} {where}",
        "delete other": f"delete from {table} {where}",
        "insert on conflict update": f"{insert} on conflict on constraint {table}_pkey"
        f" do update set {column} = excluded.{column}",
        "select for update": f"select {key} from {table} {where} for update",
        "copy": f"copy (select {key} from {table}) to stdout",
    }[name]
    return statement, values


#: The eight commands, and the rights that a role needs for each.
_NEEDS = {
    "select": "r.key_select",
    "insert": "r.all_insert",
    "update own to other": "r.key_update",
    "update other": "r.key_select and r.column_update and r.column_select",
    "delete other": "r.key_select and r.is_delete",
    "insert on conflict update": "r.all_insert and r.column_update and r.column_select and r.key_select",
    "select for update": "r.key_select and r.any_update",
    "copy": "r.key_select",
}
COMMANDS = tuple(_NEEDS)


def _rights(connection: Any, firms: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """(table, role) -> the commands for which it has the rights, by the catalogue."""
    found = {}
    for table in TABLES:
        names = list(firms["firm-a"][table])
        column = next(one for one in names if one != _key(table))
        for role in AUDIENCES:
            row = connection.execute(
                f"select {', '.join(_NEEDS.values())} from (select"
                " has_column_privilege(%(role)s, %(table)s, %(key)s, 'select') as key_select,"
                " has_column_privilege(%(role)s, %(table)s, %(key)s, 'update') as key_update,"
                " has_column_privilege(%(role)s, %(table)s, %(column)s, 'select') as column_select,"
                " has_column_privilege(%(role)s, %(table)s, %(column)s, 'update') as column_update,"
                " has_any_column_privilege(%(role)s, %(table)s, 'update') as any_update,"
                " has_table_privilege(%(role)s, %(table)s, 'delete') as is_delete,"
                " (select bool_and(has_column_privilege(%(role)s, %(table)s, n, 'insert'))"
                "  from unnest(%(names)s::text[]) n) as all_insert) r",
                {
                    "role": role,
                    "table": table,
                    "key": _key(table),
                    "column": column,
                    "names": names,
                },
            ).fetchone()
            found[table, role] = {name for name, has in zip(COMMANDS, row, strict=True) if has}
    return found


def _meant(exceptions: dict[str, dict[str, set[str]]], role: str, table: str) -> set[str]:
    tables = exceptions.get(role, {})
    return tables.get("*", set()) | tables.get(table, set())


def _leaks(
    outcomes: dict[tuple[str, str], int | str], table: str, role: str
) -> dict[tuple[str, str, str], int | str]:
    """What reached another firm's row, or was stopped by something that is no refusal."""
    return {
        (role, context, name): came
        for (context, name), came in outcomes.items()
        if came not in {0, REFUSED}
        and not (context == MALFORMED and came == NO_ID)
        and name not in _meant(OF_ALL_FIRMS, role, table)
        and came != STOPPED_BEFORE.get((role, table, name))
    }


def _matrix(url: str, firms: dict[str, Any]) -> Iterator[Matrix]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with (
        psycopg.connect(plain, autocommit=True) as connection,
        psycopg.connect(plain, autocommit=True) as unnamed,
    ):
        yield Matrix(connection, unnamed, firms)


@pytest.fixture(scope="module")
def matrix(database: Any, firms: Any) -> Iterator[Matrix]:
    yield from _matrix(database.owner_url, firms)


@pytest.fixture(scope="module")
def rights(matrix: Matrix) -> dict[tuple[str, str], set[str]]:
    return _rights(matrix.connection, matrix.firms)


@pytest.fixture
def scratch_matrix(postgres: Any, template_database: str) -> Iterator[Matrix]:
    """The same of a database whose policies may be spoilt."""
    database = new_database(postgres, template_database)
    engine = create_engine(database.owner_url)
    try:
        with engine.begin() as connection:
            firms = {
                slug: insert_specimen(connection, new_id(), slug) for slug in ("firm-a", "firm-b")
            }
        yield from _matrix(database.owner_url, firms)
    finally:
        engine.dispose()
        drop_database(postgres, database)


@pytest.mark.parametrize("table", TABLES)
def test_no_command_reaches_another_firm(table: str, matrix: Matrix, rights: Any) -> None:
    leaks: dict[Any, Any] = {}
    unrefused, idle = {}, {}
    for role in AUDIENCES:
        outcomes = matrix.outcomes(table, role, (OWN, NONE, EMPTY, MALFORMED, RIGHT))
        control = {name: outcomes.pop((RIGHT, name)) for name in COMMANDS}
        leaks |= _leaks(outcomes, table, role)
        for name in COMMANDS:
            if name not in rights[table, role]:
                # Whoever has no right is refused whatever the policies say.
                if {came for (_, one), came in outcomes.items() if one == name} != {REFUSED}:
                    unrefused[role, name] = outcomes[OWN, name]
            elif control[name] != 1 and name not in _meant(NOT_OF_THIS_ROW, role, table):
                idle[role, name] = control[name]

    assert leaks == {}
    assert unrefused == {}
    # What nobody could do in the right tenant either would show nothing above.
    assert idle == {}


_WRITING = (
    "select tablename, policyname, cmd, r from pg_policies, unnest(roles) r"
    " where schemaname = 'public' and cmd in ('INSERT', 'UPDATE')"
    " and coalesce(with_check, qual) <> 'true' order by 1, 2"
)


def test_the_matrix_notices_a_policy_that_checks_nothing(
    scratch_matrix: Matrix, rights: Any
) -> None:
    """Each policy for writing is spoilt, with `with check (true)`: each must be told."""
    matrix = scratch_matrix
    spoilt = matrix.connection.execute(_WRITING).fetchall()
    for table, policy, _, _ in spoilt:
        matrix.connection.execute(f'alter policy "{policy}" on {table} with check (true)')
    aimed = {
        (table, str(role), {"INSERT": "insert", "UPDATE": "update own to other"}[command])
        for table, _, command, role in spoilt
        if table in TABLES
    }
    aimed = {(table, role, name) for table, role, name in aimed if name in rights[table, role]} - {
        (table, role, name) for role, table, name in STOPPED_BEFORE
    }
    told = {
        (table, role, name)
        for table, role in {(table, role) for table, role, _ in aimed}
        for _, _, name in _leaks(matrix.outcomes(table, role, (OWN,)), table, role)
    }

    assert len({table for table, role, _ in aimed if role == "zen_web"}) >= 22
    assert aimed - told == set()


def test_the_matrix_notices_a_policy_that_lets_all_rows_through(
    scratch_matrix: Matrix, rights: Any
) -> None:
    """Each policy for reading, changing and deleting is spoilt, with `using (true)`."""
    matrix = scratch_matrix
    spoilt = matrix.connection.execute(
        "select tablename, policyname, cmd, r from pg_policies, unnest(roles) r"
        " where schemaname = 'public' and cmd <> 'INSERT' and qual <> 'true' order by 1, 2"
    ).fetchall()
    for table, policy, command, _ in spoilt:
        check = "with check (true)" if command == "UPDATE" else ""
        matrix.connection.execute(f'alter policy "{policy}" on {table} using (true) {check}')
    shows = {"SELECT": "select", "UPDATE": "update other", "DELETE": "delete other"}
    aimed = {
        (table, str(role), shows[command])
        for table, _, command, role in spoilt
        if table in TABLES
        and shows[command] in rights[table, str(role)]
        and shows[command] not in _meant(OF_ALL_FIRMS, str(role), table)
    }
    told = {
        (table, role, name)
        for table, role in {(table, role) for table, role, _ in aimed}
        for _, _, name in _leaks(matrix.outcomes(table, role, (OWN,)), table, role)
    }

    # Of zen_system all that is left is what no key of a row is needed for.
    assert {role for _, role, _ in aimed} == set(AUDIENCES) - {"zen_system"}
    assert aimed - told == set()


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
