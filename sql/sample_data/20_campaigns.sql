-- Campaigns, their steps and templates, leads, and how far each has come. Mails are planned as if nobody
-- ever left; then the first departure of each lead cuts off what would have followed. Rows of one day lie
-- together, in the order of days, as they would have come in.

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
       (array['UTC', 'America/New_York', 'America/Los_Angeles', 'Europe/Berlin',
              'Europe/London', 'Asia/Kolkata', 'Asia/Tokyo', 'Australia/Sydney'])[1 + (h >> 4 & 7)] as time_zone,
       status, created, started, finished,
       case when status = 'scheduled' then as_of + pg_temp.days(1 + (h & 15))
            when h & 1 = 0 then started end as scheduled,
       coalesce(paused, finished, started, created) as updated,
       case status when 'finished' then started + pg_temp.days(14)
                   else coalesce(paused, finished, until) end as enrolled_until,
       coalesce(paused, finished, until) as stopped,
       coalesce(finished, until) as over,
       2 + ((h >> 8) & 65535) % 5 as depth_count,
       ((h >> 8) & 65535) % 5 > 0 and h >> 24 & 1 = 1 as branches,
       h >> 25 & 3 as question
from stopped;

-- Templates are older than their tenant's campaigns; a newer version may come at any time. Of each tenant's
-- last two, one was archived and one is a draft without content.
create temp table plan_templates on commit drop as
with counted as (
    select rank, tenant_id, min(created) as first_campaign, (count(*) * 3 / 2 + 1)::integer as used
    from plan_campaigns
    group by rank, tenant_id
), drawn as (
    select c.rank, c.tenant_id, t.until, used, first_campaign, t.created as tenant_created, k,
           pg_temp.draw('templates', c.rank * 65536 + k, seed) as h
    from scale, counted as c
    join plan_tenants as t using (rank)
    cross join lateral generate_series(0, used + 1) as k
), made as (
    select *, tenant_created + ((first_campaign - tenant_created) * pg_temp.share(h))::bigint as created
    from drawn
), revised as (
    select *, case when h >> 32 & 1 = 1 then created + ((until - created) * pg_temp.share(h >> 20))::bigint end as second
    from made
)
select rank, tenant_id, k, used, h, created, pg_temp.key(created, h) as id, second,
       case when h >> 33 & 1 = 1 then second + ((until - second) * pg_temp.share(h >> 28))::bigint end as third
from revised;

create temp table plan_versions on commit drop as
select t.rank, t.tenant_id, t.k, t.id as template_id, v.version, v.at, h,
       coalesce(lead(v.at) over (partition by t.rank, t.k order by v.version), 'infinity'::float8) as until,
       pg_temp.key(v.at, pg_temp.draw('versions', (rank * 65536 + k) * 4 + v.version, seed)) as id
from scale, plan_templates as t
cross join lateral (values (1, created), (2, second), (3, third)) as v (version, at)
where v.at is not null and k <= used;

insert into campaigns.template_folders (tenant_id, id, parent_id, name, created_at)
select tenant_id, pg_temp.key(at, pg_temp.draw('folders', rank * 4 + place, seed)),
       case place when 1 then pg_temp.key(at, pg_temp.draw('folders', rank * 4, seed)) end,
       (array['Outreach', 'Follow-ups', 'Newsletters'])[place + 1], pg_temp.at(at)
from scale
cross join (select rank, tenant_id, min(created) as at from plan_templates group by rank, tenant_id) as t
cross join generate_series(0, 2) as place
order by at, rank, place;

insert into campaigns.templates (tenant_id, id, folder_id, name, status, created_at, updated_at)
select t.tenant_id, t.id, folder.id, pool.subject,
       case k - used when 0 then 'archived' when 1 then 'draft' else 'active' end,
       pg_temp.at(created), pg_temp.at(coalesce(third, second, created))
from plan_templates as t
join pool on pool.n = pg_temp.word(h >> 34)
left join campaigns.template_folders as folder
    on folder.tenant_id = t.tenant_id and folder.name = (array['Outreach', 'Follow-ups', 'Newsletters'])[1 + (h >> 50 & 3)]
order by created, rank, k;

insert into campaigns.template_versions
    (tenant_id, id, template_id, version, subject, storage_key, created_by, created_at)
select v.tenant_id, v.id, template_id, version, pool.subject, 'templates/' || template_id || '/' || version,
       owner.id, pg_temp.at(at::bigint)
from plan_versions as v
join plan_users as owner on owner.n = v.rank
join pool on pool.n = pg_temp.word(h >> 20 + version)
order by at, v.rank, k;

insert into campaigns.template_tags (tenant_id, template_id, tag)
select tenant_id, id, tag
from plan_templates
cross join lateral (values (h & 3, (array['cold', 'warm', 'event', 'launch'])[1 + (h >> 8 & 3)]),
                           (h >> 2 & 3, (array['short', 'long', 'plain'])[1 + (h >> 10 & 65535) % 3])) as tagged (chance, tag)
where chance = 0
order by created, rank, k, tag;

-- A straight sequence, which may wait at its second step, or one that asks at its second step and goes on
-- in two ways, the no shorter if there is room. path: who comes by. after: from the enrollment to this
-- depth, were every step executed at once; whole days, so that it is the same time of day.
create temp table plan_steps on commit drop as
with depths as (
    select c.*, seed, depth, pg_temp.draw('steps', n * 8 + depth, seed) as h_step
    from scale, plan_campaigns as c, generate_series(1, depth_count) as depth
), kinds as (
    select *, case when depth <> 2 then 'action' when branches then 'condition'
                   when depth_count > 3 and h_step >> 40 & 1 = 1 then 'wait' else 'action' end as kind,
           case depth when 1 then h_step & 3 else 24 * (1 + ((h_step >> 8) & 65535) % 4) end as hours
    from depths
), timed as (
    select *, (sum(hours) over (partition by n order by depth))::bigint * 3600000 as after
    from kinds
), placed as (
    select t.*, path,
           case when path = 'all' then depth else 2 * depth - case path when 'yes' then 3 else 2 end end as position,
           case when depth = 3 and path <> 'all' then path else 'next' end as branch,
           case when depth = 1 then null when path = 'all' then depth - 1 when depth = 3 then 2
                else 2 * depth - case path when 'yes' then 5 else 4 end end as parent
    from timed as t
    cross join lateral unnest(case when branches and depth > 2 then '{yes,no}'::text[] else '{all}' end) as path
    where not (path = 'no' and depth > 3 and depth = depth_count)
), keyed as (
    select n as campaign, rank, tenant_id, id as campaign_id, question, depth, path, position, branch, parent, kind,
           hours, after, created + 60000 * position as made, pg_temp.draw('step keys', n * 16 + position, seed) as h,
           row_number() over (partition by rank order by n, position) as place
    from placed
)
select k.*, pg_temp.key(made, k.h) as id, t.k as template, t.id as template_id
from keyed as k
left join plan_templates as t on k.kind = 'action' and t.rank = k.rank and t.k = k.place % t.used;

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

-- Each campaign reaches a run of its tenant's leads, and the runs overlap. They are enrolled between 9:10
-- and 12:10 where the campaign is, so that all it sends is within its window. lag: by how much every
-- step of the enrollment is late. held_for: why the first step is put off until it is skipped.
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
                    started + ((enrolled_until - started) * pg_temp.share(h_enrollment))::bigint) as earliest
    from drawn as c
    join plan_leads as l on l.n = c.lead
), mornings as (
    select *, (1000 * extract(epoch from (date_trunc('day', pg_temp.at(earliest) at time zone time_zone)
                                          + interval '9 hours 10 minutes') at time zone time_zone))::bigint
              + (10800000 * pg_temp.share(h_enrollment >> 8))::bigint as morning
    from times
), enrolled as (
    select *, case when morning >= earliest then morning else morning + pg_temp.days(1) end as enrolled
    from mornings
)
select enrollment as n, pg_temp.key(enrolled, h_enrollment) as id, tenant_id, n as campaign,
       id as campaign_id, status as campaign_status, finished, stopped, over,
       lead, lead_id, dead, enrolled, 1000 + ((h_enrollment >> 32) & 65535) * 9 as lag,
       case when h_enrollment >> 50 & 1023 < 20
            then (array['no_account', 'daily_limit'])[1 + (h_enrollment >> 60 & 1)] end as held_for
from enrolled
where enrolled < enrolled_until;

-- What would become of each mail, and when; null: never. Half of the opens come within three hours.
create temp table plan_mails on commit drop as
with drawn as (
    select e.n * 16 + position as n, e.n as enrollment, e.id as enrollment_id, e.tenant_id, e.campaign, s.question,
           e.campaign_id, lead, lead_id, dead, over, lag, s.id as step_id, position, depth, path, kind, template, s.rank,
           case when depth = 1 then held_for end as held_for,
           enrolled + after + case when held_for is null then 0 else pg_temp.days(3) end + depth * lag as executed,
           case when depth = 1 then enrolled + after end as first_due,
           pg_temp.draw('mails', e.n * 16 + position, seed) as h
    from scale
    cross join plan_enrollments as e
    join plan_steps as s using (campaign)
    where enrolled + after + case when held_for is null then 0 else pg_temp.days(3) end + depth * lag < stopped - 900000
), sent as (
    select *, kind = 'action' and held_for is null as is_sent, executed + 1000 + ((h >> 10) & 1023) * 50 as reported
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
), outcomes as (
    select n, enrollment, enrollment_id, tenant_id, rank, campaign, campaign_id, lead, lead_id, step_id, position, depth,
           path, kind, template, question, h, coalesce(first_due, executed - lag) as due, executed, held_for,
           case when is_sent then executed end as sent,
           case when is_delivered then reported end as delivered,
           case when is_sent and dead then reported end as bounced,
           case when is_delivered and opened < over then opened end as opened,
           case when is_delivered and clicked < over then clicked end as clicked,
           case when is_delivered and left_at < over then left_by end as left_by,
           case when is_delivered and left_at < over and left_by is not null then left_at end as left_at
    from clicks
), asked as (
    -- The question is asked of the first mail; nobody whom it is asked of has replied.
    select *, bool_or(kind = 'condition') over mails as is_asked,
           max(opened) filter (where depth = 1) over mails as first_opened,
           max(clicked) filter (where depth = 1) over mails as first_clicked,
           max(executed) filter (where kind = 'condition') over mails as asked_at
    from outcomes
    window mails as (partition by enrollment)
), answered as (
    select *, case when not is_asked then 'all'
                   when first_opened <= asked_at
                    and case question when 1 then coalesce(first_clicked > asked_at, true)
                                      when 2 then first_opened > asked_at - pg_temp.days(2) else true end
                   then 'yes' else 'no' end as answer
    from asked
)
select *, case kind when 'condition' then answer else 'next' end as taken
from answered
where path in ('all', answer);

-- What first ends a lead's mails, in whichever campaign, ends them in all.
create temp table plan_departures on commit drop as
select distinct on (lead) lead, n as mail, coalesce(left_by, 'bounced') as status,
       coalesce(left_at, bounced) as at
from plan_mails
where coalesce(left_at, bounced) is not null
order by lead, coalesce(left_at, bounced), n;

create temp table plan_executions on commit drop as
select m.n, enrollment, enrollment_id, tenant_id, rank, campaign, campaign_id, lead, lead_id, step_id, position, depth, kind,
       template, taken, h, due, executed, held_for, sent, delivered, bounced, opened, clicked,
       case when m.n = mail then left_by end as left_by,
       case when m.n = mail then left_at end as left_at
from plan_mails as m
left join plan_departures using (lead)
where at is null or executed < at;

-- One in ten has a daily cap, which leaves room for its busiest day.
insert into campaigns.campaigns
    (tenant_id, id, name, status, time_zone, external_id, created_by, window_days, daily_cap, pause_reason,
     scheduled_at, started_at, finished_at, created_at, updated_at)
with days as (
    select campaign, max(mails) as most
    from (select campaign, count(*) as mails from plan_executions where sent is not null
          group by campaign, sent / pg_temp.days(1)) as day
    group by campaign
)
select c.tenant_id, c.id, pool.subject, c.status, c.time_zone,
       case when c.n % 3 = 0 then 'crm:' || c.n end, owner.id, '{1,2,3,4,5,6,7}',
       case when c.n % 10 = 6 then 50 * (1 + coalesce(most, 0) / 50) end,
       case c.status when 'paused' then 'Waiting for a new offer' end,
       pg_temp.at(c.scheduled), pg_temp.at(c.started), pg_temp.at(c.finished),
       pg_temp.at(c.created), pg_temp.at(c.updated)
from plan_campaigns as c
join plan_users as owner on owner.n = c.rank
join pool on pool.n = pg_temp.word(c.h >> 32)
left join days on days.campaign = c.n
order by c.created, c.n;

-- A parent before its children.
insert into campaigns.steps
    (tenant_id, id, campaign_id, position, kind, parent_id, branch, template_id, delay, created_at, updated_at)
select s.tenant_id, s.id, s.campaign_id, s.position, s.kind, parent.id, s.branch, s.template_id,
       make_interval(hours => s.hours::integer), pg_temp.at(s.made), pg_temp.at(s.made)
from plan_steps as s
left join plan_steps as parent on parent.campaign = s.campaign and parent.position = s.parent
order by s.campaign, s.position;

insert into campaigns.step_conditions (tenant_id, id, step_id, event_kind, negated, within_days)
select s.tenant_id, pg_temp.key(made, pg_temp.draw('conditions', s.campaign * 2 + asked.place, seed)), s.id,
       asked.event, asked.negated, asked.days
from scale, plan_steps as s
cross join lateral (values (0, 'opened', false, case question when 2 then 2 end),
                           (1, case question when 1 then 'clicked' when 2 then 'replied' end, true, null)
                   ) as asked (place, event, negated, days)
where s.kind = 'condition' and asked.event is not null
order by made, s.campaign, asked.place;

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

-- Two lists a tenant; every fifth lead is on both.
insert into campaigns.lists (tenant_id, id, name, created_at)
select tenant_id, pg_temp.key(at, pg_temp.draw('lists', rank * 2 + place, seed)),
       (array['Imported', 'Met in person'])[place + 1], pg_temp.at(at)
from scale
cross join (
    select t.rank, t.id as tenant_id, min(l.created) as at
    from plan_tenants as t
    join plan_leads as l on l.tenant_id = t.id
    group by t.rank, t.id
) as t
cross join generate_series(0, 1) as place
order by at, rank, place;

insert into campaigns.list_leads (tenant_id, list_id, lead_id, added_at)
select l.tenant_id, list.id, l.id, pg_temp.at(l.created)
from plan_leads as l
join campaigns.lists as list on list.tenant_id = l.tenant_id
where k % 5 = 0 or (k % 2 = 0) = (list.name = 'Imported')
order by l.created / pg_temp.days(1), l.tenant_id, l.n;

-- Who left is not written to again; a few others are not either, some for a month.
insert into campaigns.suppressions (tenant_id, id, email_norm, reason, expires_at, created_at)
select l.tenant_id, pg_temp.key(d.at, pg_temp.draw('suppressions', d.lead, seed)), stored.email_norm, d.status,
       null, pg_temp.at(d.at)
from scale
cross join plan_departures as d
join plan_leads as l on l.n = d.lead
join campaigns.leads as stored on stored.tenant_id = l.tenant_id and stored.id = l.id
where d.status <> 'replied'
union all
select t.id, pg_temp.key(at, h), 'never.' || k || '@' || t.host, 'manual',
       case when k % 2 = 0 then pg_temp.at(at + pg_temp.days(30)) end, pg_temp.at(at)
from scale
cross join plan_tenants as t
cross join generate_series(1, 4) as k
cross join lateral (select pg_temp.draw('manual suppressions', t.rank * 4 + k, seed) as h) as drawn
cross join lateral (select until - pg_temp.days(50 * pg_temp.share(h)) as at) as dated
where lead_count > 0 and at > t.created;

-- An enrollment stands at the step after the last that was executed; the last keeps it. What was due in a
-- paused campaign waits for it.
insert into campaigns.enrollments
    (tenant_id, id, campaign_id, lead_id, status, stop_reason, step_id, due_at, deferred_for, deferred_since,
     created_at, updated_at)
with progress as (
    select distinct on (enrollment) enrollment as n, position, depth, taken, executed
    from plan_executions
    order by enrollment, depth desc
), states as (
    select e.*, p.position, executed, d.at as departed, d.status as departure,
           coalesce(next.id, here.id) as step_id,
           coalesce(executed, enrolled) + next.hours * 3600000 as due,
           case when next.id is null then 'completed'
                when d.at is not null or campaign_status in ('cancelled', 'finished') then 'stopped'
                else 'active' end as status
    from plan_enrollments as e
    left join progress as p using (n)
    left join plan_departures as d using (lead)
    left join plan_steps as here on here.campaign = e.campaign and here.position = p.position
    left join plan_steps as next
        on next.campaign = e.campaign
       and (p.position is null and next.position = 1 or next.parent = p.position and next.branch = p.taken)
    where d.at is null or enrolled < d.at
), waiting as (
    select s.*, as_of, status = 'active' and campaign_status = 'paused' and due <= as_of as parked,
           status = 'active' and campaign_status = 'running' and held_for is not null and position is null
               and due <= as_of as held
    from scale, states as s
)
select tenant_id, id, campaign_id, lead_id, status,
       case when status = 'stopped' then coalesce(departure, campaign_status) end, step_id,
       case when parked then 'infinity' when held then pg_temp.at(as_of + lag * 6)
            when status = 'active' then pg_temp.at(due) end,
       case when parked then 'campaign_not_running' when held then held_for end,
       case when parked or held then pg_temp.at(due) end,
       pg_temp.at(enrolled),
       pg_temp.at(case when status = 'stopped' then least(departed, finished) else coalesce(executed, enrolled) end)
from waiting
order by enrolled / pg_temp.days(1), tenant_id, campaign_id, n;

-- One lead of each tenant asked to be erased; a tombstone is what is left.
insert into campaigns.leads (tenant_id, id, email, created_at, updated_at)
select distinct on (tenant_id) tenant_id, pg_temp.key(created, pg_temp.draw('erased', n, seed)),
       'erased@request.example', pg_temp.at(created), pg_temp.at(created)
from scale, plan_leads
order by tenant_id, n;

delete from campaigns.leads
where tenant_id in (select tenant_id from plan_leads) and email_norm = 'erased@request.example';
