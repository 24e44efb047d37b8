"""The page plan of a report's pictures: which picture stands where, in millimetres on A4."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.contract import Number

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A part of the plan; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedImage(Section):
    """A picture in its box; the box has the picture's own shape once it is turned upright.

    `x` and `y` are the box's left and upper edge, counted from the paper's upper left corner.
    `orientation` is the EXIF number (1 to 8) by which the stored pixels are to be turned.
    """

    evidence: str
    sha256: Digest
    label: str
    orientation: Annotated[int, Field(ge=1, le=8)]
    x: Number
    y: Number
    width: Number
    height: Number


class PlannedSection(Section):
    """A heading, with its upper edge, and the pictures under it."""

    heading: str
    y: Number
    images: tuple[PlannedImage, ...]


class PlannedPage(Section):
    """One sheet."""

    number: int
    sections: tuple[PlannedSection, ...]


class LeftOut(Section):
    """A picture that is on no page, and why."""

    evidence: str
    why: str


class AnnexurePlan(Section):
    """All pages of pictures, in order; all lengths are millimetres."""

    paper_width: Number
    paper_height: Number
    heading_height: Number
    caption_height: Number
    pages: tuple[PlannedPage, ...]
    left_out: tuple[LeftOut, ...]
