"""Puts the head of each chain outside of the database, signed and written once.

A chain alone is no evidence against somebody who can compute it anew, cut off its end or put an
older backup back. An anchor says, in the object storage and with the service's signature: at this
time the chain had this many seals, and the last one's hash was this.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.database.connections import transaction
from service.errors import ServiceError
from service.objects.storage import get_bytes, listed, put_new

if TYPE_CHECKING:
    from service.bootstrap import Service
    from service.objects.storage import Objects
    from service.settings import Settings

_LARGEST = 4_000

log = structlog.get_logger("zenops.audit")

_HEADS = text(
    "select t.tenant_id, s.seq, s.hash from tenants t left join lateral ("
    "  select seq, hash from audit_seals where tenant_id = t.tenant_id order by seq desc limit 1"
    ") s on true order by t.tenant_id"
)
_SEAL_AT = text("select hash from audit_seals where tenant_id = :tenant and seq = :seq")


class AnchorError(Exception):
    """An anchor that proves nothing: altered, in the wrong place, or by a key that is not ours."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was true of a chain at a time."""

    tenant_id: str
    seq: int
    hash: str
    anchored_at: str
    public_key: str
    signature: str = ""


def anchor(service: Service) -> int:
    """Write an anchor for each tenant whose chain has grown; for a daily tick, as zen_jobs.

    Returns:
        How many were written. A chain that does not contain its newest anchor gets none and an
        error in the log: somebody has to look, and a new anchor would hide it.
    """
    with transaction(service.engine, role="zen_system") as connection:
        heads = connection.execute(_HEADS).all()
    written = 0
    for head in heads:
        try:
            newest = newest_anchor(service.objects, head.tenant_id, public_keys(service.settings))
        except AnchorError as error:
            log.error("audit anchor", tenant=str(head.tenant_id), reason=str(error))  # noqa: TRY400
            continue
        if newest is not None and not _contains(service, newest):
            log.error(
                "the audit does not contain its anchor", tenant=newest.tenant_id, seq=newest.seq
            )
        elif head.seq is not None and (newest is None or newest.seq < head.seq):
            _write(service, head.tenant_id, head.seq, head.hash)
            written += 1
    return written


def anchors_of(objects: Objects, tenant_id: UUID, keys: Collection[str]) -> tuple[Anchor, ...]:
    """A tenant's anchors, oldest first.

    Args:
        objects: the storage.
        tenant_id: whose.
        keys: the public keys, in hexadecimal, whose signatures count (`public_keys`).

    Raises:
        AnchorError: one of them is not what the service wrote.
    """
    return tuple(_read(objects, tenant_id, key, keys) for key in _keys_of(objects, tenant_id))


def newest_anchor(objects: Objects, tenant_id: UUID, keys: Collection[str]) -> Anchor | None:
    """The anchor with the highest number, or None.

    Raises:
        AnchorError: it is not what the service wrote.
    """
    found = _keys_of(objects, tenant_id)
    return _read(objects, tenant_id, found[-1], keys) if found else None


def public_keys(settings: Settings) -> tuple[str, ...]:
    """The public keys of anchors, today's first: one for each secret that still counts."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    return tuple(_signing_key(one).public_key().public_bytes_raw().hex() for one in secrets)


def _signing_key(secret: str) -> Ed25519PrivateKey:
    """The database's administrator does not know the secret that the key comes from."""
    derive = HKDF(SHA256(), length=32, salt=None, info=b"zenops audit anchors")
    return Ed25519PrivateKey.from_private_bytes(derive.derive(secret.encode()))


def _write(service: Service, tenant_id: UUID, seq: int, found: str) -> None:
    key = _signing_key(service.settings.secret_key)
    unsigned = Anchor(
        str(tenant_id),
        seq,
        found,
        f"{clock.now():%Y-%m-%dT%H:%M:%SZ}",
        key.public_key().public_bytes_raw().hex(),
    )
    signature = key.sign(_message(unsigned)).hex()
    content = canonical_json(asdict(unsigned) | {"signature": signature})
    try:
        put_new(service.objects, f"{tenant_id}/audit/{seq:015d}.json", content)
    except ServiceError as error:
        # Another scheduler has just vouched for the same seal, a second apart.
        if error.code != "OBJECT_DIFFERS":
            raise


def _message(anchor: Anchor) -> bytes:
    return canonical_json(asdict(anchor) | {"signature": ""})


def _keys_of(objects: Objects, tenant_id: UUID) -> Sequence[str]:
    return sorted(one.key for one in listed(objects, f"{tenant_id}/audit"))


def _read(objects: Objects, tenant_id: UUID, key: str, keys: Collection[str]) -> Anchor:
    try:
        found = Anchor(**json.loads(get_bytes(objects, key, most=_LARGEST)))
        place = f"{found.tenant_id}/audit/{found.seq:015d}.json"
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.public_key))
        public.verify(bytes.fromhex(found.signature), _message(found))
    except (ValueError, TypeError, AttributeError, InvalidSignature, RecursionError):
        raise AnchorError(f"the anchor {key} was altered") from None
    if place != key or found.tenant_id != str(tenant_id):
        raise AnchorError(f"the anchor {key} stands in another's place")
    if found.public_key not in keys:
        raise AnchorError(
            f"the anchor {key} is signed with the key {found.public_key}, which is not the "
            "service's; if it once was, name it"
        )
    return found


def _contains(service: Service, anchor: Anchor) -> bool:
    with transaction(service.engine, role="zen_system") as connection:
        values = {"tenant": anchor.tenant_id, "seq": anchor.seq}
        return bool(connection.scalar(_SEAL_AT, values) == anchor.hash)
