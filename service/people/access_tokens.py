"""Tokens for programs: making them, seeing them, ending them; and forgetting what has long ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.audit.events import record
from service.database.connections import transaction
from service.errors import FieldError, ServiceError, forbidden, not_found
from service.identifiers import new_id
from service.people.limits import LONGEST_TOKEN_LIFE, TOKEN_KEPT_AFTER_END
from service.people.roles import all_capabilities
from service.people.shapes import AccessToken
from service.people.tokens import NewToken, make_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from service.bootstrap import Service

#: Without this one sees and ends only one's own tokens.
FOR_OTHERS = "tokens.write"

_ALIVE = text(
    "select token_id, kind, label, user_id, created_by, audience, scopes, created_at, expires_at,"
    " last_used_at from access_tokens where tenant_id = :tenant"
    " and kind in ('session', 'bearer', 'service') and revoked_at is null and expires_at > :at"
    " and (:all or user_id = :person or token_id = :token)"
    " and (cast(:one as uuid) is null or token_id = :one)"
    " order by created_at desc, token_id limit 500"
)
_NEW = text(
    "insert into access_tokens (tenant_id, token_id, kind, token_sha256, user_id, audience, label,"
    " scopes, created_by, created_at, expires_at) values (:tenant, :token, :kind, :sha256, :person,"
    " :audience, :label, :scopes, :creator, :at, :expires)"
)


def live_tokens(
    connection: Connection, actor: Actor, *, one: UUID | None = None, at: datetime | None = None
) -> list[AccessToken]:
    """The sessions and tokens that are alive: the firm's for who may, one's own for others.

    Args:
        connection: in the actor's role.
        actor: who asks.
        one: only this token, if given.
        at: the instant; now, unless a test says otherwise.
    """
    rows = connection.execute(
        _ALIVE,
        {
            "tenant": actor.tenant_id,
            "at": at or clock.now(),
            "all": actor.may(FOR_OTHERS),
            "person": actor.user_id,
            "token": actor.token_id,
            "one": one,
        },
    ).all()
    return [_token(row) for row in rows]


def create_token(
    connection: Connection,
    actor: Actor,
    *,
    kind: Literal["bearer", "service"],
    label: str,
    scopes: Sequence[str],
    expires_at: datetime,
    at: datetime | None = None,
) -> tuple[NewToken, AccessToken]:
    """Make a token that can do no more than the actor.

    A bearer token acts as the actor, in their audience, and loses what they lose. A service token
    is the firm's own and outlives whoever made it.

    Raises:
        ServiceError: 403 CAPABILITY_NOT_YOURS or NOT_A_PERSON; 422 for a capability that is not
            known or an end that is past or too far away.
    """
    at = at or clock.now()
    _check_wishes(scopes, expires_at, at)
    if beyond := sorted(set(scopes) - actor.capabilities):
        raise forbidden(
            "CAPABILITY_NOT_YOURS",
            "A token can do no more than its maker",
            f"You lack {', '.join(beyond)}.",
        )
    if kind == "bearer" and actor.user_id is None:
        raise forbidden("NOT_A_PERSON", "A program's token acts as nobody")
    made = make_token()
    token = AccessToken(
        token_id=new_id(),
        kind=kind,
        label=label,
        user_id=actor.user_id if kind == "bearer" else None,
        created_by=actor.user_id,
        audience=actor.audience if kind == "bearer" else "service",
        scopes=tuple(sorted(set(scopes))),
        created_at=at,
        expires_at=expires_at,
        last_used_at=None,
    )
    assert token.scopes is not None
    connection.execute(
        _NEW,
        {
            "tenant": actor.tenant_id,
            "token": token.token_id,
            "kind": kind,
            "sha256": made.sha256,
            "person": token.user_id,
            "audience": token.audience,
            "label": label,
            "scopes": list(token.scopes),
            "creator": actor.user_id,
            "at": at,
            "expires": expires_at,
        },
    )
    record(
        connection,
        actor,
        "people:token:made",
        subject=("token", token.token_id),
        after={"kind": kind, "label": label, "scopes": list(token.scopes)},
    )
    return made, token


def _check_wishes(scopes: Sequence[str], expires_at: datetime, at: datetime) -> None:
    wrong = [
        FieldError("scopes", f"There is no capability {scope}.", "CAPABILITY_UNKNOWN")
        for scope in scopes
        if scope not in all_capabilities()
    ]
    if not at < expires_at <= at + LONGEST_TOKEN_LIFE:
        said = f"A token ends within {LONGEST_TOKEN_LIFE.days} days, and not in the past."
        wrong.append(FieldError("expires_at", said, "OUT_OF_RANGE"))
    if wrong:
        raise ServiceError(
            422,
            "VALIDATION_FAILED",
            "Some fields are not as they have to be",
            f"{len(wrong)} of the fields must be mended; see errors.",
            tuple(wrong),
        )


def end_token(connection: Connection, actor: Actor, token_id: UUID) -> None:
    """End a session or token of one's own, or of the firm for who may.

    Raises:
        ServiceError: 404, there is none that the actor can see alive.
    """
    if not live_tokens(connection, actor, one=token_id):
        raise not_found()
    connection.execute(
        text(
            "update access_tokens set revoked_at = :at"
            " where tenant_id = :tenant and token_id = :token and revoked_at is null"
        ),
        {"at": clock.now(), "tenant": actor.tenant_id, "token": token_id},
    )
    record(connection, actor, "people:token:ended", subject=("token", token_id))


def forget_ended(service: Service) -> int:
    """Delete sessions, tokens and invitations that ended long ago; how many those were.

    For a nightly tick, as zen_jobs. Who had which token still stands in the audit.
    """
    with transaction(service.engine, role="zen_system") as connection:
        return connection.execute(
            text("delete from access_tokens where expires_at < :before"),
            {"before": clock.now() - TOKEN_KEPT_AFTER_END},
        ).rowcount


def _token(row: Row[Any]) -> AccessToken:
    return AccessToken(
        token_id=row.token_id,
        kind=row.kind,
        label=row.label,
        user_id=row.user_id,
        created_by=row.created_by,
        audience=row.audience,
        scopes=None if row.scopes is None else tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
