-- What must hold of the run's own tenants and addresses after every arm; each query returns the rows that
-- break it.

-- name: one_owner
with assignment as (
    select a.* from infrastructure.ip_assignments a join scratch_load.warmth w using (smtp_ip_id)
)
select 'two tenants at once', a.smtp_ip_id, a.owner_tenant_id, b.owner_tenant_id
from assignment a
join assignment b on b.smtp_ip_id = a.smtp_ip_id and b.id > a.id
 and tstzrange(a.assigned_at, a.released_at) && tstzrange(b.assigned_at, b.released_at)
union all
select 'the owner is not who it was assigned to', i.id, i.owner_tenant_id, a.owner_tenant_id
from infrastructure.smtp_ips i
join scratch_load.warmth w on w.smtp_ip_id = i.id
left join assignment a on a.smtp_ip_id = i.id and a.released_at is null
where i.owner_tenant_id is distinct from a.owner_tenant_id;

-- name: none_on_a_failed_server
-- By our own clock, which is in an assignment's id, rounded to a millisecond up or down: none lasts through a
-- failure, and none begins after it.
with failure as (
    select f.*, a.owner_tenant_id, a.smtp_ip_id, a.released_at, uuid_extract_timestamp(a.id) as assigned
    from scratch_load.failures f
    join infrastructure.smtp_ips i on i.vps_instance_id = f.vps_instance_id
    join infrastructure.ip_assignments a on a.smtp_ip_id = i.id
)
select 'a tenant was left on it', failure, smtp_ip_id, owner_tenant_id from failure
where assigned < began - interval '1 millisecond' and (released_at is null or released_at > repaired_at)
union all
select 'it was assigned after everybody could see', failure, smtp_ip_id, owner_tenant_id from failure
where assigned > ended + interval '1 millisecond'
    and assigned < coalesce(repaired, 'infinity') - interval '1 millisecond'
union all
select 'it is assigned now', null, i.id, i.owner_tenant_id
from infrastructure.smtp_ips i
join scratch_load.warmth w on w.smtp_ip_id = i.id
join infrastructure.vps_instances v on v.id = i.vps_instance_id and v.status <> 'active'
where i.status = 'assigned';

-- name: failovers_complete
-- Who lost an address has another in its place, or is on the list with the reason.
select 'neither an address nor a reason', m.failure, m.smtp_ip_id, m.owner_id
from scratch_load.moves m
where m.failure is not null and num_nonnulls(m.replacement, m.refusal) <> 1
union all
select 'the replacement is not its own', m.failure, m.replacement, m.owner_id
from scratch_load.moves m
join scratch_load.failures f using (failure)
where m.replacement is not null and not exists (
    select from infrastructure.ip_assignments a
    where a.smtp_ip_id = m.replacement and a.owner_tenant_id = m.owner_id
      and uuid_extract_timestamp(a.id)
          between f.began - interval '1 millisecond' and f.ended + interval '1 millisecond');

-- name: addresses_lost_for_a_reason
-- A tenant lost as many as were given up, were worn out or failed: nobody else's was taken for its own.
with lost as (
    select a.owner_tenant_id as tenant_id, count(*) as addresses
    from infrastructure.ip_assignments a join scratch_load.warmth w using (smtp_ip_id)
    where a.released_at is not null
    group by a.owner_tenant_id
), noted as (
    select tenant_id, sum(addresses) as addresses
    from (select owner_id, 1 from scratch_load.moves
          union all select tenant_id, addresses from scratch_load.given_up) as each (tenant_id, addresses)
    group by tenant_id
)
select 'another number of addresses was lost than was taken', tenant_id, l.addresses, n.addresses
from lost l full join noted n using (tenant_id)
where coalesce(l.addresses, 0) <> coalesce(n.addresses, 0);

-- name: warm_up_kept
-- In no period more than its allowance, which in turn follows the curve from where it began.
with period as (
    select s.sender, s.period_ends_at, sum(s.sent) as sent, max(s.allowance) as allowance,
           row_number() over (partition by s.sender order by s.period_ends_at) - 1 as later
    from scratch_load.slots s
    group by s.sender, s.period_ends_at
), senders as (
    select w.smtp_ip_id as sender, 'standard' as curve, w.warmup_day + 1 as first, i.daily_cap
    from scratch_load.warmth w join infrastructure.smtp_ips i on i.id = w.smtp_ip_id
    union all
    select m.id, m.warmup_curve, 0, m.daily_cap
    from infrastructure.email_accounts m join scratch_load.accounts a using (tenant_id)
)
select 'more was sent than allowed', p.sender, p.period_ends_at, p.sent, p.allowance
from period p where p.sent > p.allowance
union all
select 'more was allowed than the curve does', p.sender, p.period_ends_at, p.allowance, step.allowance
from period p
join senders s using (sender)
left join infrastructure.warmup_steps step on step.curve = s.curve and step.day = s.first + p.later
where p.allowance > least(step.allowance, s.daily_cap)
union all
select 'counted otherwise than sent', i.id, i.period_ends_at, i.sent_in_period, coalesce(p.sent, 0)
from (select i.id, i.period_ends_at, i.sent_in_period
      from infrastructure.smtp_ips i join scratch_load.warmth w on w.smtp_ip_id = i.id
      union all
      select m.id, m.period_ends_at, m.sent_in_period
      from infrastructure.email_accounts m join scratch_load.accounts a using (tenant_id)) as i
left join period p on p.sender = i.id and p.period_ends_at = i.period_ends_at
where i.sent_in_period <> coalesce(p.sent, 0);

-- name: sends_counted
-- The days' counts are the mails that were sent, each through an address that its tenant had.
with counted as (
    select sender, tenant_id, sum(sent) as sent
    from infrastructure.daily_sends s
    join scratch_load.accounts a using (tenant_id)
    cross join lateral unnest(array[s.smtp_ip_id, s.email_account_id]) as sender
    where s.day >= '2021-02-01'
    group by sender, tenant_id
), noted as (
    select sender, tenant_id, sum(sent) as sent from scratch_load.slots group by sender, tenant_id
)
select 'counted otherwise than sent', tenant_id, sender, c.sent, n.sent
from counted c full join noted n using (sender, tenant_id)
where coalesce(c.sent, 0) <> coalesce(n.sent, 0)
union all
select 'sent through an address that it never had', s.tenant_id, s.sender, s.sent, null
from scratch_load.slots s
join scratch_load.warmth w on w.smtp_ip_id = s.sender
where not exists (select from infrastructure.ip_assignments a
                  where a.smtp_ip_id = s.sender and a.owner_tenant_id = s.tenant_id);

-- name: verified_exactly
-- A domain is verified when the records that it needs are, unless its name is another's.
with last as (
    select distinct on (tenant_id, domain_id) * from scratch_load.results order by tenant_id, domain_id, place desc
), domain as (
    select v.*, l.status as told, l.refusal
    from infrastructure.domain_verification v
    join scratch_load.accounts a using (tenant_id)
    left join last l using (tenant_id, domain_id)
    where v.status <> 'decommissioned'
)
select 'verified without its records', tenant_id, domain_id, status from domain
where status = 'verified' and not usable
union all
select 'not verified, though its records are', tenant_id, domain_id, status from domain
where status <> 'verified' and usable and refusal is distinct from 'verified_elsewhere'
union all
select 'otherwise than the worker was told', tenant_id, domain_id, status from domain
where status <> coalesce(told, 'pending');

-- name: one_tenant_a_name
select 'verified, but the name is not its own', d.tenant_id, d.id, d.name_norm
from infrastructure.domains d
join scratch_load.accounts a using (tenant_id)
left join infrastructure.verified_domains v on v.name_norm = d.name_norm
where d.status = 'verified' and (v.owner_tenant_id, v.domain_id) is distinct from (d.tenant_id, d.id)
union all
select 'the name is taken for a domain that is not verified', v.owner_tenant_id, v.domain_id, v.name_norm
from infrastructure.verified_domains v
join scratch_load.accounts a on a.tenant_id = v.owner_tenant_id
left join infrastructure.domains d on d.tenant_id = v.owner_tenant_id and d.id = v.domain_id
where d.status is distinct from 'verified';

-- name: history_complete
-- Each answer that was not older than one before it is there, once, as DNS gave it; and no other.
with told as (
    select r.*, coalesce(r.at > max(r.at) over earlier, true) and coalesce(r.refusal, '') <> 'decommissioned' as is_news
    from scratch_load.results r
    window earlier as (partition by r.tenant_id, r.domain_id order by r.place
                       rows between unbounded preceding and 1 preceding)
), answer as (
    select t.tenant_id, t.domain_id, t.at, t.is_news, v.key as kind, v.value as verdict
    from told t cross join lateral jsonb_each_text(t.verdicts) v
), noted as (
    select c.tenant_id, r.domain_id, r.kind, c.checked_at as at, c.status, c.drift,
           r.status as current, r.checked_at as current_at
    from infrastructure.dns_checks c
    join scratch_load.accounts a using (tenant_id)
    join infrastructure.dns_records r on r.tenant_id = c.tenant_id and r.id = c.dns_record_id
)
select 'an answer is not in the history as it was', t.tenant_id, t.domain_id, t.kind, t.at, t.verdict, n.status
from answer t left join noted n using (tenant_id, domain_id, kind, at)
where t.is_news and n.status is distinct from t.verdict
union all
select 'the history has what nobody was told', n.tenant_id, n.domain_id, n.kind, n.at, null, n.status
from noted n
where not exists (select from answer t where (t.tenant_id, t.domain_id, t.kind, t.at) = (n.tenant_id, n.domain_id, n.kind, n.at))
union all
select 'the record is not as last answered', n.tenant_id, n.domain_id, n.kind, n.at, n.status, n.current
from (select distinct on (tenant_id, domain_id, kind) * from noted
      where status <> 'failed' order by tenant_id, domain_id, kind, at desc) as n
where (n.status, n.at) is distinct from (n.current, n.current_at);

-- name: drift_seen
-- What was lost or restored between two answers of a record is marked so, and nothing else is.
with answered as (
    select c.tenant_id, c.dns_record_id, c.checked_at, c.status, c.drift,
           lag(c.status) over (partition by c.tenant_id, c.dns_record_id order by c.checked_at) as before_it
    from infrastructure.dns_checks c
    join scratch_load.accounts a using (tenant_id)
    where c.status <> 'failed'
)
select 'the drift is not marked as it is', tenant_id, dns_record_id, checked_at, before_it, status, drift
from answered
where nullif(drift, 'changed') is distinct from
      case when before_it = 'ok' and status <> 'ok' then 'lost'
           when before_it <> 'ok' and status = 'ok' then 'restored' end;

-- name: counters_are_rows
with used as (
    select d.tenant_id, 'domains' as feature_key, count(*) as things
    from infrastructure.domains d join scratch_load.accounts a using (tenant_id)
    where d.status <> 'decommissioned'
    group by d.tenant_id
    union all
    select m.tenant_id, 'email_accounts', count(*)
    from infrastructure.email_accounts m join scratch_load.accounts a using (tenant_id)
    where m.status <> 'closed'
    group by m.tenant_id
), counted as (
    select u.* from billing.usage_counters u join scratch_load.accounts a using (tenant_id)
    where u.feature_key in ('domains', 'email_accounts')
)
select 'the counter is not what there is', tenant_id, feature_key, c.used, u.things
from counted c full join used u using (tenant_id, feature_key)
where coalesce(c.used, 0) <> coalesce(u.things, 0)
union all
select 'more than there may be', c.tenant_id, c.feature_key, c.used, c.maximum
from counted c where c.used > c.maximum
union all
select 'an account goes on after its domain', m.tenant_id, m.address, null, null
from infrastructure.email_accounts m
join scratch_load.accounts a using (tenant_id)
join infrastructure.domains d on d.tenant_id = m.tenant_id and d.id = m.domain_id
where d.status = 'decommissioned' and m.status <> 'closed';

-- name: costs_add_up
-- To the cent: the shares of each cost, and what is reported of them all.
with cost as (
    select c.*, s.cents as shared
    from infrastructure.costs c
    join infrastructure.vps_instances v on v.id = c.vps_instance_id and v.name like 'load-%'
    join lateral (select sum(s.cents) as cents from infrastructure.cost_shares s where s.cost_id = c.id) as s
      on s.cents is not null
)
select 'the shares are not the cost', id, cents, shared from cost where shared <> cents
union all
select 'the report is not what was shared', null, reported.cents, sum(cost.shared)
from cost
cross join (select sum(t.cents) as cents from infrastructure.tenant_costs('2021-01-01', '2021-12-31') t) as reported
group by reported.cents having sum(cost.shared) is distinct from reported.cents;

-- name: sample_data_untouched
-- Workers look across tenants and servers: by the run's clock there are no others.
select 'an address and its tenant are not of one world', a.smtp_ip_id, a.owner_tenant_id
from infrastructure.ip_assignments a
left join scratch_load.warmth w using (smtp_ip_id)
left join scratch_load.accounts o on o.tenant_id = a.owner_tenant_id
where (w.smtp_ip_id is null) <> (o.tenant_id is null)
union all
select 'a look-up was of the sample data', r.tenant_id, r.domain_id
from scratch_load.results r where r.tenant_id not in (select tenant_id from scratch_load.accounts)
union all
select 'the clock has come to the sample data', null, null
where exists (select from infrastructure.domains d
              where d.next_check_at <= scratch_load.clock() and d.tenant_id not in (select tenant_id from scratch_load.accounts))
   or exists (select from infrastructure.smtp_ips i
              where i.created_at <= scratch_load.clock() and i.id not in (select smtp_ip_id from scratch_load.warmth));
