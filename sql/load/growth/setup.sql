-- A database to grow: the schema, and these tenants with as many leads each. A few things are due, everything
-- else is still to come, however much there is: who looks for what is due should not notice the rest.

-- name: numbers (administrator)
-- Dropped with the database; what rows are made and calls are drawn from, by number.
create schema scratch_load;
create table scratch_load.senders (
    sender      integer primary key,
    tenant_id   uuid not null default public.uuid_generate_v7(),
    domain_id   uuid not null default public.uuid_generate_v7(),
    template_id uuid not null default public.uuid_generate_v7(),
    version_id  uuid not null default public.uuid_generate_v7(),
    users       uuid[] not null default array[public.uuid_generate_v7(), public.uuid_generate_v7()],
    accounts    uuid[] not null default array[public.uuid_generate_v7(), public.uuid_generate_v7(), public.uuid_generate_v7()]
);
insert into scratch_load.senders (sender) select generate_series(1, %(tenants)s);
create table scratch_load.campaigns (
    sender      integer,
    place       integer,
    campaign_id uuid not null default public.uuid_generate_v7(),
    steps       uuid[] not null default array[public.uuid_generate_v7(), public.uuid_generate_v7()],
    primary key (sender, place)
);
insert into scratch_load.campaigns (sender, place)
select sender, place from scratch_load.senders, generate_series(1, %(campaigns)s) as place;
create table scratch_load.people (
    sender        integer,
    person        integer,
    place         integer not null,   -- of the campaign
    lead_id       uuid not null default public.uuid_generate_v7(),
    enrollment_id uuid not null default public.uuid_generate_v7(),
    primary key (sender, person)
);
insert into scratch_load.people (sender, person, place)
select sender, person, 1 + mod(person, %(campaigns)s) from scratch_load.senders, generate_series(1, %(leads)s) as person
order by sender, person;
analyze scratch_load.senders, scratch_load.campaigns, scratch_load.people;
grant usage on schema scratch_load to lab_platform;
grant select on all tables in schema scratch_load to lab_platform;

-- name: tenants
insert into public.tenants (id, name, status) select tenant_id, 'Tenant ' || sender, 'active' from scratch_load.senders;
insert into configuration.tenant_settings (tenant_id, setting_key, value)
select tenant_id, 'campaigns.bounce_pause_permille', '50' from scratch_load.senders;
select configuration.create_flag('growth_flag', 'Half of the tenants, and some more.');
select configuration.set_rollout('growth_flag', 50);
insert into configuration.tenant_flag_overrides (tenant_id, flag_key, enabled)
select tenant_id, 'growth_flag', true from scratch_load.senders where mod(sender, 4) = 0;

-- name: members (administrator)
insert into users.users (id, name, email)
select u.id, 'User', 'user' || u.n || '@tenant-' || sender || '.example'
from scratch_load.senders, unnest(users) with ordinality as u (id, n);
insert into users.tenant_users (tenant_id, user_id, roles)
select tenant_id, unnest(users), '{owner}' from scratch_load.senders;
insert into auth.invites (tenant_id, identifier, token, created_by, expires)
select tenant_id, 'guest@tenant-' || sender || '.example', 'token ' || sender, users[1],
       now() + case when sender <= 5 then interval '-1 hour' else interval '7 days' end
from scratch_load.senders;
insert into auth.sessions (user_id, session_token, expires_at)
select u.id, 'session ' || u.n || ' ' || sender, now() + case when sender <= 5 then interval '-1 hour' else interval '30 days' end
from scratch_load.senders, unnest(users) with ordinality as u (id, n);

-- name: subscriptions
select billing.create_subscription(tenant_id, 'growth', 'month', 'card', false, now() - interval '10 days')
from scratch_load.senders;
select billing.consume_limit(tenant_id, 'campaigns', %(campaigns)s), billing.consume_limit(tenant_id, 'leads', %(leads)s),
       billing.consume_limit(tenant_id, 'emails_per_month', 1)
from scratch_load.senders;
select billing.link_customer(tenant_id, 'customer-' || sender) from scratch_load.senders;

-- name: paid (administrator)
-- Rows are laid down as they would be by now, without what would follow from each; likewise below.
set session_replication_role = replica;
update billing.subscriptions s
set status = 'active', mrr_cents = 9900,
    period_start = case when n.sender <= 5 then now() - interval '31 days' else s.period_start end,
    period_end = case when n.sender <= 5 then now() - interval '1 hour' else s.period_end end,
    anchor_at = case when n.sender <= 5 then now() - interval '31 days' - interval '1 hour' else s.anchor_at end
from scratch_load.senders n where s.tenant_id = n.tenant_id;
update billing.invoices v
set status = case when late or later then 'open' else 'paid' end, closed_at = case when not (late or later) then now() end,
    next_attempt_at = now() + case when late then interval '-1 hour' when later then interval '3 days' end
from scratch_load.senders n, lateral (select n.sender <= 5, mod(n.sender, 2) = 0) as state (late, later)
where v.tenant_id = n.tenant_id;
insert into billing.webhook_events (id, type, status, owner_tenant_id, payload, occurred_at, retry_at, processed_at, outcome)
select 'evt_' || sender || '_' || n, 'ping', case when late then 'pending' else 'processed' end, tenant_id,
       jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object('customer', 'customer-' || sender))),
       now() - interval '1 hour', now() - interval '1 hour', case when not late then now() end, case when not late then 'ignored' end
from scratch_load.senders, generate_series(1, 5) as n
cross join lateral (select sender <= 5 and n = 1) as state (late);

-- name: infrastructure (administrator)
set session_replication_role = replica;
insert into infrastructure.domains (tenant_id, id, name, status, dkim_public_key, next_check_at, verified_at)
select tenant_id, domain_id, 'tenant-' || sender || '.example', 'verified', 'key',
       now() + case when sender <= 5 then interval '-1 hour' else interval '1 day' end, now()
from scratch_load.senders;
insert into infrastructure.dns_records (tenant_id, domain_id, kind, type, host, expected)
select s.tenant_id, s.domain_id, r.kind, r.type, r.host, r.expected
from scratch_load.senders s
cross join lateral infrastructure.expected_dns_records('tenant-' || s.sender || '.example', 'selector', 'key') as r;
insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
select 'tenant-' || sender || '.example', tenant_id, domain_id, now() from scratch_load.senders;
insert into infrastructure.email_accounts
    (tenant_id, id, domain_id, address, provider, daily_cap, minimum_gap, allowance, period_ends_at)
select tenant_id, a.id, domain_id, 'box' || a.n || '@tenant-' || sender || '.example', 'google', 100000, '0', 100000,
       now() + interval '1 day'
from scratch_load.senders, unnest(accounts) with ordinality as a (id, n);
-- Fifty addresses a server; a tenant has one, and for every tenant one is free.
insert into infrastructure.vps_instances (name, provider, region, status)
select 'server-' || n, 'provider', 'region', 'active' from generate_series(0, (%(tenants)s - 1) / 25) as n;
insert into infrastructure.smtp_ips (vps_instance_id, address, status, owner_tenant_id)
select v.id, '10.0.0.0'::inet + 2 * sender + kind, case kind when 0 then 'available' else 'assigned' end,
       case kind when 1 then tenant_id end
from scratch_load.senders, generate_series(0, 1) as kind, infrastructure.vps_instances v
where v.name = 'server-' || (sender - 1) / 25;
insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at)
select id, owner_tenant_id, now() - interval '1 day' from infrastructure.smtp_ips where status = 'assigned';

-- name: campaigns (administrator)
-- A mail, and a second one a day after.
set session_replication_role = replica;
insert into campaigns.templates (tenant_id, id, name, status)
select tenant_id, template_id, 'Template', 'active' from scratch_load.senders;
insert into campaigns.template_versions (tenant_id, id, template_id, version, subject, storage_key)
select tenant_id, version_id, template_id, 1, 'Subject', 'templates/' || template_id from scratch_load.senders;
insert into campaigns.campaigns (tenant_id, id, name, status, window_start, window_end, window_days, started_at)
select tenant_id, campaign_id, 'Campaign ' || place, 'running', '00:00', '24:00', '{1,2,3,4,5,6,7}', now() - interval '2 days'
from scratch_load.campaigns join scratch_load.senders using (sender);
insert into campaigns.campaigns (tenant_id, name, status, scheduled_at)
select tenant_id, 'To come', 'scheduled', now() + interval '1 day' from scratch_load.senders;
insert into campaigns.steps (tenant_id, id, campaign_id, position, parent_id, template_id, delay)
select tenant_id, steps[position], campaign_id, position, case position when 2 then steps[1] end, template_id,
       case position when 2 then interval '1 day' else '0' end
from scratch_load.campaigns join scratch_load.senders using (sender), generate_series(1, 2) as position;

-- name: leads (administrator)
-- Of five two are still to get the first mail, which is due, and have been due for years in five cases; the
-- others wait for the second. Of ten one is suppressed, for a time that has run out in five cases.
set session_replication_role = replica;
insert into campaigns.leads (tenant_id, id, email, first_name, last_name, status)
select tenant_id, lead_id, 'Lead' || person || '@tenant-' || sender || '.example', 'Lead', 'Of ' || sender,
       case when mod(person, 5) < 2 then 'new' else 'contacted' end
from scratch_load.people join scratch_load.senders using (sender) order by sender, person;
insert into campaigns.suppressions (tenant_id, email_norm, reason, expires_at)
select tenant_id, 'gone' || person || '@tenant-' || sender || '.example', 'manual',
       now() + case when sender <= 5 and person = 10 then interval '-1 hour' else interval '1 year' end
from scratch_load.people join scratch_load.senders using (sender) where mod(person, 10) = 0;
insert into campaigns.enrollments (tenant_id, id, campaign_id, lead_id, step_id, due_at)
select s.tenant_id, p.enrollment_id, c.campaign_id, p.lead_id, c.steps[case when mod(person, 5) < 2 then 1 else 2 end],
       case when mod(person, 5) >= 2 then now() + interval '1 day'
            when person = 1 and sender <= 5 then '2000-01-01' else now() - interval '1 hour' end
from scratch_load.people p join scratch_load.senders s using (sender) join scratch_load.campaigns c using (sender, place)
order by sender, person;
insert into campaigns.step_executions (tenant_id, enrollment_id, step_id, status, template_version_id, email_account_id, due_at, executed_at)
select s.tenant_id, p.enrollment_id, c.steps[1], 'sent', s.version_id, s.accounts[1], now() - interval '1 day', now() - interval '1 day'
from scratch_load.people p join scratch_load.senders s using (sender) join scratch_load.campaigns c using (sender, place)
where mod(person, 5) >= 2 order by sender, person;
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
select s.tenant_id, c.campaign_id, p.lead_id, c.steps[1], s.accounts[1], happened.kind, now() - happened.ago
from scratch_load.people p join scratch_load.senders s using (sender) join scratch_load.campaigns c using (sender, place)
join (values ('sent', 2, interval '1 day'), ('opened', 3, '20 hours')) as happened (kind, over, ago) on mod(person, 5) >= over
order by sender, person;
insert into campaigns.counters (tenant_id, campaign_id, kind, slot, total)
select tenant_id, campaign_id, kind, 0, count(*) from campaigns.events group by tenant_id, campaign_id, kind;
insert into integration.notifications (tenant_id, user_id, kind, channel, status, next_attempt_at, delivered_at)
select tenant_id, users[1], 'campaign.auto_paused', 'email', case when waits then 'pending' else 'delivered' end,
       case when waits then now() + case when sender <= 5 then interval '-1 hour' else interval '1 day' end end,
       case when not waits then now() end
from scratch_load.senders, generate_series(1, 5) as n
cross join lateral (select n = 1) as state (waits);

-- name: settle (administrator)
vacuum (analyze);

-- name: checkpoint (administrator)
checkpoint;
