-- What a tenant may use: its entitlements, and limits that are exact under concurrency.

create function billing.current_plan(tenant uuid) returns text
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    return (select s.plan_key from billing.subscriptions s
            where s.tenant_id = tenant and s.ended_at is null and s.status in ('trialing', 'active', 'past_due'));
end
$$;
comment on function billing.current_plan(uuid) is
    'lab_app: key of the plan that the tenant has access to; null without one.';

-- No search_path setting: it would keep the query from being planned into its caller's.
create function billing.entitlements(tenant uuid, at timestamptz default now())
    returns table (feature_key text, kind text, period text, value bigint, valid_until timestamptz)
    language sql stable
begin atomic
    select f.key, f.kind, f.period,
           case when s.id is null then 0
                when o.id is not null then o.value
                when granted.unlimited then null
                else coalesce(granted.value, 0) end,
           coalesce(boundary.at, 'infinity')
    from billing.features f
    left join billing.subscriptions s
        on s.tenant_id = tenant and s.ended_at is null and s.status in ('trialing', 'active', 'past_due')
    left join billing.overrides o
        on o.tenant_id = tenant and o.feature_key = f.key and o.starts_at <= at and o.ends_at > at
    left join lateral (
        select bool_or(p.value is null) as unlimited,
               case f.kind when 'metered' then sum(p.value * i.quantity)::bigint else max(p.value) end as value
        from billing.subscription_items i
        join billing.product_features p on p.product_key = i.product_key and p.feature_key = f.key
        where i.tenant_id = tenant and i.subscription_id = s.id and i.ended_at is null
    ) as granted on true
    left join lateral (
        select min(case when b.starts_at > at then b.starts_at else b.ends_at end) as at
        from billing.overrides b
        where b.tenant_id = tenant and b.feature_key = f.key and b.ends_at > at
    ) as boundary on true;
end;
comment on function billing.entitlements(uuid, timestamptz) is
    'lab_app: what the plan, the add-ons and the overrides grant of every feature (null: unlimited, 0: nothing), and until when that is sure.';

create function billing.entitlement(tenant uuid, feature text, at timestamptz default now()) returns bigint
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    return (select e.value from billing.entitlements(tenant, at) e where e.feature_key = feature);
end
$$;
comment on function billing.entitlement(uuid, text, timestamptz) is
    'lab_app: what a tenant is granted of one feature: null unlimited, 0 nothing, 1 a boolean feature.';

create function billing.usage(tenant uuid, at timestamptz default now())
    returns table (feature_key text, used bigint, maximum bigint, resets_at timestamptz)
    language sql stable
begin atomic
    select e.feature_key, coalesce(c.used, 0), e.value, case when e.period = 'month' then c.period_end end
    from billing.entitlements(tenant, at) e
    left join billing.usage_counters c
        on c.tenant_id = tenant and c.feature_key = e.feature_key and c.period_start <= at and c.period_end > at
    where e.kind = 'metered';
end;
comment on function billing.usage(uuid, timestamptz) is
    'lab_app: what a tenant has used of every metered feature, and of how much.';

create function billing.refresh_limits(tenant uuid, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update billing.usage_counters c
    set maximum = e.value, valid_until = e.valid_until
    from billing.entitlements(tenant, at) e
    where c.tenant_id = tenant and c.feature_key = e.feature_key and c.period_end > at
      and (c.maximum, c.valid_until) is distinct from (e.value, e.valid_until);
end
$$;
comment on function billing.refresh_limits(uuid, timestamptz) is
    'lab_app: copies what the tenant is granted onto its counters; whatever changes that calls it, under the lock of the subscription.';

-- The counter is missing, or its copy of the limit has run out. The lock waits for a change of the
-- subscription that is under way, which could not see a counter that is only now being made.
create function billing.open_counter(tenant uuid, feature text, at timestamptz) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    month constant timestamptz := date_trunc('month', at, 'UTC');
begin
    perform from billing.features f where f.key = feature and f.kind = 'metered';
    if not found then
        raise exception 'feature % is not metered', feature using errcode = 'invalid_parameter_value';
    end if;
    perform from billing.subscriptions s where s.tenant_id = tenant and s.ended_at is null for share;
    if not found then
        return false;
    end if;
    insert into billing.usage_counters as c
        (tenant_id, feature_key, period_start, period_end, maximum, valid_until)
    select tenant, feature,
           case when e.period = 'month' then month else '-infinity' end,
           case when e.period = 'month' then date_add(month, '1 month', 'UTC') else 'infinity' end,
           e.value, e.valid_until
    from billing.entitlements(tenant, at) e
    where e.feature_key = feature
    on conflict (tenant_id, feature_key, period_end)
        do update set maximum = excluded.maximum, valid_until = excluded.valid_until;
    return true;
end
$$;
comment on function billing.open_counter(uuid, text, timestamptz) is
    'lab_app: makes or renews the counter of the current period (for billing.consume_limit); false without a subscription.';

create function billing.consume_limit(tenant uuid, feature text, amount bigint, at timestamptz default now(),
        out allowed boolean, out used bigint, out maximum bigint, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    for attempt in 1..10 loop
        -- All there is to it, nearly always: the row's own lock makes it exact.
        update billing.usage_counters c
        set used = c.used + amount
        where c.tenant_id = tenant and c.feature_key = feature and c.period_end > at
          and c.period_start <= at and c.valid_until > at
          and (c.used + amount <= c.maximum or c.maximum is null) and amount > 0
        returning true, c.used, c.maximum into allowed, used, maximum;
        if found then
            return;
        end if;
        if amount <= 0 or amount is null then
            raise exception 'an amount of % cannot be consumed', amount using errcode = 'invalid_parameter_value';
        end if;
        select false, c.used, c.maximum, case c.maximum when 0 then 'not_included' else 'limit_reached' end
        into allowed, used, maximum, refusal
        from billing.usage_counters c
        where c.tenant_id = tenant and c.feature_key = feature and c.period_end > at
          and c.period_start <= at and c.valid_until > at and c.used + amount > c.maximum;
        if found then
            return;
        end if;
        -- There is no counter, or none that is valid, or one has just appeared.
        if not billing.open_counter(tenant, feature, at) then
            select false, 0, 0, 'no_subscription' into allowed, used, maximum, refusal;
            return;
        end if;
    end loop;
    raise exception 'the counter of % kept changing', feature using errcode = 'serialization_failure';
end
$$;
comment on function billing.consume_limit(uuid, text, bigint, timestamptz) is
    'lab_app: uses some of a metered feature, all of it or none; a refusal is limit_reached, not_included or no_subscription.';

create function billing.release_limit(tenant uuid, feature text, amount bigint, at timestamptz default now())
    returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    remaining bigint;
begin
    if amount <= 0 or amount is null then
        raise exception 'an amount of % cannot be released', amount using errcode = 'invalid_parameter_value';
    end if;
    update billing.usage_counters c
    set used = greatest(c.used - amount, 0)
    where c.tenant_id = tenant and c.feature_key = feature and c.period_end > at and c.period_start <= at
    returning c.used into remaining;
    return coalesce(remaining, 0);
end
$$;
comment on function billing.release_limit(uuid, text, bigint, timestamptz) is
    'lab_app: gives back what was consumed, as when a lead is deleted; returns what is still used.';

create function billing.set_override(tenant uuid, feature text, new_value bigint, reason text,
        ends_at timestamptz default 'infinity', starts_at timestamptz default null, at timestamptz default now())
    returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_variable
declare
    first constant timestamptz := coalesce(starts_at, at);
    override uuid;
begin
    perform from billing.subscriptions s where s.tenant_id = tenant and s.ended_at is null for no key update;
    perform from billing.features f where f.key = feature;
    if not found then
        raise exception 'there is no feature %', feature using errcode = 'invalid_parameter_value';
    end if;
    delete from billing.overrides o
    where o.tenant_id = tenant and o.feature_key = feature and o.starts_at = first;
    update billing.overrides o set ends_at = first
    where o.tenant_id = tenant and o.feature_key = feature and o.starts_at < first and o.ends_at > first;
    insert into billing.overrides (tenant_id, feature_key, value, reason, starts_at, ends_at)
    values (tenant, feature, new_value, reason, first, ends_at)
    returning id into override;
    perform billing.refresh_limits(tenant, at);
    return override;
end
$$;
comment on function billing.set_override(uuid, text, bigint, text, timestamptz, timestamptz, timestamptz) is
    'lab_platform: grants a tenant something else of a feature than its plan does, in place of an override that runs; null: unlimited.';

create function billing.end_override(tenant uuid, feature text, at timestamptz default now()) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    ended boolean;
begin
    perform from billing.subscriptions s where s.tenant_id = tenant and s.ended_at is null for no key update;
    update billing.overrides o set ends_at = at
    where o.tenant_id = tenant and o.feature_key = feature and o.starts_at < at and o.ends_at > at;
    ended := found;
    perform billing.refresh_limits(tenant, at);
    return ended;
end
$$;
comment on function billing.end_override(uuid, text, timestamptz) is
    'lab_platform: ends the override that runs; false when none does.';

create function billing.set_limit(product text, feature text, new_value bigint, at timestamptz default now())
    returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    tenants uuid[];
    counters bigint;
begin
    insert into billing.product_features (product_key, feature_key, value) values (product, feature, new_value)
    on conflict (product_key, feature_key) do update set value = excluded.value;
    -- In one order, so that two calls cannot wait for each other.
    select array_agg(locked.tenant_id) into tenants
    from (select s.tenant_id from billing.subscriptions s
          where s.ended_at is null and exists (
              select from billing.subscription_items i
              where i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.ended_at is null
                and i.product_key = product)
          order by s.tenant_id for no key update of s) as locked;
    update billing.usage_counters c
    set maximum = e.value, valid_until = e.valid_until
    from unnest(tenants) as t (tenant_id)
    cross join lateral billing.entitlements(t.tenant_id, at) e
    where c.tenant_id = t.tenant_id and c.feature_key = e.feature_key and c.feature_key = feature
      and c.period_end > at;
    get diagnostics counters = row_count;
    return counters;
end
$$;
comment on function billing.set_limit(text, text, bigint, timestamptz) is
    'lab_platform: changes what a product grants, for everybody who has it; returns the counters that follow. Null: unlimited.';

create function billing.set_price(product text, new_period text, new_amount_cents bigint,
        at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    price text;
begin
    perform from billing.products p where p.key = product for no key update;
    update billing.prices p set active_until = at
    where p.product_key = product and p.period = new_period and p.active_from < at and p.active_until > at;
    insert into billing.prices (key, product_key, period, amount_cents, active_from)
    select format('%s.%s.%s', product, new_period, count(*) + 1), product, new_period, new_amount_cents, at
    from billing.prices p where p.product_key = product and p.period = new_period
    returning key into price;
    return price;
end
$$;
comment on function billing.set_price(text, text, bigint, timestamptz) is
    'lab_platform: offers a product at another price from now on; who has it keeps the old one. Returns the price''s key.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.current_plan(uuid), billing.entitlements(uuid, timestamptz),
    billing.entitlement(uuid, text, timestamptz), billing.usage(uuid, timestamptz),
    billing.refresh_limits(uuid, timestamptz), billing.open_counter(uuid, text, timestamptz),
    billing.consume_limit(uuid, text, bigint, timestamptz), billing.release_limit(uuid, text, bigint, timestamptz)
    to lab_app, lab_platform;
grant execute on function billing.set_override(uuid, text, bigint, text, timestamptz, timestamptz, timestamptz),
    billing.end_override(uuid, text, timestamptz), billing.set_limit(text, text, bigint, timestamptz),
    billing.set_price(text, text, bigint, timestamptz) to lab_platform;
