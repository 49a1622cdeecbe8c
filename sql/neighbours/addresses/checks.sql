-- What must hold after the trial; each query returns the rows that break it.

-- name: over_cap
-- By the days on which mail was sent, anew after 30 without: no address sent more than its step, which a curve by
-- the hour allows in each of the two hours in which the trial sends.
with sent as (
    select s.smtp_ip_id, s.day, sum(s.sent) as mails
    from infrastructure.daily_sends s
    where s.day >= (%(began)s at time zone 'UTC')::date and s.sent > 0
      and not exists (select from trial.cases c where c.smtp_ip_id = s.smtp_ip_id)
    group by 1, 2
), numbered as (
    select s.*, w.warmup_curve, w.daily_cap,
           row_number() over (partition by s.smtp_ip_id order by s.day) - 1
           + case when w.last_sent_at > min(s.day) over (partition by s.smtp_ip_id)::timestamp at time zone 'UTC'
                                        + interval '9 hours' - interval '30 days'
                  then w.warmup_day + 1 else 0 end as place
    from sent s join trial.warmth w using (smtp_ip_id)
)
select n.smtp_ip_id, n.day, n.mails, least(step.allowance, n.daily_cap) * case step.period when 'hour' then 2 else 1 end as allowed
from numbered n
left join infrastructure.warmup_steps step on step.curve = n.warmup_curve and step.day = n.place
where n.mails > least(step.allowance, n.daily_cap) * case step.period when 'hour' then 2 else 1 end
union all
select i.id, null, i.sent_in_period, i.allowance from infrastructure.smtp_ips i where i.sent_in_period > i.allowance

-- name: two_owners
select a.smtp_ip_id, a.owner_tenant_id as owner, b.owner_tenant_id as other
from infrastructure.ip_assignments a
join infrastructure.ip_assignments b on b.smtp_ip_id = a.smtp_ip_id and b.id > a.id
 and tstzrange(a.assigned_at, a.released_at) && tstzrange(b.assigned_at, b.released_at)
union all
select i.id, i.owner_tenant_id, a.owner_tenant_id
from infrastructure.smtp_ips i
left join infrastructure.ip_assignments a on a.smtp_ip_id = i.id and a.released_at is null
where i.owner_tenant_id is distinct from a.owner_tenant_id
union all
select c.smtp_ip_id, null, null from trial.contested c group by c.smtp_ip_id having count(c.winner) <> 1
union all
select s.smtp_ip_id, s.tenant_id, null
from infrastructure.daily_sends s
where s.day >= (%(began)s at time zone 'UTC')::date and s.smtp_ip_id is not null
  and not exists (select from infrastructure.ip_assignments a
                  where a.smtp_ip_id = s.smtp_ip_id and a.owner_tenant_id = s.tenant_id)

-- name: wrong_band
-- As SES and Gmail draw the lines, then a band better after a clean week; and what the band lets through of twenty.
with judged as (
    select c.*, (select r.health from infrastructure.reputation_samples r
                 where r.subject_id = c.smtp_ip_id and r.sampled_at = %(judged)s) as band,
           (select r.health from infrastructure.reputation_samples r
            where r.subject_id = c.smtp_ip_id and r.sampled_at = %(again)s) as later,
           (select coalesce(sum(s.sent), 0) from infrastructure.daily_sends s
            where s.smtp_ip_id = c.smtp_ip_id and s.day = (%(next)s at time zone 'UTC')::date) as mails
    from trial.cases c
)
select j.name, j.intended, j.band, j.recovers_to, j.later, j.mails
from judged j
join infrastructure.reputation_bands b on b.band = j.intended
where j.band is distinct from j.intended or j.later is distinct from j.recovers_to or j.mails <> 20 * b.volume_percent / 100

-- name: untold
-- Whose address failed has another, or was told why not, once; or it recovered before it was its turn.
select d.smtp_ip_id, d.cause, d.recovered, count(m.smtp_ip_id) as moves, count(m.replacement) as replaced, count(m.refusal) as refused
from trial.doomed d
left join trial.moves m on m.smtp_ip_id = d.smtp_ip_id and m.stage = 'storm'
 and m.refusal is distinct from 'not_assigned'
group by d.smtp_ip_id, d.cause, d.recovered
having count(m.smtp_ip_id) > 1 or count(m.smtp_ip_id) = 0 and not d.recovered
    or count(m.replacement) + count(m.refusal) <> count(m.smtp_ip_id)
union all
select m.replacement, 'the replacement was not the owner''s', null, null, null, null
from trial.moves m
join trial.doomed d using (smtp_ip_id)
where m.stage = 'storm' and m.replacement is not null and not exists (
    select from infrastructure.ip_assignments a where a.smtp_ip_id = m.replacement and a.owner_tenant_id = d.owner_id)

-- name: on_the_dead
-- Nobody was left on what is blocked, failed, drained or retired, and nothing was sent through what was listed.
select i.id as smtp_ip_id, i.health, v.status, null::bigint as mails
from infrastructure.smtp_ips i
join infrastructure.vps_instances v on v.id = i.vps_instance_id
where i.status = 'assigned' and (i.health = 'blocked' or v.status <> 'active')
union all
select d.smtp_ip_id, d.cause, null, sum(s.sent) - d.sent_before
from trial.doomed d
join infrastructure.daily_sends s on s.smtp_ip_id = d.smtp_ip_id and s.tenant_id = d.owner_id
where d.cause = 'blocklisted' and not d.recovered
group by d.smtp_ip_id, d.cause, d.sent_before
having sum(s.sent) > d.sent_before

-- name: left_behind
-- Who would send has an address while one is free; who was refused one in the race found none left.
select t.id as tenant_id, t.name
from public.tenants t
where t.status in ('created', 'active')
  and not exists (select from infrastructure.smtp_ips i where i.owner_tenant_id = t.id)
  and exists (select from infrastructure.email_accounts a
              join infrastructure.domains d on d.tenant_id = a.tenant_id and d.id = a.domain_id
              where a.tenant_id = t.id and a.provider = 'smtp' and a.status = 'active' and d.status = 'verified')
  and exists (select from infrastructure.smtp_ips i
              join infrastructure.vps_instances v on v.id = i.vps_instance_id
              where i.status = 'available' and i.health in ('healthy', 'watched') and v.status = 'active')
union all
select null, o.operation || ': ' || o.outcome || ' though one was free'
from trial.outcomes o where o.outcome = 'refused though free' and o.calls > 0

-- name: not_given_up
-- A domain that was decommissioned sends nothing more, and its tenant keeps no address for it.
select d.tenant_id, a.id as account_id, i.id as smtp_ip_id
from infrastructure.domains d
left join infrastructure.email_accounts a on a.tenant_id = d.tenant_id and a.domain_id = d.id and a.status <> 'closed'
left join infrastructure.smtp_ips i on i.owner_tenant_id = d.tenant_id
where d.status = 'decommissioned' and d.decommissioned_at >= %(began)s and num_nonnulls(a.id, i.id) > 0
union all
select null, null, i.id
from infrastructure.vps_instances v
join infrastructure.smtp_ips i on i.vps_instance_id = v.id and i.status <> 'retired'
where v.status = 'retired'
