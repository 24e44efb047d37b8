"""Who asks for something, on whose behalf, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from uuid import UUID

Audience = Literal["web", "studio", "portal", "worker", "service"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a service token or a job, inside one tenant.

    `tenant_id` is the tenant whose rows are meant; the studio names one for what it writes.
    """

    tenant_id: UUID
    user_id: UUID | None
    audience: Audience
    capabilities: frozenset[str]
    name: str
    request_id: str
    token_id: UUID | None = None
    operation_id: UUID | None = None

    def may(self, capability: str) -> bool:
        """Whether the capability is held."""
        return capability in self.capabilities

    @property
    def caller_id(self) -> UUID:
        """What idempotency keys belong to: the person, else the token."""
        found = self.user_id or self.token_id or self.operation_id
        assert found is not None, "an actor is a person, a token or a job"
        return found
