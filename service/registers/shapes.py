"""What the routes of the registers take and give."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

from contracts.contract import BankType

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Ifsc = Annotated[str, StringConstraints(pattern=r"^[A-Z]{4}0[A-Z0-9]{6}$")]
Flag = Annotated[bool, Strict()]


class Shape(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Search(Shape):
    """What is looked for, and how much of it at once."""

    q: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="part of a name, code, place or number; capitals do not matter"
    )
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class BankSearch(Search):
    """Also by whether somebody has checked the entry."""

    is_verified: bool | None = None


class BranchSearch(BankSearch):
    """Also by bank."""

    bank_id: UUID | None = None


class ValuerSearch(Search):
    """Also by whether the valuer may sign."""

    may_sign: bool | None = None


class NewBank(Shape):
    """A bank to be entered."""

    name: Name
    code: Short | None = None
    bank_type: BankType | None = None


class BankChange(Shape):
    """What is to be different; null clears."""

    name: Name | None = None
    code: Short | None = None
    bank_type: BankType | None = None


class NewBranch(Shape):
    """A branch to be entered."""

    bank_id: UUID
    name: Name
    code: Short | None = None
    ifsc: Ifsc | None = None
    city: Short | None = None
    address: Long | None = None


class BranchChange(Shape):
    """What is to be different; null clears. A branch stays with its bank."""

    name: Name | None = None
    code: Short | None = None
    ifsc: Ifsc | None = None
    city: Short | None = None
    address: Long | None = None


class NewValuer(Shape):
    """A valuer to be entered; `registration` is what reports print and signing demands."""

    name: Name
    user_id: UUID | None = None
    qualifications: Long | None = None
    designation: Short | None = None
    registration: Short | None = None
    registration_valid_until: dt.date | None = None
    unique_id_number: Short | None = None
    may_sign: Flag = False
    signature_document_id: UUID | None = None


class ValuerChange(Shape):
    """What is to be different; null clears."""

    name: Name | None = None
    user_id: UUID | None = None
    qualifications: Long | None = None
    designation: Short | None = None
    registration: Short | None = None
    registration_valid_until: dt.date | None = None
    unique_id_number: Short | None = None
    may_sign: Flag | None = None
    signature_document_id: UUID | None = None


class NewProperty(Shape):
    """A property to be entered; `property` is the contract's property section."""

    label: Label
    property: dict[str, Any]


class PropertyChange(Shape):
    """What is to be different; `property` replaces the whole section.

    An area or a coordinate that was entered before is altered with a reason only.
    """

    label: Label | None = None
    property: dict[str, Any] | None = None
    reason: Long | None = None


class _Entry(BaseModel):
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime


class Bank(_Entry):
    """A bank as it is."""

    bank_id: UUID
    name: str
    code: str | None
    bank_type: BankType | None
    is_verified: bool


class Branch(_Entry):
    """A bank's branch as it is."""

    branch_id: UUID
    bank_id: UUID
    bank_name: str
    bank_type: BankType | None
    name: str
    code: str | None
    ifsc: str | None
    city: str | None
    address: str | None
    is_verified: bool


class Valuer(_Entry):
    """A valuer as they are."""

    valuer_id: UUID
    user_id: UUID | None
    name: str
    qualifications: str | None
    designation: str | None
    registration: str | None
    registration_valid_until: dt.date | None
    unique_id_number: str | None
    may_sign: bool
    signature_document_id: UUID | None


class Property(_Entry):
    """A property as it is."""

    property_id: UUID
    label: str
    property: dict[str, Any]


class _Page(BaseModel):
    next_cursor: str | None


class Banks(_Page):
    """A page of banks, by name."""

    items: list[Bank]


class Branches(_Page):
    """A page of branches, by name."""

    items: list[Branch]


class Valuers(_Page):
    """A page of valuers, by name."""

    items: list[Valuer]


class Properties(_Page):
    """A page of properties, by label."""

    items: list[Property]
