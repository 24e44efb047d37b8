"""Routes about logging in, people, tokens and firms."""

from __future__ import annotations

import json
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import UUID

from flask import Response, g, request, url_for
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from service.api.access import EVERYBODY, OPERATORS, access, public
from service.api.answers import answer, etag, json_ready, page_of
from service.api.request_life import current, current_request_id, the_service
from service.api.requests import path_id, wanted_version
from service.clock import now
from service.errors import not_found
from service.people import access_tokens, firms, founding, members, signing_in
from service.people.acting import in_tenant
from service.people.limits import SIGN_IN_ELSEWHERE
from service.people.roles import HIGHEST, the_roles
from service.people.shapes import (
    Acceptance,
    AcceptedAnswer,
    AccessTokens,
    FirmAnswer,
    FirmChange,
    Invitation,
    InvitationAnswer,
    LoggedInAnswer,
    Login,
    Me,
    NewAccessToken,
    NewAccessTokenAnswer,
    NewTenant,
    NewTenantAnswer,
    OpenInvitation,
    OpenInvitations,
    PasswordChange,
    People,
    Person,
    PersonChange,
    RoleDescription,
    RoleList,
    Slug,
    Tenant,
    TenantChange,
    Tenants,
    UserChange,
)

api = APIBlueprint("people", __name__, url_prefix="/v1", abp_tags=[Tag(name="people and access")])

DESK = ("web", "studio")


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    cursor: UUID | None = Field(None, description="next_cursor of the page before")


class FirmQuery(BaseModel):
    """Which firm, for people who belong to several."""

    model_config = ConfigDict(extra="forbid")

    firm: Slug | None = None


class PersonPath(BaseModel):
    """One person."""

    user_id: str


class TokenPath(BaseModel):
    """One token or session."""

    token_id: str


class InvitationPath(BaseModel):
    """One invitation."""

    invitation_id: str


class TenantPath(BaseModel):
    """One firm."""

    tenant_id: str


def shown_once(body: BaseModel, secret: str, path: tuple[str, ...] = ()) -> Response:
    """An answer that holds a secret; a repeat under the same idempotency key gets it without."""
    kept: Any = json_ready(body)
    inner = kept
    for step in path:
        inner = inner[step]
    inner[secret] = None
    g.kept_body = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    return answer(body, 201)


# --- Logging in and out


@api.post("/auth/login", summary="Log in", responses={200: LoggedInAnswer})
@public
def log_in(body: Login) -> Response:
    """Give a token to somebody who knows the password; it lasts some hours and is shown once."""
    service = the_service()
    made = signing_in.log_in(
        service,
        email=body.email,
        password=body.password,
        audience=body.audience,
        firm=body.firm,
        address=signing_in.client_address(service, request),
        request_id=current_request_id(),
    )
    return answer(
        LoggedInAnswer(
            token=made.token,
            expires_at=made.expires_at,
            firm=made.firm,
            name=made.actor.name,
            audience=made.actor.audience,
            roles=made.roles,
            capabilities=tuple(sorted(made.actor.capabilities)),
        )
    )


@api.post("/auth/logout", summary="Log out", responses={204: None})
@access(None, audiences=EVERYBODY)
def log_out() -> Response:
    """End the token or session that the request came with."""
    context = current()
    signing_in.end_session(context.connection, context.actor)
    return Response(status=204)


@api.get("/auth/me", summary="Who I am", responses={200: Me})
@access(None, audiences=EVERYBODY)
def me() -> Response:
    """Say who is asking, for which firm, and what they may do."""
    context = current()
    actor = context.actor
    firm = context.connection.execute(
        text("select slug, name from tenants where tenant_id = :tenant"),
        {"tenant": actor.tenant_id},
    ).one()
    email = context.connection.scalar(
        text("select email from users where user_id = :person"), {"person": actor.user_id}
    )
    return answer(
        Me(
            user_id=actor.user_id,
            name=actor.name,
            email=email,
            tenant_id=actor.tenant_id,
            firm=firm.slug,
            firm_name=firm.name,
            audience=actor.audience,
            capabilities=tuple(sorted(actor.capabilities)),
        )
    )


@api.post("/auth/password", summary="Change my password", responses={204: None})
@access(None, audiences=("web", "studio", "portal"))
def change_password(body: PasswordChange) -> Response:
    """Take a new password; every session and token of the person ends, this one too."""
    context = current()
    signing_in.change_password(
        context.connection,
        context.service,
        context.actor,
        current=body.current,
        new=body.new,
    )
    return Response(status=204)


@api.post(
    "/auth/invitations/accept", summary="Accept an invitation", responses={201: AcceptedAnswer}
)
@public
def accept_invitation(body: Acceptance) -> Response:
    """Join a firm; whoever has an account gives its password, others choose one."""
    service = the_service()
    done = members.accept_invitation(
        service,
        token=body.token,
        name=body.name,
        password=body.password,
        address=signing_in.client_address(service, request),
        request_id=current_request_id(),
    )
    return answer(
        AcceptedAnswer(user_id=done.user_id, email=done.email, firm=done.firm, roles=done.roles),
        201,
    )


@api.get("/auth/oidc", summary="Log in at the identity provider", responses={302: None})
@public
def leave_for_provider(query: FirmQuery) -> Response:
    """Send a browser to the provider; there is none unless the installation has one."""
    oidc, service = _provider_login(), the_service()
    address = signing_in.client_address(service, request)
    leaving = oidc.leave(service, firm=query.firm, address=address)
    response = Response(status=302, headers={"Location": leaving.address})
    # Lax, because the way back begins at the provider.
    response.set_cookie(
        _state_cookie(),
        leaving.state,
        max_age=SIGN_IN_ELSEWHERE,
        secure=service.settings.public_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


@api.get("/auth/oidc/callback", summary="Back from the identity provider", responses={303: None})
@public
def come_back_from_provider() -> Response:
    """Start a session for a member whose address the provider has proved, and show the desk."""
    oidc, service = _provider_login(), the_service()
    made = oidc.come_back(
        service,
        state=request.args.get("state", ""),
        expected_state=request.cookies.get(_state_cookie(), ""),
        code=request.args.get("code", ""),
        request_id=current_request_id(),
        former=signing_in.session_cookie(service, request),
    )
    response = Response(status=303, headers={"Location": url_for("desk.queue")})
    response.delete_cookie(
        _state_cookie(),
        secure=service.settings.public_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )
    response.set_cookie(**signing_in.session_cookie_of(service, made))
    return response


def _provider_login() -> ModuleType:
    """The module that knows the provider, which is an extra: without a provider nobody loads it."""
    if not the_service().settings.oidc_issuer:
        raise not_found()
    return import_module("service.people.oidc")


def _state_cookie() -> str:
    return signing_in.cookie_name(the_service()) + "-oidc"


# --- People of the firm


@api.get("/roles", summary="Roles and capabilities", responses={200: RoleList})
@access(None, audiences=OPERATORS)
def list_roles() -> Response:
    """Say which roles there are and what each may do."""
    known = the_roles()
    return answer(
        RoleList(
            roles=tuple(
                RoleDescription(
                    role=name,
                    means=role.means,
                    audiences=role.audiences,
                    capabilities=role.capabilities,
                )
                for name, role in known.roles.items()
            ),
            capabilities=dict(known.capabilities),
        )
    )


@api.get("/people", summary="Who belongs to the firm", responses={200: People})
@access("people.read", audiences=OPERATORS)
def list_people(query: PageQuery) -> Response:
    """Give a page of the firm's people, those who are shut out too."""
    context = current()
    found = members.people_of(
        context.connection, context.actor, after=query.cursor, limit=query.limit + 1
    )
    shown, last = page_of(found, query.limit)
    return answer(People(items=tuple(shown), next_cursor=None if last is None else last.user_id))


@api.get("/people/<user_id>", summary="One person", responses={200: Person})
@access("people.read", audiences=OPERATORS)
def show_person(path: PersonPath) -> Response:
    """Give one person of the firm."""
    context = current()
    return answer(members.the_person(context.connection, context.actor, path_id(path.user_id)))


@api.post("/people", summary="Invite somebody", responses={201: InvitationAnswer})
@access("people.write", audiences=DESK)
def invite(body: Invitation) -> Response:
    """Make an invitation of seven days, whose token is handed to the person.

    The answer is the same whether or not we know the address.
    """
    context = current()
    made = members.invite(context.connection, context.actor, email=body.email, roles=body.roles)
    return shown_once(_invitation(made), "token")


def _invitation(made: members.Invited) -> InvitationAnswer:
    return InvitationAnswer(
        invitation_id=made.invitation_id,
        email=made.email,
        roles=made.roles,
        expires_at=made.expires_at,
        token=made.token,
    )


@api.patch("/people/<user_id>", summary="Change roles; shut out", responses={200: Person})
@access("people.write", audiences=DESK)
def change_person(path: PersonPath, body: PersonChange) -> Response:
    """Give and take roles, shut somebody out of the firm or let them in again."""
    context = current()
    return answer(
        members.change_person(
            context.connection,
            context.actor,
            path_id(path.user_id),
            roles=body.roles,
            is_disabled=body.is_disabled,
            reason=body.reason,
        )
    )


@api.get("/invitations", summary="Open invitations", responses={200: OpenInvitations})
@access("people.read", audiences=DESK)
def list_invitations() -> Response:
    """Give the invitations that can still be accepted."""
    context = current()
    rows = members.open_invitations(context.connection, context.actor)
    items = tuple(OpenInvitation.model_validate(row._mapping) for row in rows)  # noqa: SLF001
    return answer(OpenInvitations(items=items))


@api.delete("/invitations/<invitation_id>", summary="Withdraw", responses={204: None})
@access("people.write", audiences=DESK)
def withdraw_invitation(path: InvitationPath) -> Response:
    """End an invitation before it is accepted."""
    context = current()
    members.withdraw_invitation(context.connection, context.actor, path_id(path.invitation_id))
    return Response(status=204)


# --- Tokens


@api.get("/tokens", summary="Tokens and sessions that are alive", responses={200: AccessTokens})
@access(None, audiences=OPERATORS)
def list_tokens() -> Response:
    """Give one's own tokens and sessions, or the firm's to who may."""
    context = current()
    items = tuple(access_tokens.live_tokens(context.connection, context.actor))
    return answer(AccessTokens(items=items))


@api.post("/tokens", summary="Make a token", responses={201: NewAccessTokenAnswer})
@access("tokens.write", audiences=DESK)
def create_token(body: NewAccessToken) -> Response:
    """Make a token for a program, which can do no more than its maker; it is shown once."""
    context = current()
    made, token = access_tokens.create_token(
        context.connection,
        context.actor,
        kind=body.kind,
        label=body.label,
        scopes=body.scopes,
        expires_at=body.expires_at,
    )
    return shown_once(NewAccessTokenAnswer(**token.model_dump(), token=made.clear), "token")


@api.delete("/tokens/<token_id>", summary="End a token", responses={204: None})
@access(None, audiences=DESK)
def end_token(path: TokenPath) -> Response:
    """End a token or session of one's own, or of the firm for who may."""
    context = current()
    access_tokens.end_token(context.connection, context.actor, path_id(path.token_id))
    return Response(status=204)


# --- The firm


@api.get("/firm", summary="The firm's settings", responses={200: FirmAnswer})
@access(None, audiences=OPERATORS)
def show_firm() -> Response:
    """Give the letterhead and what else the firm has decided."""
    context = current()
    found = firms.firm_of(context.connection, context.actor)
    return answer(found, headers=etag(found.version))


@api.patch("/firm", summary="Change the firm's settings", responses={200: FirmAnswer})
@access("firm.settings", audiences=DESK)
def change_firm(body: FirmChange) -> Response:
    """Change the letterhead, the logo, or how long papers are kept."""
    context = current()
    changed = firms.change_firm(
        context.connection,
        context.actor,
        body,
        given=frozenset(body.model_fields_set),
        wanted_version=wanted_version(request),
    )
    return answer(changed, headers=etag(changed.version))


# --- The studio


@api.get("/studio/tenants", summary="All firms", responses={200: Tenants})
@access("tenants.read", audiences=("studio",))
def list_tenants(query: PageQuery) -> Response:
    """Give a page of all firms."""
    found = firms.tenants(current().connection, after=query.cursor, limit=query.limit + 1)
    shown, last = page_of(found, query.limit)
    return answer(Tenants(items=tuple(shown), next_cursor=None if last is None else last.tenant_id))


@api.post("/studio/tenants", summary="Found a firm", responses={201: NewTenantAnswer})
@access("tenants.write", audiences=("studio",))
def found_tenant(body: NewTenant) -> Response:
    """Found a firm and invite whoever is to run it."""
    context = current()
    made = founding.found_firm(
        context.connection,
        context.actor,
        slug=body.slug,
        name=body.name,
        kind=body.kind,
        letterhead=body.firm,
        at=now(),
    )
    with in_tenant(context.connection, made.tenant_id):
        invited = members.invite(
            context.connection,
            firms.acting_in(context.actor, made.tenant_id),
            email=body.admin_email,
            roles=(HIGHEST,),
        )
    tenant = firms.tenants(context.connection, one=made.tenant_id, limit=1)[0]
    return shown_once(
        NewTenantAnswer(tenant=tenant, invitation=_invitation(invited)), "token", ("invitation",)
    )


@api.patch("/studio/tenants/<tenant_id>", summary="Suspend a firm", responses={200: Tenant})
@access("tenants.write", audiences=("studio",))
def change_tenant(path: TenantPath, body: TenantChange) -> Response:
    """Suspend a firm, or take it back."""
    context = current()
    return answer(
        firms.set_tenant_status(
            context.connection,
            context.actor,
            path_id(path.tenant_id),
            status=body.status,
            reason=body.reason,
        )
    )


@api.patch("/studio/people/<user_id>", summary="Disable a person", responses={204: None})
@access("tenants.write", audiences=("studio",))
def change_user(path: PersonPath, body: UserChange) -> Response:
    """Disable a person in every firm, with all their sessions and tokens; or enable them."""
    context = current()
    firms.set_user_status(
        context.connection,
        context.actor,
        path_id(path.user_id),
        status=body.status,
        reason=body.reason,
    )
    return Response(status=204)
