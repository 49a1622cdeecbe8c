-- What the trial's sessions do, each statement a transaction.

-- name: send
call trial.send(%(tenant)s, %(at)s, %(mails)s)

-- name: allocate
select smtp_ip_id, refusal from infrastructure.allocate_smtp_ip(%(tenant)s, %(at)s, %(expected)s)

-- name: assign
select infrastructure.assign_smtp_ip(%(tenant)s, %(address)s, %(at)s)

-- name: fit
select i.id from infrastructure.smtp_ips i
join infrastructure.vps_instances v on v.id = i.vps_instance_id
where i.status = 'available' and i.health = 'healthy' and v.status = 'active'
order by i.address limit %(most)s

-- name: contested
insert into trial.contested (smtp_ip_id, winner) values (%(address)s, %(winner)s)

-- name: outcome
insert into trial.outcomes (stage, operation, outcome, calls) values (%(stage)s, %(operation)s, %(outcome)s, %(calls)s)

-- name: outcomes_of_case
-- As they come back, mail by mail; two sessions report the halves.
select infrastructure.record_delivery_outcome(c.tenant_id, c.account_id, k.kind, %(at)s)
from trial.cases c
cross join lateral (select 'hard_bounced' as kind, n from generate_series(1, c.bounces) as n
                    union all select 'complained', n from generate_series(1, c.complaints) as n) as k
where c.place = %(place)s and k.n %% 2 = %(half)s

-- name: last_sender
-- Outcomes count for the address that the account last sent through.
update infrastructure.email_accounts a set smtp_ip_id = c.smtp_ip_id
from trial.cases c where c.tenant_id = a.tenant_id and c.account_id = a.id

-- name: sample
select infrastructure.sample_reputation(%(tenant)s, %(at)s)

-- name: list_addresses
-- Half of those that are assigned are on a blocklist at once; in one transaction with what they had sent.
select infrastructure.report_blocklisting(i.id, true, %(at)s)
from infrastructure.smtp_ips i
where i.status = 'assigned' and hashtext(i.id::text) & 1 = 0

-- name: before
insert into trial.before select count(*) from infrastructure.smtp_ips where status = 'assigned'

-- name: doomed
insert into trial.doomed (smtp_ip_id, owner_id, cause, sent_before, began)
select i.id, i.owner_tenant_id, case when i.health = 'blocked' then 'blocklisted' else 'server failed' end,
       coalesce((select sum(s.sent) from infrastructure.daily_sends s
                 where s.tenant_id = i.owner_tenant_id and s.smtp_ip_id = i.id), 0), clock_timestamp()
from infrastructure.smtp_ips i
where i.status = 'assigned' and (i.health = 'blocked' or i.vps_instance_id = any (%(servers)s))

-- name: listed
select smtp_ip_id from trial.doomed where cause = 'blocklisted' order by smtp_ip_id

-- name: waiting
select t.id from public.tenants t
where t.status in ('created', 'active') and not exists (select from infrastructure.smtp_ips i where i.owner_tenant_id = t.id)

-- name: recover
-- Taken off the list while others still fail over: it is left to who has it, if it is not gone.
with off as (
    select d.smtp_ip_id, infrastructure.report_blocklisting(d.smtp_ip_id, false, %(at)s) as band
    from trial.doomed d
    join infrastructure.smtp_ips i on i.id = d.smtp_ip_id and i.status = 'assigned'
    where d.smtp_ip_id = %(address)s
)
update trial.doomed d set recovered = true from off where off.smtp_ip_id = d.smtp_ip_id and off.band = 'watched'

-- name: rotate
insert into trial.moves (stage, smtp_ip_id, replacement, refusal)
select %(stage)s, r.smtp_ip, r.replacement, r.refusal from infrastructure.rotate_smtp_ips(%(at)s, 4) r

-- name: replace
insert into trial.moves (stage, smtp_ip_id, replacement, refusal)
select %(stage)s, %(address)s, r.replacement, r.refusal from infrastructure.replace_smtp_ip(%(address)s, true, %(at)s) r

-- name: fail
insert into trial.moves (stage, smtp_ip_id, replacement, refusal)
select %(stage)s, f.smtp_ip, f.replacement, f.refusal from infrastructure.fail_vps_instance(%(server)s, %(at)s) f

-- name: blocked
select count(*) from infrastructure.smtp_ips where status = 'assigned' and health = 'blocked'

-- name: busiest_servers
select v.id from infrastructure.vps_instances v
join infrastructure.smtp_ips i on i.vps_instance_id = v.id and i.status = 'assigned'
where v.status = 'active'
group by v.id order by count(*) desc, v.id limit %(most)s

-- name: supply
select tenant, refusal from infrastructure.supply_smtp_ips(%(at)s)

-- name: shortage
select infrastructure.address_shortage(%(at)s)

-- name: drain
insert into trial.moves (stage, smtp_ip_id, replacement, refusal)
select 'draining', d.smtp_ip, d.replacement, d.refusal from infrastructure.drain_vps_instance(%(server)s, %(at)s) d

-- name: left_on
select count(*) from infrastructure.smtp_ips where vps_instance_id = %(server)s and status = 'assigned'

-- name: release
select infrastructure.release_smtp_ip(%(address)s, %(at)s)

-- name: retire
select infrastructure.retire_vps_instance(%(server)s, %(at)s)

-- name: give_up
select addresses_released from infrastructure.decommission_domain(%(tenant)s,
    (select d.id from infrastructure.domains d where d.tenant_id = %(tenant)s), %(at)s)
