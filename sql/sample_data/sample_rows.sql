-- What the rules look at: the sample rows alone, without what load runs added beneath campaigns of
-- their own.
set local jit = off;
set local work_mem = '64MB';

-- One row: what lab.builds says the sample data was made of.
create temp view made as
select details ->> 'scale' as scale, (details ->> 'as_of')::timestamptz as as_of, sizes.*
from lab.builds
cross join lateral jsonb_to_record(details -> 'sizes') as sizes (
    tenants integer, sending_tenants integer, former_tenants integer, users integer,
    running_campaigns integer, other_campaigns integer, leads integer, enrollments integer)
where part = 'sample_data';

-- When a tenant lived; until: it was suspended or deleted, or the history ended.
create temp view tenant_lives as
select id as tenant_id, status, created at time zone 'UTC' as since,
       coalesce(suspended_at, deleted at time zone 'UTC', as_of) as until
from made, public.tenants;

create temp view load_campaigns as
select tenant_id, id from campaigns.campaigns
where external_id like 'load:%';

create temp view sample_campaigns as
select * from campaigns.campaigns as c
where not exists (select from load_campaigns as l where l.tenant_id = c.tenant_id and l.id = c.id);

create temp view sample_steps as
select * from campaigns.steps as s
where not exists (select from load_campaigns as l where l.tenant_id = s.tenant_id and l.id = s.campaign_id);

create temp view sample_enrollments as
select * from campaigns.enrollments as e
where not exists (select from load_campaigns as l where l.tenant_id = e.tenant_id and l.id = e.campaign_id);

create temp view sample_executions as
select x.*, s.campaign_id, s.position from campaigns.step_executions as x
join sample_steps as s on s.tenant_id = x.tenant_id and s.id = x.step_id;

create temp view sample_events as
select * from campaigns.events as v
where not exists (select from load_campaigns as l where l.tenant_id = v.tenant_id and l.id = v.campaign_id);
