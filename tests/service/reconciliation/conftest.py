"""Books that a random history fills, and a clock that goes along with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from service.bootstrap import Service
from service.invoices import prices
from service.settings import Settings
from tests.service.invoices.conftest import Books, books
from tests.service.reconciliation.history import History

__all__ = ["books"]


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Both providers are known; nobody speaks with them."""
    return dataclasses.replace(
        settings,
        stripe_secret_key="sk_test_specimen",
        stripe_webhook_secrets=("whsec_specimen_0123456789",),
        razorpay_key_id="rzp_test_specimen",
        razorpay_key_secret="specimen-key-0123456789",
        razorpay_webhook_secrets=("specimen-webhook-0123456789",),
    )


@pytest.fixture(scope="module")
def new_history(
    books: Books, service: Service, jobs_service: Service, owner_engine: Any
) -> Iterator[Callable[[int], History]]:
    """new_history(seed) -> a history that nothing has happened in yet."""
    with books.acting() as connection:
        prices.add_price(
            connection,
            books.actor,
            item="credit",
            description="Credit",
            sac="998399",
            unit_price=Decimal("100.00"),
            tax_rate=Decimal(18),
            valid_from=date(2026, 4, 1),
        )
    made: list[History] = []

    def begin(seed: int) -> History:
        made.append(History(books, service, jobs_service, owner_engine, seed))
        return made[-1]

    yield begin
    for one in made:
        one.end()
