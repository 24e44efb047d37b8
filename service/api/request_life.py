"""The life of a request: who it is, one transaction, and what becomes of it.

Before the view: find out who calls, check what the route demands, answer a repeated write from
what was stored. After it: commit what succeeded, roll back what did not. A view therefore never
commits, and an error anywhere leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from flask import Response, current_app, g, request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.actor import Actor
from service.api.access import Access, access_of
from service.api.requests import FORM_ROOM, fingerprint, idempotency_key
from service.clock import now
from service.database.connections import Role, become, settle
from service.errors import ServiceError, conflict, forbidden
from service.identifiers import new_id, read_id
from service.jobs.crashpoints import crashpoint
from service.people.signing_in import authenticate, is_csrf_token, session_cookie
from service.telemetry.metrics import REQUEST_SECONDS, REQUESTS

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Connection

    from service.bootstrap import Service

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Audience -> the role it acts in, and the audience that the role's policies ask for.
ACTS_AS: dict[str, tuple[Role, str]] = {
    "web": ("zen_web", "web"),
    "service": ("zen_web", "web"),
    "studio": ("zen_studio", "studio"),
    "portal": ("zen_portal", "portal"),
}
#: Bodies that a view reads as JSON.
_WRITES_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
#: Answers beyond this are not kept for repeats; none of ours to a write comes near.
_LARGEST_KEPT = 4_000_000

log = structlog.get_logger("zenops.request")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a view works with."""

    service: Service
    connection: Connection
    actor: Actor
    request_id: str


def current() -> RequestContext:
    """The context of the request that is being answered; only for routes that are not public."""
    return RequestContext(the_service(), g.connection, g.actor, g.request_id)


@contextlib.contextmanager
def between_transactions() -> Iterator[None]:
    """Commit what the view has written, do in the block what takes long, and begin anew after it.

    For what is said to other systems: it must not hold locks, and what it is about has to be there
    whatever becomes of us. A view that is repeated has to find by its own key what it has done.
    """
    g.pop("transaction").commit()
    yield
    g.transaction = g.connection.begin()
    _act_as(g.connection, g.actor)


def the_service() -> Service:
    """The service that the application was made with."""
    found: Service = current_app.extensions["zenops"]
    return found


def current_request_id() -> str:
    """The id that the answer, the log and the audit call this request by."""
    found: str = g.get("request_id") or ""
    return found


def install(app: Flask) -> None:
    """Give every request of an application this life."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_abandon)


def _begin() -> Response | None:
    g.started = time.perf_counter()
    g.request_id = _request_id()
    if request.endpoint is None:
        return None
    found = access_of(current_app.view_functions[request.endpoint])
    if found is None:
        if request.endpoint == "static" or request.endpoint.endswith(".static"):
            return None
        raise RuntimeError(f"the route {request.endpoint} declares no access")
    _check_form(found)
    if found.is_public:
        return None
    if found.takes_files:
        _read_first(found)
    return _enter(found)


def _request_id() -> str:
    given = read_id(request.headers.get("X-Request-Id", ""))
    return str(given or new_id())


def _check_form(found: Access) -> None:
    """Refuse what no view could read, before anything is read."""
    settings = the_service().settings
    if found.takes_files:
        request.max_content_length = settings.evidence_max_bytes + FORM_ROOM
    else:
        request.max_content_length = settings.request_max_bytes
    if "\x00" in request.path or any("\x00" in value for value in request.args.values()):
        raise ServiceError(400, "ADDRESS_INVALID", "The address holds the character U+0000")
    is_page = "desk" in request.blueprints
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    wants_json = not is_page and not found.takes_files and request.method in _WRITES_WITH_BODY
    if wants_json and has_body and request.mimetype != "application/json":
        raise ServiceError(
            415,
            "MEDIA_TYPE_UNSUPPORTED",
            "The body's media type is not taken here",
            "Send JSON with the header Content-Type: application/json.",
        )


def _read_first(found: Access) -> None:
    """Read what somebody sends who may send it, before the transaction begins.

    A slow sender would hold it open for minutes, until the database ends it.
    """
    with the_service().engine.begin() as connection:
        _admit(connection, found)
    # Reading the form's files is what reads the form.
    request.files.keys()


def _enter(found: Access) -> Response | None:
    """Open the transaction, find the actor, check what they may, look for an earlier answer."""
    connection = g.connection = the_service().engine.connect()
    g.transaction = connection.begin()
    actor = g.actor = _admit(connection, found)
    _act_as(connection, actor)
    return _earlier_answer(connection, actor)


def _act_as(connection: Connection, actor: Actor) -> None:
    role, audience = ACTS_AS[actor.audience]
    become(connection, role, tenant_id=actor.tenant_id, user_id=actor.user_id, audience=audience)


def _admit(connection: Connection, found: Access) -> Actor:
    """Who calls, if they may call this."""
    service = the_service()
    bearer, session = _bearer(), session_cookie(service, request)
    actor = authenticate(
        connection,
        token=bearer,
        session=None if bearer else session,
        request_id=g.request_id,
        wanted_tenant=_wanted_tenant(),
    )
    if not bearer and session and request.method not in SAFE:
        _check_csrf(service, session)
    if actor.audience not in found.audiences:
        raise forbidden(
            "AUDIENCE_MISMATCH",
            "This is not for your kind of login",
            f"It is for {' and '.join(found.audiences)}; you are logged in to {actor.audience}.",
        )
    if found.capability is not None and not actor.may(found.capability):
        raise forbidden(
            "CAPABILITY_MISSING",
            "You may not do this",
            f"It needs the capability {found.capability}; an administrator of the firm grants it.",
            capability=found.capability,
        )
    return actor


def _bearer() -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    # The older system sends its token so.
    return request.headers.get("X-Service-Token", "").strip() or None


def _wanted_tenant() -> UUID | None:
    text = request.headers.get("X-Zenops-Tenant")
    if text is None:
        return None
    found = read_id(text)
    if found is None:
        raise ServiceError(
            400, "TENANT_INVALID", "X-Zenops-Tenant names no firm", "Send the firm's id."
        )
    return found


def _check_csrf(service: Service, session: str) -> None:
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    if not is_csrf_token(service, session, given):
        raise forbidden(
            "CSRF_TOKEN_INVALID",
            "The page is out of date",
            "Open the page again and repeat what you did; nothing was changed.",
        )


def _earlier_answer(connection: Connection, actor: Actor) -> Response | None:
    """What the same write was answered before, under the same key.

    The key's row is inserted first: whoever comes second waits for the first one's commit.
    """
    key = None if request.method in SAFE else idempotency_key(request)
    if key is None:
        return None
    values = {
        "tenant": actor.tenant_id,
        "caller": actor.caller_id,
        "key": key,
        "sha256": fingerprint(request),
        "now": now(),
    }
    inserted = connection.execute(
        text(
            "insert into idempotency_keys (tenant_id, caller_id, key, request_sha256, created_at)"
            " values (:tenant, :caller, :key, :sha256, :now) on conflict do nothing"
        ),
        values,
    ).rowcount
    if inserted:
        g.idempotency = values
        return None
    row = connection.execute(
        text(
            "select request_sha256, status, headers, body from idempotency_keys"
            " where tenant_id = :tenant and caller_id = :caller and key = :key"
        ),
        values,
    ).one()
    if row.request_sha256 != values["sha256"]:
        raise conflict(
            "IDEMPOTENCY_KEY_REUSED",
            "This idempotency key was used for something else",
            "A key belongs to one write for ever. Repeat that write as it was, or take a new key.",
        )
    if row.status is None:
        # It ended between its transactions; the view finds by its own key what it has done so far.
        g.idempotency = values
        return None
    answer = Response(bytes(row.body), row.status, headers=json.loads(row.headers))
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _finish(response: Response) -> Response:
    if response.status_code < 400 and "connection" in g:
        response = _if_written(response)
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    if "desk" not in request.blueprints:
        response.headers.setdefault(
            "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"
        )
    if the_service().settings.is_production:
        response.headers.setdefault(
            "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
        )
    transaction = g.pop("transaction", None)
    if transaction is not None:
        if response.status_code < 400:
            _keep_answer(response)
            crashpoint("web-before-commit")
            transaction.commit()
            crashpoint("web-after-commit")
        else:
            transaction.rollback()
        g.pop("connection").close()
    _tell(response)
    return response


def _if_written(response: Response) -> Response:
    """The answer once all is written that a view has sent, or the refusal of it.

    Nothing is committed yet, so that a refusal is the usual one: nothing was changed.
    """
    try:
        settle(g.connection)
    except DBAPIError as error:
        return current_app.make_response(current_app.handle_user_exception(error))
    return response


def _keep_answer(response: Response) -> None:
    values: dict[str, Any] | None = g.pop("idempotency", None)
    if values is None:
        return
    if response.is_streamed:
        raise RuntimeError("an answer to a write is streamed, so it cannot be kept")
    # A view that shows a secret once says what is kept instead: no token is stored in clear.
    kept_body: bytes | None = g.pop("kept_body", None)
    body = response.get_data() if kept_body is None else kept_body
    if len(body) > _LARGEST_KEPT:
        raise RuntimeError("an answer to a write is too large to be kept")
    kept = {
        name: value
        for name, value in response.headers.items()
        if name in {"Content-Type", "ETag", "Location"}
    }
    g.connection.execute(
        text(
            "update idempotency_keys set status = :status, headers = :headers, body = :body"
            " where tenant_id = :tenant and caller_id = :caller and key = :key"
        ),
        {**values, "status": response.status_code, "headers": json.dumps(kept), "body": body},
    )


def _abandon(_: BaseException | None) -> None:
    """Whatever went wrong before an answer was made: nothing of it stays."""
    transaction = g.pop("transaction", None)
    if transaction is not None:
        transaction.rollback()
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()


def _tell(response: Response) -> None:
    """Count and log the request; its route, never its address, which may hold anything."""
    actor: Actor | None = g.get("actor")
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    REQUESTS.labels(route, request.method, str(response.status_code)).inc()
    REQUEST_SECONDS.labels(route, request.method).observe(seconds)
    log.info(
        "request",
        request_id=g.get("request_id"),
        method=request.method,
        route=route,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        tenant=str(actor.tenant_id) if actor else None,
        user=str(actor.user_id) if actor and actor.user_id else None,
    )
