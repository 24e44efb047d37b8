"""The chain: nothing is sealed twice or forgotten, and what is rewritten is found by its number."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from contracts.canonical_json import digest
from service.audit.anchoring import AnchorError, anchor, anchors_of, public_keys
from service.audit.chain import BEGINNING, FIELDS, seal_hash
from service.audit.events import record
from service.audit.sealing import LATE, seal, seal_tenant
from service.audit.verifying import _SEALS, ERASED, Report, verify
from service.database.connections import make_engine, transaction
from service.identifiers import new_id
from tests.service.audit.logs import actor_of, write_events

Tamper = Callable[[Any, UUID], None]


def report_of(jobs_service: Any, tenant_id: UUID, *, anchored: bool = True) -> Report:
    anchors = (
        anchors_of(jobs_service.objects, tenant_id, public_keys(jobs_service.settings))
        if anchored
        else ()
    )
    with transaction(jobs_service.engine, role="zen_system") as connection:
        return verify(connection, tenant_id, anchors)


def as_tamperer(owner_engine: Any, tenant_id: UUID, *statements: str) -> None:
    """A superuser who has switched triggers and foreign keys off."""
    with owner_engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement), {"t": tenant_id})


@pytest.fixture
def chain(service: Any, jobs_service: Any, make_firm: Any) -> UUID:
    """A firm with ten sealed events, anchored, of which each has details."""
    tenant: UUID = make_firm().tenant_id
    for number in range(10):
        write_events(service.engine, tenant, 1, after={"number": str(number)})
    assert seal_tenant(jobs_service.engine, tenant) == 10
    assert anchor(jobs_service) >= 1
    return tenant


@given(
    st.dictionaries(st.sampled_from(FIELDS), st.none() | st.text(st.characters(codec="utf-8"))),
    st.integers(1, 2**53 - 1),
)
def test_a_seal_covers_the_canonical_json_of_what_is_not_null(
    event: dict[str, str | None], seq: int
) -> None:
    written = {
        "previous": BEGINNING,
        "seq": seq,
        "sealed_at": "2026-11-24T08:00:00.000000Z",
        "event": {name: value for name, value in event.items() if value is not None},
    }

    assert seal_hash(BEGINNING, seq, "2026-11-24T08:00:00.000000Z", event) == digest(written)


def test_a_chain_that_nobody_touched_holds(jobs_service: Any, chain: UUID) -> None:
    report = report_of(jobs_service, chain)

    assert (report.breaks, report.sealed, report.unsealed, report.anchored) == ((), 10, 0, 10)


def test_every_column_of_an_event_is_covered(owner_engine: Any) -> None:
    with owner_engine.connect() as connection:
        columns = connection.scalars(
            text(
                "select column_name from information_schema.columns"
                " where table_name = 'audit_events' order by ordinal_position"
            )
        ).all()

    assert sorted(columns) == sorted(FIELDS)


def test_what_is_not_sealed_yet_is_counted(service: Any, jobs_service: Any, chain: UUID) -> None:
    write_events(service.engine, chain, 3)
    report = report_of(jobs_service, chain)

    assert (report.is_whole, report.sealed, report.unsealed) == (True, 10, 3)
    assert report.oldest_unsealed is not None


# Seven kinds of tampering. Each number is the first place that the verifier has to name.


def edit(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "update audit_events set reason = 'another' where (tenant_id, event_id) in"
        " (select tenant_id, event_id from audit_seals where tenant_id = :t and seq = 4)",
    )


def edit_details(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "update audit_details set details = replace(details, '3', '4') where (tenant_id, event_id)"
        " in (select tenant_id, event_id from audit_seals where tenant_id = :t and seq = 4)",
    )


def edit_time_of_sealing(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "update audit_seals set sealed_at = sealed_at + interval '1 microsecond'"
        " where tenant_id = :t and seq = 4",
    )


def delete_event(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "delete from audit_events where (tenant_id, event_id) in"
        " (select tenant_id, event_id from audit_seals where tenant_id = :t and seq = 5)",
    )


def delete_middle(engine: Any, tenant: UUID) -> None:
    delete_event(engine, tenant)
    as_tamperer(engine, tenant, "delete from audit_seals where tenant_id = :t and seq = 5")


def delete_details(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "delete from audit_details where (tenant_id, event_id) in"
        " (select tenant_id, event_id from audit_seals where tenant_id = :t and seq = 5)",
    )


def delete_tail(engine: Any, tenant: UUID) -> None:
    as_tamperer(
        engine,
        tenant,
        "delete from audit_details d using audit_seals s where s.tenant_id = :t and s.seq > 8"
        " and d.tenant_id = s.tenant_id and d.event_id = s.event_id",
        "delete from audit_events e using audit_seals s where s.tenant_id = :t and s.seq > 8"
        " and e.tenant_id = s.tenant_id and e.event_id = s.event_id",
        "delete from audit_seals where tenant_id = :t and seq > 8",
    )


def swap(engine: Any, tenant: UUID) -> None:
    """The third and the seventh event change places."""
    with engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        third, seventh = connection.scalars(
            text(
                "select event_id from audit_seals where tenant_id = :t and seq in (3, 7)"
                " order by seq"
            ),
            {"t": tenant},
        ).all()
        for seq, event in ((3, new_id()), (7, third), (3, seventh)):
            connection.execute(
                text("update audit_seals set event_id = :e where tenant_id = :t and seq = :s"),
                {"t": tenant, "s": seq, "e": event},
            )


def insert(engine: Any, tenant: UUID) -> None:
    """An event between the sixth and the seventh, and all numbers after it one higher."""
    as_tamperer(
        engine,
        tenant,
        "update audit_seals set seq = seq + 1000 where tenant_id = :t and seq >= 6",
        "update audit_seals set seq = seq - 999 where tenant_id = :t and seq > 1000",
        "insert into audit_events select tenant_id, gen_random_uuid(), at, action, actor_kind,"
        " actor_id, token_id, audience, subject_type, subject_id, work_order_id, reason, null,"
        " request_id, operation_id from audit_events where tenant_id = :t limit 1",
        "insert into audit_seals select s.tenant_id, 6, e.event_id, s.hash, s.hash, s.sealed_at"
        " from audit_seals s join audit_events e on e.tenant_id = s.tenant_id and not exists"
        " (select from audit_seals x where x.tenant_id = e.tenant_id and x.event_id = e.event_id)"
        " where s.tenant_id = :t and s.seq = 5",
    )


def truncate(engine: Any, tenant: UUID) -> None:
    as_tamperer(engine, tenant, "truncate audit_events, audit_details, audit_seals")


@pytest.mark.parametrize(
    ("tamper", "seq", "why"),
    [
        (edit, 4, "was changed"),
        (edit_details, 4, "details .* were changed"),
        (edit_time_of_sealing, 4, "was changed"),
        (delete_event, 5, "is gone"),
        (delete_middle, 5, "missing"),
        (delete_details, 5, "no event says why"),
        (delete_tail, 9, "an anchor of .* vouches for 10 seals"),
        (swap, 3, "was changed"),
        (insert, 6, "was changed"),
        (truncate, 1, "an anchor of .* vouches for 10 seals"),
    ],
)
def test_tampering_is_found_by_its_number(
    jobs_service: Any, owner_engine: Any, chain: UUID, tamper: Tamper, seq: int, why: str
) -> None:
    tamper(owner_engine, chain)
    first = report_of(jobs_service, chain).breaks[0]

    assert first.seq == seq
    assert re.search(why, first.why)


def compute_anew(engine: Any, tenant: UUID) -> None:
    """Give every seal the hash that fits the events as they are now: who can write, can do it."""
    with engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        previous = BEGINNING
        rows = connection.execute(_SEALS, {"tenant": tenant}).all()
        for seq, _event, _previous, _hash, sealed, _details, *values in rows:
            found = seal_hash(previous, seq, sealed, dict(zip(FIELDS, values, strict=True)))
            connection.execute(
                text(
                    "update audit_seals set previous_hash = :p, hash = :h"
                    " where tenant_id = :t and seq = :s"
                ),
                {"t": tenant, "s": seq, "p": previous, "h": found},
            )
            previous = found


def test_a_chain_that_was_computed_anew_is_found_by_its_anchor_alone(
    jobs_service: Any, owner_engine: Any, chain: UUID
) -> None:
    edit(owner_engine, chain)
    compute_anew(owner_engine, chain)

    assert report_of(jobs_service, chain, anchored=False).is_whole
    (found,) = report_of(jobs_service, chain).breaks
    assert found.seq == 10
    assert "not the seal that an anchor" in found.why


@pytest.mark.parametrize("after", [2, 5])
def test_an_older_backup_that_was_put_back_is_found_by_its_anchor_alone(
    service: Any, jobs_service: Any, owner_engine: Any, chain: UUID, after: int
) -> None:
    """Also when work goes on, until the chain is longer than it ever was."""
    delete_tail(owner_engine, chain)
    write_events(service.engine, chain, after)
    assert seal_tenant(jobs_service.engine, chain) == after

    assert report_of(jobs_service, chain, anchored=False).is_whole
    (found,) = report_of(jobs_service, chain).breaks
    assert found.seq == 10


def test_a_chain_without_its_anchor_gets_no_new_one(
    service: Any, jobs_service: Any, owner_engine: Any, chain: UUID
) -> None:
    delete_tail(owner_engine, chain)
    write_events(service.engine, chain, 5)
    seal_tenant(jobs_service.engine, chain)
    anchor(jobs_service)
    found = anchors_of(jobs_service.objects, chain, public_keys(jobs_service.settings))

    assert [one.seq for one in found] == [10]


def test_details_that_an_event_names_may_be_erased(
    jobs_service: Any, as_worker: Any, chain: UUID
) -> None:
    with as_worker(chain) as connection:
        erased = connection.scalar(
            text("select event_id from audit_seals where tenant_id = :t and seq = 5"),
            {"t": chain},
        )
        connection.execute(
            text("delete from audit_details where tenant_id = :t and event_id = :e"),
            {"t": chain, "e": erased},
        )
        record(
            connection,
            actor_of(chain, audience="worker"),
            ERASED,
            subject=("document", new_id()),
            after={"events": [erased]},
        )
    seal_tenant(jobs_service.engine, chain)
    report = report_of(jobs_service, chain)

    assert (report.breaks, report.sealed, report.erased) == ((), 11, 1)


def test_an_anchor_that_was_altered_is_refused(jobs_service: Any, chain: UUID) -> None:
    path = jobs_service.objects.folder / f"{chain}/audit/000000000000010.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"hash": "0" * 64}))

    with pytest.raises(AnchorError, match="was altered"):
        report_of(jobs_service, chain)


def test_an_anchor_by_another_key_is_refused_until_the_key_is_named(
    jobs_service: Any, chain: UUID
) -> None:
    keys = public_keys(jobs_service.settings)
    former = public_keys(replace(jobs_service.settings, secret_key="another secret " * 3))

    with pytest.raises(AnchorError, match="not the service's"):
        anchors_of(jobs_service.objects, chain, former)
    assert [one.seq for one in anchors_of(jobs_service.objects, chain, (*former, *keys))] == [10]


def test_an_anchor_of_another_firm_vouches_for_nothing(
    jobs_service: Any, chain: UUID, make_firm: Any
) -> None:
    other = make_firm().tenant_id
    path = jobs_service.objects.folder / f"{chain}/audit/000000000000010.json"
    copy = jobs_service.objects.folder / f"{other}/audit/000000000000010.json"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(path.read_bytes())

    with pytest.raises(AnchorError, match="another's place"):
        report_of(jobs_service, other)


def test_a_chain_that_has_not_grown_gets_no_second_anchor(
    service: Any, jobs_service: Any, chain: UUID
) -> None:
    def anchored() -> list[int]:
        anchor(jobs_service)
        found = anchors_of(jobs_service.objects, chain, public_keys(jobs_service.settings))
        return [one.seq for one in found]

    assert anchored() == [10]
    write_events(service.engine, chain, 1)
    seal_tenant(jobs_service.engine, chain)
    assert anchored() == [10, 11]


def test_an_event_of_a_slow_transaction_is_sealed_though_later_ones_were_before(
    service: Any, jobs_service: Any, make_firm: Any
) -> None:
    tenant = make_firm().tenant_id
    with transaction(service.engine, role="zen_web", tenant_id=tenant) as slow:
        record(slow, actor_of(tenant), "test:thing:done", subject=("thing", 1))
        write_events(service.engine, tenant, 2)
        assert seal_tenant(jobs_service.engine, tenant) == 2
    assert seal_tenant(jobs_service.engine, tenant) == 1

    report = report_of(jobs_service, tenant, anchored=False)
    assert (report.breaks, report.sealed, report.unsealed) == ((), 3, 0)


@pytest.mark.parametrize(("beyond", "at_once"), [(-1, 1), (1, 0)])
def test_only_the_daily_sealing_looks_back_further_than_an_hour(
    jobs_service: Any, owner_engine: Any, chain: UUID, beyond: int, at_once: int
) -> None:
    with owner_engine.begin() as connection:
        newest = connection.scalar(
            text(
                "select event_id from audit_seals where tenant_id = :t"
                " order by event_id desc limit 1"
            ),
            {"t": chain},
        )
        milliseconds = (newest.int >> 80) - int(LATE.total_seconds() * 1000) - beyond
        connection.execute(
            text(
                "insert into audit_events (tenant_id, event_id, at, action, actor_kind,"
                " subject_type, subject_id) values (:t, :e, now(), 'a:b', 'system', 'x', '1')"
            ),
            {"t": chain, "e": UUID(int=(milliseconds << 80) + 1)},
        )

    assert seal_tenant(jobs_service.engine, chain) == at_once
    assert seal_tenant(jobs_service.engine, chain, everything=True) == 1 - at_once
    assert report_of(jobs_service, chain).unsealed == 0


def test_a_limit_seals_the_rest_the_next_time(
    service: Any, jobs_service: Any, make_firm: Any
) -> None:
    tenant = make_firm().tenant_id
    write_events(service.engine, tenant, 5)

    assert [seal_tenant(jobs_service.engine, tenant, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert report_of(jobs_service, tenant, anchored=False).is_whole


WRITERS = int(os.environ.get("ZENOPS_AUDIT_WRITERS", "50"))
EACH = int(os.environ.get("ZENOPS_AUDIT_EACH", "20"))


@pytest.mark.campaign
def test_many_writers_and_two_sealers_make_one_chain_without_a_gap(
    database: Any, jobs_service: Any, make_firm: Any
) -> None:
    """Fifty real connections write, each event in a transaction of its own; two sealers race."""
    tenant = make_firm().tenant_id
    engine = make_engine(database.api_url, pool_size=WRITERS, overflow=0)
    writing = threading.Event()
    sealed: list[int] = []

    def write() -> None:
        for _ in range(EACH):
            write_events(engine, tenant, 1)

    def seal_on() -> None:
        while not writing.is_set():
            sealed.append(seal_tenant(jobs_service.engine, tenant, limit=30))

    with ThreadPoolExecutor(WRITERS + 2) as threads:
        sealers = [threads.submit(seal_on) for _ in range(2)]
        writers = [threads.submit(write) for _ in range(WRITERS)]
        for one in writers:
            one.result()
        writing.set()
        for one in sealers:
            one.result()
    engine.dispose()
    while seal(jobs_service.engine):
        pass
    report = report_of(jobs_service, tenant, anchored=False)

    assert (report.breaks, report.sealed, report.unsealed) == ((), WRITERS * EACH, 0)
    # The sealers were really at work beside the writers, and both had something to do.
    assert sum(count > 0 for count in sealed) > 1
