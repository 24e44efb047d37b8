"""Copies what the registers hold into a contract: as a patch, which the work order then owns.

A contract never points into a register, so a change there alters nothing that was entered or
evaluated before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contracts.case import Valuer
from service.errors import FieldError, ServiceError
from service.registers.records import BRANCHES, PROPERTIES, VALUERS, Entry, Register, find

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor


def contract_parts_of(
    connection: Connection,
    actor: Actor,
    *,
    branch_id: UUID | None = None,
    property_id: UUID | None = None,
    valuer_id: UUID | None = None,
) -> dict[str, Any]:
    """What the named entries say, as a patch of a contract.

    A branch and a valuer replace all that the contract said of branch and valuer: what the entry
    does not know becomes null, so that nothing of another one is left. A property adds what it
    knows and leaves the rest.

    Args:
        connection: of a role that sees the registers.
        actor: whose firm. The portal's people may not use its registers.
        branch_id: for `party.bank_name`, `party.bank_branch_...`, and `meta.bank_type` if the bank
            has one.
        property_id: for `property`.
        valuer_id: for `party.valuer_...`.

    Returns:
        The patch, with plain values; empty if nothing is named.

    Raises:
        ServiceError: 422, one of them is not there.
    """
    party: dict[str, Any] = {}
    patch: dict[str, Any] = {}
    if branch_id is not None:
        branch = _entry(connection, actor, BRANCHES, branch_id, "bank_branch_id")
        party |= {
            "bank_name": branch["bank_name"],
            "bank_branch_name": branch["name"],
            "bank_branch_code": branch["code"] or branch["ifsc"],
            "bank_branch_address": _with_city(branch["address"], branch["city"]),
        }
        if branch["bank_type"] is not None:
            patch["meta"] = {"bank_type": branch["bank_type"]}
    if valuer_id is not None:
        valuer = _entry(connection, actor, VALUERS, valuer_id, "valuer_id")
        party |= {
            "valuer_name": valuer["name"],
            "valuer_registration": valuer["registration"],
        }
    if party:
        patch["party"] = party
    if property_id is not None:
        found = _entry(connection, actor, PROPERTIES, property_id, "property_id")
        patch["property"] = json.loads(found["property"])
    return patch


def signature_block(connection: Connection, actor: Actor, valuer_id: UUID) -> Valuer:
    """The valuer as a case's firm names who signs.

    Raises:
        ServiceError: 422, there is no such valuer.
    """
    valuer = _entry(connection, actor, VALUERS, valuer_id, "valuer_id")
    names = ("name", "qualifications", "registration", "unique_id_number", "designation")
    return Valuer(**{name: valuer[name] for name in names})


def check_valuer(connection: Connection, actor: Actor, valuer_id: UUID) -> None:
    """Refuse a valuer whom the firm's register does not have.

    Raises:
        ServiceError: 422, naming the field.
    """
    _entry(connection, actor, VALUERS, valuer_id, "valuer_id")


def _entry(
    connection: Connection, actor: Actor, register: Register, entry_id: UUID, field: str
) -> Entry:
    found = (
        None
        if actor.audience == "portal"
        else find(connection, register, actor.tenant_id, entry_id)
    )
    if found is None:
        raise ServiceError(
            422,
            "REGISTER_ENTRY_UNKNOWN",
            "The register has no such entry",
            f"{field} names none that you may use.",
            fields=(
                FieldError(field, "There is no such entry in the firm's register.", "UNKNOWN"),
            ),
        )
    return found


def _with_city(address: str | None, city: str | None) -> str | None:
    """The city once, whether or not the address has it."""
    if address and city and city.lower() not in address.lower():
        return f"{address}, {city}"
    return address or city
