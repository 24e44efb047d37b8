"""What all tests of packs begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text


@pytest.fixture(scope="module")
def owner(make_firm: Any, make_user: Any) -> Any:
    """Somebody who may do everything in a firm of their own."""
    return make_user(make_firm(), roles=["super_admin"])


@pytest.fixture(scope="module")
def desk(owner: Any, sign_in: Any) -> Any:
    return sign_in(owner)


@pytest.fixture(scope="module")
def look(owner_engine: Any) -> Any:
    """look(query, **values) -> rows as tuples, whoever's they are."""

    def run(query: str, **values: Any) -> list[tuple[Any, ...]]:
        with owner_engine.begin() as connection:
            found = connection.execute(text(query), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    return run


@pytest.fixture(scope="module")
def packs_of(look: Any) -> Any:
    """packs_of(work order) -> (version, status) of each of its packs."""

    def run(work_order_id: UUID) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = look(
            "select version, status from packs where work_order_id = :id order by version",
            id=work_order_id,
        )
        return found

    return run
