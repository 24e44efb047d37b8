"""What happens when several let out, free or hold at the same moment, on real connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from service.billing import credits
from service.errors import ServiceError
from service.release import records, releasing
from service.release.questioning import Wish
from tests.service.billing.conftest import acting
from tests.service.packs.specimen import actor_of, as_web
from tests.service.release.conftest import Order


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each gives when all begin at the same moment; a refusal is given too."""
    barrier = Barrier(len(acts))

    def begin(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except ServiceError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def asking(service: Any, order: Order, key: str, **wish: Any) -> Callable[[], Any]:
    actor = actor_of(order.user)
    if wish.get("override"):
        actor = replace(actor, audience="studio")

    def act() -> Any:
        with acting(service, actor) as connection:
            return releasing.release(connection, actor, order.id, Wish(key=key, **wish))

    return act


def freeing(service: Any, order: Order, account: Any, hold_id: Any) -> Callable[[], Any]:
    def act() -> Any:
        with as_web(service, order.user) as connection:
            return credits.release(
                connection,
                actor_of(order.user),
                account,
                hold_id=hold_id,
                key=f"sweep-{hold_id}",
                reason="swept",
            )

    return act


def test_two_releases_with_different_keys_at_once_have_one_effect(
    service: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any, look: Any
) -> None:
    account = open_credit(9)
    for _ in range(3):
        order = make_order()
        hold(account, order)
        before = credits_of(account)
        found = at_once(*(asking(service, order, f"{order.id}-{one}") for one in range(4)))

        assert sorted(one.idempotent for one in found) == [False, True, True, True]
        assert len({one.decision.release_id for one in found}) == 1
        assert credits_of(account) == (before[0] - 1, before[1] - 1, before[2])
        assert look("select count(*) from releases where work_order_id = :id", id=order.id) == [
            (1,)
        ]


def test_one_key_at_once_is_one_decision_on_one_work_order(
    service: Any, make_order: Any, look: Any
) -> None:
    """The same key on two work orders at the same moment: one gets it, the other is refused."""
    one, other = make_order(), make_order()
    found = at_once(asking(service, one, "shared"), asking(service, other, "shared"))
    refused = [error for error in found if isinstance(error, ServiceError)]

    assert [error.code for error in refused] == ["IDEMPOTENCY_KEY_REUSED"]
    assert look("select count(*) from releases where operation_key = 'shared'") == [(1,)]
    again = at_once(*(asking(service, one, f"again-{one.id}") for _ in range(4)))
    assert len({answer.decision.release_id for answer in again}) == 1


def test_a_release_against_a_sweep_consumes_or_is_blocked_and_is_never_refused(
    service: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    order, account, seen = make_order(), open_credit(50), set()
    for number in range(20):
        hold_id = hold(account, order)
        wallet = credits_of(account)[0]
        released, freed = at_once(
            asking(service, order, f"race-{number}"), freeing(service, order, account, hold_id)
        )
        assert not isinstance(released, ServiceError), released
        seen.add(released.decision.result)
        if released.decision.result == "CREDIT_CONSUMED":
            assert isinstance(freed, ServiceError)
            assert freed.code == "RESERVATION_ALREADY_CONSUMED"
            assert credits_of(account)[:2] == (wallet - 1, 0)
            break
        assert released.decision.reason == "credit_reservation_missing"
        assert credits_of(account)[:2] == (wallet, 0)

    assert seen <= {"CREDIT_CONSUMED", "BLOCKED"}
    with as_web(service, order.user) as connection:
        assert records.unexplained_releases(connection, order.user.tenant_id) == []


def test_a_hold_that_is_freed_while_the_release_waits_for_the_wallet_is_not_consumed(
    service: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    """The order of the two is made certain: the sweep has the wallet until the release waits."""
    order, account = make_order(), open_credit(5)
    hold_id = hold(account, order)
    with ThreadPoolExecutor(1) as pool:
        with as_web(service, order.user) as connection:
            credits.release(
                connection,
                actor_of(order.user),
                account,
                hold_id=hold_id,
                key="sweep",
                reason="swept",
            )
            waiting = pool.submit(asking(service, order, "late"))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=1)
        answer = waiting.result(timeout=30)

    assert (answer.decision.result, answer.decision.reason) == (
        "BLOCKED",
        "credit_reservation_missing",
    )
    assert credits_of(account) == (5, 0, 5)


@pytest.fixture(scope="module", autouse=True)
def _app(app: Flask) -> Flask:
    """The application registers what releasing counts."""
    return app
