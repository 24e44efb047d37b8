"""Nothing in the database lets one firm see another's rows, and the check itself can fail."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from service.database.connections import make_engine
from service.database.migrating import isolation_gaps
from tests.service.tenancy.catalogue_gaps import GLOBAL_KEYS, NOT_OF_A_TENANT, gaps


def test_the_catalogue_has_no_gap(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        assert gaps(connection) == []


def test_every_exception_is_still_needed(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        names = set(
            connection.scalars(
                text("select relname from pg_class where relnamespace = 'public'::regnamespace")
            )
        )
    assert set(NOT_OF_A_TENANT) <= names
    assert set(GLOBAL_KEYS) <= names


# What somebody might do by mistake, and a part of what the check then says.
MISTAKES = {
    "alter table work_orders no force row level security": "without forced row-level security: work_orders",
    "alter table comments disable row level security": "without forced row-level security: comments",
    "drop policy web_update on documents": "a right without a policy: documents: zen_web UPDATE",
    "create table notes (note text)": "without a tenant that nobody has a reason for: notes",
    "create view all_orders as select * from work_orders": "owner's eyes: all_orders",
    "create materialized view copied as select 1 as one": "materialised view or foreign table: copied",
    "alter table packs owner to postgres": "not zen_owner's: packs of postgres",
    "create policy open on banks for select to zen_web using (true)": "asks nothing of a role that serves people: banks.open",
    "create policy half on banks for select to zen_web using (name <> '')": "does not ask for the tenant: banks.half",
    "create policy anyone on banks for select using (app.tenant_id() is null)": "a policy for everybody: banks.anyone",
    "grant truncate on packs to zen_web": "no audience should have: packs: zen_web TRUNCATE",
    "grant select on packs to public": "a right of everybody: packs: SELECT",
    "create function app.peek() returns bigint language sql security definer set search_path = '' as 'select 1::bigint'": "acts as its owner, or whose names can be bent: peek",
    "create function app.loose() returns bigint language sql as 'select 1::bigint'": "acts as its owner, or whose names can be bent: loose",
    "alter table comments add column bank uuid; alter table banks add unique (bank_id);"
    " alter table comments add constraint loose_key foreign key (bank) references banks (bank_id)": "from one tenant's row to another's: loose_key",
    "create unique index one_ifsc on bank_branches (ifsc)": "tells of other firms: one_ifsc",
    "alter role zen_web bypassrls": "may do more than it needs: zen_web",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(owner_engine: Any, mistake: str) -> None:
    with owner_engine.connect() as connection:
        for statement in mistake.split(";"):
            connection.exec_driver_sql(statement)
        found = gaps(connection)
        connection.rollback()

    assert any(MISTAKES[mistake] in one for one in found), found


def test_a_partition_is_looked_at_like_any_table(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        connection.exec_driver_sql(
            "create table logs (tenant_id uuid not null, at date not null) partition by range (at)"
        )
        connection.exec_driver_sql("alter table logs enable row level security")
        connection.exec_driver_sql("alter table logs force row level security")
        connection.exec_driver_sql(
            "create table logs_2026 partition of logs for values from ('2026-01-01') to ('2027-01-01')"
        )
        found = gaps(connection)
        connection.rollback()

    assert "a table without forced row-level security: logs_2026" in found


def test_the_logins_cannot_see_past_the_policies(database: Any) -> None:
    for url in (database.api_url, database.jobs_url):
        engine = make_engine(url, pool_size=1)
        assert isolation_gaps(engine) == []
        engine.dispose()


def test_a_superuser_and_the_backup_role_are_no_logins_for_the_service(database: Any) -> None:
    owner = make_engine(database.owner_url, pool_size=1)
    backup = make_engine(database.backup_url, pool_size=1)

    assert "postgres is a superuser" in isolation_gaps(owner)
    assert "zen_backup may bypass row-level security" in isolation_gaps(backup)

    owner.dispose()
    backup.dispose()


def test_a_login_that_may_become_the_owner_is_refused(database: Any, owner_engine: Any) -> None:
    engine = make_engine(database.api_url, pool_size=1)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("grant zen_owner to zen_api")
    try:
        assert "zen_api may become zen_owner" in isolation_gaps(engine)
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql("revoke zen_owner from zen_api")
        engine.dispose()
