"""The release gate over HTTP: sixteen clients on one firm's wallet, against one of them alone."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bench.measurements import Comparison
from bench.timing import Line
from service.demonstration import ORDERS
from service.identifiers import new_id

if TYPE_CHECKING:
    from bench.service import Bench

CLIENTS = 16
#: Releases that fill a client's caches before the clock runs.
_FIRST = 2

#: Signed, proved reports of one firm, each with a credit held on the firm's one account.
_FILL = """
create temporary table made on commit drop as select
    w.tenant_id, gen_random_uuid() as order_id, gen_random_uuid() as pack_id,
    gen_random_uuid() as bundle_op, gen_random_uuid() as report_op, gen_random_uuid() as hold_id,
    :name || '-' || n as name, s.version, s.bundle_digest
from work_orders w join snapshots s on s.tenant_id = w.tenant_id and s.work_order_id = w.work_order_id
    and s.version = w.snapshot_version, generate_series(1, :count) n
where w.work_order_id = :order;
insert into work_orders (tenant_id, work_order_id, reference, report_type, bank_type, source_type,
    contract, status, snapshot_version, created_at, updated_at)
select m.tenant_id, m.order_id, m.name, w.report_type, w.bank_type, w.source_type, w.contract,
    'READY_FOR_RENDER', m.version, now(), now()
from made m join work_orders w on w.tenant_id = m.tenant_id and w.work_order_id = :order;
insert into snapshots (tenant_id, work_order_id, version, kind, contract, evidence, readiness, parts,
    bundle_digest, ruleset, profile, template_key, created_at)
select m.tenant_id, m.order_id, s.version, s.kind, s.contract, s.evidence, s.readiness, s.parts,
    s.bundle_digest, s.ruleset, s.profile, s.template_key, now()
from made m join snapshots s on s.tenant_id = m.tenant_id and s.work_order_id = :order
    and s.version = m.version;
insert into packs (tenant_id, pack_id, work_order_id, version, snapshot_version, bundle_digest,
    template_key, family, status, created_at, generated_at)
select tenant_id, pack_id, order_id, 1, version, bundle_digest, 'T', 'valuation', 'generated', now(),
    now() from made;
insert into operations (tenant_id, operation_id, kind, operation_key, work_order_id, subject_id,
    status, created_at, run_after)
select m.tenant_id, o.id, 'system.probe', o.id::text, m.order_id, m.pack_id, 'done', now(), now()
from made m cross join lateral (values (m.bundle_op), (m.report_op)) o (id);
insert into pack_artifacts (tenant_id, artifact_id, pack_id, kind, filename, object_key, media_type,
    size, sha256, operation_id, created_at)
select m.tenant_id, o.id, m.pack_id, o.kind, o.kind, 'none', 'x/x', 1, m.bundle_digest, o.id, now()
from made m cross join lateral (values (m.bundle_op, 'bundle'), (m.report_op, 'docx')) o (id, kind);
insert into sign_offs (tenant_id, sign_off_id, pack_id, bundle_digest, valuer_id, valuer_name,
    registration, signed_by, signed_at)
select m.tenant_id, m.hold_id, m.pack_id, m.bundle_digest, v.valuer_id, v.name, v.registration,
    v.user_id, now()
from made m join valuers v on v.tenant_id = m.tenant_id and v.user_id is not null;
insert into credit_holds (tenant_id, hold_id, account_id, ref_type, ref_id, work_order_id, amount,
    created_at)
select tenant_id, hold_id, :account, 'work_order', order_id::text, order_id, 1, now() from made;
"""
_ACCOUNT = """
insert into billing_accounts (tenant_id, account_id, account_type, external_key, display_name,
    billing_mode, created_at, updated_at)
select tenant_id, :account, 'tenant', 'v1:client:' || :account, 'Bench', 'CREDIT', now(), now()
from work_orders where work_order_id = :order;
insert into credit_wallets (tenant_id, account_id, wallet, reserved, available)
select tenant_id, account_id, :count, :count, 0 from billing_accounts where account_id = :account;
"""


def releases(bench: Bench, order: UUID, *, rounds: int) -> Comparison:
    """Reports let out, each consuming a held credit, all of one wallet.

    Args:
        bench: the service that runs.
        order: a work order whose snapshot the reports have.
        rounds: how often to measure; a tenth of it for each of the many.
    """
    alone, each = max(40, rounds), max(10, rounds // 10)
    waiting = _signed(bench, order, (alone + _FIRST) + CLIENTS * (each + _FIRST))
    one = _over_http(bench, [waiting[: alone + _FIRST]])
    rest = waiting[alone + _FIRST :]
    many = _over_http(bench, [rest[place::CLIENTS] for place in range(CLIENTS)])
    return Comparison(
        "the release gate",
        (
            Line(
                f"{CLIENTS} clients over HTTP, 99 of 100",
                [quantiles(many, n=100, method="inclusive")[98]],
                "one client over HTTP, half of them",
                [median(one)],
                20.0,
            ),
        ),
        (
            (
                "Each release authenticates, locks work order, pack and the firm's one wallet,"
                " decides, consumes the hold, and writes decision, journal, charge, usage and audit."
                f" It takes one client {median(one) * 1000:.1f} ms."
            ),
            f"No request of the {CLIENTS} clients failed; each report left once.",
        ),
    )


def _signed(bench: Bench, order: UUID, count: int) -> list[UUID]:
    account = new_id()
    names = {"order": order, "account": account, "count": count, "name": f"release-{account.hex}"}
    engine = create_engine(bench.owner_url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in (_ACCOUNT + _FILL).split(";\n"):
            if statement.strip():
                given = {name: value for name, value in names.items() if f":{name}" in statement}
                connection.execute(text(statement), given)
        found = list(connection.scalars(text("select order_id from made")))
    engine.dispose()
    return found


def _over_http(bench: Bench, shares: Sequence[Sequence[UUID]]) -> list[float]:
    """The times of releases by as many clients at once as there are shares.

    Raises:
        RuntimeError: a release failed, or was no release.
    """
    token = bench.operator.token
    times: list[float] = []
    failures: list[str] = []
    start = threading.Barrier(len(shares))

    def run(orders: Sequence[UUID]) -> None:
        connection = http.client.HTTPConnection(*bench.address, timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        start.wait()
        for number, one in enumerate(orders):
            body = json.dumps({"idempotency_key": str(one)})
            began = time.perf_counter()
            connection.request("POST", f"{ORDERS}/{one}/release-deliverables", body, headers)
            answer = connection.getresponse()
            read = answer.read()
            if number >= _FIRST:
                times.append(time.perf_counter() - began)
            if answer.status != 200 or b'"CREDIT_CONSUMED"' not in read:
                failures.append(f"{answer.status} {read[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} releases failed, the first: {failures[0]}")
    return times
