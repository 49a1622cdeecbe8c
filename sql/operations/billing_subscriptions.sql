-- The life of a subscription: begin, change, end. All of it under the lock of its row, taken
-- first, so that money is counted by one session at a time.

create function billing.require_billed_here(tenant uuid) returns void
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    if exists (select from billing.customers c where c.owner_tenant_id = tenant and c.mirrored_at is not null) then
        raise exception 'tenant % is billed by the provider: ask it for the change', tenant
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;
comment on function billing.require_billed_here(uuid) is
    'lab_app: raises for a tenant whose subscription is a copy of the provider''s (billing.mirror).';

create function billing.lock_subscription(tenant uuid) returns billing.subscriptions
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s billing.subscriptions;
begin
    perform billing.require_billed_here(tenant);
    select * into s from billing.subscriptions live
    where live.tenant_id = tenant and live.ended_at is null for no key update;
    if not found then
        raise exception 'tenant % has no live subscription', tenant using errcode = 'no_data_found';
    end if;
    return s;
end
$$;
comment on function billing.lock_subscription(uuid) is
    'lab_app: the live subscription of a tenant, locked until the end of the transaction; raises without one.';

create function billing.note_change(tenant uuid, subscription uuid, why text, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    with worth as (
        select s.status, s.plan_key, s.mrr_cents as before,
               case when s.status in ('active', 'past_due') then
                   round(coalesce(sum(i.unit_amount_cents * i.quantity), 0) / case s.period when 'year' then 12.0 else 1 end)::bigint
               else 0 end as after
        from billing.subscriptions s
        left join billing.subscription_items i
            on i.tenant_id = tenant and i.subscription_id = s.id and i.ended_at is null
        where s.tenant_id = tenant and s.id = subscription
        group by s.tenant_id, s.id
    ), noted as (
        insert into billing.subscription_changes
            (tenant_id, subscription_id, kind, status, plan_key, mrr_cents, mrr_delta_cents, occurred_at)
        select tenant, subscription, why, w.status, w.plan_key, w.after, w.after - w.before, at from worth w
    )
    update billing.subscriptions s set mrr_cents = w.after, updated_at = now()
    from worth w where s.tenant_id = tenant and s.id = subscription;
    perform billing.refresh_limits(tenant, at);
end
$$;
comment on function billing.note_change(uuid, uuid, text, timestamptz) is
    'lab_app: what follows from every change of a subscription: its history, its monthly worth, the tenant''s limits.';

create function billing.move_subscription(tenant uuid, subscription uuid, wanted text, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update billing.subscriptions s
    set status = wanted,
        ended_at = case when wanted in ('canceled', 'incomplete_expired') then at end,
        canceled_at = case when wanted = 'canceled' then coalesce(s.canceled_at, at) else s.canceled_at end
    where s.tenant_id = tenant and s.id = subscription;
    if wanted in ('canceled', 'incomplete_expired') then
        update billing.subscription_items i set ended_at = greatest(at, i.started_at)
        where i.tenant_id = tenant and i.subscription_id = subscription and i.ended_at is null;
        -- What is owed stays owed, but nobody is charged by itself any more.
        update billing.invoices v set next_attempt_at = null, updated_at = now()
        where v.tenant_id = tenant and v.subscription_id = subscription and v.next_attempt_at is not null;
    end if;
    if wanted = 'incomplete_expired' then
        update billing.invoices v set status = 'void', closed_at = at, updated_at = now()
        where v.tenant_id = tenant and v.subscription_id = subscription and v.status = 'open';
    end if;
    perform billing.note_change(tenant, subscription, 'status', at);
end
$$;
comment on function billing.move_subscription(uuid, uuid, text, timestamptz) is
    'lab_app: moves a locked subscription to another status, with what follows from it; raises when lab.transitions does not list that.';

create function billing.replace_items(tenant uuid, subscription uuid, lines billing.line[], at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if exists (select from unnest(lines) l where l.price_key is null) then
        raise exception 'no price is offered for % by that period',
            (select string_agg(l.product_key, ', ') from unnest(lines) l where l.price_key is null)
            using errcode = 'invalid_parameter_value';
    end if;
    update billing.subscription_items i set ended_at = at
    from unnest(lines) l
    where i.tenant_id = tenant and i.id = l.replaced_item_id and i.ended_at is null;
    insert into billing.subscription_items
        (tenant_id, id, subscription_id, kind, product_key, price_key, unit_amount_cents, quantity, started_at)
    select tenant, l.item_id, subscription, p.kind, l.product_key, l.price_key, l.unit_amount_cents, l.quantity, at
    from unnest(lines) l join billing.products p on p.key = l.product_key
    where l.kind = 'charge';
end
$$;
comment on function billing.replace_items(uuid, uuid, billing.line[], timestamptz) is
    'lab_app: ends the items that the lines replace and begins those that they charge for.';

create function billing.create_subscription(tenant uuid, plan text, new_period text default 'month',
        new_payment_method text default null, with_trial boolean default true, at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    subscription constant uuid := public.uuid_generate_v7();
    offer record;
    trial_end timestamptz;
begin
    perform billing.require_billed_here(tenant);
    select p.key, p.amount_cents, product.trial_days into offer
    from billing.products product
    join billing.prices p on p.product_key = product.key
    where product.key = plan and product.kind = 'plan' and p.period = new_period
      and p.active_from <= at and p.active_until > at;
    if not found then
        raise exception 'no plan % is offered by the %', plan, new_period using errcode = 'invalid_parameter_value';
    end if;
    -- A tenant is on trial once.
    if with_trial and offer.trial_days > 0 and not exists (
        select from billing.subscriptions s where s.tenant_id = tenant and s.trial_ends_at is not null)
    then
        trial_end := date_add(at, make_interval(days => offer.trial_days), 'UTC');
    end if;
    insert into billing.subscriptions (tenant_id, id, status, plan_key, period, payment_method,
        started_at, anchor_at, period_start, period_end, trial_ends_at)
    values (tenant, subscription, case when trial_end is null then 'incomplete' else 'trialing' end, plan, new_period,
        new_payment_method, at, at, at, coalesce(trial_end, billing.period_end(at, new_period, at)),
        trial_end)
    on conflict (tenant_id) where ended_at is null do nothing;
    if not found then
        raise exception 'tenant % has a live subscription already: change its plan', tenant
            using errcode = 'unique_violation';
    end if;
    insert into billing.subscription_items
        (tenant_id, subscription_id, kind, product_key, price_key, unit_amount_cents, quantity, started_at)
    values (tenant, subscription, 'plan', plan, offer.key, offer.amount_cents, 1, at);
    perform billing.note_change(tenant, subscription, 'created', at);
    if trial_end is null then
        perform billing.issue_invoice(tenant, subscription, 'subscription_create',
            array(select l from billing.period_lines(tenant, subscription) l), at);
        if not exists (select from billing.invoices v
                       where v.tenant_id = tenant and v.subscription_id = subscription and v.status = 'open') then
            perform billing.move_subscription(tenant, subscription, 'active', at);
        end if;
    end if;
    return subscription;
end
$$;
comment on function billing.create_subscription(uuid, text, text, text, boolean, timestamptz) is
    'lab_app: subscribes a tenant: trialing if the plan has a trial and it is the tenant''s first, incomplete until the first invoice is paid, active when there is nothing to pay.';

create function billing.change_now(s billing.subscriptions, product text, quantity integer, new_period text,
        why text, at timestamptz) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    lines constant billing.line[] := array(
        select l from billing.preview_change(s.tenant_id, product, quantity, new_period, at) l);
    restarts constant boolean := new_period <> s.period and s.status <> 'trialing';
    invoice uuid;
begin
    if exists (select from billing.invoices v
               where v.tenant_id = s.tenant_id and v.subscription_id = s.id and v.status = 'open') then
        raise exception 'subscription % has an open invoice: it must be paid first', s.id
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform billing.replace_items(s.tenant_id, s.id, lines, at);
    update billing.subscriptions target
    set plan_key = i.product_key, period = new_period,
        anchor_at = case when restarts then at else s.anchor_at end,
        period_start = case when restarts then at else s.period_start end,
        period_end = case when restarts then billing.period_end(at, new_period, at) else s.period_end end
    from billing.subscription_items i
    where target.tenant_id = s.tenant_id and target.id = s.id
      and i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null;
    invoice := billing.issue_invoice(s.tenant_id, s.id, 'subscription_update', lines, at);
    perform billing.note_change(s.tenant_id, s.id, why, at);
    return invoice;
end
$$;
comment on function billing.change_now(billing.subscriptions, text, integer, text, text, timestamptz) is
    'lab_app: has a locked subscription changed at once and issues the invoice of the proration, if there is one.';

create function billing.change_later(s billing.subscriptions, item uuid, price text, wanted integer, at timestamptz)
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update billing.subscription_items i
    set next_price_key = case when wanted > 0 then price end, next_quantity = wanted
    where i.tenant_id = s.tenant_id and i.id = item
      and (i.next_price_key, i.next_quantity) is distinct from (case when wanted > 0 then price end, wanted);
    if not found then
        raise exception 'subscription % is that already, or will be', s.id
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform billing.note_change(s.tenant_id, s.id, 'scheduled', at);
end
$$;
comment on function billing.change_later(billing.subscriptions, uuid, text, integer, timestamptz) is
    'lab_app: what is to take an item''s place when the period of a locked subscription ends; a null quantity withdraws it.';

create function billing.require_changeable(s billing.subscriptions, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if s.status not in ('trialing', 'active') then
        raise exception 'subscription % is %: only a trialing or active one can be changed', s.id, s.status
            using errcode = 'object_not_in_prerequisite_state';
    elsif s.period_end <= at then
        raise exception 'the period of subscription % has ended and is about to be renewed', s.id
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;
comment on function billing.require_changeable(billing.subscriptions, timestamptz) is
    'lab_app: raises, and says why, unless a subscription can be changed now.';

create function billing.time_of_change(s billing.subscriptions, at timestamptz) returns timestamptz
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    return greatest(at, (select max(c.occurred_at) from billing.subscription_changes c
                         where c.tenant_id = s.tenant_id and c.subscription_id = s.id));
end
$$;
comment on function billing.time_of_change(billing.subscriptions, timestamptz) is
    'lab_app: when a change of a locked subscription counts: not before the last one, which may have begun later and come first.';

create function billing.change_plan(tenant uuid, plan text, new_period text default null,
        at timestamptz default now(), out effective_at timestamptz, out invoice_id uuid)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s constant billing.subscriptions := billing.lock_subscription(tenant);
    wanted_period constant text := coalesce(new_period, s.period);
    item constant uuid := (select i.id from billing.subscription_items i where i.tenant_id = tenant
        and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null);
    climb integer;
    price text;
begin
    at := billing.time_of_change(s, at);
    perform billing.require_changeable(s, at);
    select new.rank - old.rank, p.key into climb, price
    from billing.products new
    join billing.prices p on p.product_key = new.key and p.period = wanted_period
        and p.active_from <= at and p.active_until > at
    join billing.products old on old.key = s.plan_key
    where new.key = plan and new.kind = 'plan';
    if not found then
        raise exception 'no plan % is offered by the %', plan, wanted_period using errcode = 'invalid_parameter_value';
    end if;
    effective_at := at;
    if climb = 0 and wanted_period = s.period then
        perform billing.change_later(s, item, null, null, at);
    elsif s.status = 'trialing' or climb > 0 or climb = 0 and wanted_period = 'year' then
        invoice_id := billing.change_now(s, plan, 1, wanted_period, 'plan', at);
    else
        perform billing.change_later(s, item, price, 1, at);
        effective_at := s.period_end;
    end if;
end
$$;
comment on function billing.change_plan(uuid, text, text, timestamptz) is
    'lab_app: an upgrade (higher rank, or from month to year) at once and prorated, a downgrade when the period ends; asking for the present plan withdraws a downgrade.';

create function billing.set_add_on(tenant uuid, add_on text, wanted integer, at timestamptz default now(),
        out effective_at timestamptz, out invoice_id uuid)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s constant billing.subscriptions := billing.lock_subscription(tenant);
    item billing.subscription_items;
begin
    at := billing.time_of_change(s, at);
    perform billing.require_changeable(s, at);
    perform from billing.products p where p.key = add_on and p.kind = 'add_on';
    if not found or wanted < 0 or wanted is null then
        raise exception 'there is no add-on %, or not % of it', add_on, wanted using errcode = 'invalid_parameter_value';
    end if;
    select * into item from billing.subscription_items i
    where i.tenant_id = tenant and i.subscription_id = s.id and i.product_key = add_on and i.ended_at is null;
    effective_at := at;
    if wanted = coalesce(item.quantity, 0) then
        perform billing.change_later(s, item.id, null, null, at);
    elsif s.status = 'trialing' or wanted > coalesce(item.quantity, 0) then
        invoice_id := billing.change_now(s, add_on, wanted, s.period, 'add_on', at);
    else
        perform billing.change_later(s, item.id, item.price_key, wanted, at);
        effective_at := s.period_end;
    end if;
end
$$;
comment on function billing.set_add_on(uuid, text, integer, timestamptz) is
    'lab_app: has so many of an add-on: more at once and prorated, fewer when the period ends; asking for the present number withdraws that.';

create function billing.cancel_subscription(tenant uuid, at_period_end boolean default true,
        at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s constant billing.subscriptions := billing.lock_subscription(tenant);
begin
    at := billing.time_of_change(s, at);
    if not at_period_end then
        perform billing.move_subscription(tenant, s.id, 'canceled', at);
        return;
    end if;
    perform billing.require_changeable(s, at);
    if s.cancel_at_period_end then
        raise exception 'subscription % is to end on % already', s.id, s.period_end
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    update billing.subscriptions target
    set cancel_at_period_end = true, canceled_at = at
    where target.tenant_id = tenant and target.id = s.id;
    perform billing.note_change(tenant, s.id, 'cancellation', at);
end
$$;
comment on function billing.cancel_subscription(uuid, boolean, timestamptz) is
    'lab_app: ends a subscription with its period, or at once; time that was paid for is not given back (that is a refund).';

create function billing.set_payment_method(tenant uuid, new_payment_method text, at timestamptz default now())
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s constant billing.subscriptions := billing.lock_subscription(tenant);
begin
    update billing.subscriptions target set payment_method = new_payment_method, updated_at = now()
    where target.tenant_id = tenant and target.id = s.id;
    update billing.invoices v set next_attempt_at = at, updated_at = now()
    where v.tenant_id = tenant and v.subscription_id = s.id and v.status = 'open';
end
$$;
comment on function billing.set_payment_method(uuid, text, timestamptz) is
    'lab_app: changes what is charged; what is open is tried at once.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.require_billed_here(uuid), billing.lock_subscription(uuid), billing.note_change(uuid, uuid, text, timestamptz),
    billing.move_subscription(uuid, uuid, text, timestamptz),
    billing.replace_items(uuid, uuid, billing.line[], timestamptz),
    billing.create_subscription(uuid, text, text, text, boolean, timestamptz),
    billing.change_now(billing.subscriptions, text, integer, text, text, timestamptz),
    billing.change_later(billing.subscriptions, uuid, text, integer, timestamptz),
    billing.require_changeable(billing.subscriptions, timestamptz),
    billing.time_of_change(billing.subscriptions, timestamptz),
    billing.change_plan(uuid, text, text, timestamptz), billing.set_add_on(uuid, text, integer, timestamptz),
    billing.cancel_subscription(uuid, boolean, timestamptz), billing.set_payment_method(uuid, text, timestamptz)
    to lab_app, lab_platform;
