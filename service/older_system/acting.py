"""Whom the older system is: a service token of the studio's own, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from service import clock
from service.billing.accounts import (
    Account,
    account_by_key,
    find_any_account,
    read_external_key,
)
from service.database.connections import become, transaction
from service.errors import ServiceError, invalid, not_found
from service.identifiers import read_id

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.actor import Actor
    from service.bootstrap import Service

_KIND = text("select kind from tenants where tenant_id = :tenant")
_IS_CONFIGURED = text(
    "select exists (select from access_tokens t join tenants n on n.tenant_id = t.tenant_id"
    " where n.kind = 'service' and n.status = 'active' and t.kind = 'service'"
    " and t.revoked_at is null and t.expires_at > :at and 'billing.write' = any (t.scopes))"
)


def is_older_system(connection: Connection, actor: Actor) -> bool:
    """Whether who calls has a service token of the studio's; a firm's own is none."""
    if actor.audience != "service":
        return False
    kind: str | None = connection.scalar(_KIND, {"tenant": actor.tenant_id})
    return kind == "service"


def is_configured(service: Service) -> bool:
    """Whether the studio has made a token for the older system that is still good."""
    with transaction(service.engine, role="zen_studio") as connection:
        found: bool = connection.scalar(_IS_CONFIGURED, {"at": clock.now()})
        return found


def act_as_studio(connection: Connection, actor: Actor) -> Actor:
    """Let the older system's transaction go on as the studio's; who acts from there on.

    Raises:
        ServiceError: 401 INVALID_STUDIO_SERVICE_TOKEN, the token is a firm's.
    """
    if not is_older_system(connection, actor):
        raise token_invalid()
    become(connection, "zen_studio", tenant_id=actor.tenant_id, audience="studio")
    return replace(actor, audience="studio")


def token_invalid() -> ServiceError:
    """The one refusal of a token that is not the older system's, in the code it knows."""
    return ServiceError(
        401,
        "INVALID_STUDIO_SERVICE_TOKEN",
        "This is not the studio's service token",
        "Send a service token that the studio has made with the capability billing.write, in the "
        "header x-service-token or as a bearer token.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def token_not_configured() -> ServiceError:
    """The refusal as long as the studio has made no token at all."""
    return ServiceError(
        401,
        "STUDIO_SERVICE_TOKEN_NOT_CONFIGURED",
        "The studio has made no service token",
        "Somebody of the studio makes one with POST /v1/tokens, kind service, scope billing.write.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def account_named(
    connection: Connection, account_id: str | None, external_key: str | None
) -> Account:
    """The account of whatever firm that the older system means; the connection acts as zen_studio.

    Raises:
        ServiceError: 400 ACCOUNT_NOT_NAMED, EXTERNAL_KEY_INVALID; 404.
    """
    if account_id is not None:
        found = read_id(account_id)
        if found is None:
            raise not_found()
        return find_any_account(connection, found)
    if external_key is None:
        raise invalid(
            "ACCOUNT_NOT_NAMED", "No account is named", "Send account_id or external_key."
        )
    account = account_by_key(connection, read_external_key(external_key))
    if account is None:
        raise not_found()
    return account
