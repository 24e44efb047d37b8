"""What a provider says and we have not heard is found by asking it, and changes nothing."""

from __future__ import annotations

import pytest

from service.reconciliation.comparing import Finding
from service.reconciliation.running import compare
from tests.service.payments.conftest import PROVIDERS, Till, books, settings, stand_ins, till

__all__ = ["books", "settings", "stand_ins", "till"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_that_nobody_told_us_of_is_found_by_asking(provider: str, till: Till) -> None:
    account = till.books.account()
    order = till.opened(account, provider=provider, credits=4)

    def found_of_it(*, ask_providers: bool) -> list[Finding]:
        run = compare(till.service, till.books.actor, login="api", ask_providers=ask_providers)
        return [one for one in run.findings if one.subject_id == str(order.payment_order_id)]

    assert found_of_it(ask_providers=True) == []
    till.stand_ins.pull(order, "pay")

    assert found_of_it(ask_providers=False) == []
    (found,) = found_of_it(ask_providers=True)
    assert found.code == "provider_differs"
    assert found.found["status"] == ["pending", "paid"]
    assert found.found["provider"] == provider
    after = till.order(order)
    assert (after.status, after.settled_at, after.asked) == ("pending", None, order.asked)
    assert till.wallet(account).wallet == 0
