-- What time does to a subscription: its periods are renewed, its trial ends, it expires; and taking it up
-- again before or after that.

create function billing.renew(s billing.subscriptions, begins timestamptz, at timestamptz) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    next_period constant text := coalesce((
        select p.period from billing.subscription_items i join billing.prices p on p.key = i.next_price_key
        where i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null), s.period);
    anchor constant timestamptz := case when s.status = 'active' and next_period = s.period then s.anchor_at else begins end;
    -- What waited for the end of the period, and what must be priced by the new one.
    successors constant billing.line[] := array(
        select row (public.uuid_generate_v7(), i.id, case when i.next_quantity = 0 then 'credit' else 'charge' end,
                    old.product_key, p.key, p.amount_cents, coalesce(i.next_quantity, i.quantity), begins, null, 0, 0)::billing.line
        from billing.subscription_items i
        join billing.prices old on old.key = coalesce(i.next_price_key, i.price_key)
        left join billing.prices p on case when old.period = next_period then p.key = old.key
            else p.product_key = old.product_key and p.period = next_period
                 and p.active_from <= at and p.active_until > at end
        where i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.ended_at is null
          and (i.next_quantity is not null or old.period <> next_period));
begin
    perform billing.replace_items(s.tenant_id, s.id, successors, begins);
    update billing.subscriptions target
    set status = 'active', plan_key = i.product_key, period = next_period, anchor_at = anchor,
        period_start = begins, period_end = billing.period_end(anchor, next_period, begins)
    from billing.subscription_items i
    where target.tenant_id = s.tenant_id and target.id = s.id
      and i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null;
    perform billing.note_change(s.tenant_id, s.id, 'renewed', at);
    return billing.issue_invoice(s.tenant_id, s.id, 'subscription_cycle',
        array(select l from billing.period_lines(s.tenant_id, s.id) l), at);
end
$$;
comment on function billing.renew(billing.subscriptions, timestamptz, timestamptz) is
    'lab_app: begins the next period of a locked subscription with what was to take effect then, and issues its invoice.';

create function billing.resume_subscription(tenant uuid, new_payment_method text default null,
        at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s constant billing.subscriptions := billing.lock_subscription(tenant);
begin
    if s.status = 'paused' then
        if coalesce(new_payment_method, s.payment_method) is null then
            raise exception 'subscription % needs a payment method to be resumed', s.id
                using errcode = 'object_not_in_prerequisite_state';
        end if;
        update billing.subscriptions target
        set payment_method = coalesce(new_payment_method, target.payment_method)
        where target.tenant_id = tenant and target.id = s.id;
        return billing.renew(s, at, at);
    elsif s.cancel_at_period_end and s.status in ('trialing', 'active') then
        update billing.subscriptions target
        set cancel_at_period_end = false, canceled_at = null
        where target.tenant_id = tenant and target.id = s.id;
        perform billing.note_change(tenant, s.id, 'resumed', at);
        return null;
    end if;
    raise exception 'subscription % is % and not to be canceled: there is nothing to resume', s.id, s.status
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
comment on function billing.resume_subscription(uuid, text, timestamptz) is
    'lab_app: withdraws a cancellation, or begins the first paid period of a paused subscription; returns its invoice.';

create function billing.advance_subscription(s billing.subscriptions, at timestamptz) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if s.status = 'incomplete' then
        perform billing.move_subscription(s.tenant_id, s.id, 'incomplete_expired', at);
        return 'incomplete_expired';
    elsif s.cancel_at_period_end then
        perform billing.move_subscription(s.tenant_id, s.id, 'canceled', at);
        return 'canceled';
    elsif s.status = 'trialing' and s.payment_method is null then
        perform billing.move_subscription(s.tenant_id, s.id, 'paused', at);
        return 'paused';
    end if;
    perform billing.renew(s, s.period_end, at);
    return 'renewed';
end
$$;
comment on function billing.advance_subscription(billing.subscriptions, timestamptz) is
    'lab_platform: does what time has made due for a locked subscription; returns what that was.';

create function billing.advance_subscriptions(batch integer default 100, at timestamptz default now())
    returns table (tenant_id uuid, subscription_id uuid, outcome text)
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_column
declare
    s billing.subscriptions;
begin
    for tenant_id, subscription_id in
        select due.tenant_id, due.id from billing.subscriptions due
        where due.due_at <= at and not exists (  -- the provider renews those
            select from billing.customers c where c.owner_tenant_id = due.tenant_id and c.mirrored_at is not null)
        order by due.due_at
    loop
        exit when batch <= 0;
        select * into s from billing.subscriptions mine
        where mine.tenant_id = advance_subscriptions.tenant_id and mine.id = advance_subscriptions.subscription_id
          and mine.due_at <= at for no key update skip locked;
        continue when not found;
        begin
            outcome := billing.advance_subscription(s, at);
        exception when data_exception or integrity_constraint_violation then
            outcome := 'failed: ' || sqlerrm;  -- one that cannot be renewed must not hold up the rest
        end;
        batch := batch - 1;
        return next;
    end loop;
end
$$;
comment on function billing.advance_subscriptions(integer, timestamptz) is
    'lab_platform: does what time has made due, oldest first: renews, ends trials, cancels, expires. Any number of workers.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.renew(billing.subscriptions, timestamptz, timestamptz),
    billing.resume_subscription(uuid, text, timestamptz) to lab_app, lab_platform;
grant execute on function billing.advance_subscription(billing.subscriptions, timestamptz),
    billing.advance_subscriptions(integer, timestamptz) to lab_platform;
