-- Who is asking, and what a table of tenants' rows is.
create schema app;
grant usage on schema app
    to zen_login, zen_web, zen_studio, zen_portal, zen_worker, zen_system, zen_backup;

-- A setting that was made for an earlier transaction of the same connection reads '', not null.
create function app.tenant_id() returns uuid language sql stable parallel safe
    set search_path = '' as $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;
create function app.user_id() returns uuid language sql stable parallel safe
    set search_path = '' as $$ select nullif(current_setting('app.user_id', true), '')::uuid $$;
create function app.audience() returns text language sql stable parallel safe
    set search_path = '' as $$ select nullif(current_setting('app.audience', true), '') $$;
-- The tenant, if the transaction serves this audience; one comparison instead of two, because the
-- planner takes a second one for a filter that leaves next to nothing, and sorts whole tables.
create function app.tenant_of(audience text) returns uuid language sql stable parallel safe
    set search_path = '' as $$ select case when app.audience() = $1 then app.tenant_id() end $$;
create function app.login_email() returns text language sql stable parallel safe
    set search_path = '' as $$ select nullif(current_setting('app.login_email', true), '') $$;
create function app.token_sha256() returns text language sql stable parallel safe
    set search_path = '' as $$ select nullif(current_setting('app.token_sha256', true), '') $$;

-- For migrations only: isolates a table and grants what each role may do with its tenant's rows.
-- What is granted to a role is also what its policies allow; 'none' gives no access at all.
-- The studio reads every tenant's rows, and writes those of the tenant it has named.
create function app.protect_table(
    name text,
    web text default 'select, insert, update',
    studio text default 'select, insert, update',
    worker text default 'select, insert, update'
) returns void language plpgsql set search_path = 'public' as $$
declare
    own text;
    granted record;
    command text;
begin
    execute format('alter table public.%I enable row level security', name);
    execute format('alter table public.%I force row level security', name);
    for granted in
        select * from (values
            ('zen_web', web, 'web'), ('zen_studio', studio, 'studio'), ('zen_worker', worker, 'worker')
        ) as roles (role_name, rights, audience)
    loop
        continue when granted.rights = 'none';
        execute format('grant %s on public.%I to %I', granted.rights, name, granted.role_name);
        own := format('tenant_id = (select app.tenant_of(%L))', granted.audience);
        foreach command in array string_to_array(granted.rights, ', ') loop
            execute format(
                'create policy %I on public.%I for %s to %I %s',
                granted.audience || '_' || command, name, command, granted.role_name,
                case
                    when command = 'insert' then format('with check (%s)', own)
                    when command = 'select' and granted.audience = 'studio'
                        then 'using ((select app.audience()) = ''studio'')'
                    else format('using (%s)', own)
                end
            );
        end loop;
    end loop;
    execute format('grant select on public.%I to zen_backup', name);
end $$;
revoke all on function app.protect_table from public;

-- For migrations only: rows that are written once and then stand.
create function app.refuse_change() returns trigger language plpgsql set search_path = '' as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create function app.append_only(name text) returns void language plpgsql set search_path = 'public' as $$
begin
    execute format(
        'create trigger append_only before update or delete on public.%I '
        'for each row execute function app.refuse_change()', name);
    execute format(
        'create trigger append_only_whole before truncate on public.%I '
        'for each statement execute function app.refuse_change()', name);
end $$;
revoke all on function app.append_only from public;

create table tenants (
    tenant_id uuid primary key,
    slug text not null unique check (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('firm', 'external', 'service')),
    status text not null default 'active' check (status in ('active', 'suspended')),
    created_at timestamptz not null
);
select app.protect_table('tenants', web => 'select', studio => 'select, insert, update', worker => 'select');
-- The studio founds firms; the new firm's id is the tenant it has named.
create policy system_select on tenants for select to zen_system using (true);
grant select on tenants to zen_system;

-- What a firm decides for itself: its letterhead as reports print it (contracts.case.Firm), how
-- long working papers are kept, whether a position may be read from photographs, and so on.
create table firm_settings (
    tenant_id uuid primary key references tenants,
    firm text not null default '{}',
    logo_document_id uuid,
    retention_years integer not null default 3 check (retention_years between 3 and 100),
    version bigint not null default 1,
    updated_at timestamptz not null
);
select app.protect_table('firm_settings');

-- The answers to writes that named a key: kept for ever, so that no retry is ever too late.
create table idempotency_keys (
    tenant_id uuid not null references tenants,
    caller_id uuid not null,
    key text not null check (length(key) between 1 and 255),
    request_sha256 text not null,
    status integer,
    headers text,
    body bytea,
    created_at timestamptz not null,
    primary key (tenant_id, caller_id, key)
);
select app.protect_table('idempotency_keys', worker => 'none');
