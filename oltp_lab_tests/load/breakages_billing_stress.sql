-- What each invariant of billing_stress must see. A name begins with that of its invariant.

-- name: lively
-- What a run leaves, in small: grants, an upgrade that is paid for, a refund.
select lab.enter_tenant(scratch_load.account(1));
select scratch_load.consume(scratch_load.account(1), 'leads', 5, 0);
select scratch_load.consume(scratch_load.account(1), 'emails_per_month', 5, 0);
select scratch_load.release(scratch_load.account(1), 'leads', 2, 0);
select scratch_load.change_plan(scratch_load.account(1), 'growth', 0);
insert into scratch_load.charges (session, tenant_id, invoice_id, attempt_id, idempotency_key, amount_cents)
select 0, c.tenant_id, c.invoice_id, c.attempt_id, c.idempotency_key, c.amount_cents
from billing.claim_payments(100, scratch_load.clock()) as c;
insert into scratch_load.captures (tenant_id, idempotency_key, invoice_id, amount_cents)
select tenant_id, idempotency_key, invoice_id, amount_cents from scratch_load.charges;
select billing.finish_payment(tenant_id, attempt_id, true, at => scratch_load.clock()) from scratch_load.charges;
select billing.refund_payment(p.tenant_id, p.id, 1, 'lively', 'A test.', scratch_load.clock())
from billing.payments p where p.tenant_id = scratch_load.account(1) limit 1;

-- name: invoices_balance_total
update billing.invoices set total_cents = total_cents + 1 where tenant_id = scratch_load.account(1);

-- name: invoices_balance_paid
update billing.payments set amount_cents = amount_cents - 1 where tenant_id = scratch_load.account(1);

-- name: invoices_balance_kept
with invoice as (
    insert into billing.invoices (tenant_id, subscription_id, number, reason, status, total_cents, issued_at)
    select tenant_id, subscription_id, 1000, reason, 'open', 100, issued_at
    from billing.invoices where tenant_id = scratch_load.account(1) and number = 1
    returning tenant_id, id, issued_at
)
insert into billing.payments (tenant_id, invoice_id, amount_cents, status, created_at, succeeded_at)
select tenant_id, id, 100, 'succeeded', issued_at, issued_at from invoice;

-- name: invoices_numbered_gap
update billing.invoices set number = number + 10 where tenant_id = scratch_load.account(1) and number = 2;

-- name: credit_covered_more
insert into billing.invoice_lines (tenant_id, invoice_id, kind, amount_cents)
select tenant_id, id, 'balance', -1 from billing.invoices where tenant_id = scratch_load.account(1) and number = 1;

-- name: captured_once_twice
insert into scratch_load.captures select tenant_id, idempotency_key || '!', invoice_id, amount_cents
from scratch_load.captures where tenant_id = scratch_load.account(1);

-- name: captured_once_never
delete from scratch_load.captures where tenant_id = scratch_load.account(1);

-- name: captured_once_unknown
insert into scratch_load.captures values (scratch_load.account(1), 'unknown', gen_random_uuid(), 1);

-- name: captured_once_attempts
drop index billing.payment_attempts_open_key;
insert into billing.payment_attempts (tenant_id, payment_id, payment_method, status, created_at, finished_at)
select tenant_id, payment_id, payment_method, status, created_at, finished_at
from billing.payment_attempts where tenant_id = scratch_load.account(1);

-- name: refunds_covered_more
update billing.payments set refunded_cents = refunded_cents + 1 where tenant_id = scratch_load.account(1);

-- name: limits_kept_overshot
update scratch_load.consumption set overshot = 1 where tenant_id = scratch_load.account(1);

-- name: limits_kept_granted
update scratch_load.consumption set granted = 100 where feature_key = 'leads';

-- name: limits_kept_used
update billing.usage_counters set used = maximum + 1 where tenant_id = scratch_load.account(1) and feature_key = 'leads';

-- name: usage_granted_more
update billing.usage_counters set used = used + 1 where tenant_id = scratch_load.account(1) and feature_key = 'emails_per_month';

-- name: usage_granted_lost
delete from billing.usage_counters where tenant_id = scratch_load.account(1);

-- name: one_subscription_two
drop index billing.subscriptions_live_key;
insert into billing.subscriptions (tenant_id, status, plan_key, period, started_at, anchor_at, period_start, period_end)
select tenant_id, 'active', plan_key, period, started_at, anchor_at, period_start, period_end
from billing.subscriptions where tenant_id = scratch_load.account(1);

-- name: one_subscription_planless
update billing.subscription_items set ended_at = started_at where tenant_id = scratch_load.account(1);

-- name: one_subscription_ended
update billing.subscriptions set status = 'canceled', ended_at = started_at where tenant_id = scratch_load.account(1);

-- name: prorations_charge
update billing.invoice_lines set amount_cents = amount_cents + 1 where tenant_id = scratch_load.account(1) and kind = 'charge';

-- name: prorations_credit
update billing.invoice_lines set amount_cents = amount_cents - 1 where tenant_id = scratch_load.account(1) and kind = 'credit';

-- name: prorations_more
update billing.invoice_lines set amount_cents = 0
where tenant_id = scratch_load.account(1) and kind = 'charge' and item_id in (
    select item_id from billing.invoice_lines where tenant_id = scratch_load.account(1) and kind = 'credit');

-- name: changes_chained_delta
update billing.subscription_changes set mrr_delta_cents = mrr_delta_cents + 1 where tenant_id = scratch_load.account(1) and kind = 'plan';

-- name: changes_chained_lost
delete from billing.subscription_changes where tenant_id = scratch_load.account(1) and kind = 'plan';

-- name: changes_chained_begun
delete from billing.subscription_changes where tenant_id = scratch_load.account(1) and kind = 'created';

-- name: changes_chained_gap
update billing.subscription_items set started_at = started_at + interval '1 second'
where tenant_id = scratch_load.account(1) and ended_at is null;

-- name: sample_data_untouched_charged
insert into scratch_load.captures
select tenant_id, 'sample', invoice_id, amount_cents from billing.payments where tenant_id not in (select tenant_id from scratch_load.accounts)
limit 1;

-- name: sample_data_untouched_due
update billing.subscriptions set started_at = '2020-01-01 00:00:00+00'
where tenant_id not in (select tenant_id from scratch_load.accounts);
