-- Changes of status whose trigger is weighed.

-- name: campaigns
insert into campaigns.campaigns (tenant_id, name, external_id, status, started_at)
select %(tenant)s, 'weighed ' || n, 'weighed ' || n, 'running', now() from generate_series(1, %(campaigns)s) as n

-- name: change
update campaigns.campaigns c set status = case c.status when 'running' then 'paused' else 'running' end, updated_at = now()
where c.tenant_id = %(tenant)s and c.external_id = %(name)s

-- name: enable
alter table campaigns.campaigns enable trigger publish

-- name: disable
alter table campaigns.campaigns disable trigger publish
