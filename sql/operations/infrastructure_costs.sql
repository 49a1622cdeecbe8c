-- What the infrastructure costs, who bears it, how well it is used, and where it is cheaper.

create function infrastructure.address_price(smtp_ip uuid, vps_instance uuid, on_day date) returns float8
    language sql stable
begin atomic
    select coalesce(sum(latest.monthly_cents / case when latest.smtp_ip_id is not null then 1 else (
               select count(*) from infrastructure.smtp_ips i
               where i.vps_instance_id = address_price.vps_instance and i.status <> 'retired') end), 0)
    from (select distinct on (c.smtp_ip_id)
                 c.smtp_ip_id, c.cents * 30.0::float8 / (c.ends_on - c.starts_on) as monthly_cents
          from infrastructure.costs c
          where c.vps_instance_id = address_price.vps_instance and c.starts_on <= address_price.on_day
            and (c.smtp_ip_id is null or c.smtp_ip_id = address_price.smtp_ip)
          order by c.smtp_ip_id, c.starts_on desc) as latest;
end;
comment on function infrastructure.address_price(uuid, uuid, date) is
    'lab_platform: what an address costs in 30 days at the latest prices: its own and its part of its server''s.';

create function infrastructure.address_prices(on_day date)
    returns table (smtp_ip_id uuid, vps_instance_id uuid, monthly_cents float8)
    language sql stable
begin atomic
    select i.id, i.vps_instance_id, infrastructure.address_price(i.id, i.vps_instance_id, address_prices.on_day)
    from infrastructure.smtp_ips i
    where i.status <> 'retired';
end;
comment on function infrastructure.address_prices(date) is 'lab_platform: the price of each address.';

-- By mails sent; what nobody sent with goes to who held it, by the time; what nobody held, to the
-- platform. Cents are whole: each share is rounded down and the cents left over go to the largest
-- remainders (Hamilton's method), so that the shares of a cost add up to it.
create function infrastructure.shares_due(period_start date, period_end date)
    returns table (cost_id uuid, smtp_ip_id uuid, email_account_id uuid, owner_tenant_id uuid, sent bigint, cents bigint)
    language sql stable
begin atomic
    with due as (
        select c.id, c.cents, c.starts_on, c.ends_on, i.id as smtp_ip_id
        from infrastructure.costs c
        left join infrastructure.smtp_ips i
          on i.vps_instance_id = c.vps_instance_id and (c.smtp_ip_id is null or i.id = c.smtp_ip_id)
        where c.starts_on >= shares_due.period_start and c.ends_on <= shares_due.period_end
          and not exists (select from infrastructure.cost_shares s where s.cost_id = c.id)
    ), used as (
        select d.id as cost_id, d.smtp_ip_id, s.email_account_id, s.tenant_id, sum(s.sent) as weight
        from due d
        join infrastructure.daily_sends s
          on s.smtp_ip_id = d.smtp_ip_id and s.day >= d.starts_on and s.day < d.ends_on and s.sent > 0
        group by 1, 2, 3, 4
    ), held as (
        select d.id as cost_id, d.smtp_ip_id, a.owner_tenant_id as tenant_id,
               sum(extract(epoch from least(a.released_at, d.ends_on::timestamp at time zone 'UTC')
                           - greatest(a.assigned_at, d.starts_on::timestamp at time zone 'UTC'))) as weight
        from due d
        join infrastructure.ip_assignments a
          on a.smtp_ip_id = d.smtp_ip_id
         and a.assigned_at < d.ends_on::timestamp at time zone 'UTC'
         and coalesce(a.released_at, 'infinity') > d.starts_on::timestamp at time zone 'UTC'
        where d.id not in (select u.cost_id from used u)
        group by 1, 2, 3
    ), bearers as (
        select u.cost_id, u.smtp_ip_id, u.email_account_id, u.tenant_id, u.weight, u.weight as sent from used u
        union all
        select h.cost_id, h.smtp_ip_id, null, h.tenant_id, h.weight, 0 from held h
        union all
        select distinct d.id, null::uuid, null::uuid, null::uuid, 1, 0
        from due d
        where d.id not in (select u.cost_id from used u) and d.id not in (select h.cost_id from held h)
    ), quotas as (
        select b.*, c.cents * b.weight as product, sum(b.weight) over cost as total, c.cents
        from bearers b join infrastructure.costs c on c.id = b.cost_id
        window cost as (partition by b.cost_id)
    ), shares as (
        select q.*, div(q.product, q.total) as whole,
               q.cents - sum(div(q.product, q.total)) over (partition by q.cost_id) as left_over,
               row_number() over (
                   partition by q.cost_id
                   order by mod(q.product, q.total) desc, q.smtp_ip_id, q.email_account_id, q.tenant_id) as place
        from quotas q
    )
    select s.cost_id, s.smtp_ip_id, s.email_account_id, s.tenant_id, s.sent::bigint,
           (s.whole + (s.place <= s.left_over)::integer)::bigint
    from shares s
    order by s.cost_id, s.place;
end;
comment on function infrastructure.shares_due(date, date) is
    'lab_platform: who is to bear what of each cost that was paid for days of the period (its end not included) and has not been shared.';

create function infrastructure.attribute_costs(period_start date, period_end date, at timestamptz default now())
    returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    written bigint;
begin
    if period_end > (at at time zone 'UTC')::date then
        raise exception 'costs up to % cannot be shared on %: the period is not over',
            period_end, (at at time zone 'UTC')::date using errcode = 'invalid_parameter_value';
    end if;
    -- Two at once would share by different counts.
    lock table infrastructure.cost_shares in share row exclusive mode;

    insert into infrastructure.cost_shares (cost_id, smtp_ip_id, email_account_id, owner_tenant_id, sent, cents)
    select d.cost_id, d.smtp_ip_id, d.email_account_id, d.owner_tenant_id, d.sent, d.cents
    from infrastructure.shares_due(period_start, period_end) d;
    get diagnostics written = row_count;
    return written;
end
$$;
comment on function infrastructure.attribute_costs(date, date, timestamptz) is
    'lab_platform: shares each cost that was paid for days of the period (its end not included) and has not been shared; returns the shares. What is shared stays as it is.';

create function infrastructure.tenant_costs(period_start date, period_end date)
    returns table (tenant uuid, sent bigint, cents bigint, cents_per_thousand float8)
    language sql stable
begin atomic
    with spent as (
        select s.owner_tenant_id, sum(s.cents)::bigint as cents
        from infrastructure.costs c join infrastructure.cost_shares s on s.cost_id = c.id
        where c.starts_on >= tenant_costs.period_start and c.ends_on <= tenant_costs.period_end
        group by s.owner_tenant_id
    ), mailed as (
        select d.tenant_id, sum(d.sent) as sent
        from infrastructure.daily_sends d
        where d.smtp_ip_id is not null and d.day >= tenant_costs.period_start and d.day < tenant_costs.period_end
        group by d.tenant_id
    )
    select s.owner_tenant_id, coalesce(m.sent, 0), s.cents, s.cents * 1000.0::float8 / nullif(m.sent, 0)
    from spent s left join mailed m on m.tenant_id = s.owner_tenant_id;
end;
comment on function infrastructure.tenant_costs(date, date) is
    'lab_platform: what each tenant''s mail cost in a period, and each thousand of it; null: what the platform bears itself.';

create function infrastructure.resource_use(period_start date, period_end date)
    returns table (resource text, id uuid, sent bigint, capacity bigint, utilisation float8,
                   cents bigint, cents_per_thousand float8)
    language sql stable
begin atomic
    with mailed as (
        select i.vps_instance_id, d.smtp_ip_id, d.email_account_id, sum(d.sent) as sent
        from infrastructure.daily_sends d
        left join infrastructure.smtp_ips i on i.id = d.smtp_ip_id
        where d.day >= resource_use.period_start and d.day < resource_use.period_end
        group by 1, 2, 3
    ), spent as (
        select c.vps_instance_id, s.smtp_ip_id, s.email_account_id, sum(s.cents) as cents
        from infrastructure.costs c join infrastructure.cost_shares s on s.cost_id = c.id
        where c.starts_on >= resource_use.period_start and c.ends_on <= resource_use.period_end
        group by 1, 2, 3
    ), resources as (
        select 'vps_instance' as resource, v.id, coalesce(i.daily_cap, 0) as daily_cap, m.sent, s.cents
        from infrastructure.vps_instances v
        left join (select vps_instance_id, sum(daily_cap) as daily_cap
                   from infrastructure.smtp_ips group by 1) i on i.vps_instance_id = v.id
        left join (select vps_instance_id, sum(sent) as sent from mailed group by 1) m on m.vps_instance_id = v.id
        left join (select vps_instance_id, sum(cents) as cents from spent group by 1) s on s.vps_instance_id = v.id
        union all
        select 'smtp_ip', i.id, i.daily_cap, m.sent, s.cents
        from infrastructure.smtp_ips i
        left join (select smtp_ip_id, sum(sent) as sent from mailed group by 1) m on m.smtp_ip_id = i.id
        left join (select smtp_ip_id, sum(cents) as cents from spent group by 1) s on s.smtp_ip_id = i.id
        union all
        select 'email_account', a.id, a.daily_cap, m.sent, s.cents
        from infrastructure.email_accounts a
        left join (select email_account_id, sum(sent) as sent from mailed group by 1) m on m.email_account_id = a.id
        left join (select email_account_id, sum(cents) as cents from spent group by 1) s on s.email_account_id = a.id
    )
    select r.resource, r.id, coalesce(r.sent, 0)::bigint,
           r.daily_cap * (resource_use.period_end - resource_use.period_start),
           coalesce(r.sent, 0)::float8
               / nullif(r.daily_cap * (resource_use.period_end - resource_use.period_start), 0),
           coalesce(r.cents, 0)::bigint, r.cents * 1000.0::float8 / nullif(r.sent, 0)
    from resources r;
end;
comment on function infrastructure.resource_use(date, date) is
    'lab_platform: how much of what each server, address and account can send (when warm) it sent in a period, and what that cost.';

create function infrastructure.idle_resources(at timestamptz default now(), idle_for interval default '30 days')
    returns table (resource text, id uuid, last_sent_at timestamptz, monthly_cents float8)
    language sql stable
begin atomic
    with priced as (
        select i.*, p.monthly_cents,
               coalesce(i.last_sent_at, i.created_at) <= idle_resources.at - idle_resources.idle_for as idle
        from infrastructure.smtp_ips i
        join infrastructure.address_prices((idle_resources.at at time zone 'UTC')::date) p on p.smtp_ip_id = i.id
    )
    select 'smtp_ip', p.id, p.last_sent_at, p.monthly_cents from priced p where p.idle
    union all
    select 'vps_instance', v.id, max(p.last_sent_at), sum(p.monthly_cents)
    from infrastructure.vps_instances v join priced p on p.vps_instance_id = v.id
    where v.status <> 'retired'
    group by v.id
    having bool_and(p.idle);
end;
comment on function infrastructure.idle_resources(timestamptz, interval) is
    'lab_platform: addresses, and servers with all their addresses, through which nothing went for so long, and what they cost in 30 days.';

-- A server is paid for whether it is used or not, so that moving one address saves nothing; a server
-- whose addresses all find a place elsewhere can be given up.
create function infrastructure.cheaper_placements(at timestamptz default now())
    returns table (vps_instance uuid, addresses_to_move bigint, free_elsewhere bigint, monthly_cents_saved float8)
    language sql stable
begin atomic
    with priced as (
        select i.vps_instance_id, v.status, p.monthly_cents, i.status = 'assigned' as taken,
               i.status = 'available' and i.health in ('healthy', 'watched') and v.status = 'active' as free
        from infrastructure.smtp_ips i
        join infrastructure.vps_instances v on v.id = i.vps_instance_id
        join infrastructure.address_prices((cheaper_placements.at at time zone 'UTC')::date) p on p.smtp_ip_id = i.id
    ), instances as (
        select vps_instance_id, count(*) filter (where taken) as taken, count(*) filter (where free) as free,
               sum(monthly_cents) as monthly_cents
        from priced group by vps_instance_id
    ), elsewhere as (
        select i.*, sum(i.free) over () - i.free as free_elsewhere from instances i
    )
    select e.vps_instance_id, e.taken, e.free_elsewhere::bigint, e.monthly_cents
    from elsewhere e
    where e.taken <= e.free_elsewhere
    order by e.monthly_cents desc;
end;
comment on function infrastructure.cheaper_placements(timestamptz) is
    'lab_platform: servers that could be given up, since free addresses of others, paid for already, can take in theirs; what that saves in 30 days. One at a time: each move changes the list.';

revoke execute on all functions in schema infrastructure from public;
grant execute on all functions in schema infrastructure to lab_platform;
grant execute on function infrastructure.address_prices(date), infrastructure.tenant_costs(date, date),
    infrastructure.resource_use(date, date), infrastructure.idle_resources(timestamptz, interval),
    infrastructure.cheaper_placements(timestamptz) to lab_analytics;
