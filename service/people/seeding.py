"""Seeds an installation: a firm to try things with, and the first people of a real one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

import service as package
from contracts.case import Firm, read_case
from contracts.strict_yaml import read_yaml
from service import clock
from service.audit.events import record
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.people.acting import in_tenant, put
from service.people.founding import Founded, add_person, found_firm, founder
from service.people.passwords import hash_password
from service.people.roles import TenantKind, the_roles
from service.people.signing_in import end_everywhere, normal_email

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Engine, Row

    from service.actor import Actor

STUDIO_SLUG = "studio"
DEMO_SLUG = "demo"
#: Where the demo firm's letterhead comes from: the case that `make demo` works through.
SPECIMEN = Path(package.__file__).parent.parent / "fixtures/cases/specimen-house/case.yaml"
#: Whom the demo firm has; the valuer is registered as the letterhead says.
DEMO_PEOPLE = (
    ("operator", "Olivia Operator", "ops_manager"),
    ("valuer", "", "valuer"),
    ("admin", "Adi Administrator", "super_admin"),
    ("portal", "Polly Portal", "portal_user"),
)
# Two installations, or two processes of one, must not seed at the same moment.
_LOCK = text("select pg_advisory_xact_lock(7353638)")

_PLACES = text(
    "select distinct on (n.tenant_id) n.tenant_id, n.slug, m.role from memberships m"
    " join tenants n on n.tenant_id = m.tenant_id where m.user_id = :person"
    " order by n.tenant_id, m.role"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How somebody logs in; the password is known only at this moment."""

    email: str
    password: str = field(repr=False)
    role: str
    audience: str
    firm: str


def seed_demo(engine: Engine, *, specimen: Path = SPECIMEN) -> tuple[Credentials, ...]:
    """Make the studio's tenant with its admin, and the firm `demo` with four people.

    Args:
        engine: of the login role zen_api.
        specimen: the case file that the letterhead is taken from.

    Returns:
        Everybody's credentials, or nothing if the firm is there already.

    Raises:
        ValueError: the case file has problems or no letterhead.
    """
    letterhead = letterhead_of(specimen)
    with transaction(engine, role="zen_studio") as connection:
        connection.execute(_LOCK)
        made: list[Credentials] = []
        if not _is_there(connection, STUDIO_SLUG):
            studio = _found(connection, STUDIO_SLUG, "ZenOps Studio", "service", None)
            made.append(
                _person(
                    connection,
                    studio,
                    "studio@zenops.example",
                    "Stella Studio",
                    "super_admin",
                    "studio",
                )[1]
            )
        if not _is_there(connection, DEMO_SLUG):
            demo = _found(connection, DEMO_SLUG, letterhead.name, "firm", letterhead)
            for account, name, role in DEMO_PEOPLE:
                audience = "portal" if role == "portal_user" else "web"
                is_valuer = role == "valuer" and letterhead.valuer is not None
                user_id, credentials = _person(
                    connection,
                    demo,
                    f"{account}@demo.example",
                    letterhead.valuer.name if is_valuer and letterhead.valuer else name or account,
                    role,
                    audience,
                )
                made.append(credentials)
                if is_valuer:
                    _register_valuer(connection, demo, user_id, letterhead)
        return tuple(made)


def create_firm(
    engine: Engine,
    *,
    slug: str,
    name: str,
    admin_email: str,
    admin_name: str,
    kind: TenantKind = "firm",
) -> Credentials:
    """Found a firm, or the studio itself, with its first administrator.

    Raises:
        ServiceError: 409, the slug or the address is taken.
    """
    with transaction(engine, role="zen_studio") as connection:
        founded = _found(connection, slug, name, kind, None)
        audience = "studio" if kind == "service" else "web"
        return _person(connection, founded, admin_email, admin_name, "super_admin", audience)[1]


def create_user(engine: Engine, *, firm: str, email: str, name: str, role: str) -> Credentials:
    """Make a person in a firm that is there.

    Raises:
        ServiceError: 404, there is no such firm; 422, no such role; 409, the address is taken.
    """
    if role not in the_roles().roles:
        raise ServiceError(
            422, "ROLE_UNKNOWN", "There is no such role", ", ".join(the_roles().roles)
        )
    with transaction(engine, role="zen_studio") as connection:
        tenant = connection.execute(
            text("select tenant_id, slug, kind from tenants where slug = :slug"), {"slug": firm}
        ).one_or_none()
        if tenant is None:
            raise ServiceError(
                404, "FIRM_UNKNOWN", "There is no such firm", f"None is called {firm}."
            )
        kind, audiences = tenant.kind, the_roles().roles[role].audiences
        allowed = [one for one in audiences if kind in the_roles().audiences[one]]
        if not allowed:
            raise ServiceError(
                422,
                "ROLE_NOT_HERE",
                "This role may not log in there",
                f"A tenant of kind {kind} has no {role}.",
            )
        founded = Founded(tenant.tenant_id, tenant.slug)
        return _person(connection, founded, email, name, role, allowed[0])[1]


def reset_password(engine: Engine, *, email: str) -> Credentials:
    """Give somebody who has forgotten their password a new one, and end all their logins.

    A person may belong to several firms, so no firm does this: whoever runs the installation does.

    Raises:
        ServiceError: 404, nobody has this address or they belong to no firm.
    """
    email, at, password = normal_email(email), clock.now(), secrets.token_urlsafe(15)
    with transaction(engine, role="zen_login") as connection:
        put(connection, "app.login_email", email)
        user_id: UUID | None = connection.scalar(
            text("select user_id from users where email = :email"), {"email": email}
        )
        places: Sequence[Row[Any]] = ()
        if user_id is not None:
            put(connection, "app.user_id", str(user_id))
            places = connection.execute(_PLACES, {"person": user_id}).all()
        if not places:
            raise ServiceError(404, "PERSON_UNKNOWN", "There is no such person", email)
        connection.execute(
            text(
                "update users set password_hash = :hash, password_changed_at = :at"
                " where user_id = :person"
            ),
            {"hash": hash_password(password), "at": at, "person": user_id},
        )
        assert user_id is not None
        end_everywhere(connection, user_id, at)
        for place in places:
            put(connection, "app.tenant_id", str(place.tenant_id))
            record(
                connection,
                _installation(place.tenant_id),
                "people:password:reset",
                subject=("user", user_id),
            )
    first = places[0]
    audience = the_roles().roles[first.role].audiences[0] if first.role in the_roles().roles else ""
    return Credentials(email, password, first.role, audience, first.slug)


def letterhead_of(case_file: Path) -> Firm:
    """The firm that a case file is written for.

    Raises:
        ValueError: the file has problems or no firm.
    """
    case, problems = read_case(read_yaml(case_file.read_text(encoding="utf-8"), case_file.name))
    if case is None or case.firm is None:
        raise ValueError(f"{case_file} holds no firm: {problems[:1]}")
    return case.firm


def _is_there(connection: Connection, slug: str) -> bool:
    found = connection.scalar(text("select 1 from tenants where slug = :slug"), {"slug": slug})
    return found is not None


def _found(
    connection: Connection, slug: str, name: str, kind: TenantKind, letterhead: Firm | None
) -> Founded:
    return found_firm(
        connection,
        _installation(new_id()),
        slug=slug,
        name=name,
        kind=kind,
        letterhead=letterhead,
        at=clock.now(),
    )


def _installation(tenant_id: UUID) -> Actor:
    return founder(tenant_id, request_id="")


def _person(
    connection: Connection, founded: Founded, email: str, name: str, role: str, audience: str
) -> tuple[UUID, Credentials]:
    password = secrets.token_urlsafe(15)
    with in_tenant(connection, founded.tenant_id):
        user_id = add_person(
            connection,
            _installation(founded.tenant_id),
            email=email,
            name=name,
            roles=(role,),
            password=password,
            at=clock.now(),
        )
    return user_id, Credentials(normal_email(email), password, role, audience, founded.slug)


def _register_valuer(
    connection: Connection, founded: Founded, user_id: UUID, letterhead: Firm
) -> None:
    """The letterhead's valuer in the firm's register, who may sign for two years."""
    valuer = letterhead.valuer
    assert valuer is not None
    at = clock.now()
    valuer_id = new_id()
    with in_tenant(connection, founded.tenant_id):
        connection.execute(
            text(
                "insert into valuers (tenant_id, valuer_id, user_id, name, qualifications, designation,"
                " registration, registration_valid_until, may_sign, created_at, updated_at)"
                " values (:tenant, :valuer, :person, :name, :qualifications, :designation,"
                " :registration, :until, true, :at, :at)"
            ),
            {
                "tenant": founded.tenant_id,
                "valuer": valuer_id,
                "person": user_id,
                "name": valuer.name,
                "qualifications": valuer.qualifications,
                "designation": valuer.designation,
                "registration": valuer.registration,
                "until": at.date().replace(year=at.year + 2, day=1),
                "at": at,
            },
        )
        record(
            connection,
            _installation(founded.tenant_id),
            "registers:valuer:added",
            subject=("valuer", valuer_id),
            after={"name": valuer.name, "registration": valuer.registration},
        )
