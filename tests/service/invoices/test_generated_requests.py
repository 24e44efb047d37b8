"""What the studio may ask of invoices, asked at random of real ones: no answer is a server's error."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from service.identifiers import new_id
from service.invoices import issuing, settling
from tests.service.clients import Client
from tests.service.conftest import Firm
from tests.service.invoices.conftest import Books, item

EXAMPLES = 200 if os.environ.get("ZENOPS_CAMPAIGN") == "full" else 6
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def token(books: Books, make_user: Any, sign_in: Any) -> str:
    """Of somebody of the studio who keeps the books."""
    person = make_user(Firm(books.studio_id, "", "", "service"), ["accounts"])
    signed_in: Client = sign_in(person, "studio")
    return signed_in.token


@pytest.mark.campaign
def test_no_generated_request_of_the_studio_is_answered_otherwise_than_described(
    app: Any, books: Books, token: str
) -> None:
    account = books.account()
    made = [books.issued(account, *(item() for _ in range(3))) for _ in range(4)]
    made += [books.draft(account) for _ in range(2)]
    books.run(settling.settle, account, made[1].invoice_id, amount=made[1].due, mode="upi", key="x")
    books.run(issuing.void, account, made[2].invoice_id, reason="x", key="y")
    invoices = itertools.cycle([str(one.invoice_id) for one in made])
    description = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    description.config.generation.update(with_security_parameters=False)
    wrong = {}
    for found in description.include(path_regex="^/v1/(invoices|price-lists)").get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            if "invoice_id" in case.path_parameters:
                case.path_parameters["invoice_id"] = next(invoices)
            if isinstance(case.body, dict) and "account_id" in case.body:
                case.body["account_id"] = str(account.account_id)
                case.body.pop("work_order_id", None)
            case.call_and_validate(
                headers={"Authorization": f"Bearer {token}", "Idempotency-Key": str(new_id())},
                checks=CHECKS,
            )

        try:
            check()
        except* Exception as error:  # noqa: BLE001 - all are told together
            wrong[operation.label] = [f"{one!r} {one}"[:1500] for one in error.exceptions]

    assert wrong == {}
