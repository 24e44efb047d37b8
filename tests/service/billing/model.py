"""The ledger as plain Python: what each operation has to answer, and what it has to leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelHold:
    """Credits set aside."""

    ref: str
    amount: int
    status: str = "active"
    consumed: int = 0


@dataclass
class ModelAccount:
    """An account: counters, holds by id, and what each operation key was used for."""

    mode: str = "CREDIT"
    is_enabled: bool = True
    status: str = "active"
    available: int = 0
    reserved: int = 0
    #: In the order of their making.
    holds: dict[Any, ModelHold] = field(default_factory=dict)
    #: Key -> what was asked under it, and the counters that were answered.
    keys: dict[str, tuple[Any, tuple[int, int, int]]] = field(default_factory=dict)

    @property
    def counters(self) -> tuple[int, int, int]:
        """Wallet, reserved, available."""
        return self.available + self.reserved, self.reserved, self.available

    def meant(self, target: Any) -> Any:
        """The id of the hold that a reference (a text) or an id means; None if there is none."""
        if not isinstance(target, str):
            return target if target in self.holds else None
        of_it = [name for name, hold in self.holds.items() if hold.ref == target]
        active = [name for name in of_it if self.holds[name].status == "active"]
        return (active or of_it or [None])[-1]


@dataclass(frozen=True)
class Outcome:
    """What an operation has to answer: a refusal's code, or the counters."""

    code: str | None = None
    counters: tuple[int, int, int] = (0, 0, 0)
    is_replay: bool = False
    #: The credits an operator gave besides.
    override: int = 0


class RefusedError(Exception):
    """A refusal."""


def predict(account: ModelAccount, key: str, asked: Any) -> Outcome | None:
    """The outcome of an operation whose key is known; None if it is not."""
    if key not in account.keys:
        return None
    known, answered = account.keys[key]
    if known != asked:
        raise RefusedError("IDEMPOTENCY_KEY_REUSED")
    return Outcome(counters=answered, is_replay=True)


def grant(account: ModelAccount, key: str, kind: str, amount: int) -> Outcome:
    """A grant, a top-up or an adjustment."""
    if (abs(amount) if kind == "adjustment" else amount) < 1:
        raise RefusedError("CREDIT_AMOUNT_INVALID")
    asked = (kind, amount)
    if known := predict(account, key, asked):
        return known
    if account.available + amount < 0:
        raise RefusedError("INSUFFICIENT_CREDITS")
    account.available += amount
    account.keys[key] = asked, account.counters
    return Outcome(counters=account.counters)


def reserve(
    account: ModelAccount, key: str, amount: int, ref: str, *, override: bool, hold_id: Any
) -> Outcome:
    """A reservation; `hold_id` is the id it gets if it is made."""
    if amount < 1:
        raise RefusedError("CREDIT_AMOUNT_INVALID")
    asked = ("reserve", amount, ref, override)
    if known := predict(account, key, asked):
        return known
    if not account.is_enabled or account.status != "active":
        raise RefusedError("ACCOUNT_NOT_ACTIVE")
    if account.mode != "CREDIT":
        raise RefusedError("BILLING_MODE_NOT_CREDIT")
    if any(hold.ref == ref and hold.status == "active" for hold in account.holds.values()):
        raise RefusedError("HOLD_EXISTS")
    given = 0
    if amount > account.available:
        if not override:
            raise RefusedError("INSUFFICIENT_CREDITS")
        if f"{key}:override" in account.keys:
            raise RefusedError("IDEMPOTENCY_KEY_REUSED")
        given = amount - account.available
        account.available += given
        account.keys[f"{key}:override"] = asked, account.counters
    account.available -= amount
    account.reserved += amount
    account.holds[hold_id] = ModelHold(ref, amount)
    account.keys[key] = asked, account.counters
    return Outcome(counters=account.counters, override=given)


def end(account: ModelAccount, key: str, kind: str, target: Any, amount: int | None) -> Outcome:
    """A consumption, a release or an expiry."""
    if amount is not None and amount < 1:
        raise RefusedError("CREDIT_AMOUNT_INVALID")
    asked = (kind, target, amount)
    if known := predict(account, key, asked):
        return known
    meant = account.meant(target)
    if meant is None:
        raise RefusedError("NOT_FOUND")
    hold = account.holds[meant]
    if hold.status != "active":
        raise RefusedError(f"RESERVATION_ALREADY_{hold.status.upper()}")
    used = 0
    if kind == "consume":
        used = hold.amount if amount is None else amount
        if used > hold.amount:
            raise RefusedError("RESERVATION_TOO_SMALL")
    account.reserved -= hold.amount
    account.available += hold.amount - used
    hold.status, hold.consumed = ("consumed" if kind == "consume" else "released"), used
    account.keys[key] = asked, account.counters
    return Outcome(counters=account.counters)


def switch(
    account: ModelAccount, mode: str, is_enabled: bool, status: str, *, force: bool
) -> Outcome:
    """A change of the policy and of the account's status."""
    if mode == "CREDIT" != account.mode and account.available < 1 and not force:
        raise RefusedError("CREDIT_MODE_NEEDS_CREDITS")
    account.mode, account.is_enabled, account.status = mode, is_enabled, status
    return Outcome(counters=account.counters)
