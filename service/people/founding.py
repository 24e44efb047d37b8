"""Founds firms and gives them their first people."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from contracts.case import Firm
from service.actor import Actor
from service.audit.events import record
from service.errors import FieldError, conflict, invalid_fields
from service.identifiers import new_id
from service.people.acting import as_login, in_tenant
from service.people.passwords import hash_password
from service.people.roles import TenantKind
from service.people.signing_in import is_email, normal_email

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}")
_NEW_TENANT = text(
    "insert into tenants (tenant_id, slug, name, kind, created_at)"
    " values (:tenant, :slug, :name, :kind, :at) on conflict (slug) do nothing"
)
_NEW_SETTINGS = text(
    "insert into firm_settings (tenant_id, firm, updated_at) values (:tenant, :firm, :at)"
)


@dataclass(frozen=True, slots=True)
class Founded:
    """A tenant that has just been made."""

    tenant_id: UUID
    slug: str


def founder(tenant_id: UUID, request_id: str) -> Actor:
    """Who founds a firm from the command line: the installation itself, for the studio."""
    return Actor(
        tenant_id=tenant_id,
        user_id=None,
        audience="studio",
        capabilities=frozenset(),
        name="installation",
        request_id=request_id,
    )


def found_firm(
    connection: Connection,
    actor: Actor,
    *,
    slug: str,
    name: str,
    kind: TenantKind = "firm",
    letterhead: Firm | None = None,
    at: datetime,
) -> Founded:
    """Make a tenant with its settings.

    Args:
        connection: as zen_studio.
        actor: who founds it; the event goes into the new tenant's record.
        slug: short name, unique.
        name: as people call it.
        kind: firm, external (the portal's people) or service (the studio's staff).
        letterhead: as reports print it.
        at: the instant.

    Raises:
        ServiceError: 409 SLUG_TAKEN; 422, the short name or the name cannot be one.
    """
    if not (_SLUG.fullmatch(slug) and 0 < len(name) <= 200):
        raise invalid_fields(
            detail="A short name has small letters, digits and hyphens, a letter first; "
            "a name has 1 to 200 characters."
        )
    made = Founded(new_id(), slug)
    row = {"tenant": made.tenant_id, "slug": slug, "name": name, "kind": kind, "at": at}
    with in_tenant(connection, made.tenant_id):
        inserted = connection.execute(_NEW_TENANT, row).rowcount
        if not inserted:
            raise conflict(
                "SLUG_TAKEN", "There is a firm of this short name", "Choose another slug."
            )
        connection.execute(
            _NEW_SETTINGS,
            {
                "tenant": made.tenant_id,
                "firm": canonical_json(letterhead or Firm(name=name)).decode(),
                "at": at,
            },
        )
        record(
            connection,
            replace(actor, tenant_id=made.tenant_id),
            "people:firm:founded",
            subject=("tenant", made.tenant_id),
            after={"slug": slug, "name": name, "kind": kind},
        )
    return made


def add_person(
    connection: Connection,
    actor: Actor,
    *,
    email: str,
    name: str,
    roles: tuple[str, ...],
    password: str,
    at: datetime,
) -> UUID:
    """Make a person with a password and their roles in the actor's tenant.

    Args:
        connection: as zen_studio, naming the tenant.
        actor: who does it, in that tenant.
        email: where the person is reached; it must be new to the installation.
        name: the person's.
        roles: what they are in the tenant.
        password: which the person should change.
        at: the instant.

    Raises:
        ServiceError: 409 EMAIL_TAKEN; 422 for no address.
    """
    email = normal_email(email)
    if not is_email(email):
        what = "This is no e-mail address."
        raise invalid_fields(FieldError("email", what), detail=what)
    user_id = new_id()
    with as_login(connection, tenant_id=actor.tenant_id, email=email):
        inserted = connection.execute(
            text(
                "insert into users (user_id, email, name, password_hash, created_at,"
                " password_changed_at) values (:person, :email, :name, :hash, :at, :at)"
                " on conflict (email) do nothing"
            ),
            {
                "person": user_id,
                "email": email,
                "name": name,
                "hash": hash_password(password),
                "at": at,
            },
        ).rowcount
    if not inserted:
        raise conflict(
            "EMAIL_TAKEN",
            "There is a person with this e-mail address",
            "Invite them instead: they keep their password.",
        )
    give_roles(connection, actor.tenant_id, user_id, roles, at)
    record(
        connection,
        actor,
        "people:person:added",
        subject=("user", user_id),
        after={"email": email, "roles": sorted(roles)},
    )
    return user_id


def give_roles(
    connection: Connection, tenant_id: UUID, user_id: UUID, roles: tuple[str, ...], at: datetime
) -> None:
    """Insert memberships; what somebody has already stays as it is."""
    for role in roles:
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at)"
                " values (:tenant, :person, :role, :at) on conflict do nothing"
            ),
            {"tenant": tenant_id, "person": user_id, "role": role, "at": at},
        )
