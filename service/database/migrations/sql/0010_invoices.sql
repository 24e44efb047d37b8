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
    last_number integer not null check (last_number between 1 and 999999),
    -- Days follow numbers.
    last_on date not null,
    primary key (tenant_id, gstin, financial_year, kind)
);
select app.protect_ledger('invoice_number_series');

create table service_invoices (
    tenant_id uuid not null references tenants,
    invoice_id uuid not null,
    account_id uuid not null,
    work_order_id uuid,
    -- Null in a draft; then GST rule 46: at most 16 characters, unique for issuer and year.
    number text check (number ~ '^[A-Z0-9/-]{1,16}$'),
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
    -- In paise. Each line is rounded to the paisa, and nothing after that: total is a plain sum.
    subtotal bigint not null default 0 check (subtotal >= 0),
    cgst bigint not null default 0 check (cgst >= 0),
    sgst bigint not null default 0 check (sgst >= 0),
    igst bigint not null default 0 check (igst >= 0),
    total bigint not null default 0 check (total >= 0),
    credited bigint not null default 0 check (credited >= 0),
    paid bigint not null default 0 check (paid >= 0),
    due bigint not null default 0 check (due >= 0),
    -- What was asked when it was drafted and issued, so that the same again does nothing more.
    draft_key text check (length(draft_key) between 1 and 255),
    draft_sha256 text,
    issue_key text check (length(issue_key) between 1 and 255),
    void_reason text,
    voided_at timestamptz,
    version bigint not null default 1,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, invoice_id),
    unique (tenant_id, draft_key),
    foreign key (tenant_id, account_id) references billing_accounts,
    foreign key (tenant_id, work_order_id) references work_orders,
    check (total = subtotal + cgst + sgst + igst),
    check (due = case status when 'void' then 0 else total - credited - paid end),
    check (cgst = sgst and (cgst = 0 or igst = 0)),
    -- Issued or not: everything or nothing of it.
    check (num_nulls(number, issuer_gstin, financial_year, place_of_supply, parties, issued_on, due_on,
                     issue_key) in (0, 8)),
    check (status = 'void' or (status = 'draft') = (number is null)),
    check (status <> 'draft' or credited = 0 and paid = 0),
    check (status not in ('issued', 'sent') or due > 0 and credited = 0 and paid = 0),
    check (status <> 'partially_paid' or due > 0 and credited + paid > 0),
    check (status <> 'paid' or due = 0),
    check (status <> 'void' or credited = 0 and paid = 0),
    check ((status = 'void') = (voided_at is not null))
);
create unique index service_invoices_number on service_invoices (issuer_gstin, financial_year, number);
-- One that was credited as a whole is given up like one that is void: nobody has paid it.
create unique index service_invoices_of_work_order on service_invoices (tenant_id, work_order_id)
    where status <> 'void' and (credited < total or total = 0);
-- The studio names an invoice by its id alone, whichever firm it is of, and lists all of them.
create index service_invoices_by_id on service_invoices (invoice_id);
create index service_invoices_by_account on service_invoices (tenant_id, account_id, invoice_id desc);
create index service_invoices_unpaid on service_invoices (due_on)
    where status in ('issued', 'sent', 'partially_paid');
select app.protect_ledger('service_invoices');
select app.show_in_portal('service_invoices');

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
    cgst bigint not null default 0 check (cgst >= 0),
    sgst bigint not null default 0 check (sgst >= 0),
    igst bigint not null default 0 check (igst >= 0),
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
    -- Credit notes have numbers of their own, and say which value and which tax they take back.
    number text check (number ~ '^[A-Z0-9/-]{1,16}$'),
    issuer_gstin text,
    financial_year text,
    subtotal bigint not null default 0 check (subtotal >= 0),
    cgst bigint not null default 0 check (cgst >= 0),
    sgst bigint not null default 0 check (sgst >= 0),
    igst bigint not null default 0 check (igst >= 0),
    amount bigint not null check (amount > 0),
    mode text not null,
    reference text,
    notes text,
    -- The payment that a refund or chargeback gives back.
    reverses uuid,
    payment_order_id uuid,
    operation_key text not null check (length(operation_key) between 1 and 255),
    received_on date not null,
    created_by uuid,
    created_at timestamptz not null,
    primary key (tenant_id, settlement_id),
    unique (tenant_id, operation_key),
    foreign key (tenant_id, invoice_id) references service_invoices,
    foreign key (tenant_id, reverses) references invoice_settlements,
    check ((kind in ('refund', 'chargeback')) = (reverses is not null)),
    check (num_nulls(number, issuer_gstin, financial_year) = case kind when 'credit_note' then 0 else 3 end),
    check (subtotal + cgst + sgst + igst = case kind when 'credit_note' then amount else 0 end),
    check (cgst = sgst and (cgst = 0 or igst = 0))
);
create unique index invoice_settlements_number on invoice_settlements (issuer_gstin, financial_year, number);
create index invoice_settlements_of_invoice on invoice_settlements (tenant_id, invoice_id);
create index invoice_settlements_of_order on invoice_settlements (tenant_id, payment_order_id)
    where payment_order_id is not null;
select app.protect_ledger('invoice_settlements', billing => 'select, insert');
select app.append_only('invoice_settlements');

-- At the end of each transaction: an invoice's amounts are those of its lines and of what settled it.
create function app.invoice_adds_up() returns trigger language plpgsql set search_path = 'public' as $$
declare
    whose uuid := case tg_op when 'DELETE' then old.tenant_id else new.tenant_id end;
    which uuid := case tg_op when 'DELETE' then old.invoice_id else new.invoice_id end;
begin
    if exists (
        select from service_invoices i
        cross join lateral (
            select coalesce(sum(l.line_total), 0) as subtotal, coalesce(sum(l.cgst), 0) as cgst,
                   coalesce(sum(l.sgst), 0) as sgst, coalesce(sum(l.igst), 0) as igst
            from service_invoice_items l where l.tenant_id = whose and l.invoice_id = which) lines
        cross join lateral (
            select coalesce(sum(s.amount) filter (where s.kind = 'credit_note'), 0) as credited,
                   coalesce(sum(case when s.kind = 'payment' then s.amount else -s.amount end)
                            filter (where s.kind <> 'credit_note'), 0) as paid
            from invoice_settlements s where s.tenant_id = whose and s.invoice_id = which) settled
        where i.tenant_id = whose and i.invoice_id = which
          and (i.subtotal, i.cgst, i.sgst, i.igst, i.credited, i.paid) is distinct from
              (lines.subtotal, lines.cgst, lines.sgst, lines.igst, settled.credited, settled.paid)
    ) then
        raise exception 'the invoice % does not add up', which using errcode = 'check_violation';
    end if;
    return null;
end $$;
do $$
declare
    name text;
begin
    foreach name in array array['service_invoices', 'service_invoice_items', 'invoice_settlements'] loop
        execute format(
            'create constraint trigger adds_up after insert or update or delete on public.%I'
            ' deferrable initially deferred for each row execute function app.invoice_adds_up()', name);
    end loop;
end $$;

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
create index invoice_attachments_of_invoice on invoice_attachments (tenant_id, invoice_id);
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
create index invoice_notices_of_invoice on invoice_notices (tenant_id, invoice_id);
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
    -- The last day on which it holds, if somebody has ended it; a later price ends it by itself.
    valid_until date check (valid_until >= valid_from),
    -- A price for one account alone counts before that for all.
    external_key text,
    created_at timestamptz not null,
    primary key (tenant_id, price_id)
);
create unique index price_lists_from on price_lists (tenant_id, item, coalesce(external_key, ''), valid_from);
select app.protect_ledger('price_lists');

-- What belongs to an invoice is seen in the portal by whoever sees the invoice.
do $$
declare
    name text;
begin
    foreach name in array array['service_invoice_items', 'invoice_settlements', 'invoice_attachments',
                                'invoice_notices'] loop
        execute format('grant select on public.%I to zen_portal', name);
        execute format(
            'create policy portal_select on public.%I for select to zen_portal using ('
            'tenant_id = (select app.tenant_id()) and (select app.audience()) = ''portal'''
            ' and invoice_id in (select i.invoice_id from public.service_invoices i'
            ' where i.tenant_id = (select app.tenant_id())))', name);
    end loop;
end $$;
