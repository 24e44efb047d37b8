"""Finds out who calls, and lets people in and out.

Everything here that reads passwords or token digests runs as zen_login, whose policies show it only
the one address, token or person that the transaction names.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.audit.events import record
from service.database.connections import become, transaction
from service.errors import ServiceError, conflict, forbidden, not_found
from service.identifiers import new_id
from service.people import passwords
from service.people.acting import as_login, put
from service.people.attempts import address_counted, count_attempt, give_back
from service.people.limits import SESSION_IDLE, TOUCH_EVERY
from service.people.roles import LoginAudience, capabilities_of, roles_for
from service.people.tokens import is_token_shaped, keyed_digest, make_token, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Request
    from sqlalchemy import Connection, Row

    from service.bootstrap import Service

_EMAIL = re.compile(r"[^\s@<>,;:\"\x00-\x20]{1,64}@[^\s@<>,;:\"\x00-\x20]+")
SessionKind = Literal["session", "bearer"]
#: What may be sent as a bearer; an invitation or a link to a download proves nobody's identity.
_BEARERS = frozenset({"session", "bearer", "service"})

_PRESENT = text(
    "select set_config('role', 'zen_login', true), set_config('app.token_sha256', :sha256, true)"
)
_TOKEN = text(
    "select t.tenant_id, t.token_id, t.kind, t.user_id, t.audience, t.label, t.scopes,"
    " t.created_at, t.expires_at, t.last_used_at, t.revoked_at,"
    # Whose it is may from now on be read: their name and their roles.
    " set_config('app.user_id', coalesce(t.user_id::text, ''), true) as person,"
    " n.status as tenant_status, n.kind as tenant_kind"
    " from access_tokens t join tenants n on n.tenant_id = t.tenant_id"
    " where t.token_sha256 = :sha256"
)
_MEMBER = text(
    "select u.name, u.status, array_agg(m.role) as roles from users u"
    " join memberships m on m.user_id = u.user_id"
    " where u.user_id = :person and m.tenant_id = :tenant and m.disabled_at is null"
    " group by u.name, u.status"
)
_PERSON = text("select user_id, email, name, password_hash, status from users where email = :email")
_PLACES = text(
    "select n.tenant_id, n.slug, n.name, n.kind, array_agg(m.role) as roles"
    " from memberships m join tenants n on n.tenant_id = m.tenant_id"
    " where m.user_id = :person and m.disabled_at is null and n.status = 'active'"
    " and (cast(:firm as text) is null or n.slug = :firm)"
    " group by n.tenant_id order by n.slug"
)
_NEW_TOKEN = text(
    "insert into access_tokens (tenant_id, token_id, kind, token_sha256, user_id, audience, label,"
    " created_at, last_used_at, expires_at)"
    " values (:tenant, :token, :kind, :sha256, :person, :audience, :label, :at, :at, :expires)"
)
# Never waits: whoever else is writing the time writes nearly the same one.
_TOUCH = text(
    "update access_tokens set last_used_at = :at where tenant_id = :tenant and token_id = ("
    " select token_id from access_tokens where tenant_id = :tenant and token_id = :token"
    " for update skip locked)"
)


def authenticate(
    connection: Connection,
    *,
    token: str | None,
    session: str | None,
    request_id: str,
    wanted_tenant: UUID | None,
    at: datetime | None = None,
) -> Actor:
    """Who a bearer token or a session belongs to, and what they may do.

    Args:
        connection: in a transaction. Afterwards it acts as zen_login and names the person; the
            caller goes on in the role of the actor's audience.
        token: what the header Authorization brought, if anything; it counts before the session.
        session: what the cookie brought, if anything.
        request_id: under which this is told.
        wanted_tenant: the firm that the header X-Zenops-Tenant names; the studio alone may.
        at: the instant; now, unless a test says otherwise.

    Raises:
        ServiceError: 401 TOKEN_MISSING or TOKEN_INVALID, which does not say what is wrong with it;
            403 TENANT_NOT_YOURS; 404 for a firm that is not there.
    """
    at = at or clock.now()
    presented = token or session
    if not presented:
        raise _unauthorised("TOKEN_MISSING", "You are not logged in", "Log in first.")
    if not is_token_shaped(presented):
        raise token_invalid()
    sha256 = token_digest(presented)
    connection.execute(_PRESENT, {"sha256": sha256})
    row = connection.execute(_TOKEN, {"sha256": sha256}).one_or_none()
    if row is None or row.kind not in (_BEARERS if token else {"session"}) or _is_over(row, at):
        raise token_invalid()
    name, capabilities = _whose(connection, row)
    if row.last_used_at is None or at - row.last_used_at >= TOUCH_EVERY:
        connection.execute(_TOUCH, {"at": at, "tenant": row.tenant_id, "token": row.token_id})
    actor = Actor(
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        audience=row.audience,
        capabilities=capabilities,
        name=name,
        request_id=request_id,
        token_id=row.token_id,
    )
    if wanted_tenant is None or wanted_tenant == row.tenant_id:
        return actor
    return _for_another_firm(connection, actor, wanted_tenant)


def _is_over(row: Row[Any], at: datetime) -> bool:
    """Whether a token has ended: by its time, by somebody, or because nobody used it."""
    if row.revoked_at is not None or at >= row.expires_at or row.tenant_status != "active":
        return True
    return bool(row.kind == "session" and at - (row.last_used_at or row.created_at) >= SESSION_IDLE)


def _whose(connection: Connection, row: Row[Any]) -> tuple[str, frozenset[str]]:
    """The name behind a token, and what its roles give within its scopes."""
    scopes = frozenset(row.scopes) if row.scopes is not None else None
    if row.user_id is None:
        # A program's token: its scopes are all it has, as far as they are still known.
        return row.label or "service", (scopes or frozenset()) & capabilities_of(["super_admin"])
    member = connection.execute(
        _MEMBER, {"person": row.user_id, "tenant": row.tenant_id}
    ).one_or_none()
    if member is None or member.status != "active":
        raise token_invalid()
    roles = roles_for(row.audience, row.tenant_kind, member.roles)
    if not roles:
        raise token_invalid()
    capabilities = capabilities_of(roles)
    return member.name, capabilities if scopes is None else capabilities & scopes


def _for_another_firm(connection: Connection, actor: Actor, wanted: UUID) -> Actor:
    """The studio's actor in the firm that it named."""
    if actor.audience != "studio":
        raise forbidden(
            "TENANT_NOT_YOURS",
            "You cannot act for another firm",
            "Leave out the header X-Zenops-Tenant; it is for the studio.",
        )
    become(connection, "zen_studio", tenant_id=wanted, user_id=actor.user_id, audience="studio")
    known = connection.scalar(
        text("select 1 from tenants where tenant_id = :tenant"), {"tenant": wanted}
    )
    if known is None:
        raise not_found()
    return replace(actor, tenant_id=wanted)


def _unauthorised(code: str, title: str, detail: str) -> ServiceError:
    return ServiceError(401, code, title, detail, headers={"WWW-Authenticate": "Bearer"})


def token_invalid() -> ServiceError:
    """The one refusal of a token that is wrong, over, revoked, or whose owner may not come in."""
    return _unauthorised("TOKEN_INVALID", "Your login is not valid", "Log in again.")


def login_failed() -> ServiceError:
    """The one refusal of a login, whatever was the matter with it."""
    return ServiceError(
        401,
        "LOGIN_FAILED",
        "You could not be logged in",
        "Check the e-mail address, the password, and where you want to log in.",
    )


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that has just been made; `token` is shown this once."""

    token: str = field(repr=False)
    expires_at: datetime
    actor: Actor
    roles: tuple[str, ...]
    firm: str


def log_in(
    service: Service,
    *,
    email: str,
    password: str,
    audience: LoginAudience,
    firm: str | None = None,
    address: str,
    request_id: str,
    kind: SessionKind = "bearer",
    former: str | None = None,
    at: datetime | None = None,
) -> LoggedIn:
    """Let somebody in who knows the password, in a transaction of its own.

    Args:
        service: database and counters.
        email: as it was typed.
        password: as it was typed.
        audience: where they want to go.
        firm: the slug of the firm, for people who belong to several.
        address: where the request came from, for the count of attempts.
        request_id: under which this is told.
        kind: a session, which ends when nobody uses it, or a bearer token.
        former: a session that the same browser had; it ends.
        at: the instant; now, unless a test says otherwise.

    Raises:
        ServiceError: 401 LOGIN_FAILED whatever was wrong; 409 FIRM_REQUIRED with the firms to
            choose from, once the password was right; 429 or 503 as `count_attempt` says.
    """
    at = at or clock.now()
    # What is no address at all is an unknown one, and costs the same work.
    email = normal_email(email) if is_email(normal_email(email)) else ""
    counted = count_attempt(
        service, {"login_email": email, "login_address": address_counted(address)}
    )
    with transaction(service.engine, role="zen_login") as connection:
        person = _who_knows(connection, email, password)
        if person is None:
            raise login_failed()
        give_back(service, counted)
        place = the_place(places_of(connection, person.user_id, audience, firm))
        if passwords.is_outdated(person.password_hash):
            connection.execute(
                text("update users set password_hash = :hash where user_id = :person"),
                {"hash": passwords.hash_password(password), "person": person.user_id},
            )
        return start_session(
            connection,
            service,
            person=person,
            place=place,
            audience=audience,
            kind=kind,
            request_id=request_id,
            at=at,
            former=former,
        )


def _who_knows(connection: Connection, email: str, password: str) -> Row[Any] | None:
    """The person with an address, if the password is theirs; the work is the same for everybody."""
    put(connection, "app.login_email", email)
    person = connection.execute(_PERSON, {"email": email}).one_or_none()
    is_right = passwords.verify_password(person.password_hash if person else None, password)
    if person is None or not is_right or person.status != "active":
        return None
    put(connection, "app.user_id", str(person.user_id))
    return person


def places_of(
    connection: Connection, user_id: UUID, audience: LoginAudience, firm: str | None
) -> list[Row[Any]]:
    """The active tenants in which a person has a role for an audience."""
    rows = connection.execute(_PLACES, {"person": user_id, "firm": firm}).all()
    return [row for row in rows if roles_for(audience, row.kind, row.roles)]


def the_place(places: Sequence[Row[Any]]) -> Row[Any]:
    """The one tenant that somebody goes to.

    Raises:
        ServiceError: 401 LOGIN_FAILED, there is none; 409 FIRM_REQUIRED, there are several.
    """
    if not places:
        raise login_failed()
    if len(places) > 1:
        raise conflict(
            "FIRM_REQUIRED",
            "You belong to several firms",
            "Name one of them as `firm`.",
            firms=[one.slug for one in places],
        )
    return places[0]


def start_session(
    connection: Connection,
    service: Service,
    *,
    person: Row[Any],
    place: Row[Any],
    audience: LoginAudience,
    kind: SessionKind,
    request_id: str,
    at: datetime,
    former: str | None = None,
) -> LoggedIn:
    """Make the token of a login that has been proved, always a fresh one.

    Args:
        connection: as zen_login, naming the person.
        service: for how long a login lasts.
        person: user_id and name.
        place: tenant_id, slug, kind and roles of the tenant.
        audience: where the person goes.
        kind: a session or a bearer token.
        request_id: under which this is told.
        at: the instant.
        former: a session that the same browser had; it ends.
    """
    if former is not None:
        _end(connection, former, at)
    made = make_token()
    token_id = new_id()
    expires_at = at + timedelta(hours=service.settings.session_hours)
    put(connection, "app.token_sha256", made.sha256)
    put(connection, "app.tenant_id", str(place.tenant_id))
    connection.execute(
        _NEW_TOKEN,
        {
            "tenant": place.tenant_id,
            "token": token_id,
            "kind": kind,
            "sha256": made.sha256,
            "person": person.user_id,
            "audience": audience,
            "label": "login",
            "at": at,
            "expires": expires_at,
        },
    )
    roles = roles_for(audience, place.kind, place.roles)
    actor = Actor(
        tenant_id=place.tenant_id,
        user_id=person.user_id,
        audience=audience,
        capabilities=capabilities_of(roles),
        name=person.name,
        request_id=request_id,
        token_id=token_id,
    )
    record(connection, actor, "people:session:started", subject=("token", token_id))
    return LoggedIn(made.clear, expires_at, actor, roles, place.slug)


def _end(connection: Connection, clear: str, at: datetime) -> None:
    """End the session with a token, whoever's it was: who holds it may end it."""
    put(connection, "app.token_sha256", token_digest(clear))
    connection.execute(
        text(
            "update access_tokens set revoked_at = :at"
            " where token_sha256 = :sha256 and kind = 'session' and revoked_at is null"
        ),
        {"at": at, "sha256": token_digest(clear)},
    )


def end_session(connection: Connection, actor: Actor, *, at: datetime | None = None) -> None:
    """End the login that an actor came with, on the server, whatever kind of token it is."""
    at = at or clock.now()
    with as_login(connection, tenant_id=actor.tenant_id, user_id=actor.user_id):
        home = connection.scalar(
            text(
                "update access_tokens set revoked_at = :at"
                " where token_id = :token and revoked_at is null returning tenant_id"
            ),
            {"at": at, "token": actor.token_id},
        )
        if home is not None:
            put(connection, "app.tenant_id", str(home))
            record(
                connection,
                replace(actor, tenant_id=home),
                "people:session:ended",
                subject=("token", actor.token_id),
            )


def change_password(
    connection: Connection,
    service: Service,
    actor: Actor,
    *,
    current: str,
    new: str,
    at: datetime | None = None,
) -> None:
    """Take a new password and end every session and token of the person, in every firm.

    Raises:
        ServiceError: 403, a program has no password, or the current one is wrong; 422, the new one
            would be guessed; 429 and 503 as `count_attempt` says.
    """
    at = at or clock.now()
    if actor.user_id is None:
        raise forbidden("NOT_A_PERSON", "A program's token has no password")
    counted = count_attempt(service, {"password_user": str(actor.user_id)})
    with as_login(connection, tenant_id=actor.tenant_id, user_id=actor.user_id):
        person = connection.execute(
            text("select email, password_hash from users where user_id = :person for update"),
            {"person": actor.user_id},
        ).one()
        if not passwords.verify_password(person.password_hash, current):
            raise forbidden(
                "PASSWORD_WRONG", "The current password is not right", "Nothing was changed."
            )
        give_back(service, counted)
        passwords.check_password(new, email=person.email, field="new")
        connection.execute(
            text(
                "update users set password_hash = :hash, password_changed_at = :at"
                " where user_id = :person"
            ),
            {"hash": passwords.hash_password(new), "at": at, "person": actor.user_id},
        )
        end_everywhere(connection, actor.user_id, at)
        record(connection, actor, "people:password:changed", subject=("user", actor.user_id))


def end_everywhere(connection: Connection, user_id: UUID, at: datetime) -> None:
    """End all sessions and tokens of a person; the connection acts as zen_login and names them."""
    connection.execute(
        text(
            "update access_tokens set revoked_at = :at"
            " where user_id = :person and revoked_at is null"
        ),
        {"at": at, "person": user_id},
    )


def is_email(text_: str) -> bool:
    """Whether a text can be an address at all; whether somebody reads there, nobody knows."""
    return len(text_) <= 254 and _EMAIL.fullmatch(text_) is not None


def normal_email(text_: str) -> str:
    """An address as it is kept: without blanks around it, in small letters."""
    return text_.strip().lower()


def cookie_name(service: Service) -> str:
    """What the cookie of a session is called; browsers hold `__Host-` to this very host."""
    return "__Host-zenops" if service.settings.public_url.startswith("https:") else "zenops"


def session_cookie(service: Service, request: Request) -> str | None:
    """The session's token in a request's cookie, if there is one."""
    return request.cookies.get(cookie_name(service)) or None


def session_cookie_of(service: Service, made: LoggedIn) -> dict[str, Any]:
    """What `Response.set_cookie` takes to give a browser its session."""
    return {
        "key": cookie_name(service),
        "value": made.token,
        "expires": made.expires_at,
        "secure": service.settings.public_url.startswith("https:"),
        "httponly": True,
        "samesite": "Lax",
        "path": "/",
    }


def csrf_token(service: Service, session: str) -> str:
    """What a page's forms send along, to prove that they came from a page of this session."""
    return keyed_digest(service.settings.secret_key, "csrf", session)


def is_csrf_token(service: Service, session: str, given: str) -> bool:
    """Whether a form's token was made for this session, with our key or a former one."""
    keys = (service.settings.secret_key, *service.settings.secret_key_fallbacks)
    fitting = [
        hmac.compare_digest(given.encode(), keyed_digest(key, "csrf", session).encode())
        for key in keys
    ]
    return any(fitting)


def client_address(service: Service, request: Request) -> str:
    """Where a request came from.

    X-Forwarded-For counts only as far as our own proxies wrote it: each of them adds one address at
    the end, and whatever stands further left was sent by the caller and may be invented.
    """
    hops = service.settings.trusted_proxies
    written = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    chain = [*(part for part in written if part), request.remote_addr or ""]
    return chain[max(-len(chain), -1 - hops)]
