-- The firm that runs the service, as its invoices name it; rows of the service tenant.
create table invoice_issuers (
    tenant_id uuid not null references tenants,
    issuer_id uuid not null,
    legal_name text not null,
    gstin text not null check (gstin ~ '^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$'),
    state_code text not null check (state_code ~ '^[0-9]{2}$'),
    details text not null default '{}',
    is_current boolean not null default true,
    created_at timestamptz not null,
    primary key (tenant_id, issuer_id),
    check (state_code = left(gstin, 2))
);
create unique index invoice_issuers_current on invoice_issuers (tenant_id) where is_current;
select app.protect_ledger('invoice_issuers');

-- The next number of each GSTIN and financial year; taken under its lock, at issue only, so gapless.
create table invoice_number_series (
    tenant_id uuid not null references tenants,
    gstin text not null,
    financial_year text not null check (financial_year ~ '^[0-9]{2}-[0-9]{2}$'),
    kind text not null check (kind in ('invoice', 'credit_note')),
    last_number integer not null check (last_number between 1 and 99999999),
    primary key (tenant_id, gstin, financial_year, kind)
);
select app.protect_ledger('invoice_number_series');

create table service_invoices (
    tenant_id uuid not null references tenants,
    invoice_id uuid not null,
    account_id uuid not null,
    work_order_id uuid,
    -- Null in a draft; then GST rule 46: at most 16 characters, unique for issuer and year.
    number text check (length(number) between 1 and 16),
    issuer_gstin text,
    financial_year text,
    status text not null default 'draft'
        check (status in ('draft', 'issued', 'sent', 'partially_paid', 'paid', 'void')),
    currency text not null default 'INR' check (currency = 'INR'),
    place_of_supply text check (place_of_supply ~ '^[0-9]{2}$'),
    -- Who issued to whom, as it was on the day of issue.
    parties text,
    issued_on date,
    due_on date,
    sent_at timestamptz,
    notes text,
    subtotal bigint not null default 0 check (subtotal >= 0),
    cgst bigint not null default 0 check (cgst >= 0),
    sgst bigint not null default 0 check (sgst >= 0),
    igst bigint not null default 0 check (igst >= 0),
    rounding bigint not null default 0 check (rounding between -50 and 50),
    total bigint not null default 0 check (total >= 0),
    credited bigint not null default 0 check (credited >= 0),
    paid bigint not null default 0 check (paid >= 0),
    due bigint not null default 0 check (due >= 0),
    version bigint not null default 1,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, invoice_id),
    foreign key (tenant_id, account_id) references billing_accounts,
    foreign key (tenant_id, work_order_id) references work_orders,
    check (total = subtotal + cgst + sgst + igst + rounding),
    check (due = total - credited - paid or status in ('draft', 'void')),
    check ((status = 'draft' or (status = 'void' and issued_on is null)) = (number is null)),
    check (cgst = 0 and sgst = 0 or igst = 0)
);
create unique index service_invoices_number on service_invoices (issuer_gstin, financial_year, number);
create unique index service_invoices_of_work_order on service_invoices (tenant_id, work_order_id)
    where status <> 'void';
create index service_invoices_by_account on service_invoices (tenant_id, account_id, created_at desc);
select app.protect_ledger('service_invoices');
grant select on service_invoices to zen_portal;
create policy portal_select on service_invoices for select to zen_portal using (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and exists (select from billing_accounts a where a.tenant_id = service_invoices.tenant_id
                and a.account_id = service_invoices.account_id and a.owner_user_id = (select app.user_id())));

create table service_invoice_items (
    tenant_id uuid not null references tenants,
    invoice_id uuid not null,
    line smallint not null check (line between 1 and 200),
    description text not null check (length(description) between 1 and 500),
    sac text not null check (sac ~ '^[0-9]{4,8}$'),
    quantity numeric(12, 2) not null check (quantity > 0),
    unit_price bigint not null check (unit_price >= 0),
    tax_rate numeric(5, 2) not null check (tax_rate between 0 and 100),
    line_total bigint not null check (line_total >= 0),
    cgst bigint not null default 0,
    sgst bigint not null default 0,
    igst bigint not null default 0,
    primary key (tenant_id, invoice_id, line),
    foreign key (tenant_id, invoice_id) references service_invoices
);
select app.protect_ledger('service_invoice_items', billing => 'select, insert, update, delete');

-- Money that came in, and what was taken off an invoice. Never changed; the opposite is another row.
create table invoice_settlements (
    tenant_id uuid not null references tenants,
    settlement_id uuid not null,
    invoice_id uuid not null,
    kind text not null check (kind in ('payment', 'credit_note', 'refund', 'chargeback')),
    -- Credit notes have numbers of their own.
    number text check (length(number) between 1 and 16),
    amount bigint not null check (amount > 0),
    mode text not null,
    reference text,
    notes text,
    payment_order_id uuid,
    operation_key text not null,
    received_on date not null,
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, settlement_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, invoice_id) references service_invoices
);
select app.protect_ledger('invoice_settlements', billing => 'select, insert');
select app.append_only('invoice_settlements');

create table invoice_attachments (
    tenant_id uuid not null references tenants,
    attachment_id uuid not null,
    invoice_id uuid not null,
    kind text not null check (kind in ('invoice_document', 'payment_proof', 'other')),
    filename text not null,
    object_key text not null,
    media_type text not null,
    size bigint not null check (size > 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, attachment_id),
    foreign key (tenant_id, invoice_id) references service_invoices
);
select app.protect_ledger('invoice_attachments', billing => 'select, insert');

-- Reminders, sendings: what was said to the account, once for each key.
create table invoice_notices (
    tenant_id uuid not null references tenants,
    notice_id uuid not null,
    invoice_id uuid not null,
    kind text not null check (kind in ('sent', 'reminder', 'overdue')),
    operation_key text not null,
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, notice_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, invoice_id) references service_invoices
);
select app.protect_ledger('invoice_notices', billing => 'select, insert');

-- What things cost, from a day on; rows of the service tenant. Firms read them through the service.
create table price_lists (
    tenant_id uuid not null references tenants,
    price_id uuid not null,
    item text not null check (item ~ '^[a-z][a-z_]{1,60}$'),
    description text not null,
    sac text not null check (sac ~ '^[0-9]{4,8}$'),
    unit_price bigint not null check (unit_price >= 0),
    credits bigint not null default 1 check (credits >= 0),
    tax_rate numeric(5, 2) not null check (tax_rate between 0 and 100),
    valid_from date not null,
    -- A price for one account alone counts before that for all.
    external_key text,
    created_at timestamptz not null,
    primary key (tenant_id, price_id)
);
create unique index price_lists_from on price_lists (tenant_id, item, coalesce(external_key, ''), valid_from);
select app.protect_ledger('price_lists');
