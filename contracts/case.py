"""A case: one contract, its evidence, and how it is to be evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from contracts.contract import Contract, Count, Flag, Part, RowId, Text
from contracts.dates import Day
from contracts.evidence import Evidence, FieldLink, FilePath
from contracts.problems import in_order, nearest, shown
from contracts.quantities import Measure, QuantityError, quantity_from
from contracts.row_names import repeated, repeated_rows
from contracts.validation import validate

if TYPE_CHECKING:
    from contracts.document import Document, Path
    from contracts.problems import Problem

CASE_SCHEMA = "urn:zenops:case:1"

#: A rule set or profile by id, or one version of it: `psu`, `psu@1`.
Chosen = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z][a-z0-9]*(?:[-._][a-z0-9]+)*(?:@[1-9][0-9]*)?$", max_length=100
    ),
]


class ParameterOverride(Part):
    """A parameter that this case sets otherwise than its rule set, with where that comes from."""

    value: Measure
    source: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class Valuer(Part):
    """Who signs."""

    name: Text
    qualifications: Text | None = None
    registration: Text | None = None
    unique_id_number: Text | None = None
    designation: Text | None = None


class Firm(Part):
    """The letterhead and the signature block."""

    name: Text
    address: tuple[Text, ...] = ()
    phone: Text | None = None
    email: Text | None = None
    registration: tuple[Text, ...] = ()
    valuer: Valuer | None = None
    signature_place: Text | None = None
    validity_days: Count | None = None
    logo: FilePath | None = None


def _expected(raw: Any) -> Any:
    if raw is None or isinstance(raw, bool):
        return raw
    try:
        return quantity_from(raw, None)
    except QuantityError:
        # A figure may be a text ("NA"); what is neither is refused by the type.
        return raw


#: What a case expects of a figure: a quantity as written, a text, true, false or null.
ExpectedValue = Annotated[
    Measure | str | bool | None,
    BeforeValidator(_expected),
    WithJsonSchema({"type": ["string", "number", "boolean", "null", "object"]}),
]


class Expect(Part):
    """What the tests expect of the evaluation; what is left out is not checked."""

    values: dict[Text, ExpectedValue] = {}
    decisions: dict[Text, ExpectedValue] = {}
    findings: tuple[Text, ...] | None = None
    ready: Flag | None = None


class Case(Part):
    """One file, or one folder with its evidence beside it."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_: Annotated[Literal["urn:zenops:case:1"] | None, Field(alias="schema")] = None
    case: RowId
    title: Text | None = None
    source: Text | None = None
    as_of: Day | None = None
    contract: Contract
    evidence: tuple[Evidence, ...] = ()
    links: tuple[FieldLink, ...] = ()
    parameters: dict[Text, ParameterOverride] = {}
    ruleset: Chosen | None = None
    profile: Chosen | None = None
    firm: Firm | None = None
    expect: Expect | None = None

    @classmethod
    def from_contract(cls, contract: Contract, case: str = "contract") -> Case:
        """A case of a bare contract, without evidence."""
        return cls(case=case, contract=contract)


def read_case(document: Document) -> tuple[Case | None, tuple[Problem, ...]]:
    """The case that a document holds; a bare contract (it has `meta`) is one too.

    Returns:
        The case, or None and every problem of the document. What belongs together is checked
        across the file: keys and row ids are unique, links name evidence that is there.
    """
    value = document.value
    if isinstance(value, dict) and "meta" in value and "contract" not in value:
        contract, problems = validate(Contract, document)
        case = Case.from_contract(contract) if contract else None
        at: Path = ()
    else:
        case, problems = validate(Case, document)
        at = ("contract",)
    crossed = (*repeated_rows(document, at), *_evidence_problems(document))
    return (None, in_order((*problems, *crossed))) if crossed else (case, problems)


def _evidence_problems(document: Document) -> list[Problem]:
    value = document.value if isinstance(document.value, dict) else {}
    evidence, links = _list(value, "evidence"), _list(value, "links")
    keys = [piece.get("key") for piece in evidence if isinstance(piece, dict)]
    known = [key for key in keys if isinstance(key, str)]
    found = repeated(document, evidence, ("evidence",), "key")
    for index, link in enumerate(links):
        key = link.get("evidence") if isinstance(link, dict) else None
        if isinstance(key, str) and key not in known:
            near = nearest(key, known)
            found.append(
                document.problem(
                    "E412",
                    ("links", index, "evidence"),
                    f"there is no evidence '{shown(key)}'",
                    why="A link names the key of a piece of evidence of this case.",
                    fix=f"Did you mean '{near}'?" if near else "Add the piece, or drop the link.",
                )
            )
    return found


def _list(value: dict[str, Any], name: str) -> list[Any]:
    inner = value.get(name)
    return inner if isinstance(inner, list) else []
