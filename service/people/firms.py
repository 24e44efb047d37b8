"""What a firm decides for itself, and what the studio decides about firms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from contracts.case import Firm
from contracts.exact_json import read_json
from contracts.validation import validate
from service import clock
from service.actor import Actor
from service.audit.events import record
from service.errors import (
    FieldError,
    conflict,
    invalid_fields,
    not_found,
    version_conflict,
)
from service.people.acting import as_login, in_tenant
from service.people.shapes import FirmAnswer, FirmChange, Tenant
from service.people.signing_in import end_everywhere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

_FIRM = (
    "select n.tenant_id, n.slug, n.name, n.kind, s.firm, s.logo_document_id, s.retention_years,"
    " s.version, s.updated_at from tenants n join firm_settings s on s.tenant_id = n.tenant_id"
    " where n.tenant_id = :tenant"
)
_TENANTS = text(
    "select tenant_id, slug, name, kind, status, created_at from tenants"
    " where (cast(:one as uuid) is null or tenant_id = :one)"
    " and (cast(:after as uuid) is null or tenant_id > :after) order by tenant_id limit :limit"
)


def firm_of(connection: Connection, actor: Actor) -> FirmAnswer:
    """The actor's firm with its settings."""
    return _firm(connection.execute(text(_FIRM), {"tenant": actor.tenant_id}).one())


def change_firm(
    connection: Connection,
    actor: Actor,
    change: FirmChange,
    *,
    given: frozenset[str],
    wanted_version: int | None,
) -> FirmAnswer:
    """Change settings; reports made before keep what they were printed with.

    Args:
        connection: in the actor's role.
        actor: who changes them.
        change: the new values.
        given: which fields of `change` are meant; a logo that is given as null goes.
        wanted_version: what If-Match named, if anything.

    Raises:
        ServiceError: 412 VERSION_CONFLICT; 422 for a logo that is no uploaded file of the firm.
    """
    locked = text(_FIRM + " for update of s")
    before = _firm(connection.execute(locked, {"tenant": actor.tenant_id}).one())
    if wanted_version is not None and wanted_version != before.version:
        raise version_conflict(wanted_version, before.version)
    after = before.model_copy(
        update={
            name: getattr(change, name)
            for name in given
            if name == "logo_document_id" or getattr(change, name) is not None
        }
    )
    if after == before:
        return before
    _check_logo(connection, actor, after)
    after = after.model_copy(update={"version": before.version + 1, "updated_at": clock.now()})
    connection.execute(
        text(
            "update firm_settings set firm = :firm, logo_document_id = :logo,"
            " retention_years = :years, version = :version, updated_at = :at"
            " where tenant_id = :tenant"
        ),
        {
            "tenant": actor.tenant_id,
            "firm": canonical_json(after.firm).decode(),
            "logo": after.logo_document_id,
            "years": after.retention_years,
            "version": after.version,
            "at": after.updated_at,
        },
    )
    record(
        connection,
        actor,
        "people:firm:changed",
        subject=("tenant", actor.tenant_id),
        before=_decided(before),
        after=_decided(after),
    )
    return after


def _check_logo(connection: Connection, actor: Actor, after: FirmAnswer) -> None:
    wrong = []
    if after.firm.logo is not None:
        said = "Upload the logo as a document and name it as logo_document_id."
        wrong.append(FieldError("firm.logo", said))
    if after.logo_document_id is not None:
        known = connection.scalar(
            text(
                "select 1 from documents where tenant_id = :tenant and document_id = :document"
                " and status = 'uploaded' and media_type like 'image/%'"
            ),
            {"tenant": actor.tenant_id, "document": after.logo_document_id},
        )
        if known is None:
            said = "This is no picture that the firm has uploaded."
            wrong.append(FieldError("logo_document_id", said))
    if wrong:
        raise invalid_fields(*wrong, detail=wrong[0].message)


def _decided(firm: FirmAnswer) -> Mapping[str, Any]:
    return {
        "firm": firm.firm,
        "logo_document_id": firm.logo_document_id,
        "retention_years": firm.retention_years,
    }


def _firm(row: Row[Any]) -> FirmAnswer:
    letterhead, problems = validate(Firm, read_json(row.firm, "firm_settings.firm"))
    # Before a firm has written its letterhead, its name is all there is.
    if letterhead is None and row.firm != "{}":
        raise ValueError(f"the settings of a firm cannot be read: {problems[0].what}")
    return FirmAnswer(
        tenant_id=row.tenant_id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        firm=letterhead or Firm(name=row.name),
        logo_document_id=row.logo_document_id,
        retention_years=row.retention_years,
        version=row.version,
        updated_at=row.updated_at,
    )


# --- The studio


def tenants(
    connection: Connection, *, one: UUID | None = None, after: UUID | None = None, limit: int = 50
) -> list[Tenant]:
    """Every tenant, in the order of their founding; the connection acts as zen_studio."""
    rows = connection.execute(_TENANTS, {"one": one, "after": after, "limit": limit}).all()
    return [
        Tenant(
            tenant_id=row.tenant_id,
            slug=row.slug,
            name=row.name,
            kind=row.kind,
            status=row.status,
            created_at=row.created_at,
        )
        for row in rows
    ]


def set_tenant_status(
    connection: Connection, actor: Actor, tenant_id: UUID, *, status: str, reason: str
) -> Tenant:
    """Suspend a firm, or take it back; while it is suspended none of its tokens is valid.

    Raises:
        ServiceError: 404; 409 NOT_YOURSELF, the studio itself cannot be suspended.
    """
    found = tenants(connection, one=tenant_id, limit=1)
    if not found:
        raise not_found()
    if found[0].kind == "service":
        raise conflict("NOT_YOURSELF", "The studio itself cannot be suspended")
    if found[0].status == status:
        return found[0]
    with in_tenant(connection, tenant_id):
        connection.execute(
            text("update tenants set status = :status where tenant_id = :tenant"),
            {"status": status, "tenant": tenant_id},
        )
        record(
            connection,
            acting_in(actor, tenant_id),
            "people:firm:suspended" if status == "suspended" else "people:firm:resumed",
            subject=("tenant", tenant_id),
            reason=reason,
        )
    return found[0].model_copy(update={"status": status})


def set_user_status(
    connection: Connection, actor: Actor, user_id: UUID, *, status: str, reason: str
) -> None:
    """Disable a person in every firm, with all their sessions and tokens, or enable them again.

    Raises:
        ServiceError: 404; 409 NOT_YOURSELF.
    """
    if user_id == actor.user_id:
        raise conflict("NOT_YOURSELF", "You cannot disable yourself", "Another person can.")
    firms = connection.scalars(
        text("select distinct tenant_id from memberships where user_id = :person"),
        {"person": user_id},
    ).all()
    with as_login(connection, tenant_id=actor.tenant_id, user_id=user_id):
        changed = connection.execute(
            text("update users set status = :status where user_id = :person"),
            {"status": status, "person": user_id},
        ).rowcount
        if not changed:
            raise not_found()
        if status == "disabled":
            end_everywhere(connection, user_id, clock.now())
    action = "people:user:disabled" if status == "disabled" else "people:user:enabled"
    for tenant_id in sorted(firms):
        with in_tenant(connection, tenant_id):
            record(
                connection,
                acting_in(actor, tenant_id),
                action,
                subject=("user", user_id),
                reason=reason,
            )


def acting_in(actor: Actor, tenant_id: UUID) -> Actor:
    """The studio's actor in one of the firms."""
    return replace(actor, tenant_id=tenant_id)
