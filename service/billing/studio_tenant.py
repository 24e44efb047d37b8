"""Which tenant is the studio's: the issuer of invoices, whose own the plans and price lists are."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from service.errors import conflict

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STUDIO = text(
    "select tenant_id from tenants where kind = 'service' order by created_at, tenant_id limit 1"
)


def studio_tenant(connection: Connection) -> UUID:
    """The studio's tenant, the first of its kind.

    Args:
        connection: as zen_billing or zen_studio; other roles see no tenant but their own.

    Raises:
        ServiceError: 409 STUDIO_NOT_SET_UP, nobody has founded it yet.
    """
    found = connection.scalar(_STUDIO)
    if found is None:
        raise conflict(
            "STUDIO_NOT_SET_UP",
            "There is no studio yet",
            "Create its tenant with: zenops-service create-firm --kind service.",
        )
    assert isinstance(found, UUID)
    return found
