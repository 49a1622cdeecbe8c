-- The slice: tenants of the run's own, named load:RUN, whose campaigns are under way. Their time is that of a
-- clock of the run's, which goes as fast as ours but stands before anything of the sample data is due: claims
-- look across tenants, and would take its steps too. teardown.sql removes them.

-- name: tables (administrator)
-- What scripts draw from by number, so that a tenant's share is its size.
create table scratch_load.senders (
    sender    integer primary key,  -- rank by size
    tenant_id uuid not null default public.uuid_generate_v7(),
    domain_id uuid not null default public.uuid_generate_v7(),
    template_id uuid not null default public.uuid_generate_v7(),
    campaigns integer not null,
    leads     integer not null
);
create table scratch_load.campaigns (
    campaign    integer primary key,
    sender      integer not null,
    place       integer not null,   -- within its sender, from 0
    campaign_id uuid not null default public.uuid_generate_v7()
);
create table scratch_load.people (
    person        integer primary key,
    sender        integer not null,
    campaign      integer not null,
    lead_id       uuid not null default public.uuid_generate_v7(),
    enrollment_id uuid not null default public.uuid_generate_v7(),
    draw          integer not null  -- 0 to 99
);
create table scratch_load.sequence (
    position integer primary key,
    kind     text not null,
    parent   integer,
    branch   text not null,
    delay    interval not null
);
create table scratch_load.steps (
    campaign integer,
    position integer,
    step_id  uuid not null default public.uuid_generate_v7(),
    primary key (campaign, position)
);

-- What workers note beside the work, for the invariants: what they claimed, and what became of it. Before
-- ended nobody else sees it.
create sequence scratch_load.turns;
create unlogged table scratch_load.claims (
    turn          bigint,
    place         integer,
    tenant_id     uuid not null,
    enrollment_id uuid not null,
    step_id       uuid not null,
    due_at        timestamptz not null,
    claimed_at    timestamptz not null,
    primary key (turn, place)
);
create unlogged table scratch_load.executions (
    turn    bigint not null,
    place   integer not null,
    began   timestamptz not null,
    outcome text not null,
    ended   timestamptz not null  -- after outcome: columns are computed in this order
);
-- Who begins after seen_at knows that the campaign (since since) is paused, or the lead gone.
create unlogged table scratch_load.witnessed (
    what    text not null,
    id      uuid not null,
    since   timestamptz not null,
    seen_at timestamptz not null
);
create unlogged table scratch_load.readings (at timestamptz not null);
grant select, insert, update on all tables in schema scratch_load to lab_platform;
grant usage on sequence scratch_load.turns to lab_platform;
grant select on scratch_load.senders, scratch_load.campaigns, scratch_load.people, scratch_load.steps to lab_app;
grant insert on scratch_load.witnessed to lab_app;

-- name: clock (administrator)
create function scratch_load.start() returns timestamptz language sql immutable return timestamptz '2024-01-01 10:00:00+00';
-- It stands still while the slice is made.
create function scratch_load.clock() returns timestamptz language sql volatile return scratch_load.start();

-- name: functions (administrator)
-- Short ways from a number to what a script needs; planned into its statements.
create function scratch_load.sender_of(person integer) returns uuid language sql stable
    return (select s.tenant_id from scratch_load.people p join scratch_load.senders s using (sender) where p.person = $1);
create function scratch_load.lead(person integer) returns uuid language sql stable
    return (select p.lead_id from scratch_load.people p where p.person = $1);
create function scratch_load.tenant_of(campaign integer) returns uuid language sql stable
    return (select s.tenant_id from scratch_load.campaigns c join scratch_load.senders s using (sender) where c.campaign = $1);
create function scratch_load.campaign_id(campaign integer) returns uuid language sql stable
    return (select c.campaign_id from scratch_load.campaigns c where c.campaign = $1);

-- One step of those that a turn has claimed, in a transaction of its own.
create function scratch_load.execute(turn bigint, place integer) returns void
    language sql
begin atomic
    insert into scratch_load.executions (turn, place, began, outcome, ended)
    select c.turn, c.place, now.at, campaigns.execute_step(c.tenant_id, c.enrollment_id, now.at), scratch_load.clock()
    from scratch_load.claims c, scratch_load.clock() as now (at)
    where c.turn = execute.turn and c.place = execute.place;
end;

-- What became of the last mail that a person was sent, if any was.
create function scratch_load.report(person integer, kind text) returns uuid
    language plpgsql
as $$
declare
    mail record;
begin
    select x.tenant_id, e.campaign_id, e.lead_id, x.step_id into mail
    from scratch_load.people p
    join scratch_load.senders s using (sender)
    join campaigns.step_executions x on x.tenant_id = s.tenant_id and x.enrollment_id = p.enrollment_id
    join campaigns.enrollments e on e.tenant_id = s.tenant_id and e.id = p.enrollment_id
    where p.person = report.person and x.status = 'sent'
    order by x.executed_at desc limit 1;
    return case when found then campaigns.record_event(
        mail.tenant_id, mail.campaign_id, mail.lead_id, mail.step_id, kind, scratch_load.clock()) end;
end
$$;

-- The other way; what a campaign cannot do now (it was paused for its bounces, say) is no failure.
create function scratch_load.pause_or_start(campaign integer) returns text
    language plpgsql
as $$
declare
    tenant constant uuid := scratch_load.tenant_of(campaign);
    chosen constant uuid := scratch_load.campaign_id(campaign);
    found_status text;
begin
    select c.status into found_status from campaigns.campaigns c
    where c.tenant_id = tenant and c.id = chosen for no key update;
    if found_status = 'running' then
        perform campaigns.pause_campaign(tenant, chosen, 'load', scratch_load.clock());
    else
        perform campaigns.start_campaign(tenant, chosen, scratch_load.clock());
    end if;
    return found_status;
end
$$;

-- name: sizes
-- By Zipf's law: the first k of n have a share of log(k) / log(n); everyone has one.
insert into scratch_load.senders (sender, campaigns, leads)
select sender, count(*), 0
from generate_series(1, %(campaigns)s) as n
cross join lateral (select case
    when n <= %(senders)s then n
    else ceil(%(senders)s ^ ((n - %(senders)s) / (%(campaigns)s - %(senders)s + 1.0)))
end::integer) as drawn (sender)
group by sender;

-- name: campaigns
insert into scratch_load.campaigns (campaign, sender, place)
select row_number() over (order by sender, place), sender, place
from scratch_load.senders, generate_series(0, campaigns - 1) as place;

-- name: people
-- As many in each campaign, one more in the first ones.
insert into scratch_load.people (person, sender, campaign, draw)
select n, c.sender, c.campaign, abs(mod(hashint4(n), 100))
from generate_series(1, %(leads)s) as n
join scratch_load.campaigns c on c.campaign = 1 + mod(n - 1, %(campaigns)s);
update scratch_load.senders s
set leads = counted.leads
from (select sender, count(*) as leads from scratch_load.people group by sender) as counted
where counted.sender = s.sender;

-- name: sequence
-- A mail; who opened it gets a second one, and a third if that was clicked and not answered; who did not is
-- reminded once.
insert into scratch_load.sequence (position, kind, parent, branch, delay) values
    (1, 'action',    null, 'next', '0'),
    (2, 'condition', 1,    'next', '2 seconds'),
    (3, 'wait',      2,    'yes',  '1 second'),
    (4, 'action',    3,    'next', '1 second'),
    (5, 'condition', 4,    'next', '2 seconds'),
    (6, 'action',    5,    'yes',  '1 second'),
    (7, 'wait',      5,    'no',   '1 second'),
    (8, 'action',    2,    'no',   '1 second');
insert into scratch_load.steps (campaign, position)
select campaign, position from scratch_load.campaigns, scratch_load.sequence;

-- name: analyze_scratch (administrator)
analyze scratch_load.senders, scratch_load.campaigns, scratch_load.people, scratch_load.steps;

-- name: tenants
insert into public.tenants (id, name, status) select tenant_id, 'load:' || %(run_id)s, 'active' from scratch_load.senders;

-- name: subscriptions
-- A few have little left this month, and are refused.
select billing.create_subscription(tenant_id, 'scale', at => scratch_load.start() - interval '1 day') from scratch_load.senders;
select billing.set_override(tenant_id, 'campaigns', null, 'A load run.', at => scratch_load.start() - interval '1 day')
from scratch_load.senders where campaigns > 400;
select billing.set_override(tenant_id, 'emails_per_month', leads / 10, 'A load run.', at => scratch_load.start() - interval '1 day')
from scratch_load.senders where mod(sender, 11) = 10;
select billing.consume_limit(tenant_id, 'campaigns', campaigns, scratch_load.clock()),
       billing.consume_limit(tenant_id, 'leads', leads, scratch_load.clock())
from scratch_load.senders;

-- name: accounts
-- Most may send at any time. Some have a gap to keep, some a cap that they meet.
insert into infrastructure.domains (tenant_id, id, name, status, dkim_public_key, next_check_at, verified_at)
select tenant_id, domain_id, 'load-' || domain_id || '.example', 'verified', 'load', 'infinity', scratch_load.clock()
from scratch_load.senders;
insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
select 'load-' || domain_id || '.example', tenant_id, domain_id, scratch_load.clock() from scratch_load.senders;
insert into infrastructure.email_accounts (tenant_id, domain_id, address, provider, daily_cap, minimum_gap, allowance, period_ends_at)
select tenant_id, domain_id, 'box' || n || '@load-' || domain_id || '.example', 'google',
       case when mod(sender, 7) = 6 then 20 else 100000 end,
       case when mod(sender, 5) = 4 then interval '50 milliseconds' else '0' end,
       case when mod(sender, 7) = 6 then 20 else 100000 end, scratch_load.start() + interval '14 hours'
from scratch_load.senders, generate_series(1, 3 + leads / 100) as n;
insert into campaigns.templates (tenant_id, id, name, status) select tenant_id, template_id, 'Load run', 'active' from scratch_load.senders;
insert into campaigns.template_versions (tenant_id, template_id, version, subject, storage_key)
select tenant_id, template_id, 1, 'Load run', 'templates/' || template_id from scratch_load.senders;

-- name: built_campaigns
insert into campaigns.campaigns (tenant_id, id, name, status, external_id, window_start, window_end, window_days, daily_cap,
                                 started_at, created_at, updated_at)
select tenant_id, campaign_id, 'Load run', 'running', 'load:' || %(run_id)s || ' ' || campaign, '00:00', '24:00',
       '{1,2,3,4,5,6,7}', case when mod(campaign, 10) = 9 then 1 + mod(campaign, 3) end, at - interval '4 days', at - interval '5 days',
       at - interval '4 days'
from scratch_load.campaigns join scratch_load.senders using (sender), scratch_load.clock() as at;
insert into campaigns.steps (tenant_id, id, campaign_id, position, kind, parent_id, branch, template_id, delay)
select n.tenant_id, s.step_id, c.campaign_id, q.position, q.kind, up.step_id, q.branch,
       case when q.kind = 'action' then n.template_id end, q.delay
from scratch_load.steps s
join scratch_load.sequence q using (position)
join scratch_load.campaigns c using (campaign)
join scratch_load.senders n using (sender)
left join scratch_load.steps up on up.campaign = s.campaign and up.position = q.parent
order by s.campaign, s.position;
insert into campaigns.step_conditions (tenant_id, step_id, event_kind, negated, within_days)
select n.tenant_id, s.step_id, asked.kind, asked.negated, asked.days
from (values (2, 'opened', false, 7), (5, 'clicked', false, null), (5, 'replied', true, null))
    as asked (position, kind, negated, days)
join scratch_load.steps s using (position)
join scratch_load.campaigns c using (campaign)
join scratch_load.senders n using (sender);

-- name: leads
-- Three in five have had the first mail, two days ago; of those half opened it, and some clicked.
insert into campaigns.leads (tenant_id, id, email, first_name, last_name, status)
select tenant_id, lead_id, 'Lead' || person || '@load.example', 'Load', 'Lead' || person,
       case when draw < 30 then 'engaged' when draw < 60 then 'contacted' else 'new' end
from scratch_load.people join scratch_load.senders using (sender)
order by person;

-- name: suppressed_leads
-- Bounced elsewhere, say, and still enrolled: their step is due, and must not be sent.
insert into campaigns.suppressions (tenant_id, email_norm, reason, created_at)
select tenant_id, 'lead' || person || '@load.example', 'manual', scratch_load.start() - interval '1 day'
from scratch_load.people join scratch_load.senders using (sender)
where draw = 99;
insert into scratch_load.witnessed (what, id, since, seen_at)
select 'gone', lead_id, scratch_load.clock(), scratch_load.clock() from scratch_load.people where draw = 99;

-- name: enrollments
-- In an order of their own (not that of their numbers) they fall due at a steady rate, the rest together.
insert into campaigns.enrollments (tenant_id, id, campaign_id, lead_id, step_id, due_at)
select n.tenant_id, p.enrollment_id, c.campaign_id, p.lead_id, s.step_id,
       scratch_load.start() + make_interval(secs =>
           least((row_number() over (order by hashint4(p.person), p.person))::float8 / %(enrolled_a_second)s, %(burst_after)s))
from scratch_load.people p
join scratch_load.senders n using (sender)
join scratch_load.campaigns c on c.campaign = p.campaign
join scratch_load.steps s on s.campaign = p.campaign and s.position = case when p.draw < 60 then 2 else 1 end
order by p.person;

-- name: history
create temp table mails as
select n.tenant_id, p.enrollment_id, c.campaign_id, p.lead_id, s.step_id, p.draw, n.template_id,
       a.ids[1 + mod(p.person, cardinality(a.ids))] as email_account_id, scratch_load.start() - interval '2 days' as at
from scratch_load.people p
join scratch_load.senders n using (sender)
join scratch_load.campaigns c on c.campaign = p.campaign
join scratch_load.steps s on s.campaign = p.campaign and s.position = 1
join (select tenant_id, array_agg(id order by id) as ids from infrastructure.email_accounts group by tenant_id) as a
    on a.tenant_id = n.tenant_id
where p.draw < 60;
insert into campaigns.step_executions (tenant_id, enrollment_id, step_id, status, template_version_id, email_account_id, due_at, executed_at)
select m.tenant_id, m.enrollment_id, m.step_id, 'sent', v.id, m.email_account_id, m.at, m.at
from mails m join campaigns.template_versions v on v.tenant_id = m.tenant_id and v.template_id = m.template_id;
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
select m.tenant_id, m.campaign_id, m.lead_id, m.step_id, m.email_account_id, happened.kind, m.at + happened.after
from mails m
join (values (60, 'sent', interval '0'), (30, 'opened', '3 hours'), (10, 'clicked', '4 hours'))
    as happened (below, kind, after) on m.draw < happened.below;
insert into infrastructure.daily_sends (tenant_id, email_account_id, day, sent)
select tenant_id, email_account_id, (at at time zone 'UTC')::date, count(*)
from mails group by tenant_id, email_account_id, at;
insert into campaigns.counters (tenant_id, campaign_id, kind, slot, total)
select e.tenant_id, e.campaign_id, e.kind, 0, count(*)
from scratch_load.campaigns c
join scratch_load.senders n using (sender)
join campaigns.events e on e.tenant_id = n.tenant_id and e.campaign_id = c.campaign_id
group by e.tenant_id, e.campaign_id, e.kind;

-- name: statistics (administrator)
vacuum (analyze) campaigns.campaigns, campaigns.steps, campaigns.leads, campaigns.enrollments, campaigns.events,
    campaigns.step_executions, campaigns.counters, public.tenants, infrastructure.email_accounts, billing.usage_counters;

-- name: clock_starts (administrator)
do $$
begin
    execute format(
        'create or replace function scratch_load.clock() returns timestamptz language sql volatile '
        'return scratch_load.start() + (clock_timestamp() - %L)', clock_timestamp());
end
$$;
