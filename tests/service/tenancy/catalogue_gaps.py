"""What would let one firm see another's rows, asked of PostgreSQL's own catalogue.

Each check is a query that returns what is wrong; a table, view or function that somebody adds
tomorrow is looked at without anybody thinking of it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

#: Tables whose rows are no single firm's, with the reason.
NOT_OF_A_TENANT = {
    "users": "a person may work for several firms; memberships say which",
    "ticks": "the clock's rounds, seen by zen_system alone",
    "alembic_version": "the schema's own revision",
}
#: Unique keys of a tenant's table that do not begin with the tenant, with the reason.
GLOBAL_KEYS = {
    "access_tokens_token_sha256_key": "the digest of 256 random bits",
    "tenants_slug_key": "names of firms are the studio's to give",
    "billing_accounts_external_key": "a key holds its own firm's or person's id; others are the studio's",
    "service_invoices_number": "numbers are the issuer's, one row for all its clients",
    "invoice_settlements_number": "credit notes are the issuer's, likewise",
    "usage_events_of_v1": "the older system's own keys, which name one event whoever's it is",
    "subscriptions_provider": "ids that the payment provider gives",
    "payment_orders_provider": "ids that the payment provider gives",
    "payment_events_once": "ids that the payment provider gives",
}

_TABLES = """
    select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, r.rolname as owner
    from pg_class c join pg_roles r on r.oid = c.relowner
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and c.relnamespace in ('public'::regnamespace, 'app'::regnamespace)
"""

CHECKS = {
    "a table without forced row-level security": f"""
        with t as ({_TABLES}) select relname from t
        where relkind in ('r', 'p') and relname <> 'alembic_version'
          and not (relrowsecurity and relforcerowsecurity)""",
    "a table without a tenant that nobody has a reason for": f"""
        with t as ({_TABLES}) select relname from t
        where relkind in ('r', 'p') and relname <> all (:not_of_a_tenant)
          and not exists (select from pg_attribute a where a.attrelid = t.oid
              and a.attname = 'tenant_id' and a.attnotnull and a.atttypid = 'uuid'::regtype)""",
    "a view that sees with its owner's eyes": f"""
        with t as ({_TABLES}) select t.relname from t join pg_class c on c.oid = t.oid
        where t.relkind = 'v'
          and not coalesce(c.reloptions @> array['security_invoker=true'], false)""",
    "a materialised view or foreign table": f"""
        with t as ({_TABLES}) select relname from t where relkind in ('m', 'f')""",
    "a table that is not zen_owner's": f"""
        with t as ({_TABLES}) select relname || ' of ' || owner from t where owner <> 'zen_owner'""",
    "a right without a policy": """
        select g.table_name || ': ' || g.grantee || ' ' || g.privilege_type
        from (
            select table_name, grantee, privilege_type from information_schema.role_table_grants
            where table_schema = 'public'
            union
            select table_name, grantee, privilege_type from information_schema.column_privileges
            where table_schema = 'public'
        ) g
        where g.grantee in ('zen_login', 'zen_web', 'zen_studio', 'zen_portal', 'zen_worker', 'zen_system',
                            'zen_billing')
          and g.table_name <> 'alembic_version'
          and not exists (select from pg_policies p where p.schemaname = 'public'
              and p.tablename = g.table_name and g.grantee::name = any (p.roles)
              and p.cmd in ('ALL', g.privilege_type))""",
    "a policy for everybody": """
        select tablename || '.' || policyname from pg_policies where 'public'::name = any (roles)""",
    "a policy that asks nothing of a role that serves people": """
        select tablename || '.' || policyname from pg_policies
        where roles && array['zen_login', 'zen_web', 'zen_studio', 'zen_portal', 'zen_worker', 'zen_billing']::name[]
          and (qual = 'true' or with_check = 'true' or coalesce(qual, with_check) is null)""",
    "a firm's policy that does not ask for the tenant": """
        select tablename || '.' || policyname from pg_policies
        where roles && array['zen_web', 'zen_portal', 'zen_worker', 'zen_billing']::name[]
          and coalesce(qual, '') || coalesce(with_check, '') !~ 'app[.]tenant_(id|of)[(]'
          and tablename <> 'users'""",
    "a right that no audience should have": """
        select table_name || ': ' || grantee || ' ' || privilege_type
        from information_schema.role_table_grants
        where table_schema = 'public' and grantee like 'zen%' and grantee <> 'zen_owner'
          and (privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
               or (grantee in ('zen_api', 'zen_jobs')))""",
    "a right of everybody": """
        select table_name || ': ' || privilege_type from information_schema.role_table_grants
        where table_schema in ('public', 'app') and grantee = 'PUBLIC'""",
    "a function that acts as its owner, or whose names can be bent": """
        select p.proname from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
          and (p.prosecdef or not exists (
              select from unnest(coalesce(p.proconfig, '{}')) c where c like 'search_path=%'))""",
    "a key from one tenant's row to another's": """
        select con.conname from pg_constraint con
        where con.contype = 'f' and con.connamespace = 'public'::regnamespace
          and exists (select from pg_attribute a where a.attrelid = con.confrelid and a.attname = 'tenant_id')
          and not exists (
              select from unnest(con.conkey, con.confkey) as k (here, there)
              join pg_attribute x on x.attrelid = con.conrelid and x.attnum = k.here
              join pg_attribute y on y.attrelid = con.confrelid and y.attnum = k.there
              where x.attname = 'tenant_id' and y.attname = 'tenant_id')""",
    "a unique key that tells of other firms": """
        select i.relname from pg_index x
        join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
        where x.indisunique and t.relnamespace = 'public'::regnamespace
          and t.relname <> all (:not_of_a_tenant) and i.relname <> all (:global_keys)
          and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'tenant_id')
          and not exists (select from pg_attribute a where a.attrelid = t.oid
              and a.attname = 'tenant_id' and a.attnum = x.indkey[0])""",
    "a role that may do more than it needs": """
        select rolname from pg_roles
        where rolname in ('zen_owner', 'zen_login', 'zen_web', 'zen_studio', 'zen_portal', 'zen_worker',
                          'zen_system', 'zen_billing', 'zen_api', 'zen_jobs')
          and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
               or (rolcanlogin <> (rolname in ('zen_api', 'zen_jobs'))))""",
    "a login that inherits what it should have to become": """
        select r.rolname from pg_roles r
        where r.rolname in ('zen_api', 'zen_jobs') and r.rolinherit""",
}


def gaps(connection: Connection) -> list[str]:
    """Everything that is wrong, each with what was looked for."""
    given: dict[str, Any] = {
        "not_of_a_tenant": list(NOT_OF_A_TENANT),
        "global_keys": list(GLOBAL_KEYS),
    }
    found = []
    for what, query in CHECKS.items():
        statement = text(query)
        used = {name: value for name, value in given.items() if f":{name}" in query}
        found += [f"{what}: {row[0]}" for row in connection.execute(statement, used)]
    return found
