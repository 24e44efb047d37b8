"""What clients are told about jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

JobStatus = Literal["pending", "sent", "running", "done", "dead", "cancelled"]


class _Sent(BaseModel):
    """What a client sends: no field that is not known here."""

    model_config = ConfigDict(extra="forbid")


class JobPath(_Sent):
    """Which job."""

    operation_id: str


class JobsQuery(_Sent):
    """Which jobs, and which part of the list."""

    status: JobStatus | None = None
    kind: Annotated[str, StringConstraints(max_length=100)] | None = None
    work_order_id: str | None = None
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="next_cursor of the answer before"
    )
    limit: int = Field(50, ge=1, le=100)


class JobRetry(_Sent):
    """Why a job starts again."""

    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
        | None
    ) = None


class JobSummary(BaseModel):
    """A job, and how far it is."""

    operation_id: UUID
    kind: str
    status: JobStatus
    step: str | None
    percent: int
    reason: str | None = Field(description="why it failed last, or was cancelled")
    attempts: int
    subject_id: UUID | None
    work_order_id: UUID | None
    requested_by: UUID | None
    created_at: datetime
    run_after: datetime = Field(description="it does not begin before")
    finished_at: datetime | None


class JobsAnswer(BaseModel):
    """Jobs, newest first."""

    items: list[JobSummary]
    next_cursor: UUID | None


class Attempt(BaseModel):
    """One attempt at a job; `fenced` means that it came too late and wrote nothing."""

    generation: int
    started_at: datetime
    ended_at: datetime | None
    outcome: Literal["done", "failed", "lost", "fenced"] | None
    reason: str | None


class JobAnswer(JobSummary):
    """A job with all of its attempts, also those before an operator had it start again."""

    tries: list[Attempt]
