"""Who issues invoices: the firm that runs the service, with its GSTIN."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.billing.acting import record_in
from service.errors import conflict
from service.identifiers import new_id
from service.invoices.letters import check_letters
from service.invoices.studio_books import studio_books

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor

_CURRENT = text(
    "select issuer_id, legal_name, gstin, state_code, details from invoice_issuers"
    " where tenant_id = :tenant and is_current"
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """The issuer as invoices name it."""

    issuer_id: UUID
    legal_name: str
    gstin: str
    state_code: str
    details: Mapping[str, Any]


def current_issuer(connection: Connection) -> Issuer | None:
    """Who issues now, if the studio has said so; readable in every role.

    Raises:
        ServiceError: 409 STUDIO_NOT_SET_UP.
    """
    with studio_books(connection) as studio:
        row = connection.execute(_CURRENT, {"tenant": studio}).one_or_none()
    if row is None:
        return None
    return Issuer(row.issuer_id, row.legal_name, row.gstin, row.state_code, json.loads(row.details))


def the_issuer(connection: Connection) -> Issuer:
    """Who issues now.

    Raises:
        ServiceError: 409 ISSUER_MISSING.
    """
    found = current_issuer(connection)
    if found is None:
        raise conflict(
            "ISSUER_MISSING",
            "Nobody is set up to issue invoices",
            "The studio enters its legal name and GSTIN first: PUT /v1/invoice-issuer.",
        )
    return found


def set_issuer(
    connection: Connection,
    actor: Actor,
    *,
    legal_name: str,
    gstin: str,
    details: Mapping[str, Any],
) -> Issuer:
    """Let somebody issue from now on; invoices that are issued keep whom they name.

    Args:
        connection: in the actor's role.
        actor: of the studio.
        legal_name: as registered.
        gstin: a valid one; its State is the issuer's, its numbers are a series of their own.
        details: address and what else is printed.

    Raises:
        ServiceError: 409 LETTERS_NOT_PRINTABLE.
    """
    check_letters({"legal_name": legal_name, **details}, "")
    before = current_issuer(connection)
    made = Issuer(new_id(), legal_name, gstin, gstin[:2], details)
    with studio_books(connection) as studio:
        connection.execute(
            text(
                "update invoice_issuers set is_current = false"
                " where tenant_id = :tenant and is_current"
            ),
            {"tenant": studio},
        )
        connection.execute(
            text(
                "insert into invoice_issuers (tenant_id, issuer_id, legal_name, gstin,"
                " state_code, details, created_at)"
                " values (:tenant, :issuer, :legal_name, :gstin, :state, :details, :now)"
            ),
            {
                "tenant": studio,
                "issuer": made.issuer_id,
                "legal_name": legal_name,
                "gstin": gstin,
                "state": made.state_code,
                "details": canonical_json(details).decode(),
                "now": clock.now(),
            },
        )
    record_in(
        connection,
        actor,
        studio,
        "invoice:issuer:changed",
        subject=("invoice_issuer", made.issuer_id),
        before=None if before is None else _told(before),
        after=_told(made),
    )
    return made


def _told(issuer: Issuer) -> dict[str, Any]:
    return {"legal_name": issuer.legal_name, "gstin": issuer.gstin, **issuer.details}
