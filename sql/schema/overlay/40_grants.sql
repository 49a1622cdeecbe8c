-- Who may use what. Row level security (the next file) says which rows.

revoke all on all tables in schema public, users, auth, campaigns, integration, lab from public;
revoke execute on all functions in schema lab from public;

grant usage on schema users, campaigns, integration, lab to lab_app, lab_auth, lab_platform, lab_analytics;
grant usage on schema auth to lab_auth, lab_platform;

grant execute on function
    lab.enter_tenant(uuid, uuid), lab.current_tenant(), lab.current_user_id()
    to lab_app, lab_auth, lab_platform, lab_analytics;
grant select on lab.incarnation, lab.builds, lab.shared_tables, lab.transitions
    to lab_app, lab_auth, lab_platform, lab_analytics;

-- The application: its own business, but not who exists.
grant select, insert, update, delete on all tables in schema campaigns to lab_app;
grant select on public.tenants, users.users, users.tenant_users to lab_app;

-- Sign-up, log-in, tenant switching, and who belongs to a tenant.
grant select, insert, update, delete on all tables in schema auth to lab_auth;
grant select, insert, update on users.users to lab_auth;
grant select, insert, delete, update (roles, updated) on users.tenant_users to lab_auth;
-- The update locks: a policy lets no change through.
grant select, insert (id, name), update (updated) on public.tenants to lab_auth;

-- Workers that cross tenants.
grant select, insert, update, delete on all tables in schema public, users, auth, campaigns to lab_platform;
grant select on integration.tombstones to lab_platform;
grant delete on integration.tombstones to lab_platform;
grant insert, update, delete on lab.incarnation, lab.builds to lab_platform;

-- The warehouse reads what it mirrors.
grant select on public.tenants, integration.tombstones to lab_analytics;
grant select on all tables in schema campaigns to lab_analytics;
