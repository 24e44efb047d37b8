"""A piece of evidence: a deed, a photograph, a screenshot, and what is known about it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from contracts.contract import Coordinates, Flag, Number, Part, RowId, Text, WholeNumber
from contracts.dates import Moment

EvidenceType = Literal["DOCUMENT", "PHOTO", "SCREENSHOT", "GEO", "OTHER"]
DocType = Literal[
    "SALE_DEED",
    "RTC",
    "EC",
    "KHATA",
    "TAX",
    "NA_ORDER",
    "PLAN",
    "ID_PROOF",
    "BANK_LETTER",
    "OTHER",
]
EvidenceStatus = Literal["pending", "uploaded", "deleted"]
EvidenceKey = RowId
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_FILE_PATH = re.compile(r"[^\x00-\x1f\x7f\\:*?\"<>|/]+(?:/[^\x00-\x1f\x7f\\:*?\"<>|/]+)*")


def _inside_the_folder(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    reason = ""
    if len(raw) > 255:
        reason = "a file's path has at most 255 characters"
    elif raw.startswith("/") or re.match(r"[A-Za-z]:", raw) or "\\" in raw:
        reason = (
            f"'{raw[:60]}' is not a path inside the case's folder; write it with '/' from there"
        )
    elif any(step in {"", ".", ".."} for step in raw.split("/")):
        reason = f"'{raw[:60]}' leaves the case's folder, or goes a roundabout way"
    elif not _FILE_PATH.fullmatch(raw):
        reason = f"'{raw[:60]}' has a character that file names cannot have everywhere"
    if reason:
        raise PydanticCustomError("file_path", "{reason}", {"reason": reason})
    return raw


#: A file below the case's folder, written with '/'.
FilePath = Annotated[
    str,
    BeforeValidator(_inside_the_folder),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 255,
            "pattern": r"^[^\u0000-\u001f\u007f\\:*?\"<>|/]+(/[^\u0000-\u001f\u007f\\:*?\"<>|/]+)*$",
            "description": "a file below the case's folder, such as evidence/front.jpg",
        }
    ),
]


class FileFacts(Part):
    """What was read from the file itself."""

    sha256: Sha256
    size: Annotated[WholeNumber, Field(ge=0)]
    media_type: Text
    width: Annotated[WholeNumber, Field(ge=1)] | None = None
    height: Annotated[WholeNumber, Field(ge=1)] | None = None
    orientation: Annotated[WholeNumber, Field(ge=1, le=8)] | None = None
    captured_at: Moment | None = None
    located_at: Coordinates | None = None


class Evidence(Part):
    """One piece of evidence; `facts` are filled in from the file, never by hand."""

    key: EvidenceKey
    file: FilePath | None = None
    type: EvidenceType
    doc_type: DocType | None = None
    tags: dict[Text, Text] = {}
    status: EvidenceStatus = "uploaded"
    label: Text | None = None
    captured_at: Moment | None = None
    taken_on_site: Flag | None = None
    located_at: Coordinates | None = None
    classification: (
        Literal[
            "bank_kyc", "site_photo", "approval_plan", "tax_receipt", "legal", "invoice", "other"
        ]
        | None
    ) = None
    sensitivity: Literal["public", "internal", "pii", "confidential"] | None = None
    source: (
        Literal[
            "portal",
            "tenant",
            "internal",
            "mobile_camera",
            "mobile_gallery",
            "desktop_upload",
            "email_ingest",
            "portal_upload",
        ]
        | None
    ) = None
    annexure_order: Annotated[WholeNumber, Field(ge=0, le=100_000)] | None = None
    facts: FileFacts | None = None


class FieldLink(Part):
    """A fact of the contract, and the piece of evidence that shows it."""

    field: Text
    evidence: EvidenceKey
    confidence: Annotated[Number, Field(ge=0, le=1)] | None = None
    note: Text | None = None
