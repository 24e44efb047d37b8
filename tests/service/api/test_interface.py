"""The interface as it describes itself, held to what it answers, by generated requests of three roles."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
import sqlalchemy
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyReplay, FlakyStrategyDefinition
from pydantic import BaseModel
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.engine.errors import is_inconsistent_replay
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.service.packs.specimen import enter, make_ready, read_specimen

log = logging.getLogger(__name__)
IS_CAMPAIGN = os.environ.get("ZENOPS_CAMPAIGN", "small") != "small"
#: How many requests of each operation and role: a few in every run, a hundred in the campaign.
EXAMPLES = 100 if IS_CAMPAIGN else 3
#: How many sequences of each role, and of how many requests each is.
SEQUENCES, STEPS = (100, 50) if IS_CAMPAIGN else (4, 30)
ROLES = {"super_admin": "web", "staff": "web", "portal_user": "portal"}


def headers_can_be_sent(context: Any, response: Any, case: Any) -> None:
    """No client that runs in this process would notice one that no server can send."""
    del context, case
    for name, values in response.headers.items():
        text = "".join(values)
        assert text.isascii(), (name, values)
        assert text.isprintable(), (name, values)


CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    headers_can_be_sent,
]
#: These end the login that the requests are made with.
ENDS_LOGIN = r"^/v1/auth/(logout|password)$"


@pytest.fixture(scope="module")
def description(app: Any) -> Any:
    found = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    # Every request is somebody's; what is said to strangers has tests of its own.
    found.config.generation.update(with_security_parameters=False)
    return found


@pytest.fixture(scope="module")
def tokens(make_firm: Any, make_user: Any, sign_in: Any) -> dict[str, str]:
    firm = make_firm()
    return {
        role: sign_in(make_user(firm, [role]), audience).token for role, audience in ROLES.items()
    }


def told(error: BaseException) -> str:
    """What an answer was refused for, with all that is known of it."""
    found = getattr(error, "exceptions", (error,))
    return " ".join(f"{one!r} {one} {vars(one)}"[:1500] for one in found)


def remember(seen: dict[str, list[str]], answer: Any) -> None:
    """Keep what an answer names by a key, so that a request's address may name it by the same."""
    waiting = [answer]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            for key, value in one.items():
                if isinstance(value, str | int):
                    seen.setdefault(key, []).append(str(value))


@pytest.fixture(scope="module")
def begin(
    service: Any,
    owner_engine: Any,
    make_firm: Any,
    make_user: Any,
    sign_in: Any,
    run_jobs: Any,
) -> Any:
    """begin(role, number) -> a token of somebody in a new firm, and a work order that they asked for."""

    def made(role: str, number: int) -> tuple[str, UUID]:
        # Logins that an earlier sequence tried in vain are not counted against this one.
        service.redis.flushall()
        firm = make_firm()
        person, colleague = make_user(firm, [role]), make_user(firm)
        work_order = enter(service, person, read_specimen())
        # The portal shows people what they asked for or sent themselves.
        with owner_engine.begin() as connection:
            for change in (
                "update work_orders set requested_by = :person where work_order_id = :id",
                "update documents set uploaded_by = :person where work_order_id = :id",
            ):
                connection.execute(
                    sqlalchemy.text(change), {"person": person.user_id, "id": work_order}
                )
        if number % (3 if IS_CAMPAIGN else SEQUENCES) == 1:
            make_ready(service, colleague, work_order)
            run_jobs()
        return sign_in(person, ROLES[role]).token, work_order

    return made


def test_the_description_is_openapi_3_1(app: Any) -> None:
    assert app.api_doc["openapi"] == "3.1.1"


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in base.__subclasses__():
        yield one
        yield from models(one)


def test_no_two_models_that_are_described_share_a_name(app: Any) -> None:
    described = app.api_doc["components"]["schemas"]
    names = Counter(
        one.__name__
        for one in set(models(BaseModel))
        if one.__module__.startswith("service.") and one.__name__ in described
    )

    assert [name for name, count in names.items() if count > 1] == []


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
            wrong[operation.label] = told(error)

    assert wrong == {}


@pytest.mark.campaign
@pytest.mark.parametrize("role", ROLES)
def test_no_sequence_of_requests_is_answered_otherwise_than_described(
    description: Any, begin: Any, role: str
) -> None:
    """What one answer gives, the next request uses: schemathesis links operations by their ids.

    It draws links seldom where there are many operations, so most addresses get an id from here.
    """
    begun = 0
    wrong: list[str] = []
    answers: Counter[str] = Counter()
    succeeded: Counter[str] = Counter()

    class Sequences(description.exclude(path_regex=ENDS_LOGIN).as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            # Each in a firm of its own: it may fill it, end its login, shut its person out.
            nonlocal begun
            self.token, work_order = begin(role, begun)
            self.seen = {"work_order_id": [str(work_order)]}
            begun += 1

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            del case
            return {"headers": {"Authorization": f"Bearer {self.token}"}}

        def before_call(self, case: Any) -> None:
            turn = sum(answers.values())
            for name in self.seen.keys() & case.path_parameters.keys():
                # Now and then what was generated: not every address is one that exists.
                if turn % 5:
                    case.path_parameters[name] = self.seen[name][turn % len(self.seen[name])]

        def step(self, input: Any) -> Any:  # noqa: A002 - schemathesis' name
            # Raised, it would be Hypothesis' to say whether it counts: ids differ from one run to
            # the next, so it would not come about again the same way. Kept, it always counts.
            try:
                return super().step(input)
            except (Exception, FailureGroup) as error:  # noqa: BLE001 - all are told together
                wrong.append(f"{input.case.operation.label}: {told(error)}")
                return None

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            del more
            answers[f"{response.status_code // 100}xx"] += 1
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                if response.content and response.headers["content-type"] == ["application/json"]:
                    remember(self.seen, response.json())
                succeeded[case.operation.label] += 1

    # A sequence draws from what the service answered, which is new each time. Where Hypothesis sees
    # that it cannot draw the same again, it ends; the next seed goes on until all were made. A role
    # that may do little gets some more, until one request got to a thing by its id.
    for number in range(5 * SEQUENCES):
        reached = any("_id}" in label for label in succeeded)
        if begun >= SEQUENCES and reached:
            break
        try:
            seed(number)(Sequences).run(
                settings=settings(
                    max_examples=max(SEQUENCES - begun, 2),
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
            )
        except (FlakyStrategyDefinition, FlakyReplay):
            continue
        except AssertionError as error:
            if not is_inconsistent_replay(error):
                raise

    log.info("%s: %s sequences, %s, succeeded %s", role, begun, dict(answers), dict(succeeded))
    assert wrong == []
    assert begun >= SEQUENCES
    # Sequences that never get to a thing by its id prove nothing.
    assert reached, succeeded
