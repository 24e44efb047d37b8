-- Roles of the whole server; run before the migrations by whoever may create roles, and as often as
-- one likes. Nobody logs in as an owner: zen_api and zen_jobs may only become what is granted here.
do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('zen_owner',  'nologin'),
            ('zen_login',  'nologin'),
            ('zen_web',    'nologin'),
            ('zen_studio', 'nologin'),
            ('zen_portal', 'nologin'),
            ('zen_worker', 'nologin'),
            ('zen_system', 'nologin'),
            ('zen_billing', 'nologin'),
            ('zen_api',    'login noinherit'),
            ('zen_jobs',   'login noinherit'),
            ('zen_backup', 'login bypassrls')
        ) as roles (name, attributes)
    loop
        if not exists (select from pg_roles where rolname = wanted.name) then
            begin
                execute format('create role %I %s', wanted.name, wanted.attributes);
            exception when duplicate_object or unique_violation then
                -- Another database of this server is being set up at the same moment.
                null;
            end;
        end if;
    end loop;
end $$;

grant zen_login, zen_web, zen_studio, zen_portal, zen_billing to zen_api;
grant zen_worker, zen_system, zen_billing to zen_jobs;

do $$
begin
    execute format('grant zen_owner to %I', current_user);
    execute format('grant all on database %I to zen_owner', current_database());
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to zen_api, zen_jobs, zen_backup', current_database()
    );
    execute format('alter database %I set timezone to ''UTC''', current_database());
end $$;

alter schema public owner to zen_owner;
revoke all on schema public from public;
grant usage on schema public
    to zen_login, zen_web, zen_studio, zen_portal, zen_worker, zen_system, zen_backup;
