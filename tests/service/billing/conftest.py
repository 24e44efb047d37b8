"""Accounts with credits, and who acts on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection

from service.actor import Actor
from service.billing import accounts, credits
from service.billing.accounts import Account
from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id


def studio(tenant_id: UUID) -> Actor:
    """A person of the studio, acting in a firm."""
    return Actor(tenant_id, new_id(), "studio", frozenset({"billing.write"}), "Studio", "r")


def person(tenant_id: UUID) -> Actor:
    """A person of the firm."""
    return Actor(tenant_id, new_id(), "web", frozenset({"billing.read"}), "Firm", "r")


@contextlib.contextmanager
def acting(service: Service, actor: Actor) -> Iterator[Connection]:
    """A transaction of whoever acts."""
    with transaction(
        service.engine,
        role="zen_studio" if actor.audience == "studio" else "zen_web",
        tenant_id=actor.tenant_id,
        user_id=actor.user_id,
    ) as connection:
        yield connection


def open_account(
    service: Service,
    tenant_id: UUID,
    granted: int = 0,
    *,
    mode: accounts.Mode = "CREDIT",
    kind: str = "partner",
    account_type: accounts.AccountType = "tenant",
) -> Account:
    """A fresh account of the firm with so many credits."""
    actor = studio(tenant_id)
    with acting(service, actor) as connection:
        made = accounts.create_account(
            connection,
            actor,
            tenant_id,
            external_key=f"v1:{kind}:{new_id()}",
            display_name="Specimen Partner",
            account_type=account_type,
        )
        if granted:
            credits.grant(connection, actor, made, granted, key="first")
        return accounts.change_policy(
            connection, actor, made, billing_mode=mode, force_enable_credit=True
        )


@pytest.fixture(scope="module")
def firm_id(make_firm: Callable[..., object]) -> UUID:
    """A firm."""
    found: UUID = make_firm().tenant_id  # type: ignore[attr-defined]
    return found


@pytest.fixture
def new_account(service: Service, firm_id: UUID) -> Callable[..., Account]:
    """new_account(granted) -> an account of the firm, paying with credits unless told otherwise."""

    def make(granted: int = 0, mode: accounts.Mode = "CREDIT") -> Account:
        return open_account(service, firm_id, granted, mode=mode)

    return make
