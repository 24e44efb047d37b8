"""The studio's own rows: issuer, number series, price list. Everybody's invoices need them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from service.billing.acting import as_billing
from service.billing.studio_tenant import studio_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection


@contextlib.contextmanager
def studio_books(connection: Connection) -> Iterator[UUID]:
    """Act inside the block as zen_billing on the studio's rows; gives the studio's tenant.

    Raises:
        ServiceError: 409 STUDIO_NOT_SET_UP.
    """
    with as_billing(connection):
        studio = studio_tenant(connection)
        with as_billing(connection, studio):
            yield studio
