-- What the payment provider holds of a customer is taken over, whole. It may bill a tenant (subscriptions,
-- invoices), whose copy is then kept here; or it only charges what is billed here. Neither the order of
-- events nor their number matters, since none is believed: only a state asked for earlier is refused.

create function billing.provider_key(provider_id text) returns uuid
    language sql immutable parallel safe
begin atomic
    select md5(provider_id)::uuid;
end;
comment on function billing.provider_key(text) is
    'lab_platform: the key under which an object of the provider''s is kept here.';

create function billing.instant(seconds text) returns timestamptz
    language sql immutable parallel safe
begin atomic
    select to_timestamp(seconds::bigint);
end;
comment on function billing.instant(text) is
    'lab_platform: a time as the provider tells it, in whole seconds since 1970.';

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

create function billing.mirror_item(tenant uuid, subscription uuid, price text, wanted integer, starts timestamptz)
    returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    item uuid;
begin
    select i.id into item from billing.subscription_items i
    where i.tenant_id = tenant and i.subscription_id = subscription and i.price_key = price
      and i.quantity = wanted and i.started_at <= starts and (i.ended_at is null or i.ended_at >= starts)
    order by i.started_at desc limit 1;
    if found then
        return item;
    end if;
    item := billing.provider_key(subscription || price || wanted || starts);
    -- Whether it lives is the state's to say: until then it counts as ended.
    insert into billing.subscription_items (tenant_id, id, subscription_id, kind, product_key, price_key,
        unit_amount_cents, quantity, started_at, ended_at)
    select tenant, item, subscription, p.kind, p.key, c.key, c.amount_cents, wanted, starts, starts
    from billing.prices c join billing.products p on p.key = c.product_key
    where c.key = price
    on conflict (tenant_id, id) do nothing;
    if not found and not exists (select from billing.prices c where c.key = price) then
        raise exception 'the provider sells at a price % that is not known here', price using errcode = 'no_data_found';
    end if;
    return item;
end
$$;
comment on function billing.mirror_item(uuid, uuid, text, integer, timestamptz) is
    'lab_platform: the item of a subscription that has so many at a price at a time; made, as ended, if there is none.';

create function billing.mirror_subscription(tenant uuid, told jsonb) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s billing.subscriptions;
    subscription uuid;
    item jsonb;
    kept uuid[] := '{}';
    added boolean := false;
    path text[];
    step text;
    starts constant timestamptz := billing.instant(told ->> 'created');
    changed constant timestamptz := billing.instant(told ->> 'changed');
    plan text;
begin
    select p.key into plan from jsonb_array_elements(told -> 'items') i
    join billing.prices c on c.key = i ->> 'price' join billing.products p on p.key = c.product_key and p.kind = 'plan';
    if not found then
        raise exception 'subscription % has no plan that is known here', told ->> 'id' using errcode = 'no_data_found';
    end if;
    select mine.* into s from billing.subscriptions mine
    where mine.tenant_id = tenant and mine.provider_id = told ->> 'id' for no key update;
    if not found then
        insert into billing.subscriptions (tenant_id, id, status, plan_key, period, provider_id, started_at, anchor_at,
            period_start, period_end, trial_ends_at, canceled_at, ended_at)
        values (tenant, billing.provider_key(told ->> 'id'), told ->> 'status', plan, told ->> 'period', told ->> 'id', starts, starts,
            billing.instant(told ->> 'period_start'), billing.instant(told ->> 'period_end'),
            billing.instant(told ->> 'trial_end'), billing.instant(told ->> 'canceled_at'),
            billing.instant(told ->> 'ended_at'))
        returning * into s;
        added := true;
    end if;
    subscription := s.id;
    for item in select * from jsonb_array_elements(told -> 'items') loop
        kept := kept || billing.mirror_item(tenant, subscription, item ->> 'price', (item ->> 'quantity')::integer,
            billing.instant(item ->> 'started'));
    end loop;
    update billing.subscription_items i set ended_at = greatest(changed, i.started_at)
    where i.tenant_id = tenant and i.subscription_id = subscription and i.ended_at is null
      and (i.id <> all (kept) or told ->> 'ended_at' is not null);
    if told ->> 'ended_at' is null then
        update billing.subscription_items i set ended_at = null
        where i.tenant_id = tenant and i.id = any (kept) and i.ended_at is not null;
    end if;
    if s.status <> told ->> 'status' then
        -- What lay between was not seen: walk through it.
        path := billing.states_between(s.status, told ->> 'status');
        foreach step in array path loop
            update billing.subscriptions mine
            set status = step, ended_at = case when step in ('canceled', 'incomplete_expired') then changed end
            where mine.tenant_id = tenant and mine.id = subscription;
        end loop;
    end if;
    update billing.subscriptions mine
    set plan_key = plan, period = told ->> 'period', payment_method = told ->> 'payment_method',
        period_start = billing.instant(told ->> 'period_start'), period_end = billing.instant(told ->> 'period_end'),
        trial_ends_at = billing.instant(told ->> 'trial_end'),
        cancel_at_period_end = (told ->> 'cancel_at_period_end')::boolean,
        canceled_at = billing.instant(told ->> 'canceled_at'), ended_at = billing.instant(told ->> 'ended_at')
    where mine.tenant_id = tenant and mine.id = subscription
      and (mine.status, mine.plan_key, mine.period, mine.payment_method, mine.period_end, mine.cancel_at_period_end, mine.ended_at)
          is distinct from (s.status, plan, told ->> 'period', told ->> 'payment_method',
              billing.instant(told ->> 'period_end'), (told ->> 'cancel_at_period_end')::boolean,
              billing.instant(told ->> 'ended_at'));
    if added or found or s.status <> told ->> 'status' then
        perform billing.note_change(tenant, subscription, case when added then 'created' when s.status <> told ->> 'status' then 'status'
            when s.plan_key <> plan then 'plan' when s.period_end < billing.instant(told ->> 'period_end') then 'renewed'
            when not s.cancel_at_period_end and (told ->> 'cancel_at_period_end')::boolean then 'cancellation'
            else 'add_on' end, changed);
    end if;
    return subscription;
end
$$;
comment on function billing.mirror_subscription(uuid, jsonb) is
    'lab_platform: copies the present state of a subscription: status, plan, add-ons, period; returns its key here.';

create function billing.mirror_invoice(tenant uuid, told jsonb) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    invoice constant uuid := billing.provider_key(told ->> 'id');
    closed constant timestamptz := billing.instant(told ->> 'closed_at');
    subscription uuid;
    line jsonb;
    item uuid;
    cents bigint;
    starts timestamptz;
    ends timestamptz;
    known text;
begin
    select v.status into known from billing.invoices v where v.tenant_id = tenant and v.id = invoice;
    if not found then
        select s.id into strict subscription from billing.subscriptions s
        where s.tenant_id = tenant and s.provider_id = told ->> 'subscription';
        insert into billing.invoices (tenant_id, id, subscription_id, number, reason, status, total_cents, issued_at, closed_at, attempts)
        select tenant, invoice, subscription, coalesce(max(v.number), 0) + 1, told ->> 'reason', told ->> 'status',
               (told ->> 'amount_due')::bigint, billing.instant(told ->> 'issued_at'), closed, (told ->> 'attempts')::integer
        from billing.invoices v where v.tenant_id = tenant;
        for line in select * from jsonb_array_elements(told -> 'lines') loop
            starts := billing.instant(line ->> 'start');
            ends := billing.instant(line ->> 'end');
            cents := (line ->> 'amount')::bigint;
            item := billing.mirror_item(tenant, subscription, line ->> 'price', (line ->> 'quantity')::integer, starts);
            -- Of an item that was replaced before it was ever seen, the lines tell how long it was there.
            update billing.subscription_items i
            set ended_at = case when cents < 0 then least(i.ended_at, starts)
                else greatest(i.ended_at, least(ends, (select s.ended_at from billing.subscriptions s
                    where s.tenant_id = tenant and s.id = subscription))) end
            where i.tenant_id = tenant and i.id = item and i.ended_at is not null;
            insert into billing.invoice_lines (tenant_id, id, invoice_id, item_id, kind, amount_cents, period_start, period_end)
            values (tenant, billing.provider_key(line ->> 'id'), invoice, item,
                case when cents < 0 then 'credit' else 'charge' end, cents, starts, ends);
        end loop;
        -- Credit that was used up, or carried forward.
        insert into billing.invoice_lines (tenant_id, id, invoice_id, kind, amount_cents)
        select tenant, billing.provider_key('balance/' || (told ->> 'id')), invoice, 'balance', used.cents
        from (select (told ->> 'amount_due')::bigint - (told ->> 'total')::bigint) as used (cents)
        where used.cents <> 0;
    else
        update billing.invoices v
        set status = told ->> 'status', closed_at = closed, attempts = (told ->> 'attempts')::integer, updated_at = now()
        where v.tenant_id = tenant and v.id = invoice
          and (v.status, v.attempts) is distinct from (told ->> 'status', (told ->> 'attempts')::integer);
    end if;
end
$$;
comment on function billing.mirror_invoice(uuid, jsonb) is
    'lab_platform: copies an invoice with its lines, which never change, and its status, which does.';

create function billing.mirror_payment(tenant uuid, told jsonb) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    payment constant uuid := billing.provider_key(told ->> 'id');
    wanted constant text := told ->> 'status';
    ended constant timestamptz := billing.instant(told ->> 'ended_at');
    refund jsonb;
begin
    insert into billing.payments as p
        (tenant_id, id, invoice_id, amount_cents, refunded_cents, status, provider_id, created_at, succeeded_at)
    values (tenant, payment, billing.provider_key(told ->> 'invoice'), (told ->> 'amount')::bigint, (told ->> 'refunded')::bigint,
        wanted, told ->> 'id', billing.instant(told ->> 'created'), case wanted when 'succeeded' then ended end)
    on conflict (tenant_id, id) do update
        set status = excluded.status, succeeded_at = excluded.succeeded_at, refunded_cents = excluded.refunded_cents, updated_at = now()
        where (p.status, p.refunded_cents) is distinct from (excluded.status, excluded.refunded_cents);
    -- The provider tells of the last attempt alone: one that failed and one that did not are kept.
    update billing.payment_attempts a
    set status = wanted, failure_code = case wanted when 'failed' then told ->> 'failure' end, finished_at = ended
    where a.tenant_id = tenant and a.payment_id = payment and a.status = 'pending' and wanted <> 'pending';
    if not found then
        insert into billing.payment_attempts
            (tenant_id, id, payment_id, payment_method, status, failure_code, created_at, finished_at)
        values (tenant, billing.provider_key((told ->> 'id') || '/' || wanted), payment, told ->> 'method', wanted,
            case wanted when 'failed' then told ->> 'failure' end, billing.instant(told ->> 'created'),
            case when wanted <> 'pending' then ended end)
        on conflict (tenant_id, id) do nothing;
    end if;
    for refund in select * from jsonb_array_elements(told -> 'refunds') loop
        insert into billing.refunds as r
            (tenant_id, id, payment_id, amount_cents, reason, status, provider_id, created_at, finished_at)
        values (tenant, billing.provider_key(refund ->> 'id'), payment, (refund ->> 'amount')::bigint,
            coalesce(refund ->> 'reason', ''), refund ->> 'status', refund ->> 'id', billing.instant(refund ->> 'created'),
            case when refund ->> 'status' <> 'pending' then billing.instant(refund ->> 'created') end)
        on conflict (tenant_id, id) do update set status = excluded.status, finished_at = excluded.finished_at
            where r.status <> excluded.status;
    end loop;
end
$$;
comment on function billing.mirror_payment(uuid, jsonb) is
    'lab_platform: copies a payment, its last attempt and its refunds.';

create function billing.mirror_charge(tenant uuid, told jsonb) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    refund jsonb;
    ended constant timestamptz := billing.instant(told ->> 'ended_at');
begin
    if told ->> 'status' <> 'pending' then
        perform billing.finish_payment(tenant, (told ->> 'attempt')::uuid, told ->> 'status' = 'succeeded', told ->> 'id',
            told ->> 'failure', ended);
    end if;
    for refund in select * from jsonb_array_elements(told -> 'refunds') r
                  where r ->> 'refund' is not null and r ->> 'status' <> 'pending' loop
        perform billing.finish_refund(tenant, (refund ->> 'refund')::uuid, refund ->> 'status' = 'succeeded', refund ->> 'id',
            billing.instant(refund ->> 'created'));
    end loop;
end
$$;
comment on function billing.mirror_charge(uuid, jsonb) is
    'lab_platform: records what became of an attempt that was begun here (billing.begin_payment), and of its refunds; both are final, so that a state asked for earlier does no harm.';

create function billing.mirror(customer text, told jsonb, asked_at timestamptz, event_ids text[] default '{}',
        at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    mine billing.customers;
    part jsonb;
    result text := 'stale';
begin
    select * into mine from billing.customers c where c.provider_id = customer for no key update;
    if not found then
        raise exception 'customer % is not known yet', customer using errcode = 'no_data_found';
    end if;
    if mine.mirrored_at is null or asked_at > mine.mirrored_at then
        for part in select * from jsonb_array_elements(told -> 'subscriptions') s
                    order by s ->> 'ended_at' is null, (s ->> 'created')::bigint, s ->> 'id' loop
            perform billing.mirror_subscription(mine.owner_tenant_id, part);
        end loop;
        for part in select * from jsonb_array_elements(told -> 'invoices') v order by (v ->> 'issued_at')::bigint, v ->> 'id' loop
            perform billing.mirror_invoice(mine.owner_tenant_id, part);
        end loop;
        for part in select * from jsonb_array_elements(told -> 'payments') loop
            perform billing.mirror_payment(mine.owner_tenant_id, part);
        end loop;
        for part in select * from jsonb_array_elements(told -> 'charges') loop
            perform billing.mirror_charge(mine.owner_tenant_id, part);
        end loop;
        -- Whom the provider sold a subscription to, it bills from now on.
        update billing.customers c set mirrored_at = mirror.asked_at
        where c.provider_id = customer and (mine.mirrored_at is not null or told #> '{subscriptions,0}' is not null);
        result := 'applied';
    end if;
    update billing.webhook_events e
    set status = 'processed', processed_at = at, outcome = result, owner_tenant_id = mine.owner_tenant_id
    where e.id = any (event_ids) and e.status = 'pending';
    return result;
end
$$;
comment on function billing.mirror(text, jsonb, timestamptz, text[], timestamptz) is
    'lab_platform: takes over what the provider holds of a customer, asked for at a time (billing.claim_webhooks), and ends the events that led to it: applied, or stale when what was asked for later is here already.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.provider_key(text), billing.instant(text), billing.states_between(text, text),
    billing.mirror_item(uuid, uuid, text, integer, timestamptz), billing.mirror_subscription(uuid, jsonb),
    billing.mirror_invoice(uuid, jsonb), billing.mirror_payment(uuid, jsonb), billing.mirror_charge(uuid, jsonb),
    billing.mirror(text, jsonb, timestamptz, text[], timestamptz) to lab_platform;
