-- Operations of infrastructure.

-- name: expected_dns_records
select * from infrastructure.expected_dns_records('one.example', 's1', 'key');

-- name: add_domain
select * from infrastructure.add_domain(lab.current_tenant(), 'index-safety.example', 'key', now());
select * from infrastructure.add_domain(lab.current_tenant(), 'index-safety.example', 'key', now());

-- name: create_email_account
-- The second finds the address taken.
select a.*
from (
    select tenant_id, id from infrastructure.domains
    where tenant_id = lab.current_tenant() and status = 'verified' limit 1
) d
cross join generate_series(1, 2)
cross join lateral infrastructure.create_email_account(d.tenant_id, d.id, 'index.safety', 'google', 50, interval '10 minutes', now()) a;

-- name: set_email_account_limits
select infrastructure.set_email_account_limits(tenant_id, id, 10, interval '1 minute', now())
from infrastructure.email_accounts
where tenant_id = lab.current_tenant() and status = 'active'
limit 1;

-- name: set_email_account_status
select infrastructure.set_email_account_status(tenant_id, id, 'closed', now())
from infrastructure.email_accounts
where tenant_id = lab.current_tenant() and status = 'active'
limit 1;
