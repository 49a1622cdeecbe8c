-- What the trial did, as one row of figures.

-- name: month
-- Mails of the addresses that were warmed up, and what they were allowed in the periods in which they sent.
select sum(s.sent)::bigint as mails, sum(s.address_allowance)::bigint as allowed, count(distinct s.smtp_ip_id) as warmed,
       count(distinct s.day) as days
from infrastructure.daily_sends s
where s.tenant_id = any (%(tenants)s) and s.day >= (%(began)s at time zone 'UTC')::date and s.day < (%(until)s at time zone 'UTC')::date

-- name: storm
select (select assigned from trial.before) as assigned, count(distinct d.smtp_ip_id) as doomed, count(distinct d.owner_id) as tenants_hit,
       count(distinct d.smtp_ip_id) filter (where d.recovered) as recovered,
       count(m.replacement) as replaced, count(m.refusal) filter (where m.refusal = 'no_free_address') as without,
       count(m.refusal) filter (where m.refusal = 'tenant_suspended') as suspended,
       (select count(*) from trial.moves t where t.stage = 'storm' and t.refusal = 'not_assigned') as met,
       coalesce(percentile_cont(0.5) within group (order by extract(epoch from m.at - d.began)) * 1000, 0)::float8 as outage_p50_ms,
       coalesce(max(extract(epoch from m.at - d.began)) * 1000, 0)::float8 as outage_longest_ms
from trial.doomed d
left join trial.moves m on m.smtp_ip_id = d.smtp_ip_id and m.stage = 'storm' and m.refusal is distinct from 'not_assigned'

-- name: bands
select c.name as "case", c.sent, c.bounces, c.complaints, c.intended, r.health as band, l.health as after_a_clean_week
from trial.cases c
left join infrastructure.reputation_samples r on r.subject_id = c.smtp_ip_id and r.sampled_at = %(judged)s
left join infrastructure.reputation_samples l on l.subject_id = c.smtp_ip_id and l.sampled_at = %(again)s
order by c.place

-- name: outcomes
select stage, operation, outcome, sum(calls)::bigint as calls from trial.outcomes group by 1, 2, 3 order by 1, 2, 3
