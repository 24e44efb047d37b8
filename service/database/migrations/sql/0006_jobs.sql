-- The outbox. A row is written in the transaction that causes the work; Redis only hears of it.
-- `generation` fences: whoever holds an older one may not commit anything for this operation.
create table operations (
    tenant_id uuid not null references tenants,
    operation_id uuid not null,
    kind text not null check (kind ~ '^[a-z]+(\.[a-z_]+)+$'),
    -- The same work asked for twice is the same row.
    operation_key text not null,
    work_order_id uuid,
    subject_id uuid,
    payload jsonb not null default '{}',
    status text not null default 'pending'
        check (status in ('pending', 'sent', 'running', 'done', 'dead', 'cancelled')),
    generation integer not null default 0,
    attempts integer not null default 0,
    step text,
    percent integer not null default 0 check (percent between 0 and 100),
    reason text,
    requested_by uuid,
    created_at timestamptz not null,
    run_after timestamptz not null,
    sent_at timestamptz,
    lease_until timestamptz,
    finished_at timestamptz,
    primary key (tenant_id, operation_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, work_order_id) references work_orders
);
create index operations_to_send on operations (run_after) where status = 'pending';
create index operations_under_way on operations (status, lease_until, sent_at)
    where status in ('sent', 'running');
create index operations_by_subject on operations (tenant_id, subject_id);
select app.protect_table('operations');
grant select, insert, update on operations to zen_system;
create policy system_select on operations for select to zen_system using (true);
create policy system_insert on operations for insert to zen_system with check (true);
create policy system_update on operations for update to zen_system using (true) with check (true);

create table operation_attempts (
    tenant_id uuid not null references tenants,
    operation_id uuid not null,
    generation integer not null,
    worker text not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    outcome text check (outcome in ('done', 'failed', 'lost', 'fenced')),
    reason text,
    primary key (tenant_id, operation_id, generation),
    foreign key (tenant_id, operation_id) references operations
);
select app.protect_table('operation_attempts', web => 'select', studio => 'select');
grant select, insert, update on operation_attempts to zen_system;
create policy system_select on operation_attempts for select to zen_system using (true);
create policy system_insert on operation_attempts for insert to zen_system with check (true);
create policy system_update on operation_attempts for update to zen_system using (true) with check (true);

-- What comes round by the clock is a row; two schedulers cannot both insert it.
create table ticks (
    task text not null,
    slot timestamptz not null,
    created_at timestamptz not null,
    -- Until then the scheduler that made the row is at work; after it another may begin anew.
    claimed_until timestamptz not null,
    finished_at timestamptz,
    outcome text,
    primary key (task, slot)
);
alter table ticks enable row level security;
alter table ticks force row level security;
grant select, insert, update, delete on ticks to zen_system;
grant select on ticks to zen_backup;
create policy system_select on ticks for select to zen_system using (true);
create policy system_insert on ticks for insert to zen_system with check (true);
create policy system_update on ticks for update to zen_system using (true) with check (true);
create policy system_delete on ticks for delete to zen_system using (true);

-- Wakes the dispatcher when the causing transaction commits.
create function app.announce_operation() returns trigger language plpgsql set search_path = '' as $$
begin
    perform pg_notify('zenops_operations', '');
    return null;
end $$;
create trigger announce after insert on operations
    for each statement execute function app.announce_operation();
