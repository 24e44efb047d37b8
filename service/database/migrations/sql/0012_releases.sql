-- The gate's decisions; BLOCKED ones too. What was decided under a key is decided for ever.
create table releases (
    tenant_id uuid not null references tenants,
    release_id uuid not null,
    work_order_id uuid not null,
    pack_id uuid not null,
    pack_version integer not null,
    bundle_digest text not null check (bundle_digest ~ '^[0-9a-f]{64}$'),
    result text not null check (result in ('PAID', 'CREDIT_CONSUMED', 'OVERRIDE', 'BLOCKED')),
    reason text,
    billing_mode text,
    account_id uuid,
    hold_id uuid,
    invoice_id uuid,
    -- What became of the hold when somebody overrode: released or consumed.
    hold_outcome text check (hold_outcome in ('release', 'consume')),
    override_reason text,
    operation_key text not null,
    request_sha256 text not null,
    released_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, release_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, pack_id) references packs,
    check ((result = 'OVERRIDE') = (override_reason is not null))
);
-- A pack is let out once.
create unique index releases_once on releases (tenant_id, pack_id) where result <> 'BLOCKED';
select app.protect_ledger('releases', billing => 'select, insert');
select app.append_only('releases');

-- The one settled charge of a work order, which covers its corrected versions.
create table work_order_charges (
    tenant_id uuid not null references tenants,
    work_order_id uuid not null,
    settled_by text not null check (settled_by in ('PAID', 'CREDIT_CONSUMED')),
    hold_id uuid,
    invoice_id uuid,
    release_id uuid not null,
    settled_at timestamptz not null,
    primary key (tenant_id, work_order_id),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, release_id) references releases
);
select app.protect_ledger('work_order_charges', billing => 'select, insert');

-- What was let out and must not be used any more.
create table release_withdrawals (
    tenant_id uuid not null references tenants,
    release_id uuid not null,
    reason text not null check (length(reason) between 1 and 1000),
    withdrawn_by uuid,
    withdrawn_at timestamptz not null,
    primary key (tenant_id, release_id),
    foreign key (tenant_id, release_id) references releases
);
select app.protect_ledger('release_withdrawals', billing => 'select, insert');
select app.append_only('release_withdrawals');

-- What is planned and what happened, for the older system and for statements; once for each key.
create table usage_events (
    tenant_id uuid not null references tenants,
    usage_event_id uuid not null,
    source_system text not null check (source_system in ('v1', 'v2')),
    event_type text not null,
    account_id uuid,
    external_key text,
    operation_key text not null,
    payload jsonb not null default '{}',
    at timestamptz not null,
    primary key (tenant_id, usage_event_id),
    unique (tenant_id, source_system, operation_key)
);
select app.protect_ledger('usage_events', billing => 'select, insert');
select app.append_only('usage_events');

-- What a sweep found that does not agree, with what it proposes; nothing is mended by it.
create table reconciliation_runs (
    tenant_id uuid not null references tenants,
    run_id uuid not null,
    is_dry_run boolean not null,
    scanned jsonb not null default '{}',
    findings jsonb not null default '[]',
    requested_by uuid,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    primary key (tenant_id, run_id)
);
select app.protect_ledger('reconciliation_runs', billing => 'select, insert');
select app.append_only('reconciliation_runs');
