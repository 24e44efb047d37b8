"""Which capabilities there are, which role gives which, and where a role may log in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from contracts.strict_yaml import read_yaml
from contracts.validation import validate

Capability = Annotated[str, StringConstraints(pattern=r"^[a-z]+(?:\.[a-z]+)+$", max_length=60)]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,40}$")]
LoginAudience = Literal["web", "studio", "portal"]
TenantKind = Literal["firm", "external", "service"]

#: The role that holds every capability, and of which each firm keeps at least one person.
HIGHEST = "super_admin"


class Role(BaseModel):
    """What a role gives and where it may log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    means: str
    audiences: tuple[LoginAudience, ...]
    capabilities: tuple[Capability, ...]


class Roles(BaseModel):
    """The whole of roles.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capabilities: dict[Capability, str]
    audiences: dict[LoginAudience, tuple[TenantKind, ...]]
    roles: dict[RoleName, Role]

    @model_validator(mode="after")
    def _belongs_together(self) -> Roles:
        known = set(self.capabilities)
        for name, role in self.roles.items():
            if unknown := sorted(set(role.capabilities) - known):
                raise ValueError(f"the role {name} gives what is no capability: {unknown}")
            if len(set(role.capabilities)) != len(role.capabilities):
                raise ValueError(f"the role {name} names a capability twice")
            if not role.audiences:
                raise ValueError(f"the role {name} may log in nowhere")
        if HIGHEST not in self.roles or set(self.roles[HIGHEST].capabilities) != known:
            raise ValueError(f"{HIGHEST} does not list every capability")
        return self


@cache
def the_roles() -> Roles:
    """What roles.yaml says, read once.

    Raises:
        ValueError: the file has problems; they are named.
    """
    path = Path(__file__).with_name("roles.yaml")
    found, problems = validate(Roles, read_yaml(path.read_text(encoding="utf-8"), path.name))
    if found is None:
        raise ValueError("; ".join(f"{one.line}: {one.what}" for one in problems))
    return found


def all_capabilities() -> Mapping[str, str]:
    """Every capability with its meaning."""
    return the_roles().capabilities


def roles_for(audience: str, kind: str, held: Iterable[str]) -> tuple[str, ...]:
    """Those of a person's roles that count for an audience in a tenant of a kind, in order."""
    known = the_roles()
    if kind not in known.audiences.get(audience, ()):  # type: ignore[call-overload]
        return ()
    return tuple(
        name
        for name in sorted(set(held))
        if name in known.roles and audience in known.roles[name].audiences
    )


def capabilities_of(roles: Iterable[str]) -> frozenset[str]:
    """The union of what roles give; a role that is no longer known gives nothing."""
    known = the_roles().roles
    return frozenset(
        capability for name in roles if name in known for capability in known[name].capabilities
    )
