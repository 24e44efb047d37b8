"""Killed while a report is let out: it is released once and its credit is used once, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from service.actor import Actor
from service.billing import accounts, credits
from service.billing.journal import verify_journal
from service.database.connections import transaction
from service.identifiers import new_id
from service.release.records import unexplained_releases
from tests.chaos.browser import Persistent
from tests.chaos.size import repeated
from tests.chaos.world import World

pytestmark = pytest.mark.campaign

#: The least that a signed, proved report is, past every policy.
_ROWS = """
insert into work_orders (tenant_id, work_order_id, reference, report_type, bank_type,
source_type, contract, status, created_at, updated_at) values (:tenant, :order, :name,
'VALUATION', 'SBI', 'TENANT', '{"meta":{"report_type":"VALUATION"}}', 'READY_FOR_RENDER', now(),
now());
insert into snapshots (tenant_id, work_order_id, version, kind, contract, bundle_digest,
created_at) values (:tenant, :order, 2, 'output', '{}', :digest, now());
insert into packs (tenant_id, pack_id, work_order_id, version, snapshot_version, bundle_digest,
template_key, family, status, created_at, generated_at) values (:tenant, :pack, :order, 1, 2,
:digest, 'T', 'valuation', 'generated', now(), now());
with kinds (kind, operation, artifact) as (values ('bundle', gen_random_uuid(),
gen_random_uuid()), ('docx', gen_random_uuid(), gen_random_uuid())), done as (insert into
operations (tenant_id, operation_id, kind, operation_key, work_order_id, subject_id, status,
created_at, run_after) select :tenant, operation, 'system.probe', operation::text, :order,
:pack, 'done', now(), now() from kinds) insert into pack_artifacts (tenant_id, artifact_id,
pack_id, kind, filename, object_key, media_type, size, sha256, operation_id, created_at) select
:tenant, artifact, :pack, kind, kind, 'x', 'x/x', 1, :digest, operation, now() from kinds;
insert into valuers (tenant_id, valuer_id, name, registration, may_sign, created_at, updated_at)
values (:tenant, :valuer, 'A. Specimen', :name, true, now(), now());
insert into sign_offs (tenant_id, sign_off_id, pack_id, bundle_digest, valuer_id, valuer_name,
registration, signed_by, signed_at) select :tenant, gen_random_uuid(), :pack, :digest, :valuer,
'A. Specimen', :name, user_id, now() from memberships where tenant_id = :tenant limit 1;
"""


def signed_report(world: World) -> tuple[UUID, UUID]:
    """A work order whose report may leave, with a credit held for it; the account too."""
    order, pack, valuer = new_id(), new_id(), new_id()
    for statement in _ROWS.strip().removesuffix(";").split(";\n"):
        names = {
            "tenant": world.tenant_id,
            "order": order,
            "pack": pack,
            "valuer": valuer,
            "digest": order.hex * 2,
            "name": f"SPECIMEN-{order.hex}",
        }
        world.execute(
            statement, **{name: value for name, value in names.items() if f":{name}" in statement}
        )
    studio = Actor(world.tenant_id, new_id(), "studio", frozenset(), "Studio", "r")
    engine = create_engine(world.database.api_url)
    with transaction(engine, role="zen_studio", tenant_id=world.tenant_id) as connection:
        account = accounts.create_account(
            connection,
            studio,
            world.tenant_id,
            external_key=f"v1:partner:{order}",
            display_name="Specimen Partner",
        )
        credits.grant(connection, studio, account, 5, key="given")
        account = accounts.change_policy(connection, studio, account, billing_mode="CREDIT")
        credits.reserve(
            connection,
            studio,
            account,
            1,
            key=f"hold-{order}",
            ref=("work_order", str(order)),
            work_order_id=order,
        )
    engine.dispose()
    return order, account.account_id


@pytest.fixture(autouse=True)
def _nothing_left(world: World) -> Iterator[None]:
    """Artifacts are kept for ever, and name operations that the next test's world is without."""
    yield
    with world.owner() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(text("delete from pack_artifacts"))


@repeated
@pytest.mark.parametrize(
    "point",
    ["release-before-effect", "release-after-effect", "web-before-commit", "web-after-commit"],
)
def test_killed_while_a_report_is_let_out(point: str, world: World) -> None:
    """The client repeats its request and gets the one release there is."""
    at_login = world.start("web")
    operator = Persistent(world)
    order, account = signed_report(world)
    world.stop(at_login)
    world.start("web", crash_at=point)
    operator.repeats = 0

    answer = operator.post(
        f"/v1/repogen/work-orders/{order}/release-deliverables", {"idempotency_key": str(order)}
    )

    assert world.has_crashed()
    assert operator.repeats > 0
    assert answer["gate_result"] == "CREDIT_CONSUMED"
    assert world.query("select result from releases where work_order_id = :id", id=order) == [
        ("CREDIT_CONSUMED",)
    ]
    assert world.query(
        "select wallet, reserved, available from credit_wallets where account_id = :id", id=account
    ) == [(4, 0, 4)]
    assert world.query(
        "select count(*) from audit_events where work_order_id = :id"
        " and action = 'release:deliverable:released'",
        id=order,
    ) == [(1,)]
    engine = create_engine(world.database.api_url)
    with transaction(engine, role="zen_studio", tenant_id=world.tenant_id) as connection:
        assert unexplained_releases(connection, world.tenant_id) == []
        assert verify_journal(connection, world.tenant_id, account) == []
    engine.dispose()
