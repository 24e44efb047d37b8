create table subscription_plans (
    tenant_id uuid not null references tenants,
    plan_id uuid not null,
    name text not null,
    currency text not null default 'INR' check (currency = 'INR'),
    price_monthly bigint not null check (price_monthly >= 0),
    monthly_credit_allowance bigint not null check (monthly_credit_allowance >= 0),
    grace_days integer not null default 7 check (grace_days between 0 and 90),
    -- How a period is invoiced: the law's part, which nobody agrees on and everybody bears.
    sac text not null check (sac ~ '^[0-9]{4,8}$'),
    tax_rate numeric(5, 2) not null check (tax_rate between 0 and 100),
    is_active boolean not null default true,
    created_at timestamptz not null,
    primary key (tenant_id, plan_id)
);
create unique index subscription_plans_by_name on subscription_plans (tenant_id, lower(name));
select app.protect_ledger('subscription_plans');

create table subscriptions (
    tenant_id uuid not null references tenants,
    subscription_id uuid not null,
    account_id uuid not null,
    -- The plan as it was agreed: a later change of the plan changes nothing here.
    plan_id uuid not null,
    plan_name text not null,
    price_monthly bigint not null check (price_monthly >= 0),
    allowance bigint not null check (allowance >= 0),
    grace_days integer not null,
    status text not null default 'active'
        check (status in ('active', 'paused', 'past_due', 'suspended', 'cancelled')),
    anchor_day integer not null check (anchor_day between 1 and 31),
    timezone text not null default 'Asia/Kolkata',
    -- Always an anchor day. Period n runs from anchor(started_on, n) to anchor(started_on, n + 1).
    started_on date not null,
    -- The first period that has neither begun nor lapsed.
    next_period integer not null default 0 check (next_period >= 0),
    grace_until date,
    -- When the sweep looks again; null if time alone changes nothing.
    due_at timestamptz,
    provider text check (provider in ('stripe', 'razorpay')),
    provider_subscription_id text,
    cancelled_on date,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, subscription_id),
    foreign key (tenant_id, account_id) references billing_accounts,
    check ((provider is null) = (provider_subscription_id is null)),
    check ((status = 'cancelled') = (cancelled_on is not null)),
    check (status <> 'past_due' or grace_until is not null)
);
create unique index subscriptions_current on subscriptions (tenant_id, account_id)
    where status <> 'cancelled';
create unique index subscriptions_provider on subscriptions (provider, provider_subscription_id);
-- The studio names a subscription by its id alone, and lists those of all firms.
create index subscriptions_by_id on subscriptions (subscription_id);
create index subscriptions_due on subscriptions (tenant_id, due_at) where due_at is not null;
select app.protect_ledger('subscriptions');

-- The periods that began or were paid beforehand. For one without a row, or one that lapsed, nothing
-- is owed and nothing is given.
create table subscription_periods (
    tenant_id uuid not null references tenants,
    subscription_id uuid not null,
    period integer not null check (period >= 0),
    starts_on date not null,
    ends_on date not null,
    price bigint not null check (price >= 0),
    status text not null check (status in ('unpaid', 'paid', 'lapsed')),
    is_paid boolean not null generated always as (status = 'paid') stored,
    -- What asks for the price; null if it is nothing, or if the provider asks.
    invoice_id uuid,
    paid_at timestamptz,
    -- Who said so: free, invoice, or the provider with its payment's id.
    paid_by text,
    created_at timestamptz not null,
    primary key (tenant_id, subscription_id, period),
    unique (tenant_id, subscription_id, period, is_paid),
    unique (tenant_id, invoice_id),
    foreign key (tenant_id, subscription_id) references subscriptions,
    foreign key (tenant_id, invoice_id) references service_invoices,
    check (starts_on < ends_on),
    check ((status = 'paid') = (paid_at is not null)),
    check ((paid_at is null) = (paid_by is null))
);
-- What comes next is not asked for while something is owed.
create unique index subscription_periods_owed on subscription_periods (tenant_id, subscription_id)
    where status = 'unpaid';
select app.protect_ledger('subscription_periods');

-- One row for each period: a second refill of it cannot be written, nor one of a period that is not
-- paid, nor can a period be unpaid again that was refilled.
create table subscription_refills (
    tenant_id uuid not null references tenants,
    subscription_id uuid not null,
    period integer not null check (period >= 0),
    is_paid boolean not null default true check (is_paid),
    credits bigint not null check (credits >= 0),
    -- The grant; null if the plan has no credits.
    entry_id uuid,
    created_at timestamptz not null,
    primary key (tenant_id, subscription_id, period),
    foreign key (tenant_id, subscription_id, period, is_paid)
        references subscription_periods (tenant_id, subscription_id, period, is_paid),
    foreign key (tenant_id, entry_id) references journal_entries,
    check ((credits = 0) = (entry_id is null))
);
select app.protect_ledger('subscription_refills', billing => 'select, insert');
select app.append_only('subscription_refills');

-- What somebody is asked to pay through a provider. The row is committed before the provider hears
-- of it, as `unknown`: it may have a link there until the provider has said otherwise.
-- What has become of it are facts that news can only add to, in whatever order it comes: settled,
-- refunded, charged back; the status follows from them.
create table payment_orders (
    tenant_id uuid not null references tenants,
    payment_order_id uuid not null,
    account_id uuid not null,
    provider text not null check (provider in ('stripe', 'razorpay')),
    purpose text not null check (purpose in ('topup', 'invoice')),
    invoice_id uuid,
    credits bigint not null default 0 check (credits >= 0),
    amount bigint not null check (amount > 0),
    currency text not null default 'INR' check (currency = 'INR'),
    description text not null default '' check (length(description) <= 200),
    status text not null default 'unknown' check (status in ('pending', 'requires_action', 'unknown',
        'paid', 'failed', 'cancelled', 'expired', 'refunded', 'partially_refunded', 'charged_back')),
    -- What the provider says has gone back, in all; the books follow once the order is settled.
    refunded bigint not null default 0 check (refunded between 0 and amount),
    charged_back bigint not null default 0 check (charged_back between 0 and amount),
    -- What is known of each dispute, by the provider's id: open, won, lost. A payment may have several.
    disputes jsonb not null default '{}',
    -- What of it could not be used for what it was paid for, and is the account's advance.
    advance bigint not null default 0 check (advance between 0 and amount),
    -- How much of the settlement the books have taken back, and the bought credits with it; those
    -- that were spent already are owed.
    reversed bigint not null default 0 check (reversed between 0 and amount),
    credits_reversed bigint not null default 0 check (credits_reversed between 0 and credits),
    credits_owed bigint not null default 0 check (credits_owed between 0 and credits_reversed),
    operation_key text not null check (length(operation_key) between 1 and 255),
    request_sha256 text not null,
    provider_order_id text,
    provider_payment_id text,
    checkout_url text,
    failure text,
    -- What a person has to look at.
    finding text,
    -- The provider is asked again then; null if there is nothing to ask any more.
    ask_at timestamptz,
    asked integer not null default 0,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    expires_at timestamptz,
    settled_at timestamptz,
    primary key (tenant_id, payment_order_id),
    unique (tenant_id, account_id, operation_key),
    foreign key (tenant_id, account_id) references billing_accounts,
    foreign key (tenant_id, invoice_id) references service_invoices,
    check ((settled_at is not null)
        = (status in ('paid', 'refunded', 'partially_refunded', 'charged_back'))),
    check (reversed = 0 or settled_at is not null),
    check ((purpose = 'invoice') = (invoice_id is not null))
);
create unique index payment_orders_provider on payment_orders (provider, provider_order_id);
-- An event names an order, and no firm.
create index payment_orders_by_id on payment_orders (payment_order_id);
create index payment_orders_by_payment on payment_orders (provider, provider_payment_id);
create index payment_orders_by_account on payment_orders (tenant_id, account_id, payment_order_id desc);
create index payment_orders_to_ask on payment_orders (ask_at) where ask_at is not null;
-- While it is not known what became of one, nobody is asked to pay the invoice anew.
create unique index payment_orders_unknown on payment_orders (tenant_id, invoice_id)
    where status = 'unknown';
select app.protect_ledger('payment_orders');
select app.show_in_portal('payment_orders');

-- Money that goes back. The order is locked while one is written, so that they never add up to more
-- than was paid.
create table payment_refunds (
    tenant_id uuid not null references tenants,
    refund_id uuid not null,
    payment_order_id uuid not null,
    amount bigint not null check (amount > 0),
    -- Unknown until the provider has answered; it still counts as money that went.
    status text not null default 'unknown'
        check (status in ('pending', 'unknown', 'succeeded', 'failed')),
    reason text not null,
    operation_key text not null check (length(operation_key) between 1 and 255),
    request_sha256 text not null,
    provider_refund_id text,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, refund_id),
    unique (tenant_id, payment_order_id, operation_key),
    foreign key (tenant_id, payment_order_id) references payment_orders
);
create unique index payment_refunds_provider on payment_refunds (tenant_id, provider_refund_id);
select app.protect_ledger('payment_refunds');

-- Providers' news, stored before anything is done about it. Rows of the service tenant: an event is
-- not a firm's until its order is found. The provider's id is unique for ever.
create table payment_events (
    tenant_id uuid not null references tenants,
    event_id uuid not null,
    provider text not null check (provider in ('stripe', 'razorpay')),
    provider_event_id text not null,
    event_type text not null,
    provider_created_at timestamptz,
    payload bytea not null,
    payload_sha256 text not null check (payload_sha256 ~ '^[0-9a-f]{64}$'),
    status text not null default 'received'
        check (status in ('received', 'processed', 'ignored', 'unmatched', 'refused')),
    outcome text,
    order_tenant_id uuid,
    payment_order_id uuid,
    received_at timestamptz not null,
    processed_at timestamptz,
    primary key (tenant_id, event_id)
);
create unique index payment_events_once on payment_events (provider, provider_event_id);
create index payment_events_waiting on payment_events (received_at)
    where status in ('received', 'unmatched');
create index payment_events_of_order on payment_events (payment_order_id);
select app.protect_ledger('payment_events');

