"""The web application: the API's routes and the pages, over one service."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from flask_openapi import Info, OpenAPI
from pydantic import BaseModel, ConfigDict

from service.api import failures, request_life
from service.api.requests import ExactRequest
from service.web.pages import desk

if TYPE_CHECKING:
    from service.bootstrap import Service

#: Modules of `service.api` that bring an `api` blueprint of routes.
ROUTES = (
    "people",
    "registers",
    "work_orders",
    "evidence",
    "packs",
    "releases",
    "invoices",
    "payments",
    "jobs",
    "audit",
    "firm_export",
    "billing",
    "control",
    "reconciliation",
    "subscriptions",
    "older_system",
    "running_system",
)
#: Security of the interface's description: how a caller proves who they are.
BEARER: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "from POST /v1/auth/login"},
    "service_token": {
        "type": "apiKey",
        "in": "header",
        "name": "x-service-token",
        "description": "how the older system sends a service token of the studio's",
    },
}


class Problem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str
    code: str


class ProblemDocument(BaseModel):
    """A refusal, as RFC 9457 writes it; `code` is stable."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    errors: list[Problem] = []


def create_app(service: Service) -> OpenAPI:
    """The application; nothing is opened or written until a request comes."""
    app = OpenAPI(
        "service.web",
        info=Info(title="ZenOps", version=metadata.version("zenops")),
        security_schemes=BEARER,
        openapi_extensions={"openapi": "3.1.1"},
        validation_error_status=422,
        validation_error_model=ProblemDocument,
        validation_error_callback=failures.not_valid,
        doc_ui=False,
        static_folder=None,
    )
    app.request_class = ExactRequest
    app.url_map.strict_slashes = False
    app.extensions["zenops"] = service
    request_life.install(app)
    failures.install(app)
    for name in ROUTES:
        app.register_api(import_module(f"service.api.{name}").api)
    app.register_blueprint(desk)
    return app
