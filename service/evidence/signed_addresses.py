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

Purpose = Literal["upload", "download", "deliverable"]


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """What a signature says: whose file, until when, and what else was written into it."""

    tenant_id: UUID
    subject_id: UUID
    expires_at: datetime
    further: tuple[str, ...] = ()


def sign(
    settings: Settings,
    purpose: Purpose,
    tenant_id: UUID,
    subject_id: UUID,
    *,
    seconds: int,
    further: tuple[str, ...] = (),
) -> tuple[str, datetime]:
    """A signature to be sent along as `token`, and the instant it ends.

    Args:
        settings: hold the keys.
        purpose: what it is good for, and nothing else.
        tenant_id: whose file it is.
        subject_id: the document, or what else the address is about.
        seconds: how long it is good.
        further: what its reader has to know besides; not secret, and as signed as the rest.
    """
    until = (now() + timedelta(seconds=seconds)).replace(microsecond=0)
    claims = [str(tenant_id), str(subject_id), int(until.timestamp()), *further]
    text = _signer(settings, purpose).dumps(claims)
    return (text if isinstance(text, str) else text.decode()), until


def read_signature(
    settings: Settings, purpose: Purpose, subject_id: UUID, token: str
) -> SignedAddress:
    """What a signature allows.

    Raises:
        ServiceError: 403 ADDRESS_EXPIRED, the same for a wrong signature, another file and a late
            request.
    """
    try:
        tenant, subject, until, *further = _signer(settings, purpose).loads(token)
        ends = datetime.fromtimestamp(until, UTC)
        found = SignedAddress(UUID(tenant), UUID(subject), ends, tuple(further))
    except (BadData, ValueError, TypeError, AttributeError, OverflowError):
        found = None
    if found is None or found.subject_id != subject_id or found.expires_at <= now():
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
