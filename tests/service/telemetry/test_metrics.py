"""What the running system says of itself in figures, and that it says so while a part is away."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from werkzeug.serving import make_server

from service.audit.events import record
from service.audit.sealing import seal
from service.clock import now
from service.database.connections import transaction
from service.jobs.outbox import enqueue
from service.jobs.outgoing import mark_due
from service.jobs.registry import KINDS, Kind
from service.telemetry.metrics import GATHERED, KEPT_S, exposition, gather
from tests.docs.pages import ROOT
from tests.service.jobs.conftest import operator


@pytest.fixture
def figures(jobs_service: Any) -> Any:
    """figures() -> the samples, by name and labels, after they were gathered anew."""

    def read() -> dict[tuple[str, ...], float]:
        gather(jobs_service.engine, jobs_service.redis)
        return samples(exposition(jobs_service.redis))

    return read


def samples(written: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(written.decode())
        for sample in family.samples
    }


def test_work_that_waits_and_work_that_was_sent_have_an_age(
    service: Any, jobs_service: Any, make_firm: Any, owner_engine: Any, figures: Any
) -> None:
    firm = make_firm()
    before = figures()
    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        for key in "ab":
            enqueue(connection, operator(firm), "system.probe", key=key, subject_id=None)
    with owner_engine.begin() as connection:
        connection.execute(text("update operations set run_after = now() - interval '40 seconds'"))
    waiting = figures()
    with transaction(jobs_service.engine, role="zen_system") as connection:
        assert len(mark_due(connection, limit=1)) == 1
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "update operations set sent_at = now() - interval '20 seconds' where sent_at > run_after"
            )
        )
    sent = figures()

    assert before["zenops_outbox_age_seconds",] == before["zenops_queue_lag_seconds",] == 0
    assert ("zenops_operations", "system.probe", "pending") not in before
    assert waiting["zenops_operations", "system.probe", "pending"] == 2
    assert 40 <= waiting["zenops_outbox_age_seconds",] < 60
    assert waiting["zenops_queue_lag_seconds",] == 0
    assert sent["zenops_operations", "system.probe", "sent"] == 1
    assert 20 <= sent["zenops_queue_lag_seconds",] < 40


def fail(_job: Any) -> None:
    """A job that cannot be done."""
    raise RuntimeError("of no use")


def test_the_attempts_of_jobs_are_counted_by_how_they_ended(
    service: Any, make_firm: Any, owner_engine: Any, figures: Any, run_jobs: Any, monkeypatch: Any
) -> None:
    firm = make_firm()
    monkeypatch.setitem(KINDS, "test.fails", Kind(f"{__name__}:fail", max_attempts=1))
    outcomes = ("done", "failed", "lost", "fenced", "running")

    def counted() -> dict[str, float]:
        found = figures()
        return {name: found.get(("zenops_job_attempts", name), 0) for name in outcomes}

    # What another test has left is done first.
    run_jobs()
    before = counted()
    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        for kind, key in (("system.probe", "c"), ("system.probe", "d"), ("test.fails", "e")):
            enqueue(connection, operator(firm), kind, key=key, subject_id=None)
    run_jobs()
    ended = counted()
    with owner_engine.begin() as connection:
        connection.execute(
            text("update operation_attempts set outcome = null where outcome = 'failed'")
        )
    reopened = counted()

    assert {name: ended[name] - before[name] for name in outcomes} == {
        "done": 2,
        "failed": 1,
        "lost": 0,
        "fenced": 0,
        "running": 0,
    }
    assert (reopened["failed"], reopened["running"]) == (0, ended["failed"])


def test_what_is_in_no_chain_yet_is_counted_over_all_firms(
    service: Any, jobs_service: Any, make_firm: Any, figures: Any
) -> None:
    seal(jobs_service.engine)
    assert figures()["zenops_audit_unsealed",] == 0
    for firm in (make_firm(), make_firm()):
        with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
            record(connection, operator(firm), "test:thing:done", subject=("thing", "1"))

    assert figures()["zenops_audit_unsealed",] == 2
    seal(jobs_service.engine)
    assert figures()["zenops_audit_unsealed",] == 0


def test_numbers_that_nobody_renews_are_gone_after_two_minutes(
    jobs_service: Any, figures: Any
) -> None:
    assert figures()["zenops_gathered_age_seconds",] < 5
    assert 0 < jobs_service.redis.ttl(GATHERED) <= KEPT_S == 120

    jobs_service.redis.delete(GATHERED)
    assert not any(
        name.startswith("zenops_gathered") for name, *_ in samples(exposition(jobs_service.redis))
    )


def test_while_valkey_is_away_the_requests_are_still_counted(
    make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    client = sign_in(make_user(make_firm()))
    assert client.get("/v1/metrics").status_code == 200
    assert client.get("/v1/auth/me").status_code == 200

    away = redis.Redis(unix_socket_path="/nonexistent")
    found = samples(exposition(away))

    assert any(name == "zenops_requests_total" for name, *_ in found)
    assert "zenops_outbox_age_seconds" not in {name for name, *_ in found}


def test_the_runbooks_way_to_the_figures_works_with_a_token_for_them_alone(
    app: Any, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    owner = sign_in(make_user(make_firm(), roles=["owner"]))
    asked = {"kind": "service", "label": "figures", "scopes": ["metrics.read"]}
    until = (now() + timedelta(days=300)).isoformat()
    token = owner.post("/v1/tokens", json=asked | {"expires_at": until}).get_json()["token"]
    page = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"METRICS_TOKEN web python -c '(.+?)'\n", page, re.DOTALL)

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program.replace(":8000", f":{server.server_port}")],
            env={"METRICS_TOKEN": token},
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert done.returncode == 0, done.stderr
    assert "zenops_requests_total" in done.stdout


def test_figures_are_for_those_who_may_read_them(
    make_firm: Any, make_user: Any, sign_in: Any, client: Any
) -> None:
    firm = make_firm()
    assert client.get("/v1/metrics").status_code == 401
    assert sign_in(make_user(firm, roles=["valuer"])).get("/v1/metrics").status_code == 403
    assert sign_in(make_user(firm, roles=["owner"])).get("/v1/metrics").status_code == 200
