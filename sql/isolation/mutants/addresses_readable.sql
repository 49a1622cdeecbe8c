-- A tenant reads whose the platform's addresses are.
-- on: infrastructure.smtp_ips
alter policy owner on infrastructure.smtp_ips using (owner_tenant_id is not null);
