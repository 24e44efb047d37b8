"""Routes of the registers: banks, branches, valuers, properties. None of them is for the portal."""

from __future__ import annotations

import json

from flask import Response, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from service.api.access import OPERATORS, access
from service.api.answers import answer, etag, page_of
from service.api.request_life import current
from service.api.requests import cursor_id, path_id, wanted_version
from service.errors import not_found
from service.registers import changing, shapes
from service.registers.records import (
    BANKS,
    BRANCHES,
    PROPERTIES,
    VALUERS,
    Entry,
    Register,
    find,
    search,
)

api = APIBlueprint(
    "registers",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="registers")],
    abp_security=[{"bearer": []}],
)

_may_read = access("masterdata.read", audiences=OPERATORS)
_may_write = access("masterdata.write", audiences=OPERATORS)
_may_approve = access("masterdata.approve", audiences=OPERATORS)


class BankPath(BaseModel):
    """Which bank."""

    bank_id: str


class BranchPath(BaseModel):
    """Which branch."""

    branch_id: str


class ValuerPath(BaseModel):
    """Which valuer."""

    valuer_id: str


class PropertyPath(BaseModel):
    """Which property."""

    property_id: str


@api.get("/banks", summary="Banks, by name", responses={200: shapes.Banks})
@_may_read
def list_banks(query: shapes.BankSearch) -> Response:
    """Find banks by part of their name or code."""
    return _page(BANKS, query)


@api.post("/banks", summary="Enter a bank", responses={201: shapes.Bank})
@_may_write
def create_bank(body: shapes.NewBank) -> Response:
    """A bank of the same name is answered with 409 and its id."""
    return _created(BANKS, body)


@api.get("/banks/<bank_id>", summary="A bank", responses={200: shapes.Bank})
@_may_read
def show_bank(path: BankPath) -> Response:
    """The bank as it is."""
    return _entry(BANKS, path.bank_id)


@api.patch("/banks/<bank_id>", summary="Change a bank", responses={200: shapes.Bank})
@_may_write
def change_bank(path: BankPath, body: shapes.BankChange) -> Response:
    """What is not named stays; null clears."""
    return _changed(BANKS, path.bank_id, body)


@api.post("/banks/<bank_id>/approve", summary="Verify a bank", responses={200: shapes.Bank})
@_may_approve
def approve_bank(path: BankPath) -> Response:
    """Somebody has checked the entry."""
    return _approved(BANKS, path.bank_id)


@api.get("/bank-branches", summary="Branches, by name", responses={200: shapes.Branches})
@_may_read
def list_branches(query: shapes.BranchSearch) -> Response:
    """Find branches by part of their name, bank, code or place."""
    return _page(BRANCHES, query)


@api.post("/bank-branches", summary="Enter a branch", responses={201: shapes.Branch})
@_may_write
def create_branch(body: shapes.NewBranch) -> Response:
    """A branch of the same bank, name and city, or IFSC, is answered with 409 and its id."""
    return _created(BRANCHES, body)


@api.get("/bank-branches/<branch_id>", summary="A branch", responses={200: shapes.Branch})
@_may_read
def show_branch(path: BranchPath) -> Response:
    """The branch as it is."""
    return _entry(BRANCHES, path.branch_id)


@api.patch("/bank-branches/<branch_id>", summary="Change a branch", responses={200: shapes.Branch})
@_may_write
def change_branch(path: BranchPath, body: shapes.BranchChange) -> Response:
    """What is not named stays; null clears."""
    return _changed(BRANCHES, path.branch_id, body)


@api.post(
    "/bank-branches/<branch_id>/approve", summary="Verify a branch", responses={200: shapes.Branch}
)
@_may_approve
def approve_branch(path: BranchPath) -> Response:
    """Somebody has checked the entry."""
    return _approved(BRANCHES, path.branch_id)


@api.get("/valuers", summary="Valuers, by name", responses={200: shapes.Valuers})
@_may_read
def list_valuers(query: shapes.ValuerSearch) -> Response:
    """Find valuers by part of their name or registration."""
    return _page(VALUERS, query)


@api.post("/valuers", summary="Enter a valuer", responses={201: shapes.Valuer})
@_may_write
def create_valuer(body: shapes.NewValuer) -> Response:
    """Who may sign, and with which registration, needs masterdata.approve."""
    return _created(VALUERS, body)


@api.get("/valuers/<valuer_id>", summary="A valuer", responses={200: shapes.Valuer})
@_may_read
def show_valuer(path: ValuerPath) -> Response:
    """The valuer as entered."""
    return _entry(VALUERS, path.valuer_id)


@api.patch("/valuers/<valuer_id>", summary="Change a valuer", responses={200: shapes.Valuer})
@_may_write
def change_valuer(path: ValuerPath, body: shapes.ValuerChange) -> Response:
    """What is not named stays; null clears."""
    return _changed(VALUERS, path.valuer_id, body)


@api.get("/properties", summary="Properties, by label", responses={200: shapes.Properties})
@_may_read
def list_properties(query: shapes.Search) -> Response:
    """Find properties by part of their label, address or survey numbers."""
    return _page(PROPERTIES, query)


@api.post("/properties", summary="Enter a property", responses={201: shapes.Property})
@_may_write
def create_property(body: shapes.NewProperty) -> Response:
    """`property` is checked as a contract's property section is."""
    return _created(PROPERTIES, body)


@api.get("/properties/<property_id>", summary="A property", responses={200: shapes.Property})
@_may_read
def show_property(path: PropertyPath) -> Response:
    """The property as it is."""
    return _entry(PROPERTIES, path.property_id)


@api.patch(
    "/properties/<property_id>", summary="Change a property", responses={200: shapes.Property}
)
@_may_write
def change_property(path: PropertyPath, body: shapes.PropertyChange) -> Response:
    """What is not named stays; `property` replaces the whole section.

    An area or a coordinate that was entered before is altered with a reason only.
    """
    return _changed(PROPERTIES, path.property_id, body)


def _page(register: Register, query: shapes.Search) -> Response:
    now = current()
    found = search(
        now.connection,
        register,
        now.actor.tenant_id,
        words=query.q,
        # What a register's own search has beside them are columns.
        equal=query.model_dump(exclude=set(shapes.Search.model_fields), exclude_none=True),
        after=cursor_id(query.cursor),
        limit=query.limit + 1,
    )
    page, last = page_of(found, query.limit)
    return answer(
        {
            "items": [_shown(register, one) for one in page],
            "next_cursor": None if last is None else last[register.key],
        }
    )


def _entry(register: Register, written_id: str) -> Response:
    now = current()
    found = find(now.connection, register, now.actor.tenant_id, path_id(written_id))
    if found is None:
        raise not_found()
    return answer(_shown(register, found), headers=etag(found["version"]))


def _created(register: Register, body: BaseModel) -> Response:
    now = current()
    made = changing.create(now.connection, now.actor, register, dict(body))
    return answer(_shown(register, made), 201, etag(made["version"]))


def _changed(register: Register, written_id: str, body: BaseModel) -> Response:
    now = current()
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    reason = changes.pop("reason", None)
    made = changing.change(
        now.connection,
        now.actor,
        register,
        path_id(written_id),
        changes,
        reason=reason,
        version=wanted_version(request),
    )
    return answer(_shown(register, made), headers=etag(made["version"]))


def _approved(register: Register, written_id: str) -> Response:
    now = current()
    made = changing.approve(
        now.connection, now.actor, register, path_id(written_id), version=wanted_version(request)
    )
    return answer(_shown(register, made), headers=etag(made["version"]))


def _shown(register: Register, entry: Entry) -> Entry:
    """An entry as answers show it: a property's section as the object it is."""
    if register is PROPERTIES:
        shown = {name: value for name, value in entry.items() if name != "search"}
        return shown | {"property": json.loads(entry["property"])}
    return entry
