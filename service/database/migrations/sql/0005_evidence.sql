-- A document is a file that was, or is to be, uploaded; a piece of evidence says what it shows in one
-- work order. Only an uploaded document counts for readiness.
create table documents (
    tenant_id uuid not null references tenants,
    document_id uuid not null,
    work_order_id uuid,
    status text not null check (status in ('pending', 'uploaded', 'deleted', 'purged')),
    filename text not null check (length(filename) between 1 and 255),
    object_key text not null,
    media_type text,
    size bigint check (size >= 0),
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    -- contracts.evidence.FileFacts, read from the bytes themselves.
    facts text,
    perceptual_hash text check (perceptual_hash ~ '^[0-9a-f]{16}$'),
    classification text check (classification in ('bank_kyc', 'site_photo', 'approval_plan',
        'tax_receipt', 'legal', 'invoice', 'other')),
    sensitivity text not null default 'internal'
        check (sensitivity in ('public', 'internal', 'pii', 'confidential')),
    source text check (source in ('portal', 'tenant', 'internal', 'mobile_camera', 'mobile_gallery',
        'desktop_upload', 'email_ingest', 'portal_upload')),
    captured_at timestamptz,
    taken_on_site boolean,
    remarks text,
    tags jsonb not null default '{}',
    uploaded_by uuid,
    created_at timestamptz not null,
    uploaded_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    version bigint not null default 1,
    primary key (tenant_id, document_id),
    unique (tenant_id, object_key),
    foreign key (tenant_id, work_order_id) references work_orders,
    check (status <> 'uploaded' or (sha256 is not null and size is not null and facts is not null))
);
create index documents_by_work_order on documents (tenant_id, work_order_id);
create index documents_by_sha256 on documents (tenant_id, sha256);
create index documents_by_perceptual_hash on documents (tenant_id, perceptual_hash);
select app.protect_table('documents');
alter table firm_settings add foreign key (tenant_id, logo_document_id) references documents;
alter table valuers add foreign key (tenant_id, signature_document_id) references documents;

create table evidence_items (
    tenant_id uuid not null references tenants,
    evidence_item_id uuid not null,
    work_order_id uuid not null,
    key text not null check (length(key) between 1 and 100),
    document_id uuid,
    evidence_type text not null
        check (evidence_type in ('DOCUMENT', 'PHOTO', 'SCREENSHOT', 'GEO', 'OTHER')),
    doc_type text check (doc_type in ('SALE_DEED', 'RTC', 'EC', 'KHATA', 'TAX', 'NA_ORDER', 'PLAN',
        'ID_PROOF', 'BANK_LETTER', 'OTHER')),
    tags jsonb not null default '{}',
    label text,
    annexure_order integer check (annexure_order between 0 and 100000),
    -- As entered by a person, in the contract's own JSON; what the file says is the document's.
    located_at text,
    created_by uuid,
    created_at timestamptz not null,
    removed_at timestamptz,
    removal_reason text,
    primary key (tenant_id, evidence_item_id),
    unique (tenant_id, work_order_id, key),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, document_id) references documents,
    check ((removed_at is null) = (removal_reason is null))
);
select app.protect_table('evidence_items');

-- Links belong to the work order and not to one snapshot: they outlive the next patch.
create table field_evidence_links (
    tenant_id uuid not null references tenants,
    field_evidence_link_id uuid not null,
    work_order_id uuid not null,
    field_key text not null check (length(field_key) between 1 and 200),
    evidence_item_id uuid not null,
    confidence numeric check (confidence between 0 and 1),
    note text,
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, field_evidence_link_id),
    unique (tenant_id, work_order_id, field_key, evidence_item_id),
    foreign key (tenant_id, work_order_id) references work_orders,
    foreign key (tenant_id, evidence_item_id) references evidence_items
);
select app.protect_table('field_evidence_links', web => 'select, insert, update, delete', studio => 'select, insert, update, delete', worker => 'select');

-- The portal's people bring papers for the work that they asked for.
grant select, insert, update on documents to zen_portal;
create policy portal_select on documents for select to zen_portal using (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and uploaded_by = (select app.user_id())
);
create policy portal_insert on documents for insert to zen_portal with check (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and uploaded_by = (select app.user_id()) and status = 'pending'
    and exists (select from work_orders w where w.tenant_id = documents.tenant_id
                and w.work_order_id = documents.work_order_id)
);
create policy portal_update on documents for update to zen_portal using (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and uploaded_by = (select app.user_id()) and status = 'pending'
) with check (
    tenant_id = (select app.tenant_id()) and uploaded_by = (select app.user_id())
    and status in ('pending', 'uploaded')
);
