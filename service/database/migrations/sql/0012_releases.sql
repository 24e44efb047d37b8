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
    -- What leaves paid for has the charge that says so, in the same commit (see below).
    charged_work_order uuid generated always as
        (case when result in ('PAID', 'CREDIT_CONSUMED') then work_order_id end) stored,
    primary key (tenant_id, release_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, pack_id) references packs,
    foreign key (tenant_id, hold_id) references credit_holds,
    foreign key (tenant_id, invoice_id) references service_invoices,
    check ((result = 'OVERRIDE') = (override_reason is not null)),
    check (hold_outcome is null or result = 'OVERRIDE' and hold_id is not null),
    check (result <> 'PAID' or invoice_id is not null),
    check (result <> 'CREDIT_CONSUMED' or hold_id is not null)
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
    foreign key (tenant_id, release_id) references releases,
    foreign key (tenant_id, hold_id) references credit_holds,
    foreign key (tenant_id, invoice_id) references service_invoices,
    check (case settled_by when 'PAID' then invoice_id else hold_id end is not null)
);
select app.protect_ledger('work_order_charges', billing => 'select, insert');
select app.append_only('work_order_charges');
-- The release is written first, then its charge: looked at when the transaction ends.
alter table releases add constraint releases_charged foreign key (tenant_id, charged_work_order)
    references work_order_charges deferrable initially deferred;

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

-- The portal's people see what was let out of the work that they asked for, and nothing before that.
grant select on releases, release_withdrawals, packs, pack_artifacts to zen_portal;
create policy portal_select on releases for select to zen_portal using (
    tenant_id = (select app.tenant_of('portal')) and result <> 'BLOCKED'
    and exists (select from work_orders w where w.tenant_id = releases.tenant_id
                and w.work_order_id = releases.work_order_id));
create policy portal_select on release_withdrawals for select to zen_portal using (
    tenant_id = (select app.tenant_of('portal'))
    and exists (select from releases r where r.tenant_id = release_withdrawals.tenant_id
                and r.release_id = release_withdrawals.release_id));
create policy portal_select on packs for select to zen_portal using (
    tenant_id = (select app.tenant_of('portal'))
    and exists (select from releases r where r.tenant_id = packs.tenant_id
                and r.pack_id = packs.pack_id));
create policy portal_select on pack_artifacts for select to zen_portal using (
    tenant_id = (select app.tenant_of('portal')) and kind <> 'bundle'
    and exists (select from releases r where r.tenant_id = pack_artifacts.tenant_id
                and r.pack_id = pack_artifacts.pack_id));

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
create index usage_events_by_account on usage_events (tenant_id, account_id, at);
-- The older system's keys are its own, whichever account an event turns out to be of.
create unique index usage_events_of_v1 on usage_events (operation_key) where source_system = 'v1';
select app.protect_ledger('usage_events', billing => 'select, insert');
select app.append_only('usage_events');

-- What a sweep found that does not agree; nothing is mended by it. A dry run is not kept.
create table reconciliation_runs (
    tenant_id uuid not null references tenants,
    run_id uuid not null,
    scanned jsonb not null default '{}',
    findings jsonb not null default '[]',
    requested_by uuid,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    primary key (tenant_id, run_id)
);
select app.protect_ledger('reconciliation_runs', billing => 'select, insert');
select app.append_only('reconciliation_runs');
