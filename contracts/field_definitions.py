"""Field definitions: what a fact is called, what kind of thing it is, and where it is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.contract import Flag, Text

#: A contract path (`party.bank_name`), a figure (`figures.fmv`), or a name of its own that
#: `any_of` spells out.
FieldKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=120
    ),
]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class FieldDefinition(BaseModel):
    """One fact: its label, what kind of thing it is, and the contract paths that may hold it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: FieldKey
    label: Label
    data_type: Literal[
        "text",
        "number",
        "boolean",
        "date",
        "money",
        "percent",
        "area",
        "rate",
        "years",
        "length",
        "table",
        "part",
        "list of text",
        "list of date",
    ]
    unit: Text | None = None
    required_by_default: Flag = False
    any_of: Annotated[tuple[FieldKey, ...], Field(min_length=1)] | None = None


class FieldDefinitions(BaseModel):
    """The file of field definitions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field_definitions: tuple[FieldDefinition, ...]
