-- A work order is a case on its way: what contracts.case.Case holds beside contract and evidence
-- stands in its own columns, so that the service and the command line build the same bundle.
create table work_orders (
    tenant_id uuid not null references tenants,
    work_order_id uuid not null,
    reference text not null check (length(reference) between 1 and 100),
    title text,
    source text,
    as_of date,
    report_type text not null
        check (report_type in ('VALUATION', 'DPR', 'REVALUATION', 'STAGE_PROGRESS')),
    bank_type text not null check (bank_type in ('SBI', 'PSU_GENERIC', 'COOP', 'AGRI', 'OTHER')),
    bank_name text,
    value_slab text not null default 'UNKNOWN' check (value_slab in ('LT_5CR', 'GT_5CR', 'UNKNOWN')),
    template_selector text not null default 'UNKNOWN' check (template_selector in
        ('SBI_FORMAT_A', 'BOI_PSU_GENERIC', 'COOP_GENERIC', 'AGRI_GENERIC', 'UNKNOWN')),
    source_type text not null check (source_type in ('TENANT', 'EXTERNAL', 'CHANNEL')),
    source_ref_id text,
    assignment_id text,
    bank_branch_id uuid,
    property_id uuid,
    valuer_id uuid,
    ruleset text,
    profile text,
    parameters text not null default '{}',
    -- The contract as it was last entered (contracts.contract.Contract), without computed values.
    contract text not null,
    status text not null default 'DRAFT' check (status in ('DRAFT', 'EVIDENCE_PENDING',
        'DATA_PENDING', 'READY_FOR_RENDER', 'CLOSED', 'CANCELLED')),
    -- Counts every change of the work order, its contract, evidence and links: the ETag.
    version bigint not null default 1,
    snapshot_version integer not null default 0,
    pack_version integer not null default 0,
    current_pack_id uuid,
    -- What the latest change's evaluation said; lists and filters read it.
    is_ready boolean not null default false,
    completeness_score integer not null default 0 check (completeness_score between 0 and 100),
    missing text[] not null default '{}',
    fair_market_value numeric,
    search text not null default '',
    requested_by uuid references users,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, work_order_id),
    unique (tenant_id, reference),
    foreign key (tenant_id, bank_branch_id) references bank_branches,
    foreign key (tenant_id, property_id) references properties,
    foreign key (tenant_id, valuer_id) references valuers
);
create index work_orders_by_change on work_orders (tenant_id, updated_at desc, work_order_id desc);
create index work_orders_by_status
    on work_orders (tenant_id, status, updated_at desc, work_order_id desc);
create index work_orders_by_requester on work_orders (tenant_id, requested_by);
select app.protect_table('work_orders');

-- The portal's people see the work that they asked for, and may ask for more.
grant select, insert on work_orders to zen_portal;
create policy portal_select on work_orders for select to zen_portal using (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and requested_by = (select app.user_id())
);
create policy portal_insert on work_orders for insert to zen_portal with check (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and requested_by = (select app.user_id()) and source_type = 'CHANNEL' and status = 'DRAFT'
);

-- Parts of bundles, each kept once: most snapshots of a firm share rules, registers and profile.
create table bundle_parts (
    tenant_id uuid not null references tenants,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    content bytea not null,
    primary key (tenant_id, sha256)
);
select app.protect_table('bundle_parts', web => 'select, insert', studio => 'select, insert', worker => 'select, insert');
select app.append_only('bundle_parts');

-- Immutable. A patch makes two: what was entered ('input': the contract alone) and what was computed
-- ('output'). `parts` names every payload file of the bundle but the evidence files themselves, with
-- the sha256 of its bytes; `bundle_digest` is the digest that the bundle has, or will have.
-- `evidence` says, by the key of each piece, which item, document and stored object it is; the firm's
-- logo has an empty key.
create table snapshots (
    tenant_id uuid not null references tenants,
    work_order_id uuid not null,
    version integer not null check (version > 0),
    kind text not null check (kind in ('input', 'output')),
    contract text not null,
    evidence text not null default '{}',
    readiness text,
    parts jsonb not null default '{}',
    bundle_digest text,
    ruleset text,
    profile text,
    template_key text,
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, work_order_id, version),
    foreign key (tenant_id, work_order_id) references work_orders,
    check ((kind = 'output') = (bundle_digest is not null))
);
select app.protect_table('snapshots', web => 'select, insert', studio => 'select, insert', worker => 'select');
select app.append_only('snapshots');

create table rules_runs (
    tenant_id uuid not null references tenants,
    rules_run_id uuid not null,
    work_order_id uuid not null,
    input_version integer not null,
    output_version integer not null,
    ruleset text not null,
    profile text not null,
    warnings integer not null,
    created_at timestamptz not null,
    primary key (tenant_id, rules_run_id),
    foreign key (tenant_id, work_order_id, input_version) references snapshots,
    foreign key (tenant_id, work_order_id, output_version) references snapshots
);
create index rules_runs_by_work_order on rules_runs (tenant_id, work_order_id, output_version desc);
select app.protect_table('rules_runs', web => 'select, insert', studio => 'select, insert', worker => 'select');
select app.append_only('rules_runs');

create table comments (
    tenant_id uuid not null references tenants,
    comment_id uuid not null,
    work_order_id uuid not null,
    comment_type text not null
        check (comment_type in ('JUSTIFICATION', 'ENCLOSURES', 'CHECKLIST', 'NOTES')),
    body text not null check (length(body) between 1 and 10000),
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, comment_id),
    foreign key (tenant_id, work_order_id) references work_orders
);
create index comments_by_work_order on comments (tenant_id, work_order_id, created_at);
select app.protect_table('comments', web => 'select, insert', studio => 'select, insert', worker => 'select, insert');
select app.append_only('comments');

create table status_changes (
    tenant_id uuid not null references tenants,
    status_change_id uuid not null,
    work_order_id uuid not null,
    from_status text not null,
    to_status text not null,
    note text,
    changed_by uuid,
    changed_at timestamptz not null,
    primary key (tenant_id, status_change_id),
    foreign key (tenant_id, work_order_id) references work_orders
);
create index status_changes_by_work_order on status_changes (tenant_id, work_order_id, changed_at);
select app.protect_table('status_changes', web => 'select, insert', studio => 'select, insert', worker => 'select, insert');
select app.append_only('status_changes');
