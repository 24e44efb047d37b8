"""Routes about the running system itself: who it is, whether it lives, whether it can work."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from importlib import metadata
from typing import Any

from flask import Response, current_app
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from service.api.access import OPERATORS, access, public
from service.api.answers import answer
from service.api.description import describe
from service.api.request_life import the_service
from service.clock import now
from service.database.migrating import latest_revision, revision_of
from service.telemetry.metrics import exposition

api = APIBlueprint(
    "running_system", __name__, url_prefix="/v1", abp_tags=[Tag(name="running system")]
)


@api.get("/health", summary="Whether the process lives")
@public
def health() -> Response:
    """Answer as long as the process can."""
    return answer({"ok": True, "service": "zenops", "ts": now()})


class Readiness(BaseModel):
    """Whether what every request needs is there."""

    ready: bool
    database: bool
    queue: bool


@api.get(
    "/ready",
    summary="Whether the process can work: database and queue",
    responses={200: Readiness, 503: Readiness},
)
@public
def ready() -> Response:
    """Try what every request needs; 503 names what is away."""
    service = the_service()
    checks = {
        "database": lambda: revision_of(service.engine, "zen_login") == latest_revision(),
        "queue": lambda: bool(service.redis.ping()),
    }
    found = {name: _holds(check) for name, check in checks.items()}
    works = all(found.values())
    return answer(Readiness(ready=works, **found), 200 if works else 503)


class Identity(BaseModel):
    """Which system answers; what an image was not told of its making is null."""

    app: str
    service: str
    env: str
    version: str
    git_sha: str | None
    build_time: datetime | None
    schema_revision: str
    python: str


@api.get("/meta", summary="Which system answers here", responses={200: Identity})
@public
def meta() -> Response:
    """The identity of the running system, for probes that must not talk to another one."""
    settings = the_service().settings
    return answer(
        Identity(
            app="zenops",
            service="api",
            env=settings.mode,
            version=metadata.version("zenops"),
            git_sha=settings.git_sha or None,
            build_time=settings.built_at,
            schema_revision=latest_revision(),
            python=platform.python_version(),
        )
    )


@api.get("/metrics", summary="Metrics in Prometheus' text form")
@access("metrics.read", audiences=OPERATORS)
def metrics() -> Response:
    """Counts of requests, age of the outbox, lag of the queue, outcomes of jobs."""
    return Response(
        exposition(the_service().redis), content_type="text/plain; version=0.0.4; charset=utf-8"
    )


@api.get("/openapi.json", summary="This interface, as OpenAPI 3.1 describes it")
@public
def description() -> Response:
    """The description that the routes and their models give."""
    app: Any = current_app
    # A description is no answer of ours: it may hold bounds that are floats.
    return Response(json.dumps(describe(app)), content_type="application/json")


def _holds(check: Any) -> bool:
    try:
        return bool(check())
    except Exception:  # noqa: BLE001 - whatever it is, this part cannot work
        return False
