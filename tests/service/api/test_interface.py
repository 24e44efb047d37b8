"""The interface as it describes itself, held to what it answers, by generated requests of three roles."""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

#: How many requests of each operation and role: a few in every run, a hundred in the campaign.
EXAMPLES = 100 if os.environ.get("ZENOPS_CAMPAIGN") == "full" else 3
ROLES = {"super_admin": "web", "staff": "web", "portal_user": "portal"}
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
#: These end the login that the requests are made with.
ENDS_LOGIN = r"^/v1/auth/(logout|password)$"


@pytest.fixture(scope="module")
def description(app: Any) -> Any:
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", app)


@pytest.fixture(scope="module")
def tokens(make_firm: Any, make_user: Any, sign_in: Any) -> dict[str, str]:
    firm = make_firm()
    return {
        role: sign_in(make_user(firm, [role]), audience).token for role, audience in ROLES.items()
    }


def test_the_description_is_openapi_3_1(app: Any) -> None:
    assert app.api_doc["openapi"] == "3.1.1"


@pytest.mark.campaign
@pytest.mark.parametrize("role", ROLES)
def test_no_generated_request_is_answered_otherwise_than_described(
    description: Any, tokens: dict[str, str], role: str
) -> None:
    wrong: dict[str, str] = {}
    for found in description.exclude(path_regex=ENDS_LOGIN).get_all_operations():
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
            case.call_and_validate(
                headers={"Authorization": f"Bearer {tokens[role]}"},
                checks=CHECKS,
            )

        try:
            check()
        except* Exception as error:  # noqa: BLE001 - all are told together
            wrong[operation.label] = " ".join(
                f"{one} {one.__dict__}"[:1500] for one in error.exceptions
            )

    assert wrong == {}


@pytest.mark.campaign
@pytest.mark.parametrize("role", ROLES)
def test_no_sequence_of_requests_is_answered_otherwise_than_described(
    description: Any, make_firm: Any, make_user: Any, sign_in: Any, role: str
) -> None:
    """What one answer gives, the next request uses: schemathesis links operations by their ids."""
    succeeded: set[str] = set()

    class Sequences(description.exclude(path_regex=ENDS_LOGIN).as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            # Each begins with the same: it may fill its firm, end its login, shut its person out.
            self.token = sign_in(make_user(make_firm(), [role]), ROLES[role]).token

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            del case
            return {"headers": {"Authorization": f"Bearer {self.token}"}}

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            del more
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                succeeded.add(case.operation.path)

    Sequences.run(
        settings=settings(
            max_examples=EXAMPLES if EXAMPLES > 10 else 15,
            stateful_step_count=20 if EXAMPLES > 10 else 10,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
    )

    # A sequence that never gets to a thing by its id proves nothing.
    assert role == "portal_user" or any("_id}" in path for path in succeeded), succeeded
