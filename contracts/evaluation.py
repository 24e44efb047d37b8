"""What the engine found: every figure with its trace, every finding, and what is still missing.

Frozen dataclasses rather than models: the engine makes hundreds of them for each case. In JSON a
number is written as a plain decimal text; the `unit` beside it says how to read it back:

- a unit of measure, or `number`: a decimal;
- `date`: a date, written as 2026-03-31;
- `text`, `boolean` or null: the value as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from contracts.contract import Contract
from contracts.dates import Day, parse_day
from contracts.problems import shown

EVALUATION_SCHEMA: Literal["urn:zenops:evaluation:1"] = "urn:zenops:evaluation:1"

Severity = Literal["note", "warning", "error"]
#: SARIF's kinds of result.
Outcome = Literal["pass", "fail", "not_applicable", "review", "open", "informational"]

Scalar = Decimal | str | bool | date | None
_SCALAR: dict[str, Any] = {"type": ["string", "boolean", "null"]}
#: A value, or the values of a table's column.
Value = Annotated[
    Scalar | tuple[Scalar, ...],
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}),
]

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_AS_IT_STANDS = frozenset({None, "text", "boolean"})


def _value_read(written: Any, unit: str | None) -> Any:
    if isinstance(written, list | tuple):
        return tuple(_value_read(item, unit) for item in written)
    if unit in _AS_IT_STANDS or not isinstance(written, str):
        return written
    try:
        return parse_day(written) if unit == "date" else _computed(written)
    except ValueError as error:
        raise PydanticCustomError("number", "{reason}", {"reason": str(error)}) from None


def _computed(written: str) -> Decimal:
    """A figure; it may have the 34 digits of arithmetic, more than a case may enter."""
    if _PLAIN_NUMBER.fullmatch(written):
        return Decimal(written)
    raise ValueError(f"'{shown(written)}' is not a plainly written number")


def _read_back(entry: Any) -> Any:
    """An entry read from JSON, with its values turned from texts into what they are."""
    names = [name for name in ("value", "unrounded", "given") if hasattr(entry, name)]
    return replace(entry, **{name: _value_read(getattr(entry, name), entry.unit) for name in names})


# Not frozen: an evaluation makes hundreds of them, and freezing takes longer than computing.
@dataclass(slots=True)
class NamedValue:
    """A value that a formula or a message used.

    `written` is what the case says, where a unit had to be converted; `source` says where the
    factor, the parameter or the override comes from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    value: Value
    unit: str | None = None
    written: str | None = None
    source: str | None = None


NamedValues = tuple[Annotated[NamedValue, AfterValidator(_read_back)], ...]


@dataclass(slots=True)
class TraceEntry:
    """One figure or decision: what came out, by which rule, from what.

    `unrounded` is what the formula gave, `given` what the case states instead of it, `missing`
    the fields that would make the figure known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    field: str
    value: Value
    unit: str | None
    rule: str
    source: str | None = None
    formula: str | None = None
    inputs: NamedValues = ()
    unrounded: Value = None
    rounding: str | None = None
    given: Value = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `code` names the row too: `AGE_AND_LIFE[house]`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    code: str
    name: str
    severity: Severity
    outcome: Outcome
    message: str
    remedy: str | None = None
    fields: tuple[str, ...] = ()
    values: NamedValues = ()
    rule: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceMinimum:
    """How many pieces a requirement asks for, and how many of the case's pieces count for it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    requirement: str
    label: str
    min: int
    found: int
    required: bool = True


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The evidence that would fill a gap: for a field, for a requirement, or for both."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    message: str
    field: str | None = None
    requirement: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a report can be rendered, and what keeps it from being so.

    `missing_fields`, `missing_evidence` and `warnings` hold sentences,
    `missing_field_evidence_links` field keys, `blocking_findings` codes.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    ready: bool
    completeness_score: Annotated[int, Field(ge=0, le=100)]
    missing_fields: tuple[str, ...] = ()
    missing_evidence: tuple[str, ...] = ()
    missing_field_evidence_links: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    required_evidence_minimums: tuple[EvidenceMinimum, ...] = ()
    blocking_findings: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesetIdentity:
    """The rule set that was used, and the digest of its resolved form."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class ProfileIdentity:
    """The profile that was used, its digest, and why it was chosen."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str
    version: int
    digest: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that one case, one rule set, one profile and one date give."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    as_of: Day | None
    ruleset: RulesetIdentity
    profile: ProfileIdentity
    contract: Contract
    findings: tuple[Finding, ...]
    readiness: Readiness
    trace: tuple[Annotated[TraceEntry, AfterValidator(_read_back)], ...] = ()
    schema: Literal["urn:zenops:evaluation:1"] = EVALUATION_SCHEMA
