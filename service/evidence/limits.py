"""What may be uploaded and how much of it, as `limits.yaml` says."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from service.settings import Settings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KindLimits(_Part):
    """The largest file of one kind; documents have no pixels."""

    bytes: int
    pixels: int | None = None


class PdfLimits(_Part):
    """How many pages and objects a PDF may have."""

    pages: int
    objects: int


class LookingLimits(_Part):
    """What the process that looks at a file may take."""

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: float
    at_once: int


class Limits(_Part):
    """All limits of documents and evidence."""

    kinds: dict[str, KindLimits]
    pdf: PdfLimits
    looking: LookingLimits
    files_per_work_order: int
    evidence_items_per_work_order: int
    field_links_per_work_order: int
    pending_files_per_firm: int
    bytes_per_firm: int
    address_seconds: int
    similar_bits: int
    similar_shown: int
    abandoned_hours: int
    pending_days: int


@cache
def limits() -> Limits:
    """The limits as shipped."""
    text = resources.files("service.evidence").joinpath("limits.yaml").read_text("utf-8")
    return Limits.model_validate(yaml.safe_load(text))


def limits_of(media_type: str, settings: Settings) -> KindLimits | None:
    """What a file of a kind may have here; None for a kind that is not taken."""
    found = limits().kinds.get(media_type)
    if found is None:
        return None
    pixels = None if found.pixels is None else min(found.pixels, settings.evidence_max_pixels)
    return KindLimits(bytes=min(found.bytes, settings.evidence_max_bytes), pixels=pixels)
