-- Operations of billing in the context of a tenant with an active monthly subscription, amid its period.

-- name: current_plan
select billing.current_plan(lab.current_tenant());

-- name: entitlements
select * from billing.entitlements(lab.current_tenant(), now());

-- name: entitlement
select billing.entitlement(lab.current_tenant(), 'emails_per_month', now());

-- name: usage
select * from billing.usage(lab.current_tenant(), now());

-- name: credit_balance
select billing.credit_balance(lab.current_tenant());

-- name: refresh_limits
select billing.refresh_limits(lab.current_tenant(), now());

-- name: open_counter
select billing.open_counter(lab.current_tenant(), 'emails_per_month', now());

-- name: consume_limit
-- Room enough, no counter, and no room.
select billing.consume_limit(lab.current_tenant(), 'emails_per_month', 1, now());
select billing.consume_limit(lab.current_tenant(), 'emails_per_month', 1, now() + interval '1 year');
select billing.consume_limit(lab.current_tenant(), 'campaigns', 1000000000, now());

-- name: release_limit
select billing.release_limit(lab.current_tenant(), 'campaigns', 1, now());

-- name: require_billed_here
select billing.require_billed_here(lab.current_tenant());

-- name: lock_subscription
select billing.lock_subscription(lab.current_tenant());

-- name: period_end
select billing.period_end(now(), 'month', now());

-- name: prorate
select billing.prorate(1000, now(), now() + interval '1 month', now() + interval '1 day', 'day');

-- name: period_lines
select l.*
from billing.subscriptions s
cross join billing.period_lines(s.tenant_id, s.id) l
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: preview_change
-- Another plan, another period, an add-on.
select l.*
from billing.subscriptions s
cross join (values ('growth', 1, 'month'), ('growth', 1, 'year'), ('extra_users', 2, 'month')) as asked (product, quantity, period)
cross join billing.preview_change(s.tenant_id, asked.product, asked.quantity, asked.period, s.period_start + interval '1 day') l
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: issue_invoice
select billing.issue_invoice(
    s.tenant_id, s.id, 'subscription_update',
    array(select l from billing.period_lines(s.tenant_id, s.id) l), s.period_start
)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: replace_items
select billing.replace_items(
    s.tenant_id, s.id,
    array(select l from billing.preview_change(s.tenant_id, 'growth', 1, s.period, s.period_start + interval '1 day') l),
    s.period_start + interval '1 day'
)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: note_change
select billing.note_change(s.tenant_id, s.id, 'plan', s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: move_subscription
select billing.move_subscription(s.tenant_id, s.id, 'canceled', s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: require_changeable
select billing.require_changeable(s, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: time_of_change
select billing.time_of_change(s, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: change_now
select billing.change_now(s, 'enterprise', 1, 'month', 'plan', s.period_start + interval '1 day')
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: change_later
select billing.change_later(s, i.id, p.key, 1, s.period_start)
from billing.subscriptions s
join billing.subscription_items i
    on i.tenant_id = lab.current_tenant() and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null
join billing.prices p on p.product_key = 'starter' and p.period = s.period
where s.tenant_id = lab.current_tenant() and s.ended_at is null
limit 1;

-- name: change_plan
-- Down, which waits for the end of the period, and up.
select c.*
from billing.subscriptions s
cross join billing.change_plan(s.tenant_id, 'free', s.period, s.period_start + interval '1 day') c
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
select c.*
from billing.subscriptions s
cross join billing.change_plan(s.tenant_id, 'enterprise', s.period, s.period_start + interval '1 day') c
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: set_add_on
-- More, and fewer, which waits for the end of the period.
select billing.set_add_on(s.tenant_id, 'extra_users', 3, s.period_start + interval '1 day')
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
select billing.set_add_on(s.tenant_id, 'extra_users', 1, s.period_start + interval '2 days')
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: cancel_subscription
-- With the period, and at once.
select billing.cancel_subscription(s.tenant_id, true, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
select billing.cancel_subscription(s.tenant_id, false, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: create_subscription
select billing.cancel_subscription(s.tenant_id, false, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
select billing.create_subscription(lab.current_tenant(), 'growth', 'month', 'pm_card', true, now());

-- name: resume_subscription
select billing.cancel_subscription(s.tenant_id, true, s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
select billing.resume_subscription(s.tenant_id, 'pm_card', s.period_start)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;

-- name: set_payment_method
select billing.set_payment_method(lab.current_tenant(), 'pm_card', now());

-- name: renew
select billing.renew(s, s.period_end, s.period_end)
from billing.subscriptions s
where s.tenant_id = lab.current_tenant() and s.ended_at is null;
