"""Routes of the studio: sweep a firm's books, and look at what sweeps have found."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response
from flask_openapi import APIBlueprint, Tag

from service.api.access import access
from service.api.answers import answer, page_of
from service.api.request_life import between_transactions, current
from service.api.requests import cursor_id, path_id
from service.errors import not_found
from service.identifiers import read_id
from service.people import firms
from service.reconciliation.comparing import DRIFTS
from service.reconciliation.running import Run, compare, find_run, keep, list_runs
from service.reconciliation.shapes import (
    FindingAnswer,
    NewRun,
    RunDetail,
    RunPath,
    RunsAnswer,
    RunsQuery,
    RunSummary,
)

api = APIBlueprint(
    "reconciliation",
    __name__,
    url_prefix="/v1/control/reconciliation",
    abp_tags=[Tag(name="reconciliation")],
    abp_security=[{"bearer": []}],
)

STUDIO = ("studio",)
_KINDS = {drift.code: drift for drift in DRIFTS}


@api.post("", summary="Compare a firm's books", responses={200: RunDetail})
@access("billing.write", audiences=STUDIO)
def reconcile(body: NewRun) -> Response:
    """A dry run keeps nothing; neither mends anything. The studio's own has number series and inbox."""
    now = current()
    tenant_id = now.actor.tenant_id if body.tenant_id is None else path_id(body.tenant_id)
    if not firms.tenants(now.connection, one=tenant_id, limit=1):
        raise not_found()
    actor = dataclasses.replace(now.actor, tenant_id=tenant_id)
    with between_transactions():
        run = compare(now.service, actor, login="api", ask_providers=body.ask_providers)
    if not body.dry_run:
        run = keep(now.connection, now.actor, run)
    return answer(_detail(run))


@api.get("", summary="What sweeps have found, newest first", responses={200: RunsAnswer})
@access("billing.read", audiences=STUDIO)
def list_sweeps(query: RunsQuery) -> Response:
    """Those that were kept, of all firms unless one is named."""
    tenant_id, below = None, cursor_id(query.cursor)
    if query.tenant_id is not None and (tenant_id := read_id(query.tenant_id)) is None:
        return answer(RunsAnswer(items=[], next_cursor=None))
    rows = list_runs(current().connection, tenant_id=tenant_id, below=below, limit=query.limit + 1)
    shown, last = page_of(rows, query.limit)
    return answer(
        RunsAnswer(
            items=[RunSummary(**_said(one)) for one in shown],
            next_cursor=None if last is None else last.run_id,
        )
    )


@api.get("/<run_id>", summary="Everything that a sweep found", responses={200: RunDetail})
@access("billing.read", audiences=STUDIO)
def show_sweep(path: RunPath) -> Response:
    """With what each finding means, and what is proposed."""
    return answer(_detail(find_run(current().connection, path_id(path.run_id))))


def _said(run: Run) -> dict[str, Any]:
    names = [*RunSummary.model_fields.keys() - {"dry_run"}]
    return {name: getattr(run, name) for name in names} | {"dry_run": run.run_id is None}


def _detail(run: Run) -> RunDetail:
    told = [
        FindingAnswer(
            **dataclasses.asdict(one),
            means=_KINDS[one.code].means,
            proposes=_KINDS[one.code].proposes,
        )
        for one in run.findings
    ]
    return RunDetail(**_said(run), findings=told)
