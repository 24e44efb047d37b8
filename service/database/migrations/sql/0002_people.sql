-- Users belong to no tenant: their memberships do. Passwords and token digests are seen by the role
-- zen_login alone, and by it only for the one address or token that somebody has just presented.
create table users (
    user_id uuid primary key,
    email text not null unique check (email = lower(email) and length(email) between 3 and 254),
    name text not null check (length(name) between 1 and 200),
    password_hash text,
    status text not null default 'active' check (status in ('active', 'disabled')),
    created_at timestamptz not null,
    password_changed_at timestamptz
);
alter table users enable row level security;
alter table users force row level security;
grant select on users to zen_backup;

-- One row for each role. Somebody whom the firm has shut out keeps the rows, so that their name
-- still stands beside what they did, and so that they can be let in again as they were.
create table memberships (
    tenant_id uuid not null references tenants,
    user_id uuid not null references users,
    role text not null check (role ~ '^[a-z][a-z_]{1,40}$'),
    created_at timestamptz not null,
    disabled_at timestamptz,
    primary key (tenant_id, user_id, role)
);
create index memberships_by_user on memberships (user_id);
select app.protect_table('memberships', web => 'select, insert, update, delete', studio => 'select, insert, update, delete', worker => 'select');
grant select, insert on memberships to zen_login;
create policy login_select on memberships for select to zen_login
    using (user_id = (select app.user_id()));

grant select (user_id, email, name, status, created_at) on users to zen_web, zen_studio, zen_worker;
create policy web_select on users for select to zen_web using (
    (select app.audience()) = 'web' and exists (
        select from memberships m
        where m.user_id = users.user_id and m.tenant_id = (select app.tenant_id())
    )
);
create policy worker_select on users for select to zen_worker using (
    (select app.audience()) = 'worker' and exists (
        select from memberships m
        where m.user_id = users.user_id and m.tenant_id = (select app.tenant_id())
    )
);
create policy studio_select on users for select to zen_studio
    using ((select app.audience()) = 'studio');
grant select, insert, update on users to zen_login;
create policy login_select on users for select to zen_login
    using (email = (select app.login_email()) or user_id = (select app.user_id()));
create policy login_update on users for update to zen_login
    using (user_id = (select app.user_id()));
create policy login_insert on users for insert to zen_login
    with check (email = (select app.login_email()));

-- One table for cookie sessions, bearer tokens, service tokens, invitations and links to a download.
-- An invitation's label is the address that it invites, its scopes are the roles that it gives; no
-- user belongs to it before it is accepted, so that nobody learns whether the address was known.
create table access_tokens (
    tenant_id uuid not null references tenants,
    token_id uuid not null,
    kind text not null check (kind in ('session', 'bearer', 'service', 'invitation', 'download')),
    token_sha256 text not null unique check (token_sha256 ~ '^[0-9a-f]{64}$'),
    user_id uuid references users,
    audience text not null check (audience in ('web', 'studio', 'portal', 'service')),
    label text,
    scopes text[],
    created_by uuid references users,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    last_used_at timestamptz,
    revoked_at timestamptz,
    primary key (tenant_id, token_id)
);
create index access_tokens_by_user on access_tokens (tenant_id, user_id);
alter table access_tokens enable row level security;
alter table access_tokens force row level security;
grant select on access_tokens to zen_backup;
grant select, insert, update on access_tokens to zen_login;
create policy login_select on access_tokens for select to zen_login
    using (token_sha256 = (select app.token_sha256()) or user_id = (select app.user_id()));
create policy login_insert on access_tokens for insert to zen_login
    with check (token_sha256 = (select app.token_sha256()));
create policy login_update on access_tokens for update to zen_login
    using (token_sha256 = (select app.token_sha256()) or user_id = (select app.user_id()));
grant select (tenant_id, token_id, kind, user_id, audience, label, scopes, created_by, created_at, expires_at,
              last_used_at, revoked_at), insert, update (revoked_at)
    on access_tokens to zen_web, zen_studio;
create policy web_select on access_tokens for select to zen_web
    using (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'web');
-- A firm makes no token for the studio, and nobody makes a session but by logging in.
create policy web_insert on access_tokens for insert to zen_web
    with check (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'web'
                and kind <> 'session' and audience <> 'studio');
create policy web_update on access_tokens for update to zen_web
    using (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'web');
create policy studio_select on access_tokens for select to zen_studio
    using ((select app.audience()) = 'studio');
create policy studio_insert on access_tokens for insert to zen_studio
    with check (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'studio'
                and kind <> 'session');
create policy studio_update on access_tokens for update to zen_studio
    using (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'studio');
-- Ended for a month, a session, token or invitation is of no more use to anybody; the nightly sweep
-- sees of these alone that they have ended, and of no other that it is there.
grant select (expires_at), delete on access_tokens to zen_system;
create policy system_select on access_tokens for select to zen_system
    using (expires_at < now() - interval '30 days');
create policy system_delete on access_tokens for delete to zen_system
    using (expires_at < now() - interval '30 days');
-- Whoever holds an invitation that still stands takes the roles that it names, and no others.
create policy login_insert on memberships for insert to zen_login with check (
    user_id = (select app.user_id()) and exists (
        select from access_tokens t
        where t.tenant_id = memberships.tenant_id and t.kind = 'invitation'
          and t.token_sha256 = (select app.token_sha256()) and t.revoked_at is null
          and memberships.role = any (t.scopes)
    )
);

-- The portal's people see their own tenant's name, and themselves.
grant select on tenants to zen_portal, zen_login;
create policy portal_select on tenants for select to zen_portal
    using (tenant_id = (select app.tenant_id()) and (select app.audience()) = 'portal');
create policy login_select on tenants for select to zen_login using (
    exists (
        select from memberships m
        where m.tenant_id = tenants.tenant_id and m.user_id = (select app.user_id())
    )
    or exists (select from access_tokens t where t.tenant_id = tenants.tenant_id
               and t.token_sha256 = (select app.token_sha256()))
);
grant select (user_id, email, name, status, created_at) on users to zen_portal;
create policy portal_select on users for select to zen_portal
    using (user_id = (select app.user_id()) and (select app.audience()) = 'portal');
grant select, insert, update on idempotency_keys to zen_portal;
create policy portal_select on idempotency_keys for select to zen_portal
    using (tenant_id = (select app.tenant_id()) and caller_id = (select app.user_id()));
create policy portal_insert on idempotency_keys for insert to zen_portal
    with check (tenant_id = (select app.tenant_id()) and caller_id = (select app.user_id()));
create policy portal_update on idempotency_keys for update to zen_portal
    using (tenant_id = (select app.tenant_id()) and caller_id = (select app.user_id()));
