"""Login and logout of the desk, by a cookie that only the server reads."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for

from service.api.access import access, public
from service.api.request_life import current, current_request_id, the_service
from service.errors import ServiceError, forbidden
from service.people.signing_in import (
    client_address,
    cookie_name,
    end_session,
    log_in,
    session_cookie,
    session_cookie_of,
)
from service.web.blueprint import desk
from service.web.rendering import page


@desk.get("/")
@public
def front_door() -> Response:
    """Whoever only knows the host is led to the queue."""
    return _see(url_for("desk.queue"))


@desk.get("/desk/login")
@public
def log_in_page() -> Response:
    """The form that asks who somebody is."""
    return page("login.html", next=_inside(request.args.get("next", "")), email="", firms=())


@desk.post("/desk/login")
@public
def log_in_action() -> Response:
    """Let somebody in, or say that it was not right; several firms are offered as a choice."""
    _check_same_site()
    service = the_service()
    form = request.form
    email, target = form.get("email", ""), _inside(form.get("next", ""))
    try:
        made = log_in(
            service,
            email=email,
            password=form.get("password", ""),
            audience="web",
            firm=form.get("firm", "").strip().lower() or None,
            address=client_address(service, request),
            request_id=current_request_id(),
            kind="session",
            former=session_cookie(service, request),
        )
    except ServiceError as error:
        firms = error.extra.get("firms", ()) if error.code == "FIRM_REQUIRED" else ()
        response = page(
            "login.html", error.status, error=error, next=target, email=email, firms=firms
        )
        response.headers.extend(dict(error.headers))
        return response
    response = _see(target or url_for("desk.queue"))
    response.set_cookie(**session_cookie_of(service, made))
    return response


@desk.post("/desk/logout")
@access(None, audiences=("web",))
def log_out() -> Response:
    """End the session on the server; the cookie is worth nothing from then on."""
    now = current()
    end_session(now.connection, now.actor)
    response = _see(url_for("desk.log_in_page", left="yes"))
    response.delete_cookie(
        cookie_name(now.service),
        secure=now.service.settings.public_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    # What the browser has kept of the firm's pages goes too.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _see(target: str) -> Response:
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    return response


def _inside(target: str) -> str:
    """An address of the desk, to go on to after the login; nothing for any other."""
    parts = urlsplit(target)
    is_inside = not parts.scheme and not parts.netloc and parts.path.startswith("/desk/")
    return target if is_inside and "\\" not in target else ""


def _check_same_site() -> None:
    """A login form of another site must not log anybody in: there is no session yet to hold a token."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    own = {request.host, urlsplit(the_service().settings.public_url).netloc}
    if site not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc not in own):
        raise forbidden(
            "CSRF_TOKEN_INVALID",
            "The login came from another site",
            "Open the login page of this service and log in there.",
        )
