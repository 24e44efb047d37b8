"""Who is billed: accounts, by the keys that both systems know them by, and their policies."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text

from contracts.canonical_json import canonical_json
from service import clock
from service.billing.acting import as_billing, record_in
from service.billing.journal import lock_account
from service.billing.usage import record_usage
from service.errors import conflict, invalid, not_found, version_conflict
from service.identifiers import new_id, read_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from service.actor import Actor

AccountType = Literal["tenant", "external_associate"]
Mode = Literal["POSTPAID", "CREDIT"]
Status = Literal["active", "suspended"]
#: To whom it is supplied, for GST: anybody in India, a unit or developer of a special economic zone, or
#: somebody abroad.
Supply = Literal["regular", "sez", "overseas"]

#: The days an invoice may take to be paid, unless the account has others.
TERMS_DAYS: Mapping[str, int] = {"tenant": 15, "external_associate": 7}

# The older system's grammar, with the channels that it sends too.
_KEY = re.compile(
    r"(?:v1:(?:partner|client|assignment|invoice|channel)|v2:(?:tenant|external)):[A-Za-z0-9_-]+"
)
_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Account:
    """A billing account; its columns."""

    tenant_id: UUID
    account_id: UUID
    account_type: AccountType
    external_key: str
    display_name: str
    owner_user_id: UUID | None
    status: Status
    billing_mode: Mode
    is_enabled: bool
    payment_terms_days: int
    credit_cost_model: str
    currency: str
    bill_to: str
    state_code: str | None
    gstin: str | None
    version: int
    created_at: datetime
    updated_at: datetime


_FIELDS = tuple(field.name for field in dataclasses.fields(Account))
_SELECT = f"select {', '.join(_FIELDS)} from billing_accounts"  # noqa: S608 - names of our own
_FIND = text(f"{_SELECT} where tenant_id = :tenant and account_id = :account")
_FIND_ANYWHERE = text(f"{_SELECT} where account_id = :account")
_BY_KEY = text(f"{_SELECT} where external_key = :key")
_OF_WORK = text(
    f"{_SELECT} where tenant_id = :tenant and (external_key = :own"
    " or external_key = :external and is_enabled)"
    " order by external_key = :own limit 1"
)
_OWN = text(
    f"{_SELECT} where tenant_id = :tenant and owner_user_id = :person"
    " order by created_at, account_id limit 1"
)
_INSERT = text(
    f"insert into billing_accounts ({', '.join(_FIELDS)})"  # noqa: S608
    f" values ({', '.join(f':{name}' for name in _FIELDS)})"
    " on conflict (external_key) do nothing"
)
_INSERT_WALLET = text(
    "insert into credit_wallets (tenant_id, account_id) values (:tenant_id, :account_id)"
)
_UPDATE = text(
    f"update billing_accounts set {', '.join(f'{name} = :{name}' for name in _FIELDS)}"  # noqa: S608
    " where tenant_id = :tenant_id and account_id = :account_id"
)


def read_external_key(written: str) -> str:
    """The key that a text is.

    Raises:
        ServiceError: 400 EXTERNAL_KEY_INVALID.
    """
    if len(written) > _KEY_LENGTH or not _KEY.fullmatch(written):
        raise invalid(
            "EXTERNAL_KEY_INVALID",
            "This is no key of a billing account",
            "Write v1:partner:, v1:client:, v1:assignment:, v1:invoice:, v1:channel:, v2:tenant: or "
            f"v2:external:, then letters, digits, _ or -, at most {_KEY_LENGTH} characters.",
        )
    return written


def tenant_key(tenant_id: UUID) -> str:
    """The key of a firm's own account."""
    return f"v2:tenant:{tenant_id}"


def external_key(user_id: UUID) -> str:
    """The key of the account of a person of the portal."""
    return f"v2:external:{user_id}"


def find_account(connection: Connection, tenant_id: UUID, account_id: UUID) -> Account:
    """An account of a firm.

    Raises:
        ServiceError: 404, there is none that the caller may see.
    """
    found = _read(connection, _FIND, tenant=tenant_id, account=account_id)
    if found is None:
        raise not_found()
    return found


def find_any_account(connection: Connection, account_id: UUID) -> Account:
    """An account of whatever firm; the connection acts as zen_studio.

    Raises:
        ServiceError: 404.
    """
    found = _read(connection, _FIND_ANYWHERE, account=account_id)
    if found is None:
        raise not_found()
    return found


def account_by_key(connection: Connection, external_key: str) -> Account | None:
    """The account with a key, if there is one and the role of the connection sees it."""
    return _read(connection, _BY_KEY, key=external_key)


def account_for(connection: Connection, tenant_id: UUID, requester: UUID | None) -> Account | None:
    """Whom work is billed to: the requester's own account if it is enabled, else the firm's.

    Reading writes nothing: a firm whose account nobody has needed yet has none (None).
    """
    return _read(
        connection,
        _OF_WORK,
        tenant=tenant_id,
        own=tenant_key(tenant_id),
        external=None if requester is None else external_key(requester),
    )


def account_of_person(connection: Connection, tenant_id: UUID, user_id: UUID) -> Account | None:
    """The account that somebody of the portal has as their own, or None."""
    return _read(connection, _OWN, tenant=tenant_id, person=user_id)


def ensure_account_for(
    connection: Connection, actor: Actor, requester: UUID | None = None
) -> Account:
    """Whom work is billed to; the firm's account is created if it is needed now and not there.

    Args:
        connection: in the actor's role.
        actor: of the firm whose work it is.
        requester: who asked for the work, if somebody did.
    """
    found = account_for(connection, actor.tenant_id, requester)
    if found is not None:
        return found
    name = connection.scalar(
        text("select name from tenants where tenant_id = :tenant"), {"tenant": actor.tenant_id}
    )
    return _create(
        connection,
        actor,
        _new(actor.tenant_id, tenant_key(actor.tenant_id), "tenant", name or "The firm"),
    )


def create_account(
    connection: Connection,
    actor: Actor,
    tenant_id: UUID,
    *,
    external_key: str,
    display_name: str,
    account_type: AccountType = "tenant",
    owner_user_id: UUID | None = None,
    payment_terms_days: int | None = None,
    bill_to: Mapping[str, Any] | None = None,
    state_code: str | None = None,
    gstin: str | None = None,
) -> Account:
    """Create an account of a firm: POSTPAID, enabled, without credits.

    Args:
        connection: in the actor's role.
        actor: the studio.
        tenant_id: the firm whose account it is.
        external_key: the key both systems know it by; see `read_external_key`.
        display_name: what people read.
        account_type: the firm itself, or somebody outside it whose work it does.
        owner_user_id: the person of the portal who sees it as their own; the one that a key
            v2:external:... names unless it is given.
        payment_terms_days: how long invoices may take; by type unless given.
        bill_to: how invoices address it.
        state_code: the GST code of the state it is in.
        gstin: its GSTIN.

    Raises:
        ServiceError: 400 EXTERNAL_KEY_INVALID; 409 EXTERNAL_KEY_TAKEN, an account is never given
            to another firm, nor written over.
    """
    made = dataclasses.replace(
        _new(tenant_id, read_external_key(external_key), account_type, display_name),
        owner_user_id=owner_user_id or _person_of(connection, external_key),
        bill_to=canonical_json(bill_to or {}).decode(),
        state_code=state_code,
        gstin=gstin,
    )
    if payment_terms_days is not None:
        made = dataclasses.replace(made, payment_terms_days=payment_terms_days)
    written = _create(connection, actor, made)
    if written.account_id != made.account_id:
        raise _taken(external_key)
    return written


def change_account(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    wanted_version: int | None = None,
    reason: str | None = None,
    **changes: Any,
) -> Account:
    """Change how an account is called and addressed, or suspend it.

    Args:
        connection: in the actor's role.
        actor: the studio.
        account: the account as the caller knows it.
        wanted_version: the version that the change was made on, if it has to be that.
        reason: why.
        changes: any of display_name, status, bill_to (its text), state_code, gstin, owner_user_id.

    Raises:
        ServiceError: 404; 412 VERSION_CONFLICT.
    """
    assert set(changes) <= {
        "display_name",
        "status",
        "bill_to",
        "state_code",
        "gstin",
        "owner_user_id",
    }
    with as_billing(connection, account.tenant_id):
        lock_account(connection, account.tenant_id, account.account_id)
        before = find_account(connection, account.tenant_id, account.account_id)
        _check_version(wanted_version, before)
        after = _save(connection, before, changes)
    _record_change(connection, actor, before, after, "billing:account:changed", reason)
    return after


def change_policy(
    connection: Connection,
    actor: Actor,
    account: Account,
    *,
    wanted_version: int | None = None,
    force_enable_credit: bool = False,
    reason: str | None = None,
    billing_mode: Mode | None = None,
    payment_terms_days: int | None = None,
    is_enabled: bool | None = None,
) -> Account:
    """Change how an account pays; what is None stays as it is.

    Args:
        connection: in the actor's role.
        actor: the studio.
        account: the account as the caller knows it.
        wanted_version: the version that the change was made on, if it has to be that.
        force_enable_credit: switch to CREDIT although there are no credits.
        reason: why.
        billing_mode: POSTPAID or CREDIT.
        payment_terms_days: how long invoices may take.
        is_enabled: whether work may be begun for it.

    Raises:
        ServiceError: 404; 412 VERSION_CONFLICT; 409 CREDIT_MODE_NEEDS_CREDITS.
    """
    given = {
        "billing_mode": billing_mode,
        "payment_terms_days": payment_terms_days,
        "is_enabled": is_enabled,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    with as_billing(connection, account.tenant_id):
        wallet = lock_account(connection, account.tenant_id, account.account_id)
        before = find_account(connection, account.tenant_id, account.account_id)
        _check_version(wanted_version, before)
        switched = billing_mode is not None and billing_mode != before.billing_mode
        if (
            switched
            and billing_mode == "CREDIT"
            and wallet.available <= 0
            and not force_enable_credit
        ):
            raise conflict(
                "CREDIT_MODE_NEEDS_CREDITS",
                "The account has no credits to pay with",
                "Grant credits first, or switch with force_enable_credit.",
            )
        after = _save(connection, before, changes)
    action = "billing:policy:changed"
    word = "enabled" if billing_mode == "CREDIT" else "disabled"
    if switched:
        action = f"billing:credit_mode:{word}"
    _record_change(connection, actor, before, after, action, reason)
    if switched:
        record_usage(
            connection,
            actor,
            after,
            f"credit_mode_{word}",
            key=f"credit_mode:{after.account_id}:{after.version}",
        )
    return after


def _person_of(connection: Connection, key: str) -> UUID | None:
    """The person that a key names, if there is such a person."""
    person = read_id(key.removeprefix("v2:external:"))
    if person is None:
        return None
    found: UUID | None = connection.scalar(
        text("select user_id from users where user_id = :person"), {"person": person}
    )
    return found


def _new(tenant_id: UUID, key: str, kind: AccountType, name: str) -> Account:
    now = clock.now()
    return Account(
        tenant_id=tenant_id,
        account_id=new_id(),
        account_type=kind,
        external_key=key,
        display_name=name,
        owner_user_id=None,
        status="active",
        billing_mode="POSTPAID",
        is_enabled=True,
        payment_terms_days=TERMS_DAYS[kind],
        credit_cost_model="flat",
        currency="INR",
        bill_to="{}",
        state_code=None,
        gstin=None,
        version=1,
        created_at=now,
        updated_at=now,
    )


def _create(connection: Connection, actor: Actor, made: Account) -> Account:
    """The new account; the firm's own one with that key if somebody else has just created it."""
    with as_billing(connection, made.tenant_id):
        if not connection.execute(_INSERT, dataclasses.asdict(made)).rowcount:
            found = account_by_key(connection, made.external_key)
            if found is None:
                raise _taken(made.external_key)
            return found
        connection.execute(_INSERT_WALLET, dataclasses.asdict(made))
    record_in(
        connection,
        actor,
        made.tenant_id,
        "billing:account:created",
        subject=("billing_account", made.account_id),
        after=_told(made),
    )
    return made


def _taken(key: str) -> Exception:
    return conflict(
        "EXTERNAL_KEY_TAKEN",
        "There is an account with this key",
        f"{key} names one account for ever, and stays the firm's that has it.",
    )


def _check_version(wanted: int | None, account: Account) -> None:
    if wanted is not None and wanted != account.version:
        raise version_conflict(wanted, account.version)


def _save(connection: Connection, before: Account, changes: Mapping[str, Any]) -> Account:
    after = dataclasses.replace(before, **changes)
    if after == before:
        return before
    after = dataclasses.replace(after, version=before.version + 1, updated_at=clock.now())
    connection.execute(_UPDATE, dataclasses.asdict(after))
    return after


def _record_change(
    connection: Connection,
    actor: Actor,
    before: Account,
    after: Account,
    action: str,
    reason: str | None,
) -> None:
    if after is before:
        return
    was, now = _told(before), _told(after)
    differing = [name for name in now if was[name] != now[name]]
    record_in(
        connection,
        actor,
        after.tenant_id,
        action,
        subject=("billing_account", after.account_id),
        reason=reason,
        before={name: was[name] for name in differing},
        after={name: now[name] for name in differing},
    )


def _told(account: Account) -> dict[str, Any]:
    """What the audit trail says of an account."""
    whole = dataclasses.asdict(account)
    return {
        name: value
        for name, value in whole.items()
        if name not in {"tenant_id", "account_id", "created_at", "updated_at", "version"}
    }


def _read(connection: Connection, statement: Any, **values: Any) -> Account | None:
    row = connection.execute(statement, values).one_or_none()
    return None if row is None else Account(*row)
