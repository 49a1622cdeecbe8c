-- Billing: the application buys and consumes; money that moves is the platform's business.

revoke all on all tables in schema billing from public;
grant usage on schema billing to lab_app, lab_platform, lab_analytics;

grant select on billing.features, billing.products, billing.product_features, billing.prices
    to lab_app, lab_platform, lab_analytics;

grant select on billing.customers, billing.subscriptions, billing.subscription_items, billing.subscription_changes,
    billing.invoices, billing.invoice_lines, billing.payments, billing.payment_attempts, billing.refunds,
    billing.overrides, billing.usage_counters to lab_app;
grant insert, update on billing.subscriptions, billing.subscription_items to lab_app;
grant insert on billing.subscription_changes, billing.invoices, billing.invoice_lines to lab_app;
grant update (next_attempt_at, updated_at) on billing.invoices to lab_app;
grant insert, update (used, maximum, valid_until) on billing.usage_counters to lab_app;

grant select, insert, update, delete on all tables in schema billing to lab_platform;
-- A price never changes but in when it ends.
revoke update, delete on billing.prices from lab_platform;
grant update (active_until) on billing.prices to lab_platform;

grant select on billing.subscriptions, billing.subscription_items, billing.subscription_changes,
    billing.invoices, billing.invoice_lines, billing.payments, billing.payment_attempts, billing.refunds,
    billing.overrides, billing.usage_counters to lab_analytics;
