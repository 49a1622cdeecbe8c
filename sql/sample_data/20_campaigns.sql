-- Campaigns, steps, leads and what became of them. Mails are planned as if nobody ever left; then the
-- first departure of each lead cuts off what would have followed. Rows of one day lie together, in the
-- order of days, as they would have come in.

-- Campaigns are dated back from when their tenant's activity ended. enrolled_until: nobody is enrolled
-- later; stopped: nothing is sent later; over: nothing happens later.
create temp table plan_campaigns on commit drop as
with numbered as (
    select row_number() over (order by rank, k) as n, t.*,
           case when k <= running_count then 'running'
                else case (others_before + k - running_count) % 10
                         when 0 then 'cancelled' when 1 then 'paused' when 2 then 'paused'
                         when 3 then 'draft'
                         when 4 then case when former then 'draft' else 'scheduled' end
                         else 'finished' end
           end as campaign_status
    from plan_tenants as t, generate_series(1, running_count + other_count) as k
), drawn as (
    select n, rank, id as tenant_id, leads_before, lead_count, campaign_status as status, until, as_of,
           pg_temp.draw('campaigns', n, seed) as h,
           pg_temp.draw('campaign times', n, seed) as h_times
    from scale, numbered
), started as (
    select *, until - pg_temp.days(
                  case status when 'running' then 1 + 30 * pg_temp.share(h_times)
                              when 'paused' then 11 + 50 * pg_temp.share(h_times)
                              when 'cancelled' then 14 + 80 * pg_temp.share(h_times)
                              when 'finished' then 45 + 70 * pg_temp.share(h_times) end) as started
    from drawn
), stopped as (
    select *,
           -- The longest sequence takes twenty days, and enrolling a fortnight.
           case status when 'finished' then started + pg_temp.days(37)
                       when 'cancelled' then started + pg_temp.days(3 + 10 * pg_temp.share(h_times >> 32))
           end as finished,
           case status when 'paused' then started + pg_temp.days(3 + 7 * pg_temp.share(h_times >> 32))
           end as paused,
           coalesce(started, until - pg_temp.days(20))
               - pg_temp.days(1 + 4 * pg_temp.share(h)) as created
    from started
)
select n, rank, tenant_id, pg_temp.key(created, h) as id, leads_before, lead_count, h,
       status, created, started, finished,
       case when status = 'scheduled' then as_of + pg_temp.days(1 + (h & 15))
            when h & 1 = 0 then started end as scheduled,
       coalesce(paused, finished, started, created) as updated,
       case status when 'finished' then started + pg_temp.days(14)
                   else coalesce(paused, finished, until) end as enrolled_until,
       coalesce(paused, finished, until) as stopped,
       coalesce(finished, until) as over,
       2 + ((h >> 8) & 65535) % 5 as step_count
from stopped;

insert into campaigns.campaigns
    (tenant_id, id, name, status, time_zone, external_id, created_by,
     scheduled_at, started_at, finished_at, created_at, updated_at)
select c.tenant_id, c.id, pool.subject, c.status,
       (array['UTC', 'America/New_York', 'America/Los_Angeles', 'Europe/Berlin',
              'Europe/London', 'Asia/Kolkata', 'Asia/Tokyo', 'Australia/Sydney'])[1 + (c.h >> 4 & 7)],
       case when c.n % 3 = 0 then 'crm:' || c.n end, owner.id,
       pg_temp.at(c.scheduled), pg_temp.at(c.started), pg_temp.at(c.finished),
       pg_temp.at(c.created), pg_temp.at(c.updated)
from plan_campaigns as c
join plan_users as owner on owner.n = c.rank
join pool on pool.n = pg_temp.word(c.h >> 32)
order by c.created, c.n;

-- after: from the enrollment to this step, were every step executed at once.
create temp table plan_steps on commit drop as
with drawn as (
    select c.n as campaign, c.tenant_id, c.id as campaign_id, position,
           c.created + 60000 * position as created,
           pg_temp.draw('steps', c.n * 8 + position, seed) as h
    from scale, plan_campaigns as c, generate_series(1, step_count) as position
), delays as (
    select *, case position when 1 then h & 3 else 24 + ((h >> 8) & 65535) % 73 end as hours
    from drawn
)
select *, pg_temp.key(created, h) as id,
       sum(hours) over (partition by campaign order by position)::bigint * 3600000 as after
from delays;

insert into campaigns.steps
    (tenant_id, id, campaign_id, position, subject, delay, created_at, updated_at)
select tenant_id, id, campaign_id, position, pool.subject, make_interval(hours => hours::integer),
       pg_temp.at(created), pg_temp.at(created)
from plan_steps
join pool on pool.n = pg_temp.word(h >> 32)
order by created, campaign;

-- Leads were imported within a year; three in a hundred addresses are dead.
create temp table plan_leads on commit drop as
with drawn as (
    select leads_before + k as n, k, id as tenant_id, until,
           least(until - created, pg_temp.days(365)) - pg_temp.days(2) as age,
           pg_temp.draw('leads', leads_before + k, seed) as h
    from scale, plan_tenants, generate_series(1, lead_count) as k
), times as (
    select *, until - pg_temp.days(1) - (age * pg_temp.share(h))::bigint as created
    from drawn
)
select n, k, tenant_id, pg_temp.key(created, h) as id, created, (h >> 32 & 1023) < 31 as dead
from times;

-- Each campaign reaches a run of its tenant's leads, and the runs overlap. lag: by how much every step
-- of the enrollment is late.
create temp table plan_enrollments on commit drop as
with ran as (
    select c.*, lead_count * (row_number() over by_tenant - 1) / count(*) over (partition by rank) as skipped,
           least(lead_count, ceil(enrollments::float8 * lead_count / leads / count(*) over (partition by rank)
                                  * (0.5 + pg_temp.share(h >> 32))))::integer as reach
    from scale, plan_campaigns as c
    where started is not null and lead_count > 0
    window by_tenant as (partition by rank order by n)
), numbered as (
    select *, (sum(reach) over (order by n) - reach)::bigint as enrolled_before
    from ran
), drawn as (
    select c.*, enrolled_before + i as enrollment, leads_before + 1 + (skipped + i) % lead_count as lead,
           pg_temp.draw('enrollments', enrolled_before + i, seed) as h_enrollment
    from scale, numbered as c, generate_series(0, reach - 1) as i
), times as (
    select c.*, l.id as lead_id, l.dead,
           greatest(l.created + 3600000,
                    started + ((enrolled_until - started) * pg_temp.share(h_enrollment))::bigint) as enrolled
    from drawn as c
    join plan_leads as l on l.n = c.lead
)
select enrollment as n, pg_temp.key(enrolled, h_enrollment) as id, tenant_id, n as campaign,
       id as campaign_id, status as campaign_status, step_count, finished, stopped, over,
       lead, lead_id, dead, enrolled, 1000 + ((h_enrollment >> 32) & 65535) * 9 as lag
from times
where enrolled < enrolled_until;

-- What would become of each mail, and when; null: never. Half of the opens come within three hours.
create temp table plan_mails on commit drop as
with drawn as (
    select e.n * 8 + position as n, e.n as enrollment, e.id as enrollment_id, e.tenant_id,
           e.campaign_id, lead, lead_id, dead, over, lag, s.id as step_id, position,
           enrolled + after + position * lag as executed,
           pg_temp.draw('mails', e.n * 8 + position, seed) as h
    from scale
    cross join plan_enrollments as e
    join plan_steps as s using (campaign)
    where enrolled + after + position * lag < stopped - 900000
), sent as (
    select *, (h & 1023) >= 12 as is_sent, executed + 1000 + ((h >> 10) & 1023) * 50 as reported
    from drawn
), fates as (
    select *, is_sent and not dead as is_delivered,
           case when ((h >> 20) & 1023) < 358
                then reported + 20000
                     + pg_temp.days(2 * power(((h >> 30) & 1023) / 1024::float8, 4)) end as opened,
           case when ((h >> 40) & 1023) < 28 then 'replied'
                when ((h >> 40) & 1023) < 38 then 'unsubscribed'
                when ((h >> 40) & 1023) < 39 then 'complained' end as left_by,
           reported + 600000 + ((h >> 50) & 1023) * 120000 as left_at
    from sent
), clicks as (
    select *, case when ((h >> 60) & 3) = 0 then opened + 5000 + ((h >> 50) & 255) * 1000 end as clicked
    from fates
)
select n, enrollment, enrollment_id, tenant_id, campaign_id, lead, lead_id, step_id, position, h,
       executed - lag as due, executed,
       case when is_sent then executed end as sent,
       case when is_delivered then reported end as delivered,
       case when is_sent and dead then reported end as bounced,
       case when is_delivered and opened < over then opened end as opened,
       case when is_delivered and clicked < over then clicked end as clicked,
       case when is_delivered and left_at < over then left_by end as left_by,
       case when is_delivered and left_at < over and left_by is not null then left_at end as left_at
from clicks;

-- What first ends a lead's mails, in whichever campaign, ends them in all.
create temp table plan_departures on commit drop as
select distinct on (lead) lead, n as mail, coalesce(left_by, 'bounced') as status,
       coalesce(left_at, bounced) as at
from plan_mails
where coalesce(left_at, bounced) is not null
order by lead, coalesce(left_at, bounced), n;

create temp table plan_executions on commit drop as
select m.n, enrollment, enrollment_id, tenant_id, campaign_id, lead, lead_id, step_id, position, h,
       due, executed, sent, delivered, bounced, opened, clicked,
       case when m.n = mail then left_by end as left_by,
       case when m.n = mail then left_at end as left_at
from plan_mails as m
left join plan_departures using (lead)
where at is null or executed < at;

-- Every twentieth lead of a tenant is somebody whom other tenants may know too.
insert into campaigns.leads
    (tenant_id, id, email, first_name, last_name, status, custom_fields, created_at, updated_at)
with outcomes as (
    select lead, count(sent) > 0 as contacted, count(opened) > 0 as engaged,
           max(greatest(sent, delivered, bounced, opened, clicked, left_at)) as last_event
    from plan_executions
    group by lead
), people as (
    select l.*, person, pg_temp.draw('people', person, seed) as h
    from scale
    cross join plan_leads as l
    cross join lateral (select case k % 20 when 0 then -k else n end as person) as known
)
select tenant_id, id,
       case h & 7 when 0 then f.first_name else lower(f.first_name) end
           || '.' || lower(l.last_name) || '.' || abs(person) || '@' || c.host || '.example',
       f.first_name, l.last_name,
       coalesce(d.status, case when engaged then 'engaged' when contacted then 'contacted' else 'new' end),
       jsonb_build_object('company', c.company, 'employees', 1 + (h & 1023)),
       pg_temp.at(created), pg_temp.at(coalesce(last_event, created))
from people as p
join pool as f on f.n = pg_temp.word(h >> 10)
join pool as l on l.n = pg_temp.word(h >> 26)
join pool as c on c.n = pg_temp.word(h >> 42)
left join outcomes as o on o.lead = p.n
left join plan_departures as d on d.lead = p.n
order by created / pg_temp.days(1), tenant_id, p.n;

insert into campaigns.enrollments
    (tenant_id, id, campaign_id, lead_id, status, position, due_at, created_at, updated_at)
with progress as (
    select enrollment as n, max(position) as position, max(executed) as executed
    from plan_executions
    group by enrollment
), states as (
    select e.*, coalesce(position, 0) as position, executed, at as departed,
           case when position = step_count then 'completed'
                when at is not null or campaign_status = 'cancelled' then 'stopped'
                else 'active' end as status
    from plan_enrollments as e
    left join progress using (n)
    left join plan_departures using (lead)
    where at is null or enrolled < at
)
select e.tenant_id, e.id, e.campaign_id, lead_id, status, e.position,
       case status when 'active' then pg_temp.at(enrolled + next.after + e.position * lag) end,
       pg_temp.at(enrolled),
       pg_temp.at(case status when 'stopped' then least(departed, finished)
                              else coalesce(executed, enrolled) end)
from states as e
left join plan_steps as next on next.campaign = e.campaign and next.position = e.position + 1
order by enrolled / pg_temp.days(1), e.tenant_id, e.campaign_id, e.n;

insert into campaigns.step_executions
    (tenant_id, id, enrollment_id, step_id, status, skip_reason, due_at, executed_at)
select tenant_id, pg_temp.key(executed, pg_temp.draw('executions', n, seed)), enrollment_id, step_id,
       case when sent is not null then 'sent' when h & 3 = 0 then 'failed' else 'skipped' end,
       case when sent is null then (array['daily limit', 'no account', 'no content'])[h & 3] end,
       pg_temp.at(due), pg_temp.at(executed)
from scale, plan_executions
order by executed / pg_temp.days(1), tenant_id, enrollment_id, n;

insert into campaigns.events (tenant_id, id, campaign_id, lead_id, step_id, kind, occurred_at)
select tenant_id, pg_temp.key(e.at, pg_temp.draw('events', n * 8 + place, seed)),
       campaign_id, lead_id, step_id, kind, pg_temp.at(e.at)
from scale
cross join plan_executions
cross join lateral (values (0, 'sent', sent), (1, 'delivered', delivered), (2, 'bounced', bounced),
                           (3, 'opened', opened), (4, 'clicked', clicked), (5, left_by, left_at)
                   ) as e (place, kind, at)
where e.at is not null
order by e.at / pg_temp.days(1), tenant_id, campaign_id, lead_id, e.at, place;

-- One lead of each tenant asked to be erased; a tombstone is what is left.
insert into campaigns.leads (tenant_id, id, email, created_at, updated_at)
select distinct on (tenant_id) tenant_id, pg_temp.key(created, pg_temp.draw('erased', n, seed)),
       'erased@request.example', pg_temp.at(created), pg_temp.at(created)
from scale, plan_leads
order by tenant_id, n;

delete from campaigns.leads
where tenant_id in (select tenant_id from plan_leads) and email_norm = 'erased@request.example';
