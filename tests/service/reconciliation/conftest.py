"""Books that a random history fills, and a clock that goes along with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.bootstrap import Service
from service.settings import Settings
from tests.service.invoices.conftest import Books, books
from tests.service.payments.conftest import (
    RAZORPAY_ID,
    RAZORPAY_KEY,
    RAZORPAY_SECRET,
    STRIPE_KEY,
    STRIPE_SECRET,
    price_credits,
)
from tests.service.reconciliation.history import History

__all__ = ["books"]


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Both providers are known; nobody speaks with them."""
    return dataclasses.replace(
        settings,
        stripe_secret_key=STRIPE_KEY,
        stripe_webhook_secrets=(STRIPE_SECRET,),
        razorpay_key_id=RAZORPAY_ID,
        razorpay_key_secret=RAZORPAY_KEY,
        razorpay_webhook_secrets=(RAZORPAY_SECRET,),
    )


@pytest.fixture(scope="module")
def new_history(
    books: Books, service: Service, jobs_service: Service, owner_engine: Any
) -> Iterator[Callable[[int], History]]:
    """new_history(seed) -> a history that nothing has happened in yet."""
    with books.acting() as connection:
        price_credits(connection, books.actor)
    made: list[History] = []

    def begin(seed: int) -> History:
        made.append(History(books, service, jobs_service, owner_engine, seed))
        return made[-1]

    yield begin
    for one in made:
        one.end()
