"""A refusal as a page: what happened, why, and what to do now."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Response, g, json, make_response, redirect, render_template, request, url_for

from service.errors import ServiceError, problem_document
from service.web.assets import asset_url, manifest

#: What a person can do, where the refusal itself does not say.
_NEXT = {
    403: "If you need it for your work, ask whoever manages people in your firm.",
    404: "It may have been moved, or belong to another firm. Go back to the queue and search for it.",
    413: "Send fewer or smaller files at once.",
    500: "Try again in a minute. If it happens again, tell us the number below.",
    503: "Try again in a few seconds.",
}


def failure_page(error: ServiceError, request_id: str) -> Response:
    """The answer to a person, or to the desk's script, when something was refused.

    Somebody who is not logged in is led to the login, and comes back to where they were.
    """
    if request.accept_mimetypes.best == "application/json":
        return make_response(
            json.dumps(problem_document(error, request_id)),
            error.status,
            {"Content-Type": "application/problem+json"},
        )
    if error.status == 401 and request.endpoint != "desk.log_in_page":
        return _to_login()
    html = render_template(
        "failure.html",
        error=error,
        next=_NEXT.get(error.status, ""),
        request_id=request_id,
        asset=asset_url if _has_assets() else None,
        actor=g.get("actor"),
        firm_name="",
        csrf_token="",
    )
    # The mark tells the desk's script that this is no part of the page it asked for.
    headers = {**error.headers, "X-Page": "failure", "Cache-Control": "no-store"}
    return make_response(html, error.status, headers)


def _to_login() -> Response:
    back = request.full_path.rstrip("?") if request.method == "GET" else ""
    if request.headers.get("HX-Request") == "true":
        back = urlsplit(request.headers.get("HX-Current-URL", "")).path
    query = f"?{urlencode({'next': back})}" if back.startswith("/desk/") else ""
    target = url_for("desk.log_in_page") + query
    if request.headers.get("HX-Request") == "true":
        # A redirect would be followed by the script and the login shown inside the page.
        return make_response("", 401, {"HX-Redirect": target, "Cache-Control": "no-store"})
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    return response


def _has_assets() -> bool:
    try:
        manifest()
    except ServiceError:
        return False
    return True
