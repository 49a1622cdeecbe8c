-- Ways in which one row can break a rule; each begins with the rule's name. Run as lab_platform.

-- name: billing_limits_more_than_was_bought
update billing.usage_counters set maximum = maximum + 1
where ctid = (select min(ctid) from billing.usage_counters
              where maximum is not null and period_end = 'infinity' and valid_until = 'infinity');

-- name: billing_limits_though_unpaid
update billing.usage_counters set maximum = 10
where ctid = (select min(c.ctid) from billing.usage_counters as c
              join billing.subscriptions as s on s.tenant_id = c.tenant_id and s.ended_at is null
              where s.status = 'unpaid' and c.period_end = 'infinity');

-- name: billing_money_another_total
update billing.invoices set total_cents = total_cents + 1
where ctid = (select min(ctid) from billing.invoices where status = 'paid');

-- name: billing_money_a_line_less
delete from billing.invoice_lines where ctid = (select min(ctid) from billing.invoice_lines where amount_cents > 0);

-- name: billing_money_less_was_paid
update billing.payments set amount_cents = amount_cents - 1
where ctid = (select min(ctid) from billing.payments where status = 'succeeded' and refunded_cents = 0);

-- name: billing_money_for_an_open_invoice
update billing.payments set status = 'succeeded', succeeded_at = created_at
where ctid = (select min(ctid) from billing.payments where status = 'failed');

-- name: billing_money_refund_not_counted
update billing.payments set refunded_cents = 0
where ctid = (select min(ctid) from billing.payments where refunded_cents > 0);

-- name: billing_money_succeeded_without_an_attempt
delete from billing.payment_attempts
where ctid = (select min(ctid) from billing.payment_attempts where status = 'succeeded');

-- name: billing_money_too_much_credit
update billing.invoice_lines set amount_cents = -1000000
where ctid = (select min(ctid) from billing.invoice_lines where kind = 'credit');

-- name: billing_money_credit_used_twice
insert into billing.invoice_lines (tenant_id, invoice_id, kind, amount_cents)
select tenant_id, invoice_id, kind, amount_cents from billing.invoice_lines
where kind = 'balance' and amount_cents < 0 limit 1;

-- name: billing_money_a_number_is_missing
update billing.invoices as v set number = number + 1
where ctid = (select min(ctid) from billing.invoices as l
              where number = (select max(number) from billing.invoices as o where o.tenant_id = l.tenant_id));

-- name: billing_subscriptions_without_a_plan
update billing.subscription_items set ended_at = started_at
where ctid = (select min(ctid) from billing.subscription_items where ended_at is null and kind = 'plan');

-- name: billing_subscriptions_another_plan
update billing.subscriptions set plan_key = 'enterprise'
where ctid = (select min(ctid) from billing.subscriptions where status = 'active' and plan_key <> 'enterprise');

-- name: billing_subscriptions_items_of_an_ended_one
update billing.subscription_items set ended_at = null
where ctid = (select min(i.ctid) from billing.subscription_items as i
              join billing.subscriptions as s on s.tenant_id = i.tenant_id and s.id = i.subscription_id
              where s.status = 'canceled' and i.ended_at = s.ended_at and i.kind = 'plan');

-- name: billing_subscriptions_price_of_another_period
update billing.subscription_items set price_key = replace(price_key, '.month.', '.year.')
where ctid = (select min(ctid) from billing.subscription_items where ended_at is null and price_key like '%.month.%');

-- name: billing_subscriptions_worth_more
update billing.subscriptions set mrr_cents = mrr_cents + 1
where ctid = (select min(ctid) from billing.subscriptions where status = 'active');

-- name: billing_subscriptions_worth_forgotten
update billing.subscription_changes set mrr_delta_cents = 0
where ctid = (select min(ctid) from billing.subscription_changes where mrr_delta_cents > 0);

-- name: billing_subscriptions_active_though_charging_failed
update billing.subscriptions set status = 'active'
where ctid = (select min(ctid) from billing.subscriptions where status = 'past_due');

-- name: billing_subscriptions_first_invoice_still_owed
insert into billing.invoices (tenant_id, subscription_id, number, reason, status, total_cents, issued_at)
select tenant_id, id, 1000, 'subscription_create', 'open', 0, started_at
from billing.subscriptions where status = 'incomplete_expired' limit 1;

-- name: changes_follow_though_they_may_not
update billing.subscription_changes set status = 'paused'
where ctid = (select min(ctid) from billing.subscription_changes where kind = 'renewed' and mrr_delta_cents = 0);

-- name: billing_history_before_it_began
update billing.subscription_changes set occurred_at = '2020-01-01'
where ctid = (select min(ctid) from billing.subscription_changes where kind = 'created');

-- name: changes_follow_but_the_last_is_missing
delete from billing.subscription_changes
where ctid = (select min(c.ctid) from billing.subscription_changes as c
              join billing.subscriptions as s on s.tenant_id = c.tenant_id and s.ended_at = c.occurred_at);

-- name: billing_history_a_day_without_plan
update billing.subscription_items set started_at = started_at + interval '1 second'
where ctid = (select min(ctid) from billing.subscription_items where kind = 'plan' and ended_at is null);

-- name: billing_history_a_longer_period
update billing.subscriptions set period_end = period_end + interval '1 day'
where ctid = (select min(ctid) from billing.subscriptions);

-- name: billing_history_charged_twice
update billing.invoice_lines set period_start = period_start - interval '1 day'
where ctid = (select min(l.ctid) from billing.invoice_lines as l
              join billing.invoice_lines as before on before.tenant_id = l.tenant_id and before.item_id = l.item_id
                                                  and before.period_end = l.period_start
              where l.amount_cents > 0 and before.amount_cents > 0);

-- name: billing_history_closed_before_issued
update billing.invoices set closed_at = issued_at - interval '1 second'
where ctid = (select min(ctid) from billing.invoices where status = 'paid');

-- name: billing_history_paid_after_it_had_ended
update billing.payment_attempts as a set created_at = s.ended_at + interval '1 second', finished_at = s.ended_at + interval '2 seconds'
from billing.payments as p
join billing.invoices as v on v.tenant_id = p.tenant_id and v.id = p.invoice_id
join billing.subscriptions as s on s.tenant_id = v.tenant_id and s.id = v.subscription_id
where p.tenant_id = a.tenant_id and p.id = a.payment_id and s.ended_at is not null;

-- name: billing_history_charged_before_the_invoice
update billing.payment_attempts set created_at = '2020-01-01'
where ctid = (select min(ctid) from billing.payment_attempts);

-- name: billing_history_paid_when_no_money_came
update billing.payments set succeeded_at = succeeded_at + interval '1 second'
where ctid = (select min(ctid) from billing.payments where status = 'succeeded');

-- name: billing_history_given_back_too_early
update billing.refunds set created_at = '2020-01-01' where ctid = (select min(ctid) from billing.refunds);

-- name: subscribed_though_only_created
update public.tenants set status = 'active'
where ctid = (select min(ctid) from public.tenants where status = 'created');

-- name: subscribed_before_there_was_a_tenant
update billing.subscriptions set started_at = '2001-01-01'
where ctid = (select min(ctid) from billing.subscriptions);

-- name: subscribed_longer_than_there_was_a_tenant
update billing.subscriptions set ended_at = ended_at + interval '1 second'
where ctid = (select min(l.ctid) from billing.subscriptions as l
              join public.tenants as t on t.id = l.tenant_id where t.status = 'deleted');

-- name: subscribed_and_paid_though_suspended
update billing.subscriptions set status = 'active'
where ctid = (select min(s.ctid) from billing.subscriptions as s
              join public.tenants as t on t.id = s.tenant_id where t.status = 'suspended');

-- name: subscribed_but_not_renewed
update billing.subscriptions set period_end = '2025-12-01', period_start = '2025-11-01'
where ctid = (select min(ctid) from billing.subscriptions where status = 'active');

-- name: subscribed_but_never_charged
update billing.invoices set next_attempt_at = '2025-12-01'
where ctid = (select min(ctid) from billing.invoices where status = 'open');

-- name: subscribed_tomorrow
update billing.subscription_changes set occurred_at = '2026-01-02'
where ctid = (select min(ctid) from billing.subscription_changes);

-- name: usage_counted_one_too_many
update billing.usage_counters set used = used + 1 where ctid = (select min(ctid) from billing.usage_counters);

-- name: usage_counted_not_at_all
delete from billing.usage_counters where ctid = (select min(ctid) from billing.usage_counters where feature_key = 'leads');

-- name: usage_counted_mails_of_another_month
update billing.usage_counters
set period_start = period_start - interval '12 months', period_end = period_end - interval '12 months'
where ctid = (select min(ctid) from billing.usage_counters where feature_key = 'emails_per_month');

-- name: usage_counted_more_than_is_granted
update billing.usage_counters as c set maximum = used - 1
where used > 0 and feature_key = 'users' and exists (
    select from billing.subscriptions as s where s.tenant_id = c.tenant_id and s.status = 'active');

-- name: webhooks_told_of_nothing
delete from billing.payment_attempts where ctid = (select min(ctid) from billing.payment_attempts);

-- name: webhooks_told_never
delete from billing.webhook_events
where ctid = (select min(ctid) from billing.webhook_events where type = 'payment_intent.payment_failed');

-- name: webhooks_told_another_result
update billing.webhook_events set type = 'refund.failed'
where ctid = (select min(ctid) from billing.webhook_events where type = 'refund.updated');

-- name: webhooks_told_of_another_tenant
update billing.webhook_events as e set owner_tenant_id = c.owner_tenant_id
from billing.customers as c
where e.owner_tenant_id <> c.owner_tenant_id
  and e.ctid = (select min(ctid) from billing.webhook_events where type = 'customer.updated');

-- name: webhooks_told_before_it_happened
update billing.webhook_events set received_at = occurred_at - interval '1 second'
where ctid = (select min(ctid) from billing.webhook_events where status = 'processed');

-- name: webhooks_told_given_up_too_early
update billing.webhook_events set attempts = 3 where status = 'failed';
