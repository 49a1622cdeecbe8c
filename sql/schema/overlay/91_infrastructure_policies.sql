-- A tenant sees the addresses it has, and when it had which. It writes neither.

create policy owner on infrastructure.smtp_ips for select to lab_app
    using (owner_tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);
create policy owner on infrastructure.ip_assignments for select to lab_app
    using (owner_tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);
