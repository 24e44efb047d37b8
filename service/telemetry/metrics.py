"""Prometheus metrics: what this process counts, and what the database knows about all of them.

Web processes may not look across tenants. What is known across tenants is therefore gathered by the
scheduler, as zen_system, and left in Valkey for the web processes to show; it holds numbers only.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError
from sqlalchemy import text

from service.clock import now
from service.database.connections import transaction
from service.identifiers import least_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis
    from sqlalchemy import Engine

GATHERED = "zenops:metrics"
#: Numbers older than this are no longer shown: an alert on their absence is better than a lie.
KEPT_S = 120

REQUESTS = Counter("zenops_requests", "Requests answered.", ("route", "method", "status"))
REQUEST_SECONDS = Histogram(
    "zenops_request_seconds",
    "How long answers took.",
    ("route", "method"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
GATE_RESULTS = Counter(
    "zenops_release_gate", "Decisions of the release gate.", ("result", "reason")
)

# The sealer is seconds behind; what it has passed over for a day, its nightly round finds.
_UNSEALED_WITHIN = timedelta(days=1)

#: Name -> what it means, its labels, and the query that gives these and a number.
_QUERIES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "zenops_operations": (
        "Operations in the outbox by kind and status.",
        ("kind", "status"),
        "select kind, status, count(*) from operations group by kind, status",
    ),
    "zenops_outbox_age_seconds": (
        "Age of the oldest operation that should have been sent and is not.",
        (),
        (
            "select coalesce(extract(epoch from max(cast(:now as timestamptz) - run_after)), 0)"
            " from operations where status = 'pending' and run_after <= :now"
        ),
    ),
    "zenops_queue_lag_seconds": (
        "Age of the oldest operation that was sent and has not begun.",
        (),
        (
            "select coalesce(extract(epoch from max(cast(:now as timestamptz) - sent_at)), 0)"
            " from operations where status = 'sent'"
        ),
    ),
    "zenops_job_attempts": (
        "Attempts of jobs by outcome.",
        ("outcome",),
        "select coalesce(outcome, 'running'), count(*) from operation_attempts group by 1",
    ),
    "zenops_audit_unsealed": (
        "Audit events of the last day that are in no chain yet.",
        (),
        (
            "select count(*) from tenants t cross join lateral (select from audit_events e"
            " where e.tenant_id = t.tenant_id and e.event_id > :since and not exists ("
            "  select from audit_seals s where s.tenant_id = e.tenant_id"
            "  and s.event_id = e.event_id)) unsealed"
        ),
    ),
    "zenops_reconciliation_findings": (
        "What the newest sweep of each firm's books found, by kind.",
        ("kind",),
        (
            "select f ->> 'code', count(*) from tenants t cross join lateral (select findings"
            "  from reconciliation_runs r where r.tenant_id = t.tenant_id"
            "  order by r.run_id desc limit 1) newest, jsonb_array_elements(newest.findings) f"
            " group by 1"
        ),
    ),
    "zenops_reconciliation_age_seconds": (
        "Time since the books of the firm that waits longest were compared.",
        (),
        (
            "select coalesce(extract(epoch from max(cast(:now as timestamptz)"
            "  - coalesce(newest.started_at, t.created_at))), 0) from tenants t left join lateral"
            " (select started_at from reconciliation_runs r where r.tenant_id = t.tenant_id"
            "  order by r.run_id desc limit 1) newest on true where t.status = 'active'"
        ),
    ),
}


def gather(engine: Engine, valkey: redis.Redis) -> None:
    """Read what is known across tenants, and leave it in Valkey.

    Args:
        engine: of the login zen_jobs.
        valkey: where it is left.
    """
    at = now()
    since = least_id(int((at - _UNSEALED_WITHIN).timestamp() * 1000))
    values: dict[str, list[tuple[list[str], float]]] = {}
    with transaction(engine, role="zen_system") as connection:
        for name, (_, _, query) in _QUERIES.items():
            rows = connection.execute(text(query), {"now": at, "since": since})
            values[name] = [(list(labels), float(number)) for *labels, number in rows]
    valkey.set(GATHERED, json.dumps({"at": at.timestamp(), "values": values}), ex=KEPT_S)


class _Gathered:
    """Shows what the scheduler gathered."""

    def __init__(self, valkey: redis.Redis) -> None:
        self.valkey = valkey

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, none if there are no fresh numbers or Valkey is away."""
        try:
            raw = self.valkey.get(GATHERED)
        except RedisError:
            return
        if raw is None:
            return
        found = json.loads(raw)
        age = GaugeMetricFamily("zenops_gathered_age_seconds", "Age of the numbers below.")
        age.add_metric([], max(0.0, now().timestamp() - found["at"]))
        yield age
        for name, values in found["values"].items():
            means, labels, _ = _QUERIES[name]
            gauge = GaugeMetricFamily(name, means, labels=labels)
            for of, number in values:
                gauge.add_metric(of, number)
            yield gauge


def exposition(valkey: redis.Redis) -> bytes:
    """All metrics in Prometheus' text form: those of every web process, and those gathered."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REQUESTS)
        registry.register(REQUEST_SECONDS)
        registry.register(GATE_RESULTS)
    registry.register(_Gathered(valkey))
    return generate_latest(registry)
