"""A registered valuer signs the digest of a pack's bundle; what still lacks is told.

A signature is for one pack and one digest. The next version has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from service import clock
from service.audit.events import record
from service.errors import conflict, forbidden
from service.identifiers import new_id
from service.packs import records
from service.packs.policy import the_policy

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from service.actor import Actor
    from service.packs.records import Pack, SignOff
    from service.workorders.records import WorkOrder


@dataclass(frozen=True, slots=True)
class SignOffState:
    """Who has signed a pack, and how many must.

    `is_complete` is what the gate asks: the pack stands, is generated, and enough have signed.
    """

    needed: int
    signed: tuple[SignOff, ...]
    is_complete: bool


def sign_off_state(connection: Connection, pack: Pack) -> SignOffState:
    """Who has signed a pack's digest, and whether that is enough for it to leave the firm."""
    signed = tuple(
        one
        for one in records.sign_offs_of(connection, pack.tenant_id, pack.pack_id)
        if one.bundle_digest == pack.bundle_digest
    )
    needed = the_policy().valuers_for(pack.fair_market_value)
    return SignOffState(needed, signed, pack.status == "generated" and len(signed) >= needed)


def sign(
    connection: Connection, actor: Actor, work_order: WorkOrder, *, version: int, bundle_digest: str
) -> Pack:
    """Sign the current pack's digest as the registered valuer that the actor is.

    Args:
        connection: inside the request's transaction.
        actor: holds repogen.sign.
        work_order: its row, locked by this transaction.
        version: of the pack that the valuer has read.
        bundle_digest: of the bundle that the valuer has read.

    Returns:
        The pack that was signed.

    Raises:
        ServiceError: 403 if the actor is no valuer who may sign today; 409 if there is no such
            current, generated pack, or the valuer has signed it already.
    """
    valuer = _valuer_of(connection, actor)
    pack = records.current_pack(connection, actor.tenant_id, work_order.work_order_id, locked=True)
    if pack is None or pack.status != "generated":
        raise conflict(
            "PACK_NOT_GENERATED",
            "There is no finished pack to sign",
            "A pack is signed once its report is printed and proved, and while it is current.",
            pack_status=None if pack is None else pack.status,
        )
    if version != pack.version or bundle_digest != pack.bundle_digest:
        raise conflict(
            "SIGN_OFF_DIGEST_MISMATCH",
            "This is not the pack that would be signed",
            f"The current pack is version {pack.version} with another digest than the one sent, or"
            " the version sent is an older one. Read the current pack, then sign its digest.",
            pack_version=pack.version,
            bundle_digest=pack.bundle_digest,
        )
    signed = connection.execute(
        text(
            "insert into sign_offs (tenant_id, sign_off_id, pack_id, bundle_digest, valuer_id,"
            " valuer_name, registration, registration_valid_until, signed_by, signed_at)"
            " values (:tenant, :sign_off, :pack, :digest, :valuer, :name, :registration,"
            " :valid_until, :person, :now) on conflict do nothing"
        ),
        {
            "tenant": actor.tenant_id,
            "sign_off": new_id(),
            "pack": pack.pack_id,
            "digest": pack.bundle_digest,
            "valuer": valuer.valuer_id,
            "name": valuer.name,
            "registration": valuer.registration,
            "valid_until": valuer.registration_valid_until,
            "person": actor.user_id,
            "now": clock.now(),
        },
    ).rowcount
    if not signed:
        raise conflict(
            "SIGN_OFF_ALREADY_GIVEN",
            "You have signed this pack already",
            "A second signature has to be another registered valuer's.",
        )
    record(
        connection,
        actor,
        "pack:sign_off:given",
        subject=("pack", pack.pack_id),
        work_order_id=pack.work_order_id,
        after={
            "version": pack.version,
            "bundle_digest": pack.bundle_digest,
            "valuer_id": valuer.valuer_id,
            "registration": valuer.registration,
        },
    )
    return pack


def _valuer_of(connection: Connection, actor: Actor) -> Any:
    """The register's entry of the valuer that the actor is; it stays as it is until the commit."""
    valuer = connection.execute(
        text(
            "select valuer_id, name, registration, registration_valid_until, may_sign"
            " from valuers where tenant_id = :tenant and user_id = :person for share"
        ),
        {"tenant": actor.tenant_id, "person": actor.user_id},
    ).one_or_none()
    if valuer is None or not valuer.may_sign:
        raise forbidden(
            "VALUER_MAY_NOT_SIGN",
            "Your login is not that of a valuer who may sign",
            "The firm's register of valuers links a login to a valuer and says who may sign.",
        )
    if not (valuer.registration or "").strip():
        raise forbidden(
            "REGISTRATION_MISSING",
            "You have no registration on file",
            "Enter the registration number in the firm's register of valuers.",
        )
    last_day = valuer.registration_valid_until
    if last_day is not None and last_day < today():
        raise forbidden(
            "REGISTRATION_EXPIRED",
            "Your registration on file has ended",
            f"It was valid until {last_day}. Enter its renewal in the firm's register of valuers.",
            registration_valid_until=last_day,
        )
    return valuer


def today() -> date:
    """The day that a registration has to be valid on."""
    return clock.now().astimezone(ZoneInfo(the_policy().zone)).date()
