-- An instance of the assignment problem: free addresses in all states of their warm-up, and tenants that each want one.

-- name: servers
insert into infrastructure.vps_instances (name, provider, region, status, created_at)
select 'mta' || n, 'hetzner', 'eu', 'active', %(at)s - interval '1 month' from generate_series(1, %(servers)s) as n

-- name: addresses
-- One in five was watched; some are cold, some half warm, some warm.
insert into infrastructure.smtp_ips (vps_instance_id, address, status, health, daily_cap, warmup_day, last_sent_at, created_at)
select v.id, '10.0.0.0'::inet + (row_number() over (order by v.name, n))::integer, 'available',
       case when drawn.draw %% 5 = 0 then 'watched' else 'healthy' end, (100 * 2 ^ ((drawn.draw >> 6) / 128.0))::integer, drawn.draw %% 25,
       case when drawn.draw %% 25 > 0 then %(at)s - interval '1 day' end, %(at)s - interval '1 month'
from infrastructure.vps_instances as v, generate_series(1, 8) as n
cross join lateral (select hashtext(v.name || n) & 65535 as draw) as drawn

-- name: costs
insert into infrastructure.costs (vps_instance_id, starts_on, ends_on, cents)
select v.id, (%(at)s at time zone 'UTC')::date - 1, (%(at)s at time zone 'UTC')::date + 29, 500 + (hashtext(v.name) & 1023)
from infrastructure.vps_instances as v

-- name: tenants
insert into public.tenants (name, status) select 'tenant ' || n, 'active' from generate_series(1, %(tenants)s) as n

-- name: wanted
-- Mails a day that each tenant expects.
select t.id, (100 * 2 ^ ((hashtext(t.name) & 1023) / 128.0))::bigint from public.tenants as t order by hashtext(t.name)

-- name: offered
-- Room of each free address, its reputation (a fifth less for each band below the best), and what it costs a month.
select i.id, infrastructure.address_room(i, %(at)s), 1 - b.severity / 5.0::float8,
       coalesce(p.monthly_cents, 0)::float8
from infrastructure.smtp_ips as i
join infrastructure.reputation_bands as b on b.band = i.health
left join infrastructure.address_prices((%(at)s at time zone 'UTC')::date) as p on p.smtp_ip_id = i.id
order by i.id

-- name: allocate
select smtp_ip_id from infrastructure.allocate_smtp_ip(%(tenant)s, %(at)s, %(expected)s)

-- name: given
-- The same without a choice: what it costs to hand an address over.
select infrastructure.assign_smtp_ip(%(tenant)s, %(address)s, %(at)s)

-- name: bare
insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at) values (%(address)s, %(tenant)s, %(at)s)

-- name: undo
update infrastructure.smtp_ips set status = 'available', owner_tenant_id = null where owner_tenant_id is not null

-- name: forget
delete from infrastructure.ip_assignments
