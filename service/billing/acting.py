"""Steps into the role that alone may write the ledger, for as long as something is written there."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from service.audit.events import record
from service.database.connections import send
from service.errors import ServiceError
from service.people.acting import in_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor

_BEGIN = text(
    "with before as materialized (select current_setting('role') as role,"
    " current_setting('app.tenant_id') as tenant)"
    " select role, tenant, set_config('role', 'zen_billing', true),"
    " set_config('app.tenant_id', coalesce(cast(:tenant as text), tenant), true) from before"
)
_END = text("select set_config('role', :role, true), set_config('app.tenant_id', :tenant, true)")


@contextlib.contextmanager
def as_billing(connection: Connection, tenant_id: UUID | None = None) -> Iterator[None]:
    """Act inside the block as zen_billing.

    A refusal (ServiceError) leaves the transaction in its own role again. After any other exception
    it is of no use any more, so nothing is put back.

    Args:
        connection: inside a transaction of any role.
        tenant_id: whose books are written; those of the transaction's tenant unless it is given.
    """
    before = connection.execute(
        _BEGIN, {"tenant": None if tenant_id is None else str(tenant_id)}
    ).one()
    with returning_to(connection, before.role, before.tenant):
        yield


@contextlib.contextmanager
def returning_to(connection: Connection, role: str, tenant_id: str) -> Iterator[None]:
    """Be zen_billing inside the block, which something else has become, and the one before after it.

    Args:
        connection: acting as zen_billing.
        role: the role before.
        tenant_id: the tenant before, as its setting holds it.
    """
    after = {"role": role, "tenant": tenant_id}
    try:
        yield
    except ServiceError:
        connection.execute(_END, after)
        raise
    send(connection, _END, after)


def record_in(
    connection: Connection, actor: Actor, tenant_id: UUID, action: str, **what: Any
) -> UUID:
    """Write an audit event of the firm whose books were changed, whoever changed them.

    Args:
        connection: in the actor's own role, outside of `as_billing`.
        actor: who did it; the studio does it in the firm's name.
        tenant_id: the firm.
        action: what was done, such as `billing:credits:granted`.
        what: as `service.audit.events.record` takes it.

    Returns:
        The event's id.
    """
    if actor.tenant_id == tenant_id:
        return record(connection, actor, action, **what)
    with in_tenant(connection, tenant_id):
        return record(connection, replace(actor, tenant_id=tenant_id), action, **what)
