-- What was executed and what came of it, now that the accounts that sent it are known.

insert into campaigns.step_executions
    (tenant_id, id, enrollment_id, step_id, status, skip_reason, branch, template_version_id, email_account_id,
     due_at, executed_at)
select x.tenant_id, pg_temp.key(x.executed, pg_temp.draw('executions', x.n, seed)), x.enrollment_id, x.step_id,
       case when x.sent is not null then 'sent' when x.held_for is not null then 'skipped' else 'passed' end,
       x.held_for, x.taken, v.id, s.email_account_id, pg_temp.at(x.due), pg_temp.at(x.executed)
from scale
cross join plan_executions as x
left join plan_sends as s on s.n = x.n
left join plan_versions as v
    on x.sent is not null and v.rank = x.rank and v.k = x.template and v.at <= x.executed and v.until > x.executed
order by x.executed / pg_temp.days(1), x.tenant_id, x.enrollment_id, x.n;

insert into campaigns.events (tenant_id, id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
select x.tenant_id, pg_temp.key(e.at, pg_temp.draw('events', x.n * 8 + place, seed)),
       campaign_id, lead_id, step_id, s.email_account_id, e.kind, pg_temp.at(e.at)
from scale
cross join plan_executions as x
join plan_sends as s on s.n = x.n
cross join lateral (values (0, 'sent', x.sent), (1, 'delivered', delivered), (2, 'bounced', x.bounced),
                           (3, 'opened', opened), (4, 'clicked', clicked), (5, left_by, left_at)
                   ) as e (place, kind, at)
where e.at is not null
order by e.at / pg_temp.days(1), x.tenant_id, campaign_id, lead_id, e.at, place;

insert into campaigns.counters (tenant_id, campaign_id, kind, slot, total)
select tenant_id, campaign_id, kind, 0, count(*)
from campaigns.events
group by tenant_id, campaign_id, kind;

insert into campaigns.daily_sends (tenant_id, campaign_id, day, sent)
select x.tenant_id, x.campaign_id, (executed_at at time zone 'UTC')::date, count(*)
from campaigns.campaigns as c
join plan_executions as p on p.tenant_id = c.tenant_id and p.campaign_id = c.id and p.sent is not null
cross join lateral (select p.tenant_id, p.campaign_id, pg_temp.at(p.sent) as executed_at) as x
where c.daily_cap is not null
group by 1, 2, 3
order by 3, 1, 2;
