"""An evidence profile: which facts and which evidence a report needs, and when (docs/profiles.md).

A profile decides completeness, never figures. Its conditions are FEEL and read the contract only.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from contracts.contract import (
    BankType,
    Flag,
    PropertyKind,
    ReportType,
    Text,
    ValueSlab,
    WholeNumber,
)
from contracts.evidence import DocType, EvidenceStatus, EvidenceType
from contracts.field_definitions import FieldKey, Label

ProfileId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:[-._][a-z0-9]+)*$")]
RequirementKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$", max_length=80)
]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


def _asks_for_something(count: int) -> int:
    if count < 1:
        raise PydanticCustomError(
            "E505",
            "a requirement of {count} pieces asks for nothing",
            {
                "count": count,
                "why": "It would always be met, and count as evidence that is there.",
                "fix": "Write the least number of pieces, or 'required: false' if none must be.",
            },
        )
    return count


Least = Annotated[
    WholeNumber,
    AfterValidator(_asks_for_something),
    Field(le=1_000, json_schema_extra={"minimum": 1}),
]
Order = Annotated[WholeNumber, Field(ge=0, le=100_000)]


class Section(BaseModel):
    """A part of a profile; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AppliesTo(Section):
    """Reports that a profile is meant for; a key left out matches any."""

    ruleset: tuple[ProfileId, ...] | None = None
    report_type: tuple[ReportType, ...] | None = None
    bank_type: tuple[BankType, ...] | None = None
    value_slab: tuple[ValueSlab, ...] | None = None
    property_kind: tuple[PropertyKind, ...] | None = None


class RequiredField(Section):
    """A fact that must be known: by its own key, or by any of the paths named."""

    key: FieldKey
    label: Label | None = None
    any_of: Annotated[tuple[FieldKey, ...], Field(min_length=1)] | None = None
    when: Condition | None = None
    source: Text | None = None


class Capture(Section):
    """What must be known about the making of a photograph for it to count."""

    located: Flag = False
    dated: Flag = False
    on_site: Flag = False


class Requirement(Section):
    """Pieces of evidence that must be there.

    A piece fits when its type, document type, every tag, its status and the circumstances of its
    capture are as asked. A piece that fits several requirements counts for one of them, unless
    the requirement is `shared`: that one counts whatever fits it and uses nothing up.
    """

    key: RequirementKey
    label: Label
    type: EvidenceType | Annotated[tuple[EvidenceType, ...], Field(min_length=1)]
    doc_type: DocType | Annotated[tuple[DocType, ...], Field(min_length=1)] | None = None
    tags: dict[Text, Text] = {}
    min: Least = 1
    required: Flag = True
    when: Condition | None = None
    accept_status: Annotated[tuple[EvidenceStatus, ...], Field(min_length=1)] = ("uploaded",)
    capture: Capture | None = None
    shared: Flag = False
    order: Order = 1_000
    fields: tuple[FieldKey, ...] = ()
    source: Text | None = None


class Heading(Section):
    """A heading of the photograph pages, and the evidence printed under it."""

    heading: Label
    categories: tuple[Text, ...] = ()
    types: tuple[EvidenceType, ...] = ()


class Profile(Section):
    """What a report needs before it can be rendered."""

    profile: ProfileId
    version: Annotated[WholeNumber, Field(ge=1, le=1_000_000)]
    title: Label
    abstract: Flag = False
    extends: (
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]*@[1-9][0-9]*$")] | None
    ) = None
    applies_to: tuple[AppliesTo, ...] = ()
    fields: tuple[RequiredField, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    headings: tuple[Heading, ...] | None = None
    drop: tuple[str, ...] = ()
