"""One transaction, one role, one tenant: how the service speaks to PostgreSQL.

The login roles may do nothing by themselves. Each transaction becomes the role of its audience and
says for which tenant and person it acts; both end with the transaction, so a pooled connection
carries nothing from one request to the next.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection, Engine

Role = Literal["zen_login", "zen_web", "zen_studio", "zen_portal", "zen_worker", "zen_system"]

_BECOME = text(
    "select set_config('role', :role, true), set_config('app.tenant_id', :tenant, true),"
    " set_config('app.user_id', :person, true), set_config('app.audience', :audience, true)"
)


def make_engine(url: str, *, pool_size: int = 8, overflow: int = 8) -> Engine:
    """An engine for one of the login roles; connections are opened when first needed.

    Args:
        url: SQLAlchemy's address of the database, with the driver psycopg.
        pool_size: how many connections are kept.
        overflow: how many more may be opened for a while.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_pre_ping=True,
        pool_timeout=10,
        # What people entered does not stand in an error's message.
        hide_parameters=True,
        # A statement that a person waits for has 30 seconds; an idle transaction never lingers.
        connect_args={
            "options": "-c statement_timeout=30000 -c lock_timeout=15000"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
            "connect_timeout": 5,
        },
    )


def become(
    connection: Connection,
    role: Role,
    *,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    audience: str = "",
) -> None:
    """Make the rest of the connection's transaction act in a role, for a tenant and a person."""
    connection.execute(
        _BECOME,
        {
            "role": role,
            "tenant": "" if tenant_id is None else str(tenant_id),
            "person": "" if user_id is None else str(user_id),
            "audience": audience,
        },
    )


@contextlib.contextmanager
def transaction(
    engine: Engine,
    *,
    role: Role,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    audience: str | None = None,
) -> Iterator[Connection]:
    """A transaction that commits at the end and rolls back on an exception.

    Args:
        engine: of a login role that may become `role`.
        role: whose rights and policies hold.
        tenant_id: whose rows are meant; without one there are none.
        user_id: the person, for policies that ask.
        audience: web, studio, portal or worker; that of the role unless said otherwise.
    """
    with engine.begin() as connection:
        become(
            connection,
            role,
            tenant_id=tenant_id,
            user_id=user_id,
            audience=role.removeprefix("zen_") if audience is None else audience,
        )
        yield connection
