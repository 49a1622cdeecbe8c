-- The request whose authorization is weighed, and its surroundings.

-- name: request
-- What a request asks: one lead, by its index, by tenant beside row level security.
select id from campaigns.leads where tenant_id = %(tenant)s and email_norm = 'lead7@acme.example';

-- name: leads
insert into campaigns.leads (tenant_id, email)
select %(tenant)s, 'lead' || n || '@acme.example' from generate_series(1, 1000) n;

-- name: enter
select lab.enter_tenant(%(tenant)s);
