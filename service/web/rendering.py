"""Makes a page out of a template and what every page shows: the firm, the person, the token."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, render_template, request
from sqlalchemy import text

from service.api.request_life import current_request_id, the_service
from service.people.signing_in import csrf_token, session_cookie
from service.web.assets import asset_url
from service.web.blueprint import desk
from service.web.printed import FILTERS, words

for _name, _filter in FILTERS.items():
    desk.add_app_template_filter(_filter, _name)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page, or a part of one."""
    response = make_response(
        render_template(
            template,
            asset=asset_url,
            words=words(),
            csrf_token=_token(),
            request_id=current_request_id(),
            **_whose(),
            **values,
        ),
        status,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def is_htmx() -> bool:
    """Whether a part is asked for by the desk's script, rather than a page by a person."""
    return request.headers.get("HX-Request") == "true"


def _token() -> str:
    service = the_service()
    session = session_cookie(service, request)
    return csrf_token(service, session) if session else ""


def _whose() -> dict[str, Any]:
    actor = g.get("actor")
    connection = g.get("connection")
    if actor is None or connection is None or connection.closed:
        return {"actor": None, "firm_name": ""}
    if "firm_name" not in g:
        g.firm_name = connection.scalar(
            text("select name from tenants where tenant_id = :tenant"), {"tenant": actor.tenant_id}
        )
    return {"actor": actor, "firm_name": g.firm_name}
