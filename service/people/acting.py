"""Steps aside for a moment: into the role zen_login, or to another tenant of the studio."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection

_SETTINGS = ("role", "app.tenant_id", "app.user_id", "app.audience", "app.login_email")


@contextlib.contextmanager
def as_login(
    connection: Connection,
    *,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    email: str = "",
) -> Iterator[None]:
    """Act inside the block as zen_login, which alone sees passwords and token digests.

    It sees them for one person or address. After an exception the transaction is of no use any more, so nothing is put back.
    """
    before = {name: setting(connection, name) for name in _SETTINGS}
    put(connection, "role", "zen_login")
    put(connection, "app.tenant_id", str(tenant_id or ""))
    put(connection, "app.user_id", str(user_id or ""))
    put(connection, "app.audience", "login")
    put(connection, "app.login_email", email)
    yield
    for name in _SETTINGS:
        put(connection, name, before[name])


@contextlib.contextmanager
def in_tenant(connection: Connection, tenant_id: UUID) -> Iterator[None]:
    """Mean another tenant's rows inside the block; the role's policies say whether that helps."""
    before = setting(connection, "app.tenant_id")
    put(connection, "app.tenant_id", str(tenant_id))
    yield
    put(connection, "app.tenant_id", before)


def setting(connection: Connection, name: str) -> str:
    """What a setting of the transaction holds; '' if nothing."""
    found: str | None = connection.scalar(
        text("select current_setting(:name, true)"), {"name": name}
    )
    return found or ""


def put(connection: Connection, name: str, value: str) -> None:
    """Set a setting until the transaction ends."""
    connection.execute(
        text("select set_config(:name, :value, true)"), {"name": name, "value": value}
    )
