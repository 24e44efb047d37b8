"""The kinds of files that are made of a pack, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.packs.records import ArtifactKind


@dataclass(frozen=True, slots=True)
class Form:
    """A file's ending and media type."""

    ending: str
    media_type: str


FORMS: Mapping[ArtifactKind, Form] = {
    "bundle": Form("zip", "application/zip"),
    "docx": Form("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "pdf": Form("pdf", "application/pdf"),
}
