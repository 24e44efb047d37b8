"""Entering, changing and approving entries; each change with its audit row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from contracts.contract import Contract, Property
from contracts.document import Document
from contracts.exact_json import read_json
from contracts.validation import validate
from service import clock
from service.audit.events import record
from service.errors import (
    FieldError,
    forbidden,
    invalid,
    invalid_fields,
    not_found,
    version_conflict,
)
from service.identifiers import new_id
from service.registers.records import (
    PROPERTIES,
    VALUERS,
    Entry,
    Register,
    find,
    insert,
    reference_missing,
    update,
)
from service.workorders.contract_changes import changes_between, demand_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor

#: Who may sign, and with which registration, is not for everybody who keeps the register.
_SIGNING = frozenset({"user_id", "registration", "registration_valid_until", "may_sign"})
_MUST_HAVE = frozenset({"name", "label", "property", "may_sign"})
#: What of a property is searched beside its label.
_SEARCHED = (
    "address", "landmark", "city", "ward", "taluk", "village", "district", "state", "pin_code",
    "door_no", "plot_no", "survey_no", "cts_no", "khata_no",
)  # fmt: skip


def create(
    connection: Connection, actor: Actor, register: Register, values: Mapping[str, Any]
) -> Entry:
    """Enter something new; verified at once if whoever enters it may approve.

    Raises:
        ServiceError: 409 ENTRY_EXISTS with the id of the entry that is in the way; 422; 403.
    """
    given = _prepared(connection, actor, register, values, {})
    now = clock.now()
    entry_id = new_id()
    verified = {"is_verified": actor.may("masterdata.approve")} if register.has_approval else {}
    insert(
        connection,
        register,
        actor.tenant_id,
        {register.key: entry_id, **given, **verified, "created_at": now, "updated_at": now},
    )
    record(
        connection,
        actor,
        f"registers:{register.kind}:created",
        subject=(register.kind, entry_id),
        after={**given, **verified},
    )
    return _found(connection, register, actor.tenant_id, entry_id)


def change(
    connection: Connection,
    actor: Actor,
    register: Register,
    entry_id: UUID,
    values: Mapping[str, Any],
    *,
    reason: str | None = None,
    version: int | None,
) -> Entry:
    """Change an entry; what was verified is so no longer, unless whoever changes it may approve.

    Args:
        connection: inside the request's transaction.
        actor: who changes it.
        register: which register.
        entry_id: which entry.
        values: what is to be different; null clears.
        reason: why; demanded where a property's area or coordinate is altered or taken out.
        version: the one that the change was made for, if the caller says so.

    Raises:
        ServiceError: 404; 400 NO_CHANGES; 412 VERSION_CONFLICT; 409, 422, 403 as for `create`.
    """
    if not values:
        raise invalid("NO_CHANGES", "Nothing is to be changed", "Name at least one field.")
    entry = _locked(connection, register, actor.tenant_id, entry_id, version)
    given = _prepared(connection, actor, register, values, entry)
    changes = {name: value for name, value in given.items() if entry[name] != value}
    if not changes:
        return entry
    if "property" in changes and not reason:
        demand_reason(_guarded(entry["property"], changes["property"]))
    before = {name: entry[name] for name in changes}
    if register.has_approval and entry["is_verified"] and not actor.may("masterdata.approve"):
        changes["is_verified"] = False
    update(
        connection,
        register,
        actor.tenant_id,
        entry,
        {**changes, "updated_at": clock.now()},
    )
    record(
        connection,
        actor,
        f"registers:{register.kind}:changed",
        subject=(register.kind, entry_id),
        reason=reason,
        before=before,
        after=changes,
    )
    return _found(connection, register, actor.tenant_id, entry_id)


def approve(
    connection: Connection,
    actor: Actor,
    register: Register,
    entry_id: UUID,
    *,
    version: int | None,
) -> Entry:
    """Mark an entry as checked; once more changes nothing.

    Raises:
        ServiceError: 404; 412 VERSION_CONFLICT.
    """
    entry = _locked(connection, register, actor.tenant_id, entry_id, version)
    if entry["is_verified"]:
        return entry
    changes = {"is_verified": True, "updated_at": clock.now()}
    update(connection, register, actor.tenant_id, entry, changes)
    record(
        connection,
        actor,
        f"registers:{register.kind}:approved",
        subject=(register.kind, entry_id),
    )
    return _found(connection, register, actor.tenant_id, entry_id)


def _locked(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    entry_id: UUID,
    version: int | None,
) -> Entry:
    entry = find(connection, register, tenant_id, entry_id, locked=True)
    if entry is None:
        raise not_found()
    if version is not None and version != entry["version"]:
        raise version_conflict(version, entry["version"])
    return entry


def _found(connection: Connection, register: Register, tenant_id: UUID, entry_id: UUID) -> Entry:
    entry = find(connection, register, tenant_id, entry_id)
    assert entry is not None, "it was written in this transaction"
    return entry


def _prepared(
    connection: Connection,
    actor: Actor,
    register: Register,
    values: Mapping[str, Any],
    entry: Entry,
) -> dict[str, Any]:
    """The columns to be written."""
    for name in _MUST_HAVE & set(values):
        if values[name] is None:
            raise invalid_fields(FieldError(name, "It cannot be cleared.", "REQUIRED"))
    if register is VALUERS:
        _check_valuer(connection, actor, values, entry)
    if register is PROPERTIES:
        return _property_columns(values, entry)
    return dict(values)


def _check_valuer(
    connection: Connection, actor: Actor, values: Mapping[str, Any], entry: Entry
) -> None:
    touched = {
        name
        for name in _SIGNING & set(values)
        if (values[name] or None) != (entry.get(name) or None)
    }
    if touched and not actor.may("masterdata.approve"):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            f"Who may sign, and with what ({', '.join(sorted(touched))}), is changed by whoever"
            " has the capability masterdata.approve.",
            capability="masterdata.approve",
        )
    person, document = values.get("user_id"), values.get("signature_document_id")
    if person is not None and not connection.scalar(
        text("select exists (select from memberships where tenant_id = :tenant and user_id = :id)"),
        {"tenant": actor.tenant_id, "id": person},
    ):
        raise reference_missing("user_id")
    if document is not None and not connection.scalar(
        text(
            "select exists (select from documents where tenant_id = :tenant and document_id = :id"
            " and status = 'uploaded' and media_type like 'image/%')"
        ),
        {"tenant": actor.tenant_id, "id": document},
    ):
        raise invalid_fields(
            FieldError(
                "signature_document_id",
                "It is no picture that was uploaded.",
                "REFERENCE_MISSING",
            )
        )


def _guarded(old: str, new: str) -> list[str]:
    """The areas and coordinates of a property section that another alters or takes out."""
    one, other = (
        Contract.model_validate(
            {"meta": {"report_type": "VALUATION"}, "property": read_json(said, "property").value}
        )
        for said in (old, new)
    )
    return [change.path for change in changes_between(one, other) if change.needs_reason]


def _property_columns(values: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    columns = dict(values)
    if "property" in values:
        document = Document.of_values({"property": values["property"]}, "property")
        found, problems = validate(Property, document, ("property",))
        if found is None:
            raise invalid_fields(
                *(FieldError(one.field or "property", one.what, one.code) for one in problems)
            )
        columns["property"] = canonical_json(found).decode()
    now = {**entry, **columns}
    section = json.loads(now["property"])
    parts = (now["label"], *(section.get(name) for name in _SEARCHED))
    columns["search"] = " ".join(str(part) for part in parts if part is not None).lower()
    return columns
