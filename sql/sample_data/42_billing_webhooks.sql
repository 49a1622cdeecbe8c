-- The provider's events: of customers, payments and refunds. Of an attempt that is not known one is still
-- being tried, and of an unknown customer one was given up.
insert into billing.webhook_events
    (id, type, status, owner_tenant_id, payload, occurred_at, received_at, attempts, retry_at, processed_at, outcome)
with told as (
    select 'evt_' || to_hex(pg_temp.draw('customer events', n, seed)) as id, 'customer.updated' as type,
           n, tenant_id, starts / 1000 * 1000 + 3000 as occurred, 200 as delay, 300 as work,
           jsonb_build_object('object', 'customer', 'id', customer) as about
    from plan_subscriptions
    where fate <> 'free' and n % 10 = 7
    union all
    select 'evt_' || to_hex(pg_temp.draw('payment events', invoice * 8 + i, a.seed)),
           case when succeeds then 'payment_intent.succeeded' else 'payment_intent.payment_failed' end,
           a.n, tenant_id, occurred, received - occurred, processed - received,
           jsonb_build_object('object', 'payment_intent', 'id', 'pi_' || to_hex(pg_temp.draw('provider payments', invoice, a.seed)),
                              'metadata', jsonb_build_object('attempt_id', id))
           || case when succeeds then '{}'
                   else jsonb_build_object('last_payment_error', jsonb_build_object('code', failure)) end
    from plan_attempts as a
    union all
    select 'evt_' || to_hex(pg_temp.draw('refund events', r.invoice, r.seed)),
           case when r.fails then 'refund.failed' else 'refund.updated' end, v.n, r.tenant_id, finished, 400, 600,
           jsonb_build_object('object', 'refund', 'id', 're_' || to_hex(pg_temp.draw('provider refunds', r.invoice, r.seed)),
                              'status', case when r.fails then 'failed' else 'succeeded' end,
                              'metadata', jsonb_build_object('refund_id', r.id))
    from plan_refunds as r
    join plan_invoices as v using (invoice)
    where finished is not null
), kept as (
    select t.id, t.type, t.tenant_id, t.about || jsonb_build_object('customer', customer) as about, t.occurred, t.delay, t.work
    from told as t
    join plan_subscriptions as s using (n)
    where t.occurred + t.delay <= s.as_of
)
select id, type, case when work is null then 'pending' else 'processed' end, case when work is not null then tenant_id end,
       jsonb_build_object('id', id, 'type', type, 'created', occurred / 1000, 'data', jsonb_build_object('object', about)),
       pg_temp.at(occurred), pg_temp.at(occurred + delay), 0, pg_temp.at(occurred + delay),
       pg_temp.at(occurred + delay + work), case when work is not null then 'applied' end
from kept
order by occurred, id;

insert into billing.webhook_events
    (id, type, status, owner_tenant_id, payload, occurred_at, received_at, attempts, retry_at, outcome)
select e.id, e.type, e.status, case when is_known then tenant_id end,
       jsonb_build_object('id', e.id, 'type', e.type, 'created', occurred / 1000, 'data', jsonb_build_object('object',
           jsonb_build_object('object', 'payment_intent', 'customer', case when is_known then customer else stranger end,
                              'metadata', jsonb_build_object('attempt_id', e.about)))),
       pg_temp.at(occurred), pg_temp.at(occurred + 1000), tries,
       -- each try doubles the wait, from two minutes on
       pg_temp.at(occurred + 1000 + 120000 * ((1 << tries) - 1)),
       case when is_known then format('there is no payment attempt %s', e.about)
            else 'nobody''s customer' end
from plan_subscriptions
cross join lateral (select pg_temp.draw('unknown', n, seed) as luck) as drawn
cross join lateral (
    select 'evt_' || to_hex(luck) as id, 'payment_intent.succeeded' as type, n % 40 = 5 as is_known,
           case n % 40 when 5 then 'pending' else 'failed' end as status,
           case n % 40 when 5 then 4 else 12 end as tries,
           as_of / 1000 * 1000 - case n % 40 when 5 then 1200000 else pg_temp.days(4 + 20 * pg_temp.share(luck)) / 1000 * 1000 end
               as occurred,
           pg_temp.key(as_of, luck) as about, 'cus_' || to_hex(luck >> 4) as stranger) as e
where fate <> 'free' and n % 40 in (5, 6)
order by occurred, e.id;
