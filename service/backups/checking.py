"""Looks at a database and says what it holds, and whether that is as it has to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service.audit.verifying import verify
from service.database.connections import become
from service.objects import storage

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.audit.anchoring import Anchor
    from service.objects.storage import Objects

_TABLES = text(
    "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace"
    " and c.relkind = 'r' order by 1"
)
#: Everything that makes up the schema and who may do what, as comparable texts. What only some
#: versions of PostgreSQL write down (not-null constraints, MAINTAIN, the owner's own rights) is not.
_CATALOGUE = text(
    "with ours as (select oid, relname, relowner, relacl, relrowsecurity, relforcerowsecurity"
    "  from pg_class where relkind in ('r', 'p', 'v', 'm') and relnamespace in"
    "  ('public'::regnamespace, 'app'::regnamespace))"
    " select format('table %s owner %s row security %s forced %s', relname,"
    "  relowner::regrole, relrowsecurity, relforcerowsecurity) from ours"
    " union all select format('right on %s: %s to %s', o.relname, a.privilege_type,"
    "  a.grantee::regrole) from ours o, aclexplode(o.relacl) a"
    "  where a.grantee <> o.relowner and a.privilege_type <> 'MAINTAIN'"
    " union all select format('right on %s.%s: %s to %s', o.relname, c.attname,"
    "  a.privilege_type, a.grantee::regrole) from ours o join pg_attribute c"
    "  on c.attrelid = o.oid, aclexplode(c.attacl) a"
    " union all select format('column %s.%s %s %s %s', o.relname, c.attname,"
    "  format_type(c.atttypid, c.atttypmod), c.attnotnull, pg_get_expr(d.adbin, d.adrelid))"
    "  from ours o join pg_attribute c on c.attrelid = o.oid and c.attnum > 0"
    "  and not c.attisdropped left join pg_attrdef d on d.adrelid = o.oid and d.adnum = c.attnum"
    " union all select format('policy %s on %s %s %s to %s using %s check %s', policyname,"
    "  tablename, permissive, cmd, roles, qual, with_check) from pg_policies"
    " union all select format('constraint %s on %s %s', k.conname, o.relname,"
    "  pg_get_constraintdef(k.oid)) from ours o join pg_constraint k on k.conrelid = o.oid"
    "  where k.contype <> 'n'"
    " union all select pg_get_indexdef(i.indexrelid) from ours o join pg_index i"
    "  on i.indrelid = o.oid"
    " union all select pg_get_triggerdef(t.oid) from ours o join pg_trigger t"
    "  on t.tgrelid = o.oid where not t.tgisinternal"
    " union all select format('function %s %s %s', pg_get_functiondef(p.oid),"
    "  p.proowner::regrole, (select string_agg(format('%s to %s', a.privilege_type,"
    "  case a.grantee when 0 then 'public' else a.grantee::regrole::text end), ', ' order by"
    "  a.grantee) from aclexplode(p.proacl) a where a.grantee <> p.proowner))"
    "  from pg_proc p where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)"
    " union all select format('schema %s owner %s %s', n.nspname, n.nspowner::regrole,"
    "  (select string_agg(format('%s to %s', a.privilege_type, a.grantee::regrole), ', '"
    "  order by a.privilege_type, a.grantee::regrole::text) from aclexplode(n.nspacl) a"
    "  where a.grantee <> n.nspowner)) from pg_namespace n where n.nspname in ('public', 'app')"
)

#: What has to be true of the rows, as a query for those of which it is not.
INVARIANTS: Mapping[str, str] = {
    "a generated pack has its bundle": (
        "select pack_id from packs p where p.status = 'generated' and not exists (select from"
        " pack_artifacts a where a.tenant_id = p.tenant_id and a.pack_id = p.pack_id"
        " and a.kind = 'bundle')"
    ),
    "a work order's packs are numbered from 1 without a gap": (
        "select w.work_order_id from work_orders w where w.pack_version <> (select count(*)"
        " from packs p where p.tenant_id = w.tenant_id and p.work_order_id = w.work_order_id)"
        " or w.pack_version <> coalesce((select max(p.version) from packs p"
        " where p.tenant_id = w.tenant_id and p.work_order_id = w.work_order_id), 0)"
    ),
    "a work order's snapshots are numbered from 1 without a gap": (
        "select w.work_order_id from work_orders w where w.snapshot_version <> (select count(*)"
        " from snapshots s where s.tenant_id = w.tenant_id and s.work_order_id = w.work_order_id)"
        " or w.snapshot_version <> coalesce((select max(s.version) from snapshots s"
        " where s.tenant_id = w.tenant_id and s.work_order_id = w.work_order_id), 0)"
    ),
    "a work order has at most one current pack, and it is the one it names": (
        "select w.work_order_id from work_orders w left join packs p on p.tenant_id = w.tenant_id"
        " and p.pack_id = w.current_pack_id where (select count(*) from packs c"
        " where c.tenant_id = w.tenant_id and c.work_order_id = w.work_order_id"
        " and c.status in ('generating', 'generated', 'failed')) > 1"
        " or p.work_order_id <> w.work_order_id"
    ),
    "a pack has the digest of its snapshot": (
        "select p.pack_id from packs p join snapshots s using (tenant_id, work_order_id)"
        " where s.version = p.snapshot_version and s.bundle_digest is distinct from p.bundle_digest"
    ),
    "a snapshot's parts are all there": (
        "select s.work_order_id from snapshots s, jsonb_each_text(s.parts) part where not exists"
        " (select from bundle_parts b where b.tenant_id = s.tenant_id and b.sha256 = part.value)"
    ),
    "a part is what its digest says": (
        "select sha256 from bundle_parts where encode(sha256(content), 'hex') <> sha256"
    ),
    "a signature is for its pack's digest": (
        "select s.sign_off_id from sign_offs s join packs p using (tenant_id, pack_id)"
        " where s.bundle_digest <> p.bundle_digest"
    ),
    "a work order's state is the last that it was moved to": (
        "select w.work_order_id from work_orders w join lateral (select c.to_status"
        " from status_changes c where c.tenant_id = w.tenant_id"
        " and c.work_order_id = w.work_order_id order by c.changed_at desc,"
        " c.status_change_id desc limit 1) last on true where last.to_status <> w.status"
    ),
    "work that has ended holds no lease": (
        "select operation_id from operations where status in ('done', 'dead', 'cancelled')"
        " and lease_until is not null"
    ),
}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds: the schema as texts, and of each table the rows and their sum."""

    catalogue: frozenset[str]
    tables: Mapping[str, tuple[int, str]]


def contents_of(connection: Connection) -> Contents:
    """What a database holds, for comparing; the connection has to see every row.

    A table's sum is over the hashes of its rows, whose order does not matter.
    """
    tables = {}
    for name in connection.scalars(_TABLES).all():
        row = connection.execute(
            text(
                "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"  # noqa: S608 - from the catalogue
                f' from public."{name}" t'
            )
        ).one()
        tables[name] = (row[0], row[1])
    return Contents(frozenset(connection.scalars(_CATALOGUE)), tables)


def differences(wanted: Contents, found: Contents) -> Iterator[str]:
    """What of a database is not in its copy, or otherwise."""
    for name in sorted(wanted.tables.keys() | found.tables.keys()):
        here, there = wanted.tables.get(name), found.tables.get(name)
        if here is None or there is None:
            yield f"table {name}: {'missing' if there is None else 'not in the original'}"
        elif here[0] != there[0]:
            yield f"table {name}: {there[0]} rows, not {here[0]}"
        elif here[1] != there[1]:
            yield f"table {name}: the rows are not the same"
    for line in sorted(wanted.catalogue - found.catalogue):
        yield f"schema: missing: {line}"
    for line in sorted(found.catalogue - wanted.catalogue):
        yield f"schema: not in the original: {line}"


def broken_invariants(connection: Connection) -> Iterator[str]:
    """Which invariants do not hold, and for how many rows."""
    for name, query in INVARIANTS.items():
        wrong = connection.execute(text(query)).all()
        if wrong:
            yield f"{name}: not so for {len(wrong)}, the first {wrong[0][0]}"


def broken_chains(
    connection: Connection, anchors: Mapping[UUID, tuple[Anchor, ...]]
) -> Iterator[str]:
    """Tenants whose audit does not hold, each with the first place."""
    for tenant_id in connection.scalars(text("select tenant_id from tenants order by 1")).all():
        report = verify(connection, tenant_id, anchors.get(tenant_id, ()))
        for one in report.breaks[:1]:
            yield f"audit of {tenant_id}: seal {one.seq}: {one.why}"


def open_doors(connection: Connection) -> Iterator[str]:
    """Tables without forced row-level security, and rows that a firm would see of another.

    Args:
        connection: a superuser's, in a transaction that is rolled back.
    """
    for name in connection.scalars(
        text(
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and relname <> 'alembic_version'"
            " and not (relrowsecurity and relforcerowsecurity) order by 1"
        )
    ).all():
        yield f"table {name}: row-level security is not forced"
    tables = connection.scalars(
        text(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " and a.attname = 'tenant_id' where c.relnamespace = 'public'::regnamespace"
            " and c.relkind = 'r'"
            " and has_column_privilege('zen_web', c.oid, a.attnum, 'select') order by 1"
        )
    ).all()
    tenants = connection.scalars(
        text("select tenant_id from tenants order by tenant_id limit 5")
    ).all()
    for name in tables:
        yield from _seen_of_others(connection, name, tenants)


def _seen_of_others(connection: Connection, name: str, tenants: Any) -> Iterator[str]:
    """A firm sees all of its own rows and no other; nobody sees none."""
    owned = {
        row.tenant_id: row.rows
        for row in connection.execute(
            text(f'select tenant_id, count(*) as rows from public."{name}" group by 1')  # noqa: S608 - from the catalogue
        )
    }
    for tenant_id in (None, *tenants):
        become(connection, "zen_web", tenant_id=tenant_id, audience="web")
        seen = {
            row.tenant_id: row.rows
            for row in connection.execute(
                text(f'select tenant_id, count(*) as rows from public."{name}" group by 1')  # noqa: S608 - likewise
            )
        }
        connection.execute(text("reset role"))
        wanted = {tenant_id: owned[tenant_id]} if tenant_id in owned else {}
        if seen != wanted:
            who = "nobody" if tenant_id is None else f"the firm {tenant_id}"
            yield f"table {name}: {who} sees {sum(seen.values())} rows, not {sum(wanted.values())}"


def lost_objects(connection: Connection, objects: Objects) -> Iterator[str]:
    """Files that rows name and that are not there, or are others than when they were stored."""
    for key, sha256 in connection.execute(
        text(
            "select object_key, sha256 from documents where status = 'uploaded' union all"
            " select object_key, sha256 from pack_artifacts where purged_at is null order by 1"
        )
    ).all():
        if not storage.exists(objects, key):
            yield f"file {key}: missing"
            continue
        digest = hashlib.sha256()
        for chunk in storage.stream(objects, key):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            yield f"file {key}: another than was stored"
