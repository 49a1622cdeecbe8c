-- Who may use infrastructure. A tenant orders domains and accounts; what their DNS, counters and health
-- say, and whose an address is, only the platform writes.

revoke all on all tables in schema infrastructure from public;
grant usage on schema infrastructure to lab_app, lab_platform, lab_analytics;

grant select on infrastructure.domains, infrastructure.dns_records, infrastructure.dns_checks,
    infrastructure.email_accounts, infrastructure.daily_sends, infrastructure.reputation_samples,
    infrastructure.smtp_ips, infrastructure.ip_assignments to lab_app;
grant insert (tenant_id, id, name, dkim_public_key, next_check_at, created_at, updated_at)
    on infrastructure.domains to lab_app;
-- Lets an account's opening lock its domain.
grant update (updated_at) on infrastructure.domains to lab_app;
grant insert (tenant_id, domain_id, kind, type, host, expected, created_at)
    on infrastructure.dns_records to lab_app;
grant insert (tenant_id, id, domain_id, address, provider, daily_cap, minimum_gap, created_at, updated_at),
    update (status, daily_cap, minimum_gap, updated_at)
    on infrastructure.email_accounts to lab_app;

grant select, insert, update, delete on all tables in schema infrastructure to lab_platform;
revoke insert, update, delete on infrastructure.warmup_steps, infrastructure.reputation_bands from lab_platform;
grant select on all tables in schema infrastructure to lab_analytics;
