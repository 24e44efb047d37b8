"""A rule set as its author writes it: a spreadsheet in YAML (docs/writing-rules.md).

A rule set is one `ruleset.yaml`, or a folder whose files share its sections. Every file has this
shape; which parts must be there is decided when the parts are put together (`engine.rules`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from contracts.contract import BankType, PropertyKind, ReportType
from contracts.dates import Day
from contracts.quantities import Quantity, QuantityField, plain

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:[-._][a-z0-9]+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$")]
#: A value or decision: `fmv`, or a column of a table: `floors.net`.
Address = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*)?$"
    ),
]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$")]
Version = Annotated[int, Field(ge=1, le=1_000_000)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


def _expression(raw: Any) -> Any:
    """YAML reads `formula: 0`, `true` and `null` as values; an expression is their text."""
    if raw is None:
        return "null"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | Decimal):
        return plain(Decimal(raw))
    return raw


Expression = Annotated[
    str,
    BeforeValidator(_expression),
    StringConstraints(min_length=1, max_length=4_000),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"], "description": "FEEL"}),
]
Measure = Annotated[Quantity, QuantityField("measure")]


class Section(BaseModel):
    """A part of a rule set file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Effective(Section):
    """From which day to which day, both inclusive."""

    from_: Day = Field(alias="from")
    until: Day | None = None


class AppliesTo(Section):
    """What a rule set is chosen for; a key left out matches anything."""

    report_type: tuple[ReportType, ...] | None = None
    bank_type: tuple[BankType, ...] | None = None
    bank_name: tuple[Prose, ...] | None = None
    property_kind: tuple[PropertyKind, ...] | None = None


class Parameter(Section):
    """A number with its unit, source and dates; without a value a variant must fill it."""

    value: Measure | None = None
    unit: str | None = None
    from_: Day | None = Field(default=None, alias="from")
    until: Day | None = None
    source: Prose | None = None
    label: Prose | None = None


class Column(Section):
    """One fact: a scalar input, or a column of an input table."""

    from_: str | None = Field(default=None, alias="from")
    unit: str | None = None
    type: (
        Literal["number", "text", "boolean", "date", "unit", "list of text", "list of date"] | None
    ) = None
    one_of: tuple[str, ...] | None = Field(default=None, alias="one of")
    min: Measure | None = None
    max: Measure | None = None
    label: Prose | None = None


class Input(Column):
    """A fact of the case, or with `columns` a table of facts."""

    columns: dict[Name, Column] | None = None
    default: tuple[()] | None = None


class Value(Section):
    """A figure: its formula, unit and rounding."""

    formula: Expression | None = None
    unit: str | None = None
    type: Literal["number", "text", "boolean", "date"] | None = None
    round: str | None = None
    given: str | None = None
    unknown: str | None = None
    label: Prose | None = None
    source: Prose | None = None
    into: str | None = None


class Decision(Section):
    """A decision table with a DMN hit policy."""

    one_of: tuple[str, ...] | None = Field(default=None, alias="one of")
    unit: str | None = None
    type: Literal["number", "text", "boolean"] | None = None
    hit: Literal["unique", "first", "priority", "any", "collect"]
    aggregate: Literal["sum", "min", "max", "count"] | None = None
    rows: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]
    label: Prose | None = None
    source: Prose | None = None
    into: str | None = None


class FindingRule(Section):
    """When something is worth saying, how serious it is, and what mends it."""

    severity: Literal["note", "warning", "error"]
    when: Expression
    each: Name | None = None
    message: Prose
    remedy: Prose
    fields: tuple[str, ...] = ()
    label: Prose | None = None
    source: Prose | None = None
    aliases: tuple[Code, ...] = ()


class RuleSetFile(Section):
    """One file of a rule set; `ruleset.yaml` carries the head."""

    ruleset: Identifier | None = None
    version: Version | None = None
    status: Literal["draft", "published", "retired"] | None = None
    abstract: bool | None = None
    extends: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]+@[1-9][0-9]*$")] | None = None
    title: Prose | None = None
    effective: Effective | None = None
    applies_to: AppliesTo | None = None
    parameters: dict[Name, Parameter | tuple[Parameter, ...]] | None = None
    inputs: dict[Name, Input] | None = None
    values: dict[Address, Value] | None = None
    decisions: dict[Address, Decision] | None = None
    findings: dict[Code, FindingRule] | None = None
    drop: tuple[str, ...] | None = None
