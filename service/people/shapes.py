"""Bodies and answers of the routes about people, tokens and firms."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.case import Firm
from service.people.roles import LoginAudience, RoleName, TenantKind

Email = Annotated[str, StringConstraints(min_length=3, max_length=254)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
#: Far longer than a password may be: what is too long is said by the rules for passwords.
TypedPassword = Annotated[str, StringConstraints(max_length=1000)]
TokenText = Annotated[str, StringConstraints(max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Body(BaseModel):
    """What is sent: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(Body):
    """Who wants to come in, and where."""

    email: Email
    password: TypedPassword
    audience: LoginAudience
    firm: Slug | None = None


class LoggedInAnswer(BaseModel):
    """A login; the token is shown this once."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind, not a token
    expires_at: datetime
    firm: str
    name: str
    audience: str
    roles: tuple[str, ...]
    capabilities: tuple[str, ...]


class Me(BaseModel):
    """Who is asking, and what they may do."""

    user_id: UUID | None
    name: str
    email: str | None
    tenant_id: UUID
    firm: str
    firm_name: str
    audience: str
    capabilities: tuple[str, ...]


class PasswordChange(Body):
    """A new password, and the present one as proof."""

    current: TypedPassword
    new: TypedPassword


class Person(BaseModel):
    """Somebody who belongs to the firm."""

    user_id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    is_disabled: bool
    created_at: datetime


class People(BaseModel):
    """A page of the firm's people."""

    items: tuple[Person, ...]
    next_cursor: UUID | None


class Invitation(Body):
    """Whom to invite, as what."""

    email: Email
    roles: Annotated[tuple[RoleName, ...], Field(min_length=1, max_length=20)]


class InvitationAnswer(BaseModel):
    """An invitation; the token is shown this once, and is for the invited person alone."""

    invitation_id: UUID
    email: str
    roles: tuple[str, ...]
    expires_at: datetime
    token: str | None


class OpenInvitation(BaseModel):
    """An invitation that can still be accepted."""

    invitation_id: UUID
    email: str
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


class OpenInvitations(BaseModel):
    """All invitations that can still be accepted."""

    items: tuple[OpenInvitation, ...]


class Acceptance(Body):
    """Who accepts an invitation; somebody whom we know gives their present password."""

    token: TokenText
    name: Name
    password: TypedPassword


class AcceptedAnswer(BaseModel):
    """Who has joined which firm; they log in next."""

    user_id: UUID
    email: str
    firm: str
    roles: tuple[str, ...]


class PersonChange(Body):
    """What changes about somebody in the firm; what is left out stays."""

    roles: Annotated[tuple[RoleName, ...] | None, Field(min_length=1, max_length=20)] = None
    is_disabled: bool | None = None
    reason: Reason | None = None


class RoleDescription(BaseModel):
    """A role: what it is for, what it gives, where it may log in."""

    role: str
    means: str
    audiences: tuple[str, ...]
    capabilities: tuple[str, ...]


class RoleList(BaseModel):
    """Every role, and every capability with its meaning."""

    roles: tuple[RoleDescription, ...]
    capabilities: dict[str, str]


class NewAccessToken(Body):
    """A token to be made: `bearer` acts as its maker, `service` is a program of the firm."""

    kind: Literal["bearer", "service"] = "bearer"
    label: Name
    scopes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=60)], ...],
        Field(min_length=1, max_length=100),
    ]
    expires_at: AwareDatetime


class AccessToken(BaseModel):
    """A token as it is known afterwards."""

    token_id: UUID
    kind: str
    label: str | None
    user_id: UUID | None
    created_by: UUID | None
    audience: str
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewAccessTokenAnswer(AccessToken):
    """A token that has just been made; `token` is shown this once."""

    token: str | None


class AccessTokens(BaseModel):
    """The tokens and sessions that are alive."""

    items: tuple[AccessToken, ...]


class FirmAnswer(BaseModel):
    """What a firm has decided for itself."""

    tenant_id: UUID
    slug: str
    name: str
    kind: str
    firm: Firm
    logo_document_id: UUID | None
    retention_years: int
    version: int
    updated_at: datetime


class FirmChange(Body):
    """What changes about the firm; what is left out stays, and a letterhead is replaced whole."""

    firm: Firm | None = None
    logo_document_id: UUID | None = None
    retention_years: Annotated[int | None, Field(ge=3, le=100)] = None


class NewTenant(Body):
    """A firm to be founded, and who is to run it."""

    slug: Slug
    name: Name
    kind: TenantKind = "firm"
    admin_email: Email
    firm: Firm | None = None


class Tenant(BaseModel):
    """A firm as the studio sees it."""

    tenant_id: UUID
    slug: str
    name: str
    kind: str
    status: str
    created_at: datetime


class NewTenantAnswer(BaseModel):
    """A firm that has just been founded, and the invitation of whoever is to run it."""

    tenant: Tenant
    invitation: InvitationAnswer


class Tenants(BaseModel):
    """A page of firms."""

    items: tuple[Tenant, ...]
    next_cursor: UUID | None


class TenantChange(Body):
    """A firm is suspended, or taken back."""

    status: Literal["active", "suspended"]
    reason: Reason


class UserChange(Body):
    """A person is disabled in every firm, or enabled again."""

    status: Literal["active", "disabled"]
    reason: Reason
