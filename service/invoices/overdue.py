"""Each night: every invoice whose day has passed is said to be overdue, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, text

from service import clock
from service.actor import Actor
from service.billing.accounts import find_account
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.invoices.notices import notify
from service.invoices.periods import indian_day
from service.invoices.totals import OPEN

if TYPE_CHECKING:
    from uuid import UUID

    from service.bootstrap import Service

_OVERDUE = text(
    "select i.tenant_id, i.invoice_id, i.account_id from service_invoices i"
    " where i.status in :open and i.due_on < :today and not exists (select from invoice_notices n"
    " where n.tenant_id = i.tenant_id and n.invoice_id = i.invoice_id and n.kind = 'overdue')"
    " order by i.due_on, i.invoice_id"
).bindparams(bindparam("open", expanding=True))


def notice_overdue(service: Service) -> int:
    """Note each overdue invoice of all firms that was not noted yet; how many there were.

    Each has a transaction of its own and is looked at again under its lock, so that one that is paid
    meanwhile, or noted by another scheduler, is passed over.
    """
    with transaction(service.engine, role="zen_system") as connection:
        values = {"open": OPEN, "today": indian_day(clock.now())}
        found = connection.execute(_OVERDUE, values).all()
    return sum(_note(service, *row) for row in found)


def _note(service: Service, tenant_id: UUID, invoice_id: UUID, account_id: UUID) -> bool:
    """Note one, if it is still overdue."""
    system = Actor(tenant_id, None, "worker", frozenset(), "scheduler", str(new_id()))
    try:
        with transaction(service.engine, role="zen_worker", tenant_id=tenant_id) as connection:
            notify(
                connection,
                system,
                find_account(connection, tenant_id, account_id),
                invoice_id,
                "overdue",
                key=f"invoice_overdue:{invoice_id}",
            )
    except ServiceError as error:
        if error.code != "INVOICE_NOT_OPEN":
            raise
        return False
    return True
