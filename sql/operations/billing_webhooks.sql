-- The inbox of the payment provider's events. They come twice, late and in any order, and each is kept
-- once. An event only says that something changed: who processes it asks for the present state of its
-- customer, after the event came and outside of any transaction, and has billing.mirror take that over.

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

create function billing.customer_of(payload jsonb) returns text
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    told constant jsonb := payload #> '{data,object}';
begin
    return case when told ->> 'object' = 'customer' then told ->> 'id' else coalesce(told ->> 'customer', (
        select c.provider_id from billing.payments p
        join billing.customers c on c.owner_tenant_id = p.tenant_id
        where p.provider_id = told ->> 'payment_intent'
        limit 1)) end;
end
$$;
comment on function billing.customer_of(jsonb) is
    'lab_platform: the customer whom an event concerns; of a refund, by its payment; null: nobody.';

create function billing.claim_webhooks(batch integer default 100, lease interval default '1 minute',
        at timestamptz default now())
    returns table (tenant uuid, customer text, event_ids text[], asked_at timestamptz)
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_column
begin
    return query
    with due as (
        select e.id from billing.webhook_events e
        where e.status = 'pending' and e.retry_at <= at
        order by e.retry_at limit batch for update skip locked
    ), claimed as (
        update billing.webhook_events e set retry_at = at + lease
        from due where e.id = due.id
        returning e.id, billing.customer_of(e.payload) as customer
    )
    select c.owner_tenant_id, claimed.customer, array_agg(claimed.id order by claimed.id), clock_timestamp()
    from claimed left join billing.customers c on c.provider_id = claimed.customer
    group by c.owner_tenant_id, claimed.customer;
end
$$;
comment on function billing.claim_webhooks(integer, interval, timestamptz) is
    'lab_platform: takes pending events, by the customer whose state is now to be asked for (tenant null: not known yet; customer null: nobody''s); who dies with them loses them when the lease ends. Any number of workers.';

create function billing.fail_webhooks(event_ids text[], problem text, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- Again after 2, 4, 8, ... minutes, for three days.
    update billing.webhook_events e
    set status = case when e.attempts < 11 then 'pending' else 'failed' end, attempts = e.attempts + 1,
        retry_at = at + interval '2 minutes' * (2 ^ e.attempts), outcome = problem,
        owner_tenant_id = (select c.owner_tenant_id from billing.customers c
                           where c.provider_id = billing.customer_of(e.payload))
    where e.id = any (event_ids) and e.status = 'pending';
end
$$;
comment on function billing.fail_webhooks(text[], text, timestamptz) is
    'lab_platform: puts claimed events off, because the provider did not answer or its answer could not be taken over.';

create function billing.ignore_webhooks(event_ids text[], at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update billing.webhook_events e set status = 'processed', processed_at = at, outcome = 'ignored'
    where e.id = any (event_ids) and e.status = 'pending';
end
$$;
comment on function billing.ignore_webhooks(text[], timestamptz) is
    'lab_platform: ends events that concern no customer.';

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
grant execute on function billing.link_customer(uuid, text), billing.receive_webhook(jsonb, timestamptz),
    billing.customer_of(jsonb), billing.claim_webhooks(integer, interval, timestamptz),
    billing.fail_webhooks(text[], text, timestamptz), billing.ignore_webhooks(text[], timestamptz),
    billing.retry_webhook(text, timestamptz) to lab_platform;
