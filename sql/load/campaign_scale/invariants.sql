-- What holds after the arms, of the run's own tenants; each row is a violation.

-- name: executed_once
select 'a step was executed twice', x.tenant_id, x.enrollment_id, x.step_id, x.rotation, count(*)
from scratch_load.senders s
join campaigns.step_executions x using (tenant_id)
group by x.tenant_id, x.enrollment_id, x.step_id, x.rotation
having count(*) > 1;

-- name: sent_once
-- An event for each mail, and no other.
select 'mails sent and events of it differ', tenant_id, lead_id, step_id, sum(executions), sum(events)
from (
    select x.tenant_id, e.lead_id, x.step_id, 1 as executions, 0 as events
    from scratch_load.senders s
    join campaigns.step_executions x using (tenant_id)
    join campaigns.enrollments e on e.tenant_id = x.tenant_id and e.id = x.enrollment_id
    where x.status = 'sent'
    union all
    select v.tenant_id, v.lead_id, v.step_id, 0, 1
    from scratch_load.senders s
    join campaigns.events v using (tenant_id)
    where v.kind = 'sent'
) as told
group by tenant_id, lead_id, step_id
having sum(executions) <> sum(events);

-- name: claimed_by_one
-- Within a lease nobody else gets the same step; when it is due again, it is due at another time.
select 'a step was claimed by two', tenant_id, enrollment_id, step_id, turn, next_turn
from (
    select c.*, lead(turn) over same as next_turn, lead(claimed_at) over same as again
    from scratch_load.claims c
    window same as (partition by tenant_id, enrollment_id, step_id, due_at order by claimed_at)
) as claims
where again < claimed_at + interval '5 minutes';

-- name: executed_as_claimed
select 'a step was sent or passed that nobody claimed', x.tenant_id, x.enrollment_id, x.step_id, x.executed_at
from scratch_load.senders s
join campaigns.step_executions x using (tenant_id)
where x.executed_at >= scratch_load.start() and not exists (
    select from scratch_load.claims c
    join scratch_load.executions done using (turn, place)
    where c.tenant_id = x.tenant_id and c.enrollment_id = x.enrollment_id and c.step_id = x.step_id
        and done.began = x.executed_at);

-- name: sent_to_the_gone
-- Who had unsubscribed, bounced, complained or been suppressed before the step began, as anybody could see.
select 'a mail was sent to a lead that was gone', c.tenant_id, e.lead_id, c.step_id, w.seen_at, x.began
from scratch_load.executions x
join scratch_load.claims c using (turn, place)
join campaigns.enrollments e on e.tenant_id = c.tenant_id and e.id = c.enrollment_id
join (
    select id, min(seen_at) as seen_at from scratch_load.witnessed where what = 'gone' group by id
) as w on w.id = e.lead_id
where x.outcome = 'sent' and x.began > w.seen_at;

-- name: executed_while_paused
-- Begun after everybody could see the pause, and ended before anybody began to start the campaign again.
select 'a step of a paused campaign was executed', c.tenant_id, e.campaign_id, c.step_id, w.seen_at, x.began
from scratch_load.executions x
join scratch_load.claims c using (turn, place)
join campaigns.enrollments e on e.tenant_id = c.tenant_id and e.id = c.enrollment_id
join scratch_load.witnessed w on w.id = e.campaign_id
cross join lateral (
    select coalesce(min(o.created_at), 'infinity') as at
    from integration.outbox o
    where o.tenant_id = c.tenant_id and o.topic in ('campaign.started', 'campaign.resumed') and o.created_at > w.since
        and o.payload ->> 'campaign_id' = w.id::text
) as started
where w.what = 'paused' and x.outcome in ('sent', 'passed') and x.began > w.seen_at and x.ended < started.at;

-- name: executed_before_due
select 'a step was executed before it was due', c.tenant_id, c.enrollment_id, c.step_id, c.due_at, x.began
from scratch_load.executions x
join scratch_load.claims c using (turn, place)
where x.outcome not in ('not_active', 'not_due') and x.began < c.due_at;

-- name: counters_equal_events
select 'the counter of a campaign differs from its events', tenant_id, campaign_id, kind, sum(counted), sum(happened)
from (
    select t.tenant_id, t.campaign_id, t.kind, t.total as counted, 0 as happened
    from scratch_load.senders s join campaigns.counters t using (tenant_id)
    union all
    select e.tenant_id, e.campaign_id, e.kind, 0, 1
    from scratch_load.senders s join campaigns.events e using (tenant_id)
) as both_ways
group by tenant_id, campaign_id, kind
having sum(counted) <> sum(happened);

-- name: account_sends_equal_events
select 'the daily sends of an account differ from its events', tenant_id, email_account_id, sum(counted), sum(happened)
from (
    select d.tenant_id, d.email_account_id, d.sent as counted, 0 as happened
    from scratch_load.senders s join infrastructure.daily_sends d using (tenant_id)
    union all
    select e.tenant_id, e.email_account_id, 0, 1
    from scratch_load.senders s join campaigns.events e using (tenant_id)
    where e.kind = 'sent'
) as both_ways
group by tenant_id, email_account_id
having sum(counted) <> sum(happened);

-- name: quota_equals_events
select 'mails used of the plan differ from those sent', s.tenant_id, coalesce(u.used, 0), sent.mails
from scratch_load.senders s
cross join lateral (
    select count(*) as mails from campaigns.events e
    where e.tenant_id = s.tenant_id and e.kind = 'sent' and e.occurred_at >= scratch_load.start()
) as sent
left join billing.usage_counters u on u.tenant_id = s.tenant_id and u.feature_key = 'emails_per_month'
where coalesce(u.used, 0) <> sent.mails;

-- name: quota_kept
select 'more was used than the plan grants', u.tenant_id, u.feature_key, u.used, u.maximum
from scratch_load.senders s
join billing.usage_counters u using (tenant_id)
where u.used > u.maximum;

-- name: daily_cap_kept
select 'a campaign sent more in a day than its cap', c.tenant_id, c.id, c.daily_cap, count(*)
from scratch_load.senders s
join campaigns.campaigns c using (tenant_id)
join campaigns.events e on e.tenant_id = c.tenant_id and e.campaign_id = c.id
where e.kind = 'sent' and e.occurred_at >= scratch_load.start()
group by c.tenant_id, c.id, c.daily_cap, (e.occurred_at at time zone 'UTC')::date
having count(*) > c.daily_cap;

-- name: account_cap_kept
select 'an account sent more in a day than its cap', a.tenant_id, a.id, a.daily_cap, count(*)
from scratch_load.senders s
join infrastructure.email_accounts a using (tenant_id)
join campaigns.step_executions x on x.tenant_id = a.tenant_id and x.email_account_id = a.id
where x.status = 'sent' and x.executed_at >= scratch_load.start()
group by a.tenant_id, a.id, a.daily_cap, (x.executed_at at time zone 'UTC')::date
having count(*) > a.daily_cap;

-- name: gap_kept
select 'an account sent within its gap', tenant_id, email_account_id, minimum_gap, before, executed_at
from (
    select x.tenant_id, x.email_account_id, a.minimum_gap, x.executed_at,
           lag(x.executed_at) over (partition by x.tenant_id, x.email_account_id order by x.executed_at) as before
    from scratch_load.senders s
    join infrastructure.email_accounts a using (tenant_id)
    join campaigns.step_executions x on x.tenant_id = a.tenant_id and x.email_account_id = a.id
    where x.status = 'sent' and x.executed_at >= scratch_load.start()
) as sends
where executed_at < before + minimum_gap;

-- name: gone_are_stopped
select 'a lead that is gone is still on its way', l.tenant_id, e.campaign_id, l.id, l.status
from scratch_load.people p  -- who was enrolled before; who is enrolled meanwhile is stopped when a step is due
join scratch_load.senders s using (sender)
join campaigns.leads l on l.tenant_id = s.tenant_id and l.id = p.lead_id
join campaigns.enrollments e on e.tenant_id = s.tenant_id and e.id = p.enrollment_id
where l.status in ('unsubscribed', 'bounced', 'complained') and e.status = 'active';

-- name: on_the_way
-- The step that an enrollment is at, not executed yet, hangs on the last one that was, by the branch it took.
select 'an enrollment is not where its last step led', e.tenant_id, e.id, e.step_id, last.step_id, last.branch
from scratch_load.senders s
join campaigns.enrollments e using (tenant_id)
join campaigns.steps now on now.tenant_id = e.tenant_id and now.id = e.step_id
left join lateral (
    select x.step_id, x.branch from campaigns.step_executions x
    where x.tenant_id = e.tenant_id and x.enrollment_id = e.id and x.rotation = e.rotation
    order by x.executed_at desc limit 1
) as last on true
where e.status = 'active' and (now.parent_id, case when now.parent_id is not null then now.branch end)
    is distinct from (last.step_id, last.branch);

-- name: branched_as_conditions_hold
-- Yes only when what it asks had happened, no only when it had not: of the sequence's first condition (opened).
select 'a condition went the wrong way', x.tenant_id, x.enrollment_id, x.step_id, x.branch, opened.at
from scratch_load.people p
join scratch_load.senders s using (sender)
join scratch_load.steps asks on asks.campaign = p.campaign and asks.position = 2
join campaigns.step_executions x on x.tenant_id = s.tenant_id and x.enrollment_id = p.enrollment_id and x.step_id = asks.step_id
join scratch_load.campaigns c on c.campaign = p.campaign
left join lateral (
    select min(v.occurred_at) as at from campaigns.events v
    where v.tenant_id = s.tenant_id and v.campaign_id = c.campaign_id and v.lead_id = p.lead_id and v.kind = 'opened'
) as opened on true
where x.branch = 'yes' and coalesce(opened.at > x.executed_at, true)
    or x.branch = 'no' and opened.at < x.executed_at - interval '5 seconds';  -- one that was being reported
