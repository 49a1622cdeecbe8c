-- What is owed: periods, proration, the credit a tenant has left, and issuing invoices.

-- Periods are counted from the anchor and not from one another: one begun on January 31st ends on
-- February 28th, the next on March 31st.
create function billing.period_end(anchor timestamptz, period text, after timestamptz) returns timestamptz
    language sql immutable parallel safe
begin atomic
    select case when candidate.at > after then candidate.at
                else date_add(anchor, make_interval(months => whole.months + whole.step), 'UTC') end
    from (select 12 * (extract(year from after at time zone 'UTC') - extract(year from anchor at time zone 'UTC'))::integer
                 + (extract(month from after at time zone 'UTC') - extract(month from anchor at time zone 'UTC'))::integer,
                 case period when 'year' then 12 else 1 end) as between_them (months, step)
    cross join lateral (select between_them.months / between_them.step * between_them.step, between_them.step)
        as whole (months, step)
    cross join lateral (select date_add(anchor, make_interval(months => whole.months), 'UTC')) as candidate (at);
end;
comment on function billing.period_end(timestamptz, text, timestamptz) is
    'lab_app: the first end of a month or year, counted from the anchor, that comes after a time.';

create function billing.prorate(amount_cents bigint, period_start timestamptz, period_end timestamptz,
        at timestamptz, by text default 'second') returns bigint
    language sql immutable parallel safe
begin atomic
    select case by
        when 'second' then round(amount_cents * (floor(extract(epoch from period_end)) - floor(extract(epoch from point.at)))
            / (floor(extract(epoch from period_end)) - floor(extract(epoch from period_start))))
        when 'day' then round(amount_cents::numeric
            * ((period_end at time zone 'UTC')::date - (point.at at time zone 'UTC')::date)
            / ((period_end at time zone 'UTC')::date - (period_start at time zone 'UTC')::date))
        end::bigint
    from (select least(greatest(at, period_start), period_end)) as point (at);
end;
comment on function billing.prorate(bigint, timestamptz, timestamptz, timestamptz, text) is
    'lab_app: the part of a period''s amount that is for the time from a point to the period''s end, rounded half away from zero: to the second as Stripe does, or to the day (UTC, that day included) as Lago does.';

-- Balance lines are positive where credit was carried forward and negative where it was used.
create function billing.credit_balance(tenant uuid) returns bigint
    language sql stable
begin atomic
    select coalesce(sum(l.amount_cents), 0)::bigint
    from billing.invoice_lines l
    join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id
    where l.tenant_id = tenant and l.kind = 'balance' and v.status <> 'void';
end;
comment on function billing.credit_balance(uuid) is
    'lab_app: what the tenant has left of credits that were more than their invoice.';

create type billing.line as (
    item_id             uuid,
    replaced_item_id    uuid,
    kind                text,
    product_key         text,
    price_key           text,
    unit_amount_cents   bigint,
    quantity            integer,
    period_start        timestamptz,
    period_end          timestamptz,
    amount_cents        bigint,
    amount_by_day_cents bigint
);
comment on type billing.line is
    'A line that is not on an invoice yet: a credit for an item that ends, or a charge for one that begins or goes on.';

-- Each line is rounded by itself. A credit is never more than what was paid for the item in this
-- period, less what was refunded and credited of that.
create function billing.preview_change(tenant uuid, product text, quantity integer default 1,
        new_period text default null, at timestamptz default now()) returns setof billing.line
    language sql volatile
begin atomic
    with subscription as (
        select s.*, p.kind as product_kind, wanted.period as new_period, wanted.period <> s.period as restarts,
               case when wanted.period <> s.period and s.status <> 'trialing'
                    then billing.period_end(at, wanted.period, at) else s.period_end end as new_period_end,
               case s.status when 'trialing' then 0 else 1 end as billed
        from billing.subscriptions s
        join billing.products p on p.key = product
        cross join lateral (select coalesce(preview_change.new_period, s.period)) as wanted (period)
        where s.tenant_id = tenant and s.ended_at is null
    ), item as (
        select i.*, asked.for_it, s.billed, s.period_start, s.period_end,
               case when asked.for_it then product else i.product_key end as new_product,
               case when asked.for_it then preview_change.quantity else coalesce(i.next_quantity, i.quantity) end as new_quantity
        from subscription s
        join billing.subscription_items i
            on i.tenant_id = tenant and i.subscription_id = s.id and i.ended_at is null
        cross join lateral (select i.product_key = product or i.kind = 'plan' and s.product_kind = 'plan') as asked (for_it)
        where s.restarts
           or asked.for_it and (i.product_key <> product or i.quantity <> preview_change.quantity)
    ), begun as (
        select id, product_key, price_key, new_product, new_quantity from item
        union all
        select null, null, null, product, preview_change.quantity from subscription
        where not exists (
            select from subscription s
            join billing.subscription_items i
                on i.tenant_id = tenant and i.subscription_id = s.id and i.ended_at is null
            where i.product_key = product or i.kind = 'plan' and s.product_kind = 'plan')
    )
    select i.id, i.id, 'credit', i.product_key, i.price_key, i.unit_amount_cents, i.quantity,
           at, i.period_end, -least(unused.by_second, greatest(paid.cents, 0)), -least(unused.by_day, greatest(paid.cents, 0))
    from item i
    cross join lateral (select
        i.billed * billing.prorate(i.unit_amount_cents * i.quantity, i.period_start, i.period_end, at),
        i.billed * billing.prorate(i.unit_amount_cents * i.quantity, i.period_start, i.period_end, at, 'day'))
        as unused (by_second, by_day)
    cross join lateral (
        select coalesce(sum(l.amount_cents - case when l.kind = 'charge' and pay.refunded_cents > 0
                            then ceil(l.amount_cents * pay.refunded_cents::numeric / pay.amount_cents) else 0 end), 0)::bigint
        from billing.invoice_lines l
        join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id and v.status = 'paid'
        left join billing.payments pay on pay.tenant_id = v.tenant_id and pay.invoice_id = v.id
        where l.tenant_id = tenant and l.item_id = i.id and l.period_end = i.period_end
    ) as paid (cents)
    union all
    select public.uuid_generate_v7(), b.id, 'charge', b.new_product, p.key, p.amount_cents, b.new_quantity,
           at, s.new_period_end,
           s.billed * case when s.restarts then p.amount_cents * b.new_quantity
                           else billing.prorate(p.amount_cents * b.new_quantity, s.period_start, s.period_end, at) end,
           s.billed * case when s.restarts then p.amount_cents * b.new_quantity
                           else billing.prorate(p.amount_cents * b.new_quantity, s.period_start, s.period_end, at, 'day') end
    from begun b
    cross join subscription s
    -- more of the same keeps its price
    left join billing.prices p on case when b.product_key = b.new_product and not s.restarts then p.key = b.price_key
        else p.product_key = b.new_product and p.period = s.new_period and p.active_from <= at and p.active_until > at end
    where b.new_quantity > 0;
end;
comment on function billing.preview_change(uuid, text, integer, text, timestamptz) is
    'lab_app: the lines that moving to a plan, or having so many of an add-on, would be billed with if it were done at once; amounts by the second, and by the day to compare.';

create function billing.period_lines(tenant uuid, subscription uuid) returns setof billing.line
    language sql stable
begin atomic
    select i.id, null::uuid, 'charge', i.product_key, i.price_key, i.unit_amount_cents, i.quantity,
           s.period_start, s.period_end, i.unit_amount_cents * i.quantity, i.unit_amount_cents * i.quantity
    from billing.subscriptions s
    join billing.subscription_items i
        on i.tenant_id = tenant and i.subscription_id = s.id and i.ended_at is null
    where s.tenant_id = tenant and s.id = subscription;
end;
comment on function billing.period_lines(uuid, uuid) is
    'lab_app: the lines of a whole period: every live item of the subscription.';

create function billing.issue_invoice(tenant uuid, subscription uuid, why text, lines billing.line[], at timestamptz)
    returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    invoice constant uuid := public.uuid_generate_v7();
    subtotal constant bigint := (select sum(l.amount_cents) from unnest(lines) l);
    balance bigint;
begin
    if not exists (select from unnest(lines) l where l.amount_cents <> 0) then
        return null;
    end if;
    -- What would be negative is carried forward; what was carried is used up.
    balance := case when subtotal < 0 then -subtotal else -least(subtotal, billing.credit_balance(tenant)) end;
    insert into billing.invoices
        (tenant_id, id, subscription_id, number, reason, status, total_cents, issued_at, closed_at, next_attempt_at)
    select tenant, invoice, subscription, coalesce(max(v.number), 0) + 1, why,
           case when subtotal + balance = 0 then 'paid' else 'open' end, subtotal + balance, at,
           case when subtotal + balance = 0 then at end, case when subtotal + balance > 0 then at end
    from billing.invoices v where v.tenant_id = tenant;
    insert into billing.invoice_lines (tenant_id, invoice_id, item_id, kind, amount_cents, period_start, period_end)
    select tenant, invoice, l.item_id, l.kind, l.amount_cents, l.period_start, l.period_end
    from unnest(lines) l
    union all
    select tenant, invoice, null, 'balance', balance, null, null where balance <> 0;
    return invoice;
end
$$;
comment on function billing.issue_invoice(uuid, uuid, text, billing.line[], timestamptz) is
    'lab_app: issues an invoice, complete and due at once, under the lock of the subscription; null when there is nothing to bill.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.period_end(timestamptz, text, timestamptz),
    billing.prorate(bigint, timestamptz, timestamptz, timestamptz, text), billing.credit_balance(uuid),
    billing.preview_change(uuid, text, integer, text, timestamptz), billing.period_lines(uuid, uuid),
    billing.issue_invoice(uuid, uuid, text, billing.line[], timestamptz)
    to lab_app, lab_platform;
