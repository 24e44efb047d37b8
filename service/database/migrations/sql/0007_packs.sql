-- A pack is one version of a work order's report; it is never overwritten, only superseded.
create table packs (
    tenant_id uuid not null references tenants,
    pack_id uuid not null,
    work_order_id uuid not null,
    version integer not null check (version > 0),
    snapshot_version integer not null,
    bundle_digest text not null check (bundle_digest ~ '^[0-9a-f]{64}$'),
    template_key text not null,
    family text not null,
    status text not null
        check (status in ('generating', 'generated', 'failed', 'superseded', 'withdrawn')),
    -- What its own snapshot says; decides how many valuers must sign.
    fair_market_value numeric,
    replaces_pack_id uuid,
    replaces_reason text,
    failure text,
    requested_by uuid,
    created_at timestamptz not null,
    generated_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    primary key (tenant_id, pack_id),
    unique (tenant_id, work_order_id, version),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, work_order_id, snapshot_version) references snapshots,
    foreign key (tenant_id, replaces_pack_id) references packs
);
-- At most one pack of a work order is current.
create unique index packs_current on packs (tenant_id, work_order_id)
    where status in ('generating', 'generated', 'failed');
select app.protect_table('packs');
alter table work_orders add foreign key (tenant_id, current_pack_id) references packs;

-- `operation_id` is unique: an operation has at most one effect. A bundle holds papers that are not
-- kept for ever: when the time of one is over, the file is deleted and `purged_at` says so.
create table pack_artifacts (
    tenant_id uuid not null references tenants,
    artifact_id uuid not null,
    pack_id uuid not null,
    kind text not null check (kind in ('bundle', 'docx', 'pdf')),
    filename text not null,
    object_key text not null,
    media_type text not null,
    size bigint not null check (size > 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    operation_id uuid not null,
    created_at timestamptz not null,
    purged_at timestamptz,
    primary key (tenant_id, artifact_id),
    unique (tenant_id, pack_id, kind),
    unique (tenant_id, operation_id),
    foreign key (tenant_id, pack_id) references packs,
    foreign key (tenant_id, operation_id) references operations
);
select app.protect_table('pack_artifacts', web => 'select', studio => 'select');

-- Nothing else of a row ever changes.
create function app.refuse_all_but_purging() returns trigger language plpgsql set search_path = '' as $$
begin
    if old.purged_at is null and to_jsonb(new) - 'purged_at' = to_jsonb(old) - 'purged_at' then
        return new;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger append_only before delete on pack_artifacts
    for each row execute function app.refuse_change();
create trigger append_only_whole before truncate on pack_artifacts
    for each statement execute function app.refuse_change();
create trigger append_only_but_purging before update on pack_artifacts
    for each row execute function app.refuse_all_but_purging();

-- A registered valuer's word on one bundle's digest, with the registration as it was on that day.
-- A new pack has none.
create table sign_offs (
    tenant_id uuid not null references tenants,
    sign_off_id uuid not null,
    pack_id uuid not null,
    bundle_digest text not null check (bundle_digest ~ '^[0-9a-f]{64}$'),
    valuer_id uuid not null,
    valuer_name text not null,
    registration text not null,
    registration_valid_until date,
    signed_by uuid not null references users,
    signed_at timestamptz not null,
    primary key (tenant_id, sign_off_id),
    unique (tenant_id, pack_id, valuer_id),
    unique (tenant_id, pack_id, signed_by),
    foreign key (tenant_id, pack_id) references packs,
    foreign key (tenant_id, valuer_id) references valuers
);
select app.protect_table('sign_offs', web => 'select, insert', studio => 'select', worker => 'select');
select app.append_only('sign_offs');
