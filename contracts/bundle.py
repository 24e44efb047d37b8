"""What a bundle holds beside the shapes of contract, evaluation, profile and page plan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.banks import Banks
from contracts.case import ParameterOverride
from contracts.contract import Part, RowId, Text
from contracts.evidence import Evidence, FieldLink, Sha256
from contracts.field_definitions import FieldDefinition
from contracts.land_units import LandUnits

#: Payload file -> the model of its JSON, for whoever reads a bundle.
PAYLOAD = {
    "data/case.json": "BundledCase",
    "data/contract.json": "Contract",
    "data/evaluation.json": "Evaluation",
    "data/ruleset.json": "the resolved rule set",
    "data/profile.json": "Profile",
    "data/annexures.json": "AnnexurePlan",
    "data/firm.json": "Firm",
    "data/registers.json": "Registers",
    "data/template.json": "TemplateIdentity",
}

#: A file of the payload, as the manifest writes it.
PayloadPath = Annotated[
    str, StringConstraints(pattern=r"^data/(?:[a-z]+\.json|evidence/[0-9a-f]{64}\.[a-z0-9]{1,8})$")
]


class TemplateIdentity(Part):
    """The Word template that the report is printed in; the renderer refuses any other.

    `annexures_sha256` is that of the file which the pages of pictures have their look from.
    """

    key: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
    sha256: Sha256 | None = None
    annexures_sha256: Sha256 | None = None


class BundledCase(Part):
    """What was evaluated beside the contract: evidence, links and the case's own parameters.

    Files are named as they lie in the bundle, below `data/`.
    """

    case: RowId
    title: Text | None = None
    source: Text | None = None
    evidence: tuple[Evidence, ...] = ()
    links: tuple[FieldLink, ...] = ()
    parameters: dict[Text, ParameterOverride] = {}


class Registers(Part):
    """What rule set and profile look things up in, so that a bundle can be evaluated by itself."""

    units: LandUnits
    banks: Banks
    field_definitions: tuple[FieldDefinition, ...]


class BundleInfo(Part):
    """The tag file `bundle-info.txt`: what wrote the bundle; not part of its digest."""

    software: Text
    version: Text


class Manifest(Part):
    """`manifest-sha256.txt`: each payload file with the sha256 of its bytes."""

    files: dict[PayloadPath, Sha256]


class Signature(Part):
    """The detached `signature.json`: a key's word on the bundle's digest."""

    schema_: Annotated[Literal["urn:zenops:signature:1"], Field(alias="schema")]
    algorithm: Literal["Ed25519"]
    bundle_sha256: Sha256
    public_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
    signer: Text | None = None
