-- Changes of status whose trigger is weighed.

-- name: campaigns
insert into campaigns.campaigns (tenant_id, name, status, started_at)
select t.id, 'weighed ' || n, 'running', now()
from (select id from public.tenants where status = 'active' order by id limit 1) as t, generate_series(1, %(campaigns)s) as n
returning tenant_id, id

-- name: change
update campaigns.campaigns c set status = case c.status when 'running' then 'paused' else 'running' end, updated_at = now()
where c.tenant_id = %s and c.id = %s

-- name: enable
alter table campaigns.campaigns enable trigger publish

-- name: disable
alter table campaigns.campaigns disable trigger publish
