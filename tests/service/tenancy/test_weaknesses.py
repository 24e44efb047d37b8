"""The original's numbered weaknesses that belong to the database's policies."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from service.database import migrating

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def _policies(connection: Any) -> list[Any]:
    return list(
        connection.execute(
            text(
                "select tablename, policyname, permissive, roles::text[] as roles, cmd,"
                " coalesce(qual, '') || coalesce(with_check, '') as condition"
                " from pg_policies where schemaname = 'public'"
            )
        )
    )


def _opened(connection: Any) -> set[str]:
    """Tables where a row that one policy hides may be shown by another."""
    found = [one for one in _policies(connection) if one.permissive == "PERMISSIVE"]
    each = Counter((one.tablename, role, one.cmd) for one in found for role in one.roles)
    return {one.tablename for one in found if one.cmd == "ALL"} | {
        table for (table, _, _), count in each.items() if count > 1
    }


def test_weakness_57_people_firms_and_roles_are_behind_policies_too(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        open_tables = connection.scalars(
            text(
                "select relname from pg_class where relnamespace = 'public'::regnamespace"
                " and relname in ('users', 'tenants', 'memberships', 'access_tokens')"
                " and relrowsecurity and relforcerowsecurity order by 1"
            )
        ).all()

    assert open_tables == ["access_tokens", "memberships", "tenants", "users"]


def test_weakness_57_no_policy_names_a_firm(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        found = _policies(connection)

    assert len(found) > 100
    assert [one.policyname for one in found if _UUID.search(one.condition)] == []


def test_weakness_57_no_role_comes_with_a_password() -> None:
    """There, the password of each role was its name."""
    made = (migrating.HERE / "roles.sql").read_text(encoding="utf-8")

    assert "create role" in made.lower()
    assert "password" not in made.lower()


def test_weakness_61_no_policy_opens_what_another_one_closes(owner_engine: Any) -> None:
    """Permissive policies are joined by OR: a role has one for each command, and none for all."""
    with owner_engine.connect() as connection:
        assert _opened(connection) == set()


@pytest.mark.parametrize("scope", ["all", "select"])
def test_weakness_61_a_second_policy_would_be_noticed(owner_engine: Any, scope: str) -> None:
    with owner_engine.connect() as connection:
        connection.exec_driver_sql(
            f"create policy another on documents for {scope} to zen_web using (true)"
        )
        assert _opened(connection) == {"documents"}
        connection.rollback()
