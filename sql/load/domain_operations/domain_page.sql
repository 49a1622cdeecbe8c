-- A domain with its records, its accounts and their senders' addresses, as its tenant's page shows them.
\set account random_zipfian(1, :accounts, 1.1)
\set domain random(1, :domains_each)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select v.*, d.health, d.next_check_at
from infrastructure.domains d
join infrastructure.domain_verification v on v.tenant_id = d.tenant_id and v.domain_id = d.id
where d.tenant_id = scratch_load.account(:account)
  and d.name_norm = scratch_load.domain_name(:account, :domain) and d.status <> 'decommissioned';
select r.kind, r.type, r.host, r.expected, r.status, r.observed, r.checked_at
from infrastructure.domains d
join infrastructure.dns_records r on r.tenant_id = d.tenant_id and r.domain_id = d.id
where d.tenant_id = scratch_load.account(:account)
  and d.name_norm = scratch_load.domain_name(:account, :domain) and d.status <> 'decommissioned';
select a.address, a.status, a.health, a.warmup_day, a.allowance, a.sent_in_period, i.address
from infrastructure.domains d
join infrastructure.email_accounts a on a.tenant_id = d.tenant_id and a.domain_id = d.id
left join infrastructure.smtp_ips i on i.id = a.smtp_ip_id and i.owner_tenant_id = a.tenant_id
where d.tenant_id = scratch_load.account(:account)
  and d.name_norm = scratch_load.domain_name(:account, :domain) and d.status <> 'decommissioned';
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from infrastructure.domains limit 20) as seen;
\endpipeline
