"""What the original's tests of credits expect, on a real ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.billing import credits, journal
from service.billing.accounts import Account
from service.bootstrap import Service
from service.errors import ServiceError
from tests.service.billing.conftest import acting, person, studio

REF = ("channel_request", "one")


def test_reserving_twice_with_one_key_is_one_hold(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(2)
    actor = person(account.tenant_id)
    with acting(service, actor) as connection:
        first = credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        second = credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        assert (first.wallet, first.reserved, first.available) == (2, 1, 1)
        assert first.hold is not None
        assert second.hold == first.hold
        assert (first.replayed, second.replayed) == (False, True)
        assert len(credits.holds_of(connection, account.tenant_id, account.account_id)) == 1


def test_a_hold_that_is_consumed_leaves_the_wallet(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(3)
    actor = person(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 2, key="k", ref=REF)
        after = credits.consume(connection, actor, account, ref=REF, key="c")
        assert (after.wallet, after.reserved, after.available) == (1, 0, 1)


def test_a_hold_that_is_released_is_available_again(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(2)
    actor = person(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        after = credits.release(connection, actor, account, ref=REF, key="r", reason="cancelled")
        assert (after.wallet, after.reserved, after.available) == (2, 0, 2)


def test_an_empty_wallet_reserves_nothing(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(0)
    actor = person(account.tenant_id)
    with acting(service, actor) as connection, pytest.raises(ServiceError) as refused:
        credits.reserve(connection, actor, account, 1, key="k", ref=REF)
    assert (refused.value.status, refused.value.code) == (409, "INSUFFICIENT_CREDITS")
    assert refused.value.extra == {"needed": 1, "available": 0}


def test_what_is_consumed_cannot_be_released(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(2)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        credits.consume(connection, actor, account, ref=REF, key="c")
        with pytest.raises(ServiceError) as refused:
            credits.release(connection, actor, account, ref=REF, key="r", reason="cancelled")
        assert refused.value.code == "RESERVATION_ALREADY_CONSUMED"
        assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []
