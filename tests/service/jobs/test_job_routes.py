"""Jobs over HTTP: what is under way, why something failed, and starting it again."""

from __future__ import annotations

from typing import get_args

import pytest
from sqlalchemy import text

from service.identifiers import new_id
from service.jobs.running import run_pending
from service.jobs.shapes import JobStatus


@pytest.fixture(scope="module")
def manager(sign_in, make_user, firm):
    return sign_in(make_user(firm, roles=["super_admin"]))


@pytest.fixture
def dead(ask, jobs):
    operation = ask("test.fail", payload={"how": "finally"})
    run_pending(jobs)
    return operation


def test_jobs_are_listed_newest_first_a_page_at_a_time(ask, manager):
    made = [str(ask(key=str(number))) for number in range(5)]

    first = manager.get("/v1/jobs?limit=2").get_json()
    second = manager.get(f"/v1/jobs?limit=2&cursor={first['next_cursor']}").get_json()
    third = manager.get(f"/v1/jobs?limit=2&cursor={second['next_cursor']}").get_json()

    pages = [[item["operation_id"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [made[:2:-1], made[2:0:-1], made[:1]]
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("filtered", "found"),
    [
        ("status=dead", 1),
        ("status=pending", 1),
        ("status=done", 0),
        ("kind=test.write", 1),
        ("kind=test.fail&status=dead", 1),
        ("kind=nothing", 0),
        ("work_order_id=not-an-id", 0),
    ],
)
@pytest.mark.usefixtures("dead")
def test_jobs_are_found_by_state_and_kind(filtered, found, ask, manager):
    ask(key="another")

    assert len(manager.get(f"/v1/jobs?{filtered}").get_json()["items"]) == found


@pytest.mark.parametrize("status", get_args(JobStatus))
def test_a_job_in_any_state_is_listed_whatever_is_known_of_it(status, ask, manager, owner_engine):
    bare, full = ask(key="bare"), ask(key="full")
    with owner_engine.begin() as connection:
        connection.execute(text("update operations set status = :status"), {"status": status})
        connection.execute(
            text(
                "update operations set subject_id = null, work_order_id = null, requested_by = null"
                " where operation_id = :bare"
            ),
            {"bare": bare},
        )
        connection.execute(
            text(
                "update operations set kind = 'known.no_more', generation = 9, attempts = 9,"
                " step = 'render', percent = 100, reason = 'Rain.', requested_by = subject_id,"
                " sent_at = created_at, lease_until = created_at, finished_at = created_at"
                " where operation_id = :full"
            ),
            {"full": full},
        )

    listed = manager.get(f"/v1/jobs?status={status}&limit=100")

    assert [one["operation_id"] for one in listed.get_json()["items"]] == [str(full), str(bare)]
    assert manager.get(f"/v1/jobs/{full}").status_code == 200


def test_a_job_tells_how_each_attempt_ended(dead, manager):
    told = manager.get(f"/v1/jobs/{dead}").get_json()

    assert (told["status"], told["reason"], told["attempts"]) == (
        "dead",
        "The plot is under water.",
        1,
    )
    (attempt,) = told["tries"]
    assert (attempt["generation"], attempt["outcome"]) == (1, "failed")
    assert set(attempt) == {"generation", "started_at", "ended_at", "outcome", "reason"}


def test_a_dead_job_starts_again_once_for_one_key(dead, manager):
    key = {"Idempotency-Key": str(new_id())}
    first = manager.post(f"/v1/jobs/{dead}/retry", json={"reason": "mended"}, headers=key)
    second = manager.post(f"/v1/jobs/{dead}/retry", json={"reason": "mended"}, headers=key)

    assert (first.status_code, first.get_json()["status"]) == (200, "pending")
    assert second.get_json() == first.get_json()
    assert manager.post(f"/v1/jobs/{dead}/retry", json={}).get_json()["code"] == "JOB_NOT_DEAD"


@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs/{}/retry"])
@pytest.mark.parametrize("whose", ["another firm's", "nobody's", "malformed"])
def test_a_job_that_is_not_ones_own_is_not_there(path, whose, dead, make_firm, make_user, sign_in):
    stranger = sign_in(make_user(make_firm()))
    name = {"another firm's": str(dead), "nobody's": str(new_id()), "malformed": "1"}[whose]
    where = path.format(name)

    answer = stranger.post(where, json={}) if where.endswith("retry") else stranger.get(where)

    assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")


def test_without_the_capability_there_is_no_starting_again(dead, make_user, sign_in, firm, row):
    reader = sign_in(make_user(firm, roles=["staff"]))

    assert reader.get(f"/v1/jobs/{dead}").status_code == 200
    refused = reader.post(f"/v1/jobs/{dead}/retry", json={})

    assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")
    assert row(dead).status == "dead"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=101", 422),
        ("limit=100", 200),
        ("limit=1", 200),
        ("status=lost", 422),
        ("cursor=nonsense", 400),
        ("unknown=1", 422),
    ],
)
def test_what_a_list_takes(query, status, manager):
    assert manager.get(f"/v1/jobs?{query}").status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [({"reason": ""}, 422), ({"reason": "x" * 1001}, 422), ({"other": 1}, 422)],
)
def test_what_starting_again_takes(body, status, dead, manager):
    assert manager.post(f"/v1/jobs/{dead}/retry", json=body).status_code == status
