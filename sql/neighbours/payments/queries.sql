-- Payments: what the receiver, the processor and the comparison of both ledgers ask.

-- name: receive
select billing.receive_webhook(event::jsonb) from unnest(%s::text[]) as e (event);

-- name: claim
select tenant, customer, event_ids, asked_at from billing.claim_webhooks(%(batch)s, at => %(at)s);

-- name: mirror
select billing.mirror(%(customer)s, %(told)s, %(asked_at)s, %(event_ids)s);

-- name: link
select billing.link_customer(%(tenant)s, %(customer)s);

-- name: ignore
select billing.ignore_webhooks(%(event_ids)s);

-- name: fail
select billing.fail_webhooks(%(event_ids)s, %(problem)s);

-- name: new_tenant
insert into public.tenants (id, name, status) values (%(tenant)s, %(name)s, 'active');

-- name: catalog
select p.key, p.product_key, product.name, p.period, p.amount_cents
from billing.prices p join billing.products product on product.key = p.product_key
where p.active_until = 'infinity'
order by p.key;

-- name: preview
select sum(amount_cents)::bigint from billing.preview_change(%(tenant)s, %(plan)s, at => to_timestamp(%(at)s));

-- name: pending
select count(*) from billing.webhook_events where status = 'pending';

-- name: inbox
select count(*) as events, count(*) filter (where status = 'processed') as processed,
       count(*) filter (where status = 'failed') as failed, count(distinct id) as distinct_events,
       count(*) filter (where outcome = 'stale') as stale
from billing.webhook_events;

-- name: ledger
select count(*) as invoices,
       (select coalesce(sum(amount_cents), 0)::bigint from billing.payments where status = 'succeeded') as paid_cents,
       (select coalesce(sum(amount_cents), 0)::bigint from billing.refunds where status = 'succeeded') as refunded_cents,
       (select count(*) from billing.payment_attempts where status = 'failed') as declined,
       coalesce(sum(total_cents) filter (where status in ('open', 'uncollectible')), 0)::bigint as open_cents
from billing.invoices;

-- name: differences
-- Between what the provider holds of a customer and what is here; sentences, none when they agree.
with told as (select %(told)s::jsonb as state, %(tenant)s::uuid as tenant),
theirs as (
    select 'subscription' as kind, s ->> 'id' as id, jsonb_build_array(s ->> 'status', s ->> 'period_end', s ->> 'ended_at',
               s ->> 'cancel_at_period_end', s ->> 'payment_method', case when s ->> 'ended_at' is null then (
                   select jsonb_agg(jsonb_build_array(i ->> 'price', i ->> 'quantity') order by i ->> 'price')
                   from jsonb_array_elements(s -> 'items') i) end) as held
    from told, jsonb_array_elements(state -> 'subscriptions') s
    union all
    select 'invoice', billing.provider_key(v ->> 'id')::text, jsonb_build_array(v ->> 'status', v ->> 'amount_due',
               v ->> 'attempts', (select jsonb_agg((l ->> 'amount')::bigint order by (l ->> 'amount')::bigint)
                                  from jsonb_array_elements(v -> 'lines') l))
    from told, jsonb_array_elements(state -> 'invoices') v
    union all
    select 'payment', p ->> 'id', jsonb_build_array(p ->> 'status', p ->> 'amount', p ->> 'refunded')
    from told, jsonb_array_elements(state -> 'payments') p
    union all
    select 'refund', r ->> 'id', jsonb_build_array(r ->> 'status', r ->> 'amount')
    from told, jsonb_array_elements(state -> 'payments') p, jsonb_array_elements(p -> 'refunds') r
), ours as (
    select 'subscription' as kind, s.provider_id as id, jsonb_build_array(s.status, extract(epoch from s.period_end)::bigint::text,
               extract(epoch from s.ended_at)::bigint::text, s.cancel_at_period_end::text, s.payment_method,
               case when s.ended_at is null then (
                   select jsonb_agg(jsonb_build_array(i.price_key, i.quantity::text) order by i.price_key)
                   from billing.subscription_items i
                   where i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.ended_at is null) end) as held
    from billing.subscriptions s join told on s.tenant_id = told.tenant
    union all
    select 'invoice', v.id::text, jsonb_build_array(v.status, v.total_cents::text, v.attempts::text, (
               select jsonb_agg(l.amount_cents order by l.amount_cents) from billing.invoice_lines l
               where l.tenant_id = v.tenant_id and l.invoice_id = v.id and l.kind <> 'balance'))
    from billing.invoices v join told on v.tenant_id = told.tenant
    union all
    select 'payment', p.provider_id, jsonb_build_array(p.status, p.amount_cents::text, p.refunded_cents::text)
    from billing.payments p join told on p.tenant_id = told.tenant
    union all
    select 'refund', r.provider_id, jsonb_build_array(r.status, r.amount_cents::text)
    from billing.refunds r join told on r.tenant_id = told.tenant
)
select format('%%s %%s: %%s at the provider, %%s here', kind, id, coalesce(theirs.held::text, 'nothing'), coalesce(ours.held::text, 'nothing'))
from theirs full join ours using (kind, id)
where theirs.held is distinct from ours.held
order by kind, id;

-- name: diverged
-- How many subscriptions would be in another state than the provider's, had their events been applied as they are.
with told as (
    select e.payload #>> '{data,object,id}' as id, e.payload #>> '{data,object,status}' as status,
           e.payload #>> '{data,object,cancel_at_period_end}' as ends, e.occurred_at, e.received_at, e.id as event
    from billing.webhook_events e
    where e.type like 'customer.subscription.%'
), held as (
    select s.provider_id as id, s.status, s.cancel_at_period_end::text as ends from billing.subscriptions s
), last as (
    select 'order of arrival' as rule, l.* from (
        select distinct on (id) id, status, ends from told order by id, received_at desc, event desc) as l
    union all
    select 'time of event', l.* from (
        select distinct on (id) id, status, ends from told order by id, occurred_at desc, received_at desc, event desc) as l
)
select rule, count(*) filter (where (held.status, held.ends) is distinct from (last.status, last.ends)) as diverged
from last join held using (id)
group by rule order by rule;

-- name: bare_insert
-- What a benchmark of the receiver compares with.
insert into billing.webhook_events (id, type, payload, occurred_at) values (%s, 'bare', %s, now());
