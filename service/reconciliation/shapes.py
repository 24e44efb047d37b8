"""What the studio sends about sweeps of the books, and what it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(max_length=100)]
Cursor = Annotated[str, StringConstraints(max_length=100)]


class _Sent(BaseModel):
    """What a client sends: no field that is not known here."""

    model_config = ConfigDict(extra="forbid")


class NewRun(_Sent):
    """A sweep to be made; nothing is mended by it."""

    dry_run: bool = Field(True, description="say what is found, and keep nothing")
    tenant_id: Id | None = Field(None, description="the firm; that of X-Zenops-Tenant unless given")
    ask_providers: bool = Field(
        False, description="also ask the payment providers about the newest orders"
    )


class RunPath(_Sent):
    """Which run."""

    run_id: str


class RunsQuery(_Sent):
    """Which part of the list."""

    tenant_id: Id | None = None
    limit: int = Field(50, ge=1, le=100)
    cursor: Cursor | None = None


class FindingAnswer(BaseModel):
    """One thing that does not agree, with what it means and what is proposed."""

    code: str
    subject_type: str
    subject_id: str
    account_id: UUID | None
    means: str
    proposes: str
    found: dict[str, Any] = Field(description="what is here and what is there; money in paise")


class RunSummary(BaseModel):
    """A sweep of one firm's books."""

    run_id: UUID | None = Field(description="none of a dry run")
    tenant_id: UUID
    dry_run: bool
    started_at: datetime
    finished_at: datetime
    requested_by: UUID | None
    scanned: dict[str, int]
    counts: dict[str, int] = Field(
        description="what was found, by kind; at most 200 are told of one"
    )


class RunDetail(RunSummary):
    """A sweep with everything it found."""

    findings: list[FindingAnswer]


class RunsAnswer(BaseModel):
    """A page of sweeps, newest first."""

    items: list[RunSummary]
    next_cursor: UUID | None
