"""JSON Schemas (2020-12) of every file that a person writes or a program reads.

An editor completes and checks a file by them. They are made from the models, so they say what the
models say; `scripts/write_schemas.py` writes them, and a test holds that they are up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from contracts.annexure_plan import AnnexurePlan
from contracts.banks import Banks
from contracts.bundle import BundleInfo, Manifest, Signature, TemplateIdentity
from contracts.case import Case, Firm
from contracts.contract import Contract
from contracts.evaluation import Evaluation
from contracts.evidence import Evidence
from contracts.field_definitions import FieldDefinitions
from contracts.land_units import LandUnits
from contracts.locks import Locks
from contracts.profile import Profile
from contracts.rule_tests import RuleTests
from contracts.ruleset import RuleSetFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Described:
    """A model that has a schema file, and what an editor shows for it."""

    model: Any
    title: str


#: File stem in contracts/schemas -> what it describes.
DESCRIBED: Mapping[str, Described] = {
    "annexure_plan": Described(AnnexurePlan, "The page plan of a report's pictures"),
    "banks": Described(Banks, "The register of banks"),
    "bundle_info": Described(BundleInfo, "What wrote a bundle"),
    "bundle_manifest": Described(Manifest, "The files of a bundle with their digests"),
    "case": Described(Case, "A valuation case"),
    "contract": Described(Contract, "The facts of a valuation"),
    "evaluation": Described(Evaluation, "What the engine found"),
    "evidence": Described(Evidence, "A piece of evidence"),
    "field_definitions": Described(FieldDefinitions, "The facts that profiles speak of"),
    "firm": Described(Firm, "Letterhead and signature block"),
    "land_units": Described(LandUnits, "What each unit is worth, and where"),
    "locks": Described(Locks, "The digests of published rule sets"),
    "profile": Described(Profile, "The evidence and fields that a report needs"),
    "rule_tests": Described(RuleTests, "Tests of a rule set"),
    "ruleset": Described(RuleSetFile, "A rule set, or one of its files"),
    "signature": Described(Signature, "A signature of a bundle"),
    "template": Described(TemplateIdentity, "The template that a report is printed in"),
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each described file, by its stem."""
    return {name: _schema(name, described) for name, described in DESCRIBED.items()}


def _schema(name: str, described: Described) -> dict[str, Any]:
    made = TypeAdapter(described.model).json_schema(schema_generator=_WithoutFieldTitles)
    shared: dict[str, Any] = {}
    parts = {
        key: _shorter(part, shared, within=True) for key, part in made.pop("$defs", {}).items()
    }
    schema = {
        "$schema": _DIALECT,
        "$id": f"urn:zenops:schema:{name}",
        "title": described.title,
        **_shorter(made, shared, within=True),
    }
    if parts or shared:
        schema["$defs"] = dict(sorted({**parts, **shared}.items()))
    return schema


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves field titles out: an editor would show `Bank Name` beside `bank_name`."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never."""
        return False


#: What pydantic calls a bound that it states behind a reader of our own.
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _shorter(schema: Any, shared: dict[str, Any], *, within: bool = False) -> Any:
    """The same schema with less text: measures stand once, and null joins a plain type."""
    if isinstance(schema, list):
        return [_shorter(inner, shared) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {
        _BOUNDS.get(key, key): _shorter(inner, shared)
        for key, inner in schema.items()
        if (key, inner) != ("default", None) and not (within and key == "title")
    }
    title = schema.get("title")
    if isinstance(title, str) and title.startswith("measure:"):
        name = title.removeprefix("measure:")
        shared[name] = {key: value for key, value in schema.items() if key != "title"}
        return {"$ref": f"#/$defs/{name}"}
    options = schema.get("anyOf")
    if isinstance(options, list) and len(options) == 2 and options[1] == {"type": "null"}:
        first = options[0]
        if isinstance(first.get("type"), str) and not first.keys() & {"enum", "const"}:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            return {**first, **rest, "type": [first["type"], "null"]}
    return schema
