"""Routes of jobs: what is under way, what has failed and why, and starting it again."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from flask_openapi import APIBlueprint, Tag

from service.api.access import OPERATORS, access
from service.api.answers import answer, page_of
from service.api.request_life import current
from service.api.requests import cursor_id, path_id
from service.errors import not_found
from service.identifiers import read_id
from service.jobs import records
from service.jobs.retrying import retry
from service.jobs.shapes import (
    Attempt,
    JobAnswer,
    JobPath,
    JobRetry,
    JobsAnswer,
    JobsQuery,
    JobSummary,
)

api = APIBlueprint(
    "jobs",
    __name__,
    url_prefix="/v1/jobs",
    abp_tags=[Tag(name="jobs")],
    abp_security=[{"bearer": []}],
)


@api.get("", summary="Jobs, newest first", responses={200: JobsAnswer})
@access("jobs.read", audiences=OPERATORS)
def list_jobs(query: JobsQuery) -> Response:
    """The firm's jobs, by state, kind and work order."""
    now = current()
    below = cursor_id(query.cursor)
    work_order = None
    if query.work_order_id is not None and (work_order := read_id(query.work_order_id)) is None:
        # No work order has such an id, so none has jobs.
        return answer(JobsAnswer(items=[], next_cursor=None))
    rows = records.find_operations(
        now.connection,
        now.actor.tenant_id,
        status=query.status,
        kind=query.kind,
        work_order_id=work_order,
        below=below,
        limit=query.limit + 1,
    )
    shown, last = page_of(rows, query.limit)
    return answer(
        JobsAnswer(
            items=[_summary(row) for row in shown],
            next_cursor=None if last is None else last.operation_id,
        )
    )


@api.get("/<operation_id>", summary="A job and its attempts", responses={200: JobAnswer})
@access("jobs.read", audiences=OPERATORS)
def show_job(path: JobPath) -> Response:
    """How far the job is, and how each attempt ended."""
    return answer(_job(path_id(path.operation_id)))


@api.post(
    "/<operation_id>/retry",
    summary="Start a job again that was given up",
    responses={200: JobAnswer},
)
@access("jobs.retry", audiences=OPERATORS)
def retry_job(path: JobPath, body: JobRetry) -> Response:
    """For dead jobs only: it gets all of its attempts anew."""
    now = current()
    operation_id = path_id(path.operation_id)
    retry(now.connection, now.actor, operation_id, reason=body.reason)
    return answer(_job(operation_id))


def _job(operation_id: UUID) -> JobAnswer:
    now = current()
    row = records.operation(now.connection, now.actor.tenant_id, operation_id)
    if row is None:
        raise not_found()
    attempts = records.attempts_of(now.connection, now.actor.tenant_id, operation_id)
    tries = [Attempt.model_validate(one, from_attributes=True) for one in attempts]
    return JobAnswer(**_summary(row).model_dump(), tries=tries)


def _summary(row: object) -> JobSummary:
    return JobSummary.model_validate(row, from_attributes=True)
