"""Addresses that let their holder do one thing with one file for a short time, without a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from service.clock import now
from service.errors import forbidden

if TYPE_CHECKING:
    from service.settings import Settings

Purpose = Literal["upload", "download"]


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """What a signature says: whose file, and until when."""

    tenant_id: UUID
    document_id: UUID
    expires_at: datetime


def sign(
    settings: Settings, purpose: Purpose, tenant_id: UUID, document_id: UUID, *, seconds: int
) -> tuple[str, datetime]:
    """A signature to be sent along as `token`, and the instant it ends."""
    until = (now() + timedelta(seconds=seconds)).replace(microsecond=0)
    claims = [str(tenant_id), str(document_id), int(until.timestamp())]
    text = _signer(settings, purpose).dumps(claims)
    return (text if isinstance(text, str) else text.decode()), until


def read_signature(
    settings: Settings, purpose: Purpose, document_id: UUID, token: str
) -> SignedAddress:
    """What a signature allows.

    Raises:
        ServiceError: 403 ADDRESS_EXPIRED, the same for a wrong signature, another file and a late
            request.
    """
    try:
        tenant, document, until = _signer(settings, purpose).loads(token)
        found = SignedAddress(UUID(tenant), UUID(document), datetime.fromtimestamp(until, UTC))
    except (BadData, ValueError, TypeError, AttributeError, OverflowError):
        found = None
    if found is None or found.document_id != document_id or found.expires_at <= now():
        raise forbidden(
            "ADDRESS_EXPIRED",
            "This address is not valid any more",
            "Such an address is good for a quarter of an hour and one file; ask for a new one.",
        )
    return found


def _signer(settings: Settings, purpose: Purpose) -> URLSafeSerializer:
    # The last key signs; all of them are believed.
    keys = [*settings.secret_key_fallbacks, settings.secret_key]
    return URLSafeSerializer(keys, salt=f"zenops.files.{purpose}")
