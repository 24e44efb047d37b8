"""Who belongs to a firm: inviting, roles, shutting out and letting in again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service import clock
from service.actor import Actor
from service.audit.events import record
from service.database.connections import transaction
from service.errors import (
    FieldError,
    ServiceError,
    conflict,
    forbidden,
    invalid_fields,
    not_found,
)
from service.identifiers import new_id
from service.people import passwords
from service.people.acting import put
from service.people.attempts import address_counted, count_attempt, give_back
from service.people.limits import INVITATION_LIFE
from service.people.roles import HIGHEST, capabilities_of, the_roles
from service.people.shapes import Person
from service.people.signing_in import is_email, login_failed, normal_email
from service.people.tokens import is_token_shaped, make_token, token_digest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from service.bootstrap import Service

_PEOPLE = text(
    "select u.user_id, u.email, u.name, u.status, u.created_at,"
    " array_agg(m.role order by m.role) as roles,"
    " max(m.disabled_at) as disabled_at"
    " from memberships m join users u on u.user_id = m.user_id"
    " where m.tenant_id = :tenant"
    " and (cast(:person as uuid) is null or m.user_id = :person)"
    " and (cast(:after as uuid) is null or m.user_id > :after)"
    " group by u.user_id, u.email, u.name, u.status, u.created_at"
    " order by u.user_id limit :limit"
)
# The firm's highest are locked along with the person, in one order for everybody: two who take the
# role from each other at the same moment come one after the other, and the second is refused.
_LOCK = text(
    "select m.user_id, m.role, m.disabled_at, u.status from memberships m"
    " join users u on u.user_id = m.user_id"
    " where m.tenant_id = :tenant and (m.user_id = :person or m.role = :highest)"
    " order by m.user_id, m.role for update of m"
)
_INVITATION = text(
    "select t.tenant_id, t.token_id, t.label, t.scopes, t.expires_at, n.slug, n.name"
    " from access_tokens t join tenants n on n.tenant_id = t.tenant_id"
    " where t.token_sha256 = :sha256 and t.kind = 'invitation' and t.revoked_at is null"
    " and n.status = 'active' for update of t"
)


def people_of(
    connection: Connection,
    actor: Actor,
    *,
    person: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> list[Person]:
    """The people of the actor's firm, those who are shut out too, in the order they came.

    Args:
        connection: in the actor's role.
        actor: whose firm.
        person: only this one, if given.
        after: only those behind this one.
        limit: at most so many.
    """
    rows = connection.execute(
        _PEOPLE, {"tenant": actor.tenant_id, "person": person, "after": after, "limit": limit}
    ).all()
    return [
        Person(
            user_id=row.user_id,
            email=row.email,
            name=row.name,
            roles=tuple(row.roles),
            is_disabled=row.disabled_at is not None or row.status != "active",
            created_at=row.created_at,
        )
        for row in rows
    ]


def the_person(connection: Connection, actor: Actor, user_id: UUID) -> Person:
    """One person of the actor's firm.

    Raises:
        ServiceError: 404, there is none.
    """
    if found := people_of(connection, actor, person=user_id):
        return found[0]
    raise not_found()


@dataclass(frozen=True, slots=True)
class _Standing:
    """What somebody holds in a firm, with the rows locked."""

    roles: frozenset[str]
    disabled_at: datetime | None
    # Whether another person could still run the firm.
    has_other_highest: bool


def change_person(
    connection: Connection,
    actor: Actor,
    user_id: UUID,
    *,
    roles: Sequence[str] | None = None,
    is_disabled: bool | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> Person:
    """Give and take roles; shut somebody out of the firm, or let them in again.

    Shutting out ends every session and token of the person in this firm, and the invitations that
    they made or were sent.

    Raises:
        ServiceError: 404; 422 for a role that is not known or not for this kind of tenant; 403
            CAPABILITY_NOT_YOURS, the person has, or would get, a capability that the actor lacks;
            409 LAST_ADMIN or NOT_YOURSELF.
    """
    at = at or clock.now()
    standing = _lock(connection, actor, user_id)
    wanted = standing.roles if roles is None else check_roles(connection, actor, roles)
    shut = standing.disabled_at is not None
    will_be_shut = shut if is_disabled is None else is_disabled
    _check_within(actor, standing.roles | wanted)
    if will_be_shut and not shut and user_id == actor.user_id:
        raise conflict("NOT_YOURSELF", "You cannot shut yourself out", "Another person can.")
    runs_now = HIGHEST in standing.roles and not shut
    runs_then = HIGHEST in wanted and not will_be_shut
    if runs_now and not runs_then and not standing.has_other_highest:
        raise conflict(
            "LAST_ADMIN",
            "Somebody has to run the firm",
            f"Give the role {HIGHEST} to another person first.",
        )
    _write_roles(connection, actor, user_id, standing, wanted, at)
    if will_be_shut != shut:
        _write_shut(connection, actor, user_id, at if will_be_shut else None)
    before = {"roles": sorted(standing.roles), "is_disabled": shut}
    after = {"roles": sorted(wanted), "is_disabled": will_be_shut}
    if before != after:
        action = "people:roles:changed"
        if will_be_shut != shut:
            action = "people:person:disabled" if will_be_shut else "people:person:enabled"
        record(
            connection,
            actor,
            action,
            subject=("user", user_id),
            reason=reason,
            before=before,
            after=after,
        )
    return the_person(connection, actor, user_id)


def _lock(connection: Connection, actor: Actor, user_id: UUID) -> _Standing:
    rows = connection.execute(
        _LOCK, {"tenant": actor.tenant_id, "person": user_id, "highest": HIGHEST}
    ).all()
    own = [row for row in rows if row.user_id == user_id]
    if not own:
        raise not_found()
    return _Standing(
        frozenset(row.role for row in own),
        max((row.disabled_at for row in own if row.disabled_at), default=None),
        any(
            row.user_id != user_id and row.disabled_at is None and row.status == "active"
            for row in rows
        ),
    )


def check_roles(connection: Connection, actor: Actor, roles: Iterable[str]) -> frozenset[str]:
    """Roles that may be held in the actor's tenant, by its kind.

    Raises:
        ServiceError: 422 ROLE_UNKNOWN or ROLE_NOT_HERE.
    """
    kind = connection.scalar(
        text("select kind from tenants where tenant_id = :tenant"), {"tenant": actor.tenant_id}
    )
    known = the_roles()
    wrong = []
    wanted = frozenset(roles)
    for name in sorted(wanted):
        if name not in known.roles:
            said = f"There is no role {name}; there are {', '.join(known.roles)}."
            wrong.append(FieldError("roles", said, "ROLE_UNKNOWN"))
        elif not any(kind in known.audiences[one] for one in known.roles[name].audiences):
            said = f"The role {name} can log in nowhere in a tenant of kind {kind}."
            wrong.append(FieldError("roles", said, "ROLE_NOT_HERE"))
    if wrong:
        raise ServiceError(
            422, wrong[0].code, "These roles cannot be given", wrong[0].message, tuple(wrong)
        )
    return wanted


def _check_within(actor: Actor, roles: Iterable[str]) -> None:
    """Nobody gives what they lack, or takes it from somebody who can do more than they."""
    if beyond := sorted(capabilities_of(roles) - actor.capabilities):
        raise forbidden(
            "CAPABILITY_NOT_YOURS",
            "These roles can do more than you",
            f"You lack {', '.join(beyond)}; somebody who has that can do it.",
        )


def _write_roles(
    connection: Connection,
    actor: Actor,
    user_id: UUID,
    standing: _Standing,
    wanted: frozenset[str],
    at: datetime,
) -> None:
    values = {"tenant": actor.tenant_id, "person": user_id}
    for role in sorted(standing.roles - wanted):
        connection.execute(
            text(
                "delete from memberships"
                " where tenant_id = :tenant and user_id = :person and role = :role"
            ),
            {**values, "role": role},
        )
    for role in sorted(wanted - standing.roles):
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at, disabled_at)"
                " values (:tenant, :person, :role, :at, :disabled)"
            ),
            {**values, "role": role, "at": at, "disabled": standing.disabled_at},
        )


def _write_shut(
    connection: Connection, actor: Actor, user_id: UUID, disabled_at: datetime | None
) -> None:
    values = {"tenant": actor.tenant_id, "person": user_id, "at": disabled_at}
    connection.execute(
        text(
            "update memberships set disabled_at = :at"
            " where tenant_id = :tenant and user_id = :person"
        ),
        values,
    )
    if disabled_at is not None:
        connection.execute(
            text(
                "update access_tokens set revoked_at = :at"
                " where tenant_id = :tenant and revoked_at is null and (user_id = :person"
                " or kind = 'invitation' and (created_by = :person or label ="
                " (select email from users where user_id = :person)))"
            ),
            values,
        )


# --- Invitations


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that has just been made; `token` is shown this once."""

    invitation_id: UUID
    email: str
    roles: tuple[str, ...]
    expires_at: datetime
    token: str = field(repr=False)


def invite(
    connection: Connection,
    actor: Actor,
    *,
    email: str,
    roles: Sequence[str],
    at: datetime | None = None,
) -> Invited:
    """Make an invitation to the actor's firm; an earlier one to the same address ends.

    Whether anybody has that address is looked up only when the invitation is accepted, so that
    the answer cannot tell.

    Raises:
        ServiceError: 422, no address or not a role; 403 CAPABILITY_NOT_YOURS.
    """
    at = at or clock.now()
    email = normal_email(email)
    if not is_email(email):
        what = "This is no e-mail address."
        raise invalid_fields(FieldError("email", what), detail=what)
    wanted = check_roles(connection, actor, roles)
    _check_within(actor, wanted)
    made = make_token()
    invited = Invited(new_id(), email, tuple(sorted(wanted)), at + INVITATION_LIFE, made.clear)
    connection.execute(
        text(
            "update access_tokens set revoked_at = :at where tenant_id = :tenant"
            " and kind = 'invitation' and label = :email and revoked_at is null"
        ),
        {"at": at, "tenant": actor.tenant_id, "email": email},
    )
    connection.execute(
        text(
            "insert into access_tokens (tenant_id, token_id, kind, token_sha256, audience, label,"
            " scopes, created_by, created_at, expires_at) values (:tenant, :token, 'invitation',"
            " :sha256, 'web', :email, :roles, :creator, :at, :expires)"
        ),
        {
            "tenant": actor.tenant_id,
            "token": invited.invitation_id,
            "sha256": made.sha256,
            "email": email,
            "roles": list(invited.roles),
            "creator": actor.user_id,
            "at": at,
            "expires": invited.expires_at,
        },
    )
    record(
        connection,
        actor,
        "people:invitation:made",
        subject=("invitation", invited.invitation_id),
        after={"email": email, "roles": list(invited.roles)},
    )
    return invited


def open_invitations(
    connection: Connection, actor: Actor, *, at: datetime | None = None
) -> Sequence[Row[Any]]:
    """The firm's invitations that can still be accepted, the newest first."""
    return connection.execute(
        text(
            "select token_id as invitation_id, label as email, scopes as roles, created_at,"
            " expires_at from access_tokens where tenant_id = :tenant and kind = 'invitation'"
            " and revoked_at is null and expires_at > :at order by created_at desc limit 500"
        ),
        {"tenant": actor.tenant_id, "at": at or clock.now()},
    ).all()


def withdraw_invitation(connection: Connection, actor: Actor, invitation_id: UUID) -> None:
    """End an invitation before it is accepted.

    Raises:
        ServiceError: 404, there is none that still stands.
    """
    ended = connection.execute(
        text(
            "update access_tokens set revoked_at = :at where tenant_id = :tenant"
            " and token_id = :token and kind = 'invitation' and revoked_at is null"
        ),
        {"at": clock.now(), "tenant": actor.tenant_id, "token": invitation_id},
    ).rowcount
    if not ended:
        raise not_found()
    record(connection, actor, "people:invitation:withdrawn", subject=("invitation", invitation_id))


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody who has just joined a firm, and can now log in."""

    user_id: UUID
    email: str
    firm: str
    roles: tuple[str, ...]


def accept_invitation(
    service: Service,
    *,
    token: str,
    name: str,
    password: str,
    address: str,
    request_id: str,
    at: datetime | None = None,
) -> Accepted:
    """Join a firm, in a transaction of its own.

    A new address gets the name and the password. Somebody whom we know keeps theirs and proves
    with the password that the address is theirs; an invitation alone takes nobody's account.

    Raises:
        ServiceError: 401 INVITATION_INVALID, it is wrong, over, used, or withdrawn; 401
            LOGIN_FAILED; 422 for a new password that would be guessed; 429 and 503.
    """
    at = at or clock.now()
    counted = count_attempt(service, {"invitation_address": address_counted(address)})
    if not is_token_shaped(token):
        raise invitation_invalid()
    sha256 = token_digest(token)
    with transaction(service.engine, role="zen_login") as connection:
        put(connection, "app.token_sha256", sha256)
        row = connection.execute(_INVITATION, {"sha256": sha256}).one_or_none()
        if row is None or at >= row.expires_at:
            raise invitation_invalid()
        put(connection, "app.login_email", row.label)
        user_id = _joining(connection, service, row.label, name, password, at)
        put(connection, "app.user_id", str(user_id))
        put(connection, "app.tenant_id", str(row.tenant_id))
        _take_roles(connection, row, user_id, at)
        connection.execute(
            text(
                "update access_tokens set revoked_at = :at, last_used_at = :at, user_id = :person"
                " where token_sha256 = :sha256"
            ),
            {"at": at, "person": user_id, "sha256": sha256},
        )
        actor = Actor(
            tenant_id=row.tenant_id,
            user_id=user_id,
            audience="web",
            capabilities=frozenset(),
            name=name,
            request_id=request_id,
            token_id=row.token_id,
        )
        record(
            connection, actor, "people:invitation:accepted", subject=("invitation", row.token_id)
        )
    give_back(service, counted)
    return Accepted(user_id, row.label, row.slug, tuple(row.scopes))


def _joining(
    connection: Connection, service: Service, email: str, name: str, password: str, at: datetime
) -> UUID:
    """The person with an address, who has proved it, or whom we have made now."""
    known = connection.execute(
        text("select user_id, password_hash, status from users where email = :email"),
        {"email": email},
    ).one_or_none()
    if known is not None:
        counted = count_attempt(service, {"login_email": email})
        is_right = passwords.verify_password(known.password_hash, password)
        if known.status != "active" or not is_right:
            raise login_failed()
        give_back(service, counted)
        found: UUID = known.user_id
        return found
    passwords.check_password(password, email=email)
    user_id = new_id()
    inserted = connection.execute(
        text(
            "insert into users (user_id, email, name, password_hash, created_at,"
            " password_changed_at) values (:person, :email, :name, :hash, :at, :at)"
            " on conflict (email) do nothing"
        ),
        {
            "person": user_id,
            "email": email,
            "name": name,
            "hash": passwords.hash_password(password),
            "at": at,
        },
    ).rowcount
    if not inserted:
        # Two invitations of one address are being accepted at the same moment.
        raise conflict("TRY_AGAIN", "Somebody was faster", "Send the same again.")
    return user_id


def _take_roles(connection: Connection, row: Row[Any], user_id: UUID, at: datetime) -> None:
    """Write the roles of an invitation; whoever was shut out in the meantime stays outside."""
    shut = connection.scalar(
        text(
            "select 1 from memberships where tenant_id = :tenant and user_id = :person"
            " and disabled_at is not null limit 1"
        ),
        {"tenant": row.tenant_id, "person": user_id},
    )
    if shut is not None:
        raise invitation_invalid()
    for role in row.scopes:
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at)"
                " values (:tenant, :person, :role, :at) on conflict do nothing"
            ),
            {"tenant": row.tenant_id, "person": user_id, "role": role, "at": at},
        )


def invitation_invalid() -> ServiceError:
    """The one refusal of an invitation that does not stand."""
    return ServiceError(
        401,
        "INVITATION_INVALID",
        "This invitation does not stand",
        "It may be over, used or withdrawn. Ask for a new one.",
    )
