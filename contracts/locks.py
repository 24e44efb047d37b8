"""The digests of published rule sets: what a version says can be held against what it said."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

RuleSetVersion = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:[-._][a-z0-9]+)*@[1-9][0-9]*$")
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Locks(BaseModel):
    """The file `rules/locks.yaml`: the resolved form's digest of each published version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    locks: dict[RuleSetVersion, Sha256]
