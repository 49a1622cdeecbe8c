-- The inbox of the payment provider's events, in Stripe's shape. They come twice, late and in any
-- order: each is kept once, an older one never overwrites what a newer one said, and one that comes
-- before what it speaks of waits.

create function billing.link_customer(tenant uuid, customer text) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform from public.tenants t where t.id = tenant;
    if not found then
        raise exception 'tenant % does not exist', tenant using errcode = 'invalid_parameter_value';
    end if;
    insert into billing.customers as c (provider_id, owner_tenant_id) values (customer, tenant)
    on conflict (provider_id) do update set owner_tenant_id = excluded.owner_tenant_id
        where c.owner_tenant_id = excluded.owner_tenant_id;
    if not found then
        raise exception 'customer % is another tenant''s', customer using errcode = 'unique_violation';
    end if;
end
$$;
comment on function billing.link_customer(uuid, text) is
    'lab_platform: says which customer at the provider a tenant is; once and for all.';

create function billing.receive_webhook(event jsonb, at timestamptz default now()) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into billing.webhook_events (id, type, payload, occurred_at, received_at, retry_at)
    values (event ->> 'id', event ->> 'type', event, to_timestamp((event ->> 'created')::bigint), at, at)
    on conflict (id) do nothing;
    return found;
end
$$;
comment on function billing.receive_webhook(jsonb, timestamptz) is
    'lab_platform: keeps a verified event to be processed; false when it was there already.';

create function billing.states_between(present text, wanted text) returns text[]
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    path text[];
begin
    with recursive walk (status, path) as (
        select present, '{}'::text[]
        union all
        select t.to_status, walk.path || t.to_status
        from walk
        join lab.transitions t on t.table_name = 'billing.subscriptions' and t.from_status = walk.status
        where t.to_status <> all (walk.path) and t.to_status <> present
    )
    select walk.path into path from walk where walk.status = wanted
    order by cardinality(walk.path) limit 1;
    if not found then
        raise exception 'a subscription cannot go from % to %', present, wanted using errcode = 'check_violation';
    end if;
    return path;
end
$$;
comment on function billing.states_between(text, text) is
    'lab_platform: the states through which a subscription comes to another by the shortest way, that one included; raises when there is none.';

create function billing.apply_subscription(tenant uuid, event billing.webhook_events, at timestamptz) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    told constant jsonb := event.payload #> '{data,object}';
    -- Within one second the later state is the newer one.
    life constant text[] := '{incomplete,trialing,paused,active,past_due,unpaid,incomplete_expired,canceled}';
    s billing.subscriptions;
    path text[];
    step text;
begin
    select * into s from billing.subscriptions mine
    where mine.tenant_id = tenant and mine.id = (told #>> '{metadata,subscription_id}')::uuid for no key update;
    if not found then
        raise exception 'subscription % is not known yet', told #>> '{metadata,subscription_id}' using errcode = 'no_data_found';
    end if;
    if (event.occurred_at, array_position(life, told ->> 'status'), event.id)
       <= (date_trunc('second', s.as_of), array_position(life, s.status), coalesce(s.as_of_event, '')) then
        return 'stale';
    end if;
    if s.status <> told ->> 'status' then
        path := billing.states_between(s.status, told ->> 'status');  -- events may be missing
        foreach step in array path loop
            perform billing.move_subscription(tenant, s.id, step, event.occurred_at, event.id);
        end loop;
    end if;
    update billing.subscriptions mine
    set cancel_at_period_end = coalesce((told ->> 'cancel_at_period_end')::boolean, mine.cancel_at_period_end),
        provider_id = told ->> 'id', as_of = event.occurred_at, as_of_event = event.id, updated_at = now()
    where mine.tenant_id = tenant and mine.id = s.id;
    return 'applied';
end
$$;
comment on function billing.apply_subscription(uuid, billing.webhook_events, timestamptz) is
    'lab_platform: takes over what an event says of a subscription (status and whether it is to end), unless something newer did: applied or stale.';

create function billing.apply_webhook(event billing.webhook_events, tenant uuid, at timestamptz) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    told constant jsonb := event.payload #> '{data,object}';
begin
    if event.type like 'customer.subscription.%' then
        return billing.apply_subscription(tenant, event, at);
    elsif event.type in ('payment_intent.succeeded', 'payment_intent.payment_failed') then
        perform billing.finish_payment(tenant, (told #>> '{metadata,attempt_id}')::uuid,
            event.type = 'payment_intent.succeeded', told ->> 'id', told #>> '{last_payment_error,code}', event.occurred_at);
        return 'applied';
    elsif event.type in ('refund.updated', 'refund.failed') and told ->> 'status' in ('succeeded', 'failed') then
        perform billing.finish_refund(tenant, (told #>> '{metadata,refund_id}')::uuid,
            told ->> 'status' = 'succeeded', told ->> 'id', event.occurred_at);
        return 'applied';
    end if;
    return 'ignored';
end
$$;
comment on function billing.apply_webhook(billing.webhook_events, uuid, timestamptz) is
    'lab_platform: does what one event asks for: applied, stale or ignored.';

create function billing.process_webhooks(batch integer default 100, at timestamptz default now())
    returns table (event_id text, outcome text)
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_column
declare
    event billing.webhook_events;
    tenant uuid;
    problem text;
begin
    for event in
        select * from billing.webhook_events e where e.status = 'pending' and e.retry_at <= at
          and not exists (select from billing.customers c  -- whom billing.mirror is for
                          where c.provider_id = e.payload #>> '{data,object,customer}' and c.mirrored_at is not null)
        order by e.occurred_at, e.id limit batch for update skip locked
    loop
        problem := null;
        begin
            select c.owner_tenant_id into tenant from billing.customers c
            where c.provider_id = event.payload #>> '{data,object,customer}';
            if not found then
                raise exception 'customer % is not known yet', event.payload #>> '{data,object,customer}'
                    using errcode = 'no_data_found';
            end if;
            outcome := billing.apply_webhook(event, tenant, at);
        exception when others then  -- whatever it is, the other events go on, and this one is kept
            problem := sqlerrm;
            outcome := 'failed';
        end;
        -- Again after 2, 4, 8, ... minutes, for three days.
        update billing.webhook_events e
        set owner_tenant_id = coalesce(tenant, e.owner_tenant_id),
            status = case when problem is null then 'processed' when e.attempts < 11 then 'pending' else 'failed' end,
            processed_at = case when problem is null then at end,
            attempts = e.attempts + case when problem is null then 0 else 1 end,
            retry_at = case when problem is null then e.retry_at else at + interval '2 minutes' * (2 ^ e.attempts) end,
            outcome = coalesce(problem, process_webhooks.outcome)
        where e.id = event.id;
        event_id := event.id;
        return next;
    end loop;
end
$$;
comment on function billing.process_webhooks(integer, timestamptz) is
    'lab_platform: processes pending events, oldest first, each by itself; one that fails is tried again for three days and then kept as failed. Any number of workers.';

create function billing.retry_webhook(event_id text, at timestamptz default now()) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update billing.webhook_events e set status = 'pending', attempts = 0, retry_at = at
    where e.id = event_id and e.status = 'failed';
    return found;
end
$$;
comment on function billing.retry_webhook(text, timestamptz) is
    'lab_platform: puts a failed event back among the pending ones; false when it is not failed.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.link_customer(uuid, text), billing.states_between(text, text), billing.receive_webhook(jsonb, timestamptz),
    billing.apply_subscription(uuid, billing.webhook_events, timestamptz),
    billing.apply_webhook(billing.webhook_events, uuid, timestamptz),
    billing.process_webhooks(integer, timestamptz), billing.retry_webhook(text, timestamptz) to lab_platform;
