-- Written in the transaction it tells of; sealed into the tenant's chain soon after by the sealer,
-- because a chain's head inside every transaction would make a firm work one request at a time.
create table audit_events (
    tenant_id uuid not null references tenants,
    event_id uuid not null,
    at timestamptz not null,
    action text not null check (action ~ '^[a-z]+(_[a-z]+)*(:[a-z]+(_[a-z]+)*)+$'),
    actor_kind text not null check (actor_kind in ('user', 'service', 'job', 'system')),
    -- The person, else the token, else the job; the token beside it says which login it was.
    actor_id uuid,
    token_id uuid,
    audience text,
    subject_type text not null,
    subject_id text not null,
    work_order_id uuid,
    reason text,
    -- sha256 of the row in audit_details, which may be erased without breaking the chain.
    details_sha256 text,
    request_id text,
    operation_id uuid,
    primary key (tenant_id, event_id)
);
create index audit_events_by_work_order on audit_events (tenant_id, work_order_id, at);
create index audit_events_by_subject on audit_events (tenant_id, subject_type, subject_id, at);
select app.protect_table('audit_events', web => 'select, insert', studio => 'select, insert', worker => 'select, insert');
select app.append_only('audit_events');
grant insert on audit_events to zen_portal, zen_login;
create policy portal_insert on audit_events for insert to zen_portal
    with check (tenant_id = (select app.tenant_id()) and actor_id = (select app.user_id()));
create policy login_insert on audit_events for insert to zen_login with check (
    tenant_id = (select app.tenant_id()) and action like 'people:%'
);
grant select, insert on audit_events to zen_system;
create policy system_select on audit_events for select to zen_system using (true);
create policy system_insert on audit_events for insert to zen_system with check (true);

-- What was there before and after, as canonical JSON; may hold personal data.
create table audit_details (
    tenant_id uuid not null references tenants,
    event_id uuid not null,
    details text not null,
    primary key (tenant_id, event_id),
    foreign key (tenant_id, event_id) references audit_events
);
select app.protect_table('audit_details', web => 'select, insert', studio => 'select, insert', worker => 'select, insert, delete');
grant insert on audit_details to zen_portal, zen_login;
create policy portal_insert on audit_details for insert to zen_portal
    with check (tenant_id = (select app.tenant_id()));
create policy login_insert on audit_details for insert to zen_login
    with check (tenant_id = (select app.tenant_id()));
-- The verifier holds what an event says of its details to the details themselves.
grant select on audit_details to zen_system;
create policy system_select on audit_details for select to zen_system using (true);

create table audit_seals (
    tenant_id uuid not null references tenants,
    seq bigint not null check (seq > 0),
    event_id uuid not null,
    previous_hash text not null,
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    sealed_at timestamptz not null,
    primary key (tenant_id, seq),
    unique (tenant_id, event_id),
    foreign key (tenant_id, event_id) references audit_events
);
select app.protect_table('audit_seals', web => 'select', studio => 'select', worker => 'select');
select app.append_only('audit_seals');
grant select, insert on audit_seals to zen_system;
create policy system_select on audit_seals for select to zen_system using (true);
create policy system_insert on audit_seals for insert to zen_system with check (true);
