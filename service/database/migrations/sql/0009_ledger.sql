-- Who owes and who has credits. Money and credits move only in the role zen_billing, which the
-- functions of service/billing take on for as long as they write; everybody else may only look.
-- The tenant of a row is the firm that the account belongs to; the issuer's own rows are the
-- service tenant's.
grant usage on schema public, app to zen_billing;
-- The studio's tenant is the issuer of invoices, and has what is not (yet) any firm's.
grant select on tenants to zen_billing;
create policy billing_select on tenants for select to zen_billing
    using (kind = 'service' or tenant_id = (select app.tenant_id()));

-- For migrations only: a table of the ledger. The firm and the studio look; zen_billing alone writes,
-- for the tenant that its transaction names. Sweeps compare all firms' books.
create function app.protect_ledger(name text, billing text default 'select, insert, update')
returns void language plpgsql set search_path = 'public' as $$
declare
    own constant text := 'tenant_id = (select app.tenant_id())';
    command text;
begin
    perform app.protect_table(name, web => 'select', studio => 'select', worker => 'select');
    execute format('grant %s on public.%I to zen_billing', billing, name);
    foreach command in array string_to_array(billing, ', ') loop
        execute format('create policy %I on public.%I for %s to zen_billing %s',
            'billing_' || command, name, command,
            case when command = 'insert' then format('with check (%s)', own)
                 else format('using (%s)', own) end);
    end loop;
    execute format('grant select on public.%I to zen_system', name);
    execute format('create policy system_select on public.%I for select to zen_system using (true)', name);
end $$;
revoke all on function app.protect_ledger from public;

-- For migrations only: a table whose rows a person of the portal sees if they are of their own account.
create function app.show_in_portal(name text) returns void
language plpgsql set search_path = 'public' as $$
begin
    execute format('grant select on public.%I to zen_portal', name);
    execute format(
        'create policy portal_select on public.%I for select to zen_portal using ('
        'tenant_id = (select app.tenant_id()) and (select app.audience()) = ''portal'' and account_id in ('
        'select a.account_id from public.billing_accounts a where a.tenant_id = (select app.tenant_id())'
        ' and a.owner_user_id = (select app.user_id())))', name);
end $$;
revoke all on function app.show_in_portal from public;

create table billing_accounts (
    tenant_id uuid not null references tenants,
    account_id uuid not null,
    account_type text not null check (account_type in ('tenant', 'external_associate')),
    -- The grammar of the older system, with the channels it sends; one key names one account everywhere.
    external_key text not null constraint billing_accounts_external_key unique check (
        length(external_key) <= 200 and external_key ~
        '^(v1:(partner|client|assignment|invoice|channel)|v2:(tenant|external)):[A-Za-z0-9_-]+$'),
    display_name text not null check (length(display_name) between 1 and 200),
    -- The person of the portal whose account it is; others there do not see it.
    owner_user_id uuid references users,
    status text not null default 'active' check (status in ('active', 'suspended')),
    billing_mode text not null default 'POSTPAID' check (billing_mode in ('POSTPAID', 'CREDIT')),
    is_enabled boolean not null default true,
    payment_terms_days integer not null default 15 check (payment_terms_days between 0 and 365),
    credit_cost_model text not null default 'flat' check (credit_cost_model = 'flat'),
    currency text not null default 'INR' check (currency = 'INR'),
    -- As invoices address it: {name, address[], gstin, state_code, email, supply}.
    bill_to text not null default '{}',
    state_code text check (state_code ~ '^[0-9]{2}$'),
    gstin text check (gstin ~ '^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$'),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, account_id)
);
select app.protect_ledger('billing_accounts');
grant select on billing_accounts to zen_portal;
create policy portal_select on billing_accounts for select to zen_portal using (
    tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal'
    and owner_user_id = (select app.user_id()));

-- One row for each account: the lock, the counters, and the head of its journal.
create table credit_wallets (
    tenant_id uuid not null references tenants,
    account_id uuid not null,
    wallet bigint not null default 0 check (wallet >= 0),
    reserved bigint not null default 0 check (reserved >= 0),
    available bigint not null default 0 check (available >= 0),
    journal_seq bigint not null default 0,
    journal_hash text not null default '',
    -- When the newest entry was written; a later one never says an earlier time, whatever clocks do.
    journal_at timestamptz,
    primary key (tenant_id, account_id),
    foreign key (tenant_id, account_id) references billing_accounts,
    check (wallet - reserved = available)
);
select app.protect_ledger('credit_wallets');
select app.show_in_portal('credit_wallets');

create table credit_holds (
    tenant_id uuid not null references tenants,
    hold_id uuid not null,
    account_id uuid not null,
    ref_type text not null check (ref_type ~ '^[a-z][a-z_]{1,60}$'),
    ref_id text not null check (length(ref_id) between 1 and 200),
    work_order_id uuid,
    amount bigint not null check (amount > 0),
    consumed bigint not null default 0 check (consumed between 0 and amount),
    status text not null default 'active' check (status in ('active', 'consumed', 'released')),
    reason text,
    created_at timestamptz not null,
    expires_at timestamptz,
    ended_at timestamptz,
    primary key (tenant_id, hold_id),
    foreign key (tenant_id, account_id) references billing_accounts,
    foreign key (tenant_id, work_order_id) references work_orders,
    check ((status = 'active') = (ended_at is null)),
    check (status <> 'active' or consumed = 0),
    check (status <> 'released' or consumed = 0),
    check (status <> 'consumed' or consumed > 0)
);
create unique index credit_holds_active on credit_holds (tenant_id, account_id, ref_type, ref_id)
    where status = 'active';
-- The older system names a hold by its id alone, whichever firm it is of.
create index credit_holds_by_id on credit_holds (hold_id);
create index credit_holds_by_ref on credit_holds (tenant_id, account_id, ref_type, ref_id);
select app.protect_ledger('credit_holds');
select app.show_in_portal('credit_holds');

-- What an entry moves: ledger -> whole credits or paise, those of one unit adding up to nothing.
create function app.balances(postings jsonb) returns boolean language sql immutable parallel safe
    set search_path = '' as $$
    select jsonb_typeof(postings) = 'object'
        and (select count(*) from jsonb_object_keys(postings)) >= 2
        and not exists (
            select from jsonb_each_text(postings) as line (ledger, amount)
            group by split_part(ledger, ':', 1)
            having sum(amount::bigint) <> 0 or bool_or(amount::bigint = 0)
                or bool_or(ledger !~ '^(credits|inr):[a-z_]+$')
        )
$$;

-- The journal: one chain for each account, written under the wallet's lock. An operation key names
-- one effect for ever; `request_sha256` is what was asked under it, `result` what was answered.
create table journal_entries (
    tenant_id uuid not null references tenants,
    entry_id uuid not null,
    account_id uuid not null,
    seq bigint not null check (seq > 0),
    kind text not null check (kind in ('grant', 'topup', 'adjustment', 'override', 'reserve', 'consume',
        'release', 'expire', 'invoice_issue', 'invoice_void', 'payment', 'credit_note', 'refund', 'chargeback')),
    operation_key text not null check (length(operation_key) between 1 and 255),
    request_sha256 text not null check (request_sha256 ~ '^[0-9a-f]{64}$'),
    hold_id uuid,
    invoice_id uuid,
    payment_order_id uuid,
    ref_type text,
    ref_id text,
    reason text,
    actor_kind text not null,
    actor_id uuid,
    at timestamptz not null,
    postings jsonb not null check (app.balances(postings)),
    result text not null,
    previous_hash text not null,
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    primary key (tenant_id, entry_id),
    unique (tenant_id, account_id, seq),
    -- The last of the two: of indexes that seem alike, as in a table without statistics, the newest is
    -- taken, and a key that is looked for by account alone costs the whole journal.
    unique (tenant_id, account_id, operation_key),
    foreign key (tenant_id, account_id) references billing_accounts,
    foreign key (tenant_id, hold_id) references credit_holds
);
-- A hold ends once.
create unique index journal_hold_ends on journal_entries (tenant_id, hold_id)
    where kind in ('consume', 'release', 'expire');
select app.protect_ledger('journal_entries', billing => 'select, insert');
select app.show_in_portal('journal_entries');
select app.append_only('journal_entries');

-- What every operation on credits begins with, in one call: steps into zen_billing, locks the wallet,
-- and only then looks what the account may do, what the key has done, and which hold is meant. Each
-- statement of a volatile function sees what was committed before it, so whoever waited for the lock
-- sees what the one before has done. Of several holds of one piece of work the active one is meant,
-- else the newest. Without such an account only the role and the tenant before are told.
create function app.open_books(
    in_tenant uuid, in_account uuid, in_key text, in_hold uuid, in_ref_type text, in_ref_id text
) returns table (
    role_before text, tenant_before text, wallet bigint, reserved bigint, available bigint,
    journal_seq bigint, journal_hash text, journal_at timestamptz, account_status text,
    is_enabled boolean, billing_mode text, request_sha256 text, result text, hold public.credit_holds
) language plpgsql volatile set search_path = '' as $$
begin
    role_before := current_setting('role');
    tenant_before := current_setting('app.tenant_id');
    perform set_config('role', 'zen_billing', true), set_config('app.tenant_id', in_tenant::text, true);
    select w.wallet, w.reserved, w.available, w.journal_seq, w.journal_hash, w.journal_at
        into wallet, reserved, available, journal_seq, journal_hash, journal_at
        from public.credit_wallets w
        where w.tenant_id = in_tenant and w.account_id = in_account for update;
    if found then
        select a.status, a.is_enabled, a.billing_mode, e.request_sha256, e.result
            into account_status, is_enabled, billing_mode, request_sha256, result
            from public.billing_accounts a left join public.journal_entries e
                on e.tenant_id = a.tenant_id and e.account_id = a.account_id and e.operation_key = in_key
            where a.tenant_id = in_tenant and a.account_id = in_account;
        -- Two questions, so that each has its index: an account has thousands of holds.
        if in_hold is not null then
            select h.* into hold from public.credit_holds h
                where h.tenant_id = in_tenant and h.hold_id = in_hold;
            if hold.account_id is distinct from in_account then
                hold := null;
            end if;
        elsif in_ref_type is not null then
            select h.* into hold from public.credit_holds h
                where h.tenant_id = in_tenant and h.account_id = in_account
                and h.ref_type = in_ref_type and h.ref_id = in_ref_id
                order by h.status = 'active' desc, h.created_at desc, h.hold_id desc limit 1;
        end if;
    end if;
    return next;
end $$;
