-- Is this the id of a tenant?
-- expected: closed
-- observes: answer
-- advice: Check the policy before the reference: with check (tenant_id = the one in context).

-- name: secrets
select s.secret, case when s.secret then t.id else gen_random_uuid() end as guess
from (values (true), (false)) as s (secret)
cross join (select id from public.tenants where id <> %(own)s limit %(trials)s) as t;

-- name: probe
insert into campaigns.lists (tenant_id, name) values (%(guess)s, 'x');
