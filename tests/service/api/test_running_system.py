"""What the running system says of itself to whoever asks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from service.api.application import create_app
from service.database.migrating import latest_revision
from tests.service.clients import Client

SHA = "0123456789abcdef0123456789abcdef01234567"


def meta(service: Any, **more: Any) -> Any:
    made = dataclasses.replace(service, settings=dataclasses.replace(service.settings, **more))
    answer = Client(create_app(made), None).get("/v1/meta")
    assert answer.status_code == 200
    return answer.get_json()


def test_a_system_that_was_built_from_a_commit_tells_which_and_when(service: Any) -> None:
    found = meta(service, git_sha=SHA, built_at=datetime(2026, 3, 1, 10, 15, tzinfo=UTC))

    assert found["app"] == "zenops"
    assert found["service"] == "api"
    assert found["env"] == "test"
    assert found["git_sha"] == SHA
    assert found["build_time"] == "2026-03-01T10:15:00Z"
    assert found["schema_revision"] == latest_revision()


def test_what_nobody_has_told_it_is_null_and_not_made_up(service: Any) -> None:
    found = meta(service)

    assert (found["git_sha"], found["build_time"]) == (None, None)
