"""The service against bare SQL, bare RQ and the same query without row-level security.

Everything runs on real PostgreSQL and Valkey, durable as in production; the rival is always in the
same run, on the same servers, in turns with ours.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import psycopg
import structlog
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from bench.billing import pairs_of_credits
from bench.measurements import Comparison
from bench.release import releases
from bench.timing import Line
from contracts.canonical_json import to_plain
from factory.case_files import read_case_file
from service.actor import Actor
from service.api.application import create_app
from service.bootstrap import Service, make_service
from service.database.connections import become, transaction
from service.demonstration import ORDERS, Caller, people_of, running_alone, send_evidence
from service.identifiers import new_id
from service.jobs.outbox import enqueue
from service.local_services import scratch_folder
from service.people.seeding import Credentials
from service.serving import Running
from service.workorders.listing import list_work_orders
from service.workorders.shapes import ListQuery

CLIENTS = 16
WORK_ORDERS = 100_000
PACKS = 200
#: Tables that a patch writes, in the order in which their rows can be written again.
_WRITTEN = ("bundle_parts", "snapshots", "rules_runs", "comments", "audit_events", "audit_details")


@dataclass(frozen=True)
class Bench:
    """A service that runs, seen from inside and from outside."""

    running: Running
    service: Service
    app: Any
    owner_url: str
    people: Mapping[str, Credentials]
    address: tuple[str, int]

    @property
    def operator(self) -> Caller:
        """The firm's operator, logged in over HTTP."""
        return Caller(self.address).log_in(self.people["ops_manager"])


def the_service(*, rounds: int, packs: int = PACKS) -> list[Comparison]:
    """Start a service for this alone, measure, and end it."""
    # Our own requests are told of in this process too; a log on the terminal is not measured.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder = scratch_folder()
    try:
        with _running(folder) as bench:
            order = _specimen(bench)
            return [
                _patches(bench, order, rounds=rounds),
                _lists(bench, rounds=rounds),
                _queue(bench, rounds=rounds),
                _packs(bench, order, packs),
                pairs_of_credits(bench, rounds=rounds // 4),
                releases(bench, order, rounds=rounds),
            ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[Bench]:
    further = {"ZENOPS_PDF": "off", "ZENOPS_LOG_FORMAT": "json"}
    with (
        (folder / "log").open("wb") as log,
        running_alone(folder, log, further) as (running, caller),
    ):
        service = make_service(running.settings, "api")
        try:
            yield Bench(
                running,
                service,
                create_app(service),
                running.settings.owner_database_url,
                people_of(running),
                caller.address,
            )
        finally:
            service.engine.dispose()


def _specimen(bench: Bench) -> UUID:
    """The specimen house as a work order, with all of its evidence."""
    folder = Path(__file__).parent.parent / "fixtures/cases/specimen-house"
    read = read_case_file(folder)
    case: dict[str, Any] = to_plain(read.document.value)
    return _enter(bench.operator, case, folder)


def _enter(operator: Caller, case: dict[str, Any], folder: Path) -> UUID:
    meta = case["contract"]["meta"]
    order = operator.ask(
        "POST",
        ORDERS,
        {
            "reference": case["case"],
            "report_type": meta["report_type"],
            "bank_type": meta["bank_type"],
            "as_of": case["as_of"],
        },
    )
    at = f"{ORDERS}/{order['work_order_id']}"
    operator.ask("PATCH", f"{at}/contract", {"patch": case["contract"]})
    send_evidence(operator, at, case, folder)
    return UUID(order["work_order_id"])


# ---- a patch ------------------------------------------------------------------------------------


def _patches(bench: Bench, order: UUID, *, rounds: int) -> Comparison:
    client, token = bench.app.test_client(), bench.operator.token
    headers = {"Authorization": f"Bearer {token}"}
    count = 0

    def patch() -> None:
        nonlocal count
        count += 1
        answer = client.patch(
            f"{ORDERS}/{order}/contract",
            json={"patch": {"property": {"landmark": f"tower {count}"}}, "reason": "measured"},
            headers=headers,
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)

    patch()
    with psycopg.connect(_plain(bench.owner_url)) as connection:
        before = _rows(connection)
        patch()
        written = {
            table: [row for key, row in rows.items() if key not in before[table]]
            for table, rows in _rows(connection).items()
        }
        connection.commit()
        ours, bare = [], []
        for _ in range(max(40, rounds)):
            began = time.perf_counter()
            patch()
            ours.append(time.perf_counter() - began)
            rows = _fresh(written, order, connection)
            began = time.perf_counter()
            _write(connection, rows, order)
            bare.append(time.perf_counter() - began)
    others = [_copy_order(bench.owner_url, order, number) for number in range(CLIENTS)]
    one = _over_http(bench, others[:1], each=max(30, rounds // 2))
    many = _over_http(bench, others, each=max(10, rounds // 5))
    return Comparison(
        "a contract patch with evaluation and snapshots",
        (
            Line(
                "one patch, half of them",
                [median(ours)],
                "the same rows by bare SQL",
                [median(bare)],
                4.0,
            ),
            Line(
                f"{CLIENTS} clients over HTTP, 99 of 100",
                [_p99(many)],
                "one client over HTTP, half of them",
                [median(one)],
                20.0,
            ),
        ),
        (
            f"A patch writes {sum(map(len, written.values()))} rows besides the work order's own: "
            + ", ".join(f"{len(rows)} of {table}" for table, rows in written.items() if rows)
            + ". It authenticates, locks, reads the case with its 19 pieces of evidence, evaluates "
            "with full trace, and answers; the rival only writes, in one prepared transaction.",
            f"No request of the {CLIENTS} clients failed.",
        ),
    )


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _rows(connection: psycopg.Connection[Any]) -> dict[str, dict[Any, dict[str, Any]]]:
    """Table -> primary key -> row."""
    keys = {
        "bundle_parts": ("sha256",),
        "snapshots": ("work_order_id", "version"),
        "rules_runs": ("rules_run_id",),
        "comments": ("comment_id",),
        "audit_events": ("event_id",),
        "audit_details": ("event_id",),
    }
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        for table in _WRITTEN:
            cursor.execute(f"select * from {table}")  # noqa: S608 - our own names
            found[table] = {tuple(row[key] for key in keys[table]): row for row in cursor}
    connection.commit()
    return found


def _fresh(
    written: Mapping[str, list[dict[str, Any]]], order: UUID, connection: psycopg.Connection[Any]
) -> list[tuple[str, dict[str, Any]]]:
    """The same rows again under keys of their own, as bytes that the store has not seen."""
    last = connection.execute(
        "select max(version) from snapshots where work_order_id = %s", (order,)
    ).fetchone()
    connection.commit()
    assert last is not None
    version, first = last[0], min(row["version"] for row in written["snapshots"])
    event = new_id()
    rows = []
    for table in _WRITTEN:
        for row in written[table]:
            made = {
                name: psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value
                for name, value in row.items()
            }
            if table == "bundle_parts":
                made["sha256"] = os.urandom(32).hex()
            if table == "snapshots":
                made["version"] = version + 1 + row["version"] - first
            if table == "rules_runs":
                made |= {
                    "rules_run_id": new_id(),
                    "input_version": version + 1,
                    "output_version": version + 2,
                }
            if table == "comments":
                made["comment_id"] = new_id()
            if table.startswith("audit"):
                made["event_id"] = event
            rows.append((table, made))
    return rows


def _write(
    connection: psycopg.Connection[Any], rows: list[tuple[str, dict[str, Any]]], order: UUID
) -> None:
    """The rival: one transaction, one statement for each row, nothing else."""
    for table, row in rows:
        names = ", ".join(row)
        places = ", ".join(f"%({name})s" for name in row)
        connection.execute(f"insert into {table} ({names}) values ({places})", row, prepare=True)  # noqa: S608
    connection.execute(
        "update work_orders set version = version + 1,"
        " snapshot_version = (select max(version) from snapshots where work_order_id = %(id)s),"
        " updated_at = now() where work_order_id = %(id)s",
        {"id": order},
        prepare=True,
    )
    connection.commit()


def _copy_order(owner_url: str, order: UUID, number: int) -> UUID:
    """Another work order like this one, with evidence of its own and the last snapshot."""
    copy = new_id()
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.begin() as connection:
        for table, changed in (
            (
                "work_orders",
                {"reference": f"copy-{number}-{copy.hex[-6:]}", "current_pack_id": None},
            ),
            ("snapshots", {}),
            ("evidence_items", {"evidence_item_id": None}),
        ):
            rows = connection.execute(
                text(f"select * from {table} where work_order_id = :id"),  # noqa: S608
                {"id": order},
            ).mappings()
            for row in list(rows):
                values = dict(row) | changed | {"work_order_id": copy}
                if "evidence_item_id" in values:
                    values["evidence_item_id"] = new_id()
                values = {
                    name: json.dumps(value) if isinstance(value, dict) else value
                    for name, value in values.items()
                }
                names = ", ".join(values)
                places = ", ".join(f":{name}" for name in values)
                connection.execute(text(f"insert into {table} ({names}) values ({places})"), values)  # noqa: S608
    engine.dispose()
    return copy


def _over_http(bench: Bench, orders: list[UUID], *, each: int) -> list[float]:
    """The times of patches by as many clients at once as there are orders.

    Raises:
        RuntimeError: a request failed.
    """
    tokens = bench.operator.token
    times: list[float] = []
    failures: list[str] = []
    lock, start = threading.Lock(), threading.Barrier(len(orders))

    def run(order: UUID) -> None:
        connection = http.client.HTTPConnection(*bench.address, timeout=60)
        mine = []
        start.wait()
        for count in range(each + 2):
            body = json.dumps(
                {"patch": {"property": {"landmark": f"tower {count}"}}, "reason": "measured"}
            )
            began = time.perf_counter()
            connection.request(
                "PATCH",
                f"{ORDERS}/{order}/contract",
                body,
                {"Authorization": f"Bearer {tokens}", "Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            read = answer.read()
            # The first ones fill caches.
            if count >= 2:
                mine.append(time.perf_counter() - began)
            if answer.status != 200:
                failures.append(f"{answer.status} {read[:300]!r}")
        connection.close()
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} requests failed, the first: {failures[0]}")
    return times


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98]


# ---- a list -------------------------------------------------------------------------------------

_FILL = """
insert into work_orders (tenant_id, work_order_id, reference, report_type, bank_type, source_type,
    status, contract, is_ready, completeness_score, search, bank_name, created_at, updated_at)
select t.tenant_id, gen_random_uuid(), 'W-' || t.slug || '-' || n, 'VALUATION',
    (array['SBI','PSU_GENERIC','COOP','AGRI','OTHER'])[1 + n % 5], 'TENANT',
    (array['DRAFT','EVIDENCE_PENDING','DATA_PENDING','READY_FOR_RENDER','CLOSED','CANCELLED'])[1 + n % 6], '{}',
    n % 3 = 0, n % 101, 'w-' || n || ' mysuru bank', 'Bank ' || n % 50,
    now() - n * interval '1 minute', now() - n * interval '1 minute'
from tenants t, generate_series(1, :count) n where t.slug = 'demo'
"""


def _lists(bench: Bench, *, rounds: int) -> Comparison:
    owner = create_engine(bench.owner_url)
    with owner.begin() as connection:
        connection.execute(text(_FILL), {"count": WORK_ORDERS})
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze work_orders"))
    with owner.connect() as connection:
        tenant = connection.scalar(text("select tenant_id from tenants where slug = 'demo'"))
    query = ListQuery(status="DATA_PENDING", bank_type="COOP", limit=50)
    bare_query = (
        "select * from work_orders where tenant_id = %(tenant)s and status = %(status)s"
        " and bank_type = %(bank)s order by updated_at desc, work_order_id desc limit 51"
    )
    given = {"tenant": tenant, "status": "DATA_PENDING", "bank": "COOP"}
    client = bench.app.test_client()
    headers = {"Authorization": f"Bearer {bench.operator.token}"}
    ours, bare, secured, free, asked = [], [], [], [], []
    api = bench.service.engine.connect()
    with psycopg.connect(_plain(bench.owner_url)) as plain, owner.connect() as unsecured:
        for _ in range(max(60, rounds)):
            began = time.perf_counter()
            become(api, "zen_web", tenant_id=tenant, audience="web")
            list_work_orders(api, tenant, query)
            ours.append(time.perf_counter() - began)

            began = time.perf_counter()
            list_work_orders(api, tenant, query)
            secured.append(time.perf_counter() - began)
            api.rollback()

            # The same function as a superuser, for whom there are no policies.
            unsecured.execute(text("select 1"))
            began = time.perf_counter()
            list_work_orders(unsecured, tenant, query)
            free.append(time.perf_counter() - began)
            unsecured.rollback()

            began = time.perf_counter()
            plain.execute(bare_query, given, prepare=True).fetchall()
            bare.append(time.perf_counter() - began)
            plain.rollback()

            began = time.perf_counter()
            answer = client.get(
                f"{ORDERS}?status=DATA_PENDING&bank_type=COOP&limit=50", headers=headers
            )
            asked.append(time.perf_counter() - began)
            assert answer.status_code == 200
    api.close()
    owner.dispose()
    return Comparison(
        f"a list with filters over {WORK_ORDERS:,} work orders",
        (
            Line(
                "list_work_orders, with its role set",
                [median(ours)],
                "the bare indexed query",
                [median(bare)],
                3.0,
            ),
            Line(
                "the list under row-level security",
                [median(secured)],
                "without it",
                [median(free)],
                1.2,
            ),
            Line(
                "the whole request, with login check and answer",
                [median(asked)],
                "the bare indexed query",
                [median(bare)],
            ),
        ),
        ("Two filters and the latest 50 of 5,555 (or so) that fit; medians.",),
    )


# ---- the queue ----------------------------------------------------------------------------------


def _queue(bench: Bench, *, rounds: int) -> Comparison:
    """From a commit to the start of the job, against RQ's own way from enqueue to start."""
    turns = max(20, rounds // 4)
    worker = subprocess.Popen(
        [sys.executable, "-m", "bench.rival_worker", bench.running.settings.redis_url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    jobs = make_service(bench.running.settings, "jobs")
    rivals = Queue("rival", connection=jobs.redis, serializer=JSONSerializer)
    ours, theirs = [], []
    owner = create_engine(bench.owner_url)
    with owner.connect() as connection:
        tenant = connection.scalar(text("select tenant_id from tenants where slug = 'demo'"))
    try:
        for turn in range(turns + 2):
            began = time.time()
            job = rivals.enqueue("bench.rival_worker.note_start", f"rival:{turn}")
            started = _wait_for(lambda turn=turn: jobs.redis.get(f"rival:{turn}"))
            theirs.append(float(started) - began)
            _wait_for(lambda job=job: job.get_status(refresh=True).value == "finished")

            operation = _ask_for_probe(jobs, tenant)
            committed = time.time()
            started = _wait_for(lambda operation=operation: _started(owner, operation))
            ours.append(started - committed)
            _wait_for(lambda operation=operation: _ended(owner, operation))
    finally:
        worker.terminate()
        worker.wait()
        jobs.engine.dispose()
        owner.dispose()
    return Comparison(
        "a job's way to its start",
        (
            Line(
                "from the commit to the lease",
                [median(ours[2:])],
                "RQ's enqueue to start",
                [median(theirs[2:])],
                3.0,
            ),
        ),
        (
            "Ours goes by the outbox, the dispatcher and the lease; both fork a work-horse. Medians.",
        ),
    )


def _ask_for_probe(jobs: Service, tenant: UUID) -> UUID:
    with transaction(jobs.engine, role="zen_worker", tenant_id=tenant) as connection:
        actor = Actor(
            tenant, None, "worker", frozenset(), "bench", str(new_id()), operation_id=new_id()
        )
        return enqueue(connection, actor, "system.probe", key=f"probe:{new_id()}", subject_id=None)


def _started(owner: Any, operation: UUID) -> float | None:
    with owner.connect() as connection:
        found = connection.scalar(
            text(
                "select extract(epoch from started_at) from operation_attempts where operation_id = :id"
            ),
            {"id": operation},
        )
    return None if found is None else float(found)


def _ended(owner: Any, operation: UUID) -> bool:
    with owner.connect() as connection:
        return bool(
            connection.scalar(
                text("select status = 'done' from operations where operation_id = :id"),
                {"id": operation},
            )
        )


def _wait_for(look: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.001)
    raise RuntimeError("nothing happened in time")


# ---- packs --------------------------------------------------------------------------------------


def _packs(bench: Bench, order: UUID, count: int) -> Comparison:
    """Many packs through two workers: all of them made, each once."""
    orders = [_copy_order(bench.owner_url, order, 1000 + number) for number in range(count)]
    operator = bench.operator
    began = time.perf_counter()
    for one in orders:
        for status in ("EVIDENCE_PENDING", "DATA_PENDING", "READY_FOR_RENDER"):
            operator.ask("POST", f"{ORDERS}/{one}/status", {"status": status})
    engine = create_engine(bench.owner_url)
    seen: tuple[int, ...] = ()
    while True:
        with engine.connect() as connection:
            row = connection.execute(
                text(
                    "select count(*) filter (where status = 'generated'),"
                    " count(*) filter (where status = 'failed'), count(*)"
                    " from packs where work_order_id = any(:orders)"
                ),
                {"orders": orders},
            ).one()
        seen = tuple(row)
        if seen[0] + seen[1] == count or time.perf_counter() - began > 10 * count:
            break
        time.sleep(0.5)
    seconds = time.perf_counter() - began
    with engine.connect() as connection:
        artifacts = connection.scalar(
            text(
                "select count(*) from pack_artifacts a join packs p using (tenant_id, pack_id)"
                " where p.work_order_id = any(:orders)"
            ),
            {"orders": orders},
        )
    engine.dispose()
    if seen != (count, 0, count) or artifacts != 2 * count:
        raise RuntimeError(
            f"of {count} packs {seen[0]} were made, {seen[1]} failed; {artifacts} files"
        )
    return Comparison(
        f"{count} packs through two workers",
        (Line("seconds for one pack", [seconds / count], "one second", [1.0]),),
        (
            (
                f"{count} work orders were made ready one after the other; each pack has its bundle "
                "(19 pieces of evidence) and its proved report, none was lost and none made twice."
            ),
        ),
    )
