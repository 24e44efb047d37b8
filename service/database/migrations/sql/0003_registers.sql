-- Small registers that are searched and used again. A snapshot copies what it needs, so a change
-- here never alters what was evaluated.
create table banks (
    tenant_id uuid not null references tenants,
    bank_id uuid not null,
    name text not null check (length(name) between 1 and 200),
    code text,
    bank_type text check (bank_type in ('SBI', 'PSU_GENERIC', 'COOP', 'AGRI', 'OTHER')),
    is_verified boolean not null default false,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, bank_id)
);
create unique index banks_by_name on banks (tenant_id, lower(name));
select app.protect_table('banks');

create table bank_branches (
    tenant_id uuid not null references tenants,
    branch_id uuid not null,
    bank_id uuid not null,
    name text not null check (length(name) between 1 and 200),
    code text,
    ifsc text check (ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$'),
    city text,
    address text,
    is_verified boolean not null default false,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, branch_id),
    foreign key (tenant_id, bank_id) references banks
);
create unique index bank_branches_by_name
    on bank_branches (tenant_id, bank_id, lower(name), lower(coalesce(city, '')));
create unique index bank_branches_by_ifsc on bank_branches (tenant_id, ifsc);
select app.protect_table('bank_branches');

-- `registration` is the number that the report prints and that signing demands.
create table valuers (
    tenant_id uuid not null references tenants,
    valuer_id uuid not null,
    user_id uuid references users,
    name text not null check (length(name) between 1 and 200),
    qualifications text,
    designation text,
    registration text,
    registration_valid_until date,
    unique_id_number text,
    may_sign boolean not null default false,
    signature_document_id uuid,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, valuer_id)
);
create unique index valuers_by_user on valuers (tenant_id, user_id);
create unique index valuers_by_registration on valuers (tenant_id, registration);
select app.protect_table('valuers');

-- `property` is a JSON object in the contract's own shape (its property section).
create table properties (
    tenant_id uuid not null references tenants,
    property_id uuid not null,
    label text not null check (length(label) between 1 and 300),
    property text not null,
    search text not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, property_id)
);
select app.protect_table('properties');
